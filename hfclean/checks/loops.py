"""The check for answers that run in a circle."""

import re

from hfclean.checks.check import Case, Check, TextFacts

# Runs of this many words that stand in the text before: sound answers, lists and refrains included, stay under 0.28.
RUN_OF_WORDS = 6
MOST_REPEATED = 0.3
MOST_IN_REFRAINS = 0.6
MORE_THAN_BEFORE = 0.15
FEWEST_RUNS = 10
SUSPICIOUS = 0.04
MOST_DIFFERENT = 74  # of a hundred words: with more different ones there is no loop to find
FEWEST_TIMES = 3
LONG_SENTENCE = 40
REFRAINS = re.compile(
    r"\b(?:songs?|lyrics?|chorus|poems?|poetry|verses?|rhymes?|raps?|chants?|mantra|jingle|refrain|ballad|"
    r"villanelle|pantoum|limerick|haiku|repeat\w*|repetiti\w+|pattern|anaphora|code|program|table|html|sql)\b|诗|歌|"
    r"重复|代码|表格",
    re.IGNORECASE,
)
# The end of a text, where a model goes on until its limit stops it.
END, LONG_END = 12, 64
WINDOW, LONGEST_UNIT = 480, 120
SHORTEST_CYCLE, MANY_TIMES = 36, 6
STRETCH = 48
RULERS, FIGURES = frozenset("-=_*#.~ |+\n\t<>^/\\─═　"), frozenset("0123456789,")


def _loop_share(text: TextFacts) -> float:
    """The share of runs of six words that stand in the text before: 0 to 1, near 1 in a loop."""
    words = text.words
    runs = len(words) - RUN_OF_WORDS + 1
    if runs < FEWEST_RUNS or 100 * len(text.vocabulary) > MOST_DIFFERENT * len(words):
        return 0.0
    if runs - len(set(zip(words, words[RUN_OF_WORDS - 1 :], strict=False))) < SUSPICIOUS * runs:
        return 0.0  # repeated runs share their first and last words
    return 1 - len(set(zip(*(words[start:] for start in range(RUN_OF_WORDS)), strict=False))) / runs


def _loops(case: Case) -> bool:
    new, old = case.new, case.old
    share = _loop_share(new)
    if share > SUSPICIOUS:
        refrain = REFRAINS.search(case.asks.text[:2000]) is not None
        if share > (MOST_IN_REFRAINS if refrain else MOST_REPEATED) and share > _loop_share(old) + MORE_THAN_BEFORE:
            return True
        if not refrain and _sentence_again(new) and not _sentence_again(old):
            return True
    return (_ends_in_loop(new.text) and not _ends_in_loop(old.text)) or (_drones(new.text) and not _drones(old.text))


def _sentence_again(text: TextFacts) -> bool:
    """Whether a sentence follows itself twice, or a long one occurs three times."""
    counts: dict[str, int] = {}
    last, in_row = "", 1
    for sentence in text.sentences:
        bare = sentence.strip(" -*•#>\t\r0123456789.)").lower()
        if len(bare) < 8:
            continue
        in_row = in_row + 1 if bare == last else 1
        last = bare
        counts[bare] = counts.get(bare, 0) + 1
        if in_row >= FEWEST_TIMES or (counts[bare] >= FEWEST_TIMES and len(bare) >= LONG_SENTENCE):
            return True
    return False


def _ends_in_loop(text: str) -> bool:
    """Whether a text ends in the same words or characters again and again."""
    text = text.rstrip()
    end = text[-WINDOW:]
    if end.count(end[-END:]) < 2:
        return False
    if set(end[-END:]) <= RULERS:
        return False
    for size in range(1, LONGEST_UNIT + 1):
        unit = end[-size:]
        times = 1
        while end.endswith(unit, 0, len(end) - times * size):
            times += 1
            if (times >= FEWEST_TIMES and times * size >= SHORTEST_CYCLE) or times >= MANY_TIMES:
                # a ruler, or a row of figures
                return not set(unit) <= RULERS and not (size <= 4 and set(unit) <= RULERS | FIGURES)
    return text.count(text[-LONG_END:]) >= FEWEST_TIMES


def _drones(text: str) -> bool:
    """Whether a text is, at its end or at one of three places before, made of three characters or fewer."""
    if len(text) < STRETCH:
        return False
    for start in (len(text) - STRETCH, len(text) // 4, len(text) // 2, 3 * len(text) // 4):
        letters = set(text[start : start + STRETCH])
        if len(letters) <= 3 and start + STRETCH <= len(text) and not letters <= RULERS:
            return True
    return False


repetition_loop = Check("repetition_loop", "an answer that runs in a circle", _loops)
