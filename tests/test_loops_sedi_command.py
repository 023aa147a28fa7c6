"""`hfclean sedi`: what it would take, a run, and wrong command lines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import load_dataset
from extras import needs
from loop_teachers import (
    TopicTeacher,
    seeds,
)

from hfclean.cli import main
from hfclean.models import Message, process
from hfclean.testing_models import tiny_model


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@pytest.fixture
def server() -> Iterator[ChatServer]:
    teacher = TopicTeacher()

    def reply(request: Received, _: int) -> Reply:
        answer = teacher((Message("user", request.content),))
        return Reply(answer if isinstance(answer, str) else answer.text)

    with ChatServer(default=reply) as server:
        yield server


def test_the_command_estimates_runs_and_writes_a_folder(
    server: ChatServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("train", "torch", "transformers", "accelerate", "peft", "trl")
    file, out = tmp_path / "seeds.jsonl", tmp_path / "made"
    file.write_text("".join(json.dumps(seed) + "\n" for seed in seeds()))
    base = tiny_model(tmp_path / "base", context=256, spread=0.02)
    words = ["sedi", str(file), "--model", "t", "--base-url", server.url, "--base-model", str(base), "--rounds", "1"]
    words += ["--loop-option", "batch_size=4", "--loop-option", "every=2"]
    words += ["--model-option", "structured=false", "--prices", "input=1,output=1", "--json", "--quiet"]
    assert main([*words, "--estimate"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 8
    assert len(server.received) == 0
    assert main([*words, "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ledger"][-1]["kept"] == len(load_dataset(str(out), split="train")) == 8
    assert told["ledger"][-1]["donated"] == 2
    assert "SeDi-Instruct" in (out / "README.md").read_text()
    assert Path(told["student"]).is_dir()
    asked = len(server.received)
    assert main([*words, "--out", str(out), "--overwrite"]) == 0
    assert len(server.received) == asked
    capsys.readouterr()
    shutil.rmtree(told["student"])
    assert main([*words, "--out", str(out), "--overwrite"]) == 0
    assert json.loads(capsys.readouterr().out)["student"] is None
    words[words.index("--rounds") + 1] = "2"
    assert main([*words, "--out", str(out), "--overwrite"]) == 1
    assert "round-0001-student is gone, and round 2 goes on from it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "--out is missing"),
        (["--out", "made"], "--rounds is missing"),
        (["--out", "made", "--rounds", "1", "--folder", "made/loop"], "lies in --out"),
        (["--out", "made", "--rounds", "1", "--loop-option", "batch_size=0"], "batch_size=0"),
        (["--out", "made", "--rounds", "1", "--loop-option", "memory=7"], "memory=7.0: expected a share"),
        (["--out", "made", "--rounds", "1", "--max-cost", "1"], "--max-cost needs prices"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_read(
    more: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.jsonl").write_text("{")
    assert main(["sedi", "broken.jsonl", "--model", "m", "--base-model", "b", *more]) == 2
    assert said in capsys.readouterr().err
