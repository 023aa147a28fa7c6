"""Rubrics: the criteria by which a judge grades, as data. The wording is ours, the criteria those of the papers named.

No model is asked here, and no answer is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from typing import Literal

from hfclean.errors import HfcleanError

TAKEN = ("reason", "instruction", "response", "out_of_band")  # columns that a judge has beside the dimensions


@dataclass(frozen=True)
class Dimension:
    """One thing that is graded.

    Args:
        name: in snake_case; part of a column's name.
        meaning: what it asks, in words that the judge reads.
        side: whether it is about the `instruction`, the `response` or the whole `pair`.
        band: where a flaw in this dimension puts the score, from the lowest to the highest; None: anywhere in the
            rubric's range.
    """

    name: str
    meaning: str
    side: Literal["instruction", "response", "pair"] = "response"
    band: tuple[float, float] | None = None


@dataclass(frozen=True)
class Rubric:
    """The criteria of a grade and their scale, higher = better.

    Where there are several dimensions, the worst of them is the score of their side, and the worst side the score of
    the pair: the worst level that a flaw reaches caps the whole. That is our reading; no paper says how to merge.

    Args:
        name: of the rubric.
        dimensions: what is graded, at least one.
        low: the lowest score.
        high: the highest score; without a flaw a dimension has this.
        accept_at_least: from which score on a pair counts as good, see `accepts`; None if not stated.

    Raises:
        HfcleanError: no dimension, a name twice or one that is not a column name, or bounds in the wrong order.

    >>> manners = Rubric("manners", (Dimension("polite", "Is the answer polite?"),), low=0, high=10)
    >>> manners.merge({"polite": 7.0})
    7.0
    """

    name: str
    dimensions: tuple[Dimension, ...]
    low: float
    high: float
    accept_at_least: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimensions", tuple(self.dimensions))
        if not self.low < self.high:
            raise self._wrong(f"low={self.low}, high={self.high}", "low below high")
        names = [dimension.name for dimension in self.dimensions]
        odd = [name for name in names if not name.isidentifier() or name in TAKEN or names.count(name) > 1]
        if not names or odd:
            raise self._wrong(f"dimensions={odd or names}", f"names in snake_case, each once, none of {TAKEN}")
        for dimension in self.dimensions:
            if dimension.side not in ("instruction", "response", "pair"):
                raise self._wrong(f"side={dimension.side!r}", "'instruction', 'response' or 'pair'")
            band = dimension.band
            if band is not None and not self.low <= band[0] < band[1] <= self.high:
                raise self._wrong(f"band={band} of {dimension.name}", f"a part of {self.low:g} to {self.high:g}")

    def _wrong(self, found: str, wanted: str) -> HfcleanError:
        return HfcleanError(f"rubric {self.name!r}: {found}; expected {wanted}")

    @property
    def digest(self) -> str:
        """16 hex digits that change with any word or number of the rubric."""
        return blake2b(repr(self).encode("utf-8", "replace"), digest_size=8).hexdigest()

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides with their own score: none where all dimensions are of one side."""
        found = tuple(dict.fromkeys(dimension.side for dimension in self.dimensions))
        return tuple(side for side in found if side != "pair") if len(found) > 1 else ()

    def merge(self, scores: Mapping[str, float], side: str | None = None) -> float:
        """The score of one side, or of the pair: the worst of its dimensions."""
        return min(scores[d.name] for d in self.dimensions if side is None or d.side == side)

    def accepts(self, score: float) -> bool | None:
        """Whether a score of a pair reaches `accept_at_least`; None where that is None, or the score is nan.

        >>> COACHLM.accepts(95), COACHLM.accepts(94.5), TEN.accepts(10)
        (True, False, None)
        """
        if self.accept_at_least is None or score != score:
            return None
        return score >= self.accept_at_least

    def out_of_band(self, scores: Mapping[str, float]) -> tuple[str, ...]:
        """The dimensions that have a flaw and a score outside their band: a warning, not an error, since the scores
        that the authors of `coachlm` give as examples leave theirs too."""
        return tuple(
            d.name
            for d in self.dimensions
            if d.band and scores[d.name] != self.high and not d.band[0] <= scores[d.name] <= d.band[1]
        )


# What a rubric of one dimension can be about.
QUALITIES = {
    "accuracy": "Is every statement of the response true, does it do what the instruction asks, and does its "
    "reasoning hold? A response that is wrong in its main point is at the low end, however well it reads.",
    "helpfulness": "Does the response give the person who asked what they need, at the right level and in a form that "
    "can be used as it stands?",
    "relevance": "Does the response keep to what was asked, without drifting and without filling?",
    "completeness": "Does the response cover every part of what was asked, and obey every stated requirement?",
    "clarity": "Is the response well ordered, plainly worded and free of mistakes of language?",
    "quality": "All in all: is the response true, to the point, complete and clear, so that a model should learn to "
    "answer like this?",
}


def _single(name: str, quality: str, low: float, high: float, accept_at_least: float | None = None) -> Rubric:
    return Rubric(name, (Dimension(quality, QUALITIES[quality]),), low, high, accept_at_least)


# AlpaGasus (arXiv 2307.08701): 0 to 5, accuracy unless said otherwise; 9,229 of Alpaca's 52,002 rows had 4.5 or more.
ALPAGASUS = _single("alpagasus", "accuracy", 0, 5, 4.5)
TEN = _single("ten", "quality", 1, 10)

# CoachLM (arXiv 2311.13246, technical report): instruction and response apart, 0 to 100, revised until 95 or more.
# Nine dimensions; readability is asked of both sides.
COACHLM = Rubric(
    "coachlm",
    (
        Dimension(
            "instruction_readability",
            "Is the instruction correct in grammar, spelling and punctuation?",
            "instruction",
            (0, 80),
        ),
        Dimension(
            "feasibility",
            "Can it be done as it stands? Flaws: vague or ambiguous, contradicting itself, beyond what a language "
            "model can do.",
            "instruction",
            (0, 80),
        ),
        Dimension(
            "contextualization",
            "Does it give what helps to answer well: a scenario or role, examples, explicit requirements, steps to "
            "follow?",
            "instruction",
            (80, 100),
        ),
        Dimension(
            "safety",
            "Is the response free of unlawful content, attacks on people, private data, and reckless medical or "
            "financial advice?",
            "response",
            (0, 40),
        ),
        Dimension(
            "correctness",
            "Are its facts, its common sense and its logic right, is it up to date, and does it obey the stated "
            "requirements?",
            "response",
            (40, 80),
        ),
        Dimension("relevance", "Does it stay with what was asked?", "response", (40, 80)),
        Dimension(
            "comprehensiveness",
            "Does it leave nothing out, and look at the matter from the angles and in the detail that it needs?",
            "response",
            (40, 80),
        ),
        Dimension(
            "response_readability",
            "Is it well worded, well ordered and well laid out?",
            "response",
            (40, 80),
        ),
        Dimension("richness", "Does it have depth and breadth, and something that is its own?", "response", (80, 90)),
        Dimension(
            "humanization",
            "Where feelings are involved, does it notice them, and is its tone humane?",
            "response",
            (90, 100),
        ),
    ),
    low=0,
    high=100,
    accept_at_least=95,
)

RUBRICS = {rubric.name: rubric for rubric in (ALPAGASUS, COACHLM, TEN)}


def find_rubric(rubric: str | Rubric, dimension: str | None = None) -> Rubric:
    """A rubric by name, or the one given.

    Args:
        rubric: `alpagasus`, `coachlm`, `ten`, or your own rubric.
        dimension: what a rubric of one dimension grades instead: a key of `QUALITIES`.

    Raises:
        HfcleanError: no such rubric or quality, or a rubric of several dimensions.
    """
    found = rubric if isinstance(rubric, Rubric) else RUBRICS.get(rubric)
    if found is None:
        raise HfcleanError(f"unknown rubric {rubric!r}{_near(str(rubric), RUBRICS)}; or pass your own Rubric")
    if dimension is None:
        return found
    if len(found.dimensions) > 1 or found is rubric:
        raise HfcleanError(
            f"dimension={dimension!r} with rubric {found.name!r}: it is for 'alpagasus' and 'ten', which grade one "
            "thing; put the dimension into your own Rubric"
        )
    if dimension not in QUALITIES:
        raise HfcleanError(
            f"unknown dimension {dimension!r}{_near(dimension, QUALITIES)}; or say what it means: "
            f"Rubric({found.name!r}, (Dimension({dimension!r}, '...'),), {found.low:g}, {found.high:g})"
        )
    return _single(found.name, dimension, found.low, found.high, found.accept_at_least)


def _near(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}? Known: {', '.join(known)}" if near else f". Known: {', '.join(known)}"
