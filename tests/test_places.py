"""Places that make it hard: names that are not text, no memory, no room, strict permissions."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets.exceptions import DatasetGenerationError

from hfclean.cli import main, rules
from hfclean.cli.running import SHORTAGES
from hfclean.errors import SourceError
from hfclean.ownership import is_own

ROWS = [{"instruction": f"Name fruit {n}.", "output": f"Apple {n}.</s>"} for n in range(4)]
ODD = os.fsdecode(b"o\xff")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    return tmp_path


def odd_names() -> bool:
    try:
        Path(ODD).touch()
        Path(ODD).unlink()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("out", [ODD, f"{ODD}/inner"])
def test_a_folder_whose_name_is_not_text_goes_the_whole_way(out: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not odd_names():
        pytest.skip("this file system takes only names that are text")
    assert main(["clean", "rows.jsonl", "--out", out, "--quiet"]) == 0
    for command in (
        ["why", out, "0"],
        ["score", out],
        ["clean", out, "--out", "again", "--quiet"],
        ["convert", out, "--to", "messages", "--out", f"{out}.parquet"],
        ["score", f"{out}.parquet"],
        ["card", out],
        ["clean", "rows.jsonl", "--out", out, "--overwrite", "--quiet"],
        ["undo", out],
    ):
        assert main(command) == 0, (command, capsys.readouterr().err)
    capsys.readouterr()
    assert main(["why", out, "0"]) == 0
    assert "Apple 0.</s>" in capsys.readouterr().out
    assert not [item.name for item in Path(out).parent.iterdir() if item.name.startswith(".")]


def test_a_file_whose_name_is_not_text_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    if not odd_names():
        pytest.skip("this file system takes only names that are text")
    Path("rows.jsonl").rename(f"{ODD}.jsonl")
    assert main(["clean", f"{ODD}.jsonl", "--out", "out", "--quiet"]) == 0
    about = json.loads(Path("out/hfclean.json").read_text())
    assert about["source"]["name"] == "o\ufffd.jsonl"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("malloc of size 64 failed"),
        ImportError("libx.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        caused(
            DatasetGenerationError("An error occurred while generating the dataset"), pa.ArrowMemoryError("malloc")
        ),
    ],
)
def test_a_machine_without_memory_is_said_in_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("hfclean.folder.write_parts", fail)
    assert main(["clean", "rows.jsonl", "--out", "out", "--quiet"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "hfclean clean: not enough memory; nothing was written"
    assert os.listdir() == ["rows.jsonl"]


def test_an_import_that_fails_for_another_reason_is_not_called_a_lack_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ImportError("cannot import name 'x'")

    monkeypatch.setattr(rules, "run", fail)
    with pytest.raises(ImportError, match="cannot import name"):
        main(["rules"])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.EIO])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_disk_that_takes_no_more_leaves_what_was_there(
    code: int, overwrite: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if overwrite:
        assert main(["clean", "rows.jsonl", "--out", "out", "--quiet"]) == 0
    before = {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file()}

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("hfclean.durable._sync", fail)
    assert main(["clean", "rows.jsonl", "--out", "out", "--quiet", *(["--overwrite"] if overwrite else [])]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    begin, _, move = said.removesuffix("; nothing was written").partition(f"hfclean clean: {os.strerror(code)}")
    assert (begin, move) == ("", f": {SHORTAGES[code]}" if code in SHORTAGES else "")
    assert {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file()} == before
    assert sorted(os.listdir()) == sorted(["rows.jsonl", *(["out"] if overwrite else [])])


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"),
        OSError("Not enough disk space. Needed: Unknown size (download: Unknown size, generated: Unknown size"),
        caused(DatasetGenerationError("An error occurred"), OSError(errno.ENOSPC, "No space left on device")),
        caused(SourceError("the folder 'out' cannot be read"), OSError("Detail: [errno 28] No space left on device")),
    ],
    ids=["plain", "pyarrow", "datasets", "datasets, wrapped", "ours, wrapped"],
)
@pytest.mark.parametrize("verb", ["undo", "convert", "pull", "clean"])
def test_a_full_disk_is_one_line_whatever_libraries_make_of_it(
    verb: str, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(f"hfclean.cli.{verb}.run", fail)
    words = {
        "undo": ["out"],
        "convert": ["out", "--to", "messages", "--out", "x.jsonl"],
        "pull": ["me/x", "--out", "x"],
    }
    Path("out").mkdir()
    Path("out", "hfclean.json").write_text("{}")
    assert main([verb, *words.get(verb, ["rows.jsonl", "--out", "x"])]) == 1
    line = "No space left on device: free some, or write to another disk; nothing was written\n"
    assert capsys.readouterr().err == f"hfclean {verb}: {line}"


def test_an_undo_that_finds_no_room_loses_nothing() -> None:
    if sys.platform == "win32":
        pytest.skip("no limits for processes on Windows")
    import resource

    assert main(["clean", "rows.jsonl", "--out", "out", "--quiet"]) == 0
    before = {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file()}
    done = subprocess.run(
        [sys.executable, "-m", "hfclean", "undo", "out"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        capture_output=True,
        text=True,
        check=False,
    )
    said = "hfclean undo: File too large: raise the limit on the size of files (ulimit -f); nothing was written"
    assert done.returncode == 1
    assert said in done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file()} == before
    assert sorted(os.listdir()) == ["out", "rows.jsonl"]


@pytest.mark.parametrize("name", ["rows.jsonl", "away/.hfclean-data.starting-1", "new.json"])
def test_what_is_not_allowed_is_named_with_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", name)

    monkeypatch.setattr("hfclean.cli.clean.run", fail)
    assert main(["clean", "rows.jsonl", "--out", "out"]) == 1
    what = {
        "rows.jsonl": "rows.jsonl: allow it (chmod), or choose another",
        "new.json": "to write in .: allow it (chmod), or choose another place",
    }.get(name, "to write in away: allow it (chmod), or choose another place")
    assert capsys.readouterr().err == f"hfclean clean: not allowed: {what}; nothing was written\n"


def test_a_home_that_takes_no_notes_costs_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").write_text("a file, where no folder can be made")
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    assert main(["clean", "rows.jsonl", "--out", "out", "--quiet"]) == 0
    assert "note: out is written, and no note that it is yours could be (Not a directory" in capsys.readouterr().err
    assert main(["undo", "out"]) == 0
    assert not is_own(Path("out"))


def test_a_replaced_folder_without_the_right_to_write_into_it_leaves_nothing_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["clean", "rows.jsonl", "--out", "out", "--quiet"]) == 0
    for place in [*(item for item in Path("out").rglob("*") if item.is_dir()), Path("out")]:
        place.chmod(0o555)
    unlink = os.unlink

    def refused(path: Any, *, dir_fd: int | None = None) -> None:  # as for others than root
        if not os.stat(dir_fd if dir_fd is not None else Path(path).parent).st_mode & stat.S_IWUSR:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refused)
    assert main(["undo", "out"]) == 0
    assert sorted(os.listdir()) == ["out", "rows.jsonl"]


def test_a_strict_umask_is_honoured_and_nothing_else_suffers() -> None:
    usual = os.umask(0o077)
    try:
        assert main(["clean", "rows.jsonl", "--out", "out", "--quiet"]) == 0
        assert main(["undo", "out"]) == 0
    finally:
        os.umask(usual)
    modes = {stat.S_IMODE(item.stat().st_mode) for item in [Path("out"), *Path("out").rglob("*")]}
    assert modes == {0o700, 0o600}


def test_a_clock_that_runs_backwards_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(4_000_000_000, 0, -100_000_000))
    monkeypatch.setattr("time.time", lambda: float(next(times, 1)))
    assert main(["clean", "rows.jsonl", "--out", "out", "--quiet"]) == 0
    assert main(["clean", "rows.jsonl", "--out", "out", "--overwrite", "--quiet"]) == 0
    assert main(["why", "out", "0"]) == 0
