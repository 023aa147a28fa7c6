"""The rule about white space: what nobody sees and every tokenizer does.

Indentation, aligned columns, verse and the two spaces that break a line in Markdown carry meaning and stay. A blank at
the end of a line stays too: experts who revised such rows left it as often as they took it away, so taking it away
would mostly fill the list of changes.
"""

from __future__ import annotations

import re

from hfclean.rules.rule import Glance, Rule, asked_about
from hfclean.schema import Pair
from hfclean.text import outside_protected, protected_spans

__all__ = ["whitespace"]

FIELDS = ("instruction", "input", "response")
BLANK = " \t\r\n\xa0"

# Rows whose matter is the white space itself.
ABOUT_SPACE = re.compile(
    r"white ?spac|\bspac(?:es?|ing)\b|\bindent|\balign|\btabs?\b|\bnewlines?\b|line ?breaks?|blank lines?|"
    r"empty lines?|\btrim|\bstrip|\bascii\b|\bpad(?:ding|ded)?\b|\bformat(?:ting)?\b|\btokeni[sz]e|\bcharacters?\b|"
    r"\bpunctuat|空格|空白|换行",
    re.IGNORECASE,
)

INDENTED = re.compile(r"[\n\r][ \t]+\S")
GAPS = re.compile(r"\n{4,}")
# Two blanks or more between two other characters; it starts with what is searched for fast.
RUN = re.compile(r"  (?<=\S  ) *(?=\S)")
AFTER_SENTENCE = re.compile(r"[.!?,;][\"')\]”’]? {2,}(?=\S)")
# Signs that a line is code, a form, a table or a drawing rather than prose.
NOT_PROSE = re.compile(r"[{}<>=|\\\t~^]|__|--|//|\.\.\.|;$|^\s|: {3}| {2}#|\) *\(")
FEWEST_WORDS = 5
WORDS_PER_RUN = 4


def _spaced(pair: Pair) -> bool:
    for text in (pair.instruction, pair.input, pair.response):
        if text and _candidate(text) and ("\r" in text or _tidy(text) != text):
            return not asked_about(ABOUT_SPACE, pair.instruction)
    return False


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


def _without_space(pair: Pair) -> Pair:
    if asked_about(ABOUT_SPACE, pair.instruction):
        return pair
    changed = {}
    for name in FIELDS:
        text = getattr(pair, name)
        if text and _candidate(text):
            tidied = _tidy(text)
            if tidied != text:
                changed[name] = tidied
    return pair.replace(**changed) if changed else pair


def _tidy(text: str) -> str:
    text = _without_ends(text)  # first: whether a line is prose shows only once its edge is clean
    if "\r" in text:
        # Line ends of code and tables are theirs; changed around them only, one text would have two kinds.
        spans = protected_spans(text)
        if not any(text.find("\r", start, end) >= 0 for start, end in spans):
            text = text.replace("\r\n", "\n").replace("\r", "\n")
    return outside_protected(text, _tidy_stretch)


def _without_ends(text: str) -> str:
    text = text.rstrip(BLANK)
    if text[:1] not in BLANK:
        return text
    head = len(text) - len(text.lstrip(BLANK))
    first_line = max(text.rfind("\n", 0, head), text.rfind("\r", 0, head)) + 1
    rest = text[head:]
    if "\n" not in rest or (not INDENTED.search(rest) and _is_prose_start(rest)):
        return rest
    # Other lines are indented too: the first one's indentation is part of the shape.
    return text[first_line:]


def _is_prose_start(text: str) -> bool:
    return " " in text[: text.find("\n")] and text[0].isalnum()


def _tidy_stretch(text: str) -> str:
    if "\n\n\n\n" in text:
        text = GAPS.sub("\n\n", text)
    return _without_runs(text) if "  " in text else text


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
        if not runs[n] or NOT_PROSE.search(line):
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
    possible=_may_be_spaced,
    repair=_without_space,
    example=(
        " A short  walk helps more than most people think.\n\n\n\nTry it. ",
        "A short walk helps more than most people think.\n\nTry it.",
    ),
)
