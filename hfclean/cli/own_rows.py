"""Rows of a folder that was written here, read from its parquet files alone: importing `datasets` takes a second."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from hfclean.durable import recover
from hfclean.errors import RecordError
from hfclean.layout import Layout
from hfclean.ownership import is_own
from hfclean.records.dataset import read_about

# What Arrow gives as `datasets` would.
PLAIN = frozenset(("string", "large_string", "bool", "int32", "int64", "float32", "float64"))


class OwnSplit:
    """As much of a `Dataset` as one row needs."""

    def __init__(self, files: Sequence[Path]) -> None:
        from pyarrow import memory_map
        from pyarrow.parquet import ParquetFile

        # as bytes: a name that is no text is none that Arrow takes
        self._files = [ParquetFile(memory_map(os.fsencode(file))) for file in files]

    @cached_property
    def column_names(self) -> list[str]:
        return list(self._files[0].schema_arrow.names)

    def __len__(self) -> int:
        return sum(file.metadata.num_rows for file in self._files)

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, str):
            return [cell for file in self._files for cell in file.read([key]).column(key).to_pylist()]
        groups = [(file, group) for file in self._files for group in range(file.num_row_groups)]
        ends = [*accumulate(file.metadata.row_group(group).num_rows for file, group in groups)]
        place = next(n for n, end in enumerate(ends) if key < end)
        file, group = groups[place]
        rows = file.read_row_group(group)
        return rows.slice(key - ends[place] + len(rows), 1).to_pylist()[0]

    @property
    def is_plain(self) -> bool:
        """Whether every column is of texts, numbers, and lists and objects of them."""
        metadata = (self._files[0].schema_arrow.metadata or {}).get(b"huggingface", b"{}")
        return _is_plain(json.loads(metadata).get("info", {}).get("features"))


def _is_plain(feature: Any) -> bool:
    if not isinstance(feature, dict):
        return False
    if feature.get("_type") == "Value":
        return feature.get("dtype") in PLAIN
    if feature.get("_type") == "List":
        return _is_plain(feature.get("feature"))
    return "_type" not in feature and all(map(_is_plain, feature.values()))


class OwnFolder(NamedTuple):
    """As much of a `CleanedFolder` as one row needs."""

    dataset: dict[str, OwnSplit]
    layout: Layout
    refused: None = None


def own_folder(folder: str) -> OwnFolder | None:
    """A folder that was written here; None for any other, and where it holds more than plain rows."""
    path = Path(folder)
    recover(path)
    if not is_own(path) or (path / "refused.parquet").exists():
        return None
    try:
        about = read_about(path)
    except (OSError, RecordError):  # reading the whole folder says what is wrong
        return None
    files = {split: sorted((path / "data").glob(f"{split}-*.parquet")) for split in about.source["rows"]}
    dataset = {split: OwnSplit(found) for split, found in files.items() if found}
    return OwnFolder(dataset, about.layout) if dataset and all(part.is_plain for part in dataset.values()) else None
