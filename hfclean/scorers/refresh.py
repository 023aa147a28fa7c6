"""The score columns of a row after its text changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfclean.columns import Column
from hfclean.provenance import Step
from hfclean.schema import View
from hfclean.scorers.embedded.score import Score
from hfclean.scorers.explained import explained


def refresh(
    steps: list[Step],
    after: Mapping[str, Any],
    view: View,
    cells: Mapping[str, Any],
    prefix: str,
    errors: dict[str, Exception] | None = None,
) -> dict[str, Any]:
    """The score columns of a row after its text changed, as {column: value} with the prefix.

    The embedded scores are computed again, of the turns and the side that they were computed of before; scores that
    this room cannot compute become nan (text: empty), since a score belongs to its text.

    Args:
        steps: what was done to the row before.
        after: its cells as they are now.
        view: how they are read.
        cells: the cells before, with the score columns.
        prefix: of these columns.
        errors: receives the errors raised on the way.
    """
    fresh: dict[str, Any] = {}
    for step in steps:
        if step.is_revision:
            continue
        embedded: dict[str, Any] = {}
        if step.by == "Score":
            settings = {name: step.settings[name] for name in ("turns", "side") if name in step.settings}
            columns, raised = Score(**settings).scored_cells([after], view)
            embedded = {name: column[0] for name, column in columns.items()}
            if errors is not None:
                errors |= raised[0]
        declared = explained(step)
        for name in step.columns:
            cell = cells.get(prefix + name)
            column = declared.get(name) or _column_of_cell(name, cell)
            fresh[prefix + name] = embedded[name] if name in embedded else column.unknown(cell)
    return fresh


def _column_of_cell(name: str, cell: Any) -> Column:
    """An undeclared column, by its content."""
    return Column(name, kind="numbers" if isinstance(cell, list) else "number" if isinstance(cell, float) else "text")
