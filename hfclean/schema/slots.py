"""Slots: where in a row each text lives, and how a changed one is put back.

`write` copies only the containers on the way to a text, so that everything else in the row stays the very object it
was.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hfclean.schema.embedded import opened, replaced, without_last
from hfclean.schema.pair import Pair, Turn
from hfclean.text.thoughts import may_think, read_thought

Path = tuple[str | int, ...]
Cells = Mapping[str, Any]


class Slot(NamedTuple):  # these two are made for every row: a tuple is made faster than a frozen dataclass
    """Where a text lives in the row: one path, or several when a message has several text parts.

    `prefix` and `suffix` are what stands before and behind the text in the same cell and is put back with it: the
    prompt of implicit-prompt preference strings, a thought before the answer, the markers around both. `mirrors` are
    other places that hold the same texts and have to go on doing so, each with as many paths: what is written to one
    is written to all (turns that chosen and rejected share).
    """

    paths: tuple[Path, ...]
    texts: tuple[str, ...]
    prefix: str = ""
    mirrors: tuple[tuple[Path, ...], ...] = ()
    suffix: str = ""

    def whole(self, text: str) -> str:
        """What the cell holds with this text in its place."""
        return f"{self.prefix}{text}{self.suffix}"

    def places(self, part: int = 0) -> tuple[Path, ...]:
        """Every path to which a text part is written."""
        if not self.mirrors:
            return (self.paths[part],)
        return (self.paths[part], *(paths[part] for paths in self.mirrors))


class Target(NamedTuple):
    """One pair of a row. A field without a slot is read-only context.

    `turns` are, in a conversation, all turns before the response as they stand, the question among them; empty
    elsewhere. `thought` is the place of the pair's thought, which may be in the cell of the response; `written` is
    that cell's text from the thought on, where it holds more than the response.
    """

    pair: Pair
    instruction: Slot | None = None
    input: Slot | None = None
    response: Slot | None = None
    turns: tuple[Turn, ...] = ()
    thought: Slot | None = None
    written: str = ""

    @property
    def answer(self) -> str:
        """The response as its cell holds it, with a thought and the markers that stand there."""
        return self.written or self.pair.response

    def slots(self) -> Iterator[tuple[str, Slot]]:
        """The writable fields, in the order instruction, input, response."""
        for name in ("instruction", "input", "response"):
            slot = getattr(self, name)
            if slot is not None:
                yield name, slot


class _Removed(str):
    """What is written to an item of a list that goes; a ledger shows it as no text."""

    __slots__ = ()


REMOVED = _Removed()


def read_at(cells: Cells, path: Path) -> Any:
    """The value at a path of a row; None where a list ends before it."""
    value: Any = cells
    for key in path:
        value = opened(value) if isinstance(value, str) else value
        if isinstance(key, int) and isinstance(value, (list, tuple)) and key >= len(value):
            return None
        value = value[_key_in(value, key)]
    return value


def _key_in(container: Any, key: str | int) -> str | int:
    """A key of digits is a place in a list, and in an object the string that it is."""
    return str(key) if isinstance(key, int) and isinstance(container, Mapping) else key


def recorded_at(cells: Cells, path: Path) -> Path:
    """The place whose value gives back what stands at a path: the path, or the JSON string through which it leads."""
    value: Any = cells
    for n, key in enumerate(path):
        if isinstance(value, str):
            return path[:n]
        value = value[_key_in(value, key)]
    return path


def write(cells: Cells, edits: Mapping[Path, Any]) -> dict[str, Any]:
    """The columns that `edits` touch, with the new values in place; the row given is left as it was.

    `REMOVED` takes the last item of a list away; a value that is written right behind the last one is added to it.
    """
    changed: dict[str, Any] = {}
    for path, value in edits.items():
        column = str(path[0])
        current = changed.get(column, cells[column])
        changed[column] = _put(current, path[1:], value)
    return changed


def _put(container: Any, path: Sequence[str | int], value: Any) -> Any:
    if not path:
        return value
    if isinstance(container, str):
        return without_last(container) if isinstance(value, _Removed) else replaced(container, path, value)
    key, rest = path[0], path[1:]
    if isinstance(container, dict):
        key = _key_in(container, key)
        return {**container, key: _put(container[key], rest, value)}
    copy = list(container)
    if not rest and isinstance(value, _Removed):
        return copy[:-1]
    if not rest and int(key) == len(copy):
        return [*copy, value]
    copy[int(key)] = _put(copy[int(key)], rest, value)
    return copy


def read_cell(path: Path, value: Any) -> tuple[str, Slot | None]:
    """Text of a flat cell and its slot. Numbers, booleans and structures are read as text and never written."""
    if value is None:
        return "", Slot((path,), ("",))
    if isinstance(value, str):
        return value, Slot((path,), (value,))
    return as_text(value), None


class Answer(NamedTuple):
    """An answer and what was thought before it; `written` is the text of both where they share a cell."""

    text: str
    slot: Slot | None
    thought: str = ""
    thought_slot: Slot | None = None
    written: str = ""

    def after(self, text: str, slot: Slot | None) -> "Answer":
        """The same with a thought from elsewhere before its own; the same one in two places counts once."""
        if not text:
            return self
        if not self.thought:
            return self._replace(thought=text, thought_slot=slot)
        both = self.thought if text == self.thought else f"{text}\n\n{self.thought}"
        return self._replace(thought=both, thought_slot=None)


def read_answer_cell(path: Path, value: Any) -> Answer:
    """The answer of a flat cell, parted from a thought before it."""
    return parted(*read_cell(path, value))


def parted(text: str, slot: Slot | None, lead: str = "") -> Answer:
    """An answer parted from a thought before it in the same text; `lead` stands before both in the cell."""
    parts = read_thought(text) if may_think(text) else None
    if parts is None or (slot is not None and len(slot.paths) > 1):
        return Answer(text, slot)
    before, thought, between, answer, after = parts
    if slot is None:
        return Answer(answer, None, thought, None, text)
    inner = Slot(slot.paths, (answer,), f"{lead}{before}{thought}{between}", suffix=after)
    outer = Slot(slot.paths, (thought,), f"{lead}{before}", suffix=f"{between}{answer}{after}") if thought else None
    return Answer(answer, inner, thought, outer, text)


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (list, dict)):
        try:
            return json.dumps(value, ensure_ascii=False, default=str)
        except RecursionError:
            return f"{type(value).__name__}, nested too deeply to be read"
    return "" if value is None else str(value)
