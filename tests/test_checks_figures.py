"""A figure that a revision changes in a sentence that otherwise stays: what is refused, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfclean.checks import Case, accept
from hfclean.checks.numbers import UNIT_OF, UNITS, _contradicts_question, _figure_replaced
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
