"""Checks of code: existing code stays, and an opened block is closed."""

import re

from hfclean.checks.check import Case, Check
from hfclean.rules.code import unclosed_fence
from hfclean.text.code_lines import code_lines

FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
ASKED = re.compile(
    r"\b(?:code|coding|program|programme|function|script|quer(?:y|ies)|sql|python|java(?:script)?|html|css|c\+\+|c#|"
    r"php|ruby|rust|golang|bash|shell|typescript|kotlin|swift|regex|regular expression|json|xml|yaml|markup|snippet|"
    r"method|class|algorithm|loop|command|implement\w*|debug\w*|compile|syntax|api|dockerfile|pseudo-?code|"
    r"web ?page|website|tag|array|variable|refactor\w*|print\w*)\b|代码|程序|函数|脚本",
    re.IGNORECASE,
)
LEAST_KEPT = 0.25


def _fences(text: str) -> int:
    if "```" not in text and "~~~" not in text:
        return 0
    return len(FENCE.findall(text)) // 2


def _has_code(text: str, task: str) -> bool:
    """Whether a text holds code: a fence, several lines that look like it, or one where the task asks for code."""
    if _fences(text):
        return True
    lines = code_lines(text)
    return lines >= 3 or (lines >= 1 and ASKED.search(task[:3000]) is not None)


def _dropped(case: Case) -> bool:
    before, after = case.before, case.after
    if after.response != before.response and _lost(before.response, after.response, case.asked.text):
        return True
    return not case.same_task and _lost(before.prompt, after.prompt, case.asked.text)


def _lost(before: str, after: str, task: str) -> bool:
    fences = _fences(before)
    if fences:
        return not _fences(after) or len(_fenced(after)) < LEAST_KEPT * len(_fenced(before))
    if not _has_code(before, task):
        return False
    return not _fences(after) and code_lines(after) < max(1, LEAST_KEPT * code_lines(before))


def _fenced(text: str) -> str:
    return "".join(text.replace("~~~", "```").split("```")[1::2])


code_dropped = Check("code_dropped", "code or a fence that was there and is gone", _dropped)


def _unclosed(case: Case) -> bool:
    text = case.after.response
    if "```" not in text and "~~~" not in text:
        return False
    return unclosed_fence.detect(case.after) and not unclosed_fence.detect(case.before)


code_unclosed = Check("code_unclosed", "a code block that is opened and never closed", _unclosed)
