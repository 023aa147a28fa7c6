"""Page: the report as one HTML file that needs nothing else.

The template escapes everything; texts of rows come from `markup`, pictures from `plots`, both escaped there. A content
security policy forbids every other script, style, picture, frame, form and address, should anything ever slip through.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from hfclean.report import formatting
from hfclean.report.changes import EXCERPT_BYTES, shown_changes
from hfclean.report.facts import decision_words, model_facts
from hfclean.report.meanings import meaning, meanings
from hfclean.report.record import UNRECORDED, ReportData, RowExcerpt

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

MOST_GROUPS = 50  # of reasons for which rows were removed, and of splits that share rows
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
SPLIT_FIGURES = (
    ("rows before", "before"),
    ("rows after", "after"),
    ("changed", "changed"),
    ("removed", "removed"),
    ("added", "added"),
    ("moved here", "moved"),
    ("marked duplicates", "duplicates"),
    ("last step: kept", "kept"),
    ("last step: revised", "revised"),
    ("last step: reverted", "reverted"),
    ("last step: failed", "failed"),
)
ALWAYS = ("before", "after", "changed", "removed")


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
    rules = sorted(report.rules, key=lambda rule: -rule.rows)
    shown = shown_changes(report, max_edits)
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
            fired=[rule for rule in rules if rule.rows],
            only_found=[rule for rule in rules if not rule.rows],
            shown=shown,
            decidable=any(card.text_hash for card in shown.cards),
            left=[_left(row) for row in report.worst],
            added=[_left(row) for row in report.added],
            overlaps=[
                (overlap, [_left(row) for row in overlap.examples]) for overlap in report.overlaps[:MOST_GROUPS]
            ],
            most_groups=MOST_GROUPS,
            split_figures=[
                (words, name)
                for words, name in SPLIT_FIGURES
                if name in ALWAYS or any(getattr(split, name) for split in report.splits)
            ],
            not_taken=[
                (name, sum(getattr(split, edit) for split in report.splits))
                for name, edit in (("refused", "reverted"), ("failed", "failed"))
            ],
            severity={rule.id: rule.severity for rule in report.rules},
            recorded=report.is_recorded,
            UNRECORDED=UNRECORDED,
            model_facts=model_facts,
            decided=decision_words(report.decisions) if report.decisions is not None else "",
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
    env.filters["with_figures"] = lambda sides: [(label, found) for label, found in sides if found is not None]
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
            tokens.histogram,
            title,
            before=tokens.before,
            after=tokens.after,
            limit=tokens.max_tokens,
            named=False,
        )
    return {name: Markup(svg) for name, svg in histograms.items()}  # noqa: S704  # plots escapes


def _left(row: RowExcerpt) -> _Left:
    from hfclean.report.markup import text_markup

    return _Left(row, text_markup(row.instruction, EXCERPT_BYTES), text_markup(row.response, EXCERPT_BYTES))
