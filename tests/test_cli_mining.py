"""`hfclean mine` and `hfclean pii` as a person uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

import hfclean
from hfclean.cli import main

ROWS = [
    {"instruction": "Who wrote it?", "input": "", "output": "jo@hf.co and bo@hf.co", "reward": 1.0},
    {"instruction": "Call (212) 867-5309", "input": "", "output": "No.", "reward": 3.0},
    {"instruction": "Name a fruit.", "input": "", "output": "An apple.", "reward": None},
    {"instruction": "Name a colour.", "input": "", "output": "Red.", "reward": 2.0},
]


@pytest.fixture
def rows(work: Path) -> Path:
    path = work / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


def run(*args: str, capsys: Any) -> tuple[int, str, str]:
    try:
        code = main([*args])
    except SystemExit as e:
        code = int(e.code or 0)
    return code, *capsys.readouterr()


def test_pii_counts_and_changes_nothing(rows: Path, capsys: Any) -> None:
    before = rows.read_bytes()
    code, out, _ = run("pii", "rows.jsonl", "--quiet", capsys=capsys)
    assert code == 0
    assert out.splitlines() == ["2 of 4 rows contain personal data (3 matches)", "  email  1 rows", "  phone  1 rows"]
    assert rows.read_bytes() == before
    code, out, _ = run("pii", "rows.jsonl", "--kind", "phone", "--json", "--quiet", capsys=capsys)
    assert json.loads(out) == {"rows": 4, "with_pii": 1, "finds": 1, "rows_by_kind": {"phone": 1}}


def test_verify_lists_what_is_wrong_and_changes_nothing(work: Path, capsys: Any) -> None:
    asked = [{"role": "user", "content": "What is 3 + 4?"}, {"role": "assistant", "content": "3 + 4 = 7"}]
    again = [{"role": "user", "content": "And twice that?"}, {"role": "assistant", "content": "So:\n2 * 7 = 15"}]
    text = "\n".join(json.dumps({"messages": messages}) for messages in (asked, asked + again))
    (work / "talk.jsonl").write_text(text)
    code, out, _ = run("verify", "talk.jsonl", "--quiet", capsys=capsys)
    assert code == 0
    assert out.splitlines() == [
        "train 1  response, line 2 of answer 2  wrong_sum: 2 * 7 comes to 14, not 15",
        "1 finding in 1 of 2 rows: wrong_sum 1",
    ]
    code, out, _ = run("verify", "talk.jsonl", "--json", "--quiet", capsys=capsys)
    place = {"split": "train", "row": 1, "check": "wrong_sum", "field": "response", "turn": 1, "line": 1}
    words = {"found": "15", "expected": "14", "sentence": "2 * 7 comes to 14, not 15"}
    assert json.loads(out) == {"rows": 2, "findings": [{**place, **words}]}
    code, out, _ = run("verify", "talk.jsonl", "--only", "item_twice", "--quiet", capsys=capsys)
    assert (code, out) == (0, "0 findings in 0 of 2 rows\n")
    assert (work / "talk.jsonl").read_text() == text


def test_verify_reads_columns_by_their_names(work: Path, capsys: Any) -> None:
    (work / "own.jsonl").write_text(json.dumps({"q": "What is 3 + 4?", "a": "3 + 4 = 8"}))
    code, out, _ = run("verify", "own.jsonl", "--columns", "instruction=q,response=a", "--quiet", capsys=capsys)
    assert (code, out.splitlines()[0]) == (0, "train 0  response, line 1  wrong_sum: 3 + 4 comes to 7, not 8")


def test_pii_masks_into_a_folder_that_can_be_undone(rows: Path, work: Path, capsys: Any) -> None:
    code, _, err = run("pii", "rows.jsonl", "--mask", "--out", "masked", "--quiet", capsys=capsys)
    assert (code, err) == (0, "")
    ds = load_dataset("masked", cache_dir=str(work / "cache"))["train"]
    assert ds["output"][0] == "[EMAIL] and [EMAIL]"
    assert ds["instruction"][1] == "Call [PHONE]"
    assert hfclean.restore(ds)["output"][0] == ROWS[0]["output"]
    assert run("undo", "masked", "--json", capsys=capsys)[0] == 0


def test_pii_drops_rows_into_a_file(rows: Path, work: Path, capsys: Any) -> None:
    code, out, _ = run("pii", "rows.jsonl", "--drop", "--out", "kept.jsonl", "--quiet", capsys=capsys)
    assert (code, out) == (0, "kept.jsonl  2 rows\n")
    assert [json.loads(line) for line in (work / "kept.jsonl").read_text().splitlines()] == ROWS[2:]


@pytest.mark.needs_extra("mining", "statsmodels")
def test_mine_fits_a_rule_and_ranks_rows_by_it(rows: Path, work: Path, capsys: Any) -> None:
    table = [{"reward": k, "idle": (k * 7) % 5, "log_loss": 1 - 0.5 * k + 0.01 * (-1) ** k} for k in range(12)]
    (work / "table.jsonl").write_text("\n".join(map(json.dumps, table)))
    fit = ("mine", "fit", "table.jsonl", "--predictor", "reward", "--predictor", "idle", "--out", "rule")
    code, out, _ = run(*fit, capsys=capsys)
    assert code == 0
    assert "12 observations, 0 left out" in out
    rule = hfclean.scorers.LinearRule.from_pretrained("rule")
    assert rule.coefficients[0] == pytest.approx(-0.5, abs=0.01)
    assert run(*fit, capsys=capsys)[0] == 1
    code, out, _ = run(*fit, "--overwrite", "--standardize", "--json", capsys=capsys)
    assert json.loads(out)["rule"]["observations"] == 12
    run("mine", "fit", "table.jsonl", "--predictor", "reward", "--out", "rule", "--overwrite", capsys=capsys)
    predict = ("mine", "predict", "rows.jsonl", "--rule", "rule", "--quiet")
    code, out, _ = run(*predict, capsys=capsys)
    assert (code, out.splitlines()[0]) == (0, "expected_loss: 3 of 4 rows have a prediction")
    code, out, err = run(*predict, "-n", "2", "--out", "best.jsonl", capsys=capsys)
    assert (code, out) == (0, "best.jsonl  2 rows\n")
    assert err == (
        "note: 1 of 4 rows have no prediction, since an indicator is missing or nan; they are not among those chosen\n"
    )
    best = [json.loads(line) for line in (work / "best.jsonl").read_text().splitlines()]
    assert best == [ROWS[1], ROWS[3]]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("pii", "rows.jsonl", "--drop"), 2, "--drop needs --out FILE"),
        (("pii", "rows.jsonl", "--drop", "--mask", "--out", "x"), 2, "one at a time"),
        (("pii", "rows.jsonl", "--out", "x"), 2, "--out is for --mask or --drop"),
        (("pii", "rows.jsonl", "--drop", "--out", "x"), 2, "expected a file that ends in"),
        (("pii", "rows.jsonl", "--mask"), 2, "--out DIR is missing"),
        (("pii", "rows.jsonl", "--kind", "name"), 2, "invalid choice"),
        (("verify", "rows.jsonl", "--only", "wrong"), 2, "did you mean 'wrong_sum'?"),
        (("clean", "rows.jsonl", "--out", "x", "--trust", "low"), 2, "--trust without --model"),
        (("clean", "rows.jsonl", "--out", "x", "--max-cost", "1"), 2, "--max-cost without --model"),
        (("mine", "fit", "rows.jsonl"), 2, "fit needs --predictor"),
        (("mine", "fit", "rows.jsonl", "--predictor", "reward"), 1, "no column 'log_loss'"),
        (("mine", "fit", "rows.jsonl", "--predictor", "reward", "--target", "output"), 1, "expected numbers"),
        (("mine", "predict", "rows.jsonl"), 1, "indicator 'understandable': no column"),
        (("mine", "predict", "rows.jsonl", "--rename", "reward"), 2, "expected INDICATOR=COLUMN"),
        (("mine", "predict", "rows.jsonl", "--rule", "nowhere"), 1, "linear_rule.json cannot be read"),
        (("mine", "predict", "rows.jsonl", "--out", "x"), 2, "expected a file that ends in"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    args: tuple[str, ...], code: int, message: str, rows: Path, capsys: Any
) -> None:
    found, out, err = run(*args, capsys=capsys)
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
