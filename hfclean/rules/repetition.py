"""Rules about repetition: doubled words, repeated lines and sentences, loops.

Much is repeated on purpose: refrains, drills, answers to "write it ten times". Where the instruction asks for it in
any language that `requests` knows, nothing is reported; only what is certainly a loop is repaired.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby
from typing import NamedTuple

from hfclean.rules.doubled_words import doubled_word
from hfclean.rules.glance import Glance, Possible
from hfclean.rules.requests import (
    COVERED,
    CREATIVE,
    INFORMS,
    PER_ITEM,
    QUESTION_ENDS,
    SAID_ABROAD,
    SAID_AGAIN,
    SAY_THIS,
    numbers_in,
)
from hfclean.rules.rule import Rule
from hfclean.rules.text_shapes import is_verse
from hfclean.schema import Pair
from hfclean.text import outside_protected, without_code
from hfclean.text.loops import CHUNK, FEWEST_DIFFERENT, has_run, loops
from hfclean.text.request_language import language_of_request

__all__ = ["doubled_word", "repeated_text"]

# ------------------------------------------------------------------------------------------------------ repeated_text

SHORTEST = 100
EARLIER = 8
BULLETS = " \t-*•#>.!?"
EDGES = " \t-*•#>0123456789.)!?"
LONG, SHORT, SHORTEST_ITEM = 70, 20, 10
# Figures, quotations, formulas and code are repeated for good reasons.
MATTER = re.compile(r"[{};=<>\\|\"“”«»\d]|\w\.\w|\b(?:pp|vol|et al|ed|eds|proc)\b")
# A chunk that loops consists for more than three quarters of words that were there before.
FEWEST_AGAIN = 3 * CHUNK // 4 + 1 - FEWEST_DIFFERENT


def _repeats(pair: Pair) -> bool:
    text = pair.response
    if len(text) < SHORTEST:
        return False
    if "`" in text:
        text = without_code(text)
    again = _said_again(text)
    if again:
        # The answer may quote the question as often as it needs.
        if again in pair.instruction or again in pair.input:
            return False
    elif not loops(text):
        return False
    return not _belongs(pair)


def _belongs(pair: Pair) -> bool:
    """Whether the row asks for text that is said again, now or earlier, or looks like a song in an unknown "
    "language."""
    if SAID_AGAIN.named_in(pair.instruction) or SAID_AGAIN.named_in(pair.system):
        return True
    if any(turn.role == "user" and SAID_AGAIN.named_in(turn.text) for turn in pair.history[-EARLIER:]):
        return True
    if not is_verse(pair.response) or language_of_request(pair.instruction) == "en":
        return False
    lines = Counter(line.strip() for line in pair.response.split("\n") if line.strip())
    return 4 * max(lines.values()) <= 3 * lines.total()


def _all_differ(text: str) -> bool:
    """Whether a text that is ASCII or plain (see `Glance`) says nothing twice.

    All that `_said_again` compares differs, even when as much is stripped from its edges as that ever strips.
    """
    if "\n" not in text:
        pieces = [sentence.strip(EDGES) for sentence in text.split(". ")]
        return len(set(pieces)) == len(pieces)
    pieces = [
        sentence.strip(EDGES)
        for line in text.split("\n")
        if len(line) >= SHORTEST_ITEM
        for sentence in (line.split(". ") if len(line) >= LONG else (line,))
        if len(sentence) >= SHORTEST_ITEM
    ]
    return len(set(pieces)) == len(pieces)


def _with_full_stops(text: str) -> str:
    if ("!" in text and "! " in text) or ("?" in text and "? " in text):  # one character is found much faster than two
        return text.replace("! ", ". ").replace("? ", ". ")
    return text


def _said_again(text: str) -> str:
    """A long sentence that occurs twice, or a shorter one that occurs three times in one paragraph or list."""
    text = _with_full_stops(text)
    if not text.isascii():
        text = text.replace("。", "。. ")
    elif _all_differ(text):
        return ""
    seen: dict[str, int] = {}
    block: dict[str, int] = {}
    for line in text.split("\n"):
        size = len(line)
        if size < SHORTEST_ITEM:
            if not line.strip():
                block = {}
            continue
        if size < LONG:
            piece = line.strip(BULLETS)
            number, dot, rest = piece.partition(". ")
            if dot and number.isdigit():
                piece = rest.strip(BULLETS)
            count = block.get(piece, 0) + 1
            block[piece] = count
            if count > 1 and _is_again(piece, count, block):
                return piece
            continue
        for sentence in line.split(". "):
            size = len(sentence)
            if size < SHORT and (size < 12 or sentence.isascii()):
                continue
            piece = sentence.strip(EDGES)
            counts = block if size < LONG and sentence.isascii() else seen
            count = counts.get(piece, 0) + 1
            counts[piece] = count
            if count > 1 and _is_telling(piece, count):
                return piece
    return ""


def _is_again(piece: str, count: int, block: dict[str, int]) -> bool:
    """Whether a short line repeats in its list: a telling one three times, any four times, or two of them twice."""
    if len(piece) < SHORTEST_ITEM or MATTER.search(piece):
        return False
    if count > 3 or (count == 3 and _is_telling(piece, count)):
        return True
    return len(piece) >= SHORT and sum(times > 1 and len(item) >= SHORT for item, times in block.items()) > 1


def _is_telling(piece: str, count: int) -> bool:
    if MATTER.search(piece):
        return False
    words = piece.count(" ") + 1
    if words < 4 and not piece.isascii():  # a script without spaces
        return len(piece) >= (15 if count > 2 else 24) and sum(map(str.isalpha, piece)) * 4 > 3 * len(piece)
    return words >= 4 and len(piece) >= (SHORT - 1 if count > 2 else LONG - 4)


def _may_repeat(pair: Pair, glance: Glance) -> bool:
    text = pair.response
    return len(text) >= SHORTEST and (
        ord("`") in glance.marks
        or not _all_differ(_with_full_stops(text))
        or (loops(text) if glance.repeats >= FEWEST_AGAIN else has_run(text))
    )


# ------------------------------------------------------------------------------------------------------------- repair

SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "।", "؟", "…", '."', ".”", ".)")
NOT_PROSE = re.compile(r"[{}<>=|\\;\t_]|^\W*[\w .'’-]{1,30}:(?:\s|$)|^[\"'“„«‘—–-]{1,2}(?!\s)|^(?:—|–) ")
LEAST_WORDS, LEAST_LENGTH = 5, 25
LONG_LINE, LONGER_LINE, LONG_PARAGRAPH = 60, 80, 120


def _once(pair: Pair) -> Pair:
    """The answer with each long line that repeats the one before it said once, where that is certainly a loop."""
    if not _repeats(pair):
        return pair
    asked, response = pair.instruction, pair.response
    language = language_of_request(asked)
    if language not in COVERED or is_verse(response):
        return pair
    if SAID_AGAIN.named_in(asked, "") or SAID_AGAIN.named_in(pair.input) or PER_ITEM.named_in(asked):
        return pair
    lines = {line.strip() for line in response.split("\n") if line.strip()}
    alone = len(lines) == 1
    if alone and not _informs(asked, language):
        return pair
    items = sum(line.strip() != "" for line in pair.input.split("\n")) if pair.input else 0
    numbers = numbers_in(asked) | numbers_in(pair.input[:300]) | {items, pair.prompt.count("?")} - {0, 1}
    loop = _Loop(language, numbers, CREATIVE.named_in(asked), alone)
    response = outside_protected(response, lambda stretch: _without_repeated_lines(stretch, loop))
    return pair.replace(response=response) if response.strip() and response != pair.response else pair


def _informs(asked: str, language: str) -> bool:
    """Whether a request is for information, so that one line over and over cannot be the answer."""
    if language == "en":
        return INFORMS.match(asked) is not None and not SAY_THIS.search(asked)
    return asked.rstrip(" 。.").endswith(QUESTION_ENDS) and not SAID_ABROAD.search(asked)


class _Loop(NamedTuple):
    """When a line that comes several times in a row is a loop and nothing else."""

    language: str
    asked: set[int]
    creative: bool
    alone: bool

    def holds(self, line: str, times: int) -> bool:
        size = len(line)
        if times < 2 or (len(line.split()) < LEAST_WORDS and line.isascii()) or size < LEAST_LENGTH:
            return False
        if times in self.asked or NOT_PROSE.search(line):
            return False
        if self.creative:
            return times >= 4 and size >= LONG_PARAGRAPH
        sentence = line.endswith(SENTENCE_ENDS)
        if self.language != "en":
            return times >= 3 and sentence and (size >= LONG_LINE or (" " not in line and not line.isascii()))
        if size >= LONG_LINE:
            return times >= (4 if not sentence else 2 if size >= LONGER_LINE else 3)
        return sentence and times >= (3 if self.alone else 5)


def _without_repeated_lines(text: str, loop: _Loop) -> str:
    lines = text.split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    dropped: set[int] = set()
    for _, group in groupby(filled, key=lambda number: lines[number].strip()):
        run = list(group)
        if len(run) > 1 and loop.holds(lines[run[0]].strip(), len(run)):
            dropped.update(range(run[0] + 1, run[-1] + 1))
    return "\n".join(line for number, line in enumerate(lines) if number not in dropped) if dropped else text


repeated_text = Rule(
    "repeated_text",
    severity="medium",
    meaning="an answer that says the same line or sentence again, or runs in a loop",
    detect=_repeats,
    possible=Possible(_may_repeat),
    repair=_once,
    example=(
        "Fog forms over cold water when the wind is still.\nFog forms over cold water when the wind is still.\n"
        "Fog forms over cold water when the wind is still.",
        "Fog forms over cold water when the wind is still.",
    ),
    version=2,
)
