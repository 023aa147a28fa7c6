"""Messages in the spelling of ShareGPT: `from` and `value`, calls and results of tools as turns of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hfclean.conversion.conversations import Opened
from hfclean.schema import plain

NAMES = {"user": "human", "assistant": "gpt", "tool": "observation"}
CALL = {"id", "type", "function"}


def turns_of(messages: list[dict[str, Any]], lost: set[str]) -> list[dict[str, Any]]:
    """Messages as `from` and `value`, with their other keys.

    Calls without a text become a turn of `function_call` that holds their JSON; beside a text they stay the key
    `tool_calls`.
    """
    found, opened = [], Opened()
    for message in messages:
        rest = {key: value for key, value in message.items() if key not in ("role", "content")}
        turn = {"from": NAMES.get(message["role"], message["role"]), "value": message["content"]}
        if message["role"] == "assistant" and not message["content"] and (value := _call_text(rest, lost)):
            turn = {"from": "function_call", "value": value}
            del rest["tool_calls"]
            if message["content"] is not None:
                lost.add("empty contents beside tool calls")
        only = opened.only()
        if message["role"] == "tool" and only is not None and rest.get("tool_call_id") == only:
            del rest["tool_call_id"]  # the order says it
        opened.follow(message)
        found.append({**turn, **rest})
    return found


def _call_text(rest: Mapping[str, Any], lost: set[str]) -> str:
    """The JSON of calls that a turn of its own can hold; `""` where there are none, or others."""
    calls = plain(rest.get("tool_calls"))
    if not isinstance(calls, list) or not calls:
        return ""
    found = []
    for call in calls:
        if not isinstance(call, dict):
            return ""
        call = {key: value for key, value in call.items() if value is not None}
        inner = call.get("function")
        if set(call) - CALL or call.get("type", "function") != "function" or not isinstance(inner, dict):
            return ""
        named = {"id": call["id"]} if "id" in call else {}
        if not all(isinstance(value, str) for value in (*named.values(), inner.get("name"))):
            return ""
        if set(inner) != {"name", "arguments"}:
            return ""
        if "type" not in call:
            lost.add("tool calls without a type, now of type 'function'")
        found.append({**named, "name": inner["name"], "arguments": _arguments(inner["arguments"], lost)})
    return json.dumps(found[0] if len(found) == 1 else found, ensure_ascii=False)


def _arguments(value: Any, lost: set[str]) -> Any:
    """Arguments as an object, where that is read back as the same text."""
    if not isinstance(value, str):
        lost.add("arguments of tool calls that were objects, read as text again")
        return value
    try:
        parsed = json.loads(value)
        same = json.dumps(parsed, ensure_ascii=False) == value
    except (ValueError, RecursionError):
        return value
    return parsed if same and isinstance(parsed, dict) else value
