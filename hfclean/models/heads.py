"""Models that run here and are read off instead of asked to write: reward heads, encoders, first-token logits.

    head = open_head(spec, "classifier")
    pairs = [head.coder.couple("Name a fruit.", "An apple.")]
    outputs = head.run(pairs, lambda rows: head.model(**rows.inputs).logits)

Batches are of like length and as many tokens as a budget allows; order, neighbours and budget do not change the
outputs beyond rounding. Where a `Keeper` is given, outputs are written to the file of answers as they are computed.
Weights are loaded once in a process, safetensors only, and never with their own code.
"""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hfclean.errors import require
from hfclean.models import process
from hfclean.models.failures import ModelError, StoreError
from hfclean.models.local import device_of, dtype_of, load_causal, ready_torch, unless_out_of_memory
from hfclean.models.reward_models import KIND, load_reward_model, quiet_loading
from hfclean.models.spec import ModelSpec
from hfclean.models.store import open_store
from hfclean.models.stored_outputs import Keeper
from hfclean.models.tokenizing import Coder, Tokens
from hfclean.models.weights import ModelFiles, find_model, mark, read_json, refuse_unsafe

Kind = Literal["causal", "classifier", "seq2seq", "encoder"]

# why there is no number, or (`truncated`) what it is a number of
REASONS = {
    "empty": "no text to score",
    "no_instruction": "no instruction to hold the response against",
    "too_long": "longer than the model takes, or than max_length; nothing was cut to make it fit",
    "truncated": "only the beginning was read, as much as the model takes",
    "turns": "the model's chat template takes no such turns",
    "out_of_memory": "this row alone does not fit the memory of the device",
    "not_finite": "the model gave no finite number",
}

# tokens that go through the model at once: few enough that their activations stay in the cache of a core
BUDGET = {"cpu": 512, "cuda": 16_384, "mps": 2_048, "xpu": 16_384}
AUTO = {
    "classifier": "AutoModelForSequenceClassification",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "encoder": "AutoModel",
}
# these count positions from after the padding token's number, which loses that many positions
SHIFTED = ("camembert", "data2vec-text", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta")


class Output(NamedTuple):
    """A model's output for one input, as a float32 array, or why there is none (a key of `REASONS`)."""

    values: Any
    reason: str = ""


@dataclass(frozen=True)
class Rows:
    """A batch as tensors, filled up at the right.

    Args:
        inputs: what the model's forward takes.
        last: the place of each row's last token.
    """

    inputs: dict[str, Any]
    last: Any

    def at_last(self, values: Any) -> Any:
        """Of (rows, places, ...) the values at each row's last token."""
        import torch

        return values[torch.arange(len(self.last), device=values.device), self.last.to(values.device)]


@dataclass(frozen=True)
class _Weights:
    """The state that the workers of a pool share."""

    model: Any
    tokenizer: Any
    pad: int | None  # as the configuration has it, whatever is written there later


def files_of(spec: ModelSpec) -> ModelFiles:
    """The location and identity of a spec's model; found once in a process, and again when its files change.

    Raises:
        ModelError: there is no such model, or it does not run here.
    """
    if spec.kind != "local" or not isinstance(spec.model, str):
        raise ModelError(f"{spec.name} does not run here; expected a folder or a Hub id")
    name = spec.model
    return process.once(("files", spec, mark(name)), lambda: _find(spec, name))


def _find(spec: ModelSpec, name: str) -> ModelFiles:
    store = None
    if spec.store is not False:
        with suppress(StoreError):  # it only remembers digests: without, large files are read once more
            store = open_store(spec.store)
    return find_model(name, spec.revision, store)


def open_head(spec: ModelSpec, kind: Kind, *, budget: int | None = None) -> Head:
    """The model of a spec, loaded once in a process; the workers of its pools share the weights.

    Args:
        kind: what of it is needed: a causal model with its logits, a classifier's head, a model that reads one text
            and writes another, or the hidden states.
        budget: tokens at once; None for a choice by device.

    Raises:
        ModelError: it cannot be loaded, only with its own code, or has no such head.
    """
    torch = ready_torch()
    device = device_of(torch, spec.device)
    files = files_of(spec)
    key = ("head", kind, files.folder, files.identity, spec.dtype, device)

    def make() -> Head:
        weights = process.keep_across_fork(key, lambda: _read(spec, files, device, kind))
        return Head(weights, kind, files, spec.name, budget)

    return process.once((*key, budget), make)


def _read(spec: ModelSpec, files: ModelFiles, device: str, kind: Kind) -> _Weights:
    if kind == "causal":
        model, tokenizer = load_causal(spec, files)
        return _Weights(model, tokenizer, model.config.get_text_config().pad_token_id)
    torch = require("torch", extra="models")
    transformers = require("transformers", extra="models")
    refuse_unsafe(files)
    if files.base is not None:
        raise ModelError(
            f"{spec.name} is an adapter, and this needs a whole model: merge_and_unload() of peft and "
            "save_pretrained() make one of it"
        )
    dtype = dtype_of(torch, spec.dtype or "float32", "cpu")
    where: dict[str, Any] = {"device_map": "auto"} if device == "auto" else {}
    safely = {"trust_remote_code": False, "local_files_only": True}
    about = read_json(files.folder / "config.json")
    if isinstance(about, dict) and about.get("model_type") == KIND:
        if kind != "classifier":
            raise ModelError(
                f"{spec.name} is of the type {KIND!r}, which gives rewards only: hfclean.scorers.Reward reads them"
            )
        reward_model, tokenizer = load_reward_model(spec.name, files.folder, about, dtype)
        reward_model = reward_model.to(device_of(torch, None) if where else device)
        return _Weights(reward_model.eval(), tokenizer, reward_model.config.pad_token_id)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(files.folder, **safely)
        with quiet_loading(transformers):
            model, loading_info = getattr(transformers, AUTO[kind]).from_pretrained(
                files.folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **safely, **where
            )
    except Exception as e:
        reason = " ".join(str(e).split())[:400]
        raise ModelError(f"{spec.name} cannot be loaded ({type(e).__name__}: {reason})") from e
    # what is missing was filled at random; a pooler stands behind the hidden states and is not looked at
    missing = sorted(key for key in loading_info["missing_keys"] if kind != "encoder" or "pooler" not in key)
    if missing:
        raise ModelError(
            f"{spec.name} holds no weights for {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}: it was "
            f"not trained as a {type(model).__name__}, and its scores would be chance; take a model that was"
        )
    model.config.get_text_config().use_cache = False  # nothing is written after what is read
    if kind == "encoder" and model.config.is_encoder_decoder:
        model = model.get_encoder()
    if not where:
        model = model.to(device)
    return _Weights(model.eval(), tokenizer, model.config.get_text_config().pad_token_id)


class Head:
    """A loaded model, its tokenizer, and batches through it of `budget` tokens at once. Use `open_head`."""

    def __init__(self, weights: _Weights, kind: Kind, files: ModelFiles, name: str, budget: int | None) -> None:
        self.model = weights.model
        self.tokenizer = weights.tokenizer
        self.kind = kind
        self.files = files
        self.name = name
        self.config = self.model.config.get_text_config()
        self.device = next(self.model.parameters()).device
        self.budget = budget or BUDGET.get(self.device.type, 512)
        self._pad = weights.pad
        takes = inspect.signature(self.model.forward).parameters
        self._takes_types = "token_type_ids" in takes
        self._keeps_logits = "logits_to_keep" in takes
        self.coder = Coder(self.tokenizer, name)

    @property
    def read_here(self) -> bool:
        """Whether transformers does not know this type of model: it has no form for texts."""
        return bool(getattr(self.model, "read_here", False))

    @property
    def context(self) -> int | None:
        """Most tokens that the model takes; None where its architecture sets no end."""
        longest = getattr(self.config, "max_position_embeddings", None)
        if not isinstance(longest, int) or longest <= 0:
            return None
        return longest - (self._pad or 0) - 1 if self.config.model_type in SHIFTED else longest

    def fitting(self, tokens: Tokens | str, max_length: int | None) -> Tokens | str:
        """The same, or `too_long`."""
        limits = [limit for limit in (max_length, self.context) if limit]
        if isinstance(tokens, Tokens) and limits and len(tokens.ids) > min(limits):
            return "too_long"
        return tokens

    def keeper(self, what: Mapping[str, Any], store: str | Literal[False] | None, dtype: str | None) -> Keeper | None:
        """The keeper of the outputs that `run` computes; None with `store=False`.

        Args:
            what: which value is read off, as JSON can hold it: everything it depends on besides weights and tokens.
            store: the file of answers; None for the usual one.
            dtype: of the weights, as the spec names it.

        Raises:
            StoreError: the file cannot be opened.
        """
        if store is False:
            return None
        whose = " ".join(filter(None, ["local", self.files.identity, dtype]))
        settings = json.dumps({"kind": self.kind, **what}, sort_keys=True)
        return Keeper(open_store(store), whose, settings, self.files.identity)

    def run(
        self, inputs: Sequence[Tokens | str], forward: Callable[[Rows], Any], keeper: Keeper | None = None
    ) -> list[Output]:
        """The model's output for each input, in order.

        Args:
            inputs: tokens, or the reason why there are none.
            forward: from a batch to a tensor with one row, or number, for each of its rows.
            keeper: where outputs are looked up first, and kept as they are computed.
        """
        wanted = list(dict.fromkeys(each for each in inputs if isinstance(each, Tokens) and each.ids))
        known = keeper.known(wanted) if keeper is not None else {}
        found = {tokens: Output(values) for tokens, values in known.items()}

        def compute(missing: Sequence[Tokens]) -> None:
            for tokens, output in self._computed(missing, forward):
                found[tokens] = output
                if keeper is not None and not output.reason:
                    keeper.add(tokens, output.values)

        missing = [tokens for tokens in wanted if tokens not in found]
        if keeper is None:
            compute(missing)
        else:
            found |= {tokens: Output(values) for tokens, values in keeper.share(missing, compute).items()}
        return [
            Output(None, each) if isinstance(each, str) else found.get(each, Output(None, "empty")) for each in inputs
        ]

    def _computed(self, inputs: Sequence[Tokens], forward: Callable[[Rows], Any]) -> Iterator[tuple[Tokens, Output]]:
        """The model's outputs as they become ready: the longest inputs first."""
        waiting = sorted(inputs, key=lambda tokens: -len(tokens.ids))
        while waiting:
            group = waiting[: max(1, self.budget // len(waiting[0].ids))]
            values = self._group(group, forward)
            if values is None and len(group) > 1:  # too large for the memory, and so will be the next ones
                self.budget = max(1, self.budget // 2)
                continue
            del waiting[: len(group)]
            for n, tokens in enumerate(group):
                yield tokens, Output(None, "out_of_memory") if values is None else _checked(values[n])

    def last_logits(self, rows: Rows, wanted: Sequence[int]) -> Any:
        """The logits of some tokens behind each row, of a causal model."""
        import torch

        if not self._keeps_logits:
            logits = rows.at_last(self.model(**rows.inputs, use_cache=False).logits)
        else:  # the head at a few places only: a matrix of all places by the whole vocabulary is large
            places, which = torch.unique(rows.last, return_inverse=True)
            kept = self.model(**rows.inputs, use_cache=False, logits_to_keep=places).logits
            logits = Rows({}, which).at_last(kept)
        return logits[:, list(wanted)]

    def _group(self, group: Sequence[Tokens], forward: Callable[[Rows], Any]) -> Any:
        """The values of a group as a float32 array; None where it does not fit the memory."""
        lock = process.once(("head lock", id(self.model)), threading.Lock)
        with lock:
            return unless_out_of_memory(lambda: forward(self._rows(group)).float().cpu().numpy())

    def _rows(self, group: Sequence[Tokens]) -> Rows:
        import torch

        width = max(len(each.ids) for each in group)
        pad = self._pad
        if pad is None:
            used = {token for each in group for token in each.ids}
            pad = next(token for token in range(len(used) + 1) if token not in used)
            if self.kind == "classifier":  # which looks for the last token that is not this one
                self.config.pad_token_id = pad
        ids = [[*each.ids, *[pad] * (width - len(each.ids))] for each in group]
        mask = [[1] * len(each.ids) + [0] * (width - len(each.ids)) for each in group]
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self._takes_types and group[0].types:
            inputs["token_type_ids"] = [[*each.types, *[0] * (width - len(each.types))] for each in group]
        last = torch.tensor([len(each.ids) - 1 for each in group], device=self.device)
        return Rows({name: torch.tensor(value, device=self.device) for name, value in inputs.items()}, last)


def _checked(values: Any) -> Output:
    import numpy as np

    return Output(values) if np.isfinite(values).all() else Output(None, "not_finite")
