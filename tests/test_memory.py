"""Work on rows in parts, numbers in files and samples of changes leave every figure and every byte as they are."""

from __future__ import annotations

import math
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict, concatenate_datasets

import hfclean
from hfclean import cleaning, passes
from hfclean.cleaning import clean
from hfclean.report import Report, compare, edit_sample
from hfclean.report.distributions import histogram, quantiles


def rows(count: int = 60, *, moved: int = 0) -> Dataset:
    texts = [f"city {k % 23} is large{'</s>' if k % 3 == 0 else ''}" for k in range(moved, count + moved)]
    prompts = [f"Name city {k % 23}.\u200b" if k % 4 == 0 else f"Name city {k % 23}." for k in range(count)]
    return Dataset.from_dict({"prompt": prompts, "completion": texts, "score": [k / 7 for k in range(count)]})


@pytest.fixture
def on_disk(tmp_path: Path) -> Dataset:
    rows().save_to_disk(str(tmp_path / "rows"))
    return Dataset.load_from_disk(str(tmp_path / "rows"))


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BATCH": 4, "RELEASED": 2, "IN_MEMORY": 0, "AT_ONCE": 8, "WRITTEN": 1}.items():
        monkeypatch.setattr(passes, name, value)


def test_rows_cleaned_in_parts_from_files_are_those_cleaned_at_once(
    on_disk: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, written = clean(rows(), drop_duplicates=True), BytesIO()
    whole.dataset.to_parquet(written)
    report = compare(rows(), whole.dataset, removed=whole.removed)
    small(monkeypatch)
    monkeypatch.setattr(cleaning, "PART", 16)
    parts, again = clean(on_disk, drop_duplicates=True), BytesIO()
    parts.dataset.to_parquet(again)
    assert parts.dataset.to_list() == whole.dataset.to_list()
    assert parts.removed is not None
    assert whole.removed is not None
    assert (parts.removed.to_list(), len(parts.removed)) == (whole.removed.to_list(), 60 - len(whole.dataset))
    assert again.getvalue() == written.getvalue()
    assert compare(on_disk, parts.dataset, removed=parts.removed) == report
    assert (report.rows_removed, report.joined_on) == (len(whole.removed), "row_id")


def test_a_comparison_of_shuffled_splits_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    before = DatasetDict(train=rows(40), test=concatenate_datasets([rows(20, moved=1), rows(3)]))
    done = before.map(hfclean.revise, batched=True).map(hfclean.score, batched=True)
    after = DatasetDict(
        train=done["test"].shuffle(seed=1), test=done["train"].filter(lambda _, k: k % 5, with_indices=True)
    )
    report = compare(before, after)
    assert (report.rows_matched, report.rows_changed, len(report.overlaps)) == (55, 27, 1)
    small(monkeypatch)
    assert compare(before, after) == report


def test_of_very_many_changes_an_even_sample_is_kept_and_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows()
    after = before.map(hfclean.revise, batched=True)
    every = compare(before, after)
    monkeypatch.setattr(edit_sample, "MOST_ROWS", 8)
    some = compare(before, after)
    changed = list(dict.fromkeys(edit.index for edit in every.edits))
    assert list(dict.fromkeys(edit.index for edit in some.edits)) == changed[::4]
    assert (len(changed), some.changes, some.more_changes) == (30, every.changes, every.changes - len(some.edits))
    assert replace(some, edits=every.edits, more_changes=0) == every
    assert (some.summary(), "more_changes" in every.to_dict()) == (every.summary(), False)
    some.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json") == some
    assert f"{len(some.edits)} of {every.changes} changes" in some.to_html()
    monkeypatch.setattr(edit_sample, "MOST_ROWS", 100)
    monkeypatch.setattr(edit_sample, "MOST_CHARACTERS", 1000)
    assert 1 <= len({edit.index for edit in compare(before, after).edits}) <= 2


def test_distributions_of_long_columns_are_those_of_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = [k * 1.5 for k in range(50)], [math.nan, math.inf, *(k / 3 for k in range(70))]
    found = quantiles(after), histogram(before, after), histogram(None, after)
    assert (found[0].n, found[0].unscored) == (70, 2)
    small(monkeypatch)
    monkeypatch.setattr("hfclean.report.distributions.AT_ONCE", 8)
    assert (quantiles(after), histogram(before, after), histogram(None, after)) == found
