"""What is built holds what it should and nothing else, and every import is of a package that `setup.cfg` names."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from run_versions import REQUIREMENT, VersionsError, lowest, requirements

import hfclean

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "hfclean"
DISTRIBUTION = {  # of packages that are imported under another name
    "huggingface_hub": "huggingface-hub",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
FOLDERS = ("benchmarks", "docs", "examples", "hfclean", "hub_scripts", "model_cards", "spaces", "tests")
LOOSE = (".ci/run", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "README.md")
LOOSE += (
    ".pre-commit-hooks.yaml",
    "AGENTS.md",
    "action.yml",
    "CITATION.cff",
    "SECURITY.md",
    "SKILL.md",
    "constraints.txt",
    "mkdocs.yml",
    "pyproject.toml",
    "setup.cfg",
)
RUBBISH = (
    ".ci/venv/bin/python",
    ".ci/versions/3.11.7-lowest/key",
    ".hypothesis/examples/a",
    ".mypy_cache/3.11/a.json",
    "build/lib/hfclean/old.py",
    "cleaned/report.html",
    "dist/hfclean-0.0.1.tar.gz",
    "hfclean/__pycache__/source.cpython-311.pyc",
    "hfclean/rules/__pycache__/old.cpython-311.pyc",
    "tests/.hypothesis/examples/a",
    "tests/.pytest_cache/README.md",
    "tests/__pycache__/conftest.cpython-311.pyc",
)

# ------------------------------------------------------------------------------------------------------------- imports


class Import(NamedTuple):
    """One import of somebody else's package."""

    place: str
    package: str
    inside: bool
    extra: str | None


def _options() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read_string((ROOT / "setup.cfg").read_text(encoding="utf-8"))
    return config


def _names(lines: str) -> set[str]:
    matches = [REQUIREMENT.fullmatch(line) for line in lines.split("\n") if line]
    return {re.sub(r"[-_.]+", "-", match["name"]).lower() for match in matches if match}


CORE = _names(_options()["options"]["install_requires"])
EXTRAS = {name: _names(lines) for name, lines in _options()["options.extras_require"].items()}


def _imports(file: Path) -> Iterator[Import]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    yield from _imports_below(tree, file.relative_to(ROOT).as_posix(), False, constants)


def _imports_below(node: ast.AST, file: str, inside: bool, constants: dict[str, object]) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        modules, extra = [], None
        if isinstance(child, ast.Import):
            modules = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom) and child.level == 0:
            modules = [child.module or ""]
        elif isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id == "require":
            (of,) = (keyword.value for keyword in child.keywords if keyword.arg == "extra")
            extra = str(constants.get(of.id) if isinstance(of, ast.Name) else ast.literal_eval(of))
            modules = [child.args[0].value] if isinstance(child.args[0], ast.Constant) else []
        for module in modules:
            package = module.split(".")[0]
            if package not in sys.stdlib_module_names and package != "hfclean":
                place = f"{file}:{child.lineno}"
                yield Import(place, DISTRIBUTION.get(package, package.lower().replace("_", "-")), inside, extra)
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports_below(child, file, inside or function, constants)


def _undeclared(found: Import) -> str | None:
    if found.package in CORE:
        return None
    if found.extra is not None:
        known = EXTRAS.get(found.extra, set())
        return None if found.package in known else f"{found.package} is not in the extra {found.extra!r}"
    if not any(found.package in names for extra, names in EXTRAS.items() if extra != "test"):
        return f"{found.package} is neither required nor in an extra"
    if not found.inside and not found.place.startswith("hfclean/metrics/spaces/"):  # those run as Spaces of their own
        return f"{found.package} is of an extra: import it inside the function that needs it"
    return None


def test_every_import_of_the_package_is_declared() -> None:
    found = [one for file in sorted(PACKAGE.rglob("*.py")) for one in _imports(file)]
    assert {"datasets", "torch", "pyyaml", "statsmodels", "safetensors"} <= {one.package for one in found}
    assert [f"{one.place}: {wrong}" for one in found if (wrong := _undeclared(one))] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("import yaml", None),
        ("def f():\n    import torch.nn", None),
        ("import torch", "inside the function"),
        ("if True:\n    from torch import nn", "inside the function"),
        ("def f():\n    import attr", "attr is neither required nor in an extra"),
        ("def f():\n    import pytest", "pytest is neither"),
        ("x = lambda: require('peft.utils', extra='models')", None),
        ("EXTRA = 'train'\nrequire('trl', extra=EXTRA)", None),
        ("require('trl', extra='models')", "trl is not in the extra 'models'"),
        ("if TYPE_CHECKING:\n    import attr", None),
    ],
)
def test_an_import_that_is_not_declared_is_seen(line: str, wrong: str | None) -> None:
    tree = ast.parse(line)
    reasons = [_undeclared(one) for one in _imports_below(tree, "a.py", False, {"EXTRA": "train"})]
    assert wrong in str(reasons[0]) if wrong else set(reasons) <= {None}


def test_the_tests_name_what_they_need() -> None:
    for file in sorted((ROOT / "tests").glob("*.py")):
        calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        for call in calls:
            name = ast.unparse(call.func)
            assert name != "pytest.importorskip", f"{file.name}:{call.lineno}: use needs(extra, package)"
            if name in ("needs", "pytest.mark.needs_extra") and all(
                isinstance(one, ast.Constant) for one in call.args
            ):
                extra, *packages = (ast.literal_eval(one) for one in call.args)
                names = {DISTRIBUTION.get(one, one.replace("_", "-")) for one in packages}
                assert packages, f"{file.name}:{call.lineno}"
                assert names <= EXTRAS[extra], f"{file.name}:{call.lineno}: {names} are not in the extra {extra!r}"


def test_the_tests_install_every_extra() -> None:
    for extra, names in EXTRAS.items():
        if extra == "ray":  # which has an environment of its own: .ci/engines
            continue
        assert names <= EXTRAS["test"], f"{names - EXTRAS['test']} of {extra!r} are not in 'test'"


# ------------------------------------------------------------------------------------------------------------ versions


def test_lower_bounds_become_the_only_versions() -> None:
    lines = ["datasets>=4.7,<6", 'numpy>=1.26; python_version < "3.13"', "fsspec[http] <7, >= 2024.1"]
    assert lowest(lines) == ["datasets==4.7", 'numpy==1.26 ; python_version < "3.13"', "fsspec==2024.1"]


@pytest.mark.parametrize("line", ["tqdm", "tqdm<5", "tqdm==4.67", "tqdm @ https://example.org/tqdm.whl", "a>=1,>=2"])
def test_a_requirement_without_a_lower_bound_is_refused(line: str) -> None:
    with pytest.raises(VersionsError, match="expected exactly one lower bound"):
        lowest([line])


def test_what_is_required_has_lower_bounds_for_every_python() -> None:
    assert len(lowest(requirements())) == len(requirements())
    names = [line.split("==")[0] for line in lowest(requirements())]
    assert "datasets" in names
    for name in {name for name in names if names.count(name) > 1}:
        markers = [line.partition(";")[2].strip() for line in requirements() if line.startswith(name)]
        assert sorted(markers) == ['python_version < "3.13"', 'python_version >= "3.13"']


# ------------------------------------------------------------------------------------------------------- what is built


def _files(folder: Path) -> set[str]:
    caches = {"__pycache__", ".pytest_cache", ".hypothesis"}
    found = (file.relative_to(folder.parent) for file in folder.rglob("*") if file.is_file())
    return {file.as_posix() for file in found if not caches & set(file.parts)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheel and sdist, built from a copy of this tree that also holds what runs leave in one."""
    needs("test", "setuptools")
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip(f"setuptools {version('setuptools')} is installed; building hfclean takes 77 or newer")
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("built")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in (*LOOSE, *RUBBISH):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name) if name in LOOSE else (tree / name).write_text("left by a run")
    _build("sdist", tree, out)
    (sdist,) = out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tree.parent / "unpacked", filter="data")
    (unpacked,) = (tree.parent / "unpacked").iterdir()
    _build("wheel", unpacked, out)  # as `python -m build` does it: what lies in build/ does not get into it
    return out


def test_uv_runs_a_script_of_the_hub_with_the_wheel(built: Path, fake_hub: FakeHub, tmp_path: Path) -> None:
    needs("test", "uv")
    fake_hub.add_repo(
        "me/raw", "dataset", files={"train.jsonl": '{"instruction": "Greet me.", "output": "Hi!</s>"}\n'}
    )
    words = [str(Path(sys.executable).parent / "uv"), "run", "--no-project", "--python", sys.executable]
    words += ["--native-tls", "--find-links", str(built), "--reinstall-package", "hfclean"]
    words += [str(ROOT / "hub_scripts" / "clean_dataset.py"), "me/raw", "me/clean", "--push"]
    env = {**os.environ, **fake_hub.env()}
    for name in ("PYTHONPATH", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):  # uv does ask the index
        env.pop(name, None)
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    if done.returncode == 2 and re.search("Failed to fetch|not found in the package registry", done.stderr):
        pytest.skip("uv does not reach a package index")
    assert done.returncode == 0, done.stderr
    assert "Hi!" in str(hfclean.load_cleaned("me/clean")[0]["train"]["output"])


def _build(what: str, tree: Path, out: Path) -> None:
    code = f"from setuptools import build_meta; build_meta.build_{what}({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Package would be ignored" not in done.stderr


def test_the_wheel_is_the_package_and_its_data(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert files == _files(PACKAGE)
    assert files >= {"hfclean/py.typed", "hfclean/report/page.js", "hfclean/scorers/embedded/rating.json"}
    assert files >= {"hfclean/cards/card.md.jinja", "hfclean/metrics/spaces/win_rate/win_rate.py"}


def test_the_sdist_holds_what_the_readme_speaks_of(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {member.name.partition("/")[2] for member in archive if member.isfile()}
    made = {name for name in files if name == "PKG-INFO" or name.startswith("hfclean.egg-info/")}
    assert files - made == {*LOOSE, *(name for folder in FOLDERS for name in _files(ROOT / folder))}
    assert files >= {"examples/messy.jsonl", "constraints.txt", "tests/conftest.py"}


def test_the_wheel_names_what_it_needs(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    lines = archive.read(name).decode().split("\n")
    required = _names("\n".join(x.removeprefix("Requires-Dist: ") for x in lines if x.startswith("Requires-Dist: ")))
    assert required >= CORE | EXTRAS["models"]
    assert "Requires-Python: >=3.11" in lines
