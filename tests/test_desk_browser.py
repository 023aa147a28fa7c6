"""The desk in a browser: people who only press keys decide, edit, undo and settle; what they typed survives."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, needs_chromium
from datasets import DatasetDict
from desk_client import TOKEN, clock, decided, desk_of, revised
from extras import needs

from hfclean.desk import Desk, desk_app

needs("review", "starlette", "uvicorn")
pytestmark = needs_chromium

ROWS = 60


@contextmanager
def served(desk: Desk, port: int = 0, token: str = TOKEN) -> Iterator[str]:
    """The address of a desk."""
    import uvicorn

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()
        app = desk_app(desk, name="fruits", token=token)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def rows() -> DatasetDict:
    return revised(ROWS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    needs("test", "playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as drive:
        found = drive.chromium.launch(executable_path=CHROMIUM)
        yield found
        found.close()


class Person:
    """Somebody in front of a page, who presses keys and waits until the next one is there."""

    def __init__(self, browser: Any, address: str, **settings: Any) -> None:
        self.page = browser.new_context(**settings).new_page()
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.evaluate("() => { window.shown = document.querySelector('main'); }")
            self.page.keyboard.press(key)
            self.page.wait_for_function("() => document.querySelector('main') !== window.shown")

    @property
    def row(self) -> int:
        """The number of the row in the queue, from 1; 0 on another page."""
        words = self.page.locator("main h1").inner_text().replace("Edit row", "Row")
        return int(words.split()[1]) if words.startswith("Row ") else 0


def test_two_people_decide_sixty_rows_with_keys(rows: DatasetDict, browser: Any, tmp_path: Path) -> None:
    file, now, ids = tmp_path / "v.jsonl", clock(), rows["train"]["row_id"]
    first, second = (desk_of(rows, file, who, now=now) for who in ("ana", "ben"))
    with served(first) as one, served(second) as other:
        ana, ben = Person(browser, one), Person(browser, other)
        assert (ana.row, ben.row) == (1, 2)
        ben.page.goto(f"{other}row/{ids[0]}")
        assert "ana is at this row" in ben.page.locator("main").inner_text()
        ana.press("a")
        assert ana.row == 3  # the second is ben's
        ben.press("r")  # the same row
        assert "ana" in ben.page.locator(".standing").inner_text()
        ben.press("r")  # and all the same
        assert first.state(ids[0]) in ("accepted", "conflict")
        ana.press("u")
        assert ana.row == 1
        ana.press("a", "a")
        assert "Not saved" not in ana.page.locator("main").inner_text()
        assert second.state(ids[0]) == first.state(ids[0]) == "conflict"
        ana.page.keyboard.press("2")  # leaves one change out
        assert ana.page.locator("#status").inner_text().startswith("Left out")
        ana.press("a")
        ana.press("e")
        ana.page.locator("textarea").last.fill("")
        ana.press("Control+Enter")
        assert "empty_response" in ana.page.locator("[role=alert]").inner_text()
        ana.page.locator("textarea").last.fill("Here are some apples and some ripe pears.")
        ana.page.locator("[name=reason]").fill("no numbers")
        ana.press("Control+Enter")
        people = [ana, ben]
        for k in range(200):
            person = people[k % 2]
            if not person.row:
                break
            person.press("axfar"[k % 5])
        assert ana.page.locator("h1").inner_text() == "Nothing is left to decide"
        ana.press("u")
        assert ana.row > 0
        ana.press("a")
        assert ana.errors == ben.errors == []
        assert all(url.startswith(one) or url == "data:," for url in ana.asked)
    events = decided(file)
    assert {event.row_id for event in events} == set(ids)
    edits = [event for event in events if event.verdict == "edit"]
    assert (edits[0].hunks, edits[0].texts["output"].endswith("</s>")) == ({"output": (0,)}, True)
    assert (edits[1].reason, edits[1].texts) == (
        "no numbers",
        {"output": "Here are some apples and some ripe pears."},
    )
    assert all(event.seconds is not None for event in events if event.verdict != "undo")
    again = desk_of(rows, file, "ana", now=now)
    assert (again.left, again.counts()) == (0, first.counts())
    owner = desk_of(rows, file, "oda", owner=True, controlled=0.0, now=now)
    assert owner.left == owner.counts()["conflict"] + owner.counts()["flagged"]
    with served(owner) as address:
        oda = Person(browser, address)
        oda.page.get_by_role("button", name="Take ben").click()
        oda.page.wait_for_url("**/row/*from=*")
    assert owner.state(ids[0]) == "rejected"


def test_what_was_typed_survives_a_desk_that_ends(rows: DatasetDict, browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    with served(desk_of(rows, file)) as address:
        ana = Person(browser, address)
        ana.press("e")
        ana.page.locator("textarea").last.fill("Here are 2 apples and 2 pears.")
        ana.page.locator("[name=reason]").fill("shorter")
    ana.page.keyboard.press("Control+Enter")
    ana.page.wait_for_function("() => document.getElementById('status').textContent.includes('nothing was saved')")
    assert ana.page.locator("textarea").last.input_value() == "Here are 2 apples and 2 pears."
    port = int(address.split(":")[2].split("/")[0])
    with served(desk_of(rows, file), port, "another-token") as address:
        ana.page.keyboard.press("Control+Enter")
        ana.page.wait_for_function("() => document.getElementById('status').textContent.includes('token')")
        ana.page.goto(address)
        ana.press("e")
        assert ana.page.locator("textarea").last.input_value() == "Here are 2 apples and 2 pears."
        ana.page.locator("[name=reason]").fill("shorter")
        ana.press("Control+Enter")
        assert (ana.row, ana.page.evaluate("Object.keys(localStorage).filter(k => k.startsWith('draft')).length")) == (
            2,
            0,
        )
    assert [event.texts for event in decided(file)] == [{"output": "Here are 2 apples and 2 pears."}]


def test_it_works_without_scripts_and_says_what_is_what(rows: DatasetDict, browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    with served(desk_of(rows, file)) as address:
        page = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}).new_page()
        page.goto(address)
        page.locator("[name=hunk]").first.uncheck()
        page.get_by_role("button", name="Accept").click()
        assert page.locator("h1").inner_text() == "Row 2 of 60"
        page.get_by_role("link", name="Edit").click()
        page.locator("textarea").last.fill("Here are 3 apples and 3 pears.")
        page.locator("[name=reason]").fill("shorter")
        page.get_by_role("button", name="Save").click()
        assert page.locator("h1").inner_text() == "Row 3 of 60"
        page.get_by_role("button", name="Undo").click()
        assert page.locator("h1").inner_text() == "Row 2 of 60"
    assert [event.verdict for event in decided(file)] == ["edit", "edit", "undo"]
    with served(desk_of(rows, file)) as address:
        page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        names = page.evaluate(
            "Array.from(document.querySelectorAll('button:not([disabled]), input:not([type=hidden]), a, textarea'))"
            ".filter(e => !(e.ariaLabel || e.innerText.trim() || "
            "e.labels && e.labels.length && e.labels[0].innerText)).length"
        )
        assert (names, page.locator("main h1:focus").count()) == (0, 1)
        small = page.evaluate(
            "Array.from(document.querySelectorAll('.acts button, .acts a')).filter("
            "e => e.getBoundingClientRect().height < 44).length"
        )
        assert small == 0


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("scripts", [True, False])
def test_enter_behind_a_reason_decides_nothing(
    scripts: bool, blind: bool, rows: DatasetDict, browser: Any, tmp_path: Path
) -> None:
    file = tmp_path / "v.jsonl"
    with served(desk_of(rows, file, blind=blind)) as address:
        page = browser.new_context(java_script_enabled=scripts).new_page()
        page.goto(address)
        page.locator("[name=reason]").fill("needs a picture")
        page.locator("[name=reason]").press("Enter")
        assert page.locator("[name=reason]").input_value() == "needs a picture"
        page.locator("button[value=exclude]").click()
        page.get_by_text("Row 2", exact=False).first.wait_for()
    assert [(event.verdict, event.reason) for event in decided(file)] == [("exclude", "needs a picture")]
