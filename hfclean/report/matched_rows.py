"""Matched: both datasets joined row by row, what changed in each row, and the numbers of either side.

The rows that differ are read once more; a row of equal text has the same numbers on both sides.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hfclean.layout import Layout
from hfclean.provenance import HISTORY
from hfclean.report.joining import Joined, join
from hfclean.report.record import UNRECORDED, Edit
from hfclean.report.row_changes import row_edits
from hfclean.report.rows import Measured, SplitRows, TokenCounter, column_batches, iterate, measure, number_names
from hfclean.rules import Rule


@dataclass(frozen=True, slots=True)
class Match:
    """One row on both sides: its position after, the rows it was among before, its position there, and whether its
    text changed."""

    after: int
    source: SplitRows
    before: int
    changed: bool


@dataclass
class SideBySide:
    """One number of every row, before and after, and of the rows that changed; nan where a row has none."""

    before: array[float] = field(default_factory=lambda: array("d"))
    after: array[float] = field(default_factory=lambda: array("d"))
    changed_before: array[float] = field(default_factory=lambda: array("d"))
    changed_after: array[float] = field(default_factory=lambda: array("d"))


@dataclass
class Matched:
    """Both sides, joined: `joined` by split, `edits` in the order of the rows.

    `changed` counts rows of other text by split, `elsewhere` those of them that something else than hfclean changed.
    """

    old: dict[str, SplitRows]
    new: dict[str, SplitRows]
    joined: dict[str, Joined]
    edits: list[Edit] = field(default_factory=list)
    changed: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)
    _changes: dict[str, list[Match]] = field(default_factory=dict)

    def matches(self, split: str) -> Iterator[Match]:
        """The rows of a split that are on both sides, in the order of the second."""
        joined, rows = self.joined[split], self.new[split]
        for k, place in enumerate(joined.origin):
            if place >= 0:
                source = self.old[joined.source.get(k, split)]
                yield Match(k, source, place, source.digests[place] != rows.digests[k])

    def changes(self, split: str) -> list[Match]:
        """Those of `matches` whose text changed."""
        if split not in self._changes:
            self._changes[split] = [match for match in self.matches(split) if match.changed]
        return self._changes[split]

    def side_by_side(self, number: str) -> SideBySide:
        """`tokens`, or one of the embedded scores, of every row."""

        def column(rows: SplitRows) -> array[float]:
            return rows.measured.tokens if number == "tokens" else rows.measured.numbers.get(number, array("d"))

        side_by_side = SideBySide()
        for rows in self.old.values():
            side_by_side.before.extend(column(rows))
        for split, rows in self.new.items():
            values = column(rows)
            side_by_side.after.extend(values)
            for match in self.changes(split):
                side_by_side.changed_before.append(column(match.source)[match.before])
                side_by_side.changed_after.append(values[match.after])
        return side_by_side

    def defects(self, side: dict[str, SplitRows]) -> Iterator[str]:
        """The `defects` of every row of one side."""
        return (defects for rows in side.values() for defects in rows.measured.defects)


def match_rows(
    old: dict[str, SplitRows],
    new: dict[str, SplitRows],
    layout: Layout,
    *,
    extra: tuple[Rule, ...],
    counter: TokenCounter,
) -> Matched:
    """Join both sides and read what differs. `new` is measured already; `old` is measured here."""
    matched = Matched(old, new, join(old, new))
    for split in new:
        _take_changes(matched, split, layout, extra)
    _measure_before(matched, layout, counter)
    return matched


def _take_changes(matched: Matched, split: str, layout: Layout, extra: tuple[Rule, ...]) -> None:
    """Read the rows of a split that changed, on both sides, and say what happened to them."""
    changed = matched.changes(split)
    matched.changed[split] = len(changed)
    edits: list[tuple[int, list[Edit]]] = []
    for name, source in matched.old.items():
        places = [match for match in changed if match.source is source]
        if places:
            edits += _edits(matched, matched.new[split], matched.old[name], places, layout, extra)
    edits.sort(key=lambda item: item[0])
    matched.edits += [edit for _, found in edits for edit in found]


def _edits(
    matched: Matched,
    new: SplitRows,
    old: SplitRows,
    places: list[Match],
    layout: Layout,
    extra: tuple[Rule, ...],
) -> Iterator[tuple[int, list[Edit]]]:
    assert new.view is not None
    assert old.view is not None
    our_columns = [layout.own(name) for name in (HISTORY, "row_id", "original")]
    befores = iterate(old.ds, [*old.view.columns, *our_columns], [match.before for match in places])
    afters = iterate(new.ds, [*new.view.columns, *our_columns], [match.after for match in places])
    positions = iter([match.after for match in places])
    for old_rows, new_rows in zip(befores, afters, strict=True):
        unknown: dict[int, dict[str, Any]] = {}
        for before, after, k in zip(old_rows, new_rows, positions, strict=False):
            edits = row_edits(
                before,
                after,
                new.view,
                layout,
                name=new.ids[k],
                split=new.name,
                index=k,
                extra=extra,
            )
            if any(edit.rule == UNRECORDED for edit in edits):
                unknown[k] = after
            yield k, edits
        if unknown:  # what the score columns of these rows hold may be of another text
            matched.elsewhere[new.name] = matched.elsewhere.get(new.name, 0) + len(unknown)
            fresh = Measured()
            again = {name: [row[name] for row in unknown.values()] for name in new.view.columns}
            measure(fresh, again, new.view, layout, counter=None, scorer=new.scorer, trust=False)
            _put(new.measured, fresh, list(unknown))


def _measure_before(matched: Matched, layout: Layout, counter: TokenCounter) -> None:
    """The numbers of the rows before: those of the row after where the text is the same, computed elsewhere."""
    for rows in matched.old.values():
        count = len(rows)
        rows.measured = Measured({name: blank(count) for name in number_names()}, [""] * count, blank(count))
    done = {name: bytearray(len(rows)) for name, rows in matched.old.items()}
    for split, rows in matched.new.items():
        joined, old = matched.joined[split], matched.old.get(split)
        if old is not None and len(rows) and not joined.source and joined.origin == list(range(len(old))):
            now = rows.measured
            numbers = {name: values[:] for name, values in now.numbers.items()}
            old.measured = Measured(numbers, now.defects[:], now.tokens[:])
            done[split] = bytearray(b"\1") * len(old)
            for match in matched.changes(split):
                done[split][match.before] = 0
            continue
        for match in matched.matches(split):
            if match.changed:
                continue
            done[match.source.name][match.before] = 1
            measured = match.source.measured
            for name, values in measured.numbers.items():
                values[match.before] = rows.measured.numbers[name][match.after]
            measured.defects[match.before] = rows.measured.defects[match.after]
            measured.tokens[match.before] = rows.measured.tokens[match.after]
    for name, rows in matched.old.items():
        todo = [place for place, known in enumerate(done[name]) if not known]
        if not todo:
            continue
        assert rows.view is not None
        fresh = Measured()
        our_columns = [layout.own(column) for column in (HISTORY, "defects", *number_names())]
        for batch in column_batches(rows.ds, [*rows.view.columns, *our_columns], todo):
            measure(fresh, batch, rows.view, layout, counter=counter, scorer=rows.scorer)
        _put(rows.measured, fresh, todo)


def _put(into: Measured, fresh: Measured, places: list[int]) -> None:
    for n, place in enumerate(places):
        for name, values in fresh.numbers.items():
            into.numbers[name][place] = values[n]
        into.defects[place] = fresh.defects[n]
        if n in fresh.errors:
            into.errors[place] = fresh.errors[n]
        if fresh.tokens:
            into.tokens[place] = fresh.tokens[n]


def blank(length: int) -> array[float]:
    """A column without numbers."""
    return array("d", [math.nan]) * length
