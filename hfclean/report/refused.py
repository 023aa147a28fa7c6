"""Refused revisions in a report: evenly spaced ones, whose number has a bound; how many there are by reason is counted
from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfclean.reviser.refused import REFUSED_COLUMNS, RefusedRevision

SHOWN = 50


def sampled(count: int) -> list[int]:
    """Evenly spaced places among this many, all where there are few."""
    few = min(count, SHOWN)
    return [k * count // few for k in range(few)]


def as_refused(row: Mapping[str, Any]) -> RefusedRevision:
    """A row of the table of refused revisions; what is missing is empty."""
    texts = {name: str(row[name] or "") for name in REFUSED_COLUMNS if name != "findings"}
    return RefusedRevision(**texts, findings=tuple(str(each or "") for each in row["findings"] or ()))


def refused_sample(refused: Any | None) -> tuple[RefusedRevision, ...]:
    """Some of the rows of `Cleaned.refused`."""
    if refused is None:
        return ()
    return tuple(as_refused(row) for row in refused.with_format(None).select(sampled(len(refused))))
