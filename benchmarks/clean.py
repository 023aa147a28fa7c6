"""`hfclean clean` end to end on 50,000 real rows: CPU seconds and peak memory; import and help times beside an empty
Python.

    python benchmarks/clean.py [ROWS]

Rows come from the files of real rows (HFCLEAN_REALDATA, else ../shared/data): Alpaca and Dolly rows, repeated until
there are enough; every repeated row gets its number appended to the instruction, so that the duplicates are not the
whole of it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", Path(__file__).parent.parent.parent / "shared" / "data"))


def real_sets() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Alpaca-shaped rows of real text: those of Alpaca, and those of Dolly."""
    alpaca, dolly = [], []
    for line in (REALDATA / "alpaca_6k.jsonl").read_bytes().splitlines():
        row = json.loads(line)
        alpaca.append({name: row[name] for name in ("instruction", "input", "output")})
    for line in (REALDATA / "dolly_2k.jsonl").read_bytes().splitlines():
        row = json.loads(line)
        dolly.append({"instruction": row["instruction"], "input": row["context"], "output": row["response"]})
    return alpaca, dolly


def real_rows(count: int) -> list[dict[str, str]]:
    """Alpaca-shaped rows of real text, as many as asked for."""
    alpaca, dolly = real_sets()
    rows = alpaca + dolly
    found = []
    for k in range(count):
        row = rows[k % len(rows)]
        copy = k // len(rows)
        found.append({**row, "instruction": f"{row['instruction']} ({copy})"} if copy else row)
    return found


def measured(command: list[str]) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak memory in MB of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, after.ru_maxrss / 1024


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    python = sys.executable
    small = {
        "an empty Python": [python, "-c", "pass"],
        "import hfclean": [python, "-c", "import hfclean"],
        "hfclean --help": [python, "-m", "hfclean", "--help"],
    }
    for name, command in small.items():
        walls = sorted(measured(command)[1] for _ in range(9))
        print(f"{name:18} {1000 * walls[4]:6.0f} ms (median of 9; {1000 * walls[0]:.0f} to {1000 * walls[-1]:.0f})")
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "rows.jsonl", Path(folder) / "cleaned"
        source.write_text("\n".join(map(json.dumps, real_rows(count))))
        size = source.stat().st_size / 1e6
        cpu, wall, peak = measured([python, "-m", "hfclean", "clean", str(source), "--out", str(out)])
        print(f"hfclean clean of {count:,} rows ({size:.0f} MB): {cpu:.1f} CPU s, {wall:.1f} s, peak {peak:,.0f} MB")
        for name in ("report.html", "ledger.parquet"):
            print(f"  {name:16} {(out / name).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
