"""Generation with a local model: batches of like length beside one by one, and beside batches in the order given.

    python benchmarks/local_generation.py [ROWS] [REPEATS]
    python benchmarks/local_generation.py 16 2 --model DIR --new 64    a real model, the default revision prompt

A model of random weights (speed is real, answers are not) gets rows with lengths as in Alpaca with a revision prompt,
from 30 to 600 tokens. The variants take turns in one process with one thread; the unit is CPU time, the ratio is to
one by one. Every variant has to give the same answers.

With `--model`, Alpaca's rows (`HFCLEAN_REALDATA`, else ../shared/data) are asked as `hfclean.Reviser` does, beside
transformers' `generate` on the same tokens: one by one, and in batches of the same size in the order given, filled up
at the left. The ratio is to the latter.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from likelihood import REALDATA

from hfclean.models import Answer, Conversation, Generation, Limits, ModelSpec, as_conversation
from hfclean.models.fastest import processor
from hfclean.models.local import LocalModel, open_local
from hfclean.reviser.coach import coach_conversation
from hfclean.reviser.proposals import Task
from hfclean.schema import Pair
from hfclean.testing_models import tiny_model, tiny_tokenizer

SENTENCE = "the model reads every row and writes a better one where it can and leaves the others as they are"
WORDS = SENTENCE.split()


def rows(count: int) -> list[Conversation]:
    chance = random.Random(0)
    lengths = [min(600, max(30, int(chance.lognormvariate(4.6, 0.7)))) for _ in range(count)]
    return [as_conversation(" ".join(chance.choice(WORDS) for _ in range(n // 2))) for n in lengths]


def real(folder: str, count: int, repeats: int, new: int, size: int) -> None:
    lines = (REALDATA / "alpaca_6k.jsonl").read_bytes().splitlines()
    asked = []
    for row in map(json.loads, random.Random(0).sample(lines, count)):
        pair = Pair(row["instruction"], row["input"], row["output"])
        asked.append(coach_conversation(Task(pair, ("instruction", "input", "response"), None)))  # type: ignore[arg-type]
    generation = Generation(max_new_tokens=new)
    model = open_local(ModelSpec(folder, device="cpu", store=False, limits=Limits(batch_size=size)))
    loaded = model._load()
    ids = [model._encode(loaded.tokenizer, each, generation) for each in asked]

    def plain(size: int) -> list[str]:
        found = []
        for at in range(0, count, size):
            part = ids[at : at + size]
            width = max(map(len, part))
            rows = torch.tensor([[loaded.pad] * (width - len(row)) + row for row in part])
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in part])
            with torch.inference_mode():
                out = loaded.model.generate(rows, attention_mask=mask, max_new_tokens=new, do_sample=False)
            found += loaded.tokenizer.batch_decode(out[:, width:], skip_special_tokens=True)
        return [text.strip() for text in found]

    def ours(shares: bool) -> list[str]:
        loaded.begun, loaded.continues = ([], None), None if shares else False
        return [answer.text.strip() for answer in model(asked, generation)]

    batched = f"generate, batches of {size}"
    ways: dict[str, Callable[[], list[str]]] = {
        batched: lambda: plain(size),
        "ours, nothing shared": lambda: ours(False),
        "ours": lambda: ours(True),
        "generate, one by one": lambda: plain(1),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, list[str]] = {}
    print(
        f"{count} rows, prompts of {statistics.mean(map(len, ids)):.0f} tokens, at most {new} new ones, {processor()}"
    )
    for _ in range(repeats):
        for name, way in ways.items():
            before = time.process_time()
            texts[name] = way()
            seconds[name].append(time.process_time() - before)
            same = sum(a == b for a, b in zip(texts[name], texts[batched], strict=True))
            gain = seconds[batched][-1] / seconds[name][-1]
            print(f"{name:<24}{seconds[name][-1]:>8.1f} CPU s{gain:>7.2f}x, {same} answers the same", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="generation with a local model")
    parser.add_argument("rows", type=int, nargs="?", default=48)
    parser.add_argument("repeats", type=int, nargs="?", default=3)
    parser.add_argument("--model")
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    count, repeats = options.rows, options.repeats
    if options.model:
        torch.set_num_threads(1)
        real(options.model, count, repeats, options.new, options.batch)
        return
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
