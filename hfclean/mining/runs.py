"""Runs: expensive results, one line each, on disk before they are used; several processes may share the work.

A folder holds `about.json` (what the runs have in common), `runs.jsonl` (one line per finished run) and `locks/`. A
line is written whole or, if the process dies while writing, as a torn last line that nobody reads. A run that some
process is at work on is locked; the lock goes with the process, however it ends.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hfclean.errors import FolderError

ABOUT = "about.json"
LINES = "runs.jsonl"


def digest(values: Any) -> str:
    """16 hex digits of what JSON can hold."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, default=str)
    return blake2b(text.encode(), digest_size=8).hexdigest()


class Runs:
    """The finished runs of a folder.

    Args:
        folder: made if it is not there.
        about: what makes the runs comparable; a folder of something else is refused.

    Raises:
        FolderError: the folder holds runs of something else, or cannot be written.
    """

    def __init__(self, folder: str | Path, about: Mapping[str, Any]) -> None:
        self.folder = Path(folder).expanduser()
        try:
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise FolderError(f"{self.folder} cannot be written: {e.strerror or e}; choose another folder") from e
        with self._lock("about"):
            self._check(dict(about))

    def _check(self, about: dict[str, Any]) -> None:
        path = self.folder / ABOUT
        if not path.exists():
            partial = path.with_name(f".{ABOUT}.{os.getpid()}")
            partial.write_text(json.dumps(about, indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")
            partial.replace(path)
            return
        try:
            recorded = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as e:
            raise FolderError(f"{path} is damaged ({e}); choose another folder") from e
        wanted = json.loads(json.dumps(about, default=str))
        odd = sorted(key for key in {*recorded, *wanted} if recorded.get(key) != wanted.get(key))
        if odd:
            raise FolderError(
                f"{self.folder} holds runs of something else: {', '.join(odd)} differ"
                f"{'' if len(odd) > 1 else 's'}; choose another folder, or give the settings of {ABOUT}"
            )

    def read(self) -> dict[str, dict[str, Any]]:
        """The finished runs by key, in the order in which they were finished; the first of two that are the same."""
        path = self.folder / LINES
        rows: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_bytes().split(b"\n"):
                try:
                    row = json.loads(line)
                except ValueError:  # torn by the end of its process
                    continue
                if isinstance(row, dict) and isinstance(row.get("key"), str):
                    rows.setdefault(row["key"], row)
        return rows

    def work(self, keys: Sequence[str], run: Callable[[str], Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Every run of these keys; those that nobody finished yet are done now, and stored one by one.

        What another process is at work on is waited for at the end, and done here if that process died.
        """
        for wait in (False, True):
            for key in keys:
                if key in self.read():
                    continue
                with self._lock(key, wait=wait) as mine:
                    if mine and key not in self.read():
                        self._write({"key": key, **run(key)})
        rows = self.read()
        return {key: rows[key] for key in keys}

    def _write(self, row: Mapping[str, Any]) -> None:
        # nan is not valid JSON: it is stored as null, and read as nan by those who need a number
        line = json.dumps({name: None if value != value else value for name, value in row.items()}, allow_nan=False)
        with self._lock("write"), (self.folder / LINES).open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":
                    line = "\n" + line
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _lock(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Whether the lock of this name is ours; without `wait`, `False` where another process has it."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / "locks" / f"{name}.lock")
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
