"""Which folders hfclean wrote here for this user: only their records are trusted without asking.

The record of a folder (`hfclean.json`) can name servers, models and settings. It may come from a stranger: by
`git clone`, `hf download`, an archive. What was written here is noted in `HFCLEAN_HOME` by the hash of the folder's
path and of its record; neither path nor content can be read from the notes. A folder that was moved or changed is a
stranger's.
"""

import os
import warnings
from hashlib import file_digest, sha256
from pathlib import Path

from hfclean.durable import write_text
from hfclean.errors import RecoveryWarning

ABOUT = "hfclean.json"
NOTES = "own-folders"


def home() -> Path:
    """Where hfclean keeps what belongs to the user: `HFCLEAN_HOME`, else `hfclean` in the user's cache."""
    named = os.environ.get("HFCLEAN_HOME")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "hfclean"


def claim(folder: Path) -> None:
    """Note that the record of a folder, in its present state, was written here; warns where no note can be written."""
    note = _note(folder)
    try:
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(note, file_hash(folder / ABOUT))
    except OSError as e:
        warnings.warn(
            f"{folder.name} is written, and no note that it is yours could be ({e.strerror}: {note.parent}): it will "
            "be read as one from elsewhere. HFCLEAN_HOME names another place for such notes",
            RecoveryWarning,
            stacklevel=2,
        )


def is_own(folder: Path) -> bool:
    """Whether the record of a folder is one that was written here, and unchanged since."""
    try:
        return _note(folder).read_text(encoding="utf-8") == file_hash(folder / ABOUT)
    except OSError:
        return False


def _note(folder: Path) -> Path:
    return home() / NOTES / sha256(os.fsencode(folder.expanduser().resolve())).hexdigest()


def file_hash(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()
