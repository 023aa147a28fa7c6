"""Rules and embedded scores in one pass give what they give one after the other."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

import hfclean
from hfclean.cleaning import clean
from hfclean.errors import ColumnError
from hfclean.folder import write_folder
from hfclean.layout import Layout
from hfclean.reviser.scored import BEFORE, in_one_pass
from hfclean.rules import html
from hfclean.scorers import indicators
from hfclean.source import Source
from hfclean.testing import shape_rows

scoring = import_module("hfclean.scorers.embedded.score")

CLEAN = {"instruction": "Name a fruit.", "input": "", "output": "An apple, or a pear if the apples are gone."}
DIRTY = {"instruction": "Name a fruit.", "input": "N/A", "output": "  An  apple.\n\n\n\n\nOr a pear.</s>"}


def both_ways(ds: Dataset, reviser: Any, score: Any) -> tuple[Dataset, Dataset]:
    once = ds.map(in_one_pass(reviser, score), batched=True)
    return once, ds.map(reviser, batched=True).map(score, batched=True)


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The answers that are read from now on."""
    seen: list[str] = []
    read = indicators.read

    def counted(pair: Any) -> Any:
        seen.append(pair.response)
        return read(pair)

    monkeypatch.setattr(scoring, "read", counted)
    return seen


@pytest.mark.parametrize("shape", shape_rows())
def test_both_ways_give_the_same(shape: str) -> None:
    once, twice = both_ways(Dataset.from_list(shape_rows()[shape]), hfclean.revise, hfclean.score)
    assert once.column_names == twice.column_names
    assert repr(once[:]) == repr(twice[:])


@pytest.mark.parametrize(("turns", "side"), [("all", "chosen"), ("last", "both")])
@pytest.mark.parametrize("shape", ["messages", "preference"])
def test_both_ways_read_the_same_turns_and_sides(shape: str, turns: Any, side: Any) -> None:
    ds = Dataset.from_list(shape_rows()[shape])
    reviser = hfclean.RuleReviser(turns=turns, side=side, skip=("whitespace",), prefix="q_")
    once, twice = both_ways(ds, reviser, hfclean.score.with_layout(reviser.layout))
    assert repr(once[:]) == repr(twice[:])


def test_a_rule_that_raises_is_noted_in_both_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> bool:
        raise ValueError("no such tag")

    monkeypatch.setattr(html, "_remnants", fail)
    ds = Dataset.from_list(
        [{**CLEAN, "output": "<b>An apple</b>  and a pear, both from the same tree."}, CLEAN, DIRTY]
    )
    once, twice = both_ways(ds, hfclean.revise, hfclean.score)
    assert repr(once[:]) == repr(twice[:])
    assert once["edit_reason"][0].split()[-1] == "rule_error"
    assert once["edit_history"][0].count("no such tag") == 2


def test_an_indicator_that_raises_leaves_the_repairs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(pair: Any) -> Any:
        raise ValueError("no words")

    monkeypatch.setattr(scoring, "read", fail)
    once, twice = both_ways(Dataset.from_list([CLEAN, DIRTY]), hfclean.revise, hfclean.score)
    assert repr(once[:]) == repr(twice[:])
    assert once["edit"][:] == ["kept", "revised"]


def test_a_row_that_stays_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(monkeypatch)
    rows = [{**CLEAN, "output": f"{CLEAN['output']} {k} of them are left."} for k in range(40)]
    cleaned = clean(Dataset.from_list([*rows, DIRTY]), num_proc=1)
    assert [step["by"] for step in cleaned.transforms] == ["RuleReviser", "Score", "mark_duplicates"]
    assert sorted(seen[:41]) == sorted([*(row["output"] for row in rows), DIRTY["output"]])
    assert set(seen[41:]).isdisjoint(row["output"] for row in rows)


def test_each_text_of_a_repaired_row_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = reads(monkeypatch)
    rows = [{**CLEAN, "output": f"An apple {k}.</s>"} for k in range(30)]
    before = DatasetDict({"train": Dataset.from_list(rows)})
    cleaned = clean(before, num_proc=1)
    write_folder(tmp_path / "out", cleaned, before=before, source=Source(before, "rows", "file", "0"), layout=Layout())
    repaired = [f"An apple {k}." for k in range(30)]
    assert sorted(seen) == sorted([*(row["output"] for row in rows), *repaired])


@pytest.mark.parametrize("shape", shape_rows())
def test_what_the_pass_knew_is_what_a_comparison_finds(shape: str, tmp_path: Path) -> None:
    rows = shape_rows()[shape]
    before = DatasetDict({"train": Dataset.from_list(rows), "test": Dataset.from_list(rows[:1])})
    layout, source = Layout(), Source(before, "rows", "file", "0")
    cleaned = clean(before, num_proc=1)
    assert cleaned.known.keys() == {"train", "test"}
    reports = [
        write_folder(tmp_path / name, done, before=before, source=source, layout=layout)
        for name, done in (("known", cleaned), ("found", replace(cleaned, known={})))
    ]
    assert reports[0].to_dict() == reports[1].to_dict()
    ledgers = [(tmp_path / name / "ledger.parquet").read_bytes() for name in ("known", "found")]
    assert ledgers[0] == ledgers[1]


def test_where_rows_were_dropped_the_changes_are_those_of_the_rows_left(tmp_path: Path) -> None:
    before = DatasetDict({"train": Dataset.from_list([CLEAN, CLEAN, DIRTY, {**DIRTY, "output": "A plum.</s>"}])})
    cleaned = clean(before, drop_duplicates=True, num_proc=1)
    write_folder(tmp_path / "out", cleaned, before=before, source=Source(before, "rows", "file", "0"), layout=Layout())
    ledger = Dataset.from_parquet(str(tmp_path / "out" / "ledger.parquet"), cache_dir=str(tmp_path / "cache"))
    assert [text for text in ledger["after"] if text.startswith("A plum")] == ["A plum."]
    assert set(ledger["row_id"]) == set(cleaned.dataset["train"]["row_id"][1:])


def test_rows_with_a_history_are_compared_anew() -> None:
    once = clean(Dataset.from_list([DIRTY]), num_proc=1).dataset
    again = clean(DatasetDict({"train": once}), num_proc=1)
    assert again.known["train"][BEFORE][:] == [""]


def test_a_column_of_that_name_is_not_lost() -> None:
    with pytest.raises(ColumnError, match="before the rules"):
        clean(Dataset.from_list([{**CLEAN, BEFORE: "mine"}]), num_proc=1)


def test_rules_of_the_users_own_run_as_well() -> None:
    @hfclean.rule("shouting", severity="low", meaning="the answer is all capitals")
    def shouting(pair: Any) -> bool:
        return bool(pair.response.isupper())

    own = shouting.with_repair(lambda pair: pair.replace(response=pair.response.capitalize()))
    ds = Dataset.from_list([{**CLEAN, "output": "AN APPLE"}, CLEAN])
    once, twice = both_ways(ds, hfclean.RuleReviser(extra=(own,)), hfclean.score)
    assert repr(once[:]) == repr(twice[:])
    assert once["output"][0] == "An apple"
