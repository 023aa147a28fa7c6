"""People's decisions: the log survives kills, several people and wrong clocks; what it amounts to, row by row."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

import hfclean
from hfclean.errors import SourceError
from hfclean.layout import Layout
from hfclean.verdicts import (
    Event,
    Hashes,
    VerdictLog,
    describe,
    hunks,
    read_events,
    row_verdicts,
    taken,
    verdicts_path,
)
from hfclean.verdicts.events import ARMS, ROLES, VERDICTS, hashes, parsed, read_line

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROW = {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}
TEXT = st.lists(st.sampled_from(["a", "apple", " ", "\n", ".", "é", "水", "\u2028", '"']), max_size=12).map("".join)
EVENTS = st.builds(
    Event,
    st.sampled_from(["r1", "r2"]),
    st.sampled_from(VERDICTS),
    reason=TEXT,
    who=st.sampled_from(["ana", "ben"]),
    when=st.sampled_from(["2026-01-31T12:00:00Z", "2026-01-31T12:00:01Z"]),
    number=st.integers(1, 5),
    seconds=st.none() | st.integers(0, 9),
    role=st.sampled_from(["", *ROLES]),
    to=st.sampled_from(["", "ana"]),
    of=st.integers(0, 5),
    refused=st.sampled_from(["", "numbers_changed too_short"]),
    arm=st.sampled_from(["", *ARMS]),
    gold=st.booleans(),
    scores=st.dictionaries(st.sampled_from(["depth", "safety"]), st.integers(0, 100)),
).map(
    lambda event: (
        replace(event, texts={"output": event.reason or "x"})
        if event.verdict == "edit"
        else replace(event, reason=event.reason.strip() or "needs a picture")
        if event.verdict == "exclude"
        else event
    )
)


def clock(*seconds: float) -> Callable[[], datetime]:
    times = iter(seconds)
    return lambda: NOON + timedelta(seconds=next(times))


def states(events: list[Event]) -> dict[str, str]:
    return {name: verdicts.state() for name, verdicts in row_verdicts(events).items()}


@given(TEXT, TEXT, st.sets(st.integers(0, 30)))
def test_a_hunk_is_taken_by_itself(before: str, after: str, numbers: set[int]) -> None:
    found = hunks(before, after)
    assert taken(before, after, range(len(found))) == after
    assert taken(before, after, []) == before
    for hunk in found:
        assert before.startswith(hunk.out, hunk.start)
        assert hunk.out != hunk.put
    some = {number for number in numbers if number < len(found)}
    parts = taken(before, after, some)
    grown = sum(len(found[number].put) - len(found[number].out) for number in some)
    assert len(parts) == len(before) + grown


def test_there_is_no_hunk_beyond_the_last() -> None:
    assert taken("a aple and a pare", "an apple and a pear", {0}) == "an apple and a pare"
    with pytest.raises(IndexError, match="no hunk 2; the texts differ in 2 places"):
        taken("a aple and a pare", "an apple and a pear", [2])


@given(EVENTS)
def test_an_event_is_one_line_and_comes_back(event: Event) -> None:
    line = event.line()
    assert line.isascii()
    assert "\n" not in line
    assert read_line(line.encode()) == event


@settings(max_examples=40, deadline=None)
@given(st.lists(EVENTS, max_size=5), st.data())
def test_what_a_kill_leaves_is_the_state_before_it(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("log") / "verdicts.jsonl"
    lines = [event.line().encode() for event in events]
    whole = b"".join(line + b"\n" for line in lines)
    cut = data.draw(st.integers(0, len(whole)))
    file.write_bytes(whole[:cut])
    ends = [sum(len(line) + 1 for line in lines[: n + 1]) - 1 for n in range(len(lines))]
    written = [event for event, end in zip(events, ends, strict=True) if end <= cut]
    assert read_events(file) == written
    added = VerdictLog(file, "ana", now=lambda: NOON).append(Event("r1", "skip"))
    assert read_events(file) == [*written, added]
    assert added.number == 1 + max((event.number for event in written if event.who == "ana"), default=0)


@given(st.lists(EVENTS, max_size=8), st.randoms(use_true_random=False))
def test_the_state_is_the_same_in_any_order_and_twice(events: list[Event], random: object) -> None:
    other = [*events, *events[:3]]
    random.shuffle(other)  # type: ignore[attr-defined]
    assert row_verdicts(other) == row_verdicts(events)


def test_a_file_is_private_and_has_who_and_when(tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    log = VerdictLog(file, "ana", now=clock(0, 1))
    log.append(Event("r1", "accept", seconds=3.5))
    log.append(Event("r2", "edit", {"output": "A pear."}, hunks={"output": (0,)}, reason="it was wrong"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        {
            "row_id": "r1",
            "verdict": "accept",
            "who": "ana",
            "when": "2026-01-31T12:00:00.000Z",
            "number": 1,
            "seconds": 3.5,
        },
        {
            "row_id": "r2",
            "verdict": "edit",
            "texts": {"output": "A pear."},
            "hunks": {"output": [0]},
            "reason": "it was wrong",
            "who": "ana",
            "when": "2026-01-31T12:00:01.000Z",
            "number": 2,
        },
    ]
    with pytest.raises(SourceError, match="no name is given"):
        VerdictLog(file, " ")


def test_two_people_write_one_file_at_once(tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"

    def decide(who: str) -> None:
        log = VerdictLog(file, who)
        for n in range(12):
            log.append(Event(f"r{n}", "accept"))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(decide, ["ana", "ben", "eva"]))
    events = read_events(file)
    assert len(events) == 36
    for who in ("ana", "ben", "eva"):
        assert [event.number for event in events if event.who == who] == [*range(1, 13)]


def test_numbers_go_on_when_the_file_is_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    log = VerdictLog(file, "ana", now=lambda: NOON)
    log.append(Event("r1", "accept"))
    file.rename(tmp_path / "old.jsonl")
    assert log.append(Event("r1", "reject")).number == 2
    for files in (["old.jsonl", "v.jsonl"], ["v.jsonl", "old.jsonl"]):
        events = read_events(*(tmp_path / name for name in files))
        assert row_verdicts(events)["r1"].state() == "rejected"


def test_a_full_disk_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "v.jsonl"
    log = VerdictLog(file, "ana", now=lambda: NOON)
    first = log.append(Event("r1", "accept"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hfclean.verdicts.log.flush", full)
        with pytest.raises(OSError, match="No space"):
            log.append(Event("r2", "accept"))
    assert read_events(file) == [first]
    assert log.append(Event("r2", "reject")).number == 2


def test_a_broken_line_is_named_and_a_cut_one_is_not_an_event(tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    file.write_text('{"row_id": "r1", "verdict": "accept"}\n\n{"row_id": "r2", "verd')
    assert states(read_events(file)) == {"r1": "accepted"}
    file.write_text('{"row_id": "r1", "verdict": "accept"}\n\n{"row_id": "r2", "verd\n')
    with pytest.raises(SourceError, match=r"verdict 3 of 'v.jsonl' cannot be read.*repair or delete line 3"):
        read_events(file)
    with pytest.raises(SourceError, match="delete line 3"):
        VerdictLog(file, "ana").append(Event("r1", "skip"))
    with pytest.raises(SourceError, match=r"'none.jsonl' cannot be read"):
        read_events(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"verdict": "maybe"}, "one of accept, edit, reject, return, exclude, skip, flag, undo, claim"),
        ({"verdict": "edit", "texts": {"output": 3}}, "has texts"),
        ({"hunks": {"output": [-1]}}, "numbers from 0"),
        ({"hunks": {"output": 1}}, "lists of numbers"),
        ({"who": 3}, "has who '3'"),
        ({"who": "\ud800"}, r"has who '\\ud800'"),
        ({"verdict": "edit", "texts": {"output": "\ud800"}}, "half a surrogate pair"),
        ({"verdict": "edit", "output": "\ud800"}, "half a surrogate pair"),
        ({"when": "noon"}, "has when 'noon'"),
        ({"number": -1}, "has number '-1'"),
        ({"seconds": float("nan")}, "has seconds 'nan'"),
        ({"of": True}, "has of 'True'"),
        ({"role": "boss"}, "has role 'boss'; expected reviser or owner"),
        ({"arm": "left"}, "has arm 'left'; expected with or without"),
        ({"gold": "yes"}, "has gold 'yes'"),
        ({"scores": {"depth": "good"}}, "has scores"),
        ({"scores": {"depth": float("inf")}}, "has scores"),
        ({"verdict": "exclude", "reason": " "}, "excludes without a reason"),
    ],
)
def test_what_is_not_an_event_is_said(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parsed({"row_id": "r1", "verdict": "accept", **more})
    with pytest.raises(ValueError, match="nested too deeply"):
        read_line(b"[" * 100_000)


def test_a_clock_set_back_does_not_reorder_one_persons_decisions(tmp_path: Path) -> None:
    log = VerdictLog(tmp_path / "v.jsonl", "ana", now=clock(0, -3600, -7200, -1))
    assert [log.append(Event("r1", verdict)).number for verdict in ("accept", "reject", "skip", "undo")] == [
        1,
        2,
        3,
        4,
    ]
    assert states(read_events(log.path)) == {"r1": "rejected"}


def by(who: str, verdict: str, number: int = 1, **more: object) -> Event:
    return Event("r1", verdict, who=who, number=number, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], None),
        ([by("ana", "skip")], "skipped"),
        ([by("ana", "accept"), by("ana", "undo", 2)], "todo"),
        ([by("ana", "accept"), by("ana", "skip", 2), by("ana", "undo", 3)], "accepted"),
        ([by("ana", "accept"), by("ben", "skip")], "accepted"),
        ([by("ana", "return")], "returned"),
        ([by("ana", "accept"), by("ben", "reject")], "conflict"),
        ([by("ana", "accept"), by("ben", "reject"), by("ben", "undo", 2)], "accepted"),
        ([by("ana", "edit", texts={"output": "x"}), by("ben", "edit", texts={"output": "x"})], "edited"),
        ([by("ana", "edit", texts={"output": "x"}), by("ben", "edit", texts={"output": "y"})], "conflict"),
        ([by("ana", "accept", result="1"), by("ben", "accept", result="2")], "conflict"),
        ([by("ana", "accept"), by("ben", "flag")], "flagged"),
        ([by("ana", "accept"), by("ben", "flag"), by("ben", "accept", 2)], "accepted"),
        ([by("ana", "accept", before="other")], "stale"),
        ([by("ana", "accept", after="other")], "stale"),
        ([by("ana", "accept", after="other"), by("ben", "reject")], "rejected"),
        ([by("ana", "edit", texts={"output": "x"}, after="other", result="today")], "edited"),
        ([by("ana", "skip", after="other")], "skipped"),
        ([by("ana", "exclude", reason="no task")], "excluded"),
        ([by("ana", "exclude", reason="no task"), by("ben", "exclude", reason="empty")], "excluded"),
        ([by("ana", "exclude", reason="no task"), by("ben", "accept")], "conflict"),
        ([by("ana", "claim")], None),
        ([by("ana", "accept"), by("ana", "claim", 2), by("ben", "claim")], "accepted"),
        ([by("ana", "accept"), by("ana", "claim", 2), by("ana", "undo", 3)], "todo"),
        ([by("ana", "reject", gold=True)], None),
        ([by("ana", "accept"), by("ben", "reject", gold=True)], "accepted"),
        ([by("ana", "accept"), by("ben", "reject"), by("oda", "reject", role="owner")], "rejected"),
        ([by("ana", "flag"), by("oda", "accept", role="owner")], "accepted"),
        ([by("ana", "accept"), by("oda", "flag", role="owner")], "flagged"),
        ([by("ana", "accept"), by("oda", "skip", role="owner")], "accepted"),
        ([by("oda", "skip", role="owner")], "skipped"),
        ([by("oda", "accept", role="owner"), by("eva", "reject", role="owner")], "conflict"),
        ([by("ana", "accept"), by("oda", "accept", role="owner", after="other")], "accepted"),
    ],
)
def test_the_state_of_a_row(events: list[Event], state: str | None) -> None:
    now = Hashes("first", frozenset(["today"]))
    for order in permutations(events):
        found = row_verdicts(order).get("r1")
        assert (found and found.state(now)) == state
        decision = found and found.decision(now)
        assert (decision is None) == (state in (None, "skipped", "todo", "conflict", "flagged", "stale"))
        assert found is None or len(found.standing) == len({event.who for event in found.standing})


def returned(**more: object) -> Event:
    return by("oda", "return", 9, role="owner", **more)


@pytest.mark.parametrize(
    ("events", "state", "to"),
    [
        ([by("ana", "accept", 3), returned(to="ana", of=3)], "returned", "ana"),
        ([by("ana", "accept", 3), returned(of=3)], "returned", ""),
        ([by("ana", "accept", 3), returned(of=3), by("eva", "accept", 9, role="owner")], "conflict", ""),
        ([by("ana", "accept", 3), returned(to="ana", of=3), by("ana", "reject", 4)], "rejected", ""),
        ([by("ana", "accept", 3), returned(to="ana", of=3), by("ana", "accept", 4)], "accepted", ""),
        ([by("ana", "accept", 3), returned(to="ana", of=3), by("ana", "skip", 4)], "returned", "ana"),
        ([by("ana", "accept", 3), returned(to="ana", of=3), by("ana", "undo", 4)], "returned", "ana"),
        ([by("ana", "accept", 3), returned(to="ana", of=3), by("ben", "accept", 4)], "returned", "ana"),
        ([by("ana", "accept", 3), by("ben", "reject"), returned(to="ana", of=3)], "returned", "ana"),
        ([by("ana", "accept", 4), by("ben", "reject"), returned(to="ana", of=3)], "conflict", ""),
        ([returned(when="2026-01-31T12:00:00Z"), by("ana", "accept", when="2026-01-31T11:00:00Z")], "returned", ""),
        ([returned(when="2026-01-31T12:00:00Z"), by("ana", "accept", when="2026-01-31T13:00:00Z")], "accepted", ""),
    ],
)
def test_an_owner_returns_a_row_to_a_person(events: list[Event], state: str, to: str) -> None:
    for order in permutations(events):
        found = row_verdicts(order)["r1"]
        assert (found.state(), found.returned_to()) == (state, to)


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("/data/cleaned/", "/data/cleaned.verdicts.jsonl"),
        ("/data/a/../rows.jsonl", "/data/a/../rows.jsonl.verdicts.jsonl"),
        ("/data/cleaned/..", "/data.verdicts.jsonl"),
    ],
)
def test_decisions_lie_beside_what_they_are_about(folder: str, file: str) -> None:
    assert verdicts_path(folder).as_posix() == file


def test_a_refused_revision_is_judged_with_its_texts() -> None:
    row = {**ROW, **hfclean.revise(ROW)}
    layout = Layout()
    view = layout.view(tuple(row))
    proposed = {"output": "A pear."}
    accept = describe(row, "accept", layout, proposed=proposed)
    reject = describe(row, "reject", layout, proposed=proposed)
    edit = describe(row, "edit", layout, proposed=proposed, texts={"output": "A fig."})
    now = hashes(row, view, layout)
    assert (accept.texts, reject.texts, edit.texts) == (proposed, {}, {"output": "A fig."})
    assert {accept.after, reject.after, edit.after, reject.result} == now.after
    assert (accept.keeps_text, reject.keeps_text, describe(row, "reject", layout).keeps_text) == (False, True, False)
    assert read_line(accept.line().encode()) == accept
    after = accept.edited(row, view)
    assert after["output"] == "A pear."
    for cells in (row, after):
        assert accept.fits(hashes(cells, view, layout))
    assert not reject.fits(hashes(after, view, layout))
    with pytest.raises(ValueError, match="no place 'title'"):
        describe(row, "reject", layout, proposed={"title": "A pear."})


def test_a_decision_knows_which_texts_were_judged() -> None:
    row = {**ROW, **hfclean.revise(ROW)}
    layout = Layout()
    now = hashes(row, layout.view(tuple(row)), layout)
    accept, reject = describe(row, "accept", layout), describe(row, "reject", layout, reason="it was right")
    assert {accept.after, accept.result, reject.after} == now.after
    assert reject.result == reject.before == now.before != accept.after
    edit = describe(row, "edit", layout, texts={"output": "A pear."}, hunks={"output": (0,)})
    assert edit.edited(row, layout.view(tuple(row)))["output"] == "A pear."
    assert edit.result not in (edit.before, edit.after)
    with pytest.raises(ValueError, match="the row has no place 'title'"):
        describe(row, "edit", layout, texts={"title": "A pear."})
    again = {**row, "output": "A pear."}
    assert edit.fits(hashes(again, layout.view(tuple(again)), layout))
    assert not accept.fits(hashes(again, layout.view(tuple(again)), layout))


@pytest.mark.parametrize(
    ("verdict", "more", "unchanged", "pair"),
    [
        ("accept", {"proposed": {"output": "A ripe pear."}}, False, "A ripe pear."),
        ("reject", {"proposed": {"output": "A ripe pear."}}, True, None),
        ("reject", {}, True, "An apple.</s>"),
        ("exclude", {"reason": "no task"}, True, None),
    ],
)
def test_training_takes_what_people_made_of_refused_revisions(
    verdict: str, more: dict[str, Any], unchanged: bool, pair: str | None
) -> None:
    ds = Dataset.from_list([ROW]).map(hfclean.revise, batched=True)
    event = describe(ds[0], verdict, Layout(), **more)
    found = hfclean.revision_pairs(ds, verdicts=[json.loads(event.line())], unchanged=unchanged)
    assert [row["revised_output"] for row in found.rows] == ([] if pair is None else [pair])
    planted = hfclean.revision_pairs(ds, verdicts=[json.loads(replace(event, gold=True).line())], unchanged=unchanged)
    assert (len(planted.rows), planted.left_out) == (0, {"unjudged": 1})


def test_training_reads_the_same_file(tmp_path: Path) -> None:
    rows = [ROW, *({**ROW, "instruction": f"Name {n} fruits."} for n in range(2, 7))]
    ds = Dataset.from_list(rows).map(hfclean.revise, batched=True)
    layout = Layout()
    ana = VerdictLog(tmp_path / "ana.jsonl", "ana", now=lambda: NOON)
    ben = VerdictLog(tmp_path / "ben.jsonl", "ben", now=lambda: NOON)
    ana.append(describe(ds[0], "edit", layout, texts={"output": "A pear."}))
    for row in (ds[1], ds[2]):
        ana.append(describe(row, "accept", layout))
    ben.append(describe(ds[2], "reject", layout))
    ben.append(describe(ds[3], "return", layout))
    ben.append(describe({**ds[4], "output": "Other."}, "accept", layout))
    ben.append(describe(ds[5], "flag", layout))
    for files in ([ana.path, ben.path], [ben.path, ana.path]):
        found = hfclean.revision_pairs(ds, verdicts=files)
        assert [row["revised_output"] for row in found.rows] == ["A pear.", "An apple."]
        assert found.left_out == {"conflict": 1, "returned": 1, "stale": 1, "flagged": 1}
    gone = Event(ds[0]["row_id"], "edit", {"title": "x"})
    with pytest.raises(SourceError, match="has no place 'title'"):
        hfclean.revision_pairs(ds, verdicts=[json.loads(gone.line())])
