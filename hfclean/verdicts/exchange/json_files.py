"""Exports of other tools as JSON: a list of objects, of which nothing is believed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hfclean.errors import SourceError
from hfclean.limits import read_json

LARGEST_EXPORT = 1 << 30  # bytes


def objects_of(file: Path, expected: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a list, numbered from 1.

    Args:
        file: the export.
        expected: what it should be, for messages.

    Raises:
        SourceError: it is not a list of objects.
        OSError: it cannot be read.
    """
    try:
        data = read_json(file, LARGEST_EXPORT)
    except ValueError as e:
        raise SourceError(f"{file.name!r} cannot be read ({e}); expected {expected}") from e
    if not isinstance(data, list):
        raise SourceError(f"{file.name!r} holds {type(data).__name__}; expected {expected}")
    for number, item in enumerate(data, start=1):
        if not isinstance(item, Mapping):
            raise SourceError(f"entry {number} of {file.name!r} is {str(item)[:40]!r}; expected {expected}")
        yield number, item


def mapping_of(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object at a key; an empty one where there is none."""
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def list_of(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects of a list at a key; an empty one where there is none."""
    value = data.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text_of(data: Mapping[str, Any], key: str) -> str:
    """A text or whole number at a key, as text; `""` where there is none."""
    value = data.get(key)
    return value if isinstance(value, str) else str(value) if type(value) is int else ""


def time_of(data: Mapping[str, Any], *keys: str) -> str:
    """The first of some keys that holds a time, as ISO 8601 writes it; `""` where none does."""
    for value in (text_of(data, key) for key in keys):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            continue
        return value
    return ""


def seconds_of(data: Mapping[str, Any], key: str) -> float | None:
    """A number of seconds at a key; None where there is none."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return float(value)
