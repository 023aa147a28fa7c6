"""Coverage: greedy choices among vectors, in blocks that fit the processor's cache, with the picks of the plain loops.

Products of blocks are made in float32; wherever that could decide wrongly, the few that matter are computed again in
float64. A similarity counts to nine decimals, so no order of summation and no size of block can change a pick.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

DECIMALS = 9
GAIN_DECIMALS = 7
BLOCK = 512  # rows that are compared at once with what is chosen
COLUMNS = 256  # rows whose similarities to all others are made at once, at most
FEW = 32  # contenders that are told apart one by one


def _slack(width: int) -> float:
    """What a product of two float32 vectors of length one is off by, at most."""
    return 6e-7 * (2 + math.sqrt(width))


def score_first(unit: Any, order: Any, n: int, threshold: float) -> list[int]:
    """The first `n` in this order whose cosine to every one picked before is at most `threshold` (DEITA).

    Args:
        unit: float64 array of vectors of length one.
        order: indices, the best first.
    """
    off = _slack(unit.shape[1])
    short = unit.astype(np.float32)
    kept = np.empty((min(n, len(order)), unit.shape[1]), np.float32)
    picks: list[int] = []
    start, size = 0, 32
    while start < len(order) and len(picks) < n:
        rows = order[start : start + size]
        start, size = start + size, min(2 * size, BLOCK)
        block = short[rows]
        if picks:
            near = (block @ kept[: len(picks)].T).max(1)
            free = near <= threshold + off
            for k in np.flatnonzero(free & (near > threshold - off)).tolist():
                free[k] = not _resembles(unit, rows[k], picks, threshold)
            rows, block = rows[free], block[free]
        within = block @ block.T
        barred = np.zeros(len(rows), bool)
        for k, row in enumerate(rows):
            if barred[k]:
                continue
            kept[len(picks)] = block[k]
            picks.append(int(row))
            if len(picks) == n:
                break
            later = within[k, k + 1 :]
            barred[k + 1 :] |= later > threshold + off
            for other in np.flatnonzero(np.abs(later - threshold) <= off) + k + 1:
                barred[other] |= _resembles(unit, rows[other], [int(row)], threshold)
    return picks


def _resembles(unit: Any, row: int, picks: list[int], threshold: float) -> bool:
    return bool((np.round(unit[picks] @ unit[row], DECIMALS) > threshold).any())


def without_copies(unit: Any, quality: Any) -> tuple[Any, Any]:
    """The different vectors, each by its copy of the highest quality (of equals the first); and the other copies, the
    highest quality first."""
    seen: dict[bytes, int] = {}
    order = np.argsort(-quality, kind="stable")
    first = np.zeros(len(unit), bool)
    for row in order:
        first[row] = seen.setdefault(unit[row].tobytes(), int(row)) == row
    return np.flatnonzero(first), order[~first[order]]


def farthest_first(unit: Any, n: int, quality: Any, start: int) -> list[int]:
    """Greedy choice of the vector with the greatest quality times distance (1 - cosine) to the nearest one picked; of
    equals the first. With equal qualities that is greedy k-center.

    Args:
        unit: float64 array of different vectors of length one.
        quality: float64 array, above 0, at most 1.
        start: the first pick.
    """
    short = unit.astype(np.float32)
    weight = quality.astype(np.float32)
    race = _Race(unit, quality)
    near = np.full(len(unit), -np.inf, np.float32)
    off = np.float32(2.2 * _slack(unit.shape[1]))
    columns: dict[int, Any] = {}
    picks: list[int] = []
    pick, size, used = start, 16, 0
    gain = weight.copy()
    while True:
        if pick not in columns:
            size = int(np.clip(2 * used, 16, COLUMNS))
            front = np.argpartition(-gain, min(size, len(gain) - 1))[:size]
            front = np.union1d(front[np.isfinite(gain[front])], [pick])
            columns, used = dict(zip(front.tolist(), short[front] @ short.T, strict=True)), 0
        picks.append(pick)
        used += 1
        if len(picks) == min(n, len(unit)):
            return picks
        np.maximum(near, columns.pop(pick), out=near)
        near[pick] = np.inf
        race.add(pick)
        np.subtract(1, near, out=gain)
        gain *= weight
        pick = race.winner(np.flatnonzero(gain >= gain.max() - off))


class _Race:
    """Tells exactly which of a few contenders is the farthest from what is picked."""

    def __init__(self, unit: Any, quality: Any) -> None:
        self.unit, self.quality = unit, quality
        self.near = np.full(len(unit), -1.0)
        self.upto = np.zeros(len(unit), np.int64)  # picks that `near` knows of
        self.picked = np.empty((16, unit.shape[1]))
        self.count = 0

    def add(self, pick: int) -> None:
        if self.count == len(self.picked):
            self.picked = np.concatenate([self.picked, np.empty_like(self.picked)])
        self.picked[self.count] = self.unit[pick]
        self.count += 1

    def winner(self, rows: Any) -> int:
        if len(rows) == 1:
            return int(rows[0])
        stale = rows[self.upto[rows] < self.count]
        if len(stale) > FEW:
            fresh = self.unit[stale] @ self.picked[self.upto[stale].min() : self.count].T
            self.near[stale] = np.maximum(self.near[stale], fresh.max(1))
        else:
            for row in stale:
                fresh = self.picked[self.upto[row] : self.count] @ self.unit[row]
                self.near[row] = max(self.near[row], fresh.max())
        self.upto[stale] = self.count
        gains = self.quality[rows] * (1 - np.round(self.near[rows], DECIMALS))
        return int(rows[np.argmax(gains)])


def facility_location(unit: Any, n: int, copies: Any) -> list[int]:
    """Greedy choice of the vector that adds most to the sum, over all rows, of the cosine to the nearest one picked
    (0 where that is below 0); gains count to seven decimals, of equals the first. Lazy: a gain never grows, so only
    those are computed again that could win.

    Args:
        unit: float64 array of different vectors of length one.
        copies: how many rows have each.
    """
    covered = np.zeros(len(unit))
    bounds = _first_gains(unit, copies)
    fresh = np.zeros(len(unit), bool)
    rows: dict[int, Any] = {}
    picks: list[int] = []
    size = 8
    while len(picks) < min(n, len(unit)):
        best = int(np.argmax(bounds))
        if not fresh[best]:
            front = np.union1d(np.argpartition(-bounds, min(size, len(bounds) - 1))[:size], [best])
            front = front[~fresh[front] & np.isfinite(bounds[front])]
            similar = unit[front] @ unit.T
            bounds[front] = np.round(np.maximum(similar - covered, 0) @ copies, GAIN_DECIMALS)
            fresh[front] = True
            rows.update(zip(front.tolist(), similar, strict=True))
            continue
        picks.append(best)
        covered = np.maximum(covered, rows[best])
        bounds[best] = -np.inf
        fresh[:] = False
        rows.clear()
    return picks


def _first_gains(unit: Any, copies: Any) -> Any:
    """What each vector would add as the first one, or a little more."""
    short, weight = unit.astype(np.float32), copies.astype(np.float32)
    size = max(1, (1 << 22) // max(len(unit), 1))
    distances = np.empty(len(unit))
    for start in range(0, len(unit), size):
        distances[start : start + size] = np.maximum(short[start : start + size] @ short.T, 0) @ weight
    return distances * (1 + 1e-4) + copies.sum() * _slack(unit.shape[1])
