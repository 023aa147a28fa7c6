"""Texts: how far those are apart that people made of the same row, or of a proposal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from hfclean.errors import SourceError
from hfclean.layout import Layout
from hfclean.passes import column_batches
from hfclean.provenance import original_cells
from hfclean.quality_control.work import Work
from hfclean.schema import Pair, View
from hfclean.training.pairs import revision_distance
from hfclean.verdicts.events import Event, hashes


class Distances(NamedTuple):
    """Levenshtein distances in characters, each over a whole row, as
    `hfclean.training.pairs.revision_distance` measures it, turn by turn.

    Attributes:
        edits: of every edited proposal, to what it became.
        doubled: of every row that two people decided, between what they made of it.
        unknown: edits, and rows of two people, whose texts are no longer known, since the row changed.
    """

    edits: tuple[int, ...]
    doubled: tuple[int, ...]
    unknown: int


def distances(ds: Any, layout: Layout, edits: Iterable[Work], doubled: Iterable[tuple[Work, Work]]) -> Distances:
    """How far texts are apart, read off the dataset that was judged.

    Args:
        ds: a `Dataset` or `DatasetDict` with its `row_id`.
        layout: how its rows are read.
        edits: work that ended in an edit of a proposal.
        doubled: what two people did on one row.

    Raises:
        SourceError: an edit is of a place that its row does not have.
    """
    by_row: dict[str, list[tuple[Work, ...]]] = {}
    for work in edits:
        by_row.setdefault(work.row_id, []).append((work,))
    for both in doubled:
        by_row.setdefault(both[0].row_id, []).append(both)
    found: dict[int, list[int]] = {1: [], 2: []}
    wanted = sum(map(len, by_row.values()))
    for row, view in _rows(ds, by_row, layout):
        for works in by_row[str(row[layout.own("row_id")])]:
            events = [work.decision for work in works if work.decision]
            sides = [_final(event, row, view, layout) for event in events]
            if len(works) == 1:
                sides.insert(0, _proposal(events[0], row, view, layout))
            if sides[0] is not None and sides[1] is not None:
                found[len(works)].append(_distance(sides[0], sides[1], view))
    return Distances(tuple(found[1]), tuple(found[2]), wanted - len(found[1]) - len(found[2]))


def _rows(ds: Any, names: Mapping[str, Any], layout: Layout) -> Iterator[tuple[dict[str, Any], View]]:
    column = layout.own("row_id")
    for part in ds.values() if isinstance(ds, Mapping) else [ds]:
        if column not in part.column_names:
            continue
        plain, view = part.with_format(None), layout.view(tuple(part.column_names))
        every = (name for batch in column_batches(part, [column]) for name in batch[column])
        for k, name in enumerate(every):
            if name in names:
                yield plain[k], view


def _proposal(event: Event, row: Mapping[str, Any], view: View, layout: Layout) -> Mapping[str, Any] | None:
    """The text that was judged; None where the row has another one now, or never had it."""
    now = hashes(row, view, layout)
    return row if not event.refused and event.fits(now) and event.after in ("", *now.after) else None


def _final(event: Event, row: Mapping[str, Any], view: View, layout: Layout) -> Mapping[str, Any] | None:
    """The text that the row has if a decision is followed; None where that is not known any more."""
    now = hashes(row, view, layout)
    if not event.fits(now):
        return None
    if event.result in now.after:
        return row
    if event.verdict == "reject" and not event.keeps_text:
        return original_cells(row, layout.prefix)
    try:
        return event.edited(row, view)
    except ValueError as e:
        raise SourceError(
            f"the {event.verdict} of {event.row_id!r} cannot be applied: {e}; correct or delete it"
        ) from e


def _distance(one: Mapping[str, Any], other: Mapping[str, Any], view: View) -> int:
    """Turn by turn; a turn that one side does not have counts whole."""
    ones, others = view.pairs(one, turns="all"), view.pairs(other, turns="all")
    nothing = Pair("", "", "")
    count = max(len(ones), len(others))
    ones, others = ([*pairs, *[nothing] * (count - len(pairs))] for pairs in (ones, others))
    return sum(
        revision_distance(
            {f"{side}_{name}": text for side, pair in sides.items() for name, text in _texts(pair).items()}
        )
        for sides in ({"raw": a, "revised": b} for a, b in zip(ones, others, strict=True))
    )


def _texts(pair: Pair) -> dict[str, str]:
    answer = f"{pair.thought}\n\n{pair.response}" if pair.thought else pair.response
    return {"instruction": pair.instruction, "input": pair.input, "output": answer}
