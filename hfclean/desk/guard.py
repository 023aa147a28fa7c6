"""The guard: who may ask the desk. A page of another site may not, nor a name that somebody points at this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from secrets import compare_digest
from typing import Any
from urllib.parse import urlsplit

from hfclean.errors import SourceError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # none at all, and a browser would not say either where a form comes from
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SEGMENTS = 64  # of a path, among which the token is looked for


class Guard:
    """Answers nobody but who knows the token, under the names of this machine, from pages of the desk itself.

    Args:
        app: what is guarded; it sees the path behind the token.
        token: a part of every address.
        origins: further origins under which the desk is reached, such as that of a proxy: `https://example.org`.

    Raises:
        SourceError: an origin that is none.
    """

    def __init__(self, app: App, token: str, origins: Collection[str] = ()) -> None:
        self._app, self._token = app, token
        self._origins, self._hosts = set[str](), set[str]()
        for origin in origins:
            found = urlsplit(origin)
            if found.scheme not in ("http", "https") or not found.netloc or found.path.strip("/") or "@" in origin:
                raise SourceError(f"{origin!r} is not an origin; expected https://example.org")
            self._origins.add(f"{found.scheme}://{found.netloc}".lower())
            self._hosts.add(found.netloc.lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        segments = scope["path"].split("/")[1:SEGMENTS]
        token = self._token.encode()
        at = next(
            (n for n, each in enumerate(segments) if compare_digest(each.encode("utf-8", "replace"), token)), None
        )
        wrong = self._wrong(scope, headers)
        if wrong or at is None:
            await _say(answer, 403, wrong or "The address lacks the token of this desk: open the one that it printed.")
        elif at == len(segments) - 1:  # relative addresses need the slash
            await _say(answer, 307, "", {"location": f"{self._token}/"})
        else:
            path = "/" + "/".join(segments[at + 1 :])
            await self._app({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, receive, answer)

    def _wrong(self, scope: Scope, headers: dict[str, str]) -> str:
        """Why a request is not answered, whatever its address."""
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        if not (_name_of(host) in LOCAL or host in self._hosts):
            return "This desk is not known under that name; name its origin when it is started: --origin."
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return "Another site asked for this page; open the address that the desk printed."
        if scope["method"] in ("GET", "HEAD"):
            return ""
        if origin is None and "sec-fetch-site" not in headers:
            return (
                "" if "cookie" not in headers and "referer" not in headers else "The request does not say its origin."
            )
        if origin is not None and origin.lower() not in (f"http://{host}", *self._origins):
            return "Another site sent this; nothing was done."
        return ""


def _name_of(host: str) -> str:
    """A host without its port."""
    return host[: host.rfind(":")] if host.rfind(":") > host.rfind("]") else host


async def _say(send: Send, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    fields = {"content-type": "text/plain; charset=utf-8", **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": text.encode()})
