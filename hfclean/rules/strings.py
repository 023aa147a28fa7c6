"""Every text of a row, with its place: what a search for personal data reads, beyond the one pair of the row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hfclean.schema import Path
from hfclean.schema.views import ROLES

__all__ = ["Text", "texts_of"]

# what names a message or belongs to a program, and is no text
NAMES = frozenset(("role", "from", "type", "id", "name", "tool_call_id", "image_url"))
CALLS = frozenset(("tool_calls", "function_call"))


class Text(NamedTuple):
    """One string of a row; `program` where it is a tool call or what a tool returned, which nobody alters."""

    path: Path
    text: str
    program: bool


def texts_of(cells: Mapping[str, Any], columns: Sequence[str]) -> Iterator[Text]:
    """The strings in some columns of a row, however deep, in their order."""
    for column in columns:
        if cells.get(column) is not None:
            yield from _walk((column,), cells[column], False)


def _walk(path: Path, value: Any, program: bool) -> Iterator[Text]:
    if isinstance(value, str):
        if value:
            yield Text(path, value, program)
    elif isinstance(value, Mapping):
        role = value.get("role") if value.get("role") is not None else value.get("from")
        program = program or _is_program(role)
        for key, item in value.items():
            if key not in NAMES:
                yield from _walk((*path, str(key)), item, program or key in CALLS)
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from _walk((*path, k), item, program)


def _is_program(role: Any) -> bool:
    roles = role if isinstance(role, list) else [role]  # a list: how datasets shows Sequence({...}) features
    return any(ROLES.get(str(name).strip().lower()) in ("tool", "tool_call") for name in roles)
