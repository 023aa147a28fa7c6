"""What a model thought before it answered: every spelling of it inside a text, declared once and read here alone.

A thought is read where it stands in front of the answer and is closed. One that is not closed, or stands elsewhere, is
part of the text: nothing is guessed.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

# Names of tags around a thought in front of an answer: `<think>...</think>`.
TAGS = ("think", "thinking", "thought", "reasoning")
# Names that stand around thoughts inside answers as well.
INNER_TAGS = (*TAGS, "thoughts", "scratchpad", "reflection")
# Names of keys that hold the thought of a message, beside its content, and of columns that hold that of a row.
KEYS = ("reasoning_content", "reasoning", "thinking")
# Types of the parts of a message's content that hold it.
PARTS = ("reasoning", "thinking")


class Form(NamedTuple):
    """Markers of one template: around the thought, and around the answer behind it where it has some."""

    opening: str
    closing: str
    answer: str = ""
    end: str = ""


HARMONY = Form("<|channel|>analysis<|message|>", "<|end|>", "<|channel|>final<|message|>", "<|return|>")
FORMS = (
    Form("<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>"),
    HARMONY,
    Form("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    Form("[THINK]", "[/THINK]"),
    Form("◁think▷", "◁/think▷"),
)
# Closed here, opened by a template at the end of the prompt.
UNOPENED = ("</think>", "</thinking>", "◁/think▷", "<|end_of_thought|>")

_FIRST = frozenset("<[◁ \t\r\n")
_OPENING = re.compile(
    rf"\s*+(?:<(?P<tag>{'|'.join(TAGS)})>"
    rf"|(?:<\|start\|>assistant)?(?P<form>{'|'.join(re.escape(form.opening) for form in FORMS)}))",
    re.IGNORECASE,
)
_FINAL = re.compile(r"\s*+(?:<\|start\|>assistant)?<\|channel\|>final(?: [^<\n]{0,60})?<\|message\|>")
_BY_OPENING = {form.opening.lower(): form for form in FORMS}
_ANY_OPENING = re.compile(rf"<(?:{'|'.join(INNER_TAGS)})>|<\|begin_of_thought\|>|◁think▷", re.IGNORECASE)
_ANY_CLOSING = re.compile(
    rf"</(?:{'|'.join(INNER_TAGS)})>|{'|'.join(re.escape(form.closing) for form in FORMS if form is not HARMONY)}",
    re.IGNORECASE,
)
_ANSWERS = re.compile(
    r"<(?P<tag>answer)>|(?:<\|start\|>assistant)?"
    rf"(?:{'|'.join(re.escape(form.answer) for form in FORMS if form.answer)})"
)
# What stands before a marker that closes a thought, where the thought is over and the marker is not spoken of.
_ENDED = re.compile(r"[.!?…。！？)\]}$*\d]\s?\Z|\n\s{0,9}\Z")
_QUOTES = frozenset("`'\"“‘«")
_FENCES = ("```", "~~~")


class Split(NamedTuple):
    """A text in five parts, which put together are the text: markers and white space stand in the odd ones."""

    before: str
    thought: str
    between: str
    answer: str
    after: str


def may_think(text: str) -> bool:
    """Whether `read_thought` has to look at a text at all; fast, since most texts have none."""
    return text[:1] in _FIRST or "</think" in text or "◁/think▷" in text or "<|end_of_thought|>" in text


def read_thought(text: str) -> Split | None:
    """A text as thought and answer; None where no closed thought stands in front of the answer."""
    if not may_think(text):
        return None
    opened = opening_of(text)
    if opened is not None:
        end = text.find(opened.closing, opened.end)
        if end < 0:
            return None
        return _parted(text, opened.end, end, end + len(opened.closing), opened.form)
    final = _FINAL.match(text)
    if final is not None:
        return _parted(text, 0, 0, 0, HARMONY)
    return _unopened(text)


class Opened(NamedTuple):
    """The marker at the beginning of a text that opens a thought: where it ends, and what would close it."""

    end: int
    closing: str
    form: Form | None


def opening_of(text: str) -> Opened | None:
    """The marker with which a text opens a thought, closed or not."""
    opened = _OPENING.match(text) if text[:1] in _FIRST else None
    if opened is None:
        return None
    form = _BY_OPENING.get((opened["form"] or "").lower())
    return Opened(opened.end(), form.closing if form else f"</{opened['tag']}>", form)


def closed_thought(text: str) -> str | None:
    """A text whose thought is opened and not closed, with that closed where the answer certainly begins; None where
    that is not certain.

    It begins behind the only closing marker, where that is spelled in another way than the opening one, or at the only
    marker of an answer.
    """
    opened = opening_of(text)
    if opened is None or opened.closing in text[opened.end :]:
        return None
    wrong = list(_ANY_CLOSING.finditer(text, opened.end))
    begins = list(_ANSWERS.finditer(text, opened.end))
    if len(wrong) == 1 and _ENDED.search(text[max(0, wrong[0].start() - 10) : wrong[0].start()]):
        closed = f"{text[: wrong[0].start()]}{opened.closing}{text[wrong[0].end() :]}"
    elif not wrong and len(begins) == 1 and _is_marker_of(opened.form, begins[0], text):
        start = begins[0].start()
        thought = text[:start].rstrip()
        gap = text[len(thought) : start]
        line = "\n" if "\n" in gap else ""
        closed = f"{thought}{line}{opened.closing}{gap}{text[start:]}"
    else:
        return None
    parts = read_thought(closed)
    return closed if parts is not None and parts.thought and parts.answer.strip() else None


def _is_marker_of(form: Form | None, found: re.Match[str], text: str) -> bool:
    """Whether a marker begins the answer of a thought of this form; `<answer>` alone may stand behind any."""
    if found["tag"]:
        closing = f"</{found['tag']}>"
        bare = text.rstrip()
        return bare.endswith(closing) and bare.count(closing) == 1 and text[found.start() - 1] not in _QUOTES
    return form is not None and bool(form.answer) and form.answer in found[0]


def has_empty_thought(text: str) -> bool:
    """Whether a text has the place of a thought in front of its answer, and nothing in it."""
    parts = read_thought(text)
    if parts is None or parts.thought:
        return False
    return bool(parts.before.strip()) or parts.between.lstrip().startswith(UNOPENED)


def _unopened(text: str) -> Split | None:
    """A thought that a template opened in the prompt: one marker at the end of a line closes it, and none opens."""
    found = [(marker, text.count(marker)) for marker in UNOPENED if marker in text]
    if len(found) != 1 or found[0][1] != 1 or _ANY_OPENING.search(text):
        return None
    closing = found[0][0]
    end = text.index(closing)
    after = end + len(closing)
    rest = text[after : after + 40].lstrip(" \t")
    stands_alone = not text[:end].rpartition("\n")[2].strip()
    if not (stands_alone or not rest or rest[0] in "\r\n" or closing == "<|end_of_thought|>"):
        return None
    if any(text.count(fence, 0, end) % 2 for fence in _FENCES):
        return None  # inside a block of code
    form = FORMS[0] if closing == "<|end_of_thought|>" else None
    return _parted(text, 0, end, after, form)


def _parted(text: str, start: int, end: int, behind: int, form: Form | None) -> Split | None:
    """The parts of a text whose thought with white space around it is `text[start:end]`; its markers end `behind`."""
    stop, after = len(text), len(text)
    if form is not None and form.answer:
        if form is HARMONY:
            final = _FINAL.match(text, behind)
            if final is None:  # more channels, such as calls: one text is not what this is
                return None
            behind = final.end()
            ends: tuple[str, ...] = (form.end, form.closing)
        else:
            opened = behind + _blanks(text, behind, len(text))
            ends = (form.end,) if text.startswith(form.answer, opened) else ()
            behind = opened + len(form.answer) if ends else behind
        bare = len(text.rstrip())
        closed = next((mark for mark in ends if text.endswith(mark, behind, bare)), "")
        if closed:
            stop = bare - len(closed)
            stop = max(behind, len(text[:stop].rstrip()))
    behind += _blanks(text, behind, stop)
    thought = text[start:end]
    start += _blanks(text, start, end)
    end = start + len(thought.strip())
    return Split(text[:start], text[start:end], text[end:behind], text[behind:stop], text[stop:after])


def _blanks(text: str, start: int, end: int) -> int:
    part = text[start:end]
    return len(part) - len(part.lstrip())


def without_thought(text: str, told: str = "") -> str | None:
    """What a model answered, without its thought before; None where that is opened and never closed, so that there are
    drafts at best.

    Args:
        text: of a model.
        told: what the model was given. A marker that closes a thought nobody opened counts only where that holds none:
            it may be a part of the answer.
    """
    opened, parts = opening_of(text), read_thought(text)
    if opened is not None:
        if parts is not None:
            return parts.answer
        other = _ANY_CLOSING.search(text, opened.end)
        return text[other.end() :] if other else None
    if parts is None or any(marker in parts.between and marker in told.lower() for marker in UNOPENED):
        return text
    return parts.answer


class _Thoughtful(Protocol):
    @property
    def thought(self) -> str: ...

    @property
    def response(self) -> str: ...


class Thought(NamedTuple):
    """What was thought, the answer alone, and where in the response that begins."""

    thought: str
    answer: str
    start: int = 0


def split_thought(pair: _Thoughtful) -> Thought:
    """Thought and answer of a pair, also of one made by hand whose response holds both."""
    if pair.thought:
        return Thought(pair.thought, pair.response)
    parts = read_thought(pair.response)
    if parts is None:
        return Thought("", pair.response)
    return Thought(parts.thought, parts.answer, len(pair.response) - len(parts.answer) - len(parts.after))


def with_thought(pair: _Thoughtful) -> str:
    """The response with what was thought before it, in the commonest spelling; as it is where nothing was."""
    return f"<think>\n{pair.thought}\n</think>\n\n{pair.response}" if pair.thought else pair.response
