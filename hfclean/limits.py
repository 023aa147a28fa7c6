"""How much is read of a file that somebody else may have written, and what its record may say of how rows are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["LARGEST_RECORD", "check_parquet", "read_json", "reading_of"]

LARGEST_RECORD = 50_000_000  # bytes of JSON
LONGEST_PREFIX, LONGEST_COLUMN, MOST_COLUMNS = 100, 1_000, 100


def read_json(file: Path, most: int = LARGEST_RECORD) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than `most` bytes, no UTF-8, no JSON, or nested deeper than can be read.
    """
    with file.open("rb") as f:
        content = f.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes, and no file of its kind does")
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError as e:
        raise ValueError("it is nested deeper than anything that hfclean writes") from e


def check_parquet(file: Any, *, most_bytes: int, most_values: int) -> None:
    """Stop at an open `ParquetFile` whose own footer says that it unpacks to more than anybody reads at once.

    A small file may hold one value a billion times. What is read is bounded by the numbers of values and bytes that
    the footer states; a reader that finds others stops at them.

    Raises:
        ValueError: says how much it is.
    """
    about = file.metadata
    values = size = 0
    for k in range(about.num_row_groups):
        group = about.row_group(k)
        size += max(group.total_byte_size, 0)
        for column in range(group.num_columns):
            chunk = group.column(column)
            values += max(chunk.num_values, 0)
    if size > most_bytes or values > most_values:
        raise ValueError(
            f"it unpacks to {values:,} values and {size:,} bytes; at most {most_values:,} and {most_bytes:,} are read"
        )


def reading_of(about: Mapping[str, Any]) -> tuple[Any, str]:
    """The `columns` and the `prefix` that a record says its rows are read with.

    Raises:
        ValueError: they are none that hfclean writes.
    """
    columns, prefix = about.get("columns"), about.get("prefix", "")
    if not isinstance(prefix, str) or len(prefix) > LONGEST_PREFIX or not (prefix.isprintable() or not prefix):
        raise ValueError(f"prefix is {prefix!r:.60}; expected at most {LONGEST_PREFIX} printable characters")
    if columns is None:
        return None, prefix
    names = [columns] if isinstance(columns, str) else columns
    if isinstance(columns, Mapping):
        names = [name for pair in columns.items() for name in pair]
        if len(columns) > MOST_COLUMNS:
            raise ValueError(f"columns has {len(columns):,} entries; expected at most {MOST_COLUMNS}")
    if not isinstance(names, list) or not all(isinstance(n, str) and 0 < len(n) <= LONGEST_COLUMN for n in names):
        raise ValueError(f"columns is {columns!r:.60}; expected the name of a shape, or names of columns by role")
    return columns, prefix
