"""A key goes to one server and nowhere else: a canary is planted, and whatever is written is searched for it."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer, Reply

from hfclean.errors import HfcleanError
from hfclean.models import (
    AccessError,
    BackendError,
    Limits,
    ModelSpec,
    ask,
    open_backend,
    prefetch,
    process,
    store,
    usage,
)

CANARY = "sk-canary-7f3a9b2e"
QUICK = Limits(backoff_s=0.001, retries=1, give_up_after=2)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MY_KEY", CANARY)
    yield
    process.close()


def test_the_key_goes_to_the_server_that_was_named() -> None:
    with ChatServer() as server:
        ask(ModelSpec("m", base_url=server.url, api_key_env="MY_KEY"), ["a"])
    assert server.received[0].headers["authorization"] == f"Bearer {CANARY}"


def test_without_a_name_no_key_is_sent_whatever_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "API_KEY"):
        monkeypatch.setenv(name, CANARY)
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {CANARY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(netrc.read_text())
    with ChatServer() as proxy, ChatServer() as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://me:{CANARY}@127.0.0.1:{proxy.port}")
        ask(ModelSpec("m", base_url=server.url), ["a"])
        assert proxy.received == []
    assert CANARY not in str(server.received)
    assert "authorization" not in server.received[0].headers


def test_the_key_does_not_follow_a_redirect() -> None:
    with ChatServer() as elsewhere:
        there = Reply("", 307, body=b"", headers={"Location": f"{elsewhere.url}/chat/completions"})
        with ChatServer(default=there) as server, pytest.raises(BackendError, match="give the final base_url"):
            ask(ModelSpec("m", base_url=server.url, api_key_env="MY_KEY"), ["a"])
        assert elsewhere.received == []


def test_a_new_key_in_the_variable_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(
        default=lambda r, n: Reply() if r.headers["authorization"].endswith("new") else Reply("", 401)
    ) as s:
        spec = ModelSpec("m", base_url=s.url, api_key_env="MY_KEY")
        with pytest.raises(AccessError):
            ask(spec, ["a"])
        monkeypatch.setenv("MY_KEY", " new\n")
        assert ask(spec, ["a"])[0].text == "ok"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "MY_KEY is empty"),
        ("a b", "does not hold a key"),
        ("a\nb", "does not hold a key"),
        ("schlüssel", "does not hold a key"),
    ],
)
def test_a_variable_without_a_key_says_so_and_not_what_it_holds(
    value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", value)
    with ChatServer() as server:
        with pytest.raises(AccessError, match=words) as caught:
            ask(ModelSpec("m", base_url=server.url, api_key_env="MY_KEY"), ["a"])
        assert server.received == []
    assert not value or value not in str(caught.value).replace("environment variable", "")


@pytest.mark.parametrize(
    "given",
    [
        {"api_key_env": CANARY},
        {"api_key_env": "hf_" + CANARY.replace("-", "")},
        {"base_url": f"https://me:{CANARY}@example.org/v1"},
        {"base_url": f"https://{CANARY}@example.org/v1"},
        {"base_url": f"https://example.org/v1?key={CANARY}"},
        {"base_url": f"https://example.org/v1#{CANARY}"},
    ],
)
def test_a_key_in_the_wrong_place_is_refused_and_not_repeated(given: dict[str, str]) -> None:
    with pytest.raises(AccessError) as caught:
        ModelSpec("m", **{"base_url": "https://example.org", **given})  # type: ignore[arg-type]
    assert CANARY not in str(caught.value)
    assert CANARY.replace("-", "") not in str(caught.value)


# every way in which a server can say the key back to us
ECHOES = {
    "401": Reply(f"Incorrect API key provided: {CANARY}", 401),
    "400": Reply(f"bad request by {CANARY}", 400),
    "403": Reply(f"{CANARY} may not", 403),
    "404": Reply(f"no model for {CANARY}", 404),
    "429": Reply(f"{CANARY} is too fast", 429),
    "429 tomorrow": Reply(f"{CANARY} is too fast", 429, headers={"Retry-After": "99999"}),
    "500": Reply(f"crashed at {CANARY}", 500),
    "HTML": Reply(body=f"<p>{CANARY}</p>".encode(), status=500),
    "junk": Reply(body=f"junk {CANARY}".encode()),
    "200 with an error": Reply(body=f'{{"error": {{"message": "{CANARY}"}}}}'.encode()),
    "in a header": Reply("slow", 429, headers={"Retry-After": CANARY, "X-Key": CANARY}),
    "half": Reply(CANARY, cut=0.5),
    "answer": Reply("fine"),
    "an answer of it": Reply(f"you sent {CANARY}"),
}


@pytest.mark.parametrize("case", ECHOES)
def test_the_key_is_in_nothing_that_is_written(
    case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[object] = []
    with ChatServer(default=ECHOES[case]) as server:
        spec = ModelSpec("m", base_url=server.url, api_key_env="MY_KEY", limits=QUICK)
        said += [spec, pickle.dumps(spec), spec.settings(), str(spec), vars(spec)]
        for act in (ask, prefetch):
            try:
                said.append(act(spec, ["a", "b", "c"]))
            except HfcleanError as e:
                said += [repr(e), e.args, pickle.dumps(e), "".join(traceback.format_exception(e))]
                said += [repr(e.__cause__), repr(e.__context__)]
        opened = open_backend(spec)
        said += [opened, usage(spec), opened._endpoint, opened._endpoint._session]  # type: ignore[union-attr]
        said += list(store.open_store().rows())
    process.close()
    assert any(CANARY in r.headers["authorization"] for r in server.received)
    captured = capfd.readouterr()
    said += [captured.out, captured.err, caplog.text]
    for thing in said:
        assert CANARY not in (thing.decode("latin-1") if isinstance(thing, bytes) else repr(thing) + str(thing))
    written = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert written
    for file in written:
        assert CANARY.encode() not in file.read_bytes()


def test_an_interpreter_that_ends_in_the_middle_writes_no_key() -> None:
    code = (
        "import asyncio, sys\nfrom hfclean.models import Limits, ModelSpec, ask, process\n"
        "spec = ModelSpec('m', base_url=sys.argv[1], api_key_env='MY_KEY')\nask(spec, ['a'])\n"
        "process.start(asyncio.sleep(60))\nraise SystemError('the end')"
    )
    command = [sys.executable, "-X", "dev", "-c", code]
    with ChatServer() as server:
        done = subprocess.run([*command, server.url], capture_output=True, text=True, check=False)
    assert "SystemError: the end" in done.stderr
    assert "Unclosed" not in done.stderr
    assert "was destroyed" not in done.stderr
    assert CANARY not in done.stdout + done.stderr
