"""Repair what rules can repair, score every row, and write a dataset folder.

Repair what rules can repair, score every row, mark exact duplicates, and write a folder that load_dataset reads:
parquet data, dataset card, report.html, ledger.parquet (one row per change), hfclean.json. Number and order of
rows stay as they are. With --model, a model revises the rows after the rules in the same run; see hfclean revise.
"""

import argparse
from typing import TextIO

from hfclean.cli import options
from hfclean.cli.reading import UsageError, given, layout_of, load_named
from hfclean.cli.revisers import revised, reviser_of
from hfclean.cli.shards import write_rows

MODEL_OPTIONS = (
    *(
        "preview",
        "method",
        "base-url",
        "api-key-env",
        "revise",
        "trust",
        "run-tests",
        "instructions",
        "criteria",
        "model-option",
    ),
    *("limit", "prices", "max-cost", "store"),
)


def add(command: argparse.ArgumentParser) -> None:
    options.source(command)
    options.output(command, required=False, needed="; needed unless --preview is given")
    options.rules(command)
    options.strict(command)
    options.processes(command)
    options.shard(command)
    options.drop(command)
    options.preview(command)
    options.model(command, needed=" (default: rules only)")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.reviser import RuleReviser
    from hfclean.rules import Rule

    extra = tuple(load_named(spec, Rule, "rule") for spec in args.extra)
    reviser = RuleReviser(args.only, args.skip or (), extra, also=tuple(args.also), **given(layout_of(args)))
    if args.model:
        revised(args, out, err, (reviser, reviser_of(args)), extra)
    elif unused := [name for name in MODEL_OPTIONS if vars(args)[name.replace("-", "_")]]:
        raise UsageError(f"--{unused[0]} without --model; name one, or leave it out to repair by rules only")
    else:
        write_rows(args, out, err, reviser=reviser, extra=extra)
