"""Donors: which made rows are good enough to be shown to the teacher as seeds.

A batch with a great signal may be the noisiest one, so its rows pass the gate, the verifiers, the search for personal
data and the rules once more, whatever filters the generation had, and here also the defects that a rule repairs:
the row is shown as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from hfclean.generation.drafts import Draft
from hfclean.generation.filters import GATE, PERSONAL, VERIFIED, Filter, left_out
from hfclean.generation.rounds import as_draft
from hfclean.generation.seeds import FIRST, Seed, Seeds
from hfclean.rules import RULES, find_defects
from hfclean.schema import Pair

_RULES = tuple(rule for rule in RULES if rule.severity != "low")


def _defective(draft: Draft) -> list[str]:
    return find_defects(cast(Pair, draft.pair), _RULES)


TESTS = (GATE, VERIFIED, PERSONAL, Filter("rules", "a rule finds a defect, also one that it repairs", _defective))


class Fitness:
    """The tests of donors; a reason that half of the first seeds would have says nothing and is left out."""

    def __init__(self, first: Seeds, words: str) -> None:
        self._columns = first.columns
        self._words = words
        self.ignored = left_out(TESTS, [as_draft(seed, first.columns, words) for seed in first.seeds[:FIRST]])

    def refusals(self, seeds: Sequence[Seed]) -> list[str]:
        """Why each of these may not become a seed, the first reason; empty where it may."""
        return [self._refusal(seed) for seed in seeds]

    def _refusal(self, seed: Seed) -> str:
        draft = as_draft(seed, self._columns, self._words)
        found = (reason for test in TESTS for reason in test.reasons(draft))
        return next((reason for reason in found if reason not in self.ignored), "")
