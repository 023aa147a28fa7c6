"""How many small changes to the code of the verifiers and of the gate's checks the tests notice.

    python benchmarks/mutants.py                                  # 40 mutants of each module
    python benchmarks/mutants.py hfclean/verifiers/sums.py --sample 0 --show    # all of one, with those that survive
    python benchmarks/mutants.py --again FILE                     # those that a run with --show printed, once more

A mutant is a module with one thing changed: a comparison, a number, a part of a condition, a returned truth value, a
statement left out, one word, row or alternative of a table or a pattern left out. Half of a sample are tables and
patterns. Each mutant runs in a process forked from one in which all other packages are imported already (Linux only),
with the cheapest tests first, until one fails; tests of more than half a second are left out. It counts as
killed where a test fails or the processor time of five whole runs is used up. `mutants_equivalent.csv` names those
that do what the code does.
"""

from __future__ import annotations

import argparse
import ast
import csv
import gc
import os
import re
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from hashlib import sha256
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import find_spec, spec_from_file_location
from io import StringIO
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENT = Path(__file__).with_suffix("").with_name("mutants_equivalent.csv")
# Which tests speak of a module.
TESTS = {
    "verifiers/__init__": "verifiers_preferences verifiers_conversations verifiers_thoughts",
    "verifiers/answer_code": "row_tests",
    "verifiers/answers": "verifiers_answers verifiers_preferences",
    "verifiers/arguments": "verifiers_tools",
    "verifiers/arithmetic": "verifiers_sums",
    "verifiers/boxes": "verifiers_answers checks_structure",
    "verifiers/chains": "verifiers_sums",
    "verifiers/conversations": "verifiers_conversations",
    "verifiers/counts": "verifiers_counts",
    "verifiers/grammars": "verifiers_syntax",
    "verifiers/options": "verifiers_answers checks_structure checks_claims",
    "verifiers/orders": "verifiers_sums",
    "verifiers/parsers": "verifiers_syntax",
    "verifiers/preferences": "verifiers_preferences",
    "verifiers/row_tests": "row_tests",
    "verifiers/sums": "verifiers_sums",
    "verifiers/syntax": "verifiers_syntax",
    "verifiers/taken_back": "verifiers_sums",
    "verifiers/thoughts": "verifiers_thoughts",
    "verifiers/tokens": "verifiers_sums",
    "verifiers/tools": "verifiers_tools",
    "verifiers/truncation": "verifiers_preferences",
    "verifiers/truths": "verifiers_preferences",
    "verifiers/units": "verifiers_sums verifiers_answers",
    "verifiers/values": "verifiers_answers verifiers_preferences",
    "verifiers/verifier": "verifiers_counts verifiers_preferences verifiers_tools",
    "checks/answers": "checks_answers checks checks_compared",
    "checks/claims": "checks_claims",
    "checks/closed_answers": "checks_structure checks_claims",
    "checks/numbers": "checks_figures checks_compared checks",
    "checks/structure": "checks_structure",
}
COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip

DEAR_S = 0.5  # of processor time; tests that read much or try much are few, and need most of it
EXTRAS = ("math_verify", "sqlglot", "tree_sitter_language_pack", "jsonschema")


class Mutant(NamedTuple):
    """One change: where in the tree it is made, and what for people to read."""

    kind: str
    place: str  # the function, class or name in which it is
    was: str
    becomes: str
    holder: ast.AST
    field: str
    index: int | None
    node: Any

    @property
    def words(self) -> str:
        return f"{self.place}: {self.was}  ->  {self.becomes}"

    def apply(self) -> None:
        if self.index is None:
            setattr(self.holder, self.field, self.node)
        else:
            getattr(self.holder, self.field)[self.index] = self.node


def mutants(tree: ast.Module) -> list[Mutant]:
    """Every mutant of a module, in the order of its text; to make one, `apply` it to the same tree."""
    return [mutant for statement in tree.body for mutant in _Changes(tree, statement).all()]


class _Changes:
    """The mutants of one statement of a module."""

    def __init__(self, tree: ast.Module, statement: ast.stmt) -> None:
        self.statement = statement
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        self.place = getattr(statement, "name", "") or (ast.unparse(target) if target else type(statement).__name__)
        self.split = {  # the texts that are taken apart into words
            ast.unparse(node.func.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("split", "strip")
        }

    def all(self) -> Iterator[Mutant]:
        yield from self.within(self.statement, self.place, None)

    def within(self, node: ast.AST, place: str, function: ast.FunctionDef | None) -> Iterator[Mutant]:
        if isinstance(node, ast.FunctionDef):
            function = node
            place = (
                node.name if place in (node.name, self.place) and node is self.statement else f"{place}.{node.name}"
            )
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "type_params", "bases"):
                continue
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or _is_docstring(child):
                    continue
                for kind, was, becomes, new in self.of(child, node, function):
                    yield Mutant(kind, place, was, becomes, node, field, index, new)
                yield from self.within(child, place, function)

    def of(
        self, node: ast.AST, holder: ast.AST, function: ast.FunctionDef | None
    ) -> Iterator[tuple[str, str, str, ast.AST]]:
        """What can be put in the place of a node: kind, how it reads before and after, and the new node."""
        for kind, new in self.changed(node, function):
            yield kind, _short(ast.unparse(node)), _short(ast.unparse(new)), ast.copy_location(new, node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for left_out, text in self.shortened(node, holder):
                yield "table", left_out, "", ast.copy_location(ast.Constant(text), node)
        elif isinstance(holder, ast.Subscript):
            return  # a type
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set)) and len(node.elts) > 1 and _is_table(node):
            for at, each in enumerate(node.elts):
                rest = type(node)(**{**dict(ast.iter_fields(node)), "elts": node.elts[:at] + node.elts[at + 1 :]})
                yield "table", _short(ast.unparse(each)), "", ast.copy_location(rest, node)
        elif isinstance(node, ast.Dict) and len(node.keys) > 1:
            for at, key in enumerate(node.keys):
                if key is not None:
                    keys, values = node.keys[:at] + node.keys[at + 1 :], node.values[:at] + node.values[at + 1 :]
                    yield "table", _short(ast.unparse(key)), "", ast.copy_location(ast.Dict(keys, values), node)

    def changed(self, node: ast.AST, function: ast.FunctionDef | None) -> Iterator[tuple[str, ast.AST]]:
        match node:
            case ast.Compare():
                for at, op in enumerate(node.ops):
                    ops: list[ast.cmpop] = [*node.ops[:at], COMPARED[type(op)](), *node.ops[at + 1 :]]
                    yield "comparison", ast.Compare(node.left, ops, node.comparators)
            case ast.Constant(value=bool()):
                yield "truth", ast.Constant(not node.value)
            case ast.Constant(value=int()):
                yield from (("number", _number(node.value + step)) for step in (1, -1))
            case ast.Constant(value=float()):
                yield from (("number", ast.Constant(node.value * by)) for by in (2.0, 0.5))
            case ast.BoolOp():
                for at in range(len(node.values)):
                    rest = node.values[:at] + node.values[at + 1 :]
                    yield "condition", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            case ast.UnaryOp(op=ast.Not()):
                yield "condition", node.operand
            case ast.IfExp():
                yield from (("condition", each) for each in (node.body, node.orelse))
            case ast.comprehension() if node.ifs:
                for at in range(len(node.ifs)):
                    rest = node.ifs[:at] + node.ifs[at + 1 :]
                    yield "condition", ast.comprehension(node.target, node.iter, rest, node.is_async)
            case ast.BinOp() if type(node.op) in COUNTED and not isinstance(node.left, (ast.JoinedStr, ast.List)):
                yield "operator", ast.BinOp(node.left, COUNTED[type(node.op)](), node.right)
            case ast.Return(value=ast.expr()) if function and ast.unparse(function.returns or node) == "bool":
                if not isinstance(node.value, ast.Constant):
                    yield "return", ast.Return(ast.UnaryOp(ast.Not(), node.value))
            case ast.Return(value=ast.expr()) if not (
                isinstance(node.value, ast.Constant) and node.value.value is None
            ):
                yield "return", ast.Return(ast.Constant(None))
            case ast.If(orelse=[]) | ast.AugAssign() | ast.Continue() | ast.Break():
                yield "statement", ast.Pass()
            case ast.Expr() if isinstance(node.value, (ast.Call, ast.Yield, ast.YieldFrom)):
                yield "statement", ast.Pass()

    def shortened(self, node: ast.Constant, holder: ast.AST) -> Iterator[tuple[str, str]]:
        """A text without one of its words, where it is taken apart into words, or one of its alternatives."""
        text = node.value
        listed = isinstance(holder, ast.Call) and ast.unparse(holder.func) == "word_set"
        listed |= isinstance(holder, ast.Attribute) and holder.attr in ("split", "strip")
        listed |= isinstance(holder, ast.Assign) and ast.unparse(holder.targets[0]) in self.split
        if listed:
            words = list(re.finditer(r"\S+", text))
            yield from ((word[0], text[: word.start()] + text[word.end() :]) for word in words if len(words) > 1)
        elif re.search(r"[|]|\(\?[<!=]", text):
            for start, end in alternatives(text):
                if compiles(text[:start] + text[end:]):
                    yield text[start:end], text[:start] + text[end:]


def alternatives(pattern: str) -> Iterator[tuple[int, int]]:
    """Where the alternatives of a pattern stand, each with a sign beside it, and what looks ahead or behind."""
    opened, signs = [0], [[0]]
    for token in re.finditer(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[(|)]", pattern, re.DOTALL):
        if token[0] == "(":
            kind = re.compile(r"\((?:\?(?:P<\w+>|<?[=!]|[:>]))?").match(pattern, token.start())
            assert kind is not None
            opened.append(token.start())
            signs.append([kind.end()])
        elif token[0] == "|":
            signs[-1].append(token.end())
        elif token[0] == ")" and len(opened) > 1:
            yield from _spans(signs.pop(), token.start())
            start = opened.pop()
            if re.compile(r"\(\?<?[=!]").match(pattern, start):
                yield start, token.end()
    if len(opened) == 1:
        yield from _spans(signs[0], len(pattern))


def _spans(starts: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    """Each alternative with the sign behind it, the last with the one before it."""
    for at, start in enumerate(starts if len(starts) > 1 else ()):
        yield (start, starts[at + 1]) if at + 1 < len(starts) else (start - 1, end)


def compiles(pattern: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError):
        return False
    return True


def _number(value: int) -> ast.expr:
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_table(node: ast.Tuple | ast.List | ast.Set) -> bool:
    if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
        return False
    return all(isinstance(each, (ast.Constant, ast.Tuple, ast.Name)) for each in node.elts)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 160 else text[:120] + " ... " + text[-35:]


# ------------------------------------------------------------------------------------------------------------- running


class _Loader(SourceFileLoader):
    """Loads one module from a tree in memory."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        super().__init__(name, str(path))
        self.code = code

    def get_code(self, fullname: str) -> CodeType:
        return self.code

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        package = [str(Path(self.path).parent)] if self.path.endswith("__init__.py") else None
        return spec_from_file_location(name, self.path, loader=self, submodule_search_locations=package)


class _CheapestFirst:
    """Notes how much processor time each test takes; from then on the cheapest run first and the dear ones never."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        start = time.process_time()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.process_time() - start

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.seconds:
            items[:] = [item for item in items if self.seconds.get(item.nodeid, DEAR_S) < DEAR_S]
            items.sort(key=lambda item: self.seconds[item.nodeid])


class Tests:
    """Some test files, of which a first run has loaded what they need."""

    def __init__(self, files: Iterable[str]) -> None:
        self.arguments = [*(f"tests/test_{name}.py" for name in files), "-x", "-q", "-p", "no:cacheprovider"]
        self.order = _CheapestFirst()
        for package in EXTRAS:
            if find_spec(package):
                import_module(package)
        with redirect_stdout(StringIO()) as said:
            code = self.run()
        if code:
            raise SystemExit(f"the tests fail as they are:\n{said.getvalue()}")
        self.limit_s = 10 + int(5 * sum(spent for spent in self.order.seconds.values() if spent < DEAR_S))
        forget()
        gc.freeze()

    def run(self) -> int:
        return int(pytest.main(self.arguments, plugins=[self.order]))

    def kill(self, code: CodeType, name: str, path: Path) -> str:
        """How a mutant ended: `killed`, `timed out` or `survived`."""

        def run() -> int:
            sys.meta_path.insert(0, _Loader(name, path, code))  # type: ignore[arg-type]
            return self.run()

        ended = forked(run, self.limit_s)
        return "survived" if ended == 0 else "timed out" if ended < 0 else "killed"


def forked(work: Callable[[], int], limit_s: int) -> int:
    """The exit code of silent work in a process of its own, negative where its processor time ran out."""
    if (child := os.fork()) == 0:
        code = 70
        try:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1), os.dup2(nothing, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def forget() -> None:
    """Have this library and its tests imported anew; compiled patterns, most of the time it takes, are kept."""
    here = str(ROOT)
    for name, module in list(sys.modules.items()):
        if name != __name__ and str(getattr(module, "__file__", None) or "").startswith(here):
            del sys.modules[name]


def known_equivalents() -> dict[tuple[str, str], str]:
    with EQUIVALENT.open(encoding="utf-8", newline="") as file:
        return {(row["module"], row["mutant"]): row["reason"] for row in csv.DictReader(file)}


def chosen(every: Sequence[Mutant], sample: int, seed: int) -> list[int]:
    """The places of so many of them, half of which are of tables where there are as many; 0: all.

    Which ones depends on their words, so that a change of a module leaves the rest of its sample as it was.
    """
    order = sorted(range(len(every)), key=lambda at: sha256(f"{seed} {every[at].words}".encode()).digest())
    tables = [at for at in order if every[at].kind == "table"]
    others = [at for at in order if every[at].kind != "table"]
    share = max(sample - len(others), sample // 2)
    return sorted([*tables[:share], *others[: sample - len(tables[:share])]] if sample else order)


def measure(module: str, tests: Tests, options: argparse.Namespace, again: set[str]) -> str:
    equivalents = known_equivalents()
    path = ROOT / "hfclean" / f"{module}.py"
    name = f"hfclean.{module}".replace("/", ".").removesuffix(".__init__")
    source = path.read_text(encoding="utf-8")
    found: Counter[str] = Counter()
    every = mutants(ast.parse(source))
    named = [at for at, mutant in enumerate(every) if f"{module}: {mutant.words}".strip() in again]
    for at in named if options.again else chosen(every, options.sample, options.seed):
        tree = ast.parse(source)
        mutant = mutants(tree)[at]
        mutant.apply()
        ended = tests.kill(compile(ast.fix_missing_locations(tree), str(path), "exec"), name, path)
        if ended == "survived" and (module, mutant.words) in equivalents:
            ended = "equivalent"
        found[ended] += 1
        if options.show and ended == "survived":
            print(f"    {module}: {mutant.words}", flush=True)
    killed = found["killed"] + found["timed out"]
    row = (module, len(every), found.total(), killed, found["equivalent"], found["survived"])
    return "| " + " | ".join(map(str, row)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="measure how many mutants of the verifiers and checks the tests kill")
    parser.add_argument("modules", nargs="*", metavar="FILE", help="hfclean/verifiers/sums.py; none: all of them")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print those that survive")
    parser.add_argument("--again", type=Path, metavar="FILE", help="only those that --show printed into this file")
    options = parser.parse_args()
    again = {line.strip() for line in options.again.read_text().splitlines()} if options.again else set()
    printed = [module for module in TESTS if any(line.startswith(f"{module}: ") for line in again)]
    asked = [file.removeprefix("hfclean/").removesuffix(".py") for file in options.modules]
    asked = asked or (printed if options.again else list(TESTS))
    if unknown := [module for module in asked if module not in TESTS]:
        raise SystemExit(f"no tests are known for {unknown[0]}; expected one of {', '.join(TESTS)}")
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT)]
    re._MAXCACHE = 1_000_000  # type: ignore[attr-defined]
    tempfile.tempdir = tempfile.mkdtemp()
    os.environ["TMPDIR"] = tempfile.tempdir
    sys.dont_write_bytecode, sys.pycache_prefix = False, tempfile.tempdir  # compiled once, not for each mutant
    try:
        print("| module | mutants | sampled | killed | equivalent | survived |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for files in dict.fromkeys(TESTS[module] for module in asked):
            tests = Tests(files.split())
            for module in asked:
                if TESTS[module] == files:
                    print(measure(module, tests, options, again), flush=True)
    finally:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)


if __name__ == "__main__":
    main()
