"""`hfclean augment-errors`: what it would take, the rounds, the folder, and what does not go together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Reply
from datasets import load_dataset
from pupils import SEEDS, TEST, Sums, pupils

from hfclean.cli import main
from hfclean.generation.seeds import read_seeds
from hfclean.loops import error_generator, estimate_errors
from hfclean.models import Generation, Message, Prices
from hfclean.testing_models import ScriptedBackend


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in SEEDS))
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TEST))
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    (tmp_path / "base" / "model.safetensors").write_bytes(b"weights")
    return tmp_path


WORDS = "augment-errors seeds.jsonl --base-model base --model sums --correct number --folder loop --quiet".split()  # noqa: SIM905


def teaches(request: Any, _: int = 0) -> Reply:
    """What a teacher of sums answers, as JSON where it is asked for."""
    text = request.content
    said = Sums()([(Message("user", text),)], Generation())[0].text
    return Reply(json.dumps({"tasks": [said.removeprefix("2. ")]}) if "\n\nTasks:\n" in text else said)


def test_the_rounds_and_the_folder(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pupils(monkeypatch)
    with ChatServer(default=teaches) as server:
        words = [*WORDS, "--base-url", server.url, "--eval", "test.jsonl", "--rounds", "3", "--out", "out"]
        code = main([*words, "--control", "--json"])
        out, err = capsys.readouterr()
        assert code == 0, err
        asked = len(server.received)
    report = json.loads(out)
    *lines, total = report["ledger"]
    assert [line["errors"] for line in lines][:2] == [5, 3]
    control = report["control"]["ledger"][-1]
    both = sum(total["requests"].values()) + sum(control["requests"].values())
    assert sum(total["requests"].values()) < asked < both  # what both arms ask for is asked once
    made = load_dataset(str(here / "out"), split="train", cache_dir=str(here / "cache"))
    assert len(made) == total["kept"]
    assert {name for names in made["seed_ids"] for name in names} <= {row["id"] for row in SEEDS}
    assert "the licence of the seeds is not stated" in err
    rows = load_dataset("parquet", data_files=str(here / "loop" / "rows.parquet"), split="train", cache_dir=str(here))
    assert rows["prompt"][: len(SEEDS)] == [row["prompt"] for row in SEEDS]
    assert len(rows) == len(SEEDS) + total["kept"] == report["rows"]


def test_the_estimate_asks_nothing_and_is_the_most(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    trained = pupils(monkeypatch)
    words = [
        *WORDS,
        "--base-url",
        "http://127.0.0.1:9/v1",
        "--rounds",
        "3",
        "--estimate",
        "--prices",
        "input=1,output=2",
    ]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["requests"], found["seeds"], found["rounds"]) == (2 * 2 * 8, 8, 3)
    assert found["cost"] == pytest.approx((found["prompt_tokens"] + 2 * found["completion_tokens"]) / 1e6)
    assert main([*words, "--control", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 2 * 2 * 8 + 3 * 2 * 8
    assert main([*words, "--correct", "judge", "--judge", "grader"]) == 0
    capsys.readouterr()
    assert main(words) == 0
    assert "gets every seed wrong in every round" in capsys.readouterr().out
    assert trained == []


def test_a_share_of_errors_costs_its_share() -> None:
    generator = error_generator(ScriptedBackend([]), prices=Prices(1, 1), store=False)
    read = read_seeds(SEEDS)
    whole, half = (estimate_errors(generator, SEEDS, 2, wrong=share) for share in (1.0, 0.5))
    assert (whole.requests, half.requests) == (2 * len(read.seeds), len(read.seeds))
    assert half.cost == pytest.approx(whole.cost / 2, rel=0.1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--correct", "judge"], "--correct judge and --judge M: both or none"),
        (["--judge", "m"], "--correct judge and --judge M: both or none"),
        (["--out", "."], "--folder loop lies in --out"),
        (["--max-cost", "1"], "--max-cost needs prices"),
        (["--rounds", "1", "--estimate"], "the last round asks for nothing; expected 2 or more"),
        (["--model-option", "examples=3"], "examples"),
        (["--skip", "nothing"], "no filter of this name"),
    ],
)
def test_what_does_not_go_together(more: list[str], said: str, here: Path, capsys: Any) -> None:
    assert main([*WORDS, *more]) == 2
    assert said in capsys.readouterr().err
