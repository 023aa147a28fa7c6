"""A tiny language model that is taught one honest task from scratch: to give sentences their capital and full stop.

Nothing is downloaded. The task is small enough for a two-layer model to learn in seconds, and real enough that what it
revises is better by any measure: a revised response equals the right sentence, an unrevised one never does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hfclean.reviser.coach import coach_conversation
from hfclean.reviser.codec import encode
from hfclean.reviser.proposals import Task
from hfclean.schema import Pair, Slot, Target
from hfclean.testing_models import tiny_model, tiny_tokenizer

INSTRUCTIONS = "Mend the pair."
WORDS = (
    ("the", "one", "this", "every", "some", "no", "my", "your"),
    ("old", "young", "small", "brave", "tired", "happy", "quiet", "busy"),
    ("king", "farmer", "teacher", "sailor", "doctor", "painter", "baker", "singer"),
    ("sleeps", "waits", "sings", "works", "reads", "rests", "writes", "cooks"),
)


def sentences(count: int, seed: int = 0) -> list[str]:
    """So many different sentences without capital and full stop."""
    chance = random.Random(seed)
    every = [f"{a} {b} {c} {d}" for a in WORDS[0] for b in WORDS[1] for c in WORDS[2] for d in WORDS[3]]
    return chance.sample(every, count)


def right(sentence: str) -> str:
    """The sentence as it should be."""
    return f"{sentence[0].upper()}{sentence[1:]}."


def row(sentence: str) -> dict[str, str]:
    """A row whose response is to be mended."""
    return {"instruction": "Write a sentence.", "input": "", "output": sentence}


KNOWN = sentences(700)
UNKNOWN = [text for text in sentences(1200, seed=1) if text not in set(KNOWN)]


def taught_model(folder: Path, known: Sequence[str], *, steps: int = 1500, seed: int = 0) -> Path:
    """Write a model that was trained on these sentences until it knows them, in the very form in which a `Reviser`
    asks."""
    import torch
    import transformers

    pairs = [(_task(text), Pair("Write a sentence.", "", right(text))) for text in known]
    texts = [_text(task, pair) for task, pair in pairs]
    tokenizer = tiny_tokenizer([f"{prompt}{answer}" for prompt, answer in texts] * 3, 700)
    tiny_model(folder, tokenizer=tokenizer, hidden=64, seed=seed, context=256, spread=0.02)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ids, labels = _tensors(tokenizer, texts)
    chance = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    model.train()
    average = 9.0
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 40)
        rows = torch.randint(len(ids), (16,), generator=chance)
        loss = model(input_ids=ids[rows], labels=labels[rows]).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average = 0.9 * average + 0.1 * loss.item()
        if average < 0.003:
            break
    else:
        raise AssertionError(f"the model did not learn its task: loss {average:.3f} after {steps} steps")
    model.save_pretrained(folder)
    return folder


def _task(text: str) -> Task:
    slot = Slot((("output",),), (text,))
    pair = Pair("Write a sentence.", "", text)
    return Task(pair, ("instruction", "input", "response"), Target(pair, slot, slot, slot))


def _text(task: Task, after: Pair) -> tuple[str, str]:
    prompt = coach_conversation(task, INSTRUCTIONS)[0].content
    return f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n", f"{encode(after)}<|im_end|>"


def _tensors(tokenizer: Any, texts: Sequence[tuple[str, str]]) -> tuple[Any, Any]:
    import torch

    rows = [(tokenizer(prompt)["input_ids"], tokenizer(answer)["input_ids"]) for prompt, answer in texts]
    longest = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    labels = torch.full((len(rows), longest), -100)
    for k, (prompt, answer) in enumerate(rows):
        ids[k, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        labels[k, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    return ids, labels
