"""What somebody who has only read the README does with rows of their own: nothing is lost, everything comes back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, Features, Json, List, Value, disable_progress_bars

import hfclean
from hfclean.conversion import Losses, convert
from hfclean.selection.near_duplicates import near_pairs
from hfclean.values import exact_dataset

disable_progress_bars()
MAIL = "kim.larsen@posteo.net"
ASKED, ANSWERED = "Name a river that crosses a border.", "The Rhine crosses several of them."


def chat(answer: Any, role: str = "role", text: str = "content", **more: Any) -> dict[str, Any]:
    return {"messages": [{role: "user", text: ASKED}, {role: "assistant", text: answer}], **more}


# -------------------------------------------------------------------------------------------------------- conversions


def test_contents_of_mixed_types_and_arguments_of_any_type_come_along() -> None:
    contents = ["4", [{"type": "text", "text": "007"}], "null", "[1,  2]"]
    rows = [{"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": x}]} for x in contents]
    made = convert(exact_dataset(rows), "messages")
    assert [row["messages"][1]["content"] for row in made] == contents
    arguments: list[Any] = [{"zip": "007", "n": 4}, {"zip": 7}, {"a": ["1", 2]}, {}]
    calls = [[{"type": "function", "function": {"name": "f", "arguments": each}}] for each in arguments]
    talks = [
        {
            "messages": [
                {"role": "user", "content": ASKED},
                {"role": "assistant", "content": "", "tool_calls": call},
                {"role": "tool", "content": "007"},
                {"role": "assistant", "content": ANSWERED},
            ]
        }
        for call in calls
    ]
    made = convert(exact_dataset(talks), "prompt_completion")
    assert [row["prompt"][1]["tool_calls"] for row in made] == calls
    assert made[0]["prompt"][0] == {"role": "user", "content": ASKED}


@pytest.mark.filterwarnings("ignore:convert left out or respelled")  # counted in the tests of conversion
def test_other_spellings_of_messages_become_role_and_content() -> None:
    usual = chat(ANSWERED)["messages"]
    spoken = [{"speaker": "user", "text": ASKED}, {"speaker": "bot", "text": ANSWERED}]
    columns = {"role": ["user", "assistant"], "content": [ASKED, ANSWERED]}
    for cell in (spoken, columns, json.dumps(spoken), usual):
        assert convert(Dataset.from_list([{"messages": cell}]), "messages")[0]["messages"] == usual
    mixed = exact_dataset([{"messages": usual}, {"messages": spoken}])
    assert [row["messages"] for row in convert(mixed, "messages")] == [usual, usual]


def test_a_prompt_that_the_answer_repeats_is_one_prompt() -> None:
    turns = chat(ANSWERED)["messages"]
    row = {"prompt": turns[:1], "chosen": turns, "rejected": [turns[0], {"role": "assistant", "content": "No."}]}
    losses = Losses()
    assert convert(Dataset.from_list([row]), "messages", losses=losses)[0]["messages"] == turns
    assert losses == {"column 'rejected', the answer that was rejected": 1}


def test_a_prompt_in_plain_text_beside_an_answer_with_more_keys() -> None:
    answer = {"role": "assistant", "content": ANSWERED, "weight": 0}
    made = convert(Dataset.from_list([{"prompt": ASKED, "completion": [answer]}]), "messages")
    assert made[0]["messages"] == [{"role": "user", "content": ASKED}, answer]


def test_both_answers_of_a_pair_keep_their_typed_parts() -> None:
    row = chat([{"type": "text", "text": ANSWERED + "</s>"}])
    row["messages"][0]["content"] = [{"type": "image"}, {"type": "text", "text": ASKED}]
    made = convert(exact_dataset([row]).map(hfclean.revise), "preference")[0]
    assert made["chosen"] == [{"role": "assistant", "content": [{"type": "text", "text": ANSWERED}]}]
    assert made["rejected"] == [row["messages"][1]]


def test_a_result_gets_no_id_where_several_calls_are_open() -> None:
    calls = json.dumps([{"name": "a", "arguments": {}, "id": "1"}, {"name": "b", "arguments": {}, "id": "2"}])
    turns = [("human", ASKED), ("function_call", calls), ("observation", "x"), ("observation", "y"), ("gpt", ANSWERED)]
    ds = Dataset.from_list([{"conversations": [{"from": a, "value": b} for a, b in turns]}])
    made = convert(ds, "messages")[0]["messages"]
    assert [message.get("tool_call_id") for message in made] == [None] * 5


def test_bytes_in_messages_are_left_to_datasets() -> None:
    rows = [{"a": {"bytes": b"\xff", "path": None}}]
    assert exact_dataset(rows)[0] == rows[0]


# --------------------------------------------------------------------------------------------------------- duplicates


def kept(rows: list[dict[str, Any]], method: str) -> list[int]:
    return list(hfclean.dedupe(exact_dataset(rows), method))


@pytest.mark.parametrize("method", ["exact", "near"])
def test_what_tells_conversations_apart_is_seen_in_every_spelling(method: str) -> None:
    def said(system: str, role: str, text: str) -> list[dict[str, str]]:
        return [{role: "system", text: system}, *chat(ANSWERED, role, text)["messages"]]

    for role, text in (("role", "content"), ("from", "value"), ("speaker", "text"), ("author", "message")):
        turns = [said(system, role, text) for system in ("Be brief.", "Rhyme.", "Be brief.")]
        assert kept([{"messages": each} for each in turns], method) == [0, 1]
        assert kept([{"messages": json.dumps(each)} for each in turns], method) == [0, 1]
    flat = {"instruction": ASKED, "output": ANSWERED}
    assert kept([{**flat, "history": [["Hi", answer]]} for answer in ("Ho", "Hey", "Ho")], method) == [0, 1]


def test_near_duplicates_are_found_in_every_spelling() -> None:
    answers = ("One two three four five six seven eight nine ten.", "One two three four five six seven eight nine.")
    for role, text in (("role", "content"), ("speaker", "text")):
        assert kept([chat(answer, role, text) for answer in answers], "near") == [0]


def test_many_small_groups_are_the_groups_apart() -> None:
    random = np.random.default_rng(3)
    words = [f"w{k}" for k in range(40)]
    texts = [" ".join(random.choice(words, 8)) for _ in range(60)]
    rows = [{"instruction": texts[k % 20], "output": "yes it is so", "system": f"s{k % 3}"} for k in range(60)]
    rows += [{"instruction": "!", "output": "", "system": f"s{k % 2}"} for k in range(4)]
    found = hfclean.selection.duplicate_groups(Dataset.from_list(rows), "near").groups
    apart: set[tuple[int, ...]] = set()
    for system in ("s0", "s1", "s2"):
        here = [k for k, row in enumerate(rows) if row["system"] == system]
        pairs = near_pairs([f"{rows[k]['instruction']}\n\n{rows[k]['output']}" for k in here])
        group = {k: {k} for k in here}
        for a, b in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
            union = group[here[a]] | group[here[b]]
            for k in union:
                group[k] = union
        apart |= {tuple(sorted(each)) for each in group.values() if len(each) > 1}
    assert set(found) == apart
    assert (60, 62) in apart


# ------------------------------------------------------------------------------------------------------- personal data


def test_personal_data_under_the_names_of_speakers() -> None:
    row = chat("Done.", meta={"from": MAIL, "author": MAIL, "role": "user"})
    ds = Dataset.from_list([row])
    assert ds.map(hfclean.scorers.PII())["pii_count"][:] == [2]
    masked = ds.map(hfclean.reviser.MaskPII())
    assert masked[0]["meta"] == {"from": "[EMAIL]", "author": "[EMAIL]", "role": "user"}
    assert hfclean.restore(masked)[:] == ds[:]


@pytest.mark.parametrize("batched", [False, True])
def test_a_json_column_is_masked_and_put_back_exactly(batched: bool) -> None:
    kinds = Features({"messages": List({"role": Value("string"), "content": Value("string")}), "trace": Json()})
    rows = [chat("Done.", trace={"to": MAIL, "n": "007", "list": ["4", MAIL, 4]}), chat("Done.", trace="null")]
    ds = Dataset.from_list(rows, features=kinds)
    masked = ds.map(hfclean.reviser.MaskPII(), batched=batched)
    assert masked.features["trace"] == Json()
    assert masked[0]["trace"] == {"to": "[EMAIL]", "n": "007", "list": ["4", "[EMAIL]", 4]}
    assert masked[1]["trace"] == ds[1]["trace"]
    assert hfclean.restore(masked)[:] == ds[:]
