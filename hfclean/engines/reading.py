"""The parts of all shards, read as if a stranger wrote them: of one run, each once, whole, and their rows in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from hfclean.durable import recover
from hfclean.errors import FolderError, HfcleanError, RecordError
from hfclean.limits import check_inside
from hfclean.ownership import ABOUT, file_hash
from hfclean.passes import BATCH
from hfclean.records.part import AboutPart, is_part, read_about_part
from hfclean.rules import Rule
from hfclean.version import __version__

# what is different for each part, in the entry of a step
OF_THE_RUN = ("usage", "models")
# what all parts say of the source, and what it is called in an error. The fingerprint of some folders holds times.
OF_THE_SOURCE = {
    "name": "sources",
    "kind": "kinds of source",
    "rows": "sources",
    "split": "splits",
    "config": "configurations",
    "card": "cards of the source",
    "notes": "notes on the source",
}
NAMED = 5  # shards in an error
AGAIN = "run hfclean clean --shard {} again"


class Part(NamedTuple):
    """A part on the disk."""

    path: Path
    about: AboutPart


# ----------------------------------------------------------------------------------------------------------- the parts


def read_parts(parts: Sequence[str | Path]) -> list[Part]:
    """The parts in the order of their shards: all of one run, each once.

    Raises:
        FolderError: see `merge`.
    """
    if not parts:
        raise FolderError("no parts; expected the folders that hfclean clean --shard K/N wrote")
    if "" in parts:
        raise FolderError("the name of a part is empty; expected a folder that hfclean clean --shard K/N wrote")
    found = [_read(Path(part).expanduser()) for part in parts]
    first = found[0]
    if first.about.version != __version__:
        raise FolderError(
            f"{first.path.name} was made with hfclean {first.about.version}, and this is {__version__}: run hfclean "
            f"merge where that version is (pip install hfclean=={first.about.version}), or clean --shard with this one"
        )
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
        wrong = f"{str(path)!r} is a file" if path.is_file() else f"no folder {str(path)!r}"
        raise FolderError(f"{wrong}; {expected}")
    if not (path / ABOUT).is_file():
        inside = [file.parent for file in sorted(path.glob(f"*/{ABOUT}")) if is_part(file.parent)]
        hint = f"; {inside[0]} is one" if inside else ""
        raise FolderError(f"{path.name!r} is not a part (no {ABOUT} in it){hint}; {expected}")
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
    for key, what in OF_THE_SOURCE.items():
        if mine.source[key] != its.source[key]:
            raise _different(what, one, other, mine.source[key], its.source[key])
    if mine.source["identity"] != its.source["identity"]:
        raise _different("sources", one, other, *(f"content {about.source['identity'][:12]}" for about in (mine, its)))
    if mine.source["identity"] == mine.source["fingerprint"] != its.source["fingerprint"]:
        raise _different("fingerprints", one, other, mine.source["fingerprint"], its.source["fingerprint"])
    for key in ("columns", "prefix", "turns", "side"):
        if getattr(mine.layout, key) != getattr(its.layout, key):
            raise _different(key, one, other, getattr(mine.layout, key), getattr(its.layout, key))
    steps = [[_settled(step) for step in about.transforms] for about in (mine, its)]
    if [step.get("by") for step in steps[0]] != [step.get("by") for step in steps[1]]:
        raise _different("steps", one, other, *(", ".join(str(s.get("by")) for s in each) or "none" for each in steps))
    if mine.revised != its.revised:
        raise _different("steps", one, other, *("revised" if about.revised else "scored" for about in (mine, its)))
    for step, twin in zip(*steps, strict=True):
        for key in sorted({*step, *twin}):
            if step.get(key) != twin.get(key):
                raise _different(f"{key} of {step.get('by')}", one, other, step.get(key), twin.get(key))


def _settled(step: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key not in OF_THE_RUN}


def _different(what: str, one: Part, other: Part, mine: object, its: object) -> FolderError:
    if isinstance(mine, Mapping) and isinstance(its, Mapping):
        same = {key for key in mine if key in its and mine[key] == its[key]}
        mine, its = ({k: v for k, v in each.items() if k not in same} for each in (mine, its))
    return FolderError(
        f"{one.path.name} and {other.path.name} have different {what}: {mine!r:.120} and {its!r:.120}; "
        "expected parts of one dataset, made with one version and the same settings"
    )


def check_rules(about: AboutPart, extra: Sequence[Rule]) -> None:
    named = {str(name) for step in about.transforms for name in (step.get("settings") or {}).get("extra") or ()}
    if missing := sorted(named.difference(rule.id for rule in extra)):
        raise HfcleanError(
            f"the parts were made with your own rule {missing[0]!r}, whose code is not in them: extra=(the_rule,)"
        ).with_flags(
            f"the parts were made with your own rule {missing[0]!r}, whose code is not in them: --with PKG:NAME"
        )


def check_files(part: Part) -> None:
    """Refuse a part whose files are not those that were written.

    Raises:
        FolderError: it names the file.
    """
    for name, digest in part.about.files.items():
        file = part.path / name
        if not file.is_file() or file_hash(file) != digest:
            wrong = "is missing" if not file.is_file() else "is damaged"
            raise FolderError(f"{name} of {part.path.name!r} {wrong}: copy it anew, or {again(part)}")


def again(part: Part) -> str:
    return AGAIN.format(part.about.name)


# ------------------------------------------------------------------------------------------------------------ the rows


def all_know(parts: Sequence[Part], split: str) -> bool:
    """Whether every part that has rows of a split knows how they were; see `Cleaned.known`."""
    filled = [part for part in parts if part.about.rows[split]]
    return bool(filled) and all(f"known/{split}.arrow" in part.about.files for part in filled)


def joined(parts: Sequence[Part], kind: str, split: str, folder: Path) -> Any:
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
        for batch in stored(part, name, split):
            while batch.num_rows:
                taken = batch.slice(0, BATCH - count)
                held.append(taken)
                count, batch = count + taken.num_rows, batch.slice(taken.num_rows)
                if count == BATCH:
                    yield pa.Table.from_batches(held, schema).combine_chunks()
                    held, count = [], 0
    if held:
        yield pa.Table.from_batches(held, schema).combine_chunks()


def stored(part: Part, name: str, split: str) -> Iterator[Any]:
    import pyarrow as pa

    count = 0
    with ExitStack() as opened:
        try:
            file = opened.enter_context(pa.OSFile(str(part.path / name)))
            for batch in opened.enter_context(pa.ipc.open_stream(file)):
                batch.validate(full=True)
                count += batch.num_rows
                yield batch
        except pa.ArrowException as e:
            raise FolderError(f"{name} of {part.path.name!r} cannot be read ({e}): {again(part)}") from e
    if count != part.about.rows[split]:
        raise FolderError(
            f"{name} of {part.path.name!r} has {count:,} rows, and its record says {part.about.rows[split]:,}: "
            f"{again(part)}"
        )
