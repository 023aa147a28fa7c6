"""Pages: what the browser is sent. Everything is escaped; no address but relative ones, no inline style or script.

Texts of rows come from `report.markup`, which escapes them and labels what cannot be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hfclean.desk.tasks import Task, Text
from hfclean.report import formatting
from hfclean.report.markup import diff_markup, text_markup
from hfclean.report.meanings import meaning
from hfclean.text.worddiff import Stretch, readable_diff

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SHOWN = 200_000  # bytes of one text, unless all of it is asked for
WHOLE = 50_000_000
HUNK = 20_000
NEAR = 240  # characters of unchanged text that are read on each side of a change
KEYS = 9  # changes that a key takes or leaves
FILES = {"desk.css": "text/css", "desk.js": "text/javascript"}


@dataclass(frozen=True)
class Piece:
    """A part of a text that is shown: as it stayed, folded away, or a change that can be taken.

    Attributes:
        kind: `same`, `fold` or `hunk`.
        markup: the text, escaped.
        label: what a fold is called, or in words what a change does.
        number: of a change, within its text, from 0.
        key: of a change, the key that takes or leaves it, 0 for none.
        taken: whether the change is.
    """

    kind: str
    markup: Markup
    label: str = ""
    number: int = 0
    key: int = 0
    taken: bool = True


def render(template: str, **content: Any) -> str:
    """A page."""
    html: str = _environment().get_template(template).render(**content)
    return html


def asset(name: str) -> bytes:
    """A file that the pages ask for; the look is that of the report."""
    own = (files("hfclean.desk") / name).read_bytes()
    return (files("hfclean.report") / "page.css").read_bytes() + own if name == "desk.css" else own


def parts_of(
    task: Task, taken: Mapping[str, Collection[int]] | None, *, whole: bool
) -> list[tuple[Text, list[Piece]]]:
    """The texts of a row, each in pieces; the changes are counted through all of them.

    Args:
        task: the row.
        taken: place -> numbers of the changes that are taken; None for all.
        whole: whether a long text is shown to its end.
    """
    found, key = [], 0
    for text in task.texts:
        if not text.changed or task.kind == "original":
            stays = text.shown if not text.changed else text.before
            budget = WHOLE if whole else SHOWN
            found.append((text, [Piece("same", text_markup(stays, budget))] if stays else []))
            continue
        if not (task.is_divisible and text.places):
            found.append((text, [Piece("same", diff_markup(readable_diff(text.before, text.after), SHOWN))]))
            continue
        chosen = None if taken is None else taken.get(text.place, ())
        found.append((text, list(_pieces(text, key, chosen, whole=whole))))
        key += len(text.hunks)
    return found


def _pieces(text: Text, key: int, taken: Collection[int] | None, *, whole: bool) -> Iterator[Piece]:
    end = 0
    for number, hunk in enumerate(text.hunks):
        yield from _same(text.before[end : hunk.start], is_first=not end, is_last=False, whole=whole)
        stretches = [Stretch("out", hunk.out), Stretch("in", hunk.put)]
        markup = diff_markup([each for each in stretches if each.text], WHOLE if whole else HUNK)
        place = key + number + 1
        yield Piece(
            "hunk",
            markup,
            _in_words(hunk.out, hunk.put),
            number,
            place if place <= KEYS else 0,
            taken is None or number in taken,
        )
        end = hunk.start + len(hunk.out)
    yield from _same(text.before[end:], is_first=False, is_last=True, whole=whole)


def _same(text: str, *, is_first: bool, is_last: bool, whole: bool) -> Iterator[Piece]:
    """Text between two changes; a long one is folded, but for what stands next to them."""
    if not text:
        return
    start, end = (0 if is_first else NEAR), (len(text) if is_last else len(text) - NEAR)
    if end - start < 2 * NEAR:
        yield Piece("same", text_markup(text))
        return
    yield Piece("same", text_markup(text[:start]))
    budget = WHOLE if whole else SHOWN
    label = f"… {formatting.count(end - start)} more characters …"
    yield Piece("fold", text_markup(text[start:end], budget), label)
    yield Piece("same", text_markup(text[end:]))


def _in_words(out: str, put: str) -> str:
    """A change as a person would say it."""
    old, new = (formatting.one_line(text.strip() or "white space", 80) for text in (out, put))
    if not out:
        return f"add {new}"
    return f"replace {old} by {new}" if put else f"remove {old}"


def compared(before: str, after: str) -> Markup:
    """The difference of two texts."""
    return diff_markup(readable_diff(before, after), SHOWN)


def _reasons(codes: Sequence[str]) -> list[tuple[str, str]]:
    """Codes and what they mean."""
    return [(code, meaning(code)) for code in codes]


def field(text: str) -> str:
    """Text for a field in which it is edited: a form takes the first line end away."""
    return f"\n{text}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    import jinja2

    env = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files("hfclean.desk") / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "count": formatting.count,
        "plural": formatting.plural,
        "quantity": formatting.quantity,
        "field": field,
        "text": lambda text: text_markup(text, SHOWN),
        "name": lambda text: text_markup(formatting.one_line(str(text), 120)),
        "sentence": lambda text: text_markup(formatting.one_line(str(text), 1000)),
    }
    env.globals |= {"percent": formatting.percent, "compared": compared, "reasons": _reasons}
    return env
