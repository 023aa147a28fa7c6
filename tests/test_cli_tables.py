"""What the terminal shows: tables within its width, scored rows as scores, a few rows, and short reprs in Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

import hfclean
from hfclean.cli import main
from hfclean.errors import HfcleanError
from hfclean.report.tables import table

ROWS = [
    {"instruction": "Name a fruit.", "output": "An apple.</s>"},
    {"instruction": "Name a tree.", "output": "An oak    grows in the north. "},
    {
        "instruction": "Name a river.",
        "output": "The Danube flows through ten countries, from Germany to the Black Sea.",
    },
    {"instruction": "Explain why the sky is blue.", "output": "<nooutput>"},
    {"instruction": "Name a city.", "output": "Vienna.</s>"},
]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def test_a_table_is_as_wide_as_it_needs_and_gives_way_in_order() -> None:
    rows = [["name", "low", "mid", "high", ""], ["a long name of a thing", "1", "22", "333", ""]]
    assert table(rows).split("\n") == [
        "name                    low  mid  high",
        "a long name of a thing    1   22   333",
    ]
    assert table(rows, width=30, drop=((1, 3), (2,))).split("\n") == [
        "name                    mid",
        "a long name of a thing   22",
    ]
    assert table(rows, width=20, drop=((1, 3),), cut=0).split("\n") == ["name             mid", "a long name of…   22"]
    assert table([]) == ""


@pytest.mark.parametrize("width", [80, 120])
def test_what_clean_and_score_print_fits_the_terminal(
    width: int, work: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for words in (["clean", "rows.jsonl", "--out", "out"], ["score", "rows.jsonl"], ["head", "rows.jsonl"]):
        assert main([*words, "--quiet"]) == 0
        lines = capsys.readouterr().out.split("\n")
        assert max(map(len, lines)) <= width
        assert "\x1b" not in "".join(lines)
        if words[0] != "head":
            assert any("5%  " in line and "95%" in line for line in lines) == (width == 120)


def test_score_reads_as_a_score(work: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["score", "rows.jsonl", "--quiet"]) == 0
    out = capsys.readouterr().out
    lines = out.split("\n")
    assert lines[0] == "5 rows scored, 4 with a defect that the rules see (80.0%)"
    assert "before" not in out
    assert "changed" not in out
    first = next(k for k, line in enumerate(lines) if line.startswith("defects, the most frequent 3 of 3"))
    assert lines[first + 1].startswith("chat_markers: 2 rows, severity high: ")
    assert lines[first + 2 : first + 5] == ["  train:0  response", "    - An apple.</s>", "    + An apple."]
    worst = lines.index("rows with the most severe defects:")
    assert {line.split("  ")[0] for line in lines[worst + 1 : worst + 7 : 3]} <= {"train:0", "train:3", "train:4"}
    lowest = lines.index("rows with the lowest rating:")
    ratings = [float(line.split("rating ")[1].split()[0]) for line in lines[lowest:] if "  rating " in line]
    assert ratings == sorted(ratings)
    assert len(ratings) == 5


def test_head_shows_the_first_the_worst_and_those_with_a_defect(work: Path, capsys: Any) -> None:
    def shown(*words: str) -> list[dict[str, Any]]:
        assert main(["head", "rows.jsonl", "--quiet", "--json", *words]) == 0
        rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return rows

    assert [row["row"] for row in shown("-n", "2")] == [0, 1]
    assert [row["row"] for row in shown("--where", "defect=chat_markers")] == [0, 4]
    assert [row["row"] for row in shown("--where", "defect=chat_markers", "-n", "1")] == [0]
    assert [row["row"] for row in shown("--where", "output=<nooutput>")] == [3]
    scored = Dataset.from_list(ROWS).map(hfclean.score)
    order = sorted(range(5), key=lambda k: scored["rating"][k])
    worst = shown("--worst", "rating", "-n", "3")
    assert [row["row"] for row in worst] == order[:3]
    assert worst[0]["rating"] == scored["rating"][order[0]]
    chosen = shown("--worst", "response_words", "--where", "defect=chat_markers")
    assert [row["row"] for row in chosen] == [4, 0]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--where", "defect=whitspace"], "no such defect (did you mean 'whitespace'?)"),
        (["--where", "output"], "--where 'output': expected defect, defect=RULE, SCORE<NUMBER"),
        (["--worst", "ratng"], "--worst ratng: no column 'ratng' (did you mean 'rating'?)"),
        (["--where", "outptu=x"], "--where outptu=x: no column 'outptu' (did you mean 'output'?)"),
        (["-n", "0"], "-n 0: expected at least 1"),
    ],
)
def test_what_head_cannot_find_is_one_line(words: list[str], line: str, work: Path, capsys: Any) -> None:
    assert main(["head", "rows.jsonl", "--quiet", *words]) == 2
    err = capsys.readouterr().err
    assert (line in err, err.count("\n")) == (True, 1)


def test_what_clean_gives_is_one_line_and_a_small_table() -> None:
    ds = Dataset.from_list([*ROWS, ROWS[0]])
    cleaned = hfclean.clean(DatasetDict({"train": ds}), drop_duplicates=True, show=False)
    assert repr(cleaned) == "Cleaned(rows 5, removed 1, by RuleReviser, Score, mark_duplicates)"
    html = cleaned._repr_html_()
    assert "<tr><th>rows</th><td>5</td></tr><tr><th>removed</th><td>1</td></tr>" in html
    report = hfclean.compare(ds, cleaned.dataset["train"])
    assert repr(report).startswith("Report(6 rows before, 5 after, ")
    assert "\n" not in repr(report)
    assert report == hfclean.report.Report.from_dict(report.to_dict())


def test_values_without_their_columns_are_refused_in_words() -> None:
    ds = Dataset.from_list(ROWS)
    with pytest.raises(
        HfcleanError, match="Score got 2 values in place of one row or batch; leave out input_columns="
    ):
        ds.map(hfclean.score, input_columns=["instruction", "output"])
    with pytest.raises(HfcleanError, match=r"Score got a str; expected .* without input_columns="):
        ds.map(hfclean.score, input_columns="instruction")


def test_commands_that_choose_rows_show_some_with_control_characters_escaped(work: Path, capsys: Any) -> None:
    texts = ["Name the red river of the north.", "Say hi.", "Name the red river of the north.", "Count to ten."]
    rows = [
        {"instruction": text, "input": "", "output": f"{k} \x1b[31m {text} " * 40, "n": k}
        for k, text in enumerate(texts)
    ]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Path("bench.jsonl").write_text(json.dumps({"id": "\x1b[2J", "question": texts[0]}))

    def told(*words: str) -> list[str]:
        assert main([*words, "--quiet"]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        lines: list[str] = out.splitlines()
        assert max(len(line) for line in lines if line.startswith("  ")) <= 80
        return lines

    duplicates = told("dedupe", "rows.jsonl", "--field", "instruction", "--method", "exact")
    place = duplicates.index("for example, kept and left out:")
    assert duplicates[place + 1 : place + 3] == ["  train:0", f"    instruction: {texts[0]}"]
    assert duplicates[place + 3].startswith("    response: 0 \\u001b[31m Name")
    assert duplicates[place + 4] == "  train:2"
    leaked = told("decontaminate", "rows.jsonl", "--against", "bench.jsonl")
    assert leaked[leaked.index("for example, left out:") + 1] == "  train:0"
    chosen = told("select", "rows.jsonl", "-n", "1", "--method", "top", "--by", "n")
    assert chosen[chosen.index("the first that were chosen:") + 1] == "  train:3"
