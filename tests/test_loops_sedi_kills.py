"""SeDi-Instruct's loop, ended at any point: no answer is asked for twice, no step is done twice, no byte differs."""

from __future__ import annotations

import json
import os
import signal as signals
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from crash_states import tree_of
from extras import needs
from forked import forked
from loop_teachers import (
    Pretended,
    TopicTeacher,
    a_loop,
    seeds,
)

from hfclean import durable
from hfclean.errors import RecoveryWarning
from hfclean.loops import sedi
from hfclean.models import Answer, Conversation, Generation, Limits, ModelSpec, process
from hfclean.testing_models import ScriptedBackend, tiny_model


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


class Logged:
    """A teacher that writes down what it is asked, and whose process may end at a request before that."""

    def __init__(self, log: Path, end_at: int = -1) -> None:
        self.log, self.end_at, self.numbers, self.teacher = log, end_at, count(), TopicTeacher()

    def __call__(self, conversations: Sequence[Conversation], _: Generation) -> list[Answer]:
        answers = []
        for conversation in conversations:
            if next(self.numbers) == self.end_at:
                os.kill(os.getpid(), signals.SIGKILL)
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(conversation[-1].content) + "\n")
            answer = self.teacher(conversation)
            assert isinstance(answer, str)
            answers.append(Answer(answer, prompt_tokens=10, completion_tokens=10))
        return answers


def stored_loop(place: Path, end_at: int = -1, **settings: Any) -> int:
    spec = ModelSpec(
        Logged(place / "log.jsonl", end_at),  # type: ignore[arg-type]
        cache_as="teacher-1",
        store=str(place / "answers.sqlite3"),
        limits=Limits(batch_size=1),
    )
    a_loop(place / "loop", spec, **{"rounds": 2, **settings})
    return 0


def killed(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signals.SIGKILL)


def killed_in_training(place: Path) -> int:
    calls = Pretended()

    def student(**what: Any) -> None:
        if calls.calls:
            what["signal"].write_text('{"step": 1, "row_ids": [], "loss": 1.0, "grad_norm": 1.0}\n{"st')
            killed()
        calls(**what)

    return stored_loop(place, tuned_by=student)


def killed_after_update(place: Path) -> int:
    module: Any = sys.modules["hfclean.loops.sedi_loop"]
    real, calls = module.update_seeds, count(1)

    def update(*args: Any) -> Any:
        found = real(*args)
        return killed() if next(calls) == 2 else found

    module.update_seeds = update
    return stored_loop(place)


def killed_at_write(place: Path, number: int) -> int:
    real, writes = durable._rename, count(1)

    def rename(*args: Any, **more: Any) -> None:
        if next(writes) == number:
            killed()
        real(*args, **more)

    durable._rename = rename
    return stored_loop(place)


ENDS: Mapping[str, Callable[[Path], int]] = {
    "at the first request": lambda place: stored_loop(place, end_at=0),
    "amid the rows of round 2": lambda place: stored_loop(place, end_at=30),
    "amid a training": killed_in_training,
    "between an update and its file": killed_after_update,
    **{
        f"at write {number}": lambda place, number=number: killed_at_write(place, number) for number in (1, 2, 3, 5, 7)
    },
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    a_loop(tmp_path_factory.mktemp("warm"), rounds=1, store=False)  # what it loads is there for all that are forked
    place = tmp_path_factory.mktemp("unbroken")
    ended = forked(lambda: stored_loop(place))
    assert ended.returncode == 0, ended.stderr
    return place


def gone_on(place: Path) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecoveryWarning)  # a round that was whole was put in its place
        return stored_loop(place)


@pytest.mark.parametrize("when", ENDS)
def test_a_kill_costs_no_answer_and_changes_no_byte(when: str, unbroken: Path, tmp_path: Path) -> None:
    assert forked(lambda: ENDS[when](tmp_path)).returncode == -signals.SIGKILL
    ended = forked(lambda: gone_on(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert tree_of(tmp_path / "loop") == tree_of(unbroken / "loop")
    asked = Counter((tmp_path / "log.jsonl").read_text().splitlines())
    assert asked == Counter((unbroken / "log.jsonl").read_text().splitlines())
    assert set(asked.values()) == {1}


def taught_loop(place: Path, base: Path, kill_at: int = -1) -> int:
    """A loop with a real student, whose process ends in a step of its second round."""
    from hfclean.training import trainer

    guarded, steps = trainer._class()[0], count(1)
    training_step = guarded.training_step

    def step(self: Any, *args: Any, **more: Any) -> Any:
        number = next(steps)
        if number == kill_at:
            killed()
        with (place / "steps.txt").open("a") as file:
            file.write(f"{number}\n")
        return training_step(self, *args, **more)

    guarded.training_step = step
    sedi(
        seeds(1),
        ScriptedBackend(TopicTeacher()),
        base,
        folder=place / "loop",
        rounds=2,
        per_round=8,
        batch_size=2,
        every=2,
        train={"learning_rate": 1e-3, "save_steps": 2},
        show=False,
        store=False,
    )
    return 0


def test_a_training_that_was_killed_goes_on_to_the_same_student_and_seeds(tmp_path: Path) -> None:
    needs("train", "torch", "transformers", "accelerate", "peft", "trl")
    from hfclean.training import trainer

    base = tiny_model(tmp_path / "base", context=256, spread=0.02)
    trainer._class()
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for place in (whole, broken):
        place.mkdir()
    ended = forked(lambda: taught_loop(whole, base))
    assert ended.returncode == 0, ended.stderr
    assert forked(lambda: taught_loop(broken, base, kill_at=8)).returncode == -signals.SIGKILL
    ended = forked(lambda: taught_loop(broken, base))
    assert ended.returncode == 0, ended.stderr
    trees = [tree_of(place / "loop") or {} for place in (whole, broken)]
    for tree in trees:
        assert b"seconds" in tree.pop("round-0002-student/training.json")  # of this run
    assert trees[0] == trees[1]
    assert "round-0002-student/model.safetensors" in trees[0]
    done = [len((place / "steps.txt").read_text().splitlines()) for place in (whole, broken)]
    assert done == [8, 7 + 2]  # of the second round two steps had a checkpoint, the third is done again
