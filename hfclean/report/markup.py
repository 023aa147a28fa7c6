"""Markup: text of rows as HTML that cannot do anything, and in which nothing stays unseen.

Everything is escaped here, piece by piece. Characters that a reader cannot see, or that would change how the rest is
shown, are replaced by labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from markupsafe import Markup, escape

from hfclean.report.formatting import count
from hfclean.text.characters import HARMFUL, INVISIBLE
from hfclean.text.worddiff import Stretch

# Labelled wherever they stand, and what is labelled only where it changed.
HARMFUL_RUN = re.compile(f"{HARMFUL.pattern}+")
INVISIBLE_RUN = re.compile(f"{INVISIBLE.pattern}+")
BLANKS = re.compile(r"\n+|\t+|  +| (?=\n)")
CONTROLS = [
    "NUL",
    "SOH",
    "STX",
    "ETX",
    "EOT",
    "ENQ",
    "ACK",
    "BEL",
    "BS",
    "HT",
    "LF",
    "VT",
    "FF",
    "CR",
    "SO",
    "SI",
    "DLE",
    "DC1",
    "DC2",
    "DC3",
    "DC4",
    "NAK",
    "SYN",
    "ETB",
    "CAN",
    "EM",
    "SUB",
    "ESC",
    "FS",
    "GS",
    "RS",
    "US",
]
NAMES = {
    **dict(enumerate(CONTROLS)),
    0x7F: "DEL",
    0x85: "NEL",
    0xA0: "NBSP",
    0xAD: "SHY",
    0x61C: "ALM",
    0x200B: "ZWSP",
    0x200C: "ZWNJ",
    0x200D: "ZWJ",
    0x200E: "LRM",
    0x200F: "RLM",
    0x2028: "LSEP",
    0x2029: "PSEP",
    0x202A: "LRE",
    0x202B: "RLE",
    0x202C: "PDF",
    0x202D: "LRO",
    0x202E: "RLO",
    0x202F: "NNBSP",
    0x2060: "WJ",
    0x2066: "LRI",
    0x2067: "RLI",
    0x2068: "FSI",
    0x2069: "PDI",
    0x3000: "IDSP",
    0xFE0F: "VS16",
    0xFEFF: "BOM",
}
LABELS = 8  # labels in a row before the rest is counted
CONTEXT = 90  # characters of unchanged text on each side of a change
FOLD = 60  # unchanged text shorter than this is not worth folding away
PIECE = 100  # characters of an excerpt that are added at once, up to its budget


def text_markup(text: str, budget: int = 0) -> Markup:
    """Text of a row, escaped, its harmful characters labelled; cut where it would take more than `budget` bytes."""
    if not budget:
        return Markup(_unchanged(text))  # noqa: S704  # escaped piece by piece
    starts = range(0, len(text), PIECE)
    parts, fits = _take((_unchanged(text[start : start + PIECE]) for start in starts), budget)
    return Markup("".join(parts if fits else [*parts, _cut(len(text) - PIECE * len(parts))]))  # noqa: S704


def diff_markup(stretches: Sequence[Stretch], budget: int) -> Markup:
    """A difference as `<del>` and `<ins>` among what stayed, in about `budget` bytes at most.

    Long unchanged stretches are folded into `<details>`. What does not fit is left out, and a mark says so: first the
    folded text, then the ends of long changes, then the last changes.
    """
    fits = sum(len(stretch.text) for stretch in stretches) <= budget
    if fits:
        pieces, fits = _take(_pieces(stretches, cap=0, folded=True), budget)
    if not fits:
        pieces, fits = _take(_pieces(stretches, cap=_cap(stretches, budget), folded=False), budget)
    if not fits:
        pieces.append('<i class="cut">… and more, see the ledger</i>')
    return Markup("".join(pieces))  # noqa: S704  # escaped piece by piece


def _take(pieces: Iterable[str], budget: int) -> tuple[list[str], bool]:
    """As many pieces as fit, and whether all do; no more are made than that."""
    kept: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece) if piece.isascii() else len(piece.encode("utf-8"))
        if size > budget:
            return kept, False
        kept.append(piece)
    return kept, True


def _cap(stretches: Sequence[Stretch], budget: int) -> int:
    """How many characters of each change are shown, so that the first few do not take all the room."""
    changes = [text for kind, text in stretches if kind != "same"][:12]
    sample = "".join(text[at : at + 40] for text in changes for at in (0, len(text) // 2, max(0, len(text) - 40)))
    weight = max(1.0, len(_changed(sample).encode("utf-8")) / max(1, len(sample)))  # bytes a character
    return max(20, int((budget - 130) / weight / max(1, len(changes))) - 40)


# -------------------------------------------------------------------------------------------------------------- pieces


def _pieces(stretches: Sequence[Stretch], *, cap: int, folded: bool) -> Iterator[str]:
    """Balanced pieces of HTML in order. With a `cap`, changes are cut to that many characters, unchanged text to its
    ends."""
    # one text for another: each as its own block, unless both are short
    blocks = [s.kind for s in stretches] == ["out", "in"] and max(len(s.text) for s in stretches) > CONTEXT
    for n, (kind, text) in enumerate(stretches):
        if kind == "same":
            ends = {"first": n == 0, "last": n == len(stretches) - 1}
            yield from _context(text, **ends, width=min(CONTEXT, cap or CONTEXT), folded=folded)
            continue
        tag = "del" if kind == "out" else "ins"
        shown = text[:cap] if 0 < cap < len(text) - 20 else text
        opening = f'<{tag} class="whole">' if blocks else f"<{tag}>"
        yield f"{opening}{_changed(shown)}</{tag}>"
        if shown is not text:
            yield _cut(len(text) - len(shown))


def _context(text: str, *, first: bool, last: bool, width: int, folded: bool) -> Iterator[str]:
    start = 0 if first else _word_end(text, width)
    end = len(text) if last else len(text) - _word_end(text[::-1], width)
    if end - start < FOLD:
        yield _unchanged(text)
        return
    hidden = text[start:end]
    yield _unchanged(text[:start])
    if folded:
        label = f"{count(len(hidden))} more characters"
        yield f"<details><summary>… {label} …</summary>{_unchanged(hidden)}</details>"
    else:
        yield _cut(len(hidden))
    yield _unchanged(text[end:])


def _word_end(text: str, width: int) -> int:
    """Where to cut after about `width` characters: at a blank, if one is near."""
    if len(text) <= width:
        return len(text)
    blank = max(text.rfind(" ", width - 20, width + 1), text.rfind("\n", width - 20, width + 1))
    return blank if blank > 0 else width


def _cut(characters: int) -> str:
    return f'<i class="cut">… {count(characters)} characters not shown …</i>'


# ---------------------------------------------------------------------------------------------------------- characters


def _unchanged(text: str) -> str:
    return "".join(_with_labels(text, HARMFUL_RUN))


def _changed(text: str) -> str:
    """Text that was taken out or put in: what cannot be seen is labelled, blanks that matter are drawn."""
    parts = []
    bare = text.isspace()
    for label, run in _runs(text, INVISIBLE_RUN):
        if label:
            parts.append(_labels(run))
        elif bare:
            parts.append(_blanks(run))
        else:
            start = 0
            for blank in BLANKS.finditer(run):
                parts.append(str(escape(run[start : blank.start()])))
                parts.append(_blanks(blank.group()))
                if blank.group()[0] in "\n\t":
                    parts.append(blank.group()[0])  # one break is enough: the signs say how many there are
                start = blank.end()
            parts.append(str(escape(run[start:])))
    return "".join(parts)


def _with_labels(text: str, pattern: re.Pattern[str]) -> Iterator[str]:
    for label, run in _runs(text, pattern):
        yield _labels(run) if label else str(escape(run))


def _runs(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[bool, str]]:
    start = 0
    for match in pattern.finditer(text):
        if match.start() > start:
            yield False, text[start : match.start()]
        yield True, match.group()
        start = match.end()
    if start < len(text):
        yield False, text[start:]


def _labels(run: str) -> str:
    """`<b>` elements that name invisible characters: equal ones counted, a long row of them cut short."""
    groups = [(character, sum(1 for _ in same)) for character, same in groupby(run)]
    parts = []
    for character, times in groups[:LABELS]:
        name = NAMES.get(ord(character), f"U+{ord(character):04X}")
        parts.append(f'<b class="z">{name}{f"×{times}" if times > 1 else ""}</b>')
    left = sum(times for _, times in groups[LABELS:])
    if left:
        parts.append(f'<b class="z">+{count(left)} unseen</b>')
    return "".join(parts)


def _blanks(run: str) -> str:
    """Blanks as signs: an open box for each space, an arrow for a tab or a line break."""
    parts = []
    for character, same in groupby(run):
        sign = {"\n": "↵", "\t": "⇥"}.get(character, "␣")
        times = sum(1 for _ in same)
        parts.append(sign * times if times <= LABELS else f"{sign}×{count(times)}")
    return f'<b class="w">{"".join(parts)}</b>'
