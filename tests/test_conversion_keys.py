"""Conversions carry every key of messages, or count what they leave out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from datasets import Dataset

import hfclean
from hfclean.conversion import Losses, convert

CHAT = {
    "conversations": [
        {"from": "human", "value": "Seven times six?"},
        {"from": "gpt", "value": "42", "reasoning_content": "7 * 6 = 42", "weight": 1},
    ],
    "tools": "[]",
    "code": "007",
}


def without_nulls(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if value is not None}


def test_other_keys_of_a_message_and_other_columns_come_along() -> None:
    losses = Losses()
    row = convert(Dataset.from_list([CHAT]), "messages", losses=losses)[0]
    assert without_nulls(row["messages"][1]) == {
        "role": "assistant",
        "content": "42",
        "reasoning_content": "7 * 6 = 42",
        "weight": 1,
    }
    assert (row["tools"], row["code"], losses) == ("[]", "007", {})
    row = convert(Dataset.from_list([CHAT]), "prompt_completion")[0]
    assert row["completion"][0]["reasoning_content"] == "7 * 6 = 42"


def test_what_strings_cannot_hold_is_counted() -> None:
    losses = Losses()
    made = convert(Dataset.from_list([CHAT, CHAT]), "alpaca", losses=losses)
    assert made[0]["output"] == "<think>\n7 * 6 = 42\n</think>\n\n42"
    assert losses == {"thoughts beside an answer, now before it as <think>": 2, "key 'weight' of messages": 2}
    with pytest.warns(UserWarning, match="key 'weight' of messages: 1 row"):
        convert(Dataset.from_list([CHAT]), "alpaca")


def test_a_call_becomes_a_call_and_one_that_does_not_parse_stays_text() -> None:
    turns = [
        {"from": "human", "value": "Oslo?"},
        {"from": "function_call", "value": json.dumps([{"name": "rain", "arguments": {"city": "Oslo"}}])},
        {"from": "function_call", "value": "rain(Oslo)"},
        {"from": "gpt", "value": "Wet."},
    ]
    losses = Losses()
    messages = convert(Dataset.from_list([{"conversations": turns}]), "messages", losses=losses)[0]["messages"]
    assert messages[1]["tool_calls"][0]["function"] == {"name": "rain", "arguments": '{"city": "Oslo"}'}
    assert messages[2]["content"] == "rain(Oslo)"
    assert losses == {"tool calls that do not parse, kept as text": 1}


def test_preference_keeps_the_keys_of_the_answer() -> None:
    turns = [
        {"role": "user", "content": "Name a fruit."},
        {"role": "assistant", "content": "An apple.</s>", "reasoning_content": "Fruit."},
    ]
    made = convert(Dataset.from_list([{"messages": turns}]).map(hfclean.revise), "preference")[0]
    assert made["chosen"][0]["content"] == "An apple."
    assert made["rejected"][0] == {"role": "assistant", "content": "An apple.</s>", "reasoning_content": "Fruit."}
