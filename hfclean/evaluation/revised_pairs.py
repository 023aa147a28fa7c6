"""Pairs before and after an expert, to compare a reviser with: read, told apart, run through a reviser."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.checks import accept
from hfclean.checks.check import SENTENCE_END
from hfclean.errors import HfcleanError
from hfclean.evaluation.ranking import pairs_of
from hfclean.layout import Layout
from hfclean.reviser.modelled import ModelReviser
from hfclean.schema import Pair
from hfclean.scorers.embedded import preference_rule
from hfclean.text.words import words
from hfclean.training.pairs import COLUMNS, pair_of

AT_ONCE = 512  # rows that a reviser gets at once
LEAST_WORDS = 4  # of a sentence that is named; shorter ones repeat in good answers
# checks of the gate that refuse a revision for what it lost
STRUCTURE = frozenset((
    "thought_lost", "placeholder_lost", "tool_call_changed", "fence_language_changed", "table_lost", "patch_lost",
    "question_fitted", "boxed_changed",
))  # fmt: skip


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
        lossy: whether the revision, taken or refused, lost structure (`STRUCTURE`).
    """

    pairs: tuple[Pair, ...]
    edits: tuple[str, ...]
    reasons: tuple[tuple[str, ...], ...]
    gated: bool
    lossy: tuple[bool, ...]

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
    if not isinstance(reviser, ModelReviser):
        return gated(pairs, revised, edits)
    lossy = [  # of those that were taken, for a gate may have skipped these checks
        not STRUCTURE.isdisjoint(codes) or (one != two and bool(accept(one, two, only=STRUCTURE)))
        for one, two, codes in zip(pairs, revised, reasons, strict=True)
    ]
    return Revised(tuple(revised), tuple(edits), tuple(reasons), gated=True, lossy=tuple(lossy))


def gated(before: Sequence[Pair], after: Sequence[Pair], edits: Sequence[str] | None = None) -> Revised:
    """Pairs before and after, with what the gate says of each change; all of them stand as they are."""
    preference = preference_rule().predict
    reasons = tuple(
        () if one == two else tuple(accept(one, two, preference=preference))
        for one, two in zip(before, after, strict=True)
    )
    if edits is None:
        edits = ["kept" if one == two else "revised" for one, two in zip(before, after, strict=True)]
    lossy = tuple(not STRUCTURE.isdisjoint(codes) for codes in reasons)
    return Revised(tuple(after), tuple(edits), reasons, gated=False, lossy=lossy)


def with_filler(pairs: Sequence[Pair], sentence: str) -> list[Pair]:
    """The pairs with one sentence after each response."""
    return [pair.replace(response=f"{pair.response} {sentence}".strip()) for pair in pairs]


def with_others(pairs: Sequence[Pair], answered: Sequence[Pair], seed: int) -> list[Pair]:
    """The pairs with the responses of `answered`, none at its own place; a single pair keeps its own."""
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)  # noqa: S311
    other = dict(zip(order, [*order[1:], *order[:1]], strict=True))
    return [pair.replace(response=answered[other[k]].response) for k, pair in enumerate(pairs)]


def most_added(before: Sequence[Pair], after: Sequence[Pair]) -> tuple[str, int, int]:
    """The sentence of `LEAST_WORDS` words or more that most responses have now and had not, in how many, and how many
    changed."""
    counts: Counter[str] = Counter()
    changed = 0
    for one, two in zip(before, after, strict=True):
        if one.response != two.response:
            changed += 1
            counts.update(_sentences(two.response) - _sentences(one.response))
    sentence, rows = min(counts.items(), key=lambda one: (-one[1], one[0]), default=("", 0))
    return sentence, rows, changed


def _sentences(text: str) -> set[str]:
    """The sentences that are long enough to be named, without the marks at their end."""
    parts = (part.strip().rstrip(".!?…") for part in SENTENCE_END.split(text))
    return {part for part in parts if len(words(part)) >= LEAST_WORDS}
