"""The way back: `restore` puts originals back, `ledger` says what changed, one line per change.

Both work from the columns of the dataset alone, so they work on a copy from the Hub as well. Only what `MaskPII`
masked is in none of them: `restore` puts it back where it was masked, from the file that is kept there.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Any, ClassVar, TypeVar

from hfclean import processes
from hfclean.errors import RecoveryWarning, RestoreError
from hfclean.passes import column_batches
from hfclean.processes import NumProc
from hfclean.provenance import (
    HISTORY,
    Step,
    added_columns,
    decode_original,
    encode_original,
    own_columns,
    parse_history,
)
from hfclean.restoration.entries import LedgerEntry, ledger, ledger_entries, reviser_of
from hfclean.reviser.masked_texts import missing_note, open_masked
from hfclean.reviser.pii import is_masking, masking_of
from hfclean.rules import Rule
from hfclean.schema import Columns, View, read_at, write
from hfclean.scorers.refresh import refresh
from hfclean.transform import Batch, Transform, cached_elsewhere
from hfclean.values import stored_columns

__all__ = ["LedgerEntry", "ledger", "ledger_entries", "originals", "put_back", "restore"]

D = TypeVar("D")


def restore(
    ds: D,
    rule: str | None = None,
    rows: Iterable[str] | None = None,
    *,
    prefix: str = "",
    extra: Sequence[Rule] = (),
    num_proc: NumProc = "auto",
) -> D:
    """Undo what revisers did.

    With neither `rule` nor `rows`, every step is undone and the columns that hfclean added are dropped: columns, types
    and rows are exactly what went in. With `rule`, only that rule is undone, in the rows where it changed something:
    the other steps are done again without it. With `rows`, only the rows of these ids are put back. In both cases the
    columns stay, the rows say `restored` in `edit_reason`, and their embedded scores are computed again.

    Args:
        ds: a `Dataset`, `DatasetDict`, streaming dataset, or one example. Left as it is.
        rule: the id of a rule.
        rows: ids as in the column `row_id`.
        prefix: the `prefix` that the revisers were given.
        extra: your own rules that took part, needed to undo one of them.
        num_proc: how many processes do it, as `hfclean.clean` takes it; the rows are the same. Masked texts are put
            back in one.

    Personal data that was masked is put back on the machine where it was masked; elsewhere it stays masked, and one
    `RecoveryWarning` says in how many rows.

    Raises:
        RestoreError: hfclean wrote nothing in these rows; no row has the id; a column that changed is gone; a rule is
            to be undone below a later step that cannot be done again, or with rules of another version.

    >>> import hfclean
    >>> row = {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}
    >>> hfclean.restore({**row, **hfclean.revise(row)}) == row
    True
    """
    if rows is not None:
        rows = tuple([rows] if isinstance(rows, str) else rows)
    return _undone(ds, _Undo(rule, rows, tuple(extra), prefix=prefix), num_proc)


def originals(ds: D, *, prefix: str = "") -> D:
    """What `restore` gives for all rows, with personal data that was masked left masked: to show, or to give away."""
    return _undone(ds, _Undo(prefix=prefix, unmasks=False))


def put_back(ds: D, rows: Iterable[str], reason: str, *, prefix: str = "") -> D:
    """What `restore` gives for these rows, with `reason` in place of `restored`, and masked data left masked."""
    return _undone(ds, _Undo(rows=tuple(rows), unmasks=False, reason=reason, prefix=prefix))


def _undone(ds: D, undo: _Undo, num_proc: NumProc = 1) -> D:
    rows = undo.rows
    if isinstance(ds, Mapping) and not hasattr(ds, "map"):
        return _restore_example(ds, undo)  # type: ignore[return-value]
    if not hasattr(ds, "map"):
        raise RestoreError(f"restore got {type(ds).__name__}; expected a Dataset, a DatasetDict or one example")
    if isinstance(ds, Mapping):  # a DatasetDict: rows may lie in any split
        parts = {name: _within(split, undo) for name, split in ds.items()}
        _check_all_found(rows, parts.values())
        return type(ds)({name: _restore_split(ds[name], part, num_proc) for name, part in parts.items()})  # type: ignore[call-arg]
    part = _within(ds, undo)
    _check_all_found(rows, [part])
    return _restore_split(ds, part, num_proc)  # type: ignore[no-any-return]


def _within(split: Any, undo: _Undo) -> _Undo:
    """With those ids that are in this split; all of them where that cannot be known (a streaming dataset)."""
    column = undo.layout.own("row_id")
    if undo.rows is None or not hasattr(split, "select"):
        return undo
    wanted, present = set(undo.rows), set[str]()
    for batch in column_batches(split, [column]) if column in split.column_names else ():
        present.update(wanted.intersection(batch[column]))
    return replace(undo, rows=tuple(name for name in undo.rows if name in present))


def _check_all_found(rows: tuple[str, ...] | None, parts: Iterable[_Undo]) -> None:
    seen = {name for part in parts for name in part.rows or ()}
    missing = [name for name in rows or () if name not in seen]
    if missing:
        raise RestoreError(
            f"no row has the id {missing[0]!r}; ids stand in the column 'row_id' (hfclean why shows them)"
        )


def _restore_split(ds: Any, undo: _Undo, num_proc: NumProc) -> Any:
    streaming = not hasattr(ds, "select")
    ds = cached_elsewhere(ds)
    history = undo.layout.own(HISTORY)
    columns = ds.column_names
    if streaming and columns is None:
        columns = list(next(iter(ds), {}))
    if history not in columns:
        if not streaming and len(ds) == 0:
            return ds  # map adds no columns to an empty split
        raise RestoreError(
            f"no column {history!r}: hfclean did not revise this dataset"
            + ("" if undo.prefix else ", or did it with a prefix (restore(..., prefix=))")
        )
    texts = [row[history] for row in ds.take(1)] if streaming else ds.with_format(None).unique(history)
    undo = replace(undo, columns=_columns_of(texts))
    drop = undo.drops(texts, columns)
    if streaming:
        undo = replace(undo, warns=undo.unmasks)
    else:
        undo = replace(undo, unmasks=undo.unmasks and any(map(_masked_names, texts)))
        if undo.unmasks:
            _warn_of_missing(ds, history, undo)
    if streaming:
        return ds.map(undo, batched=True, remove_columns=drop)
    kept = {name: feature for name, feature in ds.features.items() if name not in drop}
    fmt = ds.format
    from datasets import concatenate_datasets

    types = type(ds.features)(kept)
    pieces = processes.mapped(
        ds.with_format(None),
        undo,
        "restoring",
        1 if undo.unmasks else processes.count_for(len(ds), num_proc),  # the file of masked texts bears no fork
        remove_columns=drop,
        features=types,
    )
    out = pieces[0] if len(pieces) == 1 else concatenate_datasets(pieces)
    if fmt["type"] is None and set(fmt["columns"]) == set(columns):
        return out
    shown = [name for name in fmt["columns"] if name in out.column_names]
    return out.with_format(
        fmt["type"], columns=shown, output_all_columns=fmt["output_all_columns"], **fmt["format_kwargs"]
    )


def _restore_example(row: Mapping[str, Any], undo: _Undo) -> dict[str, Any]:
    history = undo.layout.own(HISTORY)
    if parse_history(row.get(history)) is None:
        raise RestoreError(f"the example has no {history!r} that hfclean wrote, so there is nothing to restore")
    if undo.rows is not None and row.get(undo.layout.own("row_id")) not in undo.rows:
        return dict(row)
    undo = replace(undo, columns=_columns_of([row[history]]), warns=True)
    back = {**row, **undo(row)}
    drop = undo.drops([row[history]], row)
    return {name: value for name, value in back.items() if name not in drop}


def _warn_of_missing(ds: Any, history: str, undo: _Undo) -> None:
    """Say in how many rows masked texts stay masked, before any is put back."""
    rows: Counter[tuple[str, ...]] = Counter()
    name = undo.layout.own("row_id")
    for batch in column_batches(ds, [history, name] if undo.rows is not None else [history]):
        for k, text in enumerate(batch[history]):
            if undo.rows is None or batch[name][k] in undo.rows:
                rows[tuple(_masked_names(text))] += 1
    del rows[()]
    kept = open_masked(create=False)
    here = kept.get(each for names in rows for each in names) if kept else {}
    missing = sum(count for names, count in rows.items() if not here.keys() >= set(names))
    if missing:
        warnings.warn(missing_note(missing, rows.total()), RecoveryWarning, stacklevel=6)


def _masked_names(history: Any) -> list[str]:
    """The names under which what was masked in a row is kept, the last step first."""
    return [step.masked for step in reversed(parse_history(history) or ()) if step.masked]


def _masked_places(history: Any, kept: Mapping[str, str]) -> list[str]:
    """The columns in which something was masked."""
    return [str(path[0]) for name in _masked_names(history) for path in decode_original(kept.get(name))]


def _unmasked(cells: dict[str, Any], history: Any, kept: Mapping[str, str]) -> dict[str, Any]:
    """The cells of a row from before its first step, with what was masked since put back."""
    for name in _masked_names(history):
        values = {path: value for path, value in decode_original(kept.get(name)).items() if path[0] in cells}
        with suppress(KeyError, IndexError, TypeError, ValueError):  # the row is not the one that was masked
            cells = {**cells, **write(cells, values)}
    return cells


def _columns_of(histories: Iterable[Any]) -> Columns:
    """The `columns` that the revisers were given, as their steps record it."""
    steps = (step for text in histories for step in parse_history(text) or ())
    return next((step.settings["columns"] for step in steps if step.settings.get("columns")), None)


@dataclass(frozen=True)
class _Undo(Transform):
    """Puts originals back, for all rows, for some, or for what one rule did."""

    version: ClassVar[int] = 1

    rule: str | None = None
    rows: tuple[str, ...] | None = None
    extra: tuple[Rule, ...] = ()
    unmasks: bool = True
    warns: bool = False
    reason: str = field(default="restored", metadata={"came_later": True})

    def depends(self) -> dict[str, Any]:
        return {"masked": token_hex(8)} if self.unmasks else {}  # what is kept here changes, and no cache knows

    def _kept(self, histories: Sequence[Any]) -> dict[str, str]:
        """What is kept here of what was masked in these rows."""
        names = [name for text in set(histories) for name in _masked_names(text)] if self.unmasks else []
        kept = open_masked(create=False) if names else None
        here = kept.get(names) if kept else {}
        if self.warns and any(name not in here for name in names):
            warnings.warn(missing_note(), RecoveryWarning, stacklevel=2)
        return here

    def drops(self, histories: Iterable[Any], columns: Container[str]) -> list[str]:
        """The columns that go with what is undone: all that were added, where everything is."""
        if self.rule is not None or self.rows is not None:
            return []
        steps = [step for text in histories for step in parse_history(text) or ()]
        return [name for name in added_columns(steps, self.prefix) if name in columns]

    def __call__(self, data: Any) -> Any:
        # The row shape is that of the step that changed it, and a full undo needs none: the paths are enough.
        if self.rule is None and self.rows is None:
            single = isinstance(data.get(self.prefix + HISTORY), str)
            out = stored_columns(self._undo_all(Batch(data, single=single)), data)
            return {name: column[0] for name, column in out.items()} if single else out
        return super().__call__(data)

    def _undo_all(self, batch: Batch) -> dict[str, list[Any]]:
        histories = batch.get(self.prefix + HISTORY, [])
        kept = self._kept(histories)
        if self.prefix + "original" not in batch and not kept:
            return {}
        originals = [decode_original(text) for text in batch.get(self.prefix + "original", [""] * len(histories))]
        masked = [_masked_places(text, kept) for text in histories]
        touched = dict.fromkeys(str(path[0]) for values in originals for path in values)
        for column in touched:
            if column not in batch:
                raise RestoreError(
                    f"'original' refers to the column {column!r}, which does not exist. If it was renamed, give it "
                    f"its old name back first: ds.rename_column(..., {column!r})"
                )
        touched |= dict.fromkeys(name for names in masked for name in names if name in batch)
        if not touched:
            return {}
        rows = batch.rows([*touched])
        done = [
            _unmasked({**row, **write(row, values)}, history, kept)
            for row, values, history in zip(rows, originals, histories, strict=True)
        ]
        return {column: [row[column] for row in done] for column in touched}

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        ours = own_columns(batch, self.prefix)
        originals = batch.get(self.prefix + "original", [])
        touched = {str(path[0]) for text in set(originals) for path in decode_original(text)}
        histories = batch.get(self.prefix + HISTORY, [])
        kept = self._kept(histories)
        touched.update(name for text in histories for name in _masked_places(text, kept))
        names = dict.fromkeys([*view.columns, *sorted(touched.intersection(batch)), *ours])
        rows = batch.rows([*names])
        changed = [self._undo(row, view, kept, batch.features) for row in rows]
        return {name: [new.get(name, row[name]) for new, row in zip(changed, rows, strict=True)] for name in names}

    def _undo(
        self, row: dict[str, Any], view: View, kept: Mapping[str, str], features: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """The cells of a row that undoing changes."""
        prefix = self.prefix
        steps = parse_history(row[prefix + HISTORY]) or ()
        if self.rows is not None and row.get(prefix + "row_id") not in self.rows:
            return {}
        if self.rule is not None and not any(self.rule in step.reasons for step in steps):
            return {}
        original = decode_original(row.get(prefix + "original"))
        cells: dict[str, Any] = _unmasked({**row, **write(row, original)}, row[prefix + HISTORY], kept)
        if self.rule is not None:
            cells = self._without_rule(row, cells, view, steps, features)
        paths = [path for path in original if read_at(cells, path) != original[path]]
        what = {"rule": self.rule} if self.rule is not None else {}
        edit = "revised" if paths else "kept"
        step = Step("restore", self.version, settings=what, edit=edit, reasons=(self.reason,))
        # all columns that are read, not only those that revisers of the main pair write: masking reaches further
        touched = [str(path[0]) for path in original] + _masked_places(row[prefix + HISTORY], kept)
        new = {name: cells[name] for name in dict.fromkeys([*view.columns, *touched]) if name in cells}
        new |= {
            prefix + "edit": step.edit,
            prefix + "edit_reason": self.reason,
            prefix + HISTORY: f"{row[prefix + HISTORY]}\n{step.line()}",
            prefix + "original": encode_original({path: original[path] for path in paths}),
        }
        return new | refresh(list(steps), cells, view, row, prefix)

    def _without_rule(
        self,
        row: dict[str, Any],
        cells: dict[str, Any],
        view: View,
        steps: Sequence[Step],
        features: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """The row as its steps would have left it without the rule; they are first checked to lead to today's text."""
        with_rule = without = cells
        for step in steps:
            if not step.is_revision:
                continue
            with_rule = self._again(step, with_rule, view, (), features)
            without = self._again(step, without, view, (str(self.rule),), features)
        if any(with_rule[name] != row[name] for name in view.writable):
            raise RestoreError(
                f"rule {self.rule!r} cannot be undone by itself in row {row[self.prefix + 'row_id']}: done again, "
                "its steps do not lead to today's text (the text was changed by hand since, or by rules of another "
                f"version). Undo the whole row instead: rows=[{row[self.prefix + 'row_id']!r}]"
            )
        return without

    def _again(
        self,
        step: Step,
        cells: dict[str, Any],
        view: View,
        skip: tuple[str, ...],
        features: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        if is_masking(step) and self.rule not in step.reasons:
            return masking_of(step).masked(cells, view, features)
        if step.by == "restore":
            if not step.settings.get("rule"):
                return cells
            raise RestoreError("this row was restored before; undo the whole row instead: rows=[...]")
        if step.by != "RuleReviser":
            if step.edit == "revised":
                raise RestoreError(
                    f"rule {self.rule!r} cannot be undone below a revision by {step.by}, which would have to be "
                    "made again. Undo whole rows instead: rows=[...]"
                )
            return cells
        reviser = reviser_of(step, self.extra)
        skip = (*reviser.skip, *(name for name in skip if name not in reviser.skip))
        changes = replace(reviser, skip=skip).changes(cells, view)
        return {**cells, **write(cells, {change.path: change.after for change in changes})} if changes else cells
