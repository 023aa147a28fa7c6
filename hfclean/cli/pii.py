"""Count, mask or drop e-mail addresses, phone numbers, keys, IP addresses and card numbers.

Count the personal data that has a form; changes nothing. With --mask, write the folder of hfclean clean with every
match replaced by its kind, such as [EMAIL]. No file of that folder holds what was masked: it is kept in HFCLEAN_HOME
on this machine, for hfclean undo. With --drop, write the rows without any to a file.
"""

import argparse
from collections import Counter
from typing import TextIO

from hfclean.cli import options
from hfclean.cli.reading import UsageError, given, layout_of, opened, tell
from hfclean.cli.writing import check_file, tell_files, write_cleaned, write_files
from hfclean.errors import FolderError

KINDS = ("key", "email", "card", "ip", "phone")


def add(command: argparse.ArgumentParser) -> None:
    options.source(command, pairs=False)
    options.output(command, required=False, needed=" (--mask), or the .jsonl, .parquet or .csv file (--drop)")
    command.add_argument("--kind", action="append", choices=KINDS, help="only this kind (may be given several times)")
    command.add_argument("--mask", action="store_true", help="replace every match by its kind")
    command.add_argument("--drop", action="store_true", help="drop the rows that have any")
    options.formulas(command)
    options.processes(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.reviser.pii import MaskPII

    if args.mask and args.drop:
        raise UsageError("--mask and --drop: one at a time")
    if args.mask and args.escape_formulas:
        raise UsageError("--escape-formulas is for --drop, which writes a file: leave it out")
    if args.mask:
        reviser = MaskPII(tuple(args.kind or MaskPII.kinds), **given(layout_of(args)))
        write_cleaned(args, out, err, reviser=reviser)
    else:
        _count(args, out, err)


def _count(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    """Count personal data, or write the rows without any."""
    from hfclean.cleaning import mapped
    from hfclean.scorers.personal import PII
    from hfclean.selection import keep

    if args.drop and not args.out:
        raise UsageError("--drop needs --out FILE")
    if args.out and not args.drop:
        raise UsageError("--out is for --mask or --drop; without them nothing is written")
    check_file(args)
    with opened(args, err, args.out) as (source, layout):
        report = PII(tuple(args.kind or KINDS), **given(layout))
        splits = source.dataset.items()
        scored = {split: mapped(part, report, f"searching {split}", args.num_proc) for split, part in splits}
        if args.drop:
            test = keep(layout.own("pii_count"), at_most=0)
            kept = {split: part.filter(test) for split, part in scored.items()}
            before = {split: part.column_names for split, part in source.dataset.items()}
            plain = {split: part.select_columns(before[split]) for split, part in kept.items() if len(part)}
            if not plain:
                raise FolderError("every row contains personal data; there is nothing to write")
            tell_files(args, out, write_files(plain, args, err))
            return
        rows: Counter[str] = Counter()
        finds = total = affected = 0
        for part in scored.values():
            total += len(part)
            if not len(part):
                continue
            for kinds, count in zip(part[layout.own("pii")], part[layout.own("pii_count")], strict=True):
                rows.update(kinds.split())
                finds += int(count)
                affected += bool(kinds)
    data = {"rows": total, "with_pii": affected, "finds": finds, "rows_by_kind": dict(rows)}
    lines = [f"{affected:,} of {total:,} rows contain personal data ({finds:,} matches)"]
    lines += [f"  {kind:<6} {rows[kind]:,} rows" for kind in KINDS if rows[kind]]
    tell(args, out, lambda: data, lambda: "\n".join(lines))
