"""No text crashes a rule, a score or a check: structured texts of all kinds go through everything that reads them.

The examples are the same in every run. For a long run by hand: HFCLEAN_FUZZ=20000 pytest tests/test_fuzz.py
"""

from __future__ import annotations

import math
import os
import string
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import hfclean
from hfclean.checks import CHECKS
from hfclean.checks.check import Case
from hfclean.keys import find_secrets
from hfclean.models.protocol import tidy
from hfclean.reviser.answers import read_rewriting
from hfclean.reviser.codec import CodecError, decode, encode, settle
from hfclean.rules import RULES, find_defects, mend
from hfclean.rules.pii import find_pii, mask_pii
from hfclean.schema import Pair, Turn
from hfclean.scorers.indicators import INDICATOR_NAMES, indicator_values
from hfclean.scorers.judge_answers import read_better, read_scores
from hfclean.scorers.lexical import lexical_diversity, mtld
from hfclean.scorers.rubrics import find_rubric
from hfclean.text import is_cjk, outside_protected, protected_spans, without_code, words

LONG_RUN = int(os.environ.get("HFCLEAN_FUZZ", "0"))


def fuzzed(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """How many examples: the same few in a usual run, as many as were asked for, each time others, in a long one."""
    return settings(
        max_examples=LONG_RUN or examples,
        deadline=None,
        derandomize=not LONG_RUN,
        suppress_health_check=list(HealthCheck),
    )


# ----------------------------------------------------------------------------------------------------------- the texts

BLANKS = [" ", "  ", "\t", "\u00a0", "\u2003", "\u3000", "\u200b", "\ufeff", "\x0b", "\x0c", "\x1c", "\x1f", "\x85"]
BREAKS = ["\n", "\n\n", "\n\n\n\n", "\r\n", "\r", "\u2028", "\u2029", "\n \n", "\n        \n", "\x85", "\x1e"]
WORDS = """
the The and is not Answer word words I you cannot sorry image attached above below Dr. e.g. No noinput none
N/A null because although 1 12 007 1,000.50 ½ ² ٣ ４ नमस्ते दुनिया река Москва 河流 日本語 を は です 강 나라 สวัสดี
العربية مرحبا שלום ελληνικά straße ẞ ŉ ﬁ İ ı Größe niño château õ đ ơ 𝒜 😀 👨\u200d👩\u200d👧 é ́ \u202e � � \x00
\x1b[31m � Ã© â€™
"""
MARKS = """
. , ; : ? ! … 。 ， 、 ！ ？ - – — * ** *** _ # ## ### > | || ` `` ``` ```` ~~~ $ $$ \\ \\( \\) \\[ \\] \\begin{a}
\\end{a} ( ) [ ] { } < > </ /> <b> </b> <br/> <div <p class="a"> </p> &amp; &#39; &nbsp; &lt;b&gt; <s> </s>
<|im_start|> <|im_end|> <|endoftext|> [INST] [/INST] <think> </think> <tool_call> </tool_call> <<SYS>> " ' “ ”
‘ ’ « » https:// http://a.b/c?d=e#f a@b.org +49 192.168.0.1 AKIA0000 sk- Instruction: Input: Response: Output:
Question: Answer: ### [Instruction] [Response] [End] {"a": 1} {"critique": "x", Score: 4/5 [[8]] def f(x):
return x import os; SELECT * FROM a; 1. 2) - * • (a) i. 10. --- === || a | b -> => :: %s {name} [name] [Your
[insert
"""
PIECES = st.one_of(
    st.sampled_from(WORDS.split()),
    st.sampled_from(MARKS.split()),
    st.sampled_from(BLANKS),
    st.text(max_size=6),
    st.integers(-5, 10**6).map(str),
)
RUNS = st.builds(lambda piece, times: piece * times, PIECES, st.integers(2, 300))
PROSE = st.sampled_from(
    [
        "The river runs through three countries and ends in a lake that nobody has named yet.",
        "Additionally, the author says that the second part of the book is better than the first one",
        "1. Wash the rice until the water is clear.",
        "2.",
        "- Boil it with twice as much water and then let the",
        "```python",
        "    return x[0",
        "| a | b |",
        "Here is the the answer answer to your question:",
        "Die Sonne scheint, und die die wir meinen, sind schon da.",
        "Sorry, but as an AI language model I cannot open the attached image.",
        " " * 9,
        "\u3000" * 8,
    ]
)
LINES = st.one_of(
    st.lists(PIECES, max_size=9).map(" ".join), st.lists(PIECES, max_size=5).map("".join), PROSE, PROSE, RUNS
)
BLOCKS = st.builds(lambda lines, sep: sep.join(lines), st.lists(LINES, max_size=12), st.sampled_from(BREAKS))
# long answers, for what looks at the last lines of one only
LONG = st.builds(
    lambda body, tail, times: body * times + tail,
    st.sampled_from(
        ["The river ends here, as all of them do. And so on it goes.\n", "Word after word.\n", "а б в г. ", "河流。"]
    ),
    BLOCKS,
    st.integers(1, 60),
)
TEXTS = st.one_of(BLOCKS, BLOCKS, LONG, st.text(max_size=80), st.just(""))
TASKS = st.sampled_from(
    [
        "Name three rivers.",
        "Write two sentences as JSON, in German, with a table of 5 items.",
        "Fix the grammar of this sentence.",
        "Classify the following text as positive or negative.",
        "List 5 words that start with 'a', in 20 words, as a numbered list.",
        "Write a Python function that returns the sum of two numbers.",
        "Translate into French: good morning",
        "Repeat the word 'very' many times and remove extra spaces.",
        "Schreibe ein Gedicht mit vier Zeilen.",
        "写一首关于河流的诗。",
    ]
)
TURNS = st.lists(st.builds(Turn, st.sampled_from(["user", "assistant", "tool", "system"]), TEXTS), max_size=2)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """A pair whose answer is a text of its own, or made of what was asked, or of the answer again."""
    instruction = draw(st.one_of(TASKS, TEXTS))
    given_text = draw(st.one_of(st.just(""), TEXTS))
    response = draw(TEXTS)
    match draw(st.integers(0, 7)):
        case 0:
            response = f"{instruction}\n{response}"
        case 1:
            response = f"{response}\n\n{response}"
        case 2:
            given_text = response[: len(response) // 2]
        case 3:
            response = f"{given_text}{response}"
    history = tuple(draw(TURNS)) if draw(st.booleans()) else ()
    return Pair(instruction, given_text, response, history, draw(st.one_of(st.just(""), st.just(""), LINES)))


WHITE_LINE = Pair(
    "Write about rivers.",
    "",
    "The river ends here, as all of them do. And so it goes.\n" * 20
    + " " * 9
    + "\nThis one is a longer line that stops. And here another sentence. Then nothing follows the river",
)

# ----------------------------------------------------------------------------------------------------------- the rules


@given(pairs())
@example(WHITE_LINE)
@fuzzed(100)
def test_no_text_crashes_a_rule_and_all_together_come_to_an_end(pair: Pair) -> None:
    for rule in RULES:
        detected = rule.detect(pair)
        assert detected in (True, False), rule.id
        if rule.repair is not None:
            repaired = rule.repair(pair)
            assert isinstance(repaired, Pair), rule.id
            assert detected or repaired == pair, rule.id  # what has no defect is not repaired
            assert (repaired.history, repaired.system) == (pair.history, pair.system), rule.id
    changes = mend(pair, RULES)
    assert not changes or mend(changes[-1].after, RULES) == []


@given(pairs())
@example(WHITE_LINE)
@fuzzed(120)
def test_scores_are_numbers_within_their_range(pair: Pair) -> None:
    values = indicator_values(pair)
    assert len(values) == len(INDICATOR_NAMES)
    assert all(map(math.isfinite, values))
    columns, errors = hfclean.Score().scored([[pair]])
    assert errors == [{}]
    assert 0 <= columns["preference"][0] <= 1
    assert 0 <= columns["rating"][0] <= 1
    assert columns["response_words"][0] >= 0
    assert columns["defects"] == [" ".join(find_defects(pair, RULES))]
    diversity = columns["lexical_diversity"][0]
    assert math.isnan(diversity) or 0 < diversity <= 1
    assert lexical_diversity(pair) == diversity or math.isnan(diversity)
    assert mtld(pair) != 0


@given(pairs())
@fuzzed(30)
def test_rows_of_every_kind_come_through(pair: Pair) -> None:
    rows = [
        {"instruction": pair.instruction, "input": pair.input or None, "output": pair.response},
        {"instruction": None, "input": None, "output": pair.response},
        {"instruction": pair.instruction, "input": None, "output": None},
    ]
    batch = {name: [row[name] for row in rows] for name in rows[0]}
    for transform in (
        hfclean.RuleReviser(strict=True),
        hfclean.reviser.MaskPII(),
        hfclean.Score(strict=True),
        hfclean.scorers.PII(),
    ):
        out = transform(batch)
        assert {len(column) for column in out.values()} == {3}
    revised = hfclean.revise(batch)
    for k, row in enumerate(rows):
        single = {**row, **hfclean.revise(row)}
        assert single["output"] == revised["output"][k]
        assert hfclean.restore(single) == row


# ------------------------------------------------------------------------------------------------------------ the gate


@given(pairs(), pairs(), st.booleans())
@fuzzed(120)
def test_no_text_crashes_a_check(before: Pair, after: Pair, same_task: bool) -> None:
    if same_task:
        after = before.replace(response=after.response)
    case = Case(before, after, preference=lambda pair: 0.5, prompt=before.response)
    for check in CHECKS:
        assert check.refuses(case) in (True, False)
        assert check.refuses(Case(after, before)) in (True, False)


@given(pairs(), st.integers(0, 100))
@fuzzed(100)
def test_no_cut_answer_crashes_a_check(pair: Pair, percent: int) -> None:
    after = pair.replace(response=pair.response[: len(pair.response) * percent // 100])
    assert set(hfclean.accept(pair, after, strict=True)) <= {check.id for check in CHECKS}


# ------------------------------------------------------------------------------------------------- helpers and parsers


@given(TEXTS)
@fuzzed(200)
def test_text_helpers_lose_nothing(text: str) -> None:
    spans = protected_spans(text)
    assert all(0 <= begin < end <= len(text) for begin, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    assert outside_protected(text, lambda part: part) == text
    assert all(words(text))
    assert is_cjk(text) in (True, False)
    assert len(without_code(text)) <= len(text) + 3 * text.count("`") + 3 * text.count("~")
    assert settle(text, text) == text
    assert tidy(text) == tidy(tidy(text))


@given(TEXTS)
@fuzzed(150)
def test_personal_data_and_secrets_are_found_in_any_text(text: str) -> None:
    assert all(0 <= found.start < found.end <= len(text) for found in find_pii(text))
    assert isinstance(mask_pii(text), str)
    assert all(0 <= start < end <= len(text) for _, _, start, end in find_secrets(text))


ANSWERS = st.one_of(
    TEXTS,
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "[Instruction]",
                    "[Input]",
                    "[Response]",
                    "[End]",
                    "**[Response]**:",
                    "\\[End]",
                    "<think>",
                    "</think>",
                    "```json",
                    "```",
                    "{",
                    "}",
                    '"response":',
                    '"score": 4',
                    "Score: 3/5",
                    '{"score": 4.5, "why": "x"}',
                    '{"better": "a"}',
                    "A",
                    "B",
                    "[[A]]",
                    "1e999",
                    "-0",
                    "null",
                    "NaN",
                    '{"score":',
                ]
            ),
            LINES,
        ),
        max_size=12,
    ).map("\n".join),
)


@given(ANSWERS, pairs(), st.booleans(), st.booleans())
@fuzzed(200)
def test_no_answer_of_a_model_crashes_its_reader(text: str, pair: Pair, whole: bool, ended: bool) -> None:
    found = read_rewriting(text, pair, whole=whole, ended=ended)
    assert bool(found.texts) != bool(found.reason)
    with suppress(CodecError):
        assert set(decode(text, ended=ended)) == {"instruction", "input", "response"}
    assert decode(encode(pair)) == {"instruction": pair.instruction, "input": pair.input, "response": pair.response}
    better, reason = read_better(text)
    assert (better == "") is (reason != "")
    for name in ("alpagasus", "coachlm"):
        rubric = find_rubric(name)
        scores = read_scores(text, rubric).scores
        assert all(rubric.low <= value <= rubric.high for value in scores.values())


# ---------------------------------------------------------------------------------------------------------- long texts

HOSTILE = [
    *(
        " ",
        "\n",
        "\t",
        "\r\n",
        "\u3000",
        "\u200b",
        "\x00",
        "\ud800",
        " \n",
        "         \n",
        "a",
        "a ",
        "A. ",
        "the the ",
    ),
    *(
        "(",
        "[",
        "{",
        ")",
        "([{",
        "()",
        "<",
        "<b",
        "<b>",
        "</b>",
        "<b></b>",
        "<a href='",
        "&",
        "&amp;",
        "&#",
        "<!--",
        "<|",
    ),
    *(
        "<|im_end|>",
        "</s>",
        "[INST]",
        "<think>",
        "</think>",
        "`",
        "``",
        "```\n",
        "~~~\n",
        "|",
        "| a ",
        "$",
        "$$",
        "\\(",
    ),
    *(
        "\\begin{a}",
        "\\",
        "*",
        "**",
        "_",
        "#",
        "# a\n",
        "- ",
        "- a\n",
        "1.\n",
        "1. a\n",
        "1",
        "1,000,",
        "1.1.",
        ".",
        "...",
        "!",
    ),
    *(
        '"',
        "'",
        "“",
        "a@",
        "a@b.",
        "@",
        "http://",
        "https://a ",
        ":",
        "a:\n",
        "=",
        "+49 ",
        "1-",
        "0x",
        "\x1b[",
        "Ã",
        "â€™",
    ),
    *(
        "中",
        "中文。",
        "の",
        "한 ",
        "Ж ",
        "e\u0301",
        "\u0301",
        "😀",
        "İ",
        "ß",
        "### Instruction:\n",
        "Q: a\nA: b\n",
        "I'm sorry, ",
    ),
    *(
        "As an AI language model, ",
        "def f(x):\n    ",
        "[name] ",
        "[Your ",
        "___ ",
        "Sure! ",
        "Output: ",
        "I can see the image. ",
    ),
]


@pytest.mark.parametrize("piece", HOSTILE if LONG_RUN else HOSTILE[::6], ids=repr)
def test_a_long_text_of_one_thing_comes_through(piece: str, long_text: Callable[[str], str]) -> None:
    text = long_text(piece)
    for pair in (Pair("Write about rivers.", "", text), Pair(text, text[:1000], "Rivers flow.")):
        columns, errors = hfclean.Score().scored([[pair]])
        assert errors == [{}]
        assert 0 <= columns["rating"][0] <= 1
        assert isinstance(mend(pair, RULES), list)
        assert isinstance(hfclean.accept(pair, pair.replace(response=text[:125_000]), strict=True), list)


def test_every_printable_character_alone_is_read() -> None:
    for character in string.printable:
        for text in (character, character * 61, f"{character}\n" * 20):
            pair = Pair("Name a colour.", text, text)
            assert hfclean.Score(strict=True).scored([[pair]])[1] == [{}]
