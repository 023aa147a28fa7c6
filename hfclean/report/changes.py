"""Changes: what a page shows of single rows, changed, refused and removed ones as one list, the most telling first.

The first of each kind (of each rule, each reason to refuse, each reason to remove) come first, the most severe kinds
before the others, then the second of each, and so on; of one kind, the rows of which more changed. So a reader who
stops after one screen has seen one of everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from hfclean.report.record import UNRECORDED, Edit, ReportData
from hfclean.report.refused import SHOWN
from hfclean.reviser.refused import RefusedRevision

if TYPE_CHECKING:
    from markupsafe import Markup

    from hfclean.text.worddiff import Stretch

# Bytes for all changes together, so that the page stays below 10 MB; the rest takes well under one.
CHANGES_BYTES = 8_000_000
LARGEST_CHANGE = 24_000
SMALLEST_CHANGE = 300
ROW_OVERHEAD = 480  # markup of a row's card and of one change in it
REFUSED_CHANGE = 8_000
EXCERPT_BYTES = 2500
MOST_REMOVED = 100
TELLING = 400  # characters that changed; more than that make a row no more telling
# How much a kind of change wants to be looked at, by the severity of its rule: what no rule of ours did comes first.
LEVELS = {UNRECORDED: 0, "refused": 1, "high": 2, "": 3, "medium": 4, "low": 5, "removed": 6}
KINDS = ("changed", "refused", "removed")
NO_CODE = "no_reason_recorded"
MOST_NOTES = 10


@dataclass(frozen=True)
class Part:
    """One text of a row: by what it was changed, where it stands, and the difference or the text itself."""

    names: tuple[str, ...]
    field: str
    text: Markup


@dataclass(frozen=True)
class Card:
    """All that is shown of one row. `labels` are the numbers of the page's filter that fit it; `text_hash`, where it
    is known, is that of the text that a person decides about."""

    kind: str
    row_id: str
    split: str
    index: int | None
    names: tuple[str, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    weight: int = 0
    text_hash: str = ""
    labels: str = ""
    split_number: int = -1


@dataclass(frozen=True)
class Label:
    """One choice of the filter: a kind of row, or a rule, check or reason, and how many of the rows shown it fits."""

    number: int
    kind: str
    name: str
    rows: int


@dataclass(frozen=True)
class Shown:
    """The rows that a page shows, in order, and the choices of its filter."""

    cards: tuple[Card, ...]
    labels: tuple[Label, ...]
    changes: int

    def of(self, kind: str) -> list[Label]:
        """The rules, checks or reasons of one kind of row, the most frequent first."""
        return [label for label in self.labels if label.kind == kind and label.name]

    def number(self, kind: str, name: str = "") -> int | None:
        """The number of a choice, where there is one."""
        return next((each.number for each in self.labels if (each.kind, each.name) == (kind, name)), None)


def _names_of(edit: Edit) -> list[str]:
    """The rules or the reviser that made a change."""
    return edit.rule.split() or [UNRECORDED]


def shown_changes(report: ReportData, max_edits: int) -> Shown:
    """What the page shows of single rows: at most `max_edits` changes, evenly sampled, within its bytes."""
    severity = {rule.id: rule.severity for rule in report.rules}
    changed = list(_changed(report.edits, max_edits))
    cards = [*changed, *_refused(report.refused), *_removed(report)]
    counts = Counter((card.kind, name) for card in cards for name in ("", *card.names))
    order = sorted(counts, key=lambda key: (bool(key[1]), KINDS.index(key[0]), -counts[key], key[1]))
    labels = tuple(Label(number, *key, counts[key]) for number, key in enumerate(order))
    numbers = {(label.kind, label.name): label.number for label in labels}
    splits = {split.split: number for number, split in enumerate(report.splits)}
    return Shown(
        tuple(_labelled(card, numbers, splits.get(card.split, -1)) for card in _in_order(cards, severity, counts)),
        labels,
        sum(len(card.parts) for card in changed),
    )


def _labelled(card: Card, numbers: Mapping[tuple[str, str], int], split: int) -> Card:
    found = " ".join(str(numbers[card.kind, name]) for name in ("", *card.names))
    return replace(card, labels=found, split_number=split)


# --------------------------------------------------------------------------------------------------------------- order


def _in_order(cards: Sequence[Card], severity: Mapping[str, str], counts: Mapping[tuple[str, str], int]) -> list[Card]:
    """The most telling first; see the head of this module."""
    groups: dict[tuple[int, int, str], list[tuple[int, int]]] = {}
    for place, card in enumerate(cards):
        # of several names, the one that wants to be looked at the most, then the rarest
        group = min((_level(card.kind, name, severity), counts[card.kind, name], name) for name in card.names)
        groups.setdefault(group, []).append((-card.weight, place))
    ranked = [(rank, group, place) for group, found in groups.items() for rank, (_, place) in enumerate(sorted(found))]
    return [cards[place] for _, _, place in sorted(ranked)]


def _level(kind: str, name: str, severity: Mapping[str, str]) -> int:
    if kind != "changed":
        return LEVELS[kind]
    return LEVELS[UNRECORDED] if name == UNRECORDED else LEVELS.get(severity.get(name, ""), LEVELS[""])


def _weight(stretches: Sequence[Stretch]) -> int:
    """How many characters changed, up to a bound."""
    return min(TELLING, sum(len(stretch.text) for stretch in stretches if stretch.kind != "same"))


# --------------------------------------------------------------------------------------------------------------- cards


def _refused(revisions: Sequence[RefusedRevision]) -> Iterator[Card]:
    from hfclean.report.markup import diff_markup
    from hfclean.text.worddiff import readable_diff

    for each in revisions[:SHOWN]:
        names = tuple(dict.fromkeys(each.codes.split())) or (NO_CODE,)
        stretches = readable_diff(each.before, each.proposed)
        part = Part(names, each.field, diff_markup(stretches, REFUSED_CHANGE))
        yield Card(
            "refused", each.row_id, each.split, None, names, (part,), each.findings[:MOST_NOTES], _weight(stretches)
        )


def _removed(report: ReportData) -> Iterator[Card]:
    """Rows that were removed, the first of each reason, then the second of each, up to a bound."""
    from hfclean.report.markup import text_markup

    rows = [(place, n, row) for n, group in enumerate(report.removed) for place, row in enumerate(group.examples)]
    for _, n, row in sorted(rows, key=lambda each: each[:2])[:MOST_REMOVED]:
        reason = report.removed[n].reason or NO_CODE
        texts = {"instruction": row.instruction, "response": row.response}
        parts = tuple(Part((), name, text_markup(text, EXCERPT_BYTES)) for name, text in texts.items())
        yield Card("removed", row.row_id, row.split, row.index, (reason,), parts, (row.note,) if row.note else ())


def _changed(edits: Sequence[Edit], max_edits: int) -> Iterator[Card]:
    """The rows that changed, evenly sampled down to `max_edits` changes, within the page's bytes."""
    rows = _sample(_by_row(edits), len(edits), max_edits)
    stretches, diffs = _diffs([edit for row in rows for edit in row])
    start = 0
    for row in rows:
        first, here = row[0], slice(start, start + len(row))
        start += len(row)
        parts = [Part(tuple(_names_of(edit)), edit.field, diff) for edit, diff in zip(row, diffs[here], strict=True)]
        yield Card(
            "changed",
            first.row_id,
            first.split,
            first.index,
            tuple(dict.fromkeys(name for part in parts for name in part.names)),
            tuple(parts),
            weight=sum(map(_weight, stretches[here])),
            text_hash=first.text_hash,
        )


def _by_row(edits: Sequence[Edit]) -> list[list[Edit]]:
    return [list(row) for _, row in groupby(edits, key=lambda edit: (edit.split, edit.index))]


def _sample(rows: list[list[Edit]], edits: int, max_edits: int) -> list[list[Edit]]:
    if edits <= max_edits:
        return rows
    wanted = max(1, len(rows) * max_edits // edits) if max_edits > 0 else 0
    picked = [rows[k * len(rows) // wanted] for k in range(wanted)]
    while picked and sum(map(len, picked)) > max_edits:
        picked = picked[:-1] if len(picked) > 1 else [picked[0][:max_edits]]
    return picked


def _diffs(edits: Sequence[Edit]) -> tuple[list[list[Stretch]], list[Markup]]:
    """The stretches of each change, and its markup. Where all of it is too much for the page, the largest are cut to
    one common size."""
    from hfclean.report.markup import diff_markup
    from hfclean.text.worddiff import readable_diff

    if not edits:
        return [], []
    total = max(CHANGES_BYTES - ROW_OVERHEAD * len(edits), SMALLEST_CHANGE)
    stretches = [readable_diff(edit.before, edit.after) for edit in edits]
    budget = max(SMALLEST_CHANGE, min(LARGEST_CHANGE, 3 * total // len(edits)))
    diffs = [diff_markup(stretch, budget) for stretch in stretches]
    sizes = [len(diff.encode("utf-8")) for diff in diffs]
    if sum(sizes) > total:
        budget = _common_size(sizes, total)
        diffs = [
            diff if size <= budget else diff_markup(stretch, budget)
            for stretch, diff, size in zip(stretches, diffs, sizes, strict=True)
        ]
    return stretches, diffs


def _common_size(sizes: Sequence[int], total: int) -> int:
    """The largest size to which all can be cut so that they fit: small ones leave their share to the others."""
    left = total
    ordered = sorted(sizes)
    for n, size in enumerate(ordered):
        share = left // (len(ordered) - n)
        if size > share:
            return max(share - 80, 1)  # the mark that says what was cut takes room as well
        left -= size
    return ordered[-1]
