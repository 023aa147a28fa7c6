"""What lives once in a process: the event loop that talks to servers, open files of answers, loaded models.

Nothing of this may sit on a transform (it would enter its pickle), nor cross a fork: a child process starts with none
of it, except for the weights of local models, which it may share. The loop runs in its own thread, so that it is
the same for every `map` in the process and works beside a loop that already runs, as in a notebook.
"""

import asyncio
import atexit
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

END_WAIT_S = 30.0  # for work that takes milliseconds at the end, and longer only on a stalled machine


class _Process:
    """The handles of one process. Pickles to nothing, so that hashing a module that reaches it stays steady."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.handles: dict[Hashable, Any] = {}
        self.shared: dict[Hashable, Any] = {}
        self.closers: list[Callable[[], None]] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None
        self.forked = False

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return (_this_process, ())


def _this_process() -> _Process:
    return _here


_here = _Process()

# Held during every call into SQLite, and during a fork: a child that inherits SQLite in the middle of a call hangs.
sqlite_lock = threading.Lock()


def once(key: Hashable, make: Callable[[], T]) -> T:
    """The handle of this key, made when it is first asked for in this process."""
    with _here.lock:
        if key not in _here.handles:
            _here.handles[key] = make()
        found: T = _here.handles[key]
        return found


def keep_across_fork(key: Hashable, make: Callable[[], T]) -> T:
    """Like `once`, for what a child process may keep using: weights in plain memory."""
    with _here.lock:
        if key not in _here.shared:
            _here.shared[key] = make()
        found: T = _here.shared[key]
        return found


def drop_shared(key: Hashable) -> None:
    """Forget what `keep_across_fork` made."""
    with _here.lock:
        _here.shared.pop(key, None)


def at_exit(closer: Callable[[], None]) -> None:
    """Call this when the process, or the caller of `close`, is done; the last one first."""
    with _here.lock:
        _here.closers.append(closer)


def close() -> None:
    """Close every connection and file that is open in this process. They reopen when needed."""
    with _here.lock:
        closers, _here.closers = _here.closers, []
        _here.handles.clear()
        _here.shared.clear()
        loop, _here.loop = _here.loop, None
        thread, _here.thread = _here.thread, None
        if loop is not None:
            closers.insert(0, lambda: _stop(loop, thread))
    for closer in reversed(closers):
        closer()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread | None) -> None:
    async def cancel_all() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with suppress(Exception):  # the interpreter may be half gone
        asyncio.run_coroutine_threadsafe(cancel_all(), loop).result(END_WAIT_S)
    loop.call_soon_threadsafe(loop.stop)
    if thread is not None:
        thread.join(END_WAIT_S)
    if not loop.is_running():
        loop.close()


def _loop() -> asyncio.AbstractEventLoop:
    with _here.lock:
        if _here.loop is None:
            loop = asyncio.new_event_loop()
            ready = threading.Event()

            def serve() -> None:
                asyncio.set_event_loop(loop)
                loop.call_soon(ready.set)
                loop.run_forever()

            _here.thread = threading.Thread(target=serve, name="hfclean-models", daemon=True)
            _here.thread.start()
            ready.wait()
            _here.loop = loop
        return _here.loop


def start(work: Coroutine[Any, Any, T]) -> Any:
    """Start work on the process's loop; a `concurrent.futures.Future` of its result."""
    return asyncio.run_coroutine_threadsafe(work, _loop())


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do work on the process's loop and wait for it, whatever loop runs in this thread."""
    future = start(work)
    try:
        result: T = future.result()
    except BaseException:
        future.cancel()
        raise
    return result


def in_worker() -> bool:
    """Whether this process is one of several that share a machine: a forked child, or a worker of a pool."""
    return _here.forked or _parent_pid() is not None


def worker_number() -> int:
    """Which worker of a pool this process is, from 0; 0 outside one."""
    for name in ("multiprocess", "multiprocessing"):
        module = sys.modules.get(f"{name}.process")
        identity = getattr(module.current_process(), "_identity", ()) if module is not None else ()
        if identity:
            number: int = identity[-1] - 1
            return number
    return 0


def run_id() -> str:
    """The name of this run: the same for a process and the workers of its pools, different every time.

    From the process's number and, where the system tells, the tick at which it started: not from the clock.
    """
    pid = _parent_pid() or os.getpid()
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as f:
        return f"{pid}-{f.read().rpartition(b')')[2].split()[19].decode()}"
    return str(pid)


def _parent_pid() -> int | None:
    """The process whose pool this one belongs to."""
    for name in ("multiprocess", "multiprocessing"):
        module = sys.modules.get(f"{name}.process")
        parent = module.parent_process() if module is not None else None
        if parent is not None:
            pid: int = parent.pid
            return pid
    return None


def _after_fork_in_child() -> None:
    global _here
    sqlite_lock.release()
    # The parent's sockets and files are never touched: collecting them here would take the parent's sockets
    # off the poll object that both share, and close its database under it.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_here))
    inherited, _here = _here, _Process()
    _here.shared = dict(inherited.shared)
    _here.forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=sqlite_lock.acquire, after_in_parent=sqlite_lock.release, after_in_child=_after_fork_in_child
    )
atexit.register(close)
