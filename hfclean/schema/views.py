"""Views: how each row shape is read as pairs, and where in the row each text lives.

A view never changes the row that it reads. It hands out `Target`s: a pair plus the slots (paths into the row) through
which `write` puts changed text back, copying only the containers on the way, so that everything else in the row stays
the very object it was.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hfclean.errors import SchemaError
from hfclean.schema.embedded import opened, replaced
from hfclean.schema.pair import Pair, Turn

__all__ = [
    "KNOWN_ROLES",
    "ROLE_KEYS",
    "TEXT_KEYS",
    "ChatView",
    "FlatView",
    "Path",
    "PreferenceView",
    "PromptView",
    "Slot",
    "Target",
    "View",
    "key_of",
    "messages_of",
    "read_at",
    "recorded_at",
    "write",
]

Path = tuple[str | int, ...]
Cells = Mapping[str, Any]

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
# what a message holds beside its text: without one of `TEXT_KEYS`, anything else is a text that nobody knows
BESIDE = frozenset(
    (*ROLE_KEYS, *CALL_KEYS, "reasoning_content", "reasoning", "thinking", "name", "id", "tool_call_id", "refusal")
)
TEXT_PARTS = ("text", "input_text", "output_text")
CALL_PARTS = ("tool_call", "tool_calls", "tool_use", "function_call", "toolCall")
RESULT_PARTS = ("tool_result", "tool_response", "tool_output", "function_response", "function_call_output")


class Slot(NamedTuple):  # these two are made for every row: a tuple is made faster than a frozen dataclass
    """Where a text lives in the row: one path, or several when a message has several text parts.

    `prefix` is what stands before the text in the same cell and is put back with it (implicit-prompt preference
    strings). `mirrors` are other places that hold the same texts and have to go on doing so, each with as many paths:
    what is written to one is written to all (turns that chosen and rejected share).
    """

    paths: tuple[Path, ...]
    texts: tuple[str, ...]
    prefix: str = ""
    mirrors: tuple[tuple[Path, ...], ...] = ()

    def places(self, part: int = 0) -> tuple[Path, ...]:
        """Every path to which a text part is written."""
        if not self.mirrors:
            return (self.paths[part],)
        return (self.paths[part], *(paths[part] for paths in self.mirrors))


class Target(NamedTuple):
    """One pair of a row. A field without a slot is read-only context.

    `turns` are, in a conversation, all turns before the response as they stand, the question among them; empty
    elsewhere.
    """

    pair: Pair
    instruction: Slot | None = None
    input: Slot | None = None
    response: Slot | None = None
    turns: tuple[Turn, ...] = ()

    def slots(self) -> Iterator[tuple[str, Slot]]:
        """The writable fields, in the order instruction, input, response."""
        for name in ("instruction", "input", "response"):
            slot = getattr(self, name)
            if slot is not None:
                yield name, slot


class _Message(NamedTuple):
    role: str
    text: str
    slot: Slot | None


def read_at(cells: Cells, path: Path) -> Any:
    """The value at a path of a row."""
    value: Any = cells
    for key in path:
        value = opened(value) if isinstance(value, str) else value
        value = value[_key_in(value, key)]
    return value


def _key_in(container: Any, key: str | int) -> str | int:
    """A key of digits is a place in a list, and in an object the string that it is."""
    return str(key) if isinstance(key, int) and isinstance(container, Mapping) else key


def recorded_at(cells: Cells, path: Path) -> Path:
    """The place whose value gives back what stands at a path: the path, or the JSON string through which it leads."""
    value: Any = cells
    for n, key in enumerate(path):
        if isinstance(value, str):
            return path[:n]
        value = value[_key_in(value, key)]
    return path


def write(cells: Cells, edits: Mapping[Path, Any]) -> dict[str, Any]:
    """The columns that `edits` touch, with the new values in place; the row given is left as it was."""
    changed: dict[str, Any] = {}
    for path, value in edits.items():
        column = str(path[0])
        current = changed.get(column, cells[column])
        changed[column] = _put(current, path[1:], value)
    return changed


def _put(container: Any, path: Sequence[str | int], value: Any) -> Any:
    if not path:
        return value
    if isinstance(container, str):
        return replaced(container, path, value)
    key, rest = path[0], path[1:]
    if isinstance(container, dict):
        key = _key_in(container, key)
        return {**container, key: _put(container[key], rest, value)}
    copy = list(container)
    copy[int(key)] = _put(copy[int(key)], rest, value)
    return copy


# --------------------------------------------------------------------------------------------------------------- cells


def _cell(path: Path, value: Any) -> tuple[str, Slot | None]:
    """Text of a flat cell and its slot. Numbers, booleans and structures are read as text and never written."""
    if value is None:
        return "", Slot((path,), ("",))
    if isinstance(value, str):
        return value, Slot((path,), (value,))
    return _as_text(value), None


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def _content(path: Path, value: Any) -> tuple[str, Slot | None]:
    """Text of a message's content: a string, or the text parts of a list of typed parts."""
    if not isinstance(value, list):
        return _cell(path, value)
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
    """A conversation cell as its messages: what stands there, or what the JSON string there says."""
    return opened(cell) if isinstance(cell, str) else cell


def _messages(path: Path, cell: Any, where: str) -> list[_Message]:
    """The messages of a conversation cell, in any of its spellings (list of dicts, dict of lists, one dict, or the
    JSON of these)."""
    if cell is None or cell == "":
        return []
    text, cell = cell, messages_of(cell)
    if isinstance(cell, dict):
        role_key, text_key = key_of(cell, ROLE_KEYS), key_of(cell, TEXT_KEYS)
        roles, contents = cell.get(role_key), cell.get(text_key)
        if isinstance(roles, list) and isinstance(contents, list):  # how datasets shows Sequence({...}) features
            return [
                _message(role, (*path, text_key, n), content)
                for n, (role, content) in enumerate(zip(roles, contents, strict=False))
            ]
        return [_message_of(cell, path)]
    if not isinstance(cell, list):
        raise SchemaError(
            f"column {where!r} holds {type(text).__name__} {str(text)[:40]!r}, not a list of messages; expected "
            "[{'role': ..., 'content': ...}, ...] or [{'from': ..., 'value': ...}, ...]. If it is plain text, say so: "
            f"columns={{'instruction': ..., 'response': {where!r}}}"
        )
    messages = []
    for n, message in enumerate(cell):
        if not isinstance(message, dict):
            raise SchemaError(
                f"message {n} of column {where!r} is {type(message).__name__}, not a dict; expected "
                "{'role': ..., 'content': ...} or {'from': ..., 'value': ...}"
            )
        messages.append(_message_of(message, (*path, n)))
    return messages


def _message_of(message: Mapping[str, Any], path: Path) -> _Message:
    role_key, text_key = key_of(message, ROLE_KEYS), key_of(message, TEXT_KEYS)
    calls = next((message[key] for key in CALL_KEYS if message.get(key)), None)
    if not role_key or (not text_key and calls is None and _has_more(message)):
        return _Message(f"keys: {', '.join(message)}", _as_text(dict(message)), None)
    made = _message(message[role_key], (*path, text_key), message.get(text_key), calls)
    return made if text_key else made._replace(slot=None)


def _from_text(cell: Any) -> Any:
    """A cell of a prompt or an answer: the messages that a string there is the JSON of, else what stands there."""
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


def _message(role: Any, path: Path, content: Any, calls: Any = None) -> _Message:
    name = ROLES.get(str(role).strip().lower(), str(role))
    text, slot = _content(path, content)
    if type(content) is list:
        if name == "assistant":
            calls = calls or [part for part in content if isinstance(part, dict) and part.get("type") in CALL_PARTS]
        elif name == "user" and not text and _has_result(content):
            name, text = "tool", _as_text(content)
    if name in ("tool", "tool_call") or calls:
        slot = None  # a call and its result belong to a program: never altered
        if name == "assistant":
            name, text = "tool_call", text or _as_text(calls)
        elif not text and content:
            text = _as_text(content)
    return _Message(name, text, slot)


# --------------------------------------------------------------------------------------------------------------- views


@dataclass(frozen=True)
class View(ABC):
    """How one row shape is read. `columns` are all columns that it reads; `writable` those it may change."""

    shape: str

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Every column that this view reads."""

    @property
    def writable(self) -> tuple[str, ...]:
        return self.columns

    def laid_open(self, cells: Cells) -> Cells:
        """The row with conversations where it holds their JSON as strings; the row itself where it holds none.

        Paths into it are paths into the row as well.
        """
        return cells

    @abstractmethod
    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        """The pairs of one row, oldest first; the last one is the row's main pair. Never empty."""

    def pairs(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Pair]:
        """The same for those who only read: without the places where the texts live."""
        return [target.pair for target in self.targets(cells, turns=turns, side=side)]


@dataclass(frozen=True)
class FlatView(View):
    """Alpaca, Dolly, and any columns that the user names as instruction, input and response."""

    instruction: str
    response: str
    input: str | None = None
    system: str | None = None
    history: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        names = (self.instruction, self.input, self.response, self.system, self.history)
        return tuple(name for name in names if name)

    @property
    def writable(self) -> tuple[str, ...]:
        return tuple(name for name in (self.instruction, self.input, self.response, self.history) if name)

    def pairs(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Pair]:
        if self.history and cells[self.history]:
            return super().pairs(cells, turns=turns, side=side)
        given = _as_text(cells[self.input]) if self.input else ""
        system = _as_text(cells[self.system]) if self.system else ""
        return [Pair(_as_text(cells[self.instruction]), given, _as_text(cells[self.response]), (), system)]

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        instruction, instruction_slot = _cell((self.instruction,), cells[self.instruction])
        response, response_slot = _cell((self.response,), cells[self.response])
        text, input_slot = _cell((self.input,), cells[self.input]) if self.input else ("", None)
        system = _as_text(cells[self.system]) if self.system else ""
        earlier = cells[self.history] if self.history else None
        if not earlier:
            pair = Pair(instruction, text, response, (), system)
            return [Target(pair, instruction_slot, input_slot, response_slot)]
        found: list[Target] = []
        history: list[Turn] = []
        for n, exchange in enumerate(earlier):
            if not isinstance(exchange, (list, tuple)) or len(exchange) != 2:
                raise SchemaError(
                    f"entry {n} of column {self.history!r} is {str(exchange)[:60]!r}; wanted [question, answer]. "
                    "Leave the column out by naming the others: columns={'instruction': ..., 'response': ...}"
                )
            question, answer = _as_text(exchange[0]), exchange[1]
            if turns == "all" and isinstance(answer, str):
                slot = Slot(((str(self.history), n, 1),), (answer,))
                found.append(Target(Pair(question, "", answer, tuple(history), system), response=slot))
            history += [Turn("user", question), Turn("assistant", _as_text(answer))]
        pair = Pair(instruction, text, response, tuple(history), system)
        return [*found, Target(pair, instruction_slot, input_slot, response_slot)]


def _conversation_targets(messages: list[_Message], *, turns: str, first: int = 0) -> list[Target]:
    """Pairs of a conversation: every assistant turn from `first` on, with the user turn that it answers.

    The user turn can be written only when the conversation is one question and one answer; in a longer one an altered
    question could stop fitting what comes after it.
    """
    answers = [n for n, m in enumerate(messages) if m.role == "assistant" and n >= first]
    if not answers:  # a call is an answer too, though not one to be altered
        answers = [n for n, m in enumerate(messages) if m.role == "tool_call" and n >= first][-1:]
    if turns == "last":
        answers = answers[-1:]
    asked = [n for n, m in enumerate(messages) if m.role == "user"]
    single = [m.role for m in messages if m.role != "system"] == ["user", "assistant"]
    found = []
    system = "\n".join(m.text for m in messages if m.role == "system")
    for n in answers:
        question = max((k for k in asked if k < n), default=None)
        history = tuple(
            Turn(m.role, m.text) for k, m in enumerate(messages[:n]) if k != question and m.role != "system"
        )
        pair = Pair("" if question is None else messages[question].text, "", messages[n].text, history, system)
        asked_slot = messages[question].slot if single and question is not None else None
        before = tuple(Turn(m.role, m.text) for m in messages[:n])
        found.append(Target(pair, asked_slot, None, messages[n].slot, before))
    if not found:  # nothing was answered: the row still has a question, and an empty response that nobody can write
        question = asked[-1] if asked else None
        history = tuple(Turn(m.role, m.text) for k, m in enumerate(messages) if k != question and m.role != "system")
        found.append(Target(Pair("" if question is None else messages[question].text, "", "", history, system)))
    return found


@dataclass(frozen=True)
class ChatView(View):
    """`messages` (role, content) or ShareGPT `conversations` (from, value)."""

    messages: str
    system: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.messages, self.system) if self.system else (self.messages,)

    @property
    def writable(self) -> tuple[str, ...]:
        return (self.messages,)

    def laid_open(self, cells: Cells) -> Cells:
        cell = cells[self.messages]
        return {**cells, self.messages: messages_of(cell)} if isinstance(cell, str) else cells

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        messages = _messages((self.messages,), cells[self.messages], self.messages)
        if self.system:
            messages = [_Message("system", _as_text(cells[self.system]), None), *messages]
        return _conversation_targets(messages, turns=turns)


@dataclass(frozen=True)
class PromptView(View):
    """Prompt and completion: two strings, or two lists of messages, which may be JSON in a string each."""

    prompt: str
    completion: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.prompt, self.completion)

    def laid_open(self, cells: Cells) -> Cells:
        prompt = _from_text(cells[self.prompt])
        if prompt is cells[self.prompt]:
            return cells  # beside a prompt that is text, JSON is what was asked for
        return {**cells, self.prompt: prompt, self.completion: _from_text(cells[self.completion])}

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        cells = self.laid_open(cells)
        prompt, completion = cells[self.prompt], cells[self.completion]
        if not isinstance(completion, (list, dict)) and not isinstance(prompt, (list, dict)):
            instruction, instruction_slot = _cell((self.prompt,), prompt)
            response, response_slot = _cell((self.completion,), completion)
            return [Target(Pair(instruction, "", response), instruction_slot, None, response_slot)]
        before = _context((self.prompt,), prompt, self.prompt)
        after = _answer((self.completion,), completion, self.completion)
        return _conversation_targets([*before, *after], turns=turns, first=len(before))


def _context(path: Path, cell: Any, where: str) -> list[_Message]:
    """A prompt cell as messages, whether it is a string or a list of them."""
    if isinstance(cell, (list, dict)):
        return _messages(path, cell, where)
    text, slot = _cell(path, cell)
    return [_Message("user", text, slot)] if text else []


def _answer(path: Path, cell: Any, where: str) -> list[_Message]:
    if isinstance(cell, (list, dict)):
        return _messages(path, cell, where)
    text, slot = _cell(path, cell)
    return [_Message("assistant", text, slot)]


@dataclass(frozen=True)
class PreferenceView(View):
    """Chosen and rejected answers: strings, message lists or single turns (also as JSON in strings); the prompt in a
    column of its own or implicit.

    The prompt is read-only: both answers stand on it. With `turns="all"`, an earlier turn that both sides have is one
    target, and what is written to it goes to both sides (and to the prompt column, where that repeats it).
    """

    chosen: str
    rejected: str
    prompt: str | None = None
    input: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.prompt, self.input, self.chosen, self.rejected) if name)

    @property
    def writable(self) -> tuple[str, ...]:
        return tuple(name for name in (self.prompt, self.chosen, self.rejected) if name)

    def laid_open(self, cells: Cells) -> Cells:
        found = {}
        if self.prompt and not isinstance(prompt := _from_text(cells[self.prompt]), str):
            found[self.prompt] = prompt
        if isinstance(cells[self.chosen], str) and isinstance(cells[self.rejected], str):
            chosen, rejected = _from_text(cells[self.chosen]), _from_text(cells[self.rejected])
            if not isinstance(chosen, str) and not isinstance(rejected, str):
                found |= {self.chosen: chosen, self.rejected: rejected}
        return {**cells, **found} if found else cells

    def answer_repeats_prompt(self, cells: Cells, name: str) -> bool:
        """Whether the messages of one side begin with those of the prompt, as implicit-prompt sets have it."""
        if not self.prompt:
            return False
        before = _context((self.prompt,), cells[self.prompt], self.prompt)
        return _repeats(cells[name], before, _answer((name,), cells[name], name))

    def targets(self, cells: Cells, *, turns: str = "last", side: str = "chosen") -> list[Target]:
        cells = self.laid_open(cells)
        if side != "both":
            return self._side(cells, getattr(self, side), turns)[0]
        chosen, shared = self._side(cells, self.chosen, turns)
        rejected, _ = self._side(cells, self.rejected, turns)
        if not shared:
            return [*rejected, *chosen]
        # what both share is one target: it comes first, and the main pair of the row stays the last
        return [*chosen[:-1][:shared], *rejected[shared:], *chosen[:-1][shared:], chosen[-1]]

    def _side(self, cells: Cells, name: str, turns: str) -> tuple[list[Target], int]:
        """The targets of one side, and how many of them, the first ones, the other side has as well."""
        cell = cells[name]
        if self.prompt is None and isinstance(cell, str):
            return [self._implicit(cells, name, cell)], 0
        before = _context((self.prompt,), cells[self.prompt], self.prompt) if self.prompt else []
        after = _answer((name,), cell, name)
        shared = 0
        if turns == "all":
            after, shared = self._mirrored(cells, name, after)
        if _repeats(cell, before, after):
            if turns == "all":
                after = [*map(_mirror, after[: len(before)], before), *after[len(before) :]]
            before = []
        first = len(before) if turns == "all" else 0
        found = _conversation_targets([*before, *after], turns=turns, first=first)
        text = _as_text(cells[self.input]) if self.input else ""
        targets = [
            Target(t.pair.replace(input=text) if text else t.pair, response=t.response, turns=t.turns) for t in found
        ]
        return targets, sum(message.role == "assistant" for message in after[:shared])

    def _mirrored(self, cells: Cells, name: str, after: list[_Message]) -> tuple[list[_Message], int]:
        """The messages of one side, those that the other side begins with too tied to it, and how many these are."""
        other = self.rejected if name == self.chosen else self.chosen
        if len(after) < 2 or not isinstance(cells[other], (list, dict)):  # an answer alone is a side's own
            return after, 0
        others = _answer((other,), cells[other], other)
        shared = 0
        for mine, theirs in zip(after, others, strict=False):
            if (mine.role, mine.text) != (theirs.role, theirs.text):
                break
            shared += 1
        return [*map(_mirror, after[:shared], others[:shared]), *after[shared:]], shared

    def _implicit(self, cells: Cells, name: str, cell: str) -> Target:
        """Two strings that begin alike: what they share, up to the last space, is the prompt."""
        other = cells[self.rejected if name == self.chosen else self.chosen]
        shared = _common_prefix(cell, other) if isinstance(other, str) and other != cell else ""
        slot = Slot(((name,),), (cell[len(shared) :],), shared)
        return Target(Pair(shared, "", cell[len(shared) :]), response=slot)


def _mirror(message: _Message, other: _Message) -> _Message:
    """A message whose text is written to another one's place as well; to neither where that cannot be done part by
    part."""
    slot, theirs = message.slot, other.slot
    if slot is None or theirs is None or slot.texts != theirs.texts:
        return _Message(message.role, message.text, None)
    return _Message(message.role, message.text, slot._replace(mirrors=(*slot.mirrors, theirs.paths)))


def _repeats(cell: Any, before: list[_Message], after: list[_Message]) -> bool:
    """Whether an answer repeats the whole conversation before it."""
    return isinstance(cell, list) and len(after) > len(before) and _texts(after[: len(before)]) == _texts(before)


def _texts(messages: list[_Message]) -> list[tuple[str, str]]:
    return [(m.role, m.text) for m in messages]


def _common_prefix(a: str, b: str) -> str:
    low, high = 0, min(len(a), len(b))
    while low < high:  # bisection: the longest length at which both begin alike
        middle = (low + high + 1) // 2
        if a.startswith(b[:middle]):
            low = middle
        else:
            high = middle - 1
    shared = a[:low]
    return shared[: max(shared.rfind(" "), shared.rfind("\n")) + 1]
