"""What small models write instead of rows: talk of the request, answers as inputs, copies of what they were shown."""

from __future__ import annotations

from typing import Any

import pytest

from hfclean.generation import Rounds, generator_of
from hfclean.testing_models import ScriptedBackend

STORY = "The conference of the harbour masters went well, and two of them want to see our new crane in the summer."
OTHER = "A grey heron stood for an hour in the shallow water behind the mill before it caught one small fish."
SEEDS = [
    {"instruction": "Summarize the message in a few words.", "input": STORY, "output": "They want to see the crane."},
    {
        "instruction": "What bird is it about, and what does it do?",
        "input": OTHER,
        "output": f"It is a heron. {OTHER}",
    },
]
TASKS = ["Tell me who was at that meeting.", "Explain why birds of the water have long legs."]
GOOD = ("Rain fell on the seven hills.", "It was wet there.")

ROWS: dict[str, tuple[tuple[str, str], list[str]]] = {
    "a fine row": (GOOD, []),
    "the words of the request": (("The task is given, and you add the rest.", "It was added."), ["speaks_of_request"]),
    "what a field means": (("The text, data or case that the task is about", "It is."), ["speaks_of_request"]),
    "the answer to the task": (("", "The answer to the task is a heron."), ["speaks_of_request"]),
    "a numbered task": (("1. The task was about birds.", "It is a heron."), ["speaks_of_request"]),
    "a solution to a problem": (("", "The answer to the problem is 4, since 2 and 2 make 4."), []),
    "an answer as the input": (("The answer is that a heron eats fish.", "It eats fish."), ["input_gives_answer"]),
    "an answer as the answer": (("Which bird eats fish?", "The answer is a heron."), []),
    "an answer to be graded": (("Answer: a heron eats fish.", "That is right."), []),
    "a loop as the input": (("The bird is the bird is " * 20, "It is a bird."), ["repetition_loop"]),
    "an answer that looks cut off": (("", "SELECT name FROM birds WHERE legs = 'long'"), []),
    "an input that was shown": ((STORY, "The harbour masters."), ["copies_seed"]),
    "nearly one": ((STORY.replace("our new", "their new"), "The harbour masters."), ["copies_seed"]),
    "the beginning of one": ((STORY[:70], "The harbour masters."), ["copies_seed"]),
    "an answer that was shown": (("", f"It is a heron. {OTHER}"), ["copies_seed"]),
    "a short answer that was shown": (("", "They want to see the crane."), []),
    "words of one": (("The harbour masters want a new crane.", "They want one in the summer."), []),
}


def made(*rows: tuple[str, str], **settings: Any) -> Rounds:
    """Rows as a teacher wrote them, one for each of the tasks."""
    tasks = "\n".join(f"{number}. {task}" for number, task in enumerate(TASKS[: len(rows)], 3))
    answers = [f"Input: {given}\nOutput: {answer}" for given, answer in rows]
    rounds = Rounds(generator_of(ScriptedBackend([tasks, *answers]), **settings))
    rounds.generate_round(SEEDS, 8, requests=1)
    return rounds


@pytest.mark.parametrize("name", ROWS)
def test_what_is_no_row_is_dropped_with_its_reason(name: str) -> None:
    row, reasons = ROWS[name]
    rounds = made(row)
    assert rounds.dropped["reason"][:] == reasons
    assert rounds.kept["output"][:] == ([] if reasons else [row[1]])


def test_input_and_answer_of_another_row_make_no_second_one() -> None:
    rounds = made(GOOD, GOOD)
    assert rounds.kept["instruction"][:] == [TASKS[0]]
    assert (rounds.dropped["reason"][:], rounds.dropped["task"][:]) == (["duplicate"], [TASKS[1]])
    assert len(made(GOOD, (GOOD[0], "The hills were wet.")).kept) == 2
    assert len(made(("", "Yes."), ("", "Yes.")).kept) == 2


CHINESE = [
    {"instruction": "请写一首关于春天的短诗。", "output": "春风拂面，花开满园。"},
    {"instruction": "请解释一下光合作用是什么。", "output": "植物把光能变成化学能。"},
]


@pytest.mark.parametrize(
    ("task", "reasons"),
    [
        ("请描述一下冬天的港口。", []),
        ("Explain why the birds of the water have long legs.", ["another_language"]),
        ("Translate what the old man said into Chinese.", []),
        ("5 + 7 = ? 2 + 8 = ?", []),  # in none
    ],
)
def test_a_task_is_in_a_language_of_the_seeds(task: str, reasons: list[str]) -> None:
    rounds = Rounds(generator_of(ScriptedBackend([f"3. {task}", "港口很安静。"])))
    rounds.generate_round(CHINESE, 8, requests=1)
    assert rounds.dropped["reason"][:] == reasons
