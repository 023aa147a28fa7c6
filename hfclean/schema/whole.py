"""A row as a whole: every message with its thought and its calls, the tools that may be called, the truths.

A `Pair` is one answer and what it answers. What only shows between messages, or between them and other columns, is
read from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hfclean.schema.embedded import opened
from hfclean.schema.messages import CALL_KEYS, CALL_PARTS, RESULT_PARTS, TEXT_KEYS, key_of, message_of
from hfclean.schema.pair import Pair
from hfclean.schema.shapes import plain
from hfclean.schema.slots import Cells, as_text
from hfclean.schema.truths import truths_in
from hfclean.schema.views import ChatView, PreferenceView, PromptView, View

ARGUMENTS = ("arguments", "parameters", "input", "args")


class Call(NamedTuple):
    """One call of a tool.

    `arguments` are as they stand: an object, or the text that should be one. `id` is `""` where it has none.
    """

    name: str
    arguments: Any
    id: str = ""


class Said(NamedTuple):
    """One message: who speaks (one of `KNOWN_ROLES`, or the role as it stands), and what.

    `calls` are those of an assistant; `answers` is the id of the call whose result a tool gives, `""` where it has
    none; `name` is the tool that speaks, `""` where it is not said.
    """

    role: str
    text: str
    thought: str = ""
    calls: tuple[Call, ...] = ()
    answers: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """A row as a whole.

    Attributes:
        pair: its main pair.
        messages: all of them, in order; empty where the row has columns of text instead.
        tools: the cell that says which tools there are, as it stands; None where there is none.
        truths: the answers that are known to be right.
        other: of a preference row, the messages of the answer that was rejected, with those before it.
        rejected: of a preference row, its main pair with the rejected answer.
    """

    pair: Pair
    messages: tuple[Said, ...] = ()
    tools: Any = None
    truths: tuple[str, ...] = ()
    other: tuple[Said, ...] = ()
    rejected: Pair | None = None


def whole_row(cells: Cells, view: View, pair: Pair) -> Whole:
    """A row as a whole; columns of `view.reads` may be missing in it.

    Args:
        cells: of the row.
        view: how it is read.
        pair: its main pair, which is known already.
    """
    tools = cells.get(view.tools) if view.tools else None
    truths = truths_in(cells.get(view.truth)) if view.truth else ()
    if not isinstance(view, PreferenceView):
        return Whole(pair, _said(_raw_messages(cells, view)), tools, truths)
    rejected = view.pairs(cells, side="rejected")[-1]
    sides = (_said(_raw_messages(cells, view, side)) for side in ("chosen", "rejected"))
    return Whole(pair, next(sides), tools, truths, next(sides), rejected)


def _raw_messages(cells: Cells, view: View, side: str = "chosen") -> list[dict[str, Any]]:
    """The messages of a row as they stand, in their order; none where it has columns of text instead."""
    cells = view.laid_open(cells)
    if isinstance(view, ChatView):
        system = [{"role": "system", "content": cells[view.system]}] if view.system and cells[view.system] else []
        return [*system, *dicts_of(cells[view.messages])]
    if isinstance(view, PromptView):
        asked, answered = cells[view.prompt], cells[view.completion]
    elif isinstance(view, PreferenceView):
        name = view.chosen if side == "chosen" else view.rejected
        asked, answered = cells[view.prompt] if view.prompt else None, cells[name]
        if isinstance(answered, (list, Mapping)) and view.answer_repeats_prompt(cells, name):
            asked = None
    else:
        return []
    if not isinstance(asked, (list, Mapping)) and not isinstance(answered, (list, Mapping)):
        return []
    return [*(dicts_of(asked, "user") if asked else ()), *dicts_of(answered, "assistant")]


def dicts_of(cell: Any, role: str = "") -> list[dict[str, Any]]:
    """A cell as messages: a list of them, one, columns of them, or a text of that role."""
    cell = plain(cell)
    if isinstance(cell, dict):
        values = list(cell.values())
        if values and all(isinstance(value, list) for value in values):  # how datasets shows Sequence({...}) features
            return [dict(zip(cell, each, strict=True)) for each in zip(*values, strict=True)]
        return [cell]
    if isinstance(cell, list):
        return [dict(message) for message in cell if isinstance(message, Mapping)]
    return [{"role": role, "content": "" if cell is None else str(cell)}] if role else []


def _said(messages: list[dict[str, Any]]) -> tuple[Said, ...]:
    return tuple(map(_said_in, messages))


def _said_in(message: Mapping[str, Any]) -> Said:
    read = message_of(message, ())
    role, text = read.role, read.text
    calls, answers, name = _calls_in(message), message.get("tool_call_id"), message.get("name")
    if role == "tool_call":  # an assistant that calls; its text is then the call's
        role = "assistant"
        own = message.get(key_of(message, TEXT_KEYS))
        text = "" if len(calls) and isinstance(own, str) and opened(own) is not None else text if own else ""
    content = message.get(key_of(message, TEXT_KEYS))
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and part.get("type") in RESULT_PARTS:
            answers = answers or part.get("tool_use_id") or part.get("tool_call_id") or part.get("call_id")
    return Said(role, text, read.thought, calls, as_text(answers), as_text(name))


def _calls_in(message: Mapping[str, Any]) -> tuple[Call, ...]:
    """The calls of a message: beside its text, as typed parts of it, or as the JSON that it is."""
    found: list[Any] = []
    for key in CALL_KEYS:
        value = message.get(key)
        value = opened(value) if isinstance(value, str) else value
        found += value if isinstance(value, list) else [value] if value else []
    content = message.get(key_of(message, TEXT_KEYS))
    if isinstance(content, list):
        found += [part for part in content if isinstance(part, Mapping) and part.get("type") in CALL_PARTS]
    elif isinstance(content, str) and message_of(message, ()).role == "tool_call":
        value = opened(content)
        found += value if isinstance(value, list) else [value] if value else []
    return tuple(map(_call, (each for each in found if isinstance(each, Mapping))))


def _call(call: Mapping[str, Any]) -> Call:
    inner = next((call[key] for key in ("function", "functionCall") if isinstance(call.get(key), Mapping)), call)
    name = inner.get("name") or inner.get("function") or call.get("tool_name") or ""
    arguments = next((inner[key] for key in ARGUMENTS if inner.get(key) is not None), None)
    return Call(as_text(name), arguments, as_text(call.get("id") or call.get("call_id") or call.get("tool_call_id")))
