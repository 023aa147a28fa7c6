"""Purge rows from a cleaned folder and from what is kept of them here.

Purge rows from a folder (data, dropped rows, ledger, refused revisions, report, card), from the file of masked texts,
from the answers of models, from what stopped runs left, and from files of verdicts; with --person, what a person
decided from those files, and the name. All other rows stay as they are. It cannot be undone. What cannot be reached
from here is named.
"""

import argparse
import sys
from dataclasses import asdict
from typing import Any, TextIO

from hfclean.cli.reading import emit, tell


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("dir", metavar="DIR", help="a folder that hfclean wrote; it is replaced")
    command.add_argument(
        "rows", metavar="ROW_ID", nargs="*", default=[], help="as in the column row_id, or the report"
    )
    command.add_argument(
        "--person",
        dest="people",
        metavar="NAME",
        action="append",
        default=[],
        help="the decisions of this person, and the name where it was written (may be given several times)",
    )
    command.add_argument(
        "--verdicts",
        metavar="FILE",
        action="append",
        default=[],
        help="a file of verdicts to purge, beside DIR.verdicts.jsonl (may be given several times)",
    )
    command.add_argument(
        "--store",
        metavar="FILE",
        help="file of answers (default: answers.sqlite3 in HFCLEAN_HOME or ~/.cache/hfclean)",
    )
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from datasets.utils.logging import disable_progress_bar

    from hfclean.forgetting import OUT_OF_REACH, forget
    from hfclean.report.formatting import plural

    disable_progress_bar()
    if not args.yes:
        what = " and ".join([plural(len(args.rows), "id")] * bool(args.rows) + args.people)
        print(f"purge {what} from {args.dir}? This cannot be undone. [y/N] ", end="", file=err)
        err.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("nothing was purged", file=err)
            if args.json:
                emit({"folder": args.dir, "rows": 0}, out)
            return
    done = forget(args.dir, args.rows, store=args.store, verdicts=args.verdicts, people=args.people)
    data: dict[str, Any] = {**asdict(done), "folder": str(done.folder), "out_of_reach": list(OUT_OF_REACH)}
    counts = {
        "row": (done.rows, "of the data"),
        "dropped row": (done.removed, ""),
        "change": (done.changes, "of the ledger"),
        "refused revision": (done.refused, ""),
        "masked text": (done.masked, ""),
        "answer": (done.answers, "of models"),
        "part": (done.parts, "of stopped runs"),
        "verdict": (done.verdicts, ""),
    }
    purged = [f"{plural(count, name)} {where}".strip() for name, (count, where) in counts.items() if count]
    lines = [f"{done.folder}  purged {', '.join(purged) or 'a name'}", *done.notes, "not reached from here:"]
    tell(args, out, lambda: data, lambda: "\n".join([*lines, *(f"  {each}" for each in OUT_OF_REACH)]))
