"""A row that is too long to be read is left alone with a reason, and the others are worked on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from datasets import Dataset

import hfclean
from hfclean import limits
from hfclean.cleaning import clean
from hfclean.cli import main
from hfclean.errors import StrictError
from hfclean.provenance import parse_history

ROW = {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}
LONG = {"instruction": "Name all.", "input": "", "output": "An apple.</s> " * 10}
SAID = "TooLong: 149 characters; at most 80 are read"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LONGEST_PAIR", 80)


def test_rules_leave_a_long_row_as_it_is_and_say_so() -> None:
    out = hfclean.revise({name: [ROW[name], LONG[name], ROW[name]] for name in ROW})
    assert out["output"] == ["An apple.", LONG["output"], "An apple."]
    assert out["edit"] == ["revised", "kept", "revised"]
    assert out["edit_reason"] == ["chat_markers", "too_long_to_read", "chat_markers"]
    (step,) = parse_history(out["edit_history"][1]) or ()
    assert step.errors == {"all rules": SAID}


def test_the_limit_is_that_of_instruction_input_and_response_together() -> None:
    at_limit = {**ROW, "output": ROW["output"].rjust(80 - len(ROW["instruction"]), "x")}
    assert hfclean.revise(at_limit)["edit"] == "revised"
    assert hfclean.revise({**at_limit, "input": "N"})["edit_reason"] == "too_long_to_read"


def test_scores_of_a_long_row_are_nan_and_those_of_others_are_as_without_it() -> None:
    alone = hfclean.score(ROW)
    out = hfclean.score({name: [LONG[name], ROW[name]] for name in ROW})
    for name in ("preference", "rating", "response_words", "lexical_diversity"):
        assert math.isnan(out[name][0])
        assert out[name][1] == alone[name]
    assert out["defects"] == ["", alone["defects"]]
    assert (parse_history(out["edit_history"][0]) or ())[0].errors == {"Score": SAID}


def test_clean_does_the_same_in_one_pass_and_the_report_counts_the_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ds = Dataset.from_list([ROW, LONG, {**ROW, "instruction": "Name another."}])
    cleaned = clean(ds).dataset
    assert cleaned["edit_reason"][:] == ["chat_markers", "too_long_to_read", "chat_markers"]
    assert cleaned["output"][1] == LONG["output"]
    report = hfclean.compare(ds, cleaned)
    assert (report.lengths.words_before, report.lengths.words_after) == (6, 4)  # of the rows that were read
    assert "error: all rules (RuleReviser) raised on 1 row" in report.summary()
    assert "error: Score (Score) raised on 1 row" in report.summary()
    ds.to_json(tmp_path / "rows.jsonl")
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    capsys.readouterr()
    for row, read in ((0, True), (1, False)):
        assert main(["why", str(tmp_path / "out"), str(row)]) == 0
        assert ("moved most by" in capsys.readouterr().out) == read
    assert main(["undo", str(tmp_path / "out"), "--out", str(tmp_path / "back")]) == 0


def test_a_strict_run_stops_at_a_long_row() -> None:
    for strict in (hfclean.RuleReviser(strict=True), hfclean.scorers.Score(strict=True)):
        with pytest.raises(StrictError, match="TooLong: 149 characters; at most 80 are read"):
            strict(LONG)
