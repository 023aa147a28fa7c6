"""The calculations of a text as chains of parts with signs of equality between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from hfclean.text.words import word_set
from hfclean.verifiers.arithmetic import Part
from hfclean.verifiers.tokens import ARITHMETIC, NOT_UNITS, OPERATORS, VALUES, Token, Value, is_mixed, tokens
from hfclean.verifiers.units import unit_name

EQUALITIES = ("=", "≈", "\\approx", "equal")
WORTH_READING = re.compile(
    r"\d[^=≈]{0,40}?(?:[-+−–*×·∗✕/÷^xX²³%√\\!]|plus|minus|times|divided|multiplied|of\b)|[\d)]\(|√|sqrt|frac"
)
LIST_MARK = re.compile(r"\s*(?:(?:[*•>+#]+|\d{1,3}[.)](?=\s)|\(\d{1,3}\)(?=\s+[\w√\\$€£])|\(?[A-Za-z][.)])\s*)*")

# Words that make what follows or precedes them a part of something else.
BAD_BEFORE = word_set(
    """abs and arccos arcsin arctan average avg base ceil ceiling cos cosh cot csc cube divide divided double exp
    factorial floor from gcd half hcf integral lcm lg lim ln log max mean median min mod mode modulo multiplied
    multiply of or over per pow power quarter root round sec sin sinh sqrt square std subtract tan tanh than third
    thrice triple twice var variance version with"""
)
BAD_AFTER = word_set(
    """am apart choose cubed divided dozen factorial fewer greater less minus mod modulo more multiplied of or out over
    per plus pm point r rem remainder smaller squared than times to too with"""
)
LABELS = word_set("case day example exercise level part problem question round step task week")
LEAD_IN = word_set(
    "are as be calculate compute equals evaluate get gets gives have hence is so solve then therefore thus was"
)
SUMS_OF = word_set("sum total result value expression calculation answer")
SINGLE_LETTERS_AFTER = frozenset("aACFgHhIJKlLmNPsVW°¢")
ATTACHED_UNITS = word_set(
    "kg mg cm mm km ml mL lb lbs oz ft in hr hrs hours min mph kb mb gb tb kW kWh cents m² km² cm² m2"
)
LAST_SIGN = "\u22ff"  # of mathematics; behind it are pictures


class Link(NamedTuple):
    """A part of a chain: None where it is not arithmetic, with the place where it stands."""

    part: Part | None
    start: int
    end: int
    nearly: bool = False  # a sign of near equality before it
    spaced: bool = True  # a space before that sign
    name: str = ""  # the capital letter that it is


NOTHING = Link(None, 0, 0)


def chains(text: str, names: Mapping[str, Value]) -> Iterator[list[Link]]:
    """Each chain of the text; `names` may be added to while they are read, and hold from the next line on."""
    for start, end in _lines(text):
        if names or WORTH_READING.search(text, start, end):
            yield from _chains_of_line(text, start, end, names)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Where the lines with a sign of equality are; one that begins with that sign goes with the one before."""
    upcoming = {sign: text.find(sign) for sign in EQUALITIES}
    begin = end = 0
    while any(place >= 0 for place in upcoming.values()):
        at = min(place for place in upcoming.values() if place >= 0)
        start = text.rfind("\n", end, at) + 1
        if not text[start:at].strip(" \t&"):
            start = _line_above(text, start)
        if start > end:
            yield begin, end
            begin = start
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        upcoming |= {sign: text.find(sign, end) for sign, place in upcoming.items() if 0 <= place < end}
    yield begin, end


def _line_above(text: str, start: int) -> int:
    """Where the line above begins; an empty one between is passed over."""
    end = max(start - 1, 0)
    above = text.rfind("\n", 0, end) + 1
    return above if above < end else text.rfind("\n", 0, max(above - 1, 0)) + 1


def _chains_of_line(text: str, start: int, end: int, names: Mapping[str, Value]) -> Iterator[list[Link]]:
    mark = LIST_MARK.match(text, start, end)
    assert mark is not None
    found = tokens(text, mark.end(), end, names)
    equals = [at for at, token in enumerate(found) if token.kind == "eq"]
    if not equals:
        return
    opened = list(accumulate((token.kind == "open") - (token.kind == "close") for token in found))
    chain, enclosed = [_last_run(text, found, 0, equals[0], names)], opened[equals[0]] > 0
    for at, after in zip(equals, [*equals[1:], len(found)], strict=True):
        sign = found[at]
        nearly, spaced = sign.text[0] in "≈\\", text[sign.start - 1 : sign.start].isspace()
        closed = after < len(found)
        if closed and _one_part(found, at + 1, after) and not (enclosed and opened[after] < opened[at]):
            chain.append(_link(Part(found[at + 1 : after], names))._replace(nearly=nearly, spaced=spaced))
            continue
        chain.append(_first_run(found, at + 1, after, names)._replace(nearly=nearly, spaced=spaced))
        yield chain
        if closed:
            chain, enclosed = [_last_run(text, found, at + 1, after, names)], opened[after] > 0


def _link(part: Part) -> Link:
    return Link(part, part.tokens[0].start, part.tokens[-1].end)


def _is_unit(found: Sequence[Token], at: int, first: int) -> bool:
    """Whether the word there can be the unit of the number before it."""
    word = found[at]
    if at <= first or found[at - 1].kind not in VALUES:
        return False
    name = unit_name(word.text)
    if word.start == found[at - 1].end:
        return word.text in ATTACHED_UNITS
    return len(name) > 1 and word.text.casefold() not in NOT_UNITS


def _one_part(found: Sequence[Token], first: int, last: int) -> bool:
    """Whether all that stands between two signs of equality is one part."""
    for at in range(first, last):
        kind = found[at].kind
        if not (kind in ARITHMETIC or (kind == "word" and _is_unit(found, at, first))):
            return False
        if kind == "n" and at > first and found[at - 1].kind == "n" and not is_mixed(found, at):
            return False  # "22 / 2 = 11 11 - 1 = 10"
    return first < last


def _first_run(found: Sequence[Token], first: int, last: int, names: Mapping[str, Value]) -> Link:
    """The part that follows a sign of equality and ends a chain."""
    at, depth = first, 0
    while at < last:
        kind = found[at].kind
        if kind == "word":
            followed = at + 1 < last and (
                found[at + 1].kind in OPERATORS or (found[at + 1].kind == "close" and depth > 0)
            )
            if not (followed and _is_unit(found, at, first)):
                break
        elif kind not in ARITHMETIC:
            break
        elif kind in ("open", "close"):
            if kind == "close" and not depth:
                break
            depth += 1 if kind == "open" else -1
        at += 1
    end = at
    while end > first and found[end - 1].kind == "open":  # "7 (as we saw)"
        end -= 1
        depth -= 1
        if end > first and found[end - 1].end == found[end].start:
            return NOTHING
    if end == first or depth:
        return NOTHING
    unit = ""
    if at < last and at == end:
        known, unit = _may_follow(found, at, last)
        if not known:
            return NOTHING
    return _link(Part(found[first:end], names, unit))


def _may_follow(found: Sequence[Token], at: int, last: int) -> tuple[bool, str]:
    """Whether the token behind a part leaves it as it is, and the unit, where it is one."""
    after, attached = found[at], found[at].start == found[at - 1].end
    if after.kind in ("break", "close"):
        return True, ""
    if after.kind != "word":
        return after.kind == "other" and not attached and after.text > LAST_SIGN, ""
    word = after.text.casefold()
    if attached:
        return after.text in ATTACHED_UNITS, after.text
    if word in BAD_AFTER or (len(word) == 1 and after.text not in SINGLE_LETTERS_AFTER):
        return False, ""
    if word in NOT_UNITS:
        half = [token.text.casefold() for token in found[at + 1 : min(last, at + 3)]]
        return not (word == "and" and (half[:1] == ["a"] or half[:1] == ["remainder"])), ""
    more = found[at + 1 : min(last, at + 3)]
    if more and (more[0].kind == "n" or (more[0].text.casefold() in ("and", "with") and more[-1].kind == "n")):
        return False, ""  # "1 hour 30 minutes"
    return True, after.text


def _last_run(text: str, found: Sequence[Token], first: int, last: int, names: Mapping[str, Value]) -> Link:
    """The part that stands before a sign of equality and begins a chain."""
    at, depth = last, 0
    while at > first:
        kind = found[at - 1].kind
        if kind == "word":
            followed = at == last or found[at].kind in OPERATORS or found[at].kind == "close"
            if not (followed and _is_unit(found, at - 1, first)):
                break
        elif kind not in ARITHMETIC:
            break
        elif kind in ("open", "close"):
            if kind == "open" and not depth:
                break
            depth += 1 if kind == "close" else -1
        at -= 1
    run = found[at:last]
    if not run and last > first and len(found[last - 1].text) == 1 and found[last - 1].text.isupper():
        return NOTHING._replace(name=found[last - 1].text)
    if len(run) == 1 and run[0].kind == "name":
        return NOTHING._replace(name=run[0].text)
    if len(run) > 2 and run[0].kind == "of" and at > 1 and found[at - 1].text.casefold() in SUMS_OF:
        return _link(Part(run[1:], names))
    part = Part(run, names, at_line_start=at == 0 or found[at - 1].text.casefold() in LABELS) if run else None
    if part is None or depth or (at > 0 and not _may_precede(text, found[at - 1], part)):
        return NOTHING
    return _link(part)


def _may_precede(text: str, before: Token, part: Part) -> bool:
    """Whether the token in front of a part leaves it as it is."""
    head, second = part.tokens[0], part.tokens[min(1, len(part.tokens) - 1)]
    attached = before.end == head.start
    if head.kind == "plus" or (head.kind == "minus" and (attached or second.start > head.end)):
        return before.kind == "open"
    if before.kind == "break":
        if before.text == ":" and text[before.start - 1 : before.start].isspace():
            return False  # 3 : 4 + 2
        return head.kind != "minus" or before.text in ",;:."
    if before.kind == "open":
        return True
    if before.kind != "word":
        return before.kind == "other" and not attached and before.text > LAST_SIGN
    word = before.text.casefold()
    if attached or len(word) == 1 or word in BAD_BEFORE or text[before.start - 1 : before.start] == "\\":
        return False
    return word in LEAD_IN or (head.kind != "minus" and not part.plain)
