"""Checks of answers that are right or wrong as they stand: a label, an option, what stands in a box.

A program cannot know which of two labels is right. It sees that one was put in the other's place, and refuses that
where nothing shows that the old one was wrong.
"""

from __future__ import annotations

import re
from itertools import islice

from hfclean.checks.check import Case, Check
from hfclean.checks.verified import mends
from hfclean.verifiers.answers import TRUTH
from hfclean.verifiers.boxes import MOST_BOXES, boxes_in, may_box
from hfclean.verifiers.options import offered_anyhow
from hfclean.verifiers.values import one_spelling

SHORT = 6  # words: a longer old answer is no bare label
HEAD = 12  # words of the new answer in which its label is looked for

# ----------------------------------------------------------------------------------------------------- label_flipped

OPPOSITES: tuple[frozenset[str], ...] = tuple(
    frozenset(labels.split())
    for labels in (
        "yes no", "true false", "positive negative neutral", "correct incorrect", "right wrong", "spam ham",
        "fact opinion", "agree disagree", "entailment contradiction neutral", "formal informal", "safe unsafe",
        "toxic non-toxic", "active passive", "valid invalid", "grammatical ungrammatical", "subjective objective",
        "living nonliving", "singular plural", "male female", "hot cold", "odd even",
    )
)  # fmt: skip
WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
VERDICT = re.compile(r"[\W_]{0,8}(yes|no|true|false|correct|incorrect)(?=[.,:;!*]|\s*$)", re.IGNORECASE)
LETTER_ALONE = re.compile(r"\A\s*\(?([a-h1-8])(?:[).]|\s*\Z)")
LETTER = re.compile(r"(?:\A\W{0,3}|\b(?:answer|option|choice)(?: is)?:? ?\W{0,3})\(?([A-H])(?=[).:,\s]|\Z)(?! [a-z])")
LISTED = re.compile(
    r"\b(?:classif\w+|categori[sz]e\w*|label\w*|identify|determine|decide|tell|say|state|choose|select|pick|answer|"
    r"is (?:it|this|that|the)|whether|sort|respond|reply)\b[^\n]{0,400}?"
    r"(?:\bas(?: either| one of)?|\binto|\bbetween|\bfrom|\bis|\bare|\bwith|\beither|\bcategor(?:y|ies)\b[:\s]*|:|\()"
    r"\W{0,3}((?:[\w-]+(?: [\w-]+){0,2}, ?){0,8}[\w-]+(?: [\w-]+){0,2},? (?:or|and|/) [\w-]+(?: [\w-]+){0,2})",
    re.IGNORECASE,
)
PARTS = re.compile(r",? (?:or|and) |, ?| ?/ ?")
NOT = frozenset(("not", "isn't", "isn’t", "no", "never", "neither", "nor", "both", "cannot", "can't"))


def _label_flipped(case: Case) -> bool:
    old, new = case.before.response.strip(), case.after.response.strip()
    if old == new or not old or not new:
        return False
    if case.same_task and _verdict_flipped(old, new):
        return True
    before = _first_words(old[:300], SHORT + 1)
    if not 0 < len(before) <= SHORT:
        return _option_flipped(case)
    after = _first_words(new[:600], HEAD)
    named = [labels for labels in OPPOSITES if not labels.isdisjoint(before)]
    for labels in (*named, *_listed(case.asked.text)):
        had, has = _label(before, labels), _label(after, labels)
        if had and has and had != has:
            return True
    return _option_flipped(case)


def _first_words(text: str, most: int) -> list[str]:
    return [match[0].lower() for match in islice(WORD.finditer(text), most)]


def _verdict_flipped(old: str, new: str) -> bool:
    """Whether both answers begin with a verdict, and these are contrary, whatever comes after them."""
    begun = [VERDICT.match(text) for text in (old, new)]
    words = {match[1].lower() for match in begun if match}
    return words in ({"yes", "no"}, {"true", "false"}, {"correct", "incorrect"})


def _label(words: list[str], labels: frozenset[str]) -> str:
    """The one of the labels that the words name; `""` where they name none or several, or deny one."""
    named = {label for label in labels if _names(words, label)}
    if len(named) != 1 or (NOT - labels) & set(words):
        return ""
    return named.pop()


def _names(words: list[str], label: str) -> bool:
    parts = label.split()
    return any(words[k : k + len(parts)] == parts for k in range(len(words) - len(parts) + 1))


def _listed(prompt: str) -> list[frozenset[str]]:
    """The labels among which a question lets choose."""
    found = []
    for match in LISTED.finditer(prompt[:3000]):
        parts = [" ".join(word.lower() for word in WORD.findall(part)) for part in PARTS.split(match[1])]
        parts = [part for part in parts if part]
        first = len(parts[0].split()) if parts else 0
        # "as physical or chemical change": what the last label says of all
        for labels in dict.fromkeys((frozenset(parts), frozenset(" ".join(part.split()[:first]) for part in parts))):
            if len(labels) > 1:
                found.append(labels)
    return found


def _option_flipped(case: Case) -> bool:
    options = {
        letter: " ".join(text.lower().split()).rstrip(" .;,")
        for letter, text in offered_anyhow(case.asked.text).items()
    }
    if not options:
        return False
    had, has = _option(case.before.response, options), _option(case.after.response, options)
    return bool(had and has) and had != has and not mends(case, "option_disagrees")


def _option(answer: str, options: dict[str, str]) -> str:
    """The letter of the option that an answer takes; `""` where it takes none or several."""
    taken = set(LETTER.findall(answer[:2000])) & options.keys()
    if not taken and (alone := LETTER_ALONE.match(answer)):
        taken = {alone[1]} & options.keys()
    if not taken:
        lower = " ".join(answer[:400].lower().split())
        taken = {letter for letter, text in options.items() if len(text) > 2 and text in lower}
    return taken.pop() if len(taken) == 1 else ""


label_flipped = Check(
    "label_flipped", "a label or an option that was taken, with another one in its place", _label_flipped, version=2
)

# ----------------------------------------------------------------------------------------------------- boxed_changed


def boxes(text: str) -> list[str]:
    """What stands in boxes and behind `####`, in one spelling."""
    found = [one_spelling(box.value) for box in islice(boxes_in(text), MOST_BOXES)] if may_box(text) else []
    if "####" in text:
        found += map(one_spelling, TRUTH.findall(text))
    return found


def _boxed_changed(case: Case) -> bool:
    old, new = case.before.response, case.after.response
    if old == new:
        return False
    before, after = boxes(old), boxes(new)
    if not before or set(before) <= set(after):
        return False
    corrected = len(before) == len(after) == 1 and _comes_to(after[0], before[0], old)
    return not (corrected or (after and mends(case, "wrong_sum", "answers_disagree")))


def _comes_to(right: str, wrong: str, text: str) -> bool:
    """Whether the text works out one number, and nowhere but in its box says the other."""
    numbers = re.findall(r"(=\s*)?\$?(?<![\d.])(\d[\d,]*)(?![\d.]*\d)", text)
    values = [(bool(sign), number.replace(",", "")) for sign, number in numbers]
    return (True, right) in values and sum(number == wrong for _, number in values) == 1


boxed_changed = Check(
    "boxed_changed", "a final answer in a box, or behind ####, that is gone or another", _boxed_changed
)
