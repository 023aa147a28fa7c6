"""The one internal view of a row: an instruction, its input, the response, and what came before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

# Raised when the same rows are read as other pairs: results in the caches of `datasets` are computed again.
READING_VERSION = 2


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
    response.
    """

    instruction: str
    input: str = ""
    response: str = ""
    history: tuple[Turn, ...] = ()
    system: str = ""
    thought: str = ""

    def replace(self, **changes: Any) -> Pair:
        """The same pair with some fields changed."""
        return replace(self, **changes)

    @property
    def prompt(self) -> str:
        """Instruction and input together, as a model would read them."""
        return f"{self.instruction}\n{self.input}" if self.input else self.instruction
