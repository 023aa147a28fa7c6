"""Namespaces of Linux around one process: no network, no files but the interpreter's, no other processes, no rights.

Called by ctypes, in a process that has a single thread and was forked for one run.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hfclean.isolation import system_calls

_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
_NEWUSER, _NEWPID, _NEWNET = 0x10000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _NOEXEC, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 8, 0x1000, 0x4000, 0x40000
_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTRIBUTES = 1 | 2 | 4  # read-only, no set-user-id, no devices
_MOUNT_SETATTR = 442  # on every architecture
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_CAPABILITIES_V3 = 0x20080522
UNUSED_UIDS = 1_879_000_000  # from here on; no system gives them out
INSIDE = 1000  # the user inside: not 0, which would get capabilities back
DEVICES = ("null", "zero", "full", "random", "urandom")
MEGABYTE = 1024 * 1024
_FILES, _THREADS, _INODES = 64, 32, 4096


@dataclass(frozen=True)
class Bounds:
    """What one run may use.

    Attributes:
        seconds: of wall time; of processor time as many, rounded up.
        memory_mb: address space, in megabytes.
        disk_mb: all files together, which are in memory.
    """

    seconds: float
    memory_mb: int
    disk_mb: int = 64


libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def _call(name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def is_root() -> bool:
    """Whether this is the system's own root, or one who may become any user: he needs no user namespace."""
    if os.geteuid() or not Path("/proc/self/uid_map").exists():
        return False
    first, _, count = map(int, Path("/proc/self/uid_map").read_text(encoding="ascii").split("\n")[0].split())
    return first == 0 and count > UNUSED_UIDS + 2**22


def readable_folders() -> list[str]:
    """The folders of the interpreter: its library, site-packages, the shared libraries it uses, and time zones."""
    import site
    import zoneinfo

    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), *zoneinfo.TZPATH]
    with Path("/proc/self/maps").open(encoding="utf-8", errors="replace") as lines:
        mapped = [line.split(maxsplit=5)[5].strip() for line in lines if "/" in line]
    paths += [str(Path(each).parent) for each in mapped if ".so" in each]
    found = sorted({os.path.realpath(path) for path in paths if path and Path(path).is_dir()} - {"/"})
    return [path for path in found if not any(path.startswith(other + "/") for other in found)]


def links_to(folders: Iterable[str]) -> dict[str, str]:
    """Links on the way to those folders by the names under which the interpreter and the loader know them."""
    known = {"/lib", "/lib64", "/bin"} | {path for path in sys.path if path.startswith("/")}
    known |= {*_zoneinfo_names(), sysconfig.get_path("stdlib")}
    found: dict[str, str] = {}
    for path in known:
        for part in [*reversed(Path(path).parents), Path(path)]:
            if part.is_symlink():
                found[str(part)] = os.path.realpath(part)
                break
    return {
        link: target
        for link, target in sorted(found.items())
        if any(f"{each}/".startswith(f"{target}/") or target.startswith(f"{each}/") for each in folders)
    }


def _zoneinfo_names() -> tuple[str, ...]:
    """Where time zones are looked for."""
    import zoneinfo

    return zoneinfo.TZPATH


def leave(root: bool) -> None:
    """Leave the namespaces of the system, except that of files; the next child is the first process of its own.

    Raises:
        OSError: the system does not allow it.
    """
    others = _NEWNET | _NEWPID | _NEWIPC | _NEWUTS | _NEWCGROUP
    if root:
        _call("unshare", others)
        return
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", _NEWUSER | others)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{INSIDE} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{INSIDE} {gid} 1", encoding="ascii")


def enclose(folders: list[str], links: dict[str, str], bounds: Bounds) -> None:
    """See nothing but these folders, read-only, and an empty one of one's own, the working folder `/tmp`."""
    _call("unshare", _NEWNS)
    _call("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
    place = folders[0].encode()  # any folder that exists; what it holds is under /old again after the turn
    _call("mount", b"tmpfs", place, b"tmpfs", _NOSUID | _NODEV, b"size=1m,nr_inodes=2048,mode=755")
    os.chdir(place)
    Path("old").mkdir()
    _call("syscall", _PIVOT_ROOT[system_calls.machine()], b".", b"old")
    os.chdir("/")
    for folder in folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
        _call("mount", f"/old{folder}".encode(), folder.encode(), None, _BIND | _RECURSIVE, None)
        _set_read_only(folder, _AT_RECURSIVE)
    for link, target in links.items():
        if not os.path.lexists(link):
            Path(link).parent.mkdir(parents=True, exist_ok=True)
            Path(link).symlink_to(target)
    Path("/dev").mkdir(exist_ok=True)
    for name in DEVICES:
        Path(f"/dev/{name}").touch()
        _call("mount", f"/old/dev/{name}".encode(), f"/dev/{name}".encode(), None, _BIND, None)
    Path("/tmp").mkdir(exist_ok=True)  # noqa: S108 (the only folder of a file system of its own)
    space = f"size={bounds.disk_mb}m,nr_inodes={_INODES},mode=1777".encode()
    _call("mount", b"tmpfs", b"/tmp", b"tmpfs", _NOSUID | _NODEV | _NOEXEC, space)
    _call("umount2", b"/old", _DETACH)
    Path("/old").rmdir()
    _set_read_only("/", 0)
    os.chdir("/tmp")  # noqa: S108
    socket.sethostname("localhost")


def _set_read_only(path: str, flags: int) -> None:
    attributes = struct.pack("=QQQQ", _ATTRIBUTES if path != "/" else 1, 0, 0, 0)
    _call("syscall", _MOUNT_SETATTR, ctypes.c_long(_AT_FDCWD), path.encode(), flags, attributes, len(attributes))


def give_up_rights(root: bool, uid: int) -> None:
    """Become a user who owns nothing, without capabilities and without a way to any."""
    for capability in range(64):
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break
    if root:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header, data = struct.pack("=Ii", _CAPABILITIES_V3, 0), bytes(24)
    _call("capset", header, data)
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    end_with_parent()


def end_with_parent() -> None:
    """End when the process that forked this one does."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit(bounds: Bounds, *, threads: bool) -> None:
    """Set the limits of the system for this process and what it starts; they cannot be raised again."""
    import resource  # which Windows has not

    seconds = max(1, int(bounds.seconds + 0.999))
    memory = bounds.memory_mb * MEGABYTE
    wanted = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: bounds.disk_mb * MEGABYTE,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_CORE: 0,
    }
    if threads:
        wanted[resource.RLIMIT_NPROC] = _THREADS
    if sys.platform == "linux":
        wanted[resource.RLIMIT_MSGQUEUE] = 0
        wanted[resource.RLIMIT_SIGPENDING] = 256
    for name, value in wanted.items():
        resource.setrlimit(name, (value, value))
