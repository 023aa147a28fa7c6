"""Pairs that teach: made from what was revised, chosen, counted, split, and known again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

import hfclean
from hfclean.cli import main
from hfclean.errors import ColumnError, RestoreError, SourceError, TrainingError
from hfclean.reviser.taught_pairs import pair_hash, trained_on
from hfclean.testing_models import ScriptedBackend
from hfclean.training.choice import choose_pairs
from hfclean.training.pairs import COLUMNS, pair_of, revision_distance


def pair(instruction: str, raw: str, revised: str, *, new_instruction: str | None = None) -> dict[str, str]:
    now = instruction if new_instruction is None else new_instruction
    return dict(zip(COLUMNS, (instruction, "", raw, now, "", revised), strict=True))


ROWS = [
    {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"},
    {"instruction": "Name a tree.", "input": "", "output": "An oak."},
    {"instruction": "Name a river.", "input": "n/a", "output": "The  Inn.<|im_end|>"},
]


@pytest.fixture
def revised() -> Dataset:
    return Dataset.from_list(ROWS).map(hfclean.revise)


def expert(realdata: Callable[[str], Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in realdata("expert_revisions_1800.jsonl").read_text().splitlines()]


# ----------------------------------------------------------------------------------------------------------- distance


@pytest.mark.realdata
def test_the_published_distances_come_out(realdata: Callable[[str], Path]) -> None:
    rows = expert(realdata)
    assert sum(revision_distance(row) == row["distance"] for row in rows) == 1791


@pytest.mark.realdata
def test_alpha_takes_the_most_revised_and_says_from_which_distance_on(realdata: Callable[[str], Path]) -> None:
    rows = expert(realdata)
    chosen = choose_pairs(rows, alpha=0.3)
    facts = chosen.facts
    usable = sorted((revision_distance(row) for row in rows if row["revised_output"].strip()), reverse=True)
    assert len(chosen.train) == int(len(usable) * 0.3) == 539
    assert facts["alpha_threshold"] == usable[538] == facts["thresholds"]["0.3"]
    assert facts["left_out"] == {"below_alpha": len(usable) - 539, "empty_revised": 1}
    assert facts["given"] == 1800
    kept = [revision_distance(dict(zip(COLUMNS, _texts(sides), strict=True))) for sides in chosen.train]
    assert min(kept) == facts["alpha_threshold"]


def _texts(sides: Any) -> list[str]:
    return [text for side in sides for text in (side.instruction, side.input, side.response)]


# ------------------------------------------------------------------------------------------------------------- choice


def test_what_teaches_nothing_is_left_out_and_counted() -> None:
    rows = [
        pair("Name a fruit.", "a aple", "An apple."),
        pair("Name a fruit.", "a aple", "An  apple. "),
        pair("Name a fruit.", "a aple", "A pear."),
        pair("", "a", "b"),
        pair("Name a tree.", "oak", ""),
        pair("Name a tree.", "An oak.", "An oak."),
        pair("Name a river.", "", "The Inn."),
    ]
    chosen = choose_pairs(rows)
    assert [sides.revised.response for sides in chosen.train] == ["An apple.", "The Inn."]
    assert chosen.facts["left_out"] == {
        "duplicate": 1,
        "empty_raw": 1,
        "empty_revised": 1,
        "identical": 1,
        "same_raw": 1,
    }
    assert chosen.facts["given"] == sum(chosen.facts["left_out"].values()) + len(chosen.train)


def test_small_edits_are_told_apart_by_what_is_revised() -> None:
    rows = [
        pair("Name a fruit.", "an apple", "An apple."),  # 2 of 8 characters of the response
        pair("Name a tree.", "oak", "An oak, or a beech."),
        {**pair("Name a river.", "The Inn.", "The Inn."), "revised_instruction": "Name one river of Austria, please."},
    ]
    whole, response = (
        choose_pairs(rows, distance_at_most=0.25, revise=kind, near_identity=0.5) for kind in ("pair", "response")
    )
    assert [sides.raw.response for sides in whole.train] == ["an apple", "An apple."]
    assert whole.facts["left_out"] == {"above_distance": 2}
    assert [sides.raw.response for sides in response.train] == ["an apple", "The Inn."]
    assert response.facts["left_out"] == {"above_distance": 1}
    assert (response.facts["distance"]["least"], response.facts["distance_at_most"]) == (2, 0.25)


def test_every_fact_of_a_choice() -> None:
    rows = [pair(f"Name {k}.", "x", "x" + "y" * k) for k in range(1, 11)]
    rows += [pair("Name a tree.", "An oak.", "An oak."), pair("Name a tree.", " An  oak. ", "An oak.")]
    rows += [pair("Name 1.", "x", f"x{answer}") for answer in ("y", "y ", "z", "w")]
    rows += [pair("", "a", f"b{k}") for k in range(2)] + [pair(f"Say {k}.", "a", "") for k in range(3)]
    chosen = choose_pairs(rows, alpha=0.3, near_identity=0.4, heldout=0.2, seed=5)
    held = [len(sides.revised.response) - 1 for sides in chosen.heldout]
    rest = [k for k in range(1, 11) if k not in held]
    assert len(held) == 2
    assert [len(sides.revised.response) - 1 for sides in chosen.train[:2]] == rest[-2:]
    assert [sides.raw == sides.revised for sides in chosen.train] == [False, False, True]
    assert chosen.facts == {
        "given": 21,
        "left_out": {"below_alpha": 6, "duplicate": 3, "empty_raw": 2, "empty_revised": 3, "same_raw": 2},
        "distance": {"least": 1, "median": 5.5, "mean": 5.5, "most": 10},
        "thresholds": {"0.1": 10, "0.2": 9, "0.3": 8, "0.5": 6, "0.75": 4},
        "alpha": 0.3,
        "alpha_threshold": rest[-2],
        "distance_at_most": None,
        "near_identity": 0.4,
        "near_identity_rows": 1,
        "train": 3,
        "heldout": 2,
        "instructions_heldout": 2,
        "seed": 5,
    }


def test_nothing_left_is_an_error_that_says_why() -> None:
    with pytest.raises(TrainingError, match="1 empty_revised, 1 identical"):
        choose_pairs([pair("a", "b", "b"), pair("a", "b", "")])
    with pytest.raises(TrainingError, match=r"\(none were given\)"):
        choose_pairs([])


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 0.0},
        {"alpha": 1.01},
        {"alpha": True},
        {"alpha": "0.3"},
        {"near_identity": 1.0},
        {"near_identity": "0.3"},
        {"heldout": -0.1},
    ],
)
def test_a_share_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    (name, share), *_ = wrong.items()
    with pytest.raises(TrainingError, match=f"^{name}={share!r}: expected a share"):
        choose_pairs([pair("a", "b", "c")], **wrong)


def test_all_and_the_one_are_shares_too() -> None:
    rows = [pair("a", "b", "cd"), pair("b", "b", "c")]
    assert len(choose_pairs(rows, alpha=1).train) == 2
    assert [sides.raw.instruction for sides in choose_pairs(rows, alpha=0.01).train] == ["a"]


def test_near_identity_pairs_are_the_given_ones_first_and_then_revised_texts() -> None:
    rows = [pair(f"Name {k}.", f"raw {k}", f"Revised {k}.") for k in range(6)]
    rows.append(pair("Name a tree.", "An oak.", "An oak."))
    chosen = choose_pairs(rows, near_identity=0.4)
    still = [sides for sides in chosen.train if sides.raw == sides.revised]
    assert len(still) == 4 == chosen.facts["near_identity_rows"]
    assert still[0].raw.response == "An oak."
    assert all(sides.raw.response.startswith("Revised") for sides in still[1:])
    assert chosen.facts["left_out"] == {}


def test_no_instruction_is_on_both_sides_whatever_the_order() -> None:
    rows = [pair(f"Name {k // 3}.", f"raw {k}", f"New {k}.") for k in range(60)]
    rows += [pair(f"Say {k}.", "raw", "New.", new_instruction=f"NAME  {k}.") for k in range(20)]
    chosen = choose_pairs(rows, heldout=0.25, seed=3)
    sides = [
        {" ".join(p.instruction.casefold().split()) for one in part for p in one}
        for part in (chosen.train, chosen.heldout)
    ]
    assert sides[0].isdisjoint(sides[1])
    assert len(chosen.heldout) == 20
    again = choose_pairs(list(reversed(rows)), heldout=0.25, seed=3)
    assert set(again.heldout) == set(chosen.heldout)
    assert set(choose_pairs(rows, heldout=0.25, seed=4).heldout) != set(chosen.heldout)


def test_one_pair_is_never_held_out() -> None:
    chosen = choose_pairs([pair("a", "b", "c")], heldout=0.9)
    assert (len(chosen.train), len(chosen.heldout)) == (1, 0)


# ------------------------------------------------------------------------------------------------------------ sources


def test_a_revised_dataset_gives_its_original_and_todays_text(revised: Dataset) -> None:
    found = hfclean.revision_pairs(revised)
    assert found.rows["raw_output"] == ["An apple.</s>", "The  Inn.<|im_end|>"]
    assert found.rows["revised_output"] == [revised["output"][0], revised["output"][2]]
    assert found.rows["raw_input"] == ["", "n/a"]
    assert found.left_out == {"not_revised": 1}
    both = hfclean.revision_pairs(DatasetDict(a=revised, b=revised), unchanged=True)
    assert len(both.rows) == 6
    assert both.left_out == {}


def test_a_cleaned_folder_and_its_ledger_give_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hfclean.cli import main

    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(json.dumps(row) for row in ROWS))
    assert main(["clean", str(source), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    capsys.readouterr()
    folder = hfclean.revision_pairs(tmp_path / "out")
    ledger = hfclean.revision_pairs(tmp_path / "out" / "ledger.parquet", unchanged=True)
    assert folder.rows[:] == ledger.rows[:]
    assert len(folder.rows) == 2
    with pytest.raises(SourceError, match="no data/"):
        hfclean.revision_pairs(tmp_path)


def test_verdicts_accept_reject_and_edit(revised: Dataset, tmp_path: Path) -> None:
    first, second, third = revised["row_id"]
    file = tmp_path / "verdicts.jsonl"
    lines = [
        {"row_id": first, "verdict": "accept"},
        {"row_id": first, "verdict": "edit", "text": "A pear."},
        {"row_id": third, "verdict": "reject"},
    ]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    found = hfclean.revision_pairs(revised, verdicts=file)
    assert [(row["raw_output"], row["revised_output"]) for row in found.rows] == [("An apple.</s>", "A pear.")]
    assert found.left_out == {"unjudged": 1, "rejected": 1}
    kept = hfclean.revision_pairs(revised, verdicts=lines, unchanged=True).rows
    assert kept[1]["raw_output"] == kept[1]["revised_output"] == "The  Inn.<|im_end|>"
    edited = [{"row_id": second, "verdict": "edit", "instruction": "Name one tree."}]
    assert hfclean.revision_pairs(revised, verdicts=edited).rows[0]["revised_instruction"] == "Name one tree."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"row_id": "1"}', "verdict 1"),
        ('{"row_id": "1", "verdict": "maybe"}', "accept, edit, reject"),
        ('{"row_id": "1", "verdict": "edit"}', "edits nothing"),
        ('{"row_id": "gone", "verdict": "accept"}', "rows that do not exist, such as 'gone'"),
        ("[]", "verdict 1"),
        ("\n{\n", "verdict 2 of 'v.jsonl' cannot be read.*line 2"),
    ],
)
def test_a_verdict_that_cannot_be_is_named(revised: Dataset, tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "v.jsonl").write_text(line)
    with pytest.raises(SourceError, match=said):
        hfclean.revision_pairs(revised, verdicts=tmp_path / "v.jsonl")


def test_preferences_and_pairs_are_pairs() -> None:
    row = {"prompt": "Name a fruit.", "chosen": "An apple.", "rejected": "a aple"}
    found = hfclean.revision_pairs([row]).rows
    assert tuple(found[0].values()) == ("Name a fruit.", "", "a aple", "Name a fruit.", "", "An apple.")
    assert hfclean.revision_pairs(found).rows[:] == found[:]


def test_rows_that_are_none_of_these_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match="neither revisions nor preferences"):
        hfclean.revision_pairs(Dataset.from_list(ROWS))
    with pytest.raises(SourceError, match="no file or folder"):
        hfclean.revision_pairs(tmp_path / "gone")
    with pytest.raises(ColumnError, match="raw_instruction"):
        pair_of({"instruction": "a"})


def test_conversations_of_several_turns_are_counted() -> None:
    turns = [("user", "Hi"), ("assistant", "Hello"), ("user", "Name a fruit."), ("assistant", "An apple.</s>")]
    rows = Dataset.from_list([{"messages": [{"role": role, "content": text} for role, text in turns]}])
    assert hfclean.revision_pairs(rows.map(hfclean.revise)).left_out == {"no_single_turn": 1}


# ------------------------------------------------------------------------------------------------------------ leakage

GOOD = "[Response]\nAn apple.\n[End]"


def coach(**settings: Any) -> hfclean.Reviser:
    return hfclean.Reviser(ScriptedBackend(lambda _: GOOD), revise="response", **settings)


def test_rows_that_taught_are_kept_with_the_reason_and_never_asked_about() -> None:
    row = {"instruction": "Name a fruit.", "input": "", "output": "a aple"}
    known = pair_hash(pair("Name  a fruit.", "a aple\n", "x"))
    taught = coach(trained_on=(known,))
    out = taught(row)
    assert (out["output"], out["edit"], out["edit_reason"]) == ("a aple", "kept", "trained_on")
    assert taught.model.asked == []
    assert taught(row | {"output": "a aple!"})["edit"] == "revised"
    assert coach(trained_on=(known,), revise_trained_on=True)(row)["edit"] == "revised"
    assert known not in repr(taught)
    assert known not in out["edit_history"]


def test_a_row_that_taught_is_known_after_other_steps_and_in_other_shapes() -> None:
    taught = coach(trained_on=(pair_hash(pair("Name a fruit.", "a aple</s>", "x")),))
    row = {"instruction": "Name a fruit.", "input": "", "output": "a aple</s>"}
    mended = {**row, **hfclean.revise(row)}
    assert mended["output"] == "a aple"
    assert taught(mended)["edit_reason"] == "trained_on"
    assert taught({"prompt": "Name a fruit.", "completion": "a aple</s>"})["edit_reason"] == "trained_on"


def test_the_hashes_travel_in_the_record(tmp_path: Path) -> None:
    hashes = tuple(sorted(pair_hash(pair(f"a {k}", "b", "c")) for k in range(3)))
    hfclean.Reviser("org/chat", trained_on=hashes).save_pretrained(tmp_path)
    about = json.loads((tmp_path / "hfclean.json").read_text())
    assert about["trained_on"] == "".join(hashes)
    assert "trained_on" not in about["settings"]
    loaded = hfclean.Reviser.from_pretrained(tmp_path)
    assert trained_on(loaded) == frozenset(hashes)
    assert trained_on(hfclean.revise) == frozenset()
    (tmp_path / "hfclean.json").write_text(json.dumps(about | {"trained_on": "../etc"}))
    with pytest.raises(hfclean.errors.FolderError, match="no reviser here"):
        hfclean.Reviser.from_pretrained(tmp_path)


# -------------------------------------------------------------------------------------------------------- preferences


def test_preference_pairs_are_the_rows_that_trl_wants(revised: Dataset) -> None:
    found = hfclean.conversion.preference_pairs(revised)
    assert found.column_names == ["prompt", "chosen", "rejected", "row_id"]
    assert found[0]["chosen"] == revised["output"][0]
    assert found[0]["rejected"] == "An apple.</s>"
    assert found["row_id"] == [revised["row_id"][0], revised["row_id"][2]]
    chat = hfclean.conversion.preference_pairs(revised, conversational=True)[0]
    assert chat["prompt"] == [{"role": "user", "content": "Name a fruit."}]
    assert chat["rejected"] == [{"role": "assistant", "content": "An apple.</s>"}]
    same = hfclean.conversion.preference_pairs(revised, same_question=True)
    assert same["row_id"] == [revised["row_id"][0]]  # the other lost its placeholder of an input
    with pytest.raises(RestoreError, match="did not revise"):
        hfclean.conversion.preference_pairs(Dataset.from_list(ROWS))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "pairs of NoneType"),
        (5, "pairs of int"),
        (["a"], "pairs of str"),
        ([pair("Name a fruit.", "a \ud800", "An apple.")], "surrogate"),
    ],
)
def test_what_are_no_rows_is_refused(source: Any, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        hfclean.revision_pairs(source)


@pytest.mark.parametrize(("text", "said"), [("", "it is empty"), ('{"raw_instruction": "x", ', "cannot be read")])
def test_a_damaged_file_is_named(text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pairs.jsonl").write_text(text)
    with pytest.raises(SourceError, match=f"'pairs.jsonl'.*{said}"):
        hfclean.revision_pairs(tmp_path / "pairs.jsonl")
    assert main(["train", str(tmp_path / "pairs.jsonl"), "--base", "org/base", "--out", str(tmp_path / "out")]) == 1
    assert "'pairs.jsonl'" in capsys.readouterr().err


def test_conversations_alone_are_no_pairs_and_it_says_so(tmp_path: Path) -> None:
    turns = [{"role": role, "content": text} for role, text in (("user", "a"), ("assistant", "b")) * 2]
    ds = Dataset.from_list([{"messages": [*turns[:3], {"role": "assistant", "content": "b</s>"}]}]).map(hfclean.revise)
    for given in (ds, hfclean.revision_pairs(ds)):
        with pytest.raises(TrainingError, match="1 no_single_turn"):
            hfclean.train_reviser(given, "org/base", folder=tmp_path)
