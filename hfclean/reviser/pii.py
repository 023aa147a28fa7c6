"""The reviser that masks personal data everywhere in the row; it runs only when asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hfclean.errors import SchemaError
from hfclean.provenance import decode_original, own_columns
from hfclean.reviser.record import FieldChange, Outcome, record
from hfclean.rules.pii import PASSES, PII_KINDS, check_kinds, mask_in, mask_names
from hfclean.rules.row_texts import Wide, beside, objects_of, texts_of
from hfclean.schema import Path, View, read_at, write
from hfclean.transform import Batch, Transform


@dataclass(frozen=True)
class MaskPII(Transform):
    """Replaces e-mail addresses, phone numbers, keys, public IP addresses and card numbers by their kind: `[EMAIL]`.

    Every text of the row is masked, as `hfclean.scorers.PII` counts it: also what other revisers only read (earlier
    turns, prompts and rejected answers of preference rows, system texts), and the columns beside those of the shape
    that hold text, such as raw traces and rendered copies. Columns that name a thing (ids, hashes, addresses, paths)
    stay.

    No other reviser alters tool calls and results; masking is the exception, since private data must not be published
    there either. JSON in a string stays JSON: its strings are masked as a program reads them, a number that matches
    becomes a string. Keys of objects are masked as well, each with its own name (`[EMAIL]`, `[EMAIL]-2`); those that
    are part of a column's type are counted by `hfclean.scorers.PII` and stay.

    The originals are in the column `original`, so that `hfclean.restore` gives them back, and from there they reach
    ledgers and reports. Before you share masked rows, drop that column: `ds.remove_columns("original")`, or
    `hfclean.convert`, which leaves out all columns of hfclean's.

    Adds the columns of every reviser; the reasons are `pii_email`, `pii_phone` and the like.

    Args:
        kinds: which of `key`, `email`, `card`, `ip`, `phone` to mask.

    Raises:
        RuleError: an unknown kind.
        SchemaError: `side="rejected"`: both answers are always read.

    >>> import hfclean
    >>> row = {"prompt": "Who wrote it?", "completion": "jo@hfclean.dev"}
    >>> out = MaskPII()(row)
    >>> out["completion"], out["edit_reason"]
    ('[EMAIL]', 'pii_email')
    >>> hfclean.restore({**row, **out}) == row
    True
    """

    version: ClassVar[int] = 2

    kinds: tuple[str, ...] = PII_KINDS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side == "rejected":
            raise SchemaError(
                "MaskPII(side='rejected'): every text of a row is read, those of both answers; leave side= out"
            )
        object.__setattr__(self, "kinds", check_kinds(self.kinds))

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        ours = own_columns(batch, self.prefix)
        others = beside(batch, [*view.columns, *ours], batch.features)
        rows = batch.rows([*view.columns, *others, *ours])
        outcomes = [self._outcome(row, (*view.columns, *others), batch.features) for row in rows]
        changed = {str(change.path[0]) for outcome in outcomes for change in outcome.changes}
        # a column beside the shape's is returned only where it changed: the others keep their type and their bytes
        written = tuple(name for name in others if name in changed)
        return record(self, rows, _Whole(view.shape, view, written), outcomes)

    def _outcome(
        self, row: Mapping[str, Any], columns: tuple[str, ...], features: Mapping[str, Any] | None
    ) -> Outcome:
        changes: list[FieldChange] = []
        for path, text in texts_of(row, columns):
            for _ in range(PASSES):
                kinds = dict.fromkeys(mask_in(text, self.kinds)[1])
                for kind in kinds:
                    masked, _found = mask_in(text, (kind,))
                    if masked != text:
                        changes.append(FieldChange(f"pii_{kind}", path, text, masked))
                        text = masked
                if not kinds:
                    break
        return Outcome(self._with_names(row, columns, features, changes))

    def _with_names(
        self,
        row: Mapping[str, Any],
        columns: tuple[str, ...],
        features: Mapping[str, Any] | None,
        changes: list[FieldChange],
    ) -> list[FieldChange]:
        """The changes, and those of keys: an object of which one is masked is rewritten, with all that is in it."""
        before = decode_original(row.get(self.prefix + "original") or "")
        rewritten: list[Path] = []
        for path, value in objects_of(row, columns, features):
            if any(_below(whole, path) for whole in rewritten) or any(_below(path, place) for place in before):
                continue
            if mask_names(dict.fromkeys(value), self.kinds)[1]:
                rewritten.append(path)
                inside = [change for change in changes if _below(path, change.path)]
                cells = {**row, **write(row, {change.path: change.after for change in inside})}
                masked, kinds = mask_names(read_at(cells, path), self.kinds)
                reasons = dict.fromkeys([*(change.by for change in inside), *(f"pii_{kind}" for kind in kinds)])
                changes = [change for change in changes if not _below(path, change.path)]
                changes += [FieldChange(reason, path, "", masked) for reason in reasons]
        return changes


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
