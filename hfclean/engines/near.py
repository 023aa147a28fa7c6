"""Near-duplicates across parts: the groups of one run over all rows, from what each part says of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

from hfclean.engines.reading import Part, again, check_files, joined, read_parts, stored
from hfclean.errors import ColumnError, FolderError
from hfclean.layout import Layout
from hfclean.processes import NumProc
from hfclean.selection.bands import (
    COLUMNS,
    NGRAM,
    RowBands,
    bands_schema,
    compares_likely,
    joined_labels,
    read_bands,
    said_of_rows,
    texts_of,
)
from hfclean.selection.duplicates import DuplicateGroups, check_settings, duplicate_groups, empty_note, grouped
from hfclean.selection.near_duplicates import compares_all
from hfclean.selection.rows import numbers

WHO = "near_duplicates"


def near_duplicates(
    parts: Sequence[str | Path],
    threshold: float = 0.7,
    ngram: int = 3,
    best: str | None = None,
    *,
    complete: bool | None = None,
    num_proc: NumProc = "auto",
    cache_dir: str | Path | None = None,
) -> dict[str, DuplicateGroups]:
    """The near-duplicates in all parts of a dataset: exactly the groups and the kept rows that `duplicate_groups`
    gives for the whole that `merge` makes of them.

    Above 100,000 texts, where likely pairs are looked at, each part may have said of its rows what is needed
    (`clean_shard(..., near=0.7)`): then only the rows that share a band with another one are read, from the parts.
    Else all rows are unpacked and read.

    Args:
        parts: the folders that `clean_shard`, or `hfclean clean --shard`, wrote, in any order.
        threshold, ngram, best, complete, num_proc: as `duplicate_groups` takes them.
        cache_dir: where rows are unpacked if they have to be; by default the temporary folder of `datasets`.

    Returns:
        by split; the rows are those of `merge(parts).dataset[split]`, without `drop_duplicates`.

    Raises:
        ColumnError, HfcleanError, SchemaError: as `duplicate_groups`.
        FolderError: as `merge`.

    >>> import hfclean, tempfile
    >>> rows = [{"prompt": f"Name {k // 2} of the cities.", "completion": "Rome."} for k in range(4)]
    >>> parts = [f"{tempfile.mkdtemp()}/{number}" for number in (1, 2)]
    >>> done = [hfclean.engines.clean_shard(rows, (k, 2), part, near=0.7) for k, part in enumerate(parts, 1)]
    >>> hfclean.engines.near_duplicates(parts)["train"].groups
    ((0, 1), (2, 3))
    """
    check_settings(WHO, threshold, ngram, complete)
    found = read_parts(parts)
    for part in found:
        check_files(part)
    return {
        split: by_bands(found, split, threshold, ngram, best, complete)
        or _by_rows(found, split, threshold, ngram, best, complete, num_proc, cache_dir)
        for split in found[0].about.rows
    }


def lacks_bands(parts: Sequence[Part], split: str, threshold: float, ngram: int, complete: bool | None) -> bool:
    """Whether bands are of use for these settings, and a part has none for them."""
    rows = sum(part.about.rows[split] for part in parts)
    stored = ngram == NGRAM and all(part.about.near == threshold for part in parts)
    return not stored and not compares_all(rows, complete)


def by_bands(
    parts: Sequence[Part], split: str, threshold: float, ngram: int, best: str | None, complete: bool | None
) -> DuplicateGroups | None:
    """The near-duplicates of a split by the bands of its parts; None where rows have to be read, because a part has
    none for these settings or all pairs are compared."""
    rows = sum(part.about.rows[split] for part in parts)
    if not rows or compares_all(rows, complete) or lacks_bands(parts, split, threshold, ngram, complete):
        return None
    said = said_of_rows(_bands(parts, split, threshold), rows)
    if not compares_likely(said, complete):
        return None
    scores = None if best is None else numbers(_column(parts, split, best), best, WHO)
    layout = Layout(parts[0].about.layout.columns)

    def read(chosen: Any) -> Iterator[list[str]]:
        return _texts(parts, split, chosen, layout)

    labels = joined_labels(said, _bands(parts, split, threshold), read, threshold)
    notes = empty_note(said.blank)
    return grouped(labels, scores, best, notes, method="near", threshold=threshold, ngram=ngram, complete=False)


def _by_rows(
    parts: Sequence[Part],
    split: str,
    threshold: float,
    ngram: int,
    best: str | None,
    complete: bool | None,
    num_proc: NumProc,
    cache_dir: str | Path | None,
) -> DuplicateGroups:
    """The same from the rows themselves."""
    from datasets.fingerprint import get_temporary_cache_files_directory

    folder = Path(cache_dir or get_temporary_cache_files_directory()) / f"parts-{token_hex(8)}"
    folder.mkdir(parents=True)
    ds, columns = joined(parts, "after", split, folder), parts[0].about.layout.columns
    how: dict[str, Any] = {"best": best, "columns": columns, "complete": complete, "num_proc": num_proc}
    return duplicate_groups(ds, "near", threshold, ngram, **how)


def _bands(parts: Sequence[Part], split: str, threshold: float) -> Iterator[RowBands]:
    """What all parts say of their rows.

    Raises:
        FolderError: it is not as hfclean writes it.
    """
    schema = bands_schema(threshold)
    for part in parts:
        for batch in stored(part, f"near/{split}.arrow", split):
            if batch.schema != schema or any(batch.column(name).null_count for name in COLUMNS):
                raise FolderError(f"near/{split}.arrow of {part.path.name!r} is not of bands: {again(part)}")
            yield read_bands(batch)


def _texts(parts: Sequence[Part], split: str, chosen: Any, layout: Layout) -> Iterator[list[str]]:
    """The texts of these rows, which are in order."""
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset
    from datasets.table import InMemoryTable

    start, name = 0, f"after/{split}.arrow"
    for part in parts:
        for batch in stored(part, name, split):
            stop = start + batch.num_rows
            low, high = np.searchsorted(chosen, (start, stop))
            if high > low:
                table = pa.Table.from_batches([batch]).take(chosen[low:high] - start)
                yield texts_of(Dataset(InMemoryTable(table)), layout)
            start = stop


def _column(parts: Sequence[Part], split: str, name: str) -> Any:
    """One column of all rows, as a `Dataset`."""
    import pyarrow as pa
    from datasets import Dataset
    from datasets.table import InMemoryTable

    tables = []
    for part in parts:
        for batch in stored(part, f"after/{split}.arrow", split):
            if name not in batch.schema.names:
                raise ColumnError(
                    f"{WHO}: no column {name!r} in {batch.schema.names}. Score first: hfclean clean --shard"
                )
            tables.append(pa.table({name: batch.column(name)}))
    return Dataset(InMemoryTable(pa.concat_tables(tables)))
