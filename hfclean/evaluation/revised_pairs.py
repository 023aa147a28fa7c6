"""Pairs before and after an expert, to compare a reviser with: read, told apart, run through a reviser."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.checks import accept
from hfclean.errors import HfcleanError
from hfclean.evaluation.ranking import pairs_of
from hfclean.layout import Layout
from hfclean.reviser.modelled import ModelReviser
from hfclean.schema import Pair
from hfclean.scorers.embedded import preference_rule
from hfclean.training.pairs import COLUMNS, pair_of

AT_ONCE = 512  # rows that a reviser gets at once


@dataclass(frozen=True)
class ExpertPairs:
    """Held-out pairs.

    Attributes:
        raw: the pairs as they were.
        expert: the same after the expert.
        unchanged: pairs that the expert left as they were: they need nothing.
        left_out: unusable pairs, by reason: `nothing_to_revise` (the raw side has no text), `no_response` (the
            revised side has no response).
    """

    raw: tuple[Pair, ...]
    expert: tuple[Pair, ...]
    unchanged: tuple[Pair, ...]
    left_out: Mapping[str, int]


def read_pairs(pairs: Any) -> ExpertPairs:
    """Pairs of a `Dataset` or list of rows with the columns `COLUMNS`; the inputs may be missing.

    Raises:
        ColumnError: a column is missing, or holds no text.
        HfcleanError: no pairs at all.
    """
    if hasattr(pairs, "keys"):
        raise HfcleanError(
            f"got a {type(pairs).__name__}; expected held-out pairs: a Dataset or a list of rows, such as ds['test']"
        )
    rows = list(pairs.with_format(None) if hasattr(pairs, "with_format") else pairs)
    if not rows:
        raise HfcleanError("got no pairs; expected held-out rows with the columns " + ", ".join(COLUMNS))
    raw, expert, unchanged = [], [], []
    left_out: dict[str, int] = {}
    for row in rows:
        before, after = pair_of(row)
        reason = ""
        if not (before.prompt.strip() or before.response.strip()):
            reason = "nothing_to_revise"
        elif not after.response.strip():
            reason = "no_response"
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        elif same(before, after):
            unchanged.append(before)
        else:
            raw.append(before)
            expert.append(after)
    return ExpertPairs(tuple(raw), tuple(expert), tuple(unchanged), left_out)


def same(one: Pair, two: Pair) -> bool:
    """Whether two pairs are equal but for white space around their fields."""
    return all(
        getattr(one, name).strip() == getattr(two, name).strip() for name in ("instruction", "input", "response")
    )


def read_clean(rows: Iterable[Any] | None, layout: Layout) -> list[Pair]:
    """Rows that need nothing, of any shape; those without a response do not count and are left out."""
    if rows is None:
        return []
    return [pair.replace(history=(), system="") for pair in pairs_of(rows, layout) if pair.response.strip()]


@dataclass(frozen=True)
class Revised:
    """What a reviser made of pairs, in their order.

    Attributes:
        pairs: after it; as before where its revision was refused or none came.
        edits: `kept`, `revised`, `reverted` or `failed`.
        reasons: codes; of those that were reverted, ids of the checks that refused.
        gated: whether the refusals are the reviser's own; else they say what the gate would have refused.
    """

    pairs: tuple[Pair, ...]
    edits: tuple[str, ...]
    reasons: tuple[tuple[str, ...], ...]
    gated: bool

    def refused_by(self, check: str) -> list[float]:
        """For each pair 1 where this check refused, else 0."""
        return [
            float(check in reasons and (edit == "reverted" or not self.gated))
            for edit, reasons in zip(self.edits, self.reasons, strict=True)
        ]


def revise_with(reviser: Any, pairs: Sequence[Pair], update: Callable[[int], Any] = lambda rows: None) -> Revised:
    """Run a reviser over pairs, as `map` would over rows of instruction, input and output.

    Raises:
        HfcleanError: it is not a reviser.
    """
    revised: list[Pair] = []
    edits: list[str] = []
    reasons: list[tuple[str, ...]] = []
    prefix = getattr(reviser, "prefix", "")
    for start in range(0, len(pairs), AT_ONCE):
        chunk = pairs[start : start + AT_ONCE]
        batch = {
            "instruction": [pair.instruction for pair in chunk],
            "input": [pair.input for pair in chunk],
            "output": [pair.response for pair in chunk],
        }
        out = reviser(dict(batch))
        if not isinstance(out, Mapping) or prefix + "edit" not in out:
            raise HfcleanError(
                f"{type(reviser).__name__} gave no column {prefix + 'edit'!r}; expected a reviser, such as "
                "hfclean.Reviser(...) or hfclean.revise"
            )
        cells = [out.get(name, batch[name]) for name in batch]
        revised += [Pair(*texts) for texts in zip(*cells, strict=True)]
        edits += out[prefix + "edit"]
        reasons += [tuple(codes.split()) for codes in out[prefix + "edit_reason"]]
        update(len(chunk))
    if isinstance(reviser, ModelReviser):
        return Revised(tuple(revised), tuple(edits), tuple(reasons), gated=True)
    return gated(pairs, revised, edits)


def gated(before: Sequence[Pair], after: Sequence[Pair], edits: Sequence[str] | None = None) -> Revised:
    """Pairs before and after, with what the gate says of each change; all of them stand as they are."""
    preference = preference_rule().predict
    reasons = tuple(
        () if one == two else tuple(accept(one, two, preference=preference))
        for one, two in zip(before, after, strict=True)
    )
    if edits is None:
        edits = ["kept" if one == two else "revised" for one, two in zip(before, after, strict=True)]
    return Revised(tuple(after), tuple(edits), reasons, gated=False)
