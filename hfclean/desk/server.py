"""The server: the addresses of the desk. What is sent to it is bounded, and answered with a page in every case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from hfclean.desk.choices import Choice, as_theirs, refusals, theirs
from hfclean.desk.desk import Desk
from hfclean.desk.guard import App, Guard
from hfclean.desk.listing import listed
from hfclean.desk.pages import FILES, SHOWN, asset, compared, parts_of, render
from hfclean.desk.tasks import Task
from hfclean.errors import SourceError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MOST_BYTES = 64 << 20  # of one decision: a form spells a byte as three
MOST_FIELDS = 20_000
NO_ROOM = 507
BOX = re.compile(r"[^\n]{1,10000}:[0-9]{1,9}")
KEYS = (
    ("a", "accept: the text is right, with the changes that are checked"),
    ("r", "reject: the original stands"),
    ("1 … 9", "take or leave one change; of two answers, which is better"),
    ("e", "edit"),
    ("t", "to be revised again"),
    ("d", "exclude: the row does not belong in the data; needs a reason"),
    ("x", "skip: no opinion"),
    ("f", "flag: somebody should look"),
    ("u", "undo the last decision"),
    ("j, k", "next and previous undecided row"),
    ("/", "search"),
    ("?", "this page"),
)
PAST = {
    "accept": "accepted",
    "edit": "edited",
    "reject": "rejected",
    "return": "to be revised again",
    "exclude": "excluded",
    "skip": "skipped",
    "flag": "flagged",
    "undo": "open again",
}


WORDS = {
    "accept": "The text is right as it stands here.",
    "reject": "The original stands.",
    "return": "It is to be revised again.",
    "exclude": "The row does not belong in the data.",
    "skip": "No opinion.",
    "flag": "Somebody should look before anything is done.",
}


def desk_app(
    desk: Desk,
    *,
    name: str,
    token: str,
    origins: Collection[str] = (),
    price: str = "",
    record: Path | None = None,
    notice: Callable[[], str] = str,
) -> App:
    """The desk as an ASGI application.

    Args:
        desk: one person at a queue.
        name: what the dataset is called.
        token: a part of every address, which nobody can guess.
        origins: see `Guard`.
        price: what a revision took, in words.
        record: a file that is another one once the dataset was written anew.
        notice: what every page is to say besides; empty for nothing.
    """
    from starlette.routing import Route, Router

    pages = _Pages(desk, name, price, record, notice)
    routes = [
        Route("/", pages.first),
        Route("/row/{row}", pages.row),
        Route("/row/{row}", pages.decide, methods=["POST"]),
        Route("/row/{row}/edit", pages.edit),
        Route("/row/{row}/edit", pages.decide, methods=["POST"]),
        Route("/undo", pages.undo, methods=["POST"]),
        Route("/list", pages.listing),
        Route("/done", pages.done),
        Route("/help", pages.help),
        Route("/{file}", pages.file),
    ]
    return Guard(Router(routes, redirect_slashes=False), token, origins)


class _Pages:
    """One method an address. What takes milliseconds is done at once, for which no thread is woken."""

    def __init__(self, desk: Desk, name: str, price: str, record: Path | None, notice: Callable[[], str]) -> None:
        self.desk, self.name, self.price, self.record, self.notice = desk, name, price, record, notice
        self.began = _stamp(record)

    # -------------------------------------------------------------------------------------------------------- reading

    async def first(self, request: Request) -> Response:
        alert = self._refreshed()
        position = self._next(-1)
        if alert or position is None:
            return self._page("done.html.jinja", "./", alert=alert)
        return _to(f"row/{self._name_at(position)}")

    async def row(self, request: Request) -> Response:
        alert = self._refreshed()
        task = self._task(request.path_params["row"], request.query_params.get("candidate"))
        if task is None:
            return self._missing("../")
        whole = request.query_params.get("whole") == "1"
        try:
            self.desk.claim(task.row_id)
        except (SourceError, OSError) as e:
            alert = f"Others are not told that you look at this row: {_words(e)}"
        return self._row(task, alert=alert, said=self._said(request.query_params.get("from")), whole=whole)

    async def edit(self, request: Request) -> Response:
        alert = self._refreshed()
        task = self._task(request.path_params["row"], request.query_params.get("candidate"))
        if task is not None and task.kind == "blind":  # what is edited there would show which text is the revision
            return _to(f"../{quote(task.row_id)}")
        return self._missing("../../") if task is None else self._edit(task, {}, "../../", alert=alert)

    def listing(self, request: Request) -> Response:
        alert = self._refreshed()
        found = listed(self.desk, request.query_params)
        return self._page("list.html.jinja", "./", alert=alert, **found)

    async def done(self, request: Request) -> Response:
        return self._page(
            "done.html.jinja", "./", alert=self._refreshed(), said=self._said(request.query_params.get("from"))
        )

    async def help(self, request: Request) -> Response:
        return self._page("help.html.jinja", "./", keys=KEYS)

    async def file(self, request: Request) -> Response:
        from starlette.responses import Response

        name = request.path_params["file"]
        return Response(asset(name), media_type=FILES[name]) if name in FILES else self._missing("./")

    # ------------------------------------------------------------------------------------------------------- deciding

    async def decide(self, request: Request) -> Response:
        return await self._posted(request, self._decide)

    async def undo(self, request: Request) -> Response:
        return await self._posted(request, self._undo)

    async def _posted(self, request: Request, answer: Callable[[Request, Mapping[str, str]], Response]) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BYTES:
                alert = f"More than {MOST_BYTES >> 20} MB were sent; nothing was saved."
                return self._page("done.html.jinja", "../", 413, alert=alert)
        try:
            pairs = parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            return self._page("done.html.jinja", "../", 400, alert="The form cannot be read; nothing was saved.")
        boxes = [value for key, value in pairs if key == "hunk"]
        if not all(BOX.fullmatch(value) for value in boxes):
            return self._page("done.html.jinja", "../", 400, alert="The form cannot be read; nothing was saved.")
        return answer(request, dict(pairs) | {"hunk": "\n".join(boxes)})

    def _decide(self, request: Request, fields: Mapping[str, str]) -> Response:
        base = "../../" if request.url.path.endswith("/edit") else "../"
        task = self._task(request.path_params["row"], fields.get("candidate"))
        if task is None:
            return self._missing(base)
        if task.kind == "blind" and base == "../../":
            return _to(f"../{quote(task.row_id)}")
        typed = _typed(task, fields)
        if fields.get("verdict") == "check":
            return self._edit(task, fields, base, texts=typed, refused=refusals(task, typed), checked=True)
        again = self._row if base == "../" else self._edit
        try:
            choice = self._choice(task, fields, typed)
            decided = self.desk.decide(task, choice)
        except OSError as e:
            alert = f"Not saved: {_words(e)}. Nothing that you typed is lost; make room and press the key again."
            return again(task, fields=fields, base=base, texts=typed, alert=alert, status=NO_ROOM)
        except (SourceError, ValueError) as e:
            return again(task, fields=fields, base=base, texts=typed, alert=f"Not saved: {e}", status=400)
        if decided.refused:
            return self._edit(task, fields, base, texts=decided.texts, refused=decided.refused, status=422)
        if decided.event is None:
            alert = "Not saved: somebody decided this row meanwhile. Look at both; to keep yours as well, save again."
            return again(task, fields=fields, base=base, texts=typed, alert=alert, status=409)
        position = self.desk.queue.position(task.number)
        following = self._next(-1 if position is None else position)
        where = "done" if following is None else f"row/{self._name_at(following)}"
        return _to(f"{base}{where}?from={quote(task.row_id)}")

    def _undo(self, request: Request, fields: Mapping[str, str]) -> Response:
        try:
            event = self.desk.undo()
        except (SourceError, OSError) as e:
            alert = f"Not undone: {_words(e)}"
            return self._page("done.html.jinja", "./", NO_ROOM if isinstance(e, OSError) else 400, alert=alert)
        if event is None:
            return self._page("done.html.jinja", "./", 404, alert="You decided nothing that could be undone.")
        return _to(f"row/{quote(event.row_id)}?from={quote(event.row_id)}")

    def _choice(self, task: Task, fields: Mapping[str, str], typed: Mapping[str, str]) -> Choice:
        """What a person wants, of what the form holds.

        Raises:
            ValueError: it holds something else.
        """
        seconds = fields.get("seconds", "")
        looked = min(float(seconds), 86_400.0) if seconds.replace(".", "", 1).isdecimal() else None
        more: dict[str, Any] = {"seconds": looked, "seen": fields.get("seen")}
        if who := fields.get("take"):
            event = next((each for each in self.desk.standing(task.row_id) if each.who == who), None)
            if event is None:
                raise ValueError("what was to be taken was undone meanwhile")
            return as_theirs(task, event, reason=fields.get("reason", ""), **more)
        if who := fields.get("back"):
            return Choice("return", reason=fields.get("reason", ""), to=who, **more)
        return Choice(fields.get("verdict", ""), _checked(fields), typed, fields.get("reason", ""), **more)

    # ---------------------------------------------------------------------------------------------------------- pages

    def _next(self, position: int) -> int | None:
        """The next row for this person."""
        try:
            return self.desk.take(position)
        except (SourceError, OSError):  # its page says that others are not told of it
            return self.desk.following(position)

    def _refreshed(self) -> str:
        """Read what others wrote; gives what is wrong with it."""
        try:
            self.desk.refresh()
        except (SourceError, OSError) as e:
            return f"Decisions are not read: {_words(e)}"
        if self.desk.notice:
            alert, self.desk.notice = self.desk.notice, ""
            return alert
        if _stamp(self.record) != self.began:
            return (
                "The dataset was written anew since this desk began: end it, and start it again to see the new rows."
            )
        return ""

    def _task(self, name: str, candidate: str | None) -> Task | None:
        number = self.desk.rows.find(name)
        if number is None:
            return None
        return self.desk.task(number, candidate=int(candidate) if candidate and candidate[:6].isdecimal() else 0)

    def _name_at(self, position: int) -> str:
        return quote(self.desk.rows.ids[int(self.desk.queue.numbers[position])])

    def _said(self, name: str | None) -> str:
        """What was just done, for those who do not see that the page is another one."""
        number = self.desk.rows.find(name) if name else None
        if name is None or number is None:
            return ""
        mine = self.desk.mine(name)
        is_blind = self.desk.seat.blind and mine is not None and mine.verdict in ("accept", "edit", "reject")
        done = "decided" if is_blind else PAST[mine.verdict if mine else "undo"]
        position = self.desk.queue.position(number)
        return f"Row {1 + position if position is not None else name}: {done}. u undoes."

    def _row(
        self,
        task: Task,
        *,
        fields: Mapping[str, str] | None = None,
        base: str = "../",
        texts: Mapping[str, str] | None = None,
        alert: str = "",
        said: str = "",
        whole: bool = False,
        status: int = 200,
    ) -> Response:
        queue = self.desk.queue
        position = queue.position(task.number)
        here = -1 if position is None else position
        before, after = queue.previous_open(max(here, 0)), self.desk.following(here)
        return self._page(
            "row.html.jinja",
            base,
            status,
            alert=alert,
            said=said,
            task=task,
            position=here,
            state=self.desk.shown_state(task.row_id),
            standing=self._standing(task),
            claimed="" if self.desk.is_alone(task.row_id) else self.desk.claimed_by(task.row_id),
            seen=self.desk.seen(task.row_id),
            parts=parts_of(task, _checked(fields or {}), whole=whole),
            sides=task.sides,
            is_long=not whole and any(len(text.shown) + len(text.before) > SHOWN // 4 for text in task.texts),
            before=None if before is None or before == here else self._name_at(before),
            after=None if after is None or after == here else self._name_at(after),
            reason=(fields or {}).get("reason", ""),
            price=self.price,
        )

    def _edit(
        self,
        task: Task,
        fields: Mapping[str, str],
        base: str,
        *,
        texts: Mapping[str, str] | None = None,
        refused: tuple[str, ...] = (),
        checked: bool = False,
        alert: str = "",
        status: int = 200,
    ) -> Response:
        texts = texts or {}
        position = self.desk.queue.position(task.number)
        shown = [
            (text, texts.get(text.place, text.filled(task.kind))) for text in task.texts if text.places and text.whole
        ]
        read = [(text.name, text.shown) for text in task.texts if not (text.places and text.whole) and text.shown]
        return self._page(
            "edit.html.jinja",
            base,
            status,
            alert=alert,
            task=task,
            position=-1 if position is None else position,
            state=self.desk.state(task.row_id),
            standing=self._standing(task) if alert else [],
            seen=self.desk.seen(task.row_id),
            fields=shown,
            read=read,
            refused=refused,
            checked=checked and not refused,
            reason=fields.get("reason", ""),
        )

    def _standing(self, task: Task) -> list[dict[str, Any]]:
        """What stands of the row, with what each would make of its texts; of a blind row, which text was better."""
        if task.kind == "blind":
            return [
                {"event": event, "stale": self.desk.is_stale(event), "verdict": "decided", "texts": []}
                | {"words": f"Text {'A' if is_first else 'B'} is better." if event.first else ""}
                for event in self.desk.visible(task.row_id)
                for is_first in [(event.verdict == "accept") == (task.first == "revision")]
            ]
        return [
            {
                "event": event,
                "verdict": event.verdict,
                "stale": self.desk.is_stale(event),
                "words": WORDS.get(event.verdict, ""),
                "texts": [
                    (text.name, compared(text.before, texts[text.place]))
                    for text in task.texts
                    if text.places and texts[text.place] != text.before
                ],
            }
            for event in self.desk.visible(task.row_id)
            for texts in [theirs(task, event)]
        ]

    def _missing(self, base: str) -> Response:
        return self._page(
            "done.html.jinja", base, 404, alert="There is no such row or page; go on with the first open row."
        )

    def _page(self, template: str, base: str, status: int = 200, **content: Any) -> Response:
        from starlette.responses import HTMLResponse

        desk = self.desk
        counts = Counter[str]() if desk.seat.blind else desk.counts()
        shared = {
            "base": base,
            "name": self.name,
            "who": desk.who,
            "owner": desk.seat.owner,
            "counts": counts,
            "total": len(desk.queue),
            "left": desk.left,
            "query": "",
            "said": "",
            "alert": "",
            "blind": desk.seat.blind,
            "file": desk.log.path.name,
            "notice": self.notice(),
        }
        return HTMLResponse(render(template, **(shared | content)), status)


def _stamp(record: Path | None) -> tuple[int, int]:
    """What tells a file from another one of its name."""
    try:
        found = record.stat() if record else None
    except OSError:
        found = None
    return (found.st_ino, found.st_mtime_ns) if found else (0, 0)


def _words(error: Exception) -> str:
    """What went wrong."""
    return str(getattr(error, "strerror", None) or error)


def _to(where: str) -> Response:
    from starlette.responses import Response

    return Response(status_code=303, headers={"location": where})


def _typed(task: Task, fields: Mapping[str, str]) -> dict[str, str]:
    """What a person typed, by place."""
    found = {}
    for text in task.texts:
        sent = fields.get(f"text:{text.place}") if text.places and text.whole else None
        if sent is not None:
            found[text.place] = text.typed(sent)
    return found


def _checked(fields: Mapping[str, str]) -> dict[str, tuple[int, ...]] | None:
    """Place -> numbers of the changes that are checked; None for a form without boxes."""
    if not fields.get("hunks"):
        return None
    found: dict[str, tuple[int, ...]] = {}
    for value in filter(None, fields.get("hunk", "").split("\n")):
        place, _, number = value.rpartition(":")
        found[place] = (*found.get(place, ()), int(number))
    return found
