"""Rows of the same words are duplicates only where all the rest is equal."""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa
import pytest
from datasets import Dataset, Features, Image, List, Value

import hfclean

PAIR = {"instruction": "What is shown in it?", "output": "A grey cat."}
METHODS: list[Literal["exact", "near"]] = ["exact", "near"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("column", ["tools", "system", "image"])
def test_another_column_of_context_tells_rows_apart(method: Literal["exact", "near"], column: str) -> None:
    ds = Dataset.from_list([{**PAIR, column: value} for value in ("a", "b", "a")])
    assert list(hfclean.dedupe(ds, method)) == [0, 1]
    assert [bool(mark) for mark in hfclean.clean(ds).dataset["duplicate_of"]] == [False, False, True]


@pytest.mark.parametrize("method", METHODS)
def test_pictures_are_compared_by_their_bytes_and_never_decoded(method: Literal["exact", "near"]) -> None:
    kinds = Features({"instruction": Value("string"), "output": Value("string"), "images": List(Image())})
    cells: list[Any] = [[{"bytes": data, "path": path}] for data, path in ((b"1", "a"), (b"2", "a"), (b"1", "b"))]
    table = pa.table({**{key: [text] * 3 for key, text in PAIR.items()}, "images": cells}, schema=kinds.arrow_schema)
    assert list(hfclean.dedupe(Dataset(table), method)) == [0, 1]


@pytest.mark.parametrize("method", METHODS)
def test_typed_parts_tell_rows_apart(method: Literal["exact", "near"]) -> None:
    def row(path: str) -> dict[str, Any]:
        parts = [{"type": "image", "image": path, "text": None}, {"type": "text", "image": None, "text": "And this?"}]
        return {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": [parts[1]]}]}

    assert list(hfclean.dedupe(Dataset.from_list([row("1.png"), row("2.png"), row("1.png")]), method)) == [0, 1]


def test_likely_pairs_are_of_one_context() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve"
    rows = [{"prompt": f"{text} {k // 3}", "completion": "", "tools": str(k % 3)} for k in range(30)]
    ds = Dataset.from_list([*rows, *rows[:4]])
    found = hfclean.selection.duplicate_groups(ds, complete=False)
    assert not found.complete
    assert found.groups == tuple(tuple(range(n, 34, 3)) for n in range(3))
