"""A figure that a revision changes in a sentence that otherwise stays: what is refused, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfclean.checks import Case, accept
from hfclean.checks.numbers import (
    LEVELS,
    UNIT_OF,
    UNITS,
    _contradicts_question,
    _false_sums,
    _figure_replaced,
    _list_out_of_order,
)
from hfclean.schema import Pair

REPLACED = [
    ("The surface of Venus is 867 °F (464 °C) hot.", "The surface of Venus is 647 °F (342 °C) hot."),
    ("The bridge was opened to traffic in 1932.", "The bridge was opened to traffic in 1937."),
    ("The bridge was opened to traffic in 1932.", "The bridge was opened to public traffic in 1937."),
    ("Mars has 2 moons.", "Mars has 4 moons."),
    ("- Butter\n- 3 cloves garlic, chopped", "- Butter\n- 3 cups garlic, chopped"),
    ("Add 2 teaspoons of salt to the pot.", "Add 2 tablespoons of salt to the pot."),
    ("Bake it for 45 minutes, then let it rest.", "Bake it for 45 seconds, then let it rest."),
    ("Take 500 mg with water.", "Take 500 g with water."),
    ("The tower stands 330 metres above the square.", "The tower stands 330 feet above the square."),
    ("About 8 billion people live on Earth.", "About 8 million people live on Earth."),
    ("The lease runs for 5 years from today.", "The lease runs for 5 months from today."),
    ("Sound travels at 343 metres per second. It is slower than light.",
     "Sound travels at 433 metres per second. It is much slower than light."),
    ("Water makes up 71% of the surface.", "Water makes up 17% of the surface."),
    ("The ticket costs $12.50 at the door.", "The ticket costs $15.20 at the door."),
    ("The heart of an adult beats 100,000 times a day.", "The heart of an adult beats 10,000 times a day."),
    ("1. Wash the rice.\n2. Boil it for 12 minutes.", "1. Wash the rice.\n2. Boil it for 21 minutes."),
    ("Capacity: 20 litres", "Capacity: 25 litres"),
    ("The marathon is 42.195 km long.", "The marathon is 42.195 miles long."),
    ("She wrote 66 detective novels in her life.", "She wrote 77 detective novels in her life."),
    ("Use 1 pound flour and an egg.", "Use 1 gram flour and an egg."),
]  # fmt: skip
KEPT = [
    ("Mars has 2 moons.", "Mars has two moons."),
    ("Mars has 2 moons.", "Mars has 2 small moons, Phobos and Deimos, which were found in 1877."),
    ("Take 500 mg with water.", "Take 500 milligrams with water."),
    ("It weighs 10 lbs in all.", "It weighs 10 pounds in all."),
    ("The marathon is 42.195 km long.", "The marathon is 42.2 km long."),
    ("The heart beats 100,000 times a day.", "The heart beats 100000 times a day."),
    ("The tower stands 330 metres above the square.", "The tower stands 1,083 feet (330 metres) above the square."),
    ("The tower stands 330 metres above the square.", "From the square the tower rises to 324 metres."),
    ("Bake for 45 minutes.", "Bake until it is golden."),
    ("1. Wash the rice\n2. Boil the rice", "3. Wash the rice\n4. Boil the rice"),
    ("1) Wash the rice well", "5) Wash the rice well"),
    ("Use 2 cups of milk and 3 tablespoons of sugar.", "Use 3 tablespoons of sugar and 2 cups of milk."),
    ("Add 2 pieces of cake.", "Add 2 slices of cake."),
    ("It lasted from 1914 to 1918.", "It lasted from 1914 until 1918."),
    ("The two teams played 3 games.", "The two teams met 3 times, and the first won 2 games to 1."),
    ("In 1932.", "In 1937."),
    ("It takes 90 minutes by train.", "It takes 1.5 hours by train."),
    ("Water boils at 100 °C there.", "Water boils at 212 °F there."),
    ("Call 7 friends for help.", "Call several friends for help."),
    ("There are 60 seconds in a minute.", "There are 60 seconds in every minute."),
]


@pytest.mark.parametrize(("old", "new"), REPLACED)
def test_a_figure_replaced_is_refused_either_way(old: str, new: str) -> None:
    before, after = Pair("Tell me about it.", "", old), Pair("Tell me about it.", "", new)
    assert _figure_replaced(Case(before, after))
    assert _figure_replaced(Case(after, before))
    assert "number_changed" in accept(before, after)
    assert "number_changed" not in accept(before, after, trust="high")


@pytest.mark.parametrize(("old", "new"), KEPT)
def test_a_figure_that_stays_or_is_said_otherwise_is_none(old: str, new: str) -> None:
    assert not _figure_replaced(Case(Pair("Tell me about it.", "", old), Pair("Tell me about it.", "", new)))


def test_each_kind_has_twenty_cases() -> None:
    assert len(REPLACED) == len(KEPT) == 20


@pytest.mark.parametrize(
    ("asked", "input"),
    [("What are 3 boxes of 4 pears each?", ""), ("How many are there?", "3 boxes of 4"), ("Correct the mistake.", "")],
)
def test_what_may_have_been_worked_out_wrong_is_left_alone(asked: str, input: str) -> None:
    before, after = (Pair(asked, input, f"There are {number} pears in the boxes.") for number in (14, 12))
    assert not _figure_replaced(Case(before, after))


def test_a_wrong_sum_may_be_mended() -> None:
    before, after = (Pair("What does it cost?", "", f"In all it costs 3 + 4 = {sum_} pounds.") for sum_ in (8, 7))
    assert accept(before, after) == []
    assert "number_changed" in accept(after, before)


def test_a_unit_that_the_question_names_may_come() -> None:
    before, after = (Pair("How many miles is it?", "", f"It is 26 {unit} to the town.") for unit in ("km", "miles"))
    assert not _figure_replaced(Case(before, after))
    assert _figure_replaced(Case(after, before))


def test_a_changed_question_may_have_other_figures() -> None:
    old, new = REPLACED[1]
    assert not _figure_replaced(Case(Pair("When?", "", old), Pair("When was it opened?", "", new)))


def test_a_number_that_stands_elsewhere_is_no_other() -> None:
    old = "The first of them came in 1905. The last of them came in 1911."
    new = "The last of them came in 1911. The first of them came to town in 1905, and stayed."
    assert not _figure_replaced(Case(Pair("When?", "", old), Pair("When?", "", new)))


def test_sentences_that_share_few_words_are_others() -> None:
    old, new = "The old mill had 12 windows.", "The barn behind it had 15 doors."
    assert not _figure_replaced(Case(Pair("What?", "", old), Pair("What?", "", new)))


def test_each_unit_stands_once() -> None:
    assert len(UNIT_OF) == len(UNITS.split())


@given(st.text(alphabet="ab 0123.,%°\n", max_size=120))
def test_no_text_differs_from_itself(text: str) -> None:
    assert not _figure_replaced(Case(Pair("q", "", text), Pair("q", "", text)))
    assert not _figure_replaced(Case(Pair("q", "", text), Pair("q", "", f" {text}\n")))


SPELLINGS = """
cup/cups tablespoon/tablespoons/tbsp/tbsps teaspoon/teaspoons/tsp/tsps clove/cloves pinch/pinches ounce/ounces/oz
pound/pounds/lb/lbs gram/grams/g kilogram/kilograms/kg/kgs milligram/milligrams/mg
milliliter/milliliters/millilitre/millilitres/ml liter/liters/litre/litres/l pint/pints quart/quarts gallon/gallons
inch/inches feet/foot/ft yard/yards mile/miles millimeter/millimeters/millimetre/millimetres/mm
centimeter/centimeters/centimetre/centimetres/cm meter/meters/metre/metres/m
kilometer/kilometers/kilometre/kilometres/km second/seconds/sec/secs minute/minutes/min/mins hour/hours/hr/hrs
day/days week/weeks month/months year/years/yr/yrs decade/decades century/centuries thousand million billion
trillion celsius fahrenheit kelvin
"""


def test_each_of_these_spellings_is_of_one_unit() -> None:
    text = "Add 3 {} of it to the bowl."
    replaced = {one: _figure_replaced(case(text.format(one), text.format("furlongs"))) for one in ("cups", "grams")}
    assert replaced == {"cups": False, "grams": False}
    for unit in (names.split("/") for names in SPELLINGS.split()):
        other = "grams" if unit[0] == "cup" else "cups"
        assert [one for one in unit if not _figure_replaced(case(text.format(one), text.format(other)))] == []
        assert [one for one in unit if _figure_replaced(case(text.format(unit[0]), text.format(one)))] == []


def case(old: str, new: str, asked: str = "Write a line about it.") -> Case:
    return Case(Pair(asked, "", old), Pair(asked, "", new))


def test_a_number_of_the_question_may_stand_beside_another() -> None:
    asked = "Name 5 boats and 6 boats."
    assert _contradicts_question(case("Here.", "Here are 7 boats.", asked))
    assert not _contradicts_question(case("Here.", "Here are 5 boats and 7 boats.", asked))


def test_each_of_these_words_says_nothing_of_the_number_before_it() -> None:
    words = "of in to and or the is at by for from with on as than are was be step chapter day item page no number"
    words += " figure part"
    found = [
        word
        for word in words.split()
        if _contradicts_question(case("So.", f"It is 7 {word} it.", f"Is it 5 {word} it?"))
    ]
    assert found == []
    assert _contradicts_question(case("So.", "It is 7 boats.", "Is it 5 boats?"))


NUMERALS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
NAMED = {
    **{word: number for number, word in enumerate(NUMERALS.split())},
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "hundred": 100,
    "thousand": 1000,
    "million": 1000000,
    "dozen": 12,
    "couple": 2,
    "pair": 2,
    "single": 1,
    "once": 1,
    "twice": 2,
    "half": 0.5,
}


def level(name: str, old: str, new: str, asked: str = "Do it.", now: str = "") -> bool:
    return dict(LEVELS)[name](Case(Pair(asked, "", old), Pair(now or asked, "", new)))


def test_each_of_these_words_is_a_number() -> None:
    assert [word for word, number in NAMED.items() if level("any_lost", f"It has {number}.", f"It has {word}.")] == []
    assert level("any_lost", "It has 6.", "It has sixty.")
    assert [
        word for word, number in NAMED.items() if level("question_lost", "", "", f"Of {number}.", f"A {word}.")
    ] == []


SUMS_OF_A_CHECK = {
    "3 + 4 = 7": 0, "3 + 4 = 8": 1, "3 - 4 = 1": 1, "3 − 4 = 1": 1, "9 - 4 = 5": 0, "2 * 3 = 5": 1, "2 × 3 = 5": 1,
    "2 x 3 = 6": 0, "6 / 3 = 3": 1, "6 ÷ 3 = 2": 0, "1 / 0 = 3": 0, "10 / 3 = 3.33": 0, "10 / 3 = 3.5": 1,
    "10 / 3 = 3": 0, "10 / 3 = 4": 1, "1.5 + 1 = 2.5": 0, "1.5 + 1 = 2.6": 1, "1 + 2 * 3 = 7": 0, "1 + 2 * 3 = 9": 1,
    "$3 + $4 = $8": 1, "£3 + €4 = 8": 1, "1,000 + 1 = 1,001": 0, "1,000 + 1 = 1002": 1, "(1 + 2) * 3 = 9": 0,
    "2^3 + 1 = 9": 0, "3 + 4 = 8 * 1": 0, "3 + 4 = 8x": 0, "9 / 2 = 4 R 1": 0, "9 / 2 = 5 rem 1": 0, "3 + 4 = 8%": 0,
    "9 / 2 = 5 with remainder": 0, "3 + 4 = 8 x 2": 0, "3+4=8": 1, "3 +  4 = 8": 0, "a3 + 4 = 8": 0, ".3 + 4 = 8": 0,
    "- 3 + 4 = 8": 0, "3 + 4 = 8 + 1": 0, "1 + 1 + 1 = 4": 1, "3 + 4 = 8, 2 + 2 = 5.": 2, "5 - 2 - 1 = 4": 1,
    "8 / 2 / 2 = 8": 1, "123456789012345 + 1 = 7": 0, "12345678901234 + 1 = 7": 1, "3 + 4": 0,
}  # fmt: skip
LISTS = {
    (1, 2, 3): False, (1, 2, 4): True, (1, 3, 4): True, (1, 2, 2): True, (2, 3, 4): False, (2, 4, 5): True,
    (1, 2): False, (1, 2, 1, 2): False, (1, 3, 5, 6): True, (1, 3, 5, 7): False, (3, 4, 5): False, (1, 1, 1): False,
    (5, 1, 2): True,
}  # fmt: skip


def test_which_sums_and_lists_are_wrong() -> None:
    assert {text: _false_sums(text) for text in SUMS_OF_A_CHECK} == SUMS_OF_A_CHECK
    lists = {marks: "".join(f"{mark}{'.)'[mark % 2]} a\n" for mark in marks) for marks in LISTS}
    assert {marks: _list_out_of_order(text) for marks, text in lists.items()} == LISTS


@pytest.mark.parametrize(
    ("name", "asked", "old", "new", "refused"),
    [
        ("repeated_replaced", "Of 45.", "45", "467", True),
        ("repeated_replaced", "Of 45.", "45", "4678", False),
        ("repeated_replaced", "Of 45.", "45 or 46", "46", False),
        ("repeated_replaced", "Of 45.", "It is", "46", False),
        ("repeated_replaced", "Of 45.", "45", "forty-six", False),
        ("given_replaced", "Of 36.", "So", "38", False),
        ("given_replaced", "Of 36, 87.", "So", "36, 97", True),
        ("given_replaced", "Of 36, 87.", "97", "36, 97", False),
        ("given_replaced", "Of 36, 87.", "So", "37, 97", False),
        ("given_replaced", "Of 36, 87.", "So", "36, 9777", False),
        ("misread", "Of 3048.", "So", "3049", True),
        ("misread", "Of 3048.", "So", "4048", True),
        ("misread", "Of 3048.", "3049", "3049", False),
        ("misread", "Of 3048.", "So", "3059", False),
        ("misread", "Of 38.", "So", "39", True),
        ("misread", "Of 8.", "So", "9", False),
        ("one_digit_changed", "So.", "In 196.", "In 197.", True),
        ("one_digit_changed", "So.", "In 96.", "In 97.", False),
        ("one_digit_changed", "Of 197.", "In 196.", "In 197.", False),
        ("any_replaced", "So.", "In 1969.", "In 2001.", True),
        ("any_replaced", "Of 2001.", "In 1969.", "In 2001.", False),
        ("any_replaced", "So.", "In 1969.", "In 1969, 2001.", False),
        ("contradicts_answer", "So.", "has 5 red boats", "has 7 red boats", True),
        ("contradicts_answer", "So.", "has 5 red boats", "had 7 red boats", False),
        ("contradicts_answer", "So.", "has 5 red, 7 blue", "has 7 red boats", False),
        ("contradicts_answer", "So.", "has 1,000 red", "has 2000 red", True),
        ("contradicts_answer", "So.", "has 30.5 red", "has 30.8 red", False),
        ("contradicts_answer", "So.", "has 30.5 red", "has 30.9 red", True),
        ("contradicts_answer", "So.", "has 3000 red", "has 3001 red", True),
        ("figure_replaced", "So.", "It costs $5 here.", "It costs $6 here.", True),
        ("figure_replaced", "So.", "It costs $5 here.", "It costs £6 here.", False),
        ("figure_replaced", "So.", "It has 5 °C here.", "It has 6 °C here.", True),
        ("figure_replaced", "So.", "It has 5 °C here.", "It has 6 °F here.", False),
        ("figure_replaced", "So.", "It has 5 degrees C now.", "It has 6 degree C now.", True),
        ("figure_replaced", "How many miles?", "It is 26 km, or 3 minutes.", "It is 26 miles, or 3 minutes.", False),
        ("figure_replaced", "So.", "In all it is 5 km there.", "In all it was 6 km there.", True),
        ("figure_replaced", "So.", "Of 5 boats.", "Of 6 boats.", True),
        ("figure_replaced", "So.", "5 boats.", "6 boats.", False),
        ("figure_replaced", "So.", "1. Of 5 boats.", "2. Of 5 boats.", False),
        ("figure_replaced", "So.", "10) Of 5 boats.", "20) Of 6 boats.", True),
        ("figure_replaced", "So.", "It has 5 km here.", "It has 6 km here.", True),
        ("figure_replaced", "So.", "It has 5 km here.", "It has 6 kilometers here.", True),
    ],
)
def test_how_each_level_reads_numbers(name: str, asked: str, old: str, new: str, refused: bool) -> None:
    assert level(name, old, new, asked) is refused
