"""The rule about an answer in another language than the question."""

from __future__ import annotations

import re

from hfclean.rules.glance import Glance, Possible
from hfclean.rules.rule import Rule, asked_about
from hfclean.schema import Pair
from hfclean.text.certain_language import (
    ABOUT_LANGUAGE,
    LOOK_UP,
    SAMPLE,
    SCRIPTS,
    clear_language,
    letters_of,
    script_of,
    small_words,
)

FOREIGN = frozenset(word for word, languages in LOOK_UP.items() if languages != ["en"])
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
    asked_in, answered_in = script_of(asked), script_of(answer)
    if not asked_in or not answered_in:
        return False
    if asked_in == answered_in:
        return asked_in == "latin" and len(answer) >= 60 and _differs_in_words(pair)
    if SCRIPTS[answered_in].search(asked) and asked_in == "latin":
        return False
    if script_of(pair.input) == answered_in or any(script_of(turn.text) == answered_in for turn in pair.history[-2:]):
        return False
    if asked_about(ABOUT_LANGUAGE, asked) or NO_LANGUAGE.search(answer[:SAMPLE]):
        return False
    return answered_in != "latin" or (len(answer) >= 40 and not ABOUT_CODE.search(asked[:SAMPLE]))


def _differs_in_words(pair: Pair) -> bool:
    answer = pair.response
    english = " the " in answer or " and " in answer or " is " in answer
    if english and (" the " in pair.instruction or " of " in pair.instruction):
        return False  # nearly every row ends here
    if english and len(FOREIGN.intersection(letters_of(pair.instruction[:SAMPLE]))) < 2:
        return False  # a question is in the language of two small words at least
    asked = small_words(pair.instruction[:SAMPLE])
    asked_in = clear_language(asked, 2, 0.2)
    if english and asked_in in ("en", ""):
        return False
    answer_words = small_words(answer[:SAMPLE])
    # A short question has few small words: then the answer must be the clearer.
    answered_in = clear_language(answer_words, 4, 0.22) if asked_in else clear_language(answer_words, 5, 0.3)
    if answered_in in ("", asked_in) or asked_about(ABOUT_LANGUAGE, pair.instruction):
        return False
    if not asked_in:
        if answered_in == "en" or asked.words < 3 or not pair.instruction.isascii() or answered_in in asked.counts:
            return False
        return not pair.input or answered_in not in small_words(pair.input[:SAMPLE]).counts
    # Neighbours share words: each language must be as good as absent from the other text.
    if 3 * answer_words.counts.get(asked_in, 0) > answer_words.counts[answered_in]:
        return False
    if 2 * asked.counts.get(answered_in, 0) > asked.counts[asked_in]:
        return False
    return not pair.input or clear_language(small_words(pair.input[:SAMPLE]), 2, 0.2) in ("", asked_in)


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
