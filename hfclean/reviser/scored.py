"""Rules and embedded scores in one pass over the rows: most rows stay as they are, and are then read once."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from hfclean.errors import ColumnError
from hfclean.provenance import own_columns, pointer
from hfclean.reviser.record import Outcome
from hfclean.reviser.rules import RuleReviser, revise
from hfclean.schema import View, detect
from hfclean.scorers.embedded.score import Score, sharing_looks
from hfclean.scorers.embedded.score import score as embedded_score
from hfclean.transform import Batch, Transform

# The column in which the pass keeps what it knew of the rows before, for `clean` alone, which takes it out again.
BEFORE = "hfclean: before the rules"


class RuleChange(NamedTuple):
    """One change of one text, as the ledger has it."""

    field: str
    rule: str
    before: str
    after: str


class RowBefore(NamedTuple):
    """What the pass knew of a row that the rules changed: its scores before, and each change."""

    scores: dict[str, Any]
    changes: list[RuleChange]

    def stored(self) -> str:
        """As a cell of `BEFORE`."""
        return json.dumps([self.scores, self.changes])

    @classmethod
    def read(cls, cell: str) -> RowBefore:
        """Of a cell of `BEFORE` that is not empty."""
        scores, changes = json.loads(cell)
        return cls(scores, [RuleChange(*change) for change in changes])


@dataclass(frozen=True)
class RevisedAndScored(Transform):
    """The columns of `reviser`, and those of `score` for what it leaves, which are the same as of one after the other.

    Args:
        reviser: what revises.
        score: what scores, reading rows by the same layout.
        keeps: whether a column `BEFORE` is added: `RowBefore` of each row that changed, where nothing was raised and
            hfclean had not written into the rows yet.

    Raises:
        ColumnError: there is a column of this name already.
    """

    version: ClassVar[int] = 2

    reviser: RuleReviser = revise
    score: Score = embedded_score
    keeps: bool = field(default=False, metadata={"came_later": True})

    @property
    def steps(self) -> tuple[Transform, ...]:
        """What is done, in order."""
        return self.reviser, self.score

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        with sharing_looks():
            revised, outcomes = self.reviser.revised(batch, view)
            after = Batch(ChainMap(revised, batch))  # type: ignore[arg-type]
            columns = {**revised, **self.score.apply(after, detect(tuple(after), self.score.columns))}
            if self.keeps:
                columns[BEFORE] = self._before(batch, view, revised, outcomes)
            return columns

    def _before(
        self, batch: Batch, view: View, revised: dict[str, list[Any]], outcomes: Sequence[Outcome]
    ) -> list[str]:
        if BEFORE in batch:
            raise ColumnError(
                f"the dataset has a column {BEFORE!r}; rename it: ds.rename_column({BEFORE!r}, 'before')"
            )
        cells = [""] * len(outcomes)
        if own_columns(batch, self.prefix):
            return cells
        edits = revised[self.layout.own("edit")]
        changed = [k for k, edit in enumerate(edits) if edit == "revised" and not outcomes[k].errors]
        rows = batch.rows(view.reads)
        scores, raised = self.score.scored_cells([rows[k] for k in changed], view)
        for n, (k, errors) in enumerate(zip(changed, raised, strict=True)):
            if not errors:
                of_row = {name: values[n] for name, values in scores.items()}
                changes = [RuleChange(pointer(c.path), c.by, c.before, c.after) for c in outcomes[k].changes]
                cells[k] = RowBefore(of_row, changes).stored()
        return cells


def in_one_pass(reviser: RuleReviser, score: Score, *, keeps: bool = False) -> RevisedAndScored:
    """Both as one transform."""
    return RevisedAndScored(reviser, score, keeps).with_layout(reviser.layout)
