"""Text stays text and numbers stay numbers: what a file holds is what the cleaned folder holds and gives back."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from datasets import Json, List, Value, load_dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hfclean
from hfclean.cleaning import clean
from hfclean.cli import main
from hfclean.errors import SourceError
from hfclean.folder import write_folder
from hfclean.layout import Layout
from hfclean.source import load
from hfclean.values import Kinds, features_of, loaded, spelled, stored

LOOKALIKES = ["4", "null", "007", "[1,  2]", "1e3", "true", "NaN", '"x"', "{}", "-", "5.", "Infinity", "0.10"]
ASK = "How many legs has a spider?"


def written(folder: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> Path:
    file = folder / name
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_text("\n".join(lines) if name.endswith("l") else f"[{','.join(lines)}]", encoding="utf-8")
    return file


def cleaned(file: Path, folder: Path, **how: Any) -> Any:
    """The folder that comes of a file, as `load_dataset` reads it, and what was noted."""
    source = load(file, cache_dir=folder / "cache", **how)
    result = clean(source.dataset, show=False)
    write_folder(folder / "out", result, before=source.dataset, source=source, layout=Layout())
    return load_dataset(str(folder / "out"), cache_dir=str(folder / "again"))["train"], source.notes


def there(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    return [{name: row.get(name) for name in names} for row in rows]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
@pytest.mark.parametrize("other", [4, 2.5, True, {"a": "007"}, ["1", 2]])
def test_strings_among_other_values_stay_strings(tmp_path: Path, name: str, other: Any) -> None:
    rows = [{"instruction": ASK, "output": value} for value in (other, None, *LOOKALIKES)]
    ds, notes = cleaned(written(tmp_path, rows, name), tmp_path)
    assert ds["output"][:] == [other, None, *LOOKALIKES]
    assert [type(value) for value in ds["output"]] == [type(row["output"]) for row in rows]
    assert hfclean.restore(ds).to_list() == rows
    assert notes == (
        "cells of several types in the columns 'output': each stays what it is, and the column's type is Json()",
    )


def test_a_repaired_cell_among_other_values_is_the_repaired_text(tmp_path: Path) -> None:
    rows = [{"instruction": ASK, "output": value} for value in (8, "007</s>", "null</s>", "8", {"legs": 0.1})]
    ds, _ = cleaned(written(tmp_path, rows), tmp_path)
    assert ds["output"][:] == [8, "007", "null", "8", {"legs": 0.1}]
    assert ds["edit"][:] == ["kept", "revised", "revised", "kept", "kept"]
    assert hfclean.restore(ds).to_list() == rows
    one = hfclean.restore(ds, rows=[ds["row_id"][1]])
    assert one["output"][:] == [8, "007</s>", "null", "8", {"legs": 0.1}]


def test_columns_beside_the_text_keep_their_values_too(tmp_path: Path) -> None:
    labels = ["007", 7, None, [1, "2"], "[1,  2]"]
    rows = [{"instruction": ASK, "output": "Eight.</s>", "label": label} for label in labels]
    ds, _ = cleaned(written(tmp_path, rows), tmp_path)
    assert ds["label"][:] == labels
    assert [row["label"] for row in hfclean.restore(ds)] == labels


def test_whole_numbers_of_any_size(tmp_path: Path) -> None:
    large = [2**63 - 1, 2**64 - 1, 2**64, -(2**63) - 1, 10**30]
    rows = [
        {"instruction": ASK, "output": "Eight.", "id": number, "fits": 2**64 - 1, "mixed": mixed, "in": {"n": number}}
        for number, mixed in zip(large, ["x", *large[1:]], strict=True)
    ]
    ds, notes = cleaned(written(tmp_path, rows), tmp_path)
    assert ds["id"][:] == [str(number) for number in large]
    assert ds["in"][:] == [{"n": str(number)} for number in large]
    assert ds["fits"][:] == [2**64 - 1] * 5
    assert ds["mixed"][:] == ["x", 2**64 - 1, str(2**64), str(-(2**63) - 1), str(10**30)]
    assert notes[-1] == "whole numbers of more than 64 bits in 'id', 'mixed', 'in.n': kept as their digits"


def test_numbers_that_datasets_would_round(tmp_path: Path) -> None:
    numbers = [0.3, 0.7, 0.95, 1.7, 1 / 3, 0.1 + 0.2, 1e22, 123456789.12345679, -73.98765432109876, 5e-324]
    rows = [
        {
            "messages": [
                {"role": "user", "content": ASK},
                {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": arguments}]},
            ],
            "score": number,
            "mixed": mixed,
        }
        for number, arguments, mixed in zip(
            numbers, [{"x": "007"}, *({"x": number} for number in numbers[1:])], ["0.5", *numbers[1:]], strict=True
        )
    ]
    ds, notes = cleaned(written(tmp_path, rows), tmp_path)
    assert ds["score"][:] == numbers
    assert ds["mixed"][:] == ["0.5", *numbers[1:-1], "5e-324"]
    assert notes[-1] == "numbers among text in 'mixed' that Json() would round: kept as their digits"
    assert ds["messages"][:-1] == [row["messages"] for row in rows[:-1]]
    cell = ds.data.column("messages").to_pylist()[-1]
    assert loaded(cell, ds.features["messages"]) == rows[-1]["messages"]
    assert hfclean.restore(ds).remove_columns("mixed").to_list()[:-1] == [
        {name: row[name] for name in ("messages", "score")} for row in rows[:-1]
    ]


@given(st.floats(-1e9, 1e9).map(lambda number: round(number, 4)) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_spelling_of_a_number_is_read_alike_by_all(number: float) -> None:
    text = spelled(number)
    if text is not None:
        assert (json.loads(text), type(json.loads(text))) == (number, float)
        assert Json().decode_example(text) == number
    else:
        assert len(repr(number)) > 8


def test_one_and_one_point_nothing_are_different_answers(tmp_path: Path) -> None:
    rows = [{"instruction": ASK, "output": output, "score": score} for output, score in ((8, 1), (2.5, 0.5))]
    ds, _ = cleaned(written(tmp_path, rows), tmp_path)
    assert [str(value) for value in ds["output"]] == ["8", "2.5"]
    assert ds.features["score"] == Value("float64")


def test_contents_of_several_kinds(tmp_path: Path) -> None:
    contents = ["null", "007", ["[1,  2]"], [{"type": "text", "text": "true"}], None, 4, "1e3</s>"]
    rows = [
        {"messages": [{"role": "user", "content": ASK}, {"role": "assistant", "content": content}]}
        for content in contents
    ]
    ds, _ = cleaned(written(tmp_path, rows), tmp_path)
    assert ds.features["messages"] == List(Json())
    assert [row[1]["content"] for row in ds["messages"]] == [*contents[:-1], "1e3"]
    assert hfclean.restore(ds).to_list() == rows


def test_arguments_of_several_types_and_keys_that_are_absent(tmp_path: Path) -> None:
    arguments: list[Any] = [{"city": "Rome"}, {"city": 7, "days": "03"}, '{"city": "007"}', {}]
    rows = [
        {
            "messages": [
                {"role": "user", "content": "Weather?</s>"},
                {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": each}}]},
                {"role": "assistant", "content": "Fair."},
            ]
        }
        for each in arguments
    ]
    ds, _ = cleaned(written(tmp_path, rows), tmp_path)
    assert ds["messages"][:] == [row["messages"] for row in rows]
    assert hfclean.restore(ds).to_list() == rows


def test_dates_stay_text_even_where_others_are_not_dates(tmp_path: Path) -> None:
    rows = [
        {"instruction": ASK, "output": "2020-01-01", "day": day} for day in ("2020-01-01", "unknown", "2020-01-02")
    ]
    ds, _ = cleaned(written(tmp_path, rows), tmp_path)
    assert ds["day"][:] == ["2020-01-01", "unknown", "2020-01-02"]
    assert ds["output"][:] == ["2020-01-01"] * 3


def test_a_lone_surrogate_in_a_later_row_is_read_and_told_of(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"instruction": "a", "output": "b"}\n{"instruction": "\\uD83D", "output": {"\\udE00": 1}}')
    source = load(file, cache_dir=tmp_path / "cache")
    assert source.dataset["train"][1] == {"instruction": "\ufffd", "output": {"\ufffd": 1}}
    assert source.notes[-1].startswith("1 rows of rows.jsonl held lone surrogates")


@pytest.mark.parametrize(
    "rows",
    [
        '{"output": "b", "instruction": "a", "x\\ud800": 1, "x\\udc00": 2}',
        '{"output": "b", "instruction": "a", "x\\ud800": 1}\n{"output": "b", "instruction": "a", "x\\udc00": 2}',
        '{"output": "b", "instruction": "a", "n": [{"x\\ud800": 1, "x\\udc00": 2}]}',
        '[{"output": "b", "instruction": "a", "x\\ud800": 1, "x\\udc00": 2}]',
        '{"output": "b", "instruction": "a", "x\\udc00": 1, "x\ufffd": 2}',
    ],
    ids=["columns", "columns of two rows", "fields", "a list", "beside U+FFFD"],
)
def test_names_that_differ_only_in_lone_surrogates_are_refused(rows: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(rows, encoding="utf-8")
    with pytest.raises(SourceError, match=r"'x\\u.* and 'x\\u.* differ only in lone surrogates"):
        load(file, cache_dir=tmp_path / "cache")


CELLS = [
    (["007", "008"], ["007", "008"]),
    (["7", "8"], [7, 8]),
    (["-3", "0"], [-3, 0]),
    (["-0", "0"], ["-0", "0"]),
    (["1", "2.5"], ["1", "2.5"]),
    (["1.0", "2.5"], [1.0, 2.5]),
    (["1.50", "2.5"], ["1.50", "2.5"]),
    (["+5", "6"], ["+5", "6"]),
    (["1e5", "2e5"], ["1e5", "2e5"]),
    (["1e-05", "0.5"], [1e-05, 0.5]),
    ([" 5", "6"], [" 5", "6"]),
    (["5", ""], ["5", ""]),
    (["1_000", "2"], ["1_000", "2"]),
    (["nan", "1.0"], ["nan", "1.0"]),
    (["inf", "1.0"], ["inf", "1.0"]),
    ([str(2**63), "1"], [str(2**63), "1"]),
    (["\u0663", "3"], ["\u0663", "3"]),
    (["True", "False"], [True, False]),
    (["true", "false"], ["true", "false"]),
    (["N/A", "null"], ["N/A", "null"]),
]


@pytest.mark.parametrize(("cells", "read"), CELLS, ids=lambda cells: str(cells))
def test_a_column_of_a_csv_file_holds_numbers_only_if_they_are_written_so(
    tmp_path: Path, cells: list[str], read: list[Any]
) -> None:
    file = tmp_path / "rows.csv"
    with file.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows([["instruction", "output", "x"], *(["q", cell, cell] for cell in cells)])
    ds = load(file, cache_dir=tmp_path / "cache").dataset["train"]
    assert ds["output"][:] == cells
    assert ds["x"][:] == read
    assert [type(value) for value in ds["x"]] == [type(value) for value in read]


def test_csv_files_that_are_read_together_agree_on_their_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("instruction,output,id\nq,1,7\n")
    (tmp_path / "b.csv").write_text("instruction,output,id\nq,2,007\n")
    ds = load([tmp_path / "a.csv", tmp_path / "b.csv"], cache_dir=tmp_path / "cache").dataset["train"]
    assert ds.to_list() == [
        {"instruction": "q", "output": "1", "id": "7"},
        {"instruction": "q", "output": "2", "id": "007"},
    ]


def test_names_that_a_csv_header_lacks_or_repeats(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('\ufeff,instruction,output,x,x\n0,q,"a ""b""\r\nc",1,2\n\n', encoding="utf-8")
    ds = load(tmp_path / "rows.csv", cache_dir=tmp_path / "cache").dataset["train"]
    assert ds.to_list() == [{"Unnamed: 0": 0, "instruction": "q", "output": 'a "b"\r\nc', "x": 1, "x.1": 2}]


def test_convert_writes_what_the_file_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = (("007", 0.1 + 0.2, "4"), ("null", 1 / 3, 4), (["1e3"], 5e-324, {"a": "</s>"}))
    rows = [
        {"messages": [{"role": "user", "content": ASK}, {"role": "assistant", "content": content}], "x": x, "y": y}
        for content, x, y in cells
    ]
    written(tmp_path, rows)
    assert main(["convert", "rows.jsonl", "--to", "messages", "--out", "same.jsonl", "--quiet"]) == 0
    assert [json.loads(line) for line in (tmp_path / "same.jsonl").read_text().splitlines()] == rows
    mixed = [{"instruction": ASK, "output": output, "label": label} for output, label in (("4", 4), (4, "4"))]
    written(tmp_path, mixed, "mixed.jsonl")
    assert main(["convert", "mixed.jsonl", "--to", "alpaca", "--out", "mixed.csv", "--quiet"]) == 0
    with (tmp_path / "mixed.csv").open(newline="") as f:
        assert [(row["output"], row["label"]) for row in csv.DictReader(f)] == [("4", "4"), ("4", "4")]


# ---------------------------------------------------------------------------------------------------- any row at all

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
    | st.sampled_from(LOOKALIKES)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
)
NAMES = st.sampled_from(["a", "b", "007", "x y"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["x", "y", "output"]), VALUES, min_size=1), min_size=1, max_size=4)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_any_rows_come_back_from_the_folder(rows: list[dict[str, Any]]) -> None:
    rows = [{"instruction": "007 </s>", "output": "4", **row} for row in rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with tempfile.TemporaryDirectory() as folder:
        ds, _ = cleaned(written(Path(folder), rows), Path(folder))
        back = hfclean.restore(ds)
        exact = [
            {name: loaded(cell, back.features[name]) for name, cell in row.items()}
            for row in back.with_format("arrow")[:].to_pylist()
        ]
        assert there(exact, names) == there(rows, names)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_a_value_is_stored_so_that_it_can_be_loaded(values: list[Any]) -> None:
    kinds = Kinds()
    for value in values:
        kinds.add(value)
    feature = features_of({"x": kinds})["x"]
    assert [loaded(stored(value, feature), feature) for value in values] == values
