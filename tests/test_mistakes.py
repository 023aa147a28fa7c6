"""Mistakes that people make on the command line: each ends with its exit code and one line that says what was found
and what to do about it, in words of the command line; nothing is written."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hfclean.cli import main
from hfclean.models import process
from hfclean.scorers.language import _identifier

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
ANSWER = "It is the fruit number {}, which grows on trees in the warm lands of the south and is eaten raw.</s>"
ROWS = [{"instruction": f"Name fruit {k}.", "input": "", "output": ANSWER.format(k)} for k in range(4)]
# arguments and calls of Python, which nobody who reads the terminal can type
PYTHON = re.compile(
    r"\b(?:columns|prefix|side|turns|base_url|api_key_env|instructions|criteria)=(?!\w+=)|hfclean\.\w+\("
)


class Mistake(NamedTuple):
    """A command line, its exit code, and words that its one line has, in order."""

    line: str
    code: int
    said: tuple[str, ...]


M = Mistake
SERVER = "--model m --base-url http://127.0.0.1:{port}/v1"
MISTAKES = {
    # names of files
    "a typo in a file": M(
        "clean rowz.jsonl --out o", 1, ("no file or folder 'rowz.jsonl'", "did you mean 'rows.jsonl'?")
    ),
    "a folder without data": M("score empty", 1, ("the folder 'empty' holds no files with rows", "expected a .jsonl")),
    "a file of another kind": M("clean notes.docx --out o", 1, ("notes.docx", "expected one of .jsonl")),
    "a pattern without files": M("score nothing/*.jsonl", 1, ("no file 'nothing/*.jsonl'", "expected a .jsonl")),
    "a folder among files": M("score rows.jsonl some", 1, ("'some' is a folder", "give it alone")),
    "an empty file": M("score empty.jsonl", 1, ("empty.jsonl", "is empty", "at least one row")),
    "a broken line": M("score broken.jsonl", 1, ("broken.jsonl", "line 2")),
    "not in UTF-8": M("score latin.jsonl", 1, ("latin.jsonl", "UTF-8")),
    "JSON under the name of parquet": M("score fake.parquet", 1, ("fake.parquet", "parquet")),
    "nothing on the standard input": M("score -", 1, ("standard input",)),
    # columns
    "columns of no known shape": M("clean odd.jsonl --out o", 1, ("foo", "--columns")),
    "a column that is not there": M(
        "clean rows.jsonl --out o --columns instruction=instructoin,response=output",
        1,
        ("instructoin", "did you mean 'instruction'?"),
    ),
    "a role that is not there": M(
        "score rows.jsonl --columns instrution=instruction,response=output",
        1,
        ("instrution", "did you mean 'instruction'?"),
    ),
    "a map of columns without roles": M("score rows.jsonl --columns instruction=", 2, ("--columns", "ROLE=COLUMN")),
    "a split that is not there": M("score rows.jsonl --split tset", 1, ("no split 'tset'", "it has train")),
    "a column to sort by": M("head rows.jsonl --worst ratng", 2, ("--worst ratng", "did you mean 'rating'?")),
    "a score to choose by": M(
        "select rows.jsonl -n 2 --method top --by qualty", 1, ("--by 'qualty'", "hfclean score IN --out DIR")
    ),
    # options
    "a typo in an option": M("clean rows.jsonl --ot o", 2, ("--ot", "did you mean '--out'?")),
    "a typo in a command": M("scroe rows.jsonl", 2, ("no command 'scroe'", "did you mean 'score'?")),
    "a typo in a choice": M("score rows.jsonl --side chosn", 2, ("--side", "did you mean 'chosen'?")),
    "a rule that is not there": M(
        "clean rows.jsonl --out o --skip whitspace", 2, ("whitspace", "did you mean 'whitespace'?")
    ),
    "a verifier that is not there": M(
        "verify rows.jsonl --only wrong_sums", 2, ("wrong_sums", "did you mean 'wrong_sum'?")
    ),
    "a scorer that is not there": M("score rows.jsonl --with Judg(model='x')", 2, ("--with", "did you mean 'Judge'?")),
    "code that is not there": M(
        "clean rows.jsonl --out o --with nomodule:rule", 2, ("--with 'nomodule:rule'", "No module named")
    ),
    "a defect that is not there": M(
        "score rows.jsonl --fail-on defect=whitspace", 2, ("--fail-on", "did you mean 'whitespace'?")
    ),
    "no row wanted": M("head rows.jsonl -n 0", 2, ("-n 0", "at least 1")),
    "scores that are not there, before a model reads the rows": M(
        "select rows.jsonl -n 2 --by qualty", 1, ("no column 'qualty'", "hfclean score IN --out DIR")
    ),
    "a rule as a condition": M("score rows.jsonl --fail-on mojibake", 2, ("did you mean 'defect=mojibake'?",)),
    "a rule like no other": M(
        "clean rows.jsonl --out o --only nonsense", 2, ("unknown rule 'nonsense'; there are", "hfclean rules lists")
    ),
    "no row selected": M("select rows.jsonl -n 0 --method top --by n", 2, ("-n 0", "at least 1")),
    "a word for a number": M("clean rows.jsonl --out o --max-tokens many", 2, ("--max-tokens", "'many'")),
    "a threshold above 1": M("dedupe rows.jsonl --threshold 70", 1, ("--threshold 70", "above 0, at most 1")),
    "no output": M("clean rows.jsonl", 2, ("--out DIR is missing",)),
    "two of which one excludes the other": M(
        "clean rows.jsonl --out o --only whitespace --skip chat_markers", 2, ("--skip", "not allowed with", "--only")
    ),
    "options of a model without one": M("clean rows.jsonl --out o --trust low", 2, ("--trust without --model",)),
    # outputs
    "an output that exists": M("clean rows.jsonl --out some", 1, ("'some' already exists", "--overwrite")),
    "an output of somebody else": M(
        "clean rows.jsonl --out some --overwrite", 1, ("'some' was not written by hfclean",)
    ),
    "an output that is a file": M("clean rows.jsonl --out rows.jsonl --overwrite", 1, ("rows.jsonl",)),
    "an output that is the input": M(
        "clean cleaned --out cleaned --overwrite", 1, ("cleaned", "choose another folder")
    ),
    "an output of another kind": M(
        "convert rows.jsonl --to messages --out rows.xlsx", 2, ("rows.xlsx", ".jsonl, .parquet, .csv")
    ),
    # models
    "no model": M("revise rows.jsonl --out o", 2, ("--model is missing",)),
    "a server that is down": M(
        f"revise rows.jsonl --out o -q --limit retries=0 {SERVER}",
        1,
        ("127.0.0.1", "failed", "check --base-url and that the server runs"),
    ),
    "a key that is not set": M(
        f"revise rows.jsonl --out o --api-key-env NO_SUCH_KEY {SERVER}",
        1,
        ("NO_SUCH_KEY is empty", "export NO_SUCH_KEY="),
    ),
    "a key instead of its name": M(
        f"revise rows.jsonl --out o --api-key-env sk-canary-1 {SERVER}", 2, ("--api-key-env", "give its name")
    ),
    "a price without its unit": M(
        f"revise rows.jsonl --out o --max-cost 1 {SERVER}", 2, ("--max-cost needs prices", "--prices")
    ),
    "a setting that is not there": M(
        f"revise rows.jsonl --out o --model-option temprature=1 {SERVER}",
        2,
        ("temprature", "did you mean 'temperature'?"),
    ),
    "a prompt that is not there": M(
        f"revise rows.jsonl --out o --instructions mine.txt {SERVER}", 2, ("--instructions 'mine.txt'", "No such file")
    ),
    "an extra that is missing": M(
        "score rows.jsonl --with Language()", 1, ("py3langid is not installed", "pip install 'hfclean[language]'")
    ),
    # folders
    "a folder that hfclean did not write": M("why some 0", 1, ("'some'", "hfclean clean IN --out DIR")),
    "a row that is not there": M("why cleaned 99", 1, ("no row 99: train has 4 rows",)),
    "a rule to undo that is not there": M(
        "undo cleaned --rule whitspace", 2, ("whitspace", "did you mean 'whitespace'?")
    ),
    "a repo without a name": M("push cleaned alpaca-cleaned", 1, ("alpaca-cleaned", "NAMESPACE/NAME")),
    "a recipe with a typo": M("run recipe.toml", 2, ("recipe.toml", "did you mean 'license'?")),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the mistakes are about."""
    folder = tmp_path_factory.mktemp("mistakes")
    text = "\n".join(map(json.dumps, ROWS))
    (folder / "rows.jsonl").write_text(text)
    (folder / "empty").mkdir()
    (folder / "some").mkdir()
    (folder / "some" / "rows.jsonl").write_text(text)
    (folder / "notes.docx").write_text("PK")
    (folder / "empty.jsonl").write_text("")
    (folder / "broken.jsonl").write_text(json.dumps(ROWS[0]) + '\n{"instruction": "x", \n')
    (folder / "latin.jsonl").write_bytes('{"instruction": "Wörter", "output": "x"}\n'.encode("latin-1"))
    (folder / "fake.parquet").write_text(text)
    (folder / "odd.jsonl").write_text(json.dumps({"foo": "a", "bar": "b"}))
    (folder / "recipe.toml").write_text("command = 'clean'\nin = 'rows.jsonl'\nlicence = 'mit'\n")
    assert main(["clean", str(folder / "rows.jsonl"), "--out", str(folder / "cleaned"), "-q"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _there(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(place)
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield
    process.close()


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_with_the_remedy(
    name: str, place: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, code, said = MISTAKES[name]
    if "extra" in name:
        monkeypatch.setitem(sys.modules, "py3langid.langid", None)
        _identifier.cache_clear()  # another test may have loaded it
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        words = line.format(port=free.getsockname()[1]).split()
    before = sorted(place.iterdir())
    capsys.readouterr()
    try:
        found = main(words)
    except SystemExit as e:
        found = int(str(e.code))
    out, err = capsys.readouterr()
    told = [each for each in err.splitlines() if not each.startswith("note: ")]
    print(f"\n{name}\n  $ {' '.join(words)}\n  {found}: {err}")
    assert (found, out, len(told)) == (code, "", 1), err
    for word in said:
        assert word in told[0], told[0]
    assert "Traceback" not in err
    assert not PYTHON.search(told[0]), told[0]
    assert len(told[0]) < 700
    assert sorted(place.iterdir()) == before
