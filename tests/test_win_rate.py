"""Win rates: published tables and logs exactly, order and length told apart, and what is no verdict."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

import hfclean
from hfclean.errors import ColumnError, HfcleanError
from hfclean.evaluation.bootstrap import Draws, Figure, over_seeds, sign_test
from hfclean.models import Answer
from hfclean.scorers.comparing import Counts
from hfclean.testing_models import ScriptedBackend

FEW = {"draws": 200}


def verdicts(wins: int, ties: int, losses: int) -> list[str]:
    return ["win"] * wins + ["tie"] * ties + ["lose"] * losses


# ------------------------------------------------------------------------------------------------------- published


@pytest.mark.realdata
def test_the_published_table_is_reproduced(realdata: Callable[[str], Path]) -> None:
    with realdata("coachlm_win_tie_lose.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    for row in rows:
        counts = [int(row[name]) for name in ("win", "tie", "lose")]
        found = hfclean.evaluation.win_rate(verdict=verdicts(*counts), draws=1)
        assert found.counts == Counts(*counts)
        for name, figure in (
            ("wr1", found.win_rate),
            ("wr2", found.win_rate_without_ties),
            ("qs", found.quality_score),
        ):
            assert 100 * figure.value == pytest.approx(float(row[f"{name}_percent"]), abs=0.0501), row


@pytest.mark.realdata
def test_the_published_review_logs_are_reproduced(realdata: Callable[[str], Path]) -> None:
    rows = [json.loads(line) for line in realdata("judge_reviews_gpt4.jsonl").read_text("utf-8").splitlines()]
    found = {}
    for name in ("vicuna", "koala", "lima"):
        some = Dataset.from_list([row for row in rows if row["benchmark"] == name])
        found[name] = hfclean.evaluation.win_rate(
            some, scores="scores_ab", scores_swapped="scores_ba", texts=("answer_a", "answer_b"), **FEW
        )
    assert {name: each.counts for name, each in found.items()} == {
        "vicuna": Counts(44, 15, 21),
        "koala": Counts(85, 36, 59),
        "lima": Counts(165, 59, 76),
    }
    lima = found["lima"]
    assert lima.winning_score.value == pytest.approx(1 + (165 - 76) / 300)
    assert lima.flip_rate.value == pytest.approx(41 / 300)
    assert lima.shown_first is not None
    assert lima.shown_first.total == 300
    assert lima.decided
    # most of what is judged better is longer: held equal in length, little is left of the lead
    assert lima.lengths is not None
    assert lima.lengths.longer.value > 0.7
    assert 0.5 < lima.lengths.controlled.value < lima.win_rate.value - 0.05
    assert "WR1, length held" in str(lima)


# ------------------------------------------------------------------------------------------------------ three ways in


def test_one_order_two_orders_and_a_judge_say_the_same_in_their_ways() -> None:
    rows = [{"v": "win", "w": 2, "s": [9, 8], "t": [7, 7]}, {"v": "tie", "w": 0, "s": [5, 5], "t": [4, 6]}]
    one = hfclean.evaluation.win_rate(rows, verdict="v", **FEW)
    assert (one.counts, one.shown_first, math.isnan(one.flip_rate.value)) == (Counts(1, 1, 0), None, True)
    both = hfclean.evaluation.win_rate(rows, verdict="v", verdict_swapped="w", **FEW)
    assert (both.counts, both.flip_rate.value) == (Counts(0, 2, 0), 0.5)
    assert (both.shown_first, both.shown_second) == (Counts(1, 1, 0), Counts(0, 1, 1))
    scored = hfclean.evaluation.win_rate(Dataset.from_list(rows), scores="s", scores_swapped="t", **FEW)
    assert scored.counts == Counts(1, 0, 1)

    judge = hfclean.Judge(ScriptedBackend(['{"better": "1"}', '{"better": "2"}', "1", Answer.failed("timeout")]))
    after = [{"instruction": "Go", "output": text} for text in ("one two three", "b")]
    before = [{"instruction": "Go", "output": text} for text in ("one", "c")]
    asked = hfclean.evaluation.win_rate(after, before, judge=judge, **FEW)
    assert (asked.counts, asked.unscored) == (Counts(1, 0, 0), {"timeout": 1})
    assert asked.lengths is not None
    assert (asked.lengths.longer.value, asked.lengths.longer.count) == (1.0, 1)
    found = hfclean.scorers.judge_pairs(hfclean.Judge(ScriptedBackend(["1", "1"])), after[:1], before[:1])
    assert hfclean.evaluation.win_rate(found, **FEW).counts == Counts(0, 1, 0)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, HfcleanError, "got nothing"),
        ({"verdict": ["win"], "scores": [[1, 2]]}, HfcleanError, "got verdict and scores"),
        ({"verdict": []}, HfcleanError, "no comparisons"),
        ({"verdict": ["better"]}, ColumnError, "'better' is not a verdict"),
        ({"verdict": [True]}, ColumnError, "'True' is not a verdict"),
        ({"verdict": ["win"], "verdict_swapped": []}, ColumnError, "0 values for 1 comparisons"),
        ({"scores": [[1]]}, ColumnError, "is not a pair of scores"),
        ({"scores": ["12"]}, ColumnError, "is not a pair of scores"),
        ({"scores": [{"a": 1, "b": 2}]}, ColumnError, "is not a pair of scores"),
        ({"verdict": "v"}, ColumnError, "names a column, and no rows"),
        ({"ds": [{"w": 1}], "verdict": "v"}, ColumnError, r"no column 'v' in \['w'\]"),
        ({"verdict": ["win"], "texts": (["a"], ["b", "c"])}, ColumnError, "2 values for 1 comparisons"),
        ({"judge": hfclean.Judge(ScriptedBackend([]))}, HfcleanError, "rows of both sides"),
        ({"verdict": ["win", "tie"], "draws": 0}, HfcleanError, "draws=0"),
    ],
)
def test_what_cannot_be_counted_is_refused(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hfclean.evaluation.win_rate(**given)


# --------------------------------------------------------------------------------------------------------- the figures


def test_all_ties_and_no_verdicts_are_said_to_be_so() -> None:
    ties = hfclean.evaluation.win_rate(verdict=["tie"] * 5 + [None, float("nan")], **FEW)
    assert (ties.win_rate.value, ties.unscored, ties.decided) == (0.5, {"no_verdict": 2}, False)
    assert math.isnan(ties.win_rate_without_ties.value)
    assert "all are ties: no difference" in str(ties)
    assert ties.to_dict()["win_rate_without_ties"]["value"] is None
    none = hfclean.evaluation.win_rate(scores=[None, [1, None], [math.inf, 1]], **FEW)
    assert (none.counts.total, none.unscored) == (0, {"no_verdict": 3})
    assert "nothing was compared" in str(none)
    json.dumps(none.to_dict(), allow_nan=False)


def test_a_few_wins_in_a_row_decide_nothing() -> None:
    few, many = (hfclean.evaluation.win_rate(verdict=verdicts(n, 0, 0), **FEW) for n in (5, 30))
    assert (few.p_value, few.decided, many.decided) == (0.0625, False, True)
    assert 0.5 < few.win_rate.low < many.win_rate.low < 1.0
    assert sign_test(0, 0) == 1.0
    assert sign_test(600, 400) == pytest.approx(sign_test(400, 600))


def test_length_that_explains_all_leaves_nothing() -> None:
    longer = [{"a": "word " * (8 + k % 9), "b": "word " * (5 + (4 * k) % 9)} for k in range(300)]
    by_length = [
        "win" if len(r["a"]) > len(r["b"]) else "lose" if len(r["a"]) < len(r["b"]) else "tie" for r in longer
    ]
    found = hfclean.evaluation.win_rate(longer, verdict=by_length, texts=("a", "b"), **FEW)
    assert found.lengths is not None
    # a judge that sees nothing but length is sharper than a smooth curve of it, so not all of the lead goes
    assert found.win_rate.value - found.lengths.controlled.value > 0.2
    assert found.lengths.controlled.value < 0.6
    # the better side is also the longer one, but wins where it is not: what is left at equal length is real
    sides = [{"a": 10 + k % 4, "b": 8 + k % 5} for k in range(300)]
    real = hfclean.evaluation.win_rate(sides, verdict=verdicts(240, 0, 60), texts=("a", "b"), **FEW)
    assert real.lengths is not None
    assert real.lengths.controlled.value > 0.7
    unknown = hfclean.evaluation.win_rate(verdict=["win", "lose"], texts=(["a", None], [None, "b"]), **FEW)
    assert unknown.lengths is not None
    assert unknown.lengths.unknown == 2
    assert "lengths not known" in str(unknown)


def test_swapping_the_sides_swaps_the_figures() -> None:
    ours = verdicts(30, 10, 20)
    theirs = [{"win": "lose", "lose": "win"}.get(v, v) for v in ours]
    texts = ([3 + k % 7 for k in range(60)], [4 + k % 5 for k in range(60)])
    one = hfclean.evaluation.win_rate(verdict=ours, texts=texts, **FEW)
    two = hfclean.evaluation.win_rate(verdict=theirs, texts=texts[::-1], **FEW)
    assert one.win_rate.value == pytest.approx(1 - two.win_rate.value)
    assert one.lengths is not None
    assert two.lengths is not None
    assert one.lengths.controlled.value == pytest.approx(1 - two.lengths.controlled.value, abs=1e-6)
    assert one.lengths.matched.value == pytest.approx(1 - two.lengths.matched.value)
    assert one.winning_score.value == pytest.approx(2 - two.winning_score.value)


def test_intervals_are_seeded_and_cover_what_they_should() -> None:
    import numpy as np

    values = np.arange(100.0)
    figure = Draws(100, draws=500, seed=1).means(values[:, None])[0]
    again, other = (Draws(100, draws=500, seed=seed).means(values[:, None])[0] for seed in (1, 2))
    assert figure == again != other
    # the mean of 100 values of standard deviation 28.9 has a standard error of 2.89
    assert (figure.value, figure.low, figure.high) == pytest.approx((49.5, 43.8, 55.2), abs=0.8)
    gaps = Draws(3, draws=50, seed=0).means(np.array([[1.0], [math.nan], [3.0]]))[0]
    assert (gaps.value, gaps.count) == (2.0, 2)
    assert Draws(20, draws=50, seed=0).shares(np.zeros((20, 1)))[0].high == pytest.approx(0.161, abs=1e-3)
    one = Draws(1, draws=50, seed=0).means(np.array([[2.0]]))[0]
    assert one.value == 2.0
    assert math.isnan(one.low)


def test_intervals_over_seeds_are_students() -> None:
    # standard deviation 0.22174, so 1.125 ± 3.18245 * 0.22174 / 2
    low, high = pytest.approx(0.7722, abs=1e-4), pytest.approx(1.4778, abs=1e-4)
    assert over_seeds([1.0, 1.2, 0.9, 1.4, math.nan]) == Figure(1.125, low, high, 4)
    assert math.isnan(over_seeds([1.0]).low)
    assert math.isnan(over_seeds([]).value)
