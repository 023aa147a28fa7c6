"""Parts put together: their rows one after the other, and then what needs every row at once, by the code of a run on
one machine. So ids, duplicates, report and ledger do not have to add up: they are made of the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from hfclean.cleaned import Cleaned, Origin
from hfclean.cleaning import RowByRow, over_all_rows
from hfclean.cleaning.marks import ids_of
from hfclean.durable import recover
from hfclean.errors import FolderError, HfcleanError, RecordError
from hfclean.layout import Layout
from hfclean.limits import check_inside
from hfclean.ownership import ABOUT, file_hash, is_own
from hfclean.passes import BATCH
from hfclean.records.part import AboutPart, read_about_part
from hfclean.reviser.refused import REFUSED_COLUMNS, still_refused
from hfclean.row_ids import RowIds, numbered
from hfclean.rules import Rule
from hfclean.source import Source

# what is different for each part, in the entry of a step
OF_THE_RUN = ("usage", "models")
NAMED = 5  # shards in an error
AGAIN = "run hfclean clean --shard {} again"


class Part(NamedTuple):
    """A part on the disk."""

    path: Path
    about: AboutPart


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
    from datasets import DatasetDict
    from datasets.fingerprint import get_temporary_cache_files_directory

    found = _read_parts(parts)
    about = found[0].about
    _check_rules(about, extra)
    for part in found:
        _check_files(part)
    folder = Path(cache_dir or get_temporary_cache_files_directory()) / f"parts-{token_hex(8)}"
    folder.mkdir(parents=True)
    before = DatasetDict({name: _joined(found, "before", name, folder) for name in about.rows})
    after = {name: _joined(found, "after", name, folder) for name in about.rows}
    known = {name: _joined(found, "known", name, folder) for name in about.rows if _all_know(found, name)}
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


# ----------------------------------------------------------------------------------------------------------- the parts


def _read_parts(parts: Sequence[str | Path]) -> list[Part]:
    """The parts in the order of their shards: all of one run, each once.

    Raises:
        FolderError: see `merge`.
    """
    if not parts:
        raise FolderError("no parts; expected the folders that hfclean clean --shard K/N wrote")
    found = [_read(Path(part).expanduser()) for part in parts]
    first = found[0]
    for other in found[1:]:
        if other.about.count != first.about.count:
            raise _different("numbers of shards", first, other, first.about.name, other.about.name)
        _check_alike(first, other)
    by_number: dict[int, Part] = {}
    for part in found:
        twin = by_number.setdefault(part.about.number, part)
        if twin is not part:
            raise FolderError(f"shard {part.about.name} comes twice: {twin.path} and {part.path}; leave one out")
    if missing := sorted(set(range(1, first.about.count + 1)).difference(by_number)):
        named = ", ".join(f"{number}/{first.about.count}" for number in missing[:NAMED])
        more = f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
        one = missing[0]
        raise FolderError(
            f"{len(missing)} of {first.about.count} shards are missing ({named}{more}): name their parts as well, or "
            f"run hfclean clean --shard {one}/{first.about.count} first"
        )
    ordered = [by_number[number] for number in sorted(by_number)]
    for split, rows in first.about.source["rows"].items():
        if (there := sum(part.about.rows[split] for part in ordered)) != rows:
            raise FolderError(f"the parts have {there:,} rows of the split {split!r}, and their source {rows:,}")
    return ordered


def _read(path: Path) -> Part:
    recover(path)
    expected = "expected a folder that hfclean clean --shard K/N wrote"
    if not path.is_dir():
        raise FolderError(f"no folder {str(path)!r}; {expected}")
    if not (path / ABOUT).is_file():
        raise FolderError(f"{path.name!r} is not a part (no {ABOUT} in it); {expected}")
    check_inside(path, [path / ABOUT, *path.rglob("*.arrow")])
    try:
        return Part(path, read_about_part(path))
    except RecordError as e:
        raise FolderError(f"{ABOUT} of {path.name!r} {e}") from e


def _check_alike(one: Part, other: Part) -> None:
    """Refuse parts that no single run could have given.

    Raises:
        FolderError: it names both, and what differs.
    """
    mine, its = one.about, other.about
    if mine.version != its.version:
        raise _different("versions of hfclean", one, other, mine.version, its.version)
    for key, what in (("name", "sources"), ("rows", "sources"), ("split", "splits"), ("config", "configurations")):
        if mine.source[key] != its.source[key]:
            raise _different(what, one, other, mine.source[key], its.source[key])
    if mine.source["identity"] != its.source["identity"]:
        raise _different("sources", one, other, *(f"content {about.source['identity'][:12]}" for about in (mine, its)))
    for key in ("columns", "prefix", "turns", "side"):
        if getattr(mine.layout, key) != getattr(its.layout, key):
            raise _different(key, one, other, getattr(mine.layout, key), getattr(its.layout, key))
    steps = [[_settled(step) for step in about.transforms] for about in (mine, its)]
    if [step.get("by") for step in steps[0]] != [step.get("by") for step in steps[1]]:
        raise _different("steps", one, other, *(", ".join(str(s.get("by")) for s in each) or "none" for each in steps))
    for step, twin in zip(*steps, strict=True):
        for key in sorted({*step, *twin}):
            if step.get(key) != twin.get(key):
                raise _different(f"{key} of {step['by']}", one, other, step.get(key), twin.get(key))


def _settled(step: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key not in OF_THE_RUN}


def _different(what: str, one: Part, other: Part, mine: object, its: object) -> FolderError:
    return FolderError(
        f"{one.path.name} and {other.path.name} have different {what}: {str(mine)[:120]} and {str(its)[:120]}; "
        "expected parts of one dataset, made with one version and the same settings"
    )


def _check_rules(about: AboutPart, extra: Sequence[Rule]) -> None:
    named = {str(name) for step in about.transforms for name in (step.get("settings") or {}).get("extra") or ()}
    if missing := sorted(named.difference(rule.id for rule in extra)):
        raise HfcleanError(
            f"the parts were made with your own rule {missing[0]!r}, whose code is not in them: extra=(the_rule,)"
        ).with_flags(
            f"the parts were made with your own rule {missing[0]!r}, whose code is not in them: --with PKG:NAME"
        )


def _check_files(part: Part) -> None:
    """Refuse a part whose files are not those that were written.

    Raises:
        FolderError: it names the file.
    """
    for name, digest in part.about.files.items():
        file = part.path / name
        if not file.is_file() or file_hash(file) != digest:
            wrong = "is missing" if not file.is_file() else "is damaged"
            raise FolderError(f"{name} of {part.path.name!r} {wrong}: copy it anew, or {_again(part)}")


def _again(part: Part) -> str:
    return AGAIN.format(part.about.name)


# ------------------------------------------------------------------------------------------------------------ the rows


def _all_know(parts: Sequence[Part], split: str) -> bool:
    """Whether every part that has rows of a split knows how they were; see `Cleaned.known`."""
    filled = [part for part in parts if part.about.rows[split]]
    return bool(filled) and all(f"known/{split}.arrow" in part.about.files for part in filled)


def _joined(parts: Sequence[Part], kind: str, split: str, folder: Path) -> Any:
    """The rows of a split in all parts, as one `Dataset` in a file, in batches as `map` writes them.

    Raises:
        FolderError: a part has another number of rows than its record says.
        HfcleanError: columns of different types.
    """
    import pyarrow as pa
    from datasets import Dataset, NamedSplit

    name = f"{kind}/{split}.arrow"
    filled = [part for part in parts if part.about.rows[split]] or parts[:1]  # map adds no columns to no rows
    schema = _schema(filled[0].path / name)
    for part in filled[1:]:
        _check_types(filled[0], part, schema, _schema(part.path / name))
    file = folder / f"cache-{kind}-{split}.arrow"
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for table in _rebatched(filled, name, split, schema):
            writer.write_table(table)
    return Dataset.from_file(str(file), split=NamedSplit(split))


def _schema(file: Path) -> Any:
    import pyarrow as pa

    with pa.OSFile(str(file)) as stored, pa.ipc.open_stream(stored) as reader:
        return reader.schema


def _check_types(one: Part, other: Part, mine: Any, its: Any) -> None:
    if mine.names != its.names:
        odd = sorted(set(mine.names) ^ set(its.names)) or mine.names
        raise HfcleanError(
            f"{one.path.name} and {other.path.name} have different columns ({', '.join(odd[:NAMED])}), so their rows "
            "do not fit together; clean the dataset in one run"
        )
    for a, b in zip(mine, its, strict=True):
        if a.type != b.type:
            raise HfcleanError(
                f"the column {a.name!r} is {str(a.type)[:80]} in {one.path.name} and {str(b.type)[:80]} in "
                f"{other.path.name}, so their rows do not fit together; clean the dataset in one run, or say which "
                "type it has: ds.cast_column(...)"
            )


def _rebatched(parts: Sequence[Part], name: str, split: str, schema: Any) -> Iterator[Any]:
    """The rows of all parts in tables of a batch each, wherever a part ends."""
    import pyarrow as pa

    held: list[Any] = []
    count = 0
    for part in parts:
        for batch in _stored(part, name, split):
            while batch.num_rows:
                taken = batch.slice(0, BATCH - count)
                held.append(taken)
                count, batch = count + taken.num_rows, batch.slice(taken.num_rows)
                if count == BATCH:
                    yield pa.Table.from_batches(held, schema).combine_chunks()
                    held, count = [], 0
    if held:
        yield pa.Table.from_batches(held, schema).combine_chunks()


def _stored(part: Part, name: str, split: str) -> Iterator[Any]:
    import pyarrow as pa

    count = 0
    with ExitStack() as opened:
        try:
            stored = opened.enter_context(pa.OSFile(str(part.path / name)))
            for batch in opened.enter_context(pa.ipc.open_stream(stored)):
                batch.validate(full=True)
                count += batch.num_rows
                yield batch
        except pa.ArrowException as e:
            raise FolderError(f"{name} of {part.path.name!r} cannot be read ({e}): {_again(part)}") from e
    if count != part.about.rows[split]:
        raise FolderError(
            f"{name} of {part.path.name!r} has {count:,} rows, and its record says {part.about.rows[split]:,}: "
            f"{_again(part)}"
        )


# -------------------------------------------------------------------------------------------------- what was done


def _merged_steps(parts: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[dict[str, Any], ...]:
    """The steps of one run, with the sum of what all parts asked of models."""
    return tuple(_merged(steps) for steps in zip(*parts, strict=True))


def _merged(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = dict(steps[0])
    if "usage" not in first:
        return first
    models = sorted({model for step in steps for model in step.get("models", ())})
    return {**first, "models": models, "usage": _added([step["usage"] for step in steps])}


def _added(uses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of the `usage` of several runs."""
    last = uses[-1]
    total: dict[str, Any] = {**last}
    for name, value in last.items():
        if isinstance(value, int):
            total[name] = sum(usage.get(name, 0) for usage in uses)
    for name in ("failed", "reused_on"):
        counts: Counter[str] = sum((Counter(usage.get(name, {})) for usage in uses), Counter())
        total[name] = dict(sorted(counts.items()))
    currencies = {usage["currency"] for usage in uses if usage["currency"]}
    costs = [usage["cost"] for usage in uses if usage["cost"] is not None]
    priced = len(costs) == len(uses) and len(currencies) == 1
    total["cost"] = round(sum(costs), 6) if priced else None
    total["currency"] = next(iter(currencies)) if priced else ""
    total["notes"] = list(dict.fromkeys(note for usage in uses for note in usage["notes"]))
    return total


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
        raise FolderError(f"refused.arrow of {part.path.name!r} cannot be read ({e}): {_again(part)}") from e
    if tuple(table.column_names) != REFUSED_COLUMNS:
        raise FolderError(
            f"refused.arrow of {part.path.name!r} has the columns {table.column_names[:8]}: {_again(part)}"
        )
    return table
