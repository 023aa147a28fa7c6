"""What mkdocs does beyond its own: pages from files beside `docs/`, and links that lead out of the site.

A link to a file that is a page leads to that page; one to any other file of the repository becomes plain text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
PAGES = {"benchmarks/README.md": "benchmarks.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
SOURCES = {page: source for source, page in PAGES.items()}
BLOCK = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the files that are pages without lying in `docs/`."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with links that lead somewhere on the site, or to no place at all."""
    uri = page.file.src_uri
    folder = posixpath.dirname(SOURCES.get(uri, f"docs/{uri}"))

    def link(match: re.Match[str]) -> str:
        image, text, path, anchor = match.groups()
        target = posixpath.normpath(posixpath.join(folder, path))
        target = "docs/index.md" if target == "README.md" else f"docs/{PAGES[target]}" if target in PAGES else target
        if target.startswith("docs/") and (ROOT / target).is_dir():
            raise PluginError(f"{uri}: {path} is a folder; link to a page in it")
        if target.startswith("docs/"):
            here = posixpath.relpath(target.removeprefix("docs/"), posixpath.dirname(uri) or ".")
            return f"{image}[{text}]({here}{anchor or ''})"
        return text

    parts = BLOCK.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)
