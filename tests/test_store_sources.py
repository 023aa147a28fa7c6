"""Whose answers these are: a server's own only, by host and port; what is used from before says when it was stored."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Received, Reply
from datasets import Dataset

import hfclean
from hfclean.cleaning import clean
from hfclean.cli import main
from hfclean.models import Answer, BackendError, Limits, ModelSpec, StoreWarning, ask, look, process, store
from hfclean.models.budget import Ledger, days_of
from hfclean.models.store import Record, Setting, open_store
from hfclean.report import Report, compare
from hfclean.reviser.codec import encode
from hfclean.schema import Pair

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
QUICK = Limits(retries=0, backoff_s=0.001)
LEAP_DAY = 1_709_208_000  # 2024-02-29, noon in UTC
EARLIER = Path(__file__).parent / "golden_0_1_0" / "store.tar.gz"
ASKED = [f"Name a fruit, number {k}." for k in range(3)]


@pytest.fixture(autouse=True)
def _home(own_home: None) -> None:
    """Every test has answers of its own."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time at which answers are stored, to be set."""
    now = [LEAP_DAY]
    monkeypatch.setattr(store, "time", lambda: now[0])
    return now


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The usual file of answers, as version 0.1.0 left it."""
    with tarfile.open(EARLIER) as file:
        file.extractall(tmp_path, filter="data")
    (tmp_path / "store").rename(tmp_path / "home")
    return tmp_path / "home" / "answers.sqlite3"


def rows(count: int = 4) -> list[dict[str, Any]]:
    return [{"instruction": f"Name lake {k}.", "input": "", "output": f"lake {k} is deep"} for k in range(count)]


def good(request: Received, _: int = 0) -> Reply:
    k = int(re.findall(r"Name lake (\d+)\.", request.content)[-1])
    return Reply(encode(Pair(f"Name lake {k}.", "", f"Lake {k} is deep.")))


# ------------------------------------------------------------------------------------------------------------- the key


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://localhost:8000/v1", "localhost:8000/v1"),
        ("http://localhost:8001/v1", "localhost:8001/v1"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000/v1"),
        ("https://api.example.org/v1", "api.example.org/v1"),
        ("https://API.example.org:443/v1/", "api.example.org/v1"),
        ("http://api.example.org:80/v1", "api.example.org/v1"),
        ("http://api.example.org:443/v1", "api.example.org:443/v1"),
        ("https://api.example.org:80/v1", "api.example.org:80/v1"),
        ("https://api.example.org/a/v1", "api.example.org/a/v1"),
        ("http://[::1]:8000/v1", "[::1]:8000/v1"),
        ("http://[::1]/v1", "::1/v1"),
    ],
)
def test_a_server_is_named_by_host_port_and_path_and_the_usual_port_is_left_out(url: str, where: str) -> None:
    assert ModelSpec("m", base_url=url).where() == where


def test_another_server_on_the_host_is_asked_itself() -> None:
    with ChatServer(default=Reply("one")) as one, ChatServer(default=Reply("two")) as two:
        found = [ask(ModelSpec("m", base_url=server.url), ["a"])[0].text for server in (one, two, one)]
    assert found == ["one", "two", "one"]
    assert (one.counts["a"], two.counts["a"]) == (1, 1)


def test_a_dead_server_gets_no_answers_of_a_live_one_beside_it(work: Path, capsys: Any) -> None:
    Dataset.from_list(rows()).to_json("lakes.jsonl")
    with ChatServer(default=good) as server, ChatServer() as other:
        words = ["revise", "lakes.jsonl", "--model", "tiny", "--quiet", "--limit", "retries=0"]
        assert main([*words, "--base-url", server.url, "--out", "first"]) == 0
        dead = other.url
    assert main([*words, "--base-url", dead, "--out", "second"]) == 1
    assert not Path("second").exists()
    assert "check --base-url and that the server runs" in capsys.readouterr().err


def test_answers_are_shared_under_a_name(clock: list[int]) -> None:
    with ChatServer() as server:
        ask(ModelSpec("m", base_url=server.url, cache_as="mine"), ["a"])
    (found,) = ask(ModelSpec("m", base_url="http://127.0.0.1:9/v1", cache_as="mine"), ["a"])
    assert (found.cached, found.stored_at) == (True, LEAP_DAY)


# ----------------------------------------------------------------------------------------------- answers of 0.1.0


def test_a_file_of_0_1_0_is_brought_up_to_date_in_place_and_keeps_its_answers(earlier: Path) -> None:
    with sqlite3.connect(earlier) as db:
        before = db.execute("SELECT key, settings, messages, text, checksum FROM answers ORDER BY rowid").fetchall()
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()
    opened = open_store(earlier)
    setting = Setting.of("new", "", "{}")
    opened.put([Record(setting.key(b"[]"), setting, b"[]", Answer("text"), 1, 0.0)])
    process.close()
    assert open_store(earlier).stats().answers == 10
    process.close()
    with sqlite3.connect(earlier) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        after = db.execute("SELECT key, settings, messages, text, checksum FROM answers ORDER BY rowid").fetchall()
        assert after[:-1] == before
        assert db.execute("SELECT COUNT(*) FROM answers WHERE stored_at IS NULL").fetchone() == (9,)
    db.close()


def test_many_processes_may_open_a_file_of_0_1_0_at_once(earlier: Path) -> None:
    code = (
        "import sys\nfrom hfclean.models.store import open_store\nsys.stdin.read()\n"
        "print(sum(open_store(f'{sys.argv[1]}{k}').stats().answers for k in range(12)))"
    )
    for k in range(12):
        shutil.copy(earlier, f"{earlier}{k}")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(earlier)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
    for worker in workers:
        assert worker.stdout is not None
        with worker.stdout as out:
            assert out.read() == f"{12 * 9}\n"
        assert worker.wait() == 0


@pytest.mark.usefixtures("earlier")
def test_answers_of_no_known_port_are_not_used_and_named_before_anything_is_asked() -> None:
    said: list[int] = []
    with ChatServer(default=Reply("new")) as server, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StoreWarning)
        server.on_request = lambda _: said.append(len(caught))
        found = ask(ModelSpec("tiny", base_url=server.url), ["Name a fruit, number 0."])
    assert ([answer.text for answer in found], said) == (["new"], [1])
    message = str(caught[0].message)
    assert "holds 3 answers of '127.0.0.1/v1 tiny' from hfclean 0.1.0, which did not record the port" in message
    assert f"they are not used for {server.url}" in message
    name = re.findall(r"cache_as='(.*?)'", message)[0]
    assert re.findall(r"--model-option cache_as='(.*?)'", message) == [name]
    with warnings.catch_warnings():
        warnings.simplefilter("error", StoreWarning)
        kept = look(ModelSpec("tiny", base_url="http://127.0.0.1:9/v1", cache_as=name), ASKED)
    assert [answer and answer.text for answer in kept] == [f"from the server: {text}" for text in ASKED]


@pytest.mark.usefixtures("earlier")
def test_nothing_is_said_where_no_such_answers_are_or_the_server_has_more_of_its_own() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", StoreWarning)
        look(ModelSpec("another", base_url="http://127.0.0.1:9/v1"), ASKED)
        look(ModelSpec("tiny", base_url="https://llm.example.org/v1"), ASKED)
        look(ModelSpec("tiny", base_url="http://127.0.0.1:9/v1", store=False), ASKED)
    with ChatServer() as server:
        spec = ModelSpec("tiny", base_url=server.url)
        with pytest.warns(StoreWarning):
            ask(spec, ASKED)
        process.close()
        with warnings.catch_warnings():
            warnings.simplefilter("error", StoreWarning)
            answers = ask(spec, ASKED)
    assert [answer.cached for answer in answers] == [True] * len(ASKED)


@pytest.mark.usefixtures("earlier")
def test_the_command_line_says_so_in_a_line_that_is_ready_to_be_used(work: Path, capsys: Any) -> None:
    Dataset.from_list(rows()).to_json("lakes.jsonl")
    with ChatServer(default=good) as server:
        words = ["--model", "tiny", "--base-url", server.url, "--quiet", "--preview", "2"]
        assert main(["revise", "lakes.jsonl", *words]) == 0
    (line,) = [each for each in capsys.readouterr().err.splitlines() if each.startswith("note: the file of answers ")]
    assert line.endswith("(--model-option cache_as='127.0.0.1/v1 tiny')")
    assert main(["cache", "stats"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^localhost/v1 tiny +2 .*stored before dates were recorded$", out, re.MULTILINE)
    assert re.search(rf"^127.0.0.1:{server.port}/v1 tiny +2 ", out, re.MULTILINE)
    assert "9 answers of hfclean 0.1.0, which recorded neither port nor date" in out


# --------------------------------------------------------------------------------------- when, and from where


def test_a_run_that_asks_nothing_says_when_and_of_whom_its_answers_are(
    work: Path, clock: list[int], capsys: Any
) -> None:
    Dataset.from_list(rows()).to_json("lakes.jsonl")
    with ChatServer(default=good) as server:
        words = ["revise", "lakes.jsonl", "--model", "tiny", "--quiet", "--base-url", server.url, "--out"]
        assert main([*words, "first"]) == 0
        source = f"127.0.0.1:{server.port}/v1 tiny"
    assert "4 asked for in this run, 0 already stored" in capsys.readouterr().out
    process.close()
    clock[0] += 86_400 * 3  # whenever it is run again, the server is gone by then
    assert main([*words, "second"]) == 0
    said = f"nothing was asked now: 4 of 4 answers are from the file of answers, stored 2024-02-29, of {source}"
    assert said in capsys.readouterr().out
    assert said in Path("second/README.md").read_text()
    assert said in Path("second/report.html").read_text()
    about = json.loads(Path("second/hfclean.json").read_text())
    usage = about["transforms"][0]["usage"]
    assert (usage["asked"], usage["reused_on"], usage["answers_of"]) == (0, {"2024-02-29": 4}, source)
    assert Report.from_dict(about["report"]).models[0].answers_of == source
    first, second = (sorted(Path(name, "data").iterdir()) for name in ("first", "second"))
    assert [file.name for file in first] == [file.name for file in second]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


@pytest.mark.parametrize(("words", "trust"), [((), "normal"), (("--trust", "low"), "low")])
def test_report_and_card_say_how_far_the_model_was_trusted(
    words: tuple[str, ...], trust: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Dataset.from_list(rows()).to_json("lakes.jsonl")
    with ChatServer(default=good) as server:
        run = ["revise", "lakes.jsonl", "--model", "tiny", "--quiet", "--base-url", server.url, "--out", "done"]
        assert main([*run, *words]) == 0
    assert f"| trust | {trust} |" in Path("done/README.md").read_text()
    about = json.loads(Path("done/hfclean.json").read_text())
    assert Report.from_dict(about["report"]).models[0].trust == trust


def test_what_is_asked_now_and_what_was_kept_are_told_apart(clock: list[int]) -> None:
    with ChatServer(default=good) as server:
        reviser = hfclean.Reviser("tiny", base_url=server.url, limits=QUICK)
        clean(Dataset.from_list(rows(1)), reviser=reviser, show=False)
        clock[0] += 86_400
        clean(Dataset.from_list(rows(3)), reviser=reviser, show=False)
        raw = Dataset.from_list(rows(4))
        done = clean(raw, reviser=reviser, show=False)
    assert done.transforms[0]["usage"]["reused_on"] == {"2024-02-29": 1, "2024-03-01": 2}
    text = str(compare(raw, done.dataset, transforms=done.transforms))
    of = f"127.0.0.1:{server.port}/v1 tiny"
    assert f"1 asked for in this run, 3 already stored (stored 2024-02-29 to 2024-03-01, of {of})" in text


def test_a_preview_and_the_live_line_say_when_answers_were_stored(
    work: Path, clock: list[int], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")  # to which the live line is cut
    Dataset.from_list(rows()).to_json("lakes.jsonl")
    with ChatServer(default=good) as server:
        words = ["revise", "lakes.jsonl", "--model", "tiny", "--base-url", server.url]
        assert main([*words, "--preview", "2", "--quiet"]) == 0
        capsys.readouterr()
        assert main([*words, "--preview", "4"]) == 0
    out, err = capsys.readouterr()
    assert "2 answers asked for, 2 kept from before (stored 2024-02-29)" in out
    assert "kept=2 (stored 2024-02-29)" in err


def test_a_dead_server_is_an_error_as_soon_as_one_answer_is_missing(clock: list[int]) -> None:
    with ChatServer(default=good) as server:
        reviser = hfclean.Reviser("tiny", base_url=server.url, limits=QUICK)
        clean(Dataset.from_list(rows(3)), reviser=reviser, show=False)
    process.close()
    with pytest.raises(BackendError, match="check base_url"):
        clean(Dataset.from_list(rows(4)), reviser=reviser, show=False)


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ([], ""),
        ([("", 3)], "stored before dates were recorded"),
        ([("2024-02-29", 3)], "stored 2024-02-29"),
        ([("2024-03-01", 1), ("2024-02-29", 3)], "stored 2024-02-29 to 2024-03-01"),
        ([("2024-02-29", 3), ("", 1200)], "stored 2024-02-29, and 1,200 before dates were recorded"),
    ],
)
def test_dates_in_words(kept: list[tuple[str, int]], words: str) -> None:
    assert days_of(kept) == words


def test_the_ledger_counts_kept_answers_by_day_and_subtracts() -> None:
    ledger = Ledger()
    with ledger.following():
        ledger.reused([(b"a-------", 4, Answer("x", stored_at=LEAP_DAY)), (b"b-------", 4, Answer("y"))])
        before = ledger.usage()
        ledger.reused([(b"c-------", 4, Answer("z", stored_at=LEAP_DAY)), (b"b-------", 4, Answer("y"))])
    assert before.reused_on == (("", 1), ("2024-02-29", 1))
    assert ledger.usage().since(before).reused_on == (("2024-02-29", 1),)


def test_the_time_of_an_answer_is_no_part_of_what_it_is() -> None:
    assert Answer("x", stored_at=1) == Answer("x")
    assert hash(Answer("x", stored_at=1)) == hash(Answer("x"))
