"""Findings: what two matched datasets tell, one part of the report at a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfclean.checks import TRUSTS
from hfclean.codes import REASONS
from hfclean.columns import DUPLICATE_OF
from hfclean.errors import describe_error
from hfclean.layout import Layout
from hfclean.plain_values import from_plain
from hfclean.provenance import DUPLICATE_COLUMN, Step, parse_history
from hfclean.report.distributions import histogram, quantiles
from hfclean.report.formatting import plural
from hfclean.report.matched_rows import Matched, SideBySide, defect_counts
from hfclean.report.record import (
    GENERATOR,
    UNRECORDED,
    ColumnMeaning,
    Count,
    Decisions,
    Failure,
    Generated,
    Lengths,
    ModelUse,
    Refusal,
    RuleCounts,
    ScoreChange,
    SplitCounts,
    TokenLengths,
    ranked,
)
from hfclean.report.rows import SplitRows, identity, number_names
from hfclean.rules import ROW_RULES, RULES, Rule
from hfclean.scorers.embedded.score import Score
from hfclean.selection.plain_choices import Baseline, compare_choices
from hfclean.verdicts.states import STATES

BESIDE = ("refused", "dropped")  # states that only `Applied` knows

_Place = tuple[str, int]


def split_counts(matched: Matched, split: str) -> SplitCounts:
    """The rows of one split, of either side."""
    joined, old, new = matched.joined[split], matched.old.get(split), matched.new.get(split)
    matched_rows = int((joined.origin >= 0).sum())
    edits = new.edits if new else Counter[str]()
    return SplitCounts(
        split=split,
        joined_on=joined.joined_on,
        before=len(old) if old else 0,
        after=len(new) if new else 0,
        matched=matched_rows,
        moved=len(joined.source),
        changed=matched.changed.get(split, 0),
        added=len(joined.origin) - matched_rows,
        removed=len(joined.removed),
        kept=edits["kept"],
        revised=edits["revised"],
        reverted=edits["reverted"],
        failed=edits["failed"],
        duplicates=new.duplicates if new else 0,
        elsewhere=matched.elsewhere.get(split, 0),
    )


def rule_counts(matched: Matched, extra: Sequence[Rule], masked: Mapping[str, int]) -> tuple[RuleCounts, ...]:
    """Every rule that changed something or whose defect is present, in the order in which rules run; and `masked`, the
    rows in which each kind of personal data was masked, by its reason."""
    edits = matched.edits
    before, after = (_by_defect(side) for side in (matched.old, matched.new))
    known = {rule.id: rule for rule in (*RULES, *ROW_RULES, *extra)}
    order = {name: n for n, name in enumerate(known)}
    masks = {name: count for name, count in masked.items() if name and count > 0}
    names = sorted({*edits.rows, *before, *after, *masks}, key=lambda name: (order.get(name, len(order)), name))
    return tuple(
        RuleCounts(
            id=name,
            severity=known[name].severity if name in known else "",
            meaning=known[name].meaning if name in known else REASONS.get(name, ""),
            rows=edits.rows[name] + masks.get(name, 0),
            changes=edits.changes[name] + masks.get(name, 0),
            fields=ranked(edits.fields.get(name, {})),
            defects_before=before[name],
            defects_after=after[name],
        )
        for name in names
    )


def _by_defect(side: Mapping[str, SplitRows]) -> Counter[str]:
    """In how many rows of one side each defect is present."""
    found: Counter[str] = Counter()
    for text, count in defect_counts(side).items():
        for name in text.split():
            found[name] += count
    return found


def refusals(matched: Matched) -> tuple[Refusal, ...]:
    """Why revisions were not taken, the most frequent reason first."""
    counts: Counter[str] = Counter()
    for rows in matched.new.values():
        for text, count in rows.refused.items():
            edit, *reasons = text.split()
            for reason in dict.fromkeys(reasons or ["no_reason_recorded"]):
                counts[f"{edit} {reason}"] += count
    return tuple(Refusal(*each.name.partition(" ")[::2], each.rows) for each in ranked(counts))


def failures(matched: Matched) -> tuple[Failure, ...]:
    """What raised errors, on how many rows and which one first; the most frequent first."""
    found: dict[tuple[str, str], list[tuple[SplitRows, int, str]]] = {}
    for rows in matched.new.values():
        for place, raised in rows.errors.items():
            for by, name, text in dict.fromkeys(raised):
                found.setdefault((by, name), []).append((rows, place, text))
    for rows in (*matched.old.values(), *matched.new.values()):
        for place, errors in rows.measured.errors.items():
            for name, error in errors.items():
                found.setdefault(("compare", name), []).append((rows, place, describe_error(error)))
    return tuple(
        Failure(by, name, len({(id(rows), k) for rows, k, _ in cases}), text, rows.name, rows.ids[place])
        for (by, name), cases in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
        for rows, place, text in cases[:1]
    )


def model_uses(matched: Matched, transforms: Sequence[Mapping[str, Any]]) -> tuple[ModelUse, ...]:
    """The revisers that asked a model, as recorded in the rows' histories, in the order in which they ran.

    Args:
        matched: the rows.
        transforms: what the run recorded of its transforms, for what no row knows: prompt version, tokens, cost.
    """
    rows: Counter[str] = Counter()
    for split in matched.new.values():
        rows.update(split.models)
    found: dict[str, list[tuple[Step, int]]] = {}
    for line, count in rows.items():
        for step in parse_history(line) or ():
            found.setdefault(identity(step), []).append((step, count))
    usage = {
        identity(Step(str(t.get("by")), int(t.get("version", 0)), settings=t.get("settings", {}))): t
        for t in transforms
    }
    order = list(usage)
    uses = [
        _model_use(steps, usage.get(who, {}))
        for who, steps in sorted(found.items(), key=lambda item: _rank(order, item[0]))
    ]
    return tuple(uses)


def _rank(order: Sequence[str], who: str) -> tuple[int, str]:
    return (order.index(who) if who in order else len(order), who)


def _model_use(steps: Sequence[tuple[Step, int]], recorded: Mapping[str, Any]) -> ModelUse:
    first = steps[0][0]
    edits = Counter[str]()
    reasons = Counter[str]()
    for step, count in steps:
        edits[step.edit] += count
        if step.edit in ("reverted", "failed"):
            for reason in step.reasons or ("no_reason_recorded",):
                reasons[reason] += count
    usage = recorded.get("usage") or {}
    asked = int(usage.get("asked", 0))
    cost = usage.get("cost")
    trust = first.settings.get("trust", "normal")  # only what differs from the default is recorded
    priced = bool(usage.get("currency")) and cost is not None
    return ModelUse(
        by=first.by,
        version=first.version,
        model=str(first.settings["model"]),
        server=str(first.settings.get("base_url", "")),
        answered_by=tuple(sorted({step.model for step, _ in steps if step.model})),
        prompt_version=str(recorded.get("prompt_version", "")),
        kept=edits["kept"],
        revised=edits["revised"],
        reverted=edits["reverted"],
        failed=edits["failed"],
        reasons=tuple(Count(name, n) for name, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        recorded=bool(usage),
        asked=asked,
        reused=int(usage.get("cached", 0)),
        prompt_tokens=int(usage.get("prompt_tokens", 0)) + int(usage.get("reused_prompt_tokens", 0)),
        completion_tokens=int(usage.get("completion_tokens", 0)) + int(usage.get("reused_completion_tokens", 0)),
        estimated=bool(usage.get("estimated", 0)),
        cost=float(cost) if priced and cost is not None else math.nan,
        currency=str(usage.get("currency", "")),
        answers_of=str(usage.get("answers_of", "")),
        reused_on=tuple(Count(str(day), int(n)) for day, n in sorted((usage.get("reused_on") or {}).items())),
        trust=trust if trust in TRUSTS else "",
    )


# ------------------------------------------------------------------------------------------------------------- columns


def column_meanings(matched: Matched, layout: Layout) -> tuple[ColumnMeaning, ...]:
    """What is known of the columns of the second dataset that some step added, and of the embedded scores."""
    declared = {column.name: column for column in Score.adds}
    present: set[str] = set()
    for rows in matched.new.values():
        declared |= rows.columns
        present.update(rows.ds.column_names)
    named = {layout.own(name): column for name, column in declared.items()}
    named.setdefault(DUPLICATE_COLUMN, DUPLICATE_OF)
    shown = present.union(layout.own(name) for name in number_names())
    return tuple(
        ColumnMeaning(name, text) for name, column in named.items() if name in shown and (text := column.sentence())
    )


# ------------------------------------------------------------------------------------------------------------- numbers


def score_changes(matched: Matched, layout: Layout) -> tuple[ScoreChange, ...]:
    """The embedded scores, then the scores that only their columns know."""
    embedded = [
        _score(layout.own(name), matched.side_by_side(name), embedded=True, known=True) for name in number_names()
    ]
    others = dict.fromkeys(name for rows in matched.new.values() for name in rows.others)
    return (*embedded, *(_other_score(matched, name, layout) for name in others))


def _other_score(matched: Matched, name: str, layout: Layout) -> ScoreChange:
    """A score that is not computed here; the first dataset may lack the column."""
    known = all(name in rows.others for rows in matched.old.values() if len(rows)) and any(
        map(len, matched.old.values())
    )
    side_by_side = matched.side_by_side(name, known=known, other=True)
    stale = sum(rows.stale.get(name, 0) for rows in matched.new.values())
    return _score(layout.own(name), side_by_side, embedded=False, known=known, stale=stale)


def _score(name: str, values: SideBySide, *, embedded: bool, known: bool, stale: int = 0) -> ScoreChange:
    return ScoreChange(
        name=name,
        embedded=embedded,
        stale=stale,
        before=quantiles(values.before) if known else None,
        after=quantiles(values.after),
        changed_before=quantiles(values.changed_before) if known else None,
        changed_after=quantiles(values.changed_after),
        histogram=histogram(values.before if known else None, values.after),
    )


def measure_tokens(matched: Matched, *, counter: str, estimated: bool, max_tokens: int) -> TokenLengths:
    """How long the rows are, and how many are longer than `max_tokens`."""
    values = matched.side_by_side("tokens")
    return TokenLengths(
        counter=counter,
        estimated=estimated,
        max_tokens=max_tokens,
        over_before=int((values.before > max_tokens).sum()),
        over_after=int((values.after > max_tokens).sum()),
        before=quantiles(values.before),
        after=quantiles(values.after),
        histogram=histogram(values.before, values.after),
    )


def measure_lengths(matched: Matched) -> Lengths:
    """Words of the responses on both sides; a row whose words are not known counts as none."""
    sums = [0.0] * 4
    for split, rows in matched.new.items():
        for k, matches in ((0, matched.matches(split)), (2, matched.changes(split))):
            before = matched.before(matches, lambda rows: rows.measured.numbers["response_words"])
            sums[k] += float(np.nansum(before))
            sums[k + 1] += float(np.nansum(rows.measured.numbers["response_words"][matches.after]))
    return Lengths(*map(int, sums))


def plain_choices(matched: Matched) -> tuple[Baseline, ...]:
    """Where rows were removed: what was kept of all splits together, compared with plain choices of as many rows."""
    if not any(len(joined.removed) for joined in matched.joined.values()):
        return ()
    words: list[float] = []
    kept: list[int] = []
    for split, rows in matched.old.items():
        removed = set(map(int, matched.joined[split].removed))
        kept += [len(words) + place for place in range(len(rows)) if place not in removed]
        words += rows.measured.numbers["response_words"].tolist()
    return compare_choices(words, kept) if 0 < len(kept) < len(words) else ()


def decisions(transforms: Sequence[Mapping[str, Any]]) -> Decisions | None:
    """What people decided, as the last `hfclean apply` recorded it that was not undone as a whole since."""
    last: Mapping[str, Any] = {}
    for each in transforms:
        if each.get("by") == "apply":
            last = each
        elif each.get("by") == "restore" and not ("rule" in each or "rows" in each):
            last = {}
    if not last:
        return None
    states, names = (_counts(last.get(key)) for key in ("states", "names"))
    found = tuple(Count(name, states[name]) for name in (*STATES, *BESIDE) if states.get(name))
    return Decisions(_counts({"people": last.get("people")}).get("people", 0), found, ranked(names))


def _counts(recorded: Any) -> dict[str, int]:
    """The counts of a record, which may be a stranger's: what is none is left out."""
    found = recorded.items() if isinstance(recorded, Mapping) else ()
    return {str(name): count for name, count in found if type(count) is int and count > 0}


def generated(transforms: Sequence[Mapping[str, Any]]) -> Generated | None:
    """How a model made the rows, as the last generation recorded it."""
    last = next((each["generated"] for each in reversed(transforms) if each.get("by") == GENERATOR), None)
    return None if last is None else from_plain(Generated, last, "generated")


def notes(matched: Matched) -> tuple[str, ...]:
    """What a reader must know to read the figures right."""
    excerpts = []
    for split, joined in matched.joined.items():
        old, new = len(matched.old.get(split, ())), len(matched.new.get(split, ()))
        if joined.joined_on == "position":
            excerpts.append(
                f"Split {split}: there are no row ids and texts changed, so the {plural(new, 'row')} were matched by "
                "position. If rows were shuffled as well, these changes are not real."
            )
        elif old and new and not (joined.origin >= 0).any():
            excerpts.append(f"Split {split}: no row of the first dataset is in the second. Are they the same data?")
    elsewhere = sum(matched.elsewhere.values())
    if elsewhere:
        excerpts.append(
            f"{plural(elsewhere, 'row')} changed without a record of it by hfclean, marked {UNRECORDED!r}; hfclean "
            "cannot undo that."
        )
    return tuple(excerpts)
