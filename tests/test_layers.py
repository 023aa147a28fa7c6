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
