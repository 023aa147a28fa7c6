"""The pages do what they say: blocks of code run or are marked, what is made is up to date, the site builds."""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from extras import needs
from test_docs_pages import ROOT, blocks_of, text_of

import hfclean
from hfclean.cli import main

USERS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
EXTERNAL = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^\s\"'>]+", re.IGNORECASE
)


def module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_blocks(text: str, module: ModuleType) -> int:
    """Run the blocks of a page that are not marked, one after the other in one module; returns their number."""
    count = 0
    for language, mark, code in blocks_of(text):
        if mark or language not in ("python", "sh"):
            continue
        count += 1
        if language == "sh":
            for line in code.splitlines():
                program, *words = shlex.split(line, comments=True)
                assert program == "hfclean", f"{line}: mark the block with a title, since the tests cannot run it"
                assert main(words) == 0, line
        elif doctest.DocTestParser().get_examples(code):
            test = doctest.DocTestParser().get_doctest(code, {}, module.__name__, None, 0)
            test.globs = module.__dict__
            assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0
        else:
            exec(compile(code, module.__name__, "exec"), module.__dict__)
    return count


@pytest.mark.parametrize("page", USERS, ids=lambda page: page.name)
def test_every_block_runs_or_is_marked(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    module = ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    text = text_of(page)
    can_run = [code for language, mark, code in blocks_of(text) if language in ("python", "sh") and not mark]
    assert run_blocks(text, module) == len(can_run)


@pytest.mark.parametrize(
    "block",
    [
        "```python\nassert 1 == 2\n```\n",
        "```python\n>>> 1\n2\n\n```\n",
        "```python\na = 1\n```\n```python\n>>> a\n2\n\n```\n",
        "```sh\npip install .\n```\n",
    ],
)
def test_a_block_that_does_not_run_is_seen(block: str) -> None:
    with pytest.raises(AssertionError):
        run_blocks(block, ModuleType("page"))


def test_a_marked_block_is_left_alone() -> None:
    assert run_blocks('```python title="Needs a model"\n1 / 0\n```\n```text\nx y\n```\n', ModuleType("page")) == 0


def test_the_pages_hold_examples_that_run() -> None:
    runs = [block for page in USERS for block in blocks_of(text_of(page)) if block[0] == "python" and not block[1]]
    assert len(runs) > 30


def test_what_is_made_from_the_package_is_up_to_date() -> None:
    render = module_of(ROOT / "docs" / "render.py")
    pages = sorted((ROOT / "docs").rglob("*.md"))
    old = [page.name for page in pages if render.render(text_of(page)) != text_of(page)]
    assert old == [], "out of date: run `python docs/render.py`"
    made = {name for page in pages for _, name, _ in render.PART.findall(text_of(page))}
    assert made == set(render.PARTS)


def test_text_in_a_made_table_is_no_markup() -> None:
    render = module_of(ROOT / "docs" / "render.py")
    assert render.prose("a|b <i> *c* [d](e) `f` snake_case _g_") == (
        r"a\|b &lt;i> \*c\* \[d\](e) \`f\` snake_case \_g\_"
    )
    assert render.code("<b>|\x1b é") == "<code>&#60;b&#62;&#124;&#92;u001b é</code>"


def test_links_out_of_the_site_become_text() -> None:
    needs("docs", "mkdocs")
    hooks = module_of(ROOT / "docs" / "hooks.py")

    class Page:
        class file:
            src_uri = "decisions/0001-no-pipeline.md"

    text = (
        "[a](../hub.md#x) [b](../../benchmarks/README.md) [c](../../hub_scripts) [d](https://e.org) ![f](../g.png)\n"
    )
    block = "```text\n[a](../../hub_scripts)\n```\n"
    assert hooks.on_page_markdown(text + block, Page) == (
        "[a](../hub.md#x) [b](../benchmarks.md) c [d](https://e.org) ![f](../g.png)\n" + block
    )
    with pytest.raises(Exception, match="is a folder; link to a page in it"):
        hooks.on_page_markdown("[a](../decisions)", Page)


def test_the_site_builds_and_asks_nothing_of_any_network(tmp_path: Path) -> None:
    needs("docs", "mkdocs", "mkdocstrings")
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    assert [(page.name, found) for page in pages for found in EXTERNAL.findall(text_of(page))] == []
    assert "hfclean.dedupe" in text_of(site / "api.html")


def test_the_readme_is_a_first_screen_and_begins_with_the_two_commands() -> None:
    text = text_of(ROOT / "README.md")
    assert len(text.splitlines()) <= 150
    (language, _, code), *_ = blocks_of(text)
    install, test = (line.split("#")[0].strip() for line in code.splitlines())
    assert language == "sh"
    assert install == "pip install . && hfclean clean examples/messy.jsonl --out cleaned"
    assert test == 'pip install -c constraints.txt ".[test]" && pytest -n auto'


def test_the_citation_names_this_version() -> None:
    assert f"version: {hfclean.__version__}\n" in text_of(ROOT / "CITATION.cff")
