"""Checks of how long an answer became: bounds that depend on the answer before and on the kind of task."""

import re

from hfclean.checks.check import Case, Check

# Characters. Of the answers of expert revisers one in a thousand is longer than 2,500 plus twice the old answer.
FLOOR, FACTOR = 2000, 2.0
MORE_FOR_LONG_FORM = 1000
LONG_FORM = re.compile(
    r"\b(?:essay|article|story|stories|blog|report|code|program|function|script|chapter|speech|proposal|plan|guide|"
    r"tutorial|novel|thesis|screenplay|lesson|curriculum|business plan|in detail|detailed|comprehensive|in-depth|"
    r"step[- ]by[- ]step|html|letter|analysis|document\w*|dialogue|dialog|conversation|translate|long|each|table|"
    r"schedule|itinerary|recipe)\b|文章|故事|作文|代码|报告|详细",
    re.IGNORECASE,
)
WORDS_ASKED = re.compile(r"\b(\d{2,5}|\d,\d{3})[ -](?:\w+[ -])?words?\b|(\d{2,5}) ?(?:个)?字", re.IGNORECASE)
CHARACTERS_PER_WORD = 7
# A character of a script without spaces says as much as two or three letters.
DENSE = re.compile("[぀-ヿ㐀-䶿一-鿿가-힣]")


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text) + len(DENSE.findall(text))


def longest(case: Case) -> int:
    """How long the new answer may be, in characters."""
    task = case.asks.text
    bound = FLOOR + int(FACTOR * _size(case.before.response))
    head = task if len(task) <= 3000 else task[:1500] + task[-1500:]
    if LONG_FORM.search(head):
        bound += MORE_FOR_LONG_FORM
    asked = [int((a or b).replace(",", "")) for a, b in WORDS_ASKED.findall(head)]
    if asked:
        bound = max(bound, 2 * CHARACTERS_PER_WORD * max(asked))
    return max(bound, 2 * _size(case.before.input))


def _too_long(case: Case) -> bool:
    text = case.after.response
    # Half the floor even where every character counts twice: nearly every answer ends here.
    return len(text) > FLOOR // 2 and _size(text) > longest(case)


too_long = Check("too_long", "an answer far longer than the one before and the task call for", _too_long)

# An answer may shrink to a part of the one before, the smaller the longer that was.
SMALL, LEAST_SHARE = 200, 0.13
SHORT_ANSWER = re.compile(
    r"\b(?:true or false|yes or no|yes/no|one word|single word|which|classify|categori[sz]e|identify|what is the|"
    r"how many|how much|calculate|compute|solve|answer with|choose|select|pick|summar\w+|shorten|condense|title|"
    r"headline|name the|concise\w*|brief\w*|short\w*|tl;?dr|extract|find)\b|\bin (?:one|a) (?:word|sentence|"
    r"few words)\b|概括|总结|摘要|判断|分类",
    re.IGNORECASE,
)


def shortest(case: Case) -> int:
    """How short the new answer may be, in characters; 0 where any length will do."""
    before = _size(case.before.response)
    if before < SMALL:
        return 0
    return 0 if SHORT_ANSWER.search(case.asks.text[:3000]) else int(LEAST_SHARE * before)


def _too_short(case: Case) -> bool:
    before, after = case.before.response, case.after.response
    if len(after) > LEAST_SHARE * 2 * len(before):
        return False
    return 0 < _size(after.strip()) < shortest(case)


too_short = Check("too_short", "an answer that shrank to next to nothing of the one before", _too_short)
