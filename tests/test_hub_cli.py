"""`hfclean push`, `pull` and `card`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import load_dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cards import read_card
from hfclean.cli import main
from hfclean.scorers.embedded import rating_rule

TOKEN = "hf" + "_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3x"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"},
        {"instruction": "Name a colour.", "input": "", "output": "Red."},
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    return tmp_path / "out"


def test_push_pull_why_and_undo(
    fake_hub: FakeHub, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["push", str(folder), "me/x", "--license", "mit", "--language", "en", "--private", "--quiet"]
    assert main(words) == 0
    assert "files in one commit" in capsys.readouterr().out
    repo = fake_hub.repo("me/x", "dataset")
    assert (repo.private, read_card(repo.text("README.md"))[0]["license"]) == (True, "mit")
    assert main(words) == 0
    assert "no commit was needed" in capsys.readouterr().out
    pulled = tmp_path / "pulled"
    assert main(["pull", "me/x", "--out", str(pulled)]) == 0
    assert f"load_dataset({str(pulled)!r})" in capsys.readouterr().out
    ours = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    back = {f.relative_to(pulled).as_posix(): f.read_bytes() for f in pulled.rglob("*") if f.is_file()}
    assert {**back, "README.md": b""} == {**ours, "README.md": b""}
    assert main(["why", str(pulled), "0"]) == 0
    assert "chat_markers" in capsys.readouterr().out
    assert main(["undo", str(pulled)]) == 0
    assert main(["pull", "me/x", "--out", str(pulled)]) == 1
    assert "already exists" in capsys.readouterr().err
    assert load_dataset(str(pulled), split="train")["output"][0] == "An apple.</s>"


def test_a_dry_run_prints_and_writes_everything(
    fake_hub: FakeHub, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    place = str(tmp_path / "plan")
    assert main(["push", str(folder), "me/x", "--dry-run", "--out", place]) == 0
    out = capsys.readouterr().out
    for name in ("README.md", "hfclean.json", "report.html", "ledger.parquet", "nothing was pushed"):
        assert name in out
    assert fake_hub.repos == {}
    assert load_dataset(place, split="train").num_rows == 2
    assert load_dataset(place, "ledger", split="train").num_rows == 2
    assert main(["push", str(folder), "me/x", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["repo"], told["problems"]) == ("me/x", [])


def test_a_key_stops_the_push_until_it_is_let_through_or_masked(
    fake_hub: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"instruction": "Log in.", "input": "n/a", "output": f"Use {TOKEN}."}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    folder = str(tmp_path / "out")
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", folder, "--quiet"]) == 0
    assert main(["push", folder, "me/x"]) == 1
    said = capsys.readouterr().err
    assert "row 0, column output" in said
    assert TOKEN not in said
    assert main(["push", folder, "me/x", "--dry-run"]) == 1
    name = said.partition("looks real: ")[2].partition(":")[0]
    assert main(["push", folder, "me/x", "--allow-secret", name]) == 0
    assert main(["push", folder, "me/y", "--mask-secrets"]) == 0
    assert load_dataset("me/y", split="train")["output"][0] == "Use [hf_token removed]."


def test_revisers_and_rules_go_the_same_way(
    fake_hub: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_hub.add_repo("org/chat")
    hfclean.Reflection("org/chat", sides=("response",)).save_pretrained(tmp_path / "reviser")
    rating_rule().save_pretrained(tmp_path / "rule")
    assert main(["push", str(tmp_path / "reviser"), "me/r", "--license", "mit"]) == 0
    assert main(["push", str(tmp_path / "rule"), "me/q", "--license", "apache-2.0"]) == 0
    assert main(["pull", "me/r", "--out", str(tmp_path / "r")]) == 0
    assert main(["pull", "me/q", "--out", str(tmp_path / "q")]) == 0
    assert hfclean.Reflection.from_pretrained(tmp_path / "r").sides == ("response",)
    assert hfclean.scorers.LinearRule.from_pretrained(tmp_path / "q") == rating_rule()
    capsys.readouterr()
    assert main(["push", str(tmp_path / "rule"), "me/q", "--config", "v2"]) == 2
    assert main(["push", str(tmp_path / "rule"), "me/q", "--base", "a/b"]) == 2
    assert main(["push", str(tmp_path), "me/q"]) == 1
    assert main(["push", str(tmp_path / "rule"), "nowhere"]) == 1
    said = capsys.readouterr().err
    for words in ("are for datasets", "is for revisers", "holds nothing that hfclean wrote", "is not a repo id"):
        assert words in said


def test_card_renders_without_a_network(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["card", str(folder)]) == 0
    assert capsys.readouterr().out == (folder / "README.md").read_text()
    assert main(["card", str(folder), "me/x", "--license", "mit", "--out", str(tmp_path / "c.md")]) == 0
    data, body = read_card((tmp_path / "c.md").read_text())
    assert (data["license"], 'load_dataset("me/x")' in body) == ("mit", True)
    hfclean.Reviser("org/chat").save_pretrained(tmp_path / "reviser")
    rating_rule().save_pretrained(tmp_path / "rule")
    capsys.readouterr()
    assert main(["card", str(tmp_path / "reviser")]) == 0
    assert 'hfclean.Reviser.from_pretrained("reviser")' in capsys.readouterr().out
    assert main(["card", str(tmp_path / "rule"), "--language", "English"]) == 1
    assert "not a code that the Hub accepts" in capsys.readouterr().err
