"""Folders that hfclean wrote: what one holds, and where a row of it lies."""

from pathlib import Path
from typing import Any

from hfclean.errors import SourceError
from hfclean.layout import Layout
from hfclean.records.common import ABOUT, read_record

RULE = "linear_rule.json"
PACK = "hfclean_benchmarks.json"


def kind_of(folder: str) -> str:
    """What a folder holds: `dataset`, `reviser`, `rule` or `pack`."""
    from hfclean.errors import FolderError, RecordError

    path = Path(folder).expanduser()
    for name, kind in ((RULE, "rule"), (PACK, "pack")):
        if (path / name).is_file():
            return kind
    try:
        record = read_record(path)
    except (OSError, RecordError) as e:
        raise FolderError(
            f"{folder!r} holds nothing that hfclean wrote (no readable {ABOUT}); make one: hfclean clean IN "
            "--out DIR, or reviser.save_pretrained(DIR)"
        ) from e
    return "reviser" if "reviser" in record else "dataset"


def is_number(row: str) -> bool:
    """Whether a row is named by its number, or split:number."""
    number = row.rpartition(":")[2]
    return number.isdigit() and len(number) < 12


def find_row(folder: Any, row: str) -> tuple[str, int]:
    """The split and index of a row that is named by id, beginning of an id, number, or split:number."""
    dataset, name = folder.dataset, folder.layout.own("row_id")
    split, _, number = row.rpartition(":")
    if is_number(row):
        splits = [split] if split else [s for s in dataset if len(dataset[s])]
        if split and split not in dataset:
            raise SourceError(f"no split {split!r}; there are {', '.join(dataset)}")
        if int(number) < len(dataset[splits[0]]):
            return splits[0], int(number)
        if split:
            raise SourceError(f"no row {number} in {splits[0]}: it has {len(dataset[splits[0]])} rows, counted from 0")
    found = [
        (s, k)
        for s, part in dataset.items()
        if name in part.column_names
        for k, row_id in enumerate(part[name][:])
        if row_id == row or row_id.startswith(row)
    ]
    exact = [(s, k) for s, k in found if dataset[s][k][name] == row]
    if len(found) == 1 or exact:
        return (exact or found)[0]
    if found:
        raise SourceError(f"{len(found)} rows have an id that begins with {row!r}; give more of it")
    if number.isdigit():
        counts = ", ".join(f"{s} has {len(part):,}" for s, part in dataset.items())
        raise SourceError(f"no row {row}: {counts} rows, counted from 0, and no row id begins with {row}")
    raise SourceError(
        f"no row {row!r}; expected a row id (column row_id, or the report), a number from 0, or SPLIT:NUMBER"
    )


def find_excluded(removed: Any | None, layout: Layout, row: str) -> str | None:
    """The id of the row that people excluded and that is named by its id or by the beginning of it."""
    from hfclean.verdicts.excluded import excluded_ids

    found = [name for name in excluded_ids(removed, layout) if name.startswith(row)]
    return row if row in found else found[0] if len(found) == 1 else None
