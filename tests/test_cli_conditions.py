"""Conditions on rows: what a word says, how many rows may match it, and what `score --fail-on` and `head --where` make
of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from hfclean.cli import main
from hfclean.cli.conditions import bound_of, condition_of, outcomes, places_matching
from hfclean.cli.reading import UsageError
from hfclean.layout import Layout

ROWS = [
    {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"},
    {"instruction": "Name a colour.", "input": "", "output": "Red, as of ripe cherries."},
    {"instruction": "Name a river.", "input": "", "output": ""},
    {"instruction": "Name a tree.", "input": "", "output": "An oak.</s>"},
]


@pytest.fixture
def rows(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HFCLEAN_HOME", str(work / "home"))
    (work / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    return work


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("defect=chat_markers", ["chat_markers", "whitespace chat_markers"]),
        ("defect", ["whitespace", "chat_markers", "whitespace chat_markers"]),
        ("rating<0.3", [0.1, -1]),
        ("rating <= 0.3", [0.1, 0.3, -1]),
        ("rating>0.3", [4.0, 5]),
        ("rating>=0.3", [0.3, 4.0, 5]),
        ("unscored=rating", ["", "whitespace", "chat_markers", "whitespace chat_markers", math.nan, None]),
        ("source=chat_markers", ["chat_markers"]),
        ("n=5.0", [5]),
        ("n=a=b", []),
    ],
)
def test_a_condition_matches_these_cells(text: str, cells: list[Any]) -> None:
    every = ["", "whitespace", "chat_markers", "whitespace chat_markers", 0.1, 0.3, 4.0, math.nan, None, -1, 5]
    if text.startswith("defect"):
        every = every[:4]
    condition = condition_of("--where", text)
    assert [repr(cell) for cell in every if condition.matches(cell)] == [repr(cell) for cell in cells]


@given(
    st.lists(st.floats() | st.integers(-5, 5) | st.none(), max_size=20),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.integers(-5, 5),
    st.integers(0, 20),
    st.booleans(),
)
def test_it_fails_where_more_rows_match_than_are_allowed(
    cells: list[float | None], sign: str, value: int, most: int, is_share: bool
) -> None:
    splits = {"train": Dataset.from_dict({"x": [None if cell is None else float(cell) for cell in cells]})}
    bound = bound_of("--fail-on", f"x{sign}{value}:{most * (5 if is_share else 1)}{'%' * is_share}")
    (found,) = outcomes([bound], splits, Layout(), "--fail-on")
    known = [cell for cell in cells if cell is not None and not math.isnan(cell)]
    count = sum({"<": c < value, "<=": c <= value, ">": c > value, ">=": c >= value}[sign] for c in known)
    assert (found.rows, found.of, len(found.first)) == (count, len(cells), min(3, count))
    assert found.failed is (count > (most * 5 * len(cells) / 100 if is_share else most))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected defect, defect=RULE"),
        ("rating", "expected defect, defect=RULE"),
        ("rating<low", "'low' is not a number"),
        ("rating<nan", "'nan' is not a number"),
        ("defect<3", "defect takes ="),
        ("defect=whitspace", "no such defect .did you mean 'whitespace'"),
        ("rating<0.3:101%", "more than all rows"),
        ("rating<0.3:1.5", "such as :5, or a share such as :0.5%"),
        ("rating<0.3:x", "'0.3:x' is not a number"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"--fail-on .*{said}"):
        bound_of("--fail-on", text)


def test_columns_are_found_with_their_prefix_or_named(work: Path) -> None:
    splits = {"": Dataset.from_dict({"h_rating": [0.1, 0.9], "n": ["a", "b"]})}
    both = [condition_of("--where", "rating<0.5"), condition_of("--where", "n=a")]
    assert list(places_matching(splits, both, Layout(prefix="h_"), "--where")) == [("", 0)]
    with pytest.raises(UsageError, match=r"--where raitng<1: no column 'raitng' .did you mean 'h_rating'"):
        list(places_matching(splits, [condition_of("--where", "raitng<1")], Layout(), "--where"))


def test_score_ends_with_code_3_and_one_line_for_each_condition(rows: Path, capsys: Any) -> None:
    words = [
        "score",
        "rows.jsonl",
        "--quiet",
        "--fail-on",
        "defect=chat_markers:2",
        "--fail-on",
        "response_words<1:25%",
    ]
    assert main(words) == 0
    assert capsys.readouterr() == ("", "")
    words = ["score", "rows.jsonl", "--quiet", "--fail-on", "defect=chat_markers:1", "--fail-on", "defect:50%"]
    assert main(words) == 3
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == (
        "",
        [
            "hfclean score: failed on defect=chat_markers: 2 of 4 rows (50.0%), allowed 1: train:0, train:3",
            "hfclean score: failed on defect: 3 of 4 rows (75.0%), allowed 50%: train:0, train:2, train:3",
        ],
    )
    assert main([*words[:2], "--json", "--fail-on", "defect", "--fail-on", "rating<-1"]) == 3
    told = json.loads(capsys.readouterr().out)["fail_on"]
    assert [(each["condition"], each["rows"], each["failed"]) for each in told] == [
        ("defect", 3, True),
        ("rating<-1", 0, False),
    ]
    assert main([*words[:2], "--out", "scored", "--prefix", "h_", "--fail-on", "unscored=rating"]) == 0
    assert (rows / "scored" / "hfclean.json").exists()


def test_head_takes_several_conditions(rows: Path, capsys: Any) -> None:
    def shown(*words: str) -> list[int]:
        assert main(["head", "rows.jsonl", "--quiet", "--json", *words]) == 0
        return [row["row"] for row in json.loads(capsys.readouterr().out)]

    assert shown("-n", "2") == [0, 1]
    assert shown("--where", "defect=chat_markers") == [0, 3]
    assert shown("--where", "defect", "--where", "response_words<1") == [2]
    assert shown("--where", "defect", "--worst", "response_words") == [2, 0, 3]
    assert shown("--where", "defect", "--worst", "response_words", "--prefix", "h_", "-n", "1") == [2]
    assert main(["head", "rows.jsonl", "--worst", "ratng"]) == 2
    assert "--worst ratng: no column 'ratng' (did you mean 'rating'?)" in capsys.readouterr().err
