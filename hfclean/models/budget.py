"""Money, tokens and time: what may be spent, what was, and what a run would cost before it starts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import takewhile

from hfclean.models.counting import TokenCount, Tokenizer, estimate_tokens
from hfclean.models.failures import BackendError, BudgetError
from hfclean.models.protocol import Answer, Conversation, Generation
from hfclean.models.spec import Limits, ModelSpec, Prices
from hfclean.models.store import Record, Spent, day_of


@dataclass(frozen=True)
class Usage:
    """What was asked of a model in this process.

    Args:
        asked: answers that came from the model.
        cached: answers that were already stored, or were asked once for several equal conversations.
        failed: conversations without an answer, by error.
        retries: requests beyond the first for the same conversation.
        prompt_tokens: tokens read for `asked`; estimated for servers that do not say.
        completion_tokens: tokens written for `asked`; estimated for servers that do not say.
        estimated: how many of `asked` have estimated tokens.
        cost: price of `asked`, 0 without prices.
        currency: of the cost.
        notes: what servers could not do and requests left out, such as `no_response_format`.
        reused: different answers that were kept before; counted during a prefetch of a transform only, as are their
            tokens.
        reused_prompt_tokens: tokens that were read for them when they were asked.
        reused_completion_tokens: tokens that were written for them when they were asked.
        reused_on: UTC date -> how many of `reused` were stored on it, oldest first; the date is empty for those that
            version 0.1.0 stored, which recorded none.
    """

    asked: int = 0
    cached: int = 0
    failed: tuple[tuple[str, int], ...] = ()
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    cost: float = 0.0
    currency: str = ""
    notes: tuple[str, ...] = ()
    reused: int = 0
    reused_prompt_tokens: int = 0
    reused_completion_tokens: int = 0
    reused_on: tuple[tuple[str, int], ...] = ()

    @property
    def done(self) -> int:
        """Finished conversations, successful or not."""
        return self.asked + self.cached + sum(count for _, count in self.failed)

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.completion_tokens

    def since(self, earlier: Usage) -> Usage:
        """The difference to an earlier count of the same ledger."""
        return replace(
            self,
            **{name: getattr(self, name) - getattr(earlier, name) for name in _SUMS},
            failed=_less(self.failed, earlier.failed),
            reused_on=_less(self.reused_on, earlier.reused_on),
        )


def _less(now: Iterable[tuple[str, int]], earlier: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    before = dict(earlier)
    return tuple((name, n - before.get(name, 0)) for name, n in now if n > before.get(name, 0))


_SUMS = tuple(spec.name for spec in fields(Usage) if isinstance(spec.default, (int, float)))


class Ledger:
    """Counts what is asked of one model in this process. Safe to read and write from several threads."""

    def __init__(self, prices: Prices | None = None) -> None:
        self.prices = prices
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._days: Counter[str] = Counter()
        self._notes: dict[str, None] = {}
        self._cost = 0.0
        self._met: set[int] | None = None
        self.awaited = 0  # conversations for which another process is asking just now

    @contextmanager
    def awaiting(self, count: int) -> Iterator[None]:
        """Within the block, this many more conversations wait for another process that is asking for them."""
        with self._lock:
            self.awaited += count
        try:
            yield
        finally:
            with self._lock:
                self.awaited -= count

    def answered(self, answer: Answer, prompt_bytes: int, key: bytes = b"") -> tuple[int, float]:
        """Count an answer of the model, its tokens and its price."""
        guessed = answer.prompt_tokens is None or answer.completion_tokens is None
        read, written = tokens_of(answer, prompt_bytes)
        cost = self.prices.cost(read, written) if self.prices else 0.0
        with self._lock:
            self._cost += cost
            counts = self._counts
            counts["asked"] += 1
            counts["prompt_tokens"] += read
            counts["completion_tokens"] += written
            counts["estimated"] += guessed
            if self._met is not None:
                self._met.add(_short(key))
        return read + written, cost

    @contextmanager
    def following(self) -> Iterator[None]:
        """Within the block, count the tokens of the answers that were kept before it, each answer once."""
        with self._lock:
            outer, self._met = self._met, set() if self._met is None else self._met
        try:
            yield
        finally:
            with self._lock:
                self._met = outer

    def reused(self, answers: Iterable[tuple[bytes, int, Answer]]) -> None:
        """Answers that the store held, with key and size of what was asked; does nothing unless `following`."""
        with self._lock:
            if self._met is None:
                return
            for key, prompt_bytes, answer in answers:
                if _short(key) not in self._met:
                    self._met.add(_short(key))
                    read, written = tokens_of(answer, prompt_bytes)
                    self._counts.update(reused=1, reused_prompt_tokens=read, reused_completion_tokens=written)
                    self._days[day_of(answer.stored_at)] += 1

    def failed(self, error: str) -> None:
        """Count a conversation that got no answer."""
        with self._lock:
            self._failed[error] += 1

    def count(self, name: str, amount: int = 1) -> None:
        """Count `cached` conversations or `retries`."""
        with self._lock:
            self._counts[name] += amount

    def note(self, word: str) -> None:
        """Remember something that the reader of a report should know."""
        with self._lock:
            self._notes[word] = None

    def usage(self) -> Usage:
        """The counts so far."""
        with self._lock:
            return Usage(
                **self._counts,
                failed=tuple(sorted(self._failed.items())),
                reused_on=tuple(sorted(self._days.items())),
                cost=self._cost,
                currency=self.prices.currency if self.prices else "",
                notes=tuple(self._notes),
            )


def _short(key: bytes) -> int:
    return int.from_bytes(key[:8])


def tokens_of(answer: Answer, prompt_bytes: int) -> tuple[int, int]:
    """Tokens read and written; estimated where the server did not say."""
    read, written = answer.prompt_tokens, answer.completion_tokens
    return (
        estimate_tokens(prompt_bytes) if read is None else read,
        estimate_tokens(len(answer.text.encode())) if written is None else written,
    )


class Budget:
    """Lets requests go while the amount spent plus the most that requests in flight may cost stays within the limit.

    The amount spent counts for the whole run: this process and the workers of its pools that use the same store.
    Requests in flight count for this process only, so several workers can overshoot by what the others have in
    flight. Failed requests are not counted: servers do not say what they cost.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.spent = Spent()
        self.bounded = spec.max_cost is not None or spec.max_tokens_total is not None
        self._waiting = Spent()

    def at_most(self, prompt_bytes: int, generation: Generation) -> Spent:
        """The most that a request can cost, if its answer is as long as it may be."""
        read = estimate_tokens(prompt_bytes)
        cost = self.spec.prices.cost(read, generation.max_new_tokens) if self.spec.prices else 0.0
        return Spent(1, read + generation.max_new_tokens, cost)

    def reserve(self, worst: Spent) -> bool:
        """Reserve the most that a request can cost; False if that is more than is left."""
        cost = self.spent.cost + self._waiting.cost + worst.cost
        tokens = self.spent.tokens + self._waiting.tokens + worst.tokens
        if self.spec.max_cost is not None and cost > self.spec.max_cost:
            return False
        if self.spec.max_tokens_total is not None and tokens > self.spec.max_tokens_total:
            return False
        self._waiting = Spent(0, self._waiting.tokens + worst.tokens, self._waiting.cost + worst.cost)
        return True

    def release(self, worst: Spent) -> None:
        """The request is over; its actual cost is in `spent`."""
        self._waiting = Spent(0, self._waiting.tokens - worst.tokens, self._waiting.cost - worst.cost)

    def spend(self, records: Sequence[Record]) -> None:
        """Count answers that no store counts."""
        asked, tokens, cost = self.spent
        tokens += sum(r.tokens for r in records)
        self.spent = Spent(asked + len(records), tokens, cost + sum(r.cost for r in records))

    def check(self, worst: Spent) -> None:
        """Stop where one more request could cost more than is left.

        Raises:
            BudgetError: it could.
        """
        if not self.reserve(worst):
            raise self.error(worst)
        self.release(worst)

    def room(self, worst: Sequence[Spent]) -> int:
        """How many of these requests, from the first on, cannot cost more than is left.

        Raises:
            BudgetError: not even the first.
        """
        fits = list(takewhile(self.reserve, worst))
        for each in fits:
            self.release(each)
        if worst and not fits:
            raise self.error(worst[0])
        return len(fits)

    def error(self, worst: Spent) -> BudgetError:
        """Why no further request goes out, and how to go on."""
        spec, spent = self.spec, self.spent
        if spec.max_cost is not None and spent.cost + worst.cost > spec.max_cost:
            currency = spec.prices.currency if spec.prices else ""
            allowed, used = f"max_cost={spec.max_cost:g}", f"{spent.cost:.4f} {currency}"
            least = f"the next request may cost {worst.cost:.4f}"
        else:
            allowed, used = f"max_tokens_total={spec.max_tokens_total}", f"{spent.tokens} tokens"
            least = f"the next request may take {worst.tokens}"
        return BudgetError(
            f"{allowed} is reached: {used} used by {spent.asked} answers of {spec.name} in this run, and {least}. "
            "Every answer so far is kept: allow more and run the same again, nothing that was answered is asked twice"
        )


@dataclass(frozen=True)
class Estimate:
    """The estimated cost of a run.

    Args:
        requests: conversations of the whole run.
        prompt_tokens: tokens that it would read.
        completion_tokens: tokens that it would write.
        cost: price, nan without prices.
        currency: of the cost.
        hours: time, nan where nothing is known about the speed.
        prompt_basis: how the tokens that are read were counted: `tokenizer and chat template`, `tokenizer`, `server`
            (its own count), or `4 bytes a token`.
        completion_basis: the same for those that are written: `answers` (of a sample that was asked), `given`, or
            `max_new_tokens` (an upper bound).
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    currency: str
    hours: float
    prompt_basis: str
    completion_basis: str


def estimate(
    conversations: Sequence[Conversation],
    generation: Generation | None = None,
    *,
    requests: int | None = None,
    prices: Prices | None = None,
    answers: Sequence[Answer] | None = None,
    completion_tokens: float | None = None,
    seconds_per_request: float | None = None,
    limits: Limits | None = None,
    tokenizer: Tokenizer | None = None,
) -> Estimate:
    """Estimate the cost of a whole run from a sample of its conversations. Asks nothing.

    Args:
        conversations: the sample.
        generation: the settings of the run.
        requests: conversations of the whole run; by default those of the sample.
        prices: what tokens cost.
        answers: answers to the sample, if it was asked: their lengths, and the server's own token counts, are the best
            basis.
        completion_tokens: tokens of a typical answer, if known.
        seconds_per_request: how long one answer takes, if known (a preview run shows it).
        limits: requests at once and per minute; for the hours.
        tokenizer: the model's, `AutoTokenizer.from_pretrained(...)`, whose chat template is counted as well; or a
            function, text to tokens. Without it four bytes count as one token, and four tokens are added for a turn.

    Raises:
        BackendError: an empty sample.
        ModelError: the chat template of the tokenizer takes no such turns.
    """
    if not conversations:
        raise BackendError("an estimate needs a sample: at least one conversation")
    generation, limits = generation or Generation(), limits or Limits()
    total = len(conversations) if requests is None else requests
    count = TokenCount(tokenizer, (generation.extra or {}).get("chat_template_kwargs"))
    good = [a for a in answers or () if not a.error]
    counted = [a.prompt_tokens for a in good if a.prompt_tokens is not None]
    if good and len(counted) == len(good):
        read, prompt_basis = sum(counted) / len(counted), "server"
    else:
        lengths = [count.conversation(c) for c in conversations]
        read, prompt_basis = sum(lengths) / len(lengths), count.basis
    if good:
        lengths = [
            estimate_tokens(len(a.text.encode("utf-8", "replace")))
            if a.completion_tokens is None
            else a.completion_tokens
            for a in good
        ]
        written, completion_basis = sum(lengths) / len(lengths), "answers"
    elif completion_tokens is not None:
        written, completion_basis = completion_tokens, "given"
    else:
        written, completion_basis = float(generation.max_new_tokens), "max_new_tokens"
    read, written = round(read * total), round(written * total)
    waits = []
    if seconds_per_request is not None:
        waits.append(total * seconds_per_request / limits.concurrency)
    if limits.requests_per_minute:
        waits.append(total / limits.requests_per_minute * 60)
    if limits.tokens_per_minute:
        waits.append((read + written) / limits.tokens_per_minute * 60)
    return Estimate(
        requests=total,
        prompt_tokens=read,
        completion_tokens=written,
        cost=prices.cost(read, written) if prices else float("nan"),
        currency=prices.currency if prices else "",
        hours=max(waits) / 3600 if waits else float("nan"),
        prompt_basis=prompt_basis,
        completion_basis=completion_basis,
    )


def days_of(kept: Sequence[tuple[str, int]]) -> str:
    """When answers were stored, in words: one date, two dates between which they lie, or that none was recorded.

    >>> days_of([("", 2), ("2026-11-20", 1), ("2026-11-28", 5)])
    'stored 2026-11-20 to 2026-11-28, and 2 before dates were recorded'
    """
    days = sorted(day for day, _ in kept if day)
    undated = sum(count for day, count in kept if not day)
    if not days:
        return "stored before dates were recorded" if undated else ""
    span = f"stored {days[0]}" if len(days) == 1 else f"stored {days[0]} to {days[-1]}"
    return span + (f", and {undated:,} before dates were recorded" if undated else "")


@contextmanager
def progress(
    ledger: Ledger, total: int | None, *, show: bool = True, label: str = "asking"
) -> Iterator[Callable[..., None]]:
    """A live line: done, tokens, cost, time left. Call the yielded function to update it: with how many more are done,
    if that is not the number of conversations, and with your own counts: `update(10, revised=8)`."""
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=label, unit="", disable=not show, dynamic_ncols=True) as bar:
        before = ledger.usage()

        def update(done: int | None = None, /, **counts: int) -> None:
            spent = ledger.usage().since(before)
            about = {name: f"{count:,}" for name, count in counts.items()}
            if kept := spent.reused_on:
                about["kept"] = f"{sum(n for _, n in kept):,} ({days_of(kept)})"
            about["tokens"] = f"{spent.tokens:,}"
            if ledger.prices:
                about["cost"] = f"{spent.cost:.4g} {spent.currency}"
            if failed := sum(count for _, count in spent.failed):
                about.setdefault("failed", f"{failed:,}")
            if ledger.awaited:
                about["waiting for another run"] = f"{ledger.awaited:,}"
            bar.set_postfix(about, refresh=False)
            bar.update(spent.done - bar.n if done is None else done)

        yield update
