"""MinHash: likely near-duplicates among very many texts, by bands of minima; every one is counted afterwards.

With 25 bands of 5, a pair with a Jaccard index of 0.7 is seen with probability 0.990, one with 0.8 with 0.99995. The
bands that are often called optimal for 0.7 (14 of 9) see 0.43 of the former.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from hfclean import passes
from hfclean.passes import appended
from hfclean.selection.shingle_joins import Components, ordered_pairs, pairs_within, parts
from hfclean.selection.shingles import Shingles, mix

BANDS = (25, 5)
BANDS_ARE_FOR = 0.7
BAND_BITS = 40  # one pair of texts in forty thousand million shares one of 25 bands by chance
MISSED = 0.01  # of the pairs right at the threshold, at most this share
AT_A_TIME = 1 << 22  # shingles
SORTED_AT_ONCE = 1 << 22  # bands


def chance(similarity: float, bands: int, rows: int) -> float:
    """How likely a pair of this Jaccard index is seen."""
    return float(1 - (1 - similarity**rows) ** bands)


def bands_for(threshold: float) -> tuple[int, int]:
    """Bands and minima in each, so that at most 1 % of the pairs right at the threshold are not seen."""
    for rows in range(8, 0, -1):
        wanted = math.log(MISSED) / math.log1p(-min(threshold**rows, 1 - 1e-12))
        if wanted <= 32:
            return max(4, math.ceil(wanted)), rows
    return 250, 1


def shape_for(threshold: float) -> tuple[int, int]:
    """Bands and minima in each, as they are used."""
    return BANDS if abs(threshold - BANDS_ARE_FOR) < 1e-9 else bands_for(threshold)


def likely(
    sets: Shingles, threshold: float, known: Components | None = None, contexts: Any = None
) -> Iterator[tuple[Any, Any]]:
    """Pairs that share a band and the context, in parts; a pair may come in several of them. Pairs that are `known` to
    hang together when their turn comes are left out.

    Args:
        sets: of every text.
        threshold: the Jaccard index from which on pairs are looked for.
        known: which texts hang together.
        contexts: uint64, of each text, or None; texts of different ones are never a pair.
    """
    for band in bands_of(sets, threshold):
        yield from sharing(in_context(band, contexts), known)


def bands_of(sets: Shingles, threshold: float) -> Iterator[Any]:
    """Of each band the numbers of all texts, of 40 bits, as uint64."""
    bands, rows = shape_for(threshold)
    short = appended(
        (sets.hashes[k : k + AT_A_TIME] >> np.uint64(32) for k in range(0, len(sets.hashes), AT_A_TIME)), np.uint32
    )
    generator = np.random.default_rng(7)
    for _ in range(bands):
        key = np.zeros(len(sets.starts) - 1, np.uint64)
        for _ in range(rows):
            factor = np.uint32(generator.integers(1 << 31, dtype=np.uint32) * 2 + 1)
            key = mix(key + _minima(short, sets.starts, factor, np.uint32(generator.integers(1 << 32))))
        yield key >> np.uint64(64 - BAND_BITS)


def in_context(band: Any, contexts: Any) -> Any:
    """A number for each text, spread evenly: equal where its band and its context are."""
    return mix(band.copy() if contexts is None else band ^ mix(contexts.copy()))


def sharing(key: Any, known: Components | None) -> Iterator[tuple[Any, Any]]:
    """All pairs of texts with the same key, which is spread evenly."""
    for (rows,) in passes.parts(key, at_once=SORTED_AT_ONCE):
        owner = rows[np.argsort(key[rows], kind="stable")]
        ordered = key[owner]
        upper = np.searchsorted(ordered, ordered, side="right")
        for left, right in pairs_within(ordered, upper, owner, known):
            if len(left):
                yield ordered_pairs(owner[left], owner[right])


def shared(key: Any) -> Iterator[Any]:
    """The texts whose key another one has as well, in parts."""
    for (rows,) in passes.parts(key, at_once=SORTED_AT_ONCE):
        owner = rows[np.argsort(key[rows], kind="stable")]
        same = key[owner[1:]] == key[owner[:-1]]
        yield np.concatenate([owner[1:][same], owner[:-1][same]])


def _minima(short: Any, starts: Any, factor: Any, added: Any) -> Any:
    """For each text, the least of its shingles after they are shuffled."""
    candidates = []
    for part in parts(np.diff(starts), AT_A_TIME):
        low, high = starts[part.start], starts[part.stop]
        stirred = short[low:high] * factor
        stirred ^= stirred >> np.uint32(15)
        stirred *= np.uint32(0x9E3779B1)
        stirred += added
        candidates.append(np.minimum.reduceat(stirred, starts[part] - low))
    return np.concatenate(candidates).astype(np.uint64) if candidates else np.empty(0, np.uint64)
