"""Planted rows at the desk: where they stand, that nothing tells them apart; they are counted, never applied."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from chat_server import ChatServer, Received, Reply
from desk_client import TOKEN, Page, clock
from extras import needs
from test_desk_space_refused import NOW, SIGNER, VARIABLES, cookie, visited

import hfclean
from hfclean.cli import main
from hfclean.desk import Desk, Queue, Rows, Seat, Selection, plant
from hfclean.desk.space.app import SESSION, Content, space_app
from hfclean.desk.space.settings import Environment, SpaceSettings
from hfclean.errors import SourceError
from hfclean.folder import read_folder
from hfclean.models import Limits, process
from hfclean.reviser.codec import encode
from hfclean.schema import Pair
from hfclean.verdicts import Event, VerdictLog, read_events, verdicts_path

needs("review", "starlette", "uvicorn")

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
COUNT = 22
WRONG = range(1, COUNT, 2)
TELLING = ("wrong_sum", "refused", "reverted", "gate", "not there before", "planted", "gold")


def answer(request: Received, _: int = 0) -> Reply:
    """A wrong sum for some rows."""
    k = int(re.findall(r"farm (\d+)\?", request.content)[-1])
    return Reply(
        encode(Pair(f"How many cows has farm {k}?", "", f"Farm {k} has 12 + 7 = {21 if k in WRONG else 19} cows."))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    rows = [
        {"instruction": f"How many cows has farm {k}?", "input": "", "output": f"farm {k} has 12 + 7 = 19 cows</s>"}
        for k in range(COUNT)
    ]
    with pytest.MonkeyPatch.context() as patch, ChatServer(default=answer) as server:
        patch.setenv("HFCLEAN_HOME", str(tmp_path_factory.mktemp("home")))
        reviser = hfclean.Reviser("tiny", base_url=server.url, limits=Limits(retries=0, backoff_s=0.001))
        place = tmp_path_factory.mktemp("desk") / "cleaned"
        hfclean.clean(rows, reviser=(hfclean.revise, reviser)).save(place)
        process.close()
        yield place


def read(folder: Path) -> Any:
    return read_folder(folder, cache_dir=str(folder.parent / "cache"))


def seated(
    folder: Path,
    file: Path,
    who: str = "ana",
    *,
    gold: float = 0.2,
    selection: Selection | None = None,
    now: Callable[[], Any] | None = None,
    **settings: Any,
) -> Desk:
    cleaned = read(folder)
    rows = Rows(dict(cleaned.dataset), cleaned.layout, refused=cleaned.refused)
    queue = Queue(rows, selection or Selection())
    if gold:
        rows = plant(rows, queue, gold, who)
    now = now or clock()
    return Desk(rows, queue, VerdictLog(file, who, now=now), who, Seat(**settings), now=now)


def order(desk: Desk) -> list[str]:
    return [desk.rows.ids[int(number)] for number in desk.queue.numbers]


@pytest.mark.parametrize(("gold", "count"), [(0.1, 2), (0.3, 4), (1, 11)])
def test_they_stand_at_the_same_places_whenever_a_person_comes(
    gold: float, count: int, folder: Path, tmp_path: Path
) -> None:
    first, again, other = (seated(folder, tmp_path / "v", who, gold=gold) for who in ("ana", "ana", "ben"))
    real = {row["row_id"] for row in read(folder).dataset["train"]}
    assert order(first) == order(again)
    assert (len(order(first)), len(first.rows.planted)) == (COUNT - len(WRONG) + count, count)
    assert set(first.rows.planted) == set(order(first)) - real
    assert (set(order(first)), order(first) == order(other)) == (set(order(other)), False)
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in first.rows.planted)


@pytest.mark.parametrize("selection", [Selection("all"), Selection("revised", rule="reviser")])
def test_the_row_of_a_planted_revision_is_not_in_the_queue(selection: Selection, folder: Path, tmp_path: Path) -> None:
    desk = seated(folder, tmp_path / "v", gold=1, selection=selection)
    under = {desk.rows.ids[number] for number in desk.rows.planted.values()}
    assert len(under) == len(WRONG)
    assert set(order(desk)) & under == set()
    assert len(order(desk)) == COUNT


@pytest.mark.parametrize("settings", [{}, {"blind": True}, {"doubled": 1.0}, {"without": 1.0}])
def test_nothing_on_a_page_tells_them_apart(settings: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    desk = seated(folder, tmp_path / "v", **settings)
    page = Page(desk)
    name = next(iter(desk.rows.planted))
    number = desk.rows.planted[name]

    def like(name: str) -> str:
        """A page without what differs from row to row."""
        text = page.open(f"/{TOKEN}/row/{name}").text
        text = re.sub(r"(?s)<nav.*?</nav>|(?<=<code>response</code>).*?</div></div>", "", text)
        return re.sub(r"[0-9a-f]{16}|\b\d+(\.\d+)?\b", "N", text)

    shown = page.open(f"/{TOKEN}/row/{name}").text
    if "blind" in settings:
        assert ("= 19 cows" in shown, "= 21 cows" in shown, "<del>" in shown) == (True, True, False)
        return
    assert "<del>19</del><ins>21</ins>" in shown
    assert [word for word in TELLING if word in shown] == []
    assert f"train, row {number}<" in shown
    if "without" not in settings:
        revised = next(each for each in order(desk) if each not in desk.rows.planted)
        assert like(name) == like(revised)
    assert [word for word in TELLING if word in page.open(f"/{TOKEN}/row/{name}/edit").text] == []
    checked = page.open(f"/{TOKEN}/row/{name}/edit").press("check").text
    assert "The checks take this text." in checked
    wrong = page.press("check", **{"text:output": ""}).text
    assert ("The checks take this text." in wrong, "number_changed" in wrong) == (False, False)
    listed = page.open(f"/{TOKEN}/list?q=farm {number}?").text
    assert listed.count('<a href="row/') == 1
    assert name in listed


def test_a_decision_is_written_as_gold_undone_and_everybody_s_own(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    now = clock()
    ana, ben = (seated(folder, file, who, now=now) for who in ("ana", "ben"))
    first, second, _ = sorted(ana.rows.planted)
    page = Page(ana).open(f"/{TOKEN}/row/{first}").press("accept")
    assert (ana.state(first), ana.left) == ("accepted", len(ana.queue) - 1)
    page.undo()
    assert (page.row, ana.state(first), ana.left) == (first, "todo", len(ana.queue))
    page.press("reject")
    other = Page(ben).open(f"/{TOKEN}/row/{first}")
    assert ("ana" in other.text, ben.state(first), ben.left) == (False, "todo", len(ben.queue))
    other.press("accept")
    assert (ana.state(first), ben.state(first)) == ("rejected", "accepted")
    again = seated(folder, file)
    assert (again.state(first), again.left) == ("rejected", len(again.queue) - 1)
    events = [
        (event.who, event.row_id, event.verdict, event.gold) for event in read_events(file) if event.verdict != "claim"
    ]
    assert {event.row_id for event in read_events(file) if event.verdict == "claim"} & set(ana.rows.planted) == set()
    assert events == [
        ("ana", first, "accept", True),
        ("ana", first, "undo", True),
        ("ana", first, "reject", True),
        ("ben", first, "accept", True),
    ]
    owner = seated(folder, file, "oda", gold=0, owner=True, controlled=1.0)
    assert (owner.left, second in order(owner)) == (0, False)


def test_they_are_counted_for_each_person_and_never_applied(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, now = tmp_path / "v.jsonl", clock()
    for who, verdict in (("ana", "reject"), ("ben", "accept")):
        desk = seated(folder, file, who, gold=1, doubled=1.0, now=now)
        page = Page(desk)
        while page.row:
            page.press(verdict if page.row in desk.rows.planted else "accept")
    assert main(["verdicts", "report", str(file), "--folder", str(folder), "--names", "--json"]) == 0
    people = {each["name"]: each for each in json.loads(capsys.readouterr().out)["people"]}
    real = COUNT - len(WRONG)
    found = {who: (each["decided"], each["gold"]["value"], each["gold"]["count"]) for who, each in people.items()}
    assert found == {"ana": (real, 1.0, len(WRONG)), "ben": (real, 0.0, len(WRONG))}
    assert main(["apply", str(folder), str(file), "--out", str(tmp_path / "applied"), "--quiet"]) == 0
    assert "21 cows" not in str(read(tmp_path / "applied").dataset["train"].to_list())
    before, after = (read(place).dataset["train"] for place in (folder, tmp_path / "applied"))
    assert before["output"] == after["output"]
    assert ["accepted" in reason.split() for reason in after["edit_reason"]] == [k not in WRONG for k in range(COUNT)]


def test_a_desk_plants_what_it_is_told_to_and_says_where_it_cannot(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hfclean.cli import review

    monkeypatch.setattr(review, "_serve", lambda app, _: None)
    hfclean.clean([{"instruction": "Name a fruit.", "output": "An apple.</s>"}]).save(tmp_path / "rules")
    for words, code, said in (
        ([str(folder), "--gold", "0.2"], 0, '"rows": 14, "open": 14'),
        ([str(folder)], 0, '"rows": 11, "open": 11'),
        ([str(folder), "--gold", "2"], 2, "expected a share from 0 to 1"),
        ([str(folder), "--gold", "0.2", "--role", "owner"], 2, "an owner is shown no planted rows"),
        ([str(folder), "--gold", "0.2", "--refused"], 2, "every revision was refused"),
        ([str(tmp_path / "rules"), "--gold", "0.2"], 1, "no wrong revision can be planted"),
    ):
        try:
            found = main(["review", "--no-browser", "--quiet", "--json", "--as", "ana", *words])
        except SystemExit as e:
            found = e.code
        shown = capsys.readouterr()
        assert (found, said in " ".join((shown.out + shown.err).split())) == (code, True), (words, shown)
    assert not verdicts_path(folder).exists()


def test_a_refusal_of_another_text_is_not_planted(folder: Path) -> None:
    cleaned = read(folder)
    changed = cleaned.dataset.map(lambda row: {"output": row["output"] + " Count again."})
    rows = Rows(dict(changed), cleaned.layout, refused=cleaned.refused)
    with pytest.raises(SourceError, match="no wrong revision can be planted"):
        plant(rows, Queue(rows, Selection()), 0.5, "ana")


def test_an_event_on_a_planted_row_is_none_of_a_desk_that_plants_none(folder: Path, tmp_path: Path) -> None:
    desk = seated(folder, tmp_path / "v.jsonl")
    Page(desk).open(f"/{TOKEN}/row/{next(iter(desk.rows.planted))}").press("flag")
    plain = seated(folder, tmp_path / "v.jsonl", gold=0)
    assert (plain.left, len(plain.queue), plain.rows.planted) == (COUNT - len(WRONG), COUNT - len(WRONG), {})
    assert isinstance(read_events(tmp_path / "v.jsonl")[0], Event)


def test_a_space_plants_them_for_each_person_and_for_no_owner(folder: Path, tmp_path: Path) -> None:
    cleaned, file = read(folder), tmp_path / "verdicts.jsonl"
    settings = SpaceSettings("me/rows", "me/verdicts", ("ana", "ben"), ("oda",), gold=0.2, doubled=1.0)
    environment = Environment.of({**VARIABLES, "HFCLEAN_DESK": settings.text()})
    rows = Rows(dict(cleaned.dataset), cleaned.layout, refused=cleaned.refused)
    queue = Queue(rows, Selection())
    app = space_app(environment, Content(rows, queue, "cows", "", file), now=lambda: NOW)
    planted = {}
    for name in ("ana", "ben", "oda"):
        where, kept = f"/{SIGNER.name('desk', f'id-{name}')}/", f"{SESSION}={cookie(name)}"
        answer = visited(app, where, kept)
        while "/row/" in f"/{answer.headers['location']}":
            where = urljoin(where, answer.headers["location"]).partition("?")[0]
            answer = visited(app, where, kept, [("verdict", "reject")])
        events = read_events(file)
        planted[name] = [event.row_id for event in events if event.gold and event.who == events[-1].who]
        assert len({event.who for event in events}) == len(planted)
    assert [len(names) for names in planted.values()] == [3, 3, 0]
    assert sorted(queue.numbers.tolist()) == sorted(Queue(rows, Selection()).numbers.tolist())
