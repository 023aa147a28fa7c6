"""Base of the scorers that read numbers off a local model: which model, and how much at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from hfclean.errors import HfcleanError
from hfclean.models import ModelError, ModelSpec
from hfclean.models.heads import Head, Kind, Output, files_of, open_head
from hfclean.models.stored_outputs import Keeper
from hfclean.models.weights import fingerprint
from hfclean.schema import Pair
from hfclean.scorers.scoring import Scorer
from hfclean.transform import UNSAID


@dataclass(frozen=True)
class HeadScorer(Scorer):
    """Base of the scorers that read numbers off a model.

    The model is a folder or a Hub id with weights in safetensors; no code beside them is run. It is loaded
    when the first row needs it, once in a process, and its commit, or the hash of its files, is in `edit_history`.

    Args:
        model: a folder or a Hub id.
        revision: git ref of a Hub id.
        dtype: of the weights; `"auto"` is float32, which is exact. `"bfloat16"` takes half the memory and is faster
            where the processor has it, and moves scores by a few hundredths of their spread.
        device: such as `"cuda:0"`; by default a GPU if there is one.
        max_length: most tokens of one input; by default what the model takes. A longer one has no score (`too_long`).
        batch_tokens: tokens that go through the model at once; changes no score. None for a choice by device.
        store: the file that keeps the model's outputs as they are computed, so that a killed run computes no row
            twice; None for the usual one under `HFCLEAN_HOME`, False to keep none.
    """

    contained: ClassVar[bool] = False
    loads: ClassVar[Kind] = "encoder"

    model: str | None = field(metadata=UNSAID)
    revision: str | None = field(default=None, kw_only=True)
    dtype: str = field(default="auto", kw_only=True, metadata=UNSAID)
    device: str | None = field(default=None, kw_only=True, metadata=UNSAID)
    max_length: int | None = field(default=None, kw_only=True)
    batch_tokens: int | None = field(default=None, kw_only=True, metadata=UNSAID)
    store: str | Literal[False] | None = field(default=None, kw_only=True, metadata=UNSAID)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.model, Path):
            object.__setattr__(self, "model", str(self.model))
        for name in ("max_length", "batch_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise HfcleanError(f"{type(self).__name__}({name}={value}): expected at least 1 token")
        self.spec()

    def folder(self) -> str:
        """The folder or Hub id of the model.

        Raises:
            ModelError: no model was named.
        """
        if not self.model:
            raise ModelError(f"{type(self).__name__} needs a model: a folder or a Hub id")
        return self.model

    def spec(self) -> ModelSpec:
        """The spec of the model."""
        dtype = "float32" if self.dtype == "auto" else self.dtype
        return ModelSpec(self.folder(), revision=self.revision, dtype=dtype, device=self.device, store=self.store)

    def head(self) -> Head:
        """The loaded model."""
        return open_head(self.spec(), self.loads, budget=self.batch_tokens)

    def kept(self, head: Head, **what: Any) -> Keeper | None:
        """The keeper of the model's outputs.

        Args:
            head: the loaded model.
            what: which value is read off: everything it depends on besides weights and tokens.
        """
        return head.keeper(what, self.store, self.spec().dtype)

    def settings(self) -> dict[str, Any]:
        return {**self.spec().settings(), **super().settings()}

    def depends(self) -> dict[str, Any]:
        return {"weights": fingerprint(self.folder())}

    def identity(self) -> str:
        return files_of(self.spec()).identity


def number(output: Output) -> float:
    """The one number of an output; nan where there is none."""
    return math.nan if output.reason else float(output.values)


def texts_of(pair: Pair, named: Sequence[str] | set[str]) -> dict[str, str]:
    """The values of a prompt's placeholders. `instruction` is the instruction with its input, unless the prompt
    has a place for the input too."""
    history = "".join(f"{turn.text}\n" for turn in pair.history)
    return {
        "instruction": pair.instruction if "input" in named else pair.prompt,
        "input": pair.input,
        "prompt": pair.prompt,
        "response": pair.response,
        "output": pair.response,
        "history": (f"{pair.system}\n" if pair.system else "") + history,
    }
