"""The scripts of `hub_scripts/`, each run against the loopback Hub as it is."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import load_dataset
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from teachers import Teacher

import hfclean
from hfclean.models import Message, process

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
def test_help_is_a_process_that_loads_nothing_heavy(script: Path) -> None:
    words = [sys.executable, "-X", "importtime", str(script), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    for option in ("usage:", "INPUT", "OUTPUT", "--dry-run"):
        assert option in done.stdout
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "argparse" in loaded
    assert not loaded & {"datasets", "hfclean", "huggingface_hub", "numpy", "pyarrow", "torch", "transformers"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_is_one_short_file_that_declares_what_it_imports(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 85
    assert "uv run" in text
    # the expression of PEP 723
    blocks = re.findall(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$", text)
    assert [kind for kind, *_ in blocks] == ["script"]
    head = tomllib.loads("\n".join(line[2:] for line in blocks[0][1].splitlines()))
    assert set(head) == {"requires-python", "dependencies"}
    assert head["requires-python"] == ">=3.11"
    declared = {re.split(r"[\[<>=!~; ]", entry)[0]: entry for entry in head["dependencies"]}
    nodes = list(ast.walk(ast.parse(text)))
    imported = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module).partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported - sys.stdlib_module_names == set(declared)
    extra = (
        "train"
        if "train_reviser(" in text
        else "models"
        if re.search(r"hfclean\.(IFD|Reviser)\(|generator_of\(", text)
        else ""
    )
    assert declared["hfclean"] == (f"hfclean[{extra}]" if extra else "hfclean")


def test_a_script_runs_as_a_process_of_its_own(raw: FakeHub, tmp_path: Path) -> None:
    words = [sys.executable, str(FOLDER / "clean_dataset.py"), "me/raw", "me/clean", "--max-samples", "2", "--push"]
    env = {**os.environ, **raw.env()}
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path, env=env)
    assert f"{raw.url}/datasets/me/clean/commit/{raw.repo('me/clean', 'dataset').head}" in done.stdout
    assert list(tmp_path.iterdir()) == []


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
    needs("models", "torch")
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


def test_train_and_release_reviser(
    fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("train", "trl")
    from hfclean.testing_models import tiny_model

    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path))
    base = tiny_model(tmp_path / "tiny", context=2048)
    fake_hub.add_repo("org/base", files={file.name: file.read_bytes() for file in base.iterdir()})
    pairs = "\n".join(f'{{"prompt": "Name {k}.", "chosen": "It is {k}.", "rejected": "{k}"}}' for k in range(6))
    fake_hub.add_repo("me/pairs", "dataset", files={"train.jsonl": pairs, "README.md": "---\nlicense: mit\n---\n"})
    folder = tmp_path / "coach"
    words = ["--base", "org/base", "--folder", str(folder), "--epochs", "1", "--preset", "modern"]
    run("train_reviser.py", "me/pairs", "me/coach", *words, monkeypatch=monkeypatch)
    assert "6 pairs; left out: none" in (said := capsys.readouterr().out)
    assert "nothing was pushed" in said
    assert ("model", "me/coach") not in fake_hub.repos
    words = [str(folder), "me/coach", "--base", "org/base", "--dataset", "me/pairs", "--push"]
    run("release_reviser.py", *words, monkeypatch=monkeypatch)
    card = fake_hub.repo("me/coach").text("README.md")
    for line in ("| preset | modern |", "| pairs given | 6 |", "datasets:\n- me/pairs", "base_model: org/base"):
        assert line in card
    loaded = hfclean.Reviser.from_pretrained("me/coach", max_new_tokens=4)
    assert loaded({"instruction": "Name 1.", "input": "", "output": "1"})["edit"] in ("kept", "reverted")
    process.close()


def test_generate_dataset(
    raw: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    teacher = Teacher()

    def reply(request: Received, _: int) -> Reply:
        text = teacher([Message("user", request.content)])
        assert isinstance(text, str)
        return Reply(text)

    with ChatServer(default=reply) as server:
        words = ["me/raw", "me/made", "--model", "tiny", "--base-url", server.url, "-n", "6", "--license", "cc-by-4.0"]
        words += ["--seeds-license", "cc-by-4.0"]
        run("generate_dataset.py", *words, monkeypatch=monkeypatch)
        asked = server.counts.total()
        with pytest.raises(KeyError):
            raw.repo("me/made", "dataset")
        run("generate_dataset.py", *words, "--push", monkeypatch=monkeypatch)
        assert server.counts.total() == asked == 1 + 6
        process.close()
    assert "note: the terms of the teacher are not stated" in capsys.readouterr().out
    made = load_dataset("me/made", split="train")
    assert len(made) == 6
    assert len(set(made["made_id"])) == 6
    assert "| seeds | 12 rows of me/raw |" in raw.repo("me/made", "dataset").text("README.md")


def test_clean_in_shards(raw: FakeHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def script(*words: str) -> str:
        run("clean_in_shards.py", "me/raw", "me/clean", *words, monkeypatch=monkeypatch)
        return capsys.readouterr().out

    jobs = script("--shards", "2").splitlines()
    assert [line.partition("clean_in_shards.py ")[2] for line in jobs] == [
        f"me/raw me/clean --shard {number}/2 --push" for number in (1, 2)
    ]
    assert "{'train': 6} rows in part-1-of-2" in script("--shard", "1/2")
    assert ("dataset", "me/clean-parts") not in raw.repos
    raw.add_repo("me/clean-parts", "dataset")
    with pytest.raises(SystemExit, match="me/clean-parts is public, and parts hold the rows unmasked"):
        script("--shard", "1/2", "--push")
    del raw.repos["dataset", "me/clean-parts"]
    script("--shard", "1/2", "--push")
    parts = raw.repo("me/clean-parts", "dataset")
    assert parts.private
    with pytest.raises(hfclean.errors.FolderError, match=r"1 of 2 shards are missing \(2/2\)"):
        script("--merge")
    for number in (1, 2):  # the first one for the second time
        script("--shard", f"{number}/2", "--push")
    assert "12 rows" in script("--merge")
    assert "hf repos delete me/clean-parts" in script("--merge", "--push")
    ds = load_dataset("me/clean", split="train")
    assert set(ds["output"]) == {"An apple."}
    assert ds.to_list() == hfclean.clean(load_dataset("me/raw", split="train"), show=False).dataset.to_list()
