"""Forms with several answers to one question, or a judgement of one: chosen and rejected, ranked, labeled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from hfclean.conversion.conversations import Shared, parts_of, text_of
from hfclean.conversion.texts import (
    CannotHold,
    answer_of,
    asked_and_answered,
    asked_in,
    count_others,
    count_untold,
    count_worths,
)
from hfclean.provenance import original_cells
from hfclean.schema import PreferenceView, RankedView, Target
from hfclean.schema.whole import dicts_of

LABEL = "label"
IMPLICIT = "prompts with which both answers began, now on their own"
REPEATED = "prompts that answers repeat, now once"
SPLIT = "rows of several answers, now a row for the best and one for the worst"
BETWEEN = "answers between the best and the worst"
LEFT_OUT = "rows without two answers of different worth, left out"


class Answers(NamedTuple):
    """The messages before the answers of a row, and each answer in messages, the best first."""

    before: list[dict[str, Any]]
    answers: list[list[dict[str, Any]]]


def best_and_worst(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Iterable[dict[str, Any]]:
    """A row of chosen and rejected."""
    assert isinstance(shared.into, PreferenceView)
    found = _answers(shared, row, target, lost)
    if found is None or len(found.answers) < 2:
        return
    if len(found.answers) > 2:
        lost.add(BETWEEN)
    prompt, (best, worst) = str(shared.into.prompt), (found.answers[0], found.answers[-1])
    chosen, rejected = (_said(shared, answer, lost) for answer in (best, worst))
    asked = asked_in(shared, found.before, lost)
    yield {prompt: asked, shared.into.chosen: chosen, shared.into.rejected: rejected}


def in_order(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Iterable[dict[str, Any]]:
    """A row of several answers, the best first."""
    assert isinstance(shared.into, RankedView)
    found = _answers(shared, row, target, lost)
    if found is None or len(found.answers) < 2:
        return
    texts = []
    for answer in found.answers:
        if len(answer) != 1:
            raise CannotHold(f"a row has an answer of {len(answer)} messages, and ranked answers are texts")
        count_untold(answer[0], lost)
        texts.append(text_of(answer[0]))
    ranks = {str(shared.into.scores): list(range(1, len(texts) + 1))}
    yield {shared.into.prompt: asked_in(shared, found.before, lost), shared.into.responses: texts, **ranks}


def judged(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Iterable[dict[str, Any]]:
    """Rows of prompt, completion and label: the row's own, or one for the best answer and one for the worst."""
    if not _has_several(shared):
        if not isinstance(label := row.get(LABEL), bool):
            raise CannotHold(
                f"a row has the label {label!r:.40}; expected true or false in the column {LABEL!r}, two answers to "
                "choose from, or a dataset that hfclean revised"
            )
        asked, said = asked_and_answered(shared, row, target, lost)
        yield {"prompt": asked, "completion": said}  # the label stays in its column
        return
    found = _answers(shared, row, target, lost)
    if found is None or len(found.answers) < 2:
        return
    lost.add(SPLIT)
    if len(found.answers) > 2:
        lost.add(BETWEEN)
    prompt = asked_in(shared, found.before, lost)
    for answer, label in ((found.answers[0], True), (found.answers[-1], False)):
        yield {"prompt": prompt, "completion": _said(shared, answer, lost), LABEL: label}


def _has_several(shared: Shared) -> bool:
    """Whether rows have answers to choose from: their own, or the revised and the original one."""
    return shared.revisions or isinstance(shared.view, (PreferenceView, RankedView))


def _said(shared: Shared, answer: list[dict[str, Any]], lost: set[str]) -> Any:
    if shared.rich:
        return answer
    count_untold(answer[0], lost)
    return text_of(answer[0])


def _answers(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Answers | None:
    """The answers of a row; None where there are no two of different worth, which is counted."""
    view = shared.view
    if shared.revisions:
        return _revised_and_original(shared, row, target, lost)
    if isinstance(view, PreferenceView):
        return _sides(shared, view, row, lost)
    assert isinstance(view, RankedView)
    worths = view.worths(row)
    targets = view.targets(row, side="both")[::-1]
    if len(worths) < 2 or (view.scores and max(worths) == min(worths)):
        lost.add(LEFT_OUT)
        return None
    if worths != sorted(worths, reverse=True):
        lost.add("the order of the answers, now the best first")
    count_worths(view, row, lost)
    if view.scores and view.scores.lower().startswith("rank") and row[view.scores] == [*range(1, len(worths) + 1)]:
        lost.discard(f"column {view.scores!r}, of which at most the order is kept")
    parts = [parts_of(shared, row, each, lost) for each in targets]
    return Answers(parts[0].before, [[each.answer] for each in parts if each.answer is not None])


def _sides(shared: Shared, view: PreferenceView, row: Mapping[str, Any], lost: set[str]) -> Answers:
    sides = []
    for side in ("chosen", "rejected"):
        target = view.targets(row, side=side)[-1]
        sides.append(parts_of(shared, row, target, lost, side).messages)
    chosen, rejected = sides
    asked = view.laid_open(row)[view.prompt] if view.prompt else None
    place = len(dicts_of(asked, "user")) if asked else 0
    if not asked:
        pairs = zip(chosen[:-1], rejected[:-1], strict=False)
        place = next((n for n, (mine, theirs) in enumerate(pairs) if mine != theirs), min(map(len, sides)) - 1)
        if place > 0:
            lost.add(IMPLICIT)
    elif any(view.answer_repeats_prompt(view.laid_open(row), name) for name in (view.chosen, view.rejected)):
        lost.add(REPEATED)
    place = max(place, 0)
    return Answers(chosen[:place], [chosen[place:], rejected[place:]])


def _revised_and_original(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Answers | None:
    before = original_cells(row, shared.layout.prefix)
    old = shared.view.targets(before)[-1]
    if old.answer == target.answer:
        return None  # only the instruction or the input changed: both answers are the same
    count_others(shared, row, lost)
    parts = parts_of(shared, row, target, lost)
    original = answer_of(parts_of(shared, before, old, set()), set())
    return Answers(parts.before, [[answer_of(parts, lost)], [original]])
