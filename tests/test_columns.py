"""A column is declared once: card, report, `why`, the pages and the refresh of stale scores read what it says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from datasets import Dataset

import hfclean
from hfclean import scorers
from hfclean.cards import dataset_card
from hfclean.cli import main
from hfclean.columns import Column, column_of, read_columns
from hfclean.errors import ColumnError
from hfclean.provenance import Step, parse_history
from hfclean.report import Report
from hfclean.schema import Pair
from hfclean.scorers import Scorer
from hfclean.scorers.explained import explained
from hfclean.transform import Transform

ROWS = [{"instruction": "Name a fruit.", "input": "", "output": text} for text in ("An apple.</s>", "A pear, or two.")]


class Ease(Scorer):
    """A third party's scorer."""

    adds: ClassVar[tuple[Column, ...]] = (
        Column("ease", "how easily <b>anybody</b> reads the answer", low=0, high=100, better="higher"),
        Column("ease_level", "easy or hard", "text"),
        Column("ease_parts", "the same for each sentence", "numbers"),
    )

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        n = len(pairs)
        return {"ease": [50.0] * n, "ease_level": ["easy"] * n, "ease_parts": [[1.0, 2.0]] * n}


@hfclean.scorer("marks", meaning="marks in the answer", low=0, better="lower", unit="marks")
def marks(pair: Pair) -> float:
    return float(pair.response.count(","))


@pytest.fixture(scope="module")
def scored() -> tuple[Dataset, Dataset]:
    raw = Dataset.from_list(ROWS)
    return raw, raw.map(hfclean.score, batched=True).map(Ease(), batched=True).map(marks, batched=True)


def test_a_third_partys_columns_are_explained_on_report_and_card(scored: tuple[Dataset, Dataset]) -> None:
    report = hfclean.compare(*scored)
    meanings = {column.name: column.meaning for column in report.columns}
    assert meanings["ease"] == "How easily <b>anybody</b> reads the answer (0 to 100, higher = better)."
    assert meanings["marks"] == "Marks in the answer (0 and up, in marks, lower = better)."
    assert meanings["ease_level"] == "Easy or hard."
    assert meanings["edit_history"].startswith("One line of JSON")
    report = Report.from_dict(json.loads(json.dumps(report.to_dict())))
    page, card = report.to_html(), dataset_card(report)
    assert page.count("how easily") == 0
    assert "How easily &lt;b&gt;anybody&lt;/b&gt; reads the answer (0 to 100, higher = better)." in page
    assert "Marks in the answer (0 and up, in marks, lower = better)." in page
    assert "| `ease` | How easily &lt;b&gt;anybody&lt;/b&gt; reads the answer (0 to 100, higher = better). |" in card
    assert "| `ease_level` | Easy or hard. |" in card


def test_a_report_without_meanings_knows_our_own_columns(scored: tuple[Dataset, Dataset]) -> None:
    data = hfclean.compare(*scored).to_dict()
    del data["columns"]
    old = Report.from_dict(data)
    assert "percentile of a reference set" in old.to_html()
    assert "How easily" not in dataset_card(old)


def test_the_folder_and_why_explain_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = Dataset.from_list(ROWS)
    source, out = tmp_path / "rows.jsonl", tmp_path / "out"
    raw.to_json(str(source))
    (tmp_path / "ease_of.py").write_text(
        "import hfclean\n@hfclean.scorer('commas', meaning='commas in it', low=0)\n"
        "def commas(pair): return pair.response.count(',')\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert main(["score", str(source), "--with", "ease_of:commas", "--out", str(out)]) == 0
        assert main(["why", str(out), "1"]) == 0
    assert "commas: 1\n      Commas in it (0 and up)." in capsys.readouterr().out
    assert "| `commas` | Commas in it (0 and up). |" in (out / "README.md").read_text()


def test_history_lines_come_back_as_they_were_and_ours_name_columns_only(scored: tuple[Dataset, Dataset]) -> None:
    lines = scored[1][0]["edit_history"].split("\n")
    assert json.loads(lines[0])["columns"] == list(hfclean.score.names())
    assert json.loads(lines[2])["columns"]["marks"] == {
        "meaning": "marks in the answer", "low": 0, "better": "lower", "unit": "marks",
    }  # fmt: skip
    assert [step.line() for step in parse_history("\n".join(lines)) or ()] == lines


def test_a_revision_leaves_values_of_the_declared_kind(scored: tuple[Dataset, Dataset]) -> None:
    row = scored[1].map(hfclean.revise, batched=True)[0]
    assert row["output"] == "An apple."
    assert row["ease_level"] == ""
    assert math.isnan(row["ease"])
    assert len(row["ease_parts"]) == 2
    assert all(map(math.isnan, row["ease_parts"]))
    assert row["rating"] > 0


@pytest.mark.parametrize("name", [name for name in dir(scorers) if isinstance(getattr(scorers, name), type)])
def test_our_scorers_declare_what_their_docs_say(name: str) -> None:
    kind = getattr(scorers, name)
    if not issubclass(kind, Transform):
        return
    for column in kind.adds:
        assert column.meaning, column.name
        stem = column.name.removesuffix("*").removesuffix("_turns").removesuffix("_verdict").removesuffix("_reason")
        assert stem.rstrip("_") in (kind.__doc__ or ""), f"{name}'s docstring does not name {column.name}"


def test_names_that_a_caller_chose_are_explained_as_the_usual_ones() -> None:
    declared = (Column("grade", "g"), Column("grade_reason", "r", "text"), Column("grade_*", "part"))
    assert column_of("grade_tone", declared) == Column("grade_tone", "part")
    assert column_of("grade_reason", declared) == declared[1]
    assert column_of("other", declared) is None


def test_what_strangers_write_of_columns_is_bounded() -> None:
    step = Step(
        "Theirs", 1, ("a", "b"), meanings={"a" * 999: {"meaning": "x" * 9999, "kind": "evil", "low": "no"}, "b": 3}
    )
    first, second = explained(step).values()
    assert (len(first.name), len(first.meaning), first.kind, first.low) == (200, 500, "text", None)
    assert second == Column("b")
    assert len(read_columns({str(k): {} for k in range(999)})) == 100


def test_names_in_place_of_columns_are_refused() -> None:
    with pytest.raises(ColumnError, match=r"Odd.adds holds 'odd'; expected hfclean.columns.Column"):
        type("Odd", (Scorer,), {"adds": ("odd",)})
    with pytest.raises(ColumnError, match="kind='int'"):
        Column("n", kind="int")  # type: ignore[arg-type]


def test_a_changed_meaning_is_another_cache_key() -> None:
    other = replace(marks, about=Column("marks", "something else"))
    assert other.__getstate__() != marks.__getstate__()
    assert "about" not in hfclean.scorer("plain")(lambda pair: 1.0).__getstate__()["fields"]
