"""The desk: what one person does to the rows of a queue, and what the file of decisions says of them.

A decision is in the file before it is answered. All that is known comes from the file: it is read at the start, and
again from where it ended whenever it has grown, so that several desks may share one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from threading import RLock
from types import MappingProxyType
from typing import Any, NamedTuple

from hfclean.desk.blind import blinded
from hfclean.desk.choices import Choice, Meaning, meaning_of, refusals, written
from hfclean.desk.queue import Queue
from hfclean.desk.rows import Rows
from hfclean.desk.tasks import Kind, Task, task_of
from hfclean.report.formatting import plural
from hfclean.schema import PreferenceView
from hfclean.verdicts.assignment import arm, is_doubled, owner_sample
from hfclean.verdicts.events import Event, Hashes, describe
from hfclean.verdicts.log import VerdictLog
from hfclean.verdicts.states import RowVerdicts, row_verdicts

UNSETTLED = ("conflict", "flagged")  # the states in which an owner looks at every row
CLAIMED_MINUTES = 15  # for which nobody else is offered a row that somebody looks at
TODO = RowVerdicts(()).state()
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Decided(NamedTuple):
    """What became of a choice.

    Attributes:
        event: what was written; None where nothing was.
        refused: ids of the checks that refuse the person's text, which gives no reason.
        others: what others, or the same person elsewhere, decided since the row was shown.
        texts: the texts that the row would have had.
    """

    event: Event | None
    refused: tuple[str, ...] = ()
    others: tuple[Event, ...] = ()
    texts: Mapping[str, str] = _NOTHING


@dataclass(frozen=True)
class Seat:
    """How a person works at a desk.

    Args:
        kind: as what rows are decided about; what a row is not, it is not decided about as.
        blind: the person sees neither what others decided nor where a text comes from, and of a revision both texts
            without being told which is which.
        owner: the person controls what others decided: every conflict and flag, and a share of each person's rows.
        controlled: that share, 0 to 1.
        doubled: the share of rows that two people decide, without knowing of each other, 0 to 1.
        without: the share of revised rows that is shown without the revision, to compare how long people take, 0 to 1.
    """

    kind: Kind = "revision"
    blind: bool = False
    owner: bool = False
    controlled: float = 0.1
    doubled: float = 0.0
    without: float = 0.0


class Desk:
    """One person at a queue of rows.

    Args:
        rows: the dataset.
        queue: the rows that are gone through.
        log: the person's file, to which decisions are added.
        who: the person.
        seat: how the person works.
        now: the clock, by which claims lapse.

    Attributes:
        written: how many decisions were made here.
        notice: what the person is to be told once, such as that the file is another one now; empty for nothing.

    Raises:
        SourceError: a line of a file is not an event.
        HfcleanError: a share that is none.
    """

    def __init__(
        self,
        rows: Rows,
        queue: Queue,
        log: VerdictLog,
        who: str,
        seat: Seat | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.rows, self.queue, self.log, self.who = rows, queue, log, who
        self.seat = seat or Seat()
        self.written = 0
        self.notice = ""
        self._clock = now
        self._lock = RLock()
        self._forget()
        self.refresh()

    def _forget(self) -> None:
        self._events: dict[str, list[Event]] = {}
        self._verdicts: dict[str, RowVerdicts] = {}
        self._states: dict[str, str] = {}
        self._now: dict[str, Hashes] = {}
        self._claims: dict[str, Event] = {}  # person -> where they are, who came first before the others
        self._counts: Counter[str] = Counter()
        self.queue.open[:] = not self.seat.owner

    # --------------------------------------------------------------------------------------------------------- reading

    def refresh(self) -> None:
        """Read what the file has more than it had.

        Raises:
            SourceError: a line of it is not an event, or it is gone; what was read of it stands.
        """
        with self._lock:
            news = self.log.news()
            if news.is_anew:
                before = self._decided()
                self._forget()
            self._take(news.events)
            if news.is_anew:
                self.notice = (
                    f"The file {self.log.path.name!r} was replaced or shortened while you worked. What it holds now "
                    f"counts: {plural(self._decided(), 'row')} that you decided; before, {before:,}."
                )

    def _decided(self) -> int:
        """How many rows this person decided."""
        return sum(self.mine(name) is not None for name in self._verdicts)

    def _take(self, events: Sequence[Event]) -> None:
        names = dict.fromkeys(event.row_id for event in events)
        unknown = [number for name in names if name not in self._now and (number := self.rows.find(name)) is not None]
        for number, now in self.rows.hashes(unknown).items():
            self._now[self.rows.ids[number]] = now
        for event in events:
            self._events.setdefault(event.row_id, []).append(event)
            held = self._claims.get(event.who)
            if held and (event.verdict == "claim" or event.row_id == held.row_id):
                del self._claims[event.who]
            if event.verdict == "claim":
                self._claims[event.who] = event
        for name in names:
            found = row_verdicts(self._heard(name)).get(name, RowVerdicts(()))
            self._verdicts[name] = found
            before, after = self._states.get(name), found.state(self._now.get(name))
            self._states[name] = after
            position = self._position(name)
            if position is not None:
                self._counts.subtract([] if before is None else [before])
                self._counts.update([after])
                self.queue.open[position] = self._is_open(name)

    def _heard(self, name: str) -> list[Event]:
        """The events on a row that count here; of a planted one, those of this person, as if it were none."""
        events = self._events[name]
        if name not in self.rows.planted:
            return events
        return [replace(event, gold=False) for event in events if event.who == self.who]

    def _position(self, name: str) -> int | None:
        number = self.rows.find(name)
        return None if number is None else self.queue.position(number)

    def _is_open(self, name: str) -> bool:
        """Whether a row that somebody decided waits for this person."""
        decision = self._verdicts[name].decision(self._now.get(name))
        if decision is not None and decision.is_owners:
            return not self.seat.owner and decision.verdict == "return" and decision.to in ("", self.who)
        if any(event.who == self.who and not self.is_stale(event) for event in self.standing(name)):
            return False
        others = self._others(name)
        if self.seat.owner:
            return self.state(name) in UNSETTLED or any(
                owner_sample([name], who, self.seat.controlled) for who in others
            )
        return len(others) < self._places(name)

    def _others(self, name: str) -> set[str]:
        """Who else decided about a row as it is now."""
        fresh = (event for event in self.standing(name) if not self.is_stale(event))
        return {event.who for event in fresh if event.who != self.who and event.verdict != "skip"}

    def _places(self, name: str) -> int:
        """How many people are to decide a row."""
        return 2 if self.is_doubled(name) else 1

    def is_doubled(self, name: str) -> bool:
        """Whether two people are to decide a row, each alone."""
        return is_doubled(name, self.seat.doubled)

    def state(self, name: str) -> str:
        """What holds for a row, one of `verdicts.states.STATES`."""
        return self._states.get(name, TODO)

    def shown_state(self, name: str) -> str:
        """What this person may know of that: of a row that is decided alone, nothing of others, and of a blind one
        not which text was better."""
        if not self.is_alone(name) or name not in self._states:
            return self.state(name)
        found = RowVerdicts(self.visible(name)).state(self._now.get(name))
        return "decided" if self.seat.blind and found in ("accepted", "edited", "rejected") else found

    def standing(self, name: str) -> tuple[Event, ...]:
        """Everybody's last decision about a row."""
        return self._verdicts.get(name, RowVerdicts(())).standing

    def visible(self, name: str) -> tuple[Event, ...]:
        """What this person may see of them: their own alone, where they are to decide without knowing of others."""
        found = self.standing(name)
        return tuple(event for event in found if event.who == self.who) if self.is_alone(name) else found

    def is_alone(self, name: str) -> bool:
        """Whether this person is to decide a row without knowing of others."""
        return self.seat.blind or (self.is_doubled(name) and not self.seat.owner and self.mine(name) is None)

    def mine(self, name: str) -> Event | None:
        """This person's last decision about a row."""
        return next((event for event in self.standing(name) if event.who == self.who), None)

    def seen(self, name: str) -> str:
        """What stands for a row now, as a short text that changes with it."""
        keys = "".join(event.key for event in self.visible(name))
        return blake2b(keys.encode(), digest_size=8).hexdigest()

    def is_stale(self, event: Event) -> bool:
        """Whether the row changed since somebody decided."""
        now = self._now.get(event.row_id)
        return now is not None and not event.fits(now)

    @property
    def left(self) -> int:
        """How many rows of the queue wait for this person."""
        return int(self.queue.open.sum())

    def counts(self) -> Counter[str]:
        """How many rows of the queue have each state."""
        with self._lock:
            found = +self._counts
            found[TODO] += len(self.queue) - found.total()
            return found

    def task(self, number: int, *, candidate: int = 0) -> Task:
        """What is shown of a row."""
        kind, name = self.seat.kind, self.rows.ids[number]
        if kind == "row" and isinstance(self.rows.view(number), PreferenceView):
            kind = "pair"
        has_arm = not self.seat.owner and name not in self.rows.planted
        is_bare = has_arm and not self.seat.blind and arm(name, without=self.seat.without) == "without"
        task = task_of(self.rows, number, kind, candidate=candidate, bare=is_bare)
        is_blind = self.seat.blind and task.kind in ("revision", "refused")
        return blinded(task, self.who) if is_blind else task

    # ---------------------------------------------------------------------------------------------------------- claims

    def following(self, position: int) -> int | None:
        """The next open row behind a position at which nobody else is; one at which somebody is, where all are."""
        with self._lock:
            busy = [
                at
                for name in {claim.row_id for claim in self._claims.values()}
                if self._is_busy(name) and (at := self._position(name)) is not None
            ]
            return self.queue.next_open(position, busy)

    def take(self, position: int) -> int | None:
        """The same, claimed for this person: of several who ask at one moment, each gets another row.

        Raises:
            SourceError, OSError: see `decide`.
        """
        with self._lock:
            self.refresh()
            found = self.following(position)
            while found is not None:
                name = self.rows.ids[int(self.queue.numbers[found])]
                self.claim(name)
                other = self.following(position) if self._is_busy(name) else found
                if other == found:
                    break
                found = other
            return found

    def claimed_by(self, name: str) -> str:
        """Who else is at a row and came first; empty for nobody."""
        return next(iter(self._claimants(name)), "")

    def _claimants(self, name: str) -> list[str]:
        """Who came to a row before this person, and is still there."""
        found = []
        for who, claim in self._claims.items():
            if claim.row_id == name and self._is_recent(claim, CLAIMED_MINUTES):
                if who == self.who:
                    break
                found.append(who)
        return found

    def _is_busy(self, name: str) -> bool:
        """Whether as many people are at a row, or decided it, as are to decide it."""
        return len(self._others(name).union(self._claimants(name))) >= self._places(name)

    def claim(self, name: str) -> None:
        """Tell others that this person is at an open row, and no longer at another one.

        Raises:
            SourceError, OSError: see `decide`.
        """
        with self._lock:
            position, held = self._position(name), self._claims.get(self.who)
            is_mine = position is not None and self.queue.open[position] and name not in self.rows.planted
            if not is_mine or self.seat.owner or self._is_busy(name):
                return
            if held is None or held.row_id != name or not self._is_recent(held, CLAIMED_MINUTES / 2):
                self.log.append(Event(name, "claim"))
                self.refresh()

    def _is_recent(self, event: Event, minutes: float) -> bool:
        """Whether something was written in the last minutes, also where a clock was set back since."""
        if not event.when:
            return False
        when = datetime.fromisoformat(event.when)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return abs(self._clock() - when) < timedelta(minutes=minutes)

    # -------------------------------------------------------------------------------------------------------- deciding

    def decide(self, task: Task, choice: Choice) -> Decided:
        """Add a decision to the file, unless the gate or what others decided speaks against it.

        Raises:
            SourceError: the file has a line that is not an event; nothing is added.
            ValueError: there is no such verdict, change or place.
            OSError: the file cannot be written; nothing is added.
        """
        with self._lock:
            self.refresh()
            if choice.seen is not None and choice.seen != self.seen(task.row_id):
                return Decided(None, others=self.visible(task.row_id), texts=written(task, choice))
            meant = meaning_of(task, choice)
            if meant.verdict == "edit" and not meant.reason.strip():
                refused = refusals(task, meant.texts)
                if refused:
                    return Decided(None, refused=refused, texts=meant.texts)
            event = self.log.append(self._described(task, choice, meant))
            self.written += 1
            self.refresh()
            return Decided(event, texts=meant.texts)

    def _described(self, task: Task, choice: Choice, meant: Meaning) -> Event:
        event = describe(
            task.cells,
            meant.verdict,
            self.rows.layout,
            texts=meant.texts,
            hunks=meant.hunks,
            proposed=task.proposed,
            reason=meant.reason,
            seconds=choice.seconds,
        )
        event = replace(event, refused=" ".join(task.codes) if task.proposed else "", gold=task.planted)
        if task.kind == "blind" and meant.verdict in ("accept", "reject"):
            event = replace(event, first=task.first)
        if self.seat.without and not self.seat.blind and (task.changed or task.kind == "original"):
            event = replace(event, arm="without" if task.kind == "original" else "with")
        if not self.seat.owner:
            return event
        last = next((each for each in reversed(self.standing(task.row_id)) if choice.to in ("", each.who)), None)
        if last is None or last.is_owners:
            return replace(event, role="owner")
        return replace(event, role="owner", of=last.number, to=last.who if meant.verdict == "return" else "")

    def undo(self) -> Event | None:
        """Withdraw this person's last decision; gives the event, None where nothing is left to undo.

        Raises:
            SourceError, OSError: see `decide`.
        """
        with self._lock:
            self.refresh()
            last = self._last()
            if last is None:
                return None
            event = self.log.append(Event(last.row_id, "undo", gold=last.row_id in self.rows.planted))
            self.refresh()
            return event

    def _last(self) -> Event | None:
        mine = [event for name in self._verdicts if (event := self.mine(name)) is not None]
        return max(mine, key=lambda event: (event.number, event.when), default=None)
