"""The one internal view of a row: an instruction, its input, the response, and what came before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

# Raised when the same rows are read as other pairs: results in the caches of `datasets` are computed again.
READING_VERSION = 3


class Turn(NamedTuple):
    """One earlier turn of a conversation, read-only context of a pair."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """What every rule, check and scorer sees, whatever the shape of the row was.

    Text that the row lacks is `""`, never `None`. `history` holds the turns before the instruction, oldest first, and
    any tool calls and results between instruction and response. `response` is the answer alone; `thought` is what was
    thought before it, without tags and markers, wherever the row keeps it. A thought that is not closed stays in the
    response. `joined` says that a trainer puts prompt and response together as they stand: the white space between
    them is then all that keeps them apart.
    """

    instruction: str
    input: str = ""
    response: str = ""
    history: tuple[Turn, ...] = ()
    system: str = ""
    thought: str = ""
    joined: bool = False

    def replace(self, **changes: Any) -> Pair:
        """The same pair with some fields changed."""
        return replace(self, **changes)

    def with_seam_of(self, before: Pair) -> Pair:
        """The same pair with the white space between prompt and response that `before` has, where they are joined."""
        if not before.joined:
            return self
        changed = {}
        if self.instruction != before.instruction:
            tail = before.instruction[len(before.instruction.rstrip()) :]
            changed["instruction"] = self.instruction.rstrip() + tail
        if self.response != before.response:
            head = before.response[: len(before.response) - len(before.response.lstrip())]
            changed["response"] = head + self.response.lstrip()
        return self.replace(**changed) if changed else self

    @property
    def prompt(self) -> str:
        """Instruction and input together, as a model would read them."""
        return f"{self.instruction}\n{self.input}" if self.input else self.instruction
