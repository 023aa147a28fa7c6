"""What each form makes of a row, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hfclean.conversion.conversations import LABELS, Shared, more_in, parts_of, text_of
from hfclean.conversion.flat import flat_row
from hfclean.conversion.several import best_and_worst, in_order, judged
from hfclean.conversion.sharegpt import turns_of
from hfclean.conversion.templates import missing_in, tools_in
from hfclean.conversion.texts import CannotHold, answer_of, asked_and_answered, asked_in, count_others, count_untold
from hfclean.models.template_trial import TemplateRefusal
from hfclean.schema import (
    ChatView,
    FlatView,
    PreferenceView,
    PromptOnlyView,
    PromptView,
    RankedView,
    StepsView,
    Target,
)

Maker = Callable[[Shared, Mapping[str, Any], Target, set[str]], Iterable[dict[str, Any]]]
KTO, TEXT = "kto", "text"  # forms that are no shapes of their own
ANSWERS_LEFT = "answers, for which the form has no place"


def maker_of(shared: Shared) -> Maker:
    """What makes rows of a form."""
    if shared.to in (KTO, TEXT):
        return judged if shared.to == KTO else _text
    kinds: dict[type, Maker] = {
        ChatView: _messages,
        PromptView: _prompt_completion,
        FlatView: flat_row,
        PreferenceView: best_and_worst,
        RankedView: in_order,
        StepsView: _steps,
        PromptOnlyView: _prompt_alone,
    }
    return kinds[type(shared.into)]


def is_rich(shared: Shared, row: Mapping[str, Any]) -> bool:
    """Whether a row holds more than a text that asks and one that answers, where the form has place for more."""
    target = shared.view.targets(row)[-1]
    if target.pair.history or target.pair.system:
        return True
    into = shared.into
    if isinstance(into, FlatView):
        return False
    alone = isinstance(into, (PromptOnlyView, StepsView, RankedView))
    if shared.thoughts == "reasoning_content" and target.pair.thought and not alone:
        return True
    sides = ("chosen", "rejected") if isinstance(shared.view, PreferenceView) and not alone else ("chosen",)
    return any(_has_more(shared, row, side, alone) for side in sides)


def _has_more(shared: Shared, row: Mapping[str, Any], side: str, alone: bool) -> bool:
    parts = parts_of(shared, row, shared.view.targets(row, side=side)[-1], set(), side)
    messages = parts.before if alone else parts.messages
    usual = ["user"] if alone or not shared.view.answers else ["user", "assistant"]
    if [message["role"] for message in messages] != usual:
        return bool(messages)
    return any(not isinstance(m["content"], str) or any(True for _ in more_in(m)) for m in messages)


def _messages(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Iterable[dict[str, Any]]:
    assert isinstance(shared.into, ChatView)
    count_others(shared, row, lost)
    messages = parts_of(shared, row, target, lost).messages
    if not shared.view.answers and any(message["role"] == "assistant" for message in messages):
        lost.add("where the prompt ends: the last answer in it is read as that of the row")
    name = shared.into.messages
    yield {name: turns_of(messages, lost) if name == "conversations" else messages}


def _prompt_completion(
    shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]
) -> Iterable[dict[str, Any]]:
    assert isinstance(shared.into, PromptView)
    yield dict(zip(shared.into.columns, asked_and_answered(shared, row, target, lost), strict=True))


def _steps(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Iterable[dict[str, Any]]:
    assert isinstance(shared.into, StepsView)
    count_others(shared, row, lost)
    parts = parts_of(shared, row, target, lost)
    answer = answer_of(parts, lost)
    count_untold(answer, lost)
    labels, text = row.get(LABELS), text_of(answer)
    steps = text.split("\n") if labels or text else []
    if not isinstance(labels, list) or len(labels) != len(steps):
        found = f"{len(labels)} labels" if isinstance(labels, list) else "no list of labels"
        raise CannotHold(
            f"a row has {found} and {len(steps)} lines in its answer; answers in steps have a label for each line, in "
            f"the column {LABELS!r}"
        )
    yield {shared.into.prompt: asked_in(shared, parts.before, lost), shared.into.steps: steps}


def _prompt_alone(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Iterable[dict[str, Any]]:
    assert isinstance(shared.into, PromptOnlyView)
    count_others(shared, row, lost)
    parts = parts_of(shared, row, target, lost)
    if parts.answer is not None:
        lost.add(ANSWERS_LEFT)
    if parts.after:
        lost.add("messages after the answer")
    yield {shared.into.prompt: asked_in(shared, parts.before, lost)}


def _text(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Iterable[dict[str, Any]]:
    assert shared.write is not None
    count_others(shared, row, lost)
    parts = parts_of(shared, row, target, lost)
    messages = [{k: v for k, v in m.items() if v is not None or k == "content"} for m in parts.messages]
    tools = tools_in(row.get(shared.view.tools)) if shared.view.tools else None
    try:
        text = shared.write(messages, tools)
    except TemplateRefusal as e:
        raise CannotHold(f"the template refuses a row: {e}") from e
    lost.update(missing_in(text, messages, tools))
    yield {TEXT: text}
