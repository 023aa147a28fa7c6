"""Ask a model without losing answers: read the store, request what is missing, keep answers before returning them."""

from __future__ import annotations

import asyncio
import shlex
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from itertools import islice
from time import sleep
from typing import Any, cast

from hfclean.errors import StoreWarning
from hfclean.models import process
from hfclean.models.ask_plan import GroupCommit, KeptRequest, Plan, checked
from hfclean.models.budget import Budget, Ledger, Usage, progress
from hfclean.models.endpoint import Endpoint
from hfclean.models.failures import BackendError
from hfclean.models.leases import LEASE_S, Leases, Taken, pauses
from hfclean.models.protocol import Answer, Backend, Conversation, Generation, Message, as_conversation
from hfclean.models.request import Done, Request
from hfclean.models.spec import ModelSpec
from hfclean.models.store import Record, Setting, Spent, Store, default_path, open_store
from hfclean.models.weights import mark

_Turns = str | Sequence[Message | Mapping[str, Any]]

OWN_BATCH = 64  # conversations that a custom function gets at once: what a crash can lose
WINDOW = 256  # conversations looked up together
LOCAL_WINDOW = 2048  # conversations that a local model sorts by length together
AHEAD = 8  # windows in progress at once, so that none waits for the slowest answer of another


def open_backend(spec: ModelSpec) -> Asker:
    """The model of this spec, with its store; one per spec and process. Loads no weights yet.

    Raises:
        BackendError: the model cannot be reached as the spec says.
        StoreError: the file of answers cannot be opened.
    """
    # what a spec means can change while the process runs: the usual file of answers, and what a folder holds
    usual = str(default_path()) if spec.store is None else ""
    holds = mark(spec.model) if spec.kind == "local" and isinstance(spec.model, str) else ()
    return process.once(("asker", spec, usual, holds), lambda: Asker(spec))


def ask(
    spec: ModelSpec, conversations: Sequence[_Turns], generation: Generation | None = None, *, prompt_version: str = ""
) -> list[Answer]:
    """An answer for every conversation, in order. What the store holds is not asked again.

    Works in a notebook, in the workers of `num_proc`, and any number of times in one process.

    Args:
        spec: which model.
        conversations: texts (one user turn each), or sequences of messages.
        generation: how to answer; by default greedy, at most 1,024 tokens.
        prompt_version: of the prompts that built the messages; part of the key.

    Raises:
        BackendError: no further request could succeed. Every answer so far is kept.
        StoreError: the file of answers cannot be read or written.
    """
    return open_backend(spec).ask(conversations, generation or Generation(), prompt_version)


async def aask(
    spec: ModelSpec, conversations: Sequence[_Turns], generation: Generation | None = None, *, prompt_version: str = ""
) -> list[Answer]:
    """`ask` for a running event loop: its other tasks go on meanwhile, and their requests share the same pool."""
    return await open_backend(spec).aask(conversations, generation or Generation(), prompt_version)


def look(
    spec: ModelSpec, conversations: Sequence[_Turns], generation: Generation | None = None, *, prompt_version: str = ""
) -> list[Answer | None]:
    """What the store holds for each conversation, None where it holds nothing. Asks nothing and costs nothing."""
    return open_backend(spec).look(conversations, generation or Generation(), prompt_version)


def plan_for(
    spec: ModelSpec, conversations: Sequence[_Turns], generation: Generation | None = None, prompt_version: str = ""
) -> Plan:
    """The requests for these conversations: each once, by its key, with the answers that are kept. Asks nothing."""
    return open_backend(spec)._plan(conversations, generation or Generation(), prompt_version)


def prefetch(
    spec: ModelSpec,
    conversations: Iterable[_Turns],
    generation: Generation | None = None,
    *,
    prompt_version: str = "",
    total: int | None = None,
    show: bool = True,
) -> Usage:
    """Fill the store at full speed, so that later steps only read: no batch waits for its slowest answer.

    Args:
        spec: which model.
        conversations: any number of them; they are read as they are needed, and never all held.
        generation: how to answer.
        prompt_version: of the prompts that built the messages.
        total: how many there are, for the progress line.
        show: whether to show one.

    Returns:
        what this process has asked the model so far. Conversations that failed are counted there, and are asked
        again by whoever asks for them next.
    """
    return open_backend(spec).prefetch(
        conversations, generation or Generation(), prompt_version, total=total, show=show
    )


def spent(spec: ModelSpec) -> Spent:
    """What this run has used of a model, in this process and all workers of its pools that use the same store."""
    return open_backend(spec).spent()


def usage(spec: ModelSpec) -> Usage:
    """What this process has asked a model so far. Workers of `num_proc` count for themselves."""
    return open_backend(spec).ledger.usage()


def _in_thread(work: Callable[..., None], *args: Any) -> None:
    """Do something with the file of answers off the loop; nobody waits for it."""
    with suppress(RuntimeError):  # the interpreter ends and starts no thread; the leases of this process end with it
        asyncio.get_running_loop().run_in_executor(None, work, *args)


def _any_failed(futures: Iterable[Future[None]]) -> bool:
    """Whether the run has ended: then nothing more is asked for, and callers that wait get the reason."""
    return any(f.done() and not f.cancelled() and f.exception() is not None for f in futures)


class Asker:
    """A model with its store, its budget and its ledger. Use `open_backend`: it is made once in a process."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.ledger = Ledger(spec.prices)
        unkept = spec.kind == "function" and not getattr(spec.model, "kept", True)
        self.store: Store | None = None if spec.store is False or unkept else open_store(spec.store)
        self.source, self._backend = self._resolve()
        self._tell_of_earlier()
        self._run = process.run_id()
        self._settings: dict[tuple[str, str], Setting] = {}
        self._budget = Budget(spec)
        if self.store is not None and self._budget.bounded:
            self._budget.spent = self.store.spent(self._run, self.source)
        self._endpoint: Endpoint | None = None
        self._commits: GroupCommit | None = None
        if spec.kind == "server":
            self._endpoint = Endpoint(spec, ledger=self.ledger, budget=self._budget, keep=self._keep)
            if self.store is not None:
                self._commits = GroupCommit(self._put)

    def _resolve(self) -> tuple[str, Backend | None]:
        """The source of the answers, as it enters the key; and the backend, if not a server."""
        spec = self.spec
        if spec.kind == "server":
            return spec.cache_as or f"{spec.where()} {spec.model}", None
        if spec.kind == "local":
            from hfclean.models.local import open_local

            local = open_local(spec, self.store)
            return spec.cache_as or local.source, local
        backend = cast(Backend, spec.model)
        name = spec.cache_as or getattr(backend, "cache_as", None)
        if name is None and self.store is not None:
            raise BackendError(
                f"{spec.name} is a custom backend, and only you know when its answers change: name it, "
                "cache_as='my-backend-1', and its answers are kept under that name; or keep none, store=False"
            )
        return name or spec.name, backend

    def _tell_of_earlier(self) -> None:
        """Warn, before anything is asked, that answers of version 0.1.0 may be meant: it recorded no ports.

        Only while they outnumber the server's own: otherwise the user has asked again and knows.
        """
        spec = self.spec
        earlier = f"{spec.where_without_port()} {spec.model}"
        if self.store is None or spec.kind != "server" or spec.cache_as or earlier == self.source:
            return
        undated = self.store.holds(earlier)[1]
        if undated > self.store.holds(self.source)[0]:
            warnings.warn(
                f"the file of answers {str(self.store.path)!r} holds {undated:,} "
                f"{'answer' if undated == 1 else 'answers'} of {earlier!r} from hfclean 0.1.0, "
                f"which did not record the port; they are not used for {spec.base_url}, since another server may have "
                f"given them. To use them: cache_as={earlier!r} (--model-option cache_as={shlex.quote(earlier)})",
                StoreWarning,
                stacklevel=2,
            )

    @property
    def identity(self) -> str:
        """The commit or the hash of a model that runs here; empty where only a server knows."""
        files = getattr(self._backend, "files", None)
        return files.identity if files is not None else ""

    def ask(self, conversations: Sequence[_Turns], generation: Generation, prompt_version: str = "") -> list[Answer]:
        """See `ask`."""
        if self._endpoint is None:
            plan = self._plan(conversations, generation, prompt_version)
            self._ask_here(plan)
            return plan.answers(self.ledger)
        plans: list[Plan] = []
        under_way: list[Future[None]] = []
        try:
            for k in range(0, len(conversations), WINDOW):  # the first requests are out while the rest is looked up
                if _any_failed(under_way):
                    break
                plan = self._plan(conversations[k : k + WINDOW], generation, prompt_version)
                plans.append(plan)
                if plan.missing():
                    under_way.append(process.start(self._fill(self._endpoint, plan)))
            for future in under_way:
                future.result()
        except BaseException:
            for future in under_way:
                future.cancel()
            raise
        seen: set[bytes] = set()
        return [answer for plan in plans for answer in plan.answers(self.ledger, seen)]

    async def aask(
        self, conversations: Sequence[_Turns], generation: Generation, prompt_version: str = ""
    ) -> list[Answer]:
        """See `aask`."""
        if self._endpoint is None:
            return await asyncio.to_thread(self.ask, conversations, generation, prompt_version)
        plan = self._plan(conversations, generation, prompt_version)
        if plan.missing():
            await asyncio.wrap_future(process.start(self._fill(self._endpoint, plan)))
        return plan.answers(self.ledger)

    def look(
        self, conversations: Sequence[_Turns], generation: Generation, prompt_version: str = ""
    ) -> list[Answer | None]:
        """See `look`."""
        plan = self._plan(conversations, generation, prompt_version)
        return [plan.found.get(key) for key in plan.keys]

    def prefetch(
        self,
        conversations: Iterable[_Turns],
        generation: Generation,
        prompt_version: str = "",
        *,
        total: int | None = None,
        show: bool = True,
    ) -> Usage:
        """See `prefetch`."""
        if total is None and isinstance(conversations, Sized):
            total = len(conversations)
        source = iter(conversations)
        size = LOCAL_WINDOW if self._endpoint is None else max(WINDOW, self.spec.limits.concurrency)
        under_way: dict[Future[None], Plan] = {}
        with progress(self.ledger, total, show=show, label=self.spec.name) as update:

            def settle(most: int) -> None:
                while len(under_way) > most:
                    for future in wait(under_way, timeout=0.5, return_when=FIRST_COMPLETED).done:
                        plan = under_way.pop(future)
                        future.result()
                        plan.answers(self.ledger)
                    update()

            try:
                while not _any_failed(under_way) and (window := list(islice(source, size))):
                    plan = self._plan(window, generation, prompt_version)
                    if self._endpoint is None:
                        self._ask_here(plan, update)
                        plan.answers(self.ledger)
                        update()
                    else:
                        under_way[process.start(self._fill(self._endpoint, plan))] = plan
                        settle(AHEAD - 1)
                settle(0)
            finally:
                for future in under_way:
                    future.cancel()
        return self.ledger.usage()

    def spent(self) -> Spent:
        """See `spent`."""
        return self._budget.spent if self.store is None else self.store.spent(self._run, self.source)

    def _plan(self, conversations: Sequence[_Turns], generation: Generation, prompt_version: str) -> Plan:
        wanted = (prompt_version, generation.canonical())
        if wanted not in self._settings:
            self._settings[wanted] = Setting.of(self.source, *wanted)
        plan = Plan(self._settings[wanted], [as_conversation(c) for c in conversations], generation)
        if self._endpoint is not None:
            plan.since = self._endpoint.serial
        if self.store is not None:
            plan.take(self.store.get(list(plan.messages)))
        return plan

    def _put(self, records: Sequence[Record]) -> dict[bytes, Answer]:
        """Keep answers; returns those that another process had kept before."""
        if self.store is None:
            self._budget.spend(records)
            return {}
        earlier, spent = self.store.put(records, run=self._run)
        self._budget.spent = spent[self.source]
        return earlier

    def _keep(self, request: Request, answer: Answer, done: Done) -> asyncio.Future[None] | None:
        assert isinstance(request, KeptRequest)
        tokens, cost = self.ledger.answered(answer, len(request.messages), request.key)
        record = Record(request.key, request.setting, request.messages, answer, tokens, cost)
        if self._commits is not None:
            return self._commits.add(record, done)
        self._put([record])
        done(answer)
        return None

    async def _fill(self, endpoint: Endpoint, plan: Plan) -> None:
        """Ask the server for what the plan lacks, and wait for what another process is asking for."""
        if self.store is None:
            await endpoint.fill(plan.requests(), plan.generation, plan.since)
            return
        waited = False
        for pause in pauses():
            missing = list(plan.missing())
            if not missing:
                return
            since = endpoint.serial
            taken = await self._take(self.store.leases, missing, waited)
            plan.take(taken.answers)
            try:
                await endpoint.fill(plan.requests(taken.mine), plan.generation, since)
            finally:
                self._let_go(self.store.leases, endpoint, taken.mine)
            if count := len(plan.missing()):
                with self.ledger.awaiting(count):
                    await asyncio.sleep(pause)
            waited = True

    async def _take(self, leases: Leases, keys: Sequence[bytes], waited: bool) -> Taken:
        taking = asyncio.ensure_future(asyncio.to_thread(leases.take, keys, waited=waited))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:  # nobody will ask for the leases that the thread is taking
            taking.add_done_callback(lambda t: None if t.exception() else _in_thread(leases.release, t.result().mine))
            raise

    def _let_go(self, leases: Leases, endpoint: Endpoint, keys: Sequence[bytes]) -> None:
        """What has no answer is open to others again; what is still on its way, after as long as a lease lasts."""
        if not (unanswered := leases.held(keys)):
            return
        on_the_way = endpoint.on_the_way(unanswered)
        if over := [key for key in unanswered if key not in on_the_way]:
            _in_thread(leases.release, over)
        if on_the_way:
            asyncio.get_running_loop().call_later(LEASE_S, _in_thread, leases.release, list(on_the_way))

    def _ask_here(self, plan: Plan, update: Callable[[], None] = lambda: None) -> None:
        """Ask what answers in this process, and wait for what another process is asking for."""
        if self.store is None:
            self._answer_here(plan, plan.missing(), update)
            return
        missing = plan.missing()

        def ask(keys: Sequence[bytes]) -> None:
            self._answer_here(plan, {key: missing[key] for key in keys}, update)

        def wait_for_others(count: int, pause: float) -> None:
            with self.ledger.awaiting(count):
                update()
                sleep(pause)

        self.store.leases.share(list(missing), ask, plan.take, wait_for_others)

    def _answer_here(self, plan: Plan, missing: Mapping[bytes, Conversation], update: Callable[[], None]) -> None:
        """Ask what answers in this process, batch by batch, each kept before the next is asked."""
        keys = list(missing)
        sizes = [len(plan.messages[key]) for key in keys]
        for places, answers in self._batches(list(missing.values()), sizes, plan.generation):
            records = []
            for place, answer in zip(places, answers, strict=True):
                key = keys[place]
                plan.found[key] = answer
                if answer.error:
                    self.ledger.failed(answer.error)
                else:
                    messages = plan.messages[key]
                    tokens, cost = self.ledger.answered(answer, len(messages), key)
                    records.append(Record(key, plan.setting, messages, answer, tokens, cost))
            if records:
                plan.found.update(self._put(records))
            update()

    def _batches(
        self, conversations: list[Conversation], sizes: Sequence[int], generation: Generation
    ) -> Iterator[tuple[Sequence[int], list[Answer]]]:
        """The answers of a backend in this process to conversations of these bytes, as (places, answers), batch by
        batch. A function is given no more at once than the budget has room for."""
        from hfclean.models.local import LocalModel

        backend, size = self._backend, self.spec.limits.batch_size or OWN_BATCH
        assert backend is not None
        if isinstance(backend, LocalModel):
            worst = self._budget.at_most(0, generation)
            yield from backend.batches(conversations, generation, lambda: self._budget.check(worst))
            return
        start = 0
        while start < len(conversations):
            worst_of_each = [self._budget.at_most(each, generation) for each in sizes[start : start + size]]
            part = conversations[start : start + self._budget.room(worst_of_each)]
            yield range(start, start + len(part)), checked(self.spec.name, backend(part, generation), len(part))
            start += len(part)
