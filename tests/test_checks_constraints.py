"""The kinds of constraint that an instruction states: what states each, what meets it, what breaks it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfclean.checks import accept
from hfclean.checks.check import Case, TextFacts
from hfclean.checks.constraints import broken_constraints
from hfclean.schema import Pair
from hfclean.text.constraint_kinds import KINDS, stated
from hfclean.text.counting import NUMBER, QUANTITY, Bounds, body, count_sentences, items, may_quantify, read_bounds

LIST = "- red\n- green\n- blue"
# kind, instruction, an answer that meets it, one that breaks it
CASES = [
    (
        "sentences",
        "Describe rain in two sentences.",
        "Rain falls. It is wet.",
        "Rain falls. It is wet. It is cold. It ends.",
    ),
    ("sentences", "Summarize it in no more than 3 sentences.", "One. Two.", "One. Two. Three. Four."),
    ("sentences", "Write at least four sentences about rain.", "A b. C d. E f. G h.", "Rain falls."),
    ("sentences", "Answer in 2-3 sentences.", "Rain falls. It is wet.", "Rain falls."),
    ("one_sentence", "Summarize the text in one sentence.", "Rain falls.", "Rain falls. It is wet. It ends."),
    ("words", "Explain rain in 20 words or less.", "Rain is water that falls.", "Rain is water that falls. " * 6),
    ("words", "Write a 50-word story.", "word " * 48, "word " * 9),
    ("words", "Describe it in under 10 words.", "Rain is wet.", "word " * 15),
    (
        "words",
        "Write a 6 word story.",
        "For sale: baby shoes, never worn.",
        "For sale, some baby shoes that nobody wore.",
    ),
    ("one_word", "Answer in one word.", "Rain.", "It is the rain that falls."),
    ("characters", "Write it in 20 characters or less.", "Rain falls.", "Rain falls, and it falls, and falls."),
    ("tweet", "Write a tweet about rain.", "Rain! #wet", "Rain falls and falls. " * 20),
    ("items", "Name three colours.", LIST, "- red\n- green"),
    ("items", "List 2 to 4 ways to relax.", LIST, "- a b\n" * 7),
    ("items", "Give me at least two tips for rain.", LIST, ""),
    ("lines", "Write a poem with four lines.", "a b\nc d\ne f\ng h", "a b\nc d"),
    (
        "haiku",
        "Write a haiku about rain.",
        "Rain on the old roof\nDrips into the quiet pond\nA frog jumps away",
        "Rain falls on the roof of the house.",
    ),
    ("limerick", "Write a limerick about rain.", "a\nb\nc\nd\ne", "a\nb"),
    (
        "paragraphs",
        "Write an essay of two paragraphs.",
        "\n\n".join(["one two three four five six seven eight nine ten."] * 2),
        "\n\n".join(["one two three four five six seven eight nine ten."] * 7),
    ),
    ("json", "Return the colours as JSON.", 'Here it is:\n```json\n{"a": [1, 2]}\n```', "a: 1, 2"),
    ("json", "Output valid JSON.", "[1, 2]", "[1, 2"),
    ("csv", "Output the table in CSV.", "a,b\n1,2", "a is 1"),
    ("table", "Create a table of the rivers.", "| a | b |\n|---|---|\n| 1 | 2 |", "a has 1 and b has 2"),
    ("bullets", "List the rivers in bullet points.", LIST, "red, green, blue"),
    ("numbered", "Give a numbered list of colours.", "1. red\n2. green", LIST),
    ("code", "Write a Python function that adds.", "def add(a, b):\n    return a + b", "Add the two numbers"),
    ("markup", "Write it in HTML.", "<p>Hi</p>", "Hi"),
    (
        "language",
        "Translate the text to German.",
        "Das ist ein Haus und es ist nicht sehr groß, aber schön.",
        "C'est une maison et elle n'est pas très grande, mais elle est belle pour nous.",
    ),
    (
        "starts",
        'Write a sentence that starts with "It is often said".',
        "It is often said that rain helps.",
        "Rain helps.",
    ),
    ("ends", 'Write a story ending with "and so it rained".', "We waited, and so it rained.", "We waited."),
    ("letter", "List three animals that start with the letter P.", "- Pig\n- Parrot\n- Puma", "- Pig\n- Cat\n- Puma"),
    ("yes_no", "Answer yes or no: is rain wet?", "Yes, it is.", "It is wet."),
    ("true_false", "Is it true or false? Rain is dry.", "False.", "Rain is wet."),
    ("upper", "Write it in all caps.", "RAIN FALLS", "Rain falls"),
    ("lower", "Write it in lowercase.", "rain falls", "RAIN FALLS"),
    (
        "uses",
        'Write a sentence using the words "rain" and "roof".',
        "Rain falls on the roof.",
        "Rain falls on the house.",
    ),
    ("uses", 'Write a sentence using the word "run".', "I run.", "I walk."),
    ("avoids", 'Describe rain without using the word "water".', "It is wet.", "It is water."),
    ("question", "Rewrite it as a question.", "Is rain wet?", "Rain is wet."),
    ("sorted", "Put these in alphabetical order.", "- ant\n- bee\n- cow\n- dog", "- dog\n- ant\n- cow\n- bee"),
    ("sorted", "Sort them alphabetically.", "ant, bee, cow, dog", "dog, ant, cow, bee"),
    ("hashtag", "Write a post with a hashtag.", "Rain #wet", "Rain is wet"),
    ("options", "Classify the text as positive or negative", "It is positive.", "It is a text."),
    ("decimals", "Round it to two decimal places.", "3.14", "3.1416"),
    ("percent", "Give it as a percentage.", "50 %", "a half"),
    ("number", "How many days has a week?", "Seven.", "Several."),
    ("between", "Give a random number between 10 and 20.", "15", "25"),
    ("binary", "Convert 10 to binary.", "1010", "ten"),
    ("roman", "Convert 10 to Roman numerals.", "X", "ten"),
    ("emoji", "Answer with an emoji.", "\U0001f327", "rain"),
]


@pytest.mark.parametrize(("kind", "instruction", "kept", "broken"), CASES)
def test_a_constraint_kept_before_must_not_be_broken(kind: str, instruction: str, kept: str, broken: str) -> None:
    good, bad = Pair(instruction, "", kept), Pair(instruction, "", broken)
    if broken:
        assert kind in broken_constraints(Case(good, bad))
        assert "constraint_broken" in accept(good, bad)
    assert kind not in broken_constraints(Case(bad, good))
    assert kind not in broken_constraints(Case(good, good))
    # what was broken before is not held against the revision
    assert kind not in broken_constraints(Case(bad, bad.replace(response=f"{broken} ")))


def test_every_kind_is_shown() -> None:
    ids = [kind.id for kind in KINDS]
    assert len(ids) == len(set(ids))
    assert {kind for kind, *_ in CASES} == set(ids)


NOT_STATED = [
    "Combine these two sentences into a story.",
    "Identify the nouns in the following sentence.",
    "Given a table with three columns, find the relation.",
    "Summarize the article in your own words.",
    "Name the river that has 3 bridges.",
    "Come up with five word combinations that describe the color blue.",
    "Describe the main characters of the play.",
    "Write a program of activities for employees.",
    "Generate a script to greet a customer online.",
    "What is the capital of France?",
    "Explain the table manners of the French.",
    "Are these yes or no questions hard?",
    "Describe the binary search tree.",
]


@pytest.mark.parametrize("instruction", NOT_STATED)
def test_what_only_looks_like_a_constraint(instruction: str) -> None:
    assert [kind.id for kind, _ in stated(instruction, TextFacts(instruction).vocabulary)] == []


def test_a_constraint_that_the_revision_states_anew_must_be_met() -> None:
    before = Pair("Name colours.", "", "red, green")
    assert broken_constraints(Case(before, Pair("Name three colours.", "", "- red\n- green"))) == ["items"]
    assert broken_constraints(Case(before, Pair("Name two colours.", "", "- red\n- green"))) == []


def test_a_constraint_that_the_revision_no_longer_states_is_gone() -> None:
    before = Pair("Name three colours.", "", LIST)
    assert broken_constraints(Case(before, Pair("Name some colours.", "", "- red\n- green"))) == []


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("3", Bounds(3, 3, True)),
        ("three", Bounds(3, 3, True)),
        ("2-3", Bounds(2, 3, False)),
        ("two to three", Bounds(2, 3, False)),
        ("at most 5", Bounds(0, 5, False)),
        ("fewer than 5", Bounds(0, 4, False)),
        ("at least 5", Bounds(5, 10**9, False)),
        ("more than 5", Bounds(6, 10**9, False)),
        ("about 100", Bounds(70, 131, False)),
        ("1,000", Bounds(1000, 1000, True)),
        ("5+", Bounds(5, 10**9, False)),
        ("0", None),
        ("7-3", None),
    ],
)
def test_bounds_are_read(text: str, bounds: Bounds | None) -> None:
    match = re.match(QUANTITY, text)
    assert match is not None
    assert read_bounds(match) == bounds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("Dr. Smith lives in the U.S. today.", 1),
        ("It costs 3.50 euros.", 1),
        ("A line\nAnother line", 2),
        ("Wait... what?", 2),
        ("他来了。她走了。", 2),
        ("", 0),
        ("..." * 50, 0),
    ],
)
def test_sentences_are_counted(text: str, count: int) -> None:
    assert count_sentences(text) == count


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (LIST, ["red", "green", "blue"]),
        ("1. red\n   - dark\n   - light\n2. blue", ["red", "blue"]),
        ("1) **red**\n2) *blue*", ["red", "blue"]),
        ("Colours are:\n\n* red\n\n* blue\n\nThat is all.", ["red", "blue"]),
        ("red, blue", []),
        ("- red", []),
    ],
)
def test_items_of_a_list(text: str, found: list[str]) -> None:
    assert items(text) == found


def test_the_body_of_an_answer() -> None:
    assert body("Here are three colours:\n\n- red\n- blue") == "- red\n- blue"
    assert body("Red and blue.\n\nI hope this helps!") == "Red and blue."
    assert body("Red: a colour") == "Red: a colour"


@given(st.lists(st.sampled_from([*NUMBER.split("|")[2:], "12", "1,000", "some", "Five", "ﬁve", " ", "-"]), max_size=4))
def test_a_text_that_cannot_quantify_has_no_quantity(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert may_quantify(text) or not re.search(QUANTITY, text, re.IGNORECASE)
