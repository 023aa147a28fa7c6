"""Rows chosen from every split: what was found is said, and the rows that stay are written."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hfclean.cli import options
from hfclean.cli.reading import opened, tell
from hfclean.cli.writing import check_file, write_files
from hfclean.errors import FolderError
from hfclean.layout import Layout

if TYPE_CHECKING:
    from hfclean.source import Source

EMBEDDING = "embedding"
EXAMPLES = 2
LONGEST_SUMMARY = 100_000  # characters
OUT = "write the rows that stay to this .jsonl, .parquet or .csv file, one for each split (default: only report)"
VECTORS = "the column of vectors (default: embedding, made here with hfclean.scorers.Embed if missing)"


def add_files(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", metavar="FILE", help=OUT)
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    options.formulas(command)
    command.add_argument("--report", metavar="FILE", help="write what was found as JSON")


def choose_rows(
    args: argparse.Namespace,
    out: TextIO,
    err: TextIO,
    choose: Callable[[Any, Any, str], Any],
    *,
    beside: bool = False,
    by_vectors: bool = False,
    check: Callable[[Any], None] | None = None,
    reading: Callable[..., AbstractContextManager[tuple[Source, Layout]]] = opened,
) -> None:
    """Choose rows of every split, say what was found, and write them.

    Args:
        args, out, err: as of a command.
        choose: the indices of the rows that stay, of a split, the columns as they are read, and its name.
        beside: compare with plain choices.
        by_vectors: rows are chosen by vectors, which are made where there are none.
        check: sees every split first.
        reading: opens what the command is about, as `opened` does.
    """
    from hfclean.cli.terminal import visible
    from hfclean.selection.plain_choices import baselines

    check_file(args)
    report_file = Path(args.report).expanduser() if args.report else None
    if report_file is not None and not report_file.parent.is_dir():
        raise FolderError(f"--report {args.report!r}: no such folder; create it, or choose another")
    results: dict[str, Any] = {}
    words: list[str] = []
    written: dict[str, int] = {}
    with reading(args, err, args.out) as (source, layout):
        kept = {}
        if check is not None:
            for ds in source.dataset.values():
                check(ds)
        for split, ds in source.dataset.items():
            seen = _embedded(ds, layout.columns, err) if by_vectors and args.vectors == EMBEDDING else ds
            chosen = choose(seen, layout.columns, split)
            kept[split] = ds.select(list(chosen))
            reports = [chosen.report] if hasattr(chosen, "report") else []
            if beside:
                reports.append(baselines(ds, chosen, columns=layout.columns))
            results[split] = {"rows": len(ds), "kept": len(chosen)}
            for report in reports:
                results[split] |= {type(report).__name__.lower(): report.to_dict()}
            summaries = [visible(each.summary(), LONGEST_SUMMARY) for each in reports]
            shown = "" if args.json else _examples(split, ds, chosen, Layout(layout.columns))
            words += [f"split {split}:" if len(source.dataset) > 1 else "", *summaries, shown]
        if args.out:
            written = write_files(kept, args, err)
    if report_file is not None:
        report_file.write_text(json.dumps(results) + "\n", encoding="ascii")
    words += [f"{name}  {count:,} rows" for name, count in written.items()]
    tell(args, out, lambda: {"splits": results, "files": written}, lambda: "\n".join(filter(None, words)))


def _examples(split: str, ds: Any, chosen: Any, layout: Layout) -> str:
    """A few rows that show what was found: a pair of duplicates, rows with an item of a benchmark, else the first
    that were chosen."""
    from hfclean.cli.rows_shown import shown_rows
    from hfclean.cli.terminal import columns_wide
    from hfclean.selection.decontamination import Decontamination
    from hfclean.selection.duplicates import DuplicateGroups

    report = getattr(chosen, "report", None)
    if isinstance(report, DuplicateGroups):
        pairs = [
            (best, next(row for row in group if row != best))
            for group, best in zip(report.groups, report.best, strict=True)
        ]
        title, places = "for example, kept and left out:", [row for pair in pairs[:EXAMPLES] for row in pair]
    elif isinstance(report, Decontamination):
        title, places = "for example, left out:", list(report.rows_hit[:EXAMPLES])
    else:
        title, places = "the first that were chosen:", list(chosen)[:EXAMPLES]
    if not places:
        return ""
    rows = shown_rows({split: ds}, [(split, int(row)) for row in places], layout)
    lines = "\n".join(row.text(columns_wide() - 2) for row in rows).split("\n")
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _embedded(ds: Any, columns: Any, err: TextIO) -> Any:
    """The rows with vectors, which are made where there are none."""
    if EMBEDDING in ds.column_names or not len(ds):
        return ds
    from hfclean.scorers.embedding import Embed

    embed = Embed(columns=columns)
    print(f"no column {EMBEDDING!r}: {len(ds):,} rows are read by {embed.settings()['model']}", file=err)
    return ds.map(embed, batched=True)
