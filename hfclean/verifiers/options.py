"""The options among which a question lets choose, by their letters."""

import re

LONGEST_PROMPT, FEWEST = 5_000, 2
MARK = re.compile(r"(?<![\w.'’])(?:\(([A-H])\)|([A-H])[).:])\s+(?=\S)")
# A)Oslo, (a) and 1), which stand in lists of other things as well
OTHER_MARKS = tuple(re.compile(rf"(?<![\w.'’])\(?([{marks}])\)\s*(?=[^\s()])") for marks in ("A-H", "a-h", "1-8"))
LETTERS = ("ABCDEFGH", "abcdefgh", "12345678")


def offered(prompt: str) -> dict[str, str]:
    """The options that a prompt offers by letter; empty where there are none or several lists of them."""
    marks = list(MARK.finditer(prompt[:LONGEST_PROMPT]))
    return _texts(prompt, marks) if [_letter(mark) for mark in marks] == list("ABCDEFGH"[: len(marks)]) else {}


def offered_anyhow(prompt: str) -> dict[str, str]:
    """The options by letter or number, however they are marked; of several lists the last text of each."""
    if ")" not in prompt and "A." not in prompt and "A:" not in prompt:
        return {}  # nearly every prompt ends here
    for pattern in (MARK, *OTHER_MARKS):
        options = _texts(prompt, list(pattern.finditer(prompt[:LONGEST_PROMPT])))
        if any(sorted(options) == list(letters[: len(options)]) for letters in LETTERS if options):
            return options
    return {}


def _letter(mark: re.Match[str]) -> str:
    return mark[mark.lastindex or 0]


def _texts(prompt: str, marks: list[re.Match[str]]) -> dict[str, str]:
    """What stands behind each mark, up to the end of its line or the next mark."""
    if len(marks) < FEWEST:
        return {}
    ends = [mark.start() for mark in marks[1:]] + [len(prompt)]
    return {
        _letter(mark): prompt[mark.end() : end].strip().split("\n")[0].strip(" ,;/")
        for mark, end in zip(marks, ends, strict=True)
    }
