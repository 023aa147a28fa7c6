"""Rows of CSV files: text as it stands, numbers only where every cell is written as its number is."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hfclean.errors import SourceError
from hfclean.source.lines import KEPT_BYTES
from hfclean.source.opening import Opened
from hfclean.values import INT64

WHOLE = re.compile("0|-?[1-9][0-9]{0,18}")
FLAGS = {"True": True, "False": False}
FIELD_LIMIT = 1 << 31


class CsvRows:
    """The rows of a CSV file: strings, until the columns are known that hold something else."""

    repaired = 0

    def __init__(self, file: Opened, separator: str | None = None) -> None:
        self.file = file
        self.separator = separator or ("\t" if file.suffix == ".tsv" else ",")
        self.converters: dict[str, Callable[[str], Any]] = {}
        self.header = self._header()
        self._kept: list[list[str]] | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        changes = [self.converters.get(name) for name in self.header]
        if not any(changes):
            for cells in self.cells():
                yield dict(zip(self.header, cells, strict=True))
            return
        for cells in self.cells():
            yield {
                name: change(cell) if change else cell
                for name, change, cell in zip(self.header, changes, cells, strict=True)
            }

    def _header(self) -> list[str]:
        with self._reader() as reader:
            names: list[str] = next((row for row in reader if row), [])
        return _distinct(names)

    def cells(self) -> Iterator[list[str]]:
        """The cells of each row, as they are written.

        Raises:
            SourceError: a row has more or fewer cells than the header.
        """
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[list[str]] | None = []
        size = 0
        with self._reader() as reader:
            rows = (row for row in reader if row)
            next(rows, None)
            for row in rows:
                if len(row) != len(self.header):
                    raise SourceError(
                        f"{self.file.name!r}, line {reader.line_num}: {len(row)} cells, and the header has "
                        f"{len(self.header)}. Quote cells that hold the separator, or save the file as .jsonl"
                    )
                if kept is not None:
                    kept.append(row)
                    size += sum(map(len, row))
                    if size > KEPT_BYTES:
                        kept = None
                yield row
        self._kept = kept

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        limit = csv.field_size_limit(FIELD_LIMIT)
        reader: Any = None
        try:
            with self.file.stream() as f, io.TextIOWrapper(f, encoding="utf-8-sig", newline="") as text:
                reader = csv.reader(text, delimiter=self.separator, strict=True)
                yield reader
        except csv.Error as e:
            raise SourceError(f"{self.file.name!r} cannot be read as csv: line {reader.line_num}: {e}") from e
        except UnicodeDecodeError as e:
            raise SourceError(
                f"{self.file.name!r} is not UTF-8 (after line {reader.line_num}); convert it first, for example with "
                "iconv"
            ) from e
        finally:
            csv.field_size_limit(limit)


def _distinct(names: list[str]) -> list[str]:
    """Names as pandas gives them to columns that have none, or one that was there before."""
    unique_names: list[str] = []
    for n, name in enumerate(names):
        base = name or f"Unnamed: {n}"
        count, unique = 0, base
        while unique in unique_names or (count and unique in names):
            count += 1
            unique = f"{base}.{count}"
        unique_names.append(unique)
    return unique_names


def converters(files: Iterable[CsvRows], text: Iterable[str]) -> dict[str, Callable[[str], Any]]:
    """Which columns of all these files hold numbers, or True and False, in every cell; the others hold text.

    A cell is a number if the number, written, gives the cell again: 007, +5, 1e5 and 1.50 are text.
    """
    text = set(text)
    left: dict[str, dict[str, Callable[[str], Any]]] = {}
    for file in files:
        places = [(n, name) for n, name in enumerate(file.header) if name not in text]
        for _, name in places:
            left.setdefault(name, dict(_KINDS))
        places = [(n, name) for n, name in places if left[name]]
        for cells in file.cells():
            failed = False
            for n, name in places:
                cell = cells[n]
                for kind in [kind for kind in left[name] if not _IS[kind](cell)]:
                    del left[name][kind]
                    failed = True
            if failed:
                places = [(n, name) for n, name in places if left[name]]
    return {name: next(iter(kinds.values())) for name, kinds in left.items() if kinds}


def _is_whole(cell: str) -> bool:
    return WHOLE.fullmatch(cell) is not None and INT64[0] <= int(cell) <= INT64[1]


def _is_real(cell: str) -> bool:
    if not cell or cell[0] not in "-0123456789" or cell[-1] not in "0123456789":
        return False
    try:
        number = float(cell)
    except ValueError:
        return False
    return math.isfinite(number) and repr(number) == cell


_KINDS: dict[str, Callable[[str], Any]] = {"flag": FLAGS.__getitem__, "whole": int, "real": float}
_IS: dict[str, Callable[[str], bool]] = {"flag": FLAGS.__contains__, "whole": _is_whole, "real": _is_real}
