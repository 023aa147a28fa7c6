"""Single changes of very many rows: all are counted, and the changes of evenly spaced rows are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hfclean.report.formatting import field_name
from hfclean.report.record import UNRECORDED, Edit

MOST_ROWS = 20_000
MOST_CHARACTERS = 50_000_000
OVERHEAD = 500  # of a row, beside its texts


class EditSample:
    """The changes of rows that come in any order, each row once.

    Attributes:
        total: changes in all.
        rows, changes: by rule, the rows that it changed and the changes.
        fields: by rule and field, the rows.
    """

    def __init__(self) -> None:
        self.total = 0
        self.rows: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.fields: dict[str, Counter[str]] = {}
        self._kept: dict[int, Sequence[Edit]] = {}
        self._every, self._size = 1, 0

    def add(self, place: int, edits: Sequence[Edit]) -> None:
        """The changes of the row that has this place among all that changed."""
        self.total += len(edits)
        where: dict[str, set[str]] = {}
        for edit in edits:
            for name in dict.fromkeys(edit.rule.split() or [UNRECORDED]):
                self.changes[name] += 1
                where.setdefault(name, set()).add(field_name(edit.field))
        for name, fields in where.items():
            self.rows[name] += 1
            self.fields.setdefault(name, Counter()).update(fields)
        if place % self._every == 0:
            self._kept[place] = edits
            self._size += _size(edits)
        while len(self._kept) > 1 and (len(self._kept) > MOST_ROWS or self._size > MOST_CHARACTERS):
            self._every *= 2
            self._kept = {row: kept for row, kept in self._kept.items() if row % self._every == 0}
            self._size = sum(map(_size, self._kept.values()))

    def kept(self) -> tuple[Edit, ...]:
        """The changes that are kept, in the order of the rows."""
        return tuple(edit for place in sorted(self._kept) for edit in self._kept[place])


def _size(edits: Sequence[Edit]) -> int:
    return OVERHEAD + sum(len(edit.before) + len(edit.after) for edit in edits)
