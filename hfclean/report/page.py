"""Page: the report as one HTML file that needs nothing else.

The template escapes everything; texts of rows come from `markup`, pictures from `plots`, both escaped there. A content
security policy forbids every other script, style, picture, frame, form and address, should anything ever slip through.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING

from hfclean.report import formatting
from hfclean.report.facts import model_facts
from hfclean.report.meanings import meaning, meanings
from hfclean.report.record import UNRECORDED, Edit, ReportData, RowExcerpt
from hfclean.reviser.refused import RefusedRevision

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# Bytes for all changes together, so that the page stays below 10 MB; the rest takes well under one.
CHANGES_BYTES = 8_300_000
LARGEST_CHANGE = 24_000
SMALLEST_CHANGE = 300
ROW_OVERHEAD = 330  # markup of a row's card and of one change in it
REFUSED_CHANGE = 8_000
EXCERPT_BYTES = 2500
QUANTILES = (
    ("lowest", "p0"),
    ("5%", "p5"),
    ("25%", "p25"),
    ("median", "p50"),
    ("75%", "p75"),
    ("95%", "p95"),
    ("highest", "p100"),
    ("mean", "mean"),
)


@dataclass(frozen=True)
class _ShownChange:
    """One change of one text, ready to be shown."""

    rules: tuple[str, ...]
    field: str
    diff: Markup


@dataclass(frozen=True)
class _RowCard:
    """All changes of one row. `rule_numbers` and `split_number` are what the page's filter compares."""

    row_id: str
    split: str
    index: int
    rule_numbers: str
    split_number: int
    changes: tuple[_ShownChange, ...]


@dataclass(frozen=True)
class _RefusedCard:
    """One refused revision of one text, ready to be shown."""

    row: RefusedRevision
    codes: tuple[str, ...]
    diff: Markup


@dataclass(frozen=True)
class _Left:
    """One row as an excerpt, ready to be shown."""

    row: RowExcerpt
    instruction: Markup
    response: Markup


def render_page(report: ReportData, *, title: str, folder: str, max_edits: int) -> str:
    """The whole page; see `Report.to_html`."""
    from markupsafe import Markup

    css, script = _text("page.css"), _text("page.js")
    rules = list(dict.fromkeys([*(rule.id for rule in report.rules), *(n for e in report.edits for n in _names(e))]))
    splits = [split.split for split in report.splits]
    cards = _cards(report.edits, rules, splits, max_edits)
    html: str = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            report=report,
            title=title,
            folder=folder,
            headline=_headline(report),
            css=Markup(css),  # noqa: S704  # both are files of this package
            script=Markup(script),  # noqa: S704
            css_hash=_digest(css),
            script_hash=_digest(script),
            plots=_plots(report),
            meanings=meanings(report),
            meaning=meaning,
            quantiles=QUANTILES,
            rules=rules,
            rule_rows=max((rule.rows for rule in report.rules), default=0),
            edited={rule.id for rule in report.rules if rule.changes} | {n for e in report.edits for n in _names(e)},
            splits=splits,
            cards=cards,
            shown=sum(len(card.changes) for card in cards),
            left=[_left(row) for row in report.worst],
            removed=[(group, [_left(row) for row in group.examples]) for group in report.removed],
            added=[_left(row) for row in report.added],
            refused=_refused(report.refused),
            reverted=[refusal for refusal in report.refusals if refusal.edit == "reverted"],
            overlaps=[(overlap, [_left(row) for row in overlap.examples]) for overlap in report.overlaps],
            severity={rule.id: rule.severity for rule in report.rules},
            recorded=report.is_recorded,
            UNRECORDED=UNRECORDED,
            model_facts=model_facts,
        )
    )
    return html


def render_notebook(report: ReportData) -> str:
    """The figures without the single changes, as a fragment for a notebook's cell."""
    html: str = (
        _environment()
        .get_template("notebook.html.jinja")
        .render(report=report, headline=_headline(report), quantiles=QUANTILES)
    )
    return html


def _headline(report: ReportData) -> str:
    """The report in two sentences."""
    if not report.rows_before and not report.rows_after:
        return "Both datasets are empty."
    went = (
        f"{formatting.plural(report.rows_before, 'row')} went in and {formatting.count(report.rows_after)} came out."
    )
    if not report.rows_changed:
        return f"{went} No text changed."
    share = formatting.percent(report.rows_changed, report.rows_matched)
    return f"{went} The text of {formatting.count(report.rows_changed)} ({share}) changed."


# --------------------------------------------------------------------------------------------------------------- parts


def _text(name: str) -> str:
    return (files("hfclean.report") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(sha256(text.encode()).digest()).decode()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    import jinja2

    from hfclean.report.markup import text_markup

    env = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "count": formatting.count,
        "plural": formatting.plural,
        "quantity": formatting.quantity,
        "ratio": formatting.ratio,
        # names and reasons come from datasets as well: a column may be called anything
        "name": lambda text: text_markup(formatting.one_line(text, 120)),
        "sentence": lambda text: text_markup(formatting.one_line(text, 1000)),
    }
    env.globals["percent"] = formatting.percent
    return env


def _plots(report: ReportData) -> dict[str, Markup]:
    from markupsafe import Markup

    from hfclean.report.plots import draw_histogram

    histograms = {
        score.name: draw_histogram(score.histogram, score.name, before=score.before, after=score.after, named=False)
        for score in report.scores
        if score.histogram is not None
    }
    tokens = report.tokens
    if tokens.histogram is not None:
        title = "estimated tokens per row" if tokens.estimated else "tokens per row"
        histograms[""] = draw_histogram(
            tokens.histogram, title, before=tokens.before, after=tokens.after, limit=tokens.max_tokens
        )
    return {name: Markup(svg) for name, svg in histograms.items()}  # noqa: S704  # plots escapes


def _left(row: RowExcerpt) -> _Left:
    from hfclean.report.markup import text_markup

    return _Left(row, text_markup(row.instruction, EXCERPT_BYTES), text_markup(row.response, EXCERPT_BYTES))


def _refused(revisions: Sequence[RefusedRevision]) -> list[_RefusedCard]:
    from hfclean.report.markup import diff_markup
    from hfclean.report.worddiff import readable_diff

    return [
        _RefusedCard(
            each, tuple(each.codes.split()), diff_markup(readable_diff(each.before, each.proposed), REFUSED_CHANGE)
        )
        for each in revisions
    ]


def _names(edit: Edit) -> list[str]:
    return edit.rule.split() or [UNRECORDED]


def _by_row(edits: Sequence[Edit]) -> list[list[Edit]]:
    return [list(row) for _, row in groupby(edits, key=lambda edit: (edit.split, edit.index))]


def _cards(edits: Sequence[Edit], rules: list[str], splits: list[str], max_edits: int) -> list[_RowCard]:
    """The rows that changed, evenly sampled down to `max_edits` changes, within the page's bytes."""
    rows = _sample(_by_row(edits), len(edits), max_edits)
    diffs = iter(_diffs([edit for row in rows for edit in row]))
    number = {name: n for n, name in enumerate(rules)}
    cards = []
    for row in rows:
        first = row[0]
        names = dict.fromkeys(name for edit in row for name in _names(edit))
        cards.append(
            _RowCard(
                row_id=first.row_id,
                split=first.split,
                index=first.index,
                rule_numbers=" ".join(str(number[name]) for name in names),
                split_number=splits.index(first.split) if first.split in splits else -1,
                changes=tuple(_ShownChange(tuple(_names(edit)), edit.field, next(diffs)) for edit in row),
            )
        )
    return cards


def _sample(rows: list[list[Edit]], edits: int, max_edits: int) -> list[list[Edit]]:
    if edits <= max_edits:
        return rows
    wanted = max(1, len(rows) * max_edits // edits) if max_edits > 0 else 0
    picked = [rows[k * len(rows) // wanted] for k in range(wanted)]
    while picked and sum(map(len, picked)) > max_edits:
        picked = picked[:-1] if len(picked) > 1 else [picked[0][:max_edits]]
    return picked


def _diffs(edits: Sequence[Edit]) -> list[Markup]:
    """A diff for each change. Where all of them are too much for the page, the largest are cut to one common size."""
    from hfclean.report.markup import diff_markup
    from hfclean.report.worddiff import readable_diff

    if not edits:
        return []
    total = max(CHANGES_BYTES - ROW_OVERHEAD * len(edits), SMALLEST_CHANGE)
    stretches = [readable_diff(edit.before, edit.after) for edit in edits]
    budget = max(SMALLEST_CHANGE, min(LARGEST_CHANGE, 3 * total // len(edits)))
    diffs = [diff_markup(stretch, budget) for stretch in stretches]
    sizes = [len(diff.encode("utf-8")) for diff in diffs]
    if sum(sizes) <= total:
        return diffs
    budget = _level(sizes, total)
    return [
        diff if size <= budget else diff_markup(stretch, budget)
        for stretch, diff, size in zip(stretches, diffs, sizes, strict=True)
    ]


def _level(sizes: Sequence[int], total: int) -> int:
    """The largest size to which all can be cut so that they fit: small ones leave their share to the others."""
    left = total
    ordered = sorted(sizes)
    for n, size in enumerate(ordered):
        share = left // (len(ordered) - n)
        if size > share:
            return max(share - 80, 1)  # the mark that says what was cut takes room as well
        left -= size
    return ordered[-1]
