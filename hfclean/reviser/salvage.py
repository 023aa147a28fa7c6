"""Salvage: a refused revision without the one part for which it was refused, where that was all that was wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from hfclean.reviser.proposals import Proposal
from hfclean.schema import Pair

Refused = Callable[[Proposal], tuple[str, ...]]  # why a proposal may not be taken

SALVAGE_VERSION = 1  # raised when other parts are left out
MOST_HUNKS = 20  # of two texts; with more of them the one is not a revision of the other
CELLS = 4_000_000  # of the edit matrix of two texts: longer ones are not compared
WORDS = re.compile(r"\d+(?:[.,]\d+)*|\w+|\s+|[^\w\s]")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
LINES = re.compile(r"[^\n]*\n+|[^\n]+")
BLOCKS = re.compile(r"[^\S\n]*(```|~~~)[^\n]*\n.*?\n[^\S\n]*\1[^\n]*(?:\n+|\Z)|[^\n]*\n+|[^\n]+", re.DOTALL)
SENTENCES = re.compile(r"\S.*?(?:[.!?:][\"')\]*]*(?:\s+|\Z)|\n\s*|\Z)|\s+", re.DOTALL)
SHORT = re.compile(r"\W*\w{1,2}[.):]\s+")  # the number of an item, or an initial: no sentence by itself
LONG_WORD = re.compile(r"[^\W\d_]{4,}")
FENCE = re.compile(r"[^\S\n]*(?:```|~~~)\S*\s*")
FENCED = re.compile(r"[^\S\n]*(?:```|~~~)")


class _Hunk(NamedTuple):
    """Pieces `start` to `end` of the new text, and the text that the old one has in their place."""

    start: int
    end: int
    old: str


def without_a_hunk(before: str, after: str, passes: Callable[[str], bool], *, asked: str = "") -> str | None:
    """The new text with one of its differences to the old one taken back, so that it passes; None where none does.

    A difference is a number in the place of another, wherever it stands; then a line before or after the text; then
    lines, blocks and sentences, the smallest first. None is part of a sentence, so that no sentence is made of two.
    What was put before or after a text goes alone if it shares no longer word with the old text and its question.
    Something of the change has to be left.

    Args:
        before: the old text.
        after: the new text.
        passes: whether a text may be taken.
        asked: the question of the old text.

    >>> without_a_hunk("It has 12 cow.", "It has 13 cows.", lambda text: "12" in text)
    'It has 12 cows.'
    >>> without_a_hunk("It has cow.", "Sure! It has cows.", lambda text: "Sure" not in text)
    'It has cows.'
    """
    known = _long_words(f"{asked} {before}")
    found: dict[str, int] = {}
    for pattern in (BLOCKS, LINES, SENTENCES):
        for text, size in _pieces(before, after, pattern, known):
            found.setdefault(text, size)
    in_order = dict.fromkeys([*_numbers(before, after), *sorted(found, key=lambda text: found[text])])
    return next((text for text in in_order if text not in (before, after) and passes(text)), None)


def salvaged(before: Pair, proposal: Proposal, refused: Refused) -> Proposal | None:
    """A refused proposal without the part of its response for which it was refused; None where none is to be had.

    Its notes gain `salvaged` and what the whole was refused for.
    """
    if proposal.pair is None:
        return None
    pair = proposal.pair

    def passes(response: str) -> bool:
        return not refused(proposal._replace(pair=pair.replace(response=response)))

    rest = without_a_hunk(before.response, pair.response, passes, asked=before.prompt)
    if rest is None:
        return None
    notes = (*proposal.notes, "salvaged", *refused(proposal))
    return proposal._replace(pair=pair.replace(response=rest), notes=notes)


def _long_words(text: str) -> set[str]:
    """The beginnings of the longer words, in small letters."""
    return {word[:5] for word in LONG_WORD.findall(text.lower())}


def _numbers(before: str, after: str) -> Iterator[str]:
    """The new text with a number of the old one again where another stands in its place."""
    old, new = WORDS.findall(before), WORDS.findall(after)
    if len(old) * len(new) > CELLS:
        return
    replaced = [op for op in Levenshtein.opcodes(old, new) if op.tag == "replace"]
    pairs = (
        (new[op.dest_start + k], old[op.src_start + k]) for op in replaced for k in range(op.src_end - op.src_start)
    )
    swaps = dict.fromkeys(pair for pair in pairs if all(map(NUMBER.fullmatch, pair)) and pair[0] not in old)
    if len(swaps) <= MOST_HUNKS:
        for put, out in swaps:
            yield "".join(out if word == put else word for word in new)


def _pieces(before: str, after: str, pattern: re.Pattern[str], known: set[str]) -> Iterator[tuple[str, int]]:
    """The new text with lines or sentences taken back, and a rank, low first: 0 for a line before or after the text,
    for all others how many characters they are."""
    old, new = _split(before, pattern), _split(after, pattern)
    hunks = _hunks(old, new) if len(old) * len(new) <= CELLS else []
    if len(hunks) > MOST_HUNKS:
        return
    for start, end in ((0, 1), (0, 2), (len(new) - 2, len(new)), (len(new) - 1, len(new))):
        inside = any(hunk.start <= start and end <= hunk.end for hunk in hunks)
        if inside and end - start < len(new) and known.isdisjoint(_long_words("".join(new[start:end]))):
            put = _Hunk(start, end, "")
            yield _without([put], new), _size(put, new) if pattern is SENTENCES else 0
    for hunk in hunks:
        if not _inside(hunk.old, after):
            yield _without([hunk], new), _size(hunk, new)
    fences = [hunk for hunk in hunks if hunk.start == hunk.end and FENCE.fullmatch(hunk.old)]
    if len(fences) > 1:  # a fence has two ends
        yield _without(fences, new), sum(_size(hunk, new) for hunk in fences)


def _without(hunks: Sequence[_Hunk], new: Sequence[str]) -> str:
    """The new text with hunks taken back; a fence stands on lines of its own, and no blanks are left at the end."""
    pieces = list(new)
    for start, end, back in reversed(hunks):
        if FENCED.match(back):
            back = back if not start or pieces[start - 1].endswith("\n") else f"\n\n{back}"
            back = back if end == len(pieces) or back.endswith("\n") else f"{back}\n\n"
        pieces[start:end] = [back]
    text = "".join(pieces)
    return text if new[-1:] and new[-1][-1:].isspace() else text.rstrip()


def _inside(block: str, text: str) -> bool:
    """Whether the lines of a block in fences stand in a text, with or without their fences."""
    code = "\n".join(block.strip().split("\n")[1:-1]).strip()
    return bool(FENCED.match(block)) and bool(code) and code in text


def _split(text: str, pattern: re.Pattern[str]) -> list[str]:
    pieces: list[str] = []
    for match in pattern.finditer(text):
        piece = match[0]
        if pieces and SHORT.fullmatch(pieces[-1]):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def _hunks(old: Sequence[str], new: Sequence[str]) -> list[_Hunk]:
    """The differences, neighbours as one; a fence or a block in fences that is gone stands alone."""
    hunks = []
    for equal, ops in groupby(Levenshtein.opcodes(old, new), key=lambda op: op.tag == "equal"):
        if equal:
            continue
        run = list(ops)
        start, end = run[0].dest_start, run[-1].dest_end
        gone = old[run[0].src_start : run[-1].src_end]
        first, last = 0, len(gone)
        if not any(map(FENCED.match, new[start:end])):
            first = next((k for k, piece in enumerate(gone) if not FENCED.match(piece)), len(gone))
            last = next((k for k in range(len(gone), first, -1) if not FENCED.match(gone[k - 1])), first)
        hunks += [_Hunk(start, start, piece) for piece in gone[:first]]
        if first < last or start < end:
            hunks.append(_Hunk(start, end, "".join(gone[first:last])))
        hunks += [_Hunk(end, end, piece) for piece in gone[last:]]
    return hunks


def _size(hunk: _Hunk, new: Sequence[str]) -> int:
    return len(hunk.old) + sum(map(len, new[hunk.start : hunk.end]))
