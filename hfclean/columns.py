"""Columns: what each column that a transform adds holds and means, declared once where it is added.

Cards, reports, `hfclean why` and the docs read the declarations, and so does what makes a score stale.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from hfclean.errors import ColumnError

Kind = Literal["number", "text", "numbers"]
Better = Literal["higher", "lower", ""]
LONGEST_MEANING, LONGEST_NAME, MOST = 500, 200, 100


@dataclass(frozen=True)
class Column:
    """One column that a transform adds.

    Args:
        name: without prefix. A `*` at its end stands for anything: `judge_*`.
        meaning: one sentence, for people who see the column and nothing else.
        kind: `number`, `text` (`""` for none), or `numbers` for a list of them.
        low, high: the least and the greatest number; None for no bound.
        better: which numbers are better, `higher` or `lower`; `""` where none are.
        unit: of the numbers, such as `words`.

    >>> Column("ease", "how easily the answer is read", low=0, high=100, better="higher").sentence()
    'How easily the answer is read (0 to 100, higher = better).'
    """

    name: str
    meaning: str = ""
    kind: Kind = "number"
    low: float | None = None
    high: float | None = None
    better: Better = ""
    unit: str = ""

    def __post_init__(self) -> None:
        for name, value, allowed in (("kind", self.kind, get_args(Kind)), ("better", self.better, get_args(Better))):
            if value not in allowed:
                expected = ", ".join(map(repr, allowed))
                raise ColumnError(f"Column({self.name!r}, {name}={value!r}): expected one of {expected}")

    def sentence(self) -> str:
        """Meaning, range, direction and unit; empty where no meaning is known."""
        if not self.meaning:
            return ""
        bounds = ""
        if self.low is not None:
            bounds = f"{self.low:g} and up" if self.high is None else f"{self.low:g} to {self.high:g}"
        elif self.high is not None:
            bounds = f"up to {self.high:g}"
        unit, better = self.unit and f"in {self.unit}", self.better and f"{self.better} = better"
        scale = ", ".join(filter(None, (bounds, unit, better)))
        words = self.meaning.strip().removesuffix(".")
        return f"{words[:1].upper()}{words[1:]}" + (f" ({scale})." if scale else ".")

    def unknown(self, cell: Any) -> Any:
        """The value of an unknown score, in place of `cell`: never null."""
        if self.kind == "numbers":
            return [math.nan] * len(cell or ())
        return math.nan if self.kind == "number" else ""

    def plain(self) -> dict[str, Any]:
        """The declaration without its name, as JSON can hold it; `read_columns` is the inverse."""
        return {
            spec.name: value
            for spec in fields(self)
            if spec.name != "name" and (value := getattr(self, spec.name)) != spec.default
        }


REVISION = (
    Column(
        "edit",
        "what the last step did: kept, revised, reverted (a revision was refused) or failed (none came)",
        "text",
    ),
    Column("edit_reason", "why: ids of rules or checks", "text"),
    Column("edit_history", "one line of JSON per step, oldest first", "text"),
    Column(
        "original", "the text before the first step, as JSON of the fields that changed; empty when none did", "text"
    ),
    Column("row_id", "names the row in the ledger and the report", "text"),
)
DUPLICATE_OF = Column("duplicate_of", "the row_id of the first row with the same text; empty for all others", "text")


def column_of(name: str, declared: Iterable[Column]) -> Column | None:
    """The declaration of a column, by its own name; None where there is none."""
    known = {column.name: column for column in declared}
    found = known.get(name) or next(
        (column for start, column in known.items() if start.endswith("*") and name.startswith(start[:-1])), None
    )
    return None if found is None else replace(found, name=name)


def read_columns(data: Mapping[str, Any]) -> tuple[Column, ...]:
    """Columns by name as `Column.plain` describes them, from an untrusted record: at most what fits on a page, without
    what makes no sense."""
    return tuple(_read(str(name), about) for name, about in list(data.items())[:MOST])


def _read(name: str, about: Any) -> Column:
    about = about if isinstance(about, Mapping) else {}
    kind, better = about.get("kind", "number"), about.get("better", "")
    low, high = (
        float(value) if isinstance(value := about.get(key), (int, float)) and math.isfinite(value) else None
        for key in ("low", "high")
    )
    return Column(
        name[:LONGEST_NAME],
        str(about.get("meaning", ""))[:LONGEST_MEANING],
        kind if kind in get_args(Kind) else "text",
        low,
        high,
        better if better in get_args(Better) else "",
        str(about.get("unit", ""))[:LONGEST_NAME],
    )
