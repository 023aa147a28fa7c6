"""Write the rows in another shape.

Write the rows in another shape. preference: chosen = revised response, rejected = original one.
"""

import argparse
from typing import TextIO

from hfclean.cli import options
from hfclean.cli.reading import given, opened
from hfclean.cli.writing import check_file, tell_files, write_files


def add(command: argparse.ArgumentParser) -> None:
    options.source(command, pairs=False)
    command.add_argument(
        "--to", required=True, choices=["messages", "prompt_completion", "alpaca", "preference"], help="the shape"
    )
    command.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="a .jsonl, .parquet or .csv file (one per split where there are several)",
    )
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    options.formulas(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.conversion import Losses, convert

    check_file(args)
    with opened(args, err, args.out) as (source, layout):
        losses = Losses()
        converted = convert(source.dataset, args.to, **given(layout), losses=losses)
        for note in losses.notes():
            print(f"note: left out or respelled: {note}", file=err)
        written = write_files(converted, args, err)
    tell_files(args, out, written, losses)
