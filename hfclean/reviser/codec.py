"""A pair as one text and back, with nothing lost whatever it holds: the form in which revisers give pairs to models.

    [Instruction]
    Name three rivers of this country.
    [Input]
    Austria
    [Response]
    Danube, Inn and Mur.
    [End]

A line of the pair that looks like a marker gets a backslash before its bracket, and loses it on the way back. The flat
form of CoachLM (arXiv 2311.13246), which joins the fields with words that also occur in them, damages 22 of its 2,301
published rows; no text can damage this one. The markers name fields: an answer is read or refused, never guessed at.
"""

import re
from collections.abc import Iterable, Sequence

from hfclean.errors import HfcleanError
from hfclean.schema import Pair, Turn
from hfclean.text.thoughts import opening_of, without_thought

CODEC_VERSION = 1
FIELDS = ("instruction", "input", "response")

# the same with what was thought before the response, where a reviser is told to revise that
THOUGHT_FIELDS = ("thought", "response")

_WORDS = "instruction|input|response|end|system|user|assistant|tool"


# A marker begins its line. Models decorate it (**[Response]**, ## [Response]:) and go on after it; so nothing that
# begins like this may stand in a field without a backslash. Every repetition has a limit, or nothing to share with
# its neighbours: the time it takes grows with the line and no faster.
def _markers(words: str) -> re.Pattern[str]:
    return re.compile(
        rf"([^\S\n]{{0,8}}[*_#>]{{0,6}}[^\S\n]{{0,2}})(\\*)(\[[^\S\n]?({words})[^\S\n]?\])([*_:]{{0,4}})(.*)",
        re.I | re.S,
    )


_MARKER = _markers(_WORDS)
_THOUGHT_MARKER = _markers(f"{_WORDS}|thought")
_FENCE = re.compile(r"\s*(```+|~~~+)[\w-]*\s*")


class CodecError(HfcleanError, ValueError):
    """A text is not a pair in the codec's form."""


def escape(text: str, marker: re.Pattern[str] = _MARKER) -> str:
    """The text with a backslash before whatever would be read as a marker."""
    if "[" not in text:
        return text
    return "\n".join(_shift(line, 1, marker) for line in text.split("\n"))


def _marker_of(fields: Iterable[str]) -> re.Pattern[str]:
    """What is a marker where these fields are written: the thought's only where it is one of them."""
    return _THOUGHT_MARKER if "thought" in fields else _MARKER


def _shift(line: str, by: int, marker: re.Pattern[str]) -> str:
    found = marker.fullmatch(line)
    if found is None:
        return line
    before, slashes, bracket, _, after, rest = found.groups()
    slashes = "\\" * (len(slashes) + by)
    return f"{before}{slashes}{bracket}{after}{rest}"


def encode(pair: Pair, fields: Iterable[str] = FIELDS) -> str:
    """The fields of a pair as one text. `decode` returns exactly these."""
    fields = tuple(fields)
    marked = _marker_of(fields)
    parts = [f"[{name.capitalize()}]\n{escape(getattr(pair, name), marked)}" for name in fields]
    return "\n".join([*parts, "[End]"])


def encode_context(system: str, history: Sequence[Turn]) -> str:
    """The context of a pair, for reading only; empty where there is none."""
    parts = [f"[System]\n{escape(system)}"] if system else []
    for turn in history:
        role = turn.role.capitalize() if turn.role in ("system", "user", "assistant") else "Tool"
        parts.append(f"[{role}]\n{escape(turn.text)}")
    return "\n".join([*parts, "[End]"]) if parts else ""


def decode(text: str, fields: Sequence[str] = FIELDS, *, ended: bool = True) -> dict[str, str]:
    """The fields of a text in the codec's form.

    Text before the first marker (a preface, a model's thoughts) and after `[End]` is not part of the pair.

    Args:
        text: the result of `encode`, or a model's answer.
        fields: the fields that it has to hold, in this order, each once.
        ended: whether `[End]` has to be there; without it the last field ends with the text.

    Raises:
        CodecError: a marker is missing, comes twice, or in another order: it is unclear which text belongs where.
    """
    markers = _marker_of(fields)
    answer = without_thought(text) if opening_of(text) else text
    lines = (text if answer is None else answer).split("\n")
    found: dict[str, list[str]] = {}
    preface: list[str] = []
    current: list[str] = preface
    for line in lines:
        marker = markers.fullmatch(line) if "[" in line else None
        if marker is None:
            current.append(line)
            continue
        if marker[2]:
            current.append(_shift(line, -1, markers))
            continue
        name = marker[4].lower()
        if name in found:
            raise CodecError(f"[{name.capitalize()}] comes twice")
        if name not in (*fields, "end"):
            raise CodecError(f"[{name.capitalize()}] does not belong here; expected {', '.join(fields)}")
        if "end" in found:
            raise CodecError("the text continues with markers after [End]")
        current = found[name] = [rest] if (rest := marker[6].strip()) else []
    missing = [name for name in fields if name not in found]
    if missing:
        raise CodecError(f"[{missing[0].capitalize()}] is missing")
    if [name for name in found if name != "end"] != list(fields):
        raise CodecError(f"the fields come as {', '.join(found)}; expected {', '.join(fields)}")
    if "end" not in found:
        if ended:
            raise CodecError("[End] is missing")
        opener = next((line for line in reversed(preface) if line.strip()), "")
        if _FENCE.fullmatch(opener):  # the whole answer stands in a code fence
            lines = found[fields[-1]]
            while lines and not lines[-1].strip():
                lines.pop()
            if lines and lines[-1].strip() == opener.strip()[:3]:
                lines.pop()
    return {name: "\n".join(found[name]) for name in fields}


def settle(before: str, after: str) -> str:
    """A field as a model gave it back, without white space that only the way through the model added or took."""
    trimmed = after.strip()
    return before if trimmed == before.strip() else trimmed
