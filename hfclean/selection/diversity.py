"""Diversity: rows that are good and unlike one another, by their vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hfclean.errors import HfcleanError
from hfclean.plain_values import to_plain
from hfclean.selection import coverage
from hfclean.selection.clusters import kmeans, main_axes
from hfclean.selection.rows import Picks, Vectors, check_count, check_dataset, is_number, numbers, vectors

_Method = Literal["score_first", "k_center", "facility_location", "clusters", "score_times_distance"]
METHODS = ("score_first", "k_center", "facility_location", "clusters", "score_times_distance")
OTHER_NAMES = {"deita": "score_first", "kcenter": "k_center", "car": "clusters"}
SCORED = ("score_first", "score_times_distance")


@dataclass(frozen=True)
class Diversity:
    """How rows were picked; see `diverse`.

    Args:
        method: how.
        rows: rows of the dataset.
        asked, picked: how many rows were asked for, and how many were picked.
        by: the column of scores, or empty.
        settings: name and value of each setting that the method read, the seed among them where there is chance.
        groups: clusters with a row in them; 0 where none were made.
        notes: about rows without vector or score, and about rows that are missing.
    """

    method: str
    rows: int
    asked: int
    picked: int
    by: str
    settings: tuple[tuple[str, float], ...]
    groups: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {**to_plain(self), "settings": dict(self.settings)}

    def summary(self) -> str:
        """The figures in plain words."""
        facts = [self.method, *([f"by {self.by}"] if self.by else []), *(f"{k} {v:g}" for k, v in self.settings)]
        lines = [f"{self.picked:,} of {self.rows:,} rows picked ({', '.join(facts)})"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def diverse(
    ds: Any,
    n: int,
    method: _Method | str = "score_first",
    *,
    by: str | None = None,
    column: str = "embedding",
    threshold: float = 0.9,
    weight: float = 1.0,
    clusters: int | None = None,
    variance: float = 0.95,
    seed: int = 42,
) -> Picks:
    """Indices of `n` rows that are unlike one another: `ds.select(hfclean.diverse(ds, 1000, by="rating"))`.

    * `score_first` (DEITA, arXiv 2312.15685): the rows by score, the highest first; a row is taken if its cosine to
      every row taken so far is at most `threshold`. May find fewer than `n`.
    * `k_center`: each time the row that is farthest from all taken so far. Begins with the highest score, without
      scores with the row nearest to the mean of all vectors.
    * `score_times_distance`: each time the row with the greatest product of its rank by score (the share of rows that
      score no higher, to the power of `weight`) and its distance, 1 - cosine, to the nearest row taken.
    * `facility_location`: each time the row that adds most to the sum, over all rows, of the cosine to the nearest row
      taken. Takes time that grows with the square of the rows, as does `neighbours`; scores are not read.
    * `clusters` (CaR, arXiv 2402.18191): main axes that hold `variance`, k-means into `clusters` groups; the best row
      of each, then the best of all rows that are left. Without scores the row nearest to its group's mean is the best.

    `k_center`, `score_times_distance` and `facility_location` pick duplicate vectors last, the highest score first.
    Equal values: the earlier row wins. Similarities count to nine decimals. The same data and settings give the same
    picks, whatever the machine; with `clusters`, the seed is in the report.

    Args:
        ds: a `Dataset` (one split).
        n: how many rows. More than there are: all that can be picked, and the report says so.
        method: one of the five; `deita`, `k-center` and `car` are understood as well.
        by: a numeric column, higher = better; rows whose value is nan or null are never picked, and are counted.
            Without it `score_first` goes in dataset order.
        column: of the vectors; `hfclean.scorers.Embed` adds it. They are made one long. Rows without one (null, nan,
            zeros) are never picked, and are counted.
        threshold: for `score_first`, -1 to 1.
        weight: for `score_times_distance`, 0 and up: 0 does not mind the score.
        clusters: how many groups; by default the root of half the rows, rounded down.
        variance: above 0, at most 1.
        seed: for `clusters`.

    Returns:
        the indices in dataset order; `order` has them as they were picked, `report` is a `Diversity`.

    Raises:
        ColumnError: a column is missing or of the wrong type.
        HfcleanError: not one `Dataset`, or a setting out of range.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> ds = Dataset.from_dict({"embedding": [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]], "rating": [0.7, 0.9, 0.2]})
    >>> hfclean.diverse(ds, 2, by="rating"), hfclean.diverse(ds, 2, by="rating").order
    ([1, 2], (1, 2))
    """
    check_dataset(ds, "diverse")
    method = _checked(n, method, threshold, weight, clusters, variance, seed, by)
    embedded = vectors(ds, column, "diverse")
    notes = embedded.notes("never picked")
    scores = None
    if by is not None:
        scores = numbers(ds, by, "diverse")
        if unscored := int(np.isnan(scores).sum()):
            notes.append(f"{unscored:,} rows have no {by!r}: never picked")
        there = ~np.isnan(scores[embedded.rows])
        embedded = Vectors(embedded.rows[there], embedded.unit[there], embedded.without, embedded.zero)
        scores = scores[embedded.rows]
    n = int(n)
    groups, groups_asked = 0, clusters or max(1, math.isqrt(len(embedded.rows) // 2))
    if not len(embedded.rows) or not n:
        picks: list[int] = []
    elif method == "score_first":
        order = np.arange(len(embedded.rows)) if scores is None else np.argsort(-scores, kind="stable")
        picks = coverage.score_first(embedded.unit, order, n, threshold)
    elif method == "clusters":
        picks, groups = _stratified(embedded.unit, n, scores, groups_asked, variance, seed)
    else:
        picks = _greedy(embedded.unit, n, scores, method, weight)
    if len(picks) < n:
        near = len(embedded.rows) - len(picks)
        why = f"{near:,} are too near to a better one" if near else "no other row qualifies"
        notes.append(f"{n:,} rows were asked for and {len(picks):,} picked: {why}")
    settings: dict[str, dict[str, float]] = {
        "score_first": {"threshold": threshold},
        "score_times_distance": {"weight": weight},
        "clusters": {"clusters": groups_asked, "variance": variance, "seed": seed},
    }
    stated = tuple(settings.get(method, {}).items())
    report = Diversity(method, len(ds), n, len(picks), by or "", stated, groups, tuple(notes))
    return Picks(embedded.rows[picks].tolist() if picks else [], report)


def _checked(
    n: int,
    method: str,
    threshold: float,
    weight: float,
    clusters: int | None,
    variance: float,
    seed: int,
    by: str | None,
) -> str:
    """The method's own name.

    Raises:
        HfcleanError: a setting is out of range.
    """
    check_count(n, "diverse(n")
    name = str(method).lower().replace("-", "_")
    name = OTHER_NAMES.get(name, name)
    if name not in METHODS:
        raise HfcleanError(f"diverse(method={method!r}): expected one of {', '.join(METHODS)}")
    if not is_number(threshold) or not -1 <= threshold <= 1:
        raise HfcleanError(f"diverse(threshold={threshold!r}): expected a cosine, -1 to 1")
    if not is_number(weight) or not 0 <= weight < math.inf:
        raise HfcleanError(f"diverse(weight={weight!r}): expected 0 or more")
    if not is_number(variance) or not 0 < variance <= 1:
        raise HfcleanError(f"diverse(variance={variance!r}): expected a share above 0, at most 1")
    if clusters is not None:
        check_count(clusters, "diverse(clusters", 1)
    check_count(seed, "diverse(seed")
    if by is None and name == "score_times_distance":
        raise HfcleanError("diverse(method='score_times_distance') needs scores: by='rating', for example")
    return name


def _greedy(unit: Any, n: int, scores: Any, method: str, weight: float) -> list[int]:
    rank = np.ones(len(unit))
    if scores is not None:
        rank = np.searchsorted(np.sort(scores), scores, side="right") / len(scores)
    different, copies = coverage.without_copies(unit, rank)
    distinct = unit[different]
    if method == "facility_location":
        picks = coverage.facility_location(distinct, n, _copies(unit, different))
    else:
        quality = rank[different] ** weight if method == "score_times_distance" else np.ones(len(distinct))
        start = int(np.argmax(rank[different])) if scores is not None else _central(distinct)
        picks = coverage.farthest_first(distinct, n, quality, start)
    return [*different[picks].tolist(), *copies[: n - len(picks)].tolist()]


def _copies(unit: Any, different: Any) -> Any:
    """How many rows have each of the different vectors."""
    place = {unit[row].tobytes(): k for k, row in enumerate(different)}
    return np.bincount([place[row.tobytes()] for row in unit], minlength=len(different)).astype(np.float64)


def _central(unit: Any) -> int:
    return int(np.argmax(np.round(unit @ unit.mean(0), coverage.DECIMALS)))


def _stratified(unit: Any, n: int, scores: Any, clusters: int, variance: float, seed: int) -> tuple[list[int], int]:
    """The best of each cluster, the best of these first, then the best of the others; and how many clusters there
    are."""
    labels, squares = kmeans(main_axes(unit, variance), min(clusters, len(unit)), seed)
    goodness = -np.round(squares, coverage.DECIMALS) if scores is None else scores
    order = np.argsort(-goodness, kind="stable")
    _, first = np.unique(labels[order], return_index=True)
    best = order[np.sort(first)]
    rest = order[~np.isin(order, best)]
    return [*best.tolist(), *rest.tolist()][:n], len(best)
