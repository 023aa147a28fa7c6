"""What files and cells hold beneath packing and wide encodings, as a search for keys has to see it."""

from __future__ import annotations

import codecs
import gzip
import io
import lzma
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from hfclean.errors import HfcleanError
from hfclean.limits import most_unpacked
from hfclean.source.opening import MAGIC, decompressed

LAYERS = 3  # how often something may be packed over and over
IN_MEMORY = 1 << 24  # bytes of an archive within another; more of it goes to the disk
OPAQUE = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR", b"\x04\x22\x4d\x18": "LZ4", b"PAR1": "parquet"}
BOMS = {  # those of UTF-32 begin as those of UTF-16 do
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Latin text in two or four bytes a letter, either byte first, wherever it stands.
WIDE = re.compile(rb"(?:[^\0]\0\0\0){8,}|(?:\0\0\0[^\0]){8,}|(?:[^\0]\0){8,}|(?:\0[^\0]){8,}")
# The same and the beginnings of what is packed, as Arrow searches cells of bytes.
HIDDEN = (
    "(?s)(?:[^\\x00]\\x00){8}|(?:[^\\x00]\\x00\\x00\\x00){8}|^(?:"
    + "|".join("".join(f"\\x{byte:02x}" for byte in magic) for magic in (*MAGIC, *OPAQUE, *BOMS))
    + ")"
)
DAMAGE = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    RuntimeError,
)  # the last: a password, a method that is not known


class UnscannedError(HfcleanError):
    """Something packed that cannot be looked into."""


def plain_streams(name: str, f: IO[bytes], size: int) -> Iterator[tuple[str, IO[bytes]]]:
    """The files within a file, itself if it is not packed, each with its name, to be read before the next.

    Text with the mark of UTF-16 or UTF-32 comes as UTF-8.

    Args:
        name: of the file.
        f: its bytes.
        size: how many.

    Raises:
        UnscannedError: it cannot be unpacked, or becomes more than `limits.most_unpacked`.
    """
    with _explained():
        yield from _streams(name, f, _Allowance(most_unpacked(size)), LAYERS)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except DAMAGE as e:
        raise UnscannedError(f"damaged, or locked with a password: {e}") from e
    except OSError as e:
        if e.errno is not None:  # of the disk
            raise
        raise UnscannedError(f"damaged: {e}") from e


def _streams(name: str, f: IO[bytes], allowance: _Allowance, layers: int) -> Iterator[tuple[str, IO[bytes]]]:
    head = f.read(8)
    whole = _buffered(_Rejoined(head, f).read)
    kind = next((kind for magic, kind in (MAGIC | OPAQUE).items() if head.startswith(magic)), "")
    if kind == ".bz2" and not re.match(rb"BZh[1-9]1AY&", head):
        kind = ""  # a table may begin with BZh as well
    if not kind:
        yield name, _as_utf8(head, whole)
    elif not kind.startswith("."):
        raise UnscannedError(f"{kind}, which is not unpacked here")
    elif not layers:
        raise UnscannedError(f"packed more than {LAYERS} times over")
    elif kind == ".zip":
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as seekable:
            shutil.copyfileobj(whole, seekable)
            with zipfile.ZipFile(seekable) as archive:
                for member in archive.infolist():
                    with archive.open(member) as inner:
                        yield from _streams(
                            f"{name}/{member.filename}", _buffered(allowance.of(inner)), allowance, layers - 1
                        )
    else:
        yield from _streams(name, _buffered(allowance.of(decompressed(whole, kind))), allowance, layers - 1)


def narrowed(data: bytes) -> bytes:
    """Bytes in which Latin text in two or four bytes a letter has one."""
    return WIDE.sub(lambda run: run[0].replace(b"\0", b""), data) if b"\0" in data else data


def changed_wide(data: bytes, change: Callable[[str], str]) -> bytes:
    """Bytes in which such texts are changed, each in its own encoding."""

    def changed(run: re.Match[bytes]) -> bytes:
        wide = run[0]
        encoding = ("utf-32" if wide.count(b"\0") > len(wide) // 2 else "utf-16") + ("-be" if wide[0] == 0 else "-le")
        return change(wide.decode(encoding)).encode(encoding)

    return WIDE.sub(changed, data) if b"\0" in data else data


class _Allowance:
    """How many bytes may still be unpacked of one file."""

    def __init__(self, most: int) -> None:
        self.most = self.left = most

    def of(self, f: IO[bytes]) -> Callable[[int], bytes]:
        def read(size: int) -> bytes:
            with _explained():
                data = f.read(size)
            self.left -= len(data)
            if self.left < 0:
                raise UnscannedError(f"unpacks to more than {self.most:,} bytes")
            return data

        return read


class _Rejoined:
    """The beginning of a stream, which was read to see what it is, and the rest."""

    def __init__(self, head: bytes, f: IO[bytes]) -> None:
        self._head, self._f = head, f

    def read(self, size: int) -> bytes:
        head, self._head = self._head[:size], self._head[size:]
        return head or self._f.read(size)


class _Reader(io.RawIOBase):
    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _buffered(read: Callable[[int], bytes]) -> IO[bytes]:
    return io.BufferedReader(_Reader(read), 1 << 16)


def _as_utf8(head: bytes, whole: IO[bytes]) -> IO[bytes]:
    """Text with the mark of a wide encoding, in UTF-8; anything else as it is."""
    encoding = next((encoding for bom, encoding in BOMS.items() if head.startswith(bom)), None)
    if encoding is None:
        return whole
    text = io.TextIOWrapper(whole, encoding, errors="replace", newline="")
    return _buffered(lambda size: text.read(size // 4).encode("utf-8", "replace"))
