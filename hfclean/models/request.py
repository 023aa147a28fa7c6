"""One conversation on its way to a server, and the call that waits for it."""

import asyncio
from collections.abc import Callable

from hfclean.models.protocol import Answer, Generation
from hfclean.models.store import Spent
from hfclean.models.wire import Form


class Request:
    """One conversation on its way."""

    __slots__ = ("deliver", "followers", "group", "key", "messages", "worst")

    def __init__(self, key: bytes, messages: bytes, deliver: Callable[[Answer], None]) -> None:
        self.key = key
        self.messages = messages
        self.deliver = deliver
        self.followers: list[Request] = []  # equal ones that were asked for while this one was on its way
        self.group: Group
        self.worst = Spent()


class Group:
    """The requests of one call."""

    __slots__ = ("done", "form", "generation", "over", "remaining", "tail")

    def __init__(self, generation: Generation, size: int, done: asyncio.Future[None]) -> None:
        self.generation = generation
        self.remaining = size
        self.done = done
        self.over = False
        self.form: Form | None = None
        self.tail = b""

    def fail(self, error: BaseException) -> None:
        self.over = True
        if not self.done.done():
            self.done.set_exception(error)


Done = Callable[[Answer | BaseException], None]
# Keeps an answer before anybody gets it: calls back with it (or with one that counts in its place) when it is safe,
# or with the error. A worker does not pass on its next answer before the returned future is done.
Keep = Callable[[Request, Answer, Done], "asyncio.Future[None] | None"]
