"""Rules about what was opened and never closed."""

from __future__ import annotations

import re

from hfclean.rules.rule import Rule, asked_about, has_mark
from hfclean.schema import Pair
from hfclean.text import without_code

__all__ = ["unclosed_bracket", "unclosed_fence"]

# ----------------------------------------------------------------------------------------------------- unclosed_fence

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n`]*)$", re.MULTILINE)
ABOUT_FENCES = re.compile(r"\bmarkdown|\bfence|\bbackticks?", re.IGNORECASE)


def _open_fence(text: str) -> str:
    """The fence that is open at the end of the text, or ""."""
    if "```" not in text and "~~~" not in text:
        return ""
    opened = ""
    for match in FENCE.finditer(text):
        mark, info = match.group(1), match.group(2).strip()
        if not opened:
            opened = mark
        elif mark[0] == opened[0] and len(mark) >= len(opened) and not info:
            opened = ""
    return opened


def _is_open(pair: Pair) -> bool:
    if "`" not in pair.response and "~" not in pair.response:  # one character is found much faster than three
        return False
    return bool(_open_fence(pair.response)) and not asked_about(ABOUT_FENCES, pair.instruction)


def _closed(pair: Pair) -> Pair:
    if not _is_open(pair):
        return pair
    text = pair.response
    fence = _open_fence(text)
    last = text[text.rfind("\n") + 1 :].strip()
    if last.startswith(fence[0] * 3):  # a fence with nothing in it: rather one too many at the end
        return pair
    return pair.replace(response=f"{text.rstrip()}\n{fence}")


unclosed_fence = Rule(
    "unclosed_fence",
    severity="medium",
    meaning="a code block that is opened and never closed",
    detect=_is_open,
    possible=has_mark("`~"),
    repair=_closed,
    example=("Run this:\n```sh\nmake test", "Run this:\n```sh\nmake test\n```"),
)


# --------------------------------------------------------------------------------------------------- unclosed_bracket

BRACKETS = re.compile(r"[()\[\]{}（）【】「」]")
CLOSER = {"(": ")", "[": "]", "{": "}", "（": "）", "【": "】", "「": "」"}
OPENER = {close: open_ for open_, close in CLOSER.items()}
LATIN = {"（": "(", "）": ")"}
# ":(" and "a)": faces and the marks of a list. "[0, 1)" closes what it opened, in its own way.
FACE = re.compile(r"[:;=8xX][-'^o]?[()\[\]{}]")
LIST_MARK = re.compile(r"(?:^|[\s(（])\(?[\w一二三四五六七八九十]{1,4}\)\Z")
NOT_BRACKETS = re.compile(
    r"regex|regular expression|bracket|parenthes|emotic|smil(?:e|ey)|\bface|interval|punctuat|braces|symbols?\b|"
    r"code|program|function|script|"
    r"\bcorrect\b|\bfix\b|grammar|error|debug|algorithm|sql|query|html|css|json|latex|ascii|括号|代码|程序",
    re.IGNORECASE,
)
LONGEST = 20_000


def _unclosed(pair: Pair) -> bool:
    text = pair.response
    if not ("(" in text or "[" in text or "（" in text or "{" in text) or len(text) > LONGEST:
        return False
    if (
        text.count("(") == text.count(")")
        and text.count("[") == text.count("]")
        and text.count("{") == text.count("}")
        and (text.isascii() or text.count("（") == text.count("）"))
    ):
        return False
    return _is_unclosed(text) and not asked_about(NOT_BRACKETS, pair.instruction)


def _is_unclosed(text: str) -> bool:
    if CODE_SIGNS.search(text):
        return False
    text = FACE.sub(" ", without_code(text))
    depth: list[str] = []
    for match in BRACKETS.finditer(text):
        mark = LATIN.get(match.group(), match.group())
        if mark in CLOSER:
            depth.append(mark)
        elif depth and (depth[-1] == OPENER[mark] or mark in ")]"):
            if depth[-1] != OPENER[mark] and not INTERVAL.match(text, text.rfind(depth[-1], 0, match.start())):
                return True
            depth.pop()
        elif not LIST_MARK.search(text, max(0, match.start() - 6), match.end()):
            continue  # a closing bracket alone is more often a list mark or a face than a loss
    return bool(depth)


CODE_SIGNS = re.compile(
    r";\s*$|\bdef \w+\(|\breturn\b.{0,80}[;:(]|=>|[{}]\s*$|\$|\\\(|\\\[|\\frac|<\w+>|==|\bimport \w", re.MULTILINE
)
INTERVAL = re.compile(r"[\[(]\s?[-−\w.∞π/+]{1,12}\s?[,;]\s?[-−+\w.∞π/]{1,12}\s?[\])]")

unclosed_bracket = Rule(
    "unclosed_bracket",
    severity="low",
    meaning="a bracket that is opened in prose and never closed",
    detect=_unclosed,
    possible=has_mark("([{"),
    example=("The Elbe (which rises in Bohemia flows into the North Sea.", ""),
)
