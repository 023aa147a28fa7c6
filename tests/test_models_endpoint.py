"""The endpoint client against a server with every fault that servers have: what becomes of the row, and of the run."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chat_server import PATIENCE_S, ChatServer, Received, Reply

from hfclean.models import (
    AccessError,
    Answer,
    Backend,
    BackendError,
    Generation,
    Limits,
    Message,
    ModelSpec,
    as_conversation,
    ask,
    open_backend,
    prefetch,
    process,
    store,
    usage,
)
from hfclean.models.endpoint import Endpoint
from hfclean.models.pace import Allowance, Pace, retry_after
from hfclean.models.wire import judge

QUICK = Limits(backoff_s=0.001, retries=3, timeout_s=PATIENCE_S, connect_timeout_s=PATIENCE_S)
HASTY = replace(QUICK, timeout_s=0.1)  # only where nothing is asked but what hangs: all else may take as long
OVERLONG = "This model's maximum context length is 2048 tokens. However, you requested 2300 tokens"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def spec_of(server: ChatServer, limits: Limits = QUICK) -> ModelSpec:
    return ModelSpec("tiny", base_url=server.url, limits=limits)


# fault -> (replies in turn, the text or the error that comes out, how often was asked)
FAULTS = {
    "429 with Retry-After": ([Reply("slow down", 429, headers={"Retry-After": "0"}), Reply("yes")], "yes", 2),
    "429 with a date": (
        [Reply("slow", 429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), Reply("yes")],
        "yes",
        2,
    ),
    "500 once": ([Reply("oops", 500), Reply("yes")], "yes", 2),
    "500 for ever": ([Reply("oops", 500)], "server_error", 4),
    "503 once": ([Reply("busy", 503), Reply("yes")], "yes", 2),
    "429 for ever": ([Reply("slow down", 429)], "rate_limited", 10),
    "reset once": ([Reply(reset=True), Reply("yes")], "yes", 2),
    "reset for ever": ([Reply(reset=True)], "connection", 4),
    "half a body once": ([Reply("a long answer", cut=0.5), Reply("yes")], "yes", 2),
    "half a body for ever": ([Reply("a long answer", cut=0.5)], "connection", 4),
    "junk JSON once": ([Reply(body=b"<html>proxy</html>"), Reply("yes")], "yes", 2),
    "junk JSON for ever": ([Reply(body=b'{"choices": [{"mess')], "bad_answer", 3),
    "not UTF-8": ([Reply(body=b'{"choices": "\xff\xfe"}')], "bad_answer", 3),
    "no choices": ([Reply(body=b'{"choices": []}')], "bad_answer", 3),
    "choices of another form": ([Reply(body=b'{"choices": {"0": 1}}')], "bad_answer", 3),
    "a number": ([Reply(body=b"7")], "bad_answer", 3),
    "too deep": ([Reply(body=b"[" * 100_000)], "bad_answer", 3),
    "an error with status 200": (
        [Reply(body=b'{"error": {"code": 502, "message": "upstream"}}'), Reply("yes")],
        "yes",
        2,
    ),
    "context overflow": ([Reply(OVERLONG, 400)], "context_overflow", 1),
    "context overflow by code": ([Reply("no", 400, code="context_length_exceeded")], "context_overflow", 1),
    "413": ([Reply("too large", 413)], "context_overflow", 1),
    "400": ([Reply("the messages must alternate", 400)], "refused_request", 1),
    "422": ([Reply("unprocessable", 422)], "refused_request", 1),
    "403 for one text": ([Reply("your input was flagged", 403)], "refused_request", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_row_or_passes_and_leaves_the_others_alone(fault: str) -> None:
    replies, outcome, times = FAULTS[fault]
    with ChatServer({"bad": replies}, default=Reply("fine")) as server:
        assert ask(spec_of(server), ["zero"])[0].text == "fine"  # a server that has answered, and is no wrong address
        answers = ask(spec_of(server), ["one", "bad", "two"])
    assert [a.text for a in answers[::2]] == ["fine", "fine"]
    assert outcome in (answers[1].text, answers[1].error)
    assert bool(answers[1].error) == (outcome != "yes")
    assert server.counts == {"zero": 1, "one": 1, "bad": times, "two": 1}


def test_a_request_that_hangs_is_asked_again_and_the_others_are_answered() -> None:
    # as many tries as it takes: an answer may be late on a slow machine too
    patient = replace(HASTY, retries=1000, longest_wait_s=0.01)
    with ChatServer({"bad": [Reply(hang=True), Reply("yes")]}, default=Reply("fine")) as server:
        spec = spec_of(server, patient)
        assert [a.text for a in ask(spec, ["one", "bad", "two"])] == ["fine", "yes", "fine"]
        assert server.counts["bad"] > 1
        assert usage(spec).retries > 0
        assert usage(spec).failed == ()


def test_a_request_that_hangs_for_ever_is_given_up() -> None:
    with ChatServer(default=Reply(hang=True)) as server:
        spec = spec_of(server, HASTY)
        (answer,) = ask(spec, ["bad"])
    assert (answer.error, answer.detail) == ("timeout", "no answer within 0.1 s")
    assert (usage(spec).retries, usage(spec).failed) == (3, (("timeout", 1),))


def test_a_failed_request_is_asked_again_and_an_answered_one_is_not() -> None:
    with ChatServer({"bad": [Reply("oops", 400), Reply("mended")]}) as server:
        spec = spec_of(server)
        assert [a.error for a in ask(spec, ["good", "bad"])] == ["", "refused_request"]
        assert [(a.text, a.cached) for a in ask(spec, ["good", "bad"])] == [("ok", True), ("mended", False)]
        assert server.counts == {"good": 1, "bad": 2}
        assert usage(spec).failed == (("refused_request", 1),)


STOPS = {
    "401": (Reply("Incorrect API key", 401), AccessError, "does not accept the key"),
    "402": (Reply("Insufficient credits", 402), AccessError, "no credit left"),
    "429 without quota": (Reply("You exceeded your quota", 429, code="insufficient_quota"), AccessError, "no credit"),
    "403 for all": (Reply("forbidden", 403), AccessError, "name the variable of a key"),
    "404 model": (Reply("The model `x` does not exist", 404), BackendError, "no such model"),
    "400 model": (Reply("model 'x' not found", 400), BackendError, "no such model"),
    "a redirect": (Reply("", 302, headers={"Location": "http://127.0.0.1:9/"}, body=b""), BackendError, "elsewhere"),
    "a setting": (
        Reply("no 'top_p'", 400, code="unsupported_parameter"),
        BackendError,
        "does not take these settings",
    ),
    "come back tomorrow": (Reply("", 429, headers={"Retry-After": "86400"}), BackendError, "asks to wait 86400 s"),
    "down": (Reply("oops", 500), BackendError, "8 request(s) in a row"),
    "resets": (Reply(reset=True), BackendError, "check base_url and that the server runs"),
    "hangs": (Reply(hang=True), BackendError, "the last with timeout"),
}


@pytest.mark.parametrize("case", STOPS)
def test_what_no_request_can_survive_stops_the_run_after_the_first_failures(case: str) -> None:
    reply, error, words = STOPS[case]
    limits = replace(HASTY if reply.hang else QUICK, concurrency=8, give_up_after=8, retries=2)
    with ChatServer(default=reply) as server:
        with pytest.raises(error, match=words.replace("(", r"\(").replace(")", r"\)")):
            ask(spec_of(server, limits), [f"row {k}" for k in range(200)])
        assert len(server.counts) <= 16  # those that failed, and those on their way


@pytest.mark.parametrize("call", [ask, partial(prefetch, show=False)], ids=["ask", "prefetch"])
def test_rows_that_are_not_looked_up_yet_are_not_asked_for_when_the_run_has_ended(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = process.start

    def start_and_end(work: Coroutine[Any, Any, None]) -> Any:
        future = start(work)
        wait([future], PATIENCE_S)
        return future

    monkeypatch.setattr(process, "start", start_and_end)
    with ChatServer(default=Reply("Incorrect API key", 401)) as server:
        with pytest.raises(AccessError, match="does not accept the key"):
            call(spec_of(server, replace(QUICK, concurrency=8)), [f"row {k}" for k in range(2000)])
        assert len(server.counts) <= 8


def test_a_dead_address_stops_the_run_at_once() -> None:
    with socket.socket() as taken:  # nobody else can listen there meanwhile
        taken.bind(("127.0.0.1", 0))
        spec = ModelSpec("tiny", base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1", limits=QUICK)
        with pytest.raises(BackendError, match="check base_url and that the server runs"):
            ask(spec, [f"row {k}" for k in range(100)])


def test_answers_before_the_end_are_kept() -> None:
    def die_after_20(request: Received, _: int) -> Reply:
        return Reply("fine") if len(server.received) <= 20 else Reply("gone", 401)

    rows = [f"row {k}" for k in range(50)]
    with ChatServer(default=die_after_20) as server:
        spec = spec_of(server, replace(QUICK, concurrency=4))
        with pytest.raises(AccessError, match="every answer so far is kept"):
            ask(spec, rows)
        server.default = Reply("fine")
        assert all(a.text == "fine" for a in ask(spec, rows))
    assert sorted(server.answered.values()) == [1] * 50


def test_one_row_that_always_fails_never_stops_a_run_row_by_row() -> None:
    with ChatServer({"bad": Reply("oops", 500)}) as server:
        spec = spec_of(server, replace(QUICK, retries=1, give_up_after=3))
        for k in range(6):
            assert ask(spec, ["bad"])[0].error == "server_error"
            assert ask(spec, [f"row {k}"])[0].text == "ok"


def test_a_server_that_still_says_no_to_some_is_not_taken_for_dead() -> None:
    with ChatServer({f"bad {k}": Reply("oops", 500) for k in range(6)}, default=Reply("no", 400)) as server:
        spec = spec_of(server, replace(QUICK, retries=0, give_up_after=2))
        for k in range(6):
            assert [ask(spec, [f"{word} {k}"])[0].error for word in ("bad", "worse")] == [
                "server_error",
                "refused_request",
            ]


def test_equal_conversations_are_asked_once() -> None:
    with ChatServer() as server:
        answers = ask(spec_of(server), ["a", "b", "a", "a"])
        assert server.counts == {"a": 1, "b": 1}
        assert [a.cached for a in answers] == [False, False, True, True]
        many = ask(spec_of(server), [f"row {k % 400}" for k in range(1000)])
        assert set(server.counts.values()) == {1}
        assert [k for k, a in enumerate(many) if not a.cached] == list(range(400))
        assert usage(spec_of(server)).asked == 402
        assert usage(spec_of(server)).cached == 602


def test_the_endpoint_alone_is_a_backend_that_asks_every_time() -> None:
    with ChatServer(default=lambda r, n: Reply(f"{r.content} {n}", delay_s=0.002)) as server:
        endpoint = Endpoint(spec_of(server))
        assert isinstance(endpoint, Backend)
        ask_it = partial(endpoint, generation=Generation())
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(ask_it, [[as_conversation(name)] for name in ("a", "b")]))
        assert [a.text for (a,) in found] == ["a 1", "b 1"]
        assert [a.text for a in endpoint([as_conversation("a")], Generation())] == ["a 2"]
    assert store.stats().answers == 0


def test_equal_conversations_that_fail_fail_together() -> None:
    with ChatServer({"a": Reply("no", 400)}) as server:
        assert [a.error for a in ask(spec_of(server), ["a", "a"])] == ["refused_request"] * 2
    assert server.counts == {"a": 1}


def test_finish_reason_and_tokens_are_reported() -> None:
    replies = {
        "long": Reply("cut off he", finish_reason="length"),
        "tgi": Reply(finish_reason="eos_token"),
        "filtered": Reply("", finish_reason="content_filter"),
        "silent": Reply(usage=None),
    }
    with ChatServer(replies) as server:
        long, tgi, filtered, silent = ask(spec_of(server), list(replies))
    assert (long.text, long.finish_reason, long.prompt_tokens, long.completion_tokens) == (
        "cut off he",
        "length",
        7,
        3,
    )
    assert tgi.finish_reason == "stop"
    assert (filtered.text, filtered.finish_reason) == ("", "content_filter")
    assert (silent.prompt_tokens, silent.completion_tokens) == (None, None)
    assert long.model == "tiny"


def test_the_request_says_what_generation_says() -> None:
    schema = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}}
    generation = Generation(
        max_new_tokens=5,
        temperature=0.7,
        top_p=0.9,
        seed=3,
        candidate=2,
        stop=("END",),
        response_format=schema,
        extra={"min_p": 0.1},
    )
    with ChatServer() as server:
        ask(spec_of(server), [[Message("system", "s"), {"role": "user", "content": "é\ud83d"}]], generation)
        ask(spec_of(server), ["plain"], Generation(temperature=None))
    first, second = (r.body for r in server.received)
    assert first["messages"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "é\ud83d"}]
    assert {k: first[k] for k in ("model", "max_tokens", "temperature", "top_p", "seed", "stop", "min_p")} == {
        "model": "tiny",
        "max_tokens": 5,
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 5,
        "stop": ["END"],
        "min_p": 0.1,
    }
    assert json.dumps(first["response_format"]["json_schema"]["schema"]) == json.dumps(schema)
    assert first["response_format"]["type"] == "json_schema"
    assert set(second) == {"model", "messages", "max_tokens"}


def test_a_server_that_knows_no_schema_is_asked_without_one() -> None:
    def fussy(request: Received, _: int) -> Reply:
        return Reply("unknown field: response_format", 400) if "response_format" in request.body else Reply("{}")

    with ChatServer(default=fussy) as server:
        spec = spec_of(server)
        answers = ask(spec, ["a", "b", "c"], Generation(response_format={"type": "object"}))
        assert [a.text for a in answers] == ["{}"] * 3
        assert usage(spec).notes == ("no_response_format",)
        assert usage(spec).failed == ()


def test_a_server_that_knows_schemas_goes_on_getting_them() -> None:
    with ChatServer({"bad": Reply("your grammar is bad, and so is your json_schema", 400)}) as server:
        spec = spec_of(server)
        assert ask(spec, ["bad"])[0].error == "refused_request"
        ask(spec, ["good"], Generation(response_format={"type": "object"}))
        assert usage(spec).notes == ()
    assert "response_format" in server.received[-1].body


def test_a_model_that_wants_max_completion_tokens_gets_it() -> None:
    def fussy(request: Received, _: int) -> Reply:
        told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return Reply(told, 400, code="unsupported_parameter") if "max_tokens" in request.body else Reply("yes")

    with ChatServer(default=fussy) as server:
        assert [a.text for a in ask(spec_of(server), ["a", "b"], Generation(max_new_tokens=9))] == ["yes", "yes"]
    assert server.received[-1].body["max_completion_tokens"] == 9


def test_a_retry_after_holds_back_all_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    held: set[asyncio.Task[Any] | None] = set()
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        if seconds < 1:
            await sleep(seconds)
            return
        waits.append(seconds)
        held.add(asyncio.current_task())
        if len(held) > 1 or len(waits) > 10_000:
            endpoint._pace.paused_until = 0.0  # long enough
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    first = Reply("slow down", 429, headers={"Retry-After": "200"})
    with ChatServer(default=lambda r, n: first if len(server.received) == 1 else Reply()) as server:
        spec = spec_of(server, replace(QUICK, start=4, concurrency=4))
        endpoint: Any = open_backend(spec)._endpoint
        answers = ask(spec, [f"r{k}" for k in range(60)])
    assert [a.text for a in answers] == ["ok"] * 60
    assert 200 <= max(waits) <= 201
    assert len(held) > 1  # the worker that was told, and one that was not


def test_the_number_in_flight_doubles_and_stays_under_the_ceiling() -> None:
    rows = [f"r{k}" for k in range(200)]
    with ChatServer({row: Reply(together=16) for row in rows[100:116]}) as server:
        ask(spec_of(server, replace(QUICK, concurrency=16, start=2)), rows)
    assert server.most_open == 16


def test_the_pace_rises_by_one_a_round_and_falls_by_a_third_once_a_round() -> None:
    pace = Pace(Limits(concurrency=64, start=8))
    for _ in range(8):
        pace.answered()
    assert pace.limit == 16
    sent = pace.epoch
    for _ in range(16):
        pace.slowed(sent)
    assert pace.limit == 10
    for _ in range(12):
        pace.answered()
    assert pace.limit == 11
    for _ in range(40):
        pace.slowed(pace.epoch)
    assert pace.limit == 1


def test_an_allowance_spreads_requests_evenly_and_settles_what_was_used() -> None:
    allowance = Allowance(600.0)
    assert [round(allowance.take(0.0), 3) for _ in range(13)] == [0.0] * 11 + [0.1, 0.2]
    assert allowance.take(100.0) == 0.0
    tokens = Allowance(60_000.0)
    tokens.take(0.0, 5000)
    tokens.settle(-4000)
    assert round(tokens.take(0.0, 1), 3) == 0.0
    tokens.settle(3000)
    assert round(tokens.take(0.0, 1), 3) == 3.001
    assert Allowance(None).take(0.0, 10**9) == 0.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        # the server's own clock counts, ours may be wrong by years
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT", "Date": "Wed, 21 Oct 2015 07:27:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 60.0),
    ],
)
def test_retry_after_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, datetime(2015, 10, 21, 7, 27, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    "said",
    [
        OVERLONG,
        "the request exceeds the available context size. try increasing the context size",
        "Requested tokens exceed context window of 512",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "Please reduce the length of the messages or completion.",
    ],
)
def test_servers_say_context_overflow_in_many_words(said: str) -> None:
    assert judge(400, json.dumps({"error": {"message": said}}).encode()).kind == "context_overflow"


@pytest.mark.parametrize(
    "body",
    [
        b'{"object": "error", "message": "model nope does not exist", "code": 404}',
        b'{"detail": "Model nope not found"}',
        b'{"error": "model \\"nope\\" not found, try pulling it first"}',
        b'{"error": {"code": "model_not_found", "message": "..."}}',
        b"{\"detail\": \"Server is pinned to 'a'; requested 'b'.\"}",
    ],
)
def test_servers_say_unknown_model_in_many_forms(body: bytes) -> None:
    assert isinstance(judge(400, body).stops, BackendError)


def test_prefetch_fills_the_store_and_map_only_reads() -> None:
    rows = [f"row {k % 300}" for k in range(1000)]
    with ChatServer({"row 7": Reply("no", 400)}, default=Reply(delay_s=0.001)) as server:
        spec = spec_of(server)
        found = prefetch(spec, iter(rows), show=False)
        assert (found.asked, dict(found.failed)["refused_request"] >= 1) == (299, True)
        before = server.counts.copy()
        answers = [ask(spec, [row])[0] for row in rows if row != "row 7"]
        assert server.counts == before
    assert all(a.cached and a.text == "ok" for a in answers)


def test_a_schema_that_closes_its_objects_is_sent_as_strict() -> None:
    with ChatServer() as server:
        for schema in ({"type": "object"}, {"type": "object", "additionalProperties": False}):
            ask(spec_of(server), ["a"], Generation(response_format=schema))
    assert [r.body["response_format"]["json_schema"]["strict"] for r in server.received] == [False, True]


def test_a_progress_line_shows_tokens_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    with ChatServer({"b": Reply("no", 400)}) as server:
        prefetch(spec_of(server), ["a", "b", "c"])
    line = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert "3/3" in line
    assert "tokens=20" in line
    assert "failed=1" in line


def test_an_answer_with_a_lone_surrogate_can_be_stored() -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud83d b"}, "finish_reason": "stop"}]}'
    with ChatServer({"x": Reply(body=body)}) as server:
        assert ask(spec_of(server), ["x"])[0].text == "a? b"
        assert ask(spec_of(server), ["x"])[0] == Answer("a? b", cached=True)
