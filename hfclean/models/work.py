"""Work that asks a model: written once as a generator that yields what it would have asked and is sent the answers,
and driven in whichever way the caller can wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

from hfclean.models import process
from hfclean.models.asking import aask, ask
from hfclean.models.protocol import Answer, Conversation, Generation
from hfclean.models.spec import ModelSpec

__all__ = ["Asking", "Work", "await_for", "once", "pretend", "wait_for"]

T = TypeVar("T")


class Asking(NamedTuple):
    """What a generator of work wants to know before it goes on.

    `guesses` are what the answers would about be, for an estimate: one text per conversation.
    """

    spec: ModelSpec
    conversations: Sequence[Conversation]
    generation: Generation
    prompt_version: str
    guesses: Sequence[str]


Work = Generator[Asking, list[Answer], T]


class _Lost:
    """Conversations that got no answer, while somebody wants them not to be asked again."""

    def __init__(self) -> None:
        self.known: dict[Hashable, Answer] | None = None


@contextmanager
def once() -> Iterator[None]:
    """Within the block, what got no answer is not asked a second time by this process: it fails as it did.

    For a `map` after a `prefetch`. Without, every hopeless request would be waited for twice; and where nothing but
    hopeless ones are left to ask, they would look like a server that is down.
    """
    lost = process.once(("lost",), _Lost)
    outer, lost.known = lost.known, {} if lost.known is None else lost.known
    try:
        yield
    finally:
        lost.known = outer


class _Question:
    """What one step of the work asks, less what is known to be lost."""

    def __init__(self, wanted: Asking) -> None:
        self.lost = process.once(("lost",), _Lost).known
        self.open = wanted.conversations
        if self.lost is None:
            return
        self.keys = [(wanted.spec, wanted.generation, wanted.prompt_version, tuple(c)) for c in wanted.conversations]
        self.gone = {key: self.lost[key] for key in self.keys if key in self.lost}
        if self.gone:
            both = zip(wanted.conversations, self.keys, strict=True)
            self.open = [conversation for conversation, key in both if key not in self.gone]

    def answers(self, found: list[Answer]) -> list[Answer]:
        if self.lost is None:
            return found
        fresh = iter(found)
        answers = [self.gone[key] if key in self.gone else next(fresh) for key in self.keys]
        self.lost.update((key, answer) for key, answer in zip(self.keys, answers, strict=True) if answer.error)
        return answers


def _ask(wanted: Asking) -> list[Answer]:
    question = _Question(wanted)
    how: dict[str, Any] = {"generation": wanted.generation, "prompt_version": wanted.prompt_version}
    return question.answers(ask(wanted.spec, question.open, **how) if question.open else [])


async def _aask(wanted: Asking) -> list[Answer]:
    question = _Question(wanted)
    how: dict[str, Any] = {"generation": wanted.generation, "prompt_version": wanted.prompt_version}
    return question.answers(await aask(wanted.spec, question.open, **how) if question.open else [])


def wait_for(work: Work[T], heard: Callable[[Asking, list[Answer]], None] = lambda _, __: None) -> T:
    """Do the work, asking as it wants."""
    try:
        wanted = next(work)
        while True:
            answers = _ask(wanted)
            heard(wanted, answers)
            wanted = work.send(answers)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()


async def await_for(work: Work[T], *, beside: bool = False) -> T:
    """The same in a running event loop, whose other tasks go on meanwhile; with `beside`, also while the work itself
    computes."""
    answers: list[Answer] | None = None
    try:
        while True:
            wanted, result = await asyncio.to_thread(_go_on, work, answers) if beside else _go_on(work, answers)
            if wanted is None:
                return result  # type: ignore[return-value]
            answers = await _aask(wanted)
    finally:
        with suppress(ValueError):  # cancelled while it computes: it ends by itself
            work.close()


def _go_on(work: Work[T], answers: list[Answer] | None) -> tuple[Asking | None, T | None]:
    """What the work asks next, or else its result."""
    try:
        return (next(work) if answers is None else work.send(answers)), None
    except StopIteration as done:
        return None, done.value


def pretend(work: Work[T]) -> list[Asking]:
    """What the work would ask, if every answer was as guessed. Asks nothing."""
    asked = []
    try:
        wanted = next(work)
        while True:
            asked.append(wanted)
            wanted = work.send([Answer(text) for text in wanted.guesses])
    except StopIteration:
        return asked
    finally:
        work.close()
