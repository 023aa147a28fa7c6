"""The trainer underneath: trl's, stopped at the first number that is not finite, with checkpoints whole or absent."""

import copy
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hfclean.errors import TrainingError, require

CHECKPOINTS = "checkpoints"
STATE = "trainer_state.json"
# fields that newer versions of trl renamed, and warn about under the old name
RENAMED = {
    "gradient_checkpointing": "activation_checkpointing",
    "gradient_checkpointing_kwargs": "activation_checkpointing_kwargs",
}


def config_of(args: Any, folder: Path, seed: int, *, stops_early: bool) -> Any:
    """The `SFTConfig` of a run: the user's, or made from a dict of its fields on top of defaults that fit the machine.

    Raises:
        TrainingError: an unknown field, or an invalid value.
    """
    trl = require("trl", extra="train")
    torch = require("torch", extra="train")
    place = str(folder / CHECKPOINTS)
    if isinstance(args, trl.SFTConfig):
        config = copy.copy(args)
        config.output_dir, config.seed, config.data_seed = place, seed, seed
        return config
    if args is not None and not isinstance(args, Mapping):
        raise TrainingError(f"args={type(args).__name__}; expected a trl.SFTConfig, or a dict of its fields")
    given = dict(args or {})
    known = {field.name for field in fields(trl.SFTConfig)}
    if unknown := sorted(set(given) - known):
        raise TrainingError(
            f"args has {', '.join(map(repr, unknown))}, which trl {trl.__version__} does not know; see the fields of "
            "trl.SFTConfig"
        )
    for old, new in RENAMED.items():
        if new in known and old in given:
            given.setdefault(new, given.pop(old))
    spare = next(new if new in known else old for old, new in RENAMED.items())
    cuda = torch.cuda.is_available() and not given.get("use_cpu")
    settings = {
        "use_cpu": not (cuda or torch.backends.mps.is_available()),
        "bf16": cuda and torch.cuda.is_bf16_supported() and not given.get("fp16"),
        spare: cuda,
        "dataloader_pin_memory": cuda,
        "max_length": None,
        "logging_steps": 1,
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "report_to": "none",
        **({"eval_strategy": "epoch", "load_best_model_at_end": True} if stops_early else {}),
        **given,
        "output_dir": place,
        "seed": seed,
        "data_seed": seed,
    }
    try:
        return trl.SFTConfig(**settings)
    except (ValueError, TypeError, RuntimeError) as e:
        raise TrainingError(f"invalid args: {' '.join(str(e).split())[:400]}") from e


def peft_of(peft_config: Any) -> Any:
    """The peft settings of a run, as a copy: the trainer writes into them. A dict is one of LoRA's."""
    if peft_config is None:
        return None
    peft = require("peft", extra="train")
    if isinstance(peft_config, Mapping):
        try:
            return peft.LoraConfig(**{"task_type": "CAUSAL_LM", "target_modules": "all-linear", **peft_config})
        except (TypeError, ValueError) as e:
            raise TrainingError(f"invalid peft_config: {' '.join(str(e).split())[:300]}") from e
    if not isinstance(peft_config, peft.PeftConfig):
        raise TrainingError(
            f"peft_config={type(peft_config).__name__}; expected a peft.LoraConfig or its fields: {{'r': 16}}"
        )
    return copy.deepcopy(peft_config)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; its state is the last file of it."""
    found = {}
    for place in (folder / CHECKPOINTS).glob("checkpoint-*"):
        try:
            step = int(place.name.rpartition("-")[2])
            if json.loads((place / STATE).read_text(encoding="utf-8"))["global_step"] == step:
                found[step] = place
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found[max(found)] if found else None


def step_of(checkpoint: Path | None) -> int:
    """The step after which a checkpoint was written; 0 without one."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def mean_loss(history: Sequence[Mapping[str, Any]], instead: float) -> float:
    """The mean of the logged training losses over their steps, those before an interruption with them."""
    total, at = 0.0, 0
    for entry in history:
        if "loss" in entry and entry["step"] > at:
            total += entry["loss"] * (entry["step"] - at)
            at = entry["step"]
    return total / at if at else instead


@cache
def _class() -> Any:
    """The trainer's class; made when trl is first needed."""
    import torch
    import transformers

    trainer: Any = require("trl", extra="train").SFTTrainer

    class Guarded(trainer):  # type: ignore[misc]
        """trl's trainer that refuses numbers that are not finite, and leaves no half-written checkpoint."""

        batches: Any = None  # of places of rows, one for a step of any size; None leaves them to trl

        def get_train_dataloader(self) -> Any:
            if self.batches is None:
                return super().get_train_dataloader()
            loader = torch.utils.data.DataLoader(
                self._remove_unused_columns(self.train_dataset, description="training"),
                batch_sampler=self.batches,
                collate_fn=self.data_collator,
                num_workers=self.args.dataloader_num_workers,
                pin_memory=self.args.dataloader_pin_memory,
                persistent_workers=self.args.dataloader_persistent_workers,
                prefetch_factor=self.args.dataloader_prefetch_factor,
            )
            return self.accelerator.prepare(loader)

        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            parts = [inputs]
            if self.batches is not None:
                parts = _parts(inputs, self.args.per_device_train_batch_size)
                self.current_gradient_accumulation_steps = len(parts)
                if len(parts) > 1 and num_items_in_batch is None:
                    raise TrainingError(
                        "this model does not weigh its loss by num_items_in_batch, so a batch cannot be taken in "
                        "parts; leave per_device_train_batch_size out"
                    )
            losses = [super(Guarded, self).training_step(model, part, num_items_in_batch) for part in parts]
            loss = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
            if not torch.isfinite(loss).all():
                raise TrainingError(f"the loss of step {self.state.global_step + 1} is {loss.item()}")
            return loss

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """A checkpoint needs no model card."""

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            step = self.state.global_step
            for name, weight in model.named_parameters():
                if weight.requires_grad and not torch.isfinite(weight).all():
                    raise TrainingError(f"after step {step} {name} holds numbers that are not finite")
            try:
                super()._save_checkpoint(model, trial)
            except Exception as e:
                if self.args.should_save:
                    shutil.rmtree(Path(self.args.output_dir) / f"checkpoint-{step}", ignore_errors=True)
                reason = " ".join(str(e).split())[:200]
                raise TrainingError(
                    f"the checkpoint of step {step} could not be written ({type(e).__name__}: {reason})"
                ) from e

    class Progress(transformers.TrainerCallback):
        """Steps done and to do, the time that they take, and the losses."""

        bar: Any = None
        losses: dict[str, str]

        def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            from tqdm import tqdm

            self.losses = {}
            if state.is_world_process_zero:
                self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="tuning", unit="step")

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            names = {"loss": "loss", "eval_loss": "heldout"}
            self.losses |= {names[key]: f"{value:.4g}" for key, value in (logs or {}).items() if key in names}
            if self.bar is not None:
                self.bar.set_postfix(self.losses, refresh=False)

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if self.bar is not None:
                self.bar.update(state.global_step - self.bar.n)

        def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if self.bar is not None:
                self.bar.close()

    return Guarded, Progress


def guarded_trainer(
    model: Any,
    tokenizer: Any,
    args: Any,
    train: Any,
    heldout: Any,
    peft_config: Any,
    patience: int | None,
    batches: Any = None,
    callback: Any = None,
) -> Any:
    """A trainer, ready to start; of whole batches where those are given, and with one more callback.

    Raises:
        TrainingError: trl or peft does not take these settings for this model.
    """
    transformers = require("transformers", extra="train")
    trainer_class, progress = _class()
    try:
        with quiet():
            trainer = trainer_class(
                model=model,
                args=args,
                train_dataset=train,
                eval_dataset=heldout,
                processing_class=tokenizer,
                peft_config=peft_config,
            )
    except (ValueError, TypeError) as e:
        reason = " ".join(str(e).split())[:300]
        raise TrainingError(f"trl or peft cannot do this: {reason}{_modules(model, peft_config)}") from e
    trainer.batches = batches
    for unwanted in (transformers.ProgressCallback, transformers.PrinterCallback):
        trainer.remove_callback(unwanted)
    if not args.disable_tqdm:
        trainer.add_callback(progress())
    if patience is not None:
        trainer.add_callback(transformers.EarlyStoppingCallback(early_stopping_patience=patience))
    if callback is not None:
        trainer.add_callback(callback)
    return trainer


def _parts(inputs: Mapping[str, Any], rows: int) -> list[dict[str, Any]]:
    """A batch in parts of at most `rows`. The loss of each is its share of the whole: trl divides by all tokens."""
    count = len(inputs["input_ids"])
    return [{key: value[k : k + rows] for key, value in inputs.items()} for k in range(0, count, rows)]


def _modules(model: Any, peft_config: Any) -> str:
    """The modules that an adapter could be put on, where one was asked for."""
    if peft_config is None:
        return ""
    import torch

    names = {n.rpartition(".")[2] for n, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    return f"; linear modules of this model: {', '.join(sorted(names - {'lm_head'}))}; or target_modules='all-linear'"


@contextmanager
def quiet() -> Iterator[None]:
    """trl and peft call transformers by names that are deprecated; a user cannot change that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


@contextmanager
def no_bars(*, when: bool = True) -> Iterator[None]:
    """Without the progress bars of datasets and transformers, which come for each loading, saving and preparing."""
    if not when or find_spec("transformers") is None:
        yield
        return
    from datasets.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars

    ours = require("transformers", extra="train").utils.logging
    shown, shown_here = is_progress_bar_enabled(), ours.is_progress_bar_enabled()
    hub_too = not are_progress_bars_disabled()  # transformers turns those of the Hub off and on with its own
    disable_progress_bar()
    ours.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            enable_progress_bar()
        if shown_here:
            ours.enable_progress_bar()
        if not hub_too:
            disable_progress_bars()
