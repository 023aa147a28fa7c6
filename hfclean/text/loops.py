"""Texts that run in a circle of a few words or characters."""

from collections import Counter
from collections.abc import Iterable

CHUNK = 40
FEWEST_DIFFERENT = 10
RUN = 160
FEWEST_CHARACTERS = 6
HEAD = 16
# How much has to be said three times over in the same order, or one sentence four times, to be a circle.
CIRCLE, FEWEST_WORDS, IN_A_ROW = 200, 4, 3
RULERS = frozenset("-=_*#.~ |+\n<>^/\\0123456789\u2500\u2550\u3000")


def loops(text: str, size: int = CHUNK) -> bool:
    """Whether a stretch of the text, of `size` words, runs in a circle of a few words, or one of a few characters."""
    words = text.split()
    for start in range(0, len(words) - size + 1, size):
        if len(set(words[start : start + HEAD])) > FEWEST_DIFFERENT:
            continue  # prose shows its words early
        chunk = words[start : start + size]
        if len(set(chunk)) <= FEWEST_DIFFERENT:
            starts = {word: word.strip("#*\"'(").lower()[:1].isalpha() for word in set(chunk)}
            if 4 * sum(map(starts.__getitem__, chunk)) > 3 * size:
                return True
    if len(text) < 2 * RUN and len(words) > len(text) // 20:
        return False
    return has_run(text)


def has_run(text: str) -> bool:
    """Whether a stretch of the text is made of a few characters."""
    for start in range(0, len(text) - RUN + 1, RUN):
        if len(set(text[start : start + HEAD])) > FEWEST_CHARACTERS:
            continue
        run = text[start : start + RUN]
        if len(set(run)) <= FEWEST_CHARACTERS and 2 * sum(c not in RULERS for c in run) > RUN:
            return True
    return False


def circle(text: str) -> int:
    """Where a text begins to say the same sentences or lines in the same order for the third time, else -1.

    One sentence alone has to come four times in a row. Short pieces and those without words count for nothing.
    """
    pieces = text.replace("\n", ". ").split(". ")
    counts = Counter(pieces)
    again = sum([(count - 1) * len(piece) for piece, count in counts.items() if count > 1])
    # nearly all texts end here: of what is said three times, two at least are the same to the mark
    if len(pieces) - len(counts) < IN_A_ROW or 2 * again < CIRCLE:
        return -1
    bare = _bare_pieces(counts)
    last: dict[str, int] = {}
    period = run = size = number = 0
    for place, piece in enumerate(pieces):
        said = bare.get(piece)
        if said is None:
            continue
        number += 1
        before = number - last.get(said, number)
        last[said] = number
        if not before:
            period = run = size = 0
            continue
        run, size = (run + 1, size + len(said)) if before == period else (1, len(said))
        period = before
        if size >= CIRCLE and run >= max(2 * period, IN_A_ROW):
            return _start_of(text, place)
    return -1


def _bare_pieces(pieces: Iterable[str]) -> dict[str, str]:
    """Sentences and lines without the marks around them; without those that are short or have no words."""
    found = {}
    for piece in pieces:
        if piece.count(" ") >= FEWEST_WORDS - 1:
            bare = piece.strip(" \t-*•#>.!?,;:")
            if bare.count(" ") >= FEWEST_WORDS - 1 and (bare[0].isalpha() or any(map(str.isalpha, bare[:HEAD]))):
                found[piece] = bare
    return found


def _start_of(text: str, place: int) -> int:
    """Where the sentence or line with a number begins."""
    start = 0
    for line in text.split("\n"):
        for piece in line.split(". "):
            if not place:
                return start
            place -= 1
            start += len(piece) + 2
        start -= 1  # a line break is one character
    return start
