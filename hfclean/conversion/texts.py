"""Messages as plain texts, and what a text does not say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfclean.conversion.conversations import MOVED, Parts, Shared, asked, more_in, parts_of
from hfclean.errors import SchemaError
from hfclean.schema import PreferenceView, PromptView, RankedView, Target
from hfclean.text import thoughts

RESPELLED = "thoughts beside an answer, now in a column"
IN_TAGS = "thoughts beside an answer, now before it as <think>"
NO_ANSWER = "no answer: an empty one was added"
NO_QUESTION = "no question: an empty one was added"


class CannotHold(SchemaError):
    """A form cannot hold a row."""


def answer_of(parts: Parts, lost: set[str]) -> dict[str, Any]:
    """The answer alone, an empty one where a row has none; what comes after it is not part of it, and is counted."""
    if parts.after:
        lost.add("messages after the answer")
    if parts.answer is None:
        lost.add(NO_ANSWER)
        return {"role": "assistant", "content": ""}
    return parts.answer


def asked_in(shared: Shared, before: list[dict[str, Any]], lost: set[str]) -> Any:
    """What stands before an answer: messages, or a text where no row has more."""
    if shared.rich:
        return before
    if not before:
        lost.add(NO_QUESTION)
    return before[-1]["content"] if before else ""


def count_untold(message: Mapping[str, Any], lost: set[str], *, apart: bool = False) -> None:
    """What a text alone does not say of a message; with `apart`, its thought has a place beside the text."""
    for name in more_in(message):
        key = message["role"] == "assistant" and any(name == f"key {key!r} of messages" for key in thoughts.KEYS)
        if apart and name == f"key {thoughts.KEYS[0]!r} of messages":
            continue
        moved = key or name in {f"parts of type {kind!r}" for kind in thoughts.PARTS}
        lost.add((RESPELLED if apart else IN_TAGS) if moved else name)
    content = message["content"]
    if isinstance(content, list):
        lost.add("contents in parts, as one text")
    elif content is None:
        lost.add("null contents, as empty texts")
    elif not isinstance(content, str):
        lost.add("contents that are not text, as text")


def asked_and_answered(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> tuple[Any, Any]:
    """A row in two parts: what stands before its answer, and the answer; texts, or messages where a row has more."""
    count_others(shared, row, lost)
    place = asked(row, shared.view)
    if shared.rich and isinstance(shared.view, PromptView) and place:
        noted = set[str]()
        messages = parts_of(shared, row, target, noted).messages
        lost.update(noted - {MOVED})
        return messages[:place], messages[place:]
    parts = parts_of(shared, row, target, lost)
    answer = answer_of(parts, lost)
    return asked_in(shared, parts.before, lost), [answer] if shared.rich else answer["content"]


def count_others(shared: Shared, row: Mapping[str, Any], lost: set[str]) -> None:
    """Count the answers of a row beside the one that a form takes, and what is said of them."""
    view = shared.view
    if isinstance(view, PreferenceView):
        lost.add(f"column {view.rejected!r}, the answer that was rejected")
    elif isinstance(view, RankedView):
        if len(view.answers_in(row)) > 1:
            lost.add(f"answers in the column {view.responses!r} beside the best one")
        count_worths(view, row, lost)


def count_worths(view: RankedView, row: Mapping[str, Any], lost: set[str]) -> None:
    """Count what answers have beside their texts."""
    if view.scores:
        lost.add(f"column {view.scores!r}, of which at most the order is kept")
    answers = view.answers_in(row)
    if any(isinstance(answer, Mapping) for answer in answers):
        lost.add("answers that are objects, of which the text is kept")
    if any(not isinstance(answer, (str, Mapping)) for answer in answers) or not answers:
        lost.add("answers that are not text, as text")
