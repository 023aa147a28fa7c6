"""What a comparison found, as frozen values: counts, distributions, edits. They go to JSON and back unchanged.

Nothing here reads a dataset or a clock: the same data give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from hfclean.errors import SourceError
from hfclean.plain_values import from_plain, to_plain
from hfclean.restoration import LedgerEntry
from hfclean.reviser.refused import RefusedRevision
from hfclean.selection.plain_choices import Baseline

FORMAT = "hfclean.report"
FORMAT_VERSION = 1
# What stands for the rule of a change that no step of hfclean speaks of.
UNRECORDED = "unrecorded"


@dataclass(frozen=True)
class Count:
    """How many rows something is true of."""

    name: str
    rows: int


@dataclass(frozen=True)
class SplitCounts:
    """The rows of one split.

    `joined_on` is `row_id` (the column), `text` (rows of equal text) or `position` (the n-th row is the n-th row).
    `matched` rows are in both datasets, `moved` of them came from another split, `changed` of them have other text.
    `kept`, `revised`, `reverted` and `failed` say what the last step of a reviser did; `elsewhere` counts rows whose
    text was changed by something that left no record.
    """

    split: str
    joined_on: str
    before: int
    after: int
    matched: int
    moved: int
    changed: int
    added: int
    removed: int
    kept: int
    revised: int
    reverted: int
    failed: int
    duplicates: int
    elsewhere: int


@dataclass(frozen=True)
class RuleCounts:
    """One rule: the rows it changed, by field, and the rows that have its defect before and after."""

    id: str
    severity: str
    meaning: str
    rows: int
    changes: int
    fields: tuple[Count, ...]
    defects_before: int
    defects_after: int


@dataclass(frozen=True)
class Refusal:
    """Why revisions were not taken: an `edit` (`reverted` or `failed`), a reason code, and how many rows."""

    edit: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Failure:
    """What raised an error on rows and was left out there: a rule, scorer or check, and whose (`by`).

    `error` is what it said the first time, in the row `row_id` of `split`. Errors of the comparison itself, which
    scores rows that have no scores, are `by` `compare`.
    """

    by: str
    name: str
    rows: int
    error: str
    split: str
    row_id: str


@dataclass(frozen=True)
class ModelUse:
    """A reviser that asked a model, and what became of the rows.

    `model` is its name, `server` the address it was asked at (empty: it ran here), `answered_by` what it calls itself:
    a server's name for it, or the commit or the hash of a local one. `reasons` say why revisions were not taken. The
    numbers from `asked` on are those of the run that made the dataset, where it was recorded: `asked` new answers,
    `reused` answers that were already stored, tokens of both, the `cost` of the new ones (nan: no prices were given).
    `answers_of` is the name under which the file of answers keeps them, and `reused_on` says how many different ones
    of `reused` were stored on which UTC date (empty: before dates were recorded). `trust` is how far the reviser was
    trusted: `low`, `normal` or `high`. These three are empty in reports of 0.1.0.
    """

    by: str
    version: int
    model: str
    server: str
    answered_by: tuple[str, ...]
    prompt_version: str
    kept: int
    revised: int
    reverted: int
    failed: int
    reasons: tuple[Count, ...]
    recorded: bool
    asked: int
    reused: int
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    cost: float
    currency: str
    answers_of: str = field(default="", metadata={"later": True})
    reused_on: tuple[Count, ...] = field(default=(), metadata={"later": True})
    trust: str = field(default="", metadata={"later": True})


@dataclass(frozen=True)
class Decisions:
    """What people decided, as `hfclean apply` found it: how many `people` decided anything, and how many rows have
    each state (`hfclean.verdicts.states.STATES`, with `refused` and `dropped` of `Applied`). `names` says who decided
    on how many rows, where that was asked for; it is empty otherwise.
    """

    people: int
    states: tuple[Count, ...]
    names: tuple[Count, ...]


GENERATOR = "Generator"  # the step that made rows after the manner of seeds


@dataclass(frozen=True)
class Generated:
    """Rows that a model made after the manner of seeds, and what that took.

    `made_by` is the model with the version of its prompts, `server` the address it was asked at (empty: it ran here),
    `answered_by` what it calls itself. `seeds` names where the seeds are from, and `seeds_license` and
    `teacher_license` are as the user states them, empty where they are not stated. `tasks` could be read and `new` of
    them repeated nothing; `kept` became rows, `dropped` says what became of the others. `novelty` is the ROUGE-L from
    which on a task was a repetition (nan: no gate). `left_out` are reasons that would have dropped half of the seeds.
    `cost` is nan without prices. Where the rows alone say that they were made, `requests` is 0, and all else unknown.
    `method` is the loop that chose the seeds, empty where they stayed the same, and `choices` what its paper leaves
    open and was chosen here.
    """

    made_by: str
    server: str
    answered_by: tuple[str, ...]
    own_words: bool
    seeds: str
    seeds_rows: int
    seeds_license: str
    teacher_license: str
    rounds: int
    requests: int
    tasks: int
    new: int
    kept: int
    dropped: tuple[Count, ...]
    left_out: tuple[str, ...]
    novelty: float
    benchmarks: tuple[str, ...]
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    cost: float
    currency: str
    method: str = field(default="", metadata={"later": True})
    choices: tuple[str, ...] = field(default=(), metadata={"later": True})


@dataclass(frozen=True)
class RowExcerpt:
    """The beginning of one row, where it is, and notes about it."""

    row_id: str
    split: str
    index: int
    note: str
    instruction: str
    response: str


@dataclass(frozen=True)
class Removed:
    """Rows that are no longer there, by reason, with a few of them."""

    reason: str
    rows: int
    examples: tuple[RowExcerpt, ...]


@dataclass(frozen=True)
class Quantiles:
    """How a number is distributed: percentiles 0 to 100 and the mean of the `n` rows that have it.

    `unscored` rows have none (nan or infinite). All are nan when `n` is 0.
    """

    n: int
    unscored: int
    mean: float
    p0: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    p100: float


@dataclass(frozen=True)
class Histogram:
    """Rows per bin, before and after, over the same bins: bin `k` reaches from `edges[k]` to `edges[k + 1]`.

    With `open_end`, the last bin holds everything above its lower edge as well.
    """

    edges: tuple[float, ...]
    open_end: bool
    before: tuple[int, ...] | None
    after: tuple[int, ...]


@dataclass(frozen=True)
class ScoreChange:
    """One score, before and after, over all rows and over the rows that changed.

    `embedded` scores are computed offline on both sides. Any other score is what its column says; where `before` has
    no such column, its side is `None`. `stale` counts rows whose text changed after they were scored.
    """

    name: str
    embedded: bool
    stale: int
    before: Quantiles | None
    after: Quantiles
    changed_before: Quantiles | None
    changed_after: Quantiles
    histogram: Histogram | None


@dataclass(frozen=True)
class TokenLengths:
    """Tokens per row, prompt and response together, and how many rows are longer than `max_tokens`.

    `counter` says what counted them; when `estimated`, no tokenizer did.
    """

    counter: str
    estimated: bool
    max_tokens: int
    over_before: int
    over_after: int
    before: Quantiles
    after: Quantiles
    histogram: Histogram | None


@dataclass(frozen=True)
class Lengths:
    """Words of the responses of the rows that are in both datasets: of all of them, and of those that changed."""

    words_before: int
    words_after: int
    changed_words_before: int
    changed_words_after: int

    @property
    def ratio(self) -> float:
        """Words after for each word before, over all matched rows; nan when there were none."""
        return self.words_after / self.words_before if self.words_before else math.nan

    @property
    def changed_ratio(self) -> float:
        """The same over the rows that changed."""
        return self.changed_words_after / self.changed_words_before if self.changed_words_before else math.nan


@dataclass(frozen=True)
class Overlap:
    """Rows of equal text in two splits: how many different texts, and how many rows of each split."""

    first: str
    second: str
    texts: int
    rows_first: int
    rows_second: int
    examples: tuple[RowExcerpt, ...]


@dataclass(frozen=True)
class Edit(LedgerEntry):
    """One change, and where its row is: the split and the position in it.

    `text_hash` is the hash of the row's text as it is now, as `hfclean.verdicts.Event.after` has it; empty where the
    row has no id by which a decision about it would be known, and in a report that was read from a file. It does not
    tell changes apart.
    """

    split: str = ""
    index: int = 0
    text_hash: str = field(default="", compare=False, metadata={"later": True})


@dataclass(frozen=True)
class ColumnMeaning:
    """What one column holds, in a sentence: columns that were added, and scores."""

    name: str
    meaning: str


@dataclass(frozen=True)
class ReportData:
    """What changed between two datasets and why, what was removed, how the scores moved, and what is left to do."""

    hfclean: str
    shape: str
    splits: tuple[SplitCounts, ...]
    rules: tuple[RuleCounts, ...]
    refusals: tuple[Refusal, ...]
    models: tuple[ModelUse, ...]
    removed: tuple[Removed, ...]
    added: tuple[RowExcerpt, ...]
    scores: tuple[ScoreChange, ...]
    tokens: TokenLengths
    lengths: Lengths
    overlaps: tuple[Overlap, ...]
    worst: tuple[RowExcerpt, ...]
    rows_with_defects_before: int
    rows_with_defects_after: int
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    notes: tuple[str, ...]
    edits: tuple[Edit, ...]
    baselines: tuple[Baseline, ...] = ()  # where rows were removed: what plain choices of as many would have kept
    failures: tuple[Failure, ...] = ()
    columns: tuple[ColumnMeaning, ...] = field(default=(), metadata={"later": True})
    more_changes: int = field(default=0, metadata={"later": True})  # beside `edits`, which are evenly spaced then
    refused: tuple[RefusedRevision, ...] = field(default=(), metadata={"later": True})  # some, evenly spaced
    steps: tuple[str, ...] = field(default=(), metadata={"later": True})  # of the second dataset, with versions
    decisions: Decisions | None = field(default=None, metadata={"later": True})  # where people decided about rows
    generated: Generated | None = field(default=None, metadata={"later": True})  # where a model made the rows

    def _sum(self, name: str) -> int:
        return sum(getattr(split, name) for split in self.splits)

    @property
    def rows_before(self) -> int:
        """Rows of all splits before."""
        return self._sum("before")

    @property
    def rows_after(self) -> int:
        """Rows of all splits after."""
        return self._sum("after")

    @property
    def rows_matched(self) -> int:
        """Rows that are in both datasets."""
        return self._sum("matched")

    @property
    def rows_changed(self) -> int:
        """Rows that are in both datasets with other text."""
        return self._sum("changed")

    @property
    def rows_removed(self) -> int:
        """Rows that are only in the first dataset."""
        return self._sum("removed")

    @property
    def rows_added(self) -> int:
        """Rows that are only in the second dataset."""
        return self._sum("added")

    @property
    def duplicates(self) -> int:
        """Rows marked as exact duplicates of an earlier one."""
        return self._sum("duplicates")

    @property
    def joined_on(self) -> str:
        """How the rows were matched: `row_id`, `text`, `position`, or several of them, joined by `, `."""
        return ", ".join(dict.fromkeys(split.joined_on for split in self.splits if split.before and split.after))

    @property
    def changes(self) -> int:
        """How many changes were made, counting each rule and field by itself."""
        return len(self.edits) + self.more_changes

    @property
    def is_recorded(self) -> bool:
        """Whether a step of hfclean speaks of some of the changes."""
        some = self.more_changes and any(rule.changes for rule in self.rules if rule.id != UNRECORDED)
        return bool(some) or any(edit.rule != UNRECORDED for edit in self.edits)

    # ------------------------------------------------------------------------------------------------- JSON and back

    def to_dict(self, *, edits: bool = True) -> dict[str, Any]:
        """The report as JSON can hold it; nan becomes null. `from_dict` is the inverse.

        Without `edits`, the lists of single changes and of refused revisions, by far the largest part, are left empty.
        """
        report = self if edits else replace(self, edits=(), refused=())
        parts = to_plain(report)
        if not self.more_changes:  # most reports hold every change, and say nothing of it
            del parts["more_changes"]
        for name in ("refused", "steps", "decisions"):
            if not parts[name]:
                del parts[name]
        return {"format": FORMAT, "version": FORMAT_VERSION, **parts}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """The report that `to_dict` described.

        Raises:
            SourceError: not a report, one of another version, or one with missing, unknown or mistyped entries.
        """
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise SourceError(f"not a report of hfclean: expected a JSON object with 'format': '{FORMAT}'")
        if data.get("version") != FORMAT_VERSION:
            raise SourceError(
                f"the report has version {data.get('version')!r} and this hfclean reads {FORMAT_VERSION}; make it "
                "again: hfclean.compare(before, after)"
            )
        parts = {key: value for key, value in data.items() if key not in ("format", "version")}
        return from_plain(cls, {"baselines": [], "failures": [], **parts})  # older reports have none


def ranked(counts: Mapping[str, int]) -> tuple[Count, ...]:
    """How often each name occurs, the most frequent first; of equals the one that comes first in the alphabet."""
    return tuple(Count(name, counts[name]) for name in sorted(counts, key=lambda name: (-counts[name], name)))
