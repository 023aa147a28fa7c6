"""The rule about an answer in another language than the question."""

from __future__ import annotations

import re
from typing import NamedTuple

from hfclean.rules.glance import Glance, Possible
from hfclean.rules.rule import Rule, asked_about
from hfclean.schema import Pair
from hfclean.text.words import LETTERS

__all__ = ["language_mismatch"]

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
# The same for ASCII, on bytes: letters in lower case, blanks for everything else.
ASCII_LETTERS = bytes(ord(chr(code).lower()) if chr(code).isalpha() and code < 128 else 32 for code in range(256))
NO_LETTERS = bytes(code for code in range(256) if ASCII_LETTERS[code] == 32)
NOT_ASCII = re.compile("[^\x00-\x7f]+")
FOREIGN = frozenset(word for word, languages in LOOK_UP.items() if languages != ["en"])
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
ABOUT_CODE = re.compile(
    r"代码|函数|程序|编程|算法|脚本|命令|网页|公式|方程|计算|表达式|网址|链接|邮箱|单词|字母|缩写|元素|符号|歌|电影|"
    r"书|品牌|名字|名称|密码|序列|"
    r"[A-Za-z]{2,}|コード|関数",
)
NO_LANGUAGE = re.compile(r"[{};=<>]|```|https?://|\bdef \w|SELECT ")


def _differs(pair: Pair) -> bool:
    asked, answer = pair.instruction, pair.response
    if asked.isascii() and answer.isascii():
        return len(answer) >= 60 and _differs_in_words(pair)
    asked_in, answered_in = _script(asked), _script(answer)
    if not asked_in or not answered_in:
        return False
    if asked_in == answered_in:
        return asked_in == "latin" and len(answer) >= 60 and _differs_in_words(pair)
    if SCRIPTS[answered_in].search(asked) and asked_in == "latin":
        return False
    if _script(pair.input) == answered_in or any(_script(turn.text) == answered_in for turn in pair.history[-2:]):
        return False
    if asked_about(ABOUT_LANGUAGE, asked) or NO_LANGUAGE.search(answer[:SAMPLE]):
        return False
    return answered_in != "latin" or (len(answer) >= 40 and not ABOUT_CODE.search(asked[:SAMPLE]))


def _script(text: str) -> str:
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


def _differs_in_words(pair: Pair) -> bool:
    answer = pair.response
    english = " the " in answer or " and " in answer or " is " in answer
    if english and (" the " in pair.instruction or " of " in pair.instruction):
        return False  # nearly every row ends here
    if english and len(FOREIGN.intersection(_words(pair.instruction[:SAMPLE]))) < 2:
        return False  # a question is in the language of two small words at least
    asked = _small_words(pair.instruction[:SAMPLE])
    asked_in = _most(asked, 2, 0.2)
    if english and asked_in in ("en", ""):
        return False
    said = _small_words(answer[:SAMPLE])
    # A short question has few small words: then the answer must be the clearer.
    answered_in = _most(said, 4, 0.22) if asked_in else _most(said, 5, 0.3)
    if answered_in in ("", asked_in) or asked_about(ABOUT_LANGUAGE, pair.instruction):
        return False
    if not asked_in:
        if answered_in == "en" or asked.words < 3 or not pair.instruction.isascii() or answered_in in asked.counts:
            return False
        return not pair.input or answered_in not in _small_words(pair.input[:SAMPLE]).counts
    # Neighbours share words: each language must be as good as absent from the other text.
    if 3 * said.counts.get(asked_in, 0) > said.counts[answered_in]:
        return False
    if 2 * asked.counts.get(answered_in, 0) > asked.counts[asked_in]:
        return False
    return not pair.input or _most(_small_words(pair.input[:SAMPLE]), 2, 0.2) in ("", asked_in)


def _words(text: str) -> list[str]:
    if text.isascii():
        return text.encode().translate(ASCII_LETTERS).decode("ascii").split()
    return LETTERS.findall(text.lower())


class _Counted(NamedTuple):
    words: int
    counts: dict[str, int]
    different: dict[str, set[str]]


def _small_words(text: str) -> _Counted:
    """How many words a text has, and how many small words of each language, in all and different ones."""
    words = _words(text)
    counts: dict[str, int] = {}
    different: dict[str, set[str]] = {}
    for word in words:
        for name in LOOK_UP.get(word, ()):
            counts[name] = counts.get(name, 0) + 1
            different.setdefault(name, set()).add(word)
    return _Counted(len(words), counts, different)


def _most(found: _Counted, fewest: int, share: float) -> str:
    """The language whose small words the text is full of, or ""."""
    if not found.counts:
        return ""
    best = max(found.counts, key=lambda name: found.counts[name])
    enough = found.counts[best] >= share * found.words and len(found.different[best]) >= fewest
    return best if enough else ""


ENGLISH = frozenset(("the", "and", "is"))


def _may_differ(pair: Pair, glance: Glance) -> bool:
    answer = pair.response  # in Latin letters, as all that is plain
    if len(answer) < 60:
        return False
    if len(pair.instruction) > SAMPLE:  # it may be cut off inside a word
        return True
    if len(FOREIGN & glance.asked) > 1:
        return True
    # as in `_differs_in_words`; a word is looked up much faster than searched for
    words = ENGLISH & glance.words
    return not (
        ("the" in words and " the " in answer)
        or ("and" in words and " and " in answer)
        or ("is" in words and " is " in answer)
    )


language_mismatch = Rule(
    "language_mismatch",
    severity="high",
    meaning="an answer in another language than the question, though nobody asked for it",
    detect=_differs,
    possible=Possible(_may_differ, FOREIGN | ENGLISH),
    example=(
        "Los ríos llevan el agua de las montañas al mar y son muy importantes para los campos y las ciudades.",
        "",
    ),
)
