"""Batches that the caller chose: one list of rows is one step of the optimizer, in their order, in every epoch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from numbers import Integral
from typing import Any

from hfclean.errors import TrainingError
from hfclean.training.recording import Batch
from hfclean.training.signal import shown
from hfclean.training.tokens import Encoded

# args that would take other rows into a step than the batch has, or cannot be taken apart again
UNTRUE = {
    "packing": False,
    "padding_free": False,
    "shuffle_dataset": False,
    "gradient_accumulation_steps": 1,
    "auto_find_batch_size": False,
    "ignore_data_skip": False,
}


@dataclass(frozen=True)
class Batching:
    """The batches of an epoch.

    Attributes:
        places: of the rows of each batch among those that fit; batches of which no row fits are left out.
        named: the same batches as the signal tells of them, numbered as they were given.
        left_out: how many batches have no row that fits.
    """

    places: tuple[tuple[int, ...], ...]
    named: tuple[Batch, ...]
    left_out: int

    @property
    def tokens(self) -> int:
        """Of prompts and completions, in one epoch."""
        return sum(batch.tokens or 0 for batch in self.named)

    @property
    def digest(self) -> str:
        """Of the batches, to tell whether a run goes on with the same."""
        return blake2b(
            repr((self.places, [batch.batch_id for batch in self.named])).encode(), digest_size=16
        ).hexdigest()


def check_batches(batches: Iterable[Iterable[int]], rows: int) -> list[list[int]]:
    """The batches as lists.

    Raises:
        TrainingError: there are none, one is empty, or an index lies outside of the rows.
    """
    if not _is_list(batches):
        raise TrainingError(f"batches={shown(batches)}; expected lists of indices of the rows")
    found: list[list[int]] = []
    for number, batch in enumerate(batches):
        if not _is_list(batch):
            raise TrainingError(f"batches[{number}] is {shown(batch)}; expected a list of indices of the rows")
        indices = list(batch)
        if not indices:
            raise TrainingError(f"batches[{number}] is empty; expected one index at least: leave it out")
        for index in indices:
            if isinstance(index, bool) or not isinstance(index, Integral) or not 0 <= index < rows:
                raise TrainingError(
                    f"batches[{number}] has {shown(index)}; expected indices of the {rows:,} rows, 0 to {rows - 1}"
                )
        found.append([int(index) for index in indices])
    if not found:
        raise TrainingError("batches is empty; expected one list of indices for every step of an epoch")
    return found


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def batching(batches: Sequence[Sequence[int]], encoded: Encoded, names: Sequence[str]) -> Batching:
    """The batches of the rows that fit.

    Raises:
        TrainingError: no row of any batch fits.
    """
    place_of = {index: place for place, index in enumerate(encoded.places)}
    places, named = [], []
    for number, batch in enumerate(batches):
        fit = [index for index in batch if index in place_of]
        if not fit:
            continue
        places.append(tuple(place_of[index] for index in fit))
        tokens = sum(len(encoded.rows[place]["input_ids"]) for place in places[-1])
        named.append(Batch(number, tuple(names[index] for index in fit), tokens))
    if not places:
        raise TrainingError(
            f"batches: none of their rows can be trained on ({len(encoded.rows):,} rows that fit are in no batch); "
            "give shorter rows or other batches"
        )
    return Batching(tuple(places), tuple(named), len(batches) - len(places))


def check_args(config: Any) -> None:
    """See that batches come as they are.

    Raises:
        TrainingError: several processes, or a setting that would change them.
    """
    if config.world_size > 1:
        raise TrainingError(
            f"batches= is for one process, and {config.world_size} were started; start one (without accelerate launch "
            "or torchrun), or leave batches= out"
        )
    if (strategy := getattr(config, "train_sampling_strategy", "random")) not in ("random", "sequential"):
        raise TrainingError(
            f"train_sampling_strategy={strategy!r} does not go with batches=, which come in their own order; leave "
            "one of the two out"
        )
    for name, expected in UNTRUE.items():
        if (value := getattr(config, name, expected)) != expected:
            size = "; per_device_train_batch_size says how many rows of a batch go through the model at once"
            raise TrainingError(
                f"{name}={value!r} does not go with batches=, of which each is one step; leave it at {expected!r}, or "
                f"leave batches= out{size if name == 'gradient_accumulation_steps' else ''}"
            )


def settle_size(config: Any, args: Any, plan: Batching) -> None:
    """Have whole batches go through the model at once, where `args` does not say how many rows do."""
    if args is None or (isinstance(args, Mapping) and "per_device_train_batch_size" not in args):
        config.per_device_train_batch_size = max(map(len, plan.places))
