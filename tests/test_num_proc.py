"""Rules and scores in several processes: the same rows and files, and clear words where a process dies."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from select import select

import pytest
from datasets import Dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from forked import forked

import hfclean
from hfclean import cleaning, processes, restoration
from hfclean.cleaning import clean
from hfclean.cli import main, running, writing
from hfclean.conversion import converting, losses_of, plans
from hfclean.errors import ColumnError, HfcleanError, SchemaError
from hfclean.hub import secrets
from hfclean.models import process
from hfclean.reviser import RuleReviser
from hfclean.selection import near_duplicates
from hfclean.transform import Transform

PARENT = os.getpid()
TOKEN = "hf" + "_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3x"


@hfclean.rule("deadly", severity="low", meaning="ends every other process")
def deadly(pair: hfclean.Pair) -> bool:
    if os.getpid() != PARENT:
        os._exit(1)
    return False


@deadly.with_repair
def deadly_repair(pair: hfclean.Pair) -> hfclean.Pair:
    return pair


def rows(count: int = 50) -> Dataset:
    texts = [f"city {k} is large{'</s>' if k % 7 == 0 else ''}" for k in range(count)]
    return Dataset.from_dict({"prompt": [f"Name city {k}." for k in range(count)], "completion": texts})


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "BATCH", 8)
    monkeypatch.delenv("HFCLEAN_NUM_PROC", raising=False)


def test_rows_and_file_are_the_same_for_any_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    made, files, counts = [], [], []
    split = Dataset.map

    def counting(self: Dataset, *args: object, **how: object) -> Dataset:
        counts.append(how.get("num_proc"))
        return split(self, *args, **how)

    monkeypatch.setattr(Dataset, "map", counting)
    for count in (1, 2, 3):
        cleaned = clean(rows(), num_proc=count, drop_duplicates=True).dataset
        made.append(list(cleaned))
        cleaned.to_parquet(file := BytesIO())
        files.append(sha256(file.getvalue()).hexdigest())
    assert made[0] == made[1] == made[2]
    assert files[0] == files[1] == files[2]
    assert counts == [None, 2, None, 3, None]
    assert [row["edit"] for row in made[2][:8]] == ["revised", *["kept"] * 6, "revised"]


def contents(out: Path) -> dict[str, bytes]:
    files = [out] if out.is_file() else [*out.glob("data/*"), *out.glob("ledger.parquet"), *out.glob("report.html")]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("words", [["clean"], ["pii", "--drop"]], ids=" ".join)
def test_commands_write_the_same_bytes_in_any_number_of_processes(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"city {k}{'</s>' if k % 7 == 0 else ''}{' jo@hfclean.dev' if k % 5 == 0 else ''}" for k in range(30)]
    rows(30).remove_columns("completion").add_column("completion", texts).to_json(tmp_path / "rows.jsonl")
    pools: list[object] = []
    real = Dataset.map

    def counting(self: Dataset, *args: object, **how: object) -> Dataset:
        pools.append(how.get("num_proc"))
        return real(self, *args, **how)

    monkeypatch.setattr(Dataset, "map", counting)
    found = []
    for count in ("1", "2", "3"):
        out = tmp_path / count / ("rows.parquet" if "--drop" in words else "cleaned")
        out.parent.mkdir()
        command = [*words, str(tmp_path / "rows.jsonl"), "--out", str(out), "--quiet", "--num-proc", count]
        assert main(command) == 0
        found.append(contents(out))
    assert found[0] == found[1] == found[2] != {}
    assert {2, 3} <= set(pools)
    if words == ["pii", "--drop"]:
        assert len(Dataset.from_parquet(str(tmp_path / "3" / "rows.parquet"), cache_dir=str(tmp_path / "c"))) == 24
        capsys.readouterr()
        for count in ("1", "3"):
            assert main(["pii", str(tmp_path / "rows.jsonl"), "--num-proc", count]) == 0
            assert capsys.readouterr().out.startswith("6 of 30 rows contain personal data (6 matches)")


def test_only_many_rows_take_several_processes_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cleaning._processes(19_999, hfclean.revise, "auto") == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert cleaning._processes(20_000, hfclean.revise, "auto") == 3
    assert cleaning._processes(17, hfclean.score, 3) == 2  # a batch each at least
    assert cleaning._processes(20_000, hfclean.scorer("length")(lambda pair: 1.0), 3) == 1
    monkeypatch.setenv("HFCLEAN_NUM_PROC", "2")
    assert cleaning._processes(500, hfclean.revise, "auto") == 2
    monkeypatch.setenv("HFCLEAN_NUM_PROC", "many")
    with pytest.raises(HfcleanError, match="num_proc='many': expected 'auto' or a number of processes"):
        clean(rows())


def test_a_process_that_dies_and_one_that_fails_say_what_happened() -> None:
    with pytest.raises(HfcleanError, match=r"one of the 2 processes revising was ended from outside.*num_proc=1"):
        clean(rows(), reviser=RuleReviser(extra=(deadly_repair,)), num_proc=2)
    with pytest.raises(ColumnError, match="the dataset already has a column 'edit'"):
        clean(rows().add_column("edit", ["mine"] * 50), num_proc=2)


@pytest.mark.parametrize("words", [["clean"], ["pii", "--drop"]], ids=" ".join)
def test_a_process_that_is_killed_ends_the_command_with_one_line_and_nothing_written(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Transform.__call__

    def killed(self: Transform, data: object) -> object:
        if os.getpid() != PARENT:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, data)

    monkeypatch.setattr(Transform, "__call__", killed)
    rows(30).to_json(tmp_path / "rows.jsonl")
    out = tmp_path / "new" / ("rows.parquet" if "--drop" in words else "cleaned")
    command = [*words, str(tmp_path / "rows.jsonl"), "--out", str(out), "--quiet", "--num-proc"]
    assert main([*command, "2"]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(
        rf"hfclean {words[0]}: one of the 2 processes \w+ train was ended from outside, .* --num-proc 1\n", said
    )
    assert list(out.parent.iterdir()) == []
    assert main([*command, "1"]) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not end a process with its parent")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_no_process_outlives_a_command_that_is_killed(tmp_path: Path) -> None:
    rows(30).to_json(tmp_path / "rows.jsonl")
    reading, writing = os.pipe()  # closed once no process is left

    def run() -> int:
        command = os.getpid()

        def killing(self: Transform, data: object) -> None:
            if os.getpid() != command:
                os.kill(command, signal.SIGKILL)
                signal.pause()

        Transform.__call__ = killing  # type: ignore[method-assign, assignment]
        process.in_worker = lambda: False  # it is a command, not a worker of the tests
        return main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out"), "--num-proc", "2"])

    assert forked(run).returncode == -signal.SIGKILL
    os.close(writing)
    assert select([reading], [], [], 30)[0] == [reading]
    os.close(reading)


def test_more_processes_than_rows_are_as_many_as_have_a_batch(tmp_path: Path) -> None:
    rows(3).to_json(tmp_path / "rows.jsonl")
    for count in ("1", "500"):
        assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / count), "--num-proc", count]) == 0
    assert contents(tmp_path / "500") == contents(tmp_path / "1")
    assert cleaning._processes(3, hfclean.revise, 500) == 1
    assert cleaning._processes(30, hfclean.revise, 500) == 3


def test_forked_processes_end_at_a_signal_and_leave_ctrl_c_to_their_parent() -> None:
    with running._interruptible():
        pid = os.fork()
        if pid == 0:
            handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
            os._exit(0 if handlers == (signal.SIG_DFL, signal.SIG_IGN) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_the_option_says_how_many_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(20).to_json(tmp_path / "rows.jsonl")
    asked: list[object] = []
    monkeypatch.setattr(cleaning, "_processes", lambda rows, transform, num_proc: asked.append(num_proc) or 1)
    for verb in ("clean", "score"):
        for words in ([], ["--num-proc", "3"]):
            assert (
                main([verb, str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / f"{verb}{len(words)}"), *words]) == 0
            )
    assert asked == ["auto", 3, "auto", 3]
    for word in ("0", "two"):
        with pytest.raises(SystemExit):
            main(["clean", "rows.jsonl", "--out", "x", "--num-proc", word])
        assert f"{word!r}; expected a number of processes, at least 1, or auto" in capsys.readouterr().err


def test_undo_writes_the_same_bytes_in_any_number_of_processes(tmp_path: Path) -> None:
    rows(30).to_json(tmp_path / "rows.jsonl")
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "cleaned"), "--quiet"]) == 0
    found = []
    for count in ("1", "2", "3", "500"):
        out = tmp_path / count
        assert main(["undo", str(tmp_path / "cleaned"), "--out", str(out), "--num-proc", count]) == 0
        found.append(contents(out))
    assert found[0] == found[1] == found[2] == found[3]
    cleaned = clean(rows(30)).dataset
    assert list(hfclean.restore(cleaned, num_proc=3)) == list(rows(30))


BENCHMARK = {"cities": [{"question": f"city {k} is large" + " and old" * 4} for k in (3, 19)]}


def contaminated(count: int = 30) -> Dataset:
    texts = [f"city {k} is large and old and old and old and old" for k in range(count)]
    return rows(count).remove_columns("prompt").add_column("prompt", texts)


def test_decontaminate_finds_the_same_in_any_number_of_processes(tmp_path: Path) -> None:
    found = [hfclean.decontaminate(contaminated(), BENCHMARK, num_proc=count) for count in (1, 2, 3)]
    assert found[0] == found[1] == found[2]
    assert {3, 19} <= set(found[0].report.rows_hit)
    assert found[0].report == found[1].report == found[2].report


def test_a_process_that_is_killed_while_benchmarks_are_looked_for_is_one_line_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hfclean.selection import decontamination

    real = decontamination.hits_in

    def killed(*given: object) -> object:
        if os.getpid() != PARENT:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given)

    monkeypatch.setattr(decontamination, "hits_in", killed)
    contaminated().to_json(tmp_path / "rows.jsonl")
    Dataset.from_list(BENCHMARK["cities"]).to_json(tmp_path / "cities.jsonl")
    (tmp_path / "new").mkdir()
    command = ["decontaminate", str(tmp_path / "rows.jsonl"), "--against", str(tmp_path / "cities.jsonl")]
    command += ["--out", str(tmp_path / "new" / "kept.jsonl"), "--num-proc"]
    assert main([*command, "2"]) == 1
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith(
        "hfclean decontaminate: one of the 2 processes looking for benchmarks was ended from outside"
    )
    assert list((tmp_path / "new").iterdir()) == []
    assert main([*command, "1"]) == 0


METHODS = [
    {"method": "exact"},
    {"method": "near"},
    {"method": "near", "fields": "completion", "ngram": 2},
    {"method": "near", "best": "rank", "threshold": 0.5},
]


def repeated(count: int = 40) -> Dataset:
    """Rows of which some are equal, some nearly so and some differ by their tools alone, each far from the other."""
    texts = [f"city {k % 13} is large and {'OLD' if k % 3 else 'old'} and far away from here" for k in range(count)]
    data = {"prompt": [f"Name city {k % 13}." for k in range(count)], "completion": texts, "rank": list(range(count))}
    return Dataset.from_dict({**data, "tools": [[f"tool {k % 2}"] for k in range(count)]})


@pytest.mark.parametrize("how", METHODS, ids=str)
def test_duplicates_are_the_same_for_any_number_of_processes(
    how: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [hfclean.dedupe(repeated(), num_proc=count, **how) for count in (1, 2, 3)]
    assert found[0] == found[1] == found[2]
    assert found[0].report == found[1].report == found[2].report
    assert 13 <= len(found[0]) < 40
    monkeypatch.setattr(processes, "BATCH", 1000)
    monkeypatch.setattr(near_duplicates, "AT_ONCE", 7)
    assert hfclean.dedupe(repeated(), **how).report == found[0].report


def test_dedupe_writes_the_same_bytes_in_any_number_of_processes_and_ends_with_one_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repeated().to_json(tmp_path / "rows.jsonl")
    out = tmp_path / "new"
    out.mkdir()
    command = ["dedupe", str(tmp_path / "rows.jsonl"), "--quiet", "--num-proc"]
    for count in ("1", "2", "3", "500"):
        assert main([*command, count, "--out", str(out / f"{count}.parquet")]) == 0
    assert len({file.read_bytes() for file in out.iterdir()}) == 1
    killed_in_child(monkeypatch, near_duplicates, "shingles")
    assert main([*command, "2", "--out", str(out / "killed.parquet")]) == 1
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("hfclean dedupe: one of the 2 processes looking for duplicates was ended from outside")
    )
    assert sorted(file.name for file in out.iterdir()) == ["1.parquet", "2.parquet", "3.parquet", "500.parquet"]


def killed_in_child(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    real = getattr(owner, name)

    def killed(*given: object, **how: object) -> object:
        if os.getpid() != PARENT:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **how)

    monkeypatch.setattr(owner, name, killed)


def test_an_undo_of_which_a_process_is_killed_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(30).to_json(tmp_path / "rows.jsonl")
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "cleaned"), "--quiet"]) == 0
    before = contents(tmp_path / "cleaned")
    killed_in_child(monkeypatch, restoration._Undo, "__call__")
    capsys.readouterr()
    assert main(["undo", str(tmp_path / "cleaned"), "--num-proc", "2"]) == 1
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("hfclean undo: one of the 2 processes restoring was ended from outside")
    )
    assert contents(tmp_path / "cleaned") == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cleaned", "rows.jsonl"]
    assert main(["undo", str(tmp_path / "cleaned"), "--num-proc", "1"]) == 0


def test_more_processes_than_rows_find_what_one_finds() -> None:
    benchmark = {"cities": BENCHMARK["cities"][:1]}
    found = [hfclean.decontaminate(contaminated(5), benchmark, num_proc=count) for count in (1, 500)]
    assert found[0].report == found[1].report
    assert 3 in found[0].report.rows_hit
    assert hfclean.dedupe(repeated(3), num_proc=500) == [0, 1, 2]
    assert hfclean.dedupe(repeated(0), num_proc=500) == []
    with pytest.raises(ColumnError, match="no such field"):
        hfclean.dedupe(repeated(0), fields="nowhere")


def talks(count: int = 30) -> Dataset:
    """Rows that a chat template wrote, all but one."""
    texts = [f"<|im_start|>user\nCity {k}?<|im_end|>\n<|im_start|>assistant\nLarge.<|im_end|>\n" for k in range(count)]
    return Dataset.from_dict({"text": [*texts[:-1], "City?"], "place": list(range(count))})


CONVERSIONS = [(rows, "messages", "jsonl"), (talks, "prompt_completion", "jsonl"), (talks, "messages", "parquet")]


@pytest.mark.parametrize(("given", "to", "kind"), CONVERSIONS)
def test_convert_writes_the_same_bytes_and_counts_the_same_in_any_number_of_processes(
    given: Callable[[int], Dataset], to: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given(30).to_json(tmp_path / "rows.jsonl")
    files, told = set(), set()
    for count in ("1", "2", "3", "500"):
        file = tmp_path / f"{count}.{kind}"
        capsys.readouterr()
        command = ["convert", str(tmp_path / "rows.jsonl"), "--to", to, "--quiet", "--num-proc", count]
        assert main([*command, "--out", str(file)]) == 0
        assert main([*command, "--dry-run"]) == 0
        files.add(file.read_bytes())
        told.add(re.sub(r".*\.(jsonl|parquet)  ", "", "".join(capsys.readouterr())))
    assert (len(files), len(told)) == (1, 1)
    assert ("texts that no known chat template wrote" in told.pop()) == (given is talks)


def test_rows_that_do_not_fit_are_counted_the_same_in_any_number_of_processes() -> None:
    turns = [{"role": role, "content": role} for role in ("user", "user", "assistant")]
    ds = Dataset.from_dict({"messages": [turns[k % 3 == 0 :] for k in range(30)]})
    for count in (1, 2, 3):
        with pytest.raises(SchemaError, match=r"20 of 30 rows do not fit: a row has the turns \['user', 'user'\]"):
            hfclean.convert(ds, "alpaca", num_proc=count)
        lost = losses_of(ds, "alpaca", num_proc=count)
        assert lost["rows that do not fit, so that nothing is converted"] == 20


@pytest.mark.parametrize(
    ("module", "name", "at_work"),
    [
        (plans, "rows_of", "converting"),
        (converting, "read_rendered", "converting"),
        (writing, "_line", "writing"),
    ],
)
def test_a_conversion_of_which_a_process_is_killed_is_one_line_and_no_file(
    module: object,
    name: str,
    at_work: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    talks().to_json(tmp_path / "rows.jsonl")
    (tmp_path / "new").mkdir()
    killed_in_child(monkeypatch, module, name)
    command = ["convert", str(tmp_path / "rows.jsonl"), "--to", "conversations", "--quiet"]
    command += ["--out", str(tmp_path / "new" / "rows.jsonl"), "--num-proc"]
    assert main([*command, "2"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"hfclean convert: one of the 2 processes {at_work} was ended from outside")
    assert list((tmp_path / "new").iterdir()) == []
    assert main([*command, "1"]) == 0


def with_keys(tmp_path: Path) -> str:
    texts = [f"Use {TOKEN}." if k % 11 == 0 else f"City {k}." for k in range(30)]
    rows(30).remove_columns("completion").add_column("completion", texts).to_json(tmp_path / "rows.jsonl")
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "cleaned"), "--quiet"]) == 0
    return str(tmp_path / "cleaned")


def test_push_masks_and_writes_the_same_bytes_and_ends_with_a_process_that_is_killed(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["push", with_keys(tmp_path), "me/x", "--dry-run", "--mask-secrets", "--quiet", "--num-proc"]
    for count in ("1", "2", "3", "500"):
        assert main([*command, count, "--out", str(tmp_path / count)]) == 0
    assert (
        contents(tmp_path / "1") == contents(tmp_path / "2") == contents(tmp_path / "3") == contents(tmp_path / "500")
    )
    (file,) = (tmp_path / "3" / "data").iterdir()
    assert (
        Dataset.from_parquet(str(file), cache_dir=str(tmp_path / "c"))["completion"][11] == "Use [hf_token removed]."
    )
    killed_in_child(monkeypatch, secrets, "_mask_row")
    assert main([*command, "2", "--out", str(tmp_path / "killed")]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("hfclean push: one of the 2 processes masking was ended from outside")
    assert not (tmp_path / "killed").exists()


def test_keys_in_the_parts_of_a_table_are_the_same_for_any_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"Use {TOKEN}." if k % 11 == 0 else f"City {k}." for k in range(30)]
    Dataset.from_dict({"text": texts}).to_parquet(tmp_path / "rows.parquet", batch_size=7)
    files = {"rows.parquet": tmp_path / "rows.parquet", "README.md": b"none"}
    found = [secrets.scan_files(files, num_proc=count) for count in (1, 2, 3, 500)]
    places = tuple(f"rows.parquet, row {k}, column text" for k in (0, 11, 22))
    assert [(each[0].places, each[0].count) for each in found] == [(places, 3)] * 4
    killed_in_child(monkeypatch, secrets, "_in_table")
    with pytest.raises(HfcleanError, match="one of the 3 processes looking for keys was ended from outside"):
        secrets.scan_files(files, num_proc=3)
