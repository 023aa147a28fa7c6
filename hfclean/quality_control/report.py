"""The report of a desk: agreement, attention, time and what became of proposals. Only what was measured is said."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.evaluation.bootstrap import Figure
from hfclean.layout import Layout
from hfclean.plain_values import to_plain
from hfclean.quality_control import words
from hfclean.quality_control.figures import Centre, Drawing, centre, compared, kappa, mean, of_enough, share
from hfclean.quality_control.results import (
    AgreementReport,
    ArmReport,
    ArmsReport,
    BlindReport,
    PersonReport,
    ProposalsReport,
)
from hfclean.quality_control.texts import Distances, distances
from hfclean.quality_control.work import DECIDED, AllWork, Work, pseudonyms, work_of
from hfclean.report.formatting import plural
from hfclean.verdicts.events import Event
from hfclean.verdicts.states import row_verdicts

LONGEST_LOOK_S = 600.0
WIDTH = 100  # of a summary, where nobody says how many characters a line may have
NARROWEST = 40


@dataclass(frozen=True)
class DeskReport:
    """What people's decisions say; see `desk_report`. A figure of fewer than ten rows is nan, and its count stands.

    Attributes:
        events: how many there are, without claims.
        states: state of a row -> rows, as `hfclean.verdicts.row_verdicts` has it.
        people: those who decide about rows.
        owners: how many people control what others decided.
        controlled: decisions that an owner controlled.
        agreement: of two people on the same row.
        arms: seconds with and without a proposal.
        proposals: what became of them.
        blind: which text people chose who were not told which is the revision.
        exclusions: reason -> rows.
        unknown_texts: edits and rows of two people whose texts are not known, since the row changed or is not given.
        longest_look_s: the longest look that counts whole, in seconds.
        draws, seed: of the bootstrap intervals.
    """

    events: int
    states: Mapping[str, int]
    people: tuple[PersonReport, ...]
    owners: int
    controlled: int
    agreement: AgreementReport
    arms: ArmsReport
    proposals: ProposalsReport
    blind: BlindReport
    exclusions: Mapping[str, int]
    unknown_texts: int
    longest_look_s: float
    draws: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON; what is nan is None."""
        less = self.arms.less
        plain: dict[str, Any] = to_plain(self)
        plain["arms"]["less"] = {
            "mean": to_plain(less.mean),
            "median": to_plain(less.median),
            "share": to_plain(less.saved),
        }
        return plain

    def summary(self, columns: int | None = None) -> str:
        """The figures in plain words and tables, of lines of at most `columns` characters."""
        width = max(columns or WIDTH, NARROWEST)
        states = ", ".join(f"{number:,} {state}" for state, number in sorted(self.states.items()))
        owners = f" and {plural(self.owners, 'owner')}" if self.owners else ""
        notes = ["95 % intervals in brackets, over rows: they say nothing of other people"]
        if self.unknown_texts:
            pairs = plural(self.unknown_texts, "text pair")
            notes.insert(0, f"note: {pairs} could not be compared, since the rows changed since they were judged")
        blocks = [
            [
                f"{plural(self.events, 'event')} of {plural(len(self.people), 'person', 'people')}{owners} on "
                f"{plural(sum(self.states.values()), 'row')}",
                *([f"  {states}"] if states else []),
            ],
            words.people(self.people, width),
            words.time(self.arms, self.longest_look_s),
            words.proposals(self.proposals),
            words.blind(self.blind),
            words.agreement(self.agreement),
            words.exclusions(self.exclusions),
            notes,
        ]
        return "\n\n".join(filter(None, (words.fitted(block, width) for block in blocks)))


def desk_report(
    events: Iterable[Event],
    ds: Any = None,
    *,
    layout: Layout | None = None,
    names: bool = False,
    longest_look_s: float = LONGEST_LOOK_S,
    draws: int = 1000,
    seed: int = 0,
) -> DeskReport:
    """What people's decisions about rows say of their agreement, attention and time, and of the proposals.

    Rows that were planted (`gold`) measure attention and nothing else; what owners decide measures the people whose
    decisions they control. The seconds of a row are those of all looks of a person at it, those that were undone too.
    Intervals are over rows: they say nothing of other people.

    Args:
        events: of all people, in any order, as `hfclean.verdicts.read_events` gives them.
        ds: the `Dataset` or `DatasetDict` that was judged, to read texts from; None to measure no distances.
        layout: how its rows are read; what `Layout()` finds by default.
        names: whether people have their own names in the report, instead of A, B, ...
        longest_look_s: a longer look counts as one of this many seconds, since nobody may have been there.
        draws: bootstrap samples.
        seed: of the draws.

    Raises:
        HfcleanError: `longest_look_s` is not a number above 0, or `draws` is below 1.
        SourceError: an edit is of a place that its row does not have.

    >>> from hfclean.verdicts import Event
    >>> looks = [Event(f"r{n}", "accept", who="ana", number=n, seconds=20 + n % 3) for n in range(1, 31)]
    >>> desk_report(looks).people[0].rows_per_hour
    171.42857142857142
    """
    if not longest_look_s > 0:
        raise HfcleanError(f"desk_report(longest_look_s={longest_look_s}): expected a number of seconds above 0")
    if draws < 1:
        raise HfcleanError(f"desk_report(draws={draws}): expected at least 1, and about 1,000 for a stable interval")
    events = [event for event in events if event.verdict != "claim"]
    work = work_of(events, longest_look_s)
    drawing = Drawing(draws, seed)
    both = _doubled(work.revisers)
    shown = [each for each in work.revisers if each.decision and _had_proposal(each)]
    edited = [each for each in shown if each.verdict == "edit"]
    apart = Distances((), (), 0)
    if ds is not None:
        apart = distances(ds, layout or Layout(), edited, both)
    controlled = _controlled(work)
    return DeskReport(
        events=len(events),
        states=dict(Counter(each.state() for each in row_verdicts(events).values())),
        people=_people(work, both, controlled, names=names),
        owners=len({each.who for each in work.owners}),
        controlled=len(controlled),
        agreement=_agreement(both, apart.doubled, drawing),
        arms=_arms(work.revisers, drawing),
        proposals=_proposals(shown, apart.edits, drawing),
        blind=_blind(work.revisers),
        exclusions=_exclusions(work.revisers),
        unknown_texts=apart.unknown,
        longest_look_s=float(longest_look_s),
        draws=draws,
        seed=seed,
    )


def _had_proposal(work: Work) -> bool:
    """Whether the row had a revision that the person saw; False where no event says so."""
    event = work.decision
    if event is not None and event.first:  # the person saw both, and did not know which was proposed
        return False
    if work.arm or event is None:
        return work.arm == "with"
    return bool(event.refused) or bool(event.before and event.after and event.before != event.after)


def _doubled(works: Iterable[Work]) -> list[tuple[Work, Work]]:
    """What two people decided about one row: the first two, by time, in the order of their names."""
    by_row: dict[str, list[Work]] = {}
    for work in works:
        if work.decision:
            by_row.setdefault(work.row_id, []).append(work)
    found = []
    for of_row in by_row.values():
        if len(of_row) > 1:
            of_row.sort(key=lambda work: (work.decision.when if work.decision else "", work.who))
            one, other = sorted(of_row[:2], key=lambda work: work.who)
            found.append((one, other))
    return found


def _controlled(work: AllWork) -> dict[tuple[str, str], bool]:
    """Row and person -> whether an owner returned what the person had decided. An owner who does not say whose
    decision it was, controlled that of everybody who decided about the row."""
    by_row: dict[str, list[Work]] = {}
    for each in work.revisers:
        by_row.setdefault(each.row_id, []).append(each)
    found: dict[tuple[str, str], bool] = {}
    for owner in work.owners:
        for event in owner.events:
            if event.verdict not in DECIDED:
                continue
            for each in by_row.get(event.row_id, ()):
                is_meant = event.to == each.who if event.to else True
                if event.of and not event.to:
                    is_meant = any(other.number == event.of for other in each.events)
                if is_meant and each.who != owner.who and each.events:
                    key = (each.row_id, each.who)
                    found[key] = found.get(key, False) or event.verdict == "return"
    return found


def _people(
    work: AllWork,
    both: Iterable[tuple[Work, Work]],
    controlled: Mapping[tuple[str, str], bool],
    *,
    names: bool,
) -> tuple[PersonReport, ...]:
    agreed: dict[str, list[bool]] = {}
    for one, other in both:
        for each in (one, other):
            agreed.setdefault(each.who, []).append(one.verdict == other.verdict)
    everybody = {each.who for each in (*work.revisers, *work.gold)}
    shown = {who: who for who in everybody} if names else pseudonyms(everybody)
    found = []
    for who in sorted(everybody, key=lambda who: (len(shown[who]) if not names else 0, shown[who])):
        mine = [each for each in work.revisers if each.who == who]
        decided = [each for each in mine if each.decision]
        timed = [each.seconds for each in decided if not math.isnan(each.seconds)]
        hours = math.fsum(each.seconds for each in mine if not math.isnan(each.seconds)) / 3600
        speed = of_enough(
            Figure(3600 * len(timed) / math.fsum(timed) if math.fsum(timed) else math.nan, count=len(timed))
        )
        gold = [each.verdict == "reject" for each in work.gold if each.who == who and each.decision]
        returns = [returned for (_, person), returned in controlled.items() if person == who]
        same = agreed.get(who, [])
        found.append(
            PersonReport(
                shown[who],
                len(decided),
                len(mine) - len(decided),
                hours,
                speed.value,
                share(sum(gold), len(gold)),
                share(sum(same), len(same)),
                share(sum(returns), len(returns)),
            )
        )
    return tuple(found)


def _agreement(both: list[tuple[Work, Work]], apart: tuple[int, ...], drawing: Drawing) -> AgreementReport:
    pairs = [(one.verdict, other.verdict) for one, other in both]
    people = {each.who for works in both for each in works}
    scores: dict[str, list[float]] = {}
    for one, other in both:
        first, second = (each.decision.scores if each.decision else {} for each in (one, other))
        for name in first.keys() & second.keys():
            scores.setdefault(name, []).append(abs(first[name] - second[name]))
    return AgreementReport(
        len(both),
        share(sum(first == second for first, second in pairs), len(pairs)),
        kappa([one for one, _ in pairs], [other for _, other in pairs], drawing, interchangeable=len(people) > 2),
        dict(sorted(Counter(", ".join(sorted(pair)) for pair in pairs).items())),
        mean(apart, drawing),
        {name: mean(values, drawing) for name, values in sorted(scores.items())},
    )


def _arms(works: Sequence[Work], drawing: Drawing) -> ArmsReport:
    proposal, shown = _arm([each for each in works if each.arm == "with"], drawing, stream=0)
    alone, hidden = _arm([each for each in works if each.arm == "without"], drawing, stream=1)
    return ArmsReport(proposal, alone, compared(shown, hidden))


def _arm(works: Sequence[Work], drawing: Drawing, *, stream: int) -> tuple[ArmReport, Centre]:
    decided = [each for each in works if each.decision]
    timed = [each.seconds for each in decided if not math.isnan(each.seconds)]
    found = centre(timed, drawing, stream=stream)
    undecided, untimed = len(works) - len(decided), len(decided) - len(timed)
    report = ArmReport(len(timed), found.mean, found.median, undecided, untimed, sum(each.cut for each in works))
    return report, found


def _proposals(shown: list[Work], apart: tuple[int, ...], drawing: Drawing) -> ProposalsReport:
    counts = Counter(each.verdict for each in shown)
    unchanged, edited, rejected, returned, excluded = (share(counts[verdict], len(shown)) for verdict in DECIDED)
    return ProposalsReport(len(shown), unchanged, edited, rejected, returned, excluded, mean(apart, drawing))


def _blind(works: Iterable[Work]) -> BlindReport:
    events = [each.decision for each in works if each.decision and each.decision.first]
    choices = [("revision" if event.verdict == "accept" else "original", event.first) for event in events]
    revisions = sum(chosen == "revision" for chosen, _ in choices)
    firsts = sum(chosen == first for chosen, first in choices)
    return BlindReport(len(choices), share(revisions, len(choices)), share(firsts, len(choices)))


def _exclusions(works: Iterable[Work]) -> dict[str, int]:
    """Reason -> rows, the most frequent first; a row of two reasons under both."""
    reasons = {
        (each.row_id, " ".join(each.decision.reason.split()))
        for each in works
        if each.decision and each.verdict == "exclude"
    }
    return dict(sorted(Counter(reason for _, reason in reasons).items(), key=lambda item: (-item[1], item[0])))
