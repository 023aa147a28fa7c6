"""The desk among several people: claims, doubled rows, owners, rows without the revision; refused and paired rows."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from datasets import Dataset, DatasetDict
from desk_client import NOON, TOKEN, Page, clock, decided, desk_of, revised
from extras import needs

from hfclean.desk import Desk, Selection
from hfclean.errors import SourceError
from hfclean.layout import Layout
from hfclean.reviser.refused import REFUSED_COLUMNS
from hfclean.verdicts import Event, apply_verdicts, read_events, row_verdicts
from hfclean.verdicts.assignment import arm, assigned, is_doubled, owner_sample
from hfclean.verdicts.events import parsed

needs("review", "starlette")

PAIRS = [
    {"prompt": "Name a fruit.", "chosen": f"Apples number {n}.", "rejected": f"Stones number {n}."} for n in range(12)
]


@pytest.fixture(scope="module")
def rows() -> DatasetDict:
    return revised()


def verdicts(file: Path) -> list[tuple[str, str]]:
    return [(event.who, event.verdict) for event in decided(file)]


def test_nobody_is_offered_a_row_that_somebody_looks_at_until_the_claim_lapses(
    rows: DatasetDict, tmp_path: Path
) -> None:
    file, ids = tmp_path / "v.jsonl", rows["train"]["row_id"]
    now = [NOON]
    ana, ben = (Page(desk_of(rows, file, who, now=lambda: now[0])) for who in ("ana", "ben"))
    assert (ana.row, ben.row) == (ids[0], ids[1])
    assert ana.press("accept").row == ids[2]
    assert ben.press("reject").row == ids[3]
    assert "ben is at this row" in ana.open(ids[3]).text
    assert ana.open("../").row == ids[2]
    assert ben.open(ids[5]).open("../").row == ids[3]  # nobody is at two rows
    now[0] += timedelta(minutes=20)
    assert ana.press("accept").row == ids[3]
    now[0] -= timedelta(hours=3)  # somebody set the clock back: no claim holds for hours
    assert ana.desk.claimed_by(ids[3]) == ben.desk.claimed_by(ids[3]) == ""
    assert verdicts(file) == [("ana", "accept"), ("ben", "reject"), ("ana", "accept")]
    assert [(event.who, ids.index(event.row_id)) for event in read_events(file) if event.verdict == "claim"] == [
        *(("ana", 0), ("ben", 1), ("ana", 2), ("ben", 3), ("ben", 5), ("ben", 3), ("ana", 3))
    ]


def test_of_several_who_come_at_one_moment_each_gets_another_row(rows: DatasetDict, tmp_path: Path) -> None:
    file, now, ids = tmp_path / "v.jsonl", clock(), rows["train"]["row_id"]
    people = [desk_of(rows, file, f"person {k}", now=now) for k in range(10)]  # all have read the same: nothing
    begin = Barrier(len(people))

    def come(desk: Desk) -> int | None:
        begin.wait()
        return desk.take(-1)

    with ThreadPoolExecutor(len(people)) as pool:
        places = list(pool.map(come, people))
    # two of ten people find every one of the eight rows taken, and are shown one all the same
    assert set(places) == set(range(len(ids)))
    claims = [event.row_id for event in read_events(file)]
    assert sorted(set(claims)) == sorted(ids)


@pytest.mark.parametrize("doubled", [0.0, 0.5, 1.0])
def test_rows_are_divided_among_people_without_a_shared_file(doubled: float, tmp_path: Path) -> None:
    rows, people = revised(30), ("ana", "ben", "eva")
    got: dict[str, list[str]] = {}
    for who in people:
        selection = Selection(people=people[::-1], who=who, doubled=doubled)
        desk = desk_of(rows, tmp_path / f"{who}.jsonl", who, selection=selection, doubled=doubled)
        for number in desk.queue.numbers:
            got.setdefault(desk.rows.ids[int(number)], []).append(who)
    assert {name: set(each) for name, each in got.items()} == {
        name: set(assigned(name, people, doubled=doubled)) for name in rows["train"]["row_id"]
    }
    assert sum(map(len, got.values())) == 30 + sum(is_doubled(name, doubled) for name in got)


def test_a_doubled_row_has_two_places(rows: DatasetDict, tmp_path: Path) -> None:
    file, now, ids = tmp_path / "v.jsonl", clock(), rows["train"]["row_id"]
    ana, ben, eva = (Page(desk_of(rows, file, who, doubled=1.0, now=now)) for who in ("ana", "ben", "eva"))
    assert (ana.row, ben.row, eva.row) == (ids[0], ids[0], ids[1])
    assert "is at this row" not in ben.text
    ana.press("accept")
    assert (ana.row, eva.open("../").row) == (ids[1], ids[1])
    assert ben.press("accept").row == ids[2]
    assert verdicts(file) == [("ana", "accept"), ("ben", "accept")]


def test_a_doubled_row_is_decided_twice_and_alone(rows: DatasetDict, tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    ana, ben = (desk_of(rows, file, who, doubled=0.5, now=clock()) for who in ("ana", "ben"))
    twice = [name for name in rows["train"]["row_id"] if is_doubled(name, 0.5)]
    assert 0 < len(twice) < 8
    page = Page(ana)
    while page.row:
        page.press("accept")
    other = Page(ben)
    assert ben.left == len(twice)
    for name in twice:
        assert other.row == name
        assert "ana" not in other.text
        assert other.press("reject").status == 200
    assert (other.row, ben.left) == ("", 0)
    assert other.desk.counts() == {"accepted": 8 - len(twice), "conflict": len(twice), "todo": 0}


def test_an_owner_settles_and_returns(rows: DatasetDict, tmp_path: Path) -> None:
    file, now, ids = tmp_path / "v.jsonl", clock(), rows["train"]["row_id"]
    ana = Page(desk_of(rows, file, "ana", now=now))
    for verdict in ("accept", "accept", "flag", "accept"):
        ana.press(verdict)
    ben = Page(desk_of(rows, file, "ben", now=now))
    ben.open(ids[0]).press("reject", seen="")
    ben.open(ids[0]).press("reject")
    sampled = {name for name in ids[:4] if owner_sample([name], "ana", 0.3)}
    owner = Page(desk_of(rows, file, "oda", now=now, owner=True, controlled=0.3))
    waiting = [name for k, name in enumerate(ids) if name in sampled or k in (0, 2)]
    assert owner.desk.left == len(waiting)
    assert (owner.row, "2 people disagree" in owner.text) == (ids[0], True)
    owner.press("", take="ben")
    assert owner.desk.state(ids[0]) == "rejected"
    owner.open(f"/a-token-that-nobody-guesses/row/{ids[2]}").press("", back="ana", reason="look again")
    last = decided(file)[-1]
    assert (last.verdict, last.role, last.to, last.of, last.reason) == ("return", "owner", "ana", 3, "look again")
    assert ben.open("../").row == ids[5]  # at the fifth is ana
    assert ana.open(f"/a-token-that-nobody-guesses/row/{ids[2]}").desk.queue.open[2]
    assert "look again" in ana.text
    ana.press("accept")
    assert (ana.desk.state(ids[2]), ana.desk.queue.open[2]) == ("accepted", False)
    assert owner.open("../list").desk.queue.open[2] == bool(owner_sample([ids[2]], "ana", 0.3))


def test_some_rows_come_without_the_revision(rows: DatasetDict, tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    page = Page(desk_of(rows, file, without=0.5, now=clock()))
    bare = {name for name in rows["train"]["row_id"] if arm(name, without=0.5) == "without"}
    assert 0 < len(bare) < 8
    while page.row:
        if page.row not in bare:
            page.press("accept")
            continue
        assert ("chat_markers" in page.text, "<del>" in page.text) == (False, False)
        assert "pears.&lt;/s&gt;" in page.text
        row = page.open(f"{page.row}/edit").where.split("/")[-2]
        number = rows["train"]["row_id"].index(row) + 2
        assert page.fields()["output"] == f"Here are  {number} apples and {number} ripe pears.</s>"
        page.press("edit", **{"text:output": f"Here are {number} apples and {number} pears."})
    found = {event.row_id: (event.verdict, event.arm) for event in decided(file)}
    assert found == {
        name: ("edit", "without") if name in bare else ("accept", "with") for name in rows["train"]["row_id"]
    }


def test_an_exclusion_needs_a_reason(rows: DatasetDict, tmp_path: Path) -> None:
    page = Page(desk_of(rows, tmp_path / "v.jsonl"))
    assert page.press("exclude").status == 400
    assert "an exclusion needs a reason" in page.text
    assert page.press("exclude", reason="not ours").status == 200
    assert page.desk.counts() == {"excluded": 1, "todo": 7}


def test_a_blind_person_chooses_between_two_texts(rows: DatasetDict, tmp_path: Path) -> None:
    file, ids = tmp_path / "v.jsonl", rows["train"]["row_id"]
    Page(desk_of(rows, file, "ana")).press("accept")
    ben = Page(desk_of(rows, file, "ben", blind=True)).open(f"/{TOKEN}/row/{ids[0]}")
    told = ("ana", "chat_markers", "preference", "<del>", "accepted", "Accept", "Reject", "Edit")
    firsts = []
    for name in ids:
        text = ben.open(f"/{TOKEN}/row/{name}").text
        assert [word for word in told if word in text] == []
        assert ("Text A" in text, "Text B" in text) == (True, True)
        assert ben.open(f"{name}/edit").where.endswith(f"/row/{name}")
        firsts.append("&lt;/s&gt;" in text.partition("Text B")[0])
        assert ben.press("accept").status == 400
        ben.press("first", seconds="2")
        shown = ben.open(f"/{TOKEN}/row/{name}").text
        assert ("Text A is better." in shown, [word for word in told if word in shown]) == (True, [])
    assert set(firsts) == {True, False}
    other = Page(desk_of(rows, tmp_path / "w.jsonl", "eva", blind=True))
    assert [other.desk.task(k).first == "original" for k in range(8)] != firsts
    mine = [event for event in decided(file) if event.who == "ben"]
    assert [(event.row_id, event.first == "original", event.verdict) for event in mine] == [
        (name, is_original, "reject" if is_original else "accept")
        for name, is_original in zip(ids, firsts, strict=True)
    ]
    listed = ben.open(f"/{TOKEN}/list").text
    assert [word for word in ("accepted", "rejected", "conflict") if word in listed] == []
    assert read_events(file)[-1] == parsed(json.loads(read_events(file)[-1].line()))
    applied = apply_verdicts(rows, row_verdicts(mine), layout=Layout()).dataset["train"]
    endings = [text.endswith("</s>") for text in applied["output"]]
    assert endings == firsts


def refusals(rows: DatasetDict) -> Any:
    """Two candidates for the first row, one for the second."""
    made = [
        (0, "Here is nothing.", "numbers_changed", ["A number is gone."]),
        (0, "Here are 2 apples.", "too_short", []),
        (1, "No.", "too_short truncated", []),
    ]
    return Dataset.from_list(
        [
            dict(
                zip(
                    REFUSED_COLUMNS,
                    ("train", row["row_id"], "output", row["output"], text, codes, found, "m1"),
                    strict=True,
                )
            )
            for k, text, codes, found in made
            for row in [rows["train"][k]]
        ]
    )


def test_a_refused_revision_is_taken_by_a_person(rows: DatasetDict, tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    desk = desk_of(rows, file, kind="refused", refused=refusals(rows), selection=Selection("refused"), now=clock())
    page = Page(desk)
    assert [word in page.text for word in ("A number is gone.", "numbers_changed", "candidate 1 of 2", "m1")] == [
        True
    ] * 4
    page.open("?candidate=1").press("accept")
    assert page.press("accept", hunk=[]).row == ""
    events = decided(file)
    assert [(event.verdict, event.texts, event.refused) for event in events] == [
        ("accept", {"output": "Here are 2 apples."}, "too_short"),
        ("reject", {}, "too_short truncated"),
    ]
    after = apply_verdicts(rows, row_verdicts(events), layout=Layout()).dataset["train"]
    assert after["output"][:2] == ["Here are 2 apples.", rows["train"][1]["output"]]


@pytest.mark.parametrize("answers", [str, lambda text: [{"role": "assistant", "content": text}]])
def test_of_two_answers_the_better_one_is_chosen(answers: Any, tmp_path: Path) -> None:
    asked = Dataset.from_list(
        [{**row, **{side: answers(row[side]) for side in ("chosen", "rejected")}} for row in PAIRS]
    )
    page = Page(desk_of(DatasetDict(train=asked), tmp_path / "v.jsonl", kind="row"))
    firsts = []
    while page.row:
        first, second = page.text.index("Apples number"), page.text.index("Stones number")
        firsts.append(first < second)
        page.press("second" if first < second else "first")
    assert set(firsts) == {True, False}
    events = decided(tmp_path / "v.jsonl")
    assert {event.verdict for event in events} == {"edit"}
    texts = [sorted(event.texts.items()) for event in events]
    assert [[text for _, text in found] for found in texts] == [[row["rejected"], row["chosen"]] for row in PAIRS]


def test_rows_that_nobody_revised_are_judged_and_edited(tmp_path: Path) -> None:
    same = [{"question": "Name a fruit.", "answer": f"An apple, {n % 2}.", "source": "mine"} for n in range(4)]
    page = Page(desk_of(DatasetDict(train=Dataset.from_list(same)), tmp_path / "v.jsonl", kind="row"))
    assert [word in page.text for word in ("Good as it is", "Reject", "mine")] == [True, False, True]
    page.press("accept")
    page.open(f"{page.row}/edit").press("edit", **{"text:answer": "A pear, 1."})
    page.open(page.row).press("return")
    events = decided(tmp_path / "v.jsonl")
    assert [event.verdict for event in events] == ["accept", "edit", "return"]
    assert [name.partition("-")[2] for name in (event.row_id for event in events)] == ["", "", "2"]
    assert events[1].texts == {"answer": "A pear, 1."}


def test_a_verdict_on_an_earlier_text_is_asked_for_again(rows: DatasetDict, tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    Page(desk_of(rows, file)).press("accept")
    changed = rows["train"].map(lambda row: {"output": row["output"] + " Enjoy."})
    page = Page(desk_of(DatasetDict(train=changed), file))
    assert page.row == rows["train"]["row_id"][0]
    assert "of an earlier text" in page.text
    assert page.desk.counts() == {"stale": 1, "todo": 7}
    page.press("accept")
    assert page.desk.counts() == {"accepted": 1, "todo": 7}


def test_a_broken_line_is_named_and_nothing_is_written(rows: DatasetDict, tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    page = Page(desk_of(rows, file, now=clock()))
    page.press("accept")
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"row_id": \n')
    assert page.press("reject").status == 400
    assert "line 2" in page.text
    assert file.read_bytes() == whole + b'{"row_id": \n'
    with pytest.raises(SourceError, match="line 2"):
        desk_of(rows, file)
    file.write_bytes(whole)  # repaired
    assert page.open(page.where).press("reject").status == 200


def test_a_file_that_goes_or_shrinks_is_said_and_nothing_goes_on_silently(rows: DatasetDict, tmp_path: Path) -> None:
    file, aside = tmp_path / "v.jsonl", tmp_path / "aside.jsonl"
    page = Page(desk_of(rows, file, now=clock()))
    page.press("accept")
    row = page.press("accept").row
    file.rename(aside)
    assert (page.press("reject").status, page.row) == (400, row)
    assert "Not saved: the file of decisions" in unescape(page.text)
    assert not file.exists()
    assert "is gone" in page.open("../list").text
    assert page.desk.counts() == {"accepted": 2, "todo": 6}
    assert page.undo().status == 400
    aside.rename(file)  # put back
    assert "is gone" not in page.open(f"row/{row}").text
    page.press("reject")
    assert page.desk.counts() == {"accepted": 2, "rejected": 1, "todo": 5}
    whole = file.read_bytes()
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))  # an older copy
    text = unescape(page.open("../list").text)
    assert "was replaced or shortened while you worked" in text
    assert "1 row that you decided; before, 3." in text
    assert page.desk.counts() == {"accepted": 1, "todo": 7}
    assert "was replaced" not in page.open("list").text  # said once
    assert page.open("./").press("reject").status == 200
    file.write_bytes(b"")  # emptied
    assert page.open("../list").desk.counts() == {"todo": 8}


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;",
        "</textarea><form id=decide action=//evil.example>",
        "\u202eevil\u2066\x00\x1b[31m\r\nlines\rends\n\n",
        "\n\nleading line ends, and a tab\t.",
    ],
)
def test_hostile_text_is_shown_and_comes_back_as_it_was(text: str, tmp_path: Path) -> None:
    ds = Dataset.from_list([{"instruction": text, "input": "", "output": text, "<i>": text}])
    page = Page(desk_of(DatasetDict(train=ds), tmp_path / "v.jsonl", kind="row"))
    for where in ("../list", f"row/{page.row}", f"{page.row}/edit"):
        page.open(where)
        for bad in ("<script>", "<img", "</textarea><form", "<i>:", *([] if "edit" in where else "\u202e\x1b")):
            assert bad not in page.text
    assert page.press("edit").row == ""
    (event,) = decided(tmp_path / "v.jsonl")
    assert (event.verdict, event.texts) == ("accept", {})


def test_a_row_of_a_megabyte_is_cut_and_can_be_read_whole(tmp_path: Path) -> None:
    text = "word " * 200_000 + "the end."
    ds = Dataset.from_list([{"instruction": "Write.", "input": "", "output": text}])
    page = Page(desk_of(DatasetDict(train=ds), tmp_path / "v.jsonl", kind="row"))
    assert ("the end." in page.text, len(page.text) < 300_000) == (False, True)
    assert "the end." in page.open("?whole=1").text
    page.open(f"{page.row}/edit").press(
        "edit", **{"text:output": text.replace("the end", "The end"), "reason": "case"}
    )
    assert decided(tmp_path / "v.jsonl")[0].texts["output"].endswith("The end.")


def test_many_rows_are_listed_by_page(tmp_path: Path) -> None:
    ds = Dataset.from_dict({"instruction": [f"Count {n}." for n in range(10_000)], "output": ["One."] * 10_000})
    page = Page(desk_of(DatasetDict(train=ds), tmp_path / "v.jsonl", kind="row"))
    assert page.open("../list?page=100").text.count('<a href="row/') == 100
    assert "Count 9999." in page.text
    assert page.open("list?q=count 77").text.count('<a href="row/') == 100
    assert "page 1 of 2" in page.text
    assert page.open("list?page=-1&q=%F0%9F&state=nonsense").status == 200


def test_an_event_of_somebody_else_on_no_row_is_no_harm(rows: DatasetDict, tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_text(Event("ffff", "accept", who="eva").line() + "\n")
    desk = desk_of(rows, tmp_path / "v.jsonl")
    assert desk.counts() == {"todo": 8}
    assert Page(desk).press("accept").status == 200
