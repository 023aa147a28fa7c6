"""The training signal of several processes, and of one that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_training_signal import NAMES, ROWS, base, plain_loop  # noqa: F401

from hfclean.training import read_signal, tune

HERE = Path(__file__).parent

TWO = """
import sys
from pathlib import Path
from test_training_signal import NAMES, ROWS, trainer_of
from hfclean.errors import TrainingError
from hfclean.training import training_signal, tune

base, out = Path(sys.argv[1]), Path(sys.argv[2])
if __name__ == "__main__":
    shape = {"per_device_train_batch_size": 2, "num_train_epochs": 2, "ddp_backend": "gloo"}
    for kind, accumulated in (("transformers", 2), ("trl", 1)):
        trainer = trainer_of(kind, base, out / kind, **shape, gradient_accumulation_steps=accumulated)
        trainer.add_callback(training_signal(out / f"{kind}.jsonl", row_ids=NAMES))
        trainer.train()
    trainer = trainer_of("transformers", base, out / "odd", **shape, gradient_accumulation_steps=1)
    trainer.train_dataset = trainer.train_dataset.select(range(11))
    trainer.add_callback(training_signal(out / "odd.jsonl", row_ids=NAMES[:11]))
    trainer.train()
    tuning = {"use_cpu": True, "disable_tqdm": True, "ddp_backend": "gloo", "max_steps": 2}
    tune(ROWS, base, out / "tuned", args=tuning, signal=out / "tuned.jsonl")
    try:
        tune(ROWS, base, out / "refused", args=tuning, batches=[[0, 1]])
    except TrainingError as e:
        if trainer.is_world_process_zero():
            (out / "refused.txt").write_text(str(e))
"""


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(HERE), str(HERE.parent), *sys.path])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def test_two_processes_write_one_file_of_whole_steps(base: Path, tmp_path: Path) -> None:  # noqa: F811
    script = tmp_path / "two.py"
    script.write_text(TWO, encoding="utf-8")
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    done = subprocess.run([*words, str(base), str(tmp_path)], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for kind, epoch in (
        ("transformers", [list(range(8)), list(range(8, 12))]),
        ("trl", [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]),
    ):
        steps = read_signal(tmp_path / f"{kind}.jsonl", known=NAMES)
        assert [step.step for step in steps] == list(range(1, 2 * len(epoch) + 1))
        assert [step.row_ids for step in steps] == [tuple(NAMES[k] for k in batch) for batch in epoch * 2]
        told = plain_loop(base, epoch * 2, 1.0)
        assert [step.loss for step in steps] == pytest.approx([each[0] for each in told], rel=1e-4)
        assert [step.grad_norm for step in steps] == pytest.approx([each[1] for each in told], rel=1e-3)
    odd = read_signal(tmp_path / "odd.jsonl")
    assert [step.row_ids for step in odd] == [tuple(NAMES[:4]), tuple(NAMES[4:8]), None] * 2
    assert [step.step for step in read_signal(tmp_path / "tuned.jsonl")] == [1, 2]
    assert "batches= is for one process, and 2 were started" in (tmp_path / "refused.txt").read_text()


KILLED = """
import json, os, signal, sys
from hfclean.training import trainer as trainers, tune

guarded = trainers._class()[0]
training_step, settings = guarded.training_step, json.loads(sys.argv[1])

def stop(self, *args, **kwargs):
    if self.state.global_step == settings["at"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return training_step(self, *args, **kwargs)

guarded.training_step = stop
tune(settings["rows"], settings["base"], settings["folder"], **settings["more"])
"""


def test_a_killed_run_goes_on_to_the_same_bytes(base: Path, tmp_path: Path) -> None:  # noqa: F811
    args = {"num_train_epochs": 2, "save_strategy": "steps", "save_steps": 2, "disable_tqdm": True}
    more: dict[str, Any] = {"args": args, "batches": [[0, 1], [5, 4, 3], [9]], "row_ids": NAMES}
    whole = tune(ROWS, base, tmp_path / "whole", **more, signal=tmp_path / "whole.jsonl")
    more["signal"] = str(tmp_path / "cut.jsonl")
    settings = {"at": 5, "rows": ROWS, "base": str(base), "folder": str(tmp_path / "cut"), "more": more}
    done = subprocess.run([sys.executable, "-c", KILLED, json.dumps(settings)], env=environment(), capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert [step.step for step in read_signal(tmp_path / "cut.jsonl")] == [1, 2, 3, 4, 5]
    again = tune(ROWS, base, tmp_path / "cut", resume=True, **more)
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    weights = [(tuned.folder / "model.safetensors").read_bytes() for tuned in (whole, again)]
    assert weights[0] == weights[1]
