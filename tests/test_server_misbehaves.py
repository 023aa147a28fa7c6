"""Servers that send what no server should: every reply is an answer or a reason, bounded in size."""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Reply
from hypothesis import given
from hypothesis import strategies as st

from hfclean.models import BackendError, Generation, Limits, ModelSpec, Prices, ask, process, store, usage
from hfclean.models.api_key import without_key
from hfclean.models.protocol import Answer
from hfclean.models.wire import Failure, largest_reply, read_answer, read_logprobs

QUICK = Limits(backoff_s=0.001, retries=1)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def reply(content: Any = "An apple.", **changes: Any) -> bytes:
    body = {
        "model": "tiny",
        "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }
    return json.dumps({**body, **changes}).encode()


# what is odd -> the reply, and what is kept of it: text, finish reason, tokens read and written, model
ODD: dict[str, tuple[bytes, tuple[str, str, int | None, int | None, str]]] = {
    "a surrogate in the model": (reply(model="x\ud800y"), ("An apple.", "stop", 7, 3, "x?y")),
    "a surrogate in the text": (reply("a\udfffb"), ("a?b", "stop", 7, 3, "tiny")),
    "a surrogate as the reason": (
        reply(choices=[{"message": {"content": "a"}, "finish_reason": "st\ud800op"}]),
        ("a", "st?op", 7, 3, "tiny"),
    ),
    "a number as the reason": (
        reply(choices=[{"message": {"content": "a"}, "finish_reason": 7}]),
        ("a", "", 7, 3, "tiny"),
    ),
    "more tokens than there are": (
        reply(usage={"prompt_tokens": 10**30, "completion_tokens": 10**30}),
        ("An apple.", "stop", None, None, "tiny"),
    ),
    "tokens below nothing": (
        reply(usage={"prompt_tokens": -5, "completion_tokens": -(10**9)}),
        ("An apple.", "stop", None, None, "tiny"),
    ),
    "tokens as text": (
        reply(usage={"prompt_tokens": "7", "completion_tokens": [3]}),
        ("An apple.", "stop", None, None, "tiny"),
    ),
    "usage as text": (reply(usage="seven"), ("An apple.", "stop", None, None, "tiny")),
    "usage as a list": (reply(usage=[7, 3]), ("An apple.", "stop", None, None, "tiny")),
    "true as a number of tokens": (
        reply(usage={"prompt_tokens": True, "completion_tokens": 3}),
        ("An apple.", "stop", None, 3, "tiny"),
    ),
    "a part without text": (reply([{"type": "text"}, {"type": "text", "text": "b"}]), ("b", "stop", 7, 3, "tiny")),
    "parts of other kinds": (
        reply([{"type": "thinking", "text": "hm"}, "a", {"text": "b"}, None, 7]),
        ("ab", "stop", 7, 3, "tiny"),
    ),
    "a list as the model": (reply(model=["x"]), ("An apple.", "stop", 7, 3, "")),
    "a model's name without end": (reply(model="m" * 100_000), ("An apple.", "stop", 7, 3, "m" * 300)),
    "a number of tokens of 5,000 digits": (
        reply(usage={"prompt_tokens": 7, "completion_tokens": 3}).replace(b": 7", b": -" + b"9" * 5000),
        ("An apple.", "stop", None, 3, "tiny"),
    ),
    "Latin-1": (
        reply("Café", model="café").decode("unicode_escape").encode("latin-1"),
        ("Café", "stop", 7, 3, "café"),
    ),
    "UTF-16": (reply("Café €").decode("unicode_escape").encode("utf-16"), ("Café €", "stop", 7, 3, "tiny")),
    "one damaged letter among UTF-8": (
        reply("é X €").decode("unicode_escape").encode().replace(b"X", b"\xe9"),
        ("é \ufffd €", "stop", 7, 3, "tiny"),
    ),
    "a NUL in the model": (reply(model="a\0b"), ("An apple.", "stop", 7, 3, "a\ufffdb")),
}


@pytest.mark.parametrize("case", ODD)
def test_an_answer_is_kept_where_there_is_one_whatever_stands_around_it(case: str) -> None:
    body, kept = ODD[case]
    with ChatServer({"odd": Reply(body=body)}, default=Reply("fine")) as server:
        spec = ModelSpec("tiny", base_url=server.url, limits=QUICK)
        answers = ask(spec, ["one", "odd", "two"])
        again = ask(spec, ["odd"])[0]
    assert [answers[0].text, answers[2].text] == ["fine", "fine"]
    found = answers[1]
    assert (found.text, found.finish_reason, found.prompt_tokens, found.completion_tokens, found.model) == kept
    assert (again.text, again.cached, server.counts["odd"]) == (kept[0], True, 1)


def test_the_encoding_that_a_server_states_is_asked_where_a_reply_is_not_utf_8() -> None:
    body = reply("苹果", model="").decode("unicode_escape").encode("gb18030")
    named = {"gb18030": "苹果", "unicode_escape": "Æ»¹û", "gbnonsense": "Æ»¹û"}
    replies = {name: Reply(body=body, headers={"Content-Type": f"text/json; charset={name}"}) for name in named}
    with ChatServer(replies) as server:
        answers = ask(ModelSpec("tiny", base_url=server.url, limits=QUICK), list(named))
    assert [answer.text for answer in answers] == list(named.values())


def test_a_key_that_is_said_back_in_another_encoding_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", CANARY)
    with ChatServer(default=Reply(body=reply(CANARY).decode().encode("utf-16"))) as server:
        answers = ask(ModelSpec("tiny", base_url=server.url, limits=QUICK, api_key_env="SOME_KEY"), ["one"])
    assert [answer.text for answer in answers] == ["[key]"]


def test_no_more_than_a_little_is_held_of_what_a_server_sends_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    connect = socket.socket.connect

    def seen(self: socket.socket, address: object) -> None:
        made.append(self.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", seen)
    with ChatServer(default=Reply("fine")) as server:
        assert ask(ModelSpec("tiny", base_url=server.url, limits=QUICK), ["one"])[0].text == "fine"
    assert [0 < size <= 1 << 16 for size in made] == [True]  # Linux doubles it, for its own bookkeeping


def test_an_error_of_an_odd_form_with_status_200_is_a_reason() -> None:
    for error in ("overloaded", ["x"], 7, {"code": 10**30}, {"code": True}):
        failure = read_answer(json.dumps({"error": error}).encode())
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.retry) == ("server_error", "often")


def test_tokens_below_nothing_do_not_lower_what_was_spent() -> None:
    stolen = reply(usage={"prompt_tokens": -1_000_000, "completion_tokens": -1_000_000})
    with ChatServer(default=Reply(body=stolen)) as server:
        spec = ModelSpec("tiny", base_url=server.url, limits=QUICK, prices=Prices(1.0, 1.0), max_cost=100.0)
        ask(spec, ["one"])
        used = usage(spec)
    assert used.cost > 0
    assert used.prompt_tokens > 0


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
parts = st.fixed_dictionaries(
    {}, optional={"message": values, "finish_reason": values, "text": values, "logprobs": values}
)
bodies = st.fixed_dictionaries(
    {}, optional={"choices": st.lists(parts, max_size=2) | values, "usage": values, "model": values, "error": values}
)


@given(bodies | values)
def test_any_reply_is_an_answer_or_a_failure(body: Any) -> None:
    data = json.dumps(body).encode()
    for read in (read_answer, read_logprobs):
        found = read(data)
        assert isinstance(found, (Answer, Failure))
        if isinstance(found, Answer):
            (found.text + found.model + found.finish_reason).encode()
            assert found.prompt_tokens is None or 0 <= found.prompt_tokens < 10**9


@given(st.binary(max_size=300))
def test_any_bytes_are_a_failure_or_an_answer(data: bytes) -> None:
    for read in (read_answer, read_logprobs):
        assert isinstance(read(data), (Answer, Failure))


# ------------------------------------------------------------------------------------------------------------- size


def test_a_reply_that_is_larger_than_any_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hfclean.models.wire.SMALLEST_BOUND", 10_000)
    huge = Reply("x" * 1_000_000)
    with ChatServer({"huge": huge}, default=Reply("fine")) as server:
        spec = ModelSpec("tiny", base_url=server.url, limits=QUICK)
        fine, bad = ask(spec, ["one", "huge"], Generation(max_new_tokens=10))
    assert (fine.text, bad.error) == ("fine", "bad_answer")
    assert bad.detail == "a reply of more than 12,000 bytes"


def test_the_bound_grows_with_what_was_asked_for_and_ends() -> None:
    assert largest_reply(b"x", Generation(max_new_tokens=1000)) == 2_200_000
    assert largest_reply(b"x" * 1000, Generation(max_new_tokens=1, prompt_logprobs=True)) == 2_600_200
    assert largest_reply(b"x", Generation(max_new_tokens=10**9)) == 64_000_000


def test_an_encoding_that_was_not_asked_for_is_refused_and_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    with ChatServer({"bomb": Reply(body=bomb, headers={"Content-Encoding": "gzip"})}, default=Reply("fine")) as server:
        spec = ModelSpec("tiny", base_url=server.url, limits=QUICK)
        fine, bad = ask(spec, ["one", "bomb"])
        assert "accept-encoding" not in server.received[0].headers
    assert (fine.text, bad.error) == ("fine", "bad_answer")
    assert bad.detail == "a reply in the encoding 'gzip', which was not asked for"


def test_a_server_that_answers_every_request_with_a_page_is_given_up_with_its_words() -> None:
    page = Reply(body=b"<html><title>Sign in to the network</title></html>")
    with ChatServer(default=page) as server:
        spec = ModelSpec(
            "tiny", base_url=server.url, limits=Limits(backoff_s=0.001, retries=0, concurrency=4, start=4)
        )
        with pytest.raises(BackendError, match=r"8 request.*bad_answer.*Sign in to the network"):
            ask(spec, [f"row {k}" for k in range(500)])
        assert len(server.received) < 20


# -------------------------------------------------------------------------------------------------------------- keys

CANARY = "sk-can/ary-7f3a&9b2e"
SAID_BACK = {
    "as it is": CANARY,
    "as JSON escapes": "".join(f"\\u{ord(c):04x}" for c in CANARY),
    "as JSON escapes in capitals": "".join(f"\\u{ord(c):04X}" for c in CANARY),
    "with an escaped slash": CANARY.replace("/", "\\/"),
    "with one letter escaped": CANARY.replace("c", "\\u0063"),
    "escaped twice": "".join(f"\\\\u{ord(c):04x}" for c in CANARY),
    "for an address": "".join(f"%{ord(c):02X}" for c in CANARY),
    "for HTML": CANARY.replace("&", "&#38;").replace("s", "&#x73;"),
    "as bytes of Python": "".join(f"\\x{ord(c):02x}" for c in CANARY),
}


@pytest.mark.parametrize("how", SAID_BACK)
def test_a_key_is_taken_out_of_what_a_server_says_however_it_is_written(how: str) -> None:
    assert without_key(f"a {SAID_BACK[how]} b".encode(), CANARY) == b"a [key] b"


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("how", SAID_BACK)
def test_a_key_that_comes_back_is_in_no_answer_error_log_or_store(
    how: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", CANARY)
    caplog.set_level(logging.DEBUG)
    said = f'"your key {SAID_BACK[how]} is wrong"'.encode()
    good = b'{"model": %b, "choices": [{"message": {"content": %b}, "finish_reason": "stop"}]}' % (said, said)
    body = good if status == 200 else b'{"error": {"message": %b}}' % said
    told = ""
    with ChatServer(default=Reply(status=status, body=body)) as server:
        spec = ModelSpec("m", base_url=server.url, api_key_env="MY_KEY", limits=Limits(backoff_s=0.001, retries=0))
        try:
            told = repr(ask(spec, ["a"]))
        except BackendError as e:
            told = "".join(traceback.format_exception(e))
    process.close()
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for text in (told, caplog.text, written.decode("utf-8", "replace")):
        assert CANARY not in text
        assert CANARY not in re.sub(r"\\+u00([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text)
    assert "[key]" in told
    assert store.default_path().exists()
