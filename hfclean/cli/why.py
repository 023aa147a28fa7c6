"""Explain what happened to one row.

Explain what happened to one row of a cleaned folder, rule by rule, what people decided about it, and what is still
wrong with it. Rows that were dropped are found by their ids.
"""

import argparse
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.folders import find_row, is_number
from hfclean.cli.reading import tell, unpacked
from hfclean.errors import SourceError


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
        try:
            split, index = find_row(folder, args.row)
        except SourceError:
            if (
                is_number(args.row)
                or (dropped := _removed(args.dir, open_until_then.enter_context(unpacked(args)))) is None
            ):
                raise
            folder = dropped
            split, index = find_row(folder, args.row)
        story = describe_row(folder, split, index)
    tell(args, out, story.to_dict, story.text)


def _removed(place: str, cache: Path) -> Any | None:
    """The rows that were dropped from a folder, in place of its data; `None` where there are none."""
    from hfclean.folder import read_folder

    folder = read_folder(place, cache_dir=cache)
    return None if folder.removed is None else replace(folder, dataset=folder.removed)
