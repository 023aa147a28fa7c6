"""Speed of `revise` and `score`, where the time goes, and the repairs that Data-Juicer also has, side by side with it.

    python benchmarks/repairs.py [--peer PYTHON] [--rows N]

`--peer` is the interpreter of an environment with `pip install py-data-juicer==1.6.1 aiohttp`; both sides run in turn,
in processes of their own, with one thread, on the same texts (the outputs of real Alpaca and Dolly rows). CPU seconds
are the process's own, after a warm-up on a hundred rows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clean import real_rows

OURS = """
import json, os, sys
import datasets, hfclean
cpu = lambda: sum(os.times()[:4])
datasets.disable_progress_bars()
rows = json.load(open(sys.argv[1]))
kind = sys.argv[2]
transform = {"revise": hfclean.revise, "score": hfclean.score}.get(kind) or hfclean.RuleReviser(only=kind.split(","))
ds = datasets.Dataset.from_list(rows)
ds.select(range(100)).map(transform, batched=True)
start = cpu()
ds.map(transform, batched=True)
print(cpu() - start)
"""
# The peer's operators, each over the whole dataset, as its own executor calls them.
PEER = """
import json, os, sys
cpu = lambda: sum(os.times()[:4])
from data_juicer.core.data import NestedDataset
from data_juicer.ops import load_ops
rows = [{"text": row["output"]} for row in json.load(open(sys.argv[1]))]
ops = load_ops([{name: {}} for name in sys.argv[2].split(",")])
def run(rows):
    ds = NestedDataset.from_list(rows)
    start = cpu()
    for op in ops:
        ds = ds.process([op])
    return cpu() - start
run(rows[:100])
print(run(rows))
"""
PAIRS = {
    "Unicode": ("broken_unicode,mojibake", "fix_unicode_mapper"),
    "HTML": ("html_remnants", "clean_html_mapper"),
    "white space": ("whitespace", "whitespace_normalization_mapper"),
    "all three": (
        "broken_unicode,mojibake,html_remnants,whitespace",
        "fix_unicode_mapper,clean_html_mapper,whitespace_normalization_mapper",
    ),
}


def cpu_seconds(python: str, code: str, *args: str) -> float:
    """What a script prints last, run with one thread."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([python, "-c", code, *args], capture_output=True, text=True, check=True, env=env)
    return float(done.stdout.strip().splitlines()[-1])


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.3g} [{min(values):.3g} to {max(values):.3g}]"


def shares(rows: list[dict[str, str]]) -> None:
    """The time of each rule's detection by itself, as a share of all."""
    from hfclean.rules import RULES
    from hfclean.schema import Pair

    pairs = [Pair(row["instruction"], row["input"], row["output"]) for row in rows]
    spent = {}
    for rule in RULES:
        start = time.process_time()
        for pair in pairs:
            rule.detect(pair)
        spent[rule.id] = time.process_time() - start
    total = sum(spent.values())
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1])[:8]:
        print(f"    {name:22} {100 * seconds / total:3.0f} %  {1e6 * seconds / len(pairs):5.1f} us a row")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--peer", help="interpreter of an environment with py-data-juicer")
    options.add_argument("--rows", type=int, default=12_000)
    options.add_argument("--repeats", type=int, default=3)
    args = options.parse_args()
    rows = real_rows(args.rows)
    with tempfile.TemporaryDirectory() as folder:
        both, outputs = Path(folder) / "rows.json", Path(folder) / "outputs.json"
        both.write_text(json.dumps(rows))
        # the peer mends one text a row: so do we, where we run beside it
        outputs.write_text(json.dumps([{"instruction": "", "output": row["output"]} for row in rows]))
        for kind in ("revise", "score"):
            times = [cpu_seconds(sys.executable, OURS, str(both), kind) for _ in range(args.repeats)]
            print(f"{kind}, batched map: {spread([args.rows / t for t in times])} rows per CPU second")
        print("  where the detection's time goes:")
        shares(rows)
        if not args.peer:
            return
        for name, (rules, ops) in PAIRS.items():
            ratios, ours, theirs = [], [], []
            for _ in range(args.repeats):
                ours.append(cpu_seconds(sys.executable, OURS, str(outputs), rules))
                theirs.append(cpu_seconds(args.peer, PEER, str(outputs), ops))
                ratios.append(theirs[-1] / ours[-1])
            print(f"{name:12} ours {spread(ours)} s, Data-Juicer {spread(theirs)} s, ratio {spread(ratios)}")


if __name__ == "__main__":
    main()
