"""Semantic duplicates by cells: recall beside all pairs, and CPU seconds and memory of very many vectors.

    python benchmarks/similar_vectors.py recall [--rows 20000] [--real 2000]
    python benchmarks/similar_vectors.py cost [--rows 1000000]

`recall`: vectors of all-MiniLM-L6-v2 for real rows (of `selection.py`; HFCLEAN_REALDATA, else ../shared/data);
mixtures of two of them, with noise; and a third of all with a cosine of 0.7 to 0.99 to another one. Of the pairs with
a cosine of the threshold or more, the share that ends in one group by cells as well, and the rows that are dropped.

`cost`: vectors of 384 numbers, 1,000 around each of some centres, a tenth of them within a cosine of 0.9 to 0.99 of an
earlier one. They are written to an Arrow file in the folder of temporary files. Prints the share of these planted
pairs that end in one group.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from scale import own_memory, processor
from selection import made_rows

from hfclean.scorers import Embed
from hfclean.selection import duplicates, vector_cells
from hfclean.selection.shingle_joins import Components

WIDTH, AROUND, BATCH = 384, 1000, 10_000
THRESHOLDS = (0.7, 0.8, 0.9, 0.95)


def embedded(count: int, real: int) -> Any:
    """Vectors of real rows; then mixtures of two of these with noise, and a third of all close to one before them."""
    rows, embed, found = made_rows(real), Embed(max_length=64), []
    for start in range(0, real, 500):
        columns = zip(*rows[start : start + 500], strict=True)
        found += embed(dict(zip(("instruction", "input", "output"), map(list, columns), strict=True)))["embedding"]
    return spread(np.array(found), count)


def spread(real: Any, count: int) -> Any:
    """The vectors, and as many more made of them as are missing, in mixed order."""
    generator = np.random.default_rng(0)
    real = real[np.isfinite(real).all(1)]
    mixed = (2 * count // 3) - len(real)
    first, second = generator.integers(len(real), size=(2, mixed))
    share = generator.uniform(0.3, 0.7, size=(mixed, 1))
    mixtures = turned(unit_of(share * real[first] + (1 - share) * real[second]), 0.8, 0.95, generator)
    whole = np.concatenate([unit_of(real), mixtures])
    copies = whole[generator.integers(len(whole), size=count - len(whole))]
    return generator.permutation(np.concatenate([whole, turned(copies, 0.7, 0.99, generator)]))


def unit_of(points: Any) -> Any:
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def turned(unit: Any, low: float, high: float, generator: Any) -> Any:
    """The vectors turned aside, to a cosine between these."""
    aside = generator.normal(size=unit.shape)
    aside = unit_of(aside - (aside * unit).sum(1, keepdims=True) * unit)
    cosine = generator.uniform(low, high, size=(len(unit), 1))
    return cosine * unit + np.sqrt(1 - cosine**2) * aside


def keys(pairs: Any) -> Any:
    """Pairs as one number each."""
    parts = [np.minimum(a, b) * 2**32 + np.maximum(a, b) for a, b in pairs]
    return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))


def recall(unit: Any) -> None:
    print(
        f"{len(unit):,} vectors of real and made rows, {vector_cells.PROBES} cells looked at of "
        f"{int(vector_cells.CELLS_PER_ROOT * np.sqrt(len(unit)))}"
    )
    print("| cosine | pairs | found | rows dropped | by cells | s, all pairs | s, cells |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for threshold in THRESHOLDS:
        start = time.process_time()
        every = list(duplicates._similar_vectors(unit, threshold))
        exact_s, start = time.process_time() - start, time.process_time()
        together = Components(len(unit))
        some = []
        for first, second in vector_cells.likely(unit.astype(np.float32), threshold, together):
            together.join(first, second)
            some.append((first, second))
        cells_s = time.process_time() - start
        whole = Components(len(unit))
        for first, second in every:
            whole.join(first, second)
        dropped, by_cells = (len(unit) - len(np.unique(one.labels)) for one in (whole, together))
        all_keys = keys(every)
        # what hangs together already is passed over, so a pair counts as found where its rows are in one group
        low, high = all_keys >> 32, all_keys & 0xFFFFFFFF
        found = float(np.mean(together.labels[low] == together.labels[high])) if len(all_keys) else 1.0
        print(
            f"| {threshold} | {len(all_keys):,} | {found:.4f} | {dropped:,} | {by_cells:,} | {exact_s:.1f} | "
            f"{cells_s:.1f} |",
            flush=True,
        )


def planted(count: int, folder: Path) -> tuple[Any, Any, Any]:
    """A dataset of vectors in a file, and the planted pairs."""
    import pyarrow as pa
    from datasets import Dataset

    generator = np.random.default_rng(0)
    centres = generator.normal(size=(max(1, count // AROUND), WIDTH)).astype(np.float32)
    first, second, kind = [], [], pa.list_(pa.float32())
    schema = pa.schema([("embedding", kind)])
    with pa.OSFile(str(folder / "vectors.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for start in range(0, count, BATCH):
            size = min(BATCH, count - start)
            rows = centres[generator.integers(len(centres), size=size)]
            rows = unit_of(rows + 0.8 * generator.normal(size=rows.shape).astype(np.float32))
            copies = np.arange(size // 2, size // 2 + size // 10)
            sources = copies - size // 2
            rows[copies] = turned(rows[sources], 0.9, 0.99, generator)
            first.append(start + sources)
            second.append(start + copies)
            offsets = pa.array(np.arange(0, (size + 1) * WIDTH, WIDTH, dtype=np.int32))
            lists = pa.ListArray.from_arrays(offsets, pa.array(rows.ravel()))
            writer.write_table(pa.table([lists], schema=schema))
    return Dataset.from_file(str(folder / "vectors.arrow")), np.concatenate(first), np.concatenate(second)


def cost(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ds, first, second = planted(count, Path(folder))
        peak, done = [own_memory(os.getpid())], threading.Event()
        before = peak[0]

        def watch() -> None:
            while not done.wait(0.05):
                peak[0] = max(peak[0], own_memory(os.getpid()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        start, wall = time.process_time(), time.perf_counter()
        found = duplicates.duplicate_groups(ds, "semantic", 0.9, complete=False)
        used, wall = time.process_time() - start, time.perf_counter() - wall
        done.set()
        watcher.join()
    labels = np.arange(count)
    for group in found.groups:
        labels[list(group)] = group[0]
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count:,} vectors: {used:.0f} CPU s, {wall:.0f} s, own memory {(peak[0] - before) / 1024:,.0f} MB above the "
        f"{before / 1024:,.0f} MB before, largest resident set {resident:,.0f} MB"
    )
    print(
        f"planted pairs in one group: {np.mean(labels[first] == labels[second]):.4f} of {len(first):,}; "
        f"{len(found.dropped):,} rows dropped"
    )


def main() -> None:
    options = argparse.ArgumentParser(description="Semantic duplicates by cells.")
    options.add_argument("what", choices=["recall", "cost"])
    options.add_argument("--rows", type=int)
    options.add_argument("--real", type=int, default=2000, help="rows that are embedded")
    args = options.parse_args()
    print(processor())
    if args.what == "recall":
        recall(embedded(args.rows or 20_000, args.real))
    else:
        cost(args.rows or 1_000_000)


if __name__ == "__main__":
    main()
