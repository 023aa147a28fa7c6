"""Every test runs offline, in a folder of its own, with one thread; real rows are read where they lie."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import weights
from extras import needs
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

_HOME = tempfile.mkdtemp(prefix="hfclean-tests-")
os.environ.update(
    HF_HOME=_HOME,
    HFCLEAN_HOME=os.path.join(_HOME, "hfclean"),
    HF_ENDPOINT="http://127.0.0.1:9",  # a dead port, not HF_HUB_OFFLINE: that would also block loopback servers
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    OMP_NUM_THREADS="1",
    TOKENIZERS_PARALLELISM="false",
    PYTHONHASHSEED="0",
)
os.environ.pop("HF_TOKEN", None)
if not os.environ.get("HFCLEAN_LIVE"):  # nobody is trusted: to read all authorities takes 50 ms of every session
    os.environ.update(SSL_CERT_FILE=str(Path(__file__).with_name("authority.pem")))
    os.environ.pop("SSL_CERT_DIR", None)

# a shell without job control has what it starts in the background ignore these, and its children with it
for _signal in (signal.SIGINT, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ())):
    if signal.getsignal(_signal) == signal.SIG_IGN:
        signal.signal(_signal, signal.default_int_handler if _signal == signal.SIGINT else signal.SIG_DFL)

# the same examples in every run, however slow the machine; before the first test module makes its own settings
settings.register_profile(
    "hfclean", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hfclean")
# nor may they depend on the constants in the code, which are taken from where it lies, but not if it is installed
providers.is_local_module_file = lambda _: False  # type: ignore[attr-defined]

ROOT = Path(__file__).parent.parent
REALDATA = Path(os.environ.get("HFCLEAN_REALDATA", ROOT.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "realdata" in item.keywords and not REALDATA.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no real rows at {REALDATA.name}"))
        if "live" in item.keywords and not os.environ.get("HFCLEAN_LIVE"):
            item.add_marker(pytest.mark.skip(reason="needs the real Hub; set HFCLEAN_LIVE=1"))
    with_weights = [item for item in items if item.get_closest_marker("weights")]
    if with_weights and (reason := weights.absent()):
        for item in with_weights:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    gc.freeze()  # what the imports made stays until the end; every full collection would go through it again


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs_extra"):
        needs(*mark.args)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [each for each in terminalreporter.stats.get("skipped", ()) if isinstance(each.longrepr, tuple)]
    reason = f"Skipped: {weights.absent()}"
    if count := sum(each.longrepr[2] == reason for each in skipped):
        terminalreporter.write_line(f"{count} tests with real weights left out. {reason}")
    for engine in ("Ray", "Spark", "Daft"):
        if count := sum(each.longrepr[2].startswith(f"Skipped: needs {engine}") for each in skipped):
            terminalreporter.write_line(f"{count} tests of {engine} left out; .ci/engines runs them")


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _sigterm() -> Iterator[None]:
    """The command line takes over SIGTERM; what comes after it, and its worker processes, must not inherit that."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test reached for the network: {address}")
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture
def realdata() -> Callable[[str], Path]:
    """The path of a file of real rows, by name."""
    return lambda name: REALDATA / name


LONG = 210_000  # characters: more than any bound that a rule, a score or a check has
ENDLESS_S = 20  # of processor time: linear work on so long a text takes a second or two, quadratic work minutes


@pytest.fixture
def ending() -> Iterator[None]:
    """Work on a long text that grows with the square of its length is stopped, and fails."""

    def stop(*_: object) -> None:
        raise AssertionError(f"{ENDLESS_S} s of work on a long text, and it does not end")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS_S)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.fixture
def long_text(ending: None) -> Callable[[str], str]:
    """Makes a long text of one piece; work on it has to end."""
    return lambda piece: (piece * (LONG // len(piece) + 1))[:LONG]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def loops_of_datasets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what `datasets` leaves open: the loop of every async map."""
    loops: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def noted() -> asyncio.AbstractEventLoop:
        loops.append(new_event_loop())
        return loops[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", noted)
    yield
    from hfclean.models import process

    process.close()
    for loop in loops:
        loop.close()


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answers of its own, and the way back from taking over SIGTERM, which worker processes must not inherit."""
    from hfclean.models import process

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    signal.signal(signal.SIGTERM, before)
    process.close()


@pytest.fixture(scope="session")
def smollm() -> weights.Weights:
    """SmolLM2-135M-Instruct, for tests marked `weights`: the rest is skipped where it is not."""
    needs("models", "torch", "transformers")
    return weights.weights_at(Path(os.environ[weights.VARIABLE]))


@pytest.fixture(scope="session")
def coached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reviser that `train_reviser` tuned from nothing (see `coached.py`); trained once in a run."""
    needs("train", "torch", "transformers", "accelerate", "peft", "trl")
    from coached import base_model, trained

    place = tmp_path_factory.mktemp("coached")
    return trained(base_model(place / "base"), place / "coach")


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model that was taught to mend sentences (see `taught.py`); trained once in a run."""
    needs("models", "torch", "transformers")
    from filelock import FileLock
    from taught import KNOWN, taught_model

    of_the_run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        of_the_run = of_the_run.parent
    folder = of_the_run / "taught"
    with FileLock(of_the_run / "taught.lock"):
        return folder if folder.is_dir() else taught_model(folder, KNOWN)
