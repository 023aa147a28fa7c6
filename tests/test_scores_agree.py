"""The embedded scores agree with the rules: a repaired row scores above the row that it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import hfclean
from hfclean.rules import ROW_RULES, RULES, SEVERITIES, Rule, find_defects
from hfclean.rules import mend as repair
from hfclean.schema import Pair, detect
from hfclean.scorers.agreement import SHARES, counted, factor
from hfclean.scorers.embedded import preference_rule, rating_rule

SCORES = ("preference", "rating")
MESSY = Path(__file__).parent.parent / "examples" / "messy.jsonl"
LONG = (
    "Rivers carry water from the mountains to the sea, and with it sand, salt and seeds. Most of them begin as a "
    "spring, grow with every stream that joins them, and slow down where the land is flat."
)


def scores_of(pair: Pair) -> tuple[float, float]:
    columns = hfclean.Score().score_batch([pair])
    return columns["preference"][0], columns["rating"][0]


def test_a_row_without_defects_has_the_score_of_its_text() -> None:
    pair = Pair("Describe a river.", "", LONG)
    assert counted(pair) == (pair, ())
    assert scores_of(pair) == (preference_rule().predict(pair), rating_rule().predict(pair))


@pytest.mark.parametrize(
    ("before", "after", "taken"),
    [
        (f"{LONG}</s>", LONG, ["chat_markers"]),
        (f"{LONG}\n\n\n\n\n{LONG[:40]}.", f"{LONG}\n\n{LONG[:40]}.", ["whitespace"]),
        (f"{LONG} And the the sea waits.", f"{LONG} And the sea waits.", ["doubled_word"]),
    ],
)
def test_a_defect_costs_its_share_of_the_score_of_the_repaired_row(before: str, after: str, taken: list[str]) -> None:
    raw, fixed = (Pair("Describe a river.", "", text) for text in (before, after))
    assert repair(raw, RULES)[-1].after == fixed
    left, defects = counted(raw)
    assert (left, list(defects)) == (fixed, taken)
    whole = scores_of(fixed)
    assert scores_of(raw) == tuple(pytest.approx(value * factor(taken)) for value in whole)
    assert all(low < high for low, high in zip(scores_of(raw), whole, strict=True))


def test_a_defect_that_no_rule_repairs_costs_its_share_as_well() -> None:
    leak = Pair("Describe a river.", "", f"I am ChatGPT, a language model trained by OpenAI. {LONG}")
    left, defects = counted(leak)
    assert left == leak
    assert "identity_leak" in defects
    assert scores_of(leak)[0] == pytest.approx(preference_rule().predict(leak) * factor(defects))


def test_what_a_repair_cannot_take_away_counts_before_and_after() -> None:
    leak = f"I am ChatGPT, a language model trained by OpenAI. {LONG}"
    raw, fixed = Pair("Describe a river.", "", f"{leak}</s>"), Pair("Describe a river.", "", leak)
    assert scores_of(raw)[1] == pytest.approx(scores_of(fixed)[1] * factor(["chat_markers"]))


def test_shares_grow_with_severity_and_leave_scores_between_0_and_1() -> None:
    assert 0 < SHARES["low"] < SHARES["medium"] < SHARES["high"] < 1
    assert tuple(SHARES) == SEVERITIES
    assert 0 < factor(rule.id for rule in RULES) < 1
    assert factor(()) == 1


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.repair and rule.example[0]], ids=lambda rule: rule.id)
def test_the_example_of_every_rule_rises(rule: Rule) -> None:
    for field in ("response", "input", "instruction"):
        pair = Pair("Why is the sky blue?", "", LONG).replace(**{field: rule.example[0]})
        changes = repair(pair, RULES)
        if changes:
            before, after = scores_of(pair), scores_of(changes[-1].after)
            assert before[0] < after[0]
            assert before[1] <= after[1]


def changed(path: Path) -> list[tuple[Pair, Pair]]:
    """The pairs that `revise` changes, before and after."""
    found = []
    for line in filter(None, path.read_text(encoding="utf-8").split("\n")):
        row = json.loads(line)
        view = detect(tuple(row))
        before = view.pairs(row)[-1]
        after = view.pairs({**row, **hfclean.revise(row)})[-1]
        if before != after:
            found.append((before, after))
    return found


def test_no_repaired_row_of_the_example_falls_and_nearly_all_rise() -> None:
    pairs = changed(MESSY)
    assert len(pairs) >= 60
    before, after = (hfclean.Score().score_batch(list(side)) for side in zip(*pairs, strict=True))
    for name in SCORES:
        moves = [new - old for old, new in zip(before[name], after[name], strict=True)]
        assert min(moves) >= 0
        assert sum(move > 0 for move in moves) >= 0.95 * len(moves)


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name", ["alpaca_6k.jsonl", "dolly_2k.jsonl", "alpaca_zh.jsonl", "sharegpt_conversations.jsonl"]
)
def test_no_repaired_real_row_falls(realdata: Callable[[str], Path], name: str) -> None:
    for before, after in changed(realdata(name)):
        low, high = scores_of(before), scores_of(after)
        assert low[0] <= high[0]
        assert low[1] <= high[1]


def test_a_batch_scores_as_each_pair_by_itself() -> None:
    pairs = [pair for both in changed(MESSY) for pair in both]
    together = hfclean.Score().score_batch(pairs)
    for k, pair in enumerate(pairs):
        left, defects = counted(pair)
        assert together["preference"][k] == pytest.approx(preference_rule().predict(left) * factor(defects))
        assert together["rating"][k] == pytest.approx(rating_rule().predict(left) * factor(defects))
        assert together["defects"][k] == " ".join(hfclean.rules.find_defects(pair, RULES))


def test_scores_are_those_of_today_after_a_revision_and_after_its_undoing() -> None:
    row = {"instruction": "Describe a river.", "input": "", "output": f"{LONG}</s>"}
    scored = {**row, **hfclean.score(row)}
    revised = {**scored, **hfclean.revise(scored)}
    assert [revised[name] for name in SCORES] == [hfclean.score({**row, "output": LONG})[name] for name in SCORES]
    assert all(revised[name] > scored[name] for name in SCORES)
    undone = hfclean.restore(revised, rule="chat_markers")
    assert [undone[name] for name in SCORES] == [scored[name] for name in SCORES]


def test_the_scores_know_which_rules_they_depend_on() -> None:
    score = hfclean.Score()
    assert score.version == 5
    assert score.depends()["rules"] == {rule.id: rule.version for rule in (*RULES, *ROW_RULES)}
    assert score.depends()["shares"] == SHARES


DIRTY = (
    Pair("Name a fruit.", "N/A", "An apple .  It is red and round and sweet to eat.<|im_end|>"),
    Pair(
        "Say where it is.",
        "",
        " It lies in the the north of the country.\n\n\n\nGo there.\n###\n7. Instruction: Sing.",
    ),
    Pair(
        "Say where it is.", "<noinput>", "It lies in\u200b the the north,  and it is quite far from here &amp; cold."
    ),
    Pair("Say where it is.", "", "It lies in the north of the country."),
)


@pytest.mark.parametrize("pair", DIRTY)
def test_what_is_known_beforehand_changes_no_repair(pair: Pair) -> None:
    changes = repair(pair, RULES)
    looked: list[Pair] = []

    def look(after: Pair) -> list[str]:
        looked.append(after)
        return find_defects(after, RULES)

    found = find_defects(pair, RULES)
    assert repair(pair, RULES, found=found) == changes
    assert repair(pair, RULES, found=found, look=look) == changes
    assert looked == [change.after for change in changes]
