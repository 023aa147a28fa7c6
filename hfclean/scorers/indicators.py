"""Indicators: what a program can measure in one pair, as named numbers that a linear rule weighs.

They read the words of instruction, input and response and nothing else: no model, no network, no knowledge of the
world. A fluent wrong answer has the same indicators as a right one. Word lists are English; in other languages the
indicators that need them are 0 and the others keep their meaning (in scripts without spaces each character is a word).
Every indicator is finite for any text, and the time is linear in its length. Earlier turns are not read.

"Content words" are words that are not among the about 700 commonest of prose; they are compared by their first five
letters, so that "recycle" finds "recycling". `log` is the natural logarithm of one plus the count.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from math import log1p
from typing import NamedTuple

from hfclean.schema import Pair
from hfclean.scorers.indicator_texts import UNKNOWN_COVERAGE, Answer, Shared, Task, stems_of
from hfclean.text.vocabulary import (
    AUXILIARY,
    CHOICE,
    COMPUTATION,
    CONTENT,
    CREATION,
    EDIT,
    FACT,
    LISTING,
    NO_INPUT,
    NUMBERS,
    PREPOSITION,
    REFUSAL_REACH,
    REFUSAL_WORDS,
    REFUSALS,
    SECOND,
    STOCK_ANYWHERE,
    STOCK_AT,
    STOCK_KEYS,
    STOCK_WORDS,
    THIRD,
    UNITS,
    VAGUE,
)


@dataclass(frozen=True, slots=True)
class Indicator:
    """One number about a pair: its name and what it means, with its range."""

    name: str
    meaning: str


INDICATORS: tuple[Indicator, ...] = tuple(
    Indicator(*row)
    for row in (
        # the task: what is asked
        ("asks_fact", "1 when the instruction asks for a fact: who, what, when, name, define, state; else 0"),
        ("asks_choice", "1 when it asks to classify, choose, detect or decide, or opens with is, does, can; else 0"),
        ("asks_computation", "1 when it asks to calculate, convert, count or solve; else 0"),
        ("asks_creation", "1 when it asks to write, create, generate or design; else 0"),
        ("about_mathematics", "log of instruction words from mathematics and measurement"),
        ("about_language", "log of instruction words about language: grammar, word, voice, tense, translate"),
        ("about_facts", "log of instruction words from geography, science, history and naming"),
        ("about_kinds", "log of instruction words such as type, kind, category"),
        ("about_fiction", "log of instruction words that name creative forms: story, poem, slogan, email"),
        ("about_issues", "log of instruction words for abstract matters: impact, benefits, society, strategy"),
        ("about_persons", "log of instruction words that make the answer personal: you, would, friend, opinion"),
        ("open_wording", "log of a, an, some, few, about, for and the like in the instruction: an open task"),
        ("input_words", "log of words in the input"),
        (
            "input_missing",
            "1 when a short instruction says this, given or following and there is nothing to follow; else 0",
        ),
        ("input_marker", "1 when the input only says that there is none, as in 'noinput' or 'N/A'; else 0"),
        ("sentences_asked", "1 when the instruction asks for a number of sentences; else 0"),
        # the amount of answer
        ("empty", "1 when the response has no word; else 0"),
        ("distinct_bigrams", "log of different pairs of neighbouring words in the response"),
        ("content_words", "content words of the response up to fifty, divided by fifty: 0 to 1"),
        ("beyond_150", "logarithm of words over 150, 0 up to 150 words"),
        ("new_content", "log of different content words in the response that the prompt does not have"),
        ("new_content_on_request", "new_content times instruction_coverage"),
        ("new_content_fact", "new_content where a fact is asked, else 0"),
        ("new_content_choice", "new_content where a choice is asked, else 0"),
        # repetition
        ("repeated_lines", "share of lines that repeat an earlier line, numbering apart: 0 to 1"),
        ("repeated_clauses", "share of clauses that repeat an earlier clause, numbering apart: 0 to 1"),
        ("repeated_trigrams", "share of runs of three words that repeat an earlier run: 0 to 1"),
        # layout
        ("paragraphs", "log of empty lines between paragraphs, of one per eight words and six at most"),
        ("bullets", "log of lines that start with a bullet"),
        ("numbered", "log of lines that start with a number"),
        ("introduced_list", "1 when a list of two items or more follows an introducing line; else 0"),
        ("explained_items", "log of list items that say more than a name"),
        ("listed_items", "log of list items where a list, ideas or suggestions are asked, else 0"),
        ("created_items", "log of list items where something is to be created, else 0"),
        ("bold", "log of pairs of bold marks, of one per eight words and six at most"),
        ("table", "1 when the response draws a table with bars; else 0"),
        # the surface
        ("untidy_spacing", "log of double spaces, spaces before a line end and before a full stop or comma"),
        ("capital_start", "1 when the response starts with a capital letter; else 0"),
        ("unfinished", "1 when prose of 12 words or more stops without a closing mark; else 0"),
        ("exclamations", "log of exclamation marks"),
        ("placeholder", "1 when a blank to fill in is left, as in '[name]'; else 0"),
        # phrases
        ("stock_phrases", "log of different stock phrases: 'in conclusion', 'feel free to', 'there are many'"),
        ("hollow_sentences", "log of sentences of 25 characters or more without a single content word"),
        ("refusal", "1 when the response opens by declining or by speaking of itself as an AI; else 0"),
        ("short_refusal", "1 when such a response has fewer than 60 words; else 0"),
        ("non_answer", "1 when the response is only 'noinput', 'N/A', 'none' or the like; else 0"),
        ("examples", "1 when the response says such as, for example, for instance or e.g.; else 0"),
        (
            "states_what",
            "1 when is, are, was or were stands in the first 70 characters: the answer is a statement; else 0",
        ),
        ("prepositions", "log of prepositions in the response"),
        ("auxiliaries", "log of can, may, would, should, have and the like in the response"),
        ("vague_words", "log of words such as more, various, improve, effective, provide in the response"),
        ("third_person", "log of it, they, she, their and the like in the response"),
        ("second_person", "log of you and your in the response"),
        # the answer beside the prompt
        (
            "instruction_coverage",
            "share of the instruction's content words found in the response: 0 to 1; 0.5 when it has none",
        ),
        (
            "prompt_coverage",
            "share of the content words of instruction and input found in the response: 0 to 1, or 0.5",
        ),
        (
            "early_coverage",
            "share of the instruction's content words in the first 14 words of the response: 0 to 1, or 0.5",
        ),
        ("off_topic", "1 when the response has none of the prompt's content words; else 0"),
        ("echo", "1 when the response is the instruction or the input again; else 0"),
        ("inside_input", "1 when the response is a stretch of the input; else 0"),
        ("inside_instruction", "1 when the response is a stretch of the instruction; else 0"),
        ("copied_bigrams", "share of the response's different word pairs that stand in the input: 0 to 1"),
        (
            "edited_length",
            "log ratio of response words to input words, -3 to 3, where an edit of the input is asked, else 0",
        ),
        # constraints
        ("count_met", "1 when as many items came as were asked; else 0"),
        ("count_missed", "1 when a list came with another number of items than asked; else 0"),
        ("count_restated", "1 when prose opens by restating the number asked, as in 'The three ...'; else 0"),
        ("word_count_gap", "distance from the number of words asked, as a log ratio: 0 to 2; 0 when none is asked"),
    )
)
INDICATOR_NAMES: tuple[str, ...] = tuple(indicator.name for indicator in INDICATORS)
UNTIDY = INDICATOR_NAMES.index("untidy_spacing")


def indicators(pair: Pair) -> dict[str, float]:
    """Every indicator of a pair, by name; meanings and ranges are in `INDICATORS`.

    >>> found = indicators(Pair("Name three colours.", "", "Red, green, blue"))
    >>> found["asks_fact"], found["count_met"], found["empty"]
    (1.0, 1.0, 0.0)
    """
    return dict(zip(INDICATOR_NAMES, indicator_values(pair), strict=True))


class PairFeatures(NamedTuple):
    """One pass over a pair: the indicators' values in the order of `INDICATORS`; the response's words, the
    different ones among them, the pairs of neighbours, and its ASCII marks and controls; the instruction's words, and
    the different ones."""

    values: tuple[float, ...]
    words: list[str]
    vocabulary: set[str]
    bigrams: set[tuple[str, str]]
    signs: bytes
    asked: list[str]
    asked_vocabulary: set[str]

    @property
    def untidy(self) -> bool:
        """Whether the response has two blanks in a row, or one before a line end, a full stop or a comma."""
        return self.values[UNTIDY] > 0


def indicator_values(pair: Pair) -> tuple[float, ...]:
    """The same numbers in the order of `INDICATORS`: the fast form, for whole batches."""
    return read(pair).values


def read(pair: Pair) -> PairFeatures:
    """The indicators of a pair and the words of its response, which are split only once."""
    task = Task(pair.instruction, pair.input)
    answer = Answer(pair.response)
    shared = Shared(answer, task)
    values = (
        *task.values(),
        *_amount(answer, task, shared),
        *_layout(answer, task),
        *_phrases(answer),
        *_relation(answer, task, shared),
    )
    return PairFeatures(
        values, answer.words, answer.vocabulary, answer.bigrams, answer.signs, task.words, task.vocabulary
    )


ORDER = " 0123456789"  # what comes before a numbered item once the marks are removed
CLOSING = frozenset(",;:-")
BLANK = re.compile(r"\[[A-Za-z][^\]\n]{0,40}\]|<[a-z ]{0,20}(?:input|output)>|\bxxx|lorem ipsum", re.IGNORECASE)
WORDS_ASKED = re.compile(r"\b(\d{2,4})[ -]words?\b")
OPENING_WORDS = 14
STATEMENT_REACH = 70
HOLLOW_CHARACTERS = 24
USUAL_REACH = 7  # words in which nearly every sentence has shown that it is not hollow


def _amount(answer: Answer, task: Task, shared: Shared) -> tuple[float, ...]:
    """How much there is, and how much of it twice."""
    found, size, bigrams = answer.words, answer.size, len(answer.bigrams)
    new = log1p(shared.new)
    trigrams = 0.0
    if bigrams < size - 2:  # no run of three repeats unless two runs of two do
        trigrams = 1 - len(set(zip(found, found[1:], found[2:], strict=False))) / (size - 2)
    clauses = [
        clause for part in answer.marked.replace("\v", "\n").split("\n") if len(clause := part.strip(ORDER)) > 2
    ]
    lines = 0.0
    if "\n" in answer.text:
        parts = [
            part.strip(" \t\r-*•0123456789.)") for part in answer.lower.split("\n") if part and not part.isspace()
        ]
        lines = 1 - len(set(parts)) / len(parts)
    return (
        1.0 if not size else 0.0,
        log1p(bigrams),
        min(answer.classes.count(CONTENT), 50) / 50,
        math.log(size / 150) if size > 150 else 0.0,
        new,
        new * shared.instruction_coverage,
        new if task.kind == FACT else 0.0,
        new if task.kind == CHOICE else 0.0,
        lines,
        1 - len(set(clauses)) / len(clauses) if clauses else 0.0,
        trigrams,
    )


# The indicators from paragraphs to created items where there is one line only.
ONE_LINE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def _layout(answer: Answer, task: Task) -> tuple[float, ...]:
    """How it is set out, and how tidily."""
    text, size, signs = answer.text, answer.size, answer.signs
    items = answer.bullets + answer.numbered
    last = text[-1:]
    lines, bold, untidy = ONE_LINE, 0.0, text.count("  ")
    if b"\n" in signs or b"*" in signs:
        marks_allowed = min(size // 8, 6)  # layout without words is worth nothing
        bold = log1p(min(text.count("**") / 2, marks_allowed))
        if "\n" in text:
            untidy += text.count(" \n")
            lines = (
                log1p(min(text.count("\n\n"), marks_allowed)),
                log1p(answer.bullets),
                log1p(answer.numbered),
                1.0 if answer.introduced and items > 1 else 0.0,
                log1p(answer.explained),
                log1p(items) if task.kind == LISTING else 0.0,
                log1p(items) if task.kind == CREATION else 0.0,
            )
    if b"," in signs:  # one character is found much faster than two
        untidy += text.count(" ,")
    if b"." in signs:
        untidy += text.count(" .")
    blank = b"[" in signs or b"<" in signs or "xxx" in answer.lower or "lorem" in answer.lower
    return (
        *lines,
        bold,
        1.0 if signs.count(b"|") > 3 else 0.0,
        log1p(untidy) if untidy else 0.0,
        1.0 if text[:1].isupper() else 0.0,
        1.0 if size >= 12 and not items and (last.isalpha() or last in CLOSING) else 0.0,
        log1p(signs.count(b"!")) if b"!" in signs else 0.0,
        1.0 if blank and BLANK.search(text) else 0.0,
    )


def _phrases(answer: Answer) -> tuple[float, ...]:
    """How it is said."""
    lower, content = answer.lower, answer.content
    hollow = 0
    for sentence in answer.marked.split("\n"):
        if len(sentence) <= HOLLOW_CHARACTERS or not content.isdisjoint(sentence.split(None, USUAL_REACH)):
            continue
        if content.isdisjoint(sentence.split()):
            hollow += 1
    vocabulary, stock, refusal = answer.vocabulary, 0, False
    if not STOCK_WORDS.isdisjoint(vocabulary):
        phrases = {phrase for phrase in STOCK_ANYWHERE if phrase in lower}
        for key in (STOCK_KEYS & vocabulary) | (STOCK_KEYS & answer.stems):
            phrases.update([phrase for phrase in STOCK_AT[key] if phrase in lower])
        stock = len(phrases)
    if not REFUSAL_WORDS.isdisjoint(vocabulary):
        opening = lower[:REFUSAL_REACH]
        refusal = any(
            begun in opening and any(begun + end in opening for end in ends) for begun, ends in REFUSALS.items()
        )
    opening = lower[:STATEMENT_REACH]
    classes = answer.classes
    return (
        log1p(stock) if stock else 0.0,
        log1p(hollow) if hollow else 0.0,
        1.0 if refusal else 0.0,
        1.0 if refusal and answer.size < 60 else 0.0,
        1.0 if answer.size <= 3 and " ".join(answer.words) in NO_INPUT else 0.0,
        1.0 if "such as" in lower or "for example" in lower or "for instance" in lower or "e.g." in lower else 0.0,
        1.0 if " is " in opening or " are " in opening or " was " in opening or " were " in opening else 0.0,
        log1p(classes.count(PREPOSITION)),
        log1p(classes.count(AUXILIARY)),
        log1p(classes.count(VAGUE)),
        log1p(classes.count(THIRD)),
        log1p(classes.count(SECOND)),
    )


# ---------------------------------------------------------------------------------------------------------- relation


def _relation(answer: Answer, task: Task, shared: Shared) -> tuple[float, ...]:
    """The answer beside what was asked."""
    size, lower, given = answer.size, answer.lower, task.input_words
    instruction = task.instruction.lower()
    core = lower.rstrip(".")
    copied = edited = 0.0
    if given:
        if answer.bigrams:
            copied = len(answer.bigrams.intersection(pairwise(given))) / len(answer.bigrams)
        if task.kind == EDIT:
            edited = max(-3.0, min(3.0, math.log((size + 1) / (len(given) + 1))))
    return (
        shared.instruction_coverage,
        shared.prompt_coverage,
        _early_coverage(answer, task),
        1.0 if size > 0 and shared.prompt_coverage == 0 else 0.0,
        1.0 if size > 0 and lower in (instruction, task.input_lower) else 0.0,
        1.0 if 0 < size <= len(given) and core in task.input_lower else 0.0,
        1.0 if 0 < size <= len(task.words) and core in instruction else 0.0,
        copied,
        edited,
        *(_constraints(answer, task) if task.may_count or task.may_count_words else UNCONSTRAINED),
    )


def _early_coverage(answer: Answer, task: Task) -> float:
    wanted = task.instruction_stems
    if not wanted:
        return UNKNOWN_COVERAGE
    return len(wanted & stems_of(answer.words[:OPENING_WORDS])) / len(wanted)


UNCONSTRAINED = (0.0, 0.0, 0.0, 0.0)


def _constraints(answer: Answer, task: Task) -> tuple[float, float, float, float]:
    """Numbers asked and kept."""
    asked, text = task.words, answer.text
    met = missed = restated = gap = 0.0
    if task.kind != COMPUTATION and task.may_count:
        for place, (word, after) in enumerate(pairwise(asked)):
            number = NUMBERS.get(word) or (int(word) if len(word) < 3 and word.isdecimal() else 0)
            if 1 < number <= 30 and after not in UNITS:
                listed = answer.bullets + answer.numbered
                items = listed
                if listed < 2:
                    items = text.count(", ") + 1 if answer.lines == 1 else answer.lines
                met = float(items == number)
                missed = float(listed > 1 and items != number)
                restated = float(place < 6 and word in answer.words[:3] and not text[:1].isdigit())
                break
    if task.may_count_words and (found := WORDS_ASKED.search(task.instruction)):
        gap = min(abs(math.log((answer.size + 1) / (int(found[1]) + 1))), 2.0)
    return met, missed, restated, gap
