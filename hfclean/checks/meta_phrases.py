"""Sentences at the ends of a text about the text itself: its revision, its quality, or how to write it.

A model that revises says such things before and after the answer, or repeats what it was told to do. Each new sentence
at either end is read for words of a few kinds; words of the question do not count, since they are its subject.
A rule weighs the kinds, and whether the sentence has any content of its own; it was fitted to sentences of experts and
to asides in many wordings (`benchmarks/gate.py`).
"""

import math
import re
from collections import Counter

from hfclean.checks.check import STEM, Case, TextFacts
from hfclean.text.numbers import has_digit
from hfclean.text.vocabulary import META_FUNCTION_WORDS
from hfclean.text.words import word_set

# Fitted: the weight of each sign of an aside, and the threshold.
ASIDE_WEIGHTS: dict[str, float] = {
    "about_it": 1.9, "answer": 1.6, "bar": -0.1, "colon": -0.4, "dimension": 1.3, "figure": 2.6, "first": 1.1,
    "first_heading": -0.2, "heading": 0.6, "i": 0.6, "keep": -0.4, "known": -2.1, "new": 1.0, "odd": -4.4,
    "order": -0.6, "other": 0.4, "own_line": 2.0, "pair": 1.7, "persons": 0.2, "revise": 1.5, "saying": 0.2,
    "score": 1.4, "score_again": 0.0, "share": 2.9, "short": 0.4, "size": -2.6, "sorts": 0.9, "strange": 3.4,
    "text": 1.1, "told": -1.3, "worth": -0.0, "you": -0.5,
}  # fmt: skip
ASIDE_OFFSET = -5.4
ASIDE_LIMIT = 0.11


def _forms(words: str) -> frozenset[str]:
    """The words with their possible endings, and some impossible ones, which does no harm."""
    found: set[str] = set()
    for word in words.split():
        found.add(word)
        stem = word[:-1] if word[-1] in "ey" else word
        found |= {word + "s", word + "d", word + "ly", stem + "ed", stem + "ing", stem + "ied", stem + "ies"}
        found |= {word + word[-1] + "ed", word + word[-1] + "ing", word + "r", word + "er"}
    return frozenset(found)


def _begins(words: str) -> frozenset[str]:
    return frozenset(word[:STEM] for word in words.split())


# Words by their function in such a sentence.
SORTS: dict[str, frozenset[str]] = {
    # what is revised
    "pair": _forms("instruction response reply prompt completion pair"),
    "answer": _forms("answer output input request"),
    "text": _forms(
        """
        version text draft wording phrasing sentence paragraph passage tone style format meaning clarity grammar
        spelling punctuation typo mistake error detail commentary explanation preamble language facts original
        template repetition content markers words phrase structure layout flow copy
        """
    ),
    # what is done to it
    "revise": _forms(
        """
        revise revision rewrite rewrote rewritten improve improvement correction edit correct polish refine update
        enhance rephrase reword shorten expand fix remove change replace modify modification adjust adjustment clarify
        clarification tweak split clean simplify paraphrase proofread restructure reorganize reorganise reformat trim
        streamline elaborate tidy delete insert
        """
    ),
    "keep": _forms("keep kept add left leave left make made preserve retain maintain touch stay follow meet include"),
    # which of two
    "other": _forms("original previous earlier first initial former old candidate given above following below"),
    "new": _forms(
        """
        new better final improved alternative clearer complete corrected refined friendlier concise cleaner
        stronger simpler smoother shorter different second
        """
    ),
    # what it is worth
    "score": _forms(
        """
        score rating rate grade points marks mark criteria criterion verdict evaluation evaluate assessment assess
        overall critique feedback strengths weaknesses scale judging judge deserves preferred winner
        """
    ),
    "dimension": _forms(
        """
        accuracy relevance helpfulness clarity fluency coherence depth completeness readability correctness
        factuality quality style tone harmlessness conciseness richness
        """
    ),
    "worth": _forms(
        """
        accurate correct complete clear relevant detailed concise helpful vague high mostly excellent good right wrong
        unclear lacks misses ignores specific generic well poor solid weak strong adequate satisfactory informative
        misleading thorough partially fully factually insufficient
        """
    ),
    # who speaks, who listens
    "i": word_set("i i've i'd i'll i'm my me my we we've let"),
    "you": word_set("you your yours you'd you're"),
    "persons": _forms("user reader assistant model editor expert student teacher audience evaluator annotator ai"),
    # how a model is told to write
    "told": _forms(
        """
        task system guidelines rules steps instructions json object keys requirements message constraints limit tags
        role conversation
        """
    ),
    "order": word_set(
        """
        keep write return make do don't use rewrite fix improve output remember start read act please never correct
        polish copy avoid ensure give produce reply print respond answer check mention
        """
    ),
    "bar": word_set("only nothing not never without no must should anything none else"),
    "saying": _forms("here sure certainly course okay absolutely done note summary reason rationale hope gladly got"),
}
SORT_OF: dict[str, tuple[str, ...]] = {}
for _name, _sort in SORTS.items():
    for _word in sorted(_sort):
        SORT_OF[_word] = (*SORT_OF.get(_word, ()), _name)
SORT_BEGINS = frozenset(word[:STEM] for word in SORT_OF)
# Words that are of no kind, and not content either.
IDLE = _begins(
    """
    attempt try tries tried work works working useful closely further length rest part start begin end finish possible
    lot little bit quite too now still even again together exactly really actually simply kind type point place want
    like look seem find found mean show put take took get goes come came know think believe feel easy hard whole just
    direct enough instead already far anyway please back ask asks wants sound sounds mention
    """
)
# A sentence without one of these is not an aside.
CORE = frozenset(("pair", "answer", "text", "revise", "score", "dimension"))
CORE_WORDS = frozenset().union(*(SORTS[name] for name in CORE))
ABOUT_IT = re.compile(
    r"\b(?:the|this|that|my|your|an?|these|both|some|no|any)(?: [\w-]+){0,2}? (?:instruction|response|repl(?:y|"
    r"ie)|prompt|completion|pair|answer|output|question|version|text|draft|wording|revision|rewrite|original|edit|"
    r"change|correction|improvement)s?\b(?! (?:of|to|key)\b)",
    re.IGNORECASE,
)
# "The answer is 42", "the answers are as follows": the content of many tasks.
SAYS_ANSWER = re.compile(r"\banswers? (?:is|are|to)\b|\b(?:any|other|more|further) questions\b", re.IGNORECASE)
FIGURE = re.compile(
    r"\d ?/ ?(?:5|10|100)\b|\bout of (?:5|10|100|five|ten)\b|\[\[.{1,3}\]\]|[:\s][A-F][+-](?=\W|\Z)|"
    r"\A\W*[A-Za-z]+(?: [A-Za-z]+)?\W{1,6}\d{1,2}(?:\.\d)?\W*\Z"
)
SPLIT = re.compile(r"\n+|(?<=[.!?])[\"'”’)\]*]{0,3}[ \t]+(?=\S)")
WINDOW, LONGEST = 420, 300
FIRST, LAST = 2, 3
MANY = 4


def edges(text: str) -> list[str]:
    """The first and the last sentences or lines of a text."""
    if len(text) <= 2 * WINDOW:
        units = [unit for unit in SPLIT.split(text) if unit.strip()]
        found = [*units[:FIRST], *units[FIRST:][-LAST:]]
    else:
        found = [unit for unit in SPLIT.split(text[:WINDOW]) if unit.strip()][:FIRST]
        found += [unit for unit in SPLIT.split(text[-WINDOW:]) if unit.strip()][-LAST:]
    return [unit.strip() for unit in found if len(unit) <= LONGEST]


def _may_have_figure(text: str) -> bool:
    return has_digit(text) or "[[" in text or "out of" in text or "+" in text or "-" in text


def _has_figure(unit: str) -> bool:
    return _may_have_figure(unit) and FIGURE.search(unit) is not None


def _core(case: Case) -> bool:
    """Whether the new answer has a word that an aside needs and the question has not."""
    asked, stems = case.asked.vocabulary, case.asked_stems
    return any(word not in asked and word[:STEM] not in stems for word in CORE_WORDS & case.new.vocabulary)


def aside_signs(unit: str, case: Case, term_counts: Counter[str] | None = None) -> dict[str, float]:
    """The signs of one sentence of the new answer, from 0 to 1; empty for one that mentions no text.

    `term_counts` counts the terms of the whole new answer, for one who asks about several of its sentences.
    """
    facts, asked, stems = TextFacts(unit), case.asked.vocabulary, case.asked_stems
    figure = _has_figure(unit)
    if not figure and CORE_WORDS.isdisjoint(facts.words):
        return {}
    found: dict[str, int] = {}
    sorted_words = 0
    for word in facts.words:
        if word in asked or word[:STEM] in stems:
            continue
        names = SORT_OF.get(word, ())
        sorted_words += bool(names)
        for name in names:
            found[name] = found.get(name, 0) + 1
    if "answer" in found and SAYS_ANSWER.search(unit):
        del found["answer"]
    if not figure and CORE.isdisjoint(found):
        return {}
    signs = dict.fromkeys(found, 1.0)
    if found.get("score", 0) > 1:
        signs["score_again"] = 1.0
    signs["sorts"] = min(len(found), MANY) / MANY
    signs["share"] = sorted_words / max(6, len(facts.words))
    if figure:
        signs["figure"] = 1.0
    if ABOUT_IT.search(unit):
        signs["about_it"] = 1.0
    if unit.endswith((":", ":**", ":*", ":__")):
        signs["colon"] = 1.0
    if len(facts.words) <= MANY:
        signs["short"] = 1.0
        if sorted_words and sorted_words == sum(
            not word.isdigit() and word not in META_FUNCTION_WORDS for word in facts.words
        ):
            signs["heading"] = 1.0
    term_counts = Counter(case.new.stems) if term_counts is None else term_counts
    mine, known = Counter(facts.stems), case.known
    # terms that stand neither in the question nor elsewhere in an answer; the odd ones are of no sort
    strange = [term for term in mine if term not in known and term_counts[term] <= mine[term]]
    odd = [term for term in strange if term not in SORT_BEGINS and term not in IDLE]
    size = max(3, len(mine))
    signs["known"] = sum(term in known for term in mine) / size
    signs["strange"] = len(strange) / size
    signs["odd"] = min(len(odd), 5) / 5
    signs["size"] = math.log1p(len(unit)) / 6
    text = case.new.text
    at = text.find(unit)
    if text[max(0, at - 1) : at] in ("", "\n") and text[at + len(unit) : at + len(unit) + 1] in ("", "\n"):
        signs["own_line"] = 1.0
    if not text[:at].strip():
        signs["first"] = 1.0
        if "heading" in signs:
            signs["first_heading"] = 1.0
    return signs


def strays(case: Case, *, about_texts: bool = False) -> float:
    """How certainly a sentence at either end of the new answer is an aside: above `ASIDE_LIMIT` it is refused.

    `about_texts` where the row asks for a text to be rewritten: then only remarks about the pair itself count.
    """
    core = _core(case)
    if not core and not _may_have_figure(case.new.text):
        return -math.inf
    term_counts: Counter[str] | None = None
    most = -math.inf
    for unit in edges(case.new.text):
        if unit in case.old.text or not (core or _has_figure(unit)):
            continue
        term_counts = Counter(case.new.stems) if term_counts is None else term_counts
        signs = aside_signs(unit, case, term_counts)
        if signs and ("pair" in signs or not about_texts):
            most = max(most, ASIDE_OFFSET + sum(ASIDE_WEIGHTS[name] * value for name, value in signs.items()))
    return most
