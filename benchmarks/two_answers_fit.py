"""What `two_answers.py` does without a model: which pairs, fits that never see what they speak about, the verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from evaluation_controls import code, corrections, llmbar
from fit_scores import Array, Choice, expert_choices, human_choices, minimise, right

from hfclean.evaluation.bootstrap import Draws, Figure, as_share

PAIRS = {"LLMBar adversarial": 100}  # of each set, where so many are short enough; 40 of the others
LONGEST_ANSWER, LONGEST_PROMPT = 150, 100  # words
DRAWS = 2000
RIDGE = 1.0
FITTED = ("LLMBar adversarial", "LLMBar natural", "experts", "human votes")
LENGTHS = ("shorter answer", "longer answer")


def digest(*texts: str) -> int:
    return int(hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:12], 16)


def half_of(choice: Choice) -> int:
    """0 or 1, the same for all pairs of one instruction."""
    return digest("half", choice.group.strip().lower()) % 2


def short(choice: Choice) -> bool:
    return (
        len(choice.better.prompt.split()) <= LONGEST_PROMPT
        and max(len(side.response.split()) for side in (choice.better, choice.worse)) <= LONGEST_ANSWER
    )


def drawn(choices: Sequence[Choice], count: int) -> list[Choice]:
    """At most so many pairs that answer the same prompt differently, in an order that a hash settles."""
    fit = [
        choice
        for choice in choices
        if choice.better.prompt == choice.worse.prompt
        and choice.better.response.strip() != choice.worse.response.strip()
    ]
    fit.sort(key=lambda choice: digest(choice.better.prompt, choice.better.response, choice.worse.response))
    return fit[:count]


def everything() -> dict[str, list[Choice]]:
    """All pairs of every set, before any is drawn."""
    return {
        "LLMBar adversarial": llmbar(natural=False),
        "LLMBar natural": llmbar(natural=True),
        "corrections of answers": corrections(),
        "fixes of code": code(stripped=True),
        "experts": list(expert_choices()),
        "human votes": list(human_choices()),
    }


def samples() -> dict[str, list[Choice]]:
    """The pairs that figures are about."""
    return {name: drawn(list(filter(short, choices)), PAIRS.get(name, 40)) for name, choices in everything().items()}


def words(choices: Sequence[Choice], scale: Callable[[float], float] = float) -> Array:
    """Differences in length, better less worse."""
    sides = (choice.better.response for choice in choices), (choice.worse.response for choice in choices)
    better, worse = (np.array([scale(len(text.split())) for text in side]) for side in sides)
    difference: Array = better - worse
    return difference


# --------------------------------------------------------------------------------------------------------------- fit


@dataclass(frozen=True)
class Half:
    """What a fit sees: differences of features (better less worse), difference in words, source of each pair."""

    features: Array
    longer: Array
    source: Any


def less_length(half: Half) -> Array:
    """Coefficients of what length explains of a difference: least squares through the origin, without any judgement.

    `features` holds the difference to be explained first, then those in length. Each source weighs the same.
    """
    weight = np.zeros(len(half.source))
    for name in np.unique(half.source):
        weight[half.source == name] = 1 / (half.source == name).sum()
    root = np.sqrt(weight)
    explained, length = half.features[:, 0], half.features[:, 1:]
    coefficients = np.linalg.lstsq(length * root[:, None], explained * root, rcond=None)[0]
    return np.array([1.0, *-coefficients], dtype=np.float64)


def balanced(longer: Array, source: Any) -> Array:
    """A weight for every pair: in each source the pairs whose better answer is the longer one count as much as those
    where it is the shorter one, and each source counts as many pairs as it has."""
    weight = np.ones(len(longer))
    for name in np.unique(source):
        sides = [np.flatnonzero((source == name) & (np.sign(longer) == sign)) for sign in (-1, 1)]
        if all(len(side) for side in sides):
            for side in sides:
                weight[side] = sum(map(len, sides)) / 2 / len(side)
    return weight


def by_judgement(half: Half) -> Array:
    """Coefficients of a logistic fit to the judgements, length balanced, on features of like scale."""
    scale = np.sqrt((half.features**2).mean(0))
    scale[scale == 0] = 1.0
    rows = half.features / scale
    ridge, signs = np.full(rows.shape[1], RIDGE), np.zeros(rows.shape[1])
    coefficients: Array = minimise(rows, balanced(half.longer, half.source), ridge, signs) / scale
    return coefficients


def crosswise(
    fit: Callable[[Half], Array], features: Mapping[str, Array], longer: Mapping[str, Array], halves: Mapping[str, Any]
) -> dict[str, Array]:
    """How right a linear fit is on each pair: 1, 0, or a half; it never saw the half that the pair is in.

    Sets that nothing is fitted on are ordered by the fits to either half, and their pairs are right on average.
    """
    sums: dict[str, list[Array]] = {name: [] for name in features}
    for part in (0, 1):
        seen = {name: halves[name] == part for name in FITTED}
        half = Half(
            np.vstack([features[name][seen[name]] for name in FITTED]),
            np.concatenate([longer[name][seen[name]] for name in FITTED]),
            np.concatenate([np.full(int(seen[name].sum()), name) for name in FITTED]),
        )
        coefficients = fit(half)
        for name, rows in features.items():
            sums[name].append(rows @ coefficients)
    return {name: combined(name, first, second, halves[name]) for name, (first, second) in sums.items()}


def combined(name: str, first: Array, second: Array, half: Any) -> Array:
    """How right two models are, `first` taught on half 0 and `second` on half 1."""
    if name in FITTED:
        return scored(np.where(half == 0, second, first))
    return (scored(first) + scored(second)) / 2


def scored(difference: Array) -> Array:
    """1 where the better answer has the higher score, 0 where the worse has, a half where neither has."""
    return right(np.where(np.isnan(difference), 0.0, difference))


# ----------------------------------------------------------------------------------------------------------- verdict


@dataclass(frozen=True)
class Result:
    """One method on one set: the share ordered right, and how much more that is than the better of both lengths."""

    share: Figure
    gain: Figure


def results(shares: Mapping[str, Array], groups: Sequence[str]) -> dict[str, Result]:
    """Every method on one set, whole instructions drawn, the same for all methods.

    A method may say something of the first pairs only: it is held against length on these.
    """
    names = list(shares)
    _, place = np.unique(np.array(groups), return_inverse=True)
    count = int(place.max()) + 1

    def by_group(column: Array) -> Array:
        return np.bincount(place[: len(column)], column, count).astype(np.float64)

    def better_length(count: int) -> Array:
        return max((shares[name][:count] for name in LENGTHS), key=lambda column: float(column.mean()))

    columns = [shares[name] for name in names]
    columns += [column - better_length(len(column)) for column in columns]
    above = np.stack([by_group(column) for column in columns], 1)
    below = np.stack([by_group(np.ones(len(column))) for column in columns], 1)
    figures = Draws(len(above), draws=DRAWS, seed=0).ratios(above, below)
    return {name: Result(as_share(figures[k]), figures[k + len(names)]) for k, name in enumerate(names)}


def beats(result: Result, *, clearly: bool = False) -> bool:
    """Whether a method is above both lengths; `clearly` if the interval of what it gains is above 0 as well."""
    return (result.gain.low if clearly else result.gain.value) > 1e-9


def verdict(found: Mapping[str, Mapping[str, Result]]) -> str:
    """The line that says whether any method beats both lengths on all sets."""
    methods = [name for name in next(iter(found.values())) if name not in LENGTHS]

    def winners(*, clearly: bool) -> str:
        return ", ".join(m for m in methods if all(beats(of[m], clearly=clearly) for of in found.values()))

    if clear := winners(clearly=True):
        return f"beats both on all sets: yes: {clear}"
    if close := winners(clearly=False):
        return f"beats both on all sets: yes, within chance: {close}"
    return "beats both on all sets: no"
