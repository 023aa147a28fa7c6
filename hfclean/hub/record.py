"""The record of a dataset in a repo, with its report and its ledger, read as what a stranger may have written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hfclean.errors import RecordError, SourceError
from hfclean.hub.failures import RepoError
from hfclean.layout import Layout
from hfclean.ledger_file import LEDGER_COLUMNS
from hfclean.limits import check_parquet
from hfclean.records import dataset
from hfclean.records.dataset import About, parse_about
from hfclean.report import Edit, Report
from hfclean.report.refused import as_refused, sampled
from hfclean.reviser.refused import REFUSED_COLUMNS

LARGEST_LEDGER = 500_000_000
MOST_UNPACKED, MOST_VALUES = 4_000_000_000, 600_000_000  # bytes and cells of a ledger
CONFIG_NAME = re.compile(r"[A-Za-z0-9_][\w.]*(?:-[\w.]+)*", re.ASCII)


def folder_of(config_name: str) -> str:
    """Where in a repo the files of a config lie: `default` at the top, others in a folder of their name."""
    return "" if config_name == "default" else f"{config_name}/"


def read_about(record: bytes | Path, where: str) -> tuple[About, Report]:
    """What the record of a dataset says, with its report.

    Args:
        record: its content, or the folder that it lies in.
        where: what messages call it.

    Raises:
        RepoError: it is damaged, of another version, does not describe a dataset, or names files that are not ours.
    """
    try:
        about = parse_about(record) if isinstance(record, bytes) else dataset.read_about(record)
        return about, Report.from_dict(about.report)
    except (RecordError, SourceError, RecursionError) as e:
        again = "; push the dataset again" if "is damaged" in str(e) else ""
        raise RepoError(f"{where}{' ' if isinstance(e, RecordError) else ': '}{str(e)[:300]}{again}") from e


def with_refused(report: Report, file: Path | None) -> Report:
    """A report with a sample of its refused revisions, read from their file.

    Raises:
        RepoError: the file is not one of hfclean.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file is None or file.stat().st_size > LARGEST_LEDGER:
        return report
    try:
        with pq.ParquetFile(file) as parquet:
            check_parquet(parquet, most_bytes=MOST_UNPACKED, most_values=MOST_VALUES)
            names, kind = parquet.schema_arrow.names, parquet.schema_arrow
            if tuple(names) != REFUSED_COLUMNS or not pa.types.is_list(kind.field("findings").type):
                raise RepoError(f"{file.name} has the columns {names[:8]}, so it does not hold refused revisions")
            wanted, rows, start, size = set(sampled(parquet.metadata.num_rows)), [], 0, 0
            for batch in parquet.iter_batches(batch_size=100):
                size += batch.nbytes
                if size > MOST_UNPACKED:
                    raise ValueError(f"it unpacks to more than {MOST_UNPACKED:,} bytes")
                places = [k for k in range(len(batch)) if start + k in wanted]
                rows += batch.take(pa.array(places, pa.int64())).to_pylist()
                start += len(batch)
    except (pa.ArrowException, ValueError) as e:
        raise RepoError(f"{file.name} is damaged ({str(e)[:100]}); push the dataset again") from e
    return replace(report, refused=tuple(map(as_refused, rows)))


def with_edits(report: Report, ledger: Path | None, data: Mapping[str, Sequence[Path]], layout: Layout) -> Report:
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
                raise RepoError(f"{ledger.name} has the columns {file.schema_arrow.names[:8]}, so it is not a ledger")
            lines, size = [], 0
            for batch in file.iter_batches(batch_size=100):  # few: a row may hold a very long text, again and again
                size += batch.nbytes
                if size > MOST_UNPACKED:
                    raise ValueError(f"it unpacks to more than {MOST_UNPACKED:,} bytes")
                lines += [tuple(str(value or "") for value in row.values()) for row in batch.to_pylist()]
        wanted = {(line[0], line[1]) for line in lines}
        places, column = {}, layout.own("row_id")
        for split, files in data.items():
            index = 0
            for path in files:
                with pq.ParquetFile(path) as part:
                    if column not in part.schema_arrow.names:
                        index += part.metadata.num_rows
                        continue
                    for batch in part.iter_batches(batch_size=10_000, columns=[column]):
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
