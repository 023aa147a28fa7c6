"""Which trust a reviser has earned, by rules on the figures of its evaluation; see `hfclean.accept` for what trust is.

* `high`: 300 or more held-out pairs; the interval of `net_closer` (closer less farther) lies above 0; of 50 or more
  rows that need nothing at least 95 % stay; at most 1 % of the pairs lose structure; findings are made in no more
  pairs than they are mended in.
* `normal`: 50 or more pairs; the interval of `net_closer` reaches no further than 5 points below 0, so that real harm
  is excluded and not merely unproven; at most 5 % lose structure.
* `low`: else; also of a reviser measured on its own training rows or at `trust="low"`, where its gate hides what it
  would do with more.

The result is told and written, and never read back: how far a reviser is trusted is for each user to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hfclean.checks import Trust
from hfclean.evaluation.bootstrap import Figure

LEAST_PAIRS, PAIRS_FOR_HIGH, CLEAN_FOR_HIGH = 50, 300, 50
FARTHEST = -0.05  # how far below 0 the interval of `net_closer` may reach at normal trust
UNCHANGED_FOR_HIGH, LOST_AT_HIGH, LOST_AT_NORMAL = 0.95, 0.01, 0.05


class Measured(Protocol):
    """What is looked at of an evaluation."""

    @property
    def pairs(self) -> int: ...
    @property
    def clean(self) -> int: ...
    @property
    def trained_on(self) -> int: ...
    @property
    def measured_at(self) -> str: ...
    @property
    def figures(self) -> Mapping[str, Figure]: ...


@dataclass(frozen=True)
class EarnedTrust:
    """A level of trust.

    Attributes:
        level: the highest that was earned.
        reasons: why the next one was not.
    """

    level: Trust
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        why = (
            f" (not {'normal' if self.level == 'low' else 'high'}: {'; '.join(self.reasons)})" if self.reasons else ""
        )
        return f"trust earned: {self.level}{why}"


def earned_trust(measured: Measured) -> EarnedTrust:
    """The highest level of which every rule holds, and what speaks against the next."""
    if reasons := _against_normal(measured):
        return EarnedTrust("low", reasons)
    if reasons := _against_high(measured):
        return EarnedTrust("normal", reasons)
    return EarnedTrust("high", ())


def _against_normal(measured: Measured) -> tuple[str, ...]:
    figures, net = measured.figures, measured.figures["net_closer"]
    rules = {
        f"measured on {measured.trained_on:,} of its own training rows": measured.trained_on > 0,
        "measured at trust low, where the gate hides what it would do with more": measured.measured_at == "low",
        f"too few: {measured.pairs:,} pairs, {LEAST_PAIRS} needed": measured.pairs < LEAST_PAIRS,
        f"perhaps farther from the expert more often than closer, net {net.percent()} %, at least {FARTHEST:.0%} "
        "needed": not net.low >= FARTHEST,
        _lost(figures, LOST_AT_NORMAL): figures["structure_lost"].value > LOST_AT_NORMAL,
    }
    return tuple(reason for reason, holds in rules.items() if holds)


def _against_high(measured: Measured) -> tuple[str, ...]:
    figures, net = measured.figures, measured.figures["net_closer"]
    made, mended, stay = figures["findings_made"], figures["findings_mended"], figures["unchanged"]
    rules = {
        f"{measured.pairs:,} pairs, {PAIRS_FOR_HIGH} needed": measured.pairs < PAIRS_FOR_HIGH,
        f"not clearly closer to the expert more often than farther, net {net.percent()} %": not net.low > 0,
        f"{measured.clean:,} rows that need nothing, {CLEAN_FOR_HIGH} needed": measured.clean < CLEAN_FOR_HIGH,
        f"{stay.percent()} % of the rows that need nothing stay, {UNCHANGED_FOR_HIGH:.0%} needed": (
            stay.value < UNCHANGED_FOR_HIGH
        ),
        _lost(figures, LOST_AT_HIGH): figures["structure_lost"].value > LOST_AT_HIGH,
        f"findings made in {made.percent()} % of the pairs and mended in {mended.percent()} %": (
            made.value > mended.value
        ),
    }
    return tuple(reason for reason, holds in rules.items() if holds)


def _lost(figures: Mapping[str, Figure], at_most: float) -> str:
    return f"structure lost in {figures['structure_lost'].percent()} % of the pairs, at most {at_most:.0%} allowed"
