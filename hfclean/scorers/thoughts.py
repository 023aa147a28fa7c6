"""Numbers about a thought: its length, how often it repeats or corrects itself, whether the answer follows from it.

They are never a part of the scores of the answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hfclean.columns import Column
from hfclean.schema import Pair
from hfclean.scorers.scoring import Scorer
from hfclean.text.certain_language import SAMPLE, clear_language, script_of, small_words
from hfclean.text.thoughts import opening_of, split_thought
from hfclean.text.words import lower_words
from hfclean.verifiers.answers import conclusion_agrees

GRAM = 4  # words
# Small words of a language in a question, which may be short, and in a part of a thought: different ones, and share.
OF_QUESTION, OF_PART = (2, 0.2), (5, 0.2)
# Where a thought turns against what it said before: at the beginning of a sentence, or in so many words.
_CORRECTION = re.compile(
    r"(?:^|[.!?…:;(—–*]|\b(?:but|oh|no|hm+|ok|okay|so|ah),?\s)[\s*_]{0,4}"
    r"(?:wait(?=\s?[,.!?:;…—–-]| (?:a (?:minute|second|moment)|no|i|that|this|maybe|but|actually|what|is|if)\b)"
    r"|actually,|hmm+|oops|hold on|scratch that|on second thoughts?|no(?=[,!—–]| wait\b)|alternatively|correction:)"
    r"|\blet(?:'s|’s| me| us) (?:re-?(?:check|consider|think|do|compute|calculate|read|examine|evaluate|start|count)"
    r"|double.?check|start over|try (?:again|another|a different)|go back|backtrack)"
    r"|\bi (?:made|see my) (?:a |an )?(?:mistake|error)"
    r"|\b(?:that|this|it)(?:['’]s| is| was| can['’]?t be| cannot be| seems) (?:not right|not correct|wrong|incorrect|"
    r"a mistake)\b"
    r"|等等|等一下|不对|我错了|重新(?:考虑|检查|计算|思考)|再(?:检查|想想|算)",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(r"[.!?\n。！？]")


@dataclass(frozen=True)
class ThoughtScore(Scorer):
    """Numbers about the thought before an answer, none of which says that it is good.

    Adds these columns, and a line to `edit_history`:

    * `thought_words` (float, 0 and up): its words; each character counts as one in scripts without spaces.
    * `thought_characters` (float, 0 and up): its characters, without white space at its ends.
    * `thought_share` (float, 0 to 1): its words of those of thought and answer together. Definition of hfclean.
    * `thought_repetition` (float, 0 to 1, higher = says the same more often; nan below four words): 1 minus different
      runs of four words / all runs of four words. It is seq-rep-4 of Welleck et al. (arXiv 1908.04319), of words where
      they count tokens.
    * `thought_corrections` (float, 0 and up): sentences in which it turns against what it said before ("Wait", "let me
      recheck", "that is wrong"), in English and Chinese. The behaviour is called backtracking by Gandhi et al. (arXiv
      2503.01307), who have a model count it; the list of words is hfclean's own, so that it is a lower bound.
    * `thought_same_language` (float, 0 to 1; nan where a language cannot be told): of those of its parts of 1,500
      characters whose language is certain, the share in the language of the question. Definition of hfclean.
    * `thought_agrees` (float, 1 or 0; nan where one of them states no value, or a program cannot tell): whether the
      value that the thought comes to is that of the answer, as the verifier `answers_disagree` reads both.
    * `thought_reason` (string): `""`; `no_thought`; `thought_unclosed`, where it is opened and never closed.

    With `turns="all"` a number is the mean over the assistant turns that have it.

    >>> import hfclean
    >>> row = {"prompt": "What is 3 * 4?", "completion": "<think>3 * 4 = 11. Wait, the answer is 12.</think>12"}
    >>> scores = ThoughtScore()(row)
    >>> scores["thought_words"], scores["thought_corrections"], scores["thought_agrees"]
    (8.0, 1.0, 1.0)
    """

    adds: ClassVar[tuple[Column, ...]] = (
        Column("thought_words", "words in the thought before the answer", low=0, unit="words"),
        Column("thought_characters", "characters in the thought before the answer", low=0, unit="characters"),
        Column("thought_share", "words of the thought as a share of those of thought and answer", low=0, high=1),
        Column(
            "thought_repetition",
            "the share of runs of four words in the thought that repeat an earlier one (seq-rep-4)",
            low=0,
            high=1,
            better="lower",
        ),
        Column(
            "thought_corrections", "sentences in which the thought corrects or questions what it said before", low=0
        ),
        Column(
            "thought_same_language",
            "the share of the thought that is in the language of the question; nan if uncertain",
            low=0,
            high=1,
        ),
        Column(
            "thought_agrees",
            "1 where the value that the thought comes to is that of the answer, 0 where it is another one; nan where "
            "a program cannot tell",
            low=0,
            high=1,
            better="higher",
        ),
        Column("thought_reason", "why there are no numbers: no_thought or thought_unclosed", "text"),
    )

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        names = self.names()
        rows = [_numbers(pair) for pair in pairs]
        return {name: [row[k] for row in rows] for k, name in enumerate(names)}

    def merged(self, name: str, values: list[Any]) -> Any:
        if self._is_text(name):
            return super().merged(name, values)
        known = [value for value in values if not math.isnan(value)]
        return math.fsum(known) / len(known) if known else math.nan


def _numbers(pair: Pair) -> tuple[float | str, ...]:
    """The values of the columns, in their order."""
    thought, answer, _ = split_thought(pair)
    if not thought.strip():
        reason = "thought_unclosed" if _is_unclosed(pair.response) else "no_thought"
        return (*[math.nan] * (len(ThoughtScore.adds) - 1), reason)
    words, answered = lower_words(thought), len(lower_words(answer))
    agrees = conclusion_agrees(pair)
    return (
        float(len(words)),
        float(len(thought.strip())),
        len(words) / (len(words) + answered) if words or answered else math.nan,
        repetition(words),
        float(corrections(thought)),
        _share_in_language(pair.instruction, thought),
        math.nan if agrees is None else float(agrees),
        "",
    )


def _is_unclosed(text: str) -> bool:
    opened = opening_of(text)
    return opened is not None and opened.closing not in text[opened.end :]


def repetition(words: Sequence[str]) -> float:
    """1 minus the share of different ones among all runs of four words; nan where there is none."""
    count = len(words) - GRAM + 1
    if count < 1:
        return math.nan
    return 1 - len(set(zip(*(words[k:] for k in range(GRAM)), strict=False))) / count


def corrections(thought: str) -> int:
    """How many sentences of a thought turn against what it said before."""
    count, last = 0, -1
    for found in _CORRECTION.finditer(thought):
        if last < 0 or _SENTENCE_END.search(thought, last, found.start() + 1):
            count += 1
            last = found.end()
    return count


def _share_in_language(question: str, thought: str) -> float:
    """Of the parts of a thought whose language is certain, the share of those in that of the question."""
    script, language = _language_of(question, *OF_QUESTION)
    same = []
    for start in range(0, len(thought), SAMPLE):
        other_script, other = _language_of(thought[start : start + SAMPLE], *OF_PART)
        if script and other_script and script != other_script:
            same.append(False)
        elif language and other:
            same.append(language == other)
    return sum(same) / len(same) if same else math.nan


def _language_of(text: str, fewest: int, share: float) -> tuple[str, str]:
    """The script and the language of a text, each "" where it is not certain."""
    script = script_of(text)
    if script != "latin":
        return script, script
    return script, clear_language(small_words(text[:SAMPLE]), fewest, share)
