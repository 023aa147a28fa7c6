"""The recipe for Daft, on its runner for one machine: the rows, ids and report of one process. `.ci/engines` makes an
environment for it, as Daft takes other versions of Arrow than the rest; elsewhere these are left out and counted."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset

import hfclean
from hfclean.engines import finish, whole_rows
from hfclean.testing import shape_rows
from hfclean.values import exact_dataset

pytestmark = [
    pytest.mark.daft,
    pytest.mark.skipif(find_spec("daft") is None, reason="needs Daft: see .ci/engines"),
    pytest.mark.filterwarnings("ignore"),  # of Daft's own
]
ROWS = {shape: [row for row in rows if len(str(row)) < 1000] for shape, rows in shape_rows().items()}
CALLS = ([{"function": {"name": "f", "arguments": {"n": 7}}}], None)
ROWS["tool calls"] = [
    {
        "messages": [
            {"role": "user", "content": "Rain?"},
            {"role": "assistant", "content": "No.</s>", "tool_calls": c},
        ],
        "tools": [{"name": "f", "n": 1}],
        "rank": None if c else 2**53 + 1,
    }
    for c in CALLS
]
COUNT, BATCH = 300, 32


def cleaned_by_daft(raw: Dataset, batch_size: int = BATCH) -> pa.Table:
    """The rows, revised and scored as docs/scale.md has it."""
    import daft

    steps = [whole_rows(hfclean.revise), whole_rows(hfclean.score)]
    df = daft.from_arrow(raw.data.table.combine_chunks())
    schema = steps[1](steps[0](df.limit(10).to_arrow())).schema

    @daft.func.batch(return_dtype=daft.DataType.from_arrow_type(pa.struct(schema)), unnest=True, batch_size=batch_size)
    def cleaned(*columns: Any) -> pa.Array:
        batch = pa.table({column.name(): column.to_arrow() for column in columns})
        return steps[1](steps[0](batch)).to_struct_array().combine_chunks()

    return df.select(cleaned(*df.columns)).to_arrow()


def same(one: Dataset, other: Dataset) -> bool:
    """Whether rows and types are the same; nan is nan."""
    return json.dumps([repr(one.features), one.to_list()]) == json.dumps([repr(other.features), other.to_list()])


@pytest.mark.parametrize("shape", ROWS)
def test_daft_gives_the_rows_ids_and_report_of_one_process(shape: str) -> None:
    rows = ROWS[shape]
    raw = exact_dataset([rows[k % len(rows)] for k in range(COUNT)])
    done, one = finish(raw, cleaned_by_daft(raw)), hfclean.clean(raw, show=False)
    assert same(done.dataset, one.dataset)
    assert hfclean.compare(raw, done.dataset) == hfclean.compare(raw, one.dataset)


def test_the_rows_of_many_small_batches_come_in_their_order() -> None:
    raw = Dataset.from_list([{"prompt": f"Name city {k}.", "completion": f"City {k}.</s>"} for k in range(5000)])
    done = finish(raw, cleaned_by_daft(raw, 7)).dataset
    assert done["completion"][:] == [f"City {k}." for k in range(5000)]
