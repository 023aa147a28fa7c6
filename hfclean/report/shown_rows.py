"""The rows that a report shows: removed, added, in two splits at once, or with the most severe defects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from hfclean.passes import iterate
from hfclean.provenance import DUPLICATE_COLUMN
from hfclean.report.matched_rows import Matched
from hfclean.report.record import Overlap, Removed, RowExcerpt, ranked
from hfclean.report.rows import SplitRows
from hfclean.rules import ROW_RULES, RULES, SEVERITIES, Rule
from hfclean.verdicts.excluded import EXCLUDED

WORST = 50
EXAMPLES = 10
OVERLAP_EXAMPLES = 3
EXCERPT = 600
NO_REASON = "no reason recorded"
REASON_COLUMN = "removed_reason"
MOST_EXCLUSIONS = 20  # reasons in people's words that a report tells apart
OTHER_EXCLUSIONS = f"{EXCLUDED}: another reason"
ROW_ID = re.compile(r"\b[0-9a-f]{16}(?:-\d+)?\b")

_Place = tuple[str, int]


def removed_rows(matched: Matched, reasons_by_id: Mapping[str, str]) -> tuple[Removed, ...]:
    """Removed rows, by `reasons_by_id`, by what their own columns say of them, or by a twin of
    equal text that stayed."""
    stayed = _stayed(matched)
    counts: Counter[str] = Counter()
    examples: dict[str, list[_Place]] = {}
    details: dict[_Place, str] = {}
    for split, joined in matched.joined.items():
        if not len(joined.removed):
            continue
        old = matched.old[split]
        for place, own in zip(joined.removed.tolist(), _own_reasons(old, joined.removed), strict=True):
            detail = reasons_by_id.get(old.ids[place]) or own
            if detail:
                reason = ROW_ID.sub("another row", detail)
            elif int(old.digests[place]) in stayed:
                reason = "exact duplicate of a row that stayed"
            else:
                missing = [name for name, values in old.measured.numbers.items() if values[place] != values[place]]
                reason = f"{NO_REASON} (unscored: {', '.join(missing)})" if missing else NO_REASON
            counts[reason] += 1
            if counts[reason] <= EXAMPLES:
                examples.setdefault(reason, []).append((split, place))
                details[split, place] = detail
    said = [each.name for each in ranked(counts) if each.name.startswith(f"{EXCLUDED}: ")]
    for reason in said[MOST_EXCLUSIONS:]:
        counts[OTHER_EXCLUSIONS] += counts.pop(reason)
        examples[OTHER_EXCLUSIONS] = [*examples.get(OTHER_EXCLUSIONS, ()), *examples.pop(reason)][:EXAMPLES]
    return tuple(
        Removed(each.name, each.rows, _excerpts(matched.old, examples[each.name], details.get))
        for each in ranked(counts)
    )


def _stayed(matched: Matched) -> set[int]:
    """Those digests of removed rows that rows which stayed had as well."""
    removed = [
        matched.old[split].digests[joined.removed] for split, joined in matched.joined.items() if len(joined.removed)
    ]
    gone: Any = np.unique(np.concatenate(removed)) if removed else None
    found: set[int] = set()
    for split in matched.new if removed else ():
        here = matched.before(matched.matches(split), lambda rows: rows.digests)
        found.update(here[np.isin(here, gone)].tolist())
    return found


def _own_reasons(old: SplitRows, places: Any) -> Iterator[str]:
    """The reason that a column of the removed rows themselves gives, where one does."""
    columns = [name for name in old.ds.column_names if name.endswith((REASON_COLUMN, DUPLICATE_COLUMN))]
    if not columns:
        yield from repeat("", len(places))
        return
    for rows in iterate(old.ds, columns, places):
        for row in rows:
            reason = next((str(row[name]) for name in columns if name.endswith(REASON_COLUMN) and row[name]), "")
            marked = any(row[name] for name in columns if name.endswith(DUPLICATE_COLUMN))
            yield reason or ("marked as a duplicate" if marked else "")


def added_rows(matched: Matched) -> tuple[RowExcerpt, ...]:
    """A few of the rows that the first dataset does not have."""
    places = [
        (split, k)
        for split, joined in matched.joined.items()
        for k in np.flatnonzero(joined.origin < 0)[:EXAMPLES].tolist()
    ]
    return _excerpts(matched.new, places[:EXAMPLES])


def find_overlaps(matched: Matched) -> tuple[Overlap, ...]:
    """Splits of the second dataset that hold rows of equal text."""
    if len(matched.new) < 2:
        return ()
    texts = {split: np.unique(rows.digests, return_index=True) for split, rows in matched.new.items()}
    splits, found = list(texts), []
    for n, first in enumerate(splits):
        for second in splits[n + 1 :]:
            shared, one, two = np.intersect1d(texts[first][0], texts[second][0], True, return_indices=True)
            if not len(shared):
                continue
            places = sorted(zip(texts[first][1][one].tolist(), texts[second][1][two].tolist(), strict=True))
            twins = {(first, place): other for place, other in places[:OVERLAP_EXAMPLES]}
            found.append(
                Overlap(
                    first,
                    second,
                    texts=len(shared),
                    rows_first=int(np.isin(matched.new[first].digests, shared).sum()),
                    rows_second=int(np.isin(matched.new[second].digests, shared).sum()),
                    examples=_excerpts(
                        matched.new, list(twins), {p: f"{second} row {k}" for p, k in twins.items()}.get
                    ),
                )
            )
    return tuple(found)


def worst_rows(matched: Matched, extra: Sequence[Rule]) -> tuple[RowExcerpt, ...]:
    """The rows left whose defects are the most severe, then the most; of equals the one that comes first."""
    severity = {rule.id: SEVERITIES.index(rule.severity) for rule in (*RULES, *ROW_RULES, *extra)}
    levels: dict[tuple[int, ...], list[int]] = {}
    texts = next((list(rows.measured.texts) for rows in matched.new.values()), [])
    for number, defects in enumerate(texts):
        if defects:
            # closed by a 1, so that of two lists that begin alike the longer one comes first
            level = (*sorted(-severity.get(name, 0) for name in defects.split()), 1)
            levels.setdefault(level, []).append(number)
    places: list[_Place] = []
    for level in sorted(levels):
        for split, rows in matched.new.items():
            if len(places) < WORST:
                here = np.flatnonzero(np.isin(rows.measured.defects, levels[level]))
                places += [(split, k) for k in here[: WORST - len(places)].tolist()]
    return _excerpts(matched.new, places, lambda place: texts[matched.new[place[0]].measured.defects[place[1]]])


def _excerpts(
    side: Mapping[str, SplitRows], places: Sequence[_Place], note: Callable[[_Place], str | None] = lambda place: ""
) -> tuple[RowExcerpt, ...]:
    """The beginnings of some rows, in the order asked for."""
    excerpts: dict[_Place, RowExcerpt] = {}
    for split, rows in side.items():
        wanted = sorted(k for name, k in places if name == split)
        if not wanted or rows.view is None:
            continue
        positions = iter(wanted)
        for batch in iterate(rows.ds, rows.view.columns, wanted):
            for row, k in zip(batch, positions, strict=False):
                pair = rows.view.pairs(row)[-1]
                excerpts[split, k] = RowExcerpt(
                    rows.ids[k], split, k, note((split, k)) or "", _cut(pair.prompt), _cut(pair.response)
                )
    return tuple(excerpts[place] for place in places)


def _cut(text: str) -> str:
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"
