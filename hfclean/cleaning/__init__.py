"""The whole way of a dataset: revise, ask models, score, mark duplicates. Steps that need to see every row at once are
in `marks`, what models need in `asked`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hfclean import processes
from hfclean.cleaned import Cleaned, Origin, origin_of
from hfclean.cleaning.asked import described, failed_rows, refused_of, retry_failed, with_model
from hfclean.cleaning.marks import MARK, mark_duplicates, unique_ids, without_duplicates
from hfclean.errors import HfcleanError
from hfclean.kept_parts import KeptParts
from hfclean.layout import Layout
from hfclean.models import ModelTransform
from hfclean.passes import release
from hfclean.processes import NumProc, count_for
from hfclean.reviser import RuleReviser
from hfclean.reviser import revise as rules_reviser
from hfclean.reviser.pii import MaskPII
from hfclean.reviser.scored import BEFORE, RevisedAndScored, in_one_pass
from hfclean.schema import refuse_unknown_roles
from hfclean.scorers.embedded.score import Score
from hfclean.scorers.embedded.score import score as embedded_score
from hfclean.scorers.personal import PII
from hfclean.transform import Transform, cached_elsewhere

__all__ = [
    "RowByRow",
    "all_steps",
    "clean",
    "described_origin",
    "failed_rows",
    "in_order",
    "mapped",
    "of_one_split",
    "over_all_rows",
    "retry_failed",
    "row_by_row",
    "settled",
    "strictly",
]

PART = 100_000  # rows that are mapped at a time
# what comes of a row and their settings alone, without a model
PURE = (RuleReviser, Score, RevisedAndScored, MaskPII, PII)


def clean(
    ds: Any,
    *,
    reviser: Transform | Sequence[Transform] | None = rules_reviser,
    score: bool | Transform = True,
    scorers: Sequence[Transform] = (),
    drop_duplicates: bool = False,
    show: bool = True,
    strict: bool = False,
    num_proc: NumProc = "auto",
    kept_parts: KeptParts | None = None,
) -> Cleaned:
    """Revise, score and look for exact duplicates over a whole dataset.

    Adds the columns of the reviser and of `hfclean.score`, makes `row_id` unique (the second row of the same text gets
    the suffix `-2`), and adds `duplicate_of`: the id of the first row of the same split that has the same text after
    revision, `""` for all others.

    A transform that asks a model asks for the whole dataset at full speed before its rows are written. Every answer is
    kept as it comes: after a crash, the same call asks for the rest only.

    Args:
        ds: a `Dataset` or `DatasetDict`; left as it is. Or what one is made of: the name of a file or folder, or an id
            of the Hub, as the command line takes it (several files as a list), which gives a `DatasetDict`; a list of
            dicts, or a frame of pandas or polars, which give a `Dataset`. A streaming dataset is first read to its end
            and written to the temporary folder of `datasets`.
        reviser: what revises, or several in order, such as `(hfclean.revise, hfclean.Reviser(...))`; `None` only
            scores.
        score: whether the embedded scores are added, reading rows as the reviser does; or a `Score` that says how.
        scorers: your own scorers, run after them.
        drop_duplicates: drop the rows that `duplicate_of` marks. They are returned as `removed`.
        show: whether to show a live line while a model is asked.
        strict: stop at the first row on which a rule, scorer or check raises, as if each transform had been given
            `strict=True`. By default the row says what was raised, and `hfclean.compare` counts such rows.
        num_proc: how many processes run rules and embedded scores; the rows are the same for any number. By default
            what HFCLEAN_NUM_PROC says, else one for each core from 20,000 rows on, where processes can be forked.
        kept_parts: where each 100,000 rows that rules and embedded scores are done with are kept, so that the same
            call goes on from there once it was stopped: `with KeptParts() as kept_parts:`. By default nowhere.

    Raises:
        StrictError: one raised, and `strict` is set.
        BackendError: a model cannot be asked at all (no key, no server, money spent), or no answer for the first rows
            can be used. Every answer so far is kept.
        SchemaError: rows of no known shape.
        ColumnError: the dataset already has a column of one of these names.
        SourceError: there is nothing of that name, or it cannot be read.
        HfcleanError: no rows in any of these forms, or a stream that fails.

    >>> import hfclean
    >>> cleaned = hfclean.clean([{"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}])
    >>> cleaned.dataset[0]["output"]
    'An apple.'
    """
    from datasets import Dataset

    done = row_by_row(
        ds,
        reviser=reviser,
        score=score,
        scorers=scorers,
        show=show,
        strict=strict,
        num_proc=num_proc,
        kept_parts=kept_parts,
    )
    cleaned = over_all_rows(done, drop_duplicates=drop_duplicates)
    if isinstance(done.origin.rows, Dataset):
        cleaned = of_one_split(cleaned)
    return replace(cleaned, refused=refused_of(cleaned.dataset, done.reviser)) if done.reviser else cleaned


def of_one_split(cleaned: Cleaned) -> Cleaned:
    """The result for a `Dataset`, whose one split has no name."""
    return replace(cleaned, dataset=cleaned.dataset[""], removed=cleaned.removed and cleaned.removed[""], known={})


@dataclass(frozen=True)
class RowByRow:
    """What a cleaning did to each row by itself: all but ids that are unique, duplicates, and what was refused.

    Attributes:
        splits: the rows by split; of a `Dataset`, the one split `""`.
        known: see `Cleaned.known`.
        transforms, failures: as in `Cleaned`, without what comes next.
        layout: how the revisers read rows; `None` where the rows were only scored.
        origin: what went in.
        reviser: the last one.
    """

    splits: Mapping[str, Any]
    known: Mapping[str, Any]
    transforms: tuple[dict[str, Any], ...]
    failures: tuple[str, ...]
    layout: Layout | None
    origin: Origin
    reviser: Transform | None = None


def row_by_row(
    ds: Any,
    *,
    reviser: Transform | Sequence[Transform] | None = rules_reviser,
    score: bool | Transform = True,
    scorers: Sequence[Transform] = (),
    show: bool = True,
    strict: bool = False,
    num_proc: NumProc = "auto",
    kept_parts: KeptParts | None = None,
    chosen: Callable[[Any], Any] | None = None,
) -> RowByRow:
    """The part of `clean` that does not need to see every row at once. The arguments are the same, and:

    Args:
        chosen: takes a split and gives the rows of it that are worked on. How rows are read is decided by all of them.

    Raises:
        HfcleanError: as `clean`.
    """
    from datasets import Dataset

    revisers = in_order(reviser)
    transforms = all_steps(revisers, score, scorers)
    origin = described_origin(ds, revisers)
    ds = origin.rows
    if strict:
        transforms = [strictly(transform) for transform in transforms]
    for transform in transforms:
        if isinstance(transform, ModelTransform):
            transform.check_access()
    done: list[dict[str, Any]] = []
    failures: list[str] = []
    before: dict[str, Any] = {}
    cached = cached_elsewhere(ds)
    splits = {"": cached} if isinstance(ds, Dataset) else dict(cached)
    transforms = [settled(transform, splits) for transform in transforms]
    revisers = tuple(transforms[: len(revisers)])
    _check_roles(splits, transforms)
    if chosen is not None:
        splits = {name: chosen(part) for name, part in splits.items()}
    for transform in _passes(transforms):
        if isinstance(transform, ModelTransform):
            splits, entry, failed = with_model(splits, transform, show=show)
            done.append(entry)
            failures += failed
            continue
        steps = transform.steps if isinstance(transform, RevisedAndScored) else (transform,)
        done += map(described, steps)
        for name, part in splits.items():
            label = f"{'revising' if steps[0] in revisers else 'scoring'} {name}".strip()
            splits[name] = part = mapped(part, transform, label, num_proc, kept_parts)
            if BEFORE in part.column_names:
                splits[name], before[name] = part.remove_columns(BEFORE), part.select_columns(BEFORE)
    known = before if len(revisers) == 1 else {}
    layout = revisers[0].layout if revisers else None
    last = revisers[-1] if revisers else None
    return RowByRow(splits, known, tuple(done), tuple(failures), layout, origin, last)


def all_steps(revisers: Sequence[Transform], score: bool | Transform, scorers: Sequence[Transform]) -> list[Transform]:
    """What is done to each row, in order; the arguments are those of `clean`."""
    embedded = (score if isinstance(score, Transform) else _score_like(revisers[0] if revisers else None),)
    return [*revisers, *(embedded if score else ()), *scorers]


def described_origin(ds: Any, revisers: Sequence[Transform]) -> Origin:
    """What went in, with the rules of the user's own that take part.

    Raises:
        HfcleanError: see `origin_of`.
    """
    extra = tuple(rule for each in revisers if isinstance(each, RuleReviser) for rule in each.extra)
    return replace(origin_of(ds, revisers[0].layout if revisers else Layout()), extra=extra)


def over_all_rows(done: RowByRow, *, drop_duplicates: bool = False) -> Cleaned:
    """The rest of `clean`: ids that are unique, and duplicates. Every dataset is by split, and nothing is known of
    what was refused."""
    from datasets import DatasetDict

    splits, removed, entries = dict(done.splits), {}, list(done.transforms)
    if done.layout is not None:
        entries.append({"by": MARK, "version": 1})
        splits = unique_ids(splits, done.layout.own("row_id"))
        for name, part in splits.items():
            splits[name] = marked = mark_duplicates(part, done.layout)
            if drop_duplicates:
                splits[name], dropped = without_duplicates(marked, done.layout)
                if len(dropped):
                    removed[name] = dropped
    dropped_rows = DatasetDict(removed) if removed else None
    return Cleaned(DatasetDict(splits), dropped_rows, tuple(entries), done.failures, None, done.known, done.origin)


def settled(transform: Transform, splits: Mapping[str, Any]) -> Transform:
    """The transform, reading all rows as the first of them decide."""
    layout = transform.layout.settled(splits)
    return transform if layout == transform.layout else transform.with_layout(layout)


def _check_roles(splits: Mapping[str, Any], transforms: Sequence[Transform]) -> None:
    parts = [part.with_format(None) for part in splits.values() if len(part)]
    if transforms and parts:
        view = transforms[0].layout.view(parts[0].column_names)
        refuse_unknown_roles((row for part in parts for row in part.select_columns(list(view.columns))), view)


def _score_like(reviser: Transform | None) -> Transform:
    """The embedded scores, reading rows as the reviser does."""
    if reviser is None:
        return embedded_score
    return embedded_score.with_layout(reviser.layout)


def strictly(transform: Transform) -> Transform:
    """The transform, stopping at the first row on which a rule, scorer or check raises, where it has such."""
    has = any(spec.name == "strict" for spec in fields(transform))
    return replace(transform, strict=True) if has else transform  # type: ignore[call-arg]


def in_order(reviser: Transform | Sequence[Transform] | None) -> tuple[Transform, ...]:
    """The revisers, one after the other.

    Raises:
        HfcleanError: they do not read or name the columns alike, so that the second would not know the first's.
    """
    if reviser is None:
        return ()
    revisers = (reviser,) if isinstance(reviser, Transform) else tuple(reviser)
    for name in ("columns", "prefix", "turns", "side"):
        values = [getattr(each, name) for each in revisers]
        if any(value != values[0] for value in values):
            settings = ", ".join(f"{type(r).__name__}({name}={v!r})" for r, v in zip(revisers, values, strict=True))
            raise HfcleanError(f"revisers that run together have to agree on {name}, and these do not: {settings}")
    return revisers


def _passes(transforms: Sequence[Transform]) -> Iterator[Transform]:
    """The transforms, each as one pass over the rows; rules and the embedded scores right after them share one."""
    left = list(transforms)
    while left:
        first, *rest = left
        if rest and type(first) is RuleReviser and type(rest[0]) is Score and first.layout == rest[0].layout:
            yield in_one_pass(first, rest[0], keeps=True)
            left = rest[1:]
        else:
            yield first
            left = rest


def mapped(
    part: Any,
    transform: Transform,
    label: str,
    num_proc: NumProc = "auto",
    kept_parts: KeptParts | None = None,
) -> Any:
    """What `map` makes of a split, in batches of the same rows for any number of processes: a parquet file of it has
    the same bytes."""
    from datasets import concatenate_datasets

    part = part.with_format(None)
    count = _processes(len(part), transform, num_proc)
    pieces = [part] if len(part) <= PART else [part.select(each) for each in _pieces(len(part))]
    kept = kept_parts if len(pieces) > 1 and type(transform) in PURE else None
    begun = kept.begun(pieces, transform, label) if kept else [(Path(), None)] * len(pieces)
    done = []
    for number, (piece, (file, made)) in enumerate(zip(pieces, begun, strict=True)):
        if made is None:
            pair = processes.mapped(piece, transform, label, count)
            made = pair[0] if len(pair) == 1 else concatenate_datasets(pair)
            if kept:
                kept.keep(file, made, len(pieces) - number)
        done.append(made)
        release(piece, *done)
    return done[0] if len(done) == 1 else concatenate_datasets(done)


def _pieces(rows: int) -> Iterator[range]:
    return (range(start, min(start + PART, rows)) for start in range(0, rows, PART))


def _processes(rows: int, transform: Transform, num_proc: NumProc) -> int:
    """How many processes a transform runs in: one where it may hold a model, or code that does not bear a fork."""
    return count_for(rows, num_proc) if type(transform) in PURE else 1
