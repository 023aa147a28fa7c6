"""A model's rewriting, read strictly: all of it, or the reason why not. No field ever replaces another.

An answer is a critique, which may say anything, and then the rewritten text, in the form of the codec; or one JSON
object with both. Either is read, whichever was requested. An ambiguous answer (two candidates, a marker missing, an
object that is cut off) is refused, and so is one that only repeats the words of the prompt in the place of a text.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hfclean.models.protocol import tidy
from hfclean.reviser.codec import FIELDS, CodecError, decode, escape
from hfclean.schema import Pair
from hfclean.text.thoughts import without_thought

_END_BEHIND_TEXT = re.compile(r"(?<=[^\s\\])[ \t]*([*_]{0,2}\[end\][*_]{0,2}\s*)\Z", re.I)
_FENCE = re.compile(r"\s*(?:```|~~~)\w*[ \t]*\n")
_LINE_WITH_BRACE = re.compile(r"^[ \t]*\{", re.M)
_ANOTHER_OBJECT = re.compile(r"\{\s*[\"“']|^[ \t]*\{", re.M)

_NUMBER_ALONE = re.compile(r"[ \t]*\(?\d{1,2}[.)][ \t]*")

_NOUN = r"(?:instruction|question|task|input|prompt|response|answer|output|text|critique)s?"
_KIND = r"(?:new|better|improved|revised|rewritten|updated|final|full|complete|whole|enhanced|own)"
_PUT = r"(?:(?:please )?(?:insert|write|put|type|enter|add|place|give|provide) )?"
_PLACEHOLDER = re.compile(
    rf"{_PUT}your (?:{_KIND} )*{_NOUN}(?: goes| comes)?(?: here)?"
    rf"|{_PUT}(?:the |an? )?(?:{_KIND} )+{_NOUN}(?: goes| comes)?(?: here)?"
    rf"|{_PUT}(?:the |an? )?{_NOUN}(?: text)?(?: goes| comes)? here"
    r"|(?:(?:the )?same|identical)(?: (?:as|to) (?:above|before|given|(?:the )?original|(?:the )?old one))?"
    r"|(?:is |remains |stays |left )?(?:unchanged|the same|as is)|as (?:above|before|given)|see (?:above|below)"
    r"|no changes?(?: (?:needed|required|necessary|made))?|n/?a|not applicable|tbd|todo|placeholder"
    r"|\.{3,}|…+|_{3,}|-{3,}",
    re.I,
)
_BRACKETED = re.compile(
    rf"[<\[(]+(?=[^\n]* )[^<>\[\]()\n]*\b{_NOUN}\b[^<>\[\]()\n]*[>\])]+|\{{+ ?(?:\w+[ _])*{_NOUN} ?\}}+", re.I
)
_NO_INPUT = re.compile(
    r"n/?a|none|null|nil|not applicable|(?:left |leave )?(?:empty|blank)"
    r"|no ?input(?: (?:needed|required|given|provided))?",
    re.I,
)
_DASHES = re.compile(r"[-–—.…]{1,3}")
_EDGES = " \t\r\n\"'“”‘’*_`<>[](){}.:;,!-"
LONGEST_PLACEHOLDER = 120


class Rewriting(NamedTuple):
    """The content of an answer: texts by field, or none at all and the reason.

    Reasons: `unparsed`; `placeholder`, words of the form in the place of a text; `empty_instruction`;
    `empty_response`.
    """

    texts: dict[str, str]
    reason: str = ""


def read_rewriting(text: str, pair: Pair, *, whole: bool, ended: bool = True) -> Rewriting:
    """The rewritten fields of an answer.

    Args:
        pair: the pair in the question.
        whole: whether instruction, input and response were asked for, or the response only. Where only the response
            was, the whole pair may come all the same: whether its question is the old one is for the caller to see.
        ended: whether `[End]` has to be there; without it the last field ends with the text.
    """
    row_text = "\n".join([pair.system, *(turn.text for turn in pair.history), pair.prompt, pair.response])
    body = without_thought(text.removeprefix("\ufeff"), row_text)
    if body is None:
        return Rewriting({}, "unparsed")
    if "\r" not in row_text:
        body = body.replace("\r\n", "\n")
    forms = _forms(pair, whole)
    texts = _read(body, forms, ended)
    if texts is None:
        return Rewriting({}, "unparsed")
    given = texts.get("input", "").strip()
    says_none = _NO_INPUT.fullmatch(given.strip(_EDGES)) or _DASHES.fullmatch(given)
    if not pair.input.strip() and says_none:
        texts["input"] = ""
    reason = next(filter(None, _reasons(texts, pair)), "")
    return Rewriting({}, reason) if reason else Rewriting(texts)


def _forms(pair: Pair, whole: bool) -> list[tuple[str, ...]]:
    """The fields that an answer may hold; a pair without an input may come back without a line for one."""
    without_input = ("instruction", "response")
    if whole:
        return [FIELDS] if pair.input.strip() else [FIELDS, without_input]
    return [("response",), FIELDS, without_input]


def _read(body: str, forms: Sequence[tuple[str, ...]], ended: bool) -> dict[str, str] | None:
    fence = _FENCE.match(body)
    if body[fence.end() if fence else 0 :].lstrip().startswith("{"):
        found = _object(body, body.index("{"))
        if found:  # what comes first is the answer, or nothing is
            return _from_object(*found, forms)
    if _marked(body):
        return _from_markers(body, forms, ended)
    brace = _LINE_WITH_BRACE.search(body)
    found = _object(body, brace.end() - 1) if brace else None
    return _from_object(*found, forms) if found else None


def _marked(text: str) -> bool:
    """Whether a line of the text is a marker, or would be one without its backslash."""
    return escape(text) != text


def _from_markers(body: str, forms: Sequence[tuple[str, ...]], ended: bool) -> dict[str, str] | None:
    attempts = [(body, True)]
    behind = _END_BEHIND_TEXT.search(body)
    if behind:  # the end stands on the last line of the text, where the codec takes it for a part of that
        attempts.append((f"{body[: behind.start()]}\n{behind[1]}", True))
    if not ended:
        attempts.append((body, False))
    for text, must_end in attempts:
        for form in forms:
            try:
                return decode(text, form, ended=must_end)
            except CodecError:
                continue
    return None


def _object(body: str, start: int) -> tuple[dict[str, Any], str] | None:
    """The JSON object that begins here, and the text after it."""
    try:
        value, end = _DECODER.raw_decode(body, start)
    except (ValueError, RecursionError):
        return None
    return value, body[end:]


def _from_object(value: dict[str, Any], rest: str, forms: Sequence[tuple[str, ...]]) -> dict[str, str] | None:
    """The fields of the one JSON object of an answer; other words around it are not part of it."""
    if _ANOTHER_OBJECT.search(rest) or _marked(rest) or not value.keys() <= {"critique", *FIELDS}:
        return None
    if value.get("input", "") is None:
        value["input"] = ""
    texts = {name: value[name] for name in FIELDS if name in value}
    if tuple(texts) not in forms or not all(isinstance(text, str) for text in texts.values()):
        return None
    return {name: tidy(text) for name, text in texts.items()}


def _each_key_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = {key.strip().casefold(): value for key, value in pairs}
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_each_key_once)


def _reasons(texts: dict[str, str], pair: Pair) -> Iterator[str]:
    """Why texts that could be read are not a rewriting."""
    known = f"{pair.prompt}\n{pair.response}".lower()
    for name, text in texts.items():
        before = getattr(pair, name)
        if text.strip() == before.strip():
            continue
        if _stands_in(text) and not ((stripped := text.strip(_EDGES).lower()) and stripped in known):
            yield "placeholder"
        if _breaks_off_at_number(text) and not _breaks_off_at_number(before):
            yield "unparsed"
    if "instruction" in texts and not f"{texts['instruction']}{texts.get('input', '')}".strip():
        yield "empty_instruction"
    if not texts["response"].strip():
        yield "empty_response"


def _stands_in(text: str) -> bool:
    """Whether a text only says what should be there."""
    text = text.strip()
    if not text or len(text) > LONGEST_PLACEHOLDER:
        return False
    return any(
        p.fullmatch(t) for p, t in ((_PLACEHOLDER, text.strip(_EDGES)), (_PLACEHOLDER, text), (_BRACKETED, text))
    )


def _breaks_off_at_number(text: str) -> bool:
    """Whether a text ends with the number of a part that was no longer written. After a colon it is an answer."""
    *head, last = text.rstrip().split("\n")
    if len(head) < 2 or head[-1].strip() or not _NUMBER_ALONE.fullmatch(last):
        return False
    return "\n".join(head).rstrip()[-1:] not in tuple(":：=")
