"""A reviser held against experts: right figures, honest baselines, and never its own training rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from datasets import Dataset, DatasetDict
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cards import check_card, read_card, read_evaluation
from hfclean.cards.model_card import read_comparisons
from hfclean.cli import main
from hfclean.errors import ColumnError, HfcleanError
from hfclean.evaluation.revised_pairs import read_pairs
from hfclean.evaluation.revising import BASELINES, MEANINGS, ReviserEvaluation, evaluate_reviser, measure
from hfclean.hub import Patience
from hfclean.models import Answer, Conversation
from hfclean.reviser.taught_pairs import pair_hash
from hfclean.schema import Pair
from hfclean.testing_models import ScriptedBackend


def row(before: str, after: str, asked: str = "Name a fruit.") -> dict[str, str]:
    return {
        "raw_instruction": asked,
        "raw_input": "",
        "raw_output": before,
        "revised_instruction": asked,
        "revised_input": "",
        "revised_output": after,
    }


def coach(says: Mapping[str, str | Answer], **how: Any) -> hfclean.Reviser:
    """A reviser that answers by the response that it is shown."""

    def answer(conversation: Conversation) -> str | Answer:
        shown = conversation[-1].content.rsplit("[Response]\n")[-1].split("\n[End]")[0]
        found = says.get(shown, shown)
        return f"[Response]\n{found}\n[End]" if isinstance(found, str) else found

    return hfclean.Reviser(ScriptedBackend(answer), revise="response", **how)


PAIRS = [
    row("a aple", "An apple."),  # mended as the expert did
    row("a bananna from the", "A banana is a fruit that I like."),  # nearer, not equal
    row("a cherry", "Cherry."),  # left alone
    row("a date", "A date."),  # made a refusal, which the gate does not let through
    row("a elderbery", "An elderberry."),  # no answer came
    row("A fig.", "A fig."),  # the expert changed nothing
    row("", "", asked=""),  # nothing at all
    row("a grape", " "),  # the expert wrote nothing
]
SAYS = {
    "a aple": "An apple.",
    "a bananna from the": "A banana is a fruit.",
    "a date": "I'm sorry, but I can't help with that.",
    "a elderbery": Answer.failed("timeout"),
    "A fig.": "A fig, which is sweet.",
}


def test_every_figure_is_what_it_says() -> None:
    clean = [{"instruction": "Name a tree.", "output": "An oak."}, {"prompt": "x", "completion": ""}]
    found = hfclean.evaluate_reviser(coach(SAYS), PAIRS, clean=clean[:1], draws=100)
    assert (found.pairs, found.clean, found.left_out) == (5, 2, {"nothing_to_revise": 1, "no_response": 1})
    value = {name: figure.value for name, figure in found.figures.items()}
    assert list(value) == list(MEANINGS)
    assert (value["exact"], value["closer"], value["farther"]) == (0.2, 0.4, 0.0)
    assert (value["refused"], value["failed"], value["unchanged"]) == (0.2, 0.2, 0.5)
    before, after = ("a aple", "a bananna from the", "a cherry", "a date", "a elderbery"), 0
    after = sum(map(len, ("An apple.", "A banana is a fruit.", *before[2:])))
    assert value["length_ratio"] == pytest.approx(after / sum(map(len, before)))
    identity, expert = found.of("identity").figures, found.of("expert").figures
    assert value["distance"] < identity["distance"].value
    assert value["distance_left"] == pytest.approx(value["distance"] / identity["distance"].value)
    assert (identity["exact"].value, identity["unchanged"].value, identity["improved"].value) == (0.0, 1.0, 0.0)
    assert (expert["exact"].value, expert["distance"].value) == (1.0, 0.0)
    assert [system.name for system in found.systems] == ["reviser", *BASELINES]
    own = found.of("reviser")
    assert {name: figure.value for name, figure in own.refusals.items()} == {"refusal": 0.2}
    assert own.failures == {"timeout": 1}
    assert found.beyond["identity"]["exact"].value == pytest.approx(0.2)
    assert found.beyond["identity"]["distance"].value == pytest.approx(value["distance"] - identity["distance"].value)
    text = str(found)
    assert "WARNING" not in text
    assert "refused by: refusal 20.0" in text
    assert "failed: timeout 1" in text
    assert "left out: 1 nothing_to_revise, 1 no_response" in text
    json.dumps(found.to_dict(), allow_nan=False)
    with pytest.raises(HfcleanError, match="no figures of 'nobody'"):
        found.of("nobody")


def test_longest_keeps_the_longer_response_and_rules_are_the_rules() -> None:
    pairs = [row("An apple and a pear.</s>", "An apple and a pear."), row("Plum", "Plums.")]
    says = {"An apple and a pear.</s>": "Pear.", "Plum": "Plums, sweet and blue."}
    found = evaluate_reviser(coach(says, skip_checks=("too_short", "too_long", "drifts")), pairs, draws=20)
    assert found.of("rules").figures["exact"].value == 0.5
    # of the first pair the old response, which is the longer one; of the second the revised
    longest = found.of("longest").figures
    assert longest["length_ratio"].value == pytest.approx((24 + 22) / (24 + 4))
    rules = evaluate_reviser(hfclean.revise, pairs, draws=20)
    assert rules.figures == rules.of("rules").figures
    assert rules.beyond["rules"]["exact"].value == 0.0


def test_the_gate_is_asked_about_those_that_have_none() -> None:
    lost = [row("It was 1912 in Rome.", "I'm sorry, but I can't help with that.")]
    expert = evaluate_reviser(hfclean.revise, lost, draws=20).of("expert")
    assert expert.figures["refused"].value == 1.0
    assert "refusal" in expert.refusals


# ------------------------------------------------------------------------------------------------- training rows


@dataclass(frozen=True)
class Taught(hfclean.RuleReviser):
    trained_on: ClassVar[frozenset[str]] = frozenset(map(pair_hash, PAIRS[:2]))


def test_its_own_training_rows_are_refused_and_when_forced_labelled(fake_hub: FakeHub) -> None:
    with pytest.raises(HfcleanError, match=r"2 of 6 pairs trained this reviser.*force=True"):
        evaluate_reviser(Taught(), PAIRS[:6])
    held_out = evaluate_reviser(Taught(), PAIRS[2:6], draws=20)
    assert (held_out.trained_on, held_out.warning) == (0, "")
    unseen = evaluate_reviser(Taught(), PAIRS[:6], unseen=True, draws=20)
    assert unseen.left_out == {**held_out.left_out, "trained_on": 2}
    assert (unseen.trained_on, repr(unseen.systems)) == (0, repr(held_out.systems))  # nan is no other nan
    with pytest.raises(HfcleanError, match=r"none of the pairs.*2 trained_on"):
        evaluate_reviser(Taught(), PAIRS[:2], unseen=True)
    forced = evaluate_reviser(Taught(), PAIRS[:6], force=True, draws=20, dataset="org/pairs", split="test")
    assert forced.trained_on == 2
    assert "WARNING: measured on its own training rows: 2 of 6 pairs" in str(forced)
    assert forced.to_dict()["warning"]
    hfclean.push_reviser(
        hfclean.Reviser("org/chat"), "me/coach", evaluation=forced, patience=Patience(sleep=lambda seconds: None)
    )
    _, body = read_card(fake_hub.repo("me/coach").text("README.md"))
    assert "**measured on its own training rows: 2 of 6 pairs" in body
    assert body.count("measured on its own training rows") > len(MEANINGS) / 2


def test_a_model_is_asked_about_its_training_rows_when_that_is_forced_and_clean_rows_count_as_pairs() -> None:
    taught = coach(SAYS, trained_on=tuple(map(pair_hash, PAIRS[:1])))
    clean = [{"instruction": "Name a fruit.", "output": "a aple"}]
    for pairs in (PAIRS[:2], PAIRS[1:2]):
        with pytest.raises(HfcleanError, match="pairs trained this reviser"):
            evaluate_reviser(taught, pairs, clean=clean)
    forced = evaluate_reviser(taught, PAIRS[:2], force=True, draws=20)
    assert (forced.trained_on, forced.figures["exact"].value) == (1, 0.5)


def test_the_card_shows_it_beside_its_baselines(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("org/chat")
    found = evaluate_reviser(coach(SAYS), PAIRS, draws=20, dataset="org/pairs", split="test")
    reviser = hfclean.Reviser("org/chat")
    hfclean.push_reviser(reviser, "me/coach", evaluation=found, patience=Patience(sleep=lambda seconds: None))
    card = fake_hub.repo("me/coach").text("README.md")
    data, body = read_card(card)
    assert check_card(card) == []
    (result,) = data["model-index"][0]["results"]
    assert result["dataset"] == {"name": "org/pairs", "type": "org/pairs", "split": "test"}
    figures = {one["type"]: one["value"] for one in result["metrics"]}
    assert (figures["exact"], figures["closer"]) == (0.2, 0.4)
    assert "| reviser | identity | rules | longest | filler | shuffled | expert |" in body
    assert "that an expert changed, 1 row that needs nothing. Trust earned: low (not normal: too few: 5 pairs" in body
    assert "| `exact` | 20.0" in body
    assert "5 pairs of org/pairs (test) that an expert changed, 1 row that needs nothing." in body
    assert "identity 0, rules 0" in body


# -------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        ([], HfcleanError, "got no pairs"),
        (DatasetDict({"test": Dataset.from_list(PAIRS)}), HfcleanError, "DatasetDict; expected held-out pairs"),
        ([PAIRS[6], PAIRS[7]], HfcleanError, "none of the pairs is usable"),
        ([{"instruction": "a", "output": "b"}], ColumnError, "no column 'raw_instruction'"),
        ([{**PAIRS[0], "revised_output": 3}], ColumnError, "'revised_output' holds int"),
        (["a"], ColumnError, "a pair is a str"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(pairs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate_reviser(hfclean.revise, pairs)


def test_one_pair_only_has_no_interval_and_clean_rows_alone_will_do() -> None:
    one = evaluate_reviser(hfclean.revise, PAIRS[:1], draws=20)
    assert math.isnan(one.figures["exact"].low)
    assert math.isnan(one.figures["unchanged"].value)
    alone = evaluate_reviser(hfclean.revise, PAIRS[5:6], draws=20)
    assert (alone.pairs, alone.clean, alone.figures["unchanged"].value) == (0, 1, 1.0)
    assert math.isnan(alone.figures["exact"].value)
    assert alone.beyond["identity"] == {}
    assert "exact" in str(alone)
    with pytest.raises(HfcleanError, match=r"gave no column 'edit'"):
        evaluate_reviser(hfclean.score, PAIRS)


def test_a_dataset_with_nulls_and_lone_surrogates_is_read() -> None:
    ds = Dataset.from_list([{**PAIRS[0], "raw_input": None}, {**PAIRS[1], "raw_output": "\u202e<script>" * 50}])
    assert read_pairs(ds).raw[0].input == ""
    lone = [row("a \ud800 aple", "An \udfff apple.")]
    assert evaluate_reviser(hfclean.revise, [*ds, *lone], draws=20).pairs == 3


def test_the_json_of_the_command_line_goes_on_a_card() -> None:
    found = evaluate_reviser(hfclean.revise, PAIRS[:6], draws=20, dataset="org/pairs")
    told = json.loads(json.dumps(found.to_dict()))
    assert ReviserEvaluation.from_dict(told).to_dict() == found.to_dict()
    assert read_evaluation(told) == read_evaluation(found)
    assert read_comparisons(told) == read_comparisons(found) != ()
    with pytest.raises(HfcleanError, match="not an evaluation of a reviser"):
        read_evaluation({**told, "systems": {"reviser": {}}})


def test_what_is_there_already_is_measured_the_same() -> None:
    read = read_pairs(PAIRS)
    after = [
        Pair("Name a fruit.", "", text)
        for text in ("An apple.", "A banana is a fruit.", "a cherry", "a date", "a elderbery")
    ]
    found = measure(read.raw, read.expert, after, draws=50)
    whole = evaluate_reviser(coach(SAYS), PAIRS, draws=50)
    for name in ("exact", "closer", "distance", "preference_gain", "length_ratio"):
        assert found.figures[name] == whole.figures[name]
    with pytest.raises(HfcleanError, match="measure got no pairs"):
        measure([], [], [])


# ------------------------------------------------------------------------------------------------- the rest


@pytest.mark.realdata
def test_experts_beat_the_rules_on_real_pairs(realdata: Callable[[str], Path]) -> None:
    lines = realdata("expert_revisions_1800.jsonl").read_text("utf-8").splitlines()
    found = evaluate_reviser(hfclean.revise, [json.loads(line) for line in lines[::9]], draws=200)
    assert found.pairs + found.clean == 200
    expert, rules = found.of("expert").figures, found.figures
    assert expert["improved"].low > 0.7 > 0.1 > rules["improved"].high
    assert expert["length_ratio"].value > 1.4
    assert expert["refused"].high < 0.15


def test_on_the_command_line(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pairs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in PAIRS))
    Path("clean.jsonl").write_text(json.dumps({"instruction": "Name a tree.", "output": "An oak."}) + "\n")
    assert main(["evaluate", "pairs.jsonl", "--clean", "clean.jsonl", "--draws", "20", "--quiet"]) == 0
    assert "RuleReviser: 5 pairs that an expert changed, 2 rows" in capsys.readouterr().out
    assert main(["evaluate", "pairs.jsonl", "--first", "2", "--draws", "20", "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["pairs"], told["dataset"]) == (2, "pairs.jsonl")
    assert main(["evaluate", "clean.jsonl", "--quiet"]) == 1
    assert "no column 'raw_instruction'" in capsys.readouterr().err
    assert main(["evaluate", "pairs.jsonl", "--method", "coach", "--quiet"]) == 2
    assert "without --model" in capsys.readouterr().err
