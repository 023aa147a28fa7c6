"""The pages say what is there: links, names, calls, commands, paths, papers."""

from __future__ import annotations

import ast
import doctest
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from test_docs import wrong_calls
from test_layers import ROOMS

from hfclean.cli import parser

ROOT = Path(__file__).parent.parent
LOOSE = ("README.md", "CONTRIBUTING.md", "AGENTS.md", "SECURITY.md")
PAGES = sorted([*(ROOT / name for name in LOOSE), *(ROOT / "docs").rglob("*.md")])
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAME = re.compile(r"(?<![\w.@/-])hfclean((?:\.[A-Za-z_]\w*)+)")
INNER = re.compile(r"(?<!`)`([a-z_]+(?:\.[A-Za-z_]\w*)+)(?:\([^`]*\))?`(?!`)")
BLOCK = re.compile(r"^```(\w*) ?([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ARXIV = re.compile(r"(?<![\w.])\d{4}\.\d{5}(?![\w.]*\d)")
FILES = (".html", ".json", ".md", ".py")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks_of(text: str) -> list[tuple[str, str, str]]:
    """The blocks of code of a page: language, what else is said in the first line, code. What is said marks a block
    that the tests cannot run, and why: ```python title="Needs a model"."""
    return BLOCK.findall(text)


def prose_of(text: str) -> str:
    """A page without its blocks of code."""
    return BLOCK.sub("", text)


def anchors_of(text: str) -> set[str]:
    """What a link can name after `#`, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> list[str]:
    broken = []
    for target in LINK.findall(prose_of(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors_of(text_of(place))):
            broken.append(target)
    return broken


def exists(dotted: str) -> bool:
    """Whether a dotted name means something: a module, or attributes of one (which may have the name of a module)."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value: Any = import_module(".".join(parts[:count]))
            for name in parts[count:]:
                value = getattr(value, name)
        except (ImportError, AttributeError):
            continue
        return True
    return False


def wrong_names(text: str, *, rooms: bool = True) -> list[str]:
    """Names of hfclean that are not there: `hfclean.x`, and with `rooms` also `room.module.x` in code spans."""
    named = {f"hfclean{tail}" for tail in NAME.findall(text) if not f"hfclean{tail}".endswith(FILES)}
    spans = {span for span in INNER.findall(prose_of(text)) if rooms and span.split(".")[0] in ROOMS}
    named |= {f"hfclean.{span}" for span in spans if not span.endswith(FILES)}
    return sorted(name for name in named if not exists(name))


def wrong_blocks(text: str) -> list[str]:
    """Blocks of Python that are not Python."""
    wrong = []
    for language, _, code in blocks_of(text):
        if language != "python":
            continue
        try:
            examples = doctest.DocTestParser().get_examples(code)
            ast.parse("".join(example.source for example in examples) if examples else code)
        except (SyntaxError, ValueError) as e:
            wrong.append(f"{e}: {code[:80]}")
    return wrong


def wrong_commands(text: str) -> list[str]:
    """Command lines of hfclean, in blocks and code spans, with a verb or an option that is not there."""
    verbs = next(a for a in parser()._actions if hasattr(a, "choices") and a.choices).choices
    spans = re.findall(r"(?<!`)`(hfclean [a-z][^`\n]*)`(?!`)", prose_of(text))
    blocks = [code for language, _, code in blocks_of(text) if language == "sh"]
    lines = [line for code in blocks for line in code.splitlines() if line.startswith("hfclean ")]
    wrong = []
    for command in [*lines, *spans]:
        _, verb, *rest = command.split("#")[0].split()
        if verb not in verbs:
            wrong.append(command)
            continue
        takes = verbs["clean" if verb == "run" else verb]  # what is run takes the options of its command
        options = {option for action in takes._actions for option in action.option_strings}
        if not {word for word in rest if re.fullmatch(r"--[a-z-]+", word)} <= options:
            wrong.append(command)
    return wrong


def tree_of(text: str) -> dict[str, str]:
    """The paths of a tree of files with what is said of each; two blanks of indentation are a folder."""
    (block,) = [code for language, _, code in blocks_of(text) if language == "text" and code.startswith("hfclean/")]
    paths: dict[str, str] = {}
    above: list[str] = []
    for line in block.splitlines():
        match = re.fullmatch(r"((?:  )*)(\S+?)(/?)(?:  +(\S.*))?", line)
        assert match, line
        depth = len(match[1]) // 2
        above[depth:] = [match[2]]
        paths["/".join(above) + match[3]] = match[4] or ""
    return paths


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page, text_of(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_names_exist(page: Path) -> None:
    # in pages for users, what looks like a room is a variable
    assert wrong_names(text_of(page), rooms=page.name != "README.md") == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_examples_are_python_and_their_calls_fit(page: Path) -> None:
    text = text_of(page)
    assert wrong_blocks(text) == []
    assert wrong_calls(text) == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_exist(page: Path) -> None:
    assert wrong_commands(text_of(page)) == []


@pytest.mark.parametrize(
    ("find", "text"),
    [
        (lambda text: broken_links(ROOT / "AGENTS.md", text), "[x](docs/no_such_page.md)"),
        (lambda text: broken_links(ROOT / "AGENTS.md", text), "[x](docs/architecture.md#no-such-heading)"),
        (wrong_names, "see hfclean.no_such_name"),
        (wrong_names, "see `rules.guard.no_such_name(pair)`"),
        (wrong_blocks, "```python\nds = ds.map(\n```\n"),
        (wrong_blocks, "```python\n>>> ds.map(]\n1\n```\n"),
        (wrong_commands, "`hfclean polish IN`"),
        (wrong_commands, "```sh\nhfclean clean IN --no-such-option\n```\n"),
    ],
)
def test_what_is_not_there_is_found(find: Any, text: str) -> None:
    assert len(find(text)) == 1


def test_what_is_there_is_not_found_wanting() -> None:
    text = (
        "[a](docs/shapes.md#truths) `rules.guard.allowed` `provenance.Step` hfclean.json `hfclean.Pair` "
        "`hfclean rules` jo@hfclean.dev https://example.org/hfclean.org `README.md` `folder.check_target(out)`\n"
        '```python\nhfclean.keep("rating", at_least=0.5)\n```\n'
    )
    page = ROOT / "AGENTS.md"
    assert (broken_links(page, text), wrong_names(text), wrong_blocks(text), wrong_commands(text)) == ([], [], [], [])


def test_the_tree_shows_every_room_and_nothing_that_is_gone() -> None:
    tree = tree_of(text_of(ROOT / "AGENTS.md"))
    assert [path for path in tree if not (ROOT / path).exists()] == []
    assert [path for path in tree if (ROOT / path).is_dir() != path.endswith("/")] == []
    rooms = [path.split("/")[1].removesuffix(".py") for path in tree if re.fullmatch(r"hfclean/[^/]+/?", path)]
    assert [room for room in rooms if not room.startswith("__")] == ROOMS
    assert [path for path, words in tree.items() if path != "hfclean/" and not 4 <= len(words.split()) <= 12] == []


def test_a_tree_is_read_as_it_is_drawn() -> None:
    drawn = "```text\nhfclean/\n  rules/      what rules are\n    pii.py    a family\n  text.py     strings\n```\n"
    assert tree_of(drawn) == {
        "hfclean/": "",
        "hfclean/rules/": "what rules are",
        "hfclean/rules/pii.py": "a family",
        "hfclean/text.py": "strings",
    }


def test_tests_that_are_named_for_a_room_exist() -> None:
    named = set(re.findall(r"tests/[\w*]+\.py", text_of(ROOT / "AGENTS.md")))
    assert len(named) > 40
    assert [pattern for pattern in sorted(named) if not list(ROOT.glob(pattern))] == []


def test_every_paper_that_the_code_names_is_explained() -> None:
    explained = set(ARXIV.findall(text_of(ROOT / "docs" / "papers.md")))
    named = {
        number
        for file in (ROOT / "hfclean").rglob("*.py")
        for line in text_of(file).splitlines()
        if "arxiv" in line.lower()
        for number in ARXIV.findall(line)
    }
    assert len(named) > 15
    assert named - explained == set()


def test_the_glossary_has_one_line_for_each_word_in_order() -> None:
    entries = [line for line in text_of(ROOT / "docs" / "glossary.md").splitlines() if line and line[0] not in "#O"]
    words = [re.match(r"\* \*\*([^*]+)\*\*: \S", line) for line in entries]
    assert [line for line, match in zip(entries, words, strict=True) if match is None] == []
    names = [match[1] for match in words if match]
    assert names == sorted(set(names), key=str.lower)
    assert {"pair", "target", "slot", "step", "edit", "check", "rule", "gate", "work", "spec", "source"} <= set(names)


def test_decisions_are_numbered_and_have_their_parts() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [file.name[:5] for file in files] == [f"{n:04}-" for n in range(1, len(files) + 1)]
    for file in files:
        text = text_of(file)
        assert text.startswith(f"# {file.name[:4]}: "), file.name
        parts = re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", text, re.MULTILINE)
        wanted = {"Context", "Decision", "What follows", "What was weighed"}
        assert wanted <= set(parts), (file.name, parts)
        assert len(text.split()) < 700, file.name
