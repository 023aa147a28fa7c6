"""What length cannot buy in the evaluation of revisers: controls that are worth nothing, and earned trust."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_evaluate_reviser import coach, row

from hfclean.cards.model_card import read_comparisons
from hfclean.checks import CHECKS
from hfclean.evaluation.bootstrap import NOTHING, Figure, wilson
from hfclean.evaluation.earned_trust import earned_trust
from hfclean.evaluation.revised_pairs import STRUCTURE, most_added, with_others
from hfclean.evaluation.reviser_report import AddedSentence
from hfclean.evaluation.revising import HEADLINE, MEANINGS, ReviserEvaluation, evaluate_reviser
from hfclean.models import Conversation
from hfclean.reviser.coach import Reviser
from hfclean.schema import Pair
from hfclean.testing_models import ScriptedBackend

FILLERS = (
    "For example, careful planning, regular practice and honest feedback lead to steady progress.",
    "This matters because it helps people plan ahead, save time and make good choices.",
)
TOPICS = ("rivers", "lamps", "bread", "trees", "bridges", "boats", "wheels", "books")


def with_filler(sentence: str) -> Reviser:
    def answer(conversation: Conversation) -> str:
        shown = conversation[-1].content.rsplit("[Response]\n")[-1].split("\n[End]")[0]
        return f"[Response]\n{shown} {sentence}\n[End]"

    return Reviser(ScriptedBackend(answer), revise="response")


def written(count: int = 60) -> list[dict[str, str]]:
    """Short answers and what a writer made of them; of every tenth nothing."""
    rows = []
    for k in range(count):
        topic = TOPICS[k % len(TOPICS)]
        raw = f"People like {topic} and use them {k + 2} times in a year."
        if k == 1:
            raw += " They pay 2 + 2 = 5 coins."
        more = f" Old {topic} last for {k + 3} years when somebody cares for them, and new ones for {k + 9}."
        revised = raw.replace("= 5", "= 4") + more
        rows.append(row(raw, raw if k % 10 == 0 else revised, f"What about {topic}? Question {k}."))
    return rows


def beaten(found: ReviserEvaluation) -> list[str]:
    """The headline figures in which a reviser is better than the experts."""
    own, expert = found.figures, found.of("expert").figures
    return [
        name
        for name in HEADLINE
        if (expert[name].value - own[name].value if name == "farther" else own[name].value - expert[name].value) > 0
    ]


@pytest.mark.parametrize("sentence", FILLERS)
def test_filler_beats_a_writer_in_nothing_but_preference(sentence: str) -> None:
    found = evaluate_reviser(with_filler(sentence), written(), draws=50)
    assert beaten(found) == []
    assert (found.pairs, found.figures["closer"].value) == (54, 0)
    assert found.figures["farther"].value > 0.9
    assert found.figures["improved"].value > 0.9
    assert (found.figures["findings_mended"].value, found.of("expert").figures["findings_mended"].value) == (0, 1 / 54)
    assert found.trust == "low"
    assert found.added is not None
    changed = found.added.changed
    assert changed > 50
    assert found.added == AddedSentence(sentence[:-1], changed, changed)
    line = f"added to {changed} of {changed} changed responses (100%): {sentence[:-1]!r}"
    assert line in str(found)
    assert ReviserEvaluation.from_dict(json.loads(json.dumps(found.to_dict()))).added == found.added
    (comparison,) = read_comparisons(found)
    trust = f"T{found.trust_sentence[1:]}"
    assert comparison.about == (f"54 pairs that an expert changed, 6 rows that need nothing. {trust}", line)


@pytest.mark.realdata
def test_filler_beats_experts_in_nothing_but_preference(realdata: Callable[[str], Path]) -> None:
    lines = realdata("expert_revisions_1800.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines[::12]]
    for sentence in FILLERS:
        found = evaluate_reviser(with_filler(sentence), rows, draws=50)
        assert beaten(found) == []
        assert found.figures["farther"].value > 0.9 > 0.05 > found.figures["closer"].value
        assert found.figures["improved"].value > found.of("expert").figures["improved"].value
        assert found.trust == "low"
    for control in ("filler", "shuffled"):
        assert found.of(control).figures["net_closer"].high < -0.5
    assert found.of("filler").figures["improved"].value > 0.9


def test_each_report_has_the_controls_and_preference_last() -> None:
    found = evaluate_reviser(coach({}), written(20), draws=20)
    assert [system.name for system in found.systems] == [
        "reviser", "identity", "rules", "longest", "filler", "shuffled", "expert",
    ]  # fmt: skip
    assert tuple(MEANINGS)[:5] == HEADLINE
    assert tuple(MEANINGS)[-3:] == ("improved", "worsened", "preference_gain")
    assert [row[0] for row in found.table()[1:]] == list(MEANINGS)
    assert found.of("shuffled").figures["exact"].value == 0
    assert found.of("filler").figures["unchanged"].value == 0
    assert (found.added, found.measured_at) == (None, "normal")
    told = found.to_dict()
    assert (told["trust"], told["trust_sentence"]) == (
        "low",
        "trust earned: low (not normal: too few: 18 pairs, 50 needed)",
    )
    forged = ReviserEvaluation.from_dict({**told, "trust": "high", "trust_sentence": "trust earned: high"})
    assert forged.trust == "low"
    assert forged == found


def test_responses_go_to_other_rows() -> None:
    pairs = [Pair("Name one.", "", str(k)) for k in range(9)]
    given = with_others(pairs, pairs, 3)
    assert sorted(pair.response for pair in given) == [str(k) for k in range(9)]
    assert all(one.response != two.response for one, two in zip(pairs, given, strict=True))
    assert given == with_others(pairs, pairs, 3) != with_others(pairs, pairs, 4)
    assert with_others(pairs[:1], pairs[:1], 0) == pairs[:1]


def test_an_added_sentence_is_named_from_one_in_20_changed_responses_on() -> None:
    before = [Pair("Say it.", "", f"Answer {k}.") for k in range(40)]
    after = [pair.replace(response=f"{pair.response} More of {k}.") for k, pair in enumerate(before)]
    for k in (3, 4):
        after[k] = before[k].replace(response=f"It is a great question. {before[k].response} It is a great question.")
    assert most_added(before, after) == ("It is a great question", 2, 40)
    assert most_added(before, before) == ("", 0, 0)
    assert most_added(after, before) == ("", 0, 40)
    says = {f"Answer {k}.": after[k].response for k in range(40)}
    rows = [row(pair.response, f"{pair.response} So it is.", f"Say it {k}.") for k, pair in enumerate(before)]
    named = evaluate_reviser(coach(says), rows, draws=10).added
    assert named == AddedSentence("It is a great question", 2, 40)
    says["Answer 3."] = "Answer 3. More of 3."
    assert evaluate_reviser(coach(says), rows, draws=10).added is None


def test_structure_counts_as_lost_whether_the_gate_refuses_or_is_told_to_skip_it() -> None:
    assert {check.id for check in CHECKS} >= STRUCTURE
    rows = [
        row("So it is \\boxed{4}.", "So the sum is \\boxed{4}.", "What is 2 + 2? Put it in a box."),
        row("It is a long river.", "It is a very long river.", "What is the Danube?"),
    ]
    says = {"So it is \\boxed{4}.": "So it is four.", "It is a long river.": "It is quite a long river."}
    for skip in ((), ("boxed_changed",)):
        found = evaluate_reviser(coach(says, skip_checks=skip), rows, draws=20)
        assert found.figures["structure_lost"].value == 0.5
        assert found.figures["refused"].value == (0 if skip else 0.5)
    assert found.of("identity").figures["structure_lost"].value == 0


def test_findings_are_mended_by_a_change_of_the_text_that_has_them_alone() -> None:
    asked = "Add 12 and 13, then say it."
    rows = [
        row("It is 12 + 13 = 26.", "It is 12 + 13 = 25.", asked),
        row("The sum 12 + 13 = 27 is right.", "The sum 12 + 13 = 25 is right.", asked),
        row("You get 12 + 13 = 25.", "You get 12 + 13 = 25 in all.", asked),
    ]
    says = {
        "It is 12 + 13 = 26.": "It is 12 + 13 = 25.",
        # the words after it make the verifier unsure; the sum still stands
        "The sum 12 + 13 = 27 is right.": "The sum 12 + 13 = 27 is right. Do not hesitate to ask, it may be wrong.",
        "You get 12 + 13 = 25.": "You get 12 + 13 = 24.",
    }
    found = evaluate_reviser(coach(says, skip_checks=("wrong_sum", "number_changed")), rows, draws=20)
    assert found.figures["findings_mended"].value == pytest.approx(1 / 3)
    assert found.figures["findings_made"].value == pytest.approx(1 / 3)
    expert = found.of("expert").figures
    assert (expert["findings_mended"].value, expert["findings_made"].value) == (pytest.approx(2 / 3), 0)


def test_no_word_that_is_added_to_a_short_answer_comes_nearer_to_a_long_one() -> None:
    rows = [row("Cats purr.", "Cats purr when they are content, and some of them when they are ill.", "Why purr?")]
    found = evaluate_reviser(coach({"Cats purr.": "Cats purr. This helps people to save time."}), rows, draws=10)
    assert (found.figures["closer"].value, found.figures["farther"].value) == (0, 1)
    assert found.of("identity").figures["distance"].value == 13  # 12 words and a comma
    assert found.figures["distance"].value == 13 + 7
    chinese = [row("猫会叫。", "猫会叫，因为它高兴。", "为什么？")]
    found = evaluate_reviser(coach({"猫会叫。": "猫会叫，因为高兴。"}), chinese, draws=10)
    assert (found.of("identity").figures["distance"].value, found.figures["distance"].value) == (6, 1)


# ------------------------------------------------------------------------------------------------- earned trust


class Measured:
    """An evaluation's figures, those of a reviser that earns high trust where nothing else is said."""

    def __init__(self, figures: Mapping[str, Figure] = {}, **numbers: Any) -> None:
        good = {"pairs": 300, "clean": 50, "trained_on": 0, "measured_at": "normal", **numbers}
        self.pairs, self.clean = good["pairs"], good["clean"]
        self.trained_on, self.measured_at = good["trained_on"], good["measured_at"]
        self.figures = {
            "net_closer": Figure(0.2, 0.1, 0.3, 300),
            "structure_lost": Figure(0.01, 0.0, 0.02, 300),
            "unchanged": Figure(0.95, 0.9, 1.0, 50),
            "findings_made": Figure(0.02, 0.0, 0.03, 300),
            "findings_mended": Figure(0.02, 0.0, 0.03, 300),
            **figures,
        }


@pytest.mark.parametrize(
    ("measured", "level", "reason"),
    [
        (Measured(), "high", ""),
        (Measured(measured_at=""), "high", ""),
        (Measured(pairs=299), "normal", "299 pairs, 300 needed"),
        (Measured(clean=49), "normal", "49 rows that need nothing, 50 needed"),
        (Measured({"unchanged": Figure(0.94, 0.9, 0.97, 99)}), "normal", "94.0 [90.0, 97.0] % of the rows that need"),
        (Measured({"structure_lost": Figure(0.011)}), "normal", "structure lost in 1.1 % of the pairs, at most 1%"),
        (Measured({"findings_made": Figure(0.03)}), "normal", "made in 3.0 % of the pairs and mended in 2.0 ["),
        (Measured({"net_closer": Figure(0.1, 0.0, 0.2)}), "normal", "not clearly closer"),
        (Measured({"net_closer": Figure(0.0, -0.05, 0.1)}), "normal", "not clearly closer"),
        (Measured({"net_closer": Figure(0.1, -0.051, 0.2)}), "low", "net 10.0 [-5.1, 20.0] %, at least -5% needed"),
        (Measured({"net_closer": Figure(-0.1, -0.2, 0.0)}), "low", "perhaps farther from the expert more often than"),
        (Measured({"net_closer": NOTHING}), "low", "perhaps farther from the expert more often than closer, net –"),
        (Measured({"structure_lost": Figure(0.05)}), "normal", "structure lost in 5.0 %"),
        (Measured({"structure_lost": Figure(0.051)}), "low", "structure lost in 5.1 % of the pairs, at most 5%"),
        (Measured(pairs=49), "low", "too few: 49 pairs, 50 needed"),
        (Measured(pairs=50), "normal", "50 pairs, 300 needed"),
        (Measured(trained_on=1), "low", "measured on 1 of its own training rows"),
        (Measured(measured_at="low"), "low", "measured at trust low"),
    ],
)
def test_trust_is_earned_by_every_rule_of_a_level(measured: Measured, level: str, reason: str) -> None:
    found = earned_trust(measured)  # type: ignore[arg-type]
    assert found.level == level
    if level == "high":
        assert (found.reasons, str(found)) == ((), "trust earned: high")
    else:
        assert len(found.reasons) == 1
        assert reason in found.reasons[0]
        assert str(found).startswith(f"trust earned: {level} (not {'high' if level == 'normal' else 'normal'}: ")


def test_a_reviser_that_does_as_the_writer_did_earns_high_trust_with_enough_pairs() -> None:
    rows = written(340)
    says = {one["raw_output"]: one["revised_output"] for one in rows}
    more = [{"instruction": f"Name tree {k}.", "output": f"The oak of {k}."} for k in range(16)]
    found = evaluate_reviser(coach(says), rows, clean=more, draws=50)
    assert (found.pairs, found.clean, found.trust_sentence) == (306, 50, "trust earned: high")
    assert replace(found, clean=49).trust == "normal"
    assert replace(found, measured_at="low").trust == "low"


@pytest.mark.parametrize(
    ("count", "of", "interval"),
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (5, 10, (0.2366, 0.7634)), (57, 126, (0.3682, 0.5394))],
)
def test_wilsons_interval(count: int, of: int, interval: tuple[float, float]) -> None:
    assert wilson(count, of) == pytest.approx(interval, abs=1e-4)
