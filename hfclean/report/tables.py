"""Tables of plain text: as wide as they need, or cut to fit a terminal. Cells are text that is shown as it stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence

GAP = "  "
NARROWEST = 12  # a column that is cut keeps this much


def table(
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[int] = (0,),
    width: int | None = None,
    drop: Sequence[Collection[int]] = (),
    cut: int | None = None,
) -> str:
    """Rows with their columns one below the other, the first row as the head.

    Args:
        rows: as many cells each.
        left: the columns that are flush left; the others, numbers, are flush right.
        width: the number of characters that a line may have; no limit by default.
        drop: the columns that may go where there is no room, in groups, the first group to go first.
        cut: the column whose cells are cut, with an ellipsis, where that is not enough.
    """
    if not rows:
        return ""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    kept = [k for k in range(len(widths)) if widths[k]]

    def excess() -> int:
        return sum(widths[k] for k in kept) + len(GAP) * (len(kept) - 1) - (width or 0)

    for group in drop:
        if width is None or excess() <= 0:
            break
        kept = [k for k in kept if k not in group]
    if width is not None and cut in kept and excess() > 0:
        widths[cut] = max(min(NARROWEST, widths[cut]), widths[cut] - excess())
    return "\n".join(GAP.join(_cell(row[k], widths[k], flush_left=k in left) for k in kept).rstrip() for row in rows)


def _cell(text: str, width: int, *, flush_left: bool) -> str:
    text = text if len(text) <= width else text[: width - 1] + "…"
    return text.ljust(width) if flush_left else text.rjust(width)
