"""Hunks: the places in which two texts differ, each of which can be taken by itself."""

from collections.abc import Collection
from typing import NamedTuple

from hfclean.text.worddiff import word_diff


class Hunk(NamedTuple):
    """One place in which a text changed.

    Attributes:
        start: where it begins in the text before.
        out: what stood there.
        put: what stands there now.
    """

    start: int
    out: str
    put: str


def hunks(before: str, after: str) -> tuple[Hunk, ...]:
    """The differences of two texts by words, in order; none where they are equal.

    >>> [(hunk.out, hunk.put) for hunk in hunks("a aple and a pare", "an apple and a pear")]
    [('a aple', 'an apple'), ('pare', 'pear')]
    """
    found: list[Hunk] = []
    start = 0
    is_open = False
    for kind, text in word_diff(before, after):
        if kind == "same":
            start, is_open = start + len(text), False
            continue
        last = found.pop() if is_open else Hunk(start, "", "")
        out, put = (text, "") if kind == "out" else ("", text)
        found.append(Hunk(last.start, last.out + out, last.put + put))
        start, is_open = start + len(out), True
    return tuple(found)


def taken(before: str, after: str, numbers: Collection[int]) -> str:
    """The text before with only these hunks changed, counted from 0: with all it is the text after.

    Raises:
        IndexError: there is no hunk of such a number.

    >>> taken("a aple and a pare", "an apple and a pear", [1])
    'a aple and a pear'
    """
    found = hunks(before, after)
    beyond = sorted(number for number in numbers if not 0 <= number < len(found))
    if beyond:
        raise IndexError(f"no hunk {beyond[0]}; the texts differ in {len(found)} places, counted from 0")
    parts, end = [], 0
    for number, hunk in enumerate(found):
        parts += [before[end : hunk.start], hunk.put if number in numbers else hunk.out]
        end = hunk.start + len(hunk.out)
    return "".join([*parts, before[end:]])
