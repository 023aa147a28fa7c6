"""Files that end early and disks that are full: one line that says so, and nothing half written."""

from __future__ import annotations

import errno
import gzip
import json
import os
from pathlib import Path

import pytest
from datasets import Dataset

from hfclean import passes
from hfclean.cli import main
from hfclean.selection import near_duplicates

ROWS = [{"prompt": f"Name city {k}.", "completion": f"City {k} is large and old.</s>"} for k in range(300)]
OUT = {"clean": "cleaned", "dedupe": "kept.jsonl", "decontaminate": "kept.parquet", "pii": "plain.jsonl"}
FULL = "No space left on device: free some, or write to another disk; nothing was written"


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Dataset.from_list(ROWS).to_json("rows.jsonl")
    Path("asked.jsonl").write_text(json.dumps({"question": "Which city is the largest of all that are near a river?"}))


def words(verb: str, source: str = "rows.jsonl") -> list[str]:
    against = ["--against", "asked.jsonl"] if verb == "decontaminate" else []
    return [verb, source, *against, *(["--drop"] if verb == "pii" else []), "--out", OUT[verb], "--quiet"]


def cut(kind: str) -> str:
    """A file of which the last third is missing."""
    whole = Path("rows.jsonl").read_bytes()
    if kind == "jsonl.gz":
        whole = gzip.compress(whole)
    elif kind == "parquet":
        Dataset.from_list(ROWS).to_parquet("whole.parquet")
        whole = Path("whole.parquet").read_bytes()
        Path("whole.parquet").unlink()
    Path(f"cut.{kind}").write_bytes(whole[: len(whole) * 2 // 3])
    return f"cut.{kind}"


@pytest.mark.parametrize("verb", OUT)
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("jsonl", "line 201 is not valid JSON"),
        ("jsonl.gz", "is damaged, or is not a .gz file (Compressed file ended before"),
        ("parquet", "cannot be read as parquet: Parquet magic bytes not found in footer"),
    ],
)
def test_a_file_that_ends_early_is_one_line_and_writes_nothing(
    verb: str, kind: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = cut(kind)
    before = sorted(os.listdir())
    assert main(words(verb, source)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"hfclean {verb}: ")
    assert source in line
    assert why in line
    assert sorted(os.listdir()) == before


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("verb", OUT)
def test_a_disk_that_is_full_when_the_rows_are_written_is_one_line(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(os.listdir())
    monkeypatch.setattr("hfclean.durable._sync", full)
    assert main(words(verb)) == 1
    assert capsys.readouterr().err == f"hfclean {verb}: {FULL}\n"
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_disk_that_is_full_while_duplicates_are_looked_for_is_one_line(
    count: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(os.listdir())
    monkeypatch.setattr(passes, "IN_MEMORY", 0)
    monkeypatch.setattr("hfclean.processes.BATCH", 100)
    monkeypatch.setattr(os, "posix_fallocate", full)
    assert main([*words("dedupe"), "--num-proc", count]) == 1
    assert capsys.readouterr().err == f"hfclean dedupe: {FULL}\n"
    assert sorted(os.listdir()) == before


def test_a_disk_that_is_full_in_another_process_is_the_same_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parent, real, before = os.getpid(), near_duplicates.shingles, sorted(os.listdir())

    def elsewhere(texts: list[str], n: int) -> object:
        if os.getpid() != parent:
            full()
        return real(texts, n)

    monkeypatch.setattr("hfclean.processes.BATCH", 100)
    monkeypatch.setattr(near_duplicates, "shingles", elsewhere)
    assert main([*words("dedupe"), "--num-proc", "2"]) == 1
    assert capsys.readouterr().err == f"hfclean dedupe: {FULL}\n"
    assert sorted(os.listdir()) == before


def test_an_undo_on_a_full_disk_leaves_the_folder_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words("clean")) == 0
    before = {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()}
    capsys.readouterr()
    monkeypatch.setattr("hfclean.folder.write_about", full)  # the rows are written by then
    assert main(["undo", "cleaned"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"hfclean undo: {FULL}"
    assert {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()} == before
