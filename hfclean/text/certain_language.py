"""Which language a text is in, beyond doubt: its script, or one of seven languages in Latin letters."""

from __future__ import annotations

import re
from typing import NamedTuple

from hfclean.text.words import LETTERS

# Scripts that tell languages apart by themselves. Kana and Han count as one: Japanese uses both.
SCRIPTS = {
    "latin": re.compile("[A-Za-zÀ-ɏ]"),
    "han": re.compile("[㐀-䶿一-鿿぀-ヿ]"),
    "cyrillic": re.compile("[Ѐ-ӿ]"),
    "arabic": re.compile("[؀-ۿ]"),
    "devanagari": re.compile("[ऀ-ॿ]"),
    "hangul": re.compile("[가-힣]"),
    "greek": re.compile("[Ͱ-Ͽ]"),
    "hebrew": re.compile("[֐-׿]"),
    "thai": re.compile("[฀-๿]"),
}
SAMPLE = 1500
# Small words, and the first words of questions, by which languages in Latin letters are told apart. Some belong to
# two; none outside the first list is also an English word.
SMALL_WORDS = {
    "en": "the and of to is that it for with are this was be you have not from they by which what how why when where "
    "who an or can will does do did write give name list make explain create generate find "
    "their them too because these those into there than more most many much about has had were been would should",
    "es": "el los las una por para con del que como más pero su sus esta este qué cómo también según muy fue porque "
    "además sin sobre entre se al lo y está hay cuál cuáles dónde escribe explica en de la un es",
    "fr": "le les des une est dans que qui avec pas sont cette ces vous nous aux être ou où à et pourquoi quel quelle "
    "quels quelles elles ils leur leurs aussi mais très par jusqu ce se donne donnez "
    "écris écrivez explique expliquez en de la un il elle au du ne",
    "de": "der das und ist nicht ein eine einen mit für auf den dem sich von zu im auch wie als bei sind oder wird "
    "warum welche welcher nenne schreibe erkläre beschreibe gib ich wir sie er es aus nach "
    "bis zum zur sehr durch aber wenn kann haben werden beim noch diese dieser",
    "pt": "os uma não são você mais da dos das em ao seu sua foi pelo pela também às isso que para por com como se na "
    "nas nos até muito essa esse ou quando o de é e qual quais escreva explique descreva liste",
    "it": "il gli della che con sono non di una più nel dei delle alla questo anche si è perché quale quali scrivi "
    "descrivi spiega un la le al lo del da nella nelle nei dalla dal molto loro hanno fino quando ma e o",
    "nl": "het een en niet zijn voor ook maar naar deze wordt bij dat te op er de waarom hoe welke schrijf",
}
LOOK_UP: dict[str, list[str]] = {}
for _language, _listed in SMALL_WORDS.items():
    for _word in _listed.split():
        LOOK_UP.setdefault(_word, []).append(_language)
# What names a language, or asks for another one.
ABOUT_LANGUAGE = re.compile(
    r"translat|language|\bin (?:english|french|german|spanish|italian|portuguese|dutch|latin|chinese|japanese|"
    r"korean|russian|arabic|"
    r"hindi|greek|hebrew|turkish|swedish|polish|mandarin|cantonese)\b|\b(?:english|french|german|spanish|italian|"
    r"portuguese|dutch|latin|"
    r"chinese|japanese|korean|russian|arabic|hindi|greek|hebrew|turkish|mandarin|esperanto|swahili|persian|farsi)\b|"
    r"übersetz|"
    r"auf (?:deutsch|englisch)|tradu[cizs]|en (?:inglés|español|anglais|français)|"
    r"翻译|英文|英语|中文|法语|德语|日语|西班牙语|翻訳|"
    r"перевод|перевед|англий|번역|영어|拼音|pinyin|foreign|polyglot|multilingual",
    re.IGNORECASE,
)
# The same for ASCII, on bytes: letters in lower case, blanks for everything else.
ASCII_LETTERS = bytes(ord(chr(code).lower()) if chr(code).isalpha() and code < 128 else 32 for code in range(256))
NO_LETTERS = bytes(code for code in range(256) if ASCII_LETTERS[code] == 32)
NOT_ASCII = re.compile("[^\x00-\x7f]+")


def script_of(text: str) -> str:
    """The script of at least nine of ten letters, or "" where there are few or they are mixed."""
    text = text[:SAMPLE]
    if text.isascii():
        return "latin" if _ascii_letters(text[:200]) >= 10 else ""
    # Most such texts have a few characters beyond ASCII: only those are searched for each script.
    others = "".join(NOT_ASCII.findall(text))
    counts = {name: len(pattern.findall(others)) for name, pattern in SCRIPTS.items()}
    counts["latin"] += _ascii_letters(text)
    name = max(counts, key=lambda key: counts[key])
    weight = 3 if name in ("han", "hangul") else 1  # a Han character says as much as several letters
    letters = sum(counts.values())
    return name if counts[name] * weight >= 10 and 10 * counts[name] >= 9 * letters else ""


def _ascii_letters(text: str) -> int:
    return len(text.encode("ascii", "ignore").translate(None, NO_LETTERS))


def letters_of(text: str) -> list[str]:
    if text.isascii():
        return text.encode().translate(ASCII_LETTERS).decode("ascii").split()
    return LETTERS.findall(text.lower())


class SmallWords(NamedTuple):
    words: int
    counts: dict[str, int]
    different: dict[str, set[str]]


def small_words(text: str) -> SmallWords:
    """How many words a text has, and how many small words of each language, in all and different ones."""
    words = letters_of(text)
    counts: dict[str, int] = {}
    different: dict[str, set[str]] = {}
    for word in words:
        for name in LOOK_UP.get(word, ()):
            counts[name] = counts.get(name, 0) + 1
            different.setdefault(name, set()).add(word)
    return SmallWords(len(words), counts, different)


def clear_language(found: SmallWords, fewest: int, share: float) -> str:
    """The language whose small words the text is full of, or ""."""
    if not found.counts:
        return ""
    best = max(found.counts, key=lambda name: found.counts[name])
    enough = found.counts[best] >= share * found.words and len(found.different[best]) >= fewest
    return best if enough else ""
