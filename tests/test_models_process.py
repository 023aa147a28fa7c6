"""The same call in a notebook's running loop, in async maps, in forked and spawned workers, and twice in a process."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import multiprocess
import pytest
from chat_server import PATIENCE_S, ChatServer, Received, Reply
from datasets import Dataset
from datasets.fingerprint import Hasher

import hfclean.models
from hfclean.models import Answer, BackendError, Generation, Limits, ModelSpec, aask, ask, open_backend, process, store
from hfclean.models.leases import Leases
from hfclean.schema import View
from hfclean.transform import Batch, Transform

# newer Pythons warn of every fork beside a thread; that this one is safe is what is tested
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


NOWHERE = ModelSpec("none", base_url="http://127.0.0.1:9")


@dataclass(frozen=True)
class Shout(Transform):
    """What a reviser on top of the models does: it holds a spec, and asks."""

    spec: ModelSpec = NOWHERE

    def apply(self, batch: Batch, view: View) -> dict[str, list[Any]]:
        return {"output": [a.text for a in ask(self.spec, batch["instruction"])]}

    async def arow(self, row: dict[str, Any]) -> dict[str, str]:
        (answer,) = await aask(self.spec, [row["instruction"]])
        return {"output": answer.text}


def loud(request: Received, _: int) -> Reply:
    return Reply(request.content.upper(), delay_s=0.001)


def rows(count: int = 40) -> Dataset:
    return Dataset.from_list([{"instruction": f"row {k}", "input": "", "output": ""} for k in range(count)])


def shouted(ds: Dataset) -> bool:
    return all(row["output"] == row["instruction"].upper() for row in ds)


FRESH = {"load_from_cache_file": False, "keep_in_memory": True}


def test_a_second_map_in_the_same_process_works_row_by_row_and_batched() -> None:
    with ChatServer(default=loud) as server:
        shout = Shout(ModelSpec("m", base_url=server.url))
        assert shouted(rows(5).map(shout, **FRESH))
        assert shouted(rows().map(shout, batched=True, batch_size=7, **FRESH))
        assert shouted(Dataset.from_list(list(rows().to_iterable_dataset().map(shout))))
    assert set(server.counts.values()) == {1}


def test_it_works_inside_a_running_loop() -> None:
    async def cell(url: str) -> list[str]:
        spec = ModelSpec("m", base_url=url)
        return [a.text for a in ask(spec, ["a", "b"])] + [a.text for a in await aask(spec, ["c"])]

    with ChatServer(default=loud) as server:
        for _ in range(2):  # and in the next loop
            assert asyncio.run(cell(server.url)) == ["A", "B", "C"]
        assert server.counts == {"a": 1, "b": 1, "c": 1}


@pytest.mark.usefixtures("loops_of_datasets")
def test_rows_of_an_async_map_share_one_pool_and_equal_ones_are_asked_once() -> None:
    ds = Dataset.from_list([{"instruction": f"row {k % 30}", "output": ""} for k in range(90)])
    first = {f"row {k}": Reply(f"ROW {k}", together=8) for k in range(8)}
    with ChatServer(first, default=loud) as server:
        shout = Shout(ModelSpec("m", base_url=server.url, limits=Limits(concurrency=8, start=8)))
        for _ in range(2):
            assert shouted(ds.map(shout.arow, **FRESH))
        assert server.most_open == 8
        assert set(server.counts.values()) == {1}


def test_an_async_call_that_is_given_up_leaves_the_others_alone() -> None:
    async def go(spec: ModelSpec) -> str:
        given_up = asyncio.ensure_future(aask(spec, [f"row {k}" for k in range(50)]))
        await asyncio.to_thread(server.wait_for_requests, 8)  # four are answered, four held
        same = asyncio.ensure_future(aask(spec, ["row 49"]))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        process.run(asyncio.sleep(0))  # by then the loop of the process has heard of it
        server.release()
        return (await same)[0].text

    held = {f"row {k}": Reply(f"ROW {k}", together=1000) for k in range(4, 49)}
    with ChatServer(held, default=loud) as server:
        spec = ModelSpec("m", base_url=server.url, limits=Limits(concurrency=4, start=4))
        assert asyncio.run(go(spec)) == "ROW 49"
        assert ask(spec, ["row 1"])[0].text == "ROW 1"
    assert server.counts == {f"row {k}": 1 for k in (*range(8), 49)}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_num_proc_ask_for_themselves_and_share_the_store(method: str) -> None:
    with ChatServer(default=loud) as server:
        shout = Shout(ModelSpec("m", base_url=server.url))
        assert ask(shout.spec, ["row 0"])[0].text == "ROW 0"  # connections, loop and file are open before the fork
        before = multiprocess.get_start_method()
        multiprocess.set_start_method(method, force=True)
        try:
            assert shouted(rows().map(shout, batched=True, batch_size=5, num_proc=2, **FRESH))
        finally:
            multiprocess.set_start_method(before, force=True)
        gc.collect()
        assert ask(shout.spec, ["after"])[0].text == "AFTER"  # the parent's own still work
        assert ask(shout.spec, ["row 7"])[0].cached
        assert set(server.counts.values()) == {1}
    assert store.stats().answers == 41


def test_a_child_that_collects_its_garbage_leaves_the_parents_connections_alone() -> None:
    with ChatServer(default=loud) as server:
        spec = ModelSpec("m", base_url=server.url, limits=Limits(timeout_s=PATIENCE_S, retries=0))
        assert ask(spec, ["a"])[0].text == "A"
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                process.close()
                gc.collect()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
        assert ask(spec, ["b"])[0] == Answer("B", "stop", 7, 3, model="tiny")


def test_an_error_that_stops_a_worker_reaches_the_parent() -> None:
    with ChatServer(default=Reply("no such model", 404)) as server:
        shout = Shout(ModelSpec("m", base_url=server.url))
        with pytest.raises(BackendError, match="no such model"):
            rows().map(shout, batched=True, batch_size=5, num_proc=2, **FRESH)


def test_errors_survive_a_pickle() -> None:
    for name in ("AccessError", "BackendError", "BudgetError", "ModelError", "StoreError"):
        error = getattr(hfclean.models, name)("found; expected; next move")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))


def test_the_fingerprint_stays_the_same_with_use() -> None:
    with ChatServer(default=loud) as server:
        shout = Shout(ModelSpec("m", base_url=server.url))
        before = Hasher.hash(shout), Hasher.hash(process._here)
        ask(shout.spec, ["a"])
        assert (Hasher.hash(shout), Hasher.hash(process._here)) == before
        assert Hasher.hash(Shout(ModelSpec("n", base_url=server.url))) != before[0]


def test_after_closing_everything_opens_again() -> None:
    with ChatServer(default=loud) as server:
        spec = ModelSpec("m", base_url=server.url)
        assert ask(spec, ["a"])[0].text == "A"
        process.close()
        assert ask(spec, ["a"])[0].cached
        assert ask(spec, ["b"])[0].text == "B"


def test_an_answer_that_comes_between_the_look_and_the_question_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ChatServer(default=loud) as server:
        spec = ModelSpec("m", base_url=server.url)
        opened = open_backend(spec)
        take = Leases.take

        def late(self: Leases, keys: Any, *, waited: bool = False) -> Any:
            monkeypatch.setattr(Leases, "take", take)
            assert ask(spec, ["a"])[0].text == "A"
            return take(self, keys, waited=waited)

        monkeypatch.setattr(Leases, "take", late)
        assert [a.text for a in opened.ask(["a", "b"], Generation())] == ["A", "B"]
        assert server.counts == {"a": 1, "b": 1}
        store.clear()
        assert not ask(spec, ["a"])[0].cached  # what was cleared is asked for again
        assert server.counts == {"a": 2, "b": 1}


def test_an_interrupt_ends_the_call_and_keeps_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(default=loud) as server:
        spec = ModelSpec("m", base_url=server.url, limits=Limits(concurrency=4, start=4))
        start, enough = process.start, threading.Event()
        server.on_request = lambda _: enough.set() if server.counts.total() >= 20 else None

        class Interrupted:
            def __init__(self, work: Any) -> None:
                self.future = start(work)

            def result(self) -> None:
                assert enough.wait(PATIENCE_S)
                raise KeyboardInterrupt

            def __getattr__(self, name: str) -> Any:
                return getattr(self.future, name)

        with monkeypatch.context() as patched:
            patched.setattr(process, "start", Interrupted)
            with pytest.raises(KeyboardInterrupt):
                ask(spec, [f"row {k}" for k in range(500)])
        assert len(ask(spec, [f"row {k}" for k in range(500)])) == 500
    assert set(server.counts.values()) == {1}


def test_importing_the_room_loads_nothing_heavy() -> None:
    heavy = ["torch", "transformers", "datasets", "pyarrow", "numpy", "aiohttp", "peft", "tqdm", "jinja2"]
    code = f"import sys, hfclean.models, hfclean.testing_models; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
