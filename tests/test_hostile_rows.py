"""Rows that are no rows of their shape, or are nested beyond measure: left alone, with a reason, and no run ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, Json, List, Value

import hfclean
from hfclean.cleaning import clean
from hfclean.rules.guard import allowed
from hfclean.rules.sealed import resealed, sealed_spans
from hfclean.schema import Pair, is_unreadable
from hfclean.source import load

ASKED = {"role": "user", "content": "Name a fruit."}
SAID = {"role": "assistant", "content": "An apple.</s>"}
GOOD = json.dumps([ASKED, SAID])
BAD = ("plain text", "[" * 10_000 + "]" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000, '["a"]', GOOD[:40], "5")


def test_rows_that_are_no_conversations_are_left_alone_with_a_reason(tmp_path: Path) -> None:
    cells = [GOOD, *BAD, None, GOOD]
    ds = Dataset.from_dict({"messages": cells})
    expected = ["chat_markers", *["unreadable"] * len(BAD), "", "chat_markers"]
    for how in ({"batched": True}, {"batched": True, "batch_size": 1}, {"batched": False}):
        out = ds.map(hfclean.revise, **how)
        assert out["edit_reason"][:] == expected
        assert out["messages"][1:-1] == cells[1:-1]
        assert out["edit"][1] == "kept"
        assert hfclean.restore(out)["messages"][:] == cells
    assert [row["edit_reason"] for row in ds.to_iterable_dataset().map(hfclean.revise)] == expected
    assert ds.map(hfclean.score)["defects"][1:3] == ["unknown_roles"] * 2
    assert clean(ds).dataset["edit_reason"][:] == expected
    assert hfclean.dedupe(ds)  # they are read by all that reads pairs


def test_a_column_of_plain_text_is_refused_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(hfclean.errors.SchemaError, match=r"not a list of messages: str 'hello'.*columns="):
        clean(Dataset.from_dict({"messages": ["hello", "you"]}))
    file = tmp_path / "rows.jsonl"
    file.write_text('{"messages": "hello"}\n{"messages": "you"}\n')
    with pytest.raises(hfclean.errors.SchemaError, match="can be read as a conversation"):
        load(file, cache_dir=tmp_path / "cache")


def test_what_is_unreadable_is_told_from_roles_that_nobody_knows() -> None:
    unknown = {"messages": [{"role": "who", "content": "a"}]}
    assert hfclean.revise(unknown)["edit_reason"] == ""
    assert not is_unreadable(Pair("", "", "b"))


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize("levels", [150, 450, 700])
def test_values_nested_deeply_in_a_json_column_come_back(levels: int) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": nested(levels)}}
    talk = [ASKED, {"role": "assistant", "content": None, "tool_calls": [call]}, SAID]
    ds = Dataset.from_dict({"messages": [[ASKED, SAID], talk]}, features=Features({"messages": Json()}))
    out = ds.map(hfclean.revise, batched=True)
    assert out["edit_reason"][:] == ["chat_markers"] * 2
    assert out["messages"][1][1] == talk[1]
    assert hfclean.restore(out)["messages"][:] == ds["messages"][:]


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_a_line_nested_beyond_measure_is_named(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rows.{suffix}"
    rows = [{"instruction": "a", "output": "b", "x": nested(levels)} for levels in (10, 150, 600)]
    file.write_text("\n".join(map(json.dumps, rows)) if suffix == "jsonl" else json.dumps(rows))
    with pytest.raises(hfclean.errors.SourceError, match=r"nested too deeply to be read: more than 200 levels"):
        load(file, cache_dir=tmp_path / "cache")
    file.write_text("\n".join(map(json.dumps, rows[:2])) if suffix == "jsonl" else json.dumps(rows[:2]))
    assert len(load(file, cache_dir=tmp_path / "cache").dataset["train"]) == 2


NESTED = Features({"messages": List({"role": Value("string"), "content": Json()})})
JSON_ROWS = [
    (Features({"messages": Json()}), [[ASKED, {**SAID, "n": [1, 1.5, None, "007"]}], [ASKED], None]),
    (NESTED, [[ASKED, {"role": "assistant", "content": [{"type": "text", "text": "An apple.</s>"}]}], [ASKED, SAID]]),
]


@pytest.mark.parametrize(("features", "cells"), JSON_ROWS, ids=["messages", "content"])
@pytest.mark.parametrize("kind", [None, "numpy", "arrow"])
def test_json_columns_stay_values_under_every_format(features: Features, cells: list[Any], kind: str | None) -> None:
    ds = Dataset.from_dict({"messages": cells}, features=features)
    out = ds.with_format(kind).map(hfclean.revise, batched=True).with_format(None)
    assert out.features["messages"] == features["messages"]
    assert "</s>" not in json.dumps(out["messages"][:])
    assert out["edit"][0] == "revised"
    assert hfclean.restore(out)["messages"][:] == cells


UNTIDY = "It is  so .\n\n\n\n&amp; that"
SEALED = [
    f"<think>a</think>One.\n<think>{UNTIDY}</think>Two.",
    f"<think>a <think>b</think> {UNTIDY}</think>Four.",
    f'<think duration="3">{UNTIDY}</think>Four.',
    f"<think>{UNTIDY}",
    f"<|channel>thought\n{UNTIDY}<channel|>Four.",
    f"<|channel|>analysis<|message|>{UNTIDY}<|end|><|start|>assistant<|channel|>commentary to=functions.add "
    f'<|constrain|>json<|message|>{{"a":  "{UNTIDY}"}}<|call|><|start|>functions.add to=assistant<|channel|>commentary'
    "<|message|>4<|end|><|start|>assistant<|channel|>final<|message|>Four.<|return|>",
    '[TOOL_CALLS][{"name": "add",  "arguments": {"a": "x &amp; y"}}]',
    '<tool_call>\n{"name": "add",  "arguments": {"a": "x &amp; y"}}\n</tool_call>',
    "<function=add>\n<parameter=a>\nx &amp;  y\n</parameter>\n</function>",
    '<|python_tag|>add.call(a="x &amp;  y")<|eom_id|>',
]


@pytest.mark.parametrize("text", SEALED)
def test_no_rule_alters_a_thought_or_a_call_inside_an_answer(text: str) -> None:
    row = {"prompt": "What is 2 + 2?", "completion": text}
    assert hfclean.revise(row)["completion"] == text
    assert hfclean.revise({**row, "completion": f"{text}</s>"})["completion"] in (text, f"{text}</s>")


def test_what_stands_around_a_sealed_stretch_is_repaired() -> None:
    old = "<think>a</think>One &amp; two.\n<think>x &amp; y</think>Three &amp; four."
    new = "<think>a</think>One & two.\n<think>x & y</think>Three & four."
    assert resealed(old, new) == "<think>a</think>One & two.\n<think>x &amp; y</think>Three & four."
    assert allowed(Pair("", "", old), Pair("", "", new)).response == resealed(old, new)
    assert resealed("Four.<|im_start|>assistant\n<think>Five?</think>Five.", "Four.") == "Four."
    assert resealed("Four. <think>a</think>", "Four. <think>a</think><think>b</think>") == "Four. <think>a</think>"


def test_text_that_speaks_of_tags_has_nothing_sealed_and_a_megabyte_takes_no_longer_per_byte() -> None:
    assert sealed_spans("Open it with <think> and go on.") == []
    assert sealed_spans("a <think>b</think> c [TOOL_CALLS]d</s>") == [(9, 10), (33, 34)]
    for text in (
        "<think>" * 150_000,
        "</think>" * 130_000,
        "[TOOL_CALLS]" * 90_000,
        "<|channel|>x<|message|>" * 45_000,
    ):
        assert len(sealed_spans(text)) <= len(text) // 10
