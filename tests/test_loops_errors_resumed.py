"""LLM2LLM's loop after any end: no request and no step is repeated, and the same bytes come out."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from crash_states import tree_of
from extras import needs
from forked import forked
from pupils import SEEDS, TEST, Sums, pupils

import hfclean
from hfclean import durable
from hfclean.loops import augment_errors
from hfclean.models import Limits
from hfclean.testing_models import ScriptedBackend, tiny_model


def run(base: Path, place: Path, end_at: int = -1, end_in: str = "", end_at_write: int = 0) -> int:
    """Both arms, whose process may end at a request, in a training, among answers, or when something is whole and
    about to be put in its place."""
    if end_at_write:
        real, writes = durable._rename, iter(range(1, 1000))

        def rename(*args: Any, **how: Any) -> None:
            if next(writes) == end_at_write:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*args, **how)

        durable._rename = rename  # type: ignore[assignment]
    patch = pytest.MonkeyPatch()
    pupils(patch, place / "trained.log", end_in)
    found = augment_errors(
        SEEDS,
        base,
        Sums(place / "asked.log", end_at),
        correct="number",
        folder=place / "loop",
        rounds=4,
        control=True,
        test=TEST,
        cache_as="sums",
        store=str(place / "teacher.sqlite3"),
        limits=Limits(batch_size=1),
        show=False,
    )
    assert found.control is not None
    outcome = [(each.rows.to_list(), each.ledger()) for each in (found, found.control)]
    (place / "outcome.json").write_text(json.dumps(outcome))
    return 0


ENDS: Mapping[str, Mapping[str, Any]] = {
    "in the first training": {"end_in": "train 1"},
    "among the first answers": {"end_in": "answers 1"},
    "at the first request": {"end_at": 0},
    "amid a round of the teacher": {"end_at": 7},
    "in the second training": {"end_in": "train 2"},
    "in the control": {"end_in": "train 4"},
    "amid a round of the control": {"end_at": 25},
    **{f"at write {number}": {"end_at_write": number} for number in (2, 3, 6)},
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("unbroken")
    base = place / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    (base / "model.safetensors").write_bytes(b"weights")
    hfclean.generate(
        SEEDS[:2], ScriptedBackend(["2. What is 77 plus 11?", "88"]), 1, show=False, store=False
    )  # loads what all need
    ended = forked(lambda: run(base, place))
    assert (ended.returncode, ended.stderr) == (0, "")
    return base, place


@pytest.mark.parametrize("when", ENDS)
def test_a_kill_repeats_no_request_and_changes_no_byte(when: str, unbroken: tuple[Path, Path], tmp_path: Path) -> None:
    base, whole = unbroken
    assert forked(lambda: run(base, tmp_path, **ENDS[when])).returncode == -signal.SIGKILL
    ended = forked(lambda: run(base, tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "outcome.json").read_bytes() == (whole / "outcome.json").read_bytes()
    assert tree_of(tmp_path / "loop") == tree_of(whole / "loop")
    asked = Counter((tmp_path / "asked.log").read_text().splitlines())
    assert asked == Counter((whole / "asked.log").read_text().splitlines())
    again = Counter((tmp_path / "trained.log").read_text().splitlines())
    known = Counter((whole / "trained.log").read_text().splitlines())
    assert again.keys() == known.keys()
    assert again.total() - known.total() <= 1  # a pupil has no checkpoints; what was tested is not trained again


# ---------------------------------------------------------------------------------------------------- real students


@pytest.mark.filterwarnings("ignore:Cannot enable progress bars")  # of the Hub, which the tests turn off
def test_a_real_student_goes_on_in_its_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    needs("train", "torch", "transformers", "accelerate", "peft", "trl")
    from hfclean.training import trainer as trainers

    base = tiny_model(tmp_path / "base", context=128, spread=0.02)
    settings: dict[str, Any] = {
        "correct": "exact",
        "rounds": 2,
        "seeds": SEEDS[:4],
        "answer_tokens": 4,
        "store": False,
        "show": False,
        "args": {
            "max_steps": 4,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 1,
            "learning_rate": 1e-3,
            "save_strategy": "steps",
            "save_steps": 2,
        },
    }
    from transformers.utils import logging

    monkeypatch.setattr(logging, "_tqdm_active", True)
    capfd.readouterr()
    whole = augment_errors(base_model=base, teacher=Sums(), folder=tmp_path / "whole", **settings)
    assert "/s]" not in capfd.readouterr().err  # show=False: no bar of transformers or datasets either
    assert [line["steps"] for line in whole.lines] == [4, 4]
    assert [line["rows"] for line in whole.lines] == [4, 4 + len(whole.made)]
    trainer = trainers._class()[0]
    training_step, steps = trainer.training_step, list[int]()

    def ends(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(steps) == 7:  # in the second training, behind its checkpoint
            raise KeyboardInterrupt
        steps.append(self.state.global_step)
        return training_step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "training_step", ends)
        with pytest.raises(KeyboardInterrupt):
            augment_errors(base_model=base, teacher=Sums(), folder=tmp_path / "broken", **settings)
        patch.setattr(trainer, "training_step", training_step)
        teacher = Sums()
        asked_before = (tmp_path / "broken" / "round-0001" / "round.json").read_bytes()

        def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            steps.append(self.state.global_step)
            return training_step(self, *args, **kwargs)

        patch.setattr(trainer, "training_step", counted)
        again = augment_errors(base_model=base, teacher=teacher, folder=tmp_path / "broken", **settings)
    assert steps == [0, 1, 2, 3, 0, 1, 2, 2, 3]
    assert teacher.asked == []
    assert (tmp_path / "broken" / "round-0001" / "round.json").read_bytes() == asked_before
    assert (again.rows.to_list(), again.ledger()) == (whole.rows.to_list(), whole.ledger())
    first, second = (tree_of(each.student or tmp_path) or {} for each in (whole, again))
    assert first["model.safetensors"] == second["model.safetensors"]
