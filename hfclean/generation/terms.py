"""Whose terms bind what is made: the seeds' licence, the teacher's, and what the new rows are published under. A guide
for people, not legal advice; nothing is assumed, and what nobody stated is unknown."""

from __future__ import annotations

from dataclasses import dataclass

from hfclean.cards.licences import derive_license, strictness


@dataclass(frozen=True)
class Terms:
    """What the user states.

    Args:
        seeds: the licence of the seeds, an id of the Hub or any other name; None where it is not stated.
        teacher: the licence or the terms of use of the teacher; None where they are not stated.
        rows: the licence of the new rows; None where it is not stated.
    """

    seeds: str | None = None
    teacher: str | None = None
    rows: str | None = None

    def conflicts(self) -> list[str]:
        """What does not go together, one sentence each."""
        found = []
        for name, stated in (("the seeds", self.seeds), ("the teacher", self.teacher)):
            rank = strictness(stated) if stated else 0
            if stated and rank == 4:
                found.append(f"{stated!r} of {name} allows no derived works, and the rows may be one")
            elif stated and self.rows and 0 < rank < 5 and strictness(self.rows) < rank:
                found.append(f"the rows are to be {self.rows!r}, and {stated!r} of {name} binds more: read its terms")
        if self.teacher and strictness(self.teacher) == 2:
            found.append(
                f"{self.teacher!r} of the teacher has rules for use, which may bind what is trained on the rows, and "
                "its name: read them"
            )
        return found

    def unstated(self) -> list[str]:
        """What is not stated, one sentence each."""
        found = []
        if not self.seeds:
            found.append("the licence of the seeds is not stated, so it is unknown what binds the rows")
        if not self.teacher:
            found.append(
                "the terms of the teacher are not stated; some forbid to train other models on what it writes"
            )
        return found

    def derived(self) -> str:
        """The licence that binds most, and why, in words."""
        return derive_license([("the seeds", self.seeds), ("the teacher", self.teacher)]).why
