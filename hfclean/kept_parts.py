"""Finished parts of a long run, so that a run that was stopped or killed goes on from the last of them.

Each part of a large dataset, as it was revised and scored, is one file under `HFCLEAN_HOME`, written whole or not at
all. Its name is a hash of everything that it was made of: the rows themselves, the transform with its settings, the
number of the part and the versions of the libraries. The file ends with the SHA-256 of all before. The folder is open
to its user alone; one that is not is not used.
"""

import errno
import os
import shutil
import stat
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from hfclean.durable import new_file
from hfclean.errors import RecoveryWarning
from hfclean.ownership import file_hash, home
from hfclean.passes import BATCH, RELEASED, folder_of, release
from hfclean.transform import link_or_copy
from hfclean.version import __version__

KEPT_DAYS = 14
SIZE = sha256().digest_size  # bytes at the end of a file
# As much has to be free as the parts that are left take this often: with them, with what `datasets` writes, and with
# the files that are made in the end.
ROOM = 3


def folder() -> Path:
    """Where the parts are."""
    return home() / "parts"


class Kept(NamedTuple):
    """What `kept` counts."""

    parts: int
    bytes: int
    stale: int


def kept() -> Kept:
    """How many parts stopped runs left, how large they are, and how many are older than `KEPT_DAYS`."""
    states = [file.stat() for file in files()]
    return Kept(len(states), sum(state.st_size for state in states), sum(map(_is_stale, states)))


def clear_stale() -> int:
    """Delete the parts that are older than `KEPT_DAYS`; returns how many there were."""
    stale = [file for file in files() if _is_stale(file.stat())]
    for file in stale:
        file.unlink(missing_ok=True)
    return len(stale)


def files() -> list[Path]:
    """The parts, and those that a killed run had not finished."""
    return sorted(file for file in folder().glob("*") if ".arrow" in file.name)


def _is_stale(state: os.stat_result) -> bool:
    return time.time() - state.st_mtime > KEPT_DAYS * 24 * 60 * 60


class KeptParts:
    """Within a `with` block, the parts of one run: read if an earlier run finished them, kept once they are finished,
    and deleted when the block ends well."""

    def __init__(self) -> None:
        self._written: set[Path] = set()
        self._links: set[Path] = set()
        self._is_on = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        for file in self._links if kind else self._links | self._written:
            with suppress(PermissionError):  # Windows, where a file that is mapped stays
                file.unlink(missing_ok=True)
        if kind and self._written:
            _warn(
                f"finished parts are kept for {KEPT_DAYS} days ({len(self._written)} so far): the same command goes "
                "on from there"
            )

    def begun(self, pieces: Sequence[Any], transform: Any, label: str) -> list[tuple[Path, Any | None]]:
        """For each piece of a split the file in which it is kept, and the piece as it was made before, if it was."""
        from datasets.fingerprint import Hasher

        if not self._is_on or not self._is_private():
            return [(Path(), None)] * len(pieces)
        identity = Hasher.hash(transform)
        files = [folder() / f"{_key(piece, identity, number)}.arrow" for number, piece in enumerate(pieces)]
        found = [(file, self._read(file, piece)) for file, piece in zip(files, pieces, strict=True)]
        if before := sum(made is not None for _, made in found):
            _warn(f"{label} goes on: {before} of {len(pieces)} parts were done before")
        return found

    def keep(self, file: Path, made: Any, left: int) -> None:
        """Keep a finished piece. Where that is not possible, none is kept any more, and a warning says so.

        Args:
            file: as `begun` gave it.
            made: the piece, as a `Dataset`.
            left: how many pieces of the split there are from this one on.
        """
        if not self._is_on:
            return
        try:
            if shutil.disk_usage(folder()).free < ROOM * left * made.data.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with new_file(file) as partial:
                _write(partial, made)
        except OSError as e:
            self._stop(f"{e.strerror or e}: {folder()}")
        else:
            self._written.add(file)

    def _read(self, file: Path, piece: Any) -> Any | None:
        from datasets import Dataset
        from datasets.fingerprint import get_temporary_cache_files_directory
        from datasets.table import MemoryMappedTable

        if not _is_whole(file):
            return None
        self._written.add(file)
        # what is made of it lies beside it: that is to be where the other pieces are
        link = Path(folder_of(piece) or get_temporary_cache_files_directory(), f"cache-{file.name}")
        self._links.add(link)
        link.unlink(missing_ok=True)
        link_or_copy(file, link)
        info = piece.info.copy()
        info.features = None
        table = MemoryMappedTable.from_file(str(link))
        return Dataset(table, info=info, split=piece.split, fingerprint=file.stem[:16])

    def _is_private(self) -> bool:
        """Whether the folder is there, and no other user can put anything into it."""
        try:
            folder().mkdir(parents=True, exist_ok=True, mode=0o700)
            state = folder().stat()
        except OSError as e:
            self._stop(f"{e.strerror}: {folder()}")
        else:
            if os.name != "nt" and (state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077):
                self._stop(f"{folder()} is open to other users: chmod 700, or delete it")
        return self._is_on

    def _stop(self, why: str) -> None:
        self._is_on = False
        _warn(f"finished parts are not kept ({why}): once stopped, this command begins anew")


def _warn(message: str) -> None:
    warnings.warn(message, RecoveryWarning, stacklevel=3)


def _key(piece: Any, identity: str, number: int) -> str:
    """A hash of all that a piece is made of."""
    import datasets
    import numpy as np
    import pyarrow as pa

    versions = (__version__, datasets.__version__, pa.__version__)
    digest = sha256(f"{versions} {identity} {number} {piece.features!r}".encode())
    for count, table in enumerate(piece.with_format("arrow").iter(BATCH), 1):
        # a copy, as what is serialized of a slice has some bytes of its neighbours
        for batch in table.take(np.arange(len(table))).to_batches():
            digest.update(batch.serialize())
        if count % RELEASED == 0:
            release(piece)
    return digest.hexdigest()


def _write(file: Path, made: Any) -> None:
    import pyarrow as pa

    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, made.features.arrow_schema) as writer:
        for batch in made.data.table.to_batches():
            writer.write_batch(batch)
    digest = bytes.fromhex(file_hash(file))
    with file.open("ab") as f:
        f.write(digest)


def _is_whole(file: Path) -> bool:
    """Whether a part is there, and is what was written."""
    try:
        left = file.stat().st_size - SIZE
    except FileNotFoundError:
        return False
    digest = sha256()
    with file.open("rb") as f:
        while left > 0 and (data := f.read(min(left, 1 << 20))):
            digest.update(data)
            left -= len(data)
        return f.read() == digest.digest()
