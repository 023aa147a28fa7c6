"""IFD and perplexity in bfloat16 beside float32: how far the scores move, and what time they take.

    python benchmarks/precision.py --model DIR [--rows 60] [--dtypes bfloat16 float16]

DIR holds a real model, since weights at random say nothing about errors; the rows are Alpaca's (`HFCLEAN_REALDATA`,
else ../shared/data), drawn with a seed. One thread, CPU time of each way without loading; `loop` is one forward of one
sequence with the logits of all positions, in float32.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import torch
from likelihood import REALDATA, loop

from hfclean.models import ModelSpec, process
from hfclean.models.fastest import processor
from hfclean.models.likelihood import Backbone
from hfclean.models.local import read_causal
from hfclean.models.losses import Tokenization, _Cutter
from hfclean.models.weights import find_model
from hfclean.schema import Pair
from hfclean.scorers.likelihood import IFD


def plans(model: str, tokenizer: Any, context: int | None, count: int) -> list[Any]:
    """Both sequences of each row that has two."""
    lines = (REALDATA / "alpaca_6k.jsonl").read_bytes().splitlines()
    rows = [json.loads(line) for line in random.Random(0).sample(lines, count)]
    scorer, cut = IFD(model), _Cutter(tokenizer, context, Tokenization())
    found = [cut.plan(scorer.passage(Pair(r["instruction"], r["input"], r["output"]))) for r in rows]
    return [plan.sequences for plan in found if plan.sequences]


def ranks(values: Any) -> Any:
    return np.argsort(np.argsort(values))


def main() -> None:
    parser = argparse.ArgumentParser(description="scores in lower precision beside float32")
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = find_model(options.model, None)
    exact: dict[str, Any] = {}
    print(processor())
    for dtype in ("float32", *options.dtypes):
        model, tokenizer = read_causal(ModelSpec(options.model, dtype=dtype), files, "cpu")
        backbone = Backbone(model, tokenizer)
        rows = plans(options.model, tokenizer, backbone.context, options.rows)
        pool = [sequence for pair in rows for sequence in pair]
        before = time.process_time()
        losses = [float(each.values.mean(dtype="float64")) for each in backbone.losses(pool)]
        spent = time.process_time() - before
        given, alone = np.array(losses[::2]), np.array(losses[1::2])
        scores = {"ifd_ppl": np.exp(given - alone), "ifd_loss": given / alone, "ppl": np.exp(given)}
        if dtype == "float32":
            before = time.process_time()
            loop(model, pool)
            print(f"{len(rows)} rows; loop {time.process_time() - before:.1f} s, float32 {spent:.1f} s", flush=True)
            exact = scores
            continue
        print(f"{dtype}: {spent:.1f} s", flush=True)
        for name, values in scores.items():
            error = abs(values / exact[name] - 1)
            rank = np.corrcoef(ranks(values), ranks(exact[name]))[0, 1]
            about = f"mean {error.mean():.4f}, largest {error.max():.4f} of the score"
            print(f"  {name:9} {about}, rank correlation {rank:.5f}", flush=True)
        del model, backbone
        process.close()


if __name__ == "__main__":
    main()
