"""What a verifier is and what it says: a program that can prove a text wrong, and nothing else.

A verifier sees one pair. It never sees the dataset, a model or the network, never raises because of what a text
contains, takes time that is linear in the text, and says nothing where it is not sure: a false alarm is worse than a
miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from hfclean.errors import VerifierError
from hfclean.schema import FlatView, Pair, PreferenceView, View, Whole

Severity = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in a row that a program can prove wrong.

    Attributes:
        check: the id of the verifier.
        field: the text in which it stands (`response`, `instruction`, `input`, `thought`), or, of what shows in a row
            as a whole, `messages`, `trace`, `tools`, `truth` or `rejected`.
        turn: which pair of the row, 0 for the first answer of a conversation; of `messages` and `trace`, which
            message.
        line: 0-based, of that text; 0 where it is none.
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
        severity: `low`, `medium` or `high`; see `hfclean.rules`.
    """

    id: str
    meaning: str
    find: Callable[[Pair], Iterable[Finding]]
    version: int = 1
    severity: Severity = "high"

    def __post_init__(self) -> None:
        if not self.id.isidentifier() or self.id != self.id.lower():
            raise VerifierError(f"verifier id {self.id!r}: expected a snake_case name, as ids are stored with spaces")


@dataclass(frozen=True, slots=True)
class RowVerifier:
    """The same for what shows only in a row as a whole: between its messages, or between them and other columns.

    Attributes:
        id, meaning, version: as those of a `Verifier`.
        severity: as that of a `Verifier`.
        find: row -> findings, in their order, each with its `turn`. Verifiers of one family may share it, which then
            gives the findings of all: it runs once for a row, and those with another id are left to their verifier.
        needs: what a row needs for it to have anything to find; `messages`, `tools`, `truth` or
            `rejected`.
        example: a text that shows the defect.
    """

    id: str
    severity: Severity
    meaning: str
    find: Callable[[Whole], Iterable[Finding]]
    needs: frozenset[str] = frozenset()
    example: str = ""
    version: int = 1


def parts_of(view: View) -> frozenset[str]:
    """Which of what a `RowVerifier` may need rows that are read in this way may have."""
    flat, preference = isinstance(view, FlatView), isinstance(view, PreferenceView)
    has = {
        "messages": not flat or bool(view.trace),
        "tools": bool(view.tools),
        "truth": bool(view.truth),
        "rejected": preference,
    }
    return frozenset(part for part, there in has.items() if there)


def found_in_trace(find: Callable[[Whole], Iterable[Finding]], row: Whole) -> Iterator[Finding]:
    """What is found in the messages of a row, of those of its trace, where it has any."""
    if row.trace:
        for finding in find(replace(row, messages=row.trace, trace=())):
            yield replace(finding, field="trace")
