"""Thought, final answer, box, chosen option and truth of one row that do not agree.

A value is compared only where the text says that it is the answer: `\\boxed{}`, what follows `####`, "the answer is".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from hfclean.schema import Pair
from hfclean.text.thoughts import may_think, split_thought
from hfclean.verifiers.boxes import MOST_BOXES, boxes_in, may_box
from hfclean.verifiers.options import offered
from hfclean.verifiers.units import factors
from hfclean.verifiers.values import LONGEST, agree, differ, read_value
from hfclean.verifiers.verifier import Finding, Verifier

# ------------------------------------------------------------------------------------------------------ final answers

TRUTH = re.compile(r"^####[ \t]*(\S[^\n]*)$", re.MULTILINE)
SAID = re.compile(
    r"\b(?:final |correct |right )?answer(?: to (?:the|this) (?:question|problem))?(?: (?:is|must be|should be|"
    r"would be)|:| =)(?: therefore| thus| option| choice)?:?[ *]*(?P<value>\$[^$\n]{1,60}\$|\(?[A-H]\)?(?![\w'’])|"
    r"-?[$£€]?\d[\d,]*(?:\.\d+)?(?:/\d+)?(?: ?%)?)(?=(?P<next>[ *]*[^\n]{0,20}))",
    re.IGNORECASE,
)
LEADS_TO = re.compile(r"\b(?:final |correct |right )\Z", re.IGNORECASE)
LONGEST_LEAD = 9
# What goes on behind a number that is therefore not yet the answer.
GOES_ON = re.compile(
    r"\s*(?:[-+×x*/=^:–~<>≈(!_°]|\\|,?\s?(?:or|and|to|times|plus|minus|th|st|nd|rd|of|per|squared|cubed|dozen|hundred|"
    r"thousand|million|billion|more|less|fewer|divided|multiplied|degrees|o['’]clock)\b|[a-z]{0,3}\d|,\s?\d|\.\d)"
)
UNIT = re.compile(r" ?([A-Za-z]{1,20})\b")
# Whose answer it is, if not that of the row.
NOT_OURS = re.compile(
    r"(?:\b(?:first|second|third|one|other|another|naive|initial|expected|users?|given|reference|old|previous|wrong|obvious|"
    r"tempting|intuitive|guessed|his|her|their|your|(?:if|suppose|whether) (?:the|an|my|our))|['’]s) \Z",
    re.IGNORECASE,
)
BEFORE = 24
GRADES = re.compile(
    r"\b(?:grad(?:e|es|ed|ing)|scor(?:e|es|ed|ing)|marks?|rat(?:e|es|ed|ing)|evaluat\w+|assess\w*|judg\w+|verify|check|"
    r"student\w*|how many (?:are|were|of))\b",
    re.IGNORECASE,
)
SEVERAL = re.compile(
    r"\(a\)|\(i\)|^[ \t]*(?:[a-c1-3]|i)[).]\s|\b(?:both|each|respectively|questions|problems|parts|following "
    r"equations|all (?:solutions|values|roots|possible)|part [1a])\b|\bquestion [12]\b",
    re.IGNORECASE | re.MULTILINE,
)
TAKEN_BACK = re.compile(
    r"\b(?:wait|hmm+|actually|however|but|no(?=,)|mistake|wrong|incorrect|not correct|recheck|re-check|double-check|"
    r"let me|correct(?:ed|ion)|instead|alternatively|approximat\w+|about|round\w*|convert\w*|in terms of|otherwise|"
    r"if)\b|≈",
    re.IGNORECASE,
)

WAYS = (("truth", "box"), ("truth", "said"), ("said", "box"))
LEADS = re.compile(r"\banswer(?: is|:)?[\s:*$\\(\[]*\Z", re.IGNORECASE)
LEAD = 40


class Stated(NamedTuple):
    """An answer as it is stated: its value, where it begins and ends, and the way in which it is said."""

    value: str
    start: int
    end: int
    way: str


def _stated(text: str) -> list[Stated]:
    """The answers that a text states, in its order."""
    boxes = list(islice(boxes_in(text), MOST_BOXES + 1)) if may_box(text) else []
    if len(boxes) > MOST_BOXES:
        return []
    found = [Stated(box.value, box.start, box.end, "box") for box in boxes if box.closed]
    if "####" in text:
        truths = list(TRUTH.finditer(text))
        if len(truths) == 1 and not text[truths[0].end() :].strip():  # else they are headings
            found.append(Stated(truths[0][1], truths[0].start(), truths[0].end(), "truth"))
    for said in _sayings(text):
        rest = said["next"]
        ours = not NOT_OURS.search(text, max(0, said.start() - BEFORE), said.start())
        if ours and not GOES_ON.match(rest.lstrip("*")):
            unit = UNIT.match(rest)
            value = said["value"] + (unit[0] if unit and factors(unit[1]) else "")
            found.append(Stated(value, said.start(), said.start("value") + len(value), "said"))
    return sorted(found, key=lambda stated: stated.start)


def _sayings(text: str) -> Iterator[re.Match[str]]:
    """The matches of SAID, in their order; a search for its one word is much faster than for all that may begin it."""
    end = 0
    for place in sorted((*_places(text, "nswer"), *_places(text, "NSWER"))):
        begin = place - 1  # of "answer"
        if begin < end:
            continue
        lead = LEADS_TO.search(text, max(end, begin - LONGEST_LEAD), begin)
        said = SAID.match(text, lead.start() if lead else begin)
        if said is not None:
            end = said.end()
            yield said


def _places(text: str, word: str) -> Iterator[int]:
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def final_answer(text: str) -> Stated | None:
    """The answer that a text gives in the end: behind `####`, in its last box, in words, or all of it where that is
    nothing but a value; None where it says none, or says several that differ."""
    ends = _stated(text)
    if not ends:
        return _whole(text)
    by_way = {stated.way: stated for stated in ends}
    if any(
        one in by_way and other in by_way and differ(by_way[one].value, by_way[other].value) for one, other in WAYS
    ):
        return None
    last = next(by_way[way] for way in ("truth", "box", "said") if way in by_way)
    return None if TAKEN_BACK.search(text, last.end) else last


def _answers_disagree(pair: Pair) -> Iterator[Finding]:
    text = pair.response
    if not may_box(text) and "####" not in text and not (pair.thought or ("nswer" in text and may_think(text))):
        return
    thought, final, offset = split_thought(pair)
    if pair.prompt.count("?") > 1 or SEVERAL.search(pair.prompt) or SEVERAL.search(final):
        return
    ends = _stated(final)
    by_way = {stated.way: stated for stated in ends}
    pairs = [(by_way[one], by_way[other]) for one, other in WAYS if one in by_way and other in by_way]
    boxes = [stated for stated in ends if stated.way == "box" and LEADS.search(final[: stated.start][-LEAD:])]
    if len(boxes) > 1:
        pairs.append((boxes[-2], boxes[-1]))
    for one, other in pairs:
        first, last = sorted((one, other), key=lambda stated: stated.start)
        if differ(one.value, other.value) and not TAKEN_BACK.search(final, first.end, last.start):
            yield _finding(text, offset, one, other)
            return
    if GRADES.search(pair.prompt):
        return
    conclusion = _conclusion(thought)
    if conclusion is not None:
        answer = ends[-1] if ends else _whole(final)
        if answer is not None and differ(conclusion.value, answer.value):
            yield _finding(text, offset, conclusion, answer)


def _conclusion(thought: str) -> Stated | None:
    """What a thought comes to, and does not take back."""
    stated = _stated(thought)
    return stated[-1] if stated and not TAKEN_BACK.search(thought, stated[-1].end) else None


def conclusion_agrees(pair: Pair) -> bool | None:
    """Whether the answer is the value that the thought comes to; None where one of them states none, where the task
    has several answers, and where it is not certain."""
    thought, final, _ = split_thought(pair)
    if pair.prompt.count("?") > 1 or SEVERAL.search(pair.prompt) or GRADES.search(pair.prompt):
        return None
    conclusion, ends = _conclusion(thought), _stated(final)
    answer = ends[-1] if ends else _whole(final)
    if conclusion is None or answer is None:
        return None
    if differ(conclusion.value, answer.value):
        return False
    return True if agree(conclusion.value, answer.value) else None


def _whole(final: str) -> Stated | None:
    """A final answer that is nothing but a value."""
    value = final.strip()
    if read_value(value) is None:
        return None
    return Stated(value, final.index(value), len(final), "whole")


def _finding(text: str, offset: int, expected: Stated, found: Stated) -> Finding:
    value, other = found.value.strip("$* "), expected.value.strip("$* ")
    return Finding(
        check="answers_disagree",
        field="response",
        turn=0,
        line=text.count("\n", 0, offset + found.start),
        found=value,
        expected=other,
        sentence=f"the answer is given as {value} and as {other}",
    )


answers_disagree = Verifier(
    "answers_disagree",
    "final answers that differ: in thought, box, words or behind `####`",
    _answers_disagree,
    version=2,
)

# ------------------------------------------------------------------------------------------------------------- options

CHOSEN = re.compile(
    r"(?:(?i:\b(?:answer|option|choice)(?: is|:))|\A\s*+)[ *]*+(?:option |choice )?\(?(?P<letter>[A-H])"
    r"(?:[).:]+[ *]*|\**(?=[.\n]|\Z))(?P<text>[^\n]*)"
)
WORDS = re.compile(r"[^\W_]+")
# What makes another order or other options of those that are offered.
REORDERS = re.compile(
    r"\b(?:sort|order|rank|arrange|shuffle|reverse|swap|re-?order|rearrange|rewrite|rephrase|match|permut\w*|translate)\b",
    re.IGNORECASE,
)
NOT_CHOSEN = re.compile(
    r"(?:is|was|are|can|has|would|should|will)\b|[^\n]{0,40}\b(?:none|all|neither|both|others?)\b", re.IGNORECASE
)
NEW_OPTION = re.compile(
    r"\b(?:add|new|another|more|create|generate|write|suggest|additional|missing)\b", re.IGNORECASE
)
HEAD = re.compile(r"[.,;:(–—]| (?:is|was|are|were|because|since|as) ")  # what ends the text of an option
LONGEST_ANSWER = 5_000


def _option_disagrees(pair: Pair) -> Iterator[Finding]:
    prompt = pair.prompt
    if "A" not in prompt or "B" not in prompt:
        return
    _, final, start = split_thought(pair)
    chosen = CHOSEN.search(final[:LONGEST_ANSWER])
    if chosen is None:
        return
    options = offered(prompt)
    if not options:
        return
    letter, texts = chosen["letter"], {_plain(chosen["text"]), _plain(HEAD.split(chosen["text"], maxsplit=1)[0])}
    line = pair.response.count("\n", 0, start + chosen.start("letter"))
    found = f"{letter} {chosen['text']}".strip()[:LONGEST]
    if REORDERS.search(pair.instruction):
        return
    if letter not in options:
        if NOT_CHOSEN.match(chosen["text"]) or NEW_OPTION.search(pair.instruction):
            return
        sentence = f"the chosen option {letter} is not among those offered, {', '.join(options)}"
        yield Finding("option_disagrees", "response", 0, line, found, "", sentence)
        return
    named = [other for other, text in options.items() if text and _plain(text) in texts]
    if len(named) == 1 and named[0] != letter:
        sentence = f"the chosen option {letter} is {options[letter]!r} in the task; what is said is option {named[0]}"
        yield Finding("option_disagrees", "response", 0, line, found, f"{named[0]} {options[named[0]]}", sentence)


def _plain(text: str) -> str:
    return " ".join(WORDS.findall(text.lower()))


option_disagrees = Verifier(
    "option_disagrees",
    "a chosen option that is not among those offered, or has the text of another one",
    _option_disagrees,
)
