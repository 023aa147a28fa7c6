"""Rows into files: one for each split, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hfclean.cli.reading import UsageError
from hfclean.errors import FolderError

__all__ = ["check_file", "write_files"]

WRITERS = {".jsonl": "to_json", ".parquet": "to_parquet", ".csv": "to_csv"}


def check_file(target: Path) -> None:
    """
    Raises:
        UsageError: the name says no kind of file that can be written.
    """
    if target.suffix not in WRITERS:
        raise UsageError(f"--out {target.name!r}: wanted a file that ends in {', '.join(WRITERS)}")


def write_files(splits: Mapping[str, Any], target: Path, *, overwrite: bool) -> dict[str, int]:
    """Write every split into a file, named after it where there are several; the files, and their rows.

    Raises:
        FolderError: a file is there already, and `overwrite` is off.
    """
    files = {s: target if len(splits) == 1 else target.with_stem(f"{target.stem}-{s}") for s in splits}
    for file in files.values():
        if file.exists() and not overwrite:
            raise FolderError(f"the file {file.name!r} is there already; name another, or replace it with --overwrite")
    written = {}
    for split, part in splits.items():
        partial = files[split].with_name(f".{files[split].name}.partial-{os.getpid()}")
        options: dict[str, Any] = {"force_ascii": False} if target.suffix == ".jsonl" else {}
        try:
            getattr(part, WRITERS[target.suffix])(str(partial), **options)
            partial.replace(files[split])
        finally:
            partial.unlink(missing_ok=True)
        written[str(files[split])] = len(part)
    return written
