"""What the indicators read from a pair: its task, its answer, and the content words that both share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise, repeat
from math import log1p
from operator import itemgetter

from hfclean.rules.glance import signs_of
from hfclean.text import is_cjk, words
from hfclean.text.vocabulary import (
    ASKED_BY,
    CHOICE,
    CLASS_OF,
    COMMON,
    COMPUTATION,
    CONTENT,
    CREATION,
    FACT,
    ITEM_NUMBERS,
    NO_INPUT,
    OPENED_BY,
    OTHER,
    POINTING,
    REQUEST_WORDS,
    STEM,
    TOPICS,
    TOPICS_OF,
)
from hfclean.text.words import lower_words, mark_sentences

BULLETS = "-*•"
SENTENCES_ASKED = re.compile(
    r"\b(?:\d{1,2}|one|an?|single|two|three|four|five|six|seven|eight|ten)[ -](?:\w{1,20} )?sentences?\b",
    re.IGNORECASE,
)
STEM_OF = itemgetter(slice(STEM))
UNKNOWN_COVERAGE = 0.5


def stems_of(found: Iterable[str]) -> set[str]:
    return set(map(STEM_OF, found))


# -------------------------------------------------------------------------------------------------------------- task


class Task:
    """Instruction and input, analysed once."""

    __slots__ = (
        "input_lower",
        "input_marker",
        "input_words",
        "instruction",
        "instruction_stems",
        "kind",
        "may_count",
        "may_count_words",
        "prompt_stems",
        "sentences_asked",
        "vocabulary",
        "words",
    )

    def __init__(self, instruction: str, context: str) -> None:
        self.instruction = instruction.strip()
        self.words = lower_words(instruction)
        self.vocabulary = set(self.words)
        self.input_words: list[str] = []
        self.input_lower = ""
        self.input_marker = False
        if context:
            found = lower_words(context)
            if len(found) <= 3 and " ".join(found) in NO_INPUT:
                self.input_marker = True
            else:
                self.input_words = found
                self.input_lower = context.strip().lower()
        self.kind = self._kind()
        # other scripts have their own digits, and "02" is a number too
        self.may_count = not (instruction.isascii() and ITEM_NUMBERS.isdisjoint(self.vocabulary))
        self.may_count_words = "words" in self.vocabulary or "word" in self.vocabulary
        self.sentences_asked = (
            ("sentence" in self.vocabulary or "sentences" in self.vocabulary)
            and (not self.input_words or "following" not in self.vocabulary)
            and SENTENCES_ASKED.search(instruction) is not None
        )
        self.instruction_stems = stems_of(self.vocabulary - REQUEST_WORDS)
        if self.input_words:
            self.prompt_stems = self.instruction_stems | stems_of(set(self.input_words) - COMMON)
        else:
            self.prompt_stems = self.instruction_stems

    def _kind(self) -> int:
        asked = self.words
        if asked and asked[0] in OPENED_BY:
            return OPENED_BY[asked[0]]
        asked_by = ASKED_BY
        for word in asked:
            if word in asked_by:
                return asked_by[word]
        return OTHER

    def values(self) -> tuple[float, ...]:
        kind, text, topics_of = self.kind, self.instruction, TOPICS_OF
        topics = [0] * len(TOPICS)
        for word in self.words:
            if word in topics_of:
                for topic in topics_of[word]:
                    topics[topic] += 1
        missing = (
            not self.input_words
            and len(self.words) < 15
            and not POINTING.isdisjoint(self.vocabulary)
            and not (":" in text or '"' in text or "'" in text or "“" in text or "\n" in text)
        )
        return (
            float(kind == FACT),
            float(kind == CHOICE),
            float(kind == COMPUTATION),
            float(kind == CREATION),
            *map(log1p, topics),
            log1p(len(self.input_words)),
            float(missing),
            float(self.input_marker),
            float(self.sentences_asked),
        )


# ------------------------------------------------------------------------------------------------------------ answer


class Answer:
    """The response, analysed once."""

    __slots__ = (
        "bigrams",
        "bullets",
        "classes",
        "content",
        "explained",
        "introduced",
        "lines",
        "lower",
        "marked",
        "numbered",
        "signs",
        "size",
        "stems",
        "text",
        "vocabulary",
        "words",
    )

    def __init__(self, response: str) -> None:
        self.text = text = response.strip()
        self.lower = text.lower()
        self.marked = marked = mark_sentences(text)
        self.signs = signs_of(response)
        if text.isascii():
            found = marked.split()
        else:
            self.lower = self.lower.replace("’", "'")
            found = words(self.lower) if is_cjk(text) else marked.split()
        self.words = found
        self.size = len(found)
        self.classes = bytes(map(CLASS_OF.get, found, repeat(CONTENT)))
        self.vocabulary = vocabulary = set(found)
        self.content = content = vocabulary - COMMON
        self.stems = stems_of(content)
        self.bigrams = set(pairwise(found))
        self.lines, self.bullets, self.numbered, self.explained, self.introduced = 1, 0, 0, 0, False
        if "\n" in text:
            self._read_lines()

    def _read_lines(self) -> None:
        lines = [line for part in self.text.split("\n") if (line := part.strip())]
        bullets = numbered = explained = 0
        for line in lines:
            first = line[0]
            if first in BULLETS:
                bullets += 1
            elif first.isdigit() and (line[1:2] in (".", ")") or (line[2:3] in (".", ")") and line[1].isdigit())):
                numbered += 1
            else:
                continue
            if ": " in line or line.count(" ") > 8:
                explained += 1
        first = lines[0][0]
        self.introduced = not (first in BULLETS or first == "#" or first.isdigit())
        self.lines, self.bullets, self.numbered, self.explained = len(lines), bullets, numbered, explained


class Shared:
    """The content words that answer and prompt share, counted once."""

    __slots__ = ("instruction_coverage", "new", "prompt_coverage")

    def __init__(self, answer: Answer, task: Task) -> None:
        stems, asked, prompt = answer.stems, task.instruction_stems, task.prompt_stems
        hits = len(prompt & stems)
        self.new = len(stems) - hits
        self.prompt_coverage = hits / len(prompt) if prompt else UNKNOWN_COVERAGE
        if asked is prompt:  # there is no input
            self.instruction_coverage = self.prompt_coverage
        else:
            self.instruction_coverage = len(asked & stems) / len(asked) if asked else UNKNOWN_COVERAGE
