"""The code of a response: what its fences hold, all of it, or the rest of a function that the prompt begins."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterator
from textwrap import dedent, indent
from typing import NamedTuple

from hfclean.schema import Pair
from hfclean.text.thoughts import split_thought
from hfclean.verifiers.syntax import FENCE

LONGEST = 200_000  # characters of a response, a prompt or a test
MOST_BLOCKS = 50
PYTHON = frozenset(("python", "py", "python3", "python2", "py3"))
_UNNAMED = ""
_CODE_BEGINS = re.compile(r"^(?:from|import|def|class|async def|@|\"\"\"|''')", re.MULTILINE)
_HEAD = re.compile(r"^(?:async )?def ", re.MULTILINE)


class AnswerCode(NamedTuple):
    """The code of a response.

    Attributes:
        sources: what to run, in this order; empty where there is no code.
        entry_point: the function that the prompt begins, empty where it begins none.
    """

    sources: tuple[str, ...] = ()
    entry_point: str = ""


class _Head(NamedTuple):
    """A function that a prompt begins, with all code before it."""

    code: str
    name: str
    imports: str


def code_of(pair: Pair) -> AnswerCode:
    """The Python code of a response; without sources where it gives none."""
    response = split_thought(pair).answer
    if max(len(response), len(pair.prompt)) > LONGEST:
        return AnswerCode()
    head = _head(pair.prompt)
    blocks = _blocks(response)
    if blocks:
        chosen = _chosen(blocks)
        if head is None:
            return AnswerCode(tuple(chosen))
        if any(_defines(block, head.name) for block in chosen):
            return AnswerCode((*filter(None, [head.imports]), *chosen), head.name)
        return AnswerCode((_continued(head, chosen[0]), *chosen[1:]), head.name)
    if head is not None:
        if _defines(response, head.name):
            return AnswerCode((*filter(None, [head.imports]), response), head.name)
        return AnswerCode((_continued(head, response),), head.name) if response.strip() else AnswerCode()
    return AnswerCode((response,)) if _kinds(response) & {"defines", "binds"} else AnswerCode()


def parsed(code: str) -> ast.Module | None:
    """The syntax tree of Python code; None if it is none."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _defines(code: str, name: str) -> bool:
    """Whether code parses and defines a function or class of this name at its top level."""
    tree = parsed(code)
    return tree is not None and any(getattr(node, "name", "") == name for node in tree.body)


def _kinds(code: str) -> set[str]:
    """What code does at its top level: `defines` functions or classes, `binds` names, or only runs."""
    tree = parsed(code)
    found = set()
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add("defines")
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom):
            found.add("binds")
        else:
            found.add("runs")
    return found


def _blocks(text: str) -> list[str]:
    """The fenced blocks of Python; where none is named so, those without a name that parse. One may be open."""
    found = list(_fenced(text))
    named = [code for language, code in found if language in PYTHON]
    return named or [code for language, code in found if language == _UNNAMED and _kinds(code)]


def _fenced(text: str) -> Iterator[tuple[str, str]]:
    opened: re.Match[str] | None = None
    count = 0
    for fence in FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[2].startswith(opened[2]) and not fence[3]:
            yield opened[3].lower(), dedent(text[opened.end() + 1 : fence.start()])
            opened, count = None, count + 1
            if count >= MOST_BLOCKS:
                return
    if opened is not None:
        yield opened[3].lower(), dedent(text[opened.end() + 1 :])


def _chosen(blocks: list[str]) -> list[str]:
    """Those to run: without examples of how to call what the others define, and shell or sessions among them."""
    parsing = [block for block in blocks if parsed(block) is not None] or blocks[:1]
    kinds = [_kinds(block) for block in parsing]
    if not any("defines" in each for each in kinds):
        return parsing
    return [block for block, each in zip(parsing, kinds, strict=True) if "defines" in each or "runs" not in each]


def _head(prompt: str) -> _Head | None:
    """The function that a prompt ends in, without anything but a docstring in it."""
    text = prompt.rstrip()
    if text.endswith("```"):
        text = text[:-3].rstrip()
    heads = deque(_HEAD.finditer(text), maxlen=1)
    function = _function(text[heads[0].start() :]) if heads else ""
    if not function:
        return None
    last = heads[0]
    fence = text.rfind("```", 0, last.start())
    starts = [0] if fence < 0 else [text.find("\n", fence) + 1]
    starts += [found.start() for found in _CODE_BEGINS.finditer(text, starts[0], last.end())][:MOST_BLOCKS]
    for start in starts:
        if parsed(f"{text[start:]}\n    pass") is not None:
            tree = ast.parse(f"{text[start:]}\n    pass")
            imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            return _Head(text[start:], function, "\n".join(imports))
    return None


def _function(text: str) -> str:
    """The name of the only thing in a text, if it is a function without a body; else empty."""
    tree = parsed(f"{text}\n    pass")
    if tree is None or len(tree.body) != 1:
        return ""
    (node,) = tree.body
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return node.name if len(body) == 1 and isinstance(body[0], ast.Pass) else ""


def _continued(head: _Head, body: str) -> str:
    """The function with its body, also where the first line or all of them lost their indentation."""
    body = body.strip("\n").rstrip()
    ways = [body, f"    {body.lstrip()}", indent(dedent(body), "    ")]
    whole = [f"{head.code}\n{each}\n" for each in ways]
    return next((each for each in whole if _completes(each, head.name)), whole[0])


def _completes(code: str, name: str) -> bool:
    """Whether a function has a body of its own; a `return` behind it would be no part of it."""
    tree = parsed(code)
    if tree is None:
        return False
    found = next((node for node in tree.body if getattr(node, "name", "") == name), None)
    body = getattr(found, "body", [])
    documented = found is not None and ast.get_docstring(found) is not None  # type: ignore[arg-type]
    stray = any(isinstance(node, ast.Return) for node in tree.body)
    return len(body) > documented and not stray
