"""Tasks: rows as other tools show them, as three texts that may be written anew, with ids and hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hfclean.layout import Layout
from hfclean.passes import iterate
from hfclean.provenance import decode_original, original_cells, pointer, row_id
from hfclean.schema import Path, Target, View, read_at

NAMES = ("instruction", "input", "response")


@dataclass(frozen=True)
class Task:
    """A row to decide about.

    Attributes:
        row_id: of the row.
        split: of the row.
        now: `instruction`, `input` and `response` -> the text that stands there.
        was: the same of the original, where that is another.
        places: the same -> where the text is written, as the ledger spells it; without those that cannot be written
            elsewhere, such as a message of several parts.
        context: what is read with them: system prompt and earlier turns, and what else was changed.
        reasons: why the row was changed, as in `edit_reason`.
        before: the hash of the original, as `Event.before`.
        after: the hash of the text that is judged, as `Event.after`.
    """

    row_id: str
    split: str
    now: Mapping[str, str]
    was: Mapping[str, str]
    places: Mapping[str, tuple[str, ...]]
    context: str
    reasons: str
    before: str
    after: str


def tasks_of(ds: Any, layout: Layout | None = None, *, unchanged: bool = False) -> Iterator[Task]:
    """The rows of a dataset that differ from their originals, in their order.

    Args:
        ds: a `Dataset` or `DatasetDict` with its `row_id`.
        layout: how its rows are read; what `Layout()` finds by default.
        unchanged: also give the rows that are as they were.
    """
    layout = layout or Layout()
    for split, row, view in rows_of(ds, layout):
        if unchanged or decode_original(row.get(layout.own("original"))):
            yield task_of(split, row, view, layout)


def rows_of(ds: Any, layout: Layout) -> Iterator[tuple[str, dict[str, Any], View]]:
    """Split, row and view of every row that has an id."""
    for split, part in ds.items() if isinstance(ds, Mapping) else [(str(ds.split or "train"), ds)]:
        if layout.own("row_id") not in part.column_names:
            continue
        view = layout.view(tuple(part.column_names))
        for rows in iterate(part, part.column_names):
            for row in rows:
                yield split, row, view


def task_of(split: str, row: Mapping[str, Any], view: View, layout: Layout) -> Task:
    """A row as a task."""
    original = decode_original(row.get(layout.own("original")))
    target = layout.targets(row, view)[-1]
    now, was, places = {}, {}, {}
    shown: set[Path] = set()
    for name in NAMES:
        now[name] = getattr(target.pair, name)
        path = _path(row, target, name)
        if path is None or path in shown:
            continue
        now[name] = read_at(row, path) or ""
        every = getattr(target, name).places()
        places[name] = tuple(map(pointer, every))
        shown.update(every)
        old = original.get(path, now[name])
        if isinstance(old, str | None) and (old or "") != now[name]:
            was[name] = old or ""
    more = [f"{pointer(path)} was: {old}" for path, old in original.items() if path not in shown]
    first = original_cells(row, layout.prefix)
    return Task(
        str(row[layout.own("row_id")]),
        split,
        now,
        was,
        places,
        "\n\n".join([*_before(target), *more]),
        str(row.get(layout.own("edit_reason")) or ""),
        row_id(first, view),
        row_id(row, view),
    )


def _path(row: Mapping[str, Any], target: Target, name: str) -> Path | None:
    """The one place of a text; None where it has several parts, or is not a text."""
    slot = getattr(target, name)
    if slot is None or len(slot.paths) > 1:
        return None
    path: Path = slot.paths[0]
    return path if isinstance(read_at(row, path), str | None) else None


def _before(target: Target) -> Iterator[str]:
    """What stands before the pair."""
    if target.pair.system:
        yield f"system: {target.pair.system}"
    for turn in target.pair.history:
        yield f"{turn.role}: {turn.text}"
