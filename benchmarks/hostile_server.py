"""Servers that mean harm, on 64 connections at once: how much memory the client takes, and how the run ends.

    python benchmarks/hostile_server.py            # every case
    python benchmarks/hostile_server.py endless    # those with this word in their name

Each case is a process of its own that asks for 64 conversations, all in flight at once, without retries, with 5 s for
an answer. The peak is the largest resident size of that process (VmHWM), beside that of a run that gets ordinary
answers. A process that takes more than `--most` MB beyond that fails the benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONNECTIONS = 64
PART = b"x" * 65_536
GOOD = json.dumps({"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}], "model": "m"}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CLIENT = """
import resource, sys, time
from hfclean.models import BackendError, Generation, Limits, ModelSpec, ask
url, width, timeout_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
limits = Limits(concurrency=width, start=width, timeout_s=timeout_s, retries=0, backoff_s=0.01, longest_wait_s=1,
                give_up_after=10_000)
begin = time.perf_counter()
try:
    answers = ask(ModelSpec("m", base_url=url, limits=limits, store=False), [f"row {k}" for k in range(width)],
                  Generation(max_new_tokens=2048))
    kinds = sorted({a.error or "answered" for a in answers})
    end = ", ".join(f"{sum((a.error or 'answered') == kind for a in answers)} {kind}" for kind in kinds)
except BackendError as e:
    end = f"stopped: {e}"[:60]
seconds = time.perf_counter() - begin
with open("/proc/self/status") as f:
    peak = next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM"))
print(f"{peak:.0f}|{seconds:.1f}|{end}")
"""


def whole(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Type: application/json", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


async def again(first: bytes, then: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    yield first
    while True:
        yield then
        if pause:
            await asyncio.sleep(pause)


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


@cache
def bomb() -> bytes:
    packed = gzip.compress(b"0" * 200_000_000, 1)
    return whole(packed, b"Content-Encoding: gzip")


@cache
def nested(inner: bytes, size: int) -> bytes:
    return whole(b'{"choices": [' + inner * (size // len(inner)) + b"0]}")


CASES: dict[str, Callable[[], AsyncIterator[bytes]]] = {
    "ordinary answers": lambda: once(whole(GOOD)),
    "endless body until the connection closes": lambda: again(HEAD + b"\r\n", PART),
    "endless body over HTTP/1.0": lambda: again(b"HTTP/1.0 200 OK\r\n\r\n", PART),
    "endless chunked body": lambda: again(CHUNKED, b"%x\r\n%b\r\n" % (len(PART), PART)),
    "endless chunked body in single bytes": lambda: again(CHUNKED, b"1\r\nx\r\n" * 4096),
    "endless chunked trickle": lambda: again(CHUNKED, b"1\r\nx\r\n", 0.01),
    "endless chunk extension": lambda: again(CHUNKED + b"5;a=", PART),
    "endless trailers": lambda: again(CHUNKED + b"1\r\nx\r\n0\r\n", b"X-%b: y\r\n" % (b"a" * 100)),
    "a body of 100 GB": lambda: again(HEAD + b"Content-Length: 100000000000\r\n\r\n", PART),
    "200 MB packed into 1 MB by gzip": lambda: once(bomb()),
    "endless gzip": lambda: again(HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(PART)),
    "an endless header line": lambda: again(HEAD + b"X-Long: ", PART),
    "endless headers": lambda: again(HEAD, b"".join(b"X-%d: %b\r\n" % (k, b"y" * 1000) for k in range(64))),
    "endless cookies": lambda: again(HEAD, b"".join(b"Set-Cookie: a%d=%b\r\n" % (k, b"y" * 1000) for k in range(64))),
    "an endless status line": lambda: again(b"HTTP/1.1 200 ", PART),
    "endless early hints": lambda: again(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 64),
    "nothing at all": lambda: again(b"", b"", 1.0),
    "nothing after the head": lambda: again(HEAD + b"Content-Length: 10\r\n\r\n", b"", 1.0),
    "2 MB of JSON lists": lambda: once(nested(b"[],", 2_000_000)),
    "2 MB of JSON objects": lambda: once(nested(b'{"a":{}},', 2_000_000)),
    "a million brackets": lambda: once(whole(b"[" * 1_000_000)),
    "a number of a million digits": lambda: once(whole(b'{"choices": ' + b"9" * 1_000_000 + b"}")),
    "a body longer than it says": lambda: once(whole(GOOD) + PART * 16),
    "a body shorter than it says": lambda: once(HEAD + b"Content-Length: 1000\r\n\r\n{}"),
    "an error of 2 MB": lambda: once(whole(b'{"error": {"message": "' + b"x" * 2_000_000 + b'"}}', status=b"400 X")),
    "wait for ever": lambda: once(whole(b"{}", b"Retry-After: 1e400", status=b"429 X")),
}


async def serve(port_known: Callable[[int], None]) -> None:
    cases = list(CASES)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(
                    int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")
                )
                await reader.readexactly(size)
                async for part in CASES[cases[int(head.split(b"/")[1])]]():
                    writer.write(part)
                    await writer.drain()
                if b"shorter" in cases[int(head.split(b"/")[1])].encode():
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port_known(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def run(url: str, timeout_s: float) -> tuple[float, float, str]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, url, str(CONNECTIONS), str(timeout_s)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return float("inf"), 0.0, done.stderr.strip().rpartition("\n")[2]
    peak, seconds, end = done.stdout.strip().split("|", 2)
    return float(peak), float(seconds), end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("word", nargs="?", default="")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="for one answer")
    parser.add_argument("--most", type=float, default=400.0, help="MB beyond a run with ordinary answers")
    args = parser.parse_args()
    ports: list[int] = []
    threading.Thread(target=lambda: asyncio.run(serve(ports.append)), daemon=True).start()
    while not ports:
        time.sleep(0.01)
    bomb()  # packed before anybody waits for it
    base = 0.0
    worst = 0.0
    print(f"{CONNECTIONS} connections\n{'case':44}{'peak':>9}{'more':>9}{'time':>8}  end")
    for k, name in enumerate(CASES):
        if base and args.word not in name:
            continue
        peak, seconds, end = run(f"http://127.0.0.1:{ports[0]}/{k}/v1", args.timeout)
        base = base or peak
        worst = max(worst, peak - base)
        print(f"{name:44}{peak:>6.0f} MB{peak - base:>6.0f} MB{seconds:>6.1f} s  {end}", flush=True)
    print(f"at most {worst:.0f} MB more than a run with ordinary answers")
    if worst > args.most:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
