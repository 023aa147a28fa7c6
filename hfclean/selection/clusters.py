"""Clusters: vectors turned onto their main axes and grouped around means, the same groups every time."""

from __future__ import annotations

from typing import Any

import numpy as np

ROUNDS = 100


def main_axes(points: Any, variance: float) -> Any:
    """The points on as many main axes (PCA) as are needed for this share of the variance; one axis at least."""
    centred = points - points.mean(0)
    sizes, axes = np.linalg.eigh(centred.T @ centred)
    sizes, axes = np.maximum(sizes[::-1], 0), axes[:, ::-1]
    if not sizes.sum():
        return centred[:, :1]
    count = int(np.searchsorted(np.cumsum(sizes) / sizes.sum(), variance - 1e-12)) + 1
    return centred @ axes[:, :count]


def kmeans(points: Any, k: int, seed: int) -> tuple[Any, Any]:
    """Groups around `k` means, at first spread out at random (k-means++), then moved until no point changes its group,
    100 times at most. Of two means equally near the first counts; a group that loses all its points keeps its mean.

    Returns:
        for each point the number of its group, and its squared distance to that group's mean.
    """
    generator = np.random.default_rng(seed)
    means = points[[int(generator.integers(len(points)))]]
    nearest = _squares(points, means)[:, 0]
    while len(means) < k:
        total = np.cumsum(nearest)
        if not total[-1]:  # fewer different points than groups
            break
        pick = min(int(np.searchsorted(total, generator.random() * total[-1], side="right")), len(points) - 1)
        means = np.concatenate([means, points[[pick]]])
        nearest = np.minimum(nearest, _squares(points, means[-1:])[:, 0])
    labels = np.full(len(points), -1)
    for _ in range(ROUNDS):
        squares = _squares(points, means)
        fresh = squares.argmin(1)
        if np.array_equal(fresh, labels):
            break
        labels = fresh
        counts = np.bincount(labels, minlength=len(means))
        order = np.argsort(labels, kind="stable")
        filled = np.flatnonzero(counts)
        sums = np.add.reduceat(points[order], (np.cumsum(counts) - counts)[filled])
        means = means.copy()
        means[filled] = sums / counts[filled, None]
    return labels, _squares(points, means)[np.arange(len(points)), labels]


def _squares(points: Any, means: Any) -> Any:
    """Squared distances, to nine decimals: points that are equal are equally far."""
    distances = (points**2).sum(1)[:, None] + (means**2).sum(1) - 2 * (points @ means.T)
    return np.maximum(np.round(distances, 9), 0)
