"""Several processes on one file of answers: how often the same is asked for, how long they take, and after kills.

    python benchmarks/one_store.py                      # 4 processes, 1,524 conversations, 20 kills
    python benchmarks/one_store.py --kills 3 --rows 300

A loopback server answers every request after 20 ms and counts it. The processes start together and each wants the
answers to the same conversations, in the same order or each in its own. Then, again and again from an empty file, one
of them is killed (SIGKILL) after a random number of requests; the others have to end with every answer.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from chat_server import ChatServer, Received, Reply  # noqa: E402

WIDTH = 16
RUN = """
import json, random, sys
from hfclean.models import Limits, ModelSpec, ask, prefetch
url, count, shuffled = sys.argv[1], int(sys.argv[2]), sys.argv[3]
spec = ModelSpec("tiny", base_url=url, limits=Limits(concurrency=WIDTH, start=WIDTH))
rows = [f"row {k}" for k in range(count)]
if shuffled:
    random.Random(int(shuffled)).shuffle(rows)
print("ready", flush=True)
sys.stdin.readline()
prefetch(spec, rows, show=False)
print(json.dumps(dict(zip(rows, [a.text for a in ask(spec, rows)], strict=True)), sort_keys=True))
""".replace("WIDTH", str(WIDTH))


class Worker:
    def __init__(self, url: str, home: Path, rows: int, shuffled: str) -> None:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, url, str(rows), shuffled],
            env={**os.environ, "PYTHONPATH": path, "HFCLEAN_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> Worker:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answers(self) -> dict[str, str] | None:
        """What it printed; None if it was killed before."""
        out, _ = self.process.communicate()
        return json.loads(out) if self.process.returncode == 0 else None


def together(rows: int, workers: int, *, shuffled: bool = False, kill_at: int | None = None) -> tuple[int, int, float]:
    """Requests in all, conversations that were asked for, and seconds from the start to the last answer."""
    default = lambda r, n: Reply(f"answer {n} to {r.content}", delay_s=0.02)  # noqa: E731
    with ChatServer(default=default) as server, tempfile.TemporaryDirectory() as home:
        running = [
            Worker(server.url, Path(home), rows, str(k + 1) if shuffled else "").ready() for k in range(workers)
        ]

        def kill(_: Received) -> None:
            if kill_at is not None and server.counts.total() == kill_at:
                running[0].process.kill()

        server.on_request = kill
        begin = time.perf_counter()
        for worker in running:
            worker.go()
        results = [worker.answers() for worker in running]
        seconds = time.perf_counter() - begin
    ended = [result for result in results if result is not None]
    if len(ended) < workers - (kill_at is not None) or any(result != ended[0] for result in ended):
        raise SystemExit("the processes ended with different answers, or not at all")
    if len(ended[0]) != rows or not all(ended[0].values()):
        raise SystemExit("answers are missing")
    return server.counts.total(), len(server.counts), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1524)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    _, _, alone = together(args.rows, 1)
    print(f"one process alone: {args.rows:,} conversations in {alone:.1f} s", flush=True)
    for shuffled in (False, True):
        requests, distinct, seconds = together(args.rows, args.workers, shuffled=shuffled)
        print(
            f"{args.workers} processes, {'each in its own order' if shuffled else 'in the same order'}: {requests:,} "
            f"requests for {distinct:,} conversations, {seconds:.1f} s",
            flush=True,
        )
    chance = random.Random(args.seed)
    repeated, slowest = [], 0.0
    for _ in range(args.kills):
        requests, distinct, seconds = together(
            args.rows, args.workers, shuffled=chance.random() < 0.5, kill_at=chance.randrange(1, args.rows)
        )
        repeated.append(requests - distinct)
        slowest = max(slowest, seconds)
    if repeated:
        print(
            f"one of {args.workers} killed at {args.kills} points: every answer there each time; requests repeated: "
            f"{max(repeated)} at most, {sum(repeated) / len(repeated):.1f} on average ({WIDTH} in flight); "
            f"slowest {slowest:.1f} s"
        )


if __name__ == "__main__":
    main()
