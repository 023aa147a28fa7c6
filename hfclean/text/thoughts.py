"""What a model thought before it answered, where it stands in front of the answer."""

from __future__ import annotations

import re

OPENING = re.compile(r"\s*<(think|thinking|thought|reasoning)>", re.IGNORECASE)


def split_thought(text: str) -> tuple[str, str]:
    """The thought with its tags and what follows it; `("", text)` where none stands in front, or it is not closed.

    The two parts put together are the text.
    """
    opened = OPENING.match(text)
    if opened is None:
        return "", text
    closing = f"</{opened[1]}>"
    end = text.find(closing, opened.end())
    if end < 0:
        return "", text
    end += len(closing)
    return text[:end], text[end:]
