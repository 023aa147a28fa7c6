"""Run the tests of the core install with the lowest or the newest versions that `setup.cfg` allows.

    python tests/run_versions.py --lowest                    # with this Python
    python tests/run_versions.py --newest --python 3.13      # with another one: on PATH, or of pyenv
    python tests/run_versions.py --lowest --newest --python 3.11 3.12 3.13
    python tests/run_versions.py --lowest --list             # only print the constraints
    python tests/run_versions.py --lowest -- -k folder -x    # what follows goes to pytest
    python tests/run_versions.py --lowest --make             # only make the environment
    python tests/run_versions.py --lowest --kept             # and later run the tests in it

Each environment holds hfclean with what it requires and pytest with its plugins, and none of the extras. It lies below
`.ci/versions` and is made again when the requirements change, or with `--fresh`: the newest versions are those of the
day on which it was made. The command of the README runs before the tests do, in a new environment even before pytest
is there.
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = Path(os.environ.get("HFCLEAN_CI_VERSIONS", ROOT / ".ci" / "versions")).absolute()
TEST_TOOLS = ("hypothesis", "pytest", "pytest-xdist")
REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)(?P<extras>\[[^\]]*\])?\s*(?P<bounds>[^;]*?)\s*(?P<marker>;.*)?"
)


class VersionsError(Exception):
    """What was asked cannot be run here."""


# -------------------------------------------------------------------------------------------------------- requirements


def requirements(setup_cfg: Path = ROOT / "setup.cfg") -> list[str]:
    """The lines of `install_requires`."""
    config = configparser.ConfigParser()
    config.read_string(setup_cfg.read_text(encoding="utf-8"))
    return [line for line in config["options"]["install_requires"].splitlines() if line.strip()]


def lowest(lines: Sequence[str]) -> list[str]:
    """Requirements as constraints: each lower bound is the only version, under the same condition.

    Raises:
        VersionsError: a requirement has no lower bound, or is written in a way that is not understood.
    """
    constraints = []
    for line in lines:
        match = REQUIREMENT.fullmatch(line.strip())
        bounds = [bound.strip() for bound in match["bounds"].split(",")] if match else []
        lower = [bound.removeprefix(">=").strip() for bound in bounds if bound.startswith(">=")]
        if match is None or len(lower) != 1:
            raise VersionsError(f"setup.cfg requires {line!r}; expected exactly one lower bound, as in 'tqdm>=4.66.3'")
        constraints.append(f"{match['name']}=={lower[0]}" + (f" {match['marker']}" if match["marker"] else ""))
    return constraints


# -------------------------------------------------------------------------------------------------------- environments


def interpreter(name: str) -> str:
    """The Python of this version, or at this path."""
    if os.sep in name:
        return name
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if name == ours:
        return sys.executable
    if on_path := shutil.which(f"python{name}"):
        answer = subprocess.run([on_path, "--version"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:  # pyenv has a command on PATH also for versions that are not enabled
            return on_path
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    of_pyenv = sorted(pyenv.glob(f"{name}.*/bin/python"), key=lambda path: _numbers(path.parent.parent.name))
    if not of_pyenv:
        raise VersionsError(f"Python {name} is neither on PATH nor in {pyenv}; name one that is, or a path to one")
    return str(of_pyenv[-1])


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


class Environment:
    """A virtual environment with the core install, at the lowest or the newest versions."""

    def __init__(self, python: str, versions: str) -> None:
        version = "import platform; print(platform.python_version())"
        told = subprocess.run([python, "-c", version], capture_output=True, text=True, check=True).stdout.strip()
        self.python, self.versions = python, versions
        self.name = f"{told}-{versions}"
        self.folder = ENVIRONMENTS / self.name
        self.bin = self.folder / ("Scripts" if os.name == "nt" else "bin")

    def make(self, fresh: bool) -> None:
        """Install what is missing, hfclean itself afresh every time, and see that it runs without the test tools."""
        constraints = lowest(requirements()) if self.versions == "lowest" else []
        key = hashlib.sha256("\n".join([*requirements(), *constraints, *TEST_TOOLS]).encode()).hexdigest()
        known = self.folder / "key"
        if not fresh and known.is_file() and known.read_text(encoding="utf-8") == key:
            self._install("--no-deps", "--force-reinstall", constraints=[])
            self.bare()
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run([self.python, "-m", "venv", str(self.folder)], check=True)
        self._install("--no-compile", constraints=constraints)
        self.bare()  # which compiles what it imports
        self._pip(*TEST_TOOLS, constraints=constraints)
        known.write_text(key, encoding="utf-8")

    def _install(self, *options: str, constraints: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory(prefix="hfclean-versions-") as copy:  # building leaves things in the tree
            for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
                shutil.copy(ROOT / name, copy)
            shutil.copytree(ROOT / "hfclean", Path(copy) / "hfclean", ignore=shutil.ignore_patterns("__pycache__"))
            self._pip(*options, copy, constraints=constraints)

    def _pip(self, *arguments: str, constraints: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory(prefix="hfclean-versions-") as folder:
            file = Path(folder) / "constraints.txt"
            file.write_text("\n".join([*constraints, ""]), encoding="utf-8")
            pip = [str(self.bin / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "-c", str(file), *arguments], check=True)

    def bare(self) -> None:
        """The package and its command, as somebody has them who installed the core and nothing else."""
        with tempfile.TemporaryDirectory(prefix="hfclean-versions-") as folder:
            environ = _environ(folder)
            del environ["PYTHONDONTWRITEBYTECODE"]
            here = {"cwd": folder, "env": environ, "check": True, "stdout": subprocess.DEVNULL}
            hfclean = str(self.bin / "hfclean")
            subprocess.run([str(self.bin / "python"), "-c", "import hfclean"], **here)  # type: ignore[call-overload]
            subprocess.run([hfclean, "--help"], **here)  # type: ignore[call-overload]
            messy = str(ROOT / "examples" / "messy.jsonl")
            subprocess.run([hfclean, "clean", messy, "--out", "cleaned"], **here)  # type: ignore[call-overload]
            for name in ("report.html", "ledger.parquet", "hfclean.json", "README.md"):
                if not (Path(folder) / "cleaned" / name).is_file():
                    raise VersionsError(f"hfclean clean wrote no {name} in {self.name}")

    def test(self, arguments: Sequence[str]) -> int:
        """Run pytest; returns its exit code."""
        command = [str(self.bin / "python"), "-P", "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        with tempfile.TemporaryDirectory(prefix="hfclean-versions-") as folder:
            return subprocess.run(command, cwd=ROOT, env=_environ(folder), check=False).returncode

    def packages(self) -> str:
        """What is installed, on one line."""
        names = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in requirements()}
        pip = [str(self.bin / "python"), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"]
        lines = subprocess.run(pip, capture_output=True, text=True, check=True).stdout.split()
        return " ".join(line for line in lines if line.split("==")[0].lower().replace("_", "-") in names)


def _environ(home: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HFCLEAN_ALL_EXTRAS")}
    return {**kept, "HF_HOME": home, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


# ------------------------------------------------------------------------------------------------------------- command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests in every environment that was asked for; returns 0 if all of them passed."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    mine, for_pytest = words, []
    if "--" in words:
        mine, for_pytest = words[: words.index("--")], words[words.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lowest", action="store_true", help="the lowest versions that setup.cfg allows")
    parser.add_argument("--newest", action="store_true", help="the newest versions that setup.cfg allows")
    parser.add_argument("--python", nargs="+", default=[f"{sys.version_info.major}.{sys.version_info.minor}"])
    parser.add_argument("--fresh", action="store_true", help="make the environments again")
    once = parser.add_mutually_exclusive_group()
    once.add_argument("--make", action="store_true", help="only make the environments, and run no tests")
    once.add_argument("--kept", action="store_true", help="run the tests in the environments as they were made last")
    parser.add_argument("--list", action="store_true", help="print the constraints of --lowest, and run nothing")
    settings = parser.parse_args(mine)
    asked = [name for name in ("lowest", "newest") if getattr(settings, name)]
    if not asked:
        parser.error("name --lowest, --newest or both")
    try:
        if settings.list:
            print("\n".join(lowest(requirements())))
            return 0
        passed = [
            _passes(Environment(interpreter(python), versions), settings, for_pytest)
            for python in settings.python
            for versions in asked
        ]
    except VersionsError as e:
        print(f"run_versions: {e}", file=sys.stderr)
        return 2
    return 0 if all(passed) else 1


def _passes(environment: Environment, settings: argparse.Namespace, for_pytest: Sequence[str]) -> bool:
    begun = time.monotonic()
    if not settings.kept:
        environment.make(settings.fresh)
    elif not (environment.folder / "key").is_file():
        raise VersionsError(f"{environment.folder} was not made; make it first: --make in place of --kept")
    made = time.monotonic()
    if settings.make:
        return True
    print(f"== Python {environment.name}: {environment.packages()}", flush=True)
    code = environment.test(for_pytest)
    took = f"environment {made - begun:.0f} s, tests {time.monotonic() - made:.0f} s"
    print(f"== Python {environment.name}: {'passed' if code == 0 else 'FAILED'} ({took})", flush=True)
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
