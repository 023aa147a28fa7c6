"""Conversations that are made: one answer, calls of tools, or several turns, spelled as the seeds spell them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import SchemaError
from hfclean.generation.forms import Field, Form, Unwritable
from hfclean.models.protocol import tidy
from hfclean.schema import Call, ChatView, PromptView, View, plain
from hfclean.schema.calls import calls_of
from hfclean.schema.messages import CALL_KEYS, ROLE_KEYS, ROLES, TEXT_KEYS, TEXT_PARTS, key_of, message_of
from hfclean.schema.whole import dicts_of, raw_messages
from hfclean.text import thoughts

Turns = Sequence[tuple[str, Any]]  # role and text, or of `tool_call` the calls

_OUTPUT = Field("output", "the answer to the request")
_CALLS = Field("calls", "the calls of tools that answer the request, each with the name and the arguments", "calls")
_TURNS = Field(
    "turns",
    "the turns after the first request, in order, each with a role and a content, or of the role tool_call with its "
    "calls; the last one is the assistant's",
    "turns",
)
MARKER = "<tool_call>"


def chat_form(view: ChatView | PromptView, rows: Sequence[Mapping[str, Any]], features: Mapping[str, Any]) -> Form:
    """How conversations like these are made.

    Raises:
        SchemaError: none of them begins with a request.
    """
    talks = [[role for role, _ in _spoken(row, view)] for row in rows]
    talks = [[role for role in talk if role != "system"] for talk in talks]
    asked = [talk for talk in talks if talk[:1] == ["user"]]
    if not asked:
        raise SchemaError("no seed is a conversation that begins with a turn of the user; expected one at least")
    field = _TURNS
    if all(talk[1:] in (["assistant"], []) for talk in asked):
        field = _OUTPUT
    elif all(talk[1:] in (["tool_call"], []) for talk in asked):
        field = _CALLS
    return _ChatForm(view, (field,), features, tuple(_spelling(rows, view).values()))


def _spelling(rows: Sequence[Mapping[str, Any]], view: View) -> dict[str, Mapping[str, Any]]:
    """The first message of each role."""
    known: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        for message in raw_messages(row, view):
            known.setdefault(_role(message), plain(message))
    return known


def _role(message: Mapping[str, Any]) -> str:
    """Who speaks, `tool_call` where tools are called."""
    read = message_of(message, ())
    return "tool_call" if calls_of(message, read.role, message.get(key_of(message, TEXT_KEYS))) else read.role


def _spoken(row: Mapping[str, Any], view: View) -> list[tuple[str, Any]]:
    """Role and text of every message of a row; of a message that calls tools, `tool_call` and its calls."""
    found: list[tuple[str, Any]] = []
    for message in raw_messages(row, view):
        read = message_of(message, ())
        calls = calls_of(message, read.role, message.get(key_of(message, TEXT_KEYS)))
        found.append(("tool_call", list(calls)) if calls else (read.role, read.text))
    return found


@dataclass(frozen=True)
class _ChatForm(Form):
    """A conversation in a column of messages, or parted into prompt and completion.

    Attributes:
        spelling: a message of each role, which shows how such a message is spelled.
    """

    view: ChatView | PromptView
    spelling: tuple[Mapping[str, Any], ...] = ()

    def task(self, row: Mapping[str, Any]) -> str:
        return next((text for role, text in _spoken(row, self.view) if role == "user"), "")

    def tools(self, row: Mapping[str, Any]) -> str:
        found = super().tools(row)
        return found if found or self.fields[0].kind == "text" else self._said(row)

    def system(self, row: Mapping[str, Any]) -> str:
        said = self._said(row)
        return "" if said == self.tools(row) else said

    def _said(self, row: Mapping[str, Any]) -> str:
        return "\n".join(text for role, text in _spoken(row, self.view) if role == "system")

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        turns = [turn for turn in _spoken(row, self.view) if turn[0] != "system"][1:]
        (field,) = self.fields
        if field.kind == "text":
            return {field.name: str(turns[0][1]) if turns else ""}
        if field.kind == "calls":
            return {field.name: _shown_calls(turns[0][1]) if turns else []}
        return {field.name: [_shown(turn) for turn in turns]}

    def row(self, task: str, answer: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
        view, (field,) = self.view, self.fields
        if field.kind == "text":
            turns: list[tuple[str, Any]] = [("assistant", answer[field.name])]
        elif field.kind == "calls":
            turns = [("tool_call", _calls(answer[field.name]))]
        else:
            turns = [_turn(each) for each in answer[field.name]]
            roles = [role for role, _ in turns]
            if not turns or roles[0] == "user" or roles[-1] not in ("assistant", "tool_call"):
                raise Unwritable("the turns do not begin with an answer, or do not end with one")
        cells = {name: like.get(name) for name in self.columns}
        if isinstance(view, ChatView):
            cells[view.messages] = respoken(like[view.messages], [("user", task), *turns], self.spelling)
            return cells
        cells[view.prompt] = respoken(like[view.prompt], [("user", task)], self.spelling)
        cells[view.completion] = respoken(like[view.completion], turns, self.spelling)
        return cells


def _shown_calls(calls: Sequence[Call]) -> list[dict[str, Any]]:
    return [{"name": call.name, "arguments": _arguments(call.arguments)} for call in calls]


def _arguments(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return {key: item for key, item in (value or {}).items() if item is not None}  # Arrow fills in keys


def _shown(turn: tuple[str, Any]) -> dict[str, Any]:
    role, said = turn
    return {"role": role, "calls": _shown_calls(said)} if role == "tool_call" else {"role": role, "content": said}


def _calls(value: Any) -> list[Call]:
    """Calls as the teacher wrote them.

    Raises:
        Unwritable: they are none.
    """
    found = []
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, Mapping) or not isinstance(each.get("name"), str) or not each["name"].strip():
            raise Unwritable("a call has no name of a tool")
        arguments = each.get("arguments") or {}
        if isinstance(arguments, str):
            arguments = _arguments(arguments)
        if not isinstance(arguments, Mapping):
            raise Unwritable(f"the arguments of {each['name'][:60]!r} are not an object")
        found.append(Call(each["name"].strip(), dict(arguments)))
    if not found:
        raise Unwritable("there are no calls")
    return found


def _turn(value: Any) -> tuple[str, Any]:
    """A turn as the teacher wrote it.

    Raises:
        Unwritable: it is none.
    """
    role = ROLES.get(str(value.get("role", "")).lower()) if isinstance(value, Mapping) else None
    if role is None or role == "system":
        raise Unwritable("a turn has no role that is known")
    if role == "tool_call" or value.get("calls"):
        return "tool_call", _calls(value.get("calls", value))
    if not isinstance(value.get("content"), str) or not value["content"].strip():
        raise Unwritable("a turn has no text")
    return role, tidy(value["content"])


# ------------------------------------------------------------------------------------------------------------ spelling


def respoken(cell: Any, turns: Turns, examples: Sequence[Mapping[str, Any]] = ()) -> Any:
    """A cell with messages, or a text, in which others speak: the system's messages stay, and each turn is spelled as
    one of the same role in the cell, or in the examples.

    Raises:
        Unwritable: no message shows how such a turn is spelled.
    """
    if isinstance(cell, str) and not cell.lstrip().startswith(("[", "{")):
        return str(turns[0][1])
    messages = [plain(each) for each in dicts_of(json.loads(cell) if isinstance(cell, str) else cell)]
    every = [*messages, *(plain(dict(each)) for each in examples)]
    stays = [each for each in messages if message_of(each, ()).role == "system"]
    spelled = [*stays, *(_spelled(role, said, every) for role, said in turns)]
    return json.dumps(spelled, ensure_ascii=False) if isinstance(cell, str) else spelled


def _spelled(role: str, said: Any, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One message."""
    known: dict[str, Mapping[str, Any]] = {}
    for each in examples:
        known.setdefault(_role(each), each)
    example = known.get(role)
    if example is None:
        near = next(iter(known.values()))  # another role's message has the same keys
        if role == "tool_call" or key_of(near, ROLE_KEYS) != "role":
            raise Unwritable(f"no message of the seed shows how a turn of {role!r} is spelled")
        example = {**near, "role": role}
    message = {key: None if key in (*thoughts.KEYS, *CALL_KEYS) else value for key, value in example.items()}
    text_key = key_of(example, TEXT_KEYS)
    if role != "tool_call":
        return {**message, text_key: _content(example[text_key], str(said))}
    return message | _calling(example, text_key, said)


def _content(example: Any, text: str) -> Any:
    """A text as the content of a message: a string, or the one part of a list of typed parts."""
    if not isinstance(example, list):
        return text
    part = next(
        (each for each in example if isinstance(each, Mapping) and each.get("type", "text") in TEXT_PARTS),
        {"type": "text", "text": ""},
    )
    key = next((name for name in ("text", "value") if isinstance(part.get(name), str)), "text")
    return [{**part, key: text}]


def _calling(example: Mapping[str, Any], text_key: str, calls: Sequence[Call]) -> dict[str, Any]:
    """What a message that calls tools holds: entries of their own, or the text that a template makes of them."""
    key = next((name for name in CALL_KEYS if example.get(name)), None)
    if key is not None:
        entries = example[key] if isinstance(example[key], list) else [example[key]]
        spelled = [_entry(entries[0], call, n) for n, call in enumerate(calls)]
        if not isinstance(example[key], list) and len(spelled) > 1:
            raise Unwritable("the seed's messages hold one call each")
        return {key: spelled if isinstance(example[key], list) else spelled[0]}
    objects = [{"name": call.name, "arguments": call.arguments} for call in calls]
    if MARKER in str(example.get(text_key, "")):
        blocks = [f"{MARKER}\n{json.dumps(each, ensure_ascii=False)}\n</tool_call>" for each in objects]
        return {text_key: "\n".join(blocks)}
    whole: Any = objects[0] if len(objects) == 1 else objects
    return {text_key: json.dumps(whole, ensure_ascii=False)}


def _entry(example: Any, call: Call, number: int) -> Any:
    """One call, spelled as the example is."""
    if isinstance(example, str):
        return json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
    inner = example.get("function") if isinstance(example.get("function"), Mapping) else example
    known = inner.get("arguments")
    if isinstance(known, Mapping) and not set(call.arguments) <= set(known):
        raise Unwritable(f"the seeds have no place for arguments {sorted(set(call.arguments) - set(known))[:3]}")
    arguments: Any = call.arguments
    if isinstance(known, str):
        arguments = json.dumps(call.arguments, ensure_ascii=False)
    elif isinstance(known, Mapping):
        arguments = {**dict.fromkeys(known), **call.arguments}
    spelled = {**inner, "name": call.name, "arguments": arguments}
    whole = {**example, "function": spelled} if inner is not example else spelled
    return {**whole, "id": f"call_{number}"} if whole.get("id") else whole
