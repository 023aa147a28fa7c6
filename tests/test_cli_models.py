"""The commands that ask a model, as a person uses them: what they ask, write, print and keep, whatever goes wrong."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from chat_server import PATIENCE_S, ChatServer, Received, Reply
from datasets import Dataset

import hfclean
from hfclean.cli import main, parser
from hfclean.cli.revisers import reviser_of
from hfclean.errors import FolderError
from hfclean.models import Limits, Prices, process, store
from hfclean.reviser.coach import Reviser
from hfclean.reviser.codec import encode
from hfclean.schema import Pair

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
COUNT = 40
CANARY = "sk-canary-51f0c2d9"


@pytest.fixture(autouse=True)
def _home(own_home: None) -> None:
    """Every test has answers of its own."""


@pytest.fixture
def cities(work: Path) -> Path:
    path = work / "cities.jsonl"
    rows = [{"instruction": f"Name city {k}.", "input": "", "output": f"city {k} is large</s>"} for k in range(COUNT)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def number(content: str) -> int:
    """Which row was asked for: the pair comes last in what is asked."""
    return int(re.findall(r"Name city (\d+)\.", content)[-1])


def good(request: Received, _: int = 0) -> Reply:
    k = number(request.content)
    return Reply(encode(Pair(f"Name city {k}.", "", f"City {k} is large.")), usage=(70, 30))


def mixed(request: Received, _: int = 0) -> Reply:
    """One in ten fails, and one in ten says another number."""
    k = number(request.content)
    if k % 10 == 4:
        return Reply("too odd a text", status=400)
    return Reply(encode(Pair(f"Name city {k}.", "", "City 777 is large."))) if k % 10 == 7 else good(request)


def run(*args: str, capsys: Any) -> tuple[int, str, str]:
    try:
        code = main([*args])
    except SystemExit as e:  # argparse's own way out
        code = int(e.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def at(server: ChatServer, *more: str) -> list[str]:
    return ["--model", "tiny", "--base-url", server.url, "--quiet", *more]


def data_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((folder / "data").iterdir())}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Dataset.from_parquet(
        [str(f) for f in sorted((folder / "data").iterdir())], cache_dir=str(folder.parent / "reload")
    ).to_list()
    return found


def test_revise_writes_the_folder_and_prints_what_it_took(cities: Path, work: Path, capsys: Any) -> None:
    with ChatServer(default=mixed) as server:
        prices = ["--prices", "input=1,output=2"]
        code, out, err = run("revise", "cities.jsonl", "--out", "revised", *at(server, *prices), capsys=capsys)
    assert code == 0, err
    names = {p.name for p in (work / "revised").iterdir()}
    assert names >= {"README.md", "report.html", "ledger.parquet", "hfclean.json", "data"}
    assert sorted(p.name for p in work.iterdir()) == ["cities.jsonl", "home", "revised"]
    rows = rows_of(work / "revised")
    assert Counter(row["edit"] for row in rows) == {"revised": 32, "reverted": 4, "failed": 4}
    assert rows[0]["output"] == "City 0 is large."
    told = json.loads((work / "revised" / "hfclean.json").read_text())["transforms"][0]
    assert (told["by"], told["settings"]) == ("Reviser", {"model": "tiny", "base_url": server.url})
    assert (told["usage"]["asked"], told["usage"]["failed"]) == (36, {"refused_request": 4})
    assert "reverted: number_changed" in out
    assert "failed: refused_request" in out
    assert "the server does not take this request (4xx)" in out
    assert str(work) not in (work / "revised" / "hfclean.json").read_text()


def test_rules_first_and_then_the_model(cities: Path, work: Path, capsys: Any) -> None:
    with ChatServer(default=good) as server:
        code, out, _ = run("clean", "cities.jsonl", "--out", "cleaned", "--json", *at(server), capsys=capsys)
        assert all("</s>" not in request.content for request in server.received)
    told = json.loads(out)
    assert (code, [each["by"] for each in told["transforms"]]) == (
        0,
        ["RuleReviser", "Reviser", "Score", "mark_duplicates"],
    )
    assert rows_of(work / "cleaned")[3]["edit_reason"] == "reviser"


def test_estimate_then_preview_then_the_run(cities: Path, work: Path, capsys: Any) -> None:
    prices = ["--prices", "input=1000,output=2000"]
    with ChatServer(default=mixed) as server:
        code, out, _ = run("estimate", "cities.jsonl", *at(server, *prices, "--sample", "8"), capsys=capsys)
        assert (code, server.received) == (0, [])
        assert "an estimate from 8 rows, evenly spread; nothing was asked" in out
        assert re.search(r"^requests +40$", out, re.MULTILINE)
        assert "4 bytes a token" in out
        assert "as long as the text it revises, times 1" in out
        code, out, _ = run("estimate", "cities.jsonl", *at(server), "--json", capsys=capsys)
        assert (json.loads(out)["requests"], json.loads(out)["cost"], json.loads(out)["hours"]) == (40, None, None)

        code, out, err = run("revise", "cities.jsonl", *at(server, *prices, "--preview", "20"), capsys=capsys)
        assert (code, server.counts.total()) == (0, 20), err
        assert sorted(p.name for p in work.iterdir()) == ["cities.jsonl", "home"]
        assert "20 rows of 40, evenly spread: 16 revised, 4 failed" in out
        assert "    - city 0 is large</s>\n    + City 0 is large." in out
        assert "in detail: too odd a text" in out
        assert re.search(r"^price +5\.2000 USD", out, re.MULTILINE)  # 40 times 70 and 30 tokens
        assert "do not" not in err
        first = set(server.counts)
        assert run("revise", "cities.jsonl", "--out", "revised", *at(server), capsys=capsys)[0] == 0
        again = [number(content) for content in first if server.counts[content] > 1]
        assert sorted(again) == [4, 14, 24, 34]  # those that got no answer
        code, out, _ = run("revise", "cities.jsonl", *at(server, "--preview", "8", "--json"), capsys=capsys)
        told = json.loads(out)
    assert (told["usage"]["asked"], told["hours_at_this_pace"], len(told["rows"])) == (0, None, 8)


def test_preview_shows_what_the_gate_refused(cities: Path, capsys: Any) -> None:
    wrong = Reply(encode(Pair("Name city 0.", "", "City 777 is large.")))
    with ChatServer(default=wrong) as server:
        _, out, _ = run("revise", "cities.jsonl", *at(server, "--preview", "1"), capsys=capsys)
    lines = out.splitlines()
    assert lines[0].endswith("reverted")
    assert lines[1].startswith("  number_changed: ")
    assert "    + City 777 is large." in lines
    assert lines[lines.index("    + City 777 is large.") - 2] == "  output  refused"


def test_what_failed_is_asked_again_as_the_folder_says(cities: Path, work: Path, capsys: Any) -> None:
    with ChatServer(default=mixed) as server:
        run(
            "clean",
            "cities.jsonl",
            "--out",
            "done",
            "--license",
            "mit",
            *at(server, "--model-option", "top_p=0.9"),
            capsys=capsys,
        )
        server.counts.clear()
        server.default = good
        code, _, err = run("revise", "done", "--retry-failed", "--out", "elsewhere", "--quiet", capsys=capsys)
        assert code == 0, err
        assert sorted(map(number, server.counts)) == [4, 14, 24, 34]
        assert all(request.body["top_p"] == 0.9 for request in server.received[-4:])
        assert Counter(row["edit"] for row in rows_of(work / "done"))["failed"] == 4
        code, out, err = run("revise", "done", "--retry-failed", "--quiet", "--json", capsys=capsys)
        told = json.loads(out)
        assert (code, told["out"], told["rows"], told["failed"]) == (0, "done", 4, 0), err
        code, out, _ = run("revise", "done", "--retry-failed", "--quiet", capsys=capsys)
        assert (code, "no row failed" in out) == (0, True)
        assert server.counts.total() == 4
    rows = rows_of(work / "done")
    assert [row["output"] for row in rows] == [
        f"city {k} is large" if k % 10 == 7 else f"City {k} is large." for k in range(COUNT)
    ]
    about = json.loads((work / "done" / "hfclean.json").read_text())
    assert (about["stated"]["license"], about["transforms"][1]["retried"]) == ("mit", 4)
    assert sorted(p.name for p in work.iterdir()) == ["cities.jsonl", "done", "elsewhere", "home", "reload"]
    run("clean", "cities.jsonl", "--out", "rules", "--quiet", capsys=capsys)
    code, _, err = run("revise", "rules", "--retry-failed", capsys=capsys)
    assert (code, "no model was asked for it" in err) == (1, True)


def test_why_says_what_a_model_did_and_what_the_reasons_mean(cities: Path, capsys: Any) -> None:
    with ChatServer(default=mixed, model="tiny-2026") as server:
        run("clean", "cities.jsonl", "--out", "done", *at(server), capsys=capsys)
    revised, failed, reverted = (run("why", "done", str(k), capsys=capsys)[1] for k in (0, 4, 7))
    assert "reviser in output: the model's revision was taken\n  - city 0 is large\n  + City 0 is large.\n" in revised
    rules, score = hfclean.RuleReviser.version, hfclean.Score.version
    steps = f"RuleReviser v{rules}: revised chat_markers\n  Reviser v1, model tiny-2026: revised\n  Score v{score}\n"
    assert f"\n  {steps}" in revised
    assert "  Reviser v1, model tiny: failed because\n      refused_request: the server does not take" in failed
    assert "  Reviser v1, model tiny-2026: reverted because\n      number_changed: " in reverted
    steps = json.loads(run("why", "done", "7", "--json", capsys=capsys)[1])["steps"]
    assert (steps[1]["model"], steps[1]["edit"], next(iter(steps[1]["reasons"]))) == (
        "tiny-2026",
        "reverted",
        "number_changed",
    )


def test_the_key_is_nowhere_but_in_the_request(
    cities: Path, work: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    said = ""

    def answer(request: Received, n: int) -> Reply:
        if number(request.content) == 4:  # some servers say back what they were sent
            return Reply(f"no good: {request.headers['authorization']}", status=400)
        return mixed(request, n)

    with ChatServer(default=answer) as server:
        key = at(server, "--api-key-env", "CANARY_KEY", "--store", "answers.sqlite3")
        for args in (
            ["estimate", "cities.jsonl", *key],
            ["revise", "cities.jsonl", "--preview", "5", *key],
            ["revise", "cities.jsonl", "--out", "revised", *key],
            ["revise", "cities.jsonl", "--out", "b", "--json", *key],
            ["revise", "revised", "--retry-failed", "--api-key-env", "CANARY_KEY", "--store", "answers.sqlite3"],
            ["why", "revised", "4"],
            ["cache", "stats", "--store", "answers.sqlite3"],
            ["cache", "export", "--store", "answers.sqlite3"],
        ):
            code, out, err = run(*args, capsys=capsys)
            assert code == 0, err
            said += out + err
        assert {request.headers["authorization"] for request in server.received} == {f"Bearer {CANARY}"}
        server.default = Reply(f"who is {CANARY}?", status=401)
        code, out, err = run("revise", "cities.jsonl", "--out", "c", *key[:-1], "other.sqlite3", capsys=capsys)
        assert (code, "Every answer so far is kept" in err or "key" in err) == (1, True)
        said += out + err
    process.close()
    files = [file for file in work.rglob("*") if file.is_file()]
    assert len(files) > 10
    assert [file.name for file in files if CANARY.encode() in file.read_bytes()] == []
    assert CANARY not in said
    about = (work / "revised" / "hfclean.json").read_text()
    assert "answers.sqlite3" not in about
    assert "CANARY_KEY" not in about


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["revise", "cities.jsonl", "--out", "x"], "--model is missing"),
        (["revise", "cities.jsonl", "--model", "m", "--base-url", "http://127.0.0.1:9/v1"], "--out DIR is missing"),
        (["revise", "cities.jsonl", "--model", "m", "--api-key-env", "K", "--out", "x"], "without --base-url"),
        (["revise", "cities.jsonl", "--model", "m", "--max-cost", "1", "--out", "x"], "--max-cost needs prices"),
        (["revise", "cities.jsonl", "--model", "m", "--prices", "input=1", "--out", "x"], "output is missing"),
        (
            ["revise", "cities.jsonl", "--model", "m", "--model-option", "candidates=3", "--out", "x"],
            "temperature=0.7",
        ),
        (["revise", "cities.jsonl", "--model", "m", "--concurrency", "0", "--out", "x"], "expected at least 1"),
        (
            ["revise", "cities.jsonl", "--model", "m", "--model-option", "skip_checks=too_lon", "--out", "x"],
            "'too_long'?",
        ),
        (["revise", "cities.jsonl", "--model", "m", "--base-url", "localhost", "--out", "x"], "http://localhost:8000"),
        (["revise", "cities.jsonl", "--model", "m", "--preview", "0"], "expected at least 1"),
        (
            ["revise", "cities.jsonl", "--model", "m", "--model-option", "extra_body=[1]", "--out", "x"],
            "a JSON object",
        ),
        (["revise", "cities.jsonl", "--model", "m", "--prices", "no.yaml", "--out", "x"], "cannot be read"),
        (["revise", "x", "--model", "m", "--preview", "2", "--retry-failed"], "one at a time"),
        (["clean", "cities.jsonl", "--out", "x", "--base-url", "http://127.0.0.1:9/v1"], "without --model"),
        (["cache", "export", "--json"], "needs --out FILE"),
        (["cache", "burn"], "invalid choice"),
    ],
)
def test_words_that_are_off(args: list[str], said: str, cities: Path, work: Path, capsys: Any) -> None:
    code, out, err = run(*args, capsys=capsys)
    assert (code, out) == (2, "")
    assert said in err
    assert not (work / "x").exists()


def test_what_ends_a_run_is_said_with_the_next_move(cities: Path, work: Path, capsys: Any) -> None:
    def failing(*args: str) -> str:
        code, out, err = run("revise", "cities.jsonl", "--out", "x", "--quiet", *args, capsys=capsys)
        assert (code, out) == (1, "")
        assert "Traceback" not in err
        assert not (work / "x").exists()
        assert [p.name for p in work.iterdir() if p.name.startswith(".")] == []
        return err

    with ChatServer(default=good) as server:
        one = ["--model", "tiny", "--base-url", server.url, "--model-option", "max_new_tokens=100"]
        err = failing(*one, "--model-option", "max_tokens_total=1000", "--concurrency", "1")
        assert "Every answer so far is kept: allow more and run the same again" in err
        asked = Counter(server.counts)
        assert 0 < len(asked) < COUNT
        (work / "notes.txt").write_text("not a store at all, and precious")
        assert "is not a file of answers; nothing in it was changed" in failing(*one, "--store", "notes.txt")
        assert "variable NO_SUCH_KEY is empty" in failing(*one, "--api-key-env", "NO_SUCH_KEY")
        assert run("revise", "cities.jsonl", "--out", "x", *one, "--quiet", capsys=capsys)[0] == 0
        assert not [content for content in asked if server.counts[content] > 1]
        (work / "x").rename(work / "y")
    assert "check --base-url and that the server runs" in failing(
        *one, "--limit", "retries=0", "--model-option", "cache_as=new"
    )
    code, _, err = run("revise", "cities.jsonl", "--out", "y", *one, capsys=capsys)
    assert (code, "--overwrite" in err) == (1, True)


# ------------------------------------------------------------------------------------------------------ what was kept


def test_what_was_kept_is_counted_written_out_and_deleted(
    cities: Path, work: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run("cache", "stats", capsys=capsys)
    assert (code, "0 answers" in out, (work / "home").exists()) == (0, True, False)
    monkeypatch.setattr(store, "time", lambda: 1_772_323_200)
    with ChatServer(default=good) as server:
        run("revise", "cities.jsonl", *at(server, "--preview", "6"), capsys=capsys)
        run("revise", "cities.jsonl", *at(server, "--preview", "2"), "--model-option", "cache_as=mine", capsys=capsys)
    source = f"127.0.0.1:{server.port}/v1 tiny"
    told = json.loads(run("cache", "stats", "--json", capsys=capsys)[1])
    assert told["sources"] == {source: 6, "mine": 2}
    assert told["by_source"][source] == {
        "answers": 6,
        "prompt_tokens": 420,
        "completion_tokens": 180,
        "untold": 0,
        "undated": 0,
        "first_stored": "2026-03-01",
        "last_stored": "2026-03-01",
    }
    out = run("cache", "stats", capsys=capsys)[1]
    assert re.search(rf"^{source} +6 +420 +180  stored 2026-03-01$", out, re.MULTILINE)
    _, out, _ = run("cache", "export", "--model", "tiny", capsys=capsys)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (len(lines), {line["source"] for line in lines}) == (6, {source})
    assert lines[0]["generation"]["max_new_tokens"] == 2048
    assert "Name city" in lines[0]["messages"][0]["content"]
    assert run("cache", "export", "--out", "all.jsonl", capsys=capsys)[1] == "all.jsonl  8 answers\n"
    assert len((work / "all.jsonl").read_text().splitlines()) == 8
    assert run("cache", "export", "--out", "all.jsonl", capsys=capsys)[0] == 1
    code, _, err = run("cache", "clear", "--model", "nobody", "--yes", capsys=capsys)
    assert (code, source in err) == (1, True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))  # nobody there to say yes
    code, out, err = run("cache", "clear", "--model", "tiny", capsys=capsys)
    assert (code, out, f"delete 6 answers of {source}" in err, "nothing was deleted" in err) == (
        0,
        "",
        True,
        True,
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert run("cache", "clear", "--model", "tiny", capsys=capsys)[1] == f"6 answers of {source} deleted\n"
    assert json.loads(run("cache", "clear", "--yes", "--json", capsys=capsys)[1])["deleted"] == {"mine": 2}
    assert store.stats().answers == 0


# ------------------------------------------------------------------------------------------- what the options come to


def made(*args: str) -> Any:
    return reviser_of(parser().parse_args(["revise", "IN", *args]))


def test_options_become_settings(work: Path) -> None:
    (work / "prices.yaml").write_text("m: {input: 0.15, output: 0.6, currency: EUR}\n")
    found = made(
        *("--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--api-key-env", "MY_KEY", "--revise", "response"),
        *("--model-option", "max_new_tokens=64", "--model-option", "temperature=none", "--model-option", "seed=3"),
        *("--model-option", "candidates=2", "--model-option", "skip_checks=too_long,off_topic", "--concurrency", "5"),
        *("--limit", "timeout_s=7", "--prices", "prices.yaml", "--max-cost", "1.5", "--store", "a.sqlite3"),
        *("--columns", "instruction=q,response=a", "--model-option", 'extra_body={"k": 1}', "--side", "both"),
    )
    assert found == Reviser(
        "m",
        base_url="http://127.0.0.1:9/v1",
        api_key_env="MY_KEY",
        revise="response",
        max_new_tokens=64,
        temperature=None,
        seed=3,
        candidates=2,
        skip_checks=("too_long", "off_topic"),
        limits=Limits(concurrency=5, timeout_s=7.0),
        prices=Prices(0.15, 0.6, "EUR"),
        max_cost=1.5,
        store=str(work / "a.sqlite3"),
        columns={"instruction": "q", "response": "a"},
        extra_body={"k": 1},
        side="both",
    )


def test_reflection_is_asked_for_by_name(work: Path) -> None:
    found = made(
        "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--method", "reflection", "--revise", "response"
    )
    assert (type(found).__name__, found.sides) == ("Reflection", ("response",))


def test_a_folder_that_a_reviser_was_saved_in_brings_its_prompt(work: Path) -> None:
    Reviser("org/coach", instructions="Mend it.", max_new_tokens=77).save_pretrained("coach")
    found = made("--model", "coach", "--model-option", "top_p=0.5")
    assert (found.model, found.instructions, found.max_new_tokens, found.top_p) == ("org/coach", "Mend it.", 77, 0.5)
    (work / "coach" / "hfclean.json").write_text("{}")
    with pytest.raises(FolderError, match="no reviser here"):
        made("--model", "coach")


def test_help_shows_how_to_revise(capsys: Any) -> None:
    assert "hfclean revise cleaned --model qwen3" in run("--help", capsys=capsys)[1]
    for verb in ("revise", "estimate", "cache"):
        code, out, _ = run(verb, "--help", capsys=capsys)
        assert (code, out.startswith(f"usage: hfclean {verb}")) == (0, True)


# -------------------------------------------------------------------------------------------------- stopped and killed

WIDTH = 4
RUN = """
import signal, sys
from hfclean.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may have it ignored
sys.exit(main(sys.argv[1:]))
"""


def start(server: ChatServer, home: Path, out: str) -> subprocess.Popen[str]:
    args = ["revise", "cities.jsonl", "--out", out, *at(server, "--concurrency", str(WIDTH))]
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *args],
        env={**os.environ, "HFCLEAN_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stored(home: Path) -> set[int]:
    """Which rows the file of answers has answers to."""
    path = home / "answers.sqlite3"
    found = {number(str(row["messages"])) for row in store.open_store(path).rows()} if path.exists() else set()
    process.close()
    return found


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_stopped_or_killed_it_asks_for_the_rest_only_and_ends_with_the_same_data(
    name: str, cities: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, point = work / "stormy", 17
    with ChatServer(default=good) as server:

        def revise(home: str, out: str) -> None:
            monkeypatch.setenv("HFCLEAN_HOME", str(work / home))
            process.close()
            assert main(["revise", "cities.jsonl", "--out", out, *at(server, "--concurrency", str(WIDTH))]) == 0

        revise("calm", "undisturbed")
        assert server.counts.total() == COUNT
        server.counts.clear()
        server.received.clear()
        started: Future[subprocess.Popen[str]] = Future()

        def stop_at(request: Received, _: int) -> Reply:
            if len(server.counts) < point:
                return good(request)
            if len(server.counts) == point:
                started.result(PATIENCE_S).send_signal(getattr(signal, name))
            return Reply(hang=True)  # so that there is something left to ask whenever the signal arrives

        server.default = stop_at
        started.set_result(start(server, home, "revised"))
        worker = started.result()
        _, err = worker.communicate(timeout=PATIENCE_S)
        assert worker.returncode == (-signal.SIGKILL if name == "SIGKILL" else 1)
        if name != "SIGKILL":
            assert "stopped; nothing was written; every answer so far is kept: run the same command again" in err
            assert [p.name for p in work.iterdir() if p.name.startswith(".")] == []
        assert "Traceback" not in err
        assert not (work / "revised").exists()

        server.wait_until_left()
        kept = stored(home)
        assert point - 1 - 2 * WIDTH <= len(kept) < point  # less what was on its way, or in the commit being written
        server.default = good
        server.counts.clear()
        revise("stormy", "revised")
        assert set(map(number, server.counts)) == set(range(COUNT)) - kept
        assert set(server.counts.values()) == {1}
    assert data_of(work / "revised") == data_of(work / "undisturbed")
    assert sorted(p.name for p in work.iterdir()) == ["calm", "cities.jsonl", "revised", "stormy", "undisturbed"]
