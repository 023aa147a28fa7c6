"""Figures: how numbers and names from a dataset are written for people. No row, no page, no state."""

from __future__ import annotations

import math
import re

__all__ = ["count", "field_name", "one_line", "percent", "plural", "quantity", "ratio"]

# What a terminal would obey or not show: controls, bidirectional overrides, zero-width characters, lone surrogates.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
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
    line = UNPRINTABLE.sub(lambda m: m.group().encode("unicode_escape").decode("ascii"), text)
    return line if not width or len(line) <= width else line[: width - 1] + "…"


def field_name(pointer: str) -> str:
    """A ledger field with its list positions left out, to count by: `messages/3/content` is `messages/*/content`."""
    return INDEX.sub("/*", pointer)
