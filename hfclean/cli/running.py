"""How a command is run: failures that are expected are one line, and what was begun is cleaned away."""

import argparse
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any, TextIO

from hfclean.checks import CheckError
from hfclean.cli.reading import UsageError, as_cleaned, check_places
from hfclean.errors import HfcleanError, RecoveryWarning, RuleError
from hfclean.models import StoreWarning

# how the loader of libraries says that there is not enough memory for one
UNMAPPED = ("failed to map segment", "annot allocate memory", "cannot create shared object")
# what the library warns of on purpose
NOTES = (RecoveryWarning, StoreWarning)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run one subcommand; returns the exit code. Expected failures are one line on `err`."""
    before = _written(args)
    try:
        with _notes_on(err), _interruptible():
            check_places(args)
            if not getattr(args, "retry_failed", False):
                as_cleaned(args, err)
            import_module(f"hfclean.cli.{args.verb}").run(args, out, err)
    except (UsageError, RuleError, CheckError) as e:
        print(f"hfclean {args.verb}: {e}", file=err)
        return 2
    except HfcleanError as e:
        print(f"hfclean {args.verb}: {e}", file=err)
        return 1
    except KeyboardInterrupt:
        print(f"\nhfclean {args.verb}: stopped; {_what_is_kept(args, before)}", file=err)
        return 1
    except PermissionError as e:
        print(f"hfclean {args.verb}: not allowed: {e.filename or e}; choose a place that you may write to", file=err)
        return 1
    except (MemoryError, ImportError) as e:
        if isinstance(e, ImportError) and not any(word in str(e) for word in UNMAPPED):
            raise
        print(f"hfclean {args.verb}: not enough memory; {_what_is_kept(args, before)}", file=err)
        return 1
    except BrokenPipeError:  # the reader of our output went away: `hfclean rules | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as e:  # a full disk, above all
        print(f"hfclean {args.verb}: {e.strerror or e}; {_what_is_kept(args, before)}", file=err)
        return 1
    return 0


def _written(args: argparse.Namespace) -> object:
    """What tells the folder or file that a command writes from another one in its place."""
    name = getattr(args, "out", None) or getattr(args, "dir", None)
    try:
        return os.stat(os.path.expanduser(name)).st_ino if name else None
    except OSError:
        return None


def _what_is_kept(args: argparse.Namespace, before: object) -> str:
    if args.verb not in ("ab", "train") and _written(args) != before:
        return f"{args.out or args.dir} had been written by then, and is whole"
    if args.verb == "ab" and args.out:
        return "what was tuned is kept: run the same command again"
    if args.verb == "train":
        return "the checkpoints stay: --resume goes on"
    kept = "; every answer so far is kept: run the same command again" if getattr(args, "model", None) else ""
    return f"nothing was written{kept}"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP end what was begun as Ctrl-C does, so that it is cleaned away.

    Afterwards they mean what they meant before: a process forked later would hear of them in any of its threads, and
    might never wake up to end.
    """
    kinds = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {kind: signal.getsignal(kind) for kind in kinds}
    changed = [kind for kind in kinds if before[kind] is not signal.SIG_IGN]  # nohup
    if threading.current_thread() is not threading.main_thread():
        changed = []
    for kind in changed:
        signal.signal(kind, _interrupt)
    _handled.update(changed)
    try:
        yield
    finally:
        _handled.clear()
        for kind in changed:
            signal.signal(kind, before[kind])


_handled: set[signal.Signals] = set()


def _as_worker() -> None:
    """In a process that is forked meanwhile: ended by SIGTERM at once, as pools do it, and left out by Ctrl-C."""
    for kind in _handled:
        signal.signal(kind, signal.SIG_DFL)
    if _handled:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_as_worker)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _notes_on(err: TextIO) -> Iterator[None]:
    """Within the block, what the library warns of on purpose is a line on `err`, as it comes."""
    with warnings.catch_warnings():
        for kind in NOTES:
            warnings.simplefilter("always", kind)
        show = warnings.showwarning

        def tell(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, NOTES):
                print(f"note: {message}", file=err, flush=True)
            else:
                show(message, category, *rest, **more)

        warnings.showwarning = tell
        yield
