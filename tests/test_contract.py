"""The contract of every public transform, on every row shape."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict, load_dataset
from datasets.fingerprint import Hasher

import hfclean
from hfclean.testing import check_transform, odd_rows, shape_rows

SHAPES = shape_rows()
FORMATS = [None, "numpy", "pandas", "arrow", pytest.param("polars", marks=pytest.mark.needs_extra("polars", "polars"))]


@hfclean.scorer("exclamations")
def exclamations(pair: hfclean.Pair) -> float:
    return pair.response.count("!")


@hfclean.rule("shouting", severity="low", meaning="the answer is all capitals")
def shouting(pair: hfclean.Pair) -> bool:
    return pair.response.isupper()


@shouting.with_repair
def quiet(pair: hfclean.Pair) -> hfclean.Pair:
    return pair.replace(response=pair.response.capitalize())


TRANSFORMS = {
    "revise": hfclean.revise,
    "score": hfclean.score,
    "a rule of one's own": hfclean.RuleReviser(extra=(quiet,)),
    "a scorer of one's own": exclamations,
}


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *((name, shape) for name in ("revise", "score") for shape in SHAPES),
        # what is of one's own sees pairs alone: one shape of each kind
        *((name, shape) for name in TRANSFORMS for shape in ("alpaca", "messages", "preference_turns")
          if name not in ("revise", "score")),
    ],
)  # fmt: skip
def test_every_transform_keeps_the_contract_on_every_shape(name: str, shape: str) -> None:
    check_transform(TRANSFORMS[name], SHAPES[shape])


# newer Pythons warn of every fork beside a thread; that this one is safe is tested with the models
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("name", ["revise", "score"])
def test_two_worker_processes_give_the_same(name: str) -> None:
    check_transform(TRANSFORMS[name], processes=True)


@pytest.mark.parametrize("settings", [{"turns": "all"}, {"side": "both"}, {"prefix": "hfclean_"}])
@pytest.mark.parametrize("shape", ["messages", "preference_turns", "alpaca"])
def test_settings_keep_the_contract(settings: dict[str, str], shape: str) -> None:
    check_transform(hfclean.RuleReviser(**settings), SHAPES[shape])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", FORMATS)
def test_restore_gives_back_exactly_what_went_in(shape: str, kind: str | None) -> None:
    raw = Dataset.from_list(SHAPES[shape])
    ds = raw.with_format(kind).map(hfclean.revise).map(hfclean.score, batched=True).map(hfclean.revise, batched=True)
    back = hfclean.restore(ds)
    assert back.format["type"] == kind
    back = back.with_format(None)
    assert back.column_names == raw.column_names
    assert back.features == raw.features
    assert back.to_list() == raw.to_list()


def test_restore_of_a_streaming_dataset_and_of_one_row() -> None:
    raw = Dataset.from_list(odd_rows())
    stream = raw.to_iterable_dataset().map(hfclean.revise).map(hfclean.score)
    assert list(hfclean.restore(stream)) == raw.to_list()
    row = {**raw[5], **hfclean.revise(raw[5])}
    assert row["output"] != raw[5]["output"]
    assert hfclean.restore(row) == raw[5]


def test_restore_of_a_dataset_dict_with_an_empty_split() -> None:
    raw = DatasetDict(train=Dataset.from_list(odd_rows()), test=Dataset.from_list(odd_rows()).select([]))
    back = hfclean.restore(raw.map(hfclean.revise, batched=True))
    assert back["train"].to_list() == raw["train"].to_list()
    assert back["test"].features == raw["test"].features


def test_restore_of_chosen_rows_leaves_the_others_revised() -> None:
    ds = Dataset.from_list(odd_rows()).map(hfclean.revise).map(hfclean.score)
    revised = [k for k, edit in enumerate(ds["edit"]) if edit == "revised"]
    assert len(revised) >= 3
    first, *others = revised
    back = hfclean.restore(ds, rows=[ds[first]["row_id"]])
    assert back[first]["output"] == odd_rows()[first]["output"]
    assert (back[first]["edit"], back[first]["edit_reason"], back[first]["original"]) == ("kept", "restored", "")
    assert [back[k] for k in others] == [ds[k] for k in others]
    assert back[first]["defects"] == hfclean.score(odd_rows()[first])["defects"]
    assert hfclean.restore(back).to_list() == odd_rows()


def test_restore_of_one_rule_keeps_what_the_others_did() -> None:
    row = {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"}
    ds = Dataset.from_list([row]).map(hfclean.revise)
    back = hfclean.restore(ds, rule="chat_markers")[0]
    assert back["output"] == "An apple.</s>"
    assert back["input"] == ""
    assert back["edit"] == "revised"
    assert hfclean.restore(Dataset.from_list([back]))[0] == row


def test_restore_says_what_it_needs() -> None:
    plain = Dataset.from_list(odd_rows())
    with pytest.raises(hfclean.errors.RestoreError, match="did not revise this dataset"):
        hfclean.restore(plain)
    ds = plain.map(hfclean.revise)
    with pytest.raises(hfclean.errors.RestoreError, match="no row has the id 'abc'"):
        hfclean.restore(ds, rows=["abc"])
    with pytest.raises(hfclean.errors.RestoreError, match="give it its old name"):
        hfclean.restore(ds.rename_column("output", "answer"))


def test_a_second_revision_adds_a_step_and_keeps_the_first_original() -> None:
    row = {"instruction": "Name a fruit.", "input": "n/a", "output": "AN APPLE.</s>"}
    once = {**row, **hfclean.RuleReviser(only=["chat_markers"])(row)}
    twice = {**once, **hfclean.RuleReviser(extra=(quiet,))(once)}
    assert twice["output"] == "An apple."
    assert twice["row_id"] == once["row_id"]
    assert twice["edit_history"].count("\n") == 1
    assert hfclean.restore(twice) == row


def test_a_text_change_computes_embedded_scores_again_and_empties_the_others() -> None:
    row = {"instruction": "Name a fruit.", "input": "", "output": "AN APPLE!</s>"}
    scored = {**row, **hfclean.score(row)}
    scored = {**scored, **exclamations(scored)}
    assert (scored["defects"], scored["exclamations"]) == ("chat_markers", 1.0)
    revised = {**scored, **hfclean.revise(scored)}
    assert revised["defects"] == ""
    assert revised["exclamations"] != revised["exclamations"]  # nan
    assert revised["response_words"] == 2.0


def test_a_column_of_the_users_own_is_refused_and_a_prefix_gets_round_it() -> None:
    row = {"instruction": "a", "output": "b  ", "original": "mine", "row_id": "7"}
    with pytest.raises(hfclean.errors.ColumnError, match=r"already has a column 'original'.*prefix='hfclean_'"):
        hfclean.revise(row)
    out = hfclean.RuleReviser(prefix="hfclean_")(row)
    assert "original" not in out
    assert out["hfclean_edit"] == "revised"
    assert hfclean.restore({**row, **out}, prefix="hfclean_") == row
    with pytest.raises(hfclean.errors.ColumnError, match="'defects'"):
        hfclean.score({"instruction": "a", "output": "b", "defects": "mine"})
    with pytest.raises(hfclean.errors.ColumnError, match="'edit_history'"):
        hfclean.score({"instruction": "a", "output": "b", "edit_history": "mine"})


def test_settings_and_versions_change_the_fingerprint() -> None:
    base = Hasher.hash(hfclean.revise)
    others = [
        hfclean.RuleReviser(skip=["whitespace"]),
        hfclean.RuleReviser(only=["whitespace"]),
        hfclean.RuleReviser(extra=(quiet,)),
        replace(hfclean.revise, turns="all"),
    ]
    assert len({base, *map(Hasher.hash, others)}) == 5
    assert Hasher.hash(hfclean.RuleReviser()) == base


def test_a_raised_version_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    base = Hasher.hash(hfclean.revise)
    monkeypatch.setattr(hfclean.RuleReviser, "version", hfclean.RuleReviser.version + 1)
    assert Hasher.hash(hfclean.revise) != base


def test_a_raised_rule_version_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    import hfclean.scorers.embedded.score as embedded

    base = Hasher.hash(hfclean.score)
    first, *rest = embedded.RULES
    monkeypatch.setattr(embedded, "RULES", (replace(first, version=first.version + 1), *rest))
    assert Hasher.hash(hfclean.score) != base


SECOND_PROCESS = """
import sys, datasets, hfclean
datasets.disable_progress_bars()
ds = datasets.load_dataset("parquet", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])
calls = []
apply = hfclean.RuleReviser.apply
hfclean.RuleReviser.apply = lambda *a: calls.append(1) or apply(*a)
ds.map(hfclean.revise, batched=True)
print(len(calls))
hfclean.RuleReviser.version = 99
ds.map(hfclean.revise, batched=True)
print(len(calls))
"""


def test_a_second_process_finds_the_result_in_the_cache_unless_the_version_was_raised(tmp_path: Path) -> None:
    file, cache = str(tmp_path / "rows.parquet"), str(tmp_path / "cache")
    Dataset.from_list(odd_rows()).to_parquet(file)
    load_dataset("parquet", data_files=file, split="train", cache_dir=cache).map(hfclean.revise, batched=True)
    command = [sys.executable, "-c", SECOND_PROCESS, file, cache]
    # how often the reviser was called after the same map, and after the one with another version
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() == ["0", "1"]


@pytest.mark.parametrize("kind", FORMATS)
def test_keep_works_in_every_format(kind: str | None) -> None:
    ds = Dataset.from_dict({"rating": [0.2, 0.5, float("nan"), None, 0.9]})
    for batched in (False, True):
        if kind in ("arrow", "polars") and not batched:
            continue  # datasets itself cannot filter row by row under these formats
        kept = ds.with_format(kind).filter(hfclean.keep("rating", at_least=0.5), batched=batched)
        assert kept.with_format(None)["rating"][:] == [0.5, 0.9], batched


def test_keep_drops_what_was_not_scored() -> None:
    ds = Dataset.from_dict({"rating": [0.2, 0.5, float("nan"), None, 0.9]})
    assert list(ds.to_iterable_dataset().filter(hfclean.keep("rating", at_most=0.5))) == [
        {"rating": 0.2},
        {"rating": 0.5},
    ]
    assert len(ds.filter(hfclean.keep("rating", at_least=0.5, unscored=True))) == 4
    with pytest.raises(hfclean.errors.ColumnError, match="no such column"):
        hfclean.keep("raiting", at_least=0.5)({"rating": 1.0})
    with pytest.raises(hfclean.errors.ColumnError, match="no bound"):
        hfclean.keep("rating")
    with pytest.raises(hfclean.errors.ColumnError, match="holds text"):
        hfclean.keep("rating", at_least=1)({"rating": "high"})


def test_top_returns_indices_in_dataset_order_and_breaks_ties_by_the_earlier_row() -> None:
    ds = Dataset.from_dict({"rating": [0.5, 0.9, float("nan"), 0.5, None, 0.1]})
    assert hfclean.top(ds, by="rating", n=2) == [0, 1]
    assert hfclean.top(ds, by="rating", n=2, largest=False) == [0, 5]
    assert hfclean.top(ds, by="rating", n=99) == [0, 1, 3, 5]
    assert hfclean.top(ds, by="rating", fraction=0.5) == [0, 1, 3]
    assert hfclean.top(ds.select([]), by="rating", n=3) == []
    with pytest.raises(hfclean.errors.ColumnError, match="exactly one"):
        hfclean.top(ds, by="rating")
    with pytest.raises(hfclean.HfcleanError, match="one split at a time"):
        hfclean.top(DatasetDict(train=ds), by="rating", n=1)


def test_a_whole_dataset_is_refused_with_the_right_call() -> None:
    with pytest.raises(hfclean.HfcleanError, match=r"ds\.map"):
        hfclean.revise(Dataset.from_list(odd_rows()))


def test_text_only_rows_are_refused() -> None:
    with pytest.raises(hfclean.errors.SchemaError, match="plain text has no instruction"):
        hfclean.revise({"text": "Once upon a time"})
    with pytest.raises(hfclean.errors.SchemaError, match="instruction': 'question', 'response': 'target'"):
        hfclean.revise({"question": "q", "target": "a"})
    with pytest.raises(hfclean.errors.SchemaError, match="more than one shape"):
        hfclean.revise({"instruction": "q", "output": "a", "messages": []})
    named = hfclean.RuleReviser(columns={"instruction": "question", "response": "answer"})
    assert named({"question": "q", "answer": "a  "})["answer"] == "a"


def test_register_adds_the_accessor() -> None:
    hfclean.accessor.register()
    hfclean.accessor.register()
    ds = Dataset.from_list(odd_rows())
    revised = ds.hfclean.revise(skip=["whitespace"])
    assert revised["edit"][0] == "kept"
    assert revised.hfclean.restore().to_list() == odd_rows()
    assert ds.hfclean.score()["response_words"][0] == 2.0
