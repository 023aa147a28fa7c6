"""Messages as the text that a chat template writes: which template that is, and what of a row it leaves out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hfclean.conversion.conversations import more_in
from hfclean.conversion.rendered import read_rendered
from hfclean.errors import MissingExtraError, SchemaError
from hfclean.models.template_trial import LONGEST_TEMPLATE, TemplateRefusal, render
from hfclean.schema.embedded import opened
from hfclean.schema.messages import message_of
from hfclean.text import thoughts

Given = Any  # a name, a path, or a tokenizer


@dataclass
class Template:
    """A chat template, and the tokens that it writes. The token that begins a text is left to the tokenizer."""

    text: str
    tokens: Mapping[str, str] = field(default_factory=dict)

    def write(self, messages: list[dict[str, Any]], tools: list[Any] | None) -> str:
        """The text of messages.

        Raises:
            TemplateRefusal: the template takes no such messages.
            ModelError: it takes more time or memory than the template of a chat does.
        """
        refusal: TemplateRefusal | None = None
        for each in self._spellings(messages):
            try:
                return render(self.text, {**self.tokens, "bos_token": "", "messages": each, "tools": tools})
            except TemplateRefusal as e:
                refusal = refusal or e
        assert refusal is not None
        raise refusal

    def _spellings(self, messages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
        """The messages as templates take them, the likeliest spelling first: thoughts under another key or in the
        text, arguments as objects or as text, no content as an empty one, a system prompt in the first question."""
        key = next((name for name in ("reasoning_content", "thinking") if re.search(rf"\b{name}\b", self.text)), "")
        told = [_thinking(message, key) for message in messages]
        as_objects = [_with_arguments(message, objects=True) for message in told]
        as_texts = [_with_arguments(message, objects=False) for message in told]
        kinds = [told, as_objects, as_texts] if "arguments is string" in self.text else [as_objects, as_texts]
        for kind in kinds:
            yield kind
            yield [{**message, "content": message["content"] or ""} for message in kind]
        if len(told) > 1 and told[0]["role"] in ("system", "developer") and told[1]["role"] == "user":
            texts = [message["content"] for message in told[:2]]
            if all(isinstance(text, str) for text in texts):
                yield [{**as_objects[1], "content": "\n\n".join(texts)}, *as_objects[2:]]


def template_of(given: Given) -> Template:
    """The template of that name in TRL (`qwen3`, `llama3.1`, `gemma3`, `deepseekv3`, `gpt-oss` and others), in a
    `.jinja` file, of a tokenizer, or of the folder of one.

    Raises:
        SchemaError: there is none, or one that is too long.
        MissingExtraError: a name is given, and TRL is not installed.
    """
    if hasattr(given, "chat_template"):
        tokens = {key: str(value) for key, value in getattr(given, "special_tokens_map", {}).items()}
        return _checked(given.chat_template, tokens, type(given).__name__)
    path = Path(str(given)).expanduser()
    if path.suffix == ".jinja" or path.is_file():
        if not path.is_file():
            raise SchemaError(f"template={str(given)!r}: there is no such file")
        return _checked(path.read_text(encoding="utf-8", errors="replace")[: LONGEST_TEMPLATE + 1], {}, path.name)
    if path.is_dir():
        return _of_folder(path)
    spec = find_spec("trl")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"template={str(given)!r} is neither a file nor the folder of a tokenizer, and names of templates are "
            "those of TRL, which is not installed: pip install 'hfclean[train]'"
        )
    folder = Path(spec.submodule_search_locations[0]) / "chat_templates"
    names = {_bare(file.stem): file for file in sorted(folder.glob("*.jinja"))}
    if _bare(str(given)) not in names:
        known = ", ".join(sorted(file.stem for file in names.values() if not file.stem.endswith("_training")))
        raise SchemaError(f"template={str(given)!r}: expected a file, the folder of a tokenizer, or one of {known}")
    return _checked(names[_bare(str(given))].read_text(encoding="utf-8"), {}, str(given))


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _of_folder(folder: Path) -> Template:
    settings: Any = {}
    file = folder / "tokenizer_config.json"
    if file.is_file() and file.stat().st_size < 50_000_000:
        settings = opened(file.read_text(encoding="utf-8", errors="replace"))
    settings = settings if isinstance(settings, dict) else {}
    tokens: dict[str, str] = {}
    for name in ("eos_token", "pad_token", "unk_token"):
        value = settings.get(name)
        value = value.get("content") if isinstance(value, dict) else value
        tokens |= {name: value} if isinstance(value, str) else {}
    own = folder / "chat_template.jinja"
    template = own.read_text(encoding="utf-8", errors="replace") if own.is_file() else settings.get("chat_template")
    return _checked(template, tokens, folder.name)


def _checked(template: Any, tokens: Mapping[str, str], name: str) -> Template:
    if isinstance(template, list):  # as tokenizer_config.json names several
        template = {each.get("name"): each.get("template") for each in template if isinstance(each, dict)}
    if isinstance(template, Mapping):
        template = template.get("default")
    if not isinstance(template, str) or not template:
        raise SchemaError(f"{name} has no chat template; name another: template='qwen3', or a .jinja file")
    if len(template) > LONGEST_TEMPLATE:
        raise SchemaError(f"the chat template of {name} is longer than {LONGEST_TEMPLATE:,} characters")
    return Template(template, tokens)


def tools_in(cell: Any) -> list[Any] | None:
    """The tools of a cell as a list; None where it holds none."""
    cell = opened(cell) if isinstance(cell, str) else cell
    cell = [cell] if isinstance(cell, dict) else cell
    return (
        [opened(tool) if isinstance(tool, str) else tool for tool in cell] if isinstance(cell, list) and cell else None
    )


def _thinking(message: dict[str, Any], key: str) -> dict[str, Any]:
    """A message with its thought where a template looks for it."""
    read = message_of(message, ("",))
    if not read.thought or not isinstance(message["content"], str | None):
        return message
    new = {name: value for name, value in message.items() if name not in thoughts.KEYS}
    text = read.text if message["content"] else ""
    if key:
        return {**new, "content": text, key: read.thought}
    return {**new, "content": f"<think>\n{read.thought}\n</think>\n\n{text}"}


def _with_arguments(message: dict[str, Any], *, objects: bool) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [_call(call, objects) for call in calls]}


def _call(call: Any, objects: bool) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    arguments = function.get("arguments")
    if objects and isinstance(arguments, str):
        arguments = opened(arguments) if opened(arguments) is not None else arguments
    elif not objects and not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": arguments}}


# -------------------------------------------------------------------------------------------------- what is left out


def missing_in(text: str, messages: list[dict[str, Any]], tools: list[Any] | None) -> set[str]:
    """What a text that a template wrote does not hold of messages and tools, by name. A text that is read back is
    compared; in another one, every text, thought and name of a function is looked for."""
    lost = {"ids of tool calls" for message in messages if _has_ids(message)}
    for message in messages:
        kept = {*(f"key {key!r} of messages" for key in (*thoughts.KEYS, "tool_calls", "tool_call_id"))}
        kept |= {f"parts of type {kind!r}" for kind in thoughts.PARTS}
        lost.update(name for name in more_in(message) if name not in kept)
    read = read_rendered(text)
    if read is None:
        for message in messages:
            said = message_of(message, ("",))
            content = message["content"] if said.role != "assistant" else said.text
            if isinstance(content, str) and content.strip() not in text:
                lost.add("texts that the template drops or changes")
            if said.thought.strip() not in text:
                lost.add("thoughts that the template drops")
            if any(name not in text for name, _ in _calls_in(message)):
                lost.add("tool calls that the template drops or changes")
        return lost
    if tools and read.tools != tools:
        lost.add("tools, which cannot be read back")
    wanted = [("system" if m["role"] == "developer" else m["role"]) for m in messages]
    found = [("system" if m["role"] == "developer" else m["role"]) for m in read.messages]
    if wanted != found:
        return lost | {"turns that the template joins, drops or adds"}
    for before, after in zip(messages, read.messages, strict=True):
        old, new = message_of(before, ("",)), message_of(after, ("",))
        if new.thought.strip() != old.thought.strip():
            lost.add("thoughts that the template drops")
        texts = [_text(before, old.text), _text(after, new.text)]
        if texts[0].strip() != texts[1].strip():
            lost.add("texts that the template drops or changes")
        elif texts[0] != texts[1]:
            lost.add("white space around texts")
        if _calls_in(before) != _calls_in(after):
            lost.add("tool calls that the template drops or changes")
    return lost


def _text(message: Mapping[str, Any], text: str) -> str:
    return text if message["content"] else ""


def _has_ids(message: Mapping[str, Any]) -> bool:
    calls = message.get("tool_calls")
    calls = calls if isinstance(calls, list) else []
    return bool(message.get("tool_call_id")) or any(isinstance(call, dict) and call.get("id") for call in calls)


def _calls_in(message: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and arguments of calls, the latter as objects where they are the JSON of one."""
    calls = message.get("tool_calls")
    found = []
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            arguments = function.get("arguments")
            parsed = opened(arguments) if isinstance(arguments, str) else arguments
            found.append((str(function.get("name")), arguments if parsed is None else parsed))
    return found
