"""Figures of people's work, each with a 95 % interval; of fewer than `FEWEST` rows, the number of rows alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hfclean.evaluation.bootstrap import CELLS, Draws, Figure, interval, wilson

FEWEST = 10


class Drawing(NamedTuple):
    """How intervals are drawn: the number of bootstrap samples, and their seed."""

    draws: int
    seed: int


def of_enough(figure: Figure) -> Figure:
    """The figure, or its count alone where that is too small to say anything."""
    return figure if figure.count >= FEWEST else Figure(math.nan, count=figure.count)


def share(part: int, whole: int) -> Figure:
    """A share, 0 to 1, with Wilson's interval."""
    return of_enough(Figure(part / whole, *wilson(part, whole), whole) if whole else Figure(math.nan))


@dataclass(frozen=True)
class Centre:
    """The mean and the median of some rows, and those of the bootstrap samples that their intervals are of; no samples
    where the rows are too few.

    Attributes:
        mean, median: the figures.
        means, medians: of the samples.
    """

    mean: Figure
    median: Figure
    means: Any = None
    medians: Any = None


def centre(values: Sequence[float], drawing: Drawing, *, stream: int = 0) -> Centre:
    """The mean and the median of some values. What is compared is drawn in different streams: in one, groups of one
    size would be drawn alike."""
    import numpy as np

    count = len(values)
    if count < FEWEST:
        return Centre(*[Figure(math.nan, count=count)] * 2)
    numbers = np.asarray(values, float)
    chance = np.random.default_rng([drawing.seed, stream])
    means, medians = np.empty(drawing.draws), np.empty(drawing.draws)
    step = max(1, CELLS // count)
    for start in range(0, drawing.draws, step):
        block = slice(start, min(start + step, drawing.draws))
        sample = numbers[chance.integers(0, count, (block.stop - start, count))]
        means[block], medians[block] = sample.mean(axis=1), np.median(sample, axis=1)
    return Centre(
        Figure(float(numbers.mean()), *interval(means), count),
        Figure(float(np.median(numbers)), *interval(medians), count),
        means,
        medians,
    )


def mean(values: Sequence[float], drawing: Drawing) -> Figure:
    """The mean with its bootstrap interval."""
    return centre(values, drawing).mean


class Compared(NamedTuple):
    """Two groups of rows beside each other; the count is that of the smaller one.

    Attributes:
        mean: the mean of the second less that of the first.
        median: the same of their medians.
        saved: how much less the first is, as a share of the second: 1 - mean / mean.
    """

    mean: Figure
    median: Figure
    saved: Figure


def compared(first: Centre, second: Centre) -> Compared:
    """How two groups differ that were drawn in different streams."""
    count = min(first.mean.count, second.mean.count)
    if first.means is None or second.means is None:
        return Compared(*[Figure(math.nan, count=count)] * 3)
    saved = Figure(math.nan, count=count)
    if second.mean.value and second.means.all():
        share = 1 - first.mean.value / second.mean.value
        saved = Figure(share, *interval(1 - first.means / second.means), count)
    return Compared(
        Figure(second.mean.value - first.mean.value, *interval(second.means - first.means), count),
        Figure(second.median.value - first.median.value, *interval(second.medians - first.medians), count),
        saved,
    )


def kappa(first: Sequence[str], second: Sequence[str], drawing: Drawing, *, interchangeable: bool = False) -> Figure:
    """Cohen's kappa of two judgements of the same rows: 1 = they agree everywhere, 0 = as often as chance alone
    would, below 0 less often; nan where all judgements are the same, so that chance alone agrees everywhere.

    Args:
        first: the judgement of one person of each row.
        second: that of the other.
        drawing: how its interval is drawn.
        interchangeable: whether it says nothing who is the first: chance is then reckoned from the judgements of both
            together, which is Scott's pi.

    Source: Cohen, A coefficient of agreement for nominal scales, 1960; Scott, Reliability of content analysis, 1955.
    """
    import numpy as np

    count = len(first)
    if count < FEWEST:
        return Figure(math.nan, count=count)
    kinds = sorted({*first, *second})
    one, other = (np.array([[word == kind for kind in kinds] for word in words], float) for words in (first, second))
    same = np.array([a == b for a, b in zip(first, second, strict=True)], float)

    def of(weights: Any) -> Any:
        ones, others = weights @ one / count, weights @ other / count
        if interchangeable:
            ones = others = (ones + others) / 2
        by_chance = (ones * others).sum(axis=-1)
        beyond = 1 - by_chance
        out = np.full(np.shape(beyond), math.nan)
        return np.divide(weights @ same / count - by_chance, beyond, out=out, where=beyond > 1e-12)

    value = float(of(np.ones(count)))
    if math.isnan(value):
        return Figure(math.nan, count=count)
    drawn = np.concatenate([of(weights) for weights in Draws(count, draws=drawing.draws, seed=drawing.seed).weights()])
    return Figure(value, *interval(drawn[~np.isnan(drawn)]), count)
