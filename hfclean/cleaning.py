"""The whole way of a dataset: revise, ask models, score, mark duplicates. Steps that need to see every row at once are
here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np

from hfclean import processes
from hfclean.cleaned import Cleaned, origin_of
from hfclean.errors import ColumnError, HfcleanError
from hfclean.kept_parts import KeptParts
from hfclean.layout import Layout
from hfclean.models import ModelSpec, ModelTransform, Usage, open_backend
from hfclean.models.useless_answers import Use, UselessWatch, first_rows, nothing_came
from hfclean.models.work import once
from hfclean.passes import (
    arrow_batches,
    chunks,
    column_batches,
    filled,
    folder_of,
    numbers,
    release,
    strings_table,
)
from hfclean.processes import NumProc, count_for
from hfclean.provenance import DUPLICATE_COLUMN, HISTORY, UNPARSED, Step, parse_history, row_ids
from hfclean.reviser import RuleReviser
from hfclean.reviser import revise as rules_reviser
from hfclean.reviser.pii import MaskPII
from hfclean.reviser.refused import NOT_KEPT, refused_revisions, still_refused
from hfclean.reviser.scored import BEFORE, RevisedAndScored, in_one_pass
from hfclean.row_ids import RowIds, codes_of, first_of, numbered, text_code
from hfclean.schema import refuse_unknown_roles
from hfclean.scorers.embedded.score import Score
from hfclean.scorers.embedded.score import score as embedded_score
from hfclean.scorers.personal import PII
from hfclean.selection.row_context import context_keys
from hfclean.transform import Transform, cached_elsewhere
from hfclean.values import stored_columns

MARK = "mark_duplicates"
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
    from datasets import Dataset, DatasetDict

    revisers = in_order(reviser)
    first = revisers[0] if revisers else None
    origin = origin_of(ds, first.layout if first else Layout())
    extra = tuple(rule for each in revisers if isinstance(each, RuleReviser) for rule in each.extra)
    origin, ds = replace(origin, extra=extra), origin.rows
    embedded = (score if isinstance(score, Transform) else _score_like(first),) if score else ()
    transforms = [*revisers, *embedded, *scorers]
    if strict:
        transforms = [strictly(transform) for transform in transforms]
        revisers = tuple(transforms[: len(revisers)])
    for transform in transforms:
        if isinstance(transform, ModelTransform):
            transform.check_access()
    done: list[dict[str, Any]] = []
    failures: list[str] = []
    before: dict[str, Any] = {}
    cached = cached_elsewhere(ds)
    splits = {"": cached} if isinstance(ds, Dataset) else dict(cached)
    transforms = [_settled(transform, splits) for transform in transforms]
    revisers = tuple(transforms[: len(revisers)])
    first = revisers[0] if revisers else None
    _check_roles(splits, transforms)
    for transform in _passes(transforms):
        if isinstance(transform, ModelTransform):
            splits, entry, failed = _with_model(splits, transform, show=show)
            done.append(entry)
            failures += failed
            continue
        steps = transform.steps if isinstance(transform, RevisedAndScored) else (transform,)
        done += map(_describe, steps)
        for name, part in splits.items():
            label = f"{'revising' if steps[0] in revisers else 'scoring'} {name}".strip()
            splits[name] = part = mapped(part, transform, label, num_proc, kept_parts)
            if BEFORE in part.column_names:
                splits[name], before[name] = part.remove_columns(BEFORE), part.select_columns(BEFORE)
    removed = {}
    if first is not None:
        done.append({"by": MARK, "version": 1})
        splits = _unique_ids(splits, first.layout.own("row_id"))
        for name, part in splits.items():
            splits[name] = marked = _mark_duplicates(part, first.layout)
            if drop_duplicates:
                splits[name], dropped = _without_duplicates(marked, first.layout)
                if len(dropped):
                    removed[name] = dropped
    refused = _refused(splits[""] if isinstance(ds, Dataset) else splits, revisers[-1]) if revisers else None
    if isinstance(ds, Dataset):
        return Cleaned(splits[""], removed.get(""), tuple(done), tuple(failures), refused, origin=origin)
    dropped_rows = DatasetDict(removed) if removed else None
    known = before if len(revisers) == 1 else {}
    return Cleaned(DatasetDict(splits), dropped_rows, tuple(done), tuple(failures), refused, known, origin)


def _refused(ds: Any, reviser: Transform) -> Any | None:
    """The revisions that a model's reviser proposed and the gate refused."""
    from hfclean.reviser.modelled import ModelReviser

    return refused_revisions(ds, reviser) if isinstance(reviser, ModelReviser) else None


def _settled(transform: Transform, splits: Mapping[str, Any]) -> Transform:
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


def _describe(transform: Transform) -> dict[str, Any]:
    entry = {"by": type(transform).__name__, "version": transform.version, "settings": transform.settings()}
    words = transform.own_words() if isinstance(transform, ModelTransform) else {}
    return {**entry, **({"words": words} if words else {}), **transform.depends()}


# --------------------------------------------------------------------------------------------------------- with models


def _with_model(
    splits: Mapping[str, Any], transform: ModelTransform, *, show: bool
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The splits as a model revised them, what to report about it, and what failed."""
    before = transform.usage()
    out = {}
    one_by_one = transform if transform.keeps_answers else _Watched(transform)
    with once():
        ahead = transform.prefetch(splits, show=show).since(before) if transform.keeps_answers else None
        for name, part in splits.items():
            # Which rows fail differs every time. Under the usual fingerprint, datasets would go on serving
            # what it once cached of them, here and in every step that follows.
            out[name] = part.with_format(None).map(
                one_by_one,
                batched=True,
                desc=f"writing {name}".strip(),
                load_from_cache_file=False,
                new_fingerprint=token_hex(8),
            )
    usage = transform.usage().since(before)
    entry = _describe(transform)
    head = {name: entry.pop(name) for name in ("by", "version", "settings")}
    used = _used(usage, cached=usage.cached if ahead is None else ahead.cached)
    if not transform.keeps_answers and _any_reverted(out, transform):
        used["notes"].append(NOT_KEPT)
    if transform.spec().kind == "server" and transform.keeps_answers:
        used["answers_of"] = open_backend(transform.spec()).source
    asked = usage.asked or usage.cached or any(count for _, count in usage.failed)
    failed = _nothing_came(out, transform) if asked else ""
    return out, {**head, "models": _models(out, transform), "usage": used, **entry}, [failed] if failed else []


class _Watched:
    """A transform whose answers nobody keeps, so that none were asked for ahead: it stops if the first are useless."""

    def __init__(self, transform: ModelTransform) -> None:
        self.transform, self.watch, self.place = transform, UselessWatch(transform.spec(), kept=False), 0

    def __call__(self, batch: Any) -> dict[str, list[Any]]:
        """The columns of a `LazyBatch`; few rows at a time until one has an answer that can be used."""
        table, few = batch.pa_table, first_rows(self.transform.spec())
        out: dict[str, list[Any]] = {}
        start = 0
        while start < len(table):
            part = type(batch)(table.slice(start, None if self.watch.over else few), batch.formatter)
            heard = self.transform.hear(part)
            asked = list(zip(heard.conversations, heard.answers, strict=True))
            self.watch.add(self.place, *self.transform.uses(heard.columns), asked)
            self.place, start = self.place + 1, start + len(part.pa_table)
            for name, column in stored_columns(heard.columns, part).items():
                out.setdefault(name, []).extend(column)
        return out


def _nothing_came(splits: Mapping[str, Any], transform: ModelTransform) -> str:
    """The message for a model that was asked and gave no row a usable answer."""
    uses: list[Use] = []
    reasons: list[str] = []
    for part in splits.values():
        for batch in column_batches(part, part.column_names):
            found = transform.uses(batch)
            uses += found[0]
            reasons += found[1]
    return nothing_came(transform.spec(), uses, reasons)


def _any_reverted(splits: Mapping[str, Any], transform: ModelTransform) -> bool:
    from hfclean.reviser.modelled import ModelReviser

    edit = transform.layout.own("edit")
    parts = [part for part in splits.values() if edit in part.column_names]
    batches = (batch[edit] for part in parts for batch in column_batches(part, [edit]))
    return isinstance(transform, ModelReviser) and any("reverted" in edits for edits in batches)


def _used(usage: Usage, *, cached: int) -> dict[str, Any]:
    """The cost of a run, as JSON can hold it."""
    return {
        "asked": usage.asked,
        "cached": cached,
        "failed": dict(usage.failed),
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "estimated": usage.estimated,
        "cost": round(usage.cost, 6) if usage.currency else None,
        "currency": usage.currency,
        "reused": usage.reused,
        "reused_prompt_tokens": usage.reused_prompt_tokens,
        "reused_completion_tokens": usage.reused_completion_tokens,
        "reused_on": dict(usage.reused_on),
        "notes": list(usage.notes),
    }


def _models(splits: Mapping[str, Any], transform: ModelTransform) -> list[str]:
    """The names of the models that answered, as the rows' histories have them."""
    found, name = set(), transform.layout.own(HISTORY)
    for part in splits.values():
        for batch in column_batches(part, [name]) if name in part.column_names else ():
            for text in set(batch[name]):
                steps = [step for step in parse_history(text) or () if step.by == type(transform).__name__]
                found |= {step.model for step in steps[-1:] if step.model}
    return sorted(found)


def failed_rows(ds: Any, layout: Layout) -> dict[str, list[int]]:
    """Which rows of each split of a `DatasetDict` got no revision because the last reviser failed on them or could not
    read what the model answered."""
    edit, reason = layout.own("edit"), layout.own("edit_reason")
    found: dict[str, list[int]] = {}
    for split, part in ds.items():
        rows = (
            cells
            for batch in (column_batches(part, [edit, reason]) if {edit, reason} <= set(part.column_names) else ())
            for cells in zip(batch[edit], batch[reason], strict=True)
        )
        found[split] = [
            k
            for k, (what, why) in enumerate(rows)
            if what == "failed" or (what == "reverted" and UNPARSED in why.split())
        ]
    return found


def retry_failed(
    ds: Any,
    reviser: ModelTransform,
    *,
    transforms: Sequence[Mapping[str, Any]] = (),
    show: bool = True,
    refused: Any | None = None,
) -> Cleaned:
    """Ask again for the rows of a revised `DatasetDict` that failed or whose answer was unreadable, and for no others.

    An answer that could not be read stays in the file of answers and is passed over: the row is asked for in a further
    attempt, which is kept by itself. Stopped or killed, the same call asks for the rest of them only. Scores and
    duplicates are brought up to date; a row that fails again stays as it was. What was dropped before stays dropped.

    Args:
        ds: the result of `clean`, or a folder that holds it.
        reviser: the one that failed, or another to do it instead.
        transforms: the steps so far, as `clean` records them. The cost of asking again is added to the reviser's
            entry, with the number of rows as `retried`; a reviser without an entry gets one.
        show: whether to show a live line while the model is asked.
        refused: `Cleaned.refused` of the result so far; those of the rows that are asked for again are replaced.

    Raises:
        BackendError: the model cannot be asked at all. Every answer so far is kept.
    """
    from datasets import DatasetDict, concatenate_datasets

    from hfclean.reviser.modelled import ModelReviser

    reviser.check_access()
    ds = cached_elsewhere(ds)
    places = failed_rows(ds, reviser.layout)
    count = sum(map(len, places.values()))
    reviser = _patient(reviser, count)
    if isinstance(reviser, ModelReviser):
        reviser = replace(reviser, retry_unparsed=True)
    chosen = {split: part.with_format(None).select(places[split]) for split, part in ds.items() if places[split]}
    mended, retry_entry, failures = _with_model(chosen, reviser, show=show)
    splits = dict(ds)
    for split, part in mended.items():
        rest = sorted({*range(len(ds[split]))}.difference(places[split]))
        both = concatenate_datasets([ds[split].with_format(None).select(rest), part.cast(ds[split].features)])
        order = {k: n for n, k in enumerate([*rest, *places[split]])}
        splits[split] = _mark_duplicates(both.select([order[k] for k in range(len(both))]), reviser.layout)
    if failures and not _nothing_came(splits, reviser):
        failures = []  # those that failed before fail again, and others are well: no news
    name = reviser.layout.own("row_id")
    again = [
        str(row_id) for part in mended.values() for batch in column_batches(part, [name]) for row_id in batch[name]
    ]
    both = (still_refused(refused, splits, reviser.layout, but=again), _refused(mended, reviser))
    parts = [each for each in both if each is not None]
    return Cleaned(
        DatasetDict(splits),
        None,
        _with_retry(transforms, {**retry_entry, "retried": count}),
        tuple(failures),
        concatenate_datasets(parts) if parts else None,
    )


def _with_retry(transforms: Sequence[Mapping[str, Any]], entry: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The record of the steps, with the cost of asking again added."""
    found = [dict(each) for each in transforms]
    for each in found:
        if "usage" in each and all(each.get(name) == entry[name] for name in ("by", "version", "settings")):
            old, new = each["usage"], entry["usage"]
            usage = {name: value + old.get(name, 0) for name, value in new.items() if isinstance(value, int)}
            priced = old.get("cost") is not None and new["cost"] is not None and old["currency"] == new["currency"]
            each["usage"] = {
                **new,
                **usage,
                "cost": round(old["cost"] + new["cost"], 6) if priced else None,
                "notes": list(dict.fromkeys([*old.get("notes", ()), *new["notes"]])),
                "reused_on": dict(sorted((Counter(old.get("reused_on", {})) + Counter(new["reused_on"])).items())),
            }
            each["models"] = sorted({*each.get("models", ()), *entry["models"]})
            each["retried"] = each.get("retried", 0) + entry["retried"]
            return tuple(found)
    return (*found, entry)


def _patient(reviser: ModelTransform, rows: int) -> ModelTransform:
    """The reviser with more patience than rows: where only those are left that failed before, many failures in a row
    do not mean that the server is down, and what does come must not be thrown away with them."""
    spec = reviser.spec()
    limits = replace(spec.limits, give_up_after=max(spec.limits.give_up_after, rows + 1))
    if isinstance(reviser.model, ModelSpec):
        return replace(reviser, model=replace(spec, limits=limits))
    return replace(reviser, limits=limits)


# ----------------------------------------------------------------------------------------------- the whole dataset


def _unique_ids(splits: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Row ids that are unique over all splits."""
    parts = {split: part for split, part in splits.items() if len(part) and name in part.column_names}
    unique = dict(zip(parts, numbered([_ids_of(part, name) for part in parts.values()]), strict=True))
    key = "".join(part._fingerprint for part in parts.values())
    return {
        split: _with_columns(part, {name: map(_strings, chunks(unique[split]))}, f"ids {key}")
        if split in unique
        else part
        for split, part in splits.items()
    }


def _ids_of(part: Any, name: str) -> RowIds:
    ids, start = RowIds.blank(len(part), part), 0
    for cells in arrow_batches(part, name):
        ids.put(start, cells.to_pylist())
        start += len(cells)
    return ids


def _mark_duplicates(ds: Any, layout: Layout) -> Any:
    """A revised `Dataset` with the column `duplicate_of`: the `row_id` of the first row with the same text, else `""`.

    Same text means equal in all columns of the row's shape, as they are now, and in what the row asks beside them:
    pictures and sounds (by their bytes, else by their path), tools, system prompt, history. An empty split gets no
    column.
    """
    import pyarrow.compute as pc

    name, history = layout.own(DUPLICATE_COLUMN), layout.own(HISTORY)
    if len(ds) == 0 or layout.own("row_id") not in ds.column_names:
        return ds  # map adds no columns to an empty split, and neither does this
    step = Step(MARK, 1, (DUPLICATE_COLUMN,))
    ours = any(s.by == MARK for s in parse_history(ds.with_format(None).select_columns([history])[0][history]) or ())
    if name in ds.column_names and not ours:
        raise ColumnError(
            f"the dataset already has a column {name!r}, and marking duplicates would overwrite it. Rename yours: "
            f"ds.rename_column({name!r}, 'my_{name}'); or give ours another name: prefix='hfclean_'"
        )
    ids = _ids_of(ds, layout.own("row_id"))
    # the id names the original; duplicates are sought in the revised text
    codes = numbers(len(ds), "uint64", ds)
    codes[:] = ids.codes
    for k in ids.others:
        codes[k] = text_code(ids.base(k))
    changed, start, view = filled(ds, layout.own("original")), 0, layout.view(ds.column_names)
    for batch in column_batches(ds, view.columns, changed):
        today = codes_of(row_ids(batch, view))
        codes[changed[start : start + len(today)]] = today
        start += len(today)
    keys = context_keys(ds, layout, whole=False)
    first = first_of(codes) if keys is None else first_of(codes, keys)
    marks = chunks(ids[int(row)] if row != k else "" for k, row in enumerate(first))
    lines = arrow_batches(ds, history)
    if not ours:
        lines = (pc.binary_join_element_wise(cells, step.line(), "\n") for cells in lines)
    return _with_columns(ds, {name: map(_strings, marks), history: lines}, f"{MARK} {layout}")


def _without_duplicates(ds: Any, layout: Layout) -> tuple[Any, Any]:
    """The dataset without its marked duplicates, and these with the reason."""
    name = layout.own(DUPLICATE_COLUMN)
    if name not in ds.column_names:
        return ds, ds
    marked = filled(ds, name)
    kept = ds.select(np.delete(np.arange(len(ds)), marked))
    dropped = ds.select(marked)
    reasons = [f"exact duplicate of {mark}" for mark in dropped[name][:]]
    return kept, dropped.add_column("removed_reason", reasons) if reasons else dropped


def _with_columns(ds: Any, new: Mapping[str, Iterable[Any]], key: str) -> Any:
    """The dataset with these string columns set, each where it was, new ones last. A dataset in files gets one more of
    them; `key` says what the columns are made of beside its rows."""
    from datasets import Dataset, Features, Value
    from datasets.table import concat_tables

    order = list(dict.fromkeys([*ds.column_names, *new]))
    fingerprint = sha256(f"{ds._fingerprint} {key} {list(new)}".encode()).hexdigest()[:16]
    folder, tables = folder_of(ds), []
    for number, (name, cells) in enumerate(new.items()):
        file = Path(folder) / f"cache-{fingerprint}-{number}.arrow" if folder else None
        tables.append(strings_table(name, len(ds), cells, file))
    left = ds.remove_columns([name for name in new if name in ds.column_names])
    left = left.flatten_indices() if left._indices is not None else left
    info = left.info.copy()
    info.features = Features({**left.features, **dict.fromkeys(new, Value("string"))})
    whole = Dataset(concat_tables([left.data, *tables], axis=1), info=info, split=left.split, fingerprint=fingerprint)
    return whole.select_columns(order)


def _strings(texts: list[str]) -> Any:
    import pyarrow as pa

    return pa.array(texts, pa.string())
