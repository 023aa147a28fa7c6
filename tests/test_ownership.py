"""Only folders that were written here have their records followed; others need the user's word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer, Reply

import hfclean
from hfclean.cli import main
from hfclean.errors import FolderError
from hfclean.models import process
from hfclean.ownership import claim, home, is_own


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def folder(place: Path, text: str = "{}") -> Path:
    place.mkdir(parents=True)
    (place / "hfclean.json").write_text(text)
    return place


def test_a_folder_is_ones_own_until_it_is_moved_or_its_record_is_changed(tmp_path: Path) -> None:
    place = folder(tmp_path / "a")
    assert not is_own(place)
    claim(place)
    assert is_own(place)
    assert is_own(tmp_path / "a" / ".." / "a")
    (place / "hfclean.json").write_text("{} ")
    assert not is_own(place)
    (place / "hfclean.json").write_text("{}")
    assert is_own(place)
    place.rename(tmp_path / "c")
    assert (is_own(place), is_own(tmp_path / "c")) == (False, False)


def test_the_notes_name_neither_path_nor_content(tmp_path: Path) -> None:
    claim(folder(tmp_path / "customer-data", '{"secret": "plan"}'))
    (note,) = [file for file in home().rglob("*") if file.is_file()]
    assert "customer" not in str(note.relative_to(home())) + note.read_text()
    assert "plan" not in note.read_text()


def test_a_reviser_that_was_saved_here_is_followed_and_its_copy_is_not(tmp_path: Path) -> None:
    coach = hfclean.Reviser("tiny", base_url="http://127.0.0.1:9/v1")
    coach.save_pretrained(tmp_path / "mine")
    assert hfclean.Reviser.from_pretrained(tmp_path / "mine").base_url == "http://127.0.0.1:9/v1"
    shutil.copytree(tmp_path / "mine", tmp_path / "cloned")
    with pytest.raises(FolderError, match=r"on its own server\. Only you may say where your rows are sent"):
        hfclean.Reviser.from_pretrained(tmp_path / "cloned")
    again = hfclean.Reviser.from_pretrained(tmp_path / "cloned", base_url="http://127.0.0.1:8/v1")
    assert (again.model, again.base_url) == ("tiny", "http://127.0.0.1:8/v1")


def test_retrying_a_folder_of_somebody_else_sends_nothing_where_its_record_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"instruction": "Name a fruit.", "output": "Apple."}))
    mine, copy = tmp_path / "mine", tmp_path / "copy"
    with ChatServer(default=Reply("no", 400)) as server:
        asked = ["--model", "tiny", "--base-url", server.url]
        main(["revise", str(rows), *asked, "--out", str(mine), "--quiet"])
        count = len(server.received)
        shutil.copytree(mine, copy)
        assert main(["revise", str(copy), "--retry-failed", "--quiet"]) == 1
        told = capsys.readouterr().err
        assert f"names the base url '{server.url}', model 'tiny'" in told
        assert "--base-url ... --model ..." in told
        assert len(server.received) == count
        main(["revise", str(copy), "--retry-failed", *asked, "--quiet"])
        assert len(server.received) > count
        assert not is_own(copy)  # its record still tells what somebody else did before
        count = len(server.received)
        main(["revise", str(mine), "--retry-failed", "--quiet"])
        assert len(server.received) > count


def test_undoing_makes_nobody_elses_folder_ones_own(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"instruction": "Name a fruit.", "output": "Apple.</s>"}))
    assert main(["clean", str(rows), "--out", str(tmp_path / "mine"), "--quiet"]) == 0
    shutil.copytree(tmp_path / "mine", tmp_path / "copy")
    for name, own in (("mine", True), ("copy", False)):
        assert is_own(tmp_path / name) is own
        assert main(["undo", str(tmp_path / name)]) == 0
        assert is_own(tmp_path / name) is own
