"""Verdicts become columns that the ledger tells and `restore` undoes, once, and only where nobody objects."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st

import hfclean
from hfclean.errors import RestoreError, SourceError
from hfclean.layout import Layout
from hfclean.verdicts import Event, apply_verdicts, describe, row_verdicts, with_excluded

ROWS = [
    {"instruction": f"Name {n} fruits.", "input": "", "output": f"Here are {n} apples and {n} ripe pears.</s>"}
    for n in range(2, 9)
]


@pytest.fixture(scope="module")
def revised() -> Dataset:
    return Dataset.from_list(ROWS).map(hfclean.revise, batched=True).map(hfclean.score, batched=True)


def judged(ds: Dataset, *verdicts: tuple[int, str, dict[str, object]]) -> list[Event]:
    return [describe(ds[k], verdict, Layout(), **more) for k, verdict, more in verdicts]  # type: ignore[arg-type]


def test_each_verdict_is_followed_and_undone(revised: Dataset) -> None:
    good = "Here are 4 apples and 4 green pears."
    events = judged(
        revised,
        (0, "accept", {}),
        (1, "reject", {}),
        (2, "edit", {"texts": {"output": good}}),
        (3, "return", {}),
        (4, "edit", {"texts": {"output": ""}}),
        (5, "edit", {"texts": {"output": ""}, "reason": "it has to be empty"}),
        (6, "flag", {}),
    )
    applied = apply_verdicts(revised, row_verdicts(events))
    assert applied.states == {"accepted": 1, "rejected": 1, "edited": 2, "returned": 1, "refused": 1, "flagged": 1}
    ids = revised["row_id"]
    assert {name: "empty_response" in codes for name, codes in applied.findings.items()} == {
        ids[4]: True,
        ids[5]: True,
    }
    after = applied.dataset
    assert after["output"] == [
        revised[0]["output"],
        ROWS[1]["output"],
        good,
        *revised["output"][3:5],
        "",
        revised[6]["output"],
    ]
    assert after.features == revised.features
    assert after["edit"] == ["revised", "kept", "revised", "revised", "revised", "revised", "revised"]
    assert [reason.split()[-1] for reason in after["edit_reason"]] == [
        "accepted",
        "rejected",
        "edited",
        "returned",
        "chat_markers",
        "overruled",
        "chat_markers",
    ]
    assert after[4]["edit_history"] == revised[4]["edit_history"]
    assert after[2]["rating"] == hfclean.score({**ROWS[2], "output": good})["rating"]
    assert hfclean.restore(after)[:] == Dataset.from_list(ROWS)[:]
    assert hfclean.restore(after, rows=ids[2])[2]["output"] == ROWS[2]["output"]
    changes = [(entry.rule, entry.after) for entry in hfclean.ledger(after) if entry.row_id == ids[2]]
    assert changes == [("chat_markers", revised[2]["output"]), ("edited", good)]
    step = json.loads(after[5]["edit_history"].split("\n")[-1])
    assert step["by"] == "Verdict"
    assert "empty_response" in step["settings"]["checks"]
    told = ("output", "edit", "edit_reason", "edit_history", "original", "row_id")
    again = apply_verdicts(after, row_verdicts(events))
    assert [again.dataset[name] for name in told] == [after[name] for name in told]
    assert again.states == applied.states


def test_nobody_is_named_in_the_rows(revised: Dataset) -> None:
    event = Event(revised[0]["row_id"], "accept", reason="said so", who="ana", when="2026-01-31T12:00:00Z", number=1)
    after = apply_verdicts(DatasetDict(train=revised), row_verdicts([event])).dataset["train"]
    assert after[0]["edit_reason"] == "chat_markers accepted"
    assert not any(word in json.dumps(after[0]) for word in ("ana", "2026", "said so"))


def test_what_changed_or_is_disputed_stays(revised: Dataset) -> None:
    one = [Event(revised[0]["row_id"], verdict, who=verdict, number=1) for verdict in ("accept", "reject")]
    events = [*one, describe({**revised[1], "output": "Other."}, "reject", Layout())]
    applied = apply_verdicts(revised, row_verdicts(events))
    assert applied.states == {"conflict": 1, "stale": 1}
    assert applied.left == {"conflict": (revised[0]["row_id"],), "stale": (revised[1]["row_id"],)}
    assert applied.dataset[:] == revised[:]
    with pytest.raises(SourceError, match="rows that do not exist, such as 'gone'"):
        apply_verdicts(revised, row_verdicts([Event("gone", "accept")]))
    with pytest.raises(SourceError, match="has no place 'title'"):
        apply_verdicts(revised, row_verdicts([Event(revised[0]["row_id"], "edit", {"title": "x"})]))


PROPOSED = {"output": "Here are 2 apples and 20 ripe pears."}


def test_a_revision_that_the_gate_refused_is_written_once_it_is_accepted(revised: Dataset) -> None:
    accept, reject = (describe(revised[0], verdict, Layout(), proposed=PROPOSED) for verdict in ("accept", "reject"))
    applied = apply_verdicts(revised, row_verdicts([replace(accept, refused="numbers_changed")]))
    row = applied.dataset[0]
    assert (row["output"], row["edit"], row["edit_reason"]) == (
        PROPOSED["output"],
        "revised",
        "chat_markers accepted overruled",
    )
    assert applied.findings == {row["row_id"]: ("numbers_changed",)}
    assert apply_verdicts(applied.dataset, row_verdicts([accept])).dataset[0] == row
    assert hfclean.restore(applied.dataset)[0] == ROWS[0]
    stays = apply_verdicts(revised, row_verdicts([reject])).dataset[0]
    assert (stays["output"], stays["edit_reason"]) == (revised[0]["output"], "chat_markers rejected")
    assert (
        hfclean.revision_pairs(apply_verdicts(revised, row_verdicts([accept])).dataset).rows[0]["revised_output"]
        == (PROPOSED["output"])
    )


def test_files_are_read_as_they_are_named(revised: Dataset, tmp_path: Path) -> None:
    files = [tmp_path / "ana.jsonl", tmp_path / "ben.jsonl"]
    for file, event in zip(files, judged(revised, (0, "accept", {}), (1, "reject", {})), strict=True):
        file.write_text(f"{event.line()}\n")
    assert apply_verdicts(revised, files).states == {"accepted": 1, "rejected": 1}
    assert apply_verdicts(revised, str(files[1])).states == {"rejected": 1}
    with pytest.raises(SourceError, match=r"'gone\.jsonl' cannot be read"):
        apply_verdicts(revised, [tmp_path / "gone.jsonl"])


def test_excluded_rows_go_to_the_dropped_ones_and_come_back(revised: Dataset) -> None:
    events = judged(
        revised,
        (1, "exclude", {"reason": "Ana says:\n no task"}),
        (4, "exclude", {"reason": "empty"}),
        (2, "accept", {}),
    )
    events = [replace(event, who="ana", number=k + 1) for k, event in enumerate(events)]
    applied = apply_verdicts(revised, row_verdicts(events))
    assert applied.states == {"excluded": 2, "accepted": 1}
    assert applied.people == {"ana": 3}
    assert applied.removed["removed_reason"] == ["excluded: a person says: no task", "excluded: empty"]
    assert applied.removed["edit_reason"] == ["chat_markers excluded"] * 2
    assert [row["row_id"] for row in applied.dataset] == [revised[k]["row_id"] for k in (0, 2, 3, 5, 6)]
    named = apply_verdicts(revised, row_verdicts(events), names=True)
    assert named.removed["removed_reason"][0] == "excluded: Ana says: no task"
    again = apply_verdicts(applied.dataset, row_verdicts(events), removed=applied.removed)
    assert again.states == applied.states
    assert (again.dataset[:], again.removed[:]) == (applied.dataset[:], applied.removed[:])
    first = with_excluded(applied.dataset, applied.removed)
    assert hfclean.restore(first)[:] == Dataset.from_list(ROWS)[:]
    other_order = applied.removed.select([1, 0])
    assert with_excluded(applied.dataset, other_order)["row_id"] == revised["row_id"]
    # one more is excluded, then the first of them is accepted after all
    more = [*events, replace(describe(revised[3], "exclude", Layout(), reason="no"), who="ana", number=4)]
    later = apply_verdicts(applied.dataset, row_verdicts(more), removed=applied.removed)
    assert hfclean.restore(with_excluded(later.dataset, later.removed))[:] == Dataset.from_list(ROWS)[:]
    more.append(replace(describe(revised[1], "accept", Layout()), who="ana", number=5))
    back = apply_verdicts(later.dataset, row_verdicts(more), removed=later.removed)
    assert [row["row_id"] for row in back.dataset] == [revised[k]["row_id"] for k in (0, 1, 2, 5, 6)]
    assert back.dataset[1]["edit_reason"] == "chat_markers accepted"
    with pytest.raises(RestoreError, match="column 'extra' is in them, or in the other rows, alone"):
        with_excluded(applied.dataset.add_column("extra", [0] * 5), applied.removed)
    every = judged(revised, *((k, "exclude", {"reason": "no"}) for k in range(7)))
    with pytest.raises(SourceError, match="every row is excluded"):
        apply_verdicts(revised, row_verdicts(every))


def test_verdicts_on_rows_that_were_dropped_before_are_counted(revised: Dataset) -> None:
    accepted = apply_verdicts(revised, row_verdicts(judged(revised, (0, "accept", {})))).dataset
    dropped = accepted.select([0]).add_column("removed_reason", ["duplicate"])
    kept = revised.select(range(1, 7))
    applied = apply_verdicts(kept, row_verdicts(judged(revised, (0, "accept", {}))), removed=dropped)
    assert applied.states == {"dropped": 1}
    assert (applied.dataset[:], applied.removed[:]) == (kept[:], dropped[:])
    # a folder that was made of the others since holds nothing of an excluded row
    excluded = row_verdicts(judged(revised, (0, "exclude", {"reason": "no"}), (1, "accept", {})))
    assert apply_verdicts(kept, excluded).states == {"accepted": 1, "dropped": 1}
    lines = [json.loads(row.standing[0].line()) for row in excluded.values()]
    assert hfclean.revision_pairs(kept, verdicts=lines).left_out == {"unjudged": 5, "excluded": 1}


TEXTS = ["Here are 4 green pears.", "Some figs."]


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ana", "ben", "oda"]),
            st.integers(0, 3),
            st.sampled_from(["accept", "edit", "reject", "return", "exclude", "flag", "undo", "claim", "proposed"]),
            st.sampled_from(TEXTS),
        ),
        max_size=10,
    ),
    st.randoms(use_true_random=False),
)
def test_any_order_of_files_and_any_number_of_times_gives_the_same(
    revised: Dataset, decided: list[tuple[str, int, str, str]], random: object
) -> None:
    numbers: dict[str, int] = {}
    events = []
    for who, k, verdict, text in decided:
        more: dict[str, object] = {"proposed": {"output": text}} if verdict == "proposed" else {}
        more |= {"texts": {"output": text}} if verdict == "edit" else {}
        event = describe(
            revised[k],
            "accept" if verdict == "proposed" else verdict,
            Layout(),
            reason="as it should be",
            **more,  # type: ignore[arg-type]
        )
        numbers[who] = numbers.get(who, 0) + 1
        events.append(replace(event, who=who, number=numbers[who], role="owner" if who == "oda" else ""))
    applied = apply_verdicts(revised, row_verdicts(events))
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = apply_verdicts(revised, row_verdicts(shuffled))
    twice = apply_verdicts(applied.dataset, row_verdicts(events), removed=applied.removed)
    for each in (other, twice):
        assert each.states == applied.states
        assert repr(each.dataset[:]) == repr(applied.dataset[:])
        assert repr(each.removed and each.removed[:]) == repr(applied.removed and applied.removed[:])
    back = hfclean.restore(with_excluded(applied.dataset, applied.removed))
    assert back[:] == Dataset.from_list(ROWS)[:]
