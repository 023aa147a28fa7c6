"""The scripts of `hub_scripts/`, each run against the loopback Hub as it is."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from chat_server import ChatServer, Reply
from datasets import load_dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.models import process

FOLDER = Path(__file__).parent.parent / "hub_scripts"
SCRIPTS = sorted(FOLDER.glob("*.py"))
ROWS = "\n".join(f'{{"instruction": "Name fruit {k}.", "input": "n/a", "output": "An apple.</s>"}}' for k in range(12))


def run(name: str, *words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *words])
    runpy.run_path(str(FOLDER / name), run_name="__main__")


@pytest.fixture
def raw(fake_hub: FakeHub) -> FakeHub:
    card = "---\nlicense: cc-by-4.0\nlanguage: en\n---\n"
    fake_hub.add_repo("me/raw", "dataset", files={"train.jsonl": ROWS, "README.md": card})
    return fake_hub


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_help_needs_nothing_heavy(script: Path) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['x', '--help']\n"
        f"try:\n    runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit:\n    print([m for m in ('datasets', 'torch', 'hfclean') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.endswith("[]\n")
    for option in ("INPUT", "OUTPUT", "--dry-run"):
        assert option in out


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_is_one_short_file_that_uv_can_run(script: Path) -> None:
    text = script.read_text()
    assert len(text.splitlines()) <= 85
    head = re.match(
        r'# /// script\n# requires-python = ">=3.11"\n# dependencies = \["hfclean[^"]*"\]\n# ///\n"""', text
    )
    assert head is not None
    assert "uv run" in text


def test_clean_dataset(raw: FakeHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["me/raw", "me/clean", "--max-samples", "5", "--seed", "1"]
    run("clean_dataset.py", *words, monkeypatch=monkeypatch)
    assert "nothing was pushed" in capsys.readouterr().out
    assert set(raw.repos) == {("dataset", "me/raw")}
    run("clean_dataset.py", *words, "--private", "--push", monkeypatch=monkeypatch)
    repo = raw.repo("me/clean", "dataset")
    assert repo.private
    assert "license: cc-by-4.0" in repo.text("README.md")
    ds, report = hfclean.load_cleaned("me/clean")
    assert (len(ds["train"]), report.rows_changed) == (5, 5)
    assert set(ds["train"]["output"]) == {"An apple."}


def test_revise_dataset(
    raw: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path))
    answer = "[Instruction]\nName a fruit.\n[Input]\n\n[Response]\nAn apple is a fruit.\n[End]"
    with ChatServer(default=Reply(answer)) as server:
        words = ["me/raw", "me/revised", "--model", "tiny", "--base-url", server.url, "--max-samples", "3"]
        run("revise_dataset.py", *words, "--push", monkeypatch=monkeypatch)
        process.close()
    ds = load_dataset("me/revised", split="train")
    assert len(ds) == 3
    assert set(ds["edit"]) <= {"revised", "reverted"}
    assert "tiny" in raw.repo("me/revised", "dataset").text("README.md")


@pytest.mark.skipif(not hasattr(hfclean, "IFD"), reason="this version has no IFD")
def test_score_ifd(raw: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from hfclean.testing_models import tiny_model

    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path))
    model = tiny_model(tmp_path / "tiny")
    words = ["me/raw", "me/scored", "--model", str(model), "--max-samples", "3", "--push"]
    run("score_ifd.py", *words, monkeypatch=monkeypatch)
    process.close()
    assert any(name.startswith("ifd") for name in load_dataset("me/scored", split="train").column_names)


def test_download_reviser(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_hub.add_repo("org/chat")
    hfclean.push_reviser(hfclean.Reviser("org/chat", max_new_tokens=7), "me/coach", license="mit")
    run("download_reviser.py", "me/coach", str(tmp_path / "coach"), monkeypatch=monkeypatch)
    assert "'max_new_tokens': 7" in capsys.readouterr().out
    assert not (tmp_path / "coach").exists()
    run("download_reviser.py", "me/coach", str(tmp_path / "coach"), "--download", monkeypatch=monkeypatch)
    assert hfclean.Reviser.from_pretrained(tmp_path / "coach").max_new_tokens == 7
