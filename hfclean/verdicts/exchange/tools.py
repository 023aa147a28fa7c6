"""Tools: what each takes and gives, under one name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from hfclean.durable import new_file, new_folder
from hfclean.errors import FolderError, SourceError
from hfclean.verdicts.exchange import argilla, label_studio, spreadsheet
from hfclean.verdicts.exchange.answers import Answer
from hfclean.verdicts.exchange.tasks import Task

TOOLS = ("csv", "label-studio", "argilla")


class Exported(NamedTuple):
    """What was written.

    Attributes:
        rows: how many.
        cut: rows with a text that is longer than a cell of a spreadsheet, which cuts it when it opens the file.
    """

    rows: int
    cut: int = 0


def export_tasks(tasks: Iterable[Task], to: str, out: Path, *, overwrite: bool = False) -> Exported:
    """Write tasks for another tool.

    Args:
        tasks: what `tasks_of` gives.
        to: one of `TOOLS`: `csv` writes a file, `label-studio` and `argilla` a folder.
        out: of the file or folder.
        overwrite: replace a file that exists. A folder that exists is never replaced.

    Raises:
        FolderError: `out` exists.
        SourceError: there is no such tool.
    """
    if to not in TOOLS:
        raise SourceError(f"no tool {to!r}; expected {', '.join(TOOLS)}")
    if out.exists() and not (overwrite and to == "csv" and out.is_file()):
        raise FolderError(f"{out.name!r} already exists; name another place")
    if to == "csv":
        with new_file(out) as partial:
            return Exported(*spreadsheet.write(tasks, partial))
    with new_folder(out, overwrite=False) as folder:
        return Exported((label_studio if to == "label-studio" else argilla).write(tasks, folder))


def read_answers(file: Path, of: str) -> Sequence[Answer]:
    """What people decided in another tool.

    Args:
        file: the CSV file as it was saved, the export "JSON" of Label Studio, or the `records.json` of Argilla.
        of: one of `TOOLS`.

    Raises:
        SourceError: the file cannot be read, or is not of this tool.
    """
    if of not in TOOLS:
        raise SourceError(f"no tool {of!r}; expected {', '.join(TOOLS)}")
    reader = {"csv": spreadsheet.read, "label-studio": label_studio.read, "argilla": argilla.read}[of]
    try:
        return list(reader(file))
    except OSError as e:
        raise SourceError(f"{file.name!r} cannot be read ({e.strerror})") from e
