"""Calls of tools: what is called, with which arguments, and whether each call and each result has its other half."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hfclean.schema import Call, Result, Said, Tools, Whole, tools_of
from hfclean.verifiers.arguments import Schema, faults, read_schema
from hfclean.verifiers.verifier import Finding, RowVerifier, found_in_trace

SHOWN = 80
NEAR = 64  # calls among which a result finds its own by name
# what hosts offer without naming it among the tools
BUILT_IN = frozenset(("multi_tool_use.parallel", "python", "ipython", "code_interpreter", "browser", "web_search"))


def _tool_findings(row: Whole) -> Iterator[Finding]:
    """All findings about the calls and results of a row, and of its trace."""
    yield from _of_messages(row)
    yield from found_in_trace(_of_messages, row)


def _of_messages(row: Whole) -> Iterator[Finding]:
    if not any(said.calls or said.results for said in row.messages):
        return
    tools = tools_of(row.tools) if row.tools is not None else Tools(complete=False)
    spoken = None
    for n, said in enumerate(row.messages):
        for call in said.calls:
            tool = tools.get(call.name)
            if tool is None and tools.complete and call.name not in BUILT_IN and call.kind not in ("free", "broken"):
                if spoken is None:
                    spoken = "\n".join(each.text for each in row.messages if each.role == "system")
                if not call.name or call.name not in spoken:
                    yield _unknown(n, call, tools)
            schema = _schema(tools, call.name) if tool is not None else None
            for sentence in _faults_of(call, schema):
                yield Finding("tool_arguments_invalid", "messages", n, 0, _text(call.arguments), "", sentence)
    yield from _order(row)


# ------------------------------------------------------------------------------------------------ names and arguments


def _unknown(n: int, call: Call, tools: Tools) -> Finding:
    names = [tool.name for tool in tools.tools]
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    what = f"{call.name[:SHOWN]!r} is called" if call.name else "a call names no tool"
    return Finding(
        "tool_unknown", "messages", n, 0, call.name[:SHOWN], "", f"{what}, and the tools of the row are {listed[:300]}"
    )


def _schema(tools: Tools, name: str) -> Schema:
    tool = tools.get(name)
    assert tool is not None
    if tool.name not in tools.memory:
        tools.memory[tool.name] = read_schema(tool.schema)
    schema: Schema = tools.memory[tool.name]
    return schema


def _faults_of(call: Call, schema: Schema | None) -> Iterator[str]:
    """What is wrong with the arguments of a call, one sentence each."""
    if call.kind == "free":
        return
    name = call.name[:SHOWN]
    arguments, fault = _object(call.arguments)
    if fault:
        yield f"the arguments of {name!r} {fault}" if name else f"a call {fault}"
    elif arguments is not None and schema is not None:
        for sentence in faults(arguments, schema, strings=call.kind == "strings"):
            yield f"{name!r}: {sentence}"


def _object(arguments: Any) -> tuple[Mapping[str, Any] | None, str]:
    """The arguments as an object, and what is wrong with them; None and `""` where nobody can tell."""
    if arguments is None:
        return {}, ""
    if isinstance(arguments, str):
        if not arguments.strip():
            return {}, ""
        try:
            arguments = json.loads(arguments)
        except json.JSONDecodeError as e:
            return None, f"are not JSON: {e.msg} at character {e.pos}"
        except (ValueError, RecursionError):  # numbers of thousands of digits, or too deep to be read
            return None, ""
        if arguments is None:
            return {}, ""
    if isinstance(arguments, Mapping):
        return arguments, ""
    return None, f"are {_KINDS.get(type(arguments), 'something else')}; expected an object"


_KINDS = {str: "a string", list: "a list", int: "a number", float: "a number", bool: "a boolean"}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[:SHOWN]
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:SHOWN]
    except (ValueError, RecursionError):
        return ""


# --------------------------------------------------------------------------------------------------------------- order


@dataclass
class _Open:
    """A call that waits for its result."""

    call: Call
    message: int
    answered: bool = False
    passed: bool = False  # something came after it that should have waited for the result


@dataclass
class _Group:
    """Calls with nothing but calls between them, and how many results came that say no id."""

    calls: list[_Open] = field(default_factory=list)
    results: int = 0
    first: int = 0  # those before it are answered

    @property
    def countable(self) -> bool:
        return all(each.call.kind not in ("free", "broken") for each in self.calls)

    def next_for(self, name: str) -> _Open | None:
        """The call that a result without an id answers: one of that name, else the first that waits."""
        while self.first < len(self.calls) and self.calls[self.first].answered:
            self.first += 1
        waiting = [each for each in self.calls[self.first : self.first + NEAR] if not each.answered]
        named = (each for each in waiting if name and each.call.name == name)
        return next(named, waiting[0]) if waiting else None


@dataclass
class _Order:
    """What is seen of a row, message by message."""

    calls_have_ids: bool
    structured: bool
    groups: list[_Group] = field(default_factory=list)
    by_id: dict[str, list[_Open]] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)  # ids of results that no call before them has
    known: set[str] = field(default_factory=set)  # ids of calls
    open: bool = False  # whether the next call belongs to the last group
    before: Said | None = None  # the last message that is neither a result nor the system's
    segment: int = 0  # the first group after the last turn of the user
    closed: int = 0  # the first group that no turn came after


def _order(row: Whole) -> Iterator[Finding]:
    """Calls without a result, results without a call, and calls after the answer."""
    calls = [call for said in row.messages for call in said.calls]
    seen = _Order(
        any(call.id for call in calls),
        any(call.kind != "free" for call in calls),
    )
    late = []
    for n, said in enumerate(row.messages):
        for result in said.results:
            if not _match(seen, result):
                what = f"answers the call {result.id[:SHOWN]!r}" if result.id else "follows no call"
                sentence = f"a tool's result {what}, which the row does not have" if result.id else f"a result {what}"
                yield Finding("tool_result_unmatched", "messages", n, 0, said.text[:SHOWN], "", sentence)
        if said.results:
            seen.open = False
        if said.role == "user" and (said.text.strip() or said.more) and not said.results:
            _close(seen, by_user=True)
        elif said.role == "assistant" and said.calls:
            if _comes_late(seen):
                late.append((n, said))
            _add(seen, n, said)
        elif said.role == "assistant" and said.text.strip():
            _close(seen, by_user=False)
        if said.role != "system" and not said.results:
            seen.before = said
    yield from _unanswered(seen)
    if len(late) == 1:  # who does it again and again speaks between calls
        n, said = late[0]
        name = said.calls[0].name[:SHOWN]
        sentence = f"{name!r} is called after the answer, with no turn of the user between them"
        yield Finding("tool_call_after_answer", "messages", n, 0, name, "", sentence)


def _add(seen: _Order, n: int, said: Said) -> None:
    if not seen.open:
        seen.groups.append(_Group())
        seen.open = True
    calls = [_Open(call, n) for call in said.calls]
    seen.groups[-1].calls += calls
    for each in calls:
        if each.call.id:
            seen.known.add(each.call.id)
            seen.by_id.setdefault(each.call.id, []).append(each)


def _close(seen: _Order, *, by_user: bool) -> None:
    """A turn came that nobody should take before the results are there."""
    for group in seen.groups[seen.segment if by_user else seen.closed :]:
        for each in group.calls:
            if by_user and each.call.kind != "structured":
                each.answered = True  # where calls are text, their results may be turns of the user
            each.passed = True
    seen.open, seen.closed = False, len(seen.groups)
    if by_user:
        seen.segment = len(seen.groups)


def _match(seen: _Order, result: Result) -> bool:
    """Give a result to its call; False where there certainly is none."""
    if result.id and seen.calls_have_ids:
        waiting = seen.by_id.get(result.id)
        if waiting:
            waiting.pop().answered = True
        elif result.id not in seen.known:
            seen.strays.add(result.id)
            return False
        return True
    group = seen.groups[-1] if len(seen.groups) > seen.segment else None
    if group is not None:
        group.results += 1
        if (each := group.next_for(result.name)) is not None:
            each.answered = True
            return True
        return not group.countable
    if seen.before is None or seen.before.role == "user":
        return False
    return not (seen.structured or result.id)


def _unanswered(seen: _Order) -> Iterator[Finding]:
    for group in seen.groups:
        if not group.countable or (group.results == 1 and not any(each.call.id for each in group.calls)):
            continue  # one result may be that of all
        begun = any(each.answered for each in group.calls)
        for each in group.calls:
            if each.answered or not (each.passed or begun) or each.call.id in seen.strays:
                continue
            name = each.call.name[:SHOWN]
            sentence = f"the call of {name!r} has no result, and the conversation goes on"
            yield Finding("tool_call_unanswered", "messages", each.message, 0, name, "", sentence)


# What announces that more is to come: such a text is no answer yet.
_ANNOUNCES = re.compile(
    r"(?::|\.\.\.|…|：)\s*\Z|\b(?:let me(?! know)|let's|i(?:'|’)ll(?! be)|i will(?! be)|i(?:'|’)m going to|"
    r"i am going to|i need to|i should|now,? i|next,? i|one moment|hold on|please wait|checking)\b|"
    r"让我|我来|我将|接下来|稍等|正在",
    re.IGNORECASE,
)


def _comes_late(seen: _Order) -> bool:
    """Whether a call that comes now follows an answer: a text after the results of earlier calls."""
    before = seen.before
    if before is None or before.role != "assistant" or before.calls or len(seen.groups) <= seen.segment:
        return False
    return not _ANNOUNCES.search(before.text[-300:])


# ----------------------------------------------------------------------------------------------------------- verifiers

_MESSAGES = frozenset(("messages",))

tool_arguments_invalid = RowVerifier(
    "tool_arguments_invalid",
    "high",
    "arguments of a tool call that are not JSON, or do not satisfy the schema that the row gives for the tool",
    _tool_findings,
    _MESSAGES,
    'weather({"city": 7}), where city is a string',
    version=3,
)
tool_unknown = RowVerifier(
    "tool_unknown",
    "high",
    "a call of a tool that is not among those of the row",
    _tool_findings,
    _MESSAGES,
    "wether(...), where the row's tools are weather and news",
    version=2,
)
tool_call_unanswered = RowVerifier(
    "tool_call_unanswered",
    "medium",
    "a tool call without a result, although the conversation goes on",
    _tool_findings,
    _MESSAGES,
    "assistant: weather(Graz). assistant: It rains.",
    version=2,
)
tool_result_unmatched = RowVerifier(
    "tool_result_unmatched",
    "medium",
    "the result of a tool that nothing in the row called",
    _tool_findings,
    _MESSAGES,
    "user: Does it rain in Graz? tool: rain",
    version=2,
)
tool_call_after_answer = RowVerifier(
    "tool_call_after_answer",
    "medium",
    "a tool call after the answer that the earlier ones led to",
    _tool_findings,
    _MESSAGES,
    "assistant: weather(Graz). tool: rain. assistant: It rains. assistant: weather(Graz)",
    version=2,
)
TOOL_VERIFIERS = (
    tool_arguments_invalid,
    tool_unknown,
    tool_call_unanswered,
    tool_result_unmatched,
    tool_call_after_answer,
)
