"""What a revision has to leave alone where its model is trusted with little: small, local or untried ones.

Fresh answers of such models are mostly worse than what stood there, and their harm reads well. So only small edits of
the answer pass: the question stays, a bare answer stays, numbers and names stay, and so do nearly all of the words. A
revision that mends what a verifier found wrong may be larger.
"""

from __future__ import annotations

import re
from collections import Counter

from hfclean.checks.check import Case, Check

BARE = 6  # words of an answer that is right or wrong as a whole
LEAST_KEPT, MOST_NEW = 0.8, 0.3  # shares of the old words, and of the new ones; see benchmarks/README.md
NAME = re.compile(r"(?<![.!?:\n\"“'(*-])[ \t]([A-ZÀ-ÖØ-Þ][\w'’-]+)")
WORD = re.compile(r"\w+(?:['’]\w+)?")
STANDARD = frozenset(["i", "i'm", "i'll", "i've", "i'd"])


def _question_touched(case: Case) -> bool:
    return not case.same_task


question_touched = Check(
    "question_touched", "a question changed by a model that may only change answers", _question_touched
)


def _facts_touched(case: Case) -> bool:
    old, new = case.before.response, case.after.response
    if old == new:
        return False
    words = WORD.findall(old.lower())
    if 0 < len(words) <= BARE and words != WORD.findall(new.lower()):
        return True
    return case.old.numbers != case.new.numbers or not _names(old) <= set(WORD.findall(new))


def _names(text: str) -> set[str]:
    """Words with a capital letter where no sentence begins."""
    return {name for name in NAME.findall(text) if name.lower() not in STANDARD}


facts_touched = Check(
    "facts_touched", "a bare answer, a number or a name changed by a model of little trust", _facts_touched
)


def _largely_rewritten(case: Case) -> bool:
    old, new = case.before.response, case.after.response
    if old == new:
        return False
    before, after = Counter(WORD.findall(old.lower())), Counter(WORD.findall(new.lower()))
    kept = (before & after).total()
    return kept < LEAST_KEPT * before.total() or after.total() - kept > MOST_NEW * after.total()


largely_rewritten = Check(
    "largely_rewritten", "more words gone or added than a model of little trust may change", _largely_rewritten
)
