"""Servers that speak HTTP oddly or badly: what can be understood is an answer, what cannot is a reason, and the rows
beside it are answered."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from chat_server import ChatServer, Reply

from hfclean.models import BackendError, Limits, ModelSpec, ask, process
from hfclean.models.pace import retry_after

ONE_BY_ONE = Limits(backoff_s=0.001, retries=1, concurrency=1, start=1, timeout_s=60)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@dataclass(frozen=True)
class Raw(Reply):
    """A reply of exactly these bytes."""

    raw: bytes = b""

    def encode(self, model: str) -> bytes:
        return self.raw


def body(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode()


GOOD = body("fine")
LENGTH = b"Content-Length: %d\r\n" % len(GOOD)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = b"".join(b"%x;part=%d\r\n%c\r\n" % (1, k, byte) for k, byte in enumerate(GOOD))
UNDERSTOOD = {
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3 + OK + LENGTH + b"\r\n" + GOOD, False),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + LENGTH + b"\r\n" + GOOD, False),
    "HTTP/1.0 until it hangs up": (b"HTTP/1.0 200 OK\r\n\r\n" + GOOD, True),
    "HTTP/1.0 with a length": (b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\n" + GOOD, False),
    "no length until it hangs up": (OK + b"\r\n" + GOOD, True),
    "says that it hangs up": (OK + b"Connection: close\r\n" + LENGTH + b"\r\n" + GOOD, True),
    "hangs up unannounced": (OK + LENGTH + b"\r\n" + GOOD, True),
    "chunks of a byte, with extensions and trailers": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"0\r\nX-After: y\r\n\r\n",
        False,
    ),
    "cookies": (OK + LENGTH + b"Set-Cookie: a=b; Path=/\r\n" * 50 + b"\r\n" + GOOD, False),
    "a cookie that is none": (OK + LENGTH + b"Set-Cookie: \xff=;;=,\xc3\xa4\r\n\r\n" + GOOD, False),
    "bytes of no encoding in a header": (OK + LENGTH + b"X-Odd: \xff\xfe\xc3\xa4\r\n\r\n" + GOOD, False),
    "an encoding of nothing": (OK + LENGTH + b"Content-Encoding: \r\n\r\n" + GOOD, False),
    "no type": (OK + LENGTH + b"Content-Type: \xf0\x9f\xa6\x9c\r\n\r\n" + GOOD, False),
}
NOT_UNDERSTOOD = {
    "two lengths": (OK + LENGTH + b"Content-Length: 3\r\n\r\n" + GOOD, True),
    "a length below nothing": (OK + b"Content-Length: -5\r\n\r\n" + GOOD, True),
    "a length in words": (OK + b"Content-Length: five\r\n\r\n" + GOOD, True),
    "a length beyond all numbers": (OK + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n" + GOOD, True),
    "less than it says": (OK + b"Content-Length: 5000\r\n\r\n" + GOOD, True),
    "half of its first chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n{", True),
    "a chunk of no size": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{\r\n0\r\n\r\n", True),
    "a chunk of any size": (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 60 + b"\r\n{", True),
    "ten thousand headers": (OK + LENGTH + b"X-Y: z\r\n" * 10_000 + b"\r\n" + GOOD, True),
    "a header of 100,000 letters": (OK + LENGTH + b"X-Y: " + b"z" * 100_000 + b"\r\n\r\n" + GOOD, True),
    "a status of 100,000 letters": (b"HTTP/1.1 200 " + b"O" * 100_000 + b"\r\n\r\n" + GOOD, True),
    "no status": (b"HTTP/1.1 \r\n\r\n" + GOOD, True),
    "a status of no meaning": (b"HTTP/1.1 999 ?\r\n" + LENGTH + b"\r\n" + GOOD, False),
    "a status of five digits": (b"HTTP/1.1 20000 OK\r\n" + LENGTH + b"\r\n" + GOOD, True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", False),
    "another protocol": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", True),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", True),
    "a greeting of another service": (b"220 mail.example.org ESMTP\r\n", True),
    "zeros": (b"\0" * 1000, True),
    "TLS": (b"\x15\x03\x01\x00\x02\x02F", True),
    "two encodings": (OK + LENGTH + b"Content-Encoding: gzip\r\nContent-Encoding: br\r\n\r\n" + GOOD, False),
    "an encoding in other letters": (OK + LENGTH + b"Content-Encoding: GZip\r\n\r\n" + GOOD, False),
}


def odd_one(raw: bytes, hangs_up: bool) -> tuple[list[tuple[str, str]], ChatServer]:
    """What comes of a row with an odd reply between two others, as (text, error)."""
    odd = Raw(raw=raw, cut=1.0 if hangs_up else None)
    with ChatServer({"odd": odd}, default=Reply("fine")) as server:
        answers = ask(ModelSpec("tiny", base_url=server.url, limits=ONE_BY_ONE), ["one", "odd", "two"])
    return [(answer.text, answer.error) for answer in answers], server


@pytest.mark.parametrize("case", UNDERSTOOD)
def test_what_http_allows_is_an_answer(case: str) -> None:
    found, server = odd_one(*UNDERSTOOD[case])
    assert found == [("fine", "")] * 3
    assert server.counts["odd"] == 1
    assert not any("cookie" in request.headers for request in server.received)


@pytest.mark.parametrize("case", NOT_UNDERSTOOD)
def test_what_http_does_not_allow_is_a_reason(case: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    (one, odd, two), _ = odd_one(*NOT_UNDERSTOOD[case])
    assert (one, two) == (("fine", ""), ("fine", ""))
    assert odd[0] == ""
    assert odd[1] in {"connection", "bad_answer", "server_error", "refused_request"}
    assert caplog.records == []


def test_an_answer_behind_an_answer_is_nobody_s() -> None:
    smuggled = OK + b"Content-Length: %d\r\n\r\n" % len(body("smuggled")) + body("smuggled")
    double = Raw(raw=OK + LENGTH + b"\r\n" + GOOD + smuggled)
    with ChatServer({"odd": double}, default=Reply("own")) as server:
        answers = ask(ModelSpec("tiny", base_url=server.url, limits=ONE_BY_ONE), ["odd", "two", "three"])
    assert [a.text for a in answers] == ["fine", "own", "own"]


@pytest.mark.parametrize(
    "value",
    [
        "1e400",
        "-1e400",
        "nan",
        "-5",
        "",
        "  ",
        "soon",
        "٣",
        "0x10",
        "9" * 400,
        "🦜",
        "Wed, 99 Foo 99999999999999999999",
    ],
)
@pytest.mark.parametrize("name", ["Retry-After", "retry-after-ms"])
def test_a_pause_that_is_none_is_not_kept(name: str, value: str) -> None:
    wait = retry_after({name: value}, datetime(2026, 1, 1, tzinfo=UTC))
    assert wait in (None, 0.0, 3.0, 0.003)


def test_a_server_that_says_to_wait_for_ever_is_asked_again_as_one_that_says_nothing() -> None:
    slow = Reply("slow down", 429, headers={"Retry-After": "1e400", "retry-after-ms": "nan"})
    with ChatServer({"odd": [slow, Reply("fine")]}, default=Reply("fine")) as server:
        answers = ask(ModelSpec("tiny", base_url=server.url, limits=ONE_BY_ONE), ["one", "odd"])
    assert [a.text for a in answers] == ["fine", "fine"]
    tomorrow = Reply("tomorrow", 429, headers={"Retry-After": "86400"})
    with ChatServer(default=tomorrow) as server, pytest.raises(BackendError, match="asks to wait 86400 s"):
        ask(ModelSpec("tiny", base_url=server.url, limits=ONE_BY_ONE), ["one"])
