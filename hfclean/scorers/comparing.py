"""Which of two responses is better: a judge sees them in both orders, and contradictory verdicts do not count.

When only one order is asked, 17 to 50 % of verdicts would have differed in the other order (users of PandaLM).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from hfclean.errors import HfcleanError
from hfclean.models import Answer, Asking, Work
from hfclean.models.work import NOT_KEPT, await_for, in_attempts, wait_for
from hfclean.provenance import UNPARSED
from hfclean.schema import Pair
from hfclean.scorers.judge import Judge
from hfclean.scorers.judge_answers import read_better
from hfclean.scorers.judge_prompt import PROMPT_VERSION, comparing, comparing_schema

Better = Literal["first", "second", "tie", ""]
_Merging = Literal["cherry", "pandalm"]

_TYPICAL = '{"reason": "Both are right, and the first response explains its steps where the other does not."}'


@dataclass(frozen=True)
class Counts:
    """Wins, ties and losses of one side, and the three rates of CoachLM (arXiv 2311.13246); nan where nothing counts.

    >>> alpaca_coachlm = Counts(71, 61, 18)
    >>> round(100 * alpaca_coachlm.win_rate, 1), round(100 * alpaca_coachlm.quality_score, 1)
    (67.7, 88.0)
    """

    wins: int
    ties: int
    losses: int

    @property
    def total(self) -> int:
        """Comparisons with a verdict."""
        return self.wins + self.ties + self.losses

    @property
    def win_rate(self) -> float:
        """WR1 = (wins + ties / 2) / all, 0 to 1; 0.5 = as good as the other side."""
        return (self.wins + self.ties / 2) / self.total if self.total else math.nan

    @property
    def win_rate_without_ties(self) -> float:
        """WR2 = wins / (wins + losses), 0 to 1."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else math.nan

    @property
    def quality_score(self) -> float:
        """QS = (wins + ties) / all, 0 to 1: how often it is at least as good."""
        return (self.wins + self.ties) / self.total if self.total else math.nan


class Verdict(NamedTuple):
    """The verdict on one pair of responses.

    Args:
        better: `first`, `second` or `tie`; `""` where there is no verdict.
        shown_first: which one was called better when the first response was shown first; `""` where that failed or was
            not asked.
        shown_second: the same when the first response was shown second.
        reason: why there is no verdict, else `""`: the kind of error, `unfinished`, `unparsed`, `several_verdicts`,
            or `other_prompt` (the two do not answer the same).
    """

    better: Better
    shown_first: Better = ""
    shown_second: Better = ""
    reason: str = ""

    @property
    def flipped(self) -> bool:
        """Whether the other order gave the opposite verdict."""
        return {self.shown_first, self.shown_second} == {"first", "second"}


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on many pairs of responses, in their order."""

    each: tuple[Verdict, ...]

    @property
    def first(self) -> Counts:
        """Wins, ties and losses of the first responses. Pairs without a verdict are not counted; see `unscored`."""
        found = Counter(verdict.better for verdict in self.each)
        return Counts(found["first"], found["tie"], found["second"])

    @property
    def second(self) -> Counts:
        """The same for the second responses."""
        first = self.first
        return Counts(first.losses, first.ties, first.wins)

    @property
    def unscored(self) -> dict[str, int]:
        """Number of pairs without a verdict, by reason."""
        return dict(sorted(Counter(verdict.reason for verdict in self.each if verdict.reason).items()))

    @property
    def flip_rate(self) -> float:
        """Share of the pairs with a verdict in both orders where these were opposite, 0 to 1, lower = steadier; nan
        where no pair has both. Better once and tied once is not a flip."""
        both = [verdict for verdict in self.each if verdict.shown_first and verdict.shown_second]
        return sum(verdict.flipped for verdict in both) / len(both) if both else math.nan


def merge_orders(shown_first: Better, shown_second: Better, merging: _Merging = "cherry") -> Better:
    """One verdict from those of both orders, each `first`, `second`, `tie` or `""`, whatever place the response had.

    Equal verdicts stand; opposite ones are a tie; without both there is none. Where one is a tie and the other is not,
    two rules are in use: `"cherry"` takes the one that is not, in either order, as the review logs of Cherry LLM
    (arXiv 2308.12032) were counted; `"pandalm"` takes that of the first order, so that a tie followed by a win is a
    tie, as the authors of PandaLM advise, whose judge CoachLM (arXiv 2311.13246) was evaluated with.

    >>> merge_orders("first", "tie"), merge_orders("first", "second"), merge_orders("first", "")
    ('first', 'tie', '')
    >>> merge_orders("tie", "first"), merge_orders("tie", "first", "pandalm")
    ('first', 'tie')
    """
    if merging not in get_args(_Merging):
        raise HfcleanError(f"merging={merging!r}: expected 'cherry' or 'pandalm'")
    if not shown_first or not shown_second:
        return ""
    if shown_first == shown_second or shown_second == "tie":
        return shown_first
    return shown_second if shown_first == "tie" and merging == "cherry" else "tie"


def judge_pairs(
    judge: Judge, firsts: Iterable[Any], seconds: Iterable[Any], *, merging: _Merging = "cherry"
) -> Verdicts:
    """Which of two responses to the same prompt is better, asked of a judge in both orders.

    Goes by the dimensions of the judge's rubric that are about the response. Equal responses are a tie and are not
    asked. A pair that failed has no verdict, and is asked again the next time; what was answered is kept.

    Args:
        judge: the judge to ask.
        firsts: `Pair`s, or rows of any known shape: a dataset will do.
        seconds: the same, in the same order.
        merging: the result of a tie in one order and a verdict in the other; see `merge_orders`.

    Returns:
        `.first` and `.second` hold wins, ties, losses and rates of either side, `.flip_rate` how often the order
        decided, `.unscored` the number without a verdict and why, `.each` the verdicts.

    Raises:
        HfcleanError: a different number of responses, a rubric about the instruction only, or an unknown rule.
        BackendError: the model cannot be asked at all. Every answer so far is kept: run the same again.

    >>> import hfclean
    >>> from hfclean.testing_models import ScriptedBackend
    >>> judge = hfclean.Judge(ScriptedBackend(['{"better": "1"}', '{"better": "2"}']))
    >>> before = {"instruction": "Name a fruit.", "output": "A carrot."}
    >>> after = {"instruction": "Name a fruit.", "output": "An apple."}
    >>> hfclean.scorers.judge_pairs(judge, [after], [before]).first
    Counts(wins=1, ties=0, losses=0)
    """
    return wait_for(_compare(judge, _pairs(judge, firsts), _pairs(judge, seconds), merging))


async def ajudge_pairs(
    judge: Judge, firsts: Iterable[Any], seconds: Iterable[Any], *, merging: _Merging = "cherry"
) -> Verdicts:
    """`judge_pairs` for a running event loop."""
    return await await_for(_compare(judge, _pairs(judge, firsts), _pairs(judge, seconds), merging))


def _pairs(judge: Judge, rows: Iterable[Any]) -> list[Pair]:
    found = []
    for row in rows:
        if isinstance(row, Mapping):
            batch, view, _ = judge._opened(row)
            (cells,) = batch.rows(view.columns)
            row = judge.pairs(cells, view)[-1]
        if not isinstance(row, Pair):
            raise HfcleanError(
                f"judge_pairs got a {type(row).__name__}; expected Pairs, or rows (mappings of columns)"
            )
        found.append(row)
    return found


def _compare(judge: Judge, firsts: Sequence[Pair], seconds: Sequence[Pair], merging: _Merging) -> Work[Verdicts]:
    merge_orders("", "", merging)  # an unknown rule before anything is asked
    if len(firsts) != len(seconds):
        raise HfcleanError(
            f"judge_pairs got {len(firsts)} first and {len(seconds)} second responses; expected the same number"
        )
    rubric = judge.criteria()
    if all(dimension.side == "instruction" for dimension in rubric.dimensions):
        raise HfcleanError(f"rubric {rubric.name!r} is about the instruction only, and responses are to be compared")
    both = list(zip(firsts, seconds, strict=True))
    asked = [(a, b) for a, b in both if _known(a, b) is None]
    conversations = [comparing(x, y.response, rubric) for a, b in asked for x, y in ((a, b), (b, a))]

    def compared(places: Sequence[int]) -> Work[list[Answer]]:
        answers = yield Asking(
            judge.spec(),
            [conversations[k] for k in places],
            judge.generation(response_format=comparing_schema()),
            PROMPT_VERSION,
            [_TYPICAL] * len(places),
        )
        return answers

    limits = [judge.attempts] * len(conversations)
    answers = (yield from in_attempts(limits, compared, unread=_is_unread, lost=_is_lost)) if conversations else []
    ready = iter(answers)
    return Verdicts(tuple(_known(a, b) or _verdict(next(ready), next(ready), merging) for a, b in both))


def _is_unread(answer: Answer) -> bool:
    return _read(answer, "first", "second")[1] == UNPARSED


def _is_lost(answer: Answer) -> bool:
    return answer.error == NOT_KEPT


def _known(a: Pair, b: Pair) -> Verdict | None:
    """The verdict on pairs that need no request."""
    if a.replace(response="") != b.replace(response=""):
        return Verdict("", reason="other_prompt")
    return Verdict("tie") if a.response == b.response else None


def _verdict(forward: Answer, backward: Answer, merging: _Merging) -> Verdict:
    (there, why), (back, why_not) = _read(forward, "first", "second"), _read(backward, "second", "first")
    return Verdict(merge_orders(there, back, merging), there, back, why or why_not)


def _read(answer: Answer, one: Better, two: Better) -> tuple[Better, str]:
    """The response that an answer calls better, where `one` was shown as 1."""
    if answer.error:
        return "", answer.error
    if answer.finish_reason == "length":
        return "", "unfinished"
    slot, reason = read_better(answer.text)
    found: dict[str, Better] = {"1": one, "2": two, "tie": "tie"}
    return found.get(slot, ""), reason
