"""The desk: what one person does to the rows of a queue, and what everybody's files say of them.

A decision is in the file before it is answered. All that is known comes from the files: they are read at the start,
and again from where they ended whenever they have grown, so that several desks may share one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from typing import Any, NamedTuple

from hfclean.checks import accept
from hfclean.desk.queue import Queue
from hfclean.desk.rows import Rows
from hfclean.desk.tail import Tail
from hfclean.desk.tasks import Kind, Task, swapped, task_of, with_texts
from hfclean.provenance import original_cells
from hfclean.schema import PreferenceView
from hfclean.verdicts.events import Event, Hashes, describe
from hfclean.verdicts.hunks import taken
from hfclean.verdicts.log import VerdictLog
from hfclean.verdicts.states import RowVerdicts, row_verdicts

# the states of rows that wait for nobody but an owner
DONE = ("accepted", "edited", "rejected", "returned", "excluded", "skipped", "flagged", "conflict")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Choice:
    """What a person wants to be done with a row.

    Args:
        verdict: that of an `Event`, or `first` or `second` of a pair.
        hunks: place -> numbers of the changes that are taken; None for all of them.
        texts: place -> text that the person wrote.
        reason: in words.
        seconds: how long the person looked at the row.
        seen: what `Desk.seen` gave when the row was shown; None to decide whatever others did meanwhile.
    """

    verdict: str
    hunks: Mapping[str, tuple[int, ...]] | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    seconds: float | None = None
    seen: str | None = None


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


class Desk:
    """One person at a queue of rows.

    Args:
        rows: the dataset.
        queue: the rows that are gone through.
        log: the person's file, to which decisions are added.
        who: the person.
        also: files of others, which are only read.
        kind: as what rows are decided about; by default as what each is.
        blind: whether the person sees neither what others decided nor where a text comes from.

    Attributes:
        written: how many decisions were made here.

    Raises:
        SourceError: a line of a file is not an event.
    """

    def __init__(
        self,
        rows: Rows,
        queue: Queue,
        log: VerdictLog,
        who: str,
        *,
        also: Sequence[Path] = (),
        kind: Kind = "revision",
        blind: bool = False,
    ) -> None:
        self.rows, self.queue, self.log, self.who = rows, queue, log, who
        self.kind, self.blind = kind, blind
        self._tails = [Tail(path) for path in dict.fromkeys([log.path, *also])]
        self._lock = RLock()
        self.written = 0
        self._forget()
        self.refresh()

    def _forget(self) -> None:
        self._events: dict[str, list[Event]] = {}
        self._verdicts: dict[str, RowVerdicts] = {}
        self._states: dict[str, str] = {}
        self._now: dict[str, Hashes] = {}
        self.queue.open[:] = True
        for tail in self._tails:
            tail.rewind()

    # --------------------------------------------------------------------------------------------------------- reading

    def refresh(self) -> None:
        """Read what the files have more than they had.

        Raises:
            SourceError: a line of a file is not an event.
        """
        with self._lock:
            if any(tail.was_replaced() for tail in self._tails):
                self._forget()
            self._take([event for tail in self._tails for event in tail.more()])

    def _take(self, events: Sequence[Event]) -> None:
        names = dict.fromkeys(event.row_id for event in events)
        unknown = [number for name in names if name not in self._now and (number := self.rows.find(name)) is not None]
        for number, now in self.rows.hashes(unknown).items():
            self._now[self.rows.ids[number]] = now
        for event in events:
            self._events.setdefault(event.row_id, []).append(event)
        for name in names:
            found = row_verdicts(self._events[name]).get(name, RowVerdicts(()))
            self._verdicts[name] = found
            self._states[name] = found.state(self._now.get(name))
            number = self.rows.find(name)
            position = None if number is None else self.queue.position(number)
            if position is not None:
                self.queue.open[position] = self._is_open(name)

    def _is_open(self, name: str) -> bool:
        return self.state(name) not in DONE

    def state(self, name: str) -> str:
        """What holds for a row, one of `verdicts.states.STATES`."""
        return self._states.get(name) or RowVerdicts(()).state()

    def standing(self, name: str) -> tuple[Event, ...]:
        """Everybody's last decision about a row."""
        return self._verdicts.get(name, RowVerdicts(())).standing

    def mine(self, name: str) -> Event | None:
        """This person's last decision about a row."""
        return next((event for event in self.standing(name) if event.who == self.who), None)

    def seen(self, name: str) -> str:
        """What stands for a row now, as a short text that changes with it."""
        keys = "".join(event.key for event in self.standing(name))
        return blake2b(keys.encode(), digest_size=8).hexdigest()

    @property
    def left(self) -> int:
        """How many rows of the queue are open."""
        return int(self.queue.open.sum())

    def counts(self) -> Counter[str]:
        """How many rows of the queue have each state."""
        with self._lock:
            found = Counter(
                state
                for name, state in self._states.items()
                if (number := self.rows.find(name)) is not None and self.queue.position(number) is not None
            )
            found[RowVerdicts(()).state()] += len(self.queue) - found.total()
            return found

    def task(self, number: int, *, candidate: int = 0) -> Task:
        """What is shown of a row."""
        kind = self.kind
        if kind == "row" and isinstance(self.rows.view(number), PreferenceView):
            kind = "pair"
        return task_of(self.rows, number, kind, candidate=candidate)

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
                return Decided(None, others=self.standing(task.row_id), texts=self._texts(task, choice))
            verdict, texts, hunks, reason = self._meant(task, choice)
            refused = self.refused(task, texts) if verdict == "edit" and not reason.strip() else ()
            if refused:
                return Decided(None, refused=refused, texts=texts)
            event = describe(
                task.cells,
                verdict,
                self.rows.layout,
                texts=texts,
                hunks=hunks,
                proposed=task.proposed,
                reason=reason,
                seconds=choice.seconds,
            )
            event = self.log.append(event)
            self.written += 1
            self.refresh()
            return Decided(event, texts=texts)

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
            event = self.log.append(Event(last.row_id, "undo"))
            self.refresh()
            return event

    def _last(self) -> Event | None:
        mine = [event for name in self._verdicts if (event := self.mine(name)) is not None]
        return max(mine, key=lambda event: (event.number, event.when), default=None)

    def _meant(self, task: Task, choice: Choice) -> tuple[str, dict[str, str], dict[str, tuple[int, ...]], str]:
        """Verdict, texts, hunks and reason of an event."""
        if choice.verdict in ("first", "second"):
            is_chosen = (task.first == "chosen") == (choice.verdict == "first")
            texts = {} if is_chosen else swapped(task)
            said = choice.reason.strip() or "the other answer is better"
            return ("accept", {}, {}, choice.reason) if is_chosen else ("edit" if texts else "return", texts, {}, said)
        if choice.verdict == "edit":
            texts = self._texts(task, choice)
            return (_same_as(task, texts), {} if _same_as(task, texts) != "edit" else texts, {}, choice.reason)
        if choice.verdict == "accept" and choice.hunks is not None and task.is_divisible:
            every = {text.place: tuple(range(len(text.hunks))) for text in task.changed}
            some = {place: tuple(sorted(set(choice.hunks.get(place, ())))) for place in every}
            if not any(some.values()):
                return "reject", {}, {}, choice.reason
            if some != every:
                return "edit", self._taken(task, some), some, choice.reason
        return choice.verdict, {}, {}, choice.reason

    def _taken(self, task: Task, some: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
        texts: dict[str, str] = {}
        for text in task.changed:
            try:
                part = taken(text.before, text.after, some[text.place])
            except IndexError as e:
                raise ValueError(f"{text.place}: {e}") from e
            texts |= dict.fromkeys(text.places, part)
        return texts

    def _texts(self, task: Task, choice: Choice) -> dict[str, str]:
        """The texts that a person wrote where they differ from what the row has now; at every place of each."""
        found: dict[str, str] = {}
        for text in task.texts:
            written = choice.texts.get(text.place) if text.places else None
            if written is not None and written != (text.before if task.proposed else text.after):
                found |= dict.fromkeys(text.places, written)
        return found

    def as_theirs(self, task: Task, event: Event, *, reason: str = "", **more: Any) -> Choice:
        """What this person decides who takes somebody's decision."""
        said = reason.strip() or event.reason
        if event.verdict != "edit":
            return Choice(event.verdict, reason=said, **more)
        return Choice("edit", texts=self.texts_of(task, event), reason=said, **more)

    def texts_of(self, task: Task, event: Event) -> dict[str, str]:
        """The texts that the row has if somebody's decision is followed, by the first place of each."""
        if event.verdict == "reject":
            return {text.place: text.before for text in task.texts if text.places}
        is_refused = bool(task.proposed) and event.verdict not in ("accept", "edit")
        found = {text.place: text.before if is_refused else text.after for text in task.texts if text.places}
        for text in task.texts:
            if text.places and text.name in event.fields:
                found[text.place] = event.fields[text.name]
        return {place: event.texts.get(place, text) for place, text in found.items()}

    def is_stale(self, event: Event) -> bool:
        """Whether the row changed since somebody decided."""
        now = self._now.get(event.row_id)
        return now is not None and not event.fits(now)

    def refused(self, task: Task, texts: Mapping[str, str]) -> tuple[str, ...]:
        """The checks that refuse the row with these texts beside the one that it was at first."""
        layout = self.rows.layout
        before = task.view.pairs(original_cells(task.cells, layout.prefix), turns="all")
        after = task.view.pairs(with_texts(task.cells, texts), turns="all")
        if len(before) != len(after):
            return ("turns_changed",)
        pairs = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        return tuple(dict.fromkeys(code for old, new in pairs for code in accept(old, new)))


def _same_as(task: Task, texts: Mapping[str, str]) -> str:
    """What an edit amounts to: one that leaves the revision as it is accepts it, one that takes it back rejects it."""
    if task.proposed:
        return "reject" if not texts else "accept" if texts == dict(task.proposed) else "edit"
    originals = {place: text.before for text in task.changed for place in text.places}
    return "accept" if not texts else "reject" if texts == originals else "edit"
