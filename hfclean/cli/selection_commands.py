"""What `dedupe`, `decontaminate` and `select` do: choose rows, say what was found, write the rows that stay."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, columns_of, emit, notes, unpacked
from hfclean.cli.writing import check_file, write_files
from hfclean.errors import FolderError

__all__ = ["add_commands", "decontaminate", "dedupe", "select"]

EMBEDDING = "embedding"
OUT = "write the rows that stay to this .jsonl, .parquet or .csv file, one for each split (default: only say it)"
VECTORS = "the column of vectors (default: embedding, made here with hfclean.Embed if it is not there)"


def add_commands(verbs: Any, source: Callable[[argparse.ArgumentParser], None]) -> None:
    """The three subcommands; `source` adds the options of reading."""
    found = verbs.add_parser(
        "dedupe",
        help="find duplicate rows and keep one of each group",
        description="Find rows that are duplicates of one another in each split, say how many, and write the rows "
        "that stay.",
    )
    source(found)
    found.add_argument(
        "--method", choices=["exact", "near", "semantic"], default="near", help="the same text, Jaccard index, cosine"
    )
    found.add_argument("--threshold", type=float, default=0.7, metavar="T", help="above 0, at most 1 (default: 0.7)")
    found.add_argument("--ngram", type=int, default=3, metavar="N", help="near: words in a run (default: 3)")
    found.add_argument("--best", metavar="COLUMN", help="keep the row with the highest value (default: the first)")
    found.add_argument(
        "--field", action="append", metavar="NAME", help="compare only this (may be given several times)"
    )
    found.add_argument("--vectors", default=EMBEDDING, metavar="COLUMN", help="semantic: " + VECTORS)
    _output(found)

    found = verbs.add_parser(
        "decontaminate",
        help="find rows that hold items of benchmarks, and leave them out",
        description="Find rows that hold a question or an answer of a benchmark, name each, and write the rows that "
        "hold none.",
    )
    source(found)
    found.add_argument(
        "--against",
        action="append",
        required=True,
        metavar="WHAT",
        help="a .jsonl, .json or .parquet file of questions, the folder of a benchmark pack, or its Hub id (may be "
        "given several times)",
    )
    found.add_argument("--ngram", type=int, choices=[8, 13], default=8, help="words in a run (default: 8)")
    found.add_argument("--overlap", type=float, default=0.5, metavar="S", help="more than this share (default: 0.5)")
    found.add_argument("--fuzzy", type=float, default=0.8, metavar="S", help="of runs of 3 words (default: 0.8)")
    found.add_argument("--no-fuzzy", action="store_true", help="leave the fuzzy check out")
    _output(found)

    found = verbs.add_parser(
        "select",
        help="choose N rows by score and diversity, beside plain choices",
        description="Choose rows by score and diversity, and show what as many random, longest, shortest and first "
        "rows would be.",
    )
    source(found)
    found.add_argument("-n", "--n", type=int, required=True, metavar="N", help="how many rows")
    found.add_argument(
        "--method",
        choices=["top", "score_first", "k_center", "facility_location", "clusters", "score_times_distance"],
        default="score_first",
        help="how (default: score_first; all but top need vectors)",
    )
    found.add_argument("--by", metavar="COLUMN", help="the scores, higher = better")
    found.add_argument("--vectors", default=EMBEDDING, metavar="COLUMN", help=VECTORS)
    found.add_argument("--threshold", type=float, default=0.9, metavar="T", help="score_first: the highest cosine")
    found.add_argument("--seed", type=int, default=42, metavar="N", help="clusters (default: 42)")
    _output(found)


def _output(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", metavar="FILE", help=OUT)
    command.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    command.add_argument("--report", metavar="FILE", help="write what was found as JSON")


def dedupe(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Find duplicates."""
    from hfclean.selection.duplicates import dedupe as keep

    def choose(ds: Any, columns: Any) -> Any:
        return keep(
            ds,
            args.method,
            args.threshold,
            args.ngram,
            args.best,
            args.field,
            column=args.vectors,
            columns=columns,
        )

    _choose(args, out, err, choose, by_vectors=args.method == "semantic")


def decontaminate(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Find items of benchmarks."""
    from hfclean.selection.decontamination import decontaminate as keep

    def choose(ds: Any, columns: Any) -> Any:
        fuzzy = None if args.no_fuzzy else args.fuzzy
        return keep(ds, args.against, ngram=args.ngram, overlap=args.overlap, fuzzy=fuzzy, columns=columns)

    _choose(args, out, err, choose)


def select(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Choose rows."""
    from hfclean.selection import top
    from hfclean.selection.diversity import diverse

    if args.method == "top" and not args.by:
        raise UsageError("--method top needs scores: --by COLUMN")

    def choose(ds: Any, columns: Any) -> Any:
        if args.method == "top":
            return top(ds, by=args.by, n=args.n)
        return diverse(
            ds, args.n, args.method, by=args.by, column=args.vectors, threshold=args.threshold, seed=args.seed
        )

    _choose(args, out, err, choose, beside=True, by_vectors=args.method != "top")


def _choose(
    args: argparse.Namespace,
    out: TextIO,
    err: TextIO,
    choose: Callable[[Any, Any], Any],
    *,
    beside: bool = False,
    by_vectors: bool = False,
) -> None:
    """Choose rows of every split, say what was found, and write them."""
    from hfclean.selection.baselines import baselines
    from hfclean.source import load

    if args.out:
        check_file(args.out)
    report_file = Path(args.report).expanduser() if args.report else None
    if report_file is not None and not report_file.parent.is_dir():
        raise FolderError(f"--report {args.report!r}: there is no such folder; make it, or choose another")
    columns = columns_of(args.columns)
    told: dict[str, Any] = {}
    words: list[str] = []
    written: dict[str, int] = {}
    with unpacked(args, args.out) as cache:
        source = load(args.source, split=args.split, config=args.config, columns=columns, cache_dir=cache)
        notes(source, err)
        kept = {}
        for split, ds in source.dataset.items():
            seen = _embedded(ds, columns, err) if by_vectors and args.vectors == EMBEDDING else ds
            chosen = choose(seen, columns)
            kept[split] = ds.select(list(chosen))
            reports = [chosen.report] if hasattr(chosen, "report") else []
            if beside:
                reports.append(baselines(ds, chosen, columns=columns))
            told[split] = {"rows": len(ds), "kept": len(chosen)}
            for report in reports:
                told[split] |= {type(report).__name__.lower(): report.to_dict()}
            words += [f"split {split}:" if len(source.dataset) > 1 else "", *(r.summary() for r in reports)]
        if args.out:
            written = write_files(kept, args.out, overwrite=args.overwrite)
    if report_file is not None:
        report_file.write_text(json.dumps(told) + "\n", encoding="ascii")
    if args.json:
        emit({"splits": told, "files": written}, out)
        return
    print("\n".join(line for line in words if line), file=out)
    for name, count in written.items():
        print(f"{name}  {count:,} rows", file=out)


def _embedded(ds: Any, columns: Any, err: TextIO) -> Any:
    """The rows with vectors, which are made where there are none."""
    if EMBEDDING in ds.column_names or not len(ds):
        return ds
    from hfclean.scorers.embedding import Embed

    embed = Embed(columns=columns)
    print(f"no column {EMBEDDING!r}: {len(ds):,} rows are read by {embed.settings()['model']}", file=err)
    return ds.map(embed, batched=True)
