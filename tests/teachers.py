"""Teachers that answer from a script: new tasks that no two requests share, and a row for each task."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hfclean.models import Answer, Conversation
from hfclean.testing_models import ScriptedBackend

VERBS = ("Explain", "Describe", "Compare", "Summarise", "Defend", "Imagine", "Outline", "Praise", "Rank", "Reconsider")
NOUNS = """rivers bread taxes winters beetles harbours novels clouds bridges onions maples kites ledgers
owls deserts coins ferries lamps roots stamps tides villages wolves anchors candles drums elections fences gardens hats
islands jars kitchens letters mirrors needles orchards paints quilts ropes saddles towers umbrellas valleys
wagons""".split()  # noqa: SIM905
ASKS_TASKS = "\n\nTasks:\n"
SEEDS: tuple[Mapping[str, str], ...] = tuple(
    {"instruction": task, "input": given, "output": answer}
    for task, given, answer in (
        ("Name three fruits that grow on trees.", "", "Apples, pears and cherries grow on trees."),
        (
            "Shorten the sentence to five words.",
            "The old dog slept all day by the warm stove.",
            "The dog slept all day.",
        ),
        ("Why does ice float on water?", "", "Ice floats because it is less dense than liquid water."),
        ("Give one synonym of the word below.", "happy", "One synonym of happy is glad."),
        ("Write a polite refusal of an invitation to dinner.", "", "Thank you for asking, but I have plans that day."),
        ("Put these words in order of their size.", "house, ant, horse", "The order is ant, horse, house."),
        ("What should a hiker carry in autumn?", "", "A hiker should carry water, a coat and a torch."),
        ("Turn the statement into a question.", "She plays chess.", "Does she play chess?"),
        ("Tell me how a compass finds north.", "", "Its needle lines up with the magnetic field of the Earth."),
        ("Suggest a title for this short story.", "A cat sails home.", "A fitting title is The Cat at the Helm."),
    )
)


def new_tasks(text: str, count: int = 8) -> list[str]:
    """Tasks that depend on what was asked, each unlike all others."""
    chance = random.Random(text)
    return [
        f"{chance.choice(VERBS)} {' and '.join(chance.sample(NOUNS, 3))} for {chance.choice(NOUNS)} "
        f"{chance.randrange(10**6)}"
        for _ in range(count)
    ]


def asked_task(text: str) -> str:
    """The task of a request for a row."""
    return str(re.findall(r'Task:\n"""\n(.*?)\n"""', text, re.DOTALL)[-1])


class Teacher:
    """Answers requests for tasks and for rows; counts both, and remembers which were made."""

    def __init__(
        self,
        tasks: Callable[[str], str | Answer] = lambda text: numbered(new_tasks(text)),
        row: Callable[[str], str | Answer] = lambda task: f"Input: \nOutput: This is an answer to {task.lower()}.",
    ) -> None:
        self.tasks, self.row = tasks, row

    def __call__(self, conversation: Conversation) -> str | Answer:
        text = conversation[-1].content
        return self.tasks(text) if ASKS_TASKS in text else self.row(asked_task(text))


def numbered(tasks: Sequence[str], first: int = 9) -> str:
    """Tasks as a list that goes on."""
    return "\n".join(f"{number}. {task}" for number, task in enumerate(tasks, first))


def teacher(**how: Any) -> ScriptedBackend:
    """A backend that answers as a `Teacher` does."""
    return ScriptedBackend(Teacher(**how))
