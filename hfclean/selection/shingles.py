"""Shingles: the words of many texts, and runs of n of them, as 64-bit numbers, a few million a second.

A word is a run of letters, marks and digits, in small letters and in one form of Unicode (NFKC); in scripts that are
written without spaces every character is a word. The numbers do not depend on the machine, the process or the order of
the texts, so they may be kept in files.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

from hfclean.text import CJK

VERSION = 1  # goes up when the same text gets other numbers
PIECE = 1 << 20  # characters that are read at once
LONGEST = 64  # characters; a longer word is hashed as a whole
IGNORED = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]")
NONE, LETTER, ALONE = 0, 1, 2


def _constants(count: int, start: int) -> Any:
    """Odd numbers that look random, the same everywhere."""
    digests = (blake2b(f"hfclean {start} {k}".encode(), digest_size=8).digest() for k in range(count))
    return np.array([int.from_bytes(each, "little") | 1 for each in digests], dtype=np.uint64)


IN_WORD = _constants(LONGEST, 1)
IN_RUN = _constants(64, 2)
MIX = _constants(2, 3)


def mix(numbers: Any) -> Any:
    """The numbers stirred in place, so that every bit depends on all: one to one."""
    for factor, shift in zip(MIX, (31, 29), strict=True):
        numbers ^= numbers >> np.uint64(shift)
        numbers *= factor
    numbers ^= numbers >> np.uint64(32)
    return numbers


def fold(text: str) -> str:
    """The text in small letters and in one form of Unicode, without characters that nobody sees."""
    if text.isascii():
        return text.lower()
    return IGNORED.sub("", unicodedata.normalize("NFKC", text)).lower()


def text_hash(text: str) -> int:
    """A number for a text as it stands."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@lru_cache(maxsize=4)
def _kinds(plane: int) -> Any:
    """What each character of a plane of Unicode is: none of a word, a letter of one, or a word alone."""
    if plane in (2, 3):  # rare Chinese characters
        return np.full(0x10000, ALONE, np.uint8)
    classes = np.zeros(0x10000, np.uint8)
    if plane < 2:
        for k in range(0x10000):
            character = chr(plane << 16 | k)
            if character.isalnum() or unicodedata.category(character)[0] == "M":
                classes[k] = ALONE if CJK.match(character) else LETTER
    return classes


def _kinds_of(codes: Any) -> Any:
    if not len(codes) or codes.max() < 0x10000:
        return _kinds(0)[codes]
    classes = np.zeros(len(codes), np.uint8)
    planes = codes >> 16
    for plane in range(4):
        here = planes == plane
        classes[here] = _kinds(plane)[codes[here] & 0xFFFF]
    return classes


@dataclass(frozen=True)
class Words:
    """The words of texts, one text after the other.

    Args:
        hashes: uint64, one for each word.
        starts: int64, one more than texts: where each text begins.
    """

    hashes: Any
    starts: Any

    @property
    def counts(self) -> Any:
        """Words in each text."""
        return np.diff(self.starts)

    def left(self) -> Any:
        """For each word, how many there are from it to the end of its text, itself among them."""
        return np.repeat(self.starts[1:], self.counts) - np.arange(len(self.hashes))

    def texts(self) -> Any:
        """For each word, the number of its text."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), self.counts)


def words(texts: Sequence[str]) -> Words:
    """The words of every text, as numbers."""
    hashes: list[Any] = []
    counts: list[Any] = []
    for piece in _pieces(texts):
        found, each = _words(piece)
        hashes.append(found)
        counts.append(each)
    starts = np.zeros(len(texts) + 1, np.int64)
    if counts:
        np.cumsum(np.concatenate(counts), out=starts[1:])
    return Words(np.concatenate(hashes) if hashes else np.empty(0, np.uint64), starts)


def _pieces(texts: Sequence[str]) -> Iterator[list[str]]:
    piece: list[str] = []
    size = 0
    for text in texts:
        if piece and size + len(text) > PIECE:
            yield piece
            piece, size = [], 0
        piece.append(fold(text))
        size += len(text) + 1
    if piece:
        yield piece


def _words(piece: list[str]) -> tuple[Any, Any]:
    """The words of some folded texts, and how many each has."""
    joined = "\n".join(piece) + "\n"
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _kinds_of(codes)
    letter = kinds == LETTER
    inside = np.zeros(len(codes) + 1, bool)
    inside[1:] = letter
    begins = (kinds == ALONE) | (letter & ~inside[:-1])
    first = np.flatnonzero(begins)
    ends = np.cumsum(np.fromiter(map(len, piece), np.int64, len(piece)) + 1)
    counts = np.diff(np.searchsorted(first, ends), prepend=0)
    if not len(first):
        return np.empty(0, np.uint64), counts
    used = np.flatnonzero(kinds)
    begin = np.flatnonzero(begins[used])  # among the characters that are used
    lengths = np.diff(begin, append=len(used))
    place = np.minimum(np.arange(len(used)) - np.repeat(begin, lengths), LONGEST - 1)
    hashes = mix(np.add.reduceat(codes[used].astype(np.uint64) * IN_WORD[place], begin))
    for k in np.flatnonzero(lengths > LONGEST):
        hashes[k] = text_hash(joined[first[k] : first[k] + lengths[k]])
    return hashes, counts


def runs(word_ids: Words, lengths: Sequence[int]) -> dict[int, Any]:
    """The numbers of all runs of each of these many words: the k-th is that of the run that begins at the k-th word.

    Runs that would go past the end of a text are included as well, and mean nothing: see `Words.left`.
    """
    out = {}
    count = len(word_ids.hashes)
    total = np.zeros(count, np.uint64)
    for k in range(max(lengths, default=0)):
        if k < count:
            total[: count - k] += word_ids.hashes[k:] * IN_RUN[k]
        if k + 1 in lengths:
            out[k + 1] = mix(total + IN_RUN[-1 - k])
    return out


@dataclass(frozen=True)
class Shingles:
    """The runs of n words of texts, one text after the other; a run may be there several times.

    Args:
        hashes: uint64, one for each run.
        starts: int64, one more than texts.
    """

    hashes: Any
    starts: Any


def shingles(texts: Sequence[str], n: int) -> Shingles:
    """The runs of n words of every text. A text of fewer words is one run of what it has; one without any word, such
    as `"?!"`, is its own characters. So every text has at least one."""
    word_ids = words(texts)
    counts = word_ids.counts
    short = np.flatnonzero(counts < n)
    sizes = np.maximum(counts - n + 1, 1)
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    hashes = np.empty(starts[-1], np.uint64)
    full = np.ones(len(hashes), bool)
    full[starts[short]] = False
    hashed = runs(word_ids, sorted({n, *(int(k) for k in np.unique(counts[short]) if k)}))
    hashes[full] = hashed[n][word_ids.left() >= n]
    for k in short.tolist():
        size = int(counts[k])
        hashes[starts[k]] = hashed[size][word_ids.starts[k]] if size else text_hash(fold(texts[k]).strip())
    return Shingles(hashes, starts)
