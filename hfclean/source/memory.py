"""Rows in memory as a `Dataset`: a list of dicts, a table of pyarrow, a frame of pandas or polars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfclean.errors import SourceError
from hfclean.transform import usual_type
from hfclean.values import exact_dataset

FRAMES = ("pandas", "polars", "pyarrow")


def from_memory(data: Any) -> Any:
    """A `Dataset` of rows in memory; anything else, such as a `Dataset`, as it is.

    Text is Arrow's ordinary string, and the index of a frame is left out. What is missing in a frame is a null.

    Raises:
        SourceError: a list of something else than dicts, an empty one, or a column of several types.
    """
    if isinstance(data, (list, tuple)):
        other = next((row for row in data if not isinstance(row, Mapping)), None)
        if other is not None or not data:
            found = "an empty list" if not data else f"a list with {type(other).__name__} in it"
            raise SourceError(
                f"got {found}; expected rows as dicts, one each: [{{'instruction': ..., 'output': ...}}]"
            )
        return exact_dataset(data)
    if type(data).__module__.partition(".")[0] not in FRAMES or not hasattr(type(data), "columns"):
        return data
    return _of_frame(data)


def _of_frame(data: Any) -> Any:
    import pyarrow as pa
    from datasets import Dataset

    kind = type(data).__module__.partition(".")[0]
    try:
        if kind == "pandas":
            table = pa.Table.from_pandas(data, preserve_index=False)
        else:
            table = data.to_arrow() if hasattr(data, "to_arrow") else data
    except (pa.ArrowInvalid, pa.ArrowTypeError) as e:
        problem = " ".join(map(str, e.args))
        raise SourceError(
            f"the frame has a column that is of no one type ({problem}); make it one, or give the rows as dicts: "
            "frame.to_dict('records')"
        ) from e
    if not hasattr(table, "replace_schema_metadata"):
        raise SourceError(f"got {kind} {type(data).__name__}; expected a frame with its rows: .collect() it first")
    fields = [
        (
            field.name,
            usual_type(field.type.value_type if pa.types.is_dictionary(field.type) else field.type, text=True),
        )
        for field in table.schema
    ]
    return Dataset(table.replace_schema_metadata(None).cast(pa.schema(fields)))
