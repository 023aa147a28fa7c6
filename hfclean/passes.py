"""Passes over datasets that are larger than memory: a batch of rows at a time, numbers of rows beside memory.

`column_batches` reads rows and gives back the pages of the files that it read. `numbers` is an array of one number for
each row, in a nameless file where it is long. `parts` sorts such an array by its values into pieces that can be held.
"""

from __future__ import annotations

import ctypes
import io
import mmap
import os
import pickle
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

from hfclean.errors import HfcleanError

T = TypeVar("T")

BATCH = 1000  # rows
RELEASED = 4  # batches after which the pages that were read are given back
WRITTEN = 1 << 22  # bytes after which a file that is written does the same
IN_MEMORY = 1 << 20  # bytes; a longer array lies in a file
WORTH_RELEASING = 1 << 22  # bytes; with smaller files, looking for where they are mapped takes longer than it gives
PIECE = (1 << 31) - 1  # bytes of the strings of one Arrow array
AT_ONCE = 1 << 17  # numbers that are sorted in memory
DONT_NEED = 4  # of madvise, the same on every Linux
MEASURED = 256  # arrays whose sizes are read before pages are given back


def narrowed(ds: Any, columns: Sequence[str], kind: str | None = None) -> Any:
    """The dataset with these columns alone, to be read: `select_columns` and `with_format` each copy the types of all
    columns, which takes longer than reading a few rows. It has the fingerprint of the whole: map `select_columns`.

    Args:
        ds: a `Dataset`.
        columns: their names, each once.
        kind: the format in which rows are read, None or "arrow".
    """
    from datasets import DatasetInfo, Features
    from datasets.table import InMemoryTable

    part: Any = object.__new__(type(ds))
    types = ds.info.features
    vars(part).update(vars(ds))
    part._data = InMemoryTable(ds.data.table.select(list(columns)))
    part._info = DatasetInfo(features=Features({name: types[name] for name in columns}))
    part._format_type, part._format_kwargs, part._format_columns, part._output_all_columns = kind, {}, None, False
    return part


def column_batches(ds: Any, columns: Sequence[str], indices: Any = None) -> Iterator[dict[str, list[Any]]]:
    """Batches of rows as one plain list for each of these columns; absent ones are left out.

    Args:
        ds: a `Dataset`.
        columns: their names.
        indices: which rows, by default all; a sequence or an array.
    """
    present = [name for name in dict.fromkeys(columns) if name in ds.column_names]
    rows = narrowed(ds, present)
    if indices is None:
        batches = rows.iter(BATCH)
    else:
        starts = range(0, len(indices), BATCH)
        batches = (rows[[int(k) for k in indices[start : start + BATCH]]] for start in starts)
    for number, batch in enumerate(batches, 1):
        yield batch
        if number % RELEASED == 0:
            release(ds)


def iterate(ds: Any, columns: Sequence[str], indices: Any = None) -> Iterator[list[dict[str, Any]]]:
    """The same batches as one plain dict for each row."""
    return (rows_of(batch, tuple(batch)) for batch in column_batches(ds, columns, indices))


def rows_of(batch: Mapping[str, list[Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a batch of columns."""
    cells = [batch[name] for name in columns]
    return [dict(zip(columns, values, strict=True)) for values in zip(*cells, strict=True)]


def arrow_batches(ds: Any, name: str) -> Iterator[Any]:
    """A column as Arrow arrays, a batch of rows each."""
    for number, table in enumerate(narrowed(ds, [name], "arrow").iter(BATCH), 1):
        yield table.column(name)
        if number % RELEASED == 0:
            release(ds)


def filled(ds: Any, name: str) -> Any:
    """The rows in which a column of strings holds text, as an array of indices."""
    import numpy as np
    import pyarrow.compute as pc

    found, start = [np.empty(0, np.int64)], 0
    for cells in arrow_batches(ds, name):
        holds = pc.fill_null(pc.not_equal(cells, ""), False).to_numpy()
        found.append(np.flatnonzero(holds) + start)
        start += len(holds)
    return np.concatenate(found)


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    """The rows as lists of a batch each."""
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch


class Spool(Collection[T]):
    """Within a `with` block, values in their order, to be gone through again; most are in a file without a name.

    Args:
        near: a dataset, in whose folder the file is; or None.
    """

    def __init__(self, near: Any = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder_of(near))  # noqa: SIM115  # closed with the block
        self._batches, self._written, self._batch = 0, 0, list[T]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, value: T) -> None:
        self._batch.append(value)
        if len(self._batch) == BATCH:
            pickle.dump(self._batch, self._file)
            self._batches, self._written, self._batch = self._batches + 1, self._written + len(self._batch), []

    def __len__(self) -> int:
        return self._written + len(self._batch)

    def __contains__(self, value: object) -> bool:
        return any(value == other for other in self)

    def __iter__(self) -> Iterator[T]:
        place = 0
        for _ in range(self._batches):
            self._file.seek(place)
            batch = pickle.load(self._file)  # noqa: S301  # written above, into a file that nobody else can open
            place = self._file.tell()
            yield from batch
        self._file.seek(0, os.SEEK_END)
        yield from self._batch


def stored_stream(ds: Any) -> Any:
    """A streaming dataset, or several by split, read to the end into a file in the temporary folder of `datasets`,
    which is gone with the process; anything else as it is.

    Raises:
        HfcleanError: the stream fails, its rows change their types, or it has none and no features either.
    """
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict, NamedSplit
    from datasets.fingerprint import generate_random_fingerprint, get_temporary_cache_files_directory

    if isinstance(ds, IterableDatasetDict):
        return DatasetDict({name: stored_stream(part) for name, part in ds.items()})
    if not isinstance(ds, IterableDataset):
        return ds
    file = Path(get_temporary_cache_files_directory(), f"cache-{generate_random_fingerprint()}.arrow")
    partial = file.with_name(f"{file.name}.partial")
    try:
        features = _write_stream(ds, partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    found = Dataset.from_file(str(file), split=ds.split and NamedSplit(str(ds.split)))
    return found if found.features == features else found.cast(features)


def _write_stream(ds: Any, file: Path) -> Any:
    """Write a stream; returns its features."""
    import pyarrow as pa
    from datasets import Features
    from datasets.table import table_cast

    features, count = ds.features, 0
    schema = features and features.arrow_schema
    tables = iter(ds.with_format("arrow").iter(BATCH))
    with ExitStack() as opened:
        sink, writer = opened.enter_context(pa.OSFile(str(file), "wb")), None
        while True:
            try:
                table = next(tables, None)
            except Exception as e:  # whatever reads, fetches or makes the rows may raise anything
                raise HfcleanError(
                    f"the stream ended after {count:,} rows with {type(e).__name__}: {_first_line(e)}; nothing was "
                    "made of them. Look at what it reads, or take the rows before that: ds.take(n)"
                ) from e
            if writer is None:
                schema = schema or (table and table.schema)
                if schema is None:
                    raise HfcleanError("the stream has no rows and no features; expected at least one row")
                writer = opened.enter_context(pa.ipc.new_stream(sink, schema))
            if table is None:
                return features or Features.from_arrow_schema(schema)
            try:
                writer.write_table(table if table.schema == schema else table_cast(table, schema))
            except (pa.ArrowException, TypeError, ValueError) as e:
                raise HfcleanError(
                    f"rows {count:,} to {count + len(table):,} of the stream have other types than those before "
                    f"({_first_line(e)}); say which they are: ds.cast(Features(...))"
                ) from e
            count += len(table)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:200]


# ------------------------------------------------------------------------------------------------------------- strings


def strings_table(name: str, count: int, cells: Iterable[Any], file: Path | None) -> Any:
    """A table of one column of strings in one piece, as `Dataset.add_column` makes one of a list.

    Args:
        name: of the column.
        count: how many rows it has.
        cells: Arrow arrays of strings, in order; null becomes empty.
        file: where it is written, or None to hold it in memory.
    """
    import pyarrow as pa
    from datasets.table import InMemoryTable, MemoryMappedTable

    arrays = (part for each in cells for part in (each.chunks if isinstance(each, pa.ChunkedArray) else [each]))
    arrays = (array.cast(pa.string()).fill_null("") for array in arrays)
    schema = pa.schema([(name, pa.string())])
    if file is None:
        return InMemoryTable.from_arrays([pa.concat_arrays([pa.array([], pa.string()), *arrays])], schema=schema)
    partial = file.with_name(f"{file.name}.partial-{os.getpid()}")
    try:
        _write_strings(partial, schema, count, arrays)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return MemoryMappedTable.from_file(str(file))


def _write_strings(file: Path, schema: Any, count: int, arrays: Iterable[Any]) -> None:
    import numpy as np
    import pyarrow as pa

    ends, row = numbers(count + 1, np.int64, file.parent), 0
    with tempfile.TemporaryFile(dir=file.parent) as texts:
        for array in arrays:
            _, offsets, data = array.buffers()
            offsets = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
            ends[row + 1 : row + 1 + len(array)] = ends[row] + (offsets[1:] - offsets[0])
            texts.write(memoryview(data)[int(offsets[0]) : int(offsets[-1])] if data is not None else b"")
            row += len(array)
        texts.flush()
        mapped = mmap.mmap(texts.fileno(), 0, access=mmap.ACCESS_READ) if ends[-1] else None
    whole = pa.py_buffer(mapped or b"")
    with (
        _MappedSource(file, mapped) as raw,
        pa.PythonFile(raw, "w") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
    ):
        start = 0
        while start < count:
            stop = max(start + 1, int(np.searchsorted(ends, ends[start] + PIECE, "right")) - 1)
            offsets = numbers(stop - start + 1, np.int32, file.parent)
            offsets[:] = ends[start : stop + 1] - ends[start]
            data = whole.slice(int(ends[start]), int(ends[stop] - ends[start]))
            array = pa.StringArray.from_buffers(stop - start, pa.py_buffer(offsets), data)
            writer.write_batch(pa.RecordBatch.from_arrays([array], schema=schema))
            start = stop


class _MappedSource(io.FileIO):
    """A file into which a mapped one is copied: what was read of that is given back on the way."""

    def __init__(self, path: Path, mapped: mmap.mmap | None) -> None:
        super().__init__(path, "w")
        self._mapped = mapped

    def write(self, data: Any) -> int:
        view = memoryview(data)
        for start in range(0, len(view), WRITTEN):
            part = view[start : start + WRITTEN]
            while part:
                part = part[super().write(part) :]
            if self._mapped and len(view) > WRITTEN and hasattr(mmap, "MADV_DONTNEED"):
                self._mapped.madvise(mmap.MADV_DONTNEED)
        return len(view)


# ------------------------------------------------------------------------------------------------------------- numbers


def folder_of(ds: Any) -> str | None:
    """The folder of a dataset's files, where more can be written; None for one in memory."""
    if isinstance(ds, Path):
        return str(ds)
    files = getattr(ds, "cache_files", None)
    folder = os.path.dirname(files[0]["filename"]) if files else ""
    return folder if folder and os.access(folder, os.W_OK | os.X_OK) else None


def numbers(count: int, kind: Any, near: Any = None) -> Any:
    """An array of zeros, one for each row. A long one is mapped from a file without a name in the folder of `near`,
    a dataset, or that of temporary files: it takes no memory that the system cannot have back.

    Raises:
        OSError: the disk is full.
    """
    import numpy as np

    size = count * np.dtype(kind).itemsize
    if size <= IN_MEMORY:
        return np.zeros(count, kind)
    with tempfile.TemporaryFile(dir=folder_of(near)) as file:
        if hasattr(os, "posix_fallocate"):  # a full disk is an error here, and would be a crash later
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return np.memmap(file, kind, "r+", shape=(count,)).view(np.ndarray)


def appended(pieces: Iterable[Any], kind: Any, near: Any = None) -> Any:
    """Arrays one after the other as one, in a file like those of `numbers` where it is long.

    Raises:
        OSError: the disk is full.
    """
    import numpy as np

    with tempfile.TemporaryFile(dir=folder_of(near)) as file:
        size = sum(file.write(np.ascontiguousarray(piece, kind).data.cast("B")) for piece in pieces if len(piece))
        file.flush()
        count = size // np.dtype(kind).itemsize
        if size <= IN_MEMORY:
            file.seek(0)
            return np.frombuffer(bytearray(file.read()), kind)
        return np.memmap(file, kind, "r+", shape=(count,)).view(np.ndarray)


def parts(*keys: Any, at_once: int | None = None) -> Iterator[list[Any]]:
    """Indices of arrays of uint64, one array of indices for each, in groups of about `at_once` or fewer, which can
    be sorted in memory: equal keys are in one group, and the indices are in order. The keys have to be spread evenly,
    as hashes are."""
    import numpy as np

    bits = ((max(1, *map(len, keys)) - 1) // (at_once or AT_ONCE)).bit_length()
    if not bits:
        yield [np.arange(len(each)) for each in keys]
        return
    for group in range(1 << bits):
        yield [_within(each, np.uint64(64 - bits), group) for each in keys]


def _within(keys: Any, shift: Any, group: int) -> Any:
    import numpy as np

    starts = range(0, len(keys), AT_ONCE)
    found = [start + np.flatnonzero(keys[start : start + AT_ONCE] >> shift == group) for start in starts]
    return np.concatenate([np.empty(0, np.int64), *found])


# --------------------------------------------------------------------------------------------------------------- pages


class ReleasingFile(io.BufferedWriter):
    """A file into which a dataset is written: what was read for it is given back on the way."""

    def __init__(self, path: Path, ds: Any) -> None:
        super().__init__(path.open("wb", buffering=0))
        self._ds, self._left = ds, WRITTEN

    def write(self, data: Any) -> int:
        count = super().write(data)
        self._left -= count
        if self._left <= 0:
            release(self._ds)
            self._left = WRITTEN
        return count


@lru_cache(maxsize=1)
def _system() -> Any:
    system = ctypes.CDLL(None, use_errno=True)
    system.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return system


def release(*datasets: Any) -> None:
    """Let the system have back the memory of what was read of these datasets' files, where it can be told so (Linux).

    Nothing is lost: what is read again comes from the file. Memory that Arrow keeps for later goes back as well.
    """
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    maps = Path("/proc/self/maps")
    files = {os.path.realpath(file["filename"]) for ds in datasets for file in ds.cache_files}
    if sum(map(_size, files)) < WORTH_RELEASING or not maps.exists():
        return
    for line in maps.read_text("utf-8", "surrogateescape").splitlines():
        place, rights, *_, file = line.split(maxsplit=5)
        if file in files and "w" not in rights:
            start, end = (int(edge, 16) for edge in place.split("-"))
            _system().madvise(start, end - start, DONT_NEED)


def _size(file: str) -> int:
    try:
        return os.path.getsize(file)
    except OSError:  # it was deleted, and what is mapped is still there
        return WORTH_RELEASING


def stored_bytes(ds: Any) -> int:
    """What `ds.data.nbytes` gives, the bytes of a dataset's table. To know the size of an array of strings, a page at
    each of its ends is read, and the system reads some beside it: those are given back on the way."""
    size = count = 0
    for column in ds.data.table.columns:
        for array in column.chunks:
            size, count = size + array.nbytes, count + 1
            if count % MEASURED == 0:
                release(ds)
    release(ds)
    return size
