"""Wrong sums: what a written calculation comes to, held against what the text says that it comes to.

A text is cut into chains of parts with signs of equality between them. Each part that is plain arithmetic is worked
out exactly, and must come to the same as the one before it under at least one way to read the two. Whatever else a
chain holds (letters, functions, words) is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, combinations
from typing import NamedTuple

from hfclean.schema import Pair
from hfclean.text.thoughts import split_thought
from hfclean.text.words import word_set
from hfclean.verifiers.arithmetic import (
    ARITHMETIC,
    NOT_UNITS,
    OPERATORS,
    VALUES,
    Part,
    Token,
    Value,
    is_mixed,
    tokens,
    written,
)
from hfclean.verifiers.units import CONVERSIONS, unit_name
from hfclean.verifiers.verifier import Finding, Verifier

EQUALITIES = ("=", "≈", "\\approx", "equal")
WORTH_READING = re.compile(
    r"\d[^=≈]{0,40}?(?:[-+−–*×·∗✕/÷^xX²³%√\\!]|plus|minus|times|divided|multiplied|of\b)|[\d)]\(|√|sqrt|frac"
)
LIST_MARK = re.compile(r"\s*(?:(?:[*•>+#]+|\d{1,3}[.)](?=\s)|\(\d{1,3}\)(?=\s+[\w√\\$€£])|\(?[A-Za-z][.)])\s*)*")

# Words that make what follows or precedes them a part of something else.
BAD_BEFORE = word_set(
    """abs and arccos arcsin arctan average avg base ceil ceiling cos cosh cot csc cube divide divided double exp
    factorial floor from gcd half hcf integral lcm lg lim ln log max mean median min mod mode modulo multiplied
    multiply of or over per pow power quarter root round sec sin sinh sqrt square std subtract tan tanh than third
    thrice triple twice var variance version with"""
)
BAD_AFTER = word_set(
    """am apart choose cubed divided dozen factorial fewer greater less minus mod modulo more multiplied of or out over
    per plus pm point r rem remainder smaller squared than times to too with"""
)
LABELS = word_set("case day example exercise level part problem question round step task week")
LEAD_IN = word_set(
    "are as be calculate compute equals evaluate get gets gives have hence is so solve then therefore thus was"
)
SUMS_OF = word_set("sum total result value expression calculation answer")
SINGLE_LETTERS_AFTER = frozenset("aACFgHhIJKlLmNPsVW°¢")
ATTACHED_UNITS = word_set(
    "kg mg cm mm km ml mL lb lbs oz ft in hr hrs hours min mph kb mb gb tb kW kWh cents °C °F m² km² cm² m2"
)
NOT_SAID = re.compile(
    r"\b(?:wrong|incorrect(?:ly)?|in ?accurate|not|cannot|never|should(?: be| have)|false|mistaken?|mistakes|errors?|"
    r"instead|supposed?|imagine|pretend|wait|oops|hmm|actually|invalid|untrue|typo|contradict(?:s|ion)?|impossible|"
    r"approximat\w+|roughly|estimat\w+|round(?:ed|ing|s)?|nearest|but it|"
    r"too (?:high|low|big|large|small|many|much|few)|"
    r"carr(?:y|ied|ying)(?: over)?(?: the| a)? (?:\d|one|ten)|borrow(?:ed|ing)?|forg[eo]t\w*|attempt|misconceptions?|"
    r"slogan|phrase|metaphor\w*|synergy|teamwork|Orwell\w*|left[- ]to[- ]right|calculators?|falsch|stimmt nicht|"
    r"incorrecto?|erróne[oa]|faux|fausse|неверно|неправильно)\b|n't\b|n’t\b|≠|\\neq?\b|❌|✗|✘|✖|错|錯|</(?:del|s)>",
    re.IGNORECASE,
)
# A sum that is somebody's words: "Tom says that 15% of 80 = 10", "You wrote 7 × 8 = 54".
REPORTED = re.compile(
    r"(?<!\bwe )(?<!\bI )(?<!<)\b(?:says?|said|claim(?:s|ed|ing)?|wrote|writ(?:es|ten)|thinks?|believe[sd]?|"
    r"argue[sd]?|insist(?:s|ed)?|told|guess(?:es|ed)?|typed|answered|work(?:ing)? shows|"
    r"(?:students|pupils|people|children|kids|many|some|they) (?:answer|write|put|say)|"
    r"sagt|rechnet|schreibt|behauptet|dit|écrit|dice|escribe)\b[^.;!?\n]{0,40}\Z",
    re.IGNORECASE,
)
# A sum that is named and not worked out: "as in 1 + 1 = 3", "the idea that 2 + 2 = 5".
NAMED = re.compile(
    r"\b(?:like|as in|such as|a case of|(?:idea|notion|concept|saying|motto|belief|principle)s?)(?: of| that|:)?"
    r"\W{0,3}\Z",
    re.IGNORECASE,
)
IDIOM = re.compile(r"1 ?\+ ?1 ?= ?(?:3|11)")
QUOTES = frozenset("\"'“”‘’„«»")
# Where the size of a difference is said without its sign.
MAGNITUDE = re.compile(
    r"\b(?:loss|lost|deficit|debt|owes?|shortfall|difference|decrease|drop(?:ped)?|distance|apart)\b", re.IGNORECASE
)
ADDRESS = re.compile(r"://\S*$")
IF = re.compile(r"\b(?:if|suppose|assume|let|when|say)(?: (?:it were|it was|it is) true that)?\W{0,3}$", re.IGNORECASE)
# What an instruction speaks of where a sum means something else, or is to be wrong.
OTHER_RULES = re.compile(
    r"\b(?:binary|hex(?:adecimal)?|octal|base[- ]?(?!10\b)\d+|modul(?:o|ar|us)|mod|clock|boolean|bitwise|xor|roman|"
    r"mathbb\{?[ZF]|[ZF]_\{?\w|GF\(\d|left[- ]to[- ]right|"
    r"puzzles?|riddles?|cryptarithm\w*|alphametic\w*|ciphers?|incorrect(?:ly)?|wrong(?:ly)?|false|mistakes?|errors?|"
    r"true or|quiz(?:zes)?|jokes?|nonsense|define[sd]?|tropical|paradox|fallacy|debug|multiple[- ]choice)\b|"
    r"\b(?:where|if|let|that|by|as|operation)\W+[a-z] ?[*∗@#⊕⊗△★◦] ?[a-z] ?=|\boperat(?:or|ion) [*∗@#⊕⊗△★◦]",
    re.IGNORECASE,
)
LAST_SIGN = "\u22ff"  # of mathematics; behind it are pictures
WINDOW = 80  # characters on both sides of a sum in which a word can take it back
LONGEST_SHOWN = 120
MOST_READINGS = 64


class Link(NamedTuple):
    """A part of a chain: None where it is not arithmetic, with the place where it stands."""

    part: Part | None
    start: int
    end: int
    nearly: bool = False  # a sign of near equality before it
    spaced: bool = True  # a space before that sign
    name: str = ""  # the capital letter that it is


def find_wrong_sums(pair: Pair) -> list[Finding]:
    """Wrong sums in the response and in the thought before it; `expected` is what would be right in its place."""
    thought, response, _ = split_thought(pair)
    findings = [
        finding for field, text in (("response", response), ("thought", thought)) for finding in _findings(field, text)
    ]
    if findings and (OTHER_RULES.search(pair.prompt) or any(_wrong_chains(pair.prompt))):
        return []
    return findings


wrong_sum = Verifier("wrong_sum", "a written calculation that does not come to what the text says", find_wrong_sums)


def _findings(field: str, text: str) -> Iterator[Finding]:
    line = counted = 0
    right: set[_Key] | None = None
    for wrong, chain in _wrong_chains(text):
        if _taken_back(text, chain, wrong):
            continue
        if right is None:
            right = {key for none, links in _read_chains(text) if none is None for key in _keys(links)}
        if right.isdisjoint(_keys((wrong.worked_out, wrong.at))):  # else the text has the sum right as well
            line += text.count("\n", counted, wrong.at.start)
            counted = wrong.at.start
            yield wrong.finding(field, line, text)


_Key = tuple[str, ...]


def _keys(links: Sequence[Link]) -> Iterator[_Key]:
    """The sums of a chain of at least two parts, however they are spelled."""
    parts = [link.part for link in links if link.part is not None]
    for part in parts if len(parts) > 1 else ():
        if not part.plain:
            yield tuple(token.text if token.kind in ("n", "name") else token.kind for token in part.tokens)


def _wrong_chains(text: str) -> Iterator[tuple[_Wrong, list[Link]]]:
    """Each chain of the text that does not come out, with what is wrong in it."""
    return ((wrong, chain) for wrong, chain in _read_chains(text) if wrong is not None)


def _read_chains(text: str) -> Iterator[tuple[_Wrong | None, list[Link]]]:
    """Each chain of the text, with what is wrong in it."""
    names: dict[str, Value] = {}
    for start, end in _lines(text):
        if names or WORTH_READING.search(text, start, end):
            for chain in _chains(text, start, end, names):
                wrong = _first_wrong(chain)
                if wrong is None:
                    _name(names, chain)
                yield wrong, chain


def _shown(text: str, link: Link) -> str:
    stated = " ".join(text[link.start : link.end].split())
    return stated if len(stated) <= LONGEST_SHOWN else stated[:LONGEST_SHOWN] + "…"


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Where the lines with a sign of equality are; one that begins with that sign goes with the one before."""
    upcoming = {sign: text.find(sign) for sign in EQUALITIES}
    begin = end = 0
    while any(place >= 0 for place in upcoming.values()):
        at = min(place for place in upcoming.values() if place >= 0)
        start = text.rfind("\n", end, at) + 1 or end
        if not text[start:at].strip(" \t&"):
            start = _line_above(text, start)
        if start > end:
            yield begin, end
            begin = start
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        upcoming |= {sign: text.find(sign, end) for sign, place in upcoming.items() if 0 <= place < end}
    yield begin, end


def _line_above(text: str, start: int) -> int:
    """Where the line above begins; an empty one between is passed over."""
    end = max(start - 1, 0)
    above = text.rfind("\n", 0, end) + 1
    return above if above < end else text.rfind("\n", 0, max(above - 1, 0)) + 1


def _chains(text: str, start: int, end: int, names: Mapping[str, Value]) -> Iterator[list[Link]]:
    mark = LIST_MARK.match(text, start, end)
    assert mark is not None
    found = tokens(text, mark.end(), end, names)
    equals = [at for at, token in enumerate(found) if token.kind == "eq"]
    if not equals:
        return
    opened = list(accumulate((token.kind == "open") - (token.kind == "close") for token in found))
    chain, enclosed = [_last_run(text, found, 0, equals[0], names)], opened[equals[0]] > 0
    for at, after in zip(equals, [*equals[1:], len(found)], strict=True):
        sign = found[at]
        nearly, spaced = sign.text[0] in "≈\\", text[sign.start - 1 : sign.start].isspace()
        closed = after < len(found)
        if closed and _one_part(found, at + 1, after) and not (enclosed and opened[after] < opened[at]):
            chain.append(_link(Part(found[at + 1 : after], names))._replace(nearly=nearly, spaced=spaced))
            continue
        chain.append(_first_run(found, at + 1, after, names)._replace(nearly=nearly, spaced=spaced))
        yield chain
        if closed:
            chain, enclosed = [_last_run(text, found, at + 1, after, names)], opened[after] > 0


def _link(part: Part) -> Link:
    return Link(part, part.tokens[0].start, part.tokens[-1].end)


NOTHING = Link(None, 0, 0)
USUAL: frozenset[str] = frozenset()


def _is_unit(found: Sequence[Token], at: int, first: int) -> bool:
    """Whether the word there can be the unit of the number before it."""
    word = found[at]
    if at <= first or found[at - 1].kind not in VALUES:
        return False
    name = unit_name(word.text)
    if word.start == found[at - 1].end:
        return word.text in ATTACHED_UNITS
    return len(name) > 1 and word.text.casefold() not in NOT_UNITS


def _one_part(found: Sequence[Token], first: int, last: int) -> bool:
    """Whether all that stands between two signs of equality is one part."""
    for at in range(first, last):
        kind = found[at].kind
        if not (kind in ARITHMETIC or (kind == "word" and _is_unit(found, at, first))):
            return False
        if kind == "n" and at > first and found[at - 1].kind == "n" and not is_mixed(found, at):
            return False  # "22 / 2 = 11 11 - 1 = 10"
    return first < last


def _first_run(found: Sequence[Token], first: int, last: int, names: Mapping[str, Value]) -> Link:
    """The part that follows a sign of equality and ends a chain."""
    at, depth = first, 0
    while at < last:
        kind = found[at].kind
        if kind == "word":
            followed = at + 1 < last and (
                found[at + 1].kind in OPERATORS or (found[at + 1].kind == "close" and depth > 0)
            )
            if not (followed and _is_unit(found, at, first)):
                break
        elif kind not in ARITHMETIC:
            break
        elif kind in ("open", "close"):
            if kind == "close" and not depth:
                break
            depth += 1 if kind == "open" else -1
        at += 1
    end = at
    while end > first and found[end - 1].kind == "open":  # "7 (as we saw)"
        end -= 1
        depth -= 1
        if end > first and found[end - 1].end == found[end].start:
            return NOTHING
    if end == first or depth:
        return NOTHING
    unit = ""
    if at < last and at == end:
        known, unit = _may_follow(found, at, last)
        if not known:
            return NOTHING
    return _link(Part(found[first:end], names, unit))


def _may_follow(found: Sequence[Token], at: int, last: int) -> tuple[bool, str]:
    """Whether the token behind a part leaves it as it is, and the unit, where it is one."""
    after, attached = found[at], found[at].start == found[at - 1].end
    if after.kind in ("break", "close"):
        return True, ""
    if after.kind != "word":
        return after.kind == "other" and not attached and after.text > LAST_SIGN, ""
    word = after.text.casefold()
    if attached:
        return after.text in ATTACHED_UNITS, after.text
    if word in BAD_AFTER or (len(word) == 1 and after.text not in SINGLE_LETTERS_AFTER):
        return False, ""
    if word in NOT_UNITS:
        half = [token.text.casefold() for token in found[at + 1 : min(last, at + 3)]]
        return not (word == "and" and (half[:1] == ["a"] or half[:1] == ["remainder"])), ""
    more = found[at + 1 : min(last, at + 3)]
    if more and (more[0].kind == "n" or (more[0].text.casefold() in ("and", "with") and more[-1].kind == "n")):
        return False, ""  # "1 hour 30 minutes"
    return True, after.text


def _last_run(text: str, found: Sequence[Token], first: int, last: int, names: Mapping[str, Value]) -> Link:
    """The part that stands before a sign of equality and begins a chain."""
    at, depth = last, 0
    while at > first:
        kind = found[at - 1].kind
        if kind == "word":
            followed = at == last or found[at].kind in OPERATORS or found[at].kind == "close"
            if not (followed and _is_unit(found, at - 1, first)):
                break
        elif kind not in ARITHMETIC:
            break
        elif kind in ("open", "close"):
            if kind == "open" and not depth:
                break
            depth += 1 if kind == "close" else -1
        at -= 1
    run = found[at:last]
    if not run and last > first and len(found[last - 1].text) == 1 and found[last - 1].text.isupper():
        return NOTHING._replace(name=found[last - 1].text)
    if len(run) == 1 and run[0].kind == "name":
        return NOTHING._replace(name=run[0].text)
    if len(run) > 2 and run[0].kind == "of" and at > 1 and found[at - 1].text.casefold() in SUMS_OF:
        return _link(Part(run[1:], names))
    part = Part(run, names, at_line_start=at == 0 or found[at - 1].text.casefold() in LABELS) if run else None
    if part is None or depth or (at > 0 and not _may_precede(text, found[at - 1], part)):
        return NOTHING
    return _link(part)


def _may_precede(text: str, before: Token, part: Part) -> bool:
    """Whether the token in front of a part leaves it as it is."""
    head, second = part.tokens[0], part.tokens[min(1, len(part.tokens) - 1)]
    attached = before.end == head.start
    if head.kind == "plus" or (head.kind == "minus" and (attached or second.start > head.end)):
        return before.kind == "open"
    if before.kind == "break":
        if before.text == ":" and text[before.start - 1 : before.start].isspace():
            return False  # 3 : 4 + 2
        return head.kind != "minus" or before.text in ",;:."
    if before.kind == "open":
        return True
    if before.kind != "word":
        return before.kind == "other" and not attached and before.text > LAST_SIGN
    word = before.text.casefold()
    if attached or len(word) == 1 or word in BAD_BEFORE or text[before.start - 1 : before.start] == "\\":
        return False
    return word in LEAD_IN or (head.kind != "minus" and not part.plain)


# ------------------------------------------------------------------------------------------------- what does not fit


class _Wrong(NamedTuple):
    """Two parts that do not come to the same: the one that is wrong, the one that is worked out, and what is right."""

    at: Link
    worked_out: Link
    comes_to: Value
    right: Value

    def finding(self, field: str, line: int, text: str) -> Finding:
        assert self.at.part is not None
        found = _shown(text, self.at)
        if self.worked_out is self.at:
            sentence = f"{found} comes to {_as_stated(self.comes_to, self.at.part)}, not {written(self.right, 2)}"
        else:
            sentence = (
                f"{_shown(text, self.worked_out)} comes to {_as_stated(self.comes_to, self.at.part)}, not {found}"
            )
        return Finding("wrong_sum", field, 0, line, found, _as_stated(self.right, self.at.part), sentence)


def _as_stated(value: Value, part: Part) -> str:
    """A value in the form of the part in whose place it would stand."""
    if part.plain and "percent" in part.kinds:
        return written(value * 100, part.decimals()) + "%"
    return written(value, part.decimals())


def _first_wrong(chain: Sequence[Link]) -> _Wrong | None:
    """The first part of a chain that does not come to what the one before it does."""
    before: tuple[Link, Part, Value] | None = None
    operated = False
    for link in chain:
        value = None if link.part is None else link.part.value(USUAL)
        if link.part is None or value is None:
            continue
        if (
            before is not None
            and value != before[2]
            and (operated or not link.part.plain)
            and not _fits(before[1], link.part, link.nearly, link.spaced)
        ):
            if not before[1].plain:
                return _Wrong(link, before[0], before[2], before[2])
            if operated:
                return _Wrong(link, link, value, before[2])
            return _Wrong(before[0], link, value, value)
        operated = operated or not link.part.plain
        before = link, link.part, value
    return None


def _name(names: dict[str, Value], chain: Sequence[Link]) -> None:
    """Keeps the value of a capital letter that a chain works out, and forgets what another chain says of it."""
    name, last = chain[0].name, chain[-1].part
    if name:
        names.pop(name, None)
        value = last.value(USUAL) if last is not None and last.plain and len(chain) > 2 else None
        if value is not None:
            names[name] = value


def _fits(before: Part, after: Part, nearly: bool, spaced: bool) -> bool:
    """Whether two parts come to the same under any way to read them."""
    if not (before.closed and after.closed) or (before.range and spaced):
        return True
    numbers = (*before.numbers, *after.numbers)
    if set("".join(numbers)) <= {"0", "1"} and max(map(len, numbers)) > 1:
        return True  # as binary numbers, perhaps
    if before.difference and after.plain and after.units and not before.units and (before.value(USUAL) or 0) < 0:
        return True  # "3 - 4 = 2 stars" of a scale
    units = before.units | after.units
    if len(before.units) > 1 or len(after.units) > 1 or (before.units and after.units and before.units != after.units):
        return True
    if after.names or (before.names and (len(before.names) < 2 or len(before.operands) != len(after.operands))):
        return True
    readings = sorted(before.readings() | after.readings())
    chosen = [frozenset(some) for size in range(len(readings) + 1) for some in combinations(readings, size)]
    factors = [times for names, times in CONVERSIONS if before.units != after.units and units & names]
    return any(_agree(before, after, reading, nearly, factors) for reading in chosen[:MOST_READINGS])


def _agree(
    before: Part, after: Part, reading: frozenset[str], nearly: bool, factors: list[frozenset[Fraction]]
) -> bool:
    value, said = before.value(reading), after.value(reading)
    if value is None or said is None:
        return False
    a, b = Fraction(value), Fraction(said)
    if a == b or _rounded(before, a, after, b, reading) or _rounded(after, b, before, a, reading):
        return True
    off, larger = abs(a - b), max(abs(a), abs(b))
    if nearly and off * 20 <= larger:
        return True
    if (before.inexact or after.inexact or after.decimals() >= 10) and off * 10**12 <= larger:
        return True
    if a == -b and (before.range or after.in_brackets):
        return True  # 2010-2015=5 and a loss of $5 - $8 = ($3)
    if a and b and any(a / b in times or b / a in times for times in factors):
        return True
    first = after.first_number()
    if (
        b
        and after.scientific()
        and _rounded(before, a / b * Fraction(after.numbers[0]), first, Fraction(after.numbers[0]), reading)
    ):
        return True
    head = after.head(reading)  # 5 + 3 = 8 + 2 = 10
    if head is None:
        return False
    return head == a or (first.decimals() > 0 and _rounded(before, a, first, Fraction(head), reading))


def _rounded(exact: Part, value: Fraction, stated: Part, said: Fraction, reading: frozenset[str]) -> bool:
    """Whether `said` is the value, rounded or cut as it is written, or as near as rounded operands allow."""
    places = exact.decimals()
    if places and not exact.plain:
        off = abs(value - said)
        if exact.scaled:
            if off * 200 <= abs(value):
                return True
        elif off * 2 * 10**places < len(exact.numbers):
            return True
    if not stated.plain or (value.denominator == 1 and not exact.divided):
        return False
    shift: int = 10 ** stated.decimals() * (100 if "percent" in stated.kinds and "plain_percent" not in reading else 1)
    if not stated.decimals() and shift == 1:
        return abs(value - said) < 1
    return abs(value - said) * shift * 2 <= 1 or int(value * shift) == said * shift


def _taken_back(text: str, chain: Sequence[Link], wrong: _Wrong) -> bool:
    """Whether the words about a chain say that it is wrong, asked, supposed, or of another kind."""
    places = [link for link in chain if link.part is not None]
    first, last = places[0].start, places[-1].end
    before = text[max(0, first - WINDOW) : first].rpartition("\n")[2]
    after = text[last : last + WINDOW].partition("\n\n")[0]
    if any(said.search(words) for said in (NOT_SAID, OTHER_RULES) for words in (before, after)):
        return True
    if NAMED.search(before) or _is_quoted(text, first, last):
        return True
    if wrong.at.part is not None and wrong.at.part.value(USUAL) == -wrong.right and MAGNITUDE.search(before):
        return True
    return bool(REPORTED.search(before) or IF.search(before) or ADDRESS.search(before) or "?" in after[:3])


def _is_quoted(text: str, first: int, last: int) -> bool:
    """Whether a line with words holds what stands there as an idiom, or in quotation marks."""
    before, after = text[max(0, first - WINDOW) : first], text[last : last + WINDOW]
    if not (IDIOM.fullmatch(text, first, last) or (before[-1:] in QUOTES and after[:1] in QUOTES)):
        return False
    return any(map(str.isalpha, before.rpartition("\n")[2] + after.partition("\n")[0]))
