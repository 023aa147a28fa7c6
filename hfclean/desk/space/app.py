"""App: who signed in with the Hub, and may, gets a desk of their own; everybody else is told how to get there.

The Hub shows a Space in a frame. In it stands a plain page with a link, which opens the Space in a tab of its own:
there alone browsers keep the cookie, and the desk answers no other site's frame.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from copy import copy
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import digest
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hfclean.desk.desk import Desk
from hfclean.desk.guard import App, Receive, Scope, Send
from hfclean.desk.pages import asset, render
from hfclean.desk.planting import plant
from hfclean.desk.queue import Queue
from hfclean.desk.rows import Rows
from hfclean.desk.server import desk_app
from hfclean.desk.space.sessions import Signer, same
from hfclean.desk.space.settings import Environment, Person
from hfclean.desk.space.sign_in import CALLBACK, Provider
from hfclean.errors import HfcleanError
from hfclean.hub.failures import HubAccessError, HubError
from hfclean.verdicts.log import VerdictLog

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

SESSION, STATE = "__Host-desk", "__Host-sign-in"  # such cookies come from this host alone, and by https
SESSION_S, STATE_S = 8 * 3600, 600  # as long as the Hub's own sessions of a Space; long enough to say yes
DESKS = 64  # that are held at once; one that is not is made again from the file
COOKIE = "Path=/; Secure; HttpOnly; SameSite=Lax"
LONGEST_CODE = 2_000
SIGN_IN, OPEN = "Sign in with Hugging Face", "Open the desk"


@dataclass(frozen=True)
class Content:
    """What people decide about.

    Attributes:
        rows: the dataset.
        queue: the rows that are gone through.
        name: what the dataset is called.
        price: what a revision took, in words.
        verdicts: the file of decisions.
        notice: what people should know; empty for nothing.
    """

    rows: Rows
    queue: Queue
    name: str
    price: str
    verdicts: Path
    notice: Callable[[], str] = field(repr=False, default=str)


def space_app(
    environment: Environment, content: Content, *, now: Callable[[], float] = time.time
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The Space as an ASGI application.

    Args:
        environment: of its container.
        content: what people decide about.
        now: the clock, in seconds of the epoch.
    """
    from starlette.routing import Route, Router

    space = _Space(environment, content, now)
    routes = [
        Route("/", space.first),
        Route("/sign-in", space.sign_in),
        Route(CALLBACK, space.signed_in),
        Route("/sign-out", space.sign_out, methods=["POST"]),
        Route("/desk.css", space.style),
    ]
    return Router(routes, redirect_slashes=False, default=space.desk)


class _Space:
    """One method an address, and the desks of people."""

    def __init__(self, environment: Environment, content: Content, now: Callable[[], float]) -> None:
        self.environment, self.content, self.now = environment, content, now
        self.settings = environment.settings
        self.provider, self.signer = Provider(environment), Signer(environment.client_secret)
        self._desks: OrderedDict[tuple[str, str], App] = OrderedDict()
        self._lock = asyncio.Lock()
        hub = urlsplit(environment.provider)
        self._frames = f"'self' {hub.scheme}://{hub.netloc}"

    # ---------------------------------------------------------------------------------------------------- signing in

    async def first(self, request: Request) -> Response:
        person = self._person(request.headers.get("cookie", ""))
        if person is None or not self.settings.role(person):
            text = "The desk opens in a tab of its own, for people who may review, once they have signed in."
            link = f"{self.environment.origin}/sign-in"
            return self._page("People decide", [text], link=link, label=SIGN_IN, frames=self._frames)
        text = f"You are signed in as {person.name}. Decisions carry the name {self._who(person)}."
        link = f"{self.environment.origin}/{self._token(person)}/"
        title = f"People decide: {self.content.name}"
        return self._page(title, [text], link=link, label=OPEN, signed_in=True, frames=self._frames)

    async def sign_in(self, request: Request) -> Response:
        from starlette.responses import Response

        state = token_urlsafe(32)
        try:
            where = await self.provider.address(state, self._verifier(state))
        except HubError as e:
            return self._again(f"Nobody can sign in now: {e}.", 503)
        kept = self.signer.seal(STATE, {"state": state}, self.now() + STATE_S)
        cookie = f"{STATE}={kept}; Max-Age={STATE_S}; {COOKIE}"
        return Response(
            status_code=303, headers={"location": where, "set-cookie": cookie, "cache-control": "no-store"}
        )

    async def signed_in(self, request: Request) -> Response:
        state, code = (request.query_params.get(name, "") for name in ("state", "code"))
        kept = self.signer.opened(STATE, _cookie(request.headers.get("cookie", ""), STATE), self.now())
        if kept is None or not same(str(kept.get("state")), state):
            return self._again("This sign-in was not begun in this browser, or longer ago than ten minutes.", 400)
        if not code or len(code) > LONGEST_CODE:
            return self._again("The Hub did not say who you are: the sign-in was declined there.", 403)
        try:
            person = await self.provider.person(code, self._verifier(state))
        except HubAccessError as e:
            return self._again(f"You are not signed in: {e}.", 403)
        except HubError as e:
            return self._again(f"Nobody can sign in now: {e}.", 503)
        if not self.settings.role(person):
            text = f"{person.name} is not among those who may review here. Ask whoever made this Space to add you."
            return self._page("Not for you", [text], 403, link="/sign-in", label="Sign in as somebody else")
        # of all organizations, those that count here: a cookie is short
        organizations = self.settings.counted(person, (*self.settings.reviewers, *self.settings.owners))
        data = {"id": person.id, "name": person.name, "organizations": organizations}
        sealed = self.signer.seal(SESSION, data, self.now() + SESSION_S)
        # a page and not a redirect: to a browser that would still be a visit from the Hub's site
        page = self._page(
            f"Welcome, {person.name}",
            [f"Decisions carry the name {self._who(person)}. You stay signed in for eight hours."],
            link=f"/{self._token(person)}/",
            label=OPEN,
            apart=False,
        )
        page.headers.append("set-cookie", f"{SESSION}={sealed}; Max-Age={SESSION_S}; {COOKIE}")
        page.headers.append("set-cookie", f"{STATE}=; Max-Age=0; {COOKIE}")
        return page

    async def sign_out(self, request: Request) -> Response:
        if request.headers.get("origin", "").lower() not in self.environment.origins:
            return self._page("Still signed in", ["Another site sent this; nothing was done."], 403)
        page = self._page("Signed out", [], link="/sign-in", label=SIGN_IN, apart=False)
        page.headers.append("set-cookie", f"{SESSION}=; Max-Age=0; {COOKIE}")
        return page

    async def style(self, request: Request) -> Response:
        from starlette.responses import Response

        return Response(asset("desk.css"), media_type="text/css")

    def _verifier(self, state: str) -> str:
        """The secret of a sign-in: this container need not remember it, and the next one knows it too."""
        return self.signer.name("verifier", state)

    # ------------------------------------------------------------------------------------------------------ the desks

    async def desk(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The desk of who is signed in; its own guard looks at everything else."""
        if scope["type"] != "http":
            return
        cookies = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
        answer = await self._answering(self._person(cookies))
        await answer(scope, receive, send)

    async def _answering(self, person: Person | None) -> Any:
        if person is None:
            text = (
                "You are not signed in, or no longer, and nothing was saved. What you typed stays in your browser: "
                "sign in, in a new tab, then come back and save it here."
            )
            return self._page("Sign in", [text], 401, link="/sign-in", label=SIGN_IN)
        if not self.settings.role(person):
            return self._page("Not for you", [f"{person.name} is not among the people who may review here."], 403)
        try:
            return await self._desk_of(person)
        except (HfcleanError, OSError) as e:
            return self._page("The desk does not open", [f"The rows or the decisions cannot be read: {e}"], 500)

    async def _desk_of(self, person: Person) -> App:
        key = person.id, person.name
        async with self._lock:
            if key not in self._desks:
                self._desks[key] = await asyncio.to_thread(self._new_desk, person)
            self._desks.move_to_end(key)
            while len(self._desks) > DESKS:
                self._desks.popitem(last=False)
            return self._desks[key]

    def _new_desk(self, person: Person) -> App:
        content, who = self.content, self._who(person)
        rows, queue = content.rows, copy(content.queue)
        queue.put(content.queue.numbers.tolist())
        seat = self.settings.seat(self.settings.role(person), is_revised=rows.is_revised)
        if self.settings.gold and not seat.owner:
            rows = plant(rows, queue, self.settings.gold, who)
        desk = Desk(rows, queue, VerdictLog(content.verdicts, who), who, seat)
        return desk_app(
            desk,
            name=content.name,
            token=self._token(person),
            origins=self.environment.origins,
            price=content.price,
            notice=content.notice,
        )

    def _token(self, person: Person) -> str:
        """What the addresses of a person's desk have in them, also after the container began again."""
        return self.signer.name("desk", person.id)

    def _who(self, person: Person) -> str:
        """The name that a person's decisions carry."""
        if self.settings.named:
            return person.name
        return f"person-{digest(self.environment.people_key.encode(), person.id.encode(), sha256).hex()[:8]}"

    # -------------------------------------------------------------------------------------------------------- answers

    def _person(self, cookies: str) -> Person | None:
        data = self.signer.opened(SESSION, _cookie(cookies, SESSION), self.now())
        if data is None:
            return None
        return Person(str(data["id"]), str(data["name"]), tuple(map(str, data["organizations"])))

    def _again(self, text: str, status: int) -> Response:
        return self._page("Not signed in", [text], status, link="/sign-in", label="Try again", apart=False)

    def _page(
        self,
        title: str,
        texts: list[str],
        status: int = 200,
        *,
        link: str = "",
        label: str = "",
        apart: bool = True,
        signed_in: bool = False,
        frames: str = "'none'",
    ) -> Response:
        """A page; with `apart`, its link opens a tab."""
        from starlette.responses import HTMLResponse

        html = render(
            "space/page.html.jinja",
            title=title,
            texts=texts,
            link=link,
            label=label,
            apart=apart,
            signed_in=signed_in,
        )
        headers: MutableMapping[str, str] = {
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
            f"base-uri 'none'; frame-ancestors {frames}",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(html, status, headers)


def _cookie(header: str, name: str) -> str:
    """A cookie of a request; empty where there is none."""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
