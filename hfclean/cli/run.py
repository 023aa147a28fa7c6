"""Repeat a run that a recipe or a folder describes.

Repeat a run: RECIPE is a TOML file whose keys are the long options of its command (any command line with
--print-recipe writes one), or a folder that hfclean clean, revise or score wrote, whose hfclean.json says what was
done. Options after it count in place of the recipe's. Paths are read from where the command runs. Which server is
asked, whose code runs, and what is replaced or written outside of this folder is said on the command line, not in a
file.
"""

import argparse


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", metavar="RECIPE", help="a .toml file, or a folder that hfclean wrote")
    command.add_argument(
        "more",
        metavar="OPTION",
        nargs=argparse.REMAINDER,
        help="options of the recipe's command; for a folder also IN, where its rows come from",
    )
