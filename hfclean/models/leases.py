"""Which process is asking for what: of several that use one file of answers, one asks and the others wait for it.

A lease is a row in the file: the key of an answer, and the process that is asking for it. It stays until the answer
is, or until its owner gives up. An owner reports every few seconds that it is alive. It counts as gone when it has not
reported for `LEASE_S`, or at once where this machine can see that its process has ended: its leases are then taken
over. No process waits while it holds open leases, so that no two can wait for each other.

A lease lost to a power cut costs nothing: leases are written without waiting for the disk.
"""

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import randbits
from time import sleep, time
from typing import NamedTuple

from hfclean.durable import machine
from hfclean.models import process
from hfclean.models.failures import StoreError
from hfclean.models.protocol import Answer
from hfclean.models.storefile import connect_beside, explained, transaction

LEASE_S = 30.0  # how long others wait for a process that no longer reports
FURTHEST_S = 600.0  # a time further ahead than this comes from a clock that was put back since
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.5  # between two looks whether another process has the answer
CHUNK = 500
TABLES = (
    "CREATE TABLE IF NOT EXISTS lease_owners (id INTEGER PRIMARY KEY, process TEXT NOT NULL, expires REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS leases (key BLOB PRIMARY KEY, owner INTEGER NOT NULL) WITHOUT ROWID",
)
FLUSH = "PRAGMA synchronous=NORMAL"

_Read = Callable[[sqlite3.Connection, Sequence[bytes]], dict[bytes, Answer]]


class Taken(NamedTuple):
    """The state of some keys: to be asked for here, or answered by now; others are asking for the rest."""

    mine: list[bytes]
    answers: dict[bytes, Answer]


class Leases:
    """The leases in one file of answers, as one process sees them. Safe to use from several threads.

    Args:
        path: the file.
        read: the answers that the file holds for some keys.
    """

    def __init__(self, path: Path, read: _Read) -> None:
        self.path = path
        self._read = read
        self._db: sqlite3.Connection | None = None
        self._closed = False
        self._id = randbits(62)
        self._process = _this_process()
        self._held: Counter[bytes] = Counter()  # how many calls of this process ask for each
        self._quiet: threading.Event | None = None  # set when nothing is left to renew

    def take(self, keys: Sequence[bytes], *, waited: bool = False) -> Taken:
        """Take the leases of those keys that have no answer and that no other process is asking for.

        Args:
            keys: of the answers to look for.
            waited: another process was asking for them a moment ago: look first, without blocking others.
        """
        with explained(self.path), process.sqlite_lock:
            db = self._open()
            answers: dict[bytes, Answer] = {}
            if waited:
                answers = self._read(db, keys)
                others = self._others(db, keys, self._living(db))
                keys = [key for key in keys if key not in answers and key not in others]
                if not keys:
                    return Taken([], answers)
            with transaction(db):
                living = self._living(db)
                self._clear(db, living)
                answers |= self._read(db, keys)  # one that came since they were looked for
                others = self._others(db, keys, living)
                mine = [key for key in keys if key not in answers and key not in others]
                if mine:
                    self._hold(db, mine)
            self._held.update(mine)
            self._keep_renewing()
        return Taken(mine, answers)

    def share(
        self,
        keys: Sequence[bytes],
        ask: Callable[[Sequence[bytes]], None],
        hear: Callable[[dict[bytes, Answer]], None],
        wait: Callable[[int, float], None] = lambda _, pause: sleep(pause),
    ) -> None:
        """Ask here for what no other process is asking for, and wait for the rest; returns when all is done.

        Args:
            keys: of the answers to look for.
            ask: asks for some of them, and keeps what comes.
            hear: gets answers that others kept meanwhile.
            wait: waits for others: gets how many they are asking for, and how long until the next look.
        """
        left, waited = list(keys), False
        for pause in pauses():
            if not left:
                return
            taken = self.take(left, waited=waited)
            hear(taken.answers)
            try:
                if taken.mine:
                    ask(taken.mine)
            finally:
                self.release(taken.mine)
            done = taken.answers.keys() | taken.mine
            left = [key for key in left if key not in done]
            if left:
                wait(len(left), pause)
            waited = True

    def held(self, keys: Sequence[bytes]) -> list[bytes]:
        """Those of the keys for which this process still has to bring an answer."""
        with process.sqlite_lock:
            return [key for key in keys if key in self._held]

    def release(self, keys: Sequence[bytes]) -> None:
        """This call does not ask for these any more, answered or not. What is answered has no lease left."""
        with suppress(StoreError), explained(self.path), process.sqlite_lock:  # the next user of the file reports it
            given_up = []
            for key in keys:
                if key in self._held:
                    self._held[key] -= 1
                    if not self._held[key]:
                        del self._held[key]
                        given_up.append((key, self._id))
            self._keep_renewing()
            if given_up and self._db is not None:
                with transaction(self._db):
                    self._db.executemany("DELETE FROM leases WHERE key = ? AND owner = ?", given_up)

    def answered(self, db: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        """These are in the file now; to be called in the transaction that writes them."""
        mine = [(key,) for key in keys if key in self._held]
        if mine:
            db.executemany("DELETE FROM leases WHERE key = ?", mine)
            for (key,) in mine:
                self._held.pop(key, None)
            self._keep_renewing()

    def renew(self) -> None:
        """Report that this process is alive."""
        with explained(self.path), process.sqlite_lock:
            if self._db is None or not self._held:
                return
            with transaction(self._db):
                renewed = self._db.execute(
                    "UPDATE lease_owners SET expires = ? WHERE id = ?", (time() + LEASE_S, self._id)
                ).rowcount
                if not renewed:  # others counted us as gone: leases that nobody took over are ours again
                    others = self._others(self._db, list(self._held), self._living(self._db))
                    self._hold(self._db, [key for key in self._held if key not in others])

    def close(self) -> None:
        """Let go of everything."""
        with suppress(StoreError), explained(self.path), process.sqlite_lock:
            self._closed = True
            self._held.clear()
            self._keep_renewing()
            db, self._db = self._db, None
            if db is not None:
                try:
                    with transaction(db):
                        db.execute("DELETE FROM leases WHERE owner = ?", (self._id,))
                        db.execute("DELETE FROM lease_owners WHERE id = ?", (self._id,))
                finally:
                    db.close()

    # ------------------------------------------------------------------------------------------------ the file

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreError(f"the file of answers {str(self.path)!r} was closed while answers were asked for")
        if self._db is None:
            db = connect_beside(self.path)
            try:
                db.execute(FLUSH)
                for table in TABLES:
                    db.execute(table)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _living(self, db: sqlite3.Connection) -> set[int]:
        """The owners to wait for."""
        now = time()
        rows = db.execute("SELECT id, process, expires FROM lease_owners").fetchall()
        return {
            owner
            for owner, process_name, expires in rows
            if owner == self._id or (now <= expires <= now + FURTHEST_S and not _has_ended(process_name))
        }

    def _others(self, db: sqlite3.Connection, keys: Sequence[bytes], living: set[int]) -> set[bytes]:
        """The keys for which others are asking."""
        found = set()
        waited_for = living - {self._id}
        for start in range(0, len(keys) if waited_for else 0, CHUNK):
            part = keys[start : start + CHUNK]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, owner FROM leases WHERE key IN ({marks})"  # noqa: S608 - marks only
            found |= {key for key, owner in db.execute(query, part) if owner in waited_for}
        return found

    def _clear(self, db: sqlite3.Connection, living: set[int]) -> None:
        """Forget the owners that are gone, and their leases."""
        ended = [(owner,) for (owner,) in db.execute("SELECT id FROM lease_owners").fetchall() if owner not in living]
        db.executemany("DELETE FROM leases WHERE owner = ?", ended)
        db.executemany("DELETE FROM lease_owners WHERE id = ?", ended)

    def _hold(self, db: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        db.execute("INSERT OR REPLACE INTO lease_owners VALUES (?,?,?)", (self._id, self._process, time() + LEASE_S))
        db.executemany("INSERT OR REPLACE INTO leases VALUES (?,?)", [(key, self._id) for key in keys])

    # ------------------------------------------------------------------------------------------------ renewing

    def _keep_renewing(self) -> None:
        """Run a thread that renews while there is something to renew, and none otherwise."""
        if self._held and self._quiet is None:
            self._quiet = threading.Event()
            threading.Thread(target=self._renew_until, args=(self._quiet,), name="hfclean-leases", daemon=True).start()
        elif not self._held and self._quiet is not None:
            self._quiet.set()
            self._quiet = None

    def _renew_until(self, quiet: threading.Event) -> None:
        while not quiet.wait(LEASE_S / 3):
            # a file that is held or full for a moment: the next round comes in time, or others ask as well
            with suppress(StoreError):
                self.renew()


def pauses() -> Iterator[float]:
    """How long to wait between two looks, for ever."""
    pause = SHORTEST_PAUSE_S
    while True:
        yield pause
        pause = min(LONGEST_PAUSE_S, pause * 1.5)


# -------------------------------------------------------------------------------------------------------- the process


def _this_process() -> str:
    """The identity of this process: machine, its start, its space of process numbers, number, start."""
    boot, host = machine()
    pid = os.getpid()
    return "/".join((host, boot, _space(), str(pid), _started(pid)[1]))


def _has_ended(name: str) -> bool:
    """Whether a process has certainly ended; False for one that cannot be seen from here."""
    host, boot, space, pid, started = name.split("/")
    own_boot, own_host = machine()
    if host == own_host and boot != own_boot:
        return True  # the machine was started again since
    if (host, boot, space) != (own_host, own_boot, _space()) or os.name == "nt":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # another user's
    state, since = _started(int(pid))
    return state in ("Z", "X") or since != started


def _space() -> str:
    """The space in which process numbers count: containers have their own."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid").replace("/", "")
    return ""


def _started(pid: int) -> tuple[str, str]:
    """The state of a process, and the tick at which it started; empty where the system does not tell."""
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as f:
        words = f.read().rpartition(b")")[2].split()
        return words[0].decode(), words[19].decode()
    return "", ""
