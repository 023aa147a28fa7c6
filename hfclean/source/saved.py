"""Folders that `save_to_disk` of `datasets` wrote, read so that nothing is ever written into them.

`datasets` keeps what it makes of a dataset beside the files of that dataset. The files are therefore read through
links in a folder of the caller's, and what is made of them lands there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hfclean.errors import SourceError
from hfclean.limits import check_inside
from hfclean.outside_names import is_path, split_names
from hfclean.transform import CACHES, link_or_copy

STATE = "state.json"
INFO = "dataset_info.json"
SPLITS = "dataset_dict.json"


class Saved(NamedTuple):
    """The splits of a folder, and what had to be changed to read them."""

    splits: dict[str, Any]
    notes: tuple[str, ...]


def is_saved(path: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return (path / STATE).is_file() or (path / SPLITS).is_file()


def read_saved(path: Path, cache_dir: Path) -> Saved:
    """The splits of a `save_to_disk` folder.

    Args:
        path: the folder; it is read only.
        cache_dir: where links to its files are put, and later what `datasets` makes of them.

    Raises:
        SourceError: the folder is damaged, or it names splits or files outside of it.
        FolderError: a file in it is a link to somewhere else.
    """
    check_inside(path, [path / SPLITS])
    places = _links_of(cache_dir)
    if not (path / SPLITS).is_file():
        part = _read(path, places, path)
        return Saved({str(part.split or "train"): part}, ())
    content = _json(path, SPLITS)
    names = content.get("splits")
    if not isinstance(names, list) or not names:
        raise SourceError(
            f"{SPLITS} of {path.name!r} holds {str(content)[:80]}; expected an object with a list of splits, as "
            'save_to_disk writes it: {"splits": ["train", "test"]}'
        )
    folders, notes = split_names(names, f"{SPLITS} of {path.name!r}")
    for name in folders:
        if not (path / name).is_dir():
            raise SourceError(f"{SPLITS} of {path.name!r} names the split {name!r}, and there is no such folder")
    return Saved({new: _read(path / name, places / new, path) for name, new in folders.items()}, tuple(notes))


def _links_of(cache_dir: Path) -> Path:
    """A new folder for the links to one dataset."""
    count = 1
    while (place := cache_dir / CACHES / f"saved-{count}").exists():
        count += 1
    place.mkdir(parents=True)
    return place


def _read(folder: Path, links: Path, whole: Path) -> Any:
    """The dataset of one folder, which lies in the folder that is read. `datasets` writes empty ones and cannot read
    them again: they are made from their record."""
    from datasets import Dataset, DatasetInfo, load_from_disk

    state = _json(folder, STATE)
    files = state.get("_data_files")
    if not isinstance(files, list) or not all(
        isinstance(file, Mapping) and isinstance(file.get("filename"), str) for file in files
    ):
        raise SourceError(f"{STATE} of {folder.name!r} names no files; expected what save_to_disk writes")
    names = [file["filename"] for file in files]
    if outside := next((name for name in names if is_path(name) or not (folder / name).is_file()), None):
        raise SourceError(f"{STATE} of {folder.name!r} names {outside[:80]!r}, which is not a file in that folder")
    check_inside(whole, [folder / name for name in (STATE, INFO, *names)])
    links.mkdir(exist_ok=True)
    try:
        for name in (STATE, INFO):
            shutil.copyfile(folder / name, links / name)
        for name in dict.fromkeys(names):
            link_or_copy((folder / name).resolve(), links / name)
        try:
            return load_from_disk(str(links))
        except IndexError:
            features = DatasetInfo.from_directory(str(folder)).features
            return Dataset.from_dict({name: [] for name in features}, features=features)
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise SourceError(
            f"the save_to_disk folder {folder.name!r} cannot be read: {type(e).__name__}: "
            f"{(str(e).strip().splitlines() or ['no message'])[0]}"
        ) from e


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise SourceError(f"the save_to_disk folder {folder.name!r} has no {name}; save the dataset again") from e
    except (ValueError, RecursionError) as e:
        raise SourceError(f"{name} of {folder.name!r} is damaged ({e}); save the dataset again") from e
    if not isinstance(content, dict):
        raise SourceError(f"{name} of {folder.name!r} holds {str(content)[:80]!r}; expected an object")
    return content
