"""Win rates with length held equal: among comparisons of about equal length, and by a logistic model of the rest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.evaluation.bootstrap import NOTHING, Draws, Figure, as_share, interval
from hfclean.text import words

# Two responses are about equally long when the longer one has at most this many times the words of the other.
WITHIN = 1.25
STEPS = 25
# What the slope on length is drawn towards zero with, so that it stays finite where length decides everything.
RIDGE = 0.01
FARTHEST = 12.0  # log-odds beyond this are 0 or 1 to any reader


@dataclass(frozen=True)
class LengthMatched:
    """Win rates in which length counts for nothing, or for little.

    Attributes:
        longer: the share of the comparisons in which the first response has more words, ties half, 0 to 1.
        matched: WR1 among the comparisons whose responses are about equally long (at most `WITHIN` times); what such
            a share of easy or short questions says of the others is not known.
        controlled: WR1 at equal length, of a logistic model of the verdicts on the difference in length,
            `tanh(log(words of first / words of second) / its standard deviation)`, a tie counted half: the idea of
            length-controlled AlpacaEval (arXiv 2404.04475), with nothing else in the model. What hangs on length in
            another way than such a curve stays in it.
        unknown: comparisons with a verdict and without lengths; they are left out of all three.
    """

    longer: Figure
    matched: Figure
    controlled: Figure
    unknown: int = 0


def lengths_of(values: Sequence[Any]) -> list[float]:
    """Lengths in words: of texts, or numbers as they are; nan where there is neither."""
    lines = []
    for value in values:
        if isinstance(value, str):
            lines.append(float(len(words(value))))
        else:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
            lines.append(float(value) if is_number else math.nan)
    return lines


def length_matched(
    points: Any, first: Sequence[float], second: Sequence[float], *, draws: int, seed: int
) -> LengthMatched:
    """Win rates of the first side with length held equal.

    Args:
        points: for each comparison 1 for a win of the first side, 0.5 for a tie, 0 for a loss.
        first, second: the lengths of the responses; nan where one is not known.
    """
    import numpy as np

    won = np.asarray(points, float)
    a, b = np.asarray(first, float), np.asarray(second, float)
    there = ~(np.isnan(a) | np.isnan(b))
    unknown = int((~there).sum())
    won, a, b = won[there], a[there], b[there]
    if not len(won):
        return LengthMatched(NOTHING, NOTHING, NOTHING, unknown)
    apart = np.log((a + 1) / (b + 1))
    near = np.abs(apart) <= math.log(WITHIN) + 1e-12
    drawn = Draws(len(won), draws=draws, seed=seed)
    longer, matched = drawn.shares(np.stack([(a > b) + (a == b) / 2, np.where(near, won, np.nan)], axis=1))
    spread = apart.std()
    x = np.tanh(apart / spread) if spread > 0 else np.zeros(len(apart))
    value = float(_at_equal_length(np.ones((1, len(won))), x, won)[0])
    low = high = math.nan
    if len(won) > 1:
        low, high = interval(np.concatenate([_at_equal_length(weights, x, won) for weights in drawn.weights()]))
    return LengthMatched(longer, matched, as_share(Figure(value, low, high, len(won))), unknown)


def _at_equal_length(weights: Any, x: Any, won: Any) -> Any:
    """What a logistic model says of x = 0, for every row of weights; Newton's steps, all samples at once."""
    import numpy as np

    rows = weights.sum(axis=1)
    share = (weights @ won) / rows
    edge = (share <= 0) | (share >= 1)  # all of it won or lost, whatever the lengths
    base = np.log(np.clip(share, 1e-6, 1 - 1e-6) / np.clip(1 - share, 1e-6, 1))
    slope = np.zeros(len(weights))
    for _ in range(STEPS):
        at = 1 / (1 + np.exp(-(base[:, None] + slope[:, None] * x[None, :])))
        short = weights * (won[None, :] - at)
        curve = weights * at * (1 - at)
        down, across = short.sum(axis=1), short @ x - RIDGE * rows * slope
        h00 = curve.sum(axis=1) + 1e-9 * rows
        h01, h11 = curve @ x, curve @ (x * x) + RIDGE * rows
        det = h00 * h11 - h01 * h01
        step = np.clip((h11 * down - h01 * across) / det, -2, 2)
        turn = np.clip((h00 * across - h01 * down) / det, -2, 2)
        base, slope = np.clip(base + step, -FARTHEST, FARTHEST), np.clip(slope + turn, -FARTHEST, FARTHEST)
        if max(np.abs(step).max(), np.abs(turn).max()) < 1e-8:
            break
    return np.where(edge, share, 1 / (1 + np.exp(-base)))
