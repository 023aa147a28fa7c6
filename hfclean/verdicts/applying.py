"""Verdicts become columns: texts, history and originals, as a reviser writes them, so that `restore` undoes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from hfclean.checks import accept
from hfclean.errors import SourceError
from hfclean.layout import Layout
from hfclean.passes import column_batches
from hfclean.provenance import (
    HISTORY,
    Step,
    decode_original,
    encode_original,
    original_cells,
    own_columns,
    parse_history,
)
from hfclean.restoration import put_back
from hfclean.schema import View, read_at, recorded_at, write
from hfclean.scorers.refresh import refresh
from hfclean.transform import Batch, Transform, cached_elsewhere
from hfclean.verdicts.events import Event, hashes
from hfclean.verdicts.excluded import AT, EXCLUDED, Whole, whole, without
from hfclean.verdicts.log import read_verdicts
from hfclean.verdicts.purging import without_names
from hfclean.verdicts.states import RowVerdicts

CODES = {"accept": "accepted", "edit": "edited", "return": "returned", "reject": "rejected", "exclude": EXCLUDED}
LEFT = ("conflict", "flagged", "stale", "refused")
LONGEST_REASON = 200
# what people said of an earlier text says nothing of the next
_PASSING = ("accepted", "returned", "rejected", EXCLUDED)


@dataclass(frozen=True)
class Applied:
    """A dataset after people's verdicts.

    Attributes:
        dataset: of the form that was given, without the excluded rows.
        removed: all rows that were dropped, of the same form, with a column `removed_reason`: those that were given,
            and the excluded ones, which `hfclean.verdicts.with_excluded` puts back; `None` when there are none.
        states: how many rows have each state; `refused` for edits that the checks refuse and that give no reason,
            which were not applied; `dropped` for verdicts on rows that had been dropped before, or were excluded and
            are not here.
        left: of `conflict`, `flagged`, `stale` and `refused`, the ids of the rows, which stay as they are.
        findings: row id -> ids of the checks that refuse a person's text, applied or not.
        people: who decided -> on how many rows.
    """

    dataset: Any
    removed: Any | None
    states: dict[str, int]
    left: dict[str, tuple[str, ...]]
    findings: dict[str, tuple[str, ...]]
    people: dict[str, int]


def apply_verdicts(
    ds: Any,
    verdicts: Mapping[str, RowVerdicts] | str | Path | Iterable[str | Path],
    *,
    layout: Layout | None = None,
    removed: Any | None = None,
    names: bool = False,
) -> Applied:
    """Do what people decided.

    An accepted row has the accepted text, which is its own or that of a revision that the gate had refused; a rejected
    one has its original again, or stays as it is where the revision was not in it; an edited one has the person's
    texts, if `hfclean.accept` takes them or the person gave a reason. A returned one stays. `edit_reason` says so, and
    `hfclean.restore` undoes it. Excluded rows go to `removed` with the person's reason. All other rows stay as they
    are. No column holds a name or a time. What was done before is not done again.

    Args:
        ds: a `Dataset` or `DatasetDict` that was revised, with its `row_id`. Left as it is.
        verdicts: a file of verdicts or several, read together in any order; or what `row_verdicts` makes of events.
        layout: how its rows are read; what `Layout()` finds by default.
        removed: the rows that were dropped from it, as `Cleaned.removed`. Those that people excluded come back if
            another decision holds by now.
        names: keep the names of those who decided in the reasons of exclusions; by default they read `a person`.

    Raises:
        SourceError: a file cannot be read, or a line of it is not a verdict; a verdict is on a row that does not
            exist, or edits a place that its row does not have; or no row would be left.
        RestoreError: an excluded row cannot come back, since the columns changed.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> row = {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}
    >>> ds = Dataset.from_list([row]).map(hfclean.revise)
    >>> ana = hfclean.verdicts.Event(ds[0]["row_id"], "edit", {"output": "A ripe pear."}, who="ana", number=1)
    >>> hfclean.apply_verdicts(ds, hfclean.verdicts.row_verdicts([ana])).dataset[0]["output"]
    'A ripe pear.'
    """
    layout = layout or Layout()
    if not isinstance(verdicts, Mapping):
        verdicts = read_verdicts(*([verdicts] if isinstance(verdicts, (str, Path)) else verdicts))
    old = whole(_by_split(ds), _by_split(removed), layout)
    plans: dict[str, dict[str, Event]] = {}
    at: dict[str, int] = {}
    reasons = dict(old.reasons)
    states: dict[str, list[str]] = {}
    findings: dict[str, tuple[str, ...]] = {}
    for split, part in old.dataset.items():
        for place, row in _judged(part, verdicts, layout):
            view = layout.view(tuple(row))
            name = str(row[layout.own("row_id")])
            now = hashes(row, view, layout)
            state, decision = verdicts[name].state(now), verdicts[name].decision(now)
            if decision is not None and (decision.texts or decision.fields):
                refused = _refused(row, decision, view, layout)
                if decision.verdict == "accept":
                    refused = tuple(dict.fromkeys([*refused, *decision.refused.split()]))
                if refused:
                    findings[name] = refused
                    state = "refused" if decision.verdict == "edit" and not decision.reason.strip() else state
            states.setdefault(state, []).append(name)
            if decision is None or state == "refused":
                continue
            if decision.verdict != "exclude":
                reasons.pop(name, None)
            else:
                at[name] = place
                reasons[name] = _reason(decision, verdicts, names=names)
            if not _is_done(row, decision, view, layout):
                plans.setdefault(split, {})[name] = decision
    _note_dropped(old, verdicts, states, layout)
    done = {split: _decided(part, plans.get(split, {}), at, findings, layout) for split, part in old.dataset.items()}
    left, out = without(done, old.dropped, reasons, layout)
    if not any(map(len, left.values())) and any(map(len, old.dataset.values())):
        raise SourceError("every row is excluded, so none would be left; delete the dataset instead")
    return Applied(
        _in_form_of(ds, left),
        _in_form_of(ds, out) if out else None,
        {state: len(ids) for state, ids in states.items()},
        {state: tuple(states[state]) for state in LEFT if state in states},
        findings,
        _people(verdicts),
    )


def _by_split(ds: Any | None) -> dict[str, Any]:
    return {} if ds is None else dict(ds) if isinstance(ds, Mapping) else {"": ds}


def _in_form_of(ds: Any, splits: Mapping[str, Any]) -> Any:
    return type(ds)(splits) if isinstance(ds, Mapping) else splits[""]  # type: ignore[call-arg]


def _judged(part: Any, verdicts: Container[str], layout: Layout) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows that verdicts are on, and their places."""
    column = layout.own("row_id")
    if column not in part.column_names:
        return
    plain = part.with_format(None)
    names = (name for batch in column_batches(plain, [column]) for name in batch[column])
    yield from ((k, plain[k]) for k, name in enumerate(names) if name in verdicts)


def _note_dropped(
    old: Whole, verdicts: Mapping[str, RowVerdicts], states: dict[str, list[str]], layout: Layout
) -> None:
    """Count the verdicts on rows that had been dropped; those that were excluded may have gone with another folder.

    Raises:
        SourceError: one is on a row that does not exist.
    """
    lost = set(verdicts).difference(*states.values())
    column = layout.own("row_id")
    if dropped := [
        str(name)
        for part in old.dropped.values()
        if lost and column in part.column_names
        for batch in column_batches(part, [column])
        for name in batch[column]
        if name in lost
    ]:
        states["dropped"] = dropped
    gone = [name for name in lost.difference(dropped) if verdicts[name].state() == "excluded"]
    if gone:
        states["dropped"] = [*dropped, *gone]
    if lost := lost.difference(dropped, gone):
        raise SourceError(
            f"{len(lost)} verdicts are on rows that do not exist, such as {min(lost)!r}; give the dataset that was "
            "judged, with its column row_id"
        )


def _reason(decision: Event, verdicts: Mapping[str, RowVerdicts], *, names: bool) -> str:
    """Why a row is excluded, as `removed_reason` says it."""
    text = without_names(" ".join(decision.reason.split()), () if names else _people(verdicts))
    return f"{EXCLUDED}: {text[:LONGEST_REASON]}"


def _people(verdicts: Mapping[str, RowVerdicts]) -> dict[str, int]:
    """Who decided, and on how many rows."""
    decided = (event.who for row in verdicts.values() for event in row.standing if event.verdict in CODES)
    return dict(Counter(decided).most_common())


def _refused(row: Mapping[str, Any], event: Event, view: View, layout: Layout) -> tuple[str, ...]:
    """The checks that refuse the texts of a verdict, of any turn."""
    try:
        edited = event.edited(row, view)
    except ValueError as e:
        raise SourceError(
            f"the {event.verdict} of {event.row_id!r} cannot be applied: {e}; correct or delete it"
        ) from e
    return refusing(row, edited, view, layout.prefix)


def refusing(row: Mapping[str, Any], edited: Mapping[str, Any], view: View, prefix: str) -> tuple[str, ...]:
    """The checks that refuse a row as somebody edited it beside its original text, of any turn."""
    before, after = view.pairs(original_cells(row, prefix), turns="all"), view.pairs(edited, turns="all")
    if len(before) != len(after):
        return ("turns_changed",)
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    return tuple(dict.fromkeys(code for old, new in pairs for code in accept(old, new)))


def _is_done(row: Mapping[str, Any], event: Event, view: View, layout: Layout) -> bool:
    """Whether the last step that could change the text of a row followed this verdict."""
    steps = [step for step in parse_history(row.get(layout.own(HISTORY))) or () if step.is_revision]
    if not steps or CODES[event.verdict] not in steps[-1].reasons:
        return False
    return (not event.texts and not event.fields) or event.edited(row, view) == row


def _decided(
    part: Any,
    plans: Mapping[str, Event],
    at: Mapping[str, int],
    findings: Mapping[str, tuple[str, ...]],
    layout: Layout,
) -> Any:
    if not plans:
        return part
    back = [name for name, event in plans.items() if event.verdict == "reject" and not event.keeps_text]
    if back:
        part = put_back(part, back, CODES["reject"], prefix=layout.prefix)
    rest = {name: event for name, event in plans.items() if name not in back}
    if not rest:
        return part
    overruled = {name: findings[name] for name in rest if name in findings}
    follow = _Follow(rest, overruled, {name: at[name] for name in rest if name in at}).with_layout(layout)
    fmt = part.format
    out = cached_elsewhere(part).with_format(None).map(follow, batched=True, features=part.features)
    return out.with_format(fmt["type"], columns=fmt["columns"], **fmt["format_kwargs"])


@dataclass(frozen=True)
class _Follow(Transform):
    """Follows people's verdicts on rows, by their ids; the rows of others stay as they are."""

    version: ClassVar[int] = 1

    events: Mapping[str, Event] = field(default_factory=dict)
    overruled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at: Mapping[str, int] = field(default_factory=dict)

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        """See `apply_verdicts`."""
        texts = {_column(place) for event in self.events.values() for place in event.texts}
        names = dict.fromkeys([*view.columns, *sorted(texts.intersection(batch)), *own_columns(batch, self.prefix)])
        rows = batch.rows([*names])
        changed = [self._follow(row, view) for row in rows]
        return {name: [new.get(name, row[name]) for new, row in zip(changed, rows, strict=True)] for name in names}

    def _follow(self, row: dict[str, Any], view: View) -> dict[str, Any]:
        """The cells of a row that a verdict changes."""
        own = self.layout.own
        event = self.events.get(str(row[own("row_id")]))
        if event is None:
            return {}
        places = event.places(row, view)
        cells = {**row, **write(row, places)}
        old = {recorded_at(row, path): read_at(row, recorded_at(row, path)) for path in places}
        first = {**old, **decode_original(row.get(own("original")))}
        first = {path: value for path, value in first.items() if read_at(cells, path) != value}
        checks = self.overruled.get(event.row_id, ())
        reasons = (CODES[event.verdict], *(("overruled",) if checks else ()))
        settings: dict[str, Any] = {"checks": list(checks)} if checks else {}
        if event.row_id in self.at:
            settings[AT] = self.at[event.row_id]
        step = Step(
            "Verdict",
            self.version,
            settings=settings,
            edit="revised" if cells != row else "kept",
            reasons=reasons,
        )
        steps = list(parse_history(row[own(HISTORY)]) or ())
        passing = {*_PASSING, "overruled"} if places else {*_PASSING}
        earlier = row[own("edit_reason")].split() if first and row[own("edit")] == "revised" else []
        new = {name: cells[name] for name in cells if cells[name] is not row.get(name)}
        new |= {
            own("edit"): "revised" if first else "kept",
            own("edit_reason"): " ".join(dict.fromkeys([*(c for c in earlier if c not in passing), *reasons])),
            own(HISTORY): f"{row[own(HISTORY)]}\n{step.line()}",
            own("original"): encode_original(first),
        }
        return new | (refresh(steps, cells, view, row, self.prefix) if cells != row else {})


def _column(place: str) -> str:
    """The column in which a place of the ledger is."""
    return place.split("/", 1)[0].replace("~1", "/").replace("~0", "~")
