"""Vectors: a column of a dataset as one array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hfclean.errors import ColumnError
from hfclean.passes import RELEASED, narrowed, release

BATCH = 1000


def read_vectors(ds: Any, column: str, who: str, dtype: Any = np.float64) -> Any:
    """The vectors as an array (rows, width) of this type; nan in the rows that have none. Nulls in a list are nan.

    Args:
        ds: a `Dataset` that has the column.
        who: the beginning of error messages.

    Raises:
        ColumnError: no vectors in it, or vectors of different lengths.
    """
    found = list(vector_blocks(ds, column, who, dtype))
    width = max((block.shape[1] for block in found), default=0)
    whole = [block if block.shape[1] else np.full((len(block), width), np.nan, dtype) for block in found]
    return np.concatenate(whole) if whole else np.empty((0, 0), dtype)


def vector_blocks(ds: Any, column: str, who: str, dtype: Any = np.float64) -> Iterator[Any]:
    """The same a batch at a time; a batch in which no row has a vector may be of width 0."""
    width = 0
    for number, batch in enumerate(narrowed(ds, [column], "arrow").iter(BATCH), 1):
        block = _vectors(batch[column], column, who)
        with np.errstate(over="ignore"):  # values too large for the type become infinite
            block = block.astype(dtype, copy=False)
        if block.shape[1] and width and block.shape[1] != width:
            raise _uneven(column, who)
        width = width or block.shape[1]
        yield block
        if number % RELEASED == 0:
            release(ds)


def _vectors(chunks: Any, column: str, who: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    array = chunks.combine_chunks() if isinstance(chunks, pa.ChunkedArray) else chunks
    if hasattr(array, "storage"):
        array = array.storage
    kind = array.type
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if pa.types.is_null(kind):
        return np.empty((len(array), 0))
    if not listed or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise ColumnError(f"{who}: the column {column!r} holds {kind}; expected one list of numbers in every row")
    lengths = pc.list_value_length(array).to_numpy(zero_copy_only=False)
    there = np.asarray(array.is_valid())
    widths = np.unique(lengths[there])
    if len(widths) > 1:
        raise _uneven(column, who)
    width = int(widths[0]) if len(widths) else 0
    block = np.full((len(array), width), np.nan)
    if width:
        values = pc.list_flatten(array).to_numpy(zero_copy_only=False)
        block[there] = values.astype(np.float64).reshape(-1, width)
    return block


def _uneven(column: str, who: str) -> ColumnError:
    return ColumnError(f"{who}: the vectors in the column {column!r} have different lengths; expected one length")
