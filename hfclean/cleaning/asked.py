"""What a model's reviser does to a whole dataset, what that cost, and asking again for the rows that failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Any

from hfclean.cleaned import Cleaned
from hfclean.cleaning.marks import mark_duplicates
from hfclean.layout import Layout
from hfclean.models import ModelSpec, ModelTransform, Usage, open_backend
from hfclean.models.useless_answers import Use, UselessWatch, first_rows, nothing_came
from hfclean.models.work import once
from hfclean.passes import column_batches
from hfclean.provenance import HISTORY, UNPARSED, parse_history
from hfclean.reviser.refused import NOT_KEPT, refused_revisions, still_refused
from hfclean.transform import Transform, cached_elsewhere
from hfclean.values import stored_columns


def described(transform: Transform) -> dict[str, Any]:
    """The entry of a transform in the record of the steps, without what it cost."""
    entry = {"by": type(transform).__name__, "version": transform.version, "settings": transform.settings()}
    words = transform.own_words() if isinstance(transform, ModelTransform) else {}
    return {**entry, **({"words": words} if words else {}), **transform.depends()}


def refused_of(ds: Any, reviser: Transform) -> Any | None:
    """The revisions that a model's reviser proposed and the gate refused."""
    from hfclean.reviser.modelled import ModelReviser

    return refused_revisions(ds, reviser) if isinstance(reviser, ModelReviser) else None


def with_model(
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
    entry = described(transform)
    head = {name: entry.pop(name) for name in ("by", "version", "settings")}
    cost = used(usage, cached=usage.cached if ahead is None else ahead.cached)
    if not transform.keeps_answers and _any_reverted(out, transform):
        cost["notes"].append(NOT_KEPT)
    if transform.spec().kind == "server" and transform.keeps_answers:
        cost["answers_of"] = open_backend(transform.spec()).source
    asked = usage.asked or usage.cached or any(count for _, count in usage.failed)
    failed = what_never_came(out, transform) if asked else ""
    return out, {**head, "models": models_of(out, transform), "usage": cost, **entry}, [failed] if failed else []


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


def what_never_came(splits: Mapping[str, Any], transform: ModelTransform) -> str:
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


def used(usage: Usage, *, cached: int) -> dict[str, Any]:
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


def models_of(splits: Mapping[str, Any], transform: ModelTransform) -> list[str]:
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
    mended, retry_entry, failures = with_model(chosen, reviser, show=show)
    splits = dict(ds)
    for split, part in mended.items():
        rest = sorted({*range(len(ds[split]))}.difference(places[split]))
        both = concatenate_datasets([ds[split].with_format(None).select(rest), part.cast(ds[split].features)])
        order = {k: n for n, k in enumerate([*rest, *places[split]])}
        splits[split] = mark_duplicates(both.select([order[k] for k in range(len(both))]), reviser.layout)
    if failures and not what_never_came(splits, reviser):
        failures = []  # those that failed before fail again, and others are well: no news
    name = reviser.layout.own("row_id")
    again = [
        str(row_id) for part in mended.values() for batch in column_batches(part, [name]) for row_id in batch[name]
    ]
    both = (still_refused(refused, splits, reviser.layout, but=again), refused_of(mended, reviser))
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
