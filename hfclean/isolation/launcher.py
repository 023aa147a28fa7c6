"""The trusted process that forks for each run: started empty, kept for many runs, never running a stranger's code.

It reads requests from its standard input and writes an answer to each: four bytes of length, then JSON. A request is
run in a fork of a fork: the first is the supervisor, in new namespaces, which keeps the time; the second is the first
process in there, and when it ends, so does all that it started.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from hfclean.isolation import harness, namespaces, system_calls
from hfclean.isolation.namespaces import Bounds

LENGTH = struct.Struct("=I")
MOST_TOLD = 1 << 16
TOKEN = 32
TIMEOUT, CRASHED = "timeout", "crashed"
UNAVAILABLE = "unavailable"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # for libraries that start one for each core
PATIENCE_S = 20.0  # beyond the time of a run, for the processes around it on an overloaded machine
ENDS_AT = 0.9  # of its processor time: the system ends a run there within a tick of its clock
MOST_WAITED_S = PATIENCE_S / 2  # for the processor: so much is added to the time of a run


def read_exactly(source: int, count: int) -> bytes:
    """That number of bytes, or fewer where they end."""
    parts, left = [], count
    while left:
        part = os.read(source, min(left, 1 << 20))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _write_all(target: int, data: bytes) -> None:
    """Write all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def serve(root_of_package: str, isolated: bool) -> None:
    """Serve until the other side closes."""
    with suppress(ImportError):
        import_module("pytest")  # where it is installed: half of all tests import it, which takes longer than they do
    import inspect  # noqa: F401
    import unittest  # noqa: F401

    sys.path[:] = [path for path in sys.path if path not in (root_of_package, "")]
    walls = _Walls() if isolated else None
    fault = _fault(walls)
    gc.collect()
    gc.freeze()  # pages of objects that live on stay shared with the forks
    _answer({"ready": not fault, "detail": fault})
    while len(head := read_exactly(0, LENGTH.size)) == LENGTH.size:
        request = json.loads(read_exactly(0, LENGTH.unpack(head)[0]))
        _answer(_supervised(request, walls))


def _answer(found: Mapping[str, Any]) -> None:
    data = json.dumps(found).encode()
    _write_all(1, LENGTH.pack(len(data)) + data)


class _Walls:
    """What of this system a run may see, and how it is kept from the rest."""

    def __init__(self) -> None:
        self.root = namespaces.is_root()
        self.uid = namespaces.UNUSED_UIDS + os.getpid()
        self.folders = namespaces.readable_folders()
        self.links = namespaces.links_to(self.folders)


def _fault(walls: _Walls | None) -> str:
    """Why nothing can be run here; empty if a trial went well."""
    if walls is None:
        return ""
    if not system_calls.machine():
        return "there is no filter of system calls for this processor"
    trial = {"code": ["def one():\n    return 1"], "test": "assert one() == 1", "entry_point": "", "seconds": 10.0}
    found = _supervised({**trial, "memory_mb": 1024}, walls)
    return "" if found["reason"] == "" else f"{found['reason']} {found['detail']}".strip()


def _supervised(request: Mapping[str, Any], walls: _Walls | None) -> dict[str, Any]:
    """What became of a request, as its supervisor says."""
    bounds = Bounds(request["seconds"], request["memory_mb"])
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            _leave_namespaces(walls)
            found = _watched(request, bounds, walls)
        except BaseException as e:  # noqa: BLE001  # told, and not swallowed
            found = {"passed": 0, "total": 0, "reason": UNAVAILABLE, "detail": f"{type(e).__name__}: {e}"[:300]}
        try:
            _write_all(writing, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    end = time.monotonic() + bounds.seconds + PATIENCE_S
    told = _read_until(reading, lambda: end, MOST_TOLD)
    os.close(reading)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if told is None or not told:
        return {"passed": 0, "total": 0, "reason": UNAVAILABLE, "detail": "the supervisor of the run ended"}
    found = json.loads(told)
    return dict(found)


def _leave_namespaces(walls: _Walls | None) -> None:
    """What a supervisor leaves before it starts anything; it ends with the launcher."""
    if walls is not None:
        namespaces.leave(walls.root)
        namespaces.end_with_parent()
    else:
        os.setsid()


def _watched(request: Mapping[str, Any], bounds: Bounds, walls: _Walls | None) -> dict[str, Any]:
    """Start the first process, end it in time, and read what it told."""
    token = os.urandom(TOKEN // 2).hex()
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if not child:
        code = 1
        try:
            _inside(request, bounds, walls, token, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    told = _read_until(reading, lambda: started + bounds.seconds + _waited_s(child), MOST_TOLD)
    kept_waiting = told is None and _waited_s(child) >= MOST_WAITED_S
    os.kill(child, signal.SIGKILL)
    if walls is None:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    cpu = used.ru_utime + used.ru_stime
    found = _read_told(told, token) if told is not None else None
    if found is None:
        late = told is None or (os.WIFSIGNALED(status) and cpu >= ENDS_AT * bounds.seconds)
        crashed = os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL
        reason = TIMEOUT if late else CRASHED if crashed else harness.EXITED
        found = {"passed": 0, "total": 1, "reason": harness.MACHINE_BUSY if kept_waiting else reason}
    return {"detail": "", **found, "cpu": cpu}


def _waited_s(child: int) -> float:
    """How long a process could have run while others had the processor; at most `MOST_WAITED_S`, 0 if unknown."""
    try:
        waited_ns = int(Path(f"/proc/{child}/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return min(waited_ns / 1e9, MOST_WAITED_S)


def _read_until(source: int, deadline: Callable[[], float], most: int) -> bytes | None:
    """What was written until the other side closed; None if it did not in time. Of much, only the end is kept."""
    kept = b""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    while True:
        left = deadline() - time.monotonic()
        if left <= 0:
            return None
        if not poll.poll(left * 1000 + 1):
            continue
        part = os.read(source, 1 << 16)
        if not part:
            return kept
        kept = (kept + part)[-most:]


def _read_told(told: bytes, token: str) -> dict[str, Any] | None:
    """What stands behind the token, if it was written; whatever else came is of the code."""
    _, found, text = told.rpartition(token.encode())
    if not found:
        return None
    try:
        read = json.loads(text)
        result = {"passed": int(read["passed"]), "total": int(read["total"]), "reason": str(read["reason"])[:40]}
        return {**result, "detail": str(read["detail"])[:300]}
    except (ValueError, KeyError, TypeError):
        return None


def _inside(request: Mapping[str, Any], bounds: Bounds, walls: _Walls | None, token: str, writing: int) -> None:
    """The first process in there: raise the walls, then run. `UNAVAILABLE` is told if they cannot be raised."""
    os.setsid()  # signals to the group of a process reach nobody outside
    null = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(null, each)
    os.dup2(writing, 3)
    os.closerange(4, 1024)
    sys.stdin, sys.stdout, sys.stderr = (open(k, mode, encoding="utf-8") for k, mode in enumerate("rww"))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(ONE_THREAD)
    try:
        if walls is not None:
            namespaces.enclose(walls.folders, walls.links, bounds)
            namespaces.give_up_rights(walls.root, walls.uid)
        namespaces.limit(bounds, threads=walls is not None)
        if walls is not None:
            system_calls.restrict(namespaces.libc)
    except OSError as e:
        told: dict[str, Any] = {"passed": 0, "total": 0, "reason": UNAVAILABLE, "detail": str(e)}
        _write_all(3, (token + json.dumps(told)).encode())
        return
    mine = os.getpid()
    for name in [name for name in sys.modules if name.split(".")[0] in ("hfclean", "__main__")]:
        del sys.modules[name]
    gc.enable()
    told = harness.run_tests(request)
    if os.getpid() == mine:  # a fork of it tells nothing
        _write_all(3, (token + json.dumps(told)).encode())
