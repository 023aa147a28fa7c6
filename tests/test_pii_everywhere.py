"""Masking reaches whatever the count of personal data sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, Json, Value

import hfclean
from hfclean.reviser import MaskPII
from hfclean.rules.pii import mask_in
from hfclean.scorers import PII

ARGUMENTS = json.dumps({"id": "jo@hf.co", "body": "Dear\njo@hf.co", "card": 4539148803436467, "0": "bo@hf.co"})
CALL = {"id": "c1", "type": "function", "function": {"name": "mail", "arguments": ARGUMENTS}}
ROW: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "Mail jo@hf.co", "tool_calls": None},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": '{"sent": "jo\\u0040hf.co"}', "tool_calls": None},
        {"role": "assistant", "content": "Done.", "tool_calls": None},
    ],
    "trace": {"steps": [{"arguments": {"0": "ann@hf.co"}}, {"arguments": {"0": "x"}}]},
    "text": "USER: Mail jo@hf.co",
    "source_id": "jo@hf.co",
}


def test_every_place_is_masked_counted_as_none_and_put_back() -> None:
    ds = Dataset.from_list([ROW])
    before = ds.to_list()
    assert ds.map(hfclean.scorers.PII())["pii_count"][:] == [9.0]
    masked = ds.map(hfclean.reviser.MaskPII())
    assert masked.map(hfclean.scorers.PII())["pii_count"][:] == [0.0]
    row = masked[0]
    call = row["messages"][1]["tool_calls"][0]["function"]
    assert json.loads(call["arguments"]) == {
        "id": "[EMAIL]",
        "body": "Dear\n[EMAIL]",
        "card": "[CARD]",
        "0": "[EMAIL]",
    }
    assert json.loads(row["messages"][2]["content"]) == {"sent": "[EMAIL]"}
    assert row["trace"]["steps"][0]["arguments"]["0"] == "[EMAIL]"
    assert (row["text"], row["source_id"]) == ("USER: Mail [EMAIL]", "[EMAIL]")
    assert hfclean.restore(masked).to_list() == before
    assert hfclean.restore(masked, rows=[row["row_id"]])["trace"][0] == before[0]["trace"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"a": "{\\"to\\": \\"jo@hf.co\\"}"}', '{"a": "{\\"to\\": \\"[EMAIL]\\"}"}'),
        ('{"a":1,  "b": [4539148803436467]}', '{"a":1,  "b": ["[CARD]"]}'),
        ("plain jo@hf.co", "plain [EMAIL]"),
        ('{"a": "x"}', '{"a": "x"}'),
    ],
)
def test_json_stays_json_and_the_rest_stays_to_the_letter(text: str, masked: str) -> None:
    assert mask_in(text)[0] == masked


@pytest.mark.realdata
def test_real_calls_are_clean_after_masking(realdata: Callable[[str], Path]) -> None:
    lines = realdata("sharegpt_toolcall_300.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    found = 0.0
    for row in rows:
        found += hfclean.scorers.PII()(row)["pii_count"]
        masked = {**row, **hfclean.reviser.MaskPII()(row)}
        assert hfclean.scorers.PII()(masked)["pii_count"] == 0
        assert hfclean.restore(masked) == row
    assert found > 0


def test_keys_of_objects_are_masked_and_no_two_become_the_same() -> None:
    mail = {"jo@hf.co": "to ann@hf.co", "ann@hf.co": {"bo@hf.co": 1}, "[EMAIL]": 2, "n": [{"jo@hf.co": 3}]}
    trace = {"deep": {"calls": [{"arguments": mail}]}, "plain": 1}
    ds = Dataset.from_list(
        [{"instruction": "Say it.", "output": "x", "trace": trace}] * 2,
        features=Features({"instruction": Value("string"), "output": Value("string"), "trace": Json()}),
    )
    assert ds.map(PII())["pii_count"][:] == [5.0, 5.0]
    masked = ds.map(MaskPII())
    expected = {"[EMAIL]-2": "to [EMAIL]", "[EMAIL]-3": {"[EMAIL]": 1}, "[EMAIL]": 2, "n": [{"[EMAIL]": 3}]}
    assert masked[0]["trace"] == {"deep": {"calls": [{"arguments": expected}]}, "plain": 1}
    assert masked.map(PII())["pii_count"][:] == [0.0, 0.0]
    assert masked["edit_reason"][:] == ["pii_email"] * 2
    assert hfclean.restore(masked).to_list() == ds.to_list()
    assert set(masked["original"][:]) == {""}
    assert list(hfclean.ledger(masked)) == []
    row = ds[0]
    plain = {**row, **MaskPII()(row)}
    assert plain["trace"] == masked[0]["trace"]
    assert hfclean.restore(plain) == row


def test_keys_in_the_type_of_a_column_stay_and_are_counted() -> None:
    ds = Dataset.from_list([{"instruction": "Say it.", "output": "x", "trace": {"jo@hf.co": "ann@hf.co"}}])
    masked = ds.map(MaskPII())
    assert masked[0]["trace"] == {"jo@hf.co": "[EMAIL]"}
    assert masked.map(PII())["pii_count"][:] == [1.0]


def test_keys_of_objects_in_a_string_are_masked_and_no_two_become_the_same() -> None:
    text = '{"jo@hf.co": 1, "ann@hf.co" : {"jo\\u0040hf.co": "jo@hf.co"}, "[EMAIL]": "x"}'
    masked, kinds = mask_in(text)
    assert masked == '{"[EMAIL]-2": 1, "[EMAIL]-3" : {"[EMAIL]-2": "[EMAIL]"}, "[EMAIL]": "x"}'
    assert kinds == ["email"] * 4
    assert mask_in(masked) == (masked, [])
