"""Results: the parts of a desk's report. A figure of fewer than `FEWEST` rows is nan, and its count stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hfclean.evaluation.bootstrap import Figure
from hfclean.quality_control.figures import Compared


@dataclass(frozen=True)
class PersonReport:
    """One person who decides about rows. Planted rows are counted under `gold` alone.

    Attributes:
        name: A, B, ..., or the name.
        decided: rows that the person accepted, edited, rejected, returned or excluded.
        undecided: rows that the person skipped, flagged, or took all decisions back on.
        hours: that the person looked at rows, as far as looks were timed.
        rows_per_hour: decided rows per hour of looking, over rows that were timed; nan for fewer than ten.
        gold: share of the planted rows that the person rejected, as is right, of those decided.
        agreed: share of the rows on which another person decided the same, of those that two decided.
        returned: share of the rows that an owner returned to the person, of those an owner controlled.
    """

    name: str
    decided: int
    undecided: int
    hours: float
    rows_per_hour: float
    gold: Figure
    agreed: Figure
    returned: Figure


@dataclass(frozen=True)
class ArmReport:
    """The rows that were shown with a proposal, or those that were shown without one.

    Attributes:
        rows: decided and timed, each once per person: what `mean` and `median` are of.
        mean, median: seconds for a row, all looks of a person at it together.
        undecided: rows that were looked at and not decided.
        untimed: decided rows whose looks were not timed.
        cut: looks that were longer than the longest that counts.
    """

    rows: int
    mean: Figure
    median: Figure
    undecided: int
    untimed: int
    cut: int


@dataclass(frozen=True)
class ArmsReport:
    """What a proposal does to the time that a row takes.

    Attributes:
        proposal: the rows that were shown with one.
        alone: those that were shown without.
        less: seconds that a row takes less with a proposal, by mean and median, and as a share of the mean without.
    """

    proposal: ArmReport
    alone: ArmReport
    less: Compared


@dataclass(frozen=True)
class ProposalsReport:
    """What became of the revisions that people were shown, of reviser or gate.

    Attributes:
        judged: how many, each once per person.
        unchanged, edited, rejected, returned, excluded: their shares, 0 to 1, which come to 1.
        distance: Levenshtein distance in characters from an edited proposal to what it became, mean.
    """

    judged: int
    unchanged: Figure
    edited: Figure
    rejected: Figure
    returned: Figure
    excluded: Figure
    distance: Figure


@dataclass(frozen=True)
class BlindReport:
    """Choices between the original and the revision as texts A and B, of people who were not told which was which.

    Attributes:
        chosen: how many, each row once per person.
        revision: share in which the revision was chosen, 0 to 1; 0.5 = as often as the original.
        first: share in which text A was chosen, which 0.5 is expected of where the order says nothing.
    """

    chosen: int
    revision: Figure
    first: Figure


@dataclass(frozen=True)
class AgreementReport:
    """Rows that two people decided, who first decided them.

    Attributes:
        rows: how many.
        same: share with the same decision.
        kappa: Cohen's, over accept, edit, reject, return and exclude; of more than two people, whose order on a row
            says nothing, Scott's pi. nan where everybody always decided the same.
        decisions: both decisions -> rows, such as `accept, edit`, in the order of the alphabet.
        distance: Levenshtein distance in characters between the texts that both decisions leave, mean.
        scores: dimension -> mean absolute difference of the points that both gave.
    """

    rows: int
    same: Figure
    kappa: Figure
    decisions: Mapping[str, int]
    distance: Figure
    scores: Mapping[str, Figure]
