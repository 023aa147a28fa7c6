"""The shape of a text, by its lines: code, a patch, a table, a drawing, verse. No word lists are needed."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from itertools import pairwise

BARE = re.compile(
    r"(?:pass|break|continue|return|end|else|try|finally|begin|done|fi|esac|do|then|default|loop|nil|null|None|True|"
    r"False|self|this)[:;{]?"
)
STATEMENT = re.compile(
    r"(?:return|yield|raise|throw|await|assert|del|goto|echo|print|puts|let|const|var|import|from|export|package|"
    r"using|"
    r"namespace|end|elif|elsif|elseif|unless|until|case|when|global|nonlocal|local|int|float|double|char|bool|void|"
    r"auto|"
    r"long|string|def|fn|func|function|sub|class|struct|enum|public|private|protected|static|override|"
    r"async)\s+[\w\"'(\[{*&$-]"
)
BLOCK_HEAD = re.compile(
    r"(?:if|for|while|with|switch|try|except|catch|else|elif|def|class|async|match|foreach|do)\b.*[:{]$"
)
CODE_SIGN = re.compile(
    r"\w\(|\s(?:==|!=|<=|>=|:=|=|\+=|-=|\*=|/=|=>|->|&&|\|\||<<|>>|<-)\s|[;{}]$|^[@$]\w|^//|^/\*|^#(?:include|define|"
    r"if)|"
    r"^</?\w[^>]*>|</\w+>|\w\[[\w'\"]+\]|\w::\w|\w->\w|\b\w+\.\w+\.\w+|^[)\]}]|\\$|^\w+ ?= ?\S|^(?:--|\+\+)\w"
)
ARITHMETIC = re.compile(r"[\w)\]]\s*(?:[+*/%&^|]|\*\*|//)\s*[\w(]")
LETTERS = re.compile(r"[^\W\d_]{2,}")
# ASCII characters that are not signs of code: dots, dashes and colons are signs only where two stand together.
UNSIGNED = (string.ascii_letters + string.digits + " \t,.'\"!?:_~`-").encode()
TELLS_CASE = re.compile("[A-Za-z]")


def looks_like_code(line: str) -> bool:
    """Whether a line by itself is rather code than a sentence; its indentation does not count."""
    line = line.strip()
    if not line:
        return False
    signed = line.encode("ascii", "ignore").translate(None, UNSIGNED)
    if BARE.fullmatch(line) or BLOCK_HEAD.match(line):
        return True
    # nearly every line of prose has no such sign, and is not searched
    if (signed or line.count(".") > 1 or "::" in line or line.startswith("--")) and CODE_SIGN.search(line):
        return True
    if STATEMENT.match(line):
        return line[-1] not in ".!?" or line.count(" ") < 2
    return signed != b"" and ARITHMETIC.search(line) is not None and len(LETTERS.findall(line)) < 6


def looks_like_prose(line: str) -> bool:
    """Whether a line is rather a sentence: it begins like one, is made of words, and has no sign of code."""
    line = line.strip().lstrip("\"'“‘«„¿¡(*_")
    if not line or looks_like_code(line):
        return False
    if line[0].isascii() and not (line[0].isupper() or line[0].isdigit()):
        # a sentence that begins with a small letter: many words must tell
        return line[0].isalpha() and len(LETTERS.findall(line)) >= 6
    letters = sum(map(str.isalpha, line))
    return 10 * letters >= 6 * len(line.replace(" ", "")) and (
        " " in line or not TELLS_CASE.match(line) or len(line) < 20
    )


# ------------------------------------------------------------------------------------------------------------- layout

PATCH = re.compile(r"^(?:@@ -\d|diff --git |\+\+\+ \S|--- [ab]/|index [0-9a-f]{6,}\.\.)", re.MULTILINE)
PATCH_LINE = " +-\\"
HEXDUMP = re.compile(r"^ ?(?:0x)?[0-9a-fA-F]{4,16}:?[ \t]+(?:[0-9a-fA-F]{2,4}[ \t]+){2}", re.MULTILINE)
COLUMN_GAP = re.compile(r"[^\s.!?,;:] {2,}(?=\S)|\S {3,}(?=\S)")
INNER_TAB = re.compile(r"\S\t+\S|\S\t+$")
LIST_MARK = re.compile(r"\A(?:[-*•+]|\(?\w{1,3}[.)])\s+")
WORDS_IN_CELL = 4
MOST_LINES = 400


def is_patch(text: str) -> bool:
    """Whether a text is a patch, in which the first character of each line is a sign; with or without its head."""
    if text[:1] not in PATCH_LINE and "\n+" not in text and "\n-" not in text and "\n@@" not in text:
        return False
    if PATCH.search(text):
        return True
    lines = [line for line in text.split("\n")[:MOST_LINES] if line]
    if len(lines) < 2 or any(line[0] not in PATCH_LINE for line in lines):
        return False
    added = any(line[0] == "+" for line in lines)
    removed = any(line[0] == "-" for line in lines)
    context = any(line[0] == " " for line in lines)
    if added:
        return removed or context
    return removed and context and any(line[0] == "-" and line[1:2] not in ("", " ", "-") for line in lines)


def is_layout(text: str) -> bool:
    """Whether blanks at the edges of a text may be part of it: a patch, a dump, a table, a drawing."""
    if "\n" not in text.strip("\r\n"):
        if HEXDUMP.match(text) or _is_drawn(text.strip()):
            return True
        return "\t" in text.strip(" \r\n").strip("\t") and text.strip(" \r\n")[-1:] == "\t"
    if is_patch(text) or HEXDUMP.search(text):
        return True
    lines = [line.rstrip("\r") for line in text.split("\n")[:MOST_LINES]]
    filled = [line for line in lines if line.strip()]
    if sum(INNER_TAB.search(LIST_MARK.sub("", line.lstrip(" "), count=1)) is not None for line in filled) > 1:
        return True
    return _has_columns(filled) or _is_padded(filled) or _is_drawing(filled)


def _has_columns(lines: Sequence[str]) -> bool:
    """Whether two neighbouring lines have gaps that do not follow a sentence, as the columns of a table do."""
    gaps = ["  " in line and _has_cells(line) for line in lines]
    return any(one and other for one, other in pairwise(gaps))


def _has_cells(line: str) -> bool:
    line = LIST_MARK.sub("", line.strip(), count=1)
    count = len(COLUMN_GAP.findall(line))
    return count > 0 and len(line.split()) <= WORDS_IN_CELL * (count + 1)


def _is_padded(lines: Sequence[str]) -> bool:
    last = lines[-1] if lines else ""
    if not last.endswith(" "):
        return False
    alike = [line for line in lines if len(line) == len(last) and line.endswith(" ")]
    return len(alike) > 1 and 2 * len(alike) >= len(lines) and any(line.endswith("  ") for line in alike)


SHORTEST_DRAWING = 5


def _is_drawn(line: str) -> bool:
    signs = len(line) - sum(map(str.isalnum, line)) - sum(map(str.isspace, line))
    return signs >= SHORTEST_DRAWING and 2 * signs > len(line)


def _is_drawing(lines: Sequence[str]) -> bool:
    text = "".join(lines)
    signs = len(text) - sum(map(str.isalnum, text)) - sum(map(str.isspace, text))
    return len(lines) > 1 and 2 * signs > len(text) - text.count(" ") - text.count("\t")


# -------------------------------------------------------------------------------------------------------------- verse

LONGEST_VERSE = 64
LISTED = re.compile(r"\s*(?:[-*•#>|+]|\(?\d{1,3}[.):]|\w[.)] )")


def is_verse(text: str) -> bool:
    """Whether a text has the shape of verse: several short lines, of which most end without a full stop."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) < 3 or sum(LISTED.match(line) is not None for line in lines) * 3 > len(lines):
        return False
    short = [line for line in lines if len(line) <= LONGEST_VERSE]
    loose = sum(line[-1] not in ".:;{}。" for line in short)
    return 4 * len(short) >= 3 * len(lines) and 2 * loose >= len(short)
