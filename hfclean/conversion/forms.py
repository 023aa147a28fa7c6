"""What each form makes of a row, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hfclean.conversion.conversations import Parts, Shared, asked, more_in, parts_of, text_of
from hfclean.conversion.sharegpt import turns_of
from hfclean.conversion.templates import missing_in, tools_in
from hfclean.errors import SchemaError
from hfclean.mining.examples import prompt_of
from hfclean.models.template_trial import TemplateRefusal
from hfclean.provenance import original_cells
from hfclean.schema import PreferenceView, PromptView, Target
from hfclean.text import thoughts

Maker = Callable[[Shared, Mapping[str, Any], Target, set[str]], dict[str, Any] | None]
IN_TAGS = "thoughts beside an answer, now before it as <think>"
NO_ANSWER = "no answer: an empty one was added"


class CannotHold(SchemaError):
    """A form cannot hold a row."""


def is_rich(shared: Shared, row: Mapping[str, Any], to: str) -> bool:
    """Whether a row holds more than a text that asks and one that answers."""
    target = shared.view.targets(row)[-1]
    pair = target.pair
    if pair.history or pair.system:
        return True
    if to not in ("prompt_completion", "preference"):
        return False
    if shared.thoughts == "reasoning_content" and pair.thought:
        return True
    parts = parts_of(shared, row, target, set())
    if [message["role"] for message in parts.messages] != ["user", "assistant"]:
        return bool(parts.messages)
    return any(not isinstance(m["content"], str) or any(True for _ in more_in(m)) for m in parts.messages)


def _answer(parts: Parts, text: str, lost: set[str]) -> list[dict[str, Any]]:
    """The answer alone, an empty one where a row has none; what comes after it is not part of it, and is counted."""
    if parts.after:
        lost.add("messages after the answer")
    if parts.answer is None:
        lost.add(NO_ANSWER)
        return [{"role": "assistant", "content": text}]
    return [parts.answer]


def _messages(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any]:
    _count_rejected(shared, lost)
    return {"messages": parts_of(shared, row, target, lost).messages}


def _conversations(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any]:
    _count_rejected(shared, lost)
    return {"conversations": turns_of(parts_of(shared, row, target, lost).messages, lost)}


def _prompt_completion(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any]:
    _count_rejected(shared, lost)
    if not shared.rich:
        parts = parts_of(shared, row, target, lost)
        answer = _answer(parts, "", lost)[0]
        return {"prompt": prompt_of(target.pair), "completion": answer["content"]}
    place = asked(row, shared.view)
    if isinstance(shared.view, PromptView) and place:
        messages = parts_of(shared, row, target, set()).messages
        return {"prompt": messages[:place], "completion": messages[place:]}
    parts = parts_of(shared, row, target, lost)
    return {"prompt": parts.before, "completion": _answer(parts, "", lost)}


def _alpaca(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any]:
    pair, noted = target.pair, set[str]()
    parts = parts_of(shared, row, target, noted)
    lost.update(noted - {"inputs, now part of the question"})
    _count_rejected(shared, lost)
    answer = _answer(parts, "", lost)[0]
    for message in (*parts.messages, *(() if parts.answer else (answer,))):
        _count_untold(message, lost)
    new: dict[str, Any] = {"instruction": pair.instruction, "input": pair.input, "output": text_of(answer)}
    systems = [k for k, message in enumerate(parts.messages) if message["role"] in ("system", "developer")]
    if systems and not pair.system:
        lost.add("empty system messages")
    if systems not in ([], [0]):
        lost.add("system messages, joined at the beginning")
    if any(message["role"] == "developer" for message in parts.messages):
        lost.add("messages of a developer, as those of a system")
    if not any(message["role"] == "user" for message in parts.before):
        lost.add("no question: an empty one was added")
    if not shared.rich:
        return new
    turns = [message for k, message in enumerate(parts.before) if k not in systems]
    earlier = turns[:-1]
    roles = [message["role"] for message in turns]
    if (turns and len(turns) % 2 == 0) or any(role != ("user", "assistant")[k % 2] for k, role in enumerate(roles)):
        raise CannotHold(
            f"a row has the turns {roles} before its answer, which Alpaca's history of [question, answer] has no "
            "place for; convert to messages instead"
        )
    texts = [text_of(message) for message in earlier]
    exchanges = [texts[k : k + 2] for k in range(0, len(texts), 2)]
    return {**new, "system": pair.system, "history": exchanges}


def _count_untold(message: Mapping[str, Any], lost: set[str]) -> None:
    """What a text alone does not say of a message."""
    for name in more_in(message):
        moved = message["role"] == "assistant" and any(name == f"key {key!r} of messages" for key in thoughts.KEYS)
        moved = moved or name in {f"parts of type {kind!r}" for kind in thoughts.PARTS}
        lost.add(IN_TAGS if moved else name)
    content = message["content"]
    if isinstance(content, list):
        lost.add("contents in parts, as one text")
    elif content is None:
        lost.add("null contents, as empty texts")
    elif not isinstance(content, str):
        lost.add("contents that are not text, as text")


def _preference(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any] | None:
    before = original_cells(row, shared.layout.prefix)
    old = shared.view.targets(before)[-1]
    if old.answer == target.answer:
        return None  # only the instruction or the input changed: both answers are the same
    _count_rejected(shared, lost)
    parts = parts_of(shared, row, target, lost)
    chosen = _answer(parts, "", lost)
    rejected = _answer(parts_of(shared, before, old, set()), "", set())
    if shared.rich:
        return {"prompt": parts.before, "chosen": chosen, "rejected": rejected}
    return {
        "prompt": prompt_of(target.pair),
        "chosen": _plain(chosen[0], lost),
        "rejected": _plain(rejected[0], lost),
    }


def _plain(message: Mapping[str, Any], lost: set[str]) -> str:
    if message.get("reasoning_content"):
        lost.add(IN_TAGS)
    return text_of(message)


def _text(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str]) -> dict[str, Any]:
    assert shared.write is not None
    _count_rejected(shared, lost)
    parts = parts_of(shared, row, target, lost)
    messages = [{k: v for k, v in m.items() if v is not None or k == "content"} for m in parts.messages]
    tools = tools_in(row.get(shared.view.tools)) if shared.view.tools else None
    try:
        text = shared.write(messages, tools)
    except TemplateRefusal as e:
        raise CannotHold(f"the template refuses a row: {e}") from e
    lost.update(missing_in(text, messages, tools))
    return {"text": text}


def _count_rejected(shared: Shared, lost: set[str]) -> None:
    if isinstance(shared.view, PreferenceView):
        lost.add(f"column {shared.view.rejected!r}, the answer that was rejected")


MAKERS: dict[str, Maker] = {
    "messages": _messages,
    "conversations": _conversations,
    "prompt_completion": _prompt_completion,
    "alpaca": _alpaca,
    "preference": _preference,
    "text": _text,
}
