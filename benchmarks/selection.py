"""Selection beside its peers and plain loops, in one process, interleaved.

Every figure is CPU time on one thread; a pair of rivals runs in turns, the ratio is that of the medians. The texts are
real rows, and rows made of them by changing words and putting sentences of others together; the vectors are random
ones in clusters, turned as embeddings are (one long). Run: python benchmarks/selection.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
from datasets import Dataset  # noqa: E402

import hfclean  # noqa: E402
from hfclean.selection import coverage  # noqa: E402
from hfclean.selection.near_duplicates import near_pairs  # noqa: E402

DATA = Path(os.environ.get("HFCLEAN_REALDATA", Path(__file__).parent.parent.parent / "shared" / "data"))
FILES = {
    "alpaca_6k": (("instruction", "input", "output"),),
    "dolly_2k": (("instruction", "context", "response"),),
    "coachlm150": (("instruction", "input", "output"),),
    "expert_revisions_1800": (
        ("raw_instruction", "raw_input", "raw_output"),
        ("revised_instruction", "revised_input", "revised_output"),
    ),
}


def real_rows() -> list[tuple[str, ...]]:
    """Every real row, as instruction, input and answer."""
    found = []
    for name, shapes in FILES.items():
        for line in (DATA / f"{name}.jsonl").read_bytes().splitlines():
            row = json.loads(line)
            found += [tuple(row.get(key, "") for key in keys) for keys in shapes]
    return found


def made_rows(count: int) -> list[tuple[str, ...]]:
    """Real rows, then more made of them: a fifth near-duplicates, the rest sentences of several with words changed."""
    base, rng = real_rows(), random.Random(0)
    sentences = [each for row in base for each in row[2].split(". ") if len(each) > 20]
    vocabulary = [word for row in base for word in row[2].split()]
    rows = list(base)
    while len(rows) < count:
        chance, (instruction, given, answer) = rng.random(), rng.choice(base)
        if chance < 0.15:
            words = answer.split()
            for _ in range(max(1, int(len(words) * rng.choice([0.01, 0.03, 0.06, 0.1]))) if words else 0):
                words[rng.randrange(len(words))] = rng.choice(vocabulary)
            rows.append((instruction, given, " ".join(words)))
        elif chance < 0.2:
            rows.append((instruction, given, f"{answer} {rng.choice(sentences)}"))
        else:
            whole = f"{rng.choice(base)[0]} | {'. '.join(rng.sample(sentences, rng.choice([1, 1, 2, 3, 4, 6, 8])))}"
            changed = " ".join(w if rng.random() < 0.8 else rng.choice(vocabulary) for w in whole.split())
            instruction, _, answer = changed.partition("|")
            rows.append((instruction.strip(), "", answer.strip()))
    rng.shuffle(rows)
    return rows[:count]


def vectors(count: int, width: int = 384) -> Any:
    """Vectors in clusters, one long."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(500, width))
    points = centres[generator.integers(500, size=count)] + 0.8 * generator.normal(size=(count, width))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    return points / np.sqrt(np.einsum("ij,ij->i", points, points))[:, None]


def cost(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def beside(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> tuple[Any, Any]:
    """Both in turns; prints the medians and their ratio."""
    runs = [(cost(ours), cost(theirs)) for _ in range(rounds)]
    mine, other = ([run[side][0] for run in runs] for side in (0, 1))
    ratio = statistics.median(other) / statistics.median(mine)
    spread = sorted(b / a for a, b in zip(mine, other, strict=True))
    print(
        f"{name}: {statistics.median(mine):.2f} s beside {statistics.median(other):.2f} s, {ratio:.1f} times "
        f"({spread[0]:.1f} to {spread[-1]:.1f}, {rounds} rounds)",
        flush=True,
    )
    return runs[-1][0][1], runs[-1][1][1]


def lsh_of_datasketch(texts: list[str]) -> set[tuple[int, int]]:
    from datasketch import MinHash, MinHashLSH

    index, found = MinHashLSH(threshold=0.7, num_perm=128), set()
    for k, text in enumerate(texts):
        words = re.findall(r"\w+", text.lower())
        sketch = MinHash(num_perm=128)
        sketch.update_batch([" ".join(words[i : i + 3]).encode() for i in range(max(1, len(words) - 2))])
        found |= {(other, k) for other in index.query(sketch)}
        index.insert(k, sketch)
    return found


def duplicates(sizes: list[int], rounds: int) -> None:
    rows = ["\n".join(row) for row in made_rows(sizes[-1])]
    near_pairs(rows[:500])
    lsh_of_datasketch(rows[:500])
    for size in sizes:
        seconds, found = cost(lambda size=size: near_pairs(rows[:size]))
        print(f"exact join, {size:,} rows: {seconds:.2f} s, {len(found.first):,} pairs", flush=True)
    ours, theirs = beside(
        f"near-duplicates, {len(rows):,} rows, against datasketch",
        lambda: near_pairs(rows),
        lambda: lsh_of_datasketch(rows),
        rounds,
    )
    pairs = set(zip(ours.first.tolist(), ours.second.tolist(), strict=True))
    both = len(theirs & pairs)
    print(f"  datasketch: recall {both / len(pairs):.3f}, precision {both / len(theirs):.3f}")


def by_cdist(unit: Any, count: int) -> list[int]:
    import torch

    torch.set_num_threads(1)
    points, picks = torch.tensor(unit, dtype=torch.float32), [0]
    near = torch.full((len(unit),), torch.inf)
    while len(picks) < count:
        near = torch.minimum(near, torch.cdist(points, points[picks[-1] : picks[-1] + 1])[:, 0])
        picks.append(int(near.argmax()))
    return picks


def deita_loop(unit: Any, order: Any, count: int, threshold: float) -> list[int]:
    import torch

    points = torch.tensor(unit, dtype=torch.float32)
    picks, kept = [int(order[0])], points[order[0]][None]
    for row in order[1:].tolist():
        if len(picks) == count:
            break
        if (kept @ points[row]).max() <= threshold:
            picks.append(row)
            kept = torch.cat([kept, points[row][None]])
    return picks


def greedy(sizes: list[int], rounds: int) -> None:
    for size in sizes:
        unit = vectors(size)
        seconds, _ = cost(lambda unit=unit: coverage.farthest_first(unit, len(unit) // 20, np.ones(len(unit)), 0))
        print(f"k-center, {size:,} rows, {size // 20:,} picks: {seconds:.2f} s", flush=True)
    unit = vectors(20_000)
    ours, theirs = beside(
        "k-center, 20,000 rows, 1,000 picks, against a torch.cdist loop",
        lambda: coverage.farthest_first(unit, 1000, np.ones(len(unit)), 0),
        lambda: by_cdist(unit, 1000),
        rounds,
    )
    same = next((k for k, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), len(ours))
    print(f"  the same picks for the first {same:,} of {len(ours):,} (the loop rounds to float32)")
    order = np.random.default_rng(1).permutation(len(unit))
    for threshold in (0.9, 0.65):
        ours, theirs = beside(
            f"DEITA filter, 20,000 rows, 6,000 picks, threshold {threshold}, against its loop",
            lambda threshold=threshold: coverage.score_first(unit, order, 6000, threshold),
            lambda threshold=threshold: deita_loop(unit, order, 6000, threshold),
            rounds,
        )
        print(f"  {len(ours):,} picks, the same: {ours == theirs}")


def nearest(sizes: list[int], rounds: int) -> None:
    import faiss

    faiss.omp_set_num_threads(1)

    def flat(points: Any) -> Any:
        index = faiss.IndexFlatIP(points.shape[1])
        index.add(points)
        return index.search(points, 7)

    for size in sizes:
        points = vectors(size).astype(np.float32)
        beside(
            f"neighbours (k=6), {size:,} rows, against faiss flat",
            lambda points=points: hfclean.scorers.neighbours(points),
            lambda points=points: flat(points),
            rounds if size <= 20_000 else 1,
        )


def benchmarks(sizes: list[int]) -> None:
    packs = [
        hfclean.selection.BenchmarkPack.make(file.stem, file) for file in sorted((DATA / "benchmarks").glob("*.jsonl"))
    ]
    items = sum(count for pack in packs for count in pack.items.values())
    rows = made_rows(sizes[-1])
    names = ("instruction", "input", "output")
    for size in sizes:
        ds = Dataset.from_list([dict(zip(names, row, strict=True)) for row in rows[:size]])
        seconds, found = cost(lambda ds=ds: hfclean.decontaminate(ds, packs))
        print(
            f"decontamination, {size:,} rows against {items:,} items: {seconds:.2f} s, {len(found.report.hits)} hits"
        )
    alpaca = Dataset.from_list([json.loads(line) for line in (DATA / "alpaca_6k.jsonl").read_bytes().splitlines()])
    print(hfclean.decontaminate(alpaca.select_columns(list(names)), packs).report.summary())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, one round")
    quick = parser.parse_args().quick
    sizes, rounds = ([1000, 5000], 1) if quick else ([5000, 10_000, 20_000, 50_000], 3)
    duplicates(sizes, rounds)
    benchmarks(sizes)
    greedy(sizes, rounds)
    nearest(sizes, rounds)
    print(f"peak memory of all of it: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
