"""Rows of JSON and JSON-lines files as Python reads them; errors name the line."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from hfclean.errors import SchemaError, SourceError
from hfclean.limits import DEEPEST_ROW, nested_deeply
from hfclean.outside_names import may_name_split
from hfclean.schema import Columns, detect
from hfclean.schema.messages import ROLE_KEYS
from hfclean.source.opening import Opened

SURROGATE = re.compile("[\ud800-\udfff]")
ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
KEPT_BYTES = 1 << 23  # rows of smaller files are kept while they are read twice
SPLITS = frozenset(("train", "training", "test", "testing", "validation", "valid", "val", "dev", "eval", "evaluation"))
BLANK = b" \t\r\n"

_Rows = Iterable[dict[str, Any]]


class _JsonLines:
    """The rows of a JSON-lines file, read again each time they are gone through, unless the file is small."""

    def __init__(self, file: Opened) -> None:
        self.file = file
        self.repaired = 0
        self._kept: list[dict[str, Any]] | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[dict[str, Any]] | None = []
        size, repaired = 0, 0
        names: dict[str, str] = {}
        for number, line, last in _lines(self.file):
            row = _row(self.file.name, number, line, last)
            if ESCAPED_SURROGATE.search(line) and _has_surrogates(row):
                row = _without_surrogates(row, self.file.name, names)
                repaired += 1
            size += len(line)
            if kept is not None:
                kept.append(row)
                if size > KEPT_BYTES:
                    kept = None
            yield row
        self.repaired, self._kept = repaired, kept


class _NamedRows:
    """Rows that are in memory already, of a file whose name messages may need."""

    def __init__(self, name: str, rows: list[Any]) -> None:
        self.repaired = 0
        names: dict[str, str] = {}
        for n, row in enumerate(rows):
            if not isinstance(row, dict):
                raise SourceError(f"{name!r}, row {n} is {type(row).__name__}; expected an object with columns")
            if _has_surrogates(row):
                rows[n] = _without_surrogates(row, name, names)
                self.repaired += 1
        self.rows = rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)


def _lines(file: Opened) -> Iterator[tuple[int, bytes, bool]]:
    """The lines that are not blank, each with its number, and whether nothing follows."""
    with file.stream() as f:
        before: tuple[int, bytes] | None = None
        for number, line in enumerate(f, 1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line.strip(BLANK):
                continue
            if before:
                yield *before, False
            before = number, line
        if before:
            yield *before, True


def _row(name: str, number: int, line: bytes, last: bool) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as e:
        raise _not_utf8(name, f"line {number}, byte {e.start}") from e
    except ValueError as e:
        cut = " The file seems to be cut off there." if last and number > 1 else ""
        text = line.decode("utf-8").rstrip("\r\n")
        raise SourceError(
            f"{name!r}, line {number} is not valid JSON: {e}.{cut} It reads {text[:60]!r}... Repair or delete that "
            "line"
        ) from e
    except RecursionError as e:
        raise _too_deep(f"{name!r}, line {number}") from e
    if not isinstance(row, dict):
        raise SourceError(f"{name!r}, line {number} is {type(row).__name__}; expected an object with columns")
    if nested_deeply(row, line):
        raise _too_deep(f"{name!r}, line {number}")
    return row


def _too_deep(where: str) -> SourceError:
    return SourceError(
        f"{where} is nested too deeply to be read: more than {DEEPEST_ROW} levels of lists and objects. Delete that "
        "row, or put what is nested into a string"
    )


def _not_utf8(name: str, where: str) -> SourceError:
    return SourceError(f"{name!r} is not UTF-8 ({where}); convert it first, for example with iconv")


def json_parts(file: Opened, columns: Columns, notes: list[str]) -> dict[str | None, _Rows]:
    """The rows of a JSON or JSON-lines file, by split; `None` where it names none.

    Raises:
        SourceError: not JSON, or JSON that holds no rows.
    """
    first, whole = _beginning(file, columns)
    if not whole:
        return {None: _JsonLines(file)}
    with file.stream() as f:
        data = f.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise _not_utf8(file.name, f"near byte {e.start}") from e
    try:
        value = json.loads(text)
    except RecursionError as e:
        raise _too_deep(repr(file.name)) from e
    except ValueError as e:
        if first == b"[":
            raise SourceError(f"{file.name!r} is not valid JSON: {e}") from e
        return {None: _JsonLines(file)}  # JSON lines under another suffix, or a line that is broken
    if nested_deeply(value, text):
        raise _too_deep(repr(file.name))
    try:
        parts = _rows_of(file.name, value, columns, notes)
    except SourceError:
        if first == b"[" or file.suffix == ".json":
            raise
        return {None: _JsonLines(file)}
    return {split: _NamedRows(file.name, rows) for split, rows in parts.items()}


def _beginning(file: Opened, columns: Columns) -> tuple[bytes, bool]:
    """The first character, and whether the file may be one JSON value rather than one a line."""
    for _, line, last in _lines(file):
        first = line.lstrip(BLANK)[:1]
        if first == b"[" or file.suffix == ".json":
            return first, True
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return first, not last
        return first, last and isinstance(value, dict) and _may_be_table(value, columns)
    return b"", False


def _may_be_table(value: dict[str, Any], columns: Columns) -> bool:
    """Whether one line may be a whole table rather than a row: pandas' to_json() writes it so."""
    cells = list(value.values())
    if not cells or not all(isinstance(cell, (dict, list)) and cell for cell in cells):
        return False
    split = {"data", "columns"} <= set(value) or {"data", "schema"} <= set(value)
    splits = not SPLITS.isdisjoint(value) and all(map(_are_rows, cells))
    return split or splits or is_shape(value, columns) or all(isinstance(cell, dict) for cell in cells)


# ------------------------------------------------------------------------------------------- one value, many layouts


def _rows_of(name: str, value: Any, columns: Columns, notes: list[str]) -> dict[str | None, list[Any]]:
    if isinstance(value, list):
        if value and all(isinstance(row, list) for row in value):
            raise SourceError(
                f"{name!r} is a list of lists, so its columns have no names (pandas' orient='values'); write it with "
                "orient='records'"
            )
        return {None: value}
    if not isinstance(value, dict) or not value:
        raise SourceError(f"{name!r} is one {type(value).__name__}; expected a list of rows, or one row a line")
    rows = _laid_out(name, value, columns, notes)
    if rows is not None:
        return {None: rows}
    if splits := _splits(name, value, columns, notes):
        return splits
    raise SourceError(
        f"{name!r} is one object with the keys {list(value)[:6]}, which is not one row and neither columns nor splits "
        "of rows; expected a list of rows, or one row a line"
    )


def _laid_out(name: str, value: dict[str, Any], columns: Columns, notes: list[str]) -> list[Any] | None:
    """The rows of one object that is a table of one split, in any of the layouts that people write."""
    cells = list(value.values())
    if all(isinstance(cell, dict) for cell in cells):
        rows = _by_index(name, value, columns)
        turns = is_shape(value, columns) and all(not set(ROLE_KEYS).isdisjoint(cell) for cell in cells)
        return [value] if rows is None and turns else rows
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):  # pandas' orient="split"
        names, rows = value["columns"], value["data"]
        if all(isinstance(row, list) and len(row) == len(names) for row in rows):
            return [dict(zip(map(str, names), row, strict=True)) for row in rows]
    if isinstance(value.get("schema"), dict) and _are_rows(value.get("data")):  # pandas' orient="table"
        index = set(value["schema"].get("primaryKey", ())) & {"index"}
        return [{key: cell for key, cell in row.items() if key not in index} for row in value["data"]]
    lists = [key for key, cell in value.items() if isinstance(cell, list)]
    if is_shape(value, columns):
        lengths = {len(value[key]) for key in lists}
        if len(lists) == len(cells) and len(lengths) == 1 and not _is_row(value, columns):
            return _by_column(value)
        return [value]
    tables = [key for key in lists if _are_rows(value[key])]
    if len(value) == 1 and tables and tables[0] not in SPLITS:
        return list(value[tables[0]])
    shaped = [key for key in tables if is_shape(value[key][0], columns)]
    if len(shaped) == 1 and shaped[0] not in SPLITS:
        notes.append(
            f"{name}: the rows under {shaped[0]!r} were read, and {_listed(value, shaped)} beside them left out"
        )
        return list(value[shaped[0]])
    if not lists and not any(isinstance(cell, dict) for cell in cells):
        return [value]
    if len(lists) == len(cells) and not tables and len({len(value[key]) for key in lists}) == 1:
        return _by_column(value)
    return None


def _listed(value: Iterable[str | None], read: Collection[str]) -> str:
    return ", ".join([repr(other) for other in value if other not in read][:6])


def _by_column(value: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def is_shape(names: Iterable[str], columns: Columns) -> bool:
    """Whether rows with these columns are of a shape that is known."""
    try:
        detect(tuple(names), columns)
    except SchemaError:
        return False
    return True


def _is_row(value: Mapping[str, Any], columns: Columns) -> bool:
    """Whether the cells of this object are conversations, not columns of them."""
    cells = [value[name] for name in detect(tuple(value), columns).columns]
    return any(_are_rows(cell) and any(isinstance(cell[0].get(key), str) for key in ROLE_KEYS) for cell in cells)


def _by_index(name: str, value: dict[str, dict[str, Any]], columns: Columns) -> list[Any] | None:
    """Columns by index or rows by index, as pandas writes them; `None` where it is neither."""
    inner = list(dict.fromkeys(key for cell in value.values() for key in cell))
    if is_shape(value, columns) and not set(ROLE_KEYS) & set(inner):
        if any(set(cell) != set(inner) for cell in value.values()):
            raise SourceError(
                f"{name!r} is one object of columns ({list(value)[:6]}) whose rows differ; expected the same rows in "
                "each (pandas' orient='columns'), or one row a line"
            )
        return [{column: cells[key] for column, cells in value.items()} for key in inner]
    if is_shape(inner, columns) and all(set(cell) == set(inner) for cell in value.values()):
        if any(isinstance(cell, list) for row in value.values() for cell in row.values()) and SPLITS & set(value):
            return None  # splits, each of which is columns
        return list(value.values())
    return None


def _splits(
    name: str, value: dict[str, Any], columns: Columns, notes: list[str]
) -> dict[str | None, list[Any]] | None:
    """An object of splits: under each name a list of rows, or columns. What stands beside rows and is none is left
    out, and noted."""
    splits: dict[str | None, list[Any]] = {}
    for split, part in value.items():
        rows: list[Any] | None = None
        if isinstance(part, list) and all(isinstance(row, dict) for row in part):
            rows = part
        elif isinstance(part, dict) and part:
            rows = _laid_out(name, part, columns, notes)
        # rows of a known shape are a split whatever they are called: the name is checked with those of all sources
        if rows is not None and (may_name_split(split) or (rows and is_shape(rows[0], columns))):
            splits[split] = rows
    shaped = [split for split, rows in splits.items() if rows and is_shape(rows[0], columns)]
    if not any(str(split).lower() in SPLITS for split in shaped):
        usual = any(str(split).lower() in SPLITS for split in splits)
        named = all(may_name_split(str(split)) for split in splits)
        whole = (
            named
            and len(splits) == len(value)
            and (usual or (shaped and len(shaped) == sum(map(bool, splits.values()))))
        )
        return splits if whole else None
    kept = {split: rows for split, rows in splits.items() if split in shaped or not rows}
    if len(kept) < len(value):
        read, beside = _listed(kept, ()), _listed(value, [str(split) for split in kept])
        notes.append(f"{name}: the splits {read} were read, and {beside} beside them left out")
    return kept


# ------------------------------------------------------------------------------------------------------- surrogates


def _has_surrogates(value: Any) -> bool:
    """Whether a lone surrogate, or half of a pair, stands in a text of a value."""
    if isinstance(value, str):
        return not value.isascii() and SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_surrogates(key) or _has_surrogates(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_surrogates, value))


def _without_surrogates(value: Any, file: str, names: dict[str, str]) -> Any:
    """The value with lone surrogates replaced and halves joined: no Arrow string can hold them.

    Args:
        value: a row, or a part of one.
        file: what it was read from, for messages.
        names: the names so far, as they are spelled now and as they were; new ones are added.

    Raises:
        SourceError: two names become the same.
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item, file, names) for item in value]
    if not isinstance(value, dict):
        return value
    spelled = {}
    for key, item in value.items():
        new = _without_surrogates(key, file, names)
        if (other := names.setdefault(new, key)) != key:
            raise SourceError(
                f"{file!r}: the names {other!a} and {key!a} differ only in lone surrogates, which no Arrow "
                "string can hold: rename one where it was written"
            )
        spelled[new] = _without_surrogates(item, file, names)
    return spelled
