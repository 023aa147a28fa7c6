"""Supervised tuning of a causal language model on prompts and completions, with trl's `SFTTrainer` underneath.

    tuned = tune([{"prompt": "Name a fruit.\\n", "completion": "An apple."}, ...], "org/base", "tuned")
    tuned.folder, tuned.heldout_loss

The folder holds the tuned model as `save_pretrained` writes it (safetensors, tokenizer; an adapter if one was asked
for), `training.json` with the settings and results, and `checkpoints/`, from which a stopped run goes on.
"""

import gc
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hfclean.errors import TrainingError, require
from hfclean.models.likelihood import Backbone, Sequence_
from hfclean.models.local import PLAIN_TEMPLATE, device_of, read_causal, ready_torch
from hfclean.models.spec import ModelSpec
from hfclean.models.weights import ModelFiles, find_model
from hfclean.training.batching import batching, check_args, check_batches, settle_size
from hfclean.training.estimating import estimate_training
from hfclean.training.recording import check_names, recorder
from hfclean.training.run import RECORD, Run, Tuned, best_of, facts_of, is_main_process
from hfclean.training.signal import SignalFile
from hfclean.training.tokens import Encoded, Encoder
from hfclean.training.trainer import config_of, guarded_trainer, last_checkpoint, mean_loss, peft_of, step_of

__all__ = ["RECORD", "Tuned", "find_base", "held_out_loss", "is_main_process", "tune"]


def tune(
    rows: Any,
    base_model: str | Path,
    folder: str | Path,
    *,
    args: Any = None,
    peft_config: Any = None,
    heldout: Any = None,
    seed: int = 0,
    resume: bool = False,
    revision: str | None = None,
    chat_template: str | None = None,
    patience: int | None = None,
    batches: Sequence[Sequence[int]] | None = None,
    row_ids: Sequence[str] | None = None,
    signal: str | Path | None = None,
) -> Tuned:
    """Tune a model on prompts and completions; only the completions count in the loss.

    Rows longer than `max_length` or than the model takes are left out and counted, never cut. In a run over several
    GPUs (`accelerate launch`) every process calls this, and only the main one writes.

    Args:
        rows: a `Dataset` or a list of dicts with `prompt` (a text, taken as it stands; or a list of messages, put
            through the model's chat template) and `completion` (a text). The token that ends a text is added.
        base_model: a folder or a Hub id, of model and tokenizer.
        folder: where checkpoints and the tuned model go.
        args: a `trl.SFTConfig`, or a dict of its fields. A dict stands on defaults that fit the machine: bf16 and
            gradient checkpointing on a GPU, one checkpoint an epoch, no reports, no length limit but the model's.
        peft_config: a `peft.LoraConfig`, or a dict of its fields (all linear modules unless it says others); without
            one all weights are tuned.
        heldout: rows that are not trained on, for `heldout_loss` and for stopping early.
        seed: random seed of the order of rows, dropout and new weights; overrides a seed in `args`.
        resume: go on from the last whole checkpoint in `folder`, or return the finished result there; with none,
            start.
        revision: git ref of a Hub id.
        chat_template: for a model without one: a Jinja template, or `"plain"` for a simple one of ours, or `"auto"`
            for that where the model has none. It is saved with the tokenizer.
        patience: stop after this many evaluations in a row without a lower held-out loss, and keep the best model.
        batches: lists of indices into `rows`: each is one step of the optimizer, in their order, in every epoch, as
            `hfclean.selection.diverse_batches` makes them. Rows that do not fit fall out of their batch, and a batch
            without rows has no step. `per_device_train_batch_size` is how many rows of a batch go through the model
            at once (all, where `args` does not say): it takes memory and changes no step. For one process.
        row_ids: names of the rows in the signal; their indices as text without.
        signal: a file to write one line a step to: loss, gradient norm and, with `batches` or
            `train_sampling_strategy="sequential"`, which rows; see `hfclean.training.training_signal`. A run that is
            resumed needs the file that it began with.

    Raises:
        TrainingError: the rows, settings or folder cannot be used; or the training stopped (a loss that is not a
            number, a full disk, not enough memory). The last whole checkpoint stays, and the message names it.
        ModelError: the base cannot be loaded, or only with its own code.
        MissingExtraError: trl or another package that it needs is not installed.
    """
    transformers = require("transformers", extra="train")
    folder = Path(folder).expanduser()
    if patience is not None and patience < 1:
        raise TrainingError(f"patience={patience}: expected at least 1 evaluation without a lower held-out loss")
    if patience is not None and heldout is None:
        raise TrainingError(f"patience={patience} needs held-out rows to look at: heldout=")
    files = find_base(base_model, revision)
    config = config_of(args, folder, seed, stops_early=patience is not None)
    if config.n_gpu > 1:
        raise TrainingError(
            f"{config.n_gpu} GPUs are visible to this one process; start one process for each: accelerate launch "
            f"--num_processes {config.n_gpu} -m hfclean train ..., or take one: CUDA_VISIBLE_DEVICES=0"
        )
    if batches is not None:
        check_args(config)
    rows, batches, names = _named(rows, batches, row_ids, signal)
    if row_ids is not None and batches is None and not _in_order(config):
        raise TrainingError(
            "row_ids= names the rows of a step, and rows that are shuffled have no known step; give batches= as well, "
            "or args with train_sampling_strategy='sequential'"
        )
    adapter = peft_of(peft_config)
    if adapter is not None and files.base is not None:
        raise TrainingError(
            f"{base_model} is an adapter itself, and an adapter on top of it would name a base that nobody has; merge "
            "it first (peft: model.merge_and_unload().save_pretrained), or tune all weights: peft_config=None"
        )
    transformers.set_seed(seed)
    model, tokenizer = _load(str(base_model), files, config, half=adapter is not None)
    notes = _prepare(model, tokenizer, str(base_model), chat_template)
    encoder = _encoder(model, tokenizer, config.max_length, str(base_model), config.completion_only_loss is False)
    train = encoder.encode(rows)
    held = encoder.encode(heldout) if heldout is not None else None
    _refuse_nothing(train, encoder, "rows")
    if held is not None:
        _refuse_nothing(held, encoder, "heldout")
    plan = None
    if batches is not None:
        plan = batching(batches, train, names)
        settle_size(config, args, plan)
    facts = facts_of(str(base_model), files, config, adapter, train, held)
    if plan is not None:
        facts["settings"]["batches"] = plan.digest
        facts |= {"batches": len(plan.places), "batches_left_out": plan.left_out, "tokens_per_pass": plan.tokens}
    facts |= notes | {
        "device": str(config.device),
        "processes": config.world_size,
        "most_tokens": encoder.longest,
    }
    run = Run(folder, facts, is_main_process())
    with run.alone():
        finished = run.begin(resume)
        file = SignalFile(signal) if signal is not None else None
        checkpoint = last_checkpoint(folder) if resume else None
        if file is not None and run.writes:
            file.check(finished.steps if finished else step_of(checkpoint))
        if finished is not None:
            return finished
        data = (_dataset(train), _dataset(held) if held else None)
        callback = None
        if file is not None:
            known = [names[place] for place in train.places] if row_ids is not None or _in_order(config) else None
            callback = recorder(file, known, plan.named if plan else None)
        more = (plan.places if plan else None, callback)
        trainer = run.guard(partial(guarded_trainer, model, tokenizer, config, *data, adapter, patience, *more))
        del model
        tuned = _train(run, trainer, train, checkpoint, patience)
        run.guard(lambda: _save(trainer, tokenizer, folder, str(base_model), files))
        trainer.accelerator.free_memory()
        trainer.model = trainer.model_wrapped = trainer.optimizer = None
        _free()
        if held is not None:
            tuned = replace(tuned, heldout_loss=held_out_loss(folder, heldout, max_length=config.max_length))
        run.finish(tuned)
        return tuned


def find_base(base_model: str | Path, revision: str | None = None) -> ModelFiles:
    """The files of a base, once all that tunes it is known to be installed.

    Raises:
        ModelError: there is no such model.
        MissingExtraError: trl or another package that tuning needs is not installed.
    """
    for name in ("transformers", "torch", "trl", "accelerate", "peft"):
        require(name, extra="train")
    return find_model(str(base_model), revision)


def held_out_loss(
    model: str | Path,
    rows: Any,
    *,
    max_length: int | None = None,
    revision: str | None = None,
    chat_template: str | None = None,
) -> float:
    """The mean loss of a model per completion token, in nats: 0 and up, lower is better. Prompts are only read.

    Args:
        model: a folder or a Hub id; of an adapter, with its base.
        rows: as for `tune`. Rows that do not fit are left out; nan if none fits or a loss is not a number.
        max_length: most tokens of prompt and completion; the model's own limit holds as well.
        revision, chat_template: as for `tune`.

    Raises:
        TrainingError: rows without prompt or completion.
        ModelError: the model cannot be loaded.
    """
    torch = ready_torch()
    files = find_model(str(model), revision)
    loaded, tokenizer = read_causal(ModelSpec(str(model)), files, device_of(torch, None))
    _prepare(loaded, tokenizer, str(model), chat_template)
    encoded = _encoder(loaded, tokenizer, max_length, str(model)).encode(rows)
    pool = [
        Sequence_(row["input_ids"], max(start, 1))
        for row, start in zip(encoded.rows, encoded.starts(), strict=True)
        if len(row["input_ids"]) > 1
    ]
    found = Backbone(loaded, tokenizer).losses(pool) if pool else []
    count = sum(len(each.values) for each in found)
    if not count or any(each.error for each in found):
        return math.nan
    return float(sum(float(each.values.sum(dtype="float64")) for each in found) / count)


def _train(run: Run, trainer: Any, train: Encoded, checkpoint: Path | None, patience: int | None) -> Tuned:
    weights = list(trainer.model.parameters())
    trainable, total = sum(w.numel() for w in weights if w.requires_grad), sum(w.numel() for w in weights)
    estimate = estimate_training(
        trainer.model,
        trainer.args,
        trained=trainable,
        total=total,
        rows=len(train.rows),
        tokens=run.facts["tokens_per_pass"],
        longest=train.longest,
    )
    if run.writes and not trainer.args.disable_tqdm:
        for line in (*_rows_lines(run.facts), f"tuning {trainable:,} of {total:,} weights: {estimate}"):
            tqdm.write(line, file=sys.stderr)
    started = time.monotonic()
    out = run.guard(lambda: trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None))
    seconds = time.monotonic() - started
    state = trainer.state
    facts = {
        **run.facts,
        "parameters": total,
        "parameters_trained": trainable,
        "estimate": estimate.as_dict(),
        **best_of(state, patience),
    }
    return Tuned(
        run.folder,
        state.global_step,
        mean_loss(state.log_history, out.training_loss),
        math.nan,
        round(seconds, 3),
        round((state.epoch or 0) * run.facts["tokens_per_pass"]),
        checkpoint is not None,
        facts,
    )


def _named(
    rows: Any, batches: Any, row_ids: Sequence[str] | None, signal: str | Path | None
) -> tuple[Any, list[list[int]] | None, list[str]]:
    """Rows that can be counted, the batches, and the names of the rows."""
    if row_ids is not None and signal is None:
        raise TrainingError("row_ids= names rows in the training signal; name its file as well: signal=")
    if signal is None and batches is None:
        return rows, None, []
    rows = rows if hasattr(rows, "__len__") else list(rows)
    names = check_names(row_ids)
    if names is not None and len(names) != len(rows):
        raise TrainingError(f"row_ids: {len(names):,} for {len(rows):,} rows; name every row once")
    found = check_batches(batches, len(rows)) if batches is not None else None
    return rows, found, names if names is not None else [str(k) for k in range(len(rows))]


def _in_order(config: Any) -> bool:
    return bool(getattr(config, "train_sampling_strategy", "random") == "sequential")


def _rows_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """What is trained on, what is left out of it, and the adapter, as they are told before the start."""
    limit = f" (more than {facts['most_tokens']:,} tokens)" if facts["most_tokens"] else ""
    for name, rows, out in (
        ("rows to train on", facts["rows"], facts["left_out"]),
        ("rows held out", facts["heldout_rows"], facts["heldout_left_out"]),
    ):
        left = ", ".join(f"{count:,} {reason}{limit if reason == 'too_long' else ''}" for reason, count in out.items())
        if rows:
            yield f"{name}: {rows:,}; left out: {left or 'none'}"
    if peft := facts["peft"]:
        settings = [f"{key} {peft[key]}" for key in ("r", "lora_alpha", "lora_dropout") if key in peft]
        yield f"adapter: {peft.get('peft_type')}, {', '.join(settings)}"


def _load(name: str, files: ModelFiles, config: Any, *, half: bool) -> tuple[Any, Any]:
    """Weights on the CPU; the trainer moves them. Below an adapter they may be coarse, as they are not changed."""
    coarse = half and config.device.type != "cpu" and (config.bf16 or config.fp16)
    dtype = ("bfloat16" if config.bf16 else "float16") if coarse else "float32"
    model, tokenizer = read_causal(ModelSpec(name, dtype=dtype), files, "cpu")
    model.config.use_cache = False
    return model.train(), tokenizer


def _prepare(model: Any, tokenizer: Any, name: str, chat_template: str | None) -> dict[str, Any]:
    """Give a base what it lacks; returns notes about it."""
    notes: dict[str, Any] = {}
    if chat_template == "auto":
        chat_template = None if tokenizer.chat_template else "plain"
    if chat_template is not None:
        tokenizer.chat_template = PLAIN_TEMPLATE if chat_template == "plain" else chat_template
        notes["chat_template"] = "plain" if chat_template == "plain" else "given"
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
        tokenizer.pad_token = tokenizer.eos_token
        notes["padding"] = "the base has no pad_token; its eos_token is used"
    vocabulary = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > vocabulary:
        raise TrainingError(
            f"the tokenizer of {name} has {len(tokenizer)} tokens and the model embeds {vocabulary}; they do not "
            "belong together: save both from one source, or model.resize_token_embeddings(len(tokenizer))"
        )
    return notes


def _encoder(model: Any, tokenizer: Any, most: int | None, name: str, whole: bool = False) -> Encoder:
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    limits = [limit for limit in (most, context) if limit]
    stops = model.generation_config.eos_token_id if model.generation_config else None
    stops = stops if isinstance(stops, list) else [stops] if stops is not None else []
    return Encoder(tokenizer, min(limits) if limits else None, stops, name=name, whole=whole)


def _refuse_nothing(encoded: Encoded, encoder: Encoder, name: str) -> None:
    if encoded.rows:
        return
    out = encoded.left_out
    why = ", ".join(f"{count} {reason}" for reason, count in out.items()) or "no rows were given"
    raise TrainingError(
        f"{name}: nothing to train on ({why}); the most are {encoder.longest} tokens of prompt and completion. Give "
        "shorter rows, or more room: args={'max_length': ...} as far as the model goes"
    )


def _dataset(encoded: Encoded) -> Any:
    from datasets import Dataset

    return Dataset.from_list(encoded.rows)


def _save(trainer: Any, tokenizer: Any, folder: Path, name: str, files: ModelFiles) -> None:
    """Write model or adapter, and tokenizer, from the main process; of an adapter, with its base named as given."""
    trainer.accelerator.wait_for_everyone()
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped) if trainer.is_deepspeed_enabled else None
    if not trainer.is_world_process_zero():
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "peft_config"):
        commit = files.identity.partition(":")[2] if files.identity.startswith("commit:") else None
        for settings in model.peft_config.values():
            settings.base_model_name_or_path = name if commit else str(files.folder)
            settings.revision = commit
        model.save_pretrained(folder, state_dict=state, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # peft's card says nothing
    else:
        model.config.use_cache = True
        model.save_pretrained(folder, state_dict=state)
    tokenizer.save_pretrained(folder)


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
