"""Likely pairs of similar vectors among very many: each is compared with those of the cells that it lies nearest to.

Vectors are parted into cells around means (k-means on the sphere, an inverted file). Two vectors are compared where
one lies in a cell that is among the `PROBES` nearest ones of the other; each pair found has its cosine computed, so
none is false, and some are missed. The cells depend on the vectors alone: the same vectors have the same pairs. Time
grows as the rows to the power of 1.5, memory hardly: what has one entry for each row lies in files.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np

from hfclean.passes import appended, numbers
from hfclean.row_ids import first_of
from hfclean.selection.shingle_joins import Components

PROBES = 8
CELLS_PER_ROOT = 2  # cells, in units of the square root of the number of vectors
SAMPLE = 40  # vectors of a cell from which its mean is found
ROUNDS = 6
AT_ONCE = 4096  # vectors
HELD = 1 << 22  # similarities that are held at once
ROUNDING = 1e-6  # of a cosine in float32


def likely(unit: Any, threshold: float, known: Components, near: Any = None) -> Iterator[tuple[Any, Any]]:
    """Pairs of vectors whose cosine, in float32, is `threshold` or more, in parts; a pair may come in several of them.
    Stretches of vectors that are `known` to hang together when their turn comes are passed over.

    Args:
        unit: float32 array (vectors, width), each of length one.
        threshold: above 0, at most 1.
        known: of these vectors; the caller joins the pairs as they come.
        near: a dataset, in whose folder files are written where they are needed.
    """
    if len(unit) < 2:
        return
    once = _first_of_equals(unit, near)
    repeated = np.flatnonzero(once != np.arange(len(unit)))
    if len(repeated):  # else thousands of equal vectors would lie in one cell
        yield once[repeated], repeated
        kept = np.flatnonzero(once == np.arange(len(unit)))
        blocks = (unit[kept[k : k + AT_ONCE]] for k in range(0, len(kept), AT_ONCE))
        unit = appended(blocks, np.float32, near).reshape(len(kept), -1)
    else:
        kept = np.arange(len(unit))
    means = _means(unit, min(len(unit), int(CELLS_PER_ROOT * np.sqrt(len(unit)))))
    probes = min(PROBES, len(means))
    nearest = numbers(len(unit) * probes, np.int32, near).reshape(len(unit), probes)
    for start in range(0, len(unit), AT_ONCE):
        nearest[start : start + AT_ONCE] = _nearest(unit[start : start + AT_ONCE], means, probes)
    members, visitors = _Cells(nearest[:, :1], len(means)), _Cells(nearest, len(means))
    for cell in range(len(means)):
        for some in _stretches(members.of(cell)):
            here = unit[some]
            for others in _stretches(visitors.of(cell)):
                labels = known.labels[kept[np.concatenate([some, others])]]
                if (labels == labels[0]).all():
                    continue
                first, second = np.nonzero(here @ unit[others].T >= threshold - ROUNDING)
                apart = some[first] != others[second]
                if apart.any():
                    yield kept[some[first[apart]]], kept[others[second[apart]]]


class _Cells:
    """The vectors of every cell, in order."""

    def __init__(self, nearest: Any, count: int) -> None:
        flat = nearest.ravel()
        order = np.argsort(flat, kind="stable")
        self._rows = (order // nearest.shape[1]).astype(np.int32)
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=count))])

    def of(self, cell: int) -> Any:
        return self._rows[self._starts[cell] : self._starts[cell + 1]]


def _first_of_equals(unit: Any, near: Any) -> Any:
    """For each vector the first that is equal to it, by 128 bits of a hash."""
    halves = numbers(2 * len(unit), np.uint64, near).reshape(len(unit), 2)
    for k, row in enumerate(unit):
        halves[k] = np.frombuffer(blake2b(row.data, digest_size=16).digest(), np.uint64)
    return first_of(halves[:, 0], halves[:, 1])


def _stretches(rows: Any) -> Iterator[Any]:
    size = int(np.sqrt(HELD))
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _means(unit: Any, count: int) -> Any:
    """Means of cells, one long, from vectors picked at random; a cell that loses all keeps its mean."""
    generator = np.random.default_rng(11)
    picked = np.sort(generator.choice(len(unit), min(len(unit), SAMPLE * count), replace=False))
    sample = unit[picked]
    means = sample[np.sort(generator.choice(len(sample), count, replace=False))]
    for _ in range(ROUNDS):
        home = np.concatenate([_nearest(sample[k : k + AT_ONCE], means, 1) for k in range(0, len(sample), AT_ONCE)])
        order = np.argsort(home[:, 0], kind="stable")
        cells, starts = np.unique(home[order, 0], return_index=True)
        sums = np.add.reduceat(sample[order], starts)
        lengths = np.linalg.norm(sums, axis=1)
        there = lengths > 0
        means[cells[there]] = sums[there] / lengths[there, None]
    return means


def _nearest(some: Any, means: Any, count: int) -> Any:
    """The cells whose means are nearest to each of some vectors, the nearest one first."""
    cosines = some @ means.T
    if count == 1:
        return cosines.argmax(1)[:, None]
    found = np.argpartition(cosines, -count, axis=1)[:, -count:]
    order = np.argsort(np.take_along_axis(cosines, found, 1), axis=1)[:, ::-1]
    return np.take_along_axis(found, order, 1)
