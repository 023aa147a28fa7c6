"""Whether a text breaks off: in the middle of a sentence or a list."""

from __future__ import annotations

import re

SHORTEST = 60
LONG_ANSWER = 900
CLOSED = frozenset(".!?)]}\"'”’»…。！？）】」』`*>|:;~%_，、,-")
# Words after which no sentence ends, and no title either (with spaces around each, to be looked up as such).
OPEN_WORDS = (
    " the an and or nor of their its your my our than whose although because whereas including such per between among "
    "toward towards into onto upon "
)
# Words that may end a sentence without a full stop ("what to look for"), but hardly a long answer that has them.
LOOSE_WORDS = (
    " a to in with for from that which as by at on if when while but is are was were has have be been being can could "
    "will would should may might must this these about "
)
SENTENCE_STARTS = " The A An In For It This These However By To With As When If And But Also Additionally "
PARAGRAPH_STARTS = (
    " By In With From To When If All This As However Overall Ultimately Using She He They Both While Although Because "
    "Additionally For An On At These It That Once After Before Since So But And Each Furthermore Moreover Finally "
)
SENTENCE_END = re.compile(r"(?:[a-z]|[)\"'”’]|\d\d\d)[.!?][\"'”’)]? +(?=[\"'“(]?[A-Z])")
LAST_WORD = re.compile(r"[^\W\d_]+(?=\W*\Z)")
BARE_ITEM = re.compile(r"\s*(?:[-*•]|\(?\d{1,3}[.)])\s*")
RESULT = re.compile(
    r"\b(?:answer|result|conclusion|output|solution|total)\b[^:]{0,30}: ?\S+(?: \S+)?\Z", re.IGNORECASE
)
CLOSING = re.compile(
    r"(?:with |kind |best |warm |many )*(?:regards|wishes|sincerely|faithfully|truly|thanks|gratitude|love|cheers|"
    r"yours|respectfully|cordially|appreciation|thank you|xoxo)\b|\b(?:sincerely|yours|regards|love|truly),?$",
    re.IGNORECASE,
)


def may_break_off(text: str) -> bool:
    """Whether the end of a text, without white space behind it, has to be looked at; nearly every text ends here."""
    tail = text[-1:]
    if len(text) < SHORTEST or (tail in CLOSED and tail not in ",-:*•.)"):
        return False
    if tail in ".)" and not (text[-2].isdecimal() and BARE_ITEM.fullmatch(text, max(text.rfind("\n"), 0))):
        return False
    if len(text) < LONG_ANSWER and tail.isalnum():  # as in `breaks_off`, before any costly search
        word = f" {_last_word(text)} "
        if word not in OPEN_WORDS and word not in SENTENCE_STARTS:
            return False
    return True


def _last_word(text: str) -> str:
    match = LAST_WORD.search(text, max(0, len(text) - 30))
    return match.group() if match else ""


def breaks_off(text: str, *, certainly: bool = False) -> bool:
    """Whether a text for which `may_break_off` is true ends in the middle of something.

    Args:
        text: without white space at its end.
        certainly: only where the end alone says it, not that it differs from the rest.
    """
    last = text[text.rfind("\n") + 1 :]
    if BARE_ITEM.fullmatch(last):
        return "\n" in text and _numbered_before(text, last)
    tail = text[-1]
    if tail in ".)*•:-" or "```" in text or (last.startswith((" ", "\t")) and tail in ";{"):
        return False
    ends = []
    if "." in last or "!" in last or "?" in last:
        ends = [match.end() for match in SENTENCE_END.finditer(last)]
    fragment = last[ends[-1] :] if ends else last
    words = fragment.split()
    if tail == ",":
        if len(words) < 5 or CLOSING.search(last) or _is_verse(text):
            return False
        return bool(ends) or (len(text) >= LONG_ANSWER and not certainly)
    if not tail.isalnum():
        return False
    word = _last_word(fragment)
    if ends and len(words) == 1 and f" {word} " in SENTENCE_STARTS:
        return True
    if f" {word} " in OPEN_WORDS and len(words) >= 4 and not _is_verse(text):
        return True
    if certainly or len(text) < LONG_ANSWER or not words or "#" in fragment or "://" in fragment:
        return False
    if ends and f" {word} " in LOOSE_WORDS:
        return True
    # A short last line, or a last word alone, is prose only when it begins as sentences do: signatures, headings and
    # bare results end without a full stop.
    if RESULT.search(fragment) or (not ends and len(words) < 6 and f" {words[0]} " not in PARAGRAPH_STARTS):
        return False
    if len(words) == 1 and (len(ends) < 2 or fragment.isdigit()):
        return False
    # Names at the end are more often the last of a list than the middle of a sentence.
    if fragment.count(",") > 2 and not word[:1].islower():
        return False
    return _others_end(text, last, fewest=0 if len(ends) >= 2 else 2)


def _numbered_before(text: str, last: str) -> bool:
    """Whether an earlier line is an item of the same list with something in it."""
    mark = last.strip()
    sample = text[-4000 : len(text) - len(last)]
    if mark[-1] in ".)":
        return bool(re.search(r"^\s*\(?\d{1,3}" + re.escape(mark[-1]) + r"\s+\S", sample, re.MULTILINE))
    return bool(re.search(r"^\s*" + re.escape(mark) + r"\s+\S", sample, re.MULTILINE))


def _is_verse(text: str) -> bool:
    lines = [line for line in text[-3000:].split("\n") if line.strip()]
    loose = sum(len(line) < 60 and line.rstrip()[-1] not in ".!?:" for line in lines)
    return len(lines) >= 4 and 2 * loose > len(lines)


def _others_end(text: str, last: str, fewest: int) -> bool:
    """Whether every other line of prose ends as sentences do, so that the last one stands out."""
    before = text[-6000 : len(text) - len(last)].split("\n")
    lines = [line.rstrip() for line in before if line.count(" ") >= 7 and not line.isspace()]
    return len(lines) >= fewest and all(line[-1] in CLOSED for line in lines)
