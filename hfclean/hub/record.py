"""The record: `hfclean.json` of a folder or a repo, read as what a stranger may have written.

Every entry is checked for its type, every path for lying where hfclean puts such a file; nothing in it is executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hfclean.errors import SourceError
from hfclean.folder import ABOUT, FORMAT
from hfclean.hub.failures import RepoError
from hfclean.limits import check_parquet, reading_of
from hfclean.report import Edit, Report

__all__ = ["ABOUT", "CONFIG_NAME", "LARGEST_ABOUT", "LAYOUT", "About", "folder_of", "read_about", "with_edits"]

LARGEST_ABOUT = 50_000_000
LARGEST_LEDGER = 500_000_000
MOST_UNPACKED, MOST_VALUES = 4_000_000_000, 600_000_000  # bytes and cells of a ledger
LAYOUT = re.compile(
    r"(?P<part>data|removed)/(?P<split>\w+(?:\.\w+)*?)(?:-\d{5}-of-\d{5}-[0-9a-f]{8})?\.parquet"
    r"|plots/\w{1,100}\.svg|ledger\.parquet|report\.html",
    re.ASCII,
)
SHARD = re.compile(r"data/\w+(?:\.\w+)*-\d{5}-of-\d{5}-[0-9a-f]{8}\.parquet", re.ASCII)
CONFIG_NAME = re.compile(r"[A-Za-z0-9_][\w.]*(?:-[\w.]+)*", re.ASCII)
HASH = re.compile(r"[0-9a-f]{64}")
LEDGER_COLUMNS = ("split", "row_id", "field", "rule", "before", "after")


@dataclass(frozen=True)
class About:
    """What `hfclean.json` says.

    Attributes:
        report: the figures, without the single changes.
        source: name and kind of what was cleaned, and its rows by split.
        stated: licence, language and source as the user stated them.
        transforms: what was done.
        columns, prefix: as the transforms were given them.
        files: path -> SHA-256; empty in folders of an earlier version.
    """

    report: Report
    source: Mapping[str, Any]
    stated: Mapping[str, Any]
    transforms: tuple[Mapping[str, Any], ...]
    columns: Any
    prefix: str
    files: Mapping[str, str]

    def data_files(self, part: str = "data") -> dict[str, list[str]]:
        """The files of each split of `data` or `removed`, in order."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.files):
            match = LAYOUT.fullmatch(path)
            if match and match["part"] == part:
                found.setdefault(match["split"], []).append(path)
        order = [split.split for split in self.report.splits]
        return {split: found[split] for split in sorted(found, key=lambda s: order.index(s) if s in order else -1)}


def folder_of(config_name: str) -> str:
    """Where in a repo the files of a config lie: `default` at the top, others in a folder of their name."""
    return "" if config_name == "default" else f"{config_name}/"


def read_about(content: bytes, where: str) -> About:
    """What an `hfclean.json` says.

    Raises:
        RepoError: it is damaged, of a newer version, no record of a dataset, or speaks of files that are not ours.
    """
    if len(content) > LARGEST_ABOUT:
        raise RepoError(f"{where} has {len(content):,} bytes, and no record of hfclean has; it is not read")
    try:
        data = json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as e:
        raise RepoError(f"{where} is damaged ({str(e)[:100]}); push the dataset again") from e
    if isinstance(data, dict) and "reviser" in data:
        raise RepoError(f"{where} describes a reviser, no dataset; read it with hfclean.Reviser.from_pretrained")
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise RepoError(f"{where} is no record of a cleaned dataset; wanted one that hfclean wrote")
    if data["format"] != FORMAT:
        raise RepoError(
            f"{where} has the format {data['format']}, and this version reads {FORMAT}: pip install --upgrade hfclean"
        )
    for name, kind in (("source", dict), ("stated", dict), ("transforms", list), ("prefix", str), ("files", dict)):
        if not isinstance(data.get(name, kind()), kind):
            raise RepoError(f"{where}: {name} is {type(data[name]).__name__}; wanted {kind.__name__}")
    try:
        report = Report.from_dict(data.get("report"))
    except (SourceError, RecursionError) as e:
        raise RepoError(f"{where}: {str(e)[:200]}") from e
    files = data.get("files", {})
    for path, digest in files.items():
        if not LAYOUT.fullmatch(path) or not isinstance(digest, str) or not HASH.fullmatch(digest):
            raise RepoError(
                f"{where} speaks of the file {path[:80]!r}, which hfclean would not write; wanted data/, removed/, "
                "plots/, ledger.parquet and report.html with their SHA-256. It is not read"
            )
    try:
        columns, prefix = reading_of(data)
    except ValueError as e:
        raise RepoError(f"{where}: {e}") from e
    transforms = tuple(step for step in data.get("transforms", []) if isinstance(step, dict))
    source, stated = data.get("source", {}), data.get("stated", {})
    return About(report, source, stated, transforms, columns, prefix, files)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def with_edits(report: Report, ledger: Path | None, data: Mapping[str, Sequence[Path]], prefix: str) -> Report:
    """A report with its single changes, read from the ledger and placed by the row ids of the data.

    Raises:
        RepoError: the ledger is not one of hfclean.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if ledger is None or ledger.stat().st_size > LARGEST_LEDGER:
        return report
    try:
        with pq.ParquetFile(ledger) as file:
            check_parquet(file, most_bytes=MOST_UNPACKED, most_values=MOST_VALUES)
            if tuple(file.schema_arrow.names) != LEDGER_COLUMNS:
                raise RepoError(f"{ledger.name} has the columns {file.schema_arrow.names[:8]}, so it is no ledger")
            lines, size = [], 0
            for batch in file.iter_batches(batch_size=100):  # few: a row may hold a very long text, again and again
                size += batch.nbytes
                if size > MOST_UNPACKED:
                    raise ValueError(f"it unpacks to more than {MOST_UNPACKED:,} bytes")
                lines += [tuple(str(value or "") for value in row.values()) for row in batch.to_pylist()]
        wanted = {(line[0], line[1]) for line in lines}
        places = {}
        for split, files in data.items():
            index = 0
            for path in files:
                with pq.ParquetFile(path) as part:
                    if prefix + "row_id" not in part.schema_arrow.names:
                        index += part.metadata.num_rows
                        continue
                    for batch in part.iter_batches(batch_size=10_000, columns=[prefix + "row_id"]):
                        for row in batch.column(0).to_pylist():
                            if (split, row) in wanted:
                                places[split, row] = index
                            index += 1
    except (pa.ArrowException, ValueError) as e:
        raise RepoError(f"the parquet files are damaged ({str(e)[:100]}); push the dataset again") from e
    edits = [
        Edit(row_id, field, rule, before, after, split, places[split, row_id])
        for split, row_id, field, rule, before, after in lines
        if (split, row_id) in places
    ]
    return replace(report, edits=tuple(edits))
