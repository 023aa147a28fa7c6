"""Diversity: the picks of plain loops, on every size, and rows without score or vector where they belong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

import hfclean
from hfclean.cli import main
from hfclean.errors import ColumnError, HfcleanError
from hfclean.selection import coverage
from hfclean.selection.clusters import kmeans, main_axes

SIZES = [(1, 3, 1), (2, 2, 1), (9, 2, 3), (150, 4, 6), (1100, 24, 12)]


def points(count: int, width: int, groups: int, *, copies: bool = True) -> Any:
    generator = np.random.default_rng(count)
    found = generator.normal(size=(groups, width))[generator.integers(groups, size=count)]
    found = (found + 0.3 * generator.normal(size=(count, width))).astype(np.float32).astype(np.float64)
    if copies and count > 20:
        found[count // 2 : count // 2 + 8] = found[3]
        found[17] = found[16]
    return found


def unit(found: Any) -> Any:
    return found / np.sqrt((found**2).sum(1, keepdims=True))


def dataset(vectors: Any, scores: Any = None) -> Dataset:
    columns = {} if scores is None else {"score": scores}
    return Dataset.from_dict({"embedding": [list(map(float, row)) for row in vectors], **columns})


def scores_of(count: int) -> Any:
    return np.random.default_rng(7).integers(0, max(2, count // 3), size=count).astype(float)


def plain_score_first(u: Any, scores: Any, n: int, threshold: float) -> list[int]:
    picks: list[int] = []
    for row in sorted(range(len(u)), key=lambda row: (-scores[row], row)):
        if len(picks) < n and all(round(float(u[row] @ u[other]), 9) <= threshold for other in picks):
            picks.append(row)
    return picks


def plain_farthest(u: Any, n: int, quality: Any, rank: Any, start: int) -> list[int]:
    """Copies of a vector wait until all different ones are taken."""
    best = {u[row].tobytes(): row for row in sorted(range(len(u)), key=lambda row: (rank[row], -row))}
    own = sorted(best.values())
    picks, near = [start], np.full(len(u), -1.0)
    while len(picks) < min(n, len(own)):
        near = np.maximum(near, np.round(u @ u[picks[-1]], 9))
        picks.append(max(set(own) - set(picks), key=lambda row: (quality[row] * (1 - near[row]), -row)))
    rest = sorted(set(range(len(u))) - set(own), key=lambda row: (-rank[row], row))
    return (picks + rest)[:n]


@pytest.mark.parametrize(("count", "width", "groups"), SIZES)
@pytest.mark.parametrize("threshold", [-0.5, 0.3, 0.9, 0.999, 1.0])
def test_score_first_picks_what_the_loop_picks(count: int, width: int, groups: int, threshold: float) -> None:
    vectors, scores = points(count, width, groups), scores_of(count)
    n = max(1, count // 4)
    found = hfclean.diverse(dataset(vectors, scores), n, by="score", threshold=threshold)
    assert list(found.order) == plain_score_first(unit(vectors), scores, n, threshold)
    assert found == sorted(found.order)


def test_no_pick_is_near_an_earlier_one_whatever_was_refused_between() -> None:
    angles = [0.0, 0.3, 0.6, 0.9]  # each is near its neighbours only: the second is refused, the third must not be
    vectors = [[math.cos(angle), math.sin(angle)] for angle in angles]
    assert hfclean.diverse(dataset(vectors), 4, threshold=math.cos(0.4)) == [0, 2]


@pytest.mark.parametrize(("count", "width", "groups"), SIZES)
def test_k_center_picks_what_the_loop_picks(count: int, width: int, groups: int) -> None:
    vectors, scores = points(count, width, groups), scores_of(count)
    u, rank = unit(vectors), np.searchsorted(np.sort(scores), scores, side="right") / count
    n = max(1, count // 4)
    start = int(np.lexsort((np.arange(count), -rank))[0])
    found = hfclean.diverse(dataset(vectors, scores), n, "k_center", by="score")
    assert list(found.order) == plain_farthest(u, n, np.ones(count), rank, start)
    for weight in (0.0, 1.0, 2.5):
        found = hfclean.diverse(dataset(vectors, scores), n, "score_times_distance", by="score", weight=weight)
        assert list(found.order) == plain_farthest(u, n, rank**weight, rank, start)


def test_k_center_without_scores_begins_in_the_middle() -> None:
    assert hfclean.diverse(dataset([[1, 0], [1, 1], [0, 1]]), 1, "k-center") == [1]


@pytest.mark.parametrize(("count", "width", "groups"), SIZES[:4])
def test_facility_location_picks_what_the_loop_picks(count: int, width: int, groups: int) -> None:
    u = unit(points(count, width, groups, copies=False))
    n = max(1, count // 3)
    similar, covered, picks = u @ u.T, np.zeros(count), []
    while len(picks) < n:
        gains = np.round(np.maximum(similar - covered, 0).sum(1), 7)
        gains[picks] = -1
        picks.append(int(np.argmax(gains)))
        covered = np.maximum(covered, similar[picks[-1]])
    assert list(hfclean.diverse(dataset(u), n, "facility_location").order) == picks


def plain_kmeans(found: Any, k: int, seed: int) -> list[int]:
    generator = np.random.default_rng(seed)
    means = [found[int(generator.integers(len(found)))]]
    while len(means) < k:
        nearest = [min(round(float(((row - mean) ** 2).sum()), 9) for mean in means) for row in found]
        target, total = generator.random() * sum(nearest), 0.0
        for row, each in zip(found, nearest, strict=True):
            total += each
            if total > target:
                means.append(row)
                break
    labels: list[int] = []
    while True:
        fresh = [int(np.argmin([round(float(((row - mean) ** 2).sum()), 9) for mean in means])) for row in found]
        if fresh == labels:
            return labels
        labels = fresh
        for k in set(labels):
            means[k] = np.mean([row for row, label in zip(found, labels, strict=True) if label == k], axis=0)


def test_the_clusters_are_those_of_the_plain_loops() -> None:
    found = points(150, 4, 6)
    labels, squares = kmeans(found, 8, 42)
    assert labels.tolist() == plain_kmeans(found, 8, 42)
    assert squares.min() >= 0
    axes = main_axes(found, 0.95)
    centred = found - found.mean(0)
    assert axes.shape[1] < found.shape[1]
    assert (axes**2).sum() >= 0.95 * (centred**2).sum()
    assert (main_axes(found, 1.0) ** 2).sum() == pytest.approx((centred**2).sum())


def test_every_cluster_has_its_best_row_and_then_the_best_of_all() -> None:
    vectors = unit(points(150, 4, 6, copies=False))
    scores = scores_of(150)
    found = hfclean.diverse(dataset(vectors, scores), 30, "clusters", by="score", clusters=8)
    labels, _ = kmeans(main_axes(vectors, 0.95), 8, 42)
    best = [min(np.flatnonzero(labels == k), key=lambda row: (-scores[row], row)) for k in range(8)]
    best.sort(key=lambda row: (-scores[row], row))
    others = sorted(set(range(150)) - set(best), key=lambda row: (-scores[row], row))
    assert list(found.order) == [*best, *others][:30]
    assert dict(found.report.settings)["seed"] == 42
    assert found.report.groups == 8
    assert dict(hfclean.diverse(dataset(vectors), 3, "car").report.settings)["clusters"] == 8  # the root of 75
    assert hfclean.diverse(dataset(vectors), 3, "car", clusters=8, seed=1) == hfclean.diverse(
        dataset(vectors), 3, "car", clusters=8, seed=1
    )


METHODS = ["score_first", "k_center", "facility_location", "clusters", "score_times_distance"]


@pytest.mark.parametrize("method", METHODS)
def test_rows_without_vector_or_score_are_never_picked_and_counted(method: str) -> None:
    vectors = points(40, 3, 4)
    vectors[4] = 0
    vectors[6] = np.nan
    vectors[8, 1] = np.inf
    rows: list[Any] = vectors.tolist()
    rows[2] = None
    scores: list[Any] = scores_of(40).tolist()
    scores[10], scores[12], scores[14] = math.nan, None, math.inf
    ds = Dataset.from_dict({"embedding": rows, "score": scores})
    found = hfclean.diverse(ds, 1000, method, by="score", threshold=1.0)
    assert not {2, 4, 6, 8, 10, 12, 14} & set(found)
    if method != "score_first":
        assert len(found) == 33
    said = found.report.summary()
    assert "3 rows have no vector" in said
    assert "1 rows have a vector of zeros" in said
    assert "3 rows have no 'score'" in said
    assert "1,000 rows were asked for" in said


@pytest.mark.parametrize("method", METHODS)
def test_all_rows_equal_one_row_and_none(method: str) -> None:
    ds = dataset([[1.0, 2.0]] * 30, [1.0] * 30)
    wanted = [0] if method == "score_first" else [0, 1, 2, 3]
    assert hfclean.diverse(ds, 4, method, by="score") == wanted
    assert hfclean.diverse(ds.select([0]), 4, method, by="score") == [0]
    assert hfclean.diverse(ds.select([]), 4, method, by="score") == []
    assert hfclean.diverse(ds, 0, method, by="score") == []
    nothing = Dataset.from_dict({"embedding": [None, None], "score": [1.0, 2.0]})
    assert hfclean.diverse(nothing, 2, method, by="score") == []


def test_huge_and_tiny_vectors_keep_their_direction() -> None:
    ds = dataset([[1e300, 0.0], [1e-300, 1e-300], [0.0, 1e-310]])
    assert hfclean.diverse(ds, 3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n": -1}, "0 or more"),
        ({"n": True}, "0 or more"),
        ({"method": "best"}, "score_first"),
        ({"threshold": 1.5}, "-1 to 1"),
        ({"threshold": math.nan}, "-1 to 1"),
        ({"weight": -1}, "0 or more"),
        ({"variance": 0}, "at most 1"),
        ({"clusters": 0}, r"clusters=0\): expected a whole number of 1 or more"),
        ({"threshold": "0.9"}, "threshold='0.9'"),
        ({"weight": None}, "weight=None"),
        ({"seed": -1}, "0 or more"),
        ({"method": "score_times_distance"}, "needs scores"),
        ({"by": "nope"}, "no column 'nope'"),
        ({"column": "nope"}, "hfclean.scorers.Embed"),
    ],
)
def test_wrong_settings_say_what_was_wanted(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(HfcleanError, match=said):
        hfclean.diverse(dataset([[1.0, 0.0]]), **{"n": 1, **settings})


def test_a_column_of_text_holds_no_vectors() -> None:
    with pytest.raises(ColumnError, match="list of numbers"):
        hfclean.diverse(Dataset.from_dict({"embedding": ["a"]}), 1)


def test_blocks_are_no_larger_than_what_is_left() -> None:
    u = unit(points(1100, 24, 12, copies=False))
    assert sorted(coverage.farthest_first(u, 5000, np.ones(1100), 0)) == list(range(1100))


def test_the_accessor_selects_rows() -> None:
    hfclean.accessor.register()
    rows = [
        {"prompt": q, "completion": "Yes.", "embedding": [1.0, k]}
        for k, q in enumerate(("Go on", "go on", "Stop it now"))
    ]
    ds = Dataset.from_list(rows)
    assert ds.hfclean.dedupe()["prompt"][:] == ["Go on", "Stop it now"]
    assert len(ds.hfclean.diverse(2, method="k_center")) == 2
    assert ds.hfclean.decontaminate([[{"question": "Stop it now"}]])["prompt"][:] == ["Go on", "go on"]


@pytest.mark.needs_extra("embed", "torch", "transformers")
def test_the_command_line_makes_the_vectors_that_it_needs(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"instruction": q, "output": "Yes."} for q in ("Is snow cold?", "Is snow so cold?", "Add two and two.")]
    Path("in.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    assert main(["select", "in.jsonl", "--n", "2", "--out", "out.jsonl", "--quiet"]) == 0
    assert "3 rows are read by" in capsys.readouterr().err
    kept = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert kept == [rows[0], rows[2]]
