"""Rules about fences and brackets that are opened and never closed."""

from __future__ import annotations

import re

from hfclean.rules.glance import has_mark
from hfclean.rules.requests import CODE_BLOCKS
from hfclean.rules.rule import Rule, asked_about
from hfclean.rules.text_shapes import looks_like_code, looks_like_prose
from hfclean.schema import Pair
from hfclean.text import without_code

# ----------------------------------------------------------------------------------------------------- unclosed_fence

BLOCK = re.compile(r"(?:def|class|if|elif|for|while|with|try|except|else)\b.*[):\w]:|else:|try:")
FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n`]*)$", re.MULTILINE)

# What may stand right behind a closing fence: the delimiters of calls and thoughts.
MARKUP = ("<|", "<｜", "</")


def _open_fence(text: str) -> tuple[str, str, int, int]:
    """The fence that is open at the end of the text, what it names, and where its line begins and ends; or "" and "
    "zeros."""
    if "```" not in text and "~~~" not in text:
        return "", "", 0, 0
    opened = "", "", 0, 0
    for match in FENCE.finditer(text):
        mark, info = match.group(1), match.group(2).strip()
        if not opened[0]:
            if "~" not in info:  # else a drawing
                opened = mark, info, match.start(), match.end()
        elif mark[0] == opened[0][0] and len(mark) >= len(opened[0]) and (not info or info.startswith(MARKUP)):
            opened = "", "", 0, 0
    return opened


def last_block(text: str) -> tuple[str, str] | None:
    """The code of the block that ends the text, closed or not, and the language that its fence names."""
    if "```" not in text and "~~~" not in text:
        return None
    text = text.rstrip()
    opened: tuple[str, str, int] | None = None
    block: tuple[str, str] | None = None
    for match in FENCE.finditer(text):
        mark, info = match.group(1), match.group(2).strip()
        if opened is None:
            if "~" not in info:
                opened, block = (mark, info, match.end()), None
        elif mark[0] == opened[0][0] and len(mark) >= len(opened[0]) and (not info or info.startswith(MARKUP)):
            block = (text[opened[2] : match.start()], opened[1]) if match.end() == len(text) else None
            opened = None
    if opened is None:
        return block
    before, after = text[: text.rfind("\n", 0, max(opened[2] - 1, 0)) + 1], text[opened[2] :]
    return (after, opened[1]) if _opens(before, opened[1], after) else None


def _is_open(pair: Pair) -> bool:
    if "`" not in pair.response and "~" not in pair.response:  # one character is found much faster than three
        return False
    return bool(_open_fence(pair.response)[0]) and not asked_about(CODE_BLOCKS, pair.instruction)


def _closed(pair: Pair) -> Pair:
    if not _is_open(pair):
        return pair
    text = pair.response
    fence, info, start, end = _open_fence(text)
    last = text[text.rfind("\n") + 1 :].strip()
    if last.startswith(fence[0] * 3):  # a fence with nothing in it: rather one too many at the end
        return pair
    if not _opens(text[:start], info, text[end:]):
        return pair
    return pair.replace(response=f"{text.rstrip()}\n{fence}")


def _opens(before: str, info: str, after: str) -> bool:
    """Whether a fence that nothing closes opens a block that goes on to the end of the text.

    It may also close one whose opener was lost, or open one whose closer stands at the end of a line of code; then
    prose comes after it, and a fence at the end would turn that into code.
    """
    lines = [line for line in after.split("\n") if line.strip()]
    above = [line for line in before.split("\n") if line.strip()]
    if not lines or _ends_in_prose(lines):
        return False
    if info:
        return True
    if above and not FENCE.match(above[-1]) and _is_code_above(above[-1].strip()):
        return False
    return looks_like_code(lines[0]) or not looks_like_prose(lines[0])


def _is_code_above(line: str) -> bool:
    """Whether the line above a fence is code that it closes: no sentence that speaks of code and leads in to it."""
    speaks = line[-1] in ".!?。！？" and line.count(" ") >= 4 and line[0].isupper()
    return (looks_like_code(line) and not speaks and not line.endswith((":", "："))) or bool(BLOCK.fullmatch(line))


def _ends_in_prose(lines: list[str]) -> bool:
    """Whether the last line is a sentence, beside code above it or alone: a comment in a program begins with its "
    "sign."""
    last = lines[-1].strip()
    if last[-1] not in ".!?:。！？：" or not looks_like_prose(last):
        return False
    return last.count(" ") >= 4 or (not last.isascii() and len(last) > 12)


unclosed_fence = Rule(
    "unclosed_fence",
    severity="medium",
    meaning="a code block that is opened and never closed",
    detect=_is_open,
    possible=has_mark("`~"),
    repair=_closed,
    example=("Run this:\n```sh\nmake test", "Run this:\n```sh\nmake test\n```"),
    version=2,
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
