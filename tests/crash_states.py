"""What a disk may hold after the power went, at every step of a run: states to be recovered from.

The model is that of journaling file systems at their least helpful. Of a file, what was written after its last flush
may be lost, down to a file of no bytes. Of a folder, the names that were made, changed or removed after its last flush
may be lost, in the folder that holds everything or in those below it. All of it may happen together, one without the
other, or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hfclean import durable

Tree = dict[str, bytes]
READY = re.compile(r"(?P<begin>.*\.ready-)(?P<inode>\d+)(?P<end>-.*)")


def tree_of(folder: Path) -> Tree | None:
    """Every file below a folder with its content; None where there is no folder."""
    if not folder.is_dir():
        return None
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


class Disk:
    """The steps that a run takes through `hfclean.durable`, and what the disk may hold at each."""

    def __init__(self, parent: Path, scratch: Path) -> None:
        self.parent, self.scratch = parent, scratch
        self.files: dict[int, tuple[tuple[int, int], bytes]] = {}
        self.names: dict[int, dict[str, int]] = {}
        self.states: list[Path] = []
        self.held: list[int] = []
        for path in [parent, *parent.rglob("*")]:  # what was there before is on the disk
            self._flushed(path)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Record a state before and after each step of every write that follows."""
        real: dict[str, Callable[..., Any]] = {n: getattr(durable, n) for n in ("_sync", "_rename", "_exchange")}
        real["rmtree"] = shutil.rmtree

        def step(name: str) -> Callable[..., Any]:
            def taken(*args: Any, **how: Any) -> Any:
                self.record()
                result = real[name](*args, **how)
                if name == "_sync":
                    self._flushed(args[0])
                self.record()
                return result

            return taken

        for name in ("_sync", "_rename", "_exchange"):
            patch.setattr(durable, name, step(name))
        patch.setattr(shutil, "rmtree", step("rmtree"))

    def _flushed(self, path: Path) -> None:
        status = path.stat()
        self.held.append(os.open(path, os.O_RDONLY))  # so that no other file gets its number
        if path.is_dir():
            self.names[status.st_ino] = {item.name: item.stat().st_ino for item in path.iterdir()}
        else:
            self.files[status.st_ino] = ((status.st_mtime_ns, status.st_size), path.read_bytes())

    def close(self) -> None:
        """Let the system have the numbers of deleted files again."""
        for descriptor in self.held:
            os.close(descriptor)
        self.held = []

    def record(self) -> None:
        """Make a copy of every state that the disk may be in now."""
        places = {path.stat().st_ino: path for path in self.parent.rglob("*")}
        places[self.parent.stat().st_ino] = self.parent
        for lose_names in ((), ("top",), ("below",), ("top", "below")):
            for lose_data in (False, True):
                state = self.scratch / f"{len(self.states):04d}"
                state.mkdir()
                self._copy(self.parent.stat().st_ino, state, places, lose_names=lose_names, lose_data=lose_data)
                self.states.append(state)

    def _copy(
        self,
        source: int,
        target: Path,
        places: dict[int, Path],
        level: str = "top",
        *,
        lose_names: tuple[str, ...],
        lose_data: bool,
    ) -> None:
        """The folder of one number, with its names as they are or as they were last flushed."""
        flushed = self.names.get(source, {})
        place = places.get(source)
        as_it_is = {} if place is None else {item.name: item.stat().st_ino for item in place.iterdir()}
        for name, inode in (flushed if level in lose_names else as_it_is).items():
            item = places.get(inode)
            if inode in self.names or (item is not None and item.is_dir()):
                (target / name).mkdir()
                self._copy(inode, target / name, places, "below", lose_names=lose_names, lose_data=lose_data)
                if (match := READY.fullmatch(name)) and int(match["inode"]) == inode:
                    copy = target / name  # the copy has a number of its own
                    copy.rename(target / f"{match['begin']}{copy.stat().st_ino}{match['end']}")
                continue
            written = b"" if item is None else item.read_bytes()
            state = None if item is None else (item.stat().st_mtime_ns, item.stat().st_size)
            on_disk = self.files.get(inode, (None, b""))
            if item is None or (lose_data and on_disk[0] != state):
                written = on_disk[1] if item is None else b""
            (target / name).write_bytes(written)

    def recovered(self, name: str) -> Iterator[Tree | None]:
        """What lies at `name` in every state after the next run looked for it; equal states come once."""
        seen = set()
        for state in self.states:
            whole = tuple(sorted((k, v) for k, v in (tree_of(state) or {}).items()))
            if whole not in seen:
                seen.add(whole)
                durable.recover(state / name)
                yield tree_of(state / name)
                for leftover in state.iterdir():
                    assert not leftover.name.startswith(f".{name}."), os.listdir(state)
