"""Keys that look real stop a push, with their places; documented samples do not."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import random
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Features, Json, List, Value
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from keys_made import KEYS

import hfclean
from hfclean import limits
from hfclean.hub import HubRefusal, Patience, Pushed, PushPlan, secrets
from hfclean.hub.push_plan import check_files
from hfclean.hub.secrets import _in_cell, _in_table, find_secrets, masked_rows, scan_files

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
    ((column, row, cell),) = _in_table(pa.table({"c": ARROW[kind]}))
    assert (column, row, [found[0] for found in _in_cell(cell)]) == ("c", 1, ["hf_token"])


def zipped(*members: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


SAID = f"The token\nis {TOKEN}, café."
HIDDEN = {
    "UTF-16 with its mark": SAID.encode("utf-16"),
    "UTF-16, big end first, with its mark": codecs.BOM_UTF16_BE + SAID.encode("utf-16-be"),
    "UTF-32 with its mark": SAID.encode("utf-32"),
    "UTF-16 without": SAID.encode("utf-16-le"),
    "UTF-16, big end first, without": SAID.encode("utf-16-be"),
    "UTF-32 without": SAID.encode("utf-32-le"),
    "UTF-16 after an odd number of bytes": b"MZ\0\1\2" + SAID.encode("utf-16-le") + b"\0\xff",
    "a name in Russian, in UTF-16": f"пароль: {TOKEN}".encode("utf-16"),
    "gzip": gzip.compress(SAID.encode()),
    "bzip2": bz2.compress(SAID.encode()),
    "xz": lzma.compress(SAID.encode()),
    "zstd": pa.compress(SAID.encode(), codec="zstd", asbytes=True),
    "zip": zipped(("a.txt", b"nothing"), ("b.txt", SAID.encode())),
    "UTF-16 in gzip in zip": zipped(("b", gzip.compress(SAID.encode("utf-16")))),
}


@pytest.mark.parametrize("how", HIDDEN)
def test_a_key_is_found_beneath_packing_and_wide_encodings(how: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(HIDDEN[how])
    for content in (HIDDEN[how], tmp_path / "a"):
        (found,) = scan_files({"a": content})
        assert (found.kind, found.count) == ("hf_token", 1)
    rows = pa.table({"c": pa.array([b"\x89PNG\0\0", HIDDEN[how]], pa.binary())})
    pq.write_table(rows, tmp_path / "a.parquet")
    (found,) = scan_files({"a.parquet": tmp_path / "a.parquet"})
    assert (found.kind, found.places) == ("hf_token", ("a.parquet, row 1, column c",))


def test_the_line_of_a_key_in_wide_text_is_told() -> None:
    for how in ("UTF-16 with its mark", "UTF-16 without", "gzip"):
        assert [secret.places for secret in scan_files({"a": HIDDEN[how]})] == [("a, line 2",)]
    assert [secret.places for secret in scan_files({"a": HIDDEN["zip"]})] == [("a/b.txt, line 2",)]
    assert [secret.places for secret in scan_files({"a": zipped((TOKEN, b""))})] == [("a name in a",)]


def test_a_key_in_wide_text_of_a_cell_is_masked_in_its_encoding() -> None:
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16"):
        ds = Dataset.from_dict({"c": [SAID.encode(encoding)]})
        assert masked_rows(ds)["c"][0] == SAID.replace(TOKEN, "[hf_token removed]").encode(encoding)


LOCKED = (
    zipped(("a", b"text"))
    .replace(b"PK\x03\x04\x14\0\0", b"PK\x03\x04\x14\0\1")
    .replace(b"PK\x01\x02\x14\x03\x14\0\0", b"PK\x01\x02\x14\x03\x14\0\1")
)
OPAQUE = {
    "damaged gzip": (gzip.compress(SAID.encode())[:-20], "damaged"),
    "a locked archive": (LOCKED, "password"),
    "7z": (b"7z\xbc\xaf\x27\x1c rest", "7z, which is not unpacked here"),
    "packed four times": (
        gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"x")))),
        "packed more than 3 times over",
    ),
    "a bomb": (gzip.compress(b"x" * 100_000), "unpacks to more than 50,000 bytes"),
    "a bomb of many members": (
        zipped(*((str(k), b"x" * 10_000) for k in range(6))),
        "unpacks to more than 50,000 bytes",
    ),
}


@pytest.mark.parametrize("how", OPAQUE)
def test_what_cannot_be_looked_into_is_named_and_refused_unless_it_is_let_through(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 50_000)
    monkeypatch.setattr(limits, "UNPACKED_TIMES", 1)
    content, why = OPAQUE[how]
    (problem,) = check_files({"a": content})
    assert problem.startswith("what cannot be looked into for keys: unscanned-")
    assert why in problem
    (found,) = scan_files({"a": content})
    assert check_files({"a": content}, allowed=[found.id]) == []
    pq.write_table(pa.table({"c": pa.array([content], pa.binary())}), tmp_path / "a.parquet")
    (cell,) = scan_files({"a.parquet": tmp_path / "a.parquet"})
    assert (cell.id, cell.places) == (found.id, ("a.parquet, row 0, column c",))


def test_a_table_that_is_pushed_as_bytes_is_read_as_one_from_the_disk() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"a": ["none", f"my key is {TOKEN}"]}), file)
    (found,) = scan_files({"data/train.parquet": file.getvalue()})
    assert found.places == ("data/train.parquet, row 1, column a",)


def test_pictures_and_weights_are_let_through() -> None:
    noise = random.Random(0).randbytes(300_000)
    for begin in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BZh not packed", b""):
        assert scan_files({"a.png": begin + noise}) == []
    assert scan_files({"model.safetensors": HIDDEN["gzip"]}) == []


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
