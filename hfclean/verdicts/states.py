"""States: what the events of one person or several amount to, row by row."""

from collections.abc import Iterable
from typing import NamedTuple

from hfclean.verdicts.events import Event, Hashes

_DECIDED = {
    "accept": "accepted",
    "edit": "edited",
    "reject": "rejected",
    "return": "returned",
    "exclude": "excluded",
}
STATES = (*_DECIDED.values(), "conflict", "flagged", "stale", "skipped", "todo")


class RowVerdicts(NamedTuple):
    """What people say of a row.

    Attributes:
        standing: of each person the last decision that is not undone, by time.
    """

    standing: tuple[Event, ...]

    def state(self, now: Hashes | None = None) -> str:
        """What holds for the row, one of `STATES`.

        `accepted`, `edited`, `rejected`, `returned` or `excluded` where everybody who is heard says the same,
        `conflict` where they do not. Where an owner decided, only owners are heard; an owner's `return` holds until
        the person to whom the row returned has decided again. `flagged` while the last word of anybody who is heard is
        that somebody should look. `stale` where the row changed since, which is only known with `now`. `skipped` and
        `todo` where nobody decided.
        """
        heard = self._heard(now)
        if any(event.verdict == "flag" for event in heard):
            return "flagged"
        decided = [event for event in heard if event.verdict in _DECIDED]
        if decided:
            return _DECIDED[decided[0].verdict] if _agree(decided) else "conflict"
        if any(event.verdict in (*_DECIDED, "flag") for event in self.standing):
            return "stale"
        return "skipped" if self.standing else "todo"

    def decision(self, now: Hashes | None = None) -> Event | None:
        """The decision that holds for the row; the first of equal ones, `None` where there is none."""
        if self.state(now) not in _DECIDED.values():
            return None
        return next(event for event in self._heard(now) if event.verdict in _DECIDED)

    def returned_to(self, now: Hashes | None = None) -> str:
        """To whom an owner returned the row; `""` where it is not `returned`, or to nobody in particular."""
        decision = self.decision(now)
        return decision.to if decision is not None and decision.verdict == "return" else ""

    def _heard(self, now: Hashes | None) -> list[Event]:
        """Who counts: the owners who decided, or everybody."""
        fresh = [event for event in self.standing if now is None or event.fits(now)]
        owners = [
            event
            for event in fresh
            if event.is_owners and event.verdict in (*_DECIDED, "flag") and not _is_answered(event, fresh)
        ]
        return owners or [event for event in fresh if not event.is_owners]


def row_verdicts(events: Iterable[Event]) -> dict[str, RowVerdicts]:
    """What people say of each row that events are on. Planted rows, and claims, are left out.

    Numbered events of equal content are one. Those of one person count in the order of their numbers, whatever the
    clock said; of equal numbers, by time and hash; unnumbered ones, which no program wrote, as they stand in the file.
    The state is the same whatever the order in which files of several people are read.
    """
    people: dict[tuple[str, str], dict[str, Event]] = {}
    for event in events:
        if not event.gold and event.verdict != "claim":
            person = people.setdefault((event.row_id, event.who), {})
            person[event.key if event.number else str(len(person))] = event
    rows: dict[str, list[Event]] = {}
    for (name, _), found in people.items():
        rows.setdefault(name, [])
        if last := _last(list(found.values())):
            rows[name].append(last)
    return {name: RowVerdicts(tuple(sorted(found, key=_by_time))) for name, found in sorted(rows.items())}


def _last(events: list[Event]) -> Event | None:
    """The last decision of a person on a row that is not undone."""
    events.sort(key=lambda event: (event.number, event.when, event.key) if event.number else (0, "", ""))
    standing: list[Event] = []
    for event in events:
        if event.verdict != "undo":
            standing.append(event)
        elif standing:
            standing.pop()
    return standing[-1] if standing else None


def _is_answered(event: Event, others: Iterable[Event]) -> bool:
    """Whether this is the `return` of an owner after which the person decided again."""
    return event.verdict == "return" and any(
        other.verdict in _DECIDED
        and not other.is_owners
        and event.to in ("", other.who)
        and (other.number > event.of if event.of else other.when > event.when)
        for other in others
    )


def _by_time(event: Event) -> tuple[str, str, str]:
    return event.when, event.who, event.key


def _agree(decided: list[Event]) -> bool:
    texts = {(event.verdict, *sorted(event.texts.items()), *sorted(event.fields.items())) for event in decided}
    return len(texts) == 1 and len({event.result for event in decided if event.result}) <= 1
