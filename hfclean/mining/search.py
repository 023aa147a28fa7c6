"""The size search: how many rows of a ranking to keep, as a whole curve with its noise, not as one lucky number."""

import math
import random
import statistics
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hfclean.errors import HfcleanError, require
from hfclean.layout import Layout
from hfclean.mining.curve import draw_curve
from hfclean.mining.examples import Overlap, overlapping, text_digest
from hfclean.mining.experiments import (
    Measure,
    examples,
    model_identity,
    outcome,
    training_facts,
    tuned_loss,
    without_overlap,
)
from hfclean.mining.runs import Runs, digest
from hfclean.schema import Columns
from hfclean.selection.rows import check_count, check_dataset

FLAML_NOTE = r"flaml\.automl is not available"
REPEATED = 5  # suggestions in a row that are not a new size: the search has nothing left to ask


@dataclass(frozen=True)
class SizePoint:
    """The losses of models that were tuned on this number of rows.

    Attributes:
        rows: how many.
        losses: one per repeat; nan where one diverged.
    """

    rows: int
    losses: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the losses; nan where one of them is."""
        return statistics.fmean(self.losses) if self.losses else math.nan

    @property
    def standard_error(self) -> float:
        """Of the mean; nan with a single repeat."""
        known = [loss for loss in self.losses if loss == loss]
        return statistics.stdev(known) / math.sqrt(len(known)) if len(known) > 1 else math.nan


@dataclass(frozen=True)
class SizeSearch:
    """The whole curve, and what the final set says of its lowest point.

    Attributes:
        points: in rising order of rows, on the search set.
        final: name -> point on the final set, which the search never saw: `best`, and `random`, as many random rows
            (another draw in every repeat). Empty where no final set was given.
        overlap: rows of the pool that an evaluation set has too; none of them was trained on.
        method, seed: as they were asked for.
    """

    points: tuple[SizePoint, ...]
    final: Mapping[str, SizePoint]
    overlap: int
    method: str
    seed: int

    @property
    def best(self) -> SizePoint | None:
        """The point with the lowest mean loss, of equals that with the fewest rows; None where every loss is nan."""
        known = [point for point in self.points if point.mean == point.mean]
        return min(known, key=lambda point: (point.mean, point.rows), default=None)

    @property
    def noise(self) -> float:
        """The standard error of a point's mean, pooled over all points; nan where no size was tuned on twice."""
        errors = [point.standard_error for point in self.points if point.standard_error == point.standard_error]
        return math.sqrt(statistics.fmean(error**2 for error in errors)) if errors else math.nan

    @property
    def moves(self) -> tuple[str, ...] | None:
        """What the curve does from few rows to many, as far as it is more than noise: `falls` and `rises` in turn.

        A move counts when chance makes one as large, between any two of the points, in one search of twenty at most
        (Bonferroni's bound, with the pooled standard error). None with one repeat, which does not show what is noise.
        """
        if math.isnan(self.noise):
            return None
        means = [point.mean for point in self.points if point.mean == point.mean]
        pairs = max(1, len(means) * (len(means) - 1) // 2)
        errors = statistics.NormalDist().inv_cdf(1 - 0.05 / 2 / pairs)
        return _moves(means, errors * math.sqrt(2) * self.noise)

    @property
    def double_descent(self) -> bool | None:
        """Whether the loss falls, rises and falls again by more than noise; None where that is not known."""
        if (moves := self.moves) is None:
            return None
        return any(moves[k : k + 3] == ("falls", "rises", "falls") for k in range(len(moves)))

    def table(self) -> list[dict[str, Any]]:
        """One row per size: `rows`, `mean`, `standard_error`, `losses`."""
        return [
            {"rows": p.rows, "mean": p.mean, "standard_error": p.standard_error, "losses": list(p.losses)}
            for p in self.points
        ]

    def plot(self, path: str | Path | None = None) -> str:
        """The curve as an SVG picture, also written to a file."""
        drawn = draw_curve(
            [(point.rows, point.losses) for point in self.points],
            title="loss on the search set",
            best=self.best.rows if self.best else None,
        )
        if path is not None:
            Path(path).write_text(drawn, encoding="utf-8")
        return drawn

    def summary(self) -> str:
        """The curve and the verdict for people."""
        lines = [f"{'rows':>10}  {'mean loss':>10}  {'std. error':>10}"]
        lines += [f"{p.rows:>10,}  {p.mean:>10.4f}  {p.standard_error:>10.4f}" for p in self.points]
        moves = self.moves
        if moves is None:
            lines.append("one repeat a size: what of the curve is noise cannot be told, so neither can double descent")
        else:
            lines.append(f"beyond noise it {', '.join(moves) or 'stays as it is'}")
            lines.append(f"double descent: {'seen' if self.double_descent else 'not seen'}")
        for name, p in self.final.items():
            lines.append(f"final set, {name}: {p.rows:,} rows, {p.mean:.4f} ± {p.standard_error:.4f}")
        return "\n".join(lines)


def _moves(values: Sequence[float], least: float) -> tuple[str, ...]:
    """The turns of a curve that are larger than `least`, in order."""
    lines: list[str] = []
    low = high = values[0] if values else 0.0
    for value in values[1:]:
        if not lines:
            low, high = min(low, value), max(high, value)
            if high - low > least:
                lines.append("rises" if value == high else "falls")
                low = high = value
        elif lines[-1] == "rises":
            high = max(high, value)
            if high - value > least:
                lines.append("falls")
                low = value
        else:
            low = min(low, value)
            if value - low > least:
                lines.append("rises")
                high = value
    return tuple(lines)


def search_size(
    ds: Any,
    ranking: Sequence[int] | None = None,
    *,
    base_model: str | Path | None = None,
    search_set: Any = None,
    final_set: Any = None,
    measure: Measure | None = None,
    final: Measure | None = None,
    method: Literal["blend", "grid"] = "blend",
    sizes: Sequence[int] = (),
    budget: int = 12,
    at_least: int | None = None,
    at_most: int | None = None,
    repeats: int = 3,
    seed: int = 0,
    folder: str | Path | None = None,
    overlap: Overlap = "drop",
    args: Any = None,
    peft_config: Any = None,
    columns: Columns = None,
) -> SizeSearch:
    """Look for the number of rows of a ranking that gives the lowest loss: InstructMining's last step.

    The search set is never the set that is reported: the winner is measured on the final set, compared with as many
    random rows. The whole curve is returned; a point of it means nothing without its standard error.

    Args:
        ds: the pool, a `Dataset` (one split).
        ranking: indices, best first, as `hfclean.mining.mine` gives them; the order of the dataset by default.
        base_model: what is tuned; needs `search_set`.
        search_set, final_set: rows of any shape that the loss is measured on, one while searching, the other at the
            end; no prompt may be in both.
        measure, final: instead of a model and these sets: functions of (rows as prompt and completion, seed) that
            tune, and return the loss on the one set and on the other.
        method: `"blend"`, flaml's BlendSearch over `budget` sizes on a logarithmic scale, or `"grid"`.
        sizes: of the grid; by default `budget` of them from `at_least` to `at_most`, evenly on a logarithmic scale.
        budget: how many sizes.
        at_least, at_most: of the sizes; by default a hundredth of the ranking, and all of it.
        repeats: tunings of each size, with other seeds; 2 or more, or noise is unknown.
        seed: of all.
        folder: where the runs are kept; the same call again then does only what is missing, and several processes
            share the work. Without it they are lost with the process.
        overlap: what to do with rows of the pool whose prompt is in one of the sets: `"drop"` or `"refuse"`.
        args, peft_config: as `hfclean.training.tuning.tune` takes them.
        columns: which columns hold what, as every transform takes it.

    Raises:
        HfcleanError: the two sets overlap, or a setting is missing or out of range.
        FolderError: the folder holds runs of another search.
        MissingExtraError: flaml is not installed: `pip install 'hfclean[mining]'`.
    """
    sets = {name: rows for name, rows in (("search_set", search_set), ("final_set", final_set)) if rows is not None}
    _check(method, budget, repeats, measure, base_model, sets)
    layout = Layout(columns)
    if len(sets) == 2 and (both := overlapping(final_set, search_set, layout)):
        raise HfcleanError(
            f"{len(both):,} prompts of final_set are in search_set too (the first is row {both[0]}): the final figure "
            "has to be of prompts that the search never saw. Leave them out of one"
        )
    order = _ranked(ds, ranking)
    pool, dropped = without_overlap(ds.select(order), sets, overlap, layout)
    if not len(pool):
        raise HfcleanError("the ranking has no rows; expected one or more")
    low, high = _bounds(at_least, at_most, len(pool))
    grid = _grid(sizes, budget, low, high, len(pool)) if sizes or method == "grid" else []
    with tempfile.TemporaryDirectory(prefix="hfclean-search-") if folder is None else nullcontext(folder) as name:
        place = Path(name)
        if measure is None:
            tuned = partial(tuned_loss, str(base_model), args=args, peft_config=peft_config, columns=columns)
            measure = tuned(search_set, place)
            final = tuned(final_set, place) if final_set is not None else None
        about = {
            "kind": "search_size",
            "base_model": model_identity(base_model),
            "pool": text_digest(pool, layout),
            "sets": {name: text_digest(rows, layout) for name, rows in sets.items()},
            "seed": seed,
            "training": training_facts(args, peft_config, measure),
        }
        trial = _Trial(Runs(place, about), pool, measure, final, repeats, seed, layout)
        tried = _blend(trial, low, high, budget, seed) if not grid else [trial.point(rows) for rows in grid]
        points = tuple(sorted(tried, key=lambda point: point.rows))
        search = SizeSearch(points, {}, dropped, "grid" if grid else method, seed)
        if final is None or search.best is None:
            return search
        rows = search.best.rows
        return replace(search, final={"best": trial.point(rows, "final"), "random": trial.point(rows, "random")})


@dataclass(frozen=True)
class _Trial:
    """One size, tuned as often as needed, measured on either set."""

    runs: Runs
    pool: Any = field(repr=False)
    measure: Measure
    final: Measure | None
    repeats: int
    seed: int
    layout: Layout

    def point(self, rows: int, what: Literal["search", "final", "random"] = "search") -> SizePoint:
        """The losses of this many rows: the first of the ranking, or, for `random`, any."""

        def run(key: str) -> dict[str, Any]:
            repeat = int(key.rsplit("-", 1)[1])
            picks = list(range(rows))
            if what == "random":
                chance = random.Random(f"{self.seed} {rows} {repeat}")  # noqa: S311 - a sample, no secret
                picks = sorted(chance.sample(range(len(self.pool)), rows))
            used = self.measure if what == "search" else self.final
            assert used is not None
            run = {"what": what, "size": rows, "repeat": repeat, "rows": digest(picks)}
            return {**run, **outcome(used(examples(self.pool.select(picks), self.layout), self.seed + repeat))}

        done = self.runs.work([f"{what}-{rows}-{repeat}" for repeat in range(self.repeats)], run)
        return SizePoint(rows, tuple(math.nan if run["loss"] is None else run["loss"] for run in done.values()))


def _blend(trial: _Trial, low: int, high: int, budget: int, seed: int) -> list[SizePoint]:
    """BlendSearch asked for one size after the other; what is asked again is not measured again."""
    if low == high:
        return [trial.point(low)]
    with warnings.catch_warnings():
        # flaml says so on every import, and nothing of its automl is used here
        warnings.filterwarnings("ignore", message=FLAML_NOTE, category=UserWarning)
        optuna: Any = require("optuna", extra="mining")
        flaml: Any = require("flaml", extra="mining")
    talk = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        search = flaml.BlendSearch(
            metric="loss",
            mode="min",
            space={"rows": flaml.tune.lograndint(lower=low, upper=high + 1)},
            low_cost_partial_config={"rows": low},
            # left to itself it climbs down from the cheap end and may never see the other
            points_to_evaluate=[{"rows": rows} for rows in dict.fromkeys((low, round(math.sqrt(low * high)), high))],
            num_samples=budget * (REPEATED + 1),
            cost_attr="cost",
            seed=seed,
        )
        return _asked(search, trial, low, high, budget)
    finally:
        optuna.logging.set_verbosity(talk)


def _asked(search: Any, trial: _Trial, low: int, high: int, budget: int) -> list[SizePoint]:
    points: dict[int, SizePoint] = {}
    stale = asked = 0
    while len(points) < min(budget, high - low + 1) and stale < REPEATED * budget:
        name, asked = f"trial{asked:05d}", asked + 1
        config = search.suggest(name)
        if config is None:
            stale += 1
            continue
        rows = min(high, max(low, int(config["rows"])))
        stale = stale + 1 if rows in points else 0
        if rows not in points:
            points[rows] = trial.point(rows)
        loss = points[rows].mean if points[rows].mean == points[rows].mean else math.inf
        search.on_trial_complete(name, {"loss": loss, "cost": rows, "config": config, "time_total_s": rows})
    return list(points.values())


def _grid(sizes: Sequence[int], budget: int, low: int, high: int, most: int) -> list[int]:
    if sizes:
        if not all(isinstance(rows, int) and 0 < rows <= most for rows in sizes):
            raise HfcleanError(f"search_size(sizes={list(sizes)}): expected whole numbers from 1 to {most:,}")
        return sorted(set(sizes))
    if budget == 1:
        return [high]
    steps = [low * (high / low) ** (k / (budget - 1)) for k in range(budget)]
    return sorted({min(high, max(low, round(step))) for step in steps})


def _bounds(at_least: int | None, at_most: int | None, most: int) -> tuple[int, int]:
    high = most if at_most is None else at_most
    low = max(1, high // 100) if at_least is None else at_least
    if not 0 < low <= high <= most:
        raise HfcleanError(
            f"search_size(at_least={at_least}, at_most={at_most}): expected 1 to {most:,}, the rows that are ranked"
        )
    return low, high


def _ranked(ds: Any, ranking: Sequence[int] | None) -> list[int]:
    check_dataset(ds, "search_size")
    order = list(range(len(ds))) if ranking is None else [int(index) for index in ranking]
    if len(set(order)) < len(order) or any(not 0 <= index < len(ds) for index in order):
        raise HfcleanError(f"ranking has an index twice or one that is not in the {len(ds):,} rows of the dataset")
    return order


def _check(
    method: str, budget: int, repeats: int, measure: Measure | None, base_model: Any, sets: Mapping[str, Any]
) -> None:
    if method not in ("blend", "grid"):
        raise HfcleanError(f"search_size(method={method!r}): expected 'blend' or 'grid'")
    check_count(budget, "search_size(budget", 1)
    check_count(repeats, "search_size(repeats", 1)
    if measure is None and (base_model is None or "search_set" not in sets):
        raise HfcleanError("search_size needs base_model= and search_set=, or a custom measure=")
