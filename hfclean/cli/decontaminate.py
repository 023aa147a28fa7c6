"""Find rows that hold items of benchmarks, and leave them out.

Find rows that hold a question or an answer of a benchmark, name each, and write the rows that hold none.
"""

from __future__ import annotations

import argparse
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.choosing import add_files, choose_rows


def add(command: argparse.ArgumentParser) -> None:
    options.source(command, pairs=False, prefixed=False)
    command.add_argument(
        "--against",
        action="append",
        required=True,
        metavar="WHAT",
        help="a .jsonl, .json or .parquet file of questions, the folder of a benchmark pack, or its Hub id (may be "
        "given several times)",
    )
    command.add_argument("--ngram", type=int, choices=[8, 13], default=8, help="words in a run (default: 8)")
    command.add_argument("--overlap", type=float, default=0.5, metavar="S", help="more than this share (default: 0.5)")
    command.add_argument("--fuzzy", type=float, default=0.8, metavar="S", help="of runs of 3 words (default: 0.8)")
    command.add_argument("--no-fuzzy", action="store_true", help="leave the fuzzy check out")
    add_files(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.selection.decontamination import decontaminate as keep

    def choose(ds: Any, columns: Any) -> Any:
        fuzzy = None if args.no_fuzzy else args.fuzzy
        return keep(ds, args.against, ngram=args.ngram, overlap=args.overlap, fuzzy=fuzzy, columns=columns)

    choose_rows(args, out, err, choose)
