"""Whether a student's answer to a row is right: True, False, or None where that cannot be told.

Each test is a function of the row and the answer, and so is your own. A row of which it cannot be told is counted, and
no new row is made after it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from hfclean.errors import HfcleanError, describe_error, of_row
from hfclean.generation.tally import Tally
from hfclean.layout import Layout
from hfclean.models import Answer
from hfclean.models.work import wait_for
from hfclean.schema import Columns, Pair, Whole, whole_row
from hfclean.scorers.judge import Judge
from hfclean.text.numbers import THOUSANDS, numbers_in, plain_number
from hfclean.text.thoughts import without_thought
from hfclean.verifiers import ROW_VERIFIERS, VERIFIERS, verify
from hfclean.verifiers.answers import CHOSEN, final_answer
from hfclean.verifiers.options import offered_anyhow
from hfclean.verifiers.truths import TRUTH_VERIFIERS
from hfclean.verifiers.values import OPTION, agree, differ, read_value
from hfclean.verifiers.verifier import Finding

Row = Mapping[str, Any]
Correct = Callable[[Row, str], bool | None]
QUOTES = "\"'`“”‘’«»"
CLOSING = ".!?。！？"
LONGEST_CHOICE = 5_000  # characters of an answer that are looked through for an option
_SEVERITIES: dict[str, str] = {each.id: each.severity for each in VERIFIERS}
_SEVERITIES |= {each.id: each.severity for each in ROW_VERIFIERS}


class Verdict(NamedTuple):
    """What is known of one answer.

    Attributes:
        right: None where it cannot be told.
        why: the kind of error if there is no answer, or `correct_error` with what the test raised; else empty.
    """

    right: bool | None
    why: str = ""


# -------------------------------------------------------------------------------------------------------- reading rows


def _read(row: Row, columns: Columns) -> Whole:
    view = Layout(columns).view(row)
    pairs = view.pairs(row)
    return whole_row(row, view, pairs[-1] if view.answers else pairs[0], rejected=False)


def keys_of(row: Whole) -> tuple[str, ...]:
    """The answers that count as right: the truths of a row, or else its response."""
    truths = tuple(truth.strip() for truth in row.truths if truth.strip())
    response = row.pair.response.strip()
    return truths or ((response,) if response else ())


def _final(answer: str) -> str:
    """An answer without its thought; empty where the thought never ends."""
    return (without_thought(answer) or "").strip()


# --------------------------------------------------------------------------------------------------------------- tests


def number(row: Row, answer: str, *, columns: Columns = None) -> bool | None:
    """Whether the final answer is the number that the row has, whatever its spelling.

    The final answer stands behind `####`, in a box, behind "the answer is", or is all that is said. Where the row says
    its own in one of these ways, an answer that does not is wrong, as in LLM2LLM (arXiv 2403.15042). Where the row
    says it without, an answer that lacks the number is wrong, one that holds it alone is right, and of one that holds
    others as well it cannot be told.

    Returns:
        None also where the row has no number, and where two spellings can neither be proven the same nor different.
    """
    found = [each for each in (_number_of(key) for key in keys_of(_read(row, columns))) if each is not None]
    if not found:
        return None
    return _best([_same_number(value, answer, marked=marked) for value, marked in found])


def _number_of(key: str) -> tuple[str, bool] | None:
    """The number that a key states, and whether it says that this is the answer."""
    text = _final(key)
    stated = final_answer(text)
    if stated is not None:
        value = read_value(stated.value)
        return None if value is None or value.number is None else (stated.value, stated.way != "whole")
    numbers = numbers_in(text)
    return (numbers[0], False) if len(numbers) == 1 else None


def _same_number(value: str, answer: str, *, marked: bool) -> bool | None:
    text = _final(answer)
    stated = final_answer(text)
    if stated is not None:
        return True if agree(stated.value, value) else False if differ(stated.value, value) else None
    if marked:
        return False
    numbers = set(numbers_in(text))
    expected = plain_number(numbers_in(value)[-1]) if numbers_in(value) else value
    if expected not in numbers:
        return False
    return True if numbers == {expected} else None


def exact(row: Row, answer: str, *, columns: Columns = None) -> bool | None:
    """Whether the answer, or the final answer that it states, is the row's, whatever case, spacing, quotes, commas in
    numbers and closing mark; None where the row has none."""
    keys = {_normalised(key) for key in keys_of(_read(row, columns))} - {""}
    if not keys:
        return None
    text = _final(answer)
    stated = final_answer(text)
    return not keys.isdisjoint({_normalised(text), *((_normalised(stated.value),) if stated else ())})


def _normalised(text: str) -> str:
    text = THOUSANDS.sub("", " ".join(unicodedata.normalize("NFKC", text).casefold().split()))
    return text.strip(QUOTES).rstrip(CLOSING).strip(QUOTES).strip()


def choice(row: Row, answer: str, *, columns: Columns = None) -> bool | None:
    """Whether the answer chooses the option of the row, by its letter, its number or its text; an answer that chooses
    none is wrong. None where the row chooses none."""
    whole = _read(row, columns)
    options = offered_anyhow(whole.pair.prompt)
    expected = {found for found in (_chosen(key, options) for key in keys_of(whole)) if found}
    return _chosen(answer, options) in expected if expected else None


def _chosen(text: str, options: Mapping[str, str]) -> str:
    """The option that a text chooses, in capitals; empty where it chooses none."""
    text = _final(text)[:LONGEST_CHOICE]
    bare = text.strip("()[].:*` ").casefold()
    named = [mark for mark, option in options.items() if mark.casefold() == bare or _normalised(option) == bare]
    if len(named) == 1:
        return named[0].upper()
    if letter := OPTION.fullmatch(text):
        return letter[1]
    stated = final_answer(text)
    value = read_value(stated.value) if stated else None
    if value is not None and value.letter:
        return value.letter
    said = CHOSEN.search(text)
    if said is not None:
        return said["letter"]
    alike = [mark for mark, option in options.items() if option and _normalised(option) == _normalised(text)]
    return alike[0].upper() if len(alike) == 1 else ""


@dataclass(frozen=True)
class Verified:
    """Whether a program can prove the answer right or wrong, as `hfclean.verify` and the row's own tests do.

    Wrong: a verifier finds something that is not of low severity, the answer contradicts the row's truth, or a test
    fails. Right: the tests pass, or the final answer is the truth. None: neither can be proven.

    Args:
        tests: `hfclean.scorers.RunTests(...)`, to run the code of an answer with the tests beside the row, apart from
            this system.
        columns: which columns of a row hold what, as every transform takes it.

    Raises:
        ColumnError: a row without the column of `tests`.
        IsolationError: `tests` cannot be run apart from this system.
    """

    tests: Any = None
    columns: Columns = field(default=None, hash=False)

    def settings(self) -> dict[str, Any]:
        """What a record says of the test."""
        return {"tests": None if self.tests is None else self.tests.settings()}

    def __call__(self, row: Row, answer: str) -> bool | None:
        return self.many([row], [answer])[0]

    def many(self, rows: Sequence[Row], answers: Sequence[str]) -> list[bool | None]:
        """The verdicts on many answers; their tests are run together."""
        wholes = [_answered(_read(row, self.columns), answer) for row, answer in zip(rows, answers, strict=True)]
        tested: list[Any] = [None] * len(rows)
        if self.tests is not None:
            asked = [(whole.pair, self.tests.row_test(row)) for whole, row in zip(wholes, rows, strict=True)]
            tested = self.tests.results(asked)
        return [
            self._verdict(whole, row, answer, result)
            for whole, row, answer, result in zip(wholes, rows, answers, tested, strict=True)
        ]

    def _verdict(self, whole: Whole, row: Row, answer: str, result: Any) -> bool | None:
        if (result is not None and result.failed) or any(map(_weighs, _findings(whole))):
            return False
        if result is not None and result.passed:
            return True
        settled = (test(row, answer, columns=self.columns) for test in (number, exact))
        return True if any(settled) else None


def _answered(row: Whole, answer: str) -> Whole:
    return replace(row, pair=row.pair.replace(response=_final(answer), thought=""))


def _findings(row: Whole) -> list[Finding]:
    contradicted = TRUTH_VERIFIERS[-1]
    return [*verify(row.pair), *(each for each in contradicted.find(row) if each.check == contradicted.id)]


def _weighs(finding: Finding) -> bool:
    return _SEVERITIES.get(finding.check) != "low"


verified = Verified()


@dataclass(frozen=True)
class Judged:
    """Whether a judge's grade of the answer reaches a threshold; None where the judge gives no grade.

    The judge sees the question and the answer, not the answer of the row.

    Args:
        judge: whom to ask.
        at_least: the lowest grade that counts as right; by default what the judge's rubric accepts.

    Raises:
        HfcleanError: neither says a threshold.
        BackendError: the judge cannot be asked at all. Every answer so far is kept.
    """

    judge: Judge
    at_least: float | None = None
    columns: Columns = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if self.at_least is None and self.judge.criteria().accept_at_least is None:
            raise HfcleanError(
                f"Judged: the rubric {self.judge.criteria().name!r} does not say which grade is good; name one: "
                "at_least=4.5"
            )

    @property
    def threshold(self) -> float:
        """The lowest grade that counts as right."""
        stated = self.judge.criteria().accept_at_least
        return float(self.at_least if self.at_least is not None else stated or 0.0)

    def settings(self) -> dict[str, Any]:
        """What a record says of the test."""
        return {"judge": self.judge.settings(), "at_least": self.threshold}

    def __call__(self, row: Row, answer: str) -> bool | None:
        return self.many([row], [answer])[0]

    def many(self, rows: Sequence[Row], answers: Sequence[str], tally: Tally | None = None) -> list[bool | None]:
        """The verdicts on many answers, asked for together and counted in the tally."""
        pairs: list[Pair] = [
            _read(row, self.columns).pair.replace(response=_final(answer), thought="")
            for row, answer in zip(rows, answers, strict=True)
        ]
        grades = wait_for(
            self.judge.grades(pairs), lambda asked, got: tally.add("judged", asked, got) if tally is not None else None
        )
        return [None if math.isnan(grade) else grade >= self.threshold for grade in grades]


def _best(verdicts: Sequence[bool | None]) -> bool | None:
    """Right where it is by one key; wrong where it is by all."""
    return True if any(verdicts) else None if None in verdicts else False


CORRECT: Mapping[str, Callable[..., bool | None]] = {
    "number": number,
    "exact": exact,
    "choice": choice,
    "verified": verified,
}


def correct_of(given: str | Correct, columns: Columns = None) -> Correct:
    """The test of this name, or the test itself.

    Raises:
        HfcleanError: there is none of this name.
    """
    if isinstance(given, str):
        if given == "verified":
            return Verified(columns=columns)
        if given not in CORRECT:
            more = (
                " A judge needs a model: correct=hfclean.loops.Judged(hfclean.Judge(...))" if given == "judge" else ""
            )
            raise HfcleanError(
                f"correct={given!r:.60}: expected {', '.join(map(repr, CORRECT))}, or a function of a row and an "
                f"answer that returns True, False or None.{more}"
            )
        return partial(CORRECT[given], columns=columns)
    if not callable(given):
        raise HfcleanError(
            f"correct={given!r:.60}: expected a name, or a function of a row and an answer that returns True, False "
            "or None"
        )
    if isinstance(given, (Verified, Judged)) and given.columns is None:
        return replace(given, columns=columns)
    return given


def correct_settings(correct: Correct) -> Any:
    """What a record says of a test, as JSON can hold it."""
    function = correct.func if isinstance(correct, partial) else correct
    own = getattr(function, "settings", None)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return {"name": name, **own()} if callable(own) else name


_NUMPY_BOOL = re.compile(r"bool_?")


def verdicts_on(
    correct: Correct, rows: Sequence[Row], answers: Sequence[Answer], tally: Tally | None = None
) -> list[Verdict]:
    """What the test says of each answer. An answer that did not come, and one on which the test raises, is one of
    which it cannot be told.

    Raises:
        HfcleanError: the test returns something else than True, False or None, or raises on every answer.
    """
    found: dict[int, Verdict] = {k: Verdict(None, each.error) for k, each in enumerate(answers) if each.error}
    places = [k for k in range(len(answers)) if k not in found]
    if isinstance(correct, (Verified, Judged)):
        counted = {"tally": tally} if isinstance(correct, Judged) else {}
        many = correct.many([rows[k] for k in places], [answers[k].text for k in places], **counted)
        found |= {k: Verdict(right) for k, right in zip(places, many, strict=True)}
        return [found[k] for k in range(len(answers))]
    raised: list[Exception] = []
    for k in places:
        try:
            right = correct(rows[k], answers[k].text)
        except Exception as e:  # noqa: BLE001 - anybody's code: one row never ends a run
            of_row(e)
            raised.append(e)
            found[k] = Verdict(None, f"correct_error {describe_error(e)}")
            continue
        found[k] = Verdict(_plain(right, rows[k]))
    if raised and len(raised) == len(places):
        raise HfcleanError(
            f"correct= raised on each of {len(places):,} answers ({describe_error(raised[0])}); it takes a row, as a "
            "dict, and the answer, as a text"
        ) from raised[0]
    return [found[k] for k in range(len(answers))]


def _plain(right: Any, row: Row) -> bool | None:
    if right is None or isinstance(right, bool):
        return right
    if _NUMPY_BOOL.fullmatch(type(right).__name__):
        return bool(right)
    raise HfcleanError(
        f"correct= returned {right!r:.80} for the row {str(dict(row))[:120]}; expected True, False, or None where it "
        "cannot be told"
    )
