"""Whether an answer meets a constraint: one function for each kind, from answer and match of the words that state it.

True, False, or None where a program cannot tell.
"""

import csv
import json
import re
from collections.abc import Callable
from itertools import pairwise

from hfclean.text.code_lines import code_lines
from hfclean.text.counting import body, count_sentences, count_words, items, read_bounds, verses
from hfclean.text.language import NAMES, main_language, may_be_in
from hfclean.text.numbers import numbers_in

_Met = Callable[[str, re.Match[str]], bool | None]


def _shows(pattern: str, flags: int = 0, within: int | None = None) -> _Met:
    """The test for a pattern, anywhere in the first `within` characters of an answer."""
    compiled = re.compile(pattern, flags)
    return lambda text, match: compiled.search(text[:within]) is not None


def _mostly(case: Callable[[str], bool]) -> _Met:
    """The test for a case that most letters of an answer have."""

    def met(text: str, match: re.Match[str]) -> bool | None:
        letters = [c for c in body(text)[:4000] if c.isalpha()]
        return sum(map(case, letters)) >= 0.6 * len(letters) if letters else None

    return met


# -------------------------------------------------------------------------------------------------------------- counts


def sentences(text: str, match: re.Match[str]) -> bool | None:
    bounds = read_bounds(match)
    if bounds is None:
        return None
    count = count_sentences(body(text))
    return bounds.low <= count <= bounds.high + (1 if bounds.exact else 0)


def one_sentence(text: str, match: re.Match[str]) -> bool | None:
    return count_sentences(body(text)) <= 2


def words(text: str, match: re.Match[str]) -> bool | None:
    bounds = read_bounds(match)
    if bounds is None:
        return None
    count = count_words(body(text))
    if bounds.exact and bounds.low <= 15:
        return abs(count - bounds.low) <= 1
    return bounds.hold(count, 0.5 if bounds.exact else 0.15)


def one_word(text: str, match: re.Match[str]) -> bool | None:
    return count_words(text) <= 2


def characters(text: str, match: re.Match[str]) -> bool | None:
    bounds = read_bounds(match)
    if bounds is None:
        return None
    return bounds.hold(len(body(text)), 0.5 if bounds.exact else 0.1)


def tweet(text: str, match: re.Match[str]) -> bool | None:
    return len(body(text)) <= 300


def item_count(text: str, match: re.Match[str]) -> bool | None:
    bounds = read_bounds(match)
    if bounds is None or bounds.high > 100:
        return None
    found = items(text)
    if not found:
        return None
    counts = {len(found), len([item for item in found if item.endswith("?")])}
    return any(bounds.low <= count <= bounds.high for count in counts)


def lines(text: str, match: re.Match[str]) -> bool | None:
    bounds = read_bounds(match)
    if bounds is None:
        return None
    count = len(verses(body(text)))
    return bounds.low <= count <= bounds.high + (1 if bounds.exact else 0)


def haiku(text: str, match: re.Match[str]) -> bool | None:
    lines = verses(body(text))
    return 3 <= len(lines) <= 4 or len([line for line in lines if len(line) <= 60]) == 3


def limerick(text: str, match: re.Match[str]) -> bool | None:
    return 5 <= len(verses(body(text))) <= 6


def paragraphs(text: str, match: re.Match[str]) -> bool | None:
    bounds = read_bounds(match)
    if bounds is None:
        return None
    count = len([part for part in re.split(r"\n\s*\n|\n", body(text)) if count_words(part) > 8])
    return bounds.low <= count <= bounds.high + 2


# ------------------------------------------------------------------------------------------------------------- formats

FENCED = re.compile(r"```[\w+-]*\n(.*?)(?:```|\Z)", re.DOTALL)
TABLE_ROW = re.compile(r"^[^\n|]*\|[^\n]*\|?[^\n]*$|^[^\n\t]+\t[^\n]+$", re.MULTILINE)
JSON_LIMIT = 200_000


def _matter(text: str) -> str:
    fenced = FENCED.search(text)
    return fenced.group(1) if fenced else text


def is_json(text: str, match: re.Match[str]) -> bool | None:
    text = _matter(text)
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    end = max(text.rfind("}"), text.rfind("]"))
    if start < 0 or end < start or end - start > JSON_LIMIT:
        return False if start < 0 or end < start else None
    try:
        json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return False
    return True


def is_csv(text: str, match: re.Match[str]) -> bool | None:
    lines = [line for line in _matter(text)[:20_000].splitlines() if line.count(",") >= 1]
    if len(lines) < 1:
        return False
    try:
        widths = {len(row) for row in csv.reader(lines)}
    except csv.Error:
        return None
    return len(widths) <= 2


def table(text: str, match: re.Match[str]) -> bool | None:
    return "<table" in text.lower() or len(TABLE_ROW.findall(text)) >= 2


def bullets(text: str, match: re.Match[str]) -> bool | None:
    return bool(items(text)) or "•" in text or "<li" in text


def numbered(text: str, match: re.Match[str]) -> bool | None:
    return len(re.findall(r"^[ \t*]*\(?\d{1,3}[.):]", text, re.MULTILINE)) >= 2 or "<ol" in text


def code(text: str, match: re.Match[str]) -> bool | None:
    return "```" in text or "`" in text or code_lines(text) > 0 or bool(re.search(r"[;{}=<>()\\]", text))


markup = _shows(r"<[A-Za-z!/?][^<>\n]{0,300}>")


# ------------------------------------------------------------------------------------------------------------- wording

BY_NAME = {
    name: code for code, pattern in NAMES.items() for name in pattern.split("|") if name.isascii() and len(name) > 3
}


def language(text: str, match: re.Match[str]) -> bool | None:
    wanted = BY_NAME.get(match.group("language").lower(), "")
    found = main_language(text)
    if not wanted or not found or wanted in ("la", "sw", "tl", "id"):
        return None
    if found == wanted or may_be_in(text, wanted):
        return True
    # A translation is often given inside an English sentence.
    return None if found == "en" and wanted != "en" else False


def starts(text: str, match: re.Match[str]) -> bool | None:
    wanted = _bare(match.group("text"))
    if not wanted:
        return None
    return any(_bare(part[: len(wanted) + 20]).startswith(wanted) for part in (text, body(text), *items(text)[:1]))


def ends(text: str, match: re.Match[str]) -> bool | None:
    wanted = _bare(match.group("text"))
    return _bare(body(text)[-len(wanted) - 30 :]).endswith(wanted) if wanted else None


def _bare(text: str) -> str:
    return " ".join(text.lower().strip(" \t\r\n\"'“”‘’*_.…-,!?#>:").split())


def letter(text: str, match: re.Match[str]) -> bool | None:
    letter = match.group("letter").lower()
    found = [item for item in items(text) if item]
    if not found:
        return None
    return all(item.lower().startswith((letter, f"the {letter}", f"a {letter}", f"an {letter}")) for item in found)


yes_no = _shows(r"\b(?:yes|no|not|neither|depends|never|cannot|can't)\b", re.IGNORECASE, 400)
true_false = _shows(r"\b(?:true|false|correct|incorrect|neither|partially)\b", re.IGNORECASE, 600)
upper_case = _mostly(str.isupper)
lower_case = _mostly(str.islower)
QUOTED = re.compile(r"[\"“'‘]([^\"“”'‘’\n]{2,40})[\"”'’]")


def uses(text: str, match: re.Match[str]) -> bool | None:
    wanted = [word.strip(" ,.").lower() for word in QUOTED.findall(match.group("words"))]
    if not wanted:
        return None
    lower = text.lower()
    return all(
        word in lower or (len(word) > 4 and " " not in word and word[: max(4, len(word) - 2)] in lower)
        for word in wanted
    )


def avoids(text: str, match: re.Match[str]) -> bool | None:
    wanted = match.group("word").lower().strip()
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text.lower()) is None


def question(text: str, match: re.Match[str]) -> bool | None:
    return "?" in text or "？" in text


def alphabetical(text: str, match: re.Match[str]) -> bool | None:
    found = [item.lower() for item in items(text) if item]
    if len(found) < 3:
        found = _comma_list(text)
    if len(found) < 3:
        return None
    ascending = sum(one[:3] <= other[:3] for one, other in pairwise(found))
    return ascending >= len(found) - 1


def _comma_list(text: str) -> list[str]:
    line = max(body(text).split("\n"), key=lambda part: part.count(","))
    line = line.rpartition(":")[2]
    if line.count(",") < 2:
        return []
    return [part.removeprefix("and ").strip(" \"'.“”") for part in line.lower().replace(", and ", ", ").split(", ")]


def hashtag(text: str, match: re.Match[str]) -> bool | None:
    return "#" in text


def options(text: str, match: re.Match[str]) -> bool | None:
    options = [group.lower() for group in match.group("one", "two", "three") if group]
    lower = text.lower()
    return any(option[: max(4, len(option) - 2)] in lower for option in options)


def decimals(text: str, match: re.Match[str]) -> bool | None:
    wanted = read_bounds(match)
    return bool(re.search(rf"\.\d{{{wanted.low}}}(?!\d)", text)) if wanted and wanted.low < 20 else None


def percent(text: str, match: re.Match[str]) -> bool | None:
    return "%" in text or "percent" in text.lower()


has_number = _shows(r"\d|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|none)\b", re.IGNORECASE)


def between(text: str, match: re.Match[str]) -> bool | None:
    low, high = int(match.group("low")), int(match.group("high"))
    found = [float(number) for number in numbers_in(text) if len(number) < 12]
    return any(low <= number <= high for number in found) if low < high and found else None


binary = _shows(r"\b(?:0b)?[01][01 ]{1,80}\b")
roman = _shows(r"\b[IVXLCDM]+\b")
emoji = _shows("[\u2600-\u27bf\U0001f300-\U0001faff]")
