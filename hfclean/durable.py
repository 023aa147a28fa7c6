"""Files and folders that exist whole or not at all, also after a kill or a power cut.

What is new is written beside its place under a hidden name, flushed to the disk together with the folders that name
it, and only then renamed. A folder that replaces another one is exchanged with it in one step where the system can do
that. The next run recognises what an interrupted run leaves behind:

    .NAME.starting-OWNER       just made, and empty: deleted once its owner is gone
    .NAME.partial-OWNER        not finished: deleted once its owner is gone
    .NAME.ready-INODE-OWNER    finished and on the disk, but not yet in its place; after an exchange, what was replaced
    .NAME.displaced-OWNER      what was moved out of the way where there is no exchange
    .NAME.discard-OWNER        replaced, and being deleted

A finished folder is never deleted by anybody but the run that made it: `recover` puts it in its place where that is
empty, and under a visible name where it is not. A lock on the folder itself says whether an owner is alive: it ends
with its process, whatever the process number. Windows cannot lock folders, so there the number decides. After a
restart of the same machine every owner is gone (where the system tells its starts apart: Linux); what another machine
wrote on a shared disk is left alone.
"""

import ctypes
import errno
import os
import platform
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from glob import escape
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from hfclean.errors import FolderError, RecoveryWarning

OWNER = r"(?P<boot>[0-9a-f]{8})-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}"
TRIES = 5
SYNCHRONIZE, WAIT_TIMEOUT, ERROR_INVALID_PARAMETER = 0x100000, 0x102, 87  # of Windows
RENAME_EXCHANGE = 2
AT_FDCWD = -100
LEGACY = re.compile(r"(?P<state>partial|old)-\d+")


# ------------------------------------------------------------------------------------------------------------- writing


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A place to write a file that becomes `path` when the block ends well, and vanishes when it does not."""
    path = path.resolve()
    recover(path)
    partial, lock = _locked(Path.touch, path.parent, f".{path.name}")
    try:
        yield partial
        _sync(partial)
        _rename(partial, path, replace=True)
        _sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)
        _unlock(lock)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file: at any time it has the old content or the new one."""
    with new_file(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """The same for text, in UTF-8 with "\\n" line ends."""
    write_bytes(path, text.encode("utf-8"))


@contextmanager
def new_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """An empty folder beside `out` that becomes `out` when the block ends well, and vanishes when it does not.

    Args:
        out: the folder to make; parents are made as well.
        overwrite: replace `out` if it exists. The old folder stays in its place until the new one is on the disk.

    Raises:
        FolderError: `out` appeared while the new folder was written; nothing was replaced.
    """
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    recover(out)
    partial, lock = _locked(Path.mkdir, out.parent, f".{out.name}")
    try:
        yield partial
        _install(partial, out, overwrite=overwrite)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _unlock(lock)


def check_outside(out: Path, source: Path) -> None:
    """Refuse to write into a folder that is read.

    Raises:
        FolderError: `out` lies in the folder `source`, by whatever path it is named.
    """
    if source.is_dir() and any(place.exists() and place.samefile(source) for place in out.resolve().parents):
        raise FolderError(
            f"{out.name!r} would lie in the folder {source.name or str(source)!r}, which is only read; choose a place "
            "outside of it"
        )


def _locked(make: Callable[[Path], None], parent: Path, begin: str) -> tuple[Path, int | None]:
    """A new file or folder and the lock on it, held before anything is written into it.

    Between the making and the lock another run can take it for a leftover; then it is made once more.
    """
    tries = 0
    while True:
        tries += 1
        owner = _owner()
        starting = parent / f"{begin}.starting-{owner}"
        make(starting)
        lock = _lock(starting)
        if lock is None and tries < TRIES and _has_locks():  # another process has it
            _delete(starting)
            continue
        try:
            return starting.rename(parent / f"{begin}.partial-{owner}"), lock
        except FileNotFoundError:
            _unlock(lock)
            if tries == TRIES:
                raise


def _delete(path: Path) -> None:
    """Delete a file or folder that is not needed; one that does not exist is not a failure."""
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _install(partial: Path, out: Path, *, overwrite: bool) -> None:
    """Put a finished folder in its place; after any exception the old state is back."""
    owner = partial.name.removeprefix(f".{out.name}.partial-")
    sync_tree(partial)
    ready = out.parent / f".{out.name}.ready-{partial.stat().st_ino}-{owner}"
    displaced = out.parent / f".{out.name}.displaced-{owner}"
    discard = out.parent / f".{out.name}.discard-{owner}"
    replaced: list[int | None] = []
    try:
        _rename(partial, ready)
        _sync(out.parent)
        _put(ready, out, displaced, replaced, overwrite=overwrite)
        _sync(out.parent)
    except BaseException:
        if displaced.exists() and not out.exists():
            _rename(displaced, out)
        raise
    finally:  # whichever way it went: of old and new, what is not in its place is not needed any more
        for leftover in (ready, displaced):
            if leftover.exists() and out.exists():
                try:
                    with suppress(FileNotFoundError):  # another run renamed it
                        _rename(leftover, discard)
                finally:
                    _discard(discard)
        for lock in replaced:
            _unlock(lock)


def _discard(folder: Path) -> None:
    """Delete a folder that was replaced, also where its owner had taken the right to write into it from it."""
    for place, _, _ in os.walk(folder):
        with suppress(OSError):  # somebody else's
            os.chmod(place, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _put(ready: Path, out: Path, displaced: Path, replaced: list[int | None], *, overwrite: bool) -> None:
    """Rename a finished folder to its place, or exchange it with what exists; adds the lock on that to `replaced`.

    Others may write the same folder: what is in the place can come and go between the look and the rename.
    """
    for attempt in range(TRIES):
        # once exchanged, it lies under a name by which others could take it for a leftover
        replaced.append(_lock(out))
        try:
            if not (overwrite and out.exists()):
                _rename(ready, out)
            elif not _exchange(ready, out):
                _delete(displaced)
                _rename(out, displaced)
                _rename(ready, out)
            return
        except OSError as e:
            if not overwrite and out.exists():
                raise FolderError(
                    f"the folder {out.name!r} appeared while this one was written; nothing was replaced"
                ) from e
            if e.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT) or attempt == TRIES - 1:
                raise


def sync_tree(folder: Path) -> None:
    """Flush every file below a folder, and the folders that name them, to the disk."""
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(Path(place) / name)
        _sync(Path(place))


def sync_names(folder: Path) -> None:
    """Flush the names in one folder."""
    _sync(folder)


@contextmanager
def scratch_folder(kind: str, parent: Path | None = None) -> Iterator[Path]:
    """A hidden folder for intermediate files, gone afterwards; what killed runs left of the same kind goes as well.

    Args:
        kind: what it is for, part of its name.
        parent: where to make it; by default the system's folder for temporary files.
    """
    where = Path(tempfile.gettempdir()) if parent is None else parent
    for leftover in _leftovers(where, f".hfclean-{kind}"):
        with _abandoned(leftover) as abandoned:
            if abandoned:
                shutil.rmtree(leftover.path, ignore_errors=True)
    folder, lock = _locked(lambda place: place.mkdir(mode=0o700), where, f".hfclean-{kind}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _unlock(lock)


# ---------------------------------------------------------------------------------------------------------- recovering


class _Leftover(NamedTuple):
    """A leftover of a run beside its target."""

    path: Path
    state: str
    inode: int
    boot: str
    host: str
    pid: int


def recover(out: Path) -> tuple[str, ...]:
    """Finish or restore what an interrupted run left beside `out`; warns about what it found and did.

    Unfinished files are deleted. A finished folder goes to its place if that is empty, else it gets a visible name
    beside it. Leftovers of a live run, another machine or an unknown owner are left alone.
    """
    out = out.resolve()
    if not out.parent.is_dir():
        return ()
    notes = []
    # of two finished ones, the new one goes first: the one it was meant to replace is then kept beside it
    for leftover in sorted(_leftovers(out.parent, f".{out.name}"), key=lambda left: left.state != "ready"):
        with _abandoned(leftover) as abandoned:
            if abandoned:
                notes += _settle(leftover, out)
    notes += _legacy(out)
    for note in notes:
        warnings.warn(note, RecoveryWarning, stacklevel=2)
    return tuple(notes)


def _settle(leftover: _Leftover, out: Path) -> list[str]:
    if leftover.state == "starting":  # its owner may be about to lock it, and will make another
        _delete(leftover.path)
        return []
    if leftover.state in ("partial", "discard"):
        _discard(leftover.path) if leftover.path.is_dir() else leftover.path.unlink(missing_ok=True)
        return []
    new = leftover.state == "ready" and leftover.path.stat().st_ino == leftover.inode
    if not out.exists():
        _rename(leftover.path, out)
        _sync(out.parent)
        what = "the finished folder" if new else "the folder that was being replaced"
        return [f"an interrupted run left {out.name!r} out of its place: {what} was put there"]
    return [_shown(leftover.path, out, "unfinished" if new else "replaced")]


def _shown(path: Path, out: Path, word: str) -> str:
    """Give a finished leftover a name that people see; says so."""
    count = 1
    while (place := out.parent / f"{out.name}.{word}-{count}").exists():
        count += 1
    _rename(path, place)
    _sync(out.parent)
    story = "a finished folder that was to replace" if word == "unfinished" else "the earlier version of"
    return f"an interrupted run left {story} {out.name!r}: it is {place.name!r} now; delete it if you do not need it"


def _legacy(out: Path) -> list[str]:
    """Leftovers of hfclean 0.1.0: their names hold only a process number, so nobody knows whether it is alive."""
    notes = []
    for path in out.parent.glob(f".{escape(out.name)}.*-*"):
        match = LEGACY.fullmatch(path.name.removeprefix(f".{out.name}."))
        if match is None:
            continue
        if match["state"] == "partial":
            notes.append(f"{path.name!r} may be an unfinished folder of hfclean 0.1.0; delete it if no run writes it")
        elif out.exists():
            notes.append(_shown(path, out, "replaced"))
        else:
            _rename(path, out)
            notes.append(f"an interrupted run left {out.name!r} out of its place: the earlier version was put back")
    return notes


def _leftovers(parent: Path, begin: str) -> list[_Leftover]:
    pattern = re.compile(
        re.escape(begin) + rf"\.(?P<state>starting|partial|ready|displaced|discard)-(?:(?P<inode>\d+)-)?{OWNER}"
    )
    found = []
    for path in sorted(parent.glob(f"{escape(begin)}.*")):
        if match := pattern.fullmatch(path.name):
            inode, pid = int(match["inode"] or 0), int(match["pid"])
            found.append(_Leftover(path, match["state"], inode, match["boot"], match["host"], pid))
    return found


@contextmanager
def _abandoned(leftover: _Leftover) -> Iterator[bool]:
    """Whether the run that owns a leftover is gone; while the block runs, nobody else takes it."""
    boot, host = machine()
    if leftover.boot != boot:
        yield leftover.host == host  # the machine has been restarted since
        return
    if not _has_locks():
        yield not _is_alive(leftover.pid)
        return
    lock = _lock(leftover.path)
    try:
        yield lock is not None
    finally:
        _unlock(lock)


# --------------------------------------------------------------------------------------------------------- the machine


def _owner() -> str:
    boot, host = machine()
    return f"{boot}-{host}-{os.getpid()}-{token_hex(4)}"


@lru_cache(maxsize=1)
def machine() -> tuple[str, str]:
    """Eight hex digits that identify the start of this machine, and eight that identify the machine.

    Containers on one kernel share the first, so that locks decide between them.
    """
    boot = host = platform.node()
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with suppress(OSError):
        host = Path("/etc/machine-id").read_text(encoding="ascii").strip() or host
    return sha256(boot.encode()).hexdigest()[:8], sha256(host.encode()).hexdigest()[:8]


def _lock(path: Path) -> int | None:
    """An open lock on a file or folder, or None where another process holds it or locks are not available."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _has_locks() -> bool:
    """Whether the system locks folders: all but Windows."""
    return find_spec("fcntl") is not None


def _is_alive(pid: int) -> bool:
    """Whether a process has this number, where there is no lock to tell: a later process may have it as well."""
    if sys.platform == "win32":  # where `os.kill` would end it
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        process = kernel.OpenProcess(SYNCHRONIZE, False, pid)
        if not process:
            return ctypes.get_last_error() != ERROR_INVALID_PARAMETER  # it exists, but belongs to another user
        try:
            return bool(kernel.WaitForSingleObject(process, 0) == WAIT_TIMEOUT)
        finally:
            kernel.CloseHandle(process)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _unlock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _sync(path: Path) -> None:
    """Flush one file, or the names in one folder."""
    if os.name == "nt" and path.is_dir():  # where folders cannot be opened, and flush their names by themselves
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        flush(descriptor)
    except OSError as e:
        if e.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot flush a folder
            raise
    finally:
        os.close(descriptor)


def flush(descriptor: int) -> None:
    """Have what was written to an open file on the disk before this returns."""
    if sys.platform == "darwin":  # where `fsync` leaves it in the disk's own cache
        import fcntl

        with suppress(OSError):  # a file system that supports only `fsync`
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _rename(path: Path, target: Path, *, replace: bool = False) -> None:
    os.replace(path, target) if replace else os.rename(path, target)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where system or file system has no such step."""
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    if libc is None or not hasattr(libc, "renameat2"):
        return False
    done = libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    if done == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(one))
