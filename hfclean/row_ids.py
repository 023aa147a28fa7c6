"""Row ids by the million, in twelve bytes each, numbered and found without a dictionary of strings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any, overload

import numpy as np

from hfclean.passes import numbers, parts
from hfclean.provenance import number_rows

DIGITS = re.compile("[0-9a-f]*")
NAME = re.compile(r"([0-9a-f]{16})(?:-([1-9][0-9]{0,8}))?")


def codes_of(names: Sequence[str]) -> Any:
    """Ids of 16 hex digits as uint64."""
    return np.frombuffer(bytes.fromhex("".join(names)), ">u8").astype(np.uint64)


def text_code(text: str) -> int:
    """A number for any text, spread as evenly as those of ids are."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class RowIds(Sequence[str]):
    """The ids of the rows of a split.

    Attributes:
        codes: uint64, the 16 hex digits of each.
        numbers: int32, what follows the dash, such as 2; 0 where nothing does.
        others: ids of another form, by row.
    """

    def __init__(self, codes: Any, numbers: Any, others: dict[int, str] | None = None) -> None:
        self.codes, self.numbers = codes, numbers
        self.others: dict[int, str] = others or {}

    @classmethod
    def blank(cls, count: int, near: Any = None) -> RowIds:
        """Zeros for the ids of a number of rows, to be set with `put`."""
        return cls(numbers(count, np.uint64, near), numbers(count, np.int32, near))

    @classmethod
    def of(cls, names: Sequence[str]) -> RowIds:
        """These ids."""
        ids = cls.blank(len(names))
        ids.put(0, names)
        return ids

    def put(self, start: int, names: Sequence[str]) -> None:
        """Set the ids of the rows from `start` on."""
        if set(map(len, names)) == {16} and DIGITS.fullmatch("".join(names)):
            self.codes[start : start + len(names)] = codes_of(names)
            return
        for k, name in enumerate(names, start):
            match = NAME.fullmatch(name)
            if match:
                self.codes[k], self.numbers[k] = int(match[1], 16), int(match[2] or 0)
            else:
                self.others[k] = name

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: int | slice) -> str | list[str]:
        if isinstance(key, slice):
            return [self[k] for k in range(*key.indices(len(self)))]
        if key in self.others:
            return self.others[key]
        number = int(self.numbers[key])
        return f"{int(self.codes[key]):016x}" + (f"-{number}" if number else "")

    def __iter__(self) -> Iterator[str]:
        return (self[k] for k in range(len(self)))

    def base(self, key: int) -> str:
        """An id without its number."""
        return self[key].partition("-")[0]


def numbered(splits: Sequence[RowIds]) -> list[RowIds]:
    """The ids of several splits made unique over all of them, as `number_rows` does it."""
    if any(ids.others for ids in splits):
        names = iter(number_rows(chain.from_iterable(splits)))
        return [RowIds.of([next(names) for _ in range(len(ids))]) for ids in splits]
    whole = splits[0] if len(splits) == 1 else _joined(splits)
    found = numbers(len(whole), np.int32)
    found[:] = whole.numbers
    for (rows,) in parts(whole.codes):
        order = np.lexsort((whole.numbers[rows], whole.codes[rows]))
        codes, given = whole.codes[rows[order]], whole.numbers[rows[order]]
        group, rank = _ranks(codes)
        last = np.bincount(group, given) > 0 if len(group) else group  # whether some of the group have a number
        plain = ~last[group]
        found[rows[order[plain]]] = np.where(rank[plain], rank[plain] + 1, 0)
        again = np.flatnonzero((codes[1:] == codes[:-1]) & (given[1:] == given[:-1]) & ~plain[1:])
        for k in np.unique(group[again]):  # rows that have a number already, and the same one several times
            same = np.sort(rows[order[slice(*np.searchsorted(group, (k, k + 1)))]])
            found[same] = [int(name.partition("-")[2] or 0) for name in number_rows(whole[int(row)] for row in same)]
    out, start = [], 0
    for ids in splits:
        out.append(RowIds(ids.codes, found[start : start + len(ids)]))
        start += len(ids)
    return out


def _joined(splits: Sequence[RowIds]) -> RowIds:
    whole, start = RowIds.blank(sum(map(len, splits))), 0
    for ids in splits:
        whole.codes[start : start + len(ids)] = ids.codes
        whole.numbers[start : start + len(ids)] = ids.numbers
        start += len(ids)
    return whole


def _ranks(ordered: Any) -> tuple[Any, Any]:
    """For each entry of a sorted array the number of its group of equal ones, and its place in that group."""
    begins = np.ones(len(ordered), bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    first = np.flatnonzero(begins)
    group = np.cumsum(begins) - 1
    return group, np.arange(len(ordered)) - first[group] if len(first) else group


def first_of(*keys: Any) -> Any:
    """For each row the first row with the same numbers in all of these arrays; the first of them is uint64 and spread
    evenly."""
    found = numbers(len(keys[0]), np.int64)
    for (rows,) in parts(keys[0]):
        order = np.lexsort([key[rows] for key in reversed(keys)])
        begins = np.ones(len(rows), bool)
        if len(rows):
            begins[1:] = np.any([key[rows[order[1:]]] != key[rows[order[:-1]]] for key in keys], axis=0)
        found[rows[order]] = rows[order[np.flatnonzero(begins)[np.cumsum(begins) - 1]]]
    return found


def positions(before: RowIds, after: RowIds) -> Any | None:
    """For each id of `after` where it is in `before`, -1 where it is not; None where that is not clear from numbers
    alone, because ids were numbered out of order or come several times."""
    if before.others or after.others:
        return None
    found = numbers(len(after), np.int64)
    found[:] = -1
    counted, unnumbered = bool(before.numbers.any()), not after.numbers.any()
    for old, new in parts(before.codes, after.codes):
        order = old[np.argsort(before.codes[old], kind="stable")]
        codes = before.codes[order]
        _, rank = _ranks(codes)
        if counted and not np.array_equal(before.numbers[order], np.where(rank, rank + 1, 0)):
            return None
        wanted = after.codes[new]
        if unnumbered:
            there = np.argsort(wanted, kind="stable")
            nth = np.empty(len(new), np.int64)
            nth[there] = _ranks(wanted[there])[1]
        else:
            nth = np.maximum(after.numbers[new], 1) - 1
        low, high = np.searchsorted(codes, wanted, "left"), np.searchsorted(codes, wanted, "right")
        place, known = low + nth, low < high
        if not unnumbered and (place[known] >= high[known]).any():
            return None
        known &= place < high
        if len(np.unique(place[known])) != known.sum():
            return None
        found[new[known]] = order[place[known]]
    return found
