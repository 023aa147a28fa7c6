"""Which of the rewritten variants of a pair to keep: the rule of Selective Reflection-Tuning (arXiv 2402.10110).

    if IFD(Q*) > IFD(original):  the candidate is QA* if r-IFD(QA*) < r-IFD(Q*), else Q*
    else:                        the candidate is A*  if r-IFD(A*) < r-IFD(original), else the original
    the candidate is kept if its IFD and its r-IFD are below 1

Q* has a rewritten instruction and the response that came with it, A* a rewritten response to the old instruction, QA*
both, one after the other. This room sees scores only, whatever their source. The script that the
authors released writes neither Q* nor the original where these win, and takes a score that could not be computed for
0, which passes every test; the rule here does neither.
"""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

LIMIT = 1.0  # from here on the prompt does not help the answer, or the answer the prompt
Branch = Literal["original", "instruction", "response", "both", ""]


class Scores(NamedTuple):
    """How much a pair's instruction says about its response, and vice versa.

    Args:
        ifd: perplexity of the response after the instruction, divided by that of the response alone. Higher = the
            harder the instruction is to follow; from 1 on it does not help.
        r_ifd: perplexity of the instruction after a request to guess it from the response, divided by that of the
            instruction alone. Lower = the better the response goes with it.
    """

    ifd: float
    r_ifd: float


class Selection(NamedTuple):
    """The rule's verdict on one pair.

    Args:
        branch: the candidate: `original`, `instruction` (Q*), `response` (A*) or `both` (QA*); empty where a score is
            missing before there is one.
        state: `selected`; `not_selected`, where the candidate's IFD or r-IFD is not below 1 and the paper drops the
            row; `unscored`, where a score that the rule needs is missing.
    """

    branch: Branch
    state: Literal["selected", "not_selected", "unscored"]

    @property
    def reason(self) -> str:
        """The code that stands in `edit_reason`: `both_selected`, ..., `not_selected` or `unscored`."""
        return f"{self.branch}_selected" if self.state == "selected" else self.state


def prefers_instruction(original: Scores, instruction: Scores | None) -> bool | None:
    """The first half of the rule: whether the rewritten instruction is kept; None where a score is missing.

    A missing variant (None) is never preferred.
    """
    if instruction is None:
        return False
    return _compare(instruction.ifd, original.ifd)


def select_variant(
    original: Scores, instruction: Scores | None = None, response: Scores | None = None, both: Scores | None = None
) -> Selection:
    """The whole rule. Equal scores leave things as they are; None stands for a missing variant.

    Only the scores that the rule needs are used. One that is nan, infinite, 0 or below is missing: a ratio of
    perplexities is none of these.

    >>> select_variant(Scores(0.5, 0.6), instruction=Scores(0.7, 0.5), both=Scores(0.6, 0.4))
    Selection(branch='both', state='selected')
    >>> select_variant(Scores(0.5, 0.6), response=Scores(0.6, 0.9)).reason
    'original_selected'
    >>> select_variant(Scores(float("nan"), 0.6), instruction=Scores(0.7, 0.5)).state
    'unscored'
    """
    rewritten = prefers_instruction(original, instruction)
    if rewritten is None:
        return Selection("", "unscored")
    if rewritten and instruction is not None:
        return _between("instruction", instruction, "both", both)
    return _between("original", original, "response", response)


def _between(first: Branch, scores: Scores, second: Branch, others: Scores | None) -> Selection:
    """The candidate of two variants with the same instruction, and whether it is kept."""
    if others is not None:
        better = _compare(scores.r_ifd, others.r_ifd)
        if better is None:
            return Selection("", "unscored")
        if better:
            first, scores = second, others
    if not all(map(_known, scores)):
        return Selection(first, "unscored")
    return Selection(first, "selected" if max(scores) < LIMIT else "not_selected")


def _compare(one: float, other: float) -> bool | None:
    """Whether one score is above another; None where either is missing."""
    return one > other if _known(one) and _known(other) else None


def _known(score: float) -> bool:
    return math.isfinite(score) and score > 0


def count_branches(selections: Iterable[Selection]) -> Counter[str]:
    """How often the rule ended in each branch and state, such as `both selected` or `original not_selected`.

    >>> count_branches([Selection("both", "selected"), Selection("", "unscored"), Selection("both", "selected")])
    Counter({'both selected': 2, 'unscored': 1})
    """
    return Counter(f"{one.branch} {one.state}".strip() for one in selections)
