"""Figures with intervals: bootstrap draws of whole rows, the same for everything that is compared; and means over
seeds with Student's t."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import HfcleanError

CELLS = 2_000_000  # numbers that are held at once while drawing
# The 97.5th percentile of Student's t, by degrees of freedom from 1; beyond 30 the normal one is close.
STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
NORMAL = 1.960


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % interval.

    Attributes:
        value: the figure; nan where nothing counts.
        low, high: its 95 % interval; nan where there are fewer than two things to draw from.
        count: how many rows, or runs, it was made of.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    count: int = 0

    def excludes(self, value: float) -> bool:
        """Whether the interval lies wholly on one side of a value; False where there is no interval."""
        return self.low > value or self.high < value

    def percent(self, digits: int = 1) -> str:
        """As a percentage with its interval."""
        return self._told(100, digits)

    def number(self, digits: int = 2) -> str:
        """As a number with its interval."""
        return self._told(1, digits)

    def _told(self, times: float, digits: int) -> str:
        if math.isnan(self.value):
            return "–"
        value = f"{times * self.value:.{digits}f}"
        if math.isnan(self.low):
            return value
        return f"{value} [{times * self.low:.{digits}f}, {times * self.high:.{digits}f}]"


NOTHING = Figure(math.nan)


class Draws:
    """Bootstrap samples of rows, drawn once, so that all figures over them are paired.

    Args:
        rows: how many rows there are.
        draws: how many samples of as many rows.
        seed: of the draws.

    Raises:
        HfcleanError: fewer than one draw.
    """

    def __init__(self, rows: int, *, draws: int, seed: int) -> None:
        if draws < 1:
            raise HfcleanError(f"draws={draws}: expected at least 1, and about 1,000 for a stable interval")
        self.rows, self.draws, self.seed = rows, draws, seed

    def weights(self) -> Any:
        """How often each sample has each row, in blocks of draws x rows; the same at every call."""
        import numpy as np

        chance = np.random.default_rng(self.seed)
        step = max(1, CELLS // max(1, self.rows))
        for start in range(0, self.draws, step):
            size = min(step, self.draws - start)
            picks = chance.integers(0, self.rows, (size, self.rows)) + self.rows * np.arange(size)[:, None]
            counted = np.bincount(picks.ravel(), minlength=size * self.rows)
            yield counted.reshape(size, self.rows).astype(float)

    def means(self, columns: Any) -> list[Figure]:
        """The mean of every column of a rows x columns array; nan is left out, and the count says so."""
        import numpy as np

        columns = np.asarray(columns, float)
        there = ~np.isnan(columns)
        return self.ratios(np.where(there, columns, 0.0), there.astype(float))

    def shares(self, columns: Any) -> list[Figure]:
        """`means` of numbers from 0 to 1. Where all are 0, or all 1, every sample is the same, which says nothing of
        the next row: the interval is then Wilson's."""
        return [as_share(figure) for figure in self.means(columns)]

    def ratios(self, above: Any, below: Any) -> list[Figure]:
        """Sum over sum, column by column of two rows x columns arrays."""
        import numpy as np

        above, below = np.asarray(above, float), np.asarray(below, float)
        values, counts = _divided(above.sum(axis=0), below.sum(axis=0)), (below != 0).sum(axis=0)
        if self.rows < 2:
            return [Figure(float(v), count=int(n)) for v, n in zip(values, counts, strict=True)]
        samples = np.concatenate([_divided(weights @ above, weights @ below) for weights in self.weights()])
        figures = []
        for value, count, sample in zip(values, counts, samples.T, strict=True):
            known = sample[~np.isnan(sample)]
            low, high = interval(known) if len(known) and count > 1 else (math.nan, math.nan)
            figures.append(Figure(float(value), low, high, int(count)))
        return figures


def interval(draws: Any) -> tuple[float, float]:
    """The 2.5th and the 97.5th percentile."""
    import numpy as np

    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)


def as_share(figure: Figure) -> Figure:
    """The figure of a share, with Wilson's interval where it is 0 or 1 in every sample."""
    if figure.low != figure.high or figure.value not in (0.0, 1.0):
        return figure
    return Figure(figure.value, *wilson(int(figure.value * figure.count), figure.count), figure.count)


def wilson(count: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, 0 to 1.

    >>> [round(bound, 3) for bound in wilson(3, 10)], wilson(0, 0)
    ([0.108, 0.603], (0.0, 1.0))
    """
    square = NORMAL**2
    if count in (0, of):
        reach = square / (of + square)
        return (0.0, reach) if not count else (1 - reach, 1.0)
    half = NORMAL * math.sqrt(count * (of - count) / of + square / 4)
    return (count + square / 2 - half) / (of + square), (count + square / 2 + half) / (of + square)


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact sign test: how often chance alone makes so uneven a count, 0 to 1; 1 where nothing was decided.

    >>> sign_test(3, 0), round(sign_test(9, 1), 4)
    (0.25, 0.0215)
    """
    total, fewer = wins + losses, min(wins, losses)
    if not total:
        return 1.0
    ways = tail = 1  # in whole numbers, which lose nothing
    for k in range(fewer):
        ways = ways * (total - k) // (k + 1)
        tail += ways
    return min(1.0, float(2 * tail / 2**total))


def _divided(above: Any, below: Any) -> Any:
    import numpy as np

    out = np.full(np.shape(above), math.nan)
    return np.divide(above, below, out=out, where=np.asarray(below) != 0)


def over_seeds(values: Sequence[float]) -> Figure:
    """The mean over runs that differ in their seed, with the 95 % interval of Student's t; nan is left out.

    >>> over_seeds([1.0, 2.0, 3.0]).number()
    '2.00 [-0.48, 4.48]'
    """
    known = [value for value in values if not math.isnan(value)]
    count = len(known)
    if not count:
        return NOTHING
    mean = math.fsum(known) / count
    if count < 2:
        return Figure(mean, count=count)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (count - 1))
    half = (STUDENT[count - 2] if count - 1 <= len(STUDENT) else NORMAL) * spread / math.sqrt(count)
    return Figure(mean, mean - half, mean + half, count)
