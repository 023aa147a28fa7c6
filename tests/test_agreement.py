"""Do two scores choose the same rows, and how much of it is length?"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.errors import ColumnError, HfcleanError
from hfclean.schema import Pair


def rows(count: int, **columns: Callable[[int], Any]) -> list[dict[str, Any]]:
    """Rows whose response has as many words as the row's number, counted from 1."""
    return [
        {"prompt": "Go on", "completion": "on " * n, **{name: make(n) for name, make in columns.items()}}
        for n in range(1, count + 1)
    ]


def test_scores_that_are_length_agree_and_are_called_length() -> None:
    found = hfclean.evaluation.agreement(rows(200, a=lambda n: n * n, b=lambda n: n), "a", "b", share=0.1)
    assert (found.spearman, found.both, found.overlap, found.chance) == (1.0, 20, 1.0, 0.1)
    for side in (found.first, found.second):
        assert (side.rows, side.length_auc, side.length_spearman, side.mostly_length) == (20, 1.0, 1.0, True)
    assert "Length alone predicts this choice with AUC 1.00: most of it is that the answers are the longest." in (
        found.summary()
    )


def test_the_shortest_count_as_length_too() -> None:
    found = hfclean.evaluation.agreement(
        rows(100, a=lambda n: -n, b=lambda n: n * 37 % 101), "a", "b", share=0.1, second_largest=False
    )
    assert (found.first.length_auc, found.first.length_spearman, found.first.mostly_length) == (0.0, -1.0, True)
    assert "AUC 1.00: most of it is that the answers are the shortest." in found.summary()
    assert not found.second.mostly_length
    assert (found.first.largest, found.second.largest) == (True, False)


def test_worked_numbers() -> None:
    a = [5.0, 4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0]
    b = [9.0, 0.0, 8.0, 0.0, 7.0, 0.0, 0.0, 1.0]
    found = hfclean.evaluation.agreement(rows(8), a, b, share=0.25)
    assert (found.first.name, found.second.name) == ("first", "second")
    assert (found.first.rows, found.second.rows, found.both, found.overlap) == (2, 2, 1, 0.5)
    assert found.chance == 0.25
    # chosen by the first: the rows of 1 and 2 words; by the second: those of 1 and 3
    assert (found.first.length_auc, found.second.length_auc) == (0.0, pytest.approx(1 / 12))
    smallest = hfclean.evaluation.agreement(rows(8), a, b, share=0.25, first_largest=False)
    assert smallest.first.length_auc == pytest.approx(10 / 12)  # of three equal ones the earlier two: 6 and 7 words


def test_rows_without_a_score_are_left_out_and_counted() -> None:
    a = [1.0, math.nan, 3.0, None, 5.0, 6.0]
    b = [1, 2, 3, 4, 5, None]
    found = hfclean.evaluation.agreement(rows(6), a, b, share=0.4)
    assert (found.rows, found.compared, found.first.missing, found.second.missing) == (6, 3, 2, 1)
    assert (found.first.rows, found.both, found.spearman) == (1, 1, 1.0)
    assert "over 3 of 6 rows (without a score: first: 2, second: 1)" in found.summary()
    with pytest.raises(HfcleanError, match=r"no row has both 'first' \(2 of 2 missing\)"):
        hfclean.evaluation.agreement(rows(2), [math.nan] * 2, [1, 2])


def test_a_column_of_booleans_is_a_choice_made_already() -> None:
    found = hfclean.evaluation.agreement(rows(100, a=lambda n: n > 70, b=lambda n: n), "a", "b", share=0.1)
    assert (found.first.rows, found.second.rows, found.both, found.overlap) == (30, 10, 10, 1.0)
    assert (found.first.length_auc, found.chance) == (1.0, 0.3)
    none = hfclean.evaluation.agreement(rows(10, a=lambda n: False, b=lambda n: n), "a", "b", share=0.1)
    assert (none.first.rows, none.both) == (0, 0)
    assert math.isnan(none.overlap)
    assert math.isnan(none.first.length_auc)
    assert not none.first.mostly_length
    assert "chosen by both: 0, – %" in none.summary()
    told = json.loads(json.dumps(none.to_dict(), allow_nan=False))
    assert (told["overlap"], told["first"]["length_auc"], told["second"]["mostly_length"]) == (None, None, True)


def test_a_dataset_a_list_and_arrays_give_the_same() -> None:
    some = rows(60, a=lambda n: float(n % 7), b=lambda n: float(n % 5))
    listed = hfclean.evaluation.agreement(some, "a", "b", share=0.2)
    ds = Dataset.from_list(some)
    assert hfclean.evaluation.agreement(ds, "a", "b", share=0.2) == listed
    assert hfclean.evaluation.agreement(ds.with_format("numpy"), "a", "b", share=0.2) == listed
    arrays = hfclean.evaluation.agreement(ds, ds.with_format("numpy")["a"], [row["b"] for row in some], share=0.2)
    assert arrays.to_dict() | {"first": 0, "second": 0} == listed.to_dict() | {"first": 0, "second": 0}
    pairs = [Pair(row["prompt"], "", row["completion"]) for row in some]
    assert (
        hfclean.evaluation.agreement(pairs, [row["a"] for row in some], [row["b"] for row in some], share=0.2)
        == arrays
    )


def test_errors_say_what_to_do() -> None:
    some = rows(4, a=lambda n: n, text=lambda n: "x")
    with pytest.raises(ColumnError, match=r"no column 'ifd_ppl'.*Score the rows first"):
        hfclean.evaluation.agreement(some, "ifd_ppl", "a")
    with pytest.raises(ColumnError, match="no column 'ifd_ppl'"):
        hfclean.evaluation.agreement(Dataset.from_list(some), "ifd_ppl", "a")
    with pytest.raises(ColumnError, match="text holds str"):
        hfclean.evaluation.agreement(some, "a", "text")
    with pytest.raises(ColumnError, match="second: 2 values for 4 rows"):
        hfclean.evaluation.agreement(some, "a", [1, 2])
    for share in (0.0, 1.0, -1, math.nan):
        with pytest.raises(HfcleanError, match="expected a share above 0"):
            hfclean.evaluation.agreement(some, "a", "a", share=share)
    with pytest.raises(HfcleanError, match="expected one split"):
        hfclean.evaluation.agreement(DatasetDict(train=Dataset.from_list(some)), "a", "a")


SCORES = st.lists(st.tuples(*[st.none() | st.integers(-4, 4).map(float)] * 2), min_size=1, max_size=30)


@given(SCORES, st.floats(0.01, 0.99))
def test_both_sides_are_treated_alike(scores: list[tuple[Any, Any]], share: float) -> None:
    a, b = (list(side) for side in zip(*scores, strict=True))
    if all(x is None or y is None for x, y in scores):
        return
    one, other = (hfclean.evaluation.agreement(rows(len(a)), *sides, share=share) for sides in ((a, b), (b, a)))
    assert (one.both, one.overlap, one.compared) == (other.both, other.overlap, other.compared)
    assert one.spearman == pytest.approx(other.spearman, nan_ok=True)
    assert one.first.length_auc == pytest.approx(other.second.length_auc, nan_ok=True)
    assert 0 <= one.overlap <= 1
    assert one.first.rows == one.second.rows == max(1, math.floor(share * one.compared + 1e-9))
    turned = [None if x is None else -x for x in a]
    assert hfclean.evaluation.agreement(rows(len(a)), turned, b, share=share, first_largest=False).both == one.both


@pytest.mark.realdata
def test_a_published_selection_is_mostly_length(realdata: Callable[[str], Path]) -> None:
    ds = [json.loads(line) for line in realdata("alpaca_6k.jsonl").read_text(encoding="utf-8").splitlines()]
    found = hfclean.evaluation.agreement(ds, "llama7b_ifd_top", "claude_ge_4_5")
    assert (found.compared, found.first.rows, found.both) == (6000, 354, 17)
    assert found.first.length_auc == pytest.approx(0.906, abs=0.005)
    assert found.first.mostly_length
    assert not found.second.mostly_length
    assert "AUC 0.91: most of it is that the answers are the longest" in found.summary()
