"""The experiment behind InstructMining's rule: many small training sets, a model tuned on each, the loss of each."""

import math
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hfclean.errors import ColumnError, HfcleanError, TrainingError
from hfclean.layout import Layout
from hfclean.mining.examples import Overlap, overlapping, prompt_rows, text_digest
from hfclean.mining.ranking import indicator_columns
from hfclean.mining.runs import Runs, digest
from hfclean.mining.sampling import sample_subset
from hfclean.schema import Columns
from hfclean.scorers.linear_rule import LinearRule
from hfclean.selection.rows import check_count, check_dataset, is_number

TAKEN = ("key", "run", "seed", "size", "rows", "loss", "log_loss", "reason", "steps", "train_loss")
# of a trainer's arguments: where it writes and what it calls itself, which changes no result
PLACES = ("output_dir", "logging_dir", "run_name", "hub_token", "hub_model_id")
# how the trainer says that the weights blew up: a result of the run, where any other stop is a fault of the experiment
DIVERGED = re.compile(r"the loss of step \d+ is (?:nan|-?inf)|holds numbers that are none")


class Measure(Protocol):
    """A function that tunes on some rows, with this seed, and says the loss on a fixed set; nan where it has none."""

    def __call__(self, rows: Any, seed: int) -> float | Mapping[str, Any]: ...


@dataclass(frozen=True)
class Experiment:
    """What the runs gave: a table with one row per run.

    Attributes:
        runs: per run its `run`, `seed`, `size`, `rows` (a digest of the indices), the mean of every indicator over the
            training set, `NAME_missing` (rows of it that have none), `loss` and `log_loss` on the evaluation set (nan
            where it diverged) and `reason`; with hfclean's own tuning also `steps` and `train_loss`.
        indicators: their names.
        overlap: rows of the pool that the evaluation set has too; none of them was trained on.
        base_model: what was tuned.
    """

    runs: tuple[Mapping[str, Any], ...]
    indicators: tuple[str, ...]
    overlap: int
    base_model: str

    @property
    def without_loss(self) -> int:
        """Runs whose loss is nan."""
        return sum(math.isnan(run["loss"]) for run in self.runs)

    def fit(self, predictors: Sequence[str] = (), **options: Any) -> LinearRule:
        """`LinearRule.fit` on this table, by default with all indicators."""
        facts = (("base model", self.base_model), ("runs", len(self.runs)))
        return LinearRule.fit(self.runs, predictors=predictors or self.indicators, **{"fitted_on": facts, **options})


def experiment(
    ds: Any,
    base_model: str | Path,
    eval_set: Any,
    *,
    indicators: Sequence[str],
    folder: str | Path,
    runs: int = 64,
    size: int | Sequence[int] = 1000,
    seed: int = 0,
    tilt: float = 1.0,
    group: str | None = None,
    overlap: Overlap = "drop",
    args: Any = None,
    peft_config: Any = None,
    measure: Measure | None = None,
    columns: Columns = None,
    renamed: Mapping[str, str] | None = None,
    tokenizer: Callable[[str], Sequence[Any]] | None = None,
) -> Experiment:
    """Tune a model on each of many samples of a dataset and note the loss of each, for `LinearRule.fit`.

    Every run is one line of `runs.jsonl` in `folder`, on disk before the next begins. The same call again does only
    what is not there, also after `kill -9`; several processes, on one disk, share the runs.

    Args:
        ds: the pool, a `Dataset` (one split) of any row shape, with the indicators' columns.
        base_model: a folder or a Hub id; it is tuned from scratch in every run.
        eval_set: rows of any shape, the same for all runs: the loss is that of their completions.
        indicators: names as `hfclean.mining.indicator_columns` knows them, or columns of numbers.
        folder: where the runs are kept.
        runs: how many; InstructMining made 129. `LinearRule.fit` wants more than indicators and one, and ten for each.
        size: rows of a training set; of several sizes each run takes the next, and `size` can be a predictor as well.
        seed: of the samples, and with the run's number of the tuning.
        tilt: how far the samples are drawn apart along the indicators, each in a random direction; 0 for uniform
            ones, whose means hardly differ.
        group: a column with the source of each row: each run mixes the sources in random shares.
        overlap: what to do with rows of the pool whose prompt is in `eval_set`: `"drop"` them (they are counted), or
            `"refuse"`.
        args, peft_config: as `hfclean.training.tuning.tune` takes them.
        measure: another way to tune and evaluate: a function of (rows as prompt and completion, seed) that returns the
            loss, or a mapping with `loss` and more numbers to note.
        columns, renamed, tokenizer: as `hfclean.mining.indicator_columns` takes them.

    Returns:
        the table. A run whose loss is nan, infinite or not above 0 has the reason `not_finite` and does not count.

    Raises:
        HfcleanError: an overlap is refused, nothing is left of the pool, or a setting is out of range.
        ColumnError: an indicator is missing, or a size is larger than the pool.
        FolderError: the folder holds runs of another experiment.
    """
    names = _checked(indicators, runs)
    if not is_number(tilt) or not math.isfinite(tilt):
        raise HfcleanError(f"experiment(tilt={tilt!r}): expected a number, 0 for uniform samples")
    given: list[Any] = [*size] if isinstance(size, (list, tuple, range)) else [size]
    for number in given:
        check_count(number, "experiment(size", 1)
    sizes = [int(number) for number in given]
    check_count(seed, "experiment(seed")
    layout = Layout(columns)
    clean, dropped = without_overlap(ds, {"eval_set": eval_set}, overlap, layout)
    if not sizes or max(sizes) > len(clean):
        raise ColumnError(f"experiment(size={size}): the pool has {len(clean):,} rows; expected 1 to that many")
    values = indicator_columns(clean, names, columns=columns, renamed=renamed, tokenizer=tokenizer)
    groups = _groups(clean, group)
    measure = measure or tuned_loss(base_model, eval_set, folder, args=args, peft_config=peft_config, columns=columns)
    about = {
        "kind": "experiment",
        "base_model": model_identity(base_model),
        "pool": text_digest(clean, layout),
        "eval_set": text_digest(eval_set, layout),
        "indicators": names,
        "values": digest(values),
        "sizes": sizes,
        "seed": seed,
        "tilt": tilt,
        "group": group,
        "training": training_facts(args, peft_config, measure),
    }
    ledger = Runs(folder, about)

    def run(key: str) -> dict[str, Any]:
        number = int(key)
        rows = sizes[number % len(sizes)]
        picks = sample_subset(values, rows, seed=seed, run=number, tilt=tilt, groups=groups)
        run = {"run": number, "seed": seed + number, "size": rows, "rows": digest(picks)}
        for name in names:
            known = [values[name][k] for k in picks if math.isfinite(values[name][k])]
            run[name] = math.fsum(known) / len(known) if known else math.nan
            run[f"{name}_missing"] = len(picks) - len(known)
        return {**run, **outcome(measure(examples(clean.select(picks), layout), seed + number))}

    done = ledger.work([f"{number:05d}" for number in range(runs)], run)
    table = [{name: math.nan if value is None else value for name, value in row.items()} for row in done.values()]
    return Experiment(tuple(table), tuple(names), dropped, str(base_model))


def outcome(measured: float | Mapping[str, Any]) -> dict[str, Any]:
    """A measure's answer as the columns of a run."""
    more = dict(measured) if isinstance(measured, Mapping) else {"loss": measured}
    loss = float(more.pop("loss"))
    fine = math.isfinite(loss) and loss > 0
    numbers = {str(name): float(value) for name, value in more.items() if hasattr(value, "__float__")}
    numbers = {name: value if math.isfinite(value) else math.nan for name, value in numbers.items()}
    return {
        **numbers,
        "loss": loss if fine else math.nan,
        "log_loss": math.log(loss) if fine else math.nan,
        "reason": "" if fine else "not_finite",
    }


def tuned_loss(
    base_model: str | Path,
    eval_set: Any,
    folder: str | Path,
    *,
    args: Any = None,
    peft_config: Any = None,
    columns: Columns = None,
) -> Measure:
    """hfclean's own tuning as a measure: the loss of the tuned model on `eval_set`; the model itself is not kept."""
    heldout = prompt_rows(eval_set, Layout(columns))
    if not heldout:
        raise HfcleanError("the evaluation set has no rows; expected one or more")
    return _TunedLoss(base_model, _dataset(heldout), Path(folder).expanduser(), args, peft_config)


@dataclass(frozen=True)
class _TunedLoss:
    base_model: str | Path
    heldout: Any = field(repr=False)
    folder: Path
    args: Any
    peft_config: Any

    def __call__(self, rows: Any, seed: int) -> dict[str, Any]:
        from hfclean.training.tuning import tune

        place = self.folder / "models" / f"{os.getpid()}-{seed}"
        try:
            tuned = tune(
                rows,
                str(self.base_model),
                place,
                args=self.args,
                peft_config=self.peft_config,
                heldout=self.heldout,
                seed=seed,
            )
            loss = math.nan if tuned.heldout_loss is None else tuned.heldout_loss
            return {"loss": loss, "steps": tuned.steps, "train_loss": tuned.train_loss}
        except TrainingError as e:
            if DIVERGED.search(str(e)):
                return {"loss": math.nan}
            raise
        finally:
            shutil.rmtree(place, ignore_errors=True)


def model_identity(model: str | Path | None) -> str | None:
    """The model's name, of a folder with the hash of what is in it."""
    if model is None or not Path(model).expanduser().is_dir():
        return None if model is None else str(model)
    from hfclean.models.weights import find_model

    return f"{model} {find_model(str(model), None).identity}"


def without_overlap(ds: Any, sets: Mapping[str, Any], overlap: str, layout: Layout) -> tuple[Any, int]:
    """The pool without the rows that an evaluation set has too, and how many those were."""
    check_dataset(ds, "the pool")
    if overlap not in ("drop", "refuse"):
        raise HfcleanError(f"overlap={overlap!r}: expected 'drop' or 'refuse'")
    excluded: set[int] = set()
    for name, rows in sets.items():
        found = overlapping(ds, rows, layout)
        if found and overlap == "refuse":
            raise HfcleanError(
                f"{len(found):,} rows of the pool have a prompt that is in {name} (the first is row {found[0]}): a "
                "model would be tuned on what it is measured on. overlap='drop' leaves them out"
            )
        excluded.update(found)
    if excluded and len(excluded) == len(ds):
        raise HfcleanError(f"all {len(ds):,} rows of the pool are in {' or '.join(sets)}; nothing is left to train on")
    return (ds.select([k for k in range(len(ds)) if k not in excluded]) if excluded else ds), len(excluded)


def training_facts(args: Any, peft_config: Any, measure: Measure) -> dict[str, Any]:
    """What the training is, as JSON can hold it."""
    facts: dict[str, Any] = {}
    for name, value in (("args", args), ("peft_config", peft_config)):
        value = value.to_dict() if hasattr(value, "to_dict") else value
        if isinstance(value, Mapping):
            value = {str(key): _plain(item) for key, item in value.items() if key not in PLACES}
        facts[name] = value
    if not isinstance(measure, _TunedLoss):
        facts["measure"] = getattr(measure, "__qualname__", type(measure).__qualname__)
    return facts


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else value


def _checked(indicators: Sequence[str], runs: int) -> list[str]:
    names = [indicators] if isinstance(indicators, str) else list(indicators)
    odd = [name for name in names if name in TAKEN]
    if not names or len(set(names)) < len(names) or odd:
        raise ColumnError(
            f"experiment(indicators={names}): expected one or more, each once, none of them called {', '.join(TAKEN)}"
        )
    check_count(runs, "experiment(runs", 1)
    return names


def _groups(ds: Any, group: str | None) -> list[Any] | None:
    if group is None:
        return None
    if group not in ds.column_names:
        raise ColumnError(f"experiment(group={group!r}): no such column in {ds.column_names}")
    return list(ds.with_format(None)[group])


def _dataset(rows: Sequence[Mapping[str, Any]]) -> Any:
    from datasets import Dataset

    return Dataset.from_list([dict(row) for row in rows])


def examples(ds: Any, layout: Layout) -> Any:
    """The rows as prompt and completion, as a measure takes them."""
    return _dataset(prompt_rows(ds, layout))
