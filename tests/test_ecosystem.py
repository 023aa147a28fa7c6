"""Other programs run hfclean: `hf hfclean`, pre-commit, a step of a GitHub workflow."""

from __future__ import annotations

import configparser
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from test_docs_pages import ROOT

from hfclean.cli import main

GOOD = '{"instruction": "Name a fruit.", "output": "An apple."}\n'
BAD = '{"instruction": "Greet me.", "output": "Hi!</s>"}\n'


def test_hf_runs_the_extension_with_its_words_and_hands_its_exit_code_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    extensions = import_module("huggingface_hub.cli.extensions")
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    scripts = dict(line.split(" = ") for line in config["options.entry_points"]["console_scripts"].split("\n") if line)
    module, function = scripts[extensions._get_executable_name("hfclean")].split(":")
    place = tmp_path / "hf-hfclean"
    place.mkdir()
    script = place / "hf-hfclean"  # as pip writes it
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    script.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(extensions, "EXTENSIONS_ROOT", tmp_path)
    monkeypatch.setattr(extensions, "_check_extension_update", lambda short_name: None)
    extensions.ExtensionManifest(
        owner="me",
        repo="hf-hfclean",
        repo_id="me/hf-hfclean",
        short_name="hfclean",
        executable_path=str(script),
        type="python",
        installed_at=datetime.now(UTC),
    ).save(place)
    assert extensions.dispatch_unknown_top_level_extension(["hfclean", "rules"], {"jobs"}) == 0
    assert "whitespace" in capfd.readouterr().out
    assert extensions.dispatch_unknown_top_level_extension(["hfclean", "claen"], {"jobs"}) == 2
    assert "clean" in capfd.readouterr().err


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good rows.jsonl").write_text(GOOD)
    (tmp_path / "bad.jsonl").write_text(GOOD + BAD)
    return tmp_path


@pytest.mark.usefixtures("rows")
def test_the_hook_of_pre_commit_fails_for_a_file_with_a_marker(capsys: pytest.CaptureFixture[str]) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert (hook["language"], hook["require_serial"]) == ("python", True)
    program, *words = [*shlex.split(hook["entry"]), *hook["args"]]
    assert program == "hfclean"
    assert main([*words, "good rows.jsonl"]) == 0
    assert main([*words, "good rows.jsonl", "bad.jsonl"]) == 3
    assert "defect=chat_markers: 1 of 3 rows" in capsys.readouterr().err


def test_the_step_of_a_workflow_hands_words_on_as_they_were_typed(rows: Path) -> None:
    steps = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    (step,) = [step for step in steps if "FILES" in step.get("env", {})]
    assert "${{" not in step["run"]  # nothing that was typed is part of the script
    program = rows / "bin" / "hfclean"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom hfclean.cli import main\nsys.exit(main())\n")
    program.chmod(0o755)

    def code(files: str, fail_on: str) -> int:
        env = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        env |= {
            "FILES": files,
            "FAIL_ON": fail_on,
            "OPTIONS": "--num-proc\n1\n",
            "GITHUB_STEP_SUMMARY": str(rows / "summary"),
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(words, cwd=rows, env=env, check=False).returncode

    assert code("good rows.jsonl\nbad.jsonl\n", "defect=chat_markers\nrating<0:1%\n") == 3
    assert "defect=chat_markers: 1 of 3 rows" in (rows / "summary").read_text()
    assert code("good rows.jsonl\n", "defect=chat_markers\n") == 0
    assert code("$(touch made)\n", "defect") == 1
    assert not (rows / "made").exists()
