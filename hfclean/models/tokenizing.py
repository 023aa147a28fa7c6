"""Texts into tokens: prompts with a row's texts in them, pairs, and turns through a chat template.

A row's text is data. Where it spells a model's own markers, they are read as plain text; braces in it stay braces.
Nothing is cut.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from hfclean.errors import require
from hfclean.models.chat_tokens import SLOT, render_messages
from hfclean.models.failures import ModelError
from hfclean.models.protocol import tidy

PLACE = re.compile(r"\{(instruction|input|prompt|response|output|history)\}")
SLOTS = re.compile("\ue000(\\d+)\ue001")
QUIETLY: dict[str, Any] = {"verbose": False}  # a long text is reported where it matters: in its row
BARE = {"add_special_tokens": False, **QUIETLY}


class Part(NamedTuple):
    """A stretch of a prompt: ours, in which a model's markers count, or a row's, in which they are plain text."""

    text: str
    of_row: bool = False


class Tokens(NamedTuple):
    """One input in tokens; `types` tell two texts apart where the model wants that."""

    ids: tuple[int, ...]
    types: tuple[int, ...] = ()


def fill(template: str, texts: Mapping[str, str]) -> list[Part]:
    """A prompt with a row's texts in it. Other braces stay, and so do those in the texts.

    >>> fill("{x} {response}!", {"response": "{instruction}"})
    [Part(text='{x} ', of_row=False), Part(text='{instruction}', of_row=True), Part(text='!', of_row=False)]
    """
    pieces = PLACE.split(template)
    parts = [Part(texts[piece], True) if n % 2 else Part(piece) for n, piece in enumerate(pieces)]
    return [part for part in parts if part.text]


def placeholders(template: str) -> set[str]:
    """The names in braces that `fill` knows.

    >>> sorted(placeholders("{instruction} {x} {response}"))
    ['instruction', 'response']
    """
    return set(PLACE.findall(template))


class Coder:
    """A tokenizer, and what it puts around a text; `name` is that of the model, for messages."""

    def __init__(self, tokenizer: Any, name: str) -> None:
        self.tokenizer = tokenizer
        self.name = name
        self.markers = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
        probe = tokenizer("a", return_special_tokens_mask=True)
        inner = [k for k, special in enumerate(probe["special_tokens_mask"]) if not special] or [0]
        #: what the tokenizer itself puts before and behind a text
        self.lead: list[int] = probe["input_ids"][: inner[0]]
        self.trail: list[int] = probe["input_ids"][inner[-1] + 1 :]

    def text(self, parts: Sequence[Part], *, trail: bool = True) -> Tokens:
        """A text with what the tokenizer puts around it; without `trail`, open at the end."""
        return Tokens((*self.lead, *self._encode(parts), *(self.trail if trail else ())))

    def couple(self, first: str, second: str) -> Tokens:
        """Two texts, as the tokenizer takes a pair."""
        coded = self.tokenizer(tidy(first), tidy(second), split_special_tokens=True, **QUIETLY)
        return Tokens(tuple(coded["input_ids"]), tuple(coded.get("token_type_ids", ())))

    def chat(self, turns: Sequence[tuple[str, Sequence[Part]]], *, open_end: bool, answer: str = "") -> Tokens | str:
        """Turns through the chat template, or the reason why it rejects them.

        Args:
            turns: role and text of each.
            open_end: whether the assistant's next turn is begun.
            answer: how it begins.
        """
        jinja2 = require("jinja2", extra="models")
        for form in (turns, _without_system(turns)):
            with suppress(jinja2.TemplateError):
                return Tokens(tuple(self._encode([*self._render(form, open_end), Part(answer)])))
        return "turns"

    def single(self, before: Tokens, after: Mapping[str, Tokens | str]) -> list[int]:
        """The one token that each of some texts is behind a prompt.

        Args:
            before: the prompt.
            after: for each text, such as `1`, `2` and `3`, the prompt with it behind.

        Raises:
            ModelError: one of them is not exactly one token, or merges with the end of the prompt.
        """
        found = []
        for text, whole in after.items():
            added = whole.ids[len(before.ids) :] if isinstance(whole, Tokens) else ()
            if isinstance(whole, str) or whole.ids[: len(before.ids)] != before.ids or len(added) != 1:
                raise ModelError(
                    f"{text!r} is not a single token of {self.name} behind the prompt, so its probability cannot "
                    "be read off; end the prompt with a line break instead of a space, or name single tokens"
                )
            found.append(int(added[0]))
        return found

    def _encode(self, parts: Sequence[Part]) -> list[int]:
        parts = [Part(tidy(text), of_row) for text, of_row in parts]
        if not self._spells_marker(parts):
            ids: list[int] = self.tokenizer("".join(p.text for p in parts), **BARE)["input_ids"]
            return ids
        # a row that spells the model's own markers could end its turn and begin another: piece by piece, as plain text
        pieces = [
            self.tokenizer(text, split_special_tokens=of_row, **BARE)["input_ids"] for text, of_row in parts if text
        ]
        return [token for piece in pieces for token in piece]

    def _spells_marker(self, parts: Sequence[Part]) -> bool:
        return any(marker in text for text, of_row in parts if of_row for marker in self.markers)

    def _render(self, turns: Sequence[tuple[str, Sequence[Part]]], open_end: bool) -> list[Part]:
        parts = [part for _, content in turns for part in content]
        if not self._spells_marker(parts):
            return [Part(self._template([(role, _joined(content)) for role, content in turns], open_end))]
        places = iter(range(len(parts)))
        slots = [
            (role, "".join(SLOT.format(k) if p.of_row else p.text for p, k in zip(content, places, strict=False)))
            for role, content in turns
        ]
        pieces = SLOTS.split(self._template(slots, open_end))
        return [Part(parts[int(piece)].text, True) if n % 2 else Part(piece) for n, piece in enumerate(pieces)]

    def _template(self, turns: Sequence[tuple[str, str]], open_end: bool) -> str:
        messages = [{"role": role, "content": tidy(content)} for role, content in turns]
        return render_messages(self.tokenizer, messages, answering=open_end, name=self.name)


def _joined(parts: Sequence[Part]) -> str:
    return "".join(part.text for part in parts)


def _without_system(turns: Sequence[tuple[str, Sequence[Part]]]) -> Sequence[tuple[str, Sequence[Part]]]:
    """Several model families have no system turn; its text comes first in the user's."""
    if len(turns) > 1 and turns[0][0] == "system" and turns[1][0] == "user":
        return [("user", [*turns[0][1], Part("\n\n"), *turns[1][1]]), *turns[2:]]
    return turns
