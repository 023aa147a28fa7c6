"""Answers that survive: one row a request in an SQLite file, on disk before anybody uses them.

The key is the content (whose answers these are, prompt version, settings, messages), so order, batches, splits and
code changes do not matter, and neither does the clock: the time at which an answer was stored is kept beside it, for
people to read, and decides nothing. Several processes may use one file; where two asked the same, the answer that was
stored first counts for both. Keys and tokens of servers never come here.

The source of an answer is, for a server, its host, port, path and model (`ModelSpec.where`), or the name that the
user gives (`cache_as`). Version 0.1.0 recorded neither ports nor times: `stored_at` is null for its answers.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import NamedTuple, TextIO

from hfclean.models import process
from hfclean.models.failures import StoreError
from hfclean.models.leases import Leases
from hfclean.models.protocol import Answer
from hfclean.models.storefile import connect, damaged, explained, files_of, transaction
from hfclean.ownership import file_hash, home

KEY_FORMAT = 1  # of the contents of a key: when raised, all answers are asked again
CHUNK = 500
ANSWER = "text, finish_reason, prompt_tokens, completion_tokens, model"
COLUMNS = f"key, settings, messages, {ANSWER}, checksum, stored_at"


class Setting(NamedTuple):
    """What the answers of one call have in common: source, prompt version and settings."""

    digest: bytes
    source: str
    prompt_version: str
    generation: str

    @classmethod
    def of(cls, source: str, prompt_version: str, generation: str) -> Setting:
        """The settings with their digest, which begins every key."""
        text = json.dumps([KEY_FORMAT, source, prompt_version, generation])
        return cls(hashlib.sha256(text.encode()).digest()[:16], source, prompt_version, generation)

    def key(self, messages: bytes) -> bytes:
        """The key of the answer to these messages, given as JSON."""
        return hashlib.sha256(self.digest + messages).digest()


class Record(NamedTuple):
    """An answer to keep, with its request and cost."""

    key: bytes
    setting: Setting
    messages: bytes
    answer: Answer
    tokens: int
    cost: float


class Taken(NamedTuple):
    """What came from another file of answers.

    Attributes:
        added: answers that were not there.
        differing: those that were there as another answer to the same request, which stayed.
    """

    added: int
    differing: int


class Spent(NamedTuple):
    """What a run has used of one source, in all its processes."""

    asked: int = 0
    tokens: int = 0
    cost: float = 0.0


@dataclass(frozen=True)
class SourceStats:
    """What a file of answers holds of one source: a model on a server, or one that ran here.

    Tokens are those that the server reported; `untold` answers came without. `first_stored` and `last_stored` are the
    UTC dates between which its answers were stored, empty where none has a date; `undated` answers were stored by
    version 0.1.0, which recorded neither date nor port.
    """

    answers: int
    prompt_tokens: int
    completion_tokens: int
    untold: int
    undated: int = 0
    first_stored: str = ""
    last_stored: str = ""


@dataclass(frozen=True)
class StoreStats:
    """What a file of answers holds."""

    path: str
    answers: int
    bytes: int
    sources: dict[str, int]
    prompt_tokens: int
    completion_tokens: int
    by_source: dict[str, SourceStats]


def default_path() -> Path:
    """Where answers are kept unless a file is named: `answers.sqlite3` in `HFCLEAN_HOME`, else in the user's cache."""
    return home() / "answers.sqlite3"


def open_store(path: str | Path | None = None) -> Store:
    """The open file of answers, created if it does not exist; one per file and process.

    Raises:
        StoreError: it cannot be opened or created, is damaged, or is not one of ours.
    """
    found = Path(path).expanduser() if path is not None else default_path()
    found = Path(os.path.abspath(found))
    return process.once(("store", str(found)), lambda: Store(found))


class Store:
    """One open file of answers. Use `open_store`: a file is opened once in a process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with explained(path), process.sqlite_lock:
            self._db = connect(path)
        self.leases = Leases(path, self._read)
        process.at_exit(self.close)

    def close(self) -> None:
        """Close the file."""
        self.leases.close()
        with process.sqlite_lock:
            self._db.close()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """The stored answers, by key."""
        with explained(self.path), process.sqlite_lock:
            return self._read(self._db, keys)

    def _read(self, db: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        found: dict[bytes, Answer] = {}
        for start in range(0, len(keys), CHUNK):
            part = keys[start : start + CHUNK]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, {ANSWER}, checksum, stored_at FROM answers WHERE key IN ({marks})"  # noqa: S608
            for key, *values, checksum, stored_at in db.execute(query, part):
                found[key] = _answer(self.path, values, checksum, stored_at)
        return found

    def put(self, records: Sequence[Record], *, run: str = "") -> tuple[dict[bytes, Answer], dict[str, Spent]]:
        """Keep answers; when this returns they are on disk.

        Returns:
            the answers that were already stored and count instead of the new ones, and what the run has used so far.
        """
        now = int(time())
        rows = [
            (r.key, r.setting.digest, r.messages.decode(), *(values := _values(r.answer)), _checksum(values), now)
            for r in records
        ]
        with explained(self.path), process.sqlite_lock, transaction(self._db):
            before = self._db.total_changes
            marks = ",".join("?" * 10)
            self._db.executemany(f"INSERT OR IGNORE INTO answers ({COLUMNS}) VALUES ({marks})", rows)  # noqa: S608
            added = self._db.total_changes - before
            self._db.executemany("INSERT OR IGNORE INTO settings VALUES (?,?,?,?)", {r.setting for r in records})
            self.leases.answered(self._db, [r.key for r in records])
            spent = {source: self._spend(run, source, records) for source in {r.setting.source for r in records}}
        return self.get([r.key for r in records]) if added < len(records) else {}, spent

    def _spend(self, run: str, source: str, records: Sequence[Record]) -> Spent:
        mine = [r for r in records if r.setting.source == source]
        self._db.execute(
            "INSERT INTO spending VALUES (?,?,?,?,?) ON CONFLICT (run, source) DO UPDATE SET "
            "asked = asked + excluded.asked, tokens = tokens + excluded.tokens, cost = cost + excluded.cost",
            (run, source, len(mine), sum(r.tokens for r in mine), sum(r.cost for r in mine)),
        )
        return self._spent(run, source)

    def _spent(self, run: str, source: str) -> Spent:
        query = "SELECT asked, tokens, cost FROM spending WHERE run = ? AND source = ?"
        return Spent(*(self._db.execute(query, (run, source)).fetchone() or (0, 0, 0.0)))

    def spent(self, run: str, source: str) -> Spent:
        """What a run has used of a source so far, in all its processes."""
        with explained(self.path), process.sqlite_lock:
            return self._spent(run, source)

    def holds(self, source: str) -> tuple[int, int]:
        """How many answers of a source are here, and how many of them are of version 0.1.0."""
        with explained(self.path), process.sqlite_lock:
            known = self._db.execute("SELECT digest FROM settings WHERE source = ?", (source,)).fetchall()
            marks = ",".join("?" * len(known))
            query = f"SELECT COUNT(*), SUM(stored_at IS NULL) FROM answers WHERE settings IN ({marks})"  # noqa: S608
            count, undated = self._db.execute(query, [digest for (digest,) in known]).fetchone() if known else (0, 0)
        return int(count), int(undated or 0)

    def file_digest(self, path: Path) -> str:
        """The SHA-256 of a file, computed once as long as size, time of change and inode stay the same."""
        about = path.stat()
        mark = (str(path), about.st_size, about.st_mtime_ns, about.st_ino & 0x7FFF_FFFF_FFFF_FFFF)
        with explained(self.path), process.sqlite_lock:
            query = "SELECT digest FROM digests WHERE path = ? AND size = ? AND changed = ? AND file = ?"
            known = self._db.execute(query, mark).fetchone()
        if known:
            return str(known[0])
        digest = file_hash(path)
        with explained(self.path), process.sqlite_lock, transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO digests VALUES (?,?,?,?,?)", (*mark, digest))
        return digest

    def stats(self) -> StoreStats:
        """What is in the file."""
        with explained(self.path), process.sqlite_lock:
            counts = self._db.execute(
                "SELECT source, COUNT(*), TOTAL(prompt_tokens), TOTAL(completion_tokens), SUM(prompt_tokens IS NULL "
                "OR completion_tokens IS NULL), SUM(stored_at IS NULL), MIN(stored_at), MAX(stored_at) FROM answers "
                "JOIN settings ON settings.digest = answers.settings GROUP BY source ORDER BY source"
            ).fetchall()
        size = sum(f.stat().st_size for f in files_of(self.path))
        found = {
            source: SourceStats(answers, int(read), int(written), untold, undated, day_of(first), day_of(last))
            for source, answers, read, written, untold, undated, first, last in counts
        }
        return StoreStats(
            str(self.path),
            sum(each.answers for each in found.values()),
            size,
            {source: each.answers for source, each in found.items()},
            sum(each.prompt_tokens for each in found.values()),
            sum(each.completion_tokens for each in found.values()),
            found,
        )

    def rows(self) -> Iterator[dict[str, object]]:
        """Everything in the file, in order of arrival."""
        last = 0
        query = (
            f"SELECT answers.rowid, key, messages, source, prompt_version, generation, {ANSWER}, checksum, stored_at "  # noqa: S608
            "FROM answers JOIN settings ON settings.digest = answers.settings "
            "WHERE answers.rowid > ? ORDER BY answers.rowid LIMIT ?"
        )
        while True:
            with explained(self.path), process.sqlite_lock:
                page = self._db.execute(query, (last, CHUNK)).fetchall()
            if not page:
                return
            last = page[-1][0]
            for _, key, messages, source, prompt_version, generation, *values, checksum, stored_at in page:
                answer = _answer(self.path, values, checksum, stored_at)
                yield {
                    "key": key.hex(),
                    "source": source,
                    "prompt_version": prompt_version,
                    "generation": json.loads(generation),
                    "messages": json.loads(messages),
                    "text": answer.text,
                    "finish_reason": answer.finish_reason,
                    "prompt_tokens": answer.prompt_tokens,
                    "completion_tokens": answer.completion_tokens,
                    "model": answer.model,
                    "stored_at": stored_at,
                }

    def take(self, other: Store) -> Taken:
        """Keep the answers of another file as well, each with the time at which it was stored; where both have one,
        the one that is here counts."""
        last, added, differing = 0, 0, 0
        held = "SELECT COUNT(*) FROM answers WHERE key = ? AND settings = ? AND checksum != ?"
        names = ", ".join(f"answers.{name.strip()}" for name in COLUMNS.split(","))
        query = f"SELECT rowid, {names} FROM answers WHERE rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608
        marks = ",".join("?" * len(COLUMNS.split(",")))
        with explained(other.path), process.sqlite_lock:
            settings = other._db.execute("SELECT digest, source, prompt_version, generation FROM settings").fetchall()
        while True:
            with explained(other.path), process.sqlite_lock:
                page = other._db.execute(query, (last, CHUNK)).fetchall()
            if not page:
                return Taken(added, differing)
            for _, _, _, _, *values, checksum, stored_at in page:
                _answer(other.path, values, checksum, stored_at)  # which refuses a damaged one
            named = [(key, settings, checksum) for _, key, settings, _, *_, checksum, _ in page]
            with explained(self.path), process.sqlite_lock, transaction(self._db):
                before = self._db.total_changes
                differing += sum(self._db.execute(held, each).fetchone()[0] for each in named)
                rows = [row[1:] for row in page]
                self._db.executemany(f"INSERT OR IGNORE INTO answers ({COLUMNS}) VALUES ({marks})", rows)  # noqa: S608
                added += self._db.total_changes - before
                self._db.executemany("INSERT OR IGNORE INTO settings VALUES (?,?,?,?)", settings)
            last = page[-1][0]

    def delete(self, keys: Sequence[bytes]) -> tuple[int, bool]:
        """Delete answers, all or none, so that their bytes are gone from the file and its log; how many there were,
        and whether the log is empty: another process that reads the file keeps it."""
        if not keys:
            return 0, True
        with explained(self.path), process.sqlite_lock:
            self._db.execute("PRAGMA secure_delete=ON")
            with transaction(self._db):
                deleted = sum(self._db.execute("DELETE FROM answers WHERE key = ?", (key,)).rowcount for key in keys)
            self._db.execute("VACUUM")
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return deleted, not busy

    def clear(self, source: str | None = None) -> int:
        """Delete the answers of one source, or all; returns how many."""
        where, values = ("", ()) if source is None else (" WHERE source = ?", (source,))
        with explained(self.path), process.sqlite_lock:
            with transaction(self._db):
                chosen = f"SELECT digest FROM settings{where}"  # noqa: S608 - no text of anybody's in it
                deleted = self._db.execute(f"DELETE FROM answers WHERE settings IN ({chosen})", values).rowcount  # noqa: S608
                self._db.execute(f"DELETE FROM settings{where}", values)  # noqa: S608
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted


def stats(path: str | Path | None = None) -> StoreStats:
    """What a file of answers holds; nothing if it does not exist, and none is created."""
    found = Path(path).expanduser() if path is not None else default_path()
    return open_store(found).stats() if found.exists() else StoreStats(str(found), 0, 0, {}, 0, 0, {})


def matching(found: StoreStats, model: str) -> list[str]:
    """The sources of a file that a model's name can mean: the source whole, or one of its words.

    Raises:
        StoreError: the file has no such source.
    """
    chosen = [source for source in found.sources if model == source or model in source.split()]
    if not chosen:
        known = "; ".join(found.sources) or "none: it is empty"
        raise StoreError(f"no answers of {model!r} in {found.path!r}; it has answers of: {known}")
    return chosen


def export(out: TextIO, path: str | Path | None = None, *, sources: Collection[str] | None = None) -> int:
    """Write every answer with what was asked as a line of JSON, of some sources or all; returns how many."""
    found = Path(path).expanduser() if path is not None else default_path()
    count = 0
    for row in open_store(found).rows() if found.exists() else ():
        if sources is not None and row["source"] not in sources:
            continue
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count


def clear(path: str | Path | None = None, *, source: str | None = None) -> int:
    """Delete answers, of one source (as `stats` names it) or all; returns how many."""
    found = Path(path).expanduser() if path is not None else default_path()
    return open_store(found).clear(source) if found.exists() else 0


def merge(files: Sequence[str | Path], path: str | Path | None = None) -> dict[str, Taken]:
    """Put the answers of several files into one, which is made where it is missing; the files stay as they are.

    Where two have different answers to the same request, that of the first counts. What was taken before a damaged
    answer stays: once the file is well again, the same call takes the rest.

    Args:
        files: files of answers.
        path: the one that has all of them afterwards; by default the usual one.

    Returns:
        what came from each file.

    Raises:
        StoreError: a file is missing or damaged, is not one of ours, or is the one into which they go.
    """
    into = Path(path).expanduser() if path is not None else default_path()
    found = list(dict.fromkeys(Path(os.path.abspath(Path(file).expanduser())) for file in files))
    for file in found:
        if not file.is_file():
            raise StoreError(f"no file of answers {str(file)!r}; expected one that a run of hfclean left")
        if into.exists() and file.samefile(into):
            raise StoreError(f"{str(file)!r} is the file into which the answers go; name the others only")
    others = [open_store(file) for file in found]
    target = open_store(path)
    return {str(other.path): target.take(other) for other in others}


def _values(answer: Answer) -> tuple[str, str, int | None, int | None, str]:
    return answer.text, answer.finish_reason, answer.prompt_tokens, answer.completion_tokens, answer.model


def _checksum(values: Sequence[object]) -> int:
    """SQLite does not notice a changed bit in a text; this does."""
    return zlib.crc32("\x1f".join(map(str, values)).encode())


def day_of(stored_at: int | None) -> str:
    """The UTC date of a time, as `2026-11-29`; empty for none."""
    return "" if stored_at is None else datetime.fromtimestamp(stored_at, UTC).date().isoformat()


def _answer(path: Path, values: Sequence[object], checksum: int, stored_at: int | None) -> Answer:
    if _checksum(values) != checksum:
        raise damaged(path, "the checksum of an answer is wrong")
    text, finish_reason, prompt_tokens, completion_tokens, model = values
    return Answer(
        text,  # type: ignore[arg-type]
        finish_reason,  # type: ignore[arg-type]
        prompt_tokens,  # type: ignore[arg-type]
        completion_tokens,  # type: ignore[arg-type]
        model=model,  # type: ignore[arg-type]
        cached=True,
        stored_at=stored_at,
    )
