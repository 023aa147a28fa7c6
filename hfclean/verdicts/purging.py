"""Purging: rows and people go from a file of verdicts, which is written anew beside its place and put there."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from hfclean.durable import new_file
from hfclean.errors import SourceError
from hfclean.verdicts.events import Event
from hfclean.verdicts.excluded import REMOVED_REASON
from hfclean.verdicts.log import lines_with_events, locked

SOMEBODY = "a person"


class Purged(NamedTuple):
    """What went from a file of verdicts.

    Attributes:
        events: that were deleted.
        mentions: events of other people that named the person, and do no longer.
    """

    events: int
    mentions: int


def purge(file: str | Path, *, rows: Collection[str] = (), people: Collection[str] = ()) -> Purged:
    """Delete the events on some rows and by some people from a file; where other people's events name them, the name
    goes. What is left has the same bytes. A program that adds events meanwhile waits, and adds them to the new file.

    Raises:
        SourceError: the file cannot be read, or a line of it is not an event; nothing is deleted.
        OSError: it cannot be written; nothing is deleted.
    """
    path = Path(file).expanduser().resolve()
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except OSError as e:
        raise SourceError(f"the verdicts {path.name!r} cannot be opened for writing ({e.strerror})") from e
    events = mentions = 0
    left: list[bytes] = []
    try:
        with locked(descriptor):
            for line, event in lines_with_events(path):
                if event.row_id in rows or event.who in people:
                    events += 1
                    continue
                other = _unnamed(event, people)
                mentions += other != event
                left.append(line if other == event else other.line().encode("ascii") + b"\n")
            if (events or mentions) and sys.platform != "win32":
                _write(path, left, os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
    if (events or mentions) and sys.platform == "win32":  # no open file is replaced there
        _write(path, left, 0o600)
    return Purged(events, mentions)


def without_names(text: str, people: Collection[str]) -> str:
    """A text in which these people are not named."""
    for who in sorted(filter(None, people), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(who)}(?!\w)", SOMEBODY, text, flags=re.IGNORECASE)
    return text


def unnamed_rows(part: Any, people: Sequence[str]) -> Any:
    """Dropped rows whose reasons name none of these people; the same where none did."""
    reasons = part[REMOVED_REASON][:]
    without = [without_names(str(reason), people) for reason in reasons]
    if without == reasons:
        return part
    return part.remove_columns(REMOVED_REASON).add_column(REMOVED_REASON, without).select_columns(part.column_names)


def names_in(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """The people whom a step names, each with a number of rows."""
    names = step.get("names")
    return names if isinstance(names, Mapping) else {}


def unnamed_steps(steps: Sequence[Mapping[str, Any]], people: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """What was done to a folder, without the names of these people."""
    found = []
    for step in steps:
        names = {who: rows for who, rows in names_in(step).items() if who not in people}
        found.append({**step, "names": names} if "names" in step else dict(step))
    return tuple(found)


def _unnamed(event: Event, people: Collection[str]) -> Event:
    to = "" if event.to in people else event.to
    return replace(event, to=to, reason=without_names(event.reason, people))


def _write(path: Path, lines: list[bytes], mode: int) -> None:
    with new_file(path) as partial:
        partial.chmod(mode & 0o777)
        partial.write_bytes(b"".join(lines))
