"""Summary: a report as a short plain-text table for the terminal. No colour, no control character, no row text."""

from __future__ import annotations

from hfclean.report.facts import decision_words, generation_facts, model_facts, random_as_one
from hfclean.report.formatting import count, one_line, percent, plural, quantity, ratio
from hfclean.report.record import Quantiles, ReportData
from hfclean.report.tables import table

QUANTILES = ("lowest", "5%", "25%", "median", "75%", "95%", "highest", "mean", "unscored")


def summarize(report: ReportData, width: int | None = None) -> str:
    """Rows, rows changed per rule, score quantiles before and after; ends without a newline. Where tables need more
    than `width` characters, the outer quantiles and the names of fields give way."""
    parts = [
        _rows(report),
        failures(report),
        _models(report),
        _rules(report, width),
        _scores(report, width),
        _tokens(report),
        _baselines(report, width),
    ]
    parts += [f"note: {one_line(note)}" for note in report.notes]
    return "\n\n".join(part for part in parts if part)


def _rows(report: ReportData) -> str:
    lines = [f"{count(report.rows_before)} rows before, {count(report.rows_after)} after"]
    facts = [f"{count(report.rows_changed)} changed ({percent(report.rows_changed, report.rows_matched)})"]
    edits = {name: sum(getattr(split, name) for split in report.splits) for name in ("reverted", "failed")}
    counts = {"removed": report.rows_removed, "added": report.rows_added, "marked as duplicates": report.duplicates}
    facts += [f"{count(rows)} {what}" for what, rows in {**counts, **edits}.items() if rows]
    lines.append(", ".join(facts))
    if report.rows_with_defects_before or report.rows_with_defects_after:
        lines.append(
            f"{count(report.rows_with_defects_before)} had a defect that the rules see, "
            f"{count(report.rows_with_defects_after)} still do"
        )
    lines += [f"removed: {count(group.rows)} {one_line(group.reason, 90)}" for group in report.removed]
    if report.decisions is not None:
        lines.append(one_line(decision_words(report.decisions), 1000))
    lines += [
        f"overlap: {plural(o.texts, 'text')} in both {one_line(o.first, 40)} and {one_line(o.second, 40)}"
        for o in report.overlaps
    ]
    return "\n".join(lines)


def failures(report: ReportData) -> str:
    """What raised errors and was left out on those rows."""
    return "\n".join(
        f"error: {one_line(each.name, 60)} ({one_line(each.by, 40)}) raised on {plural(each.rows, 'row')} and was "
        f"left out there; first on {one_line(each.row_id, 40)}: {one_line(each.error, 200)}"
        for each in report.failures
    )


def _models(report: ReportData) -> str:
    blocks = []
    made = [generation_facts(report.generated)] if report.generated else []
    for facts in [*made, *map(model_facts, report.models)]:
        width = max(len(name) for name, _ in facts)
        blocks.append("\n".join(f"{name.ljust(width)}  {one_line(words, 200)}" for name, words in facts))
    return "\n\n".join(blocks)


def _rules(report: ReportData, width: int | None) -> str:
    lines = [["rule", "severity", "rows changed", "found before", "left", "fields"]]
    for rule in report.rules:
        fields = ", ".join(f"{one_line(field.name, 30)} {count(field.rows)}" for field in rule.fields[:4])
        numbers = [count(rule.rows), count(rule.defects_before), count(rule.defects_after)]
        lines.append([one_line(rule.id, 40), one_line(rule.severity, 10), *numbers, fields])
    return table(lines, left=(0, 1, 5), width=width, drop=((1,),), cut=5) if report.rules else ""


def _scores(report: ReportData, width: int | None) -> str:
    lines = [["score", "", *QUANTILES]]
    for score in report.scores:
        name = one_line(score.name, 40)
        if score.before is not None:
            lines.append([name, "before", *quantile_cells(score.before)])
            name = ""
        lines.append([name, "after", *quantile_cells(score.after)])
    if len(lines) == 1 or not (report.rows_before or report.rows_after):
        return ""
    # the outer quantiles go first, then the quartiles
    return table(lines, left=(0, 1), width=width, drop=((3, 7), (4, 6), (2, 8)), cut=0)


def quantile_cells(quantiles: Quantiles) -> list[str]:
    """The cells of a table below `QUANTILES`."""
    marks = (
        quantiles.p0,
        quantiles.p5,
        quantiles.p25,
        quantiles.p50,
        quantiles.p75,
        quantiles.p95,
        quantiles.p100,
        quantiles.mean,
    )
    return [*(quantity(mark) for mark in marks), count(quantiles.unscored)]


def _tokens(report: ReportData) -> str:
    tokens = report.tokens
    if not tokens.after.n:
        return ""
    named = "estimated tokens" if tokens.estimated else "tokens"
    line = (
        f"longer than {count(tokens.max_tokens)} {named}: {plural(tokens.over_before, 'row')} before, "
        f"{count(tokens.over_after)} after ({percent(tokens.over_after, tokens.after.n)})"
    )
    if report.rows_changed:
        line += f"\nwords of the responses of changed rows, after / before: {ratio(report.lengths.changed_ratio)}"
    return line


def _baselines(report: ReportData, width: int | None) -> str:
    """What was kept beside plain choices of as many rows; all random choices as one line."""
    if not report.baselines:
        return ""
    lines = [["kept, compared with plain choices of as many rows", "overlap", "words: mean", "5%", "median", "95%"]]
    for each in random_as_one(report.baselines):
        marks = (each.mean, each.p5, each.p50, each.p95)
        lines.append([one_line(each.name, 40), percent(each.shared, each.rows), *(quantity(mark) for mark in marks)])
    return table(lines, width=width, cut=0)
