"""The examples in the README and in docstrings run; the commands it names exist."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import hfclean
from hfclean.cli import parser
from hfclean.rules import RULES

ROOT = Path(__file__).parent.parent
MODULES = [m.name for m in walk_packages(hfclean.__path__, "hfclean.") if not m.name.endswith("__main__")]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    results = doctest.testmod(import_module(name))
    assert results.failed == 0


def test_readme_examples_run() -> None:
    results = doctest.testfile(str(ROOT / "README.md"), module_relative=False, encoding="utf-8")
    assert results.failed == 0
    assert results.attempted >= 15


def test_readme_names_only_commands_and_options_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    verbs = next(a for a in parser()._actions if hasattr(a, "choices") and a.choices).choices
    for verb, rest in re.findall(r"hfclean ([a-z]+) ([^\n`#|]*)", text):
        if verb not in verbs:
            continue
        options = {option for action in verbs[verb]._actions for option in action.option_strings}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, verb
    used = set(re.findall(r"^hfclean ([a-z]+)", text, re.MULTILINE))
    assert used == set(verbs)


def test_every_rule_has_what_the_list_of_rules_shows() -> None:
    for rule in RULES:
        assert rule.meaning, rule.id
        assert rule.example[0] or rule.id == "empty_output", rule.id
        assert bool(rule.example[1]) <= (rule.repair is not None), rule.id
