"""Generation with a local model: batches of like length beside one by one, and beside batches in the order given.

    python benchmarks/local_generation.py [ROWS] [REPEATS]

A model of random weights (speed is real, answers are not) gets rows with lengths as in Alpaca with a revision prompt,
from 30 to 600 tokens. The variants take turns in one process with one thread; the unit is CPU time, the ratio is to
one by one. Every variant has to give the same answers.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace

from hfclean.models import Answer, Conversation, Generation, Limits, ModelSpec, as_conversation
from hfclean.models.local import LocalModel, open_local
from hfclean.testing_models import tiny_model, tiny_tokenizer

SENTENCE = "the model reads every row and writes a better one where it can and leaves the others as they are"
WORDS = SENTENCE.split()


def rows(count: int) -> list[Conversation]:
    chance = random.Random(0)
    lengths = [min(600, max(30, int(chance.lognormvariate(4.6, 0.7)))) for _ in range(count)]
    return [as_conversation(" ".join(chance.choice(WORDS) for _ in range(n // 2))) for n in lengths]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 48
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    generation = Generation(max_new_tokens=64)
    conversations = rows(count)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = tiny_tokenizer((" ".join(WORDS) * 20,), size=2000)
        tiny_model(folder, tokenizer=tokenizer, hidden=256, layers=6, context=1024)
        spec = ModelSpec(folder)

        def model(size: int) -> LocalModel:
            return open_local(replace(spec, limits=Limits(batch_size=size)))

        def one_by_one() -> list[Answer]:
            return [model(1)([c], generation)[0] for c in conversations]

        def as_given(size: int) -> list[Answer]:
            parts = [conversations[k : k + size] for k in range(0, count, size)]
            return [answer for part in parts for answer in model(size)(part, generation)]

        variants: dict[str, Callable[[], list[Answer]]] = {"one by one": one_by_one}
        for size in (8, 16, 32):
            variants[f"as given, {size}"] = lambda size=size: as_given(size)  # type: ignore[misc]
            variants[f"by length, {size}"] = lambda size=size: model(size)(conversations, generation)  # type: ignore[misc]
        texts = {name: [a.text for a in variant()] for name, variant in variants.items()}
        seconds: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(repeats):
            for name, variant in variants.items():
                before = time.process_time()
                variant()
                seconds[name].append(time.process_time() - before)
        print(f"{count} rows, at most {generation.max_new_tokens} new tokens, {repeats} repeats")
        for name, taken in seconds.items():
            ratios = [a / b for a, b in zip(seconds["one by one"], taken, strict=True)]
            same = sum(a == b for a, b in zip(texts[name], texts["one by one"], strict=True))
            spread = f"{statistics.median(ratios):.2f}x [{min(ratios):.2f}..{max(ratios):.2f}]"
            print(f"{name:<16}{statistics.median(taken):>8.2f} CPU s   {spread:<24}{same} of {count} answers the same")


if __name__ == "__main__":
    main()
