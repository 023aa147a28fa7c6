"""Keys in an address or in further fields of a request are refused, unrepeated, before anything is asked or written;
what only looks like one a little is not."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer
from keys_made import KEYS, made

from hfclean import Reviser
from hfclean.cli import main
from hfclean.models import AccessError, Generation, ModelSpec

# one line each: several forms span lines, and those never stand in an address
ONE_LINE = {kind: key for kind, key in KEYS.items() if "\n" not in key}
PASSWORD = "correct-horse-7f3a"
PLAIN = "nothing-that-looks-like-a-key"


def refused(made_of: Any, *hidden: str) -> str:
    with pytest.raises(AccessError, match="api_key_env") as caught:
        made_of()
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.args)
    # the lines of this file that stand in the traceback hold no value
    for text in hidden:
        assert text not in told
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------- extra_body


@pytest.mark.parametrize(
    "field",
    [
        "api_key",
        "apiKey",
        "API-KEY",
        "x-api-key",
        "openai_api_key",
        "authorization",
        "Authorization",
        "Proxy-Authorization",
        "token",
        "access_token",
        "auth_token",
        "client_secret",
        "aws_secret_access_key",
        "password",
        "Cookie",
        "Ocp-Apim-Subscription-Key",
    ],
)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_field_for_a_key_is_refused_wherever_it_stands(field: str, depth: int) -> None:
    extra: dict[str, Any] = {field: PLAIN}
    for name in ["extra_headers", "provider"][:depth]:
        extra = {name: extra, "reasoning_effort": "low"}
    message = refused(lambda: Generation(extra=extra), PLAIN)
    assert field in message
    refused(lambda: Reviser("m", base_url="http://localhost:8000/v1", extra_body=extra), PLAIN)


@pytest.mark.parametrize(
    "headers",
    [
        [["Authorization", PLAIN]],
        [{"name": "X-Api-Key", "value": PLAIN}],
        [f"Authorization: {PLAIN}"],
        f"api-key: {PLAIN}",
    ],
)
def test_headers_in_other_forms_are_headers(headers: Any) -> None:
    refused(lambda: Generation(extra={"extra_headers": headers}), PLAIN)


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_what_looks_like_a_key_is_refused_in_any_field(kind: str) -> None:
    key = KEYS[kind]
    for extra in ({"user": key}, {"metadata": {"tags": ["a", key]}}):
        refused(lambda extra=extra: Generation(extra=extra), key)  # type: ignore[misc]


def test_a_key_as_the_name_of_a_field_is_not_repeated() -> None:
    key = ONE_LINE["hf_token"]
    refused(lambda: Generation(extra={key: True}), key)
    refused(lambda: Generation(extra={"a": {key: {"token": PLAIN}}}), key, PLAIN)


@pytest.mark.parametrize(
    "extra",
    [
        {"reasoning_effort": "low", "max_tokens": 5, "stop_token_ids": [1, 2], "skip_special_tokens": False},
        {"chat_template_kwargs": {"enable_thinking": False, "eos_token": "<|im_end|>"}},
        {"token": "", "api_key": None, "password": True, "authorization": 0},
        {"stop": ["token", "secret"], "logit_bias": {"50256": -100}},
        {"guided_json": {"properties": {"token": {"type": "string"}, "password": {"type": "string"}}}},
        {"guided_json": {"required": ["token", "api_key"]}},
        {"prompt_cache_key": "hfclean-run-1", "safety_identifier": "user-1", "user": "me"},
        {"documents": [{"name": "token", "value": "a unit of text"}]},
        {"guided_regex": r"(sk-|hf_)[A-Za-z0-9]{20}", "stop": ["Authorization:"]},
    ],
)
def test_other_fields_are_let_through(extra: dict[str, Any]) -> None:
    assert Generation(extra=extra).extra == extra


# ---------------------------------------------------------------------------------------------------------- base_url


@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{PASSWORD}@example.org/v1",
        f"https://{PASSWORD}@example.org/v1",
        f"https://:{PASSWORD}@example.org/v1",
        f"https://me:{PASSWORD[:5]}@{PASSWORD[5:]}/more@example.org/v1",
        f"https://example.org/v1?api_key={PASSWORD}",
        f"https://example.org/v1?{PASSWORD}",
        f"https://example.org/v1#{PASSWORD}",
        f"https://example.org/v1;api_key={PASSWORD}/",
        f"https://example.org/token={PASSWORD}/v1",
        f"https://example.org/x%3Bapi_key%3D{PASSWORD}/v1",
    ],
)
def test_an_address_with_more_than_an_address_is_refused(url: str) -> None:
    refused(lambda: ModelSpec("m", base_url=url), PASSWORD, PASSWORD[5:])


@pytest.mark.parametrize("kind", sorted(ONE_LINE))
@pytest.mark.parametrize(
    "form", ["https://example.org/{}/v1", "https://example.org/openai/deployments/{}/chat/completions"]
)
def test_a_key_in_a_path_is_refused(kind: str, form: str) -> None:
    key = ONE_LINE[kind]
    if any(sign in key for sign in "/?#@ ;:&"):
        return
    refused(lambda: ModelSpec("m", base_url=form.format(key)), key)
    refused(lambda: ModelSpec("m", base_url=form.format("".join(f"%{ord(c):02x}" for c in key))), key)


def test_a_random_value_behind_a_name_is_a_key() -> None:
    key = made("", 40)
    refused(lambda: ModelSpec("m", base_url=f"https://example.org/key/{key}/v1"), key)
    refused(lambda: ModelSpec("m", base_url="https://example.org/v1", cache_as=ONE_LINE["hf_token"]), key)
    refused(lambda: ModelSpec(ONE_LINE["hf_token"], base_url="https://example.org/v1"), ONE_LINE["hf_token"])
    host = "hf" + "_" + made("", 34)
    refused(lambda: ModelSpec("m", base_url=f"https://{host}.example.org/v1"), host, host.lower())


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/v1",
        "https://my-resource.openai.azure.com/openai/deployments/gpt-4o-mini-2024-07-18",
        "https://api.cloudflare.com/client/v4/accounts/0a1b2c3d4e5f60718293a4b5c6d7e8f9/ai/v1",
        "https://gateway.ai.example.org/v1/3f2b8c1e-9d4a-4e6f-8a7b-1c2d3e4f5a6b/my-gateway/compat",
        "https://example.org/run/@cf/meta/llama-3.1-8b-instruct",
        "https://api.ai.example.org/v2/inference/deployments/d1a2b3c4d5e6f7a8",
        "https://router.example.org/v1/token/count",
        "https://example.org/models/version=2/v1",
    ],
)
def test_addresses_with_ids_in_them_are_let_through(url: str) -> None:
    assert ModelSpec("m", base_url=url).base_url is not None


# ------------------------------------------------------------------------------------------------------- command line


@pytest.mark.parametrize("kind", ["hf_token", "anthropic_key"])
@pytest.mark.parametrize("how", ["extra body", "field", "path", "query", "user"])
def test_a_command_refuses_before_it_asks_or_writes(
    how: str, kind: str, work: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ONE_LINE[kind] if how != "field" else PASSWORD
    monkeypatch.setenv("HFCLEAN_HOME", str(work / "home"))
    (work / "rows.jsonl").write_text(json.dumps({"instruction": "Name a fruit.", "output": "Apple."}) + "\n")
    with ChatServer() as server:
        url, extra = server.url, "{}"
        if how in ("extra body", "field"):
            extra = json.dumps({"user": key} if how == "extra body" else {"headers": {"Authorization": key}})
        else:
            url = {
                "path": f"{server.url}/{key}",
                "query": f"{server.url}?key={key}",
                "user": server.url.replace("//", f"//me:{key}@"),
            }[how]
        command = [
            "revise",
            "rows.jsonl",
            "--model",
            "m",
            "--base-url",
            url,
            "--model-option",
            f"extra_body={extra}",
            "--out",
            "out",
        ]
        assert main(command) not in (0, None)
        assert server.received == []
    captured = capfd.readouterr()
    assert "--api-key-env" in captured.err
    assert "Traceback" not in captured.err
    assert key not in captured.out + captured.err
    assert sorted(path.name for path in work.iterdir()) == ["rows.jsonl"]
