"""Listing: the rows of a queue by page, by state, and by what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from hfclean.desk.desk import Desk
from hfclean.report.formatting import one_line
from hfclean.verdicts.states import STATES

PAGE = 100
TITLE = 160  # characters


class Listed(NamedTuple):
    """One row of the list."""

    position: int
    row_id: str
    title: str
    state: str
    people: tuple[str, ...]


def listed(desk: Desk, query: Mapping[str, str]) -> dict[str, Any]:
    """What the page of a list shows.

    Args:
        desk: one person at a queue.
        query: `page` from 1, `state`, and `q`, a text that the row holds in any case, or its id.
    """
    import numpy as np

    state, words = query.get("state", ""), query.get("q", "").strip()
    positions = np.arange(len(desk.queue))
    if state in STATES:
        positions = np.array([k for k in positions if desk.shown_state(_name(desk, int(k))) == state], np.int64)
    else:
        state = ""
    if words:
        positions = _holding(desk, positions, words)
    pages = max(1, -(-len(positions) // PAGE))
    number = query.get("page", "1")
    page = min(max(int(number) if number.isdecimal() and len(number) < 10 else 1, 1), pages)
    return {
        "rows": [_listed(desk, int(k)) for k in positions[(page - 1) * PAGE : page * PAGE]],
        "found": len(positions),
        "page": page,
        "pages": pages,
        "state": state,
        "states": STATES,
        "query": words,
        "link": _links(state, words),
    }


def _links(state: str, words: str) -> Callable[[int], str]:
    def link(page: int) -> str:
        return "list?" + urlencode({"page": page, "state": state, "q": words})

    return link


def _name(desk: Desk, position: int) -> str:
    return desk.rows.ids[int(desk.queue.numbers[position])]


def _listed(desk: Desk, position: int) -> Listed:
    number = int(desk.queue.numbers[position])
    name = desk.rows.ids[number]
    pair = desk.rows.layout.pairs(desk.rows.cells(number), desk.rows.view(number))[-1]
    title = one_line(pair.instruction[: 4 * TITLE].strip() or pair.input[:TITLE] or pair.response[:TITLE], TITLE)
    people = tuple(event.who for event in desk.visible(name))
    if desk.seat.blind and (task := desk.task(number)).kind == "blind":
        title = next((one_line(text[: 4 * TITLE], TITLE) for part, text in task.shared if part == "instruction"), name)
    return Listed(position, name, title, desk.shown_state(name), people)


def _holding(desk: Desk, positions: Any, words: str) -> Any:
    """Those positions whose rows hold a text, or have that id."""
    holds = desk.rows.holding(words)
    number = desk.rows.find(words)
    if number is not None:
        holds[number] = True
    return positions[holds[desk.queue.numbers[positions]]]
