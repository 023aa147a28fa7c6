"""IFD, generation and a training step on a GPU: tokens a second, and their share of the measured matrix peak.

    python benchmarks/gpu.py                  one table, within 8 minutes
    python benchmarks/gpu.py --device cpu     the same with tiny shapes, to see that it runs

Models have weights at random in bfloat16, rows have lengths as in Alpaca, drawn with a seed; nothing is fetched. Each
part runs in three ways, one row at a time, in padded batches as given, and as hfclean does it. A part that fails says
why in its line, and one that would begin after `--limit` seconds is left out. Wall time, the best of a few runs.

The share counts the work of every token that is no padding: 2 FLOP a weight forward, 6 in training; the head where
its logits are needed. A shared beginning that is computed once counts for every row.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from likelihood import SHAPES, loop, model_of, padded, peak, timed, work_of

from hfclean.models import Generation, Limits, ModelSpec, process
from hfclean.models.likelihood import Backbone, Sequence_
from hfclean.models.local import open_local
from hfclean.reviser.coach import coach_conversation
from hfclean.reviser.proposals import Task
from hfclean.schema import Pair
from hfclean.testing_models import tiny_tokenizer

SENTENCE = "the model reads every row and writes a better one where it can and leaves the others as they are"
SHAPES["0.5b"] = lambda: transformers.Qwen2Config(
    vocab_size=151_936,
    hidden_size=896,
    intermediate_size=4864,
    num_hidden_layers=24,
    num_attention_heads=14,
    num_key_value_heads=2,
    max_position_embeddings=4096,
    tie_word_embeddings=True,
)
SHAPES["tiny"] = lambda: transformers.Qwen2Config(
    vocab_size=640,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=1024,
    tie_word_embeddings=True,
)


@dataclass(frozen=True)
class Sizes:
    """How much is run: shapes with their rows for IFD, the shape of the other parts, rows, new tokens and steps."""

    ifd: Mapping[str, int]
    shape: str
    rows: int
    alone: int  # of these rows, how many are answered one by one
    new: int
    steps: tuple[int, int]  # the difference of two trainings leaves out how they begin and end
    repeats: int


FULL = Sizes({"0.5b": 256, "7b": 96}, "0.5b", 64, 8, 96, (4, 16), 3)
TINY = Sizes({"tiny": 6}, "tiny", 6, 2, 4, (1, 3), 1)


class Run(NamedTuple):
    """Tokens that went through, without padding, the FLOP that they take, and seconds."""

    tokens: float
    flop: float
    seconds: float


class Line(NamedTuple):
    """A line of the table: a run, or why there is none."""

    part: str
    way: str
    run: Run | None
    why: str = ""


Part = tuple[str, Callable[[], Iterator[tuple[str, Run]]]]


def lengths(count: int) -> list[tuple[int, int]]:
    """Tokens of prompts and of answers."""
    chance = random.Random(0)
    return [(max(4, int(chance.lognormvariate(2.8, 0.5))), min(700, max(2, int(chance.lognormvariate(3.7, 0.9)))))
            for _ in range(count)]  # fmt: skip


def texts(count: int) -> list[tuple[str, str]]:
    chance, words = random.Random(1), SENTENCE.split()
    return [tuple(" ".join(chance.choice(words) for _ in range(n)) for n in pair) for pair in lengths(count)]  # type: ignore[misc]


def best(work: Callable[[], Any], device: str, repeats: int) -> float:
    work()  # kernels are chosen, memory is taken
    return min(timed(work, device)[0] for _ in range(repeats))


def ifd(shape: str, count: int, sizes: Sizes, device: str) -> Iterator[tuple[str, Run]]:
    model = model_of(shape, "bfloat16", device)
    chance, size = random.Random(2), model.config.vocab_size
    some = []
    for prompt, answer in lengths(count):
        ids = [chance.randrange(size) for _ in range(prompt + answer)]
        some += [Sequence_(ids, prompt), Sequence_(ids[prompt:], 1)]
    tokens, flop = sum(len(s.ids) for s in some), work_of(model, some)
    backbone = Backbone(model, None)
    ways: dict[str, Callable[[], Any]] = {
        "one row at a time": lambda: loop(model, some),
        "padded batch of 32": lambda: padded(model, some),
        "hfclean": lambda: backbone.losses(some),
    }
    for name, way in ways.items():
        yield name, Run(tokens, flop, best(way, device, sizes.repeats))


def saved(shape: str, folder: Path) -> Path:
    """A model of a shape on disk, with a tokenizer that knows the words of the rows."""
    model = model_of(shape, "bfloat16", "cpu")
    tokenizer = tiny_tokenizer((SENTENCE * 20,), size=600)
    model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def generation(folder: Path, sizes: Sizes, device: str) -> Iterator[tuple[str, Run]]:
    settings = Generation(max_new_tokens=sizes.new)
    ours = open_local(
        ModelSpec(str(folder), dtype="bfloat16", device=device, store=False, limits=Limits(batch_size=sizes.rows))
    )
    pairs = [Pair(prompt, "", answer) for prompt, answer in texts(sizes.rows)]
    fields = ("instruction", "input", "response")
    asked = [coach_conversation(Task(pair, fields, None)) for pair in pairs]  # type: ignore[arg-type]
    loaded = ours._load()
    model = loaded.model
    loaded.stops.clear()  # every answer is as long as it may be
    ids = [ours._encode(loaded.tokenizer, each, settings) for each in asked]

    def generate(part: Sequence[Sequence[int]]) -> None:
        width = max(map(len, part))
        rows = torch.tensor([[loaded.pad] * (width - len(row)) + list(row) for row in part], device=device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in part], device=device)
        settings = transformers.GenerationConfig(max_new_tokens=sizes.new, do_sample=False, pad_token_id=loaded.pad)
        with torch.inference_mode():
            model.generate(input_ids=rows, attention_mask=mask, generation_config=settings)

    def run(rows: Sequence[Sequence[int]], work: Callable[[], Any]) -> Run:
        new = len(rows) * sizes.new
        weights = sum(p.numel() for p in model.parameters()) - model.get_input_embeddings().weight.numel()
        head = model.get_output_embeddings().weight.numel()
        flop = 2.0 * (weights * (sum(map(len, rows)) + new) + head * new)
        return Run(new, flop, best(work, device, 1))

    model.generation_config.eos_token_id = None
    few = ids[: sizes.alone]
    yield "one row at a time", run(few, lambda: [generate([row]) for row in few])
    yield f"padded batch of {sizes.rows}", run(ids, lambda: generate(ids))
    yield "hfclean", run(ids, lambda: ours(asked, settings))


def training(folder: Path, sizes: Sizes, device: str) -> Iterator[tuple[str, Run]]:
    from hfclean.training.tuning import tune

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pairs = texts(sizes.rows)
    encoded = [[tokenizer(text)["input_ids"] for text in pair] for pair in pairs]
    some = [(prompt + answer, len(prompt)) for prompt, answer in encoded]
    size = min(8, sizes.rows)
    tokens = sum(len(ids) for ids, _ in some) * size / len(some)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).to(device).train()
    flop = 6.0 * sum(p.numel() for p in model.parameters()) * tokens
    parts = [some[at : at + size] for at in range(0, len(some) - size + 1, size)]
    alone = [[[row] for row in part] for part in parts]
    for name, steps in (("one row at a time", alone), (f"padded batch of {size}", [[part] for part in parts])):
        seconds = best(partial(train, model, steps), device, sizes.repeats)
        yield name, Run(tokens, flop, seconds / len(parts))
    del model
    rows = [{"prompt": prompt, "completion": answer} for prompt, answer in pairs]
    spent = []
    for count in sizes.steps:
        args = {"per_device_train_batch_size": size, "max_steps": count, "save_strategy": "no", "disable_tqdm": True,
                "use_cpu": device == "cpu", "logging_strategy": "no"}  # fmt: skip
        with tempfile.TemporaryDirectory() as place:
            spent.append(tune(rows, folder, place, args=args).seconds)
    few, many = sizes.steps
    yield "hfclean", Run(tokens, flop, max(1e-9, spent[1] - spent[0]) / (many - few))


def train(model: Any, steps: Sequence[Sequence[Sequence[tuple[list[int], int]]]]) -> None:
    """Some steps, each of one group of rows or several, padded."""
    adam = torch.optim.AdamW(model.parameters(), lr=1e-5)
    for groups in steps:
        for group in groups:
            width = max(len(ids) for ids, _ in group)
            rows = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in group], device=model.device)
            labels = torch.tensor(
                [[-100] * start + ids[start:] + [-100] * (width - len(ids)) for ids, start in group],
                device=model.device,
            )
            (model(input_ids=rows, labels=labels, use_cache=False).loss / len(groups)).backward()
        adam.step()
        adam.zero_grad()


def lines(sizes: Sizes, device: str, limit: float) -> Iterator[Line]:
    """The lines of the table as they are measured."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parts: list[Part] = [
            (f"IFD, {shape}", lambda shape=shape, count=count: ifd(shape, count, sizes, device))  # type: ignore[misc]
            for shape, count in sizes.ifd.items()
        ]
        parts.append((f"generation, {sizes.shape}", lambda: generation(saved(sizes.shape, folder), sizes, device)))
        parts.append((f"training step, {sizes.shape}", lambda: training(folder, sizes, device)))
        for part, work in parts:
            if time.monotonic() - start > limit:
                yield Line(part, "", None, "not run: out of time")
                continue
            try:
                for way, run in work():
                    yield Line(part, way, run)
            except Exception as e:  # noqa: BLE001 - the other parts are measured whatever one runs into
                yield Line(part, "", None, f"{type(e).__name__}: {' '.join(str(e).split())[:200]}")
            process.close()
            if device != "cpu":
                torch.cuda.empty_cache()


def table(found: Sequence[Line], peak_flop: float) -> str:
    """The lines as Markdown; the gain is in tokens a second over one row at a time."""
    rows = ["| part | way | tokens/s | of the peak | times one row at a time |", "| --- | --- | ---: | ---: | ---: |"]
    first: dict[str, float] = {}
    for line in found:
        if line.run is None:
            rows.append(f"| {line.part} | {line.why} | | | |")
            continue
        rate = line.run.tokens / line.run.seconds
        gain = rate / first.setdefault(line.part, rate)
        share = line.run.flop / line.run.seconds / peak_flop
        rows.append(f"| {line.part} | {line.way} | {rate:,.0f} | {share:.1%} | {gain:.2f} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="tokens a second on a GPU")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--limit", type=float, default=330, help="seconds after which no part begins")
    options = parser.parse_args()
    if options.device != "cpu" and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here; --device cpu shows that the script runs, with tiny shapes")
    sizes = TINY if options.device == "cpu" else FULL
    limit = peak("bfloat16", options.device)
    where = torch.cuda.get_device_name() if options.device != "cpu" else "processor"
    print(f"{where}, torch {torch.__version__}, bfloat16, matrix products at {limit / 1e12:,.2f} TFLOP/s\n")
    print(table(list(lines(sizes, options.device, options.limit)), limit))


if __name__ == "__main__":
    main()
