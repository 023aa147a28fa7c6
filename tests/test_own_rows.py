"""A row of a folder that was written here is read without `datasets`, and is the same row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict, Features, Json, List, Value

from hfclean.cleaning import clean
from hfclean.cli.folders import find_row
from hfclean.cli.own_rows import OwnSplit, own_folder
from hfclean.folder import read_folder, write_folder
from hfclean.layout import Layout
from hfclean.source import Source
from hfclean.testing import shape_rows


def written(rows: DatasetDict, out: Path) -> Path:
    write_folder(out, clean(rows, num_proc=1), before=rows, source=Source(rows, "rows", "file", "0"), layout=Layout())
    return out


@pytest.mark.parametrize("shape", ["alpaca", "messages", "preference_turns"])
def test_the_rows_are_those_that_datasets_reads(shape: str, tmp_path: Path) -> None:
    rows = shape_rows()[shape]
    out = written(DatasetDict({"train": Dataset.from_list(rows), "test": Dataset.from_list(rows[:1])}), tmp_path / "o")
    own, whole = own_folder(str(out)), read_folder(out, cache_dir=tmp_path / "cache")
    assert own is not None
    assert own.layout == whole.layout
    read = {s: [part[k] for k in range(len(part))] for s, part in own.dataset.items()}
    assert repr(read) == repr({s: part.to_list() for s, part in whole.dataset.items()})  # nan is not nan
    name = whole.dataset["train"][1]["row_id"]
    assert find_row(own, name) == find_row(whole, name) == ("train", 1)
    assert own.dataset["train"].column_names == whole.dataset["train"].column_names


def test_a_row_is_found_in_any_file_and_group(tmp_path: Path) -> None:
    files = [tmp_path / f"{k}.parquet" for k in range(2)]
    for k, file in enumerate(files):
        Dataset.from_dict({"n": range(10 * k, 10 * k + 7)}).to_parquet(file, batch_size=3)
    split = OwnSplit(files)
    assert [split[k]["n"] for k in range(len(split))] == split["n"] == [*range(7), *range(10, 17)]


def test_other_folders_are_read_whole(tmp_path: Path) -> None:
    features = Features({"instruction": Value("string"), "output": Value("string"), "meta": List(Json())})
    rows = Dataset.from_list([{"instruction": "Name a fruit.", "output": "A plum.", "meta": [{"a": 1}]}], features)
    plain = DatasetDict({"train": rows.remove_columns("meta")})
    assert own_folder(str(written(plain, tmp_path / "plain"))) is not None
    assert own_folder(str(written(DatasetDict({"train": rows}), tmp_path / "json"))) is None
    (tmp_path / "plain" / "hfclean.json").write_text("{}")
    assert own_folder(str(tmp_path / "plain")) is None
    assert own_folder(str(tmp_path / "none")) is None


def test_why_does_not_import_datasets(tmp_path: Path) -> None:
    out = written(DatasetDict({"train": Dataset.from_list(shape_rows()["alpaca"])}), tmp_path / "o")
    code = "import sys; from hfclean.cli import main; main(sys.argv[1:]); print('datasets' in sys.modules)"
    command = [sys.executable, "-c", code, "why", str(out), "1", "--json"]
    told, _, imported = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rpartition("}")
    assert imported.split() == ["False"]
    assert json.loads(told + "}")["index"] == 1
