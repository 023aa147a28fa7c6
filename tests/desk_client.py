"""A desk on made rows, and a browser without scripts that asks its application directly."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from datasets import Dataset, DatasetDict

import hfclean
from hfclean.desk import Desk, Queue, Rows, Seat, Selection, desk_app
from hfclean.layout import Layout
from hfclean.verdicts import Event, VerdictLog, read_events

__all__ = ["NOON", "TOKEN", "Answer", "Page", "asked", "clock", "decided", "desk_of", "revised"]

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TOKEN = "a-token-that-nobody-guesses"
HOST = "127.0.0.1:8000"


def clock() -> Callable[[], datetime]:
    """Every look at it is a second later."""
    seconds = iter(range(1 << 20))
    return lambda: NOON + timedelta(seconds=next(seconds))


def revised(count: int = 8) -> DatasetDict:
    """Rows that the rules revised, each in two places of its answer."""
    rows = [
        {"instruction": f"Name {n} fruits.", "input": "", "output": f"Here are  {n} apples and {n} ripe pears.</s>"}
        for n in range(2, 2 + count)
    ]
    made = Dataset.from_list(rows).map(hfclean.revise, batched=True).map(hfclean.score, batched=True)
    return DatasetDict(train=made)


def decided(file: Path) -> list[Event]:
    """The events of a file without the claims."""
    return [event for event in read_events(file) if event.verdict != "claim"]


def desk_of(
    splits: Mapping[str, Any],
    path: Path,
    who: str = "ana",
    *,
    selection: Selection | None = None,
    now: Callable[[], datetime] | None = None,
    refused: Any = None,
    **settings: Any,
) -> Desk:
    rows = Rows(splits, Layout(), refused=refused)
    queue, seat = Queue(rows, selection or Selection()), Seat(**settings)
    if now is None:
        return Desk(rows, queue, VerdictLog(path, who), who, seat)
    return Desk(rows, queue, VerdictLog(path, who, now=now), who, seat, now=now)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def asked(
    app: Any,
    path: str,
    form: Sequence[tuple[str, str]] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request; a form is posted."""
    body = form if isinstance(form, bytes) else urlencode(form or ()).encode()
    parts = urlsplit(path)
    fields = {"host": HOST, **({"origin": f"http://{HOST}"} if form is not None else {}), **(headers or {})}
    scope = {
        "type": "http",
        "method": "GET" if form is None else "POST",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        "scheme": "http",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 5000),
    }
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await app(scope, receive, send)

    asyncio.run(run())
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))


@dataclass
class Page:
    """A person with a browser that runs no scripts."""

    desk: Desk
    where: str = f"/{TOKEN}/"
    answer: Answer = field(default_factory=lambda: Answer(0, {}, b""))
    app: Any = None

    def __post_init__(self) -> None:
        self.app = desk_app(self.desk, name="fruits", token=TOKEN)
        self.open(self.where)

    def open(self, where: str) -> Page:
        """Follow a link from here, and where that leads."""
        return self._came(urljoin(self.where, where), None)

    def press(self, verdict: str = "", **fields: Any) -> Page:
        """Send the form of the page with a button, the boxes that are checked, and what else is typed."""
        opening = re.search(r'<form id="decide"[^>]*action="([^"]+)"', self.text)
        assert opening
        form = [
            (name, unescape(value))
            for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.text)
        ]
        form += [(f"text:{place}", text) for place, text in self.fields().items() if f"text:{place}" not in fields]
        boxes = re.findall(r'<input type="checkbox" form="decide" name="hunk" value="([^"]*)"([^>]*)>', self.text)
        form += [("hunk", unescape(value)) for value, more in boxes if " checked" in more and "hunk" not in fields]
        form += [("hunk", each) for each in fields.pop("hunk", ())]
        form = [(name, value) for name, value in form if name not in fields]
        form += [("verdict", verdict)] if verdict else []
        return self._came(urljoin(self.where, opening[1]), [*form, *fields.items()])

    def undo(self) -> Page:
        return self._came(f"/{TOKEN}/undo", [])

    def fields(self) -> dict[str, str]:
        """What the fields hold in which texts are edited."""
        found = re.findall(r'<textarea [^>]*name="text:([^"]*)"[^>]*>\n(.*?)</textarea>', self.text, re.DOTALL)
        return {unescape(place): unescape(text) for place, text in found}

    def _came(self, where: str, form: list[tuple[str, str]] | None) -> Page:
        self.where, self.answer = where, asked(self.app, where, form)
        while "location" in self.answer.headers:
            self.where = urljoin(self.where, self.answer.headers["location"])
            self.answer = asked(self.app, self.where)
        return self

    @property
    def text(self) -> str:
        return self.answer.text

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def row(self) -> str:
        """The id of the row that is shown; empty on other pages."""
        found = re.search(r"/row/([^/?]+)", self.where)
        return found[1] if found else ""
