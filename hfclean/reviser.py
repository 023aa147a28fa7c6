"""Revisers: what changes the text of a row, and records that it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from hfclean.provenance import (
    HISTORY,
    REVISION_COLUMNS,
    Step,
    decode_original,
    encode_original,
    own_columns,
    own_steps,
    row_id,
)
from hfclean.rules import Rule, mend, select_rules
from hfclean.schema import Pair, Path, Target, View, read_at, write
from hfclean.scorers import refresh
from hfclean.transform import Batch, Transform

__all__ = ["FieldChange", "RuleReviser", "record", "revise"]


class FieldChange(NamedTuple):
    """One change of one text: which rule or reviser changed the text at `path` from what to what."""

    by: str
    path: Path
    before: str
    after: str


@dataclass(frozen=True)
class RuleReviser(Transform):
    """Mends what a program can mend: no model, no network, no money. `hfclean.revise` is an instance of it.

    Adds `edit` (`revised` or `kept`), `edit_reason` (ids of the rules that changed something), `edit_history`,
    `original` and `row_id`; changes the text columns in place. `hfclean.restore` gives back what went in.

    Args:
        only: ids of the rules to run, and no others.
        skip: ids of rules not to run.
        extra: rules of your own, declared with `@hfclean.rule`; they run after the others.

    Raises:
        RuleError: an id that names no rule.
        SchemaError: rows of no known shape.
        ColumnError: the dataset has a column of one of these names of its own.

    >>> import hfclean
    >>> row = {"instruction": "Name a fruit.", "input": "N/A", "output": "An apple.</s>"}
    >>> out = hfclean.revise(row)
    >>> out["input"], out["output"], out["edit"], out["edit_reason"]
    ('', 'An apple.', 'revised', 'chat_markers placeholder_input')
    """

    version: ClassVar[int] = 1

    only: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    extra: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("only", "skip", "extra"):  # lists are what people write; tuples are what can be hashed
            value = getattr(self, name)
            if value is not None and not isinstance(value, tuple):
                object.__setattr__(self, name, (value,) if isinstance(value, (str, Rule)) else tuple(value))
        self.rules()

    def rules(self) -> tuple[Rule, ...]:
        """The rules that run, in order."""
        return select_rules(self.only, self.skip, self.extra)

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        if self.extra:
            found["extra"] = [rule.id for rule in self.extra]
        return found

    def depends(self) -> dict[str, Any]:
        return {"rules": {rule.id: rule.version for rule in self.rules()}}

    def changes(self, cells: Mapping[str, Any], view: View) -> list[FieldChange]:
        """What the rules change in one row, rule by rule, in order; the row itself is left as it is."""
        rules = self.rules()
        return [change for target in self.targets(cells, view) for change in _mend_target(target, rules)]

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        rows = batch.rows([*view.columns, *own_columns(batch, self.prefix)])
        return record(self, rows, view, [self.changes(row, view) for row in rows])


def _mend_target(target: Target, rules: Sequence[Rule]) -> list[FieldChange]:
    slots = dict(target.slots())
    whole = [name for name, slot in slots.items() if len(slot.paths) == 1]
    found = []
    for change in mend(target.pair, rules, writable=whole):
        for name in whole:
            before, after = getattr(change.before, name), getattr(change.after, name)
            if before != after:
                slot = slots[name]
                found.append(FieldChange(change.rule, slot.paths[0], slot.prefix + before, slot.prefix + after))
    for name, slot in slots.items():
        if len(slot.paths) > 1:  # several text parts: each by itself, by the rules that need no context
            for path, text in zip(slot.paths, slot.texts, strict=True):
                part = Pair("").replace(**{name: text})
                for change in mend(part, [rule for rule in rules if rule.scope == "text"], writable=(name,)):
                    found.append(
                        FieldChange(change.rule, path, getattr(change.before, name), getattr(change.after, name))
                    )
    return found


def record(
    transform: Transform, rows: list[dict[str, Any]], view: View, changes: Sequence[Sequence[FieldChange]]
) -> dict[str, list[Any]]:
    """The columns of a reviser's batch: text with the changes made, and what happened to each row.

    The one place where a revision becomes columns, for every reviser.
    """
    prefix, name = transform.prefix, type(transform).__name__
    settings = transform.settings()
    kept_line = Step(name, transform.version, settings=settings, edit="kept").line()
    names = [prefix + column for column in REVISION_COLUMNS]
    out: dict[str, list[Any]] = {column: [] for column in (*view.writable, *names)}
    score_columns: dict[str, None] = {}
    fresh: list[dict[str, Any]] = []
    for row, row_changes in zip(rows, changes, strict=True):
        steps = own_steps(row, REVISION_COLUMNS, prefix, name)
        edits: dict[Path, Any] = {}
        for change in row_changes:
            edits[change.path] = change.after
        edits = {path: text for path, text in edits.items() if read_at(row, path) != text}
        after = {**row, **write(row, edits)} if edits else row
        reasons = tuple(dict.fromkeys(change.by for change in row_changes)) if edits else ()
        line = (
            Step(name, transform.version, settings=settings, edit="revised", reasons=reasons).line()
            if edits
            else kept_line
        )
        original = row.get(prefix + "original") or "" if steps else ""
        if edits:
            before = {path: read_at(row, path) for path in edits}
            original = encode_original({**before, **decode_original(original)})
        revised_before = any(step.is_revision for step in steps)
        cells = (
            "revised" if edits else "kept",
            " ".join(reasons),
            f"{row[prefix + HISTORY]}\n{line}" if steps else line,
            original,
            row[prefix + "row_id"] if revised_before else row_id(row, view),
        )
        for column in view.writable:
            out[column].append(after[column])
        for column, cell in zip(names, cells, strict=True):
            out[column].append(cell)
        score_columns.update(dict.fromkeys(prefix + c for s in steps if not s.is_revision for c in s.columns))
        fresh.append(refresh(steps, transform.targets(after, view)[-1].pair, row, prefix) if edits and steps else {})
    for column in score_columns:
        out[column] = [new.get(column, row.get(column)) for new, row in zip(fresh, rows, strict=True)]
    return out


revise = RuleReviser()
