"""Numbers about a thought: computed on request, apart from the scores of the answer, nan where nothing can be told."""

from __future__ import annotations

import io
import json
import math
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean import Pair
from hfclean.cli import main
from hfclean.scorers import ThoughtScore
from hfclean.scorers.thoughts import corrections, repetition
from hfclean.text.words import lower_words

NUMBERS = [column.name for column in ThoughtScore.adds if column.kind == "number"]
QUESTION = "How many apples are left when four of the twelve are eaten?"
FRENCH = "Je pense que les pommes sont dans la cuisine, et nous les avons pour le repas de ce soir. " * 3


def scores(thought: str, answer: str = "8", question: str = QUESTION) -> dict[str, Any]:
    row = {"prompt": question, "completion": answer}
    return ThoughtScore()({**row, "completion": f"<think>{thought}</think>\n\n{answer}"} if thought else row)


def test_lengths_and_share_are_those_of_the_thought() -> None:
    found = scores("There are twelve, and four go.", "Eight are left.")
    assert found["thought_words"] == 6
    assert found["thought_characters"] == 30
    assert found["thought_share"] == pytest.approx(6 / 9)
    assert found["thought_reason"] == ""
    assert scores("苹果还有八个", "八")["thought_words"] == 6


@pytest.mark.parametrize(
    ("completion", "reason"),
    [("8", "no_thought"), ("<think>\n\n</think>\n\n8", "no_thought"), ("<think>12 less 4", "thought_unclosed")],
)
def test_a_row_without_a_thought_has_nan_and_a_reason(completion: str, reason: str) -> None:
    found = ThoughtScore()({"prompt": QUESTION, "completion": completion})
    assert found["thought_reason"] == reason
    assert all(math.isnan(found[name]) for name in NUMBERS)


def test_repetition_is_one_minus_the_share_of_different_runs_of_four_words() -> None:
    assert repetition(list("abcdef")) == 0
    assert repetition(list("abcdabcd")) == pytest.approx(1 / 5)
    assert math.isnan(repetition(list("abc")))


@given(st.lists(st.sampled_from("abcde"), min_size=4, max_size=60))
def test_repetition_is_what_counting_every_run_gives(words: list[str]) -> None:
    runs = [tuple(words[k : k + 4]) for k in range(len(words) - 3)]
    assert repetition(words) == 1 - len(set(runs)) / len(runs)
    assert 0 <= repetition(words) < 1


@pytest.mark.parametrize(
    ("thought", "count"),
    [
        ("12 - 4 = 7. Wait, that is wrong. No, it is 7.", 2),
        ("12 - 4 = 7. Wait, no, that's not right, let me recheck.", 1),
        ("It is seven.\nHmm, let me try another way.", 1),
        ("It is seven. But wait, are the green ones apples? Alternatively, they are pears.", 2),
        ("It is seven. Actually, it is eight.", 1),
        ("一共有十二个。等等，不对，应该是八个。", 1),
        ("They wait for the bus, and no one else comes. I actually like it.", 0),
        ("No apples are left. Wait for the next harvest.", 0),
        ("", 0),
    ],
)
def test_sentences_that_turn_against_what_was_said_are_counted(thought: str, count: int) -> None:
    assert corrections(thought) == count


def test_the_share_in_the_language_of_the_question() -> None:
    english = "They ask how many of the apples are left, and that is what we have to find in this case. " * 3
    assert scores(english)["thought_same_language"] == 1
    assert scores(FRENCH)["thought_same_language"] == 0
    assert scores("苹果的数量是十二个，吃掉了四个，所以还剩下八个苹果。")["thought_same_language"] == 0
    half = english.ljust(1500) + FRENCH
    assert scores(half)["thought_same_language"] == 0.5
    assert math.isnan(scores("12 - 4 = 8")["thought_same_language"])


@pytest.mark.parametrize(
    ("thought", "answer", "agrees"),
    [
        ("12 less 4, so the answer is 8.", "8", 1.0),
        ("So the answer is 8.", r"It is \boxed{8.0}.", 1.0),
        ("So the answer is 8 apples.", "The answer is 9.", 0.0),
        ("So the answer is 8.", "9", 0.0),
        ("So the answer is 8. Wait, are all of them apples?", "9", math.nan),
        ("Twelve less four.", "8", math.nan),
        ("So the answer is 8.", "Eight of them.", math.nan),
    ],
)
def test_whether_the_answer_is_what_the_thought_comes_to(thought: str, answer: str, agrees: float) -> None:
    assert scores(thought, answer)["thought_agrees"] == pytest.approx(agrees, nan_ok=True)


def test_several_turns_have_the_mean_of_those_that_think() -> None:
    turns = [
        ("One?", "<think>It is one.</think>1"),
        ("Two?", "2"),
        ("Three?", "<think>It is three or so.</think>3"),
    ]
    messages = [
        {"role": role, "content": text}
        for question, answer in turns
        for role, text in (("user", question), ("assistant", answer))
    ]
    found = ThoughtScore(turns="all")({"messages": messages})
    assert found["thought_words"] == 4
    assert found["thought_reason"] == "no_thought"
    assert ThoughtScore()({"messages": messages})["thought_words"] == 5


def test_the_scores_of_the_answer_know_nothing_of_the_thought() -> None:
    row = {"prompt": QUESTION, "completion": "<think>It is eight, since four go.</think>\n\nEight are left."}
    bare = {**row, "completion": "Eight are left."}
    told, plain = hfclean.score(row), hfclean.score(bare)
    assert {name: told[name] for name in ("preference", "rating")} == {
        name: plain[name] for name in ("preference", "rating")
    }


def test_a_batch_has_what_its_rows_have() -> None:
    rows = [{"prompt": QUESTION, "completion": text} for text in ("8", f"<think>{FRENCH}</think>8", "<think>8")]
    batch = ThoughtScore()({name: [row[name] for row in rows] for name in rows[0]})
    for n, row in enumerate(rows):
        for name, value in ThoughtScore()(row).items():
            assert batch[name][n] == pytest.approx(value, nan_ok=True)


def test_a_pair_made_by_hand_is_parted_too() -> None:
    assert ThoughtScore().score_batch([Pair(QUESTION, "", "<think>It is eight.</think>8")])["thought_words"] == [3.0]


@given(st.text(st.sampled_from(" .\n<>/wait,我等é8"), max_size=300))
def test_any_thought_has_numbers_in_their_ranges(thought: str) -> None:
    found = ThoughtScore().score_batch([Pair(QUESTION, "", "8", thought=thought)])
    for column in ThoughtScore.adds:
        (value,) = found[column.name]
        if column.kind == "number" and not math.isnan(value):
            assert value >= 0
            assert column.high is None or value <= column.high
    if thought.strip():
        assert found["thought_words"] == [len(lower_words(thought))]


def test_the_command_line_scores_thoughts(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"prompt": QUESTION, "completion": "<think>It is eight.</think>8"}), encoding="utf-8")
    said = io.StringIO()
    with redirect_stdout(said):
        assert main(["score", str(file), "--with", "ThoughtScore", "--quiet"]) == 0
    assert "thought_words" in said.getvalue()
