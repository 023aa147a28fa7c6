"""Which word of the command line was meant, where one is mistyped."""

from collections.abc import Iterable
from difflib import get_close_matches

PUT = "unrecognized arguments: "


def meant_word(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'clean'?)`, or nothing."""
    near = get_close_matches(word[:80].lower(), list(known), 1, 0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def meant_option(message: str, options: Iterable[str]) -> str:
    """The same for the first option in what argparse says of those that it does not know."""
    if not message.startswith(PUT):
        return ""
    words = message[len(PUT) :].split()
    return meant_word(next((word for word in words if word.startswith("-")), "").partition("=")[0], options)
