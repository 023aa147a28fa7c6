"""What a terminal gets: colors where it has them, more or less of what is done, completion of its shell."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from extras import needs

from hfclean.cli import main
from hfclean.cli.terminal import ANSI, PLAIN, before_after, colors_of, head, using

ROW = {"instruction": "Name a fruit.", "input": "", "output": "An apple.</s>"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def rows(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HFCLEAN_HOME", str(work / "home"))
    (work / "rows.jsonl").write_text(json.dumps(ROW))
    return work


@pytest.mark.parametrize(
    ("stream", "environment", "colored"),
    [
        (Terminal(), {}, True),
        (io.StringIO(), {}, False),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colors_are_for_terminals_that_want_them(
    stream: io.StringIO, environment: dict[str, str], colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colors_of(stream) == (ANSI if colored else PLAIN)


def test_colors_end_with_the_line_and_add_nothing_else() -> None:
    plain = before_after("a\nb", "a\nc")
    with using(ANSI):
        text = before_after("a\nb", "a\nc")
        assert head("x") == "\x1b[1mx\x1b[0m"
    for code in ANSI:
        text = text.replace(code, "")
    assert text == plain
    assert head("x") == "x"


def test_row_text_steers_no_terminal_and_json_has_no_color(
    rows: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    Path("rows.jsonl").write_text(json.dumps({**ROW, "output": "\x1b[2Jgone </s>"}))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["head", "rows.jsonl", "-q"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("\x1b[1mtrain:0")
    assert {part.partition("m")[0] for part in out.split("\x1b[")[1:]} == {"1", "0"}
    assert main(["head", "rows.jsonl", "-q", "--json"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_verbose_says_what_is_done_and_where_an_error_came_from(rows: Path, capsys: Any) -> None:
    assert main(["head", "rows.jsonl", "-q", "-v"]) == 0
    assert "info: read rows.jsonl (file): 1 in train rows" in capsys.readouterr().err
    Path("rows.jsonl").write_text('{"instruction": ')
    assert main(["head", "rows.jsonl", "-q"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["head", "rows.jsonl", "-q", "--verbose"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("debug: where this came from:\nTraceback")
    assert "SourceError" in err


def test_the_library_leaves_logging_to_who_uses_it() -> None:
    log = logging.getLogger("hfclean")
    assert [type(each) for each in log.handlers] == [logging.NullHandler]
    assert log.level == logging.NOTSET


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["head", "IN", "--side", "chosn"],
            "hfclean head: argument --side: invalid choice: 'chosn' (did you mean 'chosen'?); expected chosen or "
            "rejected or both; see --help",
        ),
        (
            ["dedupe", "IN", "--method", "x"],
            "hfclean dedupe: argument --method: invalid choice: 'x'; expected exact or near or semantic; see --help",
        ),
        (
            ["cache", "staats"],
            "hfclean cache: argument action: invalid choice: 'staats' (did you mean 'stats'?); expected stats or "
            "export or merge or clear; see --help",
        ),
    ],
)
def test_a_mistyped_choice_is_named_with_the_near_one(words: list[str], line: str, capsys: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert capsys.readouterr().err.splitlines()[-1] == line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(shell: str, capsys: Any) -> None:
    needs("completion", "shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("clean", "decontaminate", "fail-on", "print-recipe"):
        assert word in script


def test_completion_names_the_extra(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    assert capsys.readouterr().err == (
        "hfclean completion: shtab is not installed, and this needs it: pip install 'hfclean[completion]'\n"
    )
