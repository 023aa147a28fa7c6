"""What in a test asserts something, and the marks that tell whether it was reached.

This is part of what runs in the process that the code of a stranger runs in. It imports nothing of hfclean.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

REACHED = "_reached_"  # the function that gets and gives back what decides an assertion
RAISED_ON_PURPOSE = ("fail", "exit")
CONTEXTS = ("raises", "warns")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Block = ast.Try | ast.TryStar | ast.With | ast.AsyncWith
_Decision = _Function | _Block | ast.If | ast.While | ast.For | ast.AsyncFor | ast.Match | ast.IfExp | ast.BoolOp


def is_assertion(node: ast.AST) -> bool:
    """Whether something in a syntax tree may fail on purpose: an assert, a raise, or a call of an assertion method."""
    return any(isinstance(each, ast.Assert | ast.Raise) or _is_call(each) or _fails(each) for each in ast.walk(node))


def mark_assertions(tree: ast.Module) -> None:
    """Have a test call `_reached_` whenever it comes to an assertion that can fail.

    An assert and a call of an assertion method are marked themselves. What does nothing but fail, such as `raise` or
    `assert False`, is not reached where all is well: the condition, loop, block or function right around it is marked.
    What has no name in it (`if False`, `assert True`, `assertEqual(1, 1)`) decides nothing and is not marked.
    """
    found = list(_with_decisions(tree))
    deciding = {id(decision) for node, decision in found if _fails(node)}
    for node, decision in reversed(found):
        if id(node) in deciding:
            _mark_decision(node)
            if isinstance(node, ast.If) and isinstance(decision, ast.If) and decision.orelse == [node]:  # elif
                deciding.add(id(decision))
        if isinstance(node, ast.Assert) and not _always_true(node.test):
            node.test = _marked(node.test)
        elif isinstance(node, ast.Call) and _is_call(node):
            given = [*node.args, *(each.value for each in node.keywords)]
            if not given or not all(map(_is_fixed, given)):
                node.func = _marked(node.func)


def _with_decisions(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    """Each node, with what decides whether it is come to; those around others first, and however deep they are."""
    waiting: list[tuple[ast.AST, ast.AST | None]] = [(tree, None)]
    while waiting:
        node, decision = waiting.pop()
        yield node, decision
        inner = node if isinstance(node, _Decision) else decision
        waiting += ((child, inner) for child in ast.iter_child_nodes(node))


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_call(node: ast.AST) -> bool:
    name = _called(node)
    return name.lower().startswith("assert") or name in CONTEXTS


def _fails(node: ast.AST) -> bool:
    """Whether it always fails, whatever the code does; an error that is only passed on does not count."""
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    return node.exc is not None if isinstance(node, ast.Raise) else _called(node) in RAISED_ON_PURPOSE


def _is_fixed(node: ast.AST) -> bool:
    """Whether an expression is the same whatever the code does; where the file is run from does not change either."""
    return not any(
        isinstance(each, ast.Call | ast.Await | ast.Yield) or (isinstance(each, ast.Name) and each.id != "__name__")
        for each in ast.walk(node)
    )


def _always_true(node: ast.expr) -> bool:
    return _is_fixed(node) or (isinstance(node, ast.Tuple) and bool(node.elts))  # assert (x, "words")


def _mark_decision(node: ast.AST) -> None:
    if isinstance(node, _Function | _Block):
        node.body.insert(0, ast.copy_location(ast.Expr(_marked(ast.copy_location(ast.Constant(None), node))), node))
    elif isinstance(node, ast.For | ast.AsyncFor):
        node.iter = node.iter if _is_fixed(node.iter) else _marked(node.iter)
    elif isinstance(node, ast.Match):
        node.subject = _marked(node.subject)
    elif isinstance(node, ast.BoolOp):
        node.values[0] = _marked(node.values[0])
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        node.test = node.test if _is_fixed(node.test) else _marked(node.test)


def _marked(node: ast.expr) -> ast.expr:
    function = ast.copy_location(ast.Name(REACHED, ast.Load()), node)
    return ast.copy_location(ast.Call(function, [node], []), node)
