"""Distances to each row's nearest neighbours: this needs the whole column, so it is a function and not a transform."""

from __future__ import annotations

from typing import Any, Literal

from hfclean.errors import ColumnError, HfcleanError, require
from hfclean.scorers.vectors import read_vectors

BLOCK = 1 << 24  # numbers that are held at once
SIDE = 1024  # points whose nearnesses to as many others are made at once
SPARE = 16  # rows beyond the k nearest by float32 that are looked at again in float64


def neighbours(
    ds: Any, *, k: int = 6, column: str = "embedding", metric: Literal["euclidean", "cosine"] = "euclidean"
) -> list[float]:
    """The distance from each row to its k-th nearest other row, as a column for `ds.add_column`.

    Exact: every row is compared with every other, in blocks, and the nearest are measured again in float64. Takes time
    that grows with the square of the rows: seconds for 10,000, a minute or so for 100,000 on one core. The indicator
    `KNN_6` of InstructMining (arXiv 2307.06290) with `k=6`: rows far from all others are rare, rows at 0 have twins.

    Args:
        ds: a `Dataset` (one split) with a column of vectors, or the vectors themselves: an array or a list of lists.
        k: which neighbour, from 1 up; the row itself does not count.
        column: the column of vectors; `hfclean.scorers.Embed` adds it.
        metric: `"euclidean"` (0 and up; to 2 for vectors of length one), or `"cosine"`: 1 less the cosine, 0 to 2.

    Returns:
        one float a row, higher = lonelier; nan where the row has no vector (and is nobody's neighbour), or fewer than
        k others have one. Equal distances are equal numbers, whatever the order of the rows.

    Raises:
        ColumnError: no such column, or vectors of different lengths.
        HfcleanError: not a `Dataset`, or `k` or `metric` are wrong.

    >>> neighbours([[0.0], [1.0], [3.0]], k=1)
    [1.0, 1.0, 2.0]
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise HfcleanError(f"neighbours(k={k!r}): expected 1 or more")
    if metric not in ("euclidean", "cosine"):
        raise HfcleanError(f"neighbours(metric={metric!r}): expected 'euclidean' or 'cosine'")
    np: Any = require("numpy", extra="models")
    vectors = _vectors(np, ds, column)
    found = np.full(len(vectors), np.nan)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    known = np.isfinite(lengths) & ((lengths > 0) | (metric == "euclidean"))
    rows = np.flatnonzero(known)
    if len(rows) > k:
        points = vectors[rows]
        if metric == "cosine":
            points = (points / lengths[rows, None]).astype(np.float32)
        near = _distances(np, points, k)
        # of two vectors of length one, the squared distance is twice 1 - cosine, and exact where that is small
        found[rows] = near**2 / 2 if metric == "cosine" else near
    numbers: list[float] = found.tolist()
    return numbers


def _vectors(np: Any, ds: Any, column: str) -> Any:
    """The vectors as a float32 array (rows, width)."""
    if hasattr(ds, "column_names"):
        if not hasattr(ds, "select"):
            raise HfcleanError(
                f"neighbours needs one Dataset, got {type(ds).__name__}. A DatasetDict: one split at a time, "
                "ds['train']; a streaming dataset: Dataset.from_list(list(ds))"
            )
        if column not in ds.column_names:
            raise ColumnError(
                f"neighbours(column={column!r}): no such column in {ds.column_names}. Add it first: "
                "ds.map(hfclean.scorers.Embed(), batched=True)"
            )
        found = read_vectors(ds, column, "neighbours", np.float32)
        return found if found.shape[1] or not len(found) else np.full((len(found), 1), np.nan, np.float32)
    try:
        vectors = np.asarray(ds, dtype=np.float32)
    except (TypeError, ValueError) as e:
        raise ColumnError(f"neighbours: these are not vectors of one length ({e})") from e
    if vectors.ndim != 2 and len(vectors):
        raise ColumnError(f"neighbours needs one vector per row, got an array of the shape {vectors.shape}")
    return vectors if vectors.ndim == 2 else vectors.reshape(0, 0)


def _distances(np: Any, points: Any, k: int) -> Any:
    """The distance of every point to its k-th nearest other one."""
    search = _Nearest(np, points, min(k + SPARE, len(points) - 1))
    nearest, values = search.places(), search.values
    # only those that float32 cannot tell from the k-th are measured again
    off = 4 * search.halves.max() * 6e-7 * (2 + points.shape[1] ** 0.5)
    sure = (values > values[:, k - 1 : k] + off).sum(1)
    close = np.abs(values - values[:, k - 1 : k]) <= off
    found = np.full(nearest.shape, np.inf)
    rows, places = np.nonzero(close)
    size = max(1, BLOCK // 4 // (points.shape[1] or 1))
    for start in range(0, len(rows), size):
        row, place = rows[start : start + size], places[start : start + size]
        apart = np.subtract(points[nearest[row, place]], points[row], dtype=np.float64)
        found[row, place] = np.einsum("ij,ij->i", apart, apart)
    found.sort(axis=1)
    return np.sqrt(found[np.arange(len(points)), k - 1 - sure])


class _Nearest:
    """The nearest others of every point by float32: each block of distances is computed once and read both ways, and
    only those better than the worst of a point so far are kept."""

    def __init__(self, np: Any, points: Any, taken: int) -> None:
        self.np, self.taken, self.count = np, taken, len(points)
        centred = points - points.mean(0)  # distances stay, and what float32 loses on large numbers is less
        halves = (np.einsum("ij,ij->i", centred, centred) / 2)[:, None]
        ones = np.ones_like(halves)
        self.halves = halves
        # the product of a left and a right row is half of the squared distance with its sign turned
        self.left, self.right = np.hstack([centred, -halves, -ones]), np.hstack([centred, ones, halves])
        self.found = np.zeros((len(points), taken), np.int32)
        self.values = np.full((len(points), taken), -np.inf, np.float32)
        self.waiting: dict[int, list[Any]] = {}

    def places(self) -> Any:
        """An int32 array (points, taken)."""
        size = max(SIDE, self.taken + 1)
        starts = range(0, self.count, size)
        for start in starts:
            self._first(start, start + size)
        for start in starts:
            for other in range(start + size, self.count, size):
                block = self.left[start : start + size] @ self.right[other : other + size].T
                self._read(start, other, block, self.values[start : start + size, -1:], across=False)
                self._read(other, start, block, self.values[other : other + size, -1], across=True)
        for start in list(self.waiting):
            self._merge(start, size)
        return self.found

    def _first(self, start: int, stop: int) -> None:
        np = self.np
        block = self.left[start:stop] @ self.right[start:stop].T
        np.fill_diagonal(block, -np.inf)
        taken = min(self.taken, len(block) - 1)
        if taken < 1:
            return
        places = np.argpartition(block, len(block) - taken, axis=1)[:, len(block) - taken :]
        values = np.take_along_axis(block, places, 1)
        order = np.argsort(-values, axis=1)
        self.found[start:stop, :taken] = np.take_along_axis(places, order, 1) + start
        self.values[start:stop, :taken] = np.take_along_axis(values, order, 1)

    def _read(self, start: int, other: int, block: Any, worst: Any, *, across: bool) -> None:
        """Note what is nearer to the points from `start` on than the worst that they have."""
        np = self.np
        hits = np.flatnonzero(block > worst)
        if not len(hits):
            return
        rows, places = np.divmod(hits, block.shape[1])[:: -1 if across else 1]
        waiting = self.waiting.setdefault(start, [])
        waiting.append((rows, (places + other).astype(np.int32), block.ravel()[hits]))
        if sum(len(each[0]) for each in waiting) > self.taken * SIDE:
            self._merge(start, max(SIDE, self.taken + 1))

    def _merge(self, start: int, size: int) -> None:
        """Put what was noted among the nearest."""
        np = self.np
        waiting = self.waiting.pop(start)
        found, values = self.found[start : start + size], self.values[start : start + size]
        rows = np.concatenate([np.repeat(np.arange(len(found)), self.taken), *(each[0] for each in waiting)])
        places = np.concatenate([found.ravel(), *(each[1] for each in waiting)])
        near = np.concatenate([values.ravel(), *(each[2] for each in waiting)])
        order = np.lexsort((-near, rows))
        counts = np.bincount(rows)
        best = order[(np.cumsum(counts) - counts)[:, None] + np.arange(self.taken)]
        found[:], values[:] = places[best], near[best]
