"""How `hfclean clean` grows with the rows: CPU seconds, wall seconds, peak memory, exponent of the CPU seconds.

    python benchmarks/scale.py [--rows 5000 50000 200000] [--processes 1 2 3] [--damaged 0.4] [--beside DIR]

Two figures of memory, looked at 20 times a second: the peak of what is the process's own (`RssAnon` of it and its
children together), which a machine must have, and the largest resident set of one of them (`VmHWM`), in which pages of
mapped files count as well, which the system takes back when it needs them.

Real Alpaca rows (HFCLEAN_REALDATA, else ../shared/data) are repeated until there are enough; in every repeated row two
neighbouring words of the answer change places, so that rows differ and as many have a defect. Each size runs with each
number of processes, and the data, ledger and report have to be equal byte for byte. With `--beside`, the checkout of
another version in DIR runs after it, in one process. With `--damaged`, so many of the rows get a defect that rules
repair: a marker, boilerplate, tags, an echo, a placeholder, a doubled word, blanks, a further task.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from clean import real_sets

ROOT = Path(__file__).resolve().parent.parent


def rows_of(count: int) -> Iterator[dict[str, str]]:
    rows, choice = real_sets()[0], random.Random(0)
    for k in range(count):
        row = rows[k % len(rows)]
        words = row["output"].split(" ")
        if k >= len(rows) and len(words) > 1:
            place = choice.randrange(1, len(words))
            words[place - 1 : place + 1] = words[place], words[place - 1]
        yield {**row, "output": " ".join(words)}


def damaged(row: dict[str, str], choice: random.Random) -> dict[str, str]:
    """The row with one defect, of eight kinds."""
    asked, answer = row["instruction"], row["output"]
    first, *rest = answer.split(" ") or [""]
    answers = (
        f"{answer}</s>",
        f"As an AI language model, {answer}",
        " ".join([first, first, *rest]),
        f"{answer}  \n\n\n\n",
        f"<p>{answer}</p>",
        f"{answer}\n\n### Instruction:\nName three colours.\n\n### Response:\nRed, blue, green.",
        f"{asked}\n{answer}",
    )
    kind = choice.randrange(len(answers) + 1)
    return {**row, "output": answers[kind]} if kind < len(answers) else {**row, "input": row["input"] or "N/A"}


def memory(pid: int) -> tuple[int, int]:
    """In kB, `RssAnon` of a process and its children together, and the largest `VmHWM` of one of them; those that end
    meanwhile count as nothing. (`ru_maxrss` would count what this script held when it started the child.)"""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0, 0
    own, most = (int(status.get(name, "0").split()[0]) for name in ("RssAnon", "VmHWM"))
    below = [memory(int(child)) for child in children]
    return own + sum(each for each, _ in below), max([most, *(each for _, each in below)])


def cleaned(checkout: Path, source: Path, out: Path, processes: int) -> tuple[float, float, float, float]:
    """CPU and wall seconds, peak of own memory and largest resident set in MB of `hfclean clean` of one checkout,
    children among it."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(checkout),
        "HFCLEAN_NUM_PROC": str(processes),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "hfclean", "clean", str(source), "--out", str(out), "--quiet"]
    start = time.perf_counter()
    # `-m` looks in the current folder first, which may be another checkout
    child = subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    own, most, found = 0, 0, 0
    while not found:
        own, most = map(max, (own, most), memory(child.pid))
        time.sleep(0.05)
        found, status, used = os.wait4(child.pid, os.WNOHANG)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} of {checkout} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - start, own / 1024, most / 1024


def content(out: Path) -> dict[str, str]:
    """The hash of every file that says what became of the rows."""
    found = {}
    for path in (*out.glob("data/*"), out / "ledger.parquet", out / "report.html"):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def main() -> None:
    options = argparse.ArgumentParser(description="How hfclean clean grows with the rows.")
    options.add_argument("--rows", type=int, nargs="+", default=[5_000, 50_000, 200_000])
    options.add_argument("--processes", type=int, nargs="+", default=[1, 2, 3])
    options.add_argument("--damaged", type=float, default=0.0, metavar="SHARE")
    options.add_argument("--beside", type=Path, metavar="DIR")
    args = options.parse_args()
    print(f"{processor()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}")
    print("| rows | processes | CPU s | wall s | own MB | resident MB | of its CPU s, beside | exponent |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    last: dict[int, tuple[int, float]] = {}
    for count in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            source = place / "rows.jsonl"
            choice = random.Random(1)
            rows = (damaged(row, choice) if choice.random() < args.damaged else row for row in rows_of(count))
            with source.open("w") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            first = None
            for processes in args.processes:
                out = place / str(processes) / "cleaned"
                cpu, wall, own, peak = cleaned(ROOT, source, out, processes)
                found = content(out)
                if found != (first := first or found):
                    sys.exit(f"{count} rows: {processes} processes wrote other files than {args.processes[0]}")
                ratio = ""
                if args.beside and processes == 1:
                    other = cleaned(args.beside.resolve(), source, place / "other", 1)
                    ratio = f"{cpu / other[0]:.2f} of {other[0]:.1f} ({other[2]:,.0f} and {other[3]:,.0f} MB)"
                fewer, before = last.get(processes, (0, 0.0))
                exponent = f"{math.log(cpu / before) / math.log(count / fewer):.2f}" if fewer else ""
                last[processes] = count, cpu
                cells = (
                    f"{count:,}",
                    processes,
                    f"{cpu:.1f}",
                    f"{wall:.1f}",
                    f"{own:,.0f}",
                    f"{peak:,.0f}",
                    ratio,
                    exponent,
                )
                print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
