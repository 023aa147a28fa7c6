"""What a loop over a student's errors would ask of its teacher, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.generation import estimate_generation
from hfclean.generation.generator import Generator
from hfclean.generation.seeds import read_seeds
from hfclean.loops.error_rounds import MORE
from hfclean.loops.error_words import note_of
from hfclean.loops.student import completion_of
from hfclean.models import Estimate

ADDED = ("requests", "prompt_tokens", "completion_tokens", "cost", "hours")


def estimate_errors(
    generator: Generator,
    seeds: Any,
    rounds: int,
    *,
    wrong: float = 1.0,
    control: bool = False,
    seconds_per_request: float | None = None,
    tokenizer: Callable[[str], Sequence[Any]] | None = None,
) -> Estimate:
    """Estimate what the teacher of `augment_errors` takes: requests, tokens, money, hours. Asks and trains nothing.

    Nobody knows beforehand how many seeds a student will get wrong. By default it is all of them in every round, and
    every row is kept, which is the most; a student's answers are taken to be as long as the seeds'.

    Args:
        generator: how rows are made, as `error_generator` gives it.
        seeds, rounds, control: as `augment_errors` takes them.
        wrong: the share of the seeds that are wrong in a round, above 0, up to 1.
        seconds_per_request, tokenizer: as `hfclean.generation.estimate_generation` takes them.

    Raises:
        HfcleanError: fewer than two rounds, of which the last asks for nothing; or a share out of range.
    """
    if rounds < 2 or not 0 < wrong <= 1:
        raise HfcleanError(
            f"estimate_errors(rounds={rounds}, wrong={wrong}): expected 2 rounds or more, of which the last asks for "
            "nothing, and a share above 0, up to 1"
        )
    read = read_seeds(seeds, generator.columns)
    rows = ceil(len(read.seeds) * wrong) * generator.per_request * (rounds - 1)
    keys = {each.id: completion_of(each, read.view) for each in read.seeds}
    notes = {name: note_of(key, key, wrong=True) for name, key in keys.items()}
    parts = [
        estimate_generation(
            generator,
            read,
            rows,
            new=share,
            each=True,
            notes=notes,
            seconds_per_request=seconds_per_request,
            tokenizer=tokenizer,
        )
        for share in ([1.0, 1 / MORE] if control else [1.0])
    ]
    return replace(parts[0], **{name: sum(getattr(part, name) for part in parts) for name in ADDED})
