"""One shard of a dataset into a part, in place of all of it into a folder."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, opened, tell
from hfclean.cli.writing import check_out, write_cleaned
from hfclean.layout import Layout

# what describes the whole, and which value says nothing
OF_THE_WHOLE = {"drop_duplicates": False, "license": None, "language": None, "tokenizer": None, "max_tokens": 2048}


def write_rows(args: argparse.Namespace, out: TextIO, err: TextIO, **how: Any) -> None:
    """Clean what the options name into a folder, or with `--shard` into a part; `how` is that of `write_cleaned`."""
    check_near(args)
    if args.shard:
        write_shard(args, out, err, **how)
    else:
        write_cleaned(args, out, err, **how)


def check_near(args: argparse.Namespace) -> None:
    """
    Raises:
        UsageError: `--near` without `--shard`.
        HfcleanError: out of range.
    """
    if args.near is None:
        return
    if not args.shard:
        raise UsageError("--near without --shard: it is about parts; hfclean dedupe finds near-duplicates of a folder")
    from hfclean.selection.bands import NGRAM
    from hfclean.selection.duplicates import check_settings

    check_settings("near", args.near, NGRAM, None)


def write_shard(
    args: argparse.Namespace,
    out: TextIO,
    err: TextIO,
    *,
    reviser: Any = None,
    extra: tuple[Any, ...] = (),
    scorers: Sequence[Any] = (),
    score: Any = True,
) -> None:
    """Read what the options name, clean the shard, and write the part."""
    from hfclean.cleaned import Origin
    from hfclean.cleaning import row_by_row
    from hfclean.engines.parts import Shard, write_part
    from hfclean.kept_parts import KeptParts
    from hfclean.report.formatting import plural

    for name, usual in {**OF_THE_WHOLE, "source_id": None}.items():
        if getattr(args, name, usual) != usual:
            flag = "source" if name == "source_id" else name.replace("_", "-")
            raise UsageError(f"--{flag} with --shard: it is about the whole; say it to hfclean merge")
    target, shard = check_out(args), Shard.of(args.shard)
    with KeptParts() as kept_parts, opened(args, err, args.out) as (source, layout):
        gc.freeze()  # what was imported stays: it need not be searched for garbage over and over
        done = row_by_row(
            source.dataset,
            reviser=reviser,
            score=score,
            scorers=scorers,
            show=not args.quiet,
            strict=args.strict,
            num_proc=args.num_proc,
            kept_parts=kept_parts,
            chosen=shard,
        )
        own = Layout(layout.columns, layout.prefix)
        done = replace(done, origin=Origin(source.dataset, source, own, extra=extra))
        read = {"split": args.split, "config": args.config}
        about = write_part(
            target, done, shard, overwrite=args.overwrite, near=args.near, num_proc=args.num_proc, **read
        )
    rows, whole = sum(about.rows.values()), sum(about.source["rows"].values())
    data = {"out": str(target), "shard": about.name, "rows": dict(about.rows), "transforms": list(about.transforms)}
    text = (
        f"{target}  shard {about.name}: {rows:,} of {plural(whole, 'row')}; with the parts of the other shards: "
        "hfclean merge PART... --out DIR"
    )
    tell(args, out, lambda: data, lambda: text)
    if about.failures:
        from hfclean.models import BackendError

        out.flush()
        raise BackendError(
            f"{'; '.join(about.failures)}. {target} was written with these rows as they were. Look at the model and "
            "at what it says (--preview), then run the same command with --overwrite"
        )
