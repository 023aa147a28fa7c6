"""Semantic duplicates by cells: recall beside all pairs, and CPU seconds and memory of very many vectors.

    python benchmarks/similar_vectors.py recall [--rows 20000] [--vectors FILE]
    python benchmarks/similar_vectors.py cost [--rows 1000000]

`recall`: all-MiniLM-L6-v2 on the texts of `selection.py`, real rows and near-duplicates made of them
(HFCLEAN_REALDATA, else ../shared/data); FILE keeps the vectors for the next time. Of the pairs with a cosine of the
threshold or more, and of the rows that are dropped, the share that is found by cells as well, for several thresholds.

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


def embedded(count: int, file: Path | None) -> Any:
    """Vectors of real and made rows."""
    if file is not None and file.exists():
        return np.load(file)[:count]
    rows, embed, found = made_rows(count), Embed(max_length=64), []
    for start in range(0, count, 500):
        columns = zip(*rows[start : start + 500], strict=True)
        found += embed(dict(zip(("instruction", "input", "output"), map(list, columns), strict=True)))["embedding"]
    vectors = np.array(found, np.float32)
    if file is not None:
        np.save(file, vectors)
    return vectors


def keys(pairs: Any) -> Any:
    """Pairs as one number each."""
    parts = [np.minimum(a, b) * 2**32 + np.maximum(a, b) for a, b in pairs]
    return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))


def recall(count: int, file: Path | None) -> None:
    unit = embedded(count, file).astype(np.float64)
    unit = unit[np.isfinite(unit).all(1)]
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
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
            rows = rows + 0.8 * generator.normal(size=rows.shape).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            copies = np.arange(size // 2, size // 2 + size // 10)
            sources = copies - size // 2
            aside = generator.normal(size=(len(copies), WIDTH)).astype(np.float32)
            aside -= (aside * rows[sources]).sum(1, keepdims=True) * rows[sources]
            aside /= np.linalg.norm(aside, axis=1, keepdims=True)
            cosine = generator.uniform(0.9, 0.99, size=(len(copies), 1)).astype(np.float32)
            rows[copies] = cosine * rows[sources] + np.sqrt(1 - cosine**2) * aside
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
    options.add_argument("--vectors", type=Path, metavar="FILE")
    args = options.parse_args()
    print(processor())
    if args.what == "recall":
        recall(args.rows or 20_000, args.vectors)
    else:
        cost(args.rows or 1_000_000)


if __name__ == "__main__":
    main()
