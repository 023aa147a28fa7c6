"""Transform: one callable that takes an example or a batch, in every format that `datasets` hands out.

A transform is a frozen dataclass. Its fields are its whole configuration, its repr its provenance, its pickle its
cache key. Subclasses implement `apply`, which sees a batch as a dict of plain lists and returns columns; this room
turns whatever came in into that, and back. It never keeps a model, a client or a counter on the object.
"""

from __future__ import annotations

import os
import shutil
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from hfclean.columns import Column
from hfclean.errors import HfcleanError, SchemaError
from hfclean.layout import Layout
from hfclean.provenance import HISTORY, own_columns
from hfclean.schema import READING_VERSION, Columns, Pair, Target, View, detect, is_batch, plain
from hfclean.values import has_json, loaded, stored_cells, stored_columns

# How fields are declared. Any record of a saved reviser, even a stranger's, may set it; see `records.trust`.
HUB: Mapping[str, bool] = {"hub": True}
# It changes no output, so that no row's history has it.
UNSAID: Mapping[str, bool] = {"unsaid": True}
# Of a field `strict`, which only says whether there is an output.
STRICT: Mapping[str, bool] = {"came_later": True, "unsaid": True}
# The folder in a cache that holds what is read here, and what `datasets` makes of it.
CACHES = "hfclean-rows"
_SCALARS = {str, type(None), int, float, bool}


class Batch(Mapping[str, list[Any]]):
    """A batch as plain lists, each column converted when it is first read."""

    def __init__(self, data: Mapping[str, Any], *, single: bool = False) -> None:
        self._data = data
        self._single = single
        kind = type(data).__name__
        self._python = kind in ("LazyRow", "LazyBatch", "_ArrowColumns")
        # what was asked of a lazy form itself is written again by `map`, whether it changed or not
        self._read: Callable[[str], Any] = data.format if kind in ("LazyRow", "LazyBatch") else data.__getitem__  # type: ignore[attr-defined]
        self._lists: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self._lists:
            value = self._read(name)
            cells = [value] if self._single else list(value)
            # most columns are strings already, and the lazy forms hold Python objects all the way down
            if not self._python and not set(map(type, cells)) <= _SCALARS:
                cells = plain(cells)
            self._lists[name] = cells
        return self._lists[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, name: object) -> bool:
        return name in self._data

    @property
    def features(self) -> Mapping[str, Any] | None:
        """The types of the columns, where `datasets` hands them out with the batch."""
        features: Mapping[str, Any] | None = getattr(getattr(self._data, "formatter", None), "features", None)
        return features

    def rows(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of these columns, as one dict each; columns that are absent are left out."""
        present = [name for name in columns if name in self._data]
        return [
            dict(zip(present, cells, strict=True)) for cells in zip(*(self[name] for name in present), strict=True)
        ]


@dataclass(frozen=True)
class Spec:
    """A frozen set of settings whose pickle is its identity.

    `version` is raised whenever the outputs of a class change for any input: it enters the pickled state, so that
    `datasets` does not serve results of the old code from its cache.
    """

    version: ClassVar[int] = 1

    def settings(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as JSON can hold them."""
        found = {}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if value != spec.default and not spec.metadata.get("unsaid"):
                found[spec.name] = list(value) if isinstance(value, tuple) else value
        return found

    def depends(self) -> dict[str, Any]:
        """What the outputs depend on besides fields and version; it enters the pickled state."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        # The class attribute alone would not reach the hash: a default on the class is not in the instance's dict.
        # A field that came later is left out at its default, where it changes nothing that was cached before.
        state = {
            spec.name: value
            for spec in fields(self)
            if (value := getattr(self, spec.name)) != spec.default or not spec.metadata.get("came_later")
        }
        return {"fields": state, "version": self.version, "depends": self.depends()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state["fields"].items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Transform(Spec):
    """Base of everything that is passed to `map`.

    It returns new and changed columns only, which `datasets` merges with the row. An engine that takes them in place
    of the row would lose the others: pass it `hfclean.engines.whole_rows(transform)`. Calls by Ray Data are refused;
    other engines a transform cannot tell from `datasets`.

    Args:
        columns: which columns hold what, where their names do not say it: a shape's name (`"messages"`, `"alpaca"`,
            ...) or a mapping such as `{"instruction": "question", "response": "answer"}`.
        prefix: put before the name of every column that is added, for datasets that use one of these names themselves.
        turns: in conversations, `"last"` for the last assistant turn or `"all"` for every one; the rest is context.
        side: in preference rows, `"chosen"`, `"rejected"` or `"both"`.
    """

    # every column that it can add beside `edit_history`, declared once
    adds: ClassVar[tuple[Column, ...]] = ()

    columns: Columns = field(default=None, kw_only=True, metadata=HUB)
    prefix: str = field(default="", kw_only=True, metadata=HUB)
    turns: Literal["last", "all"] = field(default="last", kw_only=True, metadata=HUB)
    side: Literal["chosen", "rejected", "both"] = field(default="chosen", kw_only=True, metadata=HUB)

    def __post_init__(self) -> None:
        try:
            _ = self.layout
        except SchemaError as e:
            raise SchemaError(f"{type(self).__name__}: {e}").with_flags(e.in_flags) from None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "reading": READING_VERSION}

    @property
    def layout(self) -> Layout:
        """How rows are read, as one value."""
        return Layout(self.columns, self.prefix, self.turns, self.side)

    def with_layout(self, layout: Layout) -> Self:
        """The same transform, reading rows by another layout."""
        return replace(self, columns=layout.columns, prefix=layout.prefix, turns=layout.turns, side=layout.side)

    # ------------------------------------------------------------------------------------------------ for subclasses

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        """New and changed columns for a batch. The same names for every batch of the same columns; nothing is written
        to the batch."""
        raise HfcleanError(f"{type(self).__name__} defines no apply(batch, view)")

    def targets(self, cells: Mapping[str, Any], view: View) -> list[Target]:
        """The pairs of a row that this transform works on, oldest first."""
        return view.targets(cells, turns=self.turns, side=self.side)

    def pairs(self, cells: Mapping[str, Any], view: View) -> list[Pair]:
        """The same for those that only read."""
        return view.pairs(cells, turns=self.turns, side=self.side)

    # ------------------------------------------------------------------------------------------------ for datasets

    def __call__(self, data: Any, *values: Any) -> Any:
        """One example or one batch in; the new and changed columns of it out, in the same form.

        Raises:
            HfcleanError: something else, such as the values alone that `map(..., input_columns=)` hands over.
        """
        if values:
            raise HfcleanError(
                f"{type(self).__name__} got {1 + len(values)} values in place of one row or batch; leave out "
                "input_columns=, with_indices= and with_rank= of map: which columns are read says columns="
            )
        kind = type(data).__module__.partition(".")[0]
        if kind in ("pyarrow", "pandas", "polars"):
            return self._table(data, kind)
        if str(sys._getframe(1).f_globals.get("__name__")).startswith("ray.data."):
            raise HfcleanError(
                f"{type(self).__name__} was passed to Ray Data as it is, which takes what comes out in place of the "
                "row: columns that nobody changed would be lost. Pass it in a form that gives them all: "
                "map_batches(hfclean.engines.whole_rows(...))"
            )
        batch, view, single = self._opened(data)
        columns = stored_columns(self.apply(batch, view), data)
        return {name: column[0] for name, column in columns.items()} if single else columns

    def _opened(self, data: Any) -> tuple[Batch, View, bool]:
        """An example or a batch as plain lists, how its rows are read, and whether it is one example."""
        if type(data).__module__.partition(".")[0] == "pyarrow":
            data = _ArrowColumns(data)
        if not isinstance(data, Mapping) or hasattr(data, "cache_files"):
            raise HfcleanError(
                f"{type(self).__name__} got a {type(data).__name__}; expected an example or a batch (a mapping of "
                "columns). "
                "A whole dataset goes through map: ds.map(...), without input_columns=, which hands over values alone"
            )
        view = detect(tuple(data.keys()), self.columns)
        single = not is_batch(data, view)
        return Batch(data, single=single), view, single

    def _table(self, data: Any, kind: str) -> Any:
        """Every column: under these formats what is returned replaces the whole row."""
        import pyarrow as pa

        columns: _Columns = _ArrowColumns(data) if kind == "pyarrow" else _FrameColumns(data, kind, self.prefix)
        batch, view = Batch(columns), detect(tuple(columns), self.columns)
        new = self.apply(batch, view)
        if kind != "pyarrow" and len(data) > 1:
            # values without a type of their own: `datasets` gives them the types that its columns have, which a frame
            # does not know (a number beside a null is another kind of number, a text may be a large one)
            return {**{name: batch[name] for name in columns}, **new}
        table = columns.table(frozenset(view.columns))
        for name, column in new.items():
            if name not in table.column_names:
                table = table.append_column(name, pa.array(column))
            elif column != batch[name]:
                index = table.column_names.index(name)
                cells = columns.stored(name, column, batch[name])
                table = table.set_column(index, name, stored_array(cells, table.schema.field(index).type))
        return table


def cached_elsewhere(ds: Any) -> Any:
    """The same dataset, or datasets by split, of which nothing that `datasets` makes lands among a user's files.

    `datasets` keeps its results beside the first file of a dataset. Where that is not its own cache (a folder of
    `save_to_disk`), or is read-only, the files are read through links in the temporary folder of `datasets`, so that
    the results land there.
    """
    if isinstance(ds, Mapping):
        return type(ds)({name: cached_elsewhere(part) for name, part in ds.items()})  # type: ignore[call-arg]
    files = getattr(ds, "cache_files", None)
    if not files or _holds_caches(Path(files[0]["filename"]).parent):
        return ds
    ds = copy(ds)
    ds._data = _linked(ds._data)
    ds._indices = ds._indices and _linked(ds._indices)
    return ds


def _holds_caches(folder: Path) -> bool:
    """Whether `datasets` may go on writing here: in its cache, its temporary folder, and where we put what we read."""
    from datasets.fingerprint import get_temporary_cache_files_directory

    prepared = (folder / "dataset_info.json").is_file() and not (folder / "state.json").is_file()
    temporary = folder.is_relative_to(os.path.abspath(get_temporary_cache_files_directory()))
    own = prepared or temporary or CACHES in folder.parts
    return own and os.access(folder, os.W_OK | os.X_OK)


def _linked(table: Any) -> Any:
    """A table of `datasets` that is read from links to its files."""
    from datasets.fingerprint import get_temporary_cache_files_directory
    from datasets.table import ConcatenationTable, MemoryMappedTable

    if isinstance(table, ConcatenationTable):
        return ConcatenationTable(table.table, [[_linked(block) for block in row] for row in table.blocks])
    if not isinstance(table, MemoryMappedTable):
        return table
    file = Path(table.path)
    state = file.stat() if file.exists() else None  # deleted after it was opened: its rows are still there
    key = sha256(f"{file}\0{state and (state.st_ino, state.st_mtime_ns, state.st_size)}".encode()).hexdigest()[:16]
    link = Path(get_temporary_cache_files_directory(), key, file.name)
    if not os.path.lexists(link):
        link.parent.mkdir(exist_ok=True)
        link_or_copy(file, link)
    return MemoryMappedTable(table.table, str(link), table.replays)


def link_or_copy(file: Path, link: Path) -> None:
    """Give a file a second name; where a system has no such thing, a copy."""
    for way in (os.symlink, os.link, shutil.copyfile):
        try:
            way(file, link)
        except (OSError, NotImplementedError):
            if way is shutil.copyfile:
                raise
        else:
            return


def usual_type(kind: Any, *, text: bool) -> Any:
    """Arrow's ordinary types for the large ones that pandas and polars always return.

    `datasets` stores what a table holds: without this a map under these formats would change the feature types.
    `text` says whether a cell that is null is one of text; pandas does not know its type.
    """
    import pyarrow as pa

    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or (text and pa.types.is_null(kind)):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(usual_type(kind.value_type, text=text))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, usual_type(field.type, text=text)) for field in kind])
    return kind


class _Columns(Mapping[str, Any]):
    """The columns of a table as plain lists."""

    @abstractmethod
    def table(self, texts: frozenset[str]) -> Any:
        """All of them as an Arrow table; `texts` are the columns whose nulls are of text."""

    def stored(self, name: str, new: list[Any], old: list[Any]) -> list[Any]:
        """The cells of a changed column as the table holds them."""
        return new


class _FrameColumns(_Columns):
    """A pandas or polars frame as a mapping of plain lists, each column read when it is asked for."""

    def __init__(self, frame: Any, kind: str, prefix: str) -> None:
        self._frame, self._kind = frame, kind
        self._ours: frozenset[str] = frozenset()
        if prefix + HISTORY in self:
            self._ours = frozenset(own_columns(self, prefix))

    def _array(self, name: str) -> Any:
        import pyarrow as pa

        column = self._frame[name]
        if self._kind == "polars":
            return column.to_arrow()
        # pandas has one sign for a null and for nan: it is nan in a score, and a null elsewhere
        return pa.array(column.to_numpy() if name in self._ours and column.dtype.kind == "f" else column)

    def table(self, texts: frozenset[str]) -> Any:
        import pyarrow as pa

        arrays = {name: self._array(name) for name in self}
        return pa.table(
            {name: array.cast(usual_type(array.type, text=name in texts)) for name, array in arrays.items()}
        )

    def __getitem__(self, name: str) -> list[Any]:
        values: list[Any] = self._array(name).to_pylist()
        return values

    def __iter__(self) -> Iterator[str]:
        return map(str, self._frame.columns)

    def __len__(self) -> int:
        return len(self._frame.columns)

    def __contains__(self, name: object) -> bool:
        return name in self._frame.columns


def _json_features(schema: Any) -> Mapping[str, Any]:
    """The features of the columns of a table that hold JSON text, as `datasets` writes `Json()`."""
    if "arrow.json" not in str(schema):
        return {}
    from datasets import Features

    return {name: feature for name, feature in Features.from_arrow_schema(schema).items() if has_json(feature)}


def stored_array(cells: Sequence[Any], kind: Any) -> Any:
    """An Arrow array of cells as they are stored, also where JSON stands inside lists and structs."""
    import pyarrow as pa

    if "extension" not in str(kind) or not (isinstance(kind, pa.BaseExtensionType) or pa.types.is_nested(kind)):
        return pa.array(cells, type=kind)
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(cells, type=kind.storage_type))
    mask = pa.array([cell is None for cell in cells], type=pa.bool_())
    if pa.types.is_struct(kind):
        inner = [stored_array([cell and cell.get(field.name) for cell in cells], field.type) for field in kind]
        return pa.StructArray.from_arrays(inner, fields=list(kind), mask=mask)
    ends = [0, *accumulate(len(cell or ()) for cell in cells)]
    values = stored_array([item for cell in cells for item in cell or ()], kind.value_type)
    large = pa.types.is_large_list(kind)
    whole, offset = (pa.LargeListArray, pa.int64()) if large else (pa.ListArray, pa.int32())
    return whole.from_arrays(pa.array(ends, type=offset), values, type=kind, mask=mask)


class _ArrowColumns(_Columns):
    """An Arrow table as a mapping of plain lists, read column by column."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._json = _json_features(table.schema)

    def table(self, texts: frozenset[str]) -> Any:
        return self._table

    def stored(self, name: str, new: list[Any], old: list[Any]) -> list[Any]:
        if name not in self._json:
            return new
        return stored_cells(new, old, self._table.column(name).to_pylist(), self._json[name])

    def __getitem__(self, name: str) -> list[Any]:
        values: list[Any] = self._table.column(name).to_pylist()
        return [loaded(value, self._json[name]) for value in values] if name in self._json else values

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.column_names)

    def __len__(self) -> int:
        return len(self._table.column_names)

    def __contains__(self, name: object) -> bool:
        return name in self._table.column_names
