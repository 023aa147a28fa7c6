"""UniEval: yes-or-no questions about a response, answered by a model that reads one text and writes another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hfclean.columns import Column
from hfclean.models import ModelError
from hfclean.models.heads import Head, Kind
from hfclean.models.tokenizing import Tokens, fill
from hfclean.schema import Pair
from hfclean.scorers.headed import HeadScorer

# The input format that UniEval-dialog was trained on; other words give other scores. `</s>` separates its fields.
QUESTIONS: Mapping[str, str] = {
    "natural": "question: Is this a natural response in the dialogue? </s> response: {response}",
    "coherent": (
        "question: Is this a coherent response given the dialogue history? </s> response: {response} </s> "
        "dialogue history: {history}"
    ),
    "understandable": "question: Is this an understandable response in the dialogue? </s> response: {response}",
}
LONGEST = 1024  # the longest input of the published scorer


def yes_share(yes: float, no: float) -> float:
    """`P(Yes) / (P(Yes) + P(No))` from two logits.

    >>> yes_share(math.log(3), 0.0)
    0.75
    """
    if yes >= no:
        return 1 / (1 + math.exp(no - yes))
    return math.exp(yes - no) / (1 + math.exp(yes - no))


@dataclass(frozen=True)
class UniEval(HeadScorer):
    """How natural, coherent and understandable a response is in its dialogue, as UniEval answers it (arXiv
    2210.07197): `P(Yes) / (P(Yes) + P(No))` of the first token that the model would write.

    Adds these columns, and a line to `edit_history`:

    * `unieval_natural`, `unieval_coherent`, `unieval_understandable` (floats, 0 to 1, higher = better; nan = not
      scored). The dialogue history that coherence looks at is what came before and the prompt.
    * `unieval_reason` (string): `""` where all three exist; else why one does not: `empty` (no response),
      `no_instruction` (only coherence is missing), `too_long`, `out_of_memory`, `not_finite`.

    With `turns="all"` scores are means over the assistant turns, nan if one has none, and the reason names those of
    all.

    Args:
        model: UniEval's dialogue model, or another that was trained on its questions, as a folder or a Hub id.
            Settings of the base class apply.
        max_length: most tokens of one question with its texts; UniEval's scorer cuts them there, this one gives no
            score.

    Raises:
        ModelError: the model cannot be loaded, or Yes and No are not single tokens.

    >>> UniEval("MingZhong/unieval-dialog")  # doctest: +SKIP
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        *(
            Column(
                f"unieval_{name}",
                f"how {name} UniEval finds the response; nan = not scored",
                low=0,
                high=1,
                better="higher",
            )
            for name in QUESTIONS
        ),
        Column("unieval_reason", "why one of UniEval's scores is missing", "text"),
    )
    loads: ClassVar[Kind] = "seq2seq"

    max_length: int | None = field(default=LONGEST, kw_only=True)

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        head = self.head()
        answers = [self._single(head, text) for text in ("Yes", "No")]
        inputs = [self._tokens(head, name, pair) for pair in pairs for name in QUESTIONS]
        kept = self.kept(head, first_logits=answers)
        outputs = iter(head.run(inputs, lambda rows: _first_logits(head, rows.inputs)[:, answers], kept))
        columns: dict[str, list[Any]] = {name: [] for name in self.names()}
        for _ in pairs:
            found = {f"unieval_{name}": next(outputs) for name in QUESTIONS}
            for column, output in found.items():
                columns[column].append(math.nan if output.reason else yes_share(*map(float, output.values)))
            columns["unieval_reason"].append(next((o.reason for o in found.values() if o.reason), ""))
        return columns

    def _tokens(self, head: Head, name: str, pair: Pair) -> Tokens | str:
        if not pair.response.strip():
            return "empty"
        turns = [*([pair.system] if pair.system else []), *(turn.text for turn in pair.history), pair.prompt]
        if name == "coherent" and not any(text.strip() for text in turns):
            return "no_instruction"
        texts = {"response": pair.response, "history": "\n".join(turns) + "\n\n"}
        return head.fitting(head.coder.text(fill(QUESTIONS[name], texts)), self.max_length)

    def _single(self, head: Head, text: str) -> int:
        """The token of an answer.

        Raises:
            ModelError: it is more than one token.
        """
        ids = head.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) != 1:
            raise ModelError(
                f"{text!r} is {len(ids)} tokens of {head.name}, and UniEval needs a model where it is one"
            )
        return int(ids[0])


def _first_logits(head: Head, inputs: Mapping[str, Any]) -> Any:
    """The logits of the first token that the model would write."""
    import torch

    start = head.model.generation_config.decoder_start_token_id
    if start is None:
        start = head.config.decoder_start_token_id
    begun = torch.full((len(inputs["input_ids"]), 1), start, device=head.device)
    return head.model(**inputs, decoder_input_ids=begun, use_cache=False).logits[:, 0]
