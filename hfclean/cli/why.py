"""Explain what happened to one row.

Explain what happened to one row of a cleaned folder, rule by rule, and what is still wrong with it.
"""

import argparse
from contextlib import ExitStack
from typing import Any, TextIO

from hfclean.cli.folders import find_row
from hfclean.cli.reading import tell, unpacked


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("dir", metavar="DIR", help="a folder that hfclean wrote")
    command.add_argument(
        "row", metavar="ROW", help="a row id (or its beginning), a row number from 0, or SPLIT:NUMBER"
    )
    command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cli.own_rows import own_folder
    from hfclean.cli.render import describe_row

    with ExitStack() as open_until_then:
        folder: Any = own_folder(args.dir)
        if folder is None:
            from hfclean.folder import read_folder

            folder = read_folder(args.dir, cache_dir=open_until_then.enter_context(unpacked(args)))
        split, index = find_row(folder, args.row)
        story = describe_row(folder, split, index)
    tell(args, out, story.to_dict, story.text)
