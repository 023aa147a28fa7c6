"""Token losses from a server that returns the log-probabilities of prompts: the same rules, by places in the text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply

from hfclean.models import BackendError, Limits, ModelSpec, process
from hfclean.models.losses import Passage, Tokenization, token_losses
from hfclean.scorers.likelihood import IFD


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def scored(request: Received, _: int) -> Reply:
    """A server whose tokens are words with the blank before them; a word's loss is its length divided by its place."""
    text = request.content
    offsets = [k for k in range(len(text)) if k == 0 or (text[k - 1] != " " and text[k] == " ") or text[k - 1] == "\n"]
    ends = [*offsets[1:], len(text)]
    values = [None if k == 0 else -(end - at) / (k + 1) for k, (at, end) in enumerate(zip(offsets, ends, strict=True))]
    body = {
        "model": "tiny",
        "choices": [
            {
                "text": text + "!",
                "finish_reason": "length",
                "logprobs": {
                    "text_offset": [*offsets, len(text)],
                    "token_logprobs": [*values, -0.1],
                    "tokens": [*(text[a:b] for a, b in zip(offsets, ends, strict=True)), "!"],
                },
            }
        ],
        "usage": {"prompt_tokens": len(offsets), "completion_tokens": 1},
    }
    return Reply(body=json.dumps(body).encode())


def spec_of(server: ChatServer) -> ModelSpec:
    return ModelSpec("tiny", base_url=server.url, limits=Limits(backoff_s=0.001, retries=1))


def test_the_same_tokens_count_behind_every_context() -> None:
    with ChatServer(default=scored) as server:
        (found,) = token_losses(spec_of(server), [Passage(("Name a fruit.\n", ""), "An apple pie")])
        assert found.status == "ok"
        assert [list(map(float, each)) for each in found.values] == [
            pytest.approx(
                [6 / 5, 4 / 6]
            ),  # the first word has no token before it in the bare text, and counts nowhere
            pytest.approx([6 / 2, 4 / 3]),
        ]
        assert {r.path for r in server.received} == {"/v1/completions"}
        body = server.received[0].body
        assert {name: body[name] for name in ("echo", "max_tokens", "logprobs", "temperature", "model")} == {
            "echo": True,
            "max_tokens": 1,
            "logprobs": 1,
            "temperature": 0.0,
            "model": "tiny",
        }
        assert isinstance(body["prompt"], str)
        again = token_losses(spec_of(server), [Passage(("Name a fruit.\n", ""), "An apple pie")])
        assert (again[0].status, len(server.received)) == ("ok", 2)


def test_a_score_over_http_is_a_transform() -> None:
    row = {"instruction": "Name a fruit.", "input": "", "output": "An apple pie"}
    with ChatServer(default=scored) as server:
        out = IFD("tiny", base_url=server.url)({**row})
    assert out["ifd_ppl"] == pytest.approx(math.exp((6 / 5 + 4 / 6) / 2 - (6 / 2 + 4 / 3) / 2))
    assert out["ifd_ppl_reason"] == ""


FAULTS: dict[str, tuple[Any, str, str]] = {
    "an error": (Reply("oops", 500), "error", "server_error"),
    "too long for the model": (Reply("maximum context length is 20 tokens", 400), "too_long", "context_overflow"),
    "no log-probabilities": (Reply(body=b'{"choices": [{"text": "x", "logprobs": null}]}'), "error", "bad_answer"),
    "fewer than it read": (
        Reply(
            body=b'{"choices": [{"logprobs": {"text_offset": [0], "token_logprobs": [null]}}], '
            b'"usage": {"prompt_tokens": 3}}'
        ),
        "error",
        "bad_answer",
    ),
    "none of the text": (
        Reply(
            body=b'{"choices": [{"logprobs": {"text_offset": [0], "token_logprobs": [null]}}], '
            b'"usage": {"prompt_tokens": 1}}'
        ),
        "empty",
        "no token is the same behind every context",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_server_does_not_say_is_no_number(fault: str) -> None:
    reply, status, reason = FAULTS[fault]
    with ChatServer({"a\nb c": reply}, default=scored) as server:
        token_losses(spec_of(server), [Passage(("x\n", ""), "y z")])  # a server that is known to have them
        bad, good, none = token_losses(
            spec_of(server), [Passage(("a\n", ""), "b c"), Passage(("a\n", ""), "c d e"), Passage(("a\n", ""), " ")]
        )
    assert (bad.status, bad.reason, bad.values) == (status, reason, ())
    assert (good.status, none.status) == ("ok", "empty")


NONE = {
    "null": b'{"choices": [{"text": "x", "logprobs": null}], "usage": {"prompt_tokens": 3}}',
    "no such key": b'{"choices": [{"text": "x"}]}',
    "another form": b'{"choices": [{"text": "x", "logprobs": {"content": [{"token": "x", "logprob": -1.0}]}}]}',
    "only those of the answer": b'{"choices": [{"logprobs": {"text_offset": [], "token_logprobs": []}}]}',
}


@pytest.mark.parametrize("case", NONE)
def test_a_server_without_log_probabilities_ends_the_run_at_its_first_answer(case: str) -> None:
    with ChatServer(default=Reply(body=NONE[case])) as server:
        spec = ModelSpec("tiny", base_url=server.url, limits=Limits(start=1, concurrency=1, backoff_s=0.001))
        with pytest.raises(BackendError, match="answers without the log-probabilities of the prompt"):
            token_losses(spec, [Passage((f"{k}\n", ""), "b c") for k in range(50)])
        assert len(server.received) == 1


@pytest.mark.parametrize("blank", [" ", "  ", ""])
def test_a_blank_at_the_end_of_a_context_takes_no_word_of_the_text(blank: str) -> None:
    with ChatServer(default=scored) as server:
        (found,) = token_losses(spec_of(server), [Passage((f"Q: A:{blank}", "Say:\n"), "An apple pie")])
        asked = sorted(r.content for r in server.received)
    assert asked == [f"Q: A:{blank}An apple pie", f"Say:\n{blank}An apple pie"]
    assert found.status == "ok"
    # the server joins blanks to the word behind them; with none, the first word is one with "A:", and counts nowhere
    word = len(blank) + 2
    given, alone = ([word / 3, 6 / 4, 4 / 5], [word / 2, 6 / 3, 4 / 4]) if blank else ([6 / 3, 4 / 4], [6 / 3, 4 / 4])
    assert [each.tolist() for each in found.values] == [pytest.approx(given), pytest.approx(alone)]


def test_a_length_of_ones_own_is_refused() -> None:
    with ChatServer(default=scored) as server, pytest.raises(BackendError, match="a server goes by its own length"):
        token_losses(spec_of(server), [Passage(("a",), "b c")], Tokenization(20))
