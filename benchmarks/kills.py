"""Runs killed at random points, and what the next command finds: the old folder or the new one, whole, every time.

    python benchmarks/kills.py                  # 20 points a command and signal
    python benchmarks/kills.py --points 3

Each command runs once undisturbed, which gives its duration and its outcome. Then it is started again and again from
the same state, gets a signal after a random part of that time, and the next command looks at what is there. Commands
are forked from a process in which everything is imported already (Linux only; those that ask a Hub start anew), so
that the time which is shot at is that of the work, and not of Python loading.

Beside these, scenes of several processes: a training that is taken up again, `cache clear` beside a running `revise`,
four that share a store and two that write one folder, one of which is killed. In each the others have to end well, and
what was killed has to end as if nothing had been once it is run again.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
HFCLEAN = [sys.executable, "-m", "hfclean"]
MODULES = (
    "datasets",
    "pyarrow.parquet",
    "aiohttp",
    "hfclean.cli.clean",
    "hfclean.folder",
    "hfclean.conversion",
    "hfclean.restoration",
)
TRAINING = ("torch", "transformers", "hfclean.training.tuning")


@dataclass(frozen=True)
class Case:
    """A command, what has to be there before it, and what it writes."""

    name: str
    prepare: Callable[[Path], None]
    command: tuple[str, ...]
    target: str
    around: Callable[[Path], AbstractContextManager[None]] = lambda _: nullcontext()


SETTINGS: dict[str, str] = {}  # of the environment, while a server or a Hub runs


class Forked(subprocess.Popen[bytes]):
    """A command in a process that was forked from a warm one, with the face of one that was started."""

    def __init__(self, pid: int, errors: Path) -> None:
        self.pid, self.returncode, self._errors = pid, None, errors  # type: ignore[assignment]

    def __del__(self) -> None:
        pass

    def poll(self) -> int | None:
        if self.returncode is None and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(ended[1])
        return self.returncode

    def wait(self, timeout: float | None = 600) -> int:
        until = time.monotonic() + (timeout or 0)
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(HFCLEAN, timeout or 0)
            time.sleep(0.002)
        return code

    def send_signal(self, name: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, name)

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:
        self.wait()
        return b"", self._errors.read_bytes()


class Warm:
    """A process in which everything is imported, and nothing else was done: commands are forked from it."""

    def __init__(self, *modules: str) -> None:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what it forks is ours to wait for
        (asked, self._ask), (self._hear, answer) = os.pipe(), os.pipe()
        if os.fork() == 0:
            os.close(self._ask), os.close(self._hear)
            with os.fdopen(asked) as commands:
                _fork_on_request(commands, answer, modules)
            os._exit(0)
        os.close(asked), os.close(answer)

    def launch(self, args: Sequence[str], cwd: Path) -> Forked:
        descriptor, errors = tempfile.mkstemp(dir=cwd.parent)
        os.close(descriptor)
        told = json.dumps({"args": args, "cwd": str(cwd), "env": environment(cwd), "errors": errors})
        os.write(self._ask, told.encode() + b"\n")
        pid = b""
        while not pid.endswith(b"\n"):
            if not (part := os.read(self._hear, 1)):
                raise SystemExit("the process that commands are forked from has ended")
            pid += part
        return Forked(int(pid), Path(errors))


def _fork_on_request(commands: Iterable[str], answer: int, modules: Sequence[str]) -> None:
    sys.path.insert(0, str(ROOT))
    for module in modules:
        import_module(module)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the benchmark itself
    for line in commands:
        told = json.loads(line)
        if (middle := os.fork()) == 0:
            pid = os.fork()
            if pid:
                os.write(answer, b"%d" % pid)
                os._exit(0)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.chdir(told["cwd"])
            os.environ.clear()
            os.environ.update(told["env"])
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(told["errors"], os.O_WRONLY), 2)
            from hfclean.cli import main

            sys.exit(main(told["args"]))
        os.waitpid(middle, 0)
        os.write(answer, b"\n")  # from now on it is the benchmark's own


WARM: list[Warm] = []


def run(*args: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    process = launch(*args, cwd=cwd)
    errors = process.communicate()[1].decode(errors="replace")
    if check and process.returncode:
        raise SystemExit(f"{args}: {errors}")
    return subprocess.CompletedProcess(args, process.returncode, "", errors)


def launch(*args: str, cwd: Path) -> subprocess.Popen[bytes]:
    if WARM and "HF_ENDPOINT" not in SETTINGS:  # which is read when it is imported
        return WARM[0].launch(args, cwd)
    return subprocess.Popen(
        [*HFCLEAN, *args], cwd=cwd, env=environment(cwd), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def environment(cwd: Path) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    homes = {"HFCLEAN_HOME": str(cwd / "home"), "HF_HOME": str(cwd / "hf")}
    return {**os.environ, "PYTHONPATH": path, **homes, **SETTINGS}


def helpers() -> None:
    """Let the servers of the tests be imported."""
    for folder in (ROOT, ROOT / "tests"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


@contextmanager
def hub(scratch: Path) -> Iterator[None]:
    """A Hub on loopback that holds what was pushed; the caches of the clients are those of each place."""
    helpers()
    from fake_hub import FakeHub

    with FakeHub() as running:
        SETTINGS.update({name: value for name, value in running.env().items() if "HOME" not in name})
        try:
            place = scratch / "pushed"
            place.mkdir()
            rows(place, 399)
            run("clean", "rows.jsonl", "--out", "out", "--quiet", cwd=place)
            run("push", "out", "me/fruit", cwd=place)
            shutil.rmtree(place)
            yield
        finally:
            SETTINGS.clear()


def rows(place: Path, count: int = 400) -> None:
    with (place / "rows.jsonl").open("w", encoding="utf-8") as file:
        for n in range(count):
            file.write(json.dumps({"instruction": f"Name fruit {n}.", "output": f"Apple  number {n}.</s>"}) + "\n")


def cleaned(place: Path) -> None:
    rows(place)
    run("clean", "rows.jsonl", "--out", "out", "--quiet", cwd=place)


def other(place: Path) -> None:
    cleaned(place)
    rows(place, 401)


def taken(place: Path) -> None:
    rows(place)
    run("clean", "rows.jsonl", "--out", "out0", "--quiet", cwd=place)


def converted(place: Path) -> None:
    cleaned(place)
    run("convert", "out", "--to", "messages", "--out", "pairs.jsonl", cwd=place)


CASES = (
    Case("clean into a new folder", rows, ("clean", "rows.jsonl", "--out", "out", "--quiet"), "out"),
    Case("clean over a folder", other, ("clean", "rows.jsonl", "--out", "out", "--overwrite", "--quiet"), "out"),
    Case("undo in place", cleaned, ("undo", "out"), "out"),
    Case(
        "convert over a file",
        converted,
        ("convert", "out", "--to", "alpaca", "--out", "pairs.jsonl", "--overwrite"),
        "pairs.jsonl",
    ),
    Case("pull over a folder", cleaned, ("pull", "me/fruit", "--out", "out", "--overwrite"), "out", hub),
)


def content(path: Path) -> str:
    """What tells one state of the target from another; reports and records differ in nothing between equal runs."""
    digest = hashlib.sha256()
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
    for file in files:
        if file.is_file():
            digest.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest() if files else "absent"


def hidden(place: Path) -> list[str]:
    return [item.name for item in place.iterdir() if item.name.startswith(".")]


def sweep(case: Case, name: str, points: int, chance: random.Random, scratch: Path) -> Counter[str]:
    """What was found after each kill of one command by one signal."""
    start = scratch / "start"
    start.mkdir()
    case.prepare(start)
    before = content(start / case.target)
    whole = scratch / "whole"
    shutil.copytree(start, whole)
    begin = time.monotonic()
    run(*case.command, cwd=whole)
    duration = time.monotonic() - begin
    after = content(whole / case.target)
    found: Counter[str] = Counter()
    for k in range(points):
        place = scratch / f"{name}-{k}"
        shutil.copytree(start, place)
        errors = stopped(launch(*case.command, cwd=place), name, duration, chance)
        run("why", "out", "0", cwd=place, check=False)  # the next command that looks there
        state = content(place / case.target)
        what = {before: "old", after: "new"}.get(state, "BROKEN")
        found[what] += 1
        if b"Traceback" in errors:
            found["TRACEBACK"] += 1
            print(errors.decode(errors="replace"))
        if name != "SIGKILL" and hidden(place):
            found["LEFTOVER"] += 1
        shutil.rmtree(place)
    shutil.rmtree(start)
    shutil.rmtree(whole)
    return found


def stopped(process: subprocess.Popen[bytes], name: str, duration: float, chance: random.Random) -> bytes:
    """Send a signal after a random part of the time that a command takes; what it said on its way out."""
    loading = 0.0 if isinstance(process, Forked) else 0.35  # of Python
    try:
        process.wait(duration * (loading + (1.1 - loading) * chance.random()))
    except subprocess.TimeoutExpired:
        process.send_signal(getattr(signal, name))
    return process.communicate()[1]


# ---------------------------------------------------------------------------------------------------------- the scenes


@dataclass(frozen=True)
class Scene:
    """Several processes, one of which gets a signal.

    `play` gets the place, the signal, how long the whole takes, chance, and what `after` saw of an undisturbed play;
    it returns words of what went wrong, none if nothing did.
    """

    name: str
    prepare: Callable[[Path], None]
    play: Callable[[Path, str, float, random.Random], list[str]]
    after: Callable[[Path], object]
    around: Callable[[Path], AbstractContextManager[None]] = lambda _: nullcontext()


@contextmanager
def server(_: Path) -> Iterator[None]:
    """A server whose answers can all be used."""
    helpers()
    from chat_server import ChatServer, Received, Reply

    def better(request: Received, _: int) -> Reply:
        name = request.content.split("[Instruction]\n")[-1].split("\n")[0]
        number = name.split()[-1].rstrip(".")
        answer = f"[Instruction]\n{name}\n[Input]\n\n[Response]\nApple number {number}.\n[End]"
        return Reply(answer, delay_s=0.01)

    with ChatServer(default=better) as running:
        SETTINGS["KILLS_SERVER"] = running.url
        try:
            yield
        finally:
            SETTINGS.clear()


def revise(place: Path, out: str) -> subprocess.Popen[bytes]:
    url = SETTINGS["KILLS_SERVER"]
    return launch(
        "revise", "rows.jsonl", "--out", out, "--model", "tiny", "--base-url", url, "--overwrite", "--quiet", cwd=place
    )


def texts(out: Path) -> object:
    """The rows of a folder as they are."""
    import pyarrow.parquet as pq

    return [pq.read_table(file, columns=["output"]).to_pylist() for file in sorted(out.glob("data/*.parquet"))]


def ended(process: subprocess.Popen[bytes], what: str) -> list[str]:
    said = process.communicate()[1]
    return [f"{what}: {said.decode(errors='replace').strip().splitlines()[-1:]}"] if process.returncode else []


def four_on_one_store(place: Path, name: str, duration: float, chance: random.Random) -> list[str]:
    running = [revise(place, f"out{k}") for k in range(4)]
    stopped(running[0], name, duration, chance)
    wrong = [word for k in range(1, 4) for word in ended(running[k], f"process {k}")]
    wrong += ended(revise(place, "out0"), "the killed one, run again")
    return wrong + run("cache", "stats", cwd=place, check=False).stderr.splitlines()


def clear_beside_a_run(place: Path, name: str, duration: float, chance: random.Random) -> list[str]:
    running = revise(place, "out0")
    time.sleep(duration * chance.random())
    stopped(launch("cache", "clear", "--yes", cwd=place), name, duration / 2, chance)
    return ended(running, "revise") + run("cache", "stats", cwd=place, check=False).stderr.splitlines()


def two_on_one_folder(place: Path, name: str, duration: float, chance: random.Random) -> list[str]:
    command = ("clean", "rows.jsonl", "--out", "out0", "--overwrite", "--quiet")
    one, other = launch(*command, cwd=place), launch(*command, cwd=place)
    stopped(one, name, duration, chance)
    wrong = ended(other, "the other one")
    wrong += [f"left {item}" for item in hidden(place)] if name != "SIGKILL" else []
    wrong += ended(launch(*command, cwd=place), "the killed one, run again")
    return wrong + [f"left {item}" for item in hidden(place)]


def train(place: Path, name: str, duration: float, chance: random.Random) -> list[str]:
    how = (
        "--instructions",
        "words.txt",
        "--epochs",
        "1",
        *("--train-option", "per_device_train_batch_size=4"),
        *("--train-option", "lora_rank=0"),
        *("--train-option", "save_steps=2"),
        "--quiet",
    )
    command = (
        "train",
        "pairs.jsonl",
        "--base",
        "base",
        "--out",
        "out0",
        *how,
        "--train-option",
        "save_strategy=steps",
    )
    stopped(launch(*command, cwd=place), name, duration, chance)
    return ended(launch(*command, "--resume", cwd=place), "taken up again")


def teach(place: Path) -> None:
    helpers()
    from hfclean.testing_models import tiny_model

    tiny_model(place / "base")
    (place / "words.txt").write_text("Mend.", encoding="utf-8")
    with (place / "pairs.jsonl").open("w", encoding="utf-8") as file:
        for n in range(24):
            raw = {"raw_instruction": f"Name fruit {n}.", "raw_input": "", "raw_output": f"Apple {n}"}
            better = {"revised_instruction": f"Name fruit {n}.", "revised_input": "", "revised_output": f"Apple {n}."}
            file.write(json.dumps({**raw, **better}) + "\n")


def weights(out: Path) -> object:
    """Digests of the tensors that training gave."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in out.glob("*.safetensors")}


SCENES = (
    Scene("four on one store", rows, four_on_one_store, texts, server),
    Scene("cache clear beside a run", rows, clear_beside_a_run, texts, server),
    Scene("two on one folder", taken, two_on_one_folder, texts),
    Scene("train, taken up again", teach, train, weights),
)


def play(scene: Scene, name: str, points: int, chance: random.Random, scratch: Path) -> Counter[str]:
    """What became of a scene at each point."""
    whole = scratch / "whole"
    whole.mkdir()
    scene.prepare(whole)
    begin = time.monotonic()
    calm = scene.play(whole, "SIGCONT", 0.0, random.Random(0))  # a signal that does nothing
    duration = (time.monotonic() - begin) / 2
    expected = scene.after(whole / "out0")
    if calm or not expected:
        raise SystemExit(f"{scene.name}: undisturbed it gave {calm}, {str(expected)[:80]}")
    found: Counter[str] = Counter()
    for k in range(points):
        place = scratch / f"{name}-{k}"
        place.mkdir()
        scene.prepare(place)
        wrong = scene.play(place, name, duration, chance)
        if scene.after(place / "out0") != expected:
            wrong.append("another outcome")
        found["BROKEN" if wrong else "whole"] += 1
        for word in wrong:
            print(f"  {scene.name}, {name}: {word}", flush=True)
        shutil.rmtree(place)
    shutil.rmtree(whole)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cases and scenes whose name holds this")
    parser.add_argument("--signal", choices=SIGNALS, action="append", help="only this signal")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    total: Counter[str] = Counter()
    if sys.platform == "linux":
        WARM.append(Warm(*MODULES, *(TRAINING if args.only in "train, taken up again" else ())))
    chosen: list[Case | Scene] = [each for each in (*CASES, *SCENES) if args.only in each.name]
    for each in chosen:
        for name in args.signal or SIGNALS:
            with tempfile.TemporaryDirectory() as folder, each.around(scratch := Path(folder)):
                how = (name, args.points, chance, scratch)
                found = sweep(each, *how) if isinstance(each, Case) else play(each, *how)
            total += found
            print(f"{each.name:26} {name:8} {dict(sorted(found.items()))}", flush=True)
    print(f"all: {dict(sorted(total.items()))}")
    if total["BROKEN"] or total["TRACEBACK"] or total["LEFTOVER"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
