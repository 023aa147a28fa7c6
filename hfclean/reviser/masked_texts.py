"""What was masked, kept on this machine alone: the texts that `MaskPII` took out of rows, for `restore` to put back.

One SQLite file under `HFCLEAN_HOME`, open to its user alone, and on the disk before the masked rows are handed out.
Each entry has a name that is a keyed hash of what it holds, and rows have these names. Nobody without the file can
make them, so that a text cannot be guessed and tried against a name. What is deleted is overwritten.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b, sha256
from pathlib import Path
from secrets import token_bytes

from hfclean.errors import HfcleanError
from hfclean.models import process
from hfclean.models.storefile import APPLICATION as ANSWERS
from hfclean.models.storefile import HEADER, LOCK_WAIT_S, transaction
from hfclean.ownership import home

APPLICATION = 0x68666D31  # "hfm1", in the header of the file
APPLICATION_AT = 68  # where SQLite has it, in four bytes
CHUNK = 500
TABLES = (
    "CREATE TABLE about (id INTEGER PRIMARY KEY CHECK (id = 1), secret BLOB NOT NULL)",
    "CREATE TABLE texts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)


def masked_file() -> Path:
    """Where the texts are: `masked.sqlite3` in `HFCLEAN_HOME`, else in the user's cache."""
    return home() / "masked.sqlite3"


def open_masked(*, create: bool = True) -> MaskedTexts | None:
    """The open file of masked texts, one per process; None where there is none and none is to be created.

    Raises:
        HfcleanError: it cannot be opened or created, or is something else.
    """
    path = Path(os.path.abspath(masked_file()))
    if not create and not path.exists():
        return None
    return process.once(("masked", str(path)), lambda: MaskedTexts(path))


def is_private(file: Path) -> bool:
    """Whether a file is one of masked texts, or of answers: neither may ever be given away."""
    try:
        with file.open("rb") as content:
            head = content.read(APPLICATION_AT + 4)
    except OSError:
        return False
    number = int.from_bytes(head[APPLICATION_AT:], "big")
    return head.startswith(HEADER) and number in (APPLICATION, ANSWERS)


class MaskedTexts:
    """The open file. Use `open_masked`.

    Attributes:
        path: of the file.
        id: 16 hex digits that tell it from others; nothing in it can be read from them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._explained(), process.sqlite_lock:
            self._db = _connect(path)
            self._secret = bytes(self._db.execute("SELECT secret FROM about").fetchone()[0])
        self.id = sha256(b"masked texts" + self._secret).hexdigest()[:16]
        process.at_exit(self.close)

    def close(self) -> None:
        """Close the file."""
        with process.sqlite_lock:
            self._db.close()

    def name_of(self, value: str) -> str:
        """The name under which a value is kept, 32 hex digits: nobody without this file can make it."""
        return blake2b(value.encode(), key=self._secret, digest_size=16).hexdigest()

    def put(self, values: Iterable[str]) -> None:
        """Keep values; when this returns they are on disk."""
        rows = [(self.name_of(value), value) for value in values]
        with self._explained(), process.sqlite_lock, transaction(self._db):
            self._db.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", rows)

    def get(self, names: Iterable[str]) -> dict[str, str]:
        """The values that are here, by name; one that is not what was kept under its name is not here."""
        found: dict[str, str] = {}
        with self._explained(), process.sqlite_lock:
            for part in _chunks(names):
                marks = ",".join("?" * len(part))
                found |= self._db.execute(f"SELECT name, value FROM texts WHERE name IN ({marks})", part)  # noqa: S608
        return {name: value for name, value in found.items() if isinstance(value, str) and self.name_of(value) == name}

    def delete(self, names: Iterable[str]) -> int:
        """Delete values, so that their bytes are gone from the file; returns how many there were."""
        deleted = 0
        with self._explained(), process.sqlite_lock:
            with transaction(self._db):
                for part in _chunks(names):
                    marks = ",".join("?" * len(part))
                    deleted += self._db.execute(f"DELETE FROM texts WHERE name IN ({marks})", part).rowcount  # noqa: S608
            if deleted:
                self._db.execute("VACUUM")
        return deleted

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as e:
            raise HfcleanError(
                f"the file of masked texts {str(self.path)!r} cannot be used ({e}): free space, allow writing "
                "there, or name another folder in HFCLEAN_HOME. Nothing was masked without being kept"
            ) from e


def missing_note(missing: int = 1, rows: int = 1) -> str:
    """One line on masked rows of which what was masked is not here."""
    which = f"{missing:,} of {rows:,} masked rows" if missing < rows else "every masked row"
    return (
        f"personal data stays masked in {which}: {masked_file()} does not hold it. Restore on the machine where it "
        "was masked, with the same HFCLEAN_HOME"
    )


def _chunks(names: Iterable[str]) -> Iterator[Sequence[str]]:
    every = list(dict.fromkeys(names))
    return (every[start : start + CHUNK] for start in range(0, len(every), CHUNK))


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file, creating it if necessary. It has no log beside it: what is deleted is nowhere else."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if os.name != "nt" and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    db = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY"):
            db.execute(f"PRAGMA {pragma}")
        with transaction(db):
            number = int(db.execute("PRAGMA application_id").fetchone()[0])
            tables = int(db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0])
            if number != APPLICATION and (number or tables):
                raise sqlite3.DatabaseError("it holds something else")
            if not number:
                for statement in TABLES:
                    db.execute(statement)
                db.execute("INSERT INTO about VALUES (1, ?)", (token_bytes(32),))
                db.execute(f"PRAGMA application_id={APPLICATION}")
    except BaseException:
        db.close()
        raise
    return db
