"""Rows of prompt and completion as the tokens that a model is tuned on, and which of them count.

The tokens are those that the model will see when asked: a conversation goes through the chat template as it does
in `hfclean.models`, and the completion follows token by token, as the model writes it. Nothing is cut short: what does
not fit is left out and counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import TrainingError
from hfclean.models.chat_tokens import SLOT, encode_text, encode_turns, lead_of, render_turns
from hfclean.models.failures import BackendError
from hfclean.models.protocol import Message, as_conversation, tidy

IGNORED = -100  # the label of a token that is read only


@dataclass(frozen=True)
class Encoded:
    """Rows as tokens.

    Attributes:
        rows: `input_ids` and `labels`, as trl takes them; a label is the token itself, or -100 where it is read only.
        left_out: reason -> how many rows were left out: `too_long`, `empty` (nothing to learn).
        places: where each of `rows` stood among those that were given.
    """

    rows: list[dict[str, list[int]]]
    left_out: dict[str, int]
    places: list[int]

    @property
    def tokens(self) -> int:
        """Of prompts and completions."""
        return sum(len(row["input_ids"]) for row in self.rows)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max((len(row["input_ids"]) for row in self.rows), default=0)

    def starts(self) -> list[int]:
        """Where the completion of each row begins."""
        return [next(k for k, label in enumerate(row["labels"]) if label != IGNORED) for row in self.rows]


class Encoder:
    """Turns rows into tokens.

    Args:
        tokenizer: of the model; with a chat template if prompts are conversations.
        longest: most tokens of prompt and completion together; None for no limit.
        stops: tokens at which the model stops, beside the tokenizer's own end.
        name: of the model, for messages.
        whole: learn the prompts as well.

    Raises:
        TrainingError: the tokenizer has no token that ends a text.
    """

    def __init__(
        self, tokenizer: Any, longest: int | None, stops: Iterable[int] = (), *, name: str, whole: bool = False
    ) -> None:
        if tokenizer.eos_token_id is None:
            raise TrainingError(
                f"the tokenizer of {name} has no eos_token, so a model tuned with it would never stop; set one and "
                "save it: tokenizer.eos_token = ..., tokenizer.save_pretrained(folder)"
            )
        self.tokenizer = tokenizer
        self.longest = longest
        self.name = name
        self.whole = whole
        self._lead = lead_of(tokenizer)
        self._end = tokenizer.eos_token_id
        self._stops = {*stops, tokenizer.eos_token_id}
        self._turn_end: int | None = None

    def encode(self, rows: Iterable[Mapping[str, Any]]) -> Encoded:
        """The tokens of rows.

        Raises:
            TrainingError: a row without prompt or completion, or with the wrong type in them.
        """
        found: list[dict[str, list[int]]] = []
        places: list[int] = []
        left_out: Counter[str] = Counter()
        for number, row in enumerate(rows):
            before, after = self._row(number, row)
            if not after:
                left_out["empty"] += 1
            elif self.longest is not None and len(before) + len(after) > self.longest:
                left_out["too_long"] += 1
            else:
                ids = [*before, *after]
                labels = ids if self.whole else [*[IGNORED] * len(before), *after]
                found.append({"input_ids": ids, "labels": labels})
                places.append(number)
        return Encoded(found, dict(left_out), places)

    def _row(self, number: int, row: Mapping[str, Any]) -> tuple[list[int], list[int]]:
        """The tokens of prompt and completion; none for an empty completion."""
        prompt, completion = _wanted(number, row)
        if isinstance(prompt, str):
            before, end = [*self._lead, *encode_text(self.tokenizer, tidy(prompt))], self._end
        else:
            before = encode_turns(self.tokenizer, prompt, row.get("chat_template_kwargs"), name=self.name)
            end = self._end_of_turn(prompt)
        if not completion.strip():
            return before, []
        return before, [*encode_text(self.tokenizer, tidy(completion)), end]

    def _end_of_turn(self, prompt: Sequence[Message]) -> int:
        """The token that ends the model's turn: what its template puts there, if the model stops at that."""
        if self._turn_end is None:
            self._turn_end = self._end
            slots = [SLOT.format(k) for k in range(len(prompt) + 1)]
            try:
                text = render_turns(
                    self.tokenizer, [*prompt, Message("assistant", "")], slots, name=self.name, answering=False
                )
            except BackendError:
                text = ""
            ids = self.tokenizer(text.partition(slots[-1])[2], add_special_tokens=False)["input_ids"]
            if ids and ids[0] in self._stops:
                self._turn_end = ids[0]
        return self._turn_end


def _wanted(number: int, row: Mapping[str, Any]) -> tuple[str | tuple[Message, ...], str]:
    missing = [name for name in ("prompt", "completion") if name not in row]
    if missing:
        raise TrainingError(
            f"row {number} has no {missing[0]!r} (found: {', '.join(map(str, row)) or 'nothing'}); expected prompt "
            "and completion: ds.rename_columns, or hfclean.convert(ds, to='prompt')"
        )
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(completion, (list, tuple)) and len(completion) == 1 and isinstance(completion[0], Mapping):
        completion = completion[0].get("content")
    if not isinstance(completion, str):
        raise TrainingError(
            f"row {number}: completion is {type(completion).__name__}; expected a text, or a list of one message"
        )
    if isinstance(prompt, str):
        return prompt, completion
    if isinstance(prompt, (list, tuple)) and prompt:
        return as_conversation(prompt), completion
    raise TrainingError(f"row {number}: prompt is {type(prompt).__name__}; expected a text, or a list of messages")
