"""What goes wrong on the way to the Hub: nothing half, and every error says what to do."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict, Features, Value
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.hub import (
    HubAccessError,
    HubRefusal,
    HubUnreachable,
    Patience,
    Pushed,
    RepoError,
    pull_dataset,
)

ROWS = [
    {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"},
    {"instruction": "Name a colour.", "input": "", "output": "Red."},
]
QUICK = Patience(sleep=lambda seconds: None)


@pytest.fixture(scope="module")
def ds() -> Dataset:
    return Dataset.from_list(ROWS).map(hfclean.revise).map(hfclean.score)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `hfclean clean` wrote: its files need not be made anew for every push."""
    from hfclean.cli import main

    place = tmp_path_factory.mktemp("cleaned")
    (place / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    assert main(["clean", str(place / "rows.jsonl"), "--out", str(place / "out"), "--quiet"]) == 0
    return place / "out"


def push(ds: Any, repo_id: str = "me/x", patience: Patience = QUICK, **how: Any) -> Pushed:
    done = hfclean.push_dataset(ds, repo_id, patience=patience, **how)
    assert isinstance(done, Pushed)
    return done


# ---------------------------------------------------------------------------------------------------------- the sweep


@pytest.mark.parametrize(
    "faults", [[{"reset": True}], [{"status": 503}, {"status": 500}], [{"reset": True, "applied": True}]]
)
def test_whichever_request_fails_for_good_the_repo_is_old_or_new(
    fake_hub: FakeHub, folder: Path, faults: list[dict[str, Any]]
) -> None:
    old = {"README.md": "# Old\n", "notes.txt": "theirs"}
    fake_hub.add_repo("me/count", "dataset", files=old)
    start = fake_hub.mark()
    push(folder, "me/count")
    requests = len(fake_hub.since(start))
    new = fake_hub.repo("me/count", "dataset").files
    once = Patience(tries=1, sleep=lambda seconds: None)
    for n in range(1, requests + 1):
        repo = fake_hub.add_repo(f"me/x{n}", "dataset", files=old)
        before = dict(repo.files)
        fake_hub.fail(nth=n, times=None, **faults[n % len(faults)])
        with suppress(HubUnreachable):  # an answer that was not needed may be the one that failed
            push(folder, f"me/x{n}", patience=once)
        fake_hub.mend()
        wanted = {name: data.replace(b"me/count", f"me/x{n}".encode()) for name, data in new.items()}
        assert repo.files in (before, wanted), n
        push(folder, f"me/x{n}")
        assert repo.files == wanted, n
        assert len(repo.commits) == 3, n


def test_a_reviser_is_pushed_whole_or_not_at_all(fake_hub: FakeHub, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_text(f'{{"is": "{name}"}}')
    reviser = hfclean.Reviser(str(tmp_path))
    how: dict[str, Any] = {"base_model": "org/base", "license": "mit", "patience": QUICK}
    old = {"README.md": "# Old\n", "adapter_config.json": "{}", "hfclean.json": "{}", "notes.txt": "theirs"}
    fake_hub.add_repo("org/base")
    fake_hub.add_repo("me/count", files=old)
    start = fake_hub.mark()
    hfclean.push_reviser(reviser, "me/count", **how)
    requests = len(fake_hub.since(start))
    new = fake_hub.repo("me/count").files
    assert "adapter_config.json" not in new
    weights, states = tmp_path / "model.safetensors", []
    for n in range(1, requests + 1):
        weights.write_text(f"weights {n}")  # others than those that are there: they have to be sent
        repo = fake_hub.add_repo(f"me/x{n}", files=old)
        before = dict(repo.files)
        fake_hub.fail(nth=n, times=None, **({"status": 503} if n % 2 else {"reset": True, "applied": True}))
        with suppress(HubUnreachable):
            hfclean.push_reviser(reviser, f"me/x{n}", **{**how, "patience": Patience(tries=1)})
        fake_hub.mend()
        wanted = {name: data.replace(b"me/count", f"me/x{n}".encode()) for name, data in new.items()}
        wanted["model.safetensors"] = weights.read_bytes()
        states.append(repo.files == wanted)
        assert repo.files in (before, wanted), n
        hfclean.push_reviser(reviser, f"me/x{n}", **how)
        assert repo.files == wanted, n
        assert len(repo.commits) == 3, n
    assert states.count(True) <= 1


@pytest.mark.parametrize(
    "faults", [[{"reset": True}], [{"status": 503}, {"status": 429}], [{"reset": True, "applied": True}]]
)
def test_a_failure_that_passes_is_waited_for(fake_hub: FakeHub, folder: Path, faults: list[dict[str, Any]]) -> None:
    push(folder, "me/count")
    for n in range(1, len(fake_hub.log) + 1):
        fake_hub.fail(nth=n, **faults[n % len(faults)])
        push(folder, f"me/x{n}")
        fake_hub.mend()
        assert len(fake_hub.repo(f"me/x{n}", "dataset").commits) == 2, n


@pytest.mark.parametrize(
    ("headers", "status", "slept"),
    [({"Retry-After": "7"}, 429, [7.0]), ({}, 500, [1.0]), ({}, 412, [0.25]), ({}, 409, [0.25])],
)
def test_how_long_is_waited(
    fake_hub: FakeHub, ds: Dataset, headers: dict[str, str], status: int, slept: list[float]
) -> None:
    waits: list[float] = []
    fake_hub.fail("POST", "/commit/", status=status, headers=headers)
    push(ds, patience=Patience(sleep=waits.append))
    assert waits == slept


def test_a_server_that_asks_for_an_hour_ends_the_push(fake_hub: FakeHub, ds: Dataset) -> None:
    fake_hub.fail("POST", "/commit/", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(HubUnreachable, match=r"too many requests.*Wait and run the same again"):
        push(ds)


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("repo_id", "better"),
    [
        ("x", "me/alpaca-cleaned"),
        ("a/b/c", "me/alpaca"),
        ("https://huggingface.co/datasets/me/x", "'me/x'"),
        ("", "me/"),
    ],
)
def test_an_id_that_is_none(fake_hub: FakeHub, ds: Dataset, repo_id: str, better: str) -> None:
    with pytest.raises(RepoError, match=f"not a repo id.*{better}"):
        push(ds, repo_id)
    assert fake_hub.log == []


def test_no_token_a_token_that_is_not_valid_any_more_and_one_that_may_not_write(
    fake_hub: FakeHub, ds: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HubAccessError, match=r"may not do that.*role 'write'"):
        push(ds, "me/x", token="hf_test_read")
    with pytest.raises(HubAccessError, match="write access to 'you'"):
        push(ds, "you/x")
    fake_hub.add_token("hf_soon_gone")
    fake_hub.expire("hf_soon_gone")
    with pytest.raises(HubAccessError, match=r"no longer valid.*settings/tokens") as e:
        push(ds, "me/x", token="hf_soon_gone")
    assert "hf_soon_gone" not in str(e.value)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubAccessError, match=r"no token is set.*hf auth login"):
        push(ds, "me/x")
    assert fake_hub.repos == {}


def test_gated_private_and_missing_repos(fake_hub: FakeHub, ds: Dataset) -> None:
    push(ds, "me/x")
    fake_hub.repo("me/x", "dataset").gated = "manual"
    with pytest.raises(HubAccessError, match=r"is gated.*accept its terms"):
        hfclean.load_cleaned("me/x", token="hf_test_other")
    push(ds, "me/hidden", private=True)
    with pytest.raises(RepoError, match="there is none, or it is private"):
        hfclean.load_cleaned("me/hidden", token="hf_test_other")
    with pytest.raises(RepoError, match="there is none"):
        hfclean.load_cleaned("me/nothing")
    with pytest.raises(RepoError, match=r"no such revision|is not there"):
        hfclean.load_cleaned("me/x", revision="v9")
    fake_hub.add_repo("me/coach", "model")
    with pytest.raises(RepoError, match=r"is a model.*Reviser\.from_pretrained"):
        hfclean.load_cleaned("me/coach")
    fake_hub.add_repo("me/plain", "dataset")
    with pytest.raises(RepoError, match="hfclean pushed nothing there"):
        hfclean.load_cleaned("me/plain")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (413, "Payload Too Large", "too large for the Hub.*Push fewer or smaller files"),
        (402, "Payment required", "no room left.*settings/billing"),
        (422, "Unprocessable", "the Hub refuses it.*Fix that and push again"),
    ],
)
def test_what_the_hub_does_not_take(fake_hub: FakeHub, folder: Path, status: int, body: str, words: str) -> None:
    fake_hub.fail("POST", "/commit/", status=status, body=body, times=None)
    with pytest.raises(HubRefusal, match=words):
        push(folder)
    assert len(fake_hub.repo("me/x", "dataset").commits) == 1


@pytest.mark.parametrize(
    ("limit", "most", "words"),
    [
        ("LARGEST_FILE", 1000, r"report\.html has [\d,]+ bytes, and the Hub takes 1,000"),
        ("LARGEST_CARD", 1000, r"README\.md has [\d,]+ bytes; expected a card of at most 1,000"),
        ("MOST_IN_FOLDER", 2, "the folder plots would hold [0-9]+ files, and the Hub takes 2"),
    ],
)
def test_what_is_too_large_is_not_sent(
    fake_hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, words: str
) -> None:
    monkeypatch.setattr(f"hfclean.hub.push_plan.{limit}", most)
    with pytest.raises(HubRefusal, match=words):
        push(folder)
    assert fake_hub.requests("POST", "/commit/") == []


def test_columns_that_are_called_like_ours(fake_hub: FakeHub) -> None:
    rows = [{**ROWS[0], "row_id": 7, "edit": "mine", "original": "a painting", "edit_history": "1999"}]
    with pytest.raises(hfclean.HfcleanError, match=r"row_id|edit"):
        push(Dataset.from_list(rows).map(hfclean.revise))
    push(Dataset.from_list(rows).map(hfclean.RuleReviser(prefix="hc_")), prefix="hc_")
    back, report = hfclean.load_cleaned("me/x")
    assert (back["train"]["row_id"][0], back["train"]["edit"][0], report.rows_changed) == (7, "mine", 1)
    assert hfclean.restore(back, prefix="hc_")["train"].to_list() == rows
    for k, gone in enumerate(([], ["edit_history"], ["original"])):  # nothing of ours in them
        plain = Dataset.from_list(rows).remove_columns(gone)
        push(plain, f"me/y{k}")
        assert hfclean.load_cleaned(f"me/y{k}")[0]["train"].to_list() == plain.to_list()


def test_no_room_left_and_offline_mode(fake_hub: FakeHub, ds: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub.storage_limit = 10
    with pytest.raises(HubRefusal, match="no room left"):
        push(ds)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    import huggingface_hub

    huggingface_hub.close_session()
    with pytest.raises(HubUnreachable, match=r"offline mode is on.*HF_HUB_OFFLINE"):
        push(ds)
    with pytest.raises(HubUnreachable, match="offline mode is on"):
        hfclean.load_cleaned("me/x")


def test_no_hub_at_all(ds: Dataset) -> None:
    with pytest.raises(HubUnreachable, match=r"no connection to the Hub.*HF_ENDPOINT"):
        push(ds, token="hf_x")


# ------------------------------------------------------------------------------------------------------------ bad data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DatasetDict({"train-a": Dataset.from_list(ROWS)}), "split 'train-a' cannot be.*'train_a'"),
        (Dataset.from_list(ROWS).select([]), "holds no rows"),
        (
            DatasetDict({"a": Dataset.from_list(ROWS), "b": Dataset.from_list(ROWS).remove_columns("input")}),
            r"differ in \['input'\]",
        ),
        (
            Dataset.from_dict({"output": ["a"], "s": [{}]}, features=Features({"output": Value("string"), "s": {}})),
            "column 's'.*parquet cannot hold",
        ),
        (Dataset.from_list(ROWS).to_iterable_dataset(), "IterableDataset; expected a Dataset"),
        (["rows"], "list; expected a Dataset"),
    ],
)
def test_data_that_cannot_be_pushed(fake_hub: FakeHub, data: Any, words: str) -> None:
    with pytest.raises(HubRefusal, match=words):
        push(data)
    assert fake_hub.log == []


def test_a_report_of_other_data_is_refused(fake_hub: FakeHub, ds: Dataset) -> None:
    report = hfclean.compare(Dataset.from_list(ROWS), ds)
    with pytest.raises(HubRefusal, match=r"the report describes .*2.* rows but the dataset has .*1"):
        push(ds.select([0]), report=report)


def test_a_folder_that_was_changed_is_refused(fake_hub: FakeHub, tmp_path: Path, ds: Dataset) -> None:
    push(ds)
    folder = pull_dataset("me/x", tmp_path / "out", patience=QUICK)
    ds.select([0]).to_parquet(str(next((folder / "data").iterdir())))
    with pytest.raises(HubRefusal, match="not as hfclean wrote it"):
        push(folder, "me/y")
    with pytest.raises(RepoError, match="not a cleaned folder"):
        push(tmp_path / "nothing", "me/y")


def test_a_folder_of_an_earlier_version_gets_its_hashes_when_it_is_pushed(
    fake_hub: FakeHub, folder: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copytree(folder, tmp_path / "out"))
    about = json.loads((old / "hfclean.json").read_text())
    files = about.pop("files")
    (old / "hfclean.json").write_text(json.dumps(about))
    (old / "mine.txt").write_text("not of hfclean")
    done = push(old)
    assert "record has no hashes" in done.notes[0]
    repo = fake_hub.repo("me/x", "dataset")
    assert json.loads(repo.text("hfclean.json"))["files"] == files
    assert set(repo.files) == {".gitattributes", "README.md", "hfclean.json", *files}
    assert len(hfclean.load_cleaned("me/x")[0]["train"]) == 2
    assert not push(old).changed
    assert "files" not in json.loads((old / "hfclean.json").read_text())
    shutil.rmtree(old / "data")
    with pytest.raises(RepoError, match=r"earlier version of hfclean and has no data.*hfclean clean IN --out DIR"):
        push(old)


# ----------------------------------------------------------------------------------------------------- hostile records


def record(**changes: Any) -> str:
    """The record of a real push, changed."""
    ds = Dataset.from_list(ROWS).map(hfclean.revise)
    report = hfclean.compare(Dataset.from_list(ROWS), ds)
    about: dict[str, Any] = {
        "format": 1,
        "source": {"name": "x", "kind": "file", "fingerprint": "", "rows": {"train": 2}},
        "stated": {"license": None, "language": None, "source": None},
        "transforms": [],
        "columns": None,
        "prefix": "",
        "files": {"data/train-00000-of-00001-0123abcd.parquet": "0" * 64},
        "report": report.to_dict(edits=False),
    }
    return json.dumps({**about, **changes})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "is not a record of hfclean"),
        ('{"reviser": "Reviser"}', "describes a reviser"),
        (record(format=2), "pip install --upgrade hfclean"),
        (record(files={"../../.bashrc": "0" * 64}), "which hfclean would not write"),
        (record(files={"/etc/passwd": "0" * 64}), "which hfclean would not write"),
        (record(files={"data/../../x-00000-of-00001-0123abcd.parquet": "0" * 64}), "which hfclean would not write"),
        (record(files={"data/x.pkl": "0" * 64}), "which hfclean would not write"),
        (record(files={"data/train-00000-of-00001-0123abcd.parquet": 1}), "which hfclean would not write"),
        (record(files={}), "names no data"),
        (record(files=[1]), "files is not an object"),
        (record(prefix={"a": 1}), "prefix is {'a': 1}"),
        (record(columns=3), "columns is 3"),
        (record(report={"format": "hfclean.report", "version": 1}), "no entry"),
        (record(report={"format": "hfclean.report", "version": 99}), "this hfclean reads 1"),
        (record(), "which its record names"),
    ],
)
def test_a_record_of_a_stranger_is_read_strictly(fake_hub: FakeHub, tmp_path: Path, text: str, words: str) -> None:
    fake_hub.add_repo("you/x", "dataset", files={"hfclean.json": text}, author="you")
    with pytest.raises(RepoError, match=words):
        hfclean.load_cleaned("you/x", patience=QUICK)
    with pytest.raises(RepoError, match=words):
        pull_dataset("you/x", tmp_path / "out", patience=QUICK)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_is_too_large_is_not_even_fetched(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub.add_repo("you/x", "dataset", files={"hfclean.json": record()}, author="you")
    monkeypatch.setattr("hfclean.hub.loading.LARGEST_RECORD", 100)
    with pytest.raises(HubRefusal, match="nothing of more than 100 is read"):
        hfclean.load_cleaned("you/x")
    assert fake_hub.requests(path="/resolve/") == []


def test_rows_that_are_not_those_that_were_pushed_are_refused(fake_hub: FakeHub, ds: Dataset, tmp_path: Path) -> None:
    done = push(ds)
    repo = fake_hub.repo("me/x", "dataset")
    name = next(path for path in done.files if path.startswith("data/"))
    ds.select([0]).to_parquet(str(tmp_path / "other.parquet"))
    repo.commit({name: (tmp_path / "other.parquet").read_bytes()})
    with pytest.raises(RepoError, match="SHA-256 differs"):
        hfclean.load_cleaned("me/x", patience=QUICK)


def test_a_push_over_a_hostile_record_takes_nothing_away(fake_hub: FakeHub, ds: Dataset) -> None:
    repo = fake_hub.add_repo(
        "me/x", "dataset", files={"hfclean.json": record(files={"keep.txt": "0" * 64}), "keep.txt": "theirs"}
    )
    done = push(ds)
    assert "cannot be read, so its files were left" in done.notes[0]
    assert repo.files["keep.txt"] == b"theirs"
