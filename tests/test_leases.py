"""Several processes on one file of answers: one asks, the others wait, and nobody waits for a process that is gone."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import PATIENCE_S, ChatServer, Received, Reply

from hfclean.models import Answer, BackendError, Generation, Limits, ModelSpec, ask, leases, prefetch, process, usage
from hfclean.models.asking import open_backend
from hfclean.models.budget import progress
from hfclean.models.leases import Leases
from hfclean.models.store import Record, Setting, Store, open_store

ROWS = 96
RUN = """
import json, sys
from hfclean.models import Limits, ModelSpec, ask, asking, prefetch, usage
url, out, window, order, first = sys.argv[1:6]
asking.WINDOW = int(window)
spec = ModelSpec("tiny", base_url=url, limits=Limits(concurrency=4, start=4, backoff_s=0.01))
rows = [f"row {k}" for k in range(int(sys.argv[6]))][::int(order)]
print("ready", flush=True)
sys.stdin.readline()
if first == "prefetch":
    prefetch(spec, rows, show=False)
answers = dict(zip(rows, ask(spec, rows), strict=True))
with open(out, "w") as f:
    json.dump([[answers[row].text, answers[row].error] for row in sorted(rows)] + [usage(spec).asked], f)
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def answer(request: Received, count: int) -> Reply:
    return Reply(f"answer {count} to {request.content}", delay_s=0.002)


class Run:
    """A process that asks for all rows when it is let go."""

    def __init__(self, server: ChatServer, out: Path, *, window: int = 16, order: int = 1, first: str = "") -> None:
        self.out = out
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, server.url, str(out), str(window), str(order), first, str(ROWS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ready(self) -> Run:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        return self

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        status = self.process.wait(PATIENCE_S)
        self.process.stdin.close()
        self.process.stdout.close()
        return status

    def result(self) -> tuple[list[list[str]], int]:
        """The answers as (text, error), by row, and how many this process asked for."""
        *answers, asked = json.loads(self.out.read_text())
        return answers, asked


# ------------------------------------------------------------------------------------------------- real processes


@pytest.mark.parametrize("first", ["", "prefetch"])
def test_four_processes_that_start_together_ask_for_everything_once(tmp_path: Path, first: str) -> None:
    with ChatServer(default=answer) as server:
        runs = [Run(server, tmp_path / f"{k}.json", first=first) for k in range(4)]
        for run in runs:
            run.ready()
        for run in runs:
            run.go()
        assert [run.end() for run in runs] == [0, 0, 0, 0]
    assert (len(server.counts), max(server.counts.values())) == (ROWS, 1)
    results = [run.result() for run in runs]
    assert results[0][0] == [[f"answer 1 to {row}", ""] for row in sorted(server.counts)]
    assert all(answers == results[0][0] for answers, _ in results)
    assert sum(asked for _, asked in results) == ROWS


def test_two_processes_that_wait_for_each_other_both_end(tmp_path: Path) -> None:
    with ChatServer(default=answer) as server:
        runs = [Run(server, tmp_path / f"{order}.json", window=4, order=order) for order in (1, -1)]
        for run in runs:
            run.ready()
        for run in runs:
            run.go()
        assert [run.end() for run in runs] == [0, 0]
    assert max(server.counts.values()) == 1
    assert runs[0].result()[0] == runs[1].result()[0]


def test_what_a_killed_process_was_asking_for_is_taken_over(tmp_path: Path) -> None:
    width = 4
    with ChatServer(default=answer) as server:
        runs = [Run(server, tmp_path / f"{k}.json").ready() for k in range(4)]
        killed: list[Run] = []

        def kill(_: Received) -> None:
            if len(server.counts) >= ROWS // 3 and not killed:
                killed.append(runs[0])
                runs[0].process.send_signal(signal.SIGKILL)  # nobody reaps it before the end: it stays as a zombie

        server.on_request = kill
        for run in runs:
            run.go()
        assert [run.end() for run in runs[1:]] == [0, 0, 0]
        assert runs[0].end() in (-signal.SIGKILL, 0)
        assert killed
    assert len(server.counts) == ROWS
    repeated = server.counts.total() - ROWS
    assert repeated <= 2 * width  # on their way, or in the commit that was being written
    results = [run.result()[0] for run in runs[1:]]
    assert results[0] == results[1] == results[2]
    assert not any(error for _, error in results[0])


# ------------------------------------------------------------------------------------------------- who waits for whom


def keys(names: str) -> list[bytes]:
    return [name.encode() * 32 for name in names]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Store, Leases, Leases]]:
    """A store, and its leases as two processes see them."""
    store = open_store(tmp_path / "answers.sqlite3")
    other = Leases(store.path, store._read)
    yield store, store.leases, other
    other.close()


def test_a_key_is_one_process_s_until_it_lets_go(two: tuple[Store, Leases, Leases]) -> None:
    _, one, other = two
    assert one.take(keys("ab")).mine == keys("ab")
    assert other.take(keys("abc")).mine == keys("c")
    assert other.take(keys("ab"), waited=True).mine == []
    one.release(keys("a"))
    assert other.take(keys("ab"), waited=True).mine == keys("a")
    other.close()
    assert one.take(keys("ac")).mine == keys("ac")


def test_two_calls_of_one_process_hold_a_key_until_the_last_lets_go(two: tuple[Store, Leases, Leases]) -> None:
    _, one, other = two
    one.take(keys("a"))
    assert one.take(keys("a")).mine == keys("a")
    one.release(keys("a"))
    assert other.take(keys("a")).mine == []
    one.release(keys("a"))
    assert other.take(keys("a")).mine == keys("a")


def test_an_answer_ends_the_lease_and_is_found_in_its_place(two: tuple[Store, Leases, Leases]) -> None:
    store, one, other = two
    setting = Setting.of("s", "", "{}")
    key = setting.key(b"[]")
    one.take([key])
    assert other.take([key]).answers == {}
    store.put([Record(key, setting, b"[]", Answer("text"), 1, 0.0)])
    assert other.take([key], waited=True).answers[key].text == "text"
    assert other.take([key]).answers[key].text == "text"
    assert rows_of(store, "leases") == []
    one.release([key])


def rows_of(store: Store, table: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(store.path) as db:
        found = db.execute(f"SELECT * FROM {table}").fetchall()
    db.close()
    return found


def test_a_process_that_says_nothing_more_is_waited_for_so_long_and_no_longer(
    two: tuple[Store, Leases, Leases], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, one, other = two
    now = 1_000_000.0
    monkeypatch.setattr(leases, "time", lambda: now)
    one.take(keys("ab"))
    now += leases.LEASE_S - 1
    one.renew()
    now += leases.LEASE_S - 1
    assert other.take(keys("a"), waited=True).mine == []
    now += 2
    assert other.take(keys("a"), waited=True).mine == keys("a")
    one.renew()  # it lives, after all: what nobody has taken is its own again
    assert other.take(keys("b")).mine == []
    one.release(keys("ab"))
    assert one.take(keys("a")).mine == []


def test_a_clock_that_was_put_back_does_not_make_anybody_wait_for_ever(
    two: tuple[Store, Leases, Leases], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, one, other = two
    monkeypatch.setattr(leases, "time", lambda: 4e9)
    one.take(keys("a"))
    monkeypatch.setattr(leases, "time", lambda: 1e9)
    assert other.take(keys("a")).mine == keys("a")


def test_a_live_process_renews_by_itself(two: tuple[Store, Leases, Leases], monkeypatch: pytest.MonkeyPatch) -> None:
    _, one, _other = two
    renewed = threading.Event()
    renew = one.renew

    def noted() -> None:
        renew()
        renewed.set()

    monkeypatch.setattr(leases, "LEASE_S", 0.003)
    monkeypatch.setattr(one, "renew", noted)
    one.take(keys("a"))
    assert renewed.wait(PATIENCE_S)
    quiet = one._quiet
    one.release(keys("a"))
    assert quiet is not None
    assert quiet.is_set()
    assert one._quiet is None


ALIVE = leases._this_process()
HOST, BOOT, SPACE, PID, STARTED = ALIVE.split("/")


@pytest.mark.parametrize(
    ("owner", "ended"),
    [
        (ALIVE, False),
        (f"{HOST}/{BOOT}/{SPACE}/{PID}/1", True),  # another process that had this number before
        (f"{HOST}/ffffffff/{SPACE}/{PID}/{STARTED}", True),  # before this machine was started again
        (f"ffffffff/{BOOT}/{SPACE}/{PID}/1", False),  # another machine, or a container: it cannot be seen from here
        (f"ffffffff/ffffffff/{SPACE}/{PID}/1", False),
        (f"{HOST}/{BOOT}/pid:[1]/{PID}/1", False),
    ],
    ids=["alive", "its number again", "before a restart", "another host", "another host and start", "another space"],
)
def test_a_process_is_gone_only_where_that_can_be_seen(owner: str, ended: bool) -> None:
    assert leases._has_ended(owner) is ended


def test_a_process_that_ended_and_was_not_reaped_is_gone() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # until it has ended, and no further
    name = f"{HOST}/{BOOT}/{SPACE}/{child}/{leases._started(child)[1]}"
    assert leases._has_ended(name)
    os.waitpid(child, 0)
    assert leases._has_ended(name)


# ------------------------------------------------------------------------------------------------- asking


def other_holds(path: Path, *texts: str, spec: ModelSpec) -> Leases:
    """Leases of another process for these conversations."""
    asker = open_backend(spec)
    plan = asker._plan(list(texts), Generation(), "")
    assert asker.store is not None
    other = Leases(asker.store.path, asker.store._read)
    assert other.take(plan.keys).mine == plan.keys
    return other


def test_what_another_process_asks_for_in_vain_is_asked_for_here(tmp_path: Path) -> None:
    with ChatServer() as server:
        spec = ModelSpec("tiny", base_url=server.url)
        other = other_holds(tmp_path, "a", "b", spec=spec)
        server.on_request = lambda request: other.release(plan) if request.content == "c" else None
        plan = open_backend(spec)._plan(["a", "b"], Generation(), "").keys
        assert [a.text for a in ask(spec, ["a", "b", "c"])] == ["ok", "ok", "ok"]
        assert server.received[0].content == "c"  # its own first
        assert server.counts == {"a": 1, "b": 1, "c": 1}
        other.close()


def test_the_progress_line_says_that_another_run_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChatServer() as server:
        spec = ModelSpec("tiny", base_url=server.url)
        other = other_holds(tmp_path, "a", "b", spec=spec)
        ledger = open_backend(spec).ledger
        with progress(ledger, 2) as update, ledger.awaiting(2):
            update()
        with progress(ledger, 2) as update:
            update()
        first, _, second = capsys.readouterr().err.rpartition("waiting for another run=2")
        assert first
        assert "waiting for another run" not in second
        other.close()
        prefetch(spec, ["a", "b"], show=False)
        assert (usage(spec).asked, ledger.awaited) == (2, 0)


def test_nothing_stays_leased_behind_a_run_that_failed() -> None:
    with ChatServer({"bad": Reply("no", 401)}, default=Reply("ok")) as server:
        spec = ModelSpec("tiny", base_url=server.url, limits=Limits(concurrency=1, start=1))
        with pytest.raises(BackendError):
            ask(spec, ["bad", *(f"row {k}" for k in range(50))])
        store = open_store()
        process.close()
        assert rows_of(store, "leases") == []
        assert rows_of(store, "lease_owners") == []


def test_failed_rows_are_open_to_others_at_once() -> None:
    with ChatServer(default=Reply("too long", 413)) as server:
        spec = ModelSpec("tiny", base_url=server.url)
        assert [a.error for a in ask(spec, ["a", "b"])] == ["context_overflow"] * 2
        assert [a.error for a in ask(spec, ["a"])] == ["context_overflow"]
        assert server.counts == {"a": 2, "b": 1}


def test_a_function_of_ones_own_waits_as_well(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom hfclean.models import Answer, ModelSpec, ask\n"
        "def own(conversations, generation):\n"
        "    for c in conversations: print(c[-1].content, flush=True)\n"
        "    return [Answer('yes') for _ in conversations]\n"
        "sys.stdin.read()\n"
        "answers = ask(ModelSpec(own, cache_as='own'), [f'row {k}' for k in range(200)])\n"
        "assert [a.text for a in answers] == ['yes'] * 200\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
    asked: list[str] = []
    for worker in workers:
        assert worker.stdout is not None
        asked += worker.stdout.read().split("\n")[:-1]
        worker.stdout.close()
        assert worker.wait(PATIENCE_S) == 0
    assert sorted(asked) == sorted(f"row {k}" for k in range(200))
