"""Repairs that are done on request alone: what they change in a row, somebody may want to keep as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.reviser.record import FieldChange
from hfclean.schema import REMOVED, ChatView, Path, Target, View, whole_row
from hfclean.text.thoughts import closed_thought
from hfclean.verifiers import verify

ARGUMENTS = ("arguments", "parameters", "input", "args")
CALLS = ("tool_calls", "function_call", "function", "tool_call")
DEEPEST = 4


@dataclass(frozen=True)
class _RowRepair:
    """One of them: its id, what it does in one line, and how; `version` is raised when its result changes."""

    id: str
    meaning: str
    changes: Callable[[Mapping[str, Any], View, Sequence[Target]], Iterator[FieldChange]]
    version: int = 1


def row_changes(
    cells: Mapping[str, Any], view: View, targets: Sequence[Target], names: tuple[str, ...]
) -> list[FieldChange]:
    """What these repairs change in a row, each seeing it as it stands; `targets` are those of its answers that are
    worked on."""
    found: list[FieldChange] = []
    for name in ROW_REPAIRS:
        if name in names:
            found += ROW_REPAIRS[name].changes(cells, view, targets)
    return found


def _messages(cells: Mapping[str, Any], view: View) -> list[Any]:
    """The messages of a conversation as they stand; none in rows of other kinds."""
    messages = view.laid_open(cells)[view.messages] if isinstance(view, ChatView) else None
    return messages if isinstance(messages, list) else []


def _canonical(cells: Mapping[str, Any], view: View, _targets: Sequence[Target]) -> Iterator[FieldChange]:
    for n, message in enumerate(_messages(cells, view)):
        if isinstance(view, ChatView) and isinstance(message, Mapping):
            for path, text in _texts(message, (view.messages, n), 0):
                new = canonical_json(text)
                if new is not None and new != text:
                    yield FieldChange("canonical_arguments", path, text, new)


def _texts(value: Any, path: Path, deep: int) -> Iterator[tuple[Path, str]]:
    """The texts of arguments in the calls of a message, and of calls that are a message of their own."""
    if deep > DEEPEST:
        return
    if isinstance(value, list):
        for n, each in enumerate(value):
            yield from _texts(each, (*path, n), deep + 1)
    elif isinstance(value, Mapping):
        if value.get("from") in ("function_call", "tool_call") and isinstance(value.get("value"), str):
            yield (*path, "value"), value["value"]
        for key in ARGUMENTS:
            if deep and isinstance(value.get(key), str) and value.get("name"):
                yield (*path, key), value[key]
        for key in (*CALLS, "content"):
            if isinstance(value.get(key), (list, Mapping)):
                yield from _texts(value[key], (*path, key), deep + 1)


class _Number(str):
    """A number as it was read."""

    __slots__ = ()


def canonical_json(text: str) -> str | None:
    """An object or list as JSON with one blank behind `,` and `:`, characters as themselves, order and numbers kept.

    None where a text is neither, or would lose something: a key that stands twice, or half a character.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_once, parse_float=_Number, parse_int=_Number, parse_constant=_refused
        )
        new = _dumped(value) if isinstance(value, (dict, list)) else None
        if new is not None:
            new.encode()
    except (ValueError, RecursionError):
        return None
    return new


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _dumped(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_dumped(v)}" for key, v in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_dumped, value)) + "]"
    return value if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _drop_last(cells: Mapping[str, Any], view: View, _targets: Sequence[Target]) -> Iterator[FieldChange]:
    messages = _messages(cells, view)
    if not isinstance(view, ChatView) or len(messages) < 2:
        return
    said = whole_row(cells, view, view.pairs(cells)[-1], rejected=False).messages
    last = said[-1]
    if last.role == "user" and not last.results and any(each.role == "assistant" for each in said):
        yield FieldChange("last_turn_unanswered", (view.messages, len(messages) - 1), last.text, REMOVED)


def _close_thought(_cells: Mapping[str, Any], _view: View, targets: Sequence[Target]) -> Iterator[FieldChange]:
    for target in targets:
        pair, slot = target.pair, target.response
        if slot is None or len(slot.paths) > 1 or not verify(pair, ["thought_unclosed"]):
            continue
        closed = closed_thought(pair.response)
        if closed is not None:
            for path in slot.places():
                yield FieldChange("thought_unclosed", path, slot.whole(pair.response), slot.whole(closed))


ROW_REPAIRS = {
    repair.id: repair
    for repair in (
        _RowRepair("canonical_arguments", "writes the JSON of tool arguments in one way", _canonical),
        _RowRepair("last_turn_unanswered", "drops a last turn of the user that nobody answers", _drop_last),
        _RowRepair("thought_unclosed", "closes a thought where the answer certainly begins", _close_thought),
    )
}
