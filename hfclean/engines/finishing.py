"""What needs every row at once, for rows that another engine revised and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hfclean.cleaned import Cleaned
from hfclean.cleaning import RowByRow, all_steps, described_origin, in_order, of_one_split, over_all_rows, settled
from hfclean.cleaning.asked import described, models_of, refused_of, what_never_came
from hfclean.engines.costs import STEP, usage_of
from hfclean.errors import ColumnError, HfcleanError
from hfclean.layout import Layout
from hfclean.models import ModelTransform
from hfclean.passes import column_batches
from hfclean.provenance import HISTORY, row_ids
from hfclean.reviser import revise as rules_reviser
from hfclean.transform import Transform, usual_type

ORDER = "ray.data.DataContext.get_current().execution_options.preserve_order = True"


def finish(
    before: Any,
    after: Any,
    *,
    reviser: Transform | Sequence[Transform] | None = rules_reviser,
    score: bool | Transform = True,
    scorers: Sequence[Transform] = (),
    drop_duplicates: bool = False,
    answers: str | Path | Sequence[str | Path] = (),
) -> Cleaned:
    """What `hfclean.clean` gives, for rows on which another engine ran the transforms: unique ids, duplicates, and by
    `save` the folder with its report.

    Args:
        before: the rows as they were, as `hfclean.clean` takes them.
        after: the same rows in the same order, as they became: an Arrow table, a `Dataset`, or, where `before` has
            several splits, these by split.
        reviser, score, scorers: what the engine ran, as `hfclean.clean` takes them.
        drop_duplicates: as for `hfclean.clean`.
        answers: where models were asked, the folder that `OwnStore` was given, or those of several machines: what they
            were asked and what that cost is added up, for the report and the card. A batch at which an actor died
            counts as answered before.

    Raises:
        HfcleanError: there are more or fewer rows than before, or they came in another order; nothing in `answers` is
            of a model that was asked.
        ColumnError: a column of `before` is gone.
        SchemaError: rows of no known shape.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> raw = Dataset.from_dict({"prompt": ["Name a fruit."] * 2, "completion": ["An apple.</s>"] * 2})
    >>> done = hfclean.engines.whole_rows(hfclean.revise)(raw.data.table)  # an engine does this, batch by batch
    >>> hfclean.engines.finish(raw, done, score=False).dataset["row_id"][:]
    ['2129cd67340c2709', '2129cd67340c2709-2']
    """
    from datasets import Dataset

    revisers = in_order(reviser)
    origin = described_origin(before, revisers)
    old = {"": origin.rows} if isinstance(origin.rows, Dataset) else dict(origin.rows)
    new = {"": after} if "" in old or not isinstance(after, Mapping) else dict(after)
    if set(old) != set(new):
        raise HfcleanError(f"before has the splits {', '.join(old)}, and after {', '.join(map(str, new)) or 'none'}")
    given = all_steps(revisers, score, scorers)
    steps = [settled(step, old) for step in given]
    layout = steps[0].layout if revisers else None
    splits = {name: _fitting(part, new[name], layout) for name, part in old.items()}
    folders = [answers] if isinstance(answers, (str, Path)) else list(answers)
    entries, failures = list(map(described, steps)), []
    for k, (step, as_given) in enumerate(zip(steps, given, strict=True)):
        if folders and isinstance(step, ModelTransform):
            usage, rest = usage_of(folders, as_given), entries[k]
            head = {name: rest.pop(name) for name in STEP}
            entries[k] = {**head, "models": models_of(splits, step), "usage": usage, **rest}
            failures.append(what_never_came(splits, step))
    done = RowByRow(splits, {}, tuple(entries), tuple(filter(None, failures)), layout, origin)
    cleaned = over_all_rows(done, drop_duplicates=drop_duplicates)
    cleaned = of_one_split(cleaned) if "" in old else cleaned
    return replace(cleaned, refused=refused_of(cleaned.dataset, steps[len(revisers) - 1])) if revisers else cleaned


def _fitting(before: Any, after: Any, layout: Layout | None) -> Any:
    """The rows of a split as they became, with the types that they had and the columns in the order of `map`.

    Raises:
        HfcleanError: they are not the rows of `before`, in the same order.
        ColumnError: a column is gone.
    """
    import pyarrow as pa
    from datasets import Dataset, Features
    from datasets.table import InMemoryTable

    if isinstance(after, pa.Table):
        after = Dataset(InMemoryTable(after.replace_schema_metadata(None)))
    if missing := [name for name in before.column_names if name not in after.column_names]:
        raise ColumnError(
            f"the column {missing[0]!r} is gone, since the engine takes what a transform returns in place of the row; "
            "pass it hfclean.engines.whole_rows(...) of each transform"
        )
    if len(before) != len(after):
        raise HfcleanError(f"{len(before):,} rows went in and {len(after):,} came out; expected the same rows")
    # some engines have large strings and lists alone
    added = (field for field in after.features.arrow_schema if field.name not in before.features)
    types = pa.schema([field.with_type(usual_type(field.type, text=False)) for field in added])
    features = Features(
        {name: before.features[name] for name in before.column_names} | Features.from_arrow_schema(types)
    )
    after = after.select_columns(list(features)).cast(features)
    if layout is not None and len(before):
        _check_order(before, after, layout)
    return Dataset(after.data, info=after.info, split=before.split, fingerprint=after._fingerprint)


def _check_order(before: Any, after: Any, layout: Layout) -> None:
    """Refuse rows in another order, by the ids that revisers gave them.

    Raises:
        HfcleanError: see above.
    """
    name, start = layout.own("row_id"), 0
    if name not in after.column_names:
        raise ColumnError(f"no row has a {name!r}, so no reviser ran; pass reviser=None where none was to run")
    view = layout.view(before.column_names)
    known = {layout.own(HISTORY), name} <= set(before.column_names)
    pairs = zip(column_batches(before, [name] if known else view.columns), column_batches(after, [name]), strict=True)
    for old, new in pairs:
        ids = old[name] if known else row_ids(old, view)
        for k, (one, other) in enumerate(zip(ids, new[name], strict=True), start):
            if one != other and one.partition("-")[0] != other.partition("-")[0]:
                raise HfcleanError(
                    f"row {k:,} came out as another row than went in; expected the same order. Ray Data keeps it with "
                    f"{ORDER}"
                )
        start += len(ids)
