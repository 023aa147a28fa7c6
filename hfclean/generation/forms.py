"""What a form is: what a teacher has to write for a task in the shape of the seeds, and the row that is made of it."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hfclean.errors import HfcleanError
from hfclean.schema import View, plain
from hfclean.values import table_of

Kind = Literal["text", "calls", "turns"]


class Unwritable(HfcleanError):
    """What was written has no place in a row of the seeds' shape."""


@dataclass(frozen=True)
class Field:
    """One part of what the teacher writes.

    Attributes:
        name: its key in JSON, and its label in text.
        meaning: what it is, in words that the teacher reads.
        kind: `text`, `calls` (of tools) or `turns` (of a conversation).
        optional: whether it may be empty.
    """

    name: str
    meaning: str
    kind: Kind = "text"
    optional: bool = False


@dataclass(frozen=True)
class Form(ABC):
    """How rows of one shape are made.

    Attributes:
        view: how they are read.
        fields: what the teacher writes for a task, in order.
        features: the types of the columns of the shape.
    """

    view: View
    fields: tuple[Field, ...]
    features: Any

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a made row."""
        return tuple(self.view.reads)

    @abstractmethod
    def task(self, row: Mapping[str, Any]) -> str:
        """What a row asks for."""

    @abstractmethod
    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What the teacher would have written for a row, by field."""

    @abstractmethod
    def row(self, task: str, answer: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
        """The cells of a new row.

        Args:
            task: what it asks for.
            answer: what the teacher wrote, by field.
            like: the row whose other cells (system text, tools) it takes over.

        Raises:
            Unwritable: a cell cannot hold what was written.
        """

    def tools(self, row: Mapping[str, Any]) -> str:
        """The tools of a row, as JSON; empty where rows have none."""
        cell = row.get(self.view.tools) if self.view.tools else None
        if not cell:
            return ""
        return cell if isinstance(cell, str) else json.dumps(plain(cell), ensure_ascii=False)

    def system(self, row: Mapping[str, Any]) -> str:
        """What the system says in a row, beside its tools; empty where it says nothing."""
        return ""


def typed(text: str, feature: Any) -> Any:
    """A text as a cell of this type holds it.

    Raises:
        Unwritable: it does not.
    """
    if hasattr(feature, "feature"):
        return [typed(text, feature.feature)]
    kind = str(getattr(feature, "dtype", "string"))
    try:
        if kind.startswith(("int", "uint")):
            return int(text.replace(",", "").strip())
        if kind.startswith("float"):
            number = float(text.replace(",", "").strip())
            if not math.isfinite(number):
                raise ValueError
            return number
    except ValueError:
        raise Unwritable(f"{text[:60]!r} is not a number, and the seeds' answers are") from None
    return text


def checked_row(row: dict[str, Any], features: Any) -> dict[str, Any]:
    """The row, which a table of these types can hold.

    Raises:
        Unwritable: it cannot: half a surrogate pair in a call, a number too large, an argument of another type.
    """
    import pyarrow as pa
    from datasets import Features

    try:
        table_of([row], Features(features))
    except (ValueError, TypeError, OverflowError, RecursionError, pa.ArrowException) as e:
        raise Unwritable(f"a column of the seeds cannot hold it ({type(e).__name__}: {e!s:.200})") from e
    return row
