"""What a verifier is and what it says: a program that can prove a text wrong, and nothing else.

A verifier sees one pair. It never sees the dataset, a model or the network, never raises because of what a text
contains, takes time that is linear in the text, and says nothing where it is not sure: a false alarm is worse than a
miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hfclean.errors import HfcleanError
from hfclean.schema import Pair

FIELDS = ("response", "instruction", "input", "thought")


class VerifierError(HfcleanError, ValueError):
    """An unknown verifier id, or a verifier that is declared wrongly."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in a row that a program can prove wrong.

    Attributes:
        check: the id of the verifier.
        field: `response`, `instruction`, `input` or `thought`: the text in which it stands.
        turn: which pair of the row, 0 for the first answer of a conversation.
        line: 0-based, of that text.
        found: what stands there.
        expected: what would be right; `""` where only the error is known.
        sentence: one line for people.
    """

    check: str
    field: str
    turn: int
    line: int
    found: str
    expected: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Verifier:
    """What one verifier is called and how it looks.

    Attributes:
        id: snake_case name, as it stands in `defects`, `edit_reason` and `Finding.check`.
        meaning: one line for people.
        find: pair -> findings, in the order of the text. `turn` is 0 in them; `verify` sets it.
        version: raised when what it finds changes.
    """

    id: str
    meaning: str
    find: Callable[[Pair], Iterable[Finding]]
    version: int = 1

    def __post_init__(self) -> None:
        if not self.id.isidentifier() or self.id != self.id.lower():
            raise VerifierError(f"verifier id {self.id!r}: expected a snake_case name, as ids are stored with spaces")
