"""The examples in docstrings run, and every call that people read is one that works."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, get_args, get_type_hints

import pytest
from extras import needs

import hfclean
from hfclean.rules import RULES

ROOT = Path(__file__).parent.parent
MODULES = [m.name for m in walk_packages(hfclean.__path__, "hfclean.") if not m.name.endswith("__main__")]
NEEDED = {  # by the examples of these modules
    "hfclean.scorers.linear_rule": ("mining", "statsmodels"),
    "hfclean.selection.experience": ("embed", "sklearn"),
}


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    if name in NEEDED:
        needs(*NEEDED[name])
    module = import_module(name)
    for public in getattr(module, "__all__", ()):
        getattr(module, public)  # the examples of a class are read in the module that it names as its home
    assert doctest.testmod(module).failed == 0


CALL = re.compile(r"(?<![\w.])hfclean((?:\.[A-Za-z_]\w*)+)\(")


def told_calls(text: str) -> Iterator[ast.Call]:
    """Every call of a name of hfclean that a text holds whole, also on several lines of an example."""
    text = re.sub(r"^[ \t]*\.\.\.[ \t]", "", re.sub(r"^[ \t]*>>> ", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    for found in CALL.finditer(text):
        for end in (match.end() for match in re.finditer(r"\)", text[found.start() :][:2000])):
            try:
                call = ast.parse(text[found.start() :][:end], mode="eval").body
            except SyntaxError:
                continue
            if isinstance(call, ast.Call):
                yield call
            break


def with_keywords(target: Any) -> inspect.Signature:
    """The signature of a callable, the keywords that an `Unpack` stands for among it."""
    signature = inspect.signature(target)
    *others, last = [*signature.parameters.values()] or [None]
    if last is None or "Unpack[" not in str(last.annotation):
        return signature
    (unpacked,) = get_args(get_type_hints(target)[last.name])
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in unpacked.__annotations__
    ]
    return signature.replace(parameters=[*others, *named])


def wrong_calls(text: str) -> list[str]:
    """Those that the real signature does not take. What stands for `...` or a star may be anything."""
    found = []
    for call in told_calls(text):
        said = ast.unparse(call)
        target: object = hfclean
        try:
            for name in ast.unparse(call.func).split(".")[1:]:
                target = getattr(target, name)
            signature = with_keywords(target)
        except (AttributeError, TypeError, ValueError) as e:
            found.append(f"{said}: {e}")
            continue
        plain = [arg for arg in call.args if not isinstance(arg, ast.Starred) and ast.unparse(arg) != "..."]
        named = {word.arg: None for word in call.keywords if word.arg}
        open_end = len(plain) < len(call.args) or len(named) < len(call.keywords)
        try:
            (signature.bind_partial if open_end else signature.bind)(*[None] * len(plain), **named)
        except TypeError as e:
            found.append(f"{said}: {e}")
    return found


def told_texts() -> Iterator[tuple[str, str]]:
    """Everything that people read: the pages, and every string of the package, docstrings and messages among them."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        yield page.name, page.read_text(encoding="utf-8")
    for file in sorted((ROOT / "hfclean").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "hfclean." in node.value:
                yield file.name, node.value


def test_every_call_that_people_read_is_one_that_works() -> None:
    texts = list(told_texts())
    assert [(where, wrong) for where, text in texts for wrong in wrong_calls(text)] == []
    assert sum(1 for _, text in texts for _ in told_calls(text)) > 100


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('ds.select(hfclean.selection.pre_experience(ds, "org/base"))', "too many positional"),
        ("hfclean.push_dataset(ds, 'me/data', dry_run=True, tokn='')", "unexpected keyword"),
        ("say hfclean.keep('x', at_leats=1)", "unexpected keyword"),
        (">>> hfclean.selection.novel(\n... )", "missing a required"),
        ("hfclean.nothing(1)", "nothing"),
        ("hfclean.selection.pre_experience(ds, ...)", ""),
        ("hfclean.IFD(model, **settings)(row) and (more", ""),
        ("ds.hfclean.keep(x=1)", ""),
        ("hfclean.keep(not code", ""),
    ],
)
def test_a_call_that_does_not_work_is_found(text: str, wrong: str) -> None:
    found = wrong_calls(text)
    assert len(found) == bool(wrong)
    assert all(wrong in each for each in found)


def test_every_rule_has_what_the_list_of_rules_shows() -> None:
    for rule in RULES:
        assert rule.meaning, rule.id
        assert rule.example[0] or rule.id == "empty_output", rule.id
        assert bool(rule.example[1]) <= (rule.repair is not None), rule.id
