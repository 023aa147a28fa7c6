"""Transforms for engines that take what a function returns in place of the whole row, where `datasets` merges."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hfclean.engines.costs import KeptUsage
from hfclean.errors import HfcleanError
from hfclean.models import ModelSpec, ModelTransform
from hfclean.provenance import HISTORY, own_columns
from hfclean.schema import plain
from hfclean.transform import Transform, stored_array, usual_type


@dataclass(frozen=True)
class WholeRows:
    """What `whole_rows` gives: a callable that can be pickled.

    Attributes:
        transform: what is done.
        schema: the types of the columns that go in, an Arrow schema; or `None`.
    """

    transform: Callable[[Any], Any]
    schema: Any = None

    def __call__(self, batch: Any) -> Any:
        """All columns of a batch, as an Arrow table."""
        return self.transform(self._table(batch))

    def _table(self, batch: Any) -> Any:
        """The batch as an Arrow table, every column with the type that it had.

        Raises:
            HfcleanError: another form than a table, a frame of pandas, or a mapping of columns, such as one row.
        """
        import pyarrow as pa

        if isinstance(batch, pa.RecordBatch):
            return pa.Table.from_batches([batch])
        if isinstance(batch, pa.Table):
            return batch
        if not hasattr(batch, "columns") and not isinstance(batch, Mapping):
            raise HfcleanError(
                f"whole_rows got a {type(batch).__name__}; expected a batch: an Arrow table, a frame of pandas, or a "
                "dict of columns"
            )
        if one := next((str(name) for name, cells in _items(batch) if _is_one_value(cells)), None):
            raise HfcleanError(
                f"whole_rows got one row ({one!r} holds one value, not one for each row); expected a batch of rows: "
                "map_batches in place of map"
            )
        names = list(batch.columns if hasattr(batch, "columns") else batch)
        cells = {str(name): _cells(batch[name]) for name in names}
        prefix = self.transform.prefix if isinstance(self.transform, Transform) else ""
        ours = own_columns(cells, prefix) if prefix + HISTORY in cells else ()
        arrays = {name: self._array(name, column, nan=name in ours) for name, column in cells.items()}
        metadata = self.schema.metadata if self.schema is not None else None
        return pa.table(arrays).replace_schema_metadata(metadata)

    def _array(self, name: str, cells: list[Any], *, nan: bool) -> Any:
        import pyarrow as pa

        if not nan:  # a null of numbers is nan in numpy and pandas, and nan stands for itself in a score alone
            cells = [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells]
        if self.schema is not None and name in self.schema.names:
            return stored_array(cells, self.schema.field(name).type)
        array = pa.array(cells)
        return array.cast(usual_type(array.type, text=False))


def whole_rows(transform: Callable[[Any], Any], schema: Any = None) -> WholeRows:
    """A transform for `map_batches` of Ray Data, and other engines that replace the whole row: every column comes out.

    `datasets` merges the columns that a transform returns with those of the row. Ray Data takes them in place of the
    row: `map_batches(hfclean.score)` would lose every column of its own, and is refused. An engine that hfclean does
    not recognize would lose them silently.

    Args:
        transform: of hfclean, or of yours.
        schema: the types of the columns that go in: an Arrow schema, or what `ds.schema()` of Ray gives. Batches of
            numpy and pandas do not say them: without it, a whole number beside a null comes back as a float, a column
            that is null in all rows of a batch has no type, and JSON is text. Batches of Arrow
            (`batch_format="pyarrow"`) have it, and are the fastest.

    Returns:
        a callable that takes a batch in any format, and gives an Arrow table of all its columns and the new ones.

    >>> import hfclean
    >>> rows = hfclean.engines.whole_rows(hfclean.revise)
    >>> table = rows({"prompt": ["Name a fruit."], "completion": ["An apple.</s>"], "rank": [7]})
    >>> table["completion"].to_pylist(), table["rank"].to_pylist()
    (['An apple.'], [7])
    """
    return WholeRows(transform, getattr(schema, "base_schema", schema))


class OwnStore:
    """A model's transform as a stateful actor of Ray Data, with a file of answers of its own.

        ds.map_batches(hfclean.engines.OwnStore, fn_constructor_args=(reviser, "answers"), concurrency=2)

    Processes of several machines cannot share one file of answers. Each actor takes the first file in `folder` that no
    other actor of its machine holds, and keeps it as long as it lives: the one that replaces a killed actor finds
    its answers there. Afterwards `hfclean cache merge` puts the files together. What actors asked and what it cost is
    in `*.usage.json` beside them, for `finish`: take a new folder for another dataset.

    Args:
        transform: a reviser or scorer that asks a model. `max_cost` and the like count for each actor by itself.
        folder: where the files are, on every machine; made where it is missing.
        schema: see `whole_rows`.

    Attributes:
        path: the file of this actor.
    """

    def __init__(self, transform: ModelTransform, folder: str | Path, schema: Any = None) -> None:
        place = Path(folder).expanduser().resolve()
        place.mkdir(parents=True, exist_ok=True)
        self.path, self._lock = _free_store(place)
        store, given = str(self.path), transform
        if isinstance(transform.model, ModelSpec):
            transform = replace(transform, model=replace(transform.model, store=store))
        else:
            transform = replace(transform, store=store)
        self._usage = KeptUsage(self.path, given, transform)
        self._rows = whole_rows(transform, schema)

    def __call__(self, batch: Any) -> Any:
        """All columns of a batch, as an Arrow table."""
        self._usage.begin()
        rows = self._rows(batch)
        self._usage.keep()
        return rows


def _free_store(folder: Path) -> tuple[Path, FileLock]:
    """The first file of answers of this machine that nobody holds, with the lock on it: it ends with the process."""
    for number in count(1):
        path = folder / f"answers-{platform.node()}-{number}.sqlite3"
        lock = FileLock(f"{path}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return path, lock
    raise AssertionError  # there is always a next number


def _cells(column: Any) -> list[Any]:
    """A column of numpy, pandas or lists as plain Python values."""
    held: Any = getattr(column, "array", None)  # of a Series, what pandas has in Arrow's types
    if hasattr(held, "__arrow_array__"):
        values: list[Any] = held.__arrow_array__().to_pylist()
        return values
    return [None if _is_missing(cell) else cell for cell in plain(list(column))]


def _items(batch: Any) -> Iterable[tuple[Any, Any]]:
    return batch.items() if isinstance(batch, Mapping) else ()


def _is_one_value(cells: Any) -> bool:
    """Whether this is a value of a row, and no column of a batch."""
    return isinstance(cells, (str, bytes, Mapping)) or not hasattr(cells, "__len__")


def _is_missing(cell: Any) -> bool:
    """Whether this is the sign of pandas for what is missing."""
    return type(cell).__name__ in ("NAType", "NaTType")
