"""Checks of the topic: the same question as before, and an answer to it and to no other.

Whether an answer belongs to a question shows in the words that they share, and in those that it shares with the old
answer. A rule weighs them; it was fitted to answers of experts, each under its own and under another row's question
(`benchmarks/gate.py`).
"""

import math
import re

from hfclean.checks.check import Case, Check, TextFacts
from hfclean.text.vocabulary import TOPIC_FUNCTION_WORDS

# Fitted: the weight of each sign of another row's answer, and the threshold.
TOPIC_WEIGHTS: dict[str, float] = {
    "a_number": -0.2, "answer_share": -2.9, "answer_terms": -5.4, "free": -1.1, "free_related": 0.5,
    "next_to_nothing": 0.8, "nothing": 2.1, "old_size": 0.7, "question_share": -2.8, "question_size": 1.0,
    "question_terms": -3.3, "size": 1.5,
}  # fmt: skip
TOPIC_OFFSET = -4.5
TOPIC_LIMIT = 2.25

# Tasks whose answers share few words with the question, and with each other.
FREE = re.compile(
    r"\b(?:stor(?:y|ies)|poem|song|haiku|limerick|joke|quote|slogan|title|headline|sentence|caption|tweet|riddle|"
    r"fiction\w*|character|name|invent|creative|imagine|plot|dialogue|rap|lyrics?|advert\w*|tagline|example|random)\b",
    re.IGNORECASE,
)
FEW, MANY = 4, 6
ENOUGH_SHARED = 5  # terms of the question; the other signs cannot make such an answer another question's


def topic_signs(case: Case) -> dict[str, float]:
    """What the new answer shares with the question and the old answer, as numbers from 0 to 1, sizes to about 6."""
    asked, old, new = case.given, case.old.terms, case.new.terms
    with_question, with_answer = len(new & asked), len(new & old)
    shared = with_question + with_answer
    signs = {
        "question_terms": min(with_question, FEW) / FEW,
        "question_share": with_question / len(asked) if asked else 0.0,
        "answer_terms": min(with_answer, MANY) / MANY,
        "answer_share": with_answer / min(len(new), len(old)) if new and old else 0.0,
        "size": math.log1p(len(new)),
        "old_size": math.log1p(len(old)),
        "question_size": math.log1p(len(asked)),
        "nothing": float(shared == 0),
        "next_to_nothing": float(shared == 1),
    }
    if shared < FEW:
        if case.new.numbers:
            signs["a_number"] = float(not case.new.numbers.isdisjoint(case.asked.numbers | case.old.numbers))
        if FREE.search(case.asked.text[:2000]):
            signs["free"] = 1.0
            signs["free_related"] = min(shared, 2) / 2
    return signs


def _unrelated(case: Case) -> float:
    """How certain it is that the new answer answers another question: above `TOPIC_LIMIT` it is refused."""
    return TOPIC_OFFSET + sum(TOPIC_WEIGHTS[name] * value for name, value in topic_signs(case).items())


def _off_topic(case: Case) -> bool:
    new = case.new.terms
    if case.after.response == case.before.response or not new or len(new & case.given) > ENOUGH_SHARED:
        return False
    return _unrelated(case) > TOPIC_LIMIT


off_topic = Check(
    "off_topic", "an answer that has next to nothing to do with the question and the old answer", _off_topic
)


def _swapped(case: Case) -> bool:
    if case.before.instruction == case.after.instruction:
        return False
    if case.asked.terms and case.asked.terms.isdisjoint(case.asks.terms):
        return True
    before, after = TextFacts(case.before.instruction), TextFacts(case.after.instruction)
    if not before.terms or not after.terms:
        return False
    asked = before.vocabulary - TOPIC_FUNCTION_WORDS
    return asked.isdisjoint(after.vocabulary) and before.terms.isdisjoint(after.terms)


instruction_swapped = Check("instruction_swapped", "an instruction that asks something else than before", _swapped)
