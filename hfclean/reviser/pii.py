"""The reviser that masks personal data everywhere in the row; it runs only when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple

from hfclean.errors import SchemaError
from hfclean.provenance import (
    HISTORY,
    Step,
    decode_original,
    encode_original,
    original_cells,
    own_columns,
    parse_history,
    row_id,
)
from hfclean.reviser.masked_texts import open_masked
from hfclean.reviser.record import FieldChange, Outcome, record
from hfclean.rules.pii import PASSES, PII_KINDS, check_kinds, mask_in, mask_names, mask_value
from hfclean.rules.row_texts import IN_IDS, Wide, beside, names_a_thing, objects_of, texts_of
from hfclean.schema import Path, View, read_at, recorded_at, write
from hfclean.transform import Batch, Transform

HIDING = 3  # the first version of `MaskPII` that leaves what it masked in no column


@dataclass(frozen=True)
class MaskPII(Transform):
    """Replaces e-mail addresses, phone numbers, keys, public IP addresses and card numbers by their kind: `[EMAIL]`.

    Every text of the row is masked, as `hfclean.scorers.PII` counts it: also what other revisers only read (earlier
    turns, prompts and rejected answers of preference rows, system texts), and the columns beside those of the shape
    that hold text, such as raw traces and rendered copies. At places that name a thing (ids, hashes, addresses,
    paths; `id`, `type` and `image_url` of messages) only e-mail addresses and keys are.

    No other reviser alters tool calls and results; masking is the exception, since private data must not be published
    there either. JSON in a string stays JSON: its strings are masked as a program reads them, a number that matches
    becomes a string. Keys of objects are masked as well, each with its own name (`[EMAIL]`, `[EMAIL]-2`); those that
    are part of a column's type are counted by `hfclean.scorers.PII` and stay.

    No column keeps what was masked. What other revisers wrote is masked with the row: `original`, so that the steps
    before can still be undone, the errors in `edit_history`, and texts of scorers. `row_id` is then that of the masked
    row, since a hash of a phone number tells the number. What was masked is kept in one file of this machine
    (`reviser.masked_texts`), for `hfclean.restore`; the line in `edit_history` has the name under which it is kept.

    Adds the columns of every reviser; the reasons are `pii_email`, `pii_phone` and the like.

    Args:
        kinds: which of `key`, `email`, `card`, `ip`, `phone` to mask.
        keep: whether what is masked is kept here. Without, no one can put it back.

    Raises:
        RuleError: an unknown kind.
        SchemaError: `side="rejected"`: both answers are always read.
        HfcleanError: the file in which it would be kept cannot be written.

    >>> import hfclean
    >>> row = {"prompt": "Who wrote it?", "completion": "jo@hfclean.dev"}
    >>> out = MaskPII()(row)
    >>> out["completion"], out["edit_reason"]
    ('[EMAIL]', 'pii_email')
    >>> hfclean.restore({**row, **out}) == row
    True
    """

    version: ClassVar[int] = 4

    kinds: tuple[str, ...] = PII_KINDS
    keep: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side == "rejected":
            raise SchemaError(
                "MaskPII(side='rejected'): every text of a row is read, those of both answers; leave side= out"
            )
        object.__setattr__(self, "kinds", check_kinds(self.kinds))

    def masked(
        self, cells: Mapping[str, Any], view: View, features: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The cells of a row with personal data masked, and nothing noted of it."""
        ours = own_columns({name: [cell] for name, cell in cells.items()}, self.prefix)
        others = beside(cells, [*view.columns, *ours], features)
        return _written(cells, self._changes(cells, view.columns, others, features))

    def depends(self) -> dict[str, Any]:
        kept = open_masked() if self.keep else None
        return {"masked": kept.id} if kept else {}

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        ours = own_columns(batch, self.prefix)
        others = beside(batch, [*view.columns, *ours], batch.features)
        rows = batch.rows([*view.columns, *others, *ours])
        masked = [self._mask(row, view.columns, others, batch.features) for row in rows]
        changed = {str(change.path[0]) for each in masked for change in each.outcome.changes}
        # a column beside the shape's is returned only where it changed: the others keep their type and their bytes
        written = tuple(name for name in others if name in changed)
        out = record(self, rows, _Whole(view.shape, view, written), [each.outcome for each in masked])
        self._hide(out, rows, masked, view, ours)
        return out

    def _mask(
        self,
        row: Mapping[str, Any],
        shape: Sequence[str],
        others: Sequence[str],
        features: Mapping[str, Any] | None,
    ) -> _Masked:
        """What is masked in a row, and in what it was before other revisers."""
        changes = self._changes(row, shape, others, features)
        original = decode_original(row.get(self.prefix + "original"))
        if not changes and not original:
            return _UNTOUCHED
        now = _written(row, changes)
        first: Mapping[str, Any] = original_cells(row, self.prefix)
        first_changes = changes
        if original:
            first_changes = self._changes(first, shape, others, features)
        masked_first = _written(first, first_changes)
        hidden = _differences(first, masked_first, [change.path for change in first_changes])
        elsewhere = {path: value for path, value in original.items() if path[0] not in row}
        kept = {path: mask_value(value, self.kinds) for path, value in elsewhere.items()}
        hidden |= {path: value for path, value in elsewhere.items() if kept[path] != value}
        kept |= _differences(masked_first, now, [path for path in original if path not in elsewhere])
        reasons = tuple(dict.fromkeys(change.by for change in first_changes if hidden))
        return _Masked(Outcome(changes, reasons=reasons), hidden, kept, masked_first)

    def _changes(
        self,
        row: Mapping[str, Any],
        shape: Sequence[str],
        others: Sequence[str],
        features: Mapping[str, Any] | None,
    ) -> list[FieldChange]:
        columns = (*shape, *others)
        in_ids = tuple(kind for kind in self.kinds if kind in IN_IDS)
        changes: list[FieldChange] = []
        for found in texts_of(row, columns):
            path, text = found.path, found.text
            wanted = in_ids if names_a_thing(found, shape) else self.kinds
            for _ in range(PASSES):
                kinds = dict.fromkeys(mask_in(text, wanted)[1])
                for kind in kinds:
                    masked, _ = mask_in(text, (kind,))
                    if masked != text:
                        changes.append(FieldChange(f"pii_{kind}", path, text, masked))
                        text = masked
                if not kinds:
                    break
        return self._with_names(row, columns, features, changes)

    def _with_names(
        self,
        row: Mapping[str, Any],
        columns: tuple[str, ...],
        features: Mapping[str, Any] | None,
        changes: list[FieldChange],
    ) -> list[FieldChange]:
        """The changes, and those of keys: an object of which one is masked is rewritten, with all that is in it."""
        rewritten: list[Path] = []
        for path, value in objects_of(row, columns, features):
            if any(_below(whole, path) for whole in rewritten):
                continue
            if mask_names(dict.fromkeys(value), self.kinds)[1]:
                rewritten.append(path)
                inside = [change for change in changes if _below(path, change.path)]
                masked, kinds = mask_names(read_at(_written(row, inside), path), self.kinds)
                reasons = dict.fromkeys([*(change.by for change in inside), *(f"pii_{kind}" for kind in kinds)])
                changes = [change for change in changes if not _below(path, change.path)]
                changes += [FieldChange(reason, path, "", masked) for reason in reasons]
        return changes

    def _hide(
        self,
        out: dict[str, list[Any]],
        rows: list[dict[str, Any]],
        masked: list[_Masked],
        view: View,
        ours: Sequence[str],
    ) -> None:
        """Take what was masked out of the columns of hfclean's as well, and keep it here."""
        history, original, name = (self.prefix + column for column in (HISTORY, "original", "row_id"))
        values: dict[int, str] = {k: encode_original(each.hidden) for k, each in enumerate(masked) if each.hidden}
        kept = open_masked() if self.keep and values else None
        if kept:
            kept.put(values.values())
        for k, each in enumerate(masked):
            lines = out[history][k].split("\n")
            lines[:-1] = [_without_errors(line, self.kinds) for line in lines[:-1]]
            if each is not _UNTOUCHED:
                out[original][k] = encode_original(each.kept)
                if kept and k in values:
                    [step] = parse_history(lines[-1]) or ()
                    lines[-1] = replace(step, masked=kept.name_of(values[k])).line()
                if any(path[0] in view.columns for path in each.hidden):
                    _, dash, number = out[name][k].partition("-")
                    out[name][k] = f"{row_id(each.first, view)}{dash}{number}"
            out[history][k] = "\n".join(lines)
        for column in ours:
            cells = out.get(column) or [row[column] for row in rows]
            if column not in (history, original, name) and any(isinstance(cell, str) for cell in cells):
                texts = [mask_in(cell, self.kinds)[0] if isinstance(cell, str) else cell for cell in cells]
                if texts != cells:
                    out[column] = texts


def is_masking(step: Step) -> bool:
    """Whether a step of a row's history masked something in it."""
    return step.by == MaskPII.__name__ and any(reason.startswith("pii_") for reason in step.reasons)


def hides(step: Step) -> bool:
    """Whether what a step masked is in no column. Until version 2 it went into `original`."""
    return is_masking(step) and step.version >= HIDING


def masking_of(step: Step) -> MaskPII:
    """The transform of a step, which keeps nothing: what it masks was masked before."""
    known = {spec.name for spec in fields(MaskPII)} - {"keep"}
    return MaskPII(keep=False, **{name: value for name, value in step.settings.items() if name in known})


class _Masked(NamedTuple):
    """What masking does to one row: the outcome, what is hidden of the row as it came in, what `original` says then,
    and the whole row as it came in, masked."""

    outcome: Outcome
    hidden: dict[Path, Any]
    kept: dict[Path, Any]
    first: Mapping[str, Any]


_UNTOUCHED = _Masked(Outcome(), {}, {}, {})


def _written(cells: Mapping[str, Any], changes: Sequence[FieldChange]) -> dict[str, Any]:
    return {**cells, **write(cells, {change.path: change.after for change in changes})}


def _differences(target: Mapping[str, Any], given: Mapping[str, Any], paths: Sequence[Path]) -> dict[Path, Any]:
    """What has to be written into the cells `given` to make them those that are `target`, by places that differ at
    most in these; whole columns where places are not enough."""
    try:
        places = dict.fromkeys(recorded_at(target, path) for path in paths)
        found = {place: read_at(target, place) for place in places}
        found = {place: value for place, value in found.items() if read_at(given, place) != value}
        reached = {**given, **write(given, found)}
    except (KeyError, IndexError, TypeError, ValueError):  # an object on the way has other keys
        found, reached = {}, dict(given)
    columns = dict.fromkeys(str(path[0]) for path in paths)
    whole = {(column,): target[column] for column in columns if reached[column] != target[column]}
    return {path: value for path, value in found.items() if (path[0],) not in whole} | whole


def _without_errors(line: str, kinds: tuple[str, ...]) -> str:
    """A line of history in which what was raised quotes no personal data."""
    steps = parse_history(line)
    if not steps or not steps[0].errors:
        return line
    errors = {name: mask_in(text, kinds)[0] for name, text in steps[0].errors.items()}
    return replace(steps[0], errors=errors).line() if errors != steps[0].errors else line


def _below(path: Path, place: Path) -> bool:
    return place[: len(path)] == path


@dataclass(frozen=True)
class _Whole(Wide):
    """A view that may write more than it reads: the id of a row is still that of its shape."""

    @property
    def columns(self) -> tuple[str, ...]:
        return self.inner.columns

    @property
    def writable(self) -> tuple[str, ...]:
        return (*self.inner.columns, *self.others)
