"""Preparing: the files of a dataset's push in one folder, checked, and what the card says of them."""

import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.folder import LEDGER, REFUSED, Parts, read_folder, write_about, write_parts
from hfclean.hub.failures import HubRefusal, RepoError
from hfclean.hub.record import read_about, with_edits
from hfclean.hub.secrets import find_secrets, mask_all, mask_secrets, masked_rows, names_of
from hfclean.layout import Layout
from hfclean.limits import check_inside
from hfclean.outside_names import is_split, text_path
from hfclean.ownership import file_hash, is_own
from hfclean.processes import NumProc
from hfclean.provenance import HISTORY, parse_history
from hfclean.records.common import ABOUT, read_record, record_text
from hfclean.records.dataset import LAYOUT, About
from hfclean.report import Report, compare
from hfclean.report.masked_rows import cells_of, check_hidden, masked_as, masked_refused, maskings
from hfclean.report.refused import refused_sample
from hfclean.restoration import originals
from hfclean.reviser.masked_texts import is_private
from hfclean.reviser.refused import still_refused
from hfclean.rules import Rule
from hfclean.rules.pii import mask_value


@dataclass(frozen=True)
class Prepared:
    """A folder with the files of a push, and what the card says of them."""

    folder: Path
    files: tuple[str, ...]
    report: Report
    data: Mapping[str, str]
    removed: Mapping[str, str]
    ledger: str | None
    refused: str | None
    plots: tuple[str, ...]
    card: str | None = None
    license: str | None = None
    language: Any = None
    source: Any = None
    source_is_hub: bool | None = None
    notes: tuple[str, ...] = ()


def prepare_folder(path: Path, scratch: Path, mask: bool, allowed: Collection[str], num_proc: NumProc = 1) -> Prepared:
    """The files of a folder, as they are."""
    if not (path / ABOUT).is_file():
        raise RepoError(f"{str(path)!r} is not a cleaned folder (no {ABOUT}); make one: hfclean clean IN --out DIR")
    if not is_own(path):
        check_inside(path, [path / ABOUT, *path.rglob("*")])
    _check_private(path)
    path = text_path(path, scratch / "path")
    about, report = read_about(path, f"{path.name}/{ABOUT}")
    if not about.files:
        return replace(
            prepare_folder(_hashed(path, scratch), scratch, mask, allowed, num_proc),
            notes=(
                "the folder was written by an earlier version of hfclean, whose record has no hashes: its files were "
                "taken as they are now, and whether they were changed since cannot be told",
            ),
        )
    if mask:
        return _masked(path, scratch, about, allowed, num_proc)
    for name, digest in about.files.items():
        if not (path / name).is_file() or file_hash(path / name) != digest:
            raise HubRefusal(
                f"{name} of {path.name!r} is not as hfclean wrote it, so the card would be wrong; clean the "
                "source again, or push the dataset that you made of it"
            )
    tables = [
        path / name for part in ("data", "removed") for names in about.data_files(part).values() for name in names
    ]
    cells = (each for table in tables for each in _own_cells(table, about.layout))
    _check_masked(cells, f"hfclean pii {path.name} --mask --out NEW")
    data = about.data_files()
    for split in [*data, *about.data_files("removed")]:
        refuse_key("the name of a split", split, allowed)
    ledger = LEDGER if _rows(path / LEDGER) else None
    places = {split: [path / name for name in names] for split, names in data.items()}
    report = with_edits(report, path / LEDGER if ledger else None, places, about.layout)
    _check_counts(report, {split: sum(map(_rows, files)) for split, files in places.items()})
    readme = path / "README.md"
    return Prepared(
        path,
        (*(name for name in sorted(about.files) if name != LEDGER or ledger), ABOUT),
        report,
        {split: _pattern(names) for split, names in data.items()},
        {split: names[0] for split, names in about.data_files("removed").items()},
        ledger,
        REFUSED if REFUSED in about.files else None,
        tuple(name[6:-4] for name in sorted(about.files) if name.startswith("plots/")),
        card=readme.read_text(encoding="utf-8") if readme.is_file() else None,
        license=_text(about.stated.get("license")),
        language=about.stated.get("language"),
        source=_text(about.stated.get("source")) or _text(about.source.get("name")),
        source_is_hub=bool(about.stated.get("source")) or about.source.get("kind") == "hub",
    )


def _hashed(path: Path, scratch: Path) -> Path:
    """A folder of an earlier version with the hashes that its record lacks."""
    files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    hashes = {name: file_hash(path / name) for name in files if LAYOUT.fullmatch(name)}
    if not any(name.startswith("data/") for name in hashes):
        raise RepoError(
            f"{path.name!r} was written by an earlier version of hfclean and has no data/*.parquet; clean its source "
            "again: hfclean clean IN --out DIR"
        )
    place = scratch / "earlier" / path.resolve().name
    for name in [*hashes, *({"README.md"} & set(files))]:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            (place / name).hardlink_to(path / name)
        except OSError:  # another disk
            shutil.copyfile(path / name, place / name)
    (place / ABOUT).write_text(record_text({**read_record(path), "files": hashes}), encoding="utf-8")
    return place


def _pattern(names: Sequence[str]) -> str:
    """`data/train-00000-of-00002-0123abcd.parquet` as a pattern for all of its shards."""
    head, _, content = names[0].rpartition("-")
    return names[0] if len(names) == 1 and "-of-" not in head else f"{head.rsplit('-', 3)[0]}-*-{content}"


def _masked(path: Path, scratch: Path, about: About, allowed: Collection[str], num_proc: NumProc) -> Prepared:
    """The folder written again, with its secrets masked."""
    folder = read_folder(path, cache_dir=scratch / "cache")
    prepared = prepare_dataset(
        folder.dataset,
        scratch,
        about.layout,
        None,
        folder.removed,
        folder.refused,
        about.transforms,
        about.stated,
        True,
        allowed,
        source=about.source,
        num_proc=num_proc,
    )
    stated = about.stated
    return replace(
        prepared,
        card=mask_secrets(folder.card, allowed) if folder.card else None,
        license=_text(stated.get("license")),
        language=stated.get("language"),
        source=_text(stated.get("source")) or _text(about.source.get("name")),
        source_is_hub=bool(stated.get("source")) or about.source.get("kind") == "hub",
    )


def prepare_dataset(
    ds: Any,
    scratch: Path,
    layout: Layout,
    report: Report | None,
    removed: Any,
    refused: Any,
    transforms: Sequence[Mapping[str, Any]],
    stated: Mapping[str, Any],
    mask: bool,
    allowed: Collection[str],
    extra: tuple[Rule, ...] = (),
    source: Mapping[str, Any] | None = None,
    num_proc: NumProc = 1,
) -> Prepared:
    """The files of a dataset, written into a fresh folder."""
    splits, removed_splits = _as_dict(ds, "ds"), _as_dict(removed, "removed") if removed is not None else None
    _check_names(splits, removed_splits, allowed)
    _check_splits(splits)
    rows = (cells_of(each, layout.prefix) for each in (splits, removed_splits or {}))
    _check_masked(chain.from_iterable(rows), "ds.map(hfclean.reviser.MaskPII(), batched=True)")
    masks = maskings(splits, layout.prefix)
    if removed_splits and masks:
        removed_splits = type(splits)(masked_as(removed_splits, masks, layout.prefix))
    if report is not None and masks:
        kinds = {kind for masking in masks for kind in masking.kinds}
        report = Report.from_dict(mask_value(report.to_dict(), kinds))
    refused = masked_refused(
        still_refused(refused, splits, layout), masks
    )  # what was masked or put back since says nothing of the row
    report = replace(report, refused=refused_sample(refused)) if report is not None else None
    if mask:
        stated, source = mask_all(dict(stated), allowed), mask_all(source, allowed)
        splits = type(splits)({name: masked_rows(part, allowed, num_proc) for name, part in splits.items()})
        removed_splits = (
            type(splits)({name: masked_rows(part, allowed, num_proc) for name, part in removed_splits.items()})
            if removed_splits
            else None
        )
        refused = masked_rows(refused, allowed) if refused is not None else None
        if report is not None:
            report = Report.from_dict(mask_all(report.to_dict(), allowed))
    if report is None:
        report = _remembered(splits, removed_splits, refused, transforms, layout, extra)
    _check_counts(report, {split: len(part) for split, part in splits.items() if len(part)})
    names = [stated["source"]] if isinstance(stated["source"], str) else list(stated["source"] or ())
    folder = scratch / "files"
    folder.mkdir()
    parts: Parts = write_parts(
        folder,
        splits,
        layout,
        report=report,
        removed=removed_splits,
        refused=refused,
        extra=extra,
        title=str(source["name"]) if source else ", ".join(names),
    )
    if parts.ledger is None:
        (folder / LEDGER).unlink()
        parts.files.pop(LEDGER)
    language = stated["language"]
    write_about(
        folder,
        report,
        parts,
        layout,
        source=source
        or {
            "name": ", ".join(names),
            "kind": "memory",
            "fingerprint": "",
            "rows": {split.split: split.before for split in report.splits},
            "notes": [],
        },
        transforms=mask_all(list(transforms), allowed) if mask else transforms,
        stated={
            "license": stated["license"],
            "language": language if language is None or isinstance(language, str) else list(language),
            "source": ", ".join(names) or None,
        },
    )
    empty = tuple(
        f"the split {name!r} is empty and was left out: load_dataset could not read it, nor the others with it"
        for name, part in splits.items()
        if len(part) == 0
    )
    return Prepared(
        folder,
        (*parts.files, ABOUT),
        report,
        parts.data,
        parts.removed,
        parts.ledger,
        parts.refused,
        parts.plots,
        notes=empty,
    )


def _own_cells(file: Path, layout: Layout) -> Iterator[tuple[Any, Any]]:
    """History and original of the rows of a parquet file."""
    import pyarrow.parquet as pq

    names = [layout.own(HISTORY), layout.own("original")]
    with pq.ParquetFile(file) as table:
        if set(names) <= set(table.schema_arrow.names):
            for batch in table.iter_batches(batch_size=1000, columns=names):
                yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def _check_masked(cells: Iterable[tuple[Any, Any]], again: str) -> None:
    """Stop at rows that an earlier version masked, and whose originals are in them.

    Raises:
        HubRefusal: it says how they are masked again.
    """
    try:
        check_hidden(cells, again)
    except HfcleanError as e:
        raise HubRefusal(str(e)) from None


def _check_private(path: Path) -> None:
    """Stop where a folder holds what is this user's alone.

    Raises:
        HubRefusal: it names the file.
    """
    for file in sorted(path.rglob("*")):
        if file.is_file() and is_private(file):
            raise HubRefusal(
                f"{file.relative_to(path).as_posix()!r} in {path.name!r} holds texts that were masked, or what models "
                "were asked: it is yours alone. Move it out of the folder (HFCLEAN_HOME and store= say where it is)"
            )


def _as_dict(ds: Any, what: str) -> Any:
    from datasets import Dataset, DatasetDict

    if isinstance(ds, Dataset):
        return DatasetDict({str(ds.split or "train"): ds})
    if isinstance(ds, DatasetDict):
        return ds
    raise HubRefusal(
        f"{what}= is {type(ds).__name__}; expected a Dataset, a DatasetDict or a folder. A streaming dataset becomes "
        "one by Dataset.from_generator"
    )


def _check_names(splits: Any, removed: Any, allowed: Collection[str]) -> None:
    """Stop at names that hold a key: they are in every file and cannot be masked."""
    for name, part in [*splits.items(), *(removed or {}).items()]:
        refuse_key("the name of a split", str(name), allowed)
        for column in names_of(part.features):
            refuse_key(f"the name of a column of split {name!r}", column, allowed)


def refuse_key(what: str, name: str, allowed: Collection[str]) -> None:
    """Stop where a name holds a key.

    Raises:
        HubRefusal: it names the kind and the id, not the key.
    """
    for kind, secret, *_ in find_secrets(name):
        if secret not in allowed:
            raise HubRefusal(
                f"{what} holds a {kind.replace('_', ' ')} that looks real: {secret}. Rename it (and revoke the key), "
                f"or let it through as a documented sample with allow_secrets=[{secret!r}] (--allow-secret {secret})"
            )


def _check_splits(splits: Any) -> None:
    """Stop at what the Hub or parquet cannot hold, before any work."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, part in splits.items():
        if not is_split(name):
            raise HubRefusal(
                f"the split {name!r} cannot be on the Hub; expected letters, digits, '_' and '.': rename it to "
                f"{re.sub(r'[^0-9A-Za-z_.]+', '_', name)!r}"
            )
        for field in part.features.arrow_schema:
            try:
                pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([field])).close()
            except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as e:
                raise HubRefusal(
                    f"the column {field.name!r} of split {name!r} is {field.type}, which parquet cannot hold ({e}); "
                    "remove or cast it: ds.remove_columns, ds.cast_column"
                ) from e
    if not any(len(part) for part in splits.values()):
        raise HubRefusal("the dataset holds no rows, and load_dataset could not read it; push one that has some")
    features = {name: part.features for name, part in splits.items() if len(part)}
    first = next(iter(features))
    for name, feature in features.items():
        if feature != features[first]:
            other = sorted(set(feature) ^ set(features[first])) or [
                c for c in feature if feature[c] != features[first][c]
            ]
            raise HubRefusal(
                f"the splits {first!r} and {name!r} differ in {other[:5]}, and one config holds splits of the same "
                "columns; make them alike, or push them under two names: config_name="
            )


def _remembered(
    splits: Any,
    removed: Any,
    refused: Any,
    transforms: Sequence[Mapping[str, Any]],
    layout: Layout,
    extra: tuple[Rule, ...],
) -> Report:
    """The report made from the rows alone: their originals against the current texts."""
    revised = any(_is_revised(part, layout.own(HISTORY)) for part in splits.values())
    before = originals(splits, prefix=layout.prefix) if revised else splits
    try:
        return compare(
            before,
            splits,
            columns=layout.columns,
            prefix=layout.prefix,
            extra=extra,
            removed=removed if revised else None,
            refused=refused,
            transforms=transforms,
        )
    except HfcleanError as e:
        raise HubRefusal(f"no report can be made of the dataset ({e}); give one: report=hfclean.compare(...)") from e


def _is_revised(part: Any, column: str) -> bool:
    """Whether a column is the history that hfclean writes, and not somebody else's of that name."""
    return (
        len(part) > 0 and column in part.column_names and parse_history(part.with_format(None)[0][column]) is not None
    )


def _check_counts(report: Report, rows: Mapping[str, int]) -> None:
    """Refuse a report that does not fit the rows."""
    counts = {split.split: split.after for split in report.splits if split.after}
    if counts != dict(rows):
        raise HubRefusal(
            f"the report describes {counts or 'no'} rows but the dataset has {dict(rows)}; rebuild it: "
            "report=hfclean.compare(raw, ds)"
        )


def _rows(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows) if path.is_file() else 0


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
