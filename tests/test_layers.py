"""Imports go only from a lower room to a higher one and in no circle; importing the package stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import hfclean
from hfclean.cli import VERBS, module_of

PACKAGE = Path(hfclean.__file__).parent
ROOMS = [
    "version",
    "errors",
    "durable",
    "ownership",
    "key_forms",
    "keys",
    "limits",
    "outside_names",
    "hub_id",
    "plain_values",
    "passes",
    "text",
    "schema",
    "layout",
    "values",
    "codes",
    "columns",
    "provenance",
    "row_ids",
    "transform",
    "kept_parts",
    "models",
    "processes",
    "records",
    "isolation",
    "verifiers",
    "rules",
    "checks",
    "scorers",
    "reviser",
    "restoration",
    "verdicts",
    "training",
    "selection",
    "mining",
    "evaluation",
    "metrics",
    "conversion",
    "report",
    "quality_control",
    "cards",
    "source",
    "ledger_file",
    "folder",
    "cleaned",
    "cleaning",
    "engines",
    "preview",
    "forgetting",
    "generation",
    "loops",
    "hub",
    "desk",
    "accessor",
    "testing_models",
    "testing",
    "cli",
]


def _modules(package: Path) -> dict[str, Path]:
    """Every module by its name without `hfclean.`, "" for the top level; that of a room is its list, maybe a stub."""
    files = [file for file in package.rglob("*.py") if "spaces" not in file.parts]
    names = {file: ".".join(file.relative_to(package).with_suffix("").parts) for file in files}
    stubs = {file: file.with_suffix(".pyi") for file in files}
    return {
        name.removesuffix("__init__").removesuffix("."): stubs[file] if stubs[file].exists() else file
        for file, name in names.items()
    }


def _arrows(name: str, file: Path, modules: Mapping[str, Path]) -> set[str]:
    """The modules that one imports: anywhere in it, also inside functions and for type checkers alone."""
    wanted: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            wanted += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            above = ["hfclean", *name.split(".")] if node.level else []  # only stubs, of rooms, import from `.`
            module = ".".join(part for part in [*above, node.module or ""] if part)
            wanted += [f"{module}.{alias.name}" for alias in node.names]
    ours = [each.partition(".")[2] for each in wanted if each.split(".")[0] == "hfclean"]
    return {each if each in modules else each.rpartition(".")[0] for each in ours} - {name}


MODULES = _modules(PACKAGE)


@cache
def _all_arrows() -> dict[str, set[str]]:
    return {name: _arrows(name, file, MODULES) for name, file in MODULES.items()}


def test_every_room_is_in_the_order() -> None:
    assert {name.split(".")[0] for name in MODULES} - {"", "__main__"} == set(ROOMS)
    assert len(ROOMS) == len(set(ROOMS))


def test_imports_go_from_lower_rooms_to_higher_ones() -> None:
    place = {room: number for number, room in enumerate(ROOMS)}
    wrong = [
        f"{name} imports {other or 'the top level'}"
        for name, others in _all_arrows().items()
        for other in others
        if name not in ("", "__main__") and place.get(other.split(".")[0], 99) > place[name.split(".")[0]]
    ]
    assert wrong == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    in_order = TopologicalSorter(_all_arrows()).static_order()  # CycleError names the modules of a circle
    assert set(in_order) == set(MODULES)


@pytest.mark.parametrize(
    ("line", "arrows"),
    [
        ("import hfclean", {""}),
        ("def f():\n    import hfclean as h", {""}),
        ("from hfclean import __version__", {""}),
        ("from hfclean import scorers", {"scorers"}),
        ("import hfclean.scorers.judge", {"scorers.judge"}),
        ("from hfclean.scorers import judge, Judge", {"scorers", "scorers.judge"}),
        ("if TYPE_CHECKING:\n    from hfclean.scorers.judge import Judge", {"scorers.judge"}),
        ("import hfcleaner, datasets\nfrom os import path", set()),
        ("from .judge import Judge", {"scorers.judge"}),
    ],
)
def test_an_import_in_any_form_is_seen(line: str, arrows: set[str], tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(line)
    assert _arrows("scorers" if "from ." in line else "a", tmp_path / "a.py", MODULES) == arrows


def test_help_loads_nothing_heavy() -> None:
    heavy = ["torch", "transformers", "datasets", "pyarrow", "pandas", "numpy", "asyncio"]
    heavy += ["hfclean.models", "hfclean.rules", "hfclean.scorers", "hfclean.report", "hfclean.source", "hfclean.hub"]
    code = (
        "import sys\nfrom hfclean.cli import main\n"
        f"try:\n    main(['--help'])\nexcept SystemExit:\n    print([m for m in {heavy} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.endswith("[]\n")
    assert "hfclean clean alpaca.jsonl --out cleaned" in out


def test_a_verb_loads_no_other_verb() -> None:
    code = (
        "import sys\nfrom hfclean.cli import VERBS, module_of, main\n"
        "try:\n    main(['convert', '--help'])\nexcept SystemExit:\n"
        "    print([v for v in VERBS if f'hfclean.cli.{v}' in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.endswith("['convert']\n")


def test_a_file_that_is_missing_is_named_before_anything_heavy_is_loaded() -> None:
    heavy = ("datasets", "pyarrow", "pandas", "numpy", "torch", "hfclean.rules", "hfclean.checks")
    code = (
        "import sys\nfrom hfclean.cli import main\n"
        "lines = ('score no.jsonl', 'clean no.csv --out x', 'why no 0', 'diff a.csv b')\n"
        "print([main(line.split()) for line in lines])\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "[1, 1, 1, 1]\n[]\n"


def test_the_list_of_commands_says_what_their_own_help_begins_with() -> None:
    for verb, summary in VERBS.items():
        first, _, _ = (import_module(f"hfclean.cli.{module_of(verb)}").__doc__ or "").partition("\n\n")
        assert summary == first[:1].lower() + first[1:].rstrip("."), verb


def test_a_transform_needs_no_datasets() -> None:
    code = (
        "import sys, hfclean\nrow = {'instruction': 'a', 'output': 'b'}\n"
        "hfclean.revise(row); hfclean.score(row); print([m for m in ('datasets', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
