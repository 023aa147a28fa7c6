"""Word diff: what was taken out and put in between two texts, as stretches of words. No markup here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from hfclean.text.characters import INVISIBLE
from hfclean.text.words import CJK

_Kind = Literal["same", "out", "in"]

# A word (one character in scripts without spaces), one line break, a run of other white space, or one other character.
TOKEN = re.compile(rf"{CJK.pattern}|(?:(?!{CJK.pattern})\w)+(?:['’](?:(?!{CJK.pattern})\w)+)*|\n|[^\S\n]+|[^\w\s]")
WORD = re.compile(r"\w")
# Above this many characters, or cells of the edit matrix, two texts are not aligned word by word: it takes seconds.
LONGEST = 400_000
CELLS = 20_000_000
# Where this many stretches alternate and less than half is alike, the two texts share words only accidentally.
SCATTERED = 40
# How far a cut is moved to the beginning of a word; anything longer is not a word.
LONGEST_WORD = 200
# A replaced stretch up to this long is looked at character by character, where only invisible characters differ.
FINE = 2000


class Stretch(NamedTuple):
    """Text that stayed (`same`), was taken out (`out`) or put in (`in`)."""

    kind: _Kind
    text: str


def word_diff(before: str, after: str) -> list[Stretch]:
    """The shortest way, in words, from one text to the other. The `out` of a place comes before its `in`.

    Joined, `same` and `out` are `before`, `same` and `in` are `after`. Texts too long to be aligned are compared at
    both ends, and what is between is one replacement.
    """
    if before == after:
        return [Stretch("same", before)] if before else []
    start, end = _common_ends(before, after)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    middle = _align(old, new)
    head = [Stretch("same", before[:start])] if start else []
    tail = [Stretch("same", before[len(before) - end :])] if end else []
    return _merge([*head, *_join_islands(_merge(middle)), *tail])


def readable_diff(before: str, after: str) -> list[Stretch]:
    """The word diff, or the one text whole and then the other where so little stayed that it is easier to read."""
    stretches = word_diff(before, after)
    same, out, put = (sum(len(s.text) for s in stretches if s.kind == kind) for kind in ("same", "out", "in"))
    replaced = sum(a.kind == "out" and b.kind == "in" for a, b in pairwise(stretches))
    if min(out, put) > 120 and replaced > 2 and 2 * same < max(out, put):
        return _pair(before, after)
    return stretches


def _common_ends(before: str, after: str) -> tuple[int, int]:
    """How many characters both texts share at the start and at the end, cut back to where a token begins."""
    start = _shared(before, after)
    for _ in range(LONGEST_WORD):
        if not (_splits(before, start) or _splits(after, start)):
            break
        start -= 1
    end = _shared(before[::-1], after[::-1], min(len(before), len(after)) - start)
    for _ in range(LONGEST_WORD):
        if not (_splits(before, len(before) - end) or _splits(after, len(after) - end)):
            break
        end -= 1
    return start, end


def _shared(a: str, b: str, most: int | None = None) -> int:
    low, high = 0, min(len(a), len(b)) if most is None else most
    while low < high:  # bisection over startswith: no loop over the characters of a long text
        middle = (low + high + 1) // 2
        if a.startswith(b[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def _splits(text: str, at: int) -> bool:
    """Whether a cut at this place would go through a run of letters and signs, or a run of blanks."""
    if not 0 < at < len(text) or CJK.match(text[at]) or "\n" in text[at - 1 : at + 1]:
        return False
    return text[at - 1].isspace() == text[at].isspace()


def _align(old: str, new: str) -> list[Stretch]:
    if not old or not new or len(old) + len(new) > LONGEST:
        return _replaced(old, new)
    a, b = TOKEN.findall(old), TOKEN.findall(new)
    if len(a) * len(b) > CELLS:
        return _replaced(old, new)
    from rapidfuzz.distance import Levenshtein

    ops = Levenshtein.opcodes(a, b)
    if len(ops) > SCATTERED:
        same = sum(not t.isspace() for op in ops if op.tag == "equal" for t in a[op.src_start : op.src_end])
        if 2 * same < max(sum(not t.isspace() for t in tokens) for tokens in (a, b)):
            return _pair(old, new)
    stretches: list[Stretch] = []
    out = put = ""
    for op in ops:
        if op.tag == "equal":
            stretches += [*_replaced(out, put), Stretch("same", "".join(a[op.src_start : op.src_end]))]
            out = put = ""
        else:
            out += "".join(a[op.src_start : op.src_end])
            put += "".join(b[op.dest_start : op.dest_end])
    return [*stretches, *_replaced(out, put)]


def _replaced(out: str, put: str) -> list[Stretch]:
    if out and put and max(len(out), len(put)) <= FINE and INVISIBLE.sub("", out) == INVISIBLE.sub("", put):
        return _by_character(out, put)
    if out and put and out.isspace() and put.isspace():
        return _by_character(out, put)
    return _pair(out, put)


def _by_character(out: str, put: str) -> list[Stretch]:
    from rapidfuzz.distance import Levenshtein

    stretches: list[Stretch] = []
    for op in Levenshtein.opcodes(out, put):
        if op.tag == "equal":
            stretches.append(Stretch("same", out[op.src_start : op.src_end]))
        else:
            stretches += _pair(out[op.src_start : op.src_end], put[op.dest_start : op.dest_end])
    return stretches


def _join_islands(stretches: list[Stretch]) -> list[Stretch]:
    """Replaced words with nothing but a blank between them as one replacement: `red` `big` reads better whole."""
    split: list[Stretch] = []
    for n, stretch in enumerate(stretches):
        if stretch.kind == "same" and len(stretch.text) <= 2 and not WORD.search(stretch.text):
            before, after = stretches[max(0, n - 2) : n], stretches[n + 1 : n + 3]
            if _replaces_words(before) and _replaces_words(after):
                split += [Stretch("out", stretch.text), Stretch("in", stretch.text)]
                continue
        split.append(stretch)
    return split


def _replaces_words(pair: Sequence[Stretch]) -> bool:
    return [s.kind for s in pair] == ["out", "in"] and all(WORD.search(s.text) for s in pair)


def _merge(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Neighbours of a kind as one, and between two unchanged stretches everything out before everything in."""
    merged: list[Stretch] = []
    out = put = ""
    for stretch in stretches:
        if stretch.kind == "out":
            out += stretch.text
        elif stretch.kind == "in":
            put += stretch.text
        elif merged and not out and not put:
            merged[-1] = Stretch("same", merged[-1].text + stretch.text)
        else:
            merged += [*_pair(out, put), stretch]
            out = put = ""
    return [*merged, *_pair(out, put)]


def _pair(out: str, put: str) -> list[Stretch]:
    pair = (Stretch("out", out), Stretch("in", put))
    return [stretch for stretch in pair if stretch.text]
