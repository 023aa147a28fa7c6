"""Which of several ways to the same numbers is the fastest on this processor: measured once, then remembered.

Kept in the process and in a file under `HFCLEAN_HOME`, below the name of the processor, what torch may use of it, the
number of threads and the version of torch. The file is a cache: damaged, too large or of another form, it counts as
empty and is written anew.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from hfclean.durable import write_text
from hfclean.errors import FolderError
from hfclean.limits import read_json
from hfclean.models import process
from hfclean.ownership import home

FILE = "fastest-ways.json"
LARGEST = 1_000_000  # bytes of that file
ROUNDS = 4  # each way once in every round; the least counts, since all that disturbs a measurement makes it longer

Ways = Mapping[str, Callable[[], object]]


def fastest(questions: Mapping[str, Ways]) -> dict[str, str]:
    """For each question the name of the way that took the least time.

    Args:
        questions: ways by their names, below a text that says what they do and for which sizes. A question that was
            answered before with one of these names is not measured again.
    """
    if not questions:
        return {}
    here = processor()
    known: dict[tuple[str, str], str] = process.once("fastest ways", dict)
    file = home() / FILE
    if any(known.get((here, question)) not in ways for question, ways in questions.items()):
        known |= {(here, question): way for question, way in _read(file).get(here, {}).items()}
    new = {}
    for question, ways in questions.items():
        if known.get((here, question)) not in ways:
            new[question] = known[here, question] = _measured(ways)
    if new:
        kept = _read(file)
        kept[here] = kept.get(here, {}) | new
        with suppress(OSError, FolderError):  # where nothing can be kept, the next process measures again
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_text(file, json.dumps(kept, indent=1))
    return {question: known[here, question] for question in questions}


def processor() -> str:
    """The processor, what torch may use of it, threads and version of torch, in one line."""
    import torch

    narrowed = [f"{name}={os.environ[name]}" for name in ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
                if os.environ.get(name)]  # fmt: skip
    parts = (_name(), torch.backends.cpu.get_cpu_capability(), *narrowed, f"{torch.get_num_threads()} threads")
    return ", ".join((*parts, f"torch {torch.__version__}"))


@cache
def _name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    about = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    model = (about.get(name, "") for name in ("model name", "cpu family", "model", "CPU implementer", "CPU part"))
    return " ".join(filter(None, model)) or platform.processor() or platform.machine()


def _measured(ways: Ways) -> str:
    import torch

    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = clock()
            way()
            least[name] = min(least[name], clock() - start)
    return min(least, key=least.__getitem__)


def _read(file: Path) -> dict[str, dict[str, str]]:
    try:
        found = read_json(file, LARGEST)
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict) or not all(isinstance(ways, dict) for ways in found.values()):
        return {}
    if not all(isinstance(way, str) for ways in found.values() for way in ways.values()):
        return {}
    return found
