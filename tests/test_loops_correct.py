"""Whether a student's answer is right: by number, text, option, verifier and judge; and when that cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from extras import needs

import hfclean
from hfclean.errors import HfcleanError
from hfclean.loops import Judged, Verified, choice, exact, number, verified
from hfclean.loops.correct import Verdict, correct_of, correct_settings, verdicts_on
from hfclean.models import Answer
from hfclean.scorers import RunTests
from hfclean.testing_models import ScriptedBackend

Row = Mapping[str, Any]


def row(key: str, prompt: str = "How many?", **more: Any) -> Row:
    return {"prompt": prompt, "completion": key, **more}


MARKED = row("6 and 6 are 12.\n#### 12")
TRUE = {"problem": "How many?", "solution": "6 + 6 = 12", "answer": "12"}
TOLD = row("There are 12 of them.")
NUMBERS: tuple[tuple[Row, str, bool | None], ...] = (
    (MARKED, "#### 12", True),
    (MARKED, "5 and 7 are 12.\n#### 12.0", True),
    (MARKED, "The answer is 12.", True),
    (MARKED, "\\boxed{12}", True),
    (MARKED, "12", True),
    (MARKED, "#### 13", False),
    (MARKED, "I make it 12 altogether.", False),  # the seed says its answer behind a marker, and this one does not
    (MARKED, "", False),
    (MARKED, "<think>6 + 6", False),
    (MARKED, "<think>13?</think>#### 12", True),
    (row("#### 1,200"), "#### 1200", True),
    (row("#### -3"), "#### 3", False),
    (row("#### 0.5"), "#### 1/2", True),
    (TOLD, "I make it 12 altogether.", True),
    (TOLD, "I make it 13 altogether.", False),
    (TOLD, "Of 20, 12 remain.", None),
    (TOLD, "The answer is 13.", False),
    (row("A tree."), "12", None),
    (row("Either 12 or 13."), "12", None),
    ({"problem": "How many?", "answer": "12"}, "The answer is 12.", True),
    (TRUE, "\\boxed{11}", False),
)


@pytest.mark.parametrize(("given", "answer", "right"), NUMBERS)
def test_numbers(given: Row, answer: str, right: bool | None) -> None:
    assert number(given, answer) is right


@pytest.mark.parametrize(
    ("key", "answer", "right"),
    [
        ("Paris", " paris. ", True),
        ("Paris", "“PARIS”", True),
        ("Paris", "It is Paris", False),
        ("1,000", "1000", True),
        ("ﬁne", "Fine!", True),
        ("Paris", "", False),
        ("", "Paris", None),
        ("...", "Paris", None),
        ("東京", "東京。", True),
    ],
)
def test_texts(key: str, answer: str, right: bool | None) -> None:
    assert exact(row(key), answer) is right


OPTIONS = "Which is a fruit?\n(A) a stone\n(B) a pear\n(C) a shoe"


@pytest.mark.parametrize(
    ("key", "answer", "right"),
    [
        ("B", "B", True),
        ("B", "(b)", True),
        ("B", "The answer is B.", True),
        ("B", "B) a pear", True),
        ("B", "a pear", True),
        ("a pear", "B.", True),
        ("B", "C", False),
        ("B", "The answer is (C).", False),
        ("B", "I do not know.", False),
        ("B", "", False),
        ("It depends.", "B", None),
    ],
)
def test_options(key: str, answer: str, right: bool | None) -> None:
    assert choice(row(key, OPTIONS), answer) is right


def test_options_by_number() -> None:
    asked = "Which is a fruit?\n1) a stone\n2) a pear\n3) a shoe"
    assert [choice(row("2", asked), answer) for answer in ("2", "2)", "3", "a pear")] == [True, True, False, True]


@pytest.mark.parametrize(
    ("given", "answer", "right"),
    [
        (row("12"), "2 + 2 = 5, so there are many.", False),
        (row("12"), "There are some.", None),
        (TRUE, "The answer is 13.", False),
        (TRUE, "The answer is 12.", True),
        (TRUE, "Who knows?", None),
    ],
)
def test_what_a_program_can_prove(given: Row, answer: str, right: bool | None) -> None:
    assert verified(given, answer) is right


class Results:
    """The tests of a row, which no process runs here."""

    def settings(self) -> dict[str, Any]:
        return {}

    def row_test(self, given: Row) -> Any:
        return given["test"]

    def results(self, asked: Any) -> list[Any]:
        from hfclean.verifiers.row_tests import RowTestResult

        return [
            RowTestResult(1.0 if pair.response == test else 0.0, "" if pair.response == test else "failed")
            for pair, test in asked
        ]


def test_the_tests_of_a_row() -> None:
    correct = Verified(Results())
    given = [row("x", test="good")] * 2
    assert correct.many(given, ["good", "bad"]) == [True, False]
    assert correct_settings(Verified(RunTests("test")))["tests"] is not None


def test_a_judge_with_a_threshold() -> None:
    judge = hfclean.Judge(ScriptedBackend(['{"reason": "", "score": 4.5}', '{"reason": "", "score": 2}', "no idea"]))
    correct = Judged(judge)
    assert correct.threshold == 4.5
    answers = [Answer(text) for text in ("An apple.", "A stone.", "Hm.")]
    assert verdicts_on(correct, [row("A pear.")] * 3, answers) == [Verdict(True), Verdict(False), Verdict(None)]
    shown = judge.model.asked[0][-1].content  # type: ignore[union-attr]
    assert "An apple." in shown
    assert "A pear." not in shown
    with pytest.raises(HfcleanError, match=r"at_least=4\.5"):
        Judged(hfclean.Judge(ScriptedBackend([]), "ten"))
    assert Judged(hfclean.Judge(ScriptedBackend([]), "ten"), at_least=7).threshold == 7


def test_your_own_function_and_answers_that_did_not_come() -> None:
    answers = [Answer("a"), Answer.failed("context_overflow"), Answer("b")]
    said = verdicts_on(lambda given, answer: np.bool_(answer == given["completion"]), [row("a")] * 3, answers)
    assert said == [Verdict(True), Verdict(None, "context_overflow"), Verdict(False)]
    for strange in (1, "yes", 0.5, [True]):
        with pytest.raises(HfcleanError, match="expected True, False, or None"):
            verdicts_on(lambda *_, value=strange: value, [row("a")], [Answer("a")])  # type: ignore[misc]


def test_names_and_columns() -> None:
    for name in ("number", "exact", "choice", "verified"):
        assert callable(correct_of(name))
    assert correct_settings(correct_of("number")) == "number"
    mine = {"q": "How many?", "a": "12"}
    columns = {"instruction": "q", "response": "a"}
    assert [correct_of(name, columns)(mine, "12") for name in ("number", "exact")] == [True, True]
    needs("verify", "math_verify")
    assert number(row("$\\frac{1}{2}$"), "\\boxed{0.5}") is True
