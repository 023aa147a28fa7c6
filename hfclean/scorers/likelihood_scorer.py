"""What the scorers by token losses share: the settings, how a prompt is written, the columns.

A score that could not be computed is nan with a reason; an error never becomes a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from hfclean.columns import Better, Column
from hfclean.errors import HfcleanError
from hfclean.models import Limits, ModelSpec
from hfclean.models.losses import Passage, Tokenization, TokenLosses, identity_of, token_losses
from hfclean.models.weights import fingerprint
from hfclean.schema import Pair
from hfclean.scorers.scoring import Scorer
from hfclean.transform import UNSAID

# {prompt} stands for instruction and input, {instruction} and {input} for each; {if_input:...} goes without one.
# The words of "alpaca" are those that Stanford Alpaca's models are tuned with (tatsu-lab/stanford_alpaca, Apache-2.0),
# those of "vicuna" the turn format of Vicuna v1.1 (lm-sys/FastChat, Apache-2.0) with the input on its own lines: a
# model knows its own format only, and Cherry LLM and Selective Reflection-Tuning score in these.
TEMPLATES = {
    "lines": "{history}{instruction}\n{if_input:{input}\n}",
    "alpaca": (
        "Below is an instruction that describes a task"
        "{if_input:, paired with an input that provides further context}. "
        "Write a response that appropriately completes the request.\n\n"
        "{history}### Instruction:\n{instruction}\n\n{if_input:### Input:\n{input}\n\n}### Response:"
    ),
    "vicuna": (
        "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
        "detailed, and polite answers to the user's questions. "
        "{history}USER: {instruction}{if_input:\nInput:\n{input}} ASSISTANT:"
    ),
}
PLACE = re.compile(r"\{(?:history|instruction|input|prompt|response)\}")


@dataclass(frozen=True)
class LikelihoodScorer(Scorer):
    """Base of the scorers that ask a language model how likely a text is.

    Args:
        model: a folder or a Hub id to run here through transformers; with `base_url`, the name that a server gives it,
            one that returns the log-probabilities of prompts (vLLM).
        base_url: address of that server, as far as `/v1`.
        api_key_env: name of the environment variable that holds its key.
        revision: git ref of a Hub id.
        template: how a prompt is written: a name of `TEMPLATES`, or a text with `{instruction}`, `{input}`,
            `{prompt}` and `{history}` in it, and `{if_input:...}` around what is left out without an input; by default
            the instruction, a line break, the input if there is one and a line break, as in Superfiltering. `"alpaca"`
            has Alpaca's preamble, `"vicuna"` Vicuna's system sentence. A blank at the end costs no token: where the
            tokenizer joins it to the answer's first word, that token is the answer's, with the prompt and without.
        max_length: tokens of prompt and answer together; by default what the model takes. A longer answer is scored as
            far as it fits, and the row says `truncated`.
        dtype: of the weights; `"auto"` is float32, which is exact. `"bfloat16"` is two to three times as fast where
            the processor has it, several times slower where it has not, and moves IFD by up to a few hundredths.
        device: such as `"cuda:0"`; by default a GPU if there is one.
        cache_as: name of the model in the store, instead of its content.
        store: the file in which they are kept; None for the usual one under `HFCLEAN_HOME`, False to keep none.
        limits: rate limits, retries and timeouts of a server.
    """

    contained: ClassVar[bool] = False

    model: str = field(metadata=UNSAID)
    base_url: str | None = field(default=None, kw_only=True)
    api_key_env: str | None = field(default=None, kw_only=True, metadata=UNSAID)
    revision: str | None = field(default=None, kw_only=True)
    template: str | None = field(default=None, kw_only=True)
    max_length: int | None = field(default=None, kw_only=True)
    dtype: str = field(default="auto", kw_only=True)
    device: str | None = field(default=None, kw_only=True, metadata=UNSAID)
    cache_as: str | None = field(default=None, kw_only=True)
    store: str | Literal[False] | None = field(default=None, kw_only=True, metadata=UNSAID)
    limits: Limits = field(default=Limits(), kw_only=True, metadata=UNSAID)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.model, Path):
            object.__setattr__(self, "model", str(self.model))
        if self.max_length is not None and self.max_length < 2:
            raise HfcleanError(f"{type(self).__name__}(max_length={self.max_length}): expected at least 2 tokens")
        template = self.template
        if (
            template is not None
            and template not in TEMPLATES
            and not any(mark in template for mark in ("{instruction}", "{prompt}"))
        ):
            raise HfcleanError(
                f"{type(self).__name__}(template={template[:60]!r}): expected one of {', '.join(TEMPLATES)} or a text "
                "with {instruction} or {prompt} in it"
            )
        self.spec()

    def spec(self) -> ModelSpec:
        """The model and the way to it."""
        here = self.base_url is None
        return ModelSpec(
            self.model,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            revision=self.revision,
            dtype=("float32" if self.dtype == "auto" else self.dtype) if here else None,
            device=self.device,
            cache_as=self.cache_as,
            store=self.store,
            limits=self.limits,
        )

    def settings(self) -> dict[str, Any]:
        """What a score of this class depends on, spelled out for every row's history."""
        settings = {**self.spec().settings(), **super().settings(), "max_length": self.reading().max_length}
        return {**settings, "template": self.template or "lines"}

    def depends(self) -> dict[str, Any]:
        return {"weights": fingerprint(self.model)} if self.base_url is None else {}

    def identity(self) -> str:
        return identity_of(self.spec())

    def reading(self) -> Tokenization:
        """How texts are cut into tokens."""
        return Tokenization(self.max_length)

    # ------------------------------------------------------------------------------------------------ for subclasses

    def passage(self, pair: Pair) -> Passage:
        """The passage to score for a pair."""
        raise HfcleanError(f"{type(self).__name__} defines no passage(pair)")

    def values(self, found: TokenLosses) -> tuple[float, ...]:
        """The scores, one for each name of `scores`, from existing losses."""
        raise HfcleanError(f"{type(self).__name__} defines no values(found)")

    def scores(self) -> tuple[str, ...]:
        """The columns of numbers."""
        raise HfcleanError(f"{type(self).__name__} defines no scores()")

    def names(self) -> tuple[str, ...]:
        scores = self.scores()
        turns = tuple(f"{name}_turns" for name in scores) if self.turns == "all" else ()
        return (*scores, *turns, f"{scores[0]}_reason", *self.more())

    def more(self) -> tuple[str, ...]:
        """Further columns."""
        return ()

    def score_rows(self, rows: Sequence[Sequence[Pair]]) -> dict[str, list[Any]]:
        """One list per column of `names`, for rows of one pair or several, oldest first."""
        chosen = [pairs if self.turns == "all" else pairs[-1:] for pairs in rows]
        found = iter(
            token_losses(self.spec(), [self.passage(pair) for pairs in chosen for pair in pairs], self.reading())
        )
        columns: dict[str, list[Any]] = {name: [] for name in self.names()}
        for pairs in chosen:
            self._add(columns, [next(found) for _ in pairs])
        return columns

    def _add(self, columns: dict[str, list[Any]], turns: Sequence[TokenLosses]) -> None:
        """One row: the mean over its turns, each turn by itself on request, and why there is no number."""
        scores = self.scores()
        numbers, reasons = [], []
        for losses in turns:
            values, reason = self._numbers(losses)
            numbers.append(values)
            reasons.append(reason)
        for k, name in enumerate(scores):
            each = [values[k] for values in numbers]
            finite = [value for value in each if not math.isnan(value)]
            columns[name].append(sum(finite) / len(finite) if finite else math.nan)
            if self.turns == "all":
                columns[f"{name}_turns"].append(each)
        columns[f"{scores[0]}_reason"].append(" ".join(dict.fromkeys(filter(None, reasons))))

    def _numbers(self, losses: TokenLosses) -> tuple[tuple[float, ...], str]:
        none = (math.nan,) * len(self.scores())
        if not losses.scored:
            return none, losses.reason if losses.status == "error" else losses.status
        try:
            values = self.values(losses)
        except (OverflowError, ZeroDivisionError):
            return none, "not_finite"
        if not all(math.isfinite(value) for value in values):
            return none, "not_finite"
        return values, "truncated" if losses.status == "truncated" else ""

    def prompt(self, pair: Pair) -> str:
        """The prompt of a pair, written by the template."""
        return fill_template(self.template or "lines", pair)


def fill_template(template: str, pair: Pair) -> str:
    """A template, or one of `TEMPLATES` by its name, with a pair's texts in it, whatever they contain.

    >>> fill_template("Q: {instruction}{if_input: ({input})} A:", Pair("Add.", "1 and 2", "3"))
    'Q: Add. (1 and 2) A:'
    """
    template = TEMPLATES.get(template, template)
    while (start := template.find("{if_input:")) >= 0:
        depth, end = 1, start + len("{if_input:")
        while depth and end < len(template):
            depth += {"{": 1, "}": -1}.get(template[end], 0)
            end += 1
        inner = template[start + len("{if_input:") : end - 1] if pair.input else ""
        template = template[:start] + inner + template[end:]
    history = "".join(f"{turn.text}\n" for turn in pair.history)
    texts = {
        "{history}": (f"{pair.system}\n" if pair.system else "") + history,
        "{instruction}": pair.instruction,
        "{input}": pair.input,
        "{prompt}": pair.prompt,
        "{response}": pair.response,
    }
    return PLACE.sub(lambda found: texts[found[0]], template)


def score_columns(
    name: str, meaning: str, *, low: float | None = 0, better: Better = "", unit: str = ""
) -> list[Column]:
    """The columns of one score."""
    return [
        Column(name, meaning, low=low, better=better, unit=unit),
        Column(f"{name}_turns", f"each assistant turn's {name}", "numbers", low=low, better=better, unit=unit),
        Column(f"{name}_reason", f"why there is no {name}, or truncated if only the beginning was read", "text"),
    ]
