"""Planting: wrong revisions that stand in a queue as if the gate had taken them, to measure attention."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hfclean.desk.queue import Queue
from hfclean.desk.rows import Rows
from hfclean.errors import SourceError
from hfclean.provenance import decode_original, encode_original, parse_history, pointer
from hfclean.reviser.coach import Reviser
from hfclean.reviser.reflection import Reflection
from hfclean.schema import read_at
from hfclean.schema.slots import as_text
from hfclean.verdicts.assignment import GoldRow, gold_rows, planted
from hfclean.verdicts.events import Event


def plant(rows: Rows, queue: Queue, share: float, who: str) -> Rows:
    """The rows with planted ones behind them, which get their places in the queue.

    Which revisions are planted is the same for everybody, and where they stand differs from person to person. The row
    that a planted revision is of leaves the queue.

    Args:
        rows: those of a cleaned folder, with its refused revisions.
        queue: of these rows; it is changed.
        share: planted rows for each row of the queue, 0 to 1; fewer come where fewer refusals are sure.
        who: the person.

    Raises:
        SourceError: no refused revision is sure.
    """
    count, chosen = math.ceil(share * len(queue)), list[tuple[GoldRow, int, dict[str, Any]]]()
    refused = rows.refusals()
    for gold in gold_rows(refused, len(refused)):
        if len(chosen) == count:
            break
        number = rows.find(gold.row_id)
        cells = None if number is None else _accepted(rows, number, gold)
        if number is not None and cells is not None:
            chosen.append((gold, number, cells))
    if share and not chosen:
        raise SourceError(
            "no wrong revision can be planted: that takes refused revisions (refused.parquet) in which hfclean verify "
            "finds what the original does not have; leave out --gold"
        )
    names = planted([rows.ids[int(number)] for number in queue.numbers], (gold for gold, _, _ in chosen), who)
    more = rows.with_planted([(number, cells) for _, number, cells in chosen])
    queue.put([number for name in names if (number := more.find(name)) is not None])
    return more


def _accepted(rows: Rows, number: int, gold: GoldRow) -> dict[str, Any] | None:
    """What the row would hold had the gate taken the revision; None where its text is another one since."""
    cells, own = rows.cells(number), rows.layout.own
    steps = list(parse_history(cells.get(own("edit_history"))) or ())
    last = next((k for k in reversed(range(len(steps))) if steps[k].edit not in ("", "kept")), None)
    if last is None or steps[last].edit != "reverted":
        return None
    event = Event(gold.row_id, "edit", gold.texts)
    try:
        paths = event.places(cells, rows.view(number))
        after = event.edited(cells, rows.view(number))
    except ValueError:
        return None
    before = {path: read_at(cells, path) for path in paths}
    if after == cells or any(as_text(text) != gold.before[pointer(path)] for path, text in before.items()):
        return None
    code = _code(steps[last].by)
    steps[last] = replace(steps[last], edit="revised", reasons=(code,))
    return {
        **after,
        own("row_id"): gold.id,
        own("edit"): "revised",
        own("edit_reason"): code,
        own("edit_history"): "\n".join(step.line() for step in steps),
        own("original"): encode_original({**before, **decode_original(cells.get(own("original")))}),
    }


def _code(by: str) -> str:
    """The reason that a step of this class records of what it revised."""
    return Reflection.code if by == Reflection.__name__ else Reviser.code
