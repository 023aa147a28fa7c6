"""turns="all" and side=: what scorers make of several turns, and what chosen and rejected share stays shared."""

from __future__ import annotations

import itertools
import math
from dataclasses import fields, replace
from typing import Any

import pytest
from datasets import Dataset
from extras import needs

import hfclean
from hfclean.columns import Column
from hfclean.errors import SchemaError
from hfclean.layout import Layout
from hfclean.models import Answer
from hfclean.provenance import parse_history
from hfclean.reviser import RuleReviser
from hfclean.reviser.codec import encode
from hfclean.schema import Pair, detect
from hfclean.scorers import Score, Scorer
from hfclean.scorers.direction import Direction
from hfclean.scorers.embedding import Embed
from hfclean.scorers.expected_rating import RatingExpectation
from hfclean.scorers.language import Language
from hfclean.scorers.likelihood import IFD, IRA, Perplexity, ReverseIFD, SelectiveIFD
from hfclean.scorers.personal import PII
from hfclean.scorers.reward import Reward
from hfclean.scorers.unieval import UniEval
from hfclean.testing_models import ScriptedBackend


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


FIRST = [user("Hi"), said("Hello there.</s>")]
TALK = {"messages": [*FIRST, user("Name a fruit that grows in Italy."), said("An apple grows there in the north.")]}
PAIRS = [
    Pair("Hi", "", "Hello there.</s>"),
    Pair("Name a fruit that grows in Italy.", "", "An apple grows there in the north."),
]


# --------------------------------------------------------------------------------------------------------- the scores


def test_scores_of_all_turns_are_means_and_their_defects_are_those_of_any() -> None:
    each = [hfclean.score({"prompt": pair.instruction, "completion": pair.response}) for pair in PAIRS]
    found = Score(turns="all")(TALK)
    for name in ("preference", "rating", "lexical_diversity"):
        assert found[name] == pytest.approx((each[0][name] + each[1][name]) / 2)
        assert each[0][name] != each[1][name] or name == "lexical_diversity"
    assert found["response_words"] == each[0]["response_words"] + each[1]["response_words"] == 10.0
    assert (hfclean.score(TALK)["defects"], found["defects"]) == ("", "chat_markers")
    assert parse_history(found["edit_history"])[0].settings == {"turns": "all"}


def test_a_turn_without_a_number_leaves_its_row_without_one() -> None:
    row = {"messages": [user("Say nothing."), said(""), *TALK["messages"]]}
    assert math.isnan(Score(turns="all")(row)["lexical_diversity"])
    assert hfclean.score(row)["lexical_diversity"] == 1.0


def test_one_turn_scores_alike_either_way() -> None:
    row = {"prompt": "Name a fruit.", "completion": "An apple.</s>"}
    last, every = hfclean.score(row), Score(turns="all")(row)
    assert {**every, "edit_history": ""} == {**last, "edit_history": ""}


def test_of_both_sides_numbers_are_of_the_chosen_answer_and_defects_of_either() -> None:
    row = {"prompt": "Name a tree.", "chosen": "An oak, perhaps.", "rejected": "No tree</s>"}
    chosen, rejected, both = (Score(side=side)(row) for side in ("chosen", "rejected", "both"))
    assert both["response_words"] == chosen["response_words"] == 3.0
    assert (chosen["defects"], rejected["defects"], both["defects"]) == ("", "chat_markers", "chat_markers")


def test_scores_after_a_repair_are_of_the_turns_they_were_of() -> None:
    every = replace(hfclean.revise, turns="all")
    scored = {**TALK, **Score(turns="all")(TALK)}
    out = every(scored)
    assert (out["defects"], out["response_words"]) == ("", 9.0)
    assert out["preference"] == Score(turns="all")({"messages": out["messages"]})["preference"]


@pytest.mark.parametrize("turns", ["last", "all"])
def test_a_comparison_measures_the_turns_that_were_scored(turns: Any) -> None:
    ds = Dataset.from_list([TALK, TALK])
    cleaned = hfclean.clean(ds, reviser=replace(hfclean.revise, turns=turns)).dataset
    report = hfclean.compare(ds, cleaned)
    words = next(score for score in report.scores if score.name == "response_words")
    assert words.before is not None
    assert (words.before.mean, words.after.mean) == ((7.0, 7.0) if turns == "last" else (10.0, 9.0))
    assert report.rows_with_defects_before == (0 if turns == "last" else 2)
    assert hfclean.compare(ds, ds, turns="all").rows_with_defects_before == 2


def test_a_scorer_of_ones_own_means_over_turns() -> None:
    @hfclean.scorer("length")
    def length(pair: Pair) -> float:
        return len(pair.response)

    assert replace(length, turns="all")(TALK)["length"] == (16 + 34) / 2


class _Told(Scorer):
    adds = (Column("told"), Column("told_reason", kind="text"))

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        return {"told": [pair.response for pair in pairs], "told_reason": ["odd"] * len(pairs)}


def test_columns_that_cannot_be_made_one_are_refused() -> None:
    assert _Told()(TALK)["told"] == TALK["messages"][-1]["content"]
    with pytest.raises(SchemaError, match=r"_Told\(turns='all'\): the column 'told'"):
        _Told(turns="all")(TALK)


def test_all_turns_are_one_text_to_the_language() -> None:
    needs("language", "py3langid")
    german = {"messages": [user("Hallo"), said("Guten Tag, wie geht es Ihnen heute?"), user("Gut"), said("Ja.")]}
    assert Language()(german)["language_reason"] == "too_short"
    assert Language(turns="all")(german)["language"] == "de"


def test_personal_data_is_looked_for_everywhere_whatever_is_said() -> None:
    row = {"prompt": "Who?", "chosen": "jo@hfclean.dev", "rejected": "ann@hfclean.dev"}
    assert PII(turns="all", side="both")(row)["pii_count"] == PII()(row)["pii_count"] == 2.0
    for kind in (PII, hfclean.reviser.MaskPII):
        with pytest.raises(SchemaError, match="side='rejected'"):
            kind(side="rejected")


MODELLED = [UniEval, RatingExpectation, Reward, Direction, IFD, ReverseIFD, IRA, Perplexity, SelectiveIFD, Embed]


@pytest.mark.parametrize("kind", MODELLED, ids=lambda kind: kind.__name__)
def test_scorers_that_read_a_model_say_what_they_cannot_do(kind: Any) -> None:
    needed = {field.name: "m" for field in fields(kind) if field.name in ("model", "base", "tuned", "after", "before")}
    assert kind(**needed).turns == "last"
    with pytest.raises(SchemaError, match="side='both'"):
        kind(**needed, side="both")
    if kind is Embed:
        with pytest.raises(SchemaError, match="one text"):
            kind(**needed, turns="all")
    else:
        assert kind(**needed, turns="all").turns == "all"


class _Marks(Reward):
    """A reward that is the length of the response, and none where it is too long."""

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        sizes = [len(pair.response) for pair in pairs]
        return {
            "reward": [math.nan if size > 40 else float(size) for size in sizes],
            "reward_reason": ["too_long" if size > 40 else "" for size in sizes],
        }

    def identity(self) -> str:
        return "hash:1"


def test_a_reward_of_all_turns_is_their_mean_or_none_with_its_reason() -> None:
    every = _Marks("m", turns="all")(TALK)
    assert (every["reward"], every["reward_reason"]) == (25.0, "")
    none = _Marks("m", turns="all")({"messages": [user("Go on."), said("x" * 50), *TALK["messages"]]})
    assert (math.isnan(none["reward"]), none["reward_reason"]) == (True, "too_long")


def test_a_judge_grades_every_turn_and_none_twice() -> None:
    backend = ScriptedBackend(['{"reason": "x", "score": 2}', '{"reason": "y", "score": 5}'])
    judge = hfclean.Judge(backend, turns="all")
    out = judge(TALK)
    assert (out["judge"], out["judge_reason"], len(backend.asked)) == (3.5, "", 2)
    assert judge({**TALK, **out}) == out
    assert len(backend.asked) == 2
    last = hfclean.Judge(ScriptedBackend(['{"reason": "x", "score": 2}']))({**TALK, **out})
    assert last["judge"] == 2.0  # a score of all turns is not one of the last


def test_a_judge_that_fails_on_a_turn_has_no_score_of_the_row() -> None:
    backend = ScriptedBackend(['{"reason": "x", "score": 2}', Answer.failed("timeout")])
    out = hfclean.Judge(backend, turns="all")(TALK)
    assert (math.isnan(out["judge"]), out["judge_reason"]) == (True, "timeout")
    with pytest.raises(SchemaError, match="side='both'"):
        hfclean.Judge(backend, side="both")


# -------------------------------------------------------------------------------- what both sides share

TYPED = {"role": "assistant", "content": [{"type": "text", "text": "Hello there.</s>"}]}
SHAPES: dict[str, dict[str, Any]] = {
    "implicit": {
        "chosen": [*FIRST, user("A fruit?"), said("Apple.")],
        "rejected": [*FIRST, user("A fruit?"), said("Car.</s>")],
    },
    "prompt is the last question": {
        "prompt": "A fruit?",
        "chosen": [*FIRST, user("A fruit?"), said("Apple.")],
        "rejected": [*FIRST, user("A fruit?"), said("Car.</s>")],
    },
    "prompt repeated in both": {
        "prompt": [*FIRST, user("A fruit?")],
        "chosen": [*FIRST, user("A fruit?"), said("Apple.")],
        "rejected": [*FIRST, user("A fruit?"), said("Car.</s>")],
    },
    "sides part in an answer": {
        "chosen": [*FIRST, user("A fruit?"), said("Apple."), user("More."), said("Pear.")],
        "rejected": [*FIRST, user("A fruit?"), said("Car.</s>"), user("More."), said("Bus.")],
    },
    "typed parts": {
        "chosen": [user("Hi"), TYPED, user("A fruit?"), said("Apple.")],
        "rejected": [user("Hi"), TYPED, user("A fruit?"), said("Car.</s>")],
    },
}


def text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else content[0]["text"]


@pytest.mark.parametrize(("shape", "side"), [*itertools.product(SHAPES, ["chosen", "rejected", "both"])])
def test_a_repair_of_a_shared_turn_reaches_both_sides(shape: str, side: Any) -> None:
    row = SHAPES[shape]
    out = {**row, **replace(hfclean.revise, turns="all", side=side)(row)}
    assert out["chosen"][:3] == out["rejected"][:3]
    assert text(out["chosen"][1]) == "Hello there."
    if isinstance(row.get("prompt"), list):
        assert out["prompt"] == out["chosen"][:3]
    assert text(out["rejected"][3]) == ("Car.</s>" if side == "chosen" else "Car.")
    assert hfclean.restore(out) == row
    kept = replace(hfclean.revise, side=side)(row)  # only last turns
    assert kept["chosen"][:3] == kept["rejected"][:3] == row["chosen"][:3]


def test_a_shared_turn_is_asked_about_once() -> None:
    def answer(conversation: Any) -> str:
        content = conversation[-1].content
        if "Car" in content:
            return encode(Pair("", "", "A car is not a fruit."), ("response",))
        return encode(Pair("", "", "Hello."), ("response",)) if "Apple" not in content else "no form"

    backend = ScriptedBackend(answer)
    row = SHAPES["implicit"]
    reviser = hfclean.Reviser(backend, turns="all", side="both")
    out = {**row, **reviser(row)}
    assert len(backend.asked) == 3
    assert out["chosen"][:3] == out["rejected"][:3]
    assert hfclean.restore(out) == row


def test_sides_that_share_nothing_are_read_apart() -> None:
    row = {"chosen": [user("Hi"), said("a")], "rejected": [user("Ho"), said("a")]}
    view = detect(tuple(row))
    pairs = view.pairs(row, turns="all", side="both")
    assert [(pair.instruction, pair.response) for pair in pairs] == [("Ho", "a"), ("Hi", "a")]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_chosen_answer_stays_the_main_pair(shape: str) -> None:
    row = SHAPES[shape]
    view = detect(tuple(row))
    pairs = view.pairs(row, turns="all", side="both")
    assert pairs[-1] == view.pairs(row)[-1]
    assert len([pair for pair in pairs if "Hello" in pair.response]) == 1


def test_texts_that_cannot_be_written_to_both_sides_alike_are_left() -> None:
    parts = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "you.</s>"}]}
    row = {
        "chosen": [user("Hi"), said("Hello\nyou.</s>"), user("Go."), said("One.")],
        "rejected": [user("Hi"), parts, user("Go."), said("Two.")],
    }
    out = replace(hfclean.revise, turns="all", side="both")(row)
    assert (out["chosen"], out["rejected"], out["edit"]) == (row["chosen"], row["rejected"], "kept")


def test_one_rule_of_a_shared_turn_is_undone_on_both_sides() -> None:
    row = SHAPES["implicit"]
    ds = Dataset.from_list([row])
    done = ds.map(replace(hfclean.revise, turns="all", side="both"), batched=True)
    assert {entry.field for entry in hfclean.ledger(done)} == {
        *("chosen/1/content", "rejected/1/content", "rejected/3/content")
    }
    back = hfclean.restore(done, rule="chat_markers")[0]
    assert (back["chosen"], back["rejected"], back["edit_reason"]) == (row["chosen"], row["rejected"], "restored")


@pytest.mark.parametrize("field", ["turns", "side"])
def test_turns_and_sides_of_another_name_are_refused(field: str) -> None:
    with pytest.raises(SchemaError, match=rf"^{field}='first' is invalid; expected '"):
        Layout(**{field: "first"})  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match=rf"^RuleReviser: {field}='first' is invalid; expected '"):
        replace(hfclean.revise, **{field: "first"})  # type: ignore[arg-type]


def test_a_transform_reads_by_its_layout() -> None:
    reviser = RuleReviser(columns={"messages": "talk"}, prefix="x_", turns="all", side="both")
    assert reviser.layout == Layout({"messages": "talk"}, "x_", "all", "both")
    assert reviser.layout.own("edit") == "x_edit"
    assert "layout" not in repr(reviser)


@pytest.mark.parametrize("prefix", ["a/", "a\\", "../", "a\n", "a\u2028", "a\0", "\x1b[31m", "a\ud800", "x" * 101, 7])
def test_a_prefix_that_no_column_should_have_is_refused(prefix: Any) -> None:
    for read in (
        Layout,
        lambda **how: hfclean.RuleReviser(**how),
        lambda **how: hfclean.convert(Dataset.from_list([]), "messages", **how),
    ):
        with pytest.raises(SchemaError, match=r"prefix is .*; expected at most 100 printable characters without '/'"):
            read(prefix=prefix)
