"""The store: what is in it survives, what is not ours is left alone, and every trouble says what to do."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer

from hfclean.models import Answer, BackendError, Generation, ModelSpec, StoreError, ask, process, store, storefile
from hfclean.models.store import Record, Setting, Spent, Store, open_store
from hfclean.testing_models import ScriptedBackend

# newer Pythons warn of every fork beside a thread; that this one is safe is what is tested
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


class Own:
    """A backend of one's own that counts."""

    def __init__(self, text: str = "yes") -> None:
        self.text = text
        self.asked: list[str] = []

    def __call__(self, conversations: list[list[object]], generation: Generation) -> list[Answer]:
        self.asked += [c[-1].content for c in conversations]  # type: ignore[attr-defined]
        return [Answer(self.text, "stop", 5, 2) for _ in conversations]


SETTING = Setting.of("host/v1 m", "p1", "{}")


def record(name: str, text: str = "text", setting: Setting = SETTING) -> Record:
    messages = json.dumps([{"role": "user", "content": name}]).encode()
    return Record(setting.key(messages), setting, messages, Answer(text, "stop", 3, None, model="m"), 5, 0.5)


def test_the_key_is_the_content_and_nothing_else() -> None:
    keys = {
        record("a").key,
        record("b").key,
        record("a", setting=Setting.of("host/v1 n", "p1", "{}")).key,
        record("a", setting=Setting.of("host/v1 m", "p2", "{}")).key,
        record("a", setting=Setting.of("host/v1 m", "p1", Generation(seed=1).canonical())).key,
        record("a", setting=Setting.of("host/v1 m", "p1", Generation(candidate=1).canonical())).key,
    }
    assert len(keys) == 6
    assert record("a").key == record("a", "another text").key
    assert record("a").key.hex() == "633bf7064be2704db947515ee28e6862e85e958111acd8bd9473c8782e8797cb"


def test_host_port_path_and_model_of_a_server_are_parts_of_the_key() -> None:
    with ChatServer() as first, ChatServer() as second:
        ask(ModelSpec("m", base_url=first.url), ["a"])
        assert ask(ModelSpec("m", base_url=first.url), ["a"])[0].cached
        assert not ask(ModelSpec("m", base_url=second.url), ["a"])[0].cached
        assert not ask(ModelSpec("n", base_url=second.url), ["a"])[0].cached
        assert ask(ModelSpec("m", base_url=second.url), ["a"], prompt_version="2")[0].cached is False
        other_host = ModelSpec("m", base_url=second.url.replace("127.0.0.1", "localhost"))
        assert not ask(other_host, ["a"])[0].cached
    assert (first.counts, second.counts) == ({"a": 1}, {"a": 4})


def test_cache_as_names_whose_answers_these_are() -> None:
    with ChatServer() as server:
        ask(ModelSpec("m", base_url=server.url, cache_as="coach-1"), ["a"])
        assert ask(ModelSpec("renamed", base_url=server.url, cache_as="coach-1"), ["a"])[0].cached


def test_a_backend_of_ones_own_is_kept_under_a_name_or_not_at_all() -> None:
    own = Own()
    with pytest.raises(BackendError, match="cache_as='my-backend-1'"):
        ask(ModelSpec(own), ["a"])
    for spec in (ModelSpec(own, cache_as="own-1"), ModelSpec(Own("no"), cache_as="own-1")):
        assert [a.text for a in ask(spec, ["a", "b", "a"])] == ["yes", "yes", "yes"]
    assert own.asked == ["a", "b"]
    nothing_kept = ModelSpec(own, store=False)
    ask(nothing_kept, ["a"])
    ask(nothing_kept, ["a"])
    assert own.asked == ["a", "b", "a", "a"]


def test_a_backend_of_ones_own_has_to_answer_all_and_with_answers() -> None:
    def short(conversations: object, generation: Generation) -> list[Answer]:
        return [Answer("one")]

    def texts(conversations: list[object], generation: Generation) -> list[Answer]:
        return ["one" for _ in conversations]  # type: ignore[misc]

    with pytest.raises(BackendError, match="short returned 1 answers; expected a list of 2 Answers"):
        ask(ModelSpec(short, store=False), ["a", "b"])  # type: ignore[arg-type]
    with pytest.raises(BackendError, match="returned str in a list"):
        ask(ModelSpec(texts, store=False), ["a", "b"])  # type: ignore[arg-type]


def test_a_backend_of_ones_own_loses_at_most_a_batch() -> None:
    own = Own()

    def dies(conversations: list[list[object]], generation: Generation) -> list[Answer]:
        if len(own.asked) >= 128:
            raise KeyboardInterrupt
        return own(conversations, generation)

    rows = [f"row {k}" for k in range(300)]
    with pytest.raises(KeyboardInterrupt):
        ask(ModelSpec(dies, cache_as="own"), rows)  # type: ignore[arg-type]
    ask(ModelSpec(own, cache_as="own"), rows)
    assert own.asked == rows


def test_a_scripted_backend_answers_in_turn_and_remembers() -> None:
    backend = ScriptedBackend(["one", Answer.failed("timeout"), "three"])
    spec = ModelSpec(backend)
    assert [(a.text, a.error) for a in ask(spec, ["a", "b"])] == [("one", ""), ("", "timeout")]
    assert ask(spec, ["a"], Generation(seed=1))[0].text == "three"
    assert [c[-1].content for c in backend.asked] == ["a", "b", "a"]
    assert backend.generations[-1].seed == 1
    with pytest.raises(AssertionError, match="the script has 3 answers, and this is question 4: 'c'"):
        ask(spec, ["c"])
    by_text = ScriptedBackend({"a": "A"}, default="other")
    assert [a.text for a in ask(ModelSpec(by_text), ["b", "a"])] == ["other", "A"]


# ---------------------------------------------------------------------------------------------------- the file


def test_what_was_put_is_there_after_opening_again(tmp_path: Path) -> None:
    texts = ["plain", "", "line\nbreak", "\x00nul", "漢字 🦜", "'; DROP TABLE answers; --", "x" * 100_000]
    records = [record(f"q{k}", text) for k, text in enumerate(texts)]
    open_store(tmp_path / "a.sqlite3").put(records, run="r1")
    process.close()
    opened = open_store(tmp_path / "a.sqlite3")
    found = opened.get([r.key for r in records] + [record("unknown").key])
    assert [found[r.key].text for r in records] == texts
    assert len(found) == len(records)
    assert found[records[0].key] == Answer("plain", "stop", 3, None, model="m", cached=True)
    assert opened.spent("r1", "host/v1 m") == Spent(7, 35, 3.5)
    assert opened.spent("r2", "host/v1 m") == Spent()


def test_the_first_answer_stays(tmp_path: Path) -> None:
    opened = open_store(tmp_path / "a.sqlite3")
    assert opened.put([record("a", "first")])[0] == {}
    earlier, _ = opened.put([record("a", "second"), record("b", "new")])
    assert {a.text for a in earlier.values()} == {"first", "new"}
    assert opened.get([record("a").key])[record("a").key].text == "first"


def test_stats_export_and_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "time", lambda: 1_772_323_199.9)
    path = tmp_path / "a.sqlite3"
    assert store.stats(path).answers == 0
    assert store.export(io.StringIO(), path) == 0
    assert store.clear(path) == 0
    assert not path.exists()
    other = Setting.of("other", "", '{"max_new_tokens":5}')
    open_store(path).put([record("é", "ü"), record("b"), record("c", setting=other)])
    found = store.stats(path)
    assert (found.answers, found.sources, found.prompt_tokens, found.completion_tokens) == (
        3,
        {"host/v1 m": 2, "other": 1},
        9,
        0,
    )
    assert found.bytes > 0
    out = io.StringIO()
    assert store.export(out, path) == 3
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[0] == {
        "key": record("é").key.hex(),
        "source": "host/v1 m",
        "prompt_version": "p1",
        "generation": {},
        "messages": [{"role": "user", "content": "é"}],
        "text": "ü",
        "finish_reason": "stop",
        "prompt_tokens": 3,
        "completion_tokens": None,
        "model": "m",
        "stored_at": 1_772_323_199,
    }
    mine = found.by_source["host/v1 m"]
    assert (mine.undated, mine.first_stored, mine.last_stored) == (0, "2026-02-28", "2026-02-28")
    assert lines[2]["generation"] == {"max_new_tokens": 5}
    assert store.clear(path, source="other") == 1
    assert store.clear(path, source="nobody") == 0
    assert store.stats(path).sources == {"host/v1 m": 2}
    assert store.clear(path) == 2
    assert store.stats(path).answers == 0


def test_it_lies_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.default_path() == tmp_path / "home" / "answers.sqlite3"
    monkeypatch.delenv("HFCLEAN_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert store.default_path() == tmp_path / "cache" / "hfclean" / "answers.sqlite3"
    own = ModelSpec(Own(), cache_as="own", store=tmp_path / "mine.db")  # type: ignore[arg-type]
    ask(own, ["a"])
    assert store.stats(tmp_path / "mine.db").answers == 1
    assert not store.default_path().exists()
    assert (tmp_path / "mine.db").stat().st_mode & 0o077 == 0


def test_the_usual_place_may_change_while_a_process_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModelSpec(Own(), cache_as="own")  # type: ignore[arg-type]
    ask(spec, ["a"])
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "elsewhere"))
    assert not ask(spec, ["a"])[0].cached
    assert store.stats().path == str(tmp_path / "elsewhere" / "answers.sqlite3")


def garbage(path: Path) -> None:
    path.write_bytes(b"these are my notes, not a database\n" * 100)


def other_database(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()


def truncated(path: Path) -> None:
    Store(path).put([record(f"q{k}", "x" * 3000) for k in range(100)])
    process.close()
    path.write_bytes(path.read_bytes()[:9000])


def overwritten_in_the_middle(path: Path) -> None:
    Store(path).put([record(f"q{k}", "x" * 3000) for k in range(100)])
    process.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def one_letter_changed(path: Path) -> None:
    Store(path).put([record("q0", "the quick brown fox")])
    process.close()
    content = path.read_bytes()
    assert content.count(b"the quick brown fox") == 1
    path.write_bytes(content.replace(b"quick", b"quack"))


def newer(path: Path) -> None:
    Store(path)
    process.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()


def half_a_header(path: Path) -> None:
    path.write_bytes(b"SQLite for")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (garbage, "is not a file of answers"),
        (half_a_header, "is not a file of answers"),
        (other_database, "is not a file of answers"),
        (truncated, "is damaged"),
        (overwritten_in_the_middle, "is damaged"),
        (one_letter_changed, "the checksum of an answer is wrong"),
        (newer, "has the format 99, this version reads up to 2; upgrade hfclean"),
    ],
)
def test_a_spoilt_or_foreign_file_is_named_and_left_as_it_is(tmp_path: Path, spoil: object, words: str) -> None:
    path = tmp_path / "answers.db"
    spoil(path)  # type: ignore[operator]
    before = path.read_bytes()
    with pytest.raises(StoreError, match=words) as caught:
        Store(path).get([record(f"q{k}").key for k in range(100)])
    assert str(path) in str(caught.value)
    process.close()
    assert path.read_bytes() == before


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        open_store(tmp_path)


def test_a_place_where_nothing_can_be_written_says_so() -> None:
    with pytest.raises(StoreError, match="name another"):
        open_store("/proc/nowhere/answers.sqlite3")


def test_a_file_that_may_only_be_read_says_so() -> None:
    code = (
        "import os, sys\nfrom hfclean.models import StoreError\nfrom hfclean.models.store import open_store\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try:\n    open_store(sys.argv[1])\nexcept StoreError as e:\n    print(e)"
    )
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: nobody else may enter that one
        path = Path(folder) / "answers.sqlite3"
        open_store(path).put([record("a")])
        process.close()
        path.chmod(0o444)
        os.chmod(folder, 0o555)
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        os.chmod(folder, 0o755)
    assert "allow writing" in done.stdout


def test_a_full_disk_stops_the_run_and_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answers.sqlite3"
    rows = [f"row {k} " + "x" * 2000 for k in range(200)]
    with ChatServer() as server:
        spec = ModelSpec("m", base_url=server.url, store=str(path))
        with monkeypatch.context() as patched:
            # the same error from the same place as on a disk that is full
            patched.setattr(storefile, "PRAGMAS", (*storefile.PRAGMAS, "PRAGMA max_page_count=40"))
            with pytest.raises(StoreError, match="the disk is full: free some space and run again"):
                ask(spec, rows)
            process.close()  # a small answer that was on its way may still have found room
        kept = store.stats(path).answers
        assert 0 < kept < 200
        assert len(server.counts) < 200
        answers = ask(spec, rows)
        assert [a.text for a in answers] == ["ok"] * 200
        assert sum(a.cached for a in answers) == kept


def test_many_processes_may_open_one_new_file_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, json\nfrom hfclean.models.store import Record, Setting, open_store\n"
        "from hfclean.models import Answer\n"
        "s = Setting.of('s', '', '{}')\nme = sys.argv[2]\nsys.stdin.read()\n"
        "for k in range(20): open_store(sys.argv[1] + str(k))\n"
        "store = open_store(sys.argv[1])\n"
        "for k in range(20):\n"
        "    m = json.dumps(f'q{k}').encode()\n"
        "    store.put([Record(s.key(m), s, m, Answer(f'answer of {me}'), 1, 0.5)], run='run')\n"
        "print(store.spent('run', 's').asked, json.dumps([store.get([s.key(json.dumps(f'q{k}').encode())])"
        "[s.key(json.dumps(f'q{k}').encode())].text for k in range(20)]))"
    )
    path = str(tmp_path / "answers.sqlite3")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, path, str(k)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for k in range(4)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
    outs = []
    for worker in workers:
        assert worker.stdout is not None
        outs.append(worker.stdout.read())
        worker.stdout.close()
        assert worker.wait() == 0
    assert len({out.partition(" ")[2] for out in outs}) == 1  # all read the same answers
    opened = open_store(path)
    assert opened.stats().answers == 20
    assert opened.spent("run", "s") == Spent(80, 80, 40.0)


def test_many_threads_may_use_one_store(tmp_path: Path) -> None:
    opened = open_store(tmp_path / "a.sqlite3")
    errors: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for k in range(20):
                opened.put([record(f"{name}-{k}")])
                assert opened.get([record(f"{name}-{k}").key])
        except Exception as e:  # noqa: BLE001 - any at all
            errors.append(e)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert opened.stats().answers == 80


def test_the_clock_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Own()
    monkeypatch.setattr("time.time", lambda: 0.0)
    ask(ModelSpec(own, cache_as="own"), ["a"])
    process.close()
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert ask(ModelSpec(own, cache_as="own"), ["a"])[0].cached


def test_a_changed_file_has_another_digest_and_an_unchanged_one_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_store(tmp_path / "a.sqlite3")
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    first = opened.file_digest(file)
    with monkeypatch.context() as patched:
        patched.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
        assert opened.file_digest(file) == first
    file.write_bytes(b"another")
    assert opened.file_digest(file) != first


def test_nothing_is_left_open_behind_a_fork(tmp_path: Path) -> None:
    opened = open_store(tmp_path / "a.sqlite3")
    opened.put([record("a")])
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            found = open_store(tmp_path / "a.sqlite3")
            found.put([record("b")])
            status = 0 if found is not opened and len(found.get([record("a").key])) == 1 else 1
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    opened.put([record("c")])
    assert opened.stats().answers == 3
