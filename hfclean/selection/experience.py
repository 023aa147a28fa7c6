"""The rows of Cherry's pre-experience: a few from every region of instructions, to tune a model on briefly before it
scores the rest."""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

from hfclean.errors import ColumnError, HfcleanError, require
from hfclean.scorers.embedding import Embed
from hfclean.scorers.vectors import read_vectors
from hfclean.selection.rows import check_dataset

_Order = Literal["dataset", "perplexity"]

COLUMN = "embedding"
AT_ONCE = 1000
# between these percentiles of its cluster, an instruction is neither trivial nor odd to the model
LOW, HIGH = 25, 75


def pre_experience(
    ds: Any,
    *,
    clusters: int = 100,
    per_cluster: int = 10,
    by: str | None = None,
    ppl: str | None = None,
    order: _Order = "dataset",
    seed: int = 0,
) -> list[int]:
    """Indices, in dataset order, of rows that together show every kind of instruction once or more, for `ds.select`.

    The instructions' embeddings are put into clusters (k-means), and of each cluster some rows are taken: with `ppl`,
    from those between the 25th and the 75th percentile of the cluster, with both ends, in the order of the dataset, at
    steps of a whole number of rows from the first one on, as Cherry's script does (arXiv 2308.12032,
    `data_by_cluster.py`); without it, those nearest to the middle of the cluster. With the defaults that is the
    paper's thousand rows, on which a model is tuned for one epoch before `IFD` asks it about all of them. From LLaMA-2
    on, the authors leave this step out.

    Args:
        ds: a `Dataset` (one split).
        clusters: how many; each needs at least one row.
        per_cluster: how many rows of each. A cluster of fewer rows gives all of them; one with fewer in its middle
            half gives these, or where it has none there, where the script takes none, the row next to its median.
        by: a column of vectors of the instructions; by default `embedding` if there is one, else they are computed by
            `hfclean.scorers.Embed(text="prompt")`. Cherry takes the mean of the last hidden layer of the model to be
            tuned: `hfclean.scorers.Embed(that_model, text="prompt")`.
        ppl: a column with the perplexity of each instruction: `hfclean.scorers.Perplexity(model, of="prompt")` adds
            `ppl_prompt`.
        order: with `ppl`, in which order the steps go through a cluster's middle half: `"dataset"` as the script has
            it, or `"perplexity"`, lowest first at even steps up to the highest, as hfclean 0.1 had it.
        seed: of the clusters. The same rows, seed and version of scikit-learn give the same indices.

    Returns:
        indices. Rows without a vector, or with `ppl` without a finite perplexity, are never among them.

    Raises:
        ColumnError: a column is missing, or holds no vectors or no numbers.
        HfcleanError: not a `Dataset`, fewer rows with a vector than clusters, or a number is wrong.
        MissingExtraError: scikit-learn is not installed; `pip install 'hfclean[embed]'` brings it.

    >>> from datasets import Dataset
    >>> ds = Dataset.from_dict({"embedding": [[0.0], [0.1], [0.3], [9.0], [9.2]], "ppl_prompt": [5, 7, 6, 3, 4]})
    >>> pre_experience(ds, clusters=2, per_cluster=1, ppl="ppl_prompt")
    [2, 3]
    """
    for name, value in (("clusters", clusters), ("per_cluster", per_cluster)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise HfcleanError(f"pre_experience({name}={value!r}): expected 1 or more")
    if order not in get_args(_Order):
        raise HfcleanError(f"pre_experience(order={order!r}): expected 'dataset' or 'perplexity'")
    check_dataset(ds, "pre_experience")
    np: Any = require("numpy", extra="embed")
    vectors = _vectors(np, ds, by)
    known = np.isfinite(vectors).all(1) if vectors.size else np.zeros(len(vectors), bool)
    perplexities = None
    if ppl is not None:
        perplexities = _numbers(np, ds, ppl)
        known &= np.isfinite(perplexities)
    rows = np.flatnonzero(known)
    if len(rows) < clusters:
        lacking = "a vector" if ppl is None else "a vector and a finite perplexity"
        raise HfcleanError(
            f"pre_experience(clusters={clusters}): only {len(rows)} of {len(vectors)} rows have {lacking}; take fewer "
            "clusters, or more rows"
        )
    labels, distances = _clustered(vectors[rows], clusters, seed)
    picks: list[int] = []
    for cluster in range(clusters):
        members = np.flatnonzero(labels == cluster)
        if perplexities is None:
            chosen = members[np.argsort(distances[members], kind="stable")][:per_cluster]
        else:
            chosen = members[_middle(np, perplexities[rows[members]], per_cluster, order)]
        picks += rows[chosen].tolist()
    return sorted(picks)


def _vectors(np: Any, ds: Any, by: str | None) -> Any:
    """The vectors as a float32 array (rows, width), nan where a row has none."""
    if by is None and COLUMN not in ds.column_names:
        embed, plain = Embed(text="prompt"), ds.with_format(None)
        cells: list[Any] = []
        for start in range(0, len(ds), AT_ONCE):
            cells += embed(plain[start : start + AT_ONCE])[COLUMN]
        return np.asarray(cells, np.float32).reshape(len(cells), -1)
    column = by or COLUMN
    _check_column(ds, column, "hfclean.scorers.Embed(text='prompt')")
    return read_vectors(ds, column, f"pre_experience(by={column!r})", np.float32)


def _numbers(np: Any, ds: Any, column: str) -> Any:
    _check_column(ds, column, "hfclean.scorers.Perplexity(model, of='prompt')")
    cells = list(ds.with_format(None)[column])
    if any(cell is not None and not isinstance(cell, (int, float)) for cell in cells):
        raise ColumnError(f"pre_experience(ppl={column!r}): the column holds no numbers")
    return np.array([np.nan if cell is None else cell for cell in cells], np.float64)


def _check_column(ds: Any, name: str, adds: str) -> None:
    if name not in ds.column_names:
        raise ColumnError(
            f"pre_experience: no column {name!r} in {ds.column_names}. Add it first: ds.map({adds}, batched=True)"
        )


def _clustered(vectors: Any, clusters: int, seed: int) -> tuple[Any, Any]:
    """The cluster of every vector, and how far it is from the middle of it."""
    cluster = require("sklearn.cluster", extra="embed")
    exceptions = require("sklearn.exceptions", extra="embed")
    with warnings.catch_warnings():
        # fewer different vectors than clusters: some stay empty
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        fitted = cluster.KMeans(n_clusters=clusters, n_init=1, random_state=seed).fit(vectors)
    centres = fitted.cluster_centers_[fitted.labels_]
    return fitted.labels_, ((vectors - centres) ** 2).sum(1, dtype="float64")


def _middle(np: Any, values: Any, count: int, order: _Order) -> Any:
    """`count` places at even steps through the middle half of some values; of few values, all."""
    ranked = np.argsort(values, kind="stable")
    if len(values) < count:
        return ranked
    low, high = np.percentile(values, (LOW, HIGH))
    places = np.arange(len(values)) if order == "dataset" else ranked
    middle = places[(values[places] >= low) & (values[places] <= high)]
    if not len(middle):
        return ranked[(len(ranked) - 1) // 2 :][:1]
    if len(middle) <= count:
        return middle
    if order == "dataset":
        return middle[:: len(middle) // count][:count]
    return middle[np.arange(count) * len(middle) // count]
