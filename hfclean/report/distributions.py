"""Distributions: quantiles and histograms of a column of numbers. nan is a row without a number, never a zero."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from hfclean.passes import AT_ONCE, numbers
from hfclean.report.record import Histogram, Quantiles

BINS = 24
# A tail longer than this many times the 98th percentile goes into one bin with an open end.
LONG_TAIL = 1.5
LARGEST = 1e150


def quantiles(values: Sequence[float]) -> Quantiles:
    """Percentiles by linear interpolation, and the mean, of the finite values."""
    finite = _finite(values)
    if not len(finite):
        return Quantiles(0, len(values), *[math.nan] * 8)
    import numpy as np

    marks = np.percentile(finite, (0, 5, 25, 50, 75, 95, 100), overwrite_input=True)
    mean = math.fsum(finite) / len(finite)
    return Quantiles(len(finite), len(values) - len(finite), mean, *(float(mark) for mark in marks))


def histogram(before: Sequence[float] | None, after: Sequence[float]) -> Histogram | None:
    """Rows per bin over bins of a round width that both sides share; `None` when there is no number at all."""
    import numpy as np

    old = None if before is None else _finite(before)
    new = _finite(after)
    every = numbers(len(new) + (0 if old is None else len(old)), float)
    if not len(every):
        return None
    every[: len(new)] = new
    every[len(new) :] = () if old is None else old
    low, high = float(every.min()), float(every.max())
    whole = all(bool(np.all(part == np.floor(part))) for part in _chunks(every))
    most = float(np.percentile(every, 98, overwrite_input=True))
    open_end = most > low and high - low > LONG_TAIL * (most - low)
    edges = _edges(low, most if open_end else high, whole)
    counts = [None if column is None else _counts(column, edges) for column in (old, new)]
    return Histogram(tuple(edges), open_end, counts[0], counts[1] or ())


def _finite(values: Sequence[float]) -> Any:
    """The values that are numbers; one beyond 1e150 is a failed computation, and sums of such ones overflow."""
    import numpy as np

    column = np.asarray(values, dtype=float)
    found = numbers(sum(int(np.count_nonzero(np.abs(part) < LARGEST)) for part in _chunks(column)), float)
    start = 0
    for part in _chunks(column):
        good = part[np.abs(part) < LARGEST]
        found[start : start + len(good)] = good
        start += len(good)
    return found


def _chunks(column: Any) -> Iterator[Any]:
    return (column[start : start + AT_ONCE] for start in range(0, len(column), AT_ONCE))


def _counts(values: Any, edges: Sequence[float]) -> tuple[int, ...]:
    """Values per bin; what lies above the last edge, or by rounding below the first, goes into the bin there."""
    import numpy as np

    counts = np.zeros(len(edges) - 1, int)
    for part in _chunks(values):
        bins = np.clip(np.searchsorted(np.asarray(edges), part, side="right") - 1, 0, len(edges) - 2)
        counts += np.bincount(bins, minlength=len(edges) - 1)
    return tuple(map(int, counts))


def _edges(low: float, high: float, whole: bool) -> list[float]:
    width = _round_width((high - low) / BINS)
    if whole:
        width = max(1.0, math.ceil(width))
    first = math.floor(low / width)
    last = max(first + 1, math.floor(high / width) + 1) if whole else max(first + 1, math.ceil(high / width - 1e-9))
    # multiplied, not summed, and rounded: 0.1 + 0.2 is not an edge that a person wants to read
    places = max(0, 3 - math.floor(math.log10(width)))
    edges = [round(k * width, places) for k in range(first, last + 1)]
    # numbers so large that they have no neighbours a bin apart
    return edges if all(a < b for a, b in pairwise(edges)) else [low, max(high, math.nextafter(low, math.inf))]


def _round_width(width: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    if width <= 0 or not math.isfinite(width):
        return 1.0
    power = 10.0 ** math.floor(math.log10(width))
    return next((step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width * (1 - 1e-9)), 10 * power)
