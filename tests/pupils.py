"""A student without weights, and a teacher of sums: for tests of loops in which training would only take time."""

from __future__ import annotations

import json
import os
import random
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hfclean.generation.seeds import Seed
from hfclean.loops.student import Student
from hfclean.models import Answer, Conversation, Generation

ASKED = re.compile(r"1\. What is (\d+) plus (\d+)\?")
TASK = re.compile(r'Task:\n"""\nWhat is (\d+) plus (\d+)\?\n"""')
NEEDED = 3  # rows of the same ten that a pupil needs to know its sums


def sums(*terms: tuple[int, int]) -> list[dict[str, str]]:
    return [{"id": f"{a}+{b}", "prompt": f"What is {a} plus {b}?", "completion": str(a + b)} for a, b in terms]


SEEDS = sums((11, 20), (12, 31), (13, 42), (21, 33), (22, 44), (35, 15), (47, 24), (58, 39))
TEST = sums((15, 72), (34, 61), (49, 36))


def terms_of(text: str) -> tuple[int, int]:
    a, b = re.findall(r"\d+", text)[:2]
    return int(a), int(b)


class Sums:
    """Writes a right sum of the same ten as the one that is shown. Notes what it is asked, and may end its process at
    a request before that."""

    def __init__(self, log: Path | None = None, end_at: int = -1) -> None:
        self.log, self.end_at, self.asked = log, end_at, list[str]()

    def __call__(self, conversations: Sequence[Conversation], generation: Generation) -> list[Answer]:
        answers = []
        for conversation in conversations:
            text = conversation[-1].content
            if len(self.asked) == self.end_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.asked.append(text)
            if self.log is not None:
                with self.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(text) + "\n")
            said = (
                self.task(text, generation.candidate)
                if "\n\nTasks:\n" in text
                else self.row(*map(int, TASK.findall(text)[-1]))
            )
            answers.append(Answer(said, prompt_tokens=len(text), completion_tokens=len(said)))
        return answers

    def task(self, text: str, candidate: int) -> str:
        first, _ = ASKED.findall(text)[0]
        chance = random.Random(f"{text} {candidate}")
        return f"2. What is {first[0]}{chance.randrange(10)} plus {chance.randrange(10, 100)}?"

    def row(self, a: int, b: int) -> str:
        return str(a + b)


def pupils(monkeypatch: pytest.MonkeyPatch, log: Path | None = None, end_in: str = "") -> list[list[str]]:
    """Students know the sums of a ten of which they saw enough rows, and nothing of the others. Gives what each was
    trained on; `end_in` names where the process ends: `train 2` or `answers 2`."""
    trained: list[list[str]] = []

    def train(self: Student, rows: Sequence[tuple[Seed, Any]], folder: Path) -> Any:
        texts = [seed.task for seed, _ in rows]
        trained.append(texts)
        if end_in == f"train {len(trained)}":
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_text(json.dumps(texts))
        if log is not None:
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{folder.parent.name}/{folder.name}\n")
        return SimpleNamespace(steps=len(texts), facts={"rows": len(texts), "left_out": {}})

    def answers(self: Student, folder: Path, groups: Sequence[Sequence[Seed]], store: Path) -> list[list[Answer]]:
        if end_in == f"answers {len(trained)}":
            os.kill(os.getpid(), signal.SIGKILL)
        tens = [terms_of(text)[0] // 10 for text in json.loads((folder / "model.safetensors").read_text())]

        def said(seed: Seed) -> Answer:
            a, b = terms_of(seed.task)
            return Answer(str(a + b) if tens.count(a // 10) >= NEEDED else "7")

        return [[said(seed) for seed in seeds] for seeds in groups]

    monkeypatch.setattr(Student, "train", train)
    monkeypatch.setattr(Student, "answers", answers)
    return trained
