"""A task that a tiny model learns from scratch in seconds: to put a full stop behind names, whatever the name.

Names are made of syllables by chance. Those that are held out occur nowhere in training, so that a reviser which mends
them has learnt to copy and to mend, and no name by heart.
"""

from __future__ import annotations

import random
from pathlib import Path

from hfclean.testing_models import tiny_model, tiny_tokenizer

INSTRUCTIONS = "Mend."
SYLLABLES = [f"{a}{b}" for a in "bdkl" for b in "aiou"]
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def names(count: int, seed: int = 0) -> list[str]:
    """So many different names."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choice(SYLLABLES) for _ in range(3))] = None
    return list(found)


def wrong(name: str) -> str:
    """The response as it came in."""
    return f"{name}{',;?'[sum(map(ord, name)) % 3]}"


def right(name: str) -> str:
    """The response as it should be."""
    return f"{name}."


def pair(name: str) -> dict[str, str]:
    """What an expert made of a row."""
    question = {"instruction": f"Name {name}.", "input": ""}
    raw = {**question, "output": wrong(name)}
    revised = {**question, "output": right(name)}
    return {
        **{f"raw_{key}": text for key, text in raw.items()},
        **{f"revised_{key}": text for key, text in revised.items()},
    }


ALL = names(1000)
KNOWN, UNKNOWN = ALL[:800], ALL[800:]


def base_model(folder: Path, *, chat: bool = True, hidden: int = 64) -> Path:
    """A model that knows nothing, with a tokenizer that spells names in syllables."""
    words = SYLLABLES * 50
    frame = "<|im_start|>user\nMend.\n\n[Instruction]\nName .\n[Input]\n\n[Response]\n.\n[End]assistant,;?"
    tokenizer = tiny_tokenizer([*words, *[frame] * 200], 480, chat_template=CHAT if chat else None)
    return tiny_model(folder, tokenizer=tokenizer, hidden=hidden, context=128, spread=0.02)


def trained(base: Path, folder: Path) -> Path:
    """The folder of a reviser that was tuned on what is known."""
    import hfclean

    hfclean.train_reviser(
        [pair(name) for name in KNOWN],
        base,
        {
            "num_train_epochs": 3,
            "learning_rate": 4e-3,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 20,
            "per_device_train_batch_size": 16,
            "save_strategy": "no",
            "disable_tqdm": True,
        },
        folder=folder,
        heldout=0.05,
        near_identity=0.4,
        revise="response",
        instructions=INSTRUCTIONS,
        max_new_tokens=24,
    )
    return folder
