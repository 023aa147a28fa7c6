"""Verdicts become columns that the ledger tells and `restore` undoes, once, and only where nobody objects."""

from __future__ import annotations

import json

import pytest
from datasets import Dataset, DatasetDict

import hfclean
from hfclean.errors import SourceError
from hfclean.layout import Layout
from hfclean.verdicts import Event, apply_verdicts, describe, row_verdicts

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
    assert applied.dataset[:] == revised[:]
    with pytest.raises(SourceError, match="rows that do not exist, such as 'gone'"):
        apply_verdicts(revised, row_verdicts([Event("gone", "accept")]))
    with pytest.raises(SourceError, match="has no place 'title'"):
        apply_verdicts(revised, row_verdicts([Event(revised[0]["row_id"], "edit", {"title": "x"})]))
