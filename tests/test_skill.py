"""What SKILL.md tells a program is so: its commands run, and what they print is of the schemas that it gives."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import sys
from typing import Any

import pytest
import yaml
from extras import needs
from test_docs_pages import ROOT, blocks_of, text_of

from hfclean.cli import main

SKILL = ROOT / "SKILL.md"


def test_the_head_is_what_agents_read_first() -> None:
    _, head, _ = text_of(SKILL).split("---\n", 2)
    found = yaml.safe_load(head)
    assert found["name"] == "hfclean"
    assert len(found["description"]) < 1024


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """By command, the JSON of each line of the skill that prints some, run one after the other."""
    found: dict[str, list[Any]] = {}
    work = tmp_path_factory.mktemp("skill")
    shutil.copytree(ROOT / "examples", work / "examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        for language, mark, code in blocks_of(text_of(SKILL)):
            if language != "sh" or mark:
                continue
            for line in code.splitlines():
                program, *words = shlex.split(line, comments=True)
                assert program == "hfclean"
                text = _run(words, patch)
                if "--json" in words:
                    found.setdefault(words[0], []).append(json.loads(text))
    return found


def _run(words: list[str], patch: pytest.MonkeyPatch) -> str:
    patch.setattr(sys, "stdout", out := io.StringIO())
    assert main(words) == 0, words
    return out.getvalue()


def test_what_is_printed_is_of_the_schemas(printed: dict[str, list[Any]]) -> None:
    needs("verify", "jsonschema")
    from jsonschema import Draft202012Validator

    checked = set()
    for language, mark, code in blocks_of(text_of(SKILL)):
        if language != "json":
            continue
        schema = json.loads(code)
        Draft202012Validator.check_schema(schema)
        for command in (part.split()[1] for part in mark.removeprefix('title="').split(", ")):
            for value in printed[command]:
                errors = [error.message for error in Draft202012Validator(schema).iter_errors(value)]
                assert errors == [], (command, schema)
                checked.add(command)
    assert checked >= {"clean", "score", "diff", "head", "verify", "why", "dedupe", "convert"}
    assert set(printed) - checked <= {"rules", "undo", "decontaminate"}
