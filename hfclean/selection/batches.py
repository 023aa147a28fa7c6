"""Diverse batches: SeDi-Instruct's, each made of different clusters."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import ColumnError, require
from hfclean.passes import narrowed
from hfclean.schema import Columns
from hfclean.selection.novelty import Novelty, novel
from hfclean.selection.rows import check_count, check_dataset, vectors


@dataclass(frozen=True)
class DiverseBatches:
    """Rows in batches, and how varied those are.

    Attributes:
        batches: indices of the dataset, batch by batch; all of one size but the last.
        novelty: what the gate kept and dropped.
        labels: the cluster of every row of the dataset; -1 where it was dropped or has no vector.
        unplaced: kept rows without a vector (null, nan or zero): they are dealt out last, over all batches alike.
        before, before_shuffled: mean distance of two rows of a batch, in batches in the order of the dataset, and in
            shuffled ones: 1 less the cosine, 0 to 2; where clusters were given and no vectors, the share of pairs from
            different clusters, 0 to 1. nan where no batch has two rows.
        after: the same in these batches. Higher = more varied.
        seed: of the clusters, the batches and the shuffling.
    """

    batches: tuple[tuple[int, ...], ...]
    novelty: Novelty
    labels: tuple[int, ...]
    unplaced: int
    before: float
    before_shuffled: float
    after: float
    seed: int

    @property
    def order(self) -> list[int]:
        """The indices one after the other: `ds.select(found.order)`, read in order, comes in these batches. A trainer
        of transformers reads in order with `train_sampling_strategy="sequential"` and the same batch size."""
        return [index for batch in self.batches for index in batch]

    def order_column(self) -> list[int]:
        """The place of every row of the dataset in `order`, -1 where it was dropped, for `ds.add_column`."""
        column = [-1] * len(self.labels)
        for place, index in enumerate(self.order):
            column[index] = place
        return column

    def sampler(self) -> OrderSampler:
        """A sampler of single indices of the dataset, for `DataLoader(ds, sampler=..., batch_size=...)`."""
        return OrderSampler(self)

    def batch_sampler(self) -> BatchSampler:
        """A sampler of whole batches, for `DataLoader(ds, batch_sampler=...)`."""
        return BatchSampler(self)

    def summary(self) -> str:
        """The figures for people."""
        return (
            f"{self.novelty.summary()}\n{len(self.batches):,} batches of {len(set(self.labels) - {-1}):,} clusters; "
            f"distance within a batch {self.after:.4f}, in dataset order {self.before:.4f}, shuffled "
            f"{self.before_shuffled:.4f}; {self.unplaced:,} rows without a vector"
        )


class BatchSampler:
    """Yields the batches, as lists of indices. Every epoch has the same batches in another order; the first has them
    as they stand. Trainers that call `set_epoch` say which; else each pass is the next."""

    def __init__(self, batches: DiverseBatches) -> None:
        self.batches, self.seed, self.epoch = batches.batches, batches.seed, 0

    def set_epoch(self, epoch: int) -> None:
        """The next pass is this epoch's."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(range(len(self.batches)))
        if self.epoch and order:
            # a batch that is not full stays the last: else a loader that cuts the stream would shift all after it
            full = order[:-1] if len(self.batches[-1]) < len(self.batches[0]) else order
            random.Random(f"{self.seed} {self.epoch}").shuffle(full)  # noqa: S311 - order, no secret
            order = full + order[len(full) :]
        self.epoch += 1
        return iter([list(self.batches[k]) for k in order])


class OrderSampler:
    """Yields single indices, batch after batch; see `BatchSampler`. The loader's batch size has to be the batches'."""

    def __init__(self, batches: DiverseBatches) -> None:
        self._batches = BatchSampler(batches)

    def set_epoch(self, epoch: int) -> None:
        """The next pass is this epoch's."""
        self._batches.set_epoch(epoch)

    def __len__(self) -> int:
        return sum(map(len, self._batches.batches))

    def __iter__(self) -> Iterator[int]:
        return (index for batch in self._batches for index in batch)


def diverse_batches(
    ds: Any,
    batch_size: int,
    *,
    threshold: float | None = 0.85,
    field: str = "instruction",
    against: Iterable[Any] = (),
    embedding: str = "embedding",
    clusters: int | str | None = None,
    seed: int = 0,
    columns: Columns = None,
) -> DiverseBatches:
    """Rows that are new, in batches of which each takes one member of every cluster in turn: SeDi-Instruct's way to
    keep more generated rows without losing accuracy (arXiv 2502.04774).

    First `hfclean.selection.novel` drops rows that repeat a kept one. Then the rest is clustered by k-means over the
    embeddings (k is the batch size; the paper names neither k nor the algorithm), and each cluster is dealt out over
    all batches as evenly as can be: a batch has more than one row of a cluster only where the cluster has more rows
    than there are batches.

    Args:
        ds: a `Dataset` (one split).
        batch_size: rows of a batch, 1 and up; the last one has what is left.
        threshold: of the novelty gate, above 0 to 1; 0.85 is SeDi's, 0.7 Self-Instruct's; None for no gate.
        field, against: what the gate compares, and with what besides; see `hfclean.selection.novel`.
        embedding: the column of vectors; `hfclean.scorers.Embed` adds it.
        clusters: how many, or the name of a column of your labels (then no vectors are needed).
        seed: the same seed gives the same batches.
        columns: which columns hold what, as every transform takes it.

    Raises:
        HfcleanError: not a `Dataset`, or a size, threshold or seed out of range.
        ColumnError: no such column, or vectors of different lengths.

    >>> from datasets import Dataset
    >>> rows = {"prompt": ["Add 1", "Add 22", "Sing", "Hum it"], "completion": list("abcd"), "kind": list("mmss")}
    >>> found = diverse_batches(Dataset.from_dict(rows), 2, clusters="kind")
    >>> found.before, found.after, sorted(found.order)
    (0.0, 1.0, [0, 1, 2, 3])
    """
    check_dataset(ds, "diverse_batches")
    check_count(batch_size, "diverse_batches(batch_size", 1)
    check_count(seed, "diverse_batches(seed")
    if not isinstance(clusters, str) and clusters is not None:
        check_count(clusters, "diverse_batches(clusters", 1)
    np: Any = require("numpy", extra="models")
    if threshold is None:
        gate = Novelty(tuple(range(len(ds))), (), math.nan, 0, 0)
    else:
        gate = novel(ds, threshold=threshold, field=field, against=against, columns=columns)
    kept = np.array(gate.kept, dtype=np.int64)
    points = None
    if isinstance(clusters, str):
        numbers, known = _labels(np, ds, clusters, kept)
    else:
        points, known = _vectors(np, ds, embedding, kept)
        numbers = np.full(len(kept), -1)
        if known.any():
            from hfclean.selection.clusters import kmeans

            numbers[known] = kmeans(points[known], clusters or batch_size, seed)[0]
    labels = np.full(len(ds), -1)
    labels[kept] = numbers
    batches = spread(numbers.tolist(), batch_size, seed)
    shuffled = list(range(len(kept)))
    random.Random(f"{seed} shuffled").shuffle(shuffled)  # noqa: S311

    def distance(order: Sequence[int]) -> float:
        return _distance(np, [order[k : k + batch_size] for k in range(0, len(order), batch_size)], numbers, points)

    return DiverseBatches(
        tuple(tuple(int(kept[place]) for place in batch) for batch in batches),
        gate,
        tuple(labels.tolist()),
        int((~known).sum()),
        distance(range(len(kept))),
        distance(shuffled),
        distance([place for batch in batches for place in batch]),
        seed,
    )


def spread(labels: Sequence[int], batch_size: int, seed: int = 0) -> list[list[int]]:
    """Places dealt out into batches so that every label is in as many batches as can be.

    All batches have `batch_size` members but the last, which has what is left. Of a label with c members no full batch
    has more than c over the number of full batches, rounded up, and no two full ones differ by more than one; label -1
    comes last. Members are shuffled within their label, and so are batches and what is in them.
    """
    chance = random.Random(seed)  # noqa: S311 - order, no secret
    groups: dict[int, list[int]] = {}
    for place, label in enumerate(labels):
        groups.setdefault(label, []).append(place)
    order: list[int] = []
    for label in sorted(groups, key=lambda label: (label == -1, -len(groups[label]), label)):
        chance.shuffle(groups[label])
        order += groups[label]
    full, left = divmod(len(order), batch_size)
    # the last batch is taken evenly from the whole deck, which lies sorted by label; then the rest is dealt in turn
    last = {int((k + 0.5) * len(order) / left) for k in range(left)}
    rest = [place for k, place in enumerate(order) if k not in last]
    batches = [rest[k::full] for k in range(full)]
    chance.shuffle(batches)
    if left:
        batches.append([order[k] for k in sorted(last)])
    for batch in batches:
        chance.shuffle(batch)
    return batches


def _labels(np: Any, ds: Any, column: str, kept: Any) -> tuple[Any, Any]:
    """A column's values as numbers in the order of their first row, and which rows have one."""
    if column not in ds.column_names:
        raise ColumnError(f"diverse_batches(clusters={column!r}): no such column in {ds.column_names}")
    numbers: dict[Any, int] = {}
    cells = narrowed(ds, [column])[:][column]
    values = [cells[index] for index in kept.tolist()]
    if any(isinstance(value, (list, dict)) for value in values):
        raise ColumnError(f"diverse_batches(clusters={column!r}): the column holds lists, not labels")
    label_numbers = [
        -1 if value is None or value != value else numbers.setdefault(value, len(numbers)) for value in values
    ]
    labels = np.array(label_numbers, dtype=np.int64)
    return labels, labels >= 0


def _vectors(np: Any, ds: Any, column: str, kept: Any) -> tuple[Any, Any]:
    """The vectors of the kept rows made one long, nan where there is none, and which rows have one."""
    embedded = vectors(ds, column, "diverse_batches")
    points = np.full((len(ds), embedded.unit.shape[1]), math.nan)
    points[embedded.rows] = embedded.unit
    return points[kept], np.isin(kept, embedded.rows)


def _distance(np: Any, batches: Sequence[Sequence[int]], labels: Any, points: Any) -> float:
    """The mean over batches of the mean distance of two rows of the batch; rows without a vector do not count."""
    distances = []
    for batch in batches:
        places = np.array(batch, dtype=np.int64)
        places = places[labels[places] >= 0]
        size = len(places)
        if size < 2:
            continue
        pairs = size * (size - 1) / 2
        if points is None:
            same = np.bincount(labels[places])
            distances.append(1 - float((same * (same - 1)).sum()) / 2 / pairs)
        else:
            total = points[places].sum(0)
            distances.append(1 - (float(total @ total) - size) / 2 / pairs)
    return sum(distances) / len(distances) if distances else math.nan
