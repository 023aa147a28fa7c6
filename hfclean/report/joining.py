"""Joining: which row of one dataset is which row of the other, by id, by text, or by position. No text is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hfclean.passes import numbers
from hfclean.report.rows import SplitRows
from hfclean.row_ids import RowIds, numbered, positions


@dataclass
class Joined:
    """Where the rows of one split of `after` come from.

    `origin[k]` is the position in `before` of row `k`, -1 where it has none; `source[k]` is the split it lies in where
    that is another one. `removed` are the positions of the same split of `before` that nothing comes from. With
    `in_place`, the k-th row comes from the k-th, and there are as many.
    """

    joined_on: str
    origin: Any
    source: dict[int, str] = field(default_factory=dict)
    removed: Any = ()
    in_place: bool = False


def join(before: dict[str, SplitRows], after: dict[str, SplitRows]) -> dict[str, Joined]:
    """The origin of every row, by split of either side, those of `after` first.

    Within a split, the n-th row of an id is the n-th of that id before; an id with a number (`...-2`) says which. Rows
    that are left over are then looked for in the other splits. Where ids are made from the text alone and the text
    changed, rows of equal count are aligned by position, unless what did not change shows that they were shuffled.
    """
    if any(rows.has_id for rows in after.values()) and not any(rows.has_id for rows in before.values()):
        # as hfclean numbers rows of equal text when it sees a whole dataset
        for rows, ids in zip(before.values(), numbered([rows.ids for rows in before.values()]), strict=True):
            rows.ids = ids
    joins: dict[str, Joined] = {}
    none = RowIds.of(())
    for name in [*after, *(name for name in before if name not in after)]:
        old, new = before.get(name), after.get(name)
        old_ids, new_ids = old.ids if old else none, new.ids if new else none
        has_id = bool((old and old.has_id) or (new and new.has_id))
        joined = Joined("row_id" if has_id else "text", *_origins(old_ids, new_ids, new and new.ds))
        if not has_id and old and new and _in_place(old.digests, new.digests, joined.origin):
            joined = Joined("position", _counted(len(new_ids), new.ds), in_place=True)
        if not joined.in_place:
            left = np.ones(len(old_ids), bool)
            left[joined.origin[joined.origin >= 0]] = False
            joined.removed = np.flatnonzero(left)
        joins[name] = joined
    _join_moved(before, after, joins)
    return joins


def _counted(count: int, near: Any) -> Any:
    origin = numbers(count, np.int64, near)
    origin[:] = range(count)
    return origin


def _base(name: str) -> str:
    return name.partition("-")[0]


def _origins(before: RowIds, after: RowIds, near: Any) -> tuple[Any, dict[int, str], Any, bool]:
    """What `Joined` takes: the origin of every row, and whether all are in place."""
    if np.array_equal(before.codes, after.codes) and all(
        before.base(k) == after.base(k) for k in {*before.others, *after.others}
    ):
        return _counted(len(after), near), {}, (), True  # nothing was filtered or shuffled: the usual case
    found = positions(before, after)
    return (np.array(_one_by_one([*before], [*after]), np.int64) if found is None else found), {}, (), False


def _one_by_one(before: Sequence[str], after: Sequence[str]) -> list[int]:
    places: dict[str, list[int]] = {}
    exact: dict[str, int] = {}
    for k, name in enumerate(before):
        places.setdefault(_base(name), []).append(k)
        if "-" in name:
            exact[name] = k
    origin = [-1] * len(after)
    taken: set[int] = set()
    for k, name in enumerate(after):  # numbered ids say which row of several equal ones they are
        base, _, number = name.partition("-")
        if not number:
            continue
        equal = places.get(base, [])
        nth = int(number) - 1 if number.isdecimal() and len(number) < 9 else -1
        place = exact.get(name, equal[nth] if not exact and 0 <= nth < len(equal) else -1)
        if place >= 0 and place not in taken:
            origin[k] = place
            taken.add(place)
    waiting = {base: iter(equal) for base, equal in places.items()}
    for k, name in enumerate(after):
        if origin[k] < 0 and (equal_left := waiting.get(_base(name))) is not None:
            place = next((p for p in equal_left if p not in taken), -1)
            origin[k] = place
            taken.add(place)
    return origin


def _in_place(before: Any, after: Any, origin: Any) -> bool:
    """Whether rows whose ids do not tell should be taken by position: as many rows, some unknown, none shuffled."""
    if len(before) != len(after) or not (origin < 0).any():
        return False
    return bool(2 * (before == after).sum() >= (origin >= 0).sum())


def _join_moved(before: dict[str, SplitRows], after: dict[str, SplitRows], joins: dict[str, Joined]) -> None:
    """Give rows that are new in their split to rows of the same id that are missing from another one."""
    left: dict[str, list[tuple[str, int]]] = {}
    for name, joined in joins.items() if len(joins) > 1 else ():
        for k in map(int, joined.removed):
            left.setdefault(before[name].ids.base(k), []).append((name, k))
    if not left:
        return
    removed: dict[str, set[int]] = {}
    for name, joined in joins.items():
        if name not in after:
            continue
        for k in map(int, np.flatnonzero(joined.origin < 0)):
            candidates = left.get(after[name].ids.base(k))
            if candidates:
                source, joined.origin[k] = candidates.pop(0)
                joined.source[k] = source
                removed.setdefault(source, set()).add(int(joined.origin[k]))
    for name, places in removed.items():
        joins[name].removed = np.array([k for k in joins[name].removed if k not in places], np.int64)
