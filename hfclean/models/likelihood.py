"""How a causal language model takes texts: the loss of every target token, exactly and at the speed of the hardware.

Sequences of all rows and of both passes go through the backbone in one pool, several in a row without padding where
the architecture allows it; a beginning that most of them share goes through once, and they continue from it. The head
is computed at scored positions only, a few at a time, so that the memory never holds a matrix of all positions by the
whole vocabulary. Each shortcut is compared with the model's own forward when the model is loaded, and is not used
if the results differ. On a processor, those that are left are measured beside the plain way, and the fastest is used:
rows packed, filled up or one by one, and oneDNN or torch for each shape of weights. Whichever it is, losses differ by
rounding alone, within `SAME`.

Losses are natural-log, in float32 or better whatever the dtype of the weights.
"""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from hfclean.models import process
from hfclean.models.fastest import fastest
from hfclean.models.local import unless_out_of_memory
from hfclean.models.matrix_products import (
    Product,
    fused_activations,
    fused_is_faster,
    sooner_through_onednn,
    through_onednn,
)
from hfclean.models.shared_prefix import Prefix, common_prefix, reach

# tokens that go through the backbone at once: few enough that their activations stay in the cache of a core
BUDGET = {"cpu": 256, "cuda": 16_384, "mps": 2_048, "xpu": 16_384}
# scored positions for which the head is computed at once
CHUNK = {"cpu": 128, "cuda": 4_096, "mps": 512, "xpu": 4_096}
SAME = {"float32": 1e-4, "float64": 1e-9}  # two ways agree if their losses differ by no more; coarser types: COARSE
COARSE = 0.06
SIZES = (90, 70, 50, 40)  # tokens of the sequences on which ways are measured


class Sequence_(NamedTuple):
    """Token ids, and the position from which losses are computed; at least one token comes before it."""

    ids: Sequence[int]
    start: int


@dataclass(frozen=True)
class Losses:
    """The losses of one sequence's tokens from `start` on, or why there are none (`out_of_memory`, `not_finite`)."""

    values: Any  # float32 numpy array
    error: str = ""


class Backbone:
    """A loaded causal language model that gives token losses.

    Args:
        model: as `AutoModelForCausalLM` loads it.
        tokenizer: its tokenizer.
        budget: tokens at once; None for a choice by device.
    """

    def __init__(self, model: Any, tokenizer: Any, *, budget: int | None = None) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.device = next(model.parameters()).device
        self.budget = budget or BUDGET.get(self.device.type, 256)
        self.chunk = CHUNK.get(self.device.type, 128)
        config = model.config.get_text_config()
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        self.vocabulary = int(model.get_output_embeddings().weight.shape[0])
        self._finish = _finisher(config)
        self._reach = reach(config)
        self.gathered = self.fused = self.quick = self.packed = self.padded = self.shared = False
        self.products: frozenset[Product] = frozenset()  # those that go through oneDNN
        self.rows = "packed"  # which way is the fastest, of those that give the same
        self._probe()

    def losses(self, sequences: Sequence[Sequence_]) -> list[Losses]:
        """The losses of every sequence, in order. Order, neighbours and budget do not change them."""
        found: dict[int, Losses] = {}
        for places, values in self.batches(sequences):
            found.update(zip(places, values, strict=True))
        return [found[k] for k in range(len(sequences))]

    def batches(self, sequences: Sequence[Sequence_]) -> Iterator[tuple[list[int], list[Losses]]]:
        """The losses as they become ready, with the places of their sequences."""
        lock = process.once(("likelihood lock", id(self.model)), threading.Lock)
        waiting = sorted(range(len(sequences)), key=lambda k: (-len(sequences[k].ids), k))
        length, places = common_prefix(sequences, self._reach) if self.shared and self.packed else (0, [])
        if places:
            with lock:
                prefix = unless_out_of_memory(partial(self._prefix, sequences[places[0]].ids[:length]))
            if prefix is not None:
                sharing = set(places)
                yield from self._batches(sequences, [k for k in waiting if k in sharing], lock, prefix)
                waiting = [k for k in waiting if k not in sharing]
        yield from self._batches(sequences, waiting, lock)

    def _batches(
        self, sequences: Sequence[Sequence_], waiting: list[int], lock: threading.Lock, prefix: Prefix | None = None
    ) -> Iterator[tuple[list[int], list[Losses]]]:
        """The losses of the sequences at these places, which all begin with the prefix."""
        while waiting:
            group, rest = self._next_group(waiting, sequences, prefix.length if prefix else 0)
            together = [sequences[k] for k in group]
            with lock:
                values = unless_out_of_memory(partial(self._run, together, prefix))
            if values is None:
                if len(group) > 1 or self.chunk > 1:
                    self.budget = max(1, self.budget // 2)
                    self.chunk = max(1, self.chunk // 2)
                    continue
                values = [None]
            waiting = rest
            yield group, [_checked(value) for value in values]

    def _next_group(
        self, waiting: list[int], sequences: Sequence[Sequence_], skipped: int
    ) -> tuple[list[int], list[int]]:
        """Which sequences go together next, and the others in their order."""
        longest = len(sequences[waiting[0]].ids) - 1
        if self._packs or skipped:  # the longest, and then whatever still fits behind it
            group: list[int] = []
            rest: list[int] = []
            left = self.budget
            for n, k in enumerate(waiting):
                size = len(sequences[k].ids) - 1 - skipped
                if not group or size <= left:
                    group.append(k)
                    left -= size
                else:
                    rest.append(k)
                if left <= 0:
                    rest += waiting[n + 1 :]
                    break
            return group, rest
        fills = self.padded and self.rows != "alone"
        count = max(1, self.budget // max(1, longest)) if fills else 1
        return waiting[:count], waiting[count:]

    @property
    def _packs(self) -> bool:
        return self.packed and self.rows == "packed"

    def _prefix(self, ids: Sequence[int]) -> Prefix:
        """These tokens through the backbone."""
        import torch

        body = self.model.base_model if self.gathered else self.model
        with through_onednn(self.products):
            out = body(input_ids=torch.tensor([list(ids)], device=self.device), use_cache=True)
        return Prefix(len(ids), out.past_key_values)

    def _run(self, group: Sequence[Sequence_], prefix: Prefix | None = None) -> list[Any]:
        """The losses of a group, as float32 arrays."""
        import torch

        together = prefix is not None or (self._packs and len(group) > 1)
        with through_onednn(self.products):
            hidden, where = self._packed(group, prefix) if together else self._rows(group)
            positions = torch.cat(where).to(self.device)
            targets = torch.tensor([t for s in group for t in s.ids[s.start :]], device=self.device)
            values = self._score(hidden, positions, targets).cpu().numpy()
        found, at = [], 0
        for s in group:
            count = len(s.ids) - s.start
            found.append(values[at : at + count])
            at += count
        return found

    def _packed(self, group: Sequence[Sequence_], prefix: Prefix | None = None) -> tuple[Any, list[Any]]:
        """All sequences in one row, told apart by their positions, or by a mask behind a prefix."""
        import torch

        skip = prefix.length if prefix else 0
        sizes = [len(s.ids) - 1 - skip for s in group]
        ids = torch.tensor([[t for s in group for t in s.ids[skip:-1]]], device=self.device)
        places = torch.tensor([[p for size in sizes for p in range(skip, skip + size)]], device=self.device)
        weight = self.model.get_output_embeddings().weight
        out = self._forward(ids, position_ids=places, **(prefix.behind(sizes, weight) if prefix else {}))
        where, at = [], 0
        for s, size in zip(group, sizes, strict=True):
            where.append(torch.arange(at + s.start - 1 - skip, at + size))
            at += size
        return out[0], where

    def _rows(self, group: Sequence[Sequence_]) -> tuple[Any, list[Any]]:
        """One sequence a row, filled up at the right: with a causal model later tokens change nothing before them."""
        import torch

        width = max(len(s.ids) for s in group) - 1
        ids = torch.tensor([[*s.ids[:-1], *[0] * (width - len(s.ids) + 1)] for s in group], device=self.device)
        out = self._forward(ids)
        where = [torch.arange(k * width + s.start - 1, k * width + len(s.ids) - 1) for k, s in enumerate(group)]
        return out.reshape(-1, out.shape[-1]), where

    def _forward(self, ids: Any, **more: Any) -> Any:
        """Hidden states, or logits where the head cannot be taken by itself."""
        if self.gathered:
            return self.model.base_model(input_ids=ids, use_cache=False, **more).last_hidden_state
        return self.model(input_ids=ids, use_cache=False, **more).logits

    def _score(self, hidden: Any, positions: Any, targets: Any) -> Any:
        """Losses at these positions, a chunk of them at a time."""
        import torch

        head = self.model.get_output_embeddings()
        out = torch.empty(len(positions), dtype=torch.float32, device=self.device)
        for at in range(0, len(positions), self.chunk):
            picked = hidden[positions[at : at + self.chunk]]
            logits = self._finish(head(picked)) if self.gathered else picked
            wide = logits if logits.dtype == torch.float64 else logits.float()
            out[at : at + self.chunk] = torch.nn.functional.cross_entropy(
                wide, targets[at : at + self.chunk], reduction="none"
            )
        return out

    # ------------------------------------------------------------------------------------------------ shortcuts

    def _probe(self) -> None:
        """Find out which shortcuts give what the model's own forward gives."""
        import torch

        few = min(self.context or 24, 24)
        chance = torch.Generator().manual_seed(0)
        first, *others = (
            torch.randint(self.vocabulary, (size,), generator=chance).tolist()
            for size in (few, max(2, few // 2), max(2, few // 3))
        )
        skip = few // 6
        probes = [Sequence_(ids, 1) for ids in (first, *(first[:skip] + ids[skip:] for ids in others))]
        with torch.inference_mode():

            def alone() -> list[Any]:
                return [self._run([probe])[0] for probe in probes]

            wanted = alone()
            self.gathered = self._agrees("gathered", alone, wanted)
            with fused_activations(self.model) as keep:
                self.fused = self._agrees("fused", alone, wanted)
                if self.fused and (self.device.type != "cpu" or fused_is_faster()):
                    keep()
            self._choose_products(alone, wanted)
            self.padded = self._agrees("padded", lambda: self._run(probes), wanted)
            self.packed = self._agrees("packed", lambda: self._run(probes), wanted)
            if self.packed and skip:
                ends = [Sequence_(ids, skip + 1) for ids, _ in probes]
                later = [values[skip:] for values in wanted]
                self.shared = self._agrees("shared", lambda: self._run(ends, self._prefix(first[:skip])), later)
            self._choose_rows()

    def _choose_products(self, alone: Callable[[], list[Any]], wanted: Sequence[Any]) -> None:
        """Find out whether oneDNN gives the same, and for which weights it is the sooner one."""
        if self.device.type != "cpu":
            return
        seen: dict[Product, Any] = {}

        def all_of_them() -> list[Any]:
            with through_onednn(seen=seen):
                return alone()

        self.quick = self._agrees("quick", all_of_them, wanted)
        if self.quick:
            self.products = sooner_through_onednn(seen)

    def _choose_rows(self) -> None:
        """Measure two layers on rows as long as those of instruction data."""
        import torch

        if self.device.type != "cpu":
            return
        ids = torch.arange(max(SIZES) + 1).remainder(self.vocabulary).tolist()
        some = [Sequence_(ids[: min(size, self.context or size)], 1) for size in SIZES]
        ways: dict[str, Callable[[], Any]] = {"alone": lambda: [self._rows([s]) for s in some]}
        if self.padded:
            ways["padded"] = lambda: [self._rows(some[:2]), self._rows(some[2:])]
        if self.packed:
            ways["packed"] = lambda: self._packed(some)
        config = self.model.config.get_text_config()
        heads = getattr(config, "num_attention_heads", None)
        hidden = getattr(config, "hidden_size", None)
        question = f"rows {config.model_type} {hidden}, {heads} heads, {self.model.dtype}, {', '.join(ways)}"
        with _two_layers(self.model), through_onednn(self.products):
            self.rows = fastest({question: ways})[question]

    def _agrees(self, name: str, run: Callable[[], list[Any]], wanted: Sequence[Any]) -> bool:
        setattr(self, name, True)
        limit = SAME.get(str(self.model.dtype).removeprefix("torch."), COARSE)
        try:
            found = run()
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):  # not made for this at all
            return False
        finally:
            setattr(self, name, False)
        return all(abs(a - b).max() <= limit for a, b in zip(found, wanted, strict=True))


@contextmanager
def _two_layers(model: Any) -> Iterator[None]:
    """Within the block a model has only its first two layers, for measurements that stand for all of them."""
    count = getattr(model.config.get_text_config(), "num_hidden_layers", 0)
    found = [
        (module, name, child)
        for module in model.modules()
        for name, child in module.named_children()
        if type(child).__name__ == "ModuleList" and len(child) == count
    ]
    for module, name, child in found:
        setattr(module, name, child[:2])
    try:
        yield
    finally:
        for module, name, child in found:
            setattr(module, name, child)


def _checked(values: Any) -> Losses:
    import numpy as np

    if values is None:
        return Losses(np.empty(0, np.float32), "out_of_memory")
    if not np.isfinite(values).all():
        return Losses(np.empty(0, np.float32), "not_finite")
    return Losses(values)


def _finisher(config: Any) -> Callable[[Any], Any]:
    """What an architecture does after its head: multiply (Cohere), divide (Granite), cap the logits (Gemma)."""
    factor = getattr(config, "logit_scale", None)
    divisor = getattr(config, "logits_scaling", None)
    cap = getattr(config, "final_logit_softcapping", None)

    def finish(logits: Any) -> Any:
        import torch

        if isinstance(factor, (int, float)) and factor != 1:
            logits = logits * factor
        if isinstance(divisor, (int, float)) and divisor not in (0, 1):
            logits = logits / divisor
        if isinstance(cap, (int, float)) and cap and math.isfinite(cap):
            logits = cap * torch.tanh(logits / cap)
        return logits

    return finish
