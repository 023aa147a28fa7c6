"""The check for answers that break off.

Signs of a cut at the end of an answer: no full stop, a word that cannot end a sentence, finished list items before
it. A rule weighs them; it was fitted to answers of experts, whole and cut off (`benchmarks/gate.py`). A cut between
two sentences shows none.
"""

import math
import re

from hfclean.checks.check import Case, Check
from hfclean.text.vocabulary import ENDING_FUNCTION_WORDS
from hfclean.text.words import word_set

# Fitted: the weight of each sign of a cut, and the threshold.
ENDING_WEIGHTS: dict[str, float] = {
    "after_colon": -1.1, "after_sentences": 1.0, "bare_mark": 2.6, "colon": 5.4, "comma": 6.5, "dash": 2.7,
    "digit": 4.4, "item": 0.8, "line_wise": -0.7, "no_stop": 4.8, "old_closed": 0.5, "open_word": 2.6, "prose": 0.2,
    "short_word": 2.0, "shrunk": 1.4, "shrunk_open": 1.7, "siblings_closed": 1.0, "siblings_open": -2.4, "tag": 0.8,
    "title": -0.2, "unbalanced": 2.6, "verb": 1.3,
}  # fmt: skip
ENDING_OFFSET = -4.0
ENDING_LIMIT = 2.59

CLOSED = frozenset(".!?…。！？\"'”’)]}*`|>:;）】」』~%_$/\\")
OPEN_WORDS = word_set(
    """
    the a an and or nor but so of to in on at by for from with without into onto upon about as than that which who
    whose whom where when while because although though if unless until since whereas whether is are was were be
    been being am has have had do does did can could will would shall should may might must not their its his her
    our your my this these those such per between among toward towards including through during over under more most
    very also it's they we you i he she each every some any many much another no only just both either
    """
)
VERBS = word_set(
    """
    is are was were be been has have had can could will would should may might must do does did isn't aren't don't
    makes make helps help provides include includes allows
    """
)
SENTENCE = re.compile(r"[.!?][\"'”’)]? |[。！？]")
MARK = re.compile(r"[ \t]*(?:[-*•–]|\(?\d{1,3}[.)、])[ \t]+")
BARE_MARK = re.compile(r"[ \t]*(?:[-*•–]|\(?\d{1,3}[.)]|#{1,6})[ \t]*")
LINE_WISE = re.compile(
    r"\b(?:poem|haiku|limerick|song|lyrics?|verse|rap|headline|title|slogan|hashtag|tweet|keywords?|list|synonyms?|"
    r"words?|sort|alphabetical|nouns?|verbs?|rhym\w*|name|quote|query|caption)\b",
    re.IGNORECASE,
)
EDGE = " \t\"'“”‘’*_`()[]{}.,;:!?-–"
LOOK_BACK, LONGEST_LINE, LAST_WORDS = 3000, 2000, 40
MOST_SHRUNK = 1.5


def ending_signs(case: Case) -> dict[str, float]:
    """The signs at the end of the new answer, by name: 0 or 1, `shrunk` to 1.5; those that are not named are 0."""
    text, old = case.after.response.rstrip(), case.before.response.rstrip()
    if not text:
        return {}
    signs: dict[str, float] = {}
    if len(text) < len(old):
        signs["shrunk"] = min(MOST_SHRUNK, math.log((len(old) + 10) / (len(text) + 10)))
    start = text.rfind("\n", max(0, len(text) - LONGEST_LINE)) + 1
    last = text[max(start, len(text) - LONGEST_LINE) :]
    tail = text[-1]
    if start and BARE_MARK.fullmatch(last):
        signs["bare_mark"] = 1.0
    if _unbalanced(last):
        signs["unbalanced"] = 1.0
    if not tail.isalnum():
        name = NAMES.get(tail)
        if name:
            signs[name] = 1.0
        return signs
    fragment = SENTENCE.split(last)[-1]
    if tail.isdigit():
        signs["digit"] = 1.0
    elif "#" in fragment or "://" in fragment or "@" in fragment:
        signs["tag"] = 1.0
    else:
        signs["no_stop"] = 1.0
        signs.update(dict.fromkeys(_sentence_signs(case, text, start, last, fragment), 1.0))
        if old and old[-1] in CLOSED:
            signs["old_closed"] = 1.0
        if "shrunk" in signs:
            signs["shrunk_open"] = signs["shrunk"]
    return signs


# Last characters after which a text goes on, and the sign that each is.
NAMES = dict.fromkeys(",、，;", "comma") | dict.fromkeys("-–(&", "dash") | dict.fromkeys(":：", "colon")


def _sentence_signs(case: Case, text: str, start: int, last: str, fragment: str) -> list[str]:
    """The signs of an answer whose last character is a letter."""
    signs: list[str] = []
    words = last.split()
    title = 2 * sum(word[:1].isupper() for word in words) > sum(word[:1].isalpha() for word in words)
    last_words = [word.strip(EDGE) for word in fragment.lower().split()[-LAST_WORDS:]]
    if title:
        signs.append("title")
    elif last_words and last_words[-1] in OPEN_WORDS:
        signs.append("open_word")
    if last_words and len(last_words[-1]) <= 2 and last_words[-1].isascii():
        signs.append("short_word")
    if len(fragment) < len(last):
        signs.append("after_sentences")
    if ":" in fragment:
        signs.append("after_colon")
    else:
        if not VERBS.isdisjoint(last_words):
            signs.append("verb")
        if sum(word in ENDING_FUNCTION_WORDS for word in last_words) >= 2:
            signs.append("prose")
    item = MARK.match(last) is not None
    if item:
        signs.append("item")
    before = text[max(0, start - LOOK_BACK) : start].split("\n")
    ends = [line.rstrip()[-1] in CLOSED for line in before if _is_sibling(line, item)]
    if ends and all(ends):
        signs.append("siblings_closed")
    elif ends and not any(ends):
        signs.append("siblings_open")
    if LINE_WISE.search(case.asks.text[:2000]):
        signs.append("line_wise")
    return signs


def _is_sibling(line: str, item: bool) -> bool:
    """Whether a line is of the kind of the last one: an item of a list, or a paragraph of more than a few words."""
    if line.count(" ") < (1 if item else 4) or not line.strip():
        return False
    return (MARK.match(line) is not None) == item


def _unbalanced(line: str) -> bool:
    return (
        line.count("(") > line.count(")")
        or line.count('"') % 2 == 1
        or line.count("“") > line.count("”")
        or line.count("**") % 2 == 1
    )


def breaks_off(case: Case) -> float:
    """How certain it is that the new answer breaks off: above `ENDING_LIMIT` it is refused."""
    return ENDING_OFFSET + sum(ENDING_WEIGHTS.get(name, 0.0) * value for name, value in ending_signs(case).items())


def _ends_open(text: str) -> bool:
    """Whether a text ends as no whole text does: in a comma, a colon, an opened bracket, or an item without a word."""
    start = text.rfind("\n") + 1
    return text[-1:] in NAMES or (start > 0 and len(text) - start < 9 and BARE_MARK.fullmatch(text, start) is not None)


def _truncated(case: Case) -> bool:
    before, after = case.before.response.rstrip(), case.after.response.rstrip()
    if after == before or (after.split()[-1:] == before.split()[-1:] and len(after) >= len(before)):
        return False  # it ends where the old one does
    return (_ends_open(after) and not _ends_open(before)) or breaks_off(case) > ENDING_LIMIT


truncated = Check("truncated", "an answer that breaks off in the middle of a sentence or a list", _truncated, 3)
