"""Surface scores: length and lexical diversity. No model, no word list, any language."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hfclean.schema import Pair
from hfclean.text.words import lower_words

WINDOW = 50
LEAST_RATIO = 0.72


def response_words(pair: Pair) -> float:
    """Number of words in the response (0 and up); each character counts as one in scripts without spaces."""
    return float(len(lower_words(pair.response)))


def lexical_diversity(pair: Pair, window: int = WINDOW) -> float:
    """Moving-average type-token ratio of the response: the share of different words in every window of 50, averaged.

    0 to 1; higher = more varied, low values mean repetition. Independent of length from `window` words on; a shorter
    response is one window. nan for a response without words. From Covington & McFall, Cutting the Gordian Knot: the
    moving-average type-token ratio (Journal of Quantitative Linguistics 17, 2010).
    """
    return diversity(lower_words(pair.response), window)


def diversity(tokens: Sequence[str], window: int = WINDOW, different: int | None = None) -> float:
    """The moving-average type-token ratio of words that are split already; see `lexical_diversity`. `different` is how
    many of them differ, where that is known."""
    size = len(tokens)
    if not size:
        return math.nan
    if size <= window:
        return (len(set(tokens)) if different is None else different) / size
    # Were all words different, every window would have `window` of them. A word takes one away from each window that
    # it shares with its last occurrence before: those that begin from `place - window + 1` to that occurrence.
    windows = size - window + 1
    missing = 0
    last: dict[str, int] = {}
    for place, token in enumerate(tokens):
        if token in last and (before := last[token]) > place - window:
            # comparisons, not min() and max(): this is the loop of the whole scorer
            end = before + 1 if before < windows else windows
            missing += end - place + window - 1 if place >= window else end
        last[token] = place
    return (window * windows - missing) / (window * windows)


def mtld(pair: Pair) -> float:
    """Measure of textual lexical diversity of the response: the mean length of runs of words whose type-token ratio
    stays above 0.72, read forward and backward and averaged.

    1 and up, in words; higher = more varied; nan for a response without words. A run ends where the ratio comes to
    0.72 or below, as in the package lexicalrichness. What is left after the last whole run counts as a part of one. A
    text that never comes down to 0.72 and repeats nothing is one run. From McCarthy & Jarvis, MTLD, vocd-D, and HD-D
    (Behavior Research Methods 42, 2010); an indicator of InstructMining (arXiv 2307.06290).

    >>> mtld(Pair("Name colours.", "", "red blue red blue"))
    4.0
    """
    tokens = lower_words(pair.response)
    if not tokens:
        return math.nan
    return (len(tokens) / _runs(tokens) + len(tokens) / _runs(tokens[::-1])) / 2


def _runs(tokens: Sequence[str]) -> float:
    """How many runs, the last one in part."""
    runs = 0.0
    seen: set[str] = set()
    size, ratio = 0, 1.0
    for token in tokens:
        seen.add(token)
        size += 1
        ratio = len(seen) / size
        if ratio <= LEAST_RATIO:
            runs += 1
            seen.clear()
            size, ratio = 0, 1.0
    if size:
        runs += (1 - ratio) / (1 - LEAST_RATIO)
    return runs or 1.0
