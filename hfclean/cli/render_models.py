"""Text for the terminal about models: what they did to a few rows, what they took, what they would take."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, isnan
from typing import TYPE_CHECKING

from hfclean.cli.terminal import before_after, columns_wide, head, indent, visible
from hfclean.generation.rounds import LINEAGE
from hfclean.kept_parts import KEPT_DAYS
from hfclean.models.budget import days_of
from hfclean.report.formatting import count, money, plural, ratio
from hfclean.report.tables import table

if TYPE_CHECKING:
    from hfclean.generation import GenerationPreview, Generator
    from hfclean.kept_parts import Kept
    from hfclean.models import Estimate, ModelSpec
    from hfclean.models.store import SourceStats, StoreStats
    from hfclean.preview import Preview, PreviewedRow
    from hfclean.report import Report

EDITS = ("revised", "kept", "reverted", "failed")


def describe_refusals(report: Report) -> str:
    """Why revisions were not taken, and how often."""
    from hfclean.report.meanings import meaning

    lines = [(f"{each.edit}: {each.reason}", count(each.rows), meaning(each.reason)) for each in report.refusals]
    head = ["why rows have no revision", "rows", ""]
    return table([head, *lines], left=(0, 2), width=columns_wide(), cut=2) if lines else ""


def describe_estimate(estimate: Estimate, spec: ModelSpec, *, rows: int, sampled: int) -> str:
    """What a run would take, judged by texts alone."""
    head = (
        f"{plural(rows, 'row')}, model {visible(spec.name, 80)}: an estimate from {plural(sampled, 'row')}, evenly "
        "spread; nothing was asked"
    )
    hours = (
        _time(estimate.hours) if isfinite(estimate.hours) else "unknown: say --seconds-per-request, or see a --preview"
    )
    return "\n".join([head, "", *_lines(estimate, spec, hours)])


def _lines(estimate: Estimate, spec: ModelSpec, hours: str) -> list[str]:
    basis = {
        "server": "as the server counted the sample's",
        "answers": "as in the sample",
        "max_new_tokens": "at most: all as long as max_new_tokens allows",
    }
    read, written = (
        basis.get(basis_name, basis_name) for basis_name in (estimate.prompt_basis, estimate.completion_basis)
    )
    if spec.prices is not None:
        each = f"{spec.prices.input:g} in, {spec.prices.output:g} out per million tokens"
        price = f"{money(estimate.cost, estimate.currency)}  ({each})"
    else:
        price = "unknown: give --prices input=P,output=P or --prices FILE"
    if spec.kind != "server" and spec.prices is None:
        price = "none: the model runs here"
    return [
        f"requests        {count(estimate.requests)}",
        f"tokens read     {count(estimate.prompt_tokens)}  ({read})",
        f"tokens written  {count(estimate.completion_tokens)}  ({written})",
        f"price           {price}",
        f"time            {hours}",
    ]


def describe_preview(preview: Preview, spec: ModelSpec) -> str:
    """A few rows as a model would have them, and what the whole would take."""
    rows = "\n\n".join(_previewed(row) for row in preview.rows)
    edits = [row.edit for row in preview.rows]
    outcome = ", ".join(f"{count(edits.count(name))} {name}" for name in EDITS if name in edits)
    usage = preview.usage
    when = f" ({days_of(usage.reused_on)})" if usage.reused_on else ""
    answers = f"{plural(usage.asked, 'answer')} asked for, {count(usage.reused)} kept from before{when}"
    spent = f"{count(usage.prompt_tokens)} tokens read, {count(usage.completion_tokens)} written"
    cost = f", {money(usage.cost, usage.currency)}" if usage.currency else ""
    estimated = f" (tokens estimated for {count(usage.estimated)})" if usage.estimated else ""
    all_words = ratio(preview.words_after / preview.words_before) if preview.words_before else "–"
    changed = (
        ratio(preview.changed_words_after / preview.changed_words_before) if preview.changed_words_before else "–"
    )
    kept = ""
    if spec.store is not False and usage.asked + usage.reused:
        kept = "These answers are kept: the whole run does not ask for them again."
    return "\n".join(
        [
            rows,
            "",
            f"{plural(len(preview.rows), 'row')} of {count(preview.rows_total)}, evenly spread: {outcome}",
            f"{answers}; {spent}{cost}{estimated}",
            f"words of the responses, after / before: {all_words}; of those that changed: {changed}",
            "",
            "the whole dataset, judged by this sample:",
            *_lines(preview.estimate, spec, _both_hours(preview, spec)),
            "",
            f"No folder was written. {kept}".rstrip(),
        ]
    )


def describe_generation_estimate(estimate: Estimate, spec: ModelSpec, *, rows: int, seeds: int) -> str:
    """What it would take to make rows, judged by the seeds alone."""
    head = (
        f"{plural(rows, 'new row')} after {plural(seeds, 'seed')}, model {visible(spec.name, 80)}: an estimate if "
        "every task is new and every row is kept; nothing was asked. A --preview shows the true shares"
    )
    hours = _time(estimate.hours) if isfinite(estimate.hours) else "unknown"
    return "\n".join([head, "", *_lines(estimate, spec, hours)])


def describe_errors_estimate(estimate: Estimate, spec: ModelSpec, *, rounds: int, seeds: int) -> str:
    """What a loop over a student's errors would take at most."""
    head = (
        f"{plural(rounds, 'round')} after {plural(seeds, 'seed')}, model {visible(spec.name, 80)}: the most that it "
        "takes, if the student gets every seed wrong in every round; nothing was asked and nothing trained"
    )
    hours = _time(estimate.hours) if isfinite(estimate.hours) else "unknown"
    return "\n".join([head, "", *_lines(estimate, spec, hours)])


def describe_generation_preview(preview: GenerationPreview, generator: Generator) -> str:
    """A few rows that a model made, why others were dropped, and what all would take."""
    own = set(LINEAGE)
    made = f"{plural(len(preview.kept), 'row')} of {plural(preview.ledger['tasks'], 'task')}"
    rows = [
        "\n".join(
            [
                head(f"row {number}  {row['made_id']}  like {visible(row['nearest'], 40)} {row['similarity']:.2f}"),
                *(f"  {name}  {indent(visible(str(cell)))}" for name, cell in row.items() if name not in own),
            ]
        )
        for number, row in enumerate(preview.kept)
    ]
    ledger, spec = preview.ledger, generator.spec
    dropped = ", ".join(f"{reason} {count(number)}" for reason, number in ledger["dropped"].items()) or "nothing"
    cost = "" if ledger["cost"] is None else f", {money(ledger['cost'], ledger['currency'])}"
    kept = "" if spec.store is False else " The answers are kept: the whole run does not ask for them again."
    return "\n".join(
        [
            "\n\n".join(rows),
            "",
            f"{made}, {count(ledger['new'])} of them new; dropped: {dropped}",
            f"{count(ledger['prompt_tokens'])} tokens read, {count(ledger['completion_tokens'])} written{cost}",
            "",
            f"all {count(preview.rows_total)} rows, judged by these:",
            *_lines(preview.estimate, spec, "unknown"),
            "",
            f"No folder was written.{kept}",
        ]
    )


def _both_hours(preview: Preview, spec: ModelSpec) -> str:
    pace, best = preview.hours_at_this_pace, preview.estimate.hours
    if isnan(pace):
        return "unknown: " + ("all answers were already stored" if preview.usage.reused else "no answer came")
    at_pace = f"{_time(pace)} at the pace of this sample"
    if not isfinite(best) or best >= pace:
        return at_pace
    return f"{_time(best)} if the server keeps up with {spec.limits.concurrency} requests at once, {at_pace}"


def _previewed(row: PreviewedRow) -> str:
    where = f"{row.split}:{row.index}" if row.split else str(row.index)
    lines = [head(f"row {where}  {row.row_id}  {row.edit}")]
    if row.edit in ("reverted", "failed"):
        from hfclean.report.meanings import meaning

        lines += [f"  {code}" + (f": {text}" if (text := meaning(code)) else "") for code in row.reasons]
    if row.said:
        what = "in detail" if row.edit == "failed" else "the model said"
        lines.append(f"  {what}: {indent(visible(row.said))}")
    for change in row.changes:
        lines += [f"  {change.field}  {change.rule}", before_after(change.before, change.after, 4)]
    for change in row.refused:
        lines += [f"  {change.field}  refused", before_after(change.before, change.after, 4)]
    return "\n".join(lines)


def describe_stats(stats: StoreStats, shown: Mapping[str, SourceStats]) -> str:
    """What a file of answers holds."""
    head = f"{stats.path}\n{plural(stats.answers, 'answer')}, {_size(stats.bytes)}"
    lines = [
        (
            visible(source, 80),
            count(each.answers),
            count(each.prompt_tokens),
            count(each.completion_tokens),
            _stored(each),
        )
        for source, each in shown.items()
    ]
    columns = ["model", "answers", "tokens read", "tokens written", ""]
    # the names are what is copied from here, and stay whole
    models = table([columns, *lines], left=(0, 4), width=columns_wide(), drop=((2, 3),)) if lines else ""
    untold, undated = (sum(getattr(each, name) for each in shown.values()) for name in ("untold", "undated"))
    notes = ""
    if untold:
        notes += f"\n{plural(untold, 'answer')} came without token counts, which are not in these sums"
    if undated:
        notes += (
            f"\n{plural(undated, 'answer')} of hfclean 0.1.0, which recorded neither port nor date: those of a server "
            "on another port are used with --model-option cache_as= and the name above"
        )
    return f"{head}\n\n{models}{notes}" if models else head


def describe_parts(parts: Kept) -> str:
    """What stopped runs of clean and score left; nothing where that is nothing."""
    if not parts.parts:
        return ""
    stale = f", {parts.stale:,} of them older than {KEPT_DAYS} days: hfclean cache clear" if parts.stale else ""
    return f"\n\n{plural(parts.parts, 'finished part')} of stopped runs, {_size(parts.bytes)}{stale}"


def _stored(each: SourceStats) -> str:
    days = [(day, 1) for day in dict.fromkeys((each.first_stored, each.last_stored)) if day]
    return days_of([*days, *([("", each.undated)] if each.undated else [])])


def _time(hours: float) -> str:
    if hours < 1 / 60:
        return "less than a minute"
    return f"{hours * 60:.0f} minutes" if hours < 1.5 else f"{hours:,.1f} hours"


def _size(number: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number = number / 1000  # type: ignore[assignment]
    return f"{number:.1f} GB"
