"""Which system calls the code of a stranger may not make, as a seccomp filter for x86-64 and 64-bit ARM.

It starts no process (threads it may), opens no socket, and makes none of the calls with which the kernel is
administered, or that give memory which no limit counts.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

# by name: the number on x86-64, the number on 64-bit ARM
_DENIED = {
    "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142), "sethostname": (170, 161),
    "setdomainname": (171, 162), "init_module": (175, 105), "delete_module": (176, 106), "quotactl": (179, 60),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "unshare": (272, 97), "setns": (308, 268),
    "move_pages": (279, 239), "mbind": (237, 235), "set_mempolicy": (238, 237), "migrate_pages": (256, 238),
    "perf_event_open": (298, 241), "fanotify_init": (300, 262), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "clock_adjtime": (305, 266), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "kcmp": (312, 272), "finit_module": (313, 273), "memfd_create": (319, 279),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "bpf": (321, 280), "userfaultfd": (323, 282),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180), "acct": (163, 89),
    "settimeofday": (164, 170), "syslog": (103, 116), "personality": (135, 92), "vhangup": (153, 58),
    "adjtimex": (159, 171), "lookup_dcookie": (212, 18), "socket": (41, 198), "execve": (59, 221),
    "execveat": (322, 281),
}  # fmt: skip
# io_uring, the new calls around mounts, pidfd_getfd, quotactl_fd, memfd_secret: the same numbers everywhere
_RECENT = (*range(425, 434), 438, 442, 443, 447)
_CLONE3 = 435
_FORKS = {"x86_64": (57, 58), "aarch64": ()}  # fork and vfork
_CLONE = {"x86_64": 56, "aarch64": 220}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_CLONE_THREAD = 0x00010000
_OTHER_ABI = 0x40000000  # of x86-64: the calls of x32
_PR_SET_SECCOMP, _FILTER = 22, 2


def machine() -> str:
    """The architecture, if there is a filter for it, else empty."""
    name = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return name if name in _ARCHITECTURE and ctypes.sizeof(ctypes.c_void_p) == 8 else ""


def denied(name: str) -> list[int]:
    """The numbers of the calls that fail on an architecture."""
    place = list(_ARCHITECTURE).index(name)
    return sorted({*(numbers[place] for numbers in _DENIED.values()), *_RECENT, *_FORKS[name]})


def program(name: str) -> bytes:
    """The filter as the kernel reads it."""
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _ARCHITECTURE[name]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    fails = (_RETURN, 0, 0, _ERROR | errno.EPERM)
    if name == "x86_64":
        lines += [(_AT_LEAST, 0, 1, _OTHER_ABI), fails]
    for number in denied(name):
        lines += [(_EQUAL, 0, 1, number), fails]
    lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]  # the C library then takes clone
    lines += [
        (_EQUAL, 0, 3, _CLONE[name]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_ANY_BIT, 1, 0, _CLONE_THREAD),
        fails,
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_char_p)]


def restrict(libc: ctypes.CDLL) -> None:
    """Put the filter on this thread and all that it starts; nothing takes it off again.

    Raises:
        OSError: the kernel takes no filter.
    """
    lines = program(machine())
    filter = _Program(len(lines) // 8, lines)
    if libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(filter), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")
