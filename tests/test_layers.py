"""Imports go only from a lower room to a higher one; importing the package stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import hfclean

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
    "schema",
    "layout",
    "text",
    "values",
    "provenance",
    "transform",
    "models",
    "records",
    "rules",
    "checks",
    "scorers",
    "reviser",
    "restoration",
    "training",
    "selection",
    "mining",
    "evaluation",
    "metrics",
    "conversion",
    "report",
    "cards",
    "cleaning",
    "preview",
    "source",
    "folder",
    "hub",
    "accessor",
    "testing_models",
    "testing",
    "cli",
]


def _room(module: str) -> str:
    return module.removeprefix("hfclean.").split(".")[0]


def _imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hfclean."):
            found.add(_room(node.module))
        if isinstance(node, ast.Import):
            found |= {_room(alias.name) for alias in node.names if alias.name.startswith("hfclean.")}
    return found


def test_every_room_is_in_the_order() -> None:
    rooms = {p.stem for p in PACKAGE.glob("*.py")} | {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    assert sorted(rooms - {"__init__", "__main__"}) == sorted(ROOMS)


def test_imports_go_from_lower_rooms_to_higher_ones() -> None:
    wrong = []
    for file in PACKAGE.rglob("*.py"):
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        wrong += [
            f"{room} imports {other}" for other in _imports(file) - {room} if ROOMS.index(other) > ROOMS.index(room)
        ]
    assert wrong == []


def test_the_public_names_are_the_ones_that_exist() -> None:
    assert sorted(hfclean.__all__) == sorted([*hfclean._HOME, "__version__"])
    for name in hfclean.__all__:
        assert getattr(hfclean, name) is not None
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    for_checkers = {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level == 0 for a in n.names}
    assert for_checkers >= set(hfclean._HOME)


def test_rooms_that_the_readme_names_are_there_without_an_import() -> None:
    named = "hfclean.metrics.load, hfclean.models.Backend, hfclean.testing.ScriptedBackend"
    code = f"import hfclean; print(len([{named}]))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "3\n"


def test_importing_hfclean_loads_nothing_heavy() -> None:
    heavy = ["torch", "transformers", "datasets", "pyarrow", "pandas", "numpy", "jinja2", "rapidfuzz", "ftfy", "yaml"]
    code = f"import sys, hfclean; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_help_loads_nothing_heavy() -> None:
    heavy = ["torch", "transformers", "datasets", "pyarrow", "pandas", "numpy"]
    code = (
        "import sys\nfrom hfclean.cli import main\n"
        f"try:\n    main(['--help'])\nexcept SystemExit:\n    print([m for m in {heavy} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.endswith("[]\n")
    assert "hfclean clean alpaca.jsonl --out cleaned" in out


def test_a_transform_needs_no_datasets() -> None:
    code = (
        "import sys, hfclean\nrow = {'instruction': 'a', 'output': 'b'}\n"
        "hfclean.revise(row); hfclean.score(row); print([m for m in ('datasets', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
