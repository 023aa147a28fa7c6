"""The gate: checks that compare the question with what it was, or need more than a new answer to show it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hfclean.checks import accept
from hfclean.checks.check import Case
from hfclean.checks.numbers import KEPT_LEVELS, LEVELS
from hfclean.schema import Pair

ASKED = "Tell me something about the rivers of Europe."
OLD = "The Danube is a long river. It flows through ten countries and ends in the Black Sea."
NEW = (
    "The Danube is the second longest river of Europe. It rises in the Black Forest, flows through ten countries and "
    "ends in the Black Sea, where it has built a wide delta."
)
BEFORE = Pair(ASKED, "", OLD)

CODE_TASK = "Write a Python function that reverses a string."
CODE = "def reverse(text):\n    return text[::-1]"


def falls_by(fall: float) -> Callable[[Pair], float]:
    return lambda pair: fall if pair.response == OLD else 0.0


PAIRS = [
    ("unfinished", BEFORE, BEFORE.replace(response=NEW), {"finish_reason": "length"}, True),
    ("unfinished", BEFORE, BEFORE.replace(response=NEW), {"finish_reason": "content_filter"}, True),
    ("unfinished", BEFORE, BEFORE.replace(response=NEW), {"finish_reason": "stop"}, False),
    ("unfinished", BEFORE, BEFORE.replace(response=NEW), {"finish_reason": None}, False),
    ("empty_instruction", BEFORE, Pair("", "", NEW), {}, True),
    ("empty_instruction", BEFORE, Pair("...", "", NEW), {}, True),
    ("empty_instruction", BEFORE, Pair("What of Europe's rivers?", "", NEW), {}, False),
    ("empty_instruction", Pair("", "", OLD), Pair("", "", NEW), {}, False),
    ("empty_instruction", Pair("Sum it up.", "A long text.", OLD), Pair("", "A long text.", NEW), {}, True),
    (
        "echo",
        Pair("Mend it.", "He go home every day at six.", "He goes home."),
        Pair("Mend it.", "He go home every day at six.", "He go home every day at six."),
        {},
        True,
    ),
    ("echo", BEFORE, Pair(f"{ASKED} {NEW}", "", NEW), {}, True),
    ("echo", Pair("Name a long river", "", OLD), Pair("Name a long river", "", f"Name a long river\n{NEW}"), {}, True),
    ("rubric_leak", BEFORE, Pair(f"Revised instruction: {ASKED}", "", NEW), {}, True),
    ("rubric_leak", BEFORE, Pair(f"Instruction: {ASKED}", "", NEW), {}, True),
    (
        "rubric_leak",
        BEFORE,
        BEFORE.replace(response=f"{NEW}\nBe a strict but kindly editor of pairs."),
        {"prompt": "Here is a row.\nBe a strict but kindly editor of pairs.\n"},
        True,
    ),
    (
        "rubric_leak",
        BEFORE,
        BEFORE.replace(response=NEW),
        {"prompt": "Be a strict but kindly editor of pairs."},
        False,
    ),
    ("meta_talk", BEFORE, Pair(f"Here is the improved instruction: {ASKED}", "", NEW), {}, True),
    (
        "language_changed",
        BEFORE,
        Pair("Erzähl mir etwas über die Flüsse in Europa und wie sie heißen.", "", NEW),
        {},
        True,
    ),
    (
        "language_changed",
        Pair("写一个关于河流的句子，并解释原因。", "", "多瑙河是一条很长的河流，流经十个国家。"),
        Pair("写一个关于河流的句子，并解释原因。", "", NEW),
        {},
        True,
    ),
    (
        "code_dropped",
        Pair(CODE_TASK, "", CODE),
        Pair(CODE_TASK, "", "Take the string and read it from the end."),
        {},
        True,
    ),
    (
        "code_dropped",
        Pair(CODE_TASK, "", CODE),
        Pair(CODE_TASK, "", f"Like this:\n\n{CODE}\n\nIt reverses."),
        {},
        False,
    ),
    ("code_dropped", Pair(CODE_TASK, "", f"```\n{CODE}\n```"), Pair(CODE_TASK, "", CODE), {}, True),
    (
        "code_dropped",
        Pair("What does it do?", "```\nx = 1\n```", "It sets x."),
        Pair("What does it do?", "", "It sets x."),
        {},
        True,
    ),
    (
        "code_dropped",
        Pair("Make a page.", "", "<html>\n<body>\n<p>Hi</p>\n</body>\n</html>"),
        Pair("Make a page.", "", "It says hi."),
        {},
        True,
    ),
    (
        "code_dropped",
        Pair("Get all users.", "", "SELECT * FROM users;\nWHERE age > 3;\nORDER BY id;"),
        Pair("Get all users.", "", "Ask the table for all users."),
        {},
        True,
    ),
    ("too_short", BEFORE.replace(response=NEW * 4), BEFORE.replace(response="The Danube is long."), {}, True),
    ("too_short", BEFORE.replace(response=NEW), BEFORE.replace(response=OLD), {}, False),
    ("instruction_swapped", BEFORE, Pair("Write a poem for my grandmother.", "", NEW), {}, True),
    ("instruction_swapped", BEFORE, Pair("What can you say about Europe's rivers?", "", NEW), {}, False),
    (
        "url_changed",
        Pair("Sum up https://a.org/x", "", "Short."),
        Pair("Sum up https://b.org/x", "", "Short."),
        {},
        True,
    ),
    (
        "url_changed",
        Pair("Sum up https://a.org/x", "", "Short."),
        Pair("Sum up the page https://a.org/x.", "", "Short."),
        {},
        False,
    ),
    (
        "url_changed",
        Pair("Write to bob@a.org", "", "Dear bob@a.org"),
        Pair("Write to bob@a.org", "", "Dear bill@b.org"),
        {},
        True,
    ),
    (
        "url_changed",  # lost, but not replaced
        Pair("Write to bob@a.org", "", "Dear bob@a.org"),
        Pair("Write to bob@a.org", "", "Dear Bob"),
        {},
        False,
    ),
    (
        "url_changed",  # one more, and none lost
        Pair("Write to bob@a.org", "", "Dear bob@a.org"),
        Pair("Write to bob@a.org", "", "Dear bob@a.org and bill@b.org"),
        {},
        False,
    ),
    ("preference_lower", BEFORE, BEFORE.replace(response=NEW), {"preference": falls_by(0.36)}, True),
    ("preference_lower", BEFORE, BEFORE.replace(response=NEW), {"preference": falls_by(0.34)}, False),
    ("preference_lower", BEFORE, BEFORE.replace(response=NEW), {"preference": falls_by(0.35)}, False),
    (
        "preference_lower",
        BEFORE,
        BEFORE.replace(response=NEW),
        {"preference": lambda pair: -float(len(pair.response))},
        True,
    ),
    (
        "preference_lower",
        BEFORE,
        BEFORE.replace(response=NEW),
        {"preference": lambda pair: float(len(pair.response))},
        False,
    ),
    ("preference_lower", BEFORE, BEFORE.replace(response=NEW), {"preference": lambda pair: float("nan")}, False),
    ("preference_lower", BEFORE, BEFORE.replace(response=NEW), {}, False),
    (
        "drifts",
        BEFORE,
        BEFORE.replace(
            response=f"{NEW}\n\n"
            "Knead dough, bake bread, slice cheese, pour wine, whip cream, roast chestnuts, grind pepper, "
            "melt butter. "
            "Football clubs signed strikers, goalkeepers trained daily, referees whistled, stadiums roared, trophies "
            "shone. Quantum physicists measured photons, lasers cooled atoms, detectors clicked, graphs plotted "
            "spectra."
        ),
        {},
        True,
    ),
]


@pytest.mark.parametrize(("id", "before", "after", "known", "refused"), PAIRS)
def test_a_check_compares(id: str, before: Pair, after: Pair, known: dict[str, object], refused: bool) -> None:
    assert (id in accept(before, after, **known)) is refused  # type: ignore[arg-type]


NUMBERS = [
    ("question_replaced", Pair("Add 3 and 17.", "", "20"), Pair("Add 3 and 18.", "", "20"), True),
    ("question_replaced", Pair("Add 3 and 17.", "", "20"), Pair("Add three and 17.", "", "20"), False),
    ("question_lost", Pair("Name 5 rivers.", "", "Elbe"), Pair("Name rivers.", "", "Elbe"), True),
    ("question_lost", Pair("Name 5 rivers.", "", "Elbe"), Pair("Name five rivers.", "", "Elbe"), False),
    ("list_disordered", Pair("How?", "", "Wash, cut, boil."), Pair("How?", "", "1. Wash.\n2. Cut.\n5. Boil."), True),
    ("list_disordered", Pair("How?", "", "Wash, cut, boil."), Pair("How?", "", "1. Wash.\n2. Cut.\n3. Boil."), False),
    ("list_disordered", Pair("How?", "", "Wash."), Pair("How?", "", "1. A\n2. B\n\n1. C\n2. D"), False),
    ("sums_wrong", Pair("Add.", "3, 17", "20"), Pair("Add.", "3, 17", "3 + 17 = 21"), True),
    ("sums_wrong", Pair("Add.", "3, 17", "20"), Pair("Add.", "3, 17", "3 + 17 = 20"), False),
    ("sums_wrong", Pair("Divide.", "10 by 3", "3.3"), Pair("Divide.", "10 by 3", "10 / 3 = 3.33"), False),
    ("sums_wrong", Pair("How much?", "", "10"), Pair("How much?", "", "4 x $2.50 = $10.00 and 2 + 3 * 4 = 14"), False),
    (
        "sums_wrong",
        Pair("How much?", "", "8"),
        Pair("How much?", "", "2^3 = 2 x 2 x 2 = 8, (1 + 2) * 3 = 9, 74 / 16 = 4 R 10"),
        False,
    ),
    ("repeated_replaced", Pair("Walk 45 km.", "", "45 km is far."), Pair("Walk 45 km.", "", "46 km is far."), True),
    ("repeated_replaced", Pair("Walk 45 km.", "", "45 km is far."), Pair("Walk 45 km.", "", "That is far."), False),
    ("given_replaced", Pair("Add 36 and 87.", "", "123"), Pair("Add 36 and 87.", "", "We add 36 and 97."), True),
    ("misread", Pair("Convert 3048.", "", "It is BE8."), Pair("Convert 3048.", "", "First, 3049 is odd."), True),
    (
        "contradicts_question",
        Pair("Name 5 states.", "", "Ohio"),
        Pair("Name 5 states.", "", "Here are 7 states."),
        True,
    ),
    (
        "contradicts_answer",
        Pair("When?", "", "It was in 1969 on the moon."),
        Pair("When?", "", "It was in 1959 on the moon."),
        True,
    ),
    (
        "contradicts_answer",
        Pair("How hot?", "", "About 30.55 degrees."),
        Pair("How hot?", "", "About 30.6 degrees."),
        False,
    ),
    ("one_digit_changed", Pair("When?", "", "In 1969."), Pair("When?", "", "Surely 1968."), True),
    ("any_replaced", Pair("When?", "", "In 1969."), Pair("When?", "", "Surely 2001."), True),
    ("any_lost", Pair("When?", "", "In 1969."), Pair("When?", "", "Long ago."), True),
]


@pytest.mark.parametrize(("level", "before", "after", "found"), NUMBERS)
def test_each_level_of_the_numbers(level: str, before: Pair, after: Pair, found: bool) -> None:
    assert dict(LEVELS)[level](Case(before, after)) is found
    kept = [name for name, _ in LEVELS[:KEPT_LEVELS]]
    if found:
        assert ("number_changed" in accept(before, after)) is (level in kept)
