"""Speed of `revise` and `score`, where the time goes, and the repairs that Data-Juicer also has, side by side with it.

    python benchmarks/repairs.py [--peer PYTHON] [--rows N]
    python benchmarks/repairs.py --beside DIR [--rows N] [--repeats N]

`--beside` is another checkout of this project (an older version, say): the same measuring code runs on both in turn,
in processes of their own, and the ratios are taken within each turn, since what else the machine
does changes over time.
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

from clean import real_rows, real_sets

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
# Passes over the same rows with whatever hfclean PYTHONPATH holds; prints the CPU seconds of each pass of each kind.
BESIDE = """
import gc, json, sys, time
import datasets, hfclean
from hfclean.rules import RULES, find_defects, mend
from hfclean.schema import Pair
datasets.disable_progress_bars()
rows, passes = json.load(open(sys.argv[1])), int(sys.argv[2])
pairs = [Pair(row["instruction"], row["input"], row["output"]) for row in rows]
ds = datasets.Dataset.from_list(rows)
chats = datasets.Dataset.from_list([
    {"messages": [
        {"role": "user", "content": row["instruction"] + ("\\n\\n" + row["input"] if row["input"] else "")},
        {"role": "assistant", "content": row["output"]},
    ]} for row in rows
])
def over(f):
    def run(few):
        for pair in few:
            f(pair, RULES)
    return lambda count: run(pairs[:count])
kinds = {
    "find_defects": over(find_defects),
    "mend": over(mend),
    "map(revise)": lambda count: ds.select(range(count)).map(hfclean.revise, batched=True),
    "map(score)": lambda count: ds.select(range(count)).map(hfclean.score, batched=True),
    "map(revise), messages": lambda count: chats.select(range(count)).map(hfclean.revise, batched=True),
    "map(score), messages": lambda count: chats.select(range(count)).map(hfclean.score, batched=True),
}
times = {name: [] for name in kinds}
for run in kinds.values():
    run(100)
for _ in range(passes):
    for name, run in kinds.items():
        gc.collect()
        start = time.process_time()
        run(len(rows))
        times[name].append(time.process_time() - start)
print(json.dumps([hfclean.__file__, times]))
"""
PASSES = 3
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


def passes_of(checkout: Path, rows: Path) -> dict[str, list[float]]:
    """The CPU seconds of each pass that the code of a checkout makes over some rows, by what was done."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", BESIDE, str(rows), str(PASSES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env, cwd=rows.parent)
    used, times = json.loads(done.stdout.strip().splitlines()[-1])
    if not Path(used).is_relative_to(checkout):
        raise SystemExit(f"{checkout} holds no package hfclean: {used} was used instead")
    return {name: list(passes) for name, passes in times.items()}


def beside(other: Path, sets: dict[str, list[dict[str, str]]], repeats: int) -> None:
    """This checkout and another one in turn: microseconds a row, and how much faster this one is."""
    here = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        for set_name, rows in sets.items():
            file = Path(folder) / "rows.json"
            file.write_text(json.dumps(rows))
            turns = []
            for turn in range(repeats):
                sides = (here, other) if turn % 2 else (other, here)
                turns.append({side: passes_of(side, file) for side in sides})
            print(f"{set_name}, {len(rows)} rows, {repeats} turns of {PASSES} passes; CPU microseconds a row")
            print(f"  {'':22} {'here':>15} {'beside':>15}  {'':11}")
            print(f"  {'':22} {'min':>7} {'median':>7} {'min':>7} {'median':>7}  beside / here")
            for name in turns[0][here]:
                mine, theirs = (
                    [1e6 * seconds / len(rows) for turn in turns for seconds in turn[side][name]]
                    for side in (here, other)
                )
                ratios = [min(turn[other][name]) / min(turn[here][name]) for turn in turns]
                print(
                    f"  {name:22} {min(mine):7.2f} {statistics.median(mine):7.2f} {min(theirs):7.2f} "
                    f"{statistics.median(theirs):7.2f}  {spread(ratios)}, of the least {min(theirs) / min(mine):.3f}"
                )


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
    options.add_argument("--beside", type=Path, metavar="DIR", help="another checkout, to be measured in turn")
    options.add_argument("--rows", type=int, default=12_000)
    options.add_argument("--repeats", type=int, default=3)
    args = options.parse_args()
    if args.beside:
        alpaca, dolly = real_sets()
        sets = {"Alpaca": alpaca[: args.rows], "Dolly": dolly[: args.rows]}
        beside(args.beside.resolve(), sets, args.repeats)
        return
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
