"""Figures: how numbers and names from a dataset are written for people. No row, no page, no state."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from hfclean.models.budget import days_of
from hfclean.text.characters import UNPRINTABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hfclean.report.record import ModelUse
    from hfclean.selection.plain_choices import Baseline

__all__ = [
    "count",
    "field_name",
    "model_facts",
    "money",
    "one_line",
    "percent",
    "plural",
    "quantity",
    "random_as_one",
    "ratio",
]

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


def model_facts(use: ModelUse) -> list[tuple[str, str]]:
    """What there is to say of a model that was asked, as (name, words); the words are from the dataset in part."""
    total = use.kept + use.revised + use.reverted + use.failed
    edits = [f"{getattr(use, name):,} {name}" for name in ("revised", "kept", "reverted", "failed")]
    facts = [
        ("model", use.model + (f" at {use.server}" if use.server else ", run locally")),
        ("calls itself", ", ".join(use.answered_by)),
        (
            "reviser",
            f"{use.by} version {use.version}" + (f", prompt {use.prompt_version}" if use.prompt_version else ""),
        ),
        ("rows", f"{total:,}: " + ", ".join(edits)),
        ("revisions not taken", ", ".join(f"{reason.name} {reason.rows:,}" for reason in use.reasons)),
    ]
    if use.recorded:
        tokens = f"{use.prompt_tokens:,} read, {use.completion_tokens:,} written"
        facts += [
            ("answers", _answers(use)),
            ("tokens", tokens + (" (estimated in part: the server does not say)" if use.estimated else "")),
            (
                "cost of this run",
                money(use.cost, use.currency) if math.isfinite(use.cost) else "no prices were given",
            ),
        ]
    return [(name, words) for name, words in facts if words]


def _answers(use: ModelUse) -> str:
    """How many answers were asked for, how many came from the file of answers, and from when those are."""
    when = days_of([(day.name, day.rows) for day in use.reused_on])
    of = f", of {use.answers_of}" if use.answers_of and when else ""
    if when and not use.asked:
        return (
            f"nothing was asked now: {use.reused:,} of {use.reused:,} answers are from the file of answers, {when}{of}"
        )
    kept = f" ({when}{of})" if when else ""
    return f"{use.asked:,} asked for in this run, {use.reused:,} there already{kept}"


def money(amount: float, currency: str) -> str:
    """A sum of money; a small one with as many decimals as say something."""
    digits = 2 if amount >= 10 else 4 if amount >= 0.01 or amount == 0 else 6
    return f"{amount:,.{digits}f} {currency}"


def field_name(pointer: str) -> str:
    """A ledger field with its list positions left out, to count by: `messages/3/content` is `messages/*/content`."""
    return INDEX.sub("/*", pointer)


def random_as_one(choices: Sequence[Baseline]) -> list[Baseline]:
    """The choices, with the mean of the random ones in place of the first of them."""
    chance = [each for each in choices if each.name == "random"]
    found = [each for each in choices if each.name != "random"]
    if chance:
        seeds = plural(len(chance), "seed")
        shared = round(sum(each.shared for each in chance) / len(chance))
        means = {
            name: sum(getattr(each, name) for each in chance) / len(chance)
            for name in ("overlap", "mean", "p5", "p50", "p95")
        }
        first = choices.index(chance[0])
        found.insert(first, replace(chance[0], name=f"random (mean of {seeds})", shared=shared, **means))
    return found
