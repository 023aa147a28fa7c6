"""A row's own tests in the gate: what they refuse, and which checks yield to a revision that they prove better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfclean.checks.check import Case, Check
from hfclean.errors import CheckError
from hfclean.layout import Layout
from hfclean.schema import Pair
from hfclean.verifiers.row_tests import TESTS_FAILED, BoundTests, RowTestResult, RunsTests

Tested = tuple[RowTestResult, RowTestResult]

# checks that weigh signs of what the tests know: whether the code is right
OUTWEIGHED = frozenset((
    "code_dropped", "echo", "language_changed", "label_flipped", "boxed_changed", "claim_reversed", "number_changed",
    "url_changed", "too_long", "too_short", "truncated", "off_topic", "drifts", "preference_lower", "facts_touched",
    "largely_rewritten",
))  # fmt: skip


def _fails(case: Case) -> bool:
    if case.tested is None:
        return False
    before, after = case.tested
    return before.passed and not after.passed


tests_failed = Check(
    TESTS_FAILED,
    "code that does not pass the row's own tests, as it did before (only where tests are run: `tests=`)",
    _fails,
)


def proves(case: Case) -> bool:
    """Whether the tests of a row did not pass before and all of them do after."""
    return case.tested is not None and case.tested[0].failed and case.tested[1].passed


def tested_cases(
    tests: RunsTests | None, row: Pair | Mapping[str, Any], old: Sequence[Pair], new: Sequence[Pair]
) -> dict[int, Tested]:
    """What the tests of a row say about its answer before and after, by the number of the pair that they are for.

    Raises:
        CheckError: a pair and no tests of its own.
        ColumnError: the row has no such column.
        IsolationError: code cannot be isolated here.
    """
    if tests is None:
        return {}
    if isinstance(row, Pair):
        if not isinstance(tests, BoundTests):
            raise CheckError(
                "tests= are looked for in a row, and a Pair has no columns; give rows, or the tests of one: "
                "BoundTests(tests, tests.row_test(row))"
            )
        place = len(old) - 1
    else:
        layout = Layout()
        main = layout.pairs(row, layout.view(row))[-1]
        place = len(old) - 1 - old[::-1].index(main) if main in old else len(old) - 1
    if old[place] == new[place]:
        return {}
    test = tests.row_test(row) if not isinstance(row, Pair) else tests.row_test({})
    before, after = tests.results([(old[place], test), (new[place], test)])
    return {place: (before, after)}
