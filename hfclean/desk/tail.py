"""Tail: the events of a file that others write meanwhile, each read once."""

from __future__ import annotations

import json
from pathlib import Path

from hfclean.errors import SourceError
from hfclean.limits import LARGEST_JSON
from hfclean.verdicts.events import Event, read_line


class Tail:
    """Where in a file of events the reading is.

    Args:
        path: of the file, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rewind()

    def rewind(self) -> None:
        """Begin again at the first line."""
        self._read = self._lines = 0
        self._file: tuple[int, int] | None = None

    def was_replaced(self) -> bool:
        """Whether another file has the name now, or this one is shorter than what was read of it."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return self._file is not None
        return self._file is not None and ((found.st_dev, found.st_ino) != self._file or found.st_size < self._read)

    def more(self) -> list[Event]:
        """The events since the last time. A last line that is not finished is left for the next time.

        Raises:
            SourceError: a line is not an event; those before it are not given either, and the next call reads again.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return []
        events: list[Event] = []
        with file:
            found = self.path.stat()
            position, number = self._read, self._lines
            file.seek(position)
            while line := file.readline(LARGEST_JSON):
                if not line.endswith(b"\n") and not _is_json(line):
                    break
                number += 1
                position += len(line)
                if line.strip():
                    events.append(self._event(line, number))
            self._file, self._read, self._lines = (found.st_dev, found.st_ino), position, number
        return events

    def _event(self, line: bytes, number: int) -> Event:
        try:
            return read_line(line)
        except ValueError as e:
            raise SourceError(f"verdict {number} of {self.path.name!r} {e}; repair or delete line {number}") from e


def _is_json(line: bytes) -> bool:
    """Whether a line without its end is complete all the same: no beginning of an object is JSON."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
