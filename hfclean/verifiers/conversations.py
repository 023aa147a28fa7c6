"""Conversations whose turns do not follow each other as those of people and assistants do."""

from __future__ import annotations

from collections.abc import Iterator

from hfclean.schema import Whole
from hfclean.verifiers.verifier import Finding, RowVerifier


def _unanswered(row: Whole) -> Iterator[Finding]:
    said = row.messages
    if any(message.role == "assistant" for message in said) and said[-1].role == "user":
        sentence = "the last turn is the user's: nobody answers it"
        yield Finding("last_turn_unanswered", "messages", len(said) - 1, 0, said[-1].text[:80], "", sentence)


last_turn_unanswered = RowVerifier(
    "last_turn_unanswered",
    "medium",
    "a conversation that ends with a turn of the user",
    _unanswered,
    frozenset(("messages",)),
    "user: Hi. assistant: Hello! user: How are you?",
)
