"""Answers: what people decided in another tool, as events that a desk would have written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hfclean.errors import SourceError
from hfclean.layout import Layout
from hfclean.schema import View
from hfclean.verdicts.events import VERDICTS, Event, describe
from hfclean.verdicts.exchange.tasks import Task, rows_of, task_of

CHOICES = tuple(verdict for verdict in VERDICTS if verdict not in ("undo", "claim"))
EMPTY = "[empty]"


@dataclass(frozen=True)
class Answer:
    """One person's decision in another tool.

    Attributes:
        where: in the file, for messages, such as `line 7`.
        row_id: of the row.
        verdict: what the person chose; `""` for nothing.
        texts: `instruction`, `input`, `response` -> what the person wrote, where they did; `[empty]` for no text.
        shown: the same -> what was shown; without those that the tool shows elsewhere than where a person writes.
        reason: in words.
        who: the person; `""` where the tool does not say.
        when: as ISO 8601 writes it; `""` where the tool does not say.
        seconds: how long the person looked at the row; None where the tool does not say.
        before, after: the hashes that the row had when it was exported.
    """

    where: str
    row_id: str
    verdict: str
    texts: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    who: str = ""
    when: str = ""
    seconds: float | None = None
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Imported:
    """What became of answers.

    Attributes:
        events: one for each decision, in the order of the answers; they have no number yet.
        left_out: what was not taken over -> how many: `undecided`, `edit without a text`, `exclude without a reason`,
            `no such row`, `a text that cannot be written`, `text without a verdict`, and `text beside a verdict that
            takes none`: there, the decision counts without the text.
        first: the same -> where the first of them is.
    """

    events: tuple[Event, ...]
    left_out: Mapping[str, int]
    first: Mapping[str, str]


def events_of(answers: Iterable[Answer], ds: Any, layout: Layout | None = None) -> Imported:
    """The events of answers, as `hfclean.verdicts.describe` makes them.

    An accepted row whose text the person changed is edited; one that is edited to the text that was shown is accepted.
    Of a row that changed since it was exported, the event has the hashes of what was judged, so that the decision is
    known to be of another text.

    Args:
        answers: of any people.
        ds: the dataset that was exported, with its `row_id`.
        layout: how its rows are read; what `Layout()` finds by default.

    Raises:
        SourceError: an answer has no such verdict, or none is on a row of this dataset.
    """
    layout = layout or Layout()
    answers = list(answers)
    wanted: dict[str, list[int]] = {}
    for number, answer in enumerate(answers):
        wanted.setdefault(answer.row_id, []).append(number)
    found: dict[int, Event | str] = {}
    for split, row, view in rows_of(ds, layout):
        for number in wanted.get(str(row[layout.own("row_id")]), ()):
            found[number] = _event(answers[number], row, view, task_of(split, row, view, layout), layout)
    events: list[Event] = []
    left_out: Counter[str] = Counter()
    first: dict[str, str] = {}
    for number, answer in enumerate(answers):
        outcome = found.get(number, "no such row")
        reason = outcome if isinstance(outcome, str) else _unused(answer, outcome)
        if isinstance(outcome, Event):
            events.append(outcome)
        if reason:
            left_out[reason] += 1
            first.setdefault(reason, answer.where)
    if answers and left_out["no such row"] == len(answers):
        raise SourceError(
            f"none of {len(answers):,} answers is on a row of this dataset (the first is on "
            f"{answers[0].row_id!r:.40}); give the folder that was exported"
        )
    return Imported(tuple(events), dict(left_out), first)


def _event(answer: Answer, row: Mapping[str, Any], view: View, task: Task, layout: Layout) -> Event | str:
    """The event of an answer, or why there is none."""
    verdict = answer.verdict.strip().lower()
    changed = _changed(answer, task)
    if not verdict:
        return "text without a verdict" if changed or answer.reason.strip() else "undecided"
    if verdict not in CHOICES:
        raise SourceError(f"{answer.where} has the verdict {answer.verdict!r:.40}; expected {', '.join(CHOICES)}")
    if verdict == "exclude" and not answer.reason.strip():
        return "exclude without a reason"
    if verdict in ("accept", "edit"):
        if verdict == "edit" and not changed and not answer.shown:
            return "edit without a text"
        verdict = "edit" if changed else "accept"
    if verdict == "edit" and not changed.keys() <= task.places.keys():
        return "a text that cannot be written"
    texts = {}
    if verdict == "edit":
        texts = {place: text for name, text in changed.items() for place in task.places[name]}
    event = describe(row, verdict, layout, texts=texts, reason=answer.reason, seconds=answer.seconds)
    if answer.after and (answer.before, answer.after) != (event.before, event.after):
        event = replace(event, before=answer.before, after=answer.after, result="")
    return replace(event, who=answer.who, when=answer.when)


def _changed(answer: Answer, task: Task) -> dict[str, str]:
    """The texts that a person wrote, where they are not those that were shown."""
    found = {}
    for name, text in answer.texts.items():
        text = "" if text == EMPTY else text
        shown = answer.shown.get(name)
        if shown is None or not _same(text, shown):
            found[name] = _with_line_ends(text, task.now[name])
    return found


def _same(text: str, shown: str) -> bool:
    """Whether a text is the one that was shown: tools write line ends in their own way, and take blanks from ends."""
    return text == shown or _plain(text).strip() == _plain(shown).strip()


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _with_line_ends(text: str, now: str) -> str:
    """With the line ends of the text that stands there."""
    return _plain(text).replace("\n", "\r\n") if "\r\n" in now else text


def _unused(answer: Answer, event: Event) -> str:
    is_used = event.verdict == "edit" or not any(
        name not in answer.shown or not _same(text, answer.shown[name]) for name, text in answer.texts.items()
    )
    return "" if is_used else "text beside a verdict that takes none"
