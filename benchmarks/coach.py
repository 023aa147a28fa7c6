"""What pairs of equal sides do: a tiny reviser taught a task from scratch, with and without them.

    OMP_NUM_THREADS=1 python benchmarks/coach.py

The task is nearly that of `tests/coached.py`: names that occur nowhere in training get their full stop. Printed
for each share of near-identity pairs, after the same number of steps: how many of 200 raw rows came out exactly right,
and how many of 200 rows that were right already were changed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from coached import INSTRUCTIONS, KNOWN, UNKNOWN, base_model, pair, right
from datasets import Dataset, disable_progress_bars

import hfclean

STEPS = 480
ARGS = {
    "max_steps": STEPS,
    "learning_rate": 4e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 20,
    "per_device_train_batch_size": 16,
    "save_strategy": "no",
    "disable_tqdm": True,
}


def measure(share: float, place: Path) -> str:
    """One line of the table."""
    started = time.process_time()
    coach = hfclean.train_reviser(
        [pair(name) | {"raw_output": name} for name in KNOWN],
        place / "base",
        ARGS,
        folder=place / f"coach-{share}",
        heldout=0,
        near_identity=share,
        revise="response",
        instructions=INSTRUCTIONS,
        max_new_tokens=24,
    )
    spent = time.process_time() - started
    raw = Dataset.from_list([{"instruction": f"Name {n}.", "input": "", "output": n} for n in UNKNOWN])
    clean = Dataset.from_list([{"instruction": f"Name {n}.", "input": "", "output": right(n)} for n in UNKNOWN])
    mended = raw.map(coach, batched=True)["output"]
    exact = sum(out == right(name) for out, name in zip(mended, UNKNOWN, strict=True))
    changed = list(clean.map(coach, batched=True)["edit"]).count("revised")
    count = len(UNKNOWN)
    return f"| {share} | {exact / count:.3f} ({exact} of {count}) | {changed / count:.3f} ({changed}) | {spent:.0f} |"


def main() -> None:
    disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HFCLEAN_HOME"] = folder
        place = Path(folder)
        base_model(place / "base")
        print("| near_identity | exactly right | clean rows changed | CPU seconds |")
        print("| ---: | ---: | ---: | ---: |")
        for share in (0.0, 0.2, 0.4):
            print(measure(share, place), flush=True)


if __name__ == "__main__":
    main()
