"""The boxes in which final answers stand: `\\boxed{}` and `\\fbox{}`."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hfclean.text.protected import end_of_braces

BOXED = re.compile(r"\\(?:boxed|fbox)\s?\{")
LONGEST_BOX = 2_000  # characters
MOST_BOXES = 100  # of a text; whoever reads more of them takes more than linear time


class Box(NamedTuple):
    """What stands in a box, where the box begins and ends, and whether it ends within `LONGEST_BOX`."""

    value: str
    start: int
    end: int
    closed: bool


def may_box(text: str) -> bool:
    """Whether `boxes_in` has to look at a text at all."""
    return "\\boxed" in text or "\\fbox" in text


def boxes_in(text: str) -> Iterator[Box]:
    """The boxes of a text in its order; of one that is not closed, its beginning."""
    for opened in BOXED.finditer(text):
        start = opened.end()
        end = end_of_braces(text, start, LONGEST_BOX)
        if end >= 0:
            yield Box(text[start : end - 1], opened.start(), end, closed=True)
        else:
            value = text[start : start + LONGEST_BOX]
            yield Box(value, opened.start(), start + len(value), closed=False)
