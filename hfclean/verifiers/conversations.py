"""Conversations whose turns do not follow each other as those of people and assistants do."""

from __future__ import annotations

from collections.abc import Iterator

from hfclean.schema import Said, Whole
from hfclean.verifiers.verifier import Finding, RowVerifier, found_in_trace

SHOWN = 80


def _turn_findings(row: Whole) -> Iterator[Finding]:
    """All findings about the turns of a conversation, and of its trace."""
    if row.messages:
        yield from _empty(row.messages)
        yield from _unanswered(row.messages)
        yield from _of_order(row)
    # a trace may begin behind the question and end before the answer, which stand in other columns
    yield from found_in_trace(_of_order, row)


def _of_order(row: Whole) -> Iterator[Finding]:
    yield from _twice(row.messages)
    yield from _system(row.messages)


def _finding(check: str, n: int, said: Said, sentence: str) -> Finding:
    return Finding(check, "messages", n, 0, said.text[:SHOWN], "", sentence)


def _empty(said: tuple[Said, ...]) -> Iterator[Finding]:
    first = next((n for n, message in enumerate(said) if message.role == "user"), None)
    if first is not None and not (said[first].text.strip() or said[first].more or said[first].results):
        yield _finding("first_turn_empty", first, said[first], "the first turn of the user is empty")


def _unanswered(said: tuple[Said, ...]) -> Iterator[Finding]:
    last = said[-1]
    if not any(message.role == "assistant" for message in said):
        return
    if last.role == "tool" or last.results:
        sentence = "the last turn is the result of a tool: no answer comes of it"
    elif last.role == "user":
        sentence = "the last turn is the user's: nobody answers it"
    else:
        return
    yield _finding("last_turn_unanswered", len(said) - 1, last, sentence)


def _twice(said: tuple[Said, ...]) -> Iterator[Finding]:
    for n in range(1, len(said)):
        before, message = said[n - 1], said[n]
        if message.role == before.role and message.role in ("user", "assistant") and not _one_turn(before, message):
            who = "the user" if message.role == "user" else "the assistant"
            yield _finding("same_role_twice", n, message, f"two turns of {who} follow each other")
            return


def _one_turn(before: Said, message: Said) -> bool:
    """Whether two messages may be parts of one turn, or turns of two people in the same role."""
    if before.name != message.name:
        return True
    if any(each.calls or each.results for each in (before, message)):
        return True  # a call and what is said beside it may be stored one by one
    return not all(each.text.strip() for each in (before, message))  # a thought or a picture, and then the text


def _system(said: tuple[Said, ...]) -> Iterator[Finding]:
    begun = False
    for n, message in enumerate(said):
        if message.role != "system":
            begun = True
        elif begun and message.text.strip():
            yield _finding("system_in_middle", n, message, "a message of the system stands after the first turn")
            return


_MESSAGES = frozenset(("messages",))

CONVERSATION_VERIFIERS = (
    RowVerifier(
        "first_turn_empty",
        "medium",
        "a conversation whose first turn of the user is empty",
        _turn_findings,
        _MESSAGES,
        "user: (nothing). assistant: Hello!",
    ),
    RowVerifier(
        "last_turn_unanswered",
        "medium",
        "a conversation that ends with a turn of the user, or with the result of a tool",
        _turn_findings,
        _MESSAGES,
        "user: Hi. assistant: Hello! user: How are you?",
        version=2,
    ),
    RowVerifier(
        "same_role_twice",
        "low",
        "two turns of the user, or two of the assistant, that follow each other",
        _turn_findings,
        _MESSAGES,
        "user: Hi. user: Are you there? assistant: Yes.",
        version=2,
    ),
    RowVerifier(
        "system_in_middle",
        "low",
        "a system message after the first turn, which many chat templates refuse",
        _turn_findings,
        _MESSAGES,
        "user: Hi. assistant: Hello! system: Be brief.",
        version=2,
    ),
)
