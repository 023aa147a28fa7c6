"""The messages of a row as OpenAI spells them, whatever its shape, with all that they hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hfclean.layout import Layout
from hfclean.mining.examples import prompt_of
from hfclean.schema import (
    ChatView,
    FlatView,
    PreferenceView,
    PromptOnlyView,
    PromptView,
    RankedView,
    StepsView,
    Target,
    View,
    plain,
)
from hfclean.schema.messages import NOT_A, ROLE_KEYS, ROLES, TEXT_KEYS, TEXT_PARTS, Message, key_of, message_of
from hfclean.schema.slots import as_text
from hfclean.schema.whole import dicts_of, raw_messages
from hfclean.text import thoughts

Thoughts = Literal["content", "reasoning_content"] | None
CALL_KEYS = {"id", "name", "arguments", "parameters"}
INPUTS = "inputs, now part of the question"
SHAREGPT = ("human", "gpt", "observation", "function_call")  # its roles that have other names elsewhere
MOVED = "where the completion begins, before the last answer"
LABELS = "labels"  # of steps
NULLS = "null cells, as empty ones"
UNREADABLE = "entries of conversations that cannot be read"
Write = Callable[[list[dict[str, Any]], list[Any] | None], str]


@dataclass(frozen=True)
class Shared:
    """What every row of a conversion shares.

    Attributes:
        view: how it is read.
        layout: what the columns that hfclean added are called.
        to: the form.
        into: how a row of that form is read, where the form is a shape.
        thoughts: where thoughts go.
        rich: whether rows need more than texts.
        truth_answers: whether rows have truths and no answers, and the form the truth in the place of the answer.
        revisions: whether the answers to choose from are the revised and the original one.
        write: what writes a row as one text.
    """

    view: View
    layout: Layout
    to: str
    into: View | None = None
    thoughts: Thoughts = None
    rich: bool = False
    truth_answers: bool = False
    revisions: bool = False
    write: Write | None = None


class Parts(NamedTuple):
    """The messages of a row before its answer, the answer, where there is one, and what comes after it; respelled."""

    before: list[dict[str, Any]]
    answer: dict[str, Any] | None
    after: list[dict[str, Any]]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All of them."""
        return [*self.before, *([self.answer] if self.answer else ()), *self.after]


def asked(row: Mapping[str, Any], view: View) -> int:
    """How many messages the prompt of a row with prompt and completion has."""
    cell = view.laid_open(row)[view.prompt] if isinstance(view, PromptView) else None
    return len(dicts_of(cell, "user")) if cell else 0


def more_in(message: Mapping[str, Any]) -> Iterator[str]:
    """What a message holds beside role and text, by name."""
    named = (key_of(message, ROLE_KEYS), key_of(message, TEXT_KEYS))
    for key, value in message.items():
        if key not in named and value is not None:
            yield f"key {key!r} of messages"
    content = message.get(named[1])
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and part.get("type", "text") not in TEXT_PARTS:
            yield f"parts of type {part.get('type')!r}"


def parts_of(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str], side: str = "chosen") -> Parts:
    """The messages of a row, with all that they hold, whatever its shape; of a preference row those of one side."""
    parts = _parts(shared, row, target, lost, side)
    if not shared.thoughts:
        return parts
    moved = [_moved(message, shared.thoughts, lost) for message in parts.messages]
    place = len(parts.before)
    answered = place + (parts.answer is not None)
    return Parts(moved[:place], moved[place] if parts.answer else None, moved[answered:])


def _parts(shared: Shared, row: Mapping[str, Any], target: Target, lost: set[str], side: str) -> Parts:
    view, pair = shared.view, target.pair
    if isinstance(view, FlatView):
        _count_cells(view, row, lost)
    else:
        _count_spellings(view, row, lost)
    if pair.input:
        lost.add(INPUTS)
    if isinstance(view, (PromptOnlyView, StepsView, RankedView)):
        return _beyond(view, row, target, lost)
    messages = raw_messages(row, view, side)
    stated = isinstance(view, ChatView) and view.system is not None
    place = len(target.turns) - _unreadable(view, row, len(target.turns) - stated, lost)
    if not messages:
        before = [] if isinstance(view, ChatView) else _asked_in_texts(target, lost)
        return Parts(before, None if isinstance(view, ChatView) else _answered_in_text(view, row, target), [])
    if isinstance(view, ChatView) and view.system and not row[view.system]:
        place = max(place - 1, 0)  # `Target.turns` counts a system prompt that is empty
    first = messages[0]
    if not place and _role(first.get(key_of(first, ROLE_KEYS))) not in ("assistant", "tool_call"):
        place = len(messages)  # nobody answers
    if isinstance(view, PromptView) and (asked(row, view), len(messages)) != (place, place + 1):
        lost.add(MOVED)
    found = _respelled(messages, lost)
    if pair.input:
        found[:place] = _with_input(found[:place], target)
    return Parts(found[:place], next(iter(found[place:]), None), found[place + 1 :])


def _count_cells(view: FlatView, row: Mapping[str, Any], lost: set[str]) -> None:
    """Count the cells of a row of texts that are none."""
    if any(row[name] is not None and not isinstance(row[name], str) for name in view.columns if name != view.history):
        lost.add("cells that are not text, as text")
    if row[view.instruction] is None or row[view.response] is None:
        lost.add(NULLS)
    earlier = row[view.history] if view.history else None
    if earlier and not all(
        isinstance(each, (list, tuple)) and len(each) == 2 and all(isinstance(text, str) for text in each)
        for each in (earlier if isinstance(earlier, (list, tuple)) else [earlier])
    ):
        lost.add("entries of the history that are not two texts, as text or left out")


def _asked_in_texts(target: Target, lost: set[str]) -> list[dict[str, Any]]:
    """What a row of texts has before its answer."""
    pair = target.pair
    before: list[dict[str, Any]] = [{"role": "system", "content": pair.system}] if pair.system else []
    turns = [turn for turn in pair.history if not turn.role.startswith(NOT_A)]
    if len(turns) < len(pair.history):
        lost.add(UNREADABLE)
    before += [{"role": turn.role, "content": turn.text} for turn in turns]
    return [*before, {"role": "user", "content": prompt_of(pair)}]


def _answered_in_text(view: View, row: Mapping[str, Any], target: Target) -> dict[str, Any] | None:
    if not view.answers:
        return None
    thought = "" if target.written else target.pair.thought
    if isinstance(view, FlatView) and view.thought:
        thought = as_text(row[view.thought])  # one in the response as well stays there
    answer = {"role": "assistant", "content": target.answer}
    return {**answer, "reasoning_content": thought} if thought else answer


def _unreadable(view: View, row: Mapping[str, Any], place: int, lost: set[str]) -> int:
    """How many entries before a place of a conversation are not messages; any in it are counted."""
    cells, entries = view.laid_open(row), list[Any]()
    for name in view.columns:
        cell = cells[name]
        if (
            isinstance(view, ChatView)
            and name == view.messages
            and row[name]
            and not isinstance(cell, (list, Mapping))
        ):
            lost.add("conversations that cannot be read, left empty")
        chosen = not isinstance(view, PreferenceView) or name != view.rejected
        entries += plain(cell) if chosen and isinstance(cell, list) else []
    wrong = [not isinstance(entry, Mapping) for entry in entries]
    if any(wrong):
        lost.add(UNREADABLE)
    return sum(wrong[:place])


def _beyond(
    view: PromptOnlyView | StepsView | RankedView, row: Mapping[str, Any], target: Target, lost: set[str]
) -> Parts:
    """The same of a prompt alone, of an answer in steps, and of the best of several answers."""
    cell = view.laid_open(row)[view.prompt]
    answer = _answered_in_text(view, row, target)
    if isinstance(view, StepsView):
        steps, labels = row[view.steps], row.get(LABELS)
        texts = target.answer.split("\n") if steps else []
        if texts != steps or not isinstance(labels, list) or len(labels) != len(steps):
            lost.add("steps, joined: they cannot be told apart again")
    if not isinstance(cell, (list, Mapping)):
        return Parts(_asked_in_texts(target, lost), answer, [])
    entries = cell if isinstance(cell, list) else []
    if not all(isinstance(entry, Mapping) for entry in entries):
        lost.add(UNREADABLE)
    system = row[view.system] if isinstance(view, PromptOnlyView) and view.system else ""
    before = [{"role": "system", "content": system}] if system else []
    before += _respelled(dicts_of(cell), lost)
    return Parts(_with_input(before, target) if target.pair.input else before, answer, [])


def _with_input(before: list[dict[str, Any]], target: Target) -> list[dict[str, Any]]:
    """Messages with the row's input joined to the last question."""
    last = max((k for k, message in enumerate(before) if message["role"] == "user"), default=None)
    if last is None or not isinstance(before[last]["content"], str):
        return before
    return [*before[:last], {**before[last], "content": prompt_of(target.pair)}, *before[last + 1 :]]


def _role(role: Any) -> str:
    """A role as OpenAI spells it; a developer is not a system to every template."""
    name = str(role).strip().lower()
    return name if name == "developer" else ROLES.get(name, str(role))


def _count_spellings(view: View, row: Mapping[str, Any], lost: set[str]) -> None:
    """Count what a row of conversations loses in any form: how it is spelled, where that is not a usual way."""
    laid_open, system = view.laid_open(row), getattr(view, "system", None)
    if system and row[system]:
        lost.add(f"column {system!r}, now the first message")
    kept = {system, getattr(view, "input", None), getattr(view, "scores", None)}
    texts = {getattr(view, "responses", None), getattr(view, "steps", None)}
    for name in view.columns:
        cell = laid_open[name]
        if row[name] is None and name not in kept:
            lost.add(NULLS)
        if cell is not row[name] and cell is not None:
            lost.add("conversations as JSON in a string, now as lists")
        if name in kept | texts:
            continue
        if isinstance(cell, Mapping):
            lost.add("single messages or columns of them, now lists of messages")
        if not all(map(_is_named_usually, dicts_of(cell) if isinstance(cell, (list, Mapping)) else ())):
            lost.add("other keys and roles of messages, now the usual ones")


def _is_named_usually(message: Mapping[str, Any]) -> bool:
    role_key, text_key = key_of(message, ROLE_KEYS), key_of(message, TEXT_KEYS)
    role = message.get(role_key)
    keys = text_key in ("", {"role": "content", "from": "value"}.get(role_key))
    return keys and (_role(role) == role or role in SHAREGPT)


def is_usual(message: Any) -> bool:
    """Whether a message is spelled as role and content, with a usual role."""
    if not isinstance(message, Mapping) or key_of(message, ROLE_KEYS) != "role":
        return False
    return key_of(message, TEXT_KEYS) in ("content", "") and _role(message["role"]) == message["role"]


def _respelled(messages: list[dict[str, Any]], lost: set[str]) -> list[dict[str, Any]]:
    """Messages as role and content, with their other keys. What a tool returned gets the id of the call before it,
    where exactly one is open."""
    found: list[dict[str, Any]] = []
    opened = Opened()
    for message in messages:
        new = _openai(message, lost)
        if new["role"] == "tool" and "tool_call_id" not in new and not is_usual(message):
            new |= {"tool_call_id": name} if (name := opened.only()) is not None else {}
        opened.follow(new)
        found.append(new)
    return found


class Opened:
    """The ids of the calls whose results have not been given yet."""

    def __init__(self) -> None:
        self._ids: list[Any] = []

    def follow(self, message: Mapping[str, Any]) -> None:
        """Go on to the next message."""
        calls = message.get("tool_calls")
        if calls:
            calls = plain(calls)
            calls = calls if isinstance(calls, list) else [calls]
            self._ids = [call.get("id") if isinstance(call, Mapping) else None for call in calls]
        elif message["role"] != "tool":
            self._ids = []
        elif "tool_call_id" in message:
            self._ids = [name for name in self._ids if name != message["tool_call_id"]]
        elif len(self._ids) == 1:
            self._ids = []

    def only(self) -> Any:
        """The id of the one call that is open; None where it has none, or where there are several."""
        return self._ids[0] if len(self._ids) == 1 else None


def _openai(message: Mapping[str, Any], lost: set[str]) -> dict[str, Any]:
    """A message as role and content, with its other keys; a call of ShareGPT becomes `tool_calls`, with its arguments
    as a JSON string. A call that does not parse stays the text of the assistant, and is counted."""
    role_key, text_key = key_of(message, ROLE_KEYS), key_of(message, TEXT_KEYS)
    role = _role(message.get(role_key))
    text = message.get(text_key)
    rest = {key: value for key, value in message.items() if key not in (role_key, text_key) and value is not None}
    if role == "tool_call":
        role = "assistant"
        calls = None if "tool_calls" in rest else _calls(text, lost)
        if calls:
            text, rest["tool_calls"] = None, calls
        elif "tool_calls" not in rest:
            lost.add("tool calls that do not parse, kept as text")
    return {"role": role, "content": text, **rest}


def _calls(text: Any, lost: set[str]) -> list[dict[str, Any]] | None:
    """The calls of a ShareGPT turn: one, or several in a list."""
    data = text
    if isinstance(text, str):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if json.dumps(data, ensure_ascii=False) != text:
            lost.add("JSON of tool calls, with other spaces and escapes")
    data = data if isinstance(data, list) else [data]
    found = [_call(each) for each in data]
    if not found or not all(found):
        return None
    if any(set(each) - CALL_KEYS or not isinstance(each.get("id", ""), str) for each in data):
        lost.add("other keys of tool calls")
    return [call for call in found if call]


def _call(data: Any) -> dict[str, Any] | None:
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        return None
    arguments = data.get("arguments", data.get("parameters", {}))
    arguments = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    named = {"id": data["id"]} if isinstance(data.get("id"), str) else {}
    return {**named, "type": "function", "function": {"name": data["name"], "arguments": arguments}}


# ------------------------------------------------------------------------------------------------------------ thoughts


def text_of(message: Mapping[str, Any]) -> str:
    """A message as one text, with a thought that its other keys or parts hold before it, in `<think>`."""
    read = message_of(message, ())
    text = read.text if isinstance(message.get("content"), (str, list)) else ""  # else the text is that of its calls
    if not read.thought:
        return text
    if read.written and read.thought in read.written:
        return read.written
    return _in_tags(read.thought, text)


def _in_tags(thought: str, text: str) -> str:
    """A thought before a text, in the commonest spelling."""
    return f"<think>\n{thought}\n</think>\n\n{text}"


def _moved(message: dict[str, Any], where: Thoughts, lost: set[str]) -> dict[str, Any]:
    """A message whose thought stands in its content, or in `reasoning_content`; one that could not be told from the
    answer there stays as it is, and is counted."""
    read = message_of(message, ("",))
    if not read.thought:
        return message
    new = {key: value for key, value in message.items() if key not in thoughts.KEYS}
    new["content"] = _content(message.get("content"), read, where)
    if where == "reasoning_content":
        new["reasoning_content"] = read.thought
    again = message_of(new, ("",))
    if _stripped(again) == _stripped(read):
        return new
    lost.add("thoughts that stay where they stand: elsewhere they could not be told from the answer")
    return message


def _content(content: Any, read: Message, where: Thoughts) -> Any:
    """The content of a message without its thought, or with it in front."""
    if not isinstance(content, list):
        text = read.text if isinstance(content, str) else ""
        return _in_tags(read.thought, text) if where == "content" else None if content is None else text
    parts = [part for part in content if not (isinstance(part, Mapping) and part.get("type") in thoughts.PARTS)]
    texts = [k for k, part in enumerate(parts) if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    if where == "content" and not texts:
        return [{"type": "text", "text": _in_tags(read.thought, "")}, *parts]
    if len(texts) == 1 and (where == "content" or read.written):
        text = _in_tags(read.thought, read.text) if where == "content" else read.text
        parts[texts[0]] = {**parts[texts[0]], "text": text}
    return parts


def _stripped(message: Message) -> tuple[str, str, str]:
    return message.role, message.thought.strip(), message.text.strip()
