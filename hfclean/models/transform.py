"""What every transform that asks a model has in common: the settings of the model, and one way to ask.

A subclass writes its work once, as a generator that yields its requests and is sent the answers. The same
generator then runs in `map` (it waits), as a bound async method (it does not), ahead of a `map` over a whole dataset
(many batches at once), and without a model at all, to estimate what a run would cost.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, fields, replace
from itertools import chain, islice
from typing import Any, Literal, NamedTuple

from hfclean.errors import HfcleanError
from hfclean.models import process
from hfclean.models.api_key import read_key
from hfclean.models.asking import LOCAL_WINDOW, open_backend, usage
from hfclean.models.budget import Estimate, Usage, estimate, progress
from hfclean.models.counting import TokenCount, Tokenizer
from hfclean.models.protocol import Answer, Backend, Conversation, Generation
from hfclean.models.spec import Limits, ModelSpec, Prices
from hfclean.models.useless_answers import Use, UselessWatch, first_rows
from hfclean.models.weights import fingerprint
from hfclean.models.work import Asking, Work, await_for, pretend, wait_for, walk
from hfclean.schema import View
from hfclean.transform import HUB, UNSAID, Batch, Transform
from hfclean.values import stored_columns

WINDOW = 128  # rows of a prefetch that are processed together
FOLDER = {"folder": True}  # a record may state the setting, if it was written here
AHEAD = 16  # windows in progress at once, so that none waits for the slowest answer of another
SAMPLE = 100  # rows that an estimate reads


_Heard = list[tuple[Conversation, Answer]]


class Heard(NamedTuple):
    """The columns of a batch, with requests and answers in the same order."""

    columns: dict[str, list[Any]]
    conversations: list[Conversation]
    answers: list[Answer]


class Place(NamedTuple):
    """Where a row is: its split, `""` where there is only one dataset, and its position."""

    split: str
    row: int


@dataclass(frozen=True)
class ModelTransform(Transform):
    """Base of the transforms that ask a model.

    Args:
        model: with `base_url`, the name that the server gives the model; without, a folder or a Hub id to run here
            through transformers; or a custom backend; or a `ModelSpec` with all of it.
        base_url: address of an OpenAI-compatible server, as far as `/v1`.
        api_key_env: name of the environment variable that holds the key. It is sent to that host only. Without it no
            key is sent at all, whatever variables are set.
        revision: git ref of a Hub id.
        chat_template: for a local model without one: a Jinja template, or `"plain"` for a simple one of ours.
        dtype: weights of a local model, such as `"bfloat16"`.
        device: of a local model, such as `"cuda:1"`.
        cache_as: whose answers these are, instead of server (host, port, path) and model; needed for a custom backend.
        store: file of answers; None for the usual one under `HFCLEAN_HOME`, False to keep none.
        prices: what tokens cost; needed by `max_cost`.
        max_cost: stop when this run has spent this amount on the model.
        max_tokens_total: stop when this run has used this number of tokens of the model.
        limits: rate limits, retries and timeouts.
        max_new_tokens: the longest answer, in tokens.
        temperature: 0 takes the likeliest token every time; None leaves it to the server.
        top_p: sample from the likeliest tokens whose probabilities add up to this.
        seed: random seed of the sampling.
        extra_body: further fields for the server's request body, such as `{"reasoning_effort": "low"}`.
        attempts: most requests for one answer that cannot be read. Every attempt is kept by itself: with more of
            them than before, only what could not be read is asked for again.
    """

    # the history of a row names the model from its spec, and leaves out address, limits and prices
    model: str | Backend | ModelSpec = field(metadata={**HUB, **UNSAID})
    base_url: str | None = field(default=None, kw_only=True, metadata=FOLDER)
    api_key_env: str | None = field(default=None, kw_only=True, metadata=UNSAID)
    revision: str | None = field(default=None, kw_only=True, metadata=HUB)
    chat_template: str | None = field(default=None, kw_only=True, metadata={**HUB, "longest": 100_000})
    dtype: str | None = field(default=None, kw_only=True, metadata=HUB)
    device: str | None = field(default=None, kw_only=True, metadata=UNSAID)
    cache_as: str | None = field(default=None, kw_only=True, metadata=FOLDER)
    store: str | Literal[False] | None = field(default=None, kw_only=True, metadata=UNSAID)
    prices: Prices | None = field(default=None, kw_only=True, metadata=UNSAID)
    max_cost: float | None = field(default=None, kw_only=True, metadata=UNSAID)
    max_tokens_total: int | None = field(default=None, kw_only=True, metadata=UNSAID)
    limits: Limits = field(default=Limits(), kw_only=True, metadata=UNSAID)
    max_new_tokens: int = field(default=2048, kw_only=True, metadata={**HUB, "most": 1_000_000})
    temperature: float | None = field(default=0.0, kw_only=True, metadata=HUB)
    top_p: float = field(default=1.0, kw_only=True, metadata=HUB)
    seed: int | None = field(default=None, kw_only=True, metadata=HUB)
    extra_body: Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False, metadata=FOLDER)
    attempts: int = field(default=1, kw_only=True, metadata=UNSAID)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attempts < 1:
            raise HfcleanError(f"{type(self).__name__}(attempts={self.attempts}): expected at least 1")
        if isinstance(self.model, ModelSpec):
            given = [name for name in _SPEC_FIELDS if getattr(self, name) != _DEFAULTS[name]]
            if given:
                raise HfcleanError(
                    f"{type(self).__name__}: {', '.join(given)} beside a ModelSpec; say it in the ModelSpec"
                )
        self.spec()
        self.generation()

    def spec(self) -> ModelSpec:
        """The model and the way to it."""
        if isinstance(self.model, ModelSpec):
            return self.model
        return ModelSpec(self.model, **{name: getattr(self, name) for name in _SPEC_FIELDS})

    def generation(self, candidate: int = 0, response_format: Mapping[str, Any] | None = None) -> Generation:
        """How to answer."""
        return Generation(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            candidate=candidate,
            response_format=response_format,
            extra=self.extra_body,
        )

    def settings(self) -> dict[str, Any]:
        return {**self.spec().settings(), **super().settings()}

    def own_words(self) -> dict[str, Any]:
        """The caller's own texts of the prompt, by the name of the field, as JSON can hold them: `settings` has their
        digests, and hfclean.json both. Empty where all words are ours."""
        return {}

    def depends(self) -> dict[str, Any]:
        spec = self.spec()
        if spec.kind != "local" or not isinstance(spec.model, str):
            return {}
        return {"weights": fingerprint(spec.model)}

    # ------------------------------------------------------------------------------------------------ for subclasses

    def work(self, batch: Batch, view: View) -> Work[dict[str, list[Any]]]:
        """The columns of a batch; yields the requests that they need."""
        raise HfcleanError(f"{type(self).__name__} defines no work(batch, view)")

    def tally(self, columns: Mapping[str, list[Any]]) -> dict[str, int]:
        """What the progress line says about the columns of a batch, besides done, tokens and cost."""
        return {}

    def uses(self, columns: Mapping[str, list[Any]]) -> tuple[list[Use], list[str]]:
        """The outcome of the model's answers for each row of these columns, and why; empty lists where a subclass
        does not say."""
        return [], []

    # ------------------------------------------------------------------------------------------------ for datasets

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        return wait_for(self.work(batch, view))

    async def acall(self, data: Any) -> dict[str, Any]:
        """Like calling it, for a running event loop: `await reviser.acall(row)`, or `ds.map(reviser.acall)`."""
        batch, view, single = self._opened(data)
        columns = stored_columns(await await_for(self.work(batch, view)), data)
        return {name: column[0] for name, column in columns.items()} if single else columns

    def prefetch(self, ds: Any, *, show: bool = True) -> Usage:
        """Ask for a whole dataset at full speed; a `map` after it only reads, and no batch waits for its slowest row.

        Shows a live line with rows done, what became of them, tokens, cost and time left. May be stopped and started
        again: what was answered is kept.

        Args:
            ds: a `Dataset`, `DatasetDict`, streaming dataset, or any iterable of rows.
            show: whether to show the line.

        Returns:
            what this process has asked the model so far. Rows that failed are counted there, and are asked again by
            `map`.

        Raises:
            BackendError: no further request could succeed, or not one of the first rows got an answer that can be
                used: four times as many as `limits.give_up_after` says. Every answer so far is kept.
        """
        total = sum(len(part) for part in _parts(ds)) if all(isinstance(part, Sized) for part in _parts(ds)) else None
        with open_backend(self.spec()).ledger.following():
            return self._ahead(_rows(ds), total, show)

    def check_access(self) -> None:
        """Check now, before any work, that the named key and the store exist.

        Raises:
            AccessError: the variable of the key is empty.
            StoreError: the file of answers cannot be opened.
        """
        read_key(self.spec().api_key_env)
        open_backend(self.spec())

    @property
    def keeps_answers(self) -> bool:
        """Whether an answer that came once is kept for the next who asks."""
        return open_backend(self.spec()).store is not None

    def hear(self, batch: Mapping[str, list[Any]]) -> Heard:
        """Like calling it with a batch, plus requests and answers of the model."""
        opened, view, _ = self._opened(batch)
        spec = self.spec()
        conversations: list[Conversation] = []
        received: list[Answer] = []

        def note(wanted: Asking, answers: list[Answer]) -> None:
            if wanted.spec == spec:
                conversations.extend(wanted.conversations)
                received.extend(answers)

        columns = wait_for(self.work(opened, view), note)
        return Heard(columns, conversations, received)

    def lacking(self, batch: Any, known: Callable[[Asking], Sequence[Answer | None]]) -> None:
        """Go through the requests of a batch and ask nobody: `known` gets each of them, and gives the answers that
        there are. Requests that depend on others come where these have an answer."""
        opened, view, _ = self._opened(batch)
        walk(self.work(opened, view), known)

    def _ahead(self, rows: Iterator[Mapping[str, Any]], total: int | None, show: bool) -> Usage:
        spec = self.spec()
        ledger = open_backend(spec).ledger
        server = spec.kind == "server"
        size = WINDOW if server else LOCAL_WINDOW
        counts: dict[str, int] = {}
        under_way: dict[Future[Any], tuple[int, int, _Heard]] = {}
        watch = UselessWatch(spec)
        with progress(ledger, total, show=show, label=spec.name) as update:

            def settle(columns: Mapping[str, list[Any]], place: int, done: int, heard: _Heard) -> None:
                watch.add(place, *self.uses(columns), heard)
                for name, count in self.tally(columns).items():
                    counts[name] = counts.get(name, 0) + count
                update(done, **counts)

            def gather(most: int) -> None:
                while len(under_way) > most:
                    for future in wait(under_way, timeout=0.5, return_when=FIRST_COMPLETED).done:
                        settle(future.result(), *under_way.pop(future))
                    update(0, **counts)

            try:
                # the first window shows whether the answers of a run are useless
                windows = chain(_windows(islice(rows, first_rows(spec)), size), _windows(rows, size))
                for place, window in enumerate(windows):
                    batch, view, _ = self._opened(as_columns(window))
                    heard: _Heard = []

                    def note(wanted: Asking, answers: list[Answer], heard: _Heard = heard) -> None:
                        if not watch.over and wanted.spec == spec:
                            heard.extend(zip(wanted.conversations, answers, strict=True))

                    if server:
                        work = await_for(self.work(batch, view), note, beside=True)
                        under_way[process.start(work)] = (place, len(window), heard)
                        gather(AHEAD - 1)
                    else:
                        settle(wait_for(self.work(batch, view), note), place, len(window), heard)
                gather(0)
            finally:
                for future in under_way:
                    future.cancel()
        return ledger.usage()

    def estimate(
        self,
        ds: Any,
        *,
        sample: int = SAMPLE,
        seconds_per_request: float | None = None,
        growth: float = 1.0,
        tokenizer: Tokenizer | None = None,
    ) -> Estimate:
        """Estimate the cost of a run over a dataset: requests, tokens, money, hours. Asks nothing.

        Reads an evenly spread sample. Nobody knows the length of answers beforehand: they are assumed to
        be as long as the text that they revise, times `growth`; `preview` (or a small run) shows the true growth.

        Args:
            ds: a `Dataset`, a `DatasetDict` or a list of rows.
            sample: rows to read.
            seconds_per_request: how long one answer takes, if known; for the hours.
            growth: how much longer answers are than the text that they revise.
            tokenizer: as `hfclean.models.estimate` takes it; without it four bytes count as one.
        """
        parts = ds if isinstance(ds, Mapping) else {"": ds}
        total = sum(len(part) for part in parts.values())
        rows = [parts[place.split][place.row] for place in spread(ds, sample)]
        spec = self.spec()
        wanted = []
        for row in rows:
            batch, view, _ = self._opened(dict(row))
            wanted += pretend(self.work(batch, view))
        wanted = [asking for asking in wanted if asking.spec == spec]
        conversations = [c for asking in wanted for c in (*asking.conversations, *asking.may_follow)]
        guesses = [text for asking in wanted for text in asking.guesses]
        if not conversations:
            return Estimate(0, 0, 0, 0.0, spec.prices.currency if spec.prices else "", 0.0, "no rows", "no rows")
        count = TokenCount(tokenizer)
        found = estimate(
            conversations,
            self.generation(),
            requests=round(len(conversations) * total / len(rows)),
            prices=spec.prices,
            completion_tokens=growth * sum(map(count.text, guesses)) / len(guesses),
            seconds_per_request=seconds_per_request,
            limits=spec.limits,
            tokenizer=tokenizer,
        )
        return replace(found, completion_basis=f"as long as the text it revises, times {growth:g}")

    def usage(self) -> Usage:
        """What this process has asked the model so far. Workers of `num_proc` count for themselves."""
        return usage(self.spec())


_SPEC_FIELDS = tuple(spec.name for spec in fields(ModelSpec) if spec.name != "model")
_DEFAULTS = {spec.name: spec.default for spec in fields(ModelTransform)}


def spread(ds: Any, count: int) -> list[Place]:
    """This many rows of a `Dataset`, a `DatasetDict` or a list of rows, evenly spread; all if there are fewer."""
    parts = ds if isinstance(ds, Mapping) else {"": ds}
    total = sum(len(part) for part in parts.values())
    wanted = list(range(total)) if total <= count else [k * total // count for k in range(count)]
    found, start = [], 0
    for split, part in parts.items():
        found += [Place(split, k - start) for k in wanted if start <= k < start + len(part)]
        start += len(part)
    return found


def _parts(ds: Any) -> list[Any]:
    return list(ds.values()) if isinstance(ds, Mapping) else [ds]


def _rows(ds: Any) -> Iterator[Mapping[str, Any]]:
    for part in _parts(ds):
        yield from part.with_format(None) if hasattr(part, "with_format") else part


def _windows(rows: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    """This many rows at a time; rows with other columns begin a new window."""
    source = iter(rows)
    while window := list(islice(source, size)):
        start = 0
        for k in range(1, len(window)):
            if window[k].keys() != window[start].keys():
                yield window[start:k]
                start = k
        yield window[start:]


def as_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows of the same columns as a batch."""
    return {name: [row[name] for row in rows] for name in rows[0]}
