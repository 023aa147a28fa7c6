"""Conversations as people write them: other names, unknown roles, typed calls, and one string of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, List, Value
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.cleaning import clean
from hfclean.restoration import ledger
from hfclean.schema import Pair, Turn, detect, is_batch, nobody_answers, read_at, recorded_at, write
from hfclean.source import load


def pair_of(messages: Any, column: str = "messages") -> Pair:
    return detect((column,)).pairs({column: messages})[-1]


def chat(role: str, text: str, roles: tuple[str, str], answer: str = "Apple.</s>") -> list[dict[str, Any]]:
    return [{role: roles[0], text: "Name a fruit."}, {role: roles[1], text: answer}]


# ------------------------------------------------------------------------------------------------------- other names

SPELLINGS = [
    chat("role", "content", ("user", "assistant")),
    chat("from", "value", ("human", "gpt")),
    chat("role", "value", ("user", "assistant")),
    chat("from", "content", ("human", "gpt")),
    chat("speaker", "text", ("User", "Assistant")),
    chat("sender", "message", ("human", "ai")),
    chat("author", "utterance", ("user", "chatbot")),
]


@pytest.mark.filterwarnings("ignore:convert left out or respelled other keys and roles of messages")
@pytest.mark.parametrize("messages", SPELLINGS, ids=lambda messages: "+".join(messages[0]))
def test_every_spelling_is_read_and_written_back(messages: list[dict[str, Any]]) -> None:
    text = list(messages[1])[1]
    assert pair_of(messages) == Pair("Name a fruit.", "", "Apple.</s>")
    out = hfclean.revise({"messages": messages})["messages"]
    assert out == [messages[0], {**messages[1], text: "Apple."}]
    row = {"messages": messages}
    assert not is_batch(row, detect(tuple(row)))
    assert is_batch({"messages": [messages, messages]}, detect(tuple(row)))
    converted = hfclean.convert(Dataset.from_list([{"conversations": messages}]), "messages")
    assert [m["content"] for m in converted[0]["messages"]] == ["Name a fruit.", "Apple.</s>"]
    assert [m["role"] for m in converted[0]["messages"]] == ["user", "assistant"]


def test_keys_that_arrow_filled_in_do_not_hide_the_ones_in_use() -> None:
    message = {"role": None, "from": "gpt", "content": None, "value": None, "text": "Apple."}
    assert pair_of([{**message, "from": "human", "text": "Fruit?"}, message]) == Pair("Fruit?", "", "Apple.")


def test_the_column_conversation() -> None:
    messages = chat("role", "content", ("user", "assistant"))
    row = {"conversation": messages, "turn": 1}
    assert detect(tuple(row)).columns == ("conversation",)
    assert hfclean.revise(row)["conversation"][1]["content"] == "Apple."
    assert detect(("instruction", "output", "conversation")).shape == "alpaca"
    assert detect(("messages", "conversation")).columns == ("messages",)
    assert detect(("messages", "conversation"), "messages").shape == "messages"
    with pytest.raises(hfclean.errors.SchemaError, match="--columns instruction=question,response=target"):
        detect(("question", "target"))


# ----------------------------------------------------------------------------------------------------- unknown roles

UNKNOWN = [
    (chat("from", "value", ("instruction", "output")), "'instruction', 'output'"),
    (chat("role", "content", ("Alice", "Bob")), "'Alice', 'Bob'"),
    (chat("role", "body", ("user", "assistant")), "keys: role, body"),
    (chat("who", "says", ("user", "assistant")), "keys: who, says"),
]


@pytest.mark.parametrize(("messages", "named"), UNKNOWN, ids=[named for _, named in UNKNOWN])
def test_rows_of_unknown_roles_are_refused_by_name(tmp_path: Path, messages: list[dict[str, str]], named: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join([json.dumps({"conversations": messages})] * 3))
    with pytest.raises(
        hfclean.errors.SchemaError, match=f"column 'conversations' has .*{named}.*Known are the keys role, from"
    ):
        load(file, cache_dir=tmp_path / "cache")
    # by itself pyarrow 21 puts the keys into the order of the alphabet
    features = Features({"conversations": List({key: Value("string") for key in messages[0]})})
    with pytest.raises(hfclean.errors.SchemaError, match=named):
        clean(Dataset.from_list([{"conversations": messages}], features=features))


@pytest.mark.parametrize("messages", [messages for messages, _ in UNKNOWN])
def test_a_row_of_unknown_roles_among_others_is_marked_and_left_alone(messages: list[dict[str, str]]) -> None:
    known = chat("role", "content", ("user", "assistant"))
    empty = chat("role", "content", ("user", "assistant"), "")
    rows = [{"messages": known}, {"messages": messages}, {"messages": empty}]
    outs = [hfclean.revise(row) for row in rows]
    assert [out["edit"] for out in outs] == ["revised", "kept", "kept"]
    assert outs[1]["messages"] == messages
    assert [hfclean.score(row)["defects"] for row in rows] == ["chat_markers", "unknown_roles", "empty_output"]
    view = detect(("messages",))
    assert nobody_answers(rows, view) is None
    assert isinstance(nobody_answers(rows[1:2], view), hfclean.errors.SchemaError)
    assert nobody_answers([], view) is None


def test_a_role_that_nobody_knows_beside_an_answer_is_no_defect() -> None:
    row = {
        "messages": [{"role": "critic", "content": "Hm."}, *chat("role", "content", ("user", "assistant"), "Plum.")]
    }
    assert hfclean.score(row)["defects"] == ""


# -------------------------------------------------------------------------------------------------------- typed calls


@pytest.mark.parametrize(
    "part",
    [
        {"type": "tool_call", "value": '{"name": "f", "arguments": {"a": "1  2"}}'},
        {"type": "tool_call", "name": "f", "arguments": {"a": "x  y "}},
        {"type": "tool_use", "id": "1", "name": "f", "input": {}},
        {"type": "function_call", "function": {"name": "f"}},
    ],
)
def test_typed_calls_are_calls(part: dict[str, Any]) -> None:
    ask = {"role": "user", "content": [{"type": "text", "text": "Weather?"}]}
    call = {"role": "assistant", "content": [part]}
    row: dict[str, Any] = {"messages": [ask, call]}
    assert pair_of(row["messages"]).response == json.dumps([part])
    assert hfclean.score(row)["defects"] == ""
    assert hfclean.revise(row)["messages"] == row["messages"]
    result = {"role": "user", "content": [{"type": "tool_result", "content": "rain  "}]}
    row = {"messages": [ask, call, result, {"role": "assistant", "content": [{"type": "text", "text": "Rain.</s>"}]}]}
    turns = (Turn("tool_call", json.dumps([part])), Turn("tool", json.dumps(result["content"])))
    assert pair_of(row["messages"]) == Pair("Weather?", "", "Rain.</s>", turns)
    assert hfclean.revise(row)["messages"][:3] == row["messages"][:3]
    assert hfclean.revise(row)["messages"][3]["content"] == [{"type": "text", "text": "Rain."}]


def test_the_older_function_call_is_a_call() -> None:
    call = {"name": "f", "arguments": "{}"}
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "function_call": call}]
    assert pair_of(messages).response == json.dumps(call)


# -------------------------------------------------------------------------------------------- one string of JSON

ODD = (
    r'[ {"role": "user", "content":"Na\u00efve? \/"},'
    "\n"
    r'  {"content": "first </s>", "role":"assistant", "content": "Caf\u00e9 {\"a\": [1]} ok.</s>"} ]'
)


def test_a_conversation_as_json_is_changed_in_one_place_only() -> None:
    out = hfclean.revise({"messages": ODD})
    assert out["messages"] == ODD.replace("ok.</s>", "ok.")
    assert hfclean.restore({"messages": ODD, **out}) == {"messages": ODD}
    assert pair_of(ODD) == Pair("Na\u00efve? /", "", 'Caf\u00e9 {"a": [1]} ok.</s>')
    clean_text = out["messages"]
    assert hfclean.revise({"messages": clean_text})["messages"] == clean_text


@pytest.mark.parametrize("column", ["messages", "conversations", "conversation"])
def test_json_strings_of_every_kind_go_the_whole_way(column: str) -> None:
    ask, answer = chat("from", "value", ("human", "gpt"), "Äpfel  und Birnen.</s>")
    typed = [{"type": "text", "text": answer["value"]}]
    cells = [
        json.dumps([ask, answer], ensure_ascii=False),
        json.dumps([ask, answer]),
        json.dumps([ask, {"from": "gpt", "value": typed}], indent=1),
        json.dumps({"from": ["human", "gpt"], "value": ["q", answer["value"]]}),
        json.dumps([ask, {"from": "gpt", "value": "Fine."}]),
        "",
        "[]",
        None,
    ]
    ds = Dataset.from_list([{column: cell} for cell in cells])
    out = ds.map(hfclean.revise, batched=True).map(hfclean.score, batched=True)
    assert out["edit"][:] == ["revised"] * 4 + ["kept"] * 4
    assert out[column][4:] == cells[4:]
    assert [json.loads(cell) for cell in out[column][:2]] == [[ask, {**answer, "value": "Äpfel  und Birnen."}]] * 2
    assert [cell.isascii() for cell in out[column][:2]] == [False, True]
    assert hfclean.restore(out).to_list() == ds.to_list()
    assert hfclean.restore(out, rule="chat_markers")[column][:] == cells
    first = next(iter(ledger(out)))
    assert (first.field, first.rule, first.before) == (f"{column}/1/value", "chat_markers", "Äpfel  und Birnen.</s>")
    report = hfclean.compare(ds, out)
    assert [edit.field for edit in report.edits][:2] == [f"{column}/1/value"] * 2
    said = "contents in parts, as one text: 1 row; conversations as JSON in a string, now as lists: 6 rows"
    with pytest.warns(UserWarning, match=said):
        assert hfclean.convert(out, "alpaca")[0]["output"] == "Äpfel  und Birnen."
    assert out.map(hfclean.revise)["edit"][:] == ["kept"] * 8


def test_every_turn_and_two_passes_over_a_json_string() -> None:
    turns = [
        {"role": r, "content": c}
        for r, c in [("user", "q"), ("assistant", "a </s>"), ("user", "r"), ("assistant", "b </s>")]
    ]
    row = {"messages": json.dumps(turns)}
    once = {**row, **hfclean.revise(row)}
    twice = {**once, **hfclean.RuleReviser(turns="all")(once)}
    assert [m["content"] for m in json.loads(twice["messages"])] == ["q", "a", "r", "b"]
    assert hfclean.restore(twice) == row


def test_text_that_is_not_the_json_of_messages_is_no_answer_and_no_question() -> None:
    for text in ("plain text", "[see above]", '["a"]'):
        pair = pair_of(text)
        assert (pair.instruction, pair.response) == ("", "")
        assert pair.history[0].role.startswith("not a ")


KEYS = st.sampled_from(["a", "b", 'q"', "\u00e9"])
TREES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def paths(value: Any) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *rest) for key, inner in items for rest in paths(inner))]


@given(TREES.filter(lambda tree: isinstance(tree, (list, dict)) and bool(tree)), st.data(), st.text(max_size=5))
def test_a_place_in_any_json_string_can_be_replaced(tree: Any, data: st.DataObject, new: str) -> None:
    cells = {"x": data.draw(st.sampled_from([json.dumps(tree), json.dumps(tree, ensure_ascii=False, indent=1)]))}
    path = ("x", *data.draw(st.sampled_from(paths(tree)[1:])))
    assert recorded_at(cells, path) == ("x",)
    changed = write(cells, {path: new})
    assert read_at(changed, path) == new
    back = write(changed, {path: read_at(cells, path)})["x"]
    assert json.loads(back) == tree
