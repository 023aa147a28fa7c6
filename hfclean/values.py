"""JSON values in Arrow columns, exactly: which type holds a column, and how its values are stored and read back.

`datasets` keeps values of several types as JSON text (`Json()`), and writing a string into such a place parses it: "4"
becomes 4, "null" nothing at all, "007" 7; numbers lose digits. Here a place is made `Json()` only where no other type
gives the values back, as far out as strings cannot stand there bare, and everything in it is encoded by `json`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from hfclean.passes import chunks

AT_ONCE = 20_000  # rows of which a table is made in memory
INT64 = (-(1 << 63), (1 << 63) - 1)
UINT64 = (0, (1 << 64) - 1)
DOUBLE = 1 << 53  # whole numbers up to here are the same as floats
SPELLINGS = ("{}", "{}0", "{}00", "{}0000", "{}00000", "{:.16g}", "{:.17g}", "{:.18g}", "{:.20g}")

WHOLE = re.compile("-?[0-9]+")

MIXED = object()  # strings among values of other types: no place to stand for JSON text


class Kinds:
    """What kinds of values stand at one place of many rows."""

    __slots__ = ("fields", "flag", "high", "items", "low", "maps", "other", "real", "seen", "text", "whole")

    def __init__(self) -> None:
        self.text = self.flag = self.whole = self.real = self.other = False
        self.low = self.high = 0
        self.seen = 0
        self.maps = 0
        self.items: Kinds | None = None
        self.fields: dict[str, Kinds] | None = None

    def add(self, value: Any) -> None:
        """Take one more value into account."""
        self.seen += 1
        kind = type(value)
        if kind is str:
            self.text = True
        elif value is None:
            return
        elif kind is dict:
            self.maps += 1
            if self.fields is None:
                self.fields = {}
            fields = self.fields
            for key, item in value.items():
                place = fields.get(key)
                if place is None:
                    place = fields[key] = Kinds()
                place.add(item)
        elif kind is list:
            if self.items is None:
                self.items = Kinds()
            for item in value:
                self.items.add(item)
        elif kind is bool:
            self.flag = True
        elif kind is int:
            self.low = min(value, self.low) if self.whole else value
            self.high = max(value, self.high) if self.whole else value
            self.whole = True
        elif kind is float:
            self.real = True
        else:
            self.other = True

    @property
    def is_json(self) -> bool:
        """Whether JSON has all that stands here: no bytes, dates or the like."""
        inner = [*(self.fields or {}).values(), *([self.items] if self.items else [])]
        return not self.other and all(place.is_json for place in inner)

    @property
    def is_mixed_number(self) -> bool:
        """Whether whole numbers and others stand here, and nothing else."""
        return self.whole and self.real and not (self.text or self.flag or self.items or self.fields is not None)

    @property
    def is_large(self) -> bool:
        """Whether whole numbers stand here that no Arrow integer holds."""
        return self.whole and not _within(self.low, self.high, INT64) and not _within(self.low, self.high, UINT64)

    @property
    def mixes_text(self) -> bool:
        """Whether strings and values of another type stand here."""
        others = self.flag or self.whole or self.real or self.items is not None or self.fields is not None
        return self.text and others

    def large_places(self, path: str = "") -> list[str]:
        """The places whose whole numbers exceed 64 bits."""
        found = [path] if self.is_large else []
        for key, place in (self.fields or {}).items():
            found += place.large_places(f"{path}.{key}" if path else key)
        return found + (self.items.large_places(f"{path}[]") if self.items else [])


def _within(low: int, high: int, limits: tuple[int, int]) -> bool:
    return limits[0] <= low and high <= limits[1]


def features_of(columns: Mapping[str, Kinds], exact: Iterable[str] = ()) -> Any:
    """The `Features` that give the values of these columns back.

    Args:
        columns: what stands in each column.
        exact: columns in which 1 and 1.0 are different texts.
    """
    from datasets import Features, Json

    exact, found = set(exact), {}
    for name, kinds in columns.items():
        feature = _feature(kinds)
        found[name] = Json() if feature is MIXED or (name in exact and kinds.is_mixed_number) else feature
    return Features(found)


def _feature(kinds: Kinds) -> Any:
    from datasets import Json, List, Value

    number = kinds.whole or kinds.real
    several = sum((kinds.text, kinds.flag, number, kinds.items is not None, kinds.fields is not None))
    if several == 0:
        return Value("null")
    if several > 1:
        return MIXED if kinds.text else Json()
    if kinds.text:
        return Value("string")
    if kinds.flag:
        return Value("bool")
    if number:
        return _number(kinds)
    if kinds.items is not None:
        item = _feature(kinds.items)
        return Json() if item is MIXED else List(item)
    fields = kinds.fields or {}
    if not fields or any(place.seen != kinds.maps for place in fields.values()):
        return Json()  # Arrow would fill in the keys that are not there
    features = {key: _feature(place) for key, place in fields.items()}
    return Json() if MIXED in features.values() else features


def _number(kinds: Kinds) -> Any:
    from datasets import Json, Value

    if kinds.real:
        return Value("float64") if not kinds.whole or max(-kinds.low, kinds.high) <= DOUBLE else Json()
    if kinds.is_large:
        return Value("string")
    return Value("int64") if _within(kinds.low, kinds.high, INT64) else Value("uint64")


# ----------------------------------------------------------------------------------------------------- into and out of


def has_json(feature: Any) -> bool:
    """Whether a feature has a `Json()` place."""
    from datasets import Json

    if isinstance(feature, Json):
        return True
    if isinstance(feature, Mapping):
        return any(map(has_json, feature.values()))
    return has_json(feature.feature) if hasattr(feature, "feature") else False


def stored(value: Any, feature: Any) -> Any:
    """A value as Arrow stores it: JSON text at `Json()` places, digits where no integer type is wide enough."""
    from datasets import Json, Value

    if value is None:
        return None
    if isinstance(feature, Json):
        if type(value) is float and spelled(value) is None:
            return json.dumps(json.dumps(value))  # a cell for itself: better its digits than other digits
        return _text(value)
    if isinstance(feature, Mapping):
        return {key: stored(value.get(key), inner) for key, inner in feature.items()}
    if hasattr(feature, "feature") and isinstance(value, (list, tuple)):
        return [stored(item, feature.feature) for item in value]
    if isinstance(feature, Value) and feature.dtype == "string" and type(value) is int:
        return str(value)
    return value


def _text(value: Any) -> str:
    """A value as JSON that `json` and the reader of `Json()` read alike; one that is nested too deeply, as `json` has
    it."""
    try:
        return _exact_text(value)
    except RecursionError:
        return json.dumps(value, ensure_ascii=False)


def _exact_text(value: Any) -> str:
    kind = type(value)
    if kind is float:
        return spelled(value) or json.dumps(value)
    if kind is int and not INT64[0] <= value <= UINT64[1]:
        return f'"{value}"'  # the reader fails on whole numbers of more than 64 bits
    if kind is dict:
        items = (f"{json.dumps(key, ensure_ascii=False)}: {_exact_text(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if kind is list or kind is tuple:
        return "[" + ", ".join(map(_exact_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def table_of(rows: Sequence[Mapping[str, Any]], features: Any, large: Iterable[str] = ()) -> Any:
    """An Arrow table of rows, every value as it is.

    Args:
        rows: values as JSON has them; a column that a row lacks is null.
        features: what `features_of` gave for these rows.
        large: the columns with whole numbers of more than 64 bits.
    """
    import pyarrow as pa

    large, schema, arrays = set(large), features.arrow_schema, []
    for name, feature in features.items():
        cells = [row.get(name) for row in rows]
        if name in large or has_json(feature):
            cells = [stored(cell, feature) for cell in cells]
        kind = schema.field(name).type
        arrays.append(_as_json(pa.array(cells, type=_bare(kind)), kind))
    return pa.Table.from_arrays(arrays, schema=schema)


def exact_dataset(rows: Collection[Mapping[str, Any]], folder: str | None = None) -> Any:
    """A `Dataset` that gives these rows back: `Dataset.from_list` fills in keys and fails on mixed types.

    Rows that hold what JSON lacks (bytes, dates) are left to `Dataset.from_list`.

    Args:
        rows: gone through several times.
        folder: where more than 20,000 of them are written; by default all are in memory.
    """
    import pyarrow as pa
    from datasets import Dataset, DatasetInfo
    from datasets.table import InMemoryTable, MemoryMappedTable

    kinds: dict[str, Kinds] = {}
    for row in rows:
        for name, value in row.items():
            place = kinds.get(name)
            if place is None:
                place = kinds[name] = Kinds()
            place.add(value)
    if not rows or not all(place.is_json for place in kinds.values()):
        return Dataset.from_list(list(rows))
    features = features_of(kinds)
    large = [name for name, place in kinds.items() if place.large_places()]
    info = DatasetInfo(features=features)
    if folder is None or len(rows) <= AT_ONCE:
        return Dataset(InMemoryTable(table_of([*rows], features, large)), info=info)
    file = Path(folder) / f"cache-{token_hex(8)}.arrow"
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, features.arrow_schema) as writer:
        for batch in chunks(rows):
            writer.write_table(table_of(batch, features, large))
    return Dataset(MemoryMappedTable.from_file(str(file)), info=info)


def _bare(kind: Any) -> Any:
    """The type with text in the place of JSON: Arrow builds no nested arrays of the latter."""
    import pyarrow as pa

    if isinstance(kind, pa.JsonType):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_bare(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _bare(field.type)) for field in kind])
    return kind


def _as_json(array: Any, kind: Any) -> Any:
    """An array of JSON text as one of the type that is expected."""
    import pyarrow as pa

    if array.type == kind:
        return array
    if isinstance(kind, pa.JsonType):
        return pa.ExtensionArray.from_storage(kind, array)
    if pa.types.is_list(kind):
        values = _as_json(array.values, kind.value_type)
        return pa.ListArray.from_arrays(array.offsets, values, type=kind, mask=array.is_null())
    fields = [_as_json(array.field(n), field.type) for n, field in enumerate(kind)]
    return pa.StructArray.from_arrays(fields, fields=list(kind), mask=array.is_null())


@lru_cache(maxsize=4096)
def spelled(number: float) -> str | None:
    """A spelling of a float that the reader of `Json()` gives back; `None` where it has none.

    That reader counts in tenths: to it 0.3 is 0.30000000000000004, and 0.30 is 0.3.
    """
    from datasets.utils.json import ujson_loads

    if not math.isfinite(number):
        return None
    written = repr(number)
    bare = "e" not in written
    places = [*(f"{{:.{n}e}}" for n in range(19)), *(f"{{:.{n}f}}" for n in range(1, 22))]
    for form in (*SPELLINGS, *places):
        text = form.format(written) if form.startswith("{}") else form.format(number)
        if form.startswith("{}0") and not bare:
            continue
        try:
            if float(text) == number and ujson_loads(text) == number and not WHOLE.fullmatch(text):
                return text
        except ValueError:  # more digits than it reads
            continue
    return None


def loaded(value: Any, feature: Any) -> Any:
    """The inverse of `stored`, digit by digit; the reader of `datasets` rounds the last digits of floats."""
    from datasets import Json

    if value is None:
        return None
    if isinstance(feature, Json):
        return json.loads(value)
    if isinstance(feature, Mapping):
        return {key: loaded(value.get(key), inner) for key, inner in feature.items()}
    if hasattr(feature, "feature") and isinstance(value, list):
        return [loaded(item, feature.feature) for item in value]
    return value


def stored_columns(columns: Mapping[str, list[Any]], data: Any) -> dict[str, list[Any]]:
    """The columns that a function under `map` is about to return, safe from being parsed.

    Cells of `Json()` columns are handed back as JSON text, which `datasets` keeps as it stands; in it, what the
    function left alone is what was stored.

    Args:
        columns: what the function made, by name.
        data: what `map` called it with; only the lazy forms of `datasets` know how their columns are stored.
    """
    out = dict(columns)
    features = getattr(getattr(data, "formatter", None), "features", None) or {}
    table = getattr(data, "pa_table", None)
    for name in columns:
        if table is None or name not in features or name not in table.column_names or not has_json(features[name]):
            continue
        feature, cells = features[name], table.column(name).to_pylist()
        before = data.format(name) if type(data).__name__ == "LazyBatch" else [data.format(name)]
        out[name] = stored_cells(columns[name], before, cells, feature)
    return out


def stored_cells(new: Sequence[Any], old: Sequence[Any], cells: Sequence[Any], feature: Any) -> list[Any]:
    """New values of a column with `Json()` as Arrow stores them: what is as before is what was stored.

    Args:
        new: the values.
        old: those before, as they were read.
        cells: those before, as they were stored.
        feature: the column's type.
    """
    return [
        cell if after == before and type(after) is type(before) else stored(_kept(after, before, was), feature)
        for after, before, cell in zip(new, old, cells, strict=True)
        for was in (loaded(cell, feature),)
    ]


def _kept(new: Any, old: Any, exact: Any) -> Any:
    """A new value, whose parts that are equal to the old one's are taken from the exact one."""
    try:
        return _with_kept(new, old, exact)
    except RecursionError:
        return new


def _with_kept(new: Any, old: Any, exact: Any) -> Any:
    if isinstance(new, dict) and isinstance(old, dict) and isinstance(exact, dict):
        return {
            key: _with_kept(item, old[key], exact[key]) if key in old and key in exact else item
            for key, item in new.items()
        }
    if isinstance(new, list) and isinstance(old, list) and isinstance(exact, list) and len(new) == len(old):
        return [_with_kept(*items) for items in zip(new, old, exact, strict=True)]
    return exact if type(new) is type(old) and new == old else new


# -------------------------------------------------------------------------------------------------- pictures and sound


def has_media(feature: Any) -> bool:
    """Whether a feature holds pictures, sound or the like."""
    if isinstance(feature, Mapping):
        return any(map(has_media, feature.values()))
    return has_media(feature.feature) if hasattr(feature, "feature") else _is_media(feature)


def kinds_of(feature: Any) -> set[str]:
    """The types of the values in a feature, however deep: those of plain values by their own names."""
    if isinstance(feature, Mapping):
        return set().union(*map(kinds_of, feature.values()))
    if isinstance(feature, (list, tuple)):
        return set().union(*map(kinds_of, feature))
    if getattr(feature, "feature", None) is not None:  # List, LargeList
        return kinds_of(feature.feature)
    name = type(feature).__name__
    return {str(feature.dtype) if name == "Value" else name}


def holds_text(feature: Any) -> bool:
    """Whether a feature holds strings, and nothing that had to be decoded."""
    return not {"string", "large_string", "Json"}.isdisjoint(kinds_of(feature)) and not has_media(feature)


def undecoded(ds: Any) -> Any:
    """A `Dataset` whose pictures and sounds stay the files that they are: nothing is needed that could open them."""
    return _with_decoding(ds, False)


def decoded(ds: Any) -> Any:
    """The same for those who read it later: pictures are pictures again."""
    return _with_decoding(ds, True)


def _is_media(feature: Any) -> bool:
    from datasets import Json

    return hasattr(feature, "decode_example") and hasattr(feature, "decode") and not isinstance(feature, Json)


def _with_decoding(ds: Any, decode: bool) -> Any:
    from datasets import Dataset, Features

    features = Features({name: _set(feature, decode) for name, feature in ds.features.items()})
    if features == ds.features:
        return ds
    info = ds.info.copy()
    info.features = features
    key = sha256(f"{ds._fingerprint} {decode}".encode()).hexdigest()[:16]
    return Dataset(ds.data, info=info, split=ds.split, indices_table=ds._indices, fingerprint=key)


def _set(feature: Any, decode: bool) -> Any:
    if isinstance(feature, Mapping):
        return {key: _set(inner, decode) for key, inner in feature.items()}
    if hasattr(feature, "feature"):
        return replace(feature, feature=_set(feature.feature, decode))
    return replace(feature, decode=decode) if _is_media(feature) else feature
