"""Masked rows in a report: what is shown of the rows before is masked as well, so that no diff shows what was taken
out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.passes import column_batches
from hfclean.provenance import HISTORY, Step, parse_history
from hfclean.report.formatting import plural
from hfclean.report.rows import identity
from hfclean.reviser.pii import HIDING, MaskPII, hides, is_masking, masking_of
from hfclean.rules.pii import find_pii, mask_value


def maskings(splits: Mapping[str, Any], prefix: str) -> tuple[MaskPII, ...]:
    """The maskings that rows of these splits went through, in order; they keep nothing when they are done again."""
    found: dict[str, Step] = {}
    for steps in _histories(splits, prefix):
        found |= {identity(step): step for step in steps if hides(step) and identity(step) not in found}
    return tuple(masking_of(step) for step in found.values())


def mask_counts(splits: Mapping[str, Any], prefix: str) -> Counter[str]:
    """In how many rows each kind of personal data was masked, by its reason; `""` counts the rows with any."""
    counts: Counter[str] = Counter()
    for steps in _histories(splits, prefix):
        reasons = {reason for step in steps if hides(step) for reason in step.reasons if reason.startswith("pii_")}
        counts.update([*reasons, *([""] if reasons else [])])
    return counts


def mask_note(counts: Mapping[str, int]) -> list[str]:
    """One sentence on the rows that were masked; none where there are none."""
    if not counts.get(""):
        return []
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(counts.items()) if kind and count)
    return [
        f"Personal data is masked in {plural(counts[''], 'row')} ({kinds}). Texts from before are shown masked, too: "
        "what was masked is in none of these files."
    ]


def masked_as(splits: Mapping[str, Any], maskings: Iterable[MaskPII], prefix: str) -> dict[str, Any]:
    """The splits, masked in the same way; columns that they did not have are not added."""
    masked = dict(splits)
    for masking in maskings:
        for name, part in masked.items():
            if len(part):
                added = part.with_format(None).map(masking, batched=True, desc=f"masking {name}")
                had = set(part.column_names)
                masked[name] = added.remove_columns([column for column in added.column_names if column not in had])
    return masked


def masked_refused(refused: Any | None, maskings: Sequence[MaskPII]) -> Any | None:
    """Refused revisions with the same kinds of personal data masked."""
    kinds = tuple(dict.fromkeys(kind for masking in maskings for kind in masking.kinds))
    if refused is None or not kinds:
        return refused
    return refused.map(_masked_texts, fn_kwargs={"kinds": kinds}, desc="masking what was refused")


def masked_text(text: str, splits: Mapping[str, Any], maskings: Sequence[MaskPII]) -> str:
    """A card with the personal data masked that was masked in these rows; that of others, an author's, stays."""
    kinds = tuple(dict.fromkeys(kind for masking in maskings for kind in masking.kinds))
    found = {text[each.start : each.end]: each.kind for each in find_pii(text, kinds)} if kinds else {}
    if found:
        held: set[str] = set()
        for part in splits.values():
            for batch in column_batches(part, part.column_names):
                cells = "\n".join(str(cell) for column in batch.values() for cell in column)
                held.update(each for each in found if each in cells)
        for each in sorted(held, key=len, reverse=True):
            text = text.replace(each, f"[{found[each].upper()}]")
    return text


def cells_of(splits: Mapping[str, Any], prefix: str) -> Iterator[tuple[Any, Any]]:
    """History and original of every row that has both."""
    history, original = prefix + HISTORY, prefix + "original"
    for part in splits.values():
        if {history, original} <= set(part.column_names):
            for batch in column_batches(part, [history, original]):
                yield from zip(batch[history], batch[original], strict=True)


def check_hidden(cells: Iterable[tuple[Any, Any]], again: str) -> None:
    """Refuse rows whose `original` still holds what was masked in them, as it did until version 0.1.0.

    Args:
        cells: history and original of each row.
        again: how they are masked again.

    Raises:
        HfcleanError: there are some.
    """
    count = sum(_shows(history, original) for history, original in cells)
    if count:
        raise HfcleanError(
            f"personal data of {plural(count, 'row')} is masked in the text and stands in the column 'original', "
            f"where an earlier version of hfclean kept it; mask the rows again, which takes it out: {again}"
        )


def _shows(history: Any, original: Any) -> bool:
    """Whether `original` may hold what a step of an earlier version masked."""
    if not original or not isinstance(history, str) or MaskPII.__name__ not in history:
        return False
    open_kinds: set[str] = set()
    for step in parse_history(history) or ():
        if hides(step) or (step.by == MaskPII.__name__ and step.version >= HIDING):
            open_kinds -= set(masking_of(step).kinds)
        elif is_masking(step):
            open_kinds |= {reason.removeprefix("pii_") for reason in step.reasons}
    return bool(open_kinds)


def _masked_texts(row: Mapping[str, Any], kinds: tuple[str, ...]) -> dict[str, Any]:
    return {name: mask_value(row[name], kinds) for name in ("before", "proposed", "findings")}


def _histories(splits: Mapping[str, Any], prefix: str) -> Iterator[tuple[Step, ...]]:
    name = prefix + HISTORY
    for part in splits.values():
        for batch in column_batches(part, [name]) if name in part.column_names else ():
            for text in batch[name]:
                if text and MaskPII.__name__ in text:
                    yield parse_history(text) or ()
