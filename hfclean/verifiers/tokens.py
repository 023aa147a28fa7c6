"""The tokens of written arithmetic: numbers, operators, brackets, units, and what ends a calculation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from hfclean.text.words import word_set

TOKEN = re.compile(
    r"""
    (?P<skip> \\(?:left|right|boxed|displaystyle|quad|qquad|[,;!:\ ()\[\]]) (?![a-z])
        | (?:US|CA|AU|NZ|HK)?\\?[$€£¥₹] | \bRs\b\.? | \b(?:USD|EUR|GBP|INR)\b | & | \\\\
        | (?<=[\s=(]) \*\* (?=[^\s*]) | (?<=[^\s*]) \*\* (?=[\s.,;:!)] | $) )
    | (?P<bad> \d{4}-\d\d-\d\d (?![\w.])
        | 0[xXbBoO][\da-fA-F]\w* | \d+(?:[.,]\d+)*(?::\d+)+ | \d[\d.,]*[eE][+-]?\d+
        | (?<=\d)[–'’](?=\d) | \.\.\. )
    | (?P<n> \d+(?:[.,]\d+)* | (?<![\w.])\.\d+ )
    | (?P<bad2> [=!<>+\-*/:~^%]=+>? | //+ | \+\+ | =[~<] )
    | (?P<break> =>{1,3} | <?-{1,3}> | [,;:.…"'“”’`→⇒|<>≤≥•\#，。；：、]
        | \\(?:begin|end)\{\w{1,20}\*?\}
        | \\(?:implies|[Rr]ightarrow|to)(?![a-z]) )
    | (?P<eq> = | ≈ | \\approx(?![a-z]) | \b(?:is\ )?equal(?:s|\ to)\b )
    | (?P<plus> \+ | \bplus\b )
    | (?P<minus> [-−–] | \bminus\b )
    | (?P<times> \\?\* (?!\*) | [×·∗✕]
        | \\(?:times|cdot)(?![a-z]) | \b(?:times|multiplied\ by)\b | (?<=\d)[xX](?=\d) )
    | (?P<over> [/÷] (?![^\W\d]) | \\div(?![a-z]) | \bdivided\ by\b )
    | (?P<power> \*\* | \^ )
    | (?P<exponent> [²³] )
    | (?P<open> [(\[{] | \\\{ ) | (?P<close> [)\]}] | \\\} )
    | (?P<percent> \\?% | \bper\ ?cent\b )
    | (?P<of> \bof\b )
    | (?P<fraction> \\[dt]?frac(?=\s*\{) )
    | (?P<root> √ | \\sqrt(?=\s*\{) | \bsqrt(?=\() )
    | (?P<bang> ! )
    | (?P<word> \\(?:text|mathrm|textbf|mathbf|mbox)\{[^{}\n]{0,60}\}
        | /?[^\W\d_]\w* (?:/[^\W\d_]\w*)? (?:\^\{?\d\}?|[²³])? | [¢°] )
    | (?P<other> \S )
    """,
    re.VERBOSE,
)
ARITHMETIC = word_set("n name plus minus times over power exponent open close percent of fraction root bang")
OPERATORS = word_set("plus minus times over power of")
VALUES = word_set("n close percent exponent bang")  # what a unit can follow
# Words behind a number that are not its unit.
NOT_UNITS = word_set(
    """a an and are as at be because but by can for from get gets give gives has have hence if in into is it makes now
    of on or per since so than that the then there therefore they this thus to was we were when where which while will
    with you"""
)
LETTER_X = frozenset("xX")

Value = int | Fraction  # exact either way; whole numbers stay `int` for speed


class Token(NamedTuple):
    """A piece of a line: what kind of piece, as it is written, and where."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str, start: int, end: int, names: Mapping[str, Value]) -> list[Token]:
    """The pieces of a stretch of the text; spaces, currency signs and what LaTeX needs for its layout are left out.

    A word that is one of the names stands for its value, and is of the kind `name`.
    """
    found = []
    for match in TOKEN.finditer(text, start, end):
        kind = match.lastgroup or ""
        if kind == "word" and match.group() in names:
            kind = "name"
        if kind != "skip":
            found.append(Token("bad" if kind == "bad2" else kind, match.group(), match.start(), match.end()))
    return _with_times(found)


def _with_times(found: list[Token]) -> list[Token]:
    """The same, with the letter x as a sign where it stands between two numbers."""
    last = len(found) - 1
    for at, token in enumerate(found):
        if token.kind == "word" and token.text in LETTER_X and 0 < at < last:
            before, after = found[at - 1], found[at + 1]
            apart = token.start > before.end and after.start > token.end
            if (before.kind in VALUES or before.kind == "word") and after.kind in ("n", "open", "fraction") and apart:
                found[at] = token._replace(kind="times")
    return found


def is_mixed(tokens: Sequence[Token], at: int) -> bool:
    """Whether the number there goes on with the one before it, as in 1 1/2."""
    over, bottom = (tokens[at + 1], tokens[at + 2]) if at + 2 < len(tokens) else (tokens[at], tokens[at])
    return (over.kind, bottom.kind) == ("over", "n") and tokens[at].end == over.start and over.end == bottom.start


def is_joined(tokens: Sequence[Token], at: int) -> bool:
    """Whether what begins there may be the rest of a mixed number, as in 1\\frac{1}{2} and 3-3/4."""
    kinds = [token.kind for token in tokens[at : at + 4]]
    whole = tokens[at - 1]
    if whole.kind != "n" or whole.end != tokens[at].start:
        return False
    return kinds[:1] == ["fraction"] or (kinds == ["minus", "n", "over", "n"] and is_mixed(tokens, at + 1))


def is_power_of_ten(tokens: Sequence[Token], at: int) -> bool:
    """Whether × 10^ stands there."""
    return [token.kind for token in tokens[at : at + 3]] == ["times", "n", "power"] and tokens[at + 1].text == "10"
