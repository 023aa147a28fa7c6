"""Files of the shapes that people have, through the command line: what comes out, and what is said of the rest."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from datasets import disable_progress_bars, load_dataset

from hfclean import limits
from hfclean.cli import main

disable_progress_bars()
ASKED, ANSWERED = "Name a river.", "The Rhine is one."
ROWS = [
    {"instruction": ASKED, "output": ANSWERED, "code": "007"},
    {"instruction": "Name a lake.", "output": "null", "code": "4"},
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
TALK = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED}]


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        self.said = out + err


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: Any) -> Ran:
        code = main([str(word) for word in words])
        return Ran(code, *capsys.readouterr())

    return run


def put(folder: Path, name: str, data: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return file


def rows_of(folder: Path, names: tuple[str, ...] = ("instruction", "output", "code")) -> dict[str, list[Any]]:
    ds = load_dataset(str(folder), cache_dir=str(folder.parent / "cache"))
    return {split: part.select_columns(list(names)).to_list() for split, part in ds.items()}


@pytest.mark.parametrize("separator", [";", "|", "\t"])
def test_a_header_shows_its_separator(ran: Any, tmp_path: Path, separator: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator)
    writer.writerows([list(ROWS[0]), *(list(row.values()) for row in ROWS)])
    done = ran("clean", put(tmp_path, "in.csv", text.getvalue()), "--out", tmp_path / "o", "--quiet")
    assert done.code == 0, done.said
    assert repr(separator) in done.err
    assert rows_of(tmp_path / "o") == {"train": ROWS}


@pytest.mark.parametrize(("name", "pack"), [("in.jsonl", gzip.compress), ("in.jsonl", bz2.compress)])
def test_a_compressed_file_under_a_plain_name(ran: Any, tmp_path: Path, name: str, pack: Any) -> None:
    assert ran("clean", put(tmp_path, name, pack(LINES.encode())), "--out", tmp_path / "o", "--quiet").code == 0
    assert rows_of(tmp_path / "o") == {"train": ROWS}


def test_what_unpacks_to_far_more_than_rows_do_is_refused(
    ran: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 1000)
    monkeypatch.setattr(limits, "UNPACKED_TIMES", 5)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in.jsonl", LINES * 100)
    for name, data in (("in.jsonl.gz", gzip.compress(LINES.encode() * 100)), ("in.zip", packed.getvalue())):
        done = ran("score", put(tmp_path, name, data))
        assert done.code == 1
        assert "unpacks to more than 1,000 bytes" in done.err


@pytest.mark.parametrize(
    ("value", "splits", "left_out"),
    [
        ({"train": ROWS, "version": "1.0"}, ["train"], "'version'"),
        ({"train": ROWS, "test": ROWS, "info": {"by": "us"}}, ["train", "test"], "'info'"),
        ({"info": {"by": "us"}, "rows": ROWS}, ["train"], "'info'"),
        ({"authors": ["a", "b"], "data": ROWS}, ["train"], "'authors'"),
    ],
)
def test_metadata_beside_rows_is_left_out_and_named(
    ran: Any, tmp_path: Path, value: Any, splits: list[str], left_out: str
) -> None:
    done = ran("clean", put(tmp_path, "in.json", json.dumps(value)), "--out", tmp_path / "o", "--quiet")
    assert done.code == 0, done.said
    assert rows_of(tmp_path / "o") == dict.fromkeys(splits, ROWS)
    assert f"{left_out} beside them left out" in done.err


def test_one_line_that_is_a_whole_table(ran: Any, tmp_path: Path) -> None:
    table = {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ROWS[0]}
    assert ran("clean", put(tmp_path, "in.jsonl", json.dumps(table)), "--out", tmp_path / "o", "--quiet").code == 0
    assert rows_of(tmp_path / "o") == {"train": ROWS}
    tools = [{"type": "function"}, {"type": "function"}]  # as many as there are messages: still one row
    row = {"messages": TALK, "tools": tools}
    for name in ("row.jsonl", "row.json"):
        done = ran(
            "clean", put(tmp_path, name, json.dumps(row)), "--out", tmp_path / name.replace(".", "-"), "--quiet"
        )
        assert done.code == 0, done.said
        assert rows_of(tmp_path / name.replace(".", "-"), ("messages", "tools")) == {"train": [row]}


def test_files_of_a_folder_that_are_not_read_are_named(ran: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        put(tmp_path / "in", name, LINES)
    put(tmp_path / "in", "c.csv", "instruction,output,code\nx,y,z\n")
    put(tmp_path / "in", "dataset_info.json", "{}")
    done = ran("clean", tmp_path / "in", "--out", tmp_path / "o", "--quiet")
    assert done.code == 0, done.said
    assert "1 file of rows not read: c.csv" in done.err
    assert rows_of(tmp_path / "o") == {"train": ROWS + ROWS}


def test_a_column_that_sounds_like_talk_is_named(ran: Any, tmp_path: Path) -> None:
    done = ran("score", put(tmp_path, "in.jsonl", json.dumps({"dialogue": TALK})))
    assert done.code == 1
    assert "--columns messages=dialogue" in done.err


# ---------------------------------------------------------------------------------------------- conversations as JSON


def spoiled(messages: list[dict[str, str]]) -> str:
    return json.dumps([*messages[:-1], {**messages[-1], "content": messages[-1]["content"] + "</s>"}], indent=1)


def test_every_conversation_may_be_a_json_string(ran: Any, tmp_path: Path) -> None:
    asked, answer, no = json.dumps(TALK[:1]), spoiled(TALK[1:]), json.dumps([{"role": "assistant", "content": "No."}])
    for n, (row, name) in enumerate(
        [
            ({"prompt": asked, "completion": answer}, "completion"),
            ({"prompt": asked, "chosen": answer, "rejected": no}, "chosen"),
            ({"chosen": spoiled(TALK), "rejected": json.dumps(TALK[:1]) + " "}, "chosen"),
        ]
    ):
        out = tmp_path / f"o{n}"
        assert ran("clean", put(tmp_path, "in.jsonl", json.dumps(row)), "--out", out, "--quiet").code == 0
        assert rows_of(out, tuple(row))["train"] == [{**row, name: row[name].replace("</s>", "")}]
        assert ran("undo", out).code == 0
        assert rows_of(out, tuple(row))["train"] == [row]


def test_json_that_was_asked_for_is_text(ran: Any, tmp_path: Path) -> None:
    row = {"prompt": "Write a chat as JSON.", "completion": json.dumps(TALK)}
    assert ran("convert", put(tmp_path, "in.jsonl", json.dumps(row)), "--to", "messages", "--out",
               tmp_path / "o.jsonl").code == 0  # fmt: skip
    made = json.loads((tmp_path / "o.jsonl").read_text())
    assert made["messages"][1] == {"role": "assistant", "content": json.dumps(TALK)}


# --------------------------------------------------------------------------------------------------- files that leave


def test_csv_cells_of_lists_are_json_and_numbers_stay_whole(ran: Any, tmp_path: Path) -> None:
    rows = [
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}], "n": n}
        for n in (1, None)
    ]
    file = put(tmp_path, "in.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert ran("convert", file, "--to", "messages", "--out", tmp_path / "o.csv").code == 0
    with (tmp_path / "o.csv").open(newline="") as f:
        found = list(csv.DictReader(f))
    assert json.loads(found[0]["messages"]) == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
    ]
    assert [row["n"] for row in found] == ["1", ""]
    done = ran("score", tmp_path / "o.csv", "--json")  # and such a file is read again
    assert json.loads(done.out)["shape"] == "messages"


def test_losses_for_machines(ran: Any, tmp_path: Path) -> None:
    row = {"messages": [TALK[0], {**TALK[1], "weight": 1}, {"role": "user", "content": "Thanks."}]}
    file = put(tmp_path, "in.jsonl", json.dumps(row))
    done = ran("convert", file, "--to", "alpaca", "--out", tmp_path / "o.jsonl", "--json")
    assert json.loads(done.out)["losses"] == {"key 'weight' of messages": 1, "messages after the answer": 1}


def test_keys_that_a_message_lacks_stay_away(ran: Any, tmp_path: Path) -> None:
    turns = [
        {"from": "human", "value": "Oslo?"},
        {"from": "function_call", "value": json.dumps({"name": "rain", "arguments": {"zip": "0150"}, "id": "c1"})},
        {"from": "observation", "value": "4"},
        {"from": "gpt", "value": "Wet.", "weight": 1},
    ]
    file = put(tmp_path, "in.jsonl", json.dumps({"conversations": turns}))
    assert ran("convert", file, "--to", "messages", "--out", tmp_path / "o.jsonl").code == 0
    call = {"id": "c1", "type": "function", "function": {"name": "rain", "arguments": '{"zip": "0150"}'}}
    assert json.loads((tmp_path / "o.jsonl").read_text())["messages"] == [
        {"role": "user", "content": "Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "4", "tool_call_id": "c1"},
        {"role": "assistant", "content": "Wet.", "weight": 1},
    ]


# -------------------------------------------------------------------------------------------------------- what is said


def test_a_row_that_was_put_back_is_restored(ran: Any, tmp_path: Path) -> None:
    rows = [{"instruction": f"Name river {n}.", "output": f"River {n} is one.</s>"} for n in range(3)]
    file = put(tmp_path, "in.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    ran("clean", file, "--out", tmp_path / "a", "--quiet")
    ran("undo", tmp_path / "a", "--row", "1", "--out", tmp_path / "b")
    ran("undo", tmp_path / "a", "--out", tmp_path / "c")
    for other, count in (("b", 1), ("c", 3)):
        said = json.loads(ran("diff", tmp_path / "a", tmp_path / other, "--json").out)
        assert [edit["rule"] for edit in said["edits"]] == ["restored"] * count
        assert not any("unrecorded" in note for note in said["notes"])


def test_stale_copies_are_on_the_card(ran: Any, tmp_path: Path) -> None:
    answer = ANSWERED + "</s>"
    row = {"messages": json.dumps([TALK[0], {**TALK[1], "content": answer}]), "text": f"Q: {ASKED} A: {answer}"}
    done = ran("clean", put(tmp_path, "in.jsonl", json.dumps(row)), "--out", tmp_path / "o", "--quiet")
    assert "'text' (1 row)" in done.out
    limits = (tmp_path / "o" / "README.md").read_text().partition("### Limits")[2]
    assert "before the revision" in limits
