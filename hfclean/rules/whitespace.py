"""The rule about white space: invisible to readers, visible to tokenizers.

Indentation, aligned columns, verse, patches, dumps and the two spaces that break a line in Markdown carry meaning and
stay. A blank at the end of a line stays too: experts who revised such rows left it as often as they took it away, so
taking it away would mostly fill the list of changes.
"""

from __future__ import annotations

import re
from functools import lru_cache

from hfclean.rules.glance import Glance, Possible
from hfclean.rules.requests import ABOUT_SPACING, COVERED
from hfclean.rules.rule import Rule, asked_about
from hfclean.rules.text_shapes import is_layout, is_patch, is_verse, looks_like_code, looks_like_prose
from hfclean.schema import Pair
from hfclean.text import outside_protected, protected_spans
from hfclean.text.request_language import language_of_request

FIELDS = ("instruction", "input", "response")
BLANK = " \t\r\n\xa0"
EDGE = (" ", "\t")

# Rows whose matter is the white space itself.
ABOUT_SPACE = re.compile(
    r"white ?spac|\bspac(?:es?|ing)\b|\bindent|\balign|\btabs?\b|\bnewlines?\b|line ?breaks?|blank lines?|"
    r"empty lines?|\btrim|\bstrip|\bascii\b|\bpad(?:ding|ded)?\b|\bformat(?:ting)?\b|\btokeni[sz]e|\bcharacters?\b|"
    r"\bpunctuat|\b[ct]sv\b|空格|空白|换行",
    re.IGNORECASE,
)

# A task about code, whose answer may be lines that go on where other lines end.
ABOUT_CODE = re.compile(
    r"\bcod(?:e|es|ing)\b|function|\bmethod|program|\bscript|assembl|makefile|\bbody of\b|`|\bdef \w|\bclass \w|"
    r"\bpython\b|\bjava|\b(?:cobol|fortran|ruby|haskell|rust|golang|sql|yaml|css|bash|perl|php|kotlin|swift|lua|scala|"
    r"lisp|pascal|matlab|docstring|dockerfile)\b|"
    r"\bpatch\b|"
    r"\bdiff\b|funktion|fonction|función|funzion|função|functie|funkcj|függvény|funcți|fonksiyon|функци|код\b|代码|函数|"
    r"関数|コード|"
    r"함수|코드|دالة|كود|फ़ंक्शन|फंक्शन|कोड",
    re.IGNORECASE,
)
TURNS = re.compile(r"<\|im_start\|>|<\|start_header_id\|>|<\|(?:user|assistant|fim_prefix|fim_middle)\|>")
INDENTED = re.compile(r"[\n\r][ \t]+\S")
GAPS = re.compile(r"\n{4,}")
# Two blanks or more between two other characters; it starts with what is searched for fast.
RUN = re.compile(r"  (?<=\S  ) *(?=\S)")
AFTER_SENTENCE = re.compile(r"[.!?,;][\"')\]”’]? {2,}(?=\S)")
# Signs that a line is code, a form, a table or a drawing rather than prose.
# One character of several and a pattern that begins with one are found fast, but not both at once.
NOT_PROSE = re.compile(r"[{}<>=|\\\t~^]")
CALL = re.compile(r"\) *\(")
# A gap to fill.
BLANK_BOX = re.compile(r"[\[(] {2,}[\])]")
DEEP = 4
# A shell or an interpreter that waits for the next line.
PROMPT_LAST = re.compile(r"(?:\A|\n)(?:[\w@:~/-]{0,40}(?:[$%>]|=[#>])|>>>|\.\.\.|In \[\d+\]:) \Z")
FEWEST_WORDS = 5
WORDS_PER_RUN = 4


def _spaced(pair: Pair) -> bool:
    texts = [text for text in (pair.instruction, pair.input, pair.response) if text and _candidate(text)]
    if not texts:
        return False
    found = any("\r" in text and not is_patch(text) for text in texts) or _tidied(pair) != pair
    return found and not _is_about_space(pair)


def _candidate(text: str) -> bool:
    return (
        text[0] in BLANK or text[-1] in BLANK or "  " in text or "\r" in text or ("\n" in text and "\n\n\n\n" in text)
    )


def _may_be_spaced(pair: Pair, glance: Glance) -> bool:
    text, asked, given = pair.response, pair.instruction, pair.input
    return (
        (glance.gaps and "  " in text)
        or (text != "" and (text[0] in BLANK or text[-1] in BLANK))
        or (ord("\n") in glance.marks and "\n\n\n\n" in text)
        or (asked != "" and _candidate(asked))
        or (given != "" and _candidate(given))
    )


def _is_about_space(pair: Pair) -> bool:
    asked = pair.instruction
    return asked_about(ABOUT_SPACE, asked) or ABOUT_SPACING.named_in(asked)


def _without_space(pair: Pair) -> Pair:
    return pair if _is_about_space(pair) else _tidied(pair)


@lru_cache(maxsize=64)  # what is found in a pair is what is then repaired
def _tidied(pair: Pair) -> Pair:
    changed = {}
    for name in FIELDS:
        text = getattr(pair, name)
        if text and _candidate(text):
            tidied = _tidied_field(pair, name, text)
            if tidied != text:
                changed[name] = tidied
    return pair.replace(**changed).with_seam_of(pair) if changed else pair


def _tidied_field(pair: Pair, name: str, text: str) -> str:
    if "<|" in text and TURNS.search(text):  # a template as text: its blanks are tokens of it
        return text
    if text[-1] == " " and PROMPT_LAST.search(text):
        return text
    if text[-1] == "\n" and name != "response" and _goes_on_in_answer(pair, text):
        return text
    if text[0] in " \t\n\r" and _is_continued_code(pair, text):
        padded = text.rstrip("\r\n")[-1:] in EDGE and is_layout(text)
        return _tidy(text) if padded else _with_line_feeds(text.rstrip(BLANK))
    tidied = _tidy(text)
    if tidied == text or name != "input" or tidied == text.strip(BLANK):
        return tidied
    # Gaps inside the matter of a task whose language, and so its subject, is unknown: left alone.
    if language_of_request(pair.instruction) in COVERED:
        return tidied
    return text if is_layout(text) else text.strip(BLANK)


def _goes_on_in_answer(pair: Pair, text: str) -> bool:
    """Whether the answer is the rest of the code that the text ends in: the line feed between them belongs to it."""
    answer = pair.response
    if answer[:1] not in (" ", "\t", "\r", "\n") or answer.isspace():
        return False
    last = text.rstrip()
    return looks_like_code(last[last.rfind("\n") + 1 :]) and _is_continued_code(pair, answer)


def _is_continued_code(pair: Pair, text: str) -> bool:
    """Whether a text that begins with indentation is code that goes on from somewhere else."""
    head = text[: len(text) - len(text.lstrip(BLANK))]
    indent = head[max(head.rfind("\n"), head.rfind("\r")) + 1 :]
    if len(indent) < 2 and "\t" not in indent:
        return False
    end = text.find("\n", len(head))
    first = text[len(head) : len(text) if end < 0 else end]
    if looks_like_code(first) or first[:1] in "#/{}<@\"'":
        return looks_like_code(first) or asked_about(ABOUT_CODE, pair.instruction)
    deep = len(indent) >= DEEP or "\t" in indent
    return (deep or not looks_like_prose(first)) and asked_about(ABOUT_CODE, pair.instruction)


def _tidy(text: str) -> str:
    if "\n" in text and is_patch(text):
        return text
    if (text.rstrip("\r\n")[-1:] in EDGE or text.lstrip("\r\n")[:1] in EDGE) and is_layout(text):
        return text.rstrip("\r\n").lstrip("\r\n")
    text = _without_ends(text)  # first: whether a line is prose shows only once its edge is clean
    return outside_protected(_with_line_feeds(text), _tidy_stretch)


def _with_line_feeds(text: str) -> str:
    if "\r" in text:
        # Line ends of code and tables are theirs; changed around them only, one text would have two kinds.
        spans = protected_spans(text)
        if not any(text.find("\r", start, end) >= 0 for start, end in spans):
            text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def _without_ends(text: str) -> str:
    text = text.rstrip(BLANK)
    if text[:1] not in BLANK:
        return text
    head = len(text) - len(text.lstrip(BLANK))
    first_line = max(text.rfind("\n", 0, head), text.rfind("\r", 0, head)) + 1
    rest = text[head:]
    indent = 2 if "\t" in text[first_line:head] else head - first_line
    if "\n" not in rest:
        return text[first_line:] if indent > 1 and not _is_sentence(rest) else rest
    first = rest[: rest.find("\n")].rstrip()
    plain = " " in first and first[0].isalnum() and not looks_like_code(first) and not INDENTED.search(rest)
    if plain and (indent == 1 or (_is_sentence(first) and not is_verse(rest))):
        return rest
    # Other lines are indented too, or this one alone is code or verse: its indentation is part of the shape.
    return text[first_line:]


def _is_sentence(line: str) -> bool:
    """Whether a line is prose that may lose its indentation.

    One that begins with a small letter goes on from somewhere, unless many words make a sentence of it.
    """
    begins = not "a" <= line[0] <= "z" and (line[0].isalnum() or not line.isascii())
    return not looks_like_code(line) and (begins or looks_like_prose(line))


def _tidy_stretch(text: str) -> str:
    if "\n\n\n\n" in text:
        text = GAPS.sub(_gap, text)
    return _without_runs(text) if "  " in text else text


def _gap(match: re.Match[str]) -> str:
    """One empty line instead of many; between lines of code all stay, which may stand in a string or a block of it."""
    text, (start, end) = match.string, match.span()
    above = text[text.rfind("\n", 0, start) + 1 : start]
    below = text[end : text.find("\n", end) if text.find("\n", end) >= 0 else len(text)]
    if below[:1] in EDGE or above[:1] in EDGE or looks_like_code(above) or looks_like_code(below):
        return match.group()
    return "\n\n"


def _is_no_prose(line: str) -> bool:
    return (
        NOT_PROSE.search(line) is not None
        or line[:1].isspace()
        or line[-1:] == ";"
        or "__" in line
        or "--" in line
        or "//" in line
        or "..." in line
        or ":   " in line
        or "  #" in line
        or CALL.search(line) is not None
        or BLANK_BOX.search(line) is not None
    )


def _without_runs(text: str) -> str:
    lines = text.split("\n")
    runs = [len(RUN.findall(line)) if "  " in line else 0 for line in lines]
    if not any(runs):
        return text
    # Runs that stand elsewhere than after a sentence may be columns; then the next line of text has them too.
    loose = [count > 0 and count > len(AFTER_SENTENCE.findall(line)) for count, line in zip(runs, lines, strict=True)]
    filled = [n for n, line in enumerate(lines) if line.strip()]
    for position, n in enumerate(filled):
        line = lines[n]
        if not runs[n] or _is_no_prose(line) or ("   " in line.strip() and is_verse(text)):
            continue
        words = sum(word[0].isalpha() for word in line.split())
        if words < FEWEST_WORDS or words < WORDS_PER_RUN * runs[n]:
            continue
        around = filled[max(0, position - 1) : position] + filled[position + 1 : position + 2]
        if not (loose[n] and any(loose[k] for k in around)):
            lines[n] = RUN.sub(" ", line)
    return "\n".join(lines)


whitespace = Rule(
    "whitespace",
    severity="low",
    meaning="blanks at the ends of a text, gaps of three or more empty lines, runs of spaces in prose",
    detect=_spaced,
    possible=Possible(_may_be_spaced),
    repair=_without_space,
    example=(
        " A short  walk helps more than most people think.\n\n\n\nTry it. ",
        "A short walk helps more than most people think.\n\nTry it.",
    ),
    version=3,
)
