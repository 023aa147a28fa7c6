"""The ledger as a file: one row for each change, of all splits."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hfclean.layout import Layout
from hfclean.passes import column_batches, filled
from hfclean.restoration import LedgerEntry, ledger
from hfclean.reviser.scored import BEFORE, RowBefore
from hfclean.rules import Rule

LEDGER_COLUMNS = ("split", "row_id", "field", "rule", "before", "after")


def write_ledger(
    path: Path, dataset: Any, layout: Layout, extra: tuple[Rule, ...], known: Mapping[str, Any], table: Any
) -> int:
    """Write the ledger, from its table where that is known; returns how many changes it has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if table is not None:
        pq.write_table(table, path)
        return int(table.num_rows)

    schema = pa.schema([(name, pa.string()) for name in LEDGER_COLUMNS])
    changes = 0
    with path.open("wb") as f, pq.ParquetWriter(f, schema) as writer:
        rows: list[dict[str, str]] = []
        for split, part in dataset.items():
            for entry in _changes(part, layout, extra, known.get(split)):
                values = (
                    split,
                    entry.row_id,
                    entry.field,
                    entry.rule,
                    _storable(entry.before),
                    _storable(entry.after),
                )
                rows.append(dict(zip(LEDGER_COLUMNS, values, strict=True)))
                changes += 1
                if len(rows) == 1000:
                    writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                    rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return changes


def _changes(part: Any, layout: Layout, extra: tuple[Rule, ...], cells: Any | None) -> Iterator[LedgerEntry]:
    """What `ledger` gives for a split, read from `cells`, what is known of its rows, where they have all of it."""
    from numpy import isin

    original = layout.own("original")
    rows = filled(part, original) if cells is not None and original in part.column_names else ()
    if not len(rows) or not isin(rows, filled(cells, BEFORE)).all():
        yield from ledger(part, columns=layout.columns, prefix=layout.prefix, extra=extra)
        return
    row_id = layout.own("row_id")
    for ids, texts in zip(column_batches(part, [row_id], rows), column_batches(cells, [BEFORE], rows), strict=True):
        for name, text in zip(ids[row_id], texts[BEFORE], strict=True):
            yield from (LedgerEntry(str(name), *change) for change in RowBefore.read(text).changes)


def _storable(text: str) -> str:
    """Lone surrogates, which Arrow cannot hold, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
