"""The wire format: the body of a request, the answer in a reply, and the meaning of a failure.

The verdict on each status and body is in one place: whether asking again can help, whether the server is overloaded,
    and
whether any further request could succeed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hfclean.models.failures import AccessError, BackendError
from hfclean.models.protocol import Answer, Conversation, Generation, tidy
from hfclean.models.spec import ModelSpec

# what other servers call "stop" and "length"
FINISHED = {"eos_token": "stop", "stop_sequence": "stop", "eos": "stop", "end_turn": "stop", "max_tokens": "length"}
OVERFLOW = re.compile(
    r"context.{0,12}(length|window|size)|maximum.{0,20}length|too many tokens|reduce the length|tokens.{0,30}exceed"
    r"|(prompt|input|request).{0,20}too (long|large)|max_new_tokens`? must be",
    re.IGNORECASE,
)
NO_MODEL = re.compile(
    r"model\b.{0,80}(not found|does not exist|not exist|unknown|not available|not loaded|must be)|pinned to",
    re.I | re.S,
)
NO_SCHEMA = re.compile(r"response_format|json_schema|guided_json|structured output|grammar", re.IGNORECASE)
LEGACY = re.compile(r"iso-?8859|latin|windows-?125|cp125|gb|big5|shift.?jis|euc|koi8", re.IGNORECASE)
LONGEST_NAME = 300
LONGEST_NUMBER = 100
MOST_TOKENS = 100_000_000
# A reply is larger than the text in it: escapes, thoughts that some servers send with it, an echoed prompt.
SMALLEST_BOUND, BYTES_PER_TOKEN, BYTES_PER_LOGPROB = 2_000_000, 200, 600
LARGEST_BOUND = 64_000_000
NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_credits")


@dataclass(frozen=True, slots=True)
class Form:
    """The form in which a server takes its requests; learned as it refuses others."""

    tokens_field: str = "max_tokens"
    structured: bool = True

    def tail(self, spec: ModelSpec, generation: Generation) -> bytes:
        """All of a request's body that comes after the messages."""
        body: dict[str, Any] = {"model": spec.model, self.tokens_field: generation.max_new_tokens}
        if generation.temperature is not None:
            body["temperature"] = generation.temperature
        if generation.top_p != 1.0:
            body["top_p"] = generation.top_p
        if generation.drawn_seed is not None:
            body["seed"] = generation.drawn_seed
        if generation.stop:
            body["stop"] = list(generation.stop)
        if generation.response_format is not None and self.structured:
            closed = generation.response_format.get("additionalProperties") is False  # what strict servers require
            schema = {"name": "answer", "schema": generation.response_format, "strict": closed}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if generation.prompt_logprobs:
            # one token and not zero: servers that echo the prompt refuse to write none
            body |= {self.tokens_field: 1, "temperature": 0.0, "echo": True, "logprobs": 1}
        body.update(generation.extra or {})
        return ("," + json.dumps(body, separators=(",", ":"))[1:]).encode()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request got no answer.

    Args:
        kind: a key of `codes.ERRORS`.
        detail: what the server said.
        retry: how often asking again may help: `never`, `twice`, or as often as the limits allow.
        slow: the server is overloaded.
        wait_s: the pause that the server asks for.
        stops: the error that ends the run, if nothing further could succeed.
        only_at_first: it ends the run only if nothing succeeded before; afterwards it concerns this one request.
        stops_if_repeated: the run ends if every request gets this.
        change: ask again, from now on in a form with these fields changed.
        note: the note about it for the ledger.
    """

    kind: str
    detail: str = ""
    retry: Literal["never", "twice", "often"] = "never"
    slow: bool = False
    wait_s: float | None = None
    stops: BackendError | None = None
    only_at_first: bool = False
    stops_if_repeated: bool = False
    change: dict[str, Any] | None = None
    note: str = ""


def largest_reply(messages: bytes, generation: Generation) -> int:
    """The most bytes that are read of a reply to these messages."""
    bound = SMALLEST_BOUND + BYTES_PER_TOKEN * generation.max_new_tokens
    if generation.prompt_logprobs:  # at most a token for each byte
        bound += BYTES_PER_LOGPROB * len(messages)
    return min(bound, LARGEST_BOUND)


def messages_json(conversation: Conversation) -> bytes:
    """The messages as they are sent, and as they enter the key."""
    return json.dumps([{"role": m.role, "content": m.content} for m in conversation], separators=(",", ":")).encode()


def recoded(body: bytes, charset: str | None = None) -> bytes:
    """A body as UTF-8, in whatever encoding it came.

    Args:
        body: JSON, in UTF-8, UTF-16 or UTF-32, or in a legacy encoding, as some servers send it.
        charset: what the server says that it is, which is asked where it is none of these.
    """
    encoding = json.detect_encoding(body)
    if encoding == "utf-8" and body.isascii():
        return body
    for name in (encoding, charset if charset and LEGACY.match(charset) else "utf-8"):
        try:
            return body.decode(name, "surrogatepass").encode("utf-8", "surrogatepass")
        except (UnicodeError, LookupError):
            continue
    text = body.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if damaged > sum(character > "\x7f" for character in text) - damaged:
        text = body.decode("cp1252", "replace")  # most letters are not UTF-8: another encoding, not a damaged text
    return text.encode()


def _parsed(body: bytes) -> Any:
    """The JSON of a body; whole numbers beyond all counts as floats, of which Python reads any number of digits."""
    return json.loads(body, parse_int=lambda digits: int(digits) if len(digits) <= LONGEST_NUMBER else float(digits))


def read_answer(body: bytes) -> Answer | Failure:
    """The answer in a reply with status 200."""
    try:
        reply = _parsed(body)
        if "error" in reply and not reply.get("choices"):  # a status in the body: the server had begun to answer
            error = reply["error"]
            code = error.get("code") if isinstance(error, Mapping) else None
            return judge(code if type(code) is int and 400 <= code < 600 else 502, body)
        choice = reply["choices"][0]
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        if isinstance(text, list):
            text = "".join(map(_text_of_part, text))
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return _useless(body)
    finish = _word(choice.get("finish_reason"))
    usage = reply.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    return Answer(
        tidy(text),
        FINISHED.get(finish, finish),
        _count(counts.get("prompt_tokens")),
        _count(counts.get("completion_tokens")),
        model=_word(reply.get("model")),
    )


def _useless(body: bytes, what: str = "") -> Failure:
    """A reply with status 200 and no answer in it: if every reply is like that, the run ends."""
    return Failure("bad_answer", what + _excerpt(body), retry="twice", stops_if_repeated=True)


def _text_of_part(part: Any) -> str:
    """The text of one part of a message; parts without a text (pictures, thoughts of some servers) have none."""
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, Mapping) and part.get("type", "text") == "text" else None
    return text if isinstance(text, str) else ""


def _word(value: Any) -> str:
    """A name or a word of the server's, bounded, with nothing in it that a store cannot hold."""
    return tidy(value)[:LONGEST_NAME].replace("\0", "\ufffd") if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    """A number of tokens, or None if no request can have it: it would change the amount spent."""
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def prompt_json(messages: bytes) -> bytes:
    """The text of a conversation of one turn, as a completion server takes it."""
    return json.dumps(json.loads(messages)[0]["content"]).encode()


def read_logprobs(body: bytes) -> Answer | Failure:
    """The log-probabilities of the prompt's tokens in a reply with status 200."""
    try:
        reply = _parsed(body)
        found = reply["choices"][0]["logprobs"]
        if not isinstance(found, Mapping) or not found.get("text_offset"):
            return _no_logprobs()
        offsets, values = found["text_offset"], found["token_logprobs"]
        read = reply["usage"]["prompt_tokens"]
        if not len(offsets) == len(values) >= read > 0:
            raise ValueError
        if not all(type(at) is int for at in offsets):
            raise TypeError
        values = [None if value is None else float(value) for value in values]
    except KeyError as e:
        if e.args[0] in ("logprobs", "token_logprobs", "text_offset"):
            return _no_logprobs()
        return _useless(body, "no log-probabilities of the prompt: ")
    except (ValueError, IndexError, TypeError, AttributeError, OverflowError, RecursionError):
        return _useless(body, "no log-probabilities of the prompt: ")
    text = json.dumps({"offsets": offsets[:read], "logprobs": values[:read]}, separators=(",", ":"))
    return Answer(text, "stop", _count(read), 0, model=_word(reply.get("model")))


def _no_logprobs() -> Failure:
    return replace(
        _ends(
            BackendError(
                "the server answers without the log-probabilities of the prompt, so that it cannot say how likely a "
                "text is; expected `echo` and `logprobs` of /v1/completions as vLLM has them. Use such a server, or "
                "a model that runs here: model='FOLDER OR HUB ID' without base_url"
            )
        ),
        kind="bad_answer",
        only_at_first=True,
    )


def judge(status: int, body: bytes, *, asked: Form | None = None, wait_s: float | None = None) -> Failure:
    """What a reply with a status other than 200 means.

    Args:
        status: of the reply.
        body: of the reply.
        asked: the form of the request; `structured` if a schema was sent.
        wait_s: the pause that the server asks for.
    """
    asked = asked or Form(structured=False)
    message, code, parameter = _error(body)
    if status in (401, 407):
        return _ends(AccessError(f"the server does not accept the key ({_quote(status, message)}); {_KEY_MOVE}"))
    if status == 402 or code in NO_MONEY:
        return _ends(AccessError(f"the account has no credit left ({_quote(status, message)}); {_KEPT_MOVE}"))
    if status == 429:
        return Failure("rate_limited", message, "often", slow=True, wait_s=wait_s, stops_if_repeated=True)
    if status in (408, 409, 425) or status >= 500:
        kind = "timeout" if status in (408, 504) else "server_error"
        slow = status in (408, 503, 504, 529)
        return Failure(kind, message, "often", slow=slow, wait_s=wait_s, stops_if_repeated=True)
    if status == 404 or (status in (400, 422) and (code == "model_not_found" or NO_MODEL.search(message))):
        return _ends(
            BackendError(
                f"the server has no such model, or no chat at this address ({_quote(status, message)}); check which "
                "models it has: curl BASE_URL/models. The address usually ends in /v1"
            )
        )
    if 300 <= status < 400:
        return _ends(
            BackendError(
                f"the server sends us elsewhere (HTTP {status}), where no key is taken; give the final base_url"
            )
        )
    if status == 403:  # some providers send this for one text that they find offensive, others for a key
        return Failure("refused_request", message, stops_if_repeated=True)
    if status == 413 or code == "context_length_exceeded" or OVERFLOW.search(message):
        return Failure("context_overflow", message)
    if status in (400, 422) and "max_completion_tokens" in message and asked.tokens_field == "max_tokens":
        field = {"tokens_field": "max_completion_tokens"}
        return Failure("refused_request", message, change=field, note="max_completion_tokens")
    if status in (400, 422) and asked.structured and (NO_SCHEMA.search(message) or parameter == "response_format"):
        return Failure("refused_request", message, change={"structured": False}, note="no_response_format")
    if code in ("unsupported_parameter", "unsupported_value"):
        return _ends(
            BackendError(
                f"the model does not take these settings ({_quote(status, message)}); change them in Generation: "
                "temperature=None leaves the temperature to the server"
            )
        )
    return Failure("refused_request", message)


_KEPT_MOVE = "every answer so far is kept: fix that and run again"
_KEY_MOVE = "put the right key in the environment variable that api_key_env names, or name one. " + _KEPT_MOVE


def _ends(error: BackendError) -> Failure:
    return Failure("refused_request", str(error), stops=error)


def _quote(status: int, message: str) -> str:
    return f"HTTP {status}: {message[:200]}" if message else f"HTTP {status}"


def _excerpt(body: bytes) -> str:
    return " ".join(body[:200].decode("utf-8", "replace").split())


def _error(body: bytes) -> tuple[str, str, str]:
    """The server's message, its code and the rejected parameter, from the forms that servers use."""
    try:
        reply = _parsed(body)
    except (ValueError, RecursionError):
        return _excerpt(body), "", ""
    error = reply.get("error", reply) if isinstance(reply, Mapping) else reply
    if not isinstance(error, Mapping):
        return " ".join(str(error).split())[:500], "", ""
    detail = error.get("message") or error.get("detail") or error.get("error") or ""
    text = detail if isinstance(detail, str) else json.dumps(detail)
    return (
        " ".join(text.split())[:500],
        str(error.get("code") or error.get("type") or ""),
        str(error.get("param") or ""),
    )
