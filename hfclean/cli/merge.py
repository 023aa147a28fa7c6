"""Put the parts of clean --shard together, and write a dataset folder.

Put together what hfclean clean --shard (or revise, or score) wrote on several machines: the folder has the rows, ids,
duplicates, ledger, report and card of one run over the whole dataset, whatever the number of shards. Every shard is
needed once. What was asked of a model, and what it cost, is added up.
"""

import argparse
from typing import TextIO

from hfclean.cli import options
from hfclean.cli.reading import load_named, tokenizer_of, unpacked
from hfclean.cli.writing import save_and_tell


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("parts", metavar="PART", nargs="+", help="the folders of all shards, in any order")
    options.output(command)
    options.drop(command)
    command.add_argument(
        "--with",
        dest="extra",
        action="append",
        default=[],
        metavar="PKG:NAME",
        help="a custom rule that the shards were cleaned with, as module:name (may be given several times)",
    )
    options.json_output(command)
    options.quiet(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from pathlib import Path

    from hfclean.engines.merging import merge
    from hfclean.folder import check_target
    from hfclean.rules import Rule

    target = Path(args.out).expanduser()
    for part in args.parts:
        check_target(target, overwrite=args.overwrite, source=Path(part).expanduser())
    extra = tuple(load_named(spec, Rule, "rule") for spec in args.extra)
    tokenizer = tokenizer_of(args.tokenizer)
    with unpacked(args, args.out) as cache:
        cleaned = merge(args.parts, drop_duplicates=args.drop_duplicates, extra=extra, cache_dir=cache)
        for note in cleaned.origin.source.notes if cleaned.origin else ():
            print(f"note: {note}", file=err)
        save_and_tell(args, out, cleaned, tokenizer)
