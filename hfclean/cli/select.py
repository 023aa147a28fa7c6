"""Select N rows by score and diversity, with random/longest/shortest baselines.

Select rows by score and diversity, and show what the same number of random, longest, shortest and first rows would be.
"""

import argparse
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.choosing import EMBEDDING, VECTORS, add_files, choose_rows
from hfclean.cli.reading import UsageError


def add(command: argparse.ArgumentParser) -> None:
    options.source(command, pairs=False, prefixed=False)
    command.add_argument("-n", "--n", type=int, required=True, metavar="N", help="how many rows")
    command.add_argument(
        "--method",
        choices=["top", "score_first", "k_center", "facility_location", "clusters", "score_times_distance"],
        default="score_first",
        help="how (default: score_first; all but top need vectors)",
    )
    command.add_argument("--by", metavar="COLUMN", help="the scores, higher = better")
    command.add_argument("--vectors", default=EMBEDDING, metavar="COLUMN", help=VECTORS)
    command.add_argument("--threshold", type=float, default=0.9, metavar="T", help="score_first: the highest cosine")
    command.add_argument("--seed", type=int, default=42, metavar="N", help="clusters (default: 42)")
    add_files(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.selection import top
    from hfclean.selection.diversity import diverse
    from hfclean.selection.rows import numbers

    if args.n < 1:
        raise UsageError(f"-n {args.n}: expected at least 1")
    if args.method == "top" and not args.by:
        raise UsageError("--method top needs scores: --by COLUMN")

    def check(ds: Any) -> None:
        if args.by:  # before a model reads the rows
            numbers(ds, args.by, "--by")

    def choose(ds: Any, columns: Any, _: str) -> Any:
        if args.method == "top":
            return top(ds, by=args.by, n=args.n)
        return diverse(
            ds, args.n, args.method, by=args.by, column=args.vectors, threshold=args.threshold, seed=args.seed
        )

    choose_rows(
        args,
        out,
        err,
        choose,
        beside=True,
        by_vectors=args.method != "top",
        check=None if args.method == "top" else check,
    )
