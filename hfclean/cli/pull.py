"""Download a cleaned dataset or a reviser from the Hub as a folder.

Download what hfclean pushed: a dataset, as the folder that hfclean why and undo work on, or a reviser or linear rule
with all its files.
"""

import argparse
from typing import TextIO

from hfclean.cli.folders import kind_of
from hfclean.cli.reading import tell, unpacked


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("repo", metavar="REPO", help="NAMESPACE/NAME on the Hub")
    command.add_argument("--out", required=True, metavar="DIR", help="the folder to write")
    command.add_argument("--revision", metavar="REF", help="branch, tag or commit (default: main)")
    command.add_argument("--config", metavar="NAME", default="default", help="dataset: name of its config")
    command.add_argument("--overwrite", action="store_true", help="replace DIR if hfclean wrote it")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    import hfclean.hub as hub

    with unpacked(args, args.out):
        where = hub.pull(
            args.repo, args.out, revision=args.revision, config_name=args.config, overwrite=args.overwrite
        )
    kind = kind_of(str(where))
    uses = {
        "dataset": f"the dataset: load_dataset({str(where)!r})",
        "reviser": f"the reviser: from_pretrained({str(where)!r})",
        "rule": f"the rule: hfclean.scorers.LinearRule.from_pretrained({str(where)!r})",
    }
    tell(args, out, lambda: {"repo": args.repo, "out": str(where), "kind": kind}, lambda: f"{where}  {uses[kind]}")
