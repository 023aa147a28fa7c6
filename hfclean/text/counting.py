"""Counting what a task asks for (sentences, words, items, lines), and reading the bounds that it sets."""

import re
from dataclasses import dataclass

from hfclean.text.numbers import has_digit
from hfclean.text.words import WORD

SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty
"""
SMALL_NUMBERS = {word: value for value, word in enumerate(SMALL.split())}
SMALL_NUMBERS |= {"a": 1, "an": 1, "single": 1, "couple": 2, "pair": 2, "dozen": 12}
SMALL_NUMBERS |= {"thirty": 30, "fifty": 50, "hundred": 100}
NUMBER = (
    r"\d{1,3}(?:,\d{3})+|\d{1,5}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|"
    r"fifty"
)
# Of the numbers in words, as few as are part of every one: "one", and also of "someone".
_NUMBER_PARTS = (
    *("one", "two", "three", "four", "five", "fift", "six", "seven"),
    *("eight", "nine", "ten", "eleven", "twe", "thirty"),
)
# "at most 50", "2-3", "two to three", "50 or fewer": the thing that is counted follows.
QUANTITY = (
    r"(?P<bound>at least|at most|no more than|not more than|no fewer than|no less than|a minimum of|minimum|"
    r"a maximum of|maximum|up to|more than|fewer than|less than|under|below|over|exactly|around|about|approximately|"
    r"roughly|<|within)?\s?"
    rf"(?:an? )?(?P<low>{NUMBER})(?:\s?(?:-|–|to|or|and)\s?(?P<high>{NUMBER}))?(?P<plus>\+| or more)?"
)
AFTER = r"(?: (?P<after>or (?:less|fewer|under|more|so)|(?:at )?(?:maximum|max|most|least|minimum)))?"
UPPER = (
    *("at most", "no more than", "not more than", "a maximum of", "maximum", "up to", "within"),
    *("or less", "or fewer", "or under", "at maximum", "max", "at max", "most"),
)
BELOW = ("fewer than", "less than", "under", "below", "<")
LOWER = ("at least", "no fewer than", "no less than", "a minimum of", "minimum", "or more", "least", "at minimum")
ABOVE = ("more than", "over")
LOOSE = ("around", "about", "approximately", "roughly", "or so")
NO_BOUND = 10**9


@dataclass(frozen=True)
class Bounds:
    """The number of things that a task asks for."""

    low: int
    high: int
    exact: bool

    def hold(self, count: int, slack: float = 0.0) -> bool:
        """Whether a count is within the bounds, each widened by a share of itself."""
        return self.low * (1 - slack) <= count <= self.high * (1 + slack)


def may_quantify(text: str) -> bool:
    """Whether `QUANTITY` may match in a text; for speed alone."""
    if has_digit(text) or not text.isascii():
        return True
    lower = text.lower()
    return any(part in lower for part in _NUMBER_PARTS)


def _value(number: str) -> int:
    number = number.lower().replace(",", "")
    return int(number) if number.isdigit() else SMALL_NUMBERS.get(number, 0)


def read_bounds(match: re.Match[str]) -> Bounds | None:
    """The bounds that a match of `QUANTITY` states, or None where the number cannot be read."""
    groups = match.groupdict()
    low = _value(groups["low"])
    if not low:
        return None
    high = _value(groups["high"]) if groups.get("high") else low
    bound = (groups.get("bound") or "").lower()
    after = (groups.get("after") or "").lower()
    if bound in UPPER or after in UPPER:
        return Bounds(0, high, False)
    if bound in BELOW:
        return Bounds(0, high - 1, False)
    if bound in LOWER or after in LOWER or groups.get("plus"):
        return Bounds(low, NO_BOUND, False)
    if bound in ABOVE:
        return Bounds(low + 1, NO_BOUND, False)
    if bound in LOOSE or after in LOOSE:
        return Bounds(int(low * 0.7), int(high * 1.3) + 1, False)
    if high < low:
        return None
    return Bounds(low, high, low == high)


LEAD_IN = re.compile(r"\A[^\n]{1,300}[:：][ \t*]*\n+(?=\S)")
SIGN_OFF = re.compile(
    r"\n[^\n]{0,40}\b(?:hope (?:this|that|you)|let me know|feel free|is there anything|happy to help|do you (?:like|"
    r"want|need))\b[^\n]{0,300}\Z",
    re.IGNORECASE,
)
LAST_LINE = 400
SENTENCE = re.compile(r"(?<![.!?…。！？])[.!?…。！？]++[\"'”’)\]*]{0,3}(?=\s|\Z)|[。！？]")
SHORTENED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|U\.S|U\.K|U\.N|a\.m|p\.m|No|Inc|Ltd|Co|Corp|[A-Z])\.(?=\s)|"
    r"(?<=\d)\.(?=\s?\d)"
)
BULLET = re.compile(
    r"^(?P<indent>[ \t]*)(?P<mark>[-•–‣◦]|\*(?=[ \t])|\(?\d{1,3}[.):、]|\(?[a-zA-Z][.)])[ \t]*(?=[^\s-])", re.MULTILINE
)
NOTED = re.compile(r"(?<![*\w])\w++\*(?![*\w])")  # "Apples*", to which a footnote belongs
MARKUP = re.compile(r"[*_`#>\"'“”]+")


def body(text: str) -> str:
    """An answer without the line that leads into it and the closing one."""
    text = LEAD_IN.sub("", text, count=1).strip()
    end = text[-LAST_LINE:]
    return text[:-LAST_LINE] + SIGN_OFF.sub("", end).rstrip() if "\n" in end else text


def count_words(text: str) -> int:
    """The number of words."""
    return len(WORD.findall(text))


def count_sentences(text: str) -> int:
    """The number of sentences; a line that ends without a stop is one."""
    text = SHORTENED.sub("", text)
    count = 0
    for line in text.split("\n"):
        if WORD.search(line):
            ends = len(SENTENCE.findall(line))
            rest = SENTENCE.split(line)[-1]
            count += ends + (1 if WORD.search(rest) else 0)
    return count


def without_footnotes(text: str) -> str:
    """A text without a last paragraph of lines such as "* in season", if something above has that star."""
    head, gap, notes = text.rstrip().rpartition("\n\n")
    if gap and all(line.startswith("* ") for line in notes.split("\n")) and NOTED.search(head):
        return head
    return text


def items(text: str) -> list[str]:
    """The items of the list that an answer is, its outermost level, without marks; empty where there is no list."""
    if "\n" not in text:
        return []
    text = without_footnotes(text)
    marks = list(BULLET.finditer(text))
    if len(marks) < 2:
        return []
    numbered = {mark.start() for mark in marks if mark.group("mark")[-1] in ".):、"}
    level = min(len(mark.group("indent").expandtabs(4)) for mark in marks)
    outer = [mark for mark in marks if len(mark.group("indent").expandtabs(4)) <= level + 1]
    if numbered and len(numbered) != len(outer):
        outer = [mark for mark in outer if mark.start() in numbered] if outer[0].start() in numbered else outer
    found = []
    for mark in outer:
        end = text.find("\n", mark.end())
        found.append(MARKUP.sub("", text[mark.end() : end if end >= 0 else len(text)]).strip())
    return found


def verses(text: str) -> list[str]:
    """The lines that hold a word."""
    return [line for line in text.split("\n") if WORD.search(line)]
