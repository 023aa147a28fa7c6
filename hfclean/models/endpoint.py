"""Any OpenAI-compatible chat server: a pool of workers over one queue, on the loop of the process.

Raw requests: no client library between, one connection for each request in flight, no redirects, no proxies, no
netrc, no cookies, and no key but the one whose variable the user named.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import socket
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hfclean.errors import HfcleanError
from hfclean.models import process
from hfclean.models.api_key import read_key, without_key
from hfclean.models.budget import Budget, Ledger
from hfclean.models.failures import AccessError, BackendError
from hfclean.models.pace import Allowance, Pace, backoff, retry_after
from hfclean.models.protocol import Answer, Conversation, Generation
from hfclean.models.request import Group, Keep, Request
from hfclean.models.spec import ModelSpec
from hfclean.models.wire import (
    Failure,
    Form,
    judge,
    largest_reply,
    messages_json,
    prompt_json,
    read_answer,
    read_logprobs,
    recoded,
)

if TYPE_CHECKING:
    import aiohttp

TRIES_TWICE = 2
PLAIN = ("identity", "")  # encodings of a body that need no unpacking
# Interim replies without end (HTTP 103) are all parsed as they come, each to hundreds of times its bytes.
RECEIVED_BYTES = 1 << 15
RECENT = 1024  # answers to remember between a look into the store and the request that follows it
REFUSALS = 3  # this many 403 in a row are about the key; fewer may be about the texts
RATE_LIMIT_PATIENCE = 3  # a full queue passes by itself: retry this many times as often as for an error


class Endpoint:
    """A chat server, as a backend.

    Args:
        spec: model, address, name of the key's variable, limits.
        ledger: where to count.
        budget: what may be spent.
        keep: see `Keep`; by default answers are handed on as they come.
    """

    def __init__(
        self, spec: ModelSpec, *, ledger: Ledger | None = None, budget: Budget | None = None, keep: Keep | None = None
    ) -> None:
        import aiohttp

        self.spec = spec
        self.ledger = ledger or Ledger(spec.prices)
        self.budget = budget or Budget(spec)
        self._keep = keep
        self._pace = Pace(spec.limits)
        self._requests = Allowance(spec.limits.requests_per_minute)
        self._tokens = Allowance(spec.limits.tokens_per_minute)
        self._timed = bool(spec.limits.requests_per_minute or spec.limits.tokens_per_minute)
        self._form = Form()
        self._chance = random.Random(os.urandom(8))  # noqa: S311 - jitter, not a secret
        self.serial = 0  # of the last answer that was handed on
        self._recent: dict[bytes, tuple[int, Answer]] = {}
        self._queue: deque[Request] = deque()
        self._on_the_way: dict[bytes, Request] = {}
        self._groups: set[Group] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._starved = False
        self._heard = False
        self._lost_in_a_row = 0
        self._secret = ""
        self._headers: dict[str, str] = {}
        self._session: aiohttp.ClientSession | None = None
        self._url: Any = None
        self._plain_url: Any = None
        self._http: Any = aiohttp

    def __call__(self, conversations: Sequence[Conversation], generation: Generation) -> list[Answer]:
        """Ask for all of them, without looking in any store."""
        answers: list[Answer] = [Answer()] * len(conversations)
        settings = generation.canonical().encode()
        requests = [
            Request(settings + text, text, lambda answer, k=k: answers.__setitem__(k, answer))  # type: ignore[misc]
            for k, text in enumerate(map(messages_json, conversations))
        ]
        process.run(self.fill(requests, generation))
        return answers

    async def fill(self, requests: Sequence[Request], generation: Generation, since: int | None = None) -> None:
        """Deliver an answer to every request; only on the loop of the process.

        Args:
            requests: what to ask.
            generation: how.
            since: the serial at which these had no answer yet; a later answer is theirs.

        Raises:
            BackendError: no further request could succeed. What was on its way is still kept when it comes.
        """
        if not requests:
            return
        self._open()
        group = Group(generation, len(requests), asyncio.get_running_loop().create_future())
        self._groups.add(group)
        for request in requests:
            request.group = group
            serial, answer = self._recent.get(request.key, (0, Answer()))
            if since is not None and serial > since:
                self._hand_over(request, answer)
            else:
                self._enqueue(request)
        self._hire()
        try:
            await group.done
        finally:
            group.over = True
            self._groups.discard(group)

    # ------------------------------------------------------------------------------------------------ connection

    def _open(self) -> None:
        secret = read_key(self.spec.api_key_env)
        if secret != self._secret or not self._headers:
            self._secret = secret
            self._headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "hfclean"}
            if secret:
                self._headers["Authorization"] = f"Bearer {secret}"
        if self._session is None:
            from yarl import URL

            limits, http = self.spec.limits, self._http
            self._url = URL(f"{self.spec.base_url}/chat/completions")
            self._plain_url = URL(f"{self.spec.base_url}/completions")
            session = self._session = http.ClientSession(
                connector=http.TCPConnector(limit=0, socket_factory=_socket),  # the workers are the limit
                cookie_jar=http.DummyCookieJar(),
                timeout=http.ClientTimeout(total=limits.timeout_s, sock_connect=limits.connect_timeout_s),
                # answers are small: unpacking them would cost more than it saves
                skip_auto_headers=("Accept-Encoding",),
                auto_decompress=False,
                trust_env=False,
            )
            loop = asyncio.get_running_loop()
            process.at_exit(lambda: asyncio.run_coroutine_threadsafe(session.close(), loop).result(process.END_WAIT_S))

    async def _attempt(self, request: Request) -> Answer | Failure:
        group, http = request.group, self._http
        if group.form is not self._form:
            group.form, group.tail = self._form, self._form.tail(self.spec, group.generation)
        form = group.form  # other requests may find a better form while this one is in flight
        assert self._session is not None
        if group.generation.prompt_logprobs:
            url, read, data = (
                self._plain_url,
                read_logprobs,
                b'{"prompt":%b%b' % (prompt_json(request.messages), group.tail),
            )
        else:
            url, read, data = self._url, read_answer, b'{"messages":%b%b' % (request.messages, group.tail)
        try:
            response = await self._session.post(
                url,
                data=data,
                headers=self._headers,
                allow_redirects=False,
            )
            try:
                # a body in an encoding we did not ask for may unpack to a thousand times its size
                encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
                body = (
                    b""
                    if encoding not in PLAIN
                    else await _bounded(response, largest_reply(request.messages, group.generation))
                )
            finally:
                response.close() if not response.content.at_eof() else response.release()
        except (http.ClientConnectorCertificateError, http.ClientSSLError) as e:
            stops = BackendError(f"no safe connection to {self.spec.where()}: {self._words(e)}; fix its certificate")
            return Failure("connection", self._words(e), stops=stops)
        except http.ConnectionTimeoutError as e:
            return Failure("connection", self._words(e), retry="often", stops_if_repeated=True)
        except TimeoutError:
            detail = f"no answer within {self.spec.limits.timeout_s:g} s"
            return Failure("timeout", detail, retry="often", slow=True, stops_if_repeated=True)
        except (http.ClientError, OSError) as e:
            return Failure("connection", self._words(e), retry="often", stops_if_repeated=True)
        self._heard = True
        if encoding not in PLAIN:
            detail = f"a reply in the encoding {encoding[:40]!r}, which was not asked for"
            return Failure("bad_answer", detail, retry="twice", stops_if_repeated=True)
        if body is None:
            detail = f"a reply of more than {largest_reply(request.messages, group.generation):,} bytes"
            return Failure("bad_answer", detail, retry="twice", stops_if_repeated=True)
        body = without_key(recoded(body, response.charset), self._secret)
        if response.status == 200:
            return read(body)
        asked = replace(form, structured=form.structured and group.generation.response_format is not None)
        wait_s = retry_after(response.headers, datetime.now(UTC))
        return judge(response.status, body, asked=asked, wait_s=wait_s)

    def _words(self, error: BaseException) -> str:
        """The message of a connection error, without objects that could hold a header, and without the key."""
        message = str(error) if not hasattr(error, "request_info") else getattr(error, "message", "")
        line = f"{type(error).__name__}: {message}".encode("utf-8", "replace")
        return without_key(line, self._secret).decode("utf-8", "replace")[:300].rstrip(": ")

    # ------------------------------------------------------------------------------------------------ workers

    def _enqueue(self, request: Request) -> None:
        first = self._on_the_way.setdefault(request.key, request)
        if first is request:
            self._queue.append(request)
        else:
            first.followers.append(request)

    def _hire(self) -> None:
        """As many workers as the server can take, and no more than there is work."""
        if self._starved:
            return
        for _ in range(min(self._pace.limit - len(self._tasks), len(self._queue))):
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.stop(error)
        self._hire()

    async def _work(self) -> None:
        safe: asyncio.Future[None] | None = None
        while self._queue and len(self._tasks) <= self._pace.limit:
            request = self._queue.popleft()
            if request.group.over:
                self._forget(request)
                continue
            if self.budget.bounded and not self._reserve(request):
                if self._starved:
                    return
                continue
            self._busy += 1
            try:
                answer = await self._persist(request)
                if safe is not None and not safe.done():
                    await safe
                if answer is None or (answer.error and request.group.over):
                    self._forget(request)
                    self._freed(request)
                elif answer.error or self._keep is None:
                    self._deliver(request, answer)
                else:
                    safe = self._keep(request, answer, functools.partial(self._kept, request))
            except BaseException:
                self._forget(request)
                self._freed(request)
                raise
            if self._queue and len(self._tasks) < self._pace.limit:
                self._hire()

    def _reserve(self, request: Request) -> bool:
        """Whether the request may go out; if not, it waits for those in flight, or the run ends."""
        request.worst = self.budget.at_most(len(request.messages), request.group.generation)
        if self.budget.reserve(request.worst):
            return True
        self._queue.appendleft(request)
        if self._busy:
            self._starved = True  # requests in flight may cost less than reserved
        else:
            self.stop(self.budget.error(request.worst))
        return False

    def _freed(self, request: Request) -> None:
        self._busy -= 1
        if self.budget.bounded:
            self.budget.release(request.worst)
            self._starved = False
            self._hire()

    def _kept(self, request: Request, outcome: Answer | BaseException) -> None:
        if isinstance(outcome, Answer):
            self._deliver(request, outcome)
        else:
            self._forget(request)
            self._freed(request)
            self.stop(outcome)

    def _deliver(self, request: Request, answer: Answer) -> None:
        del self._on_the_way[request.key]
        if not answer.error:
            self.serial += 1
            self._recent[request.key] = (self.serial, answer)
            if len(self._recent) > RECENT:
                del self._recent[next(iter(self._recent))]
        for each in (request, *request.followers):
            self._hand_over(each, answer)
        self._freed(request)

    @staticmethod
    def _hand_over(request: Request, answer: Answer) -> None:
        request.deliver(answer)
        group = request.group
        group.remaining -= 1
        if not group.remaining and not group.done.done():
            group.done.set_result(None)

    def _forget(self, request: Request) -> None:
        """Nobody waits for this request any more; its followers may still be waited for."""
        self._on_the_way.pop(request.key, None)
        for each in request.followers:
            if not each.group.over:
                self._enqueue(each)

    def on_the_way(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of the keys that are asked for just now; only on the loop of the process."""
        waiting = {request.key for request in self._queue}
        return {key for key in keys if key in self._on_the_way and key not in waiting}

    def stop(self, error: BaseException) -> None:
        """End every open call: none of their requests could succeed."""
        self._lost_in_a_row = 0
        for group in tuple(self._groups):
            # one exception for each waiting thread: raising adds to its traceback
            group.fail(type(error)(str(error)) if isinstance(error, HfcleanError) else error)

    async def _persist(self, request: Request) -> Answer | None:
        """Ask until there is an answer or no hope of one; None when nobody waits for it any more."""
        tries = 0
        while True:
            expected = await self._turn(request)
            if request.group.over:
                return None
            epoch = self._pace.epoch
            outcome = await self._attempt(request)
            if isinstance(outcome, Answer):
                self._pace.answered()
                self._lost_in_a_row = 0
                if expected and outcome.prompt_tokens is not None and outcome.completion_tokens is not None:
                    self._tokens.settle(outcome.prompt_tokens + outcome.completion_tokens - expected)
                if self._keep is None:
                    self.ledger.answered(outcome, len(request.messages))
                return outcome
            if request.group.over:
                return None  # a late reply to a call that has already ended says nothing about the next one
            if outcome.slow:
                self._pace.slowed(epoch)
            if outcome.change:
                self._form = replace(self._form, **outcome.change)
                self.ledger.note(outcome.note)
                continue
            tries += 1
            wait = self._wait(outcome, tries)
            if wait is None:
                return self._lose(outcome)
            self.ledger.count("retries")
            if outcome.slow and outcome.wait_s is not None:
                self._pace.pause(asyncio.get_running_loop().time() + wait)  # for all: it said so
            await asyncio.sleep(wait)

    def _wait(self, failure: Failure, tries: int) -> float | None:
        """Seconds until the next attempt; None for no further attempt."""
        limits = self.spec.limits
        if failure.stops is not None and not (failure.only_at_first and self.serial):
            self.stop(failure.stops)
            return None
        allowed = {"never": 0, "twice": min(TRIES_TWICE, limits.retries), "often": limits.retries}[failure.retry]
        if failure.kind == "rate_limited":
            allowed *= RATE_LIMIT_PATIENCE
        if failure.kind == "connection" and not self._heard:
            allowed = min(allowed, TRIES_TWICE)  # an address where nobody ever answered is a wrong address
        if failure.wait_s is not None and failure.wait_s > limits.longest_wait_s:
            text = f"the server asks to wait {failure.wait_s:.0f} s ({failure.detail[:200]}), longest_wait_s is "
            self.stop(BackendError(f"{text}{limits.longest_wait_s:g}; every answer so far is kept: run again later"))
            return None
        if tries > allowed:
            return None
        later = backoff(tries, limits, self._chance)
        return later if failure.wait_s is None else failure.wait_s + later * 0.1

    def _lose(self, failure: Failure) -> Answer:
        self.ledger.failed(failure.kind)
        answer = Answer.failed(failure.kind, failure.detail)
        if not failure.stops_if_repeated:
            self._lost_in_a_row = 0  # the server is well; it is this one request
            return answer
        self._lost_in_a_row += 1
        dead = failure.kind == "connection" and not self._heard
        refused = failure.kind == "refused_request"
        patience = self.spec.limits.give_up_after
        if dead or self._lost_in_a_row >= (min(REFUSALS, patience) if refused else patience):
            lost = f"{self._lost_in_a_row} request(s) in a row to {self.spec.where()} failed"
            latest = f"the last with {failure.kind} ({failure.detail[:200]})"
            if refused:
                move = "check what the key may do" if self._secret else "name the variable of a key: api_key_env="
            else:
                move = (
                    "check base_url and that the server runs" if dead else "check the server, then run the same again"
                )
            error = AccessError if refused else BackendError
            self.stop(error(f"{lost}, {latest}; {move}. Every answer so far is kept"))
        return answer

    async def _turn(self, request: Request) -> float:
        """Wait until the server and the user's limits allow one more request; the tokens that were counted for it."""
        loop = asyncio.get_running_loop()
        expected = 0.0
        if self._timed:
            expected = (len(request.messages) + request.group.generation.max_new_tokens) / 4
            wait = max(self._requests.take(loop.time()), self._tokens.take(loop.time(), expected))
            if wait:
                await asyncio.sleep(wait)
        while (wait := self._pace.paused_until - loop.time()) > 0:
            await asyncio.sleep(wait)
        return expected


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that holds no more than a little of what a server sends before it is read."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
    return made


async def _bounded(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The body of a reply, or None where it has more bytes than that; no more of it is read then."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > most:
            return None
    return b"".join(parts)
