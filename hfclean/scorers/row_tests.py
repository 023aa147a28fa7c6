"""The share of a row's own tests that its code passes; the code is run, apart from everything else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from hfclean.columns import Column
from hfclean.errors import ColumnError
from hfclean.isolation.running import Isolation
from hfclean.schema import Pair, View
from hfclean.scorers.scoring import Scorer
from hfclean.verifiers.row_tests import RUN_VERSION, RowTest, RowTestResult, RowTestRuns

_NOT_MERGED = "tests stand beside a row, and are for one answer of it"


@dataclass(frozen=True)
class RunTests(Scorer):
    """How many of its own tests the code of a row passes: code is run, which nothing else in hfclean does.

    Adds these columns, and a line to `edit_history`:

    * `tests_passed` (float, 0 to 1, higher = better; nan where there was no run to speak of): the share of assertions
      and test functions that passed.
    * `tests_passed_reason` (string): `""` if all passed; else a key of `hfclean.verifiers.row_tests.FAILURES` (it ran
      and did not pass) or `UNTESTED` (nan).

    Give it to `hfclean.verify`, `hfclean.accept` or a reviser as `tests=`, and it is used there.

    The code is that of the response: its fences of Python, else all of it; where the prompt ends in the head of a
    function, that with the response. Test functions and classes are called as pytest and unittest name them, without
    fixtures, and `check(candidate)` gets the function. A run sees no network, no file but those of the interpreter
    and its packages, no environment and no other process, has limits on everything, and can neither start processes
    nor leave anything behind; see `SECURITY.md`. Results are kept in the file of answers, and equal runs are not
    repeated.

    Args:
        tests: the column of the tests: a text, or a list of texts.
        entry_point: the column with the name of the function that `check(candidate)` gets; without it, that which the
            prompt begins, else the one that the code defines last.
        language: `"python"`; the interpreter is the one that runs hfclean.
        timeout_s: seconds that a row may take. Time in which other processes had the processor does not count, up to
            10 seconds; a row that gets none for longer is `machine_busy`.
        memory_mb: address space of a run, in megabytes.
        isolation: `"namespaces"`, or `"none"` to run code with nothing but the limits of the system around it: in a
            machine that has nothing to lose.
        store: the file of answers; by default the one in `HFCLEAN_HOME`.

    Raises:
        IsolationError: when it is used, where code cannot be isolated.
        ColumnError: rows without such a column.

    >>> row = {"prompt": "Double a number.", "completion": "def f(x): return 2 * x", "test": "assert f(2) == 4"}
    >>> RunTests()(row)["tests_passed"]  # doctest: +SKIP
    1.0
    """

    version: ClassVar[int] = 2
    contained: ClassVar[bool] = False
    only_last: ClassVar[str] = _NOT_MERGED
    adds: ClassVar[tuple[Column, ...]] = (
        Column(
            "tests_passed",
            "the share of the row's own tests that its code passes; nan where they could not be run",
            low=0,
            high=1,
            better="higher",
        ),
        Column("tests_passed_reason", "why not all tests passed, or why they could not be run", "text"),
    )

    tests: str = "test"
    entry_point: str = field(default="entry_point", kw_only=True)
    language: Literal["python"] = field(default="python", kw_only=True)
    timeout_s: float = field(default=5.0, kw_only=True)
    memory_mb: int = field(default=1024, kw_only=True)
    isolation: Isolation = field(default="namespaces", kw_only=True)
    store: str | None = field(default=None, kw_only=True, metadata={"unsaid": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.language != "python":
            raise ColumnError(f"RunTests(language={self.language!r}): expected 'python', the only one that is run")
        if self.isolation not in ("namespaces", "none"):
            raise ColumnError(f"RunTests(isolation={self.isolation!r}): expected 'namespaces' or 'none'")
        if not 0.1 <= self.timeout_s <= 600 or self.memory_mb < 64:
            raise ColumnError(
                f"RunTests(timeout_s={self.timeout_s}, memory_mb={self.memory_mb}): expected 0.1 to 600 seconds, and "
                "64 megabytes or more"
            )

    def depends(self) -> dict[str, Any]:
        return {**super().depends(), "run_version": RUN_VERSION}

    def runs(self) -> RowTestRuns:
        """How the tests are found and run."""
        return RowTestRuns(
            self.tests, self.entry_point, float(self.timeout_s), self.memory_mb, self.isolation, self.store
        )

    def row_test(self, row: Mapping[str, Any]) -> RowTest:
        """The test of a row."""
        return self.runs().row_test(row)

    def results(self, asked: Sequence[tuple[Pair, RowTest]]) -> list[RowTestResult]:
        """What tests say about answers, in their order."""
        return self.runs().results(asked)

    def beside(self) -> tuple[str, ...]:
        return (self.tests, self.entry_point)

    def scored_cells(
        self, rows: Sequence[Mapping[str, Any]], view: View
    ) -> tuple[dict[str, list[Any]], list[dict[str, Exception]]]:
        results = self.results([(self.pairs(row, view)[-1], self.row_test(row)) for row in rows])
        columns = {"tests_passed": [each.share for each in results]}
        return {**columns, "tests_passed_reason": [each.reason for each in results]}, [{} for _ in rows]

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        """Pairs alone have no tests."""
        return {"tests_passed": [math.nan for _ in pairs], "tests_passed_reason": ["no_test" for _ in pairs]}
