"""What a generation would take, before it is paid for: from the seeds alone, or from a few rows that were made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from types import MappingProxyType
from typing import Any

from hfclean.generation.generating import next_round, run
from hfclean.generation.generator import Generator
from hfclean.generation.making import make_round
from hfclean.generation.repeats import Novelty
from hfclean.generation.rounds import Rounds
from hfclean.generation.seeds import Seeds, read_seeds
from hfclean.models import Asking, Estimate, estimate
from hfclean.models.counting import TokenCount, Tokenizer
from hfclean.models.work import pretend
from hfclean.plain_values import to_plain

SAMPLE = 50  # rows for which requests are made up
ASSUMED = "as long as the seeds"


@dataclass(frozen=True)
class GenerationPreview:
    """A few rows, and what all would take.

    Attributes:
        kept, dropped: as `Rounds` has them.
        ledger: what these rows took, as the last line of `Rounds.ledger`.
        rows_total: rows of the whole generation.
        estimate: what they would take, judged by these: as much for each row.
    """

    kept: Any
    dropped: Any
    ledger: dict[str, Any]
    rows_total: int
    estimate: Estimate

    def to_dict(self) -> dict[str, Any]:
        """The preview as JSON can hold it; what is not known is null."""
        rows = {"rows": self.kept.to_list(), "dropped": self.dropped.to_list()}
        return {**rows, "ledger": self.ledger, "rows_total": self.rows_total, "estimate": to_plain(self.estimate)}


def estimate_generation(
    generator: Generator,
    seeds: Any,
    n: int,
    *,
    new: float = 1.0,
    kept: float = 1.0,
    each: bool = False,
    notes: Mapping[str, str] = MappingProxyType({}),
    seconds_per_request: float | None = None,
    tokenizer: Tokenizer | None = None,
) -> Estimate:
    """Estimate what `n` rows take: requests, tokens, money, hours. Asks nothing.

    Nobody knows beforehand how many tasks will be new and how long answers are: by default all are new, every row is
    kept, and answers are as long as those of the seeds. A preview shows the true figures.

    Args:
        generator: how rows are made.
        seeds: as `generate` takes them.
        n: how many rows.
        new: the share of tasks that are new, above 0, up to 1.
        kept: the share of the rows for new tasks that are kept, above 0, up to 1.
        each, notes: as `Rounds.generate_round` takes them.
        seconds_per_request: how long one answer takes, if known; for the hours.
        tokenizer: as `hfclean.models.estimate` takes it; without it four bytes count as one.
    """
    read = seeds if isinstance(seeds, Seeds) else read_seeds(seeds, generator.columns)
    # without gate and filters the guesses, which are the seeds' own, go all the way
    open_gate = replace(generator, filters=(), novelty=Novelty(None))
    rounds = Rounds(open_gate)
    per_request = generator.per_request * generator.examples
    some = min(n, SAMPLE)
    sample = pretend(
        make_round(open_gate, rounds.pool(read), 1, some, ceil(some / per_request), each=each, notes=notes)
    )
    requests = _planned(generator, n, new, kept)
    count = TokenCount(tokenizer)
    parts = []
    for stage, of_stage in _by_stage(sample, generator):
        conversations = [each for asking in of_stage for each in asking.conversations]
        guesses = [count.text(text) for asking in of_stage for text in asking.guesses]
        parts.append(
            estimate(
                conversations,
                of_stage[0].generation,
                requests=requests[stage],
                prices=generator.spec.prices,
                completion_tokens=sum(guesses) / len(guesses),
                seconds_per_request=seconds_per_request,
                limits=generator.spec.limits,
                tokenizer=tokenizer,
            )
        )
    return replace(
        parts[0],
        completion_basis=ASSUMED,
        **{name: sum(getattr(part, name) for part in parts) for name in ("cost", "hours")},
        **{name: sum(getattr(part, name) for part in parts) for name in ("requests", "prompt_tokens")},
        completion_tokens=sum(part.completion_tokens for part in parts),
    )


def _planned(generator: Generator, n: int, new: float, kept: float) -> dict[str, int]:
    """The requests of each stage that `n` rows take, if these shares of tasks are new and of rows kept."""
    done = tasks = counted = answered = 0
    while done < n:
        share = done / (counted * generator.examples) if counted else 0.0
        rows, requests = next_round(generator, n - done, share, first=not tasks)
        found = math.floor(requests * generator.per_request * new)
        asked = min(found, ceil(rows / (generator.examples * kept)))
        got = min(rows, math.floor(asked * generator.examples * kept))
        if not got:
            break
        done, tasks, answered = done + got, tasks + requests, answered + asked
        counted += requests * generator.per_request - (found - asked)
    return {"tasks": tasks, "kinds": answered if generator.prompts.classify else 0, "rows": answered}


def _by_stage(sample: Sequence[Asking], generator: Generator) -> list[tuple[str, list[Asking]]]:
    """What would be asked, by stage; the first is for tasks."""
    stages: dict[str, list[Asking]] = {"tasks": [], "kinds": [], "rows": []}
    for k, asking in enumerate(sample):
        kinds = generator.prompts.classify and k and asking.guesses[0] == "no"
        stages["tasks" if k == 0 else "kinds" if kinds else "rows"].append(asking)
    return [(stage, of_stage) for stage, of_stage in stages.items() if of_stage]


def preview_generation(
    generator: Generator, seeds: Any, rows: int, n: int, *, against: Any = (), show: bool = True
) -> GenerationPreview:
    """Make a few rows, and estimate what `n` would take. Their answers are kept: the run that follows begins with the
    same requests.

    Raises:
        HfcleanError: no row was kept; the message says why.
        BackendError: the teacher cannot be asked at all.
    """
    rounds = Rounds(generator, against=against)
    run(rounds, seeds, rows, show=show)
    total = rounds.ledger()[-1]
    return GenerationPreview(rounds.kept, rounds.dropped, total, n, _judged_by(total, generator, n))


def _judged_by(total: Mapping[str, Any], generator: Generator, n: int) -> Estimate:
    """What `n` rows would take, if shares and lengths are those of a few."""
    asked, spec = total["requests"], generator.spec
    kept = total["kept"] / (asked["rows"] * generator.examples)
    requests = _planned(generator, n, total["new"] / total["tasks"], kept)
    tokens = {
        name: round(sum(total[name].get(stage, 0) * requests[stage] / asked[stage] for stage in asked))
        for name in ("read", "written")
    }
    cost = spec.prices.cost(tokens["read"], tokens["written"]) if spec.prices else math.nan
    return Estimate(
        requests=sum(requests.values()),
        prompt_tokens=tokens["read"],
        completion_tokens=tokens["written"],
        cost=cost,
        currency=spec.prices.currency if spec.prices else "",
        hours=math.nan,
        prompt_basis="4 bytes a token" if total["estimated"] else "server",
        completion_basis="answers",
    )
