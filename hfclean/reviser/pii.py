"""The reviser that masks personal data, everywhere in the row; nothing else runs it by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hfclean.errors import SchemaError
from hfclean.provenance import own_columns
from hfclean.reviser.record import FieldChange, Outcome, record
from hfclean.rules.pii import PASSES, PII_KINDS, check_kinds, find_pii, mask_pii
from hfclean.rules.strings import texts_of
from hfclean.schema import Target, View
from hfclean.transform import Batch, Transform

__all__ = ["MaskPII"]


@dataclass(frozen=True)
class MaskPII(Transform):
    """Replaces e-mail addresses, phone numbers, keys, public IP addresses and card numbers by their kind: `[EMAIL]`.

    Every text of the row is masked, also what other revisers only read: earlier turns, prompts and rejected answers of
    preference rows, system texts. Tool calls and what tools returned stay as they are, since they belong to programs;
    such a row has the reason `pii_in_tool_call`. What counts is told in `hfclean.rules.pii`.

    The originals are in the column `original`, so that `hfclean.restore` gives them back, and from there they reach
    ledgers and reports. Before masked rows leave the house, drop that column: `ds.remove_columns("original")`, or
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

    version: ClassVar[int] = 1

    kinds: tuple[str, ...] = PII_KINDS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side == "rejected":
            raise SchemaError(
                "MaskPII(side='rejected'): every text of a row is read, those of both answers; leave side= out"
            )
        object.__setattr__(self, "kinds", check_kinds(self.kinds))

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        rows = batch.rows([*view.columns, *own_columns(batch, self.prefix)])
        return record(self, rows, _Whole(view.shape, view), [self._outcome(row, view) for row in rows])

    def _outcome(self, row: Mapping[str, Any], view: View) -> Outcome:
        changes: list[FieldChange] = []
        left = False
        for path, text, program in texts_of(row, view.columns):
            if program:
                left = left or bool(find_pii(text, self.kinds))
                continue
            for _ in range(PASSES):
                for kind in dict.fromkeys(found.kind for found in find_pii(text, self.kinds)):
                    masked = mask_pii(text, (kind,))
                    if masked != text:
                        changes.append(FieldChange(f"pii_{kind}", path, text, masked))
                        text = masked
        return Outcome(changes, reasons=("pii_in_tool_call",) if left else ())


@dataclass(frozen=True)
class _Whole(View):
    """A view that may write every column that it reads."""

    inner: View

    @property
    def columns(self) -> tuple[str, ...]:
        return self.inner.columns

    def targets(self, cells: Mapping[str, Any], *, turns: str = "last", side: str = "chosen") -> list[Target]:
        return self.inner.targets(cells, turns=turns, side=side)
