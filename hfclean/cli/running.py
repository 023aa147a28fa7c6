"""How a command is run: failures that are expected are one line, and what was begun is cleaned away."""

import argparse
import ctypes
import errno
import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any, TextIO

from hfclean.cli.conditions import ConditionsMet
from hfclean.cli.reading import UsageError, as_cleaned, check_license, check_places, check_sources
from hfclean.cli.terminal import PLAIN, colors_of, using, visible
from hfclean.errors import (
    CheckError,
    GenerationWarning,
    HfcleanError,
    RecoveryWarning,
    RuleError,
    StoreWarning,
    VerifierError,
)

_log = logging.getLogger(__name__)

# how the loader of libraries and the maker of threads say that there is not enough memory
UNMAPPED: dict[type[BaseException], tuple[str, ...]] = {
    ImportError: ("failed to map segment", "annot allocate memory", "cannot create shared object"),
    RuntimeError: ("can't start new thread",),
}
# what a system runs out of, and what can be done
SHORTAGES = {
    errno.ENOSPC: "free some, or write to another disk",
    errno.EDQUOT: "free some, or write to another disk",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close some, or raise the limit of the system",
}
ERRNO = re.compile(r"\[errno (\d+)\]", re.IGNORECASE)  # as pyarrow says it
NO_SPACE = "Not enough disk space"  # as datasets does
LONGEST_NOTE = 20_000  # characters; a traceback has some thousands
AGAIN_S = 0.05  # until a signal is sent once more
PARENT_DEATH_SIGNAL = 1  # of prctl, the same on every Linux
SYSTEM = ctypes.CDLL(None) if sys.platform == "linux" else None
# what the library warns of on purpose
NOTES = (GenerationWarning, RecoveryWarning, StoreWarning)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    """Run one subcommand; returns the exit code. Expected failures are one line on `err`."""
    before = _written(args)
    try:
        with using(PLAIN if vars(args).get("json") else colors_of(out)), _notes_on(err, args), _interruptible():
            check_places(args)
            check_license(args, err)
            check_sources(args)
            if not getattr(args, "retry_failed", False):
                as_cleaned(args, err)
            import_module(f"hfclean.cli.{args.verb.replace('-', '_')}").run(args, out, err)
    except UsageError as e:
        print(f"hfclean {args.verb}: {e}", file=err)
        return 2
    except (RuleError, CheckError, VerifierError) as e:
        print(f"hfclean {args.verb}: {_said(e, args)}", file=err)
        return 2
    except ConditionsMet as e:
        print("\n".join(f"hfclean {args.verb}: failed on {line}" for line in str(e).split("\n")), file=err)
        return 3
    except BrokenPipeError:  # the reader of our output went away: `hfclean rules | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as e:
        if _ended or isinstance(e, KeyboardInterrupt):  # some extensions make another error of it when they are loaded
            print(f"\nhfclean {args.verb}: stopped; {_what_is_kept(args, before)}", file=err)
        elif shortage := _shortage(e):
            print(f"hfclean {args.verb}: {shortage}; {_what_is_kept(args, before)}", file=err)
            sys.unraisablehook = _but_shortages(sys.unraisablehook)
        elif isinstance(e, HfcleanError):
            print(f"hfclean {args.verb}: {_said(e, args)}", file=err)
        elif isinstance(e, PermissionError):
            print(f"hfclean {args.verb}: not allowed: {_forbidden(e)}; {_what_is_kept(args, before)}", file=err)
        elif isinstance(e, OSError):
            print(f"hfclean {args.verb}: {e.strerror or e}; {_what_is_kept(args, before)}", file=err)
        else:
            raise
        return 1
    return 0


def _said(error: HfcleanError, args: argparse.Namespace) -> str:
    """What an error says, in words of the command line."""
    if error.in_flags:
        return error.in_flags
    from hfclean.cli.flags import in_flags

    return in_flags(str(error), set(vars(args)))


def _forbidden(error: PermissionError) -> str:
    """What may not be read, or the folder that may not be written to, and what can be done."""
    if error.filename is None:
        return str(error)
    path = os.fsdecode(error.filename)
    if os.path.lexists(path):
        return f"{path}: allow it (chmod), or choose another"
    return f"to write in {os.path.dirname(path) or '.'}: allow it (chmod), or choose another place"


def _shortage(error: BaseException | None) -> str:
    """What the system ran out of, where an error comes of that, whatever libraries made of it; else empty."""
    while error is not None:
        text = str(error)
        if isinstance(error, MemoryError) or any(word in text for word in UNMAPPED.get(type(error), ())):
            return "not enough memory"
        if isinstance(error, OSError):
            said = ERRNO.search(text)
            code = errno.ENOSPC if NO_SPACE in text else error.errno or (int(said[1]) if said else 0)
            if code in SHORTAGES:
                return f"{os.strerror(code)}: {SHORTAGES[code]}"
        error = error.__cause__ or error.__context__
    return ""


def _but_shortages(hook: Callable[[Any], object]) -> Callable[[Any], None]:
    """A hook that is silent about the shortage again, where files that a library left open are closed at last."""

    def heard(unraisable: Any) -> None:
        if not _shortage(unraisable.exc_value):
            hook(unraisable)

    return heard


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
    """Within the block, SIGTERM, SIGHUP and Ctrl-C end what was begun, so that it is cleaned away.

    Afterwards they mean what they meant before: a process forked later would hear of them in any of its threads, and
    might never wake up to end.
    """
    kinds = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)]
    before = {kind: signal.getsignal(kind) for kind in kinds}
    changed = [kind for kind in kinds if before[kind] not in (signal.SIG_IGN, None)]  # nohup; a handler of C
    if threading.current_thread() is not threading.main_thread():
        changed = []
    for kind in changed:
        signal.signal(kind, _interrupt)
    _handled.update(changed)
    _ended.clear()
    hooks = sys.unraisablehook, sys.excepthook
    sys.unraisablehook, sys.excepthook = _once_more(hooks[0]), _silent(hooks[1])
    try:
        yield
    finally:
        sys.unraisablehook, sys.excepthook = hooks
        _handled.clear()
        for kind in changed:
            signal.signal(kind, before[kind])


_handled: set[signal.Signals] = set()
_ended: list[int] = []  # the signals that ended the command


def _once_more(hook: Callable[[Any], object]) -> Callable[[Any], object]:
    """Where nothing can be raised (while an object is deleted, in a callback), the signal is sent once more."""

    def heard(unraisable: Any) -> None:
        if _ended and issubclass(unraisable.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN_S, os.kill, (os.getpid(), _ended[-1])).start()
        else:
            hook(unraisable)

    return heard


def _silent(hook: Callable[..., object]) -> Callable[..., object]:
    """Extensions that are being loaded print what interrupts them, and go on with another error."""

    def heard(kind: type[BaseException], *rest: Any) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            hook(kind, *rest)

    return heard


_forking = threading.local()


def _before_fork() -> None:
    """A signal that reaches a new process before it is set up is forgotten by Python; it has to wait until then."""
    _forking.is_main = threading.current_thread() is threading.main_thread()
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _handled)


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _as_worker() -> None:
    """In a process that is forked meanwhile: ended by SIGTERM at once, as pools do it, left out by Ctrl-C, and ended
    with its parent, which may be killed: it would wait for work for ever."""
    for kind in _handled:
        signal.signal(kind, signal.SIG_DFL)
    if _handled:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # the system means the thread that forked: one of a pool ends before the process does
        if SYSTEM and _forking.is_main:
            SYSTEM.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_as_worker)


def _interrupt(kind: int, _frame: FrameType | None) -> None:
    _ended.append(kind)
    raise KeyboardInterrupt


@contextmanager
def _notes_on(err: TextIO, args: argparse.Namespace) -> Iterator[None]:
    """Within the block, what the library warns of on purpose is a line on `err`, as it comes; and all that it logs,
    where that is asked for."""
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
        log, handler = logging.getLogger("hfclean"), _Notes(err, verbose=args.verbose)
        log.addHandler(handler)
        level = log.level
        if args.verbose:
            log.setLevel(logging.DEBUG)
        try:
            yield
        except (HfcleanError, UsageError, OSError):
            _log.debug("where this came from:", exc_info=True)
            raise
        finally:
            log.setLevel(level)
            log.removeHandler(handler)


class _Notes(logging.Handler):
    """What the library logs is a line on `err`."""

    def __init__(self, err: TextIO, *, verbose: bool) -> None:
        super().__init__(logging.DEBUG if verbose else logging.WARNING)
        self.err = err

    def emit(self, record: logging.LogRecord) -> None:
        label = "note" if record.levelno >= logging.WARNING else record.levelname.lower()
        print(f"{label}: {visible(self.format(record), LONGEST_NOTE)}", file=self.err, flush=True)
