"""How text is put on a terminal: how wide, control characters as escapes, so that row text cannot steer it."""

from __future__ import annotations

import shutil

from hfclean.text.characters import UNPRINTABLE

LONGEST = 600


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
    return f"{' ' * depth}- {old}\n{' ' * depth}+ {new}"


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
