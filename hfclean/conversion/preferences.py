"""Preference pairs of a revised dataset: the revised response is chosen, the original one rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfclean.conversion.converting import converted_as, warn_of
from hfclean.conversion.losses import Losses
from hfclean.errors import RestoreError
from hfclean.layout import Layout
from hfclean.passes import stored_stream
from hfclean.provenance import original_cells
from hfclean.schema import Columns, View
from hfclean.transform import cached_elsewhere

ROW_ID = "hfclean_pair_row_id"


def preference_pairs(
    ds: Any, *, conversational: bool = False, same_question: bool = False, columns: Columns = None, prefix: str = ""
) -> Any:
    """Preference pairs for trl's `DPOTrainer`: the revised response is chosen, the original one rejected.

    Rows whose response no reviser changed are left out. Where the question was revised as well, both answers stand
    below the revised one.

    Args:
        ds: a revised `Dataset`, `DatasetDict` or streaming dataset.
        conversational: `prompt`, `chosen` and `rejected` as lists of messages, for models with a chat template; by
            default texts, unless a row has a system prompt or earlier turns.
        same_question: only rows whose question did not change.
        columns, prefix: as the revisers were given them.

    Returns:
        a dataset with the columns `prompt`, `chosen`, `rejected` alone, and `row_id`.

    Raises:
        RestoreError: hfclean did not revise this dataset, or revised no response.
        SchemaError: rows of no known shape.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> row = {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}
    >>> ds = Dataset.from_list([{**row, **hfclean.revise(row)}])
    >>> pair = preference_pairs(ds)[0]
    >>> pair["prompt"], pair["chosen"], pair["rejected"]
    ('Name a fruit.', 'An apple.', 'An apple.</s>')
    """
    layout, ds = Layout(columns, prefix), stored_stream(ds)
    if isinstance(ds, Mapping):
        parts = {name: _preference_pairs(part, layout, conversational, same_question) for name, part in ds.items()}
        return type(ds)(parts)  # type: ignore[call-arg]
    return _preference_pairs(ds, layout, conversational, same_question)


def _preference_pairs(ds: Any, layout: Layout, conversational: bool, same_question: bool) -> Any:
    ds = cached_elsewhere(ds)
    row_id = layout.own("row_id")
    if same_question and layout.own("original") in ds.column_names:
        view = layout.view(ds.column_names)
        plain_ds = ds.with_format(None)
        ds = plain_ds.select([k for k, row in enumerate(plain_ds) if _same_question(row, view, layout)])
        if not len(ds):
            raise RestoreError("every revision changed its question, so no two answers stand below the same one")
    wanted = ["prompt", "chosen", "rejected"]
    if row_id in ds.column_names:
        ds = ds.add_column(ROW_ID, list(ds.with_format(None)[row_id]))  # not one of ours: it goes along
        wanted.append(ROW_ID)
    lost = Losses()
    pairs = converted_as(
        ds, "preference", lost, columns=layout.columns, prefix=layout.prefix, revisions=True
    ).select_columns(wanted)
    warn_of(lost)
    if ROW_ID in wanted:
        pairs = pairs.rename_column(ROW_ID, "row_id")
    if conversational and isinstance(pairs[0]["prompt"], str):
        pairs = pairs.map(_as_messages, desc="as messages")
    return pairs


def _same_question(row: Mapping[str, Any], view: View, layout: Layout) -> bool:
    now, then = (view.pairs(cells)[-1] for cells in (row, original_cells(row, layout.prefix)))
    return (now.instruction, now.input) == (then.instruction, then.input)


def _as_messages(row: Mapping[str, Any]) -> dict[str, Any]:
    roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    return {name: [{"role": role, "content": row[name]}] for name, role in roles.items()}
