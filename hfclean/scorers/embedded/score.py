"""The embedded scores: what `hfclean.score` adds, offline and without a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from hfclean.codes import NO_ANSWER
from hfclean.columns import Column
from hfclean.limits import TooLong, too_long
from hfclean.rules import ROW_RULES, RULES, WATCHED, Change, all_defects, mend, row_defects, row_rules, take_glance
from hfclean.rules.rule import find_defects, glanced_defects
from hfclean.schema import ChatView, Pair, PreferenceView, View
from hfclean.scorers.agreement import REPAIRABLE, SHARES, WITH_REPAIR, factor
from hfclean.scorers.embedded import preference_rule, rating_rule
from hfclean.scorers.indicators import read
from hfclean.scorers.lexical import diversity
from hfclean.scorers.scoring import Scorer

# Pairs that are read before the rules see them: enough that the code of each rule stays in the processor's cache, few
# enough that the texts do too.
AT_ONCE = 50


# what is found in a sound question whose answer is empty: of a question without an answer that says nothing
OF_EMPTY = frozenset(find_defects(Pair("Name a fruit that grows on trees."), RULES))


def _asks_only(view: View) -> bool:
    """Whether rows may be questions whose answers are for a model to find."""
    return not view.answers or (view.truth is not None and isinstance(view, ChatView))


@dataclass(frozen=True)
class Score(Scorer):
    """The embedded, offline scores of a pair.

    The scores know form, not facts: a fluent wrong answer scores as well as a right one. How well they agree with
    people and with judges is in `benchmarks/README.md`.

    `preference` and `rating` agree with the rules: both are computed on the pair as `hfclean.revise` would leave it,
    and each defect of the row as it stands takes a share away, whether a rule repairs it or not. A row without defects
    has the score of its text, and a repaired row scores above the original row. Where a rule raises, it is
    left out, and `edit_history` says so. A pair of more than `hfclean.limits.LONGEST_PAIR` characters has nan and no
    `defects`, and `edit_history` says why. A question without an answer has nan, the defects of the
    question, and the reason `no_answer` in `edit_history`. What a
    model thought before its answer is not scored: all of these are of the answer.

    Adds these columns, and a line to `edit_history`:

    * `preference` (float, 0 to 1, higher = better): which of two versions of one pair people would prefer; only
      differences between versions of the same pair mean something.
    * `rating` (float, 0 to 1, higher = better): how likely a strong judge rates the row 4.5 or more of 5, as a
      percentile of a reference set of Alpaca rows, so that half of such rows have 0.5 or more.
    * `response_words` (float, 0 and up): words in the response.
    * `lexical_diversity` (float, 0 to 1, higher = more varied; nan for an empty response): moving-average type-token
      ratio.
    * `defects` (string): ids of the rules whose defect is in the pair as it stands, then of those whose defect only
      shows in the row as a whole, separated by spaces; `""` when none is.

    With `turns="all"` the first two and `lexical_diversity` are means over all assistant turns (nan if a turn has
    none), `response_words` counts the words of all, and `defects` names the defects of any. With `side="both"` the
    numbers are those of the chosen answer and `defects` those of either.

    >>> import hfclean
    >>> row = {"instruction": "Name a colour.", "input": "", "output": "Red, or perhaps blue"}
    >>> scores = hfclean.score(row)
    >>> scores["response_words"], scores["lexical_diversity"], scores["defects"]
    (4.0, 1.0, '')
    """

    version: ClassVar[int] = 5
    adds: ClassVar[tuple[Column, ...]] = (
        Column(
            "preference",
            "which of two versions of one pair people would prefer; only differences between versions of the same "
            "pair mean something",
            low=0,
            high=1,
            better="higher",
        ),
        Column(
            "rating",
            "how likely a strong judge rates the row 4.5 or more of 5, as a percentile of a reference set of Alpaca "
            "rows, so that half of such rows have 0.5 or more",
            low=0,
            high=1,
            better="higher",
        ),
        Column("response_words", "words in the response", low=0, unit="words"),
        Column(
            "lexical_diversity",
            "moving-average type-token ratio: higher = more varied; nan for an empty response",
            low=0,
            high=1,
        ),
        Column("defects", "ids of the rules whose defect is in the pair as it stands, separated by spaces", "text"),
    )
    both_sides: ClassVar[bool] = True

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        return self.scored([[pair] for pair in pairs])[0]

    def scored_cells(
        self, rows: Sequence[Mapping[str, Any]], view: View
    ) -> tuple[dict[str, list[Any]], list[dict[str, Exception]]]:
        if self.side == "both" and view.shape == "preference":
            rejected, of_rejected, _ = replace(self, side="rejected")._answers_scored(rows, view)
            columns, errors, mains = replace(self, side="chosen")._answers_scored(rows, view)
            both = zip(rejected["defects"], columns["defects"], strict=True)
            columns["defects"] = [self.merged("defects", list(each)) for each in both]
            errors = [one | other for one, other in zip(of_rejected, errors, strict=True)]
        else:
            columns, errors, mains = self._answers_scored(rows, view)
            if _asks_only(view):
                self._unscore_questions(columns, mains)
        if row_rules(view):
            if self.side == "rejected" and isinstance(view, PreferenceView):  # a row as a whole has one main pair
                mains = [view.pairs(row)[-1] for row in rows]
            self._count_row_defects(columns, rows, view, mains, errors)
        return columns, errors

    def _answers_scored(
        self, rows: Sequence[Mapping[str, Any]], view: View
    ) -> tuple[dict[str, list[Any]], list[dict[str, Exception]], list[Pair]]:
        """Scores and errors of the answers alone, and the main pair of each row."""
        pairs = [self.pairs(row, view) for row in rows]
        return (*self.scored(pairs), [each[-1] for each in pairs])

    @staticmethod
    def _count_row_defects(
        columns: dict[str, list[Any]],
        rows: Sequence[Mapping[str, Any]],
        view: View,
        pairs: Sequence[Pair],
        errors: Sequence[dict[str, Exception]],
    ) -> None:
        """Name the defects that only show in a row as a whole, and take their shares away."""
        for k, (row, pair, raised) in enumerate(zip(rows, pairs, errors, strict=True)):
            if not _unread(pair) and (found := row_defects(row, view, pair, raised)):
                columns["defects"][k] = " ".join(filter(None, (columns["defects"][k], *found)))
                for name in ("preference", "rating"):
                    columns[name][k] *= factor(found)

    def _unscore_questions(self, columns: dict[str, list[Any]], pairs: Sequence[Pair]) -> None:
        """Questions without answers have the defects of questions, and no numbers."""
        for k, pair in enumerate(pairs):
            if not pair.response and not _unread(pair):
                for name in columns:
                    if name != "defects":
                        columns[name][k] = self._unscored(name)
                columns["defects"][k] = " ".join(id for id in columns["defects"][k].split() if id not in OF_EMPTY)

    def reason(self, view: View, cells: Mapping[str, Any], errors: Mapping[str, Exception]) -> str:
        return NO_ANSWER if _asks_only(view) and math.isnan(cells["response_words"]) and not errors else ""

    def merged(self, name: str, values: list[Any]) -> Any:
        return math.fsum(values) if name == "response_words" else super().merged(name, values)

    def _scored(self, rows: Sequence[Sequence[Pair]], errors: Sequence[dict[str, Exception]]) -> dict[str, list[Any]]:
        if self._only_last(rows):
            return self._scored_pairs([pairs[-1] for pairs in rows], errors)
        pairs = [pair for pairs in rows for pair in pairs]
        of_each = [raised for pairs, raised in zip(rows, errors, strict=True) for _ in pairs]
        return self._merged_turns(self._scored_pairs(pairs, of_each), rows)

    def _scored_pairs(self, pairs: Sequence[Pair], errors: Sequence[dict[str, Exception]]) -> dict[str, list[Any]]:
        preference, rating = preference_rule().predict_values, rating_rule().predict_values
        columns: dict[str, list[Any]] = {name: [] for name in self.names()}
        preferences, ratings, lengths, diversities, named = columns.values()
        for pair, look, raised in zip(pairs, _look_at(pairs, errors), errors, strict=True):
            if unread := _unread(pair):
                raised[self._name()] = unread
                for name, cells in columns.items():
                    cells.append(self._unscored(name))
                continue
            lengths.append(look.words)
            diversities.append(look.diversity)
            named.append(" ".join(look.defects))
            if not look.defects:
                preferences.append(preference(look.values))
                ratings.append(rating(look.values))
                continue
            values, mended, left = _as_repaired(pair, look.values, look.defects, raised)
            preferences.append(preference(values) * mended * left)
            ratings.append(rating(values) * mended * left)
        return columns

    def depends(self) -> dict[str, Any]:
        linear = {rule.name: rule.version for rule in (preference_rule(), rating_rule())}
        return {
            "rules": {rule.id: rule.version for rule in (*RULES, *ROW_RULES)},
            "linear_rules": linear,
            "shares": SHARES,
        }


class Look(NamedTuple):
    """What the scores are made of, once a pair has been read: the indicators' values, the words of the response and
    their diversity, and the ids of the rules whose defect is in the pair."""

    values: tuple[float, ...]
    words: float
    diversity: float
    defects: list[str]


UNREAD = Look((), math.nan, math.nan, [])  # of a pair that is too long


class Sharing(NamedTuple):
    """What is known about pairs that were read, and what all rules that repair change in them."""

    looks: dict[Pair, Look]
    repairs: dict[Pair, list[Change]]


_shared: ContextVar[Sharing | None] = ContextVar("shared", default=None)


@contextmanager
def sharing_looks() -> Iterator[None]:
    """Within the block, a pair that was read once is not read again: for a step that reads rows as another did."""
    token = _shared.set(Sharing({}, {}))
    try:
        yield
    finally:
        _shared.reset(token)


def looks_are_shared() -> bool:
    """Whether this is within `sharing_looks`."""
    return _shared.get() is not None


def look_ahead(pairs: Sequence[Pair]) -> None:
    """Read these pairs now, within `sharing_looks`."""
    # whoever scores these pairs meets an error again, and says on which it is
    with suppress(Exception):
        _look_at(pairs, [{} for _ in pairs])


def known_defects(pair: Pair) -> list[str] | None:
    """The defects of a pair that was read within `sharing_looks`; None where they are not known for certain."""
    shared = _shared.get()
    look = None if shared is None else shared.looks.get(pair)
    return None if look is None else look.defects


def defects_now(pair: Pair) -> list[str] | None:
    """The same, of a pair that is read for it within `sharing_looks`."""
    if looks_are_shared():
        look_ahead([pair])
    return known_defects(pair)


def shared_repairs(pair: Pair, errors: dict[str, Exception]) -> list[Change]:
    """What all rules that repair change in a pair, found once within `sharing_looks`."""
    shared = _shared.get()
    if shared is None:
        return mend(pair, WITH_REPAIR, errors=errors)
    changes = shared.repairs.get(pair)
    if changes is None:
        changes = mend(pair, WITH_REPAIR, errors=errors, found=known_defects(pair), look=defects_now)
        if not errors:
            shared.repairs[pair] = changes
    return changes


def _look_at(pairs: Sequence[Pair], errors: Sequence[dict[str, Exception]]) -> list[Look]:
    shared = _shared.get()
    if shared is None:
        return _looks(pairs, errors)
    known = shared.looks
    missing = [k for k, pair in enumerate(pairs) if pair not in known]
    fresh = dict(zip(missing, _looks([pairs[k] for k in missing], [errors[k] for k in missing]), strict=True))
    known.update((pairs[k], look) for k, look in fresh.items() if not errors[k])
    return [fresh.get(k) or known[pair] for k, pair in enumerate(pairs)]


def _unread(pair: Pair) -> TooLong | None:
    """Why a pair is not read, where it is not."""
    return too_long(pair.instruction, pair.input, pair.response)


def _looks(pairs: Sequence[Pair], errors: Sequence[dict[str, Exception]]) -> list[Look]:
    if any(map(_unread, pairs)):
        kept = [k for k, pair in enumerate(pairs) if not _unread(pair)]
        found = dict(zip(kept, _looks([pairs[k] for k in kept], [errors[k] for k in kept]), strict=True))
        return [found.get(k, UNREAD) for k in range(len(pairs))]
    looks = []
    for start in range(0, len(pairs), AT_ONCE):
        few = pairs[start : start + AT_ONCE]
        read_of_each, glances = [], []
        for pair in few:
            reading = read(pair)
            varied = diversity(reading.words, different=len(reading.vocabulary))
            read_of_each.append((reading.values, float(len(reading.words)), varied))
            glances.append(take_glance(pair, reading, WATCHED))
        defects = all_defects(few, RULES, glances, errors[start : start + AT_ONCE])
        looks += [Look(*numbers, ids) for numbers, ids in zip(read_of_each, defects, strict=True)]
    return looks


def _as_repaired(
    pair: Pair, values: tuple[float, ...], defects: list[str], errors: dict[str, Exception]
) -> tuple[tuple[float, ...], float, float]:
    """The indicators' values of a pair with defects as the rules would leave it, and what is left of a score of 1
    after the defects that they take away and those that stay; see `agreement`."""
    if REPAIRABLE.isdisjoint(defects):
        return values, 1.0, factor(defects)
    left = defects

    def look(after: Pair) -> list[str]:
        nonlocal values, left
        reading = read(after)
        values = reading.values
        left = glanced_defects(after, RULES, take_glance(after, reading, WATCHED), errors)
        return left

    shared = _shared.get()
    if shared is not None and pair in shared.repairs:
        changes = shared.repairs[pair]
        if changes:
            values, _, _, left = _look_at([changes[-1].after], [errors])[0]
    else:
        changes = mend(pair, WITH_REPAIR, errors=errors, found=defects, look=look)
    return values, factor(dict.fromkeys(change.rule for change in changes)), factor(left)


Score.__module__ = "hfclean.scorers"  # the name in pickles, and so in the fingerprints of `datasets`
score = Score()
