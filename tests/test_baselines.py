"""Baselines: plain choices beside a selection, in a table, in the report and on its page; and the three commands."""

from __future__ import annotations

import io
import json
import math
import random
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from datasets import Dataset

import hfclean
from hfclean.cli import main
from hfclean.errors import HfcleanError
from hfclean.report import Report
from hfclean.selection.plain_choices import compare_choices


def rows(count: int = 40) -> Dataset:
    lengths = random.Random(0).sample(range(1, count + 1), count)
    return Dataset.from_list([{"prompt": f"Question {n}", "completion": "word " * n} for n in lengths])


def test_overlap_and_lengths_are_those_of_the_definition() -> None:
    ds = rows()
    words = [len(text.split()) for text in ds["completion"]]
    longest = sorted(range(40), key=lambda k: (-words[k], k))[:10]
    found = {(each.name, each.seed): each for each in hfclean.selection.baselines(ds, longest, seeds=(3, 8)).choices}
    assert list(found) == [
        ("selection", -1),
        ("all", -1),
        ("random", 3),
        ("random", 8),
        ("longest", -1),
        ("shortest", -1),
        ("first", -1),
    ]
    assert (found["longest", -1].overlap, found["shortest", -1].overlap, found["all", -1].overlap) == (1.0, 0.0, 0.25)
    assert found["selection", -1].mean == sum(words[k] for k in longest) / 10
    drawn = random.Random(8).sample(range(40), 10)
    assert found["random", 8].shared == len(set(drawn) & set(longest))
    assert found["first", -1].shared == sum(k < 10 for k in longest)
    assert found["all", -1].p50 == sorted(words)[round(0.5 * 39)]


def test_of_equal_lengths_the_earlier_row_is_taken() -> None:
    found = {each.name: each for each in compare_choices([2.0, 2.0, 2.0, math.nan], [0])}
    assert found["longest"].shared == 1
    assert found["shortest"].shared == 0  # nan counts as no words


def test_all_rows_one_row_and_none() -> None:
    ds = rows(3)
    assert {each.overlap for each in hfclean.selection.baselines(ds, range(3)).choices} == {1.0}
    none = hfclean.selection.baselines(ds, [])
    assert math.isnan(none.choices[0].overlap)
    assert json.loads(json.dumps(none.to_dict()))["choices"][0]["mean"] is None
    assert "0 of 3 rows chosen" in none.summary()
    assert hfclean.selection.baselines(ds.select([]), []).rows == 0
    with pytest.raises(HfcleanError, match="the index 3 is not in"):
        hfclean.selection.baselines(ds, [0, 3])
    with pytest.raises(HfcleanError, match="the index -1 is not in"):
        hfclean.selection.baselines(ds, [-1])


def test_a_report_shows_plain_choices_where_rows_were_removed() -> None:
    ds = rows()
    kept = list(range(5, 25))
    report = hfclean.compare(ds, ds.select(kept))
    assert report.baselines == hfclean.selection.baselines(ds, kept).choices
    table = str(report).split("kept, compared with plain choices")[1]
    assert [line.split("  ")[0] for line in table.splitlines()[1:]] == [
        "selection",
        "all",
        "random (mean of 5 seeds)",
        "longest",
        "shortest",
        "first",
    ]
    html = report.to_html()
    assert "Kept rows beside plain choices" in html
    assert "random (seed 4)" in html
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))).to_dict() == report.to_dict()


def test_a_report_without_removed_rows_or_of_before_has_none() -> None:
    ds = rows(5)
    report = hfclean.compare(ds, ds)
    assert report.baselines == ()
    assert "plain choices" not in str(report) + report.to_html()
    told = report.to_dict()
    del told["baselines"]
    assert Report.from_dict(told).to_dict() == report.to_dict()


def test_names_in_the_table_are_escaped() -> None:
    ds = rows(4)
    told = hfclean.compare(ds, ds.select([0])).to_dict()
    told["baselines"][0]["name"] = "<script>alert(1)</script>"
    assert "<script>alert" not in Report.from_dict(told).to_html()


# -------------------------------------------------------------------------------------------------------- command line


def run(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(list(words))
        except SystemExit as e:
            code = int(str(e.code))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def files(work: Path) -> Path:
    texts = ["Why is the sky blue today?", "why is the SKY blue today", "Name a fruit.", "Tell me a joke about cats."]
    lines = [
        {"instruction": text, "output": "x " * (k + 1), "score": k / 4, "embedding": [1.0, float(k)]}
        for k, text in enumerate(texts)
    ]
    Path("in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    Path("bench.jsonl").write_text(json.dumps({"id": 9, "question": "Tell me a joke about cats"}) + "\n")
    return work


def test_the_commands_choose_write_and_say(files: Path) -> None:
    code, out, _ = run("dedupe", "in.jsonl", "--quiet", "--field", "instruction", "--by", "score", "--out", "d.jsonl")
    assert code == 0, out
    assert "1 groups of duplicates" in out
    assert [json.loads(line)["score"] for line in Path("d.jsonl").read_text().splitlines()] == [0.25, 0.5, 0.75]
    code, out, _ = run("dedupe", "in.jsonl", "--quiet", "--method", "semantic", "--threshold", "0.9", "--no-complete")
    assert (code, "1 groups" in out, "nearest cells" in out) == (0, True, True), out
    code, out, _ = run("dedupe", "in.jsonl", "--quiet", "--method", "semantic", "--threshold", "0.9", "--complete")
    assert (code, "1 groups" in out, "nearest cells" in out) == (0, True, False), out
    code, out, _ = run("decontaminate", "in.jsonl", "--quiet", "--against", "bench.jsonl", "--report", "r.json")
    assert (code, "bench: 1 of 1 items" in out) == (0, True)
    assert json.loads(Path("r.json").read_text())["train"]["decontamination"]["hits"][0]["row"] == 3
    code, out, _ = run("select", "in.jsonl", "--quiet", "--n", "2", "--by", "score", "--json", "--out", "s.parquet")
    told = json.loads(out[out.index("{") :])
    assert (code, told["splits"]["train"]["kept"], told["files"]) == (0, 2, {"s.parquet": 2})
    assert told["splits"]["train"]["baselines"]["choices"][0]["name"] == "selection"
    code, out, _ = run("select", "in.jsonl", "--quiet", "--n", "2", "--by", "score", "--method", "top")
    assert (code, "longest" in out) == (0, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("dedupe", "in.jsonl", "--threshold", "2"), 1, "at most 1"),
        (("dedupe", "in.jsonl", "--out", "new.jsonl", "--report", "nowhere/r.json"), 1, "no such folder"),
        (("dedupe", "in.jsonl", "--out", "x.txt"), 2, ".jsonl"),
        (("select", "in.jsonl", "--n", "1", "--method", "top"), 2, "--by"),
        (("decontaminate", "in.jsonl", "--against", "nowhere.jsonl"), 1, "cannot be read"),
        (("dedupe", "in.jsonl", "--out", "in.jsonl"), 1, "already exists"),
    ],
)
def test_wrong_words_are_one_line(files: Path, words: tuple[str, ...], code: int, said: str) -> None:
    found, _, err = run(*words, "--quiet")
    assert (found, said in err) == (code, True), err
