"""What a student is asked in every round: seeds and held-out rows, and how its answers are tested."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.evaluation.ab_runs import prompt_key
from hfclean.generation.seeds import Seeds, read_seeds
from hfclean.loops.correct import Correct, Judged, correct_of, verdicts_on
from hfclean.loops.student import completion_of
from hfclean.models import Answer
from hfclean.schema import Columns

TRIED = 100  # seeds whose own answers are tested before the first training
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Questions:
    """What a student is asked: seeds and held-out rows, and how its answers are tested.

    Attributes:
        seeds: the rows to begin with.
        rows: the whole row of each seed, by its id; a test sees columns that are not shown to a teacher.
        test: held-out rows, and their whole rows.
        correct: the test.
        notes: what is odd, one sentence each.
    """

    seeds: Seeds
    rows: Mapping[str, Mapping[str, Any]]
    test: Seeds | None
    test_rows: Sequence[Mapping[str, Any]]
    correct: Correct
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, seeds: Any, test: Any, correct: str | Correct, columns: Columns) -> Questions:
        """Read them.

        Raises:
            SchemaError: no seeds, or rows of a shape in which none can be made.
        """
        read = read_seeds(seeds, columns, whole=True)
        tested = correct_of(correct, read.columns)
        rows = dict(zip((each.id for each in read.seeds), read.whole, strict=True))
        if test is None:
            return cls(read, rows, None, (), tested)
        held, known = read_seeds(test, columns, whole=True), {prompt_key(each.pair) for each in read.seeds}
        both = list(zip(held.seeds, held.whole, strict=True))
        new = [(each, row) for each, row in both if prompt_key(each.pair) not in known]
        if not new:
            raise HfcleanError(f"test: all {len(both):,} rows are among the seeds; expected rows that are not")
        out = len(both) - len(new)
        notes = (f"{out:,} of {len(both):,} test rows are among the seeds and are left out",) if out else ()
        kept = replace(held, seeds=tuple(each for each, _ in new), whole=tuple(row for _, row in new))
        return cls(read, rows, kept, kept.whole, tested, notes)

    def try_out(self) -> None:
        """Test the seeds' own answers, which a judge is not asked about.

        Raises:
            HfcleanError: it can be told of none.
        """
        if isinstance(self.correct, Judged):
            return
        some = self.seeds.seeds[:TRIED]
        own = [Answer(completion_of(each, self.seeds.view)) for each in some]
        found = Counter(each.right for each in verdicts_on(self.correct, [self.rows[each.id] for each in some], own))
        if not found[True]:
            raise HfcleanError(
                f"correct= finds none of the own answers of {len(some):,} seeds right ({found[False]:,} wrong, "
                f"{found[None]:,} cannot be told), so it would find no student's right; choose another for such rows"
            )
        if found[False]:
            _log.warning("correct= finds the own answers of %s of %s seeds wrong", found[False], len(some))
