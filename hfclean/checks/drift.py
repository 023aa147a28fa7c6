"""The check for answers that wander off: the beginning belongs to the question, the rest to another.

The answer is read in thirds and in short stretches, each beside the words of the question and of the old answer. A
rule weighs what that shows; it was fitted to answers of experts, as they are and with other rows' answers appended
(`benchmarks/gate.py`).
"""

from __future__ import annotations

import math

from hfclean.checks.check import Case, Check

__all__ = ["DRIFT_LIMIT", "DRIFT_OFFSET", "DRIFT_WEIGHTS", "drift_signs", "drifts", "wanders"]

# Fitted: what each sign says for an answer with matter from elsewhere, and how much of it is enough.
DRIFT_WEIGHTS: dict[str, float] = {
    "apart": 3.0, "apart_in_row": 5.1, "base": 0.5, "growth": 1.5, "head_known": 2.8, "middle_known": -5.1,
    "size": -0.3, "tail_known": -4.7, "tail_like_head": -3.0,
}  # fmt: skip
DRIFT_OFFSET = -4.0
DRIFT_LIMIT = 2.36

FEWEST_STEMS, STRETCH = 24, 12
LONGEST_RUN = 8
GROWN, LEAST_GROWTH = 50, 1.2


def drift_signs(case: Case) -> dict[str, float]:
    """How the parts of the new answer go with the question, the old answer and its own beginning.

    Shares from 0 to 1, and logarithms of sizes; empty for answers that are short, or hardly longer than the old one.
    """
    if len(case.new.text) < LEAST_GROWTH * len(case.old.text) or len(case.new.stems) < FEWEST_STEMS:
        return {}
    stems = case.new.stems
    base = case.given | case.old.terms
    if not case.same_task:
        base |= case.asks.terms
    third = len(stems) // 3
    head, tail = stems[:third], stems[2 * third :]
    start = frozenset(head)
    apart = [base.isdisjoint(stems[at : at + STRETCH]) for at in range(0, len(stems) - STRETCH // 2, STRETCH)]
    return {
        "head_known": _share(head, base),
        "middle_known": _share(stems[third : 2 * third], base),
        "tail_known": _share(tail, base),
        "tail_like_head": _share(tail, start),
        "apart": sum(apart) / len(apart),
        "apart_in_row": min(_longest_run(apart), LONGEST_RUN) / LONGEST_RUN,
        "size": math.log(len(stems)),
        "growth": math.log((len(case.new.text) + GROWN) / (len(case.old.text) + GROWN)),
        "base": math.log1p(len(base)),
    }


def _share(stems: list[str], known: frozenset[str]) -> float:
    return sum(map(known.__contains__, stems)) / len(stems)


def _longest_run(apart: list[bool]) -> int:
    longest = run = 0
    for one in apart:
        run = run + 1 if one else 0
        longest = max(longest, run)
    return longest


def wanders(case: Case) -> float:
    """How surely the new answer holds matter from elsewhere: above `DRIFT_LIMIT` it is refused."""
    signs = drift_signs(case)
    if not signs:
        return -math.inf
    return DRIFT_OFFSET + sum(DRIFT_WEIGHTS[name] * value for name, value in signs.items())


def _drifts(case: Case) -> bool:
    return case.after.response != case.before.response and wanders(case) > DRIFT_LIMIT


drifts = Check("drifts", "an answer that goes on about something else than the question", _drifts)
