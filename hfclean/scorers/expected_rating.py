"""The rating that a language model would give on average, read off the probabilities of its next token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, get_args

from hfclean.columns import Column
from hfclean.errors import ColumnError, HfcleanError
from hfclean.models import ModelError, process
from hfclean.models.heads import Head, Kind, Output
from hfclean.models.tokenizing import Part, Tokens, fill, placeholders
from hfclean.schema import Pair
from hfclean.scorers.headed import HeadScorer, texts_of

_Form = Literal["paper", "file"]

_CASE = "Instruction:\n{instruction}\n\nResponse:\n{response}\n\n"
_ASKED = (
    "Rate from 1 to 5 how exactly the response does what the instruction asks; 5 is best.",
    "Think of a teacher who marks the response to the instruction from 1 (useless) to 5 (right and complete).",
    "On a scale of 1 to 5, how correct and how helpful is the response to the instruction?",
    "Does the response answer the instruction? 1 means not at all, 5 means fully and without mistakes.",
    "Give the response a mark between 1 and 5 for following the instruction and being right; higher is better.",
)
# ours, not those of the papers; a line break at the end, behind which a digit is a token by itself in all tokenizers
PROMPTS = {
    "deita": (
        _CASE + "How good is the response to the instruction, from 1 (worst) to 6 (best)? The answer is one digit:\n",
    ),
    "selectit": tuple(f"{asked}\n\n{_CASE}The mark is:\n" for asked in _ASKED),
}
RATINGS = {"deita": tuple("123456"), "selectit": tuple("12345")}


def probabilities(logits: Sequence[float]) -> list[float]:
    """Softmax.

    >>> probabilities([0.0, math.log(3)])
    [0.25, 0.75]
    """
    highest = max(logits)
    powers = [math.exp(z - highest) for z in logits]
    whole = math.fsum(powers)
    return [power / whole for power in powers]


def expected_value(logits: Sequence[float], values: Sequence[float]) -> float:
    """`sum_k value_k * softmax(logits)_k`, the score of DEITA (arXiv 2312.15685) with the values 1 to 6.

    >>> expected_value([0.0] * 6, [1, 2, 3, 4, 5, 6])
    3.5
    """
    return math.fsum(p * value for p, value in zip(probabilities(logits), values, strict=True))


def selectit_token_score(chances: Sequence[float], form: _Form = "paper") -> float:
    """`best * 1/(K-1) * sum_k (p_best - p_k)`: the likeliest of the ratings 1 to K, lower the more doubt there is.

    Of equally likely ratings the lowest counts. From SelectIT (arXiv 2402.16705).

    Args:
        chances: probabilities of the ratings, which sum to 1.
        form: `"paper"`, or `"file"`: the softmax over the probabilities again, as most versions of the authors' files
            `token_level.py` and `sentence_level.py` have it. It ranks nearly as the paper's formula does, in a
            narrower range: 0 to 1.28 for five ratings instead of 0 to 5.

    >>> selectit_token_score([0.0, 0.0, 1.0, 0.0, 0.0])
    3.0
    >>> round(selectit_token_score([0.0, 0.0, 1.0, 0.0, 0.0], "file"), 4)
    0.7673
    """
    if form == "file":
        chances = probabilities(chances)
    highest = max(chances)
    doubt = math.fsum(highest - p for p in chances) / (len(chances) - 1)
    return (list(chances).index(highest) + 1) * doubt


def selectit_score(token_scores: Sequence[float], alpha: float = 0.2) -> float:
    """`mean / (1 + alpha * std)` over several rating prompts, std over the whole population, as in SelectIT.

    >>> selectit_score([4.0, 2.0])
    2.5
    """
    mean = math.fsum(token_scores) / len(token_scores)
    std = math.sqrt(math.fsum((score - mean) ** 2 for score in token_scores) / len(token_scores))
    return mean / (1 + alpha * std)


class _Question(NamedTuple):
    """A prompt, and the tokens that are its ratings."""

    prompt: str
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class RatingExpectation(HeadScorer):
    """The rating that a causal language model expects, from the probabilities of the token after a rating prompt.

    * `kind="deita"`: the mean of the ratings 1 to 6, weighted by the softmax over their logits (arXiv 2312.15685).
      Made for DEITA's own scorers, which need the prompt that they were trained with: `prompt=`.
    * `kind="selectit"`: five prompts, ratings 1 to 5; for each the likeliest rating times how far it stands out, and
      over all `mean / (1 + alpha * std)`, so that a model that does not agree with itself gives less (arXiv
      2402.16705). For models that follow instructions. The authors' file takes the softmax twice: `form="file"`.

    Adds these columns, and a line to `edit_history`:

    * `expected_rating` (float; deita 1 to 6, selectit 0 to 5, or 0 to 1.28 with `form="file"`; higher = better; nan =
      not scored).
    * `expected_rating_reason` (string): `""` where there is a score; else `empty`, `too_long`, `turns`,
      `out_of_memory` or `not_finite`. A failure never becomes a middling rating.

    A row can try to talk the model into a rating; with `chat` its text cannot leave its turn, but no frame makes a
    model immune.

    With `turns="all"` the rating is the mean over the assistant turns, nan if one has none.

    Args:
        model: a causal model, as a folder or a Hub id. Settings of the base class apply.
        kind: which formula.
        prompt: one prompt, or several for `selectit`, with `{instruction}` (with its input; or without, where
            `{input}` stands too), `{response}` and `{history}` in it; other braces stay. By default our own wording.
            With no `{response}`, it is the instruction that is rated.
        ratings: the names of the ratings, from 1 up; each must be a single token after the prompt.
        chat: whether the prompt is put as a user's turn through the model's chat template, or as it is.
        alpha: how much disagreement between the prompts costs.
        form: of `selectit`, `"paper"` or `"file"`; see `selectit_token_score`.
        name: of the column, for several ratings of one row.

    Raises:
        ModelError: the model cannot be loaded, or a rating is not a single token.

    >>> RatingExpectation("hkust-nlp/deita-quality-scorer", prompt=MY_PROMPT)  # doctest: +SKIP
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        Column(
            "expected_rating",
            "the rating that a model expects, from the probabilities of its ratings; nan = not scored",
            low=0,
            better="higher",
        ),
        Column("expected_rating_reason", "why there is no rating", "text"),
    )
    loads: ClassVar[Kind] = "causal"

    kind: Literal["deita", "selectit"] = field(default="deita", kw_only=True)
    prompt: str | tuple[str, ...] | None = field(default=None, kw_only=True)
    ratings: tuple[str, ...] | None = field(default=None, kw_only=True)
    chat: bool = field(default=False, kw_only=True)
    alpha: float = field(default=0.2, kw_only=True)
    form: _Form = field(default="paper", kw_only=True)
    name: str = field(default="expected_rating", kw_only=True)

    def __post_init__(self) -> None:
        for name in ("prompt", "ratings"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, (str, tuple)):
                object.__setattr__(self, name, tuple(value))
        if self.kind not in PROMPTS:
            raise HfcleanError(f"RatingExpectation(kind={self.kind!r}): expected 'deita' or 'selectit'")
        if self.form not in get_args(_Form):
            raise HfcleanError(f"RatingExpectation(form={self.form!r}): expected 'paper' or 'file'")
        if self.form == "file" and self.kind != "selectit":
            raise HfcleanError(
                "RatingExpectation(form='file') is a form of kind='selectit'; leave it out, or say that"
            )
        if self.kind == "deita" and len(self.prompts()) != 1:
            raise HfcleanError(f"RatingExpectation has {len(self.prompts())} prompts; kind='deita' takes one")
        for prompt in self.prompts():
            if not placeholders(prompt) & {"instruction", "prompt", "response", "output"}:
                raise HfcleanError(
                    f"RatingExpectation(prompt={prompt[:60]!r}): no place for a row's text; expected {{instruction}}, "
                    "{response} or both in it"
                )
        if isinstance(self.ratings, str) or len(self.called()) < 2:
            raise HfcleanError(
                f"RatingExpectation(ratings={self.ratings!r}): expected several, such as ('1', '2', '3')"
            )
        if not self.name.isidentifier():
            raise ColumnError(f"RatingExpectation(name={self.name!r}): expected a column name in snake_case")
        super().__post_init__()

    def names(self) -> tuple[str, ...]:
        return (self.name, f"{self.name}_reason")

    def prompts(self) -> tuple[str, ...]:
        """The rating prompts."""
        if self.prompt is None:
            return PROMPTS[self.kind]
        return (self.prompt,) if isinstance(self.prompt, str) else self.prompt

    def called(self) -> tuple[str, ...]:
        """The names of the ratings, from 1 up."""
        return RATINGS[self.kind] if self.ratings is None else self.ratings

    def depends(self) -> dict[str, Any]:
        return {**super().depends(), "prompts": self.prompts()}

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        head = self.head()
        questions = process.once(
            ("ratings", id(head), self.prompts(), self.called(), self.chat), lambda: self._questions(head)
        )
        wanted = sorted({token for question in questions for token in question.tokens})
        inputs = [self._tokens(head, question.prompt, pair) for pair in pairs for question in questions]
        kept = self.kept(head, last_logits=wanted)
        outputs = iter(head.run(inputs, lambda rows: head.last_logits(rows, wanted), kept))
        found = [self._score(questions, wanted, [next(outputs) for _ in questions]) for _ in pairs]
        return {self.name: [score for score, _ in found], f"{self.name}_reason": [reason for _, reason in found]}

    def _score(
        self, questions: Sequence[_Question], wanted: Sequence[int], outputs: Sequence[Output]
    ) -> tuple[float, str]:
        reason = next((output.reason for output in outputs if output.reason), "")
        if reason:
            return math.nan, reason
        logits = [
            [float(output.values[wanted.index(token)]) for token in question.tokens]
            for question, output in zip(questions, outputs, strict=True)
        ]
        if self.kind == "deita":
            return expected_value(logits[0], range(1, len(logits[0]) + 1)), ""
        scores = [selectit_token_score(probabilities(each), self.form) for each in logits]
        return selectit_score(scores, self.alpha), ""

    # ------------------------------------------------------------------------------------------------ prompts

    def _questions(self, head: Head) -> tuple[_Question, ...]:
        """The prompts with the tokens of their ratings, found on a made-up row.

        Raises:
            ModelError: a rating is not a single token, or the chat template takes no user's turn.
        """
        if self.chat and not head.tokenizer.chat_template:
            raise ModelError(f"{head.name} has no chat template; leave out chat=True")
        row = Pair("Say yes.", "", "Yes.")
        found = []
        for prompt in self.prompts():
            before = self._whole(head, prompt, row)
            if isinstance(before, str):
                raise ModelError(f"the chat template of {head.name} takes no user's turn; leave out chat=True")
            after = {text: self._whole(head, prompt, row, text) for text in self.called()}
            tokens = head.coder.single(before, after)
            found.append(_Question(prompt, tuple(tokens)))
        return tuple(found)

    def _tokens(self, head: Head, prompt: str, pair: Pair) -> Tokens | str:
        rated = pair.response if placeholders(prompt) & {"response", "output"} else pair.prompt
        if not rated.strip():
            return "empty"
        return head.fitting(self._whole(head, prompt, pair), self.max_length)

    def _whole(self, head: Head, prompt: str, pair: Pair, answer: str = "") -> Tokens | str:
        """The prompt of a pair, and the beginning of an answer, in tokens."""
        parts = fill(prompt, texts_of(pair, placeholders(prompt)))
        if self.chat:
            return head.coder.chat([("user", parts)], open_end=True, answer=answer)
        return head.coder.text([*parts, Part(answer)], trail=False)
