"""Bands: what a shard of a dataset says of its rows, in hashes, so that near-duplicates are found across shards.

A shard gives of every row a hash of its text, one of what it holds beside its words, and its bands (see `minhash`):
133 bytes at a threshold of 0.7. The rows that share a band with another one, and these alone, are read again by their
text and counted as `near_duplicates` counts them. So the groups are exactly those of one run over all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from hfclean.layout import Layout
from hfclean.passes import appended, numbers
from hfclean.processes import NumProc, by_batch
from hfclean.row_ids import first_of
from hfclean.selection import minhash, shingle_joins
from hfclean.selection.near_duplicates import LABEL, compares_all
from hfclean.selection.row_context import NO_CONTEXT, own_context_keys
from hfclean.selection.rows import texts
from hfclean.selection.shingles import Shingles, fold, shingles, text_hash

NGRAM = 3  # words in a run: bands are made of these
BAND_BYTES = minhash.BAND_BITS // 8
COLUMNS = ("text", "context", "blank", "bands")


class RowBands(NamedTuple):
    """What is said of a batch of rows.

    Attributes:
        texts: uint64, of the text in small letters.
        contexts: uint64, see `context_keys`.
        blank: whether there is no text.
        bands: uint64 (rows, bands), of 40 bits each.
    """

    texts: Any
    contexts: Any
    blank: Any
    bands: Any


def row_bands(ds: Any, layout: Layout, threshold: float, num_proc: NumProc = 1) -> Iterator[RowBands]:
    """What is said of the rows of a `Dataset`, which does not depend on other rows; in batches.

    Args:
        ds: a shard.
        layout: how its rows are read.
        threshold: the Jaccard index from which on pairs are looked for.
        num_proc: how many processes read the rows.
    """
    layout = Layout(layout.columns)
    keys = own_context_keys(ds, layout, num_proc=num_proc)

    def work(batch: range) -> RowBands:
        found = texts_of(ds.select(batch), layout)
        contexts = np.full(len(batch), NO_CONTEXT, np.uint64) if keys is None else keys[batch.start : batch.stop]
        return RowBands(
            np.array([text_hash(fold(text)) for text in found], np.uint64),
            contexts,
            np.array([not text.strip() for text in found], bool),
            np.stack(list(minhash.bands_of(shingles(found, NGRAM), threshold)), 1),
        )

    return by_batch(work, len(ds), LABEL, num_proc)  # batches that are the same for any number of processes


def texts_of(ds: Any, layout: Layout) -> list[str]:
    """The texts of rows, as they are compared."""
    return ["\n".join(parts) for parts in texts(ds, None, layout, "near_duplicates")]


# ------------------------------------------------------------------------------------------------------------ in files


def bands_schema(threshold: float) -> Any:
    """The Arrow schema in which bands are stored."""
    import pyarrow as pa

    width = minhash.shape_for(threshold)[0] * BAND_BYTES
    return pa.schema(zip(COLUMNS, (pa.uint64(), pa.uint64(), pa.bool_(), pa.binary(width)), strict=True))


def stored_bands(rows: RowBands, schema: Any) -> Any:
    """A batch as it is stored, an Arrow table."""
    import pyarrow as pa

    octets = rows.bands.astype("<u8").view(np.uint8).reshape(*rows.bands.shape, 8)[..., :BAND_BYTES]
    bands = pa.FixedSizeBinaryArray.from_buffers(
        schema.field("bands").type, len(octets), [None, pa.py_buffer(np.ascontiguousarray(octets))]
    )
    return pa.table([pa.array(rows.texts), pa.array(rows.contexts), pa.array(rows.blank), bands], schema=schema)


def read_bands(batch: Any) -> RowBands:
    """What `stored_bands` stored, from an Arrow record batch without nulls."""
    codes, contexts, blank, bands = batch.columns
    width = bands.type.byte_width
    octets = np.frombuffer(bands.buffers()[1], np.uint8)[bands.offset * width : (bands.offset + len(bands)) * width]
    whole = np.zeros((len(bands), width // BAND_BYTES, 8), np.uint8)
    whole[..., :BAND_BYTES] = octets.reshape(len(bands), -1, BAND_BYTES)
    return RowBands(codes.to_numpy(), contexts.to_numpy(), blank.to_numpy(False), whole.view("<u8")[..., 0])


# ------------------------------------------------------------------------------------------------------------ together


class SaidOfRows(NamedTuple):
    """The rows of all shards, one after the other.

    Attributes:
        firsts: int64, the rows that are the first of their text and context.
        first: int64, of each row the first one of its text and context.
        contexts: uint64, of each row.
        blank: how many rows have no text.
    """

    firsts: Any
    first: Any
    contexts: Any
    blank: int


def said_of_rows(batches: Iterable[RowBands], count: int, near: Any = None) -> SaidOfRows:
    """What is said of rows but their bands.

    Args:
        batches: of all shards, in order.
        count: rows in all.
        near: by whose files more can be written, see `passes.numbers`.
    """
    codes, contexts = numbers(count, np.uint64, near), numbers(count, np.uint64, near)
    start, blank = 0, 0
    for rows in batches:
        stop = start + len(rows.texts)
        codes[start:stop], contexts[start:stop] = rows.texts, rows.contexts
        start, blank = stop, blank + int(rows.blank.sum())
    first = first_of(codes, contexts)
    pieces = (k + np.flatnonzero(first[k : k + PIECE] == np.arange(k, min(k + PIECE, count))) for k in _starts(count))
    return SaidOfRows(appended(pieces, np.int64, near), first, contexts, blank)


PIECE = 1 << 20  # rows


def _starts(count: int) -> range:
    return range(0, count, PIECE)


def compares_likely(said: SaidOfRows, complete: bool | None) -> bool:
    """Whether a run over all rows looks at likely pairs: else it reads all rows, and bands are of no use."""
    return not compares_all(len(said.firsts), complete)


def joined_labels(
    said: SaidOfRows,
    batches: Iterable[RowBands],
    read: Callable[[Any], Iterator[Sequence[str]]],
    threshold: float,
    near: Any = None,
) -> Any:
    """For each row the first row of its group, as `near_labels` gives it for all rows.

    Args:
        said: of the rows.
        batches: what it was made of, once more.
        read: the texts of these rows, in order and in lists of any length.
        threshold: that of the bands.
        near: by whose files more can be written.
    """
    firsts = said.firsts
    bands = _by_band(said, batches, minhash.shape_for(threshold)[0], near)
    seen = np.zeros(len(firsts), bool)
    for band in bands:
        for some in minhash.shared(band):
            seen[some] = True
    chosen = np.flatnonzero(seen)
    sets = shingle_joins.whole_sets_of(_runs(read(firsts[chosen]), len(chosen), near), near)
    together = shingle_joins.Components(len(chosen))
    for band in bands:
        for one, other in minhash.sharing(band[chosen], together):
            found = shingle_joins.verified(sets, one, other, threshold)
            together.join(found.first, found.second)
    of_text = numbers(len(firsts), np.int64, near)
    of_text[:] = firsts
    of_text[chosen] = firsts[chosen[together.labels]]
    labels = numbers(len(said.first), np.int64, near)
    for k in _starts(len(labels)):
        labels[k : k + PIECE] = of_text[np.searchsorted(firsts, said.first[k : k + PIECE])]
    return labels


def _by_band(said: SaidOfRows, batches: Iterable[RowBands], count: int, near: Any) -> Any:
    """Of each band the numbers of all texts, in their contexts."""
    bands = numbers(count * len(said.firsts), np.uint64, near).reshape(count, -1)
    row, place = 0, 0
    for rows in batches:
        stop = row + len(rows.texts)
        new = said.first[row:stop] == np.arange(row, stop)
        keys = minhash.in_context(rows.bands[new], rows.contexts[new][:, None])
        bands[:, place : place + len(keys)] = keys.T
        row, place = stop, place + len(keys)
    return bands


def _runs(pieces: Iterable[Sequence[str]], count: int, near: Any) -> Shingles:
    """The runs of words of texts that come in lists."""
    starts, place = numbers(count + 1, np.int64, near), 1

    def hashed() -> Iterator[Any]:
        nonlocal place
        for some in pieces:
            runs = shingles(some, NGRAM)
            starts[place : place + len(some)] = np.diff(runs.starts)
            place += len(some)
            yield runs.hashes

    hashes = appended(hashed(), np.uint64, near)
    np.cumsum(starts, out=starts)
    return Shingles(hashes, starts)
