"""Changes: what happened to one row, as ledger entries, whether or not hfclean did it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hfclean.layout import Layout
from hfclean.provenance import HISTORY, decode_original, original_cells, parse_history, pointer, row_id
from hfclean.report.record import UNRECORDED, Edit
from hfclean.restoration import LedgerEntry, ledger_entries
from hfclean.rules import Rule
from hfclean.schema import Path, View, read_at, write

_Row = Mapping[str, Any]
RESTORED = "restored"


def row_edits(
    before: _Row,
    after: _Row,
    view: View,
    layout: Layout,
    *,
    name: str,
    split: str,
    index: int,
    extra: Sequence[Rule] = (),
) -> list[Edit]:
    """Every change between two states of a row, in the order in which it was made.

    What the row's own record says is taken when it leads from the one text to the other. Where it does not (the text
    was changed by something else as well), each text that differs is one change, under the names of the steps in
    between (`restored` where the text from before hfclean's steps is back), or `unrecorded` when there are none.
    """
    entries = _recorded(before, after, view, layout, extra)
    if entries is None:
        back = RESTORED if _is_back(before, after, view, layout) else UNRECORDED
        rule = _steps_between(before, after, layout) or back
        entries = [
            LedgerEntry(name, pointer(path), rule, old, new)
            for column in view.columns
            for path, old, new in _differences((column,), before.get(column), after.get(column))
        ]
    return [Edit(name, e.field, e.rule, e.before, e.after, split=split, index=index) for e in entries]


def _recorded(
    before: _Row, after: _Row, view: View, layout: Layout, extra: Sequence[Rule]
) -> list[LedgerEntry] | None:
    """The changes that the row's record speaks of since `before`; None when they do not lead to `after`."""
    try:
        done = list(ledger_entries(after, layout, extra, view))
        earlier = list(ledger_entries(before, layout, extra, view))
        if done[: len(earlier)] != earlier:
            return None
        entries = done[len(earlier) :]
        texts = {_path(entry.field): entry.after for entry in entries}
        reached = {**before, **write(before, texts)}
        starts = {_path(entry.field): entry.before for entry in reversed(entries)}
        begins = all((read_at(before, path) or "") == old for path, old in starts.items())
    except (KeyError, IndexError, TypeError, ValueError):  # a record that does not fit the row it stands in
        return None
    return entries if begins and row_id(reached, view) == row_id(after, view) else None


def _steps_between(before: _Row, after: _Row, layout: Layout) -> str:
    old = parse_history(before.get(layout.own(HISTORY))) or ()
    steps = (parse_history(after.get(layout.own(HISTORY))) or ())[len(old) :]
    done = [step for step in steps if step.edit == "revised" or step.by == "restore"]
    return " ".join(dict.fromkeys(name for step in done for name in (step.reasons or (step.by,))))


def _is_back(before: _Row, after: _Row, view: View, layout: Layout) -> bool:
    """Whether the second row is what went in before hfclean revised the first one."""
    if parse_history(before.get(layout.own(HISTORY))) is None:
        return False
    try:
        return row_id(original_cells(before, layout.prefix), view) == row_id(after, view)
    except (KeyError, IndexError, TypeError, ValueError):  # a record that does not fit the row it stands in
        return False


def _path(field: str) -> Path:
    return next(iter(decode_original(json.dumps({field: None}))))


def _differences(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, str, str]]:
    """The places where two cells differ, down to the single text; empty and missing count alike."""
    if old == new or (not old and not new and not isinstance(old, (int, float)) and not isinstance(new, (int, float))):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences((*path, str(key)), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for n, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences((*path, n), a, b)
    else:
        yield path, _text(old), _text(new)


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str, indent=1)
