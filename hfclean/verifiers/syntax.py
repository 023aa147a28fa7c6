"""Code that does not parse as the language that the text names: Python, JSON, SQL, patterns and others.

Only what says what it is gets looked at: a closed fence with a language, or a response that is wholly one value where
the instruction asks for JSON. An open fence is the matter of the rule `unclosed_fence`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from hfclean.schema import Pair
from hfclean.text.thoughts import split_thought
from hfclean.verifiers import grammars, parsers
from hfclean.verifiers.parsers import Fault
from hfclean.verifiers.verifier import Finding, Verifier

NAMES = {
    "Python": "python py python3",
    "JSON": "json",
    "YAML": "yaml yml",
    "TOML": "toml",
    "XML": "xml",
    "HTML": "html",
    "SQL": "sql mysql postgresql postgres sqlite tsql plsql",
    "regular expression": "regex regexp",
    "JavaScript": "javascript js mjs node",
    "TypeScript": "typescript ts",
    "TSX": "tsx jsx",
    "Java": "java",
    "C": "c",
    "C++": "cpp c++ cc",
    "C#": "csharp c# cs",
    "Go": "go golang",
    "Rust": "rust rs",
    "Ruby": "ruby rb",
    "PHP": "php",
    "Bash": "bash sh shell",
    "CSS": "css",
}
LANGUAGES = {fence: name for name, fences in NAMES.items() for fence in fences.split()}
GRAMMARS = {"C++": "cpp", "C#": "csharp"}
PARSERS: dict[str, Callable[[str], Fault | None]] = {
    "Python": parsers.python,
    "JSON": parsers.json_fault,
    "YAML": parsers.yaml_fault,
    "TOML": parsers.toml_fault,
    "XML": parsers.xml_fault,
    "HTML": grammars.html_fault,
    "SQL": parsers.sql_fault,
    "regular expression": parsers.regex_fault,
}
FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*+([^\s`{]*+)[^\n`]*+$", re.MULTILINE)
LONGEST_TASK = 2_000
# What speaks of faulty code, in the instruction or right above a block.
FAULTY = re.compile(
    r"\b(?:syntax ?errors?|invalid|malformed|broken|incorrect|wrong|erroneous|faulty|buggy|typos?|mistakes?|"
    r"pseudo-?code|does(?: not|n't) (?:work|compile|parse|run))\b",
    re.IGNORECASE,
)
ABOVE = re.compile(
    r"\b(?:before|original|instead of|bad|bug|fails?|not valid|won't|will not|don't|avoid|problem(?:atic)?|your code|"
    r"your (?:current|own|version)|missing|fragment|excerpt|partial|abbreviated|syntax|"
    r"schema|skeleton)\b|\b(?:outputs?|results?|prints?)\W*\Z",
    re.IGNORECASE,
)
# What speaks of faulty code right below a block.
BELOW = re.compile(
    r"\b(?:miss(?:ed|es|ing)|forg[eo]t\w*|unclosed|unbalanced|unterminated|should (?:be|have been))\b",
    re.IGNORECASE,
)
LEAD = 200
ASKS_FOR_JSON = re.compile(
    r"\b(?:in|(?<!such )as|into|to|return|output|generate|create|valid|only) "
    r"(?:(?:an?|the|valid|only|following) )*json\b|"
    r"\bjson (?:object|format|array|string|file|only|response|output|structure|data|code)\b",
    re.IGNORECASE,
)


class Block(NamedTuple):
    """The code of a closed fence that names a language, its first line in the text, and where its fence stands."""

    language: str
    code: str
    line: int
    start: int
    end: int


def _blocks(text: str) -> Iterator[Block]:
    """The closed fences of a text that name a language known here, without the indentation of the fence."""
    opened: re.Match[str] | None = None
    line = counted = 0
    for fence in FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[2].startswith(opened[2]) and not fence[3]:
            language = LANGUAGES.get(opened[3].lower())
            if language:
                code = text[opened.end() + 1 : fence.start()]
                if opened[1]:
                    code = re.sub(rf"^[ \t]{{1,{len(opened[1])}}}", "", code, flags=re.MULTILINE)
                line, counted = line + text.count("\n", counted, opened.end()), opened.end()
                yield Block(language, code, line + 1, opened.start(), fence.end())
            opened = None
        elif fence[3]:  # the block above was not closed: which lines are code is not known
            return


def _syntax_errors(pair: Pair) -> Iterator[Finding]:
    """Blocks of the response that its thought does not hold, and a response that is one JSON value."""
    text, task = pair.response, pair.instruction[:LONGEST_TASK]
    if "```" not in text and "~~~" not in text:
        if text.startswith(("{", "[")) and text.endswith(("}", "]", "\n")) and ASKS_FOR_JSON.search(task):
            yield from _finding(Block("JSON", text, 0, 0, len(text)))
        return
    if FAULTY.search(task):
        return
    thought = split_thought(pair).start
    for block in _blocks(text):
        above = text[max(0, block.start - LEAD) : block.start].rstrip().rpartition("\n\n")[2]
        below = text[block.end : block.end + LEAD].lstrip("\n").partition("\n\n")[0].partition("```")[0]
        if block.start < thought or FAULTY.search(above) or ABOVE.search(above):
            continue
        if not (FAULTY.search(below) or BELOW.search(below)):
            yield from _finding(block)


def _finding(block: Block) -> Iterator[Finding]:
    code = block.code
    if not code.strip() or len(code) > parsers.LONGEST or "\0" in code or not parsers.is_text(code):
        return
    parse = PARSERS.get(block.language) or partial(
        grammars.grammar_fault, GRAMMARS.get(block.language, block.language.lower())
    )
    fault = parse(code)
    if fault is not None:
        lines = code.rstrip().split("\n")
        at = min(fault.line, len(lines) - 1)
        sentence = f"the {block.language} in line {block.line + at + 1} does not parse: {fault.words}"
        yield Finding("syntax_error", "response", 0, block.line + at, lines[at].strip()[:LEAD], "", sentence)


syntax_error = Verifier(
    "syntax_error", "a block of code that does not parse as the language that its fence names", _syntax_errors
)
