"""Scores: numbers about one pair, each in a column of its own. A score that cannot be computed is nan, never a
guess."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import eq
from typing import Any, ClassVar

from hfclean.errors import ColumnError, SchemaError, describe_error, of_row, stop_at
from hfclean.provenance import HISTORY, Step, own_steps
from hfclean.rules import RULES, Glance, all_defects
from hfclean.rules.repetition import TWICE
from hfclean.rules.rule import WATCHED, glanced_defects
from hfclean.schema import Pair, View
from hfclean.scorers.agreement import SHARES, factor, repairs
from hfclean.scorers.embedded import preference_rule, rating_rule
from hfclean.scorers.indicators import INDICATOR_NAMES, NO_SIGNS, Reading, read
from hfclean.scorers.lexical import diversity, lexical_diversity, response_words
from hfclean.transform import STRICT, Batch, Transform

__all__ = ["FunctionScorer", "Score", "Scorer", "lexical_diversity", "refresh", "response_words", "score", "scorer"]


@dataclass(frozen=True)
class Scorer(Transform):
    """Base of the scorers: subclasses name their columns and score pairs; the row's main pair is the one that is
    scored.

    In a conversation the main pair is the last assistant turn, in a preference row the chosen answer. With
    `turns="all"` every assistant turn is scored, each with what came before it, and a number is the mean over them,
    nan if one of them has none; columns of words, such as reasons, name what any turn has.

    A subclass that means something else by `turns="all"` overrides `score_rows`; one that means nothing by it says so
    in `only_last`, and then it is refused.

    A row on which the scorer raises has nan (`""` in the columns of `texts`, `scorer_error` in those that end in
    `_reason`), its line in `edit_history` says what was raised, and the run goes on; reports count such rows.

    Args:
        strict: stop at the first row on which the scorer raises.
    """

    adds: ClassVar[tuple[str, ...]] = ()
    # those of the columns that hold text
    texts: ClassVar[frozenset[str]] = frozenset()
    # False where one error is no row's own: a model that cannot be loaded fails on all of them
    contained: ClassVar[bool] = True
    # why several turns have no score, where they have none
    only_last: ClassVar[str] = ""
    # whether `side="both"` means something
    both_sides: ClassVar[bool] = False

    strict: bool = field(default=False, kw_only=True, metadata=STRICT)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.turns == "all" and self.only_last:
            raise SchemaError(
                f"{type(self).__name__}(turns='all'): {self.only_last}; expected turns='last', which is the default"
            )
        if self.side == "both" and not self.both_sides:
            raise SchemaError(
                f"{type(self).__name__}(side='both'): a row gets one score; expected 'chosen' or 'rejected'. For "
                "both, score twice, with another prefix= the second time"
            )

    def names(self) -> tuple[str, ...]:
        """The columns that this scorer adds, without prefix."""
        return self.adds

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        """One list per column of `names`, in the order of the pairs."""
        raise ColumnError(f"{type(self).__name__} defines no score_batch(pairs)")

    def score_rows(self, rows: Sequence[Sequence[Pair]]) -> dict[str, list[Any]]:
        """The same for rows of one pair or several, oldest first: only the last of each, or with `turns="all"` all."""
        if self._only_last(rows):
            return self.score_batch([pairs[-1] for pairs in rows])
        return self._merged_turns(self.score_batch([pair for pairs in rows for pair in pairs]), rows)

    def merged(self, name: str, values: list[Any]) -> Any:
        """What a row has in a column with `turns="all"`, of what its turns have.

        Raises:
            SchemaError: nothing is known to come of such values.
        """
        if all(isinstance(value, (float, int)) and not isinstance(value, bool) for value in values):
            return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan
        if (name in self.texts or name.endswith("_reason")) and all(isinstance(value, str) for value in values):
            return " ".join(dict.fromkeys(word for value in values for word in value.split()))
        raise SchemaError(
            f"{type(self).__name__}(turns='all'): the column {name!r} of several turns cannot be made one, since it "
            f"holds {type(values[0]).__name__}; use turns='last'"
        )

    def _only_last(self, rows: Sequence[Sequence[Pair]]) -> bool:
        return self.turns == "last" or all(len(pairs) == 1 for pairs in rows)

    def _merged_turns(self, each: Mapping[str, list[Any]], rows: Sequence[Sequence[Pair]]) -> dict[str, list[Any]]:
        """Columns of all turns of some rows as columns of the rows."""
        columns: dict[str, list[Any]] = {}
        for name, values in each.items():
            left = iter(values)
            columns[name] = [self.merged(name, [next(left) for _ in pairs]) for pairs in rows]
        return columns

    def identity(self) -> str:
        """The commit or the hash of the model that is asked; empty where there is none."""
        return ""

    def scored(self, rows: Sequence[Sequence[Pair]]) -> tuple[dict[str, list[Any]], list[dict[str, Exception]]]:
        """What `score_rows` gives, and for each row what was raised on it, by the name of what raised it.

        Raises:
            StrictError: the scorer raised, and is strict.
        """
        errors: list[dict[str, Exception]] = [{} for _ in rows]
        try:
            columns = self._scored(rows, errors)
        except Exception as e:
            if not self.contained:
                raise
            of_row(e)
            columns = self._one_by_one(rows, errors)
            if not any(errors):  # what fails on these rows together only is the fault of none of them
                raise
        if self.strict:
            for pairs, raised in zip(rows, errors, strict=True):
                stop_at(raised, "scorer" if self._name() in raised else "rule", pairs[-1].instruction)
        return columns, errors

    def scored_cells(
        self, rows: Sequence[Mapping[str, Any]], view: View
    ) -> tuple[dict[str, list[Any]], list[dict[str, Exception]]]:
        """The same for rows as they lie in a dataset."""
        return self.scored([self.pairs(row, view) for row in rows])

    def _scored(self, rows: Sequence[Sequence[Pair]], errors: Sequence[dict[str, Exception]]) -> dict[str, list[Any]]:
        """`score_rows`, for a scorer that can go on without a part of itself: that is noted in `errors`."""
        return self.score_rows(rows)

    def _one_by_one(
        self, rows: Sequence[Sequence[Pair]], errors: Sequence[dict[str, Exception]]
    ) -> dict[str, list[Any]]:
        names = self.names()
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for pairs, raised in zip(rows, errors, strict=True):
            try:
                found = self._scored([pairs], [raised])
                cells = [found[name][0] for name in names]
            except Exception as e:  # noqa: BLE001  # whatever it is, it is kept and shown
                raised[self._name()] = of_row(e)
                cells = [self._unscored(name) for name in names]
            for name, cell in zip(names, cells, strict=True):
                columns[name].append(cell)
        return columns

    def _name(self) -> str:
        return type(self).__name__

    def _unscored(self, name: str) -> Any:
        if name.endswith("_reason"):
            return "scorer_error"
        return "" if name in self.texts else math.nan

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        names, history = self.names(), self.prefix + HISTORY
        step = Step(type(self).__name__, self.version, names, self.settings(), model=self.identity())
        rows = batch.rows([*view.columns, *(self.prefix + name for name in names), history])
        writes = (*names, HISTORY)
        before: list[list[str]] = [[] for _ in rows]
        if any(self.prefix + name in batch for name in writes):
            for row, kept in zip(rows, before, strict=True):
                steps = own_steps(row, writes, self.prefix, type(self).__name__)
                # scoring again replaces the line of the last time: the scores are those of today's text
                kept += [s.line() for s in steps if s.is_revision or s.columns != names]
        columns, errors = self.scored_cells(rows, view)
        whole, lines = step.line(), []
        for kept, raised in zip(before, errors, strict=True):
            line = replace(step, errors=_described(raised)).line() if raised else whole
            lines.append("\n".join([*kept, line]) if kept else line)
        return {**{self.prefix + name: columns[name] for name in names}, history: lines}


@dataclass(frozen=True)
class Score(Scorer):
    """The embedded, offline scores of a pair.

    The scores know form, not facts: a fluent wrong answer scores as well as a right one. How well they agree with
    people and with judges is in `benchmarks/README.md`.

    `preference` and `rating` agree with the rules: both are computed on the pair as `hfclean.revise` would leave it,
    and each defect of the row as it stands takes a share away, whether a rule repairs it or not. A row without defects
    has the score of its text, and a repaired row scores above the row that it was made of. Where a rule raises, it is
    left out, and `edit_history` says so.

    Adds these columns, and a line to `edit_history`:

    * `preference` (float, 0 to 1, higher = better): which of two versions of one pair people would prefer; only
      differences between versions of the same pair mean something.
    * `rating` (float, 0 to 1, higher = better): how likely a strong judge rates the row 4.5 or more of 5, as a
      percentile of a reference set of Alpaca rows, so that half of such rows have 0.5 or more.
    * `response_words` (float, 0 and up): words in the response.
    * `lexical_diversity` (float, 0 to 1, higher = more varied; nan for an empty response): moving-average type-token
      ratio.
    * `defects` (string): ids of the rules whose defect is in the pair as it stands, separated by spaces; `""` when
      none is.

    With `turns="all"` the first two and `lexical_diversity` are means over all assistant turns (nan if a turn has
    none), `response_words` counts the words of all, and `defects` names the defects of any. With `side="both"` the
    numbers are those of the chosen answer and `defects` those of either.

    >>> import hfclean
    >>> row = {"instruction": "Name a colour.", "input": "", "output": "Red, or perhaps blue"}
    >>> scores = hfclean.score(row)
    >>> scores["response_words"], scores["lexical_diversity"], scores["defects"]
    (4.0, 1.0, '')
    """

    version: ClassVar[int] = 2
    texts: ClassVar[frozenset[str]] = frozenset({"defects"})
    both_sides: ClassVar[bool] = True
    adds: ClassVar[tuple[str, ...]] = ("preference", "rating", "response_words", "lexical_diversity", "defects")

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        return self.scored([[pair] for pair in pairs])[0]

    def scored_cells(
        self, rows: Sequence[Mapping[str, Any]], view: View
    ) -> tuple[dict[str, list[Any]], list[dict[str, Exception]]]:
        if self.side != "both" or view.shape != "preference":
            return super().scored_cells(rows, view)
        rejected, of_rejected = replace(self, side="rejected").scored_cells(rows, view)
        chosen, of_chosen = replace(self, side="chosen").scored_cells(rows, view)
        both = zip(rejected["defects"], chosen["defects"], strict=True)
        columns = {**chosen, "defects": [self.merged("defects", list(pair)) for pair in both]}
        return columns, [one | other for one, other in zip(of_rejected, of_chosen, strict=True)]

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
        columns: dict[str, list[Any]] = {name: [] for name in self.adds}
        preferences, ratings, lengths, diversities, named = columns.values()
        for start in range(0, len(pairs), AT_ONCE):
            few = pairs[start : start + AT_ONCE]
            raised = errors[start : start + AT_ONCE]
            values, glances = [], []
            for pair in few:
                reading = read(pair)
                values.append(reading.values)
                lengths.append(float(len(reading.words)))
                diversities.append(diversity(reading.words, different=len(reading.vocabulary)))
                glances.append(_glance(pair, reading))
            defects = all_defects(few, RULES, glances, raised)
            for pair, numbers, ids, errors_of_row in zip(few, values, defects, raised, strict=True):
                named.append(" ".join(ids))
                if not ids:
                    preferences.append(preference(numbers))
                    ratings.append(rating(numbers))
                    continue
                numbers, mended, left = _as_repaired(pair, numbers, ids, errors_of_row)
                preferences.append(preference(numbers) * mended * left)
                ratings.append(rating(numbers) * mended * left)
        return columns

    def depends(self) -> dict[str, Any]:
        linear = {rule.name: rule.version for rule in (preference_rule(), rating_rule())}
        return {"rules": {rule.id: rule.version for rule in RULES}, "linear_rules": linear, "shares": SHARES}


def _as_repaired(
    pair: Pair, values: tuple[float, ...], defects: list[str], errors: dict[str, Exception]
) -> tuple[tuple[float, ...], float, float]:
    """The indicators' values of a pair with defects as the rules would leave it, and what is left of a score of 1
    after the defects that they take away and those that stay; see `agreement`."""
    left = defects

    def look(after: Pair) -> list[str]:
        nonlocal values, left
        reading = read(after)
        values = reading.values
        left = glanced_defects(after, RULES, _glance(after, reading), errors)
        return left

    changes = repairs(pair, defects, errors, look)
    return values, factor(dict.fromkeys(change.rule for change in changes)), factor(left)


# Pairs that are read before the rules see them: enough that the code of each rule stays in the processor's cache, few
# enough that the texts do too.
AT_ONCE = 50
# What a plain text may have, see `Glance`, in an encoding of bytes that holds all of it: a search for anything else
# would take ten times as long. Beyond ASCII, each is a letter both to the rules and where words are split, or to
# neither.
PLAIN = (
    "\n",
    *map(chr, range(32, 127)),
    *(chr(code) for code in range(0xC0, 0x100) if chr(code).isalpha()),
    *"‘’“”–—•…",
)
PLAIN_BYTES = "".join(PLAIN).encode("cp1252")
# The control characters that a plain text does not have: all but the line feed.
CONTROLS = frozenset((*range(10), *range(11, 32), 127))
WORD = re.compile(r"[^\W_]+")
LETTERS = re.compile(r"[^\W\d_]+")
UNTIDY = INDICATOR_NAMES.index("untidy_spacing")


def _glance(pair: Pair, reading: Reading) -> Glance | None:
    """What the rules may know of a pair beforehand, since its words are split already.

    None where a text is not plain: scripts, white space and controls beyond the usual ones can stick to words here and
    end words there.
    """
    response = pair.response
    prompt = pair.instruction + pair.input if pair.input else pair.instruction
    is_ascii = response.isascii() and prompt.isascii()
    if not is_ascii and not (_is_plain(response) and _is_plain(prompt)):
        return None
    marks = set(reading.signs + prompt.encode("ascii", "ignore").translate(None, NO_SIGNS))
    if not CONTROLS.isdisjoint(marks):
        return None
    words, asked, task = WATCHED & reading.vocabulary, WATCHED & reading.asked_vocabulary, reading.asked
    if "'" in response or "’" in response:  # the one mark that stays with its word
        for word in reading.vocabulary:
            if "'" in word:
                words.update(WATCHED.intersection(word.split("'")))
    if not "".join(task).isalpha():
        for word in reading.asked_vocabulary:
            if not (word.isalpha() or word.isdigit()):
                asked.update(WATCHED.intersection(WORD.findall(word)), WATCHED.intersection(LETTERS.findall(word)))
    repeats = len(reading.words) - len(reading.vocabulary)
    doubled = repeats > 0 and not TWICE.isdisjoint(reading.bigrams)
    if not doubled and len(task) > len(reading.asked_vocabulary):
        doubled = True in map(eq, task, task[1:])
    return Glance(words, asked, marks, repeats, doubled, reading.values[UNTIDY] > 0, is_ascii)


def _is_plain(text: str) -> bool:
    try:
        return not text.encode("cp1252").translate(None, PLAIN_BYTES)
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True)
class FunctionScorer(Scorer):
    """A scorer made of a function `pair -> float`; see `scorer`."""

    version: ClassVar[int] = 2

    name: str
    function: Callable[[Pair], float]
    function_version: int = 1

    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def _name(self) -> str:
        return self.name

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        found.pop("function", None)
        return found

    def score_batch(self, pairs: list[Pair]) -> dict[str, list[Any]]:
        return {self.name: [float(self.function(pair)) for pair in pairs]}


def scorer(name: str, *, version: int = 1) -> Callable[[Callable[[Pair], float]], FunctionScorer]:
    """Make a scorer of a function `pair -> float`: it goes into `ds.map` and adds the float column `name`.

    With `turns="all"` (`dataclasses.replace(scorer, turns="all")`) it is called for every assistant turn, and the
    column holds the mean.

    Args:
        name: the column's name. Return `math.nan` for a pair that cannot be scored, never a made-up number. Where the
            function raises, the row has nan, and its line in `edit_history` says what was raised.
        version: raise it when the function's results change, or `datasets` may serve old ones from its cache.

    >>> import hfclean
    >>> @hfclean.scorer("exclamations")
    ... def exclamations(pair):
    ...     return pair.response.count("!")
    >>> exclamations({"prompt": "Greet me", "completion": "Hi!!"})["exclamations"]
    2.0
    """
    if not name.isidentifier():
        raise ColumnError(f"scorer name {name!r}: wanted a column name in snake_case")

    def declare(function: Callable[[Pair], float]) -> FunctionScorer:
        return FunctionScorer(name, function, version)

    return declare


def _described(errors: Mapping[str, Exception]) -> dict[str, str]:
    return {name: describe_error(error) for name, error in errors.items()}


def refresh(
    steps: list[Step],
    after: Mapping[str, Any],
    view: View,
    cells: Mapping[str, Any],
    prefix: str,
    errors: dict[str, Exception] | None = None,
) -> dict[str, Any]:
    """What the score columns of a row must say after its text changed, as {column: value} with the prefix.

    The embedded scores are computed again, of the turns and the side that they were computed of before; what this room
    cannot compute becomes nan (text: empty), since a score belongs to the text that it was computed on.

    Args:
        steps: what was done to the row before.
        after: its cells as they are now.
        view: how they are read.
        cells: the cells before, with the score columns.
        prefix: of these columns.
        errors: is given what was raised on the way.
    """
    fresh: dict[str, Any] = {}
    for step in steps:
        if step.is_revision:
            continue
        embedded: dict[str, Any] = {}
        if step.by == "Score":
            settings = {name: step.settings[name] for name in ("turns", "side") if name in step.settings}
            columns, raised = Score(**settings).scored_cells([after], view)
            embedded = {name: column[0] for name, column in columns.items()}
            if errors is not None:
                errors |= raised[0]
        for name in step.columns:
            cell = cells.get(prefix + name)
            stale: Any = (
                math.nan if isinstance(cell, float) else [math.nan] * len(cell) if isinstance(cell, list) else ""
            )
            fresh[prefix + name] = embedded.get(name, stale)
    return fresh


score = Score()
