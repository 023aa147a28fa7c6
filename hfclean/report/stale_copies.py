"""Stale copies: columns beside the revised ones that still hold the text from before the revision."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any

from hfclean.layout import Layout
from hfclean.passes import filled, iterate, narrowed
from hfclean.provenance import DUPLICATE_COLUMN, HISTORY, added_columns, decode_original, parse_history
from hfclean.schema import messages_of, read_at
from hfclean.values import holds_text, kinds_of

TOKENS = re.compile(r"(?:.*_)?(?:input_ids|labels|token_ids|tokens)\Z")
STALE = "Columns that still hold text from before the revision"
SHORTEST = 12  # characters: a shorter text can stand in another column for other reasons


def stale_copies(ds: Any, layout: Layout) -> dict[str, int]:
    """The columns that repeat what a reviser changed and were not changed with it: in how many rows each.

    A rendered `text`, a second copy of the conversation, a `formatted` prompt: strings (however deep) that hold a
    text from before its revision, and not the one from after. Columns of tokens (`input_ids`, `labels` of integers)
    are stale in every row that changed, since they were made of the old text. Only rows that changed are read.

    Args:
        ds: a `Dataset` or `DatasetDict` that revisers went over.
        layout: how the revisers read it.
    """
    counts: Counter[str] = Counter()
    for part in ds.values() if isinstance(ds, Mapping) else (ds,):
        counts.update(_stale(part, layout))
    return dict(counts)


def stale_note(counts: Mapping[str, int]) -> str:
    """One sentence on stale copies, for reports and cards."""
    named = ", ".join(f"{name!r} ({count:,} {'row' if count == 1 else 'rows'})" for name, count in counts.items())
    return f"{STALE}: {named}. Make them again from the revised columns, or drop them: ds.remove_columns(...)"


def _stale(ds: Any, layout: Layout) -> Iterator[str]:
    """The name of the column once for every row in which it is stale."""
    original, history = layout.own("original"), layout.own(HISTORY)
    if not len(ds) or not {original, history} <= set(ds.column_names):
        return
    first = parse_history(narrowed(ds, [history])[0][history])
    if not first:
        return  # the column `original` is somebody else's
    view = layout.view(ds.column_names)
    known = {*view.columns, *added_columns(first, layout.prefix), layout.own(DUPLICATE_COLUMN)}
    others = [name for name in ds.column_names if name not in known]
    strings = [name for name in others if holds_text(ds.features[name])]
    tokens = [name for name in others if _is_tokens(name, ds.features[name])]
    if not strings and not tokens:
        return
    changed = filled(ds, original)
    for rows in iterate(ds, [*view.columns, *strings, original], changed) if strings else ():
        for row in rows:
            pairs = list(_changes(row, original))
            yield from (name for name in strings if _is_stale(list(_strings(row[name])), pairs))
    for name in tokens:
        yield from repeat(name, len(changed))


def _changes(row: Mapping[str, Any], original: str) -> Iterator[tuple[str, str]]:
    """Each text from before its revision, and the one from after."""
    for path, old in decode_original(row[original]).items():
        if not isinstance(old, str) or path[0] not in row:
            continue
        new = read_at(row, path)
        then, now = messages_of(old), messages_of(new) if isinstance(new, str) else None
        if then is None or now is None:
            yield old, str(new)
        else:  # a conversation as one JSON string: what others repeat is its texts
            yield from ((a, b) for a, b in zip(_strings(then), _strings(now), strict=False) if a != b)


def _is_stale(texts: list[str], pairs: list[tuple[str, str]]) -> bool:
    """Whether some text holds the old form of a change, by itself or as a part, and not the new one."""
    for old, new in pairs:
        for text in texts:
            if text == old != new:
                return True
            bare, now = old.strip(), new.strip()
            if len(bare) >= SHORTEST and bare != now and bare in text and not (bare in now and now in text):
                return True
    return False


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _is_tokens(name: str, feature: Any) -> bool:
    return TOKENS.match(name.lower()) is not None and all(
        kind.startswith(("int", "uint")) for kind in kinds_of(feature)
    )
