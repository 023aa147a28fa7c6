"""Linear rules: what they compute, what they refuse, and that the two that ship order answers as people do."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from hfclean.errors import FolderError, HfcleanError, LinearRuleError
from hfclean.schema import Pair
from hfclean.scorers.embedded import preference_rule, rating_rule
from hfclean.scorers.indicators import indicator_values, indicators
from hfclean.scorers.linear_rule import FILE_NAME, LinearRule

LOSS = LinearRule("loss", ("reward", "natural"), (-0.5, 2.0), intercept=1.0, center=(1.0, 0.0), scale=(2.0, 1.0))
PAIR = Pair("Name three colours.", "", "Red, green, blue.")


# ------------------------------------------------------------------------------------------------------------ predict


def test_the_sum_is_the_intercept_and_each_weight_times_the_scaled_distance_from_the_center() -> None:
    assert LOSS.predict({"reward": 5.0, "natural": 0.25}) == 1.0 - 0.5 * (5.0 - 1.0) / 2.0 + 2.0 * 0.25


def test_contributions_with_the_intercept_make_the_whole_sum() -> None:
    found = LOSS.contributions({"reward": 5.0, "natural": 0.25, "other": 9})
    assert found == {"reward": -1.0, "natural": 0.5}
    assert LOSS.intercept + sum(found.values()) == LOSS.predict({"reward": 5.0, "natural": 0.25})


def test_logistic_link() -> None:
    rule = LinearRule("odds", ("x",), (1.0,), link="logistic")
    assert rule.predict([{"x": 0}, {"x": math.log(3)}, {"x": 1e9}, {"x": -1e9}]) == pytest.approx([0.5, 0.75, 1, 0])


@pytest.mark.parametrize(
    ("total", "score"), [(-9, 0), (0, 0), (1, 0.25), (2, 0.5), (4, 0.75), (7, 0.75 + 0.25 / 2), (10, 1), (11, 1)]
)
def test_percentile_link_interpolates_between_the_reference_quantiles(total: float, score: float) -> None:
    rule = LinearRule("rank", ("x",), (1.0,), link="percentile", reference=(0, 1, 2, 4, 10))
    assert rule.predict({"x": total}) == pytest.approx(score)


def test_equal_quantiles_give_their_middle() -> None:
    rule = LinearRule("rank", ("x",), (1.0,), link="percentile", reference=(0, 1, 1, 1, 2))
    assert rule.predict({"x": 1}) == 0.5


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, -math.inf, 10**400])
def test_a_missing_indicator_gives_nan_never_a_guess(missing: Any) -> None:
    assert math.isnan(LOSS.predict({"reward": missing, "natural": 0.5}))
    assert math.isnan(LOSS.predict({"natural": 0.5}))
    assert math.isnan(LOSS.contributions({"natural": 0.5})["reward"])
    assert math.isnan(replace(LOSS, link="logistic").predict({"natural": 0.5}))
    assert math.isnan(replace(LOSS, link="percentile", reference=(0, 1)).predict({"natural": 0.5}))


@pytest.mark.parametrize("value", ["0.5", b"1", [1.0], {"a": 1}])
def test_an_indicator_that_is_no_number_is_an_error_that_names_it(value: Any) -> None:
    with pytest.raises(LinearRuleError, match=r"indicator 'reward' is .*; expected a number"):
        LOSS.predict({"reward": value, "natural": 0.5})


def test_a_pair_given_to_a_rule_over_columns_is_an_error_that_says_what_to_pass() -> None:
    with pytest.raises(LinearRuleError, match=r"reads the columns reward, natural.*pass a mapping"):
        LOSS.predict(PAIR)


def test_a_pair_its_indicators_and_a_list_of_both_give_one_score() -> None:
    rule = preference_rule()
    alone = rule.predict(PAIR)
    assert rule.predict_values(indicator_values(PAIR)) == alone
    assert rule.predict([PAIR, PAIR]) == [alone, alone]
    assert rule.predict(indicators(PAIR)) == pytest.approx(alone, rel=1e-12)
    assert rule.predict([]) == []


# --------------------------------------------------------------------------------------------------------- declaring


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coefficients": (1.0,)}, "coefficients is 1 numbers; expected 2"),
        ({"coefficients": ()}, "coefficients is 0 numbers; expected 2"),
        ({"center": (1.0, 2.0, 3.0)}, "center is 3 numbers; expected 2"),
        ({"scale": (1.0, 0.0)}, r"scale is .* not above 0"),
        ({"scale": (1.0, -1.0)}, r"scale is .* not above 0"),
        ({"coefficients": (1.0, math.nan)}, "coefficients .* not a finite number"),
        ({"coefficients": (1.0, math.inf)}, "coefficients .* not a finite number"),
        ({"coefficients": (1.0, 10**400)}, "coefficients .* not a finite number"),
        ({"coefficients": (1.0, True)}, "coefficients .* not a finite number"),
        ({"coefficients": (1.0, "2")}, "coefficients .* not a finite number"),
        ({"coefficients": "ab"}, "coefficients is 'ab'; expected a list"),
        ({"coefficients": None}, "coefficients is None; expected a list"),
        ({"intercept": math.nan}, "intercept is nan; expected a finite number"),
        ({"indicators": ("reward", "reward")}, "name twice"),
        ({"indicators": ()}, "expected names, at least one"),
        ({"indicators": ("reward", 3)}, "expected names, at least one"),
        ({"indicators": ("reward", ["a"])}, "expected names, at least one"),
        ({"link": "softmax"}, "link is 'softmax'; expected logistic or percentile or identity"),
        ({"reads": "rows"}, "reads is 'rows'; expected pair or columns"),
        ({"reads": "pair", "indicators": ("paragraph", "bold")}, r"unknown 'paragraph' \(did you mean 'paragraphs'"),
        ({"link": "percentile"}, "reference is not a rising list"),
        ({"link": "percentile", "reference": (1.0, 0.0)}, "reference is not a rising list"),
        ({"reference": (0.0, 1.0)}, "reference is 2 numbers; expected none"),
        ({"version": 0}, "version is 0; expected a whole number"),
        ({"version": "1"}, "version is '1'; expected a whole number"),
        ({"name": 3}, "name is 3, which is not a string"),
        ({"fitted_on": (("rows", math.nan),)}, "fitted_on is"),
        ({"fitted_on": (("rows", [1]),)}, "fitted_on is"),
        ({"reads": "pair", "indicators": ("bold", "table"), "scale": (1e-320, 1.0)}, "scale is so small"),
    ],
)
def test_a_rule_declared_wrongly_says_what_was_found_and_wanted(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LinearRuleError, match=message):
        replace(LOSS, **changes)


def test_a_rule_is_a_value() -> None:
    rule = rating_rule()
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert hash(copy.deepcopy(rule)) == hash(rule)
    before = pickle.dumps(rule)
    rule.predict(PAIR)
    assert pickle.dumps(rule) == before
    with pytest.raises(FrozenInstanceError):
        rule.version = 2  # type: ignore[misc]
    assert isinstance(LinearRule("x", ["a"], [1]).coefficients, tuple)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("rule", [LOSS, preference_rule(), rating_rule()], ids=lambda rule: rule.name)
def test_a_rule_comes_back_from_its_folder_as_it_went_in(rule: LinearRule, tmp_path: Path) -> None:
    path = rule.save_pretrained(tmp_path / "new" / "folder")
    assert path.name == FILE_NAME
    again = LinearRule.from_pretrained(tmp_path / "new" / "folder")
    assert again == rule
    assert again.save_pretrained(tmp_path / "other").read_bytes() == path.read_bytes()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(FolderError, match="choose another folder"):
        LOSS.save_pretrained(tmp_path / "taken" / "folder")


def _set(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update(changes)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_set(format="pickle"), "no linear rule: expected an object"),
        (_set(format_version=2), "format_version is 2; this hfclean reads up to 1: pip install --upgrade hfclean"),
        (_set(format_version="1"), "format_version is '1'; expected 1"),
        (_set(format_version=True), "format_version is True; expected 1"),
        (_set(code="import os"), "unknown entries code"),
        (lambda data: data.pop("scale"), "lacks scale"),
        (_set(fitted_on=[1]), "fitted_on is not an object"),
        (_set(coefficients=[1.0]), "coefficients is 1 numbers; expected 2"),
        (_set(coefficients={"a": 1}), "coefficients is .*; expected a list"),
        (_set(reads="pair"), "unknown 'reward', 'natural'"),
    ],
)
def test_a_file_that_holds_no_sound_rule_is_refused(
    spoil: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    data = json.loads(LOSS.to_json())
    spoil(data)
    (tmp_path / FILE_NAME).write_text(json.dumps(data))
    with pytest.raises(LinearRuleError, match=message) as caught:
        LinearRule.from_pretrained(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert isinstance(caught.value, HfcleanError)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no JSON"),
        (b"\x80\x04\x95\x0c", "holds no JSON"),  # what a pickle starts with
        (b"[" * 900_000, "holds no JSON"),
        (b'{"format": NaN}', "NaN is not a finite number"),
        (b"[1, 2]", "no linear rule"),
        (b" " * 1_000_001, "more than 1,000,000 bytes"),
        (LOSS.to_json().replace("2.0", "1e999").encode(), "not a finite number"),
        (LOSS.to_json().replace("2.0", "-Infinity").encode(), "-Infinity is not a finite number"),
    ],
    ids=range(8),
)
def test_bytes_that_are_no_rule_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(LinearRuleError, match=message):
        LinearRule.from_pretrained(tmp_path)


def test_a_folder_without_a_rule_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(LinearRuleError, match=r"linear_rule.json cannot be read: No such file"):
        LinearRule.from_pretrained(tmp_path)


# ------------------------------------------------------------------------------------------------------ the two rules

QUESTION = "Explain why leaves change colour in autumn."
GOOD = (
    "Leaves change colour in autumn because trees stop making chlorophyll, the green pigment that captures light.\n\n"
    "As days shorten and nights cool, chlorophyll breaks down faster than it is replaced. Carotenoids, which were "
    "there all summer, then show yellow and orange. In some species trapped sugars also form anthocyanins, which add "
    "red."
)
FAULTY = {
    "empty": "",
    "blank": " \n\t ",
    "marks": "...",
    "non_answer": "<noinput>",
    "echo": QUESTION,
    "refusal": "I'm sorry, but as an AI language model I cannot answer that.",
    "truncated": GOOD[:90],
    "looped": "Leaves change colour. " * 12,
    "loop_without_stops": "leaves change colour in autumn and " * 20,
    "one_word": "Chlorophyll",
    "off_topic": "Our shop opens at nine.",
    "repeated": GOOD + "\n\n" + GOOD,
    "blank_lines": "Leaves.\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nChange.",
}


@pytest.mark.parametrize("fault", FAULTY)
def test_preference_is_lower_for_a_faulty_version_of_the_answer(fault: str) -> None:
    rule = preference_rule()
    assert rule.predict(Pair(QUESTION, "", FAULTY[fault])) < rule.predict(Pair(QUESTION, "", GOOD))


@pytest.mark.parametrize("fault", ["echo", "refusal", "looped", "loop_without_stops", "repeated"])
def test_rating_is_lower_for_a_faulty_version_of_the_answer(fault: str) -> None:
    rule = rating_rule()
    assert rule.predict(Pair(QUESTION, "", FAULTY[fault])) < rule.predict(Pair(QUESTION, "", GOOD))


@pytest.mark.parametrize("other", ["x", "no", "fox " * 3000, "a. " * 3000, "\n- same" * 3000, "🙂", "北", QUESTION])
def test_an_empty_response_is_below_any_other(other: str) -> None:
    for rule in (preference_rule(), rating_rule()):
        for task in (QUESTION, "", "Is it so?"):
            assert rule.predict(Pair(task, "", "")) < 0.001
            assert rule.predict(Pair(task, "", "")) <= rule.predict(Pair(task, "", other))
    assert preference_rule().predict(Pair(QUESTION, "", "")) < preference_rule().predict(Pair(QUESTION, "", other))


def test_rating_prefers_a_checkable_task_to_an_open_one() -> None:
    closed = Pair("What is the chemical symbol of the element iron?", "", "The chemical symbol of iron is Fe.")
    vague = Pair(
        "Write a story about a person who would like to improve the future of society.",
        "",
        "Once upon a time there was a person who would often think about how they could improve things for others. "
        "They had been told by many that it might be hard, but they had hope for a better world and more new ideas.",
    )
    assert rating_rule().predict(closed) > 0.8
    assert rating_rule().predict(vague) < 0.2


def test_scores_are_finite_and_between_0_and_1_for_any_text() -> None:
    for text in ("", "\ud800", "你好" * 999, "🙂", "مرحبا", "a" * 100_000, "\n" * 999, "- x\n" * 9999):
        for rule in (preference_rule(), rating_rule()):
            assert 0 <= rule.predict(Pair(text, text, text)) <= 1


def test_the_embedded_rules_say_what_they_are() -> None:
    for rule in (preference_rule(), rating_rule()):
        assert rule.reads == "pair"
        assert rule.direction.startswith("higher is better")
        assert dict(rule.fitted_on)["folds"] == 10
    assert preference_rule() is preference_rule()
    assert preference_rule().link == "logistic"
    assert rating_rule().link == "percentile"


# ----------------------------------------------------------------------------------------------------------- real rows


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.realdata
def test_preference_orders_pairs_as_experts_and_voters_did(realdata: Callable[[str], Path]) -> None:
    rule = preference_rule()
    expert = [
        rule.predict(Pair(row["revised_instruction"], row["revised_input"], row["revised_output"]))
        > rule.predict(Pair(row["raw_instruction"], row["raw_input"], row["raw_output"]))
        for row in _read(realdata("expert_revisions_1800.jsonl"))
    ]
    assert sum(expert) / len(expert) >= 0.88
    human = []
    for row in _read(realdata("human_preferences_499.jsonl")):
        vote, count = Counter(row["annotators"]).most_common(1)[0]
        if count > 1 and vote:
            first, second = (rule.predict(Pair(row["instruction"], row["input"], row[f"response{n}"])) for n in (1, 2))
            human.append((first > second) == (vote == 1) if first != second else 0.5)
    assert sum(human) / len(human) >= 0.73


@pytest.mark.realdata
def test_rating_finds_rows_that_the_judge_rated_high_and_halves_the_rows(realdata: Callable[[str], Path]) -> None:
    rows = _read(realdata("alpaca_6k.jsonl"))
    scores = rating_rule().predict([Pair(row["instruction"], row["input"], row["output"]) for row in rows])
    assert 0.49 <= sum(score >= 0.5 for score in scores) / len(scores) <= 0.51
    flagged = sorted(score for score, row in zip(scores, rows, strict=True) if row["claude_ge_4_5"])
    others = sorted(score for score, row in zip(scores, rows, strict=True) if not row["claude_ge_4_5"])
    wins = place = 0
    for score in flagged:
        while place < len(others) and others[place] < score:
            place += 1
        wins += place
    assert wins / (len(flagged) * len(others)) >= 0.67
