"""Revisions that the gate refused, as rows of their own. No column holds their text: they are read from the answers
that are kept, by the work that refused them, which asks nothing this time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from pathlib import Path
from secrets import token_hex
from typing import Any

from hfclean.checks.verified import new_findings
from hfclean.layout import Layout
from hfclean.models.work import recall
from hfclean.passes import column_batches, folder_of
from hfclean.provenance import REVISION_COLUMNS, pointer
from hfclean.reviser.modelled import ModelReviser
from hfclean.reviser.proposals import Proposal, Task
from hfclean.schema import Pair
from hfclean.transform import Batch

NOT_KEPT = "The refused revisions are not kept, since no answers are (store=False)."


@dataclass(frozen=True)
class RefusedRevision:
    """One text of a revision that was refused.

    Attributes:
        split: of the row; `train` of a `Dataset` that has no name.
        row_id: of the row.
        field: where the text stands, as in the ledger.
        before: the text as it was, and as it stayed.
        proposed: what the model made of it.
        codes: why the whole revision was refused, as in `edit_reason`; `not_graded` where only the choice failed.
        findings: what `hfclean.verify` finds wrong in the whole revision and did not before, a sentence each.
        model: what the model that answered calls itself.
    """

    split: str
    row_id: str
    field: str
    before: str
    proposed: str
    codes: str
    findings: tuple[str, ...]
    model: str


REFUSED_COLUMNS = tuple(spec.name for spec in fields(RefusedRevision))


def refused_revisions(ds: Any, reviser: ModelReviser) -> Any | None:
    """What the model made of the rows whose `edit` is `reverted`, from the answers that are kept; asks nothing.

    Where an answer is not kept, its revision is left out. Of several candidates all are given.

    Args:
        ds: a `Dataset` or `DatasetDict` that this reviser was the last to revise; left as it is.
        reviser: with the settings that it had then.

    Returns:
        a `Dataset` of `RefusedRevision`s, `findings` a list of texts and all other columns text; `None` where nothing
        was refused or no answers are kept.
    """
    if not reviser.keeps_answers:
        return None
    splits = dict(ds) if isinstance(ds, Mapping) else {str(ds.split or "train"): ds}
    found = _found(splits, reviser)
    if (first := next(found, None)) is None:
        return None
    folder = next((folder_of(part) for part in splits.values()), None)
    return _stored(chain([first], found), Path(folder) / f"cache-refused-{token_hex(8)}.arrow" if folder else None)


def refused_in(reviser: ModelReviser, rows: Mapping[str, list[Any]]) -> list[list[RefusedRevision]]:
    """The refused revisions of each of these rows, given as columns, as they were before the reviser saw them."""
    batch = Batch(rows)
    view = reviser.layout.view(tuple(rows))
    proposed = recall(reviser.proposed(batch, view))
    names = batch.get(reviser.layout.own("row_id"), [""] * len(proposed))
    return [
        [
            each
            for task, proposals in tasks
            for proposal in proposals
            for pair, codes in _refused(reviser, task, proposal)
            for each in _texts(reviser, task, pair, codes, name, proposal.model)
        ]
        for name, tasks in zip(names, proposed, strict=True)
    ]


def still_refused(refused: Any | None, ds: Any, layout: Layout, *, but: Sequence[str] = ()) -> Any | None:
    """Those refused revisions of a `DatasetDict` whose rows are in it and still `reverted`.

    Args:
        refused: what `refused_revisions` gave.
        ds: the rows as they are now.
        layout: how they are read.
        but: ids of rows to leave out.
    """
    if refused is None:
        return None
    edit, name = layout.own("edit"), layout.own("row_id")
    reverted = {
        str(row_id)
        for part in ds.values()
        if {edit, name} <= set(part.column_names)
        for batch in column_batches(part, [edit, name])
        for what, row_id in zip(batch[edit], batch[name], strict=True)
        if what == "reverted"
    }.difference(but)
    kept = [
        k
        for k, row_id in enumerate(
            row_id for batch in column_batches(refused, ["row_id"]) for row_id in batch["row_id"]
        )
        if row_id in reverted
    ]
    return refused.select(kept) if kept else None


def _found(splits: Mapping[str, Any], reviser: ModelReviser) -> Iterator[list[dict[str, Any]]]:
    edit = reviser.layout.own("edit")
    for split, part in splits.items():
        if edit not in part.column_names:
            continue
        edits = (what for batch in column_batches(part, [edit]) for what in batch[edit])
        places = [k for k, what in enumerate(edits) if what == "reverted"]
        if not places:
            continue
        beside = [name for name in reviser.beside() if name in part.column_names]
        names = list(
            dict.fromkeys(
                [
                    *reviser.layout.view(part.column_names).columns,
                    *beside,
                    *map(reviser.layout.own, REVISION_COLUMNS),
                ]
            )
        )
        for batch in column_batches(part, names, places):
            rows = [asdict(each) | {"split": split} for row in refused_in(reviser, batch) for each in row]
            if rows:
                yield rows


def _refused(reviser: ModelReviser, task: Task, proposal: Proposal) -> Iterator[tuple[Pair, tuple[str, ...]]]:
    yield from proposal.refused
    if proposal.pair is not None and proposal.pair != task.pair:
        yield proposal.pair, reviser.refused(task.pair, proposal, {}, tests=task.tests) or ("not_graded",)


def _texts(
    reviser: ModelReviser, task: Task, pair: Pair, codes: Sequence[str], name: str, model: str
) -> Iterator[RefusedRevision]:
    findings = tuple(finding.sentence for finding in new_findings(task.pair, pair))
    for change in reviser.changes(task, pair):
        after = str(change.after)
        yield RefusedRevision("", name, pointer(change.path), change.before, after, " ".join(codes), findings, model)


def _stored(batches: Iterator[list[dict[str, Any]]], file: Path | None) -> Any:
    """A `Dataset` of these rows, in a file or in memory."""
    import pyarrow as pa
    from datasets import Dataset, Features

    schema = pa.schema(
        [(name, pa.list_(pa.string()) if name == "findings" else pa.string()) for name in REFUSED_COLUMNS]
    )
    schema = Features.from_arrow_schema(schema).arrow_schema
    tables = (pa.Table.from_pylist(rows, schema=schema) for rows in batches)
    if file is None:
        return Dataset(pa.concat_tables([schema.empty_table(), *tables]))
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for table in tables:
            writer.write_table(table)
    return Dataset.from_file(str(file))
