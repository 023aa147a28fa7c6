"""Every word that `edit_reason` can hold is declared, and every declared word is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hfclean
from hfclean.checks import CHECKS
from hfclean.codes import ERRORS, REASONS
from hfclean.report.meanings import meaning
from hfclean.rules import ROW_RULES, RULES
from hfclean.rules.pii import PII_KINDS

PACKAGE = Path(hfclean.__file__).parent
# what makes something of a reason: its arguments that look like codes are codes
MAKERS = {"Rewriting", "Selection", "Outcome", "Proposal", "_Verdict", "FieldChange", "Step", "Failure"}
MAKERS |= {"choose", "failed"}
EDITS = {"kept", "revised", "reverted", "failed", "restore"}
OTHER = {
    "selected",
    "twice",
    "often",
    "original",
    "max_completion_tokens",
    "no_response_format",
}  # what else these are given
CODE = re.compile(r"[a-z]+(?:_[a-z]+)*")
WRITERS = {"reviser", "models", "checks", "restoration", "verdicts"}  # of reasons
DECLARED = {*ERRORS, *REASONS, *(check.id for check in CHECKS), *(rule.id for rule in (*ROW_RULES, *RULES))}


@cache
def _trees() -> dict[Path, ast.Module]:
    """Every module but the one that declares the codes."""
    files = [file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "codes.py"]
    return {file.relative_to(PACKAGE): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def _texts(node: ast.AST) -> Iterator[str]:
    """Texts that are values of this expression: not those of calls and keys within it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, (ast.Tuple, ast.List)):
        for item in node.elts:
            yield from _texts(item)
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.BoolOp):
        for item in node.values:
            yield from _texts(item)


def _given(node: ast.AST) -> Iterator[str]:
    """What looks like a reason in one piece of code."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in MAKERS:
            named = [word.value for word in node.keywords if word.arg in ("reason", "reasons", "error")]
            for value in (*node.args, *named):
                yield from _texts(value)
    elif isinstance(node, ast.Assign):
        if {getattr(target, "id", "") for target in node.targets} & {"reason", "reasons", "taught"}:
            yield from _texts(node.value)
    elif isinstance(node, ast.FunctionDef) and node.name == "_reasons":
        for each in ast.walk(node):
            if isinstance(each, ast.Yield) and each.value is not None:
                yield from _texts(each.value)


def _used() -> set[str]:
    found = {
        text
        for file, tree in _trees().items()
        if file.parts[0] in WRITERS
        for node in ast.walk(tree)
        for text in _given(node)
    }
    return {text for text in found if CODE.fullmatch(text)} - EDITS - OTHER


def test_a_code_that_is_used_is_declared() -> None:
    used = _used()
    assert {"unwritable", "unparsed", "rule_error", "trained_on", "rate_limited", "not_selected"} <= used
    assert used <= DECLARED


def test_a_code_that_is_declared_is_used() -> None:
    constants = [node.value for tree in _trees().values() for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = {value for value in constants if isinstance(value, str)}
    built = {f"{side}_refused" for side in ("instruction", "response")} if "_refused" in texts else set()
    if "_selected" in texts:
        built |= {f"{branch}_selected" for branch in ("instruction", "response", "both", "original")}
    if "pii_" in texts:
        built |= {f"pii_{kind}" for kind in PII_KINDS}
    assert {*ERRORS, *REASONS} - texts - built == set()
    assert {code for code in REASONS if code.startswith("pii_")} <= built


def test_no_code_is_declared_twice_and_each_has_a_meaning() -> None:
    assert len(DECLARED) == len(ERRORS) + len(REASONS) + len(CHECKS) + len(RULES) + len(ROW_RULES) - len(
        {check.id for check in CHECKS} & {rule.id for rule in RULES}
    )
    assert all(map(meaning, DECLARED))
    assert meaning("unwritable") == "the revision changes something that this row has no place for"
    assert meaning("a_word_of_tomorrow") == ""
