"""Files of every kind: compressed, archives, patterns, several, folders, the standard input, and layouts of JSON."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import socket
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetInfo, Features, Image, List, Value, load_dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from huggingface_hub import HfApi

import hfclean
from hfclean import limits
from hfclean.cli import main
from hfclean.errors import SourceError
from hfclean.source import Source, load, local_paths

FRUIT = {"instruction": "Name a fruit.", "output": "007"}
TREE = {"instruction": "Name a tree.", "output": "null"}
LINES = "".join(json.dumps(row) + "\n" for row in (FRUIT, TREE)).encode()
TABLE = b"instruction,output,zip\nName a fruit.,007,01234\nName a tree.,null,00501\n"
PICTURE = b"\x89PNG no reader would open"


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # a time in it would differ between the workers that collect these tests


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)  # type: ignore[no-any-return]


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Source]:
    """Write files and load them, or the one of that name."""

    def write_and_load(
        files: dict[str, bytes | str | Any], where: str | list[str] | None = None, **how: Any
    ) -> Source:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not isinstance(content, (bytes, str)):
                content = json.dumps(content)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        names = [where or next(iter(files))] if not isinstance(where, list) else where
        paths = [tmp_path / name for name in names]
        return load(paths[0] if len(paths) == 1 else paths, cache_dir=tmp_path / "cache", **how)

    return write_and_load


def splits(source: Source) -> dict[str, list[dict[str, Any]]]:
    return {name: list(part) for name, part in source.dataset.items()}


PACKED = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
}


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.json", "rows.parquet"])
def test_compressed_files(read: Any, tmp_path: Path, suffix: str, name: str) -> None:
    Dataset.from_list([FRUIT, TREE]).to_parquet(str(tmp_path / "plain"))
    plain = {
        "rows.jsonl": LINES,
        "rows.csv": TABLE,
        "rows.json": json.dumps([FRUIT, TREE]).encode(),
        "rows.parquet": (tmp_path / "plain").read_bytes(),
    }
    source = read({name + suffix: PACKED[suffix](plain[name])})
    assert [(row["instruction"], row["output"]) for row in splits(source)["train"]] == [
        ("Name a fruit.", "007"),
        ("Name a tree.", "null"),
    ]
    assert (source.name, source.kind, len(source.fingerprint)) == (name + suffix, "file", 64)


@pytest.mark.parametrize("suffix", PACKED)
def test_parts_that_follow_one_another_in_one_compressed_file(read: Any, suffix: str) -> None:
    assert len(read({f"rows.jsonl{suffix}": PACKED[suffix](LINES) * 2}).dataset["train"]) == 4


def test_a_compressed_file_whose_name_says_nothing_is_looked_into(read: Any) -> None:
    assert splits(read({"rows.gz": gzip.compress(LINES)}))["train"] == [FRUIT, TREE]


def test_an_archive_of_several_files(read: Any) -> None:
    one = json.dumps(TREE).encode()
    files = {"b/two.jsonl": one, "a.csv": TABLE, "__MACOSX/._a.csv": b"x", ".hidden.csv": b"x", "notes.txt": b"x"}
    found = splits(read({"rows.zip": zipped(files)}))["train"]
    assert [row["instruction"] for row in found] == ["Name a fruit.", "Name a tree.", "Name a tree."]
    assert [row["zip"] for row in found] == ["01234", "00501", None]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.jsonl.gz", gzipped(LINES)[:-9], "'rows.jsonl.gz' is damaged"),
        ("rows.jsonl.gz", LINES, "damaged, or is not a .gz file"),
        ("rows.jsonl.bz2", LINES, "damaged, or is not a .bz2 file"),
        ("rows.jsonl.xz", LINES, "damaged, or is not a .xz file"),
        ("rows.jsonl.zst", LINES, "damaged, or is not a .zst file"),
        ("rows.zip", LINES, "damaged, or is not a .zip file"),
        ("rows.zip", zipped({"notes.txt": b"x"}), r"the archive 'rows.zip' holds \['notes.txt'\]"),
        ("notes.txt.gz", gzipped(b"hello"), "expected one of .jsonl, .*which may be followed by .gz"),
        (
            "rows.jsonl.gz",
            gzipped(LINES + b'{"a": '),
            "'rows.jsonl.gz', line 3 is not valid JSON.*cut off there",
        ),
        ("rows.csv.gz", gzipped(b"instruction,output\na,b,c\n"), "'rows.csv.gz', line 2: 3 cells"),
        ("rows.jsonl", b"\xff\xfe{\x00", "not UTF-8"),
        ("rows.jsonl", b"[" * 100_000, "nested too deeply|not valid JSON"),
    ],
)
def test_what_is_said_of_a_damaged_file(read: Any, name: str, content: bytes, said: str) -> None:
    with pytest.raises(hfclean.errors.SourceError, match=said):
        read({name: content})


def test_several_files_and_patterns(read: Any, tmp_path: Path) -> None:
    files = {"data/b.jsonl": TREE, "data/a.jsonl": FRUIT, "c.csv": TABLE, "data/empty.jsonl": b""}
    assert splits(read(files, "data/*.jsonl"))["train"] == [FRUIT, TREE]
    several = read({}, ["c.csv", "data/b.jsonl", "data/*.jsonl"])
    assert [row["output"] for row in splits(several)["train"]] == ["007", "null", "null", "007"]
    assert several.name == "c.csv and 3 more"
    assert read({}, ["data/a.jsonl", "data/b.jsonl"]).fingerprint != read({}, "data/b.jsonl").fingerprint
    with pytest.raises(hfclean.errors.SourceError, match=r"no file '.*none/\*\.jsonl'"):
        read({}, "none/*.jsonl")
    with pytest.raises(hfclean.errors.SourceError, match="is a folder; give it alone"):
        read({}, ["data", "c.csv"])
    assert sorted(path.name for path in local_paths([str(tmp_path / "data/*.jsonl"), "-", "someone/alpaca"])) == [
        "a.jsonl",
        "b.jsonl",
        "empty.jsonl",
    ]


def test_parquet_files_are_not_mixed_with_others(read: Any, tmp_path: Path) -> None:
    Dataset.from_list([FRUIT]).to_parquet(str(tmp_path / "a.parquet"))
    Dataset.from_list([TREE]).to_parquet(str(tmp_path / "b.parquet"))
    assert splits(read({}, "*.parquet"))["train"] == [FRUIT, TREE]
    with pytest.raises(hfclean.errors.SourceError, match="parquet files beside json; read them apart"):
        read({"c.jsonl": TREE}, ["a.parquet", "c.jsonl"])


def test_a_folder_of_files_has_the_splits_that_datasets_sees(read: Any) -> None:
    mixed = [{**FRUIT, "label": 1}, {**TREE, "label": "007"}]
    source = read({"f/train.jsonl": mixed[0], "f/test.jsonl": mixed[1]}, "f")
    assert splits(source) == {"train": [mixed[0]], "test": [mixed[1]]}
    assert source.kind == "folder"
    assert splits(read({}, "f", split="test")) == {"test": [mixed[1]]}
    assert splits(read({"g/rows.csv.gz": gzip.compress(TABLE)}, "g"))["train"][0] == {**FRUIT, "zip": "01234"}
    card = "---\nconfigs:\n- config_name: default\n  data_files: '*.csv'\n  sep: ';'\n---\n"
    separated = {"h/README.md": card, "h/rows.csv": "instruction;output;zip\nName a fruit.;007;01\n"}
    assert splits(read(separated, "h"))["train"] == [{**FRUIT, "zip": "01"}]


def test_a_part_of_a_split(read: Any) -> None:
    assert splits(read({"rows.jsonl": LINES}, split="train[1:]")) == {"train": [TREE]}
    with pytest.raises(hfclean.errors.SourceError, match=r"no split 'dev' in rows\.jsonl; it has train"):
        read({"rows.jsonl": LINES}, split="dev")


# --------------------------------------------------------------------------------------------------- standard input


@pytest.mark.parametrize(
    "data",
    [LINES, json.dumps([FRUIT, TREE]).encode(), TABLE, TABLE.replace(b",", b"\t"), gzipped(LINES), zstd(TABLE)],
    ids=["lines", "JSON", "csv", "tsv", "lines.gz", "csv.zst"],
)
def test_the_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    source = load("-", cache_dir=tmp_path)
    assert [row["output"] for row in splits(source)["train"]] == ["007", "null"]
    assert source.name.startswith("stdin.")


@pytest.mark.parametrize(
    ("data", "said"), [(b" \n", "nothing came on the standard input"), (b"hello\n", "begins with b'hello")]
)
def test_what_is_said_of_a_standard_input_that_holds_no_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, said: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with pytest.raises(hfclean.errors.SourceError, match=said):
        load("-", cache_dir=tmp_path)


def test_the_command_line_takes_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text(json.dumps({**FRUIT, "output": "Apple.</s>"}))
    Path("b.csv").write_bytes(TABLE)
    assert main(["clean", "a.jsonl", "b.csv", "--out", "o", "--quiet"]) == 0
    ds = load_dataset("o", cache_dir="cache")["train"]
    assert ds["output"][:] == ["Apple.", "007", "null"]
    assert main(["clean", "o/data/*.parquet", "--out", "o", "--overwrite", "--quiet"]) == 1
    assert "holds the source itself" in capsys.readouterr().err
    assert main(["revise", "a.jsonl", "b.csv", "--retry-failed"]) == 2


# ------------------------------------------------------------------------------------------------- layouts of JSON

LAYOUTS = {
    "columns by index": {
        "instruction": {"0": "Name a fruit.", "1": "Name a tree."},
        "output": {"0": "007", "1": "null"},
    },
    "rows by index": {"0": FRUIT, "1": TREE},
    "rows by name": {"first": FRUIT, "second": TREE},
    "split": {
        "columns": ["instruction", "output"],
        "index": [0, 1],
        "data": [["Name a fruit.", "007"], ["Name a tree.", "null"]],
    },
    "table": {
        "schema": {"fields": [{"name": "index"}], "primaryKey": ["index"]},
        "data": [{"index": 0, **FRUIT}, {"index": 1, **TREE}],
    },
    "records": [FRUIT, TREE],
    "columns": {"instruction": ["Name a fruit.", "Name a tree."], "output": ["007", "null"]},
    "rows under a key": {"rows": [FRUIT, TREE]},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_one_table(read: Any, layout: str) -> None:
    assert splits(read({"rows.json": LAYOUTS[layout]})) == {"train": [FRUIT, TREE]}
    assert splits(read({"pretty.json": json.dumps(LAYOUTS[layout], indent=1)})) == {"train": [FRUIT, TREE]}


def test_rows_under_a_key_beside_what_describes_them(read: Any) -> None:
    source = read({"rows.json": {"version": "1.0", "data": [FRUIT]}})
    assert splits(source) == {"train": [FRUIT]}
    assert source.notes == ("rows.json: the rows under 'data' were read, and 'version' beside them left out",)


def test_an_object_of_splits(read: Any, tmp_path: Path) -> None:
    for name, value in {
        "a.json": {"train": [FRUIT, FRUIT], "test": [TREE]},
        "b.json": {"train": [FRUIT, FRUIT], "test": [TREE, TREE]},
        "c.json": {"train": {k: [v, v] for k, v in FRUIT.items()}, "validation": {k: [v] for k, v in TREE.items()}},
    }.items():
        found = splits(read({name: value}))
        assert found["train"] == [FRUIT, FRUIT]
        assert list(found.values())[1][0] == TREE
    assert splits(read({"d.json": {"test": [TREE]}})) == {"test": [TREE]}
    assert splits(read({}, "a.json", split="test")) == {"test": [TREE]}
    assert main(["clean", str(tmp_path / "a.json"), "--out", str(tmp_path / "o"), "--quiet"]) == 0
    assert {k: len(v) for k, v in load_dataset(str(tmp_path / "o"), cache_dir=str(tmp_path / "c")).items()} == {
        "train": 2,
        "test": 1,
    }


def test_one_object_that_is_one_row(read: Any) -> None:
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    assert splits(read({"rows.json": {"messages": chat}})) == {"train": [{"messages": chat}]}
    assert splits(read({"pair.json": {"chosen": chat, "rejected": chat}}))["train"] == [
        {"chosen": chat, "rejected": chat}
    ]
    assert splits(read({"row.json": json.dumps(FRUIT, indent=1)})) == {"train": [FRUIT]}
    assert splits(read({"row.jsonl": json.dumps(FRUIT, indent=1)})) == {"train": [FRUIT]}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([["Name a fruit.", "007"]], "list of lists.*orient='records'"),
        ({"instruction": {"0": "a", "1": "b"}, "output": {"0": "c"}}, "columns .* whose rows differ"),
        (
            {"a": {"b": {"c": 1}}},
            r"one object with the keys \['a'\], which is not one row and neither columns nor splits",
        ),
        ({"a": [1, 2], "b": [3]}, "neither columns nor splits"),
    ],
)
def test_what_is_said_of_json_that_holds_no_rows(read: Any, value: Any, said: str) -> None:
    with pytest.raises(hfclean.errors.SourceError, match=said):
        read({"rows.json": value})


# -------------------------------------------------------------------------------------------------------- pictures


def test_pictures_need_nothing_that_opens_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = [{"role": "user", "content": "<image> What is it?"}, {"role": "assistant", "content": "A cat.</s>"}]
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    message = {"role": Value("string"), "content": Value("string")}
    features = Features({"messages": List(message), "images": List(Image())})
    pictures = pa.array([[{"bytes": PICTURE, "path": None}]] * 2, pa.list_(struct))
    table = pa.table({"messages": pa.array([chat] * 2), "images": pictures}).cast(features.arrow_schema)
    ds = Dataset(table, info=DatasetInfo(features=features))
    ds.to_parquet(str(tmp_path / "rows.parquet"))
    ds.save_to_disk(str(tmp_path / "disk"))
    for source in ("rows.parquet", "disk"):
        out = tmp_path / f"out-{source}"
        assert main(["clean", str(tmp_path / source), "--out", str(out), "--drop-duplicates", "--quiet"]) == 0
        back = load_dataset(str(out), cache_dir=str(tmp_path / f"cache-{source}"))["train"]
        assert back.features["images"] == List(Image())
        assert back.data.column("images").to_pylist()[0][0]["bytes"] == PICTURE
        assert back.select_columns(["messages"])[0]["messages"][1]["content"] == "A cat."
        assert main(["undo", str(out), "--out", str(tmp_path / f"undone-{source}")]) == 0
    capsys.readouterr()
    assert (
        main(["convert", str(tmp_path / "disk"), "--to", "messages", "--out", str(tmp_path / "x.jsonl"), "--quiet"])
        == 1
    )
    assert (
        "'images' holds pictures or sound, which .jsonl cannot hold; choose a .parquet file" in capsys.readouterr().err
    )


def test_json_and_csv_files_on_the_hub_are_read_as_they_stand(fake_hub: FakeHub, tmp_path: Path) -> None:
    api = HfApi()
    api.create_repo("me/mixed", repo_type="dataset")
    rows = [{"instruction": "q", "output": output} for output in ("007", 4, "null")]
    files = {
        "train.jsonl": "\n".join(json.dumps(row) for row in rows),
        "test.jsonl.gz": None,
        "README.md": "---\nlicense: mit\n---\nRows.\n",
    }
    for name, text in files.items():
        data = gzip.compress(json.dumps(rows[0]).encode()) if text is None else text.encode()
        api.upload_file(path_or_fileobj=data, path_in_repo=name, repo_id="me/mixed", repo_type="dataset")
    source = load("me/mixed", cache_dir=tmp_path)
    assert splits(source) == {"train": rows, "test": rows[:1]}
    assert (source.kind, len(source.fingerprint)) == ("hub", 40)
    assert splits(load("me/mixed", split="test", cache_dir=tmp_path)) == {"test": rows[:1]}


CONFIGS = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {}\n---\nRows.\n"


def on_the_hub(**files: bytes | str) -> str:
    """The id of a dataset of these files, each named by `_` for `.` and `__` for `/`."""
    api = HfApi()
    api.create_repo("me/rows", repo_type="dataset")
    for name, content in files.items():
        path = name.replace("__", "/").replace("_", ".")
        data = content if isinstance(content, bytes) else content.encode()
        api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id="me/rows", repo_type="dataset")
    return "me/rows"


def parquet(rows: list[dict[str, Any]], **how: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, **how)
    return sink.getvalue()


@pytest.mark.parametrize("name", ["README_md", "_huggingface_yaml"])
@pytest.mark.parametrize(
    "where",
    ["http://127.0.0.1:{port}/x.parquet", "zip://x.jsonl::http://127.0.0.1:{port}/x.zip", "hf://datasets/a/b/x"],
)
def test_a_card_on_the_hub_that_has_its_rows_elsewhere_is_refused_before_anybody_is_asked(
    fake_hub: FakeHub, name: str, where: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        where = where.format(port=other.getsockname()[1])
        text = CONFIGS.format(where)
        card = {name: text if name == "README_md" else text.split("---\n")[1]}
        repo_id = on_the_hub(data__train_jsonl='{"instruction": "q", "output": "a"}', **card)
        with pytest.raises(SourceError, match=rf"the card of 'me/rows' has its rows at '{re.escape(where)}'"):
            load(repo_id, cache_dir=tmp_path)
        with pytest.raises(BlockingIOError):
            other.accept()


@pytest.mark.parametrize("way", ["absolute", "hf://datasets/me/rows/../../../../../../..{}"])
def test_a_card_on_the_hub_reads_no_files_of_this_machine(fake_hub: FakeHub, way: str, tmp_path: Path) -> None:
    (tmp_path / "private.jsonl").write_text('{"instruction": "q", "output": "private"}')
    where = str(tmp_path / "private.jsonl")
    repo_id = on_the_hub(README_md=CONFIGS.format(where if way == "absolute" else way.format(where)))
    with pytest.raises(SourceError):
        load(repo_id, cache_dir=tmp_path)


def test_a_card_on_the_hub_may_name_its_own_files(fake_hub: FakeHub, tmp_path: Path) -> None:
    rows = [{"instruction": "q", "output": "a"}]
    repo_id = on_the_hub(data__train_parquet=parquet(rows), README_md=CONFIGS.format("data/*.parquet"))
    assert splits(load(repo_id, cache_dir=tmp_path)) == {"train": rows}


def test_parquet_on_the_hub_that_unpacks_to_far_more_than_rows_do_is_refused(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": "Say it again. " + "x" * 20_000, "output": "No."}] * 300
    repo_id = on_the_hub(data__train_parquet=parquet(rows, compression="zstd"))
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 2_000_000)
    monkeypatch.setattr(limits, "UNPACKED_TIMES", 5)
    out = tmp_path / "out"
    assert main(["clean", repo_id, "--out", str(out)]) == 1
    assert "'train.parquet' unpacks to more than 2,000,000 bytes" in capsys.readouterr().err
    assert not out.exists()
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 1 << 32)
    assert main(["clean", repo_id, "--out", str(out), "--quiet"]) == 0
