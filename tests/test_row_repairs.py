"""Repairs of rows of messages that are done on request alone: exact, restorable, in the ledger."""

import json
from typing import Any

import pytest
from datasets import Dataset

import hfclean
from hfclean.errors import RuleError
from hfclean.reviser.row_repairs import canonical_json


def turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


OPEN_END = [turn("user", "Hi"), turn("assistant", "Hello!</s>"), turn("user", "And  then?</s>")]


def test_nothing_is_repaired_that_nobody_asked_for() -> None:
    assert "also" not in hfclean.RuleReviser().settings()
    revised = hfclean.revise({"messages": OPEN_END})
    assert len(revised["messages"]) == 3
    with pytest.raises(RuleError, match="also='tools' is not a repair on request; expected canonical_arguments or"):
        hfclean.RuleReviser(also=("tools",))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_last_turn_of_the_user_is_dropped_on_request_and_comes_back(as_json: bool) -> None:
    cell: Any = json.dumps(OPEN_END, indent=1) if as_json else OPEN_END
    row = {"messages": cell}
    reviser = hfclean.RuleReviser(also=["last_turn_unanswered"])
    out = reviser(row)
    left = json.loads(out["messages"]) if as_json else out["messages"]
    assert left == [turn("user", "Hi"), turn("assistant", "Hello!")]
    assert (out["edit"], out["edit_reason"]) == ("revised", "chat_markers last_turn_unanswered")
    assert hfclean.restore({**row, **out}) == row
    again = reviser({**row, **out})
    assert again["messages"] == out["messages"]


def test_what_is_dropped_stands_in_the_ledger_and_one_rule_can_be_undone() -> None:
    ds = Dataset.from_list([{"messages": OPEN_END}, {"messages": OPEN_END[:2]}])
    reviser = hfclean.RuleReviser(also=["last_turn_unanswered"])
    out = ds.map(reviser, batched=True)
    assert [len(messages) for messages in out["messages"]] == [2, 2]
    entries = [(entry.field, entry.rule, entry.before, entry.after) for entry in hfclean.ledger(out)]
    assert entries == [
        ("messages/1/content", "chat_markers", "Hello!</s>", "Hello!"),
        ("messages/2", "last_turn_unanswered", "And  then?</s>", ""),
        ("messages/1/content", "chat_markers", "Hello!</s>", "Hello!"),
    ]
    assert hfclean.restore(out).to_list() == ds.to_list()
    kept = hfclean.restore(out, rule="last_turn_unanswered")
    assert [m["content"] for m in kept[0]["messages"]] == ["Hi", "Hello!", "And  then?</s>"]
    with_end = hfclean.restore(out, rule="chat_markers")
    assert [m["content"] for m in with_end[0]["messages"]] == ["Hi", "Hello!</s>"]


def test_two_steps_drop_two_turns_and_both_come_back() -> None:
    row = {"messages": [*OPEN_END, turn("user", "Well?")]}
    reviser = hfclean.RuleReviser(only=(), also=["last_turn_unanswered"])
    once = {**row, **reviser(row)}
    twice = {**once, **reviser(once)}
    assert [len(each["messages"]) for each in (once, twice)] == [3, 2]
    assert hfclean.restore(twice) == row


def test_results_answers_and_rows_without_an_assistant_stay() -> None:
    reviser = hfclean.RuleReviser(only=(), also=["last_turn_unanswered"])
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "rain"}]}
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "look", "input": {}}]}
    for messages in ([turn("user", "Hi")], OPEN_END[:2], [turn("user", "Rain?"), call, result]):
        assert reviser({"messages": messages})["messages"] == messages


def test_arguments_are_written_in_one_way_on_request() -> None:
    given = '{"b":1.50,"a" :"\\u00fc" }'
    function = {"id": "1", "type": "function", "function": {"name": "look", "arguments": given}}
    row = {"messages": [turn("user", "Look."), {"role": "assistant", "content": None, "tool_calls": [function]}]}
    out = hfclean.RuleReviser(also=["canonical_arguments"])(row)
    arguments = out["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert arguments == '{"b": 1.50, "a": "ü"}'
    assert out["edit_reason"] == "canonical_arguments"
    assert hfclean.restore({**row, **out}) == row
    value = '{"name":"look","arguments":{"b":[1,2]}}'
    shared = {"conversations": [{"from": "human", "value": "Look."}, {"from": "function_call", "value": value}]}
    out = hfclean.RuleReviser(also=["canonical_arguments"])(shared)
    assert out["conversations"][1]["value"] == '{"name": "look", "arguments": {"b": [1, 2]}}'


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ('{"a":1e5,"b":0.10,"c":12345678901234567890}', '{"a": 1e5, "b": 0.10, "c": 12345678901234567890}'),
        ('{ "b" : 1, "a" : null }', '{"b": 1, "a": null}'),
        ('{"a": 1, "a": 2}', None),
        ('{"a": "\\ud800"}', None),
        ('{"a": 1', None),
        ("[" * 10_000 + "]" * 10_000, None),
        ('"text"', None),
        ('{"a": NaN}', None),
    ],
)
def test_only_what_loses_nothing_is_written_anew(text: str, new: str | None) -> None:
    assert canonical_json(text) == new


CLOSED = [
    ("<think>\nTwo.\n\n<answer>Four.</answer>", "<think>\nTwo.\n</think>\n\n<answer>Four.</answer>"),
    ("<think>Two. <answer>Four.</answer>\n", "<think>Two.</think> <answer>Four.</answer>\n"),
    ("<think>Two.</thinking>Four.", "<think>Two.</think>Four."),
    ("<think>Two.\n</THINK>\nFour.", "<think>Two.\n</think>\nFour."),
    ("[THINK]Two.</think>Four.", "[THINK]Two.[/THINK]Four."),
    (
        "<|begin_of_thought|>\n\nTwo.\n\n<|begin_of_solution|>\n\nFour.\n\n<|end_of_solution|>",
        "<|begin_of_thought|>\n\nTwo.\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nFour.\n\n<|end_of_solution|>",
    ),
    (
        "<|channel|>analysis<|message|>Two.<|start|>assistant<|channel|>final<|message|>Four.<|return|>",
        "<|channel|>analysis<|message|>Two.<|end|><|start|>assistant<|channel|>final<|message|>Four.<|return|>",
    ),
]
UNCERTAIN = [
    "<think>Two and two. Four.",
    "<think>Two and two.\n\n**Answer:** Four.",
    "<think>It ends with `</thinking>` and so on. Four.",
    "<think>It ends with </thinking> and so on. Four.",
    "<think>Two.</thinking>Or three.</reasoning>Four.",
    "<think>I write <answer> and then <answer>Four.</answer>",
    "<think>I write <answer>Four.</answer> Then I stop. Five.",
    "<think>Two.</thinking>",
    "<think><answer>Four.</answer>",
    "<think>Two.<|begin_of_solution|>Four.<|end_of_solution|>",
    "<|channel|>analysis<|message|>Two. The end.",
]


@pytest.mark.parametrize(("text", "closed"), CLOSED)
def test_a_thought_is_closed_on_request_where_the_answer_certainly_begins(text: str, closed: str) -> None:
    asked = turn("user", "What is 2 + 2?")
    reviser = hfclean.RuleReviser(only=(), also=["thought_unclosed"])
    rows: list[dict[str, Any]] = [
        {"instruction": "What is 2 + 2?", "output": text},
        {"prompt": "What is 2 + 2?", "completion": text},
        {"messages": [asked, turn("assistant", text)]},
        {"prompt": [asked], "chosen": [turn("assistant", text)], "rejected": [turn("assistant", "Five.")]},
    ]
    for row in rows:
        out = {**row, **reviser(row)}
        assert json.dumps(closed) in json.dumps(out), row
        assert out["edit_reason"] == "thought_unclosed"
        assert hfclean.score(out)["defects"].split().count("thought_unclosed") == 0
        assert hfclean.restore(out) == row
        assert reviser(out)["edit"] == "kept"
    assert hfclean.RuleReviser(only=())(rows[0])["edit"] == "kept"


@pytest.mark.parametrize("text", UNCERTAIN)
def test_a_thought_stays_open_where_the_answer_may_begin_anywhere(text: str) -> None:
    out = hfclean.RuleReviser(only=(), also=["thought_unclosed"])({"prompt": "What is 2 + 2?", "completion": text})
    assert (out["completion"], out["edit"]) == (text, "kept")
