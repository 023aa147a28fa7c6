"""Which model, reached how, with what limits: settings only, safe to print, to pickle and to write on a card.

Keys are never here: only the *name* of the environment variable that holds one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import SplitResult, urlsplit

from hfclean.models.failures import AccessError, BackendError
from hfclean.models.keys_in_settings import MOVE, holds_key, refuse_keys_in_path
from hfclean.models.protocol import Backend
from hfclean.transform import Spec

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, as the provider's price list says. hfclean ships no prices: they change.

    >>> Prices(input=0.15, output=0.60).cost(1_000_000, 500_000)
    0.45
    """

    input: float
    output: float
    currency: str = "USD"

    def __post_init__(self) -> None:
        if not (0 <= self.input < float("inf") and 0 <= self.output < float("inf")):
            raise BackendError(f"prices input={self.input}, output={self.output}: expected money per million tokens")

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """The price of this many tokens read and written."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6

    @classmethod
    def from_table(cls, table: Mapping[str, Any], model: str) -> Prices:
        """The prices of a model from a user's table: `{"model": {"input": 0.15, "output": 0.6}}` or `[0.15, 0.6]`.

        Raises:
            BackendError: the table has no such model, or its entry is not two numbers.
        """
        entry = table.get(model)
        if isinstance(entry, (list, tuple)) and len(entry) == 2:
            entry = {"input": entry[0], "output": entry[1]}
        if not isinstance(entry, Mapping) or not {"input", "output"} <= set(entry):
            known = ", ".join(map(str, table)) or "none"
            raise BackendError(
                f"the price table has no input and output price for {model!r} (models in it: {known}); "
                f"add: {model}: {{input: PRICE, output: PRICE}}, each per million tokens"
            )
        try:
            return cls(float(entry["input"]), float(entry["output"]), str(entry.get("currency", "USD")))
        except (TypeError, ValueError) as e:
            raise BackendError(f"the prices of {model!r} are not numbers: {dict(entry)}") from e


@dataclass(frozen=True)
class Limits:
    """Rate limits, retries and timeouts.

    Args:
        concurrency: most requests in flight, per process. The number in flight adapts below it.
        start: requests in flight at first; doubles with every round of answers until the server slows down.
        requests_per_minute: most requests a minute, per process; None for no limit.
        tokens_per_minute: most tokens read and written a minute, per process; None for no limit.
        timeout_s: seconds to wait for one answer.
        connect_timeout_s: seconds to wait for a connection.
        retries: how often to ask again after a failure that may pass.
        backoff_s: seconds to wait before the first retry, about; twice as long before the next, and so on.
        longest_wait_s: longest wait before a retry, in seconds.
        give_up_after: stop the run when this number of requests in a row failed for good, with no answer in between.
        batch_size: conversations that a local model, or a custom function, gets at once; None for a choice by
            device (a custom function: 64).
    """

    concurrency: int = 64
    start: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout_s: float = 600.0
    connect_timeout_s: float = 10.0
    retries: int = 5
    backoff_s: float = 0.5
    longest_wait_s: float = 300.0
    give_up_after: int = 8
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "start", "give_up_after", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BackendError(f"Limits({name}={value}): expected at least 1")
        for name in ("requests_per_minute", "tokens_per_minute", "timeout_s", "connect_timeout_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise BackendError(f"Limits({name}={value}): expected more than 0")


@dataclass(frozen=True)
class ModelSpec(Spec):
    """A model and the way to it.

    Args:
        model: with `base_url`, the name that the server gives the model; without, a folder or a Hub id to run here
            through transformers; or a custom backend (see `Backend`).
        base_url: address of an OpenAI-compatible server, as far as `/v1`.
        api_key_env: name of the environment variable that holds the key. It is sent to that host only. Without it no
            key is sent at all, whatever variables are set.
        revision: git ref of a Hub id; the commit that it names is part of the key of every answer.
        chat_template: for a local model without one: a Jinja template, or `"plain"` for a simple one of ours.
        dtype: weights of a local model, such as `"bfloat16"`; by default bfloat16 or float16 on a GPU, float32 else.
        device: of a local model, such as `"cuda:1"`; by default a GPU if there is one.
        cache_as: whose answers these are. Takes the place of server (host, port, path) and model in the key, so that
            answers are found again when the same model moves to another host or port; needed for a custom backend.
        store: file of answers; None for the usual one under `HFCLEAN_HOME`, False to keep none.
        prices: what tokens cost; needed by `max_cost`.
        max_cost: stop when this run has spent this amount on the model.
        max_tokens_total: stop when this run has used this number of tokens of the model.
        limits: rate limits, retries and timeouts.
    """

    version: ClassVar[int] = 1

    model: str | Backend
    base_url: str | None = None
    api_key_env: str | None = None
    revision: str | None = None
    chat_template: str | None = None
    dtype: str | None = None
    device: str | None = None
    cache_as: str | None = None
    store: str | Literal[False] | None = None
    prices: Prices | None = None
    max_cost: float | None = None
    max_tokens_total: int | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if isinstance(self.model, Path):
            object.__setattr__(self, "model", str(self.model))
        if isinstance(self.store, Path):
            object.__setattr__(self, "store", str(self.store))
        if not callable(self.model) and (not isinstance(self.model, str) or not self.model):
            raise BackendError(f"model={self.model!r}: expected a model's name, a folder, or a custom backend")
        if self.base_url is not None:
            object.__setattr__(self, "base_url", _clean_url(self.base_url))
        if self.store is not None and self.store is not False and (not isinstance(self.store, str) or not self.store):
            raise BackendError(f"store={self.store!r}: expected a file, None for the usual one, or False for none")
        # Not echoed: what is here by mistake is a key.
        if self.api_key_env is not None and not VARIABLE.fullmatch(self.api_key_env):
            raise AccessError(
                "api_key_env is not the name of an environment variable in capitals (its value is not shown here: it "
                "may be a key). Put the key in a variable and give its name: api_key_env='MY_SERVER_KEY'"
            )
        for name in ("model", "cache_as"):
            if (value := getattr(self, name)) is not None and holds_key(str(value)):
                raise AccessError(f"{name} holds what looks like a key (not shown). {MOVE}")
        self._check_fit()
        if self.max_cost is not None and self.prices is None:
            raise BackendError(
                f"max_cost={self.max_cost} needs prices, which hfclean does not know: "
                "prices=Prices(input=..., output=...), each per million tokens"
            )

    def _check_fit(self) -> None:
        """Settings without meaning for this kind of model are refused, not ignored."""
        remote = self.base_url is not None
        if remote and callable(self.model):
            raise BackendError("a custom backend takes no base_url: it reaches its model by itself")
        local_only = ("revision", "chat_template", "dtype", "device")
        given = [name for name in local_only if getattr(self, name) is not None]
        if given and (remote or callable(self.model)):
            raise BackendError(
                f"{', '.join(given)}: only for a model that runs here; leave it out, or leave out base_url"
            )
        if self.api_key_env is not None and not remote:
            raise BackendError(
                f"api_key_env={self.api_key_env} needs base_url: a key is sent to one named server only"
            )

    @property
    def kind(self) -> Literal["server", "local", "function"]:
        """How the model is reached."""
        return "server" if self.base_url is not None else "function" if callable(self.model) else "local"

    @property
    def name(self) -> str:
        """The model's name as people know it."""
        if isinstance(self.model, str):
            return self.model
        return getattr(self.model, "__qualname__", type(self.model).__qualname__)

    def where(self) -> str:
        """Host, port and path of the server, as they enter the key of every answer: two servers on one host are two.

        The default port of a scheme is left out, so that `https://host:443/v1` and `https://host/v1` are one.
        """
        parts = urlsplit(self.base_url or "")
        if parts.port is None or parts.port == DEFAULT_PORTS.get(parts.scheme):
            return self.where_without_port()
        host = parts.hostname or ""
        return f"{f'[{host}]' if ':' in host else host}:{parts.port}{parts.path}"

    def where_without_port(self) -> str:
        """Host and path of the server: all that version 0.1.0 put into the key of an answer."""
        parts = urlsplit(self.base_url or "")
        return f"{parts.hostname or ''}{parts.path}"

    def settings(self) -> dict[str, Any]:
        """What a card may say of the model: nothing about keys, files, limits or money; only the name of a folder."""
        names = ("base_url", "revision", "chat_template", "dtype", "cache_as")
        found = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        folder = self.kind == "local" and Path(self.name).expanduser().is_dir()
        return {"model": Path(self.name).expanduser().resolve().name if folder else self.name, **found}

    def __repr__(self) -> str:
        given = [
            f"{spec.name}={self.name if spec.name == 'model' else getattr(self, spec.name)!r}"
            for spec in fields(self)
            if getattr(self, spec.name) not in (None, Limits())
        ]
        return f"ModelSpec({', '.join(given)})"


def _clean_url(url: str) -> str:
    """The base URL in one spelling.

    Raises:
        BackendError: not http(s), or with anything in it that could be a secret.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BackendError(
            "base_url is not an http or https address; expected for example base_url='http://localhost:8000/v1'"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        whose = "base_url" if "@" in parts.netloc or holds_key(parts.netloc) else f"base_url for {parts.hostname}"
        raise AccessError(
            f"{whose} holds more than an address (not shown: it may be a key). Leave out "
            "user, password, ? and #; name the environment variable of the key: api_key_env='MY_SERVER_KEY'"
        )
    if holds_key(parts.netloc):
        raise AccessError("base_url holds what looks like a key in the name of its host (not shown). " + MOVE)
    refuse_keys_in_path(parts.path, f"base_url for {parts.hostname}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"
