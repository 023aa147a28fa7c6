"""A large run that was stopped or killed goes on from its last whole part, to the same bytes."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from forked import forked

from hfclean import cleaning, kept_parts
from hfclean.cleaning import clean
from hfclean.cli import main
from hfclean.errors import RecoveryWarning
from hfclean.kept_parts import KeptParts
from hfclean.reviser import RuleReviser

# newer Pythons warn of every fork beside a thread
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
COUNT, PART = 22, 6


def rows(count: int = COUNT, fruit: str = "apple") -> list[dict[str, str]]:
    ends = ["</s>" if k % 5 == 0 else "" for k in range(count)]
    return [{"instruction": f"Name fruit {k % 9}.", "output": f"An {fruit} {k % 9}.{ends[k]}"} for k in range(count)]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cleaning, "PART", PART)
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows())))
    return tmp_path


def kept() -> list[str]:
    return sorted(os.listdir(kept_parts.folder())) if kept_parts.folder().exists() else []


def killed(command: list[str], parts: int, kind: int = signal.SIGKILL) -> Any:
    """The end of a command that gets a signal once so many parts are kept."""
    keep = KeptParts.keep

    def counting(self: KeptParts, *args: Any) -> None:
        keep(self, *args)
        if len(kept()) == parts:
            os.kill(os.getpid(), kind)

    def run() -> int:
        KeptParts.keep = counting  # type: ignore[method-assign]
        return main(command)

    return forked(run)


def contents(folder: str) -> dict[str, bytes]:
    files = [*Path(folder, "data").iterdir(), Path(folder, "ledger.parquet"), Path(folder, "report.html")]
    return {file.name: file.read_bytes() for file in files}


def mapped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows are worked on from now on, a part each."""
    sizes: list[int] = []
    real = cleaning.processes.mapped

    def counting(part: Any, *args: Any) -> list[Any]:
        sizes.append(len(part))
        return real(part, *args)

    monkeypatch.setattr(cleaning.processes, "mapped", counting)
    return sizes


@pytest.mark.parametrize("verb", ["clean", "score"])
def test_a_killed_run_goes_on_from_its_last_whole_part_to_the_same_bytes(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [verb, "rows.jsonl", "--quiet", "--out"]
    assert main([*command, "whole/cleaned"]) == 0
    assert kept() == []
    assert killed([*command, "again/cleaned"], 2).returncode == -signal.SIGKILL
    assert (len(kept()), Path("again/cleaned").exists()) == (2, False)
    assert kept_parts.folder().stat().st_mode & 0o777 == 0o700
    sizes = mapped(monkeypatch)
    capsys.readouterr()
    assert main([*command, "again/cleaned"]) == 0
    word = "revising" if verb == "clean" else "scoring"
    assert f"note: {word} train goes on: 2 of 4 parts were done before\n" in capsys.readouterr().err
    assert (sizes, kept()) == ([PART, COUNT - 3 * PART], [])
    assert contents("again/cleaned") == contents("whole/cleaned")
    assert os.listdir("again") == ["cleaned"]


def test_a_stopped_run_says_that_its_parts_are_kept() -> None:
    done = killed(["score", "rows.jsonl"], 3, signal.SIGTERM)
    assert (done.returncode, len(kept())) == (1, 3)
    assert "finished parts are kept for 14 days (3 so far): the same command goes on from there" in done.stderr
    assert main(["score", "rows.jsonl"]) == 0
    assert kept() == []


def run(ds: Dataset, reviser: RuleReviser = cleaning.rules_reviser, *, stop: bool = False) -> Dataset:
    with KeptParts() as parts:
        done: Dataset = clean(ds, reviser=reviser, kept_parts=parts).dataset
        if stop:
            raise KeyboardInterrupt
    return done


def stopped(ds: Dataset, **how: Any) -> None:
    with pytest.raises(KeyboardInterrupt), pytest.warns(RecoveryWarning, match="4 so far"):
        run(ds, stop=True, **how)


def test_only_parts_of_the_same_rows_and_settings_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    ds, skipped = Dataset.from_list(rows()), RuleReviser(skip=("chat_markers",))
    expected = clean(ds).dataset.to_list()
    stopped(ds)
    sizes = mapped(monkeypatch)
    other = clean(ds, reviser=skipped).dataset.to_list()
    assert other != expected
    sizes.clear()
    stopped(ds, reviser=skipped)
    assert (len(sizes), len(kept())) == (4, 8)
    changed = [*rows()[:8], {"instruction": "Name a nut.", "output": "A hazel."}, *rows()[9:]]
    sizes.clear()
    with pytest.warns(RecoveryWarning, match="revising goes on: 3 of 4 parts"):
        assert run(Dataset.from_list(changed)).to_list() == clean(Dataset.from_list(changed)).dataset.to_list()
    assert sizes == [PART, *3 * [PART], COUNT - 3 * PART]
    assert len(kept()) == 5


def damaged(file: Path, how: str) -> None:
    content = file.read_bytes()
    file.unlink()
    if how == "flipped":
        place = content.index(b"apple")
        file.write_bytes(content[:place] + b"A" + content[place + 1 :])
    elif how != "gone":
        file.write_bytes(content[:20] if how == "cut" else b"")


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "gone"])
def test_a_part_that_is_not_what_was_written_is_made_again(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = Dataset.from_list(rows())
    expected = clean(ds).dataset.to_list()
    stopped(ds)
    damaged(kept_parts.folder() / kept()[0], how)
    sizes = mapped(monkeypatch)
    with pytest.warns(RecoveryWarning, match="3 of 4 parts"):
        assert run(ds).to_list() == expected
    assert (len(sizes), kept()) == (1, [])


def test_a_folder_that_others_may_write_to_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = Dataset.from_list(rows())
    stopped(ds)
    kept_parts.folder().chmod(0o770)
    sizes = mapped(monkeypatch)
    with pytest.warns(RecoveryWarning, match=r"not kept \(.*parts is open to other users: chmod 700"):
        run(ds)
    assert (len(sizes), len(kept())) == (4, 4)
    kept_parts.folder().chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: kept_parts.folder().stat().st_uid + 1)
    with pytest.warns(RecoveryWarning, match="is open to other users"):
        run(ds)
    assert len(kept()) == 4


@pytest.mark.parametrize("when", ["before it is full", "when it is full"])
def test_a_full_disk_keeps_no_parts_and_the_run_goes_on(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = Dataset.from_list(rows())
    expected = clean(ds).dataset.to_list()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if when == "before it is full":
        usage = kept_parts.shutil.disk_usage("/")._replace(free=1000)
        monkeypatch.setattr(kept_parts.shutil, "disk_usage", lambda _: usage)
    else:
        monkeypatch.setattr(kept_parts, "_write", full)
    with pytest.warns(RecoveryWarning) as said:
        assert run(ds).to_list() == expected
    assert [str(each.message) for each in said] == [
        f"finished parts are not kept (No space left on device: {kept_parts.folder()}): once stopped, this command "
        "begins anew"
    ]
    assert kept() == []


def test_a_dataset_of_one_part_keeps_none() -> None:
    run(Dataset.from_list(rows(PART)))
    assert not kept_parts.folder().exists()


def test_parts_of_stopped_runs_are_shown_and_cleared_once_they_are_old(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "stats"]) == 0
    assert "stopped runs" not in capsys.readouterr().out
    stopped(Dataset.from_list(rows()))
    files = [kept_parts.folder() / name for name in kept()]
    killed_file = kept_parts.folder() / f".{files[0].name}.partial-of-a-killed-run"
    killed_file.write_bytes(b"")
    old = time.time() - kept_parts.KEPT_DAYS * 24 * 60 * 60 - 60
    for file in (files[0], killed_file):
        os.utime(file, (old, old))
    assert main(["cache", "stats"]) == 0
    assert "\n\n5 finished parts of stopped runs, " in (text := capsys.readouterr().out)
    assert ", 2 of them older than 14 days: hfclean cache clear" in text
    assert main(["cache", "stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"] == {
        "parts": 5,
        "bytes": sum(file.stat().st_size for file in files),
        "stale": 2,
    }
    assert main(["cache", "clear", "--yes"]) == 0
    assert capsys.readouterr().out == "2 parts of stopped runs deleted\n"
    assert kept() == [file.name for file in files[1:]]
