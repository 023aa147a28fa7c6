"""Exact figures from ranks: AUROC and Spearman with ties, and bootstrap draws in which rows stay whole."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.evaluation.bootstrap import Draws
from hfclean.layout import Layout
from hfclean.schema import Pair


def ranks(values: Any) -> Any:
    """Ranks from 1, those of equal values averaged."""
    import numpy as np

    _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[inverse]


def spearman(first: Any, second: Any) -> float:
    """Rank correlation, -1 to 1, equal values averaged; nan where one side has a single value."""
    import numpy as np

    a, b = ranks(first), ranks(second)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip((a @ b) / math.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def auroc(flags: Any, values: Any) -> float:
    """Chance that a flagged value is above one that is not, ties counted half; nan where either kind is absent."""
    import numpy as np

    flags = np.asarray(flags, dtype=bool)
    flagged = int(flags.sum())
    if not 0 < flagged < len(flags):
        return math.nan
    above = ranks(values)[flags].sum() - flagged * (flagged + 1) / 2
    return float(above / (flagged * (len(flags) - flagged)))


def auroc_draws(columns: Sequence[tuple[Any, Any]], draws: int, seed: int) -> Any:
    """AUROC of bootstrap samples of rows, an array of draws x columns.

    Args:
        columns: for every score its values on the damaged rows and on the same rows undamaged, in the same order. A
            row that is drawn brings both, and all columns see the same draws, so that their differences are paired.
    """
    import numpy as np

    rows = len(columns[0][0])
    sorted_columns = [_sorted(np.asarray(bad, float), np.asarray(good, float)) for bad, good in columns]
    areas = []
    for weight in Draws(rows, draws=draws, seed=seed).weights():
        block = []
        for row, is_bad, starts in sorted_columns:
            drawn = weight[:, row]
            bad = np.add.reduceat(drawn * is_bad, starts, axis=1)
            good = np.add.reduceat(drawn * ~is_bad, starts, axis=1)
            below = np.cumsum(good, axis=1) - good / 2  # half of the ties
            block.append((bad * below).sum(axis=1) / rows**2)
        areas.append(np.stack(block, axis=1))
    return np.concatenate(areas)


def _sorted(bad: Any, good: Any) -> tuple[Any, Any, Any]:
    """Both sides in one order: the row of each value, whether it is a damaged one, where each new value begins."""
    import numpy as np

    values = np.concatenate([bad, good])
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return order % len(bad), order < len(bad), starts


def pairs_of(rows: Iterable[Any], layout: Layout) -> list[Pair]:
    """The main pair of every row, as the scorers see it; pairs are taken as they are."""
    if hasattr(rows, "keys"):
        raise HfcleanError(
            f"got a {type(rows).__name__}; expected one split, a Dataset or a list of rows, such as ds['train']"
        )
    found = []
    plain = rows.with_format(None) if hasattr(rows, "with_format") else rows
    for row in plain:
        if isinstance(row, Pair):
            found.append(row)
            continue
        found.append(layout.view(row).pairs(row)[-1])
    return found
