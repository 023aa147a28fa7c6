"""Rows: a dataset read once as texts, scores or vectors, for selections that need the whole column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfclean.errors import ColumnError, HfcleanError
from hfclean.layout import Layout
from hfclean.passes import appended, column_batches
from hfclean.schema import Pair
from hfclean.scorers.vectors import read_vectors, vector_blocks
from hfclean.selection.row_context import undecoded
from hfclean.text.thoughts import with_thought

ROLES = {"instruction": "instruction", "input": "input", "response": "response", "output": "response"}


class Picks(list[int]):
    """Row indices in dataset order, as `ds.select` takes them, that know how they came about.

    Attributes:
        order: the same indices in the order in which they were picked.
        report: what was found on the way; its `summary()` says it in plain words.
    """

    def __init__(self, indices: Sequence[int], report: Any) -> None:
        super().__init__(sorted(indices))
        self.order = tuple(indices)
        self.report = report


def check_dataset(ds: Any, who: str) -> None:
    """
    Raises:
        HfcleanError: not one whole `Dataset`.
    """
    if not hasattr(ds, "select") or not hasattr(ds, "column_names"):
        raise HfcleanError(
            f"{who} needs one Dataset that can be selected from, got {type(ds).__name__}. A DatasetDict: one split at "
            "a time, ds['train']; a streaming dataset: Dataset.from_list(list(ds)); a list: Dataset.from_list(rows)"
        )


def check_count(value: Any, what: str, least: int = 0) -> None:
    """
    Args:
        what: the call up to the name of the argument: `diverse(n`.

    Raises:
        HfcleanError: `value` is not a whole number of `least` or more.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise HfcleanError(f"{what}={value!r}): expected a whole number of {least} or more")


def is_number(value: Any) -> bool:
    """Whether it is an integer or a float, not a truth value."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def pairs(ds: Any, layout: Layout) -> Iterator[Pair]:
    """The last pair of every row.

    Raises:
        SchemaError: rows of no known shape.
    """
    if len(ds) == 0:
        return
    view = layout.view(ds.column_names)
    names = list(view.columns)
    for batch in column_batches(undecoded(ds), names):
        for cells in zip(*(batch[name] for name in names), strict=True):
            yield view.pairs(dict(zip(names, cells, strict=True)))[-1]


def texts(ds: Any, fields: str | Sequence[str] | None, layout: Layout, who: str) -> Iterator[tuple[str, ...]]:
    """The texts of every row that are compared: the named fields, else all of the row.

    Raises:
        ColumnError: a field is neither a column nor a part of a pair.
    """
    names = check_fields(ds, fields, who)
    if names is None:
        return (
            (*(turn.text for turn in pair.history), pair.instruction, pair.input, with_thought(pair))
            for pair in pairs(ds, layout)
        )
    return zip(*(_field(ds, name, layout) for name in names), strict=True)


def check_fields(ds: Any, fields: str | Sequence[str] | None, who: str) -> list[str] | None:
    """The names of these fields; None where none are named.

    Raises:
        ColumnError: a field is neither a column nor a part of a pair.
    """
    if fields is None:
        return None
    names = [fields] if isinstance(fields, str) else list(fields)
    unknown = [name for name in names if name not in ds.column_names and name not in ROLES]
    if unknown or not names:
        raise ColumnError(
            f"{who}(fields={fields!r}): no such field; expected columns of {ds.column_names}, or some of instruction, "
            "input, response"
        )
    return names


def _field(ds: Any, name: str, layout: Layout) -> Iterator[str]:
    if name not in ds.column_names:
        return (getattr(pair, ROLES[name]) for pair in pairs(ds, layout))
    return (_text(value) for batch in column_batches(ds, [name]) for value in batch[name])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def numbers(ds: Any, column: str, who: str) -> Any:
    """A numeric column as float64; nan where a row has none, infinite ones as well.

    Raises:
        ColumnError: the column is missing or not numeric.
    """
    if column not in ds.column_names:
        raise ColumnError(f"{who}: no column {column!r} in {ds.column_names}. Score first: ds.map(hfclean.score)")
    values = list(ds.with_format(None)[column])
    odd = next((value for value in values if value is not None and not isinstance(value, (int, float))), None)
    if odd is not None:
        raise ColumnError(f"{who}: the column {column!r} holds {type(odd).__name__}, not numbers")
    floats = np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    floats[~np.isfinite(floats)] = np.nan
    return floats


@dataclass(frozen=True)
class Vectors:
    """The rows that have a vector, and these vectors with length one.

    Args:
        rows: int64 array of row indices, ascending.
        unit: float64 array (rows, width), every row one long; float32 from `stored_vectors`.
        without: rows with no vector: null, nan or infinite.
        zero: rows whose vector is all zero, which has no direction.
    """

    rows: Any
    unit: Any
    without: int
    zero: int

    def notes(self, where: str) -> list[str]:
        """Notes about rows that have none."""
        reasons = [(self.without, "no vector, or nan in it"), (self.zero, "a vector of zeros")]
        return [f"{count:,} rows have {what}: {where}" for count, what in reasons if count]


def vectors(ds: Any, column: str, who: str) -> Vectors:
    """The column of vectors, each made one long.

    Raises:
        ColumnError: no such column, no vectors in it, or vectors of different lengths.
    """
    _check_column(ds, column, who)
    unit, there, without = _directions(read_vectors(ds, column, who))
    return Vectors(np.flatnonzero(there), unit, without, len(there) - without - len(unit))


def stored_vectors(ds: Any, column: str, who: str) -> Vectors:
    """The same of very many rows, as float32 in a file beside those of the dataset (see `passes.appended`).

    Raises:
        ColumnError: as `vectors`.
        OSError: the disk is full.
    """
    _check_column(ds, column, who)
    places, width, without = [np.empty(0, np.int64)], 0, 0

    def directions() -> Iterator[Any]:
        nonlocal width, without
        start = 0
        for block in vector_blocks(ds, column, who):
            unit, there, missing = _directions(block)
            places.append(start + np.flatnonzero(there))
            width, without, start = width or block.shape[1], without + missing, start + len(block)
            yield unit

    flat = appended(directions(), np.float32, ds)
    rows = np.concatenate(places)
    return Vectors(rows, flat.reshape(len(rows), width), without, len(ds) - without - len(rows))


def _check_column(ds: Any, column: str, who: str) -> None:
    if column not in ds.column_names:
        raise ColumnError(
            f"{who}: no column {column!r} in {ds.column_names}. Add it first: ds.map(hfclean.scorers.Embed(), "
            "batched=True), or name another"
        )


def _directions(raw: Any) -> tuple[Any, Any, int]:
    """The vectors that have a direction, each made one long; which ones these are; and how many are not finite."""
    finite = np.isfinite(raw).all(1) if raw.shape[1] else np.zeros(len(raw), bool)
    raw[~finite] = 0
    most = np.abs(raw).max(1, initial=0)
    there = most > 0
    unit = raw[there] / most[there, None]  # so that squares neither overflow nor vanish
    unit /= np.sqrt(np.einsum("ij,ij->i", unit, unit))[:, None]
    return unit, there, int((~finite).sum())
