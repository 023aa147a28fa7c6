"""Choices: what a person wants to be done with a row, and which event says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from hfclean.desk.tasks import Task, swapped, with_texts
from hfclean.verdicts.applying import refusing
from hfclean.verdicts.events import Event
from hfclean.verdicts.hunks import taken

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
        to: of an owner, whose decision this controls; empty for the last one.
    """

    verdict: str
    hunks: Mapping[str, tuple[int, ...]] | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    seconds: float | None = None
    seen: str | None = None
    to: str = ""


class Meaning(NamedTuple):
    """What a choice amounts to: the parts of an event."""

    verdict: str
    texts: Mapping[str, str] = _NOTHING
    hunks: Mapping[str, tuple[int, ...]] = _NOTHING
    reason: str = ""


def meaning_of(task: Task, choice: Choice) -> Meaning:
    """What a choice amounts to. All changes taken accept a revision, none rejects it, and some are an edit; so are
    texts that are those of the revision, those of the original, and others. The other answer of a pair is an edit that
    exchanges both, or where their form does not allow that, a row to be revised again.

    Raises:
        ValueError: there is no such change.
    """
    reason = choice.reason
    if task.kind == "blind" and choice.verdict in ("accept", "edit", "reject"):
        raise ValueError("of two texts, say which is better: A or B")
    if choice.verdict == "exclude" and not reason.strip():
        raise ValueError("an exclusion needs a reason, such as 'needs a picture'; type one and choose Exclude again")
    if choice.verdict in ("first", "second") and not task.sides:
        raise ValueError("there are not two texts to choose from")
    if choice.verdict in ("first", "second") and task.kind == "blind":
        is_revision = (task.first == "revision") == (choice.verdict == "first")
        return Meaning("accept" if is_revision else "reject", reason=reason)
    if choice.verdict in ("first", "second"):
        if (task.first == "chosen") == (choice.verdict == "first"):
            return Meaning("accept", reason=reason)
        texts = swapped(task)
        return Meaning("edit" if texts else "return", texts, reason=reason.strip() or "the other answer is better")
    if choice.verdict == "edit":
        texts = written(task, choice)
        verdict = _verdict_of(task, texts)
        return Meaning(verdict, texts if verdict == "edit" else _NOTHING, reason=reason)
    if choice.verdict == "accept" and choice.hunks is not None and task.is_divisible:
        every = {text.place: tuple(range(len(text.hunks))) for text in task.changed}
        some = {place: tuple(sorted(set(choice.hunks.get(place, ())))) for place in every}
        if not any(some.values()):
            return Meaning("reject", reason=reason)
        if some != every:
            return Meaning("edit", _taken(task, some), some, reason)
    return Meaning(choice.verdict, reason=reason)


def written(task: Task, choice: Choice) -> dict[str, str]:
    """The texts that a person wrote where they differ from what the row has now; at every place of each."""
    found: dict[str, str] = {}
    for text in task.texts:
        typed = choice.texts.get(text.place) if text.places else None
        if typed is not None and typed != (text.before if task.proposed else text.after):
            found |= dict.fromkeys(text.places, typed)
    return found


def refusals(task: Task, texts: Mapping[str, str]) -> tuple[str, ...]:
    """The checks that refuse the row with these texts beside the one that it was at first; of a planted row, those
    that do not refuse it as it is shown."""
    found = refusing(task.cells, with_texts(task.cells, texts), task.view, task.prefix)
    shown = refusing(task.cells, with_texts(task.cells, {}), task.view, task.prefix) if task.planted else ()
    return tuple(code for code in found if code not in shown)


def theirs(task: Task, event: Event) -> dict[str, str]:
    """The texts that the row has if somebody's decision is followed, by the first place of each."""
    if event.verdict == "reject":
        return {text.place: text.before for text in task.texts if text.places}
    stays = bool(task.proposed) and event.verdict not in ("accept", "edit")
    found = {text.place: text.before if stays else text.after for text in task.texts if text.places}
    for text in task.texts:
        if text.places and text.name in event.fields:
            found[text.place] = event.fields[text.name]
    return {place: event.texts.get(place, text) for place, text in found.items()}


def as_theirs(task: Task, event: Event, *, reason: str = "", **more: Any) -> Choice:
    """The choice of a person who takes somebody's decision."""
    texts = theirs(task, event) if event.verdict == "edit" else {}
    return Choice(event.verdict, texts=texts, reason=reason.strip() or event.reason, **more)


def _taken(task: Task, some: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for text in task.changed:
        try:
            part = taken(text.before, text.after, some[text.place])
        except IndexError as e:
            raise ValueError(f"{text.place}: {e}") from e
        texts |= dict.fromkeys(text.places, part)
    return texts


def _verdict_of(task: Task, texts: Mapping[str, str]) -> str:
    """What texts that differ from the row's amount to."""
    if task.proposed:
        return "reject" if not texts else "accept" if texts == dict(task.proposed) else "edit"
    originals = {place: text.before for text in task.changed for place in text.places}
    return "accept" if not texts else "reject" if texts == originals else "edit"
