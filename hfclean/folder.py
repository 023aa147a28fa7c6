"""The cleaned folder: what `load_dataset` reads, with its card, report, ledger and the record of what was done.

    DIR/data/<split>-...-<hash>.parquet         the rows
    DIR/README.md                             the dataset card
    DIR/report.html                           what changed and why
    DIR/ledger.parquet                        one row per change
    DIR/refused.parquet                       what a model proposed and the gate refused, where it did
    DIR/removed/<split>.parquet               the rows that were dropped, where some were
    DIR/plots/*.svg                           the card's pictures
    DIR/hfclean.json                          the transforms, their versions, the source, the report's figures, and
                                              the hash of each other file but the card

A folder is written beside its place and put there at the end (see `durable`): it exists whole or not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from hfclean.cards import dataset_card
from hfclean.durable import check_outside, new_folder, recover
from hfclean.errors import FolderError, RecordError
from hfclean.layout import Layout
from hfclean.ledger_file import write_ledger
from hfclean.limits import check_inside, check_unpacked
from hfclean.outside_names import as_text, is_split, text_path
from hfclean.ownership import claim, file_hash, is_own
from hfclean.passes import ReleasingFile, stored_bytes
from hfclean.records.common import ABOUT, record_text
from hfclean.records.dataset import FORMAT, read_about
from hfclean.report import Report, compare
from hfclean.report.masked_rows import masked_as, masked_refused, masked_text, maskings
from hfclean.reviser.refused import REFUSED_COLUMNS
from hfclean.rules import Rule
from hfclean.source import Source
from hfclean.values import decoded, has_media, undecoded
from hfclean.version import __version__

LEDGER = "ledger.parquet"
REFUSED = "refused.parquet"
SHARD_BYTES = 500_000_000
ROW_GROUP_BYTES = 100_000_000  # as datasets writes them


class CleanedRows(Protocol):
    """What is written into a folder: the result of `hfclean.clean`, by split."""

    @property
    def dataset(self) -> Any:
        """The rows."""

    @property
    def removed(self) -> Any | None:
        """Those that were dropped."""

    @property
    def refused(self) -> Any | None:
        """The revisions that were refused."""

    @property
    def transforms(self) -> Sequence[Mapping[str, Any]]:
        """What was done."""

    @property
    def known(self) -> Mapping[str, Any]:
        """What is known of the rows as they were; see `compare`."""


@dataclass(frozen=True)
class CleanedFolder:
    """A cleaned folder, read back.

    Attributes:
        path: where it lies.
        dataset: its splits.
        removed: the rows that were dropped, or `None`.
        refused: the revisions that were refused, or `None`; see `hfclean.reviser.refused_revisions`.
        about: the content of `hfclean.json`.
        layout: with the columns and the prefix that the transforms were given.
        card: the text of its README.md.
    """

    path: Path
    dataset: Any
    removed: Any | None
    refused: Any | None
    about: dict[str, Any]
    layout: Layout
    card: str | None


@dataclass(frozen=True)
class Parts:
    """The contents of a folder, as the card and `hfclean.json` describe them.

    Attributes:
        data: split -> pattern of its files; empty splits have none.
        removed: split -> file of the rows that were dropped.
        ledger: the ledger's file, or `None` where nothing changed: `load_dataset` cannot read a file of no rows.
        refused: the file of refused revisions, or `None`.
        plots: names of the pictures.
        files: every file -> its SHA-256.
    """

    data: dict[str, str]
    removed: dict[str, str]
    ledger: str | None
    refused: str | None
    plots: tuple[str, ...]
    files: dict[str, str]


def check_target(out: Path, *, overwrite: bool, source: str | Path | None = None) -> None:
    """Make sure that a folder may be written at `out`, before any work is done.

    Raises:
        FolderError: it exists and `overwrite` is off; it exists and was not written by hfclean; it holds the
            source, or the source it.
    """
    recover(out)
    if source is not None and Path(source).exists():
        inside = Path(source).resolve()
        if out.resolve() == inside or out.resolve() in inside.parents:
            held = f"{out.name} holds the source itself, which would be lost; choose another folder"
            raise FolderError(held).with_flags(f"--out {held}")
        check_outside(out, inside)
    check_place(out, overwrite=overwrite)


def check_place(out: Path, *, overwrite: bool) -> None:
    """The part of `check_target` that is checked again when the new folder is finished: a long run can take hours.

    Raises:
        FolderError: see `check_target`.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise FolderError(f"{out.name!r} is a file; expected a folder's name")
    if not overwrite:
        there = f"the folder {out.name!r} already exists; name another, or replace it with"
        raise FolderError(f"{there} overwrite=True").with_flags(f"{there} --overwrite")
    if any(out.iterdir()) and not (out / ABOUT).is_file():
        raise FolderError(f"the folder {out.name!r} was not written by hfclean (no {ABOUT}), so it is not replaced")


def write_folder(
    out: str | Path,
    cleaned: CleanedRows,
    *,
    before: Any,
    source: Source,
    layout: Layout,
    overwrite: bool = False,
    license: str | None = None,
    language: str | list[str] | None = None,
    source_id: str | None = None,
    extra: tuple[Rule, ...] = (),
    tokenizer: Any = None,
    max_tokens: int = 2048,
    own: bool = True,
    scored: Any = None,
    ledger: Any = None,
) -> Report:
    """Write a cleaned dataset with card, report and ledger; returns the report.

    Args:
        out: the folder; made, or replaced with `overwrite` if hfclean wrote it.
        cleaned: the result of `hfclean.cleaning.clean` for a `DatasetDict`.
        before: the `DatasetDict` that went in.
        source: where it came from; its card is merged into the new one.
        layout: the columns and the prefix that the transforms were given.
        license, language, source_id: as the user states them, over what the source's card says.
        extra: the user's own rules that took part.
        tokenizer, max_tokens: for the report's token lengths.
        own: whether everything in the record comes from this user, and nothing from a stranger's folder.
        scored: see `compare`.
        ledger: the ledger as an Arrow table, where it is known; made of the rows by default.

    Raises:
        FolderError: see `check_target`; or the folder appeared meanwhile.
    """
    out = Path(out)
    check_splits(cleaned.dataset, cleaned.removed)
    check_target(out, overwrite=overwrite)
    masks = maskings(cleaned.dataset, layout.prefix)
    if masks:
        source = replace(source, fingerprint="", card=source.card and masked_text(source.card, before, masks))
    with new_folder(out, overwrite=overwrite) as folder:
        report = compare(
            before,
            cleaned.dataset,
            tokenizer=tokenizer,
            max_tokens=max_tokens,
            removed=cleaned.removed,
            refused=cleaned.refused,
            transforms=cleaned.transforms,
            scored=scored,
            known=cleaned.known,
            columns=layout.columns,
            prefix=layout.prefix,
            extra=extra,
        )
        parts = write_parts(
            folder,
            cleaned.dataset,
            layout,
            report=report,
            removed=cleaned.removed and masked_as(cleaned.removed, masks, layout.prefix),
            refused=masked_refused(cleaned.refused, masks),
            extra=extra,
            known=cleaned.known if cleaned.removed is None else {},
            changes=ledger,
            title=source_id or source.name,
        )
        write_about(
            folder,
            report,
            parts,
            layout,
            source={
                "name": source.name,
                "kind": source.kind,
                "fingerprint": source.fingerprint,
                "rows": {split: len(part) for split, part in before.items()},
                "notes": [*source.notes, *(f"split {s} is empty" for s, part in before.items() if len(part) == 0)],
            },
            transforms=cleaned.transforms,
            stated={"license": license, "language": language, "source": source_id},
        )
        card = dataset_card(
            report,
            existing=source.card,
            keep_configs=False,  # the files of the source's other configurations are not in this folder
            name=as_text(out.resolve().name),
            source=source_id or source.name or None,
            source_is_hub=source_id is not None or source.kind == "hub",
            license=license,
            language=language,
            data_files=parts.data,
            ledger_file=parts.ledger,
            refused_file=parts.refused,
            removed_files=parts.removed,
            plots=parts.plots,
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
        check_place(out, overwrite=overwrite)
    if own:
        claim(out)
    return report


def write_parts(
    folder: Path,
    dataset: Any,
    layout: Layout,
    *,
    report: Report,
    removed: Any | None = None,
    refused: Any | None = None,
    extra: tuple[Rule, ...] = (),
    known: Mapping[str, Any] = MappingProxyType({}),
    changes: Any = None,
    title: str = "",
) -> Parts:
    """Write the splits of a `DatasetDict`, what was removed of it, which revisions of it were refused, its ledger,
    report and pictures into a folder. `known` is `Cleaned.known`, where no row was dropped; `changes` the ledger as an
    Arrow table, where it is known; `title` what the report is of."""
    check_splits(dataset, removed)
    data = _write_data(folder, dataset)
    count = write_ledger(folder / LEDGER, dataset, layout, extra, known, changes)
    removed_files = _write_removed(folder, removed)
    if refused is not None:
        _to_parquet(refused, folder / REFUSED)
    report.save_html(folder / "report.html", title=title or "hfclean report")
    plots = report.plots()
    if plots:
        (folder / "plots").mkdir()
    for name, svg in plots.items():
        (folder / "plots" / f"{name}.svg").write_text(svg, encoding="utf-8")
    names = sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file())
    files = {name: file_hash(folder / name) for name in names}
    return Parts(
        data,
        removed_files,
        LEDGER if count else None,
        REFUSED if refused is not None else None,
        tuple(sorted(plots)),
        files,
    )


def write_about(
    folder: Path,
    report: Report,
    parts: Parts,
    layout: Layout,
    *,
    source: Mapping[str, Any],
    transforms: Sequence[Mapping[str, Any]] = (),
    stated: Mapping[str, Any],
) -> None:
    """Write `hfclean.json`: what was done to what, and what lies in the folder."""
    about = {
        "format": FORMAT,
        "hfclean": __version__,
        "source": dict(source),
        "transforms": list(transforms),
        "columns": dict(layout.columns) if isinstance(layout.columns, Mapping) else layout.columns,
        "prefix": layout.prefix,
        "stated": dict(stated),
        "files": parts.files,
        "report": report.to_dict(edits=False),
    }
    (folder / ABOUT).write_text(record_text(about), encoding="utf-8", errors="replace")


def _write_data(folder: Path, dataset: Any) -> dict[str, str]:
    """The rows as parquet shards; returns the pattern of each split's files.

    The names end with a hash of the content: `datasets` knows a local folder with a card by the patterns in the card,
    and would go on serving its cached copy of a folder that was rewritten under the same names.
    """
    (folder / "data").mkdir()
    patterns = {}
    for split, part in dataset.items():
        if len(part) == 0:
            continue  # load_dataset cannot read an empty split, nor then any other split of the folder
        shards = max(1, -(-stored_bytes(part) // SHARD_BYTES))
        files, digest = [], sha256()
        for k in range(shards):
            shard = part.shard(num_shards=shards, index=k, contiguous=True) if shards > 1 else part
            files.append(folder / "data" / f"{split}-{k:05d}-of-{shards:05d}.parquet")
            _to_parquet(shard, files[-1])
            digest.update(bytes.fromhex(file_hash(files[-1])))
        content = digest.hexdigest()[:8]
        for file in files:
            file.rename(file.with_stem(f"{file.stem}-{content}"))
        patterns[split] = f"data/{split}-*-{content}.parquet"
    return patterns


def _write_removed(folder: Path, removed: Any | None) -> dict[str, str]:
    if removed is None:
        return {}
    (folder / "removed").mkdir()
    for split, part in removed.items():
        _to_parquet(part, folder / "removed" / f"{split}.parquet")
    return {split: f"removed/{split}.parquet" for split in removed}


def _to_parquet(part: Any, file: Path) -> None:
    with ReleasingFile(file, part) as f:  # opened here, since its path need not be text
        decoded(part).to_parquet(f, batch_size=_rows_of_group(part))


def _rows_of_group(part: Any) -> int | None:
    """Rows of a row group, as many as `datasets` takes, which would look at all files at once to know; None where it
    also looks for pictures."""
    if has_media(part.features) or not len(part):
        return None
    size = stored_bytes(part)
    if part._indices is not None:
        size = size * len(part) // len(part.data)
    return max(1, len(part) * ROW_GROUP_BYTES // size) if size else 1


def check_splits(*parts: Any) -> None:
    """Refuse splits from which no folder can be made that `load_dataset` reads.

    Raises:
        FolderError: it names the split.
    """
    for name in (name for part in parts for name in part or ()):
        if not is_split(name):
            raise FolderError(
                f"the split {str(name)[:80]!r} gives a folder that load_dataset cannot read; expected letters, "
                "digits, '_' and '.': rename it"
            )


def read_folder(path: str | Path, *, cache_dir: Path) -> CleanedFolder:
    """Read a folder that `write_folder` wrote.

    Raises:
        FolderError: there is none, its record is damaged, or it was written by a newer version.
    """
    from datasets import load_dataset

    path = Path(path)
    recover(path)
    if not (path / ABOUT).is_file():
        raise FolderError(
            f"{str(path)!r} is not a cleaned folder (no {ABOUT} in it); make one: hfclean clean IN --out DIR"
        )
    if not is_own(path):
        parquet = [*path.glob("data/*.parquet"), *path.glob("removed/*.parquet"), *path.glob(REFUSED)]
        check_inside(path, [path / ABOUT, path / "README.md", *parquet])
        check_unpacked(parquet)
    try:
        about = read_about(path)
    except RecordError as e:
        raise FolderError(f"{ABOUT} of {path.name!r} {e}; clean the source again") from e
    splits = list(about.source["rows"])
    place = text_path(path, Path(cache_dir))
    data = {split: str(place / "data" / f"{split}-*.parquet") for split in splits}
    data = {split: pattern for split, pattern in data.items() if any((place / "data").glob(f"{split}-*.parquet"))}
    if not data:
        raise FolderError(f"{str(path)!r} has no data left in it (data/*.parquet); clean the source again")
    dataset = load_dataset("parquet", data_files=data, cache_dir=str(cache_dir))
    dataset = type(dataset)({split: undecoded(part) for split, part in dataset.items()})
    removed_files = {f.stem: str(f) for f in sorted((place / "removed").glob("*.parquet"))}
    check_splits(removed_files)
    removed = load_dataset("parquet", data_files=removed_files, cache_dir=str(cache_dir)) if removed_files else None
    refused = _read_refused(place / REFUSED, cache_dir)
    readme = path / "README.md"
    card = readme.read_text(encoding="utf-8") if readme.is_file() else None
    return CleanedFolder(path, dataset, removed, refused, about.record, about.layout, card)


def _read_refused(file: Path, cache_dir: Path) -> Any | None:
    """The refused revisions of a folder, or `None`.

    Raises:
        FolderError: the file is not one of hfclean.
    """
    from datasets import load_dataset

    if not file.is_file():
        return None
    refused = load_dataset("parquet", data_files=str(file), split="train", cache_dir=str(cache_dir))
    if tuple(refused.column_names) != REFUSED_COLUMNS:
        raise FolderError(
            f"{REFUSED} has the columns {refused.column_names[:8]}, so hfclean did not write it; clean the source "
            "again"
        )
    return refused
