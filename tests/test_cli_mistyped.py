"""What is mistyped on the command line: commands, options, paths, columns, licenses. Each is one line with the remedy,
in the words of the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import hfclean
from hfclean.cards.licences import doubt_about
from hfclean.cli import main, parser
from hfclean.errors import FolderError, SchemaError, SourceError
from hfclean.schema import detect
from hfclean.source import load, missing


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": "Name a fruit.", "reply": "An apple.</s>"}) + "\n")
    return tmp_path


@pytest.fixture
def never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("the Hub was asked")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", fail)
    monkeypatch.setattr("datasets.load_dataset_builder", fail)


def said(capsys: Any, *words: str) -> tuple[int, str]:
    """The exit code of a command line that fails, and the one line that it says."""
    try:
        code = main(words)
    except SystemExit as e:
        code = int(str(e.code))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return code, err.strip()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["claen", "rows.jsonl"], "hfclean: no command 'claen' (did you mean 'clean'?); see hfclean --help"),
        (["xyzzy"], "hfclean: no command 'xyzzy'; see hfclean --help"),
        (
            ["clean", "rows.jsonl", "--colums", "messages"],
            "hfclean clean: unrecognized arguments: --colums messages (did you mean '--columns'?); see --help",
        ),
        (["clean", "rows.jsonl", "--xyzzy"], "hfclean clean: unrecognized arguments: --xyzzy; see --help"),
        (["clean"], "hfclean clean: the following arguments are required: IN; see --help"),
    ],
)
def test_a_mistyped_command_or_option_is_one_line_with_what_was_meant(
    words: list[str], line: str, capsys: Any
) -> None:
    assert said(capsys, *words) == (2, line)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["clean", "", "--out", "made"], "clean: "),
        (["clean", "rows.jsonl", "", "--out", "made"], "clean: "),
        (["clean", "rows.jsonl", "--out", ""], "clean: --out: "),
        (["dedupe", "", "part-2"], "dedupe: "),
        (["dedupe", "rows.jsonl", "--out", ""], "dedupe: --out: "),
        (["merge", "", "part-2", "--out", "made"], "merge: "),
        (["merge", "part-1", "part-2", "--out", ""], "merge: --out: "),
        (["diff", "", "rows.jsonl"], "diff: "),
        (["diff", "rows.jsonl", ""], "diff: "),
        (["cache", "merge", ""], "cache: "),
        (["card", ""], "card: "),
        (["undo", ""], "undo: "),
        (["generate", "", "--model", "t", "-n", "1", "--out", "made"], "generate: "),
    ],
)
def test_an_empty_name_is_not_the_current_folder(
    words: list[str], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = "an empty name; expected a file or a folder ('.' is the current one)"
    assert said(capsys, *words) == (2, f"hfclean {named}{expected}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "name", "taken"),
    [
        (["cache", "merge", "--store", "all", "a", "b"], "files", ["a", "b"]),
        (["cache", "merge", "a", "--store", "all", "b"], "files", ["a", "b"]),
        (["cache", "merge", "a", "b", "--store", "all"], "files", ["a", "b"]),
        (["cache", "--store", "all", "merge", "a"], "files", ["a"]),
        (["apply", "made", "--out", "rows.jsonl", "mine.jsonl"], "verdicts", ["mine.jsonl"]),
        (["forget", "made", "--yes", "0123", "4567"], "rows", ["0123", "4567"]),
    ],
)
def test_a_list_of_names_may_stand_behind_options(words: list[str], name: str, taken: list[str]) -> None:
    assert vars(parser([words[0]]).parse_args(words))[name] == taken


def test_an_empty_name_is_not_the_current_folder_in_python() -> None:
    with pytest.raises(SourceError, match="the name of a file is empty"):
        hfclean.clean("", show=False)
    for read in (hfclean.engines.merge, hfclean.engines.near_duplicates):
        with pytest.raises(FolderError, match="the name of a part is empty"):
            read(["part-1", ""])


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("rowz.jsonl", "rows.jsonl"),
        ("rows.jsnol", "rows.jsonl"),
        ("./rows", "rows.jsonl"),
        ("data/2024/rowz", "data/2024/rows"),
        ("dta/2024/rows", "data"),
        ("data/2023", "data/2024"),
    ],
)
@pytest.mark.usefixtures("never_asked")
def test_what_looks_like_a_path_is_refused_at_once_with_what_is_near(name: str, near: str, work: Path) -> None:
    (work / "data" / "2024" / "rows").mkdir(parents=True)
    with pytest.raises(SourceError, match=rf"no file or folder .*\(did you mean '{near}'\?\)"):
        load(name, cache_dir=work)


@pytest.mark.usefixtures("never_asked")
def test_a_path_with_nothing_near_names_nothing(work: Path) -> None:
    with pytest.raises(SourceError, match=r"no file or folder '\./xyzzy'; expected"):
        load("./xyzzy", cache_dir=work)
    with pytest.raises(SourceError, match=r"no file 'row\.jsonl' \(did you mean 'rows\.jsonl'\?\); expected"):
        load(["rows.jsonl", "row.jsonl"], cache_dir=work)


@pytest.mark.parametrize("name", ["someone/alpaca", "someone/model-2.1", "row", "squad"])
def test_the_hub_is_asked_once_for_an_id_of_which_nothing_is_here(
    name: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    near = r" .*\(did you mean 'rows\.jsonl'\?\)" if name == "row" else ""

    def fail(_: Any, repo_id: str, **__: Any) -> None:
        asked.append(repo_id)
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", fail)
    monkeypatch.setattr("datasets.load_dataset_builder", lambda *_: pytest.fail("asked again"))
    with pytest.raises(SourceError, match=f"cannot be reached for '{name}'{near}"):
        load(name, cache_dir=work)
    assert asked == [name]


def test_what_was_loaded_before_is_read_where_the_hub_is_out_of_reach(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", fail)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", work / "cache")
    with pytest.raises(SourceError, match="cannot be reached"):
        missing.ask_for("someone/AlpacaCleaned")
    (work / "cache" / "someone___alpaca_cleaned").mkdir(parents=True)
    missing.ask_for("someone/AlpacaCleaned")


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            "instruction=qestion,response=reply",
            "--columns names 'qestion', but the columns are ['question', 'reply'] (did you mean 'question'?)",
        ),
        ("instuction=question,response=reply", "--columns names the unknown role 'instuction' (did you mean 'instr"),
        ("alpca", "--columns alpca is not a known shape (did you mean 'alpaca'?); expected one of"),
        (
            "alpaca",
            "--columns alpaca was asked for, but the columns are ['question', 'reply']; name them instead: ",
        ),
        ("history=question", "--columns history=question is not enough; expected"),
        (None, "Name yours: --columns instruction=question,response=..."),
    ],
)
def test_columns_are_told_in_the_words_of_the_command_line(
    columns: str | None, line: str, work: Path, capsys: Any
) -> None:
    options = ["--columns", columns] if columns else []
    code, text = said(capsys, "score", "rows.jsonl", "--quiet", *options)
    assert (code, line in text, "columns=" in text, "ds." in text) == (1, True, False, False)


def test_in_python_the_same_is_told_in_python() -> None:
    with pytest.raises(SchemaError, match=r"columns=\{'instruction': 'question', 'response': '\.\.\.'\}.*ds\.rename"):
        detect(["question", "reply"])


@pytest.mark.parametrize(
    ("license", "near"),
    [("Apache 2.0", "apache-2.0"), ("cc-by-4", "cc-by-4.0"), ("cc_by_nc_4.0", "cc-by-nc-4.0"), ("acme house", "")],
)
def test_a_license_that_the_hub_does_not_know_is_doubted(license: str, near: str) -> None:
    hint = f" (did you mean {near!r}?)" if near else ""
    assert doubt_about(license) == (
        f"the license {license!r} is not an id of the Hub{hint}: the card says 'other' and the name"
    )


def test_a_license_that_the_hub_knows_is_not_doubted_and_an_unknown_one_is_a_note(work: Path, capsys: Any) -> None:
    assert [doubt_about(name) for name in ("mit", "CC-BY-NC-4.0 ", "llama3.1", "other", "")] == [""] * 5
    row = {"instruction": "Name a fruit.", "output": "An apple."}
    (work / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert main(["clean", "rows.jsonl", "--out", "cleaned", "--quiet", "--license", "apache2"]) == 0
    assert (
        "note: the license 'apache2' is not an id of the Hub (did you mean 'apache-2.0'?)" in capsys.readouterr().err
    )
    assert "license_name: apache2" in (work / "cleaned" / "README.md").read_text()
