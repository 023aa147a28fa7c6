"""Fit a linear rule to experiments, or rank rows by the loss that one predicts.

InstructMining. fit: IN is a table (.jsonl, .parquet) with one row per experiment; writes the rule with its figures to
the folder --out. predict: IN is a dataset with the rule's indicators as columns; prints how the predictions are
distributed, or writes the rows with the lowest, lowest first, to the file --out.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.reading import UsageError, opened, tell
from hfclean.cli.writing import check_file, tell_files, write_files
from hfclean.errors import FolderError

MARKS = ("p5", "p25", "p50", "p75", "p95")


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["fit", "predict"], help="what to do")
    command.add_argument("source", metavar="IN", help="fit: the table; predict: a dataset, as hfclean clean takes it")
    options.reading(command)
    command.set_defaults(cleaned=("source",))
    command.add_argument("--out", metavar="PATH", help="fit: a folder; predict: a .jsonl, .parquet or .csv file")
    command.add_argument("--overwrite", action="store_true", help="replace what exists")
    command.add_argument(
        "--target", default="log_loss", metavar="COLUMN", help="fit: what to predict (default: log_loss)"
    )
    command.add_argument(
        "--predictor", action="append", metavar="COLUMN", help="fit: from what (give one or more of them)"
    )
    command.add_argument(
        "--standardize", action="store_true", help="fit: weights that can be compared with each other"
    )
    command.add_argument(
        "--rule", default="v2", metavar="RULE", help="predict: v1, v2, v3, a folder or a Hub id (default: v2)"
    )
    command.add_argument(
        "-n",
        "--n",
        type=_count,
        metavar="N",
        help="predict: number of rows to keep, or the share of them as a decimal, such as 0.1",
    )
    command.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="INDICATOR=COLUMN",
        help="predict: the column that holds an indicator (may be given several times)",
    )
    options.formulas(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        (_fit if args.action == "fit" else _predict)(args, out, err)
    for warning in caught:
        if warning.category.__module__.startswith("hfclean") or "no prediction" in str(warning.message):
            print(f"note: {warning.message}", file=err)


def _count(text: str) -> int | float:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid number of rows: {text!r}; expected such as 500, or 0.1") from None


def _fit(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.scorers.linear_rule import FILE_NAME, LinearRule

    if not args.predictor:
        raise UsageError("fit needs --predictor COLUMN, one or more")
    for name in ("split", "config", "columns", "escape_formulas"):
        if getattr(args, name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is for predict: fit reads a table with one row per experiment, not a dataset")
    target = Path(args.out).expanduser() if args.out else None
    if target is not None and (target / FILE_NAME).exists() and not args.overwrite:
        raise FolderError(
            f"the folder {target.name!r} already holds a rule; name another, or replace it with --overwrite"
        )
    rule = LinearRule.fit(args.source, target=args.target, predictors=args.predictor, standardize=args.standardize)
    path = rule.save_pretrained(target) if target is not None else None
    assert rule.fitted is not None
    text = rule.fitted.summary() + ("" if path is None else f"\n\n{path}")
    data = {"out": None if path is None else str(path), "rule": dict(rule.fitted_on)}
    tell(args, out, lambda: data, lambda: text)


def _predict(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.mining.ranking import expected_loss, instruct_mining
    from hfclean.mining.ranking import mine as mined
    from hfclean.report.distributions import quantiles
    from hfclean.scorers.linear_rule import LinearRule

    check_file(args)
    pairs = [part.partition("=") for part in args.rename]
    if not all(name and column for name, _, column in pairs):
        raise UsageError("--rename: expected INDICATOR=COLUMN, such as reward=my_reward")
    renamed = {name: column for name, _, column in pairs}
    known = args.rule in ("v1", "v2", "v3")
    rule = instruct_mining(args.rule) if known else LinearRule.from_pretrained(args.rule)
    with opened(args, err, args.out) as (source, layout):
        if len(source.dataset) > 1:
            raise UsageError(f"--split is missing: there are {', '.join(source.dataset)}")
        ((split, ds),) = source.dataset.items()
        options: dict[str, Any] = {"columns": layout.columns, "renamed": renamed}
        if args.out:
            picks = mined(ds, rule, **{"fraction" if isinstance(args.n, float) else "n": args.n}, **options)
            written = write_files({split: ds.select(picks)}, args, err)
            tell_files(args, out, written)
            return
        values = expected_loss(ds, rule, **options)
    spread = quantiles([value for value in values if value == value])
    marks = {mark: getattr(spread, mark) for mark in MARKS if spread.n}
    data = {"rule": rule.name, "rows": len(values), "predicted": spread.n, **marks}
    head = f"{rule.name}: {spread.n:,} of {len(values):,} rows have a prediction\n"
    tell(args, out, lambda: data, lambda: head + "  ".join(f"{mark} {value:.4g}" for mark, value in marks.items()))
