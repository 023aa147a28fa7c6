"""Files and folders that exist whole or not at all: after failures, signals, kills and power cuts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from crash_states import Disk, tree_of

from hfclean import durable
from hfclean.cli import main
from hfclean.durable import new_file, new_folder, recover, scratch_folder, write_text
from hfclean.errors import FolderError, RecoveryWarning
from hfclean.folder import write_about

OLD = {"a.txt": b"old", "data/b.txt": b"old too"}
NEW = {"a.txt": b"new", "data/c.txt": b"new as well", "empty": b""}


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture(params=["exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the exchange of the system where it has one, and as where there is none."""
    if request.param == "two renames":
        monkeypatch.setattr(durable, "_exchange", lambda one, other: False)
    return str(request.param)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work" / "out"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[Path], Disk]]:
    """Makes the disk of a folder whose content is flushed as it stands."""
    (tmp_path / "states").mkdir()
    disks = []

    def made(parent: Path) -> Disk:
        disks.append(Disk(parent, tmp_path / "states"))
        return disks[-1]

    yield made
    for each in disks:
        each.close()


# ------------------------------------------------------------------------------------------------------- power cuts


def test_a_new_folder_is_whole_or_absent_in_every_state_of_the_disk(
    place: Path, disk: Callable[[Path], Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    states = disk(place.parent)
    with monkeypatch.context() as patch:
        states.watch(patch)
        with new_folder(place, overwrite=False) as folder:
            fill(folder, NEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecoveryWarning)
        trees = list(states.recovered("out"))
    assert {None if tree is None else tree == NEW for tree in trees} == {None, True}
    assert len(trees) > 5


def test_a_replaced_folder_is_the_old_or_the_new_one_in_every_state_of_the_disk(
    place: Path, way: str, disk: Callable[[Path], Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(place, OLD)
    states = disk(place.parent)
    with monkeypatch.context() as patch:
        states.watch(patch)
        with new_folder(place, overwrite=True) as folder:
            fill(folder, NEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecoveryWarning)
        trees = list(states.recovered("out"))
    assert all(tree in (OLD, NEW) for tree in trees)
    assert (OLD in trees, NEW in trees) == (True, True)


def test_a_file_is_the_old_or_the_new_one_in_every_state_of_the_disk(
    place: Path, disk: Callable[[Path], Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.parent / "rows.jsonl").write_bytes(b"old")
    states = disk(place.parent)
    with monkeypatch.context() as patch:
        states.watch(patch)
        write_text(place.parent / "rows.jsonl", "new")
    contents = {(state / "rows.jsonl").read_bytes() for state in states.states}
    assert contents == {b"old", b"new"}


def test_a_cleaned_folder_survives_a_power_cut_and_so_does_undo(
    tmp_path: Path, disk: Callable[[Path], Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    rows = [{"instruction": "Name a fruit.", "output": f"Apple {n}.</s>"} for n in range(3)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(work / "out"), "--quiet"]) == 0
    old = tree_of(work / "out")
    states = disk(work)
    with monkeypatch.context() as patch:
        states.watch(patch)
        assert main(["undo", str(work / "out")]) == 0
    new = tree_of(work / "out")
    assert old is not None
    assert new is not None
    assert old != new
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecoveryWarning)
        trees = list(states.recovered("out"))
    assert all(tree in (old, new) for tree in trees)


# ------------------------------------------------------------------------------------------------------- interrupted


@pytest.mark.parametrize("error", [OSError("no space"), KeyboardInterrupt(), RuntimeError("a bug")])
@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_any_exception_on_the_way_leaves_the_old_folder_in_its_place(
    place: Path, way: str, step: int, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(place, OLD)
    real, calls = durable._rename, []

    def rename(*args: Path, **how: bool) -> None:
        calls.append(args)
        if len(calls) == step + 1:
            raise error
        real(*args, **how)

    monkeypatch.setattr(durable, "_rename", rename)
    try:
        with new_folder(place, overwrite=True) as folder:
            fill(folder, NEW)
            if step == 0:
                raise error
    except type(error):
        pass
    assert tree_of(place) in (OLD, NEW)
    assert tree_of(place) == OLD or step >= (1 if way == "exchange" else 3)


KILLED = """
import os, signal, sys
from pathlib import Path
from hfclean import durable
if sys.argv[2] == "two renames":
    durable._exchange = lambda one, other: False
real, calls = durable._rename, []
def rename(*args, **how):
    real(*args, **how)
    calls.append(args)
    if len(calls) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
durable._rename = rename
with durable.new_folder(Path(sys.argv[1]), overwrite=True) as folder:
    (folder / "a.txt").write_bytes(b"new")
"""


def killed(place: Path, way: str, step: int) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(place), way, str(step)], check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_kill_between_two_renames_is_finished_by_the_next_run_and_the_old_folder_is_kept_in_sight(
    place: Path,
) -> None:
    fill(place, OLD)
    killed(place, "two renames", 2)  # the old folder is out of its place, the new one not yet in it
    assert not place.exists()
    with pytest.warns(RecoveryWarning) as notes:
        found = recover(place)
    assert tree_of(place) == {"a.txt": b"new"}
    assert tree_of(place.parent / "out.replaced-1") == OLD
    assert sorted(p.name for p in place.parent.iterdir()) == ["out", "out.replaced-1"]
    assert [str(note.message) for note in notes] == list(found)
    assert "the finished folder was put there" in found[0]
    assert "'out.replaced-1'" in found[1]


def test_a_kill_before_the_exchange_keeps_the_old_folder_and_shows_the_new_one(place: Path) -> None:
    fill(place, OLD)
    killed(place, "exchange", 1)
    with pytest.warns(RecoveryWarning, match="out.unfinished-1"):
        recover(place)
    assert tree_of(place) == OLD
    assert tree_of(place.parent / "out.unfinished-1") == {"a.txt": b"new"}


def test_a_kill_while_the_old_folder_is_deleted_leaves_the_new_one_and_the_next_run_tidies_up(place: Path) -> None:
    fill(place, OLD)
    killed(place, "exchange", 2)
    assert len(list(place.parent.iterdir())) == 2
    assert recover(place) == ()
    assert tree_of(place) == {"a.txt": b"new"}
    assert [p.name for p in place.parent.iterdir()] == ["out"]


# ------------------------------------------------------------------------------------------------------- whose is it


def leftover(place: Path, state: str, *, boot: str = "", host: str = "", pid: int = 1) -> Path:
    mine = durable.machine()
    path = place.parent / f".out.{state}-{boot or mine[0]}-{host or mine[1]}-{pid}-00000000"
    fill(path, NEW)
    return path


def test_a_live_run_of_this_machine_is_left_alone_whatever_its_process_number(place: Path) -> None:
    with new_folder(place, overwrite=False) as folder:
        fill(folder, NEW)
        assert recover(place) == ()
        assert tree_of(folder) == NEW
        with new_folder(place.parent / "out2", overwrite=False):  # another command beside it
            assert tree_of(folder) == NEW
    assert tree_of(place) == NEW


def test_what_a_container_left_goes_although_a_process_has_its_number(place: Path) -> None:
    path = leftover(place, "partial", pid=os.getpid())
    assert recover(place) == ()
    assert not path.exists()


def test_what_was_left_before_a_restart_of_this_machine_goes(place: Path) -> None:
    path = leftover(place, "partial", boot="0" * 8)
    recover(place)
    assert not path.exists()


@pytest.mark.parametrize("state", ["partial", "displaced", "discard"])
def test_what_another_machine_writes_on_a_shared_disk_stays(place: Path, state: str) -> None:
    path = leftover(place, state, boot="0" * 8, host="1" * 8)
    assert recover(place) == ()
    assert tree_of(path) == NEW


def test_what_the_first_version_displaced_is_put_back_or_shown(place: Path) -> None:
    fill(place.parent / ".out.old-4711", OLD)
    with pytest.warns(RecoveryWarning, match="put back"):
        recover(place)
    assert tree_of(place) == OLD
    fill(place.parent / ".out.old-4712", NEW)
    with pytest.warns(RecoveryWarning, match="out.replaced-1"):
        recover(place)
    assert tree_of(place.parent / "out.replaced-1") == NEW


def test_names_with_the_marks_of_patterns_find_their_own_leftovers_only(tmp_path: Path) -> None:
    one, other = tmp_path / "o[u]t*", tmp_path / "out1"
    with new_folder(one, overwrite=False) as folder:
        fill(folder, NEW)
    fill(tmp_path / f".out1.partial-{'-'.join(durable.machine())}-1-00000000", NEW)
    recover(one)
    assert len(list(tmp_path.iterdir())) == 2
    recover(other)
    assert [p.name for p in tmp_path.iterdir()] == ["o[u]t*"]


# ---------------------------------------------------------------------------------------------------------- the rest


def test_a_folder_that_appears_meanwhile_is_not_replaced(place: Path) -> None:
    def write() -> None:
        with new_folder(place, overwrite=False) as folder:
            fill(folder, NEW)
            fill(place, OLD)

    with pytest.raises(FolderError, match="appeared"):
        write()
    assert tree_of(place) == OLD
    assert [p.name for p in place.parent.iterdir()] == ["out"]


def test_of_two_runs_that_replace_a_folder_which_was_not_there_the_later_one_stays(
    place: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, others = durable._rename, [OLD, {"a.txt": b"of a third run"}]

    def meanwhile(path: Path, target: Path, **how: bool) -> None:
        if target == place and not place.exists() and others:  # another run is done just before the rename
            fill(place, others.pop())
        rename(path, target, **how)

    monkeypatch.setattr(durable, "_rename", meanwhile)
    with new_folder(place, overwrite=True) as folder:
        fill(folder, NEW)
    assert tree_of(place) == NEW
    assert [p.name for p in place.parent.iterdir()] == ["out"]


def test_a_folder_of_others_that_appears_during_a_run_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"instruction": "Name a fruit.", "output": "Apple."}')

    def meanwhile(*args: Any, **how: Any) -> None:
        fill(tmp_path / "out", OLD)
        write_about(*args, **how)

    monkeypatch.setattr("hfclean.folder.write_about", meanwhile)
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out"), "--overwrite", "--quiet"]) == 1
    assert "'out' was not written by hfclean" in capsys.readouterr().err
    assert tree_of(tmp_path / "out") == OLD


def test_a_file_that_cannot_be_finished_leaves_the_old_one(place: Path) -> None:
    target = place.parent / "rows.jsonl"
    target.write_text("old")

    def write() -> None:
        with new_file(target) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert (target.read_text(), [p.name for p in place.parent.iterdir()]) == ("old", ["rows.jsonl"])


def test_scratch_folders_of_killed_runs_go_and_those_of_live_runs_stay(tmp_path: Path) -> None:
    boot, host = durable.machine()
    fill(tmp_path / f".hfclean-push.partial-{boot}-{host}-1-00000000", NEW)
    fill(tmp_path / f".hfclean-data.partial-{boot}-{host}-1-00000000", NEW)
    with scratch_folder("push", tmp_path) as first, scratch_folder("push", tmp_path) as second:
        assert first.exists()
        assert second.exists()
        kinds = sorted(p.name.partition(".partial")[0] for p in tmp_path.iterdir())
        assert kinds == [".hfclean-data", ".hfclean-push", ".hfclean-push"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_command_that_looks_for_a_folder_out_of_its_place_finishes_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = place.parent / "rows.jsonl"
    rows.write_text(json.dumps({"instruction": "Name a fruit.", "output": "Apple.</s>"}))
    assert main(["clean", str(rows), "--out", str(place), "--quiet"]) == 0
    moved = place.parent / f".out.ready-{place.stat().st_ino}-{'-'.join(durable.machine())}-1-00000000"
    place.rename(moved)
    assert main(["why", str(place), "0"]) == 0
    assert "note: an interrupted run left 'out' out of its place" in capsys.readouterr().err
    assert place.is_dir()
    assert not moved.exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_was_just_made_when_the_power_went_is_tidied_up(place: Path, kind: str) -> None:
    boot, host = durable.machine()
    for k, owner in enumerate((f"{'0' * 8}-{host}", f"{boot}-{host}")):
        path = place.parent / f".out.starting-{owner}-{k}-00000000"
        path.mkdir() if kind == "folder" else path.touch()
    assert recover(place) == ()
    assert list(place.parent.iterdir()) == []


def test_a_folder_taken_for_a_leftover_before_it_was_locked_is_made_once_more(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, taken = durable._lock, []

    def lock(path: Path) -> int | None:
        if ".starting-" in path.name and len(taken) < 2:
            taken.append(path)
            if len(taken) == 1:
                path.rmdir()  # gone before it is locked
                return None
            found = real(path)
            path.rmdir()  # gone before it gets its other name
            return found
        return real(path)

    monkeypatch.setattr(durable, "_lock", lock)
    with new_folder(place, overwrite=False) as folder:
        fill(folder, NEW)
    assert len(taken) == 2
    assert tree_of(place) == NEW
    assert [item.name for item in place.parent.iterdir()] == ["out"]


def test_where_there_are_no_locks_a_folder_is_made_all_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_lock", lambda path: None)
    with new_folder(place, overwrite=False) as folder:
        fill(folder, NEW)
    assert [item.name for item in place.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_signal_after_any_rename_leaves_one_whole_folder_and_nothing_hidden(
    stop: int, way: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(place, OLD)
    rename, calls = durable._rename, []

    def interrupted(old: Path, new: Path, **how: bool) -> None:
        rename(old, new, **how)
        calls.append(new)
        if len(calls) == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(durable, "_rename", interrupted)
    with suppress(KeyboardInterrupt), new_folder(place, overwrite=True) as folder:
        fill(folder, NEW)
    assert sorted(item.name for item in place.parent.iterdir()) == ["out"]
    found = {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}
    assert found in (OLD, NEW)
