"""Wrong sums: what a written calculation comes to, held against what the text says that it comes to.

A text is cut into chains of parts with signs of equality between them. Each part that is plain arithmetic is worked
out exactly, and must come to the same as the one before it under at least one way to read the two. Whatever else a
chain holds (letters, functions, words) is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

from hfclean.schema import Pair
from hfclean.text.thoughts import split_thought
from hfclean.verifiers.arithmetic import Part, written
from hfclean.verifiers.chains import Link, chains
from hfclean.verifiers.taken_back import OTHER_RULES, taken_back
from hfclean.verifiers.tokens import Value
from hfclean.verifiers.units import CONVERSIONS
from hfclean.verifiers.verifier import Finding, Verifier

USUAL: frozenset[str] = frozenset()
LONGEST_SHOWN = 120
MOST_READINGS = 64


def find_wrong_sums(pair: Pair) -> list[Finding]:
    """Wrong sums in the response and in the thought before it; `expected` is what would be right in its place."""
    thought, response, _ = split_thought(pair)
    findings = [
        finding for field, text in (("response", response), ("thought", thought)) for finding in _findings(field, text)
    ]
    if findings and (OTHER_RULES.search(pair.prompt) or any(_wrong_chains(pair.prompt))):
        return []
    return findings


wrong_sum = Verifier("wrong_sum", "a written calculation that does not come to what the text says", find_wrong_sums)


def _findings(field: str, text: str) -> Iterator[Finding]:
    line = counted = 0
    right: set[_Key] | None = None
    for wrong, chain in _wrong_chains(text):
        parts = [link for link in chain if link.part is not None]
        if taken_back(text, parts[0].start, parts[-1].end, only_sign=wrong.only_sign):
            continue
        if right is None:
            right = {key for none, links in _read_chains(text) if none is None for key in _keys(links)}
        if right.isdisjoint(_keys((wrong.worked_out, wrong.at))):  # else the text has the sum right as well
            line += text.count("\n", counted, wrong.at.start)
            counted = wrong.at.start
            yield wrong.finding(field, line, text)


_Key = tuple[str, ...]


def _keys(links: Sequence[Link]) -> Iterator[_Key]:
    """The sums of a chain of at least two parts, however they are spelled."""
    parts = [link.part for link in links if link.part is not None]
    for part in parts if len(parts) > 1 else ():
        if not part.plain:
            yield tuple(token.text if token.kind in ("n", "name") else token.kind for token in part.tokens)


def _wrong_chains(text: str) -> Iterator[tuple[_Wrong, list[Link]]]:
    """Each chain of the text that does not come out, with what is wrong in it."""
    return ((wrong, chain) for wrong, chain in _read_chains(text) if wrong is not None)


def _read_chains(text: str) -> Iterator[tuple[_Wrong | None, list[Link]]]:
    """Each chain of the text, with what is wrong in it."""
    names: dict[str, Value] = {}
    for chain in chains(text, names):
        wrong = _first_wrong(chain)
        if wrong is None:
            _name(names, chain)
        yield wrong, chain


def _shown(text: str, link: Link) -> str:
    stated = " ".join(text[link.start : link.end].split())
    return stated if len(stated) <= LONGEST_SHOWN else stated[:LONGEST_SHOWN] + "…"


# ------------------------------------------------------------------------------------------------- what does not fit


class _Wrong(NamedTuple):
    """Two parts that do not come to the same: the one that is wrong, the one that is worked out, and what is right."""

    at: Link
    worked_out: Link
    comes_to: Value
    right: Value

    @property
    def only_sign(self) -> bool:
        return self.at.part is not None and self.at.part.value(USUAL) == -self.right

    def finding(self, field: str, line: int, text: str) -> Finding:
        assert self.at.part is not None
        found = _shown(text, self.at)
        if self.worked_out is self.at:
            sentence = f"{found} comes to {_as_stated(self.comes_to, self.at.part)}, not {written(self.right, 2)}"
        else:
            sentence = (
                f"{_shown(text, self.worked_out)} comes to {_as_stated(self.comes_to, self.at.part)}, not {found}"
            )
        return Finding("wrong_sum", field, 0, line, found, _as_stated(self.right, self.at.part), sentence)


def _as_stated(value: Value, part: Part) -> str:
    """A value in the form of the part in whose place it would stand."""
    if part.plain and "percent" in part.kinds:
        return written(value * 100, part.decimals()) + "%"
    return written(value, part.decimals())


def _first_wrong(chain: Sequence[Link]) -> _Wrong | None:
    """The first part of a chain that does not come to what the one before it does."""
    before: tuple[Link, Part, Value] | None = None
    operated = False
    for link in chain:
        value = None if link.part is None else link.part.value(USUAL)
        if link.part is None or value is None:
            continue
        if (
            before is not None
            and value != before[2]
            and (operated or not link.part.plain)
            and not _fits(before[1], link.part, link.nearly, link.spaced)
        ):
            if not before[1].plain:
                return _Wrong(link, before[0], before[2], before[2])
            if operated:
                return _Wrong(link, link, value, before[2])
            return _Wrong(before[0], link, value, value)
        operated = operated or not link.part.plain
        before = link, link.part, value
    return None


def _name(names: dict[str, Value], chain: Sequence[Link]) -> None:
    """Keeps the value of a capital letter that a chain works out, and forgets what another chain says of it."""
    name, last = chain[0].name, chain[-1].part
    if name:
        names.pop(name, None)
        value = last.value(USUAL) if last is not None and last.plain and len(chain) > 2 else None
        if value is not None:
            names[name] = value


def _fits(before: Part, after: Part, nearly: bool, spaced: bool) -> bool:
    """Whether two parts come to the same under any way to read them."""
    if not (before.closed and after.closed) or (before.range and spaced):
        return True
    numbers = (*before.numbers, *after.numbers)
    if set("".join(numbers)) <= {"0", "1"} and max(map(len, numbers)) > 1:
        return True  # as binary numbers, perhaps
    if before.difference and after.plain and after.units and not before.units and (before.value(USUAL) or 0) < 0:
        return True  # "3 - 4 = 2 stars" of a scale
    units = before.units | after.units
    if len(before.units) > 1 or len(after.units) > 1 or (before.units and after.units and before.units != after.units):
        return True
    if after.names or (before.names and (len(before.names) < 2 or len(before.operands) != len(after.operands))):
        return True
    readings = sorted(before.readings() | after.readings())
    chosen = [frozenset(some) for size in range(len(readings) + 1) for some in combinations(readings, size)]
    factors = [times for names, times in CONVERSIONS if before.units != after.units and units & names]
    return any(_agree(before, after, reading, nearly, factors) for reading in chosen[:MOST_READINGS])


def _agree(
    before: Part, after: Part, reading: frozenset[str], nearly: bool, factors: list[frozenset[Fraction]]
) -> bool:
    value, said = before.value(reading), after.value(reading)
    if value is None or said is None:
        return False
    a, b = Fraction(value), Fraction(said)
    if a == b or _rounded(before, a, after, b, reading) or _rounded(after, b, before, a, reading):
        return True
    off, larger = abs(a - b), max(abs(a), abs(b))
    if nearly and off * 20 <= larger:
        return True
    if (before.inexact or after.inexact or after.decimals() >= 10) and off * 10**12 <= larger:
        return True
    if a == -b and (before.range or after.in_brackets):
        return True  # 2010-2015=5 and a loss of $5 - $8 = ($3)
    if a and b and any(a / b in times or b / a in times for times in factors):
        return True
    first = after.first_number()
    if (
        b
        and after.scientific()
        and _rounded(before, a / b * Fraction(after.numbers[0]), first, Fraction(after.numbers[0]), reading)
    ):
        return True
    head = after.head(reading)  # 5 + 3 = 8 + 2 = 10
    if head is None:
        return False
    return head == a or (first.decimals() > 0 and _rounded(before, a, first, Fraction(head), reading))


def _rounded(exact: Part, value: Fraction, stated: Part, said: Fraction, reading: frozenset[str]) -> bool:
    """Whether `said` is the value, rounded or cut as it is written, or as near as rounded operands allow."""
    places = exact.decimals()
    if places and not exact.plain:
        off = abs(value - said)
        if exact.scaled:
            if off * 200 <= abs(value):
                return True
        elif off * 2 * 10**places < len(exact.numbers):
            return True
    if not stated.plain or (value.denominator == 1 and not exact.divided):
        return False
    shift: int = 10 ** stated.decimals() * (100 if "percent" in stated.kinds and "plain_percent" not in reading else 1)
    if not stated.decimals() and shift == 1:
        return abs(value - said) < 1
    return abs(value - said) * shift * 2 <= 1 or int(value * shift) == said * shift
