"""Rows as columns of texts: a question, its answer, and what else some of these shapes have a column for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hfclean.conversion.conversations import INPUTS, Shared, parts_of, text_of
from hfclean.conversion.texts import NO_ANSWER, NO_QUESTION, CannotHold, answer_of, count_others, count_untold
from hfclean.mining.examples import prompt_of
from hfclean.schema import FlatView, Target
from hfclean.schema.messages import message_of
from hfclean.text import thoughts


def flat_row(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> Iterable[dict[str, Any]]:
    """A row as columns of texts."""
    into, pair, noted = shared.into, target.pair, set[str]()
    assert isinstance(into, FlatView)
    parts = parts_of(shared, row, target, noted)
    lost.update(noted - {INPUTS} if into.input else noted)
    count_others(shared, row, lost)
    answer = answer_of(parts, lost)
    for message in (*parts.messages, *(() if parts.answer else (answer,))):
        count_untold(message, lost, apart=bool(into.thought) and message is answer)
    text = text_of(_without_beside(answer) if into.thought else answer)
    thought = beside_text(answer) if into.thought else ""
    new: dict[str, Any] = {into.instruction: pair.instruction if into.input else prompt_of(pair)}
    new |= {into.input: pair.input} if into.input else {}
    new |= {into.thought: thought} if into.thought else {}
    new[into.response] = text
    if shared.truth_answers:
        del new[into.response]
        lost.discard(NO_ANSWER)
        lost.update({"empty answers beside truths"} if parts.answer else ())
    systems = [k for k, message in enumerate(parts.messages) if message["role"] in ("system", "developer")]
    if systems and not pair.system:
        lost.add("empty system messages")
    if systems not in ([], [0]):
        lost.add("system messages, joined at the beginning")
    if any(message["role"] == "developer" for message in parts.messages):
        lost.add("messages of a developer, as those of a system")
    if not any(message["role"] == "user" for message in parts.before):
        lost.add(NO_QUESTION)
    new |= {into.system: pair.system} if into.system else {}
    turns = [message for k, message in enumerate(parts.before) if k not in systems]
    roles = [message["role"] for message in turns]
    if (turns and len(turns) % 2 == 0) or any(role != ("user", "assistant")[k % 2] for k, role in enumerate(roles)):
        raise CannotHold(
            f"a row has the turns {roles} before its answer, and columns of texts have no place for them; convert to "
            "messages instead"
        )
    texts = [text_of(message) for message in turns[:-1]]
    if texts and not into.history:
        raise CannotHold(
            f"a row has {len(turns)} turns before its answer, and a row of the shape {shared.to} holds one question; "
            "convert to messages instead"
        )
    exchanges = [texts[k : k + 2] for k in range(0, len(texts), 2)]
    yield new | ({into.history: exchanges} if into.history else {})


def beside_text(answer: Mapping[str, Any]) -> str:
    """The thought that stands beside the text of an answer, in keys or parts of their own."""
    content = answer["content"]
    parts = [part for part in content if _is_thought(part)] if isinstance(content, list) else ""
    return message_of({**answer, "content": parts}, ()).thought


def _without_beside(answer: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in answer.items() if key not in thoughts.KEYS}
    content = answer["content"]
    return {**rest, "content": [p for p in content if not _is_thought(p)]} if isinstance(content, list) else rest


def _is_thought(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") in thoughts.PARTS
