"""Does aiming at errors help? A tiny GPT-2 learns two-digit sums from seeds, and a teacher makes more of them.

    python benchmarks/augment_errors.py --arms 3 --rounds 4      some minutes on one core

Every number is of `hfclean.augment_errors` with its control arm. Most seeds add 10 or 20, and few add a third number.
The teacher writes right sums that add the same as the one that it is shown, so that only the choice of the seeds
differs between the arms.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hfclean
from hfclean.models import Answer, Conversation, Generation

SIGNS = "0123456789+="
ASKED = re.compile(r"1\. (\d+)\+(\d+)=")
TASK = re.compile(r'Task:\n"""\n(\d+)\+(\d+)=\n"""')


SPLITS = {  # what is added, and how many of the seeds add it
    "common": {10: 40, 30: 10, 50: 10},
    "rare": {10: 60, 20: 60, 70: 8},
}


def sums(kinds: Mapping[int, int], seed: int) -> list[dict[str, str]]:
    """Sums of a number of two digits and one of the kinds."""
    chance = random.Random(seed)
    return [one(a, b) for b, count in kinds.items() for a in sorted(chance.sample(range(10, 100), count))]


def one(a: int, b: int) -> dict[str, str]:
    return {"prompt": f"{a}+{b}=", "completion": str(a + b)}


class Neighbour:
    """A teacher that adds the same to another number, and is always right."""

    kept = False

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, conversations: Sequence[Conversation], generation: Generation) -> list[Answer]:
        return [Answer(self.said(each[-1].content, generation.candidate)) for each in conversations]

    def said(self, text: str, candidate: int) -> str:
        if "\n\nTasks:\n" not in text:
            a, b = map(int, TASK.findall(text)[-1])
            return str(a + b)
        _, b = ASKED.findall(text)[0]
        chance = random.Random(f"{text} {candidate}")
        return "\n".join(
            f"{number}. {a}+{b}=" for number, a in enumerate(chance.sample(range(10, 100), self.count), 2)
        )


def tiny_gpt2(folder: Path, hidden: int) -> Path:
    """A GPT-2 of two layers with random weights, for which every sign is a token."""
    import tokenizers
    import torch
    import transformers

    signs = {sign: k for k, sign in enumerate(["<pad>", "<eos>", "<unk>", *SIGNS])}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(signs, unk_token="<unk>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    inner.decoder = tokenizers.decoders.Fuse()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    config = transformers.GPT2Config(
        vocab_size=len(signs),
        n_positions=32,
        n_embd=hidden,
        n_layer=2,
        n_head=4,
        bos_token_id=1,
        eos_token_id=1,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def arms(place: Path, seed: int, args: argparse.Namespace) -> Any:
    """Both arms of one seed."""
    return hfclean.augment_errors(
        sums(SPLITS[args.split], seed),
        tiny_gpt2(place / "base", args.hidden),
        Neighbour(args.per_error),
        correct="number",
        folder=place / f"loop-{seed}",
        rounds=args.rounds,
        control=True,
        test=[one(a, b) for b in SPLITS[args.split] for a in range(10, 100, 4)],
        per_error=args.per_error,
        filters=(),
        seed=seed,
        args={
            "num_train_epochs": args.epochs,
            "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 1,
            "learning_rate": 3e-3,
            "save_strategy": "no",
        },
        answer_tokens=5,
        store=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("arms", 3), ("rounds", 4), ("per-error", 1), ("epochs", 20), ("hidden", 64)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--split", choices=SPLITS, default="rare")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        results = [arms(Path(place), seed, args) for seed in range(args.arms)]
    for name in ("errors", "rows", "test_accuracy"):
        for arm, found in (("errors", results), ("control", [each.control for each in results])):
            curves = [[line[name] for line in each.lines] for each in found]
            print(f"{name:14} {arm:8}", "   ".join(" ".join(f"{value:.4g}" for value in curve) for curve in curves))


if __name__ == "__main__":
    main()
