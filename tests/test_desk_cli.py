"""`hfclean review`: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from desk_client import decided
from extras import needs
from test_docs_pages import ROOT

import hfclean
from hfclean.cli import main
from hfclean.verdicts import Event, verdicts_path

needs("review", "starlette", "uvicorn")

ROWS = [
    {"instruction": f"Name {n} fruits.", "output": f"Here are {n} apples and {n} ripe pears.</s>"} for n in range(3)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("desk") / "cleaned"
    hfclean.clean(ROWS).save(place)
    return place


@pytest.mark.skipif(sys.platform == "win32", reason="ends a process by a signal")
def test_a_desk_prints_its_address_and_ends_by_a_signal(folder: Path) -> None:
    words = [sys.executable, "-m", "hfclean", "review", str(folder), "--no-browser", "--as", "ana", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, stdout=-1, stderr=-1, text=True, env=environment, cwd=folder.parent) as desk:
        assert desk.stdout is not None
        address = desk.stdout.readline().strip()
        assert (
            desk.stdout.readline()
            == f"3 rows, 3 of them open; decisions go to {verdicts_path(folder)}; Ctrl-C ends the desk\n"
        )
        with urllib.request.urlopen(address) as answer:
            page, where = answer.read().decode(), answer.url
        assert "Row 1" in page
        form = urllib.request.Request(
            where, b"verdict=accept", {"Origin": address.rpartition("/")[0].rpartition("/")[0]}
        )
        with urllib.request.urlopen(form) as answer:
            assert "Row 2" in answer.read().decode()
        desk.send_signal(signal.SIGINT)
        out, err = desk.communicate(timeout=60)
    assert (desk.returncode, out) == (0, "")
    assert err == f"1 decision was made and is in {verdicts_path(folder)}; 2 rows are open\n"
    assert [event.who for event in decided(verdicts_path(folder))] == ["ana"]


def test_what_is_written_to_a_browser_is_sent_at_once() -> None:
    from hfclean.cli import review

    with review._listening(0) as listening:
        assert listening.proto == socket.IPPROTO_TCP  # where asyncio does not see it, pages wait for the browser


def test_what_cannot_be_is_said_before_anything_is_served(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    (tmp_path / "broken.jsonl").write_text("{}\n")
    rows = str(tmp_path / "rows.jsonl")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for words, code, said in (
            ([str(folder), "--as", " "], 2, "--as ' '"),
            ([str(folder), "--sample", "2.5"], 2, "expected a share from 0 to 1"),
            ([str(folder), "--double", "2"], 2, "expected a share from 0 to 1"),
            ([str(folder), "--sample", "20", "--role", "owner"], 2, "a share of each person's decisions"),
            ([str(folder), "--blind", "--without", "0.5"], 2, "leave out one"),
            ([str(folder), "--blind", "--role", "owner"], 2, "an owner has to see"),
            ([str(folder), "--people", "ana,ana", "--as", "ana"], 2, "each once"),
            ([str(folder), "--people", "ana,ben", "--as", "eva"], 2, "'eva' gets no rows"),
            ([str(folder), "--port", "99999"], 2, "65535"),
            ([str(folder), "--port", str(port)], 1, f"port {port} cannot be used"),
            ([str(folder), "--refused"], 1, "refused.parquet"),
            ([str(folder), "--rule", "nonsense"], 1, "no row has 'nonsense'"),
            ([str(folder), "--split", "test"], 1, "no split 'test'"),
            ([str(folder), "--origin", "hub.example.org"], 1, "is not an origin"),
            ([str(folder), "--verdicts", str(tmp_path / "broken.jsonl")], 1, "line 1"),
            ([rows, "--verdicts", str(tmp_path)], 2, "is a folder; expected the name of a file"),
            ([rows, "--without", "0.5"], 2, "no row here has a revision"),
            ([rows, "--refused"], 2, "a folder that hfclean wrote"),
            (["nowhere"], 2, "'nowhere' is not here"),
            ([rows, rows], 2, "--verdicts FILE is needed"),
        ):
            try:
                found = main(["review", "--no-browser", "--quiet", *words])
            except SystemExit as e:
                found = e.code
            assert (found, said in (err := capsys.readouterr().err)) == (code, True), (words, err)


@pytest.mark.parametrize(
    ("words", "rows", "left"),
    [
        (["DIR"], 3, 2),
        (["DIR", "--all", "--sample", "2"], 2, 1),
        (["DIR", "--rule", "chat_markers", "--uncertain"], 3, 2),
        (["DIR", "--role", "owner", "--sample", "1"], 3, 1),
        (["FILE"], 3, 3),
        (["FILE", "--columns", "instruction=instruction,response=output", "--blind"], 3, 3),
    ],
)
def test_which_rows_wait(
    words: list[str],
    rows: int,
    left: int,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from hfclean.cli import review

    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    ids = sorted(hfclean.revise(row)["row_id"] for row in ROWS)
    (tmp_path / "v.jsonl").write_text(Event(ids[0], "accept", who="ben").line() + "\n")
    served: list[Any] = []
    monkeypatch.setattr(review, "_serve", lambda app, _: served.append(app))
    names = {"DIR": str(folder), "FILE": str(tmp_path / "rows.jsonl")}
    words = [names.get(word, word) for word in words]
    file = tmp_path / "v.jsonl" if str(folder) in words else tmp_path / "new.jsonl"
    assert main(["review", "--no-browser", "--quiet", "--json", "--verdicts", str(file), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["open"], found["verdicts"], len(served)) == (rows, left, str(file), 1)
    assert found["address"].startswith("http://127.0.0.1:")
