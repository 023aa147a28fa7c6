"""Truths of verifiable rows: empty, not to be read as the LaTeX that they look like, contradicted by the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hfclean.schema import Whole
from hfclean.text.thoughts import split_thought
from hfclean.verifiers.answers import SEVERAL, final_answer
from hfclean.verifiers.values import OPTION, differ, unreadable
from hfclean.verifiers.verifier import Finding, RowVerifier

SHOWN, LONGEST = 80, 1000
NEEDS = frozenset(("truth",))


def _empty(row: Whole) -> Iterator[Finding]:
    if not any(truth.strip() for truth in row.truths):
        yield Finding("truth_empty", "truth", 0, 0, "", "", "the column of truths is there, and this row has none")


# ---------------------------------------------------------------------------------------------------------- unparsable

LATEX = re.compile(r"\\(?:d?t?c?frac|sqrt|boxed|left|right|begin|pi|cdot|times|infty|text|mathrm|mathbf)(?![a-z])")
ESCAPED = re.compile(r"\\.", re.DOTALL)
FRACTION = re.compile(r"\\[dtc]?frac(?![a-z])\s*")
ARGUMENT = re.compile(r"\s*(?:\{|\\[a-z]+|[0-9A-Za-z])")


def _fault(truth: str) -> str:
    """What keeps a truth that looks like LaTeX from being read, in words; "" where it can be, or who knows."""
    if len(truth) > LONGEST or not LATEX.search(truth):
        return ""
    bare = ESCAPED.sub(lambda found: "" if found[0] in ("\\{", "\\}") else found[0], truth)
    depth = 0
    for sign in bare:
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            return "a brace closes that was never opened"
    if depth:
        return "a brace is never closed"
    if len(re.findall(r"\\left(?![a-z])", truth)) != len(re.findall(r"\\right(?![a-z])", truth)):
        return "\\left and \\right do not pair"
    if truth.replace("\\$", "").count("$") % 2:
        return "a dollar sign has no other half"
    for found in FRACTION.finditer(truth):
        first = _after_argument(truth, found.end())
        if first < 0 or _after_argument(truth, first) < 0:
            return "a fraction lacks a part"
    return "it cannot be parsed" if unreadable(truth) else ""


def _after_argument(text: str, start: int) -> int:
    """Where the argument of a command ends, -1 where there is none."""
    found = ARGUMENT.match(text, start)
    if found is None:
        return -1
    if not found[0].endswith("{"):
        return found.end()
    depth = 0
    for place in range(found.end() - 1, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return place + 1 if text[found.end() : place].strip() else -1
    return -1


def _unparsable(row: Whole) -> Iterator[Finding]:
    for truth in row.truths:
        fault = _fault(truth)
        if fault:
            sentence = f"the truth looks like LaTeX, and {fault}"
            yield Finding("truth_unparsable", "truth", 0, 0, truth[:SHOWN], "", sentence)


# -------------------------------------------------------------------------------------------------------- contradicted


def _contradicted(row: Whole) -> Iterator[Finding]:
    truths = [truth.strip() for truth in row.truths if truth.strip()]
    pair = row.pair
    if not truths or not pair.response:
        return
    options = all(OPTION.fullmatch(truth) for truth in truths)  # a question with options is one question
    if not options and (pair.prompt.count("?") > 1 or SEVERAL.search(pair.prompt)):
        return
    _, final, start = split_thought(pair)
    stated = final_answer(final)
    if stated is None or not all(differ(stated.value, final_value(truth)) for truth in truths):
        return
    line = pair.response.count("\n", 0, start + stated.start)
    value = stated.value.strip("$* ")
    sentence = f"the answer is {value}, and the truth is {truths[0][:SHOWN]}"
    yield Finding("truth_contradicted", "response", 0, line, value, truths[0][:SHOWN], sentence)


def final_value(truth: str) -> str:
    """A truth as a value: what it states behind `####`, in a box or in words, else all of it."""
    stated = final_answer(truth) if "boxed" in truth or "####" in truth or "nswer" in truth else None
    return truth if stated is None else stated.value


TRUTH_VERIFIERS = (
    RowVerifier("truth_empty", "medium", "a row without the truth that its column is for", _empty, NEEDS, "truth:"),
    RowVerifier(
        "truth_unparsable",
        "high",
        "a truth that looks like LaTeX and cannot be read",
        _unparsable,
        NEEDS,
        "truth: \\frac{1}{2",
    ),
    RowVerifier(
        "truth_contradicted",
        "high",
        "an answer that states another value than the truth",
        _contradicted,
        NEEDS,
        "answer: \\boxed{15} truth: 12",
    ),
)
