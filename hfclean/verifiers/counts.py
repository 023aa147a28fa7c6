"""Counts and forms that the instruction states and the response misses, items said twice, input given back or solved.

The kinds of constraint are those of the gate (`text.constraint_kinds`), which compares a revision with what was there
before. Here nothing is compared, so only the kinds stay whose words leave no doubt, each with what else must hold.
"""

import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from hfclean.schema import Pair
from hfclean.text.constraint_kinds import KINDS, Kind, stated
from hfclean.text.counting import BULLET, SMALL_NUMBERS, items, without_footnotes
from hfclean.text.language import main_language
from hfclean.text.numbers import has_digit
from hfclean.text.words import contractions
from hfclean.verifiers.verifier import Finding, Verifier

# -------------------------------------------------------------------------------------------------------- count_missed

Sure = Callable[[re.Match[str], Pair], bool]
PROGRAM = re.compile(r"\b(?:function|program|code|script|algorithm|regex|query)\b|```", re.IGNORECASE)
TWO_LISTS = re.compile(
    r"\b(?:pros|cons|similarities|differences|advantages|disadvantages|strengths|weaknesses|both|each|every|"
    r"and (?:\d|two|three|four|five|six)|questions|steps?|then|also|plus|another|(?:\d|two|three) more)\b",
    re.IGNORECASE,
)
ANY_MARK = re.compile(r"^[^\w\n]{1,6}|^[ \t]*\(?\w{1,3}[.)]\s", re.MULTILINE)
ADDED = re.compile(r"\n\n\*[ \t][^\n]*+\s*+\Z")  # a last paragraph that is one line with a star
SPREAD = re.compile(r"^[ \t]*\*[ \t][^\n]*\n\n[ \t]*\*[ \t][^\n]*\n", re.MULTILINE)
POEM = re.compile(r"\b(?:poem|song|verse|rap)\b", re.IGNORECASE)
REWORK = re.compile(
    r"\b(?:improve|edit|given|following|this|analy[sz]e|rewrite|continue|complete|add)\b", re.IGNORECASE
)
QUOTED_SENTENCE = re.compile(r"[\"“][^\"”\n]*[.!?][^\"”\n]*[\"”]")
STATES = re.compile(r"(?:is|has|have|contains?)\b", re.IGNORECASE)  # what something is, and not what to write
STANZAS = re.compile(r"\b(?:each|every|per|stanzas?|verses|translat\w+)\b", re.IGNORECASE)
AND_WHY = re.compile(
    r"\b(?:explain\w*|explanation|reasons?|why|then|because|elaborate|justify|followed|phrase)\b", re.IGNORECASE
)
BACKWARDS = re.compile(r"\b(?:reverse[d]?|descending|backwards?|last|Z (?:to|-) A|Z-A)\b", re.IGNORECASE)
IRREGULAR = re.compile(
    r"\b(?:be|become|begin|bring|buy|catch|come|do|drink|eat|fall|feel|find|get|give|go|good|have|know|leave|make|see|"
    r"speak|take|teach|think|write)\b",
    re.IGNORECASE,
)
DENIED = re.compile(r"\b(?:not|without|avoid\w*|n't|never|no)\b[^.]{0,20}\Z|n't[^.]{0,20}\Z", re.IGNORECASE)
TERMS = re.compile(
    r"\b(?:[ab]\)|you will|keywords?|tags?|starters?|each|every|per|title|name|slogan|headline|phrases?)(?!\w)",
    re.IGNORECASE,
)


def _one_list(match: re.Match[str], pair: Pair) -> bool:
    text = without_footnotes(pair.response)
    if TWO_LISTS.search(pair.instruction) or len(items(text)) != len(ANY_MARK.findall(text)):
        return False
    if ADDED.search(text) and not SPREAD.search(text):
        return False  # a remark, perhaps
    return not PROGRAM.search(pair.instruction)


def _whole_text(match: re.Match[str], pair: Pair) -> bool:
    """Whether a length can only be that of the response."""
    if STATES.match(match[0]) or TERMS.search(pair.instruction) or PROGRAM.search(pair.prompt):
        return False
    return not (BULLET.search(pair.response) or QUOTED_SENTENCE.search(pair.response))


def _plain_list(text: str) -> bool:
    """Whether a text is a list of short items whose alphabetical order is the same for everybody."""
    parts = re.split(r"[,\n]", text)
    return text.isascii() and "-" not in text and all(len(part.split()) <= LONGEST_ITEM for part in parts)


SURE: dict[str, Sure] = {
    "sentences": lambda match, pair: _whole_text(match, pair) and not match[0].lower().startswith("of "),
    "words": lambda match, pair: (
        _whole_text(match, pair)
        and int("0" + re.sub(r"\D", "", match["low"])) >= 20
        and not pair.instruction[: match.start()].endswith("up ")  # "up to", of which the pattern saw half
    ),
    "items": _one_list,
    "lines": lambda match, pair: (
        bool(POEM.search(pair.instruction))
        and not REWORK.search(pair.instruction)
        and not (STANZAS.search(pair.instruction) or "/" in pair.response)
    ),
    "one_word": lambda match, pair: "one word" in match[0].lower() and not AND_WHY.search(pair.instruction),
    "letter": lambda match, pair: not PROGRAM.search(pair.instruction),
    "ends": lambda match, pair: not PROGRAM.search(pair.instruction),
    "uses": lambda match, pair: not (PROGRAM.search(pair.instruction) or IRREGULAR.search(match["words"])),
    "sorted": lambda match, pair: (
        not (PROGRAM.search(pair.instruction) or BACKWARDS.search(pair.instruction))
        and not any(map(str.isdigit, pair.response))
        and _plain_list(pair.response)
    ),
}

# One of the first is in every instruction that states a form, and one of the second beside a number in one that states
# a count.
COUNTED = frozenset(("sentences", "words", "one_word", "items", "lines"))
LONGEST_ITEM = 3  # words
FORM_HINTS = frozenset(hint for kind in KINDS if kind.id in SURE.keys() - COUNTED for hint in kind.hints)
COUNT_HINTS = frozenset(hint for kind in KINDS if kind.id in COUNTED for hint in kind.hints)
NUMBER_WORDS = SMALL_NUMBERS.keys() - {"a", "an"}


def may_state_a_count(words: AbstractSet[str], instruction: str) -> bool:
    """Whether an instruction with these words can state what `count_missed` is sure of; for speed alone."""
    if not FORM_HINTS.isdisjoint(words):
        return True
    return not COUNT_HINTS.isdisjoint(words) and (not NUMBER_WORDS.isdisjoint(words) or has_digit(instruction))


def _count_missed(pair: Pair) -> Iterator[Finding]:
    if not pair.response.strip():
        return
    words = frozenset(contractions(pair.instruction.lower()))
    if not may_state_a_count(words, pair.instruction):
        return
    for kind, match in stated(pair.instruction, words, SURE):
        if DENIED.search(pair.instruction[: match.start()][-40:]):
            continue
        if kind.met(pair.response, match) is False and SURE[kind.id](match, pair):
            yield _missed(kind, match)


def _missed(kind: Kind, match: re.Match[str]) -> Finding:
    asked = " ".join(match[0].split())
    sentence = f"the instruction asks {asked!r}, which the response does not keep ({kind.id})"
    return Finding("count_missed", "response", 0, 0, kind.id, asked, sentence)


count_missed = Verifier(
    "count_missed", "a count or form that the instruction states and the response misses", _count_missed, 2
)

# ---------------------------------------------------------------------------------------------------------- item_twice

REPEATS = re.compile(
    r"\b(?:repeat\w*|again|twice|times|song|lyrics|poem|chant|refrain|chorus|rap|verse|loop|sequence|pattern|schedule|"
    r"plan|dialog\w*|conversation|script|label|classify|categori[sz]e|identify|each|every|rate|score|true or false|"
    r"sort|code|program|function|list of lists|table|chart|itinerary|menu|workout|playlist|ballad|hymn|mantra|"
    r"translate|extract|answers?|questions|sentiments?|evaluate|assess|predict|transcribe|commits?|logs?|simulat\w+|dice|moves?|game|"
    r"quiz|prices?|day|week|these)\b",
    re.IGNORECASE,
)
# Steps of which one may come again: paint, let it dry, paint.
PROCEDURE = re.compile(
    r"\b(?:how (?:do|to|can|would|should|does)|steps?|instructions?|instruct|directions?|guide|recipe|process|"
    r"procedure|tutorial|method|solve|yoga|exercises?|knit|fold|origami)\b",
    re.IGNORECASE,
)
LINE = re.compile(r"(?P<indent>[ \t]*)(?:(?P<mark>[-•–‣◦*]|\d{1,3}[.):])[ \t]+(?=\S))?(?P<said>.*)")
WORD = re.compile(r"\w+")
FEWEST_WORDS, FEWEST_LINES = 3, 2
SHORTEST_ITEM = 2 * FEWEST_WORDS - 1  # characters


def items_twice(pair: Pair, *, steps: bool = False) -> Iterator[Finding]:
    """Items of a list that are said twice; `steps`: also those of a procedure, in which one may come again."""
    text = pair.response
    lines = text.split("\n")
    if len(lines) < FEWEST_LINES:
        return
    ends = [end for line in lines if (end := line.rstrip().lower()[-SHORTEST_ITEM:])]
    if len(set(ends)) == len(ends):
        return  # what is said twice ends twice in the same way
    seen: dict[str, int] = {}
    above = 0  # the line of the item before
    for number, line in enumerate(lines):
        item = LINE.fullmatch(line)
        if item is None or not item["said"] or item["indent"]:
            continue
        if item["mark"] is None or (item["mark"].startswith("1") and item["mark"][1:2] in ".):"):  # another list
            seen = {}
        if item["mark"] is None or item["said"].rstrip().endswith((":", "?")):
            continue
        said = item["said"].strip().lower()
        first, last, above = seen.setdefault(said, number), above, number
        if first != number and len(WORD.findall(said)) >= FEWEST_WORDS:
            if not steps and first < last and item["mark"][:1].isdigit() and PROCEDURE.search(pair.instruction):
                continue
            if "```" in text or "|" in said or REPEATS.search(pair.prompt) or said in pair.prompt.lower():
                return
            sentence = f"the item in line {number + 1} stands in line {first + 1} already"
            yield Finding("item_twice", "response", 0, number, item["said"].strip(), "", sentence)


item_twice = Verifier("item_twice", "an item of a list that is said twice, word for word", items_twice)

# --------------------------------------------------------------------------------------- answer_is_input, solved_input

TRANSFORMS = re.compile(
    r"\b(?:rewrite|re-write|rephrase|reword|paraphrase|translate|summari[sz]e|shorten|condense|simplify|expand|convert|"
    r"transform|turn|change|reverse|replace|modify|reformulate|restate|elaborate|revise)\b",
    re.IGNORECASE,
)
MAY_STAY = re.compile(
    r"\b(?:correct\w*|fix|grammar\w*|grammatical\w*|errors?|mistakes?|proofread|spelling|punctuat\w*|"
    r"(?:if|where) (?:needed|necessary|required|possible|there|it|any)|repeat|copy|echo|identify|whether|check|edit|"
    r"verify|detect|format|capitali[sz]\w*|upper ?case|lower ?case|any|all|every|(?:first|second|third)[- ]person|"
    r"plural|singular|active|passive|positive|negative|palindrome|profanity|decimals?|fractions?|metric|duplicates|list|"
    r"pronouns?|abbreviations?|acronyms?|names?|numbers?|at most|or (?:less|fewer)|under|no more than|fewer than)\b",
    re.IGNORECASE,
)
FILLS = re.compile(
    r"\bfill(?:ing)?[ -]in\b[^.\n]{0,40}?\b(?:blanks?|gaps?|missing)\b|"
    r"\b(?:complet\w+|finish) (?:the|this|a) sentence\b|"
    r"\b(?:insert|find|infer|supply|provide)\b[^.\n]{0,30}?\b(?:blanks?|gaps?|missing)\b",
    re.IGNORECASE,
)
# One of these is in every text in which `FILLS` is found; for speed alone.
FILL_PARTS = ("fill", "complet", "finish", "insert", "find", "infer", "supply", "provide")
COMPLETES = re.compile(r"\b(?:complet\w+|finish)\b", re.IGNORECASE)
# Where what is missing may stand in the text as well.
RECURS = re.compile(
    r"\b(?:(?:from|of|in) the (?:box|list|text|passage|bank|story)|(?:first|second|last) (?:sentence|blank)|angles?|"
    r"sides?|lengths?|values?|letters?|commas?|punctuation)\b",
    re.IGNORECASE,
)
CHOICES = re.compile(r"[/\n(;]|\bor\b|\bA[.):]")
GAP = re.compile(
    r"_|\[\s*\]|\(\s*\)|\[(?:blank|mask|gap)[^\]\n]{0,20}\]|<[^<>\n]{0,20}>|\.\.|…|-{3,}|\*{3,}|\bblank\b|"
    r"\{[^{}\n]*\}|\?{2,}|＿|—|,\s*,",
    re.IGNORECASE,
)
SHORT = 80


def _plain(text: str) -> str:
    return " ".join(WORD.findall(text.lower()))


def _answer_is_input(pair: Pair) -> Iterator[Finding]:
    if pair.response.lstrip()[:1] != pair.input.lstrip()[:1]:
        return
    head = pair.input.split(None, FEWEST_WORDS)[:FEWEST_WORDS]
    if len(head) < FEWEST_WORDS or pair.response.split(None, FEWEST_WORDS)[:FEWEST_WORDS] != head:
        return
    if pair.response.split() != pair.input.split():
        return
    named = stated(pair.instruction, frozenset(contractions(pair.instruction.lower())), ("language",))
    if any(kind.met(pair.response, match) for kind, match in named) or (named and not main_language(pair.response)):
        return  # the input may be in that language
    if TRANSFORMS.search(pair.instruction) and not MAY_STAY.search(pair.instruction):
        sentence = "the response is the input, though the instruction asks to change it"
        yield Finding("answer_is_input", "response", 0, 0, pair.response.strip()[:SHORT], "", sentence)


answer_is_input = Verifier(
    "answer_is_input", "a response that is the input, though the instruction asks to change it", _answer_is_input
)


def _may_fill(text: str) -> bool:
    lower = text.lower()
    return not text.isascii() or any(part in lower for part in FILL_PARTS)


def _solved_input(pair: Pair) -> Iterator[Finding]:
    if not pair.input or not _may_fill(pair.instruction):
        return
    if not FILLS.search(pair.instruction) or GAP.search(FILLS.sub("", pair.instruction)):
        return
    if RECURS.search(pair.instruction):
        return
    if COMPLETES.search(pair.instruction) and not pair.input.rstrip().endswith((".", "!", "?", "。")):
        return
    text, answer = _plain(pair.input), _plain(pair.response)
    if text.count(" ") + 1 < FEWEST_WORDS or not answer or GAP.search(pair.input) or CHOICES.search(pair.input):
        return
    if f" {answer} " in f" {text} ":
        sentence = f"the input has no gap to fill: the answer {pair.response.strip()[:SHORT]!r} stands in it already"
        yield Finding("solved_input", "input", 0, 0, pair.input.strip()[:SHORT], "", sentence)


solved_input = Verifier("solved_input", "a gap to fill in that the input holds filled, with the answer", _solved_input)
