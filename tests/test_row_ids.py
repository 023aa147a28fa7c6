"""Row ids as numbers say and find what a dictionary of strings would, in pieces of any size."""

from __future__ import annotations

import random
from itertools import chain

import numpy as np
import pytest
from datasets import Dataset

from hfclean import passes
from hfclean.provenance import number_rows
from hfclean.row_ids import RowIds, first_of, numbered, positions


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "AT_ONCE", 4)
    monkeypatch.setattr(passes, "IN_MEMORY", 16)


def some_names(choice: random.Random, *, marked: float) -> list[str]:
    bases = [f"{choice.randrange(5) * 0x3333333333333333:016x}" for _ in range(choice.randrange(12))]
    return [base + (choice.choice(["-2", "-3", "-1"]) if choice.random() < marked else "") for base in bases]


def test_ids_come_back_as_they_went_in() -> None:
    names = ["0123456789abcdef", "0123456789abcdef-2", "mine", "0123456789ABCDEF", "0123456789abcdef-02", ""]
    ids = RowIds.of(names)
    assert list(ids) == names
    assert (ids[1:3], sorted(ids.others)) == (names[1:3], [2, 3, 4, 5])
    assert list(RowIds.of(names[:1] * 3)) == names[:1] * 3


def test_numbering_is_that_of_strings() -> None:
    choice = random.Random(1)
    for trial in range(500):
        names = some_names(choice, marked=(0, 0.3)[trial % 2]) + ["mine", "mine"] * (trial % 7 == 0)
        cut = choice.randrange(len(names) + 1)
        found = numbered([RowIds.of(names[:cut]), RowIds.of(names[cut:])])
        assert [len(ids) for ids in found] == [cut, len(names) - cut]
        assert list(chain.from_iterable(found)) == number_rows(names)


def test_first_row_of_equal_numbers() -> None:
    choice = random.Random(2)
    for _ in range(200):
        codes = RowIds.of(some_names(choice, marked=0)).codes
        keys = np.array([choice.randrange(2) for _ in codes], np.int64)
        alone: dict[int, int] = {}
        pairs: dict[tuple[int, int], int] = {}
        assert first_of(codes).tolist() == [alone.setdefault(code, k) for k, code in enumerate(codes.tolist())]
        both = zip(codes.tolist(), keys.tolist(), strict=True)
        assert first_of(codes, keys).tolist() == [pairs.setdefault(pair, k) for k, pair in enumerate(both)]


def test_positions_of_numbered_rows_after_a_filter_and_a_shuffle() -> None:
    before = number_rows(["a" * 16, "b" * 16, "a" * 16, "c" * 16, "b" * 16, "a" * 16])
    after = ["b" * 16 + "-2", "d" * 16, "a" * 16 + "-3", "a" * 16]
    assert positions(RowIds.of(before), RowIds.of(after)).tolist() == [4, -1, 5, 0]
    plain = [name.partition("-")[0] for name in after]
    assert positions(RowIds.of(before), RowIds.of(plain)).tolist() == [1, -1, 0, 2]
    assert positions(RowIds.of(before), RowIds.of(after[:1] * 2)) is None  # which of them it is, numbers do not say
    assert positions(RowIds.of(["mine"]), RowIds.of(["mine"])) is None


def test_pages_are_given_back_and_read_again(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "RELEASED", 1)
    monkeypatch.setattr(passes, "BATCH", 2)
    Dataset.from_dict({"text": [str(k) for k in range(7)]}).save_to_disk(str(tmp_path))
    ds = Dataset.load_from_disk(str(tmp_path))
    read = [batch["text"] for batch in passes.column_batches(ds, ["text", "absent"])]
    assert read == [["0", "1"], ["2", "3"], ["4", "5"], ["6"]]
    assert [batch["text"] for batch in passes.column_batches(ds, ["text"], np.array([5, 0, 3]))] == [["5", "0"], ["3"]]


def test_a_long_array_is_in_a_file_and_a_column_of_strings_in_one_piece(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    import pyarrow as pa

    long = passes.numbers(100, np.int32, tmp_path)
    long[7] = 3
    assert (int(long.sum()), list(tmp_path.iterdir())) == (3, [])
    cells = [pa.array(["a", None, "ccc"]), pa.chunked_array([pa.array(["x", "dd", ""])[1:], pa.array(["e"])])]
    for file in (None, tmp_path / "strings.arrow"):
        column = passes.strings_table("s", 6, iter(cells), file).column("s")
        assert (column.to_pylist(), column.num_chunks) == (["a", "", "ccc", "dd", "", "e"], 1)
    monkeypatch.setattr(passes, "PIECE", 4)
    column = passes.strings_table("s", 6, iter(cells), tmp_path / "strings.arrow").column("s")
    assert (column.to_pylist(), column.num_chunks) == (["a", "", "ccc", "dd", "", "e"], 2)
    assert [file.name for file in tmp_path.iterdir()] == ["strings.arrow"]
    assert passes.strings_table("s", 0, [], tmp_path / "none.arrow").num_rows == 0


def test_texts_that_were_written_are_given_back_on_the_way(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    import mmap

    import pyarrow as pa

    given: list[int] = []

    class Watched(mmap.mmap):
        def madvise(self, option: int, *_: int) -> None:
            given.append(option)

    plain = passes.strings_table("s", 3, [pa.array(["abcdef", "ghij", "kl"])], tmp_path / "plain.arrow")
    monkeypatch.setattr(mmap, "mmap", Watched)
    monkeypatch.setattr(mmap, "MADV_DONTNEED", 4, raising=False)
    monkeypatch.setattr(passes, "WRITTEN", 5)
    table = passes.strings_table("s", 3, [pa.array(["abcdef", "ghij", "kl"])], tmp_path / "strings.arrow")
    assert table.to_pydict() == plain.to_pydict() == {"s": ["abcdef", "ghij", "kl"]}
    assert (tmp_path / "strings.arrow").read_bytes() == (tmp_path / "plain.arrow").read_bytes()
    assert given[-3:] == [4, 4, 4]  # twelve bytes of text, five at a time
