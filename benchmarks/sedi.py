"""Whether SeDi-Instruct's loop writes more of what a student cannot do: `python benchmarks/sedi.py`.

A scripted teacher goes on with the topics of the seeds that it is shown. Of its five topics four have answers that a
tiny model has learnt before, one has random letters. The loop runs with each signal and each seed; printed is the
share of the hard topic among the seeds after the last round, 0.2 at first, and a sign test.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import hfclean
from hfclean.testing_models import tiny_model
from hfclean.training.tuning import tune

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from loop_teachers import HARD, TOPICS, answer_to, by_topic, seeds, task_of, topic_of, topic_teacher

ROUNDS = 5


def student(folder: Path, epochs: int) -> Path:
    """A tiny model that knows the answers of four topics."""
    base = tiny_model(folder / "new", context=256, spread=0.02)
    chance = random.Random(0)
    tasks = [task_of(topic, chance) for topic in TOPICS if topic != HARD for _ in range(30)]
    rows = [{"prompt": [{"role": "user", "content": task}], "completion": answer_to(task)} for task in tasks]
    args = {"num_train_epochs": epochs, "learning_rate": 3e-3, "per_device_train_batch_size": 8, "save_strategy": "no"}
    return tune(rows, base, folder / "student", args=args | {"disable_tqdm": True}).folder


def share_after(folder: Path, base: Path, signal: Any, seed: int, spread: int, rate: float) -> tuple[float, Any]:
    """The share of seeds of the hard topic, and the result."""
    made = hfclean.sedi(
        seeds(),
        topic_teacher(),
        base,
        folder=folder,
        rounds=ROUNDS,
        per_round=10 * spread,
        batch_size=spread,
        shown=(3, 0),
        signal=signal,
        embed=by_topic,
        clusters=len(TOPICS),
        seed=seed,
        store=False,
        train={"learning_rate": rate, "save_strategy": "no"},
        show=False,
    )
    topics = Counter(map(topic_of, made.seeds["prompt"]))
    return topics[HARD] / topics.total(), made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--signals", nargs="*", default=["grad_norm", "loss", "random"])
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=12, help="of the easy topics, before the loop")
    parser.add_argument("--rate", type=float, default=2e-4, help="the student's learning rate in the loop")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = student(Path(scratch), args.epochs)
        for signal in args.signals:
            shares, results = [], []
            for seed in range(args.seeds):
                folder = Path(scratch) / f"{signal}-{seed}"
                share, made = share_after(folder, base, signal, seed, args.batch_size, args.rate)
                shares.append(share)
                results.append(made)
            first = 1 / len(TOPICS)
            more, less = sum(share > first for share in shares), sum(share < first for share in shares)
            chance = sum(math.comb(more + less, k) for k in range(more, more + less + 1)) / 2 ** (more + less)
            rounds = [each for made in results for each in made.rounds]
            alike = {name: mean_of(getattr(each, f"signal_{name}") for each in rounds) for name in ("length", "loss")}
            print(
                f"{signal}: share of hard seeds {first:.2f} -> {mean_of(shares):.2f}; grew {more}, fell {less} of "
                f"{len(shares)}, one-sided p {chance:.4f}; rank correlation of the signal with length "
                f"{alike['length']:.2f}, with loss {alike['loss']:.2f}; distance in a batch "
                f"{mean_of(each.diverse for each in rounds):.2f}, shuffled {mean_of(e.shuffled for e in rounds):.2f}",
                flush=True,
            )


def mean_of(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known)


if __name__ == "__main__":
    main()
