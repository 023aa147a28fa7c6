"""Figures: how numbers and names from a dataset are written for people. No row, no page, no state."""

from __future__ import annotations

import math
import re

from hfclean.text.characters import UNPRINTABLE

ON_ONE_LINE = re.compile(rf"[\t\n]|{UNPRINTABLE.pattern}")
INDEX = re.compile(r"/\d+(?=/|$)")


def count(number: int) -> str:
    """A whole number with a comma at the thousands."""
    return f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(part: float, whole: float) -> str:
    """A share with one decimal; never 0% of something or 100% of not everything; a dash where there is no whole."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "< 0.1%"
    if 99.9 < share < 100:
        return "> 99.9%"
    return f"{share:.1f}%" if 0 < share < 100 else f"{share:.0f}%"


def quantity(number: float) -> str:
    """A measured number with about three figures; a dash for nan."""
    if not math.isfinite(number):
        return "–"
    size = abs(number)
    if number == int(number) or size >= 1000:
        return f"{number:,.0f}"
    return f"{number:.1f}" if size >= 10 else f"{number:.2f}" if size >= 1 else f"{number:.3f}"


def ratio(number: float) -> str:
    """A ratio with two decimals; a dash for nan."""
    return f"{number:.2f}" if math.isfinite(number) else "–"


def one_line(text: str, width: int = 0) -> str:
    """Text from a dataset as one harmless line: what a terminal would obey is written as `\\x1b`; cut to `width`."""
    line = ON_ONE_LINE.sub(lambda m: m.group().encode("unicode_escape").decode("ascii"), text)
    return line if not width or len(line) <= width else line[: width - 1] + "…"


def money(amount: float, currency: str) -> str:
    """A sum of money; a small one with as many decimals as say something."""
    digits = 2 if amount >= 10 else 4 if amount >= 0.01 or amount == 0 else 6
    return f"{amount:,.{digits}f} {currency}"


def field_name(pointer: str) -> str:
    """A ledger field with its list positions left out, to count by: `messages/3/content` is `messages/*/content`."""
    return INDEX.sub("/*", pointer)
