"""Meanings: what a page or a card says of the columns that its report names."""

from __future__ import annotations

from hfclean.columns import DUPLICATE_OF, REVISION
from hfclean.report.record import ReportData
from hfclean.scorers.embedded.score import Score

__all__ = ["meanings"]


def meanings(report: ReportData) -> dict[str, str]:
    """A sentence for each column that the report knows of. Reports of version 0.1.0 say none: what hfclean itself adds
    is known by its name, whatever the prefix."""
    if report.columns:
        return {column.name: column.meaning for column in report.columns}
    names = (*report.columns_added, *(score.name for score in report.scores))
    known = (*Score.adds, *REVISION, DUPLICATE_OF)
    return {
        name: column.sentence()
        for name in names
        for column in known
        if name == column.name or name.endswith(f"_{column.name}")
    }
