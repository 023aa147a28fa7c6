"""Keys that look real stop a push, with their places; documented samples do not."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset, Features, Json, List, Value
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from keys_made import KEYS

import hfclean
from hfclean.hub import HubRefusal, Patience, Pushed, PushPlan, secrets
from hfclean.hub.secrets import _in_table, find_secrets, scan_files

QUICK = Patience(sleep=lambda seconds: None)
TOKEN, AWS, NPM = KEYS["hf_token"], KEYS["aws_key"], KEYS["npm_token"]


def test_a_key_is_found_in_every_shape_of_cell_and_in_texts(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": "Hi"}], "tags": ["a"], "n": 1, "deep": {"a": [{"b": "x"}]}},
        {"messages": [], "tags": None, "n": 2, "deep": {"a": [{"b": "y"}]}},
        {
            "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": f"Set {TOKEN}."}],
            "tags": ["b", AWS],
            "n": 3,
            "deep": {"a": [{"b": "z"}, {"b": NPM}]},
        },
    ]
    Dataset.from_list(rows).to_parquet(str(tmp_path / "a.parquet"))
    text = f"one\ntwo {TOKEN}\n".encode()
    found = {s.kind: s for s in scan_files({"README.md": text, "data/a.parquet": tmp_path / "a.parquet"})}
    assert found["hf_token"].places == ("data/a.parquet, row 2, column messages", "README.md, line 2")
    assert found["aws_key"].places == ("data/a.parquet, row 2, column tags",)
    assert found["npm_token"].places == ("data/a.parquet, row 2, column deep",)


def rows() -> Dataset:
    raw = Dataset.from_list(
        [
            {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"},
            {"instruction": "Log in.", "input": "n/a", "output": f"Use the token {TOKEN}.</s>"},
        ]
    )
    return raw.map(hfclean.revise).map(hfclean.score)


def test_a_key_stops_the_push_before_any_request_and_names_its_place(fake_hub: FakeHub) -> None:
    with pytest.raises(HubRefusal, match=r"hf token that looks real: hf_token-[0-9a-f]{8}.*row 1, column output") as e:
        hfclean.push_dataset(rows(), "me/x", patience=QUICK)
    assert TOKEN not in str(e.value)
    assert fake_hub.log == []
    plan = hfclean.push_dataset(rows(), "me/x", dry_run=True, patience=QUICK)
    assert isinstance(plan, PushPlan)
    assert (len(plan.problems), TOKEN in str(plan)) == (1, False)


def test_a_key_may_be_let_through_by_its_id(fake_hub: FakeHub) -> None:
    (_, name, _, _) = next(find_secrets(TOKEN))
    done = hfclean.push_dataset(rows(), "me/x", allow_secrets=[name], patience=QUICK)
    assert isinstance(done, Pushed)
    assert TOKEN in hfclean.load_cleaned("me/x")[0]["train"]["output"][1]


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_masked_key_is_nowhere_in_what_is_pushed(fake_hub: FakeHub, tmp_path: Path, as_folder: bool) -> None:
    data: Any = rows()
    if as_folder:
        from hfclean.cli import main

        hfclean.restore(data).to_json(str(tmp_path / "rows.jsonl"))
        assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out"), "--quiet"]) == 0
        data = tmp_path / "out"
    hfclean.push_dataset(data, "me/x", mask_secrets=True, patience=QUICK)
    back, report = hfclean.load_cleaned("me/x")
    assert back["train"]["output"][1] == "Use the token [hf_token removed]."
    assert TOKEN not in str(back["train"].to_list())
    assert TOKEN not in str(report.to_dict())
    assert hfclean.restore(back)["train"]["output"][1] == "Use the token [hf_token removed].</s>"
    for name, content in fake_hub.repo("me/x", "dataset").files.items():
        assert TOKEN.encode() not in content, name


def test_a_key_in_the_card_that_is_there_stops_the_push(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", "dataset", files={"README.md": f"# Mine\n\nMy token is {TOKEN}\n"})
    with pytest.raises(HubRefusal, match=r"README.md, line \d+"):
        hfclean.push_dataset(Dataset.from_list([{"instruction": "a", "output": "b"}]), "me/x", patience=QUICK)
    assert len(repo.commits) == 2


TEXT = f"say {TOKEN}"
ARROW = {
    "string": pa.array(["x", TEXT]),
    "large_string": pa.array(["x", TEXT], pa.large_string()),
    "string_view": pa.array(["x", TEXT], pa.string_view()),
    "binary": pa.array([b"x", b"\xff" + TEXT.encode()]),
    "large_binary": pa.array([b"x", TEXT.encode()], pa.large_binary()),
    "binary_view": pa.array([b"x", TEXT.encode()], pa.binary_view()),
    "fixed_size_binary": pa.array([b" " * len(TEXT), TEXT.encode()], pa.binary(len(TEXT))),
    "dictionary": pa.array(["x", TEXT]).dictionary_encode(),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", json.dumps({"k": TEXT})])),
    "list": pa.array([["x"], ["y", TEXT]]),
    "large_list": pa.array([[], ["y", TEXT]], pa.large_list(pa.string())),
    "fixed_size_list": pa.array([["x"], [TEXT]], pa.list_(pa.string(), 1)),
    "list_view": pa.array([["x"], ["y", TEXT]], pa.list_view(pa.string())),
    "list of dictionary": pa.array([["x"], ["y", TEXT]], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "list of json": pa.ListArray.from_arrays(
        pa.array([0, 1, 2], pa.int32()), pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", f'"{TEXT}"']))
    ),
    "struct": pa.array([{"a": {"b": ["x"]}}, {"a": {"b": ["q", TEXT]}}]),
    "struct with a null": pa.array([None, {"a": TEXT}]),
    "map": pa.array([[("a", "b")], [("a", TEXT)]], pa.map_(pa.string(), pa.string())),
    "key of a map": pa.array([[("a", "b")], [(TEXT, "b")]], pa.map_(pa.string(), pa.string())),
    "run ends": pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array(["x", TEXT])),
    "a slice": pa.array([["x"], ["z"], ["y", TEXT]]).slice(1),
}


@pytest.mark.parametrize("kind", list(ARROW))
def test_a_key_is_found_in_every_type_that_a_column_can_have(kind: str) -> None:
    ((column, row, text),) = _in_table(pa.table({"c": ARROW[kind]}))
    assert (column, row, [found[0] for found in find_secrets(text)]) == ("c", 1, ["hf_token"])


def test_a_text_file_is_read_in_parts_and_every_key_is_told_once_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "PART", 1000)
    monkeypatch.setattr(secrets, "OVERLAP", 200)
    for begin in range(700, 1100, 37):  # before, over and behind the seam
        filler = "é is two bytes\n" * 200
        head = filler.encode()[:begin].decode("utf-8", "ignore")
        head = head[: head.rfind("\n") + 1]
        file = tmp_path / f"{begin}.txt"
        file.write_text(f"{head}{TOKEN}\n{filler}{AWS}\n")
        found = scan_files({"big.txt": file})
        assert [(s.kind, s.places) for s in found] == [
            ("hf_token", (f"big.txt, line {head.count(chr(10)) + 1}",)),
            ("aws_key", (f"big.txt, line {head.count(chr(10)) + 2 + 200}",)),
        ]


def canaries() -> Dataset:
    """A row with a key in each kind of place that a trace has, in columns of many types."""
    arguments = {"headers": {"Authorization": f"Bearer {KEYS['openai_key']}"}, KEYS["groq_key"]: 1}
    messages = [
        {"role": "system", "content": f"Use {KEYS['github_token']}.", "tool_calls": None},
        {"role": "user", "content": "Deploy.", "tool_calls": None},
        {
            "role": "assistant",
            "content": "Done.</s>",
            "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": arguments}}],
        },
    ]
    clean = [
        {"role": "user", "content": "Hi", "tool_calls": None},
        {"role": "assistant", "content": "Hello!</s>", "tool_calls": None},
    ]
    features = Features(
        {
            "messages": List({"role": Value("string"), "content": Value("string"), "tool_calls": Json()}),
            "trace": Json(),
            "blob": Value("binary"),
            "large": Value("large_string"),
            "nested": List({"a": List(Value("string"))}),
        }
    )
    return Dataset.from_list(
        [
            {"messages": clean, "trace": {"n": 1}, "blob": b"x", "large": "y", "nested": []},
            {
                "messages": messages,
                "trace": {"steps": [{"env": {"HF": TOKEN}}]},
                "blob": b"\xff" + KEYS["slack_token"].encode(),
                "large": KEYS["xai_key"],
                "nested": [{"a": ["x", KEYS["telegram_token"]]}],
            },
        ],
        features=features,
    )


KINDS = ("openai_key", "groq_key", "github_token", "hf_token", "slack_token", "xai_key", "telegram_token")
PLANTED = [KEYS[kind] for kind in KINDS]


def test_canaries_in_a_trace_stop_the_push_and_none_is_shown(fake_hub: FakeHub) -> None:
    ds = canaries().map(hfclean.revise).map(hfclean.score)
    with pytest.raises(HubRefusal) as refusal:
        hfclean.push_dataset(ds, "me/x", patience=QUICK)
    assert [kind for kind in KINDS if f"{kind}-" not in str(refusal.value)] == []
    assert [key for key in PLANTED if key in str(refusal.value)] == []
    assert fake_hub.log == []


def test_masked_canaries_are_in_nothing_that_is_pushed_and_in_no_temporary_file(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ds = canaries().map(hfclean.revise).map(hfclean.score)
    hfclean.push_dataset(ds, "me/x", mask_secrets=True, patience=QUICK)
    back = hfclean.load_cleaned("me/x")[0]["train"]
    assert back["trace"][1] == {"steps": [{"env": {"HF": "[hf_token removed]"}}]}
    assert back["blob"][1] == b"\xff[slack_token removed]"
    call = back["messages"][1][2]["tool_calls"][0]["function"]["arguments"]
    assert call == {"headers": {"Authorization": "Bearer [openai_key removed]"}, "[groq_key removed]": 1}
    assert str(back.features["trace"]) == str(canaries().features["trace"])
    for name, content in fake_hub.repo("me/x", "dataset").files.items():
        assert [key for key in PLANTED if key.encode() in content] == [], name
    assert [
        f for f in tmp_path.rglob("*") if f.is_file() and any(key.encode() in f.read_bytes() for key in PLANTED)
    ] == []
