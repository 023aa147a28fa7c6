"""The file under a store: created, recognised as ours or refused, and its errors explained with the next move."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

from hfclean.models.failures import StoreError

APPLICATION = 0x68666331  # "hfc1", in the header of every file of ours
FORMAT = 2  # 2: with the time at which each answer was stored
HEADER = b"SQLite format 3\x00"
LOCK_WAIT_S = 60.0
# FULL: a commit is on the disk itself, so that it outlives a power cut as well as a killed process
PRAGMAS = ("PRAGMA synchronous=FULL", "PRAGMA foreign_keys=OFF")
TABLES = """
CREATE TABLE settings (
    digest BLOB PRIMARY KEY, source TEXT NOT NULL, prompt_version TEXT NOT NULL, generation TEXT NOT NULL);
CREATE TABLE answers (
    key BLOB PRIMARY KEY, settings BLOB NOT NULL, messages TEXT NOT NULL, text TEXT NOT NULL,
    finish_reason TEXT NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER, model TEXT NOT NULL,
    checksum INTEGER NOT NULL, stored_at INTEGER);
CREATE TABLE spending (
    run TEXT NOT NULL, source TEXT NOT NULL, asked INTEGER NOT NULL, tokens INTEGER NOT NULL, cost REAL NOT NULL,
    PRIMARY KEY (run, source));
CREATE TABLE digests (
    path TEXT NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL, file INTEGER NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (path, size, changed, file));
"""


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def files_of(path: Path) -> list[Path]:
    """The files that a store is made of."""
    return [f for f in (path, Path(f"{path}-wal")) if f.exists()]


def connect(path: Path) -> sqlite3.Connection:
    """Open a file of answers, creating it if necessary.

    Raises:
        StoreError: it is something else, or of a newer version.
    """
    if path.is_dir():
        raise StoreError(
            f"{str(path)!r} is a folder; expected a file of answers, such as {str(path / 'answers.sqlite3')!r}"
        )
    if path.exists() and path.stat().st_size:
        with path.open("rb") as f:
            if f.read(len(HEADER)) != HEADER:
                raise _foreign(path)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the rows are private to the user
    db = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        _recognise(db, path)
    except BaseException:
        db.close()
        raise
    return db


def connect_beside(path: Path) -> sqlite3.Connection:
    """One more connection to a file of answers that is open already."""
    db = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        for pragma in PRAGMAS:
            db.execute(pragma)
    except BaseException:
        db.close()
        raise
    return db


def _recognise(db: sqlite3.Connection, path: Path) -> None:
    def number(pragma: str) -> int:
        return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])

    db.execute("BEGIN")  # one look at both: another process may be filling the file just now
    empty = number("application_id") == 0
    foreign = empty and db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
    db.execute("COMMIT")
    if foreign:
        raise _foreign(path)
    if empty:
        _use_wal(db)
        with transaction(db):
            if number("application_id") == 0:  # else another process was quicker
                for statement in TABLES.split(";")[:-1]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={FORMAT}")
                db.execute(f"PRAGMA application_id={APPLICATION}")
    if number("application_id") != APPLICATION:
        raise _foreign(path)
    if number("user_version") == 1:
        _add_times(db, number)
    if number("user_version") != FORMAT:
        raise StoreError(
            f"{str(path)!r} has the format {number('user_version')}, this version reads up to {FORMAT}; upgrade "
            "hfclean, or name another file: store='answers.sqlite3'"
        )
    for pragma in PRAGMAS:
        db.execute(pragma)


def _add_times(db: sqlite3.Connection, number: Callable[[str], int]) -> None:
    """Bring a file of version 0.1.0 to the present form, in place: the times of its answers are not known."""
    with transaction(db):
        if number("user_version") == 1:  # else another process was quicker
            db.execute("ALTER TABLE answers ADD COLUMN stored_at INTEGER")
            db.execute(f"PRAGMA user_version={FORMAT}")


def _use_wal(db: sqlite3.Connection) -> None:
    """Readers that do not wait for writers. Without shared memory SQLite keeps its old journal: slower, as safe."""
    for _ in range(100):
        try:
            db.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as e:
            if "locked" not in str(e):
                raise
            sleep(0.05)  # another process is changing it, and SQLite does not wait by itself
        else:
            return


def _foreign(path: Path) -> StoreError:
    return StoreError(
        f"{str(path)!r} is not a file of answers; nothing in it was changed. Name another: store='answers.sqlite3', "
        "or set HFCLEAN_HOME to a folder for hfclean alone"
    )


def damaged(path: Path, reason: str) -> StoreError:
    """The error of a file that cannot be trusted."""
    return StoreError(
        f"the file of answers {str(path)!r} is damaged ({reason}); nothing in it was changed. Restore a copy, or move "
        "it aside and ask again"
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's errors as ours, with the next move."""
    try:
        yield
    except sqlite3.Error as e:
        message = str(e)
        if any(
            word in message for word in ("malformed", "not a database", "corrupt", "no such table", "no such column")
        ):
            raise damaged(path, message) from e
        if "full" in message:
            move = "the disk is full: free some space and run again"
        elif "readonly" in message or "unable to open" in message:
            move = "it cannot be written: allow writing to it and its folder, or name another: store='answers.sqlite3'"
        elif "locked" in message:
            move = f"another process held it for {LOCK_WAIT_S:.0f} s: wait for it to end, and run again"
        else:
            move = "check the disk, or name another file: store='answers.sqlite3'"
        raise StoreError(f"the file of answers {str(path)!r}: {message}; {move}. Every answer so far is kept") from e
    except OSError as e:
        if isinstance(e, StoreError):
            raise
        raise StoreError(
            f"the file of answers {str(path)!r} cannot be opened ({e.strerror or e}): allow writing there, or name "
            "another: store='answers.sqlite3', or set HFCLEAN_HOME"
        ) from e
