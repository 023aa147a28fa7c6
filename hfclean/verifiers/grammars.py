"""HTML, and languages whose grammar `tree-sitter-language-pack` has: a bracket or tag without its other half.

As in `parsers`, None also means that a program cannot tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any, cast

from hfclean.verifiers.parsers import ELISION, Fault

GAP = re.compile(r"<[a-z]+[ _-][a-z _-]+>|\{\{|\{%|\[(?:your|insert)\b|<your", re.IGNORECASE)

# ------------------------------------------------------------------------------------------ HTML

MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|textarea|pre|code)\b[^<>]*>.*?(?:</\1\s*>|\Z)|"
    r"<(/?)([a-z][a-z0-9]*)\b((?:[^<>\"']++|\"[^\"]{0,2000}+\"|'[^']{0,2000}+')*+|[^<>]*+)>",
    re.IGNORECASE | re.DOTALL,
)
# Elements that HTML closes nowhere by itself.
CLOSED = frozenset(
    word
    for words in (
        "html head body title div span a b i u strong em small h1 h2 h3 h4 h5 h6 ul ol dl table form button select",
        "label section article header footer nav main aside figure iframe video audio canvas svg blockquote fieldset",
    )
    for word in words.split()
)


WHOLE = frozenset(("html", "body"))


def html_fault(code: str) -> Fault | None:
    """An end tag without a start tag, or in a whole document a start tag without an end tag."""
    if ELISION.search(code) or GAP.search(code):
        return None
    opened: list[tuple[str, int]] = []
    for tag in MARKUP.finditer(code):
        name = (tag[3] or "").lower()
        if name not in CLOSED or tag[4].endswith("/"):
            continue
        if not tag[2]:
            opened.append((name, tag.start()))
        elif opened and opened[-1][0] == name:
            opened.pop()
        else:
            place = next((at for at in range(len(opened) - 2, -1, -1) if opened[at][0] == name), None)
            if place is None and name in WHOLE:
                return None  # the end of a page
            if place is None:
                return Fault(code.count("\n", 0, tag.start()), f"</{name}> closes nothing")
            left = opened[place + 1]
            return Fault(code.count("\n", 0, left[1]), f"<{left[0]}> is closed nowhere before </{name}>")
    if opened and re.match(r"\s*<(?:!doctype|html)\b", code, re.IGNORECASE):
        name, start = opened[-1]
        return Fault(code.count("\n", 0, start), f"<{name}> is closed nowhere")
    return None


# ------------------------------------------------------------------------------------------ other languages

LONGEST_CODE = 50_000
STEPS, STEP, CHUNK = 300, 20, 4096  # a parser calls back once for some 45 characters of a program
# How a fragment may stand where a whole program is read: before, after.
AROUND: dict[str, tuple[tuple[str, str], ...]] = {
    "javascript": (("async function* _() {", "\n}"), ("(", "\n)"), ("class _ {", "\n}")),
    "typescript": (("async function* _() {", "\n}"), ("(", "\n)"), ("class _ {", "\n}")),
    "tsx": (("async function* _() {", "\n}"), ("(", "\n)"), ("<>", "\n</>")),
    "java": (("class _ {", "\n}"), ("class _ { void _() {", "\n}}"), ("class _ { Object _ =", "\n;}")),
    "csharp": (("class _ {", "\n}"), ("class _ { void _() {", "\n}}"), ("class _ { object _ =", "\n;}")),
    "c": (("void _() {", "\n}"),),
    "cpp": (("void _() {", "\n}"), ("class _ {", "\n};")),
    "go": (("func _() {", "\n}"),),
    "rust": (("fn _() {", "\n}"), ("impl _ {", "\n}")),
    "php": (("<?php class _ {", "\n}"), ("<?php (", "\n);")),
    "css": (("_ {", "\n}"),),
}
BRACKETS_ALONE = frozenset(("c", "cpp", "css"))  # their grammars know no macros, and no hacks for old browsers
CONDITIONAL = re.compile(r"^\s*#\s*(?:if|define|else)", re.MULTILINE)
QUOTED = re.compile(
    r"'[^'\"\n]{0,80}[(){}\[\]][^'\"\n]{0,80}'|\"[^'\"\n]{0,80}[(){}\[\]][^'\"\n]{0,80}\""
)  # a bracket
CLOSERS = {")": "(", "]": "[", "}": "{"}
OPENERS = {"(": "(", "[": "[", "{": "{", "${": "{", "#{": "{", "#[": "[", "$(": "(", "$((": "((", "((": "(("}
# The rest of a statement, a chain or a list whose beginning is not shown.
HALF = re.compile(
    r"\s*(?:(?:\}\s*)?(?:else|elif|elsif|catch|finally|case|default|when|rescue|ensure|end|endif|fi|done)\b|[)\],=|&?]|"
    r"\.\w+\(|\"\w+\"\s*:|@(?:page|model|inject|using)\b|\[(?:package|dependencies|dev-dependencies|features)\]\s)"
)
# Syntax that was proposed, and is read by some tools: `import ... assert {}`, and pipes.
PROPOSED = re.compile(r"\bassert\s*\{|\|>")
WITH_PROPOSALS = frozenset(("javascript", "typescript", "tsx"))
OUTPUT = re.compile(
    r"^[ \t]*(?:\$ |> |>>> |[+-] |@@ |PS |[A-Z]:\\.*>|irb|Output|#=>|"
    r"(?:go (?:run|get|build|mod|test|install)|cargo|npm|npx|yarn|composer|dotnet|javac?) \w)",
    re.MULTILINE,
)


def grammar_fault(language: str, code: str) -> Fault | None:
    """A fault of another language; needs `tree-sitter-language-pack`, whose grammars ship in its wheel."""
    if len(code) > LONGEST_CODE:
        return None
    parse = grammar(language)
    if parse is None:
        return None
    fault = parse("<?php " if language == "php" and "<?" not in code else "", code, "")
    if fault is None or HALF.match(code) or ELISION.search(code) or GAP.search(code) or OUTPUT.search(code):
        return None
    if language in WITH_PROPOSALS and PROPOSED.search(code):
        return None
    if any(parse(before, code, after) is None for before, after in AROUND.get(language, ())):
        return None
    if code.rstrip().endswith("{") and fault.words == "'{' is closed nowhere":
        return None  # a head whose body is not shown
    if language in BRACKETS_ALONE and (not fault.words or CONDITIONAL.search(code) or QUOTED.search(code)):
        return None
    return fault if fault.words else fault._replace(words="invalid syntax")


@lru_cache(maxsize=32)
def grammar(language: str) -> Callable[[str, str, str], Fault | None] | None:
    try:
        from tree_sitter_language_pack import get_parser
    except ModuleNotFoundError:
        return None
    parser = get_parser(cast(Any, language))  # declared as a union of 170 names

    def parse(before: str, code: str, after: str) -> Fault | None:
        source = f"{before}{code}{after}".encode()
        steps = count(-STEPS - len(source) // STEP)
        try:
            tree = parser.parse(
                lambda offset, _: source[offset : offset + CHUNK],
                progress_callback=lambda offset, failed: next(steps) >= 0,  # True stops it
            )
        except ValueError:  # stopped: what recovers from so many errors is no program, of whatever language
            return None
        return _first_fault(tree.walk()) if tree.root_node.has_error else None

    return parse


def _first_fault(cursor: Any) -> Fault:
    """The first bracket without its other half; else the first error, without words."""
    first: int | None = None
    opened: list[tuple[str, int]] = []
    while True:
        node = cursor.node
        kind, line = node.type, node.start_point[0]
        if first is None and (node.is_missing or node.is_error):
            first = line
        if not node.is_missing:
            if kind in OPENERS:
                opened.append((OPENERS[kind], line))
            elif kind in CLOSERS:
                if not any(bracket == CLOSERS[kind] for bracket, _ in opened):
                    return Fault(line, f"{kind!r} closes nothing")
                bracket, line = opened.pop()
                if bracket != CLOSERS[kind]:
                    return Fault(line, f"{bracket!r} is closed nowhere")
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                if opened:
                    return Fault(opened[-1][1], f"{opened[-1][0]!r} is closed nowhere")
                return Fault(first or 0, "")
