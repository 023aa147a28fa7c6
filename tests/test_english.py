"""What users and contributors read avoids phrases that no native engineer would write, or that say something else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
# literal translations, verbs left out, "so many" for a number, "by chance" for "at random", fillers
ODD = re.compile(
    r"(?<!\bthere )\b(?:is|are|was|were) no (?!longer\b|better\b|other\b|more\b|less\b)\w+|\bcannot be[;:]|\bwanted\b"
    r"|\bso many\b|\bby chance\b|\bthere already\b|\bthat is there\b",
    re.IGNORECASE,
)
ALLOWED = (  # words of prompts: part of the key of every answer that was ever kept
    "leaves no doubt about what is wanted and can be done",
    "Length is no merit.",
)


def test_odd_phrases_stay_out_of_messages_docstrings_and_docs() -> None:
    texts = {path: [path.read_text("utf-8")] for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))}
    for path in (ROOT / "hfclean").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        texts[path] = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = []
    for path, parts in texts.items():
        for text in (" ".join(part.split()) for part in parts):
            for phrase in ALLOWED:
                text = text.replace(phrase, "")
            found += [
                f"{path.relative_to(ROOT)}: ...{text[max(0, m.start() - 40) : m.end() + 20]}"
                for m in ODD.finditer(text)
            ]
    assert not found, "\n".join(found)
