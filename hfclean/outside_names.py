"""Names that come from outside: of splits, which become names of files, and of files, which need not be text.

Those of splits are checked before anything is done.
"""

import os
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from hfclean.errors import SourceError

SPLIT = r"\w+(?:\.\w+)*"  # what `datasets` takes
UNION = "all"  # and what it reserves: all splits together
LONGEST = 100  # bytes, so that a file named after a split has a name that every file system can hold


def is_split(name: object) -> bool:
    """Whether `load_dataset` can read a split of this name from files named after it."""
    return (
        isinstance(name, str)
        and re.fullmatch(SPLIT, name) is not None
        and name.lower() != UNION
        and len(name.encode("utf-8", "replace")) <= LONGEST
    )


def may_name_split(name: str) -> bool:
    """Whether a name is one of a split, perhaps with `-`, which `split_names` spells differently."""
    return re.fullmatch(SPLIT, name.replace("-", ".")) is not None


def split_names(names: Iterable[object], where: str) -> tuple[dict[str, str], list[str]]:
    """The usable names of splits, by their given names, and a note about those that differ.

    Args:
        names: as they were read.
        where: what they were read from, for messages.

    Raises:
        SourceError: a name is a path, or cannot be a name; or two become the same.
    """
    found: dict[str, str] = {}
    notes = []
    for name in names:
        if not isinstance(name, str):
            raise SourceError(f"{where}: a split is called {str(name)[:60]!r}; expected the name of a split, as text")
        if is_path(name):
            raise SourceError(
                f"{where}: a split is called {name[:80]!r}, which is a path; expected letters, digits, '_' and '.': "
                "rename it where it was written"
            )
        found[name] = name if is_split(name) else _spelled(name)
        if not is_split(found[name]):
            raise SourceError(
                f"{where}: a split is called {name[:80]!r}; expected at most {LONGEST} bytes of letters, digits, '_' "
                "and '.': rename it where it was written"
            )
        if found[name] != name:
            notes.append(f"the split {name!r} is read as {found[name]!r}: load_dataset does not take the name")
    for name, new in found.items():
        same = [other for other, spelled in found.items() if spelled == new and other != name]
        if same:
            raise SourceError(f"{where}: the splits {name!r} and {same[0]!r} would both become {new!r}; rename one")
    return found, notes


def has_text_path(path: Path) -> bool:
    """Whether a path can be written as UTF-8, as the libraries that read Arrow and parquet files want it."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def text_path(path: Path, links: Path) -> Path:
    """The path, or a link to it where it is not valid text.

    Args:
        path: an existing file or folder.
        links: a folder of the caller's, where a link may be put.
    """
    if has_text_path(path):
        return path
    whole = path.resolve()
    links.mkdir(parents=True, exist_ok=True)
    link = links / f"path-{sha256(os.fsencode(whole)).hexdigest()[:16]}{path.suffix if path.suffix.isascii() else ''}"
    if not link.is_symlink():
        link.symlink_to(whole)
    return link


def as_text(name: str) -> str:
    """A name for people to read, with U+FFFD for each byte that is not text."""
    return os.fsencode(name).decode("utf-8", "replace")


def is_path(name: str) -> bool:
    """Whether a name may lead out of the folder that it stands in."""
    return name in (".", "..") or any(mark in name for mark in "/\\\0")


def _spelled(name: str) -> str:
    if name.lower() == UNION:
        return f"{name}_rows"
    parts = (re.sub(r"\W+", "_", part).strip("_") for part in name.split("."))
    return ".".join(filter(None, parts))
