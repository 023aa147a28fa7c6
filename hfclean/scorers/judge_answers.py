"""A judge's answer, read strictly: it has a score, or none. Nothing is ever guessed.

An answer is a JSON object on its own lines, or gives its score on its own line: `Score: 4.5/5`, `8 out of 10`,
`I'd give it a 4`, or the number alone on the first line. Text in quotation marks, block quotes or code does
not count. Two different scores in one answer do not count as a score.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from hfclean.scorers.rubrics import Rubric
from hfclean.text.thoughts import without_thought

MOST_OBJECTS = 50  # an answer with more is none

_WHOLE_FENCE = re.compile(r"\s*(```+|~~~+)\w*[ \t]*\n(.*?)\n?[ \t]*\1\s*", re.S)
_ELSEWHERE = re.compile(  # fenced code, inline code, what is quoted on one line, lines of a block quote
    r"(?:```|~~~).*?(?:```|~~~|\Z)|`[^`\n]*`|\"[^\"\n]*\"|“[^”\n]*”|«[^»\n]*»|^[ \t]*>.*?$", re.S | re.M
)
_BEFORE = re.compile(r"[ \t]*(?:(?:```|~~~)\w*[ \t]*)?")  # what may stand on the line before an object
_BEHIND = re.compile(r"[ \t]*(?:(?:```|~~~)[ \t]*)?")

# ASCII digits only; a comma for a decimal point, but not where it may stand between thousands
_NUMBER = r"[-+−]?[0-9]+(?:\.[0-9]+|,[0-9]{1,2})?"
_VALUE = rf"(?P<value>{_NUMBER})(?:[ \t]*(?:/|\(?out of)[ \t]*(?P<scale>{_NUMBER})\)?)?(?:[ \t]*(?:stars?|points?)\b)?"
# The number ends here, and what comes next on the line is not another one.
_END = (
    r"(?=[ \t*_`]*(?:$|[.,;:!?()\[\]—–|\"-]|because\b|since\b))"
    r"(?![^\w\n]*(?:(?:or|to|and|maybe|perhaps|possibly|even)\b[^\w\n]*)?[0-9])"
)
_START = r"^[ \t*_#•-]*(?:[0-9]{1,2}[.)][ \t]+[*_]*)?"
_LEAD = r"(?:(?:the|my|our|overall|final|total|numeric|numerical|so|thus|therefore)\b[ \t,]*){0,3}"
_IS = r"(?:[ \t]*[:=：]|[ \t]+(?:is|of)\b:?|[ \t]+[–—-](?=[ \t])|(?=[ \t]))[ \t*_`\[]*(?:(?:a|an)[ \t]+)?"
_FILLER = r"(?:(?:it|this|that|the|a|an|response|answer|pair|instruction|example|score|rating|of|at|as|with)\b[ \t]*)"
_RATED = rf"(?:I(?:['’]d|['’]ll| would| will)?|we)[ \t]+(?:give|rate|score|grade|assign)[ \t]+{_FILLER}{{0,6}}[*_]*"
_AMENDS = (
    r"\b(?:actually|correction|instead|rather|wait|no|make|say|maybe|perhaps|possibly|lower|raise|change|better|should)\b"
    r"(?:[^\w\n]{1,3}(?:it|is|a|an|s|to|be|that|this|I|d|say|give|mean|would|the|score|like|more)\b){0,6}[^\w\n]{1,3}"
)
_FIRST = re.compile(rf"\s*[*_`]*{_VALUE}{_END}", re.M | re.I)
_SCORE_WORDS = ("score", "rating", "grade")


class Grading(NamedTuple):
    """The content of an answer: a score for each dimension, or none at all and the reason."""

    scores: dict[str, float]
    reason: str = ""


class _Claim(NamedTuple):
    value: float
    scale: float | None = None


def read_scores(text: str, rubric: Rubric) -> Grading:
    """The score of each dimension of a rubric.

    Reasons for none: `unparsed`; `several_scores`, which contradict each other; `out_of_range`, which is also a number
    on another scale (`7/10` where 5 is the highest).
    """
    body = without_thought(text)
    if body is None:
        return Grading({}, "unparsed")
    objects, rest = _objects(body)
    single = len(rubric.dimensions) == 1
    scores = {}
    for dimension in rubric.dimensions:
        names = (dimension.name, *_SCORE_WORDS) if single else (dimension.name,)
        value = _agreed(_claims(objects, rest, names, single=single), rubric)
        if isinstance(value, str):
            return Grading({}, value)
        scores[dimension.name] = value
    return Grading(scores)


def _agreed(claims: Sequence[_Claim | None], rubric: Rubric) -> float | str:
    """The score that all claims agree on, or why there is none."""
    if not claims or None in claims:
        return "unparsed"
    found = {claim for claim in claims if claim is not None}
    values = {claim.value for claim in found}
    if len(values) > 1:
        return "several_scores"
    (value,) = values
    scales = {claim.scale for claim in found} - {None, rubric.high}
    return "out_of_range" if scales or not rubric.low <= value <= rubric.high else value


def _claims(
    objects: Sequence[dict[str, list[Any]]], rest: str, names: tuple[str, ...], *, single: bool
) -> list[_Claim | None]:
    """Every score that is stated for one dimension; None for something else in its place."""
    forms = ("{}", "{}_score", "overall_{}", "final_{}")
    keys = {_key(form.format(name)) for name in names for form in forms}
    found = [_claim(value) for known in objects for key in keys for value in known.get(key, ())]
    lines, amended = _forms(names, single)
    stated = [_said(match) for match in lines.finditer(rest)]
    if single:
        first = _FIRST.match(rest)
        if first and (first["scale"] or _ends_line(rest, first.end())):  # "4. First, ..." begins a list
            stated.append(_said(first))
    if found or stated:
        stated += [_said(match) for match in amended.finditer(rest)]
    return [*found, *stated]


@lru_cache(maxsize=64)
def _forms(names: tuple[str, ...], single: bool) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """How a line gives a score, and how it takes it back."""
    words = "|".join(re.escape(name).replace("_", "[ _-]") for name in names)
    more = "|overall" if single else ""
    label = rf"{_LEAD}(?:{words}{more})(?:[ \t]+(?:score|rating))?[*_`]*(?:[ \t]*\([^()\n]{{0,40}}\)[*_`]*)?{_IS}"
    begins = rf"(?:{label}|{_RATED})" if single else label
    return (
        re.compile(rf"{_START}{begins}{_VALUE}{_END}", re.M | re.I),
        re.compile(rf"{_AMENDS if single else '(?!)'}{_VALUE}{_END}", re.M | re.I),
    )


def _ends_line(text: str, place: int) -> bool:
    return not text[place : (text.find("\n", place) + 1 or len(text) + 1) - 1].strip(" \t*_`.")


def _said(match: re.Match[str]) -> _Claim:
    return _Claim(_number(match["value"]), _number(match["scale"]) if match["scale"] else None)


def _number(text: str) -> float:
    return float(text.replace(",", ".").replace("−", "-"))


def _claim(value: Any) -> _Claim | None:
    """A score in a JSON object: a number, or a text that is one."""
    if isinstance(value, float) and not math.isnan(value):
        return _Claim(value)
    match = re.fullmatch(rf"\s*{_VALUE}\s*", value, re.I) if isinstance(value, str) else None
    return _said(match) if match else None


# ------------------------------------------------------------------------------------------------------------- better

_BETTER = ("better", "winner", "verdict", "choice", "preferred", "preference", "best")
_SLOTS = r"(?:(?:response|answer)[ \t]*)?(?P<slot>1|2|tie|equal|neither)(?:[ \t]+is better)?"
_BETTER_LINE = re.compile(
    rf"{_START}{_LEAD}(?:{'|'.join(_BETTER)})(?:[ \t]+(?:response|answer))?{_IS}{_SLOTS}[\]*_`. \t]*$", re.M | re.I
)
_BETTER_FIRST = re.compile(rf"\s*[*_`]*{_SLOTS}[*_`. \t]*$", re.M | re.I)


def read_better(text: str) -> tuple[str, str]:
    """Which response an answer calls better, `"1"`, `"2"` or `"tie"`; or `""` and the reason for none: `unparsed` or
    `several_verdicts`."""
    body = without_thought(text)
    if body is None:
        return "", "unparsed"
    objects, rest = _objects(body)
    stated = [str(_whole(value)) for known in objects for key in _BETTER for value in known.get(key, ())]
    slots = [re.fullmatch(rf"\s*{_SLOTS}\s*", value, re.I) for value in stated]
    slots += _BETTER_LINE.finditer(rest)
    if first := _BETTER_FIRST.match(rest):
        slots.append(first)
    if not slots or None in slots:
        return "", "unparsed"
    found = {match["slot"].lower() if match["slot"] in "12" else "tie" for match in slots if match}
    return (found.pop(), "") if len(found) == 1 else ("", "several_verdicts")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value in (1.0, 2.0) else value


# ------------------------------------------------------------------------------------------------------------ objects


def _objects(text: str) -> tuple[list[dict[str, list[Any]]], str]:
    """The JSON objects that stand on their own lines, each key with all its values; and the rest of the text,
    without what is quoted in it."""
    found, rest, start = [], [], 0
    for begin in _line_starts(text):
        if begin < start:
            continue
        try:
            value, end = _DECODER.raw_decode(text, begin)
        except (ValueError, RecursionError):
            continue
        line = text.find("\n", end)
        if not _BEHIND.fullmatch(text, end, len(text) if line < 0 else line):
            continue
        found.append(value)
        rest.append(text[start:begin])
        start = end
        if len(found) > MOST_OBJECTS:
            return [], ""
    rest.append(text[start:])
    outside = "\n".join(rest)
    whole = _WHOLE_FENCE.fullmatch(outside)
    return found, _ELSEWHERE.sub("|", whole[2] if whole else outside)


def _line_starts(text: str) -> Iterator[int]:
    """Where lines begin with an opening brace."""
    attempts, place = 0, 0
    while place <= len(text) and attempts <= MOST_OBJECTS:
        before = _BEFORE.match(text, place)
        begin = before.end() if before else place
        if text.startswith("{", begin):
            attempts += 1
            yield begin
        place = (text.find("\n", place) + 1) or len(text) + 1


def _all_values(pairs: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(_key(key), []).append(value)
    return found


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def _refuse(constant: str) -> float:
    return math.nan  # NaN and Infinity are not numbers to JSON, nor scores to anybody


_DECODER = json.JSONDecoder(object_pairs_hook=_all_values, parse_int=float, parse_constant=_refuse)
