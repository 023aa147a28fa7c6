"""What a backend is: conversations and settings in, one `Answer` each out, in the same order.

Any function with this signature qualifies:

    def backend(conversations, generation):
        return [Answer(my_model(c[-1].content, generation.max_new_tokens)) for c in conversations]

A request that fails is an `Answer` with an `error`; if no further request could succeed, it raises `BackendError`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, runtime_checkable

from hfclean.codes import ERRORS as ERRORS
from hfclean.models.failures import BackendError
from hfclean.models.keys_in_settings import refuse_keys

BETWEEN_ATTEMPTS = 100_003  # seeds: more than anybody's candidates, so that no two draw the same


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: `role` is `system`, `user` or `assistant`."""

    role: str
    content: str

    def as_dict(self) -> dict[str, str]:
        """The turn as chat servers and chat templates take it."""
        return {"role": self.role, "content": self.content}


Conversation = Sequence[Message]


def as_conversation(turns: str | Iterable[Message | Mapping[str, Any]]) -> tuple[Message, ...]:
    """A conversation from the forms people write: a text (one user turn), or dicts of `role` and `content`.

    Raises:
        BackendError: a turn of another form.
    """
    if isinstance(turns, str):
        return (Message("user", turns),)
    found = []
    for turn in turns:
        if not isinstance(turn, Message):
            role, content = (turn.get("role"), turn.get("content")) if isinstance(turn, Mapping) else (None, None)
            if not isinstance(role, str) or not isinstance(content, str):
                raise BackendError(
                    f"{turn!r:.80} is not a turn; expected a Message, or a dict of 'role' and 'content' texts"
                )
            turn = Message(role, content)
        found.append(turn)
    return tuple(found)


@dataclass(frozen=True)
class Generation:
    """How to answer. Every field is part of the key under which an answer is kept.

    Args:
        max_new_tokens: the longest answer; one that reaches it says `finish_reason="length"`.
        temperature: 0 takes the likeliest token every time; None leaves it to the server (some models allow no other).
        top_p: sample from the likeliest tokens that have this probability together.
        seed: sent to servers that honour one; a local model draws the same tokens for the same seed and messages, in
            whatever batch they come.
        candidate: which of several answers to the same messages this is; added to the seed.
        stop: texts at which to stop; they are not part of the answer.
        response_format: a JSON schema that the answer has to follow. Servers that do not know it are asked without it
            (the ledger notes that), and local models do without it: parse strictly all the same.
        prompt_logprobs: do not answer, but say how likely each token of the prompt is. The conversation is one turn,
            taken as it is, without a chat template; the answer's text is JSON, `{"offsets": [], "logprobs": []}` with
            a place in the text and a natural logarithm for each token (null where there is none). Only for servers
            that return the log-probabilities of prompts, such as vLLM.
        extra: further fields for the server's request body, such as `{"chat_template_kwargs": {...}}`, which local
            models take too.
        attempt: how often the same was asked before, because what came could not be read. Part of the key, so that
            an unreadable answer that is kept does not stand in the way of another; moves the seed where answers are
            sampled.
    """

    max_new_tokens: int = 1024
    temperature: float | None = 0.0
    top_p: float = 1.0
    seed: int | None = None
    candidate: int = 0
    stop: tuple[str, ...] = ()
    response_format: Mapping[str, Any] | None = field(default=None, hash=False)
    prompt_logprobs: bool = False
    extra: Mapping[str, Any] | None = field(default=None, hash=False)
    attempt: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.stop, tuple):
            object.__setattr__(self, "stop", (self.stop,) if isinstance(self.stop, str) else tuple(self.stop))
        if self.max_new_tokens < 1:
            raise BackendError(f"max_new_tokens={self.max_new_tokens}: expected at least 1")
        if self.temperature is not None and self.temperature < 0:
            raise BackendError(f"temperature={self.temperature}: expected 0 (the likeliest token) or more")
        if not 0 < self.top_p <= 1:
            raise BackendError(f"top_p={self.top_p}: expected more than 0 and at most 1")
        if "" in self.stop:
            raise BackendError("stop holds an empty text, which would stop every answer at once")
        if self.extra:
            refuse_keys(self.extra, "extra_body")
        clash = sorted({"model", "messages", "stream", "n"} & set(self.extra or ()))
        if clash:
            raise BackendError(f"extra={clash}: these fields of the request are hfclean's own; leave them out")

    @property
    def sampled(self) -> bool:
        """Whether answers are drawn at random."""
        return self.temperature is None or self.temperature > 0

    @property
    def drawn_seed(self) -> int | None:
        """The seed of this candidate, in this attempt."""
        shift = self.candidate + (self.attempt * BETWEEN_ATTEMPTS if self.sampled else 0)
        return self.seed if not shift else (self.seed or 0) + shift

    def settings(self) -> dict[str, Any]:
        """The request, as JSON can hold it; fields that ask for nothing are left out."""
        always = ("max_new_tokens", "temperature", "top_p")  # spelled out, so that a new default is a new key
        found = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        found["stop"] = list(self.stop)
        return {name: value for name, value in found.items() if name in always or value}

    def canonical(self) -> str:
        """The settings as text, the same in every process; a schema keeps its order, which models follow."""
        return json.dumps(self.settings(), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one conversation.

    Args:
        text: the answer; empty where there is an error.
        finish_reason: `stop`, `length` (cut off), another word of the server's, or empty where it said nothing.
        prompt_tokens: tokens read, None where the server does not say.
        completion_tokens: tokens written, None where the server does not say.
        error: empty, or a key of `ERRORS`.
        detail: what the server said about the error, for people; never kept.
        model: the model's name: the server's name for it, or the commit of a local one.
        cached: it was not asked for this conversation: it lay in the store, or came for an equal one in the same call.
        stored_at: when an answer from the store was put there, in Unix seconds; None where it was not stored, or
            was stored by version 0.1.0. Ignored when answers are compared.
    """

    text: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str = ""
    detail: str = ""
    model: str = ""
    cached: bool = False
    stored_at: int | None = field(default=None, compare=False, repr=False)

    @classmethod
    def failed(cls, error: str, detail: str = "") -> Answer:
        """An answer that did not come."""
        return cls(finish_reason="", error=error, detail=detail[:300])


def tidy(text: str) -> str:
    """The text with lone surrogates replaced, which neither a store nor a table can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@runtime_checkable
class Backend(Protocol):
    """Anything that answers conversations: same length, same order."""

    def __call__(self, conversations: Sequence[Conversation], generation: Generation, /) -> list[Answer]: ...
