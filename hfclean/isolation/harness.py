"""What happens inside: the code runs, then its tests, and what they come to is told.

Everything here runs in the process that the code of a stranger runs in. It imports nothing else of hfclean.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import importlib.util
import inspect
import itertools
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hfclean.isolation.assertions import REACHED, is_assertion, mark_assertions

ENDING = (SystemExit, KeyboardInterrupt, GeneratorExit)
NAME = "response"
MOST_CASES = 1000
# what a run that failed is called, if no reason says that it could not take place
FAILED, RAISED, EXITED, OUT_OF_MEMORY, SYNTAX = "failed", "raised", "exited", "out_of_memory", "syntax_error"
# why there was no run to speak of
READS_INPUT, SLEEPS, PACKAGE_MISSING = "reads_input", "sleeps", "package_missing"
NEEDS_FIXTURE, ASSERTS_NOTHING, NO_FUNCTION = "needs_fixture", "asserts_nothing", "no_function"
MACHINE_BUSY = "machine_busy"
NOT_RUN = frozenset((READS_INPUT, SLEEPS, PACKAGE_MISSING, NEEDS_FIXTURE, ASSERTS_NOTHING, NO_FUNCTION, MACHINE_BUSY))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


class _Run:
    """One run: what passed, of how much, and why not all of it did."""

    def __init__(self) -> None:
        self.passed = self.total = 0
        self.asserted = False  # since the last assertion or test that was counted
        self.why: list[str] = []
        self.detail = ""

    def note(self, reason: str, detail: str = "") -> None:
        self.why.append(reason)
        self.detail = self.detail or detail[:300]

    def raised(self, error: BaseException) -> None:
        """Note why something failed."""
        words = f"{type(error).__name__}: {error}"[:300]
        if isinstance(error, AssertionError):
            self.note(FAILED, words)
        elif isinstance(error, ModuleNotFoundError) and not _is_there((error.name or "").partition(".")[0]):
            self.note(PACKAGE_MISSING, words)
        elif isinstance(error, MemoryError):
            self.note(OUT_OF_MEMORY, words)
        elif isinstance(error, ENDING):
            self.note(EXITED, words)
        elif type(error).__name__ == "Skipped":
            self.note(ASSERTS_NOTHING, words)
        elif type(error).__name__ == "Failed":  # of pytest
            self.note(FAILED, words)
        else:
            self.note(RAISED, words)

    def reached(self, value: Any) -> Any:
        """Note that the test came to an assertion, and give back what decides it."""
        self.asserted = True
        return value

    def unit(self, error: BaseException | None) -> None:
        """Count one assertion or test, if it failed or came to an assertion."""
        if error is None and not self.asserted:
            return
        self.asserted = False
        self.total += 1
        if error is None:
            self.passed += 1
        else:
            self.raised(error)

    def attempt(self, call: Callable[[], Any]) -> bool:
        """Whether something went well; if not, why is noted."""
        try:
            call()
        except BaseException as e:  # noqa: BLE001  # code of strangers raises anything
            self.raised(e)
            return False
        return True

    def measure(self, call: Callable[[], Any]) -> bool:
        """Count one test, if nothing in it was counted on its own; whether it went well."""
        self.asserted, before = False, self.total
        try:
            call()
        except BaseException as e:  # noqa: BLE001
            self.unit(e)
            return False
        if self.total == before:
            self.unit(None)
        return True

    def told(self) -> dict[str, Any]:
        not_run = next((reason for reason in self.why if reason in NOT_RUN), "")
        reason = not_run or next(iter(self.why), "" if self.total else ASSERTS_NOTHING)
        return {"passed": self.passed, "total": self.total, "reason": reason, "detail": self.detail}


def _is_there(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _watch(run: _Run) -> None:
    """Note whoever waits: for somebody to type something, or for time to pass."""

    def no_input(*_: object) -> str:
        run.note(READS_INPUT)
        raise EOFError("nobody is there to type anything")

    def no_sleep(seconds: Any, /) -> None:
        if seconds > 0:
            run.note(SLEEPS)
            raise TimeoutError("tests of a row do not sleep")

    builtins.input = no_input
    time.sleep = no_sleep


def run_tests(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run code and its tests.

    Args:
        job: `code`, a list of sources that run one after the other; `test`; `entry_point`, the name of the function
            that `check` gets, or empty for the one that the code defines last.

    Returns:
        `passed` and `total`, numbers of assertions and tests; `reason`, empty if all of them passed; `detail`.
    """
    run = _Run()
    _watch(run)
    module = types.ModuleType(NAME)
    module.__dict__["__builtins__"] = builtins
    sys.modules[NAME] = module
    names = module.__dict__
    last = ""
    for source in job["code"]:
        try:
            tree = ast.parse(source)
            compiled = compile(tree, f"<{NAME}>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
            run.note(SYNTAX, f"{type(e).__name__}: {e}")
            return run.told()
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        last = functions[-1] if functions else last
        if not run.attempt(lambda: exec(compiled, names)):  # noqa: B023, S102  # called here; what this is for
            return run.told()
    _run_test(job["test"], job["entry_point"] or last, module, run)
    return run.told()


def _run_test(source: str, entry_point: str, module: types.ModuleType, run: _Run) -> None:
    tree = ast.parse(source)
    _offer(tree, module)
    names, before = module.__dict__, set(module.__dict__)
    names["_unit_"], names[REACHED] = run.unit, run.reached
    check = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"), None)
    statements = [*tree.body, *(check.body if check else ())]
    asserting = {id(node) for node in statements if is_assertion(node) and not _defines(node)}
    mark_assertions(tree)
    if check is not None:
        check.body = [_as_unit(node) if id(node) in asserting else node for node in check.body]
    for node in tree.body:
        piece = compile(ast.Module([node], []), "<test>", "exec", dont_inherit=True)

        def step(piece: Any = piece) -> None:
            exec(piece, names)  # noqa: S102

        if not run.measure(step) and id(node) not in asserting:
            return
    called = {each.func.id for each in _calls(tree) if isinstance(each.func, ast.Name)}
    if check is not None and "check" not in called:
        _call_check(names, entry_point, run)
    for name in [name for name in names if name not in before or name in _defined(tree)]:
        if name not in called:
            _run_named(name, names[name], run)


def _as_unit(node: ast.stmt) -> ast.stmt:
    """A statement that is counted, and behind which the function goes on."""
    frame = ast.parse("try:\n pass\nexcept Exception as _error_:\n _unit_(_error_)\nelse:\n _unit_(None)").body[0]
    assert isinstance(frame, ast.Try)
    frame.body = [node]
    return frame


def _defines(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _defined(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls that run with the module: not those in functions and classes, nor those for a program."""
    for node in tree.body:
        if not _defines(node):
            yield from (each for each in ast.walk(node) if isinstance(each, ast.Call))


def _offer(tree: ast.Module, module: types.ModuleType) -> None:
    """Give the code the name under which the test imports it, such as `solution`."""
    for name in _imports(tree):
        first = name.partition(".")[0]
        if first != NAME and not _is_there(first) and any(not each.startswith("__") for each in module.__dict__):
            wanted = [
                alias.name
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and node.module == name
                for alias in node.names
            ]
            if wanted and all(each == "*" or hasattr(module, each) for each in wanted):
                sys.modules[name] = module


def _call_check(names: Mapping[str, Any], entry_point: str, run: _Run) -> None:
    candidate = names.get(entry_point)
    if candidate is None:
        run.note(NO_FUNCTION, f"the code has no {entry_point}" if entry_point else "the code defines no function")
        return
    run.measure(lambda: names["check"](candidate))


def _run_named(name: str, value: Any, run: _Run) -> None:
    """Run a test function, or the tests of a class, as pytest and unittest name them."""
    if inspect.isclass(value):
        import unittest

        if issubclass(value, unittest.TestCase):
            _run_cases(value, run)
        elif name.startswith("Test"):
            for each in [method for method in vars(value) if method.startswith("test")]:
                with_setup = _bound(value, each)
                _run_function(with_setup, run)
    elif name.startswith("test") and inspect.isfunction(value):
        _run_function(value, run)


def _bound(owner: Any, name: str) -> Callable[..., Any]:
    """A test method on an object of its own, made ready as its class says."""
    method = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        fresh = owner()
        setup = getattr(fresh, "setup_method", None)
        if setup is not None:
            setup(*[method] * len(inspect.signature(setup).parameters))
        return getattr(fresh, name)(*arguments, **named)

    parameters = list(inspect.signature(method).parameters.values())[1:]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.pytestmark = getattr(method, "pytestmark", [])  # type: ignore[attr-defined]
    call.is_async = inspect.iscoroutinefunction(method)  # type: ignore[attr-defined]
    return call


def _run_cases(owner: Any, run: _Run) -> None:
    import unittest

    errors: list[Any] = []

    class Result(unittest.TestResult):
        def addFailure(self, test: Any, err: Any) -> None:
            errors.append(err[1])

        def addError(self, test: Any, err: Any) -> None:
            errors.append(err[1])

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
            if err is not None:
                errors.append(err[1])

    for test in unittest.defaultTestLoader.loadTestsFromTestCase(owner):
        errors.clear()
        result, run.asserted = Result(), False
        if run.attempt(lambda test=test, result=result: test.run(result)) and not result.skipped:  # type: ignore[misc]
            run.unit(errors[0] if errors else None)


def _run_function(function: Callable[..., Any], run: _Run) -> None:
    needed = {
        name
        for name, each in inspect.signature(function).parameters.items()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }
    marks = [mark for mark in getattr(function, "pytestmark", []) if getattr(mark, "name", "") == "parametrize"]
    for arguments in itertools.islice(_cases(marks), MOST_CASES):
        if not needed <= set(arguments):
            run.note(NEEDS_FIXTURE, f"{function.__name__} needs {', '.join(sorted(needed - set(arguments)))}")
            return

        def call(arguments: Mapping[str, Any] = arguments) -> None:
            found = function(**arguments)
            if inspect.iscoroutine(found):
                asyncio.run(found)

        run.measure(call)


def _cases(marks: list[Any]) -> Iterator[dict[str, Any]]:
    """The arguments of a test, for each combination of what its decorators say."""
    each: list[list[dict[str, Any]]] = []
    for mark in marks:
        names, values = (*mark.args, *(mark.kwargs[key] for key in ("argnames", "argvalues") if key in mark.kwargs))[
            :2
        ]
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        rows = [getattr(value, "values", value) if not isinstance(value, dict) else value for value in values]
        several = [
            row if len(names) > 1 or hasattr(value, "marks") else (row,)
            for row, value in zip(rows, values, strict=True)
        ]
        each.append([dict(zip(names, row, strict=True)) for row in several])
    for combination in itertools.product(*each):
        yield {name: value for part in combination for name, value in part.items()}
