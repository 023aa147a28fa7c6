"""Folders of files, and those of `save_to_disk`: which files are meant, `datasets` finds out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hfclean.errors import FolderError, SchemaError, SourceError
from hfclean.limits import check_inside, check_unpacked
from hfclean.outside_names import as_text, text_path
from hfclean.ownership import is_own
from hfclean.records.common import A_PART, ABOUT
from hfclean.records.part import is_part
from hfclean.schema import Columns
from hfclean.source.files import opened_files, read_texts
from hfclean.source.missing import EXPECTED
from hfclean.source.opening import holds_rows
from hfclean.source.saved import is_saved, read_saved
from hfclean.source.source import Source, as_dict, fingerprint_of, reason_of

ADDRESS = ("://", "::")  # in what `datasets` takes for the address of a file


def read_folder(path: Path, split: str | None, config: str | None, columns: Columns, cache_dir: Path) -> Source:
    from datasets import DatasetDict, load_dataset, load_dataset_builder
    from datasets.exceptions import DatasetGenerationError

    is_ours, readme = is_own(path), path / "README.md"
    if not is_ours:
        check_inside(path, [readme, path / ABOUT])
    card = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else None
    name = as_text(path.resolve().name)
    if is_part(path):
        raise SourceError(f"{name!r} is {A_PART}")
    path = text_path(path.resolve(), cache_dir)
    if is_saved(path):
        saved = read_saved(path, cache_dir)
        dataset = DatasetDict(saved.splits)
        return Source(dataset, name, "disk", fingerprint_of(dataset), card, saved.notes)
    try:
        check_addresses(path, name)
        builder = load_dataset_builder(str(path), config, cache_dir=str(cache_dir))
        files = {str(s): [Path(file) for file in found] for s, found in (builder.config.data_files or {}).items()}
        if not is_ours:
            local = [file for found in files.values() for file in found if file.is_file()]
            check_inside(path, local)
            if type(builder.config).__name__ == "ParquetConfig":
                check_unpacked(local)
        unread = _unread(path, builder, card)
        if is_plain(builder):
            read = read_texts(
                {s: opened_files(found) for s, found in files.items()}, name, columns, cache_dir, separator_of(builder)
            )
            return Source(read.dataset, name, "folder", read.fingerprint, card, (*read.notes, *unread))
        dataset = as_dict(load_dataset(str(path), config, split=split, cache_dir=str(cache_dir)), split)
    except (SchemaError, SourceError, FolderError):
        raise
    except (DatasetGenerationError, FileNotFoundError, ValueError) as e:
        if type(e).__name__ in ("EmptyDatasetError", "DataFilesNotFoundError"):
            raise SourceError(f"the folder {name!r} holds no files with rows; expected {EXPECTED}") from e
        raise SourceError(f"the folder {name!r} cannot be read as a dataset: {reason_of(e)}") from e
    return Source(dataset, name, "folder", fingerprint_of(dataset), card, unread)


def rows_elsewhere(name: str, where: str) -> SourceError:
    return SourceError(
        f"the card of {name!r} has its rows at {where[:80]!r}, which is not among its files, and nothing is fetched "
        "or read because a file says so: download it yourself and give that"
    )


def check_addresses(path: Path, name: str) -> None:
    """Refuse a folder whose card says that its rows are elsewhere: `datasets` would ask that server for them.

    Raises:
        SourceError: it names the address.
        ValueError: the card cannot be read.
    """
    import yaml
    from datasets.config import REPOCARD_FILENAME, REPOYAML_FILENAME
    from datasets.data_files import sanitize_patterns
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    card, settings = path / REPOCARD_FILENAME, path / REPOYAML_FILENAME
    stated = [DatasetCard.load(card).data.to_dict()] if card.is_file() else []
    if settings.is_file():
        stated.append(yaml.safe_load(settings.read_text(encoding="utf-8")) or {})
    for about in stated:
        for config in MetadataConfigs.from_dataset_card_data(about).values():
            patterns = [each for found in sanitize_patterns(config.get("data_files", [])).values() for each in found]
            for pattern in (*patterns, config.get("data_dir") or ""):
                if any(mark in pattern for mark in ADDRESS):
                    raise rows_elsewhere(name, pattern)


def _unread(path: Path, builder: Any, card: str | None) -> tuple[str, ...]:
    """A note on files of rows in a folder that are not read; `datasets` takes the most frequent kind."""
    if card is not None and ("configs:" in card or (path / ABOUT).is_file()):
        return ()  # the card says which files are meant
    files = [Path(file).resolve() for found in (builder.config.data_files or {}).values() for file in found]
    read = set(files)
    left = [
        file.relative_to(path).as_posix()
        for file in sorted(path.rglob("*"))
        if holds_rows(file.name) and file.is_file() and file.resolve() not in read
    ]
    if not left:
        return ()
    return (f"{len(left)} {'file' if len(left) == 1 else 'files'} of rows not read: {', '.join(left[:5])}",)


def is_plain(builder: Any) -> bool:
    """Whether `datasets` would read JSON or CSV files without being told anything particular about them."""
    config, kind = builder.config, type(builder.config).__name__
    if kind not in ("JsonConfig", "CsvConfig") or not config.data_files or builder.info.features is not None:
        return False
    usual = type(config)()
    changed = {
        key: value
        for key, value in vars(config).items()
        if key not in ("name", "version", "data_dir", "data_files", "description", "sep", "delimiter")
        and value != getattr(usual, key, None)
    }
    separator = config.sep if kind == "CsvConfig" else ","
    return not changed and isinstance(separator, str) and len(separator) == 1


def separator_of(builder: Any) -> str | None:
    """The separator of CSV files where a card or the like names another than the comma."""
    separator = getattr(builder.config, "sep", ",")
    return None if separator == "," else separator
