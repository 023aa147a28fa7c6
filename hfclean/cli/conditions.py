"""Conditions on rows, as words of the command line: `defect=whitespace`, `rating<0.3`, `unscored=judge`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hfclean.cli.mistyped import meant_word
from hfclean.cli.reading import UsageError
from hfclean.layout import Layout

DEFECT, UNSCORED = "defect", "unscored"
DEFECTS = "defects"  # the column
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
FORM = re.compile(r"\s*([^<>=]+?)\s*(<=|>=|<|>|=)\s*(.+?)\s*", re.DOTALL)
LIMIT = re.compile(r"(.*):\s*(\d+(?:\.\d+)?)\s*(%?)\s*", re.DOTALL)
EXPECTED = "defect, defect=RULE, SCORE<NUMBER (or <=, >, >=), COLUMN=VALUE or unscored=SCORE"
FIRST = 3  # rows that are named


class ConditionsMet(Exception):
    """Conditions of `--fail-on` hold: exit code 3."""


@dataclass(frozen=True)
class Condition:
    """What a row has to be to match: the words as they were typed, and what they say."""

    text: str
    subject: str
    sign: str = ""
    value: str = ""

    def column(self, layout: Layout, names: Sequence[str], option: str) -> str:
        """The column that it is about, with the prefix of what hfclean added where it has one.

        Raises:
            UsageError: there is none of that name.
        """
        name = {DEFECT: DEFECTS, UNSCORED: self.value}.get(self.subject, self.subject)
        for each in (layout.own(name),) if self.subject == DEFECT else (name, layout.own(name)):
            if each in names:
                return each
        raise UsageError(
            f"{option} {self.text}: no column {name!r}{meant_word(name, names)}; there are {', '.join(names)}"
        )

    def wants(self) -> str:
        """The column by its name without a prefix."""
        return {DEFECT: DEFECTS, UNSCORED: self.value}.get(self.subject, self.subject)

    def matches(self, cell: Any) -> bool:
        """Whether a cell of that column matches. A score that is nan or missing is neither low nor high."""
        if self.subject == DEFECT:
            found = str(cell or "").split()
            return self.value in found if self.value else bool(found)
        is_number = isinstance(cell, (int, float)) and not isinstance(cell, bool) and not math.isnan(cell)
        if self.subject == UNSCORED:
            return not is_number
        if self.sign in COMPARE:
            return is_number and COMPARE[self.sign](cell, float(self.value))
        return str(cell) == self.value or (is_number and _number(self.value) == cell)


class Bound(NamedTuple):
    """A condition, and how many rows may match it."""

    condition: Condition
    most: float
    is_share: bool

    @property
    def allowed(self) -> str:
        return f"{self.most:g}{'%' * self.is_share}"


def condition_of(option: str, text: str) -> Condition:
    """The condition that a word says.

    Raises:
        UsageError: it is none, or names a defect that there is not.
    """
    if text.strip() == DEFECT:
        return Condition(text, DEFECT)
    match = FORM.fullmatch(text)
    if match is None:
        hint = f"; did you mean {f'{DEFECT}={text}'!r}?" if text in _known_defects() else ""
        raise UsageError(f"{option} {text!r}: expected {EXPECTED}{hint}")
    subject, sign, value = match.groups()
    if sign in COMPARE and _number(value) is None:
        raise UsageError(f"{option} {text!r}: {value!r} is not a number; expected {EXPECTED}")
    if subject in (DEFECT, UNSCORED) and sign != "=":
        raise UsageError(f"{option} {text!r}: {subject} takes =; expected {EXPECTED}")
    if subject == DEFECT:
        _check_defect(option, text, value)
    return Condition(text, subject, sign, value)


def bound_of(option: str, text: str) -> Bound:
    """A condition with how many rows may match it: none, or as `:5` (rows) or `:5%` (of all rows) at its end says.

    Raises:
        UsageError: see `condition_of`; or a share above 100%.
    """
    match = LIMIT.fullmatch(text)
    if match is None:
        return Bound(condition_of(option, text), 0, is_share=False)
    most, is_share = float(match[2]), bool(match[3])
    if is_share and most > 100:
        raise UsageError(f"{option} {text!r}: {most:g}% is more than all rows")
    if not is_share and not most.is_integer():
        raise UsageError(f"{option} {text!r}: expected a number of rows such as :5, or a share such as :0.5%")
    return Bound(condition_of(option, match[1]), most, is_share)


def places_matching(
    splits: Mapping[str, Any], conditions: Sequence[Condition], layout: Layout, option: str
) -> Iterator[tuple[str, int]]:
    """The places of the rows that match all conditions, in order."""
    from hfclean.passes import column_batches

    for split, part in splits.items():
        columns = [each.column(layout, part.column_names, option) for each in conditions]
        index = 0
        for batch in column_batches(part, list(dict.fromkeys(columns))):
            for cells in zip(*(batch[name] for name in columns), strict=True):
                if all(each.matches(cell) for each, cell in zip(conditions, cells, strict=True)):
                    yield split, index
                index += 1


class Outcome(NamedTuple):
    """How many rows match a condition, whether these are too many, and the first of them."""

    bound: Bound
    rows: int
    of: int
    failed: bool
    first: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "condition": self.bound.condition.text,
            "rows": self.rows,
            "allowed": self.bound.allowed,
            "failed": self.failed,
            "first": list(self.first),
        }

    def line(self) -> str:
        from hfclean.cli.terminal import visible
        from hfclean.report.formatting import percent, plural

        more = ", ..." if self.rows > len(self.first) else ""
        return (
            f"{visible(self.bound.condition.text, 200)}: {self.rows:,} of {plural(self.of, 'row')} "
            f"({percent(self.rows, self.of)}), allowed {self.bound.allowed}: {', '.join(self.first)}{more}"
        )


def outcomes(bounds: Sequence[Bound], splits: Mapping[str, Any], layout: Layout, option: str) -> list[Outcome]:
    """What each condition comes to."""
    total = sum(map(len, splits.values()))
    found = []
    for bound in bounds:
        count, first = 0, []
        for split, index in places_matching(splits, [bound.condition], layout, option):
            count += 1
            if count <= FIRST:
                first.append(f"{split}:{index}" if split else str(index))
        failed = count * 100 > bound.most * total if bound.is_share else count > bound.most
        found.append(Outcome(bound, count, total, failed, tuple(first)))
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _known_defects() -> list[str]:
    from hfclean.rules import ROW_RULES, RULES
    from hfclean.verifiers import ROW_VERIFIERS, VERIFIERS

    known = [rule.id for rule in (*RULES, *ROW_RULES)] + [one.id for one in VERIFIERS]
    return known + [one.id for one in ROW_VERIFIERS]


def _check_defect(option: str, text: str, name: str) -> None:
    known = _known_defects()
    if name not in known:
        raise UsageError(f"{option} {text}: no such defect{meant_word(name, known)}; hfclean rules lists them")
