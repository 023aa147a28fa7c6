"""Near-duplicates: texts whose runs of words overlap, all of them, or among very many those that MinHash finds."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hfclean.passes import appended, numbers
from hfclean.processes import NumProc, by_batch
from hfclean.selection import minhash, shingle_joins
from hfclean.selection.shingles import Shingles, fold, mix, shingles, text_hash

AT_ONCE = 8_000  # rows that are read at once: some five MB of numbers
LABEL = "looking for duplicates"
EXACT_UP_TO = 100_000  # rows; above, likely pairs are looked at instead of all, if nothing else is asked for
KEYED = np.uint64(0x9E3779B97F4A7C15)  # so that the key 0 changes numbers as well
RUNS_AT_ONCE = 1 << 22


def compares_all(count: int, complete: bool | None) -> bool:
    """Whether all pairs of this number of rows, texts or vectors are compared, and not only likely ones."""
    return count <= EXACT_UP_TO if complete is None else complete


@dataclass(frozen=True)
class _Hashed:
    """A batch of rows as numbers.

    Args:
        codes: of each row, of its text in small letters.
        empty: how many have no text.
        read: places in the batch of the rows whose runs of words follow, the first of each text.
        runs: these runs.
    """

    codes: list[int]
    empty: int
    read: list[int]
    runs: Shingles


class NearLabels(NamedTuple):
    """The groups of all rows.

    Attributes:
        labels: of each row, the first row of its group.
        empty: how many rows have no text.
        complete: whether all pairs of different texts were compared.
    """

    labels: Any
    empty: int
    complete: bool


def near_labels(
    read: Callable[[range], Iterable[str]],
    threshold: float,
    ngram: int,
    keys: Any,
    ds: Any,
    complete: bool | None,
    num_proc: NumProc,
) -> NearLabels:
    """For each row the first row of its group.

    Args:
        read: the texts of a batch of rows.
        threshold: see `duplicate_groups`.
        ngram: likewise.
        keys: uint64, of each row; rows of different ones are never in one group. Or None.
        ds: the rows, by whose files more can be written.
        complete: see `duplicate_groups`.
        num_proc: likewise.
    """
    seen: dict[Any, int] = {}  # each different text, of each key, in small letters
    places, first, empty = numbers(len(ds), np.int64, ds), array("q"), 0
    counts = array("q")

    def known_as(code: int, row: int) -> Any:
        return code if keys is None else (code, int(keys[row]))

    def in_numbers(batch: range) -> _Hashed:
        codes, without, fresh = [], 0, dict[Any, tuple[int, str]]()
        for k, text in enumerate(read(batch)):
            codes.append(code := text_hash(fold(text)))
            without += not text.strip()
            # another process does not know what is seen meanwhile, and reads some texts again
            if (name := known_as(code, batch[k])) not in seen:
                fresh.setdefault(name, (k, text))
        return _Hashed(codes, without, [k for k, _ in fresh.values()], shingles([t for _, t in fresh.values()], ngram))

    def hashed() -> Iterator[Any]:
        nonlocal empty
        row = 0
        for part in by_batch(in_numbers, len(ds), LABEL, num_proc, AT_ONCE):
            new = np.zeros(len(part.codes), bool)
            for k, code in enumerate(part.codes):
                places[row] = number = seen.setdefault(known_as(code, row), len(seen))
                if number == len(first):
                    first.append(row)
                    new[k] = True
                row += 1
            empty += part.empty
            here, sizes = new[part.read], np.diff(part.runs.starts)
            counts.extend(sizes[here].tolist())
            yield part.runs.hashes[np.repeat(here, sizes)]

    hashes = appended(hashed(), np.uint64, ds)
    seen.clear()
    starts = numbers(len(counts) + 1, np.int64, ds)
    np.cumsum(np.array(counts, np.int64), out=starts[1:])
    rows = np.array(first, np.int64)
    together = shingle_joins.Components(len(first))
    contexts = None if keys is None else keys[rows]
    for part in _near_parts(Shingles(hashes, starts), threshold, complete, together, contexts):
        together.join(part.first, part.second)
    return NearLabels(rows[together.labels][places], empty, compares_all(len(first), complete))


def _near_parts(
    texts: Shingles,
    threshold: float,
    complete: bool | None = None,
    together: shingle_joins.Components | None = None,
    contexts: Any = None,
) -> Iterator[shingle_joins.Near]:
    """Pairs of texts of one context that are near-duplicates, in parts; `texts` is not used afterwards."""
    if compares_all(len(texts.starts) - 1, complete):
        if contexts is not None:
            _keep_apart(texts, contexts)
        sets = shingle_joins.sets_of(texts)
        likely = shingle_joins.candidates(sets, threshold, together)
    else:
        sets = shingle_joins.whole_sets_of(texts)
        likely = minhash.likely(texts, threshold, together, contexts)
    for first, second in likely:
        yield shingle_joins.verified(sets, first, second, threshold)


def _keep_apart(texts: Shingles, contexts: Any) -> None:
    """Let texts of different contexts share no run of words, since the context goes into the number of each."""
    sizes = np.diff(texts.starts)
    for part in shingle_joins.parts(sizes, RUNS_AT_ONCE):
        stirred = mix(contexts[part] + KEYED)
        texts.hashes[texts.starts[part.start] : texts.starts[part.stop]] ^= np.repeat(stirred, sizes[part])


def near_pairs(rows: Sequence[str], threshold: float = 0.7, ngram: int = 3) -> shingle_joins.Near:
    """All pairs of texts whose runs of `ngram` words have a Jaccard index of `threshold` or more, with that index, in
    order. Up to 100,000 texts none is missed. All pairs are held in memory: a thousand equal texts have half a
    million."""
    parts = list(_near_parts(shingles(rows, ngram), threshold))
    whole = [np.concatenate([getattr(part, name) for part in parts] or [np.empty(0)]) for name in NEAR]
    key = (whole[0].astype(np.int64) << 32) | whole[1].astype(np.int64)
    _, once = np.unique(key, return_index=True)
    return shingle_joins.Near(*(column[once].astype(kind) for column, kind in zip(whole, KINDS, strict=True)))


NEAR = ("first", "second", "similarity")
KINDS = (np.int64, np.int64, np.float64)
