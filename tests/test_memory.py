"""Work on rows in parts, numbers in files and samples of changes leave every figure and every byte as they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import datasets
import pytest
from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict, concatenate_datasets
from pyarrow import parquet

import hfclean
from hfclean import cleaning, folder, passes, values
from hfclean.cleaning import clean
from hfclean.conversion import preference_pairs
from hfclean.errors import HfcleanError
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
    few = {"BATCH": 4, "RELEASED": 2, "IN_MEMORY": 0, "AT_ONCE": 8, "WRITTEN": 1, "WORTH_RELEASING": 0}
    for name, value in few.items():
        monkeypatch.setattr(passes, name, value)


@pytest.mark.parametrize("kind", [None, "arrow"])
@pytest.mark.parametrize("shape", ["alpaca", "messages", "conversations"])
def test_a_narrowed_dataset_is_read_as_one_of_selected_columns(shape: str, kind: str | None) -> None:
    whole = Dataset.from_list(hfclean.testing.shape_rows()[shape]).with_format("numpy")
    for ds in (whole, whole.select([5, 0, 7]), whole.shuffle(seed=1).select(range(4)), whole.select([])):
        for columns in (ds.column_names[::-1], ds.column_names[:1]):
            narrow, selected = passes.narrowed(ds, columns, kind), ds.with_format(kind).select_columns(columns)
            assert (narrow.column_names, narrow.features) == (columns, selected.features)
            assert narrow.format == selected.format
            assert narrow[:] == selected[:]
            assert list(narrow.iter(2)) == list(selected.iter(2))
        assert (ds.column_names, ds.format["type"]) == (whole.column_names, "numpy")


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


def test_parquet_of_files_has_the_row_groups_that_datasets_makes(
    on_disk: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = {"flags": [k % 3 == 0 for k in range(60)], "tags": [["a"] * (k % 4) for k in range(60)]}
    ds = concatenate_datasets([on_disk, Dataset.from_dict(wide)], axis=1)
    monkeypatch.setattr(passes, "MEASURED", 2)
    monkeypatch.setattr(datasets.config, "MAX_ROW_GROUP_SIZE", "1KB")
    monkeypatch.setattr(folder, "ROW_GROUP_BYTES", 1000)
    for part in (ds, concatenate_datasets([ds, ds]), ds.select([5, 3, 59, *range(20, 40)])):
        assert passes.stored_bytes(part) == part.data.nbytes
        part.to_parquet(expected := BytesIO())
        folder._to_parquet(part, tmp_path / "rows.parquet")
        assert (tmp_path / "rows.parquet").read_bytes() == expected.getvalue()
        assert parquet.ParquetFile(tmp_path / "rows.parquet").num_row_groups > 1


# ------------------------------------------------------------------------------------------------------------- streams


def made(count: int, broken: int = -1, other: object = None) -> Iterator[dict[str, object]]:
    for k in range(count):
        if k == broken:
            raise OSError("connection reset")
        yield {
            "prompt": f"Name city {k}.",
            "completion": f"City {k}</s>",
            "rank": k if k < 9 or other is None else other,
        }


def test_a_stream_is_cleaned_like_the_rows_that_it_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "BATCH", 7)
    whole = Dataset.from_list(list(made(20)))
    expected = clean(whole).dataset
    stream = IterableDataset.from_generator(made, gen_kwargs={"count": 20})
    assert stream.features is None
    for ds in (stream, whole.to_iterable_dataset()):
        done = clean(ds).dataset
        assert (done.features, done.to_list()) == (expected.features, expected.to_list())
    splits = clean(IterableDatasetDict(train=whole.to_iterable_dataset(), test=stream.take(3))).dataset
    assert (splits.num_rows, splits["train"].to_list()) == ({"train": 20, "test": 3}, expected.to_list())


def test_a_stream_is_converted_like_the_rows_that_it_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "BATCH", 7)
    whole = Dataset.from_list(list(made(20)))
    stream = IterableDataset.from_generator(made, gen_kwargs={"count": 20})
    expected = hfclean.convert(whole, "messages")
    assert hfclean.convert(stream, "messages").to_list() == expected.to_list()
    splits = hfclean.convert(IterableDatasetDict(train=stream, test=stream.take(3)), "messages")
    assert (splits["train"].to_list(), splits["test"].to_list()) == (expected.to_list(), expected.to_list()[:3])
    pairs = preference_pairs(whole.map(hfclean.revise))
    assert preference_pairs(stream.map(hfclean.revise)).to_list() == pairs.to_list()
    assert len(pairs) == 20
    with pytest.raises(HfcleanError, match="the stream ended after 14 rows with OSError: connection reset"):
        hfclean.convert(IterableDataset.from_generator(made, gen_kwargs={"count": 20, "broken": 15}), "messages")


@pytest.mark.parametrize("name", ["dedupe", "top", "diverse", "decontaminate"])
def test_what_chooses_rows_of_a_stream_says_how_it_becomes_a_dataset(name: str) -> None:
    stream = IterableDataset.from_generator(made, gen_kwargs={"count": 20})
    arguments = {"top": {"by": "rank", "n": 2}, "diverse": {"n": 2}, "decontaminate": {"against": []}}
    with pytest.raises(HfcleanError, match=rf"{name} needs one Dataset .*streaming dataset: Dataset\.from_list\(list"):
        getattr(hfclean, name)(stream, **arguments.get(name, {}))
    rows = Dataset.from_list(list(stream.filter(hfclean.keep("rank", at_least=18))))
    assert hfclean.top(rows, by="rank", n=1) == [1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"broken": 15}, r"the stream ended after 14 rows with OSError: connection reset; nothing was made of them"),
        ({"other": "tenth"}, r"the stream ended after 7 rows with ArrowInvalid: Schema at index 2 was different"),
        ({"count": 0}, r"the stream has no rows and no features; expected at least one row"),
    ],
)
def test_a_stream_that_fails_says_where_and_leaves_nothing(
    options: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(passes, "BATCH", 7)
    monkeypatch.setattr("datasets.fingerprint.get_temporary_cache_files_directory", lambda: str(tmp_path))
    with pytest.raises(HfcleanError, match=message):
        clean(IterableDataset.from_generator(made, gen_kwargs={"count": 20, **options}))
    assert list(tmp_path.iterdir()) == []


def test_batches_of_a_stream_with_other_types_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "BATCH", 9)
    with pytest.raises(HfcleanError, match=r"rows 9 to 18 of the stream have other types .*ds\.cast\(Features"):
        clean(IterableDataset.from_generator(made, gen_kwargs={"count": 20, "other": "tenth"}))


# --------------------------------------------------------------------------------------------------------- conversions


def test_rows_converted_through_files_are_those_converted_in_memory(
    on_disk: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    revised = on_disk.map(hfclean.revise, batched=True)
    expected = [hfclean.convert(revised, to) for to in ("messages", "alpaca", "preference")]
    small(monkeypatch)
    monkeypatch.setattr(values, "AT_ONCE", 8)
    for to, whole in zip(("messages", "alpaca", "preference"), expected, strict=True):
        parts = hfclean.convert(revised, to)
        assert (parts.features, parts.to_list()) == (whole.features, whole.to_list())
        assert len(parts) == (20 if to == "preference" else 60)
        assert to == "preference" or parts.data.column(0).num_chunks == 15


def test_a_spool_gives_its_values_back_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "BATCH", 3)
    with passes.Spool[int]() as spool:
        for k in range(7):
            spool.append(k)
            assert list(spool) == list(range(k + 1))
        assert (len(spool), 5 in spool, 9 in spool) == (7, True, False)
