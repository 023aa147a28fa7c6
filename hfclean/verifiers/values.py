"""What a final answer says, in one spelling and as a value, and whether two of them can be proven to differ."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from hfclean.text.numbers import plain_number
from hfclean.verifiers.units import factors

LONGEST = 60
WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf|operatorname|mbox)\{([^{}]*)\}")
IDLE = re.compile(
    r"\\[,;:! ]|\\(?:left|right|displaystyle|quad)(?![a-z])|\$|\\[()\[\]]|\^\{?\\circ\}?|[°~]",
)
MARKS = re.compile(r"[*`_]")  # of emphasis, where they do not multiply
ANY_FRACTION = re.compile(r"\\[dtc]?frac(?:(\d)(\d)|\{([^{}]*)\}\{([^{}]*)\})")
FRACTION = re.compile(r"\\frac\{(-?\d{1,15})\}\{(\d{1,15})\}")
DEFINED = re.compile(r"\A[A-Za-z] ?= ?(?=[^=]*\Z)")
FREE_SPACE = re.compile(r"(?<!\d) | (?!\d)")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))|\{,\}")
NUMBER = re.compile(
    r"(?P<sign>[-−+]?)\s?(?P<money>[£€¥]|USD )?(?P<whole>\d{1,18}(?!\d)(?:\.\d{1,18}(?!\d))?|\.\d{1,18}(?!\d))"
    r"(?:\s(?P<up>\d{1,15})/(?P<below>\d{1,15})|\s?/\s?(?P<under>\d{1,15}))?\s?(?P<unit>%|[A-Za-z][A-Za-z ]{0,30})?\.?"
)
DOT_GROUPED = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{3})+(?![\d.])")
OPTION = re.compile(r"\(?([A-H])\)?\.?")
PERCENT = frozenset(("%", "percent", "per cent"))


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its unit, or the letter of an option.

    Attributes:
        number: exactly, as written; None for a letter.
        places: digits behind the point; None for a fraction.
        unit: in lower case, `%` for percent; "" where none stands.
        letter: of an option, else "".
    """

    number: Fraction | None
    places: int | None = None
    unit: str = ""
    letter: str = ""


def cleaned(text: str) -> str:
    """An answer without what LaTeX needs for its layout, its fractions in one form and numbers without commas."""
    text = WRAPPED.sub(r" \1", text).replace("\\$", " ").replace("\\%", "%")
    text = THOUSANDS.sub("", ANY_FRACTION.sub(r"\\frac{\1\3}{\2\4}", text))
    return " ".join(IDLE.sub("", text).split())


def one_spelling(text: str) -> str:
    """An answer as a key: also without spaces, idle zeros, a closing point and the name that it is given to."""
    text = FREE_SPACE.sub("", DEFINED.sub("", cleaned(text).rstrip(".")))
    return plain_number(text) if re.fullmatch(r"\d+(?:\.\d+)?", text) else text


def read_value(text: str) -> Value | None:
    """The number or option that a short text is, and nothing else; None where it is not one."""
    if len(text) > LONGEST:
        return None
    text = " ".join(MARKS.sub("", FRACTION.sub(r" \1/\2", cleaned(text))).split())
    letter = OPTION.fullmatch(text)
    if letter:
        return Value(None, letter=letter[1])
    found = NUMBER.fullmatch(text)
    if found is None:
        return None
    below = int(found["below"] or found["under"] or 1)
    if not below:
        return None
    number = Fraction(found["whole"])
    number = number + Fraction(int(found["up"]), below) if found["up"] else number / below
    unit = (found["unit"] or found["money"] or "").strip().lower()
    point = found["whole"].find(".")
    places = None if found["below"] or found["under"] else len(found["whole"]) - point - 1 if point >= 0 else 0
    return Value(-number if found["sign"] in ("-", "−") and found["sign"] else number, places, unit)


def differ(one: str, other: str) -> bool:
    """Whether two answers are certainly not the same; False where they agree or a program cannot tell."""
    if one == other:
        return False
    for text in (one, other):
        if DOT_GROUPED.search(text) and not differ(one.replace(".", ""), other.replace(".", "")):
            return False  # 1.000 is a thousand in other countries
    a, b = read_value(one), read_value(other)
    if a is None or b is None:
        return _closed_forms_differ(one, other)
    if a.letter or b.letter:
        return bool(a.letter and b.letter) and a.letter != b.letter
    return _numbers_differ(a, b)


def agree(one: str, other: str) -> bool:
    """Whether two answers are certainly the same; False where they differ or a program cannot tell."""
    if one_spelling(one) == one_spelling(other):
        return True
    a, b = read_value(one), read_value(other)
    if a is None or b is None:
        return False
    same_unit = not (a.unit and b.unit) or _same_unit(a.unit, b.unit)
    return (a.number, a.letter) == (b.number, b.letter) and same_unit


def _numbers_differ(a: Value, b: Value) -> bool:
    assert a.number is not None
    assert b.number is not None
    if a.unit and b.unit and not _same_unit(a.unit, b.unit):
        return False
    if not (a.unit and b.unit) and _converted(a.number, b.number, factors(a.unit or b.unit)):
        return False
    scales = (1, 100, Fraction(1, 100)) if {a.unit, b.unit} & PERCENT else (1,)
    return not any(_is_rounded(a, b, scale) or _is_rounded(b, a, scale) for scale in scales)


def _converted(one: Fraction, other: Fraction, known: frozenset[Fraction]) -> bool:
    """Whether one may be the other in a larger or a smaller unit."""
    return bool(one and other) and not known.isdisjoint((one / other, other / one))


def _same_unit(one: str, other: str) -> bool:
    return one.rstrip("s") == other.rstrip("s") or {one, other} <= PERCENT


def _is_rounded(a: Value, b: Value, scale: Fraction | int) -> bool:
    """Whether `a` is `b`, or what `b` gives when it is rounded or cut to as many places as `a` has."""
    assert a.number is not None
    assert b.number is not None
    exact = b.number * scale
    if a.number == exact or a.places is None:
        return a.number == exact
    step = Fraction(1, 10**a.places)
    gap = abs(a.number - exact)
    return 2 * gap <= step or (gap < step and abs(a.number) < abs(exact))


# ------------------------------------------------------------------------------------------------------- closed forms

# No variable, no function but roots, and only small powers: nothing that could take long.
CLOSED = re.compile(
    r"(?:\\(?:d?frac|sqrt|pi|cdot|times|left|right)(?![a-z])|[\d.+\-*/(){}\[\] ]|\^\{?\d{1,2}\}?(?![\d^]))+"
)
DECIMAL = re.compile(r"-?\d*\.(\d{1,15})")
NEAR = 1e-9


def _closed_forms_differ(one: str, other: str) -> bool:
    if len(one) > LONGEST or len(other) > LONGEST:
        return False
    one, other = one.strip("$ .*"), other.strip("$ .*")
    if not (CLOSED.fullmatch(one) and CLOSED.fullmatch(other)) or one.count("^") + other.count("^") > 2:
        return False
    evaluate = _evaluator()
    if evaluate is None:
        return False
    a, b = evaluate(one), evaluate(other)
    if a is None or b is None:
        return False
    steps = [10.0 ** -len(point[1]) for point in map(DECIMAL.fullmatch, (one, other)) if point]
    return abs(a - b) > max(max(steps, default=0.0) / 2, NEAR * max(1.0, abs(a), abs(b)))


def unreadable(text: str) -> bool:
    """Whether a closed form in LaTeX is certainly none; False without `math-verify`, and where it might take long."""
    text = text.strip("$ ")
    if len(text) > LONGEST or not CLOSED.fullmatch(text) or text.count("^") > 1:
        return False
    parse = _parser()
    return parse is not None and not parse(text)


@lru_cache(maxsize=1)
def _parser() -> Callable[[str], list[Any]] | None:
    """LaTeX -> what `math-verify` makes of it; None without it."""
    try:
        from math_verify import LatexExtractionConfig, parse
    except ModuleNotFoundError:
        return None
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns at every call that it has no timeout
    config = [LatexExtractionConfig()]

    def read(text: str) -> list[Any]:
        # its timeout is a signal, which works in the main thread alone; the forms are bounded instead
        return list(parse(f"${text}$", extraction_config=config, parsing_timeout=None))

    return read


@lru_cache(maxsize=1)
def _evaluator() -> Callable[[str], float | None] | None:
    """LaTeX -> number through `math-verify`; None without it."""
    parse = _parser()
    if parse is None:
        return None

    def evaluate(text: str) -> float | None:
        found = parse(text)
        number = getattr(found[0], "evalf", None) if found else None
        if number is None:
            return None
        value = number()
        return float(value) if value.is_real else None

    return evaluate
