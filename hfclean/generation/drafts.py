"""A row while it is made: what is known of it, and why it was dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hfclean.schema import Columns, Pair


@dataclass
class Draft:
    """A row while it is made.

    Attributes:
        task: what is asked for, on one line.
        request: the number of the request that it came of, from 0, within its round.
        shown: ids of the rows that were shown to the teacher.
        like: id of the seed whose other cells the row takes over, such as its tools.
        id: 16 hex digits of the row's text; empty until there is one.
        row: the cells of the seeds' shape; empty until the teacher has written them.
        pair: how the row is read.
        columns: which columns of the row hold what, as the seeds were read.
        finish_reason: why the teacher stopped writing the row; None as long as it has not.
        words: of our own requests, so that they are recognised in a row.
        model: who wrote it, as the server or the weights are called.
        reason: why it was dropped, a snake_case code; empty while it is not.
        nearest, similarity: the most similar of the seeds and the kept rows, and its ROUGE-L, 0 to 1.
        detail: more about the reason, for people.
        answer: the text that could not be read, where that is the reason.
    """

    task: str
    request: int
    shown: tuple[str, ...] = ()
    like: str = ""
    id: str = ""
    row: dict[str, Any] = field(default_factory=dict)
    pair: Pair | None = None
    columns: Columns = None
    finish_reason: str | None = None
    words: str = ""
    model: str = ""
    reason: str = ""
    nearest: str = ""
    similarity: float = 0.0
    detail: str = ""
    answer: str = ""

    def drop(self, reason: str, detail: str = "") -> None:
        """The row is not kept, for this reason; the first one counts."""
        if not self.reason:
            self.reason, self.detail = reason, detail
