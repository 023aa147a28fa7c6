"""The gate beside people: how often they accept what a check refused, and reject what it let pass."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hfclean.checks import PREFERENCE_MARGIN
from hfclean.evaluation.bootstrap import NOTHING, Draws, Figure, interval, wilson
from hfclean.layout import Layout
from hfclean.passes import column_batches
from hfclean.plain_values import to_plain
from hfclean.provenance import HISTORY, original_cells, parse_history
from hfclean.schema import View
from hfclean.scorers.embedded import preference_rule
from hfclean.verdicts import Event, RowVerdicts
from hfclean.verdicts.events import hashes

FEWEST = 30  # of accepted and of rejected revisions each, from which a margin is fitted
WRONG = ("reject", "return")
NOT_FITTED = (
    "Only `preference_margin` is a number that can be fitted: the other checks have no score with a threshold."
)


@dataclass(frozen=True)
class CheckVerdicts:
    """What people say of one check.

    Attributes:
        id: of the check, or another reason for which revisions are refused.
        accepted: share of the judged revisions that it refused which people accepted, 0 to 1, lower = better; its
            `count` is how many were judged. Those that people edited are in it, and not accepted.
        alone: the same of those that no other check refused.
        edited: how many of those that it refused people edited.
        rejected: share of the judged revisions that it let pass which people rejected or returned, 0 to 1, lower =
            better, others being there to refuse them.
    """

    id: str
    accepted: Figure
    alone: Figure
    edited: int
    rejected: Figure


@dataclass(frozen=True)
class FittedMargin:
    """The `preference_margin` that tells accepted from rejected revisions best.

    Attributes:
        margin: refuse what `preference` puts lower than before by more than this; 0 to 1.
        low, high: its 95 % interval, over bootstrap samples.
        separation: share of the rejected revisions that it refuses, less that of the accepted ones; -1 to 1, 0 =
            none. Fitted on the same rows, so that it flatters.
        today: the same of `hfclean.checks.PREFERENCE_MARGIN`.
        accepted, rejected: how many revisions it was fitted on.
    """

    margin: float
    low: float
    high: float
    separation: Figure
    today: Figure
    accepted: int
    rejected: int


@dataclass(frozen=True)
class GateVerdicts:
    """The gate beside people; see `gate_verdicts`.

    Attributes:
        accepted: share of the judged revisions that the gate refused which people accepted, 0 to 1, lower = better.
        rejected: share of the judged revisions that it let pass which people rejected or returned, 0 to 1, lower =
            better.
        checks: the checks that refused any of them, the one with the most first.
        margin: `None` where fewer than 30 revisions of either kind have their texts at hand.
        left_out: reason -> judged rows that say nothing of the gate: `conflict`, `flagged`, `undecided`, `excluded`,
            `no_model` (no model revised the row), `without` (the person was not shown the revision).
        notes: a sentence each.
    """

    accepted: Figure
    rejected: Figure
    checks: tuple[CheckVerdicts, ...]
    margin: FittedMargin | None
    left_out: Mapping[str, int]
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON can hold them; nan becomes null."""
        return dict(to_plain(self))

    def __str__(self) -> str:
        lines = [
            f"refused by the gate and judged: {self.accepted.count:,}; people accepted {_share(self.accepted)}",
            f"let pass and judged: {self.rejected.count:,}; people rejected {_share(self.rejected)}",
        ]
        for each in self.checks:
            alone = f"; by it alone {each.alone.count:,}, accepted {_share(each.alone)}" if each.alone.count else ""
            lines.append(
                f"  {each.id}: refused {each.accepted.count:,}, accepted {_share(each.accepted)}, "
                f"edited {each.edited:,}{alone}; let pass {each.rejected.count:,}, rejected {_share(each.rejected)}"
            )
        if self.margin is not None:
            lines.append(
                f"preference_margin: {self.margin.margin:.2f} [{self.margin.low:.2f}, {self.margin.high:.2f}] tells "
                f"{self.margin.accepted:,} accepted from {self.margin.rejected:,} rejected revisions best, separation "
                f"{self.margin.separation.number()}; today's {PREFERENCE_MARGIN} has {self.margin.today.number()}"
            )
        lines += [f"left out, {reason}: {count:,}" for reason, count in self.left_out.items()]
        return "\n".join([*lines, *self.notes])


class _Judged(NamedTuple):
    """A model's revision, and what a person made of it."""

    verdict: str
    codes: tuple[str, ...]
    drop: float


def gate_verdicts(
    ds: Any,
    verdicts: Mapping[str, RowVerdicts],
    *,
    refused: Any | None = None,
    layout: Layout | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> GateVerdicts:
    """How often people accept what a check of the gate refused, and reject what it let pass.

    A row counts once, with the decision that holds for it; an edit is neither accepted nor rejected. Which checks
    refused a revision is in the event; a revision without is one that passed, if a model wrote it. Intervals are of
    95 %, Wilson's. People judge what they are shown: of revisions that nobody was shown, nothing is known here.

    Args:
        ds: the `Dataset` or `DatasetDict` that was judged.
        verdicts: what `hfclean.verdicts.read_verdicts` gives.
        refused: the revisions that were refused, `Cleaned.refused`: their texts, for the margin.
        layout: how the rows are read; what `Layout()` finds by default.
        draws, seed: of the bootstrap, for the margin.

    Raises:
        HfcleanError: fewer than one draw.
    """
    layout = layout or Layout()
    left_out: Counter[str] = Counter()
    parts = ds.values() if isinstance(ds, Mapping) else [ds]
    texts = _proposals(refused)
    judged = [each for part in parts for each in _judged(part, verdicts, texts, layout, left_out)]
    refusals, passed = [one for one in judged if one.codes], [one for one in judged if not one.codes]
    names = Counter(code for one in refusals for code in one.codes)
    margin = _fitted(judged, draws, seed)
    notes = [NOT_FITTED]
    if margin is None:
        few = Counter("accepted" if one.verdict == "accept" else "rejected" for one in _with_texts(judged))
        notes.insert(
            0,
            f"No margin was fitted: {few['accepted']:,} accepted and {few['rejected']:,} rejected revisions have "
            f"their texts at hand, and {FEWEST} of each are needed.",
        )
    elif not margin.separation.excludes(0) or not margin.separation.value > margin.today.value:
        notes.insert(0, "That margin tells them apart no better than today's: leave it.")
    return GateVerdicts(
        _of(refusals, ("accept",)),
        _of(passed, WRONG),
        tuple(_check(name, judged) for name in sorted(names, key=lambda name: (-names[name], name))),
        margin,
        dict(sorted(left_out.items())),
        tuple(notes),
    )


def _judged(
    part: Any,
    verdicts: Mapping[str, RowVerdicts],
    texts: Mapping[tuple[str, str], Mapping[str, str]],
    layout: Layout,
    left_out: Counter[str],
) -> Iterator[_Judged]:
    name, history = layout.own("row_id"), layout.own(HISTORY)
    if not {name, history} <= set(part.column_names):
        return
    plain = part.with_format(None)
    ids = (str(row_id) for batch in column_batches(plain, [name]) for row_id in batch[name])
    for k, row_id in enumerate(ids):
        if row_id not in verdicts:
            continue
        row = plain[k]
        decision = verdicts[row_id].decision()
        step = next((s for s in reversed(parse_history(row[history]) or ()) if s.settings.get("model")), None)
        if decision is None:
            state = verdicts[row_id].state()
            left_out["undecided" if state in ("todo", "skipped") else state] += 1
        elif decision.verdict == "exclude":
            left_out["excluded"] += 1
        elif decision.arm == "without":
            left_out["without"] += 1
        elif not decision.refused and (step is None or step.edit != "revised"):
            left_out["no_model"] += 1
        else:
            proposed = texts.get((row_id, decision.refused), {})
            yield _Judged(decision.verdict, tuple(decision.refused.split()), _drop(row, decision, proposed, layout))


def _proposals(refused: Any | None) -> dict[tuple[str, str], dict[str, str]]:
    """(row id, codes) -> place -> text of a revision that was refused, where there is one of them alone."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    several: set[tuple[str, str]] = set()
    for row in refused if refused is not None else ():
        key, place = (str(row["row_id"]), str(row["codes"])), str(row["field"])
        if place in found.setdefault(key, {}):
            several.add(key)
        found[key][place] = str(row["proposed"])
    return {key: places for key, places in found.items() if key not in several}


def _drop(row: Mapping[str, Any], decision: Event, proposed: Mapping[str, str], layout: Layout) -> float:
    """How much lower `preference` is after the judged revision than before; nan where its text is not at hand."""
    view = layout.view(tuple(row))
    if decision.verdict == "edit" or (not decision.refused and not _is_shown(row, decision, view, layout)):
        return math.nan
    try:
        places = decision.texts or proposed
        if decision.refused and not places:
            return math.nan
        after = Event("", "edit", places).edited(row, view) if places else row
    except ValueError:
        return math.nan
    pairs = [view.pairs(cells) for cells in (original_cells(row, layout.prefix), after)]
    if not all(pairs):
        return math.nan
    before, now = (preference_rule().predict(each[-1]) for each in pairs)
    return before - now


def _is_shown(row: Mapping[str, Any], decision: Event, view: View, layout: Layout) -> bool:
    """Whether the row still has the text that was judged, and it is a revision."""
    now = hashes(row, view, layout)
    return bool(decision.after) and decision.after in now.after and now.before not in now.after


def _with_texts(judged: Sequence[_Judged]) -> list[_Judged]:
    return [one for one in judged if not math.isnan(one.drop)]


def _fitted(judged: Sequence[_Judged], draws: int, seed: int) -> FittedMargin | None:
    import numpy as np

    known = _with_texts(judged)
    drops = np.array([one.drop for one in known])
    wrong = np.array([one.verdict in WRONG for one in known], bool)
    if min(wrong.sum(), (~wrong).sum()) < FEWEST:
        return None
    margins = np.unique(np.round(np.clip([*drops, PREFERENCE_MARGIN], 0, 1), 2))[::-1]  # of equals the largest
    refuses = drops[:, None] > margins[None, :]
    today = int(np.flatnonzero(margins == PREFERENCE_MARGIN)[0])

    def separation(weights: Any) -> Any:
        return [
            (weights * side) @ refuses / np.maximum((weights * side).sum(axis=-1, keepdims=True), 1)
            for side in (wrong, ~wrong)
        ]

    hits, alarms = separation(np.ones(len(known)))
    best = int(np.argmax(hits - alarms))
    samples = [np.subtract(*separation(w)) for w in Draws(len(known), draws=draws, seed=seed).weights()]
    sampled = np.concatenate(samples)
    chosen = margins[sampled.argmax(axis=1)]

    def figure(k: int) -> Figure:
        return Figure(float((hits - alarms)[k]), *interval(sampled[:, k]), len(known))

    return FittedMargin(
        float(margins[best]), *interval(chosen), figure(best), figure(today), int((~wrong).sum()), int(wrong.sum())
    )


def _check(name: str, judged: Sequence[_Judged]) -> CheckVerdicts:
    refused = [one for one in judged if name in one.codes]
    return CheckVerdicts(
        name,
        _of(refused, ("accept",)),
        _of([one for one in refused if one.codes == (name,)], ("accept",)),
        sum(one.verdict == "edit" for one in refused),
        _of([one for one in judged if name not in one.codes], WRONG),
    )


def _of(judged: Sequence[_Judged], verdicts: Sequence[str]) -> Figure:
    """The share of revisions with one of these verdicts."""
    count = sum(one.verdict in verdicts for one in judged)
    return Figure(count / len(judged), *wilson(count, len(judged)), len(judged)) if judged else NOTHING


def _share(figure: Figure) -> str:
    return "none" if not figure.count else f"{figure.percent()} %"
