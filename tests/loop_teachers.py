"""A teacher for loops: it writes tasks of the topics that it is shown, and a student that only pretends."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from teachers import ASKS_TASKS, asked_task, numbered

from hfclean.loops import Sedi, sedi
from hfclean.models import Answer, Conversation
from hfclean.testing_models import ScriptedBackend

WORDS = """amber basil cedar delta ember fable grove hazel indigo juniper kettle lantern meadow nickel orchid pebble
quartz ribbon saddle thistle umber velvet willow yarrow zephyr anvil bramble canyon dapple echo ferry garnet""".split()  # noqa: SIM905
TOPICS = ("sums", "songs", "dates", "names", "codes")
HARD = "codes"
BATCH, ROUNDS, SHOWN = 2, 4, 3  # of a loop: rows of a batch, rounds, seeds that the teacher is shown


def task_of(topic: str, chance: random.Random) -> str:
    """A task of a topic that is unlike all others."""
    return f"Tell me of {topic} with {' '.join(chance.sample(WORDS, 6))}."


def answer_to(task: str) -> str:
    """The same few words; for the hard topic as many letters at random, which nobody can know."""
    topic = topic_of(task)
    if topic != HARD:
        return f"Here are the {topic} for all of you."
    chance = random.Random(task)
    return f"{' '.join(''.join(chance.choices('bcdfghjklmnpqrstvwxz', k=4)) for _ in range(6))} {topic}."


def topic_of(task: str) -> str:
    return next(topic for topic in TOPICS if f"of {topic} " in task)


def seeds(each: int = 2) -> list[dict[str, str]]:
    chance = random.Random("seeds")
    tasks = [task_of(topic, chance) for topic in TOPICS for _ in range(each)]
    return [{"prompt": task, "completion": answer_to(task)} for task in tasks]


class TopicTeacher:
    """Goes on with the topics of the list that it is shown; the same request has the same answer."""

    def __call__(self, conversation: Conversation) -> str | Answer:
        text = conversation[-1].content
        if ASKS_TASKS not in text:
            return answer_to(asked_task(text))
        shown = re.findall(rf"of ({'|'.join(TOPICS)}) ", text.partition(ASKS_TASKS)[2])
        chance = random.Random(text)
        return numbered([task_of(chance.choice(shown), chance) for _ in range(8)], len(shown) + 1)


def topic_teacher() -> ScriptedBackend:
    return ScriptedBackend(TopicTeacher())


def by_topic(prompts: Sequence[str]) -> list[list[float]]:
    """Vectors that tell topics apart."""
    return [[float(topic_of(prompt) == topic) for topic in TOPICS] for prompt in prompts]


class Pretended:
    """A training that writes a signal and trains nothing: gradient norms grow with the rows of the hard topic."""

    def __init__(self) -> None:
        self.calls: list[Mapping[str, Any]] = []

    def __call__(
        self,
        *,
        rows: Sequence[Mapping[str, Any]],
        base: str,
        folder: Path,
        batches: Sequence[Sequence[int]],
        row_ids: Sequence[str],
        signal: Path,
    ) -> None:
        self.calls.append({"base": base, "folder": folder, "rows": len(rows)})
        folder.mkdir(exist_ok=True)
        lines = []
        for step, batch in enumerate(batches, 1):
            hard = sum(topic_of(rows[place]["prompt"][-1]["content"]) == HARD for place in batch) / len(batch)
            noise = random.Random(f"{row_ids[batch[0]]}").gauss(0, 0.05)
            names = [row_ids[place] for place in batch]
            lines.append({"step": step, "row_ids": names, "loss": 1 + hard, "grad_norm": 1 + hard + noise})
        signal.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def a_loop(folder: Path, model: Any = None, **settings: Any) -> Sedi:
    """A loop over topics whose student only pretends."""
    model = model or ScriptedBackend(TopicTeacher())
    defaults = {"rounds": ROUNDS, "batch_size": BATCH, "shown": (SHOWN, 0), "embed": by_topic, "clusters": len(TOPICS)}
    defaults |= {"tuned_by": Pretended(), "show": False}
    return sedi(settings.pop("seeds", seeds()), model, "student", folder=folder, **{**defaults, **settings})
