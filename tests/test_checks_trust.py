"""How far a model is trusted: what each level lets pass, for pairs and for rows of any shape."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfclean.checks import CAUTIOUS, CHECKS, TRUSTS, CheckError, Trust, accept, select_checks
from hfclean.checks.check import Case
from hfclean.checks.verified import mends, new_findings, parses_as_marked
from hfclean.schema import Pair
from hfclean.scorers.embedded import preference_rule

TEXT = "The Danube is a long river that flows through ten countries and ends in the Black Sea near Tulcea."
BEFORE = Pair("Tell me about the Danube.", "", TEXT)


@pytest.mark.parametrize(
    ("new", "codes"),
    [
        (TEXT, []),
        (TEXT.replace("is a long", "is a very long"), []),
        (TEXT.replace("long river that", "long river, which"), []),
        (TEXT.replace("ten", "10"), ["facts_touched"]),
        (TEXT.replace("Tulcea", "Izmail"), ["facts_touched"]),
        (TEXT.replace(" near Tulcea", ""), ["facts_touched"]),
        (TEXT + " It is 2,850 km long.", ["facts_touched"]),
        (TEXT + " It is blue, and old, and broad, and many songs and poems praise it.", ["largely_rewritten"]),
        ("The Danube ends in the Black Sea near Tulcea.", ["largely_rewritten"]),
        ("The Elbe is a river.", ["facts_touched", "largely_rewritten"]),
    ],
)
def test_little_trust_lets_small_edits_pass(new: str, codes: list[str]) -> None:
    after = BEFORE.replace(response=new)
    cautious = [check.id for check in CAUTIOUS]
    assert accept(BEFORE, after, trust="low", only=cautious) == codes
    assert set(codes) <= set(accept(BEFORE, after, trust="low"))
    assert set(cautious).isdisjoint(accept(BEFORE, after))


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        ("Oslo", "Bergen", True),
        ("Oslo.", "oslo", False),
        ("yes", "Yes.", False),
        ("red, blue", "blue, red", True),
        ("", "Oslo", True),
        ("I think that I'm right and that's that here.", "I think I'm right and that's that here.", False),
    ],
)
def test_a_bare_answer_stays(old: str, new: str, refused: bool) -> None:
    before = Pair("Say it.", "", old)
    assert (
        bool(accept(before, before.replace(response=new), trust="low", only=["facts_touched", "largely_rewritten"]))
        is refused
    )


def test_little_trust_leaves_the_question() -> None:
    for changed in ({"instruction": "Tell me of the Danube."}, {"input": "in short"}):
        assert accept(BEFORE, BEFORE.replace(**changed), trust="low") == ["question_touched"]
        assert accept(BEFORE, BEFORE.replace(**changed)) == []


def test_levels_hold_one_another() -> None:
    low, normal, high = ([check.id for check in select_checks(trust=trust)] for trust in TRUSTS)
    assert low == [*normal, *(check.id for check in CAUTIOUS)]
    assert normal == [check.id for check in CHECKS]
    assert set(normal) - set(high) == {
        "label_flipped", "boxed_changed", "claim_reversed", "number_changed", "too_long", "too_short", "truncated",
        "off_topic", "drifts", "preference_lower",
    }  # fmt: skip
    with pytest.raises(CheckError, match="trust='full': expected one of 'low', 'normal', 'high'"):
        accept(BEFORE, BEFORE, trust="full")  # type: ignore[arg-type]


def test_much_trust_may_change_a_label_but_not_lose_a_thought() -> None:
    before = Pair("Is a whale a fish?", "", "Yes.")
    assert accept(before, before.replace(response="No.")) == ["label_flipped"]
    assert accept(before, before.replace(response="No."), trust="high") == []
    thinking = before.replace(response="<think>It is none.</think>No.")
    assert accept(thinking, before.replace(response="No."), trust="high") == ["thought_lost"]


MESSAGES: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "Is a whale a fish?"},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "Is a trout a fish?"},
        {"role": "assistant", "content": "Yes."},
    ]
}


def said(row: dict[str, Any], place: int, text: str) -> dict[str, Any]:
    messages = [dict(message) for message in row["messages"]]
    messages[place]["content"] = text
    return {"messages": messages}


def test_rows_of_any_shape_are_compared_answer_by_answer() -> None:
    assert accept(MESSAGES, MESSAGES) == []
    assert accept(MESSAGES, said(MESSAGES, 1, "Yes.")) == ["label_flipped"]
    assert accept(MESSAGES, said(MESSAGES, 3, "")) == ["empty_response"]
    assert accept(MESSAGES, {"messages": MESSAGES["messages"][:2]}) == ["turns_changed"]
    alpaca = {"instruction": "Is a whale a fish?", "input": "", "output": "No."}
    assert accept(alpaca, {**alpaca, "output": "Yes."}) == ["label_flipped"]
    assert accept(alpaca, Pair("Is a whale a fish?", "", "Yes.")) == ["label_flipped"]
    ranked = {"prompt": "Is a whale a fish?", "chosen": "No.", "rejected": "Yes."}
    assert accept(ranked, {**ranked, "rejected": "No."}) == ["label_flipped"]


def test_tools_that_were_called_stay() -> None:
    row = {
        "conversations": [
            {"from": "human", "value": "Weather in Ulm?"},
            {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Ulm"}}'},
            {"from": "observation", "value": "sun"},
            {"from": "gpt", "value": "It is sunny in Ulm."},
        ]
    }
    other = {"conversations": [dict(turn) for turn in row["conversations"]]}
    assert accept(row, other) == []
    other["conversations"][1]["value"] = '{"name": "weather", "arguments": {"city": "Bonn"}}'
    assert accept(row, other) == ["turns_changed"]
    assert accept(row, {"conversations": [row["conversations"][0], row["conversations"][3]]}) == ["turns_changed"]


# ------------------------------------------------------------------------------------------------- weak models


HARMFUL = {
    "another name": TEXT.replace("The Danube", "The Rhine"),
    "another number": TEXT.replace("ten", "12"),
    "content lost": "The Danube is a long river.",
    "a list that goes round": "\n".join(["1. The Danube is long.", "2. The Danube is long."] * 6),
    "the request to rewrite": "Here is the rewritten answer: " + TEXT,
    "filler": TEXT + " It is important to know that rivers matter a great deal to many people all over the world.",
    "another text": "Rivers are bodies of water that flow from high places to low places, and they are often loved.",
}
MINIMAL = (
    TEXT.replace("is a long", "is a very long"),
    TEXT.replace("long river that", "long river, which"),
    TEXT.replace("ends in", "flows into"),
    TEXT.replace("flows through", "runs across"),
)


def passing(revisions: list[tuple[Pair, Pair, str]], trust: Trust) -> float:
    """The share that is accepted as in a reviser."""
    judge = preference_rule().predict
    return sum(
        not accept(before, after, trust=trust, finish_reason=finish, preference=judge)
        for before, after, finish in revisions
    ) / len(revisions)


def test_little_trust_stops_harm_and_takes_minimal_edits() -> None:
    harmful = [(BEFORE, BEFORE.replace(response=text), "stop") for text in HARMFUL.values()]
    assert passing(harmful, "low") == 0
    assert passing(harmful, "normal") == pytest.approx(4 / 7)
    minimal = [(BEFORE, BEFORE.replace(response=text), "stop") for text in MINIMAL]
    assert passing(minimal, "low") == passing(minimal, "normal") == 1


@pytest.mark.realdata
def test_of_a_weak_models_harmful_answers_few_pass_at_low_trust(realdata: Callable[[str], Path]) -> None:
    def rows(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in realdata(f"{name}.jsonl").read_text("utf-8").splitlines()]

    with (Path(__file__).parent.parent / "benchmarks" / "weak_labels.csv").open(encoding="utf-8") as lines:
        labels = {(one["source"], one["line"], one["kind"]): one for one in csv.DictReader(lines)}
    old = {
        "alpaca_6k": [Pair(row["instruction"], row["input"], row["output"]) for row in rows("alpaca_6k")],
        "expert_revisions_1800": [
            Pair(row["raw_instruction"], row["raw_input"], row["raw_output"]) for row in rows("expert_revisions_1800")
        ],
    }
    harmful = []
    for row in rows("weak_answers"):
        label = labels[row["source"], str(row["line"]), row["kind"]]
        if (label["half"], label["label"]) == ("report", "harmful"):
            before = old[row["source"]][row["line"]]
            harmful.append((before, before.replace(response=row["answer"]), row["finish"]))
    assert len(harmful) == 126
    assert passing(harmful, "low") <= 0.2
    assert passing(harmful, "normal") <= 0.5


WRONG_SUM = TEXT + " There are 3 * 4 = 15 locks on it."


def test_a_revision_that_mends_a_wrong_sum_may_change_a_number_at_little_trust() -> None:
    before = BEFORE.replace(response=WRONG_SUM)
    assert accept(before, before.replace(response=WRONG_SUM.replace("15", "12")), trust="low") == []
    # a number is changed, and the sum is as wrong as before, or only hidden by what stands beside it
    assert "facts_touched" in accept(before, before.replace(response=WRONG_SUM.replace("15", "16")), trust="low")
    hidden = WRONG_SUM.replace("on it.", "on it. Do not hesitate to ask 7 more.")
    assert accept(before, before.replace(response=hidden), trust="low") == ["facts_touched"]


# ----------------------------------------------------------------------------------------------- where the limits lie

SEVEN = "the boats sail over deep blue water"


@pytest.mark.parametrize(
    ("check", "old", "new", "refused"),
    [
        ("facts_touched", "boats sail over deep blue water", "boats sail over deep blue seas", True),
        ("facts_touched", SEVEN, SEVEN.replace("water", "seas"), False),
        ("facts_touched", "boats", "ships", True),
        ("facts_touched", "...", "boats sail", False),
        ("facts_touched", f"{SEVEN} and I'm glad", f"{SEVEN} and glad", False),
        ("facts_touched", f"{SEVEN} to Bonn", f"{SEVEN} to it", True),
        ("largely_rewritten", "a b c d e f g h i j", "a b c d e f g h", False),
        ("largely_rewritten", "a b c d e f g h i j", "a b c d e f g", True),
        ("largely_rewritten", "a b c d e f g", "a b c d e f g x y z", False),
        ("largely_rewritten", "a b c d e f g", "a b c d e f g w x y z", True),
    ],
)
def test_how_much_may_change_at_little_trust(check: str, old: str, new: str, refused: bool) -> None:
    pair = Pair("Tell me.", "", old)
    assert accept(pair, pair.replace(response=new), trust="low", only=[check]) == [check] * refused


# -------------------------------------------------------------------------------------------------- what is mended

WRONG = "It costs 3 + 4 = 8 in all."


@pytest.mark.parametrize(
    ("old", "new", "only", "mended"),
    [
        (WRONG, "It costs 3 + 4 = 7 in all.", (), True),
        (WRONG, "It costs 3 + 4 = 7 in all.", ("wrong_sum",), True),
        (WRONG, "It costs 3 + 4 = 7 in all.", ("item_twice",), False),
        ("It costs 3 + 4 = 7 in all.", "It costs 7 in all.", (), False),
        (WRONG, WRONG, (), False),
        (WRONG, f"Roughly: {WRONG}", (), False),  # what was found stands there still
        (WRONG, "It costs 3 + 4 = 7, then 2 * 5 = 11.", (), False),
        (f"<think>\n{WRONG}\n</think>\nFine.", f"<think>\nRoughly: {WRONG}\n</think>\nFine.", (), False),
        (f"<think>\n{WRONG}\n</think>\nFine.", "<think>\nIt costs 3 + 4 = 7.\n</think>\nFine.", (), True),
    ],
)
def test_what_a_revision_mends(old: str, new: str, only: tuple[str, ...], mended: bool) -> None:
    assert mends(Case(Pair("Tell me.", "", old), Pair("Tell me.", "", new)), *only) is mended


STEPS = ("Sand the board with fine paper.", "Paint it with a thin coat.", "Let it dry for a whole day.")


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        ((0, 1, 2), (0, 1, 2, 1), True),  # a step that was there once
        ((0, 1), (0, 1, 2, 1, 2), True),
        ((0,), (0, 1, 2, 1, 2), False),  # steps that are all new
        ((0, 1, 2, 1), (0, 1, 2, 1), False),
        ((0, 1, 2), (2, 1, 0), False),
    ],
)
def test_a_step_that_was_there_once_may_not_come_again(
    old: tuple[int, ...], new: tuple[int, ...], refused: bool
) -> None:
    before, after = (
        Pair("How do I paint a board?", "", "\n".join(f"{k}. {STEPS[step]}" for k, step in enumerate(steps, start=1)))
        for steps in (old, new)
    )
    assert accept(before, after, only=["item_twice"]) == ["item_twice"] * refused


def test_only_new_findings_are_new() -> None:
    def found(old: str, new: str) -> list[tuple[int, str]]:
        pairs = Pair("Tell me.", "", old), Pair("Tell me.", "", new)
        return [(finding.line, finding.found) for finding in new_findings(*pairs)]

    assert found(WRONG, WRONG) == []
    assert found("Fine.", WRONG) == [(0, "8")]
    assert found(WRONG, f"{WRONG}\n2 * 5 = 11") == [(1, "11")]
    assert found(WRONG, f"{WRONG}\n\n{WRONG}") == [(2, "8")]
    assert found(f"{WRONG}\n\n{WRONG}", WRONG) == []
    assert found(f"{WRONG}\n\n{WRONG}", f"{WRONG}\n\n{WRONG}\n\n{WRONG}") == [(4, "8")]


@pytest.mark.parametrize(
    ("old", "new", "parses"),
    [
        ('```python\n{"a": 1 true}\n```', '```json\n{"a": 1 true}\n```', False),
        ('```python\nx = {"a": 1,\n```', '```text\nx = {"a": 1,\n```', True),
        ('```python\nx = {"a": 1,\n```', '```text\nx = {"a": 1}\n```', False),
        ('```python\nx = {"a": 1}\n```', '```text\nx = {"a": 1}\n```', False),
    ],
)
def test_code_that_parses_as_it_is_marked_anew(old: str, new: str, parses: bool) -> None:
    assert parses_as_marked(Case(Pair("Tell me.", "", old), Pair("Tell me.", "", new))) is parses
