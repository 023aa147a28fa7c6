"""One call of `ask`: which conversations are equal, which are answered already, which are still to be asked."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NoReturn

from hfclean.models import process
from hfclean.models.budget import Ledger
from hfclean.models.failures import BackendError
from hfclean.models.protocol import Answer, Conversation, Generation, Message, tidy
from hfclean.models.request import Done, Request
from hfclean.models.store import Record, Setting
from hfclean.models.wire import messages_json

LINGER_S = 0.002  # gather answers for this long: a commit costs as much for one as for fifty


class KeptRequest(Request):
    """A request whose answer is kept under a setting."""

    __slots__ = ("setting",)

    def __init__(self, key: bytes, messages: bytes, setting: Setting, deliver: Callable[[Answer], None]) -> None:
        super().__init__(key, messages, deliver)
        self.setting = setting


class Plan:
    """The conversations of one call by key; `found` fills up as answers come."""

    def __init__(self, setting: Setting, conversations: Sequence[Sequence[Message]], generation: Generation) -> None:
        self.setting = setting
        self.generation = generation
        texts = [messages_json(c) for c in conversations]
        self.keys = [setting.key(text) for text in texts]
        self.messages = dict(zip(self.keys, texts, strict=True))
        self._conversations = dict(zip(self.keys, conversations, strict=True))
        self.found: dict[bytes, Answer] = {}
        self.since = 0  # the endpoint's serial before the store was looked at
        self._stored: frozenset[bytes] = frozenset()

    def take(self, stored: dict[bytes, Answer]) -> None:
        """These answers were already stored."""
        self.found.update(stored)
        self._stored |= stored.keys()

    def missing(self) -> dict[bytes, Conversation]:
        """What is still to be asked, each once, in order."""
        if len(self.found) == len(self._conversations):
            return {}
        return {key: c for key, c in self._conversations.items() if key not in self.found}

    def requests(self, keys: Iterable[bytes] | None = None) -> list[Request]:
        """What is still to be asked, or some of it, for a server."""
        return [
            KeptRequest(key, self.messages[key], self.setting, partial(self.found.__setitem__, key))
            for key in (self.missing() if keys is None else keys)
        ]

    def answers(self, ledger: Ledger, seen: set[bytes] | None = None) -> list[Answer]:
        """An answer for each conversation; of equal ones, only the first was asked.

        Args:
            ledger: where to count those that were not asked.
            seen: keys of earlier plans of the same call; this one's are added.
        """
        answers, cached = [], 0
        seen = set() if seen is None else seen
        seen |= self._stored
        for key in self.keys:
            answer = self.found[key]
            if key not in seen:
                seen.add(key)
                answer = replace(answer, cached=False) if answer.cached else answer
            elif not answer.error:
                cached += 1
                answer = answer if answer.cached else replace(answer, cached=True)
            answers.append(answer)
        if cached:
            ledger.count("cached", cached)
        ledger.reused((key, len(self.messages[key]), self.found[key]) for key in self._stored)
        return answers


class GroupCommit:
    """Answers that come within a moment of each other, or while a commit is written, go into the next one together.

    Only on the loop of the process. The writing is done in a thread, so that the disk does not hold up the requests.

    Args:
        put: keeps records, and returns the answers that another process had kept before.
    """

    def __init__(self, put: Callable[[Sequence[Record]], dict[bytes, Answer]]) -> None:
        self._put = put
        self._waiting: list[tuple[Record, Done]] = []
        self._next: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def add(self, record: Record, done: Done) -> asyncio.Future[None]:
        """Keep an answer; `done` gets it once it is on disk (or the one kept earlier), or the error.

        Returns:
            a future that is done when the commit is, well or not.
        """
        loop = asyncio.get_running_loop()
        self._waiting.append((record, done))
        if self._next is None:
            self._next = loop.create_future()
        if self._writer is None:
            self._writer = loop.create_task(self._write())
        return self._next

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="hfclean-store")
            process.at_exit(self._pool.shutdown)
        while self._next is not None:
            await asyncio.sleep(LINGER_S)
            waiting, self._waiting = self._waiting, []
            group, self._next = self._next, None
            try:
                earlier = await loop.run_in_executor(self._pool, self._put, [record for record, _ in waiting])
            except Exception as e:  # noqa: BLE001 - whatever it is, nobody may have these answers: they are not safe
                for _, done in waiting:
                    done(e)
            else:
                for record, done in waiting:
                    done(earlier.get(record.key, record.answer))
            group.set_result(None)
        self._writer = None


def checked(name: str, answers: object, count: int) -> list[Answer]:
    """What a custom backend returned, if it is what was agreed.

    Raises:
        BackendError: it is not.
    """

    def wrong(found: str) -> NoReturn:
        raise BackendError(
            f"the backend {name} returned {found}; expected a list of {count} Answers, in the order asked"
        )

    if not isinstance(answers, (list, tuple)):
        wrong(f"a {type(answers).__name__}")
    if len(answers) != count:
        wrong(f"{len(answers)} answers")
    strangers = sorted({type(a).__name__ for a in answers if not isinstance(a, Answer)})
    if strangers:
        wrong(f"{', '.join(strangers)} in a list")
    return [replace(a, text=tidy(a.text), cached=False) for a in answers]
