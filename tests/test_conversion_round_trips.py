"""There and back again: whatever a conversion does not report as lost comes back, in any pair of shapes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from datasets import disable_progress_bars
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_rows import same, talks, texts

from hfclean.conversion import Losses, convert, losses_of
from hfclean.errors import SchemaError
from hfclean.schema import detect
from hfclean.values import exact_dataset, has_json

disable_progress_bars()
SHAPES = ("messages", "conversations", "prompt_completion", "alpaca")
THOUGHT = "Six sevens."
SPELLED: dict[str, dict[str, Any]] = {
    "tags": {"content": f"<think>{THOUGHT}</think>42"},
    "key": {"content": "42", "reasoning_content": THOUGHT},
    "another key": {"content": "42", "thinking": THOUGHT},
    "Harmony": {
        "content": f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>42"
    },
    "part": {"content": [{"type": "reasoning", "text": THOUGHT}, {"type": "text", "text": "42"}]},
    "solution": {
        "content": f"<|begin_of_thought|>{THOUGHT}<|end_of_thought|><|begin_of_solution|>42<|end_of_solution|>"
    },
}


@st.composite
def rows(draw: st.DrawFn, shape: str) -> dict[str, Any]:
    beside = {"tools": '[{"name":  "f"}]', "ground_truth": "42"}
    if shape == "alpaca":
        row = {"instruction": draw(texts), "input": draw(st.one_of(st.just(""), texts)), "output": draw(texts)}
        if draw(st.booleans()):
            row |= {"system": draw(texts), "history": draw(st.lists(st.tuples(texts, texts).map(list), max_size=2))}
        return {**row, **beside}
    messages = draw(talks())
    if shape == "prompt_completion":
        return {"prompt": messages[:-1], "completion": messages[-1:], **beside}
    ds = exact_dataset([{"messages": messages, **beside}])
    return convert(ds, shape, losses=Losses())[0]  # type: ignore[no-any-return]


def of_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row in the one spelling of its shape: Alpaca's may lack what is empty, strings are one message each."""
    row = {key: value for key, value in same(row).items() if value or key not in ("system", "history")}
    for key, role in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(row.get(key), str):
            row[key] = [{"role": role, "content": row[key]}]
    return row


@pytest.mark.parametrize(("shape", "to"), [*permutations(SHAPES, 2)])
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_what_is_not_reported_lost_comes_back(shape: str, to: str, data: st.DataObject) -> None:
    ds = exact_dataset(data.draw(st.lists(rows(shape), min_size=1, max_size=2)))
    foreseen, losses = losses_of(ds, to), Losses()
    try:
        there = convert(ds, to, losses=losses)
    except SchemaError:
        assert "rows that do not fit, so that nothing is converted" in foreseen
        return
    assert foreseen == losses
    pairs = [[detect(part.column_names).pairs(row)[-1] for row in part] for part in (ds, there)]
    answered = [[(pair.thought.strip(), pair.response) for pair in each] for each in pairs]
    if not any(name.startswith(("parts", "contents in", "key", "null")) for name in losses):
        assert answered[0] == answered[1]
    if not losses:
        back = convert(there, shape, losses=Losses())
        assert [of_row(row) for row in back] == [of_row(row) for row in ds]


def chat(**answer: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Seven times six?"}, {"role": "assistant", **answer}]}


@pytest.mark.parametrize("spelling", SPELLED)
@pytest.mark.parametrize("to", ["messages", "conversations", "prompt_completion", "alpaca"])
def test_a_thought_in_any_spelling_goes_where_it_is_wanted(spelling: str, to: str) -> None:
    ds = exact_dataset([chat(**SPELLED[spelling])])
    view = detect(
        [to] if to in ("messages", "conversations") else to.split("_") if "_" in to else ["instruction", "output"]
    )
    for thoughts in (None, "content") if to == "alpaca" else (None, "content", "reasoning_content"):
        row = convert(ds, to, thoughts=thoughts, losses=Losses())[0]  # type: ignore[arg-type]
        pair = view.pairs(row)[-1]
        assert (pair.thought, pair.response) == (THOUGHT, "42")
        answer = row[view.columns[-1]]
        answer = answer if isinstance(answer, str) else answer[-1]
        if thoughts == "reasoning_content":
            assert answer["reasoning_content"] == THOUGHT
        elif thoughts == "content":
            text = answer if isinstance(answer, str) else answer.get("value", answer.get("content"))
            text = text[0]["text"] if isinstance(text, list) else text
            assert text == f"<think>\n{THOUGHT}\n</think>\n\n42"


def test_a_thought_that_could_not_be_told_from_the_answer_stays_where_it_is() -> None:
    ds, losses = exact_dataset([chat(content="42", reasoning_content="a </think> b")]), Losses()
    assert convert(ds, "messages", thoughts="content", losses=losses)[0] == ds[0]
    assert list(losses) == ["thoughts that stay where they stand: elsewhere they could not be told from the answer"]


def test_calls_and_their_results_keep_ids_and_arguments_on_the_way_to_sharegpt_and_back() -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "rain", "arguments": '{"city": "Oslo"}'}},
        {"id": "2", "type": "function", "function": {"name": "rain", "arguments": '{"city":"Rome"}'}},
    ]
    turns = [
        {"role": "user", "content": "Rain?"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "content": "yes", "tool_call_id": "2"},
        {"role": "tool", "content": "no", "tool_call_id": "1"},
        {"role": "assistant", "content": "In Rome."},
    ]
    ds, losses = exact_dataset([{"messages": turns}]), Losses()
    there = convert(ds, "conversations", losses=losses)
    assert [turn["from"] for turn in there[0]["conversations"]] == [
        *("human", "function_call", "observation", "observation", "gpt")
    ]
    assert there[0]["conversations"][1]["value"] == (
        '[{"id": "1", "name": "rain", "arguments": {"city": "Oslo"}}, '
        '{"id": "2", "name": "rain", "arguments": "{\\"city\\":\\"Rome\\"}"}]'
    )
    back = convert(there, "messages", losses=losses)[0]["messages"]
    assert ([same(turn) for turn in back], losses) == ([same(turn) for turn in turns], {})


def test_json_columns_and_traces_beside_come_along() -> None:
    trace = [{"type": "user", "n": "007"}, {"type": "call", "arguments": {"a": [1, "1"]}}]
    rows = [
        {**chat(content=x), "trace": trace, "tools": [{"name": "f"}]} for x in ("4", [{"type": "text", "text": "4"}])
    ]
    ds = exact_dataset(rows)
    assert has_json(ds.features["trace"])
    for to in ("conversations", "prompt_completion", "alpaca"):
        made = convert(ds, to, losses=Losses())
        assert [(row["trace"], row["tools"]) for row in made] == [(trace, [{"name": "f"}])] * 2


def test_rows_that_do_not_fit_are_counted_beforehand_and_named() -> None:
    twice = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    ds = exact_dataset([chat(content="42"), {"messages": twice}, {"messages": twice}])
    assert losses_of(ds, "alpaca") == {"rows that do not fit, so that nothing is converted": 2}
    with pytest.raises(SchemaError, match=r"2 of 3 rows do not fit: a row has the turns \['user', 'user'\] before"):
        convert(ds, "alpaca")
    with pytest.raises(SchemaError, match=r"thoughts='there'.*expected 'content' or 'reasoning_content'"):
        losses_of(ds, "messages", thoughts="there")  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="texts alone"):
        convert(ds, "alpaca", thoughts="reasoning_content")
