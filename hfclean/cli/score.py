"""Score every row and change nothing.

Score every row and print how the scores are distributed; with --out, write the scored dataset.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TextIO

from hfclean.cli import options
from hfclean.cli.reading import columns_of, emit, load_named, notes, tokenizer_of, unpacked
from hfclean.cli.writing import write_cleaned


def add(command: argparse.ArgumentParser) -> None:
    options.source(command)
    options.output(command, required=False)
    command.add_argument(
        "--with", dest="extra", action="append", default=[], metavar="PKG:NAME", help=options.custom("scorer")
    )
    options.strict(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cleaning import clean
    from hfclean.report import compare
    from hfclean.scorers import Scorer
    from hfclean.scorers.embedded.score import Score
    from hfclean.source import load

    columns, tokenizer = columns_of(args.columns), tokenizer_of(args.tokenizer)
    how = {"columns": columns, "prefix": args.prefix, "turns": args.turns, "side": args.side}
    score = Score(**how)
    # what a scorer was declared with stands where the command line says nothing
    said = {name: value for name, value in how.items() if value not in (None, "", "last", "chosen")}
    scorers = [replace(load_named(spec, Scorer, "scorer"), **said) for spec in args.extra]
    if args.out:
        write_cleaned(args, out, err, scorers=scorers, score=score)
        return
    with unpacked(args) as cache:
        source = load(args.source, split=args.split, config=args.config, columns=columns, cache_dir=cache)
        notes(source, err)
        scored = clean(source.dataset, reviser=None, score=score, scorers=scorers, strict=args.strict).dataset
        report = compare(
            source.dataset,
            scored,
            columns=columns,
            tokenizer=tokenizer,
            max_tokens=args.max_tokens,
            prefix=args.prefix,
            turns=args.turns,
            side=args.side,
        )
    if args.json:
        emit(report.to_dict(), out)
    else:
        print(report.summary(), file=out)
