"""The record of a cleaned dataset, read as if a stranger wrote it.

The type of every entry is checked, and that every path is one where hfclean puts such a file; nothing is executed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hfclean.errors import RecordError, SchemaError
from hfclean.layout import Layout
from hfclean.outside_names import SPLIT, is_split
from hfclean.records.common import A_PART, PART, parse_record, read_record

FORMAT = 1
PIECE = r"-[0-9]{5}-of-[0-9]{5}-[0-9a-f]{8}"
LAYOUT = re.compile(
    rf"(?P<part>data|removed)/(?P<split>{SPLIT}?)(?:{PIECE})?\.parquet"
    r"|plots/\w{1,100}\.svg|ledger\.parquet|refused\.parquet|report\.html",
)
SHARD = re.compile(rf"data/{SPLIT}{PIECE}\.parquet")
HASH = re.compile(r"[0-9a-f]{64}")
LONGEST_COLUMN, MOST_COLUMNS = 1_000, 100


@dataclass(frozen=True)
class About:
    """What the record of a dataset says.

    Attributes:
        record: all of it.
        report: the figures, without the single changes, as `Report.from_dict` reads them.
        source: name and kind of what was cleaned, and its rows by split.
        stated: licence, language and source as the user stated them.
        transforms: what was done.
        layout: with the columns and the prefix that the transforms were given.
        files: path -> SHA-256; empty in folders of an earlier version.
    """

    record: dict[str, Any]
    report: Any
    source: Mapping[str, Any]
    stated: Mapping[str, Any]
    transforms: tuple[Mapping[str, Any], ...]
    layout: Layout
    files: Mapping[str, str]

    def data_files(self, part: str = "data") -> dict[str, list[str]]:
        """The files of each split of `data` or `removed`, in the order of the source's splits."""
        files: dict[str, list[str]] = {split: [] for split in self.source["rows"]}
        for path in sorted(self.files):
            match = LAYOUT.fullmatch(path)
            if match and match["part"] == part:
                files.setdefault(match["split"], []).append(path)
        return {split: paths for split, paths in files.items() if paths}


def read_about(folder: Path) -> About:
    """What the record of a folder says of a dataset.

    Raises:
        OSError: there is no record, or it cannot be read.
        RecordError: see `parse_about`.
    """
    return _about(read_record(folder))


def parse_about(content: bytes) -> About:
    """What the record of a dataset says.

    Raises:
        RecordError: it is damaged, of another version, does not describe a dataset, or differs from what hfclean
            writes. Its message goes on after the name of the record.
    """
    return _about(parse_record(content))


def _about(record: dict[str, Any]) -> About:
    if "reviser" in record:
        raise RecordError("describes a reviser, not a dataset; read it with hfclean.Reviser.from_pretrained")
    if PART in record:
        raise RecordError(f"describes {A_PART}")
    if not isinstance(record.get("format"), int):
        raise RecordError("is not a record of a cleaned dataset; expected one that hfclean wrote")
    if record["format"] != FORMAT:
        raise RecordError(
            f"has the format {record['format']}, and this version reads {FORMAT}: pip install --upgrade hfclean"
        )
    if wrong := _wrong(record):
        raise RecordError(f"is not as hfclean writes it ({wrong})")
    source = {"notes": [], **record["source"]}
    return About(
        {**record, "source": source},
        record.get("report"),
        source,
        record["stated"],
        tuple(record["transforms"]),
        read_layout(record),
        record.get("files", {}),
    )


def _wrong(record: Mapping[str, Any]) -> str:
    """The first entry that hfclean would not write; empty where there is none."""
    source, stated, steps = record.get("source"), record.get("stated"), record.get("transforms")
    rows = source.get("rows") if isinstance(source, dict) else None
    if not isinstance(source, dict) or not isinstance(rows, dict):
        return "source is not an object with rows"
    if odd := [split for split in rows if not is_split(split)]:
        return f"{odd[0]!r:.80} is not the name of a split"
    if odd := [key for key in ("name", "kind", "fingerprint") if not isinstance(source.get(key), str)]:
        return f"source has no text for {odd[0]}"
    notes = source.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        return "the notes of source are not a list of texts"
    if not isinstance(stated, dict) or not {"license", "language", "source"} <= set(stated):
        return "stated is not an object with license, language and source"
    if odd := [key for key in ("license", "source") if not isinstance(stated[key], (str, type(None)))]:
        return f"{odd[0]} in stated is neither a text nor null"
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return "transforms is not a list of objects"
    if not all(isinstance(step.get("settings", {}), dict) for step in steps):
        return "the settings of a transform are not an object"
    files = record.get("files", {})
    if not isinstance(files, dict):
        return "files is not an object"
    for path, digest in files.items():
        if not LAYOUT.fullmatch(path) or not isinstance(digest, str) or not HASH.fullmatch(digest):
            return (
                f"files has {path[:80]!r}, which hfclean would not write; expected data/, removed/, plots/, "
                "ledger.parquet, refused.parquet and report.html with their SHA-256"
            )
    try:
        read_layout(record)
    except RecordError as e:
        return str(e)
    return ""


def read_layout(record: Mapping[str, Any]) -> Layout:
    """How a record says that its rows are read: the columns and the prefix.

    Raises:
        RecordError: hfclean does not write such values.
    """
    columns, prefix = record.get("columns"), record.get("prefix", "")
    try:
        layout = Layout(prefix=prefix)
    except SchemaError as e:
        raise RecordError(str(e)) from None
    if columns is None:
        return layout
    names = [columns]
    if isinstance(columns, Mapping):
        names = [name for pair in columns.items() for name in pair]
        if len(columns) > MOST_COLUMNS:
            raise RecordError(f"columns has {len(columns):,} entries; expected at most {MOST_COLUMNS}")
    if not all(isinstance(n, str) and 0 < len(n) <= LONGEST_COLUMN for n in names):
        raise RecordError(f"columns is {columns!r:.60}; expected the name of a shape, or names of columns by role")
    return replace(layout, columns=columns)
