"""Reading files exactly, and what is said of files that cannot be read."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

import hfclean
from hfclean.source import Source, load

ROW = {"instruction": "Name a fruit.", "input": "", "output": "An apple."}


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Write a file (text, bytes, or rows as JSON lines) and load it."""

    def write_and_load(name: str, content: Any, **how: Any) -> Source:
        path = tmp_path / name
        if isinstance(content, list):
            content = "\n".join(json.dumps(row) for row in content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return load(path, cache_dir=tmp_path / "cache", **how)

    return write_and_load


def rows(source: Source) -> list[dict[str, Any]]:
    return source.dataset["train"].to_list()


def test_json_lines(read: Any) -> None:
    source = read("rows.jsonl", [ROW, {**ROW, "input": None}])
    assert rows(source) == [ROW, {**ROW, "input": None}]
    assert (source.name, source.kind, len(source.fingerprint)) == ("rows.jsonl", "file", 64)


@pytest.mark.parametrize(
    "data",
    [[ROW, ROW], {"data": [ROW, ROW]}, {name: [cell, cell] for name, cell in ROW.items()}],
    ids=["a list", "a list under a key", "columns"],
)
def test_json_in_every_layout(read: Any, data: Any) -> None:
    assert rows(read("rows.json", json.dumps(data))) == [ROW, ROW]


def test_an_answer_that_looks_like_a_date_stays_text(read: Any) -> None:
    dates = [{**ROW, "output": "2020-01-01"}, {**ROW, "output": "2020-01-02 10:00:00"}]
    assert rows(read("rows.jsonl", dates)) == dates


def test_csv_text_is_read_as_it_stands(read: Any) -> None:
    text = 'instruction,input,output,id\nWhich code?,N/A,NA,1\nAgent?,,007,2\n"Two\nlines",null,None,3\n'
    found = rows(read("rows.csv", text))
    assert [row["output"] for row in found] == ["NA", "007", "None"]
    assert [row["input"] for row in found] == ["N/A", "", "null"]
    assert [row["id"] for row in found] == [1, 2, 3]
    assert found[2]["instruction"] == "Two\nlines"


def test_tsv_and_named_columns(read: Any) -> None:
    source = read("rows.tsv", "q\ta\n01\tNA\n", columns={"instruction": "q", "response": "a"})
    assert rows(source) == [{"q": "01", "a": "NA"}]


def test_parquet_and_disk_and_folder(tmp_path: Path) -> None:
    ds = Dataset.from_list([ROW, ROW])
    ds.to_parquet(str(tmp_path / "rows.parquet"))
    DatasetDict(train=ds, test=ds.select([0])).save_to_disk(str(tmp_path / "disk"))
    (tmp_path / "folder").mkdir()
    ds.to_json(str(tmp_path / "folder" / "train.jsonl"))
    (tmp_path / "folder" / "README.md").write_text("---\nlicense: mit\n---\nHello\n")
    cache = tmp_path / "cache"
    assert rows(load(tmp_path / "rows.parquet", cache_dir=cache)) == [ROW, ROW]
    assert {k: len(v) for k, v in load(tmp_path / "disk", cache_dir=cache).dataset.items()} == {"train": 2, "test": 1}
    assert list(load(tmp_path / "disk", split="test", cache_dir=cache).dataset) == ["test"]
    source = load(tmp_path / "folder", cache_dir=cache)
    assert rows(source) == [ROW, ROW]
    assert source.card == "---\nlicense: mit\n---\nHello\n"
    with pytest.raises(hfclean.errors.SourceError, match="no split 'dev' in disk; it has train, test"):
        load(tmp_path / "disk", split="dev", cache_dir=cache)


def test_lone_surrogates_are_read_and_told_of(read: Any) -> None:
    source = read(
        "rows.jsonl", '{"instruction": "a", "output": "\\ud83d x"}\n{"instruction": "b", "output": "\\ud83d\\ude00"}'
    )
    assert [row["output"] for row in rows(source)] == ["\ufffd x", "\U0001f600"]
    assert source.notes == (
        "1 rows of rows.jsonl held lone surrogates, which no Arrow string can hold: read as U+FFFD or joined",
    )


def test_cells_of_several_types_stay_what_they_are(read: Any) -> None:
    mixed = [{**ROW, "output": "x"}, {**ROW, "output": 3}, {**ROW, "output": {"a": [1]}}]
    found = rows(read("rows.jsonl", mixed))
    assert found == mixed


def test_a_cell_of_ten_megabytes(read: Any) -> None:
    big = {**ROW, "output": "word " * 2_000_000}
    ds = read("rows.jsonl", [ROW, big]).dataset["train"].map(hfclean.revise, batched=True)
    assert hfclean.restore(ds).to_list() == [ROW, big]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.jsonl", "", r"'rows.jsonl' is empty \(0 bytes\)"),
        ("rows.jsonl", "\n\n", "'rows.jsonl' holds no rows"),
        ("rows.json", "[]", "'rows.json' holds no rows"),
        ("rows.jsonl", json.dumps(ROW) + '\n{"instruction": "b", "outp', r"line 2 is not valid JSON.*cut off there"),
        ("rows.jsonl", json.dumps(ROW) + "\n[1]\n", "line 2 is list; expected an object with columns"),
        ("rows.json", '{"a": [1, 2], "b": 3}', r"one object with the keys \['a', 'b'\]"),
        ("rows.jsonl", b'{"instruction": "\xe9", "output": "b"}', r"not UTF-8 \(line 1, byte 17\)"),
        ("rows.csv", b"instruction,output\n\xe9,b\n", "not UTF-8"),
        ("rows.csv", "instruction,output\na,b,c,d,e\nx,y,z\n", "line 2: 5 cells, and the header has 2"),
        ("rows.csv", 'instruction,output\n"a,b\n', "cannot be read as csv: line 2"),
        ("rows.parquet", "no parquet", "cannot be read as parquet"),
        ("rows.txt", "hello", r"has the suffix '.txt'; expected one of .jsonl"),
    ],
)
def test_what_is_said_of_a_file_that_cannot_be_read(read: Any, name: str, content: Any, said: str) -> None:
    with pytest.raises(hfclean.errors.SourceError, match=said):
        read(name, content)


def test_what_is_said_when_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(hfclean.errors.SourceError, match=r"no file or folder '.*rows.jsonl'"):
        load(tmp_path / "rows.jsonl", cache_dir=tmp_path)


def test_what_is_said_when_the_hub_is_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between the tries of huggingface_hub
    with pytest.raises(hfclean.errors.SourceError, match="Hub cannot be reached for 'someone/alpaca'"):
        load("someone/alpaca", cache_dir=tmp_path)


class Empty(BaseHTTPRequestHandler):
    """A Hub that has nothing."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def test_what_is_said_when_the_hub_has_no_such_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), Empty) as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.01,))
        thread.start()
        try:
            monkeypatch.setattr("datasets.config.HF_ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
            with pytest.raises(
                hfclean.errors.SourceError, match=r"no file, folder or Hub dataset 'someone/alpaca'.*login"
            ):
                load("someone/alpaca", cache_dir=tmp_path)
        finally:
            hub.shutdown()
            thread.join()


def test_rows_of_two_shapes_are_refused(read: Any) -> None:
    mixed = [ROW, {"messages": [{"role": "user", "content": "c"}]}]
    ds = read("rows.jsonl", mixed).dataset["train"]
    with pytest.raises(hfclean.errors.SchemaError, match=r"more than one shape: alpaca .*--columns alpaca"):
        ds.map(hfclean.revise)
