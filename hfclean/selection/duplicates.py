"""Duplicates: rows that say the same, found exactly, and one of each group kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import numpy as np

from hfclean.errors import HfcleanError
from hfclean.layout import Layout
from hfclean.passes import numbers
from hfclean.plain_values import to_plain
from hfclean.processes import NumProc, by_batch
from hfclean.row_ids import first_of
from hfclean.schema import Columns
from hfclean.selection import shingle_joins, vector_cells
from hfclean.selection.near_duplicates import AT_ONCE, LABEL, compares_all, near_labels
from hfclean.selection.row_context import context_keys
from hfclean.selection.rows import (
    Picks,
    Vectors,
    check_count,
    check_dataset,
    check_fields,
    is_number,
    pairs,
    stored_vectors,
    texts,
    vectors,
)
from hfclean.selection.rows import numbers as column_of_numbers
from hfclean.selection.shingles import mix
from hfclean.text.thoughts import with_thought

_Method = Literal["exact", "near", "semantic"]
METHODS = ("exact", "near", "semantic")
CELLS = 1 << 22  # similarities that are held at once
LIKELY = {
    "near": "found by MinHash: every pair is a true one, about one in a hundred at the threshold is missed",
    "semantic": "found in the nearest cells: every pair is a true one, a few in a thousand are missed",
}


@dataclass(frozen=True)
class DuplicateGroups:
    """Which rows of a dataset are duplicates of one another; see `duplicate_groups`.

    Args:
        rows: rows of the dataset.
        groups: the groups of two rows or more, each in dataset order, in the order of their first rows. Every row is
            linked to another one of its group by a similarity of the threshold or more; two rows of one group may be
            linked by way of others only.
        best: of each group, the row that is kept.
        method, threshold, ngram: as asked for; `ngram` is 0 where none was used.
        complete: whether all pairs were found; False where likely ones were looked at (precision is 1 either way).
        notes: about rows without text, vector or score.
    """

    rows: int
    groups: tuple[tuple[int, ...], ...]
    best: tuple[int, ...]
    method: str
    threshold: float
    ngram: int
    complete: bool
    notes: tuple[str, ...]

    @property
    def dropped(self) -> tuple[int, ...]:
        """The rows that are not kept, in dataset order."""
        kept = set(self.best)
        return tuple(sorted(row for group in self.groups for row in group if row not in kept))

    @property
    def kept(self) -> tuple[int, ...]:
        """The rows that are kept, in dataset order."""
        dropped = set(self.dropped)
        return tuple(row for row in range(self.rows) if row not in dropped)

    def duplicate_of(self) -> dict[int, int]:
        """For each row that is not kept, the row that is kept in its place."""
        return {row: best for group, best in zip(self.groups, self.best, strict=True) for row in group if row != best}

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return dict(to_plain(self))

    def summary(self) -> str:
        """The figures in plain words."""
        dropped = sum(map(len, self.groups)) - len(self.groups)
        criterion = {
            "exact": "the same text",
            "near": f"Jaccard index {self.threshold:g} or more on runs of {self.ngram} words",
            "semantic": f"cosine {self.threshold:g} or more",
        }[self.method]
        lines = [
            f"{self.rows:,} rows: {len(self.groups):,} groups of duplicates ({criterion}), {dropped:,} rows beside "
            f"the one that is kept of each, {self.rows - dropped:,} kept"
        ]
        if self.groups:
            lines.append(f"largest group: {max(map(len, self.groups)):,} rows")
        if not self.complete:
            lines.append(LIKELY[self.method])
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def dedupe(
    ds: Any,
    method: _Method = "near",
    threshold: float = 0.7,
    ngram: int = 3,
    best: str | None = None,
    fields: str | Sequence[str] | None = None,
    *,
    column: str = "embedding",
    columns: Columns = None,
    complete: bool | None = None,
    num_proc: NumProc = "auto",
) -> Picks:
    """Indices of the rows to keep, one of each group of duplicates: `ds.select(hfclean.dedupe(ds))`.

    Takes the same arguments as `duplicate_groups`, which returns the groups. Rows without a duplicate are always kept.

    Returns:
        the indices in dataset order; their `report` is the `DuplicateGroups`.

    Raises:
        ColumnError, HfcleanError, SchemaError: as `duplicate_groups`.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> rows = [{"prompt": p, "completion": "Paris."} for p in ("Capital of France?", "capital of FRANCE", "Italy?")]
    >>> hfclean.dedupe(Dataset.from_list(rows))
    [0, 2]
    """
    layout = Layout(columns)
    groups = _find("dedupe", ds, method, threshold, ngram, best, fields, column, layout, complete, num_proc)
    return Picks(groups.kept, groups)


def duplicate_groups(
    ds: Any,
    method: _Method = "near",
    threshold: float = 0.7,
    ngram: int = 3,
    best: str | None = None,
    fields: str | Sequence[str] | None = None,
    *,
    column: str = "embedding",
    columns: Columns = None,
    complete: bool | None = None,
    num_proc: NumProc = "auto",
) -> DuplicateGroups:
    """The groups of duplicate rows.

    What rows hold beside their words has to be equal for `exact` and `near`: pictures and sounds (by their bytes, else
    by path or address; nothing is decoded), tools, system prompt, history columns, calls and other typed parts. Where
    `fields` are named, they alone are compared.

    * `exact`: the same text in every field, to the letter, earlier turns and system prompt as well.
    * `near`: a Jaccard index of `threshold` or more (the runs of `ngram` words that both rows have, as a share of
      those that either has). Words are in small letters; in scripts without spaces each character is a word. A row of
      fewer words is one run, so it has only the same words as a duplicate; rows without a word are compared by their
      characters. Up to 100,000 rows all pairs are found; above, those that MinHash (25 bands of 5 at 0.7) deems
      likely, and each is counted before it is believed. Memory hardly grows with the rows: some
      20 bytes for each word of the dataset lie in files beside it.
    * `semantic`: vectors with a cosine of `threshold` or more. 0.9 and more is usual, 0.7 takes whole topics. Up to
      100,000 rows all pairs are compared, in time that grows with the square of the rows; above, vectors are compared
      where one lies in one of the eight cells around means that are nearest to the other (`selection.vector_cells`),
      by cosines in float32, in time that grows with the power of 1.5, and the vectors lie in a file. What share of the
      pairs that finds is in `benchmarks/README.md`. Rows without a vector have no duplicates, and are counted.

    Args:
        ds: a `Dataset` (one split).
        method: one of these three.
        threshold: above 0, at most 1; `exact` does not read it.
        ngram: words in a run, from 1 up to 32.
        best: a numeric column: of each group the row with the highest value is kept, of equals the first. Rows whose
            value is nan or null come last, and are counted. None keeps the first row.
        fields: what is compared: columns, or some of `instruction`, `input`, `response`; by default all three together
            with the turns before.
        column: of the vectors, for `semantic`; `hfclean.scorers.Embed` adds it.
        columns: which columns hold what, as in a transform.
        complete: whether `near` and `semantic` compare all pairs (True) or only likely ones (False); None: all up to
            100,000 rows, for `near` of different texts. The groups say which it was.
        num_proc: how many processes read the rows for `exact` and `near`, as `hfclean.clean` takes it; what is found
            is the same. Runs of words and vectors are compared in one.

    Raises:
        ColumnError: a column is missing or of the wrong type.
        HfcleanError: not one `Dataset`, or a setting out of range.
        SchemaError: rows of no known shape.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> rows = [{"prompt": "Hi", "completion": c, "score": len(c)} for c in ("Hello!", "hello", "Hello!!", "Bye")]
    >>> found = hfclean.selection.duplicate_groups(Dataset.from_list(rows), best="score")
    >>> found.groups, found.best
    (((0, 1, 2),), (2,))
    """
    layout = Layout(columns)
    return _find("duplicate_groups", ds, method, threshold, ngram, best, fields, column, layout, complete, num_proc)


def _find(
    who: str,
    ds: Any,
    method: _Method,
    threshold: float,
    ngram: int,
    best: str | None,
    fields: str | Sequence[str] | None,
    column: str,
    layout: Layout,
    complete: bool | None,
    num_proc: NumProc,
) -> DuplicateGroups:
    check_dataset(ds, who)
    if method not in METHODS:
        raise HfcleanError(f"{who}(method={method!r}): expected one of {', '.join(METHODS)}")
    check_settings(who, threshold, ngram, complete)
    scores = None if best is None else column_of_numbers(ds, best, who)
    notes: list[str] = []
    whole = method == "exact" or compares_all(len(ds), complete)
    if method == "semantic":
        embedded = vectors(ds, column, who) if whole else stored_vectors(ds, column, who)
        labels = _semantic(ds, embedded, threshold, whole)
        notes += embedded.notes("compared with nobody, and kept")
    elif method == "exact":
        labels, notes = _exact(ds, fields, layout, who, num_proc)
        if fields is None and (keys := context_keys(ds, layout, exact=True, num_proc=num_proc)) is not None:
            labels = _parted(labels, keys)
    else:
        keys = context_keys(ds, layout, num_proc=num_proc) if fields is None else None

        def read(batch: range) -> Iterator[str]:
            return ("\n".join(parts) for parts in texts(ds.select(batch), fields, layout, who))

        check_fields(ds, fields, who)
        labels, empty, whole = near_labels(read, threshold, ngram, keys, ds, complete, num_proc)
        notes += empty_note(empty)
    words = ngram if method == "near" else 0
    return grouped(labels, scores, best, notes, method=method, threshold=threshold, ngram=words, complete=whole)


def check_settings(who: str, threshold: float, ngram: int, complete: bool | None) -> None:
    """
    Raises:
        HfcleanError: one of these settings is out of range.
    """
    if not is_number(threshold) or not 0 < threshold <= 1:
        raise HfcleanError(f"{who}(threshold={threshold!r}): expected a number above 0, at most 1")
    check_count(ngram, f"{who}(ngram", 1)
    if ngram > 32:
        raise HfcleanError(f"{who}(ngram={ngram}): expected 1 to 32 words")
    if complete is not None and not isinstance(complete, bool):
        raise HfcleanError(f"{who}(complete={complete!r}): expected True, False or None")


def grouped(
    labels: Any,
    scores: Any,
    best: str | None,
    notes: Sequence[str],
    *,
    method: _Method,
    threshold: float,
    ngram: int,
    complete: bool,
) -> DuplicateGroups:
    """The groups, of each row's number of its own.

    Args:
        labels: of each row, equal in a group.
        scores: of each row, or None.
        best: the column of the scores.
        notes: so far.
        method, threshold, ngram, complete: as `DuplicateGroups` has them.
    """
    groups = _groups(labels)
    kept = tuple(_best(group, scores) for group in groups)
    if scores is not None and (unscored := int(np.isnan(scores).sum())):
        line = f"{unscored:,} rows have no {best!r}: kept only where no other row of the group has one"
        notes = [*notes, line]
    return DuplicateGroups(len(labels), groups, kept, method, float(threshold), ngram, complete, tuple(notes))


def _groups(labels: Any) -> tuple[tuple[int, ...], ...]:
    order = np.argsort(labels, kind="stable")
    first = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sizes = np.diff(first, append=len(order))
    return tuple(tuple(order[first[k] : first[k] + sizes[k]].tolist()) for k in np.flatnonzero(sizes > 1))


def _best(group: tuple[int, ...], scores: Any) -> int:
    if scores is None:
        return group[0]
    return max(group, key=lambda row: (-np.inf if np.isnan(scores[row]) else scores[row], -row))


def empty_note(empty: int) -> list[str]:
    """What is said of rows without text, as a list of one line or none."""
    return [f"{empty:,} rows have no text: they are duplicates of one another"] if empty else []


def _exact(ds: Any, fields: Any, layout: Layout, who: str, num_proc: NumProc) -> tuple[Any, list[str]]:
    def digests(batch: range) -> tuple[Any, int]:
        found, empty = np.empty((len(batch), 2), np.uint64), 0
        for k, (words, whole) in enumerate(_whole(ds.select(batch), fields, layout, who)):
            data = "\0".join(f"{len(part)}\0{part}" for part in whole).encode("utf-8", "surrogatepass")
            found[k] = np.frombuffer(blake2b(data, digest_size=16).digest(), np.uint64)
            empty += not "".join(words).strip()
        return found, empty

    check_fields(ds, fields, who)
    halves, start, empty = numbers(2 * len(ds), np.uint64, ds).reshape(len(ds), 2), 0, 0
    for found, without in by_batch(digests, len(ds), LABEL, num_proc, AT_ONCE):
        halves[start : start + len(found)] = found
        start, empty = start + len(found), empty + without
    return first_of(halves[:, 0], halves[:, 1]), empty_note(empty)


def _whole(ds: Any, fields: Any, layout: Layout, who: str) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Of every row the texts that say whether it is empty, and all that are compared."""
    if fields is not None:
        yield from ((row, row) for row in texts(ds, fields, layout, who))
        return
    for pair in pairs(ds, layout):
        words = (pair.instruction, pair.input, with_thought(pair))
        turns = (text for turn in pair.history for text in (turn.role, turn.text))
        yield words, (pair.system, *words, *turns)


def _parted(labels: Any, keys: Any) -> Any:
    """The groups parted by another number of each row; each named by its first row."""
    return first_of(mix(labels.astype(np.uint64)), keys)


# ------------------------------------------------------------------------------------------------------------ semantic


def _semantic(ds: Any, embedded: Vectors, threshold: float, whole: bool) -> Any:
    labels = np.arange(len(ds))
    together = shingle_joins.Components(len(embedded.rows))
    likely = vector_cells.likely
    found = _similar_vectors(embedded.unit, threshold) if whole else likely(embedded.unit, threshold, together, ds)
    for first, second in found:
        together.join(first, second)
    labels[embedded.rows] = embedded.rows[together.labels]
    return labels


def _similar_vectors(unit: Any, threshold: float) -> Iterator[tuple[Any, Any]]:
    """All pairs of vectors of length one whose cosine, to nine decimals, is `threshold` or more; the first index is
    the smaller one. Every block of vectors is multiplied with those behind it, and what is close to the threshold is
    computed again in float64."""
    short = unit.astype(np.float32)
    slack = 1e-6 * np.sqrt(max(unit.shape[1], 1))
    size = max(1, int(np.sqrt(CELLS)))
    for start in range(0, len(unit), size):
        for other in range(start, len(unit), size):
            block = short[start : start + size] @ short[other : other + size].T
            first, second = np.divmod(np.flatnonzero(block >= threshold - slack), block.shape[1])
            cosine = block[first, second]
            first, second = first + start, second + other
            sure = cosine >= threshold + slack
            unsure = np.flatnonzero(~sure)
            for stretch in np.array_split(unsure, max(1, len(unsure) * unit.shape[1] // CELLS)):
                exact = np.einsum("ij,ij->i", unit[first[stretch]], unit[second[stretch]])
                sure[stretch] = np.round(exact, 9) >= threshold
            sure &= first < second
            if sure.any():
                yield first[sure], second[sure]
