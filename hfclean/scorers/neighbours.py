"""How far each row's nearest neighbours are: needs the whole column, so it is a function and not a transform."""

from __future__ import annotations

from typing import Any, Literal

from hfclean.errors import ColumnError, HfcleanError, require

__all__ = ["neighbours"]

BLOCK = 1 << 24  # similarities that are held at once
SPARE = 16  # rows beyond the k nearest by float32 that are looked at again in float64


def neighbours(
    ds: Any, *, k: int = 6, column: str = "embedding", metric: Literal["euclidean", "cosine"] = "euclidean"
) -> list[float]:
    """The distance from each row to its k-th nearest other row, as a column for `ds.add_column`.

    Exact: every row is compared with every other, in blocks, and the nearest are measured again in float64. Takes time
    that grows with the square of the rows: seconds for 10,000, minutes for 100,000 on one core. The indicator `KNN_6`
    of InstructMining (arXiv 2307.06290) with `k=6`: rows far from all others are rare, rows at 0 have twins.

    Args:
        ds: a `Dataset` (one split) with a column of vectors, or the vectors themselves: an array or a list of lists.
        k: which neighbour, from 1 up; the row itself is none.
        column: the column of vectors; `hfclean.Embed` adds it.
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
        raise HfcleanError(f"neighbours(k={k!r}): wanted 1 or more")
    if metric not in ("euclidean", "cosine"):
        raise HfcleanError(f"neighbours(metric={metric!r}): wanted 'euclidean' or 'cosine'")
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
                "ds['train']; a streaming dataset: load it without streaming=True"
            )
        if column not in ds.column_names:
            raise ColumnError(
                f"neighbours(column={column!r}): no such column in {ds.column_names}. Add it first: "
                "ds.map(hfclean.Embed(), batched=True)"
            )
        ds = ds.with_format("numpy")[column][:]
    try:
        vectors = np.asarray(ds, dtype=np.float32)
    except (TypeError, ValueError) as e:
        raise ColumnError(f"neighbours: these are no vectors of one length ({e})") from e
    if vectors.ndim != 2 and len(vectors):
        raise ColumnError(f"neighbours wants one vector a row, got an array of the shape {vectors.shape}")
    return vectors if vectors.ndim == 2 else vectors.reshape(0, 0)


def _distances(np: Any, points: Any, k: int) -> Any:
    """The distance of every point to its k-th nearest other one."""
    count = len(points)
    taken = min(k + SPARE, count - 1)
    centred = points - points.mean(0)  # distances stay, and what float32 loses on large numbers is less
    halves = np.einsum("ij,ij->i", centred, centred) / 2
    wide = points.astype(np.float64)
    found = np.empty(count)
    size = max(1, BLOCK // count)
    for start in range(0, count, size):
        block = np.arange(start, min(start + size, count))
        nearness = centred[block] @ centred.T
        nearness -= (
            halves  # half of the squared distance, less what is the same for the whole row, with its sign turned
        )
        nearness[np.arange(len(block)), block] = -np.inf
        nearest = np.argpartition(nearness, count - taken, axis=1)[:, count - taken :]
        for n, row in enumerate(block):
            squares = ((wide[nearest[n]] - wide[row]) ** 2).sum(1)
            found[row] = np.sqrt(np.partition(squares, k - 1)[k - 1])
    return found
