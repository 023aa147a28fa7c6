"""The record of a comparison: to JSON and back, strictly; and as a table for the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

import hfclean
from hfclean.errors import SourceError
from hfclean.report import Edit, Report, formatting
from hfclean.restoration import LedgerEntry


@pytest.fixture(scope="module")
def report() -> Report:
    raw = Dataset.from_list(
        [
            {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"},
            {"instruction": "Name a colour.", "input": "", "output": "Red."},
            {"instruction": "Name a bird.", "input": "", "output": ""},
        ]
    )
    return hfclean.compare(raw, raw.map(hfclean.revise).map(hfclean.score))


def test_json_and_back(report: Report, tmp_path: Path) -> None:
    report.save(tmp_path / "report.json")
    again = Report.load(tmp_path / "report.json")
    assert again == report
    assert again.to_html() == report.to_html()
    assert isinstance(again.edits[0], LedgerEntry)
    assert report.to_dict()["edits"][0] == {
        "row_id": report.edits[0].row_id,
        "field": "output",
        "rule": "chat_markers",
        "before": "An apple.</s>",
        "after": "An apple.",
        "split": "train",
        "index": 0,
        "text_hash": report.edits[0].text_hash,
    }


def test_edits_can_be_left_out(report: Report) -> None:
    small = report.to_dict(edits=False)
    assert small["edits"] == []
    assert Report.from_dict(small).rules == report.rules


def test_lone_surrogates_survive_and_reach_no_file(report: Report, tmp_path: Path) -> None:
    data = report.to_dict()
    data["edits"][0]["before"] = "a\ud800b"
    odd = Report.from_dict(data)
    odd.save(tmp_path / "odd.json")
    assert Report.load(tmp_path / "odd.json").edits[0].before == "a\ud800b"
    odd.save_html(tmp_path / "odd.html")
    assert "U+D800" in (tmp_path / "odd.html").read_text(encoding="utf-8")


Damage = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda d: d.pop("format"), "not a report of hfclean"),
        (lambda d: d.update(version=99), "has version 99 and this hfclean reads 1"),
        (lambda d: d.pop("rules"), "no entry 'rules'"),
        (lambda d: d.update(more=1), "unknown entry 'more'"),
        (lambda d: d.update(rules={}), "report.rules is dict '{}'; expected a list"),
        (
            lambda d: d["splits"][0].update(before="5"),
            r"report.splits\[0\].before is str '5'; expected a whole number",
        ),
        (lambda d: d["splits"][0].update(before=True), "expected a whole number"),
        (lambda d: d["splits"][0].update(before=1.0), "expected a whole number"),
        (lambda d: d["tokens"].update(estimated=1), "expected true or false"),
        (lambda d: d["tokens"]["after"].update(mean="x"), "expected a number or null"),
        (lambda d: d["tokens"]["after"].update(mean=10**400), "expected a number or null"),
        (lambda d: d["edits"].append(None), r"report.edits\[2\] is NoneType 'None'; expected an object"),
        (lambda d: d.update(notes=[3]), r"report.notes\[0\] is int '3'; expected a string"),
    ],
)
def test_a_report_that_is_damaged_is_refused(report: Report, damage: Damage, told: str) -> None:
    data = json.loads(json.dumps(report.to_dict()))
    damage(data)
    with pytest.raises(SourceError, match=told):
        Report.from_dict(data)


@pytest.mark.parametrize("content", ["", "{", "[1]", "[" * 100_000])
def test_a_file_that_is_no_report_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(SourceError):
        Report.load(tmp_path / "x.json")


def test_reports_cannot_be_changed(report: Report) -> None:
    with pytest.raises(AttributeError):
        report.shape = "other"  # type: ignore[misc]
    assert isinstance(report.edits, tuple)
    assert hash(report.edits[0]) == hash(Edit(**report.to_dict()["edits"][0]))


def test_the_summary_is_a_table(report: Report) -> None:
    lines = report.summary().splitlines()
    assert lines[0] == "3 rows before, 3 after"
    assert lines[1] == "1 changed (33.3%)"
    assert lines[2] == "2 had a defect that the rules see, 1 still do"
    markers = next(line for line in lines if line.startswith("chat_markers"))
    assert markers.split() == ["chat_markers", "high", "1", "1", "0", "output", "1"]
    words = next(k for k, line in enumerate(lines) if line.startswith("response_words"))
    assert lines[words].split()[1:] == ["before", "0", "0.100", "0.500", "1", "2", "2.80", "3", "1.33", "0"]
    assert lines[words + 1].split()[0] == "after"
    assert any(line.startswith("longer than 2,048 estimated tokens: 0 rows before, 0 after") for line in lines)
    assert str(report) == report.summary()
    assert not report.summary().endswith("\n")
    assert max(map(len, lines)) < 140


def test_a_notebook_shows_the_figures(report: Report) -> None:
    html = report._repr_html_()
    assert "<td>33.3%" not in html
    assert "3 rows went in and 3 came out. The text of 1 (33.3%) changed." in html
    assert "<th>chat_markers</th><td>high</td><td>1</td><td>1</td><td>0</td>" in html


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 5, "0%"), (5, 5, "100%"), (1, 3, "33.3%"), (1, 10_000, "< 0.1%"), (9999, 10_000, "> 99.9%"), (0, 0, "–")],
)
def test_shares_do_not_lie_at_the_ends(part: int, whole: int, text: str) -> None:
    assert formatting.percent(part, whole) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.12345, "0.123"),
        (1.5, "1.50"),
        (12.345, "12.3"),
        (12345.6, "12,346"),
        (math.nan, "–"),
    ],
)
def test_quantities_are_short(number: float, text: str) -> None:
    assert formatting.quantity(number) == text


def test_names_from_data_cannot_steer_a_terminal() -> None:
    assert formatting.one_line("a\x1b[2J\n\u202eb\ud800") == r"a\x1b[2J\n\u202eb\ud800"
    assert formatting.one_line("abcdef", 4) == "abc…"
    assert formatting.field_name("messages/12/content/0/text") == "messages/*/content/*/text"
    assert formatting.field_name("output2") == "output2"
