"""Rows chosen by the values of one column: `keep` goes into `filter`, `top` returns indices for `select`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hfclean.errors import ColumnError
from hfclean.schema import plain
from hfclean.transform import Spec


@dataclass(frozen=True)
class Keep(Spec):
    """Yes or no for one example or a batch, by the value of one column; see `keep`."""

    column: str
    at_least: float | None = None
    at_most: float | None = None
    unscored: bool = False

    def __call__(self, data: Any) -> bool | list[bool]:
        """Whether the row stays; a list of booleans for a batch."""
        if not isinstance(data, Mapping):  # the arrow, pandas and polars formats hand over tables
            names = list(getattr(data, "column_names", None) or data.columns)
            data = {self.column: data[self.column]} if self.column in names else dict.fromkeys(names)
        if self.column not in data:
            raise ColumnError(_missing(f"keep({self.column!r})", self.column, data))
        value = plain(data[self.column])
        return [self._keeps(item) for item in value] if isinstance(value, list) else self._keeps(value)

    def _keeps(self, value: Any) -> bool:
        if value is None or value != value:
            return self.unscored
        if isinstance(value, str):
            raise ColumnError(
                f"keep({self.column!r}) compares numbers, and the column holds text ({value[:40]!r}). For text, "
                "filter with "
                f"a function: ds.filter(lambda row: row[{self.column!r}] == ...)"
            )
        return bool(
            (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)
        )


Keep.__module__ = "hfclean.selection"  # the name in pickles, and so in the fingerprints of `datasets`


def _missing(call: str, column: str, columns: Iterable[str]) -> str:
    """That a column is not there, and the one that was meant, or the way to a score."""
    from hfclean.scorers.embedded.score import Score

    names = list(columns)
    hint = "Score the dataset first, for example ds.map(hfclean.score)"
    if column not in Score().names():
        known = {name.lower(): name for name in (*Score().names(), *names)}
        for name in get_close_matches(column.lower(), known, 1):
            meant = f"Did you mean {known[name]!r}?"
            hint = meant if known[name] in names else f"{meant} {hint}"
    return f"{call}: no such column in {names}. {hint}"


def keep(column: str, *, at_least: float | None = None, at_most: float | None = None, unscored: bool = False) -> Keep:
    """A test for `ds.filter`: rows whose `column` is within the bounds, both ends included.

    Args:
        column: a numeric column, such as a score.
        at_least: the lowest value that stays.
        at_most: the highest value that stays.
        unscored: whether rows whose value is nan or null stay. They do not by default; `hfclean.compare` counts them.

    Raises:
        ColumnError: no bound is given, the column is missing, or holds text.

    >>> import hfclean
    >>> hfclean.keep("rating", at_least=0.5)({"rating": 0.7})
    True
    """
    if at_least is None and at_most is None:
        raise ColumnError(f"keep({column!r}) has no bound; expected at_least=, at_most= or both")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise ColumnError(f"keep({column!r}): at_least={at_least} is above at_most={at_most}, so no row could stay")
    return Keep(column, at_least, at_most, unscored)


def top(ds: Any, *, by: str, n: int | None = None, fraction: float | None = None, largest: bool = True) -> list[int]:
    """Indices, in dataset order, of the rows with the largest values of a column, for `ds.select`.

    Args:
        ds: a `Dataset` (one split).
        by: a numeric column. Rows whose value is nan or null are never among the top.
        n: how many rows.
        fraction: or which share of all rows, 0 to 1, rounded down.
        largest: `False` takes the smallest values instead. Equal values: the earlier row wins.

    Raises:
        ColumnError: the column is missing or not numeric, or not exactly one of `n` and `fraction` is given.
        HfcleanError: not one `Dataset`, or `n` is not a whole number of 0 or more.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> hfclean.top(Dataset.from_dict({"rating": [0.2, 0.9, 0.9, float("nan")]}), by="rating", n=2)
    [1, 2]
    """
    from hfclean.selection.rows import check_count, check_dataset, is_number

    check_dataset(ds, "top")
    if by not in ds.column_names:
        raise ColumnError(_missing(f"top(by={by!r})", by, ds.column_names))
    if (n is None) == (fraction is None):
        raise ColumnError("top takes exactly one of n= (rows) and fraction= (0 to 1)")
    if fraction is not None and (not is_number(fraction) or not 0 <= fraction <= 1):
        raise ColumnError(f"top(fraction={fraction!r}): expected 0 to 1")
    if n is not None:
        check_count(n, "top(n")
    values = plain(ds.with_format(None)[by][:])
    if any(isinstance(value, (str, list, dict)) for value in values):
        raise ColumnError(f"top(by={by!r}): the column holds {type(values[0]).__name__}, not numbers")
    wanted = n if n is not None else math.floor(fraction * len(values) + 1e-9)  # type: ignore[operator]
    scored = [k for k, value in enumerate(values) if value is not None and value == value]
    scored.sort(key=lambda k: -values[k] if largest else values[k])  # stable: the earlier of two equals stays first
    return sorted(scored[:wanted])
