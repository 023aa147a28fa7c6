"""Rules and embedded scores in one pass over the rows: most rows stay as they are, and are then read once."""

from collections import ChainMap
from dataclasses import dataclass
from typing import Any

from hfclean.reviser.rules import RuleReviser, revise
from hfclean.schema import View, detect
from hfclean.scorers.embedded.score import Score, sharing_looks
from hfclean.scorers.embedded.score import score as embedded_score
from hfclean.transform import Batch, Transform


@dataclass(frozen=True)
class RevisedAndScored(Transform):
    """The columns of `reviser`, and those of `score` for what it leaves, which are the same as of one after the other.

    Args:
        reviser: what revises.
        score: what scores, reading rows by the same layout.
    """

    reviser: RuleReviser = revise
    score: Score = embedded_score

    @property
    def steps(self) -> tuple[Transform, ...]:
        """What is done, in order."""
        return self.reviser, self.score

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        with sharing_looks():
            revised = self.reviser.apply(batch, view)
            after = Batch(ChainMap(revised, batch))  # type: ignore[arg-type]
            return {**revised, **self.score.apply(after, detect(tuple(after), self.score.columns))}


def in_one_pass(reviser: RuleReviser, score: Score) -> RevisedAndScored:
    """Both as one transform."""
    return RevisedAndScored(reviser, score).with_layout(reviser.layout)
