"""Figures of people's work, each with a 95 % interval; of fewer than `FEWEST` rows, the number of rows alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
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


def mean(values: Sequence[float], drawing: Drawing) -> Figure:
    """The mean with its bootstrap interval."""
    return _statistic(values, lambda numbers: numbers.mean(axis=-1), drawing)


def median(values: Sequence[float], drawing: Drawing) -> Figure:
    """The median with its bootstrap interval."""
    import numpy as np

    return _statistic(values, lambda numbers: np.median(numbers, axis=-1), drawing)


def _statistic(values: Sequence[float], of: Callable[[Any], Any], drawing: Drawing) -> Figure:
    import numpy as np

    count = len(values)
    if count < FEWEST:
        return Figure(math.nan, count=count)
    numbers = np.asarray(values, float)
    return Figure(float(of(numbers)), *interval(np.concatenate([*_samples(numbers, of, drawing)])), count)


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


def compared(first: Sequence[float], second: Sequence[float], drawing: Drawing) -> Compared:
    """How two groups differ, each drawn by itself."""
    import numpy as np

    count = min(len(first), len(second))
    if count < FEWEST:
        return Compared(*[Figure(math.nan, count=count)] * 3)
    one, other = (np.asarray(values, float) for values in (first, second))
    means, medians = (
        [
            np.concatenate([*_samples(numbers, of, Drawing(drawing.draws, seed))])
            for numbers, seed in _apart(one, other, drawing)
        ]
        for of in (lambda numbers: numbers.mean(axis=-1), lambda numbers: np.median(numbers, axis=-1))
    )
    saved = Figure(math.nan, count=count)
    if other.mean() and means[1].all():
        saved = Figure(float(1 - one.mean() / other.mean()), *interval(1 - means[0] / means[1]), count)
    return Compared(
        Figure(float(other.mean() - one.mean()), *interval(means[1] - means[0]), count),
        Figure(float(np.median(other) - np.median(one)), *interval(medians[1] - medians[0]), count),
        saved,
    )


def _apart(one: Any, other: Any, drawing: Drawing) -> Iterator[tuple[Any, int]]:
    """Each group with a seed of its own: with one seed, groups of one size would be drawn alike."""
    yield one, 2 * drawing.seed
    yield other, 2 * drawing.seed + 1


def _samples(numbers: Any, of: Callable[[Any], Any], drawing: Drawing) -> Iterator[Any]:
    """A statistic of bootstrap samples, in blocks."""
    import numpy as np

    chance = np.random.default_rng(drawing.seed)
    step = max(1, CELLS // len(numbers))
    for start in range(0, drawing.draws, step):
        size = min(step, drawing.draws - start)
        yield of(numbers[chance.integers(0, len(numbers), (size, len(numbers)))])


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
