"""Near-duplicates across shards against one run: that the kept rows are the same, CPU seconds, memory, bytes a row.

    python benchmarks/near_shards.py [--rows 50000 200000] [--shards 4] [--alone]

Real rows and rows made of them, a fifth near-duplicates (`made_rows` of selection.py), are cleaned in shards with
and without `--near 0.7`, merged, and their near-duplicates found twice by MinHash: by `hfclean dedupe` of the merged
folder, and of the parts. What both write has to be equal byte for byte. Figures of memory are those of scale.py. With
`--alone` the rows are not cleaned, and only the groups are looked for, by `duplicate_groups` and `near_duplicates`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scale import ROOT, memory
from selection import made_rows

COLUMNS = ("instruction", "input", "output")
ALONE = ["--num-proc", "1", "--quiet"]


PART = """
import sys, hfclean
source, number, count, out = sys.argv[1:]
shard = (int(number), int(count))
hfclean.engines.clean_shard(source, shard, out, reviser=None, score=False, near=0.7, show=False, num_proc=1)
"""
GROUPS = """
import hashlib, sys
from datasets import Dataset
import hfclean
source, *parts = sys.argv[1:]
if parts:
    found = hfclean.engines.near_duplicates(parts, complete=False, num_proc=1)["train"]
else:
    ds = Dataset.from_json(source)
    found = hfclean.selection.duplicate_groups(ds, complete=False, num_proc=1)
print(len(found.kept), hashlib.sha256(repr(found).encode()).hexdigest())
"""


def ran(
    *words: str, command: tuple[str, ...] = ("-m", "hfclean"), out: Path = Path(os.devnull)
) -> tuple[float, float]:
    """CPU seconds of a command of hfclean, and the peak of its own memory in MB; what it prints goes into a file."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with out.open("wb") as told:
        line = [sys.executable, *command, *words]
        child = subprocess.Popen(line, env=environment, stdout=told, stderr=subprocess.DEVNULL)
    most = 0
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            break
        most = max(most, memory(child.pid)[0])
        time.sleep(0.05)
    if child.returncode:
        raise SystemExit(f"hfclean {' '.join(words)} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime, most / 1024


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def alone(count: int, shards: int, place: Path) -> None:
    source, out = place / "rows.jsonl", place / "found.txt"
    with source.open("w", encoding="utf-8") as f:
        f.writelines(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in made_rows(count))
    parts = [str(place / f"part-{number}") for number in range(1, shards + 1)]
    made = [ran(str(source), str(k), str(shards), part, command=("-c", PART)) for k, part in enumerate(parts, 1)]
    print(f"{count:,} rows, {shards} shards: a shard {made[0][0]:.1f} s, {made[0][1]:.0f} MB")
    told = []
    for name, given in (("near_duplicates of the parts", parts), ("duplicate_groups of the whole", [])):
        seconds, own = ran(str(source), *given, command=("-c", GROUPS), out=out)
        told.append(out.read_text())
        print(f"  {name}: {seconds:.1f} s, {own:.0f} MB, {told[-1].split()[0]} kept", flush=True)
    if told[0] != told[1]:
        raise SystemExit("the parts give something else than the whole")


def measured(count: int, shards: int, place: Path) -> None:
    source, whole = place / "rows.jsonl", place / "whole"
    with source.open("w", encoding="utf-8") as f:
        f.writelines(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in made_rows(count))
    bare = ran("clean", str(source), "--shard", f"1/{shards}", "--out", str(place / "bare"), *ALONE)
    parts = [place / f"part-{number}" for number in range(1, shards + 1)]
    cleaned = [
        ran("clean", str(source), "--shard", f"{k}/{shards}", "--near", "0.7", "--out", str(part), *ALONE)
        for k, part in enumerate(parts, 1)
    ]
    ran("merge", *map(str, parts), "--out", str(whole), "--quiet")
    found = {}
    for name, sources in (("whole", [str(whole)]), ("parts", list(map(str, parts)))):
        out = [str(place / f"{name}.jsonl"), "--report", str(place / f"{name}.json")]
        found[name] = ran("dedupe", *sources, "--no-complete", "--out", *out, *ALONE)
        found[f"{name}, groups alone"] = ran("dedupe", *sources, "--no-complete", *ALONE)
    for ending in ("jsonl", "json"):
        if (place / f"whole.{ending}").read_bytes() != (place / f"parts.{ending}").read_bytes():
            raise SystemExit("the parts give something else than the whole")
    report = json.loads((place / "whole.json").read_text())["train"]
    stored = sum(size_of(part / "near") for part in parts) / count
    print(f"{count:,} rows ({source.stat().st_size / count:.0f} bytes each), {shards} shards: {report['kept']:,} kept")
    print(
        f"  exchanged: {stored:.1f} bytes a row beside {(sum(map(size_of, parts)) / count) - stored:.0f} of the part"
    )
    print(f"  a shard: {bare[0]:.1f} s, {bare[1]:.0f} MB; with --near {cleaned[0][0]:.1f} s, {cleaned[0][1]:.0f} MB")
    for name, (seconds, own) in found.items():
        print(f"  dedupe, {name}: {seconds:.1f} s, {own:.0f} MB")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, nargs="+", default=[50_000, 200_000])
    options.add_argument("--shards", type=int, default=4)
    options.add_argument("--alone", action="store_true")
    args = options.parse_args()
    for count in args.rows:
        with tempfile.TemporaryDirectory() as place:
            (alone if args.alone else measured)(count, args.shards, Path(place))


if __name__ == "__main__":
    main()
