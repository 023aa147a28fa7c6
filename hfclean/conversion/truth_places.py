"""Where the answer that is known to be right stands in a form, and how it gets there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfclean.conversion.texts import CannotHold
from hfclean.schema import FlatView, PromptOnlyView, Target, View, stated_truths
from hfclean.schema.declared import ANSWER, TRUTHS
from hfclean.schema.embedded import opened
from hfclean.schema.slots import as_text
from hfclean.schema.truths import is_bare

TRUTH = "ground_truth"
REWARD = "reward_model"  # verl's: an object with the truth in it
READ_AS_ANSWERS = "truths that are empty or of several words, and read as answers there"


@dataclass(frozen=True)
class TruthPlace:
    """Where the truth of a row goes.

    Attributes:
        column: where it stands; None where the rows have no column for it.
        to: the column in which it stands afterwards.
        wrapped: whether that holds an object with the truth in it.
        alone: whether it stands where answers stand in other rows.
    """

    column: str | None
    to: str
    wrapped: bool = False
    alone: bool = False

    def cell(self, row: Mapping[str, Any], target: Target, lost: set[str]) -> Any:
        """What the new column holds.

        Raises:
            CannotHold: the form needs a truth, and the row has none.
        """
        cell = row[self.column] if self.column else None
        if not self.wrapped:
            value = _unwrapped(cell, lost)
            if self.alone and not (as_text(value).strip() and is_bare(value)):
                lost.add(READ_AS_ANSWERS)
            return value
        value = opened(cell) if isinstance(cell, str) else cell
        if isinstance(value, Mapping) and ("ground_truth" in value or str(self.column).lower() == REWARD):
            return cell
        if cell is None:
            cell = next(reversed(list(stated_truths(target.pair.response))), None)
        if cell is None:
            raise CannotHold(
                "a row has no truth, neither in a column nor as the final answer of its response (in a box, or behind "
                f"####), and the form has it in {REWARD!r}"
            )
        return {"style": "rule", "ground_truth": cell}


def place_of_truth(view: View, into: View | None, alone: bool) -> TruthPlace | None:
    """Where the truth of rows goes; None where it stays in its column, or where they have none.

    Args:
        view: how the rows are read.
        into: how they are read in the new form; None where the form is not a shape.
        alone: whether the form has the truth in the place of the answer.
    """
    column = view.truth
    if has_reward(into):
        return TruthPlace(column, REWARD, wrapped=True)
    if column is None or into is None:
        return None
    if alone or (isinstance(into, FlatView) and into.truth):
        return TruthPlace(column, ANSWER, alone=alone)
    held = column.lower()
    if held in TRUTHS and not (held == REWARD and isinstance(into, PromptOnlyView)):
        return None
    return TruthPlace(column, TRUTH)


def has_reward(into: View | None) -> bool:
    """Whether a form has the truth in an object, and its prompts in messages, as verl has."""
    return isinstance(into, PromptOnlyView) and into.truth == REWARD


def _unwrapped(cell: Any, lost: set[str]) -> Any:
    """The truth itself."""
    value = opened(cell) if isinstance(cell, str) else cell
    if not isinstance(value, Mapping) or "ground_truth" not in value:
        return cell
    if value is not cell:
        lost.add("truths in JSON, now as values")
    for key, item in {"style": None, **value}.items():
        if key != "ground_truth" and item != ("rule" if key == "style" else None):
            lost.add(f"key {key!r} of truths")
    if value["ground_truth"] is None:
        lost.add("truths that are null")
    return value["ground_truth"]
