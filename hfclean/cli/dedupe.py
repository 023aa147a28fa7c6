"""Find duplicate rows and keep one of each group.

Find rows that are duplicates of one another in each split, say how many, and write the rows that stay.
"""

import argparse
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.choosing import EMBEDDING, VECTORS, add_files, choose_rows


def add(command: argparse.ArgumentParser) -> None:
    options.source(command, pairs=False, prefixed=False)
    command.add_argument(
        "--method", choices=["exact", "near", "semantic"], default="near", help="the same text, Jaccard index, cosine"
    )
    command.add_argument("--threshold", type=float, default=0.7, metavar="T", help="above 0, at most 1 (default: 0.7)")
    command.add_argument("--ngram", type=int, default=3, metavar="N", help="near: words in a run (default: 3)")
    command.add_argument("--by", metavar="COLUMN", help="keep the row with the highest value (default: the first)")
    command.add_argument(
        "--field", action="append", metavar="NAME", help="compare only this (may be given several times)"
    )
    command.add_argument("--vectors", default=EMBEDDING, metavar="COLUMN", help="semantic: " + VECTORS)
    command.add_argument(
        "--complete",
        action=argparse.BooleanOptionalAction,
        help="near, semantic: compare all pairs, or only likely ones (default: all up to 100,000 rows)",
    )
    options.processes(command)
    add_files(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.selection.duplicates import dedupe as keep

    def choose(ds: Any, columns: Any) -> Any:
        return keep(
            ds,
            args.method,
            args.threshold,
            args.ngram,
            args.by,
            args.field,
            column=args.vectors,
            columns=columns,
            complete=args.complete,
            num_proc=args.num_proc,
        )

    choose_rows(args, out, err, choose, by_vectors=args.method == "semantic")
