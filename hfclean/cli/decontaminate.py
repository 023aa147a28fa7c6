"""Find rows that hold items of benchmarks, and leave them out.

Find rows that hold a question or an answer of a benchmark, name each, and write the rows that hold none.
"""

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
    command.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        metavar="S",
        help="leave out rows with more than this share of an item's runs (default: 0.5)",
    )
    command.add_argument(
        "--fuzzy",
        type=options.share,
        default=0.8,
        metavar="S",
        help="the same for the fuzzy check, of runs of 3 words; 'none' to leave that check out (default: 0.8)",
    )
    options.processes(command)
    add_files(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.selection.decontamination import decontaminate as keep

    def choose(ds: Any, columns: Any, _: str) -> Any:
        return keep(
            ds,
            args.against,
            ngram=args.ngram,
            overlap=args.threshold,
            fuzzy=args.fuzzy,
            columns=columns,
            num_proc=args.num_proc,
        )

    choose_rows(args, out, err, choose)
