"""The Space in a browser: from the frame on the Hub into a tab of its own, and what was typed outlives a sign-out."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import which

import pytest
from browser import CHROMIUM, needs_chromium
from desk_space import SPACE, Container, by_https
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cli import main

needs("review", "starlette", "uvicorn")
pytestmark = [
    needs_chromium,
    pytest.mark.skipif(sys.platform == "win32" or which("openssl") is None, reason="needs openssl, for https"),
]

ROWS = [{"instruction": f"Name {n} fruits.", "output": f"Here are {n} ripe pears.</s>"} for n in range(2, 5)]


def test_a_person_comes_from_the_frame_on_the_hub(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("test", "playwright")
    from playwright.sync_api import sync_playwright

    hfclean.clean(ROWS).save(tmp_path / "cleaned")
    monkeypatch.setenv("TOKEN_OF_SPACE", fake_hub.token)
    words = ["--quiet", "--space", SPACE, "--space-token-env", "TOKEN_OF_SPACE", "--reviewer", "ana"]
    assert main(["review", str(tmp_path / "cleaned"), *words]) == 0
    fake_hub.people = {"ana": {}}
    with (
        Container(fake_hub, tmp_path / "home") as container,
        by_https(container, tmp_path) as port,
        sync_playwright() as drive,
    ):
        address = f"https://{container.host}/"
        browser = drive.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                f"--host-resolver-rules=MAP {container.host} 127.0.0.1:{port}",
                "--disable-features=LocalNetworkAccessChecks",  # the page on the Hub is a made one, on no machine
            ],
        )
        person = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 844})
        on_hub = {"name": "hub", "value": "ana", "url": fake_hub.url}
        person.add_cookies([on_hub])  # type: ignore[list-item]
        page, errors = person.new_page(), list[str]()
        framed = f'<iframe src="{address}" width="100%" height="600"></iframe>'
        page.route("**/framed", lambda route: route.fulfill(body=framed, content_type="text/html"))
        page.goto(f"{fake_hub.url}/framed")
        with person.expect_page() as opened:
            page.frame_locator("iframe").get_by_role("link").click()
        tab = opened.value
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.wait_for_url(f"{address}login/callback?**")
        tab.set_viewport_size({"width": 390, "height": 844})
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        tab.click("a.go")
        tab.wait_for_url("**/row/**")
        tab.keyboard.press("a")
        tab.get_by_text("Row 1: accepted").wait_for()
        tab.keyboard.press("e")
        tab.locator("textarea").last.fill("Two figs.")
        person.clear_cookies()
        tab.keyboard.press("Control+Enter")
        tab.get_by_text("You are not signed in, or no longer, and nothing was saved.").wait_for()
        assert tab.locator("textarea").last.input_value() == "Two figs."
        person.add_cookies([on_hub])  # type: ignore[list-item]
        with person.expect_page() as opened:
            tab.locator("#status a.go").click()
        opened.value.wait_for_url(f"{address}login/callback?**")
        tab.locator("textarea").last.press("Control+Enter")
        tab.get_by_text("nothing was saved").wait_for(state="detached")
        assert errors == []
        browser.close()
        assert container.end() == (0, "")
    verdicts = fake_hub.repo(f"{SPACE}-verdicts", "dataset").at().blobs["verdicts.jsonl"].data.decode()
    assert (verdicts.count('"accept"'), verdicts.count("Two figs.")) == (1, 1)
