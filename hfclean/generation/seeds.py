"""Seeds: rows of any shape that has one question and what answers it, as tasks and as what a teacher has to add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from hfclean.errors import SchemaError
from hfclean.generation.forms import Form
from hfclean.generation.shapes import form_of
from hfclean.layout import Layout
from hfclean.provenance import number_rows, row_id
from hfclean.schema import Columns, Pair, View
from hfclean.source.memory import from_memory

MADE_ID = "made_id"
IDS = (MADE_ID, "row_id", "id")
INSTANCES = "instances"
FIRST = 2000  # seeds on which filters are tried


@dataclass(frozen=True)
class Seed:
    """One row that is shown to the teacher.

    Attributes:
        id: as its column `made_id`, `row_id` or `id` says; else 16 hex digits of its text. The second of a name gets
            the suffix `-2`.
        task: what it asks for, on one line.
        pair: how it is read.
        row: its cells of the seeds' shape.
        answer: what the teacher would have to write for it; see `Form.fields`.
        made: whether it was made by a teacher itself.
    """

    id: str
    task: str
    pair: Pair
    row: Mapping[str, Any]
    answer: Mapping[str, Any]
    made: bool = False


@dataclass(frozen=True)
class Seeds:
    """Rows as seeds.

    Attributes:
        seeds: in the order of the rows; those without a task are left out.
        form: how a row of their shape is made.
        columns: which columns hold what.
        without_task: rows that ask for nothing.
        whole: the row of each seed with all of its columns, where they were asked for.
    """

    seeds: tuple[Seed, ...]
    form: Form
    columns: Columns
    without_task: int
    whole: tuple[Mapping[str, Any], ...] = ()

    @property
    def by_id(self) -> dict[str, Seed]:
        """The seeds by their ids."""
        return {seed.id: seed for seed in self.seeds}

    def reread(self, seed: Seed, cells: Mapping[str, Any]) -> Seed:
        """The seed with other cells of the same shape, under the same id."""
        row = {**seed.row, **cells}
        pair = _main_pair(self.view, row)
        return replace(seed, task=one_line(self.form.task(row)), pair=pair, row=row, answer=self.form.answer(row))

    @property
    def view(self) -> View:
        """How the rows are read."""
        return self.form.view


def read_seeds(rows: Any, columns: Columns = None, form: Form | None = None, *, whole: bool = False) -> Seeds:
    """The seeds that rows are.

    Args:
        rows: one split, a `Dataset` or a list of rows; also tasks as Self-Instruct stores them, with an `instruction`
            and `instances` of input and output, of which the first is taken.
        columns: which columns hold what, as every transform takes it.
        form: how rows are made, where earlier seeds have decided it.
        whole: keep the other columns as well, in `Seeds.whole`.

    Raises:
        SchemaError: no seed, or rows of a shape in which no row can be made.
    """
    ds = _dataset(rows)
    layout = Layout(columns).settled(ds)
    view = layout.view(ds.column_names)
    names = list(view.reads)
    cells = [dict(row) for row in ds.select_columns(names).with_format(None)]
    pairs = [_main_pair(view, row) for row in cells]
    form = form or form_of(view, cells, ds.features)
    if form.view != view:
        raise SchemaError(f"the seeds have the columns {names}, and those before had {list(form.view.reads)}")
    named = _names(ds)
    ids = number_rows(name or row_id(row, view) for (name, _), row in zip(named, cells, strict=True))
    found = [
        Seed(name, one_line(form.task(row)), pair, row, form.answer(row), made)
        for name, (_, made), row, pair in zip(ids, named, cells, pairs, strict=True)
    ]
    kept = tuple(seed for seed in found if seed.task)
    rest = ds.with_format(None) if whole else ()
    every = tuple(dict(row) for row, seed in zip(rest, found, strict=True) if seed.task) if whole else ()
    if not kept:
        raise SchemaError(f"none of the {len(found):,} seeds asks for anything; expected rows with a task each")
    return Seeds(kept, form, layout.columns, len(found) - len(kept), every)


def _main_pair(view: View, row: Mapping[str, Any]) -> Pair:
    return view.pairs(row)[-1] if view.answers else view.pairs(row)[0]


def one_line(text: str) -> str:
    """A task as it stands in a numbered list: on one line, without a colon at its end."""
    return " ".join(text.split()).removesuffix(":").rstrip()


def _dataset(rows: Any) -> Any:
    """One split with at least one row, whose tasks with instances are rows."""
    if isinstance(rows, (list, tuple)) and not rows:
        raise SchemaError("no seeds: expected at least one row to begin with")
    ds = from_memory(rows)
    if isinstance(ds, Mapping):
        if len(ds) != 1:
            raise SchemaError(f"the seeds have the splits {', '.join(map(str, ds))}; give one of them: seeds['train']")
        ds = next(iter(ds.values()))
    if not hasattr(ds, "select_columns") or not hasattr(ds, "__len__"):
        raise SchemaError(f"seeds are {type(rows).__name__}; expected one split, a Dataset or a list of rows")
    if len(ds) == 0:
        raise SchemaError("no seeds: the dataset is empty; expected at least one row to begin with")
    if {"instruction", INSTANCES} <= set(ds.column_names) and "output" not in ds.column_names:
        return from_memory([_first_instance(row) for row in ds.with_format(None)])
    return ds


def _first_instance(row: Mapping[str, Any]) -> dict[str, Any]:
    """A task of Self-Instruct as a row of Alpaca's shape."""
    first: Mapping[str, Any] = next(islice(row[INSTANCES] or (), 1), {})
    known = {"id": str(row["id"])} if isinstance(row.get("id"), (str, int)) else {}
    return {
        **known,
        "instruction": row["instruction"],
        "input": first.get("input") or "",
        "output": first.get("output") or "",
    }


def _names(ds: Any) -> list[tuple[str, bool]]:
    """What each row is called by the first of its ids, empty where it has none, and whether it was made."""
    known = [name for name in IDS if name in ds.column_names]
    if not known:
        return [("", False)] * len(ds)
    named = []
    for row in ds.select_columns(known).with_format(None):
        ids = ((name, row[name]) for name in known)
        name, value = next(((n, v) for n, v in ids if isinstance(v, (str, int)) and v != ""), ("", ""))
        named.append((str(value), name == MADE_ID))
    return named
