"""Tuning on prompts and completions: what counts, what goes on after a stop, what is never written."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from extras import needs

import hfclean
from hfclean.errors import TrainingError
from hfclean.models import ModelError, process
from hfclean.testing_models import tiny_adapter, tiny_model
from hfclean.training import trainer as trainers
from hfclean.training.preexperience import experience_rows, tune_on_experience
from hfclean.training.run import COMPARED, Run
from hfclean.training.tokens import IGNORED
from hfclean.training.tuning import RECORD, Tuned, held_out_loss, tune

ROWS = [{"prompt": f"Say {k}:", "completion": f" {k} it is"} for k in range(12)]
ARGS: dict[str, Any] = {
    "max_steps": 6,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-2,
    "save_strategy": "steps",
    "save_steps": 2,
    "disable_tqdm": True,
}


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("train", "torch", "transformers", "accelerate", "peft", "trl")
    return tiny_model(tmp_path_factory.mktemp("models") / "base", context=64, spread=0.02)


@pytest.fixture(scope="session")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """A run that nothing stopped."""
    return tune(ROWS, base, tmp_path_factory.mktemp("runs") / "whole", args=ARGS, heldout=ROWS[:2])


def weights(folder: Path) -> bytes:
    return next(folder.glob("*model.safetensors")).read_bytes()


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, then: Any) -> None:
    """Let something happen in a step of the training."""
    guarded = trainers._class()[0]
    training_step = guarded.training_step

    def stopped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return then(self, *args) if self.state.global_step == step else training_step(self, *args, **kwargs)

    monkeypatch.setattr(guarded, "training_step", stopped)


def test_a_tuned_model_has_learnt_and_says_what_was_done(base: Path, whole: Tuned) -> None:
    assert (whole.steps, whole.resumed) == (6, False)
    assert whole.heldout_loss < held_out_loss(base, ROWS[:2])
    assert whole.heldout_loss == pytest.approx(held_out_loss(whole.folder, Dataset.from_list(ROWS[:2])), abs=1e-6)
    assert whole.facts["rows"] == 12
    assert whole.tokens == whole.facts["tokens_per_pass"] * 2
    assert json.loads((whole.folder / RECORD).read_text())["done"]["steps"] == 6
    names = {file.name for file in whole.folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "checkpoints"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth"))]


def test_a_stopped_run_goes_on_to_the_same_weights(
    base: Path, whole: Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        stop_at(patch, 5, killed)
        with pytest.raises(KeyboardInterrupt):
            tune(ROWS, base, tmp_path, args=ARGS, heldout=ROWS[:2])
    assert not (tmp_path / "model.safetensors").exists()
    half = tmp_path / "checkpoints" / "checkpoint-6"  # what a kill in the middle of writing leaves
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    with pytest.raises(TrainingError, match="resume=True"):
        tune(ROWS, base, tmp_path, args=ARGS, heldout=ROWS[:2])
    with pytest.raises(TrainingError, match=r"learning_rate was 0.01, is 0.5"):
        tune(ROWS, base, tmp_path, args=ARGS | {"learning_rate": 0.5}, heldout=ROWS[:2], resume=True)
    with pytest.raises(TrainingError, match="other rows"):
        tune(ROWS[1:], base, tmp_path, args=ARGS, heldout=ROWS[:2], resume=True)
    again = tune(ROWS, base, tmp_path, args=ARGS, heldout=ROWS[:2], resume=True)
    assert again.resumed
    assert weights(tmp_path) == weights(whole.folder)
    assert (again.train_loss, again.heldout_loss) == (whole.train_loss, whole.heldout_loss)
    assert (again.steps, again.tokens) == (whole.steps, whole.tokens)
    done = tune(ROWS, base, tmp_path, args=ARGS, heldout=ROWS[:2], resume=True)
    assert done.resumed
    assert done.heldout_loss == whole.heldout_loss


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (True, "the loss of step 4 is nan"),
        (False, "after step 4 model.embed_tokens.weight holds numbers that are not finite"),
    ],
)
def test_numbers_that_are_none_stop_it_and_the_last_good_checkpoint_stays(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, said: str
) -> None:
    import torch

    go_on = trainers._class()[0].training_step

    def broken(self: Any, model: Any, *args: Any) -> Any:
        loss = None if before else go_on(self, model, *args)
        with torch.no_grad():
            next(model.parameters()).fill_(math.nan)
        return go_on(self, model, *args) if before else loss

    stop_at(monkeypatch, 3, broken)
    with pytest.raises(TrainingError, match=rf"{said}; checkpoints/checkpoint-2 is intact.*resume=True"):
        tune(ROWS, base, tmp_path, args=ARGS)
    assert [place.name for place in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-2"]
    assert not (tmp_path / "model.safetensors").exists()


def test_a_full_disk_leaves_no_half_of_a_checkpoint(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    save = transformers.Trainer._save_rng_state

    def full(self: Any, output_dir: str) -> None:
        if output_dir.endswith("-4"):
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, output_dir)

    monkeypatch.setattr(transformers.Trainer, "_save_rng_state", full)
    with pytest.raises(TrainingError, match=r"step 4 could not.*No space.*/checkpoint-2 is intact"):
        tune(ROWS, base, tmp_path, args=ARGS)
    assert [place.name for place in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-2"]


def test_it_stops_when_the_held_out_loss_rises_and_keeps_the_best(base: Path, tmp_path: Path) -> None:
    args = {**ARGS, "max_steps": 40, "eval_strategy": "steps", "eval_steps": 2, "learning_rate": 0.3}
    tuned = tune(ROWS, base, tmp_path, args=args, heldout=[{"prompt": "x", "completion": "?!"}], patience=2)
    curve = tuned.facts["heldout_curve"]
    assert tuned.facts["stopped_early"]
    assert tuned.steps < 40
    assert tuned.heldout_loss == pytest.approx(min(loss for _, loss in curve), rel=1e-3)


def test_what_does_not_fit_is_left_out_and_counted_never_cut(base: Path, tmp_path: Path) -> None:
    rows = [*ROWS[:3], {"prompt": "Say", "completion": "word " * 100}, {"prompt": "Say", "completion": "  "}]
    tuned = tune(rows, base, tmp_path, args=ARGS | {"max_steps": 1, "save_strategy": "no"})
    assert tuned.facts["left_out"] == {"too_long": 1, "empty": 1}
    assert (tuned.facts["rows"], tuned.facts["longest_row"] <= 64) == (3, True)
    assert math.isnan(tuned.heldout_loss)


def test_only_completions_count(base: Path) -> None:
    from transformers import AutoTokenizer

    from hfclean.training.tokens import Encoder

    tokenizer = AutoTokenizer.from_pretrained(base)
    encoded = Encoder(tokenizer, None, name="base").encode(ROWS[:1])
    labels = [label for label in encoded.rows[0]["labels"] if label != IGNORED]
    assert tokenizer.decode(labels) == " 0 it is<|im_end|>"
    assert encoded.rows[0]["labels"][: encoded.starts()[0]] == [IGNORED] * encoded.starts()[0]


def test_an_sft_config_is_taken_as_it_is_but_for_place_and_seed(base: Path, tmp_path: Path) -> None:
    import trl

    args = trl.SFTConfig(
        output_dir="elsewhere",
        use_cpu=True,
        bf16=False,
        max_steps=1,
        report_to="none",
        save_strategy="no",
        dataloader_pin_memory=False,
        disable_tqdm=True,
        weight_decay=0.125,
        activation_checkpointing=False,
    )
    tuned = tune(ROWS, base, tmp_path / "a", args=args, seed=5)
    settings = tuned.facts["settings"]
    assert (settings["weight_decay"], settings["seed"]) == (0.125, 5)
    assert args.output_dir == "elsewhere"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"rows": [{"text": "a"}]}, "row 0 has no 'prompt'"),
        ({"rows": [{"prompt": 3, "completion": "a"}]}, "prompt is int"),
        ({"rows": [{"prompt": "a", "completion": None}]}, "completion is NoneType"),
        ({"rows": []}, "no rows were given"),
        ({"heldout": []}, "heldout: nothing to train on"),
        ({"patience": 1}, "needs held-out rows"),
        ({"args": {"learning_rate": "x"}}, "training stopped .TypeError.*no checkpoint was written"),
    ],
)
def test_what_cannot_be_is_refused(base: Path, tmp_path: Path, how: dict[str, Any], said: str) -> None:
    settings: dict[str, Any] = {"rows": ROWS, "base_model": base, "folder": tmp_path / "x", "args": ARGS}
    with pytest.raises(TrainingError, match=said):
        tune(**(settings | how))
    assert not list((tmp_path / "x").glob("*.safetensors"))


def test_two_do_not_train_in_one_folder(base: Path, tmp_path: Path) -> None:
    first = Run(tmp_path / "out", dict.fromkeys(COMPARED), True)
    with first.alone(), pytest.raises(TrainingError, match="another process is training in"):
        tune(ROWS, base, tmp_path / "out", args=ARGS)
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="is a file"), Run(tmp_path / "file", {}, True).alone():
        pass


def test_a_tokenizer_without_an_end_is_refused(base: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = tiny_model(tmp_path / "endless")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(TrainingError, match="no eos_token"):
        tune(ROWS, folder, tmp_path / "x", args=ARGS)


def test_an_adapter_on_an_adapter_and_a_strange_folder_are_refused(base: Path, tmp_path: Path) -> None:
    adapter = tiny_adapter(tmp_path / "adapter", base)
    with pytest.raises(TrainingError, match="merge it first"):
        tune(ROWS, adapter, tmp_path / "x", args=ARGS, peft_config={"r": 2})
    with pytest.raises(TrainingError, match="was not tuned here"):
        tune(ROWS, base, adapter, args=ARGS)
    with pytest.raises(ModelError, match="no folder"):
        tune(ROWS, tmp_path / "gone", tmp_path / "x", args=ARGS)


def test_a_brief_tuning_for_ifd_is_one_that_ifd_takes(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    wide = tiny_model(tmp_path / "wide", context=512)
    ds = Dataset.from_list([{"instruction": "Say {input}.", "input": "a {b}", "output": "Well, a it is."}] * 4)
    assert experience_rows(ds)[0]["prompt"].endswith(
        "### Instruction:\nSay {input}.\n\n### Input:\na {b}\n\n### Response:"
    )
    folder = tune_on_experience(ds, wide, folder=tmp_path / "known", args={"disable_tqdm": True})
    asks = hfclean.IFD(folder, variant="cherry")
    assert asks.passage(hfclean.Pair(*ds[0].values())).contexts[0] == experience_rows(ds)[0]["prompt"]
    scored = ds.map(asks, batched=True)
    assert all(math.isfinite(value) for value in scored["ifd_loss"])
    process.close()
