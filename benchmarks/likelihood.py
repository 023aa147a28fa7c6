"""Token losses for IFD: the engine beside the one-row loop of the published scripts, on models with weights by chance.

    python benchmarks/likelihood.py                       GPT-2 124M and Qwen3 0.6B shapes, float32 and bfloat16
    python benchmarks/likelihood.py --model gpt2 --rows 16 --repeats 3 --dtypes float32
    python benchmarks/likelihood.py --preamble 40         every prompt begins with the same 40 tokens
    python benchmarks/likelihood.py --memory              peak memory of both, each in a process of its own

The loop is written from its description: for every row and pass one forward of one sequence, the loss of the answer's
tokens from the logits of all positions, hidden states of all layers returned. Both see the same token ids: lengths are
those of real Alpaca rows (`HFCLEAN_REALDATA`, else ../shared/data) at four characters a token. One thread, CPU time,
both in turn in one process; the ratio of each pair counts. With a GPU (`--device cuda`) it is wall time, with a padded
batch beside them, and a 7B shape if asked for.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
import torch
import transformers

from hfclean.models.likelihood import Backbone, Sequence_

ROOT = Path(__file__).resolve().parent.parent
REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", ROOT.parent / "shared" / "data"))
SHAPES: dict[str, Callable[[], Any]] = {
    "gpt2": lambda: transformers.GPT2Config(),
    "qwen3-0.6b": lambda: transformers.Qwen3Config(
        vocab_size=151_936,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=True,
    ),
    "7b": lambda: transformers.LlamaConfig(
        vocab_size=32_000,
        hidden_size=4096,
        intermediate_size=11_008,
        num_hidden_layers=32,
        num_attention_heads=32,
    ),
}


def rows(count: int, vocabulary: int, preamble: int = 0) -> list[Sequence_]:
    """Both passes of rows with the lengths of real ones; seeded."""
    chance = random.Random(0)
    beginning = [chance.randrange(vocabulary) for _ in range(preamble)]
    lines = (REALDATA / "alpaca_6k.jsonl").read_bytes().splitlines()
    found = []
    for line in chance.sample(lines, count):
        row = json.loads(line)
        prompt = max(3, len(row["instruction"] + row["input"]) // 4)
        answer = [chance.randrange(vocabulary) for _ in range(max(2, len(row["output"]) // 4))]
        question = [*beginning, *(chance.randrange(vocabulary) for _ in range(prompt))]
        found.append(Sequence_([*question, *answer], len(question)))
        found.append(Sequence_(answer, 1))
    return found


def model_of(shape: str, dtype: str, device: str) -> Any:
    config = SHAPES[shape]()
    torch.manual_seed(0)
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    return model.eval()


def loop(model: Any, sequences: Sequence[Sequence_]) -> list[float]:
    """One sequence a forward, all logits."""
    found = []
    with torch.no_grad():
        for ids, start in sequences:
            tokens = torch.tensor([list(ids)], device=model.device)
            labels = tokens.clone()
            labels[0, :start] = -100
            found.append(float(model(input_ids=tokens, labels=labels, output_hidden_states=True).loss))
    return found


def padded(model: Any, sequences: Sequence[Sequence_], size: int = 32) -> list[float]:
    """Batches in the order of the rows, filled up, all logits."""
    found = []
    with torch.no_grad():
        for at in range(0, len(sequences), size):
            part = sequences[at : at + size]
            width = max(len(s.ids) for s in part)
            ids = torch.tensor([[*s.ids, *[0] * (width - len(s.ids))] for s in part], device=model.device)
            logits = model(input_ids=ids).logits
            for k, s in enumerate(part):
                target = ids[k, s.start : len(s.ids)]
                scores = logits[k, s.start - 1 : len(s.ids) - 1].float()
                found.append(float(torch.nn.functional.cross_entropy(scores, target)))
    return found


def timed(work: Callable[[], list[float]], device: str) -> tuple[float, list[float]]:
    clock = time.perf_counter if device != "cpu" else time.process_time
    if device != "cpu":
        torch.cuda.synchronize()
    start = clock()
    found = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - start, found


def peak(dtype: str, device: str) -> float:
    """FLOP a second of a large product of matrices."""
    size = 1024 if device == "cpu" else 8192
    a = torch.randn(size, size, device=device).to(getattr(torch, dtype))
    best = 0.0
    for _ in range(5):
        spent, _ = timed(lambda: [float((a @ a)[0, 0])], device)
        best = max(best, 2 * size**3 / spent)
    return best


def work_of(model: Any, sequences: Sequence[Sequence_]) -> float:
    """The FLOP that cannot be left out: the backbone on every position but the last ones, the head on scored ones."""
    head = model.get_output_embeddings().weight
    body = sum(p.numel() for p in model.base_model.parameters()) - model.get_input_embeddings().weight.numel()
    tokens = sum(len(s.ids) - 1 for s in sequences)
    scored = sum(len(s.ids) - s.start for s in sequences)
    return 2.0 * (body * tokens + head.numel() * scored)


def compare(shape: str, dtype: str, device: str, count: int, repeats: int, preamble: int) -> None:
    model = model_of(shape, "float32" if device == "cpu" else dtype, device)
    sequences = rows(count, model.config.vocab_size, preamble)
    reference = timed(lambda: loop(model, sequences), device)[1]  # also warms up
    backbone = Backbone(model.to(getattr(torch, dtype)) if dtype != "float32" else model, None)
    # ours may put a faster activation into its model, which the loop has no part in
    other = model_of(shape, "float32", device) if device == "cpu" else model
    ways: dict[str, Callable[[], list[float]]] = {
        "ours": lambda: [float(losses.values.mean()) for losses in backbone.losses(sequences)]
    }
    if backbone.packed:
        ways["ours, padded rows only"] = lambda: without("packed", backbone, sequences)
    if backbone.shared and preamble:
        ways["ours, nothing shared"] = lambda: without("shared", backbone, sequences)
    if device != "cpu":
        ways["padded batch"] = lambda: padded(model, sequences)
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    flop = work_of(model, sequences)
    for _ in range(repeats):
        base, _ = timed(lambda: loop(other, sequences), device)
        for name, way in ways.items():
            spent, found[name] = timed(way, device)
            ratios[name].append(base / spent)
            rates[name].append(flop / spent)
    limit = peak(dtype, device)
    tokens = sum(len(s.ids) for s in sequences)
    about = f"{count} rows, {tokens / count:.0f} tokens a row in both passes, peak {limit / 1e9:,.0f} GFLOP/s"
    print(f"\n{shape}, {dtype}, {device}: {about}")
    if "ours, nothing shared" in ways:
        gains = [ours / rest for ours, rest in zip(ratios["ours"], ratios["ours, nothing shared"], strict=True)]
        spread = f"[{min(gains):.2f}..{max(gains):.2f}]"
        print(f"  {'sharing the preamble':24} {statistics.median(gains):5.2f} times what nothing shared is {spread}")
    for name, each in ratios.items():
        worst = max(abs(a - b) for a, b in zip(found[name], reference, strict=True))
        spread = f"[{min(each):.2f}..{max(each):.2f}]"
        share = f"{statistics.median(rates[name]) / limit:4.0%} of peak"
        print(f"  {name:24} {statistics.median(each):5.2f} times the loop {spread}, {share}, differs by {worst:.1e}")


def without(shortcut: str, backbone: Backbone, sequences: Sequence[Sequence_]) -> list[float]:
    setattr(backbone, shortcut, False)
    try:
        return [float(losses.values.mean()) for losses in backbone.losses(sequences)]
    finally:
        setattr(backbone, shortcut, True)


def memory(shape: str, count: int) -> None:
    """Peak memory of the loop and of ours, above the loaded model, each in a process of its own."""
    for way in ("loop", "ours"):
        command = [sys.executable, __file__, "--peak-of", way, "--model", shape, "--rows", str(count)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def peak_of(way: str, shape: str, count: int) -> None:
    model = model_of(shape, "float32", "cpu")
    sequences = rows(count, model.config.vocab_size)
    backbone = Backbone(model, None) if way == "ours" else None
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is forgotten: building a model takes more
    before = status("VmRSS")
    if backbone is None:
        loop(model, sequences)
    else:
        backbone.losses(sequences)
    above, longest = status("VmHWM") - before, max(len(s.ids) for s in sequences)
    about = f"{count} rows, the longest {longest} tokens"
    print(f"{shape}, {way}: {above / 1024:,.0f} MB above the loaded model ({before / 1024:,.0f} MB); {about}")


def status(name: str) -> int:
    """A figure of this process, in kB."""
    return int(Path("/proc/self/status").read_text().partition(f"{name}:")[2].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description="token losses beside the one-row loop")
    parser.add_argument("--model", choices=SHAPES, action="append")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--preamble", type=int, default=0)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak-of", choices=["loop", "ours"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    models = options.model or ["gpt2", "qwen3-0.6b"]
    if options.peak_of:
        peak_of(options.peak_of, models[0], options.rows or 8)
        return
    for shape in models:
        count = options.rows or {"gpt2": 24, "qwen3-0.6b": 6, "7b": 64}[shape]
        if options.memory:
            memory(shape, count)
            continue
        for dtype in options.dtypes:
            compare(shape, dtype, options.device, count, options.repeats, options.preamble)


if __name__ == "__main__":
    main()
