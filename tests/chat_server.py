"""A chat server on loopback that answers as it is told: well, or with one of the faults that real servers have.

    with ChatServer(replies={"Name a fruit.": [Reply(status=500), Reply("An apple.")]}) as server:
        spec = ModelSpec("tiny", base_url=server.url)
    assert server.counts["Name a fruit."] == 2

It counts requests by content (the last message). As a program it is the other end of the benchmarks:

    python tests/chat_server.py --delay 0.05
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

PATIENCE_S = 120  # for what takes milliseconds, and longer only on a machine that stands still


@dataclass(frozen=True)
class Reply:
    """One reply.

    Args:
        text: the answer, where the reply is a chat completion.
        status: HTTP status; with one of 400 or more, `text` is the error's message.
        finish_reason: of the completion.
        headers: to add.
        body: the whole body, instead of a completion.
        delay_s: wait so long before replying.
        cut: send only so much of the body, then close the connection.
        reset: close the connection at once, without a reply.
        hang: never reply.
        together: hold it back until so many are held, or until `release` is called; then all of them go out.
        code: of an error.
        usage: tokens read and written; None to say nothing of them.
    """

    text: str = "ok"
    status: int = 200
    finish_reason: str = "stop"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    delay_s: float = 0.0
    cut: float | None = None
    reset: bool = False
    hang: bool = False
    together: int = 0
    code: str = ""
    usage: tuple[int, int] | None = (7, 3)

    def encode(self, model: str) -> bytes:
        """The reply as it goes over the wire."""
        body = self.body
        if body is None and self.status >= 400:
            body = json.dumps({"error": {"message": self.text, "code": self.code or None, "param": None}}).encode()
        if body is None:
            reply: dict[str, Any] = {
                "id": "x",
                "object": "chat.completion",
                "model": model,
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": self.text},
                        "finish_reason": self.finish_reason,
                    }
                ],
            }
            if self.usage is not None:
                read, written = self.usage
                reply["usage"] = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
            body = json.dumps(reply).encode()
        lines = [f"HTTP/1.1 {self.status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **self.headers}.items()]
        whole = "\r\n".join([*lines, "", ""]).encode() + body
        return whole if self.cut is None else whole[: len(whole) - len(body) + int(len(body) * self.cut)]


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def content(self) -> str:
        """What the last message says; of a request for a completion, its prompt."""
        content: str = self.body["prompt"] if "prompt" in self.body else self.body["messages"][-1]["content"]
        return content


Script = Callable[[Received, int], Reply]


class ChatServer:
    """The server; a context manager that serves from a thread of its own.

    Args:
        replies: by content, one reply after the other; the last one for ever. Others get `default`.
        default: a reply, or a function of the request and of how often its content has come.
        model: the name that the server gives itself.
        port: to listen at; 0 for a free one.
    """

    def __init__(
        self,
        replies: Mapping[str, Sequence[Reply] | Reply] | None = None,
        *,
        default: Reply | Script = Reply(),
        model: str = "tiny",
        port: int = 0,
    ) -> None:
        self.replies = {k: [v] if isinstance(v, Reply) else list(v) for k, v in (replies or {}).items()}
        self.default = default
        self.model = model
        self.port = port
        self.counts: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()  # contents to which a good reply was handed to the kernel
        self.received: list[Received] = []
        self.open = 0
        self.most_open = 0
        self.on_request: Callable[[Received], None] = lambda _: None
        self._loop = asyncio.new_event_loop()
        self._connections: set[_Connection] = set()
        self._left = asyncio.Event()  # nobody is connected
        self._left.set()
        self._came = threading.Condition()
        self._held: list[tuple[_Connection, Reply, Received]] = []
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def reply_to(self, request: Received) -> Reply:
        """What this request gets."""
        content = request.content
        self.counts[content] += 1
        with self._came:
            self.received.append(request)
            self._came.notify_all()
        self.on_request(request)
        if content in self.replies:
            found = self.replies[content]
            return found[min(self.counts[content], len(found)) - 1]
        return self.default if isinstance(self.default, Reply) else self.default(request, self.counts[content])

    async def start(self) -> None:
        """Listen; for a loop that is there already."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def __enter__(self) -> Self:
        ready = threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self.start())
            ready.set()
            self._loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.received) >= count, PATIENCE_S)

    def release(self) -> None:
        """Let go of the replies that are held back; from any thread."""
        self._loop.call_soon_threadsafe(self.send_held)

    def send_held(self) -> None:
        """Send the replies that are held back; on the loop of the server."""
        held, self._held = self._held, []
        for connection, reply, request in held:
            connection.send(reply, request)

    def hold(self, connection: _Connection, reply: Reply, request: Received) -> None:
        """Hold a reply back until there are enough of them."""
        self._held.append((connection, reply, request))
        if len(self._held) >= reply.together:
            self.send_held()

    def wait_until_left(self) -> None:
        """Wait until every client has hung up: what they had sent is counted by then."""

        async def left() -> None:
            await self._left.wait()

        asyncio.run_coroutine_threadsafe(left(), self._loop).result(PATIENCE_S)

    def stop(self) -> None:
        """Listen no more, and drop every connection."""
        if self._thread is None:
            return

        async def close() -> None:
            assert self._server is not None
            while accepting := asyncio.all_tasks() - {asyncio.current_task()}:  # a closed server drops their sockets
                await asyncio.wait(accepting)
            self._server.close()
            while self._connections:
                for connection in tuple(self._connections):
                    connection.transport.abort()
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()
        self._thread = None


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, server: ChatServer) -> None:
        self.server = server
        self.buffer = b""
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server._connections.add(self)
        self.server._left.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self.server._connections.discard(self)
        if not self.server._connections:
            self.server._left.set()
        if self.busy:
            self.server.open -= 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", 0))
        if len(rest) < size:
            return
        self.buffer = rest[size:]
        self.busy = True
        server = self.server
        server.open += 1
        server.most_open = max(server.most_open, server.open)
        request = Received(first.split()[1], headers, json.loads(rest[:size] or b"{}"))
        if request.path not in ("/v1/chat/completions", "/v1/completions"):
            self.send(Reply(f"no such path: {request.path}", status=404), request)
            return
        reply = server.reply_to(request)
        if reply.hang:
            return
        if reply.reset:
            self.transport.abort()
        elif reply.together:
            server.hold(self, reply, request)
        elif reply.delay_s:
            asyncio.get_running_loop().call_later(reply.delay_s, self.send, reply, request)
        else:
            self.send(reply, request)

    def send(self, reply: Reply, request: Received) -> None:
        if self.transport.is_closing():
            return
        self.busy = False
        self.server.open -= 1
        self.transport.write(reply.encode(self.server.model))
        if reply.cut is not None:
            self.transport.close()
        elif reply.status == 200 and reply.body is None:
            self.server.answered[request.content] += 1


def main() -> None:
    """Serve until the other end of the standard input closes; the first line printed is the port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.05)
    delay_s = parser.parse_args().delay

    async def serve() -> None:
        server = ChatServer(default=Reply("Paris is the capital of France. " * 8, delay_s=delay_s))
        server.received = _Nothing()
        await server.start()
        print(server.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(serve())


class _Nothing(list[Received]):
    def append(self, request: Received, /) -> None:
        pass


if __name__ == "__main__":
    main()
