"""Row ids that are unique over all splits, and exact duplicates: what needs every row at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from hfclean.errors import ColumnError
from hfclean.layout import Layout
from hfclean.passes import arrow_batches, chunks, column_batches, filled, folder_of, narrowed, numbers, strings_table
from hfclean.provenance import DUPLICATE_COLUMN, HISTORY, Step, parse_history, row_ids
from hfclean.row_ids import RowIds, codes_of, first_of, numbered, text_code
from hfclean.selection.row_context import context_keys

MARK = "mark_duplicates"


def unique_ids(splits: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Row ids that are unique over all splits."""
    parts = {split: part for split, part in splits.items() if len(part) and name in part.column_names}
    ids = {split: ids_of(part, name) for split, part in parts.items()}
    unique = dict(zip(parts, numbered(list(ids.values())), strict=True))
    key = "".join(part._fingerprint for part in parts.values())
    return {
        split: _with_columns(part, {name: map(_strings, chunks(unique[split]))}, f"ids {key}")
        if split in unique and not (_same_ids(ids[split], unique[split]) and part.features[name].dtype == "string")
        else part
        for split, part in splits.items()
    }


def _same_ids(before: RowIds, after: RowIds) -> bool:
    return not before.others and not after.others and np.array_equal(before.numbers, after.numbers)


def ids_of(part: Any, name: str) -> RowIds:
    """The ids of the rows of a split, by the name of their column."""
    ids, start = RowIds.blank(len(part), part), 0
    for cells in arrow_batches(part, name):
        ids.put(start, cells.to_pylist())
        start += len(cells)
    return ids


def mark_duplicates(ds: Any, layout: Layout) -> Any:
    """A revised `Dataset` with the column `duplicate_of`: the `row_id` of the first row with the same text, else `""`.

    Same text means equal in all columns of the row's shape, as they are now, and in what the row asks beside them:
    pictures and sounds (by their bytes, else by their path), tools, system prompt, history. An empty split gets no
    column.
    """
    import pyarrow.compute as pc

    name, history = layout.own(DUPLICATE_COLUMN), layout.own(HISTORY)
    if len(ds) == 0 or layout.own("row_id") not in ds.column_names:
        return ds  # map adds no columns to an empty split, and neither does this
    step = Step(MARK, 1, (DUPLICATE_COLUMN,))
    ours = any(s.by == MARK for s in parse_history(narrowed(ds, [history])[0][history]) or ())
    if name in ds.column_names and not ours:
        raise ColumnError(
            f"the dataset already has a column {name!r}, and marking duplicates would overwrite it. Rename yours: "
            f"ds.rename_column({name!r}, 'my_{name}'); or give ours another name: prefix='hfclean_'"
        )
    ids = ids_of(ds, layout.own("row_id"))
    # the id names the original; duplicates are sought in the revised text
    codes = numbers(len(ds), "uint64", ds)
    codes[:] = ids.codes
    for k in ids.others:
        codes[k] = text_code(ids.base(k))
    changed, start, view = filled(ds, layout.own("original")), 0, layout.view(ds.column_names)
    for batch in column_batches(ds, view.columns, changed):
        today = codes_of(row_ids(batch, view))
        codes[changed[start : start + len(today)]] = today
        start += len(today)
    keys = context_keys(ds, layout, whole=False)
    first = first_of(codes) if keys is None else first_of(codes, keys)
    marks = chunks(ids[int(row)] if row != k else "" for k, row in enumerate(first))
    lines = arrow_batches(ds, history)
    if not ours:
        lines = (pc.binary_join_element_wise(cells, step.line(), "\n") for cells in lines)
    return _with_columns(ds, {name: map(_strings, marks), history: lines}, f"{MARK} {layout}")


def without_duplicates(ds: Any, layout: Layout) -> tuple[Any, Any]:
    """The dataset without its marked duplicates, and these with the reason."""
    name = layout.own(DUPLICATE_COLUMN)
    if name not in ds.column_names:
        return ds, ds
    marked = filled(ds, name)
    kept = ds.select(np.delete(np.arange(len(ds)), marked))
    dropped = ds.select(marked)
    reasons = [f"exact duplicate of {mark}" for mark in dropped[name][:]]
    if reasons:  # select puts the columns of files in another order
        dropped = dropped.add_column("removed_reason", reasons).select_columns([*ds.column_names, "removed_reason"])
    return kept, dropped


def _with_columns(ds: Any, new: Mapping[str, Iterable[Any]], key: str) -> Any:
    """The dataset with these string columns set, each where it was, new ones last. A dataset in files gets one more of
    them; `key` says what the columns are made of beside its rows."""
    from datasets import Dataset, Features, Value
    from datasets.table import concat_tables

    order = list(dict.fromkeys([*ds.column_names, *new]))
    fingerprint = sha256(f"{ds._fingerprint} {key} {list(new)}".encode()).hexdigest()[:16]
    folder, tables = folder_of(ds), []
    for number, (name, cells) in enumerate(new.items()):
        file = Path(folder) / f"cache-{fingerprint}-{number}.arrow" if folder else None
        tables.append(strings_table(name, len(ds), cells, file))
    left = ds.remove_columns([name for name in new if name in ds.column_names])
    left = left.flatten_indices() if left._indices is not None else left
    info = left.info.copy()
    features = {**left.info.features, **dict.fromkeys(new, Value("string"))}
    info.features = Features({name: features[name] for name in order})
    table = concat_tables([left.data, *tables], axis=1).select(order)
    return Dataset(table, info=info, split=left.split, fingerprint=fingerprint)


def _strings(texts: list[str]) -> Any:
    import pyarrow as pa

    return pa.array(texts, pa.string())
