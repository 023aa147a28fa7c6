"""A row as a whole: every message with its thought and its calls, the tools that may be called, the truths.

A `Pair` is one answer and what it answers. What only shows between messages, or between them and other columns, is
read from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hfclean.schema.calls import Call, Result, calls_of, may_call, own_tools, results_of
from hfclean.schema.embedded import opened
from hfclean.schema.messages import (
    CALL_KEYS,
    CALL_PARTS,
    RESULT_PARTS,
    ROLE_KEYS,
    ROLES,
    TEXT_KEYS,
    TEXT_PARTS,
    key_of,
    message_of,
)
from hfclean.schema.pair import Pair
from hfclean.schema.shapes import plain
from hfclean.schema.slots import Cells, as_text
from hfclean.schema.truths import truths_in
from hfclean.schema.views import ChatView, FlatView, PreferenceView, PromptView, View
from hfclean.text.thoughts import may_think

MESSAGES = 10_000  # of one row
MEDIA = ("images", "image", "audio", "audios", "videos", "video", "attachments")


class Said(NamedTuple):
    """One message: who speaks (one of `KNOWN_ROLES`, or the role as it stands), and what.

    `calls` are those of an assistant, `results` what tools gave back; `name` is who speaks, `""` where it is not said.
    `more` says that a message without text has something else beside calls and results: pictures, sound, files.
    `written` is what its content says with a thought in it, `""` where that is `text`.
    """

    role: str
    text: str
    thought: str = ""
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    name: str = ""
    more: bool = False
    written: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """A row as a whole.

    Attributes:
        pair: its main pair.
        messages: all of them, in order; empty where the row has columns of text instead.
        tools: the cell that says which tools there are, as it stands, or what the first system message says of them;
            None where nothing does. `tools.tools_of` reads it.
        truths: the answers that are known to be right.
        other: of a preference row, the messages of the answer that was rejected, with those before it.
        rejected: of a preference row, its main pair with the rejected answer.
        trace: the messages of a column beside the others that holds the steps to the answer; empty where it holds
            something else than messages, or those that `messages` has.
        written: the answer as its column of text holds it, with a thought and the markers around it; `""` in
            conversations, and where nothing is in front of the answer.
    """

    pair: Pair
    messages: tuple[Said, ...] = ()
    tools: Any = None
    truths: tuple[str, ...] = ()
    other: tuple[Said, ...] = ()
    rejected: Pair | None = None
    written: str = ""
    trace: tuple[Said, ...] = ()


def whole_row(cells: Cells, view: View, pair: Pair, *, rejected: bool = True) -> Whole:
    """A row as a whole; columns of `view.reads` may be missing in it.

    Args:
        cells: of the row.
        view: how it is read.
        pair: its main pair, which is known already.
        rejected: whether the answer that was rejected is read as well.
    """
    tools = cells.get(view.tools) if view.tools else None
    truths = truths_in(cells.get(view.truth)) if view.truth else ()
    written = _written(cells, view, pair)
    if isinstance(view, FlatView):
        return Whole(pair, (), tools, truths, written=written, trace=_trace(cells, view))
    raw = raw_messages(cells, view)
    messages = _said(raw)
    if tools is None:
        system = next(((said, each) for said, each in zip(messages, raw, strict=False) if said.role == "system"), None)
        tools = own_tools(system[1], system[0].text) if system else None
    trace = _trace(cells, view)
    trace = () if trace == messages else trace
    if not rejected or not isinstance(view, PreferenceView):
        return Whole(pair, messages, tools, truths, written=written, trace=trace)
    other = view.pairs(cells, side="rejected")[-1]
    return Whole(pair, messages, tools, truths, _said(raw_messages(cells, view, "rejected")), other, written, trace)


def _trace(cells: Cells, view: View) -> tuple[Said, ...]:
    """The messages of the trace; none where something in it is not a message."""
    cell = cells.get(view.trace) if view.trace else None
    if not cell:
        return ()
    cell = opened(cell) if isinstance(cell, str) else plain(cell)
    steps = dicts_of(cell) if isinstance(cell, (list, dict)) else []
    whole = not isinstance(cell, list) or len(steps) == len(cell)
    return _said(steps) if steps and whole and all(map(_is_message, steps)) else ()


def _is_message(step: Mapping[str, Any]) -> bool:
    """Whether a step says who speaks, in a role that is known, and what, as messages do."""
    role = step.get(key_of(step, ROLE_KEYS))
    known = isinstance(role, str) and role in ROLES
    return known and (bool(key_of(step, TEXT_KEYS)) or any(step.get(key) for key in CALL_KEYS))


def _written(cells: Cells, view: View, pair: Pair) -> str:
    if isinstance(view, FlatView):
        cell = cells.get(view.response)
    elif isinstance(view, PromptView):
        cell = cells.get(view.completion)
    else:
        cell = cells.get(view.chosen) if isinstance(view, PreferenceView) else None
    return cell if isinstance(cell, str) and len(cell) > len(pair.response) else ""


def raw_messages(cells: Cells, view: View, side: str = "chosen") -> list[dict[str, Any]]:
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
    if not isinstance(cell, (str, list, dict)):
        cell = plain(cell)
    if isinstance(cell, dict):
        values = list(cell.values())
        if values and all(isinstance(value, list) for value in values):  # how datasets shows Sequence({...}) features
            return [dict(zip(cell, each, strict=True)) for each in zip(*values, strict=True)]
        return [cell]
    if isinstance(cell, list):
        return [message for message in cell if isinstance(message, dict)]
    return [{"role": role, "content": "" if cell is None else str(cell)}] if role else []


def _said(messages: list[dict[str, Any]]) -> tuple[Said, ...]:
    return tuple(map(_said_in, messages[:MESSAGES]))


def _said_in(message: Mapping[str, Any]) -> Said:
    return _plainly_said(message) or _said_fully(message)


def _plainly_said(message: Mapping[str, Any]) -> Said | None:
    """The same of a message that is a role and a text, without thought, call or result, as most are; else None."""
    if len(message) != 2:
        return None
    role, text = message.get("role") or message.get("from"), message.get("content") or message.get("value")
    name = ROLES.get(role) if type(role) is str else None
    if type(text) is not str or name not in ("user", "assistant", "system") or may_call(text):
        return None
    return None if name == "assistant" and may_think(text) else Said(name, text)


def _said_fully(message: Mapping[str, Any]) -> Said:
    role, text, _, thought, _, written = message_of(message, ())
    content, kind = message.get(key_of(message, TEXT_KEYS)), message.get("type")
    if kind is not None and kind in (*CALL_PARTS, *RESULT_PARTS) and not key_of(message, ROLE_KEYS):
        role, text = ("tool_call" if kind in CALL_PARTS else "tool"), ""  # an item of a response has no role
    calls = calls_of(message, role, content)
    if role == "tool_call":  # an assistant that calls; its text is then the call's
        role = "assistant"
        text = "" if calls and (not content or _is_call(message, content)) else text if content else ""
    results = results_of(message, role, text, content)
    name, more = as_text(message.get("name")), not text and _more(message, content)
    return Said(role, text, thought, calls, results, name, more, written)


def _is_call(message: Mapping[str, Any], content: Any) -> bool:
    """Whether the text of a message with calls is these calls, and not what is said beside them."""
    return isinstance(content, str) and not any(message.get(key) for key in CALL_KEYS)


def _more(message: Mapping[str, Any], content: Any) -> bool:
    if isinstance(content, list) and any(
        isinstance(part, Mapping) and part.get("type", "text") not in TEXT_PARTS for part in content
    ):
        return True
    return any(message.get(key) for key in MEDIA)
