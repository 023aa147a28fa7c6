"""Comparison: two datasets in, one Report out. Reads both once, and the rows that differ once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

from hfclean.errors import ColumnError, HfcleanError, SchemaError
from hfclean.layout import Layout
from hfclean.passes import iterate, stored_stream
from hfclean.report import findings, shown_rows
from hfclean.report.made_rows import remembered
from hfclean.report.masked_rows import mask_counts, mask_note, masked_as, masked_refused, maskings
from hfclean.report.matched_rows import defect_counts, match_rows
from hfclean.report.record import Edit
from hfclean.report.refused import refused_sample
from hfclean.report.report import Report
from hfclean.report.rows import (
    SplitRows,
    TokenCounter,
    read_split,
    recorded_layout,
    recorded_steps,
    splits_of,
)
from hfclean.report.stale_copies import stale_copies, stale_note
from hfclean.reviser.refused import NOT_KEPT
from hfclean.rules import Rule
from hfclean.schema import Columns
from hfclean.selection.contradictions import found_in
from hfclean.version import __version__

MOST_STEPS = 20  # that a report names


def compare(
    before: Any,
    after: Any,
    *,
    prefix: str = "",
    columns: Columns = None,
    extra: Sequence[Rule] = (),
    tokenizer: Any = None,
    max_tokens: int = 2048,
    removed: Any = None,
    refused: Any = None,
    transforms: Sequence[Mapping[str, Any]] = (),
    turns: Literal["last", "all"] | None = None,
    side: Literal["chosen", "rejected", "both"] | None = None,
    scored: Any = None,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> Report:
    """What changed between two datasets and why, what was removed, and how the scores moved.

    Rows are matched by `row_id`, where a reviser of hfclean wrote it, so a dataset that was filtered, shuffled or
    selected from can be compared; else by their text, else by position (`report.joined_on` says which). Neither
    dataset is changed. Where rows of `after` were masked, those of `before` are compared, and shown, masked in the
    same way. Rows that are alike on both sides are scored once, or not at all where `after` holds the
    scores already.

    Args:
        before: a `Dataset`, or a `DatasetDict`, whose splits are matched by name. A streaming dataset is first read
            to its end, into the temporary folder of `datasets`.
        after: the same kind of thing, later.
        prefix: the `prefix` that the transforms were given.
        columns: which columns hold what, as for every transform.
        extra: custom rules that took part.
        tokenizer: counts tokens: a function `str -> int`, or anything with `encode`, such as a tokenizer of
            `transformers`. Without one, lengths are estimated at four bytes of UTF-8 a token, and marked as estimates.
        max_tokens: the length that rows should not exceed.
        removed: the rows that were dropped on purpose, with the columns `row_id` and `removed_reason`: a `Dataset` or
            `DatasetDict`. A row that is gone without being among them has no reason recorded.
        refused: the revisions that were refused, `Cleaned.refused`; some of them are shown.
        transforms: `Cleaned.transforms`, for what no row knows of the models that were asked: tokens, cost, version
            of the prompt.
        turns, side: which turns of conversations and which side of preference rows the scores are of; by default as
            the transforms were given them, by what the rows' histories say.
        scored: for speed alone, the rows of `after` in the same order, as hfclean once scored them. Where `after` has
            no scores, those of rows of equal text are taken from here.
        known: for speed alone, `Cleaned.known` of the call of `clean` that made `after` of `before`.

    Raises:
        HfcleanError: a `Dataset` with a `DatasetDict`, a stream that fails, a tokenizer that does not count.
        SchemaError: rows of no known shape, or of two different shapes.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> raw = Dataset.from_list([{"instruction": "Name a fruit.", "input": "", "output": "An apple."}])
    >>> hfclean.compare(raw, raw.map(hfclean.revise)).rows_changed
    0
    """
    counter, named, estimated = _counter(tokenizer)
    before, after = stored_stream(before), stored_stream(after)
    old_splits, new_splits = _both(before, after)
    masks = maskings(new_splits, prefix)
    masked = mask_counts(new_splits, prefix)
    masked.subtract(mask_counts(old_splits, prefix) if masked else {})
    old_splits, refused = masked_as(old_splits, masks, prefix), masked_refused(refused, masks)
    if removed is not None and masks:
        removed = masked_as(splits_of(removed, "removed"), masks, prefix)
    done = [step for ds in new_splits.values() for step in recorded_steps(ds, prefix)]
    steps = [*done, *(step for ds in old_splits.values() for step in recorded_steps(ds, prefix))]
    layout = recorded_layout(steps, prefix=prefix, columns=columns, turns=turns, side=side)
    scored_splits = scored if isinstance(scored, Mapping) else dict.fromkeys(new_splits, scored)
    texts = {"": 0}
    old = {
        name: read_split(name, ds, layout, counter=None, which="the first dataset", texts=texts)
        for name, ds in old_splits.items()
    }
    new = {
        name: read_split(
            name, ds, layout, counter=counter, which="the second dataset", texts=texts, scored=scored_splits.get(name)
        )
        for name, ds in new_splits.items()
    }
    shape = _shape(old, new)
    stale = stale_copies(new_splits, layout)
    matched = match_rows(old, new, layout, extra=tuple(extra), counter=counter, known=known)
    edits = _with_hashes(matched.edits.kept(), old, new)
    return Report(
        hfclean=__version__,
        shape=shape,
        splits=tuple(findings.split_counts(matched, name) for name in matched.joined),
        rules=findings.rule_counts(matched, extra, masked),
        refusals=findings.refusals(matched),
        models=findings.model_uses(matched, transforms),
        removed=shown_rows.removed_rows(matched, _reasons(removed, layout)),
        added=shown_rows.added_rows(matched),
        scores=findings.score_changes(matched, layout),
        tokens=findings.measure_tokens(matched, counter=named, estimated=estimated, max_tokens=max_tokens),
        lengths=findings.measure_lengths(matched),
        overlaps=shown_rows.find_overlaps(matched),
        worst=shown_rows.worst_rows(matched, extra),
        rows_with_defects_before=sum(count for text, count in defect_counts(old).items() if text),
        rows_with_defects_after=sum(count for text, count in defect_counts(new).items() if text),
        columns_added=_columns_only_in(new_splits, old_splits),
        columns_removed=_columns_only_in(old_splits, new_splits),
        notes=(
            *findings.notes(matched),
            *mask_note(masked),
            *([stale_note(stale)] if stale else ()),
            *_not_kept(transforms),
            *_across_rows(new_splits, layout),
        ),
        edits=edits,
        more_changes=matched.edits.total - len(edits),
        baselines=findings.plain_choices(matched),
        failures=findings.failures(matched),
        columns=findings.column_meanings(matched, layout),
        refused=refused_sample(refused),
        decisions=findings.decisions(transforms),
        generated=findings.generated(transforms) or remembered(new_splits),
        steps=tuple(sorted({f"{step.by} {step.version}" for step in done}))[:MOST_STEPS],
    )


# --------------------------------------------------------------------------------------------------------------- input


def _both(before: Any, after: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    old, new = splits_of(before, "the first dataset"), splits_of(after, "the second dataset")
    if isinstance(before, Mapping) != isinstance(after, Mapping):
        many, name = (
            ("first", next(iter(old), "train"))
            if isinstance(before, Mapping)
            else ("second", next(iter(new), "train"))
        )
        raise HfcleanError(
            f"compare got a DatasetDict and a Dataset; expected two of a kind. Take one split of the {many}: "
            f"[{name!r}], or wrap the other: DatasetDict({{{name!r}: ds}})"
        )
    if not isinstance(before, Mapping):  # one split each, whatever they call it
        name = str(after.split or before.split or "train")
        return {name: before}, {name: after}
    return old, new


def _counter(tokenizer: Any) -> tuple[TokenCounter, str, bool]:
    """What counts tokens, what to call it, and whether it only estimates."""
    if tokenizer is None:
        return _estimate, "4 bytes of UTF-8 a token", True
    named = getattr(tokenizer, "__name__", None) or type(tokenizer).__name__
    encode = getattr(tokenizer, "encode", None)
    if encode is None and not callable(tokenizer):
        raise HfcleanError(f"tokenizer={tokenizer!r} neither can be called nor has encode(); expected str -> int")

    def count(text: str) -> int:
        if encode is None:
            number = tokenizer(text)
        else:
            encoded = encode(text)
            number = len(getattr(encoded, "ids", encoded))
        if isinstance(number, bool) or not isinstance(number, int):
            raise HfcleanError(f"tokenizer {named} returned {type(number).__name__}; expected the number of tokens")
        return number

    return count, str(named), False


def _estimate(text: str) -> int:
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size // 4)


def _with_hashes(
    edits: Sequence[Edit], old: Mapping[str, SplitRows], new: Mapping[str, SplitRows]
) -> tuple[Edit, ...]:
    """The changes with the hashes of the texts that people may decide about: where a reviser gave the rows ids, and
    what is shown as the text before is the original, which a rejected row has again."""
    if any(rows.has_id for rows in old.values()):
        return tuple(edits)
    return tuple(
        replace(edit, text_hash=f"{int(new[edit.split].digests[edit.index]):016x}") if new[edit.split].has_id else edit
        for edit in edits
    )


def _shape(old: dict[str, SplitRows], new: dict[str, SplitRows]) -> str:
    shapes = [{rows.view.shape: None for rows in side.values() if rows.view and len(rows)} for side in (old, new)]
    shape_names = list(dict.fromkeys([*shapes[0], *shapes[1]]))
    if len(shape_names) > 1:
        first, second = (" and ".join(side) or "empty" for side in shapes)
        said = (
            f"the first dataset holds {first} rows and the second {second}, so their texts cannot be compared. "
            "Compare before converting, or name the columns that hold the same:"
        )
        raise SchemaError(f"{said} columns={{...}}").with_flags(f"{said} --columns ROLE=COLUMN,...")
    return shape_names[0] if shape_names else ""


def _columns_only_in(these: dict[str, Any], those: dict[str, Any]) -> tuple[str, ...]:
    """Columns of `these` that `those` lack; an empty split may lack any, and says nothing."""
    names = dict.fromkeys(name for ds in these.values() for name in ds.column_names)
    others = {name for ds in those.values() for name in ds.column_names}
    return tuple(name for name in names if name not in others) if any(len(ds) for ds in those.values()) else ()


def _across_rows(splits: Mapping[str, Any], layout: Layout) -> list[str]:
    """What only shows between rows: contradictions, and thoughts on some rows only."""
    found = {name: found_in(ds, layout).notes() for name, ds in splits.items() if len(ds)}
    return [f"{name}: {line}" if len(splits) > 1 else line for name, lines in found.items() for line in lines]


def _not_kept(transforms: Sequence[Mapping[str, Any]]) -> list[str]:
    """That refused revisions are not kept, where a run noted it."""
    return [NOT_KEPT] if any(NOT_KEPT in (each.get("usage") or {}).get("notes", ()) for each in transforms) else []


def _reasons(removed: Any, layout: Layout) -> dict[str, str]:
    """Why rows were dropped, by row id."""
    reasons: dict[str, str] = {}
    row_id = layout.own("row_id")
    for ds in splits_of(removed, "removed").values() if removed is not None else ():
        missing = [name for name in (row_id, shown_rows.REASON_COLUMN) if name not in ds.column_names]
        if missing and len(ds):
            raise ColumnError(
                f"removed= has no column {missing[0]!r}, only {ds.column_names}; expected the rows that were dropped, "
                f"with {row_id} and {shown_rows.REASON_COLUMN}"
            )
        for rows in iterate(ds, (row_id, shown_rows.REASON_COLUMN)):
            reasons |= {str(row[row_id]): str(row[shown_rows.REASON_COLUMN] or "") for row in rows}
    return reasons
