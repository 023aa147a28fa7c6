"""Runs of strangers' code from the side that wants them: launchers are started when needed, and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hfclean.errors import IsolationError
from hfclean.isolation.harness import MACHINE_BUSY, NOT_RUN, PACKAGE_MISSING
from hfclean.isolation.launcher import LENGTH, PATIENCE_S, TIMEOUT, UNAVAILABLE, read_exactly, serve
from hfclean.models import process

Isolation = Literal["namespaces", "none"]
MOST_ANSWERED = 1 << 20
START_S = 120.0
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    f"from {serve.__module__} import {serve.__name__}; {serve.__name__}(sys.argv[1], sys.argv[2] == 'namespaces')"
)


class Job(NamedTuple):
    """What is to be run.

    Attributes:
        code: sources that run one after the other, in one module.
        test: the source of the tests.
        entry_point: the function that a `check(candidate)` gets; empty for the one that the code defines last.
        timeout_s: wall time, without that in which another process had the processor, and processor time, that it
            may take.
        memory_mb: address space, in megabytes.
    """

    code: tuple[str, ...]
    test: str
    entry_point: str
    timeout_s: float
    memory_mb: int


class Told(NamedTuple):
    """What came of a run.

    Attributes:
        passed, total: assertions and tests.
        reason: why not all of them passed, or why there was no run to speak of; empty if all passed.
        detail: the first error in its own words. The code may have chosen them.
        sure: whether the next run would come to the same: not where a busy machine may be why the time
            ran out, or a package may be installed.
    """

    passed: int
    total: int
    reason: str
    detail: str
    sure: bool = True

    @property
    def ran(self) -> bool:
        """Whether the tests say anything about the code."""
        return self.reason not in NOT_RUN


class _Launcher:
    """One launcher and the pipes to it; for one caller at a time."""

    def __init__(self, isolation: Isolation) -> None:
        if isolation == "namespaces" and sys.platform != "linux":
            raise _impossible(f"this system is {sys.platform}, and only Linux has namespaces")
        if not hasattr(os, "fork"):
            raise IsolationError("tests of rows run in forks of a process, which this system does not have")
        root = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(  # noqa: S603 (our own program, by this Python)
            [sys.executable, "-P", "-s", "-X", "utf8", "-c", _PROGRAM, root, isolation],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONHASHSEED": "0"},  # or sets would be in another order each time
            cwd="/",
        )
        process.at_exit(self.close)
        ready = self._receive(START_S)
        if not ready.get("ready"):
            self.close()
            raise _impossible(str(ready.get("detail") or "the launcher did not start"))

    def run(self, job: Job) -> Told:
        """What came of a job."""
        wanted = {"code": job.code, "test": job.test, "entry_point": job.entry_point}
        data = json.dumps({**wanted, "seconds": job.timeout_s, "memory_mb": job.memory_mb}).encode()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(LENGTH.pack(len(data)) + data)
            self.process.stdin.flush()
        found = self._receive(job.timeout_s + 2 * PATIENCE_S)
        if found.get("reason", UNAVAILABLE) == UNAVAILABLE:
            self.close()
            raise _impossible(str(found.get("detail") or "the launcher ended"))
        late = found["reason"] == TIMEOUT and found["cpu"] < job.timeout_s / 2
        sure = not late and found["reason"] not in (PACKAGE_MISSING, MACHINE_BUSY)
        return Told(found["passed"], found["total"], found["reason"], found["detail"], sure)

    def _receive(self, seconds: float) -> dict[str, Any]:
        """The next answer; empty if the process ended, or had to be."""
        timer = threading.Timer(seconds, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            assert self.process.stdout is not None
            source = self.process.stdout.fileno()
            head = read_exactly(source, LENGTH.size)
            length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
            data = read_exactly(source, length) if length <= MOST_ANSWERED else b""
        finally:
            timer.cancel()
        found: dict[str, Any] = json.loads(data) if data else {}
        return found

    def close(self) -> None:
        """End the process, and with it whatever it runs."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class _Launchers:
    """Those of one process: as many as it has cores, or one in a worker of a map."""

    def __init__(self, isolation: Isolation) -> None:
        self.isolation = isolation
        self.idle: list[_Launcher] = []
        self.lock = threading.Lock()

    def run(self, job: Job) -> Told:
        with self.lock:
            launcher = self.idle.pop() if self.idle else None
        launcher = launcher or _Launcher(self.isolation)
        told = launcher.run(job)
        with self.lock:
            self.idle.append(launcher)
        return told


def run_jobs(jobs: Sequence[Job], isolation: Isolation = "namespaces") -> list[Told]:
    """What came of some jobs, in their order.

    Raises:
        IsolationError: they cannot be isolated here.
    """
    launchers = process.once(("launchers", isolation), lambda: _Launchers(isolation))
    workers = min(len(jobs), 1 if process.in_worker() else _cores())
    if workers <= 1:
        return [launchers.run(job) for job in jobs]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(launchers.run, jobs))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _impossible(why: str) -> IsolationError:
    return IsolationError(
        f"code of rows cannot be isolated here: {why}. It needs Linux 5.12 or newer on x86-64 or 64-bit ARM, with "
        "user namespaces (a container may have to allow them) or root; run it there, or, in a machine that has "
        "nothing to lose, say isolation='none'"
    )
