"""Two answers of one preference row that teach nothing, or something else than which of them is better."""

from __future__ import annotations

from collections.abc import Iterator

from hfclean.schema import Pair, Whole
from hfclean.text.endings import breaks_off, may_break_off
from hfclean.text.thoughts import opening_of, split_thought
from hfclean.verifiers.verifier import Finding, RowVerifier

SHOWN = 80
NEEDS = frozenset(("rejected",))


def _finding(check: str, field: str, text: str, sentence: str) -> Finding:
    return Finding(check, field, 0, text.count("\n"), text.strip()[-SHOWN:], "", sentence)


def _plain(pair: Pair) -> tuple[str, str]:
    """Thought and answer without the difference that case and white space make."""
    return " ".join(pair.thought.casefold().split()), " ".join(pair.response.casefold().split())


def _identical(row: Whole) -> Iterator[Finding]:
    chosen, rejected = row.pair, row.rejected
    if rejected is not None and (chosen.thought, chosen.response) == (rejected.thought, rejected.response):
        yield Finding(
            "sides_identical", "rejected", 0, 0, rejected.response[:SHOWN], "", "chosen and rejected are the same text"
        )


def _equal(row: Whole) -> Iterator[Finding]:
    chosen, rejected = row.pair, row.rejected
    if rejected is None or (chosen.thought, chosen.response) == (rejected.thought, rejected.response):
        return
    if abs(len(chosen.response) - len(rejected.response)) > len(chosen.response) + SHOWN:
        return
    if _plain(chosen) == _plain(rejected):
        sentence = "chosen and rejected differ in white space or case alone"
        yield Finding("sides_equal", "rejected", 0, 0, rejected.response[:SHOWN], "", sentence)


def _ends_open(text: str) -> bool:
    text = text.rstrip()
    return may_break_off(text) and breaks_off(text)


def _cut(row: Whole) -> Iterator[Finding]:
    if row.rejected is None:
        return
    sides = {"response": row.pair.response, "rejected": row.rejected.response}
    cut = [field for field, text in sides.items() if _ends_open(text)]
    if len(cut) == 1 and all(sides.values()):
        side = "chosen" if cut[0] == "response" else "rejected"
        sentence = f"the {side} answer breaks off, and the other one does not"
        yield _finding("side_cut", cut[0], sides[cut[0]], sentence)


def _one_thinks(row: Whole) -> Iterator[Finding]:
    if row.rejected is None:
        return
    thinking = {"response": _thinks(row.pair), "rejected": _thinks(row.rejected)}
    if len(set(thinking.values())) == 1 or not (row.pair.response and row.rejected.response):
        return
    field, side = ("rejected", "chosen") if thinking["response"] else ("response", "rejected")
    sentence = f"there is a thought before the {side} answer alone"
    yield Finding("thought_on_one_side", field, 0, 0, "", "", sentence)


def _thinks(pair: Pair) -> bool:
    return bool(split_thought(pair).thought) or opening_of(pair.response) is not None


PREFERENCE_VERIFIERS = (
    RowVerifier(
        "sides_identical",
        "high",
        "a chosen and a rejected answer that are the same text",
        _identical,
        NEEDS,
        "chosen: Paris. rejected: Paris.",
    ),
    RowVerifier(
        "sides_equal",
        "high",
        "a chosen and a rejected answer that differ in white space or case alone",
        _equal,
        NEEDS,
        "chosen: Paris. rejected: paris.",
    ),
    RowVerifier(
        "side_cut",
        "medium",
        "one of two answers breaks off, and the other one does not",
        _cut,
        NEEDS,
        "chosen: Paris is the capital. rejected: Lyon has long been one of the largest cities, and has been the",
    ),
    RowVerifier(
        "thought_on_one_side",
        "medium",
        "a thought before one of two answers alone",
        _one_thinks,
        NEEDS,
        "chosen: <think>It is Paris.</think> Paris. rejected: Lyon.",
    ),
)
