"""The whole way of a dataset: revise, score, mark duplicates. What needs to see every row at once is done here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import ColumnError, HfcleanError
from hfclean.provenance import DUPLICATE_COLUMN, HISTORY, Step, number_rows, parse_history, row_id
from hfclean.reviser import revise as rules_reviser
from hfclean.schema import Columns, detect
from hfclean.scorers import score as embedded_score
from hfclean.transform import Transform

__all__ = ["Cleaned", "clean", "mark_duplicates"]

MARK = "mark_duplicates"


@dataclass(frozen=True)
class Cleaned:
    """A dataset that went the whole way.

    Attributes:
        dataset: as many rows as went in, less the duplicates where they were to be dropped; `Dataset` or `DatasetDict`
            as it was handed in.
        removed: the rows that were dropped, with a column `removed_reason`; `None` when none were.
        transforms: what was done, as JSON can hold it: class, version, settings and what they depend on.
    """

    dataset: Any
    removed: Any | None
    transforms: tuple[dict[str, Any], ...]


def clean(
    ds: Any,
    *,
    reviser: Transform | None = rules_reviser,
    score: bool = True,
    scorers: Sequence[Transform] = (),
    drop_duplicates: bool = False,
) -> Cleaned:
    """Revise, score and look for exact duplicates over a whole `Dataset` or `DatasetDict`.

    Adds the columns of the reviser and of `hfclean.score`, makes `row_id` unique (the second row of the same text gets
    the suffix `-2`), and adds `duplicate_of`: the id of the first row of the same split that has the same text after
    revision, `""` for all others.

    Args:
        ds: a `Dataset` or `DatasetDict`; left as it is.
        reviser: what revises; `None` only scores.
        score: whether the embedded scores are added.
        scorers: scorers of your own, run after them.
        drop_duplicates: drop the rows that `duplicate_of` marks. They are returned as `removed`.

    Raises:
        SchemaError: rows of no known shape.
        ColumnError: the dataset has a column of one of these names of its own.
        HfcleanError: a streaming dataset, which has no end that could be looked at.
    """
    from datasets import Dataset, DatasetDict

    if not isinstance(ds, (Dataset, DatasetDict)):
        raise HfcleanError(f"clean got {type(ds).__name__}; wanted a Dataset or a DatasetDict (not a streaming one)")
    columns = reviser.columns if reviser else None
    done = []
    splits = {"": ds} if isinstance(ds, Dataset) else dict(ds)
    for transform in filter(None, (reviser, _score_like(reviser) if score else None, *scorers)):
        done.append(_describe(transform))
        for name, part in splits.items():
            label = f"{'revising' if transform is reviser else 'scoring'} {name}".strip()
            splits[name] = part.with_format(None).map(transform, batched=True, desc=label)
    removed = {}
    if reviser is not None:
        done.append({"by": MARK, "version": 1})
        splits = _unique_ids(splits, reviser.prefix + "row_id")
        for name, part in splits.items():
            splits[name] = marked = mark_duplicates(part, columns=columns, prefix=reviser.prefix)
            if drop_duplicates:
                splits[name], gone = _without_duplicates(marked, reviser.prefix)
                if len(gone):
                    removed[name] = gone
    if isinstance(ds, Dataset):
        return Cleaned(splits[""], removed.get(""), tuple(done))
    return Cleaned(DatasetDict(splits), DatasetDict(removed) if removed else None, tuple(done))


def _score_like(reviser: Transform | None) -> Transform:
    """The embedded scores, reading rows as the reviser does."""
    if reviser is None:
        return embedded_score
    from dataclasses import replace

    return replace(
        embedded_score, columns=reviser.columns, prefix=reviser.prefix, turns=reviser.turns, side=reviser.side
    )


def _describe(transform: Transform) -> dict[str, Any]:
    told = {"by": type(transform).__name__, "version": transform.version, "settings": transform.settings()}
    return {**told, **transform.depends()}


def _unique_ids(splits: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Row ids that are unique over all splits."""
    every = [row for part in splits.values() if name in part.column_names for row in part[name]]
    numbered = iter(number_rows(every))
    out = {}
    for split, part in splits.items():
        out[split] = part
        if len(part) and name in part.column_names:
            out[split] = _with_columns(part, {name: [next(numbered) for _ in range(len(part))]})
    return out


def mark_duplicates(ds: Any, *, columns: Columns = None, prefix: str = "") -> Any:
    """A revised `Dataset` with the column `duplicate_of`: the `row_id` of the first row with the same text, else `""`.

    Same text means equal in all columns of the row's shape, as they are now. An empty split gets no column.
    """
    name = prefix + DUPLICATE_COLUMN
    if len(ds) == 0 or prefix + "row_id" not in ds.column_names:
        return ds  # map adds no columns to an empty split, and neither does this
    histories = ds[prefix + HISTORY]
    step = Step(MARK, 1, (DUPLICATE_COLUMN,))
    ours = any(s.by == MARK for s in parse_history(next(iter(histories), "")) or ())
    if name in ds.column_names and not ours:
        raise ColumnError(
            f"the dataset has a column {name!r} of its own, and marking duplicates would overwrite it. Rename yours: "
            f"ds.rename_column({name!r}, 'my_{name}'); or give ours another name: prefix='hfclean_'"
        )
    ids = list(ds[prefix + "row_id"])
    text = [row.split("-", 1)[0] for row in ids]
    changed = [k for k, original in enumerate(ds[prefix + "original"]) if original]
    view = detect(tuple(ds.column_names), columns)
    for k, row in zip(changed, ds.select(changed).select_columns(list(view.columns)), strict=True):
        text[k] = row_id(row, view)  # the id names the original; duplicates are looked for in what it became
    first: dict[str, str] = {}
    marks = []
    for name_of_row, content in zip(ids, text, strict=True):
        marks.append(first.get(content, ""))
        first.setdefault(content, name_of_row)
    lines = list(histories) if ours else [f"{history}\n{step.line()}" for history in histories]
    return _with_columns(ds, {name: marks, prefix + HISTORY: lines})


def _without_duplicates(ds: Any, prefix: str) -> tuple[Any, Any]:
    """The dataset without its marked duplicates, and these with the reason."""
    if prefix + DUPLICATE_COLUMN not in ds.column_names:
        return ds, ds
    marks = ds[prefix + DUPLICATE_COLUMN]
    kept = ds.select([k for k, mark in enumerate(marks) if not mark])
    gone = ds.select([k for k, mark in enumerate(marks) if mark])
    reasons = [f"exact duplicate of {mark}" for mark in marks if mark]
    return kept, gone.add_column("removed_reason", reasons) if reasons else gone


def _with_columns(ds: Any, new: Mapping[str, list[str]]) -> Any:
    """The dataset with these string columns set, each where it was, new ones last."""
    order = list(dict.fromkeys([*ds.column_names, *new]))
    ds = ds.remove_columns([name for name in new if name in ds.column_names])
    for name, values in new.items():
        ds = ds.add_column(name, values)
    return ds.select_columns(order)
