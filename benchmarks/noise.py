"""Which scores find damaged answers: likelihood scores of a small model, and the embedded ones, beside length.

    python benchmarks/noise.py --model DIR                 train the model if DIR has none, then report
    python benchmarks/noise.py --model DIR --rows 600 --seed 1

The model is a two-layer Qwen3 of less than a million weights with a tokenizer of its own, both made from scratch on
5,400 of the real rows (`HFCLEAN_REALDATA`, else ../shared/data) in about five minutes of one CPU; DIR keeps it, and
the token losses, for the next run. Damage is done to rows that it has not seen. The figures say what these scores see
with a small model, not how well they work at best.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import torch
import transformers

from hfclean.evaluation.noise import BASELINES, NoiseReport, noise_report
from hfclean.schema import Pair
from hfclean.scorers import Score, Scorer
from hfclean.scorers.likelihood import IFD, IRA, Perplexity, ReverseIFD, SelectiveIFD
from hfclean.testing_models import tiny_tokenizer

ROOT = Path(__file__).resolve().parent.parent
REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", ROOT.parent / "shared" / "data"))
HELD_OUT = 600
VOCABULARY = 4096
CONTEXT = 512
TOKENS = 3072  # a batch, at most
# The share of texts that are an answer without its prompt: the model is asked for such, so it must have seen some.
BARE = 0.25
RATE = 4e-3
FIT_ON = 400  # rows of the training part, for the threshold of SelectiveIFD


def pairs_of(name: str) -> list[Pair]:
    with (REALDATA / name).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Pair(row["instruction"], row["input"], row["output"]) for row in rows]


def split(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Rows to train on, and rows to damage: neither an instruction nor an answer of the latter is in the former."""
    known, apart = list(pairs[:-HELD_OUT]), pairs[-HELD_OUT:]
    prompts, answers = {pair.prompt for pair in known}, {pair.response for pair in known}
    return known, [pair for pair in apart if pair.prompt not in prompts and pair.response not in answers]


# -------------------------------------------------------------------------------------------------------------- model


def model_in(folder: Path, known: Sequence[Pair], *, epochs: int = 4, seed: int = 0) -> Path:
    """The folder, with a model in it, which is trained on these rows if there is none."""
    if (folder / "model" / "config.json").is_file():
        return folder
    prompt = IFD("none").prompt  # the template that the scores ask with
    texts = [(prompt(pair), pair.response) for pair in known if pair.response.strip()]
    tokenizer = tiny_tokenizer([before + answer for before, answer in texts], VOCABULARY, chat_template=None)
    torch.manual_seed(seed)
    model = transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            head_dim=32,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    train(model, tokenizer, texts, epochs, seed)
    tokenizer.save_pretrained(folder / "model")
    model.save_pretrained(folder / "model")
    return folder


def train(model: Any, tokenizer: Any, texts: Sequence[tuple[str, str]], epochs: int, seed: int) -> None:
    end = tokenizer.eos_token_id
    whole = [[*ids, end][:CONTEXT] for ids in tokenizer([a + b for a, b in texts])["input_ids"]]
    bare = [[*ids, end][:CONTEXT] for ids in tokenizer([b for _, b in texts])["input_ids"]]
    chance = random.Random(seed)
    batches = [batch for _ in range(epochs) for batch in epoch(whole, bare, chance)]
    fast = [p for p in model.parameters() if p.ndim > 1]
    slow = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": fast, "weight_decay": 0.1}, {"params": slow, "weight_decay": 0.0}], betas=(0.9, 0.98)
    )
    start, average = time.process_time(), 0.0
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min((step + 1) / 100, max(0.02, 1 - step / len(batches)))
        width = max(map(len, batch))
        ids = torch.tensor([[*text, *[0] * (width - len(text))] for text in batch])
        labels = torch.tensor([[*text, *[-100] * (width - len(text))] for text in batch])
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average = loss.item() if not step else 0.98 * average + 0.02 * loss.item()
        if step % 200 == 0 or step + 1 == len(batches):
            spent = time.process_time() - start
            print(f"  step {step:5d} of {len(batches)}: loss {average:.3f} nats, {spent:.0f} CPU seconds", flush=True)
    model.eval()


def epoch(whole: list[list[int]], bare: list[list[int]], chance: random.Random) -> Iterator[list[list[int]]]:
    """Every text once, some without their prompts, in batches of similar length and in random order."""
    texts = [b if chance.random() < BARE else a for a, b in zip(whole, bare, strict=True)]
    chance.shuffle(texts)
    texts.sort(key=lambda text: len(text) // 16)
    batches: list[list[list[int]]] = [[]]
    for text in texts:
        if batches[-1] and (len(batches[-1]) + 1) * max(len(text), len(batches[-1][-1])) > TOKENS:
            batches.append([])
        batches[-1].append(text)
    chance.shuffle(batches)
    yield from batches


# -------------------------------------------------------------------------------------------------------------- report


def scorers(folder: Path, known: Sequence[Pair]) -> list[Scorer]:
    model, store = str(folder / "model"), str(folder / "losses.db")
    rows = [{"instruction": pair.instruction, "input": pair.input, "output": pair.response} for pair in known[:FIT_ON]]
    return [
        IFD(model, store=store),
        IFD(model, kind="loss", store=store),
        SelectiveIFD(model, store=store).fit(rows),
        IRA(model, store=store),
        Perplexity(model, store=store),
        ReverseIFD(model, store=store),
        Score(),
    ]


def table(report: NoiseReport) -> str:
    """Scores by kinds of damage, as Markdown; bold: found, and better than by length."""
    noises = [noise for noise, count in report.applied.items() if count]
    columns = dict.fromkeys(each.column for each in report.separations)
    lines = ["| | " + " | ".join(f"{noise} ({report.applied[noise]})" for noise in noises) + " |"]
    lines.append("| --- |" + " ---: |" * len(noises))
    for column in columns:
        cells = []
        for noise in noises:
            each = report.of(noise, column)
            told = f"{each.auroc:.3f} [{each.low:.3f}, {each.high:.3f}]"
            cells.append(f"**{told}**" if each.beats_length and column not in BASELINES else told)
        lines.append(f"| `{column}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="which scores find damaged answers")
    parser.add_argument(
        "--model", type=Path, required=True, help="folder of the model; trained if there is none in it"
    )
    parser.add_argument("--rows", type=int, default=HELD_OUT, help="held-out rows to damage")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    options = parser.parse_args()
    torch.set_num_threads(1)
    known, apart = split(pairs_of("alpaca_6k.jsonl"))
    folder = model_in(options.model, known, epochs=options.epochs)
    start = time.process_time()
    report = noise_report(
        scorers(folder, known), apart[: options.rows], foreign=pairs_of("alpaca_zh.jsonl"), seed=options.seed
    )
    print(report.summary())
    print(f"\n{time.process_time() - start:.0f} CPU seconds\n")
    print(table(report))
    seen = [name for name in ("ifd_ppl", "ifd_loss", "ira", "ira_mean") if report.of("swapped", name).beats_length]
    print(f"\nswapped answers are found, and better than by length, by: {', '.join(seen) or 'none of IFD and IRA'}")
    raise SystemExit(not seen)


if __name__ == "__main__":
    main()
