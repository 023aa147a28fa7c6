"""The public names: few at top level, the rest by rooms; what moved says where it is; no name loads what is heavy."""

from __future__ import annotations

import ast
import pickle
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from test_docs_pages import FILES, NAME, exists
from test_layers import MODULES

import hfclean
from hfclean.cli import VERBS, module_of

ROOT = Path(__file__).parent.parent
ROOMS = sorted(name for name in dir(hfclean) if isinstance(getattr(hfclean, name), ModuleType))
TOP = """
IFD Judge Pair Reflection Report Reviser RuleReviser Score HfcleanError __version__ accept apply_verdicts
augment_errors check clean compare convert decontaminate dedupe diverse evaluate_reviser forget generate keep ledger
load_cleaned push_dataset push_reviser restore revise revision_pairs rule score scorer sedi top train_reviser verify
"""
HEAVY = ["torch", "transformers", "datasets", "pyarrow", "pandas"]
MOVED = dict(re.findall(r"^\| `hfclean\.(\w+)` \| `(hfclean\.[\w.]+)` \|$", (ROOT / "CHANGELOG.md").read_text(), re.M))

TEXTS = [
    file
    for place in ("hfclean", "tests", "benchmarks", "hub_scripts", "model_cards", "docs", "examples", "*.md")
    for path in sorted(ROOT.glob(place))
    for file in ([path] if path.is_file() else sorted(path.rglob("*")))
    if file.suffix in (".py", ".pyi", ".md", ".jinja", ".json") and file.name != "CHANGELOG.md"
]
IMPORT = re.compile(r"^ *from (hfclean[\w.]*) import (\([^)]*\)|[^(\n#]*)", re.MULTILINE)
FORMATS = {"hfclean.benchmarks", "hfclean.linear_rule", "hfclean.egg"}  # what files call themselves
PICKLED = {"OfPairs"}  # the name is part of the fingerprints of `datasets`
NOWHERE = {"hfclean.no_such_name", "hfclean.nothing", "hfclean.x"}  # in tests of this test


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_top_level_has_these_names() -> None:
    assert sorted(hfclean.__all__) == sorted(TOP.split())
    assert len(hfclean.__all__) <= 38
    assert all(getattr(hfclean, name) is not None for name in hfclean.__all__)
    assert hfclean.check is import_module("hfclean.checks").check


@pytest.mark.parametrize("room", ROOMS)
def test_the_names_of_a_room_exist(room: str) -> None:
    module = import_module(f"hfclean.{room}")
    assert len(module.__all__) == len(set(module.__all__)) > 0
    for name in module.__all__:
        assert not isinstance(getattr(module, name), ModuleType), name
        assert not name.startswith("_")


def test_rooms_are_reached_without_an_import() -> None:
    code = f"import sys, hfclean; rooms = {ROOMS}; print([len(getattr(hfclean, room).__all__) > 0 for room in rooms])"
    assert run(f"{code}; print([m for m in {HEAVY} if m in sys.modules])") == f"{[True] * len(ROOMS)}\n[]\n"


def test_importing_hfclean_loads_nothing_heavy() -> None:
    heavy = [*HEAVY, "numpy", "jinja2", "rapidfuzz", "ftfy", "yaml"]
    assert run(f"import sys, hfclean; print([m for m in {heavy} if m in sys.modules])") == "[]\n"


def test_a_name_that_moved_names_its_new_place() -> None:
    assert {name: f"hfclean.{room}.{name}" for name, room in hfclean._MOVED.items()} == MOVED
    assert len(MOVED) > 50
    for name, place in MOVED.items():
        with pytest.raises(AttributeError, match=rf"^hfclean\.{name} moved to {re.escape(place)}$"):
            getattr(hfclean, name)
        room, _, there = place.rpartition(".")
        assert there in import_module(room).__all__


def test_a_name_that_is_nowhere_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'hfclean' has no attribute 'no_such_name'$"):
        hfclean.no_such_name  # type: ignore[attr-defined]
    assert not hasattr(hfclean, "LinearRule")


@pytest.mark.parametrize(
    ("value", "module"),
    [
        (hfclean.revise, "hfclean.reviser.rules"),
        (hfclean.score, "hfclean.scorers"),
        (hfclean.keep("rating", at_least=0), "hfclean.selection"),
        (hfclean.scorers.PII(), "hfclean.scorers.personal"),
        (hfclean.reviser.MaskPII(), "hfclean.reviser.pii"),
        (hfclean.IFD("org/model"), "hfclean.scorers.likelihood"),
        (hfclean.scorer("length")(len), "hfclean.scorers"),
    ],
)
def test_a_pickle_names_the_module_of_0_1_0(value: object, module: str) -> None:
    """`datasets` makes its fingerprints of pickles: another name would have every cached step computed again."""
    assert f"{module}\n".encode() in pickle.dumps(value, protocol=0)
    assert pickle.loads(pickle.dumps(value)) == value


def test_every_name_that_anybody_reads_exists() -> None:
    used: dict[str, str] = {}
    for file in TEXTS:
        text = file.read_text(encoding="utf-8")
        for tail in NAME.findall(text):
            used.setdefault(f"hfclean{tail}", file.name)
        for module, names in IMPORT.findall(text) if file.suffix == ".py" else ():
            used |= {
                f"{module}.{name}": file.name for name in re.findall(r"(?<!as )\b[^\W\d]\w*", names) if name != "as"
            }
    names = {name: file for name, file in used.items() if not name.endswith(FILES) and name not in FORMATS | NOWHERE}
    assert len(names) > 500
    assert {name: file for name, file in names.items() if not exists(name)} == {}


def _used(text: str) -> set[str]:
    """The names that a file uses of modules of hfclean: those it imports, and attributes of modules it imports."""
    used, modules = set(), {}
    for module, names in IMPORT.findall(text):
        for name, _, other in re.findall(r"(\w+)( as (\w+))?", names):
            used.add(f"{module}.{name}")
            modules[other or name] = f"{module}.{name}"
    return used | {f"{modules[a]}.{b}" for a, b in re.findall(r"\b(\w+)\.(\w+)", text) if a in modules}


def test_what_a_module_keeps_to_itself_starts_with_an_underscore() -> None:
    """Constants are exempt, and classes that say what a module's functions take and give."""
    files = [
        *(file for place in ("tests", "benchmarks", "hub_scripts", "docs") for file in (ROOT / place).rglob("*.py"))
    ]
    ours = [file.with_suffix(".py") for file in MODULES.values()]
    used = set().union(*(_used(file.read_text(encoding="utf-8")) for file in [*files, *ours]))
    used |= {f"hfclean.{room}.{name}" for room in ROOMS for name in import_module(f"hfclean.{room}").__all__}
    used |= {f"hfclean.cli.{module_of(verb)}.{name}" for verb in VERBS for name in ("add", "run")}
    for room, stub in MODULES.items():
        lines = (
            re.findall(r"^from (\.[\w.]+) import (\w+)", stub.read_text(), re.MULTILINE)
            if stub.suffix == ".pyi"
            else []
        )
        used |= {f"hfclean.{room}{module}.{name}" for module, name in lines}
    words = {word for file in TEXTS if file.suffix == ".md" for word in re.findall(r"`([\w.]+)", file.read_text())}
    told = {part for word in words for part in word.split(".")}
    alone = []
    for module, file in MODULES.items():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        typed = _named_in_types(tree)
        for name in (name for node in tree.body for name in _binds(node)):
            exempt = name[0] == "_" or name.isupper() or name in told | typed | PICKLED
            if not exempt and f"hfclean.{module}.{name}" not in used:
                alone.append(f"{module}.{name}")
    assert " ".join(sorted(alone)) == ""


def _named_in_types(tree: ast.Module) -> set[str]:
    """What a module's functions and fields are annotated with."""
    types = [
        getattr(node, "annotation", None) or getattr(node, "returns", None)
        for node in ast.walk(tree)
        if isinstance(node, ast.arg | ast.AnnAssign | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {word for each in types if each is not None for word in re.findall(r"\w+", ast.unparse(each))}


def _binds(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = (
        node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    )
    return [target.id for target in targets if isinstance(target, ast.Name)]
