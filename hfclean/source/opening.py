"""Files as streams of bytes, whatever they are compressed with, and what kind of rows they hold."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO, Any

from hfclean.errors import SourceError
from hfclean.limits import UNPACKED_TIMES, most_unpacked

LOADERS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")
MAGIC = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\xfd7zXZ\x00": ".xz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"PK\x03\x04": ".zip",
    b"PAR1": ".parquet",
}
SNIFFED = 1 << 16
SNIFFED_MAGIC = 10
# written beside rows by `datasets` and by trainers, and holds none
BESIDE = frozenset(("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"))
STANDARD_INPUT = "stdin"


@dataclass(frozen=True)
class Opened:
    """One file of rows: on the disk, compressed, or a member of an archive.

    Attributes:
        name: how messages call it.
        path: where it lies, or the archive.
        loader: `json`, `csv` or `parquet`.
        suffix: of the file inside, in lower case.
        compression: one of `COMPRESSIONS`, or empty.
        member: its name in the archive.
    """

    name: str
    path: Path
    loader: str
    suffix: str
    compression: str = ""
    member: str = ""

    @contextmanager
    def stream(self) -> Iterator[IO[bytes]]:
        """The bytes of the rows, decompressed as they are read.

        Raises:
            SourceError: what is compressed is damaged, or locked with a password.
        """
        try:
            with self._open() as f:
                yield f
        except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile) as e:
            raise self._damaged(e) from e
        except RuntimeError as e:
            if not self.member:
                raise
            raise SourceError(f"{self.name!r} cannot be taken out of the archive: {e}; unpack it first") from e
        except OSError as e:
            if self.compression in (".bz2", ".zst") and e.errno is None:
                raise self._damaged(e) from e
            raise

    def _damaged(self, error: BaseException) -> SourceError:
        return SourceError(
            f"{self.name!r} is damaged, or is not a {self.compression or 'readable'} file ({error}); fetch it again"
        )

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        if self.member:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as f:
                size = archive.getinfo(self.member).compress_size
                yield _Bounded.of(decompressed(f, _compression(self.member)), self.name, most_unpacked(size))
        elif self.compression:
            with self.path.open("rb") as f:
                size = self.path.stat().st_size
                yield _Bounded.of(decompressed(f, self.compression), self.name, most_unpacked(size))
        else:
            with self.path.open("rb") as f:
                yield f

    def to_disk(self, folder: Path) -> Path:
        """A file that can be read at any place: the file itself, or what was compressed, unpacked into the folder."""
        if not self.compression:
            return self.path
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{sha256(f'{self.path}/{self.member}'.encode()).hexdigest()[:16]}{self.suffix}"
        with self.stream() as f, target.open("wb") as out:
            shutil.copyfileobj(f, out, 1 << 20)
        return target


def decompressed(f: IO[bytes], compression: str) -> IO[bytes]:
    """The bytes in a compressed stream; of a .zip, which is an archive, itself."""
    if compression == ".gz":
        return io.BufferedReader(gzip.GzipFile(fileobj=f))
    if compression == ".bz2":
        return bz2.BZ2File(f)
    if compression == ".xz":
        return lzma.LZMAFile(f)
    if compression == ".zst":
        return io.BufferedReader(_Frames(f))
    return f


class _Bounded(io.RawIOBase):
    """What is unpacked, up to a number of bytes."""

    def __init__(self, f: IO[bytes], name: str, limit: int) -> None:
        self._f, self._name, self._limit, self._seen = f, name, limit, 0

    @classmethod
    def of(cls, f: IO[bytes], name: str, limit: int) -> IO[bytes]:
        return io.BufferedReader(cls(f, name, limit), 1 << 17)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._f.read(len(buffer))
        self._seen += len(data)
        if self._seen > self._limit:
            raise SourceError(
                f"{self._name!r} unpacks to more than {self._limit:,} bytes, more than {UNPACKED_TIMES} times its "
                "size: rows of text do not shrink like that. If it is meant to, unpack it first"
            )
        buffer[: len(data)] = data
        return len(data)


class _Frames(io.RawIOBase):
    """Zstandard, which pyarrow reads; frames that follow one another are one file, as `zstd` has it."""

    def __init__(self, f: IO[bytes]) -> None:
        import pyarrow as pa

        self._stream: Any = pa.CompressedInputStream(pa.PythonFile(f, mode="r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _compression(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in COMPRESSIONS else ""


def _inner(name: str) -> str:
    """The suffix of what is inside: `.jsonl` of rows.jsonl.gz."""
    compression = _compression(name)
    return PurePosixPath(name[: -len(compression)] if compression else name).suffix.lower()


def holds_rows(name: str) -> bool:
    """Whether a file of this name is expected to hold rows."""
    return _inner(name) in LOADERS and not name.startswith(".") and name not in BESIDE


def _really(path: Path) -> str:
    """The suffix that the first bytes of a file have, whatever it is called; empty where they say nothing."""
    with path.open("rb") as f:
        head = f.read(SNIFFED_MAGIC)
    found = next((suffix for magic, suffix in MAGIC.items() if head.startswith(magic)), "")
    return "" if found == ".bz2" and head[4:] != b"1AY&SY" else found  # a table may begin with BZh as well


def opened(path: Path, name: str | None = None) -> list[Opened]:
    """The files of rows at a path: one, or all of an archive, in the order of their names.

    Raises:
        SourceError: the suffix says nothing of rows, or the archive holds none.
    """
    name = name or path.name
    compression = _compression(name)
    suffix = _inner(name)
    if not compression and suffix in LOADERS and (found := _really(path)):
        compression, suffix = (found, suffix) if found in COMPRESSIONS else ("", found)
    if compression == ".zip":
        return _members(path, name)
    if suffix not in LOADERS and compression:
        with Opened(name, path, "", "", compression).stream() as f:
            suffix = _sniffed(f.read(SNIFFED))
    if suffix not in LOADERS:
        raise SourceError(
            f"{name!r} has the suffix {path.suffix!r}; expected one of {', '.join(LOADERS)}, which may be followed by "
            f"{', '.join(COMPRESSIONS)}"
        )
    return [Opened(name, path, LOADERS[suffix], suffix, compression)]


def _members(path: Path, name: str) -> list[Opened]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    except zipfile.BadZipFile as e:
        raise SourceError(f"{name!r} is damaged, or is not a .zip file ({e}); fetch it again") from e
    rows = []
    for member in members:
        parts = PurePosixPath(member).parts
        suffix = _inner(member)
        if suffix in LOADERS and not any(part.startswith((".", "__")) for part in parts):
            rows.append(Opened(f"{name}/{member}", path, LOADERS[suffix], suffix, ".zip", member))
    if not rows:
        raise SourceError(f"the archive {name!r} holds {members[:5]}; expected {', '.join(LOADERS)} files among them")
    return rows


def _sniffed(head: bytes) -> str:
    """The suffix that this beginning would have."""
    for magic, suffix in MAGIC.items():
        if head.startswith(magic):
            return suffix
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if text[:1] in (b"{", b"["):
        return ".jsonl"
    line = text.partition(b"\n")[0]
    if b"\t" in line:
        return ".tsv"
    return ".csv" if any(separator in line for separator in (b",", b";", b"|")) else ""


def standard_input(folder: Path, stream: IO[bytes] | None = None) -> Path:
    """What comes on the standard input, as a file whose suffix says what it seems to be.

    Raises:
        SourceError: nothing comes, or nothing that looks like rows.
    """
    stream = stream or sys.stdin.buffer
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / STANDARD_INPUT
    with target.open("wb") as out:
        shutil.copyfileobj(stream, out, 1 << 20)
    with target.open("rb") as f:
        head = f.read(SNIFFED)
    if not head.strip():
        raise SourceError("nothing came on the standard input; expected rows as JSON lines, JSON or CSV")
    suffix = _sniffed(head)
    if not suffix:
        raise SourceError(
            f"the standard input begins with {head[:40]!r}; expected JSON lines, JSON, CSV with a header, or parquet, "
            "compressed or not"
        )
    return target.rename(target.with_name(STANDARD_INPUT + suffix))


def digest_of(files: list[Path]) -> str:
    """SHA-256 of a file; of several, of all their contents in order."""
    digest = sha256()
    for file in files:
        with file.open("rb") as f:
            while block := f.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
