"""Work: what each person did on each row, out of their events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hfclean.verdicts.assignment import drawn
from hfclean.verdicts.events import Event

DECIDED = ("accept", "edit", "reject", "return", "exclude")


@dataclass(frozen=True)
class Work:
    """One person's work on one row.

    Attributes:
        row_id, who: of the row, and of the person.
        events: those that are not undone, oldest first, without claims.
        seconds: of all looks together, also of those that were undone; each of at most the longest that counts; nan
            where no look was timed.
        cut: how many looks were longer.
        arm: `with` or `without` a proposal; empty where no event says so, or two say different things.
    """

    row_id: str
    who: str
    events: tuple[Event, ...]
    seconds: float
    cut: int
    arm: str

    @property
    def decision(self) -> Event | None:
        """What the person decided last; None where that is nothing, or somebody should look."""
        last = self.events[-1] if self.events else None
        return last if last is not None and last.verdict in DECIDED else None

    @property
    def verdict(self) -> str:
        """Of the decision; empty without one."""
        return self.decision.verdict if self.decision else ""


class AllWork(NamedTuple):
    """The work of everybody.

    Attributes:
        revisers: of those who decide about rows.
        owners: of those who control what others decided.
        gold: of revisers on planted rows, which counts nowhere else.
    """

    revisers: tuple[Work, ...]
    owners: tuple[Work, ...]
    gold: tuple[Work, ...]


def work_of(events: Iterable[Event], longest_look_s: float) -> AllWork:
    """Everybody's work, by row and person. Numbered events of equal content are one, in whatever order they come."""
    found: dict[tuple[bool, bool, str, str], dict[str, Event]] = {}
    for event in events:
        of_one = found.setdefault((event.gold, event.is_owners, event.row_id, event.who), {})
        of_one[event.key if event.number else str(len(of_one))] = event
    kinds: tuple[list[Work], list[Work], list[Work]] = ([], [], [])
    for (gold, is_owners, row_id, who), by_key in sorted(found.items()):
        if not (gold and is_owners):
            work = _work(row_id, who, by_key, longest_look_s)
            kinds[2 if gold else 1 if is_owners else 0].append(work)
    return AllWork(*map(tuple, kinds))


def _work(row_id: str, who: str, by_key: Mapping[str, Event], longest_look_s: float) -> Work:
    def order(item: tuple[str, Event]) -> tuple[int, str, str]:
        key, event = item
        return (event.number, event.when, key) if event.number else (0, "", "")

    events = [event for _, event in sorted(by_key.items(), key=order)]
    standing: list[Event] = []
    for event in events:
        if event.verdict == "undo":
            standing = standing[:-1]
        elif event.verdict != "claim":
            standing.append(event)
    looks = [event.seconds for event in events if event.seconds is not None]
    arms = {event.arm for event in events if event.arm}
    return Work(
        row_id,
        who,
        tuple(standing),
        math.fsum(min(look, longest_look_s) for look in looks) if looks else math.nan,
        sum(look > longest_look_s for look in looks),
        arms.pop() if len(arms) == 1 else "",
    )


def pseudonyms(people: Iterable[str]) -> Mapping[str, str]:
    """Person -> A, B, ..., in an order that their names do not show.

    >>> pseudonyms(["ana", "ben", "eva"])
    {'eva': 'A', 'ana': 'B', 'ben': 'C'}
    """
    ranked = sorted(set(people), key=lambda who: (drawn(who, "pseudonym"), who))
    return {who: _letters(number) for number, who in enumerate(ranked)}


def _letters(number: int) -> str:
    """A to Z, AA, AB, ..."""
    more, last = divmod(number, 26)
    return (_letters(more - 1) if more else "") + chr(ord("A") + last)
