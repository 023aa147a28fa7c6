"""Joining: which row of one dataset is which row of the other, by id, by text, or by position. No text is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hfclean.provenance import number_rows
from hfclean.report.rows import SplitRows


@dataclass
class Joined:
    """Where the rows of one split of `after` come from.

    `origin[k]` is the position in `before` of row `k`, -1 where it has none; `source[k]` is the split it lies in where
    that is another one. `removed` are the positions of the same split of `before` that nothing comes from.
    """

    joined_on: str
    origin: list[int]
    source: dict[int, str] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)


def join(before: dict[str, SplitRows], after: dict[str, SplitRows]) -> dict[str, Joined]:
    """The origin of every row, by split of either side, those of `after` first.

    Within a split, the n-th row of an id is the n-th of that id before; an id with a number (`...-2`) says which. Rows
    that are left over are then looked for in the other splits. Where ids are made from the text alone and the text
    changed, rows of equal count are aligned by position, unless what did not change shows that they were shuffled.
    """
    if any(rows.has_id for rows in after.values()) and not any(rows.has_id for rows in before.values()):
        _number(before)
    joins: dict[str, Joined] = {}
    for name in [*after, *(name for name in before if name not in after)]:
        old, new = before.get(name), after.get(name)
        old_ids, new_ids = old.ids if old else [], new.ids if new else []
        has_id = bool((old and old.has_id) or (new and new.has_id))
        joined = Joined("row_id" if has_id else "text", _origins(old_ids, new_ids))
        if not has_id and old and new and _in_place(old.digests, new.digests, joined.origin):
            joined = Joined("position", list(range(len(new_ids))))
        taken = set(joined.origin)
        joined.removed = [k for k in range(len(old_ids)) if k not in taken]
        joins[name] = joined
    _join_moved(before, after, joins)
    return joins


def _number(side: dict[str, SplitRows]) -> None:
    """Number the ids of rows of equal text over all splits, as hfclean numbers them when it sees a whole dataset."""
    numbered = iter(number_rows(name for rows in side.values() for name in rows.ids))
    for rows in side.values():
        rows.ids = [known if (name := next(numbered)) == known else name for known in rows.ids]


def _base(name: str) -> str:
    return name.partition("-")[0]


def _origins(before: Sequence[str], after: Sequence[str]) -> list[int]:
    if len(before) == len(after) and all(a == b or _base(a) == _base(b) for a, b in zip(before, after, strict=True)):
        return list(range(len(after)))  # nothing was filtered or shuffled: the usual case, without an index
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


def _in_place(before: Sequence[str], after: Sequence[str], origin: Sequence[int]) -> bool:
    """Whether rows whose ids do not tell should be taken by position: as many rows, some unknown, none shuffled."""
    if len(before) != len(after) or -1 not in origin:
        return False
    matched = sum(place >= 0 for place in origin)
    in_place = sum(old == new for old, new in zip(before, after, strict=True))
    return 2 * in_place >= matched


def _join_moved(before: dict[str, SplitRows], after: dict[str, SplitRows], joins: dict[str, Joined]) -> None:
    """Give rows that are new in their split to rows of the same id that are missing from another one."""
    left: dict[str, list[tuple[str, int]]] = {}
    for name, joined in joins.items():
        for k in joined.removed:
            left.setdefault(_base(before[name].ids[k]), []).append((name, k))
    if not left:
        return
    removed: dict[str, set[int]] = {}
    for name, joined in joins.items():
        if name not in after:
            continue
        for k, place in enumerate(joined.origin):
            candidates = left.get(_base(after[name].ids[k])) if place < 0 else None
            if candidates:
                source, joined.origin[k] = candidates.pop(0)
                joined.source[k] = source
                removed.setdefault(source, set()).add(joined.origin[k])
    for name, positions in removed.items():
        joins[name].removed = [k for k in joins[name].removed if k not in positions]
