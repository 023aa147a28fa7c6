"""Text for the terminal about scored rows: how the scores are distributed, the defects with an example each, and the
worst rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hfclean.cli.rows_shown import ShownRow, lowest, places_where, shown_rows
from hfclean.cli.terminal import head, put_in, taken_out, visible, windows
from hfclean.layout import Layout
from hfclean.report.formatting import count, one_line, percent, plural
from hfclean.report.summary import QUANTILES, failures, quantile_cells
from hfclean.report.tables import table
from hfclean.rules import RULES, mend
from hfclean.rules.rule import FIELDS
from hfclean.schema import Pair

if TYPE_CHECKING:
    from hfclean.report import Report

DEFECTS = 8
WORST = 5


def describe_scores(report: Report, splits: Mapping[str, Any], layout: Layout, width: int) -> str:
    """Scored rows for people: `report` compares them with what they were, `splits` are the scored rows."""
    rows, wrong = report.rows_after, report.rows_with_defects_after
    first = head(
        f"{plural(rows, 'row')} scored, {count(wrong)} with a defect that the rules see ({percent(wrong, rows)})"
    )
    notes = [f"note: {one_line(note)}" for note in report.notes]
    blocks = [first, failures(report), _table(report, width), _defects(report, splits, layout, width)]
    blocks += [_worst(report, width), _lowest(splits, layout, width), *notes]
    return "\n\n".join(filter(None, blocks))


def _table(report: Report, width: int) -> str:
    lines = [["score", *QUANTILES]]
    lines += [[one_line(score.name, 40), *quantile_cells(score.after)] for score in report.scores]
    # the outer quantiles go first, then the quartiles
    return table(lines, width=width, drop=((2, 6), (3, 5)), cut=0) if report.rows_after and report.scores else ""


def _defects(report: Report, splits: Mapping[str, Any], layout: Layout, width: int) -> str:
    """The defects that most rows have, each with the first row that has it."""
    found = sorted((r for r in report.rules if r.defects_after), key=lambda rule: -rule.defects_after)
    column = layout.own("defects")
    if not found or not all(column in part.column_names for part in splits.values()):
        return ""
    blocks = [f"defects, the most frequent {min(len(found), DEFECTS)} of {len(found)}, with the first row of each:"]
    for rule in found[:DEFECTS]:
        name = rule.id
        place = next(places_where(splits, column, _holds(name)), None)
        blocks.append(
            one_line(f"{name}: {plural(rule.defects_after, 'row')}, severity {rule.severity}: {rule.meaning}", width)
        )
        if place is not None:
            row = shown_rows(splits, [place], layout)[0]
            blocks.append(_set_in(_repair_of(name, row, width - 4) or row.text(width - 2)))
    return "\n".join(blocks)


def _holds(name: str) -> Callable[[Any], bool]:
    return lambda cell: name in str(cell or "").split()


def _repair_of(name: str, row: ShownRow, width: int) -> str:
    """Where the row is and what the rule's repair would do to it; empty where it has none."""
    rules = [rule for rule in RULES if rule.id == name and rule.repair]
    errors: dict[str, Exception] = {}
    changes = mend(Pair(row.texts["instruction"], row.texts["input"], row.texts["response"]), rules, errors=errors)
    if not changes:
        return ""
    old, new = changes[0].before, changes[0].after
    field = next(each for each in FIELDS if getattr(old, each) != getattr(new, each))
    texts = (one_line(visible(text), width - 2) for text in windows(getattr(old, field), getattr(new, field)))
    return "\n".join(
        [f"{row.split}:{row.index}  {field}", f"  {taken_out(f'- {next(texts)}')}", f"  {put_in(f'+ {next(texts)}')}"]
    )


def _worst(report: Report, width: int) -> str:
    lines = []
    for row in report.worst[:WORST]:
        lines.append(one_line(f"{row.split}:{row.index}  {row.note}", width))
        lines.append(one_line(f"  instruction: {row.instruction}", width))
        lines.append(one_line(f"  response: {row.response}", width))
    return "\n".join(["rows with the most severe defects:", *lines]) if lines else ""


def _lowest(splits: Mapping[str, Any], layout: Layout, width: int) -> str:
    column = layout.own("rating")
    if not all(column in part.column_names for part in splits.values()):
        return ""
    rows = shown_rows(splits, lowest(splits, column, WORST), layout, (column, layout.own("defects")))
    return "\n".join([f"rows with the lowest {column}:", *(row.text(width) for row in rows)]) if rows else ""


def _set_in(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
