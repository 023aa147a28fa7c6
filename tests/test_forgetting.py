"""`hfclean forget` purges rows from the folder and from all that is kept of them here, and leaves the others alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chat_server import ChatServer, Received, Reply
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cli import main
from hfclean.errors import RecoveryWarning, SourceError
from hfclean.hub import Patience
from hfclean.kept_parts import folder as parts_folder
from hfclean.models import process
from hfclean.models.store import default_path, open_store
from hfclean.reviser.codec import encode
from hfclean.reviser.masked_texts import masked_file
from hfclean.schema import Pair

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
PATIENCE = Patience(sleep=lambda seconds: None)
SECRET = "Quillon Zarathe lives in Canary Lane"
ROWS = [
    {"instruction": f"Who is number {k}?", "input": "n/a", "output": f"Person {k} adds 12 + 7 = 19 and is well.</s>"}
    for k in range(5)
]
ROWS[2] = {
    "instruction": f"Where does {SECRET.split()[1]} live?",
    "input": "n/a",
    "output": f"{SECRET}, mail qz@canary-mail.org, where 12 + 7 = 19.</s>",
}
CANARIES = (b"Zarathe", b"Quillon", b"qz@canary-mail")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(tmp_path / "rows.jsonl")


def data(folder: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(folder.glob("data/*.parquet")) for row in pq.read_table(file).to_pylist()]


def held(place: Path) -> dict[str, list[bytes]]:
    """The canaries in all files below a place, parquet files raw and decoded."""
    found = {}
    for file in (each for each in place.rglob("*") if each.is_file()):
        content = file.read_bytes()
        if file.suffix == ".parquet":
            content += str(pq.read_table(file).to_pylist()).encode()
        if here := [each for each in CANARIES if each in content]:
            found[file.name] = here
    return found


def reply(request: Received, _: int = 0) -> Reply:
    """A wrong sum, which is refused, where the response has a right one."""
    for row in ROWS:
        if row["instruction"] in request.content:
            return Reply(encode(Pair(row["instruction"], "", row["output"][:-4].replace("= 19", "= 21"))))
    return Reply("?")


def test_a_row_goes_from_everything_and_the_others_stay(
    fake_hub: FakeHub, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    with ChatServer(default=reply) as server:
        words = ["--model", "tiny", "--base-url", server.url, "--quiet"]
        assert main(["revise", source, "--out", str(folder), *words]) == 0
    process.close()
    before = data(folder)
    assert {"ledger.parquet", "refused.parquet", "report.html"} & held(folder).keys() >= {"refused.parquet"}
    assert default_path().name in held(tmp_path / "home")
    capsys.readouterr()
    assert main(["forget", str(folder), before[2]["row_id"], "--yes"]) == 0
    out = capsys.readouterr().out
    assert f"{folder}  purged 1 row of the data, " in out
    assert "1 answer of models" in out
    assert "the Hub, if the folder was pushed" in out
    process.close()
    assert held(folder) == held(tmp_path / "home") == {}
    assert data(folder) == [row for k, row in enumerate(before) if k != 2]
    assert pq.read_table(folder / "refused.parquet").num_rows == 8  # input and output of each row
    record = json.loads((folder / "hfclean.json").read_text())
    assert (record["source"]["rows"], record["source"]["fingerprint"]) == ({"train": 4}, "")
    hfclean.push_dataset(folder, "me/x", patience=PATIENCE)
    assert fake_hub.repo("me/x", "dataset").files["hfclean.json"] == (folder / "hfclean.json").read_bytes()
    assert main(["forget", str(folder), before[2]["row_id"], "--yes"]) == 1
    assert "has the id" in capsys.readouterr().err


def test_what_was_masked_of_a_row_goes_and_the_rest_can_be_restored(source: str, tmp_path: Path) -> None:
    cleaned, folder = tmp_path / "cleaned", tmp_path / "out"
    assert main(["clean", source, "--out", str(cleaned), "--quiet"]) == 0
    assert main(["pii", str(cleaned), "--mask", "--out", str(folder), "--quiet"]) == 0
    before, ledger = data(folder), pq.read_table(folder / "ledger.parquet").to_pylist()
    assert held(masked_file().parent)[masked_file().name] == list(CANARIES)
    parts_folder().mkdir(mode=0o700)
    for name, row in (("a.arrow", ROWS[2]), ("b.arrow", ROWS[1])):
        (parts_folder() / name).write_text(row["output"])
    done = hfclean.forget(folder, before[2]["row_id"])
    assert (done.rows, done.masked, done.answers, done.parts, done.notes) == (1, 1, 0, 1, ())
    assert held(tmp_path / "home") == held(folder) == {}
    assert data(folder) == before[:2] + before[3:]
    left = [line for line in ledger if line["row_id"] != before[2]["row_id"]]
    assert pq.read_table(folder / "ledger.parquet").to_pylist() == left
    assert done.changes == len(ledger) - len(left) == 2
    assert main(["undo", str(folder)]) == 0
    assert data(folder) == ROWS[:2] + ROWS[3:]


def test_dropped_rows_and_rows_of_the_same_text(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(ROWS[k]) + "\n" for k in (2, 0, 2, 1)))
    kept, dropped = tmp_path / "kept", tmp_path / "dropped"
    source = str(tmp_path / "rows.jsonl")
    assert main(["clean", source, "--out", str(kept), "--quiet"]) == 0
    assert main(["clean", source, "--out", str(dropped), "--drop-duplicates", "--quiet"]) == 0
    ids = [row["row_id"] for row in data(kept)]
    assert ids[2] == f"{ids[0]}-2"
    first = hfclean.forget(kept, ids[0])
    assert (first.rows, first.notes) == (
        1,
        (f"1 other row of the same text stays in the folder, with what is kept of it: {ids[2]}",),
    )
    assert [row["row_id"] for row in data(kept)] == ids[1:]
    both = hfclean.forget(dropped, [ids[0], ids[2]])
    assert (both.rows, both.removed) == (1, 1)
    assert held(dropped) == {}
    assert not (dropped / "removed").exists()


def test_an_unknown_id_is_one_line_and_nothing_is_changed(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    assert main(["clean", source, "--out", str(folder), "--quiet"]) == 0
    files = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    name = data(folder)[0]["row_id"]
    with pytest.raises(SourceError, match=f"the nearest is '{name}'. Nothing was changed"):
        hfclean.forget(folder, [name[:-1] + "-"])
    with pytest.raises(SourceError, match=r"\(nor 1 others\); 5 ids stand in the column row_id"):
        hfclean.forget(folder, [name, "zzz", "yyy"])
    with pytest.raises(SourceError, match="these are all rows of 'out'; delete the folder instead"):
        hfclean.forget(folder, [row["row_id"] for row in data(folder)])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    capsys.readouterr()
    assert main(["forget", str(folder), name]) == 0
    assert capsys.readouterr().err.endswith("This cannot be undone. [y/N] nothing was purged\n")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == files


def test_a_text_of_marks_alone_finds_no_answers_of_other_rows(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Draw.", "input": "", "output": "-" * 60},
        {"instruction": "Say.", "input": "", "output": "A"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = tmp_path / "out"
    with ChatServer(default=Reply(encode(Pair("Say.", "", "B")))) as server:
        words = ["--model", "tiny", "--base-url", server.url, "--quiet"]
        assert main(["revise", str(tmp_path / "rows.jsonl"), "--out", str(folder), *words]) == 0
    assert hfclean.forget(folder, data(folder)[0]["row_id"]).answers == 1


KILLED = """
import os, signal, sys
from hfclean import durable
from hfclean.cli import main
put = durable._put
def killed(*args, **keywords):
    if sys.argv[1] == "after":
        put(*args, **keywords)
    os.kill(os.getpid(), signal.SIGKILL)
durable._put = killed
main(["forget", sys.argv[2], sys.argv[3], "--yes"])
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_the_middle_the_folder_is_the_old_or_the_new_one_and_the_same_call_goes_on(
    source: str, tmp_path: Path, when: str
) -> None:
    folder = tmp_path / "out"
    assert main(["clean", source, "--out", str(folder), "--quiet"]) == 0
    before = data(folder)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, when, str(folder), before[2]["row_id"]], capture_output=True
    )
    assert killed.returncode == -9, killed.stderr.decode()
    if when == "before":
        assert data(folder) == before
        with pytest.warns(RecoveryWarning, match="a finished folder that was to replace 'out'"):
            done = hfclean.forget(folder, before[2]["row_id"])
        assert (done.rows, len(done.notes)) == (1, 1)
        assert "'out.unfinished-1' lies beside the folder" in done.notes[0]
    assert data(folder) == before[:2] + before[3:]
    assert held(folder) == {}


@pytest.mark.parametrize("asker", [hfclean.Reviser, hfclean.Reflection, hfclean.Judge])
def test_a_row_without_an_answer_finds_what_was_asked_of_it_however_short_it_is(tmp_path: Path, asker: Any) -> None:
    rows = [{"instruction": each, "input": "", "output": ""} for each in ("Greet Zarathe", "Greet", "Greet Zarathe 2")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = tmp_path / "out"
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(folder), "--quiet"]) == 0
    with ChatServer(default=Reply(encode(Pair("Say hello.", "", "Hello.")))) as server:
        asked = asker("tiny", base_url=server.url)
        for row in rows:
            asked(row)
    kept = {answer["key"]: str(answer["messages"]) for answer in open_store().rows()}
    goes = {key for key, text in kept.items() if "\\nGreet Zarathe\\n" in text}
    assert 0 < len(goes) < len(kept)
    assert hfclean.forget(folder, data(folder)[0]["row_id"]).answers == len(goes)
    assert {answer["key"] for answer in open_store().rows()} == kept.keys() - goes


def test_what_was_masked_elsewhere_is_named_as_not_reached(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    assert main(["pii", source, "--mask", "--out", str(folder), "--quiet"]) == 0
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "elsewhere"))
    done = hfclean.forget(folder, data(folder)[2]["row_id"])
    assert (done.rows, done.masked, len(done.notes)) == (1, 0, 1)
    assert "1 masked text of these rows is not in " in done.notes[0]
