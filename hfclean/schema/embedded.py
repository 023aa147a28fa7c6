"""Conversations stored in a cell as one JSON string: read, and rewritten only where they change."""

import json
import re
from collections.abc import Sequence
from typing import Any

DECODER = json.JSONDecoder()
BLANKS = re.compile(r"[ \t\r\n]*")


def opened(text: str) -> Any:
    """The list or object that a text is the JSON of; `None` if it is not one."""
    if not text.lstrip(" \t\r\n").startswith(("[", "{")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def replaced(text: str, path: Sequence[str | int], value: Any) -> str:
    """The JSON text with the value at a path replaced; every other character stays.

    The new value is escaped as the old one was, or as the rest of the text is.
    """
    start = _after_blanks(text, 0)
    for key in path:
        start = _item(text, start, key)
    end = DECODER.raw_decode(text, start)[1]
    old = text[start:end]
    escaped, bare = json.dumps(json.loads(old)), json.dumps(json.loads(old), ensure_ascii=False)
    ascii_only = text.isascii() if escaped == bare else old != bare
    return text[:start] + json.dumps(value, ensure_ascii=ascii_only) + text[end:]


def without_last(text: str) -> str:
    """The JSON text of a list of several items without its last one; every other character stays."""
    place = _after_blanks(text, _after_blanks(text, 0) + 1)
    ends = []
    while text[place] != "]":
        ends.append(DECODER.raw_decode(text, place)[1])
        place = _after_blanks(text, ends[-1])
        if text[place] == ",":
            place = _after_blanks(text, place + 1)
    return text[: ends[-2]] + text[ends[-1] :]


def _item(text: str, start: int, key: str | int) -> int:
    """Where the item of that key or number begins in the object or list at `start`; the last of several."""
    found, number = None, 0
    named = text[start] == "{"
    place = _after_blanks(text, start + 1)
    while text[place] not in "}]":
        name: Any = number
        if named:
            name, place = DECODER.raw_decode(text, place)
            place = _after_blanks(text, _after_blanks(text, place) + 1)  # over the colon
        if name == key:
            found = place
        place = _after_blanks(text, DECODER.raw_decode(text, place)[1])
        if text[place] == ",":
            place = _after_blanks(text, place + 1)
        number += 1
    if found is None:
        raise KeyError(key)
    return found


def _after_blanks(text: str, place: int) -> int:
    match = BLANKS.match(text, place)
    return match.end() if match else place
