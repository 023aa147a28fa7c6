"""Work on rows in several processes: what comes out is the same, byte for byte, for any number of them."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Literal, TypeVar

from hfclean.errors import HfcleanError
from hfclean.models import process

T = TypeVar("T")
NumProc = int | Literal["auto"]

BATCH = 1000  # rows
AUTO_ROWS = 20_000  # from here on, several processes take less time than it takes to start them
AHEAD = 4  # batches for each process whose results wait to be taken

_work: Callable[[range], Any] | None = None  # of the pool, for the processes that are forked with it


def count_for(rows: int, num_proc: NumProc) -> int:
    """How many processes work on this number of rows: one where they cannot be forked, or each would have no batch.

    Args:
        rows: how many there are.
        num_proc: how many are asked for; with `"auto"` what HFCLEAN_NUM_PROC says, else one for each core from
            `AUTO_ROWS` rows on.

    Raises:
        HfcleanError: not a number of processes.
    """
    if process.in_worker():
        return 1
    asked = os.environ.get("HFCLEAN_NUM_PROC", "auto") if num_proc == "auto" else num_proc
    if asked == "auto":
        if rows < AUTO_ROWS or not _can_fork():
            return 1
        asked = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not str(asked).isdecimal() or int(asked) < 1:
        raise HfcleanError(f"num_proc={asked!r}: expected 'auto' or a number of processes, at least 1")
    return max(1, min(int(asked), rows // BATCH))


def _can_fork() -> bool:
    return "multiprocess" in sys.modules and bool(sys.modules["multiprocess"].get_start_method() == "fork")


def mapped(part: Any, transform: Callable[..., Any], label: str, count: int, **how: Any) -> list[Any]:
    """What `map` makes of a split in this number of processes, in one piece or two: batches are of the same rows for
    any number.

    Args:
        part: a `Dataset`.
        transform: what is mapped.
        label: what is done, for the progress bar and for errors.
        count: as `count_for` says.
        how: further arguments of `map`.

    Raises:
        HfcleanError: a process was ended from outside.
    """
    how = {"batched": True, "batch_size": BATCH, "desc": label, **how}
    if count == 1:
        return [part.map(transform, **how)]
    even = len(part) // (count * BATCH) * count * BATCH
    done = []
    try:
        if even:
            done.append(part.select(range(even)).map(transform, num_proc=count, **how))
    except RuntimeError as e:
        if "abruptly died" not in str(e):
            raise
        raise _died(count, label) from e
    if even < len(part):
        done.append(part.select(range(even, len(part))).map(transform, **how))
    return done


def by_batch(
    work: Callable[[range], T], rows: int, label: str, num_proc: NumProc, at_once: int = BATCH
) -> Iterator[T]:
    """What `work` makes of batches of rows, in order; it must not depend on where one ends.

    Args:
        work: takes the indices of a batch; it and what it knows are there in each process, and only what it returns is
            carried over.
        rows: how many there are.
        label: what is done, for errors.
        num_proc: how many processes; one where they cannot be forked.
        at_once: how many rows a batch has at most.

    Raises:
        HfcleanError: a process was ended from outside; not a number of processes.
    """
    count = count_for(rows, num_proc) if _can_fork() else 1
    size = max(1, min(at_once, -(-rows // count)))
    batches = (range(start, min(start + size, rows)) for start in range(0, rows, size))
    return map(work, batches) if count == 1 else _in_pool(work, batches, label, count)


def by_part(work: Callable[[range], T], parts: Sequence[int], label: str, num_proc: NumProc) -> Iterator[T]:
    """The same for parts whose edges are given, such as those of a file: what `work` makes of each, by its number.

    Args:
        work: takes the number of a part, as a range of one.
        parts: how many rows each has.
        label, num_proc: as for `by_batch`.

    Raises:
        HfcleanError: a process was ended from outside; not a number of processes.
    """
    count = min(count_for(sum(parts), num_proc), len(parts)) if _can_fork() else 1
    each = (range(k, k + 1) for k in range(len(parts)))
    return map(work, each) if count <= 1 else _in_pool(work, each, label, count)


def _in_pool(work: Callable[[range], T], batches: Iterator[range], label: str, count: int) -> Iterator[T]:
    import multiprocessing

    global _work
    _work = work  # read by the processes as they are forked, which is when the first batch is handed in
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("fork"))
    waiting: deque[Future[T]] = deque()
    try:
        waiting.extend(pool.submit(_do, batch) for batch in islice(batches, AHEAD * count))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(_do, batch) for batch in islice(batches, 1))
    except BrokenProcessPool as e:
        raise _died(count, label) from e
    finally:
        _work = None
        pool.shutdown(cancel_futures=True)


def _do(batch: range) -> Any:
    assert _work is not None
    return _work(batch)


def _died(count: int, label: str) -> HfcleanError:
    return HfcleanError(
        f"one of the {count} processes {label} was ended from outside, often for want of memory; take fewer: "
        "num_proc=1, or --num-proc 1"
    )
