"""Text that a chat template wrote, read back as messages: Qwen and other ChatML, Llama 3, Gemma, DeepSeek, gpt-oss.

Read is what a template certainly wrote: one turn after the other, from the first character to the last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from hfclean.schema.embedded import DECODER, opened
from hfclean.text.thoughts import read_thought

TOOLS = ("# Tools\n\nYou may call one or more functions", "<tools>\n", "\n</tools>")
LLAMA_LEAD = re.compile(
    r"\A(?:Environment: ipython\n)?(?:Tools: [^\n]*\n\n)?Cutting Knowledge Date: [^\n]*\nToday Date: [^\n]*\n\n"
)
LLAMA_TOOLS = ("Given the following functions, please respond with a JSON", "Do not use variables.\n\n")
DEEPSEEK = re.compile("<｜([^｜<>]{1,40})｜>")
BEGINS, ENDS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
FENCED = re.compile(r"(?s)([^\n]+)\n```json\n(.*)\n```\s*")


class Read(NamedTuple):
    """The messages of a text, and the tools that it names, None where it names none."""

    messages: list[dict[str, Any]]
    tools: list[Any] | None = None


class _Turn(NamedTuple):
    head: str
    text: str


def read_rendered(text: str) -> Read | None:
    """The messages that a chat template made into this text; None where no known one did.

    Thoughts are in `reasoning_content`, calls in `tool_calls`, with arguments as an object where the template writes
    one. A system prompt that a template joins to the first question stays there.

    >>> read_rendered("<start_of_turn>user\\nHi<end_of_turn>\\n<start_of_turn>model\\nHello!<end_of_turn>\\n").messages
    [{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Hello!'}]
    >>> read_rendered("The marker <start_of_turn> begins a turn.")
    """
    found = text.lstrip()
    for begin, read in _READERS.items():
        for lead in ("", "<|begin_of_text|>", "<bos>"):
            if found.startswith(lead + begin):
                return read(found[len(lead) :])
    certain = found.startswith(BEGINS) or ("<｜User｜>" in found and found.rstrip().endswith(ENDS))
    return _deepseek(found) if certain else None


def _turns(text: str, opening: str, middle: str, closing: re.Pattern[str]) -> list[_Turn] | None:
    """The turns of a text that has nothing else; the last one may be begun, without a text."""
    found: list[_Turn] = []
    place = 0
    while place < len(text):
        if not text.startswith(opening, place):
            if not text[place].isspace():
                return None
            place += 1
            continue
        start = text.find(middle, place, place + 200)
        head = text[place + len(opening) : start if start >= 0 else place + 200]
        start += len(middle)
        end = closing.search(text, max(start, 0))
        if end is None:
            rest = text[place + len(opening) :]
            return found if rest.strip() in ("assistant", "model", f"assistant{middle}".strip()) else None
        if start < len(middle) or opening in text[start : end.start()]:
            return None
        found.append(_Turn(head, text[start : end.start()]))
        place = end.end()
    return found


def _assistant(text: str) -> dict[str, Any]:
    parts = read_thought(text)
    if parts is None:
        return {"role": "assistant", "content": text}
    message = {"role": "assistant", "content": parts.answer + parts.after}
    return {**message, "reasoning_content": parts.thought} if parts.thought else message


def _with_calls(message: dict[str, Any], calls: list[dict[str, Any]]) -> dict[str, Any]:
    return {**message, "content": message["content"] or None, "tool_calls": calls} if calls else message


def _call(name: Any, arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


# ------------------------------------------------------------------------------------------------------------- formats


def _chatml(text: str) -> Read | None:
    turns = _turns(text, "<|im_start|>", "\n", re.compile(r"<\|im_end\|>"))
    if turns is None:
        return None
    messages: list[dict[str, Any]] = []
    tools = None
    for head, content in turns:
        if head == "assistant":
            content, calls = _tagged_calls(content)
            messages.append(_with_calls(_assistant(content), calls))
        elif head == "system" and not messages and TOOLS[0] in content:
            tools = _lines(content)
            stated = content[: content.index(TOOLS[0])] if tools else content
            messages += [{"role": "system", "content": stated.removesuffix("\n\n")}] if stated else []
        elif head == "user" and content.startswith("<tool_response>\n") and content.endswith("\n</tool_response>"):
            inner = content.removeprefix("<tool_response>\n").removesuffix("\n</tool_response>")
            results = inner.split("\n</tool_response>\n<tool_response>\n")
            messages += [{"role": "tool", "content": result} for result in results]
        elif head in ("system", "user", "tool"):
            messages.append({"role": head, "content": content})
        else:
            return None
    return Read(messages, tools)


def _lines(system: str) -> list[Any] | None:
    """The tools of a system prompt, one on each line."""
    start, end = system.find(TOOLS[1]), system.find(TOOLS[2])
    lines = system[start + len(TOOLS[1]) : end].split("\n") if 0 <= start < end else []
    tools = [opened(line) for line in lines]
    return tools if tools and None not in tools else None


def _tagged_calls(text: str) -> tuple[str, list[dict[str, Any]]]:
    """A text and the calls at its end; all of it is text where they are not what a template writes."""
    start = text.find("<tool_call>\n")
    if start < 0 or not text.endswith("\n</tool_call>"):
        return text, []
    inner = text[start:].removeprefix("<tool_call>\n").removesuffix("\n</tool_call>")
    found = []
    for each in inner.split("\n</tool_call>\n<tool_call>\n"):
        data = opened(each)
        if not isinstance(data, dict) or set(data) != {"name", "arguments"}:
            return text, []
        found.append(_call(data["name"], data["arguments"]))
    return text[:start].removesuffix("\n") if not text[:start].endswith("\n\n") else text[:start], found


def _llama(text: str) -> Read | None:
    turns = _turns(text, "<|start_header_id|>", "<|end_header_id|>\n\n", re.compile(r"<\|e(?:ot|om)_id\|>"))
    if turns is None:
        return None
    messages: list[dict[str, Any]] = []
    tools: list[Any] | None = None
    for k, (head, content) in enumerate(turns):
        if head == "system":
            stated = LLAMA_LEAD.sub("", content)
            messages += [{"role": "system", "content": stated}] if stated or stated == content else []
        elif head == "user" and content.startswith(LLAMA_TOOLS[0]) and LLAMA_TOOLS[1] in content:
            tools, content = _listed(content, content.index(LLAMA_TOOLS[1]) + len(LLAMA_TOOLS[1]))
            messages.append({"role": "user", "content": content})
        elif head == "ipython":
            messages.append({"role": "tool", "content": _unquoted(content)})
        elif head == "assistant":
            data = opened(content)
            answered = k + 1 < len(turns) and turns[k + 1].head == "ipython"
            if (tools or answered) and isinstance(data, dict) and set(data) == {"name", "parameters"}:
                message = {"role": "assistant", "content": None}
                messages.append(_with_calls(message, [_call(data["name"], data["parameters"])]))
            else:
                messages.append(_assistant(content))
        elif head in ("user", "tool"):
            messages.append({"role": head, "content": content})
        else:
            return None
    return Read(messages, tools)


def _listed(text: str, place: int) -> tuple[list[Any], str]:
    """JSON objects one after the other, and the text behind them."""
    found: list[Any] = []
    while text.startswith("{", place):
        try:
            data, end = DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        if not text.startswith("\n\n", end):
            break
        found.append(data)
        place = end + 2
    return found, text[place:]


def _unquoted(text: str) -> str:
    """A text that a template wrote as JSON."""
    try:
        data = json.loads(text) if text.startswith('"') else None
    except (ValueError, RecursionError):
        return text
    return data if isinstance(data, str) else text


def _gemma(text: str) -> Read | None:
    turns = _turns(text, "<start_of_turn>", "\n", re.compile("<end_of_turn>"))
    if turns is None or any(head not in ("user", "model") for head, _ in turns):
        return None
    return Read([_assistant(t) if head == "model" else {"role": "user", "content": t} for head, t in turns])


def _deepseek(text: str) -> Read | None:
    pieces = DEEPSEEK.split(text.removeprefix(BEGINS))
    messages: list[dict[str, Any]] = [{"role": "system", "content": pieces[0]}] if pieces[0] else []
    for marker, content in zip(pieces[1::2], pieces[2::2], strict=True):
        last = messages[-1] if messages else {}
        if marker == "User":
            messages.append({"role": "user", "content": content})
        elif marker == "Assistant" or (marker == "tool▁outputs▁end" and content):
            messages.append(_assistant(content))
        elif marker == "tool▁call▁begin" and last.get("role") == "assistant":
            last.setdefault("tool_calls", []).append({"type": content})
        elif marker == "tool▁sep" and last.get("tool_calls"):
            fenced = FENCED.fullmatch(content)
            if fenced is None:
                return None
            last["tool_calls"][-1]["function"] = {"name": fenced[1], "arguments": fenced[2]}
            last["content"] = last["content"] or None
        elif marker == "tool▁output▁begin":
            messages.append({"role": "tool", "content": content})
        elif marker not in _SILENT or content.strip():
            return None
    complete = all("function" in call for message in messages for call in message.get("tool_calls", ()))
    return Read(messages) if messages and complete else None


_SILENT = (
    *("end▁of▁sentence", "tool▁calls▁begin", "tool▁calls▁end", "tool▁call▁end"),
    *("tool▁outputs▁begin", "tool▁output▁end", "tool▁outputs▁end"),
)


def _harmony(text: str) -> Read | None:
    turns = _turns(text, "<|start|>", "<|message|>", re.compile(r"<\|(?:end|return|call)\|>"))
    if turns is None:
        return None
    messages: list[dict[str, Any]] = []
    thought: dict[str, str] = {}
    for head, content in turns:
        who, _, channel = head.partition("<|channel|>")
        role, _, to = who.partition(" to=")
        if role == "system":
            messages += [] if "# Valid channels:" in content else [{"role": "system", "content": content}]
        elif role == "developer":
            messages.append(_developer(content))
        elif role == "user" and not channel:
            messages.append({"role": "user", "content": content})
        elif role.startswith("functions."):
            named = role.removeprefix("functions.")
            messages.append({"role": "tool", "content": _unquoted(content), "name": named})
        elif role != "assistant":
            return None
        elif channel == "analysis" and not thought:
            thought = {"reasoning_content": content}
        elif to.startswith("functions."):
            data = opened(content)
            message = {"role": "assistant", "content": None, **thought}
            call = _call(to.removeprefix("functions."), content if data is None else data)
            messages.append(_with_calls(message, [call]))
            thought = {}
        elif channel == "final":
            messages.append({"role": "assistant", "content": content, **thought})
            thought = {}
        else:
            return None
    return None if thought else Read(messages)


def _developer(content: str) -> dict[str, Any]:
    """What a developer says: a system prompt, unless tools are described in it."""
    lead = "# Instructions\n\n"
    if content.startswith(lead) and "# Tools\n\n" not in content:
        return {"role": "system", "content": content.removeprefix(lead).removesuffix("\n\n")}
    return {"role": "developer", "content": content}


_READERS: dict[str, Callable[[str], Read | None]] = {
    "<|im_start|>": _chatml,
    "<|start_header_id|>": _llama,
    "<start_of_turn>": _gemma,
    "<|start|>": _harmony,
}
