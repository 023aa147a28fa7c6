"""Whether a block of code breaks off: an open string or bracket, a last line that asks for more.

Only for code that ends the text. Languages differ, so the test is simple: brackets are counted outside
strings and comments, and the last line is judged by signs that end no line in any language that the block may be in.
"""

from __future__ import annotations

import re

from hfclean.rules.text_shapes import looks_like_code


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What is not a program: a bracket or an operator at the end means nothing there.
NOT_PROGRAMS = _words(
    "text txt plain plaintext markdown md diff patch output log csv tsv regex ascii math latex tex mermaid "
    "dot yaml yml toml ini console http none bnf ebnf poem lyrics wiki rst asciidoc prolog apl brainfuck bf"
)
SHELLS = _words("bash sh shell zsh fish cmd bat batch powershell ps1 ps dockerfile makefile make")
HASH_COMMENTS = _words(
    "python py python3 ruby rb perl pl r julia jl elixir bash sh shell zsh yaml toml coffee nim tcl powershell ps1"
)
# In these, patterns and quotes hold unmatched brackets.
LOOSE_BRACKETS = _words("perl pl pm vim")
LISPS = _words("lisp clojure clj scheme racket elisp common-lisp")
DASH_COMMENTS = _words("lua sql mysql postgresql plsql tsql sqlite haskell hs ada elm")
TAGGED = _words("html xml svg vue svelte jsx tsx xhtml astro")
LONGEST = 20_000
TOKEN = re.compile(
    r"\"\"\"|'''|/\*|//[^\n]*|--[^\n]*|#[^\n]*|;[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|[()\[\]{}]"
)
OPENER = {")": "(", "]": "[", "}": "{"}
# An operator with a left side and no right one.
WAITS = re.compile(
    r"(?:[\w)\]\"'}] ?(?:\+|-|/|%|\^|\||&|<|\*) *|[\w)\]\"'}>] *(?:=|\+=|-=|\*=|/=|:=|<-|==|!=|<=|>=|&&|\|\||=>|->|\?|"
    r"<<|"
    r"\?\?|\.)) *\Z"
)
HALF_WORDS = re.compile(
    r"(?:^|[\s(])(?:and|or|not|import|from|extends|implements|instanceof|typeof|throw|await|lambda|AND|OR|WHERE|FROM|"
    r"JOIN|"
    r"SELECT|INTO|VALUES|SET|elif|def|class|struct|func|fn|const|let|var|new|public|private|protected|static|case|"
    r"raise|"
    r"using|namespace|foreach|switch)\Z"
)
HEAD_ALONE = re.compile(r"(?:def|class|if|elif|else|for|while|try|except|finally|with|async def)\b.*:\Z")
RULER = re.compile(r"([^\w\s()\[\]{}])\1{2,}\Z|^[-=_*#~+|.: ]+\Z")
STRING_TAIL = re.compile(r"(?<!\\)\"")
# A complete string, character or pattern; a comment after it.
WHOLE = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|/(?:[^/\\ ]|\\.)+/")
COMMENT = re.compile(r"(?:^|\s)(?://|#|--).*")
PYTHON = re.compile(r"^\s*(?:def \w+\(.*:|class \w+.*:|elif .*:|from \w[\w.]* import |import \w+$)", re.MULTILINE)


def code_breaks_off(code: str, language: str) -> bool:
    """Whether the code of a block at the end of a text is cut off; `language` is what its fence names, or ""."""
    language = language.strip().lower().strip("{}.").split(" ")[0].split("{")[0].split(",")[0]
    lines = [line.rstrip() for line in code.split("\n") if line.strip()]
    if language in NOT_PROGRAMS or not lines or len(code) > LONGEST:
        return False
    last = lines[-1].strip()
    if not language:
        if not _is_program(lines):
            return False
        language = "python" if PYTHON.search(code) else ""
    if RULER.search(last) and not re.search(r"\w\s*(?:&&|\|\|)\Z", last):
        return False
    if language in SHELLS:
        return bool(re.search(r"\S \|\Z|\S &&\Z|\S \|\|\Z|\S \\\Z", last))
    if "..." in last or "…" in last:  # something is omitted on purpose
        return False
    opened, open_end = _open_brackets(code, language)
    if open_end:
        return True
    comment = last.startswith(("#", "//", "/*", "*", "--", "<!--", "%", ";"))
    if not comment:
        if _has_open_string(last, language):
            return True
        if _waits(last, language) and (language or len(lines) > 2 or not last.endswith("=")):
            return True
        if language in TAGGED and re.search(r"<[A-Za-z/][^<>]*\Z", last):
            return True
        if len(lines) > 1 and HEAD_ALONE.match(last) and language in ("", "python", "py", "python3"):
            return True
    if not opened or language in LISPS:
        return False
    if language in LOOSE_BRACKETS:
        language = ""
    if language and ("(" in opened or "[" in opened) and not comment:
        return True  # incomplete arguments or items: no excerpt ends like that
    return len(lines) > 1 and _unclosed_at_the_end(lines, len(opened), language)


def _is_program(lines: list[str]) -> bool:
    tells = sum(looks_like_code(line) for line in lines)
    return tells > 0 and 3 * tells >= len(lines)


def _waits(last: str, language: str) -> bool:
    if last.endswith(("++", "--", "*/", "-->", "/>", "%>", "?>", "::", "**")) or last.startswith(
        ("|", "import ", "from ")
    ):
        return bool(re.match(r"(?:import|from)\Z|from [\w.]+ import\Z", last))
    if HALF_WORDS.search(last):
        return True
    match = WAITS.search(last)
    if match is None:
        return language not in ("", *TAGGED) and re.search(r"[\w)\]] >\Z", last) is not None
    operator = match.group().strip()[1:].strip()
    if operator == ".":
        return language in ("php", "perl") and match.group()[1:2] == " "
    if operator in (
        "-",
        "/",
        "*",
        "<",
        "%",
        "|",
        "?",
        "^",
        "&",
    ):  # they also end paths, globs, tags, types and references
        return match.group()[1] == " " and not (operator == "*" and re.search(r"\bselect\b|\bcount\b", last, re.I))
    if operator in ("=", "=="):
        return " " in match.group() or (re.search(r"[A-Za-z_]\w* ?=\Z", last) is not None and len(last) < 60)
    return True


def _has_open_string(last: str, language: str) -> bool:
    if '"""' in last or "'''" in last:
        return False
    bare = COMMENT.sub("", WHOLE.sub("", last))
    return len(STRING_TAIL.findall(bare)) % 2 == 1 and language not in (
        "vb",
        "vba",
        "vim",
        "vimscript",
        "html",
        "jinja",
    )


def _open_brackets(code: str, language: str) -> tuple[list[str], bool]:
    """The brackets that are open at the end, and whether a long string or comment is."""
    stack: list[str] = []
    position = 0
    while match := TOKEN.search(code, position):
        sign, position = match.group(), match.end()
        if sign in ('"""', "'''", "/*"):
            if sign == "/*" and language in HASH_COMMENTS | DASH_COMMENTS - {"sql"}:
                continue
            if sign != "/*" and language not in ("", "python", "py", "python3", "kotlin", "scala", "swift", "java"):
                continue
            end = code.find("*/" if sign == "/*" else sign, position)
            if end < 0:
                return [], sign != "/*" or "\n" in code[:position]
            position = end + len(sign)
        elif sign[0] == "#":
            if language not in HASH_COMMENTS and not (language == "" and _begins(code, match.start())):
                position = match.start() + 1
        elif sign.startswith("--"):
            if language not in DASH_COMMENTS:
                position = match.start() + 2
        elif sign[0] == ";":
            if language not in LISPS and language not in ("asm", "nasm", "assembly"):
                position = match.start() + 1
        elif sign.startswith("//"):
            if language in HASH_COMMENTS or code[match.start() - 1 : match.start()] == ":":
                position = match.start() + 2
        elif sign in "([{":
            stack.append(sign)
        elif sign in OPENER and OPENER[sign] in stack:
            while stack.pop() != OPENER[sign]:
                pass
    return stack, False


def _begins(code: str, start: int) -> bool:
    return start == 0 or code[start - 1] in " \t\n"


def _unclosed_at_the_end(lines: list[str], depth: int, language: str) -> bool:
    """Whether what is open is a loss: not a fragment that shows the head of a block on purpose."""
    last = lines[-1].strip()
    if last.endswith((",", ":")) or (last.endswith(("{", "(", "[")) and len(lines) > 2):
        return True
    if language and last[-1] not in "{}" and not last.startswith(("//", "#", "/*", "*", "--")):
        return True  # a statement of a block whose end is missing
    # the head of a block and no more: an excerpt
    return len(lines) > 3 and (depth > 1 or last[-1] not in ";}")
