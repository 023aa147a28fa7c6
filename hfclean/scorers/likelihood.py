"""Scores from how likely a language model finds an answer: IFD and its relatives, perplexity, IRA.

All of them compare the same tokens, cut once: the answer's tokens as they are after its prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

from hfclean.columns import Column
from hfclean.errors import HfcleanError
from hfclean.models.losses import Passage, Tokenization, TokenLosses, token_losses
from hfclean.schema import Pair
from hfclean.scorers.likelihood_scorer import LikelihoodScorer, fill_template, score_columns

GUESS = "{response}\n\nThe text above answers an instruction. The instruction is:\n"
# the longest lengths of the published scripts
SUPERFILTERING_LENGTH = 1024
CHERRY_LENGTH = 512
CHERRY_HEADER = "### Response:"  # what its scripts put before an answer without its prompt


def _mean(values: Any) -> float:
    return float(values.mean(dtype="float64"))


def _ratio(kind: str, given: Any, alone: Any) -> float:
    below, bare = _mean(given), _mean(alone)
    return math.exp(below - bare) if kind == "ppl" else below / bare


VERDICT = "misaligned (the prompt does not help), easy or informative; empty where there is no IFD"


@dataclass(frozen=True)
class IFD(LikelihoodScorer):
    """Instruction-following difficulty: how little the prompt helps the model with the answer.

    `s(a|Q)` is the mean loss of the answer's tokens after the prompt, `s(a)` that of the same tokens without it.
    Two formulas go by this name, and they rank rows differently: `kind="ppl"` is `exp(s(a|Q) - s(a))`, the ratio of
    perplexities of Superfiltering (arXiv 2402.00530), `kind="loss"` is `s(a|Q) / s(a)`, the ratio of losses of the
    paper (Cherry LLM, arXiv 2308.12032).

    Adds `ifd_ppl` or `ifd_loss` (float, 0 and up; below 1 the prompt helps; Superfiltering drops 1 and more as
    misaligned, Cherry only what is above 1, and both keep the highest of the rest; nan where there is none), its
    `_reason` (`""`, `truncated` beside a number; else `empty`, `too_long`, `not_finite`, `out_of_memory` or a server's
    error), and with `verdict=True` its `_verdict`: `misaligned` (1 or more; with `variant="cherry"`, more than 1),
    `easy` (below `easy_below`) or `informative`. With `turns="all"` also `_turns`, a list with the score of each
    assistant turn, of which the score is the mean.

    Limits: it selects mostly by length, and a swapped or wrong answer can look informative.

    Args:
        kind: `"ppl"` or `"loss"`; by default the one by which the variant selects: `"loss"` with `"cherry"`, else
            `"ppl"`.
        variant: `"aligned"` scores the same tokens with the prompt and without. `"superfiltering"` and `"cherry"` cut
            them as those scripts do, each answer by itself: the first with at most 1,024 tokens, and with GPT-2 the
            first token of the answer counts behind the prompt only; the second with at most 512, the `alpaca`
            template with its preamble, and its response header before the bare answer. Cherry's script leaves out
            rows that do not fit; here they are scored as far as they do, and say `truncated`. For comparisons with
            their published sets, and `"cherry"` for a model that `hfclean.training.tune_on_experience` tuned.
        verdict: whether to add the verdict.
        easy_below: an IFD under this is called easy.
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        *score_columns(
            "ifd_ppl",
            "instruction-following difficulty: perplexity of the answer given its prompt, divided by its perplexity "
            "without the prompt; below 1 the prompt helps, nan = not scored",
        ),
        *score_columns(
            "ifd_loss",
            "instruction-following difficulty: loss of the answer given its prompt, divided by its loss without the "
            "prompt; below 1 the prompt helps, nan = not scored",
        ),
        Column("ifd_ppl_verdict", VERDICT, "text"),
        Column("ifd_loss_verdict", VERDICT, "text"),
    )

    kind: Literal["ppl", "loss"] | None = field(default=None, kw_only=True)
    variant: Literal["aligned", "superfiltering", "cherry"] = field(default="aligned", kw_only=True)
    verdict: bool = field(default=False, kw_only=True)
    easy_below: float = field(default=0.5, kw_only=True)

    def __post_init__(self) -> None:
        if self.variant not in ("aligned", "superfiltering", "cherry"):
            raise HfcleanError(f"IFD(variant={self.variant!r}): expected 'aligned', 'superfiltering' or 'cherry'")
        if self.kind is None:
            object.__setattr__(self, "kind", "loss" if self.variant == "cherry" else "ppl")
        if self.kind not in ("ppl", "loss"):
            raise HfcleanError(f"IFD(kind={self.kind!r}): expected 'ppl' or 'loss'")
        super().__post_init__()

    def scores(self) -> tuple[str, ...]:
        return (f"ifd_{self.kind}",)

    def more(self) -> tuple[str, ...]:
        return (f"ifd_{self.kind}_verdict",) if self.verdict else ()

    def reading(self) -> Tokenization:
        if self.variant == "superfiltering":
            return Tokenization(self.max_length or SUPERFILTERING_LENGTH, separate=True, offset=True)
        if self.variant == "cherry":
            return Tokenization(self.max_length or CHERRY_LENGTH, separate=True, offset=True)
        return Tokenization(self.max_length)

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        if self.variant == "cherry" and self.template is None:
            found["template"] = "alpaca"
        return found

    def passage(self, pair: Pair) -> Passage:
        if self.variant == "cherry":
            return Passage((fill_template(self.template or "alpaca", pair), CHERRY_HEADER), pair.response)
        return Passage((self.prompt(pair), ""), pair.response)

    def values(self, found: TokenLosses) -> tuple[float, ...]:
        return (_ratio(self.kind or "ppl", *found.values),)

    def score_rows(self, rows: Sequence[Sequence[Pair]]) -> dict[str, list[Any]]:
        columns = super().score_rows(rows)
        if self.verdict:
            (name,) = self.scores()
            columns[f"{name}_verdict"] = [self._say(value) for value in columns[name]]
        return columns

    def _say(self, value: float) -> str:
        if math.isnan(value):
            return ""
        if value > 1 or (value == 1 and self.variant != "cherry"):
            return "misaligned"
        return "easy" if value < self.easy_below else "informative"


@dataclass(frozen=True)
class ReverseIFD(LikelihoodScorer):
    """Reverse IFD: how little the answer helps the model to guess the instruction (arXiv 2402.10110).

    The same two formulas as `IFD`, with the instruction (and input) as the text and the answer, with a request to
    guess, before it. Adds `r_ifd_ppl` or `r_ifd_loss` (float, 0 and up, lower = the answer tells more of its
    instruction; nan where there is none) and its `_reason`. Without an answer there is nothing to guess from: nan, and
    the reason is `empty`.

    Args:
        kind: `"ppl"` or `"loss"`.
        guess: the request for the instruction, with `{response}` in it; the wording is ours. With a `template` it is
            put as the question of that, as the scripts do with Vicuna's; without one it stands alone.
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        *score_columns(
            "r_ifd_ppl",
            "reverse IFD: perplexity of the instruction given the answer, divided by its perplexity without; lower = "
            "the answer reveals more of its instruction, nan = not scored",
        ),
        *score_columns(
            "r_ifd_loss",
            "reverse IFD: loss of the instruction given the answer, divided by its loss without; lower = the answer "
            "reveals more of its instruction, nan = not scored",
        ),
    )

    kind: Literal["ppl", "loss"] = field(default="ppl", kw_only=True)
    guess: str = field(default=GUESS, kw_only=True)

    def scores(self) -> tuple[str, ...]:
        return (f"r_ifd_{self.kind}",)

    def passage(self, pair: Pair) -> Passage:
        if not pair.response.strip():
            return Passage(("",), "")  # which has no score, for the reason `empty`
        request = fill_template(self.guess, pair)
        if self.template is not None:
            request = self.prompt(Pair(request.rstrip()))
        return Passage((request, ""), pair.prompt)

    def values(self, found: TokenLosses) -> tuple[float, ...]:
        return (_ratio(self.kind, *found.values),)


@dataclass(frozen=True)
class Perplexity(LikelihoodScorer):
    """Perplexity of the answer: `exp` of the mean loss of its tokens after the prompt, or without it.

    Adds `ppl` (float, 1 and up, lower = the model expects the answer more; nan where there is none) and `ppl_reason`;
    with `given=False` the columns are `ppl_alone` and `ppl_alone_reason`. With `of="prompt"` it is the perplexity of
    instruction and input, with nothing before them, in `ppl_prompt` and `ppl_prompt_reason`.

    Args:
        given: whether the prompt comes before the answer.
        of: whose perplexity, `"response"` or `"prompt"`.
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        *score_columns("ppl", "perplexity of the answer given its prompt; nan = not scored", low=1),
        *score_columns("ppl_alone", "perplexity of the answer without its prompt; nan = not scored", low=1),
        *score_columns("ppl_prompt", "perplexity of the prompt; nan = not scored", low=1),
    )

    given: bool = field(default=True, kw_only=True)
    of: Literal["response", "prompt"] = field(default="response", kw_only=True)

    def __post_init__(self) -> None:
        if self.of not in ("response", "prompt"):
            raise HfcleanError(f"Perplexity(of={self.of!r}): expected 'response' or 'prompt'")
        super().__post_init__()

    def scores(self) -> tuple[str, ...]:
        if self.of == "prompt":
            return ("ppl_prompt",)
        return ("ppl",) if self.given else ("ppl_alone",)

    def passage(self, pair: Pair) -> Passage:
        if self.of == "prompt":
            return Passage(("",), pair.prompt)
        return Passage((self.prompt(pair) if self.given else "",), pair.response)

    def values(self, found: TokenLosses) -> tuple[float, ...]:
        return (math.exp(_mean(found.values[0])),)


@dataclass(frozen=True)
class IRA(LikelihoodScorer):
    """Instruction-response alignment: how far the prompt lowers the loss of the answer (FedDQC, arXiv 2410.11540).

    Adds `ira` (float, any sign, higher = better aligned: loss of the answer's tokens without the prompt less that
    behind it, summed, in nats, so it grows with length), `ira_mean` (the same for each token; nats per token), nan
    where there is none, and `ira_reason`.

    The paper's formula is the sum. The authors' code ranks by the difference of the mean losses, with the token that
    ends a text among them: `ira_mean` ranks as it does except for that token.
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        *score_columns(
            "ira",
            "how far the prompt lowers the loss of the answer, summed over its tokens; nan = not scored",
            low=None,
            better="higher",
            unit="nats",
        ),
        *score_columns(
            "ira_mean",
            "how far the prompt lowers the loss of the answer, as a mean over its tokens; nan = not scored",
            low=None,
            better="higher",
            unit="nats per token",
        ),
    )

    def scores(self) -> tuple[str, ...]:
        return ("ira", "ira_mean")

    def passage(self, pair: Pair) -> Passage:
        return Passage((self.prompt(pair), ""), pair.response)

    def values(self, found: TokenLosses) -> tuple[float, ...]:
        given, alone = found.values
        return (float((alone - given).sum(dtype="float64")), _mean(alone - given))


@dataclass(frozen=True)
class SelectiveIFD(LikelihoodScorer):
    """IFD over the tokens that the prompt changes most (the token selection of T-SHIRT, arXiv 2506.01317).

    Of every token, `d = loss behind the prompt - loss without it`; S-IFD is `exp` of the mean `d` of the tokens with
    `|d|` of at least `threshold`. The threshold is that of a whole dataset: `fit` finds it. Adds `s_ifd` (float, 0 and
    up, read as `ifd_ppl`; nan where there is none) and `s_ifd_reason` (also `no_token`: none reaches the threshold).

    Args:
        threshold: nats.
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        *score_columns("s_ifd", "IFD over the tokens that the prompt changes most; read as ifd_ppl, nan = not scored"),
    )

    threshold: float = field(default=0.0, kw_only=True)

    def scores(self) -> tuple[str, ...]:
        return ("s_ifd",)

    def passage(self, pair: Pair) -> Passage:
        return Passage((self.prompt(pair), ""), pair.response)

    def values(self, found: TokenLosses) -> tuple[float, ...]:
        given, alone = found.values
        change = (given - alone).astype("float64")
        chosen = change[abs(change) >= self.threshold]
        return (math.exp(chosen.mean()) if len(chosen) else math.nan,)

    def _numbers(self, losses: TokenLosses) -> tuple[tuple[float, ...], str]:
        values, reason = super()._numbers(losses)
        if (
            losses.scored
            and reason == "not_finite"
            and not (abs(losses.values[0] - losses.values[1]) >= self.threshold).any()
        ):
            return values, "no_token"
        return values, reason

    def fit(self, rows: Any, *, percentile: float = 50.0) -> Self:
        """The same scorer with the threshold of a dataset: the percentile of `|d|` over all of its tokens.

        Args:
            rows: a `Dataset` or a list of rows.
            percentile: 0 to 100; the paper uses 50 and 75.
        """
        import numpy as np

        from hfclean.schema import detect

        pairs = []
        for row in rows:
            view = detect(tuple(row), self.columns)
            pairs.append(self.pairs(row, view)[-1])
        found = token_losses(self.spec(), [self.passage(pair) for pair in pairs], self.reading())
        changes = [abs(losses.values[0] - losses.values[1]) for losses in found if losses.scored]
        if not changes:
            raise HfcleanError(f"{type(self).__name__}.fit: no row has a score, so there is no threshold")
        return replace(self, threshold=float(np.percentile(np.concatenate(changes), percentile)))
