"""Does cleaning help? The same small model is tuned on several versions of the data, and on random and longest rows.

A small model on a few rows is a cheap question with a rough answer: it says whether there is a difference at this
size, not how large it would be at another. Nothing is written to the rows.
"""

import hashlib
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hfclean.errors import HfcleanError
from hfclean.evaluation.ab_report import BASELINES, AbTest, Arm, Wins
from hfclean.evaluation.ab_runs import Recipe, Run, conversation, prompt_key, tuned_run, tuning_row
from hfclean.evaluation.ranking import pairs_of
from hfclean.layout import Layout
from hfclean.models import Answer, Generation, ModelSpec, ask
from hfclean.models.local import forget
from hfclean.schema import Columns, Pair
from hfclean.scorers.comparing import Counts, Verdict, Verdicts, judge_pairs
from hfclean.scorers.judge import Judge

__all__ = ["AbTest", "ab_test"]

STORE = "answers.sqlite3"

_Store = str | Literal[False]


def ab_test(
    variants: Mapping[str, Any],
    base_model: str,
    eval_set: Any,
    *,
    seeds: int | Sequence[int] = 3,
    size: int | None = None,
    baselines: Sequence[str] = BASELINES,
    judge: Judge | None = None,
    judged_rows: int = 100,
    max_new_tokens: int = 256,
    args: Any = None,
    peft_config: Any = None,
    folder: str | Path | None = None,
    columns: Columns = None,
    show: bool = False,
) -> AbTest:
    """Tune the same small model on several versions of a dataset, and say which makes it better, if any does.

    The first variant is the original and is tuned on whole. All others are tuned on the same number of rows, `size`,
    and so are two baselines drawn from the original: as many random rows (others for every seed), and the ones with
    the longest responses, which are hard to beat (arXiv 2402.04833). A baseline of as many rows as the original has
    would be the original, and is left out: say `size` where cleaning removed nothing. With more rows, the
    original also gets more steps, unless `args` states `max_steps`.

    Every model is measured by its loss on held-out responses, and if a judge is given by what it makes of the answers
    beside those of the original's model, in both orders. Intervals are over seeds, and differences are paired by seed:
    three are few, and what is called a difference has to be larger than what chance does between seeds. Held-out loss
    favours data that reads like the held-out rows: take those from neither version, or from experts.

    Args:
        variants: name -> rows: a `Dataset` or list of rows of any known shape; the original first. Names `random` and
            `longest` are those of the baselines, and may be given as custom rows.
        base_model: a folder or Hub id of a causal language model that runs here.
        eval_set: held-out rows of any known shape. Those whose prompt is among the rows of a variant are dropped and
            counted.
        seeds: how many seeds, from 0; or the seeds.
        size: rows per variant; by default as many as the smallest has. Of a larger one, a random part by seed.
        baselines: of `random` and `longest`.
        judge: whom to ask about answers, see `hfclean.Judge`.
        judged_rows: how many held-out rows are answered and judged for each model, the first ones.
        max_new_tokens: of each answer.
        args: settings of the trainer, an `SFTConfig` or a mapping; see `hfclean.training.tuning.tune`.
        peft_config: of an adapter; full tuning by default.
        folder: keeps the tuned models. The same test run again with it continues where it stopped, and tunes nothing
            twice. Without one the models are gone afterwards.
        columns: which columns of all rows hold what, as in a transform.
        show: a progress bar.

    Raises:
        HfcleanError: nothing to compare, a variant with fewer rows than `size`, no held-out rows left.
        SchemaError: rows of no known shape.
        BackendError: base model or judge cannot be asked at all.
    """
    from tqdm.auto import tqdm

    layout = Layout(columns)
    pool = _arms(variants, layout)
    first = next(iter(pool))
    few = min(len(pairs) for pairs in pool.values()) if size is None else size
    for name, pairs in pool.items():
        if not 0 < few <= len(pairs):
            raise HfcleanError(
                f"size={few:,}: variant {name!r} has {len(pairs):,} rows with a response; expected at least one, and "
                "no more than the smallest variant has"
            )
    plan, notes = _plan(pool, few, baselines)
    if len(plan) < 2:
        raise HfcleanError(
            f"only {first!r} is left to tune on, and there is nothing to compare it with ({'; '.join(notes)}); give "
            f"another variant, or size= below its {len(pool[first]):,} rows"
        )
    heldout, dropped = _held_out(eval_set, pool, layout)
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))
    if not numbers:
        raise HfcleanError(f"seeds={seeds}: expected at least one, and three or more for an interval")
    if len(numbers) == 1:
        notes.append("one seed: nothing can be said about chance; expected three or more")
    if judge is not None:
        judge.check_access()  # before hours of tuning, not after
    if args is None or isinstance(args, Mapping):
        args = {"disable_tqdm": True, **(args or {})}  # one bar over all models, and none for each
    recipe = Recipe(base_model, args, peft_config, [tuning_row(pair) for pair in heldout])
    asked = heldout[:judged_rows] if judge is not None else []
    with ExitStack() as stack:
        if folder is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hfclean-ab-")))
        else:
            place = Path(folder).expanduser()
        bar = stack.enter_context(
            tqdm(total=len(plan) * len(numbers), desc="tuning", unit=" models", disable=not show, dynamic_ncols=True)
        )
        tuned: dict[str, list[Run]] = {kind.name: [] for kind in plan}
        for seed in numbers:  # seed by seed: what has finished after an hour can already be compared
            for kind in plan:
                rows = [tuning_row(pair) for pair in kind.rows(seed)]
                tuned[kind.name].append(tuned_run(place, kind.name, rows, recipe, seed))
                bar.update(1)
        store: _Store = False if folder is None else str(place / STORE)
        wins = {} if judge is None or not asked else _wins(tuned, asked, judge, max_new_tokens, store)
    notes += _sizes(plan) + _left_out(tuned)
    base = Path(base_model).expanduser()
    return AbTest(
        base_model=base.name if base.is_dir() else base_model,
        seeds=numbers,
        size=few,
        eval_rows=len(heldout),
        judged_rows=len(asked),
        dropped=dropped,
        arms=tuple(
            Arm(
                kind.name,
                len(kind.pairs),
                tuned[kind.name][0].rows,
                tuple(run.steps for run in tuned[kind.name]),
                tuple(run.loss for run in tuned[kind.name]),
                wins.get(kind.name),
            )
            for kind in plan
        ),
        notes=tuple(notes),
        tuned=sum(run.fresh for runs in tuned.values() for run in runs),
    )


@dataclass(frozen=True)
class _Kind:
    """A variant or a baseline: the rows that it is drawn from, and how."""

    name: str
    pairs: Sequence[Pair]
    size: int
    way: Literal["whole", "random", "longest"]

    def rows(self, seed: int) -> list[Pair]:
        """The rows of a seed, in the order of the dataset."""
        if self.way == "whole" or self.size == len(self.pairs):
            return list(self.pairs)
        if self.way == "longest":
            ranked = sorted(range(len(self.pairs)), key=lambda k: (-len(self.pairs[k].response), k))
            return [self.pairs[k] for k in sorted(ranked[: self.size])]
        digest = hashlib.blake2b(f"{seed}\0{self.name}".encode(), digest_size=8).digest()
        chance = random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - no secret
        return [self.pairs[k] for k in sorted(chance.sample(range(len(self.pairs)), self.size))]


def _arms(variants: Mapping[str, Any], layout: Layout) -> dict[str, list[Pair]]:
    """The rows of every variant that have a response."""
    if not isinstance(variants, Mapping) or not variants:
        raise HfcleanError("ab_test got no variants; expected {'original': raw, 'cleaned': cleaned}, original first")
    arms = {}
    for name, rows in variants.items():
        arms[str(name)] = [pair for pair in pairs_of(rows, layout) if pair.response.strip()]
        if not arms[str(name)]:
            raise HfcleanError(f"variant {name!r} has no row with a response; there is nothing to tune on")
    return arms


def _plan(pool: Mapping[str, list[Pair]], size: int, baselines: Sequence[str]) -> tuple[list[_Kind], list[str]]:
    odd = [name for name in baselines if name not in BASELINES]
    if odd:
        raise HfcleanError(
            f"baselines={list(baselines)}: no baseline {odd[0]!r}; expected some of {', '.join(BASELINES)}"
        )
    (first, rows), *others = pool.items()
    plan = [_Kind(first, rows, len(rows), "whole")]
    plan += [_Kind(name, pairs, size, "random") for name, pairs in others]
    wanted = [name for name in baselines if name not in pool]
    if size == len(rows) and wanted:
        return plan, [f"no {' or '.join(wanted)} rows: {size:,} of {size:,} would be {first} itself"]
    return [*plan, *(_Kind(name, rows, size, name) for name in wanted)], []  # type: ignore[arg-type]


def _sizes(plan: Sequence[_Kind]) -> list[str]:
    first, *others = plan
    datasets = [
        f"{kind.name} has {len(kind.pairs):,} rows, of which {kind.size:,} random ones were taken for each seed"
        for kind in others
        if kind.way == "random" and kind.name not in BASELINES and kind.size < len(kind.pairs)
    ]
    if first.size > others[0].size:
        datasets.append(f"{first.name} was tuned on all of its {first.size:,} rows, the others on {others[0].size:,}")
    return datasets


def _left_out(tuned: Mapping[str, Sequence[Run]]) -> list[str]:
    """What could not be tuned on, or measured, and why."""
    unmeasured = next(iter(tuned.values()))[0].unmeasured
    return [
        *(
            f"{name}: {count:,} rows were not tuned on: {reason}"
            for name, runs in tuned.items()
            for reason, count in sorted(runs[0].left_out.items())
        ),
        *(f"{count:,} held-out rows were not measured: {reason}" for reason, count in sorted(unmeasured.items())),
    ]


def _held_out(eval_set: Any, pool: Mapping[str, Iterable[Pair]], layout: Layout) -> tuple[list[Pair], dict[str, int]]:
    """The held-out rows that say something, and how many do not, by reason."""
    known = {prompt_key(pair) for pairs in pool.values() for pair in pairs}
    given = pairs_of(eval_set, layout)
    reasons = Counter(
        "no_response" if not pair.response.strip() else "in_training" if prompt_key(pair) in known else ""
        for pair in given
    )
    kept = [pair for pair in given if pair.response.strip() and prompt_key(pair) not in known]
    dropped = {reason: count for reason, count in sorted(reasons.items()) if reason}
    if not kept:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items()) or "there were none"
        raise HfcleanError(f"no held-out row is left to measure on ({listed}); expected rows that are in no variant")
    return kept, dropped


def _wins(
    tuned: Mapping[str, Sequence[Run]], asked: Sequence[Pair], judge: Judge, max_new_tokens: int, store: _Store
) -> dict[str, Wins]:
    """What the judge says of every variant's answers beside the first one's, seed by seed."""
    first, *others = tuned
    verdicts_of: dict[str, list[Verdicts]] = {name: [] for name in others}
    for seed in range(len(tuned[first])):
        base = _answers(tuned[first][seed], asked, max_new_tokens, store)
        for name in others:
            ours = _answers(tuned[name][seed], asked, max_new_tokens, store)
            verdicts_of[name].append(_compared(judge, asked, ours, base))
    return {name: _summed(verdicts) for name, verdicts in verdicts_of.items()}


def _answers(run: Run, asked: Sequence[Pair], max_new_tokens: int, store: _Store) -> list[Answer]:
    spec = ModelSpec(str(run.folder), store=store)
    try:
        return ask(spec, [conversation(pair) for pair in asked], Generation(max_new_tokens=max_new_tokens))
    finally:
        forget(spec)


def _compared(judge: Judge, asked: Sequence[Pair], ours: Sequence[Answer], base: Sequence[Answer]) -> Verdicts:
    """Verdicts on answers that both came; an answer that was cut off is judged as far as it goes."""
    both = [k for k, (a, b) in enumerate(zip(ours, base, strict=True)) if not (a.error or b.error)]
    one, two = ([replace(asked[k], response=side[k].text.strip()) for k in both] for side in (ours, base))
    judged = iter(judge_pairs(judge, one, two).each)
    there = set(both)
    return Verdicts(tuple(next(judged) if k in there else Verdict("", reason="no_answer") for k in range(len(asked))))


def _summed(verdicts: Sequence[Verdicts]) -> Wins:
    counts = [each.first for each in verdicts]
    unscored = sum((Counter(each.unscored) for each in verdicts), Counter[str]())
    return Wins(
        Counts(sum(c.wins for c in counts), sum(c.ties for c in counts), sum(c.losses for c in counts)),
        tuple(c.win_rate for c in counts),
        tuple(each.flip_rate for each in verdicts),
        dict(sorted(unscored.items())),
    )
