"""Matched: both datasets joined row by row, what changed in each row, and the numbers of either side.

The rows that differ are read once more; a row of equal text has the same numbers on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np

from hfclean.layout import Layout
from hfclean.passes import column_batches, filled, iterate, numbers, release
from hfclean.provenance import HISTORY, Step
from hfclean.report.edit_sample import EditSample
from hfclean.report.joining import Joined, join
from hfclean.report.record import UNRECORDED, Edit
from hfclean.report.row_changes import row_edits
from hfclean.report.rows import Measured, SplitRows, TokenCounter, measure, number_names
from hfclean.reviser.scored import BEFORE, RowBefore
from hfclean.rules import Rule
from hfclean.scorers.embedded.score import Score

PIECE = 1 << 16  # rows


@dataclass(frozen=True)
class Matches:
    """Rows on both sides, as arrays: positions after and before, and the place among the splits before, in order."""

    after: Any
    before: Any
    source: Any

    def of(self, rows: Any) -> Matches:
        """Some of them."""
        return Matches(self.after[rows], self.before[rows], self.source[rows])


@dataclass(frozen=True)
class SideBySide:
    """One number of every row, before and after, and of the rows that changed; nan where a row has none."""

    before: Any
    after: Any
    changed_before: Any
    changed_after: Any


@dataclass
class Matched:
    """Both sides, joined: `joined` by split, `edits` what changed.

    `changed` counts rows of other text by split, `elsewhere` those of them that something else than hfclean changed.
    """

    old: dict[str, SplitRows]
    new: dict[str, SplitRows]
    joined: dict[str, Joined]
    edits: EditSample = field(default_factory=EditSample)
    changed: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)
    _changes: dict[str, Matches] = field(default_factory=dict)

    def matches(self, split: str) -> Matches:
        """The rows of a split that are on both sides, in the order of the second."""
        joined, names = self.joined[split], list(self.old)
        after = joined.origin if joined.in_place else np.flatnonzero(joined.origin >= 0)
        source = numbers(len(after), np.int32)
        source[:] = names.index(split) if split in names else 0
        if joined.source:
            moved = np.array(sorted(joined.source), np.int64)
            source[np.searchsorted(after, moved)] = [names.index(joined.source[k]) for k in moved]
        return Matches(after, after if joined.in_place else joined.origin[after], source)

    def before(self, matches: Matches, column: Any) -> Any:
        """Of each row before, the value in an array; `column` gives that of a split."""
        rows = list(self.old.values())
        if len(rows) == 1:
            return column(rows[0])[matches.before]
        found = np.zeros(len(matches.before), column(rows[0]).dtype if rows else float)
        for number, split in enumerate(rows):
            here = matches.source == number
            found[here] = column(split)[matches.before[here]]
        return found

    def changes(self, split: str) -> Matches:
        """Those of `matches` whose text changed."""
        if split not in self._changes:
            matches, digests = self.matches(split), self.new[split].digests
            changed = [np.empty(0, np.int64)]
            for start in range(0, len(matches.after), PIECE):
                piece = matches.of(slice(start, start + PIECE))
                other = self.before(piece, lambda rows: rows.digests) != digests[piece.after]
                changed.append(start + np.flatnonzero(other))
            self._changes[split] = matches.of(np.concatenate(changed))
        return self._changes[split]

    def side_by_side(self, number: str, *, known: bool = True, other: bool = False) -> SideBySide:
        """`tokens`, or a score, of every row: an embedded one, or with `other` one that only its column knows. Without
        `known`, the first dataset has none."""

        def column(rows: SplitRows) -> Any:
            if not other:
                return rows.measured.column(number)
            found = rows.others.get(number)
            return np.full(len(rows), np.nan) if found is None else found

        changed = [(split, self.changes(split)) for split in self.new]
        return SideBySide(
            _joined([column(rows) for rows in self.old.values()] if known else []),
            _joined([column(rows) for rows in self.new.values()]),
            _joined([self.before(matches, column) for _, matches in changed] if known else []),
            _joined([column(self.new[split])[matches.after] for split, matches in changed]),
        )


def _joined(columns: list[Any]) -> Any:
    return columns[0] if len(columns) == 1 else np.concatenate([np.empty(0), *columns])


def defect_counts(side: Mapping[str, SplitRows]) -> Counter[str]:
    """How many rows of one side have which `defects`."""
    counts: Counter[str] = Counter()
    for rows in side.values():
        texts = list(rows.measured.texts)
        found = np.bincount(rows.measured.defects, minlength=len(texts)).tolist()
        counts.update({text: count for text, count in zip(texts, found, strict=True) if count})
    return counts


def match_rows(
    old: dict[str, SplitRows],
    new: dict[str, SplitRows],
    layout: Layout,
    *,
    extra: tuple[Rule, ...],
    counter: TokenCounter,
    known: Mapping[str, Any],
) -> Matched:
    """Join both sides and read what differs. `new` is measured already; `old` is measured here, or `known`."""
    matched = Matched(old, new, join(old, new))
    start = 0
    for split in new:
        matched.changed[split] = len(matched.changes(split).after)
        _take_changes(matched, split, start, layout, extra, known)
        start += matched.changed[split]
    _measure_before(matched, layout, counter, known)
    return matched


def _cells(known: Mapping[str, Any], old: SplitRows) -> Any:
    """What the rules' pass knew of the rows of a split, as a dataset of the column `BEFORE`; or None."""
    cells = known.get(old.name)
    return cells if cells is not None and len(cells) == len(old) else None


def _take_changes(
    matched: Matched, split: str, start: int, layout: Layout, extra: tuple[Rule, ...], known: Mapping[str, Any]
) -> None:
    """Read the rows of a split that changed, on both sides, and say what happened to them."""
    changed = matched.changes(split)
    for number, source in enumerate(matched.old.values()):
        places = np.flatnonzero(changed.source == number)
        if len(places):
            new, cells, has = matched.new[split], _cells(known, source), np.zeros(len(places), bool)
            if cells is not None:
                has = np.isin(changed.before[places], filled(cells, BEFORE))
                told = places[has]
                for place, edits in zip(told.tolist(), _known_edits(new, cells, changed.of(told)), strict=True):
                    matched.edits.add(start + place, edits)
            found = _edits(matched, new, source, changed.of(places[~has]), layout, extra)
            for place, edits in zip(places[~has].tolist(), found, strict=True):
                matched.edits.add(start + place, edits)
    release(matched.new[split].ds, *(rows.ds for rows in matched.old.values()))


def _known_edits(new: SplitRows, cells: Any, places: Matches) -> Iterator[list[Edit]]:
    texts = (cell for batch in column_batches(cells, [BEFORE], places.before) for cell in batch[BEFORE])
    for text, k in zip(texts, map(int, places.after), strict=True):
        changes = RowBefore.read(text).changes
        yield [Edit(new.ids[k], *change, split=new.name, index=k) for change in changes]


def _edits(
    matched: Matched, new: SplitRows, old: SplitRows, places: Matches, layout: Layout, extra: tuple[Rule, ...]
) -> Iterator[list[Edit]]:
    assert new.view is not None
    assert old.view is not None
    our_columns = [layout.own(name) for name in (HISTORY, "row_id", "original")]
    befores = iterate(old.ds, [*old.view.reads, *our_columns], places.before)
    afters = iterate(new.ds, [*new.view.reads, *our_columns], places.after)
    positions = map(int, places.after)
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
            yield edits
        if unknown:  # what the score columns of these rows hold may be of another text
            matched.elsewhere[new.name] = matched.elsewhere.get(new.name, 0) + len(unknown)
            fresh = Measured(len(unknown), new.measured.texts)
            again = {name: [row[name] for row in unknown.values()] for name in new.view.reads}
            tokens = new.measured.tokens[list(unknown)]
            measure(fresh, 0, again, new.view, layout, counter=None, scorer=new.scorer, trust=False)
            fresh.tokens[:] = tokens
            _put(new.measured, fresh, np.array([*unknown], np.int64))


def _measure_before(matched: Matched, layout: Layout, counter: TokenCounter, told: Mapping[str, Any]) -> None:
    """The numbers of the rows before: those of the row after where the text is the same, those that the rules' pass
    told, else computed."""
    known = {}
    for name, rows in matched.old.items():
        texts = next((new.measured.texts for new in matched.new.values()), {"": 0})
        rows.measured = Measured(len(rows), texts, rows.ds)
        known[name] = np.zeros(len(rows), bool)
    for split, rows in matched.new.items():
        matches = matched.matches(split)
        for start in range(0, len(matches.after), PIECE):
            piece = matches.of(slice(start, start + PIECE))
            for number, (name, old) in enumerate(matched.old.items()):
                here = piece.of(piece.source == number)
                same = here.of(old.digests[here.before] == rows.digests[here.after])
                old.measured.put(same.before, rows.measured, same.after)
                known[name][same.before] = True
    for name, rows in matched.old.items():
        todo = np.flatnonzero(~known[name])
        if not len(todo):
            continue
        assert rows.view is not None
        our_columns = [layout.own(column) for column in (HISTORY, "defects", *number_names())]
        start, cells = 0, _cells(told, rows)
        beside = repeat(None) if cells is None else column_batches(cells, [BEFORE], todo)
        batches = column_batches(rows.ds, [*rows.view.reads, *our_columns], todo)
        for batch, of_batch in zip(batches, beside, strict=False):
            count = len(batch[rows.view.columns[0]])
            if of_batch is not None:
                batch = _with_told(batch, of_batch[BEFORE], rows.scorer, layout)
            fresh = Measured(count, rows.measured.texts)
            measure(fresh, 0, batch, rows.view, layout, counter=counter, scorer=rows.scorer)
            _put(rows.measured, fresh, todo[start : start + count])
            start += count


def _with_told(
    batch: Mapping[str, list[Any]], texts: Sequence[str], scorer: Score, layout: Layout
) -> dict[str, list[Any]]:
    """The batch with the scores that the rules' pass told, and lines that say whose they are; it has no others."""
    told = [RowBefore.read(text).scores if text else None for text in texts]
    line = Step("Score", scorer.version, scorer.names(), scorer.settings()).line()
    scores = {layout.own(name): [row and row[name] for row in told] for name in scorer.names()}
    return {**batch, layout.own(HISTORY): [row and line for row in told], **scores}


def _put(into: Measured, fresh: Measured, places: Any) -> None:
    into.put(places, fresh, slice(None))
    into.errors |= {int(places[n]): errors for n, errors in fresh.errors.items()}
