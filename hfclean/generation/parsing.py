"""What the teacher answered: a list of tasks, or the rest of a row; in JSON or in text, and nothing guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from hfclean.generation.forms import Field
from hfclean.generation.prompts import is_plain
from hfclean.generation.seeds import one_line
from hfclean.models.protocol import tidy
from hfclean.text.thoughts import without_thought

_NUMBERED = re.compile(
    r"(?:\A|\n)[ \t]*(?:#{1,4}[ \t]*)?[*_]{0,2}(?:Task[ \t]+)?\d{1,3}[.):][*_]{0,2}[ \t]+", re.IGNORECASE
)
_NUMBER = re.compile(r"\A\s*\d{1,3}[.)]\s+")  # small models number the texts of a JSON list as well
_BULLETS = re.compile(r"(?:\A|\n)[ \t]*[-*•][ \t]+")
_INLINE = re.compile(r"(?:\A\s*|\s)(\d{1,2})[.)]\s+(?=\S)")  # in one text: "1. Name a bird. 2. Name a fish."
_ABOUT_TASK = re.compile(r"\AThe (?:(?:new|next|first|second|third|last) )?task is to\s+(?=\w)", re.IGNORECASE)
_LIST = re.compile(r"\{\s*\"tasks\"\s*:\s*\[")
_COMMA = re.compile(r"\s*,?\s*")
_PARAGRAPH = re.compile(r"(?<![:：])[ \t]*\n[ \t]*\n")
_BELOW = re.compile(r"[ \t]*\n[ \t]*(?:\n|[-*•][ \t])")  # a paragraph or bullets
_NOTHING = re.compile(r"\s*(?:`{3,}\w*\s*)?(?:\{\s*\}|\[\s*\]|\"\"|null)?\s*(?:`{3,}\s*)?")
_EXAMPLE = re.compile(r"(?:\A|\n)[ \t]*[*_#]*[ \t]*Example[ \t]+\d{1,2}[ \t]*[*_]*:?[ \t]*(?=\n)", re.IGNORECASE)
_BEGINS = re.compile(r"(?:\A|\n)[ \t]*(?:`{3,}\w*[ \t]*\n[ \t]*)?(?=[\[{])")
MOST_BEGINNINGS = 20  # of JSON that are tried
_DECODER = json.JSONDecoder()
_YES_NO = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)


def read_tasks(text: str, most: int, *, cut_off: bool = False) -> list[str] | None:
    """The tasks of an answer, each on one line, the first `most` of them; None where it is not a list of them.

    Args:
        text: the answer.
        most: how many were asked for.
        cut_off: whether the answer ends before its end: its last task is then not whole, and is left out.
    """
    body = without_thought(text)
    if body is None:
        return None
    if (listed := _listed(body, cut_off=cut_off)) is not None:
        tasks = [task for each in listed if isinstance(each, str) for task in _parted(each)]
        return [_task(task) for task in tasks[:most]] if tasks else None
    for mark in (_NUMBERED, _BULLETS):
        _, *items = mark.split(body)
        if items:
            whole = items[:-1] if cut_off else items
            return [_task(_without_talk(item)) for item in whole[:most]]
    return None


def _without_talk(item: str) -> str:
    """A task of a list with one task a line: what stands below it is talk, unless it is announced with a colon."""
    announced = item.lstrip().partition("\n")[0].rstrip().endswith((":", "："))
    return (_PARAGRAPH if announced else _BELOW).split(item, maxsplit=1)[0]


def _listed(body: str, *, cut_off: bool) -> list[Any] | None:
    """The texts of a JSON list of tasks, as far as it goes; None where there is none."""
    found = _object(body)
    if isinstance(found, Mapping) and isinstance(found.get("tasks"), list):
        return list(found["tasks"])
    begins = _LIST.search(body) if cut_off else None
    if begins is None:
        return None
    texts: list[Any] = []
    place = begins.end()
    while True:
        place = match.end() if (match := _COMMA.match(body, place)) else place
        try:
            value, place = _DECODER.raw_decode(body, place)
        except (ValueError, RecursionError):
            return texts
        texts.append(value)


def _parted(text: str) -> list[str]:
    """The tasks of one text of a list: some teachers number them, some write the whole list into one text, whose first
    task may have lost its number."""
    marks = list(_INLINE.finditer(text))
    numbered = bool(marks) and not text[: marks[0].start()].strip()
    wanted = int(marks[0][1]) if numbered else 2
    row: list[re.Match[str]] = []
    for mark in marks:
        if int(mark[1]) == wanted:
            row.append(mark)
            wanted += 1
    if len(row) < 2:  # one number in a text is no list
        return [_NUMBER.sub("", text)]
    begins = [0, *(mark.end() for mark in row)]
    ends = [*(mark.start() for mark in row), len(text)]
    parts = [text[begin:end] for begin, end in zip(begins, ends, strict=True)]
    return parts[1:] if numbered else parts


def _task(text: str) -> str:
    text = _ABOUT_TASK.sub("", one_line(tidy(text)))
    return text[:1].upper() + text[1:]


def read_kind(text: str) -> bool:
    """Whether the answer says that a task wants a label; what is not clear does not."""
    match = _YES_NO.match(without_thought(text) or "")
    return match is not None and match[1].lower() == "yes"


def read_rows(text: str, fields: Sequence[Field], most: int) -> list[dict[str, Any]] | None:
    """What an answer adds to a task, by field, for each of its examples; None where a field is missing, comes
    twice, or is of another kind, and where the answer is JSON that holds nothing."""
    body = without_thought(text)
    if body is None or (body.strip() and _NOTHING.fullmatch(body)):
        return None
    found = _object(body)
    if isinstance(found, Mapping) and found and set(found) <= {"examples", *(field.name for field in fields)}:
        listed = found["examples"] if isinstance(found.get("examples"), list) else [found]
        rows = [_of_object(each, fields) for each in listed[:most]]
        return None if not rows or None in rows else [row for row in rows if row is not None]
    if any(field.kind != "text" for field in fields):
        if len(fields) == 1 and isinstance(found, list):  # the calls or the turns without the object around them
            return [{fields[0].name: found}]
        return None
    parts = [part for part in _EXAMPLE.split(body) if part.strip()] if most > 1 else [body]
    texts = [_of_text(part, fields) for part in parts[:most]]
    return None if not texts or None in texts else [row for row in texts if row is not None]


def _of_object(value: Any, fields: Sequence[Field]) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    row: dict[str, Any] = {}
    for field in fields:
        found = value.get(field.name)
        if field.kind == "text":
            if found is None and field.optional:
                found = ""
            if isinstance(found, (int, float)) and not isinstance(found, bool):
                found = json.dumps(found)
            if not isinstance(found, str):
                return None
            row[field.name] = tidy(found).strip()
        elif isinstance(found, list):
            row[field.name] = found
        else:
            return None
    return row


def _of_text(body: str, fields: Sequence[Field]) -> dict[str, Any] | None:
    names = "|".join(re.escape(field.name) for field in fields)
    label = re.compile(
        rf"^[ \t]*[*_#]{{0,4}}[ \t]*({names})[ \t]*[*_]{{0,2}}[ \t]*[:：][*_]{{0,2}}[ \t]*", re.I | re.M
    )
    before, *parts = label.split(body)
    if not parts and is_plain(fields):
        return {fields[0].name: tidy(before).strip()}
    found: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        if name.lower() in found:
            return None
        found[name.lower()] = tidy(text).strip()
    if not all(field.name in found or field.optional for field in fields):
        return None
    return {field.name: found.get(field.name, "") for field in fields}


def _object(body: str) -> Any:
    """The JSON value that an answer is, maybe in a fence or after a line of words; None where there is none."""
    for match in islice(_BEGINS.finditer(body), MOST_BEGINNINGS):
        try:
            return _DECODER.raw_decode(body, match.end())[0]
        except (ValueError, RecursionError):
            continue
    return None
