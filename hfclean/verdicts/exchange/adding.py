"""Adding: events of another tool to a file of events, each once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from hfclean.errors import SourceError
from hfclean.verdicts.events import Event
from hfclean.verdicts.log import VerdictLog, read_events


class Added(NamedTuple):
    """How many events were added, and how many had been before."""

    new: int
    known: int


def add_events(path: Path, events: Iterable[Event], *, who: str = "") -> Added:
    """Add events to a file, in their order, with the times that they have, and now where they have none.

    Args:
        path: of the file, which need not exist yet.
        events: what `events_of` gives. One that is in the file already is not added again; one without a time, where
            it is the last of its person on its row.
        who: the name of the person who decided, instead of what the tool calls them.

    Raises:
        SourceError: an event names nobody and no name is given, or a name is given and the events are of several
            people; or a line of the file is not an event. Nothing is added.
        OSError: the file cannot be written.
    """
    events = list(events)
    people = {event.who for event in events}
    if who and len(people) > 1:
        names = ", ".join(sorted(people))
        raise SourceError(f"{len(people)} people decided ({names:.200}), not {who!r} alone; leave the name out")
    if not who and "" in people:
        raise SourceError("the file does not say who decided; give a name")
    before = read_events(path) if path.exists() else []
    known = {_key(event) for event in before}
    last = {(event.row_id, event.who): _key(replace(event, when="")) for event in before}
    clock = _Clock()
    logs = {name: VerdictLog(path, name, now=clock) for name in {who or name for name in people}}
    new = 0
    for event in events:
        event = replace(event, who=who or event.who)
        is_known = _key(event) in known if event.when else last.get((event.row_id, event.who)) == _key(event)
        if not is_known:
            clock.time = _time(event) if event.when else None
            known.add(_key(logs[event.who].append(event)))
            new += 1
        last[event.row_id, event.who] = _key(replace(event, when=""))
    return Added(new, len(events) - new)


class _Clock:
    """The time of the event that is added, or now."""

    time: datetime | None = None

    def __call__(self) -> datetime:
        return self.time or datetime.now(UTC)


def _time(event: Event) -> datetime:
    time = datetime.fromisoformat(event.when)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _key(event: Event) -> str:
    """What an event is known again by, whatever its number, and however its time is written."""
    when = _time(event).astimezone(UTC).isoformat(timespec="milliseconds") if event.when else ""
    return replace(event, number=0, when=when).line()
