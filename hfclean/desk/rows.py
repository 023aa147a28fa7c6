"""Rows: those of a dataset that people decide about, found by number or id and read one at a time.

Of rows that nobody looks at, the id and one letter are read, never the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

from hfclean.layout import Layout
from hfclean.passes import arrow_batches, column_batches, iterate, narrowed
from hfclean.provenance import REVISION_COLUMNS, parse_history, row_ids
from hfclean.report.formatting import money
from hfclean.row_ids import RowIds, numbered
from hfclean.schema import View
from hfclean.schema.slots import as_text
from hfclean.verdicts.events import Hashes, hashes

SINGLE = re.compile(r"(large_)?string|bool|u?int\d+|float\d+")  # types of columns of single values


class Proposal(NamedTuple):
    """A revision of a row that the gate refused.

    Attributes:
        texts: place -> proposed text.
        codes: why it was refused.
        findings: what a program proved wrong in it, a sentence each.
        model: what the model that answered calls itself.
    """

    texts: dict[str, str]
    codes: tuple[str, ...]
    findings: tuple[str, ...]
    model: str


class Rows:
    """The rows of a dataset, all splits together, by a number from 0.

    Args:
        splits: a `DatasetDict`.
        layout: how they are read.
        refused: the refused revisions of a cleaned folder, or None.
        transforms: what was done to the rows, as `hfclean.json` of their folder says.
        planted: of each planted row, its id -> the number of the row that it is a revision of.

    Raises:
        SchemaError: they have no known shape.
    """

    def __init__(
        self,
        splits: Mapping[str, Any],
        layout: Layout,
        *,
        refused: Any | None = None,
        transforms: tuple[Mapping[str, Any], ...] = (),
        planted: Mapping[str, int] | None = None,
    ) -> None:
        self.splits = {name: part for name, part in splits.items() if len(part)}
        self.layout = layout
        self.transforms = transforms
        self.planted = dict(planted or {})
        self._refused = refused
        self._names = list(self.splits)
        self._ends = list(accumulate(len(part) for part in self.splits.values()))
        self.views = {name: layout.view(part.column_names) for name, part in self.splits.items()}
        self.ids = self._read_ids()
        self._read = {name: narrowed(part, self._shown_columns(name)) for name, part in self.splits.items()}

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def is_revised(self) -> bool:
        """Whether hfclean revised any of them."""
        return any(self._has(name, "edit") for name in self.splits)

    def place(self, number: int) -> tuple[str, int]:
        """Split and index of a row."""
        part = bisect_right(self._ends, number)
        return self._names[part], number - (self._ends[part - 1] if part else 0)

    def shown_place(self, number: int) -> tuple[str, int]:
        """Split and index that a person reads; of a planted row, those of the row that it is a revision of."""
        return self.place(self.planted.get(self.ids[number], number))

    def find(self, name: str) -> int | None:
        """The number of the row of this id."""
        import numpy as np

        if name in self._others:
            return self._others[name]
        try:
            code = int(name.partition("-")[0], 16)
        except ValueError:
            return None
        codes, order = self._sorted
        if not 0 <= code < 1 << 64:
            return None
        start, end = (int(np.searchsorted(codes, np.uint64(code), side)) for side in ("left", "right"))
        return next((int(k) for k in order[start:end] if self.ids[int(k)] == name), None)

    def cells(self, number: int) -> dict[str, Any]:
        """What a row holds that is shown or decided about, its id among it."""
        split, index = self.place(number)
        row: dict[str, Any] = self._read[split][index]
        return {**row, self.layout.own("row_id"): self.ids[number]}

    def view(self, number: int) -> View:
        """How a row is read."""
        return self.views[self.place(number)[0]]

    def hashes(self, numbers: list[int]) -> dict[int, Hashes]:
        """What these rows are now."""
        found = {}
        for split, picked in self._by_split(numbers):
            view, part = self.views[split], self.splits[split]
            columns = [*view.columns, *(self.layout.own(name) for name in REVISION_COLUMNS)]
            columns = [name for name in dict.fromkeys(columns) if name in part.column_names]
            batches = iterate(part, columns, [self.place(k)[1] for k in picked])
            for k, row in zip(picked, (row for batch in batches for row in batch), strict=True):
                found[k] = hashes(row, view, self.layout)
        return found

    def proposals(self, number: int) -> list[Proposal]:
        """The refused revisions of a row, in the order in which they were made."""
        places = self._refused_places.get(self.ids[number], ())
        found: list[Proposal] = []
        for text in (self._refused[k] for k in places):  # type: ignore[index]
            like = (tuple(text["codes"].split()), tuple(text["findings"]), text["model"])
            if not found or found[-1][1:] != like or text["field"] in found[-1].texts:
                found.append(Proposal({}, *like))
            found[-1].texts[text["field"]] = text["proposed"]
        return found

    def refusals(self) -> list[dict[str, Any]]:
        """The refused revisions of all rows, a text each."""
        return [] if self._refused is None else list(self._refused.with_format(None))

    def with_planted(self, rows: Sequence[tuple[int, Mapping[str, Any]]]) -> Rows:
        """The same with more rows behind them, each with the number of the row that it is a revision of."""
        from datasets import Dataset, Features

        more: dict[str, Any] = {}
        for split, part in self.splits.items():
            cells = [dict(row) for number, row in rows if self.place(number)[0] == split]
            if cells:
                features = Features({name: part.features[name] for name in part.features if name in cells[0]})
                more[f"{split} with planted rows"] = Dataset.from_list(cells, features=features)
        names = {str(row[self.layout.own("row_id")]): number for number, row in rows}
        return Rows(
            {**self.splits, **more},
            self.layout,
            refused=self._refused,
            transforms=self.transforms,
            planted=names,
        )

    # ---------------------------------------------------------------------------------------------------- which rows

    def revised(self) -> Any:
        """The numbers of the rows that hfclean revised."""
        return self._where("edit", "revised")

    def refused(self) -> Any:
        """The numbers of the rows of which revisions are kept that the gate refused."""
        import numpy as np

        found = (self.find(name) for name in self._refused_places)
        return np.array(sorted(number for number in found if number is not None), np.int64)

    def of_rule(self, rule: str) -> Any:
        """The numbers of the rows that a rule, check or reason is recorded of, or that still have its defect."""
        import numpy as np

        history, defects = self.layout.own("edit_history"), self.layout.own("defects")
        found, start = [], 0
        for part in self.splits.values():
            for batch in column_batches(part, [history, defects]):
                count = len(next(iter(batch.values()), ()))
                lines, left = (batch.get(name, [""] * count) for name in (history, defects))
                for index, (line, names) in enumerate(zip(lines, left, strict=True), start):
                    reasons = (step.reasons for step in parse_history(line) or ())
                    if rule in (names or "").split() or any(rule in each for each in reasons):
                        found.append(index)
                start += count
        return np.array(found, np.int64)

    def holding(self, words: str) -> Any:
        """For each row, whether a text of it holds these words, in any case."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        found, start = np.zeros(len(self), bool), 0
        for name, part in self.splits.items():
            for column in self.views[name].columns:
                row = start
                for cells in arrow_batches(part, column):
                    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
                        holds = pc.fill_null(pc.match_substring(cells, words, ignore_case=True), False).to_numpy()
                    else:
                        lower = words.lower()
                        holds = np.array([lower in as_text(cell).lower() for cell in cells.to_pylist()], bool)
                    found[row : row + len(holds)] |= holds
                    row += len(holds)
            start += len(part)
        return found

    def _where(self, column: str, value: str) -> Any:
        import numpy as np
        import pyarrow.compute as pc

        found, start = [np.empty(0, np.int64)], 0
        for name, part in self.splits.items():
            if self._has(name, column):
                for cells in arrow_batches(part, self.layout.own(column)):
                    same = pc.fill_null(pc.equal(cells, value), False).to_numpy()
                    found.append(np.flatnonzero(same) + start)
                    start += len(same)
            else:
                start += len(part)
        return np.concatenate(found)

    # ------------------------------------------------------------------------------------------------------- columns

    def _has(self, split: str, column: str) -> bool:
        return self.layout.own(column) in self.splits[split].column_names

    def _shown_columns(self, split: str) -> list[str]:
        """Those of the view, and all of single values, among them hfclean's own."""
        part = self.splits[split]
        simple = [
            name for name, feature in part.features.items() if SINGLE.fullmatch(str(getattr(feature, "dtype", "")))
        ]
        return list(dict.fromkeys([*self.views[split].reads, *simple]))

    def _read_ids(self) -> RowIds:
        """The ids of all rows: their column, or where they have none, what it would hold."""
        column, found, is_made = self.layout.own("row_id"), [], False
        for split, part in self.splits.items():
            ids, start = RowIds.blank(len(part)), 0
            if self._has(split, "row_id"):
                for cells in arrow_batches(part, column):
                    ids.put(start, cells.to_pylist())
                    start += len(cells)
            else:
                is_made, view = True, self.views[split]
                for batch in column_batches(part, view.columns):
                    names = row_ids(batch, view)
                    ids.put(start, names)
                    start += len(names)
            found.append(ids)
        if is_made:
            found = numbered(found)
        return _joined(found)

    @cached_property
    def _sorted(self) -> tuple[Any, Any]:
        import numpy as np

        order = np.argsort(self.ids.codes, kind="stable")
        return self.ids.codes[order], order

    @cached_property
    def _others(self) -> dict[str, int]:
        return {name: k for k, name in self.ids.others.items()}

    @cached_property
    def _refused_places(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        if self._refused is not None:
            names = (name for batch in column_batches(self._refused, ["row_id"]) for name in batch["row_id"])
            for k, name in enumerate(names):
                places.setdefault(name, []).append(k)
        return places

    def _by_split(self, numbers: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
        grouped: dict[str, list[int]] = {}
        for number in numbers:
            grouped.setdefault(self.place(number)[0], []).append(number)
        yield from grouped.items()


def _joined(parts: list[RowIds]) -> RowIds:
    import numpy as np

    others: dict[int, str] = {}
    start = 0
    for ids in parts:
        others |= {k + start: name for k, name in ids.others.items()}
        start += len(ids)
    if not parts:
        return RowIds.blank(0)
    return RowIds(np.concatenate([ids.codes for ids in parts]), np.concatenate([ids.numbers for ids in parts]), others)


def price_of(about: Mapping[str, Any]) -> str:
    """What an answer of the last model cost that was asked, in words; empty where nobody knows."""
    for entry in reversed(about["transforms"]):
        usage = entry.get("usage") or {}
        if usage.get("cost") and usage.get("asked"):
            return f"{money(usage['cost'] / usage['asked'], str(usage.get('currency', '')))} an answer"
    return ""
