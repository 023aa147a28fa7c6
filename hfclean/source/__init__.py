"""Reading a dataset exactly, wherever it is stored: files, folders, `save_to_disk` folders, the Hub, the standard
input.

What is a string in the file is the same string in the dataset. The readers of `datasets` guess: an answer "NA" becomes
a missing value, "2020-01-01" a timestamp, and in a column of several types "007" becomes 7. JSON and CSV are therefore
read here; the rest, and the question which files a folder or a Hub dataset has, is left to `datasets`. Errors say
which line and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path

from hfclean.durable import recover
from hfclean.errors import SchemaError, SourceError
from hfclean.passes import narrowed
from hfclean.records.common import A_PART
from hfclean.records.part import is_part
from hfclean.schema import Columns, detect, nobody_answers
from hfclean.source.files import read_files
from hfclean.source.folders import read_folder
from hfclean.source.hub import read_hub
from hfclean.source.missing import EXPECTED, meant, near_names, refuse_path
from hfclean.source.opening import LOADERS, standard_input
from hfclean.source.source import Source
from hfclean.values import undecoded

__all__ = ["LOADERS", "Source", "check_there", "load", "local_paths"]


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
    if where == "" or (not isinstance(where, (str, Path)) and "" in where):
        raise SourceError(f"the name of a file is empty; expected {EXPECTED}")
    if isinstance(where, (str, Path)) and str(where) != "-" and not Path(where).expanduser().exists():
        recover(Path(where).expanduser())
    if not isinstance(where, (str, Path)) or (has_magic(str(where)) and not Path(where).expanduser().exists()):
        source = read_files(_found([where] if isinstance(where, (str, Path)) else where), columns, cache_dir)
    elif str(where) == "-":
        source = read_files([standard_input(cache_dir)], columns, cache_dir)
    elif (path := Path(where).expanduser()).is_dir():
        source = read_folder(path, split, config, columns, cache_dir)
    elif path.is_file():
        source = read_files([path], columns, cache_dir)
    else:
        refuse_path(str(where))
        source = read_hub(str(where), split, config, columns)
    if not any(len(part) for part in source.dataset.values()):
        raise SourceError(f"{source.name!r} holds no rows")
    source = replace(source, dataset=type(source.dataset)({s: undecoded(part) for s, part in source.dataset.items()}))
    _check_roles(source, columns)
    return source if split is None or list(source.dataset) == [split] else one_split(source, split)


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
    if not isinstance(where, str) and any(is_part(Path(name).expanduser()) for name in where):
        return  # the command that takes parts says what is wrong with them, and `load` that they are parts
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
            if is_part(folder):
                raise SourceError(f"{folder.name!r} is {A_PART}")
            raise SourceError(f"{str(folder)!r} is a folder; give it alone, or the files in it: {folder}/*.jsonl")
        found += matches
    return list(dict.fromkeys(found))


def one_split(source: Source, split: str) -> Source:
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
