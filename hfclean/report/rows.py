"""Rows: the two datasets of a comparison read column by column, with ids, text digests and scores.

A batch of rows is in memory at a time; of each row stay its id, a digest of its text and its numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from hfclean.columns import Column
from hfclean.errors import HfcleanError, SchemaError
from hfclean.layout import Layout
from hfclean.passes import column_batches, numbers, release, rows_of
from hfclean.provenance import DUPLICATE_COLUMN, EDITS, HISTORY, Step, parse_history, row_ids
from hfclean.row_ids import RowIds, codes_of
from hfclean.schema import Columns, Pair, View
from hfclean.scorers.embedded.score import Score
from hfclean.scorers.explained import explained_columns
from hfclean.text.thoughts import with_thought

TokenCounter = Callable[[str], int]


# -------------------------------------------------------------------------------------------------------------- splits


def splits_of(ds: Any, which: str) -> dict[str, Any]:
    """The splits of a dataset by name; a `Dataset` is one split.

    Raises:
        HfcleanError: a streaming dataset, or not a dataset.
    """
    splits = dict(ds) if isinstance(ds, Mapping) else {str(getattr(ds, "split", None) or "train"): ds}
    for split in splits.values():
        if hasattr(split, "select") and hasattr(split, "with_format"):
            continue
        if hasattr(split, "with_format"):
            raise HfcleanError(
                f"compare needs whole datasets, and {which} is streaming ({type(split).__name__}). Load it without "
                "streaming=True, or take a part: Dataset.from_list(list(ds.take(1000)))"
            )
        raise HfcleanError(f"compare got {type(split).__name__} as {which}; expected a Dataset or a DatasetDict")
    return splits


# ------------------------------------------------------------------------------------------------------------- history


@dataclass(frozen=True)
class Facts:
    """What an `edit_history` cell says, as a comparison needs it."""

    ours: bool = False
    revised: bool = False  # a step changed the text
    has_id: bool = False  # a reviser wrote row_id
    scored: tuple[str, str] | None = None  # the turns and the side of which this version of Score wrote its columns
    stale: tuple[str, ...] = ()  # score columns that are older than the text
    models: tuple[Step, ...] = ()  # of each reviser that asks a model, the last step
    errors: tuple[tuple[str, str, str], ...] = ()  # who raised what: class of the transform, name, text


@lru_cache(maxsize=8192)
def _facts(history: Any) -> Facts:
    """Read one `edit_history` cell; `Facts()` when hfclean did not write it."""
    steps = parse_history(history) if history else None
    if not steps:
        return Facts()
    last_edit = max((n for n, step in enumerate(steps) if step.edit == "revised"), default=-1)
    scored = {name: n for n, step in enumerate(steps) if not step.is_revision for name in step.columns}
    score = next((step for step in reversed(steps) if step.by == "Score"), None)
    return Facts(
        ours=True,
        revised=last_edit >= 0,
        has_id=any(step.is_revision for step in steps),
        scored=_read_by(score)
        if score is not None and score.version == Score.version and set(Score().names()) <= set(score.columns)
        else None,
        stale=tuple(name for name, n in scored.items() if n < last_edit and name not in Score().names()),
        models=tuple(
            {identity(step): step for step in steps if step.is_revision and "model" in step.settings}.values()
        ),
        errors=tuple((step.by, name, text) for step in steps for name, text in step.errors.items()),
    )


def _read_by(step: Step) -> tuple[str, str]:
    """Which turns and which side a step read."""
    return str(step.settings.get("turns", "last")), str(step.settings.get("side", "chosen"))


def identity(step: Step) -> str:
    """Who took a step: the same for all steps of one transform."""
    return Step(step.by, step.version, settings=step.settings).line()


def recorded_steps(ds: Any, prefix: str) -> list[Step]:
    """Every distinct step in the histories of a split."""
    history = prefix + HISTORY
    if history not in ds.column_names or not len(ds):
        return []
    texts: set[Any] = set()  # not ds.unique, which first copies a filtered dataset
    for batch in column_batches(ds, [history]):
        texts.update(batch[history])
    found = (replace(step, masked="") for text in texts for step in parse_history(text) or ())
    steps = {step.line(): step for step in found}
    return [steps[line] for line in sorted(steps)]


def recorded_layout(
    steps: Sequence[Step],
    *,
    prefix: str,
    columns: Columns = None,
    turns: str | None = None,
    side: str | None = None,
) -> Layout:
    """How rows that went through these steps are to be read; what is not given is as the transforms were given it.

    Turns and side are those that the scores were computed of, else those of the last step that read other than by
    default.
    """
    if columns is None:
        columns = next((step.settings["columns"] for step in steps if step.settings.get("columns")), None)
    other = [_read_by(step) for step in [step for step in steps if step.by == "Score"] or steps]
    recorded = next((read for read in reversed(other) if read != ("last", "chosen")), ("last", "chosen"))
    return Layout(columns, prefix, turns or recorded[0], side or recorded[1])  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------- reading


class Measured:
    """Numbers of rows, one value per row in each column; nan where a row has none.

    Attributes:
        numbers: float64 by name of the score.
        defects: int32, for each row the place of its `defects` among `texts`; 0 is none.
        tokens: float64.
        errors: by row, where there are any.
        texts: every different `defects`, shared by all that are measured together.
    """

    def __init__(self, count: int, texts: dict[str, int], near: Any = None) -> None:
        self.numbers = {name: numbers(count, "float64", near) for name in number_names()}
        self.defects, self.tokens = numbers(count, "int32", near), numbers(count, "float64", near)
        for column in (*self.numbers.values(), self.tokens):
            column[:] = math.nan
        self.errors: dict[int, dict[str, Exception]] = {}
        self.texts = texts

    def column(self, name: str) -> Any:
        """`tokens`, or one of the scores."""
        return self.tokens if name == "tokens" else self.numbers[name]

    def put(self, rows: Any, other: Measured, places: Any) -> None:
        """Take the values of some rows from those of `other` at `places`."""
        for name in (*self.numbers, "tokens"):
            self.column(name)[rows] = other.column(name)[places]
        self.defects[rows] = other.defects[places]


@dataclass
class SplitRows:
    """One split of one side: what stays of its rows after one pass over them, in files where they are many.

    `digests` are uint64; `edits` counts what the rows say in `edit`, and `refused` what with it in `edit_reason`.
    """

    name: str
    ds: Any
    view: View | None
    ids: RowIds
    digests: Any
    measured: Measured
    has_id: bool = False
    edits: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)  # lines of steps of revisers that ask a model
    errors: dict[int, tuple[tuple[str, str, str], ...]] = field(default_factory=dict)  # see `Facts`; by row
    duplicates: int = 0
    stale: dict[str, int] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)  # what the steps say of those that they added
    scorer: Score = field(default_factory=Score)  # of the turns and the side that are measured
    others: dict[str, Any] = field(default_factory=dict)  # scores that only their columns know

    def __len__(self) -> int:
        return len(self.digests)


def read_split(
    name: str,
    ds: Any,
    layout: Layout,
    *,
    counter: TokenCounter | None,
    which: str,
    texts: dict[str, int],
    scored: Any = None,
) -> SplitRows:
    """One pass over a split. With a `counter`, every row is measured as well, with the scores in `scored` of rows of
    equal text where the split has none. `texts` is that of `Measured`.

    Raises:
        SchemaError: rows of no known shape.
    """
    steps = recorded_steps(ds, layout.prefix)
    try:
        view = layout.view(ds.column_names)
    except SchemaError as e:
        if len(ds) == 0:  # an empty split may lack every column
            return SplitRows(name, ds, None, RowIds.of(()), numbers(0, "uint64"), Measured(0, texts))
        raise SchemaError(f"compare cannot read the split {name!r} of {which}: {e}") from e
    has_id = any(step.is_revision for step in steps) and layout.own("row_id") in ds.column_names
    count = len(ds)
    digests = numbers(count, "uint64", ds)
    split_rows = SplitRows(
        name,
        ds,
        view,
        RowIds.blank(count, ds) if has_id else RowIds(digests, numbers(count, "int32", ds)),
        digests,
        Measured(count if counter is not None else 0, texts, ds),
        has_id,
        scorer=Score(turns=layout.turns, side=layout.side),
        columns=explained_columns(steps),
    )
    embedded = Score().names()
    others = [column for step in steps if not step.is_revision for column in step.columns if column not in embedded]
    others = [column for column in dict.fromkeys(others) if _is_number(ds, layout.own(column))]
    split_rows.others = {column: numbers(count, "float64", ds) for column in others}
    our_columns = [layout.own(column) for column in (HISTORY, "row_id", "edit", "edit_reason", *others, *embedded)]
    marks = (layout.own(DUPLICATE_COLUMN), DUPLICATE_COLUMN)
    duplicate = next((column for column in marks if _is_text(ds, column)), "")
    twins = None
    scores = [layout.own(column) for column in (HISTORY, *embedded)]
    if scored is not None and len(scored) == len(ds) and {*view.reads, *scores} <= set(scored.column_names):
        twins = column_batches(scored, [*view.reads, *scores]) if scores[0] not in ds.column_names else None
    start = 0
    for batch in column_batches(ds, [*view.reads, *our_columns, duplicate] if steps or duplicate else view.reads):
        names = row_ids(batch, view)
        _note(split_rows, start, batch, names, layout)
        split_rows.duplicates += sum(map(bool, batch[duplicate])) if duplicate else 0
        if counter is not None:
            if twins is not None:
                batch = _with_scores(batch, names, next(twins), view, layout)
            measure(split_rows.measured, start, batch, view, layout, counter=counter, scorer=split_rows.scorer)
        start += len(names)
    release(ds, *(() if scored is None else (scored,)))
    return split_rows


def _note(
    split_rows: SplitRows, first: int, batch: Mapping[str, list[Any]], names: Sequence[str], layout: Layout
) -> None:
    count = len(names)
    split_rows.digests[first : first + count] = codes_of(names)
    facts_of_each = [_facts(text) for text in _cells(batch, layout.own(HISTORY), count)]
    known, edits, reasons = (_cells(batch, layout.own(name), count) for name in ("row_id", "edit", "edit_reason"))
    ids = []
    for k, (facts, digest, name, edit, reason) in enumerate(
        zip(facts_of_each, names, known, edits, reasons, strict=True)
    ):
        has_id = facts.has_id
        ids.append(name if has_id and isinstance(name, str) and name else digest)
        if has_id and edit in EDITS:
            split_rows.edits[edit] += 1
            if edit in ("reverted", "failed"):
                split_rows.refused[f"{edit} {reason or ''}"] += 1
        if facts.errors:
            split_rows.errors[first + k] = facts.errors
        for step in facts.models:
            split_rows.models[step.line()] += 1
    if split_rows.ids.codes is not split_rows.digests:
        split_rows.ids.put(first, ids)
    for column, values in split_rows.others.items():
        cells = _cells(batch, layout.own(column), count)
        found = [math.nan if cell is None or isinstance(cell, str) else float(cell) for cell in cells]
        values[first : first + count] = found
        missing = sum(n != n and column in facts.stale for n, facts in zip(found, facts_of_each, strict=True))
        if missing:
            split_rows.stale[column] = split_rows.stale.get(column, 0) + missing


def _with_scores(
    batch: Mapping[str, list[Any]],
    digests: Sequence[str],
    twin: Mapping[str, list[Any]],
    view: View,
    layout: Layout,
) -> dict[str, list[Any]]:
    """The texts of a batch with the history and the scores of `twin` in the rows where its texts are the same."""
    ids = zip(digests, row_ids(twin, view), twin[layout.own(HISTORY)], strict=True)
    equal = [one == other and not _facts(history).errors for one, other, history in ids]
    taken = {
        name: [cell if same else None for cell, same in zip(cells, equal, strict=True)]
        for name, cells in twin.items()
        if name not in view.reads
    }
    return {**{name: batch[name] for name in view.reads}, **taken}


def _cells(batch: Mapping[str, list[Any]], name: str, count: int) -> Sequence[Any]:
    return batch[name] if name in batch else [None] * count


def _is_number(ds: Any, column: str) -> bool:
    kind = str(getattr(ds.features.get(column), "dtype", ""))
    return kind.startswith(("float", "int", "uint"))


def _is_text(ds: Any, column: str) -> bool:
    return str(getattr(ds.features.get(column), "dtype", "")) in ("string", "large_string")


# ----------------------------------------------------------------------------------------------------------- measuring


def number_names() -> tuple[str, ...]:
    """Those of the embedded scores that are numbers."""
    return tuple(column.name for column in Score.adds if column.kind == "number")


def measure(
    into: Measured,
    first: int,
    batch: Mapping[str, list[Any]],
    view: View,
    layout: Layout,
    *,
    counter: TokenCounter | None,
    scorer: Score,
    trust: bool = True,
) -> None:
    """Put in the embedded scores and the tokens of the rows of some columns, from row `first` on.

    Scores that hfclean wrote into the rows are taken as they are, unless `trust` is off or they are of other turns or
    another side than `scorer` reads; the others are computed.
    """
    rows, read = rows_of(batch, view.reads), (scorer.turns, scorer.side)
    here = slice(first, first + len(rows))
    histories = _cells(batch, layout.own(HISTORY), len(rows))
    known = [trust and _facts(text).scored == read for text in histories]
    pairs = [scorer.pairs(row, view) for row in rows]
    to_score = [k for k, has in enumerate(known) if not has]
    scored: dict[str, list[Any]] = {}
    if to_score:
        scored, raised = scorer.scored_cells([rows[k] for k in to_score], view)
        into.errors |= {first + k: errors for k, errors in zip(to_score, raised, strict=True) if errors}
    for name in number_names():
        fresh, cells = iter(scored.get(name, ())), _cells(batch, layout.own(name), len(rows))
        into.numbers[name][here] = [
            _number(cell if has else next(fresh)) for cell, has in zip(cells, known, strict=True)
        ]
    fresh, cells = iter(scored.get("defects", ())), _cells(batch, layout.own("defects"), len(rows))
    texts = [str(cell or "") if has else next(fresh) for cell, has in zip(cells, known, strict=True)]
    into.defects[here] = [into.texts.setdefault(text, len(into.texts)) for text in texts]
    if counter is not None:
        into.tokens[here] = [counter(_whole(each[-1])) for each in pairs]


def _number(value: Any) -> float:
    return float(value) if value is not None and math.isfinite(value) else math.nan


def _whole(pair: Pair) -> str:
    """All text of a row as a model would read it."""
    if not pair.history and not pair.system:
        return f"{pair.prompt}\n{with_thought(pair)}"
    return "\n".join([pair.system, *(turn.text for turn in pair.history), pair.prompt, with_thought(pair)])
