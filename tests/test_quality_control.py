"""Figures of people's decisions come out to the digit where people are simulated, and say when they are too few."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict
from extras import needs
from rapidfuzz.distance import Levenshtein

import hfclean
from hfclean.errors import HfcleanError, SourceError
from hfclean.layout import Layout
from hfclean.quality_control import DeskReport, desk_report
from hfclean.quality_control.figures import Drawing, centre, compared, kappa, mean, share
from hfclean.quality_control.results import BlindReport
from hfclean.quality_control.work import pseudonyms, work_of
from hfclean.verdicts import Event, VerdictLog, apply_verdicts, describe, read_events, row_verdicts
from hfclean.verdicts.assignment import arm, assigned, is_doubled

IDS = [f"{number:016x}" for number in range(120)]
DRAWING = Drawing(200, 0)


def one(who: str, row: int, verdict: str = "accept", number: int = 0, **more: object) -> Event:
    return Event(f"r{row}", verdict, who=who, number=number or row + 1, **more)  # type: ignore[arg-type]


class Clock:
    """A clock that only moves when somebody works."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def work(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def __call__(self) -> datetime:
        return self.time


def simulated(file: Path, seconds: Callable[[str, int], float]) -> DeskReport:
    """Two people go through all rows; what each takes is known."""
    for who in ("ana", "ben"):
        clock = Clock()
        log = VerdictLog(file, who, now=clock)
        mine = [name for name in IDS if who in assigned(name, ["ana", "ben"], doubled=0.2)]
        for number, name in enumerate(mine):
            begin = clock()
            clock.work(seconds(arm(name), number))
            taken = (clock() - begin).total_seconds()
            log.append(Event(name, "accept", arm=arm(name), seconds=taken))
    return desk_report(read_events(file))


def test_two_arms_of_simulated_people_come_out_to_the_digit(tmp_path: Path) -> None:
    report = simulated(tmp_path / "v.jsonl", lambda shown, _: 30.5 if shown == "with" else 45.75)
    arms = report.arms
    every = [arm(name) for name in IDS for _ in range(2 if is_doubled(name, 0.2) else 1)]
    assert (arms.proposal.rows, arms.alone.rows) == (every.count("with"), every.count("without"))
    assert (arms.proposal.mean.value, arms.proposal.median.value) == (30.5, 30.5)
    assert (arms.alone.mean.value, arms.alone.median.value) == (45.75, 45.75)
    assert (arms.less.mean.value, arms.less.mean.low, arms.less.mean.high) == (15.25, 15.25, 15.25)
    assert arms.less.saved.value == pytest.approx(1 / 3, abs=1e-12)
    assert sum(person.decided for person in report.people) == len(every)
    total = 30.5 * every.count("with") + 45.75 * every.count("without")
    assert math.fsum(person.hours for person in report.people) == pytest.approx(total / 3600, abs=1e-12)
    text = report.summary(100)
    assert "less with a proposal: mean 15.2 [15.2, 15.2], median 15.2 [15.2, 15.2]" in text
    assert "A row with a proposal takes less time (33.3 [33.3, 33.3] % less)." in text


def test_no_difference_is_said_as_one(tmp_path: Path) -> None:
    report = simulated(tmp_path / "v.jsonl", lambda _, number: 20 + 7 * (number % 5))
    assert report.arms.less.mean.low < 0 < report.arms.less.mean.high
    assert "No difference beyond chance" in report.summary()
    slower = simulated(tmp_path / "w.jsonl", lambda shown, _: 2 if shown == "without" else 3)
    assert "A row with a proposal takes more time (-50.0 [-50.0, -50.0] % less)." in slower.summary()


def test_all_looks_of_a_person_at_a_row_count_and_a_long_one_is_cut() -> None:
    events = [
        one("ana", 0, "accept", 1, seconds=10, arm="with"),
        one("ana", 0, "undo", 2, seconds=1, arm="with"),
        one("ana", 0, "claim", 3),
        one("ana", 0, "reject", 4, seconds=5000, arm="with"),
        one("ben", 0, "skip", 1, seconds=7, arm="without"),
        one("ben", 1, "flag", 2),
    ]
    work = {(each.row_id, each.who): each for each in work_of([*events, *events[:2]], 600).revisers}
    first = work["r0", "ana"]
    assert (first.seconds, first.cut, first.arm, first.verdict) == (611, 1, "with", "reject")
    assert (work["r0", "ben"].seconds, work["r0", "ben"].decision) == (7, None)
    assert math.isnan(work["r1", "ben"].seconds)
    assert work_of([replace(events[0], arm=""), replace(events[3], arm="without")], 600).revisers[0].arm == "without"
    assert work_of([events[0], replace(events[3], arm="without")], 600).revisers[0].arm == ""
    report = desk_report(events)
    assert (report.arms.proposal.cut, report.arms.alone.undecided, report.arms.proposal.rows) == (1, 1, 1)
    assert "n = 1: too few to say" in report.summary()
    with pytest.raises(HfcleanError, match="longest_look_s=0\\): expected"):
        desk_report(events, longest_look_s=0)
    with pytest.raises(HfcleanError, match="draws=0\\): expected"):
        desk_report(events, draws=0)


def test_statistics_are_those_of_the_books() -> None:
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    first, second = zip(*pairs, strict=True)
    found = kappa(first, second, DRAWING)
    assert found.value == pytest.approx(0.4, abs=1e-12)
    assert found.low < 0.4 < found.high
    assert kappa(first, second, DRAWING, interchangeable=True).value == pytest.approx(
        (0.7 - (0.55**2 + 0.45**2)) / (1 - (0.55**2 + 0.45**2))
    )
    assert math.isnan(kappa(["a"] * 12, ["a"] * 12, DRAWING).value)
    assert kappa(["a"] * 9, ["a"] * 9, DRAWING).count == 9
    values = [*range(1, 12), 100]
    assert (mean(values, DRAWING).value, centre(values, DRAWING).median.value) == (166 / 12, 6.5)
    less = compared(centre([1.0] * 10, DRAWING), centre([4.0] * 30, DRAWING, stream=1))
    assert (less.mean.value, less.median.value, less.saved.value, less.mean.count) == (3, 3, 0.75, 10)
    assert math.isnan(compared(centre([0.0] * 10, DRAWING), centre([0.0] * 10, DRAWING)).saved.value)
    few = compared(centre([1.0] * 9, DRAWING), centre([1.0] * 30, DRAWING))
    assert (math.isnan(few.mean.value), few.mean.count) == (True, 9)
    assert (share(10, 10).value, share(10, 10).high, round(share(10, 10).low, 3)) == (1, 1, 0.722)
    assert math.isnan(share(9, 9).value)


def test_kappa_is_that_of_scikit_learn() -> None:
    needs("embed", "sklearn")
    from sklearn.metrics import cohen_kappa_score

    dice = random.Random(7)
    for _ in range(5):
        ones, others = ([dice.choice(["accept", "edit", "reject"]) for _ in range(40)] for _ in range(2))
        assert kappa(ones, others, DRAWING).value == pytest.approx(cohen_kappa_score(ones, others))


def test_groups_of_one_size_are_not_drawn_alike() -> None:
    values = [float(number) for number in range(40)]
    less = compared(centre(values, DRAWING), centre([value + 1 for value in values], DRAWING, stream=1))
    assert less.mean.value == 1
    assert less.mean.low < 0 < less.mean.high


def test_attention_agreement_and_returns_are_each_persons() -> None:
    events = []
    for row in range(12):
        events += [one("ana", row), one("ben", row, "reject" if row < 3 else "accept")]
        events.append(Event(f"g{row}", "reject" if row < 9 else "accept", who="ana", number=100 + row, gold=True))
    for row in range(11):
        to = {"to": "ana"} if row < 2 else {"of": row + 1}
        events.append(
            Event(f"r{row}", "return" if row < 2 else "accept", who="kim", number=row + 1, role="owner", **to)
        )
    events.append(Event("r11", "return", who="kim", number=20, role="owner", to="ana"))
    events.append(Event("r11", "undo", who="kim", number=21, role="owner"))
    report = desk_report(events, names=True)
    ana, ben = report.people
    assert (ana.name, ana.decided, ana.gold.value, ana.gold.count) == ("ana", 12, 0.75, 12)
    assert (ana.agreed.value, ben.agreed.value) == (0.75, 0.75)
    assert (ana.returned.value, ana.returned.count) == (2 / 11, 11)
    assert (ben.gold.count, ben.returned.count, math.isnan(ben.returned.value)) == (0, 9, True)
    assert report.owners == 1
    assert report.agreement.decisions == {"accept, accept": 9, "accept, reject": 3}
    assert report.agreement.kappa.value == 0
    text = report.summary()
    assert "attention: share of planted wrong revisions that were rejected" in text
    assert "accept, accept: 9; accept, reject: 3" in text
    assert "rows/hour" not in text


def test_blind_choices_say_how_often_the_revision_won_and_how_often_the_first_text() -> None:
    # verdict, what stood first, rows: the revision is chosen in 6 + 3 of 16, the first text in 6 + 5
    kinds = [
        ("accept", "revision", 6),
        ("accept", "original", 3),
        ("reject", "original", 5),
        ("reject", "revision", 2),
    ]
    decided = [(verdict, first) for verdict, first, rows in kinds for _ in range(rows)]
    events = [one("ana", row, verdict, first=first) for row, (verdict, first) in enumerate(decided)]
    others = [one("ana", 20), one("ana", 21, "skip"), Event("g1", "accept", who="ana", number=40, gold=True)]
    undone = [one("ana", 22, first="original"), one("ana", 22, "undo", 30)]
    report = desk_report([*events, *others, *undone, Event("r1", "accept", who="kim", number=1, role="owner")])
    assert report.blind == BlindReport(16, share(9, 16), share(11, 16))
    assert report.blind.revision.value == 9 / 16
    assert report.proposals.judged == 0
    lines = report.summary().splitlines()
    assert "Blind choices between original and revision: 16, of them in %" in lines
    assert "  revision chosen 56.2 [33.2, 76.9], the first text chosen 68.8 [44.4, 85.8]" in lines
    assert report.to_dict()["blind"]["first"]["count"] == 16
    assert "Blind choices: n = 9: too few to say" in desk_report(events[:9]).summary()
    assert "Blind" not in desk_report(others).summary()


def test_nobody_is_controlled_by_themselves() -> None:
    events = [one(who, row) for who in ("ana", "kim") for row in range(10)]
    events += [Event(f"r{row}", "return", who="kim", number=20 + row, role="owner") for row in range(10)]
    ana, kim = desk_report(events, names=True).people
    assert (ana.returned.value, ana.returned.count, kim.returned.count) == (1, 10, 0)


def test_who_of_more_than_two_people_is_the_first_says_nothing() -> None:
    pairs = [("ana", "ben", 6), ("ben", "eva", 6)]
    events = []
    for row, (first, second) in enumerate((one, two) for one, two, rows in pairs for _ in range(rows)):
        verdicts = ("reject", "accept") if row % 4 == 0 else ("accept", "accept")
        events += [
            Event(f"r{row}", verdict, who=who, number=row + 1)
            for who, verdict in zip((first, second), verdicts, strict=True)
        ]
    found = desk_report(events).agreement
    by_chance = (21 / 24) ** 2 + (3 / 24) ** 2
    assert found.kappa.value == pytest.approx((9 / 12 - by_chance) / (1 - by_chance))
    two = [event for event in events if event.row_id in {f"r{row}" for row in range(6)}]
    both = [replace(event, row_id=f"{event.row_id}{k}") for event in two for k in range(2)]
    assert desk_report(both).agreement.kappa.value == 0


def test_people_have_no_names_unless_asked_and_the_order_says_nothing() -> None:
    events = [one(who, row, seconds=5) for who in ("ana", "ben", "eva") for row in range(12)]
    report = desk_report(events)
    assert [person.name for person in report.people] == ["A", "B", "C"]
    for text in (report.summary(), json.dumps(report.to_dict())):
        assert not any(who in text for who in ("ana", "ben", "eva"))
    random.Random(1).shuffle(events)
    assert desk_report([*events, *events[:5]]).to_dict() == report.to_dict() | {"events": len(events) + 5}
    assert set(pseudonyms(map(str, range(30))).values()) >= {"A", "Z", "AA", "AD"}


def test_nothing_is_said_of_nothing_and_few_rows_say_how_few() -> None:
    empty = desk_report([])
    assert empty.summary().startswith("0 events of 0 people on 0 rows")
    assert not any(word in empty.summary() for word in ("kappa", "Seconds", "Proposals", "Excluded", "nan"))
    few = [Event(f"r{n}", "accept", who=who, number=n + 1, arm="with", seconds=3.0) for n in range(3) for who in "xy"]
    report = desk_report(few)
    text = report.summary(60)
    assert text.count("too few to say") == 4
    assert "Rows that two people decided: n = 3: too few to say" in text
    assert max(map(len, text.splitlines())) <= 60
    plain = report.to_dict()
    assert plain["agreement"]["kappa"] == {"value": None, "low": None, "high": None, "count": 3}
    assert plain["arms"]["less"]["share"]["value"] is None
    json.dumps(plain, allow_nan=False)


def test_exclusions_are_counted_by_reason_and_cannot_steer_a_terminal() -> None:
    reasons = ["needs a picture", " needs  a picture", "spam \x1b[31m", *(f"reason {n}" for n in range(12))]
    events = [Event(f"r{n}", "exclude", reason=reason, who="ana", number=n + 1) for n, reason in enumerate(reasons)]
    events.append(replace(events[0], who="ben"))
    report = desk_report(events)
    assert next(iter(report.exclusions.items())) == ("needs a picture", 2)
    assert report.exclusions["spam \x1b[31m"] == 1
    assert "\x1b" not in report.summary()
    assert "for 4 other reasons" in report.summary()
    assert report.states == {"excluded": 15}


ROWS = [
    {"instruction": f"Name {n} fruits.", "input": "", "output": f"Here are {n} apples and {n} ripe pears.</s>"}
    for n in range(2, 18)
]


@pytest.fixture(scope="module")
def revised() -> Dataset:
    return Dataset.from_list(ROWS).map(hfclean.revise, batched=True)


def judged(ds: Dataset, who: str, decide: Callable[[int], dict[str, object]]) -> list[Event]:
    found = []
    for k, row in enumerate(ds):
        choice = {"verdict": "accept", **decide(k)}
        found.append(replace(describe(row, layout=Layout(), **choice), who=who, number=k + 1))  # type: ignore[arg-type]
    return found


def test_distances_are_between_final_texts_and_from_the_proposal(revised: Dataset) -> None:
    good = "Here are apples."
    ana = judged(revised, "ana", lambda k: {"verdict": "edit", "texts": {"output": good}} if k < 12 else {})
    ben = judged(revised, "ben", lambda k: {"verdict": "reject"} if k == 15 else {})
    report = desk_report([*ana, *ben], DatasetDict(train=revised))
    proposals = revised["output"]
    edits = [Levenshtein.distance(good, proposals[k]) for k in range(12)]
    assert report.proposals.distance.value == pytest.approx(sum(edits) / 12)
    assert (report.proposals.judged, report.proposals.edited.value, report.proposals.rejected.value) == (
        32,
        12 / 32,
        1 / 32,
    )
    between = [*edits, 0, 0, 0, len("</s>")]
    assert report.agreement.distance.value == pytest.approx(sum(between) / 16)
    assert report.unknown_texts == 0
    assert desk_report([*ana, *ben]).agreement.distance.count == 0
    assert "characters from an edited proposal to what it became: mean" in report.summary()
    applied = apply_verdicts(revised, row_verdicts(ana)).dataset
    after = desk_report(ana, applied)
    assert (after.proposals.distance.count, after.unknown_texts) == (0, 12)
    assert "12 text pairs could not be compared" in after.summary()
    with pytest.raises(SourceError, match="has no place 'title'"):
        desk_report([replace(ana[0], texts={"title": "x"}), ben[0]], revised)


def test_only_what_was_proposed_is_a_proposal(revised: Dataset) -> None:
    kept = Dataset.from_list([{**row, "output": "Apples and pears."} for row in ROWS]).map(
        hfclean.revise, batched=True
    )
    assert desk_report(judged(kept, "ana", lambda _: {})).proposals.judged == 0
    unknown = [Event(f"r{n}", "accept", who="ana", number=n + 1) for n in range(12)]
    assert desk_report(unknown).proposals.judged == 0
    refused = [replace(event, refused="wrong_sum") for event in unknown]
    assert desk_report(refused).proposals.unchanged.value == 1
    alone = [replace(event, arm="without") for event in judged(revised, "ana", lambda _: {})]
    assert desk_report(alone).proposals.judged == 0


def test_points_of_two_people_are_compared_by_dimension() -> None:
    events = [
        one(who, row, scores={"safety": points, who: 1})
        for who, points in (("ana", 90), ("ben", 94))
        for row in range(10)
    ]
    report = desk_report(events)
    assert {name: each.value for name, each in report.agreement.scores.items()} == {"safety": 4}
    assert "points for safety: mean difference 4.00 [4.00, 4.00]" in report.summary()
    assert "everybody always decided the same" in report.summary()
