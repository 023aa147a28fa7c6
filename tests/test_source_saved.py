"""Folders of `save_to_disk`, which are only read, and names that come with data, which are checked."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict, load_dataset, load_from_disk
from keys_made import KEYS

import hfclean
from hfclean.accessor import Accessor
from hfclean.cli import main
from hfclean.conversion import preference_pairs
from hfclean.errors import FolderError, SourceError
from hfclean.folder import read_folder
from hfclean.hub.secrets import masked_rows
from hfclean.outside_names import is_split, split_names
from hfclean.source import load
from hfclean.testing_models import ScriptedBackend

TOKEN = KEYS["hf_token"]
ROWS = [{"instruction": f"Name fruit {n}.", "output": f"Apple {n}.</s>"} for n in range(5)]
MODEL = ScriptedBackend(lambda conversation: "[Response]\nAn apple.\n[End]")


def state_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and folder below, with what tells whether it was touched."""
    return {
        str(item.relative_to(folder)): (
            item.stat().st_mtime_ns,
            item.stat().st_mode,
            item.read_bytes() if item.is_file() else b"",
        )
        for item in [folder, *folder.rglob("*")]
    }


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    DatasetDict({"train": Dataset.from_list(ROWS), "test": Dataset.from_list(ROWS[:2])}).save_to_disk(
        str(tmp_path / "saved")
    )
    return tmp_path / "saved"


@pytest.fixture
def locked(saved: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same where nothing can be written, for root as well."""
    folders = [saved, *(item for item in saved.rglob("*") if item.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    usual = os.access

    def access(path: Any, mode: int, **how: Any) -> bool:
        return not (mode & os.W_OK and Path(path).is_relative_to(saved)) and usual(path, mode, **how)

    monkeypatch.setattr(os, "access", access)
    yield saved
    for folder in folders:
        folder.chmod(0o755)


# ------------------------------------------------------------------------------------------------------- only read


@pytest.mark.parametrize(
    "command",
    [
        ["score", "SAVED"],
        ["clean", "SAVED", "--out", "out", "--quiet"],
        ["pii", "SAVED"],
        ["pii", "SAVED", "--mask", "--out", "out", "--quiet"],
        ["convert", "SAVED", "--to", "messages", "--out", "out.jsonl"],
        ["dedupe", "SAVED", "--out", "out.jsonl"],
        ["diff", "SAVED", "SAVED"],
    ],
    ids=lambda command: " ".join(command[:1] + command[2:3]),
)
def test_commands_write_nothing_into_a_folder_of_save_to_disk(
    command: list[str],
    locked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = state_of(locked)
    assert main([str(locked) if word == "SAVED" else word for word in command]) == 0, capsys.readouterr().err
    assert state_of(locked) == before


def test_rows_read_through_links_are_those_of_the_folder(saved: Path, tmp_path: Path) -> None:
    source = load(saved, cache_dir=tmp_path / "cache")
    assert {split: part.to_list() for split, part in source.dataset.items()} == {"train": ROWS, "test": ROWS[:2]}
    again = load(saved, cache_dir=tmp_path / "cache")
    assert source.fingerprint == again.fingerprint
    files = [file["filename"] for part in source.dataset.values() for file in part.cache_files]
    assert all(Path(file).is_relative_to(tmp_path / "cache") for file in files)


@pytest.mark.parametrize("lacking", [("symlink",), ("symlink", "link")])
def test_a_system_without_links_gets_copies(
    lacking: tuple[str, ...], saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no such thing here")

    for name in lacking:
        monkeypatch.setattr(os, name, refuse)
    source = load(saved, cache_dir=tmp_path / "cache")
    assert source.dataset["test"].to_list() == ROWS[:2]
    assert not any(item.is_symlink() for item in (tmp_path / "cache").rglob("*"))


@pytest.mark.parametrize(
    "use",
    [
        lambda ds: hfclean.clean(ds, show=False).dataset,
        lambda ds: hfclean.clean(ds, reviser=hfclean.Reviser(MODEL, store=False), show=False).dataset,
        lambda ds: Accessor(ds).score(),
        lambda ds: Accessor(ds).revise(),
    ],
    ids=["clean", "a model", "score", "revise"],
)
def test_a_dataset_of_a_folder_that_may_only_be_read_goes_through_the_python_api(
    use: Callable[[Any], Any], locked: Path
) -> None:
    before = state_of(locked)
    assert len(use(load_from_disk(str(locked / "train")))) == len(ROWS)
    assert state_of(locked) == before


def test_originals_come_back_from_a_folder_that_may_only_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hfclean.clean(Dataset.from_list(ROWS), show=False).dataset.save_to_disk(str(tmp_path / "cleaned"))
    usual = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **how: mode != os.W_OK | os.X_OK and usual(path, mode, **how))
    before = state_of(tmp_path / "cleaned")
    assert hfclean.restore(load_from_disk(str(tmp_path / "cleaned")))["output"] == [row["output"] for row in ROWS]
    assert state_of(tmp_path / "cleaned") == before


@pytest.mark.parametrize("selected", [False, True])
def test_calls_in_python_write_nothing_into_a_folder_of_save_to_disk(selected: bool, tmp_path: Path) -> None:
    rows = [{**row, "n": k} for k, row in enumerate([*ROWS, ROWS[0]])]
    Dataset.from_list(rows).save_to_disk(str(tmp_path / "raw"))
    Dataset.from_list([{"output": TOKEN, "n": 1}]).save_to_disk(str(tmp_path / "secret"))
    hfclean.clean(Dataset.from_list(rows)).dataset.save_to_disk(str(tmp_path / "revised"))
    before = state_of(tmp_path)
    raw, revised = load_from_disk(str(tmp_path / "raw")), load_from_disk(str(tmp_path / "revised"))
    secret = load_from_disk(str(tmp_path / "secret"))
    if selected:
        raw, revised = raw.select([5, 3, 1]), revised.select([5, 3, 1])
    cleaned = hfclean.clean(DatasetDict({"a": raw, "b": raw})).dataset
    assert cleaned["b"]["output"][:] == [f"Apple {n}." for n in ([0, 3, 1] if selected else [0, 1, 2, 3, 4, 0])]
    assert hfclean.clean(raw, num_proc=2, drop_duplicates=True).dataset.num_rows == (3 if selected else 5)
    assert hfclean.restore(revised).to_list() == raw.to_list()
    assert hfclean.compare(raw, revised).rows_changed == len(raw)
    assert preference_pairs(revised)[0]["rejected"] == raw[0]["output"]
    assert hfclean.convert(revised, "messages").num_rows == len(raw)
    assert len(raw.select(hfclean.dedupe(raw))) == (3 if selected else 5)
    accessor = Accessor(revised)
    assert accessor.keep("response_words", at_least=2).num_rows == len(raw)
    assert Accessor(Accessor(raw).revise()).score()["output"][:] == cleaned["a"]["output"][:]
    assert masked_rows(secret)["output"][0] == "[hf_token removed]"
    assert state_of(tmp_path) == before


@pytest.mark.parametrize("kind", ["generated", "file", "saved"])
def test_a_cache_goes_on_being_used(kind: str, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    source = {"file": tmp_path / "rows.jsonl", "saved": saved}.get(kind)
    tmp_path = tmp_path / "cache"
    if source is None:
        rows = Dataset.from_generator(lambda: iter(ROWS), cache_dir=str(tmp_path))
    else:
        rows = load(source, cache_dir=tmp_path).dataset["train"]
    first, second = hfclean.clean(rows).dataset, hfclean.clean(rows).dataset
    files = [file["filename"] for file in first.cache_files]
    assert files == [file["filename"] for file in second.cache_files]
    assert files
    assert all(Path(file).is_relative_to(tmp_path) for file in files)


def test_a_saved_dataset_whose_files_are_gone_is_still_read(saved: Path) -> None:
    rows = load_from_disk(str(saved / "train"))
    shutil.rmtree(saved)
    assert hfclean.clean(rows).dataset["output"][:] == [f"Apple {n}." for n in range(5)]


# ---------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("validation-matched", "validation_matched"),
        ("tr ain", "tr_ain"),
        ("train[:1]", "train_1"),
        ("a..b", "a.b"),
        ("train\n", "train"),
        ("ALL", "ALL_rows"),
        ("prüfung", "prüfung"),
        ("train.extra", "train.extra"),
    ],
)
def test_a_name_that_datasets_refuses_is_spelled_anew_and_said(name: str, spelled: str) -> None:
    names, notes = split_names([name, "dev"], "here")
    assert names == {name: spelled, "dev": "dev"}
    assert is_split(spelled)
    expected = [] if name == spelled else [f"the split {name!r} is read as {spelled!r}"]
    assert [note.partition(":")[0] for note in notes if ":" in note] == [note.partition(":")[0] for note in expected]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../../victim/x", "a path"),
        ("/etc", "a path"),
        ("a\\b", "a path"),
        ("..", "a path"),
        ("nul\0", "a path"),
        ("", "expected at most"),
        ("---", "expected at most"),
        ("x" * 101, "expected at most"),
        ("ü" * 51, "expected at most"),
        (7, "as text"),
        (None, "as text"),
    ],
)
def test_a_name_that_leads_elsewhere_or_says_nothing_is_refused(name: object, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        split_names(["train", name], "here")


def test_two_names_that_become_one_are_refused() -> None:
    with pytest.raises(SourceError, match="'tr-ain' and 'tr ain' would both become 'tr_ain'"):
        split_names(["tr-ain", "tr ain"], "here")


def record(folder: Path, told: Any) -> None:
    (folder / "dataset_dict.json").write_text(told if isinstance(told, str) else json.dumps(told))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"splits": ["train", "../../../victim/x"]}, "is a path"),
        ({"splits": "train"}, "expected an object with a list of splits"),
        ({"splits": []}, "expected an object with a list of splits"),
        ({"parts": ["train"]}, "expected an object with a list of splits"),
        (["train"], "expected an object"),
        ("{", "is damaged"),
        ({"splits": ["train", "other"]}, "there is no such folder"),
    ],
)
def test_a_record_of_splits_of_another_form_is_refused_in_words(
    told: Any, words: str, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(saved, told)
    assert main(["clean", str(saved), "--out", str(tmp_path / "out"), "--quiet"]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == ["saved"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"_data_files": [{"filename": "../test/data-00000-of-00001.arrow"}]}, "is not a file in that folder"),
        ({"_data_files": [{"filename": "gone.arrow"}]}, "is not a file in that folder"),
        ({"_data_files": 3}, "names no files"),
        ({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}, "cannot be read"),
        ([], "expected an object"),
    ],
)
def test_a_damaged_state_is_refused_in_words(state: Any, words: str, saved: Path, tmp_path: Path) -> None:
    (saved / "train" / "state.json").write_text(json.dumps(state))
    with pytest.raises(SourceError, match=words):
        load(saved, cache_dir=tmp_path / "cache")


def test_splits_that_load_dataset_would_refuse_give_a_folder_that_it_reads(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (saved / "test").rename(saved / "validation-matched")
    record(saved, {"splits": ["train", "validation-matched"]})
    assert main(["clean", str(saved), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert "the split 'validation-matched' is read as 'validation_matched'" in capsys.readouterr().err
    again = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(part) for split, part in again.items()} == {"train": 5, "validation_matched": 2}
    notes = json.loads((tmp_path / "out" / "hfclean.json").read_text())["source"]["notes"]
    assert any("validation_matched" in note for note in notes)


def test_an_object_of_splits_has_its_names_checked(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(
        json.dumps({"train": ROWS, "test-easy": ROWS[:1], "all": ROWS[:2], "tr ain": ROWS[:3]})
    )
    source = load(tmp_path / "rows.json", cache_dir=tmp_path / "cache")
    assert {split: len(part) for split, part in source.dataset.items()} == {
        "train": 5,
        "test_easy": 1,
        "all_rows": 2,
        "tr_ain": 3,
    }
    assert len([note for note in source.notes if "is read as" in note]) == 3
    (tmp_path / "rows.json").write_text(json.dumps({"train": ROWS, "../../victim/x": ROWS}))
    with pytest.raises(SourceError, match="victim"):
        load(tmp_path / "rows.json", cache_dir=tmp_path / "cache")


def test_a_folder_whose_card_names_a_split_that_is_a_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    (tmp_path / "data" / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: ../../x\n    path: rows.jsonl\n---\n"
    )
    with pytest.raises(SourceError, match="the folder 'data' cannot be read as a dataset"):
        load(tmp_path / "data", cache_dir=tmp_path / "cache")
    assert sorted(item.name for item in tmp_path.iterdir() if item.name != "cache") == ["data"]


@pytest.mark.parametrize("file", ["README.md", ".huggingface.yaml"])
@pytest.mark.parametrize("path", ["http://{}/rows.jsonl", "zip://*.jsonl::http://{}/rows.zip"])
def test_a_folder_whose_card_has_its_rows_on_a_server_asks_no_server(tmp_path: Path, file: str, path: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = path.format(f"127.0.0.1:{server.getsockname()[1]}")
        card = f"configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {address!r}\n"
        (tmp_path / "data" / file).write_text(f"---\n{card}---\n" if file == "README.md" else card)
        with pytest.raises(SourceError, match="nothing is fetched or read because a file says so"):
            load(tmp_path / "data", cache_dir=tmp_path / "cache")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
def cleaned(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    return tmp_path / "out"


@pytest.mark.parametrize("name", ["../../../victim/x", "tr ain", "..", "/etc/x"])
def test_a_record_of_hfclean_with_a_split_that_is_a_path_is_refused_by_undo(
    name: str, cleaned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = json.loads((cleaned / "hfclean.json").read_text())
    about["source"]["rows"][name] = 5
    (cleaned / "hfclean.json").write_text(json.dumps(about))
    before = state_of(cleaned)
    assert main(["undo", str(cleaned)]) == 1
    assert "is not the name of a split" in capsys.readouterr().err
    assert state_of(cleaned) == before


@pytest.mark.parametrize(
    "change",
    [
        {"source": None},
        {"source": {"rows": ["train"]}},
        {"stated": []},
        {"transforms": {}},
        {"transforms": ["x"]},
        {"prefix": 3},
        {"columns": 3},
    ],
)
def test_a_record_of_hfclean_of_another_form_is_refused_in_words(
    change: dict[str, Any], cleaned: Path, tmp_path: Path
) -> None:
    about = json.loads((cleaned / "hfclean.json").read_text())
    (cleaned / "hfclean.json").write_text(json.dumps(about | change))
    with pytest.raises(FolderError, match="is not as hfclean writes it"):
        read_folder(cleaned, cache_dir=tmp_path / "cache")


def test_a_removed_part_of_an_odd_name_is_not_lost_without_a_word(cleaned: Path, tmp_path: Path) -> None:
    Dataset.from_list(ROWS).to_parquet(str(cleaned / "removed" / "tr ain.parquet"))
    with pytest.raises(FolderError, match="tr ain"):
        read_folder(cleaned, cache_dir=tmp_path / "cache")


# ------------------------------------------------------------------------------------------- never written into


@pytest.mark.parametrize("place", ["saved/in", "saved/train/in", "saved/new/in", "link/in", "other/../saved/in"])
@pytest.mark.parametrize(
    "command",
    [
        ["clean", "SAVED", "--out", "OUT"],
        ["score", "SAVED", "--out", "OUT"],
        ["revise", "SAVED", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--out", "OUT", "--overwrite"],
        ["convert", "SAVED", "--to", "messages", "--out", "OUT.jsonl"],
        ["dedupe", "SAVED", "--out", "OUT.jsonl"],
        ["dedupe", "SAVED", "--report", "OUT.json"],
        ["decontaminate", "rows.jsonl", "--against", "SAVED", "--out", "OUT.jsonl"],
        ["train", "SAVED", "--base", "m", "--out", "OUT"],
        [
            "ab",
            "--variant",
            "a=SAVED",
            "--variant",
            "b=rows.jsonl",
            "--eval",
            "rows.jsonl",
            "--base",
            "m",
            "--out",
            "OUT",
        ],
    ],
    ids=lambda command: " ".join([command[0], *(word for word in command if word in ("--report", "--against"))]),
)
def test_nothing_is_written_into_a_folder_that_is_read(
    command: list[str],
    place: str,
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    Path("link").symlink_to(saved)
    Path("other").mkdir()
    before = state_of(tmp_path)
    assert main([word.replace("SAVED", "saved").replace("OUT", place) for word in command]) == 1
    error = capsys.readouterr().err
    assert "would lie in the folder 'saved', which is only read; choose a place outside of it" in error
    assert len(error.splitlines()) == 1
    assert state_of(tmp_path) == before


def test_nothing_is_written_into_a_cleaned_folder_by_what_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Dataset.from_list(ROWS).to_parquet(tmp_path / "rows.parquet")
    cleaned = str(tmp_path / "cleaned")
    assert main(["clean", str(tmp_path / "rows.parquet"), "--out", cleaned, "--quiet"]) == 0
    before = state_of(tmp_path)
    for command in (
        ["undo", cleaned, "--out", f"{cleaned}/in"],
        ["revise", cleaned, "--retry-failed", "--out", f"{cleaned}/data/in"],
        ["push", cleaned, "me/x", "--dry-run", "--out", f"{cleaned}/in"],
    ):
        capsys.readouterr()
        assert main(command) == 1
        assert "would lie in the folder 'cleaned', which is only read" in capsys.readouterr().err
    assert state_of(tmp_path) == before
    assert main(["card", cleaned, "--out", f"{cleaned}/CARD.md"]) == 0  # which is where a card belongs
