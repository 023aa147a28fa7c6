"""The wire of the loopback Hub: HTTP/1.1 with threads, faults on request, a log; it knows nothing of repos."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

PATIENCE_S = 120  # for what takes milliseconds, and longer only on a machine that stands still


@dataclass
class Request:
    """One request as it came, and how it was answered."""

    method: str
    target: str  # as sent: quoted, with its query
    headers: Mapping[str, str]  # names in lower case
    body: bytes = field(repr=False)
    status: int | None = None  # None while it has no answer, and where the connection was dropped instead
    fault: Fault | None = None

    @property
    def path(self) -> str:
        """Unquoted, without the query."""
        return unquote(self.target.partition("?")[0])

    @property
    def segments(self) -> list[str]:
        """The parts of the path, each unquoted: a revision with a slash is one of them."""
        return [unquote(segment) for segment in self.target.partition("?")[0].strip("/").split("/")]

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    def flag(self, name: str) -> bool:
        return self.query.get(name, [""])[0].lower() in ("1", "true")

    @property
    def token(self) -> str | None:
        """The token that was sent."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind.lower() == "bearer" and token else None

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


@dataclass
class Response:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """A JSON answer."""
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, json.dumps(value).encode(), kind | dict(headers or {}))


@dataclass
class Fault:
    """What goes wrong, once, with requests that match; see `FakeHub.fail`."""

    method: str
    path: str
    nth: int = 1
    times: int | None = 1
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    cut: float | None = None
    until: threading.Event | None = None
    applied: bool = False
    seen: int = 0  # requests that matched
    struck: list[Request] = field(default_factory=list, repr=False)  # those that it failed
    reached: threading.Event = field(default_factory=threading.Event, repr=False)  # set when it strikes

    def strikes(self, request: Request) -> bool:
        """Whether this request is one of those to fail; counts it."""
        if not re.fullmatch(self.method, request.method) or not re.search(self.path, request.path):
            return False
        self.seen += 1
        last = None if self.times is None else self.nth + self.times
        if self.seen < self.nth or (last is not None and self.seen >= last):
            return False
        self.struck.append(request)
        return True

    def answer(self) -> Response:
        """The answer instead of the real one."""
        assert self.status is not None
        if isinstance(self.body, bytes):
            return Response(self.status, self.body, {"Content-Type": "text/plain", **self.headers})
        body = {"error": f"fault {self.status}"} if self.body is None else self.body
        return Response.of({"error": body} if isinstance(body, str) else body, self.status, self.headers)


Handle = Callable[[Request], Response]


class Wire(socketserver.ThreadingTCPServer):
    """Listens, and gives each request to `handle` unless a fault is in its way.

    Stopping it drops every connection and joins every thread, so nothing of it is left open.
    """

    allow_reuse_address = True
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, handle: Handle) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.handle = handle
        self.log: list[Request] = []
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.errors: list[BaseException] = []  # of the server itself; `stop` raises them
        self._open: set[socket.socket] = set()
        self._stopping = False
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="fake-hub")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self.shutdown()  # from here on no connection is accepted, and each accepted one is in `_open`
        self._thread.join(PATIENCE_S)
        with self.lock:
            for fault in self.faults:
                if fault.until is not None:
                    fault.until.set()
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        if self.errors:
            raise self.errors[0]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self.lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error; anything else is one of the server, kept until it stops."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.errors.append(error)

    def serve(self, request: Request, connection: socket.socket) -> bool:
        """Answer one request; False where the connection is not to be used again."""
        with self.lock:
            self.log.append(request)
            fault = next((fault for fault in self.faults if fault.strikes(request)), None)
            request.fault = fault
        if fault is None:
            return self._send(request, self.handle(request), connection)
        fault.reached.set()
        if fault.until is not None and not fault.until.wait(PATIENCE_S):
            raise RuntimeError(f"nobody let go of {request}")
        replaced = fault.reset or fault.status is not None
        response = self.handle(request) if fault.applied or not replaced else Response()
        if fault.reset:
            linger = struct.pack("ii", 1, 0)  # closing then sends RST
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            with self.lock:
                self._open.discard(connection)
            connection.close()
            return False
        if fault.status is not None:
            response = fault.answer()
        elif fault.headers:
            response.headers |= fault.headers
        return self._send(request, response, connection, fault.cut)

    def _send(self, request: Request, response: Response, connection: socket.socket, cut: float | None = None) -> bool:
        head = request.method == "HEAD"
        reason = http.client.responses.get(response.status, "Unknown")
        headers = {"Content-Length": str(len(response.body)), **response.headers}
        if response.status in (204, 304):
            del headers["Content-Length"]
        lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {text}" for name, text in headers.items())]
        whole = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        body = b"" if head or response.status in (204, 304) else response.body
        request.status = response.status
        connection.sendall(whole + (body if cut is None else body[: int(len(body) * cut)]))
        return cut is None


class _Connection(socketserver.StreamRequestHandler):
    server: Wire

    def handle(self) -> None:
        while not self.server._stopping and (request := self._read()) is not None:
            if not self.server.serve(request, self.connection):
                return

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def _read(self) -> Request | None:
        first = self.rfile.readline(65537).decode("latin-1").split()
        if len(first) != 3:
            return None
        headers = {name.lower(): text for name, text in http.client.parse_headers(self.rfile).items()}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            size = int(headers.get("content-length", 0))
            body = self.rfile.read(size)
            if len(body) < size:
                return None
        return Request(first[0], first[1], headers, body)

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data


def span(wanted: str, size: int) -> tuple[int, int]:
    """The bytes that a Range header asks for, the end excluded; empty where there are none."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted.strip())
    if not found or not any(found.groups()):
        return 0, size
    if not found[1]:
        return max(0, size - int(found[2])), size
    return int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
