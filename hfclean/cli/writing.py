"""Rows into files: one for each split, whole or not at all."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, emit
from hfclean.durable import new_file
from hfclean.errors import FolderError

__all__ = ["check_file", "tell_files", "write_files"]

WRITERS = {".jsonl": "to_json", ".parquet": "to_parquet", ".csv": "to_csv"}


def check_file(name: str) -> Path:
    """`--out` where rows go into a file.

    Raises:
        UsageError: no file of a kind that can be written.
    """
    target = Path(name).expanduser()
    if target.suffix not in WRITERS:
        raise UsageError(f"--out {target.name!r}: wanted a file that ends in {', '.join(WRITERS)}")
    return target


def write_files(made: Mapping[str, Any], name: str, *, overwrite: bool) -> dict[str, int]:
    """Write every split into a file, named after it where there are several; the rows of each by its name.

    Raises:
        FolderError: a file is there already, and `overwrite` is off.
    """
    target = check_file(name)
    files = {s: target if len(made) == 1 else target.with_stem(f"{target.stem}-{s}") for s in made}
    for file in files.values():
        if file.exists() and not overwrite:
            raise FolderError(f"the file {file.name!r} is there already; name another, or replace it with --overwrite")
    written = {}
    for split, part in made.items():
        options: dict[str, Any] = {"force_ascii": False} if target.suffix == ".jsonl" else {}
        with new_file(files[split]) as partial:
            getattr(part, WRITERS[target.suffix])(str(partial), **options)
        written[str(files[split])] = len(part)
    return written


def tell_files(args: argparse.Namespace, out: TextIO, written: Mapping[str, int]) -> None:
    """Print what `write_files` wrote."""
    if args.json:
        emit({"files": dict(written)}, out)
    else:
        for name, count in written.items():
            print(f"{name}  {count:,} rows", file=out)
