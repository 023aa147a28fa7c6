"""Do two scores choose the same rows, and how much of what each chooses is length? Nothing is written to the rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import ColumnError, HfcleanError
from hfclean.evaluation.bootstrap import Figure
from hfclean.evaluation.ranking import auroc, pairs_of, spearman
from hfclean.layout import Layout
from hfclean.plain_values import to_plain
from hfclean.schema import Columns, Pair
from hfclean.scorers import response_words

# From this AUC on, a sentence says that most of a selection is length.
MOSTLY_LENGTH = 0.8
PUBLISHED = "for comparison: length alone predicts a published 5 % selection by IFD with AUC 0.90"


@dataclass(frozen=True)
class Chosen:
    """What one score chooses, beside plain length.

    Args:
        name: the column, or `first` or `second` for an array.
        largest: whether the largest values were chosen; a column of booleans chooses its own true rows.
        rows: how many rows it chooses.
        missing: rows without this score (nan or null).
        length_spearman: rank correlation of the score with the words of the response, -1 to 1.
        length_auc: the chance that a chosen row has more words than one that is not, ties half: 0.5 means no relation,
            1 says that the longest rows were chosen, 0 the shortest; nan where all rows or none are chosen.
    """

    name: str
    largest: bool
    rows: int
    missing: int
    length_spearman: float
    length_auc: float

    @property
    def mostly_length(self) -> bool:
        """Whether length alone predicts most of the choice, in either direction."""
        return max(self.length_auc, 1 - self.length_auc) >= MOSTLY_LENGTH


@dataclass(frozen=True)
class Agreement:
    """How far two scores agree; see `agreement`.

    Args:
        rows: all rows.
        compared: those with both scores; everything below is about these.
        share: the share that each score chooses of them.
        spearman: rank correlation of the two scores, -1 to 1, ties averaged; nan where one has a single value.
        both: rows that both choose.
        overlap: `both` as a share of the smaller of the two choices, 0 to 1; nan where one chooses none.
        chance: the overlap that two unrelated choices of these sizes have on average.
        first, second: each by itself, beside length.
    """

    rows: int
    compared: int
    share: float
    spearman: float
    both: int
    overlap: float
    chance: float
    first: Chosen
    second: Chosen

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON; what is nan is None."""
        data = to_plain(self)
        for side, each in (("first", self.first), ("second", self.second)):
            data[side]["mostly_length"] = each.mostly_length
        return dict(data)

    def summary(self) -> str:
        """The figures in plain words."""
        left_out = f"{self.first.name}: {self.first.missing:,}, {self.second.name}: {self.second.missing:,}"
        lines = [
            f"{self.first.name} and {self.second.name}, over {self.compared:,} of {self.rows:,} rows "
            f"(without a score: {left_out})",
            f"rank correlation (Spearman): {Figure(self.spearman).number(3)}",
            f"chosen by both: {self.both:,}, {Figure(self.overlap).percent()} % of the smaller choice; unrelated "
            f"choices would share {Figure(self.chance).percent()} %",
        ]
        for each in (self.first, self.second):
            lines.append(
                f"{each.name} chooses {each.rows:,} rows; correlation with response words "
                f"{Figure(each.length_spearman).number(3)}, AUC of length alone {Figure(each.length_auc).number(3)}"
            )
            if each.mostly_length:
                auc, kind = max((each.length_auc, "longest"), (1 - each.length_auc, "shortest"))
                lines.append(
                    f"  Length alone predicts this choice with AUC {auc:.2f}: most of it is that the answers are the "
                    f"{kind}. Compare with the {kind} answers before crediting the score ({PUBLISHED})."
                )
        return "\n".join(lines)


def agreement(
    ds: Any,
    first: str | Sequence[Any],
    second: str | Sequence[Any],
    *,
    share: float = 0.05,
    first_largest: bool = True,
    second_largest: bool = True,
    columns: Columns = None,
) -> Agreement:
    """How far two scores agree on which rows to keep, and how well plain length predicts what each of them keeps.

    Scores that are sold as difficulty or quality often choose the longest answers, and two that agree may agree on
    that alone. Rows that lack either score are left out and counted.

    Args:
        ds: a `Dataset`, or a list of rows or pairs; length is read off their responses.
        first: a numeric or boolean column of it, or as many values as it has rows, nan or None where there is none. A
            selection that exists already is a column of booleans: it chooses its true rows, whatever `share` is.
        second: the other one.
        share: the share of the compared rows that each score chooses, above 0 and below 1, rounded down but at least
            one row; of equal values the earlier row, as in `top`.
        first_largest: whether the largest values of `first` are chosen; False: the smallest.
        second_largest: the same for `second`.
        columns: which columns hold what, as in a transform.

    Raises:
        ColumnError: a column is missing or not numeric, or has another length than the rows.
        HfcleanError: `share` is not between 0 and 1, or no row has both scores.

    >>> import hfclean
    >>> rows = [{"prompt": "Go on", "completion": "on " * n, "good": n % 7, "long": n} for n in range(1, 101)]
    >>> found = hfclean.evaluation.agreement(rows, "good", "long", share=0.1)
    >>> found.both, found.second.length_auc, found.second.mostly_length
    (0, 1.0, True)
    """
    import numpy as np

    if not 0 < share < 1:
        raise HfcleanError(f"agreement(share={share}): expected a share above 0 and below 1")
    rows = ds if hasattr(ds, "keys") or hasattr(ds, "column_names") else list(ds)
    pairs = pairs_of(rows, Layout(columns))
    sides = [_Side.of(rows, len(pairs), given, name) for given, name in ((first, "first"), (second, "second"))]
    there = ~(np.isnan(sides[0].values) | np.isnan(sides[1].values))
    if not there.any():
        raise HfcleanError(
            f"no row has both {sides[0].name!r} ({_missing(sides[0]):,} of {len(pairs):,} missing) and "
            f"{sides[1].name!r} ({_missing(sides[1]):,} missing), so there is nothing to compare"
        )
    words = np.array([response_words(pair) for pair, here in zip(pairs, there, strict=True) if here])
    chosen, sides_chosen = [], []
    for side, largest in zip(sides, (first_largest, second_largest), strict=True):
        values = side.values[there]
        picked = values == 1 if side.is_choice else _top(values if largest else -values, share)
        chosen.append(picked)
        sides_chosen.append(
            Chosen(
                side.name, largest, int(picked.sum()), _missing(side), spearman(values, words), auroc(picked, words)
            )
        )
    both = int((chosen[0] & chosen[1]).sum())
    fewer, more = sorted((sides_chosen[0].rows, sides_chosen[1].rows))
    return Agreement(
        rows=len(pairs),
        compared=len(words),
        share=share,
        spearman=spearman(sides[0].values[there], sides[1].values[there]),
        both=both,
        overlap=both / fewer if fewer else math.nan,
        chance=more / len(words) if fewer else math.nan,
        first=sides_chosen[0],
        second=sides_chosen[1],
    )


@dataclass(frozen=True)
class _Side:
    """The values of one score, nan where there is none, and whether they are a choice made already."""

    name: str
    values: Any
    is_choice: bool

    @classmethod
    def of(cls, rows: Any, count: int, given: str | Sequence[Any], name: str) -> _Side:
        import numpy as np

        values = list(_column(rows, given) if isinstance(given, str) else given)
        name = given if isinstance(given, str) else name
        if len(values) != count:
            raise ColumnError(f"{name}: {len(values):,} values for {count:,} rows; expected one for each")
        values = [value.item() if isinstance(value, np.generic) else value for value in values]
        odd = next((value for value in values if value is not None and not isinstance(value, (int, float))), None)
        if odd is not None:
            raise ColumnError(f"{name} holds {type(odd).__name__} ({str(odd)[:40]!r}); expected numbers or booleans")
        known = [value for value in values if value is not None]
        is_choice = bool(known) and all(isinstance(value, bool) for value in known)
        return cls(name, np.array([math.nan if v is None else float(v) for v in values]), is_choice)


def _column(rows: Any, name: str) -> Iterable[Any]:
    if hasattr(rows, "column_names"):
        known = list(rows.column_names or ())
        if name in known:
            return (row[name] for row in rows.with_format(None).select_columns(name))
    else:
        known = list(dict.fromkeys(key for row in rows[:1] if not isinstance(row, Pair) for key in row))
        if name in known:
            return [row.get(name) for row in rows]
    raise ColumnError(f"no column {name!r} in {known}. Score the rows first, for example ds.map(hfclean.score)")


def _missing(side: _Side) -> int:
    import numpy as np

    return int(np.isnan(side.values).sum())


def _top(values: Any, share: float) -> Any:
    """Which rows are the top share; of equals the earlier."""
    import numpy as np

    count = max(1, math.floor(share * len(values) + 1e-9))
    picked = np.zeros(len(values), dtype=bool)
    picked[np.argsort(-values, kind="stable")[:count]] = True
    return picked
