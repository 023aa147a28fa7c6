"""Work that asks a model: written once as a generator that yields its requests and is sent the answers,
and driven in whichever way the caller can wait."""

import asyncio
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from hfclean.models import process
from hfclean.models.asking import aask, ask, look
from hfclean.models.protocol import Answer, Conversation, Generation
from hfclean.models.spec import ModelSpec

T = TypeVar("T")

NOT_KEPT = "not_kept"  # the error of an answer that was sought in the store only and is not there


class Asking(NamedTuple):
    """The request of a generator of work, before it goes on.

    `guesses` are typical answers for an estimate: one text per conversation. With `kept_only` nothing
    is asked of the model: what the store does not hold fails with `NOT_KEPT`. `may_follow` are conversations that the
    answers may lead to, for an estimate of the most that a run can cost.
    """

    spec: ModelSpec
    conversations: Sequence[Conversation]
    generation: Generation
    prompt_version: str
    guesses: Sequence[str]
    kept_only: bool = False
    may_follow: Sequence[Conversation] = ()


Work = Generator[Asking, list[Answer], T]


class _Lost:
    """Conversations that got no answer and must not be asked again, while a block is open."""

    def __init__(self) -> None:
        self.known: dict[Hashable, Answer] | None = None


@contextmanager
def once() -> Iterator[None]:
    """Within the block, this process asks nothing twice that got no answer: it fails as before.

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
    """The requests of one step of the work, without those known to be lost."""

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


def in_attempts(
    limits: Sequence[int],
    ask_for: Callable[[Sequence[int]], Work[list[T]]],
    *,
    unread: Callable[[T], bool],
    lost: Callable[[T], bool],
) -> Work[list[T]]:
    """A reading of each answer, where one that cannot be read is asked for again.

    Attempts are numbered, and each has its own key in the store: an answer that cannot be read stays there, and
    blocks nothing. The first attempt whose answer can be read counts. Beyond its limit a place is not asked for any
    more; what the store holds of further attempts is still read, so that a run which begins again finds what was
    asked for later.

    Args:
        limits: how many attempts may be made for each place, at least 1.
        ask_for: the work that gives the readings of open_places places, as for the first attempt.
        unread: whether a reading is of an answer that cannot be read.
        lost: whether a reading is of an answer with the error `NOT_KEPT`.
    """
    places: Sequence[int] = range(len(limits))
    found: dict[int, T] = dict(zip(places, (yield from ask_for(places)), strict=True))
    attempt = 1
    while places := [k for k in places if unread(found[k])]:
        met = []
        for kept_only in (False, True):
            open_places = [k for k in places if (attempt >= limits[k]) is kept_only]
            readings = (yield from _again(ask_for(open_places), attempt, kept_only=kept_only)) if open_places else []
            for k, reading in zip(open_places, readings, strict=True):
                if not (kept_only and lost(reading)):
                    found[k] = reading
                    met.append(k)
        places, attempt = sorted(met), attempt + 1
    return [found[k] for k in range(len(limits))]


def _again(work: Work[T], attempt: int, *, kept_only: bool) -> Work[T]:
    """The same work, in a later attempt."""
    try:
        wanted = next(work)
        while True:
            generation = replace(wanted.generation, attempt=attempt)
            answers = yield wanted._replace(generation=generation, kept_only=kept_only)
            wanted = work.send(answers)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()


def walk(work: Work[T], known: Callable[[Asking], Sequence[Answer | None]]) -> T:
    """Do the work with known answers alone, None where there is none; what depends on such a one is not requested."""
    try:
        wanted = next(work)
        while True:
            wanted = work.send([Answer.failed(NOT_KEPT) if found is None else found for found in known(wanted)])
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()


def recall(work: Work[T]) -> T:
    """Do the work with kept answers alone: asks nothing, and what the store does not hold fails with `NOT_KEPT`."""
    return walk(work, _look)


def _look(wanted: Asking) -> list[Answer | None]:
    return look(wanted.spec, wanted.conversations, wanted.generation, prompt_version=wanted.prompt_version)


def _kept(wanted: Asking) -> list[Answer]:
    return [Answer.failed(NOT_KEPT) if answer is None else answer for answer in _look(wanted)]


def _ask(wanted: Asking) -> list[Answer]:
    if wanted.kept_only:
        return _kept(wanted)
    question = _Question(wanted)
    settings: dict[str, Any] = {"generation": wanted.generation, "prompt_version": wanted.prompt_version}
    return question.answers(ask(wanted.spec, question.open, **settings) if question.open else [])


async def _aask(wanted: Asking) -> list[Answer]:
    if wanted.kept_only:
        return await asyncio.to_thread(_kept, wanted)
    question = _Question(wanted)
    settings: dict[str, Any] = {"generation": wanted.generation, "prompt_version": wanted.prompt_version}
    return question.answers(await aask(wanted.spec, question.open, **settings) if question.open else [])


def wait_for(work: Work[T], heard: Callable[[Asking, list[Answer]], None] = lambda _, __: None) -> T:
    """Do the work, sending its requests."""
    try:
        wanted = next(work)
        while True:
            answers = _ask(wanted)
            if not wanted.kept_only:
                heard(wanted, answers)
            wanted = work.send(answers)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()


async def await_for(
    work: Work[T], heard: Callable[[Asking, list[Answer]], None] = lambda _, __: None, *, beside: bool = False
) -> T:
    """The same in a running event loop, whose other tasks go on meanwhile; with `beside`, also while the work itself
    computes."""
    answers: list[Answer] | None = None
    try:
        while True:
            wanted, result = await asyncio.to_thread(_go_on, work, answers) if beside else _go_on(work, answers)
            if wanted is None:
                return result  # type: ignore[return-value]
            answers = await _aask(wanted)
            if not wanted.kept_only:
                heard(wanted, answers)
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
