"""The check for answers that wander off: the beginning belongs to the question, the rest to another.

The answer is read in thirds, in short stretches and by sentences, each beside the words of the question and of the old
answer. A rule weighs the result; it was fitted to answers of experts, as they are and with other rows' answers
or general phrases appended (`benchmarks/gate.py`).
"""

import math

from hfclean.checks.check import Case, Check, TextFacts

# Fitted: the weight of each sign of foreign content, and the threshold.
DRIFT_WEIGHTS: dict[str, float] = {
    "apart": 1.9, "apart_in_row": 3.6, "base": 0.8, "growth": 1.7, "head_known": 2.6, "lost": 1.5, "lost_in_row": 3.6,
    "lost_in_tail": 0.4, "middle_known": -4.1, "size": -0.3, "tail_known": -4.3, "tail_like_head": -2.2,
}  # fmt: skip
DRIFT_OFFSET = -6.6
DRIFT_LIMIT = 1.49

FEWEST_STEMS, STRETCH = 16, 12
LONGEST_RUN, MOST_LOST = 8, 6
MOST_SENTENCES = 400
GROWN, LEAST_GROWTH = 50, 1.2
LOST = ("lost", "lost_in_row", "lost_in_tail")
MOST_OF_LOST = sum(max(0.0, DRIFT_WEIGHTS[name]) for name in LOST)


def drift_signs(case: Case) -> dict[str, float]:
    """How the parts of the new answer match the question, the old answer and its own beginning.

    Shares from 0 to 1, and logarithms of sizes; empty for answers that are short, or hardly longer than the old one.
    """
    signs = _of_parts(case)
    return signs and signs | _of_sentences(case)


def _base(case: Case) -> frozenset[str]:
    return case.known if case.same_task else case.known | case.asks.terms


def _of_parts(case: Case) -> dict[str, float]:
    """The signs of the thirds and the stretches."""
    if len(case.new.text) < LEAST_GROWTH * len(case.old.text) or len(case.new.stems) < FEWEST_STEMS:
        return {}
    stems, base = case.new.stems, _base(case)
    third = len(stems) // 3
    head, tail = stems[:third], stems[2 * third :]
    apart = [base.isdisjoint(stems[at : at + STRETCH]) for at in range(0, len(stems) - STRETCH // 2, STRETCH)]
    return {
        "head_known": _share(head, base),
        "middle_known": _share(stems[third : 2 * third], base),
        "tail_known": _share(tail, base),
        "tail_like_head": _share(tail, frozenset(head)),
        "apart": sum(apart) / len(apart),
        "apart_in_row": min(_longest_run(apart), LONGEST_RUN) / LONGEST_RUN,
        "size": math.log(len(stems)),
        "growth": math.log((len(case.new.text) + GROWN) / (len(case.old.text) + GROWN)),
        "base": math.log1p(len(base)),
    }


def _of_sentences(case: Case) -> dict[str, float]:
    """The signs of the sentences; those of `LOST`."""
    lost = _lost(case.new.sentences[:MOST_SENTENCES], _base(case))
    signs = (
        sum(lost) / len(lost),
        min(_longest_run(lost), MOST_LOST) / MOST_LOST,
        sum(lost[len(lost) // 2 :]) / (len(lost) - len(lost) // 2),
    )
    return dict(zip(LOST, signs, strict=True))


def _lost(sentences: list[str], base: frozenset[str]) -> list[bool]:
    """For each sentence with content, whether it shares none with the question, the old answer or the beginning."""
    found = [terms for sentence in sentences if (terms := TextFacts(sentence).terms)]
    known = base.union(*found[: max(1, len(found) // 3)])
    return [known.isdisjoint(terms) for terms in found] or [False]


def _share(stems: list[str], known: frozenset[str]) -> float:
    return sum(map(known.__contains__, stems)) / len(stems)


def _longest_run(apart: list[bool]) -> int:
    longest = run = 0
    for one in apart:
        run = run + 1 if one else 0
        longest = max(longest, run)
    return longest


def _drifts(case: Case) -> bool:
    if case.after.response == case.before.response:
        return False
    signs = _of_parts(case)
    if not signs or _weigh(signs) + MOST_OF_LOST <= DRIFT_LIMIT:
        return False  # whatever its sentences are: nearly every answer ends here
    return _weigh(signs | _of_sentences(case)) > DRIFT_LIMIT


def _weigh(signs: dict[str, float]) -> float:
    """How certain it is that the new answer holds foreign content: above `DRIFT_LIMIT` it is refused."""
    return DRIFT_OFFSET + sum(DRIFT_WEIGHTS[name] * value for name, value in signs.items())


drifts = Check("drifts", "an answer that goes on about something else than the question", _drifts, 2)
