"""Runs a function in a process forked from this one, where everything is imported: for tests that end a process."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import NamedTuple


class Ended(NamedTuple):
    """The exit code of a process, negative for a signal, and what it wrote to stderr."""

    returncode: int
    stderr: str


def forked(work: Callable[[], int]) -> Ended:
    """The end of a process that does this work and exits with what it returns."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        child = os.fork()
        if child == 0:  # pragma: no cover
            code = 70
            try:
                sys.stderr, sys.stdout = said, open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
                code = work()
            except BaseException:  # noqa: BLE001 nothing may go on as if it were the tests
                traceback.print_exc()
            finally:
                said.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return Ended(os.waitstatus_to_exitcode(status), said.read())
