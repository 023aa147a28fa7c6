"""Put originals back in a cleaned folder.

Put the originals back: all of them, what one rule changed, or one row. Rows that people excluded come back, unless one
rule is undone. The folder is replaced; with --out, another is written.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hfclean.cli import options
from hfclean.cli.folders import find_excluded, find_row
from hfclean.cli.reading import tell, unpacked
from hfclean.errors import FolderError, RestoreError, SourceError

if TYPE_CHECKING:
    from hfclean.folder import CleanedFolder


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("dir", metavar="DIR", help="a folder that hfclean wrote")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--rule", metavar="ID", help="only what this rule changed")
    what.add_argument("--row", metavar="ID", action="append", help="only this row (may be given several times)")
    command.add_argument("--out", metavar="DIR2", help="write here and leave DIR as it is")
    command.add_argument("--json", action="store_true", help="print JSON")
    options.processes(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cleaned import Cleaned
    from hfclean.cli.terminal import columns_wide
    from hfclean.folder import check_target, read_folder, write_folder
    from hfclean.ownership import is_own
    from hfclean.restoration import originals, restore
    from hfclean.reviser.refused import still_refused
    from hfclean.source import Source

    target = Path(args.out).expanduser() if args.out else Path(args.dir)
    if args.out:
        check_target(target, overwrite=True)
        if target.exists():
            raise FolderError(
                f"the folder {target.name!r} already exists; name another, or leave out --out to change DIR itself"
            )
    with unpacked(args, str(target)) as cache:
        folder = read_folder(args.dir, cache_dir=cache)
        about, is_ours = folder.about, is_own(folder.path)
        prefix = folder.layout.prefix
        if not any(prefix + "edit_history" in part.column_names for part in folder.dataset.values()):
            raise RestoreError(f"{args.dir}: everything was put back before; nothing is left to undo")
        rows = [_row_id(folder, row) for row in args.row or ()] or None
        if args.rule is None:
            folder = _with_excluded(folder, rows)
        else:
            from hfclean.rules import select_rules

            select_rules(only=(args.rule,))
        after = restore(folder.dataset, rule=args.rule, rows=rows, prefix=prefix, num_proc=args.num_proc)
        # of what is left masked, the report shows nothing else
        before = originals(folder.dataset, prefix=prefix) if args.rule or rows else after
        done = {"by": "restore", **({"rule": args.rule} if args.rule else {}), **({"rows": rows} if rows else {})}
        source = Source(
            before, about["source"]["name"], about["source"]["kind"], about["source"]["fingerprint"], folder.card
        )
        stated = about["stated"]
        report = write_folder(
            target,
            Cleaned(
                after,
                folder.removed,
                (*about["transforms"], done),
                refused=still_refused(folder.refused, after, folder.layout),
            ),
            before=before,
            source=source,
            overwrite=not args.out,
            license=stated["license"],
            language=stated["language"],
            source_id=stated["source"],
            layout=folder.layout,
            own=is_ours,
            scored=folder.dataset,
        )
    data = {"out": str(target), "report": report.to_dict(edits=False)}
    done_to = "wrote" if args.out else "rewrote"
    tell(args, out, lambda: data, lambda: f"{report.summary(columns_wide())}\n\n{done_to} {target}")


def _row_id(folder: "CleanedFolder", row: str) -> str:
    """The id of a row of the data, or of one that people excluded."""
    try:
        split, k = find_row(folder, row)
    except SourceError:
        if name := find_excluded(folder.removed, folder.layout, row):
            return name
        raise
    return str(folder.dataset[split][k][folder.layout.own("row_id")])


def _with_excluded(folder: "CleanedFolder", rows: list[str] | None) -> "CleanedFolder":
    """The folder with the rows that people excluded back in their places: all of them, or these."""
    from hfclean.verdicts.excluded import whole, without

    old = whole(folder.dataset, folder.removed, folder.layout)
    stays = {name: reason for name, reason in old.reasons.items() if rows is not None and name not in rows}
    data, removed = without(old.dataset, old.dropped, stays, folder.layout)
    kind = type(folder.dataset)
    return replace(folder, dataset=kind(data), removed=kind(removed) if removed else None)
