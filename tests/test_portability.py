"""What other systems lack: locks on folders, UTF-8 wherever no encoding is named, a flush that reaches the disk."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import types
from pathlib import Path

import filelock  # keeps the locks that this system has, also where a test takes `fcntl` away
import pytest

from hfclean import durable
from hfclean.durable import new_file, new_folder, recover, scratch_folder
from hfclean.errors import RecoveryWarning, TrainingError
from hfclean.evaluation import ab_runs
from hfclean.training.run import Run

ROOT = Path(__file__).parent.parent


@pytest.fixture
def no_fcntl(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setitem(sys.modules, "fcntl", None)


def _leave(folder: Path, pid: int, state: str) -> Path:
    """What a run of this process number left: a folder that was finished (`ready`), or was not (`partial`)."""
    boot, host = durable.machine()
    left = folder / f".cleaned.{state}-{boot}-{host}-{pid}-0123abcd"
    left.mkdir()
    (left / "data").write_text("rows")
    return left if state == "partial" else left.rename(folder / left.name.replace("-", f"-{left.stat().st_ino}-", 1))


def _gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


# -------------------------------------------------------------------------------------------- locks that are not there


@pytest.mark.usefixtures("no_fcntl")
def test_folders_and_files_are_written_whole_without_locks(tmp_path: Path) -> None:
    for content in ("one", "two"):
        with new_folder(tmp_path / "cleaned", overwrite=True) as folder, new_file(folder / "data") as file:
            file.write_text(content)
        assert (tmp_path / "cleaned" / "data").read_text() == content
    with scratch_folder("test", tmp_path) as scratch:
        assert scratch.is_dir()
    assert [file.name for file in tmp_path.iterdir()] == ["cleaned"]


@pytest.mark.usefixtures("no_fcntl")
def test_without_locks_the_number_of_the_process_tells_what_was_left(tmp_path: Path) -> None:
    dead, alive = _leave(tmp_path, _gone(), "partial"), _leave(tmp_path, os.getppid(), "partial")
    recover(tmp_path / "cleaned")
    assert (dead.exists(), alive.exists()) == (False, True)


@pytest.mark.usefixtures("no_fcntl")
def test_without_locks_a_finished_folder_of_a_run_that_ended_is_put_in_its_place(tmp_path: Path) -> None:
    _leave(tmp_path, _gone(), "ready")
    with pytest.warns(RecoveryWarning, match="the finished folder was put there"):
        recover(tmp_path / "cleaned")
    assert (tmp_path / "cleaned" / "data").read_text() == "rows"


def test_with_locks_the_number_does_not_matter(tmp_path: Path) -> None:
    left = _leave(tmp_path, os.getppid(), "partial")  # a number that was given again
    recover(tmp_path / "cleaned")
    assert not left.exists()


class _Kernel:
    """What of Windows tells whether a process runs: 4 does, 5 has ended and is remembered, 6 is somebody else's."""

    def __init__(self) -> None:
        self.closed: list[int] = []

    def OpenProcess(self, access: int, inherit: bool, pid: int) -> int:
        return pid if pid in (4, 5) else 0

    def WaitForSingleObject(self, process: int, wait: int) -> int:
        return 0x102 if process == 4 else 0

    def CloseHandle(self, process: int) -> None:
        self.closed.append(process)


@pytest.mark.parametrize(("pid", "error", "alive"), [(4, 0, True), (5, 0, False), (6, 5, True), (7, 87, False)])
def test_windows_tells_whether_a_process_runs(
    pid: int, error: int, alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = _Kernel()
    told = types.SimpleNamespace(WinDLL=lambda name, use_last_error: kernel, get_last_error=lambda: error)
    monkeypatch.setattr(durable, "ctypes", told)
    monkeypatch.setattr(durable, "sys", types.SimpleNamespace(platform="win32"))
    monkeypatch.setattr(os, "kill", lambda pid, signal: pytest.fail("this would end the process on Windows"))
    assert durable._is_alive(pid) is alive
    assert kernel.closed == [pid] * (pid in (4, 5))


@pytest.mark.usefixtures("no_fcntl")
def test_two_do_not_train_in_one_folder_without_locks_on_folders(tmp_path: Path) -> None:
    first, second = (Run(tmp_path / "out", {}, True) for _ in range(2))
    with first.alone(), pytest.raises(TrainingError, match="another process is training in"), second.alone():
        pytest.fail("both are in the folder")
    with second.alone():
        assert (tmp_path / "out").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="is a file; name a folder"), Run(tmp_path / "file", {}, True).alone():
        pytest.fail("a file was trained in")


@pytest.mark.usefixtures("no_fcntl")
def test_one_run_at_a_time_without_locks_on_folders(tmp_path: Path) -> None:
    with ab_runs._alone(tmp_path), pytest.raises(filelock.Timeout):
        filelock.FileLock(tmp_path / ".lock").acquire(timeout=0)
    with filelock.FileLock(tmp_path / ".lock").acquire(timeout=0):
        pass


# --------------------------------------------------------------------------------------------------- the disk of a Mac


@pytest.mark.parametrize("knows", [True, False])
def test_a_mac_flushes_what_its_disk_holds_back(knows: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []

    def control(descriptor: int, what: int) -> None:
        calls.append(what)
        if not knows:
            raise OSError("not on this file system")

    monkeypatch.setitem(sys.modules, "fcntl", types.SimpleNamespace(fcntl=control, F_FULLFSYNC=51))
    monkeypatch.setattr(durable, "sys", types.SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append("fsync"))
    durable._sync(tmp_path)
    assert calls == ([51] if knows else [51, "fsync"])


# ---------------------------------------------------------------------------------------------------- text and modules


def _encodings(tree: ast.AST) -> list[int]:
    """The lines that read or write text in whatever encoding the system prefers."""
    lines = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
        of = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        words = {keyword.arg for keyword in call.keywords}
        modes = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        of_path = (name == "read_text" and not call.args) or (name == "write_text" and of and len(call.args) < 2)
        opened = name == "open" and (not of or not call.args or isinstance(call.args[0], ast.Constant))
        text = of_path or (opened and not any("b" in mode for mode in modes[-1:]))
        if text and "encoding" not in words:
            lines.append(call.lineno)
    return lines


def test_text_is_read_and_written_as_utf8_on_every_system() -> None:
    files = [*(ROOT / "hfclean").rglob("*.py"), *(ROOT / "hub_scripts").rglob("*.py")]
    wrong = {str(file): lines for file in files if (lines := _encodings(ast.parse(file.read_text(encoding="utf-8"))))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("open('a')", True),
        ("place.open('w')", True),
        ("place.read_text()", True),
        ("place.write_text(text)", True),
        ("place.open()", True),
        ("archive.open(member)", False),
        ("open('a', 'rb')", False),
        ("place.open('w', encoding='utf-8')", False),
        ("write_text(place, text)", False),
        ("os.open(place, os.O_RDONLY)", False),
    ],
)
def test_an_encoding_that_is_not_named_is_seen(line: str, seen: bool) -> None:
    assert bool(_encodings(ast.parse(line))) is seen


def test_cleaning_needs_no_module_of_unix(work: Path) -> None:
    (work / "rows.jsonl").write_text('{"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}\n')
    code = """
import sys
sys.modules |= dict.fromkeys(("fcntl", "resource", "pwd", "grp"))
from hfclean.cli import main
sys.exit(main(["clean", "rows.jsonl", "--out", "cleaned"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (work / "cleaned" / "report.html").is_file()
