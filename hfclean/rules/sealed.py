"""Stretches inside a text that no repair alters: thoughts and calls that stand in an answer, and channels beside it.

A thought in front of the answer is parted from it before any rule runs; these are the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from hfclean.rules.marker_table import REMOVABLE
from hfclean.text.thoughts import FORMS, INNER_TAGS

_TAGS = "|".join((*INNER_TAGS, "seed:think"))
# An opening: a thought, a call, what a tool gave back, or a channel that is not the last.
_OPENINGS = re.compile(
    rf"<(?P<tag>{_TAGS}|tool_call|tool_response|function_calls|invoke)(?:\s[^<>\n]{{0,200}})?>"
    rf"|(?P<form>{'|'.join(re.escape(form.opening) for form in FORMS if 'channel' not in form.opening)})"
    r"|<(?P<function>function)=[^<>\n]{1,200}>"
    r"|(?P<gemma><\|channel>)"
    r"|(?P<python><\|python_tag\|>)"
    r"|(?P<mistral>\[TOOL_CALLS\])"
    r"|<(?P<bar>[|｜])(?:tool[_▁]calls(?:[_▁]section)?[_▁]begin)[|｜]>"
    r"|(?P<channel><\|channel\|>(?!final\b)[^<\n]{1,200}(?:<\|constrain\|>[^<\n]{0,60})?<\|message\|>)",
    re.IGNORECASE,
)
_CLOSINGS = {form.opening.lower(): form.closing for form in FORMS}
_PYTHON = re.compile(r"<\|(?:eom_id|eot_id)\|>")
_CALLS = re.compile(r"<[|｜]tool[_▁]calls(?:[_▁]section)?[_▁]end[|｜]>")
_CHANNEL = re.compile(r"<\|(?:end|call|return|start)\|>")
_ENDS = ("</s>", "[TOOL_CALLS]")
_UNOPENED = re.compile(rf"</(?:{'|'.join(INNER_TAGS)})>", re.IGNORECASE)
_LEAKED = re.compile(rf"(?:{'|'.join(map(re.escape, REMOVABLE))}|</s>)\Z", re.IGNORECASE)
_MARKS = ("<", "[T", "◁")


def without_markers(text: str) -> str:
    """A text without markers that leaked at its end, and the white space around it."""
    text = text.strip()
    while ended := _LEAKED.search(text):
        text = text[: ended.start()].rstrip()
    return text


def resealed(old: str, new: str) -> str:
    """A repaired text with its sealed stretches as they were before; the old text where they cannot be told apart.

    Some may be gone as a whole, with what stands around them: a turn that leaked behind the answer may hold thoughts.
    """
    if not any(mark in old for mark in _MARKS):
        return new
    before, after = sealed_spans(old), sealed_spans(new)
    was, now = [old[slice(*span)] for span in before], [new[slice(*span)] for span in after]
    if not Counter(now) - Counter(was):
        return new
    if len(was) != len(now):
        return old
    parts, start = [], 0
    for (begin, end), text in zip(after, was, strict=True):
        parts += [new[start:begin], text]
        start = end
    return "".join([*parts, new[start:]])


def sealed_spans(text: str) -> list[tuple[int, int]]:
    """Where the sealed stretches of a text are, as (start, end) in order, not overlapping. Linear in its length."""
    spans: list[tuple[int, int]] = []
    lowered = text.lower() if len(text.lower()) == len(text) else text
    absent: set[str] = set()

    def close(closing: str, start: int) -> int:
        found = -1 if closing in absent else lowered.find(closing.lower(), start)
        if found < 0:
            absent.add(closing)
        return found

    start = 0
    while match := _OPENINGS.search(text, start):
        begin, start = match.end(), match.end()
        end = _end(text, match, close)
        if end < 0 and not text[: match.start()].strip():
            end = len(text)  # cut off in its thought
        if end >= 0:
            spans.append((begin, end))
            start = end
    first = _UNOPENED.search(text)
    if first and not any(begin <= first.start() <= end for begin, end in spans):
        spans = [(0, first.start()), *(span for span in spans if span[0] >= first.start())]
    return [(begin, begin + len(_trimmed(text[begin:end])) if end == len(text) else end) for begin, end in spans]


def _trimmed(text: str) -> str:
    bare = without_markers(text)
    return text[: text.index(bare) + len(bare)]


def _end(text: str, match: re.Match[str], close: Callable[[str, int], int]) -> int:
    """Where the stretch that an opening begins ends; -1 where nothing closes it."""
    begin = match.end()
    if match["tag"]:
        return close(f"</{match['tag']}>", begin)
    if match["form"]:
        return close(_CLOSINGS[match["form"].lower()], begin)
    if match["function"]:
        return close("</function>", begin)
    if match["gemma"]:
        return close("<channel|>", begin)
    if match["mistral"]:
        ends = [found for ending in _ENDS if (found := close(ending, begin)) >= 0]
        return min(ends, default=len(text))
    ending = (_PYTHON if match["python"] else _CALLS if match["bar"] else _CHANNEL).search(text, begin)
    return ending.start() if ending else len(text)
