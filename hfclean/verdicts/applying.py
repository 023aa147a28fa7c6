"""Verdicts become columns: texts, history and originals, as a reviser writes them, so that `restore` undoes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
from hfclean.verdicts.states import RowVerdicts

_REASONS = {"accept": "accepted", "edit": "edited", "return": "returned", "reject": "rejected"}


@dataclass(frozen=True)
class Applied:
    """A dataset after people's verdicts.

    Attributes:
        dataset: of the form that was given.
        states: how many rows have each state; `refused` for edits that the checks refuse and that give no reason,
            which were not applied.
        findings: row id -> ids of the checks that refuse a person's edit, applied or not.
    """

    dataset: Any
    states: dict[str, int]
    findings: dict[str, tuple[str, ...]]


def apply_verdicts(ds: Any, verdicts: Mapping[str, RowVerdicts], *, layout: Layout | None = None) -> Applied:
    """Do what people decided.

    An accepted or returned row keeps its text and says so in `edit_reason`; a rejected one has its original again; an
    edited one has the person's texts, if `hfclean.accept` takes them or the person gave a reason. All other rows stay
    as they are. No column holds a name, a time or a reason in words. What was done before is not done again.

    Args:
        ds: a `Dataset` or `DatasetDict` that was revised, with its `row_id`. Left as it is.
        verdicts: what `row_verdicts` gives.
        layout: how its rows are read; what `Layout()` finds by default.

    Raises:
        SourceError: a verdict is on a row that does not exist, or edits a place that its row does not have.
    """
    layout = layout or Layout()
    parts = dict(ds) if isinstance(ds, Mapping) else {"": ds}
    found: set[str] = set()
    states: Counter[str] = Counter()
    findings: dict[str, tuple[str, ...]] = {}
    done = {}
    for split, part in parts.items():
        plans: dict[str, Event] = {}
        for row in _judged(part, verdicts, layout):
            view = layout.view(tuple(row))
            name = str(row[layout.own("row_id")])
            found.add(name)
            now = hashes(row, view, layout)
            state, decision = verdicts[name].state(now), verdicts[name].decision(now)
            if decision is not None and (decision.texts or decision.fields):
                refused = _refused(row, decision, view, layout)
                if refused:
                    findings[name] = refused
                    state = "refused" if decision.verdict == "edit" and not decision.reason.strip() else state
            states[state] += 1
            if decision is None or decision.verdict not in _REASONS:
                continue
            if state != "refused" and not _is_done(row, decision, view, layout):
                plans[name] = decision
        done[split] = _decided(part, plans, findings, layout)
    lost = sorted(set(verdicts) - found)
    if lost:
        raise SourceError(
            f"{len(lost)} verdicts are on rows that do not exist, such as {lost[0]!r}; give the dataset that was "
            "judged, with its column row_id"
        )
    after = type(ds)(done) if isinstance(ds, Mapping) else done[""]  # type: ignore[call-arg]
    return Applied(after, dict(states), findings)


def _judged(part: Any, verdicts: Mapping[str, RowVerdicts], layout: Layout) -> Iterator[dict[str, Any]]:
    column = layout.own("row_id")
    if column not in part.column_names:
        return
    plain, k = part.with_format(None), 0
    for batch in column_batches(part, [column]):
        for name in batch[column]:
            if name in verdicts:
                yield plain[k]
            k += 1


def _refused(row: Mapping[str, Any], event: Event, view: View, layout: Layout) -> tuple[str, ...]:
    """The checks that refuse the texts of a verdict, of any turn."""
    try:
        edited = event.edited(row, view)
    except ValueError as e:
        raise SourceError(
            f"the {event.verdict} of {event.row_id!r} cannot be applied: {e}; correct or delete it"
        ) from e
    before = view.pairs(original_cells(row, layout.prefix), turns="all")
    after = view.pairs(edited, turns="all")
    if len(before) != len(after):
        return ("turns_changed",)
    return tuple(
        dict.fromkeys(code for old, new in zip(before, after, strict=True) if old != new for code in accept(old, new))
    )


def _is_done(row: Mapping[str, Any], event: Event, view: View, layout: Layout) -> bool:
    """Whether the last step that could change the text of a row followed this verdict."""
    steps = [step for step in parse_history(row.get(layout.own(HISTORY))) or () if step.is_revision]
    if not steps or _REASONS[event.verdict] not in steps[-1].reasons:
        return False
    return (not event.texts and not event.fields) or event.edited(row, view) == row


def _decided(part: Any, plans: dict[str, Event], findings: Mapping[str, tuple[str, ...]], layout: Layout) -> Any:
    if not plans:
        return part
    back = [name for name, event in plans.items() if event.verdict == "reject" and not event.keeps_text]
    if back:
        part = put_back(part, back, _REASONS["reject"], prefix=layout.prefix)
    rest = {name: event for name, event in plans.items() if name not in back}
    if not rest:
        return part
    follow = _Follow(rest, {name: findings[name] for name in rest if name in findings}).with_layout(layout)
    fmt = part.format
    out = cached_elsewhere(part).with_format(None).map(follow, batched=True, features=part.features)
    return out.with_format(fmt["type"], columns=fmt["columns"], **fmt["format_kwargs"])


@dataclass(frozen=True)
class _Follow(Transform):
    """Follows people's verdicts on rows, by their ids; the rows of others stay as they are."""

    version: ClassVar[int] = 1

    events: Mapping[str, Event] = field(default_factory=dict)
    overruled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
        overruled = self.overruled.get(event.row_id, ())
        reasons = (_REASONS[event.verdict], *(("overruled",) if overruled else ()))
        step = Step(
            "Verdict",
            self.version,
            settings={"checks": list(overruled)} if overruled else {},
            edit="revised" if cells != row else "kept",
            reasons=reasons,
        )
        steps = list(parse_history(row[own(HISTORY)]) or ())
        earlier = row[own("edit_reason")].split() if first and row[own("edit")] == "revised" else []
        new = {name: cells[name] for name in cells if cells[name] is not row.get(name)}
        new |= {
            own("edit"): "revised" if first else "kept",
            own("edit_reason"): " ".join(dict.fromkeys([*earlier, *reasons])),
            own(HISTORY): f"{row[own(HISTORY)]}\n{step.line()}",
            own("original"): encode_original(first),
        }
        return new | (refresh(steps, cells, view, row, self.prefix) if cells != row else {})


def _column(place: str) -> str:
    """The column in which a place of the ledger is."""
    return place.split("/", 1)[0].replace("~1", "/").replace("~0", "~")
