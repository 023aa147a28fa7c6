"""Layout: how the rows of a dataset are read, and what the columns that hfclean adds are called, as one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hfclean.errors import SchemaError
from hfclean.passes import narrowed
from hfclean.schema import Columns, Pair, Target, View, detect
from hfclean.schema.declared import ANSWER, WORKED
from hfclean.schema.shapes import in_small_letters
from hfclean.schema.truths import FIRST_ROWS, answer_columns

LONGEST_PREFIX = 100


@dataclass(frozen=True)
class Layout:
    """How a dataset is read.

    Args:
        columns: which columns hold what, where their names do not say it: a shape's name or a mapping of roles.
        prefix: put before the name of every column that hfclean adds.
        turns: in conversations, `"last"` for the last assistant turn or `"all"` for every one; the rest is context.
        side: in preference rows, `"chosen"`, `"rejected"` or `"both"`.

    Raises:
        SchemaError: invalid `prefix`, `turns` or `side`.
    """

    columns: Columns = None
    prefix: str = ""
    turns: Literal["last", "all"] = "last"
    side: Literal["chosen", "rejected", "both"] = "chosen"

    def __post_init__(self) -> None:
        if self.turns not in ("last", "all"):
            raise SchemaError(f"turns={self.turns!r} is invalid; expected 'last' or 'all'")
        prefix = self.prefix
        if (
            not isinstance(prefix, str)
            or len(prefix) > LONGEST_PREFIX
            or not prefix.isprintable()
            or not set(prefix).isdisjoint("/\\")
        ):
            raise SchemaError(
                f"prefix is {prefix!r:.60}; expected at most {LONGEST_PREFIX} printable characters without '/' and "
                "'\\', such as 'hfclean_'"
            )
        if self.side not in ("chosen", "rejected", "both"):
            raise SchemaError(f"side={self.side!r} is invalid; expected 'chosen', 'rejected' or 'both'")

    def settled(self, ds: Any) -> Layout:
        """The layout for all rows of a dataset, decided once: where its column `answer` may be a response or a truth,
        the first 1,000 rows of its first split say which; see `hfclean.schema.truths.answer_columns`.

        Args:
            ds: a `Dataset`, or several by split.
        """
        if self.columns is not None:
            return self
        parts = list(ds.values()) if isinstance(ds, Mapping) else [ds]
        part = next((part for part in parts if len(part)), None)
        known = in_small_letters(part.column_names) if part is not None else {}
        if part is None or ANSWER not in known:
            return self
        names = [known[name] for name in (ANSWER, *WORKED) if name in known]
        few = narrowed(part, names)[:FIRST_ROWS]
        try:
            columns = answer_columns(part.column_names, few)
        except SchemaError:  # whoever reads the rows says what is wrong with them
            return self
        return replace(self, columns=columns) if columns else self

    def view(self, names: Iterable[str]) -> View:
        """How rows with columns of these names are read.

        Raises:
            SchemaError: they have no known shape.
        """
        return detect(names, self.columns)

    def targets(self, cells: Mapping[str, Any], view: View) -> list[Target]:
        """The pairs of a row, oldest first, with the places of their texts."""
        return view.targets(cells, turns=self.turns, side=self.side)

    def pairs(self, cells: Mapping[str, Any], view: View) -> list[Pair]:
        """The same for those that only read."""
        return view.pairs(cells, turns=self.turns, side=self.side)

    def own(self, column: str) -> str:
        """What a column that hfclean adds is called in this dataset."""
        return self.prefix + column
