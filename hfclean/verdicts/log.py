"""The log: a file of events that only grows. An event is on the disk before anybody is told that it was written.

A write that was cut off leaves a last line without an end, which is not an event: readers leave it out, and the next
writer takes it away. Several processes may write one file; each holds it locked while it writes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from hfclean.durable import flush, sync_names
from hfclean.errors import SourceError
from hfclean.limits import LARGEST_JSON
from hfclean.verdicts.events import Event, read_line
from hfclean.verdicts.states import RowVerdicts, row_verdicts

_BEYOND = 1 << 40


def verdicts_path(folder: str | Path) -> Path:
    """Where people's decisions about a folder or file lie unless another place is named: beside it, since commands
    replace a folder as a whole.

    >>> verdicts_path("/data/cleaned/").as_posix()
    '/data/cleaned.verdicts.jsonl'
    """
    place = Path(folder).expanduser()
    place = place if place.name not in ("", "..") else place.resolve()
    return place.with_name(f"{place.name}.verdicts.jsonl")


def _now() -> datetime:
    return datetime.now(UTC)


class VerdictLog:
    """The file to which one person's decisions are added.

    Args:
        path: of the file; made, for its owner alone to read, when the first event is added.
        who: the person, by whatever name they choose.
        now: the clock.

    Raises:
        SourceError: no name is given.
    """

    def __init__(self, path: str | Path, who: str, *, now: Callable[[], datetime] = _now) -> None:
        if not who.strip():
            raise SourceError("no name is given of the person who decides; expected any text, such as their initials")
        self.path = Path(path)
        self._who = who
        self._now = now
        self._read = self._lines = self._number = 0
        self._file = 0, 0

    def append(self, event: Event) -> Event:
        """Add an event with name, time and number; returns it once it is on the disk.

        Raises:
            SourceError: a line of the file is not an event; nothing is added.
            OSError: it cannot be written; nothing is added.
        """
        while (added := self._append(event)) is None:
            continue  # the file was replaced while this waited for its lock
        return added

    def _append(self, event: Event) -> Event | None:
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with locked(descriptor):
                if not _is_at(descriptor, self.path):
                    return None
                end, begin = self._catch_up(descriptor)
                when = self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                event = replace(event, who=self._who, when=when, number=self._number + 1)
                _write(descriptor, begin + event.line().encode("ascii") + b"\n", end)
                self._note(event)
        finally:
            os.close(descriptor)
        if is_new:
            sync_names(self.path.parent)
        return event

    def _catch_up(self, descriptor: int) -> tuple[int, bytes]:
        """Read what was added since the last time; gives where the next event begins, and what goes before it."""
        found = os.fstat(descriptor)
        if found.st_size < self._read or self._file != (found.st_dev, found.st_ino):  # another file has the name now
            self._read = self._lines = 0  # numbers go on: the old file may turn up again
        self._file = found.st_dev, found.st_ino
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(self._read)
            for line, is_whole in _lines_of(file, self.path):
                if not is_whole:
                    if not _is_cut_off(line):
                        self._note(_event(line, self.path, self._lines + 1))
                        return self._read + len(line), b"\n"
                    os.ftruncate(descriptor, self._read)
                    break
                if line.strip():
                    self._note(_event(line, self.path, self._lines + 1))
                self._read += len(line)
                self._lines += 1
        return self._read, b""

    def _note(self, event: Event) -> None:
        if event.who == self._who:
            self._number = max(self._number, event.number)


def read_verdicts(*files: str | Path) -> dict[str, RowVerdicts]:
    """What people decided: row id -> `hfclean.verdicts.RowVerdicts`, of files that are read together in any order.

    Args:
        files: lines of JSON, as `hfclean.verdicts.VerdictLog` writes them or as people do by hand.

    Raises:
        SourceError: a file cannot be read, or a line of it is not an event; it names file and line.
    """
    return row_verdicts(read_events(*files))


def read_events(*files: str | Path) -> list[Event]:
    """The events of some files, one after the other. A last line that was cut off is left out.

    Raises:
        SourceError: a file cannot be read, or any other line of it is not an event; it names file and line.
    """
    return [event for file in files for _, event in lines_with_events(Path(file).expanduser())]


def lines_with_events(path: Path) -> Iterator[tuple[bytes, Event]]:
    """The lines of a file, each with its event; a last one that has no end gets one.

    Raises:
        SourceError: see `read_events`.
    """
    try:
        with path.open("rb") as file:
            for number, (line, is_whole) in enumerate(_lines_of(file, path), start=1):
                if line.strip() and (is_whole or not _is_cut_off(line)):
                    yield line if is_whole else line + b"\n", _event(line, path, number)
    except OSError as e:
        raise SourceError(
            f"the verdicts {path.name!r} cannot be read ({e.strerror}); expected lines of JSON objects"
        ) from e


def _lines_of(file: BinaryIO, path: Path) -> Iterator[tuple[bytes, bool]]:
    """The lines of a file, and whether each has its end."""
    while line := file.readline(LARGEST_JSON):
        if len(line) == LARGEST_JSON:
            raise SourceError(f"{path.name!r} has a line of more than {LARGEST_JSON:,} bytes; expected verdicts")
        yield line, line.endswith(b"\n")


def _event(line: bytes, path: Path, number: int) -> Event:
    try:
        return read_line(line)
    except ValueError as e:
        raise SourceError(f"verdict {number} of {path.name!r} {e}; repair or delete line {number}") from e


def _is_cut_off(line: bytes) -> bool:
    """Whether a line without its end is the beginning of one: no beginning of an object is JSON."""
    try:
        json.loads(line)
    except RecursionError:
        return False
    except ValueError:
        return True
    return False


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that has the name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _write(descriptor: int, data: bytes, end: int) -> None:
    """Add bytes at the end of a file, all or none."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        flush(descriptor)
    except BaseException:
        os.ftruncate(descriptor, end)
        raise


@contextmanager
def locked(descriptor: int) -> Iterator[None]:
    """Hold a file for this process alone; waits for others."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _BEYOND, os.SEEK_SET)  # what is locked there, nobody else can read
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(descriptor, _BEYOND, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)  # ends with the descriptor
        yield
