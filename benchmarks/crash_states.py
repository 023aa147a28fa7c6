"""Every state in which a power cut may leave the disk while a command replaces a folder, and what the next one finds.

    python benchmarks/crash_states.py                   # clean --overwrite, clean, undo
    python benchmarks/crash_states.py --ignore-fsync    # the same as if nothing were flushed: to see that it can fail

The command runs once below strace, which sees what pyarrow does below Python as well. Its system calls are then gone
through one by one, and after each the disk may hold what this model allows:

* Of a file, what was written after its last fsync may be lost: it is empty, half there, or whole.
* Of a folder, the names that were made, changed or removed after its last fsync may be lost. They reach the disk in
  their order, so that some of the first are there; in each folder apart from all others.

Each of these states is laid out anew, `hfclean.durable.recover` looks at it as after a restart of the machine, and the
folder has to be the old one or the new one, whole. Where many files or folders are open at once, all, none and some
combinations at random are tried.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[0] = str(ROOT)

from benchmarks.kills import CASES as KILLED  # noqa: E402
from benchmarks.kills import HFCLEAN, environment  # noqa: E402
from hfclean import durable  # noqa: E402

CASES = tuple((case.name, case.prepare, case.command) for case in KILLED if case.command[0] in ("clean", "undo"))
CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,ftruncate,copy_file_range,sendfile,rename,renameat,renameat2,"
    "unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,fsync,fdatasync"
)
LINE = re.compile(r"(?P<pid>\d+) +(?P<call>\w+)\((?P<args>.*)\) += (?P<result>-?\d+)(?P<rest>.*)")
BEGUN = re.compile(r"(?P<pid>\d+) +(?P<text>\w+\(.*) <unfinished \.\.\.>")
GOES_ON = re.compile(r"(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<text>.*)")
PLACE = re.compile(r'(?:(?P<at>AT_FDCWD|\d+)<(?P<folder>[^>]*)>, )?"(?P<name>(?:[^"\\]|\\.)*)"')
OPENED = re.compile(r"\d+<(?P<path>[^>]*)>")
READY = re.compile(r"(?P<begin>.*\.ready-)(?P<inode>\d+)(?P<end>-.*)")
WRITES = ("write", "pwrite64", "writev", "pwritev", "ftruncate", "copy_file_range", "sendfile")
VARIANTS = 3  # combinations at random, beside all and none

Tree = dict[str, bytes]


@dataclass(eq=False)
class Node:
    """A file or folder. Of a folder: its names as they are, as they were last flushed, and each state between."""

    folder: bool
    content: bytes = b""
    flushed: bool = False
    inode: int = 0
    names: dict[str, Node] = field(default_factory=dict)
    states: list[dict[str, Node]] = field(default_factory=list)

    def change(self, names: dict[str, Node]) -> None:
        self.names = names
        self.states.append(names)


class Disk:
    """The folder in which a command works, followed through its system calls."""

    def __init__(self, start: Path, where: Path, *, flushes: bool, contents: Sequence[bytes] = ()) -> None:
        """Args:
        start: a copy of the folder as it was before the command.
        where: the folder itself.
        flushes: whether an fsync does anything.
        contents: what was written into each new file in the end, in the order in which they were made.
        """
        self.where, self.flushes = where, flushes
        self.contents, self.made = iter(contents), list[Node]()
        self.top = self._read(start)

    def _read(self, path: Path) -> Node:
        if not path.is_dir():
            return Node(False, path.read_bytes(), True)
        names = {item.name: self._read(item) for item in path.iterdir() if not ignored(item.name)}
        return Node(True, flushed=True, names=names, states=[names])

    def _new(self) -> Node:
        self.made.append(Node(False, next(self.contents, b"")))
        return self.made[-1]

    def learn(self) -> list[bytes]:
        """The content of each file that was made, once the command is over; nothing of those that are gone."""
        places = dict(self._all(self.top, self.where))
        return [places[node].read_bytes() if node in places else b"" for node in self.made]

    def _all(self, node: Node, path: Path) -> Iterator[tuple[Node, Path]]:
        yield node, path
        for name, inner in node.names.items():
            yield from self._all(inner, path / name)

    def find(self, path: str) -> tuple[Node, str, Node | None] | None:
        """The folder that a path lies in, its name there, and what is there; None where the path is not watched."""
        try:
            parts = Path(path).relative_to(self.where).parts
        except ValueError:
            return None
        if not parts or ignored(parts[0]):
            return (Node(True), "", self.top) if not parts else None
        node = self.top
        for part in parts[:-1]:
            if part not in node.names:
                return None
            node = node.names[part]
        return node, parts[-1], node.names.get(parts[-1])

    def do(self, call: str, args: str) -> bool:
        """Take up one system call; whether it changed anything."""
        if call in ("fsync", "fdatasync", *WRITES):
            opened = OPENED.match(args)
            found = self.find(opened["path"]) if opened else None
            if found is None or found[2] is None:
                return False
            node = found[2]
            before = (node.flushed, len(node.states))
            if call in WRITES:
                node.flushed = False
            elif self.flushes:
                node.flushed, node.states = True, [node.names]
            return before != (node.flushed, len(node.states))
        places = [self.find(path) for path in paths_of(args)]
        if not places or any(place is None for place in places):
            return False
        (parent, name, node), *others = [place for place in places if place is not None]
        if call in ("open", "openat", "creat"):
            if "O_CREAT" not in args and call != "creat":
                return False
            if node is not None:
                if "O_TRUNC" in args:
                    node.flushed = False
                return False
            parent.change({**parent.names, name: self._new()})
        elif call in ("mkdir", "mkdirat"):
            parent.change({**parent.names, name: Node(True, states=[{}])})
        elif call in ("unlink", "unlinkat", "rmdir"):
            parent.change({key: value for key, value in parent.names.items() if key != name})
        elif call.startswith("rename"):
            self._rename(parent, name, node, *others[0], exchange="RENAME_EXCHANGE" in args)
        else:
            raise SystemExit(f"the model knows no {call}({args})")
        return True

    def _rename(
        self, parent: Node, name: str, node: Node | None, target: Node, new: str, other: Node | None, *, exchange: bool
    ) -> None:
        assert node is not None
        if match := READY.fullmatch(new):
            node.inode = int(match["inode"])
        if parent is target:
            rest = {key: value for key, value in parent.names.items() if key not in (name, new)}
            back = {name: other} if exchange and other is not None else {}
            parent.change({**rest, new: node, **back})
        else:
            assert not exchange
            parent.change({key: value for key, value in parent.names.items() if key != name})
            target.change({**target.names, new: node})


def ignored(name: str) -> bool:
    """Scratch folders, which nobody looks for after a restart, and the homes of hfclean and of the Hub's clients."""
    return name.startswith(".hfclean-") or name in ("home", "hf", "trace")


def paths_of(args: str) -> list[str]:
    """The paths that a call names."""
    found = []
    for match in PLACE.finditer(args):
        name = match["name"].encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "surrogateescape")
        found.append(os.path.normpath(os.path.join(match["folder"] or "/", name)))
    return found


def calls_of(trace: Path) -> Iterator[tuple[str, str]]:
    """Calls that succeeded, each where it ended."""
    begun: dict[str, str] = {}
    for line in trace.read_text(errors="surrogateescape").splitlines():
        if match := BEGUN.fullmatch(line):
            begun[match["pid"]] = match["text"]
            continue
        if match := GOES_ON.fullmatch(line):
            line = f"{match['pid']} {begun.pop(match['pid'])}{match['text']}"
        match = LINE.fullmatch(line)
        if match and int(match["result"]) >= 0:
            yield match["call"], match["args"]


# ---------------------------------------------------------------------------------------------------------- the states


Shape = tuple[tuple[str, object], ...]


def states_of(disk: Disk, chance: random.Random) -> Iterator[Shape]:
    """What the disk may hold now."""
    for names in disk.top.states:  # how far the names at the top have come
        for how in (*(lambda n, k=k: k for k in (0, -1)), *(lambda n: chance.randrange(n),) * VARIANTS):
            for data in ("whole", "empty", "half", *("mixed",) * VARIANTS):
                yield laid_out(names, how, data, chance)


def laid_out(names: dict[str, Node], how: Callable[[int], int], data: str, chance: random.Random) -> Shape:
    """One state of a folder: each name with the content of a file, or with a folder and its number."""
    found: list[tuple[str, object]] = []
    for name, node in sorted(names.items()):
        if node.folder:
            state = node.states[how(len(node.states))]
            found.append((name, (node.inode, laid_out(state, how, data, chance))))
        else:
            kind = "whole" if node.flushed else chance.choice(("whole", "empty", "half")) if data == "mixed" else data
            size = {"whole": len(node.content), "empty": 0, "half": len(node.content) // 2}[kind]
            found.append((name, node.content[:size]))
    return tuple(found)


def lay_out(shape: Shape, place: Path) -> None:
    """Make a state on the disk; the name that holds its folder's number gets the new one."""
    for name, what in shape:
        if isinstance(what, bytes):
            (place / name).write_bytes(what)
            continue
        assert isinstance(what, tuple)
        inode, inner = what
        folder = place / name
        folder.mkdir()
        lay_out(inner, folder)
        if (match := READY.fullmatch(name)) and int(match["inode"]) == inode:
            folder.rename(place / f"{match['begin']}{folder.stat().st_ino}{match['end']}")


def tree_of(folder: Path) -> Tree | None:
    if not folder.is_dir():
        return None
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def sweep(
    prepare: Callable[[Path], None], command: Sequence[str], *, flushes: bool, chance: random.Random
) -> tuple[int, Counter[str]]:
    """How many system calls changed something, and what was found in the states between them."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        top, start, trace = (Path(scratch).resolve() / name for name in ("work", "start", "trace"))
        top.mkdir()
        prepare(top)
        shutil.copytree(top, start)
        strace = [
            "strace",
            "-f",
            "-y",
            "-qq",
            "-s",
            "0",
            "-e",
            f"trace={CALLS}",
            "-e",
            "signal=none",
            "-o",
            str(trace),
        ]
        subprocess.run([*strace, *HFCLEAN, *command], cwd=top, env=environment(top), check=True, capture_output=True)
        calls = list(calls_of(trace))
        first = Disk(start, top, flushes=flushes)
        for call in calls:
            first.do(*call)
        disk = Disk(start, top, flushes=flushes, contents=first.learn())
        shapes: dict[Shape, None] = {}
        steps = 0
        for call in calls:
            if disk.do(*call):
                steps += 1
                shapes.update(dict.fromkeys(states_of(disk, chance)))
        old, new = tree_of(start / "out"), tree_of(top / "out")
        for k, shape in enumerate(shapes):
            place = Path(scratch) / "states" / str(k)
            place.mkdir(parents=True)
            lay_out(shape, place)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                durable.recover(place / "out")
            tree = tree_of(place / "out")
            found["new" if tree == new else "old" if tree == old else "BROKEN"] += 1
            found["HIDDEN"] += any(item.name.startswith(".out.") for item in place.iterdir())
            shutil.rmtree(place)
    return steps, +found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ignore-fsync", action="store_true", help="as if nothing were flushed")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if shutil.which("strace") is None:
        print("not run: strace is not installed here (it reads system calls, on Linux only)")
        return
    boot, host = durable.machine()
    durable.machine = lambda: ("0" * len(boot), host)  # type: ignore[assignment]  # the machine was started again
    chance, total = random.Random(args.seed), Counter[str]()
    for name, prepare, command in CASES:
        steps, found = sweep(prepare, command, flushes=not args.ignore_fsync, chance=chance)
        total += found
        states = found.total() - found["HIDDEN"]
        print(f"{name:24} {steps:5} calls  {states:6} states  {dict(sorted(found.items()))}", flush=True)
    print(f"all: {total.total() - total['HIDDEN']} states, {dict(sorted(total.items()))}")
    if total["BROKEN"] or total["HIDDEN"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
