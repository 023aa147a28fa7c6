"""Written arithmetic read as exact numbers: the several ways in which tokens can be read, and what they come to.

`Part` is a run of tokens between two signs of equality, and `Part.value` is what it comes to under one reading, or
None where it is not plain arithmetic. Every step is linear, and sizes are capped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import factorial, isqrt

from hfclean.text.words import word_set
from hfclean.verifiers.tokens import OPERATORS, Token, Value, is_joined, is_mixed, is_power_of_ten
from hfclean.verifiers.units import unit_name

LONGEST_PART = 400  # tokens
LONGEST_NUMBER = 60  # characters
DEEPEST = 30  # brackets in brackets
LARGEST_EXPONENT = 64
LARGEST_FACTORIAL = 100
LARGEST_BITS = 4096
ROOT_DIGITS = 10**40  # a root that is irrational is taken to 40 decimals

GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?")
DOT_GROUPED = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")
PLAIN = re.compile(r"\d*(?:\.\d+)?")
DECIMAL_COMMA = re.compile(r"\d+,\d+")
LOST_SQUARE = re.compile(r"(?:[2-9]|\d\d+)[23]")  # 5² as 52
LOST_POWER = re.compile(r"(\d+\.\d\d)(\d\d?)")  # 1.05¹⁰ as 1.0510
LIST_NUMBER = re.compile(r"\d{1,2}\.\d+")
SCALING = word_set("times over fraction power exponent of percent root")


class _NotArithmetic(Exception):
    """The tokens are not arithmetic that can be worked out."""


class Part:
    """A run of tokens that stands for one number, and what is known of it before it is worked out."""

    def __init__(
        self, tokens: Sequence[Token], names: Mapping[str, Value], unit: str = "", at_line_start: bool = False
    ) -> None:
        self.tokens, self.at_line_start = tuple(tokens), at_line_start
        self.names = {token.text: names[token.text] for token in tokens if token.kind == "name"}
        self.kinds = frozenset(token.kind for token in tokens)
        self.numbers = [token.text for token in tokens if token.kind == "n"]
        units = [token.text for token in tokens if token.kind == "word"]
        # "5 + 3 minutes" may be anything: each number of a sum has its unit, or none has
        self.closed = not units or len(units) == len(self.numbers) or not self.kinds & {"plus", "minus"}
        self.units = frozenset(unit_name(word) for word in ([*units, unit] if unit else units))
        self.inexact = "root" in self.kinds
        self.divided = not self.kinds.isdisjoint(("over", "fraction"))
        self.scaled = not self.kinds.isdisjoint(SCALING)
        self.plain = len(self.numbers) == 1 and self.kinds.isdisjoint(("name", "root", "exponent", "bang"))
        self.operands = [token for token in tokens if token.kind in ("n", "name")]
        first = [token.kind for token in tokens[:4]]
        self.labelled = first[:3] == ["open", "n", "close"]  # (2) -3 + 4
        # "1 - 3 + 4 = 7" as step 1 of a list
        self.dashed = (
            first[:3] == ["n", "minus", "n"]
            and len(tokens) > 4
            and len(self.numbers[0]) < 3
            and tokens[1].end < tokens[2].start
        )
        # 9-5 and 10-6-1, which may be a range, a score or a date
        self.range = (
            first[:3] == ["n", "minus", "n"]
            and self.kinds == {"n", "minus"}
            and all(one.end == other.start for one, other in pairwise(tokens))
        )
        self.difference = first == ["n", "minus", "n"]
        self.average = (
            self.kinds == {"n", "plus", "over"} and [token.kind for token in tokens].index("over") == len(tokens) - 2
        )
        self.in_brackets = self.plain and tokens[0].kind == "open"

    def decimals(self) -> int:
        """The most decimals that a number of it is written with."""
        return max((len(number.partition(".")[2]) for number in self.numbers), default=0)

    def readings(self) -> set[str]:
        """The ways in which it can be read other than the usual one."""
        found = set()
        if any("," in number for number in self.numbers):
            found.add("decimal_comma")
        if any(DOT_GROUPED.fullmatch(number) for number in self.numbers):
            found.add("dot_groups")
        if "percent" in self.kinds:
            found |= {"plain_percent", "absolute_percent"}
        if self.divided and "open" in self.kinds:
            found.add("implied_first")
        if "minus" in self.kinds and self.kinds & {"power", "exponent"}:
            found.add("signed_base")
        if "bang" in self.kinds:
            found.add("exclamation")
        if "power" in self.kinds:
            found.add("xor")
        if self.average:
            found.add("average")
        if self.at_line_start and self.tokens[0].kind == "minus":
            found.add("bullet")
        if self.at_line_start and (LIST_NUMBER.fullmatch(self.tokens[0].text) or self.labelled):
            found.add("list_number")
        if self.at_line_start and self.dashed:
            found.add("list_number")
        if "of" in self.kinds and "percent" not in self.kinds:
            found.add("share_of")
        if self.divided and any(is_power_of_ten(self.tokens, at) for at in range(len(self.tokens))):
            found.add("scientific")
        if any(is_joined(self.tokens, at) for at in range(1, len(self.tokens))):
            found.add("mixed")
        if not self.plain and any(LOST_SQUARE.fullmatch(number) for number in self.numbers):
            found.add("lost_square")
        if not self.plain and any(LOST_POWER.fullmatch(number) for number in self.numbers):
            found.add("lost_power")
        return found

    def value(self, reading: frozenset[str]) -> Value | None:
        """What it comes to when read this way; None where it is not arithmetic that can be worked out."""
        run = self.tokens
        if self.at_line_start:
            if "bullet" in reading and run[0].kind == "minus":
                run = run[1:]
            if "list_number" in reading and LIST_NUMBER.fullmatch(run[0].text):
                run = (run[0]._replace(text=run[0].text.partition(".")[2]), *run[1:])
            elif "list_number" in reading and self.labelled:
                run = run[3:]
            elif "list_number" in reading and self.dashed:
                run = run[2:]
        if self.plain:
            reading -= {"lost_square", "lost_power"}
        try:
            if self.average and "average" in reading:  # 1 + 2 + 6 / 3 = 3
                return Fraction(_Reader(run[:-2], reading, {}).value()) / (_Reader(run[-1:], reading, {}).value() or 1)
            return _Reader(run, reading, self.names).value()
        except _NotArithmetic:
            return None

    def first_number(self) -> Part:
        """The number that it begins with, as a part."""
        return Part(self.tokens[:1], {})

    def head(self, reading: frozenset[str]) -> Value | None:
        """The number that it begins with, where an operator follows."""
        if len(self.tokens) < 3 or self.tokens[1].kind not in OPERATORS:
            return None
        return self.first_number().value(reading)

    def scientific(self) -> bool:
        """Whether it is written as 1.2 × 10^5."""
        kinds = [token.kind for token in self.tokens if token.kind not in ("open", "close", "minus")]
        return kinds == ["n", "times", "n", "power", "n"] and self.numbers[1] == "10" and self.tokens[0].kind == "n"


def _number(text: str, reading: frozenset[str]) -> Value:
    """What a number comes to that is written with points and commas, read this way."""
    if len(text) > LONGEST_NUMBER:
        raise _NotArithmetic
    if not reading and text.isdecimal():
        return int(text)
    if "lost_square" in reading and LOST_SQUARE.fullmatch(text):
        return Fraction(text[:-1]) ** int(text[-1])
    if "lost_power" in reading and (power := LOST_POWER.fullmatch(text)):
        return Fraction(power[1]) ** int(power[2])
    if "dot_groups" in reading and DOT_GROUPED.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    elif "decimal_comma" not in reading and GROUPED.fullmatch(text):
        text = text.replace(",", "")
    elif DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    elif DOT_GROUPED.fullmatch(text) and text.count(".") > 1:
        text = text.replace(".", "").replace(",", ".")
    elif not PLAIN.fullmatch(text):
        raise _NotArithmetic
    return Fraction(text)


class _Reader:
    """Works tokens out by precedence; brackets are counted, so that it never goes deeper than `DEEPEST`."""

    def __init__(self, tokens: tuple[Token, ...], reading: frozenset[str], names: Mapping[str, Value]) -> None:
        if len(tokens) > LONGEST_PART:
            raise _NotArithmetic
        self.tokens, self.reading, self.names = tokens, reading, names
        self.at = self.depth = 0

    def value(self) -> Value:
        total, _ = self.sum()
        if self.at < len(self.tokens):
            raise _NotArithmetic
        return total

    def kind(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at].kind if at < len(self.tokens) else ""

    def sum(self) -> tuple[Value, bool]:
        """Terms added up, and whether it was a single percentage."""
        total, percentage = self.product()
        while self.kind() in ("plus", "minus"):
            sign = 1 if self.kind() == "plus" else -1
            self.at += 1
            term, share = self.product()
            if share and not percentage and "absolute_percent" not in self.reading:
                term *= total
            total = _bounded(total + sign * term)
            percentage = percentage and share
        return total, percentage

    def product(self) -> tuple[Value, bool]:
        value, percentage = self.signed()
        while True:
            kind = self.kind()
            if kind in ("times", "over", "of"):
                self.at += 1
                factor, _ = self.signed()
                kind = "over" if kind == "of" and "share_of" in self.reading else kind
                while kind == "over" and "implied_first" in self.reading and self.kind() == "open":
                    factor = _bounded(factor * self.signed()[0])
            elif kind == "open" or (kind in ("root", "fraction") and self.tokens[self.at - 1].kind in ("n", "close")):
                if self.tokens[self.at - 1].kind == "n" and self.tokens[self.at].start > self.tokens[self.at - 1].end:
                    raise _NotArithmetic  # "Step 2 (3 + 4)"
                factor, _ = self.signed()
            else:
                return value, percentage
            percentage = False
            if kind == "over":
                if not factor:
                    raise _NotArithmetic
                value = _bounded(Fraction(value) / factor)
            else:
                value = _bounded(value * factor)

    def signed(self) -> tuple[Value, bool]:
        sign = 1
        while self.kind() in ("plus", "minus"):
            sign = -sign if self.kind() == "minus" else sign
            self.at += 1
        base, percentage = self.atom()
        if "signed_base" in self.reading and self.kind() in ("power", "exponent"):
            base, sign = sign * base, 1
        return sign * self.raised(base), percentage

    def raised(self, base: Value) -> Value:
        if self.kind() == "exponent":
            power: Value = "²³".index(self.tokens[self.at].text) + 2
            self.at += 1
        elif self.kind() == "power":
            self.at += 1
            sign = 1
            if self.kind() == "minus":
                self.at += 1
                sign = -1
            power, _ = self.atom()
            power *= sign
        else:
            return base
        if power.denominator != 1:
            raise _NotArithmetic
        if "xor" in self.reading and base.denominator == 1:
            return int(base) ^ int(power)
        if not -LARGEST_EXPONENT <= power <= LARGEST_EXPONENT or (not base and power <= 0):
            raise _NotArithmetic
        return _bounded(Fraction(base) ** int(power))

    def atom(self) -> tuple[Value, bool]:
        """A number or a bracket with the unit, percent sign or exclamation mark behind it."""
        kind = self.kind()
        if kind == "n":
            value: Value = _number(self.tokens[self.at].text, self.reading)
            self.at += 1
            if self.kind() == "n" and is_mixed(self.tokens, self.at):
                if value.denominator != 1:
                    raise _NotArithmetic
                value += self.share()
            elif "mixed" in self.reading and self.at < len(self.tokens) and is_joined(self.tokens, self.at):
                self.at += self.kind() == "minus"
                value += self.signed()[0] if self.kind() == "fraction" else self.share()
            elif "scientific" in self.reading and is_power_of_ten(self.tokens, self.at):
                self.at += 2
                value = _bounded(value * self.raised(10))
        elif kind == "name":
            value = self.names[self.tokens[self.at].text]
            self.at += 1
        elif kind == "open":
            value = self.bracket()
        elif kind == "fraction":
            self.at += 1
            top, bottom = self.bracket(), self.bracket()
            if not bottom:
                raise _NotArithmetic
            value = _bounded(Fraction(top) / bottom)
        elif kind == "root":
            self.at += 1
            value = _root(self.bracket() if self.kind() == "open" else self.bare_number())
        else:
            raise _NotArithmetic
        return self.followed(value)

    def followed(self, value: Value) -> tuple[Value, bool]:
        if self.kind() == "bang":
            self.at += 1
            if "exclamation" not in self.reading:
                if value.denominator != 1 or not 0 <= value <= LARGEST_FACTORIAL:
                    raise _NotArithmetic
                value = factorial(int(value))
        percentage = self.kind() == "percent"
        if percentage:
            self.at += 1
            value = value if "plain_percent" in self.reading else Fraction(value) / 100
        if self.kind() == "word":
            self.at += 1
        return value, percentage

    def share(self) -> Fraction:
        """The fraction of a mixed number."""
        numerator = Fraction(_number(self.tokens[self.at].text, self.reading))
        share = numerator / (_number(self.tokens[self.at + 2].text, self.reading) or 1)
        if share <= 0 or share >= 1:
            raise _NotArithmetic
        self.at += 3
        return share

    def bare_number(self) -> Value:
        if self.kind() != "n":
            raise _NotArithmetic
        self.at += 1
        return _number(self.tokens[self.at - 1].text, self.reading)

    def bracket(self) -> Value:
        if self.kind() != "open" or self.depth >= DEEPEST:
            raise _NotArithmetic
        opener = self.tokens[self.at].text[-1]
        self.at += 1
        self.depth += 1
        if self.kind() == "n" and DECIMAL_COMMA.fullmatch(self.tokens[self.at].text) and self.kind(1) == "close":
            raise _NotArithmetic  # a pair, as in (1,2)
        value, _ = self.sum()
        if self.kind() != "close" or self.tokens[self.at].text[-1] != CLOSERS[opener]:
            raise _NotArithmetic
        self.at += 1
        self.depth -= 1
        return value


CLOSERS = {"(": ")", "[": "]", "{": "}"}


def _bounded(value: Value) -> Value:
    """The value, where it is not too long to go on with."""
    if value.numerator.bit_length() > LARGEST_BITS or value.denominator.bit_length() > LARGEST_BITS:
        raise _NotArithmetic
    return value


def _root(value: Value) -> Value:
    """The square root: exact where it is rational, else to 40 decimals."""
    if value < 0:
        raise _NotArithmetic
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    if top * top == value.numerator and bottom * bottom == value.denominator:
        return Fraction(top, bottom)
    return Fraction(isqrt(int(value * ROOT_DIGITS**2)), ROOT_DIGITS)


@lru_cache(maxsize=1024)
def written(value: Value, decimals: int) -> str:
    """A value as people write it: exact where that takes at most six decimals, else rounded to at least two."""
    scaled = value * 10**6
    if scaled.denominator == 1:
        whole, rest = divmod(abs(int(scaled)), 10**6)
        digits = f"{rest:06d}".rstrip("0")
    else:
        places = max(2, min(decimals, 12))
        whole, rest = divmod(round(abs(value) * 10**places), 10**places)
        digits = f"{rest:0{places}d}"
    return ("-" if value < 0 else "") + str(whole) + (f".{digits}" if digits else "")
