"""Truths: answers that are known to be right. Whether `answer` is one, and where a response states one.

No repair and no reviser changes a truth.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from hfclean.schema.declared import ANSWER
from hfclean.schema.embedded import opened
from hfclean.schema.shapes import detect, in_small_letters, plain
from hfclean.schema.slots import as_text
from hfclean.schema.views import FlatView
from hfclean.text import words
from hfclean.text.protected import end_of_braces

FIRST_ROWS = 1000
MOST_WORDS = 3
LONGEST_FORMULA = 200
# numbers, units of money, formulas: names of LaTeX and single letters, but no words
_FORMULA = re.compile(r"(?:\\[A-Za-z]++|[^\W\d_](?![^\W\d_])|[\W\d_])++")
_FINAL = re.compile(r"^[ \t]*####[ \t]*(\S[^\n]*)", re.MULTILINE)
LONGEST_BOX, MOST_BOXES = 2000, 100
_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{")


def is_bare(answer: Any) -> bool:
    """Whether an answer is a number, a formula, an option or at most three words."""
    text = as_text(answer).strip()
    if len(text) > LONGEST_FORMULA:
        return False
    return len(words(text)) <= MOST_WORDS or _FORMULA.fullmatch(text) is not None


def answer_columns(names: Sequence[str], first: Mapping[str, Sequence[Any]]) -> Mapping[str, str] | None:
    """Which columns hold what, where that shows in the rows alone: `answer` would be read as the response and every
    answer is bare, or as the truth beside a response that no row has. None elsewhere.

    Args:
        names: the columns of the rows.
        first: the cells of `answer`, and of `WORKED` where they are there, in the first `FIRST_ROWS` rows.
    """
    filled = {name for name, cells in first.items() if any(as_text(cell).strip() for cell in cells)}
    answer = in_small_letters(names).get(ANSWER, ANSWER)
    unused = {name for name in first if name != answer and name not in filled}
    view = detect(names)
    if not isinstance(view, FlatView) or answer not in filled:
        return None
    emptied = view.truth == answer and view.response in unused
    if emptied:
        view = detect([name for name in names if name not in unused])
    if not isinstance(view, FlatView) or view.response != answer:
        return None
    bare = all(is_bare(cell) for cell in first[answer] if as_text(cell).strip())
    if not bare and not emptied:
        return None
    asked, answered = ("prompt", "truth") if bare else ("instruction", "response")
    roles = {asked: view.instruction, "input": view.input, "system": view.system, answered: answer}
    return {role: column for role, column in roles.items() if column}


def truths_in(cell: Any) -> tuple[str, ...]:
    """The truths that a cell holds: itself, all of a list, or the `ground_truth` of an object, which may be JSON."""
    cell = plain(cell)
    value = opened(cell) if isinstance(cell, str) else cell
    if isinstance(value, Mapping) and "ground_truth" in value:
        cell = value["ground_truth"]
    if isinstance(cell, (list, tuple)):
        return tuple(as_text(each) for each in cell if each is not None)
    return () if cell is None else (as_text(cell),)


def stated_truths(text: str) -> Iterator[str]:
    """What a text states as its final answer: in boxes, and behind one `####` in its last line (several are heads)."""
    if "\\boxed" in text or "\\fbox" in text:
        for box in islice(_BOX.finditer(text), MOST_BOXES):
            end = end_of_braces(text, box.end(), LONGEST_BOX)
            if end > 0:
                yield text[box.end() : end - 1]
    if "####" in text:
        lines = list(islice(_FINAL.finditer(text), 2))
        if len(lines) == 1 and not text[lines[0].end() :].strip():
            yield lines[0][1].rstrip()
