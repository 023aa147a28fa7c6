"""The report of a comparison, for people: as a table, as one page, as plots, as a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hfclean.errors import SourceError
from hfclean.report.formatting import count, plural
from hfclean.report.page import render_notebook, render_page
from hfclean.report.plots import draw_plots
from hfclean.report.record import ReportData
from hfclean.report.summary import summarize


@dataclass(frozen=True, repr=False)
class Report(ReportData):
    """What changed between two datasets and why, what was removed, how the scores moved, and what is left to do.

    Made by `hfclean.compare`. `str(report)` is a short table for the terminal, `save_html` writes the whole of it as
    one page, `save` writes it as JSON.
    """

    def save(self, path: str | Path) -> None:
        """Write the report as JSON; `load` reads it."""
        Path(path).write_text(json.dumps(self.to_dict(), ensure_ascii=True) + "\n", encoding="ascii")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a report that `save` wrote.

        Raises:
            SourceError: the file is not one.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as e:
            raise SourceError(f"{Path(path).name} is not JSON, so it is not a saved report: {e}") from e
        return cls.from_dict(data)

    # ---------------------------------------------------------------------------------------------------- for people

    def summary(self, width: int | None = None) -> str:
        """A short plain-text table: rows, rows changed per rule, score quantiles before and after.

        Args:
            width: the number of characters that tables may take, of which outer quantiles and names of fields are left
                out then; as many as they need by default.
        """
        return summarize(self, width)

    def __repr__(self) -> str:
        """One line: a notebook prints the rest, and `print(report)`."""
        return (
            f"Report({plural(self.rows_before, 'row')} before, {count(self.rows_after)} after, "
            f"{count(self.rows_changed)} changed, {count(self.rows_with_defects_before)} with defects before, "
            f"{count(self.rows_with_defects_after)} after)"
        )

    def __str__(self) -> str:
        return self.summary()

    def to_html(self, *, title: str = "hfclean report", folder: str = "DIR", max_edits: int = 5000) -> str:
        """The report as one HTML page that needs nothing else: no network, no other file, no JavaScript.

        Args:
            title: the page's heading.
            folder: how the page names the cleaned folder in the commands that undo changes.
            max_edits: at most this many changes are shown, evenly spaced over the rows that changed; the page says
                how many there are. The page stays below 10 MB whatever the rows hold.
        """
        return render_page(self, title=title, folder=folder, max_edits=max_edits)

    def plots(self) -> dict[str, str]:
        """The distribution of each score before and after, as SVG texts by name, readable on light and dark pages.

        The names are safe as file names; `tokens` is the length of the rows.
        """
        return draw_plots(self)

    def save_html(
        self, path: str | Path, *, title: str = "hfclean report", folder: str = "DIR", max_edits: int = 5000
    ) -> None:
        """Write `to_html` into a file."""
        html = self.to_html(title=title, folder=folder, max_edits=max_edits)
        Path(path).write_text(html, encoding="utf-8", newline="\n")

    def _repr_html_(self) -> str:
        return render_notebook(self)
