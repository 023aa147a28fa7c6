"""Tail: where in a file of events the reading is, so that each event is read once while the file grows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hfclean.errors import SourceError
from hfclean.limits import LARGEST_JSON
from hfclean.verdicts.events import Event, read_line


class Tail:
    """Where the reading is.

    Args:
        path: of the file, by which errors name it.

    Attributes:
        end: of the last whole event, in bytes: what stands behind it was cut off.
        is_open: whether that event has no line end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end, self.is_open = 0, False
        self._lines = 0
        self._file: tuple[int, int] | None = None

    @property
    def has_read(self) -> bool:
        """Whether a file was there to be read."""
        return self._file is not None

    def is_of(self, found: os.stat_result) -> bool:
        """Whether this is the file that was read, and it holds what was read of it."""
        return self._file in (None, (found.st_dev, found.st_ino)) and found.st_size >= self.end

    def more(self, file: BinaryIO) -> list[Event]:
        """The events since the last time; all of them, where it is another file. A last line that is not finished is
        left for the next time.

        Raises:
            SourceError: a line is not an event; those before it are not given either, and the next call reads again.
        """
        found = os.fstat(file.fileno())
        if not self.is_of(found):
            self.end, self.is_open, self._lines = 0, False, 0
        self._file = found.st_dev, found.st_ino
        end, is_open, number, events = self.end, self.is_open, self._lines, list[Event]()
        file.seek(end)
        for line in lines_of(file, self.path):
            is_whole = line.endswith(b"\n")
            if not is_whole and is_cut_off(line):
                break
            number += not is_open  # what follows an open line up to its end is of that line
            if line.strip():
                events.append(event_of(line, self.path, number))
            end, is_open = end + len(line), not is_whole
        self.end, self.is_open, self._lines = end, is_open, number
        return events


def lines_of(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """The lines of a file; the last may have no end.

    Raises:
        SourceError: a line is longer than any event.
    """
    while line := file.readline(LARGEST_JSON):
        if len(line) == LARGEST_JSON:
            raise SourceError(f"{path.name!r} has a line of more than {LARGEST_JSON:,} bytes; expected verdicts")
        yield line


def event_of(line: bytes, path: Path, number: int) -> Event:
    """The event of a line.

    Raises:
        SourceError: it holds none; file and line are named.
    """
    try:
        return read_line(line)
    except ValueError as e:
        raise SourceError(f"verdict {number} of {path.name!r} {e}; repair or delete line {number}") from e


def is_cut_off(line: bytes) -> bool:
    """Whether a line without its end is the beginning of one: no beginning of an object is JSON."""
    try:
        json.loads(line)
    except RecursionError:
        return False
    except ValueError:
        return True
    return False
