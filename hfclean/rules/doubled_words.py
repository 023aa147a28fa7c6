"""The rule about a small English word that is written twice.

"a a" is Hungarian, "an an" German, "for for" Danish and "as as" Portuguese: the rule looks only where the words around
the pair, and those of the instruction, are English. Some pairs are English too ("the shop I went to to buy it"): where
grammar allows them, they are reported and left alone.
"""

from __future__ import annotations

import re
from typing import Literal

from hfclean.rules.glance import Glance, Possible
from hfclean.rules.rule import Rule, asked_about
from hfclean.rules.text_shapes import is_verse
from hfclean.schema import Pair
from hfclean.text import outside_protected
from hfclean.text.request_language import ENGLISH, ENGLISH_ALONE, LOOK_UP, is_english, may_be_english
from hfclean.text.words import LETTERS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that rarely follow themselves in correct English; "had had", "that that", "is is" and "in in" sometimes do. The
# letter a must not stand before another single letter, where it is a rhyme scheme, nor name a vitamin or a group.
DOUBLED = re.compile(
    r"(?<![\w'’-])(?:(the|an|of|and|for|with|from|at|as|to|by|their|your|our|his)(?: \1(?![\w'’-]))++"
    r"|(?<!\ba )(a)(?: a)++(?= [A-Za-z]{2}))"
)

# Tasks where words are doubled on purpose, or as the mistake to find.
ABOUT_DOUBLES = re.compile(
    r"\b(?:correct|fix|edit|proofread|grammar|grammatical|mistakes?|errors?|spelling|typos?|revise|rewrite|count|"
    r"repeat|repeated|duplicates?|frequency|occurrences?|most common|song|lyrics|poem|stutter\w*|stammer\w*|"
    r"hesitat\w*|disfluen\w*|transcript|"
    r"punctuat\w*)\b",
    re.IGNORECASE,
)
# A longer instruction holds pasted matter, such as transcripts of speech.
LONGEST_TASK = 600
AROUND, NEAR = 160, 40
SAMPLE = 800
MOST_DOUBLES = 200

# Texts about the doubled pair.
SPOKEN_OF = re.compile(
    r"\b(?:words?|articles?|prepositions?|conjunctions?|pronouns?|determiners?|doubled|repeated|typos?|spelled|"
    r"keywords?|"
    r"stop ?words?|tokens?|operators?|letters?|stutter\w*|syllables?)\b",
    re.IGNORECASE,
)
LETTER_OF = re.compile(
    r"\b(?:vitamin|hepatitis|type|plan|option|point|group|class|team|section|side|grade|influenza) \Z",
    re.IGNORECASE,
)
# A clause with one of these may end in a preposition, and the next phrase may begin with the same one.
RELATIVE = _words(
    "what who whom which whatever whoever whichever where that thing things everything anything something "
    "nothing someone anyone everyone one ones"
)
STRANDED = {
    "to": "go goes went gone going come comes came listen listens listened listening talk talks talked talking speak "
    "speaks spoke spoken look looked forward refer refers referred belong belongs belonged used added attached close "
    "next "
    "respond responded reply replied write wrote written sent given move moved travel travelled traveled drive drove "
    "adhere aspire cater contribute lead leads led married object point react relate resort return returned stick "
    "subscribe turn turned up back over on in",
    "for": "ask asks asked asking look looks looked looking wait waits waited waiting pay paid care cared search "
    "searched "
    "call called stand stands stood long hope hoped apply applied account go going known used vote voted provide "
    "allow "
    "work works worked live lived made meant famous responsible",
    "with": "go went work works worked live lives lived deal deals dealt agree agreed play played talk talked speak "
    "spoke "
    "meet met familiar associated happy along up",
    "at": "look looks looked looking laugh laughed stare stared point aim work worked arrive arrived good present "
    "shop eat",
    "from": "come comes came hear heard suffer suffered get got made buy bought borrow borrowed escape escaped",
    "by": "pass passes passed passing go goes went gone stop stopped drop dropped come came stand stood live lived "
    "swear "
    "drive drove driven fly flew flown abide close near walk walked walking ride slip slipped tick ticked",
    "of": "think thought hear heard made capable proud afraid aware sort kind tired dream dreamed dreamt speak spoke",
    "as": "regarded known described seen viewed treated classified perceived considered much well soon just",
}
STRANDS = {word: frozenset(listed.split()) for word, listed in STRANDED.items()}
CLAUSE = re.compile(r"[^.!?;:\n]*\Z", re.IGNORECASE)
# English that speaks of another language may hold words of it.
OF_LANGUAGES = re.compile(
    r"\b(?:Arabic|Bulgarian|Catalan|Chinese|Croatian|Czech|Danish|Dutch|Estonian|Finnish|French|German|Greek|"
    r"Hawaiian|"
    r"Hebrew|Hindi|Hungarian|Icelandic|Indonesian|Irish|Italian|Japanese|Korean|Latin|Latvian|Lithuanian|Malay|"
    r"Maori|"
    r"Norwegian|Persian|Polish|Portuguese|Romanian|Russian|Samoan|Scots|Serbian|Slovak|Slovenian|Spanish|Swahili|"
    r"Swedish|"
    r"Tagalog|Turkish|Ukrainian|Vietnamese|Welsh|Yoruba)\b"
)


def _may_double(text: str) -> bool:
    # Chains of "in", not any(): this runs on every text of every row. What ends in a blank is found more slowly, so
    # that the first chain goes without.
    return (
        " the the" in text
        or " a a" in text
        or " of of" in text
        or " and and" in text
        or " to to" in text
        or " for for" in text
        or " with with" in text
        or " an an" in text
        or " from from" in text
        or " at at" in text
        or " as as" in text
        or " by by" in text
        or "their their" in text
        or "your your" in text
        or "our our" in text
        or "his his" in text
    ) and (
        " the the " in text
        or " a a " in text
        or " of of " in text
        or " and and " in text
        or " to to " in text
        or " for for " in text
        or " with with " in text
        or " an an " in text
        or " from from " in text
        or " at at " in text
        or " as as " in text
        or " by by " in text
        or "their their " in text
        or "your your " in text
        or "our our " in text
        or "his his " in text
    )


# What every hint of `_may_double` is, once it is split into words.
TWICE = frozenset((
    "the", "a", "of", "and", "to", "for", "with", "an", "from", "at", "as", "by", "their", "your", "our", "his",
))  # fmt: skip


def _may_have_double(pair: Pair, glance: Glance) -> bool:
    return glance.doubled


def _has_double(pair: Pair) -> bool:
    for text in (pair.response, pair.instruction if len(pair.instruction) <= LONGEST_TASK else ""):
        if _may_double(text) and _has_slip(text):
            return _may_slip(pair)
    return False


def _may_slip(pair: Pair) -> bool:
    return not asked_about(ABOUT_DOUBLES, pair.instruction) and may_be_english(pair.instruction)


def _single(pair: Pair) -> Pair:
    if not _may_slip(pair) or OF_LANGUAGES.search(pair.instruction[:SAMPLE]):
        return pair  # the answer may be in the language that is named
    changed = {}
    for name in ("instruction", "response"):  # an input is the matter to work on
        text = getattr(pair, name)
        if (name == "response" or len(text) <= LONGEST_TASK) and _may_double(text):
            single = outside_protected(text, _halve)
            if single != text:
                changed[name] = single
    return pair.replace(**changed) if changed else pair


def _has_slip(text: str) -> bool:
    found = False

    def look(stretch: str) -> str:
        nonlocal found
        if not found:
            found = any(_verdict(match) != "fine" for match in DOUBLED.finditer(stretch))
        return stretch

    outside_protected(text, look)
    return found


def _halve(text: str) -> str:
    matches = list(DOUBLED.finditer(text))
    if not matches or len(matches) > MOST_DOUBLES or is_verse(text):
        return text
    parts, start = [], 0
    for match in matches:
        if _verdict(match) == "slip":
            parts += [text[start : match.start()], match.group(1) or "a"]
            start = match.end()
    return "".join([*parts, text[start:]])


def _verdict(match: re.Match[str]) -> Literal["slip", "doubt", "fine"]:
    """Whether a pair of words is a slip of the pen, may be one, or is right as it stands."""
    text, (start, end) = match.string, match.span()
    line = max(text.rfind("\n", 0, start) + 1, start - AROUND)
    line_end = text.find("\n", end, end + AROUND)
    before, after = text[line:start], text[end : end + AROUND if line_end < 0 else line_end]
    if not _in_english(before + match.group() + after, text) or SPOKEN_OF.search(before[-NEAR:] + after[:NEAR]):
        return "fine"
    word = match.group(1) or "a"
    if word == "a" and LETTER_OF.search(before):
        return "fine"
    if (before[-1:] in "\"'“‘«„*_(" and before) or (after[:1] in "\"'”’»*_)" and after):
        return "doubt"
    if "=" in before[-3:] + after[:3]:  # a condition
        return "doubt"
    if sum(mark in '"“”„«»' for mark in before) % 2:  # in speech that is quoted, where somebody may stammer
        return "doubt"
    near = LETTERS.findall(before.lower())[-6:], LETTERS.findall(after.lower())[:6]
    if any(name in LOOK_UP and name not in ENGLISH for name in near[0][-1:] + near[1][:1]):
        return "fine"  # a quotation in English text
    around = {*near[0], *near[1]}
    if ENGLISH_ALONE.isdisjoint(around) and len(ENGLISH & around) < 2:
        return "doubt"
    if OF_LANGUAGES.search(before):
        return "doubt"
    clause = CLAUSE.search(before)
    words = [found.lower() for found in LETTERS.findall(clause.group())] if clause else []
    if word in STRANDS and words and (words[-1] in STRANDS[word] or not RELATIVE.isdisjoint(words[-8:])):
        return "doubt"
    return "slip"


def _in_english(line: str, text: str) -> bool:
    """Whether a line is English; a short one is judged by the text around it, unless a word of it contradicts that."""
    if is_english(line):
        return True
    words = set(LETTERS.findall(line.lower()))
    if not line.isascii() or any(word in LOOK_UP and word not in ENGLISH for word in words):
        return False
    return is_english(text[:SAMPLE])


doubled_word = Rule(
    "doubled_word",
    severity="low",
    meaning='a small English word written twice ("the the")',
    detect=_has_double,
    possible=Possible(_may_have_double, doubled=TWICE),
    repair=_single,
    example=("It lies in the the north of Italy.", "It lies in the north of Italy."),
    version=2,
)
