"""Rows on the terminal: which are shown, and how one looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hfclean.cli.terminal import head, visible
from hfclean.layout import Layout
from hfclean.passes import column_batches, iterate
from hfclean.report.formatting import one_line, quantity


@dataclass(frozen=True)
class ShownRow:
    """One row: where it is, what is noted of it by name, and its texts."""

    split: str
    index: int
    notes: dict[str, Any]
    texts: dict[str, str]

    def text(self, width: int) -> str:
        """The row in lines of at most `width` characters, one for each text."""
        notes = "  ".join(f"{name} {_shown(value)}" for name, value in self.notes.items() if value not in ("", None))
        first = head(one_line(f"{self.split}:{self.index}  {notes}".rstrip(), width))
        texts = [one_line(f"  {name}: {visible(text, 4 * width)}", width) for name, text in self.texts.items() if text]
        return "\n".join([first, *texts])


def _shown(value: Any) -> str:
    return quantity(value) if isinstance(value, float) else one_line(str(value), 200)


def shown_rows(
    splits: Mapping[str, Any], places: list[tuple[str, int]], layout: Layout, columns: tuple[str, ...] = ()
) -> list[ShownRow]:
    """Some rows, in the order asked for, with what these columns hold as notes; of a conversation the last turn."""
    found = {}
    for split, part in splits.items():
        wanted = sorted(index for name, index in places if name == split)
        if not wanted:
            continue
        view = layout.view(part.column_names)
        notes = [name for name in columns if name in part.column_names]
        rows = iterate(part, list(dict.fromkeys([*view.columns, *notes])), wanted)
        for index, row in zip(wanted, (row for batch in rows for row in batch), strict=True):
            pair = layout.pairs(row, view)[-1]
            texts = {"instruction": pair.instruction, "input": pair.input, "response": pair.response}
            found[split, index] = ShownRow(split, index, {name: row[name] for name in notes}, texts)
    return [found[place] for place in places]


def lowest(splits: Mapping[str, Any], column: str, count: int, keep: Any = None, *, highest: bool = False) -> Any:
    """The places of the rows whose number in a column is lowest, or highest; of equals the first. Rows without a
    number are left out.

    Args:
        keep: says of the places that come into question; all by default.
    """
    import heapq
    import math

    def numbers() -> Iterator[tuple[float, int, str, int]]:
        order = 0
        for split, part in splits.items():
            index = 0
            for batch in column_batches(part, [column]):
                for value in batch[column]:
                    known = isinstance(value, (int, float)) and not math.isnan(value)
                    if known and (keep is None or (split, index) in keep):
                        yield (-value if highest else value), order, split, index
                    index += 1
                    order += 1

    return [(split, index) for _, _, split, index in heapq.nsmallest(count, numbers())]


def places_where(splits: Mapping[str, Any], column: str, matches: Callable[[Any], bool]) -> Iterator[tuple[str, int]]:
    """The places of the rows whose cell in a column matches, in order."""
    for split, part in splits.items():
        index = 0
        for batch in column_batches(part, [column]):
            for value in batch[column]:
                if matches(value):
                    yield split, index
                index += 1
