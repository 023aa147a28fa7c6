"""Reading every row shape as pairs, and writing back exactly."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.provenance import decode_original, encode_original, number_rows, row_id
from hfclean.rules import text_rule
from hfclean.schema import Pair, Turn, detect, is_batch, plain, read_at, write
from hfclean.testing import shape_rows

UPPER = hfclean.RuleReviser(
    only=["upper"],
    extra=(
        text_rule(
            "upper",
            severity="low",
            meaning="not upper case",
            detect=lambda text: not text.isupper() and text.upper().isupper(),
            repair=str.upper,
        ),
    ),
)


def revised(row: dict[str, Any], **settings: str) -> dict[str, Any]:
    reviser = UPPER.__class__(UPPER.only, UPPER.skip, UPPER.extra, **settings)  # type: ignore[arg-type]
    out = reviser(row)
    return {name: out.get(name, row[name]) for name in row}


def pair_of(row: dict[str, Any], **how: Any) -> Pair:
    return detect(tuple(row)).targets(row, **how)[-1].pair


def test_alpaca() -> None:
    row = {"instruction": "a", "input": "b", "output": "c", "system": "s", "history": [["q", "r"]], "extra": 1}
    assert pair_of(row) == Pair("a", "b", "c", (Turn("user", "q"), Turn("assistant", "r")), "s")
    assert revised(row) == {**row, "instruction": "A", "input": "B", "output": "C"}
    assert revised(row, turns="all")["history"] == [["q", "R"]]


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_input_stays_as_empty_as_it_was(empty: str | None) -> None:
    assert revised({"instruction": "a", "input": empty, "output": "c"}) == {
        "instruction": "A",
        "input": empty,
        "output": "C",
    }


def test_alpaca_without_an_input_column() -> None:
    assert revised({"instruction": "a", "output": "c"}) == {"instruction": "A", "output": "C"}


def test_dolly() -> None:
    row = {"instruction": "a", "context": "b", "response": "c", "category": "open_qa"}
    assert pair_of(row) == Pair("a", "b", "c")
    assert revised(row) == {"instruction": "A", "context": "B", "response": "C", "category": "open_qa"}


def test_prompt_and_completion_as_strings_and_as_messages() -> None:
    assert revised({"prompt": "a", "completion": "b"}) == {"prompt": "A", "completion": "B"}
    row = {
        "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}],
        "completion": [{"role": "assistant", "content": "b"}],
    }
    assert pair_of(row) == Pair("a", "", "b", (), "s")
    out = revised(row)
    assert out["prompt"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "A"}]
    assert out["completion"] == [{"role": "assistant", "content": "B"}]


CHAT = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
    {"role": "assistant", "content": "four", "weight": 1},
]


def test_in_a_conversation_only_the_last_assistant_turn_is_revised() -> None:
    out = revised({"messages": CHAT})["messages"]
    assert out == [*CHAT[:3], {"role": "assistant", "content": "FOUR", "weight": 1}]
    assert pair_of({"messages": CHAT}) == Pair("three", "", "four", (Turn("user", "one"), Turn("assistant", "two")))


def test_every_assistant_turn_on_request() -> None:
    out = revised({"messages": CHAT}, turns="all")["messages"]
    assert [m["content"] for m in out] == ["one", "TWO", "three", "FOUR"]


def test_one_question_and_one_answer_are_revised_as_a_pair() -> None:
    out = revised({"messages": CHAT[:2]})["messages"]
    assert [m["content"] for m in out] == ["ONE", "TWO"]


def test_a_conversation_that_ends_with_a_question_keeps_its_question() -> None:
    out = revised({"messages": CHAT[:3]})["messages"]
    assert [m["content"] for m in out] == ["one", "TWO", "three"]


@pytest.mark.parametrize("text_key", ["text", "value"])
def test_typed_parts_are_revised_and_other_parts_left_alone(text_key: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "x"}, text_key: None}
    content = [{"type": "text", text_key: "first"}, image, {"type": "text", text_key: "second"}]
    row = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": content}]}
    assert pair_of(row).response == "first\nsecond"
    out = revised(row)["messages"][1]["content"]
    assert out == [{"type": "text", text_key: "FIRST"}, image, {"type": "text", text_key: "SECOND"}]


def test_sharegpt_roles_and_tool_calls() -> None:
    row = {
        "conversations": [
            {"from": "system", "value": "s"},
            {"from": "human", "value": "weather?"},
            {"from": "function_call", "value": '{"name": "weather"}'},
            {"from": "observation", "value": "rain"},
            {"from": "gpt", "value": "it rains"},
        ],
        "tools": "[]",
    }
    history = (Turn("tool_call", '{"name": "weather"}'), Turn("tool", "rain"))
    assert pair_of(row) == Pair("weather?", "", "it rains", history, "s")
    out = revised(row, turns="all")
    assert [m["value"] for m in out["conversations"]] == ["s", "weather?", '{"name": "weather"}', "rain", "IT RAINS"]


def test_openai_tool_calls_are_never_altered() -> None:
    call = {"role": "assistant", "content": "let me look", "tool_calls": [{"function": {"name": "f"}}]}
    row = {"messages": [{"role": "user", "content": "q"}, call, {"role": "tool", "content": "r"}]}
    assert revised(row, turns="all") == row
    assert pair_of(row).response == "let me look"
    silent = {"messages": [{"role": "user", "content": "q"}, {**call, "content": None}]}
    assert pair_of(silent).response == '[{"function": {"name": "f"}}]'
    assert hfclean.score(silent)["defects"] == ""


def test_a_conversation_as_a_dict_of_lists() -> None:
    row = {"conversations": {"from": ["human", "gpt"], "value": ["a", "b"]}}
    assert revised(row) == {"conversations": {"from": ["human", "gpt"], "value": ["A", "B"]}}
    out = UPPER({"conversations": [row["conversations"], row["conversations"]]})
    assert out["conversations"] == [{"from": ["human", "gpt"], "value": ["A", "B"]}] * 2


def test_preference_as_strings() -> None:
    row = {"prompt": "q", "chosen": "a", "rejected": "b"}
    assert revised(row) == {"prompt": "q", "chosen": "A", "rejected": "b"}
    assert revised(row, side="rejected") == {"prompt": "q", "chosen": "a", "rejected": "B"}
    assert revised(row, side="both") == {"prompt": "q", "chosen": "A", "rejected": "B"}


def test_preference_as_messages_with_and_without_a_prompt() -> None:
    ask, good, bad = ({"role": r, "content": c} for r, c in [("user", "q"), ("assistant", "a"), ("assistant", "b")])
    row = {"prompt": [ask], "chosen": [good], "rejected": [bad]}
    assert revised(row) == {"prompt": [ask], "chosen": [{**good, "content": "A"}], "rejected": [bad]}
    implicit = {"chosen": [ask, good], "rejected": [ask, bad]}
    assert pair_of(implicit) == Pair("q", "", "a")
    repeated = {"prompt": "q", "chosen": [ask, good], "rejected": [ask, bad]}
    assert pair_of(repeated) == Pair("q", "", "a")


def test_preference_as_single_turns() -> None:
    row = {
        "conversations": [{"from": "human", "value": "q"}],
        "chosen": {"from": "gpt", "value": "a"},
        "rejected": {"from": "gpt", "value": "b"},
    }
    assert pair_of(row) == Pair("q", "", "a")
    assert revised(row)["chosen"] == {"from": "gpt", "value": "A"}
    assert revised(row)["rejected"] == row["rejected"]
    batch = {name: [value, value] for name, value in row.items()}
    assert is_batch(batch, detect(tuple(batch)))
    assert not is_batch(row, detect(tuple(row)))


def test_preference_as_strings_that_hold_the_prompt_too() -> None:
    row = {"chosen": "Human: hi there\n\nAssistant: hello", "rejected": "Human: hi there\n\nAssistant: go away"}
    assert pair_of(row) == Pair("Human: hi there\n\nAssistant: ", "", "hello", joined=True)
    assert revised(row)["chosen"] == "Human: hi there\n\nAssistant: HELLO"


def test_numbers_and_structures_are_read_and_never_written() -> None:
    row = {"instruction": "two and two", "output": 4}
    assert pair_of(row).response == "4"
    assert revised(row) == {"instruction": "TWO AND TWO", "output": 4}
    assert revised({"instruction": "a", "output": {"b": ["c"]}})["output"] == {"b": ["c"]}


def test_broken_messages_say_what_was_found_and_end_nothing() -> None:
    assert pair_of({"messages": "plain text"}).history == (
        Turn("not a list of messages: str 'plain text'", "plain text"),
    )
    asked = pair_of({"messages": ["plain text", {"role": "assistant", "content": "b"}]})
    assert asked.response == "b"
    assert asked.history == (Turn("not a message: str 'plain text'", "plain text"),)
    row = {"instruction": "a", "output": "b", "history": ["x", ["c", "d"]]}
    assert pair_of(row).history == (
        Turn("not a pair of question and answer: str 'x'", "x"),
        Turn("user", "c"),
        Turn("assistant", "d"),
    )
    assert [turn.text for turn in pair_of({**row, "history": "x"}).history] == ["x"]


def test_columns_can_be_named() -> None:
    row = {"q": "a", "a": "b", "messages": [{"role": "user", "content": "c"}]}
    view = detect(tuple(row), {"instruction": "q", "response": "a"})
    assert view.targets(row)[0].pair == Pair("a", "", "b")
    assert detect(tuple(row), {"messages": "messages"}).columns == ("messages",)
    with pytest.raises(hfclean.errors.SchemaError, match="names 'x', but the columns are"):
        detect(tuple(row), {"instruction": "x", "response": "a"})
    with pytest.raises(hfclean.errors.SchemaError, match="unknown role 'question'"):
        detect(tuple(row), {"question": "q", "response": "a"})
    with pytest.raises(hfclean.errors.SchemaError, match="not a known shape"):
        detect(tuple(row), "parquet")


def test_write_leaves_the_row_and_copies_only_the_way() -> None:
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "k": [1]}
    before = copy.deepcopy(row)
    out = write(row, {("messages", 1, "content"): "B"})
    assert row == before
    assert out == {"messages": [row["messages"][0], {"role": "assistant", "content": "B"}]}
    assert out["messages"][0] is row["messages"][0]


NAMES = st.text(min_size=1, max_size=8)


@given(
    st.dictionaries(
        st.tuples(NAMES, st.integers(0, 9), NAMES.filter(lambda s: not s.isdigit())), st.text() | st.none()
    )
)
def test_originals_survive_encoding(values: dict[Any, Any]) -> None:
    text = encode_original(values)
    assert text.isascii()
    assert decode_original(text) == values


TEXTS = (
    st.text() | st.none() | st.sampled_from(["N/A", "a </s>", "\ud83d", "x\u200b y", "  two  spaces ", "<|im_end|>"])
)


@given(TEXTS, TEXTS, TEXTS)
def test_revise_then_restore_gives_back_any_row(instruction: str | None, text: str | None, output: str | None) -> None:
    row = {"instruction": instruction, "input": text, "output": output}
    out = hfclean.revise(row)
    assert hfclean.restore({**row, **out}) == row
    again = hfclean.revise({**row, **out})
    assert again["edit"] == "kept"
    assert [out[name] for name in row] == [again[name] for name in row]
    chat = {"messages": [{"role": "user", "content": instruction}, {"role": "assistant", "content": output}]}
    assert hfclean.restore({**chat, **hfclean.revise(chat)}) == chat


@given(st.lists(st.sampled_from(["a", "b", "c-2"])))
def test_numbered_ids_are_unique_and_keep_their_base(ids: list[str]) -> None:
    numbered = number_rows(ids)
    assert len(set(numbered)) == len(ids)
    assert [name.split("-")[0] for name in numbered] == [name.split("-")[0] for name in ids]
    assert number_rows(numbered) == numbered


def test_row_ids_ignore_empty_cells_and_keys_that_arrow_fills_in() -> None:
    view = detect(("instruction", "input", "output"))
    base = row_id({"instruction": "a", "input": "", "output": "b"}, view)
    assert row_id({"instruction": "a", "input": None, "output": "b"}, view) == base
    assert row_id({"instruction": "a", "input": "b", "output": ""}, view) != base
    assert row_id({"instruction": "\ud83d", "input": None, "output": "b"}, view) != base
    chat = detect(("messages",))
    message = {"role": "user", "content": "a"}
    assert row_id({"messages": [message]}, chat) == row_id({"messages": [{**message, "tool_calls": None}]}, chat)


def test_plain_turns_arrays_into_lists() -> None:
    import numpy as np

    value = plain({"a": np.array(["x", None], dtype=object), "b": np.float64(0.5), "c": (np.str_("y"),)})
    assert value == {"a": ["x", None], "b": 0.5, "c": ["y"]}
    assert [type(v) for v in (value["a"], value["b"], value["c"][0])] == [list, float, str]


FILES = {
    "alpaca_6k.jsonl": "alpaca",
    "alpaca_zh.jsonl": "alpaca",
    "coachlm150.jsonl": "alpaca",
    "dolly_2k.jsonl": "dolly",
    "messages_kto.jsonl": "messages",
    "sharegpt_conversations.jsonl": "conversations",
    "sharegpt_preference_299.jsonl": "preference",
    "sharegpt_toolcall_300.jsonl": "conversations",
    "typed_messages_sft.jsonl": "messages",
}


@pytest.mark.realdata
@pytest.mark.parametrize("name", FILES)
def test_real_rows_are_read_changed_and_written_back_exactly(
    name: str, realdata: Callable[[str], Path], tmp_path: Path
) -> None:
    ds = load_dataset("json", data_files=str(realdata(name)), split="train", cache_dir=str(tmp_path)).select(
        range(150)
    )
    view = detect(tuple(ds.column_names))
    assert view.shape == FILES[name]
    for reviser in (hfclean.revise, UPPER):
        out = ds.map(reviser, batched=True)
        assert {column: out.features[column] for column in ds.column_names} == ds.features
        back = hfclean.restore(out)
        assert back.features == ds.features
        assert back.to_list() == ds.to_list()
        for row, before in zip(out, ds, strict=True):
            places = decode_original(row["original"])
            assert {str(p[0]) for p in places} <= set(view.writable)
            assert [n for n in ds.column_names if row[n] != before[n]] == sorted(
                {str(p[0]) for p in places}, key=ds.column_names.index
            )
            assert all(read_at(before, path) == old for path, old in places.items())
    assert sum(edit == "revised" for edit in out["edit"]) >= 40


@pytest.mark.realdata
@pytest.mark.parametrize("name", FILES)
def test_real_lines_that_are_not_changed_are_the_same_json(name: str, realdata: Callable[[str], Path]) -> None:
    lines = realdata(name).read_text(encoding="utf-8").splitlines()[:300]
    for line in lines:
        row = json.loads(line)
        out = hfclean.revise(row)
        if out["edit"] == "kept":
            assert json.dumps({k: out.get(k, row[k]) for k in row}) == json.dumps(row)


@pytest.mark.parametrize("shape", shape_rows())
def test_batch_detection(shape: str) -> None:
    rows = shape_rows()[shape]
    view = detect(tuple(rows[0]))
    batch = {name: [row[name] for row in rows] for name in rows[0]}
    assert is_batch(batch, view)
    assert not any(is_batch(row, view) for row in rows)
