"""A spreadsheet: one row a line, with columns to fill in. Nothing in it is a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from hfclean.errors import SourceError
from hfclean.limits import LARGEST_JSON
from hfclean.verdicts.exchange.answers import EMPTY, Answer
from hfclean.verdicts.exchange.tasks import NAMES, Task

NEW = {f"new_{name}": name for name in NAMES}
COLUMNS = (
    *("verdict", "reason", *NEW, *NAMES, *(f"{name}_was" for name in NAMES)),
    *("context", "reasons", "split", "row_id", "before", "after"),
)
NEEDED = ("row_id", "verdict")
# What a spreadsheet runs as a formula gets an apostrophe, and so does what looks as if it had got one.
_RUN = re.compile("'*[=+\\-@\\t\\r\uff1d\uff0b\uff0d\uff20]")
_ESCAPED = re.compile(f"'{_RUN.pattern}")
LONGEST_CELL = 32_767  # characters; of a longer one, a spreadsheet keeps the beginning


def escaped(text: str) -> str:
    """A cell that no spreadsheet runs.

    >>> escaped("=1+1"), escaped("a = b"), escaped("'=1")
    ("'=1+1", 'a = b', "''=1")
    """
    return f"'{text}" if _RUN.match(text) else text


def unescaped(cell: str) -> str:
    """The text of a cell that `escaped` wrote, or that a person typed.

    >>> unescaped("'=1+1"), unescaped("=1+1"), unescaped("'tis")
    ('=1+1', '=1+1', "'tis")
    """
    return cell[1:] if _ESCAPED.match(cell) else cell


def write(tasks: Iterable[Task], file: Path) -> tuple[int, int]:
    """Write tasks as a CSV file; gives how many, and how many have a text that a spreadsheet cuts."""
    count = cut = 0
    with file.open("w", encoding="utf-8-sig", newline="") as f:  # without the mark, Excel reads another encoding
        writer = csv.DictWriter(f, COLUMNS, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        for task in tasks:
            cells = _cells(task)
            writer.writerow({name: escaped(text) for name, text in cells.items()})
            count += 1
            cut += any(len(text) >= LONGEST_CELL for text in cells.values())
    return count, cut


def _cells(task: Task) -> Mapping[str, str]:
    was = {f"{name}_was": text or EMPTY for name, text in task.was.items()}
    words = ("context", "reasons", "split", "row_id", "before", "after")
    return {"verdict": "", **task.now, **was, **{name: getattr(task, name) for name in words}}


def read(file: Path) -> Iterator[Answer]:
    """The answers of a CSV file, whatever separates its cells.

    Raises:
        SourceError: it is not one that `write` began.
        OSError: it cannot be read.
    """
    csv.field_size_limit(LARGEST_JSON)
    try:
        with file.open(encoding="utf-8-sig", newline="") as f:
            head = f.readline(LARGEST_JSON)
            f.seek(0)
            reader = csv.DictReader(f, delimiter=_separator(head, file.name), strict=True)
            for line, row in enumerate(reader, start=2):
                cells = {name: unescaped(cell) for name, cell in row.items() if isinstance(cell, str)}
                if any(cell.strip() for cell in cells.values()):
                    yield _answer(cells, f"row {line}")
    except UnicodeDecodeError as e:
        raise SourceError(f"{file.name!r} is not UTF-8; save it as 'CSV UTF-8'") from e
    except csv.Error as e:
        raise SourceError(f"{file.name!r} cannot be read as CSV ({e}); save it as 'CSV UTF-8'") from e


def _separator(head: str, name: str) -> str:
    for separator in (",", ";", "\t"):
        if set(NEEDED) <= set(next(csv.reader([head], delimiter=separator), [])):
            return separator
    raise SourceError(
        f"{name!r} begins with {head[:60]!r}; expected columns {' and '.join(NEEDED)}, as hfclean verdicts export "
        "writes them"
    )


def _answer(cells: Mapping[str, str], where: str) -> Answer:
    return Answer(
        where,
        cells.get("row_id", "").strip(),
        cells.get("verdict", ""),
        {name: cells[column] for column, name in NEW.items() if cells.get(column)},
        reason=cells.get("reason", ""),
        before=cells.get("before", ""),
        after=cells.get("after", ""),
    )
