"""The key of a server, through whole commands: whatever is written, printed or left behind is searched for it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chat_server import PATIENCE_S, ChatServer, Received, Reply
from pyarrow import parquet

from hfclean.reviser.codec import encode
from hfclean.schema import Pair

COUNT = 24
CANARY = "sk-can/ary-7f3a&9b2e-0d4c"
FORMS = {
    CANARY,
    CANARY[3:],
    json.dumps(CANARY)[1:-1].replace("/", "\\/"),
    quote(CANARY, safe=""),
    CANARY.replace("&", "&amp;"),
    base64.b64encode(CANARY.encode()).decode(),
    CANARY.encode().hex(),
}
# commands, one after the other, with every logger heard, and every task and connection named that is not closed
HEARD = """
import json, logging, pathlib, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from hfclean.cli import main
codes = [main(command) for command in json.loads(sys.argv[1])]
pathlib.Path("codes.json").write_text(json.dumps(codes))
sys.exit(max(codes))
"""


class Place:
    """A working folder with everything in it that a command may write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[bytes] = []
        for name in ("home", "hf", "tmp", "user"):
            (folder / name).mkdir()
        rows = [{"instruction": f"Name city {k}.", "output": f"city {k} is large</s>"} for k in range(COUNT)]
        (folder / "cities.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def start(self, *commands: list[str]) -> subprocess.Popen[bytes]:
        places = {"HFCLEAN_HOME": "home", "HF_HOME": "hf", "TMPDIR": "tmp", "HOME": "user"}
        return subprocess.Popen(
            [sys.executable, "-X", "dev", "-c", HEARD, json.dumps(commands)],
            cwd=self.folder,
            env={
                **os.environ,
                **{name: str(self.folder / place) for name, place in places.items()},
                "CANARY_KEY": CANARY,
                "PYTHONASYNCIODEBUG": "1",
                "PYTHONWARNINGS": "always",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def end(self, running: subprocess.Popen[bytes]) -> int:
        self.said += running.communicate(timeout=PATIENCE_S)
        return running.returncode

    def run(self, *commands: list[str]) -> list[int]:
        """Run these in one process; returns the exit code of each."""
        code = self.end(self.start(*commands))
        codes: list[int] = json.loads((self.folder / "codes.json").read_text())
        assert code == max(codes)
        return codes

    def written(self) -> list[tuple[str, bytes]]:
        """Everything that is there, and the rows in the compressed files as text."""
        found = [(str(f), f.read_bytes()) for f in self.folder.rglob("*") if f.is_file()]
        for file in self.folder.rglob("*.parquet"):
            rows = parquet.read_table(file).to_pylist()
            found.append((f"rows of {file}", json.dumps(rows, ensure_ascii=False, default=str).encode()))
        return found

    def check(self, server: ChatServer) -> None:
        """The key went to the server, and is nowhere else."""
        assert {r.headers["authorization"] for r in server.received} == {f"Bearer {CANARY}"}
        for name, content in [*self.written(), *((f"output {k}", said) for k, said in enumerate(self.said))]:
            for form in FORMS:
                assert form.encode() not in content, f"{form} in {name}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "place"
    folder.mkdir()
    return Place(folder)


def at(server: ChatServer, *more: str) -> list[str]:
    limits = ["--concurrency", "4", "--limit", "retries=1"]
    return ["--model", "tiny", "--base-url", server.url, "--api-key-env", "CANARY_KEY", *limits, *more]


def number(request: Received) -> int:
    return int(request.content.rpartition("Name city ")[2].partition(".")[0])


def revised(request: Received, more: str = "") -> str:
    k = number(request)
    return encode(Pair(f"Name city {k}.", "", f"City {k} is large.{more}"))


def talkative(request: Received, count: int) -> Reply:
    """Says the key back in every place that a reply has."""
    k = number(request)
    headers = {"X-Your-Key": CANARY, "Set-Cookie": f"key={quote(CANARY)}", "Retry-After": "0"}
    if k % 6 == 1:
        return Reply(f"your key {CANARY} may not ask that", 400, headers=headers, code=CANARY)
    if k % 6 == 2:
        return Reply(body=f"<p>{CANARY.replace('&', '&amp;')}</p>".encode(), headers=headers)
    if k % 6 == 3 and count == 1:
        return Reply(f"{CANARY} is too fast", 429, headers=headers)
    signed = f" Signed {CANARY}." if k % 6 == 4 else ""
    body: dict[str, Any] = {
        "model": f"tiny for {CANARY}",
        "choices": [
            {"message": {"content": revised(request, signed)}, "finish_reason": f"stop {CANARY}"},
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "key": CANARY},
    }
    return Reply(body=json.dumps(body).encode(), headers=headers)


def calm(request: Received, _: int) -> Reply:
    return Reply(revised(request))


def test_the_key_is_in_nothing_that_a_run_writes_or_says_well_or_not(place: Place) -> None:
    with ChatServer(default=talkative) as server:
        revise = ["revise", "cities.jsonl", "--out", "out", *at(server, "--json")]
        assert place.run(revise) == [1]  # nothing in it is an answer
        names = {path.name for path in (place.folder / "out").iterdir()}
        assert names >= {"README.md", "report.html", "ledger.parquet", "hfclean.json", "data"}
        place.check(server)
        server.default = calm
        codes = place.run(
            ["cache", "stats", "--json"],
            ["why", "out", "0", "--json"],
            ["diff", "cities.jsonl", "out", "--html", "diff.html", "--json"],
            ["revise", "out", "--retry-failed", *at(server, "--json")[2:]],
        )
        assert codes[:-1] == [0, 0, 0]
        assert codes[-1] in (0, 2)
        place.check(server)
    assert (place.folder / "home" / "answers.sqlite3").stat().st_size > 0
    assert any(b"DEBUG" in said for said in place.said)  # the loggers were heard


def test_the_key_is_in_nothing_that_runs_which_end_early_write_or_say(place: Place) -> None:
    refused = Reply(f"Incorrect API key provided: {CANARY}", 401)
    tomorrow = Reply(f"{CANARY}", 429, headers={"Retry-After": "99999"})
    half = Reply(CANARY, cut=0.5)
    with ChatServer(default=refused) as a, ChatServer(default=tomorrow) as b, ChatServer(default=half) as c:
        servers = {"refused": a, "tomorrow": b, "half": c}
        codes = place.run(
            *(["revise", "cities.jsonl", "--out", name, *at(servers[name], "--json")] for name in servers)
        )
        assert 0 not in codes
        for server in servers.values():
            place.check(server)
    assert not [name for name in servers if (place.folder / name).exists()]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_the_key_is_in_nothing_that_a_killed_run_leaves(place: Place, name: str) -> None:
    def silent_after_eight(request: Received, count: int) -> Reply:
        return Reply(hang=True) if len(server.counts) > 8 else talkative(request, count)

    with ChatServer(default=silent_after_eight) as server:
        running = place.start(["revise", "cities.jsonl", "--out", "out", *at(server)])
        server.on_request = lambda _: (
            running.send_signal(getattr(signal, name)) if len(server.counts) == 10 else None  # some are kept by then
        )
        assert place.end(running) != 0
        place.check(server)
    assert not (place.folder / "out").exists()
    assert (place.folder / "home" / "answers.sqlite3").exists()
