"""Render the card of a folder as a push would.

Render the card of a cleaned folder, a reviser or a linear rule, and say what the Hub would refuse in it. Reaches no
network.
"""

import argparse
from pathlib import Path
from typing import TextIO

from hfclean.cli import options
from hfclean.cli.folders import kind_of


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("dir", metavar="DIR", help="a folder that hfclean wrote")
    command.add_argument("repo", metavar="REPO", nargs="?", default="", help="NAMESPACE/NAME that the card is for")
    command.add_argument("--out", metavar="FILE", help="write here instead of to the standard output")
    options.license_and_language(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    import hfclean.hub as hub
    from hfclean.cards import check_card

    text = hub.render_card(
        Path(args.dir).expanduser(), args.repo, kind=kind_of(args.dir), license=args.license, language=args.language
    )
    if args.out:
        Path(args.out).expanduser().write_text(text, encoding="utf-8")
        print(f"{args.out}  the card", file=out)
    else:
        print(text, end="", file=out)
    for problem in check_card(text):
        print(f"problem: {problem}", file=err)
