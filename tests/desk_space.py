"""A Space of the desk on the loopback Hub: its container, run here, and people with browsers that keep cookies."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

from fake_hub import FakeHub
from test_docs_pages import ROOT

__all__ = ["SPACE", "Container", "Visitor", "by_https"]

SPACE = "me/desk"


class Container:
    """What the Hub runs for a Space: the command of its Dockerfile, with the environment that it gives.

    Args:
        hub: where the Space is.
        home: the disk of the container.
        every: seconds between two commits.
        more: over the environment.
    """

    def __init__(
        self, hub: FakeHub, home: Path, *, every: float = 3600, more: Mapping[str, str] | None = None
    ) -> None:
        home.mkdir(exist_ok=True)
        dockerfile = hub.repo(SPACE, "space").at().blobs["Dockerfile"].data.decode()
        found = re.search(r"^CMD (.*)$", dockerfile, re.MULTILINE)
        assert found
        words = json.loads(found[1])
        assert (words[0], words[3], words[5]) == ("python", "--port", "--every")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        words = [sys.executable, *words[1:4], str(self.port), "--every", str(every)]
        outside = {
            name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE", "OMP_NUM_THREADS") if name in os.environ
        }
        self.environment = hub.container(SPACE)
        self.host = self.environment["SPACE_HOST"]
        environment = {
            **outside,
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "HF_ENDPOINT": hub.url,
            "HF_HUB_DISABLE_XET": "1",
            **self.environment,
            **(more or {}),
        }
        self.hub = hub
        self.process = subprocess.Popen(
            words, stdout=-1, stderr=-1, text=True, env={k: v for k, v in environment.items() if v}, cwd=home
        )

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def end(self) -> tuple[int, str]:
        """End it as the Hub does; gives the exit code and what it said of errors."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.communicate(timeout=60)


class Visitor:
    """A person with a browser without scripts, which keeps cookies of the Space and follows links and redirects.

    Args:
        container: the Space, which is behind the address `https://{SPACE_HOST}`.
        name: as who the browser is signed in on the Hub; empty for as nobody.
    """

    def __init__(self, container: Container, name: str = "") -> None:
        self.container, self.name = container, name
        self.cookies: dict[str, str] = {}
        self.where, self.status, self.text = f"https://{container.host}/", 0, ""
        self.headers: dict[str, str] = {}

    def open(self, where: str, form: list[tuple[str, str]] | None = None, **headers: str) -> Self:
        """Follow a link from here, or send a form, and what that leads to."""
        site = "none" if not self.text else "same-origin"
        for _ in range(9):
            self.where = urljoin(self.where, where)
            self._ask(self.where, form, {"Sec-Fetch-Site": site, **headers})
            if "location" not in self.headers:
                return self
            where, form = self.headers["location"], None
            if urlsplit(urljoin(self.where, where)).netloc != urlsplit(self.where).netloc:
                site = "cross-site"  # and so it stays through all redirects that follow
        raise AssertionError("redirected for ever")

    def sign_in(self) -> Self:
        return self.open(f"https://{self.container.host}/").follow().follow()

    def follow(self) -> Self:
        """Follow the link of the page."""
        found = re.search(r'<a class="go" href="([^"]+)"', self.text)
        assert found, self.text
        return self.open(unescape(found[1]))

    def press(self, verdict: str, **fields: str) -> Self:
        """Decide about the row that is shown."""
        found = re.search(r'<form id="decide"[^>]*action="([^"]+)"', self.text)
        assert found, self.text
        seen = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.text)
        form = [(name, unescape(value)) for name, value in seen if name not in fields]
        boxes = re.findall(r'<input type="checkbox" form="decide" name="hunk" value="([^"]*)"([^>]*)>', self.text)
        form += [("hunk", unescape(value)) for value, more in boxes if " checked" in more]
        return self.open(found[1], [*form, *fields.items(), ("verdict", verdict)])

    def _ask(self, where: str, form: list[tuple[str, str]] | None, headers: Mapping[str, str]) -> None:
        parts = urlsplit(where)
        of_space = parts.netloc == self.container.host
        cookies = self.cookies if of_space else ({"hub": self.name} if self.name else {})
        sent: dict[str, Any] = {"Host": parts.netloc, **headers}
        if cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        if form is not None:
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{parts.netloc}"}
            sent |= headers
        place = ("127.0.0.1", self.container.port) if of_space else (str(parts.hostname), parts.port)
        connection = HTTPConnection(*place, timeout=60)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request("GET" if form is None else "POST", path, None if form is None else urlencode(form), sent)
        answer = connection.getresponse()
        self.status, self.text = answer.status, answer.read().decode()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        for kept in answer.headers.get_all("set-cookie", []):
            name, _, rest = kept.partition("=")
            value, *attributes = (part.strip() for part in rest.split(";"))
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes)
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        connection.close()

    @property
    def row(self) -> str:
        """The id of the row that is shown; empty on other pages."""
        found = re.search(r"/row/([^/?]+)", self.where)
        return found[1] if found else ""


@contextmanager
def by_https(container: Container, folder: Path) -> Iterator[int]:
    """A port of this machine at which a container is reached as the Hub shows it: by https."""
    place = [str(folder / name) for name in ("key.pem", "certificate.pem")]
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    subprocess.run([*words, "-keyout", place[0], "-out", place[1]], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place[1], place[0])

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection("127.0.0.1", container.port)
        await asyncio.gather(carry(reader, behind[1]), carry(behind[0], writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
