"""Code of rows reaches nothing: attacks on the walls around it, each bounded in time."""

from __future__ import annotations

import io
import os
import socket
import time
from pathlib import Path

import pytest

from hfclean.errors import IsolationError
from hfclean.isolation import launcher, namespaces, running, system_calls
from hfclean.isolation.running import Job, Told, run_jobs

pytestmark = pytest.mark.skipif(not system_calls.machine(), reason="Linux on x86-64 or 64-bit ARM")
SECRET = "a word that only the test knows"
SECONDS = 1.0


def run(code: str, test: str = "assert attack()", seconds: float = SECONDS) -> Told:
    (told,) = run_jobs([Job((code,), test, "", seconds, 192)])
    return told


def attack(*lines: str) -> Told:
    """What came of a function with this body."""
    started = time.monotonic()
    told = run("import os, sys\ndef attack():\n" + "\n".join(f"    {line}" for line in lines))
    assert time.monotonic() - started < 60  # far from the 600 s of a run that nothing ends; no measure of speed
    return told


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    try:
        run("def attack(): return True")
    except IsolationError as e:
        pytest.skip(str(e))


def test_code_that_is_right_passes() -> None:
    assert attack("return 1 + 1 == 2") == Told(1, 1, "", "")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/etc/hostname",
        "/proc/self/environ",
        "/proc/1/cmdline",
        "/sys/kernel/osrelease",
        "/dev/sda",
        "/dev/mem",
        "/old/etc/passwd",
        __file__,
        "/bin/sh",
        "/var",
        "/run",
    ],
)
def test_files_of_the_system_are_not_there(path: str) -> None:
    assert attack(f"return not os.path.lexists({path!r})") == Told(1, 1, "", "")


def test_a_home_holds_nothing_but_the_way_to_an_interpreter_in_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    assert attack(f"return not os.path.exists({str(tmp_path)!r})") == Told(1, 1, "", "")
    home = Path.home()
    below = [Path(each) for each in namespaces.readable_folders() if Path(each).is_relative_to(home)]
    known = {each.relative_to(home).parts[0] for each in below if each != home}
    told = attack(f"return not os.path.exists({str(home)!r}) or set(os.listdir({str(home)!r})) == {known!r}")
    assert told == Told(1, 1, "", "")


def test_the_environment_of_the_parent_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert attack("return set(os.environ) <= {'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'}") == Told(1, 1, "", "")


def test_no_other_process_is_seen_or_reached() -> None:
    assert attack("return os.getpid() == 1 and os.getppid() == 0 and not os.path.exists('/proc/1')").reason == ""
    me = os.getpid()
    told = attack(f"try: os.kill({me}, 9)", "except ProcessLookupError: return True")
    assert told == Told(1, 1, "", "")


@pytest.mark.parametrize("target", ["os.getppid()", "0", "-1", "1"])
def test_killing_whatever_can_be_named_leaves_the_parent_alive(target: str) -> None:
    attack(f"os.kill({target}, 9)", "return True")
    assert attack("return True") == Told(1, 1, "", "")


def test_a_listener_on_this_machine_is_not_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port = server.getsockname()[1]
        told = attack(f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)", "return True")
        assert (told.passed, told.reason) == (0, "raised")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "call",
    [
        "os.fork()",
        "os.execv('/bin/sh', ['sh'])",
        "__import__('subprocess').run(['true'])",
        "__import__('multiprocessing').Process(target=print).start()",
        "open('/outside', 'w')",
        "open(os.__file__, 'a')",
        "os.remove(os.__file__)",
        "os.mkdir('/dev/mine')",
        "os.chroot('/tmp')",
        "os.setuid(0)",
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
        "os.mknod('device', 0o20600, 0x101)",
        "os.memfd_create('free memory')",
        "__import__('resource').setrlimit(__import__('resource').RLIMIT_AS, (-1, -1))",
    ],
)
def test_what_would_lead_outside_fails(call: str) -> None:
    told = attack(f"{call}", "return True")
    assert (told.passed, told.reason) == (0, "raised"), told


@pytest.mark.parametrize(
    ("name", "numbers"), [("unshare", {"x86_64": 272, "aarch64": 97}), ("mount", {"x86_64": 165, "aarch64": 40})]
)
def test_system_calls_around_namespaces_fail(name: str, numbers: dict[str, int]) -> None:
    number = numbers[system_calls.machine()]
    lines = ("import ctypes; libc = ctypes.CDLL(None, use_errno=True)",)
    assert attack(
        *lines, f"return libc.syscall({number}, 0x10000000, 0, 0, 0, 0) == -1 and ctypes.get_errno() == 1"
    ) == (Told(1, 1, "", ""))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("while True: os.fork()",), "raised"),
        (("import _thread", "while True: _thread.start_new_thread(attack, ())"), "raised"),
        (("return bytearray(10**10)",), "out_of_memory"),
        (("kept = []", "while True: kept.append(bytearray(10**7))"), "out_of_memory"),
        (("f = open('file', 'wb')", "while True: f.write(bytes(10**6))"), "raised"),
        (("for k in range(10**6): open(f'{k}', 'w').close()",), "raised"),
        (("kept = [open('/dev/null') for _ in range(10**4)]",), "raised"),
        (("while True: print('x' * 10**6)",), "timeout"),
        (("while True: pass",), "timeout"),
        (("import signal", "for n in range(1, 32):", "    try: signal.signal(n, signal.SIG_IGN)",
          "    except OSError: pass", "while True: pass"), "timeout"),
        (("import threading; threading.Event().wait()",), "timeout"),
        (("return attack()",), "raised"),
        (("os._exit(0)",), "exited"),
        (("sys.exit(0)",), "exited"),
        (("raise KeyboardInterrupt",), "exited"),
        (("import ctypes; ctypes.string_at(1)",), "crashed"),
        (("os.abort()",), "crashed"),
    ],
)  # fmt: skip
def test_what_takes_everything_or_ends_early_does_not_pass(lines: tuple[str, ...], reason: str) -> None:
    told = attack(*lines)
    assert (told.passed, told.reason) == (0, reason), told


def test_many_files_take_no_more_than_one_may() -> None:
    told = attack(
        "for k in range(100):",
        "    with open(f'{k}', 'wb') as f: f.write(bytes(10**6))",
    )
    assert (told.reason, "No space left" in told.detail) == ("raised", True), told


def test_nothing_is_left_for_the_next_run() -> None:
    told = attack(
        "import threading",
        "open('left', 'w').close()",
        "threading.Thread(target=lambda: exec('while True: pass')).start()",
        "return True",
    )
    assert told == Told(1, 1, "", "")  # what the thread would do is of no matter: it ends with the run
    assert attack("return os.listdir('.') == []") == Told(1, 1, "", "")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (r"""os.write(3, b'{"passed": 1, "total": 1, "reason": "", "detail": ""}'); os._exit(0)""", "exited"),
        ("os.write(3, b'0' * 10**6); os._exit(0)", "exited"),
        ("os.close(3); return True", "exited"),
    ],
)
def test_what_is_written_without_the_token_counts_for_nothing(line: str, reason: str) -> None:
    told = attack(line)
    assert (told.passed, told.reason) == (0, reason), told


def test_the_walls_are_those_of_a_user_without_rights_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hfclean is run by root, a user's namespace is not needed; it holds all the same."""
    walls = launcher._Walls()
    walls.root = False
    request = {"code": ["import os"], "test": "assert os.getuid() == 1000 and not os.path.exists('/etc')"}
    told = launcher._supervised({**request, "entry_point": "", "seconds": 10.0, "memory_mb": 512}, walls)
    assert (told["passed"], told["reason"]) == (1, ""), told


def test_time_in_which_others_had_the_processor_is_not_that_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    request = {"code": ["def f():\n while True: pass"], "test": "assert f()", "entry_point": "", "memory_mb": 512}
    waited = iter([0.0, *[launcher.MOST_WAITED_S] * 9])
    assert launcher._waited_s(os.getpid()) >= 0
    assert launcher._waited_s(-1) == 0
    monkeypatch.setattr(launcher, "_waited_s", lambda child: min(next(waited), 0.3))
    monkeypatch.setattr(launcher, "MOST_WAITED_S", 0.3)
    busy = launcher._supervised({**request, "seconds": 0.3}, None)
    assert (busy["reason"], busy["cpu"] < 5) == ("machine_busy", True)
    monkeypatch.setattr(launcher, "_waited_s", lambda child: 0.0)
    assert launcher._supervised({**request, "seconds": 0.3}, None)["reason"] == "timeout"


def test_a_run_that_a_busy_machine_kept_waiting_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"passed": 0, "total": 1, "detail": ""}
    told = {}
    for reason, cpu in (("machine_busy", 0.9), ("timeout", 0.1), ("timeout", 0.9)):
        monkeypatch.setattr(
            running._Launcher, "_receive", lambda *_, r=reason, c=cpu: {**found, "reason": r, "cpu": c}
        )
        one = running._Launcher.__new__(running._Launcher)
        one.process = type("Process", (), {"stdin": io.BytesIO()})()  # type: ignore[assignment]
        each = one.run(Job((), "", "", 1.0, 192))
        told[reason, cpu] = (each.ran, each.sure)
    assert told == {
        ("machine_busy", 0.9): (False, False),
        ("timeout", 0.1): (True, False),
        ("timeout", 0.9): (True, True),
    }


def test_without_isolation_the_limits_hold() -> None:
    jobs = [
        Job(("def f():\n while True: pass",), "assert f()", "", 0.3, 512),
        Job(("import os\ndef f(): return os.path.exists('/proc/self')",), "assert f()", "", SECONDS, 512),
    ]
    assert [each.reason for each in run_jobs(jobs, "none")] == ["timeout", ""]


def test_another_system_is_refused_with_the_next_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.sys, "platform", "darwin")
    with pytest.raises(IsolationError, match=r"only Linux has namespaces.*isolation='none'"):
        running._Launcher("namespaces")


def test_a_system_that_forbids_namespaces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(root: bool) -> None:
        raise PermissionError(1, "unshare: Operation not permitted")

    monkeypatch.setattr(namespaces, "leave", forbidden)
    assert "unshare: Operation not permitted" in launcher._fault(launcher._Walls())


def test_the_filter_names_every_call_once() -> None:
    for name in ("x86_64", "aarch64"):
        assert len(system_calls.denied(name)) == len(set(system_calls.denied(name))) > 60
        assert len(system_calls.program(name)) % 8 == 0
