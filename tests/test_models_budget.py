"""Money and tokens: what may be spent is not exceeded, what was spent is not lost, a run says what it would cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Reply
from datasets import Dataset
from extras import needs

from hfclean.models import (
    Answer,
    BackendError,
    BudgetError,
    Conversation,
    Generation,
    Limits,
    Message,
    ModelSpec,
    Prices,
    Usage,
    as_conversation,
    ask,
    estimate,
    process,
    spent,
    usage,
)
from hfclean.schema import View
from hfclean.transform import Batch, Transform

A_COIN = Prices(input=1e6, output=1e6, currency="coins")  # a token costs one coin
SHORT = Generation(max_new_tokens=10)
ROWS = [f"row {k:03}" for k in range(100)]  # 37 bytes of messages, which are estimated at 10 tokens


# newer Pythons warn of every fork beside a thread; that this one is safe is what is tested
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def test_a_run_stops_before_the_money_is_spent_and_goes_on_with_more() -> None:
    with ChatServer(default=Reply(usage=(7, 3), delay_s=0.001)) as server:
        spec = ModelSpec("m", base_url=server.url, prices=A_COIN, max_cost=250, limits=Limits(concurrency=8))
        with pytest.raises(BudgetError, match=r"max_cost=250 is reached: 2\d0.0000 coins used by 2\d answers of m"):
            ask(spec, ROWS, SHORT)
        used = usage(spec)
        assert 220 < used.cost <= 250
        assert used.cost == 10 * used.asked == 10 * server.counts.total()
        with pytest.raises(BudgetError):
            ask(spec, ROWS, SHORT)  # the same again spends nothing more
        assert server.counts.total() == used.asked
        more = replace(spec, max_cost=2000)
        answers = ask(more, ROWS, SHORT)
        assert sum(a.cached for a in answers) == used.asked
        assert (usage(more).asked, usage(more).cached) == (100 - used.asked, used.asked)
    assert set(server.counts.values()) == {1}


@pytest.mark.parametrize("store", [None, False])
def test_a_run_stops_before_the_tokens_are_used(store: Any) -> None:
    with ChatServer(default=Reply(usage=(7, 3))) as server:
        spec = ModelSpec("m", base_url=server.url, max_tokens_total=300, store=store)
        with pytest.raises(BudgetError, match=r"max_tokens_total=300 is reached: 2\d0 tokens used by"):
            ask(spec, ROWS, SHORT)
        assert 270 < usage(spec).tokens <= 300


def test_stored_answers_cost_nothing() -> None:
    with ChatServer() as server:
        ask(ModelSpec("m", base_url=server.url), ROWS, SHORT)
        broke = ModelSpec("m", base_url=server.url, prices=A_COIN, max_cost=0)
        assert all(a.cached for a in ask(broke, ROWS, SHORT))
        with pytest.raises(BudgetError, match="the next request may cost 20"):
            ask(broke, ["a new one"], SHORT)


def test_tokens_that_a_server_does_not_count_are_estimated_and_said_to_be() -> None:
    with ChatServer(default=Reply("x" * 40, usage=None)) as server:
        spec = ModelSpec("m", base_url=server.url, prices=A_COIN)
        ask(spec, ROWS[:2], SHORT)
    found = usage(spec)
    assert (found.asked, found.estimated, found.prompt_tokens, found.completion_tokens) == (2, 2, 20, 20)
    assert found.cost == 40


NOWHERE = ModelSpec("none", base_url="http://127.0.0.1:9")


@dataclass(frozen=True)
class Asks(Transform):
    spec: ModelSpec = NOWHERE

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        return {"output": [a.text for a in ask(self.spec, batch["instruction"], SHORT)]}


def test_workers_of_a_pool_share_one_purse() -> None:
    ds = Dataset.from_list([{"instruction": row, "output": ""} for row in ROWS])
    with ChatServer(default=Reply(usage=(7, 3))) as server:
        spec = ModelSpec("m", base_url=server.url, prices=A_COIN, max_cost=300, limits=Limits(concurrency=2))
        with pytest.raises(BudgetError, match="max_cost=300 is reached"):
            ds.map(Asks(spec), batched=True, batch_size=2, num_proc=2, load_from_cache_file=False)
        # each can overshoot by what the other had on its way, which is two requests here
        assert 25 <= server.counts.total() <= 32
        assert usage(spec).asked == 0  # this process asked nothing, but the run did
        assert spent(spec).asked == server.counts.total()
        assert spent(spec).cost == spent(spec).tokens == 10 * spent(spec).asked


def test_a_backend_of_ones_own_has_a_budget_too() -> None:
    def own(conversations: Sequence[Conversation], generation: Generation) -> list[Answer]:
        return [Answer("yes", "stop", 7, 3) for _ in conversations]

    spec = ModelSpec(own, cache_as="own", max_tokens_total=200, limits=Limits(batch_size=5))
    with pytest.raises(BudgetError, match="max_tokens_total=200 is reached: 190 tokens used by 19 answers of "):
        ask(spec, ROWS, SHORT)
    assert sum(a.cached for a in ask(replace(spec, max_tokens_total=None), ROWS, SHORT)) == 19


def test_a_function_is_given_no_more_than_its_budget_has_room_for() -> None:
    given: list[int] = []

    def own(conversations: Sequence[Conversation], generation: Generation) -> list[Answer]:
        given.append(len(conversations))
        return [Answer("yes", "stop", 4, 1) for _ in conversations]

    spec = ModelSpec(own, cache_as="narrow", max_tokens_total=105, limits=Limits(batch_size=16))
    with pytest.raises(BudgetError, match="max_tokens_total=105 is reached"):
        ask(spec, ROWS, SHORT)
    assert 5 * sum(given) <= 105
    assert given[0] < 16


def test_money_needs_prices() -> None:
    with pytest.raises(BackendError, match=r"max_cost=5 needs prices.*prices=Prices\(input=..., output=...\)"):
        ModelSpec("m", base_url="http://localhost", max_cost=5)
    table = {
        "m": {"input": 0.15, "output": "0.60"},
        "short": [1, 2],
        "broken": {"input": "x", "output": 1},
        "half": [1],
    }
    assert Prices.from_table(table, "m") == Prices(0.15, 0.60)
    assert Prices.from_table(table, "short") == Prices(1.0, 2.0)
    for model, words in (
        ("n", r"no input and output price for 'n' \(models in it: m, short"),
        ("broken", "not numbers"),
    ):
        with pytest.raises(BackendError, match=words):
            Prices.from_table(table, model)
    with pytest.raises(BackendError, match="money per million tokens"):
        Prices(input=-1, output=1)
    assert Prices(0.15, 0.60).cost(1_000_000, 500_000) == 0.45


def test_an_estimate_without_anything_known_says_what_it_rests_on() -> None:
    sample = [as_conversation("x" * 400), as_conversation("x" * 200)]
    found = estimate(sample, Generation(max_new_tokens=100), requests=1000)
    assert (found.requests, found.prompt_tokens, found.completion_tokens) == (1000, 83_000, 100_000)
    assert (found.prompt_basis, found.completion_basis) == ("4 bytes a token", "max_new_tokens")
    assert math.isnan(found.cost)
    assert math.isnan(found.hours)


def test_an_estimate_uses_what_is_known() -> None:
    sample = [as_conversation("a b c"), as_conversation("d e f g h")]
    found = estimate(
        sample,
        requests=100,
        prices=Prices(1.0, 10.0),
        completion_tokens=50,
        seconds_per_request=7.2,
        limits=Limits(concurrency=10),
        tokenizer=str.split,
    )
    assert (found.prompt_tokens, found.completion_tokens) == (1200, 5000)
    assert (found.prompt_basis, found.completion_basis) == ("tokenizer", "given")
    assert (round(found.cost, 6), found.currency, round(found.hours, 9)) == (0.0512, "USD", 0.02)
    answers = [Answer("yes", "stop", 20, 4), Answer("no", "stop", 10, 2), Answer.failed("timeout")]
    asked = estimate(
        sample, requests=100, answers=answers, limits=Limits(requests_per_minute=50, tokens_per_minute=60)
    )
    assert (asked.prompt_tokens, asked.completion_tokens) == (1500, 300)
    assert (asked.prompt_basis, asked.completion_basis) == ("server", "answers")
    assert asked.hours == 0.5
    with pytest.raises(BackendError, match="at least one conversation"):
        estimate([])


def test_an_estimate_counts_what_the_chat_template_adds() -> None:
    needs("models", "transformers")
    from hfclean.testing_models import CHATML, tiny_tokenizer

    own = "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe of help.<|im_end|>\n{% endif %}"
    tokenizer = tiny_tokenizer(chat_template=own + CHATML)
    talk = (Message("user", "Name a bird, please."), Message("assistant", "A cod."), Message("user", "A bird!"))
    ids = tokenizer.apply_chat_template(
        [m.as_dict() for m in talk], add_generation_prompt=True, return_dict=True, tokenize=True
    )["input_ids"]
    for given in (tokenizer, tokenizer.encode):
        found = estimate([talk], requests=10, tokenizer=given)
        assert (found.prompt_tokens, found.prompt_basis) == (10 * len(ids), "tokenizer and chat template")
    tokenizer.chat_template = None
    texts = sum(len(tokenizer.encode(m.content)) for m in talk)
    bare = estimate([talk], requests=10, tokenizer=tokenizer)
    assert (bare.prompt_tokens, bare.prompt_basis) == (10 * (texts + 4 * 4), "tokenizer")


def test_usage_adds_up() -> None:
    found = Usage(asked=3, cached=2, failed=(("timeout", 1), ("bad_answer", 2)), prompt_tokens=5, completion_tokens=6)
    assert (found.done, found.tokens) == (8, 11)
