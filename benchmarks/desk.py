"""The desk on many rows: what the first screen takes, and how long a decision and the next row take.

    python benchmarks/desk.py [--rows 100000] [--decisions 500]

A server on 127.0.0.1, as `hfclean review` starts it, and one client that presses keys without a pause. The first
screen is reading the ids, choosing the rows, reading 500 earlier decisions and answering the first page, after all
modules are loaded. The time of a decision is from sending it until the next row has come: the event is on the disk by
then.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import socket
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import uvicorn
from datasets import Dataset, DatasetDict, load_from_disk

import hfclean
from hfclean.desk import Desk, Queue, Rows, Selection, desk_app
from hfclean.layout import Layout
from hfclean.verdicts import VerdictLog, describe

DISTINCT = 2000
WORDS = ("pears", "apples", "rivers", "winter", "planets", "stone", "bread", "music", "letters", "gardens", "engines")
TOKEN = "benchmark"


def made(count: int, folder: Path) -> DatasetDict:
    """Rows of some 900 characters that the rules revised, in a file."""
    few = min(count, DISTINCT)
    rows = [
        {
            "instruction": f"Write a paragraph about {WORDS[k % len(WORDS)]} and the number {k}.",
            "input": "<noinput>",
            "output": " ".join(
                f"{WORDS[(k * j) % len(WORDS)].title()} are what sentence {j} is about." for j in range(22)
            )
            + "</s>",
        }
        for k in range(few)
    ]
    done = Dataset.from_list(rows).map(hfclean.revise, batched=True).map(hfclean.score, batched=True)
    table = done.select([k % few for k in range(count)]).flatten_indices()
    ids = [f"{k * 0x9E3779B97F4A7C15 % (1 << 64):016x}" for k in range(count)]
    table = table.remove_columns("row_id").add_column("row_id", ids)
    DatasetDict(train=table).save_to_disk(str(folder))
    return load_from_disk(str(folder))


class Client:
    """A browser without scripts, on one connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.origin = f"http://127.0.0.1:{port}"
        self.where, self.text = f"/{TOKEN}/", ""

    def ask(self, where: str, form: dict[str, str] | None = None) -> None:
        self.where = urljoin(self.where, where)
        body = None if form is None else urlencode(form)
        self.connection.request("POST" if form else "GET", self.where, body, {"Origin": self.origin} if form else {})
        answer = self.connection.getresponse()
        self.text = answer.read().decode()
        if answer.status == 303:
            self.ask(str(answer.headers["Location"]))
        elif answer.status != 200:
            raise SystemExit(f"{answer.status}: {self.text[:2000]}")

    def decide(self, verdict: str) -> None:
        seen = re.search(r'name="seen" value="(\w+)"', self.text)
        assert seen
        self.ask(self.where.partition("?")[0], {"verdict": verdict, "seen": seen[1], "seconds": "1.0"})


def measured(work: Any) -> tuple[Any, float, float]:
    """What some work gives, its processor time and its time, in milliseconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return found, 1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - wall)


def desk_on(ds: DatasetDict, file: Path, who: str) -> Desk:
    rows = Rows(ds, Layout())
    return Desk(rows, Queue(rows, Selection()), VerdictLog(file, who), who)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--decisions", type=int, default=500)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ds, file = made(args.rows, folder / "rows"), folder / "verdicts.jsonl"
        small = DatasetDict(train=ds["train"].select(range(4)))
        warm = desk_on(small, folder / "warm.jsonl", "warm")
        port = serve(warm)
        Client(port).ask("")
        log = VerdictLog(file, "ben")
        for k in range(args.decisions):
            log.append(describe(ds["train"][k * (args.rows // args.decisions // 2)], "accept", Layout()))
        file.write_text(
            file.read_text().replace(f'"{datetime.now(UTC).year}-', '"2020-')
        )  # ben is not at work any more

        def first() -> tuple[Client, Desk]:
            desk = desk_on(ds, file, "ana")
            client = Client(serve(desk))
            client.ask("")
            return client, desk

        (client, desk), cpu, wall = measured(first)
        print(f"{args.rows:,} rows, {args.decisions} earlier decisions")
        print(f"first screen: {cpu:.0f} ms of processor time, {wall:.0f} ms; {len(client.text):,} characters")
        times, begun = [], time.process_time()
        for k in range(args.decisions):
            verdict = ("accept", "reject", "skip", "flag")[k % 4]
            times.append(measured(lambda: client.decide(verdict))[2])  # noqa: B023  # called at once
        spent = 1000 * (time.process_time() - begun) / args.decisions
        mine = [event for line in file.read_bytes().splitlines() if (event := json.loads(line))["who"] == "ana"]
        assert sum(event["verdict"] != "claim" for event in mine) == args.decisions
        ranked = sorted(times)
        print(
            f"a decision on the disk and the next row: median {statistics.median(times):.1f} ms, "
            f"p95 {ranked[int(0.95 * len(ranked))]:.1f} ms, longest {ranked[-1]:.1f} ms; "
            f"{spent:.1f} ms of processor time, the client's among it"
        )
        for what, where in (("a page of the list", "list?page=500"), ("a search", "list?q=number+77")):
            _, cpu, wall = measured(lambda: client.ask(f"/{TOKEN}/{where}"))  # noqa: B023
            print(f"{what}: {wall:.0f} ms")
        print(f"open rows: {desk.left:,}")


def serve(desk: Desk) -> int:
    """Answer in a thread; gives the port."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    settings = uvicorn.Config(
        desk_app(desk, name="rows", token=TOKEN), log_level="error", access_log=False, lifespan="off"
    )
    threading.Thread(target=uvicorn.Server(settings).run, kwargs={"sockets": [listening]}, daemon=True).start()
    return int(listening.getsockname()[1])


if __name__ == "__main__":
    main()
