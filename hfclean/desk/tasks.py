"""Tasks: what is shown of one row, and which of its texts a person may take, refuse or write."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from hfclean.desk.rows import Proposal, Rows
from hfclean.provenance import Step, decode_original, original_cells, parse_history, pointer
from hfclean.schema import Pair, Path, PreferenceView, Slot, Target, Turn, View, read_at, write
from hfclean.schema.slots import as_text
from hfclean.scorers.explained import explained_columns
from hfclean.verdicts.hunks import Hunk, hunks

Kind = Literal["revision", "refused", "row", "pair", "original", "blind"]
CHECKED = 200_000  # characters of a row; a longer one is not looked at by every verifier before it is shown
FIELDS = ("instruction", "input", "response")
NEW = " It was not there before."  # of what a program finds in a revision alone


@dataclass(frozen=True)
class Text:
    """One text of a row.

    Attributes:
        name: `instruction`, `input`, `response`, or its place.
        places: where it is written, as the ledger spells it; none for a text that is only read.
        before: as it was.
        after: as it is now, or as it is proposed.
        shown: what is read where nothing changed: an answer without the thought in the same cell.
        whole: whether both are texts, so that a part of the change can be taken.
    """

    name: str
    places: tuple[str, ...]
    before: str
    after: str
    shown: str
    whole: bool = True

    @property
    def place(self) -> str:
        """The first of its places."""
        return self.places[0] if self.places else ""

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def filled(self, kind: Kind) -> str:
        """What stands in the field in which it is edited."""
        return self.before if kind == "original" else self.after

    def typed(self, sent: str) -> str:
        """What a person typed, of what a browser sent: it spells every line end in one way.

        Where nothing but the line ends differs from the text that was shown, that text; else with its line ends.
        """
        plain = _plain(sent)
        for known in (self.after, self.before):
            if plain == _plain(known):
                return known
        return plain.replace("\n", "\r\n") if "\r\n" in self.after else plain

    @cached_property
    def hunks(self) -> tuple[Hunk, ...]:
        """Where both differ."""
        return hunks(self.before, self.after)


class Passage(NamedTuple):
    """What is read of one text of a row."""

    name: str
    text: str


@dataclass(frozen=True)
class Score:
    """One number of a row that hfclean knows the meaning of."""

    name: str
    value: float
    meaning: str


@dataclass(frozen=True)
class Task:
    """One row, as a person sees it.

    Attributes:
        number: of the row.
        row_id, split, index: which it is.
        kind: `revision` of a row that was revised, `refused` for a revision that the gate refused, `pair` for two
            answers of which one is better, `original` where the person shall not see the revision, `blind` where not
            which text is the revision, else `row`.
        cells: the row as it is.
        view: how it is read.
        pair: its main pair.
        texts: what can be decided about or written, in the order of reading.
        proposed: of a refused revision, place -> proposed text.
        candidates: how many refused revisions there are of the row; `candidate` is the number of this one.
        codes: why the gate took or refused the revision, or which rules made it.
        refusal: the revision that the gate refused.
        prefix: of the columns that hfclean added.
        scores: numbers about the row.
        steps: what was done to it, oldest first.
        model: what the model that proposed calls itself; empty for none.
        tools: the tools that may be called, as text.
        other: columns that hfclean does not know.
        planted: whether the row is there to measure the person.
        sides: of a pair or a blind row, what is read of both; the first is that of `first`.
        first: which stands first: of a pair `chosen` or `rejected`, of a blind row `original` or `revision`.
        shared: of a blind row, what both have in common.
    """

    number: int
    row_id: str
    split: str
    index: int
    kind: Kind
    cells: Mapping[str, Any]
    view: View
    pair: Pair
    texts: tuple[Text, ...]
    proposed: Mapping[str, str]
    candidates: int = 0
    candidate: int = 0
    codes: tuple[str, ...] = ()
    refusal: Proposal | None = None
    prefix: str = ""
    scores: tuple[Score, ...] = ()
    steps: tuple[Step, ...] = ()
    model: str = ""
    tools: str = ""
    other: tuple[tuple[str, str], ...] = ()
    planted: bool = False
    sides: tuple[tuple[Passage, ...], ...] = ()
    first: str = ""
    shared: tuple[Passage, ...] = ()

    @property
    def history(self) -> tuple[Turn, ...]:
        return self.pair.history

    @property
    def changed(self) -> tuple[Text, ...]:
        return tuple(text for text in self.texts if text.changed)

    @cached_property
    def findings(self) -> tuple[str, ...]:
        """What a program finds wrong, a sentence each; of a planted row, what it found in the original as well."""
        if self.refusal:
            return self.refusal.findings
        found = _findings(self.cells, self.view, self.pair, self.prefix)
        return tuple(each for each in found if not (self.planted and each.endswith(NEW)))

    @property
    def is_divisible(self) -> bool:
        """Whether a part of the revision can be taken."""
        return bool(self.changed) and all(text.whole and text.places for text in self.changed)


def task_of(rows: Rows, number: int, kind: Kind, *, candidate: int = 0, bare: bool = False) -> Task:
    """What is shown of a row.

    Args:
        rows: the dataset.
        number: of the row.
        kind: as what it is decided about; `revision` of a row that was not revised is `row`.
        candidate: which of several refused revisions.
        bare: whether the person shall see the original alone.
    """
    cells, view = rows.cells(number), rows.view(number)
    split, index = rows.shown_place(number)
    layout = rows.layout
    target = layout.targets(cells, view)[-1]
    steps = parse_history(cells.get(layout.own("edit_history"))) or ()
    proposals = rows.proposals(number) if kind == "refused" else []
    chosen = proposals[min(candidate, len(proposals) - 1)] if proposals else None
    texts = _texts(cells, target, chosen, layout.prefix)
    if kind in ("revision", "refused") and not any(text.changed for text in texts):
        kind = "row"
    if bare and kind != "row":
        kind = "original"
    task = Task(
        number,
        rows.ids[number],
        split,
        index,
        kind,
        cells,
        view,
        target.pair,
        texts,
        chosen.texts if chosen else {},
        candidates=len(proposals),
        candidate=proposals.index(chosen) if chosen else 0,
        codes=chosen.codes if chosen else _codes(steps),
        refusal=chosen,
        prefix=layout.prefix,
        scores=_scores(cells, steps, layout.prefix),
        steps=steps,
        model=chosen.model if chosen else next((step.model for step in reversed(steps) if step.model), ""),
        tools=_tools(cells, view),
        other=_other(cells, view, steps, layout.prefix),
        planted=rows.ids[number] in rows.planted,
    )
    return _with_sides(task) if kind == "pair" else task


# --------------------------------------------------------------------------------------------------------------- texts


def _plain(text: str) -> str:
    """A text as a form of a browser gives it back: with line feeds, and without NUL."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def _texts(cells: Mapping[str, Any], target: Target, chosen: Proposal | None, prefix: str) -> tuple[Text, ...]:
    """The texts of the main pair, and before them every other one that changed."""
    changed = _changed(cells, chosen, prefix)
    found, known = [], set[Path]()
    for name in FIELDS:
        slot: Slot | None = getattr(target, name)
        shown = getattr(target.pair, name)
        if slot is None:
            if shown or name != "input":
                found.append(Text(name, (), shown, shown, shown))
            continue
        for part, path in enumerate(slot.paths):
            now = read_at(cells, path)
            before, after = changed.get(path, (now, now))
            places = tuple(map(pointer, slot.places(part)))
            text = shown if len(slot.paths) == 1 else slot.texts[part]
            found.append(_text(name, places, before, after, text))
            known.update(slot.places(part))
    others = [_text(pointer(path), (pointer(path),), *both) for path, both in changed.items() if path not in known]
    if any(text.changed for text in others) and not any(text.changed for text in found):
        return (*others, *found)
    return (*found, *others)


def _text(name: str, places: tuple[str, ...], before: Any, after: Any, shown: str | None = None) -> Text:
    is_whole = all(value is None or isinstance(value, str) for value in (before, after)) and after is not None
    after_text = as_text(after)
    return Text(name, places, as_text(before), after_text, after_text if shown is None else shown, is_whole)


def _changed(cells: Mapping[str, Any], chosen: Proposal | None, prefix: str) -> dict[Path, tuple[Any, Any]]:
    """Place -> the text before and after the revision that is decided about."""
    if chosen is None:
        original = decode_original(cells.get(prefix + "original"))
        return {path: (old, _at(cells, path)) for path, old in original.items() if path[0] in cells}
    paths = decode_original(json.dumps(chosen.texts))
    return {path: (_at(cells, path), text) for path, text in paths.items() if path[0] in cells}


def _at(cells: Mapping[str, Any], path: Path) -> Any:
    try:
        return read_at(cells, path)
    except (KeyError, IndexError, TypeError, ValueError):  # the record does not fit the row that it stands in
        return None


# --------------------------------------------------------------------------------------------------------------- pairs


def _with_sides(task: Task) -> Task:
    """The same with both answers of a preference row, in an order that the row's id decides and nobody can guess."""
    if not isinstance(task.view, PreferenceView):
        return replace(task, kind="row")
    chosen, rejected = (task.view.pairs(task.cells, side=side)[-1] for side in ("chosen", "rejected"))
    answers = {"chosen": (Passage("", _whole(chosen)),), "rejected": (Passage("", _whole(rejected)),)}
    is_odd = blake2b(task.row_id.encode(), person=b"sides").digest()[0] % 2
    first, second = ("rejected", "chosen") if is_odd else ("chosen", "rejected")
    return replace(task, sides=(answers[first], answers[second]), first=first)


def _whole(pair: Pair) -> str:
    return f"{pair.thought}\n\n{pair.response}" if pair.thought else pair.response


def swapped(task: Task) -> dict[str, str]:
    """The texts that exchange both answers of a preference row; none where they are not of the same form."""
    paths = []
    for side in ("chosen", "rejected"):
        slot = task.view.targets(task.cells, side=side)[-1].response
        if slot is None or len(slot.paths) > 1:
            return {}
        paths.append(slot.paths[0])
    one, other = (as_text(read_at(task.cells, path)) for path in paths)
    return {pointer(paths[0]): other, pointer(paths[1]): one}


# ------------------------------------------------------------------------------------------------------ why and what


def _codes(steps: Sequence[Step]) -> tuple[str, ...]:
    """What made the changes: the reasons of the steps that revised."""
    revised = (step for step in steps if step.edit in ("revised", "reverted", "failed"))
    return tuple(dict.fromkeys(reason for step in revised for reason in (step.reasons or (step.by,))))


def _findings(cells: Mapping[str, Any], view: View, pair: Pair, prefix: str) -> tuple[str, ...]:
    from hfclean.checks.verified import new_findings
    from hfclean.verifiers import verify

    if len(pair.prompt) + len(pair.response) + len(pair.thought) > CHECKED:
        return ("The row is too long to be checked before it is shown; an edit is checked all the same.",)
    found = tuple(finding.sentence for finding in verify(pair))
    if not found or not cells.get(prefix + "original"):
        return found
    first = view.pairs(original_cells(cells, prefix))[-1]
    new = {finding.sentence for finding in new_findings(first, pair)}
    return tuple(f"{each}{NEW}" if each in new else each for each in dict.fromkeys(found))


def _scores(cells: Mapping[str, Any], steps: Sequence[Step], prefix: str) -> tuple[Score, ...]:
    found = []
    for name, column in explained_columns(steps).items():
        value = cells.get(prefix + name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            found.append(Score(name, float(value), column.sentence()))
    return tuple(found)


def _tools(cells: Mapping[str, Any], view: View) -> str:
    return as_text(cells[view.tools]) if view.tools and cells.get(view.tools) else ""


def _other(cells: Mapping[str, Any], view: View, steps: Sequence[Step], prefix: str) -> tuple[tuple[str, str], ...]:
    own = {prefix + name for name in explained_columns(steps)} | {prefix + "row_id"}
    known = {*view.columns, view.tools, *own}
    return tuple(
        (name, as_text(value)) for name, value in cells.items() if name not in known and value not in (None, "")
    )


def with_texts(cells: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """The row with these texts at their places."""
    paths = decode_original(json.dumps(dict(texts)))
    return {**cells, **write(cells, paths)}
