"""What a text must have for a pattern to match: a few strings, looked for in a fraction of the time."""

from __future__ import annotations

import re
from collections.abc import Iterator

PART = re.compile(
    r"(?P<look>\(\?<?[=!])|(?P<group>\((?:\?(?:P<\w+>|[a-z]*:))?)|(?P<quantity>[?*+]\??|\{\d+(?:,\d*)?\}\??)|"
    r"(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\]|\\\w|[.^$])|(?P<letter>\\.|[^()|])|(?P<end>[|)])",
    re.DOTALL,
)
OTHER = re.compile(r"\(\?(?:P=|\(|[a-z-]*\)|>)")  # references, conditions, flags: not read here
# What matches an ASCII letter, its case ignored, without being one.
FOLDED = str.maketrans("ıİſ\u212a", "iisk")


# Patterns that were looked for, by identity, which what is kept here keeps: a pattern's own hash reads all of it.
_KNOWN: dict[int, tuple[re.Pattern[str], tuple[str, ...] | None]] = {}


def may_match(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a text has one of the strings that the pattern needs; True where that is not known."""
    known = _KNOWN.get(id(pattern))
    if known is None:
        known = _KNOWN[id(pattern)] = pattern, needed_words(pattern)
    words = known[1]
    if words is None or not text.isascii():
        return True
    text = text.lower()
    for word in words:  # noqa: SIM110  # a generator takes twice as long
        if word in text:
            return True
    return False


def found_in(pattern: re.Pattern[str], text: str) -> bool:
    """Whether the pattern matches anywhere in the text: the same as a search, which is spared where it can be."""
    return may_match(pattern, text) and pattern.search(text) is not None


def needed_words(pattern: re.Pattern[str]) -> tuple[str, ...] | None:
    """Strings in lower case of which every text in ASCII that the pattern matches has at least one, once it is in
    lower case; None where none are known.

    >>> needed_words(re.compile(r"\\btags?\\b|(?:line|page)[- ]breaks?|代码", re.IGNORECASE))
    ('tag', 'break')
    """
    if pattern.flags & re.VERBOSE or OTHER.search(pattern.pattern):
        return None
    words = _any_of(PART.finditer(pattern.pattern))
    return None if words is None else tuple(dict.fromkeys(words))


def _any_of(parts: Iterator[re.Match[str]]) -> list[str] | None:
    """The strings of which a text has one, up to the end of a group or of the pattern."""
    found: list[list[str] | None] = []
    items: list[str | list[str] | None] = []
    for part in parts:
        kind = part.lastgroup
        if kind in ("look", "group"):
            inside = _any_of(parts)
            items.append(None if kind == "look" else inside)
        elif kind == "quantity":
            items[-1:] = [None] if part[0][0] in "?*" or part[0].startswith("{0") else [items[-1], None]
        elif kind == "letter":
            items.append(part[0][-1].translate(FOLDED).lower())
        elif kind == "set":
            items.append(None)
        else:
            found.append(_best(items))
            items = []
            if part[0] == ")":
                break
    else:
        found.append(_best(items))
    known = [words for words in found if words is not None]
    return [word for words in known for word in words] if len(known) == len(found) else None


def _best(items: list[str | list[str] | None]) -> list[str] | None:
    """The strings of one alternative that are the least likely to be in any text; none where it is not ASCII."""
    needed: list[list[str]] = [[""]]
    for item in items:
        if isinstance(item, str):
            needed[-1] = [needed[-1][0] + item]
        else:
            needed += [[""]] if item is None else [item, [""]]
    needed = [words for words in needed if words != [""]]
    needed = [[word for word in words if word.isascii()] for words in needed]
    return max(needed, key=lambda words: min(map(len, words), default=99), default=None)
