"""The endpoint client beside others: CPU of the client process per request, and wall time against the latency bound.

    python benchmarks/client.py [REQUESTS] [REPEATS]

A loopback server in a process of its own answers every request after 50 ms. Each client asks for the same number of
chat completions with 64 and with 256 in flight; the clients take turns, in one process, after one round that is not
counted. `hfclean` is `ask` as a reviser calls it, every answer on disk before it is handed on; `no store` is the same
without; `aiohttp` is the plainest worker pool that can be written with it; `openai` is AsyncOpenAI with a worker pool,
where it is installed.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hfclean.models import Limits, ModelSpec, ask

DELAY_S = 0.05
TEXT = (
    "Describe the structure of an atom, and say what holds it together. " * 12
)  # about an Alpaca row with its prompt
SERVER = Path(__file__).parent.parent / "tests" / "chat_server.py"


def prompts(count: int) -> list[str]:
    """Prompts that no run has asked before."""
    tag = time.time_ns()
    return [f"{tag}-{k} {TEXT}" for k in range(count)]


def with_hfclean(url: str, count: int, width: int, store: str | bool) -> None:
    spec = ModelSpec("tiny", base_url=url, store=store, limits=Limits(concurrency=width, start=width))  # type: ignore[arg-type]
    answers = ask(spec, prompts(count))
    assert all(a.text and not a.cached for a in answers)


def with_aiohttp(url: str, count: int, width: int) -> None:
    import aiohttp

    async def go() -> None:
        todo = iter(prompts(count))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def work(todo: Iterator[str]) -> None:
                for text in todo:
                    body = {"model": "tiny", "messages": [{"role": "user", "content": text}], "max_tokens": 1024}
                    async with session.post(f"{url}/chat/completions", json=body) as response:
                        assert (await response.json())["choices"][0]["message"]["content"]

            await asyncio.gather(*(work(todo) for _ in range(width)))

    asyncio.run(go())


def with_openai(url: str, count: int, width: int) -> None:
    from openai import AsyncOpenAI

    async def go() -> None:
        todo = iter(prompts(count))
        async with AsyncOpenAI(base_url=url, api_key="none", timeout=600) as client:

            async def work(todo: Iterator[str]) -> None:
                for text in todo:
                    answer = await client.chat.completions.create(
                        model="tiny", messages=[{"role": "user", "content": text}], max_tokens=1024, temperature=0
                    )
                    assert answer.choices[0].message.content

            await asyncio.gather(*(work(todo) for _ in range(width)))

    asyncio.run(go())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    server = subprocess.Popen(
        [sys.executable, str(SERVER), "--delay", str(DELAY_S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "answers.sqlite3")
        clients: dict[str, Callable[[int, int], Any]] = {
            "hfclean": lambda n, width: with_hfclean(url, n, width, store),
            "hfclean, no store": lambda n, width: with_hfclean(url, n, width, False),
            "aiohttp": lambda n, width: with_aiohttp(url, n, width),
        }
        if find_spec("openai"):
            clients["openai"] = lambda n, width: with_openai(url, n, width)
        for width in (64, 256):
            cpu: dict[str, list[float]] = {name: [] for name in clients}
            wall: dict[str, list[float]] = {name: [] for name in clients}
            for repeat in range(repeats + 1):
                for name, client in clients.items():
                    before, at = time.process_time(), time.perf_counter()
                    client(count if repeat else 4 * width, width)
                    if repeat:
                        cpu[name].append((time.process_time() - before) / count * 1e6)
                        wall[name].append(time.perf_counter() - at)
            bound = count / width * DELAY_S
            print(f"\n{count} requests, {width} in flight, latency bound {bound:.2f} s")
            print(f"{'client':<20}{'CPU us a request':<26}{'to hfclean':>12}{'wall / bound':>16}")
            for name in clients:
                ratios = [a / b for a, b in zip(cpu[name], cpu["hfclean"], strict=True)]
                over = [w / bound for w in wall[name]]
                spread = f"{statistics.median(cpu[name]):>6.0f} [{min(cpu[name]):.0f}..{max(cpu[name]):.0f}]"
                late = f"{statistics.median(over):>8.2f} [{min(over):.2f}..{max(over):.2f}]"
                print(f"{name:<20}{spread:<26}{statistics.median(ratios):>11.2f}x{late}")
    server.kill()


if __name__ == "__main__":
    main()
