"""The novelty gate beside the plain loop over all pairs, in turn, on the same real rows.

    python benchmarks/batches.py                the gate at 0.85 and 0.7, 2,000 rows for the loop, growth up to 48,000
    python benchmarks/batches.py --rows 1000 --repeats 1

The loop compares every row with every kept one by rapidfuzz's longest common subsequence, as Self-Instruct's script
does with rouge-score, which is slower. CPU seconds of one thread; rows from HFCLEAN_REALDATA, else ../shared/data.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rapidfuzz.distance import LCSseq

from hfclean.selection.novelty import Novelty, novel
from hfclean.text import words

ROOT = Path(__file__).resolve().parent.parent
REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", ROOT.parent / "shared" / "data"))
FIELDS = {"instruction": ("instruction",), "both": ("instruction", "input", "output")}


def read() -> list[dict[str, str]]:
    """Alpaca and Dolly rows in one shape, in an order by chance."""
    rows = [json.loads(line) for line in (REALDATA / "alpaca_6k.jsonl").open(encoding="utf-8")]
    for line in (REALDATA / "dolly_2k.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        rows.append({"instruction": row["instruction"], "input": row["context"], "output": row["response"]})
    random.Random(0).shuffle(rows)
    return [{name: row[name] for name in FIELDS["both"]} for row in rows]


def resampled(rows: Sequence[dict[str, str]], count: int) -> list[dict[str, str]]:
    """More rows: each time round, a fifth of the words is drawn anew from all, so that few repeat others."""
    chance = random.Random(1)
    every = [word for row in rows for word in row["instruction"].split()]
    made = list(rows[:count])
    while len(made) < count:
        row = rows[len(made) % len(rows)]
        drawn = [chance.choice(every) if chance.random() < 0.2 else word for word in row["instruction"].split()]
        made.append({**row, "instruction": " ".join(drawn)})
    return made


def plain(rows: Sequence[dict[str, str]], threshold: float, field: str) -> list[int]:
    """The loop."""
    texts = [words(_text(row, field).lower()) for row in rows]
    kept: list[int] = []
    for k, text in enumerate(texts):
        best = 0.0
        for other in kept:
            if text and texts[other]:
                best = max(best, 2 * LCSseq.similarity(text, texts[other]) / (len(text) + len(texts[other])))
        if best < threshold:
            kept.append(k)
    return kept


def _text(row: dict[str, str], field: str) -> str:
    prompt = f"{row['instruction']}\n{row['input']}" if row["input"] else row["instruction"]
    return row["instruction"] if field == "instruction" else f"{prompt}\n{row['output']}"


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=2000)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--growth", type=int, nargs="*", default=[3000, 12000, 48000])
    args = options.parse_args()
    rows = read()
    few = rows[: args.rows]
    for field in FIELDS:
        for threshold in (0.85, 0.7):
            ratios, same = [], True
            found: Novelty | None = None
            for _ in range(args.repeats):
                loop, kept = timed(lambda field=field, threshold=threshold: plain(few, threshold, field))
                gate, found = timed(
                    lambda field=field, threshold=threshold: novel(few, threshold=threshold, field=field)
                )
                ratios.append(loop / gate)
                same = same and kept == list(found.kept)
            assert found is not None
            print(
                f"{field:12} {threshold}: {statistics.median(ratios):.0f} times the loop "
                f"[{min(ratios):.0f} to {max(ratios):.0f}], gate {gate:.2f} s, loop {loop:.2f} s, "
                f"{len(found.dropped)} dropped, same rows: {same}, compared {found.compared:,} of "
                f"{len(few) * (len(few) - 1) // 2:,}"
            )
    for count in args.growth:
        many = resampled(rows, count)
        for threshold in (0.85, 0.7):
            seconds, found = timed(lambda many=many, threshold=threshold: novel(many, threshold=threshold))
            told = f"{seconds:.2f} s, {len(found.dropped):,} dropped, compared {found.compared:,}"
            print(f"{count:,} rows at {threshold}: {told}")


if __name__ == "__main__":
    main()
