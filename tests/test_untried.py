"""A model that is trusted with more than an evaluation gives it: told about once, by the logger and the commands."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply

import hfclean
from hfclean.cli import main
from hfclean.evaluation.revising import evaluate_reviser
from hfclean.models import ModelSpec, process
from hfclean.reviser import untried
from hfclean.reviser.coach import Reviser
from hfclean.reviser.untried import EVALUATION, earned_beside, tell_untried
from hfclean.testing_models import ScriptedBackend

ROW = {"instruction": "Name a fruit.", "input": "", "output": "a aple"}
PAIR = {
    "raw_instruction": "Name a fruit.",
    "raw_output": "a aple",
    "revised_instruction": "Name a fruit.",
    "revised_output": "An apple.",
}
ANSWER = "[Instruction]\nName a fruit.\n[Input]\n\n[Response]\nAn apple.\n[End]"


@pytest.fixture(autouse=True)
def _new_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    process.close()
    yield
    process.close()


def answer(_: Received, __: int = 0) -> Reply:
    return Reply(ANSWER)


def written(folder: Path, trust: Any) -> Path:
    """A folder with an evaluation that says which trust is earned."""
    folder.mkdir(exist_ok=True)
    (folder / EVALUATION).write_text(json.dumps({"trust": trust, "systems": {}}))
    return folder


def test_a_served_model_is_told_about_once_and_each_model_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    with ChatServer(default=answer) as server:
        for model in ("small", "small", "other"):
            out = Reviser(model, base_url=server.url, store=False)(dict(ROW))
            assert out["output"] == "An apple."
        Reviser("third", base_url=server.url, store=False, trust="low")(dict(ROW))
    assert [(record.name, record.levelname) for record in caplog.records] == [("hfclean", "WARNING")] * 2
    first, second = (record.getMessage() for record in caplog.records)
    assert first == (
        "small revises with trust 'normal', and there is no evaluation.json beside it. Measure it on pairs that an "
        "expert revised: hfclean evaluate PAIRS --model small --base-url URL --json > FOLDER/evaluation.json; or let "
        "only small edits pass: trust='low' (--trust low)"
    )
    assert second.startswith("other revises")


def test_a_function_of_ones_own_is_not_told_about(caplog: pytest.LogCaptureFixture) -> None:
    assert Reviser(ScriptedBackend([ANSWER]))(dict(ROW))["output"] == "An apple."
    assert caplog.records == []


@pytest.mark.parametrize(
    ("earned", "trust", "why"),
    [
        ("normal", "normal", ""),
        ("high", "normal", ""),
        ("high", "high", ""),
        ("normal", "high", "its evaluation.json gives it 'normal'"),
        ("low", "normal", "its evaluation.json gives it 'low'"),
        ("full", "normal", "there is no evaluation.json beside it"),
        (["high"], "normal", "there is no evaluation.json beside it"),
        ("low", "low", ""),
    ],
)
def test_an_evaluation_beside_the_weights_keeps_it_quiet_up_to_what_it_gives(
    earned: Any, trust: Any, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tell_untried(ModelSpec(str(written(tmp_path / "coach", earned))), trust)
    assert [why in record.getMessage() for record in caplog.records] == ([True] if why else [])
    assert all("--base-url" not in record.getMessage() for record in caplog.records)


def test_of_workers_the_first_tells(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for number in (1, 0):
        monkeypatch.setattr(untried, "worker_number", lambda number=number: number)
        tell_untried(ModelSpec("org/small"), "normal")
        assert len(caplog.records) == 1 - number


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"trust": 3}', b"[" * 100_000])
def test_an_evaluation_that_cannot_be_read_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / EVALUATION).write_bytes(content)
    assert earned_beside(tmp_path) is None
    assert earned_beside(tmp_path / "nowhere") is None


def test_an_evaluation_beside_a_record_counts_and_sets_no_trust(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ChatServer(default=answer) as server:
        Reviser("small", base_url=server.url, store=False, trust="low").save_pretrained(tmp_path / "record")
        written(tmp_path / "record", "high")
        coach = Reviser.from_pretrained(tmp_path / "record", base_url=server.url, store=False)
        assert coach.trust == "normal"
        assert coach(dict(ROW))["output"] == "An apple."
        assert caplog.records == []
        assert Reviser.from_pretrained(tmp_path / "record", base_url=server.url, trust="low").trust == "low"


def test_no_record_can_claim_what_was_earned(tmp_path: Path) -> None:
    Reviser("small", base_url="http://localhost:9/v1").save_pretrained(tmp_path)
    file = tmp_path / "hfclean.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps({**about, "trust": "high", "evaluation": {"trust": "high"}}))
    assert Reviser.from_pretrained(tmp_path, base_url="http://localhost:9/v1", model="small").trust == "normal"
    file.write_text(json.dumps({**about, "settings": {**about["settings"], "trust": "high"}}))
    with pytest.raises(hfclean.HfcleanError, match="trust"):
        Reviser.from_pretrained(tmp_path, base_url="http://localhost:9/v1", model="small")


def test_what_is_being_measured_is_not_told_about(caplog: pytest.LogCaptureFixture) -> None:
    with ChatServer(default=answer) as server:
        coach = Reviser("small", base_url=server.url, store=False)
        assert evaluate_reviser(coach, [PAIR], draws=10).figures["exact"].value == 1
        coach(dict(ROW))
    assert caplog.records == []


def test_the_command_line_prints_it_once(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**ROW, "instruction": f"Name fruit {k}."} for k in range(3)]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Path("pairs.jsonl").write_text(json.dumps(PAIR))
    with ChatServer(default=answer) as server:
        given = ("--model", "small", "--base-url", server.url, "--quiet")
        assert main(["evaluate", "pairs.jsonl", *given, "--draws", "10"]) == 0
        assert "note:" not in capsys.readouterr().err
        process.close()
        assert main(["revise", "rows.jsonl", "--out", "low", *given, "--trust", "low"]) == 0
        assert "note:" not in capsys.readouterr().err
        assert main(["revise", "rows.jsonl", "--out", "out", *given]) == 0
    err = capsys.readouterr().err
    assert err.count("revises with trust") == 1
    assert "note: small revises with trust 'normal', and there is no evaluation.json beside it." in err
    assert [type(each) for each in logging.getLogger("hfclean").handlers] == [logging.NullHandler]
