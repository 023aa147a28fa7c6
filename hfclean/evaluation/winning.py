"""Win rates: how often one side's responses are better than another's, with intervals, flips and length beside them.

Verdicts come as columns, as a judge's scores in both orders, or from a judge that is asked here.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import ColumnError, HfcleanError
from hfclean.evaluation.bootstrap import NOTHING, Draws, Figure, sign_test
from hfclean.evaluation.lengths import WITHIN, LengthMatched, length_matched, lengths_of
from hfclean.evaluation.ranking import pairs_of
from hfclean.plain_values import to_plain
from hfclean.scorers.comparing import Better, Counts, Verdict, Verdicts, judge_pairs, merge_orders
from hfclean.scorers.judge import Judge

WORDS: Mapping[Any, Better] = {
    **dict.fromkeys(("win", "wins", "won", "first", "1", 1), "first"),
    **dict.fromkeys(("lose", "loses", "lost", "loss", "second", "2", 2), "second"),
    **dict.fromkeys(("tie", "ties", "tied", "draw", "equal", "0", 0), "tie"),
    **dict.fromkeys(("", None), ""),
}
NO_VERDICT = "no_verdict"
POINTS = {"first": 1.0, "tie": 0.5, "second": 0.0}

_Column = str | Sequence[Any]


@dataclass(frozen=True)
class WinRate:
    """How often the first side is better; see `win_rate`. Shares are 0 to 1, higher = better for the first side.

    Attributes:
        counts: wins, ties and losses of the first side.
        win_rate: WR1 = (wins + ties / 2) / all; 0.5 = as good as the other side.
        win_rate_without_ties: WR2 = wins / (wins + losses); nan where nothing was decided.
        quality_score: QS = (wins + ties) / all: how often it is at least as good.
        winning_score: 1 + (wins - losses) / all, 0 to 2; 1 = as good as the other side (Cherry LLM, arXiv 2308.12032).
        flip_rate: share of the comparisons with a verdict in both orders where these were opposite; lower = steadier.
        shown_first, shown_second: the counts when only the order is asked in which the first side stands first, or
            second; None where one order is all there is. What lies between their win rates is taste for a place.
        unscored: comparisons without a verdict, by reason. They are in no figure.
        lengths: the same with length held equal; None where no lengths are known.
    """

    counts: Counts
    win_rate: Figure
    win_rate_without_ties: Figure
    quality_score: Figure
    winning_score: Figure
    flip_rate: Figure
    shown_first: Counts | None
    shown_second: Counts | None
    unscored: Mapping[str, int]
    lengths: LengthMatched | None

    @property
    def p_value(self) -> float:
        """Two-sided exact sign test of wins against losses, ties left out: how often chance alone does as much."""
        return sign_test(self.counts.wins, self.counts.losses)

    @property
    def decided(self) -> bool:
        """Whether one side is better beyond chance: the sign test is below 0.05."""
        return self.p_value < 0.05

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON; what is nan is None."""
        data = to_plain(self)
        for side, counts in (("shown_first", self.shown_first), ("shown_second", self.shown_second)):
            if counts is not None:
                data[side]["win_rate"] = to_plain(counts.win_rate)
        if self.lengths is not None:
            data["lengths"]["within"] = WITHIN
        return {**data.pop("counts"), **data, "p_value": self.p_value, "decided": self.decided}

    def __str__(self) -> str:
        counts, total = self.counts, self.counts.total
        lines = [f"{counts.wins:,} wins, {counts.ties:,} ties, {counts.losses:,} losses of {total:,} comparisons"]
        if self.unscored:
            reasons = ", ".join(f"{reason}: {count:,}" for reason, count in self.unscored.items())
            lines.append(f"without a verdict, in no figure: {sum(self.unscored.values()):,} ({reasons})")
        lines += [
            f"  WR1, ties half      {self.win_rate.percent()} %",
            f"  WR2, without ties   {self.win_rate_without_ties.percent()} %",
            f"  QS, at least equal  {self.quality_score.percent()} %",
            f"  winning score       {self.winning_score.number(4)}",
        ]
        if self.flip_rate.count:
            lines.append(f"  flipped with order  {self.flip_rate.percent()} %")
        if self.shown_first is not None and self.shown_second is not None:
            one, two = self.shown_first.win_rate, self.shown_second.win_rate
            if not math.isnan(one + two):
                lines.append(f"  WR1 by place        {100 * one:.1f} % shown first, {100 * two:.1f} % shown second")
        lines += self._lengths()
        lines.append(f"{self._verdict()} (sign test: p = {self.p_value:.2g}; intervals: 95 %, bootstrap)")
        return "\n".join(lines)

    def _lengths(self) -> list[str]:
        both = self.lengths
        if both is None or not both.longer.count:
            return ["  lengths not known, so nothing says how much of it is length"]
        return [
            f"  longer than other   {both.longer.percent()} %",
            f"  WR1, equal lengths  {both.matched.percent()} % of {both.matched.count:,} within a factor {WITHIN}",
            f"  WR1, length held    {both.controlled.percent()} % (logistic model)",
        ]

    def _verdict(self) -> str:
        if not self.counts.total:
            return "nothing was compared"
        if not self.counts.wins and not self.counts.losses:
            return "all are ties: no difference"
        if not self.decided:
            return "no difference beyond chance"
        return f"the {'first' if self.counts.wins > self.counts.losses else 'second'} side is better"


def win_rate(
    ds: Any = None,
    against: Any = None,
    *,
    judge: Judge | None = None,
    verdict: _Column | None = None,
    verdict_swapped: _Column | None = None,
    scores: _Column | None = None,
    scores_swapped: _Column | None = None,
    texts: tuple[_Column, _Column] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> WinRate:
    """How often one side's responses are better than another's: three ways to say what was compared.

    * `win_rate(verdict=...)`: verdicts on the first side: `win`, `tie`, `lose` (also `first`, `tie`, `second`, or 1,
      0, 2 as people's votes are written); empty or None for none. With `verdict_swapped`, those of the other order,
      still about the first side, merged as in `hfclean.scorers.comparing.merge_orders`.
    * `win_rate(scores=..., scores_swapped=...)`: a judge's scores as `[first, second]` pairs, higher = better, with
      the first side shown first and shown second; in both, the first number is the first side's.
    * `win_rate(after, before, judge=judge)`: rows or pairs of both sides; the judge is asked in both orders, see
      `hfclean.scorers.judge_pairs`. Or `win_rate(verdicts)` with what that gave.

    A win is better in both orders, or better once and tied once; opposite verdicts are a tie, and counted as flips.

    Args:
        ds: a `Dataset` or list of rows, where the others are names of its columns; or the first side's rows for a
            judge; or a `Verdicts`.
        against: the second side's rows, for a judge.
        judge: whom to ask.
        verdict, verdict_swapped: a column's name, or the verdicts.
        scores, scores_swapped: a column's name, or pairs of numbers; None or nan where there is no score.
        texts: the responses of both sides (or their lengths, as numbers), for the rates at equal length; known of
            themselves when a judge is asked.
        draws: bootstrap samples, of whole comparisons.
        seed: of the draws.

    Raises:
        ColumnError: a column is missing, has another length, or holds something other than verdicts or scores.
        HfcleanError: none of the three ways, or two of them; nothing to compare; sides of different lengths.
        BackendError: the judge's model cannot be asked at all.

    >>> import hfclean
    >>> found = hfclean.evaluation.win_rate(verdict=["win", "tie", "lose", "win"], draws=100)
    >>> found.counts, found.win_rate.value
    (Counts(wins=2, ties=1, losses=1), 0.625)
    >>> swapped = [[9, 7], [6, 8]]
    >>> hfclean.evaluation.win_rate(scores=[[9, 8], [7, 7]], scores_swapped=swapped, draws=100).counts
    Counts(wins=1, ties=0, losses=1)
    """
    ways = {"judge": judge, "verdict": verdict, "scores": scores}
    given = [name for name, value in ways.items() if value is not None]
    if isinstance(ds, Verdicts):
        given.insert(0, "Verdicts")
    if len(given) != 1:
        named = " and ".join(given) or "nothing"
        raise HfcleanError(
            f"win_rate got {named}; expected one of verdict=, scores=, judge= (with two datasets), Verdicts"
        )
    each: Sequence[Verdict]
    if judge is not None:
        judged, texts = _judged(judge, ds, against)
        each = judged.each
    elif isinstance(ds, Verdicts):
        each, ds = ds.each, None
    elif verdict is not None:
        each = _in_both_orders(ds, verdict, verdict_swapped, "verdict", _read_verdict)
    else:
        each = _in_both_orders(ds, scores, scores_swapped, "scores", _read_scores)
    if not each:
        raise HfcleanError("win_rate got no comparisons; expected one or more rows")
    sides = None if texts is None else [_column(ds, side, "texts", len(each)) for side in texts]
    both = judge is not None or verdict_swapped is not None or scores_swapped is not None or "Verdicts" in given
    return _figures(each, sides, both=both, draws=draws, seed=seed)


def _figures(
    each: Sequence[Verdict], sides: Sequence[Sequence[Any]] | None, *, both: bool, draws: int, seed: int
) -> WinRate:
    import numpy as np

    verdicts = Verdicts(tuple(each))
    asked = [k for k, verdict in enumerate(each) if verdict.better]
    points = np.array([POINTS[each[k].better] for k in asked])
    won, lost = (points == 1.0).astype(float), (points == 0.0).astype(float)
    wr1 = wr2 = qs = score = NOTHING
    if asked:
        drawn = Draws(len(asked), draws=draws, seed=seed)
        decided = np.where(won + lost > 0, won, np.nan)
        wr1, wr2, qs = drawn.shares(np.stack([points, decided, 1 - lost], axis=1))
        (score,) = drawn.means((1 + won - lost)[:, None])
    flips = [float(v.flipped) for v in each if v.shown_first and v.shown_second] if both else []
    lengths = None
    if sides is not None:
        first, second = ([one[k] for k in asked] for one in map(lengths_of, sides))
        lengths = length_matched(points, first, second, draws=draws, seed=seed)
    return WinRate(
        counts=verdicts.first,
        win_rate=wr1,
        win_rate_without_ties=wr2,
        quality_score=qs,
        winning_score=score,
        flip_rate=Draws(len(flips), draws=draws, seed=seed).shares(np.array(flips)[:, None])[0] if flips else NOTHING,
        shown_first=_of_one_order(v.shown_first for v in each) if both else None,
        shown_second=_of_one_order(v.shown_second for v in each) if both else None,
        unscored=verdicts.unscored,
        lengths=lengths,
    )


def _of_one_order(verdicts: Iterable[str]) -> Counts:
    counts = Counter(verdicts)
    return Counts(counts["first"], counts["tie"], counts["second"])


def _judged(judge: Judge, firsts: Any, seconds: Any) -> tuple[Verdicts, tuple[Sequence[str], Sequence[str]]]:
    if not isinstance(judge, Judge):
        raise HfcleanError(f"judge={judge!r}: expected an hfclean.Judge, such as hfclean.Judge(model)")
    if firsts is None or seconds is None:
        raise HfcleanError("win_rate(judge=...) needs the rows of both sides: win_rate(after, before, judge=judge)")
    one, two = (pairs_of(rows, judge.layout) for rows in (firsts, seconds))
    return judge_pairs(judge, one, two), ([pair.response for pair in one], [pair.response for pair in two])


def _in_both_orders(
    ds: Any, first: Any, swapped: _Column | None, name: str, read: Callable[[Any], Better]
) -> list[Verdict]:
    there = [read(value) for value in _column(ds, first, name)]
    if swapped is None:
        return [Verdict(better, reason="" if better else NO_VERDICT) for better in there]
    back = [read(value) for value in _column(ds, swapped, f"{name}_swapped", len(there))]
    merged = ((merge_orders(one, two), one, two) for one, two in zip(there, back, strict=True))
    return [Verdict(better, one, two, "" if better else NO_VERDICT) for better, one, two in merged]


def _read_verdict(value: Any) -> Better:
    if isinstance(value, float) and math.isnan(value):
        return ""
    key = value.strip().lower() if isinstance(value, str) else value
    if isinstance(key, bool) or not isinstance(key, (str, int, float, type(None))) or key not in WORDS:
        raise ColumnError(f"{str(value)[:40]!r} is not a verdict; expected win, tie, lose, 1, 0, 2 or None")
    return WORDS[key]


def _read_scores(value: Any) -> Better:
    """Who has the higher score of a pair; empty where one is not there."""
    if value is None:
        return ""
    pair = list(value) if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)) else None
    numbers = [float("nan") if one is None else one for one in pair or ()]
    if len(numbers) != 2 or not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
        raise ColumnError(f"{str(value)[:40]!r} is not a pair of scores; expected [first, second], two numbers")
    first, second = numbers
    if not (math.isfinite(first) and math.isfinite(second)):
        return ""
    return "first" if first > second else "second" if second > first else "tie"


def _column(rows: Any, given: Any, what: str, count: int | None = None) -> list[Any]:
    """The values of a column, by name or as they are."""
    if isinstance(given, str):
        values = _named(rows, given, what)
    else:
        values = [value.item() if hasattr(value, "item") else value for value in given]
    if count is not None and len(values) != count:
        raise ColumnError(f"{what}: {len(values):,} values for {count:,} comparisons; expected one for each")
    return values


def _named(rows: Any, name: str, what: str) -> list[Any]:
    if rows is None:
        raise ColumnError(f"{what}={name!r} names a column, and no rows were given: win_rate(ds, {what}={name!r})")
    if hasattr(rows, "column_names"):
        known = list(rows.column_names or ())
        if name in known:
            return [row[name] for row in rows.with_format(None).select_columns(name)]
    else:
        rows = list(rows)
        known = list(dict.fromkeys(key for row in rows[:1] for key in row))
        if name in known or not rows:
            return [row.get(name) for row in rows]
    raise ColumnError(f"no column {name!r} in {known}; {what} names one of them, or gives the values")
