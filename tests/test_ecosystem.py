"""Other programs find hfclean: `hf hfclean` runs it."""

from __future__ import annotations

import configparser
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from test_docs_pages import ROOT


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
