"""Plots: score distributions as SVG, drawn here; two kinds: for the page's style sheet, and to stand alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hfclean.report.formatting import count, one_line, plural, quantity
from hfclean.report.record import Histogram, Quantiles, ReportData

# Small enough that two or three stand side by side, on a page and on the Hub.
WIDTH, HEIGHT = 320, 164
LEFT, RIGHT, TOP, FLOOR = 10, 10, 40, 112
LONGEST_TITLE = 26
LABEL, OPEN_LABEL = 56, 100  # room for the label at the right edge
BEFORE, AFTER = 143, 155  # where the strips of both sides are drawn

# Told apart by form (dashed line, filled bars) before colour; both shades keep 3:1 against white and near-black.
# The background is part of the picture: a page may be dark where the system is light, and the other way round.
STYLE = """
.g{fill:#fff;stroke:#d1d9e0}text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#59636e}
.t{font-weight:600;font-size:13px;fill:#1f2328}.a{fill:#4493f8;fill-opacity:.55}
.b{fill:none;stroke:#9a6700;stroke-width:1.6;stroke-dasharray:4 2.5}.x,.k{stroke:#818b98;stroke-width:1;fill:none}
.qa{stroke:#2f81f7;fill:#2f81f7}.qb{stroke:#9a6700;fill:#9a6700}.m{stroke:#cf222e;stroke-dasharray:2 3}
@media(prefers-color-scheme:dark){.g{fill:#151b23;stroke:#3d444d}text{fill:#9198a1}.t{fill:#f0f6fc}.b{stroke:#d29922}
.qb{stroke:#d29922;fill:#d29922}.m{stroke:#f85149}}
"""


def draw_plots(report: ReportData) -> dict[str, str]:
    """The distribution of every score that some row has, and `tokens`, as SVG texts by a name safe for a file."""
    plots: dict[str, str] = {}
    for score in report.scores:
        if score.histogram is not None:
            plots[_stem(score.name, plots)] = draw_histogram(
                score.histogram, score.name, before=score.before, after=score.after, alone=True
            )
    tokens = report.tokens
    if tokens.histogram is not None:
        title = "tokens (estimated)" if tokens.estimated else "tokens"
        plots[_stem("tokens", plots)] = draw_histogram(
            tokens.histogram, title, before=tokens.before, after=tokens.after, limit=tokens.max_tokens, alone=True
        )
    return plots


def _stem(name: str, taken: dict[str, str]) -> str:
    stem = re.sub(r"[^A-Za-z0-9_]+", "_", name)[:60].strip("_") or "score"
    while stem in taken:
        stem += "_"
    return stem


def draw_histogram(
    histogram: Histogram,
    title: str,
    *,
    before: Quantiles | None,
    after: Quantiles,
    limit: float | None = None,
    named: bool = True,
    alone: bool = False,
) -> str:
    """One distribution as an SVG element: filled bars after, a dashed outline before, quartiles of both below.

    Args:
        histogram: the bins.
        title: what is counted; escaped here, as all text is.
        before: quantiles for the upper strip, if there is a `before`.
        after: quantiles for the lower strip.
        limit: a value to mark with a line, when it lies within the bins.
        named: write the title above the picture as well.
        alone: give the element its own style sheet, size and title, as a file needs; within a page the page
            has them.
    """
    x = _Scale(histogram.edges[0], histogram.edges[-1])
    high = max((*histogram.after, *(histogram.before or ()), 1))
    file = f' xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"' if alone else ""
    parts = [f'<svg{file} class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    parts.append(f"<title>{_escape(_told(title, before, after))}</title>")
    if alone:
        parts.append(f"<style>{STYLE}</style>")
        parts.append(f'<rect class="g" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>')
    if named:
        parts.append(f'<text class="t" x="{LEFT}" y="18">{_escape(one_line(title, LONGEST_TITLE))}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 5}">{plural(high, "row")}</text>')
    parts.append(f'<path class="k" stroke-opacity=".4" d="M{LEFT} {TOP}H{WIDTH - RIGHT}"/>')
    parts += _legend(before is not None)
    parts.append(f'<path class="a" d="{_bars(histogram.edges, histogram.after, high, x)}"/>')
    if histogram.before is not None:
        parts.append(f'<path class="b" d="{_outline(histogram.edges, histogram.before, high, x)}"/>')
    if limit is not None and histogram.edges[0] <= limit <= histogram.edges[-1]:
        at = _at(x(limit))
        parts.append(f'<path class="m" d="M{at} {TOP}V{FLOOR}"/><text x="{at}" y="{TOP - 3}" text-anchor="middle">')
        parts.append(f"{quantity(limit)}</text>")
    parts.append(f'<path class="x" d="M{LEFT} {FLOOR}H{WIDTH - RIGHT}"/>')
    parts += _axis(histogram, x)
    if before is not None and before.n:
        parts.append(_strip(before, x, BEFORE, "qb"))
    if after.n:
        parts.append(_strip(after, x, AFTER, "qa"))
    parts.append("</svg>")
    return "".join(parts)


class _Scale:
    """Values to horizontal positions; what lies outside is drawn at the edge."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.span = low, (high - low) or 1.0

    def __call__(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, (value - self.low) / self.span))


def _at(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _top(rows: int, high: int) -> str:
    return _at(FLOOR - (FLOOR - TOP) * rows / high)


def _bars(edges: Sequence[float], rows: Sequence[int], high: int, x: _Scale) -> str:
    bars = []
    for k, number in enumerate(rows):
        if number:
            left, right = x(edges[k]) + 0.5, x(edges[k + 1]) - 0.5
            bars.append(f"M{_at(left)} {FLOOR}V{_top(number, high)}H{_at(right)}V{FLOOR}Z")
    return "".join(bars)


def _outline(edges: Sequence[float], rows: Sequence[int], high: int, x: _Scale) -> str:
    steps = [f"M{_at(x(edges[0]))} {FLOOR}"]
    steps += [f"V{_top(number, high)}H{_at(x(edges[k + 1]))}" for k, number in enumerate(rows)]
    return "".join([*steps, f"V{FLOOR}"])


def _legend(has_before: bool) -> list[str]:
    right = WIDTH - RIGHT
    parts = [
        f'<path class="a" d="M{right - 40} 10h10v8h-10z"/><text x="{right}" y="18" text-anchor="end">after</text>',
    ]
    if has_before:
        parts.append(f'<path class="b" d="M{right - 106} 18v-8h12v8"/>')
        parts.append(f'<text x="{right - 50}" y="18" text-anchor="end">before</text>')
    return parts


def _axis(histogram: Histogram, x: _Scale) -> list[str]:
    """About four labels at bin edges; the last one says when the last bin is open."""
    edges = histogram.edges
    step = max(1, -(-(len(edges) - 1) // 4))
    last = len(edges) - 2 if histogram.open_end else len(edges) - 1
    room = OPEN_LABEL if histogram.open_end else LABEL
    marks = [k for k in range(0, last, step) if not k or x(edges[k]) <= x(edges[-1]) - room]
    if x(edges[-1]) - LEFT > room:
        marks.append(last)
    parts = []
    for k in dict.fromkeys(marks):
        label = quantity(edges[k]) if abs(edges[k]) >= 1000 else f"{edges[k]:g}"
        if histogram.open_end and k == len(edges) - 2:
            label = f"{label} or more"
        anchor = "start" if k == 0 else "end" if k >= len(edges) - 2 else "middle"
        at = _at(x(edges[k]) if anchor != "end" else x(edges[-1]))
        parts.append(f'<path class="k" d="M{_at(x(edges[k]))} {FLOOR}v4"/>')
        parts.append(f'<text x="{at}" y="{FLOOR + 15}" text-anchor="{anchor}">{label}</text>')
    return parts


def _strip(quantiles: Quantiles, x: _Scale, y: int, kind: str) -> str:
    """A line from the 5th to the 95th percentile, thick from the 25th to the 75th, and a dot at the median."""
    p5, p25, p50, p75, p95 = (
        _at(x(mark)) for mark in (quantiles.p5, quantiles.p25, quantiles.p50, quantiles.p75, quantiles.p95)
    )
    return (
        f'<path class="{kind}" stroke-width="1.5" d="M{p5} {y}H{p95}"/>'
        f'<path class="{kind}" stroke-width="4" stroke-opacity=".45" d="M{p25} {y}H{p75}"/>'
        f'<circle class="{kind}" cx="{p50}" cy="{y}" r="3"/>'
    )


def _told(title: str, before: Quantiles | None, after: Quantiles) -> str:
    """The picture in words."""
    caption = f"Distribution of {title}: "
    if before is not None and before.n:
        caption += f"median {quantity(before.p50)} over {count(before.n)} rows before, "
    return caption + (
        f"median {quantity(after.p50)} over {count(after.n)} rows after." if after.n else "no row has it."
    )


def _escape(text: str) -> str:
    """Text for an element or attribute, without what XML cannot hold."""
    kept = "".join(c if c.isprintable() else "�" for c in text)
    return kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
