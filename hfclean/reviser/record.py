"""The one place where a revision becomes columns, for every reviser."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from hfclean.errors import describe_error
from hfclean.provenance import (
    HISTORY,
    REVISION_COLUMNS,
    Step,
    decode_original,
    encode_original,
    own_steps,
    row_id,
    row_ids,
)
from hfclean.schema import REMOVED, Path, View, read_at, recorded_at, write
from hfclean.scorers.refresh import refresh
from hfclean.transform import Transform


class FieldChange(NamedTuple):
    """One change of one text: which rule or reviser changed the text at `path` from what to what; `after` is an object
    where its keys are others now, and `REMOVED` where a turn is taken away."""

    by: str
    path: Path
    before: str
    after: Any


class Outcome(NamedTuple):
    """What a reviser did to one row.

    Args:
        changes: of its texts, in order; none where the row is `reverted` or `failed`.
        edit: `reverted` or `failed`; empty where the changes say it (`revised`, or `kept` when there are none).
        reasons: codes, beside the names of those who changed something.
        model: what the model that answered calls itself.
        done: the row is the reviser's own work already, and stays exactly as it is.
        errors: what rules or checks raised on the row, by their ids; `reasons` has a code for it.
    """

    changes: Sequence[FieldChange] = ()
    edit: str = ""
    reasons: tuple[str, ...] = ()
    model: str = ""
    done: bool = False
    errors: Mapping[str, Exception] = MappingProxyType({})


def record(
    transform: Transform, rows: list[dict[str, Any]], view: View, outcomes: Sequence[Outcome]
) -> dict[str, list[Any]]:
    """The columns of a reviser's batch: text with the changes made, and what happened to each row."""
    prefix, name = transform.prefix, type(transform).__name__
    settings = transform.settings()
    kept_line = Step(name, transform.version, settings=settings, edit="kept").line()
    names = [prefix + column for column in REVISION_COLUMNS]
    out: dict[str, list[Any]] = {column: [] for column in (*view.writable, *names)}
    score_columns: dict[str, None] = {}
    fresh: list[dict[str, Any]] = []
    # rows that nobody revised before, as most are: their ids are made column by column
    first = bool(rows) and not any(name in rows[0] for name in names)
    ids = row_ids({name: [row[name] for row in rows] for name in view.columns}, view) if first else []
    kept = ("kept", "", kept_line, "")
    for k, (row, outcome) in enumerate(zip(rows, outcomes, strict=True)):
        if first and not any(outcome):
            for column in view.writable:
                out[column].append(row[column])
            for column, cell in zip(names, (*kept, ids[k]), strict=True):
                out[column].append(cell)
            fresh.append({})
            continue
        if outcome.done:
            for column in (*view.writable, *names):
                out[column].append(row[column])
            fresh.append({})
            continue
        steps = own_steps(row, REVISION_COLUMNS, prefix, name)
        edits: dict[Path, Any] = {change.path: change.after for change in outcome.changes}
        gone = {path for path, text in edits.items() if text is REMOVED}
        if gone:  # what is changed inside them goes with them
            edits = {path: text for path, text in edits.items() if path in gone or not _inside(path, gone)}
        edits = {path: text for path, text in edits.items() if read_at(row, path) != text}
        after = {**row, **write(row, edits)} if edits else row
        edit = outcome.edit or ("revised" if edits else "kept")
        reasons = tuple(dict.fromkeys([*(c.by for c in outcome.changes if edits), *outcome.reasons]))
        errors = dict(outcome.errors)
        fresh.append(refresh(steps, after, view, row, prefix, errors) if edits and steps else {})
        described = {who: describe_error(error) for who, error in errors.items()}
        line = (
            kept_line
            if edit == "kept" and not reasons and not outcome.model and not described
            else Step(name, transform.version, (), settings, edit, reasons, outcome.model, described).line()
        )
        original = row.get(prefix + "original") or "" if steps else ""
        if edits:
            before = {place: read_at(row, place) for place in (recorded_at(row, path) for path in edits)}
            original = encode_original({**before, **decode_original(original)})
        revised_before = any(step.is_revision for step in steps)
        cells = (
            edit,
            " ".join(reasons),
            f"{row[prefix + HISTORY]}\n{line}" if steps else line,
            original,
            row[prefix + "row_id"] if revised_before else row_id(row, view),
        )
        for column in view.writable:
            out[column].append(after[column])
        for column, cell in zip(names, cells, strict=True):
            out[column].append(cell)
        score_columns.update(dict.fromkeys(prefix + c for s in steps if not s.is_revision for c in s.columns))
    for column in score_columns:
        out[column] = [new.get(column, row.get(column)) for new, row in zip(fresh, rows, strict=True)]
    return out


def _inside(path: Path, places: Collection[Path]) -> bool:
    return any(path[:n] in places for n in range(1, len(path)))
