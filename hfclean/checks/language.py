"""The check for a revision that switched to another language."""

import re

from hfclean.checks.check import Case, Check, TextFacts
from hfclean.text.language import (
    FEWEST_FOREIGN,
    FOREIGN,
    OUTSIDE_LATIN,
    SAMPLE,
    main_language,
    may_be_in,
    named_languages,
)

ASKS = re.compile(
    r"\b(?:translat\w+\b[^.\n]{0,200}\b(?:in)?to|(?:write|answer|respond|reply|say|compose|output)\b[^.\n]{0,60}\bin)\b",
    re.IGNORECASE,
)
SIMILAR = frozenset((frozenset(("sv", "da")), frozenset(("es", "pt")), frozenset(("cs", "pl"))))

SHORTEST_IN_PART = 120


def _changed(case: Case) -> bool:
    before, after = case.before, case.after
    if after.response != before.response and _left_what_was_asked(case):
        return True
    if after.response != before.response and (_went_over(case.new, case.old, case) or _ends_foreign(case)):
        return True
    return (
        after.instruction != before.instruction
        and len(after.instruction) > 20
        and _went_over(TextFacts(after.instruction), TextFacts(before.instruction), case)
    )


def _left_what_was_asked(case: Case) -> bool:
    """Whether the old answer is in the language that the question asks for, and the new one in none that it names."""
    if not ASKS.search(case.before.instruction[:SAMPLE]):
        return False
    named = named_languages(case.before.instruction) - {"any"}
    if len(named) != 1 or case.old.language not in named:
        return False
    into = case.new.language
    return bool(into) and into not in named and not may_be_in(case.new.text, case.old.language)


def _ends_foreign(case: Case) -> bool:
    """Whether the second half of the new answer is in another language."""
    text = case.new.text
    if len(text) < SHORTEST_IN_PART or _is_plain(case.new):
        return False
    return _went_over(TextFacts(text[len(text) // 2 :]), case.old, case)


def _is_plain(text: TextFacts) -> bool:
    """Whether a text shows no sign of a language other than English."""
    if len(text.vocabulary & FOREIGN) >= FEWEST_FOREIGN:
        return False
    return text.text.isascii() or len(OUTSIDE_LATIN.findall(text.text[:SAMPLE])) <= FEWEST_FOREIGN


def _went_over(new: TextFacts, old: TextFacts, case: Case) -> bool:
    if _is_plain(new) and _is_plain(old):
        return False  # nearly every text ends here
    into = new.language
    if not into or into == old.language:
        return False
    known = {old.language, main_language(case.before.instruction), main_language(case.before.input)}
    known |= {main_language(turn.text) for turn in case.before.history[-4:]}
    asked = case.asked
    if asked.text.isascii() and asked.words and not asked.vocabulary & FOREIGN:
        known.add("en")  # too short to tell, and most likely English
    known.discard("")
    if not known or into in known or any(frozenset((into, name)) in SIMILAR for name in known):
        return False
    named: set[str] = set()
    for text in (case.before.instruction, case.after.instruction, case.before.input, case.before.system):
        named |= named_languages(text)
    for turn in case.before.history[-4:]:
        named |= named_languages(turn.text)
    if into in named or any(may_be_in(new.text, name) for name in named - {"en", "any"}):
        return False
    return not ("any" in named and not named - {"any", "en"})


language_changed = Check(
    "language_changed", "a text in another language than before, though nobody asked for it", _changed, 3
)
