"""Stretches of a text that prose rules leave alone: code, URLs, LaTeX and table rows."""

from __future__ import annotations

import re
from collections.abc import Callable

# What can open a span whose characters carry meaning that prose rules do not know.
OPENER = re.compile(r"```+|~~~+|`|\b(?:https?|ftp)://[^\s<>\"'\])}]+|\$\$|\$|\\\[|\\\(|\\begin\{\w+\*?\}|\|")
CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
LONGEST_INLINE_MATH = 300
INLINE = re.compile(r"`[^`\n]{1,300}`")


def protected_spans(text: str) -> list[tuple[int, int]]:
    """Where the text is code, a URL, LaTeX or a table row, as (start, end) in order, not overlapping.

    Linear in the length of the text: each closer is looked for from its opener on, and a closer that is nowhere ahead
    is not looked for again. An unclosed fence or environment runs to the end of the text.
    """
    if not ("`" in text or "://" in text or "$" in text or "\\" in text or "|" in text or "~~~" in text):
        return []
    spans: list[tuple[int, int]] = []
    start = 0
    absent: set[str] = set()
    while match := OPENER.search(text, start):
        begin, start = match.span()
        end = _span_end(text, match.group(), begin, start, absent)
        if end is None:
            continue
        if match.group() == "|":
            begin = max(text.rfind("\n", 0, begin) + 1, spans[-1][1] if spans else 0)
        spans.append((begin, end))
        start = end
    return spans


def _span_end(text: str, opener: str, begin: int, after: int, absent: set[str]) -> int | None:
    """The end of the span that `opener` opens, or None when it opens none."""

    def close(closer: str) -> int:
        if closer in absent:
            return -1
        found = text.find(closer, after)
        if found < 0:
            absent.add(closer)
        return found

    if "://" in opener:
        return after
    if opener[:3] in ("```", "~~~"):
        found = close(opener)
        return len(text) if found < 0 else found + len(opener)
    if opener.startswith("\\begin"):
        closer = "\\end" + opener[6:]
        found = close(closer)
        return len(text) if found < 0 else found + len(closer)
    if opener in CLOSERS:
        found = close(CLOSERS[opener])
        return None if found < 0 else found + 2
    if opener == "|":
        line_end = close("\n")
        line_end = len(text) if line_end < 0 else line_end
        return line_end if text.find("|", after, line_end) >= 0 else None
    found = close(opener)  # inline code or inline math: within one line
    if found <= after or "\n" in text[after : min(found, after + LONGEST_INLINE_MATH)]:
        return None
    if opener == "$" and (
        found - after > LONGEST_INLINE_MATH or text[after] in " \t0123456789" or text[found - 1] == " "
    ):
        return None
    if opener == "`" and text.find("\n", after, found) >= 0:
        return None
    return found + 1


def end_of_braces(text: str, start: int, longest: int) -> int:
    """Where the braces whose content begins at `start` end, behind the closing one; -1 where that is not within
    `longest` characters."""
    depth, end = 1, start
    last = min(len(text), start + longest)
    while end < last and depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return -1 if depth else end


def outside_protected(text: str, change: Callable[[str], str]) -> str:
    """`change` applied to each stretch of the text that is not code, a URL, LaTeX or a table row."""
    spans = protected_spans(text)
    if not spans:
        return change(text)
    parts, start = [], 0
    for begin, end in spans:
        parts += [change(text[start:begin]) if begin > start else "", text[begin:end]]
        start = end
    return "".join([*parts, change(text[start:]) if start < len(text) else ""])


def without_code(text: str) -> str:
    """The text with fenced and inline code cut out; a fence that nothing closes runs to the end of the text."""
    if "~~~" in text:
        text = "\n".join(text.split("~~~")[::2])
    if "`" not in text:
        return text
    return INLINE.sub(" ", "\n".join(text.split("```")[::2]))
