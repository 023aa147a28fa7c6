"""Rows that ask the same and are told different things are found, and nothing is said of what may well differ."""

from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset

import hfclean
from hfclean.selection import contradictions


def of(*answers: str, asked: str = "How many boats lie in the harbour?", **beside: Any) -> Dataset:
    return Dataset.from_list([{"prompt": asked, "completion": answer, **beside} for answer in answers])


def test_rows_whose_truths_differ_are_found() -> None:
    rows = [
        ("What is 6 * 7?", "42"),
        ("what is  6 * 7?", "\\boxed{42}"),
        ("What is 6 * 7?\n", "48"),
        ("What is 6 * 8?", "48"),
        ("Which city?", "Graz"),
        ("Which city?", "Graz, Austria"),
        ("Which river?", "Mur"),
        ("Which river?", "Enns"),
        ("What is a half?", "0.5"),
        ("What is a half?", "\\frac{1}{2}"),
        ("Nothing?", ""),
        ("Nothing?", "7"),
        ("", "1"),
        ("", "2"),
    ]
    ds = Dataset.from_list([{"prompt": asked, "completion": "So.", "ground_truth": truth} for asked, truth in rows])
    found = contradictions(ds)
    assert found.truths == ((0, 1, 2), (6, 7))
    assert (found.answers, found.sides, found.rows) == ((), (), 14)
    assert found.column() == ["truths_differ"] * 3 + [""] * 3 + ["truths_differ"] * 2 + [""] * 6
    assert found.notes() == ["5 rows in 2 groups ask what other rows ask, with another truth (truths_differ)"]


@pytest.mark.parametrize(
    ("found", "answers"),
    [
        (((0, 1),), ("42", "The answer is 48.")),
        (((0, 2),), ("It is \\boxed{42}.", "I do not know.", "#### 48")),
        (((0, 1),), ("Yes.", "no")),
        (((0, 1),), ("<think>It is 48.</think>\n\n42", "48")),
        ((), ("42", "42.0", "It is \\boxed{42}.")),
        ((), ("Yes.", "True")),
        ((), ("Red.", "Blue.")),
        ((), ("42", "It may be 48 or so.")),
    ],
)
def test_answers_that_contradict_each_other_are_found(found: Any, answers: tuple[str, ...]) -> None:
    assert contradictions(of(*answers)).answers == found


@pytest.mark.parametrize(
    "asked", ["Give me a random number.", "How many boats? And how many oars?", "Name any even number.", ""]
)
def test_nothing_is_said_where_several_answers_are_right(asked: str) -> None:
    assert contradictions(of("42", "48", asked=asked)).answers == ()


def test_rows_with_another_context_do_not_ask_the_same() -> None:
    def talk(first: str, answer: str) -> dict[str, Any]:
        turns = (("user", first), ("assistant", "Fine."), ("user", "How many?"), ("assistant", answer))
        return {"messages": [{"role": role, "content": text} for role, text in turns]}

    assert contradictions(Dataset.from_list([talk("Boats.", "3"), talk("Oars.", "4")])).answers == ()
    assert contradictions(Dataset.from_list([talk("Boats.", "3"), talk("boats.", "4")])).answers == ((0, 1),)
    rows = [
        {"instruction": "How many?", "output": "3", "images": ["a.png"]},
        {"instruction": "How many?", "output": "4", "images": ["b.png"]},
    ]
    assert contradictions(Dataset.from_list(rows)).answers == ()


def test_swapped_sides_are_found() -> None:
    rows = [("a long answer", "another one"), ("another one", "a long answer"), ("a long answer", "a third one")]
    ds = Dataset.from_list([{"prompt": "Say.", "chosen": chosen, "rejected": rejected} for chosen, rejected in rows])
    found = contradictions(ds)
    assert (found.sides, found.answers) == (((0, 1),), ())
    assert found.column() == ["sides_swapped", "sides_swapped", ""]


def test_many_rows_of_one_question_and_none_at_all() -> None:
    found = contradictions(of(*map(str, range(300))))
    assert found.answers == (tuple(range(20)),)
    empty = contradictions(of("3").select([]))
    assert (empty.rows, empty.column(), empty.summary()) == (0, [], "0 rows\nno contradictions")


def test_reports_count_contradictions_and_thoughts_on_some_rows_only() -> None:
    ds = of("3", "<think>Three boats.</think>\n\n4", "It is the harbour that has them.")
    report = hfclean.compare(ds, ds.map(hfclean.score))
    assert report.notes == (
        "2 rows in 1 group ask what other rows ask, with an answer that contradicts theirs (answers_differ)",
        "thoughts on some rows only: before the answer of 1 row, and not of 2 rows",
    )
    assert "note: thoughts on some rows only: before the answer of 1 row" in report.summary()
    assert hfclean.compare(ds.select([2]), ds.select([2])).notes == ()
