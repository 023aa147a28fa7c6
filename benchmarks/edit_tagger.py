"""MiniLM as a tagger of edits: what it reads, how it is taught, and what it writes.

The encoder reads the instruction and the tokens of the response; at the first piece of each token three heads say what
becomes of it (`edit_tags`). Its word pieces know no case and no white space, so both come in as features beside them.
Training goes on from its last checkpoint to the weights that an unbroken one reaches.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from edit_tags import GAPS, UNKNOWN, Token, Vocabulary, apply_tags, tags_of, text_of, tokens_of
from safetensors.torch import load_file, save_file

from hfclean.durable import new_folder
from hfclean.schema import Pair
from hfclean.training.pairs import Sides

MOST_ASKED, MOST_PIECES = 48, 300  # word pieces of the instruction, and of all; a longer response is read in part
SHAPES = ("end", "lower", "capital", "upper", "number", "mark", "mixed")
CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Settings:
    """Of a training, which is over after `epochs`."""

    epochs: int = 3
    batch: int = 16
    body_rate: float = 1e-4
    head_rate: float = 1e-3
    warmup: int = 20
    save_every: int = 20
    seed: int = 0


@dataclass(frozen=True)
class Read:
    """A pair as the encoder reads it; `places` are the first pieces of the tokens that were read, in order."""

    pieces: list[int]
    segments: list[int]
    shapes: list[int]
    gaps: list[int]
    places: list[int]


def shape_of(text: str) -> int:
    if not text:
        return 0
    if not text[0].isalnum():
        return SHAPES.index("mark")
    if text.isdigit():
        return SHAPES.index("number")
    if text.islower():
        return SHAPES.index("lower")
    if text[:1].isupper() and not text[1:].isupper():
        return SHAPES.index("capital" if text[1:].islower() or len(text) == 1 else "mixed")
    return SHAPES.index("upper" if text.isupper() else "mixed")


def gap_of(gap: str) -> int:
    return GAPS.index(gap) if gap in GAPS else len(GAPS)


class Tagger(torch.nn.Module):
    """The encoder with its features and heads.

    Args:
        encoder: of transformers, with word pieces and two segments.
        tokenizer: a `tokenizers.Tokenizer`.
        vocabulary: of tags.
    """

    def __init__(self, encoder: Any, tokenizer: Any, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.encoder, self.tokenizer, self.vocabulary = encoder, tokenizer, vocabulary
        width = encoder.config.hidden_size
        self.shapes = torch.nn.Embedding(len(SHAPES), width)
        self.gaps = torch.nn.Embedding(len(GAPS) + 1, width)
        for table in (self.shapes, self.gaps):
            torch.nn.init.zeros_(table.weight)
        self.heads = torch.nn.ModuleList(
            torch.nn.Linear(width, len(kind)) for kind in (vocabulary.own, vocabulary.before, vocabulary.gap)
        )
        for table in encoder.embeddings.children():
            if isinstance(table, torch.nn.Embedding):
                table.weight.requires_grad_(False)

    def read(self, pair: Pair, tokens: Sequence[Token]) -> Read:
        """Special pieces, the instruction with its input, and as many tokens of the response as there is room for."""
        start, stop = (self.tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]"))
        asked = self.tokenizer.encode(pair.prompt[:2000], add_special_tokens=False).ids[:MOST_ASKED]
        pieces, shapes, gaps, places = [start, *asked, stop], [0] * (len(asked) + 2), [0] * (len(asked) + 2), []
        first = len(pieces)
        words = self.tokenizer.encode_batch([token.text for token in tokens], add_special_tokens=False)
        for token, word in zip(tokens, words, strict=True):
            ids = word.ids or [stop]
            if len(pieces) + len(ids) > MOST_PIECES:
                break
            places.append(len(pieces))
            pieces += ids
            shapes += [shape_of(token.text)] * len(ids)
            gaps += [gap_of(token.gap), *[0] * (len(ids) - 1)]
        return Read(pieces, [0] * first + [1] * (len(pieces) - first), shapes, gaps, places)

    def forward(self, batch: Sequence[Read]) -> list[Any]:
        """For each head its logits at the places of all reads, one after the other."""
        length = max(len(one.pieces) for one in batch)

        def padded(name: str) -> Any:
            return torch.tensor([getattr(one, name) + [0] * (length - len(one.pieces)) for one in batch])

        there = torch.tensor([[1] * len(one.pieces) + [0] * (length - len(one.pieces)) for one in batch])
        embedded = self.encoder.embeddings.word_embeddings(padded("pieces"))
        embedded = embedded + self.shapes(padded("shapes")) + self.gaps(padded("gaps"))
        states = self.encoder(
            inputs_embeds=embedded, attention_mask=there, token_type_ids=padded("segments")
        ).last_hidden_state
        rows = torch.tensor([k for k, one in enumerate(batch) for _ in one.places])
        columns = torch.tensor([place for one in batch for place in one.places])
        return [head(states[rows, columns]) for head in self.heads]

    def state(self) -> dict[str, Any]:
        """The weights that are taught."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}


def load_tagger(folder: Path, vocabulary: Vocabulary) -> Tagger:
    """MiniLM of a folder, with new heads for a vocabulary."""
    from tokenizers import Tokenizer
    from transformers import AutoModel

    encoder = AutoModel.from_pretrained(folder, local_files_only=True, attn_implementation="sdpa")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Tagger(encoder, tokenizer, vocabulary)


# ----------------------------------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class Lesson:
    """A pair as read, with the numbers of its tags, head by head."""

    read: Read
    wanted: list[tuple[int, int, int]]


def lessons(tagger: Tagger, pairs: Sequence[Sides]) -> list[Lesson]:
    found = []
    for raw, revised in pairs:
        tokens = tokens_of(raw.response)
        read = tagger.read(raw, tokens)
        tags = tagger.vocabulary.numbers(tags_of(tokens, tokens_of(revised.response)))
        found.append(Lesson(read, tags[: len(read.places)]))
    return [one for one in found if one.read.places]


def order_of(lengths: Sequence[int], settings: Settings) -> list[list[int]]:
    """The rows of each step: at random, with others of about their length."""
    steps = []
    for epoch in range(settings.epochs):
        rng = random.Random(f"{settings.seed} {epoch}")
        order = list(range(len(lengths)))
        rng.shuffle(order)
        near = settings.batch * 10
        order = [
            k for at in range(0, len(order), near) for k in sorted(order[at : at + near], key=lengths.__getitem__)
        ]
        once = [order[k : k + settings.batch] for k in range(0, len(order), settings.batch)]
        rng.shuffle(once)
        steps += once
    return steps


def train_tagger(
    tagger: Tagger,
    pairs: Sequence[Sides],
    folder: Path,
    settings: Settings,
    told: Callable[[int, int, float], None] = lambda step, of, loss: None,
) -> int:
    """Teach the tagger, going on from the checkpoint in `folder`; returns the step that it started from."""
    taught = lessons(tagger, pairs)
    steps = order_of([len(one.read.pieces) for one in taught], settings)
    body = [weight for name, weight in tagger.state().items() if name.startswith("encoder.")]
    new = [weight for name, weight in tagger.state().items() if not name.startswith("encoder.")]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": settings.body_rate}, {"params": new, "lr": settings.head_rate}], weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / settings.warmup, max(0.0, (len(steps) - step) / max(1, len(steps)))),
    )
    start = _resume(tagger, optimizer, schedule, folder)
    tagger.train()
    for step in range(start, len(steps)):
        torch.manual_seed(settings.seed * 1_000_003 + step)  # dropout is that of an unbroken training
        batch = [taught[k] for k in steps[step]]
        logits = tagger([one.read for one in batch])
        wanted = torch.tensor([tags for one in batch for tags in one.wanted])
        loss = sum(
            torch.nn.functional.cross_entropy(each, wanted[:, k], ignore_index=UNKNOWN)
            for k, each in enumerate(logits)
            if bool((wanted[:, k] != UNKNOWN).any())
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*body, *new], 1.0)
        optimizer.step()
        schedule.step()
        told(step + 1, len(steps), float(loss.detach()))
        if (step + 1) % settings.save_every == 0 or step + 1 == len(steps):
            _save(tagger, optimizer, folder, step + 1)
    tagger.eval()
    return start


def _save(tagger: Tagger, optimizer: Any, folder: Path, step: int) -> None:
    """Weights, moments and step, all of them or none."""
    names = list(tagger.state())
    moments = optimizer.state_dict()["state"]
    with new_folder(folder / CHECKPOINT, overwrite=True) as place:
        save_file({name: weight.detach() for name, weight in tagger.state().items()}, place / "weights.safetensors")
        flat = {f"{k}.{name}": value for k, state in moments.items() for name, value in state.items()}
        save_file({name: value.clone() for name, value in flat.items()}, place / "moments.safetensors")
        (place / "state.json").write_text(json.dumps({"step": step, "weights": len(names)}), encoding="utf-8")


def _resume(tagger: Tagger, optimizer: Any, schedule: Any, folder: Path) -> int:
    place = folder / CHECKPOINT
    if not (place / "state.json").is_file():
        return 0
    step = int(json.loads((place / "state.json").read_text(encoding="utf-8"))["step"])
    load_weights(tagger, folder)
    state: dict[int, dict[str, Any]] = {}
    for name, value in load_file(place / "moments.safetensors").items():
        number, _, kind = name.partition(".")
        state.setdefault(int(number), {})[kind] = value
    schedule.last_epoch = step
    rates = [base * each(step) for base, each in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)]
    groups = optimizer.state_dict()["param_groups"]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return step


def load_weights(tagger: Tagger, folder: Path) -> None:
    """The weights of the last checkpoint."""
    weights = load_file(folder / CHECKPOINT / "weights.safetensors")
    with torch.no_grad():
        for name, weight in tagger.state().items():
            weight.copy_(weights[name])


# ------------------------------------------------------------------------------------------------------------ editing


@dataclass(frozen=True)
class Tagged:
    """A response as the tagger sees it: for each token and head the likeliest edit, and its probability."""

    tokens: list[Token]
    edits: list[tuple[int, int, int]]
    chances: list[tuple[float, float, float]]


def tag(tagger: Tagger, pairs: Sequence[Pair], batch: int = 16) -> Iterator[Tagged]:
    """The likeliest edits of each response, in order; tokens that were not read have none."""
    tagger.eval()
    for start in range(0, len(pairs), batch):
        split = [tokens_of(pair.response) for pair in pairs[start : start + batch]]
        reads = [tagger.read(pair, tokens) for pair, tokens in zip(pairs[start : start + batch], split, strict=True)]
        with torch.inference_mode():
            found = []
            for logits in tagger(reads):
                chances = logits.softmax(-1)
                chances[:, 0] = 0.0  # what keeps the token is no edit
                found.append(chances.max(-1))
        at = 0
        for tokens, read in zip(split, reads, strict=True):
            here = slice(at, at + len(read.places))
            at += len(read.places)
            rest = [0] * (len(tokens) - len(read.places))
            edits = [[*each.indices[here].tolist(), *rest] for each in found]
            chances = [[*each.values[here].tolist(), *rest] for each in found]
            yield Tagged(tokens, list(zip(*edits, strict=True)), list(zip(*chances, strict=True)))


@dataclass(frozen=True)
class Acts:
    """When a tagger acts.

    Attributes:
        row: a response is edited where its likeliest edit has at least this probability.
        edit: the edits of it that have at least this one are made.
        heads: 3 for all edits, 2 without changes of a token's own text, 1 for white space alone.
    """

    row: float
    edit: float
    heads: int = 3


def edited(tagged: Tagged, vocabulary: Vocabulary, acts: Acts) -> str | None:
    """The edited text; None for no edit. White space around the text is not part of it."""
    first = 3 - acts.heads
    most = max((p for chances in tagged.chances for p in chances[first:]), default=0.0)
    if most < acts.row:
        return None
    likely = []
    for numbers, chances in zip(tagged.edits, tagged.chances, strict=True):
        own, before, gap = (
            number if k >= first and p >= acts.edit else 0
            for k, (number, p) in enumerate(zip(numbers, chances, strict=True))
        )
        likely.append((own, before, gap))
    text = apply_tags(tagged.tokens, vocabulary.tags(likely))
    return text if text != text_of(tagged.tokens) else None
