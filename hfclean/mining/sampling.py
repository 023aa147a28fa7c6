"""Sampling: training sets that differ from each other in their indicators, so that a fit has something to go by."""

from collections.abc import Mapping, Sequence
from typing import Any

from hfclean.errors import ColumnError, require


def sample_subset(
    values: Mapping[str, Sequence[float]],
    size: int,
    *,
    seed: int,
    run: int,
    tilt: float = 1.0,
    groups: Sequence[Any] | None = None,
) -> list[int]:
    """Indices of one training set, in dataset order: without replacement, the same for the same seed and run.

    Uniform samples of one pool have nearly the same mean of every indicator, and nothing can be learned from a column
    that does not move. So each run prefers rows along its own random direction.

    Args:
        values: the indicators of every row.
        tilt: how strongly: a row's weight is `exp(tilt * z)`, z its standardised indicators along the run's direction
            (a missing one counts as the mean); 0 for uniform samples.
        groups: the source of every row: each run mixes the sources in random shares (Dirichlet), as InstructMining
            mixes datasets.
    """
    np: Any = require("numpy", extra="mining")
    total = len(next(iter(values.values()))) if values else len(groups or ())
    if not 0 < size <= total:
        raise ColumnError(f"a training set of {size:,} rows cannot be sampled from {total:,}; expected 1 to {total:,}")
    chance = np.random.default_rng([seed, run])
    weight = np.zeros(total)
    if tilt and values:
        table = np.array([list(column) for column in values.values()], dtype=float)
        table[~np.isfinite(table)] = np.nan
        direction = chance.normal(size=len(table))
        direction /= np.sqrt((direction**2).sum())
        for column, share in zip(table, direction, strict=True):
            known = column[~np.isnan(column)]
            if len(known) and known.std() > 0:
                weight += tilt * share * np.nan_to_num((column - known.mean()) / known.std())
    if groups is not None:
        names = {name: k for k, name in enumerate(dict.fromkeys(groups))}
        place = np.array([names[name] for name in groups])
        share = chance.dirichlet(np.ones(len(names)))
        weight += np.log(np.maximum(share, 1e-12) / np.bincount(place))[place]
    # the largest of weight and Gumbel noise: a weighted sample without replacement
    noisy = weight + chance.gumbel(size=total)
    picks: list[int] = np.sort(np.argsort(-noisy, kind="stable")[:size]).tolist()
    return picks
