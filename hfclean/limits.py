"""How much is read of a file that somebody else may have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["check_parquet", "read_json"]

LARGEST_JSON = 50_000_000  # bytes


def read_json(file: Path, most: int = LARGEST_JSON) -> Any:
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
