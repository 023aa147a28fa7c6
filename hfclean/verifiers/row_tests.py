"""A row's own tests: its code is run with the tests that stand beside it, apart from everything else.

Nothing here runs unless somebody asks for it.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from hfclean.errors import ColumnError
from hfclean.isolation.assertions import is_assertion
from hfclean.isolation.harness import ASSERTS_NOTHING, NO_FUNCTION, NOT_RUN
from hfclean.isolation.running import Isolation, Job, Told, run_jobs
from hfclean.models.protocol import Answer
from hfclean.models.store import Record, Setting, Store, open_store
from hfclean.schema import Pair
from hfclean.verifiers.answer_code import LONGEST, code_of, parsed
from hfclean.verifiers.verifier import Finding

TESTS_FAILED = "tests_failed"
RUN_VERSION = 2  # raised when a run of the same code and test may come to something else
NO_TEST, NO_CODE, TEST_UNREADABLE = "no_test", "no_code", "test_unreadable"
KEPT_TOGETHER = 64  # results written at once: the most that a crash can lose
SOURCE = "tests of rows"
LONGEST_SHOWN = 200
# why a row has no share of passed tests
UNTESTED: Mapping[str, str] = {
    NO_TEST: "the row has no test",
    NO_CODE: "the response gives no code",
    TEST_UNREADABLE: "the test is not a program, or too long",
    ASSERTS_NOTHING: "the test asserts nothing, or none of its assertions was reached",
    NO_FUNCTION: "the test wants a function, and the code has none of that name",
    "needs_fixture": "a test function needs arguments that only pytest has",
    "reads_input": "the code or the test waits for somebody to type something",
    "sleeps": "the code or the test waits for time to pass",
    "package_missing": "a package is needed that is not installed",
    "machine_busy": "the machine was too busy to give the code its time",
}
# why not all tests passed
FAILURES: Mapping[str, str] = {
    "failed": "an assertion failed",
    "raised": "the code or the test raised an error",
    "syntax_error": "the code does not parse",
    "timeout": "the time ran out",
    "out_of_memory": "the memory ran out",
    "exited": "the code ended the process",
    "crashed": "the interpreter crashed",
}


class RowTest(NamedTuple):
    """The test of a row, and the name of the function that it is for, where a column has it."""

    source: str
    entry_point: str = ""


@dataclass(frozen=True)
class RowTestResult:
    """What the tests of a row say about one answer.

    Attributes:
        share: of assertions and test functions that passed, 0 to 1; nan if there was no run to speak of.
        reason: a key of `UNTESTED` or `FAILURES`; empty if all passed.
        detail: the first error in its own words.
    """

    share: float
    reason: str = ""
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether all of it passed."""
        return not self.reason

    @property
    def failed(self) -> bool:
        """Whether it ran, and not all of it passed."""
        return self.reason in FAILURES


class RunsTests(Protocol):
    """What runs the tests of rows; `hfclean.scorers.RunTests` does."""

    def row_test(self, row: Mapping[str, Any]) -> RowTest:
        """The test of a row."""

    def results(self, asked: Sequence[tuple[Pair, RowTest]]) -> list[RowTestResult]:
        """What the tests say about answers, in their order."""


@dataclass(frozen=True)
class BoundTests:
    """Tests that are those of one row, whatever row is asked about: for a revision, which is only a pair."""

    runs: RunsTests
    test: RowTest

    def row_test(self, row: Any) -> RowTest:
        """The test of that row."""
        return self.test

    def results(self, asked: Sequence[tuple[Pair, RowTest]]) -> list[RowTestResult]:
        """What the tests say about answers, in their order."""
        return self.runs.results(asked)


@dataclass(frozen=True)
class RowTestRuns:
    """Where the tests of rows are found and how they are run; the settings of `hfclean.scorers.RunTests`."""

    tests: str = "test"
    entry_point: str = "entry_point"
    timeout_s: float = 5.0
    memory_mb: int = 1024
    isolation: Isolation = "namespaces"
    store: str | None = None

    def row_test(self, row: Mapping[str, Any]) -> RowTest:
        """The test of a row.

        Raises:
            ColumnError: it has no such column.
        """
        if self.tests not in row:
            raise ColumnError(
                f"the rows have no column {self.tests!r} with their tests; name the one that they have: "
                "RunTests('COLUMN'), on the command line --run-tests COLUMN"
            )
        name = row.get(self.entry_point)
        return RowTest(_source(row[self.tests]), name.strip() if isinstance(name, str) and name.isidentifier() else "")

    def results(self, asked: Sequence[tuple[Pair, RowTest]]) -> list[RowTestResult]:
        """What the tests say about answers, in their order; equal ones are run once, and those known from before not
        at all.

        Raises:
            IsolationError: code cannot be isolated here.
        """
        jobs = [self._job(*each) for each in asked]
        known = self._known(dict.fromkeys(job for job in jobs if isinstance(job, Job)))
        return [_result(known[job]) if isinstance(job, Job) else job for job in jobs]

    def _job(self, pair: Pair, test: RowTest) -> Job | RowTestResult:
        """What to run, or why there is nothing."""
        if not test.source.strip():
            return _untested(NO_TEST)
        tree = parsed(test.source) if len(test.source) <= LONGEST else None
        if tree is None:
            return _untested(TEST_UNREADABLE)
        if not is_assertion(tree):
            return _untested(ASSERTS_NOTHING)
        code = code_of(pair)
        if not code.sources:
            return _untested(NO_CODE)
        entry_point = test.entry_point or code.entry_point
        return Job(code.sources, test.source, entry_point, self.timeout_s, self.memory_mb)

    def _known(self, jobs: Mapping[Job, None]) -> dict[Job, Told]:
        """The results of all of these, run if need be."""
        store = open_store(self.store)
        setting = Setting.of(SOURCE, f"{RUN_VERSION}", platform.python_version())
        texts = {job: json.dumps([{"role": "job", "content": job}]).encode() for job in jobs}
        keys = {job: setting.key(text) for job, text in texts.items()}
        kept = store.get(list(keys.values()))
        found = {job: told for job in jobs if (told := _read(kept.get(keys[job]))) is not None}
        missing = [job for job in jobs if job not in found]
        for start in range(0, len(missing), KEPT_TOGETHER):
            part = missing[start : start + KEPT_TOGETHER]
            results = dict(zip(part, run_jobs(part, self.isolation), strict=True))
            _keep(store, setting, {keys[job]: (texts[job], each) for job, each in results.items() if each.sure})
            found |= results
        return found


def _keep(store: Store, setting: Setting, found: Mapping[bytes, tuple[bytes, Told]]) -> None:
    records = [
        Record(key, setting, text, Answer(json.dumps(told[:4]), model=SOURCE), 0, 0.0)
        for key, (text, told) in found.items()
    ]
    if records:
        store.put(records)


def _read(answer: Answer | None) -> Told | None:
    if answer is None:
        return None
    try:
        passed, total, reason, detail = json.loads(answer.text)
        return Told(int(passed), int(total), str(reason), str(detail))
    except (ValueError, TypeError):  # as if nothing had been kept
        return None


def _source(cell: Any) -> str:
    """The test that a cell holds: a text, or a list of texts, which may stand there as JSON."""
    if isinstance(cell, str) and cell.lstrip().startswith("[") and len(cell) <= LONGEST:
        try:
            read = json.loads(cell)
        except ValueError:
            return cell
        cell = read if isinstance(read, list) and all(isinstance(each, str) for each in read) else cell
    if isinstance(cell, Sequence) and not isinstance(cell, str | bytes):
        return "\n".join(each for each in cell if isinstance(each, str))
    return cell if isinstance(cell, str) else ""


def _untested(reason: str) -> RowTestResult:
    return RowTestResult(math.nan, reason)


def _result(told: Told) -> RowTestResult:
    if told.reason in NOT_RUN:
        return RowTestResult(math.nan, told.reason, told.detail)
    if not told.reason:
        return RowTestResult(1.0)
    # what passed before the time ran out, or an error stopped the test, is not all that there was to pass
    share = told.passed / told.total if told.passed < told.total else 0.0
    return RowTestResult(share, told.reason, told.detail)


def findings_of_tests(turn: int, result: RowTestResult) -> list[Finding]:
    """The finding `tests_failed` about an answer, if the tests of its row ran and did not pass."""
    if not result.failed:
        return []
    detail = f": {result.detail}" if result.detail else ""
    sentence = f"the row's own tests do not pass ({result.share:.0%}), {FAILURES[result.reason]}{detail}"
    return [Finding(TESTS_FAILED, "response", turn, 0, "", "", sentence[: LONGEST_SHOWN * 2])]
