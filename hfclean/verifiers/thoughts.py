"""Thoughts before answers: not closed, empty, cut off, in a circle, in another language, without an answer behind.

What stands on the last lines of a thought is not compared here with the answer: see `answers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from hfclean.schema import Pair, Whole
from hfclean.text.certain_language import (
    ABOUT_LANGUAGE,
    SAMPLE,
    SCRIPTS,
    SmallWords,
    clear_language,
    script_of,
    small_words,
)
from hfclean.text.endings import breaks_off, may_break_off
from hfclean.text.loops import circle, loops
from hfclean.text.thoughts import has_empty_thought, may_think, opening_of, split_thought
from hfclean.verifiers.verifier import Finding, RowVerifier, Verifier, found_in_trace

SHOWN = 80
SHORTEST = 60  # of which something is said


def _thinks(pair: Pair) -> bool:
    """Whether a pair has a thought, or may have one in its response."""
    return bool(pair.thought) or may_think(pair.response)


def _of_thought(check: str, thought: str, start: int, found: str, sentence: str) -> Finding:
    return Finding(check, "thought", 0, thought.count("\n", 0, start), found, "", sentence)


# ------------------------------------------------------------------------------------------------------------ unclosed


def _unclosed(pair: Pair) -> Iterator[Finding]:
    text = pair.response
    opened = opening_of(text)
    if opened is None or opened.closing in text[opened.end :]:
        return
    marker = text[: opened.end].strip()
    asked = pair.instruction
    if marker in asked and opened.closing not in asked:
        return  # the row may be about that marker, or go on behind it
    sentence = f"the thought that {marker} opens is never closed by {opened.closing}"
    yield Finding("thought_unclosed", "response", 0, 0, marker, opened.closing, sentence)


# ------------------------------------------------------------------------------------------------------ without answer

MISSING = "answer_missing_after_thought"


def _answer_missing(pair: Pair) -> Iterator[Finding]:
    text = pair.response
    if pair.thought.strip():
        if text.strip():
            return
        line = pair.thought.count("\n")
    else:
        opened = opening_of(text)
        end = -1 if opened is None else text.find(opened.closing, opened.end)
        if opened is None or end < 0 or not text[opened.end : end].strip():
            return
        rest = text[end + len(opened.closing) :]
        for marker in (opened.form.answer, opened.form.end) if opened.form else ():
            rest = rest.replace(marker, "") if marker else rest
        if rest.strip():
            return
        line = text.count("\n", 0, end)
    yield Finding(MISSING, "thought", 0, line, "", "", "nothing is answered after the thought")


# ----------------------------------------------------------------------------------------------------------- cut, loop


# The last word with four before it.
LAST = re.compile(r"(?:[^\W\d_][\w'’-]*,? ){4}([a-z]{4,20})\Z")
# What may be added to a word that is one without it.
INFLECTED = re.compile(
    r".{1,2}|ers|ings?|ily|ally|able|ages?|ations?|ful(?:ly)?|ness|ments?|less|like|ships?|hood|isms?|ists?|ity|ive(?:ly)?|"
    r"ish|ors|ies|ied"
)


def _inside_word(text: str, pair: Pair, answer: str) -> bool:
    """Whether a text ends in the beginning of a word that stands elsewhere, and that beginning nowhere else."""
    last = LAST.search(text, max(0, len(text) - 120))
    if last is None:
        return False
    every = f"{text[: last.start(1)]} {pair.prompt} {answer}".lower()
    ends = {found[1] for found in re.finditer(rf"\b{last[1]}(\w*)", every)}
    return bool(ends) and not any(INFLECTED.fullmatch(end) or not end for end in ends)


# How a thought states what it comes to, which is often without a full stop.
STATES = re.compile(
    r"\b(?:answer|result|final|sorted|order|therefore|thus|hence|total|conclusion|equals?|done|so)\b|=", re.IGNORECASE
)


def _cut(pair: Pair) -> Iterator[Finding]:
    thought, answer, _ = split_thought(pair)
    text = thought.rstrip()
    if len(text) < SHORTEST:
        return
    end = max(text.rfind("\n"), text.rfind(". "), len(text) - SAMPLE, 0)
    concludes = STATES.search(text, end) is not None
    if (may_break_off(text) and breaks_off(text, certainly=concludes)) or _inside_word(text, pair, answer):
        last = text[text.rfind("\n") + 1 :][-SHOWN:]
        yield _of_thought("thought_cut", text, len(text), last, "the thought ends in the middle of a sentence")


# Words: lists of states have few different ones in a shorter stretch. Such a loop runs to the end of its thought.
LONG_LOOP, TAIL = 120, 4000


def _loops(pair: Pair) -> Iterator[Finding]:
    thought, _, _ = split_thought(pair)
    if not thought:
        return
    start = circle(thought)
    if start >= 0 or loops(thought[-TAIL:], LONG_LOOP):
        start = start if start >= 0 else max(0, len(thought) - TAIL)
        said = thought[start : start + SHOWN]
        yield _of_thought("thought_loops", thought, start, said, "the thought says the same again and again")


# ------------------------------------------------------------------------------------------------------------ language

CLEAR = (5, 0.25)  # small words of a language: different ones, and their share of all words


def _language(pair: Pair) -> Iterator[Finding]:
    thought, answer, _ = split_thought(pair)
    asked = pair.instruction
    if (
        len(thought) < (SHORTEST if thought.isascii() else SHORTEST // 3)
        or not asked
        or not answer
        or ABOUT_LANGUAGE.search(asked[:SAMPLE])
    ):
        return
    scripts = {script_of(asked), script_of(answer)} - {""}  # numbers and formulas are in none
    if len(scripts) != 1:
        return
    (script,) = scripts
    english = script == "latin" and (" the " in asked or " the " in answer)
    asked_words = None
    for start in sorted({0, max(0, (len(thought) - SAMPLE) // 2), max(0, len(thought) - SAMPLE)}):
        part = thought[start : start + SAMPLE]
        if english and part.isascii() and " the " in part:
            continue  # nearly every part of a thought is passed over here
        if script == "latin" and asked_words is None:
            asked_words = small_words(f"{asked[:SAMPLE]} {answer[:SAMPLE]}")
        other = _other_than(script, asked_words, part)
        if other and not (other in SCRIPTS and SCRIPTS[other].search(f"{pair.prompt[:SAMPLE]}{answer[:SAMPLE]}")):
            sentence = "the thought is in another language than question and answer"
            yield _of_thought("thought_language", thought, start, part[:SHOWN], sentence)
            return


def _other_than(script: str, asked_words: SmallWords | None, part: str) -> str:
    """The script or the language of a part of a thought, where it is certainly another one; else ""."""
    here = script_of(part)
    if here and here not in (script, "latin"):
        return here
    if here != "latin":
        return ""
    words = small_words(part)
    language = clear_language(words, *CLEAR)
    if asked_words is None:  # question and answer are in another script: names and formulas are no language
        return language
    known = clear_language(asked_words, 4, 0.2)
    if not known or not language or known == language:
        return ""
    foreign = 3 * words.counts.get(known, 0) <= words.counts[language]
    return language if foreign and 3 * asked_words.counts.get(language, 0) <= asked_words.counts[known] else ""


# --------------------------------------------------------------------------------------------------------------- empty


def _empty(row: Whole) -> Iterator[Finding]:
    yield from _empty_in(row)
    if row.trace:
        yield from found_in_trace(_empty_in, replace(row, written=""))


def _empty_in(row: Whole) -> Iterator[Finding]:
    messages = ((n, "messages", said.written) for n, said in enumerate(row.messages))
    for turn, field, text in ((0, "response", row.written), *messages):
        if has_empty_thought(text):
            if any("/no_think" in said.text for said in row.messages) or "/no_think" in row.pair.prompt:
                return
            sentence = "there is a place for a thought, and nothing in it"
            yield Finding("thought_empty", field, turn, 0, text[:SHOWN].strip(), "", sentence)


THOUGHT_VERIFIERS = (
    Verifier(
        "thought_unclosed",
        "a thought that is opened and never closed",
        _unclosed,
        severity="high",
    ),
    Verifier(MISSING, "a thought without an answer behind it", _answer_missing, severity="high"),
    Verifier("thought_cut", "a thought that ends in the middle of a sentence", _cut, severity="medium"),
    Verifier("thought_loops", "a thought that says the same again and again", _loops, severity="medium"),
    Verifier("thought_language", "a thought in another language than question and answer", _language, 1, "medium"),
)
thought_empty = RowVerifier(
    "thought_empty",
    "low",
    "the place of a thought with nothing in it",
    _empty,
    example="<think>\n\n</think>\n\nParis.",
    version=2,
)
