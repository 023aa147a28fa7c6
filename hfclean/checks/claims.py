"""The check of claims that a revision turns round: a sentence that stays but for a word and its opposite, or a "not".

A program cannot know which of the two is right. Where nothing but this changes in a sentence, the revision does not
explain itself, and the old claim stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from hfclean.checks.check import Case, Check, TextFacts
from hfclean.text.words import word_set

KEPT = 0.7  # of the words of a sentence: with fewer it is another one
FEWEST, LONGEST = 4, 60  # words of a sentence that is compared
MOST = 40  # changed sentences of a text that are compared
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
ASCII_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")  # the same, faster
SENTENCE = re.compile(r"\s(?:(?<=[.!?;]\s)|(?<=\n))\s*")
PAIRS = """
    more-less/fewer most-least/fewest higher-lower high-low highest-lowest above-below larger-smaller largest-smallest
    bigger-smaller greater-lesser/smaller/less greatest-least/smallest longer-shorter longest-shortest taller-shorter
    faster-slower fast-slow fastest-slowest quickly-slowly stronger-weaker strong-weak strongest-weakest
    better-worse best-worst earlier-later hotter-colder/cooler warmer-colder/cooler hottest-coldest heavier-lighter
    older-younger/newer oldest-youngest/newest easier-harder easy-hard/difficult richer-poorer
    increase-decrease/reduce increases-decreases/reduces increased-decreased/reduced increasing-decreasing/reducing
    rise-fall/drop rises-falls/drops rising-falling/dropping rose-fell/dropped grow-shrink grows-shrinks
    raise-lower raises-lowers raising-lowering improve-worsen improves-worsens expand-contract expands-contracts
    always-never often-rarely/seldom usually-rarely/seldom everyone-nobody everything-nothing everybody-nobody
    before-after maximum-minimum maximize-minimize maximizes-minimizes inside-outside internal-external
    north-south northern-southern east-west eastern-western left-right clockwise-counterclockwise/anticlockwise
    positive-negative true-false correct-incorrect valid-invalid legal-illegal safe-dangerous/unsafe able-unable
    possible-impossible visible-invisible direct-indirect dependent-independent efficient-inefficient
    complete-incomplete accurate-inaccurate sufficient-insufficient effective-ineffective active-inactive
    advantage-disadvantage advantages-disadvantages agree-disagree agrees-disagrees accept-reject accepts-rejects
    include-exclude includes-excludes allow-forbid/prevent allows-forbids/prevents encourage-discourage
    encourages-discourages gain-loss gains-losses profit-loss win-lose wins-loses won-lost buy-sell import-export
    absorb-emit/release absorbs-emits/releases acidic-alkaline/basic even-odd with-without presence-absence
"""
OPPOSITES: dict[str, set[str]] = {}
for _one, _others in (pair.split("-") for pair in PAIRS.split()):
    for _other in _others.split("/"):
        OPPOSITES.setdefault(_one, set()).add(_other)
        OPPOSITES.setdefault(_other, set()).add(_one)
OPPOSED = frozenset(OPPOSITES)
NEGATIONS = frozenset(("not", "never", "no"))
DENIALS = NEGATIONS | {"cannot"}
DENIES = word_set(
    "lack lacks lacked without avoid avoids fail fails failed hardly barely neither nor none nothing few"
)
HELPERS = word_set("do does did is are was were be has have had will would can could may might should must")
SMALL = NEGATIONS | HELPERS  # come and go with a "not", and are not counted
ASKS_FOR_IT = re.compile(
    r"\b(?:opposites?|antonyms?|negat\w+|contrary|reverse[ds]?|contradict\w*|counter-?arguments?|edit|correct|fix|"
    r"errors?|mistakes?|wrong)\b",
    re.IGNORECASE,
)


def _claim_reversed(case: Case) -> bool:
    old, new = case.before.response, case.after.response
    if old == new or not case.same_task:
        return False
    opposite = _opposites_in(case.old.vocabulary, case.new.vocabulary)
    if not opposite and not _may_deny(case.old) and not _may_deny(case.new):
        return False  # most revisions end here
    before, after = (dict.fromkeys(SENTENCE.split(text)) for text in (old, new))
    gone = _compared((part for part in before if part not in after), opposite)
    come = _compared((part for part in after if part not in before), opposite)
    if not any(sentence.may_turn for sentence in (*gone, *come)) or ASKS_FOR_IT.search(case.before.instruction[:3000]):
        return False
    return any(_reversed_in(one, come) for one in gone)


def _opposites_in(old: frozenset[str], new: frozenset[str]) -> set[str]:
    """The words of either text whose opposite stands in the other."""
    found: set[str] = set()
    for one, other in ((old, new), (new, old)):
        found.update(word for word in one & OPPOSED if not other.isdisjoint(OPPOSITES[word]))
        for word in [word for word in one if word[:2] == "un"]:
            if word[2:] in other:
                found |= {word, word[2:]}
    return found


def _may_deny(text: TextFacts) -> bool:
    return not text.vocabulary.isdisjoint(DENIALS) or "n't" in text.lower or "n’t" in text.lower


class _Sentence(NamedTuple):
    words: list[str]
    may_turn: bool  # whether it holds an opposite of a word of the other text, or a "not"


def _compared(parts: Iterable[str], opposite: set[str]) -> list[_Sentence]:
    """The sentences that are compared."""
    turning = opposite | NEGATIONS
    found = (_words(part) for part in parts)
    kept = (words for words in found if FEWEST <= len(words) <= LONGEST)
    return [_Sentence(words, not turning.isdisjoint(words)) for words in islice(kept, MOST)]


def _words(text: str) -> list[str]:
    text = text.lower().replace("’", "'")
    words: list[str] = (ASCII_WORD if text.isascii() else WORD).findall(text)
    if "n't" not in text and "cannot" not in text:
        return words
    found: list[str] = []
    for word in words:
        if word == "cannot" or word.endswith("n't"):
            found += ["can" if word in ("cannot", "can't") else word[:-3], "not"]
        else:
            found.append(word)
    return found


def _reversed_in(old: _Sentence, come: Sequence[_Sentence]) -> bool:
    """Whether new sentences say the contrary of an old one, and none of them still says it."""
    against = (new.words for new in come if old.may_turn or new.may_turn)
    return any(_turned(old.words, new) == 1 for new in against) and all(_turned(old.words, new.words) for new in come)


def _turned(old: Sequence[str], new: Sequence[str]) -> int:
    """1 where a sentence says the contrary of another in its words, 0 where it says the same, for two turns make none;
    -1 where it is not the same sentence."""
    longest = max(len(old), len(new))
    shared = {*old} & {*new}
    if len(shared) < KEPT * longest / 2 or min(len(old), len(new)) < KEPT * longest / 2:
        return -1  # far from it, and most are: the rest is not worth its time
    need = KEPT * max(sum(word not in SMALL for word in words) for words in (old, new))
    if sum(word in shared for word in old) < need:
        return -1
    ops = Levenshtein.opcodes(old, new)
    if sum(op.src_end - op.src_start for op in ops if op.tag == "equal") < need:
        return -1
    turns = 0
    for equal, run in groupby(ops, key=lambda op: op.tag == "equal"):
        if not equal:
            first, *_, last = [*run] * 2
            turns += _turns(old[first.src_start : last.src_end], new[first.dest_start : last.dest_end])
    return turns % 2


def _turns(old: Sequence[str], new: Sequence[str]) -> int:
    """How often words in the place of others turn the claim: by an opposite, and by a "not" with nothing else new."""
    turned = [(one, other) for one in old for other in new if _opposite(one, other)]
    known = {word for pair in turned for word in pair}
    denied = [word for word in (*old, *new) if word in NEGATIONS and word not in known]
    if not denied:
        return len(turned)
    less, more = (old, new) if len(new) > len(old) else (new, old)
    stems = {word[:4] for word in less}
    said = all(word in SMALL or word in known or word[:4] in stems for word in more)
    return len(turned) + len(denied) if said and DENIES.isdisjoint(less) else 0


def _opposite(one: str, other: str) -> bool:
    if other in OPPOSITES.get(one, ()):
        return True
    short, long = sorted((one, other), key=len)
    return len(short) >= 5 and long == f"un{short}"


claim_reversed = Check(
    "claim_reversed", "a sentence that says the contrary of what it said, and otherwise stays", _claim_reversed
)
