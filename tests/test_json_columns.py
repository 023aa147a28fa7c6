"""Messages, tools and traces in columns of the type `Json()`: cleaned, pushed, pulled, converted, undone exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, Json, List, load_dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401

from hfclean.cli import main
from hfclean.conversion import Losses, convert
from hfclean.values import has_json, stored

CALL = {"id": "c1", "type": "function", "function": {"name": "rain", "arguments": {"city": "Oslo", "days": [1, "1"]}}}
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "Will it rain in Oslo?</s>"},
    {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "Ask."},
    {"role": "tool", "content": "007", "tool_call_id": "c1"},
    {"role": "assistant", "content": "It will.</s>"},
]
TOOLS = [{"type": "function", "function": {"name": "rain", "parameters": {"type": "object", "required": ["city"]}}}]
TRACE = {"n": "007", "steps": [{"x": None}, {"x": 1.5}, "null", 4], "big": 9007199254740993}
ROWS: list[dict[str, Any]] = [
    {"messages": TALK, "tools": TOOLS, "trace": TRACE},
    {"messages": [TALK[0], TALK[3]], "tools": [], "trace": "null"},
    {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "text", "text": "Ho."}]},
        ]
    }
    | {"tools": None, "trace": [["</s>"], {}]},
]
KINDS = [
    Features({"messages": Json(), "tools": Json(), "trace": Json()}),
    Features({"messages": List(Json()), "tools": List(Json()), "trace": Json()}),
]


def made(features: Features) -> Dataset:
    rows = [{name: stored(cell, features[name]) for name, cell in row.items()} for row in ROWS]
    return Dataset.from_list(rows, features=features)


@pytest.mark.parametrize("features", KINDS, ids=["whole cells", "messages one by one"])
def test_json_columns_are_cleaned_pushed_pulled_and_undone(
    fake_hub: FakeHub, features: Features, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = made(features)
    assert raw.features == features
    assert list(raw) == ROWS
    raw.save_to_disk(str(tmp_path / "raw"))
    out, pulled = tmp_path / "out", tmp_path / "pulled"
    assert main(["clean", str(tmp_path / "raw"), "--out", str(out), "--quiet"]) == 0
    assert main(["push", str(out), "me/x", "--license", "mit", "--language", "en", "--quiet"]) == 0
    assert main(["pull", "me/x", "--out", str(pulled)]) == 0
    cleaned = load_dataset(str(pulled), split="train")
    assert {name: cleaned.features[name] for name in features} == dict(features)
    assert cleaned["edit"][:] == ["revised", "revised", "kept"]
    expected = [{**row, "messages": [*row["messages"]]} for row in ROWS]
    for row in expected[:2]:
        row["messages"][-1] = {**TALK[3], "content": "It will."}
    expected[1]["messages"][0] = {**TALK[0], "content": "Will it rain in Oslo?"}
    assert [{name: row[name] for name in features} for row in cleaned] == expected
    undone = tmp_path / "undone"
    assert main(["undo", str(pulled), "--out", str(undone)]) == 0
    back = load_dataset(str(undone), split="train")
    assert (back.features, list(back)) == (features, ROWS)
    capsys.readouterr()


@pytest.mark.parametrize("features", KINDS, ids=["whole cells", "messages one by one"])
@pytest.mark.parametrize("to", ["conversations", "prompt_completion", "conversation"])
def test_json_columns_are_converted_and_come_back(features: Features, to: str) -> None:
    losses = Losses()
    there = convert(made(features), to, losses=losses)
    assert [(row["tools"], row["trace"]) for row in there] == [(row["tools"], row["trace"]) for row in ROWS]
    assert there.features["trace"] == Json()
    respelled = {"conversations": ["arguments of tool calls that were objects, read as text again"]}.get(to, [])
    assert sorted(losses) == respelled
    back = convert(there, "messages", losses=Losses())
    assert has_json(back.features["messages"])
    if not losses:
        assert [row["messages"] for row in back] == [row["messages"] for row in ROWS]


# ------------------------------------------------------------------------------------------------------ large and deep

TALKS = [{"role": ("user", "assistant")[k % 2], "content": f"Turn {k}.</s>"} for k in range(1000)]
MANY_TOOLS = json.dumps([{"type": "function", "function": {"name": f"f{k}", "parameters": {}}} for k in range(500)])
LARGE: dict[str, dict[str, Any]] = {
    "a megabyte": {"instruction": "word " * 200_000, "input": "", "output": "An apple.</s>"},
    "a megabyte in a message": {"messages": [TALKS[0], {"role": "assistant", "content": "word " * 200_000}]},
    "deep arguments": {
        "messages": [TALKS[0], {"role": "assistant", "content": None, "function_call": "[" * 10_000 + "]" * 10_000}]
    },
    "a deep call": {
        "conversations": [
            {"from": "human", "value": "Call."},
            {"from": "function_call", "value": '{"name": "f", "arguments": ' + "[" * 10_000 + "]" * 10_000 + "}"},
            {"from": "gpt", "value": "Done.</s>"},
        ]
    },
    "deep messages": {"messages": '[{"role": ' * 10_000},
    "a deep truth": {"prompt": "Add.", "reward_model": '{"ground_truth": ' * 10_000 + "1" + "}" * 10_000},
    "a thousand turns": {"messages": TALKS},
    "five hundred tools": {"messages": TALKS[:2], "tools": MANY_TOOLS},
    "a thousand steps": {"prompt": "Add.", "completions": ["Step."] * 1000, "labels": [True] * 1000},
    "a thousand answers": {"prompt": "Add.", "responses": [f"a{k}" for k in range(1000)], "ranks": [*range(1, 1001)]},
}


@pytest.mark.parametrize("name", LARGE)
def test_large_and_deep_rows_are_converted(name: str) -> None:
    row, losses = LARGE[name], Losses()
    forms = ["messages", "conversations", "prompt_completion", "question_answer", "prompt_only"]
    for to in forms if name not in ("a thousand turns", "a deep call") else forms[:3]:
        there = convert(Dataset.from_list([row]), to, losses=losses)
        assert len(there) == 1
        beside = [column for column in ("tools", "reward_model", "labels") if column in row and column in there[0]]
        assert [there[0][column] for column in beside] == [row[column] for column in beside]
    assert all(count <= len(forms) for count in losses.values())


def test_large_and_deep_rows_are_cleaned_and_undone_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = '{"a": ' * 10_000 + "1" + "}" * 10_000
    rows = [
        {"messages": TALKS, "tools": MANY_TOOLS, "trace": deep},
        {"messages": [TALKS[0], {"role": "assistant", "content": "word " * 200_000}], "tools": "[]", "trace": "{}"},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["clean", str(file), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    cleaned = load_dataset(str(tmp_path / "out"), split="train")
    assert (cleaned[0]["messages"][-1]["content"], cleaned[0]["trace"] == deep) == ("Turn 999.", True)
    assert main(["undo", str(tmp_path / "out"), "--out", str(tmp_path / "undone")]) == 0
    assert list(load_dataset(str(tmp_path / "undone"), split="train")) == rows
    capsys.readouterr()
