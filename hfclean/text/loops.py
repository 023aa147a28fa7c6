"""Texts that run in a circle of a few words or characters."""

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
            letters = sum(word.strip("#*\"'(").lower()[:1].isalpha() for word in chunk)
            if 4 * letters > 3 * size:
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
    if len(pieces) - len(set(pieces)) < IN_A_ROW:  # most texts end here
        return -1
    last: dict[str, int] = {}
    place = period = run = size = number = 0
    for line in text.split("\n"):
        for piece in line.split(". "):
            start, place = place, place + len(piece) + 2
            bare = piece.strip(" \t-*•#>.!?,;:")
            if bare.count(" ") < FEWEST_WORDS - 1 or not any(map(str.isalpha, bare[:HEAD])):
                continue
            number += 1
            before = number - last.get(bare, number)
            last[bare] = number
            if not before:
                period = run = size = 0
                continue
            run, size = (run + 1, size + len(bare)) if before == period else (1, len(bare))
            period = before
            if size >= CIRCLE and run >= max(2 * period, IN_A_ROW):
                return start
        place -= 1  # a line break is one character
    return -1
