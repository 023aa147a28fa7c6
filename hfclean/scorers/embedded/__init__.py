"""The two rules that ship with hfclean: `preference` and `rating`, over the text alone, offline.

Neither knows facts: a fluent wrong answer scores as well as a right one, and so does a well set out one that says
nothing true. Neither can tell whether an answer belongs to its question when the words do not show it: another row's
answer scores lower only a little more often than not, and one that is appended to a good answer usually scores higher.
They saw English text only. Fitted by `benchmarks/fit_scores.py`, whose figures are in the files.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hfclean.scorers.linear_rule import LinearRule

__all__ = ["FOLDER", "preference_rule", "rating_rule"]

FOLDER = Path(__file__).parent


@lru_cache(maxsize=1)
def preference_rule() -> LinearRule:
    """Which of two versions of one pair is better: the higher one.

    0 to 1, logistic; an empty response is below any other. Only the difference between two versions of one pair means
    something; the level does not, since it depends on what is asked. Fitted jointly on expert revisions (the revised
    preferred), on human votes and on a judge's reviews, so it carries their taste: fuller answers, of more varied
    words, in paragraphs. A refusal is neither rewarded nor punished: voters preferred some to a made-up answer.
    Between two long answers of strong chat models it is no better than chance.
    """
    return LinearRule.from_file(FOLDER / "preference.json")


@lru_cache(maxsize=1)
def rating_rule() -> LinearRule:
    """Which rows a strong judge is likely to rate 4.5 or more of 5: the higher ones.

    0 to 1, percentile among Alpaca rows: `at_least=0.5` keeps about half of rows like those, and an empty response has
    less than 0.001. That judge gave its best marks to short answers of checkable tasks, so rows are ranked by their
    task as much as by their answer; two versions of one pair are for `preference_rule`.
    """
    return LinearRule.from_file(FOLDER / "rating.json")
