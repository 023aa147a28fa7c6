"""The callback that writes the training signal, for our own trainer and for those of transformers and trl."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hfclean.errors import TrainingError, require
from hfclean.training.signal import SignalFile, Step, shown


@dataclass(frozen=True)
class Batch:
    """What one step of an epoch trains on, as far as it is known."""

    batch_id: int
    row_ids: tuple[str, ...] | None
    tokens: int | None = None


def training_signal(file: str | Path, *, row_ids: Sequence[str] | None = None) -> Any:
    """A callback that writes one line a step: `trainer.add_callback(training_signal("signal.jsonl"))`.

    For `transformers.Trainer`, `trl.SFTTrainer` and trainers made from them. A line is `step`, `batch_id`, `row_ids`,
    `loss`, `grad_norm`, `lr`, `tokens`; null is what is not known. `read_signal` reads it. The norm is that of the
    accumulated gradient of all processes before it is clipped, also where nothing is clipped (`max_grad_norm` 0 or
    None, which is set to 0); it is the trainer's own, so the trainer logs every step from now on, as with
    `logging_steps=1`. The loss is the trainer's: mean per token over the whole step where the model takes
    `num_items_in_batch`, as causal language models do; null where it was not finite. `tokens` needs trl, or
    `include_num_input_tokens_seen="non_padding"`.

    The main process writes. An older signal file at that path is replaced; after `resume_from_checkpoint` the lines
    up to the checkpoint stay, and steps that it lacks stay missing. A signal per batch is what SeDi-Instruct chooses
    seeds by (arXiv 2502.04774).

    Args:
        file: where the lines go.
        row_ids: names of the rows of the trainer's dataset, in its order. The trainer has to read it in order
            (`train_sampling_strategy="sequential"`), unpacked and unshuffled. `ds.select(found.order)` of
            `hfclean.selection.diverse_batches` so gives its batches. Without names `row_ids` is null.

    Raises:
        TrainingError: names that are not texts or come twice; when the training starts: rows that do not come in
            order, another number of names than of rows, or a file that holds something else or cannot be written.
        MissingExtraError: transformers is not installed.
    """
    return _recorder()(SignalFile(file), check_names(row_ids), None)


def recorder(file: SignalFile, row_ids: Sequence[str] | None, batches: Sequence[Batch] | None) -> Any:
    """The same, told which batches an epoch has, or the names of the rows, or neither."""
    return _recorder()(file, row_ids, batches)


def check_names(row_ids: Sequence[str] | None) -> list[str] | None:
    """The names of rows as a list.

    Raises:
        TrainingError: one is not a text, or comes twice.
    """
    if row_ids is None:
        return None
    if isinstance(row_ids, str):
        raise TrainingError(f"row_ids={shown(row_ids)}; expected a list of texts, one for each row")
    names: dict[str, int] = {}
    for place, name in enumerate(row_ids):
        if not isinstance(name, str):
            raise TrainingError(f"row_ids[{place}] is {shown(name)}; expected a text: list(map(str, ids))")
        if name in names:
            raise TrainingError(
                f"row_ids[{place}] is {shown(name)}, as is row_ids[{names[name]}]; name every row once"
            )
        names[name] = place
    return list(names)


@cache
def _recorder() -> Any:
    """The callback's class; made when transformers is first needed."""
    transformers = require("transformers", extra="train")

    class TrainingSignal(transformers.TrainerCallback):  # type: ignore[misc, name-defined]
        """Writes the training signal."""

        def __init__(self, file: SignalFile, row_ids: Sequence[str] | None, batches: Sequence[Batch] | None) -> None:
            self.file, self.row_ids, self.given = file, row_ids, batches
            self.batches: Sequence[Batch] | None = None  # those of an epoch, in their order
            self.done = 0  # steps of this epoch
            self.resumed = 0  # steps of this epoch that a checkpoint holds
            self.written = 0  # the last step that has a line
            self.tokens = 0  # that trl has counted
            self.seen = 0  # tokens that transformers has counted

        def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if args.max_grad_norm is None:
                args.max_grad_norm = 0.0  # transformers 5 compares it with a number
            self.batches = self.given
            if self.batches is None:
                self.batches = _batches(args, rest.get("train_dataloader"), self.row_ids)
            self.written, self.seen = state.global_step, state.num_input_tokens_seen
            self.resumed = 0
            if self.batches and not args.ignore_data_skip:
                self.resumed = state.global_step % len(self.batches)
            if state.is_world_process_zero:
                self.file.begin(state.global_step)

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.done, self.resumed = self.resumed, 0

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.done += 1
            control.should_log = True

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            if not logs or "loss" not in logs or state.global_step <= self.written:
                return
            self.written = state.global_step
            counted = logs.get("num_tokens")
            tokens = None
            if str(getattr(args, "include_num_input_tokens_seen", "no")) == "non_padding":
                tokens, self.seen = state.num_input_tokens_seen - self.seen, state.num_input_tokens_seen
            if counted is not None:
                tokens, self.tokens = round(counted) - self.tokens, round(counted)
            if not state.is_world_process_zero:
                return
            batch = Batch(0, None)
            known = self.batches is not None and 0 < self.done <= len(self.batches)
            if known and self.batches is not None:
                batch = self.batches[self.done - 1]
            norm, loss = logs.get("grad_norm"), logs["loss"]
            step = Step(
                state.global_step,
                batch.batch_id if known else None,
                batch.row_ids,
                # a loss that is nan is logged as one of 0; its gradient is nan as well
                None if norm is not None and not _is_finite(norm) and args.logging_nan_inf_filter else float(loss),
                None if norm is None else float(norm),
                None if logs.get("learning_rate") is None else float(logs["learning_rate"]),
                batch.tokens if batch.tokens is not None else tokens,
            )
            self.file.write(step, lasting=control.should_save)

        def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.is_world_process_zero:
                self.file.settle()  # a checkpoint may follow

        def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.is_world_process_zero:
                self.file.settle()

    return TrainingSignal


def _is_finite(value: float) -> bool:
    return float("-inf") < value < float("inf")


def _batches(args: Any, loader: Any, row_ids: Sequence[str] | None) -> list[Batch] | None:
    """The batches of an epoch of another's trainer, where they can be known for certain.

    Raises:
        TrainingError: names were given, and it is not certain which rows they name.
    """
    reason = _unknown(args, loader)
    if reason is None and row_ids is not None and len(row_ids) != len(loader.dataset):
        reason = f"{len(row_ids):,} names were given and the trainer has {len(loader.dataset):,} rows"
    if reason is not None:
        if row_ids is not None:
            raise TrainingError(
                f"row_ids: {reason}, so it is not certain which rows a step has; expected one name for each row of "
                "the trainer's dataset and args with train_sampling_strategy='sequential', without packing or "
                "shuffling; or leave row_ids out"
            )
        return None
    outer, inner = loader.batch_sampler, _innermost(loader)
    rows, processes = len(loader.dataset), getattr(outer, "num_processes", 1)
    width = inner.batch_size * processes
    found = []
    for k, begin in enumerate(range(0, len(loader), args.gradient_accumulation_steps)):
        first, end = begin * width, min(begin + args.gradient_accumulation_steps, len(loader)) * width
        exact = end <= rows or processes == 1  # else processes that lack rows are given some of the beginning again
        found.append(Batch(k, tuple(row_ids[first:end]) if row_ids is not None and exact else None))
    return found


def _unknown(args: Any, loader: Any) -> str | None:
    """Why the rows of a step cannot be known; None if they can."""
    from torch.utils.data import SequentialSampler

    for name in ("packing", "shuffle_dataset"):
        if getattr(args, name, False):
            return f"args.{name} is on"
    strategy = getattr(args, "train_sampling_strategy", "random")
    if strategy != "sequential":
        return f"train_sampling_strategy is {strategy!r}"
    inner = _innermost(loader)
    if type(getattr(inner, "sampler", None)) is not SequentialSampler or not getattr(inner, "batch_size", None):
        return "the trainer does not read its rows with torch's SequentialSampler"
    outer = loader.batch_sampler
    if (outer is inner and args.world_size > 1) or getattr(outer, "split_batches", False):
        return f"{args.world_size} processes share the rows in a way of their own"
    return None


def _innermost(loader: Any) -> Any:
    """The sampler of batches below what accelerate puts around it."""
    sampler: Any = getattr(loader, "batch_sampler", None)
    while hasattr(sampler, "batch_sampler"):
        sampler = sampler.batch_sampler
    return sampler
