"""Rows are made in the shape of the seeds, and in their spelling: texts, answers with truths, conversations, calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from datasets import Value
from teachers import numbered, teacher

import hfclean
from hfclean.generation import Prompts, Rounds, generator_of
from hfclean.generation.forms import Unwritable, typed
from hfclean.generation.rounds import LINEAGE
from hfclean.source.memory import from_memory

ASKED = "Which tools are needed to repair a wooden chair?"
TASK = "Explain how a bakery keeps its bread fresh overnight"
ANSWER = "A bakery keeps bread fresh in closed boxes of wood."
CALL = {"name": "find_route", "arguments": {"start": "Bern", "end": "Rome"}}
TOOLS = json.dumps(
    [
        {
            "name": "find_route",
            "parameters": {"type": "object", "properties": {"start": {"type": "string"}, "end": {"type": "string"}}},
        }
    ]
)
OLD = {"name": "find_route", "arguments": {"start": "Oslo", "end": "Kiel"}}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def human(text: str) -> dict[str, str]:
    return {"from": "human", "value": text}


def gpt(text: str) -> dict[str, str]:
    return {"from": "gpt", "value": text}


def structured(call: Mapping[str, Any], number: int) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}],
    }


def hermes(call: Mapping[str, Any]) -> str:
    return f"<tool_call>\n{json.dumps(call)}\n</tool_call>"


TWO_TURNS = json.dumps(
    {
        "turns": [
            {"role": "assistant", "content": ANSWER},
            {"role": "user", "content": "And rolls?"},
            {"role": "assistant", "content": "Rolls are baked again in the morning."},
        ]
    }
)
WITH_RESULT = json.dumps(
    {
        "turns": [
            {"role": "tool_call", "calls": [CALL]},
            {"role": "tool", "content": '{"km": 900}'},
            {"role": "assistant", "content": "The way from Bern to Rome is 900 km long."},
        ]
    }
)
SYSTEM = {"role": "system", "content": "You know all crafts."}

# shape -> a seed, what the teacher writes for a task, and the cells of the row
SHAPES: Mapping[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "dolly": (
        {"instruction": ASKED, "context": "an old chair", "response": "Glue and clamps.", "category": "qa"},
        f"Input: in summer\nOutput: {ANSWER}",
        {"instruction": TASK, "context": "in summer", "response": ANSWER},
    ),
    "prompt and completion": (
        {"prompt": f"{ASKED}\n\n", "completion": " Glue and clamps."},
        ANSWER,
        {"prompt": f"{TASK}\n\n", "completion": f" {ANSWER}"},
    ),
    "question and answer": (
        {"question": ASKED, "answer": "Glue and clamps are needed."},
        ANSWER,
        {"question": TASK, "answer": ANSWER},
    ),
    "question and a word": ({"question": ASKED, "answer": "Glue."}, "Salt.", {"question": TASK, "answer": "Salt."}),
    "your own columns": ({"ask": ASKED, "say": "Glue."}, ANSWER, {"ask": TASK, "say": ANSWER}),
    "problem with its answer": (
        {"problem": "What is 2 + 2?", "solution": "2 + 2 = 4, so it is 4.", "answer": "4"},
        "Output: 3 + 4 = 7, so it is 7.\nAnswer: 7",
        {"problem": TASK, "solution": "3 + 4 = 7, so it is 7.", "answer": "7"},
    ),
    "problem with a number": (
        {"problem": "What is 2 + 2?", "solution": "2 + 2 = 4, so it is 4.", "answer": 4},
        "Output: 3 + 4 = 7, so it is 7.\nAnswer: 7",
        {"problem": TASK, "solution": "3 + 4 = 7, so it is 7.", "answer": 7},
    ),
    "problem with its steps": (
        {"problem": "What is 2 + 2?", "reasoning": "Two and two.", "solution": "The sum is 4."},
        "Reasoning: Three and four.\nOutput: The sum is 7.",
        {"problem": TASK, "reasoning": "Three and four.", "solution": "The sum is 7."},
    ),
    "a prompt and what is right": (
        {"prompt": "What is 2 + 2?", "ground_truth": "4"},
        "7",
        {"prompt": TASK, "ground_truth": "7"},
    ),
    "verl": (
        {"prompt": [user("What is 2 + 2?")], "reward_model": {"style": "rule", "ground_truth": "4"}},
        "7",
        {"prompt": [user(TASK)], "reward_model": {"style": "rule", "ground_truth": "7"}},
    ),
    "messages": (
        {"messages": [SYSTEM, user(ASKED), said("Glue.")]},
        ANSWER,
        {"messages": [SYSTEM, user(TASK), said(ANSWER)]},
    ),
    "messages in parts": (
        {
            "messages": [
                {"role": role, "content": [{"type": "text", "value": text}], "weight": weight}
                for role, text, weight in (("user", ASKED, 0.0), ("assistant", "Glue.", 1.0))
            ]
        },
        ANSWER,
        {
            "messages": [
                {"role": role, "content": [{"type": "text", "value": text}], "weight": weight}
                for role, text, weight in (("user", TASK, 0.0), ("assistant", ANSWER, 1.0))
            ]
        },
    ),
    "messages as JSON": (
        {"messages": json.dumps([user(ASKED), said("Glue.")])},
        ANSWER,
        {"messages": json.dumps([user(TASK), said(ANSWER)])},
    ),
    "prompt and completion as messages": (
        {"prompt": [SYSTEM, user(ASKED)], "completion": [said("Glue.")]},
        ANSWER,
        {"prompt": [SYSTEM, user(TASK)], "completion": [said(ANSWER)]},
    ),
    "sharegpt": (
        {"conversations": [human(ASKED), gpt("Glue.")]},
        ANSWER,
        {"conversations": [human(TASK), gpt(ANSWER)]},
    ),
    "several turns": (
        {"conversations": [human(ASKED), gpt("Glue."), human("And nails?"), gpt("No.")]},
        TWO_TURNS,
        {
            "conversations": [
                human(TASK),
                gpt(ANSWER),
                human("And rolls?"),
                gpt("Rolls are baked again in the morning."),
            ]
        },
    ),
    "calls": (
        {"messages": [user(ASKED), structured(OLD, 7)], "tools": TOOLS},
        json.dumps({"calls": [CALL]}),
        {
            "messages": [user(TASK), structured(CALL, 0)],
            "tools": TOOLS,
        },
    ),
    "calls in the text": (
        {"messages": [user(ASKED), said(hermes(OLD))], "tools": TOOLS},
        json.dumps([CALL]),
        {"messages": [user(TASK), said(hermes(CALL))], "tools": TOOLS},
    ),
    "calls and results": (
        {
            "conversations": [
                human(ASKED),
                {"from": "function_call", "value": json.dumps(OLD)},
                {"from": "observation", "value": '{"km": 500}'},
                gpt("It is 500 km."),
            ],
            "tools": TOOLS,
        },
        WITH_RESULT,
        {
            "conversations": [
                human(TASK),
                {"from": "function_call", "value": json.dumps(CALL)},
                {"from": "observation", "value": '{"km": 900}'},
                gpt("The way from Bern to Rome is 900 km long."),
            ],
            "tools": TOOLS,
        },
    ),
}


def made_of(name: str, written: str) -> Rounds:
    seed, _, _ = SHAPES[name]
    columns = {"instruction": "ask", "response": "say"} if name == "your own columns" else None
    rounds = Rounds(generator_of(teacher(tasks=lambda _: numbered([TASK]), row=lambda _: written), columns=columns))
    rounds.generate_round([seed], 1)
    return rounds


@pytest.mark.parametrize("name", SHAPES)
def test_a_row_is_spelled_as_the_seed_is(name: str) -> None:
    seed, written, expected = SHAPES[name]
    rounds = made_of(name, written)
    assert [row["detail"] or row["reason"] for row in rounds.dropped] == []
    (row,) = rounds.kept
    assert {key: value for key, value in row.items() if key not in LINEAGE} == expected
    types = from_memory([seed]).features
    assert {column: rounds.kept.features[column] for column in expected} == {
        column: types[column] for column in expected
    }


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "your own columns"])
def test_what_is_made_is_read_as_the_seeds_are(name: str) -> None:
    """So that it can be cleaned, scored and shown to the teacher in the next round."""
    rounds = made_of(name, SHAPES[name][1])
    assert hfclean.schema.detect(rounds.kept.column_names).shape == hfclean.schema.detect(SHAPES[name][0]).shape
    again = rounds.generate_round([SHAPES[name][0]], 1)
    assert [row["reason"] for row in again.dropped] == ["not_new"]
    assert again.dropped[0]["nearest"] == rounds.done[0].kept[0]["made_id"]


BAD_ANSWERS = {
    "no number": ("problem with a number", "Output: It is seven.\nAnswer: seven", "unwritable", "is not a number"),
    "no calls": ("calls", '{"calls": []}', "unwritable", "there are no calls"),
    "a call without a name": ("calls", '{"calls": [{"arguments": {}}]}', "unwritable", "a call has no name of a tool"),
    "arguments": ("calls", '{"calls": [{"name": "find_route", "arguments": [1]}]}', "unwritable", "are not an object"),
    "another tool": ("calls", '{"calls": [{"name": "find_tool", "arguments": {}}]}', "tool_unknown", ""),
    "wrong arguments": (
        "calls",
        '{"calls": [{"name": "find_route", "arguments": {"start": 1, "end": "Rome"}}]}',
        "tool_arguments_invalid",
        "",
    ),
    "prose for calls": ("calls", "I would call find_route.", "unparsed", ""),
    "a turn of nobody": ("several turns", '{"turns": [{"content": "Hi"}]}', "unwritable", "no role that is known"),
    "the user's turn last": (
        "several turns",
        '{"turns": [{"role": "assistant", "content": "Hm."}, {"role": "user", "content": "So?"}]}',
        "unwritable",
        "do not end with one",
    ),
    "an empty turn": ("several turns", '{"turns": [{"role": "assistant", "content": " "}]}', "unwritable", "no text"),
    "a wrong truth": ("problem with its answer", "Output: 3 + 4 = 7.\nAnswer: ", "truth_empty", ""),
    "half a character": (
        "calls",
        '{"calls": [{"name": "find_route", "arguments": {"start": "\\ud800", "end": "Rome"}}]}',
        "unwritable",
        "cannot hold it (UnicodeEncodeError",
    ),
    "arguments without an end": (
        "calls",
        json.dumps({"calls": [{"name": "find_route", "arguments": "[" * 100_000}]}),
        "unwritable",
        "are not an object",
    ),
    "too large a number": ("problem with a number", f"Output: Many.\nAnswer: {9**30}", "unwritable", "cannot hold it"),
    "one field": ("problem with its answer", "Output: 3 + 4 = 7.", "unparsed", ""),
    "a field twice": ("problem with its answer", "Output: 7\nAnswer: 7\nAnswer: 8", "unparsed", ""),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_an_answer_that_makes_no_row_says_why(case: str) -> None:
    name, written, reason, detail = BAD_ANSWERS[case]
    rounds = made_of(name, written)
    assert len(rounds.kept) == 0
    (row,) = rounds.dropped
    assert row["reason"] == reason
    assert detail in row["detail"]


@pytest.mark.parametrize("said", ["nan", "inf", "1e999"])
def test_a_truth_is_a_number_that_there_is(said: str) -> None:
    with pytest.raises(Unwritable, match="is not a number"):
        typed(said, Value("float64"))


def test_a_column_that_is_null_in_all_seeds_holds_texts() -> None:
    rounds = Rounds(generator_of(teacher()))
    rounds.generate_round([{"instruction": ASKED, "input": None, "output": "A saw and some glue."}], 2)
    assert rounds.kept.features["input"] == Value("string")
    assert len(rounds.kept) == 2


def test_half_a_character_in_a_turn_is_a_question_mark() -> None:
    answer = json.dumps({"turns": [said(f"{ANSWER[:-1]} \ud83d.")]})
    (row,) = made_of("several turns", answer).kept
    assert row["conversations"][-1] == gpt(f"{ANSWER[:-1]} ?.")


def test_tools_are_shown_and_only_tasks_for_the_same_tools() -> None:
    other = json.dumps([{"name": "add", "parameters": {"type": "object", "properties": {}}}])
    seeds = [
        *({"messages": [user(f"Find a way from {a} to Kiel"), structured(OLD, 1)], "tools": TOOLS} for a in "AB"),
        {"messages": [user("Add three and four"), structured({"name": "add", "arguments": {}}, 1)], "tools": other},
    ]
    model = teacher(tasks=lambda _: numbered([TASK]), row=lambda _: json.dumps({"calls": [CALL]}))
    rounds = Rounds(generator_of(model, prompt=Prompts(structured=True)))
    made = rounds.generate_round(seeds, 8, requests=6)
    asked = [talk[0].content for talk in model.asked]
    with_route = [text for text in asked if "find_route" in text]
    assert with_route
    assert all("Add three" not in text for text in with_route if '"name": "add"' not in text)
    assert all(row["tools"] in (TOOLS, other) for row in made.kept)
    schemas: list[Any] = [generation.response_format for generation in model.generations]
    assert schemas[-1]["properties"]["calls"]["items"]["required"] == ["name", "arguments"]


@pytest.mark.parametrize("tools", [None, TOOLS])
def test_an_answer_is_asked_for_under_what_the_system_says(tools: str | None) -> None:
    answer: dict[str, Any] = structured(OLD, 1) if tools else said("Glue.")
    more = {"tools": tools} if tools else {}
    model = teacher(
        tasks=lambda _: numbered([TASK]),
        row=lambda _: json.dumps({"calls": [CALL]}) if tools else ANSWER,
    )
    rounds = Rounds(generator_of(model))
    rounds.generate_round([{"messages": [SYSTEM, user(ASKED), answer], **more}], 8, requests=1)
    tasks, row = (talk[0].content for talk in model.asked)
    assert SYSTEM["content"] not in tasks
    assert row.count(SYSTEM["content"]) == 1
    assert rounds.kept[0]["messages"][0]["content"] == SYSTEM["content"]
