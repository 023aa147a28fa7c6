"""The base of every scorer: numbers about one pair, each in its own column, and a line in the history."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from hfclean.columns import Better, Column, column_of
from hfclean.errors import ColumnError, SchemaError, describe_error, of_row, stop_at
from hfclean.provenance import HISTORY, Step, own_steps
from hfclean.schema import Pair, View
from hfclean.transform import STRICT, Batch, Transform


@dataclass(frozen=True)
class Scorer(Transform):
    """Base of the scorers: subclasses declare their columns in `adds` and score pairs; the row's main pair is the one
    that is scored.

    In a conversation the main pair is the last assistant turn, in a preference row the chosen answer. With
    `turns="all"` every assistant turn is scored, each with what came before it, and a number is the mean over them,
    nan if one of them has none; columns of words, such as reasons, name what any turn has.

    A subclass that means something else by `turns="all"` overrides `score_rows`; one that does not support it says why
    in `only_last`, and it is refused.

    A row on which the scorer raises has nan (`""` in columns of text, `scorer_error` in those that end in `_reason`),
    its line in `edit_history` says what was raised, and the run goes on; reports count such rows.

    Args:
        strict: stop at the first row on which the scorer raises.
    """

    # False where an error does not belong to one row: a model that cannot be loaded fails on all of them
    contained: ClassVar[bool] = True
    # why several turns have no score, if they have none
    only_last: ClassVar[str] = ""
    # whether `side="both"` means something
    both_sides: ClassVar[bool] = False

    strict: bool = field(default=False, kw_only=True, metadata=STRICT)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        odd = next((column for column in cls.adds if not isinstance(column, Column)), None)
        if odd is not None:
            raise ColumnError(
                f"{cls.__name__}.adds holds {odd!r}; expected hfclean.columns.Column({str(odd)!r}, 'what it means')"
            )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.turns == "all" and self.only_last:
            raise SchemaError(
                f"{type(self).__name__}(turns='all'): {self.only_last}; expected turns='last', which is the default"
            )
        if self.side == "both" and not self.both_sides:
            raise SchemaError(
                f"{type(self).__name__}(side='both'): a row gets one score; expected 'chosen' or 'rejected'. For "
                "both, score twice, with another prefix= the second time"
            )

    def names(self) -> tuple[str, ...]:
        """The columns that this scorer adds, without prefix."""
        return tuple(column.name for column in self.adds)

    def declared(self) -> tuple[Column, ...]:
        """What the columns of `names` hold and mean."""
        return tuple(column_of(name, self.adds) or Column(name) for name in self.names())

    def beside(self) -> tuple[str, ...]:
        """The columns that are read besides the texts."""
        return ()

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        """One list per column of `names`, in the order of the pairs."""
        raise ColumnError(f"{type(self).__name__} defines no score_batch(pairs)")

    def score_rows(self, rows: Sequence[Sequence[Pair]]) -> dict[str, list[Any]]:
        """The same for rows of one pair or several, oldest first: only the last of each, or with `turns="all"` all."""
        if self._only_last(rows):
            return self.score_batch([pairs[-1] for pairs in rows])
        return self._merged_turns(self.score_batch([pair for pairs in rows for pair in pairs]), rows)

    def merged(self, name: str, values: list[Any]) -> Any:
        """What a row has in a column with `turns="all"`, of what its turns have.

        Raises:
            SchemaError: nothing is known to come of such values.
        """
        if all(isinstance(value, (float, int)) and not isinstance(value, bool) for value in values):
            return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan
        if self._is_text(name) and all(isinstance(value, str) for value in values):
            return " ".join(dict.fromkeys(word for value in values for word in value.split()))
        raise SchemaError(
            f"{type(self).__name__}(turns='all'): the column {name!r} of several turns cannot be merged, since it "
            f"holds {type(values[0]).__name__}; use turns='last'"
        )

    def _only_last(self, rows: Sequence[Sequence[Pair]]) -> bool:
        return self.turns == "last" or all(len(pairs) == 1 for pairs in rows)

    def _merged_turns(self, each: Mapping[str, list[Any]], rows: Sequence[Sequence[Pair]]) -> dict[str, list[Any]]:
        """Columns of all turns of some rows as columns of the rows."""
        columns: dict[str, list[Any]] = {}
        for name, values in each.items():
            left = iter(values)
            columns[name] = [self.merged(name, [next(left) for _ in pairs]) for pairs in rows]
        return columns

    def identity(self) -> str:
        """The commit or the hash of the model that is asked; empty where there is none."""
        return ""

    def scored(self, rows: Sequence[Sequence[Pair]]) -> tuple[dict[str, list[Any]], list[dict[str, Exception]]]:
        """The result of `score_rows`, and for each row the errors raised on it, by the name of their source.

        Raises:
            StrictError: the scorer raised, and is strict.
        """
        errors: list[dict[str, Exception]] = [{} for _ in rows]
        try:
            columns = self._scored(rows, errors)
        except Exception as e:
            if not self.contained:
                raise
            of_row(e)
            columns = self._one_by_one(rows, errors)
            if not any(errors):  # an error on these rows together belongs to none of them
                raise
        if self.strict:
            for pairs, raised in zip(rows, errors, strict=True):
                stop_at(raised, "scorer" if self._name() in raised else "rule", pairs[-1].instruction)
        return columns, errors

    def scored_cells(
        self, rows: Sequence[Mapping[str, Any]], view: View
    ) -> tuple[dict[str, list[Any]], list[dict[str, Exception]]]:
        """The same for rows as they lie in a dataset."""
        return self.scored([self.pairs(row, view) for row in rows])

    def _scored(self, rows: Sequence[Sequence[Pair]], errors: Sequence[dict[str, Exception]]) -> dict[str, list[Any]]:
        """`score_rows`, for a scorer that can go on without one of its parts: the error is noted in `errors`."""
        return self.score_rows(rows)

    def _one_by_one(
        self, rows: Sequence[Sequence[Pair]], errors: Sequence[dict[str, Exception]]
    ) -> dict[str, list[Any]]:
        names = self.names()
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for pairs, raised in zip(rows, errors, strict=True):
            try:
                found = self._scored([pairs], [raised])
                cells = [found[name][0] for name in names]
            except Exception as e:  # noqa: BLE001  # whatever it is, it is kept and shown
                raised[self._name()] = of_row(e)
                cells = [self._unscored(name) for name in names]
            for name, cell in zip(names, cells, strict=True):
                columns[name].append(cell)
        return columns

    def reason(self, view: View, cells: Mapping[str, Any], errors: Mapping[str, Exception]) -> str:
        """Why a row lacks scores without any error, as a key of `hfclean.codes.REASONS`; empty where there is none."""
        return ""

    def _name(self) -> str:
        return type(self).__name__

    def _unscored(self, name: str) -> Any:
        if name.endswith("_reason"):
            return "scorer_error"
        return "" if self._is_text(name) else math.nan

    def _is_text(self, name: str) -> bool:
        column = column_of(name, self.adds)
        return name.endswith("_reason") if column is None else column.kind == "text"

    def _meanings(self) -> dict[str, Any]:
        """What rows say about the columns: nothing about ours, which every hfclean knows."""
        if type(self).__module__.startswith("hfclean."):
            return {}
        declared = self.declared()
        return {column.name: column.plain() for column in declared} if any(c.meaning for c in declared) else {}

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        names, history = self.names(), self.prefix + HISTORY
        step = Step(
            type(self).__name__, self.version, names, self.settings(), model=self.identity(), meanings=self._meanings()
        )
        own = (self.prefix + name for name in names)
        rows = batch.rows(list(dict.fromkeys([*view.reads, *self.beside(), *own, history])))
        writes = (*names, HISTORY)
        before: list[list[str]] = [[] for _ in rows]
        if any(self.prefix + name in batch for name in writes):
            for row, kept in zip(rows, before, strict=True):
                steps = own_steps(row, writes, self.prefix, type(self).__name__)
                # scoring again replaces the line of the last time: the scores are those of today's text
                kept += [s.line() for s in steps if s.is_revision or s.columns != names]
        columns, errors = self.scored_cells(rows, view)
        whole, lines = step.line(), []
        for k, (kept, raised) in enumerate(zip(before, errors, strict=True)):
            line = replace(step, errors=_described(raised)).line() if raised else whole
            if reason := self.reason(view, {name: columns[name][k] for name in names}, raised):
                line = replace(step, errors=_described(raised), reasons=(reason,)).line()
            lines.append("\n".join([*kept, line]) if kept else line)
        return {**{self.prefix + name: columns[name] for name in names}, history: lines}


@dataclass(frozen=True)
class FunctionScorer(Scorer):
    """A scorer made of a function `pair -> float`; see `scorer`."""

    version: ClassVar[int] = 2

    name: str
    function: Callable[[Pair], float]
    function_version: int = 1
    about: Column | None = field(default=None, kw_only=True, metadata={"came_later": True, "unsaid": True})

    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def declared(self) -> tuple[Column, ...]:
        return (self.about or Column(self.name),)

    def _meanings(self) -> dict[str, Any]:
        return {} if self.about is None else {self.name: self.about.plain()}

    def _name(self) -> str:
        return self.name

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        found.pop("function", None)
        return found

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        return {self.name: [float(self.function(pair)) for pair in pairs]}


Scorer.__module__ = FunctionScorer.__module__ = "hfclean.scorers"  # the name in pickles, and so in fingerprints


def scorer(
    name: str,
    *,
    version: int = 1,
    meaning: str = "",
    low: float | None = None,
    high: float | None = None,
    better: Better = "",
    unit: str = "",
) -> Callable[[Callable[[Pair], float]], FunctionScorer]:
    """Make a scorer of a function `pair -> float`: it goes into `ds.map` and adds the float column `name`.

    With `turns="all"` (`dataclasses.replace(scorer, turns="all")`) it is called for every assistant turn, and the
    column holds the mean.

    Args:
        name: the column's name. Return `math.nan` for a pair that cannot be scored, never a made-up number. Where the
            function raises, the row has nan, and its line in `edit_history` says what was raised.
        version: raise it when the function's results change, or `datasets` may serve old ones from its cache.
        meaning: one sentence on what the number says, for reports, cards and `hfclean why`: it stands in each row's
            `edit_history`.
        low, high, better, unit: of the number; see `hfclean.columns.Column`.

    >>> import hfclean
    >>> @hfclean.scorer("exclamations")
    ... def exclamations(pair):
    ...     return pair.response.count("!")
    >>> exclamations({"prompt": "Greet me", "completion": "Hi!!"})["exclamations"]
    2.0
    """
    if not name.isidentifier():
        raise ColumnError(f"scorer name {name!r}: expected a column name in snake_case")
    about = Column(name, meaning, low=low, high=high, better=better, unit=unit) if meaning else None

    def declare(function: Callable[[Pair], float]) -> FunctionScorer:
        return FunctionScorer(name, function, version, about=about)

    return declare


def _described(errors: Mapping[str, Exception]) -> dict[str, str]:
    return {name: describe_error(error) for name, error in errors.items()}
