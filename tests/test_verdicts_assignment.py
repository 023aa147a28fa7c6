"""Rows are given out by hash: the same on every machine, evenly, and nobody controls their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import permutations

import pytest
from datasets import Dataset

from hfclean.errors import HfcleanError
from hfclean.reviser.refused import RefusedRevision
from hfclean.verdicts.assignment import (
    Control,
    arm,
    assigned,
    drawn,
    gold_rows,
    is_doubled,
    owner_sample,
    planted,
    to_control,
)

IDS = [f"{number:016x}" for number in range(2_000)]
PEOPLE = ("ana", "ben", "eva")


def refusal(
    row_id: str, field: str = "output", *, proposed: str = "2 + 2 = 5", found: str = "4, not 5"
) -> dict[str, object]:
    findings = [found] if found else []
    return {
        "split": "train",
        "row_id": row_id,
        "field": field,
        "before": "old",
        "proposed": proposed,
        "codes": "wrong_sum",
        "findings": findings,
        "model": "m",
    }


def test_the_draw_is_the_same_on_every_machine() -> None:
    assert [round(drawn(name, "arm", seed=7), 6) for name in IDS[:3]] == [0.446658, 0.521102, 0.564206]
    assert [assigned(name, PEOPLE, doubled=0.5, seed=7) for name in IDS[:3]] == [("ben", "ana"), ("ben",), ("ana",)]
    assert drawn("\ud800", "arm") != drawn("", "arm")


@pytest.mark.parametrize("seed", [0, 1])
def test_shares_come_out_and_do_not_depend_on_each_other(seed: int) -> None:
    doubled = [name for name in IDS if is_doubled(name, 0.2, seed=seed)]
    assert 340 <= len(doubled) <= 460
    assert 0.4 <= sum(arm(name, seed=seed) == "with" for name in doubled) / len(doubled) <= 0.6
    rows = Counter(who for name in IDS for who in assigned(name, PEOPLE, doubled=0.2, seed=seed))
    assert sum(rows.values()) == len(IDS) + len(doubled)
    assert all(720 <= rows[who] <= 880 for who in PEOPLE)
    assert {len(set(assigned(name, PEOPLE, doubled=1, seed=seed))) for name in IDS} == {2}
    assert [arm(name, without=0, seed=seed) for name in IDS[:50]] == ["with"] * 50
    assert [arm(name, without=1, seed=seed) for name in IDS[:50]] == ["without"] * 50


def test_the_order_of_people_says_nothing_and_somebody_new_takes_rows_from_all() -> None:
    for name in IDS[:20]:
        assert len({assigned(name, order, doubled=0.5) for order in permutations(PEOPLE)}) == 1
    moved = [(assigned(name, PEOPLE), assigned(name, [*PEOPLE, "kim"])) for name in IDS]
    assert {after for before, after in moved if before != after} == {("kim",)}
    assert {before for before, after in moved if after == ("kim",)} == {("ana",), ("ben",), ("eva",)}
    assert assigned(IDS[0], ["ana"], doubled=1) == ("ana",)


def test_an_owner_sees_a_share_of_each_person_and_never_their_own_row() -> None:
    sample = owner_sample(IDS, "ana", 0.1)
    assert 150 <= len(sample) <= 250
    assert owner_sample(IDS[:500], "ana", 0.1) == [name for name in sample if name in IDS[:500]]
    assert sample != owner_sample(IDS, "ben", 0.1)
    decided = {"ana": IDS[:4], "ben": IDS[2:6], "eva": IDS[:1]}
    assert to_control(decided, "ben", 1) == [
        Control(row, who) for who, row in zip(["ana", "ana", "eva"], [*IDS[:2], IDS[0]], strict=True)
    ]
    assert to_control(decided, "ben", 0) == []
    assert len(to_control(decided, "owner", 1)) == 9


def test_gold_rows_are_refused_for_certain_and_one_a_row() -> None:
    refused = [
        *(refusal("r1", "instruction"), refusal("r1", "output")),
        refusal("r1", proposed="2 + 2 = 6"),
        refusal("r2", found=""),
        *(refusal(name) for name in IDS[:40]),
    ]
    every = gold_rows(refused, 100)
    assert {gold.row_id for gold in every} == {"r1", *IDS[:40]}
    assert len(every) == 41
    (first,) = gold_rows(refused[:2], 100)
    assert first.texts == {"instruction": "2 + 2 = 5", "output": "2 + 2 = 5"}
    assert first.before == {"instruction": "old", "output": "old"}
    assert (first.findings, first.codes, first.split) == (("4, not 5",), "wrong_sum", "train")
    assert {len(gold.texts) for gold in gold_rows(refused[:3], 100)} <= {1, 2}
    assert gold_rows(refused, 5) == every[:5]
    assert gold_rows(Dataset.from_list(refused), 5) == every[:5]
    assert gold_rows(refused, 5, seed=1) != every[:5]
    assert gold_rows(refused, -1) == []
    assert not {gold.id for gold in every} & set(IDS)
    assert {len(gold.id) for gold in every} == {16}
    assert set(refused[0]) == set(RefusedRevision.__annotations__)


def test_gold_rows_stand_among_others_at_places_of_each_person() -> None:
    gold = gold_rows([refusal(name) for name in IDS[:6]], 5)
    names = {each.id for each in gold}
    under = {each.row_id for each in gold}
    queues = {who: planted(IDS[:40], gold, who) for who in PEOPLE}
    for queue in queues.values():
        assert [name for name in queue if name not in names] == [name for name in IDS[:40] if name not in under]
        assert names < set(queue)
        assert len(queue) == 40
    assert len({tuple(queue) for queue in queues.values()}) == 3
    assert planted([gold[0].row_id], gold, "ana") == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: assigned("r", []), r"people=\[\]"),
        (lambda: assigned("r", ["ana", "ana"]), "each once"),
        (lambda: assigned("r", ["ana"], doubled=1.5), "doubled=1.5: expected a share from 0 to 1"),
        (lambda: arm("r", without=-0.1), "without=-0.1"),
        (lambda: owner_sample([], "ana", float("nan")), "share=nan"),
    ],
)
def test_what_is_no_share_is_said(wrong: Callable[[], object], said: str) -> None:
    with pytest.raises(HfcleanError, match=said):
        wrong()
