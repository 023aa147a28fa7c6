"""The desk: what a person decides on a page is a line of the file, and the next open row is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from datasets import DatasetDict
from desk_client import TOKEN, Page, asked, clock, decided, desk_of, revised
from extras import needs

from hfclean.desk import desk_app
from hfclean.layout import Layout
from hfclean.verdicts import VerdictLog, apply_verdicts, row_verdicts

needs("review", "starlette")


@pytest.fixture(scope="module")
def rows() -> DatasetDict:
    return revised()


def test_each_key_is_an_event_and_the_next_open_row_follows(rows: DatasetDict, tmp_path: Path) -> None:
    file, ids = tmp_path / "verdicts.jsonl", rows["train"]["row_id"]
    page = Page(desk_of(rows, file, now=clock()))
    assert page.row == ids[0]
    for verdict, following in (("accept", 1), ("reject", 2), ("skip", 3), ("flag", 4), ("return", 5)):
        assert page.press(verdict, seconds="2.5").status == 200
        assert page.row == ids[following]
    assert [(event.row_id, event.verdict, event.number, event.seconds) for event in decided(file)] == [
        (ids[0], "accept", 1, 2.5),
        (ids[1], "reject", 2, 2.5),
        (ids[2], "skip", 3, 2.5),
        (ids[3], "flag", 4, 2.5),
        (ids[4], "return", 5, 2.5),
    ]
    assert page.undo().row == ids[4]
    assert page.undo().row == ids[3]
    assert page.desk.counts() == {"accepted": 1, "rejected": 1, "skipped": 1, "todo": 5}
    applied = apply_verdicts(rows, row_verdicts(decided(file)), layout=Layout())
    assert applied.states["accepted"] == applied.states["rejected"] == 1
    assert applied.dataset["train"]["output"][1] == "Here are  3 apples and 3 ripe pears.</s>"


def test_a_page_reads_without_scripts(rows: DatasetDict, tmp_path: Path) -> None:
    page = Page(desk_of(rows, tmp_path / "v.jsonl"))
    assert "<del>&lt;/s&gt;</del>" in page.text
    assert 'aria-label="remove &lt;/s&gt;"' in page.text
    following, before = (f"/{TOKEN}/row/{rows['train'][k]['row_id']}" for k in (1, 7))
    assert f'<a href="../row/{rows["train"][1]["row_id"]}" data-key="j" rel="next">' in page.text
    assert page.open(following).status == page.open(before).status == 200
    assert page.open("../list?q=9 FRUITS").text.count('<a href="row/') == 1
    assert page.open("list?state=todo&page=7").text.count('<a href="row/') == 8
    for where, status in (("help", 200), ("done", 200), ("row/ffffffffffffffff", 404), ("desk.py", 404)):
        assert page.open(f"/{TOKEN}/{where}").status == status


def test_one_change_is_taken_alone(rows: DatasetDict, tmp_path: Path) -> None:
    page = Page(desk_of(rows, tmp_path / "v.jsonl"))
    page.press("accept", hunk=["output:1"])
    page.press("accept", hunk=[])
    (first, second) = decided(tmp_path / "v.jsonl")
    assert (first.verdict, first.texts, first.hunks) == (
        "edit",
        {"output": "Here are  2 apples and 2 ripe pears."},
        {"output": (1,)},
    )
    assert (second.verdict, second.texts) == ("reject", {})
    assert page.press("accept", hunk=["output:7"]).status == 400
    assert "Not saved" in page.text
    assert len(decided(tmp_path / "v.jsonl")) == 2


def test_what_the_checks_refuse_needs_a_reason(rows: DatasetDict, tmp_path: Path) -> None:
    page = Page(desk_of(rows, tmp_path / "v.jsonl"))
    row = page.row
    page.open(f"{row}/edit")
    assert page.press("edit", **{"text:output": ""}).status == 422
    assert "empty_response" in page.text
    assert page.press("check", **{"text:output": "Apples and\r\npears."}).status == 200
    assert page.fields()["output"] == "Apples and\npears."
    assert decided(tmp_path / "v.jsonl") == []
    assert page.press("edit", **{"text:output": "", "reason": "it has to be empty"}).row != row
    (event,) = decided(tmp_path / "v.jsonl")
    assert (event.verdict, event.texts, event.reason) == ("edit", {"output": ""}, "it has to be empty")


def test_two_people_on_one_row_lose_nothing(rows: DatasetDict, tmp_path: Path) -> None:
    file, now = tmp_path / "v.jsonl", clock()
    ana, ben = (Page(desk_of(rows, file, who, now=now)) for who in ("ana", "ben"))
    row = ana.row
    ben.open(f"{row}/edit")
    ana.press("reject")
    text = "Here are 2 apples and 2 pears."
    assert ben.press("edit", **{"text:output": text, "reason": "shorter"}).status == 409
    assert "<b>ana</b>" in ben.text
    assert ben.fields()["output"] == text
    assert ben.press("edit", **{"text:output": text, "reason": "shorter"}).status == 200
    assert [(event.who, event.verdict) for event in decided(file)] == [("ana", "reject"), ("ben", "edit")]
    assert ana.open(f"/{TOKEN}/row/{row}").text.count('<article class="said">') == 2
    assert "2 people disagree" in ana.text
    assert ana.desk.state(row) == "conflict"
    ana.press("", take="ben", reason="ben is right")
    assert ana.desk.state(row) == "edited"
    (last,) = [event for event in decided(file) if event.reason == "ben is right"]
    assert last.texts == {"output": text}


def test_a_tab_that_is_older_than_the_last_decision_is_told(rows: DatasetDict, tmp_path: Path) -> None:
    desk = desk_of(rows, tmp_path / "v.jsonl")
    one, other = Page(desk), Page(desk)
    one.press("accept")
    assert other.press("reject").status == 409
    assert other.press("reject").status == 200
    assert [event.verdict for event in decided(tmp_path / "v.jsonl")] == ["accept", "reject"]


def test_a_dataset_that_is_written_anew_is_noticed(rows: DatasetDict, tmp_path: Path) -> None:
    record = tmp_path / "hfclean.json"
    record.write_text("{}")
    app = desk_app(desk_of(rows, tmp_path / "v.jsonl"), name="fruits", token=TOKEN, record=record)
    assert "written anew" not in asked(app, f"/{TOKEN}/list").text
    (tmp_path / "new").write_text("{}")
    (tmp_path / "new").replace(record)
    assert "written anew" in asked(app, f"/{TOKEN}/list").text


def test_a_full_disk_loses_nothing_that_was_typed(
    rows: DatasetDict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(desk_of(rows, tmp_path / "v.jsonl"))
    page.press("accept")
    row = page.row

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        page.open(f"{row}/edit").press("edit", **{"text:output": "Apples.", "reason": "so"})
        assert (page.status, page.fields()["output"]) == (507, "Apples.")
        assert "No space left on device" in page.text
        assert 'name="reason" value="so"' in page.text
    page.press("edit", **{"text:output": "Apples.", "reason": "so"})
    assert [event.verdict for event in decided(tmp_path / "v.jsonl")] == ["accept", "edit"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"/{TOKEN}/", {}, 303),
        (f"/user/ana/proxy/8000/{TOKEN}/help", {}, 200),
        (f"/{TOKEN}", {}, 307),
        ("/", {}, 403),
        (f"/{TOKEN}x/", {}, 403),
        (f"/{TOKEN}/", {"host": "evil.example"}, 403),
        (f"/{TOKEN}/", {"host": "localhost:1"}, 303),
        (f"/{TOKEN}/", {"host": "[::1]:8000"}, 303),
        (f"/{TOKEN}/", {"sec-fetch-site": "cross-site"}, 403),
        (f"/{TOKEN}/", {"sec-fetch-site": "same-origin"}, 303),
    ],
)
def test_who_may_read(rows: DatasetDict, tmp_path: Path, path: str, headers: dict[str, str], status: int) -> None:
    answer = asked(Page(desk_of(rows, tmp_path / "v.jsonl")).app, path, headers=headers)
    assert answer.status == status
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "evil.example", "origin": "http://evil.example"},
    ],
)
def test_another_site_decides_nothing(rows: DatasetDict, tmp_path: Path, headers: dict[str, str]) -> None:
    page = Page(desk_of(rows, tmp_path / "v.jsonl"))
    where = f"/{TOKEN}/row/{page.row}"
    assert asked(page.app, where, [("verdict", "accept")], headers).status == 403
    assert decided(tmp_path / "v.jsonl") == []
    assert asked(page.app, where, [("verdict", "accept")]).status == 303


def test_every_cut_of_the_file_gives_what_was_decided_until_there(rows: DatasetDict, tmp_path: Path) -> None:
    file, ids = tmp_path / "v.jsonl", rows["train"]["row_id"]
    page = Page(desk_of(rows, file, now=clock()))
    states = [page.desk.counts()]
    for verdict in ("accept", "reject", "undo", "skip", "flag", "undo", "return", "accept"):
        page.undo() if verdict == "undo" else page.press(verdict)
        states.append(page.desk.counts())
    data = file.read_bytes()
    cut = tmp_path / "cut.jsonl"
    for end in sorted({*range(0, len(data), 7), *(k + 1 for k, byte in enumerate(data) if byte == 10), len(data)}):
        cut.write_bytes(data[:end])
        desk = desk_of(rows, cut)
        whole = data[: end + (data[end : end + 1] == b"\n")].split(b"\n")[:-1]
        assert desk.counts() == states[sum(b'"claim"' not in line for line in whole)], end
    VerdictLog(cut, "ana").append(decided(file)[0])
    assert len(decided(cut)) == 9
    assert ids[0] in {event.row_id for event in decided(cut)}
