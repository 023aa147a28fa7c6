"""A row's own tests: which code is run, what is a test, and what it comes to in scores, findings and the gate."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

import hfclean
from hfclean.cli import main, recorded
from hfclean.cli.reading import UsageError
from hfclean.cli.recipes import GUARDED
from hfclean.errors import CheckError, ColumnError, IsolationError, VerifierError
from hfclean.isolation import running, system_calls
from hfclean.isolation.harness import NOT_RUN
from hfclean.isolation.running import Told
from hfclean.models.protocol import Answer
from hfclean.reviser.codec import encode
from hfclean.schema import Pair
from hfclean.scorers import RunTests
from hfclean.testing_models import ScriptedBackend
from hfclean.verifiers import Finding
from hfclean.verifiers.answer_code import code_of, parsed
from hfclean.verifiers.row_tests import FAILURES, UNTESTED, RowTestResult, _read, findings_of_tests

pytestmark = pytest.mark.skipif(not system_calls.machine(), reason="Linux on x86-64 or 64-bit ARM")
DOUBLE = "def f(x):\n    return 2 * x"
TRIPLE = "def f(x):\n    return 3 * x"
ADDS = (
    "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 4\n    assert candidate(0) == 0"
)
REFINEMENTS = Path(__file__).parents[2] / "shared/data/code_refinements.jsonl"


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    try:
        running.run_jobs([running.Job(("x = 1",), "assert x", "", 5.0, 512)])
    except IsolationError as e:
        pytest.skip(str(e))


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))


def row(response: str, test: Any = ADDS, prompt: str = "Double a number.", **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "completion": response, "test": test, **more}


def scored(response: str, test: Any = ADDS, **more: Any) -> tuple[float, str]:
    out = RunTests()(row(response, test, **more))
    return out["tests_passed"], out["tests_passed_reason"]


# ------------------------------------------------------------------------------------------------------ which code


@pytest.mark.parametrize(
    ("prompt", "response", "sources", "entry_point"),
    [
        ("Double.", f"Here:\n\n```python\n{DOUBLE}\n```\nDone.", (f"{DOUBLE}\n",), ""),
        ("Double.", f"```python\n{DOUBLE}", (DOUBLE,), ""),
        ("Double.", f"```\n{DOUBLE}\n```", (f"{DOUBLE}\n",), ""),
        ("Double.", f"```bash\npip install x\n```\n~~~py\n{DOUBLE}\n~~~", (f"{DOUBLE}\n",), ""),
        ("Double.", f"```python\n{DOUBLE}\n```\nUse it:\n```python\nprint(f(2))\n```", (f"{DOUBLE}\n",), ""),
        ("Double.", f"```python\nimport os\n```\n```python\n{DOUBLE}\n```", ("import os\n", f"{DOUBLE}\n"), ""),
        ("Double.", "- so:\n  ```python\n  x = 1\n  ```", ("x = 1\n",), ""),
        ("Double.", "```python\nx = 1\n```\n```python\nprint(x)\n```", ("x = 1\n", "print(x)\n"), ""),
        ("Double.", DOUBLE, (DOUBLE,), ""),
        ("Double.", "Twice the number.", (), ""),
        ("Double.", "Yes", (), ""),
        ("Double.", "```js\nlet x = 1\n```", (), ""),
        ("def f(x):", "    return 2 * x", ("def f(x):\n    return 2 * x\n",), "f"),
        ("def f(x):", "return 2 * x", ("def f(x):\n    return 2 * x\n",), "f"),
        ("def f(x):", "y = x\nreturn y", ("def f(x):\n    y = x\n    return y\n",), "f"),
        ("def f(x):", DOUBLE, (DOUBLE,), "f"),
        ('import os\ndef f(x):\n    """Two."""\n', DOUBLE, ("import os", DOUBLE), "f"),
        ("So:\n```python\nimport os\n\ndef f(x):\n```", f"```py\n{DOUBLE}\n```", ("import os", f"{DOUBLE}\n"), "f"),
        ("Finish:\n\ndef f(x):", "    return x", ("def f(x):\n    return x\n",), "f"),
        ("def f(x):", "    return (", ("def f(x):\n    return (\n",), "f"),
        ("def f(x):\n    return x\n\nWhat is wrong?", "Nothing.", (), ""),
        ("def f(x):\n    pass\n    y = x", "return 1", (), ""),
        ("Double.", f"<think>\n```python\n{TRIPLE}\n```\n</think>\n```python\n{DOUBLE}\n```", (f"{DOUBLE}\n",), ""),
    ],
)  # fmt: skip
def test_the_code_of_a_response(prompt: str, response: str, sources: tuple[str, ...], entry_point: str) -> None:
    assert code_of(Pair(prompt, "", response)) == (sources, entry_point)


def test_each_of_these_names_is_python_and_each_of_these_lines_begins_a_program() -> None:
    for name in ("python", "py", "python3", "python2", "py3", "Python", ""):
        assert code_of(Pair("Double.", "", f"```{name}\n{DOUBLE}\n```")).sources == (f"{DOUBLE}\n",), name
    for name in ("perl", "pyx", "python4"):
        assert code_of(Pair("Double.", "", f"```{name}\n{DOUBLE}\n```")).sources == (), name
    begun = (
        "from os import path", "import os", "def g():\n    pass", "class A:\n    pass", "async def g():\n    pass",
        "@g", '\"\"\"Two.\"\"\"', "'''Two.'''",
    )  # fmt: skip
    for line in begun:
        head = f"{line}\ndef f(x):"
        found = code_of(Pair(f"Finish it, please:\n\n{head}", "", "    return x"))
        assert found == ((f"{head}\n    return x\n",), "f"), line
    assert code_of(Pair("Finish:\n\nx = 1\ndef f(x):", "", "    return x")).sources == ("def f(x):\n    return x\n",)


@pytest.mark.parametrize("code", ["not " * 5000 + "1", "-" * 100_000 + "1", "x = '\0'", "x = '\ud800'", "(" * 5000])
def test_code_that_the_parser_cannot_take_is_none(code: str) -> None:
    assert parsed(code) is None


# ------------------------------------------------------------------------------------------------------ what is a test


@pytest.mark.parametrize(
    ("test", "share"),
    [
        (ADDS, 1 / 3),
        (ADDS + "\ncheck(f)", 1 / 3),
        (ADDS.replace("    ", "\t"), 1 / 3),
        ("assert f(0) == 0\nassert f(1) == 2", 1 / 2),
        (["assert f(0) == 0", "assert f(1) == 3", "assert f(2) == 6", "assert f(1) == 1"], 3 / 4),
        (json.dumps(["assert f(0) == 0", "assert f(1) == 2"]), 1 / 2),
        ("for k in (0, 1):\n    assert f(k) == 2 * k", 0.0),
        ("from pytest import approx\ndef check(f):\n  assert f(0) == approx(0)\n  assert f(1) == approx(1)", 1 / 2),
        ("def test_one():\n    assert f(0) == 0\ndef test_two():\n    assert f(1) == 2", 1 / 2),
        ("from solution import f\ndef test_a():\n  assert f(0) == 0\ndef test_b():\n  assert f(1) == 2", 1 / 2),
        (
            "import pytest\n@pytest.mark.parametrize('x, y', [(0, 0), (1, 2), (2, 6)])\n"
            "@pytest.mark.parametrize('z', [0])\ndef test(x, y, z):\n    assert f(x) == y",
            2 / 3,
        ),
        ("class TestF:\n  def test_a(self):\n    assert f(0) == 0\n  def test_b(self):\n    assert f(1) == 2", 1 / 2),
        (
            "import unittest\nclass Some(unittest.TestCase):\n    def setUp(self):\n        self.x = 0\n"
            "    def test_one(self):\n        self.assertEqual(f(self.x), 0)\n"
            "    def test_two(self):\n        self.assertEqual(f(1), 2)",
            1 / 2,
        ),
        ("async def test_one():\n    assert f(0) == 0\nasync def test_two():\n    assert f(1) == 2", 1 / 2),
        ("import pytest\ndef test_one():\n    with pytest.raises(TypeError):\n        f()\n    assert 0", 0.0),
    ],
)  # fmt: skip
def test_what_passes_is_counted(test: Any, share: float) -> None:
    assert scored(TRIPLE, test) == (pytest.approx(share), "failed")


@pytest.mark.parametrize(
    "test",
    [ADDS, "assert f(1) == 2", "def test():\n    assert f(1) == 2", "from my_answer import *\nassert f(2) == 4"],
)
def test_all_that_passes_is_one_and_no_reason(test: str) -> None:
    assert scored(DOUBLE, test) == (1.0, "")


def test_check_gets_the_function_that_is_meant() -> None:
    two = f"{DOUBLE}\ndef g(x):\n    return 0"
    assert scored(two, entry_point="f") == (1.0, "")
    assert scored(two, prompt="def f(x):") == (1.0, "")
    assert scored(two) == (pytest.approx(1 / 3), "failed")
    nan, reason = scored(two, entry_point="h")
    assert (math.isnan(nan), reason) == (True, "no_function")


@pytest.mark.parametrize(
    ("response", "test", "reason"),
    [
        (DOUBLE, "", "no_test"),
        (DOUBLE, None, "no_test"),
        (DOUBLE, {"a": 1}, "no_test"),
        (DOUBLE, "assert f(1) == '\ud800'", "test_unreadable"),
        ("def f(x): return '\0'", ADDS, "no_code"),
        ("(" * 5000, ADDS, "no_code"),
        (DOUBLE, "assert (", "test_unreadable"),
        (DOUBLE, "assert f(1) == 2\n" + "#" * 200_000, "test_unreadable"),
        (DOUBLE, "print(f(1))", "asserts_nothing"),
        (DOUBLE, "def helper():\n    assert f(1) == 2", "asserts_nothing"),
        ("Twice.", ADDS, "no_code"),
        ("x = 1", ADDS, "no_function"),
        (DOUBLE, "assert f(int(input())) == 2", "reads_input"),
        ("x = int(input())", "assert x", "reads_input"),
        (DOUBLE, "import sys\nassert sys.stdin.read()", "failed"),
        (DOUBLE, "import time\ntime.sleep(5)\nassert f(1) == 2", "sleeps"),
        ("import no_such_package_is_there\n" + DOUBLE, ADDS, "package_missing"),
        (DOUBLE, "import no_such_package_is_there\nassert f(1) == 2", "package_missing"),
        (DOUBLE, "def test_f(tmp_path):\n    assert f(1) == 2", "needs_fixture"),
        (DOUBLE, "import pytest\n@pytest.mark.skip\ndef test_f(a):\n    assert f(1) == 2", "needs_fixture"),
        (DOUBLE, "import pytest\ndef test_f():\n    pytest.skip('no')\n    assert f(1)", "asserts_nothing"),
        ("```python\ndef f(x:\n```", ADDS, "syntax_error"),
        ("def f(x):\n    return y", ADDS, "raised"),
        ("import sys\n" + DOUBLE + "\nsys.exit(0)", ADDS, "exited"),
        ("import os\ndef f(x):\n    os._exit(0)", ADDS, "exited"),
    ],
)
def test_what_does_not_pass_says_why(response: str, test: Any, reason: str) -> None:
    share, told = scored(response, test)
    assert told == reason
    assert math.isnan(share) if reason in UNTESTED else share == 0.0
    assert (reason in UNTESTED) != (reason in FAILURES)


# ------------------------------------------------------------------------------------------------------ as a scorer


def test_rows_batches_and_datasets_agree() -> None:
    rows = [row(DOUBLE), row(TRIPLE), row("Twice.")]
    out = Dataset.from_list(rows).map(RunTests(), batched=True)
    assert out["tests_passed_reason"] == [RunTests()(each)["tests_passed_reason"] for each in rows]
    assert out["tests_passed_reason"] == ["", "failed", "no_code"]
    assert out["tests_passed"][0] == 1.0
    assert all(line.startswith('{"by": "RunTests", "version": 2') for line in out["edit_history"])


def test_the_same_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = running.run_jobs

    def counted(jobs: Any, isolation: Any) -> Any:
        asked.append(len(jobs))
        return real(jobs, isolation)

    monkeypatch.setattr("hfclean.verifiers.row_tests.run_jobs", counted)
    rows = {name: [value, value] for name, value in row(DOUBLE).items()}
    assert RunTests()(rows)["tests_passed"] == RunTests()(rows)["tests_passed"] == [1.0, 1.0]
    assert asked == [1]
    assert RunTests(timeout_s=4)(rows)["tests_passed"] == [1.0, 1.0]  # other settings are another run
    assert asked == [1, 1]


def test_what_is_kept_and_cannot_be_read_is_run_again() -> None:
    assert _read(Answer('[1, 2, "failed", "no"]')) == Told(1, 2, "failed", "no")
    assert [_read(Answer(text)) for text in ("null", "[1]", "no", '["a", 2, "", ""]', "[[], 2, 3, 4]")] == [None] * 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "perl"}, "expected 'python'"),
        ({"isolation": "hope"}, "expected 'namespaces' or 'none'"),
        ({"timeout_s": 0}, "expected 0.1 to 600 seconds"),
        ({"memory_mb": 1}, "64 megabytes or more"),
    ],
)
def test_settings_that_are_none_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ColumnError, match=message):
        RunTests(**settings)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ColumnError, match=r"no column 'tests' with their tests.*--run-tests"):
        RunTests("tests")(row(DOUBLE))


# ------------------------------------------------------------------------------------------------------ as a verifier


def test_verify_finds_that_tests_fail() -> None:
    (finding,) = hfclean.verify(row(TRIPLE), tests=RunTests())
    assert (finding.check, finding.field, finding.turn) == ("tests_failed", "response", 0)
    assert finding.sentence == "the row's own tests do not pass (33%), an assertion failed: AssertionError: "
    assert hfclean.verify(row(DOUBLE), tests=RunTests()) == []
    assert hfclean.verify(row(TRIPLE), ["wrong_sum"], tests=RunTests()) == []
    with pytest.raises(VerifierError, match="a Pair has no columns"):
        hfclean.verify(Pair("a", "", DOUBLE), tests=RunTests())


def test_every_way_to_fail_is_said_in_words() -> None:
    reasons = ("failed", "raised", "syntax_error", "timeout", "out_of_memory", "exited", "crashed")
    assert tuple(FAILURES) == reasons
    for reason in reasons:
        (finding,) = findings_of_tests(2, RowTestResult(0.5, reason, "so"))
        sentence = f"the row's own tests do not pass (50%), {FAILURES[reason]}: so"
        assert finding == Finding("tests_failed", "response", 2, 0, "", "", sentence)
    (finding,) = findings_of_tests(0, RowTestResult(0.0, "raised", "x" * 900))
    assert len(finding.sentence) == 400
    assert findings_of_tests(0, RowTestResult(math.nan, "no_test")) == []
    assert set(UNTESTED) == {*NOT_RUN, "no_test", "no_code", "test_unreadable"}


# ------------------------------------------------------------------------------------------------------ in the gate


def test_the_gate_refuses_what_passed_and_fails_now() -> None:
    assert hfclean.accept(row(DOUBLE), row(TRIPLE), only=["tests_failed"], tests=RunTests()) == ["tests_failed"]
    assert hfclean.accept(row(DOUBLE), row("I cannot."), only=["tests_failed"], tests=RunTests()) == ["tests_failed"]
    assert hfclean.accept(row(TRIPLE), row("def f(x): return 1"), only=["tests_failed"], tests=RunTests()) == []
    assert hfclean.accept(row(DOUBLE), row("def f(x): return x + x"), only=["tests_failed"], tests=RunTests()) == []
    assert hfclean.accept(row(DOUBLE), row(TRIPLE), only=["tests_failed"]) == []


def test_signs_yield_to_proof_and_structure_does_not() -> None:
    wrong, right = f"It is 3 here: 42.\n\n```python\n{TRIPLE}\n```", f"```python\n{DOUBLE}\n```"
    only = ["number_changed", "too_short", "thought_lost", "unfinished"]
    assert "number_changed" in hfclean.accept(row(wrong), row(right), only=only)
    assert hfclean.accept(row(wrong), row(right), only=only, tests=RunTests()) == []
    thinking = f"<think>\nTwice it is.\n</think>\n{wrong}"
    assert hfclean.accept(row(thinking), row(right), only=only, tests=RunTests()) == ["thought_lost"]
    assert hfclean.accept(row(wrong), row(right), only=only, tests=RunTests(), finish_reason="length") == [
        "unfinished"
    ]
    assert hfclean.accept(row(wrong), row(right, ""), only=only, tests=RunTests()) == []  # the test is the row's own


def test_pairs_have_no_tests() -> None:
    with pytest.raises(CheckError, match="a Pair has no columns"):
        hfclean.accept(Pair("a", "", DOUBLE), Pair("a", "", TRIPLE), tests=RunTests())


def revised(kind: Any, before: str, after: str, **settings: Any) -> Mapping[str, Any]:
    answer = f"Better so.\n{encode(Pair('', '', after), ('response',))}"
    more = {"sides": ("response",)} if kind is hfclean.Reflection else {"revise": "response"}
    found: Mapping[str, Any] = kind(ScriptedBackend(lambda _: answer), **more, **settings)(row(before))
    return found


@pytest.mark.parametrize("kind", [hfclean.Reviser, hfclean.Reflection])
def test_a_reviser_runs_the_tests_of_its_rows(kind: Any) -> None:
    """What is proved right is taken over signs, and what is proved wrong is not."""
    wrong, right = f"```python\n{TRIPLE}\n```", f"```python\n{DOUBLE}\n```"
    assert revised(kind, wrong, right)["edit"] == "reverted"
    assert revised(kind, wrong, right, tests="test")["edit"] == "revised"
    assert revised(kind, right, right.replace("2 * x", "x + x"), tests="test")["edit"] == "revised"
    back = revised(kind, right, right.replace("2 * x", "x * 2 + 2"), tests=RunTests())
    assert (back["edit"], "tests_failed" in back["edit_reason"].split()) == ("reverted", True)


def test_no_record_of_a_reviser_says_that_code_is_run(tmp_path: Path) -> None:
    hfclean.Reviser("m", base_url="http://127.0.0.1:9/v1", tests="test").save_pretrained(tmp_path)
    assert "tests" not in json.loads((tmp_path / "hfclean.json").read_text())["settings"]
    assert hfclean.Reviser.from_pretrained(tmp_path).tests is None


def test_what_is_no_tests_is_refused() -> None:
    with pytest.raises(hfclean.HfcleanError, match=r"tests=3.*expected the name of a column"):
        hfclean.Reviser("m", tests=3)


# ------------------------------------------------------------------------------------------------ the command line


def test_the_command_line_runs_tests_where_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row(code)) + "\n" for code in (DOUBLE, TRIPLE)))
    assert main(["verify", str(file)]) == 0
    assert capsys.readouterr().out == "0 findings in 0 of 2 rows\n"
    assert main(["verify", str(file), "--run-tests", "test"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 finding in 1 of 2 rows: tests_failed 1"
    assert main(["verify", str(file), "--run-tests", "tests"]) == 1
    assert "no column 'tests' with their tests" in capsys.readouterr().err


def test_the_command_line_scores_by_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out, again = tmp_path / "rows.jsonl", tmp_path / "out", tmp_path / "again"
    file.write_text("".join(json.dumps(row(code)) + "\n" for code in (DOUBLE, TRIPLE, "Twice.")))
    assert main(["score", str(file), "--out", str(out), "--run-tests", "test"]) == 0
    scored = hfclean.load_cleaned(out)[0]["train"]
    assert scored["tests_passed_reason"] == ["", "failed", "no_code"]
    assert scored["tests_passed"][:2] == [1.0, pytest.approx(1 / 3)]
    assert main(["score", str(file), "--run-tests", "test", "--quiet", "--fail-on", "tests_passed<1"]) == 3
    assert "tests_passed<1" in capsys.readouterr().err
    assert main(["score", str(file), "--run-tests", "tests"]) == 1
    assert "no column 'tests' with their tests" in capsys.readouterr().err
    assert main(["run", str(out), str(file), "--out", str(again)]) == 2
    assert "which run code: say --run-tests COLUMN" in capsys.readouterr().err
    assert main(["run", str(out), str(file), "--out", str(again), "--run-tests", "test"]) == 0
    assert hfclean.load_cleaned(again)[0]["train"]["tests_passed_reason"] == ["", "failed", "no_code"]
    assert main(["clean", str(file), "--out", str(again), "--run-tests", "test"]) == 2
    assert "--run-tests without --model" in capsys.readouterr().err


def test_no_record_turns_them_on() -> None:
    revised: dict[str, Any] = {"by": "Reviser", "settings": {"model": "m", "tests": "test"}}
    with pytest.raises(UsageError, match="which run code: say --run-tests COLUMN"):
        recorded._model(Path("hfclean.json"), revised, set())
    assert recorded._model(Path("hfclean.json"), revised, {"--run-tests"}) == {"model": "m"}
    assert "run-tests" in GUARDED
    with pytest.raises(UsageError, match="which run code: say --run-tests"):
        recorded._scorer(Path("hfclean.json"), {"by": "RunTests", "settings": {"isolation": "none"}})


# ------------------------------------------------------------------------------------------------ real rows


def test_most_fixes_of_people_pass_and_few_undone() -> None:
    if not REFINEMENTS.exists():
        pytest.skip("the rows of people's fixes are not here")
    lines = REFINEMENTS.read_text().splitlines()[:12]
    found = [json.loads(line) for line in lines]
    pairs = [
        (
            row(each["raw_completion"], each["test"], each["prompt"]),
            row(each["revised_completion"], each["test"], each["prompt"]),
        )
        for each in found
    ]
    tests = RunTests()
    assert [hfclean.accept(*each, tests=tests) for each in pairs] == [[]] * 12
    assert ["tests_failed" in hfclean.accept(after, before, tests=tests) for before, after in pairs] == [True] * 12
