"""The gate holds whatever the text: no error, no dependence on order, linear work, and few experts refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfclean.checks import CHECKS, TRUSTS, Trust, accept
from hfclean.checks.check import Case, TextFacts
from hfclean.checks.ending import ENDING_WEIGHTS, ending_signs
from hfclean.checks.topic import TOPIC_WEIGHTS, topic_signs
from hfclean.checks.topic_drift import DRIFT_WEIGHTS, drift_signs
from hfclean.checks.verified import VERIFIED
from hfclean.schema import Pair, Turn
from hfclean.text.constraint_kinds import stated

IDS = [check.id for check in CHECKS]
VERIFIED_IDS = {check.id for check in VERIFIED}

# Pieces of which the checks' patterns are made, so that chance finds what they stumble over.
PIECE_WORDS = """
1 12 1,000 0.5 007 = + * / ( ) [ ] { } < > " “ ” ' ` ``` ~~~ | - • 1. 2. ... . , : ; ? ! # ** _ \\ $ % & @ https://a.org
a@b.org the The and is not Instruction: Response: ### <response> [INST] Score: 4/5 readability sorry I can't cannot
help revised answer def f(x): return import SELECT FROM <p> </p> sentence sentences two three words in list name json
table German Deutsch nicht und le la que et das 很 河流 。 다 ы ß é haha never
"""
PIECES = st.sampled_from([*PIECE_WORDS.split(), "\n", " ", "\ud800", "\u200b", "\u2028", "\x00", "\t"])
MANY = st.lists(PIECES, max_size=60)
TEXTS = st.one_of(st.text(max_size=200), MANY.map(" ".join), MANY.map("".join))
PAIRS = st.builds(Pair, TEXTS, st.one_of(st.just(""), TEXTS), TEXTS)


@given(PAIRS, PAIRS)
@settings(max_examples=300, deadline=None)
def test_the_gate_never_raises_and_keeps_its_order(before: Pair, after: Pair) -> None:
    reasons = accept(before, after)
    assert reasons == [id for id in IDS if id in reasons]
    assert accept(before, after) == reasons


@given(PAIRS, PAIRS)
@settings(max_examples=100, deadline=None)
def test_each_check_stands_by_itself(before: Pair, after: Pair) -> None:
    reasons = accept(before, after)
    assert [id for id in IDS if accept(before, after, only=[id])] == reasons
    assert [id for id in reversed(IDS) if accept(before, after, only=[id])] == reasons[::-1]
    for id in reasons[:3]:
        assert accept(before, after, skip=[id]) == [one for one in reasons if one != id]


@given(PAIRS)
@settings(max_examples=200, deadline=None)
def test_a_pair_that_says_something_passes_unchanged(pair: Pair) -> None:
    healthy = pair.replace(
        response=f"Rivers. {pair.response} Rivers.", instruction=f"Say something. {pair.instruction}"
    )
    assert accept(healthy, healthy) == []


@given(PAIRS, st.sampled_from(TRUSTS))
@settings(max_examples=200, deadline=None)
def test_no_pair_is_refused_as_it_is(pair: Pair, trust: Trust) -> None:
    assert accept(pair, pair, trust=trust) == []


# check, question, what the old answer holds and what the new one holds in its place: a fault of each kind, planted
QUESTION = ("Tell me about boats.", "")
PLANTED = [
    ("wrong_sum", QUESTION, "It costs 12 * 12 = 144 in all.", "It costs 12 * 12 = 124 in all."),
    ("order_broken", QUESTION, 'Sorted: "ant" < "bee"', 'Sorted: "bee" < "ant"'),
    ("brackets_broken", QUESTION, "[ ; stack: [\n( ; stack: [ (", "[ ; stack: [\n( ; stack: [ ["),
    ("syntax_error", QUESTION, "```python\nf(1)\n```", "```python\nf(1\n```"),
    ("syntax_error", QUESTION, '```json\n{"a": 1}\n```', '```json\n{"a": 1 2}\n```'),
    ("answers_disagree", QUESTION, "The answer is 12.\n\\boxed{12}", "The answer is 12.\n\\boxed{15}"),
    ("option_disagrees", ("Which?\nA) Oslo\nB) Rome", ""), "The answer is (A) Oslo.", "The answer is (A) Rome."),
    ("count_missed", ("List 2 boats.", ""), "- Ketch\n- Sloop", "- Ketch\n- Sloop\n- Yawl"),
    ("item_twice", QUESTION, "- Eat plenty of fruit\n- Sleep well", "- Eat plenty of fruit\n- Eat plenty of fruit"),
    ("thought_lost", QUESTION, "<think>Boats float well.</think>", ""),
    ("placeholder_lost", QUESTION, "![a boat](boat.png)", "a boat"),
    ("tool_call_changed", QUESTION, '<tool_call>{"name": "f"}</tool_call>', '<tool_call>{"name": "g"}</tool_call>'),
    ("fence_language_changed", QUESTION, "```python\nf(1)\n```", "```ruby\nf(1)\n```"),
    ("table_lost", QUESTION, "| a | b |\n| - | - |\n| c | d |", "a and b, c and d"),
    ("patch_lost", QUESTION, "@@ -1,2 +1,2 @@\n-a\n+b", "a became b"),
    ("boxed_changed", QUESTION, "\\boxed{12}", "\\boxed{15}"),
]
HARMLESS = "boats sail over deep blue water with strong wind from far lands home again safely".split()  # noqa: SIM905
PARAGRAPHS = st.lists(st.lists(st.sampled_from(HARMLESS), min_size=6, max_size=12).map(" ".join), max_size=3)


@pytest.mark.parametrize(("check", "question", "sound", "faulty"), PLANTED)
@given(PARAGRAPHS, PARAGRAPHS)
@settings(max_examples=25, deadline=None)
def test_a_planted_fault_is_refused(
    check: str, question: tuple[str, str], sound: str, faulty: str, above: list[str], below: list[str]
) -> None:
    def pair(part: str) -> Pair:
        return Pair(*question, "\n\n".join(filter(None, [*above, part, *below])))

    assert check in accept(pair(sound), pair(faulty), only=[check])
    assert accept(pair(sound), pair(sound)) == []
    if check in VERIFIED_IDS:
        assert accept(pair(faulty), pair(sound), only=[check]) == []
        assert accept(pair(faulty), pair(faulty + "\n\nboats"), only=[check]) == []


def test_every_verifier_has_a_planted_fault() -> None:
    whole = {"answer_is_input", "solved_input"}  # of the whole text: test_verifiers_counts.py
    thoughts = {check for check in VERIFIED_IDS if "thought" in check}
    assert VERIFIED_IDS - whole - thoughts <= {check for check, *_ in PLANTED}
    thought = "Two and two. " * 3
    open_end = Pair("What is 2 + 2?", "", "It is 4.")
    assert "thought_unclosed" in accept(open_end, open_end.replace(response=f"<think>{thought}\n\nIt is 4."))
    told = Pair("What is 2 + 2?", "", f"<think>{thought}</think>\n\nIt is 4.")
    assert "answer_missing_after_thought" in accept(told, told.replace(response=f"<think>{thought}</think>"))
    text = "The boats sail over the deep blue water."
    before = Pair("Paraphrase it.", text, "Boats cross it.")
    assert "answer_is_input" in accept(before, before.replace(response=text))
    gap = Pair("Fill in the blank.", "The boats sail over the deep blue ____ today.", "water")
    assert "solved_input" in accept(gap, gap.replace(input=gap.input.replace("____", "water")))


@given(PAIRS, PAIRS)
@settings(max_examples=100, deadline=None)
def test_every_sign_has_its_weight(before: Pair, after: Pair) -> None:
    case = Case(before, after)
    assert set(ending_signs(case)) <= set(ENDING_WEIGHTS)
    assert set(topic_signs(case)) <= set(TOPIC_WEIGHTS)
    assert set(drift_signs(case)) <= set(DRIFT_WEIGHTS)


@given(TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_kinds_of_constraint_never_raise(instruction: str, answer: str) -> None:
    for kind, match in stated(instruction, TextFacts(instruction).vocabulary):
        assert kind.met(answer, match) in (True, False, None)


# ------------------------------------------------------------------------------------------------ long strings -------

HOSTILE = [
    " ",
    "\n",
    "\ud800",
    "\u200b",
    "😀",
    "中",
    "中文。",
    "Ж ",
    ".",
    "a",
    "a ",
    "A. ",
    "no\n",
    "<",
    "[1, ",
    '{"a": ',
]
HOSTILE += [
    '{"a": ',
    "`",
    "```\n",
    "|",
    "\\",
    '"',
    "**",
    "- ",
    "1.\n",
    "---",
    "a,b\n",
    "a@b.",
    "1",
    "1,000,",
    "1.1.1",
    "1+1=",
]
HOSTILE += ["2 x 2 = 4 ", "5 apples ", "https://a ", "quality: 5 "]
HOSTILE += [
    "Instruction: ",
    "Response:\n",
    "Score: 1\n",
    "I can't ",
]
HOSTILE += [
    "improve the a ",
    "you are a ",
    "def f(x):\n",
    "a = 1;\n",
    "select a ",
    "das und ",
    "\nhope this",
    "in 3 words ",
    '{"response": ',
    "**response**\n",
    "[[8]]\n",
    "my new answer ",
    "sorry, I can't. ",
]
MANY_KINDS = (
    "Name three words. Write in two sentences, in one sentence, in 50 words, in one word, in 20 "
    "characters, a tweet, a poem of 4 "
    "lines, a haiku, a limerick, in 2 paragraphs, as JSON, as CSV, in a table, with bullet points, "
    "a numbered list, a Python "
    "function, in HTML, answer in French, start with 'A', ending with 'B', that start with the letter "
    "P, yes or no, true or "
    "false, in all caps, in lowercase, using the words 'a' and 'b', without the word 'c', as a question, "
    "in alphabetical "
    "order, with a hashtag, to two decimal places, as a percentage, a number between 1 and 5, in "
    "binary, in Roman numerals"
)
TASK = "Write two sentences and a table in JSON, name three words with 'a', in German, as a numbered list. 12 + 7?"


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_text_of_one_thing_comes_through(piece: str, long_text: Callable[[str], str]) -> None:
    text = long_text(piece)
    before = Pair(TASK, "Some input with 12 and 7.", "There are 12 rivers and 7 lakes.")
    assert set(accept(before, before.replace(response=text))) <= set(IDS)


@pytest.mark.parametrize("piece", HOSTILE[::8])
def test_a_long_text_in_every_field_comes_through(piece: str, long_text: Callable[[str], str]) -> None:
    text = long_text(piece)
    before = Pair("Name rivers.", "Of Europe.", "The Elbe.", (Turn("user", text),))
    assert set(accept(before, Pair(text, text, text, (Turn("user", text),)))) <= set(IDS)
    assert set(accept(Pair(text, text, text), before)) <= set(IDS)


@pytest.mark.parametrize(
    "piece", ["a b. ", "- a\n", "1. a\n", "...", "\n", "[", "|", ", ", '"', "a, ", "\nhope this "]
)
def test_a_long_text_is_measured_by_every_kind(piece: str, long_text: Callable[[str], str]) -> None:
    text = long_text(piece)
    found = stated(MANY_KINDS, TextFacts(MANY_KINDS).vocabulary)
    assert len(found) > 20
    for kind, match in found:
        assert kind.met(text, match) in (True, False, None)


def test_a_long_instruction_is_read(long_text: Callable[[str], str]) -> None:
    task = TextFacts(long_text("in 3 words or 2 sentences as JSON "))
    assert isinstance(stated(task.text, task.vocabulary), list)


# ----------------------------------------------------------------------------------------------------------- real rows

MOST_REFUSED = 0.05  # of all expert revisions; benchmarks/gate.py has the figure check by check
MOST_BY_ONE = 0.012


@pytest.mark.realdata
def test_few_revisions_of_experts_are_refused(realdata: Callable[[str], Path]) -> None:
    with realdata("expert_revisions_1800.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    counts = dict.fromkeys(IDS, 0)
    refused = 0
    for row in rows:
        before, after = (
            Pair(row[f"{which}_instruction"], row[f"{which}_input"], row[f"{which}_output"])
            for which in ("raw", "revised")
        )
        reasons = accept(before, after)
        refused += bool(reasons)
        for reason in reasons:
            counts[reason] += 1
    assert refused <= MOST_REFUSED * len(rows)
    assert {id: n for id, n in counts.items() if n > MOST_BY_ONE * len(rows)} == {}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["alpaca_6k", "alpaca_zh"])
def test_rows_left_as_they_are_pass(name: str, realdata: Callable[[str], Path]) -> None:
    with realdata(f"{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            pair = Pair(row["instruction"], row["input"], row["output"])
            if pair.response.strip(" ."):
                assert set(accept(pair, pair)) <= {"empty_response"}


@pytest.mark.parametrize(
    "text", ["", " ", "...", "\n\n", "None", "N/A", "\u200b", "I'm sorry, but I can't help with that.", "```"]
)
@pytest.mark.parametrize("trust", ["low", "normal", "high"])
def test_a_pair_left_as_it_is_is_never_refused(text: str, trust: Trust) -> None:
    for pair in (Pair("Name a fruit.", "", text), Pair(text, text, text)):
        assert accept(pair, pair, trust=trust) == []
