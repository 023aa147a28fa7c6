"""Where code stops being a program of its language: one function a language, from code to a fault or None.

None also means that a program cannot tell: the code may be a fragment, a template, a session, another version or
dialect. Nothing is executed, expanded or fetched, and what would cost more than linear time is bounded.
"""

from __future__ import annotations

import ast
import json
import logging
import re
import tomllib
import warnings
from collections.abc import Callable
from functools import lru_cache
from textwrap import dedent
from typing import NamedTuple
from xml.parsers import expat

import yaml

LONGEST = 1_000_000
SURROGATE = re.compile("[\ud800-\udfff]")


class Fault(NamedTuple):
    """What is wrong: the line, 0-based in the code, and the words for it."""

    line: int
    words: str


def is_text(code: str) -> bool:
    """Whether there are only characters in it that can be encoded."""
    return code.isascii() or SURROGATE.search(code) is None


# What stands for text that is left out or to be filled in, in any language.
ELISION = re.compile(r"…|(?<![\w\"'.])\.\.\.(?![\w\"'.])|\betc\.")
TEMPLATE = re.compile(r"\{\{|\{%|\$\{|<[A-Za-z][\w -]*>|<<[A-Za-z]|\[(?:your|insert)\b", re.IGNORECASE)

# ------------------------------------------------------------------------------------------ Python

# Sessions, notebooks, shells, patches and the output of programs.
NOT_A_MODULE = re.compile(
    r"^[ \t]*(?:>>>|In ?\[|Out ?\[|\$ |[%!?]|@@ |[+-](?:\s|\w)|(?:sudo )?(?:pip3?|conda|apt|apt-get|brew|uv) |"
    r"python3? \S|cd |Traceback |(?:Output|Result)s?\b|=?> |#include|<\w)|\w\?$",
    re.MULTILINE,
)
PYTHON_2 = re.compile(
    r"\bprint\s+[^\s(=.,)\]]|\bprint\s*>>|\bexec\s+[\"'\w]|\bexcept\s+[\w.]+\s*,\s*\w+|\braise\s+[\w.]+\s*,|<>|"
    r"(?<![\w.])0\d+\b|\b\d+[lL]\b|\b[uU][rR][\"']|`|\blambda\s*\(|\bdef\s+\w+\([^()\n]*\(",
)
# Syntax that some supported version of Python reads and another refuses.
VERSIONED = re.compile(
    r"^[ \t]*(?:type\s+\w+\s*[\[=]|lazy\s|(?:async\s+)?def\s+\w+\[|class\s+\w+\[|except\*?\s+\w+\s*,)|"
    r"\b(?:[rR]?[fFtT]|[fFtT][rR])(?:\"{3}|'{3})",
    re.MULTILINE,
)
FORMATTED = re.compile(r"\b(?:[rR]?[fFtT]|[fFtT][rR])[\"']")
HALF_PYTHON = re.compile(r"\s*(?:(?:elif|else|except|finally|case)\b|[)\]},.=+*/|&:])")
ON_LINE = re.compile(r" (?:on|\(detected at) line \d+\)?")
STATEMENT = re.compile(
    r"^[ \t]*(?:def |class |import |from \w|for .*:|if .*:|while .*:|return\b|[\w.\[\]'\"]+\s*=|[\w.]+\()", re.M
)


ONLY_COMMENTS = re.compile(r":[ \t]*\n(?:[ \t]*\n)*[ \t]+#")


def python(code: str) -> Fault | None:
    """A fault of Python 3, of any version: what only some versions read is not looked at."""
    fault = _python(dedent(code))
    if fault is None or NOT_A_MODULE.search(code) or PYTHON_2.search(code) or VERSIONED.search(code):
        return None
    if ELISION.search(code) or TEMPLATE.search(code) or HALF_PYTHON.match(code) or not STATEMENT.search(code):
        return None
    lines = code.rstrip().split("\n")
    if FORMATTED.search(lines[min(fault.line, len(lines) - 1)]):
        return None
    if lines[-1].endswith(":") or (fault.words.startswith("expected 'except'") and lines[-1][:1].isspace()):
        return None  # a head whose body is not shown
    if fault.words.startswith("expected an indented block") and ONLY_COMMENTS.search(code):
        return None  # a body to be written
    if fault.words.startswith(("unexpected indent", "unindent")):  # the first line has lost its indentation on the way
        lead = lines[fault.line][: len(lines[fault.line]) - len(lines[fault.line].lstrip())]
        if _python(dedent(lead + code.lstrip())) is None:
            return None
    return None if _is_output(lines, fault.line) else fault


def _is_output(lines: list[str], at: int) -> bool:
    """Whether a program that parses ends in the blank line above, and no statement follows: what it prints."""
    above = next((number for number in range(min(at, len(lines) - 1), 0, -1) if not lines[number].strip()), 0)
    program, rest = "\n".join(lines[:above]), "\n".join(lines[above:])
    return above > 0 and STATEMENT.search(rest) is None and _python(dedent(program)) is None


def _python(code: str) -> Fault | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(code)
        except SyntaxError as error:
            # "too many" nested brackets or blocks are a limit of this parser
            return (
                None
                if error.msg.startswith("too many")
                else Fault((error.lineno or 1) - 1, ON_LINE.sub("", error.msg))
            )
        except (RecursionError, MemoryError):
            return None
    return None


# ------------------------------------------------------------------------------------------ data formats

AS_TEXT = json.JSONDecoder(parse_int=str, parse_float=str)  # figures of any length
JSON5 = re.compile(r"//|/\*|^[ \t]*#|[{,]\s*(?:'|[A-Za-z_$][\w$]*\s*:)|[:\[]\s*['`]|\+\s*[\"']", re.MULTILINE)


# A gap of a template, a comment, the name of a type, or a call as in MongoDB's shell.
NOT_YET_JSON = re.compile(
    r"[<$%{#(]|(?:number|string|str|int(?:eger)?|float|double|decimal|bool(?:ean)?|object|array|list|any|date|text|value|"
    r"undefined)\b|\w+\(|[A-Z][\w ]*\]"
)


def json_fault(code: str) -> Fault | None:
    """A fault of JSON; lines of JSON, JSON5, a value with comments or with something left out are not looked at."""
    try:
        AS_TEXT.decode(code)
    except json.JSONDecodeError as error:
        if not code.lstrip().startswith(("{", "[")) or JSON5.search(code) or ELISION.search(code):
            return None
        if error.msg == "Extra data" and code[error.pos] not in "}]":
            return None
        if NOT_YET_JSON.match(code, error.pos):
            return None
        return Fault(error.lineno - 1, error.msg)
    except RecursionError:
        return None
    return None


LONGEST_YAML, MOST_OPENED = 100_000, 1_000  # libyaml needs the square of the depth
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_fault(code: str) -> Fault | None:
    """A fault of YAML. Only events are read: no alias is expanded, no tag is resolved."""
    if len(code) > LONGEST_YAML or code.count("[") + code.count("{") > MOST_OPENED:
        return None
    if TEMPLATE.search(code) or ELISION.search(code):
        return None
    ended = False
    try:
        for event in yaml.parse(dedent(code), Loader=LOADER):
            ended = ended or isinstance(event, yaml.DocumentEndEvent)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if ended or mark is None:  # front matter, and the text below it
            return None
        return Fault(mark.line, f"{error.problem}")
    except yaml.reader.ReaderError:  # a control character
        return None
    return None


LONGEST_TOML = 100_000
AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")
OPEN_TABLE = re.compile(r"=\s*\{[^}\n]*$", re.MULTILINE)  # over several lines since TOML 1.1
# INI, which is often marked as TOML: values, section names and comments that TOML does not know.
INI = re.compile(
    r"^[ \t]*(?:;|\[[\w. \t-]*+[^\w.\[\]\"' \t\n-]|[\w.-]++[ \t]*(?:$|:[ \t]|=[ \t]*(?!(?:true|false|inf|nan)\b)"
    r"(?:[A-Za-z_/~*%$@\\:<]|-(?=[^\s\din])|\d+\.\d+\.\d|\d+[smhdKMG%])[^\"'\[\]{}\n]*$))",
    re.MULTILINE,
)


def toml_fault(code: str) -> Fault | None:
    """A fault of TOML 1.0; what may be INI is not looked at."""
    if len(code) > LONGEST_TOML or TEMPLATE.search(code) or ELISION.search(code) or OPEN_TABLE.search(code):
        return None
    try:
        tomllib.loads(code)
    except tomllib.TOMLDecodeError as error:
        if INI.search(code):
            return None
        at = AT.search(str(error))
        line = int(at[1]) - 1 if at and at[1] else code.count("\n")
        return Fault(line, AT.sub("", str(error)))
    except (RecursionError, ValueError):  # an integer of more than 4,300 digits
        return None
    return None


DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
ENTITY = re.compile(r"<!|&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);)\w+;")
PLACEHOLDER = re.compile(r"\{\{|\{%|\$\{|<\s*[.…]|<%")


def xml_fault(code: str) -> Fault | None:
    """A fault of XML; a document type is not read, so that no entity is ever expanded, and a root is not asked for."""
    bare = code.replace("<!--", "").replace("<![CDATA[", "")
    if ENTITY.search(bare) or PLACEHOLDER.search(code) or not code.lstrip().startswith("<"):
        return None
    declared = DECLARATION.match(code)
    start = declared.end() if declared else 0
    parser = expat.ParserCreate()
    try:
        parser.Parse(f"<_>{code[:start].count(chr(10)) * chr(10)}{code[start:]}\n</_>", True)
    except expat.ExpatError as error:
        line = error.lineno - 1
        if line > code.count("\n") and declared is None:  # elements are left open: an excerpt
            return None
        if ELISION.search(code):
            return None
        return Fault(line, expat.ErrorString(error.code) or "")
    return None


# ------------------------------------------------------------------------------------------ regular expressions

LONGEST_REGEX = 2_000
# What other engines read in another way, or Python refuses.
OTHER_ENGINES = re.compile(
    r"\\[pPXKhHRGQEzZxuUkgcoN]|\(\?[^:=!i]|\[\[|\[:|\[\]|\[\^\]|\(\*|&&|--|\{,|\A\s*s/|[*+?}][+*]|\\[<>(){}|]"
)
DELIMITED = re.compile(r"/(.+)/[a-z]*", re.DOTALL)
IN_EVERY_ENGINE = (
    "missing ), unterminated subpattern",
    "unbalanced parenthesis",
    "unterminated character set",
    "bad character range",
    "nothing to repeat",
    "min repeat greater than max repeat",
)


def regex_fault(code: str) -> Fault | None:
    """A fault of one regular expression that every engine would find; nothing is matched against it."""
    pattern = code.strip()
    if len(pattern) > LONGEST_REGEX or "\n" in pattern or OTHER_ENGINES.search(pattern):
        return None
    delimited = DELIMITED.fullmatch(pattern)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(delimited[1] if delimited else pattern)
        except re.error as error:
            if error.msg.startswith(IN_EVERY_ENGINE) and not ELISION.search(pattern):
                return Fault(code[: len(code) - len(code.lstrip())].count("\n"), error.msg)
        except (RecursionError, OverflowError):
            return None
    return None


# ------------------------------------------------------------------------------------------ SQL

LONGEST_SQL = 10_000
DIALECTS = ("", "mysql", "postgres", "sqlite", "tsql", "oracle", "bigquery", "snowflake")
PLAIN_SQL = re.compile(
    r"(?:\s|--[^\n]*\n|/\*[\s\S]*?\*/)*+(?:SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|CREATE\s+TABLE|WITH)\b",
    re.IGNORECASE,
)
PROCEDURAL = re.compile(
    r"\b(?:DELIMITER|BEGIN|DECLARE|PROCEDURE|FUNCTION|TRIGGER|EXEC|EXECUTE|PIVOT|MODEL|MATCH_RECOGNIZE|COPY|GRANT|LOAD|"
    r"PARTITION\s+BY\s+(?:RANGE|LIST|HASH)|ENGINE)\b|^[ \t]*(?:GO|USE\b.*|\\.*|[+|].*)$|\w+>|[<\[{$:#]\s?\w|\?\?",
    re.IGNORECASE | re.MULTILINE,
)


def sql_fault(code: str) -> Fault | None:
    """A fault of plain SQL that the parser of every dialect finds; needs `sqlglot`."""
    if len(code) > LONGEST_SQL or not PLAIN_SQL.match(code) or PROCEDURAL.search(code) or ELISION.search(code):
        return None
    parse = sql_parser()
    if parse is None:
        return None
    fault = None
    for dialect in DIALECTS:
        found = parse(code, dialect)
        if found is None:
            return None
        fault = fault or found
    return fault


@lru_cache(maxsize=1)
def sql_parser() -> Callable[[str, str], Fault | None] | None:
    try:
        import sqlglot
        from sqlglot.errors import SqlglotError
    except ModuleNotFoundError:
        return None
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

    def parse(code: str, dialect: str) -> Fault | None:
        try:
            sqlglot.parse(code, read=dialect or None)
        except SqlglotError as error:
            details = getattr(error, "errors", None) or [{}]
            return Fault((details[0].get("line") or 1) - 1, details[0].get("description") or "invalid SQL")
        except RecursionError:
            return None
        return None

    return parse
