"""Secrets: keys and tokens that look real, in data and texts, each with an id and its places; never the key itself.

What documentation prints as an example (few characters, runs of them, words such as EXAMPLE) is let through.
The rest is let through by id only, or masked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hfclean.rules.keys import KINDS, find_secrets

__all__ = ["KINDS", "Secret", "find_secrets", "mask_secrets", "masked_rows", "scan_file", "scan_files"]

# what every one of them has: the quick look before the close one
HINT = (
    "hf_|api_org_|sk-|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|AIza|xox[abposr]-|[sr]k_live_|npm_|pypi-AgEI|SG\\.|gsk_|"
    "PRIVATE KEY"
)
LARGEST_TEXT = 50_000_000


@dataclass(frozen=True)
class Secret:
    """A key that was found.

    Attributes:
        id: its kind and the beginning of its hash; what `allow_secrets` takes.
        kind: one of `KINDS`.
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


def masked_rows(ds: Any, allowed: Collection[str] = ()) -> Any:
    """A `Dataset` with the keys in its texts masked; the same one where there are none."""
    tables = ds.with_format("arrow").iter(batch_size=1000)
    if not any(True for table in tables for _ in _in_table(table)):
        return ds
    return ds.with_format(None).map(
        _mask_row, fn_kwargs={"allowed": sorted(allowed)}, features=ds.features, desc="masking"
    )


def _mask_row(row: Mapping[str, Any], allowed: list[str]) -> dict[str, Any]:
    return {name: _mask_value(value, allowed) for name, value in row.items()}


def _mask_value(value: Any, allowed: list[str]) -> Any:
    if isinstance(value, str):
        return mask_secrets(value, allowed)
    if isinstance(value, Mapping):
        return {key: _mask_value(item, allowed) for key, item in value.items()}
    return [_mask_value(item, allowed) for item in value] if isinstance(value, list) else value


# ------------------------------------------------------------------------------------------------------------- files


def scan_files(files: Mapping[str, Path | bytes], *, allowed: Collection[str] = ()) -> list[Secret]:
    """The keys in files by their names in the repo, each once, in the order found."""
    found: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    # the data first: its places say more than those in the report that is made of it
    for name in sorted(files, key=lambda name: (not name.endswith(".parquet"), name)):
        for kind, secret, place in scan_file(name, files[name]):
            if secret not in allowed:
                kinds[secret] = kind
                found.setdefault(secret, []).append(place)
    return [Secret(name, kinds[name], tuple(places[:3]), len(places)) for name, places in found.items()]


def scan_file(name: str, content: Path | bytes) -> Iterator[tuple[str, str, str]]:
    """Kind, id and place of every key in a parquet or text file; other files are not looked into."""
    if name.endswith(".parquet") and isinstance(content, Path):
        yield from _in_parquet(name, content)
        return
    if name.endswith((".safetensors", ".gguf", ".bin")):
        return
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size > LARGEST_TEXT:
        return
    text = (content if isinstance(content, bytes) else content.read_bytes()).decode("utf-8", "replace")
    if not _hint().search(text):
        return
    for kind, secret, start, _ in find_secrets(text):
        yield kind, secret, f"{name}, line {text.count(chr(10), 0, start) + 1}"


@lru_cache(maxsize=1)
def _hint() -> re.Pattern[str]:
    return re.compile(HINT)


def _in_parquet(name: str, path: Path) -> Iterator[tuple[str, str, str]]:
    import pyarrow.parquet as pq

    row = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1000):
            for column, k, text in _in_table(batch):
                for kind, secret, _, _ in find_secrets(text):
                    yield kind, secret, f"{name}, row {row + k}, column {column}"
            row += batch.num_rows


def _in_table(table: Any) -> Iterator[tuple[str, int, str]]:
    """Column, row and text of the cells that may hold a key."""
    for column in table.schema.names:
        values = table.column(column)
        chunks = values.chunks if hasattr(values, "chunks") else [values]
        start = 0
        for chunk in chunks:
            for row, text in _suspects(chunk, None):
                yield column, start + row, text
            start += len(chunk)


def _suspects(array: Any, rows: Any) -> Iterator[tuple[int, str]]:
    """Row and text of the strings of an Arrow array, however deep, that may hold a key."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if isinstance(kind, pa.ExtensionType):
        yield from _suspects(array.storage, rows)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        hits = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(array, HINT), False)).to_pylist()
        for hit in hits:
            yield (hit if rows is None else rows[hit].as_py()), array[hit].as_py()
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        parents = pc.list_parent_indices(array)
        yield from _suspects(array.flatten(), parents if rows is None else rows.take(parents))
    elif pa.types.is_struct(kind):
        for field in array.flatten():
            yield from _suspects(field, rows)
    elif pa.types.is_dictionary(kind):
        yield from _suspects(array.dictionary_decode(), rows)
