"""Calls of tools and their results in any spelling: beside a text, as typed parts of it, as its JSON, or inside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from hfclean.schema.embedded import DECODER, opened
from hfclean.schema.messages import CALL_KEYS, CALL_PARTS, RESULT_PARTS, TEXT_KEYS, key_of

ARGUMENTS = ("arguments", "parameters", "input", "args", "kwargs")
NAMES = ("name", "function", "tool_name", "toolName", "tool")
CALL_IDS = ("call_id", "tool_call_id", "toolCallId", "tool_use_id")
IDS = (*CALL_IDS, "id")  # an item of a response has an id of its own beside that of the call: the latter comes first
INSIDE = ("function", "functionCall", "function_call", "tool_call", "toolCall", "tool_use")
RESULTS_INSIDE = ("functionResponse", "function_response", "tool_result", "tool_response", "toolResult")
FREE = ("custom", "custom_tool_call")
DEEPEST = 4  # how many objects around a call are opened
MOST = 2_000  # calls of one message that are read

Kind = Literal["structured", "text", "strings", "free", "broken"]


class Call(NamedTuple):
    """One call of a tool.

    `arguments` are as they stand: an object, or the text that should be one. `id` is `""` where it has none. `kind`
    says how much of it is known:

    * `structured`: a value of its own;
    * `text`: inside a text, between the markers of a template;
    * `strings`: the same, with arguments that are all strings, as in XML;
    * `free`: what is called takes any text, or how the call is spelled is not known;
    * `broken`: JSON that cannot be read, so that its name is not known; `arguments` is its text.
    """

    name: str
    arguments: Any
    id: str = ""
    kind: Kind = "structured"


class Result(NamedTuple):
    """What a tool gave back: the id of the call, and the name of the tool; `""` where it is not said."""

    id: str = ""
    name: str = ""


# ------------------------------------------------------------------------------------------------------------- results


def results_of(message: Mapping[str, Any], role: str, text: str, content: Any) -> tuple[Result, ...]:
    """The results that a message holds, which is read as that role, text and content."""
    if role != "tool" and type(content) is str and not text.startswith("<tool_response>"):
        return ()
    parts = content if isinstance(content, list) else [message] if message.get("type") in RESULT_PARTS else []
    found = []
    for part in parts:
        if isinstance(part, Mapping):
            inner = next((part[key] for key in RESULTS_INSIDE if isinstance(part.get(key), Mapping)), None)
            if part.get("type") in RESULT_PARTS or inner is not None:
                each = {**part, **(inner or {})}
                found.append(Result(_first(each, CALL_IDS) or _first(message, CALL_IDS), _first(each, NAMES)))
    if found:
        return tuple(found[:MOST])
    if text.startswith("<tool_response>") and role in ("user", "tool"):
        return (Result(),) * min(text.count("<tool_response>"), MOST)
    if role != "tool":
        return ()
    listed = opened(content) if isinstance(content, str) and "call_id" in content else None
    if isinstance(listed, list) and all(isinstance(each, Mapping) and _first(each, CALL_IDS) for each in listed):
        return tuple(Result(_first(each, CALL_IDS), _first(each, NAMES)) for each in listed[:MOST])
    return (Result(_first(message, CALL_IDS), _first(message, NAMES)),)


def _first(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = found.get(name)
        if isinstance(value, (str, int)) and value != "" and value is not False:
            return str(value)
    return ""


# --------------------------------------------------------------------------------------------------------------- calls


def calls_of(message: Mapping[str, Any], role: str, content: Any) -> tuple[Call, ...]:
    """The calls of an assistant's message, in their order; `role` as `messages.message_of` reads it."""
    if role not in ("assistant", "tool_call"):
        return ()
    found: list[Call] = []
    for key in CALL_KEYS:
        if message.get(key):
            found += _calls_in(message[key])
    if isinstance(content, list):
        for part in content:
            if isinstance(part, Mapping) and (part.get("type") in CALL_PARTS or _wraps(part)):
                found += _calls_in(part)
            elif isinstance(part, Mapping) and isinstance(text := part.get("text") or part.get("value"), str):
                found += _calls_in_text(text)
    elif isinstance(content, str):
        if role == "tool_call" and not found:
            found += _spelled_out(content)
        else:
            found += _calls_in_text(content)
    elif message.get("type") in CALL_PARTS:
        found += _calls_in(message)
    return tuple(found[:MOST])


def _wraps(part: Mapping[str, Any]) -> bool:
    return "type" not in part and any(isinstance(part.get(key), Mapping) for key in ("functionCall", "function_call"))


def _calls_in(value: Any, deep: int = 0) -> list[Call]:
    """The calls in a value: a list of them, one, an object around one, or the JSON of these."""
    if deep > DEEPEST:
        return []
    if isinstance(value, str):
        return _spelled_out(value, deep)
    if isinstance(value, (list, tuple)):
        return [call for each in value[:MOST] for call in _calls_in(each, deep + 1)]
    if not isinstance(value, Mapping):
        return []
    if isinstance(value.get("tool_calls"), (list, tuple)):
        return _calls_in(value["tool_calls"], deep + 1)
    name, arguments, ident, inner = "", None, "", value
    for _ in range(DEEPEST):
        ident = ident or _first(inner, IDS)
        name = _first(inner, NAMES)
        arguments = next((inner[key] for key in ARGUMENTS if inner.get(key) is not None), None)
        nested = next((inner[key] for key in INSIDE if isinstance(inner.get(key), (Mapping))), None)
        if nested is None or (name and arguments is not None):
            break
        inner = nested
    if not name and arguments is None:
        text = next((inner[key] for key in ("value", "text", "content") if isinstance(inner.get(key), str)), "")
        return [_with_id(call, ident) for call in _spelled_out(text, deep + 1)] if text else []
    if value.get("type") in FREE or isinstance(value.get("custom"), Mapping):
        return [Call(name, arguments, ident, "free")]
    return [Call(name, arguments, ident)]


def _with_id(call: Call, ident: str) -> Call:
    return call if call.id else call._replace(id=ident)


def _spelled_out(text: str, deep: int = 0) -> list[Call]:
    """The calls of a text that is nothing else: JSON, several JSON values, or what a template makes of them."""
    text = text.strip()
    if not text:
        return []
    value = opened(text)
    if value is not None:
        return _calls_in(value, deep + 1) or [Call("", text, kind="free")]
    found = _calls_in_text(text) or _one_by_one(text)
    return found or [Call("", text, kind="broken" if _means_json(text) else "free")]


def _one_by_one(text: str) -> list[Call]:
    """The calls of JSON objects that follow each other, with blanks, commas or semicolons between them."""
    found: list[Call] = []
    place = 0
    while place < len(text) and len(found) < MOST:
        try:
            value, place = DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            return []
        found += _calls_in(value)
        place = _GAP.match(text, place).end()  # type: ignore[union-attr]
    return found


_GAP = re.compile(r"[\s,;]*")
_JSON = re.compile(r"\s*(?:\{|\[\s*\{|[\"']?name[\"']\s*:)")
_UNSURE = re.compile(r"\.\.\.|…|<[a-z][\w -]{0,40}>|\{\{")


def _means_json(text: str) -> bool:
    """Whether a text was meant to be JSON, all of it, and to be filled in nowhere."""
    return _JSON.match(text) is not None and _UNSURE.search(text) is None


# ------------------------------------------------------------------------------------------------------ calls in texts

_MARKERS = re.compile(
    r"<tool_call>|<function=(?=[\w.-])|<\|python_tag\|>|\[TOOL_CALLS\]|"
    r"<[|｜]tool[_▁]call[_▁]begin[|｜]>|\bto=(?=[\w.\-]{1,200}[^{}]{0,60}<\|message\|>)"
)
_NAME = re.compile(r"[\w.\-/:]{1,200}")
_HARMONY = re.compile(r"([\w.\-]{1,200})[^{}]{0,60}?<\|message\|>")
_MISTRAL = re.compile(r"\s*([\w.\-]{1,200})(?:\[CALL_ID\](\w{1,64}))?\[ARGS\]\s*")
_PARAMETER = re.compile(r"<parameter=([^>\n]{1,200})>")
_ARG_KEY = re.compile(r"<arg_key>([^<\n]{0,200})</arg_key>")
_FENCED = re.compile(r"\A\s*```(?:json)?\s*|\s*```\s*\Z")
_ENDS = {
    "<tool_call>": re.compile(r"</tool_call>|<tool_call>|<\|im_end\|>"),
    "<function=": re.compile(r"</function>|<function="),
    "<|python_tag|>": re.compile(r"<\|eom_id\|>|<\|eot_id\|>"),
    "[TOOL_CALLS]": re.compile(r"\[TOOL_CALLS\]|</s>"),
    "to=": re.compile(r"<\|(?:call|end|return|start)\|>"),
}
_CLOSES = re.compile(r"<[|｜]tool[_▁]call[_▁]end[|｜]>")


def may_call(text: str) -> bool:
    """Whether a text may hold calls or results; False where that is quickly seen."""
    return "<" in text or "[TOOL_CALLS]" in text or text.lstrip()[:1] in ("{", "[")


def _calls_in_text(text: str) -> list[Call]:
    """The calls that a template's markers set off in an answer; none in a thought before it, nor in a code block."""
    if "<" not in text and "[TOOL_CALLS]" not in text:
        return _bare(text)
    start = text.rfind("</think>") + len("</think>") if "</think>" in text else 0
    found: list[Call] = []
    fences, counted = 0, start
    while len(found) < MOST and (marker := _MARKERS.search(text, start)):
        close = _ENDS.get(marker[0], _CLOSES).search(text, marker.end())
        end = close.start() if close else len(text)
        body = text[marker.end() : end]
        nested = marker[0] == "<tool_call>" and body.lstrip().startswith("<function=")
        start = marker.end() if nested else end
        fences, counted = fences + text.count("```", counted, marker.start()), marker.start()
        if not nested and fences % 2 == 0 and (calls := _marked(marker[0], body)):
            found += calls
            counted = end  # a block of code in a call is part of it
    return found or _bare(text)


def _marked(marker: str, body: str) -> list[Call]:
    """The calls of what a marker sets off; none where it only speaks of calls."""
    if marker == "<tool_call>":
        return _hermes(body.strip())
    if marker == "<function=":
        return _named_tag(body)
    if marker == "<|python_tag|>":
        return _as_text_calls(_spelled_out(body)) or [Call("", body, kind="free")]
    if marker == "[TOOL_CALLS]":
        return _mistral(body)
    if marker == "to=":
        head = _HARMONY.match(body)
        if head is None:
            return []
        name = head[1]
        kind: Kind = "text" if name.startswith("functions.") else "free"
        return [Call(name.removeprefix("functions."), body[head.end() :].strip(), kind=kind)]
    return _sectioned(body)


def _hermes(body: str) -> list[Call]:
    if opened(body) is not None or _means_json(body):
        return _as_text_calls(_spelled_out(body))
    name = _NAME.match(body)
    if name and "<arg_key>" in body:
        return [Call(name[0], _pairs(_ARG_KEY, body, "<arg_value>", "</arg_value>"), kind="strings")]
    return []


def _named_tag(body: str) -> list[Call]:
    name, closed, rest = body.partition(">")
    if not closed or not _NAME.fullmatch(name):
        return []
    rest = rest.strip()
    if rest.startswith("{"):
        return [Call(name, rest, kind="text")]
    return [Call(name, _pairs(_PARAMETER, rest, "", "</parameter>"), kind="strings")]


def _pairs(keys: re.Pattern[str], body: str, opening: str, closing: str) -> dict[str, str]:
    """Names and texts of arguments between tags."""
    found = {}
    for key in keys.finditer(body):
        begin = body.find(opening, key.end()) + len(opening) if opening else key.end()
        if begin < key.end():
            break
        end = body.find(closing, begin)
        if end < 0:
            break
        found[key[1].strip()] = body[begin:end].strip()
    return found


def _mistral(body: str) -> list[Call]:
    if body.lstrip().startswith("["):
        return _as_text_calls(_spelled_out(body))
    head = _MISTRAL.match(body)
    return [Call(head[1], body[head.end() :].strip(), head[2] or "", "text")] if head else []


def _sectioned(body: str) -> list[Call]:
    """A call as DeepSeek and Kimi set it off: kind, name and arguments with separators between them."""
    if "<|tool_call_argument_begin|>" in body:
        ident, _, arguments = body.partition("<|tool_call_argument_begin|>")
        name = ident.strip().removeprefix("functions.").rsplit(":", 1)[0]
        return [Call(name, arguments.strip(), ident.strip(), "text")]
    parts = re.split(r"<[|｜]tool[_▁]sep[|｜]>", body, maxsplit=1)
    if len(parts) != 2:
        return []
    if parts[0].strip() == "function":
        name, _, arguments = parts[1].strip().partition("\n")
    else:
        name, arguments = parts
    return [Call(name.strip(), _FENCED.sub("", arguments), kind="text")]


def _bare(text: str) -> list[Call]:
    """The calls of a text that is the JSON of calls and nothing else, as some templates write them."""
    if text.lstrip()[:1] not in ("{", "[") or '"name"' not in text:
        return []
    value = opened(text)
    listed = value if isinstance(value, list) else [value]
    known = {"name", "arguments", "parameters", "type", "id"}
    if not listed or not all(
        isinstance(each, Mapping)
        and known.issuperset(each)
        and isinstance(each.get("name"), str)
        and isinstance(each.get("arguments", each.get("parameters")), (Mapping, str))
        for each in listed
    ):
        return []
    return _as_text_calls(_calls_in(value))


def _as_text_calls(calls: list[Call]) -> list[Call]:
    return [call._replace(kind="text") if call.kind == "structured" else call for call in calls]


# --------------------------------------------------------------------------------------------------------- own tools


def own_tools(message: Mapping[str, Any], text: str) -> Any:
    """The tools that a system message itself names, as they stand: a key, a typed part or a tag; None where it does
    not."""
    for key in ("tools", "functions"):
        if message.get(key):
            return message[key]
    content = message.get(key_of(message, TEXT_KEYS))
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and part.get("type") == "tools":
            return next((part[key] for key in ("value", "tools", "text") if part.get(key)), None)
    end = text.rfind("</tools>")
    start = text.rfind("<tools>", 0, max(end, 0))
    if start < 0 or end < 0:
        return None
    listed = text[start + len("<tools>") : end].strip()
    value = opened(listed)
    return value if value is not None else list(_values(listed))


def _values(text: str) -> Iterator[Any]:
    """JSON values that follow each other; what cannot be read comes as it stands."""
    place = 0
    while place < len(text):
        try:
            value, place = DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            yield text[place:]
            return
        yield value
        place = _GAP.match(text, place).end()  # type: ignore[union-attr]
