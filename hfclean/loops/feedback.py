"""Feedback: which rows become seeds, and which seeds leave, from what the training of a student showed.

SeDi-Instruct (arXiv 2502.04774) has the batch with the greatest signal, the gradient norm for example, donate
instructions to the seeds every ten iterations, and weak seeds leave. How many are donated, which rows of the batch
they are, and what "weak" means is not in the paper: that is ours, and stands in `Feedback`.

Everything here is a pure function of what it is given, so that the seeds of every round can be worked out again from
the files of a loop, without a teacher and without a student.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.generation.repeats import Known, Novelty

NOT_NEW = "not_new"


@dataclass(frozen=True)
class Feedback:
    """How seeds change.

    Args:
        every: iterations from one change to the next; 10 as in SeDi-Instruct. The rest is not in the paper:
        donated: rows that become seeds at a change, and seeds that leave, at most.
        novelty: a row that repeats a seed becomes none.
        memory: what a seed's credit keeps at a change, 0 to 1; the rest is new. The first one is taken whole.
        least_uses: a seed leaves only after it was used in this many batches.
        least_share: the smallest share of the number of first seeds that stays.
    """

    every: int = 10
    donated: int = 2
    novelty: Novelty = field(default_factory=lambda: Novelty(0.85))
    memory: float = 0.9
    least_uses: int = 3
    least_share: float = 0.5

    def __post_init__(self) -> None:
        for name, least in (("every", 1), ("donated", 0), ("least_uses", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise HfcleanError(f"{name}={value!r}: expected a whole number, at least {least}")
        for name in ("memory", "least_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise HfcleanError(f"{name}={getattr(self, name)!r}: expected a share, 0 to 1")


@dataclass(frozen=True)
class Row:
    """What is known of a row, or of a first seed.

    Attributes:
        task: what it asks for.
        shown: ids of the seeds that the teacher was shown for it.
        refused: why it may not become a seed, empty where it may.
    """

    task: str
    shown: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class Iteration:
    """A step of the optimizer.

    Attributes:
        step: its number in the whole loop, from 1.
        row_ids: the rows of its batch.
        value: its signal over the median of the last 50; nan where there is none, which never wins.
    """

    step: int
    row_ids: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class Standing:
    """A seed in the pool.

    Attributes:
        id: of the row.
        credit: mean signal of the batches with rows that it was shown for, the latest most; None before there is one.
        uses: how many such batches there were.
    """

    id: str
    credit: float | None = None
    uses: int = 0


@dataclass(frozen=True)
class Refused:
    """A row of the winning batch that did not become a seed, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Update:
    """One change of the seeds.

    Attributes:
        step: after which it came.
        won: the step whose batch donated; 0 where no batch had a signal.
        value: its signal.
        donated, left: ids of rows that became seeds, and of seeds that left.
        refused: rows of the batch that are fit for no seed.
    """

    step: int
    won: int
    value: float | None
    donated: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    left: tuple[str, ...] = ()

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Update:
        """An update from what `dataclasses.asdict` gave."""
        lists = {name: tuple(plain[name]) for name in ("donated", "left")}
        return cls(**{**plain, **lists, "refused": tuple(Refused(**each) for each in plain["refused"])})


@dataclass(frozen=True)
class Pool:
    """The seeds between two rounds.

    Attributes:
        seeds: those that are shown to the teacher, in the order in which they came.
        first: how many there were at first.
        gone: ids of those that left; they do not come back.
        pending: iterations since the last change.
    """

    seeds: tuple[Standing, ...]
    first: int
    gone: tuple[str, ...] = ()
    pending: tuple[Iteration, ...] = ()

    @classmethod
    def of(cls, ids: Sequence[str]) -> Pool:
        """The pool of the first seeds."""
        return cls(tuple(map(Standing, ids)), len(ids))

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Pool:
        """A pool from what `plain` gave."""
        return cls(
            tuple(Standing(**each) for each in plain["seeds"]),
            plain["first"],
            tuple(plain["gone"]),
            tuple(_iteration(each) for each in plain["pending"]),
        )

    def plain(self) -> dict[str, Any]:
        """The pool as JSON can hold it; a signal that there is none of is null."""
        found = asdict(self)
        for each in found["pending"]:
            each["value"] = _or_none(each["value"])
        return found


def update_seeds(
    pool: Pool, iterations: Sequence[Iteration], rows: Mapping[str, Row], feedback: Feedback
) -> tuple[Pool, tuple[Update, ...]]:
    """The pool after these iterations, and each change on the way.

    Of every `feedback.every` iterations the one with the greatest signal, the first of equals, donates: its rows that
    may become seeds, the one least like all seeds first (by ROUGE-L), then the one least like those and it, and so on.
    Then the seeds of least credit leave, the oldest of equals first.

    Args:
        pool: the seeds before; its pending iterations come first.
        iterations: in their order.
        rows: by id, those of the iterations and every seed.
        feedback: how seeds change.

    >>> rows = {"s": Row("Name a fruit."), "a": Row("Sing of rain.", ("s",)), "b": Row("Name a fruit!", ("s",))}
    >>> steps = [Iteration(1, ("a", "b"), 1.5), Iteration(2, ("b",), 1.0)]
    >>> pool, updates = update_seeds(Pool.of(["s"]), steps, rows, Feedback(every=2))
    >>> [seed.id for seed in pool.seeds], updates[0].refused
    (['s', 'a'], (Refused(id='b', reason='not_new'),))
    """
    waiting = [*pool.pending, *iterations]
    updates = []
    while len(waiting) >= feedback.every:
        window, waiting = waiting[: feedback.every], waiting[feedback.every :]
        pool, update = _changed(pool, window, rows, feedback)
        updates.append(update)
    return replace(pool, pending=tuple(waiting)), tuple(updates)


def _changed(
    pool: Pool, window: Sequence[Iteration], rows: Mapping[str, Row], feedback: Feedback
) -> tuple[Pool, Update]:
    told = [each for each in window if math.isfinite(each.value)]
    won = max(told, key=lambda each: each.value, default=None)
    update = Update(window[-1].step, won.step if won else 0, won.value if won else None)
    if won:
        donated, refused = _donated(pool, won, rows, feedback)
        update = replace(update, donated=donated, refused=refused)
    standing = [_credited(seed, told, rows, feedback) for seed in pool.seeds]
    standing += [Standing(name) for name in update.donated]
    room = len(standing) - math.ceil(pool.first * feedback.least_share)
    weak = sorted(
        (seed.credit, place)
        for place, seed in enumerate(standing)
        if seed.credit is not None and seed.uses >= feedback.least_uses
    )
    leaving = sorted(place for _, place in weak[: max(0, min(feedback.donated, room))])
    update = replace(update, left=tuple(standing[place].id for place in leaving))
    stays = tuple(seed for place, seed in enumerate(standing) if place not in leaving)
    return replace(pool, seeds=stays, gone=(*pool.gone, *update.left)), update


def _donated(
    pool: Pool, won: Iteration, rows: Mapping[str, Row], feedback: Feedback
) -> tuple[tuple[str, ...], tuple[Refused, ...]]:
    """The rows of a batch that become seeds, farthest first, and those that are refused."""
    ever = {*(seed.id for seed in pool.seeds), *pool.gone}
    left = [name for name in dict.fromkeys(won.row_ids) if name not in ever]
    refused = [Refused(name, rows[name].refused) for name in left if rows[name].refused]
    left = [name for name in left if not rows[name].refused]
    known = Known(feedback.novelty)
    for seed in pool.seeds:
        known.add(seed.id, rows[seed.id].task)
    donated: list[str] = []
    while True:
        nearest = {name: known.nearest(rows[name].task) for name in left}
        refused += [Refused(name, NOT_NEW) for name in left if nearest[name].repeats]
        left = [name for name in left if not nearest[name].repeats]
        if not left or len(donated) == feedback.donated:
            return tuple(donated), tuple(refused)
        farthest = min(left, key=lambda name: nearest[name].rouge_l)
        left.remove(farthest)
        donated.append(farthest)
        known.add(farthest, rows[farthest].task)


def _credited(seed: Standing, told: Sequence[Iteration], rows: Mapping[str, Row], feedback: Feedback) -> Standing:
    """A seed with what the batches of its rows say of it."""
    values = [each.value for each in told if any(seed.id in rows[name].shown for name in each.row_ids)]
    if not values:
        return seed
    mean = math.fsum(values) / len(values)
    kept = feedback.memory
    credit = mean if seed.credit is None else kept * seed.credit + (1 - kept) * mean
    return Standing(seed.id, credit, seed.uses + len(values))


def _iteration(plain: Mapping[str, Any]) -> Iteration:
    value = plain["value"]
    return Iteration(plain["step"], tuple(plain["row_ids"]), math.nan if value is None else value)


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
