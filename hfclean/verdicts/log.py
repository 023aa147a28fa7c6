"""The log: a file of events that only grows. An event is on the disk before anybody is told that it was written.

A write that was cut off leaves a last line without an end, which is not an event: readers leave it out, and the next
writer takes it away. Several processes may write one file; each holds it locked while it writes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from hfclean.durable import flush, sync_names
from hfclean.errors import SourceError
from hfclean.verdicts.events import Event
from hfclean.verdicts.states import RowVerdicts, row_verdicts
from hfclean.verdicts.tail import Tail, event_of, is_cut_off, lines_of

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


class News(NamedTuple):
    """What a file of events has more than it had.

    Attributes:
        events: in the order of the file.
        is_anew: whether another file has the name now, or lines of it were deleted: the events are all that it has,
            and those that were read before do not count any more.
    """

    events: list[Event]
    is_anew: bool = False


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
        self._number = 0
        self._tail = Tail(self.path)
        self._unread: News | None = None

    def append(self, event: Event) -> Event:
        """Add an event with name, time and number; returns it once it is on the disk. A claim, which is of use for
        minutes, has no number, and nobody waits until it is there.

        Raises:
            SourceError: a line of the file is not an event; nothing is added.
            OSError: it cannot be written; nothing is added.
        """
        with self._open() as (descriptor, end, begin):
            when = self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            is_claim = event.verdict == "claim"
            event = replace(event, who=self._who, when=when, number=0 if is_claim else self._number + 1)
            _write(descriptor, begin + event.line().encode("ascii") + b"\n", end, is_kept=not is_claim)
            self._number = max(self._number, event.number)
        return event

    def news(self) -> News:
        """The events that were added since the last call, by this log or others; at first all that the file has.

        Raises:
            SourceError: a line of the file is not an event, or the file is gone that was read before; the next call
                reads again.
            OSError: it cannot be read.
        """
        if self._unread is None:
            self._unread = News([])
        try:
            with self.path.open("rb") as file:
                self._take(file)
        except FileNotFoundError:
            if self._tail.has_read:
                raise SourceError(
                    f"the file of decisions {self.path.name!r} is gone; put it back where it was "
                    f"({self.path.absolute().parent}), or end the desk and start it again to begin a new one"
                ) from None
        found, self._unread = self._unread, News([])
        return found

    def adopt(self, lines: Iterable[bytes]) -> None:
        """Add lines that were written elsewhere, as they are.

        Raises:
            SourceError: one of them, or a line of the file, is not an event; nothing is added.
            OSError: they cannot be written; nothing is added.
        """
        added = list(lines)
        for number, line in enumerate(added, start=1):
            event_of(line, self.path, number)
        with self._open() as (descriptor, end, begin):
            _write(descriptor, begin + b"".join(added), end, is_kept=True)

    @contextmanager
    def _open(self) -> Iterator[tuple[int, int, bytes]]:
        """The file, held by this process alone; where the next line begins, and what goes before it."""
        is_new = not self.path.exists()
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            descriptor = os.open(self.path, flags, 0o600)
            try:
                with locked(descriptor):
                    if not _is_at(descriptor, self.path):
                        continue  # the file was replaced while this waited for its lock
                    yield descriptor, *self._catch_up(descriptor)
                    break
            finally:
                os.close(descriptor)
        if is_new:
            sync_names(self.path.parent)

    def _catch_up(self, descriptor: int) -> tuple[int, bytes]:
        """Read what was added since the last time; gives where the next event begins, and what goes before it."""
        with os.fdopen(os.dup(descriptor), "rb") as file:
            self._take(file)
        if os.fstat(descriptor).st_size > self._tail.end:
            os.ftruncate(descriptor, self._tail.end)  # a write that was cut off
        return self._tail.end, b"\n" if self._tail.is_open else b""

    def _take(self, file: BinaryIO) -> None:
        """Read on; numbers go on where another file has the name now: the old one may turn up again."""
        is_anew = self._tail.has_read and not self._tail.is_of(os.fstat(file.fileno()))
        events = self._tail.more(file)
        self._number = max([self._number, *(event.number for event in events if event.who == self._who)])
        if self._unread is not None:
            self._unread = News([*([] if is_anew else self._unread.events), *events], self._unread.is_anew or is_anew)


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
            for number, line in enumerate(lines_of(file, path), start=1):
                is_whole = line.endswith(b"\n")
                if line.strip() and (is_whole or not is_cut_off(line)):
                    yield line if is_whole else line + b"\n", event_of(line, path, number)
    except OSError as e:
        raise SourceError(
            f"the verdicts {path.name!r} cannot be read ({e.strerror}); expected lines of JSON objects"
        ) from e


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that has the name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _write(descriptor: int, data: bytes, end: int, *, is_kept: bool) -> None:
    """Add bytes at the end of a file, all or none; with `is_kept`, they are on the disk afterwards."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        if is_kept:
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
