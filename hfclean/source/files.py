"""Files of rows: JSON and CSV are read here, parquet by `datasets`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hfclean.errors import SchemaError, SourceError
from hfclean.limits import check_unpacked
from hfclean.outside_names import as_text, split_names, text_path
from hfclean.schema import Columns, detect
from hfclean.source.cells import CsvRows, converters
from hfclean.source.lines import is_shape, json_parts
from hfclean.source.opening import Opened, digest_of, opened
from hfclean.source.source import Source, reason_of
from hfclean.source.table import dataset_of

SEPARATORS = (";", "\t", "|", ",")


@dataclass(frozen=True)
class Read:
    """What came of files that are read here."""

    dataset: Any
    fingerprint: str
    notes: tuple[str, ...]


def opened_files(paths: Sequence[Path]) -> list[Opened]:
    if len(paths) == 1 and paths[0].stat().st_size == 0:
        raise SourceError(f"{paths[0].name!r} is empty (0 bytes); expected at least one row")
    return [file for path in paths if path.stat().st_size for file in opened(path)]


def read_files(paths: Sequence[Path], columns: Columns, cache_dir: Path) -> Source:
    from datasets import DatasetDict, load_dataset
    from datasets.exceptions import DatasetGenerationError

    first = as_text(paths[0].name)
    name = first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"
    files = opened_files(paths)
    if not files:
        raise SourceError(f"{name!r}: every file is empty (0 bytes); expected at least one row")
    kinds = {file.loader for file in files}
    if "parquet" not in kinds:
        read = read_texts({"": files}, name, columns, cache_dir)
        return Source(read.dataset, name, "file", read.fingerprint, None, read.notes)
    if len(kinds) > 1:
        raise SourceError(f"{name!r}: parquet files beside {', '.join(sorted(kinds - {'parquet'}))}; read them apart")
    try:
        local = [text_path(file.to_disk(cache_dir / "unpacked"), cache_dir) for file in files]
        check_unpacked(local)
        names = [str(file) for file in local]
        dataset = load_dataset("parquet", data_files=names, split="train", cache_dir=str(cache_dir))
    except (DatasetGenerationError, StopIteration, ValueError, OSError) as e:
        if isinstance(e, SourceError):
            raise
        raise SourceError(f"{name!r} cannot be read as parquet: {reason_of(e)}") from e
    return Source(DatasetDict({"train": dataset}), name, "file", digest_of(list(paths)))


def read_texts(
    parts: Mapping[str, Sequence[Opened]],
    name: str,
    columns: Columns,
    cache_dir: Path,
    separator: str | None = None,
) -> Read:
    """JSON and CSV files as one dataset. Splits are those of the parts, or those that a file names, else `train`."""
    notes: list[str] = []
    splits: dict[str, list[Any]] = {}
    tables: list[CsvRows] = []
    for split, files in parts.items():
        for file in files:
            if file.loader == "csv":
                tables.append(CsvRows(file, separator) if separator else _csv_rows(file, columns, notes))
                found: dict[str | None, Any] = {None: tables[-1]}
            elif file.loader == "json":
                found = dict(json_parts(file, columns, notes))
            else:
                raise SourceError(f"{name!r} holds {file.name!r} beside text files; read them apart")
            for inner, rows in found.items():
                splits.setdefault(split or inner or "train", []).append(rows)
    names, renamed = split_names(splits, repr(name))
    splits = {names[split]: sources for split, sources in splits.items()}
    notes += renamed
    if tables:
        _type_cells(tables, columns)
    digest = digest_of(list(dict.fromkeys(file.path for files in parts.values() for file in files)))
    key = sha256(f"{digest}\0{columns}\0{list(splits)}".encode()).hexdigest()
    dataset = dataset_of(splits, columns=columns, key=key, cache_dir=cache_dir, notes=notes)
    if broken := sum(rows.repaired for sources in splits.values() for rows in sources):
        notes.append(
            f"{broken} rows of {name} held lone surrogates, which no Arrow string can hold: read as U+FFFD or joined"
        )
    return Read(dataset, digest, tuple(notes))


def _csv_rows(file: Opened, columns: Columns, notes: list[str]) -> CsvRows:
    """A CSV file with the separator that its suffix says, or the one that its header shows where that gives no rows
    of a known shape."""
    table = CsvRows(file)
    if is_shape(table.header, columns):
        return table
    for separator in SEPARATORS:
        other = CsvRows(file, separator) if any(separator in name for name in table.header) else table
        if other is not table and is_shape(other.header, columns):
            notes.append(f"{file.name}: its cells are separated by {separator!r}")
            return other
    return table


def _type_cells(tables: Sequence[CsvRows], columns: Columns) -> None:
    """Text columns of CSV files are read as they stand; others are numbers where every cell of every file is one."""
    text: set[str] = set()
    for table in tables:
        try:
            text |= set(detect(table.header, columns).columns)
        except SchemaError as e:
            raise SchemaError(f"{table.file.name}: {e}") from e
    found = converters(tables, text)
    for table in tables:
        table.converters = found
