"""Joins: all pairs of texts whose sets of shingles overlap, exactly.

Two sets with a Jaccard index of t or more share at least one member among the rarest few of each (prefix filter), have
sizes within a factor of t, and share enough behind that member (positional filter). What passes is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hfclean.passes import appended, numbers
from hfclean.selection.shingles import Shingles

FIRST = 1 << 14  # candidates that are looked at at once, at the beginning; twice as many each time
AT_ONCE = 1 << 21  # up to this
MEMBERS_AT_ONCE = 1 << 22  # members of sets that are compared at once
SKETCH = 512  # bits of the sketch by which most candidates are refused
NARROW = 1e-9  # what is lost in the product of a threshold and a size


@dataclass(frozen=True)
class Near:
    """Pairs of texts, the first index below the second, and how similar they are."""

    first: Any
    second: Any
    similarity: Any


@dataclass(frozen=True)
class Sets:
    """The set of shingles of every text. Members that only one text has can never be shared: they are only counted.

    Args:
        members: int32, of each text those that other texts may have, rarest first, by rank; or uint64, all of each
            text as they are, in order.
        starts: int64, one more than texts.
        sizes: int64, the size of each whole set.
        sketches: uint64 (texts, words), bit sums of the members.
    """

    members: Any
    starts: Any
    sizes: Any
    sketches: Any

    @property
    def shared(self) -> Any:
        """How many members of each set others may have."""
        return np.diff(self.starts)


def sets_of(runs: Shingles) -> Sets:
    """The sets of shingles, with the rarest first."""
    count = len(runs.starts) - 1
    lengths = np.diff(runs.starts)
    owner = np.repeat(np.arange(count, dtype=np.int32), lengths)
    order = np.argsort(runs.hashes)
    ordered = runs.hashes[order]
    begins = np.ones(len(ordered), bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    first = np.flatnonzero(begins)
    often = np.diff(first, append=len(ordered))
    lone = first[often == 1]
    sizes = np.bincount(owner[order[lone]], minlength=count)
    kept = np.flatnonzero(often > 1)
    rank = np.empty(len(kept), np.int64)
    rank[np.argsort(often[kept], kind="stable")] = np.arange(len(kept))
    many = np.repeat(often > 1, often)
    key = (owner[order[many]].astype(np.int64) << 32) | np.repeat(rank, often[kept])
    key.sort()
    key = key[_changes(key)]
    counts = np.bincount(key >> 32, minlength=count)
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    members = (key & 0xFFFFFFFF).astype(np.int32)
    return Sets(members, starts, sizes + counts, _sketches(members, starts))


def whole_sets_of(runs: Shingles, near: Any = None) -> Sets:
    """The sets of shingles of very many texts, with all their members, in files: see `passes.numbers`."""
    count = len(runs.starts) - 1
    sizes = numbers(count, np.int64, near)

    def ordered() -> Iterator[Any]:
        for part in parts(np.diff(runs.starts), MEMBERS_AT_ONCE):
            low, high = runs.starts[part.start], runs.starts[part.stop]
            hashes = runs.hashes[low:high]
            owner = np.repeat(np.arange(part.stop - part.start), np.diff(runs.starts[part.start : part.stop + 1]))
            order = np.lexsort((hashes, owner))
            hashes = hashes[order]
            once = _changes(hashes) | _changes(owner)
            sizes[part] = np.bincount(owner[once], minlength=part.stop - part.start)
            yield hashes[once]

    members = appended(ordered(), np.uint64, near)
    starts = numbers(count + 1, np.int64, near)
    np.cumsum(sizes, out=starts[1:])
    words = SKETCH // 64
    sketches = numbers(count * words, np.uint64, near).reshape(count, words)
    for part in parts(sizes, MEMBERS_AT_ONCE):
        low, high = starts[part.start], starts[part.stop]
        sketches[part] = _sketches(members[low:high], starts[part.start : part.stop + 1] - low)
    return Sets(members, starts, sizes, sketches)


def _changes(ordered: Any) -> Any:
    """Where a sorted array holds another value than just before."""
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return new


def _sketches(members: Any, starts: Any) -> Any:
    """For each set, which bits an odd number of its members falls on: two sets whose sketches differ in k bits differ
    in k members or more."""
    sketches = np.zeros((len(starts) - 1, SKETCH // 64), np.uint64)
    filled = np.flatnonzero(np.diff(starts))
    if len(filled):
        spread = (members.astype(np.uint32) * np.uint32(2654435761)) >> np.uint32(32 - SKETCH.bit_length() + 1)
        bit = np.uint64(1) << (spread & np.uint32(63)).astype(np.uint64)
        word = spread >> np.uint32(6)
        for k in range(SKETCH // 64):
            sketches[filled, k] = np.bitwise_xor.reduceat(np.where(word == k, bit, np.uint64(0)), starts[filled])
    return sketches


_ONES = np.array([bin(k).count("1") for k in range(1 << 16)], np.uint8)


def _different_bits(first: Any, second: Any) -> Any:
    return _ONES[(first ^ second).view(np.uint16)].sum(1, dtype=np.int64)


def expand(starts: Any, counts: Any) -> Any:
    """The numbers from each start on, as many as its count, one after the other."""
    ends = np.cumsum(counts)
    if not len(ends) or not ends[-1]:
        return np.empty(0, np.int64)
    return np.arange(ends[-1]) + np.repeat(starts - ends + counts, counts)


# ---------------------------------------------------------------------------------------------------------- candidates


def candidates(sets: Sets, threshold: float, known: Components | None = None) -> Iterator[tuple[Any, Any]]:
    """Pairs that may have a Jaccard index of `threshold` or more, all of which do being among them; in parts, and a
    pair may come in several of them. Pairs that are `known` to hang together when their turn comes are left out."""
    sizes, shared = sets.sizes, sets.shared
    prefix = sizes - np.ceil(threshold * sizes - NARROW).astype(np.int64) + 1
    alone = sizes - shared  # members that nobody has are the rarest of all, and come first
    counts = np.clip(prefix - alone, 0, shared)
    places = expand(sets.starts[:-1], counts)
    owner = np.repeat(np.arange(len(sizes), dtype=np.int32), counts)
    token = sets.members[places]
    twice = np.bincount(token, minlength=1)[token] > 1 if len(token) else np.zeros(0, bool)
    places, owner, token = places[twice], owner[twice], token[twice]
    key = (token.astype(np.int64) << 32) | sizes[owner]
    order = np.argsort(key, kind="stable")
    key, owner = key[order], owner[order]
    size = sizes[owner]
    behind = sets.starts[owner + 1] - places[order] - 1
    largest = np.floor(size / threshold + NARROW).astype(np.int64)
    upper = np.searchsorted(key, (key & ~np.int64(0xFFFFFFFF)) | np.minimum(largest, 0xFFFFFFFF), side="right")
    share = threshold / (1 + threshold)
    for left, right in pairs_within(key >> 32, upper, owner, known):
        wanted = np.ceil(share * (size[left] + size[right]) - NARROW)
        good = np.minimum(behind[left], behind[right]) + 1 >= wanted
        if good.any():
            yield ordered_pairs(owner[left[good]], owner[right[good]])


def pairs_within(group: Any, upper: Any, owner: Any, known: Components | None) -> Iterator[tuple[Any, Any]]:
    """Each entry with all behind it, up to `upper`, in parts. Where all that is left of a group is known to hang
    together, it is passed over, so that thousands of rows of one kind do not take the square of their number."""
    partners = upper - np.arange(len(upper)) - 1
    total = np.cumsum(partners)
    start, most = 0, FIRST
    while start < len(partners):
        done = int(total[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + most, side="right")))
        most = min(2 * most, AT_ONCE)
        here = partners[start:stop]
        if known is not None:
            end = int(np.searchsorted(group, group[stop - 1], side="right"))
            begins = np.flatnonzero(_changes(group[start:end]))
            labels = known.labels[owner[start:end]]
            same = np.maximum.reduceat(labels, begins) == np.minimum.reduceat(labels, begins)
            here = np.where(np.repeat(same, np.diff(begins, append=end - start))[: stop - start], 0, here)
        if here.any():
            left = np.arange(start, stop)
            first, second = np.repeat(left, here), expand(left + 1, here)
            if known is not None:
                apart = known.apart(owner[first], owner[second])
                first, second = first[apart], second[apart]
            yield first, second
        start = stop


def parts(counts: Any, most: int) -> Iterator[slice]:
    """Stretches of an array of counts with about `most` in all, at least one entry each."""
    total = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + most, side="right")))
        yield slice(start, stop)
        start = stop


def ordered_pairs(first: Any, second: Any) -> tuple[Any, Any]:
    """Each pair once, the smaller index first, in order."""
    low = np.minimum(first, second).astype(np.int64)
    key = (low << 32) | np.maximum(first, second)
    key.sort()
    key = key[_changes(key)]
    return key >> 32, key & 0xFFFFFFFF


# ------------------------------------------------------------------------------------------------------------ verdicts


def verified(sets: Sets, first: Any, second: Any, threshold: float) -> Near:
    """Which of these pairs have a Jaccard index of `threshold` or more, by counting what they share."""
    both = sets.sizes[first] + sets.sizes[second]
    wanted = np.ceil(threshold / (1 + threshold) * both - NARROW).astype(np.int64)
    shared_first, shared_second = (sets.starts[side + 1] - sets.starts[side] for side in (first, second))
    most = np.minimum(shared_first, shared_second)
    good = np.flatnonzero(most >= wanted)
    first, second, both, wanted = first[good], second[good], both[good], wanted[good]
    members = shared_first[good] + shared_second[good]
    good = members - _different_bits(sets.sketches[first], sets.sketches[second]) >= 2 * wanted
    first, second, both, wanted, members = first[good], second[good], both[good], wanted[good], members[good]
    common = np.zeros(len(first), np.int64)
    for part in parts(members, MEMBERS_AT_ONCE):
        common[part] = _common(sets, first[part], second[part])
    good = common >= np.maximum(wanted, 1)
    similarity = common[good] / (both[good] - common[good])
    true = similarity >= threshold - 1e-12
    return Near(first[good][true], second[good][true], similarity[true])


def _common(sets: Sets, first: Any, second: Any) -> Any:
    """How many members the sets of each pair share."""
    pairs, members = [], []
    for side in (first, second):
        counts = sets.starts[side + 1] - sets.starts[side]
        pairs.append(np.repeat(np.arange(len(side)), counts) << 32)
        members.append(sets.members[expand(sets.starts[side], counts)])
    ranks = np.concatenate(members)
    if ranks.dtype == np.uint64:
        ranks = np.unique(ranks, return_inverse=True)[1]
    key = np.concatenate(pairs) | ranks
    key.sort()
    same = key[1:][key[1:] == key[:-1]] >> 32
    return np.bincount(same, minlength=len(first))


# ---------------------------------------------------------------------------------------------------------- components


class Components:
    """Which texts hang together, as pairs come in; each has the smallest index of its component as its label."""

    def __init__(self, count: int) -> None:
        self.labels = np.arange(count)

    def apart(self, first: Any, second: Any) -> Any:
        """Which of these pairs do not hang together yet."""
        return self.labels[first] != self.labels[second]

    def join(self, first: Any, second: Any) -> None:
        """Let the texts of each pair hang together."""
        labels = self.labels
        while True:
            low, high = labels[first], labels[second]
            different = low != high
            if not different.any():
                break
            first, second, low, high = first[different], second[different], low[different], high[different]
            least = np.minimum(low, high)
            np.minimum.at(labels, np.maximum(low, high), least)
            while True:
                shorter = labels[labels]
                if np.array_equal(shorter, labels):
                    break
                labels[:] = shorter
