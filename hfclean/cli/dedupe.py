"""Find duplicate rows and keep one of each group.

Find rows that are duplicates of one another in each split, say how many, and write the rows that stay. IN may be all
parts that hfclean clean --shard wrote, in place of what hfclean merge makes of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hfclean.cli import options
from hfclean.cli.choosing import EMBEDDING, VECTORS, add_files, choose_rows
from hfclean.cli.reading import UsageError, layout_of, settle, unpacked
from hfclean.layout import Layout

if TYPE_CHECKING:
    from hfclean.source import Source

WITHOUT = "not all parts were made with --near {:g}, or runs are not of 3 words, so every row is read"


def add(command: argparse.ArgumentParser) -> None:
    options.source(command, pairs=False, prefixed=False)
    command.add_argument(
        "--method", choices=["exact", "near", "semantic"], default="near", help="the same text, Jaccard index, cosine"
    )
    command.add_argument("--threshold", type=float, default=0.7, metavar="T", help="above 0, at most 1 (default: 0.7)")
    command.add_argument("--ngram", type=int, default=3, metavar="N", help="near: words in a run (default: 3)")
    command.add_argument("--by", metavar="COLUMN", help="keep the row with the highest value (default: the first)")
    command.add_argument(
        "--field", action="append", metavar="NAME", help="compare only this (may be given several times)"
    )
    command.add_argument("--vectors", default=EMBEDDING, metavar="COLUMN", help="semantic: " + VECTORS)
    command.add_argument(
        "--complete",
        action=argparse.BooleanOptionalAction,
        help="near, semantic: compare all pairs, or only likely ones (default: all up to 100,000 rows)",
    )
    options.processes(command)
    add_files(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.records.part import is_part
    from hfclean.selection.duplicates import dedupe as keep

    def choose(ds: Any, columns: Any, _: str) -> Any:
        return keep(
            ds,
            args.method,
            args.threshold,
            args.ngram,
            args.by,
            args.field,
            column=args.vectors,
            columns=columns,
            complete=args.complete,
            num_proc=args.num_proc,
        )

    named = [args.source] if isinstance(args.source, str) else args.source
    if any(is_part(Path(name).expanduser()) for name in named):
        _of_parts(args, out, err, named, choose)
    else:
        choose_rows(args, out, err, choose, by_vectors=args.method == "semantic")


def _of_parts(
    args: argparse.Namespace, out: TextIO, err: TextIO, named: list[str], choose: Callable[..., Any]
) -> None:
    """The same for the whole that parts make, near-duplicates by what each part says of its rows."""
    from datasets import DatasetDict

    from hfclean.engines.merging import merged
    from hfclean.engines.near import by_bands, lacks_bands
    from hfclean.engines.reading import check_files, read_parts
    from hfclean.selection.duplicates import check_settings
    from hfclean.selection.rows import Picks
    from hfclean.source import one_split

    if args.config:
        raise UsageError("--config with parts: they were made of one configuration")
    check_settings("dedupe", args.threshold, args.ngram, args.complete)
    parts = read_parts(named)
    for part in parts:
        check_files(part)
    about = parts[0].about
    near = args.method == "near" and not args.field and (args.split is None or args.split in about.rows)

    @contextmanager
    def whole(args: argparse.Namespace, err: TextIO, out: str | None) -> Iterator[tuple[Source, Layout]]:
        with unpacked(args, out) as cache:
            cleaned = merged(parts, cache_dir=cache)
            assert cleaned.origin is not None
            filled = DatasetDict({name: part for name, part in cleaned.dataset.items() if len(part)})
            source = replace(cleaned.origin.source, dataset=filled)  # a folder has no file for a split without rows
            source = source if args.split is None else one_split(source, args.split)
            for note in source.notes:
                print(f"note: {note}", file=err)
            settle(args, source.dataset, err)
            yield source, layout_of(args)

    def by_parts(ds: Any, columns: Any, split: str) -> Any:
        if near and columns == about.layout.columns:
            if lacks_bands(parts, split, args.threshold, args.ngram, args.complete):
                print(f"note: {WITHOUT.format(args.threshold)}", file=err)
            groups = by_bands(parts, split, args.threshold, args.ngram, args.by, args.complete)
            if groups is not None:
                return Picks(groups.kept, groups)
        return choose(ds, columns, split)

    choose_rows(args, out, err, by_parts, by_vectors=args.method == "semantic", reading=whole)
