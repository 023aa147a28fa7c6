"""Thoughts that are open, empty, cut off, in a circle, in another language or without an answer are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean import Pair
from hfclean.text.loops import circle
from hfclean.verifiers import Finding, verify
from hfclean.verifiers.thoughts import THOUGHT_VERIFIERS, thought_empty

IDS = [verifier.id for verifier in THOUGHT_VERIFIERS]
TASK = "Which city is the capital of France, and since when has it been?"
THOUGHT = (
    "They want the capital of France. That is Paris, and has been for most of the time since the tenth century.\n"
    "There were years in which the government sat elsewhere, such as Bordeaux. I will mention that in one sentence."
)
ANSWER = "Paris has been the capital of France for most of the time since the tenth century."
CHINESE = "".join(f"法国的首都是巴黎，自{n}以来大部分时间都是如此，" for n in "一二三四") + "所以答案是巴黎。"
MORE = "".join(f"第{n}位国王住在巴黎，因为那里是首都，" for n in range(100))
FRENCH = (
    "La question est de savoir quelle ville est la capitale de la France et depuis quand elle est la capitale, "
    "donc nous pouvons dire que c'est Paris, avec une phrase pour les autres villes qui sont dans cette histoire."
)
LONG = "\n".join(f"In the year {n} the {n}th king sat in Paris, too." for n in range(900, 1000))
STEP = "Wait, I should check once more whether the year is right before I go on with it. "


def ids(pair: Pair) -> list[str]:
    return [found.check for found in verify(pair, IDS)]


FOUND = [
    ("thought_unclosed", Pair(TASK, "", f"<think>{THOUGHT}\n\nAnswer: {ANSWER}")),
    ("thought_unclosed", Pair(TASK, "", "<think>\n")),
    ("thought_unclosed", Pair(TASK, "", f"<think>{THOUGHT}</thinking>{ANSWER}")),
    ("thought_unclosed", Pair(TASK, "", f"<|begin_of_thought|>{THOUGHT}<|begin_of_solution|>{ANSWER}")),
    ("thought_unclosed", Pair(TASK, "", f"<|channel|>analysis<|message|>{THOUGHT}")),
    ("thought_unclosed", Pair(f"{TASK} Think in <think> and </think> first.", "", f"<think>{THOUGHT}")),
    ("answer_missing_after_thought", Pair(TASK, "", "\n", thought=THOUGHT)),
    ("answer_missing_after_thought", Pair(TASK, "", f"<think>{THOUGHT}</think>\n\n")),
    ("answer_missing_after_thought", Pair(TASK, "", f"<|channel|>analysis<|message|>{THOUGHT}<|end|>")),
    ("thought_cut", Pair(TASK, "", ANSWER, thought=f"{THOUGHT} Besides, that is the capital of the")),
    ("thought_cut", Pair(TASK, "", ANSWER, thought=f"{THOUGHT} So I say that it is Paris,")),
    ("thought_cut", Pair(TASK, "", ANSWER, thought=f"{THOUGHT} I should say more about the governm")),
    ("thought_cut", Pair(TASK, "", ANSWER, thought=f"{THOUGHT} I see the harbour of the harb")),
    ("thought_loops", Pair(TASK, "", ANSWER, thought=THOUGHT + STEP * 5)),
    ("thought_loops", Pair(TASK, "", ANSWER, thought=f"{THOUGHT}\n" * 3)),
    ("thought_loops", Pair(TASK, "", ANSWER, thought=f"{THOUGHT} " + "so it is Paris and " * 40 + "so.")),
    ("thought_language", Pair(TASK, "", ANSWER, thought=CHINESE)),
    ("thought_language", Pair(TASK, "", ANSWER, thought=f"{LONG}{MORE}")),
    ("thought_language", Pair(TASK, "", ANSWER, thought=FRENCH)),
    ("thought_language", Pair("法国的首都是哪一座城市，从什么时候开始的？", "", CHINESE, thought=THOUGHT)),
]


@pytest.mark.parametrize(("check", "pair"), FOUND)
def test_a_faulty_thought_is_found(check: str, pair: Pair) -> None:
    assert ids(pair) == [check]


SOUND = [
    Pair(TASK, "", ANSWER, thought=THOUGHT),
    Pair(TASK, "", f"<think>{THOUGHT}</think>\n\n{ANSWER}"),
    Pair(TASK, "", f"<think>{THOUGHT}</think>{ANSWER}"),
    Pair("What does the marker <think> open?", "", "<think> opens a thought."),
    Pair("Go on: <think>", "", "<think>Well."),
    Pair(TASK, "", "`<think>` opens a thought."),
    Pair(TASK, "", ANSWER, thought=f"{THOUGHT}\nSo the answer is Paris"),
    Pair(TASK, "", ANSWER, thought=f"{THOUGHT}\nThe year is 987"),
    Pair(TASK, "", ANSWER, thought=f"{THOUGHT} I should say more about the capital"),
    Pair(TASK, "", ANSWER, thought=f"{THOUGHT} I should say more about the govern"),  # a word of its own
    Pair(TASK, "", ANSWER, thought=THOUGHT + STEP * 3),
    Pair(TASK, "", ANSWER, thought=THOUGHT * 2),
    Pair(TASK, "", ANSWER, thought="\n".join(f"{n}: red, blue, green" for n in range(40))),
    Pair("Translate into Chinese: Paris is the capital.", "", ANSWER, thought=CHINESE),
    Pair("How is 巴黎 called in Europe, and since when?", "", ANSWER, thought=CHINESE),
    Pair("法国的首都是哪一座城市，从什么时候开始的？", "", CHINESE, thought="x = 3, y = 4, z = 5, xy + z = 17 " * 4),
    Pair("法国的首都是哪一座城市？", "", ANSWER, thought=CHINESE),  # the answer's language is the one that differs
    Pair(TASK, "", CHINESE, thought=FRENCH),
    Pair("Which city is it, and since when?", "", ANSWER, thought=f"{FRENCH} On dit: the king of France."),
    Pair(TASK, "", "Paris has been that since 987, as far as people know.", thought=f"{FRENCH} On dit: the king."),
]


@pytest.mark.parametrize("pair", SOUND)
def test_nothing_is_said_of_a_sound_thought(pair: Pair) -> None:
    assert ids(pair) == []


def test_what_is_found_differently_than_before_has_another_version() -> None:
    severities = [(each.version, each.severity) for each in THOUGHT_VERIFIERS]
    assert severities == [(1, "high"), (1, "high"), (1, "medium"), (1, "medium"), (1, "medium")]
    assert (thought_empty.version, thought_empty.severity) == (2, "low")


def test_a_finding_says_where_it_is() -> None:
    pair = Pair(TASK, "", ANSWER, thought=f"{THOUGHT}\n{STEP * 5}")
    assert verify(pair, IDS) == [
        Finding("thought_loops", "thought", 0, 2, STEP.strip(), "", "the thought says the same again and again")
    ]
    (finding,) = verify(Pair(TASK, "", ANSWER, thought=f"{THOUGHT} " + "so it is Paris and " * 40 + "so."), IDS)
    assert (finding.line, finding.found) == (0, THOUGHT[:80])


def test_a_thought_that_is_cut_is_long_enough_and_its_last_line_is_shown() -> None:
    for shortest, expected in ((59, []), (60, ["thought_cut"])):
        thought = f"{'x' * (shortest - len('. It is the capital of the'))}. It is the capital of the"
        assert ids(Pair(TASK, "", ANSWER, thought=thought)) == expected
    (finding,) = verify(Pair(TASK, "", ANSWER, thought=f"{THOUGHT}\nIt is the capital of the"), IDS)
    assert (finding.line, finding.found) == (2, "It is the capital of the")


def test_a_finding_names_the_marker_that_is_not_closed() -> None:
    sentence = "the thought that <think> opens is never closed by </think>"
    assert verify(Pair(TASK, "", f"\n<think>\n{THOUGHT}"), IDS) == [
        Finding("thought_unclosed", "response", 0, 0, "<think>", "</think>", sentence)
    ]


def test_a_thought_is_found_in_every_shape_and_an_empty_one_too() -> None:
    whole = f"<think>{THOUGHT} It is the capital of the</think>\n\n{ANSWER}"
    asked = {"role": "user", "content": TASK}
    rows = [
        {"instruction": TASK, "input": "", "output": whole},
        {"prompt": TASK, "completion": whole},
        {"messages": [asked, {"role": "assistant", "content": whole}]},
        {"prompt": TASK, "chosen": whole, "rejected": whole},
    ]
    empty = "<think>\n\n</think>\n\nParis."
    for row in rows:
        assert "thought_cut" in hfclean.score(row)["defects"].split(), row
        text = str(hfclean.verify(row, ["thought_cut"])[0].found)
        assert text.endswith("the capital of the")
    for row in (
        {"instruction": TASK, "input": "", "output": empty},
        {"prompt": TASK, "completion": empty},
        {"messages": [asked, {"role": "assistant", "content": empty}]},
    ):
        assert hfclean.score(row)["defects"] == "thought_empty"
    assert hfclean.score({"prompt": f"{TASK} /no_think", "completion": empty})["defects"] == ""
    assert hfclean.score({"prompt": TASK, "completion": "</think>\n\nParis."})["defects"] == "thought_empty"
    final = "<|start|>assistant<|channel|>final<|message|>Paris.<|return|>"
    assert hfclean.score({"prompt": TASK, "completion": final})["defects"] == ""


def test_a_conclusion_that_differs_from_the_answer_is_found_where_the_row_keeps_the_thought_apart() -> None:
    message = {"role": "assistant", "content": "15", "reasoning_content": "3 * 4 boats, so the answer is 12."}
    row = {"messages": [{"role": "user", "content": "How many boats lie in the harbour?"}, message]}
    assert hfclean.score(row)["defects"] == "answers_disagree"
    message["content"] = "12"
    assert hfclean.score(row)["defects"] == ""


def test_a_circle_begins_where_the_same_comes_for_the_third_time() -> None:
    once = "One boat lies in the small harbour of the town. Two of them are out at sea since this very morning. "
    again = "They will come back before the sun goes down. "
    assert circle(once + again) == -1
    assert circle((once + again) * 2) == -1
    place = circle((once + again) * 4)
    assert 2 * len(once + again) <= place < 3 * len(once + again)
    assert circle("a b\n" * 500) == -1
    assert circle("12 + 30 = 42, 42 - 2 = 40\n" * 50) == -1


@pytest.mark.realdata
def test_real_traces_are_sound_and_what_is_planted_in_them_is_found(realdata: Callable[[str], Path]) -> None:
    with realdata("trace_mistakes.jsonl").open(encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if str(row["answer"]).strip()][::5]
    found: dict[str, list[bool]] = {}
    for row in rows:
        thought, answer = "\n".join(row["steps"]), str(row["answer"])
        assert ids(Pair(row["input"], "", answer, thought=thought)) == []
        last = f"{row['steps'][-1]}\nThat is what the steps before it say, and nothing else follows from them. "
        for check, pair in (
            ("thought_unclosed", Pair(row["input"], "", f"<think>\n{thought}\n\n{answer}")),
            ("answer_missing_after_thought", Pair(row["input"], "", "", thought=thought)),
            ("thought_loops", Pair(row["input"], "", answer, thought=f"{thought}\n{last * 8}")),
        ):
            found.setdefault(check, []).append(check in ids(pair))
    assert len(rows) == 130
    assert {check: sum(hits) for check, hits in found.items()} == dict.fromkeys(found, 130)


@given(
    st.lists(
        st.sampled_from(
            ("Wait, I should check once more whether the year is right", "- Wait, I should check it all once more",
             "The kings of France sat in Paris", "Yes", "")
        ),
        max_size=12,
    ),
    st.sampled_from((". ", ".\n", "\n", ".\n- ")),
)  # fmt: skip
def test_a_circle_begins_where_a_sentence_is_said_for_the_third_time(pieces: list[str], between: str) -> None:
    text = between.join(pieces)
    start = circle(text)
    assert start == -1 or (0 <= start < len(text) and text.count(text[start : start + 20], 0, start) >= 2)


def test_sentences_in_turn_are_a_circle_at_their_third_round() -> None:
    one = "Wait, I should check once more whether all of it is right"
    other = "The kings of France sat in Paris for most of the time"
    text = f"So be it.\n{one}. {other}.\n" + f"{one}. {other}.\n" * 2
    assert text[circle(text) :].startswith(other)
    assert circle(f"{one}. {other}.\n{other}. {one}.\n") == -1


ENDINGS = (
    "s|ed|ers|ing|ings|ily|ally|able|age|ages|ation|ations|ful|fully|ness|ment|ments|less|like|ship|ships|hood|ism|"
    "isms|ist|ists|ity|ive|ively|ish|ors|ies|ied"
)
RESULTS = (
    "answer|result|final|sorted|order|therefore|thus|hence|total|conclusion|equal|equals|done|so|ANSWER|x = 4 for"
)


def test_each_of_these_endings_makes_another_word_and_no_cut_one() -> None:
    thought = f"{THOUGHT} I should say more about the harb"
    pairs = {end: Pair(TASK, "", f"{ANSWER} The harb{end} was there.", thought=thought) for end in ENDINGS.split("|")}
    assert [end for end in pairs if ids(pairs[end]) != []] == []
    for end in ("our", "ouring", "xing", "ersx", "bless"):
        assert ids(Pair(TASK, "", f"{ANSWER} The harb{end} was there.", thought=thought)) == ["thought_cut"], end
    both = f"{ANSWER} The harb{{}} and the harbour were there."
    assert ids(Pair(TASK, "", both.format("s"), thought=thought)) == []
    assert ids(Pair(TASK, "", both.format(""), thought=thought)) == []


def test_each_of_these_words_states_a_result_that_needs_no_full_stop() -> None:
    thought = f"{LONG}\nIn this way {{}} the kings sat in Paris somewhere"
    assert ids(Pair(TASK, "", ANSWER, thought=thought.format("all"))) == ["thought_cut"]
    assert [word for word in RESULTS.split("|") if ids(Pair(TASK, "", ANSWER, thought=thought.format(word)))] == []
    assert ids(Pair(TASK, "", ANSWER, thought=f"So it is.\n{thought.format('all')}")) == ["thought_cut"]


def test_a_language_is_known_by_enough_of_its_words_and_letters() -> None:
    asked = "法国的首都是哪一座城市，从什么时候开始的？"
    assert ids(Pair(asked, "", CHINESE, thought=CHINESE)) == []
    assert ids(Pair(asked, "", CHINESE, thought=f"{CHINESE} the and of that with for this is")) == []
    assert ids(Pair("Why is it blue?", "", "Light.", thought=FRENCH)) == []
    assert ids(Pair("Why is the sky blue?", "", "It scatters light.", thought=FRENCH)) == ["thought_language"]
    for before, behind in ((1, 1), (0, 2), (2, 0)):
        thought = f"{LONG * before}\n{MORE[:1700]}\n{LONG * behind}"
        assert ids(Pair(TASK, "", ANSWER, thought=thought)) == ["thought_language"]
