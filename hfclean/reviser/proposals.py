"""What a model proposes for a pair, and the choice among what passed the gate."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from hfclean.errors import HfcleanError, of_row, stop_at
from hfclean.models import Conversation, Work
from hfclean.reviser.codec import settle
from hfclean.schema import Pair, Target
from hfclean.scorers.embedded import preference_rule
from hfclean.verifiers import verify
from hfclean.verifiers.row_tests import BoundTests

_Errors = Mapping[str, Exception]
CHOICES = ("findings", "preference")
_NO_ERRORS: _Errors = MappingProxyType({})


class Task(NamedTuple):
    """One pair to revise: its text, and which of its fields may be written; none if it taught the model.

    `unread` is how often its row was left as it was because the answer could not be read; `tests` are the row's own,
    where they are run.
    """

    pair: Pair
    fields: tuple[str, ...]
    target: Target
    taught: bool = False
    unread: int = 0
    tests: BoundTests | None = None

    @property
    def whole(self) -> bool:
        """Whether the instruction may change with the response."""
        return "instruction" in self.fields

    @property
    def thinks(self) -> bool:
        """Whether what was thought before the response may change with it."""
        return "thought" in self.fields

    def revised(self, texts: Mapping[str, str]) -> Pair | None:
        """The pair with a model's texts in its fields; None if they cannot be written to the row."""
        new = {name: settle(getattr(self.pair, name), text) for name, text in texts.items()}
        if new.get("input", "") and not self.pair.input and "input" not in self.fields and self.whole:
            # a row without a place for an input has both in its instruction
            new["instruction"] = f"{new['instruction']}\n\n{new.pop('input')}"
        changed = {name for name, text in new.items() if text != getattr(self.pair, name)}
        return self.pair.replace(**new).with_seam_of(self.pair) if changed <= set(self.fields) else None


class Proposal(NamedTuple):
    """A model's revision of a pair, or why there is none.

    Args:
        pair: the revised pair; None where there is none.
        reason: why there is none, though the model answered: `unparsed` or `unwritable`.
        error: why there is no answer: a key of `hfclean.codes.ERRORS`.
        finish_reason: why the model stopped.
        model: the model's name.
        notes: codes to record even if the proposal is taken.
        errors: the errors that checks raised on it, by their ids.
        refused: revisions that the gate refused on the way to it, each with its reasons.
        exchange: the conversation that gave it, the model's answer last; empty where nobody goes on with it.
    """

    pair: Pair | None = None
    reason: str = ""
    error: str = ""
    finish_reason: str | None = None
    model: str = ""
    notes: tuple[str, ...] = ()
    errors: _Errors = _NO_ERRORS
    refused: tuple[tuple[Pair, tuple[str, ...]], ...] = ()
    exchange: Conversation = ()


class Verdict(NamedTuple):
    """What becomes of a pair, and why; `edit` is empty where a proposal is taken."""

    edit: str
    pair: Pair
    reasons: tuple[str, ...] = ()
    model: str = ""
    errors: _Errors = _NO_ERRORS


class Rivals(NamedTuple):
    """The proposals of a pair among which to choose, and the errors raised while checking them."""

    proposals: list[Proposal]
    errors: _Errors


def best_of(found: Sequence[tuple[Pair, Rivals]], choose: Any, *, strict: bool) -> Work[list[Verdict]]:
    """The best of the proposals of each pair, or that none could be graded; `choose` as `ModelReviser` says."""
    candidates = [[cast(Pair, p.pair) for p in rivals.proposals] for _, rivals in found]
    asked = [
        (before, pair)
        for (before, _), row_pairs in zip(found, candidates, strict=True)
        if len(set(row_pairs)) > 1
        for pair in row_pairs
    ]
    grades = iter((yield from _grades(asked, choose, strict)) if asked else [])
    verdicts = []
    for (before, (good, raised)), row_pairs in zip(found, candidates, strict=True):
        best, errors = good[0], raised
        if len(set(row_pairs)) > 1:
            graded = [next(grades) for _ in row_pairs]
            if broken := [grade for grade in graded if isinstance(grade, Exception)]:
                errors = {**raised, "choose": broken[0]}
            values = [math.nan if isinstance(grade, Exception) else grade for grade in graded]
            if all(math.isnan(value) for value in values):
                verdicts.append(Verdict("reverted", before, ("not_graded",), best.model, errors))
                continue
            best = good[max(range(len(row_pairs)), key=lambda k: (not math.isnan(values[k]), values[k], -k))]
        verdicts.append(Verdict("", cast(Pair, best.pair), best.notes, best.model, errors))
    return verdicts


def _grades(revisions: Sequence[tuple[Pair, Pair]], choose: Any, strict: bool) -> Work[list[float | Exception]]:
    """A number for each revised pair, higher = better, nan where there is none, or the error raised on it."""
    if choose == "findings":
        return [-len(verify(after)) - _changed_share(before, after) for before, after in revisions]
    pairs = [after for _, after in revisions]
    if choose == "preference":
        return [preference_rule().predict(pair) for pair in pairs]
    if hasattr(choose, "grades"):
        graded: list[float | Exception] = yield from choose.grades(pairs)
        return graded
    try:
        values: list[float | Exception] = [float(value) for value in choose(pairs)]
    except Exception as e:
        of_row(e)
        values = [_grade(pair, choose, strict) for pair in pairs]
        if not any(isinstance(value, Exception) for value in values):
            raise  # an error on these pairs together belongs to none of them
    if len(values) != len(pairs):
        raise HfcleanError(f"choose= gave {len(values)} numbers for {len(pairs)} pairs; expected one for each")
    return values


def _changed_share(before: Pair, after: Pair) -> float:
    """How much of the text changed, from 0 for nothing to less than 1: the edits by the characters of both."""
    from rapidfuzz.distance import Levenshtein

    fields = [
        (getattr(before, name), getattr(after, name)) for name in ("instruction", "input", "thought", "response")
    ]
    edits = sum(Levenshtein.distance(old, new) for old, new in fields)
    return edits / (1 + sum(len(old) + len(new) for old, new in fields))


def _grade(pair: Pair, choose: Any, strict: bool) -> float | Exception:
    try:
        (value,) = choose([pair])
        return float(value)
    except Exception as e:  # noqa: BLE001  # whatever it is, it is kept and shown
        error = of_row(e)
    if strict:
        stop_at({"choose": error}, "grader", pair.instruction)
    return error
