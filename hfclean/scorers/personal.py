"""A report of personal data: which kinds a row holds, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hfclean.columns import Column
from hfclean.errors import SchemaError
from hfclean.provenance import HISTORY, own_columns
from hfclean.rules.pii import PII_KINDS, check_kinds, count_in
from hfclean.rules.row_texts import IN_IDS, Wide, beside, names_a_thing, names_of, texts_of
from hfclean.schema import Pair, View
from hfclean.scorers.scoring import Scorer
from hfclean.transform import Batch

APART = "\n\0\n"  # between the texts of a row: no match spans it


@dataclass(frozen=True)
class PII(Scorer):
    """Which personal data a row holds: e-mail addresses, phone numbers, keys, public IP addresses, card numbers.

    Every text of the row is read: all turns, both answers of a preference row, system texts, arguments of tool calls
    and what tools returned (JSON in a string as a program reads it), the keys of objects, and the columns beside those
    of the shape that hold text: raw traces, rendered copies, tools. At places that name a thing (ids, hashes,
    addresses, paths) only e-mail addresses and keys count; hfclean's own are left out. `hfclean.rules.pii` says what
    counts.

    Adds these columns, and a line to `edit_history`:

    * `pii` (string): the kinds that were found, in the order of `PII_KINDS`, separated by spaces; `""` for none.
    * `pii_count` (float, 0 and up): number of matches; nan after the text was changed, until it is searched again.

    To report, map it; to drop such rows, `ds.filter(hfclean.keep("pii_count", at_most=0))`; to mask them,
    `hfclean.reviser.MaskPII`.

    Args:
        kinds: which of `key`, `email`, `card`, `ip`, `phone` to look for.

    Raises:
        RuleError: an unknown kind.
        SchemaError: `side="rejected"`: both answers are always read.

    >>> found = PII()({"prompt": "Who wrote it?", "completion": "jo@hfclean.dev, and ann@hfclean.dev"})
    >>> found["pii"], found["pii_count"]
    ('email', 2.0)
    """

    version: ClassVar[int] = 4
    adds: ClassVar[tuple[Column, ...]] = (
        Column("pii", "kinds of personal data in the row, separated by spaces; empty for none", "text"),
        Column("pii_count", "matches of personal data in the row", low=0, better="lower"),
    )
    both_sides: ClassVar[bool] = True

    kinds: tuple[str, ...] = PII_KINDS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side == "rejected":
            raise SchemaError(
                "PII(side='rejected'): every text of a row is read, those of both answers; leave side= out"
            )
        object.__setattr__(self, "kinds", check_kinds(self.kinds))

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        ours = own_columns(batch, self.prefix)
        others = beside(
            batch, [*view.columns, *ours, *(self.prefix + n for n in (*self.names(), HISTORY))], batch.features
        )
        return super().apply(batch, Wide(view.shape, view, tuple(others)) if others else view)

    def pairs(self, cells: Mapping[str, Any], view: View) -> list[Pair]:
        """All texts of the row as one."""
        shape = (view.inner if isinstance(view, Wide) else view).columns
        texts: dict[bool, list[str]] = {True: [], False: []}
        for found in texts_of(cells, view.columns):
            texts[names_a_thing(found, shape)].append(found.text)
        return [Pair(APART.join(texts[True]), "", APART.join([*texts[False], *names_of(cells, view.columns)]))]

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        in_ids = tuple(kind for kind in self.kinds if kind in IN_IDS)
        found = [
            [
                kind
                for joined, kinds in ((pair.response, self.kinds), (pair.instruction, in_ids))
                for text in joined.split(APART)
                for kind in count_in(text, kinds)
            ]
            for pair in pairs
        ]
        return {
            "pii": [" ".join(kind for kind in PII_KINDS if kind in kinds) for kinds in found],
            "pii_count": [float(len(kinds)) for kinds in found],
        }
