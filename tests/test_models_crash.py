"""`kill -9` at any point, and several processes at once: nothing kept is asked twice, and the data is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from chat_server import PATIENCE_S, ChatServer, Received, Reply

from hfclean.models import process, store

WIDTH = 8
ROWS = 240
RUN = f"""
import json, sys
from hfclean.models import Limits, ModelSpec, ask
url, out = sys.argv[1:3]
spec = ModelSpec("tiny", base_url=url, limits=Limits(concurrency={WIDTH}, start={WIDTH}, backoff_s=0.01))
rows = [f"row {{k % {ROWS - 20}}}" for k in range({ROWS})]
answers = ask(spec, rows)
with open(out, "w") as f:
    for row, answer in zip(rows, answers, strict=True):
        f.write(json.dumps([row, answer.text, answer.finish_reason, answer.prompt_tokens, answer.error]) + "\\n")
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def answer(request: Received, _: int) -> Reply:
    return Reply(f"answer to {request.content} 🦜", delay_s=0.001 + len(request.content) % 3 / 1000)


def start(server: ChatServer, home: Path, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, server.url, str(out)], env={**os.environ, "HFCLEAN_HOME": str(home)}
    )


def stored(home: Path) -> set[str]:
    """What the file of answers holds, by content."""
    path = home / "answers.sqlite3"
    if not path.exists():
        return set()
    opened = store.open_store(path)
    found = {str(row["messages"][-1]["content"]) for row in opened.rows()}  # type: ignore[index]
    process.close()
    return found


def test_a_killed_run_repeats_no_kept_answer_and_ends_with_the_same_data(tmp_path: Path) -> None:
    points = random.Random(7).sample(range(1, ROWS - 40), 3)
    with ChatServer(default=answer) as server:
        assert start(server, tmp_path / "calm", tmp_path / "calm.jsonl").wait() == 0
        assert max(server.counts.values()) == 1
        server.counts.clear()
        server.answered.clear()
        home, out = tmp_path / "stormy", tmp_path / "stormy.jsonl"
        for point in sorted(points):
            before = stored(home)
            asked_before = server.counts.copy()
            started: Future[subprocess.Popen[bytes]] = Future()

            def kill(_: Received, worker: Future[subprocess.Popen[bytes]] = started, at: int = point) -> None:
                if len(server.counts) >= at:
                    worker.result(PATIENCE_S).kill()

            server.on_request = kill  # before there is a worker: it may be through before this thread goes on
            started.set_result(start(server, home, out))
            assert started.result().wait() == -signal.SIGKILL
            server.wait_until_left()
            server.on_request = lambda _: None
            assert not out.exists()
            asked_again = server.counts - asked_before
            assert not before & set(asked_again)
            lost = set(server.answered) - stored(home)
            assert len(lost) <= 2 * WIDTH  # on the way, or in the commit that was being written
        before = stored(home)
        asked_before = server.counts.copy()
        assert start(server, home, out).wait() == 0
        assert not before & set(server.counts - asked_before)
    assert out.read_bytes() == (tmp_path / "calm.jsonl").read_bytes()
    assert server.counts.total() <= ROWS - 20 + len(points) * 2 * WIDTH
    assert len(before) > 0


def test_two_processes_on_one_store_end_with_the_same_data(tmp_path: Path) -> None:
    # a server that never says the same twice: what was kept first has to be everybody's
    with ChatServer(default=lambda r, n: Reply(f"answer {n} to {r.content}", delay_s=0.001)) as server:
        workers = [start(server, tmp_path / "home", tmp_path / f"{k}.jsonl") for k in range(2)]
        assert [worker.wait() for worker in workers] == [0, 0]
        asked = Counter(server.counts)
        assert start(server, tmp_path / "home", tmp_path / "2.jsonl").wait() == 0
        assert server.counts == asked
    texts = {(tmp_path / f"{k}.jsonl").read_bytes() for k in range(3)}
    assert len(texts) == 1
