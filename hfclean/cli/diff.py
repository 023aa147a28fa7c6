"""Compare two versions of a dataset.

Compare two versions of a dataset: what changed, what was removed, how the scores moved.
"""

import argparse
from pathlib import Path
from typing import TextIO

from hfclean.cli import options
from hfclean.cli.reading import given, layout_of, reader, tell


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("before", metavar="A", help="the earlier version: a file, a folder or a Hub id")
    command.add_argument("after", metavar="B", help="the later version")
    command.add_argument("--first", type=int, default=10, metavar="N", help="show the first N changes (default: 10)")
    command.add_argument("--html", metavar="FILE", help="also write the whole report as one HTML file")
    options.reading(command)
    options.prefix(command)
    command.set_defaults(cleaned=("before", "after"))


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cli.render import describe_change
    from hfclean.cli.terminal import columns_wide
    from hfclean.report import compare

    with reader(args, err) as read:
        report = compare(read(args.before).dataset, read(args.after).dataset, **given(layout_of(args)))
        if args.html:
            report.save_html(args.html, title=f"{Path(args.before).name} and {Path(args.after).name}")
    more = report.changes - args.first
    changes = [f"\n{describe_change(edit)}" for edit in report.edits[: max(args.first, 0)]]
    changes += [f"\n... {more} more changes (--first, or --html FILE for all)"] if more > 0 else []
    tell(args, out, report.to_dict, lambda: "\n".join([report.summary(columns_wide()), *changes]))
