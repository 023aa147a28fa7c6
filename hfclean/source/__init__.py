"""Reading a dataset exactly, wherever it is stored: files, folders, `save_to_disk` folders, the Hub, the standard
input.

What is a string in the file is the same string in the dataset. The readers of `datasets` guess: an answer "NA" becomes
a missing value, "2020-01-01" a timestamp, and in a column of several types "007" becomes 7. JSON and CSV are therefore
read here; the rest, and the question which files a folder or a Hub dataset has, is left to `datasets`. Errors say
which line and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from glob import glob, has_magic
from hashlib import sha256
from pathlib import Path
from typing import Any

from hfclean.durable import recover
from hfclean.errors import FolderError, SchemaError, SourceError
from hfclean.limits import check_inside, check_unpacked
from hfclean.outside_names import as_text, split_names, text_path
from hfclean.ownership import is_own
from hfclean.passes import narrowed
from hfclean.records.common import ABOUT
from hfclean.schema import Columns, detect, nobody_answers
from hfclean.source.cells import CsvRows, converters
from hfclean.source.lines import is_shape, json_parts
from hfclean.source.missing import EXPECTED, ask_for, meant, near_names, refuse_path
from hfclean.source.opening import LOADERS, Opened, digest_of, holds_rows, opened, standard_input
from hfclean.source.saved import is_saved, read_saved
from hfclean.source.table import dataset_of
from hfclean.values import undecoded

__all__ = ["LOADERS", "Source", "check_there", "load", "local_paths"]

ADDRESS = ("://", "::")  # in what `datasets` takes for the address of a file
SEPARATORS = (";", "\t", "|", ",")


@dataclass(frozen=True)
class Source:
    """A loaded dataset and what is known of where it came from.

    Attributes:
        dataset: a `DatasetDict`, one entry per split.
        name: a Hub id, or the base name of a file or folder; never a full path.
        kind: `file`, `folder`, `disk` or `hub`.
        fingerprint: SHA-256 of a file or files, the commit of a Hub dataset, else the fingerprint that `datasets`
            gives.
        card: the text of the README.md that came with it, or `None`.
        notes: what had to be changed to read it, for people.
    """

    dataset: Any
    name: str
    kind: str
    fingerprint: str
    card: str | None = None
    notes: tuple[str, ...] = ()


def load(
    where: str | Path | Sequence[str | Path],
    *,
    split: str | None = None,
    config: str | None = None,
    columns: Columns = None,
    cache_dir: Path,
) -> Source:
    """Load a dataset.

    Args:
        where: a .jsonl, .json, .csv, .tsv or .parquet file, which may be compressed (.gz, .bz2, .xz, .zst, .zip); a
            pattern of such files (`data/*.jsonl`), or several of them, read one after the other; `-` for the standard
            input; a `save_to_disk` folder, a folder of files, or a Hub id.
        split: one split only, as `datasets` spells it.
        config: the configuration of a Hub dataset or a dataset folder.
        columns: which columns hold what, as every transform takes it; needed to read CSV text as text.
        cache_dir: where files are unpacked; must outlive the dataset. A Hub dataset uses the usual cache.

    Raises:
        SourceError: there is nothing of that name, or it cannot be read; the message says where.
    """
    if not isinstance(where, (str, Path)) and len(where) == 1:
        where = where[0]
    if isinstance(where, (str, Path)) and str(where) != "-" and not Path(where).expanduser().exists():
        recover(Path(where).expanduser())
    if not isinstance(where, (str, Path)) or (has_magic(str(where)) and not Path(where).expanduser().exists()):
        source = _files(_found([where] if isinstance(where, (str, Path)) else where), columns, cache_dir)
    elif str(where) == "-":
        source = _files([standard_input(cache_dir)], columns, cache_dir)
    elif (path := Path(where).expanduser()).is_dir():
        source = _folder(path, split, config, columns, cache_dir)
    elif path.is_file():
        source = _files([path], columns, cache_dir)
    else:
        refuse_path(str(where))
        source = _hub(str(where), split, config, columns)
    if not any(len(part) for part in source.dataset.values()):
        raise SourceError(f"{source.name!r} holds no rows")
    source = replace(source, dataset=type(source.dataset)({s: undecoded(part) for s, part in source.dataset.items()}))
    _check_roles(source, columns)
    return source if split is None or list(source.dataset) == [split] else _one_split(source, split)


def _check_roles(source: Source, columns: Columns) -> None:
    """Conversations in which nobody has a known role are not empty answers: said before any work is done."""
    parts = [part for part in source.dataset.values() if len(part)]
    try:
        view = detect(tuple(parts[0].column_names), columns)
        problem = nobody_answers((row for part in parts for row in narrowed(part, view.columns)), view)
    except (SchemaError, KeyError, ValueError):
        return  # not every command reads pairs; one that does says what is wrong with them
    if problem:
        raise problem


def check_there(where: str | Sequence[str]) -> None:
    """Refuse at once what `load` would refuse for want of a file or folder; nothing is read, and the Hub is not asked.

    Raises:
        SourceError: it names what is similar.
    """
    if not isinstance(where, str) and len(where) == 1:
        where = where[0]
    if where == "-" or (isinstance(where, str) and Path(where).expanduser().exists()):
        return
    if not isinstance(where, str) or has_magic(where):
        _found([where] if isinstance(where, str) else where)
        return
    recover(Path(where).expanduser())
    if not Path(where).expanduser().exists():
        refuse_path(where)


def local_paths(where: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files and folders on this machine that a source names; none for the Hub and the standard input."""
    names = [where] if isinstance(where, (str, Path)) else where
    paths = [Path(name).expanduser() for name in names]
    return [
        match for path in paths for match in ([path] if path.exists() else map(Path, glob(str(path), recursive=True)))
    ]


def _found(patterns: Iterable[str | Path]) -> list[Path]:
    """The files of several names and patterns, each once, those of a pattern in the order of their names."""
    found: list[Path] = []
    for pattern in patterns:
        path = Path(pattern).expanduser()
        matches = [path] if path.exists() else [Path(name) for name in sorted(glob(str(path), recursive=True))]
        matches = matches if path.exists() else [match for match in matches if match.is_file()]
        if not matches:
            near = "" if has_magic(str(path)) else meant(near_names(path))
            raise SourceError(f"no file {str(pattern)!r}{near}; expected {EXPECTED}")
        if folder := next((match for match in matches if not match.is_file()), None):
            raise SourceError(f"{str(folder)!r} is a folder; give it alone, or the files in it: {folder}/*.jsonl")
        found += matches
    return list(dict.fromkeys(found))


def _one_split(source: Source, split: str) -> Source:
    """One split, or a part of one, as `datasets` spells it (`train`, `train[:100]`, `train+test`)."""
    from datasets import ReadInstruction, concatenate_datasets

    dataset = source.dataset
    if split in dataset:
        chosen = {split: dataset[split]}
    else:
        try:
            steps = ReadInstruction.from_spec(split).to_absolute({name: len(part) for name, part in dataset.items()})
        except (ValueError, AssertionError) as e:
            raise SourceError(f"no split {split!r} in {source.name}; it has {', '.join(dataset)}") from e
        parts = [dataset[step.splitname].select(range(step.from_, step.to)) for step in steps]
        name = steps[0].splitname if len(steps) == 1 else "train"
        chosen = {name: concatenate_datasets(parts) if len(parts) > 1 else parts[0]}
    return Source(type(dataset)(chosen), source.name, source.kind, source.fingerprint, source.card, source.notes)


def _as_dict(dataset: Any, split: str | None = None) -> Any:
    from datasets import Dataset, DatasetDict

    return DatasetDict({split or str(dataset.split or "train"): dataset}) if isinstance(dataset, Dataset) else dataset


def _folder(path: Path, split: str | None, config: str | None, columns: Columns, cache_dir: Path) -> Source:
    from datasets import DatasetDict, load_dataset, load_dataset_builder
    from datasets.exceptions import DatasetGenerationError

    is_ours, readme = is_own(path), path / "README.md"
    if not is_ours:
        check_inside(path, [readme, path / ABOUT])
    card = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else None
    name = as_text(path.resolve().name)
    path = text_path(path.resolve(), cache_dir)
    if is_saved(path):
        saved = read_saved(path, cache_dir)
        dataset = DatasetDict(saved.splits)
        return Source(dataset, name, "disk", _fingerprint(dataset), card, saved.notes)
    try:
        _check_addresses(path, name)
        builder = load_dataset_builder(str(path), config, cache_dir=str(cache_dir))
        files = {str(s): [Path(file) for file in found] for s, found in (builder.config.data_files or {}).items()}
        if not is_ours:
            local = [file for found in files.values() for file in found if file.is_file()]
            check_inside(path, local)
            if type(builder.config).__name__ == "ParquetConfig":
                check_unpacked(local)
        unread = _unread(path, builder, card)
        if _is_plain(builder):
            read = _read(
                {s: _opened(found) for s, found in files.items()}, name, columns, cache_dir, _separator(builder)
            )
            return Source(read.dataset, name, "folder", read.fingerprint, card, (*read.notes, *unread))
        dataset = _as_dict(load_dataset(str(path), config, split=split, cache_dir=str(cache_dir)), split)
    except (SchemaError, SourceError, FolderError):
        raise
    except (DatasetGenerationError, FileNotFoundError, ValueError) as e:
        if type(e).__name__ in ("EmptyDatasetError", "DataFilesNotFoundError"):
            raise SourceError(f"the folder {name!r} holds no files with rows; expected {EXPECTED}") from e
        raise SourceError(f"the folder {name!r} cannot be read as a dataset: {_reason(e)}") from e
    return Source(dataset, name, "folder", _fingerprint(dataset), card, unread)


def _rows_elsewhere(name: str, where: str) -> SourceError:
    return SourceError(
        f"the card of {name!r} has its rows at {where[:80]!r}, which is not among its files, and nothing is fetched "
        "or read because a file says so: download it yourself and give that"
    )


def _check_addresses(path: Path, name: str) -> None:
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
                    raise _rows_elsewhere(name, pattern)


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


def _is_plain(builder: Any) -> bool:
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


def _separator(builder: Any) -> str | None:
    """The separator of CSV files where a card or the like names another than the comma."""
    separator = getattr(builder.config, "sep", ",")
    return None if separator == "," else separator


def _fingerprint(dataset: Any) -> str:
    digest = sha256()
    for split, part in sorted(dataset.items()):
        digest.update(f"{split}\0{part._fingerprint}\0".encode())
    return digest.hexdigest()


def _hub(repo_id: str, split: str | None, config: str | None, columns: Columns) -> Source:
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    ask_for(repo_id)
    try:
        _check_card(repo_id)
        builder = load_dataset_builder(repo_id, config)
        _check_hub_files(builder, repo_id)
        if _is_plain(builder):
            notes, dataset = _downloaded(builder, repo_id, columns)
        else:
            builder.download_and_prepare()
            notes, dataset = (), _as_dict(builder.as_dataset(split), split)
    except DatasetNotFoundError as e:
        raise SourceError(
            f"no file, folder or Hub dataset {repo_id!r} that can be read from here ({_reason(e)}). A local file "
            f"needs its suffix ({', '.join(LOADERS)}); a private or gated dataset needs a login: hf auth login"
        ) from e
    except (ConnectionError, OSError) as e:
        raise SourceError(
            f"the Hub cannot be reached for {repo_id!r} ({_reason(e)}), and no local file has that name"
        ) from e
    except (SchemaError, SourceError):
        raise
    except (DatasetGenerationError, ValueError) as e:
        raise SourceError(f"the Hub dataset {repo_id!r} cannot be read: {_reason(e)}") from e
    try:
        commit = str(HfApi().dataset_info(repo_id).sha)
        card = Path(hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=commit)).read_text("utf-8")
    except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError) as e:
        note = (
            f"the card of {repo_id} could not be fetched ({type(e).__name__}); license and language are unknown here"
        )
        return Source(dataset, repo_id, "hub", _fingerprint(dataset), None, (*notes, note))
    return Source(dataset, repo_id, "hub", commit, card, notes)


def _check_card(repo_id: str) -> None:
    """Refuse a Hub dataset whose card says that its rows are elsewhere, before `datasets` asks there.

    Raises:
        SourceError: it names the address.
    """
    from datasets.config import REPOCARD_FILENAME, REPOYAML_FILENAME
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    for name in (REPOCARD_FILENAME, REPOYAML_FILENAME):
        try:
            file = hf_hub_download(repo_id, name, repo_type="dataset")
        except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError):
            continue  # it has none, or cannot be reached, of which `datasets` says why
        _check_addresses(Path(file).parent, repo_id)


def _check_hub_files(builder: Any, repo_id: str) -> None:
    """Refuse a Hub dataset with files that are not in it, or with parquet that unpacks to more than rows would.

    Raises:
        SourceError: it names the file.
    """
    from datasets.config import DATASET_INFO_FILENAME

    files = builder.config.data_files or {}
    for url in (str(url) for found in files.values() for url in found):
        if not url.startswith(f"hf://datasets/{repo_id}@") or ".." in url.split("/"):
            raise _rows_elsewhere(repo_id, url)
    is_prepared = (Path(builder.cache_dir) / DATASET_INFO_FILENAME).is_file()
    if type(builder.config).__name__ == "ParquetConfig" and not is_prepared:
        for local in _fetched(builder).values():
            check_unpacked(local)


def _fetched(builder: Any) -> dict[str, list[Path]]:
    """The files of a Hub dataset by split, downloaded into the usual cache."""
    from datasets import DownloadConfig, DownloadManager

    download = DownloadConfig(cache_dir=str(Path(builder.cache_dir) / "downloads"), token=builder.token)
    manager = DownloadManager(dataset_name=builder.dataset_name, download_config=download, base_path=builder.base_path)
    return {
        str(split): [Path(file) for file in manager.download(list(urls))]
        for split, urls in (builder.config.data_files or {}).items()
    }


def _downloaded(builder: Any, name: str, columns: Columns) -> tuple[tuple[str, ...], Any]:
    """The JSON or CSV files of a Hub dataset, read here; they stay in the cache of `datasets`."""
    parts, local = {}, _fetched(builder)
    for split, urls in builder.config.data_files.items():
        names = [str(url).rpartition("/")[2] for url in urls]
        paths = zip(local[str(split)], names, strict=True)
        parts[str(split)] = [file for path, each in paths for file in opened(path, each)]
    read = _read(parts, name, columns, Path(builder.cache_dir), _separator(builder))
    return read.notes, read.dataset


# --------------------------------------------------------------------------------------------------------------- files


@dataclass(frozen=True)
class _Read:
    """What came of files that are read here."""

    dataset: Any
    fingerprint: str
    notes: tuple[str, ...]


def _opened(paths: Sequence[Path]) -> list[Opened]:
    if len(paths) == 1 and paths[0].stat().st_size == 0:
        raise SourceError(f"{paths[0].name!r} is empty (0 bytes); expected at least one row")
    return [file for path in paths if path.stat().st_size for file in opened(path)]


def _files(paths: Sequence[Path], columns: Columns, cache_dir: Path) -> Source:
    from datasets import DatasetDict, load_dataset
    from datasets.exceptions import DatasetGenerationError

    first = as_text(paths[0].name)
    name = first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"
    files = _opened(paths)
    if not files:
        raise SourceError(f"{name!r}: every file is empty (0 bytes); expected at least one row")
    kinds = {file.loader for file in files}
    if "parquet" not in kinds:
        read = _read({"": files}, name, columns, cache_dir)
        return Source(read.dataset, name, "file", read.fingerprint, None, read.notes)
    if len(kinds) > 1:
        raise SourceError(f"{name!r}: parquet files beside {', '.join(sorted(kinds - {'parquet'}))}; read them apart")
    try:
        local = [text_path(file.to_disk(cache_dir / "unpacked"), cache_dir) for file in files]
        check_unpacked(local)
        names = [str(file) for file in local]
        dataset = load_dataset("parquet", data_files=names, split="train", cache_dir=str(cache_dir))
    except (DatasetGenerationError, StopIteration, ValueError, OSError) as e:
        if isinstance(e, SourceError):
            raise
        raise SourceError(f"{name!r} cannot be read as parquet: {_reason(e)}") from e
    return Source(DatasetDict({"train": dataset}), name, "file", digest_of(list(paths)))


def _read(
    parts: Mapping[str, Sequence[Opened]],
    name: str,
    columns: Columns,
    cache_dir: Path,
    separator: str | None = None,
) -> _Read:
    """JSON and CSV files as one dataset. Splits are those of the parts, or those that a file names, else `train`."""
    notes: list[str] = []
    splits: dict[str, list[Any]] = {}
    tables: list[CsvRows] = []
    for split, files in parts.items():
        for file in files:
            if file.loader == "csv":
                tables.append(CsvRows(file, separator) if separator else _csv_rows(file, columns, notes))
                found: dict[str | None, Any] = {None: tables[-1]}
            elif file.loader == "json":
                found = dict(json_parts(file, columns, notes))
            else:
                raise SourceError(f"{name!r} holds {file.name!r} beside text files; read them apart")
            for inner, rows in found.items():
                splits.setdefault(split or inner or "train", []).append(rows)
    names, renamed = split_names(splits, repr(name))
    splits = {names[split]: sources for split, sources in splits.items()}
    notes += renamed
    if tables:
        _type_cells(tables, columns)
    digest = digest_of(list(dict.fromkeys(file.path for files in parts.values() for file in files)))
    key = sha256(f"{digest}\0{columns}\0{list(splits)}".encode()).hexdigest()
    dataset = dataset_of(splits, columns=columns, key=key, cache_dir=cache_dir, notes=notes)
    if broken := sum(rows.repaired for sources in splits.values() for rows in sources):
        notes.append(
            f"{broken} rows of {name} held lone surrogates, which no Arrow string can hold: read as U+FFFD or joined"
        )
    return _Read(dataset, digest, tuple(notes))


def _csv_rows(file: Opened, columns: Columns, notes: list[str]) -> CsvRows:
    """A CSV file with the separator that its suffix says, or the one that its header shows where that gives no rows
    of a known shape."""
    table = CsvRows(file)
    if is_shape(table.header, columns):
        return table
    for separator in SEPARATORS:
        other = CsvRows(file, separator) if any(separator in name for name in table.header) else table
        if other is not table and is_shape(other.header, columns):
            notes.append(f"{file.name}: its cells are separated by {separator!r}")
            return other
    return table


def _type_cells(tables: Sequence[CsvRows], columns: Columns) -> None:
    """Text columns of CSV files are read as they stand; others are numbers where every cell of every file is one."""
    text: set[str] = set()
    for table in tables:
        try:
            text |= set(detect(table.header, columns).columns)
        except SchemaError as e:
            raise SchemaError(f"{table.file.name}: {e}") from e
    found = converters(tables, text)
    for table in tables:
        table.converters = found


def _reason(error: BaseException) -> str:
    """The first line of the innermost error, which is the informative one."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[0] if str(cause).strip() else 'no message'}"
