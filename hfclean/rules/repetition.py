"""Rules about text that says the same again: doubled words, repeated lines and sentences, loops."""

from __future__ import annotations

import re

from hfclean.rules.rule import Glance, Rule, asked_about
from hfclean.schema import Pair
from hfclean.text import outside_protected, without_code

__all__ = ["doubled_word", "repeated_text"]

# ------------------------------------------------------------------------------------------------------- doubled_word

# Words that never follow themselves in correct English; "had had", "that that", "is is" and "in in" sometimes do. The
# letter a must not stand before another single letter, where it is a rhyme scheme.
DOUBLED = re.compile(
    r"(?<![\w'’-])(?:(the|an|of|and|for|with|from|at|as|to|by|their|your|our|his)(?: \1(?![\w'’-]))++"
    r"|(?<!\ba )(a)(?: a)++(?= [A-Za-z]{2}))"
)


# Where words are doubled on purpose, or are the mistake to find.
ABOUT_DOUBLES = re.compile(
    r"\b(?:correct|fix|edit|proofread|grammar|grammatical|mistakes?|errors?|spelling|typos?|revise|rewrite|count|"
    r"repeat|repeated|duplicates?|frequency|occurrences?|most common|song|lyrics|poem|stutter|transcript|"
    r"punctuat\w*)\b",
    re.IGNORECASE,
)
# A longer instruction holds pasted matter, such as transcripts of speech.
LONGEST_TASK = 600


def _may_double(text: str) -> bool:
    # A chain of "in", not any(): this runs on every text of every row.
    return (
        " the the " in text
        or " a a " in text
        or " of of " in text
        or " and and " in text
        or " to to " in text
        or " for for " in text
        or " with with " in text
        or " an an " in text
        or " from from " in text
        or " at at " in text
        or " as as " in text
        or " by by " in text
        or "their their " in text
        or "your your " in text
        or "our our " in text
        or "his his " in text
    )


# What every hint of `_may_double` is, once it is split into words.
TWICE = frozenset((word, word) for word in (
    "the", "a", "of", "and", "to", "for", "with", "an", "from", "at", "as", "by", "their", "your", "our", "his",
))  # fmt: skip


def _may_have_double(pair: Pair, glance: Glance) -> bool:
    return glance.doubled


def _has_double(pair: Pair) -> bool:
    for text in (pair.response, pair.instruction if len(pair.instruction) <= LONGEST_TASK else ""):
        if _may_double(text) and _without_doubles(text) != text:
            return not asked_about(ABOUT_DOUBLES, pair.instruction)
    return False


def _single(pair: Pair) -> Pair:
    if asked_about(ABOUT_DOUBLES, pair.instruction):
        return pair
    changed = {}
    for name in ("instruction", "response"):  # an input is the matter to work on
        text = getattr(pair, name)
        if (name == "response" or len(text) <= LONGEST_TASK) and _may_double(text):
            single = _without_doubles(text)
            if single != text:
                changed[name] = single
    return pair.replace(**changed) if changed else pair


def _without_doubles(text: str) -> str:
    return outside_protected(text, _halve)


def _halve(text: str) -> str:
    return DOUBLED.sub(lambda match: match.group(1) or "a", text)


doubled_word = Rule(
    "doubled_word",
    severity="low",
    meaning='a small word written twice ("the the")',
    detect=_has_double,
    possible=_may_have_double,
    repair=_single,
    example=("It lies in the the north of Italy.", "It lies in the north of Italy."),
)


# ------------------------------------------------------------------------------------------------------ repeated_text

SHORTEST = 100
# What is written to be said again, and what only looks like prose.
REPEATS_BELONG = re.compile(
    r"\b(?:songs?|lyrics?|chorus|poems?|poetry|verses?|rhymes?|raps?|chants?|mantra|jingle|refrain|ballad|sonnet|"
    r"haiku|limerick|"
    r"villanelle|pantoum|hip-?hop|repeat\w*|repetiti\w+|pattern|loops?|data ?set|sample data|test data|bingo|"
    r"crossword|"
    r"word search|code|program|script|function|html|sql|table|spreadsheet|schedule|itinerary|music\w*|melody|notes|"
    r"times tables?|multiplication|sequence|drill|tongue twister|anaphora|monkey|parrot|quiz|multiple[- ]choice)\b|"
    r"诗|歌|重复|代码|程序|表格",
    re.IGNORECASE,
)
BULLETS = " \t-*•#>.!?"
EDGES = " \t-*•#>0123456789.)!?"
LONG, SHORT, SHORTEST_ITEM = 70, 20, 10
# Figures, quotations, formulas and code are said again for good reasons.
MATTER = re.compile(r"[{};=<>\\|\"“”«»\d]|\w\.\w|\b(?:pp|vol|et al|ed|eds|proc)\b")
CHUNK = 40
FEWEST_DIFFERENT = 10
RUN = 160
FEWEST_CHARACTERS = 6
HEAD = 16
# A chunk that loops is made of words for more than three quarters: so many of these were there before.
FEWEST_AGAIN = 3 * CHUNK // 4 + 1 - FEWEST_DIFFERENT
RULERS = frozenset("-=_*#.~ |+\n<>^/\\0123456789\u2500\u2550\u3000")


def _repeats(pair: Pair) -> bool:
    text = pair.response
    if len(text) < SHORTEST:
        return False
    if "`" in text:
        text = without_code(text)
    again = _said_again(text)
    if again:
        # What the question says may be quoted in the answer as often as it takes.
        if again in pair.instruction or again in pair.input:
            return False
    elif not _loops(text):
        return False
    return not asked_about(REPEATS_BELONG, pair.instruction)


def _all_differ(text: str) -> bool:
    """Whether a text that is ASCII or plain (see `Glance`) says nothing twice.

    All that `_said_again` compares differs, even when as much is stripped from its edges as that ever strips.
    """
    if "\n" not in text:
        said = [sentence.strip(EDGES) for sentence in text.split(". ")]
        return len(set(said)) == len(said)
    said = [
        sentence.strip(EDGES)
        for line in text.split("\n")
        if len(line) >= SHORTEST_ITEM
        for sentence in (line.split(". ") if len(line) >= LONG else (line,))
        if len(sentence) >= SHORTEST_ITEM
    ]
    return len(set(said)) == len(said)


def _with_full_stops(text: str) -> str:
    if ("!" in text and "! " in text) or ("?" in text and "? " in text):  # one character is found much faster than two
        return text.replace("! ", ". ").replace("? ", ". ")
    return text


def _said_again(text: str) -> str:
    """A long sentence that stands there twice, or a shorter one that stands three times in one paragraph or list."""
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
            said = line.strip(BULLETS)
            number, dot, rest = said.partition(". ")
            if dot and number.isdigit():
                said = rest.strip(BULLETS)
            count = block.get(said, 0) + 1
            block[said] = count
            if count > 1 and _is_again(said, count, block):
                return said
            continue
        for sentence in line.split(". "):
            size = len(sentence)
            if size < SHORT and (size < 12 or sentence.isascii()):
                continue
            said = sentence.strip(EDGES)
            counts = block if size < LONG and sentence.isascii() else seen
            count = counts.get(said, 0) + 1
            counts[said] = count
            if count > 1 and _is_telling(said, count):
                return said
    return ""


def _is_again(said: str, count: int, block: dict[str, int]) -> bool:
    """Whether a short line repeats in its list: a telling one three times, any four times, or two of them twice."""
    if len(said) < SHORTEST_ITEM or MATTER.search(said):
        return False
    if count > 3 or (count == 3 and _is_telling(said, count)):
        return True
    return len(said) >= SHORT and sum(times > 1 and len(item) >= SHORT for item, times in block.items()) > 1


def _is_telling(said: str, count: int) -> bool:
    if MATTER.search(said):
        return False
    words = said.count(" ") + 1
    if words < 4 and not said.isascii():  # a script without spaces
        return len(said) >= (15 if count > 2 else 24) and sum(map(str.isalpha, said)) * 4 > 3 * len(said)
    return words >= 4 and len(said) >= (SHORT - 1 if count > 2 else LONG - 4)


def _loops(text: str) -> bool:
    """Whether a stretch of the text runs in a circle of a few words or characters."""
    words = text.split()
    for start in range(0, len(words) - CHUNK + 1, CHUNK):
        if len(set(words[start : start + HEAD])) > FEWEST_DIFFERENT:
            continue  # prose shows its words at once
        chunk = words[start : start + CHUNK]
        if len(set(chunk)) <= FEWEST_DIFFERENT:
            letters = sum(word.strip("#*\"'(").lower()[:1].isalpha() for word in chunk)
            if 4 * letters > 3 * CHUNK:
                return True
    if len(text) < 2 * RUN and len(words) > len(text) // 20:
        return False
    return _has_run(text)


def _has_run(text: str) -> bool:
    """Whether a stretch of the text is made of a few characters."""
    for start in range(0, len(text) - RUN + 1, RUN):
        if len(set(text[start : start + HEAD])) > FEWEST_CHARACTERS:
            continue
        run = text[start : start + RUN]
        if len(set(run)) <= FEWEST_CHARACTERS and 2 * sum(c not in RULERS for c in run) > RUN:
            return True
    return False


def _may_repeat(pair: Pair, glance: Glance) -> bool:
    text = pair.response
    return len(text) >= SHORTEST and (
        ord("`") in glance.marks
        or not _all_differ(_with_full_stops(text))
        or (_loops(text) if glance.repeats >= FEWEST_AGAIN else _has_run(text))
    )


def _once(pair: Pair) -> Pair:
    """The answer with each long line that repeats the one before it said once."""
    if not _repeats(pair):
        return pair
    response = outside_protected(pair.response, _without_repeated_lines)
    return pair.replace(response=response) if response != pair.response else pair


def _without_repeated_lines(text: str) -> str:
    kept: list[str] = []
    last = ""
    for line in text.split("\n"):
        said = line.strip()
        if said and said == last and len(said.split()) >= 5 and len(said) >= 25:
            while kept and not kept[-1].strip():
                kept.pop()
            continue
        last = said or last
        kept.append(line)
    return "\n".join(kept)


repeated_text = Rule(
    "repeated_text",
    severity="medium",
    meaning="an answer that says the same line or sentence again, or runs in a loop",
    detect=_repeats,
    possible=_may_repeat,
    repair=_once,
    example=(
        "Fog forms over cold water when the wind is still.\nFog forms over cold water when the wind is still.\n"
        "Fog forms over cold water when the wind is still.",
        "Fog forms over cold water when the wind is still.",
    ),
)
