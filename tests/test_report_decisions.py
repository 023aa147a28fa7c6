"""People decide about revisions on the report itself, without a server: the file that the browser saves is applied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, needs_chromium
from datasets import Dataset
from extras import needs

import hfclean
from hfclean.layout import Layout
from hfclean.report import compare
from hfclean.verdicts import describe, read_events

TEXTS = [*(f"row {n}</s>" for n in (1, 2, 2, 3, 4)), "a \"quoted\" <b>'row'</b></s>"]


@pytest.fixture
def raw() -> Dataset:
    return Dataset.from_list([{"instruction": "Go on.", "input": "", "output": text} for text in TEXTS])


@pytest.fixture
def page(raw: Dataset, tmp_path: Path) -> Iterator[Any]:
    """The report in a browser."""
    needs("test", "playwright")
    from playwright.sync_api import sync_playwright

    report = compare(raw, hfclean.clean(raw).dataset)
    (tmp_path / "report.html").write_text(report.to_html(folder="DIR"), encoding="utf-8")
    with sync_playwright() as drive:
        browser = drive.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(accept_downloads=True)
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((tmp_path / "report.html").as_uri())
        yield page
        browser.close()
    assert errors == []  # of the content security policy as well


def pressed(page: Any) -> list[str]:
    """What is decided about each row."""
    found = page.evaluate(
        "Array.from(document.querySelectorAll('#cards > .row'), (row) => "
        "row.querySelector('[aria-pressed=true]')?.value ?? '')"
    )
    return list(found)


def saved(page: Any, place: Path) -> Path:
    with page.expect_download() as download:
        page.click("[name=save]")
    download.value.save_as(place / download.value.suggested_filename)
    return place / str(download.value.suggested_filename)


@needs_chromium
def test_what_is_decided_on_the_page_is_applied(page: Any, raw: Dataset, tmp_path: Path) -> None:
    ids = page.evaluate("Array.from(document.querySelectorAll('#cards > .row'), (row) => row.dataset.id)")
    assert page.locator(".decide").count() == len(ids) == 6
    assert page.locator("[name=save]").is_disabled()
    page.keyboard.press("a")  # on no row
    for key in "jarfu":
        page.keyboard.press(key)
    assert pressed(page) == ["accept", "reject", "flag", "", "", ""]
    assert page.locator("[name=save]").inner_text() == "Save 3 decisions"
    for key in "ku":
        page.keyboard.press(key)
    assert pressed(page) == ["accept", "reject", "", "", "", ""]
    cards = page.locator("#cards > .row")
    cards.nth(3).locator("[value=accept]").click()
    for _ in range(2):  # the second click takes the first one back
        cards.nth(4).locator("[value=accept]").click()
    cards.nth(5).locator("[value=reject]").click()
    page.click("[name=save]")
    assert page.evaluate("document.activeElement.name") == "who"  # nobody has said who decides
    page.keyboard.type("anä/../b")
    first = saved(page, tmp_path)
    assert first.name == "anä_.._b.verdicts.jsonl"
    assert page.locator("[name=save]").is_disabled()

    events = read_events(first)
    assert [(ids.index(event.row_id), event.verdict) for event in events] == [
        *((0, "accept"), (1, "reject"), (2, "flag"), (2, "undo")),
        *((3, "accept"), (4, "accept"), (4, "undo"), (5, "reject")),
    ]
    assert [event.number for event in events] == [*range(1, 9)]
    assert {event.who for event in events} == {"anä/../b"}
    assert all((event.seconds is not None) == (k < 3) for k, event in enumerate(events))  # rows that keys led to
    done = hfclean.clean(raw).dataset
    by_id = {row["row_id"]: row for row in done}
    for event in events:
        if event.verdict != "undo":
            known = describe(by_id[event.row_id], event.verdict, Layout())
            assert (event.before, event.after, event.result) == (known.before, known.after, known.result)

    cards.nth(4).locator("[value=flag]").click()
    assert read_events(saved(page, tmp_path))[:8] == events
    applied = hfclean.apply_verdicts(done, [str(first), str(tmp_path / first.name)])
    assert applied.states == {"accepted": 2, "rejected": 2, "todo": 1, "flagged": 1}


@needs_chromium
def test_without_single_keys_no_key_decides(page: Any) -> None:
    page.evaluate("document.getElementById('keys').checked = false")
    page.locator("#cards > .row").first.focus()
    page.keyboard.press("a")
    assert pressed(page) == [""] * 6


def test_only_where_it_can_be_applied_something_is_decided(raw: Dataset) -> None:
    once = raw.map(hfclean.revise)
    plain = Dataset.from_list([{**row, "output": "row"} for row in raw])
    again = once.map(lambda row: {"output": f"{row['output']} again"})
    for before, after, count in ((raw, once, 6), (raw, plain, 0), (once, again, 0)):
        report = compare(before, after)
        assert len({edit.index for edit in report.edits if edit.text_hash}) == count
        html = report.to_html()
        assert html.count(" data-after=") == count
        assert ('name="save"' in html) == bool(count)
        assert json.loads(json.dumps(report.to_dict()))["edits"][0]["text_hash"] == report.edits[0].text_hash
