"""What the modules compute: flat dictionaries of numbers, by the code that `hfclean.evaluation` uses as well."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hfclean.errors import ColumnError
from hfclean.evaluation.bootstrap import Draws, Figure
from hfclean.evaluation.choice_agreement import agreement
from hfclean.evaluation.revising import measure
from hfclean.evaluation.winning import win_rate
from hfclean.schema import Pair

_Numbers = Mapping[str, float]


def win_rate_figures(
    predictions: Sequence[float],
    references: Sequence[float],
    predictions_swapped: Sequence[float] | None = None,
    references_swapped: Sequence[float] | None = None,
    lengths: Sequence[Any] | None = None,
    reference_lengths: Sequence[Any] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> _Numbers:
    """The figures of the module `win_rate`."""
    for one, two in ((predictions_swapped, references_swapped), (lengths, reference_lengths)):
        if (one is None) != (two is None):
            raise ColumnError("one side without the other: give both of the swapped scores, and both of the lengths")
    swapped = None
    if predictions_swapped is not None and references_swapped is not None:
        swapped = _joined(predictions_swapped, references_swapped)
    texts = None if lengths is None or reference_lengths is None else (lengths, reference_lengths)
    rate = win_rate(
        scores=_joined(predictions, references), scores_swapped=swapped, texts=texts, draws=draws, seed=seed
    )
    names = ("win_rate", "win_rate_without_ties", "quality_score", "winning_score", "flip_rate")
    counts: dict[str, float] = {"wins": rate.counts.wins, "ties": rate.counts.ties, "losses": rate.counts.losses}
    held = rate.lengths
    return {
        **counts,
        "unscored": sum(rate.unscored.values()),
        **_flat({name: getattr(rate, name) for name in names}),
        "p_value": rate.p_value,
        "matched_win_rate": held.matched.value if held else math.nan,
        "controlled_win_rate": held.controlled.value if held else math.nan,
    }


def revision_figures(
    predictions: Sequence[str],
    references: Sequence[str],
    raw: Sequence[str],
    instructions: Sequence[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> _Numbers:
    """The figures of the module `revision_quality`."""
    asked = [""] * len(raw) if instructions is None else list(instructions)
    if not len(asked) == len(raw) == len(predictions) == len(references):
        raise ColumnError(
            f"{len(predictions)} predictions, {len(references)} references, {len(raw)} raw and {len(asked)} "
            "instructions; expected as many of each"
        )
    sides = (
        [Pair(a, "", text) for a, text in zip(asked, side, strict=True)] for side in (raw, references, predictions)
    )
    measured = measure(*sides, draws=draws, seed=seed)
    figures = {name: figure for name, figure in measured.figures.items() if name != "failed"}
    return {
        "pairs": measured.figures["exact"].count,
        "clean": measured.figures["unchanged"].count,
        **_flat(figures),
    }


def ifd_figures(predictions: Sequence[float], draws: int = 1000, seed: int = 0) -> _Numbers:
    """The figures of the module `ifd_summary`."""
    import numpy as np

    values = np.asarray([math.nan if value is None else value for value in predictions], float)
    known = values[~np.isnan(values)]
    names = ("p5", "p25", "median", "p75", "p95")
    summary: dict[str, float] = {"count": len(known), "unscored": len(values) - len(known)}
    if not len(known):
        return summary | dict.fromkeys((*_names("mean"), *names, *_names("above_one")), math.nan)
    drawn = Draws(len(known), draws=draws, seed=seed)
    (mean,), (above,) = drawn.means(known[:, None]), drawn.shares((known > 1).astype(float)[:, None])
    percentiles = np.percentile(known, (5, 25, 50, 75, 95))
    percentile_of = dict(zip(names, map(float, percentiles), strict=True))
    return {**summary, **_flat({"mean": mean}), **percentile_of, **_flat({"above_one": above})}


def agreement_figures(
    predictions: Sequence[float],
    references: Sequence[float],
    texts: Sequence[str] | None = None,
    share: float = 0.05,
) -> _Numbers:
    """The figures of the module `agreement`."""
    rows = [Pair("", "", text) for text in (texts if texts is not None else [""] * len(predictions))]
    result = agreement(rows, list(predictions), list(references), share=share)
    known = texts is not None
    return {
        "compared": result.compared,
        "missing": result.rows - result.compared,
        "spearman": result.spearman,
        "overlap": result.overlap,
        "chance": result.chance,
        "length_auc": result.first.length_auc if known else math.nan,
        "reference_length_auc": result.second.length_auc if known else math.nan,
    }


def _joined(first: Sequence[float], second: Sequence[float]) -> list[list[float]]:
    if len(first) != len(second):
        raise ColumnError(f"{len(first)} predictions and {len(second)} references; expected as many")
    return [list(pair) for pair in zip(first, second, strict=True)]


def _names(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _flat(figures: Mapping[str, Figure]) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, figure in figures.items():
        values |= zip(_names(name), (figure.value, figure.low, figure.high), strict=True)
    return values
