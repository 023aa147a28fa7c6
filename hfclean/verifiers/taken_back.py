"""Words about a written sum that take it back: it is somebody's, asked, supposed, approximate, or of another kind."""

from __future__ import annotations

import re

NOT_SAID = re.compile(
    r"\b(?:in ?accurate|not|cannot|never|should(?: be| have)|mistaken|instead|supposed?|imagine|pretend|"
    r"wait|oops|hmm|actually|invalid|untrue|typo|contradict(?:s|ion)?|impossible|"
    r"approximat\w+|roughly|estimat\w+|round(?:ed|ing|s)?|nearest|but it|"
    r"too (?:high|low|big|large|small|many|much|few)|"
    r"carr(?:y|ied|ying)(?: over)?(?: the| a)? (?:\d|one|ten)|borrow(?:ed|ing)?|forg[eo]t\w*|attempt|misconceptions?|"
    r"slogan|phrase|metaphor\w*|synergy|teamwork|Orwell\w*|calculators?|falsch|stimmt nicht|"
    r"incorrecto?|erróne[oa]|faux|fausse|неверно|неправильно)\b|n't\b|n’t\b|≠|\\neq?\b|❌|✗|✘|✖|错|錯|</(?:del|s)>",
    re.IGNORECASE,
)
# A sum that is somebody's words: "Tom says that 15% of 80 = 10", "You wrote 7 × 8 = 54".
REPORTED = re.compile(
    r"(?<!\bwe )(?<!\bI )(?<!<)\b(?:says?|said|claim(?:s|ed|ing)?|wrote|writ(?:es|ten)|thinks?|believe[sd]?|"
    r"argue[sd]?|insist(?:s|ed)?|told|guess(?:es|ed)?|typed|answered|work(?:ing)? shows|"
    r"(?:students|pupils|people|children|kids|many|some|they) (?:answer|write|put)|"
    r"sagt|rechnet|schreibt|behauptet|dit|écrit|dice|escribe)\b[^.;!?\n]{0,40}\Z",
    re.IGNORECASE,
)
# A sum that is named and not worked out: "as in 1 + 1 = 3", "the idea that 2 + 2 = 5".
NAMED = re.compile(
    r"\b(?:like|as in|such as|a case of|(?:idea|notion|concept|saying|motto|belief|principle)s?)(?: that)?"
    r"\W{0,3}\Z",
    re.IGNORECASE,
)
IDIOM = re.compile(r"1 ?\+ ?1 ?= ?3")
QUOTES = frozenset("\"'“”‘’„«»")
# Where the size of a difference is said without its sign.
MAGNITUDE = re.compile(
    r"\b(?:loss|lost|deficit|debt|owes?|shortfall|difference|decrease|drop(?:ped)?|distance|apart)\b", re.IGNORECASE
)
ADDRESS = re.compile(r"://\S*$")
IF = re.compile(r"\b(?:if|assume|let|when)(?: (?:it were|it was|it is) true that)?\W{0,3}$", re.IGNORECASE)
# What an instruction speaks of where a sum means something else, or is to be wrong.
OTHER_RULES = re.compile(
    r"\b(?:binary|hex(?:adecimal)?|octal|base[- ]?(?!10\b)\d+|modul(?:o|ar|us)|mod|clock|boolean|bitwise|xor|roman|"
    r"mathbb\{?[ZF]|[ZF]_\{?\w|GF\(\d|left[- ]to[- ]right|"
    r"puzzles?|riddles?|cryptarithm\w*|alphametic\w*|ciphers?|incorrect(?:ly)?|wrong(?:ly)?|false|mistakes?|errors?|"
    r"true or|quiz(?:zes)?|jokes?|nonsense|define[sd]?|tropical|paradox|fallacy|debug|multiple[- ]choice)\b|"
    r"\b(?:where|if|let|that|by|as|operation)\W+[a-z] ?[*∗@#⊕⊗△★◦] ?[a-z] ?=|\boperat(?:or|ion) [*∗@#⊕⊗△★◦]",
    re.IGNORECASE,
)
WINDOW = 80  # characters on both sides of a sum in which a word can take it back


def taken_back(text: str, first: int, last: int, *, only_sign: bool) -> bool:
    """Whether the words about a sum say that it is wrong, asked, supposed, or of another kind.

    Args:
        text: in which it stands.
        first: where it begins.
        last: where it ends.
        only_sign: it is wrong by its sign alone, which may be said in words.
    """
    before = text[max(0, first - WINDOW) : first].rpartition("\n")[2]
    after = text[last : last + WINDOW].partition("\n\n")[0]
    if any(said.search(words) for said in (NOT_SAID, OTHER_RULES) for words in (before, after)):
        return True
    if NAMED.search(before) or _is_quoted(text, first, last):
        return True
    if only_sign and MAGNITUDE.search(before):
        return True
    return bool(REPORTED.search(before) or IF.search(before) or ADDRESS.search(before) or "?" in after[:3])


def _is_quoted(text: str, first: int, last: int) -> bool:
    """Whether a line with words holds what stands there as an idiom, or in quotation marks."""
    before, after = text[max(0, first - WINDOW) : first], text[last : last + WINDOW]
    if not (IDIOM.fullmatch(text, first, last) or (before[-1:] in QUOTES and after[:1] in QUOTES)):
        return False
    return any(map(str.isalpha, before.rpartition("\n")[2] + after.partition("\n")[0]))
