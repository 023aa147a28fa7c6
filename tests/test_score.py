"""The embedded scores as columns: what a quick look at the words spares the rules must never be a defect."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfclean.rules import RULES, Rule, find_defects
from hfclean.schema import Pair
from hfclean.scorers import Score, lexical_diversity, response_words
from hfclean.scorers.embedded import preference_rule, rating_rule
from hfclean.scorers.indicators import INDICATOR_NAMES, indicator_values

# Whole defects, parts of them, and what can stand around a word so that two readers take it for two different words.
PIECES = [
    *(text for rule in RULES for text in rule.example if text),
    *("the the", "a a", "at at", "as an AI"),
    *("I’m ChatGPT", "I'm an AI assistant trained by Meta", "AIbot", "my last update"),
    *("in the image above", "this picture shows", "[image of a cat]", "![x](y)", "I've attached the file", "e-mailed"),
    *("the following text", "this sentence", "'given word'"),
    *("using these2", "el la los de2 por", "la maison est à côté"),
    *("(insert name)", "{{name}}", "INSERT NAME HERE", "<b>", "&amp;", "</s>"),
    *("### Response:", "//", "```", "~~~", "$x$", "|"),
    *("7. Instruction: Go", "7. Input:", "(open", "1. ", "- ", "N/A", "noinput", "so it goes on and on with the"),
    *("’", "‘", "“", "”", "–", "—", "…", "•", "é", "ß"),
    *("Ã©", "â€™", "°", "²", "中", "\u200b", "\xa0", "\ud800", "\ufffd", "İ", "K"),
    *("\n", "\n\n\n\n", "\r\n", "\t", "\x0b", "\x1c", "\x7f", " ", "  "),
    *(" ,", " .", ". ", "! ", "? ", "'", "-", "_", "0", "."),
    *("Az a a fontos", "for for tidligt", "the shop I went to to buy", "Schreibe ein Lied", "ten times", "zehnmal"),
    *("    return a + b", "\tx = 1;", "--- a/x\n+++ b/x\n", "+added", "-gone", "00000010  0a 0a  ", "a  b  c"),
    *("```py\nx = x +\n```", "```js\nf({\n", "x = [1,", "As an AI, I cannot", "As an AI, I suggest", "\n###\n"),
]  # fmt: skip
SENTENCE = "Fog forms over cold water when the wind is still and the air above it is warm"
texts = st.lists(st.sampled_from([*PIECES, SENTENCE]) | st.text(max_size=4), max_size=14).map("".join)
spaced = st.lists(st.sampled_from([*PIECES, SENTENCE]), max_size=14).map(" ".join)


def defects(pairs: list[Pair]) -> list[str]:
    found: list[str] = Score().score_batch(pairs)["defects"]
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_defect_of_each_rule_is_in_the_column(rule: Rule) -> None:
    for example in filter(None, rule.example):
        pair = Pair("Tell me something about rivers.", "", example)
        assert defects([pair]) == [" ".join(find_defects(pair, RULES))]


@given(st.builds(Pair, texts | spaced, texts | st.just(""), texts | spaced))
@settings(max_examples=400, deadline=None)
def test_the_column_holds_what_the_rules_find(pair: Pair) -> None:
    assert defects([pair]) == [" ".join(find_defects(pair, RULES))]


@pytest.mark.parametrize("end", ["", "!", ". See it?", "\n\nNo more."])
def test_a_sentence_said_again_is_found_with_one_line_and_with_many(end: str) -> None:
    for joint in (". ", "! ", "? ", "\n", ".\n\n- "):
        pair = Pair("Tell me something about fog.", "", f"{SENTENCE}{joint}{SENTENCE}{end}")
        assert defects([pair]) == ["repeated_text"]


def test_a_loop_of_words_and_one_of_characters_are_found() -> None:
    words = random.Random(3)
    loop = " ".join(words.choice(("on", "and", "off", "up", "down", "out")) for _ in range(90))
    assert "repeated_text" in defects([Pair("Name a switch.", "", loop)])[0]
    assert "repeated_text" in defects([Pair("Name a sound.", "", "ha ho " * 60)])[0]


@pytest.mark.parametrize(
    "piece", ["a", "  a", " \n", "the the ", "(", "'", "’", "é", "1. a\n", "ab. ", "中", "[x", "i am "]
)
def test_a_long_text_of_one_thing_is_scored(piece: str, long_text: Callable[[str], str]) -> None:
    text = long_text(piece)
    columns = Score().score_batch([Pair("Go on", "", text), Pair("Go on " + text[:50_000], text[:50_000], "Fine.")])
    assert all(0 <= value <= 1 for name in ("preference", "rating") for value in columns[name])


def test_a_row_has_the_same_scores_alone_and_among_many() -> None:
    pairs = [Pair(f"Name {n} rivers.", "", f"{SENTENCE}. " * (n % 7)) for n in range(120)]
    together = Score().score_batch(pairs)
    for n, pair in enumerate(pairs):
        alone = Score().score_batch([pair])
        assert repr({name: alone[name][0] for name in alone}) == repr({name: together[name][n] for name in alone})
    assert together["response_words"] == list(map(response_words, pairs))
    assert repr(together["lexical_diversity"]) == repr(list(map(lexical_diversity, pairs)))


def test_a_rule_over_a_pair_weighs_what_it_names_and_nothing_else() -> None:
    pair = Pair("Name three colours.", "", "Here they are:\n\n1. red\n2. green\n3. blue")
    values = indicator_values(pair)
    for rule in (preference_rule(), rating_rule()):
        assert rule.predict_values(values) == pytest.approx(
            rule.predict(dict(zip(INDICATOR_NAMES, values, strict=True)))
        )


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["alpaca_6k", "dolly_2k", "alpaca_zh"])
def test_the_column_holds_what_the_rules_find_in_real_rows(name: str, realdata: Callable[[str], Path]) -> None:
    with realdata(f"{name}.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    pairs = [
        Pair(row["instruction"], row.get("input", row.get("context", "")), row.get("output", row.get("response", "")))
        for row in rows
    ]
    assert defects(pairs) == [" ".join(find_defects(pair, RULES)) for pair in pairs]
