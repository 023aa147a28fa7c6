"""What an A/B test found, in words and numbers. No difference is an answer too, and is stated as plainly."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.evaluation.bootstrap import Figure, over_seeds, sign_test
from hfclean.plain_values import to_plain
from hfclean.scorers.comparing import Counts


@dataclass(frozen=True)
class Wins:
    """How a judge compares the answers of a variant's models with those of the first variant's, seed by seed.

    Attributes:
        counts: wins, ties and losses over all seeds.
        by_seed: WR1 = (wins + ties / 2) / all of each seed, nan where nothing was compared.
        flip_rates: of each seed, the share where the two orders gave opposite verdicts.
        unscored: comparisons without a verdict over all seeds, by reason; `no_answer` where a model gave none.
    """

    counts: Counts
    by_seed: tuple[float, ...]
    flip_rates: tuple[float, ...]
    unscored: Mapping[str, int]

    @property
    def win_rate(self) -> Figure:
        """WR1 over the seeds, 0 to 1; 0.5 = as good as the first variant."""
        return over_seeds(self.by_seed)


@dataclass(frozen=True)
class Arm:
    """One variant of an A/B test.

    Attributes:
        name: as given, or `random` or `longest`.
        given: rows that it has, those without a response aside.
        rows: rows that each model was tuned on.
        steps: steps of the optimizer, seed by seed.
        losses: mean loss per token of the held-out completions in nats, seed by seed; lower = better; nan where the
            tuning came to none.
        wins: against the first variant; None for it, and where no judge was given.
    """

    name: str
    given: int
    rows: int
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    wins: Wins | None = None

    @property
    def loss(self) -> Figure:
        """The mean over the seeds with its interval."""
        return over_seeds(self.losses)


@dataclass(frozen=True)
class AbTest:
    """What the same small model makes of several versions of a dataset; see `ab_test`.

    Attributes:
        base_model: what was tuned.
        seeds: of the runs.
        size: rows that every variant but the first was tuned on.
        eval_rows: held-out rows that the loss is of.
        judged_rows: how many of them were answered and judged; 0 without a judge.
        dropped: held-out rows that were left out, by reason: `in_training` (its prompt is among the rows of a
            variant), `no_response`.
        arms: the variants in their order, then the baselines.
        notes: further notes.
        tuned: how many models were tuned now; the others had been before.
    """

    base_model: str
    seeds: tuple[int, ...]
    size: int
    eval_rows: int
    judged_rows: int
    dropped: Mapping[str, int]
    arms: tuple[Arm, ...]
    notes: tuple[str, ...] = ()
    tuned: int = 0

    def of(self, name: str) -> Arm:
        """One variant.

        Raises:
            HfcleanError: there is none of this name.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise HfcleanError(f"no variant {name!r}; expected one of {', '.join(arm.name for arm in self.arms)}")

    def difference(self, name: str, other: str) -> Figure:
        """The loss of one variant less that of another, paired by seed: below 0 = `name` is better."""
        one, two = self.of(name), self.of(other)
        return over_seeds([a - b for a, b in zip(one.losses, two.losses, strict=True)])

    def verdict(self, name: str, other: str) -> str:
        """`better`, `worse` or `no difference` by held-out loss; `not known` with fewer than two seeds.

        Better and worse mean that the 95 % interval of the paired difference excludes 0. Of many comparisons one in
        twenty does so from noise alone.
        """
        difference = self.difference(name, other)
        if math.isnan(difference.low):
            return "not known"
        if not difference.excludes(0.0):
            return "no difference"
        return "better" if difference.value < 0 else "worse"

    def sentences(self) -> list[str]:
        """What it comes to: every given variant beside those before it and the baselines, a sentence each."""
        sentences = []
        given = [arm.name for arm in self.arms if arm.name not in BASELINES]
        for k, name in enumerate(given):
            others = [*given[:k], *(arm.name for arm in self.arms if arm.name in BASELINES and k)]
            for other in others:
                verdict = self.verdict(name, other)
                difference = self.difference(name, other).number(4)
                words = {
                    "better": f"is better than {other}",
                    "worse": f"is worse than {other}",
                    "no difference": f"makes no difference to {other}",
                    "not known": f"beside {other}: not known, since one seed says nothing about chance",
                }[verdict]
                sentences.append(f"{name} {words}: held-out loss {difference}")
        for arm in self.arms:
            if arm.wins is not None:
                sentences.append(f"{arm.name} against {self.arms[0].name}, judged: {_judged(arm.wins)}")
        return sentences

    def table(self) -> list[list[str]]:
        """The figures as rows of cells: a head, then one row per variant."""
        first = self.arms[0]
        head = ["variant", "rows", "steps", "held-out loss", f"less {first.name}"]
        judged = any(arm.wins for arm in self.arms)
        rows = [[*head, "wins (WR1, %)"] if judged else head]
        for arm in self.arms:
            steps = sorted(set(arm.steps))
            cells = [
                arm.name,
                f"{arm.rows:,} of {arm.given:,}",
                f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}",
                arm.loss.number(4),
                "" if arm is first else self.difference(arm.name, first.name).number(4),
            ]
            if judged:
                cells.append("" if arm.wins is None else arm.wins.win_rate.percent())
            rows.append(cells)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON; what is nan is None."""
        arms = []
        for arm in self.arms:
            others = [other.name for other in self.arms if other is not arm]
            data = to_plain(arm)
            if (wins := data.pop("wins")) is not None:
                wins |= {**wins.pop("counts"), "win_rate": to_plain(arm.wins and arm.wins.win_rate)}
            arms.append(
                {
                    **data,
                    "loss": to_plain(arm.loss),
                    "differences": {other: to_plain(self.difference(arm.name, other)) for other in others},
                    "verdicts": {other: self.verdict(arm.name, other) for other in others},
                    "judged": wins,
                }
            )
        return {**to_plain(self), "first": self.arms[0].name, "arms": arms, "sentences": self.sentences()}

    def about(self) -> str:
        """What was done, in a sentence."""
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items())
        return (
            f"{self.base_model} tuned on each with {len(self.seeds)} seeds; loss of {self.eval_rows:,} held-out rows"
            f"{f' (left out: {dropped})' if dropped else ''}, in nats per token, lower = better"
        )

    def __str__(self) -> str:
        table = self.table()
        widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
        lines = [self.about()]
        for row in table:
            lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        lines += self.sentences()
        lines += [f"note: {note}" for note in self.notes]
        lines.append("95 % intervals over seeds (Student's t); differences are paired by seed")
        return "\n".join(lines)


BASELINES = ("random", "longest")


def _judged(wins: Wins) -> str:
    counts, rate = wins.counts, wins.win_rate
    summary = f"{counts.wins:,} wins, {counts.ties:,} ties, {counts.losses:,} losses, WR1 {rate.percent()} %"
    if wins.unscored:
        summary += " (no verdict: " + ", ".join(f"{count:,} {reason}" for reason, count in wins.unscored.items()) + ")"
    if not counts.total:
        return f"nothing was compared; {summary}"
    if math.isnan(rate.low):
        return f"not known with one seed; {summary}"
    if not rate.excludes(0.5) or sign_test(counts.wins, counts.losses) >= 0.05:
        return f"no difference; {summary}"
    return f"{'better' if rate.value > 0.5 else 'worse'}; {summary}"
