"""Indicators: the values they must have on pairs that a person can check, and finite numbers for any text."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from hfclean.schema import Pair
from hfclean.scorers.indicators import INDICATOR_NAMES, INDICATORS, indicator_values, indicators

LIST = "Here are three:\n\n1. **Red**: the colour of fire\n2. **Blue**: the colour of the sea\n3. **Green**: of grass"
STORY = "Once a fox lived near a river. The fox swam across. The fox slept."


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        # the task
        (Pair("What is the capital of France?", "", "Paris."), {"asks_fact": 1, "about_facts": math.log1p(1)}),
        (Pair("Is seven a prime number?", "", "Yes."), {"asks_choice": 1, "about_mathematics": math.log1p(2)}),
        (Pair("Please classify the fruit.", "", "Pome."), {"asks_choice": 1, "asks_fact": 0}),
        (Pair("Calculate 3 plus 4.", "", "7"), {"asks_computation": 1, "asks_creation": 0, "count_met": 0}),
        (Pair("Write a poem about a fox.", "", STORY), {"asks_creation": 1, "about_fiction": math.log1p(1)}),
        (Pair("Write a poem about a fox.", "", STORY), {"open_wording": math.log1p(3)}),
        (Pair("Fix it.", "he go home", "He goes home."), {"input_words": math.log1p(3), "input_marker": 0}),
        (Pair("Name a dog.", "<noinput>", "Rex"), {"input_words": 0, "input_marker": 1}),
        (Pair("Name a dog.", "N/A", "Rex"), {"input_words": 0, "input_marker": 1}),
        (Pair("Translate this sentence", "", "Which?"), {"input_missing": 1}),
        (Pair("Translate this sentence: he runs", "", "Il court"), {"input_missing": 0}),
        (Pair("Translate this sentence", "he runs", "Il court"), {"input_missing": 0}),
        (Pair("Tell me of bees in two sentences.", "", "They fly."), {"sentences_asked": 1}),
        (Pair("Tell me of bees.", "", "They fly."), {"sentences_asked": 0}),
        # the amount
        (Pair("Go", "", ""), {"empty": 1, "distinct_bigrams": 0, "new_content": 0, "off_topic": 0}),
        (Pair("Go", "", " \n "), {"empty": 1}),
        (Pair("Go", "", "fox"), {"empty": 0, "distinct_bigrams": 0, "new_content": math.log1p(1)}),
        (Pair("Go", "", "fox runs fox runs"), {"distinct_bigrams": math.log1p(2), "content_words": 0.08}),
        (
            Pair("Go", "", "fox " * 300),
            {"content_words": 1, "beyond_150": math.log(2), "distinct_bigrams": math.log1p(1)},
        ),
        (
            Pair("Name a river", "", "The river Danube"),
            {"new_content": math.log1p(1), "new_content_fact": math.log1p(1)},
        ),
        # stems of five letters: recycling takes up recycle
        (Pair("Recycle glass", "", "Recycling matters to glaziers"), {"instruction_coverage": 0.5}),
        (Pair("Recycle glass", "", "Recycling glass"), {"instruction_coverage": 1, "new_content": 0}),
        (Pair("Recycle", "bottles", "Recycling"), {"instruction_coverage": 1, "prompt_coverage": 0.5}),
        (Pair("Do it", "", "Certainly"), {"instruction_coverage": 0.5, "off_topic": 0}),
        (Pair("Describe bees", "", "Stock markets fell."), {"instruction_coverage": 0, "off_topic": 1}),
        # repetition
        (Pair("Go", "", "1. Adapt\n2. Learn\n3. Adapt\n4. Adapt"), {"repeated_lines": 0.5, "repeated_clauses": 0.5}),
        (Pair("Go", "", "The fox ran. The fox ran."), {"repeated_clauses": 0.5, "repeated_trigrams": 0.25}),
        (Pair("Go", "", "red, blue, red"), {"repeated_clauses": 1 / 3, "repeated_lines": 0}),
        (Pair("Go", "", "run and hide and run and hide"), {"repeated_trigrams": 0.2}),
        (Pair("Go", "", STORY), {"repeated_clauses": 0, "repeated_trigrams": 0}),
        # the layout
        (
            Pair("List colours", "", LIST),
            {"numbered": math.log1p(3), "introduced_list": 1, "paragraphs": math.log1p(1)},
        ),
        (Pair("List colours", "", LIST), {"explained_items": math.log1p(3), "listed_items": math.log1p(3)}),
        (Pair("List colours", "", LIST), {"bold": math.log1p(2), "created_items": 0, "bullets": 0}),
        (Pair("Create a list", "", "- a\n* b\n• c"), {"bullets": math.log1p(3), "created_items": math.log1p(3)}),
        (Pair("Go", "", "a\n\nb\n\nc"), {"paragraphs": 0}),  # no words to set out
        (Pair("Go", "", "| a | b |\n|---|---|"), {"table": 1}),
        # the surface
        (Pair("Go", "", "One  two \nthree ."), {"untidy_spacing": math.log1p(3), "capital_start": 1}),
        (Pair("Go", "", "one"), {"capital_start": 0, "untidy_spacing": 0}),
        (Pair("Go", "", "the fox ran over the hill and then it saw a bear and"), {"unfinished": 1}),
        (Pair("Go", "", "the fox ran over the hill and then it saw a bear."), {"unfinished": 0}),
        (Pair("Go", "", "Dear [Name], hi!"), {"placeholder": 1, "exclamations": math.log1p(1)}),
        (Pair("Go", "", "a[0] = [1]"), {"placeholder": 0}),
        # the phrases
        (Pair("Go", "", "In conclusion, feel free to ask."), {"stock_phrases": math.log1p(2)}),
        (
            Pair("Go", "", "It is so. There are many things to think about. Foxes eat mice."),
            {"hollow_sentences": math.log1p(1)},
        ),
        (Pair("Go", "", "I’m sorry about the long delay in this."), {"refusal": 1, "short_refusal": 1}),
        (Pair("Go", "", "As an AI, I see. " + "fox " * 60), {"refusal": 1, "short_refusal": 0}),
        (Pair("Go", "", "The band played Sorry."), {"refusal": 0}),
        (Pair("Go", "", "<noinput>"), {"non_answer": 1, "empty": 0}),
        (Pair("Go", "", "Fruit, such as apples, is good."), {"examples": 1, "states_what": 1}),
        (Pair("Go", "", "You can rely on it."), {"second_person": math.log1p(1), "auxiliaries": math.log1p(1)}),
        (Pair("Go", "", "You can rely on it."), {"prepositions": math.log1p(1), "third_person": math.log1p(1)}),
        (Pair("Go", "", "More and better"), {"vague_words": math.log1p(2)}),
        # beside the prompt
        (Pair("Say hello", "", "say hello"), {"echo": 1, "inside_instruction": 1}),
        (Pair("Fix", "He go home.", "He go home."), {"echo": 1, "inside_input": 1, "copied_bigrams": 1}),
        (
            Pair("Fix", "He go home today.", "Go home."),
            {"echo": 0, "inside_input": 1, "edited_length": math.log(3 / 5)},
        ),
        (Pair("Rate", "He go home today.", "Go home."), {"edited_length": 0}),
        (Pair("Describe bees", "", "They fly, and bees hum."), {"early_coverage": 1}),
        # constraints
        (Pair("Name three colours", "", "red, green, blue"), {"count_met": 1, "count_missed": 0}),
        (Pair("Name three colours", "", "1. red\n2. green"), {"count_met": 0, "count_missed": 1}),
        (Pair("Name 3 colours", "", "The 3 colours are red, tan, and blue."), {"count_restated": 1}),
        (Pair("Write three sentences", "", "A, b, c"), {"count_met": 0, "count_missed": 0}),
        (Pair("Write 50 words on bees", "", "bee " * 50), {"word_count_gap": 0}),
        (Pair("Write 50 words on bees", "", "bee " * 101), {"word_count_gap": math.log(2)}),
    ],
)
def test_values_that_a_person_can_check(pair: Pair, expected: dict[str, float]) -> None:
    found = indicators(pair)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_each_character_is_a_word_in_scripts_without_spaces() -> None:
    found = indicators(Pair("介绍北京", "", "北京是中国的首都。"))
    assert found["content_words"] == 0.16
    assert found["empty"] == 0
    assert found["instruction_coverage"] == 0.5


def test_every_indicator_has_a_name_of_its_own_and_a_meaning() -> None:
    assert len(set(INDICATOR_NAMES)) == len(INDICATORS)
    assert all(i.name.isidentifier() and i.name == i.name.lower() and len(i.meaning) > 20 for i in INDICATORS)
    assert len(indicator_values(Pair("a", "b", "c"))) == len(INDICATORS)


HOSTILE = [
    "",
    " ",
    "\x00",
    "...",
    "?!",
    "\ud800",
    "a\udfffb \ud83d",
    "🙂👩‍👩‍👧 ok",
    "مرحبا بالعالم، كيف حالك؟",
    "שלום עולם",
    "你好，世界。" * 50,
    "ﬁ İ ß ŉ ǅ",
    "²³ ٣٤ Ⅷ",
    "1" * 5000,
    "word " * 2000,
    "\r\n\t\v\f\x1c\x85\u2028",
    "- \n* \n1. \n2) \n#",
    "**" * 500,
    "|" * 500,
    "[a" * 500,
    "nan",
    "e\u0301" * 300,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_finite_and_in_range_for_any_text(text: str) -> None:
    for pair in (
        Pair(text, text, text),
        Pair(text, "", "Fine."),
        Pair("Name 3 words", text, "Fine."),
        Pair("Go", "", text),
    ):
        values = indicators(pair)
        assert all(type(value) is float and math.isfinite(value) for value in values.values())
        for indicator in INDICATORS:
            if "0 to 1" in indicator.meaning or indicator.meaning.startswith("1 when"):
                assert 0 <= values[indicator.name] <= 1, indicator.name


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "\n",
        "[a",
        "<input ",
        "1 ",
        "a-",
        "one a sentence ",
        "1. a\n",
        "中",
        "fox, ",
        ". ",
        "\u00e9 ",
        "'",
        "i ",
    ],
    ids=repr,
)
def test_a_long_text_in_every_field_is_read(unit: str, long_text: Callable[[str], str]) -> None:
    text = long_text(unit)
    assert all(map(math.isfinite, indicator_values(Pair(text[:50_000], text[:50_000], text))))


def test_values_do_not_depend_on_what_was_read_before() -> None:
    pairs = [Pair("Name three colours", "", LIST), Pair("Fix", "He go", "He goes."), Pair("Write a story", "", STORY)]
    forth = [indicator_values(pair) for pair in pairs]
    assert [indicator_values(pair) for pair in reversed(pairs)] == forth[::-1]


def test_earlier_turns_and_system_text_are_not_read() -> None:
    assert indicator_values(Pair("Go", "", "fox", (), "Be brief.")) == indicator_values(Pair("Go", "", "fox"))
