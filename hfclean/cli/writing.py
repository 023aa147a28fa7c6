"""Rows into files: one for each split, whole or not at all."""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, emit
from hfclean.durable import new_file
from hfclean.errors import FolderError
from hfclean.values import decoded, has_json, has_media, loaded

__all__ = ["check_file", "tell_files", "write_files"]

BATCH_ROWS = 1000
SUFFIXES = (".jsonl", ".parquet", ".csv")


def check_file(name: str) -> Path:
    """`--out` where rows go into a file.

    Raises:
        UsageError: no file of a kind that can be written.
    """
    target = Path(name).expanduser()
    if target.suffix not in SUFFIXES:
        raise UsageError(f"--out {target.name!r}: wanted a file that ends in {', '.join(SUFFIXES)}")
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
    for part in made.values():
        media = [name for name, feature in part.features.items() if has_media(feature)]
        if media and target.suffix != ".parquet":
            raise FolderError(
                f"the column {media[0]!r} holds pictures or sound, which {target.suffix} cannot hold; choose a "
                ".parquet file"
            )
    written = {}
    for split, part in made.items():
        with new_file(files[split]) as partial:
            if target.suffix == ".parquet":
                decoded(part).to_parquet(str(partial))
            else:
                (_json_lines if target.suffix == ".jsonl" else _csv)(part, partial, target.name)
        written[str(files[split])] = len(part)
    return written


def _json_lines(part: Any, file: Path, name: str) -> None:
    """JSON lines in which every number has all its digits; `to_json` of pandas rounds them."""
    with file.open("w", encoding="utf-8", newline="\n") as f:
        for row in _rows(part):
            f.write(_line(row, name) + "\n")


def _csv(part: Any, file: Path, name: str) -> None:
    """A CSV file: strings as they stand, whole numbers as such beside blank cells, lists and objects as JSON."""
    with file.open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(part.column_names)
        for row in _rows(part):
            writer.writerow(_cell(value, name) for value in row.values())


def _rows(part: Any) -> Iterator[dict[str, Any]]:
    """The rows as they are stored: neither rounded by the reader of `Json()` nor made into arrays."""
    part = part.with_format(None)
    stored = {name: feature for name, feature in part.features.items() if has_json(feature)}
    for batch in part.with_format("arrow").iter(BATCH_ROWS):
        for row in batch.to_pylist():
            yield row | {name: loaded(row[name], feature) for name, feature in stored.items()}


def _cell(value: Any, name: str) -> Any:
    if isinstance(value, (list, dict)):
        return _line(value, name)
    return value if value is None or isinstance(value, (str, int, float)) else _spelled_out(value, name)


def _line(value: Any, name: str) -> str:
    def other(part: Any) -> str:
        return _spelled_out(part, name)

    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=other)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=other)


def _spelled_out(value: Any, name: str) -> str:
    """What JSON and CSV have no type for, as text.

    Raises:
        FolderError: bytes that are no text.
    """
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as e:
            raise FolderError(
                f"{name!r}: a cell holds {len(value):,} bytes that are not text, which this file cannot hold; choose "
                "a .parquet file"
            ) from e
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _finite(value: Any) -> Any:
    """The value with null in the place of nan and infinity, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def tell_files(
    args: argparse.Namespace, out: TextIO, written: Mapping[str, int], losses: Mapping[str, int] | None = None
) -> None:
    """Print what `write_files` wrote, and for machines what was left out on the way."""
    if args.json:
        emit({"files": dict(written)} | ({} if losses is None else {"losses": dict(sorted(losses.items()))}), out)
    else:
        for name, count in written.items():
            print(f"{name}  {count:,} rows", file=out)
