"""The result of SeDi-Instruct's loop: rows, seeds, what every round took, and what another gate would have taken."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, TypedDict, Unpack

from hfclean.evaluation.ranking import spearman
from hfclean.generation.rounds import Round, Rounds
from hfclean.generation.saving import save
from hfclean.generation.seeds import MADE_ID, Seed
from hfclean.generation.terms import Terms
from hfclean.loops.feedback import NOT_NEW, Pool, Update
from hfclean.models import Prices
from hfclean.processes import NumProc
from hfclean.report import Report
from hfclean.report.formatting import money
from hfclean.report.tables import table
from hfclean.selection.novelty import novel
from hfclean.text import words
from hfclean.training.signal import Step


class SaveKeywords(TypedDict, total=False):
    """What a saved folder says besides, as `hfclean.generation.save` has it."""

    language: str | list[str] | None
    tokenizer: Any
    max_tokens: int
    num_proc: NumProc


TEACHER = ("round", "seeds", "in", "out", "refused", "kept", "requests", "at 0.7", "cost", "at 0.7 ")
STUDENT = ("round", "steps", "loss", "distance", "shuffled", "signal~length", "signal~loss", "untrained")
STRICTER = 0.7  # the threshold of Self-Instruct, beside which SeDi-Instruct's is cheaper
SIGNALS = {"grad_norm": "the gradient norm", "loss": "the loss", "random": "lot, as a control"}
OURS = (
    "the vectors that are clustered, k-means, and as many clusters as a batch has rows",
    "the size of a batch, and rows of a round",
    "the norm: global L2 of the gradient before it is clipped, over the median of the last 50 steps",
    "how many rows a batch gives to the seeds, and which: those least like the seeds by ROUGE-L, after gate and rules",
    "when a seed is weak: credit is the mean signal of batches with rows that it was shown for, and fades by a tenth",
    "the student: each round goes on from the last one with a new optimizer and a constant learning rate",
)
METHOD = "the loop of SeDi-Instruct (arXiv 2502.04774), research-grade: parts of it are not in the paper"


@dataclass(frozen=True)
class SediRound:
    """One round in figures; nan where something cannot be said.

    Attributes:
        number: from 1.
        seeds_before, seeds_after: how many there were.
        tasks, kept: tasks that the teacher wrote, and rows that became of them.
        requests, cost: what the round took of the teacher; the cost is nan without prices.
        requests_stricter, cost_stricter: the same for as many rows under a gate of ROUGE-L 0.7, if the teacher had
            written the like; inf where that gate would have let none pass.
        clusters: of its rows.
        shuffled, diverse: mean distance of two rows of a batch, 0 to 2, dealt out at random, and as they were trained.
        steps, loss: of the student, and the mean loss of its steps.
        untrained: rows that no step had, such as those that are too long.
        signal_length, signal_loss: rank correlation of the signal of a step with the words of its rows, and with its
            loss, -1 to 1: a signal that only follows length says little.
        donated, left: ids of rows that became seeds, and of seeds that left.
        looked_at: rows of the batches that won.
        refused: reason -> how many of them were not fit.
    """

    number: int
    seeds_before: int
    seeds_after: int
    tasks: int
    kept: int
    requests: int
    cost: float
    requests_stricter: float
    cost_stricter: float
    clusters: int
    shuffled: float
    diverse: float
    steps: int
    loss: float
    untrained: int
    signal_length: float
    signal_loss: float
    donated: tuple[str, ...]
    left: tuple[str, ...]
    looked_at: int
    refused: Mapping[str, int]


@dataclass(frozen=True)
class Sedi:
    """What the loop of SeDi-Instruct gave.

    Attributes:
        generation: its rounds, as `hfclean.generation.Rounds` has them: rows kept and dropped.
        rounds: every round in figures.
        settings: of the loop.
        pool: the seeds at the end.
        student: the folder of the student after the last of these rounds; None where it is gone: a loop keeps the
            newest alone, so fewer rounds than the folder has leave none.
        ended: why there was no further round.
    """

    generation: Rounds
    rounds: tuple[SediRound, ...]
    settings: Mapping[str, Any]
    pool: tuple[Seed, ...]
    student: Path | None
    ended: str

    @property
    def rows(self) -> Any:
        """A `Dataset` of the rows that were made, with their lineage."""
        return self.generation.kept

    @property
    def seeds(self) -> Any:
        """A `Dataset` of the seeds at the end: the columns of their shape, `seed_id`, and `made`, whether a model
        wrote it."""
        from datasets import Dataset

        return Dataset.from_list([{**each.row, "seed_id": each.id, "made": each.made} for each in self.pool])

    def ledger(self) -> list[dict[str, Any]]:
        """Calls, tokens, money, rows kept and dropped by reason, and what became of the seeds: a line for each round,
        and the last for them all, whose `round` is 0."""
        *lines, total = self.generation.ledger()
        for line, told in zip(lines, self.rounds, strict=False):
            line |= {"steps": told.steps, "donated": len(told.donated), "left": len(told.left)}
            line |= {"donors_refused": dict(told.refused)}
        refused: Counter[str] = Counter()
        for told in self.rounds:
            refused.update(told.refused)
        sums = {name: sum(line.get(name, 0) for line in lines) for name in ("steps", "donated", "left")}
        return [*lines, {**total, **sums, "donors_refused": dict(sorted(refused.items()))}]

    def save(
        self,
        out: str | Path,
        *,
        terms: Terms | None = None,
        seeds: str = "",
        seeds_is_hub: bool = False,
        overwrite: bool = False,
        **settings: Unpack[SaveKeywords],
    ) -> Report:
        """Write the rows as `hfclean.generation.save` does: a folder that `load_dataset` reads and `hfclean push`
        takes. Its card names the method, says that it is research-grade, and lists what was chosen here.

        Args:
            out, terms, seeds, seeds_is_hub, overwrite: as for `hfclean.generation.save`.
            settings: `language`, `tokenizer`, `max_tokens` and `num_proc`, likewise.

        Raises:
            FolderError: the folder exists and `overwrite` is off, or hfclean did not write it.
        """
        signal = f"seeds were chosen by {SIGNALS[str(self.settings['signal'])]}"
        return save(
            self.generation,
            out,
            terms=terms,
            seeds=seeds,
            seeds_is_hub=seeds_is_hub,
            method=f"{METHOD}; {signal}",
            choices=OURS,
            overwrite=overwrite,
            **settings,
        )

    def report(self, width: int | None = None) -> str:
        """The figures for people.

        Args:
            width: the number of characters that a line may have; no limit by default.
        """
        currency = str(self.generation.ledger()[-1]["currency"])
        lines = [TEACHER, *(_line(each, currency) for each in self.rounds)]
        more = [STUDENT, *(_figures(each) for each in self.rounds)]
        looked, refused = sum(each.looked_at for each in self.rounds), Counter[str]()
        for each in self.rounds:
            refused.update(each.refused)
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(refused.items()))
        share = f" ({refused.total() / looked:.0%})" if looked else ""
        vectors = self.settings["embed"]
        notes = [
            f"signal: {self.settings['signal']}; of {looked:,} rows in batches that won {refused.total():,}{share} "
            f"were not fit for it{f': {reasons}' if reasons else ''}",
            "at 0.7: what as many rows would have taken under Self-Instruct's gate, had the teacher written the like",
            "distance: of two rows of a batch, beside batches that are shuffled; "
            + ("of the words of prompts, no embedding was given" if vectors == "word_counts" else f"by {vectors}"),
            "signal~length, signal~loss: rank correlations; a signal that only follows length says little",
            f"ended: {self.ended}",
            "research-grade: not in the paper, and chosen here, are " + "; ".join(OURS),
        ]
        return "\n\n".join([table(lines, width=width), table(more, width=width), "\n".join(notes)])


def round_of(
    rounds: Rounds,
    made: Round,
    batches: Mapping[str, Any],
    steps: Sequence[Step],
    values: Sequence[float],
    updates: Sequence[Update],
    seeds: Mapping[str, Seed],
    pools: tuple[Pool, Pool],
) -> SediRound:
    """The figures of a round that was just taken.

    Args:
        batches: of the round, as they are kept; empty where there was none.
        values: the signal of each step.
        seeds: every first seed and every row so far.
        pools: before and after.
    """
    usage, prices = made.about["usage"], rounds.generator.spec.prices
    more = _stricter(rounds, seeds)
    requests, cost = usage["requests"], usage["cost"]
    for_tasks = requests.get("tasks", 0)
    lengths = [
        fmean(len(words(f"{seeds[name].pair.prompt}\n{seeds[name].pair.response}")) for name in step.row_ids or ("",))
        for step in steps
    ]
    losses = [math.nan if step.loss is None else step.loss for step in steps]
    trained = {name for step in steps for name in step.row_ids or ()}
    sizes = {step.step: len(step.row_ids or ()) for step in steps}
    refused = Counter(each.reason for update in updates for each in update.refused)
    known = [loss for loss in losses if math.isfinite(loss)]
    return SediRound(
        number=made.number,
        seeds_before=len(pools[0].seeds),
        seeds_after=len(pools[1].seeds),
        tasks=made.about["tasks"],
        kept=len(made.kept),
        requests=sum(requests.values()),
        cost=math.nan if cost is None else cost,
        requests_stricter=sum(requests.values()) + for_tasks * (more - 1),
        cost_stricter=math.nan if cost is None else cost + _cost_of_tasks(usage, prices) * (more - 1),
        clusters=batches.get("clusters", 0),
        shuffled=_number(batches.get("shuffled")),
        diverse=_number(batches.get("diverse")),
        steps=len(steps),
        loss=fmean(known) if known else math.nan,
        untrained=len(made.kept) - len(trained),
        signal_length=_correlation(values, lengths),
        signal_loss=_correlation(values, losses),
        donated=tuple(name for update in updates for name in update.donated),
        left=tuple(name for update in updates for name in update.left),
        looked_at=sum(sizes.get(update.won, len(update.donated) + len(update.refused)) for update in updates),
        refused=dict(sorted(refused.items())),
    )


def first_seeds(rows: Any) -> list[list[str]]:
    """The first seeds that each made row goes back to, through all rows between.

    Args:
        rows: a `Dataset` with the columns `made_id`, `seed_ids` and `parent_ids`, as generations and loops make it.
            Parents that are not among the rows lead nowhere.

    Returns:
        for each row the ids of seeds, sorted.

    >>> from datasets import Dataset
    >>> made = {"made_id": ["a", "b"], "seed_ids": [["s"], ["t"]], "parent_ids": [[], ["a"]]}
    >>> first_seeds(Dataset.from_dict(made))
    [['s'], ['s', 't']]
    """
    lines = list(rows.select_columns([MADE_ID, "seed_ids", "parent_ids"]).with_format(None))
    found = {row[MADE_ID]: set(row["seed_ids"]) for row in lines}
    above = {row[MADE_ID]: [name for name in row["parent_ids"] if name in found] for row in lines}
    size = -1
    while size < (size := sum(map(len, found.values()))):  # parents may stand behind their rows
        for name, parents in above.items():
            found[name].update(*(found[parent] for parent in parents))
    return [sorted(found[row[MADE_ID]]) for row in lines]


def _stricter(rounds: Rounds, seeds: Mapping[str, Seed]) -> float:
    """How many times the tasks of the last round would have been needed under the stricter gate: of the tasks that
    came to the gate in it, those kept over those that the other gate had let pass in a generation of its own."""
    made_ids = {name for done in rounds.done for name in done.kept["made_id"]}
    tasks = [seed.task for name, seed in seeds.items() if name not in made_ids]
    begin, kept = 0, 0
    for done in rounds.done:
        begin, kept = len(tasks), len(done.kept)
        tasks += [seeds[name].task for name in done.kept["made_id"] if name in seeds]
        reasons = done.dropped["reason"][:]
        tasks += [task for task, why in zip(done.dropped["task"][:], reasons, strict=True) if why == NOT_NEW]
    passed = sum(place >= begin for place in novel(tasks, threshold=STRICTER).kept)
    return kept / passed if passed else math.inf


def _cost_of_tasks(usage: Mapping[str, Any], prices: Prices | None) -> float:
    return prices.cost(usage["read"].get("tasks", 0), usage["written"].get("tasks", 0)) if prices else math.nan


def _correlation(values: Sequence[float], others: Sequence[float]) -> float:
    both = [(a, b) for a, b in zip(values, others, strict=True) if math.isfinite(a) and math.isfinite(b)]
    return spearman([a for a, _ in both], [b for _, b in both]) if len(both) > 1 else math.nan


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _line(told: SediRound, currency: str) -> tuple[str, ...]:
    return (
        str(told.number),
        f"{told.seeds_before:,}",
        f"{len(told.donated):,}",
        f"{len(told.left):,}",
        f"{sum(told.refused.values()):,}",
        f"{told.kept:,} of {told.tasks:,}" + (f" ({told.kept / told.tasks:.0%})" if told.tasks else ""),
        f"{told.requests:,}",
        f"{told.requests_stricter:,.0f}" if math.isfinite(told.requests_stricter) else "-",
        money(told.cost, currency) if math.isfinite(told.cost) else "",
        money(told.cost_stricter, currency) if math.isfinite(told.cost_stricter) else "",
    )


def _figures(told: SediRound) -> tuple[str, ...]:
    return (
        str(told.number),
        f"{told.steps:,}",
        *(_shown(each) for each in (told.loss, told.diverse, told.shuffled, told.signal_length, told.signal_loss)),
        f"{told.untrained:,}",
    )


def _shown(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"
