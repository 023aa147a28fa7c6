"""Meanings: what a page, a card or a terminal says of columns and codes."""

from __future__ import annotations

from hfclean.checks import CAUTIOUS, CHECKS
from hfclean.codes import ERRORS, REASONS
from hfclean.columns import DUPLICATE_OF, REVISION
from hfclean.report.record import ReportData
from hfclean.rules import ROW_RULES, RULES
from hfclean.scorers.embedded.score import Score


def meaning(code: str) -> str:
    """What a word in `edit_reason` means; empty for one that this version does not know."""
    rules = {rule.id: rule.meaning for rule in (*RULES, *ROW_RULES)}
    checks = {check.id: check.meaning for check in (*CHECKS, *CAUTIOUS)}
    return rules.get(code) or checks.get(code) or ERRORS.get(code) or REASONS.get(code, "")


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
