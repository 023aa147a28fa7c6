"""Parts put together: their rows one after the other, and then what needs every row at once, by the code of a run on
one machine. So ids, duplicates, report and ledger do not have to add up: they are made of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from hfclean.cleaned import Cleaned, Origin
from hfclean.cleaning import RowByRow, over_all_rows
from hfclean.cleaning.marks import ids_of
from hfclean.engines.costs import added
from hfclean.engines.reading import Part, again, all_know, check_files, check_rules, joined, read_parts
from hfclean.errors import FolderError
from hfclean.layout import Layout
from hfclean.ownership import is_own
from hfclean.reviser.refused import REFUSED_COLUMNS, still_refused
from hfclean.row_ids import RowIds, numbered
from hfclean.rules import Rule
from hfclean.source import Source


def merge(
    parts: Sequence[str | Path],
    *,
    drop_duplicates: bool = False,
    extra: Sequence[Rule] = (),
    cache_dir: str | Path | None = None,
) -> Cleaned:
    """What `hfclean.clean` gives for the whole dataset, from the parts of all its shards; `save` writes the folder.

    The rows, their ids, duplicates, the ledger and the report are those of one run. What was asked of a model, and
    what it cost, is the sum over the parts.

    Args:
        parts: the folders that `clean_shard`, or `hfclean clean --shard`, wrote, in any order.
        drop_duplicates: drop the rows that `duplicate_of` marks; see `hfclean.clean`.
        extra: the user's own rules that took part: code is not taken from a part.
        cache_dir: where the rows are unpacked, about as large as the parts are without compression; must outlive the
            result. By default the temporary folder of `datasets`.

    Raises:
        FolderError: a folder is not a part, or is damaged; a shard is missing or comes twice; parts are of different
            sources, settings or versions.
        HfcleanError: the parts have columns of different types, or rules of yours are missing from `extra`.
    """
    found = read_parts(parts)
    check_rules(found[0].about, extra)
    for part in found:
        check_files(part)
    return merged(found, drop_duplicates=drop_duplicates, extra=extra, cache_dir=cache_dir)


def merged(
    found: Sequence[Part],
    *,
    drop_duplicates: bool = False,
    extra: Sequence[Rule] = (),
    cache_dir: str | Path | None = None,
) -> Cleaned:
    """The same for parts that were read and checked.

    Raises:
        HfcleanError: the parts have columns of different types.
    """
    from datasets import DatasetDict
    from datasets.fingerprint import get_temporary_cache_files_directory

    about = found[0].about
    folder = Path(cache_dir or get_temporary_cache_files_directory()) / f"parts-{token_hex(8)}"
    folder.mkdir(parents=True)
    before = DatasetDict({name: joined(found, "before", name, folder) for name in about.rows})
    after = {name: joined(found, "after", name, folder) for name in about.rows}
    known = {name: joined(found, "known", name, folder) for name in about.rows if all_know(found, name)}
    layout = Layout(about.layout.columns, about.layout.prefix)
    card, told = about.source["card"], tuple(about.source["notes"])
    source = Source(before, about.source["name"], about.source["kind"], about.source["fingerprint"], card, told)
    own = all(is_own(part.path) for part in found)
    done = RowByRow(
        after,
        known,
        _merged_steps([part.about.transforms for part in found]),
        _failures(found),
        about.layout if about.revised else None,
        Origin(before, source, layout, tuple(part.path for part in found), tuple(extra), own),
    )
    cleaned = over_all_rows(done, drop_duplicates=drop_duplicates)
    return _with_refused(cleaned, found, after, about.layout)


# -------------------------------------------------------------------------------------------------- what was done


def _merged_steps(parts: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[dict[str, Any], ...]:
    """The steps of one run, with the sum of what all parts asked of models."""
    return tuple(_merged(steps) for steps in zip(*parts, strict=True))


def _merged(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = dict(steps[0])
    if "usage" not in first:
        return first
    models = sorted({model for step in steps for model in step.get("models", ())})
    return {**first, "models": models, "usage": added([step["usage"] for step in steps])}


def _failures(parts: Sequence[Part]) -> tuple[str, ...]:
    """What models gave for no row at all: of no part that has rows."""
    filled = [part.about.failures for part in parts if any(part.about.rows.values())]
    return tuple(dict.fromkeys(line for lines in filled for line in lines)) if all(filled) else ()


def _with_refused(cleaned: Cleaned, parts: Sequence[Part], after: Mapping[str, Any], layout: Layout) -> Cleaned:
    """The result with what the parts refused, under the ids that its rows have among those of all parts."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from datasets import Dataset

    there = [part for part in parts if "refused.arrow" in part.about.files]
    if not there:
        return cleaned
    name = layout.own("row_id")
    filled = {split: ids_of(part, name) for split, part in after.items() if name in part.column_names}
    unique = dict(zip(filled, numbered(list(filled.values())), strict=True))
    tables: dict[str, list[Any]] = {split: [] for split in after}
    starts = dict.fromkeys(filled, 0)
    for part in parts:
        places = {s: slice(starts[s], starts[s] + part.about.rows[s]) for s in filled}
        starts = {s: place.stop for s, place in places.items()}
        if part not in there:
            continue
        refused = _refused(part)
        here = {s: place for s, place in places.items() if place.stop > place.start}
        own = dict(zip(here, numbered([_some(filled[s], place) for s, place in here.items()]), strict=True))
        for split, ids in own.items():
            rows = refused.filter(pc.equal(refused["split"], split))
            wanted = set(rows["row_id"].to_pylist())
            new = {old: unique[split][k] for k, old in enumerate(ids, here[split].start) if old in wanted}
            column = pa.array([new.get(old, old) for old in rows["row_id"].to_pylist()], pa.string())
            tables[split].append(rows.set_column(rows.column_names.index("row_id"), "row_id", column))
    whole = pa.concat_tables([table for each in tables.values() for table in each])
    return replace(cleaned, refused=still_refused(Dataset(whole), cleaned.dataset, layout))


def _some(ids: RowIds, place: slice) -> RowIds:
    others = {k - place.start: name for k, name in ids.others.items() if place.start <= k < place.stop}
    return RowIds(ids.codes[place], ids.numbers[place], others)


def _refused(part: Part) -> Any:
    """The refused revisions of a part, as an Arrow table.

    Raises:
        FolderError: they are not as hfclean writes them.
    """
    import pyarrow as pa

    try:
        with pa.OSFile(str(part.path / "refused.arrow")) as stored, pa.ipc.open_stream(stored) as reader:
            table = reader.read_all()
            table.validate(full=True)
    except pa.ArrowException as e:
        raise FolderError(f"refused.arrow of {part.path.name!r} cannot be read ({e}): {again(part)}") from e
    if tuple(table.column_names) != REFUSED_COLUMNS:
        raise FolderError(
            f"refused.arrow of {part.path.name!r} has the columns {table.column_names[:8]}: {again(part)}"
        )
    return table
