"""Reward models of the type `gpt_neox_reward_model`, OpenAssistant's on Pythia, which transformers does not know.

A GPT-NeoX without its head over the vocabulary, and one linear layer over its last hidden states: those of the last
token, or their mean, as `pooling` in the configuration says. Configuration and safetensors are all that is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hfclean.errors import require
from hfclean.models.failures import ModelError

KIND = "gpt_neox_reward_model"
POOLINGS = ("last", "mean")
WEIGHT, BIAS = "out_proj.weight", "out_proj.bias"
# the form of a turn for OpenAssistant's models: a marker, the text, and the token that ends a text
MARKERS = {"user": "<|prompter|>", "assistant": "<|assistant|>", "system": "<|system|>"}


def load_reward_model(name: str, folder: Path, about: Mapping[str, Any], dtype: Any) -> tuple[Any, Any]:
    """The model, which gives `.logits` of one column, and its tokenizer; `about` is what `config.json` holds.

    Raises:
        ModelError: the folder holds no such model.
    """
    torch = require("torch", extra="models")
    transformers = require("transformers", extra="models")
    pooling = about.get("pooling") or "last"
    if pooling not in POOLINGS:
        raise ModelError(f"{name}: pooling in config.json is {pooling!r:.40}; expected {' or '.join(POOLINGS)}")
    known = {key: value for key, value in about.items() if key not in ("model_type", "architectures", "auto_map")}
    safely = {"trust_remote_code": False, "local_files_only": True}
    try:
        with quiet_loading(transformers):
            config = transformers.GPTNeoXConfig.from_dict(known)
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, config=config, **safely)
            body, loading_info = transformers.GPTNeoXModel.from_pretrained(
                folder, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True, **safely
            )
            weight, bias = _head(folder)
    except Exception as e:
        reason = " ".join(str(e).split())[:400]
        raise ModelError(f"{name} is not readable as a {KIND} ({type(e).__name__}: {reason})") from e
    missing = sorted(loading_info["missing_keys"]) + [
        key for key, found in ((WEIGHT, weight), (BIAS, bias)) if found is None
    ]
    if missing:
        raise ModelError(
            f"{name} holds no weights for {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}; expected all "
            f"of GPT-NeoX under gpt_neox. and the head as {WEIGHT} and {BIAS}"
        )
    if tuple(weight.shape) != (1, config.hidden_size) or tuple(bias.shape) != (1,):
        raise ModelError(
            f"{name}: {WEIGHT} has the shape {tuple(weight.shape)} and {BIAS} {tuple(bias.shape)}; expected "
            f"(1, {config.hidden_size}) and (1,)"
        )
    body.config.id2label = {0: "reward"}
    return _model(torch, body, weight.to(dtype), bias.to(dtype), pooling), tokenizer


@contextmanager
def quiet_loading(transformers: Any) -> Iterator[None]:
    """Without the table of missing and unused weights: missing ones raise an error, unused ones are intended."""
    logging = transformers.utils.logging
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def turns_of(tokenizer: Any, turns: Sequence[tuple[str, str]]) -> list[tuple[str, bool]] | None:
    """A conversation in the form of OpenAssistant's models, in pieces, each with whether it is a row's text; None
    where the tokenizer does not know their markers.

    Args:
        turns: role and text of each; other roles than assistant and system count as the user.
    """
    known = set(map(str, tokenizer.added_tokens_decoder.values()))
    end = tokenizer.eos_token
    if not end or not {MARKERS["user"], MARKERS["assistant"]} <= known:
        return None
    pieces: list[tuple[str, bool]] = []
    for role, text in turns:
        marker = MARKERS.get(role, MARKERS["user"])
        pieces += [(marker if marker in known else MARKERS["user"], False), (text, True), (end, False)]
    return pieces


def _head(folder: Path) -> tuple[Any, Any]:
    """Weight and bias of the linear layer, each None where no file has it."""
    safetensors = require("safetensors", extra="models")
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safetensors.safe_open(file, "pt") as tensors:
            for key in {WEIGHT, BIAS} & set(tensors.keys()):
                found[key] = tensors.get_tensor(key)
    return found.get(WEIGHT), found.get(BIAS)


def _model(torch: Any, body: Any, weight: Any, bias: Any, pooling: str) -> Any:
    """A module of the body with its head."""

    class RewardModel(torch.nn.Module):  # type: ignore[misc]
        read_here = True

        def __init__(self) -> None:
            super().__init__()
            self.config = body.config
            self.gpt_neox = body
            self.out_proj = torch.nn.Linear(body.config.hidden_size, 1).to(weight.dtype)
            with torch.no_grad():
                self.out_proj.weight.copy_(weight)
                self.out_proj.bias.copy_(bias)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.gpt_neox(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)[0]
            counts = attention_mask.sum(1)
            if pooling == "mean":
                pooled = (hidden * attention_mask.unsqueeze(-1)).sum(1) / counts.unsqueeze(-1)
            else:
                pooled = hidden[torch.arange(len(hidden), device=hidden.device), counts - 1]
            return SimpleNamespace(logits=self.out_proj(pooled))

    return RewardModel()
