"""Messages of a conversation in any of their spellings: roles, texts and calls, and where each text lives."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from hfclean.schema.embedded import opened
from hfclean.schema.slots import Path, Slot, as_text, parted, read_cell
from hfclean.text import thoughts

ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "customer"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model", "bot", "ai", "chatbot"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "tool_response", "ipython"), "tool"),
    **dict.fromkeys(("function_call", "tool_call", "tool_calls"), "tool_call"),
}
KNOWN_ROLES = frozenset(ROLES.values())
ROLE_KEYS = ("role", "from", "speaker", "sender", "author")
TEXT_KEYS = ("content", "value", "text", "message", "utterance")
CALL_KEYS = ("tool_calls", "function_call")
NOT_A = "not a "  # how the role of what is no message begins
# what a message holds beside its text: without one of `TEXT_KEYS`, anything else is an unknown text
BESIDE = frozenset((*ROLE_KEYS, *CALL_KEYS, *thoughts.KEYS, "name", "id", "tool_call_id", "refusal"))
TEXT_PARTS = ("text", "input_text", "output_text")
CALL_PARTS = ("tool_call", "tool_calls", "tool_use", "function_call", "toolCall")
RESULT_PARTS = ("tool_result", "tool_response", "tool_output", "function_response", "function_call_output")


class Message(NamedTuple):
    """One turn. `text` is the answer alone, where there is a thought before it; `written` is the text of both, where
    they share a cell."""

    role: str
    text: str
    slot: Slot | None
    thought: str = ""
    thought_slot: Slot | None = None
    written: str = ""

    @property
    def whole(self) -> str:
        """The text as it stands in the message's content."""
        return self.written or self.text


def _content(path: Path, value: Any) -> tuple[str, Slot | None]:
    """Text of a message's content: a string, or the text parts of a list of typed parts."""
    if not isinstance(value, list):
        return read_cell(path, value)
    paths: list[Path] = []
    texts: list[str] = []
    for n, part in enumerate(value):
        if isinstance(part, str):
            paths.append((*path, n))
            texts.append(part)
        elif isinstance(part, dict) and part.get("type", "text") in TEXT_PARTS:
            key = next((k for k in ("text", "value") if isinstance(part.get(k), str)), None)
            if key:
                paths.append((*path, n, key))
                texts.append(part[key])
    if not paths:
        return "", None
    return "\n".join(texts), Slot(tuple(paths), tuple(texts))


def key_of(message: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Which spelling a message uses: the one that holds a value where Arrow filled in several; `""` if none."""
    first, second = names[0], names[1]
    if message.get(first) is not None:
        return first
    if message.get(second) is not None:
        return second
    found = ""
    for n, name in enumerate(names):
        if name in message:
            value = message[name]
            if n > 1 and isinstance(value, (str, list)):
                return name
            found = found or (name if value is None or n < 2 else "")
    return found


def messages_of(cell: Any) -> Any:
    """A conversation cell as its messages: the cell itself, or its JSON string parsed."""
    return opened(cell) if isinstance(cell, str) else cell


def read_messages(column: str, cell: Any) -> list[Message]:
    """The messages of a conversation cell, in any of its spellings (list of dicts, dict of lists, one dict, or the
    JSON of these). What cannot be read as one is a message of an unknown role, so that one row never ends a run."""
    if cell is None or cell == "":
        return []
    text, cell = cell, messages_of(cell)
    if isinstance(cell, dict):
        role_key, text_key = key_of(cell, ROLE_KEYS), key_of(cell, TEXT_KEYS)
        roles, contents = cell.get(role_key), cell.get(text_key)
        if isinstance(roles, list) and isinstance(contents, list):  # how datasets shows Sequence({...}) features
            beside = {key: cell[key] for key in thoughts.KEYS if isinstance(cell.get(key), list)}
            return [
                _thinking(
                    _message(role, (column, text_key, n), content),
                    {(column, key, n): values[n] for key, values in beside.items() if n < len(values)},
                )
                for n, (role, content) in enumerate(zip(roles, contents, strict=False))
            ]
        return [message_of(cell, (column,))]
    if not isinstance(cell, list):
        return [unreadable("list of messages", text)]
    return [
        message_of(message, (column, n)) if isinstance(message, dict) else unreadable("message", message)
        for n, message in enumerate(cell)
    ]


def unreadable(what: str, value: Any) -> Message:
    """What stands where `what` was expected, as a message that nobody writes, with a role that nobody knows."""
    return Message(f"{NOT_A}{what}: {type(value).__name__} {as_text(value)[:40]!r}", as_text(value), None)


def message_of(message: Mapping[str, Any], path: Path) -> Message:
    """A message, with the places of its texts below `path`."""
    role_key, text_key = key_of(message, ROLE_KEYS), key_of(message, TEXT_KEYS)
    calls = next((message[key] for key in CALL_KEYS if message.get(key)), None)
    if not role_key or (not text_key and calls is None and _has_more(message)):
        return Message(f"keys: {', '.join(message)}", as_text(dict(message)), None)
    parsed = _message(message[role_key], (*path, text_key), message.get(text_key), calls)
    if not text_key:
        parsed = parsed._replace(slot=None)
    beside = {(*path, key): message[key] for key in thoughts.KEYS if message.get(key)}
    return _thinking(parsed, beside) if beside else parsed


def _thinking(message: Message, beside: Mapping[Path, Any]) -> Message:
    """An assistant's message with the thought that its other keys hold, before any that its content has."""
    if message.role not in ("assistant", "tool_call"):
        return message
    return _joined(message, [_thought(path, value) for path, value in beside.items()])


def _joined(message: Message, found: list[tuple[str, Slot | None]]) -> Message:
    """A message with thoughts put before its own; the same thought in two places counts once, and has no slot."""
    found = [each for each in found if each[0]]
    if not found:
        return message
    every = [*found, (message.thought, message.thought_slot)] if message.thought else found
    texts = list(dict.fromkeys(text for text, _ in every))
    return message._replace(thought="\n\n".join(texts), thought_slot=every[0][1] if len(every) == 1 else None)


def _thought(path: Path, value: Any) -> tuple[str, Slot | None]:
    """A thought and its place: a string, a part with one, or a list of parts."""
    if isinstance(value, str):
        return value, Slot((path,), (value,))
    if isinstance(value, Mapping):
        for key in ("text", *thoughts.KEYS, "content", "value", "summary"):
            if isinstance(value.get(key), (str, list)) and value[key]:
                return _thought((*path, key), value[key])
        return "", None
    if isinstance(value, list):
        parts = [_thought((*path, n), part) for n, part in enumerate(value) if isinstance(part, (str, Mapping))]
        parts = [part for part in parts if part[0]]
        return "\n".join(text for text, _ in parts), parts[0][1] if len(parts) == 1 else None
    return "", None


def from_text(cell: Any) -> Any:
    """A cell of a prompt or an answer: the messages if it holds them as JSON, else the cell."""
    if not isinstance(cell, str):
        return cell
    value = opened(cell)
    messages = value if isinstance(value, list) else [value]
    return value if messages and all(map(_is_message, messages)) else cell


def _is_message(value: Any) -> bool:
    """Whether a value is certainly a message: a role that is known, and a text or a call."""
    if not isinstance(value, dict):
        return False
    role = value.get(key_of(value, ROLE_KEYS))
    known = isinstance(role, str) and role.strip().lower() in ROLES
    return known and (key_of(value, TEXT_KEYS) != "" or any(value.get(key) for key in CALL_KEYS))


def _has_more(message: Mapping[str, Any]) -> bool:
    return any(isinstance(value, (str, list, dict)) and value and key not in BESIDE for key, value in message.items())


def _has_result(content: list[Any]) -> bool:
    return any(isinstance(part, dict) and part.get("type") in RESULT_PARTS for part in content)


def _message(role: Any, path: Path, content: Any, calls: Any = None) -> Message:
    name = ROLES.get(str(role).strip().lower(), str(role))
    text, slot = _content(path, content)
    found: list[tuple[str, Slot | None]] = []
    if type(content) is list:
        if name == "assistant":
            calls = calls or [part for part in content if isinstance(part, dict) and part.get("type") in CALL_PARTS]
            found = [
                _thought((*path, n), part)
                for n, part in enumerate(content)
                if isinstance(part, dict) and part.get("type") in thoughts.PARTS
            ]
        elif name == "user" and not text and _has_result(content):
            name, text = "tool", as_text(content)
    message = Message(name, *parted(text, slot)) if name == "assistant" else Message(name, text, slot)
    if name in ("tool", "tool_call") or calls:  # a call and its result belong to a program: never altered
        message = message._replace(slot=None, thought_slot=None)
        if name == "assistant":
            message = message._replace(role="tool_call", text=message.text or as_text(calls))
        elif not text and content:
            message = message._replace(text=as_text(content))
    return _joined(message, found) if found else message


def read_prompt(column: str, cell: Any) -> list[Message]:
    """A prompt cell as messages, whether it is a string or a list of them; none for an empty string."""
    messages = read_answer(column, cell, "user")
    return messages if isinstance(cell, (list, dict)) or messages[0].text else []


def read_answer(column: str, cell: Any, role: str = "assistant") -> list[Message]:
    """An answer cell as messages, whether it is a string, of this role, or a list of them."""
    if isinstance(cell, (list, dict)):
        return read_messages(column, cell)
    text, slot = read_cell((column,), cell)
    return [Message(role, *parted(text, slot)) if role == "assistant" else Message(role, text, slot)]
