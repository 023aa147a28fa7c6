"""Commands that are ended in the middle, each at two of its steps: the next command finds the old state or the new
one. `benchmarks/kills.py` does the same at points in time, and with several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from crash_states import Tree, tree_of
from forked import Ended, forked

from hfclean import durable
from hfclean.cli import main

# newer Pythons warn of every fork beside a thread
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
QUIET = "ignore::hfclean.errors.RecoveryWarning"


def write(file: str, fruit: str) -> None:
    rows = [{"instruction": f"Name fruit {n}.", "output": f"{fruit} {n}.</s>"} for n in range(3)]
    Path(file).write_text("\n".join(map(json.dumps, rows)))


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("rows.jsonl", "Apple")
    assert main(["clean", "rows.jsonl", "--out", "out", "--quiet"]) == 0
    assert main(["convert", "out", "--to", "messages", "--out", "pairs.jsonl"]) == 0
    write("rows.jsonl", "Pear")


def end(step: int, name: str, command: list[str]) -> Ended:
    """Run the command in a process that is sent this signal after so many writes."""
    real, calls = durable._sync, []

    def sync(path: Path) -> None:
        real(path)
        calls.append(path)
        if len(calls) == step:
            os.kill(os.getpid(), getattr(signal, name))

    def work() -> int:
        durable._sync = sync
        return main(command)

    return forked(work)


def contents() -> tuple[Tree | None, bytes]:
    return tree_of(Path("out")), Path("pairs.jsonl").read_bytes()


@pytest.mark.filterwarnings(QUIET)
@pytest.mark.parametrize(
    ("command", "step", "name"),
    [
        (["clean", "rows.jsonl", "--out", "out", "--overwrite", "--quiet"], 2, "SIGKILL"),
        (["clean", "rows.jsonl", "--out", "out", "--overwrite", "--quiet"], 9, "SIGTERM"),
        (["undo", "out"], 3, "SIGTERM"),
        (["undo", "out"], 9, "SIGKILL"),
        (["convert", "out", "--to", "alpaca", "--out", "pairs.jsonl", "--overwrite"], 1, "SIGKILL"),
        (["convert", "out", "--to", "alpaca", "--out", "pairs.jsonl", "--overwrite"], 2, "SIGHUP"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else str(value),
)
def test_what_a_signal_ends_leaves_the_old_state_or_the_new_one(command: list[str], step: int, name: str) -> None:
    before = contents()
    done = end(step, name, command)
    assert done.returncode == (-signal.SIGKILL if name == "SIGKILL" else 1), done.stderr
    assert "Traceback" not in done.stderr
    if name != "SIGKILL":
        assert [item for item in os.listdir() if item.startswith(".")] == []
    main(["why", "out", "0"])  # the next command that looks there
    found = contents()
    assert main(command) in (0, 1)  # undone before there is nothing left to undo
    assert found in (before, contents())
    assert [item for item in os.listdir() if item.startswith(".")] == []
    assert before != contents()


class Deleted:
    """An object that a signal reaches while it is deleted, where nothing can be raised."""

    def __init__(self, kind: int) -> None:
        self.kind = kind

    def __del__(self) -> None:
        os.kill(os.getpid(), self.kind)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("where", ["while an object is deleted", "while an extension is loaded"])
def test_a_signal_shows_no_traceback_wherever_it_arrives(
    where: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = getattr(signal, name)

    def deleted(*_: object) -> None:
        Deleted(kind)
        threading.Event().wait(60)

    def loaded(*_: object) -> None:
        try:
            os.kill(os.getpid(), kind)
        except KeyboardInterrupt:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type] - as PyErr_Print does
            raise ImportError("numpy._core.multiarray failed to import") from None

    before = signal.getsignal(kind)
    monkeypatch.setattr("hfclean.cli.convert.run", deleted if "deleted" in where else loaded)
    assert main(["convert", "out", "--to", "messages", "--out", "x.jsonl"]) == 1
    assert capsys.readouterr().err == "\nhfclean convert: stopped; nothing was written\n"
    assert signal.getsignal(kind) == before


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_shows_no_traceback_before_and_after_a_command(when: str) -> None:
    code = (
        "import os, signal, sys, hfclean.cli as c\n"
        "sys.argv = ['hfclean', '--version']\n"
        "def end(*_, **__): os.kill(os.getpid(), signal.SIGINT)\n"
        f"if {when == 'before'}: c.parser = end\n"
        "code = c.main()\n"
        "end()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
