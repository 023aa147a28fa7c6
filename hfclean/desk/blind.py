"""Blind: original and revision as two texts A and B, of which the person is not told which is which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hfclean.desk.tasks import Passage, Task, with_texts
from hfclean.provenance import original_cells
from hfclean.schema import Pair
from hfclean.verdicts.assignment import drawn


def blinded(task: Task, who: str) -> Task:
    """The task with both texts, in an order that differs from row to row and person to person; what is alike in both
    is shown once.

    Args:
        task: a revision, or a refused one.
        who: the person.
    """
    before, after = task.cells, with_texts(task.cells, task.proposed)
    if not task.proposed:
        before, after = original_cells(task.cells, task.prefix), dict(task.cells)
    both = [list(_passages(task.view.pairs(cells)[-1])) for cells in (before, after)]
    alike = 0
    while alike < min(map(len, both)) and both[0][alike] == both[1][alike]:
        alike += 1
    shown = {passage.text for side in both for passage in side}
    for text in task.changed:  # in places that are not of the main pair
        if not {text.before, text.after} <= {*shown, ""}:
            both[0].append(Passage(text.name, text.before))
            both[1].append(Passage(text.name, text.after))
    sides = tuple(tuple(side[alike:]) for side in both)
    is_original_first = drawn(task.row_id, f"sides for {who}") < 0.5
    return replace(
        task,
        kind="blind",
        shared=tuple(both[0][:alike]),
        sides=sides if is_original_first else sides[::-1],
        first="original" if is_original_first else "revision",
        tools="" if any(text.place.partition("/")[0] == task.view.tools for text in task.changed) else task.tools,
    )


def _passages(pair: Pair) -> Iterator[Passage]:
    """What is read of a pair, in order."""
    turns = [Passage(turn.role, turn.text) for turn in pair.history]
    own = [(name, getattr(pair, name)) for name in ("instruction", "input", "thought", "response")]
    if pair.system:
        yield Passage("system", pair.system)
    yield from turns
    yield from (Passage(name, text) for name, text in own if text or name in ("instruction", "response"))
