"""Rows into a `Dataset` on the disk, typed by all of them, with nothing changed that a type can hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfclean.errors import SchemaError
from hfclean.schema import Columns, detect
from hfclean.transform import CACHES
from hfclean.values import Kinds, features_of, spelled, table_of

BATCH_ROWS = 1000
BATCH_SIZE = 1 << 24


def dataset_of(
    parts: Mapping[str, Sequence[Iterable[dict[str, Any]]]],
    *,
    columns: Columns,
    key: str,
    cache_dir: Path,
    notes: list[str],
) -> Any:
    """A `DatasetDict` of rows; every split has the same columns and types.

    Args:
        parts: for each split, what its rows are read from; gone through twice.
        columns: which columns hold what, as every transform takes it.
        key: what the dataset is known by: equal keys mean equal rows.
        cache_dir: where the rows are put.
        notes: what had to be changed is added to it.
    """
    from datasets import Dataset, DatasetDict, DatasetInfo, NamedSplit
    from datasets.table import MemoryMappedTable

    kinds: dict[str, Kinds] = {}
    for sources in parts.values():
        for rows in sources:
            for row in rows:
                for name, value in row.items():
                    place = kinds.get(name)
                    if place is None:
                        place = kinds[name] = Kinds()
                    place.add(value)
    features = features_of(kinds, exact=_texts(kinds, columns))
    places = [path for name, place in kinds.items() for path in place.large_places(name)]
    large = {name for name, place in kinds.items() if place.large_places(name)}
    notes += _notes(kinds, places)
    cache_dir = cache_dir / CACHES
    cache_dir.mkdir(parents=True, exist_ok=True)
    splits, digits = {}, set[str]()
    for split, sources in parts.items():
        file = cache_dir / f"rows-{key[:16]}-{split}.arrow"
        partial = file.with_suffix(f".partial-{os.getpid()}")  # another process may have the old one in its memory
        _write(partial, sources, features, large, digits)
        partial.replace(file)
        table = MemoryMappedTable.from_file(str(file))
        info = DatasetInfo(features=features)
        splits[split] = Dataset(table, info=info, split=NamedSplit(split), fingerprint=f"{key[:12]}{split}"[:64])
    if digits:
        notes.append(
            f"numbers among text in {', '.join(map(repr, sorted(digits)[:5]))} that Json() would round: kept as their "
            "digits"
        )
    return DatasetDict(splits)


def _texts(names: Iterable[str], columns: Columns) -> tuple[str, ...]:
    try:
        return detect(tuple(names), columns).columns
    except SchemaError:
        return ()


def _notes(kinds: Mapping[str, Kinds], large: Sequence[str]) -> list[str]:
    mixed = [name for name, place in kinds.items() if place.mixes_text]
    notes = []
    if mixed:
        notes.append(
            f"cells of several types in the columns {', '.join(map(repr, mixed[:5]))}: each stays what it is, and the "
            "column's type is Json()"
        )
    if large:
        notes.append(f"whole numbers of more than 64 bits in {', '.join(map(repr, large[:5]))}: kept as their digits")
    return notes


def _write(
    file: Path, sources: Iterable[Iterable[dict[str, Any]]], features: Any, large: set[str], digits: set[str]
) -> None:
    import pyarrow as pa

    schema = features.arrow_schema
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        batch: list[dict[str, Any]] = []
        size = 0
        for rows in sources:
            for row in rows:
                batch.append(row)
                size += sum(len(value) for value in row.values() if isinstance(value, str))
                if len(batch) == BATCH_ROWS or size > BATCH_SIZE:
                    digits |= _rounded(batch, features)
                    writer.write_table(table_of(batch, features, large))
                    batch, size = [], 0
        if batch:
            digits |= _rounded(batch, features)
            writer.write_table(table_of(batch, features, large))


def _rounded(rows: Sequence[Mapping[str, Any]], features: Any) -> set[str]:
    """The `Json()` columns with numbers that their reader would round."""
    from datasets import Json

    return {
        name
        for name, feature in features.items()
        if isinstance(feature, Json) and any(type(row.get(name)) is float and not spelled(row[name]) for row in rows)
    }
