"""Secrets: keys and tokens that look real, in data and texts, each with an id and its places; never the key itself.

What documentation prints as an example (few characters, runs of them, words such as EXAMPLE) is let through.
The rest is let through by id only, or masked.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

from hfclean.hub.packed import HIDDEN, UnscannedError, changed_wide, narrowed, plain_streams
from hfclean.keys import HINT, KINDS, find_secrets
from hfclean.processes import NumProc, by_batch, by_part, count_for, mapped
from hfclean.transform import cached_elsewhere

__all__ = ["KINDS", "Secret", "find_secrets", "mask_all", "mask_secrets", "masked_rows", "names_of", "scan_files"]

# A text file is read in parts that overlap by more than the longest key.
PART, OVERLAP = 8_000_000, 100_000
LINE_FEED = b"\n"
UNSCANNED = "unscanned"
WEIGHTS = (".safetensors", ".gguf", ".bin")


@dataclass(frozen=True)
class Secret:
    """A key that was found.

    Attributes:
        id: its kind and the beginning of its hash; what `allow_secrets` takes.
        kind: one of `KINDS`, or `UNSCANNED`: what cannot be looked into may hold any.
        places: where, the first few: file and line, or file, row and column.
        count: in how many places.
    """

    id: str
    kind: str
    places: tuple[str, ...]
    count: int

    def __str__(self) -> str:
        more = f" and {self.count - len(self.places):,} more" if self.count > len(self.places) else ""
        return f"{self.id}: {'; '.join(self.places)}{more}"


def mask_secrets(text: str, allowed: Collection[str] = ()) -> str:
    """The text with every key that looks real replaced by its kind in brackets."""
    for kind, name, start, end in reversed(list(find_secrets(text))):
        if name not in allowed:
            text = f"{text[:start]}[{kind} removed]{text[end:]}"
    return text


def mask_all(value: Any, allowed: Collection[str] = ()) -> Any:
    """JSON values with every key in them masked, in names as well."""
    return _mask_value(value, sorted(allowed))


def masked_rows(ds: Any, allowed: Collection[str] = (), num_proc: NumProc = 1) -> Any:
    """A `Dataset` with the keys in its texts and in the names of its classes masked; the same one where there are
    none."""
    ds = cached_elsewhere(ds)
    features = {name: _masked_feature(feature, allowed) for name, feature in ds.features.items()}
    if features != dict(ds.features):
        ds = ds.cast(type(ds.features)(features))
    tables = ds.with_format("arrow")

    def columns(batch: range) -> set[str]:
        return {column for column, _, _ in _in_table(tables[batch.start : batch.stop])}

    hit = set[str]().union(*by_batch(columns, len(ds), "looking for keys", num_proc))
    if not hit:
        return ds
    from datasets import concatenate_datasets

    # the other columns stay as they are: Python would take the nanoseconds from their times
    plain = ds.with_format(None)
    parts = mapped(
        plain.select_columns(sorted(hit)),
        _mask_row,
        "masking",
        count_for(len(ds), num_proc),
        batched=False,
        fn_kwargs={"allowed": sorted(allowed)},
        features=type(ds.features)({name: ds.features[name] for name in sorted(hit)}),
    )
    masked = parts[0] if len(parts) == 1 else concatenate_datasets(parts)
    rest = [name for name in ds.column_names if name not in hit]
    if rest:
        masked = concatenate_datasets([plain.select_columns(rest), masked], axis=1)
    return masked.select_columns(ds.column_names)


def names_of(features: Mapping[str, Any]) -> Iterator[str]:
    """The names of columns and of the fields in them, however deep."""
    for name, feature in features.items():
        yield str(name)
        while not isinstance(feature, Mapping) and (inner := getattr(feature, "feature", None)) is not None:
            feature = inner
        while isinstance(feature, list) and feature:
            feature = feature[0]
        if isinstance(feature, Mapping):
            yield from names_of(feature)


def _masked_feature(feature: Any, allowed: Collection[str]) -> Any:
    if isinstance(feature, Mapping):
        return {name: _masked_feature(inner, allowed) for name, inner in feature.items()}
    if isinstance(feature, list):
        return [_masked_feature(inner, allowed) for inner in feature]
    names = getattr(feature, "names", None)
    if names:
        masked: list[str] = []
        for name in names:
            text = again = mask_secrets(name, allowed)
            while text != name and text in masked:  # two classes may not be called the same
                text = f"{again} {len(masked)}"
            masked.append(text)
        return feature if masked == list(names) else type(feature)(names=masked)
    inner = getattr(feature, "feature", None)
    if inner is None or (masked_feature := _masked_feature(inner, allowed)) == inner:
        return feature
    length = getattr(feature, "length", -1)
    return type(feature)(masked_feature, length=length) if length != -1 else type(feature)(masked_feature)


def _mask_row(row: Mapping[str, Any], allowed: list[str]) -> dict[str, Any]:
    return {name: _mask_value(value, allowed) for name, value in row.items()}


def _mask_value(value: Any, allowed: list[str]) -> Any:
    if isinstance(value, str):
        return mask_secrets(value, allowed)
    if isinstance(value, bytes):
        value = changed_wide(value, lambda text: mask_secrets(text, allowed))
        text = value.decode("utf-8", "surrogateescape")
        masked = mask_secrets(text, allowed)
        return value if masked == text else masked.encode("utf-8", "surrogateescape")
    if isinstance(value, Mapping):
        # a name can hold a key as well: in the arguments of a tool call, say
        masked_items: dict[Any, Any] = {}
        for name, item in value.items():
            text = again = mask_secrets(name, allowed) if isinstance(name, str) else name
            while text != name and (text in masked_items or text in value):  # the value of either would be lost
                text = f"{again} {len(masked_items)}"
                again = f"{again}_"
            masked_items[text] = _mask_value(item, allowed)
        return masked_items
    if isinstance(value, (list, tuple)):
        return type(value)(_mask_value(item, allowed) for item in value)
    return value


# ------------------------------------------------------------------------------------------------------------- files


def scan_files(
    files: Mapping[str, Path | bytes], *, allowed: Collection[str] = (), num_proc: NumProc = 1
) -> list[Secret]:
    """The keys in files by their names in the repo, each once, in the order found; `num_proc` processes
    read the tables."""
    found: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    # the data first: its places say more than those in the report that is made of it
    for name in sorted(files, key=lambda name: (not name.endswith(".parquet"), name)):
        named = ((kind, secret, "the name of a file") for kind, secret, *_ in find_secrets(name))
        for kind, secret, place in (*named, *_scan_file(name, files[name], num_proc)):
            if secret not in allowed:
                kinds[secret] = kind
                found.setdefault(secret, []).append(mask_secrets(place))  # of which a column's name is a part
    return [Secret(name, kinds[name], tuple(places[:3]), len(places)) for name, places in found.items()]


def _scan_file(name: str, content: Path | bytes, num_proc: NumProc) -> Iterator[tuple[str, str, str]]:
    """Kind, id and place of every key in a parquet or text file of any size; weights are not looked into."""
    if name.endswith(".parquet"):
        yield from _in_parquet(name, io.BytesIO(content) if isinstance(content, bytes) else content, num_proc)
        return
    if name.endswith(WEIGHTS):
        return
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        try:
            for inner, stream in plain_streams(name, file, size):
                if inner != name:
                    yield from ((kind, secret, f"a name in {name}") for kind, secret, *_ in find_secrets(inner))
                yield from _in_stream(inner, stream)
        except UnscannedError as e:
            file.seek(0)
            yield UNSCANNED, _unscanned_id(hashlib.file_digest(file, "sha256").hexdigest()), f"{name} ({e})"


def _unscanned_id(digest: str) -> str:
    return f"{UNSCANNED}-{digest[:8]}"


def _in_stream(name: str, stream: IO[bytes]) -> Iterator[tuple[str, str, str]]:
    line = 1
    for part, is_last in _parts(stream):
        stays = len(part) if is_last else len(part) - OVERLAP  # what begins later is whole in the next part
        text = narrowed(part).decode("utf-8", "surrogateescape")
        last = len(narrowed(part[:stays]))
        for kind, secret, start, _ in find_secrets(text):
            before = text[:start].encode("utf-8", "surrogateescape")
            if len(before) < last:
                yield kind, secret, f"{name}, line {line + before.count(LINE_FEED)}"
        line += part.count(LINE_FEED, 0, stays)


def _parts(stream: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """A file in parts, each beginning with the last `OVERLAP` bytes of the one before, and whether it is the last."""
    part = stream.read(PART)
    while rest := stream.read(PART - OVERLAP):
        yield part, False
        part = part[-OVERLAP:] + rest
    yield part, True


def _in_parquet(name: str, source: Path | io.BytesIO, num_proc: NumProc) -> Iterator[tuple[str, str, str]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        about, schema = file.metadata, file.schema_arrow
    told = [value.decode("utf-8", "replace") for value in (schema.metadata or {}).values()]
    for kind, secret in dict.fromkeys(
        (kind, secret)
        for text in (*told, schema.to_string(show_schema_metadata=False, truncate_metadata=False))
        for kind, secret, *_ in find_secrets(text)
    ):
        yield kind, secret, f"{name}, in its schema"
    sizes = [about.row_group(k).num_rows for k in range(about.num_row_groups)]
    starts = [0, *accumulate(sizes)]

    def look(group: range) -> list[tuple[str, str, str]]:
        row, found = starts[group.start], []
        with pq.ParquetFile(source, metadata=about) as file:
            for batch in file.iter_batches(batch_size=1000, row_groups=list(group)):
                for column, k, cell in _in_table(batch):
                    place = f"{name}, row {row + k}, column {column}"
                    found += [(kind, secret, place) for kind, secret in _in_cell(cell)]
                row += batch.num_rows
        return found

    for found in by_part(look, sizes, "looking for keys", num_proc):
        yield from found


def _in_cell(cell: str | bytes) -> Iterator[tuple[str, str]]:
    """Kind and id of every key in a cell."""
    if isinstance(cell, str):
        yield from ((kind, secret) for kind, secret, *_ in find_secrets(cell))
        return
    try:
        for name, stream in plain_streams("", io.BytesIO(cell), len(cell)):
            yield from ((kind, secret) for kind, secret, *_ in find_secrets(name))
            yield from ((kind, secret) for kind, secret, _ in _in_stream("", stream))
    except UnscannedError:
        yield UNSCANNED, _unscanned_id(hashlib.sha256(cell).hexdigest())


def _in_table(table: Any) -> Iterator[tuple[str, int, str | bytes]]:
    """Column, row and content of the cells that may hold a key."""
    for column in table.schema.names:
        values = table.column(column)
        chunks = values.chunks if hasattr(values, "chunks") else [values]
        start = 0
        for chunk in chunks:
            for row, text in _suspects(chunk, None):
                yield column, start + row, text
            start += len(chunk)


def _suspects(array: Any, rows: Any) -> Iterator[tuple[int, str | bytes]]:
    """Row and content of the strings and bytes of an Arrow array, however deep and of whatever type, that may hold a
    key."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, is_ = array.type, pa.types
    if isinstance(kind, pa.BaseExtensionType):  # Json() of datasets is one, and no ExtensionType
        yield from _suspects(array.storage, rows)
    elif is_.is_dictionary(kind):
        yield from _suspects(array.dictionary_decode(), rows)
    elif is_.is_run_end_encoded(kind):
        yield from _suspects(pc.run_end_decode(array), rows)
    elif is_.is_string_view(kind) or is_.is_binary_view(kind):
        yield from _suspects(array.cast(pa.large_string() if is_.is_string_view(kind) else pa.large_binary()), rows)
    elif is_.is_fixed_size_binary(kind):
        yield from _suspects(array.cast(pa.binary()), rows)
    elif is_.is_string(kind) or is_.is_large_string(kind) or is_.is_binary(kind) or is_.is_large_binary(kind):
        found = pc.match_substring_regex(array, HINT)
        if is_.is_binary(kind) or is_.is_large_binary(kind):
            found = pc.or_(found, pc.match_substring_regex(array, HIDDEN))
        for hit in pc.indices_nonzero(pc.fill_null(found, False)).to_pylist():
            yield (hit if rows is None else rows[hit].as_py()), array[hit].as_py()
    elif is_.is_map(kind):
        entry = pa.struct([pa.field("key", kind.key_type, nullable=False), pa.field("value", kind.item_type)])
        parents = pc.list_parent_indices(array.cast(pa.list_(entry)))
        parents = parents if rows is None else rows.take(parents)
        yield from _suspects(array.keys, parents)
        yield from _suspects(array.items, parents)
    elif is_.is_list_view(kind) or is_.is_large_list_view(kind):
        yield from _suspects(pa.array(array.to_pylist(), pa.large_list(kind.value_type)), rows)
    elif is_.is_list(kind) or is_.is_large_list(kind) or is_.is_fixed_size_list(kind):
        parents = pc.list_parent_indices(array)
        yield from _suspects(array.flatten(), parents if rows is None else rows.take(parents))
    elif is_.is_struct(kind):
        for field in array.flatten():
            yield from _suspects(field, rows)
    elif is_.is_union(kind):
        for k in range(kind.num_fields):
            yield from _suspects(array.field(k), None)
