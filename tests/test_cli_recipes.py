"""Recipes: any command line as TOML and back, a folder as a recipe, and what no file may say."""

from __future__ import annotations

import argparse
import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfclean.cli import VERBS, _command, main
from hfclean.cli.reading import UsageError
from hfclean.cli.recipes import GUARDED, TYPED, command_line, recipe_text, words_of
from hfclean.cli.recorded import recipe_of_folder
from hfclean.cli.settings import SettingAction

command_of = cache(_command)
# any text that a shell can hand over
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
OWN = {
    "_processes": st.sampled_from(["auto", "1", "12"]),
    "positive": st.integers(1).map(str),
    "_concurrency": st.integers(0).map(str),
    "_shard": st.sampled_from(["1/1", "3/16"]),
    "share": st.sampled_from(["none", "0.5", "1e-9", "3"]),
    "_part": st.sampled_from(["0", "0.5", "1"]),
    "whole": st.integers(1).map(str),
    "_amount": st.sampled_from(["20", "0.5", "1.0"]),
    "_port": st.sampled_from(["0", "8000"]),
    "_count": st.sampled_from(["7", "0.1", "0.00001", "123456789.5"]),
}


@st.composite
def command_lines(draw: st.DrawFn, verb: str) -> list[str]:
    """A command line of a verb that its parser takes: what is required, and any of the others."""
    command = command_of(verb)
    exclusive = {action: group for group in command._mutually_exclusive_groups for action in group._group_actions}
    options, positional, used = [], [], set()
    for action in command._actions:
        if action.dest in ("help", "print_recipe", "verbose"):  # what is said on the way is no part of a recipe
            continue
        if action.option_strings and not action.required and not draw(st.booleans()):
            continue
        if (group := exclusive.get(action)) is not None:
            if id(group) in used:
                continue
            used.add(id(group))
        name = draw(st.sampled_from(action.option_strings)) if action.option_strings else ""
        if action.nargs == 0:
            options.append(name)
            continue
        repeats = isinstance(action, (argparse._AppendAction, SettingAction)) or action.nargs == "+"
        values = [draw(value_of(action)) for _ in range(draw(st.integers(1, 3)) if repeats else 1)]
        if not name:
            positional += values
        elif name.startswith("--"):
            options += [f"{name}={value}" for value in values]
        else:
            options += [f"{name}{value}" for value in values]
    return [*options, "--", *positional] if positional else options


def value_of(action: argparse.Action) -> st.SearchStrategy[str]:
    if action.choices:
        return st.sampled_from([str(each) for each in action.choices])
    kind = getattr(action.type, "__name__", "")
    if kind in OWN:
        return OWN[kind]
    if kind == "int":
        return st.integers().map(str)
    if kind == "float":
        return st.floats(allow_nan=False).map(repr)
    return WORDS.filter(lambda text: text not in ("help", "--"))


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "run"])
@settings(max_examples=25)
@given(data=st.data())
def test_a_command_line_and_its_recipe_are_parsed_to_the_same(verb: str, data: st.DataObject) -> None:
    command = command_of(verb)
    parsed = command.parse_args(data.draw(command_lines(verb)))
    text = recipe_text(parsed, command, verb)
    words = words_of("r.toml", tomllib.loads(text), [], command_of, strange=False)
    assert words[0] == verb
    assert command.parse_args(words[1:]) == parsed, text


@pytest.fixture
def rows(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HFCLEAN_HOME", str(work / "home"))
    lines = [json.dumps({"instruction": f"Name {k}.", "input": "", "output": f"It is  {k}.</s>"}) for k in range(3)]
    (work / "rows.jsonl").write_text("\n".join(lines))
    return work


def test_what_is_printed_is_run(rows: Path, capsys: Any) -> None:
    words = ["clean", "rows.jsonl", "--skip", "whitespace", "--out", "one", "--license", "mit", "--quiet"]
    assert main([*words, "--print-recipe"]) == 0
    text = capsys.readouterr().out
    assert text == (
        'command = "clean"\nin = "rows.jsonl"\nquiet = true\nout = "one"\nlicense = "mit"\nskip = ["whitespace"]\n'
    )
    assert not (rows / "one").exists()
    (rows / "r.toml").write_text(text)
    assert main(["run", "r.toml"]) == 0
    assert "note: hfclean clean --quiet --out=one" in capsys.readouterr().err
    assert main(["run", "r.toml", "--out", "two", "--skip=chat_markers"]) == 0
    done = [json.loads((rows / name / "hfclean.json").read_text()) for name in ("one", "two")]
    assert [each["transforms"][0]["settings"]["skip"] for each in done] == [["whitespace"], ["chat_markers"]]
    assert {each["stated"]["license"] for each in done} == {"mit"}
    # a folder is a recipe too, with the rows that it was made of
    assert main(["run", "one", "--out", "three", "--quiet"]) == 0
    about = json.loads((rows / "three" / "hfclean.json").read_text())
    assert {name: about[name] for name in ("transforms", "stated", "source")} == {
        name: done[0][name] for name in ("transforms", "stated", "source")
    }


def test_a_folder_says_what_was_done_to_its_rows(rows: Path) -> None:
    def folder(*steps: dict[str, Any], columns: Any = None, source: str = "rows.jsonl") -> Path:
        about = {
            "format": 1,
            "source": {"name": source, "kind": "file", "fingerprint": "", "rows": {"train": 3}},
            "transforms": list(steps),
            "columns": columns,
            "prefix": "h_",
            "stated": {"license": None, "language": None, "source": None},
        }
        (rows / "f").mkdir(exist_ok=True)
        (rows / "f" / "hfclean.json").write_text(json.dumps(about))
        return rows / "f"

    settings = {"model": "m", "base_url": "http://127.0.0.1:9/v1", "sides": ["response"], "max_new_tokens": 5}
    rules = {"by": "RuleReviser", "version": 2, "settings": {"only": ["whitespace"], "turns": "all"}}
    model = {"by": "Reflection", "version": 1, "settings": {**settings, "seed": None, "extra_body": {"a": True}}}
    scorer = {"by": "IFD", "version": 1, "settings": {"model": "gpt2", "prefix": "h_"}}
    score = {"by": "Score", "version": 5, "settings": {}}
    found = recipe_of_folder(folder(rules, model, score, scorer, columns={"instruction": "q", "response": "a"}))
    assert found == {
        "command": "clean",
        "in": "rows.jsonl",
        "turns": "all",
        "columns": "instruction=q,response=a",
        "prefix": "h_",
        "only": ["whitespace"],
        "method": "reflection",
        "model": "m",
        "base-url": "http://127.0.0.1:9/v1",
        "revise": "response",
        "model-option": ["max_new_tokens=5", "seed=none", 'extra_body={"a": true}'],
        "with": ["IFD(model='gpt2')"],
    }
    assert recipe_of_folder(folder(score), ["other.jsonl"]) == {"command": "score", "prefix": "h_"}
    for steps, more, said in (
        ([{**rules, "settings": {"extra": ["mine"]}}], ["--out"], "custom rules .mine., .* --with module:name"),
        ([{**model, "settings": {**settings, "criteria": "12ab"}}], [], "--criteria FILE"),
        ([{"by": "Mine", "version": 1, "settings": {}}], [], "'Mine', a custom scorer"),
        ([{**model, "settings": {**settings, "checks": ["x"]}}], [], r"custom code \(checks=\)"),
    ):
        with pytest.raises(UsageError, match=said):
            recipe_of_folder(folder(*steps), more)
    with pytest.raises(UsageError, match=r"made of 'gone.jsonl', .* hfclean run .* IN --out DIR"):
        recipe_of_folder(folder(source="gone.jsonl"))
    with pytest.raises(UsageError, match=r"--base-url=http://127.0.0.1:9/v1"):  # not written here
        command_line(str(folder(model)), ["--out", "x"], command_of, VERBS)


@pytest.mark.parametrize(
    ("line", "again"),
    [
        ('base-url = "http://evil/v1"', "--base-url=http://evil/v1"),
        ('api-key-env = "HF_TOKEN"', "--api-key-env=HF_TOKEN"),
        ('with = ["evil:rule"]', "--with=evil:rule"),
        ("overwrite = true", "--overwrite"),
        ('out = "../elsewhere"', "--out=../elsewhere"),
        ('out = "~/x"', "--out=~/x"),
        ('store = "/tmp/a.sqlite3"', "--store=/tmp/a.sqlite3"),
        ('instructions = "/etc/passwd"', "--instructions=/etc/passwd"),
        ("model-option = ['extra_body={\"a\": 1}']", "--model-option="),
    ],
)
def test_what_only_the_user_may_say_has_to_be_typed(line: str, again: str, work: Path) -> None:
    (work / "r.toml").write_text(f'command = "clean"\nin = "rows.jsonl"\n{line}\n')
    with pytest.raises(UsageError, match=r"say it again: hfclean run r\.toml ") as refused:
        command_line("r.toml", [], command_of, VERBS)
    assert again in str(refused.value)
    typed = {"--base-url": ["--base-url", "http://mine/v1"], "--overwrite": ["--overwrite"]}
    option = again.partition("=")[0]
    words = command_line("r.toml", typed.get(option, [f"{option}=x"]), command_of, VERBS)
    assert sum(word.partition("=")[0] == option for word in words) == 1
    assert words[-2:] == ["--", "rows.jsonl"]


@pytest.mark.parametrize("line", ['train-option = ["push_to_hub=true"]', "resume = true"])
def test_no_recipe_sets_what_a_trainer_publishes_or_goes_on_from(line: str, work: Path) -> None:
    (work / "r.toml").write_text(f'command = "train"\nin = "p.jsonl"\nbase = "m"\nout = "o"\n{line}\n')
    with pytest.raises(UsageError, match=f"say it again: .*--{line.partition(' ')[0]}"):
        command_line("r.toml", [], command_of, VERBS)


def test_every_option_that_names_a_server_or_code_is_guarded() -> None:
    for verb in VERBS:
        for action in command_of(verb)._actions:
            if action.metavar in ("URL", "PKG:NAME", "SCORER") or action.dest in ("api_key_env", "overwrite"):
                assert action.option_strings[0].removeprefix("--") in GUARDED, (verb, action.option_strings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "the recipe 'r.toml' cannot be read: No such file"),
        ("command = ", "not a recipe in TOML: Invalid value"),
        ("in = 'x'", "names no command.*--print-recipe writes a recipe"),
        ("command = 'claen'", "no command 'claen' .did you mean 'clean'"),
        ("command = 'clean'\nlicence = 'mit'", "no option 'licence' .did you mean 'license'"),
        ("command = 'clean'\nprint_recipe = true", "no option 'print_recipe'"),
        ("command = 'clean'\nquiet = 'yes'", "quiet is true or false, not text"),
        ("command = 'dedupe'\ncomplete = 1", "complete is true or false, not a number"),
        ("command = 'clean'\nlicense = ['a', 'b']", "license is one value, not a list"),
        ("command = 'clean'\nskip = []", "skip is an empty list; leave it out"),
        ("command = 'clean'\nskip = [[1]]", "skip is text or a number or a list of them, not a list"),
        ("command = 'clean'\nlicense = 2020-01-01", "license is text or a number, not a date"),
        ("command = 'clean'\n[in]\na = 1", "in is text or a number or a list of them, not a table"),
        ("command = 'clean'\nx = " + "[" * 5000, "not a recipe in TOML"),
        *((f"command = {verb!r}", f"does not say '{verb}'") for verb in TYPED),
    ],
)
def test_what_is_no_recipe_is_named(text: str | None, said: str, work: Path) -> None:
    if text is not None:
        (work / "r.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        command_line("r.toml", [], command_of, VERBS)


def test_errors_of_a_recipe_are_one_line(work: Path, capsys: Any) -> None:
    (work / "r.toml").write_text("command = 'score'\nin = 'a.jsonl'\nmax-tokens = 'x'\n")
    with pytest.raises(SystemExit, match="2"):
        main(["run", "r.toml"])
    assert capsys.readouterr().err.splitlines()[-1] == (
        "hfclean score: argument --max-tokens: invalid int value: 'x'; see --help"
    )
    assert main(["run", "r.toml", "b.jsonl"]) == 2
    assert capsys.readouterr().err == (
        "hfclean run: r.toml names 'a.jsonl' already, so 'b.jsonl' is too much; expected options after it\n"
    )
    (work / "d").mkdir()
    assert main(["run", "d"]) == 2
    assert "'d' is a folder without hfclean.json: expected a recipe" in capsys.readouterr().err
    assert main(["score", "a\udcff", "--print-recipe"]) == 2
    assert "is not Unicode, and TOML holds nothing else" in capsys.readouterr().err
