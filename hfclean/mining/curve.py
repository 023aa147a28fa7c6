"""Curve: the loss over the number of rows, as an SVG picture that stands alone."""

import math
from collections.abc import Sequence

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, FLOOR = 62, 18, 40, 216
# Told apart by form before colour, as in the report's pictures; the background is part of the picture.
STYLE = """
.g{fill:#fff;stroke:#d1d9e0}text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#59636e}
.t{font-weight:600;font-size:14px;fill:#1f2328}.x{stroke:#818b98;stroke-width:1;fill:none}
.c{fill:none;stroke:#2f81f7;stroke-width:1.8}.p{fill:#4493f8;fill-opacity:.5}.m{stroke:#cf222e;stroke-dasharray:2 3}
@media(prefers-color-scheme:dark){.g{fill:#151b23;stroke:#3d444d}text{fill:#9198a1}.t{fill:#f0f6fc}.m{stroke:#f85149}}
"""


def draw_curve(points: Sequence[tuple[int, Sequence[float]]], *, title: str, best: int | None = None) -> str:
    """Every loss as a dot over the number of rows (a logarithmic axis), and a line through the means.

    Args:
        points: (rows, losses) in rising order; losses that are nan are not drawn.
        title: above the picture.
        best: the number of rows to mark with a line.
    """
    drawn = [(rows, [loss for loss in losses if math.isfinite(loss)]) for rows, losses in points]
    drawn = [(rows, losses) for rows, losses in drawn if losses]
    every = [loss for _, losses in drawn for loss in losses] or [0.0, 1.0]
    sizes = [rows for rows, _ in drawn] or [1]
    x = _Axis(math.log(sizes[0]), math.log(sizes[-1]), LEFT + 8, WIDTH - RIGHT)
    y = _Axis(min(every), max(every), FLOOR - 8, TOP + 8)
    means = [(x(math.log(rows)), y(math.fsum(losses) / len(losses))) for rows, losses in drawn]
    caption = f"{title}: {len(drawn)} numbers of rows from {sizes[0]:,} to {sizes[-1]:,}"
    caption += f", lowest loss at {best:,} rows." if best else "."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img"><title>{_escape(caption)}</title><style>{STYLE}</style>',
        f'<rect class="g" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
        f'<text class="t" x="14" y="22">{_escape(title)}</text>',
        f'<path class="x" d="M{LEFT} {TOP}V{FLOOR}H{WIDTH - RIGHT}"/>',
    ]
    if best and drawn:
        at = _at(x(math.log(best)))
        end = "end" if x(math.log(best)) > WIDTH // 2 else "start"
        parts.append(f'<path class="m" d="M{at} {TOP}V{FLOOR}"/>')
        parts.append(f'<text x="{at}" y="{TOP - 5}" text-anchor="{end}">lowest mean: {best:,} rows</text>')
    parts.append(f'<path class="c" d="M{"L".join(f"{_at(a)} {_at(b)}" for a, b in means)}"/>' if means else "")
    for rows, losses in drawn:
        at = _at(x(math.log(rows)))
        parts += [f'<circle class="p" cx="{at}" cy="{_at(y(loss))}" r="3.2"/>' for loss in losses]
    for rows in _labelled(x, sizes):
        place = x(math.log(rows))
        anchor = "end" if place > WIDTH - RIGHT - 20 else "middle"
        parts.append(f'<text x="{_at(place)}" y="{FLOOR + 17}" text-anchor="{anchor}">{rows:,}</text>')
    for loss in dict.fromkeys((min(every), max(every))):
        parts.append(f'<text x="{LEFT - 6}" y="{_at(y(loss) + 4)}" text-anchor="end">{loss:.4g}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH) // 2}" y="{HEIGHT - 8}" text-anchor="middle">rows (logarithmic)</text></svg>'
    )
    return "".join(parts)


class _Axis:
    """Values to positions, from one end to the other; a single value is in the middle."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.end - self.start)


def _labelled(x: _Axis, sizes: Sequence[int]) -> list[int]:
    """The sizes whose labels do not run into each other, the ends first."""
    chosen: list[int] = []
    for rows in (sizes[-1], *sizes):
        if all(abs(x(math.log(rows)) - x(math.log(other))) >= 52 for other in chosen):
            chosen.append(rows)
    return chosen


def _at(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _escape(text: str) -> str:
    kept = "".join(c if c.isprintable() else "�" for c in text)
    return kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
