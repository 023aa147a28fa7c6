"""The queue: which rows a person goes through, in which order, and which of them are still open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hfclean.desk.rows import Rows
from hfclean.errors import SourceError
from hfclean.verdicts.assignment import assigned

Order = Literal["revised", "all", "refused", "uncertain"]


@dataclass(frozen=True)
class Selection:
    """Which rows are gone through.

    Args:
        order: `revised` for the rows that were revised, all of a dataset without revisions; `refused` for revisions
            that the gate refused; `uncertain` for the revised rows, those first that the embedded preference score
            says least of; `all` for every row.
        sample: a number of these rows, or a share of them below 1, picked by their ids: the same for everybody who
            asks for as many; 0 for all.
        rule: only rows that this rule, check or reason is recorded of.
        people: among whom the rows are divided by their ids, so that nobody has to see what the others do; empty for
            no division.
        who: of these people, the one whose rows are gone through.
        doubled: the share of rows that two of them get, 0 to 1.
    """

    order: Order = "revised"
    sample: float = 0
    rule: str = ""
    people: tuple[str, ...] = ()
    who: str = ""
    doubled: float = 0.0


class Queue:
    """Rows in the order in which they are gone through, by position from 0.

    Attributes:
        numbers: of the rows.
        open: by position, whether the row waits for this person.
    """

    def __init__(self, rows: Rows, selection: Selection) -> None:
        numbers = _selected(rows, selection)
        if not len(numbers):
            raise SourceError(_nothing(rows, selection))
        self.put(numbers)

    def put(self, numbers: Sequence[int]) -> None:
        """Go through these rows, all of them open, in place of the others."""
        import numpy as np

        self.numbers = np.asarray(numbers, np.int64)
        self.open = np.ones(len(self.numbers), bool)
        order = np.argsort(self.numbers, kind="stable")
        self._sorted = self.numbers[order], order

    def __len__(self) -> int:
        return len(self.numbers)

    def position(self, number: int) -> int | None:
        """Where a row stands; None for one that is not in the queue."""
        import numpy as np

        numbers, order = self._sorted
        k = int(np.searchsorted(numbers, number))
        return int(order[k]) if k < len(numbers) and numbers[k] == number else None

    def next_open(self, position: int, busy: Sequence[int] = ()) -> int | None:
        """The first open row behind a position, after the last one from the start; None where all are decided.

        Args:
            position: from where; -1 for the start.
            busy: positions that come only when nothing else is open.
        """
        flags = self.open
        if busy:
            flags = flags.copy()
            flags[list(busy)] = False
            flags = flags if flags.any() else self.open
        after, before = flags[position + 1 :], flags[: position + 1]
        if after.any():
            return position + 1 + int(after.argmax())
        return int(before.argmax()) if before.any() else None

    def previous_open(self, position: int) -> int | None:
        """The last open row before a position, before the first one from the end."""
        before, after = self.open[:position], self.open[position:]
        if before.any():
            return position - 1 - int(before[::-1].argmax())
        return len(self.open) - 1 - int(after[::-1].argmax()) if after.any() else None


def _selected(rows: Rows, selection: Selection) -> Any:
    import numpy as np

    if selection.order == "refused":
        numbers = rows.refused()
    elif selection.order == "all" or not rows.is_revised:
        numbers = np.arange(len(rows))
    else:
        numbers = rows.revised()
    if selection.rule:
        numbers = np.intersect1d(
            numbers if selection.order == "refused" else np.arange(len(rows)), rows.of_rule(selection.rule)
        )
    count = int(selection.sample) if selection.sample >= 1 else math.ceil(selection.sample * len(numbers))
    if 0 < count < len(numbers):
        # the digits of an id are those of a hash: the lowest are a random sample that anybody can take again
        order = np.lexsort((numbers, rows.ids.numbers[numbers], rows.ids.codes[numbers]))
        numbers = np.sort(numbers[order[:count]])
    if selection.people:
        mine = (
            selection.who in assigned(rows.ids[int(k)], selection.people, doubled=selection.doubled) for k in numbers
        )
        numbers = numbers[np.fromiter(mine, bool, len(numbers))]
    if selection.order == "uncertain":
        numbers = numbers[np.argsort(_gains(rows, numbers), kind="stable")]
    return numbers


def _gains(rows: Rows, numbers: Any) -> Any:
    """For each row, how far the embedded preference score of its revision is from that of its original."""
    import numpy as np

    from hfclean.provenance import original_cells
    from hfclean.scorers.embedded import preference_rule

    rule, found = preference_rule(), []
    for number in map(int, numbers):
        cells, view = rows.cells(number), rows.view(number)
        sides = original_cells(cells, rows.layout.prefix), cells
        before, after = (rows.layout.pairs(side, view)[-1] for side in sides)
        found.append(abs(rule.predict(after) - rule.predict(before)))
    return np.nan_to_num(np.array(found), nan=np.inf)


def _nothing(rows: Rows, selection: Selection) -> str:
    if selection.rule:
        return f"no row has {selection.rule!r} in its edit_history or defects; hfclean rules lists the rules"
    if selection.people:
        return f"no row falls to {selection.who!r} among {len(selection.people)} people"
    if selection.order == "refused":
        return "no refused revisions are kept in it (refused.parquet); choose other rows: --all"
    return f"none of its {len(rows):,} rows was revised, so nothing waits for a verdict; to go through all: --all"
