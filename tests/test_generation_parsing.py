"""Lists of tasks and rows, as small models really write them: numbered twice, in one text, with talk, cut off."""

from __future__ import annotations

import pytest

from hfclean.generation import Rounds, generator_of
from hfclean.generation.forms import Field
from hfclean.generation.parsing import read_rows, read_tasks
from hfclean.models import Answer
from hfclean.testing_models import ScriptedBackend

SEEDS = [{"prompt": "Name a red fruit, please.", "completion": "An apple is a red fruit."}]
OUTPUT = Field("output", "the answer")

LISTS = {
    "a list": ("1. Name a bird.\n2. Name a fish.", ["Name a bird.", "Name a fish."]),
    "talk behind a task": (
        "1. Name a bird.\n\nTo solve this task, you need to know birds.\n\n2. Name a fish.\n\nI'm ready to help.",
        ["Name a bird.", "Name a fish."],
    ),
    "bullets below a task": ("1. Name a bird.\n   - It is simple.\n2. Name a fish.", ["Name a bird.", "Name a fish."]),
    "bullets that a task announces": ("1. Which is a bird:\n- penguin\n- cod", ["Which is a bird: - penguin - cod"]),
    "a list in bullets": ("- Name a bird.\n- Name a fish.", ["Name a bird.", "Name a fish."]),
    "what a task announces": ("1. Add these:\n\n3 and 4\n\n2. Name a fish.", ["Add these: 3 and 4", "Name a fish."]),
    "numbers in JSON": ('{"tasks": ["1. Name a bird.", "2. Name a fish."]}', ["Name a bird.", "Name a fish."]),
    "all in one text": (
        '{"tasks": ["1. Name a bird. 2. Name a fish. 3. Name a tree."]}',
        ["Name a bird.", "Name a fish.", "Name a tree."],
    ),
    "all in one text, the first number lost": (
        '{"tasks": ["Name a bird 2. Name a fish 3. Name a tree"]}',
        ["Name a bird", "Name a fish", "Name a tree"],
    ),
    "a number is no list": (
        '{"tasks": ["What is the sum of 1 and 2. Say it."]}',
        ["What is the sum of 1 and 2. Say it."],
    ),
    "choices are no list": (
        '{"tasks": ["Which is a bird? 1. Penguin. 2. Salmon."]}',
        ["Which is a bird? 1. Penguin. 2. Salmon."],
    ),
    "years are no list": ('{"tasks": ["1. Add 5. 7. What is it?"]}', ["Add 5. 7. What is it?"]),
    "no list": ("I cannot help with that.", None),
    "an empty one": ('{"tasks": []}', None),
}
CUT_OFF = {
    "a list": ("1. Name a bird.\n2. Name a fi", ["Name a bird."]),
    "the first task": ("1. Name a bi", []),
    "JSON": ('{"tasks": ["Name a bird.", "Name a \\"fish\\".", "Name a tr', ["Name a bird.", 'Name a "fish".']),
    "JSON, behind a task": ('{"tasks": [\n "Name a bird.",\n', ["Name a bird."]),
    "JSON, before any": ('{"tasks": [', None),
    "no list": ("I cannot help with th", None),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_read_as_it_was_meant(name: str) -> None:
    text, tasks = LISTS[name]
    assert read_tasks(text, 8) == tasks


@pytest.mark.parametrize("name", CUT_OFF)
def test_of_a_list_that_was_cut_off_the_whole_tasks_are_read(name: str) -> None:
    text, tasks = CUT_OFF[name]
    assert read_tasks(text, 8, cut_off=True) == tasks


@pytest.mark.parametrize("text", ["{}", " [] ", "```json\n{ }\n```", "null", '""'])
def test_json_that_holds_nothing_is_no_answer(text: str) -> None:
    assert read_rows(text, [OUTPUT], 1) is None
    assert read_rows(f"{text} is what it prints.", [OUTPUT], 1) == [{"output": f"{text} is what it prints.".strip()}]


def made(*answers: Answer | str, per_request: int = 8) -> Rounds:
    """One request for tasks, and rows of what it gave."""
    teacher = ScriptedBackend(list(answers))
    rounds = Rounds(generator_of(teacher, per_request=per_request, filters=[], novelty=None))
    rounds.generate_round(SEEDS, 8, requests=1)
    return rounds


def test_a_task_before_the_cut_is_answered_and_the_cut_one_is_told() -> None:
    rounds = made(Answer("1. Name a bird.\n2. Name a fi", "length"), "A penguin.")
    assert rounds.kept["prompt"][:] == ["Name a bird."]
    assert rounds.dropped["reason"][:] == ["unfinished"]
    assert (rounds.ledger()[-1]["tasks"], rounds.ledger()[-1]["new"]) == (1, 1)


def test_a_list_that_was_cut_off_behind_its_last_task_lacks_nothing() -> None:
    rounds = made(Answer("1. Name a bird.\n2. Name a fish.\n3. Na", "length"), "A penguin.", "A cod.", per_request=2)
    assert rounds.kept["prompt"][:] == ["Name a bird.", "Name a fish."]
    assert len(rounds.dropped) == 0


def test_an_empty_object_is_dropped_with_its_reason() -> None:
    rounds = made("1. Name a bird.\n2. Name a fish.", "{}", "A cod.")
    assert rounds.kept["completion"][:] == ["A cod."]
    assert (rounds.dropped["reason"][:], rounds.dropped["answer"][:]) == (["unparsed"], ["{}"])
