"""Reading a dataset from wherever it lies, exactly: files, folders, `save_to_disk` folders, the Hub.

`datasets` does the reading. This room chooses the loader, keeps it from guessing (an answer "NA" is not a missing
value, an answer "2020-01-01" is not a timestamp), and turns its failures into errors that say which line and what to
do.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hfclean.durable import recover
from hfclean.errors import SchemaError, SourceError
from hfclean.schema import Columns, detect

__all__ = ["LOADERS", "Source", "load"]

LOADERS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Source:
    """A loaded dataset and what is known of where it came from.

    Attributes:
        dataset: a `DatasetDict`, one entry per split.
        name: a Hub id, or the base name of a file or folder; never a full path.
        kind: `file`, `folder`, `disk` or `hub`.
        fingerprint: SHA-256 of a file, the commit of a Hub dataset, else the fingerprint that `datasets` gives.
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
    where: str | Path, *, split: str | None = None, config: str | None = None, columns: Columns = None, cache_dir: Path
) -> Source:
    """Load a dataset.

    Args:
        where: a .jsonl, .json, .csv, .tsv or .parquet file, a `save_to_disk` folder, a dataset folder, or a Hub id.
        split: one split only, as `datasets` spells it.
        config: the configuration of a Hub dataset or a dataset folder.
        columns: which columns hold what, as every transform takes it; needed to read CSV text as text.
        cache_dir: where files are unpacked; must outlive the dataset. A Hub dataset uses the usual cache.

    Raises:
        SourceError: there is nothing of that name, or it cannot be read; the message says where.
    """
    path = Path(where).expanduser()
    if not path.exists():
        recover(path)
    if path.is_dir():
        source = _folder(path, split, config, cache_dir)
    elif path.is_file():
        source = _file(path, columns, cache_dir)
    elif path.suffix in LOADERS or not HUB_ID.fullmatch(str(where)):
        raise SourceError(
            f"no file or folder {str(where)!r}; wanted a {', '.join(LOADERS)} file, a folder or a Hub id"
        )
    else:
        source = _hub(str(where), split, config)
    if not any(len(part) for part in source.dataset.values()):
        raise SourceError(f"{source.name!r} holds no rows")
    return _one_split(source, split) if split and source.kind in ("file", "disk") else source


def _one_split(source: Source, split: str) -> Source:
    if split not in source.dataset:
        raise SourceError(f"no split {split!r} in {source.name}; it has {', '.join(source.dataset)}")
    dataset = type(source.dataset)({split: source.dataset[split]})
    return Source(dataset, source.name, source.kind, source.fingerprint, source.card, source.notes)


def _as_dict(dataset: Any, split: str | None = None) -> Any:
    from datasets import Dataset, DatasetDict

    return DatasetDict({split or str(dataset.split or "train"): dataset}) if isinstance(dataset, Dataset) else dataset


def _folder(path: Path, split: str | None, config: str | None, cache_dir: Path) -> Source:
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    readme = path / "README.md"
    card = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else None
    name = path.resolve().name
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        dataset = _from_disk(path)
        return Source(dataset, name, "disk", _fingerprint(dataset), card)
    try:
        dataset = _as_dict(load_dataset(str(path.resolve()), config, split=split, cache_dir=str(cache_dir)), split)
    except (DatasetGenerationError, FileNotFoundError, ValueError) as e:
        raise SourceError(f"the folder {name!r} cannot be read as a dataset: {_reason(e)}") from e
    return Source(dataset, name, "folder", _fingerprint(dataset), card)


def _from_disk(path: Path) -> Any:
    """A `save_to_disk` folder. `datasets` writes empty splits and cannot read them again: they are made from their
    record."""
    from datasets import Dataset, DatasetDict, DatasetInfo, load_from_disk

    def one(folder: Path) -> Any:
        try:
            return load_from_disk(str(folder))
        except IndexError:
            features = DatasetInfo.from_directory(str(folder)).features
            return Dataset.from_dict({name: [] for name in features}, features=features)
        except (OSError, ValueError) as e:
            raise SourceError(f"the save_to_disk folder {folder.name!r} cannot be read: {_reason(e)}") from e

    splits = path / "dataset_dict.json"
    if not splits.is_file():
        return _as_dict(one(path))
    return DatasetDict({name: one(path / name) for name in json.loads(splits.read_text(encoding="utf-8"))["splits"]})


def _fingerprint(dataset: Any) -> str:
    digest = sha256()
    for split, part in sorted(dataset.items()):
        digest.update(f"{split}\0{part._fingerprint}\0".encode())
    return digest.hexdigest()


def _hub(repo_id: str, split: str | None, config: str | None) -> Source:
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        dataset = _as_dict(load_dataset(repo_id, config, split=split), split)
    except DatasetNotFoundError as e:
        raise SourceError(
            f"no file, folder or Hub dataset {repo_id!r} that can be read from here ({_reason(e)}). A local file "
            "needs its "
            f"suffix ({', '.join(LOADERS)}); a private or gated dataset needs a login: hf auth login"
        ) from e
    except (ConnectionError, OSError) as e:
        raise SourceError(
            f"the Hub cannot be reached for {repo_id!r} ({_reason(e)}), and no local file has that name"
        ) from e
    except (DatasetGenerationError, ValueError) as e:
        raise SourceError(f"the Hub dataset {repo_id!r} cannot be read: {_reason(e)}") from e
    try:
        commit = str(HfApi().dataset_info(repo_id).sha)
        card = Path(hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=commit)).read_text("utf-8")
    except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError) as e:
        note = (
            f"the card of {repo_id} could not be fetched ({type(e).__name__}); licence and language are unknown here"
        )
        return Source(dataset, repo_id, "hub", _fingerprint(dataset), None, (note,))
    return Source(dataset, repo_id, "hub", commit, card)


# --------------------------------------------------------------------------------------------------------------- files


def _file(path: Path, columns: Columns, cache_dir: Path) -> Source:
    from datasets import DatasetDict, load_dataset
    from datasets.exceptions import DatasetGenerationError

    loader = LOADERS.get(path.suffix.lower())
    if loader is None:
        raise SourceError(f"{path.name!r} has the suffix {path.suffix!r}; wanted one of {', '.join(LOADERS)}")
    if path.stat().st_size == 0:
        raise SourceError(f"{path.name!r} is empty (0 bytes); wanted at least one row")
    digest = _digest(path, text=loader != "parquet")
    notes: list[str] = []
    options: dict[str, Any] = {"data_files": str(path), "split": "train", "cache_dir": str(cache_dir)}
    if loader == "csv":
        options |= _csv_options(path, columns)
    try:
        if loader == "json" and (whole := _json_object(path)) is not None:
            dataset = _from_rows(path, whole, notes, cache_dir)
        else:
            dataset = load_dataset(loader, **options)
            if loader == "json" and _has_dates(dataset.features):
                dataset = _from_rows(path, list(_json_rows(path)), notes, cache_dir)
    except (DatasetGenerationError, StopIteration, ValueError, OSError) as e:
        if isinstance(e, SourceError):
            raise
        if loader != "json":
            raise SourceError(f"{path.name!r} cannot be read as {loader}: {_reason(e)}") from e
        dataset = _from_rows(path, list(_json_rows(path)), notes, cache_dir)
    return Source(DatasetDict({"train": dataset}), path.name, "file", digest, None, tuple(notes))


def _digest(path: Path, *, text: bool) -> str:
    """SHA-256 of a file; a text file is made sure to be UTF-8 on the way, since Arrow would only notice when a cell is
    read."""
    digest, decoder, size = sha256(), codecs.getincrementaldecoder("utf-8")(), 0
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
            try:
                if text:
                    decoder.decode(block)
            except UnicodeDecodeError as e:
                raise SourceError(
                    f"{path.name!r} is not UTF-8 (near byte {size + e.start}); convert it first, for example with "
                    "iconv"
                ) from e
            size += len(block)
    return digest.hexdigest()


def _csv_options(path: Path, columns: Columns) -> dict[str, Any]:
    """Text columns are read as they stand: "NA", "None" and "007" are answers, not missing values or numbers.

    The reader of `datasets` would take rows that are too long for rows with an index: the row lengths are checked
    first.
    """
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    limit = csv.field_size_limit(1 << 31)
    try:
        with path.open(encoding="utf-8-sig", newline="") as f:
            reader = csv.reader(f, delimiter=separator, strict=True)
            header = next(reader, [])
            for row in reader:
                if row and len(row) != len(header):
                    raise SourceError(
                        f"{path.name!r}, line {reader.line_num}: {len(row)} cells, and the header has {len(header)}. "
                        "Quote cells that hold the separator, or save the file as .jsonl"
                    )
    except csv.Error as e:
        raise SourceError(f"{path.name!r} cannot be read as csv: line {reader.line_num}: {e}") from e
    finally:
        csv.field_size_limit(limit)
    try:
        text = detect(header, columns).columns
    except SchemaError as e:
        raise SchemaError(f"{path.name}: {e}") from e
    return {"sep": separator, "keep_default_na": False, "converters": dict.fromkeys(text, str)}


def _has_dates(features: Any) -> bool:
    """Whether the JSON reader turned text into timestamps, which would not come out as it went in."""
    return "timestamp[" in str(features) or "date32" in str(features)


def _json_object(path: Path) -> list[Any] | None:
    """The rows of a .json file that is one object: columns (dict of lists), or rows under a single key."""
    if path.suffix.lower() != ".json":
        return None
    with path.open(encoding="utf-8-sig", errors="surrogatepass") as f:
        if f.read(1) != "{":
            return None
        f.seek(0)
        try:
            data = json.load(f)
        except ValueError:
            return None  # JSON lines under another suffix
    lists = {key: value for key, value in data.items() if isinstance(value, list)}
    rows = [value for value in lists.values() if value and all(isinstance(item, dict) for item in value)]
    if len(rows) == 1 and len(data) == len(lists) == 1:
        return rows[0]
    if lists and len(lists) == len(data) and len({len(value) for value in lists.values()}) == 1:
        return [dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True)]
    if len(data) and not lists:
        return [data]
    raise SourceError(
        f"{path.name!r} is one object with the keys {list(data)[:6]}; wanted a list of rows, or one row a line"
    )


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON or JSON-lines file, read by Python; errors name the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as e:
        raise SourceError(
            f"{path.name!r} is not UTF-8 (byte {e.start}); convert it first, for example with iconv"
        ) from e
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except ValueError as e:
            raise SourceError(f"{path.name!r} is not valid JSON: {e}") from e
        yield from rows
        return
    lines = text.split("\n")
    last = max((n for n, line in enumerate(lines) if line.strip()), default=-1)
    for n, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as e:
            cut = " The file seems to be cut off there." if n == last and n else ""
            raise SourceError(
                f"{path.name!r}, line {n + 1} is not valid JSON: {e}.{cut} It reads {line[:60]!r}... Mend or delete "
                "that line"
            ) from e
        if not isinstance(row, dict):
            raise SourceError(f"{path.name!r}, line {n + 1} is {type(row).__name__}; wanted an object with columns")
        yield row


def _from_rows(path: Path, rows: list[Any], notes: list[str], cache_dir: Path) -> Any:
    """A dataset of Python rows, typed by what is there; what Arrow cannot hold is put in a form that it can."""
    from datasets import Dataset

    for n, row in enumerate(rows):
        if not isinstance(row, dict):
            raise SourceError(f"{path.name!r}, row {n} is {type(row).__name__}; wanted an object with columns")
    broken = 0
    for n, row in enumerate(rows):
        if SURROGATE.search(json.dumps(row, ensure_ascii=False)):
            rows[n] = _without_surrogates(row)
            broken += 1
    if broken:
        notes.append(
            f"{broken} rows of {path.name} held lone surrogates, which no Arrow string can hold: read as U+FFFD or "
            "joined"
        )
    if not rows:
        raise SourceError(f"{path.name!r} holds no rows")
    features = _features(rows)
    return Dataset.from_generator(
        _Rows(tuple(features), rows), features=features, cache_dir=str(cache_dir), fingerprint=_rows_key(rows)
    )


class _Rows:
    """A picklable generator function over rows, with every column in every row."""

    def __init__(self, names: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
        self.names = names
        self.rows = rows

    def __call__(self) -> Iterator[dict[str, Any]]:
        for row in self.rows:
            yield {name: row.get(name) for name in self.names}


def _rows_key(rows: list[dict[str, Any]]) -> str:
    return sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]


def _features(rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa
    from datasets import Features, Json

    names = list(dict.fromkeys(name for row in rows for name in row))
    features = {}
    for name in names:
        try:
            kind = pa.array([row.get(name) for row in rows]).type
            features[name] = Features.from_arrow_schema(pa.schema([(name, kind)]))[name]
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            features[name] = Json()  # cells of several types
    return Features(features)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value


def _reason(error: BaseException) -> str:
    """The first line of the innermost error, which is the one that says something."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[0] if str(cause).strip() else 'no message'}"
