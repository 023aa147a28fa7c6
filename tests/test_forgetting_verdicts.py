"""Rows and people go from files of verdicts as well, and no push takes such a file along."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cli import main
from hfclean.errors import SourceError
from hfclean.hub import Patience
from hfclean.layout import Layout
from hfclean.reviser import Reviser
from hfclean.testing_models import tiny_model
from hfclean.verdicts import Event, VerdictLog, describe, read_events
from hfclean.verdicts.log import locked
from hfclean.verdicts.purging import Purged, purge

ROWS = [{"instruction": f"Name {n} fruits.", "input": "", "output": f"{n} ripe pears.</s>"} for n in range(2, 8)]
SECRET = "Quillon Zarathe"


@pytest.fixture
def judged(work: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The rows of the folder `d`; what Zora and Ben decided lies beside it, and in `more.jsonl`."""
    monkeypatch.setenv("HFCLEAN_HOME", str(work / "home"))
    ds = hfclean.clean([dict(row) for row in ROWS], show=False)
    ds.save("d")
    rows, layout = ds.dataset, Layout()
    zora, ben = VerdictLog("d.verdicts.jsonl", "Zora"), VerdictLog("d.verdicts.jsonl", "ben")
    zora.append(describe(rows[0], "edit", layout, texts={"output": SECRET}))
    zora.append(describe(rows[1], "accept", layout))
    ben.append(describe(rows[2], "exclude", layout, reason="zora says: no task"))
    ben.append(replace(describe(rows[1], "return", layout), role="owner", to="Zora", of=2))
    VerdictLog("more.jsonl", "eva").append(describe(rows[0], "edit", layout, texts={"output": f"{SECRET}!"}))
    return rows


def names_in(*places: str) -> list[str]:
    files = [file for place in places for file in [Path(place), *Path(place).rglob("*")] if file.is_file()]
    return [str(file) for file in files if b"zora" in file.read_bytes().lower()]


def test_a_row_goes_from_every_file_of_verdicts(judged: Any) -> None:
    others = Path("d.verdicts.jsonl").read_bytes().splitlines(keepends=True)[1:]
    done = hfclean.forget("d", judged[0]["row_id"], verdicts=["more.jsonl", "d.verdicts.jsonl"])
    assert (done.rows, done.verdicts) == (1, 2)
    assert Path("d.verdicts.jsonl").read_bytes() == b"".join(others)
    assert Path("more.jsonl").read_bytes() == b""
    assert stat.S_IMODE(Path("d.verdicts.jsonl").stat().st_mode) == 0o600
    with pytest.raises(SourceError, match="has the id"):
        hfclean.forget("d", judged[0]["row_id"])


def test_a_row_that_left_the_folder_before_goes_from_a_file_found_later(judged: Any) -> None:
    hfclean.forget("d", judged[0]["row_id"])
    before = Path("d/hfclean.json").read_bytes()
    done = hfclean.forget("d", [judged[0]["row_id"]], verdicts="more.jsonl")
    assert (done.rows, done.verdicts) == (0, 1)
    assert Path("d/hfclean.json").read_bytes() == before


def test_a_person_goes_with_name_and_decisions(judged: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "d", "--in-place", "--names"]) == 0
    assert names_in("d", "d.verdicts.jsonl") != []
    assert [row["removed_reason"] for row in removed()] == ["excluded: zora says: no task"]
    capsys.readouterr()
    assert main(["forget", "d", "--person", "Zora", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdicts"] == 4
    assert names_in("d", "d.verdicts.jsonl") == []
    assert [row["removed_reason"] for row in removed()] == ["excluded: a person says: no task"]
    assert "(by person: ben 2)" in Path("d/README.md").read_text()
    left = read_events("d.verdicts.jsonl")
    assert [(event.who, event.verdict, event.to, event.reason) for event in left] == [
        ("ben", "exclude", "", "a person says: no task"),
        ("ben", "return", "", ""),
    ]
    assert main(["forget", "d", "--person", "Zora", "--yes"]) == 1
    assert "nobody called 'Zora' decided about 'd'" in capsys.readouterr().err
    assert main(["forget", "d", "--yes"]) == 1
    assert "nothing to forget" in capsys.readouterr().err


def removed() -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table("d/removed/train.parquet").to_pylist()
    return rows


def test_a_broken_file_stops_it_before_anything_is_purged(judged: Any) -> None:
    Path("more.jsonl").write_text('{"row_id": 3}\n')
    before = {file: file.read_bytes() for file in [*Path("d").rglob("*"), Path("d.verdicts.jsonl")] if file.is_file()}
    with pytest.raises(SourceError, match=r"verdict 1 of 'more\.jsonl'"):
        hfclean.forget("d", judged[0]["row_id"], verdicts="more.jsonl")
    assert {file: file.read_bytes() for file in before} == before


def test_who_adds_an_event_meanwhile_loses_none(tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    log = VerdictLog(file, "ana")
    log.append(Event("r1", "accept"))
    log.append(Event("r2", "accept"))
    with file.open("rb+") as held, locked(held.fileno()):
        waits = threading.Thread(target=log.append, args=[Event("r3", "accept")])
        waits.start()  # opens the old file, and waits for its lock
        purged = tmp_path / "purged"
        purged.write_bytes(file.read_bytes().splitlines(keepends=True)[1])
        purged.replace(file)
    waits.join()
    assert [(event.row_id, event.number) for event in read_events(file)] == [("r2", 2), ("r3", 3)]
    assert purge(file, rows=["r2"]) == Purged(1, 0)
    assert log.append(Event("r4", "skip")).number == 4
    assert [event.row_id for event in read_events(file)] == ["r3", "r4"]


def spread(place: str) -> None:
    """Files of verdicts in a folder that is pushed, under several names."""
    Path(place).mkdir(exist_ok=True)
    for name in ("verdicts.jsonl", "d.verdicts.jsonl", "ana.jsonl"):
        Path(place, name).write_bytes(Path("d.verdicts.jsonl").read_bytes())


def check_pushed(files: Mapping[str, bytes]) -> None:
    assert len(files) > 3
    assert [file for file in files if file.endswith(".jsonl")] == []
    assert not any(b"Zora" in content for content in files.values())


PATIENCE = Patience(sleep=lambda seconds: None)


def test_a_push_of_a_folder_takes_no_verdicts_along(judged: Any, fake_hub: FakeHub) -> None:
    spread("d")
    hfclean.push_dataset("d", "me/data", patience=PATIENCE)
    check_pushed(fake_hub.repo("me/data", "dataset").files)


@pytest.mark.needs_extra("models", "torch", "transformers")
def test_nor_does_that_of_a_reviser(judged: Any, fake_hub: FakeHub) -> None:
    spread("coach")
    tiny_model("coach")
    fake_hub.add_repo("me/data", "dataset", files={"README.md": "---\nlicense: mit\n---\n"})
    hfclean.push_reviser(Reviser("coach"), "me/coach", datasets="me/data", patience=PATIENCE)
    check_pushed(fake_hub.repo("me/coach").files)
