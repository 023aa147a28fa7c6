"""The score of a reward model: a classifier's logit for a conversation or a pair of texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from hfclean.columns import Column
from hfclean.models import ModelError
from hfclean.models.heads import Head, Kind
from hfclean.models.reward_models import turns_of
from hfclean.models.tokenizing import Part, Tokens
from hfclean.schema import Pair
from hfclean.scorers.headed import HeadScorer, number


@dataclass(frozen=True)
class Reward(HeadScorer):
    """The logit that a reward model gives the row's main pair.

    With a chat template, the model reads system text, earlier turns, prompt and response as a conversation; without
    one, prompt and response as a pair of texts, as the reward models of OpenAssistant do (`tokenizer(question,
    answer)`), with what came before at the beginning of the first. Those of OpenAssistant on Pythia, whose type
    `gpt_neox_reward_model` transformers does not know, are read as well, without their code, and get each turn
    after its marker, as they were trained. Convert weights in other formats than safetensors first.

    Adds these columns, and a line to `edit_history`:

    * `reward` (float, any sign, higher = better; nan = not scored): the logit as it is. Its zero and its scale are the
      model's own, so only scores of one model can be compared.
    * `reward_reason` (string): `""` where there is a score; else `empty` (no response), `too_long`, `turns` (the chat
      template takes no such turns), `out_of_memory` or `not_finite`.

    With `turns="all"` the reward is the mean over the assistant turns, nan if one has none.

    Args:
        model: a sequence-classification model, as a folder or a Hub id. Settings of the base class apply: `revision`,
            `dtype`, `device`, `max_length`, `batch_tokens`.
        label: which logit, by name or number, of a model that has several.

    Raises:
        ModelError: the model cannot be loaded or has no trained head, or has several labels and none was named.

    >>> Reward("OpenAssistant/reward-model-deberta-v3-large-v2")  # doctest: +SKIP
    """

    version: ClassVar[int] = 2
    adds: ClassVar[tuple[Column, ...]] = (
        Column(
            "reward", "the reward model's logit; zero and scale are the model's own, nan = not scored", better="higher"
        ),
        Column("reward_reason", "why there is no reward", "text"),
    )
    loads: ClassVar[Kind] = "classifier"

    label: str | int | None = field(default=None, kw_only=True)

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        head = self.head()
        label = self._label(head)
        inputs = [head.fitting(self._tokens(head, pair), self.max_length) for pair in pairs]
        kept = self.kept(head, logit=label)
        outputs = head.run(inputs, lambda rows: head.model(**rows.inputs).logits[:, label], kept)
        return {"reward": [number(o) for o in outputs], "reward_reason": [o.reason for o in outputs]}

    def _label(self, head: Head) -> int:
        """The index of the logit.

        Raises:
            ModelError: there are several and none was named, or there is none of this name.
        """
        names = {int(k): str(name) for k, name in head.config.id2label.items()}
        if self.label is None and len(names) == 1:
            return 0
        for k, name in names.items():
            if self.label in (k, name) and not isinstance(self.label, bool):
                return k
        listed = ", ".join(f"{name!r}" for _, name in sorted(names.items())[:20])
        if self.label is None:
            raise ModelError(f"{head.name} has {len(names)} labels; say which is the reward: label= one of {listed}")
        raise ModelError(f"label={self.label!r}: {head.name} has {listed}")

    def _tokens(self, head: Head, pair: Pair) -> Tokens | str:
        if not pair.response.strip():
            return "empty"
        before = [("system", pair.system)] if pair.system else []
        before += [("assistant" if turn.role == "tool_call" else turn.role, turn.text) for turn in pair.history]
        if head.tokenizer.chat_template:
            turns = [*before, ("user", pair.prompt), ("assistant", pair.response)]
            return head.coder.chat([(role, [Part(text, True)]) for role, text in turns], open_end=False)
        if head.read_here:
            pieces = turns_of(head.tokenizer, [*before, ("user", pair.prompt), ("assistant", pair.response)])
            if pieces is not None:
                return head.coder.text([Part(text, of_row) for text, of_row in pieces], trail=False)
        return head.coder.couple("\n\n".join([*(text for _, text in before), pair.prompt]), pair.response)
