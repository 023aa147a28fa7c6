"""Rows into files: one for each split, whole or not at all."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli.reading import UsageError, emit
from hfclean.durable import new_file
from hfclean.errors import FolderError
from hfclean.values import decoded, has_json, has_media, loaded

__all__ = ["check_file", "tell_files", "write_files"]

BATCH_ROWS = 1000
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
            if target.suffix == ".jsonl":
                _json_lines(part.with_format(None), partial)
            else:
                part = decoded(part) if target.suffix == ".parquet" else _as_text(part.with_format(None))
                getattr(part, WRITERS[target.suffix])(str(partial))
        written[str(files[split])] = len(part)
    return written


def _json_lines(part: Any, file: Path) -> None:
    """JSON lines in which every number has all its digits; `to_json` of pandas rounds them."""
    if not all(map(_is_json, part.features.values())):
        part.to_json(str(file), force_ascii=False)
        return
    stored = [name for name, feature in part.features.items() if has_json(feature)]
    with file.open("w", encoding="utf-8", newline="\n") as f:
        for batch in part.with_format("arrow").iter(BATCH_ROWS):
            for row in batch.to_pylist():
                row |= {name: loaded(row[name], part.features[name]) for name in stored}
                f.write(_line(row) + "\n")


def _line(row: Any) -> str:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(row), ensure_ascii=False)


def _finite(value: Any) -> Any:
    """The value with null in the place of nan and infinity, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def _is_json(feature: Any) -> bool:
    """Whether JSON has this type as Arrow hands it out."""
    from datasets import Json, Value

    if isinstance(feature, Mapping):
        return all(map(_is_json, feature.values()))
    if hasattr(feature, "feature"):
        return _is_json(feature.feature)
    if isinstance(feature, Value):
        return feature.dtype in ("string", "large_string", "bool", "float64", "null") or "int" in feature.dtype
    return isinstance(feature, Json)


def _as_text(part: Any) -> Any:
    """The rows for a CSV file: cells of several types as their text, strings among them without quotes."""
    from datasets import Json, Value

    names = [name for name, feature in part.features.items() if isinstance(feature, Json)]
    for name in names:
        cells = [loaded(cell, Json()) for cell in part.with_format("arrow")[:][name].to_pylist()]
        told = [
            cell if cell is None or isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in cells
        ]
        order = part.column_names
        part = part.remove_columns(name).add_column(name, told, feature=Value("string")).select_columns(order)
    return part


def tell_files(args: argparse.Namespace, out: TextIO, written: Mapping[str, int]) -> None:
    """Print what `write_files` wrote."""
    if args.json:
        emit({"files": dict(written)}, out)
    else:
        for name, count in written.items():
            print(f"{name}  {count:,} rows", file=out)
