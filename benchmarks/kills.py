"""Runs killed at random points, and what the next command finds: the old folder or the new one, whole, every time.

    python benchmarks/kills.py                  # 20 points a command and signal
    python benchmarks/kills.py --points 3

Each command runs once undisturbed, which gives its duration and its outcome. Then it is started again and again from
the same state, gets a signal after a random part of that time, and the next command looks at what is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
HFCLEAN = [sys.executable, "-m", "hfclean"]


@dataclass(frozen=True)
class Case:
    """A command, what has to be there before it, and what it writes."""

    name: str
    prepare: Callable[[Path], None]
    command: tuple[str, ...]
    target: str


def run(*args: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*HFCLEAN, *args], cwd=cwd, env=environment(cwd), capture_output=True, text=True)
    if check and done.returncode:
        raise SystemExit(f"{args}: {done.stderr}")
    return done


def environment(cwd: Path) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "HFCLEAN_HOME": str(cwd / "home"), "HF_HOME": str(cwd / "hf")}


def rows(place: Path, count: int = 400) -> None:
    with (place / "rows.jsonl").open("w", encoding="utf-8") as file:
        for n in range(count):
            file.write(json.dumps({"instruction": f"Name fruit {n}.", "output": f"Apple  number {n}.</s>"}) + "\n")


def cleaned(place: Path) -> None:
    rows(place)
    run("clean", "rows.jsonl", "--out", "out", "--quiet", cwd=place)


def other(place: Path) -> None:
    cleaned(place)
    rows(place, 401)


def converted(place: Path) -> None:
    cleaned(place)
    run("convert", "out", "--to", "messages", "--out", "pairs.jsonl", cwd=place)


CASES = (
    Case("clean into a new folder", rows, ("clean", "rows.jsonl", "--out", "out", "--quiet"), "out"),
    Case("clean over a folder", other, ("clean", "rows.jsonl", "--out", "out", "--overwrite", "--quiet"), "out"),
    Case("undo in place", cleaned, ("undo", "out"), "out"),
    Case(
        "convert over a file",
        converted,
        ("convert", "out", "--to", "alpaca", "--out", "pairs.jsonl", "--overwrite"),
        "pairs.jsonl",
    ),
)


def content(path: Path) -> str:
    """What tells one state of the target from another; reports and records differ in nothing between equal runs."""
    digest = hashlib.sha256()
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
    for file in files:
        if file.is_file():
            digest.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest() if files else "absent"


def hidden(place: Path) -> list[str]:
    return [item.name for item in place.iterdir() if item.name.startswith(".")]


def sweep(case: Case, name: str, points: int, chance: random.Random, scratch: Path) -> Counter[str]:
    """What was found after each kill of one command by one signal."""
    start = scratch / "start"
    start.mkdir()
    case.prepare(start)
    before = content(start / case.target)
    whole = scratch / "whole"
    shutil.copytree(start, whole)
    begin = time.monotonic()
    run(*case.command, cwd=whole)
    duration = time.monotonic() - begin
    after = content(whole / case.target)
    found: Counter[str] = Counter()
    for k in range(points):
        place = scratch / f"{name}-{k}"
        shutil.copytree(start, place)
        process = subprocess.Popen(
            [*HFCLEAN, *case.command],
            cwd=place,
            env=environment(place),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            process.wait(duration * (0.35 + 0.75 * chance.random()))  # before that, Python is still loading
        except subprocess.TimeoutExpired:
            process.send_signal(getattr(signal, name))
        errors = process.communicate()[1]
        run("why", "out", "0", cwd=place, check=False)  # the next command that looks there
        state = content(place / case.target)
        what = {before: "old", after: "new"}.get(state, "BROKEN")
        found[what] += 1
        if b"Traceback" in errors:
            found["TRACEBACK"] += 1
        if name != "SIGKILL" and hidden(place):
            found["LEFTOVER"] += 1
        shutil.rmtree(place)
    shutil.rmtree(start)
    shutil.rmtree(whole)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    total: Counter[str] = Counter()
    for case in CASES:
        for name in SIGNALS:
            with tempfile.TemporaryDirectory() as scratch:
                found = sweep(case, name, args.points, chance, Path(scratch))
            total += found
            print(f"{case.name:26} {name:8} {dict(sorted(found.items()))}", flush=True)
    print(f"all: {dict(sorted(total.items()))}")
    if total["BROKEN"] or total["TRACEBACK"] or total["LEFTOVER"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
