"""The file `hfclean.json`, whatever it describes: how much of it is read, and in what form it is written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hfclean.errors import RecordError
from hfclean.ownership import ABOUT

__all__ = ["ABOUT", "A_PART", "LARGEST_RECORD", "PART", "parse_record", "read_record", "record_text"]

LARGEST_RECORD = 50_000_000  # bytes
PART = "part"  # the entry that tells the record of a part from that of a dataset or a reviser
A_PART = "a part of a dataset, not all of it; put the parts together: hfclean merge PART... --out DIR"


def parse_record(content: bytes, most: int = LARGEST_RECORD) -> dict[str, Any]:
    """The object that a record holds.

    Raises:
        RecordError: the record has more than `most` bytes, or is not an object in JSON and UTF-8. Its message goes
            on after the name of the record.
    """
    if len(content) > most:
        raise RecordError(f"has more than {most:,} bytes, and no record of hfclean has")
    try:
        record = json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as e:
        why = "it is nested deeper than anything that hfclean writes" if isinstance(e, RecursionError) else str(e)
        raise RecordError(f"is damaged ({why[:100]})") from e
    if not isinstance(record, dict):
        raise RecordError(f"is not a record of hfclean: it holds {type(record).__name__}, expected an object")
    return record


def read_record(folder: Path, most: int = LARGEST_RECORD) -> dict[str, Any]:
    """The object that the record of a folder holds.

    Raises:
        OSError: there is no record, or it cannot be read.
        RecordError: see `parse_record`.
    """
    with (folder / ABOUT).open("rb") as file:
        return parse_record(file.read(most + 1), most)


def record_text(record: Mapping[str, Any]) -> str:
    """A record as it is written."""
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
