"""Excluded rows: they lie among the dropped ones, and their history says where they were, so they come back there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from hfclean.errors import RestoreError
from hfclean.layout import Layout
from hfclean.passes import column_batches
from hfclean.provenance import HISTORY, parse_history

EXCLUDED = "excluded"
REMOVED_REASON = "removed_reason"
AT = "at"  # the setting of the step that excluded a row: its place in the split, all excluded rows among the others


class Whole(NamedTuple):
    """Splits with the excluded rows in their places.

    Attributes:
        dataset: the splits, by name.
        dropped: the rows that were dropped for other reasons, by split; may be empty.
        reasons: row id -> why it was excluded, as `removed_reason` says it.
    """

    dataset: dict[str, Any]
    dropped: dict[str, Any]
    reasons: dict[str, str]


def whole(dataset: Mapping[str, Any], removed: Mapping[str, Any] | None, layout: Layout) -> Whole:
    """Splits with the rows that were excluded from them back in their places.

    Raises:
        RestoreError: they have other columns than the rest by now.
    """
    splits, dropped = dict(dataset), dict[str, Any]()
    reasons: dict[str, str] = {}
    for split, part in (removed or {}).items():
        places = dict(_places(part, layout))
        if rest := [k for k in range(len(part)) if k not in places]:
            dropped[split] = part.select(rest) if places else part
        if not places:
            continue
        out = part.select([*places])
        ids = map(str, out[layout.own("row_id")][:])
        reasons |= zip(ids, out[REMOVED_REASON][:], strict=True)
        splits[split] = _merged(splits.get(split), out.remove_columns(REMOVED_REASON), [*places.values()], split)
    return Whole(splits, dropped, reasons)


def without(
    dataset: Mapping[str, Any], dropped: Mapping[str, Any], reasons: Mapping[str, str], layout: Layout
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inverse of `whole`: the splits without these rows, and all dropped rows by split."""
    from datasets import concatenate_datasets

    left, removed = {}, dict(dropped)
    for split, part in dataset.items():
        places = _in_column(part, layout.own("row_id"), reasons)
        left[split] = part
        if not places:
            continue
        out = part.select(places)
        names = out[layout.own("row_id")][:]
        out = out.add_column(REMOVED_REASON, [reasons[str(name)] for name in names])
        kept = set(places)
        left[split] = part.select([k for k in range(len(part)) if k not in kept])
        removed[split] = concatenate_datasets([removed[split], out]) if split in removed else out
    return left, removed


def with_excluded(ds: Any, removed: Any, *, layout: Layout | None = None) -> Any:
    """A dataset with the rows that people excluded from it back in their places, so that `hfclean.restore` undoes them
    as well.

    Args:
        ds: a `Dataset` or `DatasetDict`, as `Applied.dataset`.
        removed: of the same form, as `Applied.removed`; rows that were dropped for other reasons stay out.
        layout: how its rows are read; what `Layout()` finds by default.

    Raises:
        RestoreError: the columns of the dataset changed since.
    """
    if isinstance(ds, Mapping):
        return type(ds)(whole(ds, removed, layout or Layout()).dataset)  # type: ignore[call-arg]
    return whole({"": ds}, {"": removed} if removed is not None else {}, layout or Layout()).dataset[""]


def excluded_ids(removed: Mapping[str, Any] | None, layout: Layout) -> list[str]:
    """The ids of the rows that people excluded, of all rows that were dropped."""
    return [
        str(name)
        for part in (removed or {}).values()
        if (places := [k for k, _ in _places(part, layout)])
        for name in part.select(places)[layout.own("row_id")][:]
    ]


def _in_column(part: Any, column: str, values: Collection[str]) -> list[int]:
    if not values or column not in part.column_names:
        return []
    names = (name for batch in column_batches(part, [column]) for name in batch[column])
    return [k for k, name in enumerate(names) if name in values]


def _places(part: Any, layout: Layout) -> Iterator[tuple[int, int]]:
    """The numbers of the rows that were excluded, and where they were."""
    history = layout.own(HISTORY)
    if history not in part.column_names:
        return
    for k, text in enumerate(text for batch in column_batches(part, [history]) for text in batch[history]):
        last = (parse_history(text) or (None,))[-1]
        if last is not None and last.by == "Verdict" and EXCLUDED in last.reasons:
            at = last.settings.get(AT)
            yield k, at if type(at) is int and at >= 0 else 0


def _merged(part: Any | None, out: Any, places: list[int], split: str) -> Any:
    """Rows with others put in so that those have these places; beyond the end, at the end."""
    from datasets import concatenate_datasets

    if part is None or not len(part):
        return out.select(sorted(range(len(out)), key=places.__getitem__))
    if part.features != out.features:
        names = {**part.features, **out.features}
        odd = next(name for name in names if part.features.get(name) != out.features.get(name))
        raise RestoreError(
            f"the excluded rows of {split!r} cannot be put back: the column {odd!r} is in them, or in the other rows, "
            "alone or of another type, since columns were added or changed after they were excluded"
        )
    order = [*range(len(part))]
    for place, k in sorted(zip(places, range(len(part), len(part) + len(out)), strict=True)):
        order.insert(place, k)
    return concatenate_datasets([part, out]).select(order)
