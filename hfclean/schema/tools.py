"""The tools that may be called, in any of their spellings, as names with the schemas of their arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from hfclean.schema.embedded import opened

MOST = 10_000
CACHED = 200_000  # characters of a cell that is remembered
LISTS = ("tools", "functions", "functionDeclarations", "function_declarations")
INSIDE = ("function", "custom")
SCHEMAS = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameters_json_schema", "inputs")
NOT_IN_NAMES = re.compile(r"[^\w]+")


@dataclass(frozen=True)
class Tool:
    """A tool that may be called: its name, and the schema of its arguments as it stands; None where nothing says."""

    name: str
    schema: Any = None


@dataclass(frozen=True)
class Tools:
    """All tools of a row. `complete` is False where some entry could not be read, so that others may be there."""

    tools: tuple[Tool, ...] = ()
    complete: bool = True
    memory: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def by_name(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in reversed(self.tools)}

    @cached_property
    def _by_key(self) -> dict[str, Tool]:
        return {_key(tool.name): tool for tool in reversed(self.tools)}

    def get(self, name: str) -> Tool | None:
        """The tool of that name; templates write dots and the like as underscores."""
        return self.by_name.get(name) or self._by_key.get(_key(name))


def _key(name: str) -> str:
    return NOT_IN_NAMES.sub("_", name.strip().removeprefix("functions."))


def tools_of(cell: Any) -> Tools:
    """What a cell says of the tools: JSON, a list of them or of their JSON, one, or an object with such a list.

    A cell that says nothing, or what nobody can read, gives `Tools((), complete=False)`.
    """
    if isinstance(cell, str):
        return _of_text(cell) if len(cell) <= CACHED else _read(opened(cell))
    return _read(cell)


@lru_cache(maxsize=256)
def _of_text(cell: str) -> Tools:
    return _read(opened(cell))


def _read(value: Any) -> Tools:
    if not isinstance(value, (list, tuple, Mapping)):
        return Tools(complete=False)
    found: list[Tool] = []
    complete = _collect(value, found, 0)
    return Tools(tuple(found[:MOST]), complete and 0 < len(found) <= MOST)


def _collect(value: Any, found: list[Tool], deep: int) -> bool:
    """Put the tools of a value into `found`; says whether all of it could be read."""
    if isinstance(value, str):
        value = opened(value)
    if isinstance(value, (list, tuple)) and deep < 3:
        read = [_collect(each, found, deep + 1) for each in value[:MOST] if each is not None]
        return all(read)
    if not isinstance(value, Mapping) or deep > 3:
        return False
    listed = next((value[key] for key in LISTS if isinstance(value.get(key), (list, tuple))), None)
    if listed is not None:
        return _collect(listed, found, deep + 1)
    inner = next((value[key] for key in INSIDE if isinstance(value.get(key), Mapping)), value)
    name = inner.get("name") or value.get("name")
    if isinstance(name, str) and name.strip():
        found.append(Tool(name.strip(), _schema(inner)))
        return True
    return False  # a tool of the host, whose name is not said


def _schema(tool: Mapping[str, Any]) -> Any:
    if tool.get("format") is not None or tool.get("type") == "custom":
        return None  # takes any text
    if isinstance(tool.get("parameter_definitions"), Mapping):
        return {"properties": tool["parameter_definitions"]}
    schema = next((tool[key] for key in SCHEMAS if tool.get(key) is not None), None)
    schema = opened(schema) if isinstance(schema, str) else schema
    return schema if isinstance(schema, Mapping) else None
