"""The check for a question that was made to fit its answer: a gap filled in, the answer written into the input."""

from __future__ import annotations

import re

from hfclean.checks.check import Case, Check

GAP = re.compile(
    r"_{3,}|\.{4,}|…{2,}|\[(?:blank|gap|fill in|mask|MASK)\]|\((?:blank|fill in)\)|<(?:blank|mask)>|＿{2,}"
)
WORD = re.compile(r"\w+")
SHORTEST = 2  # letters of an answer that may be found in an input


def _question_fitted(case: Case) -> bool:
    before, after = case.before, case.after
    if case.same_task:
        return False
    gaps = len(GAP.findall(before.prompt))
    if gaps and len(GAP.findall(after.prompt)) < gaps:
        return True
    return _solved(before.input, after.input, (before.response, after.response)) or (
        before.input == after.input and _solved(before.instruction, after.instruction, (after.response,))
    )


def _solved(old: str, new: str, answers: tuple[str, ...]) -> bool:
    """Whether an answer stands in the new text, whole and on its own, and did not stand in the old one."""
    if old == new:
        return False
    earlier, now = _folded(old), _folded(new)
    for answer in answers:
        sought = _folded(answer).strip(" .!?:;\"'“”")
        if len(sought) >= SHORTEST and sought not in earlier and _on_its_own(sought, now):
            return True
    return False


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def _on_its_own(sought: str, text: str) -> bool:
    at = text.find(sought)
    while at >= 0:
        end = at + len(sought)
        if not (WORD.match(text[at - 1 : at]) or WORD.match(text, end)):
            return True
        word = WORD.match(text, at)
        at = text.find(sought, word.end() if word else at + 1)
    return False


question_fitted = Check(
    "question_fitted", "a question whose gap was filled in, or an input that now holds the answer", _question_fitted
)
