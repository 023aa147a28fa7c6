"""How text is put on a terminal: how wide, control characters as escapes, so that row text cannot steer it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TextIO

from hfclean.text.characters import UNPRINTABLE

LONGEST = 600


class Colors(NamedTuple):
    """What goes before a part of a text; `end` after it. All are empty where there are no colors."""

    head: str = ""
    out: str = ""
    put: str = ""
    end: str = ""


PLAIN = Colors()
ANSI = Colors("\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m")
_colors = ContextVar("colors", default=PLAIN)


def colors_of(stream: TextIO) -> Colors:
    """Colors on a terminal alone; NO_COLOR takes them away, FORCE_COLOR puts them everywhere, each by any value."""
    if os.environ.get("NO_COLOR"):
        return PLAIN
    if os.environ.get("FORCE_COLOR"):
        return ANSI
    return ANSI if stream.isatty() and os.environ.get("TERM") != "dumb" else PLAIN


@contextmanager
def using(colors: Colors) -> Iterator[None]:
    """Within the block, what is taken out, put in or a head has these colors."""
    token = _colors.set(colors)
    try:
        yield
    finally:
        _colors.reset(token)


def _painted(color: str, text: str) -> str:
    """Each line by itself, so that it can be set in and paged."""
    return "\n".join(f"{color}{line}{_colors.get().end}" for line in text.split("\n")) if color else text


def head(text: str) -> str:
    """The first line of a block; its length is known before."""
    return _painted(_colors.get().head, text)


def taken_out(text: str) -> str:
    return _painted(_colors.get().out, text)


def put_in(text: str) -> str:
    return _painted(_colors.get().put, text)


def visible(text: str, limit: int = LONGEST) -> str:
    """Text for a terminal: invisible and control characters as escapes, cut in the middle when it is long."""
    text = UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
    if len(text) > limit:
        text = f"{text[: limit * 2 // 3]} [... {len(text) - limit:,} characters ...] {text[-limit // 3 :]}"
    return text


def columns_wide() -> int:
    """How many characters a line may have: as wide as the terminal is (or COLUMNS says), and 80 where there is
    none."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def before_after(before: str, after: str, depth: int = 2) -> str:
    """What a text was and what it is, around the place where they differ."""
    old, new = (indent(visible(text), depth + 2) for text in windows(before, after))
    return f"{' ' * depth}{taken_out(f'- {old}')}\n{' ' * depth}{put_in(f'+ {new}')}"


def indent(text: str, depth: int = 4) -> str:
    """The lines after the first, set in."""
    first, *others = text.split("\n")
    return "\n".join([first, *(" " * depth + line if line else "" for line in others)])


def windows(before: str, after: str, context: int = 60) -> tuple[str, str]:
    """The part of two texts in which they differ, with a little of what surrounds it."""
    shortest = min(len(before), len(after))
    start = next((k for k in range(shortest) if before[k] != after[k]), shortest)
    end = next((k for k in range(shortest - start) if before[-1 - k] != after[-1 - k]), shortest - start)
    left, right = max(0, start - context), max(0, end - context)

    def cut(text: str) -> str:
        stop = len(text) - right
        return f"{'...' if left else ''}{text[left:stop]}{'...' if right else ''}"

    return cut(before), cut(after)
