"""The ledger: what changed in a row, one entry per change, told from its own columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hfclean.errors import RestoreError
from hfclean.layout import Layout
from hfclean.passes import filled, iterate, stored_stream
from hfclean.provenance import (
    HISTORY,
    Step,
    decode_original,
    parse_history,
    pointer,
)
from hfclean.reviser import FieldChange, RuleReviser
from hfclean.reviser.pii import hides
from hfclean.rules import Rule
from hfclean.schema import Columns, Path, View, detect, read_at, write


def reviser_of(step: Step, extra: Sequence[Rule]) -> RuleReviser:
    """The rule reviser of a history line."""
    settings = dict(step.settings)
    wanted = settings.pop("extra", [])
    mine = {rule.id: rule for rule in extra}
    missing = [name for name in wanted if name not in mine]
    if missing:
        raise RestoreError(f"your own rule {missing[0]!r} took part; pass it: restore(..., extra=(rule,))")
    settings.pop("prefix", None)
    columns = settings.pop("columns", None)
    only, skip = settings.pop("only", None), settings.pop("skip", ())
    return RuleReviser(only, tuple(skip), tuple(mine[name] for name in wanted), columns=columns, **settings)


@dataclass(frozen=True)
class LedgerEntry:
    """One change: in which row and field, by which rule or reviser, before and after."""

    row_id: str
    field: str
    rule: str
    before: str
    after: str


def ledger_entries(
    row: Mapping[str, Any], layout: Layout, extra: Sequence[Rule] = (), view: View | None = None
) -> Iterator[LedgerEntry]:
    """Every change of one row, in the order in which it was made.

    The steps of rules are done again to tell them apart, and what remains was changed by a model's step.
    Where that does not lead to today's text (several models' steps, or rules of another version), the row's changes
    are given whole, under the names that the history has. `view` is how the row is read, where that is known: it need
    not hold every column then by which its shape is told.
    """
    history = parse_history(row.get(layout.own(HISTORY)))
    original = decode_original(row.get(layout.own("original"))) if history else None
    if not history or not original:  # without hfclean's history, `original` is a foreign column
        return
    steps = [step for step in history if step.is_revision]
    start = {**row, **write(row, original)}
    found = _replayed(row, start, steps, layout.columns, extra, tuple(original), view)
    if found is None:
        names = " ".join(
            dict.fromkeys(
                name for step, undone in _made(steps) for name in step.reasons or (step.by,) if name not in undone
            )
        )
        found = [
            FieldChange(names, path, old if isinstance(old, str) else "", _shown(read_at(row, path)))
            for path, old in original.items()
        ]
    for change in found:
        yield LedgerEntry(str(row[layout.own("row_id")]), pointer(change.path), change.by, change.before, change.after)


def _replayed(
    row: Mapping[str, Any],
    cells: dict[str, Any],
    steps: Sequence[Step],
    columns: Columns,
    extra: Sequence[Rule],
    paths: Sequence[Path],
    known: View | None,
) -> list[FieldChange] | None:
    view: View | None = None
    found: list[FieldChange] = []
    made = _made(steps)
    for step, undone in made:
        if step.by != "RuleReviser":
            return [*found, *_rest(row, cells, step, paths)] if step is made[-1][0] and not undone else None
        try:
            reviser = reviser_of(step, extra)
        except ValueError:  # a rule that this version does not know, or one of the user's own
            return None
        if view is None:
            named = columns if columns is not None else reviser.columns
            view = known if known is not None and named == columns else detect(row, named)
        if undone:  # done again without the rule, as it was undone: other rules may have found more
            reviser = replace(reviser, skip=tuple(dict.fromkeys([*reviser.skip, *undone])))
        changes = reviser.changes(cells, view, among=None if undone else step.reasons)
        found += changes
        cells = {**cells, **write(cells, {change.path: change.after for change in changes})}
    return found if view and all(cells[name] == row[name] for name in view.writable) else None


def _made(steps: Sequence[Step]) -> list[tuple[Step, tuple[str, ...]]]:
    """The steps that changed text, and which of their rules were undone by a later one."""
    made, undone = [], tuple[str, ...]()
    for step in reversed(steps):
        if step.by == "restore":
            undone = (*undone, *([str(step.settings["rule"])] if step.settings.get("rule") else []))
        elif step.edit == "revised" and not hides(step):
            made.append((step, undone))
    return made[::-1]


def _rest(row: Mapping[str, Any], cells: Mapping[str, Any], step: Step, paths: Sequence[Path]) -> list[FieldChange]:
    """What the last step, which cannot be done again, changed: today's text against what the steps before it left."""
    name = " ".join(step.reasons) or step.by
    places = [(path, read_at(cells, path), read_at(row, path)) for path in paths]
    return [
        FieldChange(name, path, old if isinstance(old, str) else "", _shown(new))
        for path, old, new in places
        if old != new
    ]


def _shown(value: Any) -> str:
    """A value as the ledger shows it; nothing of what is gone."""
    return "" if value is None else str(value)


def ledger(ds: Any, *, prefix: str = "", columns: Columns = None, extra: Sequence[Rule] = ()) -> Iterator[LedgerEntry]:
    """Every change in a `Dataset` or a streaming dataset, row by row, read from its own columns; rows that did not
    change cost nothing."""
    layout, ds = Layout(columns, prefix), stored_stream(ds)
    original = layout.own("original")
    if not {original, layout.own(HISTORY)} <= set(ds.column_names):
        return
    for rows in iterate(ds, ds.column_names, filled(ds, original)):
        for row in rows:
            yield from ledger_entries(row, layout, extra)
