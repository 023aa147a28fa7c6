"""The page of `spaces/clean`: rows pasted into it come back as a report and a folder."""

from __future__ import annotations

import io
import runpy
import socket
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from browser import CHROMIUM, needs_chromium
from datasets import load_dataset
from extras import needs
from test_docs_pages import ROOT

needs("space", "starlette", "uvicorn")

ROWS = '{"instruction": "Greet <b>me</b>.", "input": "", "output": "Hi!</s>"}\n'


@pytest.fixture(scope="module")
def space() -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of a server that runs the page, and the names of its module."""
    import uvicorn

    names = runpy.run_path(str(ROOT / "spaces" / "clean" / "app.py"))
    with socket.socket() as listening, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(names["app"], log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", names
        server.should_exit = True
        thread.join()


def asked(address: str, body: bytes | None = None) -> tuple[int, str, bytes]:
    """Status, address after redirects, body."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body)) as answer:
            return answer.status, answer.url, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.url, error.read()


def test_pasted_rows_come_back_as_a_report_and_a_folder(space: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    status, result, page = asked(space[0], b"rows=" + quote(ROWS).encode())
    assert status == 200
    assert b'<iframe sandbox="allow-scripts"' in page
    _, _, report = asked(f"{result}/report.html")
    assert b"chat_markers" in report
    assert b"<b>me</b>" not in report
    with zipfile.ZipFile(io.BytesIO(asked(f"{result}/cleaned.zip")[2])) as archive:
        archive.extractall(tmp_path)
    assert load_dataset(str(tmp_path / "cleaned"), split="train")["output"][:] == ["Hi!"]
    for name in ("rows.jsonl", "..%2Frows.jsonl", "cleaned", "hfclean.json"):
        assert asked(f"{result}/{name}")[0] == 404
    results = space[1]["app"].state.results
    for k in range(space[1]["RESULTS"]):
        results.found[str(k)] = space[1]["Result"](tmp_path / str(k), -1e9 if k else 1e18)
    assert asked(result)[0] == 404  # newer ones came
    assert list(results.found) == ["0"]  # and those are old
    assert [path.name for path in results.root.iterdir()] == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "No rows"),
        (b"rows=" + quote('{"<i>').encode(), 400, "line 1 is not valid JSON"),
        (b"rows=" + b"a" * (1 << 20 | 1), 413, "1024 kB"),
        (b"rows=" + b"%41" * (1 << 20 | 1), 413, "1024 kB"),
    ],
)
def test_what_cannot_be_cleaned_is_said(
    space: tuple[str, dict[str, Any]], body: bytes, status: int, said: str
) -> None:
    found, _, page = asked(space[0], body)
    assert (found, said in page.decode(), b"<i>" in page) == (status, True, False)


@needs_chromium
def test_a_person_presses_the_button(space: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    needs("test", "playwright")
    from playwright.sync_api import sync_playwright

    (tmp_path / "mine.jsonl").write_text(ROWS)
    with sync_playwright() as drive:
        browser = drive.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page()
        asked_for: list[str] = []
        page.on("request", lambda request: asked_for.append(request.url))
        page.goto(space[0])
        page.set_input_files("#file", tmp_path / "mine.jsonl")
        page.wait_for_function("document.getElementById('rows').value.includes('Greet')")
        page.click("button")
        page.wait_for_url("**/results/*")
        frame = page.frame_locator("iframe")
        assert frame.get_by_text("chat_markers").count() > 0
        assert page.locator("[role=alert]").count() == 0
        browser.close()
    assert all(url.startswith(space[0]) for url in asked_for)
